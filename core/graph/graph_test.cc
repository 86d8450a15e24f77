// SPDX-License-Identifier: Apache-2.0
#include "core/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/graph/host_operators.h"
#include "core/graph/nearest.h"
#include "core/graph/packed.h"

namespace braid {
namespace {

TEST(Graph, ElementSizesAreThoseOfOnnx) {
  EXPECT_EQ(ElementBits(Element::kFloat), 32);
  EXPECT_EQ(ElementBits(Element::kInt64), 64);
  EXPECT_EQ(ElementBits(Element::kString), 128);  // offset and length
  EXPECT_EQ(ElementBits(Element::kInt4), 4);
  EXPECT_EQ(ElementBits(Element::kUint2), 2);
  EXPECT_EQ(ElementBits(Element::kFloat6E2M3), 6);
  EXPECT_EQ(ElementBits(0), 0);
  EXPECT_EQ(ElementBits(77), 0);
  EXPECT_EQ(ElementBits(-1), 0);
  EXPECT_EQ(TensorBytes(Element::kInt4, 3), 2u);
  EXPECT_EQ(TensorBytes(Element::kUint2, 5), 2u);
  EXPECT_EQ(TensorBytes(Element::kFloat, 10), 40u);
  EXPECT_EQ(TensorBytes(Element::kComplex128, std::numeric_limits<uint64_t>::max()),
            std::numeric_limits<uint64_t>::max());
}

TEST(Graph, KeysOfMapsAreIntegersAndStrings) {
  for (ElementType type = -1; type < 30; ++type) {
    const std::string name = ElementTypeName(type);
    const bool integer = (name.starts_with("INT") || name.starts_with("UINT")) && ElementBits(type) >= 8;
    EXPECT_EQ(IsMapKey(type), integer || type == Element::kString) << name;
  }
}

TEST(Graph, ElementCountKnowsZeroUnknownAndOverflow) {
  const int64_t big = int64_t{1} << 40;
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({{2}, {3}, {4}}), 24);
  EXPECT_EQ(ElementCount({{2}, {-1, 0}}), -1);
  EXPECT_EQ(ElementCount({{big}, {big}}), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ElementCount({{big}, {big}, {0}}), 0);
}

TEST(Graph, TypesPrint) {
  Type image{.element = 1, .has_shape = true, .dims = {{1}, {3}, {-1, 0}, {-1, -1}}};
  EXPECT_EQ(TypeString(image, {"H"}), "float32[1,3,H,?]");
  Type sequence{.kind = ValueKind::kSequence, .item = std::make_shared<Type>(Type{.element = 7})};
  EXPECT_EQ(TypeString(sequence, {}), "sequence(int64[...])");
  EXPECT_EQ(ElementTypeName(10), "FLOAT16");
  EXPECT_EQ(ElementTypeName(77), "type 77");
  EXPECT_FALSE(image.is_static());
  image.dims[2] = image.dims[3] = {4};
  EXPECT_TRUE(image.is_static());
}

TEST(Graph, SymbolsAndAttributesAreFoundByName) {
  Graph g;
  EXPECT_EQ(g.AddSymbol("N"), 0);
  EXPECT_EQ(g.AddSymbol("M"), 1);
  EXPECT_EQ(g.AddSymbol("N"), 0);
  EXPECT_THAT(g.symbols, testing::ElementsAre("N", "M"));
  Node node;
  node.attributes = {{.name = "axis", .i = 2}, {.name = "body", .i = 3}};
  ASSERT_NE(node.attribute("body"), nullptr);
  EXPECT_EQ(node.attribute("body")->i, 3);
  EXPECT_EQ(node.attribute("other"), nullptr);
}

TEST(Packed, ElementsLieWithoutGaps) {
  const uint8_t codes[] = {1, 2, 33, 63, 4};
  for (const int bits : {2, 4, 6}) {
    uint8_t data[4] = {};
    for (uint64_t i = 0; i < 5; ++i) PutPacked(codes[i], i, bits, data);
    for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(PackedAt(data, i, bits), codes[i] & ((1 << bits) - 1)) << bits;
    if (bits == 6) {
      EXPECT_THAT(data, ::testing::ElementsAre(0x81, 0x10, 0xfe, 0x04));
    }
  }
}

TEST(HostOperators, AreTheirDomainsAndOfValuesThatAreNoTensors) {
  EXPECT_TRUE(IsHostOperator("", "If", true));
  EXPECT_TRUE(IsHostOperator("", "Identity", false));
  EXPECT_FALSE(IsHostOperator("", "Identity", true));
  EXPECT_FALSE(IsHostOperator("com.example", "If", true));
  EXPECT_FALSE(IsHostOperator("", "Relu", false));
}

TEST(Nearest, IsTheFewestEditsAway) {
  const std::vector<std::string> names = {"Relu", "Selu", "Reshape", "Add"};
  EXPECT_EQ(NearestName("Rellu", names, 2), "Relu");
  EXPECT_EQ(NearestName("Sellu", names, 2), "Selu");
  EXPECT_EQ(NearestName("eshapes", names, 2), "Reshape");
  EXPECT_EQ(NearestName("dAd", names, 2), "Add");
  EXPECT_EQ(NearestName("Softmax", names, 2), "");
  EXPECT_EQ(NearestName("", {}, 2), "");
  EXPECT_EQ(NearestName(std::string(300, 'x'), {std::string(299, 'x')}, 2), "");
}

}  // namespace
}  // namespace braid
