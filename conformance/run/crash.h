// SPDX-License-Identifier: Apache-2.0
//
// What is known of a crash beyond its signal: in which slot it came, and whether the address is one of memory
// that the suite had lent and taken back.
#ifndef BRAID_CONFORMANCE_RUN_CRASH_H_
#define BRAID_CONFORMANCE_RUN_CRASH_H_

#include <signal.h>

#include <atomic>
#include <cstdint>

namespace braid::conformance {

// From here to its end this thread is in a slot of the plugin; `name` lives for ever.
class SlotMark {
 public:
  explicit SlotMark(const char* name);
  ~SlotMark();
  SlotMark(const SlotMark&) = delete;
  SlotMark& operator=(const SlotMark&) = delete;

 private:
  const char* const outer_;
};

// Who touches this range, which the caller keeps from being used for anything else, did `what`: for people,
// and for ever. Of ranges that overlap the newest counts, and the oldest are forgotten.
void NoteMemory(const void* begin, uint64_t bytes, const char* what);
// Takes whole pages of mmap for good: nobody can touch them from now on, nor are the addresses used again for
// some time.
void RetireMemory(void* begin, uint64_t bytes, const char* what);
// What was done who touched this address; null: nothing is known of it. From signal handlers too.
const char* WhatIsAt(const void* address);

// In memory that a process shares with its parent.
struct CrashNote {
  std::atomic<bool> taken{false};
  char text[507] = "";  // " in exec.submit: a constant was used after its token was released"
};
// Of this process; null, as at first: notes go to stderr.
void WriteCrashesTo(CrashNote* note);

// While there is one, a signal that ends the process writes its note before. Handlers of others are left
// alone.
class CrashWatch {
 public:
  CrashWatch();
  ~CrashWatch();
  CrashWatch(const CrashWatch&) = delete;
  CrashWatch& operator=(const CrashWatch&) = delete;
};
// Whether such a watch is what handles the signal.
bool IsCrashWatch(const struct sigaction& action);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_CRASH_H_
