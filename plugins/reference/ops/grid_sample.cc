// SPDX-License-Identifier: Apache-2.0
//
// GridSample-22 for any number of spatial axes.
#include <cmath>

#include "plugins/reference/ops/convert.h"
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/image.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

enum class Padding { kZeros, kBorder, kReflection };

struct Sampling {
  int taps;  // per axis: 1 nearest, 2 linear, 4 cubic
  Padding padding;
  bool align_corners;
};

// x reflected at low and high until it lies between them.
double Reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = std::fmod(std::fabs(x - low), 2 * range);
  return low + (distance <= range ? distance : 2 * range - distance);
}

// The elements of an axis of `extent` that a grid value reads, and their weights; -1: outside, reads as 0.
void AxisTaps(const Sampling& s, double grid, int64_t extent, int64_t* index, double* weight) {
  const double n = static_cast<double>(extent);
  const double low = s.align_corners ? 0 : -0.5, high = s.align_corners ? n - 1 : n - 0.5;
  double x = s.align_corners ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
  if (s.taps == 1) x = std::nearbyint(x);  // halfway to the even one
  // Cubic reads border elements around x itself, as PyTorch, which the specification follows, and ONNX
  // Runtime do (ONNX's reference evaluator moves x to the border first).
  if (s.padding == Padding::kBorder && (s.taps < 4 || !(std::fabs(x) < 0x1p52)))
    x = std::clamp(x, 0.0, n - 1);
  // NaN, infinity and what no index can hold: somewhere far outside.
  if (!(std::fabs(x) < 0x1p52)) x = -100;
  if (s.padding == Padding::kReflection && (x < low || x > high)) x = Reflect(x, low, high);
  const double left = std::floor(x), t = x - left;
  const double first = s.taps == 4 ? left - 1 : left;
  if (s.taps == 1) {
    weight[0] = 1;
  } else if (s.taps == 2) {
    weight[0] = 1 - t;
    weight[1] = t;
  } else {
    // Keys' cubic convolution with a = -0.75.
    constexpr double a = -0.75;
    auto far = [&](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    auto near = [&](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    weight[0] = far(t + 1);
    weight[1] = near(t);
    weight[2] = near(1 - t);
    weight[3] = far(2 - t);
  }
  for (int i = 0; i < s.taps; ++i) {
    double at = first + i;
    if (at < 0 || at > n - 1) {
      if (s.padding == Padding::kZeros) {
        index[i] = -1;
        continue;
      }
      if (s.padding == Padding::kReflection) at = std::trunc(Reflect(at, low, high));
      at = std::clamp(at, 0.0, n - 1);
    }
    index[i] = static_cast<int64_t>(at);
  }
}

// What one position of the grid reads: offsets within a channel and their weights, the product over all axes.
struct Reads {
  std::vector<int64_t> offset;
  std::vector<double> weight;
  void Find(const Sampling& s, const Tensor& grid, int64_t position, const Dims& spatial) {
    offset.assign(1, 0);
    weight.assign(1, 1);
    const int64_t r = static_cast<int64_t>(spatial.size());
    std::vector<int64_t> next_offset;
    std::vector<double> next_weight;
    for (int64_t axis = 0; axis < r; ++axis) {
      int64_t index[4];
      double w[4];
      const int64_t extent = spatial[static_cast<size_t>(axis)];
      // The grid names the innermost axis first.
      AxisTaps(s, grid.AsDouble(position * r + r - 1 - axis), extent, index, w);
      next_offset.clear();
      next_weight.clear();
      for (size_t k = 0; k < offset.size(); ++k) {
        for (int i = 0; i < s.taps; ++i) {
          if (index[i] < 0) continue;
          next_offset.push_back(offset[k] * extent + index[i]);
          next_weight.push_back(weight[k] * w[i]);
        }
      }
      offset.swap(next_offset);
      weight.swap(next_weight);
    }
  }
};

constexpr TypeSet kInterpolated = kNumeric | Types(kBool);

}  // namespace

void GridSample(OpContext& op) {
  const Tensor &in = op.input(0), &grid = op.input(1);
  const std::string mode = op.String("mode", "linear"), padding = op.String("padding_mode", "zeros");
  Sampling s{};
  s.align_corners = op.Int("align_corners", 0) != 0;
  // The names of version 16 are still met in models.
  s.taps = mode == "nearest"                        ? 1
           : mode == "linear" || mode == "bilinear" ? 2
           : mode == "cubic" || mode == "bicubic"   ? 4
                                                    : 0;
  op.Check(s.taps != 0, "mode '" + mode + "' is not known");
  op.Check(padding == "zeros" || padding == "border" || padding == "reflection",
           "padding_mode '" + padding + "' is not known");
  s.padding = padding == "zeros"    ? Padding::kZeros
              : padding == "border" ? Padding::kBorder
                                    : Padding::kReflection;
  const int64_t r = in.rank() - 2;
  op.Check(r >= 1 && r <= 8,
           "the input must have the axes N, C and one to eight more, its shape is " + DimsText(in.dims()));
  op.Check(grid.rank() == in.rank() && grid.dim(0) == in.dim(0) && grid.dim(r + 1) == r,
           "the grid must have the shape [N, out..., " + std::to_string(r) + "] for an input of shape " +
               DimsText(in.dims()) + ", its shape is " + DimsText(grid.dims()));
  const Dims spatial(in.dims().begin() + 2, in.dims().end());
  Dims dims = {in.dim(0), in.dim(1)};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  Tensor& out = op.Output(0, in.type(), dims);
  if (out.size() == 0) return;
  op.Check(Count(spatial) > 0, "the input has no element to sample, its shape is " + DimsText(in.dims()));
  const int64_t channels = in.dim(1), plane = Count(spatial), positions = ProductOf(dims, 2, dims.size());
  // Calls each(batch's input, batch's output, reads) with the elements of both planes `plane` and `positions`
  // apart.
  auto for_each_position = [&](const auto& each) {
    constexpr int64_t kChunk = 64;
    const int64_t chunks = (positions + kChunk - 1) / kChunk;
    op.parallel().For(in.dim(0) * chunks,
                      kChunk * (channels + 8) * (int64_t{1} << std::min<int64_t>(r * s.taps / 2, 16)),
                      [&](int64_t k) {
                        const int64_t batch = k / chunks, first = k % chunks * kChunk;
                        Reads reads;
                        for (int64_t p = first; p < std::min(positions, first + kChunk); ++p) {
                          reads.Find(s, grid, batch * positions + p, spatial);
                          each(batch * channels * plane, batch * channels * positions + p, reads);
                        }
                      });
  };
  if (s.taps == 1) {
    DispatchBySize(in.type(), [&]<class T>() {
      for_each_position([&](int64_t from, int64_t to, const Reads& reads) {
        for (int64_t c = 0; c < channels; ++c)
          out.data<T>()[to + c * positions] =
              reads.offset.empty() ? T() : in.data<T>()[from + c * plane + reads.offset[0]];
      });
    });
    return;
  }
  auto sum = [&]<class W, class T>(const T* from, const Reads& reads) {
    W total{};
    for (size_t i = 0; i < reads.offset.size(); ++i)
      total += reads.weight[i] * static_cast<W>(from[reads.offset[i]]);
    return total;
  };
  auto complex = [&]<class T>() {
    for_each_position([&](int64_t from, int64_t to, const Reads& reads) {
      for (int64_t c = 0; c < channels; ++c)
        out.data<T>()[to + c * positions] =
            static_cast<T>(sum.template operator()<Complex128>(in.data<T>() + from + c * plane, reads));
    });
  };
  if (in.type() == kComplex64) return complex.template operator()<Complex64>();
  if (in.type() == kComplex128) return complex.template operator()<Complex128>();
  const bool done = DispatchIn<kInterpolated>(in.type(), [&]<class T>() {
    for_each_position([&](int64_t from, int64_t to, const Reads& reads) {
      for (int64_t c = 0; c < channels; ++c)
        out.data<T>()[to + c * positions] =
            FromDouble<T>(sum.template operator()<double>(in.data<T>() + from + c * plane, reads), false);
    });
  });
  op.Check(done, "mode " + mode + " is not defined for " + TypeName(in.type()));
}

}  // namespace braid::reference
