// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/api.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "shaders/shaders.h"

namespace braid::vulkan {
namespace {

const char* NameOf(VkResult result) {
  switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return "out of host memory";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return "out of device memory";
    case VK_ERROR_DEVICE_LOST:
      return "the device was lost";
    case VK_ERROR_INITIALIZATION_FAILED:
      return "initialisation failed";
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return "no driver is compatible";
    case VK_ERROR_EXTENSION_NOT_PRESENT:
      return "an extension is missing";
    case VK_ERROR_FEATURE_NOT_PRESENT:
      return "a feature is missing";
    case VK_ERROR_LAYER_NOT_PRESENT:
      return "a layer is missing";
    case VK_ERROR_TOO_MANY_OBJECTS:
      return "too many objects";
    default:
      return "failed";
  }
}

VkBool32 VKAPI_CALL OnMessage(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                              VkDebugUtilsMessageTypeFlagsEXT,
                              const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  bool bad = (severity & (VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT |
                          VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT)) != 0;
  static_cast<const Instance*>(user)->host().Log(bad ? BRAID_LOG_ERROR : BRAID_LOG_DEBUG,
                                                 std::string("Vulkan validation: ") + data->pMessage);
  return VK_FALSE;
}

}  // namespace

braid_status StatusOf(VkResult result) {
  switch (result) {
    case VK_SUCCESS:
      return BRAID_OK;
    case VK_ERROR_DEVICE_LOST:
      return BRAID_DEVICE_LOST;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
      return BRAID_OUT_OF_MEMORY;
    default:
      return BRAID_INTERNAL;
  }
}

void Check(VkResult result, const char* call) {
  if (result >= VK_SUCCESS) return;
  throw kit::Error(StatusOf(result), std::string("Vulkan: ") + call + ": " + NameOf(result) + " (" +
                                         std::to_string(result) + ")");
}

Instance::Instance(kit::Host host) : host_(host) {
  // The library stays open: drivers do not like to be unloaded.
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    host_.Log(BRAID_LOG_INFO,
              std::string("no Vulkan device: the loader libvulkan.so.1 cannot be opened: ") + dlerror());
    return;
  }
  api_.GetInstanceProcAddr =
      reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
  auto create =
      api_.GetInstanceProcAddr == nullptr
          ? nullptr
          : reinterpret_cast<PFN_vkCreateInstance>(api_.GetInstanceProcAddr(nullptr, "vkCreateInstance"));
  if (create == nullptr) {
    host_.Log(BRAID_LOG_WARNING, "no Vulkan device: libvulkan.so.1 is not a Vulkan loader");
    return;
  }
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = application.pEngineName = "Braid";
  application.apiVersion = VK_API_VERSION_1_2;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  const char* layer = "VK_LAYER_KHRONOS_validation";
  const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
  VkValidationFeatureEnableEXT enable = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  VkValidationFeaturesEXT features{};
  features.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
  features.enabledValidationFeatureCount = 1;
  features.pEnabledValidationFeatures = &enable;
  const char* wish = std::getenv("BRAID_VULKAN_VALIDATE");
  bool validate = wish != nullptr && std::strcmp(wish, "1") == 0;
  if (validate) {
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &layer;
    info.enabledExtensionCount = 2;
    info.ppEnabledExtensionNames = extensions;
    info.pNext = &features;
  }
  VkResult result = create(&info, nullptr, &instance_);
  if (validate && result != VK_SUCCESS) {
    host_.Log(BRAID_LOG_WARNING, "Vulkan: the validation layer cannot be enabled; running without it");
    validate = false;
    info.enabledLayerCount = info.enabledExtensionCount = 0;
    info.pNext = nullptr;
    result = create(&info, nullptr, &instance_);
  }
  if (result != VK_SUCCESS) {
    instance_ = VK_NULL_HANDLE;
    host_.Log(BRAID_LOG_INFO, std::string("no Vulkan device: vkCreateInstance: ") + NameOf(result));
    return;
  }
#define F(name) api_.name = reinterpret_cast<PFN_vk##name>(api_.GetInstanceProcAddr(instance_, "vk" #name));
  BRAID_VULKAN_INSTANCE_FUNCTIONS(F)
#undef F
  if (validate) {
    auto make = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
        api_.GetInstanceProcAddr(instance_, "vkCreateDebugUtilsMessengerEXT"));
    VkDebugUtilsMessengerCreateInfoEXT m{};
    m.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
    m.messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT;
    m.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
    m.pfnUserCallback = OnMessage;
    m.pUserData = this;
    if (make != nullptr) make(instance_, &m, nullptr, &messenger_);
    host_.Log(BRAID_LOG_INFO, "Vulkan: validation is on");
  }
  uint32_t count = 0;
  if (api_.EnumeratePhysicalDevices(instance_, &count, nullptr) != VK_SUCCESS) count = 0;
  std::vector<VkPhysicalDevice> handles(count);
  if (count > 0 && api_.EnumeratePhysicalDevices(instance_, &count, handles.data()) < 0) count = 0;
  handles.resize(count);
  for (VkPhysicalDevice handle : handles) Inspect(handle);
  if (devices_.empty())
    host_.Log(BRAID_LOG_INFO,
              "no Vulkan device: the loader lists " + std::to_string(count) + ", none of use");
}

