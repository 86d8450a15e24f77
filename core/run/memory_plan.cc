// SPDX-License-Identifier: Apache-2.0
#include "core/run/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace braid {

MemoryPlan PlanMemory(absl::Span<const Lifetime> blocks, uint64_t alignment, uint64_t max_chunk) {
  MemoryPlan plan;
  plan.places.resize(blocks.size());
  auto rounded = [&](uint64_t bytes) {
    return (std::max<uint64_t>(bytes, 1) + alignment - 1) & ~(alignment - 1);
  };
  std::vector<uint32_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<std::vector<uint32_t>> placed;  // of each chunk, by offset
  for (uint32_t b : order) {
    uint64_t bytes = rounded(blocks[b].bytes);
    bool done = false;
    for (uint32_t c = 0; c < placed.size() && !done; ++c) {
      // The lowest gap between blocks that live at the same time.
      uint64_t at = 0;
      for (uint32_t other : placed[c]) {
        if (blocks[other].last < blocks[b].first || blocks[b].last < blocks[other].first) continue;
        if (plan.places[other].offset >= at + bytes) break;
        at = std::max(at, plan.places[other].offset + rounded(blocks[other].bytes));
      }
      if (at + bytes > std::max(max_chunk, plan.chunks[c])) continue;
      plan.places[b] = {c, at};
      plan.chunks[c] = std::max(plan.chunks[c], at + bytes);
      auto& list = placed[c];
      list.insert(std::upper_bound(
                      list.begin(), list.end(), at,
                      [&](uint64_t offset, uint32_t other) { return offset < plan.places[other].offset; }),
                  b);
      done = true;
    }
    if (done) continue;
    plan.places[b] = {static_cast<uint32_t>(placed.size()), 0};
    plan.chunks.push_back(bytes);
    placed.push_back({b});
  }
  return plan;
}

}  // namespace braid
