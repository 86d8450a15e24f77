// SPDX-License-Identifier: Apache-2.0
//
// CastMap, DictVectorizer and ZipMap. Expectations: the specification's text (ai.onnx.ml 1), and ONNX
// Runtime 1.32 for the shapes, which the text leaves open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/run/host_ops.h"
#include "core/run/tensor_blocks.h"

namespace braid {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class T>
HostTensor Tensor(ElementType type, std::vector<int64_t> dims, std::vector<T> v) {
  return *TensorOf(type, std::move(dims), v.data(), v.size() * sizeof(T));
}
HostTensor Floats(std::vector<float> v, std::vector<int64_t> dims = {}) {
  if (dims.empty()) dims = {static_cast<int64_t>(v.size())};
  return Tensor(Element::kFloat, dims, v);
}
HostTensor Ints(std::vector<int64_t> v) {
  return Tensor(Element::kInt64, {static_cast<int64_t>(v.size())}, v);
}
HostTensor Strings(std::vector<std::string_view> v) {
  return *TensorOfStrings({static_cast<int64_t>(v.size())}, v);
}
template <class T>
std::vector<T> ElementsOf(const HostTensor& t) {
  std::vector<T> out(t.bytes / sizeof(T));
  std::memcpy(out.data(), t.data.get(), t.bytes);
  return out;
}

RunValue Map(HostTensor keys, HostTensor values) {
  RunValue map;
  map.kind = ValueKind::kMap;
  map.items.resize(2);
  map.items[0].tensor = std::move(keys);
  map.items[1].tensor = std::move(values);
  return map;
}
RunValue Value(HostTensor t) {
  RunValue value;
  value.tensor = std::move(t);
  return value;
}

Attribute Int(const char* name, int64_t i) {
  Attribute a;
  a.name = name;
  a.kind = Attribute::kInt;
  a.i = i;
  return a;
}
Attribute Text(const char* name, const char* s) {
  Attribute a;
  a.name = name;
  a.kind = Attribute::kString;
  a.s = s;
  return a;
}
Attribute List(const char* name, std::vector<std::string> strings, std::vector<int64_t> ints) {
  Attribute a;
  a.name = name;
  a.kind = ints.empty() ? Attribute::kStrings : Attribute::kInts;
  a.strings = std::move(strings);
  a.ints = std::move(ints);
  return a;
}

absl::StatusOr<RunValue> Call(const char* op, RunValue input, std::vector<Attribute> attributes) {
  Graph graph;
  Node node;
  node.domain = "ai.onnx.ml";
  node.op = op;
  node.inputs = {0};
  node.outputs = {1};
  node.attributes = std::move(attributes);
  HostCall call{graph, node, {}, {}, {}, {}, nullptr};
  call.inputs.push_back(std::move(input));
  call.outputs.resize(1);
  if (absl::Status s = RunHostOp(&call); !s.ok()) return s;
  return std::move(call.outputs[0]);
}

std::string ErrorOf(const absl::StatusOr<RunValue>& result) { return std::string(result.status().message()); }

TEST(CastMap, OrdersByKey) {
  const auto out = Call("CastMap", Map(Ints({3, 0, -7}), Floats({1.5f, 2.75f, 8})), {});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->tensor.dims, ElementsAre(1, 3));
  EXPECT_THAT(ElementsOf<float>(out->tensor), ElementsAre(8, 2.75f, 1.5f));
}

TEST(CastMap, SparseFillsUpToMaxMap) {
  const auto out = Call("CastMap", Map(Ints({3, 0}), Floats({1.5f, -2.75f})),
                        {Text("map_form", "SPARSE"), Int("max_map", 5), Text("cast_to", "TO_INT64")});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->tensor.type, Element::kInt64);
  EXPECT_THAT(out->tensor.dims, ElementsAre(1, 5));
  EXPECT_THAT(ElementsOf<int64_t>(out->tensor), ElementsAre(-2, 0, 0, 1, 0));
  for (const int64_t key : {int64_t{-1}, int64_t{5}, INT64_MAX, INT64_MIN})
    EXPECT_THAT(ErrorOf(Call("CastMap", Map(Ints({key}), Floats({1})),
                             {Text("map_form", "SPARSE"), Int("max_map", 5)})),
                HasSubstr(std::to_string(key)));
  for (const int64_t length : {int64_t{0}, int64_t{-1}, INT64_MAX})
    EXPECT_THAT(ErrorOf(Call("CastMap", Map(Ints({0}), Floats({1})),
                             {Text("map_form", "SPARSE"), Int("max_map", length)})),
                HasSubstr("max_map"));
}

