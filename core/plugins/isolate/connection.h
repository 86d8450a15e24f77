// SPDX-License-Identifier: Apache-2.0
//
// The host's end of an isolated plugin: its process, calls and their answers, fences that are not done,
// shared memory.
//
// One thread reads what comes over the socket. Another, which waits for nothing else, watches the process and
// the deadlines. When the process ends, or sends what cannot be, or a call or a run passes its deadline (then
// the process is killed), everything pending ends with DEVICE_LOST, and so does every later call.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_
#define BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/plugins/isolate/board.h"
#include "core/plugins/isolate/slots.h"
#include "core/plugins/isolate/wire.h"

namespace braid::isolate {

// A run or transfer of the other process, or a signal of the host's (id of fence_create, without a cell).
struct RemoteFence {
  ~RemoteFence() {
    if (cell != kNoCell) board->GiveCell(cell);
  }
  // Where kDone is set once it has ended: by the process if it ended well, else by Connection::Complete.
  std::atomic<uint32_t>& word() { return cell == kNoCell ? own : *board->cell(cell); }

  std::mutex mutex;  // of what follows
  std::atomic<braid_status> status{BRAID_PENDING};
  std::string text;
  uint64_t start_ns = 0, end_ns = 0;
  void(BRAID_CALL* callback)(void*, braid_status) = nullptr;
  void* argument = nullptr;

  uint64_t id = 0;
  std::atomic<uint64_t> deadline_ns{0};  // 0: none
  std::atomic<bool> wanted{false};       // its event, for the callback
  Op op = Op::kSubmit;
  std::shared_ptr<HostBoard> board;
  uint32_t cell = kNoCell;
  std::atomic<uint32_t> own{0};
  // Of a transfer: shared memory that goes back to the pool, and for READ where its bytes go.
  std::unique_ptr<SharedBlock> staging;
  void* read_to = nullptr;
  uint64_t read_bytes = 0;
};

// What every isolated plugin of this process has cost so far, for tests.
struct Traffic {
  std::atomic<uint64_t> copied{
      0};  // bytes of tensors, each time that they were copied because of the isolation
  std::atomic<uint64_t> messages{0};
};
Traffic& AllTraffic();

class Connection {
 public:
  using OnLost = std::function<void(const std::string& why)>;
  // Starts the process. The library is not loaded yet. on_lost is called once, unless this object goes first.
  static absl::StatusOr<std::shared_ptr<Connection>> Start(const std::string& library,
                                                           const std::string& cache_dir, OnLost on_lost);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  uint64_t NewId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  // Also in a process that was forked from the one that started it: there nothing of it is touched.
  bool lost() const { return lost_.load() || InFork(); }
  std::string why_lost();
  pid_t pid() const { return pid_; }
  // The plugin's id, once it is known, for texts.
  void set_name(const std::string& id);

  // Asks and waits for the answer; its text goes to ErrorSink. `graph`: whose constants the plugin may ask
  // for meanwhile. deadline_ns 0: the slot's own.
  braid_status Call(Op op, const Writer& payload, std::string* result, const braid_graph* graph = nullptr,
                    uint64_t deadline_ns = 0, int fd = -1);

  // A fence for work that ends at the latest at deadline_ns (0: the slot's own).
  std::shared_ptr<RemoteFence> NewFence(Op op, uint64_t deadline_ns);
  // Queues work whose end `fence` will tell. After a loss it is told at once. `lane`: the queue that it is
  // the newest work of.
  void Start(const Writer& payload, const std::shared_ptr<RemoteFence>& fence, uint64_t lane);
  // Whether the newest work of a queue, and with it all of its work, has ended.
  bool Idle(uint64_t lane);
  braid_status Wait(const std::shared_ptr<RemoteFence>& fence, uint64_t timeout_ns);
  void OnReady(const std::shared_ptr<RemoteFence>& fence, void(BRAID_CALL* callback)(void*, braid_status),
               void* argument);
  void Complete(const std::shared_ptr<RemoteFence>& fence, braid_status status, std::string_view text,
                uint64_t start, uint64_t end);
  // A run that was cancelled has a while to end.
  void Cancel(const std::shared_ptr<RemoteFence>& fence);

