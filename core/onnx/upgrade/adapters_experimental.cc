// SPDX-License-Identifier: Apache-2.0
//
// The experimental operators of ONNX 1.0 to 1.4: never in an opset, written by converters of that time (Core
// ML's, WinML's, Caffe2's) and removed in ONNX 1.5 without a word of what takes their place. Their meaning is
// that of docs/Operators.md of ONNX 1.4.
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/upgrade/adapters.h"

namespace braid::loader {
namespace {

absl::Status Refuse(std::string cause) { return absl::InvalidArgumentError(std::move(cause)); }

// A float as a scalar of the data's type.
std::string Scalar(Rewriter& r, float value) {
  const std::string name = r.AddFloats({value}, true);
  return r.Element(r.input(0)) == pb::TensorProto::FLOAT ? name : r.Before("CastLike", {name, r.input(0)});
}

std::vector<float> Floats(Rewriter& r, std::string_view name) {
  const auto* a = r.attribute(name);
  return a == nullptr ? std::vector<float>() : std::vector<float>(a->floats().begin(), a->floats().end());
}

// alpha x + beta
absl::Status Affine(Rewriter& r) {
  const float beta = r.Float("beta", 0);
  const std::string x = r.input(0);
  r.Become("Add", {r.Before("Mul", {x, Scalar(r, r.Float("alpha", 1))}), Scalar(r, beta)});
  return absl::OkStatus();
}

// scale x
absl::Status Scale(Rewriter& r) {
  r.Become("Mul", {r.input(0), Scalar(r, r.Float("scale", 1))});
  return absl::OkStatus();
}

// alpha tanh(beta x)
absl::Status ScaledTanh(Rewriter& r) {
  const std::string inner = r.Before("Mul", {r.input(0), Scalar(r, r.Float("beta", 1))});
  const std::string alpha = Scalar(r, r.Float("alpha", 1));
  r.Become("Mul", {r.Before("Tanh", {inner}), alpha});
  return absl::OkStatus();
}

// alpha ln(1 + exp(beta x))
absl::Status ParametricSoftplus(Rewriter& r) {
  const std::string inner = r.Before("Mul", {r.input(0), Scalar(r, r.Float("beta", 1))});
  const std::string alpha = Scalar(r, r.Float("alpha", 1));
  r.Become("Mul", {r.Before("Softplus", {inner}), alpha});
  return absl::OkStatus();
}

// scale x + bias, with one bias a channel of NCHW
absl::Status ImageScaler(Rewriter& r) {
  const std::string scaled = r.Before("Mul", {r.input(0), Scalar(r, r.Float("scale", 1))});
  if (r.attribute("bias") == nullptr) return Refuse("it has no bias");
  std::string bias = r.AddFloats(Floats(r, "bias"));
  if (r.Element(r.input(0)) != pb::TensorProto::FLOAT) bias = r.Before("CastLike", {bias, r.input(0)});
  const std::string column = r.Before("Unsqueeze", {bias, r.AddInts({0, 2, 3})});
  r.Become("Add", {scaled, column});
  return absl::OkStatus();
}

// Of NCHW: the border (left, top, right, bottom) is cut off; with `scale` (height, width) what remains from
// its left top corner on.
absl::Status Crop(Rewriter& r) {
  const std::vector<int64_t> border = r.Ints("border"), scale = r.Ints("scale");
  if (border.size() != 4) return Refuse(absl::StrCat("its border has ", border.size(), " numbers, not 4"));
  if (!scale.empty() && scale.size() != 2)
    return Refuse(absl::StrCat("its scale has ", scale.size(), " numbers, not 2"));
  for (const auto& numbers : {border, scale})
    for (const int64_t v : numbers)
      if (v < 0 || v > (int64_t{1} << 40)) return Refuse(absl::StrCat("it crops by ", v));
  // No end means: to the last. Counted from the end, -0 cannot be said.
  const auto end = [&](int64_t cut) { return cut == 0 ? INT64_MAX : -cut; };
  const std::vector<int64_t> starts = {border[1], border[0]};
  const std::vector<int64_t> ends = scale.empty()
                                        ? std::vector<int64_t>{end(border[3]), end(border[2])}
                                        : std::vector<int64_t>{starts[0] + scale[0], starts[1] + scale[1]};
  const std::string x = r.input(0);
  r.Become("Slice", {x, r.AddInts(starts), r.AddInts(ends), r.AddInts({2, 3})});
  return absl::OkStatus();
}

// Slice, as it is since opset 10.
absl::Status DynamicSlice(Rewriter& r) {
  std::vector<std::string> inputs;
  for (int i = 0; i < r.inputs(); ++i) inputs.push_back(r.input(i));
  r.Become("Slice", inputs);
  return absl::OkStatus();
}

// The shape that ConstantFill and GivenTensorFill give their output.
absl::Status FilledShape(Rewriter& r, std::string* shape) {
  const std::vector<int64_t> extra = r.Ints("extra_shape");
  if (r.input(0).empty()) {
    if (!extra.empty()) return Refuse("it has extra_shape, but no input");
    *shape = r.AddInts(r.Ints("shape"));
    return absl::OkStatus();
  }
  if (r.attribute("shape") != nullptr) return Refuse("it has a shape and an input");
  std::string given = r.input(0);
  given = r.Int("input_as_shape", 0) != 0 ? r.Before("Cast", {given}) : r.Before("Shape", {given});
  if (auto& node = r.before.back(); node.op_type() == "Cast") {
    auto* to = node.add_attribute();
    to->set_name("to");
    to->set_type(pb::AttributeProto::INT);
    to->set_i(pb::TensorProto::INT64);
  }
  if (!extra.empty()) {
    pb::NodeProto* concat = nullptr;
    given = r.Before("Concat", {given, r.AddInts(extra)}, &concat);
    auto* axis = concat->add_attribute();
    axis->set_name("axis");
    axis->set_type(pb::AttributeProto::INT);
    axis->set_i(0);
  }
  *shape = given;
  return absl::OkStatus();
}

absl::Status ConstantFill(Rewriter& r) {
  const float value = r.Float("value", 0);
  int64_t type = r.Int("dtype", pb::TensorProto::FLOAT);
  if (const auto* a = r.attribute("dtype"); a != nullptr && a->type() == pb::AttributeProto::STRING) {
    pb::TensorProto_DataType named = pb::TensorProto::UNDEFINED;
    if (!pb::TensorProto_DataType_Parse(a->s(), &named))
      return Refuse(absl::StrCat("its dtype is '", a->s(), "'"));
    type = named;
  }
  std::string shape;
  if (absl::Status s = FilledShape(r, &shape); !s.ok()) return s;
  const std::string filled = r.Before("Expand", {r.AddFloats({value}, true), shape});
  r.Become("Cast", {filled});
  r.SetInt("to", type);
  return absl::OkStatus();
}

absl::Status GivenTensorFill(Rewriter& r) {
  const std::string values = r.AddFloats(Floats(r, "values"));
  std::string shape;
  if (absl::Status s = FilledShape(r, &shape); !s.ok()) return s;
  r.Become("Reshape", {values, shape});
  r.SetInt("allowzero", 1);
  return absl::OkStatus();
}

// Before opset 9: over N, H and W, or C too; the variance may stay as it is.
absl::Status MeanVarianceNormalization(Rewriter& r) {
  const bool variance = r.Int("normalize_variance", 1) != 0;
  std::vector<int64_t> axes = {0, 2, 3};
  if (r.Int("across_channels", 0) != 0) axes = {0, 1, 2, 3};
  const std::string x = r.input(0);
  if (!variance) {
    r.Become("Sub", {x, r.Before("ReduceMean", {x, r.AddInts(axes)})});
    return absl::OkStatus();
  }
  r.Become("MeanVarianceNormalization", {x});
  r.SetInts("axes", axes);
  return absl::OkStatus();
}

// As it is since opset 10.
absl::Status ThresholdedRelu(Rewriter& r) {
  r.finished = true;
  return absl::OkStatus();
}

}  // namespace

Adapter FindExperimental(const std::string& op) {
  static const auto& table = *new std::map<std::string, Adapter>{
      {"Affine", Affine},
      {"ConstantFill", ConstantFill},
      {"Crop", Crop},
      {"DynamicSlice", DynamicSlice},
      {"GivenTensorFill", GivenTensorFill},
      {"ImageScaler", ImageScaler},
      {"MeanVarianceNormalization", MeanVarianceNormalization},
      {"ParametricSoftplus", ParametricSoftplus},
      {"Scale", Scale},
      {"ScaledTanh", ScaledTanh},
      {"ThresholdedRelu", ThresholdedRelu},
  };
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace braid::loader
