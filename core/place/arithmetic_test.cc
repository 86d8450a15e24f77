// SPDX-License-Identifier: Apache-2.0
#include "core/place/arithmetic.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

// A node whose values, inputs before outputs, are float tensors of these extents.
Arithmetic Count(const char* op, std::vector<std::vector<int64_t>> inputs, std::vector<int64_t> output) {
  Graph graph;
  Node node;
  node.op = op;
  auto add = [&](const std::vector<int64_t>& dims) {
    Value value;
    value.type.element = 1;
    value.type.has_shape = true;
    for (int64_t d : dims) value.type.dims.push_back(Dim{d});
    graph.values.push_back(value);
    return static_cast<ValueId>(graph.values.size() - 1);
  };
  for (const auto& dims : inputs) node.inputs.push_back(add(dims));
  node.outputs.push_back(add(output));
  return CountArithmetic(graph, node);
}

TEST(ArithmeticTest, SumsOfProducts) {
  // Each of 8 x 5 x 5 results sums 4 x 3 x 3 products.
  EXPECT_EQ(Count("Conv", {{1, 4, 7, 7}, {8, 4, 3, 3}}, {1, 8, 5, 5}).multiply_adds, 8 * 25 * 36);
  EXPECT_EQ(Count("ConvTranspose", {{1, 4, 5, 5}, {4, 8, 3, 3}}, {1, 8, 7, 7}).multiply_adds, 4 * 25 * 72);
  EXPECT_EQ(Count("MatMul", {{2, 3, 4}, {4, 5}}, {2, 3, 5}).multiply_adds, 2 * 3 * 5 * 4);
  EXPECT_EQ(Count("Gemm", {{3, 4}, {4, 5}}, {3, 5}).multiply_adds, 3 * 5 * 4);
  EXPECT_EQ(Count("Relu", {{3, 4}}, {3, 4}).multiply_adds, 0);
}

TEST(ArithmeticTest, BytesAreThoseOfAllValues) {
  const Arithmetic add = Count("Add", {{3, 4}, {4}}, {3, 4});
  EXPECT_EQ(add.bytes, 4u * (12 + 4 + 12));
  EXPECT_EQ(add.elements, 12);
  EXPECT_TRUE(add.known);
}

TEST(ArithmeticTest, AbsurdShapesDoNotWrap) {
  const int64_t huge = int64_t{1} << 40;
  const Arithmetic add = Count("Add", {{huge, huge, huge}, {huge, huge}}, {huge, huge, huge});
  EXPECT_EQ(add.bytes, 3 * (uint64_t{4} << 50));
  EXPECT_EQ(add.elements, 0x1p120);
}

}  // namespace
}  // namespace braid
