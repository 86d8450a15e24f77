// SPDX-License-Identifier: Apache-2.0
//
// The host's end of an isolated plugin: its process, calls and their answers, fences that are not done,
// shared memory.
//
// One thread reads what comes. When the process ends, or a call or a run passes its deadline (then the
// process is killed), everything pending ends with DEVICE_LOST, and so does every later call.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_
#define BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/plugins/isolate/wire.h"

namespace braid::isolate {

// A run or transfer of the other process.
struct RemoteFence {
  std::mutex mutex;
  std::condition_variable ready;
  braid_status status = BRAID_PENDING;
  std::string text;
  uint64_t start_ns = 0, end_ns = 0;
  void(BRAID_CALL* callback)(void*, braid_status) = nullptr;
  void* argument = nullptr;
  uint64_t id = 0;
  uint64_t deadline_ns = 0;  // 0: none
  // Of a transfer: shared memory that goes back to the pool, and for READ where its bytes go.
  std::unique_ptr<SharedBlock> staging;
  void* read_to = nullptr;
  uint64_t read_bytes = 0;
};

class Connection {
 public:
  // Starts the process. The library is not loaded yet.
  static absl::StatusOr<std::shared_ptr<Connection>> Start(const std::string& library,
                                                           const std::string& cache_dir);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  uint64_t NewId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  bool lost() const { return lost_.load(); }
  pid_t pid() const { return pid_; }

  // Asks and waits for the answer; its text goes to ErrorSink. `graph`: whose constants the plugin may ask
  // for meanwhile. deadline_ns 0: the default.
  braid_status Call(Op op, const Writer& payload, std::string* result, const braid_graph* graph = nullptr,
                    uint64_t deadline_ns = 0);
  // Queues work whose end `fence` will tell. After a loss it is told at once.
  void Start(Op op, const Writer& payload, const std::shared_ptr<RemoteFence>& fence);
  // No answer; nothing happens after a loss.
  void Tell(Op op, uint64_t id);

  // Shared memory of at least `bytes` that the other process knows by its id. Null where there is none.
  std::unique_ptr<SharedBlock> TakeBlock(uint64_t bytes);
  void GiveBack(std::unique_ptr<SharedBlock> block);
  // A READ that is not done and writes into this memory.
  std::shared_ptr<RemoteFence> PendingRead(const void* memory, uint64_t bytes);

 private:
  struct Waiting {
    const braid_graph* graph;
    uint64_t deadline_ns;
    bool done = false;
    braid_status status = BRAID_PENDING;
    std::string text, result;
  };
  Connection(int fd, pid_t pid, std::string name) : channel_(fd), pid_(pid), name_(std::move(name)) {}
  void Read();
  void OnReply(const Message& message);
  void OnEvent(const Message& message);
  void OnConstant(const Message& message);
  // "" or which deadline has passed.
  std::string Overdue();
  void Lose(const std::string& why);
  void Complete(const std::shared_ptr<RemoteFence>& fence, braid_status status, std::string_view text,
                uint64_t start, uint64_t end);

  Channel channel_;
  const pid_t pid_;
  const std::string name_;
  std::atomic<uint64_t> next_id_{1};
  std::atomic<bool> lost_{false}, closing_{false};
  std::mutex mutex_;
  std::condition_variable answered_;
  std::string why_lost_;
  std::unordered_map<uint64_t, Waiting*> calls_;
  std::unordered_map<uint64_t, std::shared_ptr<RemoteFence>> fences_;
  std::vector<std::unique_ptr<SharedBlock>> pool_;
  std::thread reader_;
};

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_
