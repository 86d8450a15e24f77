// SPDX-License-Identifier: Apache-2.0
//
// Expected values: the specification's examples, numpy, or written down by hand.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }

TEST(TopKOp, TiesNanAndAxes) {
  const Tensor x = Tensor::Of<float>({2, 4}, {3, 1, 3, 2, 7, NAN, 7, -INFINITY});
  auto out = RunOp("TopK", {x, Int64s({2})}, {}, 2);
  ExpectTensor<float>(out[0], {2, 2}, {3, 3, NAN, 7});
  ExpectTensor<I64>(out[1], {2, 2}, {0, 2, 1, 0});
  out = RunOp("TopK", {x, Int64s({3})}, {{"largest", 0}}, 2);
  ExpectTensor<float>(out[0], {2, 3}, {1, 2, 3, -INFINITY, 7, 7});
  ExpectTensor<I64>(out[1], {2, 3}, {1, 3, 0, 3, 0, 2});
  out = RunOp("TopK", {x, Int64s({1})}, {{"axis", 0}}, 2);
  ExpectTensor<I64>(out[1], {1, 4}, {1, 1, 1, 0});
  out = RunOp("TopK", {Tensor::Of<uint64_t>({3}, {1, UINT64_MAX, 2}), Int64s({3})}, {}, 2);
  ExpectTensor<uint64_t>(out[0], {3}, {UINT64_MAX, 2, 1});
  EXPECT_EQ(RunOp("TopK", {x, Int64s({0})}, {}, 2)[1].dims(), (Dims{2, 0}));
}

TEST(TopKOp, RefusesWhatIsNotThere) {
  const Tensor x = Tensor::Of<float>({2}, {1, 2});
  ExpectFails("TopK", {x, Int64s({3})}, {}, "K is 3, axis 0 has the extent 2");
  ExpectFails("TopK", {x, Int64s({INT64_MIN})}, {}, "K is -9223372036854775808");
  ExpectFails("TopK", {x, Int64s({1, 1})}, {}, "K must hold one element");
  ExpectFails("TopK", {Tensor::Scalar<float>(1), Int64s({1})}, {}, "scalar");
}

TEST(UniqueOp, SpecificationExamples) {
  const Tensor x = Tensor::Of<float>({6}, {2, 1, 1, 3, 4, 3});
  auto out = RunOp("Unique", {x}, {{"sorted", 0}}, 4);
  ExpectTensor<float>(out[0], {4}, {2, 1, 3, 4});
  ExpectTensor<I64>(out[1], {4}, {0, 1, 3, 4});
  ExpectTensor<I64>(out[2], {6}, {0, 1, 1, 2, 3, 2});
  ExpectTensor<I64>(out[3], {4}, {1, 2, 2, 1});
  out = RunOp("Unique", {Tensor::Of<float>({2, 4, 2}, {1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1, 0, 1})},
              {{"axis", 1}}, 4);
  ExpectTensor<float>(out[0], {2, 3, 2}, {0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1});
  ExpectTensor<I64>(out[1], {3}, {1, 0, 2});
  ExpectTensor<I64>(out[2], {4}, {1, 0, 2, 0});
  ExpectTensor<I64>(out[3], {3}, {2, 1, 1});
}

TEST(UniqueOp, StringsNanAndEmpty) {
  ExpectTensor<std::string>(RunOp("Unique", {Tensor::Of<std::string>({3}, {"b", "", "b"})})[0], {2},
                            {"", "b"});
  ExpectTensor<float>(RunOp("Unique", {Tensor::Of<float>({4}, {NAN, 1, NAN, -0.0f})})[0], {3}, {0, 1, NAN});
  auto out = RunOp("Unique", {Tensor(kFloat, {0})}, {}, 4);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(out[i].dims(), Dims{0});
  EXPECT_EQ(RunOp("Unique", {Tensor(kFloat, {3, 0})}, {{"axis", 0}})[0].dims(), (Dims{1, 0}));
  ExpectFails("Unique", {Tensor(kFloat, {3})}, {{"axis", 1}}, "axis 1 is not within");
}

std::vector<Tensor> Boxes(std::vector<float> boxes, std::vector<float> scores, I64 most, float iou,
                          float threshold) {
  const I64 n = static_cast<I64>(scores.size());
  return {Tensor::Of<float>({1, n, 4}, boxes), Tensor::Of<float>({1, 1, n}, scores), Int64s({most}),
          Tensor::Of<float>({1}, {iou}), Tensor::Of<float>({1}, {threshold})};
}

TEST(NonMaxSuppressionOp, EdgeCases) {
  const std::vector<float> three = {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 10, 1, 11};
  ExpectTensor<I64>(RunOp("NonMaxSuppression", Boxes(three, {0.9f, 0.95f, 0.3f}, 3, 0.5f, 0))[0], {2, 3},
                    {0, 0, 1, 0, 0, 2});
  ExpectTensor<I64>(RunOp("NonMaxSuppression", Boxes(three, {0.9f, 0.95f, 0.3f}, 3, 0.5f, 0.5f))[0], {1, 3},
                    {0, 0, 1});
  ExpectTensor<I64>(RunOp("NonMaxSuppression", Boxes(three, {0.5f, 0.5f, 0.5f}, 1, 0.5f, 0))[0], {1, 3},
                    {0, 0, 0});
  ExpectTensor<I64>(RunOp("NonMaxSuppression", Boxes(three, {1, 1, 1}, 0, 0.5f, 0))[0], {0, 3}, {});
  ExpectTensor<I64>(RunOp("NonMaxSuppression", Boxes(three, {1, 1, 1}, INT64_MIN, 0.5f, 0))[0], {0, 3}, {});
  // NaN boxes overlap with nothing, NaN scores are not above the threshold.
  ExpectTensor<I64>(RunOp("NonMaxSuppression",
                          Boxes({NAN, 0, 1, 1, 0, NAN, 1, 1, 0, 0, 1, 1}, {3, 2, NAN}, INT64_MAX, 0, 1))[0],
                    {2, 3}, {0, 0, 0, 0, 0, 1});
  ExpectFails("NonMaxSuppression", Boxes(three, {1, 1, 1}, 1, NAN, 0), {}, "iou_threshold is");
  auto wrong = Boxes(three, {1, 1, 1}, 1, 0, 0);
  wrong[1] = Tensor::Of<float>({1, 1, 2}, {1, 1});
  ExpectFails("NonMaxSuppression", wrong, {}, "scores must have the shape");
}

}  // namespace
}  // namespace braid::reference
