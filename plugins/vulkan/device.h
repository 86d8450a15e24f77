// SPDX-License-Identifier: Apache-2.0
//
// An opened device: its VkDevice, memory, queues, pipelines and the constants that its executables share.
#ifndef BRAID_PLUGINS_VULKAN_DEVICE_H_
#define BRAID_PLUGINS_VULKAN_DEVICE_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/vulkan/api.h"
#include "plugins/vulkan/memory.h"
#include "plugins/vulkan/queue.h"
#include "shaders/shaders.h"

namespace braid::vulkan {

constexpr uint32_t kMaxBindings = 8;
constexpr uint32_t kPushBytes = 128;

struct Buffer {
  Piece piece;
  uint64_t bytes = 0;
  bool mappable = false;
};

// Device memory that goes when the last owner does.
class DeviceBytes {
 public:
  DeviceBytes(Memory* memory, uint64_t bytes, bool host_visible)
      : memory_(memory), piece_(memory->Allocate(bytes, host_visible)) {}
  ~DeviceBytes() { memory_->Free(piece_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  const Piece& piece() const { return piece_; }

 private:
  Memory* memory_;
  Piece piece_;
};

struct Pipeline {
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
};

VkDescriptorType DescriptorType(const shaders::Shader& shader, uint32_t binding);

// A command buffer with a pool of its own, so that any thread may record it.
struct Commands {
  VkCommandPool pool = VK_NULL_HANDLE;
  VkCommandBuffer buffer = VK_NULL_HANDLE;
};

class VulkanDevice : public kit::Device {
 public:
  VulkanDevice(std::shared_ptr<Instance> instance, uint32_t index, const braid_open_options& options);
  ~VulkanDevice() override;

  void Query(const braid_graph* graph, const braid_compile_options& options,
             std::vector<braid_verdict>& verdicts) override;
  bool Estimate(const braid_graph* graph, const braid_compile_options& options, const uint32_t* nodes,
                const uint32_t* ends, std::vector<braid_cost>& costs) override;
  void Link(const braid_device_info& peer, braid_link* link) override;
  std::unique_ptr<kit::Executable> Compile(const braid_graph* graph,
                                           const braid_compile_options& options) override;
  braid_buffer* BufferAlloc(const braid_buffer_desc& desc) override;
  braid_buffer* BufferImport(const braid_handle& handle) override;
  void BufferFree(braid_buffer* buffer) override;
  void* Map(braid_buffer* buffer, uint64_t offset, uint64_t bytes) override;
  kit::Fence* Transfer(const braid_transfer& transfer) override;
  kit::Fence* FenceCreate() override { return new kit::EventFence(); }
  braid_status Health(braid_health* health) override;

  // ---- For executables. [any]
  const kit::Host& host() const { return instance_->host(); }
  const Api& api() const { return api_; }
  VkDevice handle() const { return device_; }
  const PhysicalDevice& physical() const { return physical_; }
  Memory& memory() { return *memory_; }
  Queue& queue(uint32_t index);
  const Piece& dummy() const { return dummy_->piece(); }  // bound for tensors without elements
  uint64_t alignment() const;
  Pipeline GetPipeline(const shaders::Shader& shader, uint32_t bindings,
                       const std::vector<uint32_t>& constants);
  // Bytes on the device, made by `fill` unless an executable holds those of this key (0: never shared).
  std::shared_ptr<DeviceBytes> Constant(uint64_t key, const std::string& form, uint64_t bytes,
                                        const std::function<void(uint8_t*)>& fill);
  Commands TakeCommands();
  void ReturnCommands(const Commands& commands);
  void DestroyCommands(const Commands& commands);
  void Begin(const Commands& commands, bool once);
  // Makes all earlier work of the queue, and the host's writes, visible to what follows; and the other way
  // round.
  void BarrierAll(VkCommandBuffer commands);
  uint64_t HostTime(uint64_t ticks) const;
  void CheckRange(const Buffer& buffer, uint64_t offset, uint64_t bytes, const char* what) const;

 private:
  void CopyNow(const Piece& from, uint64_t from_offset, const Piece& to, uint64_t to_offset, uint64_t bytes);
  void CalibrateClock();
  std::shared_ptr<Instance> instance_;
  PhysicalDevice physical_;
  Api api_;
  VkDevice device_ = VK_NULL_HANDLE;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<DeviceBytes> dummy_;
  std::vector<std::unique_ptr<HardwareQueue>> hardware_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::mutex pipelines_mutex_;
  VkPipelineCache pipeline_cache_ = VK_NULL_HANDLE;
  std::string pipeline_cache_key_;
  size_t pipelines_made_ = 0;
  // By the number of bindings, and which of them are texel buffers.
  std::map<std::pair<uint32_t, uint32_t>, std::pair<VkDescriptorSetLayout, VkPipelineLayout>> layouts_;
  std::map<std::pair<std::string_view, std::vector<uint32_t>>, Pipeline> pipelines_;
  std::mutex constants_mutex_;
  std::map<std::pair<uint64_t, std::string>, std::weak_ptr<DeviceBytes>> constants_;
  std::mutex commands_mutex_;
  std::vector<Commands> spare_commands_;
  int64_t clock_offset_ns_ = 0;
  bool may_be_lost_ = false;  // the option lose_after
};

inline Buffer* BufferOf(braid_buffer* buffer) { return reinterpret_cast<Buffer*>(buffer); }

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_DEVICE_H_
