// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

Tensor Ramp(Dims dims, float first = 1) {
  Tensor t(kFloat, dims);
  std::iota(t.data<float>(), t.data<float>() + t.size(), first);
  return t;
}
constexpr float kInf = std::numeric_limits<float>::infinity();

// Worked by hand on the ramp 1 ... 16.
TEST(MaxPoolTest, ValuesAndIndices) {
  Tensor x = Ramp({1, 1, 4, 4});
  auto y = RunOp("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, 2);
  ExpectTensor<float>(y[0], {1, 1, 2, 2}, {6, 8, 14, 16});
  ExpectTensor<int64_t>(y[1], {1, 1, 2, 2}, {5, 7, 13, 15});
  y = RunOp("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"storage_order", 1}}, 2);
  ExpectTensor<int64_t>(y[1], {1, 1, 2, 2}, {5, 13, 7, 15});
  // Dilated: corners two apart.
  ExpectTensor<float>(RunOp("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 2}}})[0],
                      {1, 1, 2, 2}, {11, 12, 15, 16});
  // The last window starts inside, and reaches over the end.
  ExpectTensor<float>(
      RunOp("MaxPool", {x}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", 1}})[0],
      {1, 1, 2, 2}, {11, 12, 15, 16});
  ExpectTensor<int8_t>(RunOp("MaxPool", {Tensor::Of<int8_t>({1, 1, 3}, {-128, -3, -7})},
                             {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}})[0],
                       {1, 1, 4}, {-128, -3, -3, -7});
  // Equal maxima: the first; a NaN is the maximum; -inf is an element like any other.
  y = RunOp("MaxPool", {Tensor::Of<float>({1, 1, 4}, {2, 2, NAN, 1})}, {{"kernel_shape", Ints{2}}}, 2);
  ExpectTensor<float>(y[0], {1, 1, 3}, {2, NAN, NAN});
  ExpectTensor<int64_t>(y[1], {1, 1, 3}, {0, 2, 2});
  y = RunOp("MaxPool", {Tensor::Of<float>({1, 1, 2}, {-kInf, -kInf})}, {{"kernel_shape", Ints{2}}}, 2);
  ExpectTensor<int64_t>(y[1], {1, 1, 1}, {0});
}

TEST(AveragePoolTest, CountsWhatItShould) {
  Tensor x = Tensor::Of<float>({1, 1, 3}, {3, 6, 9});
  ExpectTensor<float>(RunOp("AveragePool", {x}, {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}})[0],
                      {1, 1, 4}, {3, 4.5f, 7.5f, 9});
  ExpectTensor<float>(RunOp("AveragePool", {x},
                            {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}, {"count_include_pad", 1}})[0],
                      {1, 1, 4}, {1.5f, 4.5f, 7.5f, 4.5f});
  // What ceil_mode reaches beyond the padding never counts.
  ExpectTensor<float>(
      RunOp("AveragePool", {x},
            {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", 1}, {"count_include_pad", 1}})[0],
      {1, 1, 2}, {4.5f, 9});
  ExpectTensor<float>(RunOp("AveragePool", {x}, {{"kernel_shape", Ints{2}}, {"dilations", Ints{2}}})[0],
                      {1, 1, 1}, {6});
  ExpectTensor<float>(RunOp("AveragePool", {x}, {{"kernel_shape", Ints{2}}, {"auto_pad", "SAME_LOWER"}})[0],
                      {1, 1, 3}, {3, 4.5f, 7.5f});
}

TEST(PoolTest, LpAndGlobal) {
  Tensor x = Tensor::Of<float>({1, 2, 2}, {3, -4, 1, 2});
  ExpectTensor<float>(RunOp("LpPool", {x}, {{"kernel_shape", Ints{2}}})[0], {1, 2, 1}, {5, std::sqrt(5.0f)},
                      1e-7);
  ExpectTensor<float>(RunOp("LpPool", {x}, {{"kernel_shape", Ints{2}}, {"p", 1}})[0], {1, 2, 1}, {7, 3});
  ExpectTensor<float>(RunOp("GlobalLpPool", {x}, {{"p", 3}})[0], {1, 2, 1}, {4.4979414f, 2.0800838f}, 1e-6);
  ExpectTensor<float>(RunOp("GlobalAveragePool", {x})[0], {1, 2, 1}, {-0.5f, 1.5f});
  ExpectTensor<float>(RunOp("GlobalMaxPool", {x})[0], {1, 2, 1}, {3, 2});
}

TEST(PoolTest, BadInputsAreRefused) {
  Tensor x = Ramp({1, 1, 4, 4});
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    ExpectFails(op, {x}, {}, "kernel_shape is missing");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{5, 2}}}, "larger than the padded input");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{2, 0}}}, "outside [1, 2^31)");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{2}}}, "spatial axes");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{0, 1}}}, "strides");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{1, -1}}}, "dilations");
    ExpectFails(op, {x}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, 0, -1, 0}}}, "pads");
  }
  // Huge, but legal: only elements inside are visited.
  Ints huge{2147483647, 2147483647}, half{1073741823, 1073741823, 1073741823, 1073741823};
  ExpectTensor<float>(RunOp("MaxPool", {x}, {{"kernel_shape", huge}, {"pads", half}})[0], {1, 1, 4, 4},
                      std::vector<float>(16, 16));
}

