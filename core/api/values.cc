// SPDX-License-Identifier: Apache-2.0
#include "core/api/values.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "core/api/session.h"
#include "core/graph/names.h"
#include "core/run/tensor_blocks.h"

namespace braid {
namespace {

static_assert(GRAPH_MAX_RANK == BRAID_MAX_RANK);

// What graph_tensor.owner points at.
struct Owner {
  HostBlock block;
  std::shared_ptr<const uint8_t> shared;
  std::vector<graph_tensor> items;
};

absl::StatusOr<uint64_t> CountOf(const graph_tensor& t) {
  if (t.rank < 0 || t.rank > GRAPH_MAX_RANK)
    return absl::InvalidArgumentError(absl::StrCat("rank ", t.rank, " is outside [0, ", GRAPH_MAX_RANK, "]"));
  uint64_t count = 1;
  for (int32_t i = 0; i < t.rank; ++i) {
    if (t.dims[i] < 0) return absl::InvalidArgumentError(absl::StrCat("extent ", i, " is ", t.dims[i]));
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(t.dims[i]), &count))
      return absl::InvalidArgumentError("the product of the extents overflows");
  }
  return count;
}

// A dense copy of a strided tensor of whole-byte elements.
absl::StatusOr<HostBlock> Densify(const graph_tensor& t, uint64_t count, uint64_t element) {
  int64_t index[GRAPH_MAX_RANK] = {};
  uint64_t reach = 0;
  for (int32_t i = 0; i < t.rank; ++i) {
    if (t.strides[i] < 0) return absl::InvalidArgumentError(absl::StrCat("stride ", i, " is ", t.strides[i]));
    uint64_t step;
    if (t.dims[i] > 0 && (__builtin_mul_overflow(static_cast<uint64_t>(t.dims[i] - 1),
                                                 static_cast<uint64_t>(t.strides[i]), &step) ||
                          __builtin_add_overflow(reach, step, &reach)))
      return absl::InvalidArgumentError("the strides overflow");
  }
  if (count > 0 && (reach >= t.bytes / element))
    return absl::InvalidArgumentError(
        absl::StrCat("the strides reach element ", reach, ", ", t.bytes, " bytes were given"));
  HostBlock block(HostAlloc(count * element));
  if (block == nullptr) return absl::ResourceExhaustedError("out of host memory");
  uint64_t from = 0;
  for (uint64_t n = 0; n < count; ++n) {
    std::memcpy(block.get() + n * element, static_cast<const uint8_t*>(t.data) + from * element, element);
    for (int32_t i = t.rank; i-- > 0;) {
      from += static_cast<uint64_t>(t.strides[i]);
      if (++index[i] < t.dims[i]) break;
      from -= static_cast<uint64_t>(t.strides[i]) * static_cast<uint64_t>(t.dims[i]);
      index[i] = 0;
    }
  }
  return block;
}

// A pair of a string tensor must lie inside it.
absl::Status CheckStrings(const void* data, uint64_t bytes, uint64_t count) {
  if (count > bytes / 16)
    return absl::InvalidArgumentError(
        absl::StrCat(count, " strings need 16 bytes each, ", bytes, " were given"));
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t pair[2];
    std::memcpy(pair, static_cast<const uint8_t*>(data) + 16 * i, sizeof pair);
    if (pair[0] > bytes || pair[1] > bytes - pair[0])
      return absl::InvalidArgumentError(absl::StrCat("string ", i, " (offset ", pair[0], ", length ", pair[1],
                                                     ") lies outside the ", bytes, " bytes"));
  }
  return absl::OkStatus();
}

// Types of ONNX nest a few levels deep. What holds itself has no end.
constexpr int kMaxNesting = 16;

