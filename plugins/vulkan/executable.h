// SPDX-License-Identifier: Apache-2.0
//
// A compiled segment. The commands of a run are recorded once for a set of bindings and submitted again while
// the same bindings recur; a recording that is in flight is not touched, so runs in flight together have one
// each.
#ifndef BRAID_PLUGINS_VULKAN_EXECUTABLE_H_
#define BRAID_PLUGINS_VULKAN_EXECUTABLE_H_

#include <list>
#include <mutex>
#include <unordered_map>

#include "plugins/vulkan/program.h"

namespace braid::vulkan {

class VulkanExecutable : public kit::Executable {
 public:
  VulkanExecutable(VulkanDevice& device, Program program);
  ~VulkanExecutable() override;
  void IoRequirements(uint32_t value, braid_io_requirements* out) override;
  braid_status OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) override;
  uint64_t WorkspaceSize(kit::StructArray<braid_binding>) override { return program_.workspace; }
  kit::Fence* Submit(const braid_submit& submit) override;

 private:
  // Where a storage is bound in one run.
  struct Place {
    VkBuffer buffer = VK_NULL_HANDLE;
    uint64_t offset = 0;
    bool operator==(const Place& o) const { return buffer == o.buffer && offset == o.offset; }
  };
  struct Recording {
    std::vector<Place> bindings;  // inputs, outputs, workspace: what it was recorded for
    bool timed = false, recorded = false, in_flight = false;
    Commands commands;
    VkDescriptorPool pool = VK_NULL_HANDLE;
    std::vector<VkDescriptorSet> sets;  // one a dispatch
    std::vector<VkBufferView> views;    // of the texel buffers
    VkQueryPool queries = VK_NULL_HANDLE;
  };
  Recording* Take(const std::vector<Place>& bindings, bool timed);
  void Record(Recording& recording);
  void Prepare(Recording& recording);
  void Drop(Recording& recording);
  void DropViews(Recording& recording);
  void AddView(Recording& recording, VkFormat format, const VkDescriptorBufferInfo& range);
  VulkanDevice& device_;
  Program program_;
  std::vector<Pipeline> pipelines_;                // by step; empty for copies
  std::unordered_map<uint32_t, size_t> position_;  // of an input or output value among the bindings
  std::mutex mutex_;
  std::list<Recording> recordings_;
};

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_EXECUTABLE_H_
