// SPDX-License-Identifier: Apache-2.0
//
// The tables are those of ONNX's pages on float8 and float4 (S.EEEE.MMM patterns and their values) and of
// IEEE 754.
#include "plugins/reference/ops/types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace braid::reference {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

template <class T>
void ExpectValues(const std::vector<std::pair<uint32_t, double>>& table) {
  for (auto [bits, value] : table) {
    float got = T::FromBits(static_cast<typename T::storage_type>(bits));
    EXPECT_EQ(got, value) << std::hex << bits;
    EXPECT_EQ(std::signbit(got), std::signbit(value)) << std::hex << bits;
  }
}

TEST(SmallFloat, DecodesTheTablesOfTheSpecification) {
  ExpectValues<Float8E4M3FN>({{0x00, 0},
                              {0x80, -0.0},
                              {0x01, std::ldexp(1, -9)},
                              {0x07, std::ldexp(7, -9)},
                              {0x08, std::ldexp(1, -6)},
                              {0x38, 1},
                              {0x7e, 448},
                              {0xfe, -448}});
  ExpectValues<Float8E4M3FNUZ>({{0x00, 0},
                                {0x01, std::ldexp(1, -10)},
                                {0x07, std::ldexp(7, -10)},
                                {0x08, std::ldexp(1, -7)},
                                {0x40, 1},
                                {0x7f, 240},
                                {0xff, -240}});
  ExpectValues<Float8E5M2>({{0x00, 0},
                            {0x80, -0.0},
                            {0x01, std::ldexp(1, -16)},
                            {0x03, std::ldexp(3, -16)},
                            {0x04, std::ldexp(1, -14)},
                            {0x3c, 1},
                            {0x7b, 57344},
                            {0x7c, kInf},
                            {0xfc, -kInf}});
  ExpectValues<Float8E5M2FNUZ>({{0x00, 0},
                                {0x01, std::ldexp(1, -17)},
                                {0x03, std::ldexp(3, -17)},
                                {0x04, std::ldexp(1, -15)},
                                {0x40, 1},
                                {0x7f, 57344},
                                {0xff, -57344}});
  ExpectValues<Float4E2M1>({{0, 0},
                            {1, .5},
                            {2, 1},
                            {3, 1.5},
                            {4, 2},
                            {5, 3},
                            {6, 4},
                            {7, 6},
                            {8, -0.0},
                            {9, -.5},
                            {10, -1},
                            {11, -1.5},
                            {12, -2},
                            {13, -3},
                            {14, -4},
                            {15, -6}});
  ExpectValues<Float16>({{0x3c00, 1},
                         {0x3555, 0.333251953125},
                         {0x7bff, 65504},
                         {0x0400, std::ldexp(1, -14)},
                         {0x0001, std::ldexp(1, -24)},
                         {0x03ff, std::ldexp(1023, -24)},
                         {0x8000, -0.0},
                         {0x7c00, kInf}});
  ExpectValues<BFloat16>({{0x3f80, 1},
                          {0x4049, 3.140625},
                          {0x7f7f, std::ldexp(255, 120)},
                          {0x0001, std::ldexp(1, -133)},
                          {0x8000, -0.0},
                          {0xff80, -kInf}});
  EXPECT_EQ(float{Float8E8M0::FromBits(127)}, 1);
  EXPECT_EQ(float{Float8E8M0::FromBits(0)}, std::ldexp(1.0f, -127));
  EXPECT_EQ(float{Float8E8M0::FromBits(254)}, std::ldexp(1.0f, 127));
  EXPECT_TRUE(std::isnan(float{Float8E8M0::FromBits(255)}));
}

TEST(SmallFloat, NansAreWhereTheTablesSay) {
  for (uint32_t b : {0x7fu, 0xffu})
    EXPECT_TRUE(std::isnan(float{Float8E4M3FN::FromBits(static_cast<uint8_t>(b))}));
  EXPECT_TRUE(std::isnan(float{Float8E4M3FNUZ::FromBits(0x80)}));
  EXPECT_TRUE(std::isnan(float{Float8E5M2FNUZ::FromBits(0x80)}));
  for (uint32_t b : {0x7du, 0x7eu, 0x7fu, 0xfdu, 0xffu})
    EXPECT_TRUE(std::isnan(float{Float8E5M2::FromBits(static_cast<uint8_t>(b))}));
  for (uint32_t b : {0x7c01u, 0x7e00u, 0xffffu})
    EXPECT_TRUE(std::isnan(float{Float16::FromBits(static_cast<uint16_t>(b))}));
  for (uint32_t b : {0x7f81u, 0x7fc0u, 0xffffu})
    EXPECT_TRUE(std::isnan(float{BFloat16::FromBits(static_cast<uint16_t>(b))}));
}

