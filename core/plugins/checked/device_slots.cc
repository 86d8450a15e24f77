// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "core/plugins/checked/private_memory.h"
#include "core/plugins/checked/slots.h"
#include "core/plugins/isolate/wire.h"

namespace braid::checked {
namespace {

// A call that shows the plugin a graph: a copy of it, which becomes unreadable afterwards, as do constants
// that were taken without a token. Then looks whether the plugin wrote to constants.
class GraphCall {
 public:
  GraphCall(Layer* layer, const braid_graph* graph, const char* slot)
      : layer_(layer), host_graph_(graph), slot_(slot) {
    memory_ = PrivateMemory::Make(isolate::FlatBytes(*graph), "the graph of a call was used after the call");
    if (memory_ == nullptr) return;
    isolate::Flatten(*graph, memory_->data());
    braid_graph own = isolate::Unflatten(memory_->data());
    own.host_data = graph->host_data;
    std::memcpy(memory_->data(), &own, sizeof own);
  }
  ~GraphCall() {
    for (const uint32_t value : layer_->host()->EndCall(host_graph_->host_data))
      layer_->Report(Rule::kConstantChanged,
                     absl::StrCat(slot_, " changed the bytes of constant value ", value));
  }
  GraphCall(const GraphCall&) = delete;
  GraphCall& operator=(const GraphCall&) = delete;
  const braid_graph* graph() const {
    return memory_ == nullptr ? host_graph_ : reinterpret_cast<const braid_graph*>(memory_->data());
  }