void Instance::Inspect(VkPhysicalDevice handle) {
  PhysicalDevice device;
  device.handle = handle;
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT import{};
  import.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT;
  VkPhysicalDeviceVulkan12Properties v12{};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES;
  VkPhysicalDeviceVulkan11Properties v11{};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
  v11.pNext = &v12;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  api_.GetPhysicalDeviceProperties2(handle, &properties);
  device.properties = properties.properties;
  device.name = device.properties.deviceName;
  auto skip = [&](const std::string& why) {
    host_.Log(BRAID_LOG_INFO, "Vulkan device " + device.name + " is not used: " + why);
  };
  if (device.properties.apiVersion < VK_API_VERSION_1_2) return skip("its driver has Vulkan 1.1 or older");

  uint32_t count = 0;
  api_.EnumerateDeviceExtensionProperties(handle, nullptr, &count, nullptr);
  std::vector<VkExtensionProperties> extensions(count);
  api_.EnumerateDeviceExtensionProperties(handle, nullptr, &count, extensions.data());
  for (const auto& e : extensions)
    device.host_import =
        device.host_import || std::strcmp(e.extensionName, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0;
  if (device.host_import) v12.pNext = &import;
  properties.pNext = &v11;
  api_.GetPhysicalDeviceProperties2(handle, &properties);
  device.import_alignment = import.minImportedHostPointerAlignment;
  device.flushes_denormals = v12.shaderDenormPreserveFloat32 == VK_FALSE;
  device.driver = std::string(v12.driverName) + " " + v12.driverInfo + " " +
                  std::to_string(device.properties.driverVersion);
  std::memcpy(device.uuid, v11.deviceUUID, 16);
  switch (device.properties.vendorID) {
    case 0x1002:
      device.vendor = "AMD";
      break;
    case 0x10de:
      device.vendor = "NVIDIA";
      break;
    case 0x8086:
      device.vendor = "Intel";
      break;
    case 0x13b5:
      device.vendor = "Arm";
      break;
    case 0x5143:
      device.vendor = "Qualcomm";
      break;
    case 0x106b:
      device.vendor = "Apple";
      break;
    case VK_VENDOR_ID_MESA:
      device.vendor = "Mesa";
      break;
    default:
      device.vendor = "vendor " + std::to_string(device.properties.vendorID);
  }
  if (v12.shaderSignedZeroInfNanPreserveFloat32 == VK_FALSE)
    return skip("its shaders do not keep NaN and infinity");

  VkPhysicalDeviceVulkan12Features f12{};
  f12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  VkPhysicalDeviceVulkan11Features f11{};
  f11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  f11.pNext = &f12;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &f11;
  api_.GetPhysicalDeviceFeatures2(handle, &features);
  if (!f12.timelineSemaphore) return skip("it has no timeline semaphores");
  auto has = [&](VkBool32 feature, uint32_t bit) { device.shader_features |= feature ? bit : 0; };
  has(f12.shaderInt8, shaders::kInt8);
  has(features.features.shaderInt16, shaders::kInt16);
  has(features.features.shaderInt64, shaders::kInt64);
  has(features.features.shaderFloat64, shaders::kFloat64);
  has(f12.storageBuffer8BitAccess, shaders::kStorage8);
  has(f11.storageBuffer16BitAccess, shaders::kStorage16);

  api_.GetPhysicalDeviceQueueFamilyProperties(handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  api_.GetPhysicalDeviceQueueFamilyProperties(handle, &count, families.data());
  // A family that only computes runs beside what draws on the screen.
  uint32_t best = UINT32_MAX;
  for (uint32_t i = 0; i < count; ++i) {
    if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) continue;
    if (best == UINT32_MAX || (families[best].queueFlags & VK_QUEUE_GRAPHICS_BIT) >
                                  (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT))
      best = i;
  }
  if (best == UINT32_MAX) return skip("it has no compute queue");
  device.queue_family = best;
  device.queue_count = std::min(families[best].queueCount, 4u);
  device.timestamp_bits = families[best].timestampValidBits;
  api_.GetPhysicalDeviceMemoryProperties(handle, &device.memory);
  devices_.push_back(std::move(device));
}

Instance::~Instance() {
  if (instance_ == VK_NULL_HANDLE) return;
  if (messenger_ != VK_NULL_HANDLE) {
    auto destroy = reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(
        api_.GetInstanceProcAddr(instance_, "vkDestroyDebugUtilsMessengerEXT"));
    destroy(instance_, messenger_, nullptr);
  }
  api_.DestroyInstance(instance_, nullptr);
}

}  // namespace braid::vulkan
