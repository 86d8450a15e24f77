// SPDX-License-Identifier: Apache-2.0
//
// Serves the tables of one plugin to the process that started this one, over a socket and a board of shared
// memory.
//
// The threads: the main one reads the socket. It makes quick calls itself; calls that may take long get a
// thread each. Submits, transfers and what must come after them come through the board's ring, and run in
// their order on one thread. Another thread sends, since a fence's callback must not block.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_SERVER_H_
#define BRAID_CORE_PLUGINS_ISOLATE_SERVER_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/plugins/device.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/board.h"
#include "core/plugins/isolate/crash_note.h"
#include "core/plugins/isolate/wire.h"
#include "core/plugins/view.h"

namespace braid::isolate {

// Tasks in order, on a thread of its own.
class Serial {
 public:
  Serial() : thread_([this] { Loop(); }) {}
  ~Serial() {
    Push(nullptr);
    thread_.join();
  }
  void Push(std::function<void()> task) {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    wake_.notify_one();
  }

 private:
  void Loop() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (task == nullptr) return;
      task();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::thread thread_;
};

class Server;

// A run or transfer. Its Fence is empty where the plugin was done at once.
struct Task {
  Server* server = nullptr;
  uint64_t id = 0;
  std::atomic<uint32_t>* cell = nullptr;  // where its good end is told; null: by an event
  Fence fence;
  braid_status status = BRAID_PENDING;  // of the submit, if it failed
  std::shared_ptr<SharedBlock> staging;
  // The wish to cancel may come while submit is still being called, and before there is a fence.
  std::atomic<bool> cancelled{false}, submitted{false};
  std::atomic<bool> signalled{false};  // of fence_create
};

struct Object {
  std::shared_ptr<SharedBlock> block = {};  // behind an imported buffer: it goes after the buffer
  std::shared_ptr<Device> device = {};
  std::shared_ptr<Exec> exec = {};
  std::shared_ptr<Buffer> buffer = {};
  std::shared_ptr<Task> work = {};
  std::optional<std::string> cache = {};  // of a device: its cache folder
};

// The graph of a call, whose constants the host has.
class RemoteGraph : public ConstantProvider {
 public:
  RemoteGraph(Server* server, uint64_t call, std::shared_ptr<SharedBlock> block)
      : server_(server), call_(call), block_(std::move(block)), graph_(Unflatten(block_->data())) {
    graph_.host_data = static_cast<ConstantProvider*>(this);
  }
  const braid_graph* raw() const { return &graph_; }
  std::shared_ptr<const Constant> constant(uint32_t value) const override;

 private:
  Server* server_;
  uint64_t call_;
  std::shared_ptr<SharedBlock> block_;
  braid_graph graph_;
  mutable std::mutex mutex_;
  mutable std::map<uint32_t, std::shared_ptr<const Constant>> held_;  // for the call
};

class Server {
 public:
  Server(int fd, std::unique_ptr<ProcessBoard> board, std::string library, std::string cache)
      : channel_(fd), board_(std::move(board)), library_(std::move(library)), cache_(std::move(cache)) {}

  // Until the host is gone.
  void Run() {
    std::thread([this] { Work(); }).detach();
    Message message;
    while (channel_.Receive(&message).ok()) {
      const SlotNote note(&board_->layout().main_op, message.header.op);
      Dispatch(message);
    }
  }

