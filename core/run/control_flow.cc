// SPDX-License-Identifier: Apache-2.0
//
// Loop (ai.onnx 1 to 25) and Scan (9 to 25). If is Frame's own, since it runs in every turn of some models.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/run/host_ops.h"
#include "core/run/runner.h"
#include "core/run/tensor_blocks.h"

namespace braid {
namespace {

RunInput InputOf(const RunValue& value) {
  RunInput in;
  if (value.kind != ValueKind::kTensor) {
    in.value = &value;
    return in;
  }
  in.type = value.tensor.type;
  in.rank = static_cast<int32_t>(value.tensor.dims.size());
  in.dims = value.tensor.dims.data();
  in.data = value.tensor.data.get();
  in.bytes = value.tensor.bytes;
  return in;
}

RunValue ValueOf(RunOutput& out, bool is_tensor) {
  if (!is_tensor) return std::move(out.value);
  RunValue value;
  value.tensor.type = out.type;
  value.tensor.dims.assign(out.dims, out.dims + out.rank);
  value.tensor.bytes = out.bytes;
  value.tensor.data = std::shared_ptr<const uint8_t>(out.allocated.release(), HostFree());
  return value;
}

// One turn of a body: values in (before its captures), values out.
absl::Status RunBody(const HostCall& call, size_t body, const std::vector<RunValue>& in,
                     std::vector<RunValue>* out) {
  const Graph& graph = call.bodies[body]->model().graph();
  std::vector<RunInput> inputs;
  for (const RunValue& value : in) inputs.push_back(InputOf(value));
  inputs.insert(inputs.end(), call.captures[body].begin(), call.captures[body].end());
  if (inputs.size() != graph.inputs.size())
    return absl::InvalidArgumentError(absl::StrCat("its body takes ",
                                                   graph.inputs.size() - call.captures[body].size(),
                                                   " inputs, it is given ", in.size()));
  std::vector<RunOutput> outputs(graph.outputs.size());
  if (absl::Status s = call.bodies[body]->Run(inputs, absl::MakeSpan(outputs), call.control); !s.ok())
    return s;
  out->clear();
  for (size_t i = 0; i < outputs.size(); ++i)
    out->push_back(ValueOf(outputs[i], graph.values[graph.outputs[i]].type.is_tensor()));
  return absl::OkStatus();
}

absl::StatusOr<bool> BoolOf(const HostTensor& tensor) {
  if (tensor.bytes != 1) return absl::InvalidArgumentError("the condition is not one boolean");
  return *tensor.data != 0;
}

// The number of a turn and the condition are scalars; a body may declare them as one element of rank 1, as
// tf2onnx does.
HostTensor AsDeclared(HostTensor scalar, const Graph& body, size_t input) {
  const Type& type = body.values[body.inputs[input]].type;
  if (type.has_shape && type.dims.size() == 1) scalar.dims = {1};
  return scalar;
}

// A scan output's value when no turn made one: what the body declares, unknown extents being 0.
HostTensor NoTurns(const Graph& body, size_t output, size_t axis) {
  const Type& type = body.values[body.outputs[output]].type;
  std::vector<int64_t> dims;
  for (const Dim& d : type.dims) dims.push_back(std::max<int64_t>(d.value, 0));
  dims.insert(dims.begin() + static_cast<long>(std::min(axis, dims.size())), 0);
  return EmptyTensor(type.element, std::move(dims));
}

}  // namespace

absl::Status RunLoop(HostCall* call) {
  // Inputs: M (may be absent), cond (may be absent), loop-carried values.
  int64_t trips = INT64_MAX;
  if (call->has(0)) {
    auto m = IntsOf(call->inputs[0].tensor);
    if (!m.ok()) return m.status();
    if (m->size() != 1) return absl::InvalidArgumentError("the trip count is not one integer");
    trips = m->front();
  }
  bool condition = true;
  if (call->has(1)) {
    auto c = BoolOf(call->inputs[1].tensor);
    if (!c.ok()) return c.status();
    condition = *c;
  }
  const size_t carried = call->inputs.size() > 2 ? call->inputs.size() - 2 : 0;
  const Graph& body = call->bodies[0]->model().graph();
  if (body.inputs.size() < carried + 2)
    return absl::InvalidArgumentError(
        absl::StrCat("its body has ", body.inputs.size(), " inputs, at least ", carried + 2, " are needed"));
  if (body.outputs.size() < carried + 1)
    return absl::InvalidArgumentError(absl::StrCat("its body has ", body.outputs.size(),
                                                   " outputs, at least ", carried + 1, " are needed"));
  const size_t scans = body.outputs.size() - 1 - carried;
  std::vector<RunValue> state(
      std::make_move_iterator(call->inputs.begin() +
                              static_cast<long>(std::min<size_t>(2, call->inputs.size()))),
      std::make_move_iterator(call->inputs.end()));
  std::vector<std::vector<HostTensor>> scanned(scans);
  for (int64_t i = 0; i < trips && condition; ++i) {
    if (call->control != nullptr && call->control->cancelled.load(std::memory_order_relaxed))
      return absl::CancelledError("the run was cancelled");
    std::vector<RunValue> in(2), out;
    auto turn = ScalarInt64(i);
    if (!turn.ok()) return turn.status();
    auto going = ScalarBool(condition);
    if (!going.ok()) return going.status();
    in[0].tensor = AsDeclared(*std::move(turn), body, 0);
    in[1].tensor = AsDeclared(*std::move(going), body, 1);
    in.insert(in.end(), state.begin(), state.end());
    if (absl::Status s = RunBody(*call, 0, in, &out); !s.ok()) return InFront(absl::StrCat("turn ", i), s);
    auto c = BoolOf(out[0].tensor);
    if (!c.ok()) return c.status();
    condition = *c;
    for (size_t k = 0; k < carried; ++k) state[k] = std::move(out[1 + k]);
    for (size_t k = 0; k < scans; ++k)
      scanned[k].push_back(WithAxis(std::move(out[1 + carried + k].tensor), 0));
  }
  for (size_t k = 0; k < call->outputs.size(); ++k) {
    if (k < carried) {
      call->outputs[k] = std::move(state[k]);
      continue;
    }
    const size_t scan = k - carried;
    if (scan >= scans) return absl::InvalidArgumentError("it has more outputs than its body makes");
    if (scanned[scan].empty()) {
      call->outputs[k].tensor = NoTurns(body, 1 + k, 0);
      continue;
    }
    auto joined = ConcatAxis(scanned[scan], 0);
    if (!joined.ok()) return joined.status();
    call->outputs[k].tensor = *std::move(joined);
  }
  return absl::OkStatus();
}

absl::Status RunScan(HostCall* call) {
  const int64_t scan_inputs = call->Int("num_scan_inputs", 0);
  if (scan_inputs < 1 || scan_inputs > static_cast<int64_t>(call->inputs.size()))
    return absl::InvalidArgumentError(
        absl::StrCat("num_scan_inputs is ", scan_inputs, ", it has ", call->inputs.size(), " inputs"));
  const size_t scans = static_cast<size_t>(scan_inputs);
  const size_t states = call->inputs.size() - scans;
  const Graph& body = call->bodies[0]->model().graph();
  if (body.outputs.size() < states)
    return absl::InvalidArgumentError("its body makes fewer outputs than there are states");
  const size_t scan_outputs = body.outputs.size() - states;

  auto list = [&](absl::string_view name, size_t i) -> int64_t {
    const Attribute* a = call->node.attribute({name.data(), name.size()});
    return a != nullptr && i < a->ints.size() ? a->ints[i] : 0;
  };
  auto axis_of = [&](absl::string_view name, size_t i, size_t rank) -> absl::StatusOr<size_t> {
    int64_t axis = list(name, i), r = static_cast<int64_t>(rank);
    if (axis < -r || axis >= r)
      return absl::InvalidArgumentError(absl::StrCat(name, "[", i, "] is ", axis, ", the rank is ", rank));
    return static_cast<size_t>(axis < 0 ? axis + r : axis);
  };

  int64_t length = -1;
  std::vector<size_t> axes;
  for (size_t i = 0; i < scans; ++i) {
    const HostTensor& t = call->inputs[states + i].tensor;
    auto axis = axis_of("scan_input_axes", i, t.dims.size());
    if (!axis.ok()) return axis.status();
    axes.push_back(*axis);
    if (length >= 0 && t.dims[*axis] != length)
      return absl::InvalidArgumentError(
          absl::StrCat("scan inputs of lengths ", length, " and ", t.dims[*axis]));
    length = t.dims[*axis];
  }
  std::vector<RunValue> state(call->inputs.begin(), call->inputs.begin() + static_cast<long>(states));
  std::vector<std::vector<HostTensor>> scanned(scan_outputs);
  for (int64_t turn = 0; turn < length; ++turn) {
    if (call->control != nullptr && call->control->cancelled.load(std::memory_order_relaxed))
      return absl::CancelledError("the run was cancelled");
    std::vector<RunValue> in = state, out;
    for (size_t i = 0; i < scans; ++i) {
      const bool backward = list("scan_input_directions", i) != 0;
      auto part = SliceAxis(call->inputs[states + i].tensor, axes[i], backward ? length - 1 - turn : turn, 1);
      if (!part.ok()) return part.status();
      RunValue value;
      value.tensor = WithoutAxis(*std::move(part), axes[i]);
      in.push_back(std::move(value));
    }
    if (absl::Status s = RunBody(*call, 0, in, &out); !s.ok()) return InFront(absl::StrCat("turn ", turn), s);
    for (size_t k = 0; k < states; ++k) state[k] = std::move(out[k]);
    for (size_t k = 0; k < scan_outputs; ++k) scanned[k].push_back(std::move(out[states + k].tensor));
  }
  for (size_t k = 0; k < call->outputs.size(); ++k) {
    if (k < states) {
      call->outputs[k] = std::move(state[k]);
      continue;
    }
    const size_t scan = k - states;
    if (scan >= scan_outputs) return absl::InvalidArgumentError("it has more outputs than its body makes");
    auto& parts = scanned[scan];
    const size_t rank = parts.empty() ? body.values[body.outputs[k]].type.dims.size() : parts[0].dims.size();
    auto axis = axis_of("scan_output_axes", scan, rank + 1);
    if (!axis.ok()) return axis.status();
    if (parts.empty()) {
      call->outputs[k].tensor = NoTurns(body, k, *axis);
      continue;
    }
    if (list("scan_output_directions", scan) != 0) std::reverse(parts.begin(), parts.end());
    for (HostTensor& t : parts) t = WithAxis(std::move(t), *axis);
    auto joined = ConcatAxis(parts, *axis);
    if (!joined.ok()) return joined.status();
    call->outputs[k].tensor = *std::move(joined);
  }
  return absl::OkStatus();
}

}  // namespace braid
