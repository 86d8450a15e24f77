// SPDX-License-Identifier: Apache-2.0
//
// Expectations: the formulas of ONNX 1.23.2 worked in 50 digits (mpmath), or exact by hand.
#include <cmath>
#include <limits>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor D(std::vector<double> values) {
  Dims dims = {static_cast<int64_t>(values.size())};
  return Tensor::Of<double>(dims, std::move(values));
}
Tensor F(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), std::move(values));
}

TEST(Activation, Rectifiers) {
  Tensor x = F({4}, {-2, -0.0f, 3, kNaN});
  ExpectTensor<float>(RunOp("Relu", {x})[0], {4}, {0, 0, 3, kNaN});
  ExpectTensor<int8_t>(RunOp("Relu", {Tensor::Of<int8_t>({2}, {-128, 127})})[0], {2}, {0, 127});
  ExpectTensor<float>(RunOp("LeakyRelu", {x}, {{"alpha", 0.5}})[0], {4}, {-1, 0, 3, kNaN});
  ExpectTensor<float>(RunOp("LeakyRelu", {F({1}, {-100})})[0], {1}, {-1}, 1e-6);
  ExpectTensor<float>(RunOp("ThresholdedRelu", {F({3}, {1, 2, 2.5f})}, {{"alpha", 2.0}})[0], {3},
                      {0, 0, 2.5f});
}

TEST(Activation, PRelu) {
  ExpectTensor<float>(RunOp("PRelu", {F({2, 2}, {-1, 2, -3, -4}), F({2, 1}, {10, 100})})[0], {2, 2},
                      {-10, 2, -300, -400});
  ExpectTensor<int32_t>(RunOp("PRelu", {Tensor::Of<int32_t>({2}, {-3, 3}), Tensor::Of<int32_t>({1}, {2})})[0],
                        {2}, {-6, 3});
  ExpectTensor<uint32_t>(RunOp("PRelu", {Tensor::Of<uint32_t>({1}, {7}), Tensor::Of<uint32_t>({1}, {2})})[0],
                         {1}, {7});
  ExpectFails("PRelu", {F({2}, {1, 2}), F({2, 2}, {1, 2, 3, 4})}, {},
              "slope [2,2] does not broadcast to X [2]");
}

TEST(Activation, Exponentials) {
  Tensor x = D({-1, 0, 2, -30});
  ExpectTensor<double>(RunOp("Elu", {x}, {{"alpha", 2.0}})[0], {4},
                       {-1.2642411176571153, 0, 2, -1.9999999999998128}, 1e-15);
  ExpectTensor<double>(RunOp("Celu", {x}, {{"alpha", 2.0}})[0], {4},
                       {-0.7869386805747332, 0, 2, -1.9999993881953590}, 1e-15);
  ExpectTensor<double>(RunOp("Selu", {D({-1, 1})})[0], {2}, {-1.1113307412864784, 1.0507010221481323}, 1e-15);
  // Near 0, e^x - 1 keeps its digits: x + x^2 / 2.
  ExpectTensor<double>(RunOp("Elu", {D({-1e-10})})[0], {1}, {-9.9999999995e-11}, 1e-20);
}

TEST(Activation, LogisticFamily) {
  ExpectTensor<double>(RunOp("Sigmoid", {D({0, 1, -800, 800})})[0], {4}, {0.5, 0.7310585786300049, 0, 1},
                       1e-15);
  ExpectTensor<double>(RunOp("Softplus", {D({0, 1000, -1000, 1})})[0], {4},
                       {0.6931471805599453, 1000, 0, 1.3132616875182228}, 1e-15);
  ExpectTensor<double>(RunOp("Softsign", {D({-1, 3})})[0], {2}, {-0.5, 0.75}, 1e-15);
  ExpectTensor<double>(RunOp("Swish", {D({1, -1})}, {{"alpha", 2.0}})[0], {2},
                       {0.8807970779778823, -0.1192029220221176}, 1e-15);
  ExpectTensor<double>(RunOp("Mish", {D({1, 0, -1})})[0], {3}, {0.8650983882673103, 0, -0.3034014613741089},
                       1e-15);
  ExpectTensor<double>(RunOp("Tanh", {D({0.5, -100})})[0], {2}, {0.46211715726000973, -1}, 1e-15);
}

