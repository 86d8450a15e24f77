// SPDX-License-Identifier: Apache-2.0
#include "conformance/oracle/rules.h"

#include <unordered_map>

namespace braid::conformance {
namespace {

Rule Exact() { return {.kind = Rule::kExact}; }
Rule Pointwise(double ulps, double absolute = 0) {
  return {.kind = Rule::kPointwise, .ulps = ulps, .absolute = absolute};
}
Rule Dot(std::vector<uint32_t> linear, Rule::Terms terms = Rule::kOfOnes) {
  return {.kind = Rule::kDot, .ulps = 1, .linear = std::move(linear), .terms = terms};
}
Rule Magnitude(double ulps, std::vector<uint32_t> negated = {}) {
  return {.kind = Rule::kMagnitude, .ulps = ulps, .negated = std::move(negated)};
}
Rule Code() { return {.kind = Rule::kCode}; }
Rule Body() { return {.kind = Rule::kBody}; }
Rule Sampled(double factor, std::vector<uint32_t> keep = {}) {
  return {.kind = Rule::kSampled, .factor = factor, .keep = std::move(keep)};
}
Rule Summing(Rule::LongSum terms, Rule::Scale scale) {
  return {.kind = Rule::kSampled, .long_sum = terms, .scale = scale};
}
Rule Places(double factor, std::vector<uint32_t> places) {
  return {.kind = Rule::kSampled, .factor = factor, .places = std::move(places)};
}

// Units in the last place: those of OpenCL's full profile where it has the function.
const std::unordered_map<std::string_view, Rule>& Rules() {
  static const auto* const kRules = new std::unordered_map<std::string_view, Rule>{
      // One rounding, or an approximation of one.
      {"Add", Pointwise(0.5)},
      {"Sub", Pointwise(0.5)},
      {"Mul", Pointwise(0.5)},
      {"Div", Pointwise(2.5)},
      {"Sqrt", Pointwise(3)},
      {"Reciprocal", Pointwise(2.5)},
      {"Mod", Pointwise(1)},
      {"PRelu", Pointwise(0.5)},
      {"LeakyRelu", Pointwise(1)},
      {"ThresholdedRelu", Exact()},
      {"Relu", Exact()},
      {"Neg", Exact()},
      {"Abs", Exact()},
      {"Sign", Exact()},
      {"Floor", Exact()},
      {"Ceil", Exact()},
      {"Round", Exact()},
      {"Min", Exact()},
      {"Max", Exact()},
      {"Clip", Exact()},
      {"Where", Exact()},
      // Functions.
      {"Exp", Pointwise(3)},
      {"Log", Pointwise(3)},
      {"Sin", Pointwise(4)},
      {"Cos", Pointwise(4)},
      {"Tan", Pointwise(5)},
      {"Asin", Pointwise(4)},
      {"Acos", Pointwise(4)},
      {"Atan", Pointwise(5)},
      {"Sinh", Pointwise(4)},
      {"Cosh", Pointwise(4)},
      {"Tanh", Pointwise(5)},
      {"Asinh", Pointwise(4)},
      {"Acosh", Pointwise(4)},
      {"Atanh", Pointwise(5)},
      {"Erf", Pointwise(16)},
      {"Pow", Pointwise(16)},
      {"Sigmoid", Pointwise(5)},
      {"Softsign", Body()},
      {"Softplus", Magnitude(8)},
      {"Elu", Pointwise(8, 8)},
      {"Celu", Pointwise(8, 8)},
      {"Selu", Pointwise(8, 8)},
      {"HardSigmoid", Magnitude(2)},
      {"HardSwish", Magnitude(4)},  // its body has 1/6 as a float, the text as a number
      {"Gelu", Magnitude(8)},       // its body has the square root of 2 over pi as a float
      {"Mish", Body()},
      {"Swish", Body()},
      {"SwiGLU", Body()},
      {"Shrink", Magnitude(1)},
      // Sums of products.
      {"MatMul", Dot({0, 1})},
      {"Gemm", Dot({0, 1})},
      {"Einsum", Sampled(24)},
      {"Conv", Dot({0, 1})},
      {"ConvTranspose", Dot({0, 1})},
      {"DeformConv", Places(24, {2})},  // offsets are no factors
      {"Sum", Magnitude(2)},            // of up to five inputs, each step rounded
      {"Mean", Magnitude(3)},
      {"ReduceSum", Dot({0})},
      {"ReduceMean", Dot({0}, Rule::kInputsPerOutput)},
      {"ReduceL1", Body()},
      {"ReduceL2", Body()},
      {"ReduceSumSquare", Body()},
      {"ReduceLogSum", Body()},
      {"ReduceLogSumExp", Summing(Rule::kOfElementsPerOutput, Rule::kOfOne)},
      {"GlobalLpPool", Summing(Rule::kOfElementsPerOutput, Rule::kOfValue)},
      {"Softmax", Summing(Rule::kOfExtent, Rule::kOfValue)},
      {"LogSoftmax", Summing(Rule::kOfExtent, Rule::kOfOne)},
      {"SoftmaxCrossEntropyLoss", Summing(Rule::kOfElements, Rule::kOfOne)},
      {"Attention", Summing(Rule::kOfExtent, Rule::kOfValue)},
      {"LinearAttention", Summing(Rule::kOfExtent, Rule::kOfValue)},
      {"LayerNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"RMSNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"GroupNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"InstanceNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"LpNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"MeanVarianceNormalization", Summing(Rule::kOfElements, Rule::kOfRow)},
      {"ReduceMax", Exact()},
      {"ReduceMin", Exact()},
      {"CumSum", Dot({0})},
      {"AveragePool", Dot({0}, Rule::kInputs)},
      {"GlobalAveragePool", Dot({0}, Rule::kInputsPerOutput)},
      {"Col2Im", Dot({0})},
      {"BlackmanWindow", Body()},  // its first element cancels
      {"Range", Pointwise(4)},     // by a product or, as its body, by repeated addition
      {"BatchNormalization", Magnitude(4, {3})},
      {"FlexAttention", Body()},
      // Data movement that can have floats.
      {"MaxPool", Exact()},
      {"GlobalMaxPool", Exact()},
      {"MaxUnpool", Exact()},
      {"MaxRoiPool", Exact()},
      {"Cast", Exact()},
      {"CastLike", Exact()},
      {"BitCast", Exact()},
      {"TopK", Exact()},
      {"Unique", Exact()},
      {"Dropout", Exact()},
      {"Hardmax", Exact()},
      {"TreeEnsemble", Pointwise(16)},
      {"DequantizeLinear", Pointwise(1.5)},
      {"QuantizeLinear", Code()},
      {"DynamicQuantizeLinear", Code()},
      {"QLinearConv", Code()},
      {"QLinearMatMul", Code()},
      {"Resize", Sampled(24, {1, 2})},
      {"Upsample", Sampled(24, {1})},
  };
  return *kRules;
}

// Operators that move elements, or make them without rounding.
constexpr std::string_view kMoves[] = {"Identity",
                                       "Reshape",
                                       "Flatten",
                                       "Squeeze",
                                       "Unsqueeze",
                                       "Transpose",
                                       "Concat",
                                       "Split",
                                       "Slice",
                                       "Expand",
                                       "Tile",
                                       "Pad",
                                       "Gather",
                                       "GatherElements",
                                       "GatherND",
                                       "Compress",
                                       "DepthToSpace",
                                       "SpaceToDepth",
                                       "ReverseSequence",
                                       "Trilu",
                                       "OneHot",
                                       "ConstantOfShape",
                                       "Constant",
                                       "EyeLike",
                                       "Scatter",
                                       "TensorScatter",
                                       "CenterCropPad",
                                       "ArrayFeatureExtractor",
                                       "Binarizer",
                                       "FeatureVectorizer",
                                       "Imputer",
                                       "LabelEncoder",
                                       "OneHotEncoder"};

const Rule& Default() {
  static const Rule kDefault = Sampled(24);
  return kDefault;
}

}  // namespace

const Rule& RuleOf(std::string_view domain, std::string_view op) {
  static const Rule kMove = Exact();
  if (!domain.empty() && domain != "ai.onnx.preview" && domain != "ai.onnx.ml") return Default();
  if (const auto at = Rules().find(op); at != Rules().end()) return at->second;
  for (const std::string_view name : kMoves)
    if (name == op) return kMove;
  return Default();
}

bool IsDefault(const Rule& rule) { return &rule == &Default(); }

}  // namespace braid::conformance
