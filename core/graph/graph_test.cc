// SPDX-License-Identifier: Apache-2.0
#include "core/graph/graph.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/graph/nearest.h"

namespace braid {
namespace {

TEST(Graph, ElementSizesAreThoseOfOnnx) {
  EXPECT_EQ(ElementBits(1), 32);   // FLOAT
  EXPECT_EQ(ElementBits(7), 64);   // INT64
  EXPECT_EQ(ElementBits(8), 128);  // STRING: offset and length
  EXPECT_EQ(ElementBits(22), 4);   // INT4
  EXPECT_EQ(ElementBits(25), 2);   // UINT2
  EXPECT_EQ(ElementBits(27), 6);   // FLOAT6E2M3
  EXPECT_EQ(ElementBits(0), 0);
  EXPECT_EQ(ElementBits(77), 0);
  EXPECT_EQ(ElementBits(-1), 0);
  EXPECT_EQ(TensorBytes(22, 3), 2u);
  EXPECT_EQ(TensorBytes(25, 5), 2u);
  EXPECT_EQ(TensorBytes(1, 10), 40u);
  EXPECT_EQ(TensorBytes(15, std::numeric_limits<uint64_t>::max()), std::numeric_limits<uint64_t>::max());
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

TEST(Graph, LinksProducersAndConsumers) {
  Graph g;
  const ValueId a = g.AddValue("a", {}), b = g.AddValue("b", {}), c = g.AddValue("c", {});
  g.nodes.push_back({.op = "Split", .inputs = {a}, .outputs = {kNone, b}});
  g.nodes.push_back({.op = "Add", .inputs = {b, b, kNone}, .outputs = {c}});
  Attribute body{.name = "body", .kind = Attribute::kGraph};
  body.body.captures = {a};
  g.nodes.push_back({.op = "Loop", .attributes = {body}});
  g.LinkProducers();
  EXPECT_EQ(g.values[a].producer, kNone);
  EXPECT_EQ(g.values[b].producer, 0u);
  EXPECT_EQ(g.values[b].producer_output, 1u);
  EXPECT_EQ(g.values[c].producer, 1u);
  const auto consumers = g.Consumers();
  EXPECT_EQ(consumers[a], (std::vector<NodeId>{0, 2}));
  EXPECT_EQ(consumers[b], (std::vector<NodeId>{1}));
  EXPECT_TRUE(consumers[c].empty());
  EXPECT_EQ(g.AddSymbol("N"), 0);
  EXPECT_EQ(g.AddSymbol("M"), 1);
  EXPECT_EQ(g.AddSymbol("N"), 0);
  EXPECT_NE(g.nodes[2].attribute("body"), nullptr);
  EXPECT_EQ(g.nodes[2].attribute("other"), nullptr);
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
