// SPDX-License-Identifier: Apache-2.0
#include "core/api/error.h"

#include "core/graph/names.h"
#include "core/plugins/status.h"

namespace braid {
namespace {

std::string& LastError() {
  thread_local std::string text;
  return text;
}

}  // namespace

graph_status SetError(const absl::Status& status) {
  if (status.ok()) {
    LastError().clear();
    return GRAPH_OK;
  }
  LastError() = Printable(status.message());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
      return GRAPH_IO_ERROR;
    case absl::StatusCode::kOutOfRange:
      return GRAPH_BUFFER_TOO_SMALL;
    case absl::StatusCode::kFailedPrecondition:  // of the ABI's statuses, STALE_BLOB: nothing of the caller's
      return GRAPH_INTERNAL;
    default:
      return FromAbsl(status);
  }
}

}  // namespace braid

extern "C" {

const char* graph_last_error(void) { return braid::LastError().c_str(); }
const char* graph_status_name(graph_status status) {
  switch (status) {
    case GRAPH_OK:
      return "OK";
    case GRAPH_INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case GRAPH_UNSUPPORTED:
      return "UNSUPPORTED";
    case GRAPH_OUT_OF_MEMORY:
      return "OUT_OF_MEMORY";
    case GRAPH_DEVICE_LOST:
      return "DEVICE_LOST";
    case GRAPH_TIMEOUT:
      return "TIMEOUT";
    case GRAPH_CANCELLED:
      return "CANCELLED";
    case GRAPH_INTERNAL:
      return "INTERNAL";
    case GRAPH_PENDING:
      return "PENDING";
    case GRAPH_IO_ERROR:
      return "IO_ERROR";
    case GRAPH_BUFFER_TOO_SMALL:
      return "BUFFER_TOO_SMALL";
    default:
      return "UNKNOWN";
  }
}
const char* graph_type_name(int32_t type) {
  const char* name = braid::BriefTypeName(type);
  return name != nullptr ? name : "unknown";
}
const char* graph_version(void) { return BRAID_VERSION; }

}  // extern "C"
