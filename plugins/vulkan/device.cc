// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "plugins/vulkan/executable.h"
#include "plugins/vulkan/lowering.h"
#include "plugins/vulkan/speed.h"

namespace braid::vulkan {

VulkanDevice::VulkanDevice(std::shared_ptr<Instance> instance, uint32_t index,
                           const braid_open_options& options)
    : instance_(std::move(instance)), physical_(instance_->devices().at(index)), api_(instance_->api()) {
  uint64_t lose_after = 0;
  for (uint32_t i = 0; i < options.option_count; ++i) {
    std::string key(kit::View(options.options[i].key)), value(kit::View(options.options[i].value));
    if (key == "lose_after") {  // for tests of recovery: the device counts as lost after so many submits
      lose_after = std::strtoull(value.c_str(), nullptr, 10);
    } else {
      throw kit::Error(BRAID_INVALID_ARGUMENT, "unknown option '" + key + "'; known: lose_after");
    }
  }
  VkPhysicalDeviceVulkan12Features f12{};
  f12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  auto on = [&](uint32_t bit) -> VkBool32 {
    return (physical_.shader_features & bit) != 0 ? VK_TRUE : VK_FALSE;
  };
  f12.timelineSemaphore = VK_TRUE;
  f12.shaderInt8 = on(shaders::kInt8);
  f12.storageBuffer8BitAccess = on(shaders::kStorage8);
  VkPhysicalDeviceVulkan11Features f11{};
  f11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  f11.pNext = &f12;
  f11.storageBuffer16BitAccess = on(shaders::kStorage16);
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &f11;
  features.features.shaderInt16 = on(shaders::kInt16);
  features.features.shaderInt64 = on(shaders::kInt64);
  features.features.shaderFloat64 = on(shaders::kFloat64);
  std::vector<float> priorities(physical_.queue_count, 1.0f);
  VkDeviceQueueCreateInfo queue{};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = physical_.queue_family;
  queue.queueCount = physical_.queue_count;
  queue.pQueuePriorities = priorities.data();
  const char* extension = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = &features;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = physical_.host_import ? 1 : 0;
  info.ppEnabledExtensionNames = &extension;
  Check(api_.CreateDevice(physical_.handle, &info, nullptr, &device_), "vkCreateDevice");
#define F(name) api_.name = reinterpret_cast<PFN_vk##name>(api_.GetDeviceProcAddr(device_, "vk" #name));
  BRAID_VULKAN_DEVICE_FUNCTIONS(F)
#undef F
  if (physical_.host_import)
    api_.GetMemoryHostPointerPropertiesEXT = reinterpret_cast<PFN_vkGetMemoryHostPointerPropertiesEXT>(
        api_.GetDeviceProcAddr(device_, "vkGetMemoryHostPointerPropertiesEXT"));

  pipeline_cache_key_ =
      "pipelines/" +
      std::string(reinterpret_cast<const char*>(physical_.properties.pipelineCacheUUID), VK_UUID_SIZE) +
      physical_.driver;
  VkPipelineCacheCreateInfo cache{};
  cache.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  const braid_host* raw = host().raw();
  braid_bytes stored{};
  void* token = nullptr;
  if (raw->cache_get != nullptr &&
      raw->cache_get(raw, {pipeline_cache_key_.data(), pipeline_cache_key_.size()}, &stored, &token) ==
          BRAID_OK) {
    cache.initialDataSize = stored.len;
    cache.pInitialData = stored.ptr;
  }
  VkResult made = api_.CreatePipelineCache(device_, &cache, nullptr, &pipeline_cache_);
  if (token != nullptr) raw->cache_release(raw, token);
  Check(made, "vkCreatePipelineCache");

  memory_ = std::make_unique<Memory>(api_, device_, physical_);
  dummy_ = std::make_unique<DeviceBytes>(memory_.get(), 256, false);
  for (uint32_t i = 0; i < physical_.queue_count; ++i) {
    VkQueue handle = VK_NULL_HANDLE;
    api_.GetDeviceQueue(device_, physical_.queue_family, i, &handle);
    hardware_.push_back(std::make_unique<HardwareQueue>(host(), api_, device_, handle, lose_after));
  }
  // Two at least: work of one may wait for the host while the other goes on, also where the hardware has one.
  for (uint32_t i = 0; i < std::max(2u, physical_.queue_count); ++i)
    queues_.push_back(std::make_unique<Queue>(host(), hardware_[i % hardware_.size()].get()));
  may_be_lost_ = lose_after != 0;
  if (!may_be_lost_) CalibrateClock();
}

VulkanDevice::~VulkanDevice() {
  queues_.clear();
  for (auto& hardware : hardware_) hardware->Drain();
  hardware_.clear();
  api_.DeviceWaitIdle(device_);
  for (const Commands& commands : spare_commands_) DestroyCommands(commands);
  const braid_host* raw = host().raw();
  size_t bytes = 0;
  if (pipelines_made_ > 0 && raw->cache_put != nullptr &&
      api_.GetPipelineCacheData(device_, pipeline_cache_, &bytes, nullptr) == VK_SUCCESS && bytes > 64) {
    std::vector<uint8_t> data(bytes);
    if (api_.GetPipelineCacheData(device_, pipeline_cache_, &bytes, data.data()) == VK_SUCCESS)
      raw->cache_put(raw, {pipeline_cache_key_.data(), pipeline_cache_key_.size()}, {data.data(), bytes});
  }
  for (auto& [key, pipeline] : pipelines_) api_.DestroyPipeline(device_, pipeline.pipeline, nullptr);
  for (auto& [bindings, layout] : layouts_) {
    api_.DestroyPipelineLayout(device_, layout.second, nullptr);
    api_.DestroyDescriptorSetLayout(device_, layout.first, nullptr);
  }
  api_.DestroyPipelineCache(device_, pipeline_cache_, nullptr);
  dummy_.reset();
  memory_.reset();
  api_.DestroyDevice(device_, nullptr);
}

uint64_t VulkanDevice::alignment() const {
  const auto& limits = physical_.properties.limits;
  return std::max<uint64_t>(
      {16, limits.minStorageBufferOffsetAlignment, limits.minTexelBufferOffsetAlignment});
}

Queue& VulkanDevice::queue(uint32_t index) {
  if (index >= queues_.size())
    throw kit::Error(BRAID_INVALID_ARGUMENT, "queue " + std::to_string(index) + " of a device with " +
                                                 std::to_string(queues_.size()));
  return *queues_[index];
}

// ---- Pipelines

VkDescriptorType DescriptorType(const shaders::Shader& shader, uint32_t binding) {
  return (shader.texels() >> binding & 1) != 0 ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                               : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

Pipeline VulkanDevice::GetPipeline(const shaders::Shader& shader, uint32_t bindings,
                                   const std::vector<uint32_t>& constants) {
  std::lock_guard lock(pipelines_mutex_);
  auto key = std::make_pair(shader.name, constants);
  if (auto it = pipelines_.find(key); it != pipelines_.end()) return it->second;
  auto& [set_layout, layout] = layouts_[{bindings, shader.texels()}];
  if (layout == VK_NULL_HANDLE) {
    std::vector<VkDescriptorSetLayoutBinding> slots(bindings);
    for (uint32_t i = 0; i < bindings; ++i)
      slots[i] = {i, DescriptorType(shader, i), 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
    VkDescriptorSetLayoutCreateInfo set{};
    set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
    set.bindingCount = bindings;
    set.pBindings = slots.data();
    if (set_layout == VK_NULL_HANDLE)
      Check(api_.CreateDescriptorSetLayout(device_, &set, nullptr, &set_layout),
            "vkCreateDescriptorSetLayout");
    VkPushConstantRange push{VK_SHADER_STAGE_COMPUTE_BIT, 0, kPushBytes};
    VkPipelineLayoutCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
    info.setLayoutCount = 1;
    info.pSetLayouts = &set_layout;
    info.pushConstantRangeCount = 1;
    info.pPushConstantRanges = &push;
    Check(api_.CreatePipelineLayout(device_, &info, nullptr, &layout), "vkCreatePipelineLayout");
  }
  VkShaderModuleCreateInfo code{};
  code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  code.codeSize = shader.code.size_bytes();
  code.pCode = shader.code.data();
  VkShaderModule module = VK_NULL_HANDLE;
  Check(api_.CreateShaderModule(device_, &code, nullptr, &module), "vkCreateShaderModule");
  std::vector<VkSpecializationMapEntry> entries(constants.size());
  for (uint32_t i = 0; i < entries.size(); ++i) entries[i] = {i, i * 4, 4};
  VkSpecializationInfo special{static_cast<uint32_t>(entries.size()), entries.data(), constants.size() * 4,
                               constants.data()};
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &special;
  info.layout = layout;
  Pipeline pipeline{VK_NULL_HANDLE, layout, set_layout};
  VkResult result =
      api_.CreateComputePipelines(device_, pipeline_cache_, 1, &info, nullptr, &pipeline.pipeline);
  api_.DestroyShaderModule(device_, module, nullptr);
  Check(result, "vkCreateComputePipelines");
  ++pipelines_made_;
  pipelines_.emplace(std::move(key), pipeline);
  return pipeline;
}

// ---- Constants

std::shared_ptr<DeviceBytes> VulkanDevice::Constant(uint64_t key, const std::string& form, uint64_t bytes,
                                                    const std::function<void(uint8_t*)>& fill) {
  // Held while the bytes are made: another compilation that wants the same ones waits for them.
  std::lock_guard lock(constants_mutex_);
  if (key != 0)
    if (auto it = constants_.find({key, form}); it != constants_.end())
      if (auto held = it->second.lock()) return held;
  auto made = std::make_shared<DeviceBytes>(memory_.get(), bytes, false);
  if (uint8_t* mapped = made->piece().mapped()) {
    fill(mapped);
  } else if (bytes > 0) {
    DeviceBytes staging(memory_.get(), bytes, true);
    fill(staging.piece().mapped());
    CopyNow(staging.piece(), 0, made->piece(), 0, bytes);
  }
  if (key != 0) {
    std::erase_if(constants_, [](const auto& entry) { return entry.second.expired(); });
    constants_[{key, form}] = made;
  }
  return made;
}

// ---- Commands

Commands VulkanDevice::TakeCommands() {
  {
    std::lock_guard lock(commands_mutex_);
    if (!spare_commands_.empty()) {
      Commands commands = spare_commands_.back();
      spare_commands_.pop_back();
      return commands;
    }
  }
  Commands commands;
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.queueFamilyIndex = physical_.queue_family;
  Check(api_.CreateCommandPool(device_, &pool, nullptr, &commands.pool), "vkCreateCommandPool");
  VkCommandBufferAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocate.commandPool = commands.pool;
  allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocate.commandBufferCount = 1;
  VkResult result = api_.AllocateCommandBuffers(device_, &allocate, &commands.buffer);
  if (result != VK_SUCCESS) DestroyCommands(commands);
  Check(result, "vkAllocateCommandBuffers");
  return commands;
}

void VulkanDevice::ReturnCommands(const Commands& commands) {
  std::lock_guard lock(commands_mutex_);
  spare_commands_.push_back(commands);
}

void VulkanDevice::DestroyCommands(const Commands& commands) {
  api_.DestroyCommandPool(device_, commands.pool, nullptr);
}

void VulkanDevice::Begin(const Commands& commands, bool once) {
  Check(api_.ResetCommandPool(device_, commands.pool, 0), "vkResetCommandPool");
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = once ? VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT : 0;
  Check(api_.BeginCommandBuffer(commands.buffer, &begin), "vkBeginCommandBuffer");
}

void VulkanDevice::BarrierAll(VkCommandBuffer commands) {
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask =
      VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                          VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                          VK_ACCESS_HOST_READ_BIT;
  constexpr VkPipelineStageFlags kStages =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT;
  api_.CmdPipelineBarrier(commands, kStages, kStages, 0, 1, &barrier, 0, nullptr, 0, nullptr);
}

void VulkanDevice::CopyNow(const Piece& from, uint64_t from_offset, const Piece& to, uint64_t to_offset,
                           uint64_t bytes) {
  // The last queue: the one least likely to be busy.
  EventPtr event = queues_.back()->PushCommands({}, 0, [&]() -> HardwareQueue::Job {
    Commands commands = TakeCommands();
    Begin(commands, true);
    BarrierAll(commands.buffer);
    VkBufferCopy region{from.offset + from_offset, to.offset + to_offset, bytes};
    api_.CmdCopyBuffer(commands.buffer, from.buffer(), to.buffer(), 1, &region);
    BarrierAll(commands.buffer);
    Check(api_.EndCommandBuffer(commands.buffer), "vkEndCommandBuffer");
    return {commands.buffer, nullptr, [this, commands](uint64_t*, uint64_t*) { ReturnCommands(commands); },
            0};
  });
  if (braid_status status = event->Wait(UINT64_MAX); status != BRAID_OK)
    throw kit::Error(status, event->text());
}

// ---- Clocks

uint64_t VulkanDevice::HostTime(uint64_t ticks) const {
  double ns = static_cast<double>(ticks) * static_cast<double>(physical_.properties.limits.timestampPeriod);
  return static_cast<uint64_t>(static_cast<int64_t>(ns) + clock_offset_ns_);
}

void VulkanDevice::CalibrateClock() {
  if (physical_.timestamp_bits == 0) return;
  VkQueryPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = 1;
  VkQueryPool pool = VK_NULL_HANDLE;
  Check(api_.CreateQueryPool(device_, &info, nullptr, &pool), "vkCreateQueryPool");
  // Of several tries the quickest is the most exact: the stamp lies between the two readings of the host's
  // clock.
  uint64_t shortest = UINT64_MAX;
  for (int i = 0; i < 4; ++i) {
    uint64_t before = host().Now();
    EventPtr event = queues_[0]->PushCommands({}, 0, [&]() -> HardwareQueue::Job {
      Commands commands = TakeCommands();
      Begin(commands, true);
      api_.CmdResetQueryPool(commands.buffer, pool, 0, 1);
      api_.CmdWriteTimestamp(commands.buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, 0);
      Check(api_.EndCommandBuffer(commands.buffer), "vkEndCommandBuffer");
      return {commands.buffer, nullptr, [this, commands](uint64_t*, uint64_t*) { ReturnCommands(commands); },
              0};
    });
    if (event->Wait(UINT64_MAX) != BRAID_OK) break;
    uint64_t after = host().Now(), ticks = 0;
    if (api_.GetQueryPoolResults(device_, pool, 0, 1, sizeof ticks, &ticks, sizeof ticks,
                                 VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
      break;
    if (after - before >= shortest) continue;
    shortest = after - before;
    double ns = static_cast<double>(ticks) * static_cast<double>(physical_.properties.limits.timestampPeriod);
    clock_offset_ns_ = static_cast<int64_t>(before + shortest / 2) - static_cast<int64_t>(ns);
  }
  api_.DestroyQueryPool(device_, pool, nullptr);
}

// ---- Buffers and transfers

braid_buffer* VulkanDevice::BufferAlloc(const braid_buffer_desc& desc) {
  if (desc.exports != 0) throw kit::Error(BRAID_UNSUPPORTED, "this device exports no memory");
  if ((desc.alignment & (desc.alignment - 1)) != 0)
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "an alignment of " + std::to_string(desc.alignment) + " is no power of two");
  if (desc.alignment > 256)
    throw kit::Error(BRAID_UNSUPPORTED,
                     "buffers are aligned to 256 bytes, " + std::to_string(desc.alignment) + " are wanted");
  auto buffer = std::make_unique<Buffer>();
  buffer->mappable = (desc.flags & BRAID_BUFFER_MAPPABLE) != 0;
  buffer->bytes = desc.bytes;
  buffer->piece = memory_->Allocate(desc.bytes, buffer->mappable);
  return reinterpret_cast<braid_buffer*>(buffer.release());
}

braid_buffer* VulkanDevice::BufferImport(const braid_handle& handle) {
  if (handle.kind != BRAID_HANDLE_HOST_POINTER)
    throw kit::Error(BRAID_UNSUPPORTED, "only host memory can be imported");
  auto buffer = std::make_unique<Buffer>();
  buffer->bytes = handle.bytes;
  buffer->mappable = true;
  buffer->piece = memory_->Import(static_cast<uint8_t*>(handle.pointer) + handle.offset, handle.bytes);
  return reinterpret_cast<braid_buffer*>(buffer.release());
}

void VulkanDevice::BufferFree(braid_buffer* buffer) {
  std::unique_ptr<Buffer> owned(BufferOf(buffer));
  if (owned) memory_->Free(owned->piece);
}

void VulkanDevice::CheckRange(const Buffer& buffer, uint64_t offset, uint64_t bytes, const char* what) const {
  if (offset > buffer.bytes || bytes > buffer.bytes - offset)
    throw kit::Error(BRAID_INVALID_ARGUMENT, std::string(what) + ": " + std::to_string(bytes) + " bytes at " +
                                                 std::to_string(offset) + " lie beyond a buffer of " +
                                                 std::to_string(buffer.bytes));
}

void* VulkanDevice::Map(braid_buffer* buffer, uint64_t offset, uint64_t bytes) {
  Buffer* b = BufferOf(buffer);
  if (!b->mappable) throw kit::Error(BRAID_INVALID_ARGUMENT, "map: the buffer was not made mappable");
  CheckRange(*b, offset, bytes, "map");
  return b->piece.mapped() + offset;
}

kit::Fence* VulkanDevice::Transfer(const braid_transfer& t) {
  bool write = t.kind == BRAID_TRANSFER_WRITE, read = t.kind == BRAID_TRANSFER_READ;
  if (!write && !read && t.kind != BRAID_TRANSFER_COPY)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "transfer: unknown kind " + std::to_string(t.kind));
  if ((!read && t.to == nullptr) || (!write && t.from == nullptr) ||
      (t.kind != BRAID_TRANSFER_COPY && t.host == nullptr && t.bytes > 0))
    throw kit::Error(BRAID_INVALID_ARGUMENT, "transfer: an end is missing");
  if (t.from_device != nullptr && kit::Unwrap(t.from_device) != this)
    throw kit::Error(BRAID_UNSUPPORTED, "transfer: no direct copy from another device");
  Buffer to = read ? Buffer{} : *BufferOf(t.to), from = write ? Buffer{} : *BufferOf(t.from);
  if (!read) CheckRange(to, t.to_offset, t.bytes, "transfer to");
  if (!write) CheckRange(from, t.from_offset, t.bytes, "transfer from");
  std::vector<EventPtr> waits = kit::EventsOf(t.waits, t.wait_count);
  Queue& queue = this->queue(t.queue);
  bool timed = (t.flags & BRAID_SUBMIT_TIMED) != 0;
  uint8_t* host = static_cast<uint8_t*>(t.host);
  uint64_t bytes = t.bytes, to_offset = t.to_offset, from_offset = t.from_offset;
  EventPtr event;
  if (bytes == 0) {
    event = queue.PushHost(std::move(waits), 0, timed, [] {});
  } else if (write && to.piece.mapped() != nullptr) {
    event = queue.PushHost(std::move(waits), 0, timed,
                           [=] { std::memcpy(to.piece.mapped() + to_offset, host, bytes); });
  } else if (read && from.piece.mapped() != nullptr) {
    event = queue.PushHost(std::move(waits), 0, timed,
                           [=] { std::memcpy(host, from.piece.mapped() + from_offset, bytes); });
  } else {
    event = queue.PushCommands(std::move(waits), 0, [=, this]() -> HardwareQueue::Job {
      std::shared_ptr<DeviceBytes> staging;
      if (write || read) staging = std::make_shared<DeviceBytes>(memory_.get(), bytes, true);
      if (write) std::memcpy(staging->piece().mapped(), host, bytes);
      const Piece& source = write ? staging->piece() : from.piece;
      const Piece& target = read ? staging->piece() : to.piece;
      VkBufferCopy region{source.offset + (write ? 0 : from_offset), target.offset + (read ? 0 : to_offset),
                          bytes};
      Commands commands = TakeCommands();
      Begin(commands, true);
      BarrierAll(commands.buffer);
      api_.CmdCopyBuffer(commands.buffer, source.buffer(), target.buffer(), 1, &region);
      BarrierAll(commands.buffer);
      Check(api_.EndCommandBuffer(commands.buffer), "vkEndCommandBuffer");
      return {commands.buffer, nullptr,
              [=, this](uint64_t*, uint64_t* end) {
                if (read) std::memcpy(host, staging->piece().mapped(), bytes);
                *end = 0;
                ReturnCommands(commands);
              },
              0};
    });
  }
  return new kit::EventFence(std::move(event));
}

// ---- The rest

braid_status VulkanDevice::Health(braid_health* health) {
  for (auto& hardware : hardware_)
    if (hardware->lost()) return BRAID_DEVICE_LOST;
  health->memory_free = memory_->total() > memory_->used() ? memory_->total() - memory_->used() : 0;
  return BRAID_OK;
}

void VulkanDevice::Link(const braid_device_info& peer, braid_link* link) {
  if (std::memcmp(peer.uuid, physical_.uuid, 16) == 0) {
    link->kind = BRAID_LINK_HOST;
    link->latency_ns = 5'000;
    link->bytes_per_second = 10'000'000'000;
    return;
  }
  bool integrated =
      physical_.cpu() || physical_.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
  link->kind = BRAID_LINK_HOST;
  link->latency_ns = integrated ? 5'000 : 20'000;
  link->bytes_per_second = integrated ? 8'000'000'000 : 6'000'000'000;
}

void VulkanDevice::Query(const braid_graph* graph, const braid_compile_options&,
                         std::vector<braid_verdict>& verdicts) {
  Lowering lowering(*this, graph);
  for (uint32_t i = 0; i < graph->node_count; ++i) lowering.Judge(i, &verdicts[i]);
}

bool VulkanDevice::Estimate(const braid_graph* graph, const braid_compile_options&, const uint32_t* nodes,
                            const uint32_t* ends, std::vector<braid_cost>& costs) {
  // A roofline of each dispatch. A device that is to be lost after some submits is not measured: that takes
  // some.
  Speed speed = may_be_lost_ ? GuessSpeed(*this) : MeasuredSpeed(*this);
  Lowering lowering(*this, graph);
  uint32_t first = 0;
  for (size_t k = 0; k < costs.size(); ++k) {
    double ns = speed.submit_ns;
    uint64_t moved = 0, resident = 0, largest = 0;
    for (uint32_t i = first; i < ends[k]; ++i) {
      NodeCost cost = lowering.Price(nodes[i]);
      for (const NodeCost::Step& step : cost.steps) {
        double bytes_per_second = step.transfer ? speed.copy_bytes_per_second : speed.bytes_per_second;
        ns += speed.dispatch_ns +
              std::max(step.work / speed.flops, static_cast<double>(step.bytes) / bytes_per_second) * 1e9;
        moved += step.bytes;
      }
      resident += cost.constants;
      largest = std::max(largest, cost.temporaries);
    }
    first = ends[k];
    costs[k].confidence = BRAID_MODELLED;
    costs[k].time_ns = static_cast<uint64_t>(ns);
    costs[k].energy_uj = 0;
    costs[k].bytes_moved = moved;
    costs[k].workspace = largest;
    costs[k].resident = resident;
  }
  return true;
}

std::unique_ptr<kit::Executable> VulkanDevice::Compile(const braid_graph* graph,
                                                       const braid_compile_options& options) {
  for (uint32_t i = 0; i < options.option_count; ++i)
    if (std::string key(kit::View(options.options[i].key)); key != "lose_after")  // for open, given here too
      throw kit::Error(BRAID_INVALID_ARGUMENT, "unknown option '" + key + "'; known: lose_after");
  Lowering lowering(*this, graph);
  return std::make_unique<VulkanExecutable>(*this, lowering.Compile(options.memory_limit));
}

}  // namespace braid::vulkan
