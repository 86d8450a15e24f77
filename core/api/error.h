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

// Runs body(), for `doing` ("graph_run"); what it throws becomes a status that says so.
template <class Body>
absl::Status Caught(const char* doing, const Body& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(std::string(doing) + ": out of host memory");
  } catch (const std::exception& e) {
    return absl::InternalError(std::string(doing) + ": " + e.what());
  }
}

// Runs the body of an API function: whatever it throws or returns becomes a status with a text.
template <class Body>
graph_status Guarded(const char* doing, const Body& body) noexcept {
  return SetError(Caught(doing, body));
}

}  // namespace braid

#endif  // BRAID_CORE_API_ERROR_H_
