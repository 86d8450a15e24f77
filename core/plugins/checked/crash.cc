// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/crash.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "core/plugins/checked/private_memory.h"

namespace braid::checked {
namespace {

// Static thread-local storage: a signal handler must not have it allocated.
#define BRAID_STATIC_TLS thread_local __attribute__((tls_model("initial-exec")))
BRAID_STATIC_TLS const char* current_plugin = nullptr;
BRAID_STATIC_TLS const char* current_slot = nullptr;
// Of the whole process: a plugin's own threads are in no slot.
std::atomic<const char*> last_plugin{nullptr}, last_slot{nullptr};

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

class Line {
 public:
  Line& operator<<(const char* text) {
    while (*text != '\0' && used_ < sizeof text_ - 1) text_[used_++] = *text++;
    return *this;
  }
  void Write() {
    text_[used_++] = '\n';
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text_, used_);
  }

 private:
  char text_[512];
  size_t used_ = 0;
};

void OnCrash(int number, siginfo_t* info, void*) {
  Line line;
  line << "braid: ";
  if (current_slot != nullptr) {
    line << current_plugin << ": " << NameOfSignal(number) << " in " << current_slot;
  } else if (last_slot.load() != nullptr) {
    line << NameOfSignal(number) << " in no slot; the last one called was " << last_slot.load() << " of "
         << last_plugin.load();
  } else {
    line << NameOfSignal(number) << " before any slot was called";
  }
  if (number == SIGSEGV || number == SIGBUS)
    if (const char* what = EndedMemoryAt(info->si_addr)) line << ": " << what;
  line.Write();
  // As if there had been no handler: the instruction is repeated, or, where somebody sent the signal, it is.
  signal(number, SIG_DFL);
  if (info->si_code <= 0) raise(number);
}

}  // namespace

const char* NameOfSignal(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

SlotMark::SlotMark(const char* plugin, const char* slot)
    : outer_plugin_(std::exchange(current_plugin, plugin)), outer_slot_(std::exchange(current_slot, slot)) {
  last_plugin.store(plugin, std::memory_order_relaxed);
  last_slot.store(slot, std::memory_order_relaxed);
}

SlotMark::~SlotMark() {
  current_plugin = outer_plugin_;
  current_slot = outer_slot_;
}

bool NamesSlots(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == OnCrash;
}

void NameSlotsInCrashes() {
  for (int number : kSignals) {
    struct sigaction now;
    if (sigaction(number, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 ||
        now.sa_handler != SIG_DFL)
      continue;
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = OnCrash;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(number, &ours, nullptr);
  }
}

}  // namespace braid::checked
