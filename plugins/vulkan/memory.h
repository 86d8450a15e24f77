// SPDX-License-Identifier: Apache-2.0
//
// Device memory: blocks of 64 MiB with one VkBuffer each, cut into pieces, first fit. Large pieces get a
// block of their own.
#ifndef BRAID_PLUGINS_VULKAN_MEMORY_H_
#define BRAID_PLUGINS_VULKAN_MEMORY_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "plugins/vulkan/api.h"

namespace braid::vulkan {

struct Block {
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkBuffer buffer = VK_NULL_HANDLE;
  uint64_t bytes = 0;
  uint8_t* mapped = nullptr;
  bool host_visible = false;
  std::map<uint64_t, uint64_t> free;  // offset -> bytes
};

// A piece of device memory: `offset` within the block's VkBuffer.
struct Piece {
  Block* block = nullptr;
  uint64_t offset = 0, bytes = 0;
  VkBuffer buffer() const { return block->buffer; }
  uint8_t* mapped() const { return block->mapped == nullptr ? nullptr : block->mapped + offset; }
};

class Memory {
 public:
  Memory(const Api& api, VkDevice device, const PhysicalDevice& physical);
  ~Memory();
  // At least one byte, aligned to 256. Throws OUT_OF_MEMORY. [any]
  Piece Allocate(uint64_t bytes, bool host_visible);
  void Free(const Piece& piece);
  // Host memory as a block of its own; aligned as the device wants it. [any]
  Piece Import(void* pointer, uint64_t bytes);
  uint64_t total() const { return total_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::unique_ptr<Block> NewBlock(uint64_t bytes, bool host_visible);
  int32_t TypeFor(uint32_t allowed, bool host_visible) const;
  void Destroy(Block& block);
  const Api& api_;
  VkDevice device_;
  const PhysicalDevice& physical_;
  uint64_t total_ = 0;
  std::atomic<uint64_t> used_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_MEMORY_H_
