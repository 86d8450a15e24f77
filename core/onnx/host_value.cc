// SPDX-License-Identifier: Apache-2.0
//
// TensorProto, SparseTensorProto, SequenceProto, MapProto and OptionalProto: the .pb files of ONNX test
// cases.
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

// `declared` is the type of the whole.
absl::StatusOr<HostValue> FromSequence(const pb::SequenceProto& sequence, const Type& declared);

// The type of the parts of a value of this type; one that says no more is that of all that lies deeper.
const Type& PartOf(const Type& type) { return type.item != nullptr ? *type.item : type; }

absl::StatusOr<HostValue> FromSparse(const pb::SparseTensorProto& sparse) {
  HostValue value;
  value.name = sparse.values().name();
  value.type.kind = ValueKind::kSparseTensor;
  value.type.element = sparse.values().data_type();
  value.type.has_shape = true;
  for (int64_t d : sparse.dims()) value.type.dims.push_back({d, -1});
  for (const pb::TensorProto* part : {&sparse.values(), &sparse.indices()}) {
    auto item = FromTensor(*part);
    if (!item.ok()) return item.status();
    value.items.push_back(*std::move(item));
  }
  return value;
}

template <class T>
void Append(T v, std::vector<uint8_t>* bytes) {
  const auto* p = reinterpret_cast<const uint8_t*>(&v);
  bytes->insert(bytes->end(), p, p + sizeof v);
}

// Keys of a map as a tensor [n].
absl::StatusOr<HostValue> KeysOf(const pb::MapProto& map) {
  HostValue keys;
  if (!IsMapKey(map.key_type()))
    return absl::InvalidArgumentError(
        absl::StrCat("a map's keys can't be of type ", ElementTypeName(map.key_type())));
  keys.type.element = map.key_type();
  keys.type.has_shape = true;
  const bool strings = map.key_type() == Element::kString;
  if (strings ? map.keys_size() > 0 : map.string_keys_size() > 0)
    return absl::InvalidArgumentError("the map has keys of another type than its key_type");
  keys.type.dims = {{strings ? map.string_keys_size() : map.keys_size(), -1}};
  uint64_t at = static_cast<uint64_t>(map.string_keys_size()) * 16;
  for (const std::string& key : map.string_keys()) {
    Append(at, &keys.data);
    Append(uint64_t{key.size()}, &keys.data);
    at += key.size();
  }
  for (const std::string& key : map.string_keys()) keys.data.insert(keys.data.end(), key.begin(), key.end());
  for (const int64_t key : map.keys()) {
    // Little-endian: the low bytes come first.
    const auto* p = reinterpret_cast<const uint8_t*>(&key);
    keys.data.insert(keys.data.end(), p, p + ElementBits(map.key_type()) / 8);
  }
  return keys;
}

// Scalars as one tensor [n]; false if the items are something else, or none.
bool Joined(const std::vector<HostValue>& items, HostValue* out) {
  if (items.empty()) return false;
  std::vector<uint8_t> pairs, characters;
  for (const HostValue& item : items) {
    const int64_t count = ElementCount(item.type.dims);
    if (!item.type.is_tensor() || item.type.element != items[0].type.element || count != 1) return false;
    if (item.type.element != Element::kString) {
      if (ElementBits(item.type.element) < 8) return false;
      pairs.insert(pairs.end(), item.data.begin(), item.data.end());
      continue;
    }
    Append(uint64_t{items.size() * 16 + characters.size()}, &pairs);
    Append(uint64_t{item.data.size() - 16}, &pairs);
    characters.insert(characters.end(), item.data.begin() + 16, item.data.end());
  }
  pairs.insert(pairs.end(), characters.begin(), characters.end());
  out->type.element = items[0].type.element;
  out->type.has_shape = true;
  out->type.dims = {{static_cast<int64_t>(items.size()), -1}};
  out->data = std::move(pairs);
  return true;
}

