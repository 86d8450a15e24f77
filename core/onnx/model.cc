// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/model.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "core/onnx/prepare.h"
#include "core/onnx/schema.h"
#include "onnx/inliner/inliner.h"
#include "onnx/shape_inference/implementation.h"

namespace braid {

using namespace frontend;  // NOLINT: this room's own namespace

struct Model::Impl {
  std::shared_ptr<Origin> origin;  // keeps the mappings
  pb::ModelProto proto;            // as prepared: shapes as declared
  Weights weights;
  ModelInfo info;
  Graph graph;  // with the shapes that can be inferred without knowing those of the inputs
  std::unordered_map<std::string, pb::TypeProto> types;  // of every value that has one, as in graph
  std::map<std::pair<NodeId, std::string>, std::shared_ptr<const Model>> bodies;
};

namespace {

using ImplPtr = std::shared_ptr<Model::Impl>;
using Types = std::unordered_map<std::string, pb::TypeProto>;

Type TypeOf(const pb::TypeProto& proto, Graph* graph) {
  Type type;
  switch (proto.value_case()) {
    case pb::TypeProto::kTensorType:
    case pb::TypeProto::kSparseTensorType: {
      const bool sparse = proto.has_sparse_tensor_type();
      if (sparse) type.kind = ValueKind::kSparseTensor;
      type.element = sparse ? proto.sparse_tensor_type().elem_type() : proto.tensor_type().elem_type();
      type.has_shape = sparse ? proto.sparse_tensor_type().has_shape() : proto.tensor_type().has_shape();
      const auto& shape = sparse ? proto.sparse_tensor_type().shape() : proto.tensor_type().shape();
      for (const auto& d : shape.dim()) {
        Dim dim;
        if (d.has_dim_value() && d.dim_value() >= 0) dim.value = d.dim_value();
        if (d.has_dim_param() && !d.dim_param().empty()) dim.symbol = graph->AddSymbol(d.dim_param());
        type.dims.push_back(dim);
      }
      break;
    }
    case pb::TypeProto::kSequenceType:
      type.kind = ValueKind::kSequence;
      type.item = std::make_shared<Type>(TypeOf(proto.sequence_type().elem_type(), graph));
      break;
    case pb::TypeProto::kOptionalType:
      type.kind = ValueKind::kOptional;
      type.item = std::make_shared<Type>(TypeOf(proto.optional_type().elem_type(), graph));
      break;
    case pb::TypeProto::kMapType:
      type.kind = ValueKind::kMap;
      type.element = proto.map_type().key_type();
      type.item = std::make_shared<Type>(TypeOf(proto.map_type().value_type(), graph));
      break;
    default:
      break;
  }
  return type;
}

// Types of all values of the outermost graph after inference.
Types InferredTypes(const pb::ModelProto& model) {
  Types types;
  for (const auto& v : model.graph().value_info()) types[v.name()] = v.type();
  for (const auto& v : model.graph().output()) types[v.name()] = v.type();
  for (const auto& v : model.graph().input()) types[v.name()] = v.type();
  for (const auto& t : model.graph().initializer()) {
    pb::TypeProto& type = types[t.name()];
    type.Clear();
    type.mutable_tensor_type()->set_elem_type(t.data_type());
    type.mutable_tensor_type()->mutable_shape();
    for (int64_t d : t.dims()) type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(d);
  }
  return types;
}

absl::Status Infer(pb::ModelProto* model) {
  return Guard([&] {
    pb::shape_inference::InferShapes(*model, pb::OpSchemaRegistry::Instance(),
                                     pb::ShapeInferenceOptions(false, 0, true));
    return absl::OkStatus();
  });
}

// Names that `graph` reads and does not make, its bodies included.
void FreeNames(const pb::GraphProto& graph, std::vector<std::string>* free, std::set<std::string>* seen) {
  std::set<std::string> made;
  for (const auto& v : graph.input()) made.insert(v.name());
  for (const auto& t : graph.initializer()) made.insert(t.name());
  for (const auto& node : graph.node())
    for (const auto& out : node.output()) made.insert(out);
  auto read = [&](const std::string& name) {
    if (!name.empty() && !made.contains(name) && seen->insert(name).second) free->push_back(name);
  };
  for (const auto& node : graph.node()) {
    for (const auto& in : node.input()) read(in);
    for (const auto& a : node.attribute()) {
      if (!a.has_g()) continue;
      std::vector<std::string> inner;
      std::set<std::string> inner_seen;
      FreeNames(a.g(), &inner, &inner_seen);
      for (const std::string& name : inner) read(name);
    }
  }
  for (const auto& v : graph.output()) read(v.name());
}

class Builder {
 public:
  explicit Builder(Model::Impl* impl) : impl_(*impl), graph_(impl->graph) {}

