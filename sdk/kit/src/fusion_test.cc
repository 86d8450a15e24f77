// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/fusion.h>
#include <braid/kit/testing/graph.h>
#include <gtest/gtest.h>

#include <vector>

namespace braid::kit {
namespace {

using testing::Array;

// Conv -> Add(constant) -> Relu, first; Conv -> Relu where there is no Add.
const std::vector<Pattern>& Patterns() {
  static const std::vector<Pattern> patterns = {
      {"ConvAddRelu", {{.op = "Conv"}, {.op = "Add", .others = Others::kConstant}, {.op = "Relu"}}},
      {"ConvRelu",
       {{.op = "Conv", .where = [](const Node& n, uint32_t) { return !n.has_input(2); }}, {.op = "Relu"}}},
  };
  return patterns;
}

// x -> Conv -> Add -> Relu -> y, with a hand in it.
struct Chain {
  enum Twist { kNone, kInnerIsOutput, kSecondReader, kAddOfInput, kAddOfItself, kAddSwapped, kOtherDomain };
  explicit Chain(Twist twist) {
    const std::vector<int64_t> dims = {1, 2, 3, 3};
    const uint32_t x = graph.Input(1, dims),
                   w = graph.Constant(Array::Of<float>(1, {2, 2, 1, 1}, {1, 2, 3, 4})),
                   b = graph.Constant(Array::Of<float>(1, {2, 1, 1}, {5, 6}));
    const uint32_t conv = twist == kInnerIsOutput ? graph.Output(1, dims) : graph.Inner(1, dims);
    const uint32_t sum = graph.Inner(1, dims), y = graph.Output(1, dims);
    graph.Node("Conv", 22, {x, w}, {conv});
    if (twist == kAddOfInput)
      graph.Node("Add", 14, {conv, x}, {sum});
    else if (twist == kAddOfItself)
      graph.Node("Add", 14, {conv, conv}, {sum});
    else if (twist == kAddSwapped)
      graph.Node("Add", 14, {b, conv}, {sum});
    else
      graph.Node("Add", 14, {conv, b}, {sum}, {}, twist == kOtherDomain ? "com.example" : "");
    graph.Node("Relu", 14, {sum}, {y});
    if (twist == kSecondReader) graph.Node("Relu", 14, {conv}, {graph.Output(1, dims)});
  }
  std::vector<Group> groups() { return FindGroups(Graph(graph.view()), Patterns()); }
  testing::Graph graph;
};

TEST(FusionTest, AChainFires) {
  const std::vector<Group> groups = Chain(Chain::kNone).groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].pattern->name, "ConvAddRelu");
  EXPECT_EQ(groups[0].nodes, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(groups[0].inputs, (std::vector<uint32_t>{BRAID_NONE, 0, 0}));
}

TEST(FusionTest, TheChainMayComeInAtAnyInput) {
  const std::vector<Group> groups = Chain(Chain::kAddSwapped).groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].inputs, (std::vector<uint32_t>{BRAID_NONE, 1, 0}));
}

TEST(FusionTest, NoChainWhereAnInnerValueIsReadElsewhereOrIsAnOutput) {
  for (const auto twist : {Chain::kInnerIsOutput, Chain::kSecondReader, Chain::kAddOfInput,
                           Chain::kAddOfItself, Chain::kOtherDomain}) {
    const std::vector<Group> groups = Chain(twist).groups();
    EXPECT_EQ(groups.size(), twist == Chain::kSecondReader ? 4u : 3u) << twist;
    for (const Group& group : groups) EXPECT_EQ(group.pattern, nullptr) << twist;
  }
}

TEST(FusionTest, ThePredicateDecidesAndEachNodeIsInOneGroup) {
  testing::Graph
      graph;  // two chains that share their input; the second Conv has a bias, which the pattern refuses
  const std::vector<int64_t> dims = {1, 1, 2, 2};
  const uint32_t x = graph.Input(1, dims), w = graph.Constant(Array::Of<float>(1, {1, 1, 1, 1}, {2})),
                 b = graph.Constant(Array::Of<float>(1, {1}, {1}));
  const uint32_t s = graph.Inner(1, dims), t = graph.Inner(1, dims);
  graph.Node("Conv", 22, {x, w}, {s});
  graph.Node("Conv", 22, {x, w, b}, {t});
  graph.Node("Relu", 14, {t}, {graph.Output(1, dims)});
  graph.Node("Relu", 14, {s}, {graph.Output(1, dims)});
  const std::vector<Group> groups = FindGroups(Graph(graph.view()), Patterns());
  ASSERT_EQ(groups.size(), 3u);
  // In the order of their last nodes.
  EXPECT_EQ(groups[0].nodes, std::vector<uint32_t>{1});
  EXPECT_EQ(groups[1].nodes, std::vector<uint32_t>{2});
  EXPECT_EQ(groups[2].nodes, (std::vector<uint32_t>{0, 3}));
  EXPECT_EQ(groups[2].pattern->name, "ConvRelu");
}

}  // namespace
}  // namespace braid::kit
