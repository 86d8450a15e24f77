// SPDX-License-Identifier: Apache-2.0
#include "conformance/fusion/graphs.h"

#include <algorithm>
#include <stdexcept>

#include "conformance/case/proto.h"
#include "conformance/case/random.h"
#include "onnx/defs/parser.h"
#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "onnx/shape_inference/implementation.h"

namespace braid::conformance {
namespace {

namespace pb = ONNX_NAMESPACE;

constexpr int kCuts = 2;

// T, where it stands by itself before '[' or ' ', becomes the type's name.
std::string WithType(std::string_view text, int32_t type) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool alone = (i == 0 || text[i - 1] == '(' || text[i - 1] == ' ') && i + 1 < text.size() &&
                       (text[i + 1] == '[' || text[i + 1] == ' ');
    if (text[i] == 'T' && alone)
      out += ElementTypeText(type);
    else
      out += text[i];
  }
  return out;
}

pb::ModelProto Parse(const GraphCase& graph, int32_t type) {
  pb::ModelProto model;
  const auto& ranges = pb::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const std::string text = "<ir_version: " + std::to_string(pb::IR_VERSION) +
                           ", opset_import: [\"\" : " + std::to_string(ranges.at("").second) + "]> " +
                           std::string(graph.name) + " " + WithType(graph.text, type);
  pb::OnnxParser parser(text.c_str());
  const auto status = parser.Parse(model);
  if (!status.IsOK()) throw std::runtime_error(std::string(graph.name) + ": " + status.ErrorMessage());
  return model;
}

}  // namespace

std::string GraphVariant::Text() const {
  return kind == kWhole ? "whole" : (kind == kInner ? "inner=" : "cut=") + std::to_string(which);
}

const GraphCase* FindGraphCase(std::string_view name) {
  for (const GraphCase& g : GraphCases())
    if (g.name == name) return &g;
  return nullptr;
}

std::vector<GraphVariant> VariantsOf(const GraphCase& graph) {
  const pb::ModelProto model = Parse(graph, reference::kFloat);
  std::vector<GraphVariant> variants = {{GraphVariant::kWhole, 0}};
  for (int i = 0; i < model.graph().node_size(); ++i) {
    const auto& outputs = model.graph().output();
    const bool is_output = std::any_of(outputs.begin(), outputs.end(), [&](const auto& o) {
      return o.name() == model.graph().node(i).output(0);
    });
    if (!is_output) variants.push_back({GraphVariant::kInner, i});
  }
  for (int i = 0; i < kCuts && model.graph().node_size() > 1; ++i)
    variants.push_back({GraphVariant::kCut, i});
  return variants;
}

BuiltCase Build(const GraphCase& graph, int32_t type, const GraphVariant& variant) {
  pb::ModelProto model = Parse(graph, type);
  pb::GraphProto& g = *model.mutable_graph();
  // The operator does not matter: a domain is where tensors are drawn.
  static const OperatorVersion kNone;
  const Choices none;
  Domain draw(kNone, {}, none, Hash(graph.name), 0);
  BuiltCase built;
  built.runs.resize(1);
  pb::GraphProto kept;
  for (const pb::ValueInfoProto& input : g.input()) {
    Dims dims;
    for (const auto& d : input.type().tensor_type().shape().dim()) dims.push_back(d.dim_value());
    const auto values = graph.values.find(input.name());
    const Tensor tensor = draw.Draw(input.type().tensor_type().elem_type(), dims,
                                    values == graph.values.end() ? Spread(2) : values->second);
    if (!input.name().starts_with("w_")) {
      *kept.add_input() = input;
      built.runs[0].push_back({input.name(), Value(tensor)});
      continue;
    }
    pb::TensorProto* t = g.add_initializer();
    t->set_name(input.name());
    SetTensor(tensor, t);
  }
  *g.mutable_input() = kept.input();
  if (variant.kind == GraphVariant::kInner) {
    const std::string& name = g.node(variant.which).output(0);
    pb::ModelProto inferred = model;
    pb::shape_inference::InferShapes(inferred);
    for (const auto& info : inferred.graph().value_info())
      if (info.name() == name) *g.add_output() = info;
  }
  for (const auto& output : g.output()) built.outputs.push_back(output.name());
  if (variant.kind == GraphVariant::kCut) built.placement = "random:" + std::to_string(variant.which);
  built.model = model.SerializeAsString();
  return built;
}

}  // namespace braid::conformance