// A map's keys and values: as many of the one as of the other, no key twice.
absl::Status CheckMap(const RunValue& map) {
  if (map.items.size() != 2)
    return absl::InvalidArgumentError(
        absl::StrCat("a map has two items, keys and values, not ", map.items.size()));
  const RunValue& values = map.items[1];
  const HostTensor& keys = map.items[0].tensor;
  if (map.items[0].kind != ValueKind::kTensor || keys.dims.size() != 1)
    return absl::InvalidArgumentError("a map's keys are a tensor of rank 1");
  const uint64_t n = static_cast<uint64_t>(keys.dims[0]);
  const bool tensor = values.kind == ValueKind::kTensor;
  if (tensor ? values.tensor.dims != keys.dims
             : values.kind != ValueKind::kSequence || values.items.size() != n)
    return absl::InvalidArgumentError(
        absl::StrCat("a map of ", n, " keys has as many values, in a tensor of rank 1 or a sequence"));
  if (!IsMapKey(keys.type))
    return absl::InvalidArgumentError(
        absl::StrCat("a map's keys are strings or integers, not ", BriefTypeName(keys.type)));
  std::vector<std::string_view> each;
  if (keys.type == Element::kString) {
    auto strings = StringsOf(keys);
    if (!strings.ok()) return strings.status();
    each = *std::move(strings);
  } else {
    const size_t bytes = static_cast<size_t>(ElementBits(keys.type)) / 8;
    for (size_t i = 0; i < n; ++i)
      each.emplace_back(reinterpret_cast<const char*>(keys.data.get()) + i * bytes, bytes);
  }
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < each.size(); ++i)
    if (!seen.insert(each[i]).second)
      return absl::InvalidArgumentError(absl::StrCat("key ", i, " is there twice"));
  return absl::OkStatus();
}

// A sparse tensor's values and indices: inside the dense tensor, in ascending order.
absl::Status CheckSparse(const RunValue& sparse) {
  if (sparse.items.size() != 2 || sparse.items[0].kind != ValueKind::kTensor ||
      sparse.items[1].kind != ValueKind::kTensor)
    return absl::InvalidArgumentError("a sparse tensor has two items, the tensors of its values and indices");
  const HostTensor& values = sparse.items[0].tensor;
  const HostTensor& indices = sparse.items[1].tensor;
  const std::vector<int64_t>& dims = sparse.tensor.dims;
  if (values.type != sparse.tensor.type)
    return absl::InvalidArgumentError(absl::StrCat("the values are ", BriefTypeName(values.type),
                                                   ", the sparse tensor ",
                                                   BriefTypeName(sparse.tensor.type)));
  const int64_t rank = static_cast<int64_t>(dims.size());
  const bool pairs = indices.dims.size() == 2;
  if (values.dims.size() != 1 || indices.type != Element::kInt64 || indices.dims.empty() ||
      indices.dims.size() > 2 || indices.dims[0] != values.dims[0] || (pairs && indices.dims[1] != rank))
    return absl::InvalidArgumentError(
        "the values have the extents [n], the indices are int64 [n] or [n, rank]");
  auto numbers = IntsOf(indices);
  if (!numbers.ok()) return numbers.status();
  int64_t elements = 1, before = -1;
  for (const int64_t d : dims) elements *= d;
  for (size_t i = 0; i < static_cast<size_t>(values.dims[0]); ++i) {
    int64_t at = 0;
    bool inside = true;
    if (pairs) {
      for (size_t d = 0; d < dims.size(); ++d) {
        const int64_t index = (*numbers)[i * dims.size() + d];
        inside = inside && index >= 0 && index < dims[d];
        at = inside ? at * dims[d] + index : 0;
      }
    } else {
      at = (*numbers)[i];
      inside = at >= 0 && at < elements;
    }
    if (!inside) return absl::InvalidArgumentError(absl::StrCat("index ", i, " is outside the dense tensor"));
    if (at <= before) return absl::InvalidArgumentError(absl::StrCat("index ", i, " does not ascend"));
    before = at;
  }
  return absl::OkStatus();
}