// Every pattern survives the way to float and back, and every midpoint between neighbours goes to the even
// one.
template <class T>
void ExpectRoundTrip(uint32_t patterns) {
  auto bits_of = [](float f) { return static_cast<uint32_t>(T(f).bits); };
  auto bits_of_double = [](double d) { return static_cast<uint32_t>(T(d).bits); };
  for (uint32_t b = 0; b < patterns; ++b) {
    float value = T::FromBits(static_cast<typename T::storage_type>(b));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float{T(value)})) << std::hex << b;
      continue;
    }
    ASSERT_EQ(bits_of(value), b) << value;
    ASSERT_EQ(bits_of_double(value), b) << value;
    if (b + 1 >= patterns / 2) continue;
    float next = T::FromBits(static_cast<typename T::storage_type>(b + 1));
    if (!std::isfinite(next)) continue;
    double middle = (static_cast<double>(value) + next) / 2;
    uint32_t even = (b & 1) == 0 ? b : b + 1;
    ASSERT_EQ(bits_of_double(middle), even) << middle;
    ASSERT_EQ(bits_of_double(std::nextafter(middle, kInf)), b + 1) << middle;
    ASSERT_EQ(bits_of_double(std::nextafter(middle, 0)), b) << middle;
    if (static_cast<float>(middle) == middle) {
      ASSERT_EQ(bits_of(static_cast<float>(middle)), even) << middle;
      ASSERT_EQ(bits_of(std::nextafter(static_cast<float>(middle), kInf)), b + 1) << middle;
      ASSERT_EQ(bits_of(std::nextafter(static_cast<float>(middle), 0.0f)), b) << middle;
    }
  }
}

TEST(SmallFloat, EveryPatternRoundTripsAndMidpointsGoToEven) {
  ExpectRoundTrip<Float16>(65536);
  ExpectRoundTrip<BFloat16>(65536);
  ExpectRoundTrip<Float8E4M3FN>(256);
  ExpectRoundTrip<Float8E4M3FNUZ>(256);
  ExpectRoundTrip<Float8E5M2>(256);
  ExpectRoundTrip<Float8E5M2FNUZ>(256);
  ExpectRoundTrip<Float4E2M1>(16);
}

