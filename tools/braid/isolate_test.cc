// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/isolate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

namespace braid::cli {
namespace {

using ::testing::HasSubstr;

std::vector<Outcome> Isolated(size_t count, double timeout, const std::function<Outcome(size_t)>& run) {
  std::vector<Outcome> outcomes;
  RunIsolated(count, timeout, run, [&](size_t i, const Outcome& outcome) {
    EXPECT_EQ(i, outcomes.size()) << "outcomes come in order";
    outcomes.push_back(outcome);
  });
  return outcomes;
}

TEST(Isolate, OutcomesComeBackWhole) {
  const std::string longest(50'000, 'x');
  const auto outcomes = Isolated(600, 60, [&](size_t i) -> Outcome {
    if (i == 7) return {Outcome::kSkipped, longest};
    if (i == 599) return {Outcome::kFailed, ""};
    return {};
  });
  ASSERT_EQ(outcomes.size(), 600u);  // more than one batch
  EXPECT_EQ(outcomes[0].kind, Outcome::kPassed);
  EXPECT_EQ(outcomes[7].kind, Outcome::kSkipped);
  EXPECT_EQ(outcomes[7].text, longest);
  EXPECT_EQ(outcomes[599].kind, Outcome::kFailed);
  EXPECT_FALSE(outcomes[599].ended);
}

TEST(Isolate, ACrashAnExitAndAHangCostOneJobEach) {
  const auto outcomes = Isolated(8, 0.5, [](size_t i) -> Outcome {
    if (i == 1) kill(getpid(), SIGKILL);
    if (i == 3) _exit(5);
    if (i == 5)
      for (;;) pause();
    return {Outcome::kPassed, std::to_string(i)};
  });
  ASSERT_EQ(outcomes.size(), 8u);
  const std::map<size_t, const char*> lost = {
      {1, "crashed: Killed"}, {3, "status 5"}, {5, "longer than 0.5 s"}};
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const auto expected = lost.find(i);
    EXPECT_EQ(outcomes[i].kind, expected == lost.end() ? Outcome::kPassed : Outcome::kFailed) << i;
    EXPECT_EQ(outcomes[i].ended, expected != lost.end()) << i;
    EXPECT_THAT(outcomes[i].text, HasSubstr(expected == lost.end() ? std::to_string(i) : expected->second));
  }
}

// What goes wrong when plugins are unloaded is a failure too, and no known one.
TEST(Isolate, AProcessThatFailsAsItEndsFailsItsLastJob) {
  const auto outcomes = Isolated(300, 60, [](size_t i) -> Outcome {
    if (i == 10) std::atexit([] { kill(getpid(), SIGKILL); });
    if (i == 255) return {Outcome::kSkipped, "no device", false, 3};
    return {Outcome::kPassed, std::to_string(i)};
  });
  ASSERT_EQ(outcomes.size(), 300u);  // two batches
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].kind, i == 255 ? Outcome::kFailed : Outcome::kPassed) << i;
  EXPECT_TRUE(outcomes[255].ended);
  EXPECT_EQ(outcomes[255].violations, 3u);
  EXPECT_THAT(outcomes[255].text,
              HasSubstr("after the last of 256 cases in its process it crashed: Killed; no device"));
}

}  // namespace
}  // namespace braid::cli
