// SPDX-License-Identifier: Apache-2.0
//
// The geometry of a window that slides over one to three spatial dimensions, always told as three (depth,
// height, width).
#ifndef BRAID_PLUGINS_VULKAN_OPS_WINDOW_H_
#define BRAID_PLUGINS_VULKAN_OPS_WINDOW_H_

#include "plugins/vulkan/lowering.h"

namespace braid::vulkan {

struct Window {
  int32_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
          dilation[3] = {1, 1, 1};
  int32_t pad[3] = {0, 0, 0}, pad_end[3] = {0, 0, 0};
  uint32_t spatial = 0;
};

// From the node's attributes, input 0 and output 0 (a convolution's or pool's); refuses what does not fit.
// `kernel`: its extents. transposed: as ConvTranspose reads the attributes.
Window ReadWindow(Lowering& l, const Dims& kernel, bool transposed);

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_OPS_WINDOW_H_
