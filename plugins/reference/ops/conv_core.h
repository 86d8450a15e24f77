// SPDX-License-Identifier: Apache-2.0
//
// What the convolutions share: y += w * windows of x, for W in float, double and uint32_t.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_CONV_CORE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_CONV_CORE_H_

#include "plugins/reference/ops/op.h"
#include "plugins/reference/ops/window.h"

namespace braid::reference {

// A convolution's extents: x (batch, channels, window.in), w (features, channels / group, window.kernel),
// y (batch, features, window.out).
struct ConvShape {
  Window window;
  int64_t batch = 0, channels = 0, features = 0, group = 1;
  Dims dims() const {
    Dims d = {batch, features};
    d.insert(d.end(), window.out.begin(), window.out.end());
    return d;
  }
};

// Reads and checks the attributes and shapes of Conv and its kin.
ConvShape ReadConv(const OpContext& op, const Tensor& x, const Tensor& w);
// y += the convolution. Positions in the padding count as 0.
template <class W>
void Convolve(const Parallel& parallel, const ConvShape& shape, const W* x, const W* w, W* y);
// Each feature's plane filled with its bias, or 0 without one.
template <class W>
void FillBias(const W* bias, int64_t batch, int64_t features, int64_t plane, W* y) {
  for (int64_t i = 0; i < batch * features; ++i)
    std::fill_n(y + i * plane, plane, bias != nullptr ? bias[i % features] : W{});
}
// The optional bias of `features` elements at input `i`: checked.
void CheckBias(const OpContext& op, size_t i, int64_t features);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_CONV_CORE_H_
