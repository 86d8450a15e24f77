// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr double kTolerance = 2e-6;

TEST(SoftmaxTest, RowsColumnsAndExtremes) {
  const float e = std::exp(1.0f);
  Tensor x = Tensor::Of<float>({2, 2}, {0, 1, 1000, 1000});
  ExpectTensor<float>(RunOp("Softmax", {x})[0], {2, 2}, {1 / (1 + e), e / (1 + e), 0.5f, 0.5f}, kTolerance);
  ExpectTensor<float>(RunOp("Softmax", {x}, {{"axis", -2}})[0], {2, 2}, {0, 0, 1, 1});
  ExpectTensor<float>(RunOp("LogSoftmax", {x})[0], {2, 2},
                      {-1.3132617f, -0.3132617f, -0.6931472f, -0.6931472f}, kTolerance);
  ExpectTensor<float>(RunOp("Softmax", {Tensor::Of<float>({3}, {NAN, 0, 1})})[0], {3}, {NAN, NAN, NAN});
  ExpectTensor<float>(RunOp("Softmax", {Tensor(kFloat, {2, 0})})[0], {2, 0}, {});
  ExpectTensor<float>(RunOp("Softmax", {Tensor(kFloat, {0, 2})})[0], {0, 2}, {});
  ExpectTensor<float>(RunOp("Hardmax", {Tensor::Of<float>({2, 3}, {1, 3, 3, 2, 1, 0})})[0], {2, 3},
                      {0, 1, 0, 1, 0, 0});
  ExpectTensor<Float16>(RunOp("Softmax", {Tensor::Of<Float16>({2}, {Float16(0.0f), Float16(0.0f)})})[0], {2},
                        {Float16(0.5f), Float16(0.5f)});
  ExpectFails("Softmax", {x}, {{"axis", 2}}, "axis 2");
  ExpectFails("Softmax", {x}, {{"axis", INT64_MIN}}, "axis");
}

// (x - mean) / sqrt(var) of 1, 3 is -1, 1; of 2, 6 too.
TEST(NormalizationTest, Batch) {
  Tensor x = Tensor::Of<float>({2, 1, 1}, {1, 3}), one = Tensor::Of<float>({1}, {1}),
         two = Tensor::Of<float>({1}, {2});
  ExpectTensor<float>(
      RunOp("BatchNormalization", {x, two, one, one, Tensor::Of<float>({1}, {4})}, {{"epsilon", 0.0}})[0],
      {2, 1, 1}, {1, 3}, kTolerance);
  auto y = RunOp("BatchNormalization", {x, two, one, one, one},
                 {{"training_mode", 1}, {"epsilon", 0.0}, {"momentum", 0.75}}, 3);
  ExpectTensor<float>(y[0], {2, 1, 1}, {-1, 3}, kTolerance);
  ExpectTensor<float>(y[1], {1}, {1.25f}, kTolerance);
  ExpectTensor<float>(y[2], {1}, {1.0f}, kTolerance);
  // A vector has one channel.
  ExpectTensor<float>(RunOp("BatchNormalization", {Tensor::Of<float>({2}, {1, 3}), one, one, one, one},
                            {{"epsilon", 0.0}})[0],
                      {2}, {1, 3}, kTolerance);
  ExpectFails("BatchNormalization", {x, Tensor::Of<float>({2}, {1, 1}), one, one, one}, {}, "scale [2]");
}

