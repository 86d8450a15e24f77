// SPDX-License-Identifier: Apache-2.0
//
// The plugin: lists the Vulkan devices of the machine and opens them.
#include <cstring>
#include <mutex>

#include "plugins/vulkan/api.h"
#include "plugins/vulkan/device.h"

namespace braid::vulkan {
namespace {

class VulkanPlugin : public kit::Plugin {
 public:
  using kit::Plugin::Plugin;
  std::string_view id() const override { return "vulkan"; }
  std::string_view vendor() const override { return "Braid"; }
  std::string_view version() const override { return BRAID_VERSION; }
  int32_t newest_opset() const override { return 28; }

  std::vector<braid_device_info> Enumerate() override {
    std::vector<braid_device_info> infos;
    for (const PhysicalDevice& device : TheInstance()->devices()) {
      braid_device_info info = BRAID_DEVICE_INFO_INIT;
      switch (device.properties.deviceType) {
        case VK_PHYSICAL_DEVICE_TYPE_CPU:
          info.kind = BRAID_DEVICE_CPU;
          break;
        case VK_PHYSICAL_DEVICE_TYPE_OTHER:
          info.kind = BRAID_DEVICE_OTHER;
          break;
        default:
          info.kind = BRAID_DEVICE_GPU;
      }
      info.name = kit::Str(device.name);
      info.vendor = kit::Str(device.vendor);
      info.driver = kit::Str(device.driver);
      std::memcpy(info.uuid, device.uuid, sizeof info.uuid);
      for (uint32_t i = 0; i < device.memory.memoryHeapCount; ++i)
        if (device.memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
          info.memory_total = std::max<uint64_t>(info.memory_total, device.memory.memoryHeaps[i].size);
      info.memory_free = info.memory_total;
      info.alignment = std::max<uint64_t>(16, device.properties.limits.minStorageBufferOffsetAlignment);
      info.max_buffer = info.memory_total;
      bool unified = true;
      for (uint32_t i = 0; i < device.memory.memoryTypeCount; ++i) {
        auto flags = device.memory.memoryTypes[i].propertyFlags;
        if ((flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) && !(flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT))
          unified = false;
      }
      info.flags = BRAID_MEMORY_MAPPABLE | BRAID_DETERMINISTIC;
      if (unified) info.flags |= BRAID_MEMORY_UNIFIED;
      if (device.timestamp_bits > 0) info.flags |= BRAID_TIMESTAMPS;
      if (device.flushes_denormals) info.arithmetic = BRAID_ARITH_FLUSH_DENORMALS;
      if (device.host_import) info.imports = BRAID_HANDLE_HOST_POINTER;
      info.import_alignment = device.host_import ? device.import_alignment : 0;
      info.queues = std::max(2u, device.queue_count);
      info.transfer_queue = BRAID_NONE;
      infos.push_back(info);
    }
    return infos;
  }

  std::unique_ptr<kit::Device> Open(uint32_t index, const braid_open_options& options) override {
    auto instance = TheInstance();
    if (index >= instance->devices().size())
      throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no Vulkan device " + std::to_string(index));
    return std::make_unique<VulkanDevice>(instance, index, options);
  }

 private:
  std::shared_ptr<Instance> TheInstance() {
    std::call_once(once_, [&] { instance_ = std::make_shared<Instance>(host()); });
    return instance_;
  }
  std::once_flag once_;
  std::shared_ptr<Instance> instance_;
};

}  // namespace
}  // namespace braid::vulkan

BRAID_KIT_PLUGIN(braid::vulkan::VulkanPlugin)
