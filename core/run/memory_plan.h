// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_RUN_MEMORY_PLAN_H_
#define BRAID_CORE_RUN_MEMORY_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace braid {

// A block of memory that is alive from step `first` to step `last`, both included.
struct Lifetime {
  uint64_t bytes = 0;
  uint32_t first = 0, last = 0;
};

// Blocks share memory where their lifetimes do not overlap. An arena is split in chunks where a device limits
// the size of a buffer.
struct MemoryPlan {
  struct Place {
    uint32_t chunk = 0;
    uint64_t offset = 0;
  };
  std::vector<Place> places;     // of each block
  std::vector<uint64_t> chunks;  // bytes of each
};

// Greedy by size, first gap that fits. Offsets are multiples of `alignment` (a power of two). A block that is
// larger than max_chunk gets a chunk of its own; the device then says what it thinks of it.
MemoryPlan PlanMemory(absl::Span<const Lifetime> blocks, uint64_t alignment, uint64_t max_chunk);

}  // namespace braid

#endif  // BRAID_CORE_RUN_MEMORY_PLAN_H_
