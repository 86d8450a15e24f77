// SPDX-License-Identifier: Apache-2.0
//
// Fourier transforms, windows and mel filters. Everything is computed in double and rounded once.
#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>

#include "plugins/reference/ops/compute.h"

namespace braid::reference {
namespace {

using Complex = std::complex<double>;
constexpr TypeSet kIndex = Types(kInt32, kInt64);

// std::complex's product looks for infinities after NaNs; this one does not.
inline Complex Times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// The transform of one length n: sum over j of x[j] e^(-2 pi i j k / n), by halving where n is a power of
// two, else as a convolution with a chirp of a length that is one (Bluestein).
class Fourier {
 public:
  explicit Fourier(int64_t n) : n_(n), length_(1) {
    const bool power = (n & (n - 1)) == 0;
    while (length_ < (power ? n : 2 * n - 1)) length_ *= 2;
    for (int64_t k = 0; k < length_ / 2; ++k) roots_.push_back(Root(k, length_));
    if (power) return;
    // k^2 / 2n of a turn, with k^2 reduced first so that the angle stays exact.
    std::vector<Complex> conjugate(static_cast<size_t>(length_));
    for (int64_t k = 0; k < n; ++k) {
      const auto square = static_cast<int64_t>(static_cast<unsigned __int128>(k) * static_cast<uint64_t>(k) %
                                               static_cast<uint64_t>(2 * n));
      chirp_.push_back(Root(square, 2 * n));
      conjugate[static_cast<size_t>(k)] = std::conj(chirp_.back());
      if (k > 0) conjugate[static_cast<size_t>(length_ - k)] = std::conj(chirp_.back());
    }
    Halving(conjugate);
    chirp_transform_ = std::move(conjugate);
  }

  // In place; x has n elements.
  void Forward(std::vector<Complex>& x) const {
    if (chirp_.empty()) return Halving(x);
    std::vector<Complex> work(static_cast<size_t>(length_));
    for (size_t k = 0; k < chirp_.size(); ++k) work[k] = Times(x[k], chirp_[k]);
    Halving(work);
    for (size_t k = 0; k < work.size(); ++k) work[k] = std::conj(Times(work[k], chirp_transform_[k]));
    Halving(work);
    const double scale = 1.0 / static_cast<double>(length_);
    for (size_t k = 0; k < chirp_.size(); ++k) x[k] = Times(std::conj(work[k]) * scale, chirp_[k]);
  }
  void Inverse(std::vector<Complex>& x) const {
    for (Complex& v : x) v = std::conj(v);
    Forward(x);
    for (Complex& v : x) v = std::conj(v) / static_cast<double>(n_);
  }

