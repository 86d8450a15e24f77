// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/checked.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "core/graph/graph.h"
#include "core/plugins/checked/objects.h"
#include "core/plugins/hash.h"
#include "core/plugins/host.h"
#include "core/plugins/view.h"

namespace braid {
namespace checked {
namespace {

constexpr uint64_t kMaxWatched = 64 << 20;  // bytes hashed a call, so that large models stay usable

uint64_t HashBytes(const void* data, uint64_t bytes) {
  return HashOf({static_cast<const char*>(data), static_cast<size_t>(bytes)})[0];
}

template <class T>
const T& At(const void* array, uint32_t stride, uint32_t i) {
  return *BRAID_AT(T, array, stride, i);
}

// Holds a flag that says "a call is in"; reports a second one.
class Exclusive {
 public:
  Exclusive(std::atomic<bool>& flag, Layer* layer, Rule rule, const std::string& text) : flag_(flag) {
    entered_ = !flag.exchange(true);
    if (!entered_) layer->Report(rule, text);
  }
  ~Exclusive() {
    if (entered_) flag_.store(false);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::atomic<bool>& flag_;
  bool entered_;
};

// A status that a slot answers at once.
braid_status Status(Layer* layer, const char* slot, braid_status status) {
  if (status < BRAID_OK || status > BRAID_IO_ERROR || status == BRAID_PENDING)
    layer->Report(Rule::kStatus,
                  absl::StrCat(slot, " answered ", StatusName(status), ", which is none of its statuses"));
  return status;
}

template <class T>
void Gives(Layer* layer, const char* slot, braid_status status, T* given) {
  if ((status == BRAID_OK) != (given != nullptr))
    layer->Report(Rule::kOkWithoutObject,
                  absl::StrCat(slot, " answered ", StatusName(status),
                               given == nullptr ? " and gave nothing" : " and gave something"));
}

braid_status Refuse(const char* text) {
  ErrorSink::Set(text);
  return BRAID_INVALID_ARGUMENT;
}

std::shared_ptr<DeviceBox> DeviceOf(braid_device* d, const char* slot) {
  return Boxes::Get().Find<DeviceBox>(d, Kind::kDevice, slot);
}
std::shared_ptr<ExecBox> ExecOf(braid_exec* e, const char* slot) {
  return Boxes::Get().Find<ExecBox>(e, Kind::kExec, slot);
}
std::shared_ptr<FenceBox> FenceOf(braid_fence* f, const char* slot) {
  return Boxes::Get().Find<FenceBox>(f, Kind::kFence, slot);
}

// ---- Constants ----

class ConstantWatch {
 public:
  ConstantWatch(Layer* layer, const braid_graph* graph, const char* slot) : layer_(layer), slot_(slot) {
    const auto* provider = static_cast<const ConstantProvider*>(graph->host_data);
    if (provider == nullptr) return;
    uint64_t total = 0;
    for (uint32_t i = 0; i < graph->value_count; ++i) {
      const auto& value = At<braid_value>(graph->values, graph->value_stride, i);
      if ((value.flags & BRAID_VALUE_CONSTANT) == 0 || total + value.bytes > kMaxWatched) continue;
      total += value.bytes;
      if (auto constant = provider->constant(i))
        watched_.push_back({constant, HashBytes(constant->data, constant->bytes), i});
    }
  }
  ~ConstantWatch() {
    for (const Item& item : watched_)
      if (HashBytes(item.constant->data, item.constant->bytes) != item.hash)
        layer_->Report(Rule::kConstantChanged,
                       absl::StrCat(slot_, " changed the bytes of constant value ", item.value));
  }