TEST(NormalizationTest, InstanceGroupLayerAndRms) {
  Tensor x = Tensor::Of<float>({1, 2, 2}, {1, 3, 2, 6});
  Tensor scale = Tensor::Of<float>({2}, {1, 10}), bias = Tensor::Of<float>({2}, {0, 5});
  ExpectTensor<float>(RunOp("InstanceNormalization", {x, scale, bias}, {{"epsilon", 0.0}})[0], {1, 2, 2},
                      {-1, 1, -5, 15}, kTolerance);
  ExpectTensor<float>(RunOp("GroupNormalization", {x, scale, bias}, {{"epsilon", 0.0}, {"num_groups", 2}})[0],
                      {1, 2, 2}, {-1, 1, -5, 15}, kTolerance);
  // All four: mean 3, variance 3.5.
  const float r = 1 / std::sqrt(3.5f);
  ExpectTensor<float>(RunOp("GroupNormalization", {x, scale, bias}, {{"epsilon", 0.0}, {"num_groups", 1}})[0],
                      {1, 2, 2}, {-2 * r, 0, 5 - 10 * r, 5 + 30 * r}, kTolerance);
  ExpectFails("GroupNormalization", {x, scale, bias}, {{"num_groups", 0}}, "num_groups 0");
  auto y = RunOp("LayerNormalization", {x, scale, bias}, {{"epsilon", 0.0}}, 3);
  ExpectTensor<float>(y[0], {1, 2, 2}, {-1, 15, -1, 15}, kTolerance);
  ExpectTensor<float>(y[1], {1, 2, 1}, {2, 4});
  ExpectTensor<float>(y[2], {1, 2, 1}, {1, 0.5f});
  ExpectTensor<float>(
      RunOp("LayerNormalization", {x, Tensor::Scalar(1.0f)}, {{"epsilon", 0.0}, {"axis", 1}})[0], {1, 2, 2},
      {-2 * r, 0, -r, 3 * r}, kTolerance);
  // Statistics in the type of stage one, not in that of X.
  y = RunOp(
      "LayerNormalization",
      {Tensor::Of<Float16>({2}, {Float16(1.0f), Float16(3.0f)}), Tensor::Of<Float16>({1}, {Float16(1.0f)})},
      {{"epsilon", 0.0}}, 3);
  ExpectTensor<float>(y[1], {1}, {2});
  ExpectTensor<float>(
      RunOp("RMSNormalization", {Tensor::Of<float>({1, 2}, {3, 4}), Tensor::Of<float>({2}, {1, 2})},
            {{"epsilon", 0.0}})[0],
      {1, 2}, {3 / std::sqrt(12.5f), 8 / std::sqrt(12.5f)}, kTolerance);
  ExpectFails("LayerNormalization", {x, Tensor::Of<float>({3}, {1, 1, 1})}, {}, "does not broadcast");
  ExpectFails("LayerNormalization", {x, scale}, {{"stash_type", 7}}, "stash_type 7");
  ExpectFails("LayerNormalization", {x, scale}, {{"axis", 3}}, "axis 3");
}

TEST(NormalizationTest, LrnLpAndMeanVariance) {
  Tensor x = Tensor::Of<float>({1, 3, 1}, {1, 2, 3});
  // size 3: sums of squares 5, 14, 13; y = x / (1 + sum).
  ExpectTensor<float>(RunOp("LRN", {x}, {{"size", 3}, {"alpha", 3.0}, {"beta", 1.0}})[0], {1, 3, 1},
                      {1 / 6.0f, 2 / 15.0f, 3 / 14.0f}, kTolerance);
  // size 2: the channel itself and the next.
  ExpectTensor<float>(RunOp("LRN", {x}, {{"size", 2}, {"alpha", 2.0}, {"beta", 1.0}})[0], {1, 3, 1},
                      {1 / 6.0f, 2 / 14.0f, 3 / 10.0f}, kTolerance);
  ExpectTensor<float>(RunOp("LRN", {x}, {{"size", INT64_MAX}, {"alpha", 0.0}})[0], {1, 3, 1}, {1, 2, 3},
                      kTolerance);
  ExpectFails("LRN", {x}, {{"size", 0}}, "size is 0");
  ExpectTensor<float>(RunOp("LpNormalization", {Tensor::Of<float>({2, 2}, {3, -4, 0, 0})})[0], {2, 2},
                      {0.6f, -0.8f, 0, 0}, kTolerance);
  ExpectTensor<float>(
      RunOp("LpNormalization", {Tensor::Of<float>({2, 2}, {3, -4, 1, 0})}, {{"p", 1}, {"axis", 0}})[0],
      {2, 2}, {0.75f, -1, 0.25f, 0}, kTolerance);
  ExpectFails("LpNormalization", {x}, {{"p", 3}}, "p is 3");
  EXPECT_EQ(RunOp("LpNormalization", {Tensor(kFloat, {int64_t{1} << 40, 0})}, {{"axis", 0}})[0].size(), 0);
  EXPECT_EQ(RunOp("LpNormalization", {Tensor(kFloat, {int64_t{1} << 40, 2, 0})}, {{"axis", 1}})[0].size(), 0);
  ExpectTensor<float>(RunOp("MeanVarianceNormalization", {Tensor::Of<float>({2, 1, 1, 1}, {1, 3})})[0],
                      {2, 1, 1, 1}, {-1, 1}, kTolerance);
  ExpectFails("MeanVarianceNormalization", {x}, {{"axes", Ints{5}}}, "axis 5");
}

}  // namespace
}  // namespace braid::reference
