// SPDX-License-Identifier: Apache-2.0
//
// Expectations: worked by hand, from numpy where it says so, or from the operators' text in ONNX 1.23.2.
#include <cmath>
#include <limits>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
constexpr int64_t kLeast64 = std::numeric_limits<int64_t>::min();

Tensor F(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), std::move(values));
}
Tensor I(Dims dims, std::vector<int32_t> values) {
  return Tensor::Of<int32_t>(std::move(dims), std::move(values));
}

TEST(Math, AddBroadcastsBothWays) {
  auto out = RunOp("Add", {F({2, 1}, {10, 20}), F({3}, {1, 2, 3})});
  ExpectTensor<float>(out[0], {2, 3}, {11, 12, 13, 21, 22, 23});
  out = RunOp("Sub", {F({}, {1}), F({2, 1, 2}, {1, 2, 3, 4})});
  ExpectTensor<float>(out[0], {2, 1, 2}, {0, -1, -2, -3});
  out = RunOp("Mul", {F({2, 2, 1}, {1, 2, 3, 4}), F({1, 2, 2}, {1, 10, 100, 1000})});
  ExpectTensor<float>(out[0], {2, 2, 2}, {1, 10, 200, 2000, 3, 30, 400, 4000});
}

TEST(Math, EmptyAndScalar) {
  ExpectTensor<float>(RunOp("Add", {F({0, 3}, {}), F({3}, {1, 2, 3})})[0], {0, 3}, {});
  ExpectTensor<float>(RunOp("Add", {F({}, {1}), F({}, {2})})[0], {}, {3});
  ExpectTensor<float>(RunOp("Exp", {F({0}, {})})[0], {0}, {});
  // An empty quotient divides by nothing.
  ExpectTensor<int32_t>(RunOp("Div", {I({0}, {}), I({1}, {0})})[0], {0}, {});
}

TEST(Math, ShapesThatDoNotFit) {
  ExpectFails("Add", {F({2}, {1, 2}), F({3}, {1, 2, 3})}, {}, "[2] and [3] cannot be broadcast");
  ExpectFails("Add", {F({1}, {1}), I({1}, {1})}, {}, "Add 'test': input 1 is int32, input 0 is float32");
}

// Longer than the chunks that run in parallel and the blocks of vectors.
TEST(Math, LongRowsAndColumns) {
  const int64_t rows = 7, columns = 70001;
  std::vector<float> a(rows), b(columns);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 1000);
  Tensor y = RunOp("Add", {F({rows, 1}, a), F({columns}, b)})[0];
  ASSERT_EQ(y.dims(), (Dims{rows, columns}));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      ASSERT_EQ(y.data<float>()[r * columns + c], static_cast<float>(r + c % 1000)) << r << "," << c;
}

TEST(Math, IntegersWrap) {
  ExpectTensor<int8_t>(
      RunOp("Add", {Tensor::Of<int8_t>({2}, {127, -128}), Tensor::Of<int8_t>({2}, {1, -1})})[0], {2},
      {-128, 127});
  ExpectTensor<uint16_t>(RunOp("Mul", {Tensor::Scalar<uint16_t>(65535), Tensor::Scalar<uint16_t>(65535)})[0],
                         {}, {1});
  ExpectTensor<int64_t>(RunOp("Sub", {Tensor::Scalar<int64_t>(kLeast64), Tensor::Scalar<int64_t>(1)})[0], {},
                        {INT64_MAX});
  ExpectTensor<int32_t>(RunOp("Neg", {I({2}, {kLeast, 5})})[0], {2}, {kLeast, -5});
  ExpectTensor<int32_t>(RunOp("Abs", {I({2}, {kLeast, -5})})[0], {2}, {kLeast, 5});
}

TEST(Math, IntegerDivision) {
  ExpectTensor<int32_t>(RunOp("Div", {I({5}, {7, -7, 7, -7, kLeast}), I({5}, {2, 2, -2, -2, -1})})[0], {5},
                        {3, -3, -3, 3, kLeast});
  ExpectFails("Div", {I({2, 2}, {1, 2, 3, 4}), I({2, 2}, {1, 1, 0, 1})}, {},
              "integer division by zero: element [1,0] of B is 0");
  ExpectFails("Mod", {I({1}, {1}), I({1}, {0})}, {}, "integer division by zero");
  ExpectTensor<float>(RunOp("Div", {F({3}, {1, -1, 0}), F({3}, {0, 0, 0})})[0], {3}, {kInf, -kInf, kNaN});
}

