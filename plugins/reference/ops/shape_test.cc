// SPDX-License-Identifier: Apache-2.0
//
// Expected values: the specification's examples, or counted by hand.
#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
Tensor Zeros(Dims dims) {
  Tensor t(kFloat, dims);
  std::fill_n(t.data<float>(), t.size(), 0.0f);
  return t;
}

TEST(ShapeOp, StartAndEndAreClamped) {
  const Tensor x = Zeros({3, 4, 5});
  ExpectTensor<I64>(RunOp("Shape", {x})[0], {3}, {3, 4, 5});
  ExpectTensor<I64>(RunOp("Shape", {x}, {{"start", 1}, {"end", -1}})[0], {1}, {4});
  ExpectTensor<I64>(RunOp("Shape", {x}, {{"start", -10}, {"end", 10}})[0], {3}, {3, 4, 5});
  ExpectTensor<I64>(RunOp("Shape", {x}, {{"start", 2}, {"end", 1}})[0], {0}, {});
  ExpectTensor<I64>(RunOp("Shape", {x}, {{"start", INT64_MIN}, {"end", INT64_MAX}})[0], {3}, {3, 4, 5});
  ExpectTensor<I64>(RunOp("Shape", {Tensor::Scalar<float>(1)})[0], {0}, {});
  ExpectTensor<I64>(RunOp("Size", {Zeros({3, 0, 5})})[0], {}, {0});
}

TEST(ReshapeOp, InfersAndCopies) {
  const Tensor x = Zeros({2, 3, 4});
  EXPECT_EQ(RunOp("Reshape", {x, Int64s({0, -1})})[0].dims(), (Dims{2, 12}));
  EXPECT_EQ(RunOp("Reshape", {x, Int64s({4, 0, -1})})[0].dims(), (Dims{4, 3, 2}));
  EXPECT_EQ(RunOp("Reshape", {Zeros({1}), Int64s({})})[0].dims(), Dims{});
  EXPECT_EQ(RunOp("Reshape", {Zeros({0, 3, 4}), Int64s({3, 4, 0})}, {{"allowzero", 1}})[0].dims(),
            (Dims{3, 4, 0}));
  EXPECT_EQ(RunOp("Reshape", {Zeros({0, 3}), Int64s({0, -1})})[0].dims(), (Dims{0, 3}));
}

TEST(ReshapeOp, RefusesWhatDoesNotFit) {
  const Tensor x = Zeros({2, 3});
  ExpectFails("Reshape", {x, Int64s({-1, -1})}, {}, "more than one -1");
  ExpectFails("Reshape", {x, Int64s({4, -1})}, {}, "does not fit the shape [4,-1]");
  ExpectFails("Reshape", {x, Int64s({5})}, {}, "does not fit the shape [5]");
  ExpectFails("Reshape", {x, Int64s({-2, 3})}, {}, "negative extent");
  ExpectFails("Reshape", {x, Int64s({2, 3, 0})}, {}, "copies axis 2");
  ExpectFails("Reshape", {x, Int64s({0, -1})}, {{"allowzero", 1}}, "-1 cannot be inferred");
  ExpectFails("Reshape", {x, Int64s({INT64_MAX, INT64_MAX})}, {}, "too large");
}

TEST(FlattenOp, EveryAxis) {
  const Tensor x = Zeros({2, 3, 4});
  for (auto [axis, dims] : std::vector<std::pair<int, Dims>>{
           {0, {1, 24}}, {1, {2, 12}}, {-1, {6, 4}}, {3, {24, 1}}, {-3, {1, 24}}})
    EXPECT_EQ(RunOp("Flatten", {x}, {{"axis", axis}})[0].dims(), dims) << axis;
  ExpectFails("Flatten", {x}, {{"axis", 4}}, "axis 4 is not within [-r, r]");
}

TEST(SqueezeOp, AxesOrAll) {
  const Tensor x = Zeros({1, 3, 1, 5});
  EXPECT_EQ(RunOp("Squeeze", {x})[0].dims(), (Dims{3, 5}));
  EXPECT_EQ(RunOp("Squeeze", {x, Int64s({-2})})[0].dims(), (Dims{1, 3, 5}));
  ExpectFails("Squeeze", {x, Int64s({1})}, {}, "axis 1 of [1,3,1,5] has not the extent 1");
  ExpectFails("Squeeze", {x, Int64s({INT64_MIN})}, {}, "is not within a tensor of rank 4");
  EXPECT_EQ(RunOp("Unsqueeze", {Zeros({3, 4}), Int64s({4, 0, -3})})[0].dims(), (Dims{1, 3, 1, 4, 1}));
  ExpectFails("Unsqueeze", {x, Int64s({0, -6})}, {}, "inserted twice");
}

TEST(ExpandOp, BroadcastsBothWays) {
  const Tensor x = Tensor::Of<std::string>({2, 1}, {"a", "b"});
  ExpectTensor<std::string>(RunOp("Expand", {x, Int64s({2, 1, 3})})[0], {2, 2, 3},
                            {"a", "a", "a", "b", "b", "b", "a", "a", "a", "b", "b", "b"});
  EXPECT_EQ(RunOp("Expand", {Zeros({2, 3}), Int64s({1})})[0].dims(), (Dims{2, 3}));
  EXPECT_EQ(RunOp("Expand", {Zeros({1}), Int64s({0})})[0].dims(), (Dims{0}));
  ExpectFails("Expand", {Zeros({2}), Int64s({3})}, {}, "cannot be broadcast");
  ExpectFails("Expand", {Zeros({1}), Int64s({int64_t{1} << 41})}, {}, "2^40");
  ExpectFails("Expand", {Zeros({1}), Int64s({-1})}, {}, "negative extent");
}