  // No answer; nothing happens after a loss.
  void Tell(Op op, uint64_t id, const Writer& payload = {});
  // The same, after all work that was queued before.
  void TellInOrder(Op op, uint64_t id);

  // Shared memory that the process knows by the block's id.
  std::unique_ptr<SharedBlock> TakeBlock(uint64_t bytes);
  void GiveBack(std::unique_ptr<SharedBlock> block);

  // A READ that has still to write to this memory, or null.
  std::shared_ptr<RemoteFence> PendingRead(const void* memory, uint64_t bytes);

 private:
  struct Waiting {
    Op op;
    const braid_graph* graph;
    uint64_t deadline_ns;
    uint64_t most;  // bytes of its result
    bool done = false;
    braid_status status = BRAID_PENDING;
    std::string text, result;
  };
  Connection(int fd, pid_t pid, int pidfd, std::string name, std::shared_ptr<HostBoard> board, OnLost on_lost)
      : channel_(fd),
        pid_(pid),
        pidfd_(pidfd),
        name_(std::move(name)),
        board_(std::move(board)),
        on_lost_(std::move(on_lost)) {}
  void Read();
  void Watch();
  // Whether somebody waits for such a message.
  bool IsPossible(const Header& header);
  void OnReply(const Message& message);
  void OnEvent(const Message& message);
  void OnConstant(const Message& message);
  // "" or which deadline has passed.
  std::string Overdue();
  // " in exec.submit", as far as it is known.
  std::string Place();
  void Lose(const std::string& why);
  // Has the watcher end the process, for this reason.
  void Fail(std::string_view why);
  absl::Status Send(Op op, uint64_t id, std::string_view payload = {}, int fd = -1);
  // Sends over the socket what the ring's messages may refer to.
  absl::Status SendNumbered(Op op, uint64_t id, std::string_view payload, int fd = -1);
  absl::Status Queue(Op op, uint64_t id, std::string_view payload);
  uint64_t Length(Op op) const { return set_deadline_ns_ != 0 ? set_deadline_ns_ : DeadlineNs(op); }
  uint64_t Deadline(Op op) const;  // from now
  // Where a thread of the process is that others wait for; kNone: nowhere in the plugin.
  Op Busy() const;
  // Ends a fence whose cell says that it is done.
  braid_status Settle(const std::shared_ptr<RemoteFence>& fence);

  Channel channel_;
  const pid_t pid_;
  const int pidfd_;  // -1: this kernel has none
  std::string name_;
  const std::shared_ptr<HostBoard> board_;
  const OnLost on_lost_;
  const uint64_t set_deadline_ns_ = DeadlineFromEnvironmentNs();
  std::atomic<uint64_t> next_id_{1};
  bool InFork() const { return born_ != Forks(); }
  // How often this process has been forked from another since the library was loaded.
  static uint64_t Forks();
  const uint64_t born_ = Forks();
  std::atomic<bool> lost_{false}, closing_{false};
  std::mutex numbered_mutex_;
  std::atomic<uint64_t> numbered_{0};  // messages of SendNumbered so far
  std::mutex mutex_;
  std::condition_variable answered_, read_all_;
  bool reader_ended_ = false;
  std::string why_lost_, why_failed_;
  std::unordered_map<uint64_t, Waiting*> calls_;
  std::unordered_map<uint64_t, std::shared_ptr<RemoteFence>> fences_;
  std::map<uint64_t, std::weak_ptr<RemoteFence>> newest_;  // by lane
  std::vector<std::unique_ptr<SharedBlock>> pool_;
  uint64_t pool_bytes_ = 0;
  std::thread reader_, watcher_;
};

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_CONNECTION_H_
