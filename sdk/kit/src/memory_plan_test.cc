// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/memory_plan.h>
#include <braid/kit/plugin.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace braid::kit {
namespace {

TEST(MemoryPlanTest, ValuesThatDoNotLiveTogetherShare) {
  // A chain of three: the first value is dead when the third is made.
  const std::vector<Interval> chain = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}};
  const Placement placement = PlaceIntervals(chain, 64);
  EXPECT_EQ(placement.bytes, 256u);
  EXPECT_EQ(placement.offsets, (std::vector<uint64_t>{0, 128, 0}));
}

TEST(MemoryPlanTest, AGapIsFilled) {
  // 256 and 64 live throughout; 128 goes where a dead 128 was, between them.
  const std::vector<Interval> intervals = {{256, 0, 9}, {128, 0, 3}, {64, 0, 9}, {128, 4, 9}};
  const Placement placement = PlaceIntervals(intervals, 64);
  EXPECT_EQ(placement.bytes, 448u);
  EXPECT_EQ(placement.offsets[1], placement.offsets[3]);
}

TEST(MemoryPlanTest, NothingOverlapsAndNothingIsBelowTheLowerBound) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Interval> intervals(1 + random() % 20);
    for (Interval& i : intervals) {
      i.bytes = random() % 1000;
      i.first = random() % 20;
      i.last = i.first + random() % 5;
    }
    const Placement placement = PlaceIntervals(intervals, 32);
    uint64_t sum = 0;
    for (size_t a = 0; a < intervals.size(); ++a) {
      EXPECT_EQ(placement.offsets[a] % 32, 0u);
      EXPECT_LE(placement.offsets[a] + intervals[a].bytes, placement.bytes);
      sum += (intervals[a].bytes + 31) / 32 * 32;
      for (size_t b = 0; b < a; ++b) {
        if (intervals[a].first > intervals[b].last || intervals[b].first > intervals[a].last) continue;
        EXPECT_TRUE(placement.offsets[a] + intervals[a].bytes <= placement.offsets[b] ||
                    placement.offsets[b] + intervals[b].bytes <= placement.offsets[a])
            << "round " << round << ": " << a << " and " << b;
      }
    }
    EXPECT_LE(placement.bytes, sum);
  }
}

TEST(MemoryPlanTest, APlannerKnowsLivesByStepsOfAGraph) {
  WorkspacePlanner planner(16);
  planner.Make(5, 10, 0);
  planner.Use(1, 0);  // an input: no memory of the workspace
  planner.Make(6, 20, 1);
  planner.Use(5, 1);
  planner.Make(7, 30, 2);
  planner.Use(6, 2);
  planner.Use(7, 3);
  const Workspace workspace = planner.Plan();
  EXPECT_EQ(workspace.offsets.size(), 3u);
  EXPECT_EQ(workspace.offsets.at(5), workspace.offsets.at(7));
  EXPECT_EQ(workspace.bytes, 64u);
  EXPECT_EQ(WorkspacePlanner(16).Plan().bytes, 0u);
}

TEST(MemoryPlanTest, MoreThan64BitsIsOutOfMemory) {
  const std::vector<Interval> intervals = {{UINT64_MAX - 100, 0, 1}, {1000, 0, 1}};
  try {
    PlaceIntervals(intervals, 64);
    FAIL() << "it was placed";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), BRAID_OUT_OF_MEMORY);
  }
}

}  // namespace
}  // namespace braid::kit
