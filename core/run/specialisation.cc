// SPDX-License-Identifier: Apache-2.0
#include "core/run/specialisation.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/names.h"
#include "core/plugins/host.h"
#include "core/plugins/view.h"
#include "core/run/frame.h"
#include "core/run/runner.h"

namespace braid {

Specialisation::Specialisation() = default;
Specialisation::~Specialisation() = default;

bool Specialisation::Uses(size_t device) const {
  return std::any_of(segments.begin(), segments.end(),
                     [&](const SegmentStep& s) { return s.device == static_cast<int>(device); });
}

bool FailedDevices::Add(size_t device, std::string why) {
  std::lock_guard lock(mutex_);
  const bool added = why_.emplace(device, std::move(why)).second;
  count_.store(why_.size(), std::memory_order_release);
  return added;
}

std::map<size_t, std::string> FailedDevices::All() const {
  std::lock_guard lock(mutex_);
  return why_;
}

bool FailedDevices::Has(size_t device) const {
  std::lock_guard lock(mutex_);
  return why_.contains(device);
}

std::string ValueText(const Graph& graph, ValueId value, absl::Span<const int64_t> dims) {
  const Value& v = graph.values[value];
  std::string maker;
  for (const Node& node : graph.nodes)
    if (std::find(node.outputs.begin(), node.outputs.end(), value) != node.outputs.end())
      maker = absl::StrCat(NodeLabel(graph, node), ": ");
  const char* type = BriefTypeName(v.type.element);
  return absl::StrCat(maker, "'", v.name, "' ", type == nullptr ? "" : type, "[", absl::StrJoin(dims, ","),
                      "]");
}

absl::Status NoHostMemory(const Graph& graph, ValueId value, absl::Span<const int64_t> dims, uint64_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "out of host memory: ", ValueText(graph, value, dims), " takes ",
      bytes == UINT64_MAX ? std::string("more bytes than can be counted") : absl::StrCat(bytes, " bytes")));
}

namespace {

// What no process can address.
constexpr uint64_t kMostBytes = uint64_t{1} << 47;

class Builder {
 public:
  Builder(std::shared_ptr<const RunContext> context, const CompileOptions& compile, Specialisation* out,
          CompileFailure* failure)
      : context_(std::move(context)), compile_(compile), out_(*out), failure_(failure) {}

  absl::Status Build() {
    const Graph& graph = out_.graph();
    locations_ = context_->devices.size() + 1;
    out_.alignment.assign(locations_, kHostAlignment);
    out_.arenas.resize(locations_);
    out_.workspaces.assign(context_->devices.size(), 0);
    slot_of_.assign(graph.values.size() * locations_, kNone);
    for (size_t d = 0; d < context_->devices.size(); ++d)
      out_.alignment[d + 1] = std::max(out_.alignment[d + 1], context_->devices[d]->info().alignment);
    if (absl::Status s = StaticDims(graph); !s.ok()) return s;
    out_.input_slots.assign(graph.inputs.size(), kNone);
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      if (SlotOf(graph.inputs[i], out_.input_at[i]) != kNone) continue;  // the same value twice
      out_.input_slots[i] =
          NewSlot(graph.inputs[i], out_.input_at[i], Slot::kInput, static_cast<uint32_t>(i));
    }
    for (const Placement::Part& part : out_.placement.segments) {
      absl::Status status = part.device == kHost ? AddHostStep(part.nodes.front()) : AddSegment(part);
      if (!status.ok()) return status;
    }
    out_.output_slots.resize(graph.outputs.size());
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      out_.output_slots[i] = Bring(graph.outputs[i], out_.output_at[i]);
    BindOutputs();
    PlanArenas();
    return absl::OkStatus();
  }

 private:
  absl::Status StaticDims(const Graph& graph) {
    out_.dims_of.assign(graph.values.size(), kNone);
    for (size_t v = 0; v < graph.values.size(); ++v) {
      const Type& type = graph.values[v].type;
      if (!type.is_static() || type.dims.size() > BRAID_MAX_RANK || ElementBits(type.element) == 0) continue;
      const int64_t count = ElementCount(type.dims);
      const uint64_t bytes =
          count == INT64_MAX ? UINT64_MAX : TensorBytes(type.element, static_cast<uint64_t>(count));
      // Before anything is reckoned with it.
      if (bytes > kMostBytes) {
        std::vector<int64_t> dims;
        for (const Dim& d : type.dims) dims.push_back(d.value);
        return NoHostMemory(graph, static_cast<ValueId>(v), dims, bytes);
      }
      out_.dims_of[v] = static_cast<uint32_t>(out_.dims.size());
      for (const Dim& d : type.dims) out_.dims.push_back(d.value);
    }
    return absl::OkStatus();
  }