 private:
  struct Item {
    std::shared_ptr<const Constant> constant;
    uint64_t hash;
    uint32_t value;
  };
  Layer* layer_;
  const char* slot_;
  std::vector<Item> watched_;
};

// ---- Shapes ----

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
  if (port->input && has_memory && b->strides == nullptr && Needed(*port, *b) > b->bytes)
    layer->Report(Rule::kBindingRange,
                  absl::StrCat(where, " has ", b->bytes, " bytes, its shape needs ", Needed(*port, *b)));
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

// ---- Fences ----

void Compare(FenceBox& fence) {
  if (fence.compared.exchange(true)) return;
  for (const Watched& w : fence.watched)
    if (HashBytes(w.data, w.bytes) != w.hash)
      fence.layer->Report(Rule::kInputChanged,
                          absl::StrCat("the run changed the bytes of input value ", w.value));
}

// Takes note of what the fence said; gives what the caller should hear.
braid_status Seen(FenceBox& fence, const char* slot, braid_status status) {
  braid_status before = fence.end.load();
  if (before != BRAID_PENDING) {
    if (status != before)
      fence.layer->Report(Rule::kFenceUnfinished,
                          absl::StrCat(slot, ": a fence that had ended with ", StatusName(before),
                                       " now says ", StatusName(status)));
    return before;
  }
  if (status == BRAID_PENDING) return status;
  if (status < BRAID_OK || status > BRAID_IO_ERROR)
    fence.layer->Report(Rule::kStatus, absl::StrCat(slot, ": a fence ended with ", StatusName(status)));
  Compare(fence);
  fence.end.compare_exchange_strong(before, status);
  return status;
}

bool Done(FenceBox& fence, const char* slot) {
  if (fence.end.load() != BRAID_PENDING) return true;
  return Seen(fence, slot, fence.layer->inner().fence->wait(fence.inner, 0)) != BRAID_PENDING;
}

braid_fence* GiveFence(std::shared_ptr<FenceBox> box) {
  box->device->children.fetch_add(1);
  if (box->exec != nullptr) box->exec->fences.fetch_add(1);
  return Boxes::Get().Add<braid_fence>(std::move(box));
}

// The plugin's own fences behind waits; false: one is none.
bool Waits(Layer* layer, const char* slot, braid_fence* const* waits, uint32_t count,
           std::vector<braid_fence*>* out) {
  for (uint32_t i = 0; i < count; ++i) {
    const auto fence = Boxes::Get().Find<FenceBox>(waits[i], Kind::kFence, slot, layer);
    if (fence == nullptr) return false;
    out->push_back(fence->inner);
  }
  return true;
}

braid_status BRAID_CALL FenceWait(braid_fence* f, uint64_t timeout) {
  const auto box = FenceOf(f, "fence.wait");
  if (box == nullptr) return Refuse("fence.wait: no fence");
  return Seen(*box, "fence.wait", box->layer->inner().fence->wait(box->inner, timeout));
}

void BRAID_CALL Called(void* argument, braid_status status) {
  auto* box = static_cast<FenceBox*>(argument);
  if (box->calls.fetch_add(1) > 0) {
    box->layer->Report(Rule::kCallbackTwiceMade, "a fence called back more than once");
    return;
  }
  box->in_callback.store(true);
  const braid_status told = Seen(*box, "fence.on_ready", status);
  box->callback(box->argument, told);
  box->in_callback.store(false);
}

void BRAID_CALL FenceOnReady(braid_fence* f, void(BRAID_CALL* callback)(void*, braid_status),
                             void* argument) {
  const auto box = FenceOf(f, "fence.on_ready");
  if (box == nullptr) return;
  if (box->asked.exchange(true)) {
    box->layer->Report(Rule::kCallbackTwiceAsked, "on_ready was asked of a fence more than once");
    return;
  }
  box->callback = callback;
  box->argument = argument;
  box->layer->inner().fence->on_ready(box->inner, Called, box.get());
}

braid_status BRAID_CALL FenceCompletion(braid_fence* f, braid_completion* out) {
  const auto box = FenceOf(f, "fence.completion");
  if (box == nullptr) return Refuse("fence.completion: no fence");
  const braid_status status = box->layer->inner().fence->completion(box->inner, out);
  if (status == BRAID_OK) Seen(*box, "fence.completion", out->status);
  return status;
}

void BRAID_CALL FenceCancel(braid_fence* f) {
  if (const auto box = FenceOf(f, "fence.cancel")) box->layer->inner().fence->cancel(box->inner);
}

void BRAID_CALL FenceSignal(braid_fence* f, braid_status status) {
  const auto box = FenceOf(f, "fence.signal");
  if (box == nullptr) return;
  if (!box->of_host)
    return box->layer->Report(Rule::kSignal, "signal of a fence that fence_create did not make");
  if (box->signalled.exchange(true))
    return box->layer->Report(Rule::kSignal, "a fence was signalled more than once");
  box->layer->inner().fence->signal(box->inner, status);
}

void BRAID_CALL FenceDestroy(braid_fence* f) {
  const auto box = FenceOf(f, "fence.destroy");
  if (box == nullptr) return;
  if (!Done(*box, "fence.destroy")) {
    box->layer->Report(Rule::kFenceBusy, "a fence was destroyed before it was done");
    return;  // passing it on would crash; the leak does not
  }
  if (box->asked.load() && (box->calls.load() == 0 || box->in_callback.load()))
    box->layer->Report(Rule::kFenceBusy, "a fence was destroyed before its callback had returned");
  if (!Boxes::Get().Kill(box, "fence.destroy")) return;
  box->device->children.fetch_sub(1);
  if (box->exec != nullptr) box->exec->fences.fetch_sub(1);
  box->layer->inner().fence->destroy(box->inner);
  box->buffers.clear();
}

// ---- Executables ----

braid_status BRAID_CALL ExecIo(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  const auto box = ExecOf(e, "exec.io_requirements");
  if (box == nullptr) return Refuse("exec.io_requirements: no executable");
  const braid_status status = Status(box->layer, "exec.io_requirements",
                                     box->layer->inner().exec->io_requirements(box->inner, value, out));
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
                                                   output, rank, dims));
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
      box->layer->inner().exec->workspace_size(box->inner, own.data(), count, sizeof(braid_binding), bytes));
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
  ErrorSink::Clear();
  braid_fence* given = nullptr;
  const braid_status status = Status(layer, kSlot, layer->inner().exec->submit(box->inner, &own, &given));
  if (status != BRAID_OK) {
    if (given != nullptr) Gives(layer, kSlot, status, given);
    return status;
  }
  auto run = std::make_shared<FenceBox>(box->device, given);
  run->watched = std::move(watched);
  if (given == nullptr) {
    Compare(*run);
    return status;
  }
  run->exec = box;
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
             box->layer->inner().exec->take_output(box->inner, fence->inner, value, &given, rank, dims));
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
  return Status(box->layer, "exec.save_blob",
                box->layer->inner().exec->save_blob(box->inner, context, write));
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

// ---- The device ----

braid_status BRAID_CALL DeviceQuery(braid_device* d, const braid_graph* graph,
                                    const braid_compile_options* options, void* verdicts, uint32_t stride) {
  constexpr const char* kSlot = "device.query";
  const auto box = DeviceOf(d, kSlot);
  if (box == nullptr) return Refuse("device.query: no device");
  const ConstantWatch watch(box->layer, graph, kSlot);
  const braid_status status = Status(
      box->layer, kSlot, box->layer->inner().device->query(box->inner, graph, options, verdicts, stride));
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
  const ConstantWatch watch(box->layer, graph, "device.estimate");
  return Status(
      box->layer, "device.estimate",
      box->layer->inner().device->estimate(box->inner, graph, options, nodes, ends, sets, costs, stride));
}

braid_status BRAID_CALL DeviceLink(braid_device* d, const braid_device_info* peer, braid_link* out) {
  const auto box = DeviceOf(d, "device.link");
  if (box == nullptr) return Refuse("device.link: no device");
  return Status(box->layer, "device.link", box->layer->inner().device->link(box->inner, peer, out));
}

// The box of an executable, with what the graph says of its inputs and outputs.
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
      if (device->layer->inner().exec->io_requirements(inner, list[i], &io) == BRAID_OK) {
        port.alignment = std::max<uint64_t>(io.alignment, 1);
        port.flags = io.flags;
      }
      box->ports.push_back(std::move(port));
    }
  }
  device->children.fetch_add(1);
  return Boxes::Get().Add<braid_exec>(std::move(box));
}