 private:
  static Complex Root(int64_t k, int64_t n) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    return {std::cos(angle), std::sin(angle)};
  }
  void Halving(std::vector<Complex>& x) const {
    const auto n = static_cast<size_t>(length_);
    for (size_t i = 1, j = 0; i < n; ++i) {  // bit reversal
      size_t bit = n >> 1;
      for (; (j & bit) != 0; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(x[i], x[j]);
    }
    for (size_t width = 2; width <= n; width *= 2)
      for (size_t start = 0; start < n; start += width)
        for (size_t k = 0; k < width / 2; ++k) {
          const Complex even = x[start + k], odd = Times(x[start + k + width / 2], roots_[k * (n / width)]);
          x[start + k] = even + odd;
          x[start + k + width / 2] = even - odd;
        }
  }
  int64_t n_, length_;
  std::vector<Complex> roots_, chirp_, chirp_transform_;
};

int64_t ScalarInt(const OpContext& op, size_t i, const char* what) {
  const Tensor& t = op.input(i);
  op.Check(t.size() == 1, std::string(what) + " is " + DimsText(t.dims()) + ", not a scalar");
  return t.AsInts()[0];
}

int64_t CheckLength(const OpContext& op, int64_t n, const char* what) {
  constexpr int64_t kMost = int64_t{1} << 30;
  op.Check(n >= 1 && n <= kMost, std::string(what) + " is " + std::to_string(n) + ", not within 1 to 2^30");
  return n;
}

// How costly one transform is, for Parallel.
int64_t Cost(int64_t n) { return 40 * n * (64 - std::countl_zero(static_cast<uint64_t>(n))); }

// DFT-20.
void Dft(OpContext& op) {
  const Tensor x = As<double>(op.input(0));
  op.Check(x.rank() >= 2,
           "input is " + DimsText(x.dims()) + "; it should have an axis of signal and one of parts");
  const int64_t parts = x.dim(x.rank() - 1);
  op.Check(parts == 1 || parts == 2, "the last axis of the input has " + std::to_string(parts) +
                                         " elements, not 1 (real) or 2 (complex)");
  const bool inverse = op.Int("inverse", 0) != 0, onesided = op.Int("onesided", 0) != 0;
  const int64_t axis = op.Axis(op.has(2) ? ScalarInt(op, 2, "axis") : -2, x.rank());
  op.Check(axis != x.rank() - 1, "axis is the last one, which holds real and imaginary parts");
  op.Check(!onesided || parts == (inverse ? 2 : 1),
           inverse ? "onesided and inverse take complex input" : "onesided takes real input");
  const int64_t given = x.dim(axis);
  const int64_t n = CheckLength(op,
                                op.has(1)             ? ScalarInt(op, 1, "dft_length")
                                : inverse && onesided ? 2 * (given - 1)
                                                      : given,
                                "dft_length");
  const int64_t kept = onesided && !inverse ? n / 2 + 1 : n;  // of the output, along the axis
  const int64_t out_parts = onesided && inverse ? 1 : 2;
  Dims dims = x.dims();
  dims[static_cast<size_t>(axis)] = kept;
  dims.back() = out_parts;
  OutputAs<double> y(op, 0, op.input(0).type(), dims);

  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < axis; ++i) outer *= x.dim(i);
  for (int64_t i = axis + 1; i < x.rank() - 1; ++i) inner *= x.dim(i);
  const Fourier fourier(n);
  const double* from = x.data<double>();
  double* to = y.data();
  op.parallel().For(outer * inner, Cost(n), [&](int64_t row) {
    const int64_t o = row / inner, i = row % inner;
    std::vector<Complex> line(static_cast<size_t>(n));
    const int64_t used = std::min(given, onesided && inverse ? n / 2 + 1 : n);
    for (int64_t k = 0; k < used; ++k) {
      const double* at = from + ((o * given + k) * inner + i) * parts;
      line[static_cast<size_t>(k)] = {at[0], parts == 2 ? at[1] : 0.0};
    }
    if (onesided && inverse) {
      // The other half is the conjugate of this one; what is its own mirror image is real.
      line[0] = line[0].real();
      for (int64_t k = 1; k <= n / 2; ++k) {
        if (2 * k == n) line[static_cast<size_t>(k)] = line[static_cast<size_t>(k)].real();
        line[static_cast<size_t>(n - k)] = std::conj(line[static_cast<size_t>(k)]);
      }
    }
    if (inverse)
      fourier.Inverse(line);
    else
      fourier.Forward(line);
    for (int64_t k = 0; k < kept; ++k) {
      double* at = to + ((o * kept + k) * inner + i) * out_parts;
      at[0] = line[static_cast<size_t>(k)].real();
      if (out_parts == 2) at[1] = line[static_cast<size_t>(k)].imag();
    }
  });
  y.Store();
}

// STFT-17.
void Stft(OpContext& op) {
  const Tensor x = As<double>(op.input(0));
  op.Check(x.rank() == 3 && (x.dim(2) == 1 || x.dim(2) == 2),
           "signal is " + DimsText(x.dims()) + ", not [batch, length, 1 or 2]");
  const int64_t batch = x.dim(0), length = x.dim(1), parts = x.dim(2);
  const int64_t step = CheckLength(op, ScalarInt(op, 1, "frame_step"), "frame_step");
  const Tensor window = op.has(2) ? As<double>(op.input(2)) : Tensor();
  if (window.present())
    op.Check(window.rank() == 1, "window is " + DimsText(window.dims()) + "; it should have 1 axis");
  const int64_t n = CheckLength(op,
                                op.has(3)          ? ScalarInt(op, 3, "frame_length")
                                : window.present() ? window.dim(0)
                                                   : length,
                                "frame_length");
  if (window.present())
    op.Check(window.dim(0) == n, "window has " + std::to_string(window.dim(0)) +
                                     " elements, frame_length is " + std::to_string(n));
  op.Check(n <= length, "frame_length is " + std::to_string(n) + ", the signal has " +
                            std::to_string(length) + " samples");
  const bool onesided = op.Int("onesided", 1) != 0;
  op.Check(!onesided || parts == 1, "onesided takes a real signal");
  const int64_t frames = (length - n) / step + 1, bins = onesided ? n / 2 + 1 : n;
  OutputAs<double> y(op, 0, op.input(0).type(), {batch, frames, bins, 2});
  const Fourier fourier(n);
  double* to = y.data();
  op.parallel().For(batch * frames, Cost(n), [&](int64_t row) {
    const double* frame = x.data<double>() + (row / frames * length + row % frames * step) * parts;
    std::vector<Complex> line(static_cast<size_t>(n));
    for (int64_t k = 0; k < n; ++k) {
      const double weight = window.present() ? window.data<double>()[k] : 1.0;
      line[static_cast<size_t>(k)] = {frame[k * parts] * weight,
                                      parts == 2 ? frame[k * parts + 1] * weight : 0.0};
    }
    fourier.Forward(line);
    for (int64_t k = 0; k < bins; ++k) {
      to[(row * bins + k) * 2] = line[static_cast<size_t>(k)].real();
      to[(row * bins + k) * 2 + 1] = line[static_cast<size_t>(k)].imag();
    }
  });
  y.Store();
}

// The output of a generator, of the type that `output_datatype` names.
int32_t OutputType(const OpContext& op) {
  const int64_t type = op.Int("output_datatype", kFloat);
  op.Check(type > 0 && type < 64 && Contains(kNumeric, static_cast<int32_t>(type)),
           "output_datatype is " + std::to_string(type) + ", which is no type of numbers");
  return static_cast<int32_t>(type);
}
Judgement JudgeOutputType(const kit::Node& node) {
  const int64_t type = node.Int("output_datatype", kFloat);
  if (type > 0 && type < 64 && Contains(kNumeric, static_cast<int32_t>(type))) return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("output_datatype"),
          std::string(node.op()) + ": output_datatype is " + std::to_string(type)};
}

