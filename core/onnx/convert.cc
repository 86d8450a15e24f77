// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/convert.h"

#include <string>
#include <unordered_map>

#include "core/graph/host_operators.h"
#include "core/onnx/older.h"

namespace braid::loader {
namespace {

class TypeMaker {
 public:
  explicit TypeMaker(Graph* graph) : graph_(*graph) {}

  Type Make(const pb::TypeProto& proto) {
    Type type;
    switch (proto.value_case()) {
      case pb::TypeProto::kTensorType:
        type.element = proto.tensor_type().elem_type();
        Shape(proto.tensor_type(), &type);
        break;
      case pb::TypeProto::kSparseTensorType:
        type.kind = ValueKind::kSparseTensor;
        type.element = proto.sparse_tensor_type().elem_type();
        Shape(proto.sparse_tensor_type(), &type);
        break;
      case pb::TypeProto::kSequenceType:
        type.kind = ValueKind::kSequence;
        type.item = std::make_shared<Type>(Make(proto.sequence_type().elem_type()));
        break;
      case pb::TypeProto::kOptionalType:
        type.kind = ValueKind::kOptional;
        type.item = std::make_shared<Type>(Make(proto.optional_type().elem_type()));
        break;
      case pb::TypeProto::kMapType:
        type.kind = ValueKind::kMap;
        type.element = proto.map_type().key_type();
        type.item = std::make_shared<Type>(Make(proto.map_type().value_type()));
        break;
      default:
        break;
    }
    return type;
  }

 private:
  template <typename Tensor>
  void Shape(const Tensor& tensor, Type* type) {
    type->has_shape = tensor.has_shape();
    for (const auto& d : tensor.shape().dim()) {
      Dim dim;
      if (d.has_dim_value()) {
        dim.value = d.dim_value();
      } else if (d.has_dim_param() && !d.dim_param().empty()) {
        auto [found, made] = symbols_.emplace(d.dim_param(), static_cast<int32_t>(graph_.symbols.size()));
        if (made) graph_.symbols.push_back(d.dim_param());
        dim.symbol = found->second;
      }
      type->dims.push_back(dim);
    }
  }

  Graph& graph_;
  std::unordered_map<std::string, int32_t> symbols_;
};

const Inferred* BodyTypes(const Inferred* inferred, size_t node, size_t body) {
  if (inferred == nullptr) return nullptr;
  auto found = inferred->bodies.find({static_cast<NodeId>(node), body});
  return found == inferred->bodies.end() ? nullptr : found->second.get();
}

Attribute MakeAttribute(const pb::AttributeProto& proto) {
  Attribute a;
  a.name = proto.name();
  const int kind = static_cast<int>(proto.type());
  a.kind =
      kind >= Attribute::kFloat && kind <= Attribute::kStrings ? kind : static_cast<int>(Attribute::kOther);
  a.f = proto.f();
  a.i = proto.i();
  a.s = proto.s();
  a.floats.assign(proto.floats().begin(), proto.floats().end());
  a.ints.assign(proto.ints().begin(), proto.ints().end());
  a.strings.assign(proto.strings().begin(), proto.strings().end());
  return a;
}

// Tensors of attributes are the node's.
Node::Form MakeForm(const OlderForm& from, const Node& node) {
  Node::Form form{from.schema->since_version(), from.min_version, from.inputs, {}};
  for (const pb::AttributeProto& a : from.attributes) {
    form.attributes.push_back(MakeAttribute(a));
    if (const Attribute* same = node.attribute(a.name()); same != nullptr)
      form.attributes.back().tensor = same->tensor;
  }
  return form;
}

}  // namespace

std::shared_ptr<Graph> MakeGraph(const Scope& scope, const Inferred* inferred) {
  auto graph = std::make_shared<Graph>();
  graph->name = scope.name;
  graph->inputs = scope.inputs;
  graph->outputs = scope.outputs;
  graph->input_defaults = scope.input_defaults;
  graph->values.resize(scope.values.size());
  TypeMaker types(graph.get());
  for (size_t v = 0; v < scope.values.size(); ++v) {
    Value& value = graph->values[v];
    value.name = scope.values[v].name;
    value.constant = scope.values[v].constant;
    value.type = types.Make(inferred != nullptr ? inferred->types[v] : scope.values[v].type);
  }
  Older older(scope, inferred);
  graph->nodes.resize(scope.nodes.size());
  for (size_t n = 0; n < scope.nodes.size(); ++n) {
    const ScopeNode& from = scope.nodes[n];
    Node& node = graph->nodes[n];
    node.op = from.proto.op_type();
    node.domain = from.proto.domain();
    node.name = from.proto.name();
    node.inputs = from.inputs;
    node.outputs = from.outputs;
    node.version = from.schema->since_version();
    node.is_function = from.schema->HasFunction() || from.schema->HasContextDependentFunction();
    for (const pb::AttributeProto& a : from.proto.attribute()) node.attributes.push_back(MakeAttribute(a));
    for (const auto& [index, value] : from.tensors)
      node.attributes[static_cast<size_t>(index)].tensor = value;
    for (const OlderForm& form : older.Forms(from, &node.min_version))
      node.older.push_back(MakeForm(form, node));
    for (size_t b = 0; b < from.bodies.size(); ++b) {
      for (Attribute& a : node.attributes) {
        if (a.name != from.bodies[b].attribute) continue;
        a.body.graph = MakeGraph(*from.bodies[b].scope, BodyTypes(inferred, n, b));
        a.body.captures = from.bodies[b].captures;
      }
    }
    bool tensors = true;
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) tensors = tensors && (id == kNone || graph->values[id].type.is_tensor());
    }
    node.is_host = IsHostOperator(node.domain, node.op, tensors);
  }
  return graph;
}

void SetTypes(const Scope& scope, const Inferred* inferred, Graph* graph) {
  graph->symbols.clear();
  TypeMaker types(graph);
  for (size_t v = 0; v < scope.values.size(); ++v) {
    graph->values[v].type = types.Make(inferred != nullptr ? inferred->types[v] : scope.values[v].type);
  }
  for (size_t n = 0; n < scope.nodes.size(); ++n) {
    for (size_t b = 0; b < scope.nodes[n].bodies.size(); ++b) {
      const Inferred* inner = BodyTypes(inferred, n, b);
      if (inner == nullptr) continue;  // not reached with these inputs: as it was
      for (Attribute& a : graph->nodes[n].attributes) {
        if (a.name != scope.nodes[n].bodies[b].attribute) continue;
        auto body = std::make_shared<Graph>(*a.body.graph);
        SetTypes(*scope.nodes[n].bodies[b].scope, inner, body.get());
        a.body.graph = std::move(body);
      }
    }
  }
}

}  // namespace braid::loader
