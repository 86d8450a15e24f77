// SPDX-License-Identifier: Apache-2.0
//
// braid-plugin-host: the process that a plugin is isolated in. Serves the tables of one plugin over the
// socket that it was started with (descriptor 3) and the memory of board.h (4), and ends when the host does.
//
//   braid-plugin-host LIBRARY [CACHE_FOLDER]
//
// The main thread reads the socket. It makes quick calls itself; calls that may take long get a thread each.
// Submits, transfers and what must come after them come through the board's ring, and run in their order on
// one thread. Another thread sends, since a fence's callback must not block. One more ends all when the host
// is gone.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "core/plugins/device.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/board.h"
#include "core/plugins/isolate/crash_note.h"
#include "core/plugins/isolate/wire.h"
#include "core/plugins/view.h"

namespace braid::isolate {
namespace {

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

// Tells the host through the cell. False: it wants an event.
bool EndedWell(std::atomic<uint32_t>* cell) {
  if (cell == nullptr) return false;
  const uint32_t before = cell->fetch_or(kDone);
  if ((before & kSleeping) != 0) FutexWake(cell);
  return (before & kWanted) == 0;
}

struct Object {
  std::shared_ptr<SharedBlock> block = {};  // behind an imported buffer: it goes after the buffer
  std::shared_ptr<Device> device = {};
  std::shared_ptr<Exec> exec = {};
  std::shared_ptr<Buffer> buffer = {};
  std::shared_ptr<Task> work = {};
  std::optional<std::string> cache = {};  // of a device: its cache folder
};

// Whether its buffers may be memory of both processes. Host memory of the other process is not ours.
bool Shares(const DeviceInfo& info) {
  constexpr uint64_t kPage = 4096;
  return (info.imports & BRAID_HANDLE_HOST_POINTER) != 0 && info.import_alignment <= kPage;
}

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
    if (known.constant != 0) constants_[known.constant] = constant;
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

std::shared_ptr<const Constant> RemoteGraph::constant(uint32_t value) const {
  if (value >= graph_.value_count) return nullptr;
  const braid_value& known = *BRAID_AT(braid_value, graph_.values, graph_.value_stride, value);
  if ((known.flags & BRAID_VALUE_CONSTANT) == 0) return nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<const Constant>& held = held_[value];
  if (held == nullptr) held = server_->AskConstant(call_, value, known);
  return held;
}

void Server::Dispatch(Message& message) {
  const uint64_t id = message.header.id;
  const Op op = static_cast<Op>(message.header.op);
  Reader in(message.payload);
  switch (op) {
    case Op::kHello:
      return Load(id);
    case Op::kEnumerate:
      return Enumerate(id);
    case Op::kOpen: {
      const auto object = in.Get<uint64_t>();
      const auto index = in.Get<uint32_t>();
      std::optional<std::string> cache;
      if (in.Get<uint32_t>() != 0) cache = std::string(in.Bytes());
      Options options;
      for (auto n = in.Get<uint32_t>(); n > 0 && in.ok(); --n) {
        const std::string key(in.Bytes()), value(in.Bytes());
        options.emplace_back(key, value);
      }
      auto device = plugin_->MakeDevice(index, options, cache);
      absl::Status status = device.status();
      if (status.ok()) status = (*device)->Open();
      if (!status.ok()) return Reply(id, status);
      const DeviceInfo& info = (*device)->info();
      const bool shares = Shares(info);
      Keep(object, {.device = *device, .cache = cache});
      return Reply(id, BRAID_OK,
                   Writer()
                       .Put(static_cast<uint32_t>(shares))
                       .Put(static_cast<uint32_t>(shares && info.Has(BRAID_HOST_BINDINGS)))
                       .Put(info.import_alignment));
    }
    case Op::kQuery:
    case Op::kEstimate:
    case Op::kCompile:
    case Op::kCheckBlob:
    case Op::kLoadBlob:
      InBackground(op, [this, op, id, payload = std::move(message.payload)] { OnGraph(op, id, payload); });
      return;
    case Op::kLink: {
      const Object object = Find(in.Get<uint64_t>());
      const std::string name(in.Bytes()), vendor(in.Bytes()), driver(in.Bytes());
      auto peer = in.Get<braid_device_info>();
      peer.name = {name.data(), name.size()};
      peer.vendor = {vendor.data(), vendor.size()};
      peer.driver = {driver.data(), driver.size()};
      braid_link link = BRAID_LINK_INIT;
      const braid_status status =
          AtBoundary([&] { return object.device->table().device->link(object.device->get(), &peer, &link); });
      return Reply(id, status, Writer().Put(link));
    }
    case Op::kSaveBlob: {
      const auto exec = Find(in.Get<uint64_t>()).exec;
      InBackground(op, [this, id, exec] {
        std::string blob;
        const absl::Status status = exec->SaveBlob([&](std::string_view part) {
          blob += part;
          return absl::OkStatus();
        });
        if (!status.ok()) return Reply(id, status);
        Reply(id, BRAID_OK, Writer().Text(blob));
      });
      return;
    }
    case Op::kAlloc:
    case Op::kImport:
      return Alloc(op, id, in, message.fd);
    case Op::kFenceCreate: {
      const auto device = Find(in.Get<uint64_t>()).device;
      const auto object = in.Get<uint64_t>();
      auto fence = device->FenceCreate();
      if (!fence.ok()) return Reply(id, fence.status());
      auto task = std::make_shared<Task>();
      task->fence = *std::move(fence);
      Keep(object, {.work = task});
      return Reply(id, BRAID_OK);
    }
    case Op::kSignal:
      if (const auto work = Find(id).work; work != nullptr && !work->signalled.exchange(true))
        work->fence.Signal(in.Get<braid_status>());
      return;
    case Op::kHealth: {
      auto health = Find(in.Get<uint64_t>()).device->Health();
      if (!health.ok()) return Reply(id, health.status());
      return Reply(id, BRAID_OK, Writer().Put(*health));
    }
    case Op::kIo: {
      const auto exec = Find(in.Get<uint64_t>()).exec;
      auto io = exec->IoRequirements(in.Get<uint32_t>());
      if (!io.ok()) return Reply(id, io.status());
      return Reply(id, BRAID_OK, Writer().Put(*io));
    }
    case Op::kDims:
    case Op::kWorkspace:
      return Inputs(op, id, in);
    case Op::kTake:
      return Take(id, in);
    case Op::kCancel: {
      std::shared_ptr<Task> work;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto found = objects_.find(id);
        if (found == objects_.end()) {
          cancelled_.insert(id);
          return;
        }
        work = found->second.work;
      }
      if (work != nullptr) {
        work->cancelled.store(true);
        if (work->submitted.load()) work->fence.Cancel();
      }
      return;
    }
    case Op::kPayload: {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        payloads_[id] = std::move(message.payload);
      }
      numbered_.fetch_add(1);
      numbered_.notify_all();
      return;
    }
    case Op::kBlock: {
      auto block = SharedBlock::Map(message.fd, in.Get<uint64_t>());
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (block.ok()) {
          (*block)->CloseFd();
          blocks_[id] = *std::move(block);
        } else {
          blocks_.erase(id);
        }
      }
      numbered_.fetch_add(1);
      numbered_.notify_all();
      return;
    }
    case Op::kConstantIs: {
      std::shared_ptr<SharedBlock> block;
      if (message.fd >= 0)
        if (auto mapped = SharedBlock::Map(message.fd, in.Get<uint64_t>()); mapped.ok())
          block = *std::move(mapped);
      std::lock_guard<std::mutex> lock(mutex_);
      answers_[id] = std::move(block);
      answered_.notify_all();
      return;
    }
    default:
      return;
  }
}

