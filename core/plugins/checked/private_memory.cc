// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/private_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

namespace braid::checked {
namespace {

// What has ended, the oldest replaced first. Atomic, since a signal handler reads it.
struct Ended {
  std::atomic<uintptr_t> begin{0}, end{0};
  std::atomic<const char*> what{nullptr};
};
constexpr size_t kEnded = 1024;
std::array<Ended, kEnded> ended;
std::mutex ended_mutex;
size_t next_ended = 0;

}  // namespace

std::unique_ptr<PrivateMemory> PrivateMemory::Make(uint64_t bytes, const char* what) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t rounded = (std::max<uint64_t>(bytes, 1) + page - 1) / page * page;
  if (rounded < bytes) return nullptr;
  void* data = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  return std::unique_ptr<PrivateMemory>(new PrivateMemory(static_cast<uint8_t*>(data), rounded, what));
}

PrivateMemory::~PrivateMemory() {
  // A new mapping without access in its place: the pages go back, the addresses stay taken.
  mmap(data_, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  std::lock_guard<std::mutex> lock(ended_mutex);
  Ended& place = ended[next_ended++ % kEnded];
  const uintptr_t begin = place.begin.load(), end = place.end.load();
  place.end.store(0);
  if (end != 0) munmap(reinterpret_cast<void*>(begin), end - begin);
  place.begin.store(reinterpret_cast<uintptr_t>(data_));
  place.what.store(what_);
  place.end.store(reinterpret_cast<uintptr_t>(data_) + bytes_);
}

const char* EndedMemoryAt(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (const Ended& e : ended)
    if (at >= e.begin.load() && at < e.end.load()) return e.what.load();
  return nullptr;
}

}  // namespace braid::checked
