// SPDX-License-Identifier: Apache-2.0
//
// Expectations: the tables of Cast in ONNX 1.23.2, IEEE 754 and the formats' papers, by hand.
#include <cmath>
#include <limits>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor F(std::vector<float> values) {
  Dims dims = {static_cast<int64_t>(values.size())};
  return Tensor::Of<float>(dims, std::move(values));
}
Tensor S(std::vector<std::string> values) {
  Dims dims = {static_cast<int64_t>(values.size())};
  return Tensor::Of<std::string>(dims, std::move(values));
}
Tensor CastTo(const Tensor& x, int32_t to, std::vector<Attr> attrs = {}) {
  attrs.emplace_back("to", to);
  return RunOp("Cast", {x}, attrs)[0];
}
std::vector<int> Bits(const Tensor& t) { return {t.data<uint8_t>(), t.data<uint8_t>() + t.size()}; }

TEST(Cast, BetweenNumbers) {
  ExpectTensor<int32_t>(CastTo(F({1.9f, -1.9f, kNaN, 1e20f, -kInf}), kInt32), {5},
                        {1, -1, 0, INT32_MAX, INT32_MIN});
  ExpectTensor<int8_t>(CastTo(Tensor::Of<int16_t>({2}, {200, -129}), kInt8), {2}, {-56, 127});
  ExpectTensor<uint64_t>(CastTo(Tensor::Of<int8_t>({1}, {-1}), kUint64), {1}, {UINT64_MAX});
  ExpectTensor<int64_t>(CastTo(Tensor::Of<uint64_t>({1}, {UINT64_MAX}), kInt64), {1}, {-1});
  ExpectTensor<bool>(CastTo(F({0, -0.0f, 0.1f, kNaN}), kBool), {4}, {false, false, true, true});
  ExpectTensor<float>(CastTo(Tensor::Of<bool>({2}, {true, false}), kFloat), {2}, {1, 0});
  ExpectTensor<double>(CastTo(Tensor::Of<int64_t>({1}, {9007199254740993}), kDouble), {1},
                       {9007199254740992.0});
  ExpectTensor<float>(CastTo(Tensor::Of<double>({2}, {1e300, 0.1}), kFloat), {2}, {kInf, 0.1f});
  EXPECT_EQ(CastTo(F({70000}), kFloat16).data<Float16>()[0].bits, 0x7c00);
  ExpectTensor<float>(RunOp("Cast", {Tensor::Of<int32_t>({0, 2}, {})}, {{"to", kFloat}})[0], {0, 2}, {});
}

// 2^62 + 2^54 + 1 lies just above the middle of two bfloat16 values. Through a double it would be the middle
// itself, and go down to the even one.
TEST(Cast, IntegersAreRoundedOnce) {
  Tensor y = CastTo(Tensor::Of<int64_t>({2}, {(int64_t{1} << 62) + (int64_t{1} << 54) + 1,
                                              (int64_t{1} << 62) + (int64_t{1} << 54)}),
                    kBFloat16);
  EXPECT_EQ(y.data<BFloat16>()[0].bits, 0x5e81);
  EXPECT_EQ(y.data<BFloat16>()[1].bits, 0x5e80);
  // Half a unit above 1 in bfloat16, and a little more, from double: float would lose the little.
  y = CastTo(Tensor::Of<double>({1}, {1 + 0x1p-8 + 0x1p-40}), kBFloat16);
  EXPECT_EQ(y.data<BFloat16>()[0].bits, 0x3f81);
}

TEST(Cast, NarrowIntegers) {
  ExpectTensor<Int4>(CastTo(Tensor::Of<int32_t>({3}, {7, 8, -9}), kInt4), {3}, {Int4(7), Int4(-8), Int4(7)});
  ExpectTensor<Uint2>(CastTo(Tensor::Of<uint8_t>({3}, {3, 4, 255}), kUint2), {3},
                      {Uint2(3), Uint2(0), Uint2(3)});
  ExpectTensor<float>(CastTo(Tensor::Of<Int2>({4}, {Int2(-2), Int2(-1), Int2(0), Int2(1)}), kFloat), {4},
                      {-2, -1, 0, 1});
}