void Server::Work() {
  for (;;) {
    RingHeader header;
    std::string payload;
    board_->Next(&header, &payload);
    for (uint64_t seen = numbered_.load(); seen < header.after; seen = numbered_.load()) numbered_.wait(seen);
    const uint64_t id = header.header.id;
    if (header.header.bytes == UINT32_MAX) {
      std::lock_guard<std::mutex> lock(mutex_);
      payload = std::move(payloads_[id]);
      payloads_.erase(id);
    }
    const SlotNote note(&board_->layout().worker_op, header.header.op);
    WorkOn(static_cast<Op>(header.header.op), id, payload);
  }
}

void Server::WorkOn(Op op, uint64_t id, const std::string& payload) {
  switch (op) {
    case Op::kSubmit:
      return Submit(id, payload);
    case Op::kTransfer:
      return Transfer(id, payload);
    case Op::kShutdown: {
      {
        std::unordered_map<uint64_t, Object> left;
        std::unique_lock<std::mutex> lock(mutex_);
        idle_.wait(lock, [&] { return background_ == 0; });
        left.swap(objects_);
        lock.unlock();
      }
      plugin_.reset();
      return Reply(id, BRAID_OK);
    }
    default: {
      const Object object = Drop(id);
      // A fence that the host never signalled has to end before it can go.
      if (object.work != nullptr && object.work->server == nullptr && !object.work->signalled.exchange(true))
        object.work->fence.Signal(BRAID_CANCELLED);
      const CacheScope cache(object.cache);
      return;
    }
  }
}

