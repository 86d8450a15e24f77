// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/memory_plan.h>
#include <braid/kit/plugin.h>

#include <algorithm>
#include <numeric>

namespace braid::kit {
namespace {

uint64_t Sum(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    throw Error(BRAID_OUT_OF_MEMORY, "a workspace beyond 64 bits is needed");
  return sum;
}

bool AtOnce(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

Placement PlaceIntervals(std::span<const Interval> intervals, uint64_t alignment) {
  const auto rounded = [&](uint64_t bytes) { return Sum(bytes, alignment - 1) & ~(alignment - 1); };
  Placement placement;
  placement.offsets.resize(intervals.size());
  std::vector<size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return intervals[a].bytes > intervals[b].bytes; });
  std::vector<size_t> placed;  // by offset
  for (const size_t mine : order) {
    const uint64_t bytes = rounded(intervals[mine].bytes);
    uint64_t at = 0;
    for (const size_t other : placed) {
      if (!AtOnce(intervals[mine], intervals[other])) continue;
      if (placement.offsets[other] >= Sum(at, bytes)) break;  // the gap before it is large enough
      at = std::max(at, placement.offsets[other] + rounded(intervals[other].bytes));
    }
    placement.offsets[mine] = at;
    placement.bytes = std::max(placement.bytes, Sum(at, bytes));
    const auto later = [&](uint64_t offset, size_t other) { return offset < placement.offsets[other]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at, later), mine);
  }
  return placement;
}

void WorkspacePlanner::Use(uint32_t value, uint32_t step) {
  const auto found = intervals_.find(value);
  if (found != intervals_.end()) found->second.last = std::max(found->second.last, step);
}

Workspace WorkspacePlanner::Plan() const {
  std::vector<Interval> intervals;
  for (const auto& [value, interval] : intervals_) intervals.push_back(interval);
  const Placement placement = PlaceIntervals(intervals, alignment_);
  Workspace workspace;
  workspace.bytes = placement.bytes;
  size_t i = 0;
  for (const auto& [value, interval] : intervals_) workspace.offsets[value] = placement.offsets[i++];
  return workspace;
}

}  // namespace braid::kit