  // Whether the bytes of a value are known before the run. Those of strings never are.
  bool HasStaticBytes(ValueId v) const {
    const Value& value = out_.graph().values[v];
    return out_.dims_of[v] != kNone && (value.type.element != Element::kString || value.constant != nullptr);
  }

  uint64_t StaticBytes(ValueId v) const {
    const Value& value = out_.graph().values[v];
    if (value.constant != nullptr) return value.constant->bytes;
    return TensorBytes(value.type.element, static_cast<uint64_t>(ElementCount(value.type.dims)));
  }

  uint32_t& SlotOf(ValueId v, int location) {
    return slot_of_[v * locations_ + static_cast<size_t>(location)];
  }

  uint32_t NewSlot(ValueId v, int location, Slot::Source source, uint32_t index = 0) {
    Slot slot;
    slot.value = v;
    slot.location = location;
    slot.source = source;
    slot.index = index;
    slot.bytes = HasStaticBytes(v) ? StaticBytes(v) : 0;
    uint32_t id = static_cast<uint32_t>(out_.slots.size());
    out_.slots.push_back(slot);
    first_.push_back(Now());
    last_.push_back(Now());
    return SlotOf(v, location) = id;
  }

  // A slot for a value that this step makes.
  uint32_t MakeSlot(ValueId v, int location) {
    if (!out_.graph().values[v].type.is_tensor()) return NewSlot(v, 0, Slot::kValue);
    return NewSlot(v, location, HasStaticBytes(v) ? Slot::kArena : Slot::kDynamic);
  }

  uint32_t Now() const { return static_cast<uint32_t>(out_.steps.size()); }
  void Use(uint32_t slot) { last_[slot] = std::max(last_[slot], Now()); }

  void AddStep(Step::Kind kind, size_t index) { out_.steps.push_back({kind, static_cast<uint32_t>(index)}); }

  uint32_t Copy(uint32_t from, int to_location, bool native) {
    const Slot& source = out_.slots[from];
    uint32_t to =
        NewSlot(source.value, to_location, HasStaticBytes(source.value) ? Slot::kArena : Slot::kDynamic);
    Use(from);
    // A device reads memory that is not its own queue's after the step has returned: it must stay to the end.
    if (native || out_.slots[from].location == 0) last_[from] = kEnd;
    out_.copies.push_back({from, to, native});
    AddStep(Step::kCopy, out_.copies.size() - 1);
    return to;
  }

  // The slot of a value at a location, copied there if it is elsewhere.
  uint32_t Bring(ValueId v, int location) {
    const Value& value = out_.graph().values[v];
    if (!value.type.is_tensor()) location = 0;
    if (uint32_t here = SlotOf(v, location); here != kNone) {
      Use(here);
      return here;
    }
    if (value.constant != nullptr && SlotOf(v, 0) == kNone) NewSlot(v, 0, Slot::kConstant);
    uint32_t from = kNone;
    for (size_t l = locations_; l-- > 0 && (from == kNone || l == 0);)
      if (SlotOf(v, static_cast<int>(l)) != kNone) from = SlotOf(v, static_cast<int>(l));
    if (from == kNone) return kNone;  // a value that nothing makes: caught by the checker
    if (out_.slots[from].location == location) return from;
    if (out_.slots[from].location != 0 && location != 0) {
      if (IsNative(out_.slots[from].location, location)) return Copy(from, location, true);
      from = Copy(from, 0, false);
    }
    return Copy(from, location, false);
  }

  bool IsNative(int from, int to) const {
    Device& a = *context_->devices[static_cast<size_t>(from) - 1];
    Device& b = *context_->devices[static_cast<size_t>(to) - 1];
    if (a.plugin() != b.plugin()) return false;
    auto link = b.Link(a);
    return link.ok() && link->kind == BRAID_LINK_NATIVE;
  }

