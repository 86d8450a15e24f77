// SPDX-License-Identifier: Apache-2.0
//
// What a plugin's calls must leave as it was in the process of its host (docs/abi/threads.md).
#ifndef BRAID_CONFORMANCE_CONTRACT_HOST_STATE_H_
#define BRAID_CONFORMANCE_CONTRACT_HOST_STATE_H_

#include <sched.h>
#include <signal.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace braid::conformance {

// Of the process and of this thread: floating-point control, signals, folder, umask, locale, environment, the
// processors that the thread may run on, and which files the descriptors are.
class HostState {
 public:
  static HostState Now();
  // What is otherwise in `now`, for people: "the working directory is '/', not '/tmp'"; empty: nothing.
  // Descriptors beyond those of this state may be there.
  std::string Difference(const HostState& now) const;

 private:
  std::map<std::string, std::string> texts_;  // by what they are: "the working directory"
  std::map<std::string, std::string> environment_;
  std::map<int, std::string> descriptors_;  // the file: its device, number and name
  std::array<struct sigaction, 65> handlers_{};
  sigset_t mask_{};
  cpu_set_t processors_{};
};

// The state in which this process had no plugin yet: of the first call.
const HostState& HostStateAtStart();

// How many there are of this process.
uint64_t OpenDescriptors();
uint64_t RunningThreads();

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_HOST_STATE_H_