  // Graph from impl.proto, whose values have the types of impl.types.
  absl::Status Build(const std::string& label) {
    const pb::GraphProto& proto = impl_.proto.graph();
    graph_.name = proto.name();
    std::map<std::string, std::shared_ptr<const Constant>> small;
    for (const auto& t : proto.initializer()) {
      auto constant = ReadTensor(t, *impl_.origin);
      if (!constant.ok()) return constant.status();
      small[t.name()] = *std::move(constant);
    }
    for (const auto& input : proto.input()) {
      const ValueId v = NewValue(input.name());
      if (auto weight = impl_.weights.find(input.name()); weight != impl_.weights.end()) {
        graph_.values[v].constant = weight->second;
        continue;
      }
      graph_.inputs.push_back(v);
      auto preset = small.find(input.name());
      graph_.input_defaults.push_back(preset != small.end() ? preset->second : nullptr);
      if (preset != small.end()) small.erase(preset);
    }
    for (const auto& [name, weight] : impl_.weights)
      if (!ids_.contains(name)) graph_.values[NewValue(name)].constant = weight;
    for (const auto& [name, constant] : small) graph_.values[NewValue(name)].constant = constant;
    for (const auto& node : proto.node())
      if (absl::Status s = AddNode(node, label); !s.ok()) return s;
    for (const auto& output : proto.output()) {
      auto id = ids_.find(output.name());
      if (id == ids_.end())
        return absl::InvalidArgumentError(absl::StrCat("output '", output.name(), "' is made by no node"));
      graph_.outputs.push_back(id->second);
    }
    graph_.LinkProducers();
    return absl::OkStatus();
  }

 private:
  ValueId NewValue(const std::string& name) {
    auto type = impl_.types.find(name);
    const ValueId v =
        graph_.AddValue(name, type == impl_.types.end() ? Type() : TypeOf(type->second, &graph_));
    ids_[name] = v;
    return v;
  }

