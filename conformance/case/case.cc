// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/case.h"

#include <algorithm>
#include <cstdlib>

#include "conformance/case/proto.h"
#include "conformance/case/random.h"
#include "onnx/defs/parser.h"
#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "onnx/shape_inference/implementation.h"

namespace braid::conformance {

void SetTensor(const Tensor& tensor, ONNX_NAMESPACE::TensorProto* out) {
  out->set_data_type(tensor.type());
  for (const int64_t d : tensor.dims()) out->add_dims(d);
  if (tensor.type() == reference::kString) {
    for (int64_t i = 0; i < tensor.size(); ++i) out->add_string_data(tensor.data<std::string>()[i]);
    return;
  }
  std::string bytes(tensor.WireBytes(), 0);
  tensor.ToWire(bytes.data());
  out->set_raw_data(std::move(bytes));
}

namespace {

namespace pb = ONNX_NAMESPACE;

// `shaped`: with the extents of what an optional holds.
void SetType(const Value& value, bool shaped, pb::TypeProto* type) {
  switch (value.kind) {
    case GRAPH_SEQUENCE:
      if (!value.items.empty())
        SetType(value.items[0], shaped, type->mutable_sequence_type()->mutable_elem_type());
      else
        type->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(value.type);
      // Its tensors may have different shapes.
      if (type->sequence_type().elem_type().has_tensor_type())
        type->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->clear_shape();
      break;
    case GRAPH_OPTIONAL:
      if (!value.items.empty())
        SetType(value.items[0], shaped, type->mutable_optional_type()->mutable_elem_type());
      else
        type->mutable_optional_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(value.type);
      if (!shaped && type->optional_type().elem_type().has_tensor_type())
        type->mutable_optional_type()->mutable_elem_type()->mutable_tensor_type()->clear_shape();
      break;
    case GRAPH_MAP:
      type->mutable_map_type()->set_key_type(value.items[0].tensor.type());
      type->mutable_map_type()->mutable_value_type()->mutable_tensor_type()->set_elem_type(
          value.items[1].tensor.type());
      break;
    default: {
      auto* tensor = type->mutable_tensor_type();
      tensor->set_elem_type(value.tensor.type());
      tensor->mutable_shape();
      for (const int64_t d : value.tensor.dims()) tensor->mutable_shape()->add_dim()->set_dim_value(d);
    }
  }
}

struct AttributeSetter {
  pb::AttributeProto* a;
  void operator()(int64_t v) const {
    a->set_type(pb::AttributeProto::INT);
    a->set_i(v);
  }
  void operator()(float v) const {
    a->set_type(pb::AttributeProto::FLOAT);
    a->set_f(v);
  }
  void operator()(const std::string& v) const {
    a->set_type(pb::AttributeProto::STRING);
    a->set_s(v);
  }
  void operator()(const std::vector<int64_t>& v) const {
    a->set_type(pb::AttributeProto::INTS);
    for (const int64_t i : v) a->add_ints(i);
  }
  void operator()(const std::vector<float>& v) const {
    a->set_type(pb::AttributeProto::FLOATS);
    for (const float f : v) a->add_floats(f);
  }
  void operator()(const std::vector<std::string>& v) const {
    a->set_type(pb::AttributeProto::STRINGS);
    for (const std::string& s : v) a->add_strings(s);
  }
  void operator()(const Tensor& v) const {
    a->set_type(pb::AttributeProto::TENSOR);
    SetTensor(v, a->mutable_t());
  }
  void operator()(const TypeValue& v) const {
    a->set_type(pb::AttributeProto::TYPE_PROTO);
    pb::TypeProto* type = a->mutable_tp();
    if (v.is_sequence) type = type->mutable_sequence_type()->mutable_elem_type();
    type->mutable_tensor_type()->set_elem_type(v.element);
  }
  void operator()(const Sparse& v) const {
    a->set_type(pb::AttributeProto::SPARSE_TENSOR);
    SetTensor(v.values, a->mutable_sparse_tensor()->mutable_values());
    pb::TensorProto* indices = a->mutable_sparse_tensor()->mutable_indices();
    indices->set_data_type(pb::TensorProto::INT64);
    for (const int64_t extent : v.index_dims) indices->add_dims(extent);
    for (const int64_t index : v.indices) indices->add_int64_data(index);
    for (const int64_t extent : v.dims) a->mutable_sparse_tensor()->add_dims(extent);
  }
  void operator()(const GraphText& v) const {
    a->set_type(pb::AttributeProto::GRAPH);
    pb::OnnxParser parser(v.text.c_str());
    const auto status = parser.Parse(*a->mutable_g());
    if (!status.IsOK()) throw std::runtime_error("a domain's graph cannot be read: " + status.ErrorMessage());
  }
};

int NewestOpset(const std::string& domain) {
  const auto& ranges = pb::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto at = ranges.find(domain);
  return at == ranges.end() ? 1 : at->second.second;
}

// The opset of ai.onnx that goes with a version of another domain: the newest.
void SetImports(const OperatorVersion& op, pb::ModelProto* model) {
  auto* own = model->add_opset_import();
  own->set_domain(op.domain);
  own->set_version(op.since);
  if (op.domain.empty()) return;
  auto* onnx = model->add_opset_import();
  onnx->set_domain("");
  onnx->set_version(NewestOpset(""));
}

// Types of the node's outputs: what the type variables stand for, else what ONNX infers.
void SetOutputs(const OperatorVersion& op, const std::map<std::string, int32_t>& types,
                pb::ModelProto* model) {
  pb::GraphProto& g = *model->mutable_graph();
  pb::ModelProto inferred;
  bool asked = false;
  for (int i = 0; i < g.node(0).output_size(); ++i) {
    const std::string& name = g.node(0).output(i);
    if (name.empty()) continue;
    auto* output = g.add_output();
    output->set_name(name);
    const Formal& formal = op.outputs[std::min(static_cast<size_t>(i), op.outputs.size() - 1)];
    const auto bound = types.find(formal.type);
    const bool is_input_type = std::any_of(op.inputs.begin(), op.inputs.end(),
                                           [&](const Formal& f) { return f.type == formal.type; });
    const int32_t element = bound != types.end() && is_input_type && formal.types.size() > 0 &&
                                    formal.types[0].starts_with("tensor(")
                                ? bound->second
                                : ElementTypeOf(formal.type);
    if (element != 0) {
      output->mutable_type()->mutable_tensor_type()->set_elem_type(element);
      continue;
    }
    if (!asked) {
      asked = true;
      inferred = *model;
      inferred.mutable_graph()->clear_output();
      try {
        pb::shape_inference::InferShapes(inferred);
      } catch (const std::exception&) {
      }
    }
    for (const auto& info : inferred.graph().value_info())
      if (info.name() == name) *output->mutable_type() = info.type();
    if (output->type().has_tensor_type()) output->mutable_type()->mutable_tensor_type()->clear_shape();
    if (!output->has_type())
      output->mutable_type()->mutable_tensor_type()->set_elem_type(bound != types.end() ? bound->second : 1);
  }
}

}  // namespace

std::map<std::string, int32_t> PlainTypes(const OperatorVersion& op) {
  std::map<std::string, int32_t> types;
  for (const auto& [variable, allowed] : op.variables) {
    int32_t first = 0;
    bool has_float = false, has_int64 = false;
    for (const std::string& t : allowed) {
      const int32_t element = ElementTypeOf(t);
      if (element == 0) continue;
      if (first == 0) first = element;
      has_float |= element == reference::kFloat;
      has_int64 |= element == reference::kInt64;
    }
    types[variable] = has_float ? int32_t{reference::kFloat} : has_int64 ? int32_t{reference::kInt64} : first;
  }
  return types;
}

std::string IdOf(const OperatorVersion& op, const std::map<std::string, int32_t>& types,
                 const Choices& choices) {
  std::string id =
      (op.domain.empty() ? "ai.onnx" : op.domain) + "/" + op.name + "-" + std::to_string(op.since);
  std::string rest;
  const auto plain = PlainTypes(op);
  for (const auto& [variable, type] : types)
    if (const auto at = plain.find(variable); at == plain.end() || at->second != type)
      rest += (rest.empty() ? "" : ",") + variable + "=" + ElementTypeText(type);
  for (const auto& [name, option] : choices) rest += (rest.empty() ? "" : ",") + name + "=" + option;
  return id + "/" + (rest.empty() ? "plain" : rest);
}

BuiltCase Build(const Case& c) {
  const OperatorVersion& op = *c.op;
  const DomainEntry* entry = FindDomain(op.domain, op.name);
  if (entry == nullptr) throw Rejected{op.Label() + " has no domain"};
  const auto circumstance = [&](const char* name, const char* plain) {
    const auto at = c.choices.find(name);
    return at == c.choices.end() ? std::string(plain) : at->second;
  };
  const std::string inputs = circumstance("~inputs", "plain");
  const bool symbols = circumstance("~dims", "static") == "symbols";
  const int64_t number = std::atoll(circumstance("~fuzz", "0").c_str());
  if (number < 0 || number > kMostFuzz)
    throw Rejected{"~fuzz is a number up to " + std::to_string(kMostFuzz)};
  const int fuzz = static_cast<int>(number);

  std::vector<Domain> made;
  for (int run = 0; run < (symbols ? 2 : 1); ++run) {
    made.emplace_back(op, c.types, c.choices, Hash(c.id), 2 * fuzz + run);
    entry->make(made.back());
  }
  Domain& d = made[0];
  if (symbols && (!made[1].grown() || made[1].inputs().size() != d.inputs().size()))
    throw Rejected{"no extent is a symbol"};
  // What makes one model serve both runs.
  if (symbols && (made[1].attributes().size() != d.attributes().size() || made[1].outputs() != d.outputs()))
    throw Rejected{"the runs differ in more than shapes"};

  pb::ModelProto model;
  model.set_ir_version(pb::IR_VERSION);
  SetImports(op, &model);
  pb::GraphProto& g = *model.mutable_graph();
  g.set_name("case");
  pb::NodeProto& node = *g.add_node();
  node.set_op_type(op.name);
  node.set_domain(op.domain);
  node.set_name("node");
  for (const auto& [name, value] : d.attributes()) {
    auto* a = node.add_attribute();
    a->set_name(name);
    std::visit(AttributeSetter{a}, value);
  }
  if (symbols) {
    pb::NodeProto other;
    for (const auto& [name, value] : made[1].attributes()) {
      auto* a = other.add_attribute();
      a->set_name(name);
      std::visit(AttributeSetter{a}, value);
    }
    for (int i = 0; i < other.attribute_size(); ++i)
      if (other.attribute(i).SerializeAsString() != node.attribute(i).SerializeAsString())
        throw Rejected{"the runs differ in attribute '" + other.attribute(i).name() + "'"};
  }
  BuiltCase built;
  built.runs.resize(made.size());
  size_t last = d.inputs().size();
  while (last > 0 && !d.inputs()[last - 1].present) --last;
  bool first_data = true;
  for (size_t i = 0; i < last; ++i) {
    const Domain::Input& input = d.inputs()[i];
    if (!input.present) {
      node.add_input("");
      continue;
    }
    const std::string name = "x" + std::to_string(i);
    node.add_input(name);
    const bool tensor = input.value.kind == GRAPH_TENSOR;
    bool constant = tensor && (inputs == "plain" ? input.is_shape : inputs == "constant" && !first_data);
    if (!input.is_shape) first_data = false;
    if (constant && symbols) {
      // A constant is the same in both runs.
      const Tensor &one = input.value.tensor, &two = made[1].inputs()[i].value.tensor;
      std::vector<char> a(one.WireBytes()), b(two.WireBytes());
      one.ToWire(a.data());
      two.ToWire(b.data());
      if (one.dims() != two.dims() || (a != b && !input.is_shape)) constant = false;
      if (constant && a != b) constant = false;
    }
    if (constant) {
      SetTensor(input.value.tensor, g.add_initializer());
      g.mutable_initializer(g.initializer_size() - 1)->set_name(name);
      continue;
    }
    auto* info = g.add_input();
    info->set_name(name);
    SetType(input.value, !symbols, info->mutable_type());
    for (size_t run = 0; run < made.size(); ++run)
      built.runs[run].push_back({name, made[run].inputs()[i].value});
    if (symbols && tensor) {
      const Dims &one = input.value.tensor.dims(), &two = made[1].inputs()[i].value.tensor.dims();
      if (one.size() != two.size()) throw Rejected{"the runs differ in a rank"};
      for (size_t k = 0; k < one.size(); ++k)
        if (one[k] != two[k])
          info->mutable_type()
              ->mutable_tensor_type()
              ->mutable_shape()
              ->mutable_dim(static_cast<int>(k))
              ->set_dim_param("n" + std::to_string(one[k]) + "_" + std::to_string(two[k]));
    }
  }
  std::vector<bool> wanted;
  if (d.outputs().has_value()) {
    wanted = *d.outputs();
  } else {
    for (const Formal& f : op.outputs)
      if (f.option != Formal::kOptional) wanted.push_back(true);
    if (wanted.empty() && !op.outputs.empty()) wanted.push_back(true);
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    node.add_output(wanted[i] ? "y" + std::to_string(i) : "");
    if (wanted[i]) built.outputs.push_back("y" + std::to_string(i));
  }
  SetOutputs(op, c.types, &model);
  built.model = model.SerializeAsString();
  return built;
}

}  // namespace braid::conformance
