// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/thread_pool.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/plugins/float_control.h"

namespace braid {
namespace {

constexpr uint64_t kSpinNs =
    20'000;  // longer than the gaps between the loops of one run, shorter than a user notices
constexpr uint32_t kMaxThreads = 1024;

thread_local bool in_task = false;
thread_local uint32_t own_worker = 0;

void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

uint64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

// Spins until done() or the time is up; whether done.
template <class Done>
bool Spin(const Done& done) {
  if (done()) return true;
  const uint64_t end = Now() + kSpinNs;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      Relax();
    }
  } while (Now() < end);
  return done();
}

uint32_t DefaultConcurrency() {
  if (const char* text = secure_getenv("BRAID_THREADS")) {
    uint32_t n = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), n);
    if (error == std::errc() && *end == '\0' && n > 0) return std::min(n, kMaxThreads);
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::clamp<uint32_t>(CPU_COUNT(&set), 1, kMaxThreads);
  return std::clamp<uint32_t>(std::thread::hardware_concurrency(), 1, kMaxThreads);
}

}  // namespace

ThreadPool& ThreadPool::Default() {
  static ThreadPool* pool = new ThreadPool(DefaultConcurrency());
  return *pool;
}

ThreadPool::ThreadPool(uint32_t concurrency)
    : concurrency_(std::clamp<uint32_t>(concurrency, 1, kMaxThreads)) {}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Start() {
  std::call_once(started_, [this] {
    threads_.reserve(concurrency_ - 1);
    for (uint32_t worker = 1; worker < concurrency_; ++worker) {
      try {
        threads_.emplace_back([this, worker] { Work(worker); });
      } catch (const std::system_error&) {
        break;  // the machine has no more threads for us: fewer workers, same results
      }
    }
  });
}

void ThreadPool::Drain(Slot& slot, uint32_t worker) {
  const FloatControl control;
  const bool outer = in_task;
  const uint32_t outer_worker = own_worker;
  in_task = true;
  own_worker = worker;
  for (;;) {
    const uint64_t first = slot.next.fetch_add(slot.chunk, std::memory_order_relaxed);
    if (first >= slot.count) break;
    const uint64_t end = std::min(slot.count, first + slot.chunk);
    for (uint64_t i = first; i < end; ++i) slot.task(slot.argument, i, worker);
  }
  in_task = outer;
  own_worker = outer_worker;
}

void ThreadPool::ParallelFor(uint64_t n, Task task, void* argument) {
  const auto inline_loop = [&](uint32_t worker) {
    for (uint64_t i = 0; i < n; ++i) task(argument, i, worker);
  };
  if (in_task) return inline_loop(own_worker);
  Slot* slot = nullptr;
  if (n > 1 && concurrency_ > 1) {
    Start();
    for (Slot& candidate : slots_) {
      bool free = false;
      if (candidate.taken.compare_exchange_strong(free, true, std::memory_order_acquire)) {
        slot = &candidate;
        break;
      }
    }
  }
  if (slot == nullptr) {
    in_task = true;
    own_worker = 0;
    inline_loop(0);
    in_task = false;
    return;
  }
  slot->task = task;
  slot->argument = argument;
  slot->count = n;
  slot->chunk = std::max<uint64_t>(1, n / (uint64_t{8} * concurrency_));
  slot->next.store(0, std::memory_order_relaxed);
  slot->open.store(true);
  epoch_.fetch_add(1);
  const uint64_t helpers = std::min<uint64_t>(n - 1, concurrency_ - 1);
  const int sleepers = sleepers_.load();
  if (sleepers > 0) {
    if (helpers >= static_cast<uint64_t>(sleepers)) {
      epoch_.notify_all();
    } else {
      for (uint64_t i = 0; i < helpers; ++i) epoch_.notify_one();
    }
  }
  Drain(*slot, 0);
  // A worker counts itself in before it looks whether the loop is open: once this reads 0, none is inside or
  // will be.
  slot->open.store(false);
  if (!Spin([&] { return slot->active.load() == 0; })) {
    for (int inside = slot->active.load(); inside != 0; inside = slot->active.load())
      slot->active.wait(inside);
  }
  slot->taken.store(false, std::memory_order_release);
}

bool ThreadPool::Help(uint32_t worker) {
  bool helped = false;
  for (Slot& slot : slots_) {
    if (!slot.open.load(std::memory_order_relaxed)) continue;
    slot.active.fetch_add(1);
    if (slot.open.load()) {
      if (slot.next.load(std::memory_order_relaxed) < slot.count) {
        Drain(slot, worker);
        helped = true;
      }
    }
    if (slot.active.fetch_sub(1) == 1) slot.active.notify_all();
  }
  return helped;
}

void ThreadPool::Work(uint32_t worker) {
  while (!stop_.load(std::memory_order_relaxed)) {
    const int seen = epoch_.load();
    if (Help(worker)) continue;
    if (Spin([&] { return epoch_.load(std::memory_order_relaxed) != seen; })) continue;
    sleepers_.fetch_add(1);
    epoch_.wait(seen);
    sleepers_.fetch_sub(1);
  }
}

}  // namespace braid
