// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/profile.h"

#include <algorithm>

namespace braid::conformance {
namespace {

// clang-format off
// What exporters of classifiers, detectors, segmenters and their quantized forms write.
constexpr std::string_view kVision[] = {
    "Abs", "Add", "And", "ArgMax", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat",
    "Constant", "ConstantOfShape", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "DepthToSpace",
    "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear", "Elu", "Equal", "Exp", "Expand",
    "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool",
    "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization", "HardSigmoid",
    "HardSwish", "Identity", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Min", "Mish", "Mul", "Neg", "NonMaxSuppression",
    "Not", "Or", "PRelu", "Pad", "Pow", "QLinearConv", "QuantizeLinear", "Range", "Reciprocal", "ReduceL2",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "RoiAlign",
    "ScatterND", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt",
    "Squeeze", "Sub", "Sum", "Swish", "Tanh", "Tile", "TopK", "Transpose", "Unsqueeze", "Where",
};

// What encoders and decoders of text, speech and images are made of.
constexpr std::string_view kTransformer[] = {
    "Abs", "Add", "And", "ArgMax", "Attention", "Cast", "CastLike", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Cos", "CumSum", "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear",
    "Einsum", "Equal", "Erf", "Exp", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Gelu",
    "Gemm", "Greater", "GreaterOrEqual", "Identity", "LayerNormalization", "Less", "LessOrEqual", "Log",
    "LogSoftmax", "MatMul", "MatMulInteger", "Max", "Min", "Mod", "Mul", "Neg", "Not", "OneHot", "Or",
    "Pad", "Pow", "QLinearMatMul", "QuantizeLinear", "RMSNormalization", "Range", "Reciprocal", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "RotaryEmbedding", "ScatterElements",
    "ScatterND", "Shape", "Sigmoid", "Sin", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Swish",
    "Tanh", "TensorScatter", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where",
};
// clang-format on

constexpr Profile kProfiles[] = {{"all", {}}, {"vision", kVision}, {"transformer", kTransformer}};

}  // namespace

bool Profile::Has(std::string_view domain, std::string_view op) const {
  return operators.empty() ||
         (domain.empty() && std::find(operators.begin(), operators.end(), op) != operators.end());
}

std::span<const Profile> Profiles() { return kProfiles; }

const Profile* FindProfile(std::string_view name) {
  for (const Profile& profile : kProfiles)
    if (profile.name == name) return &profile;
  return nullptr;
}

}  // namespace braid::conformance
