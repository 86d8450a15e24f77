// SPDX-License-Identifier: Apache-2.0
//
// Expected values: numpy, or counted by hand.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
constexpr float kInf = INFINITY;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
Tensor Sample() { return Tensor::Of<float>({2, 3}, {1, 5, 2, 4, -3, 6}); }

TEST(ReduceOps, EachOnTheInnerAndTheOuterAxis) {
  const Tensor x = Sample(), inner = Int64s({-1}), outer = Int64s({0});
  auto check = [&](const char* op, std::vector<float> over_inner, std::vector<float> over_outer) {
    SCOPED_TRACE(op);
    ExpectTensor<float>(RunOp(op, {x, inner}, {{"keepdims", 0}})[0], {2}, over_inner, 1e-6);
    ExpectTensor<float>(RunOp(op, {x, outer})[0], {1, 3}, over_outer, 1e-6);
  };
  check("ReduceSum", {8, 7}, {5, 2, 8});
  check("ReduceSumSquare", {30, 61}, {17, 34, 40});
  check("ReduceL1", {8, 13}, {5, 8, 8});
  check("ReduceL2", {std::sqrt(30.0f), std::sqrt(61.0f)}, {4.1231055f, 5.8309517f, 6.3245554f});
  check("ReduceMean", {8 / 3.0f, 7 / 3.0f}, {2.5f, 1, 4});
  check("ReduceProd", {10, -72}, {4, -15, 12});
  check("ReduceMax", {5, 6}, {4, 5, 6});
  check("ReduceMin", {1, -3}, {1, -3, 2});
  check("ReduceLogSum", {std::log(8.0f), std::log(7.0f)}, {std::log(5.0f), std::log(2.0f), std::log(8.0f)});
  check("ReduceLogSumExp", {5.065884f, 6.1270366f}, {4.0485873f, 5.0003354f, 6.0181499f});
}

