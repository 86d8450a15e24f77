// SPDX-License-Identifier: Apache-2.0
#include "core/run/tensor_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/run/host_ops.h"

namespace braid {
namespace {

using ::testing::ElementsAre;

constexpr ElementType kUint8 = 2, kInt64 = 7, kString = 8, kUint4 = 21, kFloat6 = 27;

HostTensor Tensor(ElementType type, std::vector<int64_t> dims, const std::vector<uint8_t>& bytes) {
  HostTensor t;
  t.type = type;
  t.dims = std::move(dims);
  t.bytes = bytes.size();
  std::shared_ptr<uint8_t> data(HostAlloc(t.bytes), HostFree());
  std::copy(bytes.begin(), bytes.end(), data.get());
  t.data = std::move(data);
  return t;
}

std::vector<uint8_t> BytesOf(const HostTensor& t) { return {t.data.get(), t.data.get() + t.bytes}; }

TEST(TensorBlocksTest, SlicesAlongAnAxis) {
  const HostTensor t = Tensor(kUint8, {2, 3}, {1, 2, 3, 4, 5, 6});
  auto columns = SliceAxis(t, 1, 1, 2);
  ASSERT_TRUE(columns.ok()) << columns.status();
  EXPECT_THAT(columns->dims, ElementsAre(2, 2));
  EXPECT_THAT(BytesOf(*columns), ElementsAre(2, 3, 5, 6));
  auto row = SliceAxis(t, 0, 1, 1);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_THAT(BytesOf(*row), ElementsAre(4, 5, 6));
}

TEST(TensorBlocksTest, NothingIsATensorToo) {
  auto none = SliceAxis(Tensor(kUint8, {2, 3}, {1, 2, 3, 4, 5, 6}), 0, 1, 0);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->dims, ElementsAre(0, 3));
  auto joined = ConcatAxis({*none, *none}, 0);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_THAT(joined->dims, ElementsAre(0, 3));
  EXPECT_EQ(joined->bytes, 0u);
}

// The first of two elements lies in the low half of a byte; unused bits are 0.
TEST(TensorBlocksTest, ElementsBelowAByteKeepTheirOrder) {
  const HostTensor t = Tensor(kUint4, {5}, {0x21, 0x43, 0x05});  // 1 2 3 4 5
  auto part = SliceAxis(t, 0, 1, 3);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_THAT(BytesOf(*part), ElementsAre(0x32, 0x04));
  auto joined = ConcatAxis({*part, t}, 0);  // 2 3 4 1 2 3 4 5
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_THAT(joined->dims, ElementsAre(8));
  EXPECT_THAT(BytesOf(*joined), ElementsAre(0x32, 0x14, 0x32, 0x54));
}

// Four elements of 6 bits take three bytes.
TEST(TensorBlocksTest, ElementsOfSixBitsLieInTwoBytes) {
  const HostTensor t = Tensor(kFloat6, {5}, {0x81, 0x30, 0x10, 0x05});  // 1 2 3 4 5
  auto part = SliceAxis(t, 0, 1, 3);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_THAT(BytesOf(*part), ElementsAre(0xc2, 0x40, 0x00));
  auto joined = ConcatAxis({*part, t}, 0);  // 2 3 4 1 2 3 4 5
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_THAT(BytesOf(*joined), ElementsAre(0xc2, 0x40, 0x04, 0xc2, 0x40, 0x14));
}

TEST(TensorBlocksTest, StringsMoveWithTheirCharacters) {
  std::vector<uint8_t> bytes(32 + 3);
  const uint64_t pairs[] = {32, 1, 33, 2};
  std::memcpy(bytes.data(), pairs, sizeof pairs);
  std::memcpy(bytes.data() + 32, "abc", 3);
  auto second = SliceAxis(Tensor(kString, {2}, bytes), 0, 1, 1);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->bytes, 18u);
  EXPECT_EQ(std::memcmp(second->data.get() + 16, "bc", 2), 0);
  // A pair that points beyond the tensor is refused.
  bytes[24] = 9;
  EXPECT_FALSE(SliceAxis(Tensor(kString, {2}, bytes), 0, 0, 1).ok());
}

TEST(TensorBlocksTest, JoinsOnlyWhatFits) {
  const HostTensor a = Tensor(kUint8, {1, 2}, {1, 2}), b = Tensor(kUint8, {1, 1}, {3});
  auto joined = ConcatAxis({a, b}, 1);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_THAT(BytesOf(*joined), ElementsAre(1, 2, 3));
  EXPECT_EQ(ConcatAxis({a, b}, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ConcatAxis({a}, 2).status().code(), absl::StatusCode::kInvalidArgument);
}

// ---- Operators on sequences

absl::StatusOr<RunValue> SequenceAt(int64_t position) {
  Graph graph;
  Node node;
  node.op = "SequenceAt";
  node.inputs = {0, 1};
  node.outputs = {2};
  HostCall call{graph, node, {}, {}, {}, {}, nullptr};
  call.inputs.resize(2);
  call.inputs[0].kind = ValueKind::kSequence;
  for (uint8_t i = 0; i < 3; ++i) {
    call.inputs[0].items.emplace_back();
    call.inputs[0].items.back().tensor = Tensor(kUint8, {1}, {i});
  }
  auto at = ScalarInt64(position);
  if (!at.ok()) return at.status();
  EXPECT_EQ(at->type, kInt64);
  call.inputs[1].tensor = *std::move(at);
  call.outputs.resize(1);
  if (absl::Status s = RunHostOp(&call); !s.ok()) return s;
  return std::move(call.outputs[0]);
}

TEST(HostOpsTest, PositionsCountFromBothEnds) {
  for (int64_t i = -3; i < 3; ++i) {
    auto item = SequenceAt(i);
    ASSERT_TRUE(item.ok()) << item.status();
    EXPECT_THAT(BytesOf(item->tensor), ElementsAre((i + 3) % 3));
  }
  for (int64_t i : {int64_t{-4}, int64_t{3}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(SequenceAt(i).status().code(), absl::StatusCode::kInvalidArgument) << i;
}

}  // namespace
}  // namespace braid
