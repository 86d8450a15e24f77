// SPDX-License-Identifier: Apache-2.0
//
// Expectations: the formulas of ONNX 1.23.2 by hand; examples from its operator pages where it says so.
#include <cmath>
#include <limits>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor F(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), std::move(values));
}
Tensor U8(Dims dims, std::vector<uint8_t> values) {
  return Tensor::Of<uint8_t>(std::move(dims), std::move(values));
}
Tensor I8(Dims dims, std::vector<int8_t> values) {
  return Tensor::Of<int8_t>(std::move(dims), std::move(values));
}

TEST(QuantizeLinear, PerTensor) {  // the operator page's example
  auto y = RunOp("QuantizeLinear", {F({6}, {0, 2, 3, 1000, -254, -1000}), F({}, {2}), U8({}, {128})});
  ExpectTensor<uint8_t>(y[0], {6}, {128, 129, 130, 255, 1, 0});
}

TEST(QuantizeLinear, RoundsHalvesToEvenAndSaturates) {
  ExpectTensor<int8_t>(RunOp("QuantizeLinear", {F({7}, {0.5f, 1.5f, 2.5f, -0.5f, kInf, -kInf, 1e38f}),
                                                F({}, {1}), I8({}, {1})})[0],
                       {7}, {1, 3, 3, 1, 127, -128, 127});
  ExpectTensor<uint8_t>(RunOp("QuantizeLinear", {F({1}, {kNaN}), F({}, {1})})[0], {1}, {0});
  ExpectTensor<Int2>(
      RunOp("QuantizeLinear", {F({4}, {-5, -1.2f, 0.8f, 9}), F({}, {1})}, {{"output_dtype", kInt2}})[0], {4},
      {Int2(-2), Int2(-1), Int2(1), Int2(1)});
  ExpectTensor<uint16_t>(
      RunOp("QuantizeLinear", {F({3}, {-1, 1, 70000}), F({}, {1}), Tensor::Scalar<uint16_t>(32767)})[0], {3},
      {32766, 32768, 65535});
}

TEST(QuantizeLinear, PerAxis) {
  const Tensor x = F({2, 3}, {0, 1, 2, 10, 20, 30});
  ExpectTensor<uint8_t>(RunOp("QuantizeLinear", {x, F({3}, {1, 0.5f, 2}), U8({3}, {0, 1, 2})})[0], {2, 3},
                        {0, 3, 3, 10, 41, 17});
  ExpectTensor<uint8_t>(RunOp("QuantizeLinear", {x, F({2}, {1, 10})}, {{"axis", -2}})[0], {2, 3},
                        {0, 1, 2, 1, 2, 3});
  ExpectTensor<uint8_t>(RunOp("QuantizeLinear", {F({2}, {4, 4}), F({2}, {1, 2})})[0], {2}, {4, 2});
}

TEST(QuantizeLinear, Blocked) {
  const Tensor x = F({2, 5}, {1, 2, 3, 4, 5, 10, 20, 30, 40, 50});
  ExpectTensor<int8_t>(
      RunOp("QuantizeLinear", {x, F({2, 3}, {1, 2, 5, 10, 5, 1}), I8({2, 3}, {0, 1, 0, 0, 0, 100})},
            {{"block_size", 2}})[0],
      {2, 5}, {1, 2, 3, 3, 1, 1, 2, 6, 8, 127});
  ExpectTensor<int8_t>(RunOp("QuantizeLinear", {x, F({1, 5}, {1, 1, 1, 1, 1}), I8({1, 5}, {0, 0, 0, 0, 0})},
                             {{"block_size", 2}, {"axis", 0}})[0],
                       {2, 5}, {1, 2, 3, 4, 5, 10, 20, 30, 40, 50});
  ExpectFails("QuantizeLinear", {x, F({2, 2}, {1, 1, 1, 1})}, {{"block_size", 2}},
              "y_scale has shape [2,2], not [2,3]");
}

