// SPDX-License-Identifier: Apache-2.0
//
// Vulkan, opened at run time: a machine without it loads this plugin all the same. Api holds the functions
// that the plugin calls; Instance is one VkInstance with what the plugin knows of its devices.
#ifndef BRAID_PLUGINS_VULKAN_API_H_
#define BRAID_PLUGINS_VULKAN_API_H_

#define VK_NO_PROTOTYPES
#include <braid/kit/plugin.h>
#include <vulkan/vulkan.h>

#include <memory>
#include <string>
#include <vector>

namespace braid::vulkan {

// clang-format off
#define BRAID_VULKAN_INSTANCE_FUNCTIONS(F) \
  F(DestroyInstance) F(EnumeratePhysicalDevices) F(GetPhysicalDeviceProperties2) F(GetPhysicalDeviceFeatures2) \
  F(GetPhysicalDeviceMemoryProperties) F(GetPhysicalDeviceQueueFamilyProperties) F(EnumerateDeviceExtensionProperties) \
  F(CreateDevice) F(GetDeviceProcAddr)
#define BRAID_VULKAN_DEVICE_FUNCTIONS(F) \
  F(DestroyDevice) F(GetDeviceQueue) F(DeviceWaitIdle) F(QueueSubmit) F(CreateSemaphore) F(DestroySemaphore) F(WaitSemaphores) \
  F(GetSemaphoreCounterValue) F(CreateBuffer) F(DestroyBuffer) F(GetBufferMemoryRequirements) F(AllocateMemory) F(FreeMemory) \
  F(BindBufferMemory) F(MapMemory) F(UnmapMemory) F(CreateShaderModule) F(DestroyShaderModule) F(CreatePipelineLayout) \
  F(DestroyPipelineLayout) F(CreateDescriptorSetLayout) F(DestroyDescriptorSetLayout) F(CreateComputePipelines) F(DestroyPipeline) \
  F(CreatePipelineCache) F(DestroyPipelineCache) F(GetPipelineCacheData) F(CreateDescriptorPool) F(DestroyDescriptorPool) \
  F(ResetDescriptorPool) F(AllocateDescriptorSets) F(UpdateDescriptorSets) F(CreateCommandPool) F(DestroyCommandPool) \
  F(ResetCommandPool) F(AllocateCommandBuffers) F(BeginCommandBuffer) F(EndCommandBuffer) F(CmdBindPipeline) \
  F(CmdBindDescriptorSets) F(CmdPushConstants) F(CmdDispatch) F(CmdPipelineBarrier) F(CmdCopyBuffer) F(CmdFillBuffer) \
  F(CreateBufferView) F(DestroyBufferView) \
  F(CmdWriteTimestamp) F(CmdResetQueryPool) F(CreateQueryPool) F(DestroyQueryPool) F(GetQueryPoolResults)
// clang-format on

struct Api {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;
#define F(name) PFN_vk##name name = nullptr;
  BRAID_VULKAN_INSTANCE_FUNCTIONS(F)
  BRAID_VULKAN_DEVICE_FUNCTIONS(F)
#undef F
  PFN_vkGetMemoryHostPointerPropertiesEXT GetMemoryHostPointerPropertiesEXT =
      nullptr;  // null without the extension
};

// Throws kit::Error with the name of the call if it failed: DEVICE_LOST, OUT_OF_MEMORY or INTERNAL.
void Check(VkResult result, const char* call);
braid_status StatusOf(VkResult result);

// What the plugin needs to know of a physical device.
struct PhysicalDevice {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties{};
  VkPhysicalDeviceMemoryProperties memory{};
  std::string name, vendor, driver;
  uint8_t uuid[16] = {};
  uint32_t shader_features = 0;  // shaders::Feature
  bool flushes_denormals = true, host_import = false;
  uint64_t import_alignment = 0;
  uint32_t queue_family = 0, queue_count = 1, timestamp_bits = 0;
  bool cpu() const { return properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU; }
  // Kernels read through texel buffers where that is quicker, and holds as much as a storage buffer.
  bool prefers_texels() const {
    return cpu() && properties.limits.maxTexelBufferElements >= properties.limits.maxStorageBufferRange / 4;
  }
};

class Instance {
 public:
  // Opens the loader and lists the devices that can run the shaders. Where there are none, devices() is empty
  // and the reason went to the host's log.
  explicit Instance(kit::Host host);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  const std::vector<PhysicalDevice>& devices() const { return devices_; }
  const Api& api() const { return api_; }
  const kit::Host& host() const { return host_; }

 private:
  void Inspect(VkPhysicalDevice device);
  kit::Host host_;
  Api api_;
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  std::vector<PhysicalDevice> devices_;
};

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_API_H_
