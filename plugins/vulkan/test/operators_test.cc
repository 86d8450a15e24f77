// SPDX-License-Identifier: Apache-2.0
//
// Operators against plain loops in double precision and the C library's mathematics.
#include <chrono>
#include <cmath>
#include <functional>

#include "plugins/vulkan/test/fixture.h"

namespace braid::vulkan {
namespace {

using OperatorTest = VulkanTest;

std::vector<float> Map(const std::vector<float>& x, const std::function<double(double)>& f) {
  std::vector<float> y;
  for (float v : x) y.push_back(static_cast<float>(f(v)));
  return y;
}

TEST_F(OperatorTest, UnaryFunctionsAreExactToAFewUlp) {
  std::vector<float> wide, unit, positive, above_one;
  for (int i = -400; i <= 400; ++i) wide.push_back(static_cast<float>(i) * 0.217f);
  for (int i = -100; i <= 100; ++i) unit.push_back(static_cast<float>(i) * 0.0099f);
  for (int i = 1; i <= 300; ++i) positive.push_back(std::exp(static_cast<float>(i - 150) * 0.5f));
  for (int i = 1; i <= 300; ++i) above_one.push_back(1.0f + std::exp(static_cast<float>(i - 150) * 0.1f));
  wide.insert(wide.end(), {1e5f, 3.7e7f, -123456.0f, 1e30f, -2.5e20f, 0.0f});
  struct Case {
    const char* op;
    int32_t version;
    const std::vector<float>* x;
    double (*f)(double);
  };
  const Case cases[] = {
      {"Exp", 13, &wide, [](double x) { return std::exp(x); }},
      {"Log", 13, &positive, [](double x) { return std::log(x); }},
      {"Sin", 22, &wide, [](double x) { return std::sin(x); }},
      {"Cos", 22, &wide, [](double x) { return std::cos(x); }},
      {"Tan", 22, &unit, [](double x) { return std::tan(x); }},
      {"Asin", 22, &unit, [](double x) { return std::asin(x); }},
      {"Acos", 22, &unit, [](double x) { return std::acos(x); }},
      {"Atan", 22, &wide, [](double x) { return std::atan(x); }},
      {"Sinh", 22, &unit, [](double x) { return std::sinh(x); }},
      {"Cosh", 22, &unit, [](double x) { return std::cosh(x); }},
      {"Asinh", 22, &wide, [](double x) { return std::asinh(x); }},
      {"Acosh", 22, &above_one, [](double x) { return std::acosh(x); }},
      {"Atanh", 22, &unit, [](double x) { return std::atanh(x); }},
      {"Tanh", 13, &wide, [](double x) { return std::tanh(x); }},
      {"Erf", 13, &wide, [](double x) { return std::erf(x); }},
      {"Sqrt", 13, &positive, [](double x) { return std::sqrt(x); }},
      {"Reciprocal", 13, &positive, [](double x) { return 1 / x; }},
      {"Sigmoid", 13, &wide, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Softplus", 22, &unit, [](double x) { return std::log1p(std::exp(x)); }},
      {"Mish", 22, &unit, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"Gelu", 20, &unit, [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }},
      {"Relu", 14, &wide, [](double x) { return x < 0 ? 0 : x; }},
      {"HardSwish", 22, &wide, [](double x) { return x * std::max(0.0, std::min(1.0, x / 6 + 0.5)); }},
      {"HardSigmoid", 22, &wide,
       [](double x) { return std::max(0.0, std::min(1.0, static_cast<double>(0.2f) * x + 0.5)); }},
      {"LeakyRelu", 16, &wide, [](double x) { return x < 0 ? static_cast<double>(0.01f) * x : x; }},
      {"Elu", 22, &wide, [](double x) { return x < 0 ? std::expm1(x) : x; }},
      {"Abs", 13, &wide, [](double x) { return std::fabs(x); }},
      {"Neg", 13, &wide, [](double x) { return -x; }},
      {"Floor", 13, &wide, [](double x) { return std::floor(x); }},
      {"Ceil", 13, &wide, [](double x) { return std::ceil(x); }},
      {"Round", 22, &wide, [](double x) { return std::nearbyint(x); }},
      {"Sign", 13, &wide, [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : 0.0); }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.op);
    int64_t n = static_cast<int64_t>(c.x->size());
    ExpectNear(One(c.op, c.version, {F({n}, *c.x)}, kFloat, {n}), Map(*c.x, c.f), 6e-7f, 2e-37f);
  }
}

TEST_F(OperatorTest, SpecialValues) {
  float inf = INFINITY, nan = NAN;
  ExpectNear(One("Exp", 13, {F({4}, {inf, -inf, nan, 0})}, kFloat, {4}), {inf, 0, nan, 1});
  ExpectNear(One("Log", 13, {F({4}, {0, -1, inf, nan})}, kFloat, {4}), {-inf, nan, inf, nan});
  ExpectNear(One("Tanh", 13, {F({3}, {inf, -inf, nan})}, kFloat, {3}), {1, -1, nan});
  ExpectNear(One("Pow", 15, {F({6}, {-2, 0, -8, 2, inf, 0}), F({6}, {3, 0, 0.5f, -1, -1, -1})}, kFloat, {6}),
             {-8, 1, nan, 0.5f, 0, inf});
  ExpectNear(One("Max", 13, {F({3}, {nan, 1, 2}), F({3}, {1, nan, 3})}, kFloat, {3}), {nan, nan, 3});
  ExpectNear(One("Sub", 14, {F({2}, {nan, inf}), F({2}, {nan, inf})}, kFloat, {2}), {nan, nan});
}

TEST_F(OperatorTest, BroadcastOfThreeDimensions) {
  Array a = Random({3, 1, 5}, 1), b = Random({4, 1}, 2);
  auto x = a.as<float>(), z = b.as<float>();
  std::vector<float> want;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j)
      for (int k = 0; k < 5; ++k) want.push_back(x[i * 5 + k] * z[j]);
  ExpectNear(One("Mul", 14, {a, b}, kFloat, {3, 4, 5}), want, 0, 0);
}

TEST_F(OperatorTest, IntegersComparisonAndWhere) {
  int64_t big = int64_t{1} << 40;
  EXPECT_EQ(One("Add", 14, {I({3}, {big, -5, 7}), I({1}, {3})}, kI64, {3}).as<int64_t>(),
            (std::vector<int64_t>{big + 3, -2, 10}));
  EXPECT_EQ(One("Div", 14, {I({3}, {-7, 7, 9}), I({1}, {2})}, kI64, {3}).as<int64_t>(),
            (std::vector<int64_t>{-3, 3, 4}));
  EXPECT_EQ(One("Mod", 28, {I({2}, {-7, 7}), I({1}, {3})}, kI64, {2}).as<int64_t>(),
            (std::vector<int64_t>{2, 1}));
  Array less = One("Less", 13, {F({4}, {1, 2, 3, NAN}), F({1}, {2.5f})}, kBool, {4});
  EXPECT_EQ(less.bytes, (std::vector<uint8_t>{1, 1, 0, 0}));
  ExpectNear(One("Where", 16, {less, F({4}, {1, 2, 3, 4}), F({1}, {9})}, kFloat, {4}), {1, 2, 9, 9});
  EXPECT_EQ(One("Cast", 28, {F({4}, {1.9f, -1.9f, 0, 300})}, kI32, {4}).as<int32_t>(),
            (std::vector<int32_t>{1, -1, 0, 300}));
  EXPECT_EQ(One("Not", 1, {less}, kBool, {4}).bytes, (std::vector<uint8_t>{0, 0, 1, 1}));
  ExpectNear(One("Clip", 13, {F({3}, {-1, 0.5f, 7}), F({}, {0}), F({}, {6})}, kFloat, {3}), {0, 0.5f, 6});
}

TEST_F(OperatorTest, HalfRoundsToEven) {
  Array x = Make<uint16_t>(kHalf, {4}, {0x3c00, 0x0001, 0x7bff, 0x3555});  // 1, 2^-24, 65504, 0.33325
  ExpectNear(One("Cast", 28, {x}, kFloat, {4}), {1.0f, 5.9604645e-8f, 65504.0f, 0.333251953125f}, 0, 0);
  Array back =
      One("Cast", 28, {F({5}, {1.00048828125f, 65520.0f, 65519.0f, 2.98e-8f, 1.0014648f})}, kHalf, {5});
  EXPECT_EQ(back.as<uint16_t>(), (std::vector<uint16_t>{0x3c00, 0x7c00, 0x7bff, 0x0000, 0x3c02}));
}

TEST_F(OperatorTest, MatMulOfAwkwardSizes) {
  for (auto [m, k, n] :
       {std::array<int, 3>{1, 1, 1}, {5, 7, 3}, {17, 33, 9}, {64, 64, 64}, {1, 130, 259}, {9, 4, 300}}) {
    for (bool constant : {false, true}) {
      Array a = Random({2, m, k}, 3), b = Random({k, n}, 4);
      auto x = a.as<float>(), z = b.as<float>();
      std::vector<float> want;
      for (int t = 0; t < 2 * m; ++t)
        for (int j = 0; j < n; ++j) {
          double sum = 0;
          for (int i = 0; i < k; ++i) sum += static_cast<double>(x[t * k + i]) * z[i * n + j];
          want.push_back(static_cast<float>(sum));
        }
      ExpectNear(One("MatMul", 13, {a, b}, kFloat, {2, m, n}, {}, {false, constant}), want, 1e-5f, 1e-5f);
    }
  }
}

TEST_F(OperatorTest, GemmTransposedWithBias) {
  Array a = Random({6, 5}, 5), b = Random({7, 6}, 6), c = Random({7}, 7);
  auto x = a.as<float>(), z = b.as<float>(), w = c.as<float>();
  std::vector<float> want;
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 7; ++j) {
      double sum = 0;
      for (int k = 0; k < 6; ++k) sum += static_cast<double>(x[k * 5 + i]) * z[j * 6 + k];
      want.push_back(static_cast<float>(0.5 * sum + 2.0 * w[j]));
    }
  std::map<std::string, Attribute> attributes{
      {"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}};
  ExpectNear(One("Gemm", 13, {a, b, c}, kFloat, {5, 7}, attributes), want, 1e-5f, 1e-6f);
}

TEST_F(OperatorTest, ConvolutionsOfEveryKernel) {
  struct Case {
    int64_t channels, outputs, group, size, kernel, stride, dilation, pad;
  };
  const Case cases[] = {{3, 8, 1, 9, 3, 1, 1, 1},  {4, 6, 1, 10, 3, 2, 1, 1},  {8, 12, 1, 6, 1, 1, 1, 0},
                        {5, 7, 1, 7, 1, 1, 1, 0},  {6, 6, 6, 9, 3, 1, 1, 1},   {6, 12, 6, 11, 5, 2, 1, 2},
                        {4, 8, 2, 8, 3, 1, 2, 2},  {2, 3, 1, 12, 7, 3, 1, 3},  {4, 4, 4, 8, 3, 1, 2, 0},
                        {3, 20, 1, 8, 3, 1, 1, 1}, {3, 17, 1, 9, 3, 2, 1, 1},  {5, 13, 1, 9, 1, 2, 1, 0},
                        {3, 5, 1, 8, 5, 1, 1, 2},  {3, 16, 1, 15, 7, 2, 1, 3}, {8, 12, 2, 7, 1, 1, 1, 0},
                        {5, 5, 5, 12, 3, 2, 1, 1}, {3, 9, 3, 20, 5, 1, 1, 2},  {4, 9, 1, 8, 1, 1, 1, 0}};
  for (const Case& c : cases) {
    for (bool constant : {false, true}) {
      SCOPED_TRACE(testing::Message() << c.channels << "->" << c.outputs << " k" << c.kernel << " s"
                                      << c.stride << " g" << c.group);
      int64_t per = c.channels / c.group,
              out = (c.size + 2 * c.pad - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
      Array x = Random({2, c.channels, c.size, c.size}, 8),
            w = Random({c.outputs, per, c.kernel, c.kernel}, 9), b = Random({c.outputs}, 10);
      auto xs = x.as<float>(), ws = w.as<float>(), bs = b.as<float>();
      std::vector<float> want;
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t k = 0; k < c.outputs; ++k)
          for (int64_t i = 0; i < out; ++i)
            for (int64_t j = 0; j < out; ++j) {
              double sum = bs[static_cast<size_t>(k)];
              int64_t g = k / (c.outputs / c.group);
              for (int64_t q = 0; q < per; ++q)
                for (int64_t r = 0; r < c.kernel; ++r)
                  for (int64_t s = 0; s < c.kernel; ++s) {
                    int64_t h = i * c.stride - c.pad + r * c.dilation,
                            v = j * c.stride - c.pad + s * c.dilation;
                    if (h < 0 || v < 0 || h >= c.size || v >= c.size) continue;
                    sum += static_cast<double>(xs[static_cast<size_t>(
                               ((n * c.channels + g * per + q) * c.size + h) * c.size + v)]) *
                           ws[static_cast<size_t>(((k * per + q) * c.kernel + r) * c.kernel + s)];
                  }
              want.push_back(static_cast<float>(sum));
            }
      using L = std::vector<int64_t>;
      ExpectNear(One("Conv", 22, {x, w, b}, kFloat, {2, c.outputs, out, out},
                     {{"strides", L{c.stride, c.stride}},
                      {"dilations", L{c.dilation, c.dilation}},
                      {"pads", L{c.pad, c.pad, c.pad, c.pad}},
                      {"group", c.group}},
                     {false, constant, constant}),
                 want, 1e-5f, 1e-5f);
    }
  }
}

TEST_F(OperatorTest, ConvTransposeScatters) {
  int64_t c = 3, k = 5, size = 4, kernel = 3, stride = 2, pad = 1,
          out = stride * (size - 1) + kernel - 2 * pad;
  Array x = Random({1, c, size, size}, 11), w = Random({c, k, kernel, kernel}, 12);
  auto xs = x.as<float>(), ws = w.as<float>();
  std::vector<double> sum(static_cast<size_t>(k * out * out));
  for (int64_t q = 0; q < c; ++q)
    for (int64_t h = 0; h < size; ++h)
      for (int64_t v = 0; v < size; ++v)
        for (int64_t o = 0; o < k; ++o)
          for (int64_t r = 0; r < kernel; ++r)
            for (int64_t s = 0; s < kernel; ++s) {
              int64_t i = h * stride - pad + r, j = v * stride - pad + s;
              if (i < 0 || j < 0 || i >= out || j >= out) continue;
              sum[static_cast<size_t>((o * out + i) * out + j)] +=
                  static_cast<double>(xs[static_cast<size_t>((q * size + h) * size + v)]) *
                  ws[static_cast<size_t>(((q * k + o) * kernel + r) * kernel + s)];
            }
  using L = std::vector<int64_t>;
  ExpectNear(One("ConvTranspose", 22, {x, w}, kFloat, {1, k, out, out},
                 {{"strides", L{2, 2}}, {"pads", L{1, 1, 1, 1}}}, {false, true}),
             std::vector<float>(sum.begin(), sum.end()), 1e-5f, 1e-5f);
}

TEST_F(OperatorTest, MovementOfEveryWidth) {
  std::vector<int64_t> n{0, 1, 2, 3, 4, 5};
  Array x = I({2, 3}, n);
  using L = std::vector<int64_t>;
  EXPECT_EQ(One("Transpose", 25, {x}, kI64, {3, 2}, {{"perm", L{1, 0}}}).as<int64_t>(),
            (L{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(One("Slice", 13, {x, I({1}, {2}), I({1}, {-9}), I({1}, {1}), I({1}, {-2})}, kI64, {2, 2}, {},
                {false, true, true, true, true})
                .as<int64_t>(),
            (L{2, 0, 5, 3}));
  EXPECT_EQ(One("Concat", 13, {x, I({2, 1}, {8, 9})}, kI64, {2, 4}, {{"axis", int64_t{-1}}}).as<int64_t>(),
            (L{0, 1, 2, 8, 3, 4, 5, 9}));
  EXPECT_EQ(One("Gather", 13, {x, I({2}, {-1, 0})}, kI64, {2, 2}, {{"axis", int64_t{1}}}).as<int64_t>(),
            (L{2, 0, 5, 3}));
  Array u = Make<uint8_t>(kU8, {1, 3}, {7, 8, 9});
  EXPECT_EQ(One("Expand", 13, {u, I({2}, {2, 3})}, kU8, {2, 3}, {}, {false, true}).bytes,
            (std::vector<uint8_t>{7, 8, 9, 7, 8, 9}));
  EXPECT_EQ(
      One("Pad", 25, {u, I({4}, {0, 2, 0, 1})}, kU8, {1, 6}, {{"mode", "reflect"}}, {false, true}).bytes,
      (std::vector<uint8_t>{9, 8, 7, 8, 9, 8}));
  EXPECT_EQ(One("Tile", 13, {u, I({2}, {1, 2})}, kU8, {1, 6}, {}, {false, true}).bytes,
            (std::vector<uint8_t>{7, 8, 9, 7, 8, 9}));
}

TEST_F(OperatorTest, ReductionsAndRows) {
  Array x = F({2, 3}, {1, 2, 3, 4, 5, 9});
  ExpectNear(One("ReduceMean", 18, {x, I({1}, {1})}, kFloat, {2, 1}, {}, {false, true}), {2, 6});
  ExpectNear(One("ReduceMax", 20, {x, I({1}, {0})}, kFloat, {1, 3}, {}, {false, true}), {4, 5, 9});
  ExpectNear(One("ReduceSum", 13, {x}, kFloat, {}, {{"keepdims", int64_t{0}}}), {24});
  EXPECT_EQ(One("ArgMax", 13, {x}, kI64, {2, 1}, {{"axis", int64_t{1}}}).as<int64_t>(),
            (std::vector<int64_t>{2, 2}));
  std::vector<float> soft;
  for (std::vector<double> row : {std::vector<double>{1, 2, 3}, {4, 5, 9}}) {
    double sum = std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2]);
    for (double v : row) soft.push_back(static_cast<float>(std::exp(v) / sum));
  }
  ExpectNear(One("Softmax", 13, {x}, kFloat, {2, 3}), soft, 1e-6f, 0);
  float s = std::sqrt(2.0f / 3.0f), d = std::sqrt(14.0f / 3.0f);
  ExpectNear(One("LayerNormalization", 17, {x, F({3}, {1, 1, 2}), F({3}, {0, 1, 0})}, kFloat, {2, 3},
                 {{"epsilon", 0.0f}}),
             {-1 / s, 1, 2 / s, -2 / d, -1 / d + 1, 6 / d});
  // A long sum keeps its precision.
  std::vector<float> tenths(50000, 0.1f);
  ExpectNear(One("ReduceSum", 13, {F({50000}, tenths)}, kFloat, {1}),
             {static_cast<float>(static_cast<double>(0.1f) * 50000)}, 1e-6f);
}

TEST_F(OperatorTest, LongSumsAreAsInDouble) {
  std::vector<float> cancels;
  for (int i = 0; i < 1000; ++i) cancels.insert(cancels.end(), {1e8f, 1, -1e8f, 1});
  Array x = F({1, 1, 4000}, cancels), axis = I({1}, {2});
  ExpectNear(One("ReduceSum", 13, {x}, kFloat, {1, 1, 1}), {2000}, 0, 0);
  ExpectNear(One("ReduceMean", 18, {x}, kFloat, {1, 1, 1}), {0.5f}, 0, 0);
  ExpectNear(One("GlobalAveragePool", 22, {x}, kFloat, {1, 1, 1}), {0.5f}, 0, 0);
  ExpectNear(One("ReduceLogSum", 28, {x, axis}, kFloat, {1, 1, 1}, {}, {false, true}), {std::log(2000.0f)},
             6e-7f, 0);
  std::vector<float> small(20001, 1.0f);
  small[0] = 1e8f;
  ExpectNear(One("ReduceL1", 18, {F({20001}, small)}, kFloat, {1}), {100020000.0f}, 0, 0);
  small[0] = 1e4f;
  ExpectNear(One("ReduceSumSquare", 18, {F({20001}, small)}, kFloat, {1}), {100020000.0f}, 0, 0);
  std::vector<float> tenths(40000, 0.1f);
  ExpectNear(One("ReduceSum", 13, {F({40000}, tenths)}, kFloat, {1}),
             {static_cast<float>(static_cast<double>(0.1f) * 40000)}, 0, 0);
  // log(1 + 30000 exp(-18)): each term is below the rounding of the first.
  std::vector<float> terms(30001, -18.0f);
  terms[0] = 0;
  ExpectNear(One("ReduceLogSumExp", 28, {F({30001}, terms)}, kFloat, {1}),
             {static_cast<float>(std::log1p(30000 * std::exp(-18.0)))}, 1e-5f, 0);
}

TEST_F(OperatorTest, SumsOverflowOnlyWhereTheirResultDoes) {
  float inf = INFINITY, nan = NAN;
  Array big = F({3}, {3e38f, 3e38f, -3.2e38f}), three = F({3}, {3e38f, 3e38f, 3e38f});
  ExpectNear(One("ReduceSum", 13, {big}, kFloat, {1}), {2.8e38f}, 3e-7f);
  ExpectNear(One("ReduceSum", 13, {three}, kFloat, {1}), {inf});
  ExpectNear(One("ReduceMean", 18, {three}, kFloat, {1}), {3e38f}, 3e-7f);
  ExpectNear(One("ReduceLogSum", 28, {three}, kFloat, {1}), {static_cast<float>(std::log(3.0 * 3e38))},
             3e-7f);
  ExpectNear(One("ReduceSum", 13, {F({2, 3}, {inf, 1, 2, inf, 1, -inf}), I({1}, {1})}, kFloat, {2, 1}, {},
                 {false, true}),
             {inf, nan});
  ExpectNear(One("ReduceSum", 13, {F({3}, {1, nan, 2})}, kFloat, {1}), {nan});
  // Squares that no float holds. A small one before a large one, and after.
  Array x = F({7, 3}, {3e20f, 4e20f, 0,    3e-30f, 4e-30f, 0,      0,   0,   0, 1e-30f, 3e20f,
                       4e20f, 3e5f,  4e5f, 1e-30f, inf,    1e-30f, nan, nan, 1, -1});
  ExpectNear(One("ReduceL2", 18, {x, I({1}, {1})}, kFloat, {7, 1}, {}, {false, true}),
             {5e20f, 5e-30f, 0, 5e20f, 5e5f, nan, nan}, 3e-7f, 0);
  ExpectNear(One("ReduceL2", 18, {F({2}, {1, -inf})}, kFloat, {1}), {inf});
  ExpectNear(One("ReduceLogSumExp", 28, {F({4, 2}, {nan, -inf, inf, nan, -inf, -inf, inf, 1}), I({1}, {1})},
                 kFloat, {4, 1}, {}, {false, true}),
             {nan, nan, -inf, inf});
}

// (x - mean) / (sqrt(variance + epsilon) + after) in double.
std::vector<float> Standardized(const std::vector<float>& x, double epsilon, double after = 0) {
  double mean = 0, variance = 0, n = static_cast<double>(x.size());
  for (float v : x) mean += v / n;
  for (float v : x) variance += (v - mean) * (v - mean) / n;
  return Map(x, [&](double v) { return (v - mean) / (std::sqrt(variance + epsilon) + after); });
}

TEST_F(OperatorTest, NormalizationsOfLargeNumbers) {
  std::vector<float> offset, huge, same(8, 0.1f);
  for (int i = 0; i < 8; ++i) {
    offset.push_back(1e6f + static_cast<float>(i));
    huge.push_back(1e20f * static_cast<float>(i));
  }
  same[0] = 3e38f;
  for (const auto& values : {offset, huge, same, std::vector<float>(8, 3e38f)}) {
    SCOPED_TRACE(values[1]);
    std::vector<float> want = Standardized(values, static_cast<double>(1e-5f));
    Array ones = F({8}, std::vector<float>(8, 1)), zeros = F({8}, std::vector<float>(8, 0)),
          one = F({1}, {1}), zero = F({1}, {0});
    ExpectNear(One("LayerNormalization", 17, {F({8}, values), ones, zeros}, kFloat, {8}), want, 1e-6f);
    ExpectNear(One("InstanceNormalization", 22, {F({1, 1, 8}, values), one, zero}, kFloat, {1, 1, 8}), want,
               1e-6f);
    ExpectNear(One("GroupNormalization", 21, {F({1, 8}, values), ones, zeros}, kFloat, {1, 8},
                   {{"num_groups", int64_t{1}}}),
               want, 1e-6f);
    std::vector<float> alone = Standardized(values, 0, 1e-9);
    ExpectNear(One("MeanVarianceNormalization", 13, {F({1, 1, 2, 4}, values)}, kFloat, {1, 1, 2, 4}), alone,
               1e-6f);
    double square = 0;
    for (float v : values) square += static_cast<double>(v) * v / 8;
    ExpectNear(One("RMSNormalization", 23, {F({8}, values), ones}, kFloat, {8}),
               Map(values, [&](double v) { return v / std::sqrt(square + 1e-5); }), 1e-6f);
  }
  // The mean and the inverse deviation of LayerNormalization, in the input's scale.
  Graph graph;
  uint32_t x = graph.Input(kFloat, {8}), scale = graph.Constant(F({8}, std::vector<float>(8, 1)));
  uint32_t y = graph.Output(kFloat, {8}), mean = graph.Output(kFloat, {1}),
           inverse = graph.Output(kFloat, {1});
  graph.Node("LayerNormalization", 17, {x, scale}, {y, mean, inverse});
  auto out = Run(graph, {{x, F({8}, huge)}});
  ExpectNear(out[mean], {3.5e20f});
  ExpectNear(out[inverse], {static_cast<float>(1 / (1e20 * std::sqrt(5.25)))}, 1e-6f, 0);
}

TEST_F(OperatorTest, MeanVarianceNormalizationOverItsAxes) {
  Array x = Random({3, 2, 2, 5}, 14);
  auto v = x.as<float>();
  for (bool per_sample : {false, true}) {
    std::vector<float> want(v.size());
    for (size_t n = 0; n < (per_sample ? 3u : 1u); ++n)
      for (size_t c = 0; c < 2; ++c) {
        std::vector<size_t> at;
        for (size_t i = 0; i < v.size(); ++i)
          if (i / 10 % 2 == c && (!per_sample || i / 20 == n)) at.push_back(i);
        std::vector<float> part;
        for (size_t i : at) part.push_back(v[i]);
        part = Standardized(part, 0, 1e-9);
        for (size_t i = 0; i < at.size(); ++i) want[at[i]] = part[i];
      }
    std::map<std::string, Attribute> attributes;
    if (per_sample) attributes["axes"] = std::vector<int64_t>{-2, 3};
    ExpectNear(One("MeanVarianceNormalization", 13, {x}, kFloat, {3, 2, 2, 5}, attributes), want, 1e-6f);
  }
}

TEST_F(OperatorTest, NaNIsTheExtreme) {
  float nan = NAN;
  Array x = F({4, 4}, {1, nan, 3, nan, nan, 1, 2, 0, 5, 1, 5, 1, 2, 2, 1, 1});
  auto arg = [&](const char* op, int64_t last) {
    return One(op, 13, {x}, kI64, {4, 1}, {{"axis", int64_t{1}}, {"select_last_index", last}}).as<int64_t>();
  };
  using L = std::vector<int64_t>;
  EXPECT_EQ(arg("ArgMax", 0), (L{1, 0, 0, 0}));
  EXPECT_EQ(arg("ArgMax", 1), (L{3, 0, 2, 1}));
  EXPECT_EQ(arg("ArgMin", 0), (L{1, 0, 1, 2}));
  EXPECT_EQ(arg("ArgMin", 1), (L{3, 0, 3, 3}));
}

TEST_F(OperatorTest, CastsOutOfRangeAreAsOnTheReferencePlugin) {
  float inf = INFINITY, nan = NAN;
  Array x = F({10}, {3e9f, -3e9f, 1.9f, -1.9f, nan, inf, -inf, 1e19f, -1e19f, 300});
  constexpr int32_t kMost = INT32_MAX, kLeast = INT32_MIN;
  EXPECT_EQ(One("Cast", 28, {x}, kI32, {10}).as<int32_t>(),
            (std::vector<int32_t>{kMost, kLeast, 1, -1, 0, kMost, kLeast, kMost, kLeast, 300}));
  EXPECT_EQ(One("Cast", 28, {x}, kI64, {10}).as<int64_t>(),
            (std::vector<int64_t>{3000000000, -3000000000, 1, -1, 0, INT64_MAX, INT64_MIN, INT64_MAX,
                                  INT64_MIN, 300}));
  constexpr int32_t kU32 = 12;
  EXPECT_EQ(One("Cast", 28, {x}, kU32, {10}).as<uint32_t>(),
            (std::vector<uint32_t>{3000000000u, 0, 1, 0, 0, UINT32_MAX, 0, UINT32_MAX, 0, 300}));
  // Narrower ones keep the low bits of the 64-bit integer.
  EXPECT_EQ(One("Cast", 28, {x}, kU8, {10}).bytes,
            (std::vector<uint8_t>{0, 0, 1, 255, 0, 255, 0, 255, 0, 44}));
  EXPECT_EQ(One("Cast", 28, {x}, kI8, {10}).bytes,
            (std::vector<uint8_t>{0, 0, 1, 255, 0, 255, 0, 255, 0, 44}));
  Array half = Make<uint16_t>(kHalf, {4}, {0x7c00, 0xfc00, 0x7e00, 0xc100});  // inf, -inf, NaN, -2.5
  EXPECT_EQ(One("Cast", 28, {half}, kI32, {4}).as<int32_t>(), (std::vector<int32_t>{kMost, kLeast, 0, -2}));
}

TEST_F(OperatorTest, ModHasTwoForms) {
  Array a = I({4}, {-7, 7, INT64_MIN, -7}), b = I({4}, {3, -3, -1, -3});
  using L = std::vector<int64_t>;
  EXPECT_EQ(One("Mod", 28, {a, b}, kI64, {4}).as<int64_t>(), (L{2, -2, 0, -1}));
  EXPECT_EQ(One("Mod", 28, {a, b}, kI64, {4}, {{"fmod", int64_t{1}}}).as<int64_t>(), (L{-1, 1, 0, -1}));
  EXPECT_EQ(One("Div", 14, {a, b}, kI64, {4}).as<int64_t>(), (L{-2, -2, INT64_MIN, 2}));
  for (int64_t form : {-1, 2}) {
    Graph graph;
    uint32_t x = graph.Input(kI64, {4}), z = graph.Input(kI64, {4}), y = graph.Output(kI64, {4});
    graph.Node("Mod", 28, {x, z}, {y}, {{"fmod", form}});
    EXPECT_EQ(Judge(graph).code, BRAID_NO_ATTRIBUTE);
  }
}

// lavapipe ends a work item's loops after 65535 iterations without a word: longer ones are right, or refused.
TEST_F(OperatorTest, ALoopThatTheDriverCutsIsRefused) {
  Graph graph;
  graph.Node("ReduceSum", 13, {graph.Input(kFloat, {1 << 20})}, {graph.Output(kFloat, {1})});
  braid_verdict verdict = Judge(graph);
  if (verdict.code == BRAID_YES) {
    ExpectNear(One("ReduceSum", 13, {F({1 << 20}, std::vector<float>(1 << 20, 0.5f))}, kFloat, {1}),
               {524288.0f});
  } else {
    EXPECT_EQ(verdict.code, BRAID_NO_SHAPE);
  }
}

TEST_F(OperatorTest, PoolsAndResize) {
  Array x = F({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  using L = std::vector<int64_t>;
  ExpectNear(One("MaxPool", 22, {x}, kFloat, {1, 1, 2, 2}, {{"kernel_shape", L{2, 2}}}), {5, 6, 8, 9});
  ExpectNear(One("AveragePool", 22, {x}, kFloat, {1, 1, 2, 2},
                 {{"kernel_shape", L{2, 2}}, {"strides", L{2, 2}}, {"pads", L{1, 1, 0, 0}}}),
             {1, 2.5f, 5.5f, 7});
  ExpectNear(One("GlobalAveragePool", 22, {x}, kFloat, {1, 1, 1, 1}), {5});
  Array scales = F({4}, {1, 1, 2, 2}), none = F({0}, {});
  Array image = F({1, 1, 2, 2}, {1, 2, 3, 4});
  ExpectNear(One("Resize", 19, {image, none, scales}, kFloat, {1, 1, 4, 4}, {{"mode", "linear"}},
                 {false, true, true}),
             {1, 1.25f, 1.75f, 2, 1.5f, 1.75f, 2.25f, 2.5f, 2.5f, 2.75f, 3.25f, 3.5f, 3, 3.25f, 3.75f, 4});
  ExpectNear(One("Resize", 19, {image, none, scales}, kFloat, {1, 1, 4, 4}, {{"mode", "nearest"}},
                 {false, true, true}),
             {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
}

TEST_F(OperatorTest, ASegmentOfSeveralNodesSharesItsWorkspace) {
  Graph graph;
  uint32_t x = graph.Input(kFloat, {4, 6}), y = graph.Output(kFloat, {24}), z = graph.Output(kFloat, {6, 4});
  uint32_t now = x;
  for (int i = 0; i < 6; ++i) {
    uint32_t next = graph.Inner(kFloat, {4, 6});
    graph.Node("Add", 14, {now, x}, {next});
    now = next;
  }
  uint32_t t = graph.Inner(kFloat, {6, 4});
  graph.Node("Transpose", 25, {now}, {t}, {{"perm", std::vector<int64_t>{1, 0}}});
  graph.Node("Identity", 25, {t}, {z});
  graph.Node("Reshape", 25, {now, graph.Constant(I({1}, {24}))}, {y});
  Array in = Random({4, 6}, 13);
  auto out = Run(graph, {{x, in}});
  auto v = in.as<float>();
  std::vector<float> want_y(24), want_z(24);
  for (size_t i = 0; i < 24; ++i) {
    float sum = v[i];
    for (int k = 0; k < 6; ++k) sum += v[i];
    want_y[i] = want_z[(i % 6) * 4 + i / 6] = sum;
  }
  ExpectNear(out[y], want_y, 0, 0);
  ExpectNear(out[z], want_z, 0, 0);
}

TEST_F(OperatorTest, TensorsWithoutElements) {
  EXPECT_TRUE(One("Relu", 14, {F({0, 3}, {})}, kFloat, {0, 3}).bytes.empty());
  ExpectNear(One("ReduceSum", 13, {F({2, 0}, {}), I({1}, {1})}, kFloat, {2, 1}, {}, {false, true}), {0, 0});
  ExpectNear(One("Concat", 13, {F({0}, {}), F({2}, {1, 2})}, kFloat, {2}, {{"axis", int64_t{0}}}), {1, 2});
  ExpectNear(One("MatMul", 13, {F({2, 0}, {}), F({0, 2}, {})}, kFloat, {2, 2}), {0, 0, 0, 0});
}

}  // namespace
}  // namespace braid::vulkan
