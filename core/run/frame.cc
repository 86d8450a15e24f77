// SPDX-License-Identifier: Apache-2.0
#include "core/run/frame.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/names.h"
#include "core/plugins/host.h"
#include "core/run/host_ops.h"
#include "core/run/runner.h"

namespace braid {
namespace {

// A device that said yes and compiled has no more to refuse: for the caller that is an error, not a model
// that no device runs.
absl::Status OfRun(absl::Status status) {
  if (!absl::IsUnimplemented(status)) return status;
  return absl::InternalError(absl::StrCat(status.message(), " (UNSUPPORTED, after a yes)"));
}

uint64_t BytesOf(ElementType type, int32_t rank, const int64_t* dims) {
  uint64_t n = 1;
  for (int32_t i = 0; i < rank; ++i)
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(dims[i]), &n)) return UINT64_MAX;
  return TensorBytes(type, n);
}

}  // namespace

uint8_t* HostAlloc(uint64_t bytes) {
  uint64_t rounded = (std::max<uint64_t>(bytes, 1) + kHostAlignment - 1) & ~(kHostAlignment - 1);
  return rounded < bytes ? nullptr : static_cast<uint8_t*>(std::aligned_alloc(kHostAlignment, rounded));
}

std::mutex& QueueMutex(const Device& device, uint32_t queue) {
  // A device object lives longer than every graph that uses it. Its locks are never freed, and serve the next
  // at its address.
  static std::mutex guard;
  static auto& locks = *new std::map<std::pair<const Device*, uint32_t>, std::unique_ptr<std::mutex>>();
  std::lock_guard lock(guard);
  auto& mutex = locks[{&device, queue}];
  if (mutex == nullptr) mutex = std::make_unique<std::mutex>();
  return *mutex;
}

absl::StatusOr<std::unique_ptr<Frame>> Frame::Create(Specialisation& spec,
                                                     std::shared_ptr<const RunContext> context,
                                                     uint32_t number) {
  std::unique_ptr<Frame> frame(new Frame(spec, std::move(context)));
  if (absl::Status s = frame->Allocate(number); !s.ok()) return s;
  return frame;
}

Frame::~Frame() = default;

absl::Status Frame::Allocate(uint32_t number) {
  const Graph& graph = spec_.graph();
  where_.resize(spec_.slots.size());
  dynamic_.resize(spec_.slots.size());
  values_.resize(spec_.slots.size());
  shapes_.resize(graph.values.size());
  host_arena_.resize(spec_.arenas.size());
  device_arena_.resize(spec_.arenas.size());
  for (size_t l = 0; l < spec_.arenas.size(); ++l) {
    for (uint64_t bytes : spec_.arenas[l]) {
      if (l == 0) {
        host_arena_[l].emplace_back(HostAlloc(bytes));
        if (host_arena_[l].back() == nullptr) return NoArena(host_arena_[l].size() - 1, bytes);
        continue;
      }
      auto buffer = device(static_cast<int>(l)).BufferAlloc(bytes, 0, spec_.alignment[l]);
      if (!buffer.ok()) return buffer.status();
      device_arena_[l].push_back(*std::move(buffer));
    }
  }
  for (size_t d = 0; d < context_->devices.size(); ++d) {
    Device& dev = *context_->devices[d];
    workspace_.emplace_back();
    queue_.push_back(number % std::max(1u, dev.info().queues));
    queue_mutex_.push_back(&QueueMutex(dev, queue_.back()));
    if (spec_.workspaces[d] == 0) continue;
    auto buffer = dev.BufferAlloc(spec_.workspaces[d], 0);
    if (!buffer.ok()) return buffer.status();
    workspace_[d] = *std::move(buffer);
  }
  for (size_t s = 0; s < spec_.slots.size(); ++s) {
    const Slot& slot = spec_.slots[s];
    Where& where = where_[s];
    where.bytes = slot.bytes;
    size_t l = static_cast<size_t>(slot.location);
    if (slot.source == Slot::kArena && l == 0) {
      where.host = host_arena_[0][slot.index].get() + slot.offset;
    } else if (slot.source == Slot::kArena) {
      where.buffer = device_arena_[l][slot.index].get();
      where.offset = slot.offset;
    } else if (slot.source == Slot::kConstant) {
      // Devices and host operators only read it.
      where.host = const_cast<uint8_t*>(graph.values[slot.value].constant->data);
    }
    if (!HasStaticDims(slot.value) && shapes_[slot.value] == nullptr)
      shapes_[slot.value] = std::make_unique<Shape>();
  }
  size_t largest = 0;
  for (const SegmentStep& step : spec_.segments)
    largest = std::max(largest, step.inputs.size() + step.outputs.size());
  bindings_.resize(largest);
  pending_.reserve(spec_.steps.size() + spec_.input_slots.size() + spec_.output_slots.size() + 1);
  size_t body_inputs = 0, body_outputs = 0;
  for (const HostStep& step : spec_.host_steps) {
    for (const auto& captures : step.captures)
      body_inputs = std::max(body_inputs, captures.size() + step.inputs.size());
    body_outputs = std::max(body_outputs, step.outputs.size());
  }
  body_inputs_.reserve(body_inputs);
  body_outputs_.resize(body_outputs);
  return absl::OkStatus();
}