TEST(Cast, Float8ByTheTable) {
  const Tensor x = F({0, -0.0f, kNaN, kInf, -kInf, 1e6f, -1e6f, 1.0f});
  EXPECT_EQ(Bits(CastTo(x, kFloat8E4M3FN)), (std::vector<int>{0, 0x80, 0x7f, 0x7e, 0xfe, 0x7e, 0xfe, 0x38}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E4M3FNUZ)), (std::vector<int>{0, 0, 0x80, 0x7f, 0xff, 0x7f, 0xff, 0x40}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E5M2)), (std::vector<int>{0, 0x80, 0x7e, 0x7b, 0xfb, 0x7b, 0xfb, 0x3c}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E5M2FNUZ)), (std::vector<int>{0, 0, 0x80, 0x7f, 0xff, 0x7f, 0xff, 0x40}));
  const std::vector<Attr> loose = {{"saturate", 0}};
  EXPECT_EQ(Bits(CastTo(x, kFloat8E4M3FN, loose)),
            (std::vector<int>{0, 0x80, 0x7f, 0x7f, 0xff, 0x7f, 0xff, 0x38}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E4M3FNUZ, loose)),
            (std::vector<int>{0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E5M2, loose)),
            (std::vector<int>{0, 0x80, 0x7e, 0x7c, 0xfc, 0x7c, 0xfc, 0x3c}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E5M2FNUZ, loose)),
            (std::vector<int>{0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}));
}

TEST(Cast, SmallFloats) {
  // OCP microscaling: e2m1 has 0, 0.5, 1, 1.5, 2, 3, 4, 6; e2m3 ends at 7.5, e3m2 at 28.
  EXPECT_EQ(Bits(CastTo(F({0.25f, 0.75f, 1.25f, 2.5f, 5, 100, -3}), kFloat4E2M1)),
            (std::vector<int>{0, 2, 2, 4, 6, 7, 13}));
  EXPECT_EQ(Bits(CastTo(F({0.125f, 1, 7.5f, 100, -kInf}), kFloat6E2M3)),
            (std::vector<int>{1, 8, 31, 31, 63}));
  EXPECT_EQ(Bits(CastTo(F({0.0625f, 1, 28, 100, -1}), kFloat6E3M2)), (std::vector<int>{1, 12, 31, 31, 44}));
  ExpectTensor<float>(
      CastTo(Tensor::Of<Float6E3M2>({2}, {Float6E3M2::FromBits(31), Float6E3M2::FromBits(33)}), kFloat), {2},
      {28, -0.0625f});
}

TEST(Cast, Float8E8M0Rounds) {
  const Tensor x = F({1, 1.25f, 1.5f, 1.75f, 3, kNaN});
  EXPECT_EQ(Bits(CastTo(x, kFloat8E8M0)), (std::vector<int>{127, 128, 128, 128, 129, 255}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E8M0, {{"round_mode", "down"}})),
            (std::vector<int>{127, 127, 127, 127, 128, 255}));
  EXPECT_EQ(Bits(CastTo(x, kFloat8E8M0, {{"round_mode", "nearest"}})),
            (std::vector<int>{127, 127, 128, 128, 129, 255}));
  const Tensor ends = Tensor::Of<double>({5}, {0, HUGE_VAL, 0x1p127, 0x1.8p127, 0x1p-128});
  EXPECT_EQ(Bits(CastTo(ends, kFloat8E8M0)), (std::vector<int>{0, 254, 254, 254, 0}));
  EXPECT_EQ(Bits(CastTo(ends, kFloat8E8M0, {{"round_mode", "nearest"}, {"saturate", 0}})),
            (std::vector<int>{255, 255, 254, 255, 255}));
  ExpectFails("Cast", {x}, {{"to", kFloat8E8M0}, {"round_mode", "odd"}}, "round_mode is 'odd'");
}