// With a descriptor: in memory of both processes, which the plugin imports.
void Server::Alloc(Op op, uint64_t id, Reader& in, int fd) {
  const auto device = Find(in.Get<uint64_t>()).device;
  const auto object = in.Get<uint64_t>();
  const auto desc = in.Get<braid_buffer_desc>();
  if (fd < 0) {
    auto buffer = device->BufferAlloc(desc.bytes, 0, desc.alignment);
    if (!buffer.ok()) return Reply(id, buffer.status());
    Keep(object, {.buffer = std::make_shared<Buffer>(*std::move(buffer))});
    return Reply(id, BRAID_OK);
  }
  const auto bytes = in.Get<uint64_t>(), offset = in.Get<uint64_t>(), room = in.Get<uint64_t>();
  auto block = SharedBlock::Map(fd, bytes);
  if (!block.ok()) return Reply(id, block.status());
  (*block)->CloseFd();
  if (desc.bytes > device->info().max_buffer)
    return Reply(id, absl::ResourceExhaustedError(
                         absl::StrCat("its buffers have at most ", device->info().max_buffer, " bytes")));
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_HOST_POINTER;
  handle.pointer = (*block)->data() + offset;
  handle.bytes = op == Op::kImport ? desc.bytes : room;
  auto buffer = device->BufferImport(handle);
  if (!buffer.ok()) return Reply(id, buffer.status());
  Keep(object, {.block = *std::move(block), .buffer = std::make_shared<Buffer>(*std::move(buffer))});
  Reply(id, BRAID_OK);
}

void Server::Load(uint64_t id) {
  Plugin::LoadOptions options;
  options.cache_dir = cache_;
  // The host checks its own side; what the plugin does with memory shows only here.
  const char* check = secure_getenv("BRAID_CHECK");
  options.check = check != nullptr && *check != '\0' && std::string_view(check) != "0";
  auto plugin = Plugin::Load(library_, options);
  if (!plugin.ok()) return Reply(id, plugin.status());
  plugin_ = *std::move(plugin);
  const braid_plugin& table = plugin_->table();
  uint32_t has = 0;
  const bool optional[] = {table.device->estimate != nullptr,
                           table.device->link != nullptr,
                           table.device->check_blob != nullptr,
                           table.device->load_blob != nullptr,
                           table.exec->save_blob != nullptr,
                           table.fence->cancel != nullptr,
                           table.device->buffer_import != nullptr,
                           table.device->fence_create != nullptr && table.fence->signal != nullptr};
  for (uint32_t i = 0; i < std::size(optional); ++i) has |= static_cast<uint32_t>(optional[i]) << i;
  Reply(id, BRAID_OK,
        Writer()
            .Put(table.newest_opset)
            .Put(has)
            .Text(plugin_->id())
            .Text(plugin_->vendor())
            .Text(plugin_->version()));
}