// numpy.mod and numpy.fmod; special cases from the operator's text.
TEST(Math, Mod) {
  Tensor a = I({6}, {-4, 7, 5, 4, -7, 8}), b = I({6}, {2, -3, 8, -2, 3, 5});
  ExpectTensor<int32_t>(RunOp("Mod", {a, b})[0], {6}, {0, -2, 5, 0, 2, 3});
  ExpectTensor<int32_t>(RunOp("Mod", {a, b}, {{"fmod", 1}})[0], {6}, {0, 1, 5, 0, -1, 3});
  ExpectTensor<int64_t>(RunOp("Mod", {Tensor::Scalar<int64_t>(kLeast64), Tensor::Scalar<int64_t>(-1)})[0], {},
                        {0});
  Tensor y = RunOp("Mod", {F({6}, {5, -5, 3, -3, kInf, 1}), F({6}, {-3, 3, kInf, kInf, 2, 0})})[0];
  ExpectTensor<float>(y, {6}, {-1, 1, 3, kInf, kNaN, kNaN});
  y = RunOp("Mod", {F({2}, {0.0f, -0.0f}), F({2}, {-2, 2})})[0];
  EXPECT_TRUE(std::signbit(y.data<float>()[0]));
  EXPECT_FALSE(std::signbit(y.data<float>()[1]));
  EXPECT_EQ(JudgeOp("Mod", {a, b}, {{"fmod", 2}}), BRAID_NO_ATTRIBUTE);
}

TEST(Math, PowTypes) {
  ExpectTensor<float>(RunOp("Pow", {F({4}, {2, 3, -2, 0}), F({4}, {3, 0.5f, 2, 0})})[0], {4},
                      {8, std::sqrt(3.0f), 4, 1}, 1e-6);
  ExpectTensor<float>(RunOp("Pow", {F({3}, {1, -2, 3}), F({}, {2})})[0], {3}, {1, 4, 9});
  ExpectTensor<float>(RunOp("Pow", {F({2}, {2, 10}), Tensor::Of<int64_t>({2}, {-1, 3})})[0], {2},
                      {0.5f, 1000});
  ExpectTensor<int32_t>(RunOp("Pow", {I({4}, {2, -3, 10, 2}), Tensor::Of<uint8_t>({4}, {10, 3, 0, 33})})[0],
                        {4}, {1024, -27, 1, 0});
  ExpectTensor<int64_t>(
      RunOp("Pow", {Tensor::Of<int64_t>({3}, {3, -1, 2}), Tensor::Of<int64_t>({3}, {39, -3, -1})})[0], {3},
      {4052555153018976267, -1, 0});
  ExpectTensor<int32_t>(RunOp("Pow", {I({2}, {4, 2}), F({2}, {0.5f, 40})})[0], {2}, {2, INT32_MAX});
  ExpectFails("Pow", {I({1}, {0}), I({1}, {-1})}, {}, "0 cannot be raised to the negative power -1");
}

TEST(Math, VariadicsFoldInFloatAndRoundOnce) {
  ExpectTensor<float>(RunOp("Sum", {F({2}, {1, 2}), F({1}, {10}), F({2, 1}, {100, 200})})[0], {2, 2},
                      {111, 112, 211, 212});
  ExpectTensor<float>(RunOp("Mean", {F({2}, {1, 2}), F({2}, {3, 4}), F({2}, {5, 9})})[0], {2}, {3, 5});
  ExpectTensor<float>(RunOp("Mean", {F({1}, {4})})[0], {1}, {4});
  ExpectTensor<float>(RunOp("Max", {F({3}, {1, kNaN, 3}), F({3}, {2, 2, kNaN}), F({}, {0})})[0], {3},
                      {2, kNaN, kNaN});
  ExpectTensor<uint8_t>(
      RunOp("Min", {Tensor::Of<uint8_t>({2}, {200, 3}), Tensor::Of<uint8_t>({2}, {100, 4})})[0], {2},
      {100, 3});
  // 2048 + 1 + 1 is 2048 if each sum is rounded to float16, whose spacing there is 2.
  Tensor y = RunOp("Sum", {Tensor::Scalar(Float16(2048.0f)), Tensor::Scalar(Float16(1.0f)),
                           Tensor::Scalar(Float16(1.0f))})[0];
  EXPECT_EQ(static_cast<float>(y.data<Float16>()[0]), 2050.0f);
}