// A window of cosines: a0 - a1 cos(2 pi k / N) + a2 cos(4 pi k / N), with N = size if it is periodic, else
// size - 1.
void CosineWindow(OpContext& op, double a0, double a1, double a2) {
  const int64_t size = ScalarInt(op, 0, "size");
  op.Check(size >= 0, "size is " + std::to_string(size));
  const auto n = static_cast<double>(op.Int("periodic", 1) != 0 ? size : size - 1);
  Tensor& y = op.Output(0, OutputType(op), {size});
  DispatchIn<kNumeric>(y.type(), [&]<class T>() {
    for (int64_t k = 0; k < size; ++k) {
      // A symmetric window of one element is its middle.
      const double turn = n > 0 ? 2 * std::numbers::pi * static_cast<double>(k) / n : std::numbers::pi;
      const double v = a0 - a1 * std::cos(turn) + a2 * std::cos(2 * turn);
      // The function body's numbers are floats: 1 in the middle, where a double falls short of it by its last
      // bit.
      y.data<T>()[k] = static_cast<T>(std::is_integral_v<T> ? static_cast<float>(v) : v);
    }
  });
}
// HannWindow-17, HammingWindow-17, BlackmanWindow-17.
void HannWindow(OpContext& op) { CosineWindow(op, 0.5, 0.5, 0); }
void HammingWindow(OpContext& op) { CosineWindow(op, 25.0 / 46, 21.0 / 46, 0); }
void BlackmanWindow(OpContext& op) { CosineWindow(op, 0.42, 0.5, 0.08); }

