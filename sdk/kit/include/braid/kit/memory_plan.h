// SPDX-License-Identifier: Apache-2.0
//
// Where the inner values of a segment lie in its workspace: values that do not live at the same time share
// memory.
//
//   kit::WorkspacePlanner planner(alignment);
//   planner.Make(value, bytes, step);   // for each inner value: the step that writes it
//   planner.Use(value, step);           // and each that reads it
//   kit::Workspace workspace = planner.Plan();
//   workspace.bytes                     // what workspace_size answers
//   workspace.offsets.at(value)         // from the start of the workspace
#ifndef BRAID_KIT_MEMORY_PLAN_H_
#define BRAID_KIT_MEMORY_PLAN_H_

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace braid::kit {

// Memory that is in use from step `first` to step `last`, both included.
struct Interval {
  uint64_t bytes = 0;
  uint32_t first = 0, last = 0;
};

struct Placement {
  std::vector<uint64_t> offsets;  // of each interval
  uint64_t bytes = 0;             // of the whole
};

// Greedy: the largest first, each into the lowest gap. Offsets are multiples of `alignment` (a power of two).
// Throws kit::Error(OUT_OF_MEMORY) where the sum is beyond 64 bits.
Placement PlaceIntervals(std::span<const Interval> intervals, uint64_t alignment);

struct Workspace {
  std::map<uint32_t, uint64_t> offsets;  // by value
  uint64_t bytes = 0;
};

class WorkspacePlanner {
 public:
  explicit WorkspacePlanner(uint64_t alignment) : alignment_(alignment) {}
  // A value lives from the step that makes it to the last that uses it.
  void Make(uint32_t value, uint64_t bytes, uint32_t step) { intervals_[value] = {bytes, step, step}; }
  // A value that was not made here (an input, a constant) is left alone.
  void Use(uint32_t value, uint32_t step);
  Workspace Plan() const;

 private:
  uint64_t alignment_;
  std::map<uint32_t, Interval> intervals_;
};

}  // namespace braid::kit

#endif  // BRAID_KIT_MEMORY_PLAN_H_
