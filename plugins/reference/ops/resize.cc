// SPDX-License-Identifier: Apache-2.0
//
// Resize-19 and the deprecated Upsample-10. Every mode is separable: along each axis an output coordinate is
// a weighted sum of a few input elements. Nearest moves elements untouched; linear and cubic compute in
// double, axis by axis.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "plugins/reference/ops/convert.h"
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/image.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kInterpolated = kNumeric | Types(kBool);

struct Settings {
  std::string mode, transform, nearest_mode;
  bool antialias = false, exclude_outside = false;
  double cubic_a = -0.75, extrapolation = 0;
};

// One axis: from `in` to `out` elements by `scale`, over the part [start, end] of it (tf_crop_and_resize).
struct ResizedAxis {
  int64_t in = 0, out = 0;
  double scale = 1, start = 0, end = 1;
  bool Unchanged(const Settings& s) const {
    return in == out && scale == 1 && s.transform != "tf_half_pixel_for_nn" &&
           (s.transform != "tf_crop_and_resize" || (start == 0 && end == 1));
  }
};

// Where output coordinate x lies in the input (attribute coordinate_transformation_mode). NaN: outside,
// extrapolate.
double Original(const Settings& s, const ResizedAxis& a, int64_t x_resized) {
  const double x = static_cast<double>(x_resized), in = static_cast<double>(a.in),
               out = static_cast<double>(a.out);
  // May be a fraction where scales are given; the specification's vectors for align_corners use it unrounded.
  const double width = a.scale * in;
  if (s.transform == "align_corners") return width == 1 ? 0 : x * (in - 1) / (width - 1);
  if (s.transform == "asymmetric") return x / a.scale;
  // Resize-11 alone has it, but tf2onnx writes it in newer opsets too.
  if (s.transform == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
  if (s.transform == "pytorch_half_pixel") return a.out > 1 ? (x + 0.5) / a.scale - 0.5 : 0;
  if (s.transform == "half_pixel_symmetric") return in / 2 * (1 - out / width) + (x + 0.5) / a.scale - 0.5;
  if (s.transform == "tf_crop_and_resize") {
    const double at = a.out > 1 ? a.start * (in - 1) + x * (a.end - a.start) * (in - 1) / (out - 1)
                                : 0.5 * (a.start + a.end) * (in - 1);
    return at >= 0 && at <= in - 1 ? at : std::nan("");
  }
  return (x + 0.5) / a.scale - 0.5;  // half_pixel
}

int64_t NearestIndex(const Settings& s, const ResizedAxis& a, int64_t x) {
  const double at = Original(s, a, x);
  if (std::isnan(at)) return -1;
  double nearest;
  if (s.nearest_mode == "round_prefer_ceil") {
    nearest = std::floor(at + 0.5);
  } else if (s.nearest_mode == "floor") {
    nearest = std::floor(at);
  } else if (s.nearest_mode == "ceil") {
    nearest = std::ceil(at);
  } else {
    nearest = std::ceil(at - 0.5);
  }
  return static_cast<int64_t>(std::clamp(nearest, 0.0, static_cast<double>(a.in - 1)));
}

// Weight of an element at distance x: the triangle, or Keys' cubic convolution (IEEE 1163711, equation 4).
double Kernel(const Settings& s, double x) {
  x = std::fabs(x);
  if (s.mode == "linear") return std::max(0.0, 1 - x);
  const double a = s.cubic_a;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// The weighted elements of each output coordinate: `taps` of them each; none (extrapolate) where the weight
// is NaN.
struct Taps {
  int64_t taps = 0;
  std::vector<int64_t> index;
  std::vector<double> weight;
  Taps(const Settings& s, const ResizedAxis& a) {
    // When shrinking with antialias the kernel is stretched by 1 / scale.
    const double stretch = s.antialias ? std::min(a.scale, 1.0) : 1.0, radius = s.mode == "linear" ? 1 : 2;
    const int64_t first = static_cast<int64_t>(std::floor(-radius / stretch)) + 1;
    taps = 2 - 2 * first;
    index.resize(static_cast<size_t>(a.out * taps));
    weight.resize(index.size());
    for (int64_t x = 0; x < a.out; ++x) {
      const double at = Original(s, a, x);
      int64_t* to = index.data() + x * taps;
      double* w = weight.data() + x * taps;
      if (std::isnan(at)) {
        w[0] = at;
        continue;
      }
      // The element to the left of `at`; of an exact hit, the one before it.
      const double left = std::ceil(at) - 1;
      double sum = 0;
      for (int64_t t = 0; t < taps; ++t) {
        const double position = left + static_cast<double>(first + t);
        const bool outside = position < 0 || position > static_cast<double>(a.in - 1);
        to[t] = static_cast<int64_t>(std::clamp(position, 0.0, static_cast<double>(a.in - 1)));
        w[t] = s.exclude_outside && outside ? 0 : Kernel(s, (position - at) * stretch);
        sum += w[t];
      }
      if ((s.exclude_outside || s.antialias) && sum != 0)
        for (int64_t t = 0; t < taps; ++t) w[t] /= sum;
    }
  }
};

// One pass along an axis of doubles: [outer, in, inner] -> [outer, out, inner].
void Interpolate(const Parallel& parallel, const double* from, const ResizedAxis& a, const Taps& taps,
                 int64_t outer, int64_t inner, double extrapolation, double* to) {
  if (inner == 1) {
    parallel.For(outer, a.out * taps.taps, [&](int64_t o) {
      const double* row = from + o * a.in;
      const int64_t* index = taps.index.data();
      const double* weight = taps.weight.data();
      for (int64_t x = 0; x < a.out; ++x, index += taps.taps, weight += taps.taps) {
        double sum = 0;
        for (int64_t t = 0; t < taps.taps; ++t)
          if (weight[t] != 0) sum += weight[t] * row[index[t]];
        to[o * a.out + x] = std::isnan(weight[0]) ? extrapolation : sum;
      }
    });
    return;
  }
  parallel.For(outer * a.out, inner * taps.taps, [&](int64_t k) {
    const double* plane = from + k / a.out * a.in * inner;
    const int64_t x = k % a.out;
    const int64_t* index = taps.index.data() + x * taps.taps;
    const double* weight = taps.weight.data() + x * taps.taps;
    double* row = to + k * inner;
    if (std::isnan(weight[0])) {
      std::fill_n(row, inner, extrapolation);
      return;
    }
    std::fill_n(row, inner, 0.0);
    for (int64_t t = 0; t < taps.taps; ++t) {
      const double* p = plane + index[t] * inner;
      const double w = weight[t];
      if (w == 0) continue;  // also keeps an infinity beside an exact hit out of it
      for (int64_t i = 0; i < inner; ++i) row[i] += w * p[i];
    }
  });
}

// Linear and cubic. `dims` and `axes` may end with an axis of 2 for the parts of complex numbers.
template <class T>
void ResizeByWeights(const OpContext& op, const Settings& s, std::vector<ResizedAxis> axes, const T* in,
                     T* out) {
  Dims dims;
  for (const ResizedAxis& a : axes) dims.push_back(a.in);
  Tensor now(kDouble, dims);
  for (int64_t i = 0; i < now.size(); ++i)
    now.data<double>()[i] = static_cast<double>(static_cast<Compute<T>>(in[i]));
  // Shrinking axes first: nothing on the way is larger than both ends.
  std::vector<size_t> order(axes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return axes[a].scale < axes[b].scale; });
  for (size_t axis : order) {
    const ResizedAxis& a = axes[axis];
    if (a.Unchanged(s)) continue;
    const int64_t outer = ProductOf(dims, 0, axis), inner = ProductOf(dims, axis + 1, dims.size());
    dims[axis] = a.out;
    Tensor next(kDouble, dims);
    Interpolate(op.parallel(), now.data<double>(), a, Taps(s, a), outer, inner, s.extrapolation,
                next.data<double>());
    now = std::move(next);
  }
  for (int64_t i = 0; i < now.size(); ++i) out[i] = FromDouble<T>(now.data<double>()[i], true);
}

// Nearest: an index map an axis.
template <class T>
void ResizeByIndex(const OpContext& op, const Settings& s, const std::vector<ResizedAxis>& all, T outside,
                   const T* in, T* out) {
  // Unchanged axes at the end are one row.
  size_t used = all.size();
  while (used > 0 && all[used - 1].Unchanged(s)) --used;
  int64_t block = 1;
  for (size_t i = used; i < all.size(); ++i) block *= all[i].in;
  std::vector<std::vector<int64_t>> maps(used);
  std::vector<int64_t> strides(used);
  int64_t stride = block, rows = 1;
  for (size_t i = used; i-- > 0;) {
    maps[i].resize(static_cast<size_t>(all[i].out));
    for (int64_t x = 0; x < all[i].out; ++x)
      maps[i][static_cast<size_t>(x)] = all[i].Unchanged(s) ? x : NearestIndex(s, all[i], x);
    strides[i] = stride;
    stride *= all[i].in;
    if (i + 1 < used) rows *= all[i].out;
  }
  if (used == 0) {
    std::copy_n(in, block, out);
    return;
  }
  const std::vector<int64_t>& inner = maps[used - 1];
  const int64_t width = static_cast<int64_t>(inner.size()) * block;
  op.parallel().For(rows, CopyCost<T>(width), [&](int64_t row) {
    T* to = out + row * width;
    const T* from = in;
    for (size_t i = used - 1; i-- > 0;) {
      const int64_t at = maps[i][static_cast<size_t>(row % all[i].out)];
      row /= all[i].out;
      if (at < 0) {
        std::fill_n(to, width, outside);
        return;
      }
      from += at * strides[i];
    }
    for (int64_t at : inner) {
      if (at < 0) {
        std::fill_n(to, block, outside);
      } else if (block == 1) {
        *to = from[at];
      } else {
        std::copy_n(from + at * block, block, to);
      }
      to += block;
    }
  });
}

void Run(OpContext& op, const Settings& s, const std::vector<ResizedAxis>& axes) {
  const Tensor& in = op.input(0);
  Dims dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    dims.push_back(axes[i].out);
    op.Check(axes[i].in > 0 || axes[i].out == 0,
             "axis " + std::to_string(i) + " has no element to resize to " + std::to_string(axes[i].out));
  }
  Tensor& out = op.Output(0, in.type(), dims);
  if (out.size() == 0) return;
  if (s.mode == "nearest") {
    DispatchIn<kInterpolated | kComplexes | Types(kString)>(in.type(), [&]<class T>() {
      T outside{};
      if constexpr (std::is_same_v<T, Complex64> || std::is_same_v<T, Complex128>) {
        outside = T(static_cast<typename T::value_type>(s.extrapolation));
      } else if constexpr (!std::is_same_v<T, std::string>) {
        outside = FromDouble<T>(s.extrapolation, true);
      }
      ResizeByIndex<T>(op, s, axes, outside, in.data<T>(), out.data<T>());
    });
    return;
  }
  if (Contains(kComplexes, in.type())) {
    std::vector<ResizedAxis> parts = axes;
    parts.push_back({2, 2, 1, 0, 1});
    if (in.type() == kComplex64)
      return ResizeByWeights<float>(op, s, parts, in.data<float>(), out.data<float>());
    return ResizeByWeights<double>(op, s, parts, in.data<double>(), out.data<double>());
  }
  const bool done = DispatchIn<kInterpolated>(
      in.type(), [&]<class T>() { ResizeByWeights<T>(op, s, axes, in.data<T>(), out.data<T>()); });
  op.Check(done, "mode " + s.mode + " is not defined for " + TypeName(in.type()));
}

