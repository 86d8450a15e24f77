// SPDX-License-Identifier: Apache-2.0
//
// Pools and Resize.
#include "plugins/vulkan/ops/window.h"

#include <algorithm>
#include <cmath>

#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {
namespace {

void Pool(Lowering& l) {
  struct Params {
    uint32_t n;
    int32_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], end[3];
    uint32_t include_pad;
    float norm;
  } p{};
  std::string_view op = l.node().op();
  uint32_t mode = op == "MaxPool" ? 0u : (op == "AveragePool" ? 1u : 2u);
  if (mode == 0) {
    l.NeedType(0, {"f32", "f16", "u8", "i8"});
  } else {
    l.NeedType(0, {"f32", "f16"});
  }
  if (l.HasOut(1)) throw Refusal{BRAID_NO_OP, "indices of the maxima are not made"};
  auto shape = l.node().Ints("kernel_shape");
  Window w = ReadWindow(l, Dims(shape.begin(), shape.end()), false);
  const Tensor &x = l.In(0), &y = l.Out();
  for (int d = 0; d < 3; ++d) {
    p.in[d] = w.in[d];
    p.out[d] = w.out[d];
    p.kernel[d] = w.kernel[d];
    p.stride[d] = w.stride[d];
    p.dilation[d] = w.dilation[d];
    p.pad[d] = w.pad[d];
    p.end[d] = w.in[d] + w.pad_end[d];
  }
  p.n = static_cast<uint32_t>(y.count);
  p.include_pad = l.node().Int("count_include_pad", 0) != 0 ? 1 : 0;
  p.norm = static_cast<float>(l.node().Int("p", 2));
  l.Each(std::string("pool_") + TagOf(x.type), {mode}, {&x}, {&y}, p, y.count,
         4.0 * w.kernel[0] * w.kernel[1] * static_cast<double>(w.kernel[2]),
         int64_t{w.kernel[0]} * (1 + int64_t{w.kernel[1]} * (1 + w.kernel[2])));
}

// The places in the input, and their weights, of each output place along one axis.
struct Taps {
  std::vector<int32_t> index;
  std::vector<float> weight;
  uint32_t count = 1;
};

class ResizeAxis {
 public:
  explicit ResizeAxis(Lowering& l)
      : mode_(l.node().String("mode", "nearest")),
        transform_(l.node().String("coordinate_transformation_mode", "half_pixel")),
        nearest_(l.node().String("nearest_mode", "round_prefer_floor")),
        cubic_(l.node().Float("cubic_coeff_a", -0.75f)),
        exclude_(l.node().Int("exclude_outside", 0) != 0) {
    if (mode_ != "nearest" && mode_ != "linear" && mode_ != "cubic")
      l.RefuseAttribute("mode", "unknown mode " + std::string(mode_));
    if (l.node().Int("antialias", 0) != 0 && mode_ != "nearest") l.RefuseAttribute("antialias", "not done");
    if (transform_ != "half_pixel" && transform_ != "half_pixel_symmetric" &&
        transform_ != "pytorch_half_pixel" && transform_ != "align_corners" && transform_ != "asymmetric")
      l.RefuseAttribute("coordinate_transformation_mode", std::string(transform_) + " is not done");
    if (nearest_ != "round_prefer_floor" && nearest_ != "round_prefer_ceil" && nearest_ != "floor" &&
        nearest_ != "ceil")
      l.RefuseAttribute("nearest_mode", "unknown mode " + std::string(nearest_));
  }
  bool nearest() const { return mode_ == "nearest"; }