int32_t Frame::RankOf(ValueId v) const {
  return HasStaticDims(v) ? static_cast<int32_t>(spec_.graph().values[v].type.dims.size()) : shapes_[v]->rank;
}

const int64_t* Frame::DimsOf(ValueId v) const {
  return HasStaticDims(v) ? spec_.dims.data() + spec_.dims_of[v] : shapes_[v]->dims;
}

Shape& Frame::DynamicShape(ValueId v) { return *shapes_[v]; }

std::string Frame::NameOf(ValueId v) const {
  return ValueText(spec_.graph(), v, {DimsOf(v), static_cast<size_t>(RankOf(v))});
}

absl::Status Frame::NoRoom(ValueId v, uint64_t bytes) const {
  return NoHostMemory(spec_.graph(), v, {DimsOf(v), static_cast<size_t>(RankOf(v))}, bytes);
}

// What planned memory of the host's is most for.
absl::Status Frame::NoArena(size_t chunk, uint64_t bytes) const {
  const Slot* largest = nullptr;
  for (const Slot& slot : spec_.slots)
    if (slot.source == Slot::kArena && slot.location == 0 && slot.index == chunk &&
        (largest == nullptr || slot.bytes > largest->bytes))
      largest = &slot;
  if (largest != nullptr && largest->bytes == bytes) return NoRoom(largest->value, bytes);
  return absl::ResourceExhaustedError(absl::StrCat(
      "out of host memory: the values of a run take ", bytes, " bytes",
      largest == nullptr
          ? ""
          : absl::StrCat(", the largest of them ", NameOf(largest->value), " ", largest->bytes)));
}

// ---- Fences ----

braid_status Frame::Wait(const Fence& fence) {
  if (control_ == nullptr) return fence.Wait(kForever);
  constexpr uint64_t kLookNs = 5'000'000;
  for (;;) {
    const bool cancelled = control_->cancelled.load(std::memory_order_relaxed);
    if (cancelled) {
      fence.Cancel();
      for (const Pending& p : pending_) p.fence.Cancel();
    }
    const braid_status status = fence.Wait(cancelled ? kForever : kLookNs);
    if (status != BRAID_PENDING) return status;
  }
}

absl::Status Frame::Failure(const char* doing, const Fence& fence) const {
  return OfRun(InFront(doing, fence.Result()));
}

absl::Status Frame::WaitAll() {
  absl::Status first;
  for (Pending& p : pending_)
    if (Wait(p.fence) != BRAID_OK && first.ok()) first = Failure(p.doing, p.fence);
  pending_.clear();
  host_pending_ = false;
  return first;
}

// Before the host touches memory that a device may still be writing.
absl::Status Frame::WaitForHost() {
  if (!host_pending_) return absl::OkStatus();
  host_pending_ = false;
  for (Pending& p : pending_)
    if (p.host) Wait(p.fence);
  // What the host is about to read was made by work that has ended too. A failure there made it nonsense.
  for (Pending& p : pending_) {
    p.host = false;
    if (braid_status status = p.fence.Wait(0); status != BRAID_OK && status != BRAID_PENDING)
      return Failure(p.doing, p.fence);
  }
  return absl::OkStatus();
}

// ---- The caller's memory ----

