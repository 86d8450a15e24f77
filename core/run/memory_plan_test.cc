// SPDX-License-Identifier: Apache-2.0
#include "core/run/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace braid {
namespace {

TEST(MemoryPlanTest, BlocksThatDoNotLiveTogetherShare) {
  MemoryPlan plan = PlanMemory(std::vector<Lifetime>{{100, 0, 1}, {100, 2, 3}, {64, 1, 2}}, 64, UINT64_MAX);
  ASSERT_EQ(plan.chunks.size(), 1u);
  EXPECT_EQ(plan.chunks[0], 192u);
  EXPECT_EQ(plan.places[0].offset, 0u);
  EXPECT_EQ(plan.places[1].offset, 0u);
  EXPECT_EQ(plan.places[2].offset, 128u);
}

TEST(MemoryPlanTest, NothingNeedsNothing) { EXPECT_TRUE(PlanMemory({}, 64, UINT64_MAX).chunks.empty()); }

TEST(MemoryPlanTest, AnEmptyBlockHasAnAddressOfItsOwn) {
  MemoryPlan plan = PlanMemory(std::vector<Lifetime>{{0, 0, 0}, {0, 0, 0}}, 64, UINT64_MAX);
  EXPECT_NE(plan.places[0].offset, plan.places[1].offset);
}

TEST(MemoryPlanTest, ChunksStayBelowTheLimit) {
  MemoryPlan plan =
      PlanMemory(std::vector<Lifetime>{{1000, 0, 5}, {1000, 0, 5}, {5000, 0, 5}, {10, 0, 5}}, 64, 2048);
  std::vector<uint64_t> chunks = plan.chunks;
  std::sort(chunks.begin(), chunks.end());
  EXPECT_EQ(chunks, (std::vector<uint64_t>{64, 2048, 5056}));  // 10 and 5,000 rounded up; two of 1,024
  EXPECT_EQ(plan.places[0].chunk, plan.places[1].chunk);
}

TEST(MemoryPlanTest, RandomBlocksNeverOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> blocks(60);
    for (Lifetime& b : blocks) {
      b.bytes = random() % 5000;
      b.first = random() % 40;
      b.last = b.first + random() % 10;
    }
    MemoryPlan plan = PlanMemory(blocks, 256, 1 << 16);
    for (size_t a = 0; a < blocks.size(); ++a) {
      EXPECT_EQ(plan.places[a].offset % 256, 0u);
      EXPECT_LE(plan.places[a].offset + blocks[a].bytes, plan.chunks[plan.places[a].chunk]);
      for (size_t b = a + 1; b < blocks.size(); ++b) {
        bool together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
        if (!together || plan.places[a].chunk != plan.places[b].chunk) continue;
        bool apart = plan.places[a].offset + blocks[a].bytes <= plan.places[b].offset ||
                     plan.places[b].offset + blocks[b].bytes <= plan.places[a].offset;
        EXPECT_TRUE(apart) << a << " and " << b;
      }
    }
  }
}

}  // namespace
}  // namespace braid