bool OneOf(const std::string& value, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), value) != names.end();
}

// floor(extent * scale), of the numbers themselves as ONNX's shape inference has it, so that inferred and
// actual shapes agree: 5 times the float 1.4 is less than 7, which the product as a float is not.
int64_t ScaledExtent(const OpContext& op, int64_t extent, float scale, size_t axis) {
  op.Check(std::isfinite(scale) && scale > 0,
           "the scale of axis " + std::to_string(axis) + " is " + std::to_string(scale));
  const double scaled = std::floor(static_cast<double>(extent) * static_cast<double>(scale));
  op.Check(scaled <= 0x1p40,
           "scale " + std::to_string(scale) + " makes axis " + std::to_string(axis) + " larger than 2^40");
  return static_cast<int64_t>(scaled);
}

}  // namespace

void Resize(OpContext& op) {
  const Tensor& in = op.input(0);
  Settings s;
  s.mode = op.String("mode", "nearest");
  s.transform = op.String("coordinate_transformation_mode", "half_pixel");
  s.nearest_mode = op.String("nearest_mode", "round_prefer_floor");
  s.antialias = op.Int("antialias", 0) != 0;
  s.exclude_outside = op.Int("exclude_outside", 0) != 0;
  s.cubic_a = op.Float("cubic_coeff_a", -0.75f);
  s.extrapolation = op.Float("extrapolation_value", 0);
  const std::string policy = op.String("keep_aspect_ratio_policy", "stretch");
  op.Check(OneOf(s.mode, {"nearest", "linear", "cubic"}), "mode '" + s.mode + "' is not known");
  op.Check(OneOf(s.transform, {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                               "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}),
           "coordinate_transformation_mode '" + s.transform + "' is not known");
  op.Check(OneOf(s.nearest_mode, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}),
           "nearest_mode '" + s.nearest_mode + "' is not known");
  op.Check(OneOf(policy, {"stretch", "not_larger", "not_smaller"}),
           "keep_aspect_ratio_policy '" + policy + "' is not known");
  op.Check(!s.antialias || s.mode != "nearest", "antialias is not defined for mode nearest");

  std::vector<size_t> axes;
  std::vector<bool> named(in.dims().size(), false);
  if (op.HasAttr("axes")) {
    for (int64_t asked : op.Ints("axes")) {
      axes.push_back(static_cast<size_t>(op.Axis(asked, in.rank())));
      op.Check(!named[axes.back()], "axis " + std::to_string(asked) + " is named twice");
      named[axes.back()] = true;
    }
  } else {
    for (size_t i = 0; i < named.size(); ++i) axes.push_back(i);
  }
  std::vector<ResizedAxis> resized;
  for (int64_t extent : in.dims()) resized.push_back({extent, extent, 1, 0, 1});

  const bool by_scales = op.has(2) && op.input(2).size() > 0,
             by_sizes = op.has(3) && (op.input(3).size() > 0 || !by_scales);
  op.Check(by_scales != by_sizes || (axes.empty() && !by_scales),
           by_scales ? "both scales and sizes are given" : "neither scales nor sizes are given");
  const char* what = by_scales ? "scales" : "sizes";
  if (by_scales || by_sizes) {
    const Tensor& given = op.input(by_scales ? 2 : 3);
    op.Check(given.size() == static_cast<int64_t>(axes.size()), std::to_string(given.size()) + " " + what +
                                                                    " are given for " +
                                                                    std::to_string(axes.size()) + " axes");
  }
  if (by_scales) {
    for (size_t i = 0; i < axes.size(); ++i) {
      const float scale = op.input(2).data<float>()[i];
      resized[axes[i]].out = ScaledExtent(op, in.dims()[axes[i]], scale, axes[i]);
      resized[axes[i]].scale = static_cast<double>(scale);
    }
  } else if (by_sizes) {
    const std::vector<int64_t> sizes = op.input(3).AsInts();
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      ResizedAxis& a = resized[axes[i]];
      op.Check(sizes[i] >= 0 && sizes[i] <= (int64_t{1} << 40),
               "the size of axis " + std::to_string(axes[i]) + " is " + std::to_string(sizes[i]));
      op.Check(a.in > 0 || sizes[i] == 0, "axis " + std::to_string(axes[i]) +
                                              " has no element to resize to " + std::to_string(sizes[i]));
      a.out = sizes[i];
      a.scale = a.in > 0 ? static_cast<double>(sizes[i]) / static_cast<double>(a.in) : 1;
      least = std::min(least, a.scale);
      most = std::max(most, a.scale);
    }
    if (policy != "stretch") {
      const double scale = policy == "not_larger" ? least : most;
      for (size_t axis : axes) {
        resized[axis].scale = scale;
        const double extent = std::floor(scale * static_cast<double>(resized[axis].in) + 0.5);
        op.Check(extent <= 0x1p40, "axis " + std::to_string(axis) + " becomes larger than 2^40");
        resized[axis].out = static_cast<int64_t>(extent);
      }
    }
  }
  if (s.transform == "tf_crop_and_resize") {
    op.Check(op.has(1), "tf_crop_and_resize needs the input roi");
    const Tensor& roi = op.input(1);
    const int64_t n = static_cast<int64_t>(axes.size());
    op.Check(roi.size() == 2 * n,
             std::to_string(roi.size()) + " elements of roi are given for " + std::to_string(n) + " axes");
    for (int64_t i = 0; i < n; ++i) {
      resized[axes[static_cast<size_t>(i)]].start = roi.AsDouble(i);
      resized[axes[static_cast<size_t>(i)]].end = roi.AsDouble(n + i);
    }
  }
  Run(op, s, resized);
}

