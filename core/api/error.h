// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_API_ERROR_H_
#define BRAID_CORE_API_ERROR_H_

#include <braid/graph.h>

#include <new>
#include <string>

#include "absl/status/status.h"

namespace braid {

// Keeps the text for graph_last_error() on this thread and gives the number.
graph_status SetError(const absl::Status& status);

// Runs the body of an API function: whatever it throws or returns becomes a status with a text.
template <class Body>
graph_status Guarded(const Body& body) noexcept {
  try {
    return SetError(body());
  } catch (const std::bad_alloc&) {
    return SetError(absl::ResourceExhaustedError("out of host memory"));
  } catch (const std::exception& e) {
    return SetError(absl::InternalError(e.what()));
  }
}

}  // namespace braid

#endif  // BRAID_CORE_API_ERROR_H_
