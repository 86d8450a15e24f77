// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/operators.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/onnx/schema.h"
#include "core/onnx/tensor.h"
#include "onnx/defs/parser.h"

namespace braid {

using namespace loader;  // NOLINT: this room's own namespace

namespace {

using Key = std::pair<std::string, std::string>;  // domain, operator

// Schemas stay for the life of the process: loaded models point at them.
struct Declared {
  std::shared_mutex mutex;
  std::map<Key, std::map<int, std::unique_ptr<pb::OpSchema>>> schemas;
  std::function<void()> source;
};

Declared& All() {
  static auto& all = *new Declared();
  return all;
}

Type TypeOf(const pb::TypeProto* proto, Graph* graph) {
  Type type;
  if (proto == nullptr) return type;
  if (!proto->has_tensor_type()) {
    type.kind = ValueKind::kSequence;  // no tensor: nothing more is told of it
    return type;
  }
  type.element = proto->tensor_type().elem_type();
  type.has_shape = proto->tensor_type().has_shape();
  for (const auto& d : proto->tensor_type().shape().dim()) {
    Dim dim;
    if (d.has_dim_value()) {
      dim.value = d.dim_value();
    } else if (!d.dim_param().empty()) {
      const auto found = std::find(graph->symbols.begin(), graph->symbols.end(), d.dim_param());
      dim.symbol = static_cast<int32_t>(found - graph->symbols.begin());
      if (found == graph->symbols.end()) graph->symbols.push_back(d.dim_param());
    }
    type.dims.push_back(dim);
  }
  return type;
}

ValueId AddConstant(const pb::TensorProto& tensor, std::string name, Graph* graph) {
  Origin origin;
  auto constant = ReadTensor(tensor, origin);
  if (!constant.ok()) throw pb::InferenceError(std::string(constant.status().message()));
  Value value;
  value.name = std::move(name);
  value.type.element = tensor.data_type();
  value.type.has_shape = true;
  for (const int64_t d : tensor.dims()) value.type.dims.push_back({d, -1});
  value.constant = *std::move(constant);
  graph->values.push_back(std::move(value));
  return static_cast<ValueId>(graph->values.size() - 1);
}

Attribute AttributeOf(const pb::AttributeProto& from, Graph* graph) {
  Attribute to;
  to.name = from.name();
  to.kind = from.type();
  to.f = from.f();
  to.i = from.i();
  to.s = from.s();
  to.floats.assign(from.floats().begin(), from.floats().end());
  to.ints.assign(from.ints().begin(), from.ints().end());
  to.strings.assign(from.strings().begin(), from.strings().end());
  if (from.has_t()) to.tensor = AddConstant(from.t(), from.name(), graph);
  return to;
}

// The node alone, with what is known of its inputs.
Graph CallOf(const OperatorDeclaration& op, pb::InferenceContext& context) {
  Graph graph;
  Node node;
  node.op = op.name;
  node.domain = op.domain;
  node.name = context.getDisplayName();
  node.version = node.min_version = op.since_version;
  for (size_t i = 0; i < context.getNumInputs(); ++i) {
    const pb::TypeProto* type = context.getInputType(i);
    if (type == nullptr && !context.hasInput(i)) {
      node.inputs.push_back(kNone);
      continue;
    }
    const std::string name =
        i < op.inputs.size() ? op.inputs[i].name : absl::StrCat(op.inputs.back().name, i);
    if (const pb::TensorProto* data = context.getInputData(i); data != nullptr) {
      node.inputs.push_back(AddConstant(*data, name, &graph));
      continue;
    }
    Value value;
    value.name = name;
    value.type = TypeOf(type, &graph);
    graph.values.push_back(std::move(value));
    node.inputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
    graph.inputs.push_back(node.inputs.back());
  }
  for (const OperatorDeclaration::Attribute& a : op.attributes)
    if (const pb::AttributeProto* given = context.getAttribute(a.name); given != nullptr)
      node.attributes.push_back(AttributeOf(*given, &graph));
  for (size_t i = 0; i < context.getNumOutputs(); ++i) {
    Value value;
    value.name = i < op.outputs.size() ? op.outputs[i].name : absl::StrCat("output", i);
    graph.values.push_back(std::move(value));
    node.outputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
    graph.outputs.push_back(node.outputs.back());
  }
  graph.nodes.push_back(std::move(node));
  return graph;
}

// The type that an output has by the constraints alone: its own, or that of an input of the same name.
ElementType ElementByConstraint(const OperatorDeclaration& op, size_t output, pb::InferenceContext& context) {
  if (op.outputs.empty()) return 0;
  const std::string& wanted = op.outputs[std::min(output, op.outputs.size() - 1)].type;
  for (size_t i = 0; i < context.getNumInputs() && !op.inputs.empty(); ++i)
    if (op.inputs[std::min(i, op.inputs.size() - 1)].type == wanted)
      if (const pb::TypeProto* type = context.getInputType(i); type != nullptr && type->has_tensor_type())
        return type->tensor_type().elem_type();
  std::string only = wanted;
  for (const OperatorDeclaration::Constraint& c : op.constraints)
    if (c.name == wanted) only = c.types.size() == 1 ? c.types[0] : "";
  if (!absl::StartsWith(only, "tensor(")) return 0;
  return pb::Utils::DataTypeUtils::ToTypeProto(pb::Utils::DataTypeUtils::ToType(only))
      .tensor_type()
      .elem_type();
}

void Infer(const OperatorDeclaration& op, pb::InferenceContext& context) {
  const Graph call = CallOf(op, context);
  std::vector<Type> outputs(context.getNumOutputs());
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].element = ElementByConstraint(op, i, context);
  if (absl::Status s = op.infer(call, &outputs); !s.ok()) throw pb::InferenceError(std::string(s.message()));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].element == 0) continue;
    auto* type = context.getOutputType(i)->mutable_tensor_type();
    type->set_elem_type(outputs[i].element);
    if (!outputs[i].has_shape) continue;
    auto* shape = type->mutable_shape();
    shape->clear_dim();
    for (const Dim& d : outputs[i].dims) {
      auto* dim = shape->add_dim();
      if (d.value >= 0) dim->set_dim_value(d.value);
    }
  }
}