  absl::Status AddNode(const pb::NodeProto& proto, const std::string& label) {
    const std::string where = NodeLabel(proto.op_type(), proto.domain(), proto.name(),
                                        proto.output_size() > 0 ? proto.output(0) : "");
    Node node;
    node.op = proto.op_type();
    node.domain = proto.domain();
    node.name = proto.name();
    int64_t opset = kNewestOpset;
    for (const auto& import : impl_.proto.opset_import())
      if (import.domain() == proto.domain()) opset = import.version();
    const pb::OpSchema* schema = FindSchema(node.op, node.domain, opset);
    if (schema == nullptr)
      return absl::InvalidArgumentError(absl::StrCat(where, ": there is no such operator in opset ", opset));
    node.version = schema->SinceVersion();
    node.is_function = schema->HasFunction() || schema->HasContextDependentFunction();
    bool tensors = true;
    for (const auto& name : proto.input()) {
      if (name.empty()) {
        node.inputs.push_back(kNone);
        continue;
      }
      auto id = ids_.find(name);
      if (id == ids_.end())
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": input '", name, "' is made by no node before it"));
      node.inputs.push_back(id->second);
      tensors = tensors && graph_.values[id->second].type.is_tensor();
    }
    for (const auto& name : proto.output()) {
      node.outputs.push_back(name.empty() ? kNone : NewValue(name));
      if (!name.empty()) tensors = tensors && graph_.values[node.outputs.back()].type.is_tensor();
    }
    for (const auto& a : proto.attribute())
      if (absl::Status s = AddAttribute(a, where, label, &node); !s.ok()) return s;
    static const std::set<std::string> kHostOps = {"If",
                                                   "Loop",
                                                   "Scan",
                                                   "SequenceEmpty",
                                                   "SequenceConstruct",
                                                   "SequenceInsert",
                                                   "SequenceErase",
                                                   "SequenceAt",
                                                   "SequenceLength",
                                                   "SplitToSequence",
                                                   "ConcatFromSequence",
                                                   "Optional",
                                                   "OptionalHasElement",
                                                   "OptionalGetElement"};
    node.is_host = node.domain.empty() && (kHostOps.contains(node.op) || (!tensors && node.op == "Identity"));
    node.min_version = OldestVersion(proto, *schema, [&](const std::string& name) {
      auto id = ids_.find(name);
      return id == ids_.end() || !graph_.values[id->second].type.is_tensor()
                 ? 0
                 : graph_.values[id->second].type.element;
    });
    graph_.nodes.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::Status AddAttribute(const pb::AttributeProto& proto, const std::string& where,
                            const std::string& label, Node* node) {
    Attribute a;
    a.name = proto.name();
    a.kind = static_cast<int32_t>(proto.type());
    a.f = proto.f();
    a.i = proto.i();
    a.s = proto.s();
    a.floats.assign(proto.floats().begin(), proto.floats().end());
    a.ints.assign(proto.ints().begin(), proto.ints().end());
    a.strings.assign(proto.strings().begin(), proto.strings().end());
    if (proto.has_t()) {
      auto constant = ReadTensor(proto.t(), *impl_.origin);
      if (!constant.ok())
        return Annotate(constant.status(), absl::StrCat(where, ": attribute '", a.name, "': "));
      Type type;
      type.element = proto.t().data_type();
      type.has_shape = true;
      for (int64_t d : proto.t().dims()) type.dims.push_back({d, -1});
      a.tensor = graph_.AddValue("", type);
      graph_.values[a.tensor].constant = *std::move(constant);
    }
    if (proto.has_g())
      if (absl::Status s = AddBody(proto.g(), label, &a); !s.ok())
        return Annotate(s, absl::StrCat(where, ": body '", a.name, "': "));
    node->attributes.push_back(std::move(a));
    return absl::OkStatus();
  }

  // A body becomes a model of its own: what it captures are inputs behind its own, or constants.
  absl::Status AddBody(const pb::GraphProto& proto, const std::string& label, Attribute* attribute);

