// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numbers>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

Tensor Pattern(Dims dims) {
  Tensor t(kDouble, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.data<double>()[i] = static_cast<double>(i * 3 % 11 - 5) / 10;
  return t;
}

// Expected values are numpy.fft's.
TEST(DftTest, AgreesWithNumpy) {
  ExpectTensor<double>(RunOp("DFT", {Pattern({1, 7, 1})})[0], {1, 7, 2},
                       {-0.5, 0, -0.5, -0.22936, -0.5, 1.10221, -0.5, -0.450023, -0.5, 0.450023, -0.5,
                        -1.10221, -0.5, 0.22936},
                       5e-6);
  ExpectTensor<double>(RunOp("DFT", {Pattern({1, 6, 1})}, {{"onesided", 1}})[0], {1, 4, 2},
                       {-0.7, 0, -0.9, -0.34641, 0.2, 0.519615, -0.9, 0}, 5e-6);
  ExpectTensor<float>(
      RunOp("DFT", {Tensor::Of<float>({1, 3, 2}, {1, 0, 2, -1, 0.5f, 3}), Tensor::Scalar<int64_t>(5)},
            {{"onesided", 1}, {"inverse", 1}})[0],
      {1, 5, 1}, {1.2f, -0.0395095f, 0.990972f, -1.76179f, 0.61033f}, 5e-6);
}

// The definition, for lengths of every kind, along an inner axis.
TEST(DftTest, AgreesWithTheDefinition) {
  for (int64_t n : {1, 2, 3, 4, 5, 8, 12, 17, 64, 100}) {
    Tensor x = Pattern({2, n, 3, 2});
    std::vector<double> want;
    for (int64_t o = 0; o < 2; ++o)
      for (int64_t k = 0; k < n; ++k)
        for (int64_t i = 0; i < 3; ++i) {
          double re = 0, im = 0;
          for (int64_t t = 0; t < n; ++t) {
            const double* p = x.data<double>() + ((o * n + t) * 3 + i) * 2;
            const double a = -2 * std::numbers::pi * static_cast<double>(k * t % n) / static_cast<double>(n);
            re += p[0] * std::cos(a) - p[1] * std::sin(a);
            im += p[0] * std::sin(a) + p[1] * std::cos(a);
          }
          want.insert(want.end(), {re, im});
        }
    Tensor axis = Tensor::Scalar<int64_t>(1);
    Tensor y = RunOp("DFT", {x, Tensor(), axis})[0];
    ExpectTensor<double>(y, {2, n, 3, 2}, want, 1e-13);
    ExpectTensor<double>(RunOp("DFT", {y, Tensor(), axis}, {{"inverse", 1}})[0], {2, n, 3, 2},
                         {x.data<double>(), x.data<double>() + x.size()}, 1e-13);
  }
}

TEST(DftTest, BadInputsAreRefused) {
  Tensor x = Pattern({1, 4, 1}), z = Pattern({1, 4, 2});
  ExpectFails("DFT", {x, Tensor::Scalar<int64_t>(0)}, {}, "dft_length is 0");
  ExpectFails("DFT", {x, Tensor::Scalar<int64_t>(INT64_MAX)}, {}, "dft_length");
  ExpectFails("DFT", {x, Tensor(), Tensor::Scalar<int64_t>(2)}, {}, "real and imaginary");
  ExpectFails("DFT", {x, Tensor(), Tensor::Scalar<int64_t>(INT64_MIN)}, {}, "axis");
  ExpectFails("DFT", {z}, {{"onesided", 1}}, "real input");
  ExpectFails("DFT", {x}, {{"onesided", 1}, {"inverse", 1}}, "complex input");
  ExpectFails("DFT", {Pattern({1, 4, 3})}, {}, "neither 1 nor 2");
}

// Frames of two, one apart: sum and difference of neighbours.
TEST(StftTest, FramesAndErrors) {
  Tensor x = Tensor::Of<float>({1, 4, 1}, {1, 2, 4, 8}), one = Tensor::Scalar<int64_t>(1),
         two = Tensor::Scalar<int64_t>(2);
  ExpectTensor<float>(RunOp("STFT", {x, one, Tensor(), two})[0], {1, 3, 2, 2},
                      {3, 0, -1, 0, 6, 0, -2, 0, 12, 0, -4, 0});
  ExpectTensor<float>(RunOp("STFT", {x, two, Tensor::Of<float>({2}, {1, 10})})[0], {1, 2, 2, 2},
                      {21, 0, -19, 0, 84, 0, -76, 0});
  ExpectFails("STFT", {x, Tensor::Scalar<int64_t>(0), Tensor(), two}, {}, "frame_step is 0");
  ExpectFails("STFT", {x, one, Tensor(), Tensor::Scalar<int64_t>(5)}, {}, "frame_length 5");
  ExpectFails("STFT", {x, one, Tensor::Of<float>({3}, {1, 1, 1}), two}, {}, "the window has 3");
}

TEST(WindowTest, KnownWindows) {
  Tensor four = Tensor::Scalar<int64_t>(4), five = Tensor::Scalar<int32_t>(5);
  ExpectTensor<float>(RunOp("HannWindow", {four})[0], {4}, {0, 0.5f, 1, 0.5f}, 1e-7);
  ExpectTensor<float>(RunOp("HannWindow", {five}, {{"periodic", 0}})[0], {5}, {0, 0.5f, 1, 0.5f, 0}, 1e-7);
  ExpectTensor<double>(RunOp("HammingWindow", {four}, {{"output_datatype", 11}})[0], {4},
                       {4.0 / 46, 25.0 / 46, 1, 25.0 / 46}, 1e-15);
  ExpectTensor<float>(RunOp("BlackmanWindow", {four})[0], {4}, {0, 0.34f, 1, 0.34f}, 1e-7);
  ExpectTensor<float>(RunOp("HannWindow", {Tensor::Scalar<int64_t>(0)})[0], {0}, {});
  ExpectTensor<float>(RunOp("HannWindow", {Tensor::Scalar<int64_t>(1)}, {{"periodic", 0}})[0], {1}, {1});
  ExpectFails("HannWindow", {Tensor::Scalar<int64_t>(-1)}, {}, "size is -1");
  EXPECT_THROW(RunOp("HannWindow", {Tensor::Scalar<int64_t>(INT64_MAX)}), kit::Error);
  ExpectFails("HannWindow", {four}, {{"output_datatype", 8}}, "output_datatype 8");
}

// The example of the MelWeightMatrix operator's documentation.
TEST(MelWeightMatrixTest, DocumentedExampleAndEdges) {
  auto s = [](int64_t v) { return Tensor::Scalar<int64_t>(v); };
  auto f = [](float v) { return Tensor::Scalar<float>(v); };
  ExpectTensor<float>(RunOp("MelWeightMatrix", {s(8), s(16), s(8192), f(0), f(4096)})[0], {9, 8},
                      {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                       0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  // Bands beyond the spectrum are cut off, not written past its end.
  EXPECT_EQ(RunOp("MelWeightMatrix", {s(4), s(16), s(10), f(0), f(4096)})[0].dims(), (Dims{9, 4}));
  ExpectFails("MelWeightMatrix", {s(8), s(16), s(0), f(0), f(4096)}, {}, "sample_rate is 0");
  ExpectFails("MelWeightMatrix", {s(8), s(16), s(8192), f(5), f(1)}, {}, "edges");
  ExpectFails("MelWeightMatrix", {s(-1), s(16), s(8192), f(0), f(1)}, {}, "num_mel_bins");
}

}  // namespace
}  // namespace braid::reference