braid_status BRAID_CALL DeviceCompile(braid_device* d, const braid_graph* graph,
                                      const braid_compile_options* options, braid_exec** out) {
  constexpr const char* kSlot = "device.compile";
  *out = nullptr;
  const auto box = DeviceOf(d, kSlot);
  if (box == nullptr) return Refuse("device.compile: no device");
  Layer* layer = box->layer;
  const ConstantWatch watch(layer, graph, kSlot);
  braid_exec* given = nullptr;
  const braid_status status =
      Status(layer, kSlot, layer->inner().device->compile(box->inner, graph, options, &given));
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
  return Status(box->layer, "device.check_blob",
                box->layer->inner().device->check_blob(box->inner, graph, options, blob));
}

braid_status BRAID_CALL DeviceLoadBlob(braid_device* d, const braid_graph* graph,
                                       const braid_compile_options* options, braid_bytes blob,
                                       braid_exec** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.load_blob");
  if (box == nullptr) return Refuse("device.load_blob: no device");
  braid_exec* given = nullptr;
  const braid_status status =
      Status(box->layer, "device.load_blob",
             box->layer->inner().device->load_blob(box->inner, graph, options, blob, &given));
  Gives(box->layer, "device.load_blob", status, given);
  if (given != nullptr) *out = GiveExec(box, graph, given);
  return status;
}