void Upsample(OpContext& op) {
  const Tensor &in = op.input(0), &scales = op.input(1);
  Settings s;
  s.mode = op.String("mode", "nearest");
  s.transform = "asymmetric";
  s.nearest_mode = "floor";
  op.Check(OneOf(s.mode, {"nearest", "linear"}), "mode '" + s.mode + "' is not known");
  op.Check(scales.size() == in.rank(),
           std::to_string(scales.size()) + " scales are given for " + std::to_string(in.rank()) + " axes");
  std::vector<ResizedAxis> axes;
  for (size_t i = 0; i < in.dims().size(); ++i) {
    const float scale = scales.data<float>()[i];
    op.Check(!(scale < 1),
             "the scale of axis " + std::to_string(i) + " is " + std::to_string(scale) + ", less than 1");
    axes.push_back(
        {in.dims()[i], ScaledExtent(op, in.dims()[i], scale, i), static_cast<double>(scale), 0, 1});
  }
  Run(op, s, axes);
}

Judgement JudgeInterpolation(const kit::Node& node) {
  const std::string_view mode = node.String("mode", node.op() == "GridSample" ? "linear" : "nearest");
  if (mode != "nearest" && node.has_input(0) &&
      node.input_value(0).type() == static_cast<braid_type>(kString))
    return {BRAID_NO_TYPE, 0, BRAID_NONE,
            std::string(node.op()) + ": mode " + std::string(mode) + " is not defined for strings"};
  return {};
}

}  // namespace braid::reference
