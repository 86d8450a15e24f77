// SPDX-License-Identifier: Apache-2.0
#include "core/api/error.h"

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
  LastError().assign(status.message().data(), status.message().size());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
      return GRAPH_IO_ERROR;
    case absl::StatusCode::kOutOfRange:
      return GRAPH_BUFFER_TOO_SMALL;
    default:
      return FromAbsl(status);
  }
}

}  // namespace braid

extern "C" {

const char* graph_last_error(void) { return braid::LastError().c_str(); }
const char* graph_version(void) { return BRAID_VERSION; }

}  // extern "C"