TEST(QuantizeLinear, Float8AndSmaller) {
  // 1000 / 2 is beyond 448, the greatest of e4m3fn.
  const Tensor x = F({4}, {2, 3, 1000, -1000});
  const Tensor zero = Tensor::Scalar(Float8E4M3FN(0.0f));
  ExpectTensor<Float8E4M3FN>(
      RunOp("QuantizeLinear", {x, F({}, {2}), zero})[0], {4},
      {Float8E4M3FN(1.0f), Float8E4M3FN(1.5f), Float8E4M3FN(448.0f), Float8E4M3FN(-448.0f)});
  Tensor y = RunOp("QuantizeLinear", {x, F({}, {2}), zero}, {{"saturate", 0}})[0];
  EXPECT_EQ(y.data<Float8E4M3FN>()[2].bits, 0x7f);
  y = RunOp("QuantizeLinear", {x, F({}, {2})}, {{"output_dtype", kFloat4E2M1}})[0];
  ExpectTensor<Float4E2M1>(y, {4}, {Float4E2M1(1.0f), Float4E2M1(1.5f), Float4E2M1(6.0f), Float4E2M1(-6.0f)});
  y = RunOp("QuantizeLinear", {x, Tensor::Scalar(Float8E8M0::FromBits(128))},
            {{"output_dtype", kFloat6E2M3}})[0];
  ExpectTensor<Float6E2M3>(y, {4}, {Float6E2M3(1.0f), Float6E2M3(1.5f), Float6E2M3(7.5f), Float6E2M3(-7.5f)});
}

// 2049 / 1 is 2048 in float16, whose spacing there is 2, and 2049 in float32.
TEST(QuantizeLinear, Precision) {
  const Tensor x = F({1}, {2049}), half = Tensor::Scalar(Float16(1.0f)), zero = Tensor::Scalar<int16_t>(0);
  ExpectTensor<int16_t>(RunOp("QuantizeLinear", {x, half, zero})[0], {1}, {2048});
  ExpectTensor<int16_t>(RunOp("QuantizeLinear", {x, half, zero}, {{"precision", kFloat}})[0], {1}, {2049});
  ExpectTensor<int16_t>(RunOp("QuantizeLinear", {x, F({}, {1}), zero}, {{"precision", kFloat16}})[0], {1},
                        {2048});
  ExpectTensor<int16_t>(
      RunOp("QuantizeLinear", {Tensor::Of<int32_t>({2}, {5, 7}), Tensor::Scalar<int32_t>(2), zero})[0], {2},
      {2, 4});
}

TEST(QuantizeLinear, Errors) {
  const Tensor x = F({2, 3}, {0, 1, 2, 10, 20, 30});
  ExpectFails("QuantizeLinear", {x, F({}, {1}), U8({}, {0})}, {{"output_dtype", kInt8}},
              "output_dtype is int8, but y_zero_point is uint8");
  ExpectFails("QuantizeLinear", {x, F({2}, {1, 1})}, {},
              "y_scale has shape [2], but axis 1 of x [2,3] has 3 elements");
  ExpectFails("QuantizeLinear", {x, F({3}, {1, 1, 1}), U8({}, {0})}, {},
              "y_zero_point has shape [], y_scale has [3]");
  ExpectFails("QuantizeLinear", {x, F({3}, {1, 1, 1})}, {{"axis", 5}}, "axis 5");
  EXPECT_EQ(JudgeOp("QuantizeLinear", {x, F({}, {1})}, {{"output_dtype", kDouble}}), BRAID_NO_ATTRIBUTE);
}

