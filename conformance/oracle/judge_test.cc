// SPDX-License-Identifier: Apache-2.0
#include <braid/plugin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

// One element, or several of the same kind, held against value and bound.
Expected Within(int32_t type, std::vector<double> values, std::vector<double> bounds) {
  const auto n = static_cast<int64_t>(values.size());
  Expected e;
  e.type = type;
  e.is_exact = false;
  e.value = Tensor::Of<double>({n}, std::move(values));
  e.bound = Tensor::Of<double>({n}, std::move(bounds));
  return e;
}
constexpr float kInf = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN(),
                kMost = std::numeric_limits<float>::max();

// Each row stands on one side of a decision of the judge.
TEST(Judge, ANumberAgainstItsBound) {
  constexpr double kBeyond = 4e38;  // no float
  const struct {
    const char* what;
    double value, bound;
    float got;
    uint32_t arithmetic;
    bool right;
  } kRows[] = {
      {"the value", 1, 0, 1, 0, true},
      {"at its bound", 1, 0.25, 1.25f, 0, true},
      {"beyond its bound", 1, 0.25, 1.26f, 0, false},
      {"below its bound", 1, 0.25, 0.74f, 0, false},
      {"a bound that says nothing", 1, kBeyond, 17, 0, true},
      {"NaN where NaN is expected", kNaN, 1, kNaN, 0, true},
      {"a number where NaN is expected", kNaN, 1, 1, 0, false},
      {"NaN where a number is expected", 1, 1, kNaN, 0, false},
      {"infinity where it is expected", kInf, 1, kInf, 0, true},
      {"the other infinity", kInf, 1, -kInf, 0, false},
      {"the largest number where infinity is expected", kInf, 1, kMost, 0, false},
      {"overflow of what may overflow", 3.4028234e38, 1e33, kInf, 0, true},
      {"overflow to the other side", 3.4028234e38, 1e33, -kInf, 0, false},
      {"overflow of what is far below", 1e38, 1e33, kInf, 0, false},
      {"overflow of what must overflow", kBeyond, 1e33, kInf, 0, true},
      {"no overflow of what must overflow", kBeyond, 1e33, kMost, 0, false},
      {"no overflow of what may", 3.403e38, 1e36, kMost, 0, true},
      {"a denormal that became 0", 1e-39, 0, 0, 0, false},
      {"a denormal that became 0 where they are flushed", 1e-39, 0, 0, BRAID_ARITH_FLUSH_DENORMALS, true},
      {"a normal number that became 0 where denormals are flushed", 2e-38, 0, 0, BRAID_ARITH_FLUSH_DENORMALS,
       false},
  };
  for (const auto& row : kRows) {
    const Verdict v = Judge(Value(Tensor::Of<float>({1}, {row.got})),
                            Within(reference::kFloat, {row.value}, {row.bound}), row.arithmetic);
    EXPECT_EQ(v.text.empty(), row.right) << row.what << ": " << v.text;
  }
}

TEST(Judge, AnExactElement) {
  const struct {
    const char* what;
    float want, got;
    uint32_t arithmetic;
    bool right;
  } kRows[] = {
      {"the same", 1, 1, 0, true},
      {"one unit off", 1, 1.0000001f, 0, false},
      {"zero of the other sign", 0.0f, -0.0f, 0, false},
      {"NaN", kNaN, -kNaN, 0, true},
      {"no NaN", kNaN, 0, 0, false},
      {"a denormal that became 0", 1e-39f, 0, 0, false},
      {"a denormal that became 0 where they are flushed", 1e-39f, 0, BRAID_ARITH_FLUSH_DENORMALS, true},
      {"another denormal where they are flushed", 1e-39f, 2e-39f, BRAID_ARITH_FLUSH_DENORMALS, false},
      {"a normal number that became 0", 2e-38f, 0, BRAID_ARITH_FLUSH_DENORMALS, false},
  };
  for (const auto& row : kRows) {
    const Verdict v = Judge(Value(Tensor::Of<float>({1}, {row.got})),
                            Exactly(Value(Tensor::Of<float>({1}, {row.want}))), row.arithmetic);
    EXPECT_EQ(v.text.empty(), row.right) << row.what << ": " << v.text;
  }
}

// All elements are within their bounds; together they may not deviate by more than the deviation told.
TEST(Judge, AllErrorsOfSumsTogether) {
  const auto judged = [](int64_t n, double error) {
    Expected e = Within(reference::kFloat, std::vector<double>(static_cast<size_t>(n), 0),
                        std::vector<double>(static_cast<size_t>(n), 1));
    e.deviation = Tensor::Of<double>({n}, std::vector<double>(static_cast<size_t>(n), 0.125));
    std::vector<float> got;
    for (int64_t i = 0; i < n; ++i) got.push_back(static_cast<float>(i % 2 == 0 ? error : -error));
    return Judge(Value(Tensor::Of<float>({n}, got)), e, 0).text;
  };
  EXPECT_EQ(judged(64, 0.12), "");
  EXPECT_NE(judged(64, 0.13), "");
  EXPECT_NE(judged(16, 0.13), "");
  EXPECT_EQ(judged(15, 0.9), "") << "too few to tell";
}

// Each statistic on both sides of its limit.
TEST(Judge, DrawsOfADistribution) {
  constexpr int64_t kDraws = 10'000;
  const auto uniform = [](double low, double high, double power) {
    std::vector<float> draws;
    for (int64_t i = 0; i < kDraws; ++i) {
      const double u = (static_cast<double>(i) + 0.5) / kDraws;
      draws.push_back(static_cast<float>(low + (high - low) * std::pow(u, power)));
    }
    return Tensor::Of<float>({kDraws}, draws);
  };
  Distribution d;
  d.a = 2;
  d.b = 4;
  d.dims = {kDraws};
  EXPECT_EQ(JudgeDraws(uniform(2, 4, 1), d), "");
  EXPECT_NE(JudgeDraws(uniform(2, 4.1, 1), d), "") << "beyond the range";
  EXPECT_NE(JudgeDraws(uniform(2.2, 3.8, 1), d), "") << "a smaller variance";
  // The mean of 10,000 uniform draws deviates by 0.0058: 5 of these are 0.029.
  EXPECT_EQ(JudgeDraws(uniform(2, 3.98, 1), d), "");
  EXPECT_NE(JudgeDraws(uniform(2, 3.92, 1), d), "") << "a smaller mean";
  EXPECT_NE(JudgeDraws(uniform(2, 4, 1.2), d), "") << "another distribution";

  Distribution coins;
  coins.kind = Distribution::kBernoulli;
  coins.dims = {kDraws};
  coins.chances.assign(kDraws, 0.5);
  const auto ones = [](int64_t n) {
    std::vector<float> draws(kDraws, 0.0f);
    std::fill_n(draws.begin(), n, 1.0f);
    return Tensor::Of<float>({kDraws}, draws);
  };
  // The number of ones deviates by 50.
  EXPECT_EQ(JudgeDraws(ones(5'249), coins), "");
  EXPECT_NE(JudgeDraws(ones(5'252), coins), "");
  EXPECT_NE(JudgeDraws(ones(4'748), coins), "");
}

}  // namespace
}  // namespace braid::conformance