absl::Status Bad(const OperatorDeclaration& op, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("operator '", op.domain, ".", op.name, "': ", std::string(what)));
}

absl::Status Check(const OperatorDeclaration& op) {
  if (op.name.empty()) return Bad(op, "it has no name");
  if (op.domain.empty() || op.domain == "ai.onnx" || absl::StartsWith(op.domain, "ai.onnx."))
    return Bad(op, "its domain is ONNX's own");
  if (op.since_version < 1) return Bad(op, absl::StrCat("since_version is ", op.since_version));
  const auto known = [&](const std::string& type) {
    return absl::StrContains(type, '(') || std::any_of(op.constraints.begin(), op.constraints.end(),
                                                       [&](const auto& c) { return c.name == type; });
  };
  for (const auto* formals : {&op.inputs, &op.outputs})
    for (size_t i = 0; i < formals->size(); ++i) {
      const OperatorDeclaration::Formal& f = (*formals)[i];
      if (f.name.empty()) return Bad(op, "an input or output has no name");
      if (!known(f.type))
        return Bad(op, absl::StrCat("'", f.name, "' is of type '", f.type,
                                    "', which is neither a type nor a constraint"));
      if (f.option < 0 || f.option > 2)
        return Bad(op, absl::StrCat("the option of '", f.name, "' is ", f.option));
      if (f.option == 2 && i + 1 != formals->size())
        return Bad(op, absl::StrCat("'", f.name, "' is variadic and not the last"));
    }
  for (const OperatorDeclaration::Attribute& a : op.attributes)
    if (a.name.empty() || a.kind < Attribute::kFloat || a.kind > Attribute::kStrings ||
        a.kind == Attribute::kGraph)
      return Bad(op, absl::StrCat("attribute '", a.name, "' has the kind ", a.kind));
  if (!op.body.empty() && (op.body_opset < 1 || op.body_opset > kNewestOpset))
    return Bad(op, absl::StrCat("its body is of opset ", op.body_opset));
  return absl::OkStatus();
}