// Values where the indices say; the rest is 0.
TEST(MaxUnpoolTest, PlacesAndRefuses) {
  Tensor x = Tensor::Of<float>({1, 1, 2}, {5, 7}), places = Tensor::Of<int64_t>({1, 1, 2}, {1, 2});
  std::vector<Attr> attrs = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  ExpectTensor<float>(RunOp("MaxUnpool", {x, places}, attrs)[0], {1, 1, 4}, {0, 5, 7, 0});
  ExpectTensor<float>(RunOp("MaxUnpool", {x, places, Tensor::Of<int64_t>({3}, {1, 1, 5})}, attrs)[0],
                      {1, 1, 5}, {0, 5, 7, 0, 0});
  for (int64_t bad : {int64_t{-1}, int64_t{4}, INT64_MIN, INT64_MAX})
    ExpectFails("MaxUnpool", {x, Tensor::Of<int64_t>({1, 1, 2}, {1, bad})}, attrs,
                "is not within the 4 elements");
  ExpectFails("MaxUnpool", {x, places, Tensor::Of<int64_t>({3}, {1, 1, 3})}, attrs, "smaller than");
  ExpectFails("MaxUnpool", {x, Tensor::Of<int64_t>({1, 1, 1}, {0})}, attrs, "have not the shape");
}

TEST(RoiTest, PoolsAndRefuses) {
  Tensor x = Ramp({1, 1, 4, 4}), image = Tensor::Of<int64_t>({1}, {0});
  ExpectTensor<float>(
      RunOp("MaxRoiPool", {x, Tensor::Of<float>({1, 5}, {0, 0, 0, 3, 1})}, {{"pooled_shape", Ints{1, 2}}})[0],
      {1, 1, 1, 2}, {6, 8});
  // One bin over the 2 x 2 corner: its sample falls on the corner's middle, the mean of 1, 2, 5 and 6.
  std::vector<Attr> attrs = {{"sampling_ratio", 1}};
  ExpectTensor<float>(RunOp("RoiAlign", {x, Tensor::Of<float>({1, 4}, {0, 0, 2, 2}), image}, attrs)[0],
                      {1, 1, 1, 1}, {3.5f});
  ExpectFails("RoiAlign", {x, Tensor::Of<float>({1, 4}, {0, 0, 2, 2}), Tensor::Of<int64_t>({1}, {1})}, attrs,
              "of image 1 of 1");
  ExpectFails("RoiAlign", {x, Tensor::Of<float>({1, 4}, {0, 0, NAN, 2}), image}, attrs, "not finite");
  ExpectFails("RoiAlign", {x, Tensor::Of<float>({1, 4}, {0, 0, 1e30f, 2}), image}, {}, "too many samples");
  ExpectFails("MaxRoiPool", {x, Tensor::Of<float>({1, 5}, {-1, 0, 0, 1, 1})}, {{"pooled_shape", Ints{1, 1}}},
              "of image -1 of 1");
  EXPECT_NO_THROW(RunOp("MaxRoiPool", {x, Tensor::Of<float>({1, 5}, {0, -1e30f, NAN, 1e30f, 1e30f})},
                        {{"pooled_shape", Ints{2, 2}}}));
}

}  // namespace
}  // namespace braid::reference
