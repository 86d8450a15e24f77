// SPDX-License-Identifier: Apache-2.0
//
// TensorProto, SequenceProto and OptionalProto: the .pb files of ONNX test cases.
#include "absl/strings/str_cat.h"
#include "core/onnx/model.h"
#include "core/onnx/tensor.h"
#include "onnx/onnx-data.pb.h"

namespace braid {

using namespace loader;  // NOLINT: this room's own namespace

namespace {

absl::StatusOr<HostValue> FromTensor(const pb::TensorProto& tensor) {
  Origin origin;
  auto constant = ReadTensor(tensor, origin);
  if (!constant.ok()) return constant.status();
  HostValue value;
  value.name = tensor.name();
  value.type.element = tensor.data_type();
  value.type.has_shape = true;
  for (int64_t d : tensor.dims()) value.type.dims.push_back({d, -1});
  value.data.assign((*constant)->data, (*constant)->data + (*constant)->bytes);
  return value;
}

absl::StatusOr<HostValue> FromSequence(const pb::SequenceProto& sequence);

absl::StatusOr<HostValue> FromOptional(const pb::OptionalProto& optional) {
  HostValue value;
  value.name = optional.name();
  value.type.kind = ValueKind::kOptional;
  absl::StatusOr<HostValue> item = HostValue();
  switch (optional.elem_type()) {
    case pb::OptionalProto::TENSOR:
      if (!optional.has_tensor_value()) return value;  // empty; the element type tells what it could hold
      item = FromTensor(optional.tensor_value());
      break;
    case pb::OptionalProto::SEQUENCE:
      if (!optional.has_sequence_value()) return value;
      item = FromSequence(optional.sequence_value());
      break;
    case pb::OptionalProto::OPTIONAL:
      item = FromOptional(optional.optional_value());
      break;
    default:
      return value;
  }
  if (!item.ok()) return item.status();
  value.items.push_back(*std::move(item));
  return value;
}

absl::StatusOr<HostValue> FromSequence(const pb::SequenceProto& sequence) {
  HostValue value;
  value.name = sequence.name();
  value.type.kind = ValueKind::kSequence;
  auto add = [&](absl::StatusOr<HostValue> item) {
    if (item.ok()) value.items.push_back(*std::move(item));
    return item.status();
  };
  for (const auto& t : sequence.tensor_values())
    if (absl::Status s = add(FromTensor(t)); !s.ok()) return s;
  for (const auto& t : sequence.sequence_values())
    if (absl::Status s = add(FromSequence(t)); !s.ok()) return s;
  for (const auto& t : sequence.optional_values())
    if (absl::Status s = add(FromOptional(t)); !s.ok()) return s;
  if (sequence.sparse_tensor_values_size() > 0 || sequence.map_values_size() > 0)
    return absl::UnimplementedError("sequences of maps or sparse tensors can't be read");
  return value;
}

template <typename Proto>
absl::StatusOr<Proto> Parse(absl::Span<const uint8_t> bytes, const char* what) {
  Proto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::InvalidArgumentError(absl::StrCat("is no ", what, ", or is truncated"));
  return proto;
}

}  // namespace

absl::StatusOr<HostValue> ParseTensorProto(absl::Span<const uint8_t> bytes) {
  auto proto = Parse<pb::TensorProto>(bytes, "TensorProto");
  if (!proto.ok()) return proto.status();
  return FromTensor(*proto);
}

absl::StatusOr<HostValue> ParseValueProto(absl::Span<const uint8_t> bytes, const Type& declared) {
  switch (declared.kind) {
    case ValueKind::kSequence: {
      auto proto = Parse<pb::SequenceProto>(bytes, "SequenceProto");
      if (!proto.ok()) return proto.status();
      return FromSequence(*proto);
    }
    case ValueKind::kOptional: {
      auto proto = Parse<pb::OptionalProto>(bytes, "OptionalProto");
      if (!proto.ok()) return proto.status();
      return FromOptional(*proto);
    }
    case ValueKind::kTensor:
      return ParseTensorProto(bytes);
    default:
      return absl::UnimplementedError("maps and sparse tensors can't be read");
  }
}

}  // namespace braid
