// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/restarts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace braid::isolate {
namespace {

using ::testing::HasSubstr;
constexpr uint64_t kSecond = 1'000'000'000, kNow = 1'000 * kSecond;

TEST(Restarts, AtOnceThenAfterAPauseThatDoubles) {
  RestartLimits limits;
  limits.deaths = 0;
  Restarts restarts(limits);
  EXPECT_EQ(restarts.Pause(kNow), 0u);
  restarts.Died(kNow, "x");
  EXPECT_EQ(restarts.Pause(kNow), 0u);
  restarts.Died(kNow, "x");
  EXPECT_EQ(restarts.Pause(kNow), 20'000'000u);
  restarts.Died(kNow, "x");
  EXPECT_EQ(restarts.Pause(kNow), 40'000'000u);
  EXPECT_EQ(restarts.Pause(kNow + 10'000'000), 30'000'000u);
  for (int i = 0; i < 100; ++i) restarts.Died(kNow, "x");
  EXPECT_EQ(restarts.Pause(kNow), kSecond);
  EXPECT_EQ(restarts.Refusal(kNow), "");
  EXPECT_EQ(restarts.Pause(kNow + 61 * kSecond), 0u);
  EXPECT_EQ(restarts.deaths(), 103u);
}

TEST(Restarts, QuarantineAfterThreeDeathsWithinAMinute) {
  Restarts restarts{RestartLimits()};
  restarts.Died(kNow, "x");
  restarts.Died(kNow + kSecond, "x");
  restarts.Died(kNow + 100 * kSecond, "x");  // the first two are long ago
  EXPECT_EQ(restarts.Refusal(kNow + 100 * kSecond), "");
  restarts.Died(kNow + 101 * kSecond, "x");
  restarts.Died(kNow + 102 * kSecond, "was ended by signal 11");
  EXPECT_TRUE(restarts.OnTrial());
  EXPECT_THAT(restarts.Refusal(kNow + 103 * kSecond), HasSubstr("in quarantine for 30 s more"));
  EXPECT_THAT(restarts.Refusal(kNow + 103 * kSecond),
              HasSubstr("ended 5 times; at last was ended by signal 11"));
  EXPECT_EQ(restarts.Refusal(kNow + 133 * kSecond), "");
}

TEST(Restarts, TheNextQuarantineIsTwiceAsLongUnlessItWasFoundWell) {
  Restarts restarts{RestartLimits()};
  for (int i = 0; i < 3; ++i) restarts.Died(kNow, "x");
  restarts.Died(kNow + 40 * kSecond, "x");  // on trial
  EXPECT_NE(restarts.Refusal(kNow + 99 * kSecond), "");
  EXPECT_EQ(restarts.Refusal(kNow + 101 * kSecond), "");
  restarts.Good();
  EXPECT_FALSE(restarts.OnTrial());
  restarts.Died(kNow + 102 * kSecond, "x");
  EXPECT_EQ(restarts.Refusal(kNow + 102 * kSecond), "");
}

}  // namespace
}  // namespace braid::isolate
