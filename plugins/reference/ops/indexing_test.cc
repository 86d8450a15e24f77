// SPDX-License-Identifier: Apache-2.0
//
// Expected values: the specification's examples, numpy, or written down by hand.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
Tensor Floats32(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), std::move(values));
}
const I64 kHostile[] = {2, -3, INT64_MIN, INT64_MAX};

TEST(GatherOp, AxesTypesAndBounds) {
  const Tensor x = Tensor::Of<std::string>({2, 2}, {"a", "b", "c", "d"});
  ExpectTensor<std::string>(RunOp("Gather", {x, Tensor::Of<int32_t>({1, 2}, {-1, 0})}, {{"axis", 1}})[0],
                            {2, 1, 2}, {"b", "a", "d", "c"});
  ExpectTensor<std::string>(RunOp("Gather", {x, Tensor::Scalar<I64>(1)})[0], {2}, {"c", "d"});
  for (I64 bad : kHostile)
    ExpectFails("Gather", {x, Int64s({0, bad})}, {},
                "index " + std::to_string(bad) + " (element 1 of the indices) is outside axis 0 of extent 2");
  ExpectFails("Gather", {x, Int64s({0})}, {{"axis", INT64_MIN}}, "is not within");
  ExpectFails("Gather", {Tensor::Scalar<float>(1), Int64s({0})}, {}, "scalar");
  EXPECT_EQ(RunOp("Gather", {Tensor(kFloat, {0, 3}), Int64s({})})[0].dims(), (Dims{0, 3}));
}

