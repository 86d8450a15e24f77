// SPDX-License-Identifier: Apache-2.0
//
// Operators on images: AffineGrid and CenterCropPad are here, the larger ones in files of their own
// (image.h).
#include "plugins/reference/ops/image.h"

#include <array>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/copy.h"

namespace braid::reference {
namespace {

// AffineGrid-20: theta [N, r, r+1] applied to the centres of an image of `size` [N, C, spatial...] laid over
// [-1, 1]^r. The output is [N, spatial..., r], the innermost axis' coordinate first.
void AffineGrid(OpContext& op) {
  const Tensor& theta = op.input(0);
  const std::vector<int64_t> size = op.input(1).AsInts();
  const bool align_corners = op.Int("align_corners", 0) != 0;
  op.Check(size.size() == 4 || size.size() == 5,
           "size must be [N, C, H, W] or [N, C, D, H, W], it is " + DimsText(size));
  for (int64_t extent : size) op.Check(extent >= 0, "negative extent in size " + DimsText(size));
  const int64_t r = static_cast<int64_t>(size.size()) - 2;
  const Dims wanted = {size[0], r, r + 1};
  op.Check(theta.dims() == wanted,
           "theta has the shape " + DimsText(theta.dims()) + ", " + DimsText(wanted) + " is needed");
  const Dims spatial(size.begin() + 2, size.end());
  Dims dims = {size[0]};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  dims.push_back(r);
  Tensor& out = op.Output(0, theta.type(), dims);
  if (out.size() == 0) return;
  const int64_t positions = Count(spatial);
  DispatchIn<kFloats>(theta.type(), [&]<class T>() {
    op.parallel().For(size[0] * positions, 16, [&](int64_t k) {
      const T* matrix = theta.data<T>() + k / positions * r * (r + 1);
      double point[3];  // innermost axis first
      int64_t rest = k % positions;
      for (int64_t i = 0; i < r; ++i) {
        const int64_t n = spatial[static_cast<size_t>(r - 1 - i)], at = rest % n;
        rest /= n;
        const double span = static_cast<double>(align_corners ? n - 1 : n), x = static_cast<double>(at);
        point[i] = !align_corners ? (2 * x + 1) / span - 1 : n > 1 ? 2 * x / span - 1 : 0;
      }
      for (int64_t row = 0; row < r; ++row) {
        const T* m = matrix + row * (r + 1);
        double sum = static_cast<double>(m[r]);
        for (int64_t i = 0; i < r; ++i) sum += static_cast<double>(m[i]) * point[i];
        out.data<T>()[k * r + row] = static_cast<T>(sum);
      }
    });
  });
}

// CenterCropPad-18: each named axis cropped or padded with zeros around its centre; the odd element goes to
// the end.
void CenterCropPad(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> shape = op.input(1).AsInts();
  std::vector<int64_t> axes = op.Ints("axes");
  if (!op.HasAttr("axes"))
    for (int64_t i = 0; i < in.rank(); ++i) axes.push_back(i);
  op.Check(shape.size() == axes.size(),
           "shape " + DimsText(shape) + " does not fit " + std::to_string(axes.size()) + " axes");
  Dims dims = in.dims(), region = in.dims();
  const Dims in_strides = StridesOf(in.dims());
  std::vector<int64_t> skip(dims.size(), 0), lead(dims.size(), 0);
  std::vector<bool> seen(dims.size(), false);
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = static_cast<size_t>(op.Axis(axes[i], in.rank()));
    op.Check(!seen[axis], "axis " + std::to_string(axes[i]) + " is named twice");
    op.Check(shape[i] >= 0, "negative extent in shape " + DimsText(shape));
    seen[axis] = true;
    dims[axis] = shape[i];
    region[axis] = std::min(shape[i], in.dims()[axis]);
    skip[axis] = (in.dims()[axis] - region[axis]) / 2;
    lead[axis] = (shape[i] - region[axis]) / 2;
  }
  Tensor& out = op.Output(0, in.type(), dims);
  const Dims out_strides = StridesOf(dims);
  int64_t from = 0, to = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    from += skip[i] * in_strides[i];
    to += lead[i] * out_strides[i];
  }
  DispatchBySize(in.type(), [&]<class T>() {
    if (region != dims) std::fill_n(out.data<T>(), out.size(), T());
    if (Count(region) == 0) return;
    const std::array<Dims, 2> strides = {in_strides, out_strides};
    ForEachRow(region, strides,
               [&](int64_t, const std::array<int64_t, 2>& at, int64_t n, const std::array<int64_t, 2>& step) {
                 const T* source = in.data<T>() + from + at[0];
                 T* target = out.data<T>() + to + at[1];
                 for (int64_t i = 0; i < n; ++i) target[i * step[1]] = source[i * step[0]];
               });
  });
}

constexpr TypeSet kMovable = kNumeric | kComplexes | Types(kBool, kString);

}  // namespace

std::span<const OpEntry> ImageOps() {
  static const OpEntry kOps[] = {
      {"",
       "Resize",
       19,
       Resize,
       {kMovable, Types(kFloat, kDouble, kFloat16), Types(kFloat), Types(kInt64)},
       JudgeInterpolation},
      {"", "Upsample", 10, Upsample, {kMovable, Types(kFloat)}, JudgeInterpolation},
      {"", "GridSample", 22, GridSample, {kMovable, kFloats}, JudgeInterpolation},
      {"", "AffineGrid", 20, AffineGrid, {kFloats, Types(kInt64)}},
      {"", "CenterCropPad", 18, CenterCropPad, {kMovable, Types(kInt32, kInt64)}},
      {"", "ImageDecoder", 20, ImageDecoder, {Types(kUint8)}},
  };
  return kOps;
}

}  // namespace braid::reference
