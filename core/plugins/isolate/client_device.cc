// SPDX-License-Identifier: Apache-2.0
//
// Devices and buffers of an isolated plugin: graphs, and memory of both processes.
#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "core/plugins/device.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/isolate/client.h"

namespace braid::isolate {
namespace {

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
  braid_buffer* const side = t.kind == BRAID_TRANSFER_WRITE ? t.to : t.from;
  if (side == nullptr) return false;
  const ClientBuffer& buffer = *Self(side);
  const uint64_t offset = t.kind == BRAID_TRANSFER_WRITE ? t.to_offset : t.from_offset;
  if (buffer.block == nullptr) return false;
  if (offset > buffer.bytes || t.bytes > buffer.bytes - offset) return false;
  for (uint32_t i = 0; i < t.wait_count; ++i)
    if (self->connection->Wait(Self(t.waits[i])->state, 0) != BRAID_OK) return false;
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

}  // namespace

void SetDeviceSlots(uint32_t has, braid_device_fns* out) {
  out->query = DeviceQuery;
  out->estimate = (has & kEstimateSlot) != 0 ? DeviceEstimate : nullptr;
  out->link = (has & kLinkSlot) != 0 ? DeviceLink : nullptr;
  out->compile = DeviceCompile;
  out->check_blob = (has & kCheckBlobSlot) != 0 ? DeviceCheckBlob : nullptr;
  out->load_blob = (has & kLoadBlobSlot) != 0 ? DeviceLoadBlob : nullptr;
  out->buffer_alloc = BufferAlloc;
  out->buffer_import = (has & kImportSlot) != 0 ? BufferImport : nullptr;
  out->buffer_export = (has & kImportSlot) != 0 ? BufferExport : nullptr;
  out->buffer_free = BufferFree;
  out->map = (has & kImportSlot) != 0 ? DeviceMap : nullptr;
  out->unmap = (has & kImportSlot) != 0 ? DeviceUnmap : nullptr;
  out->transfer = DeviceTransfer;
  out->fence_create = (has & kFenceCreateSlot) != 0 ? DeviceFence : nullptr;
  out->health = DeviceHealth;
  out->close = DeviceClose;
}

}  // namespace braid::isolate