// The two tables of the Cast operator, with saturate = 1 and 0.
TEST(SmallFloat, SaturatesAsCastSays) {
  auto e4m3fn = [](double v, bool saturate) {
    return static_cast<int>(Float8E4M3FN::From(v, saturate).bits);
  };
  auto e4m3fnuz = [](double v, bool saturate) {
    return static_cast<int>(Float8E4M3FNUZ::From(v, saturate).bits);
  };
  auto e5m2 = [](double v, bool saturate) { return static_cast<int>(Float8E5M2::From(v, saturate).bits); };
  auto e5m2fnuz = [](double v, bool saturate) {
    return static_cast<int>(Float8E5M2FNUZ::From(v, saturate).bits);
  };
  for (double big : {static_cast<double>(kInf), 1e6, 1e300}) {
    EXPECT_EQ(e4m3fn(big, true), 0x7e);
    EXPECT_EQ(e4m3fn(-big, true), 0xfe);
    EXPECT_EQ(e4m3fnuz(big, true), 0x7f);
    EXPECT_EQ(e4m3fnuz(-big, true), 0xff);
    EXPECT_EQ(e5m2(big, true), 0x7b);
    EXPECT_EQ(e5m2(-big, true), 0xfb);
    EXPECT_EQ(e5m2fnuz(big, true), 0x7f);
    EXPECT_EQ(e5m2fnuz(-big, true), 0xff);
    EXPECT_EQ(e4m3fn(big, false), 0x7f);
    EXPECT_EQ(e4m3fn(-big, false), 0xff);
    EXPECT_EQ(e4m3fnuz(big, false), 0x80);
    EXPECT_EQ(e4m3fnuz(-big, false), 0x80);
    EXPECT_EQ(e5m2(big, false), 0x7c);
    EXPECT_EQ(e5m2(-big, false), 0xfc);
    EXPECT_EQ(e5m2fnuz(big, false), 0x80);
    EXPECT_EQ(int{Float4E2M1(big).bits}, 7);
    EXPECT_EQ(int{Float4E2M1(-big).bits}, 15);
    EXPECT_EQ(int{Float16(big).bits}, 0x7c00);
  }
  // [x] is the rounded value: 464 lies halfway between 448 and the 480 that does not exist, and rounds to
  // 448.
  EXPECT_EQ(e4m3fn(464, false), 0x7e);
  EXPECT_EQ(e4m3fn(465, false), 0x7f);
  EXPECT_EQ(e4m3fn(465, true), 0x7e);
  // No -0 in the ...fnuz types.
  EXPECT_EQ(e4m3fnuz(-0.0, true), 0);
  EXPECT_EQ(e5m2fnuz(-1e-9, false), 0);
  EXPECT_EQ(e4m3fn(-0.0, true), 0x80);
  double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(e4m3fn(nan, true), 0x7f);
  EXPECT_EQ(e4m3fnuz(nan, true), 0x80);
  EXPECT_EQ(e5m2(nan, true) & 0x7c, 0x7c);
  EXPECT_NE(e5m2(nan, true) & 0x03, 0);
  EXPECT_EQ(e5m2fnuz(nan, true), 0x80);
}

TEST(SmallFloat, HalfOverflowsAndUnderflowsAsIeee) {
  EXPECT_EQ(int{Float16(65519.0f).bits}, 0x7bff);
  EXPECT_EQ(int{Float16(65520.0f).bits}, 0x7c00);
  EXPECT_EQ(int{Float16(-65536.0f).bits}, 0xfc00);
  EXPECT_EQ(int{Float16(std::ldexp(1.0f, -25)).bits}, 0);
  EXPECT_EQ(int{Float16(std::nextafter(std::ldexp(1.0f, -25), 1.0f)).bits}, 1);
  EXPECT_EQ(int{Float16(-1e-30f).bits}, 0x8000);
  EXPECT_EQ(int{BFloat16(std::numeric_limits<float>::max()).bits}, 0x7f80);
  // In one rounding from double: 1 + 2^-11 + 2^-40 lies above the midpoint, though as float it is the
  // midpoint.
  EXPECT_EQ(int{Float16(1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40)).bits}, 0x3c01);
}

TEST(NarrowInt, KeepsTheLowBits) {
  EXPECT_EQ(int{Int4(7)}, 7);
  EXPECT_EQ(int{Int4(8)}, -8);
  EXPECT_EQ(int{Int4(-9)}, 7);
  EXPECT_EQ(int{Uint4(255)}, 15);
  EXPECT_EQ(int{Uint4(-1)}, 15);
  EXPECT_EQ(int{Int2(2)}, -2);
  EXPECT_EQ(int{Int2(-3)}, 1);
  EXPECT_EQ(int{Uint2(5)}, 1);
}

TEST(Types, SizesAndNames) {
  EXPECT_EQ(HeldBytes(kFloat), 4u);
  EXPECT_EQ(HeldBytes(kInt2), 1u);
  EXPECT_EQ(HeldBytes(kFloat6E3M2), 1u);
  EXPECT_EQ(HeldBytes(29), 0u);
  EXPECT_EQ(HeldBytes(-1), 0u);
  EXPECT_EQ(WireBits(kUint4), 4);
  EXPECT_EQ(WireBits(kFloat6E2M3), 6);
  EXPECT_EQ(WireBits(kString), 128);
  EXPECT_EQ(WireBits(kComplex128), 128);
  EXPECT_EQ(TypeName(kBFloat16), "bfloat16");
  EXPECT_EQ(TypeName(99), "unknown element type 99");
}

}  // namespace
}  // namespace braid::reference