void Server::Enumerate(uint64_t id) {
  auto infos = plugin_->Enumerate();
  if (!infos.ok()) return Reply(id, infos.status());
  Writer out;
  out.Put(static_cast<uint32_t>(infos->size()));
  for (const DeviceInfo& info : *infos) {
    braid_device_info raw = BRAID_DEVICE_INFO_INIT;
    raw.kind = info.kind;
    std::copy(info.uuid.begin(), info.uuid.end(), raw.uuid);
    raw.memory_total = info.memory_total;
    raw.memory_free = info.memory_free;
    raw.alignment = info.alignment;
    raw.max_buffer = info.max_buffer;
    // Host memory of the other process is not ours, and its calls come back before the work is done.
    raw.flags =
        info.flags & ~static_cast<uint32_t>(BRAID_HOST_BINDINGS | BRAID_MEMORY_MAPPABLE | BRAID_SYNCHRONOUS);
    if (Shares(info)) {
      raw.flags |= BRAID_MEMORY_MAPPABLE;
      raw.imports = raw.exports = BRAID_HANDLE_FD | BRAID_HANDLE_MEMFD;
    }
    raw.arithmetic = info.arithmetic;
    raw.queues = info.queues;
    raw.transfer_queue = info.transfer_queue;
    raw.import_alignment = info.import_alignment;
    out.Put(raw).Text(info.name).Text(info.vendor).Text(info.driver);
  }
  Reply(id, BRAID_OK, out);
}

void Server::OnGraph(Op op, uint64_t id, const std::string& payload) {
  Reader in(payload);
  const Object of = Find(in.Get<uint64_t>());
  const auto& device = of.device;
  const CacheScope cache(of.cache);
  const RemoteGraph graph(this, id, BlockOf(in.Get<uint64_t>()));
  auto options = in.Get<braid_compile_options>();
  std::vector<braid_option> list;
  for (uint32_t i = 0; i < options.option_count && in.ok(); ++i) {
    const std::string_view key = in.Bytes(), value = in.Bytes();
    list.push_back({{key.data(), key.size()}, {value.data(), value.size()}});
  }
  options.options = list.data();
  const braid_device_fns& fns = *device->table().device;
  ErrorSink::Clear();
  if (op == Op::kQuery) {
    braid_verdict none{};
    none.code = BRAID_NO_OP;
    none.input = none.attr = none.group = BRAID_NONE;
    std::vector<braid_verdict> verdicts(graph.raw()->node_count, none);
    const braid_status status = AtBoundary([&] {
      return fns.query(device->get(), graph.raw(), &options, verdicts.data(), sizeof(braid_verdict));
    });
    return Reply(id, status, Writer().Bytes(verdicts.data(), verdicts.size() * sizeof(braid_verdict)));
  }
  if (op == Op::kEstimate) {
    const std::string_view nodes = in.Bytes(), ends = in.Bytes();
    std::vector<uint32_t> node_list(nodes.size() / 4), end_list(ends.size() / 4);
    if (!node_list.empty()) std::memcpy(node_list.data(), nodes.data(), node_list.size() * 4);
    if (!end_list.empty()) std::memcpy(end_list.data(), ends.data(), end_list.size() * 4);
    const braid_cost none = BRAID_COST_INIT;
    std::vector<braid_cost> costs(end_list.size(), none);
    const braid_status status = AtBoundary([&] {
      return fns.estimate(device->get(), graph.raw(), &options, node_list.data(), end_list.data(),
                          static_cast<uint32_t>(end_list.size()), costs.data(), sizeof(braid_cost));
    });
    return Reply(id, status, Writer().Bytes(costs.data(), costs.size() * sizeof(braid_cost)));
  }
  const auto object = in.Get<uint64_t>();
  const std::string_view blob = in.Bytes();
  if (op == Op::kCheckBlob)
    return Reply(id, AtBoundary([&] {
                   return fns.check_blob(device->get(), graph.raw(), &options, {blob.data(), blob.size()});
                 }));
  braid_exec* raw = nullptr;
  braid_status status = AtBoundary([&] {
    return op == Op::kCompile
               ? fns.compile(device->get(), graph.raw(), &options, &raw)
               : fns.load_blob(device->get(), graph.raw(), &options, {blob.data(), blob.size()}, &raw);
  });
  if (status == BRAID_OK && raw == nullptr) {
    ErrorSink::Set("OK without an executable");
    status = BRAID_INTERNAL;
  }
  if (status == BRAID_OK) Keep(object, {.device = device, .exec = std::make_shared<Exec>(device, raw)});
  Reply(id, status);
}