absl::StatusOr<RunValue> ToRunValue(const graph_tensor& t, int depth = 0) {
  if (depth > kMaxNesting)
    return absl::InvalidArgumentError(absl::StrCat("items are nested deeper than ", kMaxNesting, " levels"));
  RunValue value;
  if (t.kind == GRAPH_TENSOR) {
    std::vector<HostBlock> dense;
    RunInput in;
    if (absl::Status s = ToRunInput(t, &in, &dense, nullptr); !s.ok()) return s;
    if (in.data == nullptr && in.bytes > 0)
      return absl::InvalidArgumentError(t.buffer != nullptr ? "it lies in device memory, as no item can"
                                                            : "data is NULL");
    value.tensor.type = in.type;
    value.tensor.dims.assign(in.dims, in.dims + in.rank);
    value.tensor.bytes = in.bytes;
    uint8_t* copy = HostAlloc(in.bytes);
    if (copy == nullptr) return absl::ResourceExhaustedError("out of host memory");
    if (in.bytes > 0) std::memcpy(copy, in.data, in.bytes);
    value.tensor.data = std::shared_ptr<const uint8_t>(copy, HostFree());
    return value;
  }
  if (t.kind < 0 || t.kind > GRAPH_SPARSE_TENSOR)
    return absl::InvalidArgumentError(absl::StrCat("kind ", t.kind, " is unknown"));
  value.kind = static_cast<ValueKind>(t.kind);
  if (t.item_count > 0 && t.items == nullptr) return absl::InvalidArgumentError("items is NULL");
  if (t.kind == GRAPH_OPTIONAL && t.item_count > 1)
    return absl::InvalidArgumentError(absl::StrCat("an optional has one item or none, not ", t.item_count));
  for (uint64_t i = 0; i < t.item_count; ++i) {
    auto item = ToRunValue(t.items[i], depth + 1);
    if (!item.ok())
      return absl::Status(item.status().code(), absl::StrCat("items[", i, "]: ", item.status().message()));
    value.items.push_back(*std::move(item));
  }
  absl::Status status = absl::OkStatus();
  if (t.kind == GRAPH_MAP) status = CheckMap(value);
  if (t.kind == GRAPH_SPARSE_TENSOR) {
    auto count = CountOf(t);
    if (!count.ok()) return count.status();
    if (*count > INT64_MAX) return absl::InvalidArgumentError("the product of the extents overflows");
    value.tensor.type = t.type;
    value.tensor.dims.assign(t.dims, t.dims + t.rank);
    status = CheckSparse(value);
  }
  if (!status.ok()) return status;
  return value;
}

void FromValue(RunValue value, graph_tensor* t) {
  auto owner = std::make_unique<Owner>();
  t->kind = static_cast<int32_t>(value.kind);
  if (value.kind == ValueKind::kTensor) {
    const HostTensor& h = value.tensor;
    t->type = h.type;
    t->rank = static_cast<int32_t>(h.dims.size());
    std::copy(h.dims.begin(), h.dims.end(), t->dims);
    t->bytes = h.bytes;
    owner->shared = h.data;
    t->data = const_cast<uint8_t*>(h.data.get());
  } else {
    for (RunValue& item : value.items) {
      graph_tensor child = GRAPH_TENSOR_INIT;
      FromValue(std::move(item), &child);
      owner->items.push_back(child);
    }
    if (value.kind == ValueKind::kSparseTensor) {
      t->type = value.tensor.type;
      t->rank = static_cast<int32_t>(value.tensor.dims.size());
      std::copy(value.tensor.dims.begin(), value.tensor.dims.end(), t->dims);
    }
    t->items = owner->items.data();
    t->item_count = owner->items.size();
  }
  t->owner = owner.release();
}

}  // namespace

absl::Status CheckOffset(const graph_tensor& t) {
  const DeviceInfo& info = t.buffer->buffer.device()->info();
  if (t.offset > t.buffer->buffer.bytes())
    return absl::InvalidArgumentError(
        absl::StrCat("offset ", t.offset, " is beyond its buffer of ", t.buffer->buffer.bytes(), " bytes"));
  if (t.buffer->host == nullptr && t.offset % info.alignment != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("offset ", t.offset, " is no multiple of ", info.alignment, ", as the device wants it"));
  return absl::OkStatus();
}

