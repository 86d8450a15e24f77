// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/tensor.h"

#include <braid/kit/plugin.h>
#include <gtest/gtest.h>

#include <cstring>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

template <class Body>
std::string ErrorOf(const Body& body) {
  try {
    body();
  } catch (const kit::Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Tensor, CountRefusesWhatCannotBe) {
  EXPECT_EQ(Count(Dims{}), 1);
  EXPECT_EQ(Count(Dims{2, 3, 4}), 24);
  EXPECT_EQ(Count(Dims{int64_t{1} << 40, int64_t{1} << 40, 0}), 0);
  EXPECT_EQ(ErrorOf([] { Count(Dims{2, -1}); }), "negative extent in shape [2,-1]");
  EXPECT_EQ(ErrorOf([] {
              Count(Dims{int64_t{1} << 62, 4});
            }),
            "shape [4611686018427387904,4] has more than 2^40 elements");
  EXPECT_EQ(ErrorOf([] { Count(Dims{(int64_t{1} << 40) + 1}); }),
            "shape [1099511627777] has more than 2^40 elements");
  EXPECT_NE(ErrorOf([] { Tensor(kDouble, {int64_t{1} << 40}); }).find("no memory"), std::string::npos);
}

// ONNX packs the first element into the low bits.
TEST(Tensor, TypesBelowAByteArePackedLowBitsFirst) {
  const uint8_t wire4[] = {0x21, 0xf8, 0x05};
  Tensor u = Tensor::FromWire(kUint4, {5}, wire4, 3, true);
  ExpectTensor<Uint4>(u, {5}, {Uint4(1), Uint4(2), Uint4(8), Uint4(15), Uint4(5)});
  Tensor s = Tensor::FromWire(kInt4, {5}, wire4, 3, true);
  ExpectTensor<Int4>(s, {5}, {Int4(1), Int4(2), Int4(-8), Int4(-1), Int4(5)});
  const uint8_t wire2[] = {0b11100100, 0b01};
  Tensor i2 = Tensor::FromWire(kInt2, {5}, wire2, 2, true);
  ExpectTensor<Int2>(i2, {5}, {Int2(0), Int2(1), Int2(-2), Int2(-1), Int2(1)});
  for (const Tensor* t : {&u, &s}) {
    uint8_t out[3] = {0xff, 0xff, 0xff};
    ASSERT_EQ(t->WireBytes(), 3u);
    t->ToWire(out);
    EXPECT_EQ(0, std::memcmp(out, wire4, 3));
  }
  uint8_t out2[2] = {0xff, 0xff};
  ASSERT_EQ(i2.WireBytes(), 2u);
  i2.ToWire(out2);
  EXPECT_EQ(0, std::memcmp(out2, wire2, 2));
}

TEST(Tensor, StringsCrossAsPairsAndEveryPairIsChecked) {
  Tensor t = Tensor::Of<std::string>({3}, {"ab", "", "\xe4\xb8\xad"});
  ASSERT_EQ(t.WireBytes(), 3 * 16u + 5);
  std::vector<uint64_t> wire(7);
  t.ToWire(wire.data());
  EXPECT_EQ(wire[0], 48u);
  EXPECT_EQ(wire[1], 2u);
  EXPECT_EQ(wire[4], 50u);
  EXPECT_EQ(wire[5], 3u);
  ExpectTensor<std::string>(Tensor::FromWire(kString, {3}, wire.data(), 53, true), {3},
                            {"ab", "", "\xe4\xb8\xad"});
  const std::string outside = "string 2 of a tensor of shape [3] lies outside the tensor's 53 bytes";
  for (auto [offset, length] :
       {std::pair<uint64_t, uint64_t>{50, 4}, {54, 1}, {UINT64_MAX, 2}, {50, UINT64_MAX}, {8, 3}}) {
    std::vector<uint64_t> bad = wire;
    bad[4] = offset;
    bad[5] = length;
    EXPECT_EQ(ErrorOf([&] { Tensor::FromWire(kString, {3}, bad.data(), 53, true); }), outside);
  }
  EXPECT_EQ(ErrorOf([&] { Tensor::FromWire(kString, {4}, wire.data(), 53, true); }),
            "a tensor of string[4] needs 64 bytes, 53 were given");
}

// onnx.proto: four elements of 6 bits in three bytes, the first in the lowest bits.
TEST(Tensor, SixBitTypesStraddleBytes) {
  const uint8_t wire[] = {0x41, 0x30, 0x10, 0x3f};  // codes 1, 1, 3, 4, 63
  const Tensor t = Tensor::FromWire(kFloat6E2M3, {5}, wire, 4, true);
  const uint8_t codes[] = {1, 1, 3, 4, 63};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(t.data<uint8_t>()[i], codes[i]) << i;
  ASSERT_EQ(t.WireBytes(), 4u);
  uint8_t out[5] = {0, 0, 0, 0, 0xaa};
  t.ToWire(out);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], wire[i]) << i;
  EXPECT_EQ(out[4], 0xaa);
}

