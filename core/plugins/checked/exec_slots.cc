// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "core/plugins/checked/slots.h"

namespace braid::checked {
namespace {

Entered<ExecBox> ExecOf(braid_exec* e, const char* slot) {
  return {Boxes::Get().Find<ExecBox>(e, Kind::kExec, slot), slot};
}

// "" if the dims are ones that the port can have.
std::string Mismatch(const Port& port, int32_t rank, const int64_t* dims) {
  if (rank < 0 || rank > static_cast<int32_t>(BRAID_MAX_RANK)) return absl::StrCat("rank ", rank);
  if (port.rank < 0) return "";
  if (rank != port.rank) return absl::StrCat("rank ", rank, " where the graph has rank ", port.rank);
  for (int32_t i = 0; i < rank; ++i) {
    const braid_dim& d = port.dims[static_cast<size_t>(i)];
    const bool fits =
        d.value >= 0 ? dims[i] == d.value : dims[i] >= std::max<int64_t>(d.min, 0) && dims[i] <= d.max;
    if (!fits)
      return absl::StrCat("extent ", dims[i], " in dimension ", i, " where the graph has ",
                          d.value >= 0 ? absl::StrCat(d.value) : absl::StrCat(d.min, " to ", d.max));
  }
  return "";
}

const Port* PortOf(const ExecBox& exec, uint32_t value) {
  for (const Port& port : exec.ports)
    if (port.value == value) return &port;
  return nullptr;
}

uint64_t Needed(const Port& port, const braid_binding& b) {
  uint64_t elements = 1;
  for (int32_t i = 0; i < b.rank; ++i)
    if (__builtin_mul_overflow(elements, static_cast<uint64_t>(b.dims[i]), &elements)) return UINT64_MAX;
  return port.type == 8 ? elements * 16 : TensorBytes(port.type, elements);  // 8: STRING, at least its pairs
}

braid_binding ReceiveBinding(const void* bindings, uint32_t stride, uint32_t i) {
  braid_binding b = BRAID_BINDING_INIT;
  std::memcpy(&b, static_cast<const char*>(bindings) + uint64_t{stride} * i,
              std::min<size_t>(stride, sizeof b));
  return b;
}

// Looks at one binding and replaces its buffer by the plugin's own. False: it cannot be passed on.
bool CheckBinding(const ExecBox& exec, const char* slot, bool in_submit, braid_binding* b,
                  std::vector<std::shared_ptr<BufferBox>>* buffers) {
  Layer* layer = exec.layer;
  const Port* port = PortOf(exec, b->value);
  const std::string where = absl::StrCat(slot, ": value ", b->value);
  if (port == nullptr) {
    layer->Report(Rule::kBindingSet, absl::StrCat(where, " is neither an input nor an output of the graph"));
    return false;
  }
  // Of an output the shape may be unknown before the run.
  const bool unknown = !port->input && b->rank == -1;
  if (!unknown && (b->rank < 0 || b->rank > static_cast<int32_t>(BRAID_MAX_RANK) ||
                   (b->rank > 0 && b->dims == nullptr))) {
    layer->Report(Rule::kBindingShape, absl::StrCat(where, " is bound with rank ", b->rank,
                                                    b->dims == nullptr ? " and no dims" : ""));
    return false;
  }
  if (port->input) {
    if (const std::string why = Mismatch(*port, b->rank, b->dims); !why.empty())
      layer->Report(Rule::kBindingShape, absl::StrCat(where, " is bound with ", why));
  }
  if (b->strides != nullptr && (port->flags & BRAID_IO_STRIDES) == 0)
    layer->Report(Rule::kBindingMemory,
                  absl::StrCat(where, " is bound with strides, which the device did not say it takes"));
  std::shared_ptr<BufferBox> buffer;
  if (b->buffer != nullptr) {
    buffer = Boxes::Get().Find<BufferBox>(b->buffer, Kind::kBuffer, slot, layer);
    if (buffer == nullptr) return false;
    b->buffer = buffer->inner;
  }
  if (!in_submit) return true;
  if (port->input && b->buffer == nullptr && b->host == nullptr && Needed(*port, *b) > 0) {
    layer->Report(Rule::kBindingMemory, absl::StrCat(where, " is an input without memory"));
    return false;
  }
  if (b->host != nullptr && !exec.device->info.Has(BRAID_HOST_BINDINGS) &&
      (port->flags & BRAID_IO_HOST_VALUE) == 0)
    layer->Report(Rule::kBindingMemory,
                  absl::StrCat(where, " is bound to host memory, which the device did not say it takes"));
  const bool has_memory = b->buffer != nullptr || b->host != nullptr;
  // Of an output the dims may be a guess; its bytes bound what may be written.
  constexpr braid_type kString = 8;
  const uint64_t needed = Needed(*port, *b);
  if (port->input && has_memory && b->strides == nullptr &&
      (port->type == kString ? needed > b->bytes : needed != b->bytes))
    layer->Report(Rule::kBindingRange,
                  absl::StrCat(where, " has ", b->bytes, " bytes, its shape needs ", needed));
  if (buffer != nullptr) {
    if (buffer->bytes != UINT64_MAX && (b->offset > buffer->bytes || b->bytes > buffer->bytes - b->offset)) {
      layer->Report(Rule::kBindingRange, absl::StrCat(where, " lies at ", b->offset, " + ", b->bytes,
                                                      ", its buffer has ", buffer->bytes, " bytes"));
      return false;
    }
    if (b->offset % port->alignment != 0)
      layer->Report(Rule::kBindingAlignment,
                    absl::StrCat(where, " lies at ", b->offset, ", no multiple of ", port->alignment));
    buffers->push_back(buffer);
  }
  return true;
}

braid_status BRAID_CALL ExecIo(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  const auto box = ExecOf(e, "exec.io_requirements");
  if (box == nullptr) return Refuse("exec.io_requirements: no executable");
  const braid_status status =
      Status(box->layer, "exec.io_requirements",
             box->layer->inner().exec->io_requirements(box->inner, value, out), {BRAID_INVALID_ARGUMENT});
  if (status == BRAID_OK && (out->alignment & (out->alignment - 1)) != 0)
    box->layer->Report(Rule::kAlignment, absl::StrCat("exec.io_requirements: the alignment ", out->alignment,
                                                      " of value ", value, " is no power of two"));
  return status;
}

// The input bindings with the plugin's buffers; false: they cannot be passed on.
bool Inputs(const ExecBox& box, const char* slot, const void* inputs, uint32_t count, uint32_t stride,
            std::vector<braid_binding>* out) {
  for (uint32_t i = 0; i < count; ++i) {
    out->push_back(ReceiveBinding(inputs, stride, i));
    if (!CheckBinding(box, slot, false, &out->back(), nullptr)) return false;
  }
  return true;
}

braid_status BRAID_CALL ExecDims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                 uint32_t output, int32_t* rank, int64_t* dims) {
  constexpr const char* kSlot = "exec.output_dims";
  const auto box = ExecOf(e, kSlot);
  std::vector<braid_binding> own;
  if (box == nullptr || !Inputs(*box, kSlot, inputs, count, stride, &own))
    return Refuse("exec.output_dims: the call breaks the ABI");
  const braid_status status =
      Status(box->layer, kSlot,
             box->layer->inner().exec->output_dims(box->inner, own.data(), count, sizeof(braid_binding),
                                                   output, rank, dims),
             {BRAID_UNSUPPORTED, BRAID_INVALID_ARGUMENT});
  const Port* port = PortOf(*box, output);
  if (status == BRAID_OK && port != nullptr)
    if (const std::string why = Mismatch(*port, *rank, dims); !why.empty())
      box->layer->Report(Rule::kOutputShape, absl::StrCat(kSlot, " tells for value ", output, " ", why));
  return status;
}

braid_status BRAID_CALL ExecWorkspace(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                      uint64_t* bytes) {
  constexpr const char* kSlot = "exec.workspace_size";
  const auto box = ExecOf(e, kSlot);
  std::vector<braid_binding> own;
  if (box == nullptr || !Inputs(*box, kSlot, inputs, count, stride, &own))
    return Refuse("exec.workspace_size: the call breaks the ABI");
  return Status(
      box->layer, kSlot,
      box->layer->inner().exec->workspace_size(box->inner, own.data(), count, sizeof(braid_binding), bytes),
      {BRAID_INVALID_ARGUMENT});
}

bool Overlap(const braid_binding& a, const braid_binding& b) {
  if (a.bytes == 0 || b.bytes == 0) return false;
  if (a.buffer != nullptr || b.buffer != nullptr)
    return a.buffer == b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
  const auto *of_a = static_cast<const char*>(a.host), *of_b = static_cast<const char*>(b.host);
  return of_a != nullptr && of_b != nullptr && of_a < of_b + b.bytes && of_b < of_a + a.bytes;
}

// Inputs may share memory; an output shares it with nothing but the input that it may alias.
void CheckSharing(const ExecBox& box, const std::vector<braid_binding>& bindings) {
  for (const braid_binding& output : bindings) {
    const Port& port = *PortOf(box, output.value);
    if (port.input) continue;
    for (const braid_binding& other : bindings) {
      const bool seen = !PortOf(box, other.value)->input && other.value >= output.value;
      if (seen || other.value == port.may_alias_input || !Overlap(output, other)) continue;
      box.layer->Report(Rule::kOutputShared, absl::StrCat("exec.submit: output value ", output.value,
                                                          " shares memory with value ", other.value));
    }
  }
}

// Core does not ask for shapes that the graph tells; what the plugin would answer must be the same.
void TellStaticShapes(const ExecBox& box, const std::vector<braid_binding>& inputs) {
  constexpr const char* kSlot = "exec.output_dims";
  for (const Port& port : box.ports) {
    if (port.input || port.rank < 0 ||
        std::any_of(port.dims.begin(), port.dims.end(), [](const braid_dim& d) { return d.value < 0; }))
      continue;
    int32_t rank = -1;
    int64_t dims[BRAID_MAX_RANK] = {};
    const braid_status status = Status(
        box.layer, kSlot,
        box.layer->inner().exec->output_dims(box.inner, inputs.data(), static_cast<uint32_t>(inputs.size()),
                                             sizeof(braid_binding), port.value, &rank, dims),
        {BRAID_UNSUPPORTED});
    if (status != BRAID_OK) continue;
    if (const std::string why = Mismatch(port, rank, dims); !why.empty())
      box.layer->Report(Rule::kOutputShape, absl::StrCat(kSlot, " tells for value ", port.value, " ", why));
  }
}

braid_status BRAID_CALL ExecSubmit(braid_exec* e, const braid_submit* submit, braid_fence** out) {
  constexpr const char* kSlot = "exec.submit";
  constexpr const char* kRefused = "exec.submit: the call breaks the ABI";
  *out = nullptr;
  const auto box = ExecOf(e, kSlot);
  if (box == nullptr) return Refuse(kRefused);
  Layer* layer = box->layer;
  if (submit->queue >= box->device->queues.size()) {
    layer->Report(Rule::kTransferRange, absl::StrCat(kSlot, ": there is no queue ", submit->queue));
    return Refuse(kRefused);
  }
  const Exclusive in(box->device->queues[submit->queue], layer, Rule::kQueueExclusive,
                     absl::StrCat(kSlot, ": two calls at a time for queue ", submit->queue));
  std::vector<std::shared_ptr<BufferBox>> buffers;
  std::vector<braid_binding> bindings;
  uint64_t watched_bytes = 0;
  std::vector<Watched> watched;
  for (uint32_t i = 0; i < submit->binding_count; ++i) {
    bindings.push_back(ReceiveBinding(submit->bindings, submit->binding_stride, i));
    braid_binding& b = bindings.back();
    for (uint32_t k = 0; k < i; ++k)
      if (bindings[k].value == b.value)
        layer->Report(Rule::kBindingSet, absl::StrCat(kSlot, ": value ", b.value, " is bound twice"));
    if (!CheckBinding(*box, kSlot, true, &b, &buffers)) return Refuse(kRefused);
  }
  for (const Port& port : box->ports) {
    const auto bound =
        std::find_if(bindings.begin(), bindings.end(), [&](const auto& b) { return b.value == port.value; });
    if (bound == bindings.end()) {
      layer->Report(Rule::kBindingSet, absl::StrCat(kSlot, ": ", port.input ? "input" : "output", " value ",
                                                    port.value, " is not bound"));
      return Refuse(kRefused);
    }
    // Memory that an output may share with an input is no longer the input's alone.
    if (!port.input || bound->host == nullptr || watched_bytes + bound->bytes > kMaxWatched) continue;
    const auto overlaps = [&](const braid_binding& b) {
      const auto *begin = static_cast<const char*>(bound->host), *other = static_cast<const char*>(b.host);
      return &b != &*bound && other != nullptr && begin < other + b.bytes && other < begin + bound->bytes;
    };
    if (std::any_of(bindings.begin(), bindings.end(), overlaps)) continue;
    const uint64_t bytes = bound->strides == nullptr ? std::min(bound->bytes, Needed(port, *bound)) : 0;
    watched_bytes += bytes;
    watched.push_back({bound->host, bytes, HashBytes(bound->host, bytes), port.value});
  }
  std::vector<braid_fence*> waits;
  if (!Waits(layer, kSlot, submit->waits, submit->wait_count, &waits)) return Refuse(kRefused);
  braid_submit own = *submit;
  own.size = sizeof own;
  own.bindings = bindings.data();
  own.binding_stride = sizeof(braid_binding);
  own.waits = waits.data();
  if (submit->workspace != nullptr) {
    const auto workspace = Boxes::Get().Find<BufferBox>(submit->workspace, Kind::kBuffer, kSlot, layer);
    if (workspace == nullptr) return Refuse(kRefused);
    own.workspace = workspace->inner;
    if (submit->workspace_offset % box->device->info.alignment != 0)
      layer->Report(Rule::kBindingAlignment,
                    absl::StrCat(kSlot, ": the workspace lies at ", submit->workspace_offset,
                                 ", no multiple of ", box->device->info.alignment));
    buffers.push_back(workspace);
  }
  std::vector<braid_binding> inputs;
  for (const braid_binding& b : bindings)
    if (PortOf(*box, b.value)->input) inputs.push_back(b);
  uint64_t need = 0;
  const braid_status sized = layer->inner().exec->workspace_size(
      box->inner, inputs.data(), static_cast<uint32_t>(inputs.size()), sizeof(braid_binding), &need);
  if (sized == BRAID_OK && need > 0) {
    const uint64_t have = submit->workspace == nullptr || buffers.back()->bytes < submit->workspace_offset
                              ? 0
                              : buffers.back()->bytes - submit->workspace_offset;
    if (have < need) {
      layer->Report(Rule::kWorkspace,
                    absl::StrCat(kSlot, ": the workspace has ", have, " bytes, the run needs ", need));
      return Refuse(kRefused);
    }
  }
  CheckSharing(*box, bindings);
  TellStaticShapes(*box, inputs);
  ErrorSink::Clear();
  braid_fence* given = nullptr;
  braid_status status;
  {
    const Stopwatch watch(box->device.get(), kSlot);
    status = layer->inner().exec->submit(box->inner, &own, &given);
  }
  RunStatus(box->device.get(), kSlot, status, submit->wait_count > 0);
  if (status != BRAID_OK) {
    if (given != nullptr) Gives(layer, kSlot, status, given);
    return status;
  }
  auto run = std::make_shared<FenceBox>(box->device, given);
  run->watched = std::move(watched);
  if (given == nullptr) {
    CompareWatched(*run);
    return status;
  }
  run->exec = box;
  run->any_status = submit->wait_count > 0;
  run->buffers = std::move(buffers);
  *out = GiveFence(std::move(run));
  return status;
}

braid_status BRAID_CALL ExecTake(braid_exec* e, braid_fence* f, uint32_t value, braid_buffer** buffer,
                                 int32_t* rank, int64_t* dims) {
  constexpr const char* kSlot = "exec.take_output";
  const auto box = ExecOf(e, kSlot);
  if (box == nullptr) return Refuse("exec.take_output: no executable");
  const auto fence = Boxes::Get().Find<FenceBox>(f, Kind::kFence, kSlot, box->layer);
  if (fence == nullptr) return Refuse("exec.take_output: no fence");
  if (!Done(*fence, kSlot)) {
    box->layer->Report(Rule::kFenceBusy, "exec.take_output was called before the fence was done");
    return Refuse("exec.take_output: the run is pending");
  }
  braid_buffer* given = nullptr;
  const braid_status status =
      Status(box->layer, kSlot,
             box->layer->inner().exec->take_output(box->inner, fence->inner, value, &given, rank, dims),
             {BRAID_INVALID_ARGUMENT});
  if (status != BRAID_OK) return status;
  if (const Port* port = PortOf(*box, value); port != nullptr)
    if (const std::string why = Mismatch(*port, *rank, dims); !why.empty())
      box->layer->Report(Rule::kOutputShape, absl::StrCat(kSlot, " tells for value ", value, " ", why));
  if (given != nullptr) {
    box->device->children.fetch_add(1);
    *buffer = Boxes::Get().Add<braid_buffer>(
        std::make_shared<BufferBox>(box->device, given, UINT64_MAX, BRAID_BUFFER_MAPPABLE));
  }
  return status;
}

braid_status BRAID_CALL ExecSave(braid_exec* e, void* context,
                                 braid_status(BRAID_CALL* write)(void*, braid_bytes)) {
  const auto box = ExecOf(e, "exec.save_blob");
  if (box == nullptr) return Refuse("exec.save_blob: no executable");
  // What `write` answers is the host's own.
  struct Writing {
    void* context;
    braid_status(BRAID_CALL* write)(void*, braid_bytes);
    braid_status last;
  } writing{context, write, BRAID_OK};
  const auto forward = [](void* c, braid_bytes bytes) noexcept -> braid_status {
    auto* w = static_cast<Writing*>(c);
    return w->last = w->write(w->context, bytes);
  };
  const braid_status status = box->layer->inner().exec->save_blob(box->inner, &writing, forward);
  return Status(box->layer, "exec.save_blob", status, {BRAID_UNSUPPORTED, writing.last});
}

void BRAID_CALL ExecDestroy(braid_exec* e) {
  const auto box = ExecOf(e, "exec.destroy");
  if (box == nullptr) return;
  if (box->fences.load() > 0) {
    box->layer->Report(Rule::kExecBusy, absl::StrCat("an executable was destroyed while ", box->fences.load(),
                                                     " fences of its runs exist"));
    return;
  }
  if (!Boxes::Get().Kill(box, "exec.destroy")) return;
  box->device->children.fetch_sub(1);
  box->layer->inner().exec->destroy(box->inner);
}

}  // namespace

