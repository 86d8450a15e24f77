// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "core/onnx/upgrade/adapters.h"

namespace braid::loader {
namespace {

template <typename T, typename Typed>
std::vector<T> Elements(const pb::TensorProto& tensor, const Typed& typed) {
  if (!tensor.has_raw_data()) return std::vector<T>(typed.begin(), typed.end());
  std::vector<T> out(tensor.raw_data().size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.raw_data().data(), out.size() * sizeof(T));
  return out;
}

pb::NodeProto NewNode(const std::string& op, const std::vector<std::string>& inputs,
                      const std::string& output) {
  pb::NodeProto node;
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

}  // namespace

void Rewriter::SetInput(int i, const std::string& name) {
  while (node_.input_size() <= i) node_.add_input("");
  node_.set_input(i, name);
}

const pb::AttributeProto* Rewriter::attribute(std::string_view name) const {
  for (const auto& a : node_.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}

int64_t Rewriter::Int(std::string_view name, int64_t otherwise) const {
  const auto* a = attribute(name);
  return a == nullptr ? otherwise : a->i();
}

float Rewriter::Float(std::string_view name, float otherwise) const {
  const auto* a = attribute(name);
  return a == nullptr ? otherwise : a->f();
}

std::string Rewriter::String(std::string_view name, const std::string& otherwise) const {
  const auto* a = attribute(name);
  return a == nullptr ? otherwise : a->s();
}

std::vector<int64_t> Rewriter::Ints(std::string_view name) const {
  const auto* a = attribute(name);
  return a == nullptr ? std::vector<int64_t>() : std::vector<int64_t>(a->ints().begin(), a->ints().end());
}

void Rewriter::Remove(std::string_view name) {
  for (int i = node_.attribute_size(); i-- > 0;)
    if (node_.attribute(i).name() == name) node_.mutable_attribute()->DeleteSubrange(i, 1);
}

void Rewriter::Rename(std::string_view name, const std::string& to) {
  for (auto& a : *node_.mutable_attribute())
    if (a.name() == name) a.set_name(to);
}

void Rewriter::SetInts(std::string_view name, absl::Span<const int64_t> values) {
  Remove(name);
  auto* a = node_.add_attribute();
  a->set_name(std::string(name));
  a->set_type(pb::AttributeProto::INTS);
  for (const int64_t v : values) a->add_ints(v);
}

void Rewriter::SetInt(std::string_view name, int64_t value) {
  Remove(name);
  auto* a = node_.add_attribute();
  a->set_name(std::string(name));
  a->set_type(pb::AttributeProto::INT);
  a->set_i(value);
}

void Rewriter::SetString(std::string_view name, const std::string& value) {
  Remove(name);
  auto* a = node_.add_attribute();
  a->set_name(std::string(name));
  a->set_type(pb::AttributeProto::STRING);
  a->set_s(value);
}

int64_t Rewriter::Rank(const std::string& value) const {
  const pb::TypeProto* type = around_.type(value);
  return type != nullptr && type->has_tensor_type() && type->tensor_type().has_shape()
             ? type->tensor_type().shape().dim_size()
             : -1;
}

int32_t Rewriter::Element(const std::string& value) const {
  const pb::TypeProto* type = around_.type(value);
  return type != nullptr && type->has_tensor_type() ? type->tensor_type().elem_type() : 0;
}

bool Rewriter::Uses(const pb::GraphProto& graph, const std::string& value) {
  const auto reads = [&](const pb::NodeProto& node) {
    return std::find(node.input().begin(), node.input().end(), value) != node.input().end() ||
           std::any_of(node.attribute().begin(), node.attribute().end(),
                       [&](const pb::AttributeProto& a) { return a.has_g() && Uses(a.g(), value); });
  };
  return std::any_of(graph.output().begin(), graph.output().end(),
                     [&](const pb::ValueInfoProto& v) { return v.name() == value; }) ||
         std::any_of(graph.node().begin(), graph.node().end(), reads);
}

std::vector<int64_t> Rewriter::Dims(const std::string& value) const {
  std::vector<int64_t> dims;
  if (Rank(value) < 0) return dims;
  for (const auto& d : around_.type(value)->tensor_type().shape().dim())
    dims.push_back(d.has_dim_value() ? d.dim_value() : -1);
  return dims;
}

bool Rewriter::ConstantInts(const std::string& value, std::vector<int64_t>* out) const {
  const pb::TensorProto* tensor = around_.constant(value);
  if (tensor == nullptr) return false;
  if (tensor->data_type() == pb::TensorProto::INT64) {
    *out = Elements<int64_t>(*tensor, tensor->int64_data());
  } else if (tensor->data_type() == pb::TensorProto::INT32) {
    const std::vector<int32_t> narrow = Elements<int32_t>(*tensor, tensor->int32_data());
    out->assign(narrow.begin(), narrow.end());
  } else {
    return false;
  }
  return true;
}

bool Rewriter::ConstantFloats(const std::string& value, std::vector<float>* out) const {
  const pb::TensorProto* tensor = around_.constant(value);
  if (tensor == nullptr || tensor->data_type() != pb::TensorProto::FLOAT) return false;
  *out = Elements<float>(*tensor, tensor->float_data());
  return true;
}

bool Rewriter::IsEmpty(const std::string& value) const {
  const pb::TensorProto* tensor = around_.constant(value);
  if (tensor == nullptr) return false;
  for (const int64_t d : tensor->dims())
    if (d == 0) return true;
  return false;
}

std::string Rewriter::AddInts(absl::Span<const int64_t> values, bool scalar) {
  auto* tensor = graph_.add_initializer();
  tensor->set_name(Fresh());
  tensor->set_data_type(pb::TensorProto::INT64);
  if (!scalar) tensor->add_dims(static_cast<int64_t>(values.size()));
  for (const int64_t v : values) tensor->add_int64_data(v);
  return tensor->name();
}

std::string Rewriter::AddFloats(absl::Span<const float> values, bool scalar) {
  auto* tensor = graph_.add_initializer();
  tensor->set_name(Fresh());
  tensor->set_data_type(pb::TensorProto::FLOAT);
  if (!scalar) tensor->add_dims(static_cast<int64_t>(values.size()));
  for (const float v : values) tensor->add_float_data(v);
  return tensor->name();
}

std::string Rewriter::Before(const std::string& op, const std::vector<std::string>& inputs,
                             pb::NodeProto** made) {
  before.push_back(NewNode(op, inputs, Fresh()));
  if (made != nullptr) *made = &before.back();
  return before.back().output(0);
}

std::string Rewriter::Cast(const std::string& value, int32_t element) {
  pb::NodeProto* cast = nullptr;
  const std::string out = Before("Cast", {value}, &cast);
  auto* to = cast->add_attribute();
  to->set_name("to");
  to->set_type(pb::AttributeProto::INT);
  to->set_i(element);
  return out;
}

std::string Rewriter::After(const std::string& op, const std::vector<std::string>& inputs,
                            const std::string& output) {
  after.push_back(NewNode(op, inputs, output));
  return output;
}

void Rewriter::Become(const std::string& op, const std::vector<std::string>& inputs) {
  node_.set_op_type(op);
  node_.clear_attribute();
  node_.clear_input();
  for (const std::string& input : inputs) node_.add_input(input);
  finished = true;
}

Adapter FindAdapter(const std::string& domain, const std::string& op, int version) {
  using Key = std::tuple<std::string, std::string, int>;
  static const auto& table = *[] {
    auto* map = new std::map<Key, Adapter>();
    for (const auto& part : {EarlyAdapters(), ResizeAdapters(), LaterAdapters()})
      for (const AdapterEntry& entry : part) map->emplace(Key("", entry.op, entry.version), entry.adapter);
    for (const AdapterEntry& entry : MlAdapters())
      map->emplace(Key("ai.onnx.ml", entry.op, entry.version), entry.adapter);
    return map;
  }();
  const auto found = table.find(Key(domain, op, version));
  return found == table.end() ? nullptr : found->second;
}

}  // namespace braid::loader
