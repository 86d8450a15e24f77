// SPDX-License-Identifier: Apache-2.0
//
// When a process that ended may be started again: at once the first time, then after a pause that doubles;
// and where it ends several times within a minute, not for a while (quarantine). After that one process is
// tried: if it ends before it was found well, the quarantine is twice as long.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_RESTARTS_H_
#define BRAID_CORE_PLUGINS_ISOLATE_RESTARTS_H_

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace braid::isolate {

struct RestartLimits {
  uint64_t deaths = 3;  // within window_ns; 0: never in quarantine
  uint64_t window_ns = 60'000'000'000, quarantine_ns = 30'000'000'000, longest_ns = 600'000'000'000;
  uint64_t pause_ns = 20'000'000, longest_pause_ns = 1'000'000'000;
  // BRAID_ISOLATE_QUARANTINE (deaths) and BRAID_ISOLATE_PAUSE_MS.
  static RestartLimits FromEnvironment();
};

// Times are those of HostNow().
class Restarts {
 public:
  explicit Restarts(const RestartLimits& limits) : limits_(limits) {}
  void Died(uint64_t now, const std::string& why);
  // "", or why no process is to be started now.
  std::string Refusal(uint64_t now) const;
  // How long to wait before the next start.
  uint64_t Pause(uint64_t now) const;
  // Whether the next process is the one that is tried after a quarantine; Good ends that.
  bool OnTrial() const;
  void Good();
  uint64_t deaths() const;  // all

 private:
  const RestartLimits limits_;
  mutable std::mutex mutex_;
  std::deque<uint64_t> recent_;
  uint64_t until_ = 0, length_ = 0, all_ = 0;
  bool trial_ = false;
  std::string why_;
};

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_RESTARTS_H_