absl::Status ToRunInput(const graph_tensor& t, RunInput* input, std::vector<HostBlock>* dense,
                        std::vector<std::unique_ptr<RunValue>>* values) {
  if (t.kind != GRAPH_TENSOR) {
    if (values == nullptr) return absl::InvalidArgumentError("a tensor is wanted");
    auto value = ToRunValue(t);
    if (!value.ok()) return value.status();
    values->push_back(std::make_unique<RunValue>(*std::move(value)));
    input->value = values->back().get();
    return absl::OkStatus();
  }
  auto count = CountOf(t);
  if (!count.ok()) return count.status();
  const int bits = ElementBits(t.type);
  if (bits == 0) return absl::InvalidArgumentError(absl::StrCat("element type ", t.type, " is unknown"));
  input->type = t.type;
  input->rank = t.rank;
  input->dims = t.dims;
  if (t.buffer != nullptr) {
    const uint64_t room = t.buffer->buffer.bytes();
    input->bytes = TensorBytes(t.type, *count);
    if (t.strides != nullptr) return absl::InvalidArgumentError("a tensor in device memory must be dense");
    if (absl::Status s = CheckOffset(t); !s.ok()) return s;
    if (input->bytes > room - t.offset)
      return absl::InvalidArgumentError(
          absl::StrCat(input->bytes, " bytes at offset ", t.offset, " do not lie in a buffer of ", room));
    if (t.buffer->host != nullptr) {
      input->data = t.buffer->host + t.offset;
    } else {
      input->buffer = &t.buffer->buffer;
      input->offset = t.offset;
    }
    return absl::OkStatus();
  }
  input->data = t.data;
  input->bytes = t.bytes;
  if (t.data == nullptr) {
    input->bytes = t.type == Element::kString ? 0 : TensorBytes(t.type, *count);
    return absl::OkStatus();
  }
  if (t.type == Element::kString) return CheckStrings(t.data, t.bytes, *count);
  const uint64_t element = static_cast<uint64_t>(bits) / 8;
  if (t.strides != nullptr) {
    if (bits < 8) return absl::InvalidArgumentError("a tensor of elements below a byte must be dense");
    auto block = Densify(t, *count, element);
    if (!block.ok()) return block.status();
    input->bytes = *count * element;
    input->data = block->get();
    dense->push_back(*std::move(block));
    return absl::OkStatus();
  }
  if (t.bytes != TensorBytes(t.type, *count))
    return absl::InvalidArgumentError(
        absl::StrCat(t.bytes, " bytes were given, its type and extents need ", TensorBytes(t.type, *count)));
  // Complex elements need the alignment of their parts; 8 bytes serve every type.
  const uint64_t alignment = std::min<uint64_t>(std::max<uint64_t>(element, 1), 8);
  if (reinterpret_cast<uintptr_t>(t.data) % alignment != 0) {
    HostBlock block(HostAlloc(t.bytes));
    if (block == nullptr) return absl::ResourceExhaustedError("out of host memory");
    std::memcpy(block.get(), t.data, t.bytes);
    input->data = block.get();
    dense->push_back(std::move(block));
  }
  return absl::OkStatus();
}

void FromRunOutput(const Type& declared, bool with_data, RunOutput* output, graph_tensor* t) {
  if (!declared.is_tensor()) {
    if (with_data) FromValue(std::move(output->value), t);
    return;
  }
  t->kind = GRAPH_TENSOR;
  t->type = output->type;
  t->rank = output->rank;
  std::memcpy(t->dims, output->dims, sizeof(int64_t) * static_cast<size_t>(output->rank));
  t->bytes = output->bytes;
  if (!with_data || output->allocated == nullptr) return;
  auto owner = std::make_unique<Owner>();
  t->data = output->allocated.get();
  owner->block = std::move(output->allocated);
  t->owner = owner.release();
}

}  // namespace braid

extern "C" void graph_tensor_release(graph_tensor* tensor) {
  if (tensor == nullptr || tensor->owner == nullptr) return;
  std::unique_ptr<braid::Owner> owner(static_cast<braid::Owner*>(tensor->owner));
  for (graph_tensor& item : owner->items) graph_tensor_release(&item);
  tensor->owner = nullptr;
  tensor->data = nullptr;
  tensor->bytes = 0;
  tensor->items = nullptr;
  tensor->item_count = 0;
}