TEST(Cast, StringsToNumbers) {
  ExpectTensor<float>(CastTo(S({"3.14", "1000", "1e-5", "1E8", "+INF", "-inf", "NaN", " 2 "}), kFloat), {8},
                      {3.14f, 1000, 1e-5f, 1e8f, kInf, -kInf, kNaN, 2});
  ExpectTensor<double>(CastTo(S({"1e400", "-1e-400"}), kDouble), {2}, {HUGE_VAL, 0});
  ExpectTensor<int64_t>(CastTo(S({"9223372036854775807", "100.5", "-7", "+3"}), kInt64), {4},
                        {INT64_MAX, 100, -7, 3});
  ExpectTensor<uint64_t>(CastTo(S({"18446744073709551615"}), kUint64), {1}, {UINT64_MAX});
  ExpectTensor<bool>(CastTo(S({"True", "false", "0", "2"}), kBool), {4}, {true, false, false, true});
  ExpectFails("Cast", {S({"1", "Hello World!"})}, {{"to", kFloat}},
              "element 1 is the string 'Hello World!', which is not a number");
  ExpectFails("Cast", {S({""})}, {{"to", kInt32}}, "which is not a number");
  ExpectFails("Cast", {S({"+-1"})}, {{"to", kFloat}}, "which is not a number");
}

// As numpy writes them; infinities and NaN as Cast names them.
TEST(Cast, NumbersToStrings) {
  ExpectTensor<std::string>(
      CastTo(F({1, 0.1f, -2.5f, 1e20f, 1e-7f, 1e-4f, 0.47892547f, kInf, -kInf, kNaN}), kString), {10},
      {"1.0", "0.1", "-2.5", "1e+20", "1e-07", "1e-04", "0.47892547", "INF", "-INF", "NaN"});
  ExpectTensor<std::string>(CastTo(Tensor::Of<double>({2}, {314.15926, 123456789012345.0}), kString), {2},
                            {"314.15926", "123456789012345.0"});
  ExpectTensor<std::string>(CastTo(Tensor::Of<int64_t>({1}, {INT64_MIN}), kString), {1},
                            {"-9223372036854775808"});
  ExpectTensor<std::string>(CastTo(Tensor::Of<uint8_t>({1}, {65}), kString), {1}, {"65"});
  ExpectTensor<std::string>(CastTo(Tensor::Of<Int4>({1}, {Int4(-8)}), kString), {1}, {"-8"});
  ExpectTensor<std::string>(CastTo(Tensor::Of<bool>({2}, {true, false}), kString), {2}, {"True", "False"});
}

// Float16 as onnx.reference writes it, bfloat16 by the same rule; in smaller types the exact value, as ONNX
// Runtime.
TEST(Cast, NarrowFloatsToStrings) {
  const auto text = [](std::vector<float> values, int32_t type) {
    return CastTo(CastTo(F(std::move(values)), type), kString);
  };
  ExpectTensor<std::string>(
      text({0.1f, 3.14f, -1.0f / 3, 123.456f, 1e-4f, 1e-5f, 0x1p-6f, 0x1p-24f, -0.0f, kInf, kNaN}, kFloat16),
      {11},
      {"0.1", "3.14", "-0.3333", "123.44", "0.0001", "1e-05", "0.01563", "6e-08", "-0.0", "INF", "NaN"});
  ExpectTensor<std::string>(text({65504, 2048}, kFloat16), {2}, {"65500.0", "2048.0"});
  ExpectTensor<std::string>(text({0.1f, 3.14f, 1e30f, -0x1p64f, 1e-40f}, kBFloat16), {5},
                            {"0.1", "3.14", "1e+30", "-1.85e+19", "9e-41"});
  ExpectTensor<std::string>(text({0.1f, 3.14f, 448}, kFloat8E4M3FN), {3}, {"0.1015625", "3.25", "448.0"});
  ExpectTensor<std::string>(text({7.5f, 0.125f}, kFloat6E2M3), {2}, {"7.5", "0.125"});
  ExpectTensor<std::string>(text({512}, kFloat8E8M0), {1}, {"512.0"});
}

