// SPDX-License-Identifier: Apache-2.0
//
// Maps, alone and inside other values. Expectations: onnx-data.proto.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/onnx/model.h"
#include "core/onnx/proto.h"
#include "onnx/onnx-data.pb.h"

namespace braid {
namespace {

using loader::pb::MapProto;
using loader::pb::OptionalProto;
using loader::pb::SequenceProto;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Type TensorType(ElementType element) {
  Type type;
  type.element = element;
  return type;
}
Type Of(ValueKind kind, Type item, ElementType key = 0) {
  Type type;
  type.kind = kind;
  type.element = key;
  type.item = std::make_shared<Type>(std::move(item));
  return type;
}
Type MapType(ElementType key, ElementType value) { return Of(ValueKind::kMap, TensorType(value), key); }

absl::StatusOr<HostValue> Parsed(const google::protobuf::Message& proto, const Type& declared) {
  const std::string bytes = proto.SerializeAsString();
  return ParseValueProto({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, declared);
}

template <class T>
std::vector<T> ElementsOf(const HostValue& value) {
  std::vector<T> out(value.data.size() / sizeof(T));
  std::memcpy(out.data(), value.data.data(), out.size() * sizeof(T));
  return out;
}

MapProto MapOf(ElementType key_type, std::vector<int64_t> keys) {
  MapProto map;
  map.set_key_type(key_type);
  map.mutable_values()->set_elem_type(SequenceProto::TENSOR);
  for (const int64_t key : keys) {
    map.add_keys(key);
    auto* t = map.mutable_values()->add_tensor_values();
    t->set_data_type(Element::kFloat);
    t->add_float_data(static_cast<float>(key) / 2);
  }
  return map;
}

template <class T>
void ExpectKeys(ElementType type, std::vector<int64_t> keys) {
  const auto map = Parsed(MapOf(type, keys), MapType(type, Element::kFloat));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->items[0].type.element, type);
  std::vector<T> want;
  for (const int64_t key : keys) want.push_back(static_cast<T>(key));
  EXPECT_EQ(ElementsOf<T>(map->items[0]), want);
  EXPECT_EQ(map->items[1].type.element, Element::kFloat);
}

TEST(HostValue, KeysOfEachIntegerType) {
  ExpectKeys<int8_t>(Element::kInt8, {-128, 127});
  ExpectKeys<uint8_t>(Element::kUint8, {255, 0});
  ExpectKeys<int16_t>(Element::kInt16, {-32768, 3});
  ExpectKeys<uint16_t>(Element::kUint16, {65535, 3});
  ExpectKeys<int32_t>(Element::kInt32, {INT32_MIN, 3});
  ExpectKeys<uint32_t>(Element::kUint32, {UINT32_MAX, 3});
  ExpectKeys<int64_t>(Element::kInt64, {INT64_MIN, 3});
  ExpectKeys<uint64_t>(Element::kUint64, {-1, 3});  // the greatest: the format has its bits
}

TEST(HostValue, KeysOfOtherTypesAreRefused) {
  for (const ElementType type : {Element::kFloat, Element::kBool, Element::kUint4, Element::kUndefined})
    for (const bool empty : {false, true})
      EXPECT_THAT(std::string(Parsed(MapOf(type, empty ? std::vector<int64_t>{} : std::vector<int64_t>{1}),
                                     MapType(type, Element::kFloat))
                                  .status()
                                  .message()),
                  HasSubstr("keys can't be of type"));
}

// What type an empty map's values have is told by the declaration alone.
void ExpectEmpty(const HostValue& map, ElementType key, ElementType value) {
  ASSERT_EQ(map.type.kind, ValueKind::kMap);
  EXPECT_EQ(map.items[0].type.element, key);
  EXPECT_EQ(map.items[1].type.kind, ValueKind::kTensor);
  EXPECT_EQ(map.items[1].type.element, value);
  EXPECT_EQ(map.items[1].type.dims, std::vector<Dim>({{0, -1}}));
}

TEST(HostValue, EmptyMapsHaveTheDeclaredType) {
  const MapProto none = MapOf(Element::kInt64, {});
  const Type type = MapType(Element::kInt64, Element::kString);
  ExpectEmpty(*Parsed(none, type), Element::kInt64, Element::kString);

  SequenceProto sequence;
  sequence.set_elem_type(SequenceProto::MAP);
  *sequence.add_map_values() = none;
  *sequence.add_map_values() = none;
  const auto two = Parsed(sequence, Of(ValueKind::kSequence, type));
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_EQ(two->items.size(), 2u);
  ExpectEmpty(two->items[1], Element::kInt64, Element::kString);

  OptionalProto optional;
  optional.set_elem_type(OptionalProto::MAP);
  *optional.mutable_map_value() = none;
  const auto one = Parsed(optional, Of(ValueKind::kOptional, type));
  ASSERT_TRUE(one.ok()) << one.status();
  ExpectEmpty(one->items[0], Element::kInt64, Element::kString);

  optional.clear_map_value();
  optional.set_elem_type(OptionalProto::SEQUENCE);
  *optional.mutable_sequence_value() = sequence;
  // The whole type, and one that tells of what lies deeper only the elements.
  for (const Type& item : {Of(ValueKind::kSequence, type), TensorType(Element::kString)}) {
    const auto deep = Parsed(optional, Of(ValueKind::kOptional, item));
    ASSERT_TRUE(deep.ok()) << deep.status();
    ExpectEmpty(deep->items[0].items[1], Element::kInt64, Element::kString);
  }
}

TEST(HostValue, EmptyMapsOfSequencesHaveNoTensor) {
  const Type type =
      Of(ValueKind::kMap, Of(ValueKind::kSequence, TensorType(Element::kFloat)), Element::kInt64);
  MapProto none = MapOf(Element::kInt64, {});
  none.mutable_values()->set_elem_type(SequenceProto::SEQUENCE);
  const auto map = Parsed(none, type);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->items[1].type.kind, ValueKind::kSequence);
  EXPECT_TRUE(map->items[1].items.empty());
}

}  // namespace
}  // namespace braid
