// SPDX-License-Identifier: Apache-2.0
//
// How fast a device is, for estimates: measured, since a driver tells nothing of it.
#ifndef BRAID_PLUGINS_VULKAN_SPEED_H_
#define BRAID_PLUGINS_VULKAN_SPEED_H_

namespace braid::vulkan {

class VulkanDevice;

struct Speed {
  double flops = 0;                  // per second, in a matrix product that fills the device
  double bytes_per_second = 0;       // read and written by a kernel with little arithmetic
  double copy_bytes_per_second = 0;  // read and written by copies and fills
  double submit_ns = 0;              // of a segment, beside its dispatches
  double dispatch_ns = 0;
};

// Cautious guesses by the type of the device.
Speed GuessSpeed(const VulkanDevice& device);
// Runs a product, a sum and some empty dispatches: a few milliseconds, once a process and device. A guess
// where the device fails. [any]
Speed MeasuredSpeed(VulkanDevice& device);

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_SPEED_H_
