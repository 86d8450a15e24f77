// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

std::vector<float> Ramp(int64_t n, float first = 0) {
  std::vector<float> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), first);
  return v;
}

// Small integers that differ from place to place: sums of their products are exact in float.
Tensor Pattern(Dims dims, int64_t factor) {
  Tensor t(kFloat, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>(i * factor % 11 - 5);
  return t;
}

// Convolution in two spatial axes straight from its definition.
std::vector<float> Direct(const Tensor& x, const Tensor& w, int64_t group, int64_t stride, int64_t dilation,
                          int64_t pad, int64_t oh, int64_t ow) {
  std::vector<float> y;
  const int64_t m = w.dim(0), c = w.dim(1), kh = w.dim(2), kw = w.dim(3), h = x.dim(2), wd = x.dim(3);
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t f = 0; f < m; ++f)
      for (int64_t i = 0; i < oh; ++i)
        for (int64_t j = 0; j < ow; ++j) {
          float sum = 0;
          for (int64_t q = 0; q < c; ++q)
            for (int64_t a = 0; a < kh; ++a)
              for (int64_t b = 0; b < kw; ++b) {
                int64_t r = i * stride - pad + a * dilation, s = j * stride - pad + b * dilation;
                if (r < 0 || s < 0 || r >= h || s >= wd) continue;
                int64_t channel = f / (m / group) * c + q;
                sum += x.data<float>()[((n * x.dim(1) + channel) * h + r) * wd + s] *
                       w.data<float>()[((f * c + q) * kh + a) * kw + b];
              }
          y.push_back(sum);
        }
  return y;
}

TEST(ConvTest, AgreesWithTheDefinition) {
  struct Case {
    int64_t channels, features, group, kernel, stride, dilation, pad, size;
  };
  for (Case c :
       {Case{3, 8, 1, 3, 1, 1, 1, 14}, Case{8, 8, 8, 3, 2, 1, 1, 15}, Case{8, 16, 2, 3, 1, 2, 2, 13},
        Case{16, 7, 1, 1, 1, 1, 0, 12}, Case{4, 6, 2, 5, 3, 1, 4, 11}, Case{40, 130, 1, 3, 1, 1, 1, 7},
        Case{2, 4, 1, 2, 1, 3, 0, 20}, Case{6, 6, 6, 5, 1, 1, 2, 9}}) {
    Tensor x = Pattern({2, c.channels, c.size, c.size + 3}, 7);
    Tensor w = Pattern({c.features, c.channels / c.group, c.kernel, c.kernel}, 5);
    auto out = [&](int64_t in) { return (in + 2 * c.pad - (c.kernel - 1) * c.dilation - 1) / c.stride + 1; };
    int64_t oh = out(c.size), ow = out(c.size + 3);
    auto y = RunOp("Conv", {x, w},
                   {{"group", c.group},
                    {"strides", Ints{c.stride, c.stride}},
                    {"dilations", Ints{c.dilation, c.dilation}},
                    {"pads", Ints{c.pad, c.pad, c.pad, c.pad}}});
    ExpectTensor<float>(y[0], {2, c.features, oh, ow},
                        Direct(x, w, c.group, c.stride, c.dilation, c.pad, oh, ow));
  }
}

// The example of the Conv operator's documentation: a 5x5 ramp, 3x3 ones.
TEST(ConvTest, DocumentedExampleWithBias) {
  Tensor x = Tensor::Of<float>({1, 1, 5, 5}, Ramp(25)),
         w = Tensor::Of<float>({1, 1, 3, 3}, std::vector<float>(9, 1));
  ExpectTensor<float>(RunOp("Conv", {x, w})[0], {1, 1, 3, 3}, {54, 63, 72, 99, 108, 117, 144, 153, 162});
  ExpectTensor<float>(RunOp("Conv", {x, w, Tensor::Of<float>({1}, {0.5f})}, {{"strides", Ints{2, 2}}})[0],
                      {1, 1, 2, 2}, {54.5f, 72.5f, 144.5f, 162.5f});
  ExpectTensor<float>(RunOp("Conv", {x, w}, {{"auto_pad", "SAME_LOWER"}, {"strides", Ints{2, 2}}})[0],
                      {1, 1, 3, 3}, {12, 27, 24, 63, 108, 81, 72, 117, 84});
}