braid_status GiveBuffer(const std::shared_ptr<DeviceBox>& box, const char* slot, braid_status status,
                        braid_buffer* given, uint64_t bytes, uint32_t flags, braid_buffer** out) {
  Status(box->layer, slot, status);
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
                box->layer->inner().device->buffer_export(box->inner, buffer->inner, kind, out));
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
      box->layer, kSlot, box->layer->inner().device->map(box->inner, buffer->inner, offset, bytes, out));
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
  const braid_status status = Status(layer, kSlot, layer->inner().device->transfer(box->inner, &own, &given));
  if (status != BRAID_OK || given == nullptr) {
    if (given != nullptr) Gives(layer, kSlot, status, given);
    return status;
  }
  auto fence = std::make_shared<FenceBox>(box, given);
  fence->buffers = std::move(buffers);
  *out = GiveFence(std::move(fence));
  return status;
}

braid_status BRAID_CALL DeviceFence(braid_device* d, braid_fence** out) {
  *out = nullptr;
  const auto box = DeviceOf(d, "device.fence_create");
  if (box == nullptr) return Refuse("device.fence_create: no device");
  braid_fence* given = nullptr;
  const braid_status status =
      Status(box->layer, "device.fence_create", box->layer->inner().device->fence_create(box->inner, &given));
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
    box->layer->Report(Rule::kStatus, absl::StrCat("device.health answered ", StatusName(status)));
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

// ---- The plugin ----

Layer* LayerOf(const braid_plugin* p) { return static_cast<Layer*>(p->data); }

braid_status BRAID_CALL PluginEnumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                        uint32_t stride, uint32_t* count) {
  Layer* layer = LayerOf(p);
  return Status(layer, "plugin.enumerate",
                layer->inner().enumerate(&layer->inner(), capacity, infos, stride, count));
}

braid_status BRAID_CALL PluginOpen(const braid_plugin* p, uint32_t index, const braid_open_options* options,
                                   braid_device** out) {
  *out = nullptr;
  Layer* layer = LayerOf(p);
  braid_device* given = nullptr;
  const braid_status status =
      Status(layer, "plugin.open", layer->inner().open(&layer->inner(), index, options, &given));
  Gives(layer, "plugin.open", status, given);
  if (given == nullptr) return status;
  DeviceInfo info;
  const braid_device_info none = BRAID_DEVICE_INFO_INIT;
  uint32_t count = 0;
  std::vector<braid_device_info> raw(index + 1, none);
  if (layer->inner().enumerate(&layer->inner(), index + 1, raw.data(), sizeof none, &count) == BRAID_OK &&
      index < count) {
    info.flags = raw[index].flags;
    info.queues = std::max(raw[index].queues, 1u);
  }
  layer->devices.fetch_add(1);
  *out = Boxes::Get().Add<braid_device>(std::make_shared<DeviceBox>(layer, given, info));
  return status;
}