// What is written reads back the same, for every float16 and bfloat16.
TEST(Cast, TextReadsBack) {
  for (const int32_t type : {kFloat16, kBFloat16}) {
    Tensor x(type, {0x10000});
    for (int i = 0; i < 0x10000; ++i) x.data<uint16_t>()[i] = static_cast<uint16_t>(i);
    const Tensor y = CastTo(CastTo(x, kString), type);
    for (int i = 0; i < 0x10000; ++i) {
      if (!std::isnan(x.AsDouble(i))) {
        ASSERT_EQ(y.data<uint16_t>()[i], i);
      }
    }
  }
}

// Every pair of types: 1 stays 1. ("True", which bool gives, is no number.)
TEST(Cast, EveryPair) {
  for (int32_t from = 1; from <= kFloat6E3M2; ++from) {
    if (Contains(kComplexes, from)) continue;
    const Tensor one = CastTo(F({1}), from);
    for (int32_t to = 1; to <= kFloat6E3M2; ++to) {
      if (Contains(kComplexes, to)) continue;
      const Tensor y = CastTo(one, to);
      ASSERT_EQ(y.type(), to);
      if (to != kString) {
        EXPECT_EQ(y.AsDouble(0), 1.0) << TypeName(from) << " to " << TypeName(to);
      }
      if (from == kBool && to == kString) continue;
      EXPECT_EQ(CastTo(y, kFloat).data<float>()[0], 1.0f) << TypeName(from) << " to " << TypeName(to);
    }
  }
}

TEST(Cast, Refusals) {
  EXPECT_EQ(JudgeOp("Cast", {F({1})}, {{"to", kComplex64}}), BRAID_NO_ATTRIBUTE);
  EXPECT_EQ(JudgeOp("Cast", {F({1})}, {{"to", 99}}), BRAID_NO_ATTRIBUTE);
  EXPECT_EQ(JudgeOp("Cast", {F({1})}, {{"to", (int64_t{1} << 32) + 1}}), BRAID_NO_ATTRIBUTE);
  EXPECT_EQ(JudgeOp("Cast", {F({1})}), BRAID_NO_ATTRIBUTE);
}

TEST(CastLike, TakesTheTypeAlone) {
  ExpectTensor<int32_t>(RunOp("CastLike", {F({1.5f, 2}), Tensor::Of<int32_t>({0}, {})})[0], {2}, {1, 2});
}

TEST(BitCast, KeepsBits) {
  ExpectTensor<int32_t>(RunOp("BitCast", {F({1.0f, -0.0f})}, {{"to", kInt32}})[0], {2},
                        {0x3f800000, INT32_MIN});
  ExpectTensor<Int4>(RunOp("BitCast", {Tensor::Of<Uint4>({2}, {Uint4(15), Uint4(7)})}, {{"to", kInt4}})[0],
                     {2}, {Int4(-1), Int4(7)});
  ExpectTensor<Uint2>(RunOp("BitCast", {Tensor::Of<Int2>({1}, {Int2(-2)})}, {{"to", kUint2}})[0], {1},
                      {Uint2(2)});
  ExpectTensor<double>(RunOp("BitCast", {Tensor::Of<Complex64>({1}, {{0, 1.875f}})}, {{"to", kDouble}})[0],
                       {1}, {1.0});
  ExpectFails("BitCast", {F({1})}, {{"to", kInt64}}, "float32 has 32 bits, int64 has 64");
}

}  // namespace
}  // namespace braid::reference