TEST(Math, Clip) {
  Tensor x = F({5}, {-5, -1, 0, 3, kNaN});
  ExpectTensor<float>(RunOp("Clip", {x, F({}, {-2}), F({}, {2})})[0], {5}, {-2, -1, 0, 2, kNaN});
  ExpectTensor<float>(RunOp("Clip", {x, Tensor(), F({}, {2})})[0], {5}, {-5, -1, 0, 2, kNaN});
  ExpectTensor<float>(RunOp("Clip", {x})[0], {5}, {-5, -1, 0, 3, kNaN});
  ExpectTensor<float>(RunOp("Clip", {F({2}, {0, 9}), F({}, {5}), F({}, {1})})[0], {2}, {1, 1});
  ExpectTensor<int64_t>(
      RunOp("Clip", {Tensor::Of<int64_t>({2}, {kLeast64, 9}), Tensor::Scalar<int64_t>(-1)})[0], {2}, {-1, 9});
  ExpectFails("Clip", {x, F({2}, {0, 1})}, {}, "min has shape [2], not that of a scalar");
}

TEST(Math, RoundingAndSigns) {
  Tensor y = RunOp("Round", {F({7}, {0.5f, 1.5f, 2.5f, -0.5f, -2.5f, 2.3f, kInf})})[0];
  ExpectTensor<float>(y, {7}, {0, 2, 2, 0, -2, 2, kInf});
  EXPECT_TRUE(std::signbit(y.data<float>()[3]));
  ExpectTensor<float>(RunOp("Sign", {F({4}, {-3, 0, 2, kNaN})})[0], {4}, {-1, 0, 1, kNaN});
  ExpectTensor<uint8_t>(RunOp("Sign", {Tensor::Of<uint8_t>({2}, {0, 255})})[0], {2}, {0, 1});
  ExpectTensor<float>(RunOp("Ceil", {F({3}, {-1.5f, 1.2f, 2})})[0], {3}, {-1, 2, 2});
  ExpectTensor<float>(RunOp("Floor", {F({3}, {-1.5f, 1.2f, 2})})[0], {3}, {-2, 1, 2});
}

// Values from the tables of Abramowitz and Stegun.
TEST(Math, Functions) {
  ExpectTensor<double>(RunOp("Erf", {Tensor::Of<double>({3}, {0, 0.5, -2})})[0], {3},
                       {0, 0.5204998778130465, -0.9953222650189527}, 1e-15);
  ExpectTensor<float>(RunOp("Exp", {F({4}, {0, 1, -kInf, 100})})[0], {4}, {1, 2.7182818f, 0, kInf}, 1e-7);
  ExpectTensor<float>(RunOp("Log", {F({4}, {1, 0, -1, 10})})[0], {4}, {0, -kInf, kNaN, 2.3025851f}, 1e-7);
  ExpectTensor<float>(RunOp("Sqrt", {F({3}, {4, -1, 2})})[0], {3}, {2, kNaN, 1.4142135f}, 1e-7);
  ExpectTensor<double>(RunOp("Sin", {Tensor::Of<double>({2}, {1, 1e6})})[0], {2},
                       {0.8414709848078965, -0.3499935021712930}, 1e-14);
  ExpectTensor<float>(RunOp("Acosh", {F({3}, {1, 10, 0.5f})})[0], {3}, {0, 2.9932228f, kNaN}, 1e-6);
  ExpectTensor<float>(RunOp("Atanh", {F({3}, {1, 0.5f, 2})})[0], {3}, {kInf, 0.54930615f, kNaN}, 1e-6);
  Tensor y = RunOp("Cosh", {Tensor::Scalar(Float16(1.0f))})[0];
  EXPECT_EQ(static_cast<float>(y.data<Float16>()[0]), 1.54296875f);  // 1.5430806 to 11 bits
}

TEST(Math, SpecialValues) {
  Tensor x = F({5}, {1, kNaN, kInf, -kInf, 0});
  ExpectTensor<bool>(RunOp("IsNaN", {x})[0], {5}, {false, true, false, false, false});
  ExpectTensor<bool>(RunOp("IsInf", {x})[0], {5}, {false, false, true, true, false});
  ExpectTensor<bool>(RunOp("IsInf", {x}, {{"detect_negative", 0}})[0], {5},
                     {false, false, true, false, false});
  ExpectTensor<bool>(RunOp("IsInf", {x}, {{"detect_positive", 0}})[0], {5},
                     {false, false, false, true, false});
  Tensor small =
      Tensor::Of<Float8E5M2>({3}, {Float8E5M2::FromBits(0x7c), Float8E5M2::FromBits(0x7e), Float8E5M2(1.0f)});
  ExpectTensor<bool>(RunOp("IsInf", {small})[0], {3}, {true, false, false});
  ExpectTensor<bool>(RunOp("IsNaN", {small})[0], {3}, {false, true, false});
}

