// SPDX-License-Identifier: Apache-2.0
//
// The tables of a plugin that is served by another process (server.cc).
#include "core/plugins/isolate/isolate.h"

#include <algorithm>
#include <chrono>
#include <deque>

#include "absl/strings/str_cat.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/connection.h"

namespace braid {
namespace isolate {
namespace {

// The objects that the host holds.
struct ClientDevice {
  std::shared_ptr<Connection> connection;
  uint64_t id;
};
struct ClientBuffer {
  uint64_t id;
};
struct ClientExec {
  std::shared_ptr<Connection> connection;
  uint64_t id;
};
struct ClientFence {
  std::shared_ptr<Connection> connection;
  std::shared_ptr<RemoteFence> state;
};

ClientDevice* Self(braid_device* d) { return reinterpret_cast<ClientDevice*>(d); }
ClientBuffer* Self(braid_buffer* b) { return reinterpret_cast<ClientBuffer*>(b); }
ClientExec* Self(braid_exec* e) { return reinterpret_cast<ClientExec*>(e); }
ClientFence* Self(braid_fence* f) { return reinterpret_cast<ClientFence*>(f); }
uint64_t IdOf(braid_buffer* b) { return b == nullptr ? 0 : Self(b)->id; }

braid_status Garbled() {
  ErrorSink::Set("the plugin's process gave an answer that cannot be");
  return BRAID_INTERNAL;
}

// A struct that the other side sent in our own layout, given to a caller whose struct may be shorter.
template <class T>
void Give(T mine, T* theirs) {
  const uint32_t size = theirs->size;
  mine.size = size;
  std::memcpy(theirs, &mine, std::min<size_t>(size, sizeof mine));
}

// ---- Fences ----

braid_status BRAID_CALL FenceWait(braid_fence* f, uint64_t timeout) {
  RemoteFence& s = *Self(f)->state;
  std::unique_lock<std::mutex> lock(s.mutex);
  const auto done = [&] { return s.status != BRAID_PENDING; };
  if (timeout > uint64_t{1} << 60) {
    s.ready.wait(lock, done);
  } else if (timeout > 0) {
    s.ready.wait_for(lock, std::chrono::nanoseconds(timeout), done);
  }
  return s.status;
}

void BRAID_CALL FenceOnReady(braid_fence* f, void(BRAID_CALL* callback)(void*, braid_status),
                             void* argument) {
  RemoteFence& s = *Self(f)->state;
  braid_status status;
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    status = s.status;
    if (status == BRAID_PENDING) {
      s.callback = callback;
      s.argument = argument;
    }
  }
  if (status != BRAID_PENDING) callback(argument, status);
}

braid_status BRAID_CALL FenceCompletion(braid_fence* f, braid_completion* out) {
  RemoteFence& s = *Self(f)->state;
  std::lock_guard<std::mutex> lock(s.mutex);
  if (s.status == BRAID_PENDING) return BRAID_PENDING;
  braid_completion mine = BRAID_COMPLETION_INIT;
  mine.status = s.status;
  mine.text = {s.text.data(), s.text.size()};
  mine.start_ns = s.start_ns;
  mine.end_ns = s.end_ns;
  Give(mine, out);
  return BRAID_OK;
}

void BRAID_CALL FenceCancel(braid_fence* f) { Self(f)->connection->Tell(Op::kCancel, Self(f)->state->id); }

void BRAID_CALL FenceDestroy(braid_fence* f) {
  Self(f)->connection->Tell(Op::kDestroyFence, Self(f)->state->id);
  delete Self(f);
}

std::shared_ptr<RemoteFence> NewFence(Connection& connection, uint64_t deadline_ns) {
  auto fence = std::make_shared<RemoteFence>();
  fence->id = connection.NewId();
  if (deadline_ns != 0) fence->deadline_ns = deadline_ns + 1'000'000'000;
  return fence;
}

void PutWaits(Writer& out, braid_fence* const* waits, uint32_t count) {
  out.Put(count);
  for (uint32_t i = 0; i < count; ++i) out.Put(Self(waits[i])->state->id);
}

// ---- Executables ----

void PutBindings(Writer& out, const void* bindings, uint32_t count, uint32_t stride) {
  out.Put(count);
  for (uint32_t i = 0; i < count; ++i) {
    braid_binding b = BRAID_BINDING_INIT;
    std::memcpy(&b, static_cast<const char*>(bindings) + uint64_t{stride} * i,
                std::min<size_t>(stride, sizeof b));
    b.size = sizeof b;
    out.Put(b).Put(IdOf(b.buffer));
    const uint64_t rank = b.rank < 0 ? 0 : static_cast<uint64_t>(b.rank);
    out.Bytes(b.dims, b.dims == nullptr ? 0 : rank * 8).Bytes(b.strides, b.strides == nullptr ? 0 : rank * 8);
    out.Bytes(b.host, b.host == nullptr ? 0 : b.bytes);
  }
}

braid_status BRAID_CALL ExecIo(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  std::string result;
  const braid_status status =
      Self(e)->connection->Call(Op::kIo, Writer().Put(Self(e)->id).Put(value), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto mine = in.Get<braid_io_requirements>();
  if (!in.ok()) return Garbled();
  Give(mine, out);
  return BRAID_OK;
}

bool ReadDims(Reader& in, int32_t rank, int64_t* dims) {
  const std::string_view data = in.Bytes();
  if (!in.ok() || rank < 0 || rank > static_cast<int32_t>(BRAID_MAX_RANK) ||
      data.size() != static_cast<uint64_t>(rank) * 8)
    return false;
  if (!data.empty()) std::memcpy(dims, data.data(), data.size());
  return true;
}

braid_status BRAID_CALL ExecDims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                 uint32_t output, int32_t* rank, int64_t* dims) {
  Writer out;
  out.Put(Self(e)->id).Put(output);
  PutBindings(out, inputs, count, stride);
  std::string result;
  const braid_status status = Self(e)->connection->Call(Op::kDims, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *rank = in.Get<int32_t>();
  return ReadDims(in, *rank, dims) ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecWorkspace(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                      uint64_t* bytes) {
  Writer out;
  out.Put(Self(e)->id).Put(uint32_t{0});
  PutBindings(out, inputs, count, stride);
  std::string result;
  const braid_status status = Self(e)->connection->Call(Op::kWorkspace, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *bytes = in.Get<uint64_t>();
  return in.ok() ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecSubmit(braid_exec* e, const braid_submit* submit, braid_fence** out) {
  ClientExec* self = Self(e);
  auto fence = NewFence(*self->connection, submit->deadline_ns);
  braid_submit own = *submit;
  own.size = sizeof own;
  Writer message;
  message.Put(self->id).Put(own).Put(IdOf(submit->workspace));
  PutWaits(message, submit->waits, submit->wait_count);
  PutBindings(message, submit->bindings, submit->binding_count, submit->binding_stride);
  self->connection->Start(Op::kSubmit, message, fence);
  *out = reinterpret_cast<braid_fence*>(new ClientFence{self->connection, std::move(fence)});
  return BRAID_OK;
}

braid_status BRAID_CALL ExecTake(braid_exec* e, braid_fence* f, uint32_t value, braid_buffer** buffer,
                                 int32_t* rank, int64_t* dims) {
  ClientExec* self = Self(e);
  const uint64_t id = self->connection->NewId();
  std::string result;
  const braid_status status = self->connection->Call(
      Op::kTake, Writer().Put(self->id).Put(Self(f)->state->id).Put(value).Put(id), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *rank = in.Get<int32_t>();
  const auto gave = in.Get<uint32_t>();
  if (!ReadDims(in, *rank, dims)) return Garbled();
  if (gave != 0) *buffer = reinterpret_cast<braid_buffer*>(new ClientBuffer{id});
  return BRAID_OK;
}

braid_status BRAID_CALL ExecSave(braid_exec* e, void* context,
                                 braid_status(BRAID_CALL* write)(void*, braid_bytes)) {
  std::string result;
  const braid_status status = Self(e)->connection->Call(Op::kSaveBlob, Writer().Put(Self(e)->id), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const std::string_view blob = in.Bytes();
  return in.ok() ? write(context, {blob.data(), blob.size()}) : Garbled();
}

void BRAID_CALL ExecDestroy(braid_exec* e) {
  Self(e)->connection->Tell(Op::kDestroyExec, Self(e)->id);
  delete Self(e);
}

// ---- The device ----

// A call that shows a graph: in shared memory as it is.
braid_status OnGraph(braid_device* d, Op op, const braid_graph* graph, const braid_compile_options* options,
                     const Writer& rest, std::string* result) {
  ClientDevice* self = Self(d);
  auto block = self->connection->TakeBlock(FlatBytes(*graph));
  if (block == nullptr) {
    ErrorSink::Set("no shared memory for the graph is to be had");
    return BRAID_OUT_OF_MEMORY;
  }
  Flatten(*graph, block->data());
  braid_compile_options own = BRAID_COMPILE_OPTIONS_INIT;
  std::memcpy(&own, options, std::min<size_t>(options->size, sizeof own));
  own.size = sizeof own;
  Writer out;
  out.Put(self->id).Put(block->id).Put(own);
  for (uint32_t i = 0; i < own.option_count; ++i)
    out.Bytes(own.options[i].key.ptr, own.options[i].key.len)
        .Bytes(own.options[i].value.ptr, own.options[i].value.len);
  out.Append(rest);
  const braid_status status = self->connection->Call(op, out, result, graph, own.deadline_ns);
  self->connection->GiveBack(std::move(block));
  return status;
}

braid_status BRAID_CALL DeviceQuery(braid_device* d, const braid_graph* graph,
                                    const braid_compile_options* options, void* verdicts, uint32_t stride) {
  std::string result;
  const braid_status status = OnGraph(d, Op::kQuery, graph, options, Writer(), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const std::string_view data = in.Bytes();
  if (data.size() != uint64_t{graph->node_count} * sizeof(braid_verdict)) return Garbled();
  for (uint32_t i = 0; i < graph->node_count; ++i)
    std::memcpy(static_cast<char*>(verdicts) + uint64_t{stride} * i, data.data() + sizeof(braid_verdict) * i,
                std::min<size_t>(stride, sizeof(braid_verdict)));
  return BRAID_OK;
}

braid_status BRAID_CALL DeviceEstimate(braid_device* d, const braid_graph* graph,
                                       const braid_compile_options* options, const uint32_t* nodes,
                                       const uint32_t* ends, uint32_t sets, void* costs, uint32_t stride) {
  std::string result;
  const uint64_t count = sets == 0 ? 0 : ends[sets - 1];
  const braid_status status =
      OnGraph(d, Op::kEstimate, graph, options,
              Writer().Bytes(nodes, count * 4).Bytes(ends, uint64_t{sets} * 4), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const std::string_view data = in.Bytes();
  if (data.size() != uint64_t{sets} * sizeof(braid_cost)) return Garbled();
  for (uint32_t i = 0; i < sets; ++i) {
    const uint32_t size = std::min<uint32_t>(stride, sizeof(braid_cost));
    char* to = static_cast<char*>(costs) + uint64_t{stride} * i;
    std::memcpy(to, data.data() + sizeof(braid_cost) * i, size);
    std::memcpy(to, &size, sizeof size);
  }
  return BRAID_OK;
}

braid_status BRAID_CALL DeviceLink(braid_device* d, const braid_device_info* peer, braid_link* out) {
  Writer message;
  message.Put(Self(d)->id);
  for (const braid_str& s : {peer->name, peer->vendor, peer->driver}) message.Bytes(s.ptr, s.len);
  message.Put(*peer);
  std::string result;
  const braid_status status = Self(d)->connection->Call(Op::kLink, message, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  auto link = in.Get<braid_link>();
  if (!in.ok()) return Garbled();
  // Handles of memory do not cross; data comes through the host.
  if (link.kind == BRAID_LINK_IMPORT || link.kind == BRAID_LINK_COPY) link.kind = BRAID_LINK_HOST;
  Give(link, out);
  return BRAID_OK;
}

braid_status MakeExec(braid_device* d, Op op, const braid_graph* graph, const braid_compile_options* options,
                      braid_bytes blob, braid_exec** out) {
  const uint64_t id = Self(d)->connection->NewId();
  const braid_status status =
      OnGraph(d, op, graph, options, Writer().Put(id).Bytes(blob.ptr, blob.len), nullptr);
  if (status == BRAID_OK) *out = reinterpret_cast<braid_exec*>(new ClientExec{Self(d)->connection, id});
  return status;
}

braid_status BRAID_CALL DeviceCompile(braid_device* d, const braid_graph* graph,
                                      const braid_compile_options* options, braid_exec** out) {
  return MakeExec(d, Op::kCompile, graph, options, {nullptr, 0}, out);
}

braid_status BRAID_CALL DeviceLoadBlob(braid_device* d, const braid_graph* graph,
                                       const braid_compile_options* options, braid_bytes blob,
                                       braid_exec** out) {
  return MakeExec(d, Op::kLoadBlob, graph, options, blob, out);
}

braid_status BRAID_CALL DeviceCheckBlob(braid_device* d, const braid_graph* graph,
                                        const braid_compile_options* options, braid_bytes blob) {
  return OnGraph(d, Op::kCheckBlob, graph, options, Writer().Put(uint64_t{0}).Bytes(blob.ptr, blob.len),
                 nullptr);
}

braid_status BRAID_CALL BufferAlloc(braid_device* d, const braid_buffer_desc* desc, braid_buffer** out) {
  if (desc->exports != 0 || (desc->flags & BRAID_BUFFER_MAPPABLE) != 0) {
    ErrorSink::Set("memory of an isolated plugin can neither be mapped nor exported");
    return BRAID_UNSUPPORTED;
  }
  const uint64_t id = Self(d)->connection->NewId();
  const braid_status status =
      Self(d)->connection->Call(Op::kAlloc, Writer().Put(Self(d)->id).Put(id).Put(*desc), nullptr);
  if (status == BRAID_OK) *out = reinterpret_cast<braid_buffer*>(new ClientBuffer{id});
  return status;
}

void BRAID_CALL BufferFree(braid_device* d, braid_buffer* b) {
  Self(d)->connection->Tell(Op::kFree, Self(b)->id);
  delete Self(b);
}

braid_status BRAID_CALL DeviceTransfer(braid_device* d, const braid_transfer* transfer, braid_fence** out) {
  ClientDevice* self = Self(d);
  Connection& connection = *self->connection;
  auto fence = NewFence(connection, 0);
  braid_transfer own = *transfer;
  own.size = sizeof own;
  uint64_t block = 0;
  if (transfer->kind != BRAID_TRANSFER_COPY && transfer->bytes > 0) {
    fence->staging = connection.TakeBlock(transfer->bytes);
    if (fence->staging == nullptr) {
      ErrorSink::Set(
          absl::StrCat("no shared memory for a transfer of ", transfer->bytes, " bytes is to be had"));
      return BRAID_OUT_OF_MEMORY;
    }
    block = fence->staging->id;
    if (transfer->kind == BRAID_TRANSFER_WRITE) {
      // Memory that an earlier READ of ours has still to fill is read when it has.
      while (const auto read = connection.PendingRead(transfer->host, transfer->bytes)) {
        std::unique_lock<std::mutex> lock(read->mutex);
        read->ready.wait(lock, [&] { return read->status != BRAID_PENDING; });
      }
      std::memcpy(fence->staging->data(), transfer->host, transfer->bytes);
    } else {
      fence->read_to = transfer->host;
      fence->read_bytes = transfer->bytes;
    }
  }
  Writer message;
  message.Put(self->id).Put(transfer->from_device == nullptr ? uint64_t{0} : Self(transfer->from_device)->id);
  message.Put(IdOf(transfer->to)).Put(IdOf(transfer->from)).Put(block).Put(own);
  PutWaits(message, transfer->waits, transfer->wait_count);
  connection.Start(Op::kTransfer, message, fence);
  *out = reinterpret_cast<braid_fence*>(new ClientFence{self->connection, std::move(fence)});
  return BRAID_OK;
}

braid_status BRAID_CALL DeviceHealth(braid_device* d, braid_health* out) {
  std::string result;
  const braid_status status = Self(d)->connection->Call(Op::kHealth, Writer().Put(Self(d)->id), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto mine = in.Get<braid_health>();
  if (!in.ok()) return Garbled();
  Give(mine, out);
  return BRAID_OK;
}

void BRAID_CALL DeviceClose(braid_device* d) {
  Self(d)->connection->Tell(Op::kClose, Self(d)->id);
  delete Self(d);
}

// ---- The plugin ----

class Layer : public PluginLayer {
 public:
  Layer(std::string library, std::string cache_dir)
      : library_(std::move(library)), cache_dir_(std::move(cache_dir)) {}

  // A process that is there: a new one if the last was lost.
  absl::StatusOr<std::shared_ptr<Connection>> Connect() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connection_ != nullptr && !connection_->lost()) return connection_;
    auto connection = Connection::Start(library_, cache_dir_);
    if (!connection.ok()) return connection.status();
    std::string result;
    ErrorSink::Clear();
    const braid_status status = (*connection)->Call(Op::kHello, Writer(), &result);
    if (status != BRAID_OK) return ToAbsl(status, ErrorSink::Take());
    Reader in(result);
    const auto opset = in.Get<int32_t>();
    const auto has = in.Get<uint32_t>();
    const std::string id(in.Bytes()), vendor(in.Bytes()), version(in.Bytes());
    if (!in.ok())
      return absl::InternalError(absl::StrCat(library_, ": its process gave an answer that cannot be"));
    if (connection_ == nullptr) Describe(opset, has, id, vendor, version);
    connection_ = *connection;
    return connection_;
  }

  const braid_plugin* table() override { return &table_; }
  // A string that lives as long as the plugin.
  braid_str Keep(std::string_view text) {
    std::lock_guard<std::mutex> lock(strings_mutex_);
    for (const std::string& s : strings_)
      if (s == text) return {s.data(), s.size()};
    strings_.emplace_back(text);
    return {strings_.back().data(), strings_.back().size()};
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mutex_);
    // A plugin that does not end in time is ended.
    constexpr uint64_t kPatienceNs = 1'000'000'000;
    if (connection_ != nullptr && !connection_->lost())
      (void)connection_->Call(Op::kShutdown, Writer(), nullptr, nullptr, HostNow() + kPatienceNs);
    connection_.reset();
  }

 private:
  void Describe(int32_t opset, uint32_t has, const std::string& id, const std::string& vendor,
                const std::string& version);
  const std::string library_, cache_dir_;
  std::mutex mutex_, strings_mutex_;
  std::shared_ptr<Connection> connection_;
  std::deque<std::string> strings_;
  braid_plugin table_ = BRAID_PLUGIN_INIT;
  braid_device_fns device_ = BRAID_DEVICE_FNS_INIT;
  braid_exec_fns exec_ = BRAID_EXEC_FNS_INIT;
  braid_fence_fns fence_ = BRAID_FENCE_FNS_INIT;
};

Layer* LayerOf(const braid_plugin* p) { return static_cast<Layer*>(p->data); }

braid_status Failed(const absl::Status& status) {
  ErrorSink::Set(std::string(status.message()));
  return FromAbsl(status);
}

braid_status BRAID_CALL PluginEnumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                        uint32_t stride, uint32_t* count) {
  auto connection = LayerOf(p)->Connect();
  if (!connection.ok()) return Failed(connection.status());
  std::string result;
  const braid_status status = (*connection)->Call(Op::kEnumerate, Writer(), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < *count && in.ok(); ++i) {
    auto info = in.Get<braid_device_info>();
    info.name = LayerOf(p)->Keep(in.Bytes());
    info.vendor = LayerOf(p)->Keep(in.Bytes());
    info.driver = LayerOf(p)->Keep(in.Bytes());
    if (i >= capacity) continue;
    info.size = std::min<uint32_t>(stride, sizeof info);
    std::memcpy(static_cast<char*>(infos) + uint64_t{stride} * i, &info, info.size);
  }
  return in.ok() ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL PluginOpen(const braid_plugin* p, uint32_t index, const braid_open_options* options,
                                   braid_device** out) {
  auto connection = LayerOf(p)->Connect();
  if (!connection.ok()) return Failed(connection.status());
  const uint64_t id = (*connection)->NewId();
  Writer message;
  message.Put(id).Put(index).Put(options == nullptr ? 0u : options->option_count);
  for (uint32_t i = 0; options != nullptr && i < options->option_count; ++i) {
    const braid_option& o = options->options[i];
    message.Bytes(o.key.ptr, o.key.len).Bytes(o.value.ptr, o.value.len);
  }
  const braid_status status = (*connection)->Call(Op::kOpen, message, nullptr);
  if (status == BRAID_OK) *out = reinterpret_cast<braid_device*>(new ClientDevice{*connection, id});
  return status;
}

const void* BRAID_CALL PluginExtension(const braid_plugin*, const char*) { return nullptr; }
void BRAID_CALL PluginShutdown(const braid_plugin* p) { LayerOf(p)->Close(); }

void Layer::Describe(int32_t opset, uint32_t has, const std::string& id, const std::string& vendor,
                     const std::string& version) {
  const auto given = [&](int bit) { return (has >> bit & 1) != 0; };
  table_.abi = BRAID_ABI;
  table_.data = this;
  table_.id = Keep(id);
  table_.vendor = Keep(vendor);
  table_.version = Keep(version);
  table_.newest_opset = opset;
  table_.enumerate = PluginEnumerate;
  table_.open = PluginOpen;
  table_.device = &device_;
  table_.exec = &exec_;
  table_.fence = &fence_;
  table_.get_extension = PluginExtension;
  table_.shutdown = PluginShutdown;
  device_.query = DeviceQuery;
  device_.estimate = given(0) ? DeviceEstimate : nullptr;
  device_.link = given(1) ? DeviceLink : nullptr;
  device_.compile = DeviceCompile;
  device_.check_blob = given(2) ? DeviceCheckBlob : nullptr;
  device_.load_blob = given(3) ? DeviceLoadBlob : nullptr;
  device_.buffer_alloc = BufferAlloc;
  device_.buffer_free = BufferFree;
  device_.transfer = DeviceTransfer;
  device_.health = DeviceHealth;
  device_.close = DeviceClose;
  exec_.io_requirements = ExecIo;
  exec_.output_dims = ExecDims;
  exec_.workspace_size = ExecWorkspace;
  exec_.submit = ExecSubmit;
  exec_.take_output = ExecTake;
  exec_.save_blob = given(4) ? ExecSave : nullptr;
  exec_.destroy = ExecDestroy;
  fence_.wait = FenceWait;
  fence_.on_ready = FenceOnReady;
  fence_.completion = FenceCompletion;
  fence_.cancel = given(5) ? FenceCancel : nullptr;
  fence_.destroy = FenceDestroy;
}

}  // namespace
}  // namespace isolate

absl::StatusOr<std::shared_ptr<PluginLayer>> LoadIsolated(const std::string& library,
                                                          const std::string& cache_dir) {
  auto layer = std::make_shared<isolate::Layer>(library, cache_dir);
  if (auto connection = layer->Connect(); !connection.ok()) return connection.status();
  return layer;
}

}  // namespace braid
