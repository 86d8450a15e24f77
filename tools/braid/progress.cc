// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <utility>

namespace braid::cli {

Progress::Progress(std::string what, size_t total, bool quiet)
    : what_(std::move(what)), total_(total), quiet_(quiet), terminal_(!quiet && isatty(STDOUT_FILENO) == 1) {}

void Progress::Done(bool failed) {
  ++done_;
  if (failed) ++failed_;
  if (!terminal_) return;
  const auto now = Clock::now();
  if (now - shown_ < std::chrono::milliseconds(100) && done_ < total_) return;
  shown_ = now;
  Show();
}

void Progress::Print(const std::string& line) {
  if (quiet_) return;
  Clear();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Progress::Show() {
  const double elapsed = std::chrono::duration<double>(Clock::now() - started_).count();
  const double left = elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  fmt::print("\r\033[K{}: {}/{} done, {} failed{}", what_, done_, total_, failed_,
             done_ >= 20 || elapsed > 5 ? ", " + TimeText(left) + " left" : "");
  std::fflush(stdout);
  visible_ = true;
}

void Progress::Clear() {
  if (!visible_) return;
  fmt::print("\r\033[K");
  std::fflush(stdout);
  visible_ = false;
}

std::string TimeText(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole >= 3600) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

}  // namespace braid::cli