// Tables of extensions take handles, which this layer would have to replace; none is known to it yet.
const void* BRAID_CALL PluginExtension(const braid_plugin*, const char*) { return nullptr; }

void BRAID_CALL PluginShutdown(const braid_plugin* p) {
  Layer* layer = LayerOf(p);
  if (layer->devices.load() > 0)
    layer->Report(Rule::kPluginNotEmpty, absl::StrCat("the plugin was shut down while ",
                                                      layer->devices.load(), " of its devices are open"));
  layer->inner().shutdown(&layer->inner());
  if (layer->host()->tokens() != 0)
    layer->Report(Rule::kTokens,
                  absl::StrCat(layer->host()->tokens(),
                               " tokens of constants or cache entries were not released before shutdown"));
}

}  // namespace

Layer::Layer(const braid_plugin* inner, HostTable* host) : inner_(inner), host_(host), id_(host->id()) {
  table_ = *inner;
  table_.size = sizeof table_;
  table_.data = this;
  table_.enumerate = PluginEnumerate;
  table_.open = PluginOpen;
  table_.get_extension = PluginExtension;
  table_.shutdown = PluginShutdown;
  table_.device = &device_;
  table_.exec = &exec_;
  table_.fence = &fence_;
  const braid_device_fns& d = *inner->device;
  device_ = BRAID_DEVICE_FNS_INIT;
  device_.query = DeviceQuery;
  device_.estimate = d.estimate == nullptr ? nullptr : DeviceEstimate;
  device_.link = d.link == nullptr ? nullptr : DeviceLink;
  device_.compile = DeviceCompile;
  device_.check_blob = d.check_blob == nullptr ? nullptr : DeviceCheckBlob;
  device_.load_blob = d.load_blob == nullptr ? nullptr : DeviceLoadBlob;
  device_.buffer_alloc = BufferAlloc;
  device_.buffer_import = d.buffer_import == nullptr ? nullptr : BufferImport;
  device_.buffer_export = d.buffer_export == nullptr ? nullptr : BufferExport;
  device_.buffer_free = BufferFree;
  device_.map = d.map == nullptr ? nullptr : DeviceMap;
  device_.unmap = d.unmap == nullptr ? nullptr : DeviceUnmap;
  device_.transfer = DeviceTransfer;
  device_.fence_create = d.fence_create == nullptr ? nullptr : DeviceFence;
  device_.health = DeviceHealth;
  device_.close = DeviceClose;
  exec_ = BRAID_EXEC_FNS_INIT;
  exec_.io_requirements = ExecIo;
  exec_.output_dims = ExecDims;
  exec_.workspace_size = ExecWorkspace;
  exec_.submit = ExecSubmit;
  exec_.take_output = ExecTake;
  exec_.save_blob = inner->exec->save_blob == nullptr ? nullptr : ExecSave;
  exec_.destroy = ExecDestroy;
  fence_ = BRAID_FENCE_FNS_INIT;
  fence_.wait = FenceWait;
  fence_.on_ready = FenceOnReady;
  fence_.completion = FenceCompletion;
  fence_.cancel = inner->fence->cancel == nullptr ? nullptr : FenceCancel;
  fence_.signal = inner->fence->signal == nullptr ? nullptr : FenceSignal;
  fence_.destroy = FenceDestroy;
}

}  // namespace checked

std::shared_ptr<PluginLayer> MakeCheckedLayer(const braid_plugin* inner, HostTable* host) {
  // Kept for good: boxes of handles that are used too late still name it.
  static std::mutex* mutex = new std::mutex;
  static auto* layers = new std::vector<std::shared_ptr<PluginLayer>>;
  auto layer = std::make_shared<checked::Layer>(inner, host);
  std::lock_guard<std::mutex> lock(*mutex);
  layers->push_back(layer);
  return layer;
}

}  // namespace braid