TEST(GatherElementsOp, SpecificationExample) {
  const Tensor x = Floats32({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  ExpectTensor<float>(
      RunOp("GatherElements", {x, Tensor::Of<I64>({2, 3}, {1, 2, 0, 2, 0, 0})}, {{"axis", 0}})[0], {2, 3},
      {4, 8, 3, 7, 2, 3});
  ExpectTensor<float>(RunOp("GatherElements", {x, Tensor::Of<I64>({1, 2}, {-1, 0})}, {{"axis", 1}})[0],
                      {1, 2}, {3, 1});
  ExpectFails("GatherElements", {x, Tensor::Of<I64>({1, 1}, {3})}, {}, "outside axis 0 of extent 3");
  ExpectFails("GatherElements", {x, Int64s({0})}, {}, "have not the same rank");
  ExpectFails("GatherElements", {x, Tensor(kInt64, {1, 4})}, {{"axis", 0}}, "reach beyond data");
}

TEST(GatherNDOp, SpecificationExamples) {
  const Tensor x = Tensor::Of<I64>({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  ExpectTensor<I64>(RunOp("GatherND", {x, Tensor::Of<I64>({2, 2}, {0, 1, 1, 0})})[0], {2, 2}, {2, 3, 4, 5});
  ExpectTensor<I64>(RunOp("GatherND", {x, Tensor::Of<I64>({2, 1, 2}, {0, 1, 1, 0})})[0], {2, 1, 2},
                    {2, 3, 4, 5});
  ExpectTensor<I64>(RunOp("GatherND", {x, Tensor::Of<I64>({2, 1}, {1, 0})}, {{"batch_dims", 1}})[0], {2, 2},
                    {2, 3, 4, 5});
  ExpectTensor<I64>(RunOp("GatherND", {x, Tensor::Of<I64>({1, 3}, {-1, -1, -1})})[0], {1}, {7});
  ExpectFails("GatherND", {x, Tensor::Of<I64>({1, 2}, {0, 2})}, {},
              "index 2 (element 1 of the indices) is outside axis 1");
  ExpectFails("GatherND", {x, Tensor(kInt64, {1, 4})}, {}, "index tuples of 4 do not fit");
  ExpectFails("GatherND", {x, Tensor(kInt64, {2, 1})}, {{"batch_dims", 2}}, "batch_dims 2 must be less");
  ExpectFails("GatherND", {x, Tensor(kInt64, {3, 1})}, {{"batch_dims", 1}}, "differ in batch axis 0");
}

TEST(ScatterElementsOp, ReductionsInOrder) {
  const Tensor x = Floats32({1, 5}, {1, 2, 3, 4, 5}), at = Tensor::Of<I64>({1, 3}, {1, -4, 3}),
               updates = Floats32({1, 3}, {5, 7, -1});
  auto scatter = [&](const char* how) {
    return RunOp("ScatterElements", {x, at, updates}, {{"axis", 1}, {"reduction", how}})[0];
  };
  ExpectTensor<float>(scatter("none"), {1, 5}, {1, 7, 3, -1, 5});
  ExpectTensor<float>(scatter("add"), {1, 5}, {1, 14, 3, 3, 5});
  ExpectTensor<float>(scatter("mul"), {1, 5}, {1, 70, 3, -4, 5});
  ExpectTensor<float>(scatter("max"), {1, 5}, {1, 7, 3, 4, 5});
  ExpectTensor<float>(scatter("min"), {1, 5}, {1, 2, 3, -1, 5});
  ExpectFails("ScatterElements", {x, at, updates}, {{"axis", 1}, {"reduction", "mean"}},
              "reduction 'mean' is not known");
  ExpectFails("ScatterElements", {x, at, updates}, {{"axis", 0}}, "outside axis 0 of extent 1");
  ExpectFails("ScatterElements", {x, at, Floats32({1, 1}, {0})}, {{"axis", 1}}, "[1,3] is needed");
}

TEST(ScatterElementsOp, OtherTypes) {
  const Tensor zero = Int64s({0});
  auto one = [&](Tensor data, Tensor update, const char* how) {
    return RunOp("ScatterElements", {data, zero, update}, {{"reduction", how}})[0];
  };
  ExpectTensor<int8_t>(one(Tensor::Of<int8_t>({1}, {127}), Tensor::Of<int8_t>({1}, {1}), "add"), {1}, {-128});
  ExpectTensor<uint16_t>(one(Tensor::Of<uint16_t>({1}, {65535}), Tensor::Of<uint16_t>({1}, {65535}), "mul"),
                         {1}, {1});
  ExpectTensor<bool>(one(Tensor::Of<bool>({1}, {true}), Tensor::Of<bool>({1}, {true}), "add"), {1}, {true});
  ExpectTensor<bool>(one(Tensor::Of<bool>({1}, {true}), Tensor::Of<bool>({1}, {false}), "mul"), {1}, {false});
  ExpectTensor<Complex64>(
      one(Tensor::Of<Complex64>({1}, {{0, 1}}), Tensor::Of<Complex64>({1}, {{0, 1}}), "mul"), {1}, {{-1, 0}});
  ExpectTensor<float>(one(Floats32({1}, {1}), Floats32({1}, {NAN}), "max"), {1}, {NAN});
  ExpectTensor<float>(one(Floats32({1}, {NAN}), Floats32({1}, {1}), "min"), {1}, {NAN});
  ExpectTensor<std::string>(
      one(Tensor::Of<std::string>({1}, {"a"}), Tensor::Of<std::string>({1}, {"b"}), "none"), {1}, {"b"});
  EXPECT_EQ(JudgeOp("ScatterElements",
                    {Tensor::Of<std::string>({1}, {"a"}), zero, Tensor::Of<std::string>({1}, {"b"})},
                    {{"reduction", "add"}}),
            BRAID_NO_ATTRIBUTE);
}

TEST(ScatterNDOp, ElementsAndSlices) {
  ExpectTensor<I64>(RunOp("ScatterND", {Int64s({1, 2, 3, 4, 5, 6, 7, 8}),
                                        Tensor::Of<I64>({4, 1}, {4, 3, 1, 7}), Int64s({9, 10, 11, 12})})[0],
                    {8}, {1, 11, 3, 10, 9, 6, 7, 12});
  const Tensor x = Floats32({2, 2}, {1, 2, 3, 4});
  ExpectTensor<float>(
      RunOp("ScatterND", {x, Tensor::Of<I64>({2, 1}, {1, -1}), Floats32({2, 2}, {1, 1, 10, 10})},
            {{"reduction", "add"}})[0],
      {2, 2}, {1, 2, 14, 15});
  ExpectTensor<float>(RunOp("ScatterND", {x, Tensor::Of<I64>({1, 2}, {0, 1}), Floats32({1}, {9})})[0], {2, 2},
                      {1, 9, 3, 4});
  for (I64 bad : kHostile)
    ExpectFails("ScatterND", {x, Tensor::Of<I64>({1, 1}, {bad}), Floats32({1, 2}, {0, 0})}, {},
                "outside axis 0 of extent 2");
  ExpectFails("ScatterND", {x, Tensor::Of<I64>({1, 1}, {0}), Floats32({2}, {0, 0})}, {}, "[1,2] is needed");
}

TEST(TensorScatterOp, LinearAndCircular) {
  const Tensor cache = Floats32({2, 3, 1}, {1, 2, 3, 4, 5, 6}),
               update = Floats32({2, 2, 1}, {10, 20, 30, 40});
  ExpectTensor<float>(RunOp("TensorScatter", {cache, update, Int64s({1, 0})})[0], {2, 3, 1},
                      {1, 10, 20, 30, 40, 6});
  ExpectTensor<float>(RunOp("TensorScatter", {cache, update})[0], {2, 3, 1}, {10, 20, 3, 30, 40, 6});
  ExpectTensor<float>(RunOp("TensorScatter", {cache, update, Int64s({2, 7})}, {{"mode", "circular"}})[0],
                      {2, 3, 1}, {20, 2, 10, 4, 30, 40});
  ExpectFails("TensorScatter", {cache, update, Int64s({2, 0})}, {},
              "write index 2 and 2 steps do not fit a cache of 3");
  ExpectFails("TensorScatter", {cache, update, Int64s({INT64_MIN, 0})}, {}, "do not fit a cache of 3");
  ExpectFails("TensorScatter", {cache, update}, {{"axis", 0}}, "axis is the batch axis");
}

TEST(OneHotOp, AxesAndOutOfRange) {
  const Tensor values = Floats32({2}, {2, 5}), depth = Int64s({3});
  ExpectTensor<float>(RunOp("OneHot", {Int64s({0, -1, 3, -4}), depth, values})[0], {4, 3},
                      {5, 2, 2, 2, 2, 5, 2, 2, 2, 2, 2, 2});
  ExpectTensor<float>(RunOp("OneHot", {Int64s({2, 0}), depth, values}, {{"axis", 0}})[0], {3, 2},
                      {2, 5, 2, 2, 5, 2});
  ExpectTensor<std::string>(RunOp("OneHot", {Floats32({2}, {1.9f, NAN}), Tensor::Scalar<double>(2.5),
                                             Tensor::Of<std::string>({2}, {"-", "x"})})[0],
                            {2, 2}, {"-", "x", "-", "-"});
  ExpectTensor<float>(RunOp("OneHot", {Int64s({INT64_MIN}), Int64s({1}), values})[0], {1, 1}, {2});
  ExpectFails("OneHot", {Int64s({0}), Int64s({INT64_MAX}), values}, {}, "2^40");
  ExpectFails("OneHot", {Int64s({0}), Int64s({-1}), values}, {}, "depth is -1");
  ExpectFails("OneHot", {Int64s({0}), Floats32({1}, {NAN}), values}, {}, "depth is");
  ExpectFails("OneHot", {Int64s({0}), depth, Floats32({1}, {0})}, {}, "values must hold two");
  ExpectFails("OneHot", {Int64s({0}), depth, values}, {{"axis", 2}},
              "axis 2 is not within a tensor of rank 2");
}

TEST(NonZeroOp, AnyType) {
  ExpectTensor<I64>(RunOp("NonZero", {Floats32({2, 2}, {1, -0.0f, NAN, 1})})[0], {2, 3}, {0, 1, 1, 0, 0, 1});
  ExpectTensor<I64>(RunOp("NonZero", {Tensor::Of<std::string>({3}, {"", "0", ""})})[0], {1, 1}, {1});
  ExpectTensor<I64>(RunOp("NonZero", {Tensor::Scalar<bool>(true)})[0], {0, 1}, {});
  ExpectTensor<I64>(RunOp("NonZero", {Tensor(kFloat, {3, 0})})[0], {2, 0}, {});
}

TEST(CompressOp, AxisAndFlat) {
  const Tensor x = Floats32({3, 2}, {1, 2, 3, 4, 5, 6}), condition = Tensor::Of<bool>({2}, {false, true});
  ExpectTensor<float>(RunOp("Compress", {x, condition}, {{"axis", 0}})[0], {1, 2}, {3, 4});
  ExpectTensor<float>(RunOp("Compress", {x, condition}, {{"axis", -1}})[0], {3, 1}, {2, 4, 6});
  ExpectTensor<float>(RunOp("Compress", {x, Tensor::Of<bool>({5}, {false, true, false, false, true})})[0],
                      {2}, {2, 5});
  ExpectFails("Compress", {x, Tensor::Of<bool>({3}, {false, false, true})}, {{"axis", 1}},
              "selects element 2 of an axis of extent 2");
}

TEST(WhereOp, Broadcasts) {
  ExpectTensor<I64>(
      RunOp("Where", {Tensor::Of<bool>({2, 1}, {true, false}), Int64s({1, 2}), Tensor::Scalar<I64>(9)})[0],
      {2, 2}, {1, 2, 9, 9});
  ExpectTensor<std::string>(
      RunOp("Where", {Tensor::Of<bool>({2}, {true, false}), Tensor::Of<std::string>({2}, {"a", "b"}),
                      Tensor::Of<std::string>({2}, {"c", "d"})})[0],
      {2}, {"a", "d"});
  ExpectFails("Where", {Tensor::Of<bool>({2}, {true, false}), Int64s({1, 2, 3}), Int64s({1})}, {},
              "cannot be broadcast");
}

}  // namespace
}  // namespace braid::reference
