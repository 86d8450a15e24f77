// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/memory.h"

#include <algorithm>

namespace braid::vulkan {
namespace {

constexpr uint64_t kBlock = uint64_t{64} << 20;
constexpr uint64_t kAlignment = 256;  // no device asks more of a storage buffer's offset
constexpr VkBufferUsageFlags kUsage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                      VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;

uint64_t RoundUp(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

}  // namespace

Memory::Memory(const Api& api, VkDevice device, const PhysicalDevice& physical)
    : api_(api), device_(device), physical_(physical) {
  for (uint32_t i = 0; i < physical.memory.memoryHeapCount; ++i)
    if (physical.memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      total_ = std::max(total_, physical.memory.memoryHeaps[i].size);
  if (total_ == 0 && physical.memory.memoryHeapCount > 0) total_ = physical.memory.memoryHeaps[0].size;
}

Memory::~Memory() {
  for (auto& block : blocks_) Destroy(*block);
}

int32_t Memory::TypeFor(uint32_t allowed, bool host_visible) const {
  constexpr VkMemoryPropertyFlags kHost =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  int32_t best = -1;
  int best_score = -1;
  for (uint32_t i = 0; i < physical_.memory.memoryTypeCount; ++i) {
    VkMemoryPropertyFlags flags = physical_.memory.memoryTypes[i].propertyFlags;
    if ((allowed & (1u << i)) == 0 || (host_visible && (flags & kHost) != kHost)) continue;
    // Host memory: cached, as results are read from it. Else the device's own.
    int score = (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT ? (host_visible ? 1 : 2) : 0) +
                (host_visible && (flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT) ? 2 : 0);
    if (score > best_score) {
      best_score = score;
      best = static_cast<int32_t>(i);
    }
  }
  return best;
}

std::unique_ptr<Block> Memory::NewBlock(uint64_t bytes, bool host_visible) {
  auto block = std::make_unique<Block>();
  block->bytes = bytes;
  try {
    VkBufferCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
    info.size = bytes;
    info.usage = kUsage;
    Check(api_.CreateBuffer(device_, &info, nullptr, &block->buffer), "vkCreateBuffer");
    VkMemoryRequirements need{};
    api_.GetBufferMemoryRequirements(device_, block->buffer, &need);
    int32_t type = TypeFor(need.memoryTypeBits, host_visible);
    if (type < 0) throw kit::Error(BRAID_OUT_OF_MEMORY, "the device has no memory of the kind wanted");
    if (used() + need.size > total_)
      throw kit::Error(BRAID_OUT_OF_MEMORY, "the device has " + std::to_string(total_) + " bytes, " +
                                                std::to_string(used()) + " in use; " + std::to_string(bytes) +
                                                " more do not fit");
    VkMemoryAllocateInfo allocate{};
    allocate.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
    allocate.allocationSize = need.size;
    allocate.memoryTypeIndex = static_cast<uint32_t>(type);
    Check(api_.AllocateMemory(device_, &allocate, nullptr, &block->memory), "vkAllocateMemory");
    Check(api_.BindBufferMemory(device_, block->buffer, block->memory, 0), "vkBindBufferMemory");
    auto flags = physical_.memory.memoryTypes[type].propertyFlags;
    block->host_visible = (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0 &&
                          (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    if (block->host_visible) {
      void* mapped = nullptr;
      Check(api_.MapMemory(device_, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
      block->mapped = static_cast<uint8_t*>(mapped);
    }
  } catch (...) {
    Destroy(*block);
    throw;
  }
  used_ += bytes;
  return block;
}

void Memory::Destroy(Block& block) {
  if (block.buffer != VK_NULL_HANDLE) api_.DestroyBuffer(device_, block.buffer, nullptr);
  if (block.memory != VK_NULL_HANDLE) api_.FreeMemory(device_, block.memory, nullptr);
}

Piece Memory::Allocate(uint64_t bytes, bool host_visible) {
  if (bytes > total_)
    throw kit::Error(BRAID_OUT_OF_MEMORY, std::to_string(bytes) + " bytes are more than the device has (" +
                                              std::to_string(total_) + ")");
  uint64_t size = RoundUp(std::max<uint64_t>(bytes, 1), kAlignment);
  std::lock_guard lock(mutex_);
  if (size < kBlock / 2) {
    for (auto& block : blocks_) {
      if (host_visible && !block->host_visible) continue;
      for (auto it = block->free.begin(); it != block->free.end(); ++it) {
        if (it->second < size) continue;
        Piece piece{block.get(), it->first, size};
        uint64_t rest = it->second - size;
        block->free.erase(it);
        if (rest > 0) block->free[piece.offset + size] = rest;
        return piece;
      }
    }
  }
  bool own = size >= kBlock / 2;
  blocks_.push_back(NewBlock(own ? size : kBlock, host_visible));
  Block* block = blocks_.back().get();
  if (!own) block->free[size] = kBlock - size;
  return {block, 0, size};
}

void Memory::Free(const Piece& piece) {
  std::lock_guard lock(mutex_);
  Block& block = *piece.block;
  auto it = block.free.emplace(piece.offset, piece.bytes).first;
  if (auto next = std::next(it); next != block.free.end() && it->first + it->second == next->first) {
    it->second += next->second;
    block.free.erase(next);
  }
  if (it != block.free.begin()) {
    auto previous = std::prev(it);
    if (previous->first + previous->second == it->first) {
      previous->second += it->second;
      block.free.erase(it);
      it = previous;
    }
  }
  if (it->second < block.bytes) return;
  // The block is empty: it goes, unless it is the last ordinary one.
  size_t ordinary = 0;
  for (auto& b : blocks_) ordinary += b->bytes == kBlock ? 1 : 0;
  if (block.bytes == kBlock && ordinary <= 1) return;
  used_ -= block.bytes;
  Destroy(block);
  std::erase_if(blocks_, [&](const auto& b) { return b.get() == &block; });
}

Piece Memory::Import(void* pointer, uint64_t bytes) {
  if (api_.GetMemoryHostPointerPropertiesEXT == nullptr)
    throw kit::Error(BRAID_UNSUPPORTED, "this device imports no host memory");
  uint64_t alignment = physical_.import_alignment;
  if (bytes == 0 || reinterpret_cast<uintptr_t>(pointer) % alignment != 0 || bytes % alignment != 0)
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "host memory to import must be aligned to " + std::to_string(alignment) + " bytes");
  auto block = std::make_unique<Block>();
  block->bytes = bytes;
  try {
    constexpr auto kHandle = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    VkMemoryHostPointerPropertiesEXT properties{};
    properties.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT;
    Check(api_.GetMemoryHostPointerPropertiesEXT(device_, kHandle, pointer, &properties),
          "vkGetMemoryHostPointerPropertiesEXT");
    VkExternalMemoryBufferCreateInfo external{};
    external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
    external.handleTypes = kHandle;
    VkBufferCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
    info.pNext = &external;
    info.size = bytes;
    info.usage = kUsage;
    Check(api_.CreateBuffer(device_, &info, nullptr, &block->buffer), "vkCreateBuffer");
    VkMemoryRequirements need{};
    api_.GetBufferMemoryRequirements(device_, block->buffer, &need);
    int32_t type = TypeFor(need.memoryTypeBits & properties.memoryTypeBits, true);
    if (type < 0) throw kit::Error(BRAID_UNSUPPORTED, "this host memory cannot be imported");
    VkImportMemoryHostPointerInfoEXT import{};
    import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
    import.handleType = kHandle;
    import.pHostPointer = pointer;
    VkMemoryAllocateInfo allocate{};
    allocate.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
    allocate.pNext = &import;
    allocate.allocationSize = bytes;
    allocate.memoryTypeIndex = static_cast<uint32_t>(type);
    Check(api_.AllocateMemory(device_, &allocate, nullptr, &block->memory), "vkAllocateMemory");
    Check(api_.BindBufferMemory(device_, block->buffer, block->memory, 0), "vkBindBufferMemory");
    block->mapped = static_cast<uint8_t*>(pointer);
    block->host_visible = true;
  } catch (...) {
    Destroy(*block);
    throw;
  }
  std::lock_guard lock(mutex_);
  used_ += bytes;
  blocks_.push_back(std::move(block));
  return {blocks_.back().get(), 0, bytes};
}

}  // namespace braid::vulkan