absl::Status Frame::BindCaller(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs) {
  const Graph& graph = spec_.graph();
  for (size_t i = 0; i < inputs.size(); ++i) {
    uint32_t s = spec_.input_slots[i];
    if (s == kNone) continue;
    if (inputs[i].value != nullptr) {
      values_[s] = *inputs[i].value;
      continue;
    }
    Where& where = where_[s];
    where.host = static_cast<uint8_t*>(const_cast<void*>(inputs[i].data));  // only read
    where.buffer = inputs[i].buffer != nullptr ? inputs[i].buffer->get() : nullptr;
    where.offset = inputs[i].offset;
    where.bytes = inputs[i].bytes;
    if (where.buffer != nullptr && where.offset % spec_.slots[s].alignment != 0) {
      const Where given = where;
      if (absl::Status status = Reserve(s, given.bytes); !status.ok()) return status;
      if (absl::Status status =
              CopyWithin(spec_.slots[s].location, given, where.buffer, 0, given.bytes, "aligning an input");
          !status.ok())
        return status;
    }
    ValueId v = graph.inputs[i];
    if (HasStaticDims(v)) continue;
    Shape& shape = DynamicShape(v);
    shape.rank = inputs[i].rank;
    std::memcpy(shape.dims, inputs[i].dims, sizeof(int64_t) * static_cast<size_t>(inputs[i].rank));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    uint32_t s = spec_.output_slots[i];
    if (s == kNone || spec_.slots[s].source != Slot::kOutput || spec_.slots[s].index != i) continue;
    const Slot& slot = spec_.slots[s];
    RunOutput& out = outputs[i];
    Where& where = where_[s];
    // Not over an input, which is read while the output would be written.
    bool direct = slot.location != 0 && out.buffer != nullptr && out.wanted && out.room >= slot.bytes &&
                  out.offset % slot.alignment == 0;
    for (const RunInput& in : inputs)
      if (direct && in.buffer != nullptr && in.buffer->get() == out.buffer->get() &&
          in.offset < out.offset + slot.bytes && out.offset < in.offset + in.bytes)
        direct = false;
    if (direct) {
      where.buffer = out.buffer->get();
      where.offset = out.offset;
      continue;
    }
    if (slot.location == 0 && out.wanted && out.buffer == nullptr) {
      if (out.data == nullptr) {
        out.allocated.reset(HostAlloc(slot.bytes));
        if (out.allocated == nullptr) return NoRoom(slot.value, slot.bytes);
        where.host = out.allocated.get();
        continue;
      }
      // The result may go there at once unless it is too small, oddly aligned, or the memory of an input,
      // which is read while it would be written.
      uint8_t* data = static_cast<uint8_t*>(out.data);
      direct = out.room >= slot.bytes && reinterpret_cast<uintptr_t>(data) % 16 == 0;
      for (const RunInput& in : inputs) {
        const uint8_t* from = static_cast<const uint8_t*>(in.data);
        if (from != nullptr && data < from + in.bytes && from < data + slot.bytes) direct = false;
      }
      if (direct) {
        where.host = data;
        continue;
      }
    }
    if (absl::Status status = Reserve(s, slot.bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Frame::CopyWithin(int location, const Where& from, braid_buffer* to, uint64_t to_offset,
                               uint64_t bytes, const char* doing) {
  if (bytes == 0) return absl::OkStatus();
  const size_t d = static_cast<size_t>(location) - 1;
  braid_transfer transfer{};
  transfer.size = sizeof transfer;
  transfer.kind = BRAID_TRANSFER_COPY;
  transfer.from = from.buffer;
  transfer.from_offset = from.offset;
  transfer.to = to;
  transfer.to_offset = to_offset;
  transfer.bytes = bytes;
  transfer.queue = queue_[d];
  Fence fence;
  std::lock_guard lock(*queue_mutex_[d]);
  if (braid_status status = device(location).Transfer(transfer, &fence); status != BRAID_OK)
    return device(location).Error(status, doing);
  if (fence) pending_.push_back({std::move(fence), doing, false});
  return absl::OkStatus();
}

absl::Status Frame::Reserve(uint32_t slot, uint64_t bytes) {
  Dynamic& d = dynamic_[slot];
  const int location = spec_.slots[slot].location;
  Where& where = where_[slot];
  const ValueId value = spec_.slots[slot].value;
  if (bytes == UINT64_MAX) return NoRoom(value, bytes);
  bool has = location == 0 ? d.host != nullptr : static_cast<bool>(d.buffer);
  if (!has || d.room < bytes) {
    if (location == 0) {
      d.host.reset(HostAlloc(bytes));
      if (d.host == nullptr) {
        d.room = 0;
        return NoRoom(value, bytes);
      }
    } else {
      d.buffer.Reset();
      d.room = 0;
      auto buffer = device(location).BufferAlloc(std::max<uint64_t>(bytes, 1), 0);
      if (!buffer.ok()) return InFront(NameOf(value), buffer.status());
      d.buffer = *std::move(buffer);
    }
    d.room = bytes;
  }
  where.host = d.host.get();
  where.buffer = d.buffer.get();
  where.offset = 0;
  where.bytes = bytes;
  return absl::OkStatus();
}

// ---- Steps ----

absl::Status Frame::Run(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs,
                        RunControl* control) {
  control_ = control;
  absl::Status status = BindCaller(inputs, outputs);
  if (status.ok()) status = RunSteps(control);
  if (status.ok()) status = HandOut(outputs, false);
  // What failed first in the run's order explains the rest; steps that come before are still looked at.
  if (absl::Status ended = WaitAll(); !ended.ok()) status = ended;
  // Nothing that failed reaches the caller's memory where it lies over an input: the run could not be made
  // again.
  if (status.ok()) status = HandOut(outputs, true);
  control_ = nullptr;
  for (Dynamic& d : dynamic_) {
    if (d.mapped) d.taken.Unmap();
    d.mapped = false;
    d.taken.Reset();
    d.owner.reset();
  }
  for (uint32_t s = 0; s < values_.size(); ++s)
    if (spec_.slots[s].source == Slot::kValue || !values_[s].items.empty()) values_[s] = RunValue();
  if (!status.ok())
    for (RunOutput& out : outputs) {
      out.allocated.reset();
      out.value = RunValue();
    }
  return status;
}

absl::Status Frame::RunSteps(RunControl* control) {
  for (const Step& step : spec_.steps) {
    if (control != nullptr && control->cancelled.load(std::memory_order_relaxed))
      return absl::CancelledError("the run was cancelled");
    absl::Status status;
    switch (step.kind) {
      case Step::kSegment:
        status = RunSegment(spec_.segments[step.index]);
        break;
      case Step::kCopy:
        status = RunCopy(spec_.copies[step.index]);
        break;
      case Step::kHostOp:
        status = RunHostStep(spec_.host_steps[step.index], control);
        break;
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Frame::FillBinding(const SegmentStep::Port& port, bool host_bindings, braid_binding* binding) const {
  const Where& where = where_[port.slot];
  binding->size = sizeof *binding;
  binding->value = port.view_value;
  binding->buffer = host_bindings ? nullptr : where.buffer;
  binding->host = host_bindings             ? where.host
                  : port.host_slot != kNone ? where_[port.host_slot].host
                                            : nullptr;
  binding->offset = host_bindings ? 0 : where.offset;
  binding->bytes = where.bytes;
  binding->rank = RankOf(port.value);
  binding->reserved = 0;
  binding->dims = DimsOf(port.value);
  binding->strides = nullptr;
}

absl::Status Frame::RunSegment(const SegmentStep& step) {
  const size_t d = static_cast<size_t>(step.device);
  Device& dev = *context_->devices[d];
  const DeviceInfo& info = dev.info();
  const bool host_bindings = info.Has(BRAID_HOST_BINDINGS);
  bool needs_host = host_bindings;
  for (const SegmentStep::Port& port : step.inputs) needs_host = needs_host || port.host_slot != kNone;
  if (needs_host)
    if (absl::Status s = WaitForHost(); !s.ok()) return s;

  const uint32_t inputs = static_cast<uint32_t>(step.inputs.size());
  const uint32_t count = inputs + static_cast<uint32_t>(step.outputs.size());
  for (uint32_t i = 0; i < inputs; ++i) FillBinding(step.inputs[i], host_bindings, &bindings_[i]);
  bool takes = false;
  for (uint32_t i = inputs; i < count; ++i) {
    const SegmentStep::Port& port = step.outputs[i - inputs];
    if (!port.is_static) {
      Where& where = where_[port.slot];
      where = Where();
      Shape* shape = HasStaticDims(port.value) ? nullptr : &DynamicShape(port.value);
      if (shape != nullptr && TypeOf(port.value) != Element::kString &&
          ElementBits(TypeOf(port.value)) != 0) {
        braid_status status =
            step.exec.OutputDims(bindings_.data(), inputs, port.view_value, &shape->rank, shape->dims);
        if (status == BRAID_OK) {
          if (absl::Status s = Reserve(port.slot, BytesOf(TypeOf(port.value), shape->rank, shape->dims));
              !s.ok())
            return s;
        } else if (status != BRAID_UNSUPPORTED) {
          return dev.Error(status, absl::StrCat(step.title, ": output_dims"));
        }
      }
      takes = takes || (where.host == nullptr && where.buffer == nullptr);
    }
    FillBinding(port, host_bindings, &bindings_[i]);
    if (!port.is_static && bindings_[i].buffer == nullptr && bindings_[i].host == nullptr) {
      bindings_[i].rank = -1;
      bindings_[i].dims = nullptr;
      bindings_[i].bytes = 0;
    }
  }

  uint64_t workspace = step.workspace;
  if (!step.is_static) {
    braid_status status = step.exec.WorkspaceSize(bindings_.data(), inputs, &workspace);
    if (status != BRAID_OK) return dev.Error(status, absl::StrCat(step.title, ": workspace_size"));
    if (workspace > 0 && workspace_[d].bytes() < workspace) {
      if (absl::Status s = WaitAll(); !s.ok()) return s;  // the old one may be in use
      workspace_[d].Reset();
      auto buffer = dev.BufferAlloc(workspace, 0);
      if (!buffer.ok()) return buffer.status();
      workspace_[d] = *std::move(buffer);
    }
  }

  braid_submit submit{};
  submit.size = sizeof submit;
  submit.binding_count = count;
  submit.binding_stride = sizeof(braid_binding);
  submit.bindings = bindings_.data();
  submit.queue = queue_[d];
  submit.workspace = workspace > 0 ? workspace_[d].get() : nullptr;
  Fence fence;
  braid_status status;
  {
    std::lock_guard lock(*queue_mutex_[d]);
    CancelScope scope(control_ != nullptr ? &control_->cancelled : nullptr);
    status = step.exec.Submit(submit, &fence);
  }
  if (status != BRAID_OK) return OfRun(dev.Error(status, step.title));
  if (takes) {
    if (Wait(fence) != BRAID_OK) return Failure(step.title.c_str(), fence);
    for (const SegmentStep::Port& port : step.outputs)
      if (where_[port.slot].host == nullptr && where_[port.slot].buffer == nullptr)
        if (absl::Status s = TakeOutput(step, port, fence); !s.ok()) return s;
    return absl::OkStatus();
  }
  if (fence) {
    host_pending_ = host_pending_ || host_bindings;
    pending_.push_back({std::move(fence), step.title.c_str(), host_bindings});
  }
  return absl::OkStatus();
}

absl::Status Frame::TakeOutput(const SegmentStep& step, const SegmentStep::Port& port, const Fence& fence) {
  Device& dev = *context_->devices[static_cast<size_t>(step.device)];
  Dynamic& d = dynamic_[port.slot];
  Shape found;
  Shape& shape = HasStaticDims(port.value) ? found : DynamicShape(port.value);
  if (absl::Status s = step.exec.TakeOutput(fence, port.view_value, &d.taken, &shape.rank, shape.dims);
      !s.ok())
    return InFront(step.title, s);
  if (shape.rank < 0 || shape.rank > static_cast<int32_t>(BRAID_MAX_RANK))
    return absl::InternalError(absl::StrCat(step.title, ": an output of rank ", shape.rank));
  Where& where = where_[port.slot];
  where.offset = 0;
  where.buffer = d.taken.get();
  if (TypeOf(port.value) == Element::kString) {
    if (absl::Status s = MeasureStrings(step, shape, &d, &where.bytes); !s.ok()) return s;
  } else {
    where.bytes = BytesOf(TypeOf(port.value), shape.rank, shape.dims);
  }
  if (!dev.info().Has(BRAID_HOST_BINDINGS)) return absl::OkStatus();
  auto mapped = d.taken.Map(0, where.bytes);
  if (!mapped.ok()) return mapped.status();
  d.mapped = true;
  where.host = static_cast<uint8_t*>(*mapped);
  return absl::OkStatus();
}

// The bytes of a string tensor that a device made: its pairs tell where the last character is.
absl::Status Frame::MeasureStrings(const SegmentStep& step, const Shape& shape, Dynamic* d, uint64_t* bytes) {
  constexpr uint64_t kPair = 16;
  Device& dev = *context_->devices[static_cast<size_t>(step.device)];
  uint64_t count = 1;
  for (int32_t i = 0; i < shape.rank; ++i) count *= static_cast<uint64_t>(shape.dims[i]);
  *bytes = count * kPair;
  if (count == 0) return absl::OkStatus();
  std::vector<uint64_t> pairs(2 * count);
  if (dev.info().Has(BRAID_HOST_BINDINGS)) {
    auto mapped = d->taken.Map(0, count * kPair);
    if (!mapped.ok()) return mapped.status();
    std::memcpy(pairs.data(), *mapped, count * kPair);
    d->taken.Unmap();
  } else {
    const size_t index = static_cast<size_t>(step.device);
    braid_transfer transfer{};
    transfer.size = sizeof transfer;
    transfer.kind = BRAID_TRANSFER_READ;
    transfer.from = d->taken.get();
    transfer.host = pairs.data();
    transfer.bytes = count * kPair;
    transfer.queue = queue_[index];
    Fence fence;
    braid_status status;
    {
      std::lock_guard lock(*queue_mutex_[index]);
      status = dev.Transfer(transfer, &fence);
    }
    if (status != BRAID_OK) return dev.Error(status, absl::StrCat(step.title, ": reading strings"));
    if (fence.Wait(kForever) != BRAID_OK) return fence.Result();
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t end;
    if (__builtin_add_overflow(pairs[2 * i], pairs[2 * i + 1], &end))
      return absl::InternalError(absl::StrCat(step.title, ": string ", i, " of an output lies nowhere"));
    *bytes = std::max(*bytes, end);
  }
  return absl::OkStatus();
}

absl::Status Frame::RunCopy(const CopyStep& step) {
  const Slot &from = spec_.slots[step.from], &to = spec_.slots[step.to];
  const Where& source = where_[step.from];
  if (from.location == 0 || step.native)
    if (absl::Status s = step.native ? WaitAll() : WaitForHost(); !s.ok()) return s;
  if (to.source == Slot::kDynamic || (to.source == Slot::kOutput && to.bytes != source.bytes))
    if (absl::Status s = Reserve(step.to, source.bytes); !s.ok()) return s;
  const Where& target = where_[step.to];
  if (source.bytes == 0) return absl::OkStatus();
  const int location = to.location != 0 ? to.location : from.location;
  const size_t d = static_cast<size_t>(location) - 1;
  braid_transfer transfer{};
  transfer.size = sizeof transfer;
  transfer.queue = queue_[d];
  transfer.bytes = source.bytes;
  if (step.native) {
    transfer.kind = BRAID_TRANSFER_COPY;
    transfer.from_device = device(from.location).get();
  } else {
    transfer.kind = to.location != 0 ? BRAID_TRANSFER_WRITE : BRAID_TRANSFER_READ;
    transfer.host = to.location != 0 ? source.host : target.host;
  }
  transfer.from = from.location != 0 ? source.buffer : nullptr;
  transfer.from_offset = source.offset;
  transfer.to = to.location != 0 ? target.buffer : nullptr;
  transfer.to_offset = target.offset;
  Fence fence;
  braid_status status;
  {
    std::lock_guard lock(*queue_mutex_[d]);
    status = device(location).Transfer(transfer, &fence);
  }
  if (status != BRAID_OK)
    return device(location).Error(status,
                                  absl::StrCat("transfer of '", spec_.graph().values[from.value].name, "'"));
  if (fence) {
    bool host = to.location == 0;
    host_pending_ = host_pending_ || host;
    pending_.push_back({std::move(fence), "transfer", host});
  }
  return absl::OkStatus();
}

// ---- Nodes that the host runs ----

RunInput Frame::InputOf(uint32_t slot) const {
  RunInput input;
  if (slot == kNone) return input;
  const Slot& s = spec_.slots[slot];
  if (s.source == Slot::kValue || !spec_.graph().values[s.value].type.is_tensor()) {
    input.value = &values_[slot];
    return input;
  }
  const Where& where = where_[slot];
  input.type = TypeOf(s.value);
  input.rank = RankOf(s.value);
  input.dims = DimsOf(s.value);
  input.data = where.host;
  input.bytes = where.bytes;
  return input;
}

absl::Status Frame::RunHostStep(const HostStep& step, RunControl* control) {
  if (absl::Status s = WaitForHost(); !s.ok()) return s;
  const Node& node = spec_.graph().nodes[step.node];
  absl::Status status = node.op == "If" ? RunIf(step, control) : RunGeneric(step, control);
  if (status.ok()) return status;
  return InFront(NodeLabel(spec_.graph(), node), status);
}

// The bytes of strings are not known before, so that their slots have none.
absl::Status Frame::KeepExtents(const Slot& slot, int32_t rank, const int64_t* dims, uint64_t bytes) {
  if (!HasStaticDims(slot.value)) {
    Shape& shape = DynamicShape(slot.value);
    shape.rank = rank;
    std::copy_n(dims, static_cast<size_t>(rank), shape.dims);
    return absl::OkStatus();
  }
  if (rank == RankOf(slot.value) && std::equal(dims, dims + rank, DimsOf(slot.value)) &&
      (slot.source == Slot::kDynamic || bytes == slot.bytes))
    return absl::OkStatus();
  const Graph& graph = spec_.graph();
  const Value& value = graph.values[slot.value];
  return absl::InvalidArgumentError(
      absl::StrCat("output '", value.name, "' has the extents [", absl::StrJoin(dims, dims + rank, ","),
                   "] and ", bytes, " bytes, its type is ", TypeString(value.type, graph.symbols)));
}

// The branch writes where the node's outputs lie: the common case allocates nothing.
absl::Status Frame::RunIf(const HostStep& step, RunControl* control) {
  const Node& node = spec_.graph().nodes[step.node];
  const Where& condition = where_[step.inputs[0]];
  if (condition.bytes != 1) return absl::InvalidArgumentError("the condition is not one boolean");
  const bool taken = *condition.host != 0;
  size_t body = 0, index = 0;
  for (const Attribute& a : node.attributes) {
    if (a.kind != Attribute::kGraph) continue;
    if (a.name == (taken ? "then_branch" : "else_branch")) body = index;
    ++index;
  }
  body_inputs_.clear();
  for (uint32_t slot : step.captures[body]) body_inputs_.push_back(InputOf(slot));
  const size_t outputs = node.outputs.size();
  for (size_t i = 0; i < outputs; ++i) {
    RunOutput& out = body_outputs_[i];
    out = RunOutput();
    out.wanted = step.outputs[i] != kNone;
    if (!out.wanted) continue;
    const Slot& slot = spec_.slots[step.outputs[i]];
    if (slot.source != Slot::kArena && slot.source != Slot::kOutput) continue;
    out.data = where_[step.outputs[i]].host;
    out.room = slot.bytes;
  }
  absl::Status status =
      step.bodies[body]->Run(body_inputs_, absl::MakeSpan(body_outputs_.data(), outputs), control);
  if (!status.ok()) return status;
  for (size_t i = 0; i < outputs; ++i) {
    RunOutput& out = body_outputs_[i];
    uint32_t s = step.outputs[i];
    if (s == kNone) continue;
    const Slot& slot = spec_.slots[s];
    if (slot.source == Slot::kValue) {
      values_[s] = std::move(out.value);
      continue;
    }
    if (absl::Status kept = KeepExtents(slot, out.rank, out.dims, out.bytes); !kept.ok()) return kept;
    if (slot.source == Slot::kDynamic) {
      dynamic_[s].owner = std::shared_ptr<const void>(std::move(out.allocated));
      where_[s].host = static_cast<uint8_t*>(const_cast<void*>(dynamic_[s].owner.get()));
      where_[s].bytes = out.bytes;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RunValue> Frame::ValueOf(uint32_t slot) const {
  if (slot == kNone) return RunValue();
  const Slot& s = spec_.slots[slot];
  if (s.source == Slot::kValue || !spec_.graph().values[s.value].type.is_tensor()) return values_[slot];
  // The frame's memory outlives the step, and a value that a sequence keeps is copied there.
  RunValue value;
  value.tensor.type = TypeOf(s.value);
  value.tensor.dims.assign(DimsOf(s.value), DimsOf(s.value) + RankOf(s.value));
  value.tensor.bytes = where_[slot].bytes;
  uint8_t* copy = HostAlloc(value.tensor.bytes);
  if (copy == nullptr) return NoRoom(s.value, value.tensor.bytes);
  if (value.tensor.bytes > 0) std::memcpy(copy, where_[slot].host, value.tensor.bytes);
  value.tensor.data = std::shared_ptr<const uint8_t>(copy, HostFree());
  return value;
}

absl::Status Frame::StoreValue(uint32_t slot, RunValue value) {
  const Slot& s = spec_.slots[slot];
  if (s.source == Slot::kValue) {
    values_[slot] = std::move(value);
    return absl::OkStatus();
  }
  Where& where = where_[slot];
  const HostTensor& t = value.tensor;
  if (absl::Status kept = KeepExtents(s, static_cast<int32_t>(t.dims.size()), t.dims.data(), t.bytes);
      !kept.ok())
    return kept;
  if (s.source == Slot::kDynamic) {
    dynamic_[slot].owner = t.data;
    where.host = const_cast<uint8_t*>(t.data.get());
    where.bytes = t.bytes;
  } else if (t.bytes > 0) {
    std::memcpy(where.host, t.data.get(), t.bytes);
  }
  return absl::OkStatus();
}

absl::Status Frame::RunGeneric(const HostStep& step, RunControl* control) {
  const Node& node = spec_.graph().nodes[step.node];
  HostCall call{spec_.graph(), node, {}, {}, {}, {}, control};
  for (uint32_t slot : step.inputs) {
    auto value = ValueOf(slot);
    if (!value.ok()) return value.status();
    call.inputs.push_back(*std::move(value));
  }
  for (size_t b = 0; b < step.bodies.size(); ++b) {
    call.bodies.push_back(step.bodies[b].get());
    call.captures.emplace_back();
    for (uint32_t slot : step.captures[b]) call.captures.back().push_back(InputOf(slot));
  }
  call.outputs.resize(node.outputs.size());
  if (absl::Status s = RunHostOp(&call); !s.ok()) return s;
  for (size_t i = 0; i < step.outputs.size(); ++i)
    if (step.outputs[i] != kNone)
      if (absl::Status s = StoreValue(step.outputs[i], std::move(call.outputs[i])); !s.ok()) return s;
  return absl::OkStatus();
}

// ---- Results ----

absl::Status Frame::HandOut(absl::Span<RunOutput> outputs, bool host) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].wanted) continue;
    uint32_t s = spec_.output_slots[i];
    const Value& value = spec_.graph().values[spec_.graph().outputs[i]];
    if (s == kNone) return absl::InternalError(absl::StrCat("output '", value.name, "' is made by no node"));
    if ((spec_.slots[s].location == 0) != host) continue;
    if (!value.type.is_tensor()) {
      outputs[i].value = values_[s];
      continue;
    }
    if (absl::Status status = HandOutTensor(s, &outputs[i], i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Frame::HandOutTensor(uint32_t s, RunOutput* output, size_t index) {
  const Slot& slot = spec_.slots[s];
  const Where& where = where_[s];
  output->type = TypeOf(slot.value);
  output->rank = RankOf(slot.value);
  std::copy_n(DimsOf(slot.value), static_cast<size_t>(output->rank), output->dims);
  output->bytes = where.bytes;
  const bool room = (output->data == nullptr && output->buffer == nullptr) || output->room >= where.bytes;
  if (!room)
    return absl::OutOfRangeError(absl::StrCat("output '", spec_.graph().values[slot.value].name, "' (", index,
                                              ") needs ", where.bytes, " bytes, there is room for ",
                                              output->room));
  if (slot.location != 0) {
    if (output->buffer == nullptr ||
        (where.buffer == output->buffer->get() && where.offset == output->offset))
      return absl::OkStatus();
    return CopyWithin(slot.location, where, output->buffer->get(), output->offset, where.bytes,
                      "transfer of an output");
  }
  if (output->data == nullptr && output->allocated == nullptr) {
    output->allocated.reset(HostAlloc(where.bytes));
    if (output->allocated == nullptr) return NoRoom(slot.value, where.bytes);
  }
  uint8_t* to = output->data != nullptr ? static_cast<uint8_t*>(output->data) : output->allocated.get();
  if (to != where.host && where.bytes > 0) std::memmove(to, where.host, where.bytes);
  return absl::OkStatus();
}

}  // namespace braid