 private:
  Layer* layer_;
  const braid_graph* host_graph_;
  const char* slot_;
  std::unique_ptr<PrivateMemory> memory_;
};

braid_status BRAID_CALL DeviceQuery(braid_device* d, const braid_graph* graph,
                                    const braid_compile_options* options, void* verdicts, uint32_t stride) {
  constexpr const char* kSlot = "device.query";
  const auto box = DeviceOf(d, kSlot);
  if (box == nullptr) return Refuse("device.query: no device");
  const GraphCall call(box->layer, graph, kSlot);
  const braid_status status =
      Status(box->layer, kSlot,
             box->layer->inner().device->query(box->inner, call.graph(), options, verdicts, stride),
             {BRAID_INVALID_ARGUMENT, BRAID_IO_ERROR});
  if (status != BRAID_OK) return status;
  for (uint32_t i = 0; i < graph->node_count; ++i) {
    const auto& v = At<braid_verdict>(verdicts, stride, i);
    const auto& node = At<braid_node>(graph->nodes, graph->node_stride, i);
    std::string why;
    if (v.code < BRAID_YES || (v.code > BRAID_NOT_WORTH_IT && v.code < BRAID_NO_OP) ||
        v.code > BRAID_NO_RUNTIME_VALUE)
      why = absl::StrCat("the code ", v.code);
    if (std::memchr(v.detail, 0, sizeof v.detail) == nullptr) why = "a text without an end";
    if (v.input != BRAID_NONE && v.input >= node.inputs.count)
      why = absl::StrCat("input ", v.input, " of ", node.inputs.count);
    if (v.attr != BRAID_NONE && v.attr >= node.attrs.count)
      why = absl::StrCat("attribute ", v.attr, " of ", node.attrs.count);
    if (!why.empty())
      box->layer->Report(Rule::kVerdict, absl::StrCat("device.query: the verdict on node ", i, " has ", why));
  }
  return status;
}

braid_status BRAID_CALL DeviceEstimate(braid_device* d, const braid_graph* graph,
                                       const braid_compile_options* options, const uint32_t* nodes,
                                       const uint32_t* ends, uint32_t sets, void* costs, uint32_t stride) {
  const auto box = DeviceOf(d, "device.estimate");
  if (box == nullptr) return Refuse("device.estimate: no device");
  const GraphCall call(box->layer, graph, "device.estimate");
  return Status(box->layer, "device.estimate",
                box->layer->inner().device->estimate(box->inner, call.graph(), options, nodes, ends, sets,
                                                     costs, stride),
                {BRAID_UNSUPPORTED, BRAID_INVALID_ARGUMENT, BRAID_IO_ERROR});
}

braid_status BRAID_CALL DeviceLink(braid_device* d, const braid_device_info* peer, braid_link* out) {
  const auto box = DeviceOf(d, "device.link");
  if (box == nullptr) return Refuse("device.link: no device");
  return Status(box->layer, "device.link", box->layer->inner().device->link(box->inner, peer, out),
                {BRAID_UNSUPPORTED});
}

braid_status BRAID_CALL DeviceCompile(braid_device* d, const braid_graph* graph,
                                      const braid_compile_options* options, braid_exec** out) {
  constexpr const char* kSlot = "device.compile";
  *out = nullptr;
  const auto box = DeviceOf(d, kSlot);
  if (box == nullptr) return Refuse("device.compile: no device");
  Layer* layer = box->layer;
  braid_exec* given = nullptr;
  braid_status status;
  {
    const GraphCall call(layer, graph, kSlot);
    status = Status(layer, kSlot, layer->inner().device->compile(box->inner, call.graph(), options, &given),
                    {BRAID_INVALID_ARGUMENT, BRAID_IO_ERROR, BRAID_UNSUPPORTED, BRAID_TIMEOUT});
  }
  Gives(layer, kSlot, status, given);
  if (status == BRAID_UNSUPPORTED) {
    const std::string text = ErrorSink::Take();
    braid_verdict none{};
    none.code = BRAID_NO_OP;
    none.input = none.attr = none.group = BRAID_NONE;
    std::vector<braid_verdict> verdicts(graph->node_count, none);
    const braid_status asked =
        layer->inner().device->query(box->inner, graph, options, verdicts.data(), sizeof none);
    if (asked == BRAID_OK && std::all_of(verdicts.begin(), verdicts.end(),
                                         [](const auto& v) { return v.code <= BRAID_NOT_WORTH_IT; }))
      layer->Report(Rule::kHonesty, absl::StrCat("device.compile refused what device.query accepts: ", text));
    ErrorSink::Set(text);
  }
  if (given != nullptr) *out = GiveExec(box, graph, given);
  return status;
}

braid_status BRAID_CALL DeviceCheckBlob(braid_device* d, const braid_graph* graph,
                                        const braid_compile_options* options, braid_bytes blob) {
  const auto box = DeviceOf(d, "device.check_blob");
  if (box == nullptr) return Refuse("device.check_blob: no device");
  const GraphCall call(box->layer, graph, "device.check_blob");
  return Status(box->layer, "device.check_blob",
                box->layer->inner().device->check_blob(box->inner, call.graph(), options, blob),
                {BRAID_UNSUPPORTED, BRAID_STALE_BLOB, BRAID_INVALID_ARGUMENT, BRAID_IO_ERROR});
}

braid_status BRAID_CALL DeviceLoadBlob(braid_device* d, const braid_graph* graph,
                                       const braid_compile_options* options, braid_bytes blob,
                                       braid_exec** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.load_blob");
  if (box == nullptr) return Refuse("device.load_blob: no device");
  braid_exec* given = nullptr;
  braid_status status;
  {
    const GraphCall call(box->layer, graph, "device.load_blob");
    status =
        Status(box->layer, "device.load_blob",
               box->layer->inner().device->load_blob(box->inner, call.graph(), options, blob, &given),
               {BRAID_UNSUPPORTED, BRAID_STALE_BLOB, BRAID_INVALID_ARGUMENT, BRAID_IO_ERROR, BRAID_TIMEOUT});
  }
  Gives(box->layer, "device.load_blob", status, given);
  if (given != nullptr) *out = GiveExec(box, graph, given);
  return status;
}

braid_status GiveBuffer(const std::shared_ptr<DeviceBox>& box, const char* slot, braid_status status,
                        braid_buffer* given, uint64_t bytes, uint32_t flags, braid_buffer** out) {
  Status(box->layer, slot, status, {BRAID_INVALID_ARGUMENT, BRAID_UNSUPPORTED});
  Gives(box->layer, slot, status, given);
  if (given != nullptr) {
    box->children.fetch_add(1);
    *out = Boxes::Get().Add<braid_buffer>(std::make_shared<BufferBox>(box, given, bytes, flags));
  }
  return status;
}

braid_status BRAID_CALL BufferAlloc(braid_device* d, const braid_buffer_desc* desc, braid_buffer** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.buffer_alloc");
  if (box == nullptr) return Refuse("device.buffer_alloc: no device");
  braid_buffer* given = nullptr;
  const braid_status status = box->layer->inner().device->buffer_alloc(box->inner, desc, &given);
  return GiveBuffer(box, "device.buffer_alloc", status, given, desc->bytes, desc->flags, out);
}

braid_status BRAID_CALL BufferImport(braid_device* d, const braid_handle* handle, braid_buffer** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.buffer_import");
  if (box == nullptr) return Refuse("device.buffer_import: no device");
  braid_buffer* given = nullptr;
  const braid_status status = box->layer->inner().device->buffer_import(box->inner, handle, &given);
  return GiveBuffer(box, "device.buffer_import", status, given, handle->bytes, BRAID_BUFFER_MAPPABLE, out);
}

std::shared_ptr<BufferBox> BufferOf(const std::shared_ptr<DeviceBox>& device, braid_buffer* b,
                                    const char* slot) {
  auto buffer = Boxes::Get().Find<BufferBox>(b, Kind::kBuffer, slot, device->layer);
  if (buffer == nullptr || buffer->device == device) return buffer;
  device->layer->Report(Rule::kWrongPlugin, absl::StrCat(slot, ": the buffer belongs to another device"));
  return nullptr;
}

braid_status BRAID_CALL BufferExport(braid_device* d, braid_buffer* b, uint32_t kind, braid_handle* out) {
  const auto box = DeviceOf(d, "device.buffer_export");
  const auto buffer = box == nullptr ? nullptr : BufferOf(box, b, "device.buffer_export");
  if (buffer == nullptr) return Refuse("device.buffer_export: the call breaks the ABI");
  return Status(box->layer, "device.buffer_export",
                box->layer->inner().device->buffer_export(box->inner, buffer->inner, kind, out),
                {BRAID_UNSUPPORTED});
}

void BRAID_CALL BufferFree(braid_device* d, braid_buffer* b) {
  constexpr const char* kSlot = "device.buffer_free";
  const auto box = DeviceOf(d, kSlot);
  const auto buffer = box == nullptr ? nullptr : BufferOf(box, b, kSlot);
  if (buffer == nullptr) return;
  if (buffer->mapped.load()) box->layer->Report(Rule::kBufferBusy, "a buffer was freed while it is mapped");
  for (const auto& fence : Boxes::Get().FencesOf(box.get())) {
    if (std::find(fence->buffers.begin(), fence->buffers.end(), buffer) == fence->buffers.end()) continue;
    if (Done(*fence, kSlot)) continue;
    box->layer->Report(Rule::kBufferBusy, "a buffer was freed while work that uses it is pending");
    return;
  }
  if (!Boxes::Get().Kill(buffer, kSlot)) return;
  box->children.fetch_sub(1);
  box->layer->inner().device->buffer_free(box->inner, buffer->inner);
}

braid_status BRAID_CALL DeviceMap(braid_device* d, braid_buffer* b, uint64_t offset, uint64_t bytes,
                                  void** out) {
  constexpr const char* kSlot = "device.map";
  const auto box = DeviceOf(d, kSlot);
  const auto buffer = box == nullptr ? nullptr : BufferOf(box, b, kSlot);
  if (buffer == nullptr) return Refuse("device.map: the call breaks the ABI");
  const Exclusive in(buffer->busy, box->layer, Rule::kObjectExclusive,
                     "device.map: two calls at a time for a buffer");
  std::string why;
  if ((buffer->flags & BRAID_BUFFER_MAPPABLE) == 0) why = "a buffer that was not made mappable";
  if (buffer->bytes != UINT64_MAX && (offset > buffer->bytes || bytes > buffer->bytes - offset))
    why = absl::StrCat(offset, " + ", bytes, " of a buffer of ", buffer->bytes, " bytes");
  if (buffer->mapped.load()) why = "a buffer that is mapped already";
  if (!why.empty()) {
    box->layer->Report(Rule::kMapping, absl::StrCat("device.map of ", why));
    return Refuse("device.map: the call breaks the ABI");
  }
  const braid_status status = Status(
      box->layer, kSlot, box->layer->inner().device->map(box->inner, buffer->inner, offset, bytes, out),
      {BRAID_INVALID_ARGUMENT, BRAID_UNSUPPORTED});
  if (status == BRAID_OK) buffer->mapped.store(true);
  return status;
}

void BRAID_CALL DeviceUnmap(braid_device* d, braid_buffer* b) {
  const auto box = DeviceOf(d, "device.unmap");
  const auto buffer = box == nullptr ? nullptr : BufferOf(box, b, "device.unmap");
  if (buffer == nullptr) return;
  const Exclusive in(buffer->busy, box->layer, Rule::kObjectExclusive,
                     "device.unmap: two calls at a time for a buffer");
  if (!buffer->mapped.exchange(false))
    return box->layer->Report(Rule::kMapping, "device.unmap of a buffer that is not mapped");
  box->layer->inner().device->unmap(box->inner, buffer->inner);
}

braid_status BRAID_CALL DeviceTransfer(braid_device* d, const braid_transfer* t, braid_fence** out) {
  constexpr const char* kSlot = "device.transfer";
  constexpr const char* kRefused = "device.transfer: the call breaks the ABI";
  *out = nullptr;
  const auto box = DeviceOf(d, kSlot);
  if (box == nullptr) return Refuse(kRefused);
  Layer* layer = box->layer;
  const auto refuse = [&](const std::string& why) {
    layer->Report(Rule::kTransferRange, absl::StrCat(kSlot, ": ", why));
    return Refuse(kRefused);
  };
  if (t->queue >= box->queues.size()) return refuse(absl::StrCat("there is no queue ", t->queue));
  if (t->kind < BRAID_TRANSFER_WRITE || t->kind > BRAID_TRANSFER_COPY)
    return refuse(absl::StrCat("there is no kind ", t->kind));
  const bool write = t->kind == BRAID_TRANSFER_WRITE, read = t->kind == BRAID_TRANSFER_READ;
  if ((t->to == nullptr) != read || (t->from == nullptr) != write ||
      (!write && !read && t->host != nullptr) || ((write || read) && t->host == nullptr && t->bytes > 0))
    return refuse("to, from and host do not fit its kind");
  const Exclusive in(box->queues[t->queue], layer, Rule::kQueueExclusive,
                     absl::StrCat(kSlot, ": two calls at a time for queue ", t->queue));
  braid_transfer own = *t;
  own.size = sizeof own;
  std::vector<std::shared_ptr<BufferBox>> buffers;
  std::shared_ptr<DeviceBox> from_device = box;
  if (t->from_device != nullptr) {
    from_device = Boxes::Get().Find<DeviceBox>(t->from_device, Kind::kDevice, kSlot, layer);
    if (from_device == nullptr) return Refuse(kRefused);
    own.from_device = from_device->inner;
  }
  const struct {
    braid_buffer* handle;
    braid_buffer** to;
    uint64_t offset;
    const std::shared_ptr<DeviceBox>* device;
  } ends[] = {{t->to, &own.to, t->to_offset, &box}, {t->from, &own.from, t->from_offset, &from_device}};
  for (const auto& end : ends) {
    if (end.handle == nullptr) continue;
    const auto buffer = BufferOf(*end.device, end.handle, kSlot);
    if (buffer == nullptr) return Refuse(kRefused);
    if (buffer->bytes != UINT64_MAX && (end.offset > buffer->bytes || t->bytes > buffer->bytes - end.offset))
      return refuse(absl::StrCat(end.offset, " + ", t->bytes, " of a buffer of ", buffer->bytes, " bytes"));
    *end.to = buffer->inner;
    buffers.push_back(buffer);
  }
  std::vector<braid_fence*> waits;
  if (!Waits(layer, kSlot, t->waits, t->wait_count, &waits)) return Refuse(kRefused);
  own.waits = waits.data();
  braid_fence* given = nullptr;
  braid_status status;
  {
    const Stopwatch watch(box.get(), kSlot);
    status = layer->inner().device->transfer(box->inner, &own, &given);
  }
  RunStatus(box.get(), kSlot, status, t->wait_count > 0);
  if (status != BRAID_OK || given == nullptr) {
    if (given != nullptr) Gives(layer, kSlot, status, given);
    return status;
  }
  auto fence = std::make_shared<FenceBox>(box, given);
  fence->buffers = std::move(buffers);
  fence->any_status = t->wait_count > 0;
  *out = GiveFence(std::move(fence));
  return status;
}

braid_status BRAID_CALL DeviceFence(braid_device* d, braid_fence** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.fence_create");
  if (box == nullptr) return Refuse("device.fence_create: no device");
  braid_fence* given = nullptr;
  const braid_status status =
      Status(box->layer, "device.fence_create", box->layer->inner().device->fence_create(box->inner, &given),
             {BRAID_UNSUPPORTED});
  Gives(box->layer, "device.fence_create", status, given);
  if (given == nullptr) return status;
  auto fence = std::make_shared<FenceBox>(box, given);
  fence->of_host = true;
  *out = GiveFence(std::move(fence));
  return status;
}

braid_status BRAID_CALL DeviceHealth(braid_device* d, braid_health* out) {
  const auto box = DeviceOf(d, "device.health");
  if (box == nullptr) return Refuse("device.health: no device");
  const braid_status status = box->layer->inner().device->health(box->inner, out);
  if (status != BRAID_OK && status != BRAID_DEVICE_LOST)
    box->layer->Report(Rule::kStatus, absl::StrCat("device.health answered ", StatusName(status),
                                                   ", which is none of its statuses"));
  return status;
}

void BRAID_CALL DeviceClose(braid_device* d) {
  const auto box = DeviceOf(d, "device.close");
  if (box == nullptr) return;
  if (box->children.load() > 0) {
    box->layer->Report(Rule::kDeviceNotEmpty, absl::StrCat("a device was closed while ", box->children.load(),
                                                           " of its buffers, executables and fences live"));
    return;
  }
  if (!Boxes::Get().Kill(box, "device.close")) return;
  box->layer->devices.fetch_sub(1);
  box->layer->inner().device->close(box->inner);
}

}  // namespace

braid_device_fns DeviceSlots(const braid_device_fns& inner) {
  braid_device_fns slots = BRAID_DEVICE_FNS_INIT;
  slots.query = DeviceQuery;
  slots.estimate = inner.estimate == nullptr ? nullptr : DeviceEstimate;
  slots.link = inner.link == nullptr ? nullptr : DeviceLink;
  slots.compile = DeviceCompile;
  slots.check_blob = inner.check_blob == nullptr ? nullptr : DeviceCheckBlob;
  slots.load_blob = inner.load_blob == nullptr ? nullptr : DeviceLoadBlob;
  slots.buffer_alloc = BufferAlloc;
  slots.buffer_import = inner.buffer_import == nullptr ? nullptr : BufferImport;
  slots.buffer_export = inner.buffer_export == nullptr ? nullptr : BufferExport;
  slots.buffer_free = BufferFree;
  slots.map = inner.map == nullptr ? nullptr : DeviceMap;
  slots.unmap = inner.unmap == nullptr ? nullptr : DeviceUnmap;
  slots.transfer = DeviceTransfer;
  slots.fence_create = inner.fence_create == nullptr ? nullptr : DeviceFence;
  slots.health = DeviceHealth;
  slots.close = DeviceClose;
  return slots;
}

}  // namespace braid::checked