TEST(ConstantOp, EachAttribute) {
  ExpectTensor<int8_t>(RunOp("Constant", {}, {{"value", Tensor::Of<int8_t>({2}, {1, -1})}})[0], {2}, {1, -1});
  ExpectTensor<I64>(RunOp("Constant", {}, {{"value_int", 5}})[0], {}, {5});
  ExpectTensor<float>(RunOp("Constant", {}, {{"value_float", 0.5}})[0], {}, {0.5f});
  ExpectTensor<std::string>(RunOp("Constant", {}, {{"value_string", "text"}})[0], {}, {"text"});
  ExpectTensor<I64>(RunOp("Constant", {}, {{"value_ints", Ints{1, 2}}})[0], {2}, {1, 2});
  ExpectTensor<float>(RunOp("Constant", {}, {{"value_floats", Floats{}}})[0], {0}, {});
  ExpectTensor<std::string>(RunOp("Constant", {}, {{"value_strings", Strings{"", "b"}}})[0], {2}, {"", "b"});
  ExpectFails("Constant", {}, {}, "none of the attributes");
}

TEST(ConstantOfShapeOp, ValueAndDefault) {
  ExpectTensor<float>(RunOp("ConstantOfShape", {Int64s({2})})[0], {2}, {0, 0});
  ExpectTensor<Float16>(
      RunOp("ConstantOfShape", {Int64s({})}, {{"value", Tensor::Of<Float16>({1}, {Float16(2.0f)})}})[0], {},
      {Float16(2.0f)});
  ExpectFails("ConstantOfShape", {Int64s({-1})}, {}, "negative extent in the shape [-1]");
  ExpectFails("ConstantOfShape", {Int64s({I64{1} << 20, I64{1} << 21})}, {}, "2^40");
}

template <class T>
std::vector<Tensor> RangeOf(T start, T limit, T delta) {
  return {Tensor::Scalar<T>(start), Tensor::Scalar<T>(limit), Tensor::Scalar<T>(delta)};
}

TEST(RangeOp, CountsUpAndDown) {
  ExpectTensor<int32_t>(RunOp("Range", RangeOf<int32_t>(10, 4, -2))[0], {3}, {10, 8, 6});
  ExpectTensor<int16_t>(RunOp("Range", RangeOf<int16_t>(3, 10, 3))[0], {3}, {3, 6, 9});
  ExpectTensor<float>(RunOp("Range", RangeOf<float>(0, 1, 0.25f))[0], {4}, {0, 0.25f, 0.5f, 0.75f});
  ExpectTensor<I64>(RunOp("Range", RangeOf<I64>(5, 5, 1))[0], {0}, {});
  ExpectTensor<I64>(RunOp("Range", RangeOf<I64>(0, -5, 1))[0], {0}, {});
  // The whole of int64 in three steps: no overflow on the way.
  ExpectTensor<I64>(RunOp("Range", RangeOf<I64>(INT64_MIN, INT64_MAX, INT64_MAX))[0], {3},
                    {INT64_MIN, -1, INT64_MAX - 1});
  // 2048 + 1 is no float16: stepping in float, and rounding each, gives what adding in float16 would not.
  const Tensor half = RunOp("Range", RangeOf<Float16>(Float16(2046.0f), Float16(2052.0f), Float16(1.0f)))[0];
  ExpectTensor<Float16>(half, {6},
                        {Float16(2046.0f), Float16(2047.0f), Float16(2048.0f), Float16(2048.0f),
                         Float16(2050.0f), Float16(2052.0f)});
}

TEST(RangeOp, RefusesEndlessOnes) {
  ExpectFails("Range", RangeOf<int32_t>(0, 1, 0), {}, "delta is 0");
  ExpectFails("Range", RangeOf<float>(0, 1, 0), {}, "is no range");
  ExpectFails("Range", RangeOf<float>(0, NAN, 1), {}, "is no range");
  ExpectFails("Range", RangeOf<double>(0, INFINITY, 1), {}, "is no range");
  ExpectFails("Range", RangeOf<I64>(0, INT64_MAX, 1), {}, "more than 2^40");
  ExpectFails("Range", RangeOf<double>(0, 1e300, 1e-3), {}, "more than 2^40");
}

TEST(EyeLikeOp, Diagonals) {
  ExpectTensor<float>(RunOp("EyeLike", {Zeros({2, 3})}, {{"k", 1}})[0], {2, 3}, {0, 1, 0, 0, 0, 1});
  ExpectTensor<I64>(RunOp("EyeLike", {Zeros({2, 2})}, {{"k", -1}, {"dtype", int{kInt64}}})[0], {2, 2},
                    {0, 0, 1, 0});
  ExpectTensor<float>(RunOp("EyeLike", {Zeros({2, 2})}, {{"k", INT64_MIN}})[0], {2, 2}, {0, 0, 0, 0});
  ExpectFails("EyeLike", {Zeros({2, 2})}, {{"dtype", 99}}, "dtype 99");
  ExpectFails("EyeLike", {Zeros({2})}, {}, "two axes");
}

}  // namespace
}  // namespace braid::reference