TEST(Tensor, FromWireBorrowsOnlyWhatItMay) {
  alignas(8) float values[] = {1, 2, 3};
  EXPECT_EQ(Tensor::FromWire(kFloat, {3}, values, 12, true).raw(), values);
  EXPECT_NE(Tensor::FromWire(kFloat, {3}, values, 12, false).raw(), values);
  char* odd = reinterpret_cast<char*>(values) + 1;
  EXPECT_NE(Tensor::FromWire(kFloat, {2}, odd, 8, true).raw(), odd);
  const uint8_t bools[] = {0, 1, 7};
  ExpectTensor<bool>(Tensor::FromWire(kBool, {3}, bools, 3, true), {3}, {false, true, true});
  EXPECT_EQ(ErrorOf([&] { Tensor::FromWire(kFloat, {4}, values, 12, true); }),
            "a tensor of float32[4] needs 16 bytes, 12 were given");
  EXPECT_EQ(ErrorOf([&] { Tensor::FromWire(77, {1}, values, 12, true); }),
            "unknown element type 77 is not an element type of tensors");
}

TEST(Tensor, ConversionsAndReshape) {
  EXPECT_EQ(Tensor::Of<int32_t>({2}, {-5, 7}).AsInts(), (Ints{-5, 7}));
  EXPECT_EQ(Tensor::Of<Int4>({2}, {Int4(-8), Int4(7)}).AsInts(), (Ints{-8, 7}));
  EXPECT_EQ(Tensor::Of<Float16>({1}, {Float16(0.5f)}).AsDouble(0), 0.5);
  EXPECT_EQ(ErrorOf([] { Tensor::Of<float>({1}, {1}).AsInts(); }),
            "integers were expected, float32 was given");
  Tensor t = Tensor::Of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(t.Reshaped({3, 2}).raw(), t.raw());
  EXPECT_EQ(ErrorOf([&] { (void)t.Reshaped({4}); }), "a tensor of shape [2,3] cannot take the shape [4]");
}

TEST(Broadcast, RowsAreMergedAndStepsAreThoseOfTheShapes) {
  Dims out{2, 3, 4};
  EXPECT_EQ(BroadcastStrides({3, 1}, out), (Dims{0, 1, 0}));
  EXPECT_EQ(BroadcastStrides({2, 3, 4}, out), (Dims{12, 4, 1}));
  EXPECT_EQ(BroadcastStrides({}, out), (Dims{0, 0, 0}));
  int rows = 0;
  std::vector<int64_t> seen;
  ForEachRow<2>(out, {BroadcastStrides({2, 3, 4}, out), BroadcastStrides({2, 1, 1}, out)},
                [&](int64_t at, const auto& offsets, int64_t count, const auto& inner) {
                  ++rows;
                  EXPECT_EQ(count, 12);
                  EXPECT_EQ(at, offsets[0]);
                  EXPECT_EQ(inner[0], 1);
                  EXPECT_EQ(inner[1], 0);
                  seen.push_back(offsets[1]);
                });
  EXPECT_EQ(rows, 2);
  EXPECT_EQ(seen, (Ints{0, 1}));
}

}  // namespace
}  // namespace braid::reference