  absl::Status AddSegment(const Placement::Part& part) {
    const Graph& graph = out_.graph();
    Device& device = *context_->devices[static_cast<size_t>(part.device)];
    const int location = out_.placement.devices[static_cast<size_t>(part.device)].location;
    auto view = GraphView::Segment(graph, part.nodes, {});
    SegmentStep step;
    step.device = part.device;
    step.title = absl::StrCat(
        "segment ", out_.segments.size(), " on ", device.name(), " (", graph.nodes[part.nodes.front()].op,
        part.nodes.size() == 1
            ? ""
            : absl::StrCat(" ... ", graph.nodes[part.nodes.back()].op, ", ", part.nodes.size(), " nodes"),
        ")");
    auto exec = device.Compile(*view, compile_);
    if (!exec.ok()) {
      failure_->device = part.device;
      failure_->why = std::string(exec.status().message());
      for (NodeId n : part.nodes)
        if (const Node& node = graph.nodes[n]; !node.outputs.empty() && node.outputs[0] != kNone)
          failure_->nodes.push_back(graph.values[node.outputs[0]].name);
      // Its verdict was yes: that no device can run this is not what is wrong.
      if (absl::IsUnimplemented(exec.status()))
        return InFront(
            absl::StrCat(step.title,
                         ": the device accepted each node, but refused them when they were compiled"),
            exec.status());
      return InFront(step.title, exec.status());
    }
    step.exec = *std::move(exec);
    step.is_static = true;
    for (uint32_t i : view->inputs()) {
      SegmentStep::Port port;
      if (absl::Status s = MakePort(*view, i, location, &step, &port); !s.ok()) return s;
      port.slot = Bring(port.value, location);
      out_.slots[port.slot].alignment = std::max(out_.slots[port.slot].alignment, io_alignment_);
      if (wants_host_value_ && location != 0) port.host_slot = Bring(port.value, 0);
      step.inputs.push_back(port);
    }
    std::vector<uint64_t> alignments;
    for (uint32_t i : view->outputs()) {
      SegmentStep::Port port;
      if (absl::Status s = MakePort(*view, i, location, &step, &port); !s.ok()) return s;
      step.outputs.push_back(port);
      alignments.push_back(io_alignment_);
    }
    // Inputs may have been copied: they and the outputs live at this step, after the copies.
    for (const SegmentStep::Port& port : step.inputs) {
      Use(port.slot);
      if (port.host_slot != kNone) last_[port.host_slot] = kEnd;
    }
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      step.outputs[i].slot = MakeSlot(step.outputs[i].value, location);
      out_.slots[step.outputs[i].slot].alignment = alignments[i];
    }
    out_.segments.push_back(std::move(step));
    AddStep(Step::kSegment, out_.segments.size() - 1);
    return absl::OkStatus();
  }

  absl::Status MakePort(const GraphView& view, uint32_t index, int location, SegmentStep* step,
                        SegmentStep::Port* port) {
    port->view_value = index;
    port->value = view.value_of(index);
    port->is_static = HasStaticBytes(port->value);
    step->is_static = step->is_static && port->is_static;
    auto io = step->exec.IoRequirements(index);
    if (!io.ok()) return InFront(step->title, io.status());
    uint64_t& alignment = out_.alignment[static_cast<size_t>(location)];
    alignment = std::max(alignment, io->alignment);
    io_alignment_ = io->alignment;
    wants_host_value_ = (io->flags & BRAID_IO_HOST_VALUE) != 0;
    return absl::OkStatus();
  }

  absl::Status AddHostStep(NodeId n) {
    const Node& node = out_.graph().nodes[n];
    HostStep step;
    step.node = n;
    for (ValueId v : node.inputs) step.inputs.push_back(v == kNone ? kNone : Bring(v, 0));
    for (const Attribute& a : node.attributes) {
      if (a.kind != Attribute::kGraph) continue;
      auto body = out_.placement.model->BodyModel(n, a.name);
      if (!body.ok()) return body.status();
      step.bodies.push_back(std::make_shared<Runner>(*std::move(body), context_, true));
      std::vector<uint32_t> captures;
      for (ValueId v : a.body.captures) captures.push_back(Bring(v, 0));
      step.captures.push_back(std::move(captures));
    }
    for (uint32_t slot : step.inputs)
      if (slot != kNone) Use(slot);
    for (const auto& captures : step.captures)
      for (uint32_t slot : captures) Use(slot);
    for (ValueId v : node.outputs) step.outputs.push_back(v == kNone ? kNone : MakeSlot(v, 0));
    out_.host_steps.push_back(std::move(step));
    AddStep(Step::kHostOp, out_.host_steps.size() - 1);
    return absl::OkStatus();
  }

  // A result of known size is made where the caller wants it.
  void BindOutputs() {
    std::vector<bool> bound(out_.slots.size(), false);
    for (size_t i = 0; i < out_.output_slots.size(); ++i) {
      uint32_t s = out_.output_slots[i];
      if (s == kNone || bound[s] || out_.slots[s].source != Slot::kArena) continue;
      bound[s] = true;
      out_.slots[s].source = Slot::kOutput;
      out_.slots[s].index = static_cast<uint32_t>(i);
    }
  }

  void PlanArenas() {
    for (size_t l = 0; l < locations_; ++l) {
      std::vector<Lifetime> blocks;
      std::vector<uint32_t> slots;
      for (uint32_t s = 0; s < out_.slots.size(); ++s) {
        const Slot& slot = out_.slots[s];
        if (slot.source != Slot::kArena || slot.location != static_cast<int>(l)) continue;
        blocks.push_back({slot.bytes, first_[s], last_[s]});
        slots.push_back(s);
      }
      uint64_t max_chunk = l == 0 ? UINT64_MAX : context_->devices[l - 1]->info().max_buffer;
      MemoryPlan plan = PlanMemory(blocks, out_.alignment[l], max_chunk == 0 ? UINT64_MAX : max_chunk);
      for (size_t b = 0; b < slots.size(); ++b) {
        out_.slots[slots[b]].index = plan.places[b].chunk;
        out_.slots[slots[b]].offset = plan.places[b].offset;
      }
      out_.arenas[l] = std::move(plan.chunks);
    }
  }

  static constexpr uint32_t kEnd = UINT32_MAX;
  std::shared_ptr<const RunContext> context_;
  const CompileOptions& compile_;
  Specialisation& out_;
  size_t locations_ = 1;
  std::vector<uint32_t> slot_of_;       // [value][location]
  std::vector<uint32_t> first_, last_;  // of each slot, in steps
  bool wants_host_value_ = false;       // of the last port
  uint64_t io_alignment_ = 1;           // likewise
  CompileFailure* failure_;
};