absl::StatusOr<HostValue> FromMap(const pb::MapProto& map, const Type& declared) {
  HostValue value;
  value.name = map.name();
  value.type.kind = ValueKind::kMap;
  value.type.element = map.key_type();
  auto keys = KeysOf(map);
  if (!keys.ok()) return keys.status();
  auto values = FromSequence(map.values(), declared);
  if (!values.ok()) return values.status();
  if (const int64_t count = keys->type.dims[0].value; count != static_cast<int64_t>(values->items.size()))
    return absl::InvalidArgumentError(
        absl::StrCat("the map has ", count, " keys and ", values->items.size(), " values"));
  HostValue joined;
  const Type& part = PartOf(declared);
  if (values->items.empty() && (part.is_tensor() || declared.item == nullptr)) {
    // The file does not tell the type of what is not there.
    joined.type.element = part.is_tensor() && part.element != 0 ? part.element : Element::kFloat;
    joined.type.has_shape = true;
    joined.type.dims = {{0, -1}};
    values = std::move(joined);
  } else if (Joined(values->items, &joined)) {
    values = std::move(joined);
  }
  value.items.push_back(*std::move(keys));
  value.items.push_back(*std::move(values));
  return value;
}

absl::StatusOr<HostValue> FromOptional(const pb::OptionalProto& optional, const Type& declared) {
  HostValue value;
  value.name = optional.name();
  value.type.kind = ValueKind::kOptional;
  const Type& part = PartOf(declared);
  absl::StatusOr<HostValue> item = HostValue();
  switch (optional.elem_type()) {
    case pb::OptionalProto::TENSOR:
      if (!optional.has_tensor_value()) return value;  // empty; the element type tells what it could hold
      item = FromTensor(optional.tensor_value());
      break;
    case pb::OptionalProto::SEQUENCE:
      if (!optional.has_sequence_value()) return value;
      item = FromSequence(optional.sequence_value(), part);
      break;
    case pb::OptionalProto::SPARSE_TENSOR:
      if (!optional.has_sparse_tensor_value()) return value;
      item = FromSparse(optional.sparse_tensor_value());
      break;
    case pb::OptionalProto::MAP:
      if (!optional.has_map_value()) return value;
      item = FromMap(optional.map_value(), part);
      break;
    case pb::OptionalProto::OPTIONAL:
      item = FromOptional(optional.optional_value(), part);
      break;
    default:
      return value;
  }
  if (!item.ok()) return item.status();
  value.items.push_back(*std::move(item));
  return value;
}

absl::StatusOr<HostValue> FromSequence(const pb::SequenceProto& sequence, const Type& declared) {
  HostValue value;
  value.name = sequence.name();
  value.type.kind = ValueKind::kSequence;
  const Type& part = PartOf(declared);
  auto add = [&](absl::StatusOr<HostValue> item) {
    if (item.ok()) value.items.push_back(*std::move(item));
    return item.status();
  };
  for (const auto& t : sequence.tensor_values())
    if (absl::Status s = add(FromTensor(t)); !s.ok()) return s;
  for (const auto& t : sequence.sequence_values())
    if (absl::Status s = add(FromSequence(t, part)); !s.ok()) return s;
  for (const auto& t : sequence.optional_values())
    if (absl::Status s = add(FromOptional(t, part)); !s.ok()) return s;
  for (const auto& t : sequence.sparse_tensor_values())
    if (absl::Status s = add(FromSparse(t)); !s.ok()) return s;
  for (const auto& t : sequence.map_values())
    if (absl::Status s = add(FromMap(t, part)); !s.ok()) return s;
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
      return FromSequence(*proto, declared);
    }
    case ValueKind::kOptional: {
      auto proto = Parse<pb::OptionalProto>(bytes, "OptionalProto");
      if (!proto.ok()) return proto.status();
      return FromOptional(*proto, declared);
    }
    case ValueKind::kTensor:
      return ParseTensorProto(bytes);
    case ValueKind::kMap: {
      auto proto = Parse<pb::MapProto>(bytes, "MapProto");
      if (!proto.ok()) return proto.status();
      return FromMap(*proto, declared);
    }
    case ValueKind::kSparseTensor: {
      auto proto = Parse<pb::SparseTensorProto>(bytes, "SparseTensorProto");
      if (!proto.ok()) return proto.status();
      return FromSparse(*proto);
    }
  }
  return absl::InternalError("a value of unknown kind");
}

}  // namespace braid
