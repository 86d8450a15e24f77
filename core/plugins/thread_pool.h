// SPDX-License-Identifier: Apache-2.0
//
// The process's pool of threads, which core and every plugin share so that they don't oversubscribe the
// machine.
//
//   ThreadPool::Default().ParallelFor(n, task, argument);
//
// The caller works too. Workers spin a few microseconds for the next loop before they sleep. Loops of several
// client threads run beside each other; a loop within a task runs inline.
#ifndef BRAID_CORE_PLUGINS_THREAD_POOL_H_
#define BRAID_CORE_PLUGINS_THREAD_POOL_H_

#include <braid/plugin.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace braid {

class ThreadPool {
 public:
  using Task = void(BRAID_CALL*)(void* argument, uint64_t index, uint32_t worker);
  // BRAID_THREADS, else the cores that this process may run on. Never destroyed.
  static ThreadPool& Default();
  // `concurrency` counts the caller: concurrency - 1 threads are started, at the first loop.
  explicit ThreadPool(uint32_t concurrency);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Runs task(argument, i, worker) for i in [0, n), returns when all are done. No two tasks that run at one
  // time, of all loops, have the same worker, which is below concurrency(). Allocates nothing. [any thread]
  void ParallelFor(uint64_t n, Task task, void* argument);
  template <class Body>
  void For(uint64_t n, const Body& body) {
    ParallelFor(
        n, [](void* b, uint64_t i, uint32_t worker) { (*static_cast<const Body*>(b))(i, worker); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }
  uint32_t concurrency() const { return concurrency_; }

 private:
  // A loop that is running; callers borrow one. It outlives the loop, so that a late worker may look at it.
  struct alignas(64) Slot {
    std::atomic<bool> taken{false};
    std::atomic<bool> open{false};
    Task task = nullptr;
    void* argument = nullptr;
    uint64_t count = 0, chunk = 1;
    alignas(64) std::atomic<uint64_t> next{0};
    std::atomic<int> active{0};  // workers inside
  };
  static constexpr int kSlots = 8;

  void Start();
  void Work(uint32_t worker);
  // Helps the loops that are open. Whether there was anything to do.
  bool Help(uint32_t worker);
  static void Drain(Slot& slot, uint32_t worker);

  const uint32_t concurrency_;
  std::once_flag started_;
  std::vector<std::thread> threads_;
  Slot slots_[kSlots];
  alignas(64) std::atomic<int> epoch_{0};  // changes with each loop
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_THREAD_POOL_H_