braid_exec* GiveExec(const std::shared_ptr<DeviceBox>& device, const braid_graph* graph, braid_exec* inner) {
  auto box = std::make_shared<ExecBox>(device, inner);
  for (const bool input : {true, false}) {
    const uint32_t* list = input ? graph->inputs : graph->outputs;
    for (uint32_t i = 0; i < (input ? graph->input_count : graph->output_count); ++i) {
      const auto& value = At<braid_value>(graph->values, graph->value_stride, list[i]);
      Port port;
      port.value = list[i];
      port.input = input;
      port.type = value.type;
      port.rank = value.rank;
      for (int32_t k = 0; k < value.rank; ++k)
        port.dims.push_back(
            At<braid_dim>(graph->dims, graph->dim_stride, value.dims + static_cast<uint32_t>(k)));
      braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
      io.alignment = 1;
      io.may_alias_input = BRAID_NONE;
      if (device->layer->inner().exec->io_requirements(inner, list[i], &io) == BRAID_OK) {
        port.alignment = std::max<uint64_t>(io.alignment, 1);
        port.flags = io.flags;
        port.may_alias_input = io.may_alias_input;
      }
      box->ports.push_back(std::move(port));
    }
  }
  device->children.fetch_add(1);
  return Boxes::Get().Add<braid_exec>(std::move(box));
}

braid_exec_fns ExecSlots(const braid_exec_fns& inner) {
  braid_exec_fns slots = BRAID_EXEC_FNS_INIT;
  slots.io_requirements = ExecIo;
  slots.output_dims = ExecDims;
  slots.workspace_size = ExecWorkspace;
  slots.submit = ExecSubmit;
  slots.take_output = ExecTake;
  slots.save_blob = inner.save_blob == nullptr ? nullptr : ExecSave;
  slots.destroy = ExecDestroy;
  return slots;
}

}  // namespace braid::checked
