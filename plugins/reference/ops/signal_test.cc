// SPDX-License-Identifier: Apache-2.0
//
// Expected values are numpy's (numpy.fft) for sin(1 + 0.37 k) + i cos(k); windows by their formulas.
#include <cmath>
#include <numbers>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using Doubles = std::vector<double>;

Tensor Real(int64_t n) {
  Tensor t(kDouble, {1, n, 1});
  for (int64_t k = 0; k < n; ++k) t.data<double>()[k] = std::sin(1 + 0.37 * static_cast<double>(k));
  return t;
}
Tensor Complex5() {
  Tensor t(kDouble, {1, 5, 2});
  for (int64_t k = 0; k < 5; ++k) {
    t.data<double>()[2 * k] = std::sin(1 + 0.37 * static_cast<double>(k));
    t.data<double>()[2 * k + 1] = std::cos(static_cast<double>(k));
  }
  return t;
}
Tensor N(int64_t n) { return Tensor::Scalar<int64_t>(n); }

TEST(Dft, RealComplexForwardAndInverse) {
  ExpectTensor<double>(RunOp("DFT", {Real(6)})[0], {1, 6, 2},
                       {4.56706832, 0, -0.183000526, -0.921256148, 0.265849059, -0.278067878, 0.316060518, 0,
                        0.265849059, 0.278067878, -0.183000526, 0.921256148},
                       1e-8);
  ExpectTensor<double>(RunOp("DFT", {Complex5()})[0], {1, 5, 2},
                       {4.27959031, -0.519480648, 1.31524391, 1.67992073, 0.277470619, 0.563674815,
                        -0.0345776882, 0.750673384, -1.63037223, 2.52521172},
                       1e-8);
  ExpectTensor<double>(RunOp("DFT", {Complex5()}, {{"inverse", 1}})[0], {1, 5, 2},
                       {0.855918062, -0.10389613, -0.326074446, 0.505042344, -0.00691553764, 0.150134677,
                        0.0554941237, 0.112734963, 0.263048782, 0.335984145},
                       1e-8);
  ExpectTensor<double>(RunOp("DFT", {Real(5)}, {{"onesided", 1}})[0], {1, 3, 2},
                       {4.27959031, 0, -0.157564159, -0.422645497, 0.121446465, -0.0934992843}, 1e-8);
}

TEST(Dft, LengthsPadCutAndUndoOnesided) {
  ExpectTensor<double>(RunOp("DFT", {Real(3), N(4)})[0], {1, 4, 2},
                       {2.80709823, 0, -0.144248194, -0.979908061, 0.847282102, 0, -0.144248194, 0.979908061},
                       1e-8);
  ExpectTensor<double>(RunOp("DFT", {Real(6), N(5)}, {{"onesided", 1}})[0], {1, 3, 2},
                       {4.27959031, 0, -0.157564159, -0.422645497, 0.121446465, -0.0934992843}, 1e-8);
  Tensor half = RunOp("DFT", {Real(6)}, {{"onesided", 1}})[0];
  ExpectTensor<double>(RunOp("DFT", {half}, {{"onesided", 1}, {"inverse", 1}})[0], {1, 6, 1},
                       {0.841470985, 0.979908061, 0.985719179, 0.85811783, 0.614374258, 0.287478012}, 1e-8);
  ExpectTensor<double>(
      RunOp("DFT", {half, N(7)}, {{"onesided", 1}, {"inverse", 1}})[0], {1, 7, 1},
      {0.766412347, 0.804823065, 0.874086742, 0.778900536, 0.674720055, 0.429795769, 0.238329811}, 1e-8);
}

// Along axis 0 of [2, 3, 1], by hand: sums and differences.
TEST(Dft, AnyAxisAndType) {
  auto check = [&]<class T>() {
    Tensor x = Tensor::Of<T>({2, 3, 1}, {T(1.f), T(2.f), T(3.f), T(10.f), T(20.f), T(30.f)});
    for (int64_t axis : {0, -3})
      ExpectTensor<T>(RunOp("DFT", {x, Tensor(), N(axis)})[0], {2, 3, 2},
                      {T(11.f), T(0.f), T(22.f), T(0.f), T(33.f), T(0.f), T(-9.f), T(0.f), T(-18.f), T(0.f),
                       T(-27.f), T(0.f)},
                      1e-6);
  };
  check.operator()<float>();
  check.operator()<double>();
  check.operator()<Float16>();
  check.operator()<BFloat16>();
}

// The inverse undoes the transform at every length, powers of two or not; and Parseval's sum holds.
TEST(Dft, RoundTripsAtEveryLength) {
  for (int64_t n : {1, 2, 3, 7, 8, 31, 64, 97, 1000, 1024}) {
    Tensor x = Real(n), y = RunOp("DFT", {x})[0], back = RunOp("DFT", {y}, {{"inverse", 1}})[0];
    double energy = 0, spectrum = 0;
    for (int64_t k = 0; k < n; ++k) {
      ASSERT_NEAR(back.data<double>()[2 * k], x.data<double>()[k], 1e-12) << n;
      ASSERT_NEAR(back.data<double>()[2 * k + 1], 0, 1e-12) << n;
      energy += x.data<double>()[k] * x.data<double>()[k];
      spectrum += std::norm(y.data<Complex128>()[k]);
    }
    EXPECT_NEAR(spectrum / static_cast<double>(n), energy, 1e-9 * energy) << n;
  }
}

