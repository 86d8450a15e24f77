// SPDX-License-Identifier: Apache-2.0
//
// The host's side of an isolated plugin's objects. Each handle that the host has is one of these structs; the
// object itself is the plugin's, in its own process (server.h), and goes by an id.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_CLIENT_H_
#define BRAID_CORE_PLUGINS_ISOLATE_CLIENT_H_

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/plugins/isolate/connection.h"

namespace braid::isolate {

struct ClientDevice {
  std::shared_ptr<Connection> connection;
  uint64_t id;
  bool shares = false;      // the plugin takes memory of both processes for buffers
  bool shares_all = false;  // and had all its buffers in host memory anyway
  uint64_t unit = 1;        // of the address and size of such memory
};
struct ClientBuffer {
  uint64_t id;
  uint64_t bytes = 0;
  std::unique_ptr<SharedBlock> block;  // its memory, if it is shared, from `offset` on
  uint64_t offset = 0;
  bool mappable = false, mapped = false;
  uint32_t exports = 0;
};
// An answer that is the same whenever it is asked for.
struct Answers {
  static constexpr size_t kMost = 16;
  std::mutex mutex;
  std::deque<std::pair<std::string, std::string>> kept;  // newest first
  bool Find(const std::string& question, std::string* answer) {
    std::lock_guard<std::mutex> lock(mutex);
    for (const auto& [q, a] : kept) {
      if (q != question) continue;
      *answer = a;
      return true;
    }
    return false;
  }
  void Keep(const std::string& question, const std::string& answer) {
    std::lock_guard<std::mutex> lock(mutex);
    kept.emplace_front(question, answer);
    if (kept.size() > kMost) kept.pop_back();
  }
};
struct ClientExec {
  std::shared_ptr<Connection> connection;
  uint64_t id, device;
  Answers io, shapes;
};
struct ClientFence {
  std::shared_ptr<Connection> connection;
  std::shared_ptr<RemoteFence> state;
};

inline ClientDevice* Self(braid_device* d) { return reinterpret_cast<ClientDevice*>(d); }
inline ClientBuffer* Self(braid_buffer* b) { return reinterpret_cast<ClientBuffer*>(b); }
inline ClientExec* Self(braid_exec* e) { return reinterpret_cast<ClientExec*>(e); }
inline ClientFence* Self(braid_fence* f) { return reinterpret_cast<ClientFence*>(f); }
inline uint64_t IdOf(braid_buffer* b) { return b == nullptr ? 0 : Self(b)->id; }
inline uint64_t Lane(uint64_t device, uint32_t queue) { return device << 16 | queue; }

// What a call returns whose answer cannot be read.
braid_status Garbled();

// A struct that the other side sent in our own layout, given to a caller whose struct may be shorter.
template <class T>
void Give(T mine, T* theirs) {
  const uint32_t size = theirs->size;
  mine.size = size;
  std::memcpy(theirs, &mine, std::min<size_t>(size, sizeof mine));
}

// How many fences a run or transfer waits for, and which.
void PutWaits(Writer& out, braid_fence* const* waits, uint32_t count);

// The tables of these objects. `has`: the slots that the plugin has (Slots in wire.h).
void SetDeviceSlots(uint32_t has, braid_device_fns* out);
void SetExecSlots(uint32_t has, braid_exec_fns* out);
void SetFenceSlots(uint32_t has, braid_fence_fns* out);

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_CLIENT_H_