TEST(DequantizeLinear, Granularities) {
  ExpectTensor<float>(RunOp("DequantizeLinear", {U8({4}, {0, 3, 128, 255}), F({}, {2}), U8({}, {128})})[0],
                      {4}, {-256, -250, 0, 254});
  ExpectTensor<float>(RunOp("DequantizeLinear", {I8({2, 2}, {1, 2, 3, 4}), F({2}, {1, 10}), I8({2}, {1, 0})},
                            {{"axis", 0}})[0],
                      {2, 2}, {0, 1, 30, 40});
  const Tensor x = Tensor::Of<Uint4>({1, 3}, {Uint4(1), Uint4(2), Uint4(15)});
  ExpectTensor<float>(RunOp("DequantizeLinear", {x, F({1, 2}, {2, 3})}, {{"block_size", 2}})[0], {1, 3},
                      {2, 4, 45});
}

TEST(DequantizeLinear, Types) {
  ExpectTensor<float>(RunOp("DequantizeLinear", {Tensor::Of<int32_t>({1}, {1000000}), F({}, {0.5f})})[0], {1},
                      {500000});
  const Tensor fp4 = Tensor::Of<Float4E2M1>({2}, {Float4E2M1(6.0f), Float4E2M1(-0.5f)});
  Tensor y = RunOp("DequantizeLinear", {fp4, Tensor::Scalar(Float8E8M0::FromBits(130))},
                   {{"output_dtype", kBFloat16}})[0];
  ExpectTensor<BFloat16>(y, {2}, {BFloat16(48.0f), BFloat16(-4.0f)});
  ExpectTensor<Float16>(RunOp("DequantizeLinear", {I8({1}, {3}), Tensor::Scalar(Float16(0.5f))})[0], {1},
                        {Float16(1.5f)});
  ExpectFails("DequantizeLinear", {fp4, Tensor::Scalar(Float8E8M0::FromBits(130))}, {},
              "output_dtype must name a float type");
  ExpectFails("DequantizeLinear", {I8({1}, {3}), F({}, {1}), U8({}, {0})}, {},
              "x_zero_point is uint8, x is int8");
}

TEST(DynamicQuantizeLinear, PageExample) {
  auto y = RunOp("DynamicQuantizeLinear", {F({6}, {0, 2, -3, -2.5f, 1.34f, 0.5f})}, {}, 3);
  ExpectTensor<uint8_t>(y[0], {6}, {153, 255, 0, 26, 221, 179});
  ExpectTensor<float>(y[1], {}, {0.0196078438f}, 1e-7);
  ExpectTensor<uint8_t>(y[2], {}, {153});
}

TEST(DynamicQuantizeLinear, ZerosAndNothing) {
  for (const Tensor& x : {F({2}, {0, 0}), F({0}, {})}) {
    auto y = RunOp("DynamicQuantizeLinear", {x}, {}, 3);
    ExpectTensor<uint8_t>(y[0], x.dims(), std::vector<uint8_t>(static_cast<size_t>(x.size()), 0));
    ExpectTensor<float>(y[1], {}, {0});
    ExpectTensor<uint8_t>(y[2], {}, {0});
  }
}

TEST(MatMulInteger, PageExample) {
  auto y = RunOp("MatMulInteger", {U8({4, 3}, {11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0}),
                                   U8({3, 2}, {1, 4, 2, 5, 3, 6}), U8({1}, {12}), U8({1}, {0})});
  ExpectTensor<int32_t>(y[0], {4, 2}, {-38, -83, -44, -98, -50, -113, -56, -128});
}

TEST(MatMulInteger, RowAndColumnZeroPoints) {
  const Tensor a = I8({2, 2}, {1, 2, 3, 4}), b = U8({2, 2}, {5, 6, 7, 8});
  // (a - [[1],[2]]) = [[0,1],[1,2]], (b - [5,6]) = [[0,0],[2,2]]
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {a, b, I8({2}, {1, 2}), U8({2}, {5, 6})})[0], {2, 2},
                        {2, 2, 4, 4});
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {a, b, I8({2, 1}, {1, 2}), U8({1, 2}, {5, 6})})[0], {2, 2},
                        {2, 2, 4, 4});
  ExpectFails("MatMulInteger", {a, b, I8({3}, {1, 2, 3})}, {},
              "a_zero_point [3] does not fit a matrix of [2,2]");
  ExpectFails("MatMulInteger", {a, U8({3, 1}, {1, 2, 3})}, {}, "cannot be multiplied: 2 columns, 3 rows");
}