TEST(ConvTest, OneAndThreeSpatialAxesAndHalf) {
  // [1,2,3,4] with [1,0,-1] gives x[i] - x[i+2].
  ExpectTensor<float>(RunOp("Conv", {Tensor::Of<float>({1, 1, 4}, {1, 2, 3, 5}),
                                     Tensor::Of<float>({1, 1, 3}, {1, 0, -1})})[0],
                      {1, 1, 2}, {-2, -3});
  ExpectTensor<float>(RunOp("Conv", {Tensor::Of<float>({1, 1, 2, 2, 2}, Ramp(8)),
                                     Tensor::Of<float>({1, 1, 2, 2, 2}, std::vector<float>(8, 1))})[0],
                      {1, 1, 1, 1, 1}, {28});
  ExpectTensor<Float16>(RunOp("Conv", {Tensor::Of<Float16>({1, 1, 2}, {Float16(1024.0f), Float16(1.0f)}),
                                       Tensor::Of<Float16>({1, 1, 2}, {Float16(2.0f), Float16(1.0f)})})[0],
                        {1, 1, 1}, {Float16(2048.0f)});  // 2049 is a tie between 2048 and 2050
  ExpectTensor<double>(RunOp("Conv", {Tensor::Of<double>({0, 1, 4}, {}),
                                      Tensor::Of<double>({3, 1, 2}, std::vector<double>(6, 1))})[0],
                       {0, 3, 3}, {});
}

TEST(ConvTest, BadInputsAreRefused) {
  Tensor x = Pattern({1, 4, 5, 5}, 3), w = Pattern({4, 4, 3, 3}, 3);
  ExpectFails("Conv", {x, w}, {{"group", 0}}, "group is 0");
  ExpectFails("Conv", {x, w}, {{"group", -2}}, "group is -2");
  ExpectFails("Conv", {x, w}, {{"group", 3}}, "do not fit");
  ExpectFails("Conv", {x, w}, {{"strides", Ints{0, 1}}}, "strides [0,1]");
  ExpectFails("Conv", {x, w}, {{"dilations", Ints{1, 0}}}, "dilations [1,0]");
  ExpectFails("Conv", {x, w}, {{"dilations", Ints{1}}}, "dilations has 1 values");
  ExpectFails("Conv", {x, w}, {{"pads", Ints{0, 0, 0, -1}}}, "pads [0,0,0,-1]");
  ExpectFails("Conv", {x, w}, {{"pads", Ints{INT64_MAX, 0, INT64_MAX, 0}}}, "pads");
  ExpectFails("Conv", {x, w}, {{"dilations", Ints{2147483647, 1}}}, "larger than the padded input");
  ExpectFails("Conv", {x, w}, {{"auto_pad", "MIDDLE"}}, "auto_pad 'MIDDLE'");
  ExpectFails("Conv", {x, Pattern({4, 4, 3, 3, 3}, 1)}, {}, "different ranks");
  ExpectFails("Conv", {x, Pattern({4, 4, 6, 3}, 1)}, {}, "larger than the padded input");
  ExpectFails("Conv", {x, w, Pattern({3}, 1)}, {}, "bias");
  ExpectFails("Conv", {Pattern({4, 4}, 1), Pattern({4, 4}, 1)}, {}, "no spatial axes");
  ExpectFails("Conv", {x, w}, {{"kernel_shape", Ints{3, 2}}}, "kernel_shape");
}

