// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_HOST_MEMORY_H_
#define BRAID_CONFORMANCE_CONTRACT_HOST_MEMORY_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#include "conformance/run/crash.h"

namespace braid::conformance {

// Memory between two pages that nobody can touch: who reads or writes beyond it is stopped by SIGSEGV, and so
// is who does afterwards. It begins right behind the first of them or ends right before the second.
class HostMemory {
 public:
  HostMemory(uint64_t bytes, bool at_start) {
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t room = (bytes + page - 1) / page * page;
    total_ = room + 2 * page;
    void* all = mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) throw std::bad_alloc();
    all_ = static_cast<uint8_t*>(all);
    if (room > 0 && mprotect(all_ + page, room, PROT_READ | PROT_WRITE) != 0) {
      munmap(all_, total_);
      throw std::bad_alloc();
    }
    data_ = all_ + page + (at_start ? 0 : room - bytes);
    NoteMemory(all_, page, "memory that the host lent was used before its beginning");
    NoteMemory(all_ + page + room, page, "memory that the host lent was used beyond its end");
  }
  ~HostMemory() { RetireMemory(all_, total_, gone_); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;
  uint8_t* data() const { return data_; }
  // From now on nobody can touch it; `what` did who does.
  void Forbid(const char* what = "a graph was used after the call that it was lent for had ended") {
    mprotect(all_, total_, PROT_NONE);
    NoteMemory(all_, total_, what);
    gone_ = what;
  }
  // From now on nobody can write it, until it is gone.
  void ReadOnly() {
    mprotect(all_, total_, PROT_READ);
    NoteMemory(all_, total_, "an input was written");
  }

 private:
  uint8_t* all_ = nullptr;
  uint8_t* data_ = nullptr;
  uint64_t total_ = 0;
  const char* gone_ = "memory that the host lent was used after the work that it was lent for had ended";
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_HOST_MEMORY_H_
