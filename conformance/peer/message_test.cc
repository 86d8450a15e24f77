// SPDX-License-Identifier: Apache-2.0
#include "conformance/peer/message.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace braid::conformance {
namespace {

TEST(Message, ValuesComeBackAsTheyWere) {
  const Value half = ValueOf(ValueText(Tensor::Of<reference::Float16>({2}, {reference::Float16(0.5f), {}})));
  EXPECT_EQ(half.tensor.type(), reference::kFloat16);
  EXPECT_EQ(half.tensor.AsDouble(0), 0.5);

  const Value texts = ValueOf(ValueText(Tensor::Of<std::string>({2, 1}, {"", std::string("a\0b", 3)})));
  EXPECT_EQ(texts.tensor.dims(), Dims({2, 1}));
  EXPECT_EQ(texts.tensor.data<std::string>()[1], std::string("a\0b", 3));

  Tensor fours(reference::kInt4, {3});
  for (int i = 0; i < 3; ++i) fours.data<reference::Int4>()[i] = reference::Int4(i - 2);
  const std::string text = ValueText(fours);
  // kind, type, rank, extent, length, and two bytes for three elements
  EXPECT_EQ(text.size(), 4u + 4 + 4 + 8 + 8 + 2);
  EXPECT_EQ(ValueOf(text).tensor.AsDouble(0), -2);

  const Value none = ValueOf(ValueText(Value::None(reference::kFloat)));
  EXPECT_EQ(none.kind, GRAPH_OPTIONAL);
  EXPECT_TRUE(none.items.empty());
  const Value sequence =
      ValueOf(ValueText(Value::Optional(Value::Sequence(reference::kInt64, {Tensor::Scalar<int64_t>(-7)}))));
  ASSERT_EQ(sequence.items.size(), 1u);
  ASSERT_EQ(sequence.items[0].items.size(), 1u);
  EXPECT_EQ(sequence.items[0].items[0].tensor.data<int64_t>()[0], -7);
}

TEST(Message, RepliesThatAreNoneAreRefused) {
  BuiltCase built;
  built.runs.resize(1);
  built.outputs = {"y"};
  const std::string value = ValueText(Tensor::Scalar<float>(1)), done(1, 0);
  EXPECT_EQ(ReplyOf(done + value, built).results[0][0].tensor.AsDouble(0), 1);
  for (size_t n = 0; n < value.size(); ++n)
    EXPECT_THROW(ReplyOf(done + value.substr(0, n), built), std::runtime_error) << n;
  EXPECT_THROW(ReplyOf("\x07", built), std::runtime_error);
  EXPECT_THROW(ReplyOf(done + std::string(5, 1) + std::string(60, '\xff'), built), std::exception);
  // A value in a value without end.
  std::string deep;
  for (int i = 0; i < 99; ++i) deep += std::string("\1\0\0\0\1\0\0\0\1\0\0\0", 12);
  EXPECT_THROW(ReplyOf(done + deep, built), std::runtime_error);
}

TEST(Message, ReplyTellsWhyNot) {
  const PeerReply reply = ReplyOf(std::string("\1\2\0\0\0\0\0\0\0no", 11), {});
  EXPECT_EQ(reply.status, PeerStatus::kUnsupported);
  EXPECT_EQ(reply.text, "no");
}

}  // namespace
}  // namespace braid::conformance
