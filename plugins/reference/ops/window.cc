// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/window.h"

namespace braid::reference {
namespace {

constexpr int64_t kLargest = (int64_t{1} << 31) - 1;

// The attribute, or `n` times `otherwise`; each value within [lowest, 2^31).
Dims ReadList(const OpContext& op, const char* name, size_t n, int64_t otherwise, int64_t lowest) {
  if (!op.HasAttr(name)) return Dims(n, otherwise);
  Dims values = op.Ints(name);
  op.Check(values.size() == n, std::string(name) + " has " + std::to_string(values.size()) + " values, " +
                                   std::to_string(n) + " are needed");
  for (int64_t v : values)
    op.Check(v >= lowest && v <= kLargest, std::string(name) + " " + DimsText(values) +
                                               " has a value outside [" + std::to_string(lowest) + ", 2^31)");
  return values;
}

}  // namespace

std::string AutoPad(const OpContext& op) {
  std::string pad = op.String("auto_pad", "NOTSET");
  if (pad.empty()) pad = "NOTSET";
  op.Check(pad == "NOTSET" || pad == "VALID" || pad == "SAME_UPPER" || pad == "SAME_LOWER",
           "auto_pad '" + pad + "' is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  return pad;
}

Window ReadWindow(const OpContext& op, const Dims& in, const Dims& kernel) {
  Window w;
  size_t n = in.size();
  w.in = in;
  w.kernel = kernel;
  op.Check(kernel.size() == n, "the kernel " + DimsText(kernel) + " has " + std::to_string(kernel.size()) +
                                   " axes, the input has " + std::to_string(n) + " spatial axes");
  for (int64_t k : kernel)
    op.Check(k >= 1 && k <= kLargest, "the kernel " + DimsText(kernel) + " has an extent outside [1, 2^31)");
  for (int64_t d : in)
    op.Check(d <= int64_t{1} << 40, "the input's extents " + DimsText(in) + " are too large");
  w.stride = ReadList(op, "strides", n, 1, 1);
  w.dilation = ReadList(op, "dilations", n, 1, 1);
  Dims pads = ReadList(op, "pads", 2 * n, 0, 0);
  w.begin.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(n));
  w.end.assign(pads.begin() + static_cast<ptrdiff_t>(n), pads.end());
  return w;
}

void FitWindow(const OpContext& op, Window& w, bool ceil_mode, bool crops) {
  std::string pad = AutoPad(op);
  w.out.assign(w.rank(), 0);
  for (size_t i = 0; i < w.rank(); ++i) {
    const int64_t stride = w.stride[i], extent = w.extent(i);
    if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
      w.out[i] = (w.in[i] + stride - 1) / stride;
      int64_t total = (w.out[i] - 1) * stride + extent - w.in[i];
      if (!crops) total = std::max<int64_t>(0, total);
      w.begin[i] = pad == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
      w.end[i] = total - w.begin[i];
      continue;
    }
    if (pad == "VALID") w.begin[i] = w.end[i] = 0;
    int64_t room = w.in[i] + w.begin[i] + w.end[i] - extent;
    if (ceil_mode) {
      // Ceiling of a quotient whose dividend may be negative.
      w.out[i] = (room > 0 ? (room + stride - 1) / stride : -(-room / stride)) + 1;
      if ((w.out[i] - 1) * stride >= w.in[i] + w.begin[i]) --w.out[i];
    } else {
      w.out[i] = room < 0 ? 0 : room / stride + 1;
    }
    op.Check(w.out[i] >= 1, "the kernel " + DimsText(w.kernel) + " (extent " + std::to_string(extent) +
                                " with its dilation) is larger than the padded input along spatial axis " +
                                std::to_string(i) + ": " + std::to_string(w.in[i]) + " + " +
                                std::to_string(w.begin[i]) + " + " + std::to_string(w.end[i]));
  }
}

Dims SpatialDims(const OpContext& op, const Tensor& t, const char* what) {
  op.Check(
      t.rank() >= 3 && t.rank() <= kMaxSpatial + 2,
      std::string(what) + " " + DimsText(t.dims()) + " has no spatial axes: (N, C, D1 ... Dn) is needed");
  return Dims(t.dims().begin() + 2, t.dims().end());
}

}  // namespace braid::reference
