// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/crash_note.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugins/checked/crash.h"

namespace braid::isolate {
namespace {

// Static thread-local storage: a signal handler must not have it allocated.
thread_local __attribute__((tls_model("initial-exec"))) uint32_t current_op = 0;
BoardLayout* noted_on = nullptr;

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
struct sigaction before[NSIG];

void OnCrash(int number, siginfo_t* info, void* context) {
  noted_on->crash_op.store(current_op);
  noted_on->crashed.store(1);
  const struct sigaction& next = before[number];
  if ((next.sa_flags & SA_SIGINFO) != 0 && next.sa_sigaction != nullptr)
    return next.sa_sigaction(number, info, context);
  // As if there had been no handler: the instruction is repeated, or, where somebody sent the signal, it is.
  signal(number, SIG_DFL);
  if (info->si_code <= 0) raise(number);
}

}  // namespace

SlotNote::SlotNote(std::atomic<uint32_t>* place, uint32_t op) : place_(place), outer_(current_op) {
  current_op = op;
  if (place_ != nullptr) place_->store(op, std::memory_order_relaxed);
}

SlotNote::~SlotNote() {
  current_op = outer_;
  if (place_ != nullptr) place_->store(outer_, std::memory_order_relaxed);
}

void NoteCrashes(BoardLayout* board) {
  noted_on = board;
  // First, so that the checked layer's line is written, too, where that is asked for.
  if (const char* check = secure_getenv("BRAID_CHECK"); check != nullptr && *check != '\0' && *check != '0')
    checked::NameSlotsInCrashes();
  for (int number : kSignals) {
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = OnCrash;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    sigaction(number, &ours, &before[number]);
  }
  // A plugin that calls exit() does so on the thread that is in the slot.
  atexit([] {
    if (current_op != 0) noted_on->crash_op.store(current_op);
  });
}

}  // namespace braid::isolate