  Taps Make(int64_t in, int64_t out, double scale) const {
    Taps taps;
    taps.count = nearest() ? 1 : (mode_ == "linear" ? 2 : 4);
    for (int64_t i = 0; i < out; ++i) {
      double x = Origin(static_cast<double>(i), static_cast<double>(in), static_cast<double>(out), scale);
      if (nearest()) {
        taps.index.push_back(
            static_cast<int32_t>(std::clamp<double>(Round(x), 0, static_cast<double>(in - 1))));
        taps.weight.push_back(1.0f);
        continue;
      }
      double base = std::floor(x), f = x - base;
      double w[4] = {1 - f, f, 0, 0};
      int64_t first = static_cast<int64_t>(base);
      if (taps.count == 4) {
        first -= 1;
        double a = cubic_;
        auto near = [&](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
        auto far = [&](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
        w[0] = far(f + 1);
        w[1] = near(f);
        w[2] = near(1 - f);
        w[3] = far(2 - f);
      }
      double sum = 0;
      for (uint32_t t = 0; t < taps.count; ++t) {
        int64_t at = first + t;
        if (exclude_ && (at < 0 || at >= in)) w[t] = 0;
        sum += w[t];
        taps.index.push_back(static_cast<int32_t>(std::clamp<int64_t>(at, 0, in - 1)));
      }
      for (uint32_t t = 0; t < taps.count; ++t)
        taps.weight.push_back(static_cast<float>(exclude_ ? w[t] / sum : w[t]));
    }
    return taps;
  }

 private:
  double Origin(double i, double in, double out, double scale) const {
    if (transform_ == "align_corners") return out == 1 ? 0 : i * (in - 1) / (out - 1);
    if (transform_ == "asymmetric") return i / scale;
    if (transform_ == "pytorch_half_pixel" && out == 1) return 0;
    double x = (i + 0.5) / scale - 0.5;
    if (transform_ == "half_pixel_symmetric") x += in / 2 * (1 - out / (scale * in));
    return x;
  }
  double Round(double x) const {
    if (nearest_ == "floor") return std::floor(x);
    if (nearest_ == "ceil") return std::ceil(x);
    return nearest_ == "round_prefer_floor" ? std::ceil(x - 0.5) : std::floor(x + 0.5);
  }
  std::string_view mode_, transform_, nearest_;
  double cubic_;
  bool exclude_;
};

void Resize(Lowering& l) {
  struct Params {
    uint32_t n, inner, extent_in, extent_out, taps;
  };
  const Tensor &x = l.In(0), &y = l.Out();
  ResizeAxis axis_of(l);
  if (!axis_of.nearest()) l.NeedType(0, {"f32", "f16"});
  size_t rank = x.dims.size();
  if (y.dims.size() != rank) l.RefuseShape("the output has another rank");
  std::vector<size_t> axes;
  for (int64_t a : l.node().Ints("axes")) axes.push_back(static_cast<size_t>(Axis(a, rank)));
  if (!l.node().has("axes"))
    for (size_t i = 0; i < rank; ++i) axes.push_back(i);
  std::vector<double> scale(rank, 1.0);
  bool has_scales = l.HasIn(2) && l.In(2).count > 0;
  if (has_scales) {
    std::vector<float> given = l.Floats(2);
    if (given.size() != axes.size()) l.RefuseShape("scales has not one element an axis");
    for (size_t i = 0; i < axes.size(); ++i) scale[axes[i]] = given[i];
  } else {
    Dims sizes = l.Ints(3);
    if (sizes.size() != axes.size()) l.RefuseShape("sizes has not one element an axis");
    std::string_view policy = l.node().String("keep_aspect_ratio_policy", "stretch");
    double common = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      if (x.dims[axes[i]] == 0) l.RefuseShape("an empty dimension cannot be resized");
      double s = static_cast<double>(sizes[i]) / static_cast<double>(x.dims[axes[i]]);
      scale[axes[i]] = s;
      common = i == 0 ? s : (policy == "not_larger" ? std::min(common, s) : std::max(common, s));
    }
    if (policy == "not_larger" || policy == "not_smaller") {
      for (size_t a : axes) scale[a] = common;
    } else if (policy != "stretch") {
      l.RefuseAttribute("keep_aspect_ratio_policy", "unknown policy");
    }
  }
  std::vector<size_t> work;
  for (size_t i = 0; i < rank; ++i)
    if (x.dims[i] != y.dims[i] || scale[i] != 1.0) work.push_back(i);
  if (y.count == 0) return;
  if (x.count == 0) l.RefuseShape("an empty image cannot be resized");
  if (work.empty()) return l.Alias(0, x);
  Tensor now = x;
  for (size_t k = 0; k < work.size(); ++k) {
    size_t axis = work[k];
    Dims dims = now.dims;
    dims[axis] = y.dims[axis];
    Tensor next = k + 1 == work.size() ? y : l.Temporary(x.type, dims);
    Taps taps = axis_of.Make(now.dims[axis], dims[axis], scale[axis]);
    Tensor index = l.LiteralOf<int32_t>(kI32, taps.index), weight = l.LiteralOf<float>(kF32, taps.weight);
    Params p{static_cast<uint32_t>(next.count), static_cast<uint32_t>(Product(dims, axis + 1)),
             static_cast<uint32_t>(now.dims[axis]), static_cast<uint32_t>(dims[axis]), taps.count};
    std::string kernel = axis_of.nearest() ? "resample_pick_w" + std::to_string(BytesOf(x.type))
                                           : std::string("resample_") + TagOf(x.type);
    l.Each(kernel, {}, {&now, &index, &weight}, {&next}, p, next.count, 3.0 * taps.count, taps.count);
    now = next;
    now.dims = dims;
  }
}

const Operator kOperators[] = {
    {"MaxPool", 22, Pool}, {"AveragePool", 22, Pool}, {"LpPool", 22, Pool}, {"Resize", 19, Resize}};

}  // namespace