// Workspace of static segments: their bindings are known but for the addresses.
absl::Status SizeWorkspaces(Specialisation* out) {
  for (SegmentStep& step : out->segments) {
    if (!step.is_static) continue;
    std::vector<braid_binding> inputs;
    bool wants_value = false;
    for (const SegmentStep::Port& port : step.inputs) {
      braid_binding binding{};
      binding.size = sizeof binding;
      binding.value = port.view_value;
      binding.bytes = out->slots[port.slot].bytes;
      binding.dims = out->dims.data() + out->dims_of[port.value];
      binding.rank = static_cast<int32_t>(out->graph().values[port.value].type.dims.size());
      inputs.push_back(binding);
      wants_value = wants_value || port.host_slot != kNone;
    }
    if (wants_value) {
      step.is_static = false;  // its workspace may depend on a value: asked in the run
      continue;
    }
    braid_status status =
        step.exec.WorkspaceSize(inputs.data(), static_cast<uint32_t>(inputs.size()), &step.workspace);
    if (status != BRAID_OK)
      return step.exec.device()->Error(status, absl::StrCat(step.title, ": workspace_size"));
    uint64_t& largest = out->workspaces[static_cast<size_t>(step.device)];
    largest = std::max(largest, step.workspace);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<Specialisation>> Specialise(
    std::shared_ptr<const Model> model, absl::Span<const InputShape> shapes,
    std::shared_ptr<const RunContext> context, std::vector<int> input_at, std::vector<int> output_at,
    const Exclusions& without, CompileFailure* failure) {
  auto out = std::make_shared<Specialisation>();
  PlaceOptions options = context->place;
  if (options.compile_timeout_ns != 0) options.compile.deadline_ns = HostNow() + options.compile_timeout_ns;
  Exclusions all = without;
  all.devices.merge(context->failed.All());
  auto placement = Place(std::move(model), shapes, context->devices, options, all, input_at, output_at);
  if (!placement.ok()) return placement.status();
  for (size_t d = 0; d < placement->devices.size(); ++d) {
    const DeviceView& view = placement->devices[d];
    if (view.left_out.empty() || all.devices.contains(d) || !context->failed.Add(d, view.left_out)) continue;
    HostLog(BRAID_LOG_WARNING, "",
            absl::StrCat(view.device->name(), " is left out of this graph: ", view.left_out));
  }
  out->placement = *std::move(placement);
  out->input_at = std::move(input_at);
  out->output_at = std::move(output_at);
  if (absl::Status s = Builder(context, options.compile, out.get(), failure).Build(); !s.ok()) return s;
  if (absl::Status s = SizeWorkspaces(out.get()); !s.ok()) return s;
  return out;
}

}  // namespace braid