TEST(MatMulInteger, BatchesAndVectors) {
  const Tensor a = U8({2, 1, 2}, {1, 2, 3, 4});
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {a, U8({2}, {10, 1})})[0], {2, 1}, {12, 34});
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {U8({2}, {1, 1}), U8({2, 2, 1}, {1, 2, 3, 4})})[0], {2, 1},
                        {3, 7});
  // Batches [2] and [3,1] broadcast to [3,2].
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {a, U8({3, 1, 2, 1}, {1, 0, 0, 1, 1, 1})})[0], {3, 2, 1, 1},
                        {1, 3, 2, 4, 3, 7});
  ExpectTensor<int32_t>(RunOp("MatMulInteger", {U8({2, 0}, {}), U8({0, 2}, {})})[0], {2, 2}, {0, 0, 0, 0});
}

TEST(MatMulInteger, LargeAgainstPlainSum) {
  const int64_t m = 19, k = 301, n = 1030;
  Tensor a(kUint8, {m, k}), b(kInt8, {k, n});
  for (int64_t i = 0; i < a.size(); ++i) a.data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + 11);
  for (int64_t i = 0; i < b.size(); ++i) b.data<int8_t>()[i] = static_cast<int8_t>(i * 91 + 5);
  Tensor y = RunOp("MatMulInteger", {a, b, U8({}, {131}), I8({}, {-3})})[0];
  for (int64_t r = 0; r < m; ++r) {
    for (int64_t c = 0; c < n; ++c) {
      int64_t sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += (int64_t{a.data<uint8_t>()[r * k + i]} - 131) * (int64_t{b.data<int8_t>()[i * n + c]} + 3);
      ASSERT_EQ(y.data<int32_t>()[r * n + c], sum) << r << "," << c;
    }
  }
}

TEST(QLinearMatMul, PageExample) {
  const Tensor a = U8({2, 4}, {208, 236, 0, 238, 3, 214, 255, 29});
  const Tensor b = U8({4, 3}, {152, 51, 244, 60, 26, 255, 0, 127, 246, 127, 254, 247});
  auto y = RunOp("QLinearMatMul", {a, F({1}, {0.0066f}), U8({1}, {113}), b, F({1}, {0.00705f}),
                                   U8({1}, {114}), F({1}, {0.0107f}), U8({1}, {118})});
  ExpectTensor<uint8_t>(y[0], {2, 3}, {168, 115, 255, 1, 66, 151});
}

TEST(QLinearMatMul, ScalesOfRowsAndColumns) {
  // a b = [[1,2],[3,4]]; times rows [1,2], columns [1,10]; over 2.
  auto y = RunOp("QLinearMatMul",
                 {I8({2, 2}, {1, 2, 3, 4}), F({2}, {1, 2}), I8({2}, {0, 0}), I8({2, 2}, {1, 0, 0, 1}),
                  F({2}, {1, 10}), I8({2}, {0, 0}), F({}, {2}), I8({}, {0})});
  ExpectTensor<int8_t>(y[0], {2, 2}, {0, 10, 3, 40});
}

TEST(QLinearMatMul, Float8) {
  auto e = [](float v) { return Float8E4M3FN(v); };
  auto y = RunOp("QLinearMatMul", {Tensor::Of<Float8E4M3FN>({1, 2}, {e(1.5f), e(2)}), F({}, {1}),
                                   Tensor::Scalar(e(0)), Tensor::Of<Float8E4M3FN>({2, 1}, {e(4), e(0.5f)}),
                                   F({}, {2}), Tensor::Scalar(e(0)), F({}, {1}), Tensor::Scalar(e(0))});
  ExpectTensor<Float8E4M3FN>(y[0], {1, 1}, {e(14)});
}

}  // namespace
}  // namespace braid::reference
