// SPDX-License-Identifier: Apache-2.0
//
// Which slot of which plugin a thread is in, so that a crash there can be told from one of the host's.
#ifndef BRAID_CORE_PLUGINS_CHECKED_CRASH_H_
#define BRAID_CORE_PLUGINS_CHECKED_CRASH_H_

#include <signal.h>

namespace braid::checked {

// This thread is in a slot as long as the object lives. Both strings live for ever.
class SlotMark {
 public:
  SlotMark(const char* plugin, const char* slot);
  ~SlotMark();
  SlotMark(const SlotMark&) = delete;
  SlotMark& operator=(const SlotMark&) = delete;

 private:
  const char *outer_plugin_, *outer_slot_;
};

// From now on a signal that ends the process by default (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) first
// writes the plugin and the slot to stderr. Signals that somebody else handles are left alone.
void NameSlotsInCrashes();

// Whether the action is that of NameSlotsInCrashes.
bool NamesSlots(const struct sigaction& action);

// "SIGSEGV", of one of these. May be called in a signal handler.
const char* NameOfSignal(int number);

}  // namespace braid::checked

#endif  // BRAID_CORE_PLUGINS_CHECKED_CRASH_H_
