// SPDX-License-Identifier: Apache-2.0
//
// What convolutions, pools and their integer kin have in common: windows along spatial axes.
#ifndef BRAID_CONFORMANCE_DOMAINS_CONVOLUTION_H_
#define BRAID_CONFORMANCE_DOMAINS_CONVOLUTION_H_

#include <string>
#include <vector>

#include "conformance/case/domain.h"

namespace braid::conformance {

// The windows along one spatial axis.
struct Window {
  int64_t in, kernel, stride = 1, dilation = 1, begin = 0, end = 0;
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  // How many there are. `ceil`: the last may reach over the end.
  int64_t count(bool ceil = false) const {
    const int64_t room = in + begin + end - extent();
    return room < 0 ? 0 : (room + (ceil ? stride - 1 : 0)) / stride + 1;
  }
};
using Windows = std::vector<Window>;
Dims Counts(const Windows& windows);

// `pattern` again from its first, `n` of them.
std::vector<int64_t> Cycled(const std::vector<int64_t>& pattern, size_t n);

// Makes the choices strides, dilations, pads and auto_pad, of which the operator has some, and sets the
// attributes. With auto_pad the windows have the pads that come of it.
Windows PickWindows(Domain& d, const Dims& in, const Dims& kernel);

// An input and weights of a convolution. Batch and spatial extents grow in a case of symbols.
struct Convolution {
  Dims x, w;
  int64_t features;
  Windows windows;
};
// Makes the choices of sizes and of all attributes.
Convolution PickConvolution(Domain& d);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_DOMAINS_CONVOLUTION_H_
