// SPDX-License-Identifier: Apache-2.0
//
// How far a long command is: one line that is written anew on a terminal; elsewhere only what is to stay.
#ifndef BRAID_TOOLS_BRAID_PROGRESS_H_
#define BRAID_TOOLS_BRAID_PROGRESS_H_

#include <chrono>
#include <string>

namespace braid::cli {

class Progress {
 public:
  // quiet: prints nothing at all.
  Progress(std::string what, size_t total, bool quiet);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // One more is done.
  void Done(bool failed);
  // A line that stays.
  void Print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void Clear();
  void Show();
  const std::string what_;
  const size_t total_;
  const bool quiet_, terminal_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point shown_;
  size_t done_ = 0, failed_ = 0;
  bool visible_ = false;
};

// "3 min 20 s"
std::string TimeText(double seconds);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_PROGRESS_H_
