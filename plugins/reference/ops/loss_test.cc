// SPDX-License-Identifier: Apache-2.0
//
// Expectations: the examples in the operators' text of ONNX 1.23.2, and their formulas by hand.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr char kTraining[] = "ai.onnx.preview.training";

Tensor F(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), std::move(values));
}
Tensor I(Dims dims, std::vector<int64_t> values) {
  return Tensor::Of<int64_t>(std::move(dims), std::move(values));
}

const Tensor& Input() {
  static const Tensor x = F({2, 3, 2}, {1, 2, 2, 2, 3, 2, 0, 1, 2, 2, 1, 2});
  return x;
}
const Tensor& Target() {
  static const Tensor t = I({2, 2}, {2, 1, 0, 2});
  return t;
}

TEST(NegativeLogLikelihoodLoss, PageExamples) {
  ExpectTensor<float>(RunOp("NegativeLogLikelihoodLoss", {Input(), Target()}, {{"reduction", "none"}})[0],
                      {2, 2}, {-3, -2, 0, -2});
  const Tensor weight = F({3}, {0.2f, 0.3f, 0.1f});
  ExpectTensor<float>(
      RunOp("NegativeLogLikelihoodLoss", {Input(), Target(), weight}, {{"reduction", "sum"}})[0], {}, {-1.1f},
      1e-6);
  ExpectTensor<float>(RunOp("NegativeLogLikelihoodLoss", {Input(), Target(), weight})[0], {}, {-1.1f / 0.7f},
                      1e-6);
  ExpectTensor<float>(RunOp("NegativeLogLikelihoodLoss", {Input(), Target()})[0], {}, {-7.0f / 4});
}

TEST(NegativeLogLikelihoodLoss, IgnoredTargets) {
  const Tensor target = I({2, 2}, {2, -100, 0, 2});
  ExpectTensor<float>(RunOp("NegativeLogLikelihoodLoss", {Input(), target}, {{"ignore_index", -100}})[0], {},
                      {-5.0f / 3}, 1e-6);
  ExpectTensor<float>(RunOp("NegativeLogLikelihoodLoss", {Input(), target},
                            {{"ignore_index", -100}, {"reduction", "none"}})[0],
                      {2, 2}, {-3, 0, 0, -2});
  ExpectFails("NegativeLogLikelihoodLoss", {Input(), target}, {}, "target 1 is -100, not in [0, 3)");
  ExpectFails("NegativeLogLikelihoodLoss", {Input(), I({2, 2}, {0, 0, INT64_MIN, 3})}, {},
              "target 2 is -9223372036854775808");
  Tensor none =
      RunOp("NegativeLogLikelihoodLoss", {Input(), I({2, 2}, {7, 7, 7, 7})}, {{"ignore_index", 7}})[0];
  EXPECT_TRUE(std::isnan(none.data<float>()[0]));
}

TEST(NegativeLogLikelihoodLoss, ShapesThatDoNotFit) {
  ExpectFails("NegativeLogLikelihoodLoss", {Input(), I({2}, {0, 0})}, {},
              "the targets have shape [2], not [2,2]");
  ExpectFails("NegativeLogLikelihoodLoss", {F({3}, {1, 2, 3}), I({}, {0})}, {}, "not [N, C, ...]");
  ExpectFails("NegativeLogLikelihoodLoss", {Input(), Target(), F({2}, {1, 1})}, {},
              "the weights have shape [2], there are 3 classes");
  EXPECT_EQ(JudgeOp("NegativeLogLikelihoodLoss", {Input(), Target()}, {{"reduction", "max"}}),
            BRAID_NO_ATTRIBUTE);
}

