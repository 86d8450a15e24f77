// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "conformance/oracle/oracle.h"

namespace braid::conformance {
namespace {

Expected Exactly(Value value) {
  Expected e;
  e.type = value.kind == GRAPH_TENSOR ? value.tensor.type() : value.type;
  e.exact = std::move(value);
  return e;
}
Value Map(Tensor keys, Tensor values) {
  Value map;
  map.kind = GRAPH_MAP;
  map.items = {Value(std::move(keys)), Value(std::move(values))};
  return map;
}

TEST(Judge, AnItemOfASequenceHasItsTypeAndShape) {
  const auto sequence = [](Tensor t) { return Value::Sequence(t.type(), {t}); };
  const Expected want = Exactly(sequence(Tensor::Of<float>({2, 1}, {1, 2})));
  EXPECT_EQ(Judge(sequence(Tensor::Of<float>({2, 1}, {1, 2})), want, 0).text, "");
  EXPECT_EQ(Judge(sequence(Tensor::Of<float>({2}, {1, 2})), want, 0).text,
            "item 0 has the shape [2], [2,1] is expected");
  EXPECT_EQ(Judge(sequence(Tensor::Of<int32_t>({2, 1}, {1, 2})), want, 0).text,
            "item 0 is of int32, float32 is expected");
}

TEST(Judge, AMapHasNoOrder) {
  const Expected want =
      Exactly(Map(Tensor::Of<std::string>({2}, {"b", "a"}), Tensor::Of<float>({2}, {1, 2})));
  EXPECT_EQ(
      Judge(Map(Tensor::Of<std::string>({2}, {"a", "b"}), Tensor::Of<float>({2}, {2, 1})), want, 0).text, "");
  EXPECT_NE(
      Judge(Map(Tensor::Of<std::string>({2}, {"a", "b"}), Tensor::Of<float>({2}, {1, 2})), want, 0).text, "");
}

}  // namespace
}  // namespace braid::conformance