TEST(Activation, SwiGLU) {
  ExpectTensor<double>(RunOp("SwiGLU", {D({1, -1}), D({10, 100})})[0], {2},
                       {7.310585786300049, -26.894142136999512}, 1e-15);
  ExpectFails("SwiGLU", {D({1}), D({1, 2})}, {}, "A [1] and B [2] differ in shape");
}

TEST(Activation, Hard) {
  ExpectTensor<float>(RunOp("HardSigmoid", {F({4}, {-3, 0, 1, 5})})[0], {4}, {0, 0.5f, 0.7f, 1}, 1e-7);
  ExpectTensor<float>(RunOp("HardSigmoid", {F({1}, {1})}, {{"alpha", 0.25}, {"beta", 0.125}})[0], {1},
                      {0.375f});
  ExpectTensor<float>(RunOp("HardSwish", {F({5}, {-4, -3, 0, 1.5f, 4})})[0], {5}, {0, 0, 0, 1.125f, 4}, 1e-7);
}

TEST(Activation, Gelu) {
  ExpectTensor<double>(RunOp("Gelu", {D({1, -1, 0})})[0], {3}, {0.8413447460685429, -0.15865525393145705, 0},
                       1e-15);
  // Far out, 1 + erf would cancel to 0; the tail is 0.5 x erfc(-x / sqrt 2).
  Tensor y = RunOp("Gelu", {D({-10})})[0];
  EXPECT_NEAR(y.data<double>()[0] / -7.619853024160593e-23, 1, 1e-12);
  ExpectTensor<double>(RunOp("Gelu", {D({1, -1})}, {{"approximate", "tanh"}})[0], {2},
                       {0.8411919906082768, -0.15880800939172324}, 1e-15);
  EXPECT_EQ(JudgeOp("Gelu", {D({1})}, {{"approximate", "sigmoid"}}), BRAID_NO_ATTRIBUTE);
}

TEST(Activation, Shrink) {
  ExpectTensor<float>(RunOp("Shrink", {F({5}, {-2, -0.5f, 0, 0.5f, 2})}, {{"lambd", 1.0}, {"bias", 0.25}})[0],
                      {5}, {-1.75f, 0, 0, 0, 1.75f});
  ExpectTensor<uint8_t>(
      RunOp("Shrink", {Tensor::Of<uint8_t>({3}, {0, 1, 255})}, {{"lambd", 1.5}, {"bias", 10.0}})[0], {3},
      {0, 0, 245});
  ExpectTensor<int64_t>(
      RunOp("Shrink", {Tensor::Of<int64_t>({2}, {INT64_MAX, INT64_MIN})}, {{"bias", 1.0}})[0], {2},
      {INT64_MAX - 1, INT64_MIN + 1});
}

TEST(Activation, HalvesAreRoundedOnce) {
  Tensor x = Tensor::Of<BFloat16>({2}, {BFloat16(1.0f), BFloat16(-1.0f)});
  Tensor y = RunOp("Sigmoid", {x})[0];
  EXPECT_EQ(y.data<BFloat16>()[0].bits, 0x3f3b);  // 0.73105860 to 8 bits: 0.73046875
  y = RunOp("Relu", {Tensor::Of<Float16>({2}, {Float16(kInf), Float16(-1.0f)})})[0];
  EXPECT_EQ(y.data<Float16>()[0].bits, 0x7c00);
  EXPECT_EQ(y.data<Float16>()[1].bits, 0);
}

}  // namespace
}  // namespace braid::reference
