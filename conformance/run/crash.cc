// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/crash.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <utility>

#include "core/plugins/checked/crash.h"

namespace braid::conformance {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// Below it lies what a null pointer is used with.
constexpr uintptr_t kFirstPage = 4096;

// Static thread-local storage: a signal handler must not have it allocated.
thread_local __attribute__((tls_model("initial-exec"))) const char* current_slot = nullptr;
// Of the whole process: a plugin's own threads are in no slot. The suite's first thread may be in one that is
// not marked, or in none.
std::atomic<const char*> last_slot{nullptr};

// What nobody may touch, the oldest replaced first. Atomic, since a signal handler reads it.
struct Range {
  std::atomic<uintptr_t> begin{0}, end{0};
  std::atomic<const char*> what{nullptr};
  bool retired = false;
};
constexpr size_t kRanges = 4096;
std::array<Range, kRanges> ranges;
std::mutex ranges_mutex;
std::atomic<size_t> noted{0};

std::atomic<CrashNote*> crash_note{nullptr};

void Add(const void* begin, uint64_t bytes, const char* what, bool retired) {
  std::lock_guard<std::mutex> lock(ranges_mutex);
  Range& place = ranges[noted % kRanges];
  const uintptr_t old = place.begin, old_end = place.end;
  place.end = 0;
  if (place.retired) munmap(reinterpret_cast<void*>(old), old_end - old);
  place.begin = reinterpret_cast<uintptr_t>(begin);
  place.what = what;
  place.retired = retired;
  place.end = reinterpret_cast<uintptr_t>(begin) + bytes;
  ++noted;
}

class Text {
 public:
  Text(char* to, size_t room) : to_(to), room_(room) {}
  Text& operator<<(const char* text) {
    while (*text != '\0' && used_ + 1 < room_) to_[used_++] = *text++;
    to_[used_] = '\0';
    return *this;
  }
  size_t size() const { return used_; }

 private:
  char* const to_;
  const size_t room_;
  size_t used_ = 0;
};

void Describe(int number, const siginfo_t& info, Text* out) {
  if (current_slot != nullptr)
    *out << " in " << current_slot;
  else if (const char* last = last_slot.load(); last != nullptr && gettid() != getpid())
    *out << " in another thread (the last slot called was " << last << ")";
  if (number != SIGSEGV && number != SIGBUS) return;
  if (const char* what = WhatIsAt(info.si_addr))
    *out << ": " << what;
  else if (info.si_code == SEGV_MAPERR && reinterpret_cast<uintptr_t>(info.si_addr) < kFirstPage)
    *out << ": a null pointer was used";
}

void OnCrash(int number, siginfo_t* info, void*) {
  if (CrashNote* note = crash_note.load()) {
    Text text(note->text, sizeof note->text);
    if (!note->taken.exchange(true)) Describe(number, *info, &text);
  } else {
    char line[512];
    Text text(line, sizeof line - 1);
    text << "braid: " << checked::NameOfSignal(number);
    Describe(number, *info, &text);
    line[text.size()] = '\n';
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, text.size() + 1);
  }
  // As if there had been no handler: the instruction is repeated, or, where somebody sent the signal, it is.
  signal(number, SIG_DFL);
  if (info->si_code <= 0) raise(number);
}

// Replaces who handles the signals, where it is as told.
void Replace(bool ours, void (*with)(struct sigaction*)) {
  for (const int number : kSignals) {
    struct sigaction now, next;
    if (sigaction(number, nullptr, &now) != 0) continue;
    const bool is_default = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
    if (!(ours ? IsCrashWatch(now) : is_default)) continue;
    memset(&next, 0, sizeof next);
    with(&next);
    sigaction(number, &next, nullptr);
  }
}

}  // namespace

bool IsCrashWatch(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == OnCrash;
}

SlotMark::SlotMark(const char* name) : outer_(std::exchange(current_slot, name)) {
  last_slot.store(name, std::memory_order_relaxed);
}

SlotMark::~SlotMark() { current_slot = outer_; }

void NoteMemory(const void* begin, uint64_t bytes, const char* what) { Add(begin, bytes, what, false); }

void RetireMemory(void* begin, uint64_t bytes, const char* what) {
  // A new mapping without access in its place: the pages go back, the addresses stay taken.
  mmap(begin, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  Add(begin, bytes, what, true);
}

const char* WhatIsAt(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  const size_t all = noted;
  for (size_t i = all; i-- > (all > kRanges ? all - kRanges : 0);) {
    const Range& r = ranges[i % kRanges];
    if (at >= r.begin && at < r.end) return r.what;
  }
  return nullptr;
}

void WriteCrashesTo(CrashNote* note) { crash_note = note; }

CrashWatch::CrashWatch() {
  // A stack of its own, for where the thread's is used up. Other threads' handlers run on their own.
  alignas(16) static char stack[size_t{1} << 16];
  stack_t now;
  if (sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0) {
    stack_t ours{};
    ours.ss_sp = stack;
    ours.ss_size = sizeof stack;
    sigaltstack(&ours, nullptr);
  }
  Replace(false, [](struct sigaction* next) {
    next->sa_sigaction = OnCrash;
    next->sa_flags = SA_SIGINFO | SA_ONSTACK;
  });
}

CrashWatch::~CrashWatch() {
  Replace(true, [](struct sigaction* next) { next->sa_handler = SIG_DFL; });
}

}  // namespace braid::conformance