TEST(ReduceOps, LongRowsAndManyAxes) {
  // Sums of i over a cube with odd extents; each axis set against a plain loop.
  const I64 n0 = 5, n1 = 19, n2 = 300;
  Tensor x(kFloat, {n0, n1, n2});
  for (I64 i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>(i % 97);
  for (int mask = 0; mask < 8; ++mask) {
    std::vector<I64> axes;
    for (I64 a = 0; a < 3; ++a)
      if (mask >> a & 1) axes.push_back(a);
    const Dims out = {mask & 1 ? 1 : n0, mask & 2 ? 1 : n1, mask & 4 ? 1 : n2};
    std::vector<float> sums(static_cast<size_t>(out[0] * out[1] * out[2]), 0), most(sums.size(), -1);
    for (I64 i = 0; i < n0; ++i)
      for (I64 j = 0; j < n1; ++j)
        for (I64 k = 0; k < n2; ++k) {
          const float v = x.data<float>()[(i * n1 + j) * n2 + k];
          const size_t to = static_cast<size_t>(((mask & 1 ? 0 : i) * out[1] + (mask & 2 ? 0 : j)) * out[2] +
                                                (mask & 4 ? 0 : k));
          sums[to] += v;
          most[to] = std::max(most[to], v);
        }
    SCOPED_TRACE(mask);
    ExpectTensor<float>(RunOp("ReduceSum", {x, Int64s(axes)}, {{"noop_with_empty_axes", 1}})[0], out, sums);
    ExpectTensor<float>(RunOp("ReduceMax", {x, Int64s(axes)}, {{"noop_with_empty_axes", 1}})[0], out, most);
  }
}

TEST(ReduceOps, EmptyAxes) {
  const Tensor x = Sample();
  ExpectTensor<float>(RunOp("ReduceSum", {x})[0], {1, 1}, {15});
  ExpectTensor<float>(RunOp("ReduceSum", {x, Int64s({})}, {{"keepdims", 0}})[0], {}, {15});
  ExpectTensor<float>(RunOp("ReduceSum", {x}, {{"noop_with_empty_axes", 1}})[0], {2, 3}, {1, 5, 2, 4, -3, 6});
  ExpectTensor<float>(RunOp("ReduceSumSquare", {x, Int64s({})}, {{"noop_with_empty_axes", 1}})[0], {2, 3},
                      {1, 25, 4, 16, 9, 36});
  ExpectTensor<float>(RunOp("ReduceL1", {Tensor::Scalar<float>(-2)})[0], {}, {2});
}

TEST(ReduceOps, EmptySets) {
  const Tensor x = Tensor::Of<float>({2, 0}, {}), axis = Int64s({1});
  auto both = [&](const char* op) { return RunOp(op, {x, axis}, {{"keepdims", 0}})[0]; };
  for (const char* op : {"ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"})
    ExpectTensor<float>(both(op), {2}, {0, 0});
  ExpectTensor<float>(both("ReduceProd"), {2}, {1, 1});
  ExpectTensor<float>(both("ReduceMax"), {2}, {-kInf, -kInf});
  ExpectTensor<float>(both("ReduceMin"), {2}, {kInf, kInf});
  ExpectTensor<float>(both("ReduceLogSum"), {2}, {-kInf, -kInf});
  ExpectTensor<float>(both("ReduceLogSumExp"), {2}, {-kInf, -kInf});
  ExpectTensor<float>(both("ReduceMean"), {2}, {NAN, NAN});
  ExpectTensor<int8_t>(RunOp("ReduceMax", {Tensor::Of<int8_t>({0}, {})})[0], {1}, {-128});
  ExpectTensor<bool>(RunOp("ReduceMin", {Tensor(kBool, {0})})[0], {1}, {true});
  EXPECT_EQ(RunOp("ReduceSum", {x, Int64s({0})})[0].dims(), (Dims{1, 0}));
}

TEST(ReduceOps, SpecialValues) {
  auto reduce = [](const char* op, std::vector<float> values) {
    const I64 n = static_cast<I64>(values.size());
    return RunOp(op, {Tensor::Of<float>({n}, values)}, {{"keepdims", 0}})[0].data<float>()[0];
  };
  EXPECT_TRUE(std::isnan(reduce("ReduceMax", {1, NAN, 3})));
  EXPECT_TRUE(std::isnan(reduce("ReduceMin", {NAN, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})));
  EXPECT_EQ(reduce("ReduceLogSumExp", {kInf, 1, kInf}), kInf);
  EXPECT_EQ(reduce("ReduceLogSumExp", {-kInf, -kInf}), -kInf);
  EXPECT_TRUE(std::isnan(reduce("ReduceLogSumExp", {kInf, NAN})));
  EXPECT_FLOAT_EQ(reduce("ReduceLogSumExp", {1000, 1000}), 1000.6931472f);
  EXPECT_FLOAT_EQ(reduce("ReduceLogSumExp", {-1000, -1001}), -999.6867383f);
  // 2^24 + 1 + 1 in float would lose both ones.
  EXPECT_EQ(reduce("ReduceSum", {16777216, 1, 1}), 16777218);
}

TEST(ReduceOps, IntegersWrapAndMeansDoNot) {
  const Tensor x = Tensor::Of<int32_t>({2}, {INT32_MAX, INT32_MAX});
  ExpectTensor<int32_t>(RunOp("ReduceSum", {x})[0], {1}, {-2});
  ExpectTensor<int32_t>(RunOp("ReduceMean", {x})[0], {1}, {INT32_MAX});
  ExpectTensor<int32_t>(RunOp("ReduceL1", {Tensor::Of<int32_t>({1}, {INT32_MIN})})[0], {1}, {INT32_MIN});
  ExpectTensor<I64>(RunOp("ReduceL2", {Int64s({INT64_MIN, INT64_MIN})})[0], {1}, {INT64_MAX});
  ExpectTensor<I64>(RunOp("ReduceMean", {Int64s({-3, -4})})[0], {1}, {-3});
  ExpectTensor<uint64_t>(RunOp("ReduceProd", {Tensor::Of<uint64_t>({2}, {UINT64_MAX, 2})})[0], {1},
                         {UINT64_MAX - 1});
  ExpectTensor<bool>(
      RunOp("ReduceMax", {Tensor::Of<bool>({2, 2}, {false, true, false, false}), Int64s({1})})[0], {2, 1},
      {true, false});
}

TEST(ReduceOps, HalfIsSummedWide) {
  std::vector<Float16> ones(4096, Float16(1.0f));
  ExpectTensor<Float16>(RunOp("ReduceSum", {Tensor::Of<Float16>({4096}, ones)})[0], {1}, {Float16(4096.0f)});
  ExpectTensor<BFloat16>(
      RunOp("ReduceMean", {Tensor::Of<BFloat16>({2}, {BFloat16(1.0f), BFloat16(2.0f)})})[0], {1},
      {BFloat16(1.5f)});
}

TEST(ReduceOps, Refuse) {
  ExpectFails("ReduceSum", {Sample(), Int64s({2})}, {}, "axis 2 is not within a tensor of rank 2");
  ExpectFails("ReduceSum", {Sample(), Int64s({INT64_MIN})}, {}, "is not within");
  ExpectFails("ReduceSum", {Sample(), Int64s({0, -2})}, {}, "axis -2 is reduced twice");
  EXPECT_EQ(JudgeOp("ReduceLogSum", {Int64s({1})}), BRAID_NO_TYPE);
}

TEST(ArgOps, FirstLastAndNan) {
  const Tensor x = Tensor::Of<float>({2, 3}, {2, 2, 1, 3, 10, 10});
  ExpectTensor<I64>(RunOp("ArgMax", {x}, {{"axis", 1}})[0], {2, 1}, {0, 1});
  ExpectTensor<I64>(RunOp("ArgMax", {x}, {{"axis", 1}, {"select_last_index", 1}})[0], {2, 1}, {1, 2});
  ExpectTensor<I64>(RunOp("ArgMax", {x}, {{"keepdims", 0}})[0], {3}, {1, 1, 1});
  ExpectTensor<I64>(RunOp("ArgMin", {x}, {{"axis", -1}, {"keepdims", 0}})[0], {2}, {2, 0});
  const Tensor nans = Tensor::Of<float>({4}, {1, NAN, 3, NAN});
  ExpectTensor<I64>(RunOp("ArgMax", {nans})[0], {1}, {1});
  ExpectTensor<I64>(RunOp("ArgMin", {nans}, {{"select_last_index", 1}})[0], {1}, {3});
  ExpectTensor<I64>(RunOp("ArgMax", {Tensor::Of<uint8_t>({3}, {1, 255, 7})})[0], {1}, {1});
  ExpectTensor<I64>(RunOp("ArgMax", {Tensor::Scalar<float>(5)})[0], {}, {0});
  EXPECT_EQ(RunOp("ArgMax", {Tensor::Of<float>({0, 2}, {})}, {{"axis", 1}})[0].dims(), (Dims{0, 1}));
  ExpectFails("ArgMax", {Tensor::Of<float>({0, 2}, {})}, {{"axis", 0}}, "has no element to choose");
  ExpectFails("ArgMax", {x}, {{"axis", 2}}, "axis 2 is not within");
}

TEST(CumulativeOps, SpecificationExamples) {
  const Tensor x = Tensor::Of<float>({3}, {1, 2, 3}), axis = Tensor::Scalar<int32_t>(0);
  auto both = [&](const char* op, int exclusive, int reverse) {
    return RunOp(op, {x, axis}, {{"exclusive", exclusive}, {"reverse", reverse}})[0];
  };
  ExpectTensor<float>(both("CumSum", 0, 0), {3}, {1, 3, 6});
  ExpectTensor<float>(both("CumSum", 1, 0), {3}, {0, 1, 3});
  ExpectTensor<float>(both("CumSum", 0, 1), {3}, {6, 5, 3});
  ExpectTensor<float>(both("CumSum", 1, 1), {3}, {5, 3, 0});
  ExpectTensor<float>(both("CumProd", 0, 0), {3}, {1, 2, 6});
  ExpectTensor<float>(both("CumProd", 1, 0), {3}, {1, 1, 2});
  ExpectTensor<float>(both("CumProd", 0, 1), {3}, {6, 6, 3});
  ExpectTensor<float>(both("CumProd", 1, 1), {3}, {6, 3, 1});
  ExpectTensor<float>(RunOp("CumSum", {Sample(), Tensor::Scalar<I64>(-2)})[0], {2, 3}, {1, 5, 2, 5, 2, 8});
  ExpectTensor<int32_t>(RunOp("CumSum", {Tensor::Of<int32_t>({2}, {INT32_MAX, 1}), axis})[0], {2},
                        {INT32_MAX, INT32_MIN});
  ExpectFails("CumSum", {x, Tensor::Scalar<I64>(1)}, {}, "axis 1 is not within");
  ExpectFails("CumSum", {x, Int64s({0, 0})}, {}, "axis must hold one element");
}

}  // namespace
}  // namespace braid::reference