  // Asks the host, from a thread that is not the reader's.
  std::shared_ptr<const Constant> AskConstant(uint64_t call, uint32_t value, const braid_value& known) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (auto kept = constants_[known.constant].lock(); kept != nullptr && known.constant != 0) return kept;
    }
    const uint64_t id = next_question_.fetch_add(1);
    Send(Op::kConstant, id, Writer().Put(call).Put(value));
    std::unique_lock<std::mutex> lock(mutex_);
    answered_.wait(lock, [&] { return answers_.count(id) != 0; });
    const std::shared_ptr<SharedBlock> block = std::move(answers_[id]);
    answers_.erase(id);
    if (block == nullptr) return nullptr;
    auto constant = std::make_shared<Constant>();
    constant->id = known.constant;
    constant->data = block->data();
    constant->bytes = known.bytes;
    constant->owner = block;
    if (known.constant != 0) {
      std::erase_if(constants_, [](const auto& kept) { return kept.second.expired(); });
      constants_[known.constant] = constant;
    }
    return constant;
  }

  void Finished(uint64_t id, braid_status status, std::string_view text, uint64_t start, uint64_t end) {
    Send(Op::kEvent, id, Writer().Put(status).Put(start).Put(end).Text(text));
  }

 private:
  void Send(Op op, uint64_t id, const Writer& payload) {
    sender_.Push([this, op, id, data = payload.data()] { (void)channel_.Send(op, id, data); });
  }
  // A reply: status, text, then what the call gives.
  void Reply(uint64_t id, braid_status status, const Writer& result = {}) {
    if (result.data().size() > kMaxPayload - kMaxText - 64) {
      ErrorSink::Set(absl::StrCat("an answer of ", result.data().size(), " bytes is too long to be sent"));
      return Reply(id, BRAID_OUT_OF_MEMORY);
    }
    Send(Op::kReply, id, Writer().Put(status).Text(ErrorSink::Take()).Text(result.data()));
  }
  void Reply(uint64_t id, const absl::Status& status) {
    ErrorSink::Set(std::string(status.message()));
    Reply(id, FromAbsl(status));
  }

  Object Find(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(id);
    return found == objects_.end() ? Object() : found->second;
  }
  void Keep(uint64_t id, Object object) {
    std::lock_guard<std::mutex> lock(mutex_);
    objects_[id] = std::move(object);
  }
  Object Drop(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    Object object = std::move(objects_[id]);
    objects_.erase(id);
    return object;
  }
  std::shared_ptr<SharedBlock> BlockOf(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blocks_.find(id);
    return found == blocks_.end() ? nullptr : found->second;
  }

  // On a thread of its own. Shutdown waits for it, since it holds what it works on.
  template <class Call>
  void InBackground(Op op, Call call) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++background_;
    }
    std::thread([this, op, call = std::move(call)]() mutable {
      {
        const SlotNote note(nullptr, static_cast<uint32_t>(op));
        const Call own = std::move(call);
        own();
      }
      std::lock_guard<std::mutex> lock(mutex_);
      --background_;
      idle_.notify_all();
    }).detach();
  }
  void Dispatch(Message& message);
  // The ring's messages, for ever.
  void Work();
  void WorkOn(Op op, uint64_t id, const std::string& payload);
  void Alloc(Op op, uint64_t id, Reader& in, int fd);
  void Load(uint64_t id);
  void Enumerate(uint64_t id);
  void OnGraph(Op op, uint64_t id, const std::string& payload);
  void Inputs(Op op, uint64_t id, Reader& in);
  void Take(uint64_t id, Reader& in);
  void Submit(uint64_t id, const std::string& payload);
  void Transfer(uint64_t id, const std::string& payload);
  void Track(std::shared_ptr<Task> work, braid_status status);
  template <class Call>
  braid_status Cancellable(const std::shared_ptr<Task>& work, const Call& call);
  // The fences behind waits; a status that is not OK if one of them has failed already.
  braid_status Waits(Reader& in, std::vector<braid_fence*>* out, std::vector<std::shared_ptr<Task>>* keep);

  struct Bindings {
    std::vector<braid_binding> list;
    std::vector<std::vector<int64_t>> dims;
    std::vector<std::string> host;
    std::vector<std::shared_ptr<Buffer>> keep;
  };
  void ReadBindings(Reader& in, Bindings* out);

  Channel channel_;
  const std::unique_ptr<ProcessBoard> board_;
  const std::string library_, cache_;
  std::shared_ptr<Plugin> plugin_;
  std::mutex mutex_;
  std::condition_variable answered_, idle_;
  int background_ = 0;  // threads of InBackground
  std::unordered_map<uint64_t, Object> objects_;
  std::unordered_map<uint64_t, std::shared_ptr<SharedBlock>> blocks_;
  std::unordered_map<uint64_t, std::shared_ptr<SharedBlock>> answers_;
  std::unordered_map<uint64_t, std::weak_ptr<const Constant>> constants_;
  std::unordered_map<uint64_t, std::string> payloads_;
  std::set<uint64_t> cancelled_;       // before their submit was read
  std::atomic<uint64_t> numbered_{0};  // messages that the ring's may refer to
  std::atomic<uint64_t> next_question_{1};
  Serial sender_;
};

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_SERVER_H_
