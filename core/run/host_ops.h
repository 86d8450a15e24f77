// SPDX-License-Identifier: Apache-2.0
//
// The operators that core runs itself: control flow, and what works on sequences, optionals and maps.
#ifndef BRAID_CORE_RUN_HOST_OPS_H_
#define BRAID_CORE_RUN_HOST_OPS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/graph/graph.h"
#include "core/run/value.h"

namespace braid {

class Runner;

struct HostCall {
  const Graph& graph;
  const Node& node;
  std::vector<RunValue> inputs;                 // by input; default-constructed where absent
  std::vector<Runner*> bodies;                  // by graph attribute, in the order of the node's attributes
  std::vector<std::vector<RunInput>> captures;  // of each body
  std::vector<RunValue> outputs;                // to fill
  RunControl* control;

  bool has(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNone; }
  int64_t Int(std::string_view name, int64_t otherwise) const;
  std::string String(std::string_view name, std::string_view otherwise) const;
};

// Runs call->node, any of HostOperators() but If, which is Frame's own. Errors name what is wrong, the caller
// adds the node.
absl::Status RunHostOp(HostCall* call);
// Whether RunHostOp knows the operator.
bool HasHostOp(std::string_view domain, std::string_view op);

// control_flow.cc
absl::Status RunLoop(HostCall* call);
absl::Status RunScan(HostCall* call);
// map_ops.cc: ZipMap, DictVectorizer and CastMap of ai.onnx.ml
absl::Status RunMapOp(HostCall* call);

}  // namespace braid

#endif  // BRAID_CORE_RUN_HOST_OPS_H_