void Server::ReadBindings(Reader& in, Bindings* out) {
  const auto count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    auto b = in.Get<braid_binding>();
    const auto buffer = in.Get<uint64_t>();
    const std::string_view dims = in.Bytes(), strides = in.Bytes(), host = in.Bytes();
    const auto copy = [&](std::string_view from) {
      out->dims.emplace_back(from.size() / 8);
      if (!from.empty()) std::memcpy(out->dims.back().data(), from.data(), from.size());
      return out->dims.back().data();
    };
    b.dims = copy(dims);
    b.strides = strides.empty() ? nullptr : copy(strides);
    b.buffer = nullptr;
    if (buffer != 0) {
      out->keep.push_back(Find(buffer).buffer);
      if (out->keep.back() != nullptr) b.buffer = out->keep.back()->get();
    }
    out->host.emplace_back(host);
    b.host = nullptr;
    out->list.push_back(b);
  }
  // Host values lie aligned in strings of their own, which no longer move.
  for (size_t i = 0; i < out->list.size(); ++i)
    if (!out->host[i].empty()) out->list[i].host = out->host[i].data();
}

void Server::Inputs(Op op, uint64_t id, Reader& in) {
  const auto exec = Find(in.Get<uint64_t>()).exec;
  const auto output = in.Get<uint32_t>();
  Bindings bindings;
  ReadBindings(in, &bindings);
  const auto count = static_cast<uint32_t>(bindings.list.size());
  if (op == Op::kWorkspace) {
    uint64_t bytes = 0;
    const braid_status status = exec->WorkspaceSize(bindings.list.data(), count, &bytes);
    return Reply(id, status, Writer().Put(bytes));
  }
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  const braid_status status = exec->OutputDims(bindings.list.data(), count, output, &rank, dims);
  Reply(id, status, Writer().Put(rank).Bytes(dims, status == BRAID_OK ? static_cast<uint64_t>(rank) * 8 : 0));
}

void Server::Take(uint64_t id, Reader& in) {
  const auto exec = Find(in.Get<uint64_t>()).exec;
  const auto work = Find(in.Get<uint64_t>()).work;
  const auto value = in.Get<uint32_t>();
  const auto object = in.Get<uint64_t>();
  Buffer buffer;
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  const absl::Status status = exec->TakeOutput(work->fence, value, &buffer, &rank, dims);
  if (!status.ok()) return Reply(id, status);
  const auto gave = static_cast<uint32_t>(static_cast<bool>(buffer));
  if (gave != 0) Keep(object, {.buffer = std::make_shared<Buffer>(std::move(buffer))});
  Reply(id, BRAID_OK, Writer().Put(rank).Put(gave).Bytes(dims, static_cast<uint64_t>(rank) * 8));
}

braid_status Server::Waits(Reader& in, std::vector<braid_fence*>* out,
                           std::vector<std::shared_ptr<Task>>* keep) {
  for (auto n = in.Get<uint32_t>(); n > 0 && in.ok(); --n) {
    const auto work = Find(in.Get<uint64_t>()).work;
    if (work == nullptr) continue;
    keep->push_back(work);
    if (work->fence) {
      out->push_back(work->fence.get());
    } else if (work->status != BRAID_OK) {
      return work->status;
    }
  }
  return BRAID_OK;
}