TEST(Dft, WhatCannotBeIsNamed) {
  ExpectFails("DFT", {Real(6), Tensor(), N(2)}, {}, "axis is the last one");
  ExpectFails("DFT", {Real(6), Tensor(), N(-4)}, {}, "axis -4 is not within");
  ExpectFails("DFT", {Real(6), Tensor(), N(INT64_MIN)}, {}, "is not within");
  ExpectFails("DFT", {Real(6), N(0)}, {}, "dft_length is 0");
  ExpectFails("DFT", {Real(6), N(INT64_MAX)}, {}, "dft_length is 9223372036854775807");
  ExpectFails("DFT", {Complex5()}, {{"onesided", 1}}, "onesided takes real input");
  ExpectFails("DFT", {Real(6)}, {{"onesided", 1}, {"inverse", 1}}, "take complex input");
  ExpectFails("DFT", {Tensor(kFloat, {1, 4, 3})}, {}, "has 3 elements, not 1 (real) or 2 (complex)");
}

TEST(Stft, FramesWindowsAndComplexSignals) {
  Tensor hann = RunOp("HannWindow", {N(4)}, {{"output_datatype", int{kDouble}}})[0];
  ExpectTensor<double>(RunOp("STFT", {Real(6), N(2), hann})[0], {1, 2, 3, 2},
                       {1.90473212, 0, -0.985719179, -0.0608951159, 0.0667062333, 0, 1.18717218, 0,
                        -0.614374258, -0.285319909, 0.0415763368, 0},
                       1e-8);
  ExpectTensor<double>(RunOp("STFT", {Complex5(), N(2), Tensor(), N(3)}, {{"onesided", 0}})[0], {1, 2, 3, 2},
                       {2.80709823, 1.12415547, 0.686966619, 0.942954841, -0.96965189, 0.93288969, 2.45821127,
                        -2.05978295, -0.0418135358, 0.194583097, 0.540759806, 0.616759347},
                       1e-8);
  EXPECT_EQ(RunOp("STFT", {Real(6), N(1)})[0].dims(), (Dims{1, 1, 4, 2}));
  ExpectFails("STFT", {Real(6), N(0)}, {}, "frame_step is 0");
  ExpectFails("STFT", {Real(6), N(1), Tensor(), N(7)}, {}, "frame_length is 7, the signal has 6");
  ExpectFails("STFT", {Real(6), N(1), hann, N(3)}, {}, "window has 4 elements, frame_length is 3");
  ExpectFails("STFT", {Complex5(), N(1)}, {}, "onesided takes a real signal");
}

TEST(Windows, PeriodicAndSymmetric) {
  ExpectTensor<float>(RunOp("HannWindow", {N(4)})[0], {4}, {0, 0.5f, 1, 0.5f}, 1e-7);
  ExpectTensor<float>(RunOp("HannWindow", {N(5)}, {{"periodic", 0}})[0], {5}, {0, 0.5f, 1, 0.5f, 0}, 1e-7);
  // 25/46 -+ 21/46
  ExpectTensor<double>(RunOp("HammingWindow", {N(2)}, {{"output_datatype", int{kDouble}}})[0], {2},
                       {4.0 / 46, 1}, 1e-15);
  ExpectTensor<float>(RunOp("BlackmanWindow", {N(5)}, {{"periodic", 0}})[0], {5}, {0, 0.34f, 1, 0.34f, 0},
                      1e-7);
  ExpectTensor<int8_t>(RunOp("HannWindow", {N(4)}, {{"output_datatype", int{kInt8}}})[0], {4}, {0, 0, 1, 0});
  ExpectTensor<float>(RunOp("HannWindow", {N(1)}, {{"periodic", 0}})[0], {1}, {1}, 1e-7);
  EXPECT_EQ(RunOp("HannWindow", {N(0)})[0].dims(), (Dims{0}));
  ExpectFails("HannWindow", {N(-1)}, {}, "size is -1");
  EXPECT_EQ(JudgeOp("HannWindow", {N(4)}, {{"output_datatype", int{kString}}}), BRAID_NO_ATTRIBUTE);
}

// That of ONNX's reference evaluator, for 3 bands of a 16 point transform at 8 kHz from 100 to 3900 Hz.
TEST(Mel, TrianglesOverTheSpectrum) {
  ExpectTensor<float>(
      RunOp("MelWeightMatrix", {N(3), N(16), N(8000), Tensor::Scalar(100.0f), Tensor::Scalar(3900.0f)})[0],
      {9, 3}, {1, 0, 0, 0, 1, 0, 0, 0.5f, 0.5f, 0, 0, 1, 0, 0, 0.5f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
      1e-7);
  // Edges beyond the spectrum write nothing outside of it.
  Tensor far = RunOp("MelWeightMatrix", {N(2), N(4), N(10), Tensor::Scalar(1.0f), Tensor::Scalar(1e30f)})[0];
  EXPECT_EQ(far.dims(), (Dims{3, 2}));
  ExpectFails("MelWeightMatrix", {N(3), N(16), N(0), Tensor::Scalar(1.0f), Tensor::Scalar(2.0f)}, {},
              "sample_rate is 0");
  ExpectFails("MelWeightMatrix", {N(3), N(16), N(8000), Tensor::Scalar(9.0f), Tensor::Scalar(2.0f)}, {},
              "the edges are");
  ExpectFails("MelWeightMatrix", {N(3), N(16), N(8000), Tensor::Scalar(std::nanf("")), Tensor::Scalar(2.0f)},
              {}, "the edges are");
}

}  // namespace
}  // namespace braid::reference