Window ReadWindow(Lowering& l, const Dims& kernel, bool transposed) {
  const Tensor &x = l.In(0), &y = l.Out();
  Window w;
  if (x.dims.size() < 3 || x.dims.size() > 5 || y.dims.size() != x.dims.size())
    l.RefuseShape("one to three spatial dimensions only");
  w.spatial = static_cast<uint32_t>(x.dims.size() - 2);
  if (kernel.size() != w.spatial) l.RefuseShape("the kernel has not the input's spatial dimensions");
  auto strides = l.node().Ints("strides"), dilations = l.node().Ints("dilations"),
       pads = l.node().Ints("pads"), extra = l.node().Ints("output_padding");
  std::string_view automatic = l.node().String("auto_pad", "NOTSET");
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!same && automatic != "NOTSET" && automatic != "VALID")
    l.RefuseAttribute("auto_pad", "unknown value " + std::string(automatic));
  for (uint32_t i = 0; i < w.spatial; ++i) {
    uint32_t d = 3 - w.spatial + i;
    auto set = [&](int32_t& to, int64_t v, int64_t least, const char* what) {
      if (v < least || v > INT32_MAX / 4)
        l.RefuseShape(std::string(what) + " " + std::to_string(v) + " is not possible");
      to = static_cast<int32_t>(v);
    };
    set(w.in[d], x.dims[i + 2], 0, "an extent of");
    set(w.out[d], y.dims[i + 2], 0, "an extent of");
    set(w.kernel[d], kernel[i], 1, "a kernel of");
    set(w.stride[d], i < strides.size() ? strides[i] : 1, 1, "a stride of");
    set(w.dilation[d], i < dilations.size() ? dilations[i] : 1, 1, "a dilation of");
    int64_t reach = int64_t{w.dilation[d]} * (w.kernel[d] - 1) + 1;
    int64_t before = 0, behind = 0;
    if (automatic == "NOTSET" && pads.size() == 2 * w.spatial) {
      before = pads[i];
      behind = pads[i + w.spatial];
    }
    bool shaped = transposed && l.node().has("output_shape");
    if (same || shaped) {
      int64_t total = transposed ? int64_t{w.stride[d]} * (w.in[d] - 1) + (i < extra.size() ? extra[i] : 0) +
                                       reach - w.out[d]
                                 : int64_t{w.stride[d]} * (w.out[d] - 1) + reach - w.in[d];
      // A transposed convolution whose output is longer than what it reaches has zeroes behind.
      total = std::max<int64_t>(total, 0);
      bool more_behind = automatic == "SAME_UPPER";
      before = more_behind ? total / 2 : total - total / 2;
      behind = total - before;
    }
    set(w.pad[d], before, 0, "padding of");
    set(w.pad_end[d], behind, 0, "padding of");
  }
  return w;
}

std::span<const Operator> WindowOperators() { return kOperators; }

}  // namespace braid::vulkan