TEST(CastMap, ReadsAndWritesText) {
  auto out = Call("CastMap", Map(Ints({2, 1}), Strings({"1.5", "-4"})), {});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(ElementsOf<float>(out->tensor), ElementsAre(-4, 1.5f));
  // 1e-4f is a little less than 1e-4; 1e16f is 1e16.
  out = Call("CastMap", Map(Ints({2, 1, 3, 4}), Floats({1.5f, 3, 1e-4f, 1e16f})),
             {Text("cast_to", "TO_STRING")});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(*StringsOf(out->tensor), ElementsAre("3.0", "1.5", "1e-04", "1e+16"));
  EXPECT_THAT(ErrorOf(Call("CastMap", Map(Ints({2}), Strings({"abc"})), {})), HasSubstr("\"abc\""));
  EXPECT_THAT(ErrorOf(Call("CastMap", Map(Ints({2}), Floats({1})), {Text("cast_to", "TO_BOOL")})),
              HasSubstr("TO_BOOL"));
  EXPECT_THAT(ErrorOf(Call("CastMap", Map(Ints({2}), Floats({1})), {Text("map_form", "FULL")})),
              HasSubstr("FULL"));
}

TEST(CastMap, AnEmptyMapIsAnEmptyRow) {
  const auto out = Call("CastMap", Map(Ints({}), Floats({}, {0})), {});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->tensor.dims, ElementsAre(1, 0));
}

TEST(DictVectorizer, ValuesInTheVocabularysOrder) {
  auto out = Call("DictVectorizer", Map(Strings({"a", "c", "x"}), Floats({1, 2, 3})),
                  {List("string_vocabulary", {"c", "b", "a"}, {})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->tensor.dims, ElementsAre(1, 3));
  EXPECT_THAT(ElementsOf<float>(out->tensor), ElementsAre(2, 0, 1));
  out = Call("DictVectorizer", Map(Ints({7, 1}), Strings({"seven", "one"})),
             {List("int64_vocabulary", {}, {1, 2, 7})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(*StringsOf(out->tensor), ElementsAre("one", "", "seven"));
}

TEST(DictVectorizer, WantsOneVocabularyOfTheKeysType) {
  EXPECT_THAT(ErrorOf(Call("DictVectorizer", Map(Ints({7}), Floats({1})), {})), HasSubstr("exactly one"));
  EXPECT_THAT(ErrorOf(Call("DictVectorizer", Map(Ints({7}), Floats({1})),
                           {List("string_vocabulary", {"a"}, {}), List("int64_vocabulary", {}, {1})})),
              HasSubstr("exactly one"));
  EXPECT_THAT(
      ErrorOf(Call("DictVectorizer", Map(Ints({7}), Floats({1})), {List("string_vocabulary", {"a"}, {})})),
      HasSubstr("the vocabulary's are string"));
}

TEST(ZipMap, AMapForEachRow) {
  auto out = Call("ZipMap", Value(Floats({1, 2, 3, 4, 5, 6}, {2, 3})),
                  {List("classlabels_strings", {"x", "y", "z"}, {})});
  ASSERT_TRUE(out.ok()) << out.status();
  ASSERT_EQ(out->kind, ValueKind::kSequence);
  ASSERT_EQ(out->items.size(), 2u);
  for (const RunValue& map : out->items) {
    ASSERT_EQ(map.kind, ValueKind::kMap);
    EXPECT_THAT(*StringsOf(map.items[0].tensor), ElementsAre("x", "y", "z"));
  }
  EXPECT_THAT(ElementsOf<float>(out->items[1].items[1].tensor), ElementsAre(4, 5, 6));
  // One row without the axis of the batch.
  out = Call("ZipMap", Value(Floats({1, 2})),
             {List("classlabels_int64s", {}, {5, 9}), List("classlabels_strings", {}, {})});
  ASSERT_TRUE(out.ok()) << out.status();
  ASSERT_EQ(out->items.size(), 1u);
  EXPECT_THAT(ElementsOf<int64_t>(out->items[0].items[0].tensor), ElementsAre(5, 9));
  out = Call("ZipMap", Value(Floats({}, {0, 2})), {List("classlabels_int64s", {}, {5, 9})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(out->items.empty());
}

TEST(ZipMap, WantsALabelForEachColumn) {
  EXPECT_THAT(
      ErrorOf(Call("ZipMap", Value(Floats({1, 2, 3}, {1, 3})), {List("classlabels_int64s", {}, {5, 9})})),
      HasSubstr("2 labels"));
  EXPECT_THAT(ErrorOf(Call("ZipMap", Value(Floats({1, 2})), {List("classlabels_int64s", {}, {5, 5})})),
              HasSubstr("twice"));
  EXPECT_THAT(
      ErrorOf(Call("ZipMap", Value(Floats({1, 2}, {1, 1, 2})), {List("classlabels_int64s", {}, {5, 6})})),
      HasSubstr("rank"));
  EXPECT_THAT(ErrorOf(Call("ZipMap", Value(Floats({1, 2})), {})), HasSubstr("exactly one"));
}

}  // namespace
}  // namespace braid