void Server::Track(std::shared_ptr<Task> work, braid_status status) {
  work->status = status;
  Keep(work->id, {.work = work});
  if (status != BRAID_OK || !work->fence) {
    const std::string text = ErrorSink::Take();
    if (status == BRAID_OK && EndedWell(work->cell)) return;
    return Finished(work->id, status, text, 0, 0);
  }
  if (work->cell != nullptr && work->fence.Wait(0) == BRAID_OK && EndedWell(work->cell)) return;
  work->fence.OnReady(
      [](void* argument, braid_status ended) {
        // Text and times are asked for on the sender's thread: here nothing may block. Once the cell is
        // written, the host may have the fence and its task destroyed.
        auto* w = static_cast<Task*>(argument);
        Server* server = w->server;
        const uint64_t id = w->id;
        if (ended == BRAID_OK && w->cell != nullptr) {
          if (!EndedWell(w->cell))
            server->sender_.Push([server, id] { server->Finished(id, BRAID_OK, "", 0, 0); });
          return;
        }
        server->sender_.Push([w] {
          const SlotNote note(&w->server->board_->layout().sender_op, static_cast<uint32_t>(Op::kCompletion));
          braid_completion end = BRAID_COMPLETION_INIT;
          std::string why;
          if (auto completion = w->fence.Completion(); completion.ok()) {
            end = *completion;
          } else {
            end.status = FromAbsl(completion.status());
            why = std::string(completion.status().message());
            end.text = {why.data(), why.size()};
          }
          (void)w->server->channel_.Send(
              Op::kEvent, w->id,
              Writer()
                  .Put(end.status)
                  .Put(end.start_ns)
                  .Put(end.end_ns)
                  .Text({end.text.ptr, end.text.ptr == nullptr ? 0 : std::min(end.text.len, kMaxText)})
                  .data());
        });
      },
      work.get());
}

// Submits what can be cancelled meanwhile.
template <class Call>
braid_status Server::Cancellable(const std::shared_ptr<Task>& work, const Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    objects_[work->id] = {.work = work};
    if (cancelled_.erase(work->id) != 0) work->cancelled.store(true);
  }
  const CancelScope scope(&work->cancelled);
  const braid_status status = call();
  work->submitted.store(true);
  if (work->cancelled.load()) {
    const SlotNote note(&board_->layout().worker_op, static_cast<uint32_t>(Op::kCancel));
    work->fence.Cancel();
  }
  return status;
}

void Server::Submit(uint64_t id, const std::string& payload) {
  Reader in(payload);
  auto work = std::make_shared<Task>();
  work->server = this;
  work->id = id;
  work->cell = board_->cell(in.Get<uint32_t>());
  const auto exec = Find(in.Get<uint64_t>()).exec;
  auto submit = in.Get<braid_submit>();
  // The times of a run come with its event.
  if ((submit.flags & BRAID_SUBMIT_TIMED) != 0) work->cell = nullptr;
  const auto workspace = Find(in.Get<uint64_t>()).buffer;
  std::vector<braid_fence*> waits;
  std::vector<std::shared_ptr<Task>> keep;
  ErrorSink::Clear();
  braid_status status = Waits(in, &waits, &keep);
  Bindings bindings;
  ReadBindings(in, &bindings);
  submit.bindings = bindings.list.data();
  submit.binding_count = static_cast<uint32_t>(bindings.list.size());
  submit.binding_stride = sizeof(braid_binding);
  submit.waits = waits.data();
  submit.wait_count = static_cast<uint32_t>(waits.size());
  submit.workspace = workspace == nullptr ? nullptr : workspace->get();
  if (status == BRAID_OK)
    status = exec == nullptr ? BRAID_INVALID_ARGUMENT
                             : Cancellable(work, [&] { return exec->Submit(submit, &work->fence); });
  Track(std::move(work), status);
}

