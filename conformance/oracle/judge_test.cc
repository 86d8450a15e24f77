// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "conformance/case/generate.h"
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

TEST(Judge, ProductsOfInfinityAndNaNAreHeldToTheExactResult) {
  const std::vector<Expected> expected = Expect(Build(CaseOf("ai.onnx/MatMul-13/values=special")), 0);
  ASSERT_EQ(expected.size(), 1u);
  const Expected& want = expected[0];
  std::vector<float> values;
  for (int64_t i = 0; i < want.value.size(); ++i)
    values.push_back(static_cast<float>(want.value.data<double>()[i]));
  const auto judged = [&] {
    return Judge(Value(Tensor::Of<float>(want.value.dims(), values)), want, 0).text;
  };
  EXPECT_EQ(judged(), "");
  ASSERT_TRUE(std::isnan(values[0]));  // a zero met infinity
  ASSERT_TRUE(std::isinf(values[1]));
  values[0] = 1;
  EXPECT_NE(judged(), "") << "skipped zeros";
  values[0] = static_cast<float>(want.value.data<double>()[0]);
  values[1] = -values[1];
  EXPECT_NE(judged(), "") << "the other infinity";
}

}  // namespace
}  // namespace braid::conformance
