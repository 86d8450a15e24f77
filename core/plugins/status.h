// SPDX-License-Identifier: Apache-2.0
//
// braid_status <-> absl::Status. Each status has a code of its own, so the way there and back keeps it:
//
//   INVALID_ARGUMENT  InvalidArgument      TIMEOUT     DeadlineExceeded
//   UNSUPPORTED       Unimplemented        CANCELLED   Cancelled
//   OUT_OF_MEMORY     ResourceExhausted    STALE_BLOB  FailedPrecondition
//   DEVICE_LOST       Unavailable          INTERNAL    Internal
//   PENDING           Aborted              IO_ERROR    DataLoss
#ifndef BRAID_CORE_PLUGINS_STATUS_H_
#define BRAID_CORE_PLUGINS_STATUS_H_

#include <braid/plugin.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace braid {

// "DEVICE_LOST"; "status 77" for one that this version does not know.
std::string StatusName(braid_status status);

// Unknown statuses become Internal. BRAID_OK gives OkStatus() whatever the text.
absl::Status ToAbsl(braid_status status, std::string_view text);
absl::StatusCode ToAbslCode(braid_status status);

// The other way; codes that have no status of their own become INVALID_ARGUMENT (NotFound, OutOfRange,
// AlreadyExists), UNSUPPORTED (PermissionDenied, Unauthenticated) or INTERNAL.
braid_status FromAbsl(const absl::Status& status);

// The same failure with `text` and ": " in front of what it says. All else that it carries stays.
absl::Status InFront(std::string_view text, const absl::Status& status);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_STATUS_H_