TEST(Compare, All) {
  Tensor a = F({4}, {1, 2, 3, kNaN}), b = F({4}, {2, 2, 2, kNaN});
  ExpectTensor<bool>(RunOp("Less", {a, b})[0], {4}, {true, false, false, false});
  ExpectTensor<bool>(RunOp("LessOrEqual", {a, b})[0], {4}, {true, true, false, false});
  ExpectTensor<bool>(RunOp("Greater", {a, b})[0], {4}, {false, false, true, false});
  ExpectTensor<bool>(RunOp("GreaterOrEqual", {a, b})[0], {4}, {false, true, true, false});
  ExpectTensor<bool>(RunOp("Equal", {a, b})[0], {4}, {false, true, false, false});
  ExpectTensor<bool>(RunOp("Equal", {F({}, {0.0f}), F({}, {-0.0f})})[0], {}, {true});
  Tensor words = Tensor::Of<std::string>({2}, {"a", "b"});
  ExpectTensor<bool>(RunOp("Equal", {words, Tensor::Of<std::string>({1}, {"b"})})[0], {2}, {false, true});
  Tensor big = Tensor::Of<uint64_t>({1}, {UINT64_MAX});
  ExpectTensor<bool>(RunOp("Greater", {big, Tensor::Of<uint64_t>({1}, {UINT64_MAX - 1})})[0], {1}, {true});
}

TEST(Compare, LogicAndBits) {
  Tensor p = Tensor::Of<bool>({4}, {true, true, false, false}),
         q = Tensor::Of<bool>({4}, {true, false, true, false});
  ExpectTensor<bool>(RunOp("And", {p, q})[0], {4}, {true, false, false, false});
  ExpectTensor<bool>(RunOp("Or", {p, q})[0], {4}, {true, true, true, false});
  ExpectTensor<bool>(RunOp("Xor", {p, q})[0], {4}, {false, true, true, false});
  ExpectTensor<bool>(RunOp("Not", {p})[0], {4}, {false, false, true, true});
  ExpectTensor<int32_t>(RunOp("BitwiseAnd", {I({2}, {-1, 12}), I({2}, {255, 10})})[0], {2}, {255, 8});
  ExpectTensor<int32_t>(RunOp("BitwiseOr", {I({1}, {12}), I({1}, {10})})[0], {1}, {14});
  ExpectTensor<int32_t>(RunOp("BitwiseXor", {I({1}, {12}), I({1}, {10})})[0], {1}, {6});
  ExpectTensor<uint8_t>(RunOp("BitwiseNot", {Tensor::Of<uint8_t>({1}, {0x0f})})[0], {1}, {0xf0});
}

TEST(Compare, BitShift) {
  ExpectTensor<uint8_t>(
      RunOp("BitShift", {Tensor::Of<uint8_t>({4}, {16, 4, 1, 255}), Tensor::Of<uint8_t>({4}, {1, 2, 8, 7})},
            {{"direction", "RIGHT"}})[0],
      {4}, {8, 1, 0, 1});
  ExpectTensor<uint8_t>(
      RunOp("BitShift", {Tensor::Of<uint8_t>({3}, {16, 129, 1}), Tensor::Of<uint8_t>({3}, {1, 1, 200})},
            {{"direction", "LEFT"}})[0],
      {3}, {32, 2, 0});
  Tensor x = I({5}, {-8, -8, 8, -8, 8}), by = I({5}, {1, 32, 32, -1, -1});
  ExpectTensor<int32_t>(RunOp("BitShift", {x, by}, {{"direction", "RIGHT"}})[0], {5}, {-4, -1, 0, -1, 0});
  ExpectTensor<int32_t>(RunOp("BitShift", {x, by}, {{"direction", "LEFT"}})[0], {5}, {-16, 0, 0, 0, 0});
  EXPECT_EQ(JudgeOp("BitShift", {x, by}, {{"direction", "UP"}}), BRAID_NO_ATTRIBUTE);
}

TEST(Math, TypesThatAreRefused) {
  EXPECT_EQ(JudgeOp("Exp", {I({1}, {1})}), BRAID_NO_TYPE);
  EXPECT_EQ(JudgeOp("Neg", {Tensor::Of<uint8_t>({1}, {1})}), BRAID_NO_TYPE);
  EXPECT_EQ(JudgeOp("Sum", {I({1}, {1})}), BRAID_NO_TYPE);
  EXPECT_EQ(JudgeOp("Less", {Tensor::Of<bool>({1}, {true}), Tensor::Of<bool>({1}, {true})}), BRAID_NO_TYPE);
}

}  // namespace
}  // namespace braid::reference