// The example of the ConvTranspose operator's documentation.
TEST(ConvTransposeTest, DocumentedExamples) {
  Tensor x = Tensor::Of<float>({1, 1, 3, 3}, Ramp(9)),
         w = Tensor::Of<float>({1, 1, 3, 3}, std::vector<float>(9, 1));
  ExpectTensor<float>(
      RunOp("ConvTranspose", {x, w})[0], {1, 1, 5, 5},
      {0, 1, 3, 3, 2, 3, 8, 15, 12, 7, 9, 21, 36, 27, 15, 9, 20, 33, 24, 13, 6, 13, 21, 15, 8});
  // An output larger than the windows reach: the rest is bias.
  ExpectTensor<float>(RunOp("ConvTranspose",
                            {Tensor::Of<float>({1, 1, 2}, {1, 2}), Tensor::Of<float>({1, 1, 1}, {3}),
                             Tensor::Of<float>({1}, {1})},
                            {{"output_shape", Ints{4}}, {"strides", Ints{2}}})[0],
                      {1, 1, 4}, {4, 1, 7, 1});
  // Two groups: each output channel from its own input channel.
  ExpectTensor<float>(
      RunOp("ConvTranspose",
            {Tensor::Of<float>({1, 2, 2}, {1, 2, 3, 4}), Tensor::Of<float>({2, 1, 2}, {1, 10, 100, 1000})},
            {{"group", 2}})[0],
      {1, 2, 3}, {1, 12, 20, 300, 3400, 4000});
}

TEST(ConvTransposeTest, BadInputsAreRefused) {
  Tensor x = Pattern({1, 1, 3}, 1), w = Pattern({1, 1, 3}, 1);
  ExpectFails("ConvTranspose", {x, w}, {{"pads", Ints{4, 4}}}, "extent");
  ExpectFails("ConvTranspose", {x, w}, {{"output_padding", Ints{-1}}}, "output_padding");
  ExpectFails("ConvTranspose", {x, w}, {{"output_shape", Ints{INT64_MIN}}}, "output_shape");
  ExpectFails("ConvTranspose", {x, w}, {{"group", 0}}, "group");
  ExpectFails("ConvTranspose", {x, w}, {{"strides", Ints{2147483647}}, {"output_padding", Ints{INT64_MAX}}},
              "output_padding");
  EXPECT_THROW(RunOp("ConvTranspose", {Pattern({1, 1, 3, 3}, 1), Pattern({1, 1, 3, 3}, 1)},
                     {{"strides", Ints{2147483647, 2147483647}}}),
               kit::Error);
}

// The example of the Col2Im operator's documentation.
TEST(Col2ImTest, DocumentedExampleAndErrors) {
  Tensor x = Tensor::Of<float>(
      {1, 5, 5}, {1, 6, 11, 16, 21, 2, 7, 12, 17, 22, 3, 8, 13, 18, 23, 4, 9, 14, 19, 24, 5, 0, 15, 20, 25});
  Tensor image = Tensor::Of<int64_t>({2}, {5, 5}), block = Tensor::Of<int64_t>({2}, {1, 5});
  ExpectTensor<float>(
      RunOp("Col2Im", {x, image, block})[0], {1, 1, 5, 5},
      {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25});
  ExpectTensor<int8_t>(RunOp("Col2Im", {Tensor::Of<int8_t>({1, 2, 2}, {100, 100, 100, 100}),
                                        Tensor::Of<int64_t>({1}, {3}), Tensor::Of<int64_t>({1}, {2})})[0],
                       {1, 1, 3}, {100, -56, 100});  // overlapping elements wrap
  ExpectFails("Col2Im", {x, Tensor::Of<int64_t>({2}, {INT64_MAX, 5}), block}, {}, "image_shape");
  ExpectFails("Col2Im", {x, image, Tensor::Of<int64_t>({2}, {0, 5})}, {}, "outside [1, 2^31)");
  ExpectFails("Col2Im", {x, image, Tensor::Of<int64_t>({2}, {5, 5})}, {}, "no multiple");
}