// Two equal scores of three, the third e times more likely: log-probabilities -log(2 + e) and 1 - log(2 + e).
TEST(SoftmaxCrossEntropyLoss, LossAndLogProbabilities) {
  const float low = -std::log(2 + std::exp(1.0f)), high = 1 + low;
  auto y =
      RunOp("SoftmaxCrossEntropyLoss", {F({2, 3}, {1000, 1000, 1001, -5, -4, -5}), I({2}, {2, 0})}, {}, 2);
  ExpectTensor<float>(y[0], {}, {-(high + low) / 2}, 1e-6);
  ExpectTensor<float>(y[1], {2, 3}, {low, low, high, low, high, low}, 1e-6);
  y = RunOp("SoftmaxCrossEntropyLoss", {F({2, 3}, {0, 0, 1, 0, 1, 0}), I({2}, {2, 0}), F({3}, {2, 1, 3})},
            {{"reduction", "none"}});
  ExpectTensor<float>(y[0], {2}, {-3 * high, -2 * low}, 1e-6);
}

TEST(Training, Adagrad) {
  // r = 1 / (1 + 1 * 0.5), g = 0.5 * 2 + 3 = 4, h = 9 + 16 = 25, x = 2 - r 4 / 5
  auto y = RunOp("Adagrad", {F({}, {1}), I({}, {1}), F({1}, {2}), F({1}, {3}), F({1}, {9})},
                 {{"decay_factor", 0.5}, {"norm_coefficient", 0.5}, {"epsilon", 0.0}}, 2, kTraining);
  ExpectTensor<float>(y[0], {1}, {2 - 4 / 5.0f / 1.5f}, 1e-6);
  ExpectTensor<float>(y[1], {1}, {25});
}

TEST(Training, AdamOfTwoTensors) {
  // From rest, the first step is R in the direction of the gradient, whatever its size.
  const Tensor zero = F({1}, {0}), zeros = F({2}, {0, 0});
  auto y = RunOp("Adam",
                 {F({}, {0.5f}), I({}, {1}), F({1}, {10}), F({2}, {20, 30}), F({1}, {4}), F({2}, {-1, 9}),
                  zero, zeros, zero, zeros},
                 {{"epsilon", 0.0}, {"norm_coefficient_post", 0.0}}, 6, kTraining);
  ExpectTensor<float>(y[0], {1}, {9.5f}, 1e-6);
  ExpectTensor<float>(y[1], {2}, {20.5f, 29.5f}, 1e-6);
  ExpectTensor<float>(y[2], {1}, {0.4f}, 1e-6);
  ExpectTensor<float>(y[5], {2}, {0.001f, 0.081f}, 1e-6);
}

TEST(Training, Momentum) {
  const std::vector<Tensor> in = {F({}, {0.1f}), I({}, {0}), F({1}, {1}), F({1}, {2}), F({1}, {3})};
  // First update: beta is 1. v = 0.5 * 3 + 2 = 3.5
  std::vector<Attr> attrs = {{"alpha", 0.5}, {"beta", 0.25}, {"norm_coefficient", 0.0}, {"mode", "standard"}};
  auto y = RunOp("Momentum", in, attrs, 2, kTraining);
  ExpectTensor<float>(y[0], {1}, {0.65f}, 1e-6);
  ExpectTensor<float>(y[1], {1}, {3.5f});
  attrs.back() = {"mode", "nesterov"};
  ExpectTensor<float>(RunOp("Momentum", in, attrs, 2, kTraining)[0], {1}, {1 - 0.1f * (2 + 1.75f)}, 1e-6);
  attrs.back() = {"mode", "else"};
  EXPECT_EQ(JudgeOp("Momentum", in, attrs, 2, kTraining), BRAID_NO_ATTRIBUTE);
}

TEST(Training, InputsThatDoNotPair) {
  ExpectFails("Adagrad", {F({}, {1}), I({}, {1}), F({1}, {2}), F({1}, {3})}, {},
              "has 4 inputs, not R, T and 3 for each tensor", kTraining);
  ExpectFails("Adagrad", {F({}, {1}), I({}, {1}), F({1}, {2}), F({2}, {3, 3}), F({1}, {3})}, {},
              "input 3 is float32[2], its tensor is float32[1]", kTraining);
}

}  // namespace
}  // namespace braid::reference