// MelWeightMatrix-17: a triangle a mel bin, between edges that are evenly spaced in mel and rounded down to
// bins of the spectrum.
void MelWeightMatrix(OpContext& op) {
  const int64_t mels = ScalarInt(op, 0, "num_mel_bins");
  op.Check(mels >= 0 && mels < (int64_t{1} << 30), "num_mel_bins is " + std::to_string(mels));
  const int64_t length = CheckLength(op, ScalarInt(op, 1, "dft_length"), "dft_length");
  const int64_t rate = CheckLength(op, ScalarInt(op, 2, "sample_rate"), "sample_rate");
  for (size_t i : {3, 4}) op.Check(op.input(i).size() == 1, "an edge is no scalar");
  const double lower = op.input(3).AsDouble(0), upper = op.input(4).AsDouble(0);
  op.Check(lower >= 0 && lower <= upper && std::isfinite(upper),
           "the edges are " + std::to_string(lower) + " and " + std::to_string(upper) + " Hz");
  const int64_t bins = length / 2 + 1;
  const double low = 2595 * std::log10(1 + lower / 700), high = 2595 * std::log10(1 + upper / 700);
  const double step = (high - low) / static_cast<double>(mels + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < mels + 2; ++i) {
    const double hertz = 700 * (std::pow(10.0, (low + static_cast<double>(i) * step) / 2595) - 1);
    // An edge beyond the spectrum counts as far off: its slope still reaches in.
    edges.push_back(static_cast<int64_t>(
        std::min(std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate)), 1e15)));
  }
  Tensor& y = op.Output(0, OutputType(op), {bins, mels});
  DispatchIn<kNumeric>(y.type(), [&]<class T>() {
    std::fill_n(y.data<T>(), y.size(), T{});
    auto put = [&](int64_t bin, int64_t mel, double value) {
      y.data<T>()[bin * mels + mel] = static_cast<T>(value);
    };
    for (int64_t m = 0; m < mels; ++m) {
      const int64_t left = edges[static_cast<size_t>(m)], centre = edges[static_cast<size_t>(m) + 1],
                    right = edges[static_cast<size_t>(m) + 2];
      for (int64_t j = left; j < std::min(centre, bins); ++j)
        put(j, m, static_cast<double>(j - left) / static_cast<double>(centre - left));
      for (int64_t j = centre; j < std::min(right, bins); ++j)
        put(j, m, static_cast<double>(right - j) / static_cast<double>(right - centre));
      if (centre < bins) put(centre, m, 1);
    }
  });
}

}  // namespace

std::span<const OpEntry> SignalOps() {
  static const OpEntry kOps[] = {
      {"", "DFT", 20, Dft, {kFloats, kIndex, Types(kInt64)}},
      {"", "STFT", 17, Stft, {kFloats, kIndex, kFloats, kIndex}},
      {"", "HannWindow", 17, HannWindow, {kIndex}, JudgeOutputType},
      {"", "HammingWindow", 17, HammingWindow, {kIndex}, JudgeOutputType},
      {"", "BlackmanWindow", 17, BlackmanWindow, {kIndex}, JudgeOutputType},
      {"",
       "MelWeightMatrix",
       17,
       MelWeightMatrix,
       {kIndex, kIndex, kIndex, kFloats, kFloats},
       JudgeOutputType},
  };
  return kOps;
}

}  // namespace braid::reference
