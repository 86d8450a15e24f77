// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/build.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/graph/names.h"
#include "core/onnx/schema.h"

namespace braid::loader {
namespace {

absl::Status Bad(std::string text) { return absl::InvalidArgumentError(std::move(text)); }

std::string LabelOf(const pb::NodeProto& node) {
  return NodeLabel(node.op_type(), node.domain(), node.name(), node.output_size() > 0 ? node.output(0) : "");
}

void SetTensorType(const pb::TensorProto& tensor, pb::TypeProto* type) {
  type->Clear();
  type->mutable_tensor_type()->set_elem_type(tensor.data_type());
  pb::TensorShapeProto* shape = type->mutable_tensor_type()->mutable_shape();
  for (const int64_t d : tensor.dims()) shape->add_dim()->set_dim_value(d);
}

absl::Status CheckType(const pb::TypeProto& type, int depth) {
  if (depth > 16) return Bad("has a type nested too deep");
  const auto element = [](int32_t e) {
    return e == 0 || ElementBits(e) > 0
               ? absl::OkStatus()
               : Bad(absl::StrCat("has the element type ", e, ", which ONNX does not define"));
  };
  const auto shape = [](const pb::TensorShapeProto& s) {
    if (s.dim_size() > kMaxRank) {
      return Bad(absl::StrCat("has ", s.dim_size(), " dimensions; at most ", kMaxRank, " are supported"));
    }
    for (int i = 0; i < s.dim_size(); ++i) {
      if (s.dim(i).dim_value() < -1)
        return Bad(absl::StrCat("declares the extent ", s.dim(i).dim_value(), " in dimension ", i));
    }
    return absl::OkStatus();
  };
  switch (type.value_case()) {
    case pb::TypeProto::kTensorType:
      if (absl::Status s = element(type.tensor_type().elem_type()); !s.ok()) return s;
      return shape(type.tensor_type().shape());
    case pb::TypeProto::kSparseTensorType:
      if (absl::Status s = element(type.sparse_tensor_type().elem_type()); !s.ok()) return s;
      return shape(type.sparse_tensor_type().shape());
    case pb::TypeProto::kSequenceType:
      return CheckType(type.sequence_type().elem_type(), depth + 1);
    case pb::TypeProto::kOptionalType:
      return CheckType(type.optional_type().elem_type(), depth + 1);
    case pb::TypeProto::kMapType:
      if (const int32_t key = type.map_type().key_type(); !IsMapKey(key))
        return Bad(absl::StrCat("has a map with keys of type ", ElementTypeName(key),
                                "; they can be integers of 8 to 64 bits and strings"));
      return CheckType(type.map_type().value_type(), depth + 1);
    default:
      return absl::OkStatus();
  }
}

// A declared extent of -1 is how some exporters write "unknown".
void ForgetNegativeDims(pb::TypeProto* type) {
  if (!type->has_tensor_type() || !type->tensor_type().has_shape()) return;
  for (auto& dim : *type->mutable_tensor_type()->mutable_shape()->mutable_dim()) {
    if (dim.has_dim_value() && dim.dim_value() < 0) dim.clear_dim_value();
    if (dim.has_dim_param() && dim.dim_param().empty()) dim.clear_dim_param();
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<Scope>> ScopeBuilder::Build(const pb::GraphProto& graph,
                                                           const Weights& weights) {
  auto scope = std::make_shared<Scope>();
  Frame frame;
  frame.scope = scope.get();
  if (absl::Status s = Graph(frame, graph, &weights); !s.ok()) return s;
  return scope;
}

const ValueId* ScopeBuilder::Find(Frame& frame, const std::string& name) {
  auto found = frame.names.find(name);
  if (found != frame.names.end()) return &found->second;
  if (frame.parent == nullptr) return nullptr;
  const ValueId* outer = Find(*frame.parent, name);
  if (outer == nullptr) return nullptr;
  ValueId id = kNone;
  if (*outer != kNone) {
    const ScopeValue& source = frame.parent->scope->values[*outer];
    id = frame.scope->AddValue(source.name);
    ScopeValue& value = frame.scope->values[id];
    if (source.constant != nullptr) {
      value.type = source.type;
      value.constant = source.constant;
      value.small = source.small;
    } else {
      frame.scope->inputs.push_back(id);
      frame.scope->input_defaults.push_back(nullptr);
      frame.captures->push_back(*outer);
    }
  }
  return &(frame.names[name] = id);
}

absl::Status ScopeBuilder::Define(Frame& frame, const std::string& name, ValueId id,
                                  const std::string& where) {
  if (frame.names.emplace(name, id).second) return absl::OkStatus();
  return Bad(absl::StrCat(where, ": the name '", name, "' is defined twice"));
}

absl::StatusOr<ValueId> ScopeBuilder::Constant(Frame& frame, const std::string& name,
                                               const pb::TensorProto& tensor) {
  absl::StatusOr<std::shared_ptr<const braid::Constant>> data = ReadTensor(tensor, origin_);
  if (!data.ok()) return data.status();
  const ValueId id = frame.scope->AddValue(absl::StrCat(frame.prefix, name));
  ScopeValue& value = frame.scope->values[id];
  SetTensorType(tensor, &value.type);
  value.constant = *std::move(data);
  if (value.constant->bytes <= kSmallTensorBytes && tensor.data_type() != pb::TensorProto::STRING) {
    pb::TensorProto small =
        MakeTensor(tensor.data_type(), {tensor.dims().data(), static_cast<size_t>(tensor.dims_size())},
                   {value.constant->data, value.constant->bytes});
    value.small = std::make_shared<const pb::TensorProto>(std::move(small));
  }
  return id;
}

absl::Status ScopeBuilder::Graph(Frame& frame, const pb::GraphProto& graph, const Weights* weights) {
  Scope& scope = *frame.scope;
  scope.name = graph.name();
  const bool top = frame.parent == nullptr;
  std::unordered_map<std::string, size_t> input_of;
  for (const auto& input : graph.input()) {
    if (input.name().empty()) return Bad("an input has no name");
    if (top && !input.has_type()) return Bad(absl::StrCat("input '", input.name(), "' has no type"));
    if (absl::Status s = CheckType(input.type(), 0); !s.ok()) {
      return Annotate(s, absl::StrCat("input '", input.name(), "' "));
    }
    if (top && input.type().has_tensor_type() && input.type().tensor_type().elem_type() == 0) {
      return Bad(absl::StrCat("input '", input.name(), "' has no element type"));
    }
    const ValueId id = scope.AddValue(input.name());
    ScopeValue& value = scope.values[id];
    value.type = input.type();
    if (absl::Status s = Define(frame, input.name(), id, "inputs"); !s.ok()) return s;
    if (weights != nullptr) {
      if (auto weight = weights->find(input.name()); weight != weights->end()) {
        value.constant = weight->second;
        continue;
      }
    }
    ForgetNegativeDims(&value.type);
    input_of[input.name()] = scope.inputs.size();
    scope.inputs.push_back(id);
    scope.input_defaults.push_back(nullptr);
  }
  if (weights != nullptr) {
    for (const auto& [name, weight] : *weights) {
      if (frame.names.contains(name)) continue;
      return absl::InternalError(absl::StrCat("weight '", name, "' has lost its type"));
    }
  }
  if (absl::Status s = Initializers(frame, graph, input_of); !s.ok()) return s;
  scope.values.reserve(scope.values.size() + static_cast<size_t>(graph.node_size()));
  scope.nodes.reserve(static_cast<size_t>(graph.node_size()));
  frame.names.reserve(frame.names.size() + static_cast<size_t>(graph.node_size()));
  for (const auto& node : graph.node()) {
    if (absl::Status s = Node(frame, node); !s.ok()) return s;
  }
  const auto declare = [&](ScopeValue* value, const pb::ValueInfoProto& info) {
    if (!info.has_type() || value->constant != nullptr ||
        value->type.value_case() != pb::TypeProto::VALUE_NOT_SET) {
      return absl::OkStatus();
    }
    if (absl::Status s = CheckType(info.type(), 0); !s.ok()) {
      return Annotate(s, absl::StrCat("value '", info.name(), "' "));
    }
    value->type = info.type();
    ForgetNegativeDims(&value->type);
    return absl::OkStatus();
  };
  for (const auto& info : graph.value_info()) {
    auto found = frame.names.find(info.name());
    if (found == frame.names.end() || found->second == kNone) continue;
    if (absl::Status s = declare(&scope.values[found->second], info); !s.ok()) return s;
  }
  for (const auto& output : graph.output()) {
    const ValueId* id = Find(frame, output.name());
    if (id == nullptr || *id == kNone)
      return Bad(absl::StrCat("output '", output.name(), "' is made by no node"));
    if (absl::Status s = declare(&scope.values[*id], output); !s.ok()) return s;
    scope.outputs.push_back(*id);
  }
  return absl::OkStatus();
}

absl::Status ScopeBuilder::Initializers(Frame& frame, const pb::GraphProto& graph,
                                        const std::unordered_map<std::string, size_t>& input_of) {
  Scope& scope = *frame.scope;
  for (const auto& tensor : graph.initializer()) {
    if (auto input = input_of.find(tensor.name()); input != input_of.end()) {
      absl::StatusOr<std::shared_ptr<const braid::Constant>> data = ReadTensor(tensor, origin_);
      if (!data.ok()) return Annotate(data.status(), "initializer: ");
      const pb::TypeProto& type = scope.values[scope.inputs[input->second]].type;
      if (type.has_tensor_type() && type.tensor_type().elem_type() != tensor.data_type()) {
        return Bad(absl::StrCat("input '", tensor.name(), "' is declared as ",
                                ElementTypeName(type.tensor_type().elem_type()), ", its initializer has ",
                                ElementTypeName(tensor.data_type())));
      }
      scope.input_defaults[input->second] = *std::move(data);
      continue;
    }
    absl::StatusOr<ValueId> id = Constant(frame, tensor.name(), tensor);
    if (!id.ok()) return Annotate(id.status(), "initializer: ");
    if (absl::Status s = Define(frame, tensor.name(), *id, "initializers"); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status ScopeBuilder::Node(Frame& frame, const pb::NodeProto& source) {
  Scope& scope = *frame.scope;
  ScopeNode node;
  node.proto.set_op_type(source.op_type());
  if (!NormalDomain(source.domain()).empty()) node.proto.set_domain(source.domain());
  if (!source.name().empty()) node.proto.set_name(absl::StrCat(frame.prefix, source.name()));
  *node.proto.mutable_attribute() = source.attribute();
  const std::string& domain = node.proto.domain();
  auto import = versions_.find(domain);
  node.opset = import == versions_.end() ? 1 : import->second;
  node.schema = FindSchema(source.op_type(), domain, node.opset);
  while (node.schema != nullptr && node.schema->deprecated()) {
    node.schema = FindSchema(source.op_type(), domain, node.schema->since_version() - 1);
  }
  if (node.schema == nullptr) {
    return Bad(absl::StrCat(LabelOf(source), ": there is no such operator in opset ", node.opset,
                            NearestOperator(source.op_type(), domain)));
  }
  absl::Status verified = Guard([&] {
    node.schema->Verify(source);
    return absl::OkStatus();
  });
  if (!verified.ok()) return Annotate(verified, absl::StrCat(LabelOf(source), ": "));

  for (const std::string& name : source.input()) {
    if (name.empty()) {
      node.inputs.push_back(kNone);
      continue;
    }
    const ValueId* id = Find(frame, name);
    if (id == nullptr) {
      return Bad(absl::StrCat(LabelOf(source), ": its input '", name,
                              "' is made by no node before it (nodes must be in topological order)"));
    }
    node.inputs.push_back(*id);
  }
  for (int i = 0; i < node.proto.attribute_size(); ++i) {
    const pb::AttributeProto& a = node.proto.attribute(i);
    if (a.has_g()) {
      if (absl::Status s = Body(frame, a, &node); !s.ok()) {
        return Annotate(s, absl::StrCat(LabelOf(source), ": body '", a.name(), "': "));
      }
    } else if (a.has_t()) {
      absl::StatusOr<ValueId> id = Constant(frame, a.t().name(), a.t());
      if (!id.ok())
        return Annotate(id.status(), absl::StrCat(LabelOf(source), ": attribute '", a.name(), "': "));
      node.tensors.emplace_back(i, *id);
      // What shape inference may read stays; a stub would mean nothing to it.
      if (const auto& small = scope.values[*id].small; small != nullptr) {
        *node.proto.mutable_attribute(i)->mutable_t() = *small;
      }
    }
  }
  // Of control flow, that there is a graph is all that inference functions ask of the attribute itself.
  if (domain.empty()) {
    for (auto& a : *node.proto.mutable_attribute()) {
      if (a.has_g()) a.mutable_g()->Clear();
    }
  }
  for (const std::string& name : source.output()) {
    if (name.empty()) {
      node.outputs.push_back(kNone);
      continue;
    }
    const ValueId id = scope.AddValue(absl::StrCat(frame.prefix, name));
    node.outputs.push_back(id);
    if (absl::Status s = Define(frame, name, id, LabelOf(source)); !s.ok()) return s;
  }
  scope.nodes.push_back(std::move(node));
  return absl::OkStatus();
}

absl::Status ScopeBuilder::Body(Frame& frame, const pb::AttributeProto& attribute, ScopeNode* node) {
  ScopeBody body;
  body.attribute = attribute.name();
  body.scope = std::make_shared<Scope>();
  Frame inner;
  inner.parent = &frame;
  inner.scope = body.scope.get();
  inner.captures = &body.captures;
  inner.prefix = frame.prefix;
  inner.nesting = frame.nesting + 1;
  if (absl::Status s = Graph(inner, attribute.g(), nullptr); !s.ok()) return s;
  node->bodies.push_back(std::move(body));
  return absl::OkStatus();
}

absl::Status ScopeBuilder::Inline(Scope* into, const pb::GraphProto& body, const std::string& prefix,
                                  const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs,
                                  const std::unordered_map<std::string, ValueId>& extra) {
  Scope& scope = *into;
  Frame inner;
  inner.scope = into;
  inner.names = extra;
  inner.prefix = prefix;
  for (int i = 0; i < body.input_size(); ++i) {
    inner.names[body.input(i).name()] =
        static_cast<size_t>(i) < inputs.size() ? inputs[static_cast<size_t>(i)] : kNone;
  }
  if (absl::Status s = Initializers(inner, body, {}); !s.ok()) return s;
  const size_t first_node = scope.nodes.size(), first_value = scope.values.size();
  for (const auto& node : body.node()) {
    if (absl::Status s = Node(inner, node); !s.ok()) return s;
  }
  // The values that the body calls its outputs become those of the call. One that is no node's own (an input
  // that is passed through, a constant, the same value twice) is copied by an Identity.
  std::unordered_map<ValueId, ValueId> becomes;
  for (int i = 0; i < body.output_size() && static_cast<size_t>(i) < outputs.size(); ++i) {
    const ValueId out = outputs[static_cast<size_t>(i)];
    if (out == kNone) continue;
    auto made = inner.names.find(body.output(i).name());
    if (made == inner.names.end() || made->second == kNone) {
      return Bad(absl::StrCat("its function does not make its output '", body.output(i).name(), "'"));
    }
    const ScopeValue& value = scope.values[made->second];
    const bool own = made->second >= first_value;
    if (own && value.constant == nullptr && becomes.emplace(made->second, out).second) continue;
    ScopeNode identity;
    identity.proto.set_op_type("Identity");
    identity.schema = FindSchema("Identity", "", kNewestOpset);
    identity.opset = kNewestOpset;
    identity.inputs = {made->second};
    identity.outputs = {out};
    scope.nodes.push_back(std::move(identity));
  }
  const auto replace = [&](ValueId* id) {
    if (auto found = becomes.find(*id); found != becomes.end()) *id = found->second;
  };
  for (size_t n = first_node; n < scope.nodes.size() && !becomes.empty(); ++n) {
    ScopeNode& node = scope.nodes[n];
    for (ValueId& id : node.inputs) replace(&id);
    for (ValueId& id : node.outputs) replace(&id);
    for (ScopeBody& b : node.bodies) {
      for (ValueId& id : b.captures) replace(&id);
    }
  }
  return absl::OkStatus();
}

}  // namespace braid::loader
