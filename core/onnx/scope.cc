// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/scope.h"

#include "absl/strings/str_cat.h"
#include "core/graph/names.h"
#include "core/onnx/tensor.h"

namespace braid::loader {

std::string Scope::LabelOf(const ScopeNode& node) const {
  std::string_view output;
  for (const ValueId id : node.outputs) {
    if (id != kNone && output.empty()) output = values[id].name;
  }
  return NodeLabel(node.proto.op_type(), node.proto.domain(), node.proto.name(), output);
}

std::shared_ptr<Scope> CopyScope(const Scope& scope) {
  auto copy = std::make_shared<Scope>(scope);
  for (ScopeNode& node : copy->nodes) {
    for (ScopeBody& body : node.bodies) body.scope = CopyScope(*body.scope);
  }
  return copy;
}

}  // namespace braid::loader