void Server::Transfer(uint64_t id, const std::string& payload) {
  Reader in(payload);
  auto work = std::make_shared<Task>();
  work->server = this;
  work->id = id;
  work->cell = board_->cell(in.Get<uint32_t>());
  const auto device = Find(in.Get<uint64_t>()).device;
  const auto from_device = Find(in.Get<uint64_t>()).device;
  const auto to = Find(in.Get<uint64_t>()).buffer, from = Find(in.Get<uint64_t>()).buffer;
  work->staging = BlockOf(in.Get<uint64_t>());
  auto transfer = in.Get<braid_transfer>();
  if ((transfer.flags & BRAID_SUBMIT_TIMED) != 0) work->cell = nullptr;
  std::vector<braid_fence*> waits;
  std::vector<std::shared_ptr<Task>> keep;
  ErrorSink::Clear();
  braid_status status = Waits(in, &waits, &keep);
  transfer.to = to == nullptr ? nullptr : to->get();
  transfer.from = from == nullptr ? nullptr : from->get();
  transfer.from_device = from_device == nullptr ? nullptr : from_device->get();
  transfer.host = work->staging == nullptr ? nullptr : work->staging->data();
  transfer.waits = waits.data();
  transfer.wait_count = static_cast<uint32_t>(waits.size());
  if (status == BRAID_OK)
    status = device == nullptr ? BRAID_INVALID_ARGUMENT : device->Transfer(transfer, &work->fence);
  Track(std::move(work), status);
}

constexpr int kSocket = 3, kBoard = 4;

void EndAll() {
  kill(-getpid(), SIGKILL);
  kill(getpid(), SIGKILL);  // should it no longer be in that group
}

// Whatever the plugin's threads do, and with all that it has forked. PR_SET_PDEATHSIG would not do: it goes
// by the thread that started this process, and what is forked does not have it.
void EndWithTheHost(pid_t host) {
  std::thread([host] {
    int pidfd = -1;
#ifdef SYS_pidfd_open
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, host, 0));
#endif
    constexpr int kPollMs = 500;
    for (;;) {
      pollfd ends[2] = {{kSocket, POLLRDHUP, 0}, {pidfd, POLLIN, 0}};
      if (poll(ends, 2, pidfd < 0 ? kPollMs : -1) > 0 || getppid() != host) break;
    }
    EndAll();
  }).detach();
}

BoardLayout* board_of_all = nullptr;

// A child that goes on without exec would else keep the socket open, and write its crash where ours belongs.
void LeaveToTheParent() {
  close(kSocket);
  close(kBoard);
  mmap(board_of_all, sizeof *board_of_all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
       -1, 0);
}

}  // namespace
}  // namespace braid::isolate

#ifdef BRAID_SANITIZED
// A signal ends the process as it does without sanitizers: the host is told which.
extern "C" const char* __asan_default_options();
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0";
}
#endif

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: braid-plugin-host LIBRARY [CACHE_FOLDER]; Braid starts it by itself\n");
    return 2;
  }
  using namespace braid::isolate;
  // Whoever made the socket; it may be gone by now.
  ucred host{};
  socklen_t size = sizeof host;
  if (getsockopt(kSocket, SOL_SOCKET, SO_PEERCRED, &host, &size) != 0 || getppid() != host.pid) return 1;
  for (int fd : {kSocket, kBoard}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  auto board = ProcessBoard::Open(kBoard);
  if (board == nullptr) return 2;
  // No signal of the plugin's is handled there.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  EndWithTheHost(host.pid);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  board_of_all = &board->layout();
  pthread_atfork(nullptr, nullptr, LeaveToTheParent);
  NoteCrashes(board_of_all);
  auto* server = new Server(kSocket, std::move(board), argv[1], argc > 2 ? argv[2] : "");
  server->Run();
  // Threads of the plugin may still run, and what it has forked: no destructor waits for them.
  EndAll();
}