// Throws what ONNX throws of a schema that makes no sense.
std::unique_ptr<pb::OpSchema> SchemaOf(std::shared_ptr<const OperatorDeclaration> op) {
  auto schema = std::make_unique<pb::OpSchema>(op->name, op->domain, 0);
  schema->SetDomain(op->domain).SinceVersion(op->since_version).SetDoc(op->text);
  for (size_t i = 0; i < op->inputs.size(); ++i)
    schema->Input(static_cast<int>(i), op->inputs[i].name, "", op->inputs[i].type,
                  static_cast<pb::OpSchema::FormalParameterOption>(op->inputs[i].option));
  for (size_t i = 0; i < op->outputs.size(); ++i)
    schema->Output(static_cast<int>(i), op->outputs[i].name, "", op->outputs[i].type,
                   static_cast<pb::OpSchema::FormalParameterOption>(op->outputs[i].option));
  for (const OperatorDeclaration::Constraint& c : op->constraints)
    schema->TypeConstraint(c.name, c.types, "");
  for (const OperatorDeclaration::Attribute& a : op->attributes)
    schema->Attr(a.name, "", static_cast<pb::AttributeProto::AttributeType>(a.kind), a.required);
  if (op->infer != nullptr)
    schema->TypeAndShapeInferenceFunction([op](pb::InferenceContext& context) { Infer(*op, context); });
  if (!op->body.empty()) {
    pb::FunctionProto body;
    pb::OnnxParser parser(op->body.c_str());
    if (const auto status = parser.Parse(*body.mutable_node()); !status.IsOK())
      throw std::invalid_argument("its body: " + status.ErrorMessage());
    pb::OperatorSetIdProto opset;
    opset.set_version(op->body_opset);
    schema->FunctionBody({body.node().begin(), body.node().end()}, {opset}, op->since_version);
  }
  schema->Finalize();
  return schema;
}

}  // namespace

absl::Status DeclareOperator(OperatorDeclaration declaration) {
  if (absl::Status s = Check(declaration); !s.ok()) return s;
  auto op = std::make_shared<const OperatorDeclaration>(std::move(declaration));
  std::unique_ptr<pb::OpSchema> schema;
  absl::Status made = Guard([&] {
    schema = SchemaOf(op);
    return absl::OkStatus();
  });
  if (!made.ok()) return Bad(*op, made.message());
  Declared& all = All();
  const std::unique_lock lock(all.mutex);
  auto& versions = all.schemas[{op->domain, op->name}];
  if (!versions.emplace(op->since_version, std::move(schema)).second)
    return absl::AlreadyExistsError(absl::StrCat("operator '", op->domain, ".", op->name, "' ",
                                                 op->since_version, " is declared already"));
  return absl::OkStatus();
}

void SetOperatorSource(std::function<void()> declare_all) { All().source = std::move(declare_all); }

namespace loader {

void DeclareOperators() {
  if (All().source != nullptr) All().source();
}

const pb::OpSchema* FindDeclared(const std::string& op, const std::string& domain, int64_t version) {
  Declared& all = All();
  const std::shared_lock lock(all.mutex);
  const auto found = all.schemas.find({domain, op});
  if (found == all.schemas.end()) return nullptr;
  const auto after = found->second.upper_bound(static_cast<int>(std::min<int64_t>(version, INT32_MAX)));
  return after == found->second.begin() ? nullptr : std::prev(after)->second.get();
}

std::vector<std::string> DeclaredIn(const std::string& domain) {
  Declared& all = All();
  const std::shared_lock lock(all.mutex);
  std::vector<std::string> names;
  for (const auto& [key, versions] : all.schemas)
    if (key.first == domain) names.push_back(key.second);
  return names;
}

}  // namespace loader
}  // namespace braid
