// SPDX-License-Identifier: Apache-2.0
//
// The tables of a plugin that is served by another process (server.cc).
#include "core/plugins/isolate/isolate.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/connection.h"
#include "core/plugins/isolate/restarts.h"

namespace braid {
namespace isolate {
namespace {

// The objects that the host holds.
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

ClientDevice* Self(braid_device* d) { return reinterpret_cast<ClientDevice*>(d); }
ClientBuffer* Self(braid_buffer* b) { return reinterpret_cast<ClientBuffer*>(b); }
ClientExec* Self(braid_exec* e) { return reinterpret_cast<ClientExec*>(e); }
ClientFence* Self(braid_fence* f) { return reinterpret_cast<ClientFence*>(f); }
uint64_t IdOf(braid_buffer* b) { return b == nullptr ? 0 : Self(b)->id; }
uint64_t Lane(uint64_t device, uint32_t queue) { return device << 16 | queue; }

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
  return Self(f)->connection->Wait(Self(f)->state, timeout);
}

void BRAID_CALL FenceOnReady(braid_fence* f, void(BRAID_CALL* callback)(void*, braid_status),
                             void* argument) {
  Self(f)->connection->OnReady(Self(f)->state, callback, argument);
}

braid_status BRAID_CALL FenceCompletion(braid_fence* f, braid_completion* out) {
  RemoteFence& s = *Self(f)->state;
  if (FenceWait(f, 0) == BRAID_PENDING) return BRAID_PENDING;
  std::lock_guard<std::mutex> lock(s.mutex);
  braid_completion mine = BRAID_COMPLETION_INIT;
  mine.status = s.status;
  mine.text = {s.text.data(), s.text.size()};
  mine.start_ns = s.start_ns;
  mine.end_ns = s.end_ns;
  Give(mine, out);
  return BRAID_OK;
}

void BRAID_CALL FenceCancel(braid_fence* f) { Self(f)->connection->Cancel(Self(f)->state); }

void BRAID_CALL FenceSignal(braid_fence* f, braid_status status) {
  Connection& connection = *Self(f)->connection;
  connection.Tell(Op::kSignal, Self(f)->state->id, Writer().Put(status));
  connection.Complete(Self(f)->state, status, "", 0, 0);
}

void BRAID_CALL FenceDestroy(braid_fence* f) {
  Self(f)->connection->TellInOrder(Op::kDestroyFence, Self(f)->state->id);
  delete Self(f);
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
    braid_binding sent = b;  // whose pointers mean nothing over there
    sent.buffer = nullptr;
    sent.host = nullptr;
    sent.dims = sent.strides = nullptr;
    out.Put(sent).Put(IdOf(b.buffer));
    const uint64_t rank = b.rank < 0 ? 0 : static_cast<uint64_t>(b.rank);
    out.Bytes(b.dims, b.dims == nullptr ? 0 : rank * 8).Bytes(b.strides, b.strides == nullptr ? 0 : rank * 8);
    out.Bytes(b.host, b.host == nullptr ? 0 : b.bytes);
  }
}

// Asks once, where the answer depends on nothing but the question. `cacheable`: the question is all there.
braid_status AskOnce(ClientExec* e, Answers* answers, Op op, const Writer& question, std::string* result) {
  std::string key(1, static_cast<char>(op));
  key += question.data();
  constexpr size_t kLargestKey = 4096;
  const bool keeps = key.size() <= kLargestKey;
  if (keeps && !e->connection->lost() && answers->Find(key, result)) return BRAID_OK;
  const braid_status status = e->connection->Call(op, Writer().Put(e->id).Append(question), result);
  if (status == BRAID_OK && keeps) answers->Keep(key, *result);
  return status;
}

braid_status BRAID_CALL ExecIo(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->io, Op::kIo, Writer().Put(value), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto mine = in.Get<braid_io_requirements>();
  if (!in.ok()) return Garbled();
  Give(mine, out);
  return BRAID_OK;
}

// Shapes, and values on the host: what output_dims and workspace_size may depend on. Not memory, so that the
// next run has the same question.
void PutShapes(Writer& out, const void* bindings, uint32_t count, uint32_t stride) {
  std::vector<braid_binding> list(count);
  for (uint32_t i = 0; i < count; ++i) {
    braid_binding& b = list[i];
    b = BRAID_BINDING_INIT;
    std::memcpy(&b, static_cast<const char*>(bindings) + uint64_t{stride} * i,
                std::min<size_t>(stride, sizeof b));
    b.buffer = nullptr;
    b.offset = 0;
  }
  PutBindings(out, list.data(), count, sizeof(braid_binding));
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
  out.Put(output);
  PutShapes(out, inputs, count, stride);
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->shapes, Op::kDims, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *rank = in.Get<int32_t>();
  return ReadDims(in, *rank, dims) ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecWorkspace(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                      uint64_t* bytes) {
  Writer out;
  out.Put(uint32_t{0});
  PutShapes(out, inputs, count, stride);
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->shapes, Op::kWorkspace, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *bytes = in.Get<uint64_t>();
  return in.ok() ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecSubmit(braid_exec* e, const braid_submit* submit, braid_fence** out) {
  ClientExec* self = Self(e);
  auto fence = self->connection->NewFence(Op::kSubmit, submit->deadline_ns);
  braid_submit own = BRAID_SUBMIT_INIT;
  std::memcpy(&own, submit, std::min<size_t>(submit->size, sizeof own));
  own.size = sizeof own;
  Writer message;
  message.Put(fence->cell).Put(self->id).Put(own).Put(IdOf(submit->workspace));
  PutWaits(message, submit->waits, submit->wait_count);
  PutBindings(message, submit->bindings, submit->binding_count, submit->binding_stride);
  self->connection->Start(message, fence, Lane(self->device, submit->queue));
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
  if (gave != 0) *buffer = reinterpret_cast<braid_buffer*>(new ClientBuffer{id, 0, nullptr});
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
  Self(e)->connection->TellInOrder(Op::kDestroyExec, Self(e)->id);
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
  // What the plugin imports of the peer's is not what reaches it here: memory of both processes, if any.
  if (link.kind == BRAID_LINK_IMPORT || link.kind == BRAID_LINK_COPY) link.kind = BRAID_LINK_HOST;
  Give(link, out);
  return BRAID_OK;
}

braid_status MakeExec(braid_device* d, Op op, const braid_graph* graph, const braid_compile_options* options,
                      braid_bytes blob, braid_exec** out) {
  const uint64_t id = Self(d)->connection->NewId();
  const braid_status status =
      OnGraph(d, op, graph, options, Writer().Put(id).Bytes(blob.ptr, blob.len), nullptr);
  if (status == BRAID_OK) {
    auto exec = std::make_unique<ClientExec>();
    exec->connection = Self(d)->connection;
    exec->id = id;
    exec->device = Self(d)->id;
    *out = reinterpret_cast<braid_exec*>(exec.release());
  }
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

constexpr uint32_t kHandles = BRAID_HANDLE_FD | BRAID_HANDLE_MEMFD;

// A buffer whose memory both processes see.
braid_status MakeShared(ClientDevice* self, Op op, std::unique_ptr<SharedBlock> block, uint64_t offset,
                        const braid_buffer_desc& desc, braid_buffer** out) {
  auto buffer = std::make_unique<ClientBuffer>();
  buffer->id = self->connection->NewId();
  buffer->bytes = desc.bytes;
  buffer->offset = offset;
  const uint64_t bytes = std::max<uint64_t>(desc.bytes, 1);
  const uint64_t room = op == Op::kImport ? bytes : (bytes + self->unit - 1) / self->unit * self->unit;
  const braid_status status = self->connection->Call(
      op, Writer().Put(self->id).Put(buffer->id).Put(desc).Put(block->bytes()).Put(offset).Put(room), nullptr,
      nullptr, 0, block->fd());
  if (status != BRAID_OK) return status;
  if (desc.exports == 0) block->CloseFd();
  buffer->block = std::move(block);
  buffer->exports = desc.exports;
  buffer->mappable = (desc.flags & BRAID_BUFFER_MAPPABLE) != 0;
  *out = reinterpret_cast<braid_buffer*>(buffer.release());
  return BRAID_OK;
}

braid_status BRAID_CALL BufferAlloc(braid_device* d, const braid_buffer_desc* given, braid_buffer** out) {
  ClientDevice* self = Self(d);
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  std::memcpy(&desc, given, std::min<size_t>(given->size, sizeof desc));
  desc.size = sizeof desc;
  const bool asks = desc.exports != 0 || (desc.flags & BRAID_BUFFER_MAPPABLE) != 0;
  if (asks && (!self->shares || (desc.exports & ~kHandles) != 0)) {
    ErrorSink::Set(self->shares
                       ? "an isolated plugin exports memory as a file descriptor only"
                       : "an isolated plugin that imports no host memory can neither map nor export");
    return BRAID_UNSUPPORTED;
  }
  if (desc.alignment != 0 && (desc.alignment & (desc.alignment - 1)) != 0) {
    ErrorSink::Set(absl::StrCat("an alignment of ", desc.alignment, " is no power of two"));
    return BRAID_INVALID_ARGUMENT;
  }
  constexpr uint64_t kPage = 4096;  // what mmap gives at least
  const bool may_share = self->shares && std::max<uint64_t>(desc.alignment, self->unit) <= kPage;
  if (may_share && (asks || self->shares_all)) {
    const uint64_t unit = std::max<uint64_t>(self->unit, 1);
    if (desc.bytes <= UINT64_MAX / 4)
      if (auto block = SharedBlock::Create((std::max<uint64_t>(desc.bytes, 1) + unit - 1) / unit * unit);
          block.ok()) {
        const braid_status status = MakeShared(self, Op::kAlloc, *std::move(block), 0, desc, out);
        if (status == BRAID_OK || status == BRAID_DEVICE_LOST || asks) return status;
      }
    if (asks) {
      ErrorSink::Set(absl::StrCat("no ", desc.bytes, " bytes of shared memory are to be had"));
      return BRAID_OUT_OF_MEMORY;
    }
  }
  const uint64_t id = self->connection->NewId();
  const braid_status status =
      self->connection->Call(Op::kAlloc, Writer().Put(self->id).Put(id).Put(desc), nullptr);
  if (status == BRAID_OK) *out = reinterpret_cast<braid_buffer*>(new ClientBuffer{id, desc.bytes, nullptr});
  return status;
}

braid_status BRAID_CALL BufferImport(braid_device* d, const braid_handle* handle, braid_buffer** out) {
  if (handle->kind != BRAID_HANDLE_FD && handle->kind != BRAID_HANDLE_MEMFD) {
    ErrorSink::Set("an isolated plugin imports memory of a file descriptor only");
    return BRAID_UNSUPPORTED;
  }
  ClientDevice* self = Self(d);
  const int seals = fcntl(static_cast<int>(handle->fd), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    ErrorSink::Set("the descriptor to import is of no memfd that is sealed against shrinking");
    return BRAID_INVALID_ARGUMENT;
  }
  if (handle->offset % std::max<uint64_t>(self->unit, 1) != 0 ||
      handle->bytes > UINT64_MAX - handle->offset) {
    ErrorSink::Set("the part to import is not aligned as the device needs it");
    return BRAID_INVALID_ARGUMENT;
  }
  const int fd = fcntl(static_cast<int>(handle->fd), F_DUPFD_CLOEXEC, 5);
  auto block = SharedBlock::Map(fd, std::max<uint64_t>(handle->offset + handle->bytes, 1));
  if (!block.ok()) {
    ErrorSink::Set(std::string(block.status().message()));
    return FromAbsl(block.status());
  }
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = handle->bytes;
  return MakeShared(self, Op::kImport, *std::move(block), handle->offset, desc, out);
}

braid_status BRAID_CALL BufferExport(braid_device*, braid_buffer* b, uint32_t kind, braid_handle* out) {
  ClientBuffer& buffer = *Self(b);
  if ((buffer.exports & kind) == 0 || (kind != BRAID_HANDLE_FD && kind != BRAID_HANDLE_MEMFD)) {
    ErrorSink::Set("the buffer was not made to be exported as this kind");
    return BRAID_UNSUPPORTED;
  }
  const int fd = fcntl(buffer.block->fd(), F_DUPFD_CLOEXEC, 5);
  if (fd < 0) {
    ErrorSink::Set("no file descriptor is to be had");
    return BRAID_OUT_OF_MEMORY;
  }
  braid_handle mine = BRAID_HANDLE_INIT;
  mine.kind = kind;
  mine.fd = fd;
  mine.bytes = buffer.bytes;
  Give(mine, out);
  return BRAID_OK;
}

braid_status BRAID_CALL DeviceMap(braid_device*, braid_buffer* b, uint64_t offset, uint64_t bytes,
                                  void** out) {
  ClientBuffer& buffer = *Self(b);
  if (!buffer.mappable || buffer.mapped || offset > buffer.bytes || bytes > buffer.bytes - offset) {
    ErrorSink::Set(!buffer.mappable ? "the buffer was not made to be mapped"
                   : buffer.mapped  ? "the buffer is mapped already"
                                    : "the part to map lies beyond the buffer");
    return BRAID_INVALID_ARGUMENT;
  }
  buffer.mapped = true;
  *out = buffer.block->data() + offset;
  return BRAID_OK;
}

void BRAID_CALL DeviceUnmap(braid_device*, braid_buffer* b) { Self(b)->mapped = false; }

void BRAID_CALL BufferFree(braid_device* d, braid_buffer* b) {
  Self(d)->connection->TellInOrder(Op::kFree, Self(b)->id);
  delete Self(b);
}

// Where all that the transfer has to wait for has ended, and its buffer is memory of both processes, the
// bytes move here and now.
bool MovesHere(ClientDevice* self, const braid_transfer& t) {
  if (t.kind == BRAID_TRANSFER_COPY || self->connection->lost()) return false;
  const ClientBuffer& buffer = *Self(t.kind == BRAID_TRANSFER_WRITE ? t.to : t.from);
  const uint64_t offset = t.kind == BRAID_TRANSFER_WRITE ? t.to_offset : t.from_offset;
  if (buffer.block == nullptr) return false;
  if (offset > buffer.bytes || t.bytes > buffer.bytes - offset) return false;
  for (uint32_t i = 0; i < t.wait_count; ++i)
    if (FenceWait(t.waits[i], 0) != BRAID_OK) return false;
  if (!self->connection->Idle(Lane(self->id, t.queue))) return false;
  if (t.bytes == 0) return true;
  uint8_t* memory = buffer.block->data() + buffer.offset + offset;
  if (t.kind == BRAID_TRANSFER_READ) {
    std::memcpy(t.host, memory, t.bytes);
  } else {
    if (self->connection->PendingRead(t.host, t.bytes) != nullptr) return false;
    std::memcpy(memory, t.host, t.bytes);
  }
  AllTraffic().copied.fetch_add(t.bytes, std::memory_order_relaxed);
  return true;
}

braid_status BRAID_CALL DeviceTransfer(braid_device* d, const braid_transfer* transfer, braid_fence** out) {
  ClientDevice* self = Self(d);
  Connection& connection = *self->connection;
  braid_transfer own = BRAID_TRANSFER_INIT;
  std::memcpy(&own, transfer, std::min<size_t>(transfer->size, sizeof own));
  own.size = sizeof own;
  if (MovesHere(self, own)) {
    *out = nullptr;
    return BRAID_OK;
  }
  auto fence = connection.NewFence(Op::kTransfer, 0);
  uint64_t block = 0;
  if (own.kind != BRAID_TRANSFER_COPY && own.bytes > 0) {
    fence->staging = connection.TakeBlock(own.bytes);
    if (fence->staging == nullptr) {
      ErrorSink::Set(absl::StrCat("no shared memory for a transfer of ", own.bytes, " bytes is to be had"));
      return BRAID_OUT_OF_MEMORY;
    }
    block = fence->staging->id;
    // Here, and between the staging memory and the buffer.
    AllTraffic().copied.fetch_add(2 * own.bytes, std::memory_order_relaxed);
    if (own.kind == BRAID_TRANSFER_WRITE) {
      // Memory that an earlier READ of ours has still to fill is read when it has.
      while (const auto read = connection.PendingRead(own.host, own.bytes)) connection.Wait(read, kForever);
      std::memcpy(fence->staging->data(), own.host, own.bytes);
    } else {
      fence->read_to = own.host;
      fence->read_bytes = own.bytes;
    }
  }
  Writer message;
  message.Put(fence->cell).Put(self->id);
  message.Put(own.from_device == nullptr ? uint64_t{0} : Self(own.from_device)->id);
  message.Put(IdOf(own.to)).Put(IdOf(own.from)).Put(block).Put(own);
  PutWaits(message, own.waits, own.wait_count);
  connection.Start(message, fence, Lane(self->id, own.queue));
  *out = reinterpret_cast<braid_fence*>(new ClientFence{self->connection, std::move(fence)});
  return BRAID_OK;
}

braid_status BRAID_CALL DeviceFence(braid_device* d, braid_fence** out) {
  ClientDevice* self = Self(d);
  auto fence = std::make_shared<RemoteFence>();
  fence->id = self->connection->NewId();
  const braid_status status =
      self->connection->Call(Op::kFenceCreate, Writer().Put(self->id).Put(fence->id), nullptr);
  if (status == BRAID_OK)
    *out = reinterpret_cast<braid_fence*>(new ClientFence{self->connection, std::move(fence)});
  return status;
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
  Self(d)->connection->TellInOrder(Op::kClose, Self(d)->id);
  delete Self(d);
}

// ---- The plugin ----

class Layer : public PluginLayer {
 public:
  Layer(std::string library, std::string cache_dir)
      : library_(std::move(library)),
        cache_dir_(std::move(cache_dir)),
        restarts_(std::make_shared<Restarts>(RestartLimits::FromEnvironment())) {}

  // A process that is there: a new one if the last was lost and that is not to be left alone.
  absl::StatusOr<std::shared_ptr<Connection>> Connect() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connection_ != nullptr && !connection_->lost()) return connection_;
    if (const std::string why = restarts_->Refusal(HostNow()); !why.empty())
      return absl::UnavailableError(why);
    if (const uint64_t pause = restarts_->Pause(HostNow()); pause > 0)
      usleep(static_cast<useconds_t>(pause / 1000));
    auto connection = Connection::Start(library_, cache_dir_, [restarts = restarts_](const std::string& why) {
      restarts->Died(HostNow(), why);
    });
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
    (*connection)->set_name(id);
    if (restarts_->OnTrial()) {
      if (absl::Status well = IsWell(**connection); !well.ok()) {
        if (!(*connection)->lost()) restarts_->Died(HostNow(), std::string(well.message()));
        return well;
      }
      restarts_->Good();
    }
    if (connection_ == nullptr) Describe(opset, has, id, vendor, version);
    connection_ = *connection;
    return connection_;
  }

  std::string state() const override {
    if (const std::string why = restarts_->Refusal(HostNow()); !why.empty()) return why;
    const uint64_t deaths = restarts_->deaths();
    if (deaths == 0) return "in a process of its own";
    return absl::StrCat("in a process of its own, which ended ", deaths, deaths == 1 ? " time" : " times");
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
    // A plugin that does not end in time is ended: a second, and the grace of a deadline.
    constexpr uint64_t kPatienceNs = 1'000'000'000;
    if (connection_ != nullptr && !connection_->lost())
      (void)connection_->Call(Op::kShutdown, Writer(), nullptr, nullptr, HostNow() + kPatienceNs);
    connection_.reset();
  }

 private:
  void Describe(int32_t opset, uint32_t has, const std::string& id, const std::string& vendor,
                const std::string& version);
  // Opens its first device, if there is one, and asks how it is.
  static absl::Status IsWell(Connection& connection) {
    std::string result;
    ErrorSink::Clear();
    braid_status status = connection.Call(Op::kEnumerate, Writer(), &result);
    if (status == BRAID_OK && Reader(result).Get<uint32_t>() == 0) return absl::OkStatus();
    const uint64_t id = connection.NewId();
    if (status == BRAID_OK)
      status = connection.Call(Op::kOpen, Writer().Put(id).Put(uint32_t{0}).Put(uint32_t{0}).Put(uint32_t{0}),
                               &result);
    if (status == BRAID_OK) status = connection.Call(Op::kHealth, Writer().Put(id), &result);
    if (status == BRAID_OK) connection.TellInOrder(Op::kClose, id);
    return ToAbsl(status, ErrorSink::Take());
  }
  const std::string library_, cache_dir_;
  const std::shared_ptr<Restarts> restarts_;
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
  const std::string* cache = CacheScope::Folder();
  message.Put(id).Put(index).Put(cache == nullptr ? 0u : 1u);
  if (cache != nullptr) message.Text(*cache);
  message.Put(options == nullptr ? 0u : options->option_count);
  for (uint32_t i = 0; options != nullptr && i < options->option_count; ++i) {
    const braid_option& o = options->options[i];
    message.Bytes(o.key.ptr, o.key.len).Bytes(o.value.ptr, o.value.len);
  }
  std::string result;
  const braid_status status = (*connection)->Call(Op::kOpen, message, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto shares = in.Get<uint32_t>(), all = in.Get<uint32_t>();
  const auto unit = in.Get<uint64_t>();
  if (!in.ok()) return Garbled();
  *out = reinterpret_cast<braid_device*>(
      new ClientDevice{*connection, id, shares != 0, all != 0, std::max<uint64_t>(unit, 1)});
  return BRAID_OK;
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
  device_.buffer_import = given(6) ? BufferImport : nullptr;
  device_.buffer_export = given(6) ? BufferExport : nullptr;
  device_.buffer_free = BufferFree;
  device_.map = given(6) ? DeviceMap : nullptr;
  device_.unmap = given(6) ? DeviceUnmap : nullptr;
  device_.transfer = DeviceTransfer;
  device_.fence_create = given(7) ? DeviceFence : nullptr;
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
  fence_.signal = given(7) ? FenceSignal : nullptr;
  fence_.destroy = FenceDestroy;
}

}  // namespace
}  // namespace isolate

IsolationTraffic CountIsolation() {
  return {isolate::AllTraffic().copied.load(), isolate::AllTraffic().messages.load()};
}

absl::StatusOr<std::shared_ptr<PluginLayer>> LoadIsolated(const std::string& library,
                                                          const std::string& cache_dir) {
  auto layer = std::make_shared<isolate::Layer>(library, cache_dir);
  if (auto connection = layer->Connect(); !connection.ok()) return connection.status();
  return layer;
}

}  // namespace braid
