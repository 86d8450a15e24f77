// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/scope.h"

#include "absl/strings/str_cat.h"
#include "core/onnx/tensor.h"

namespace braid::frontend {

std::string Scope::LabelOf(const ScopeNode& node) const {
  std::string_view output;
  for (const ValueId id : node.outputs) {
    if (id != kNone && output.empty()) output = values[id].name;
  }
  return NodeLabel(node.proto.op_type(), node.proto.domain(), node.proto.name(), output);
}

ValueId Scope::AddSmall(std::string value_name, pb::TensorProto tensor) {
  const ValueId id = AddValue(std::move(value_name));
  ScopeValue& v = values[id];
  pb::TypeProto_Tensor* type = v.type.mutable_tensor_type();
  type->set_elem_type(tensor.data_type());
  type->mutable_shape();
  for (const int64_t dim : tensor.dims()) type->mutable_shape()->add_dim()->set_dim_value(dim);
  v.constant = MakeConstant(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(tensor.raw_data().data()),
                                                tensor.raw_data().size()));
  v.small = std::make_shared<const pb::TensorProto>(std::move(tensor));
  return id;
}

std::shared_ptr<Scope> CopyScope(const Scope& scope) {
  auto copy = std::make_shared<Scope>(scope);
  for (ScopeNode& node : copy->nodes) {
    for (ScopeBody& body : node.bodies) body.scope = CopyScope(*body.scope);
  }
  return copy;
}

uint64_t CountNodes(const Scope& scope) {
  uint64_t count = scope.nodes.size();
  for (const ScopeNode& node : scope.nodes) {
    for (const ScopeBody& body : node.bodies) count += CountNodes(*body.scope);
  }
  return count;
}

}  // namespace braid::frontend
