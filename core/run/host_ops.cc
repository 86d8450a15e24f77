// SPDX-License-Identifier: Apache-2.0
#include "core/run/host_ops.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/run/tensor_blocks.h"

namespace braid {
namespace {

// The position that an operator on sequences was given, made non-negative. `end`: one past the last is
// allowed.
absl::StatusOr<int64_t> Position(const HostCall& call, size_t input, size_t size, bool end) {
  auto ints = IntsOf(call.inputs[input].tensor);
  if (!ints.ok()) return ints.status();
  if (ints->size() != 1) return absl::InvalidArgumentError("the position is not one integer");
  const int64_t n = static_cast<int64_t>(size);
  int64_t at = ints->front();
  if (at < -n || at > n || (at == n && !end))
    return absl::InvalidArgumentError(absl::StrCat("position ", at, " in a sequence of ", n));
  return at < 0 ? at + n : at;
}

RunValue Sequence() {
  RunValue value;
  value.kind = ValueKind::kSequence;
  return value;
}

// SequenceEmpty-11
absl::Status SequenceEmpty(HostCall* call) {
  call->outputs[0] = Sequence();
  return absl::OkStatus();
}

// SequenceConstruct-11
absl::Status SequenceConstruct(HostCall* call) {
  call->outputs[0] = Sequence();
  call->outputs[0].items = std::move(call->inputs);
  return absl::OkStatus();
}

// SequenceInsert-11
absl::Status SequenceInsert(HostCall* call) {
  RunValue out = std::move(call->inputs[0]);
  int64_t at = static_cast<int64_t>(out.items.size());
  if (call->has(2)) {
    auto position = Position(*call, 2, out.items.size(), true);
    if (!position.ok()) return position.status();
    at = *position;
  }
  out.items.insert(out.items.begin() + at, std::move(call->inputs[1]));
  call->outputs[0] = std::move(out);
  return absl::OkStatus();
}

// SequenceErase-11
absl::Status SequenceErase(HostCall* call) {
  RunValue out = std::move(call->inputs[0]);
  if (out.items.empty()) return absl::InvalidArgumentError("the sequence is empty");
  int64_t at = static_cast<int64_t>(out.items.size()) - 1;
  if (call->has(1)) {
    auto position = Position(*call, 1, out.items.size(), false);
    if (!position.ok()) return position.status();
    at = *position;
  }
  out.items.erase(out.items.begin() + at);
  call->outputs[0] = std::move(out);
  return absl::OkStatus();
}

// SequenceAt-11
absl::Status SequenceAt(HostCall* call) {
  auto position = Position(*call, 1, call->inputs[0].items.size(), false);
  if (!position.ok()) return position.status();
  call->outputs[0] = std::move(call->inputs[0].items[static_cast<size_t>(*position)]);
  return absl::OkStatus();
}

// SequenceLength-11
absl::Status SequenceLength(HostCall* call) {
  auto length = ScalarInt64(static_cast<int64_t>(call->inputs[0].items.size()));
  if (!length.ok()) return length.status();
  call->outputs[0].tensor = *std::move(length);
  return absl::OkStatus();
}

absl::StatusOr<size_t> AxisOf(const HostCall& call, size_t rank) {
  const int64_t axis = call.Int("axis", 0), r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r)
    return absl::InvalidArgumentError(absl::StrCat("axis ", axis, ", the rank is ", rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

// SplitToSequence-24
absl::Status SplitToSequence(HostCall* call) {
  const HostTensor& t = call->inputs[0].tensor;
  auto axis = AxisOf(*call, t.dims.size());
  if (!axis.ok()) return axis.status();
  const int64_t extent = t.dims[*axis];
  std::vector<int64_t> lengths;
  bool keep = true;
  if (!call->has(1)) {
    lengths.assign(static_cast<size_t>(extent), 1);
    keep = call->Int("keepdims", 1) != 0;
  } else {
    auto split = IntsOf(call->inputs[1].tensor);
    if (!split.ok()) return split.status();
    if (call->inputs[1].tensor.dims.empty()) {
      if (split->front() <= 0) return absl::InvalidArgumentError(absl::StrCat("split is ", split->front()));
      for (int64_t at = 0; at < extent; at += split->front())
        lengths.push_back(std::min(split->front(), extent - at));
    } else {
      lengths = *std::move(split);
    }
  }
  RunValue out = Sequence();
  int64_t at = 0;
  for (int64_t length : lengths) {
    if (length < 0 || length > extent - at)
      return absl::InvalidArgumentError(
          absl::StrCat("the parts of split do not add up to the extent ", extent));
    auto part = SliceAxis(t, *axis, at, length);
    if (!part.ok()) return part.status();
    RunValue item;
    item.tensor = keep ? *std::move(part) : WithoutAxis(*std::move(part), *axis);
    out.items.push_back(std::move(item));
    at += length;
  }
  if (at != extent)
    return absl::InvalidArgumentError(
        absl::StrCat("the parts of split add up to ", at, ", the extent is ", extent));
  call->outputs[0] = std::move(out);
  return absl::OkStatus();
}

// ConcatFromSequence-11
absl::Status ConcatFromSequence(HostCall* call) {
  std::vector<HostTensor> parts;
  const bool stack = call->Int("new_axis", 0) != 0;
  if (call->inputs[0].items.empty()) return absl::InvalidArgumentError("the sequence is empty");
  auto axis = AxisOf(*call, call->inputs[0].items[0].tensor.dims.size() + (stack ? 1 : 0));
  if (!axis.ok()) return axis.status();
  for (RunValue& item : call->inputs[0].items) {
    if (stack && item.tensor.dims.size() < *axis)
      return absl::InvalidArgumentError("tensors of different rank can't be joined");
    parts.push_back(stack ? WithAxis(std::move(item.tensor), *axis) : std::move(item.tensor));
  }
  auto joined = ConcatAxis(parts, *axis);
  if (!joined.ok()) return joined.status();
  call->outputs[0].tensor = *std::move(joined);
  return absl::OkStatus();
}

// Optional-15
absl::Status Optional(HostCall* call) {
  RunValue out;
  out.kind = ValueKind::kOptional;
  if (call->has(0)) out.items.push_back(std::move(call->inputs[0]));
  call->outputs[0] = std::move(out);
  return absl::OkStatus();
}

// OptionalHasElement-18: a value that is no optional has itself; no input at all has nothing.
absl::Status OptionalHasElement(HostCall* call) {
  bool has = call->has(0) && (call->inputs[0].kind != ValueKind::kOptional || !call->inputs[0].items.empty());
  auto answer = ScalarBool(has);
  if (!answer.ok()) return answer.status();
  call->outputs[0].tensor = *std::move(answer);
  return absl::OkStatus();
}

// OptionalGetElement-18
absl::Status OptionalGetElement(HostCall* call) {
  RunValue& in = call->inputs[0];
  if (in.kind != ValueKind::kOptional) {
    call->outputs[0] = std::move(in);
    return absl::OkStatus();
  }
  if (in.items.empty()) return absl::InvalidArgumentError("the optional has no element");
  RunValue element = std::move(in.items[0]);
  call->outputs[0] = std::move(element);
  return absl::OkStatus();
}

// Identity of a sequence or optional
absl::Status Identity(HostCall* call) {
  call->outputs[0] = std::move(call->inputs[0]);
  return absl::OkStatus();
}

using HostOp = absl::Status (*)(HostCall*);

const std::map<std::pair<std::string_view, std::string_view>, HostOp>& Table() {
  static const auto& table = *new std::map<std::pair<std::string_view, std::string_view>, HostOp>{
      {{"", "Loop"}, RunLoop},
      {{"", "Scan"}, RunScan},
      {{"", "SequenceEmpty"}, SequenceEmpty},
      {{"", "SequenceConstruct"}, SequenceConstruct},
      {{"", "SequenceInsert"}, SequenceInsert},
      {{"", "SequenceErase"}, SequenceErase},
      {{"", "SequenceAt"}, SequenceAt},
      {{"", "SequenceLength"}, SequenceLength},
      {{"", "SplitToSequence"}, SplitToSequence},
      {{"", "ConcatFromSequence"}, ConcatFromSequence},
      {{"", "Optional"}, Optional},
      {{"", "OptionalHasElement"}, OptionalHasElement},
      {{"", "OptionalGetElement"}, OptionalGetElement},
      {{"", "Identity"}, Identity},
      {{"ai.onnx.ml", "CastMap"}, RunMapOp},
      {{"ai.onnx.ml", "DictVectorizer"}, RunMapOp},
      {{"ai.onnx.ml", "ZipMap"}, RunMapOp},
  };
  return table;
}

}  // namespace

int64_t HostCall::Int(std::string_view name, int64_t otherwise) const {
  const Attribute* a = node.attribute(name);
  return a != nullptr ? a->i : otherwise;
}

std::string HostCall::String(std::string_view name, std::string_view otherwise) const {
  const Attribute* a = node.attribute(name);
  return a != nullptr ? a->s : std::string(otherwise);
}

bool HasHostOp(std::string_view domain, std::string_view op) { return Table().contains({domain, op}); }

absl::Status RunHostOp(HostCall* call) {
  const auto found = Table().find({call->node.domain, call->node.op});
  if (found == Table().end())
    return absl::UnimplementedError(
        absl::StrCat(call->node.op, " on values that are no tensors is not supported"));
  return found->second(call);
}

}  // namespace braid