// The example of the ConvInteger operator's documentation; and zero points for each feature.
TEST(ConvIntegerTest, ZeroPoints) {
  Tensor x = Tensor::Of<uint8_t>({1, 1, 3, 3}, {2, 3, 4, 5, 6, 7, 8, 9, 10});
  ExpectTensor<int32_t>(RunOp("ConvInteger", {x, Tensor::Of<uint8_t>({1, 1, 2, 2}, {1, 1, 1, 1}),
                                              Tensor::Scalar<uint8_t>(1)})[0],
                        {1, 1, 2, 2}, {12, 16, 24, 28});
  ExpectTensor<int32_t>(
      RunOp("ConvInteger", {x, Tensor::Of<int8_t>({2, 1, 3, 3}, std::vector<int8_t>(18, -128)), Tensor(),
                            Tensor::Of<int8_t>({2}, {0, -127})})[0],
      {1, 2, 1, 1}, {-128 * 54, -54});
}

TEST(QLinearConvTest, RoundsToEvenAndSaturates) {
  auto run = [](uint8_t value, float scale, int32_t bias) {
    return RunOp(
        "QLinearConv",
        {Tensor::Of<uint8_t>({1, 1, 1}, {value}), Tensor::Scalar(scale), Tensor::Scalar<uint8_t>(0),
         Tensor::Of<int8_t>({1, 1, 1}, {1}), Tensor::Of<float>({1}, {1}), Tensor::Of<int8_t>({1}, {0}),
         Tensor::Scalar(1.0f), Tensor::Scalar<int8_t>(3), Tensor::Of<int32_t>({1}, {bias})})[0];
  };
  ExpectTensor<int8_t>(run(5, 0.5f, 0), {1, 1, 1}, {5});  // 2.5 -> 2, + 3
  ExpectTensor<int8_t>(run(7, 0.5f, 0), {1, 1, 1}, {7});  // 3.5 -> 4, + 3
  ExpectTensor<int8_t>(run(250, 1.0f, 5), {1, 1, 1}, {127});
  ExpectTensor<int8_t>(run(0, 1.0f, -1000), {1, 1, 1}, {-128});
}

// Offsets of 0 are a convolution; half a step right samples the mean of two neighbours, with 0 beyond the
// edge.
TEST(DeformConvTest, SamplesBetweenElements) {
  Tensor x = Tensor::Of<float>({1, 1, 1, 3}, {2, 4, 6}), w = Tensor::Of<float>({1, 1, 1, 1}, {1});
  Tensor none = Tensor::Of<float>({1, 2, 1, 3}, std::vector<float>(6, 0));
  Tensor half = Tensor::Of<float>({1, 2, 1, 3}, {0, 0, 0, 0.5f, 0.5f, 0.5f});
  ExpectTensor<float>(RunOp("DeformConv", {x, w, none})[0], {1, 1, 1, 3}, {2, 4, 6});
  ExpectTensor<float>(RunOp("DeformConv", {x, w, half})[0], {1, 1, 1, 3}, {3, 5, 3});
  Tensor mask = Tensor::Of<float>({1, 1, 1, 3}, {1, 0, 2});
  ExpectTensor<float>(RunOp("DeformConv", {x, w, half, Tensor::Of<float>({1}, {1}), mask})[0], {1, 1, 1, 3},
                      {4, 1, 7});
  Tensor wild = Tensor::Of<float>({1, 2, 1, 3}, {0, 0, 0, NAN, INFINITY, -1e30f});
  ExpectTensor<float>(RunOp("DeformConv", {x, w, wild})[0], {1, 1, 1, 3}, {0, 0, 0});
  ExpectFails("DeformConv", {x, w, Tensor::Of<float>({1, 2, 1, 2}, {0, 0, 0, 0})}, {}, "offset is");
}

}  // namespace
}  // namespace braid::reference
