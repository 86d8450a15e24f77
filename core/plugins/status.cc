// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/status.h"

#include <iterator>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace braid {
namespace {

struct Row {
  braid_status status;
  absl::StatusCode code;
  const char* name;
};

constexpr Row kRows[] = {
    {BRAID_OK, absl::StatusCode::kOk, "OK"},
    {BRAID_INVALID_ARGUMENT, absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT"},
    {BRAID_UNSUPPORTED, absl::StatusCode::kUnimplemented, "UNSUPPORTED"},
    {BRAID_OUT_OF_MEMORY, absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY"},
    {BRAID_DEVICE_LOST, absl::StatusCode::kUnavailable, "DEVICE_LOST"},
    {BRAID_TIMEOUT, absl::StatusCode::kDeadlineExceeded, "TIMEOUT"},
    {BRAID_CANCELLED, absl::StatusCode::kCancelled, "CANCELLED"},
    {BRAID_STALE_BLOB, absl::StatusCode::kFailedPrecondition, "STALE_BLOB"},
    {BRAID_INTERNAL, absl::StatusCode::kInternal, "INTERNAL"},
    {BRAID_PENDING, absl::StatusCode::kAborted, "PENDING"},
    {BRAID_IO_ERROR, absl::StatusCode::kDataLoss, "IO_ERROR"},
};

}  // namespace

std::string StatusName(braid_status status) {
  for (const Row& row : kRows)
    if (row.status == status) return row.name;
  return "status " + std::to_string(status);
}

absl::StatusCode ToAbslCode(braid_status status) {
  for (const Row& row : kRows)
    if (row.status == status) return row.code;
  return absl::StatusCode::kInternal;
}

absl::Status ToAbsl(braid_status status, std::string_view text) {
  if (status == BRAID_OK) return absl::OkStatus();
  if (text.empty()) return absl::Status(ToAbslCode(status), StatusName(status));
  return absl::Status(ToAbslCode(status), absl::string_view(text.data(), text.size()));
}

absl::Status InFront(std::string_view text, const absl::Status& status) {
  if (status.ok()) return status;
  absl::Status out(status.code(),
                   absl::StrCat(absl::string_view(text.data(), text.size()), ": ", status.message()));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

braid_status FromAbsl(const absl::Status& status) {
  for (const Row& row : kRows)
    if (row.code == status.code()) return row.status;
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAlreadyExists:
      return BRAID_INVALID_ARGUMENT;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return BRAID_UNSUPPORTED;
    default:
      return BRAID_INTERNAL;
  }
}

}  // namespace braid