  Model::Impl& impl_;
  Graph& graph_;
  std::unordered_map<std::string, ValueId> ids_;
};

absl::StatusOr<ImplPtr> MakeImpl(std::shared_ptr<Origin> origin, pb::ModelProto proto, Weights weights,
                                 ModelInfo info, const std::string& label) {
  auto impl = std::make_shared<Model::Impl>();
  impl->origin = std::move(origin);
  impl->proto = std::move(proto);
  impl->weights = std::move(weights);
  impl->info = std::move(info);
  pb::ModelProto inferred = impl->proto;
  if (absl::Status s = Infer(&inferred); !s.ok()) return Annotate(s, "shape inference: ");
  impl->types = InferredTypes(inferred);
  if (absl::Status s = Builder(impl.get()).Build(label); !s.ok()) return s;
  return impl;
}

absl::Status Builder::AddBody(const pb::GraphProto& proto, const std::string& label, Attribute* attribute) {
  pb::ModelProto body;
  body.set_ir_version(impl_.proto.ir_version());
  *body.mutable_opset_import() = impl_.proto.opset_import();
  *body.mutable_graph() = proto;
  Weights weights;
  std::vector<std::string> names;
  std::set<std::string> seen;
  FreeNames(proto, &names, &seen);
  for (const std::string& name : names) {
    auto id = ids_.find(name);
    if (id == ids_.end())
      return absl::InvalidArgumentError(absl::StrCat("it uses '", name, "', which nothing makes before it"));
    const Value& value = graph_.values[id->second];
    const pb::TensorProto* small = nullptr;
    if (value.constant != nullptr)
      for (const auto& t : impl_.proto.graph().initializer())
        if (t.name() == name) small = &t;
    if (small != nullptr) {
      *body.mutable_graph()->add_initializer() = *small;
      continue;
    }
    auto* input = body.mutable_graph()->add_input();
    input->set_name(name);
    if (auto type = impl_.types.find(name); type != impl_.types.end()) *input->mutable_type() = type->second;
    if (value.constant != nullptr) {
      weights[name] = value.constant;
    } else {
      attribute->body.captures.push_back(id->second);
    }
  }
  auto impl = MakeImpl(impl_.origin, std::move(body), std::move(weights), impl_.info, label);
  if (!impl.ok()) return impl.status();
  attribute->body.graph = std::shared_ptr<Graph>(*impl, &(*impl)->graph);
  impl_.bodies[{static_cast<NodeId>(graph_.nodes.size()), attribute->name}] =
      std::make_shared<Model>(*std::move(impl));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Model>> Load(std::shared_ptr<Origin> origin,
                                                  const ModelBudgets& budgets) {
  const std::string label = origin->label;
  absl::StatusOr<std::shared_ptr<const Model>> result = absl::InternalError("not loaded");
  absl::Status guarded = Guard([&]() -> absl::Status {
    auto prepared = Prepare(origin, budgets);
    if (!prepared.ok()) return prepared.status();
    auto impl = MakeImpl(origin, std::move(prepared->proto), std::move(prepared->weights),
                         std::move(prepared->info), label);
    if (!impl.ok()) return impl.status();
    result = std::make_shared<const Model>(*std::move(impl));
    return absl::OkStatus();
  });
  if (!guarded.ok()) return Annotate(guarded, absl::StrCat(label, ": "));
  return result;
}

}  // namespace

const Graph& Model::graph() const { return impl_->graph; }
const ModelInfo& Model::info() const { return impl_->info; }

absl::StatusOr<std::shared_ptr<const Graph>> Model::Specialise(absl::Span<const InputShape> inputs) const {
  auto out = std::make_shared<Graph>(impl_->graph);
  absl::Status status = Guard([&]() -> absl::Status {
    pb::ModelProto model = impl_->proto;
    pb::GraphProto& graph = *model.mutable_graph();
    graph.clear_value_info();
    // Declared shapes of outputs are forgotten: they may be of other inputs than these.
    for (auto& output : *graph.mutable_output())
      if (output.type().has_tensor_type()) output.mutable_type()->mutable_tensor_type()->clear_shape();
    std::unordered_map<std::string, pb::ValueInfoProto*> by_name;
    for (auto& input : *graph.mutable_input()) by_name[input.name()] = &input;
    for (size_t i = 0; i < inputs.size() && i < impl_->graph.inputs.size(); ++i) {
      if (!inputs[i].known) continue;
      pb::ValueInfoProto* input = by_name[impl_->graph.values[impl_->graph.inputs[i]].name];
      if (input == nullptr) continue;
      auto* shape = input->mutable_type()->mutable_tensor_type()->mutable_shape();
      shape->clear_dim();
      for (int64_t d : inputs[i].dims) {
        auto* dim = shape->add_dim();
        if (d >= 0) dim->set_dim_value(d);
      }
    }
    if (absl::Status s = Infer(&model); !s.ok()) return Annotate(s, "shape inference for these inputs: ");
    out->symbols.clear();
    const Types types = InferredTypes(model);
    for (Value& value : out->values) {
      auto type = types.find(value.name);
      if (type == types.end() || value.name.empty()) continue;
      Type inferred = TypeOf(type->second, out.get());
      // What inference lost it keeps.
      if (inferred.is_tensor() && inferred.element == 0) inferred.element = value.type.element;
      value.type = std::move(inferred);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return std::shared_ptr<const Graph>(std::move(out));
}

absl::StatusOr<std::shared_ptr<const Model>> Model::ExpandFunctions(
    const std::function<bool(const Node&)>& should_expand) const {
  constexpr char kDomain[] = "braid.expanded";
  std::shared_ptr<const Model> result;
  absl::Status status = Guard([&]() -> absl::Status {
    pb::ModelProto model = impl_->proto;
    int expanded = 0;
    for (size_t n = 0; n < impl_->graph.nodes.size(); ++n) {
      const Node& node = impl_->graph.nodes[n];
      if (!node.is_function || !should_expand(node)) continue;
      pb::NodeProto& proto = *model.mutable_graph()->mutable_node(static_cast<int>(n));
      int64_t opset = kNewestOpset;
      for (const auto& import : model.opset_import())
        if (import.domain() == proto.domain()) opset = import.version();
      const pb::OpSchema* schema = FindSchema(node.op, node.domain, opset);
      // The body may refer to attributes that the node leaves at their defaults.
      for (const auto& [name, attribute] : schema->attributes()) {
        const bool has = std::any_of(proto.attribute().begin(), proto.attribute().end(),
                                     [&, n = name](const auto& a) { return a.name() == n; });
        if (has || attribute.default_value.type() == pb::AttributeProto::UNDEFINED) continue;
        *proto.add_attribute() = attribute.default_value;
        proto.mutable_attribute(proto.attribute_size() - 1)->set_name(name);
      }
      pb::FunctionProto function;
      if (schema->HasContextDependentFunction()) {
        std::vector<pb::TypeProto> types;
        for (const auto& name : proto.input()) {
          auto type = impl_->types.find(name);
          types.push_back(type == impl_->types.end() ? pb::TypeProto() : type->second);
        }
        pb::FunctionBodyBuildContextImpl context(proto, types);
        if (!schema->BuildContextDependentFunction(context, function, static_cast<int>(opset)))
          function.Clear();
      }
      if (function.node_size() == 0 && schema->HasFunction())
        if (const pb::FunctionProto* body = schema->GetFunction(static_cast<int>(opset))) function = *body;
      if (function.node_size() == 0) continue;
      const std::string name = absl::StrCat(node.op, "_", n);
      function.set_domain(kDomain);
      function.set_name(name);
      *model.add_functions() = std::move(function);
      proto.set_domain(kDomain);
      proto.set_op_type(name);
      ++expanded;
    }
    if (expanded == 0) return absl::OkStatus();
    auto* import = model.add_opset_import();
    import->set_domain(kDomain);
    import->set_version(1);
    pb::inliner::InlineLocalFunctions(model, true);
    model.clear_functions();
    google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto> imports;
    for (const auto& i : model.opset_import())
      if (i.domain() != kDomain) *imports.Add() = i;
    *model.mutable_opset_import() = std::move(imports);
    Weights weights = impl_->weights;
    if (absl::Status s = ExtractConstants(&model, *impl_->origin, &weights); !s.ok()) return s;
    auto impl =
        MakeImpl(impl_->origin, std::move(model), std::move(weights), impl_->info, impl_->origin->label);
    if (!impl.ok()) return impl.status();
    result = std::make_shared<const Model>(*std::move(impl));
    return absl::OkStatus();
  });
  if (!status.ok()) return Annotate(status, "expanding function operators: ");
  return result;
}

absl::StatusOr<std::shared_ptr<const Model>> Model::BodyModel(NodeId node, std::string_view attribute) const {
  auto body = impl_->bodies.find({node, std::string(attribute)});
  if (body == impl_->bodies.end())
    return absl::InternalError(absl::StrCat("node ", node, " has no body '", std::string(attribute), "'"));
  return body->second;
}

absl::StatusOr<std::shared_ptr<const Model>> LoadModelFile(const std::string& path,
                                                           const ModelBudgets& budgets) {
  auto origin = std::make_shared<Origin>();
  origin->label = path;
  auto bytes = MapFile(path);
  if (!bytes.ok()) return Annotate(bytes.status(), absl::StrCat(path, ": "));
  origin->model = *std::move(bytes);
  const size_t slash = path.rfind('/');
  origin->external = ExternalFiles(slash == std::string::npos ? "."
                                   : slash == 0               ? "/"
                                                              : path.substr(0, slash));
  return Load(std::move(origin), budgets);
}

absl::StatusOr<std::shared_ptr<const Model>> LoadModelMemory(absl::Span<const uint8_t> bytes,
                                                             const std::string& base_folder,
                                                             const ModelBudgets& budgets) {
  auto origin = std::make_shared<Origin>();
  origin->label = "model in memory";
  auto copy = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
  origin->model.span = *copy;
  origin->model.owner = copy;
  origin->external = ExternalFiles(base_folder);
  return Load(std::move(origin), budgets);
}

}  // namespace braid
