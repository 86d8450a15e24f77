// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/queue.h>
#include <braid/kit/testing/host.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace braid::kit {
namespace {

class QueueTest : public ::testing::Test {
 protected:
  testing::Host host_;
  Queue queue_{Host(host_.raw())};
};

TEST_F(QueueTest, TasksRunInOrderAndTellTheirErrors) {
  std::vector<int> order;
  queue_.Push({}, 0, false, [&] { order.push_back(1); });
  const auto bad = queue_.Push({}, 0, false, [] { throw Error(BRAID_INVALID_ARGUMENT, "an index"); });
  const auto last = queue_.Push({}, 0, false, [&] { order.push_back(2); });
  EXPECT_EQ(last->Wait(UINT64_MAX), BRAID_OK);
  EXPECT_EQ(bad->Wait(0), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(bad->text(), "an index");
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_F(QueueTest, ATaskSeesThatItIsCancelledWhileItRuns) {
  std::atomic<bool> started{false};
  const auto event = queue_.Push({}, 0, false, [&](const Event& own) {
    started = true;
    while (!own.cancel_requested()) std::this_thread::yield();
    throw Error(BRAID_CANCELLED, "cancelled while it ran");
  });
  // What waits for it ends as it does, and does not run.
  bool ran = false;
  const auto after = queue_.Push({event}, 0, false, [&] { ran = true; });
  while (!started) std::this_thread::yield();
  EXPECT_EQ(event->Wait(0), BRAID_PENDING);
  event->RequestCancel();
  EXPECT_EQ(event->Wait(UINT64_MAX), BRAID_CANCELLED);
  EXPECT_EQ(after->Wait(UINT64_MAX), BRAID_CANCELLED);
  EXPECT_FALSE(ran);
}

TEST_F(QueueTest, DeadlinesAndBreaks) {
  const auto late = queue_.Push({}, 1, false, [] {});
  EXPECT_EQ(late->Wait(UINT64_MAX), BRAID_TIMEOUT);
  queue_.Break(BRAID_DEVICE_LOST, "the cable");
  const auto lost = queue_.Push({}, 0, false, [] {});
  EXPECT_EQ(lost->Wait(UINT64_MAX), BRAID_DEVICE_LOST);
  EXPECT_EQ(lost->text(), "the cable");
}

}  // namespace
}  // namespace braid::kit
