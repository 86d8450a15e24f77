// SPDX-License-Identifier: Apache-2.0
//
// The geometry of convolutions and pools: along each spatial axis, window o starts at o * stride - begin and
// its element k stands at o * stride - begin + k * dilation of the input.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_WINDOW_H_
#define BRAID_PLUGINS_REFERENCE_OPS_WINDOW_H_

#include <array>
#include <utility>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

inline constexpr int kMaxSpatial = 30;  // the host refuses ranks above 32

struct Window {
  Dims in, kernel, stride, dilation, begin, end, out;  // one entry a spatial axis

  size_t rank() const { return in.size(); }
  // Extent of the dilated kernel.
  int64_t extent(size_t i) const { return (kernel[i] - 1) * dilation[i] + 1; }
  int64_t kernel_size() const { return Product(kernel); }
  int64_t in_size() const { return Product(in); }
  int64_t out_size() const { return Product(out); }
  // Windows o in [first, last) along the last axis whose element k lies inside the input; they start at the
  // input's position first * stride + shift.
  struct Range {
    int64_t first, last, shift;
  };
  Range LastAxis(int64_t k) const {
    size_t i = rank() - 1;
    int64_t shift = k * dilation[i] - begin[i], s = stride[i];
    int64_t first = shift >= 0 ? 0 : (-shift + s - 1) / s;
    int64_t last = in[i] - shift <= 0 ? 0 : (in[i] - shift - 1) / s + 1;
    last = std::min(last, out[i]);
    return {std::min(first, last), last, shift};
  }

  // Elements k in [first, second) of the kernel's last axis that lie inside the input in some window.
  std::pair<int64_t, int64_t> LastKernel() const {
    size_t i = rank() - 1;
    return KernelRange(i, (out[i] - 1) * stride[i] - begin[i], -begin[i]);
  }

  // Calls body(kernel_row, input_row) for each row (all axes but the last) of the kernel that lies inside the
  // input in the windows of output row `out_row`; rows are counted in row-major order.
  template <class Body>
  void ForEachKernelRow(int64_t out_row, const Body& body) const {
    const size_t n = rank() - 1;
    std::array<int64_t, kMaxSpatial> start{}, first{}, last{}, k{};
    for (size_t i = n; i-- > 0; out_row /= out[i]) {
      start[i] = out_row % out[i] * stride[i] - begin[i];
      auto [from, to] = KernelRange(i, start[i], start[i]);
      if (from >= to) return;
      first[i] = k[i] = from, last[i] = to;
    }
    while (true) {
      int64_t kernel_row = 0, input_row = 0;
      for (size_t i = 0; i < n; ++i) {
        kernel_row = kernel_row * kernel[i] + k[i];
        input_row = input_row * in[i] + start[i] + k[i] * dilation[i];
      }
      body(kernel_row, input_row);
      size_t i = n;
      for (; i-- > 0; k[i] = first[i])
        if (++k[i] < last[i]) break;
      if (i == static_cast<size_t>(-1)) return;
    }
  }

 private:
  // Elements k with high + k * dilation >= 0 and low + k * dilation < in, along axis i.
  std::pair<int64_t, int64_t> KernelRange(size_t i, int64_t high, int64_t low) const {
    int64_t first = high >= 0 ? 0 : (-high + dilation[i] - 1) / dilation[i];
    int64_t last = low >= in[i] ? 0 : (in[i] - low - 1) / dilation[i] + 1;
    last = std::min(last, kernel[i]);
    return {std::min(first, last), last};
  }
  static int64_t Product(const Dims& dims) {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    return n;
  }
};

// Attributes strides, dilations, pads and auto_pad for these spatial extents and this kernel; `out` is left
// empty. Every number is checked: extents of a kernel, strides and dilations in [1, 2^31), pads in [0, 2^31),
// and the lists' lengths.
Window ReadWindow(const OpContext& op, const Dims& in, const Dims& kernel);
// NOTSET, VALID, SAME_UPPER or SAME_LOWER; another text is an error.
std::string AutoPad(const OpContext& op);
// Fills begin, end (by auto_pad) and out. With `ceil_mode` a last window may reach over the end, but starts
// inside the input or its begin padding. An error where a kernel does not fit into the padded input.
void FitWindow(const OpContext& op, Window& w, bool ceil_mode = false, bool crops = false);
// The spatial extents of a tensor (N, C, D1 ... Dn); an error where it has none.
Dims SpatialDims(const OpContext& op, const Tensor& t, const char* what);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_WINDOW_H_
