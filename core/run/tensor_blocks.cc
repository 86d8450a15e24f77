// SPDX-License-Identifier: Apache-2.0
#include "core/run/tensor_blocks.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/graph/packed.h"

namespace braid {
namespace {

uint64_t CountOf(absl::Span<const int64_t> dims) {
  uint64_t n = 1;
  for (int64_t d : dims) n *= static_cast<uint64_t>(d);
  return n;
}

std::shared_ptr<uint8_t> Allocate(uint64_t bytes) {
  return std::shared_ptr<uint8_t>(HostAlloc(bytes), HostFree());
}

absl::Status OutOfMemory(uint64_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat("out of host memory: ", bytes, " bytes"));
}

// Elements that can be moved one by one: types below a byte take a byte here, strings are views of the
// source.
struct Elements {
  size_t element_bytes = 1;
  std::vector<uint8_t> bytes;
  std::vector<std::string_view> strings;
  bool is_string = false;
};

absl::StatusOr<Elements> Unpack(const HostTensor& t) {
  Elements out;
  const uint64_t count = CountOf(t.dims);
  const int bits = ElementBits(t.type);
  if (t.type == Element::kString) {
    out.is_string = true;
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t pair[2];
      if ((i + 1) * sizeof pair > t.bytes)
        return absl::InvalidArgumentError("a string tensor is shorter than its pairs");
      std::memcpy(pair, t.data.get() + i * sizeof pair, sizeof pair);
      if (pair[0] > t.bytes || pair[1] > t.bytes - pair[0])
        return absl::InvalidArgumentError("a string lies outside its tensor");
      out.strings.emplace_back(reinterpret_cast<const char*>(t.data.get()) + pair[0], pair[1]);
    }
    return out;
  }
  if (bits == 0) return absl::InvalidArgumentError(absl::StrCat("element type ", t.type, " is unknown"));
  if (bits >= 8) {
    out.element_bytes = static_cast<size_t>(bits) / 8;
    out.bytes.assign(t.data.get(), t.data.get() + count * out.element_bytes);
    return out;
  }
  for (uint64_t i = 0; i < count; ++i) out.bytes.push_back(PackedAt(t.data.get(), i, bits));
  return out;
}

absl::StatusOr<HostTensor> Pack(ElementType type, std::vector<int64_t> dims, const Elements& elements) {
  HostTensor out;
  out.type = type;
  out.dims = std::move(dims);
  const uint64_t count = CountOf(out.dims);
  if (elements.is_string) {
    out.bytes = count * 16;
    for (std::string_view s : elements.strings) out.bytes += s.size();
  } else {
    out.bytes = TensorBytes(type, count);
  }
  auto data = Allocate(out.bytes);
  if (data == nullptr) return OutOfMemory(out.bytes);
  const int bits = ElementBits(type);
  if (elements.is_string) {
    uint64_t at = count * 16;
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t pair[2] = {at, elements.strings[i].size()};
      std::memcpy(data.get() + i * 16, pair, sizeof pair);
      elements.strings[i].copy(reinterpret_cast<char*>(data.get()) + at, pair[1]);
      at += pair[1];
    }
  } else if (bits >= 8) {
    std::copy(elements.bytes.begin(), elements.bytes.end(), data.get());
  } else {
    std::memset(data.get(), 0, out.bytes);
    for (uint64_t i = 0; i < count; ++i) PutPacked(elements.bytes[i], i, bits, data.get());
  }
  out.data = std::move(data);
  return out;
}

void Append(const Elements& from, uint64_t begin, uint64_t count, Elements* to) {
  if (from.is_string) {
    to->strings.insert(to->strings.end(), from.strings.begin() + static_cast<long>(begin),
                       from.strings.begin() + static_cast<long>(begin + count));
  } else {
    const uint8_t* first = from.bytes.data() + begin * from.element_bytes;
    to->bytes.insert(to->bytes.end(), first, first + count * from.element_bytes);
  }
}

}  // namespace

absl::StatusOr<HostTensor> SliceAxis(const HostTensor& tensor, size_t axis, int64_t begin, int64_t count) {
  auto elements = Unpack(tensor);
  if (!elements.ok()) return elements.status();
  std::vector<int64_t> dims = tensor.dims;
  const uint64_t inner = CountOf(absl::MakeSpan(dims).subspan(axis + 1));
  const uint64_t outer = CountOf(absl::MakeSpan(dims).subspan(0, axis));
  const uint64_t extent = static_cast<uint64_t>(dims[axis]);
  dims[axis] = count;
  Elements out;
  out.is_string = elements->is_string;
  out.element_bytes = elements->element_bytes;
  for (uint64_t o = 0; o < outer; ++o)
    Append(*elements, (o * extent + static_cast<uint64_t>(begin)) * inner,
           static_cast<uint64_t>(count) * inner, &out);
  return Pack(tensor.type, std::move(dims), out);
}

absl::StatusOr<HostTensor> ConcatAxis(absl::Span<const HostTensor> tensors, size_t axis) {
  std::vector<int64_t> dims = tensors[0].dims;
  if (axis >= dims.size())
    return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " of a tensor of rank ", dims.size()));
  std::vector<Elements> parts;
  int64_t total = 0;
  for (const HostTensor& t : tensors) {
    bool fits = t.type == tensors[0].type && t.dims.size() == dims.size();
    for (size_t i = 0; fits && i < dims.size(); ++i) fits = i == axis || t.dims[i] == dims[i];
    if (!fits) return absl::InvalidArgumentError("tensors of different types or extents can't be joined");
    total += t.dims[axis];
    auto elements = Unpack(t);
    if (!elements.ok()) return elements.status();
    parts.push_back(*std::move(elements));
  }
  const uint64_t inner = CountOf(absl::MakeSpan(dims).subspan(axis + 1));
  const uint64_t outer = CountOf(absl::MakeSpan(dims).subspan(0, axis));
  Elements out;
  out.is_string = parts[0].is_string;
  out.element_bytes = parts[0].element_bytes;
  for (uint64_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < parts.size(); ++i) {
      const uint64_t run = static_cast<uint64_t>(tensors[i].dims[axis]) * inner;
      Append(parts[i], o * run, run, &out);
    }
  dims[axis] = total;
  return Pack(tensors[0].type, std::move(dims), out);
}

HostTensor WithAxis(HostTensor tensor, size_t axis) {
  tensor.dims.insert(tensor.dims.begin() + static_cast<long>(axis), 1);
  return tensor;
}

HostTensor WithoutAxis(HostTensor tensor, size_t axis) {
  tensor.dims.erase(tensor.dims.begin() + static_cast<long>(axis));
  return tensor;
}

HostTensor EmptyTensor(ElementType type, std::vector<int64_t> dims) {
  HostTensor out;
  out.type = type;
  out.dims = std::move(dims);
  out.data = Allocate(0);
  return out;
}

absl::StatusOr<HostTensor> TensorOf(ElementType type, std::vector<int64_t> dims, const void* from,
                                    uint64_t bytes) {
  HostTensor out;
  out.type = type;
  out.dims = std::move(dims);
  out.bytes = bytes;
  auto data = Allocate(bytes);
  if (data == nullptr) return OutOfMemory(bytes);
  if (bytes > 0) std::memcpy(data.get(), from, bytes);
  out.data = std::move(data);
  return out;
}

absl::StatusOr<HostTensor> TensorOfStrings(std::vector<int64_t> dims, std::vector<std::string_view> strings) {
  Elements elements;
  elements.is_string = true;
  elements.strings = std::move(strings);
  return Pack(Element::kString, std::move(dims), elements);
}

absl::StatusOr<HostTensor> ScalarInt64(int64_t value) {
  return TensorOf(Element::kInt64, {}, &value, sizeof value);
}

absl::StatusOr<HostTensor> ScalarBool(bool value) {
  const uint8_t byte = value ? 1 : 0;
  return TensorOf(Element::kBool, {}, &byte, sizeof byte);
}

absl::StatusOr<std::vector<std::string_view>> StringsOf(const HostTensor& tensor) {
  if (tensor.type != Element::kString)
    return absl::InvalidArgumentError(
        absl::StrCat("a string tensor is wanted, not ", ElementTypeName(tensor.type)));
  auto elements = Unpack(tensor);
  if (!elements.ok()) return elements.status();
  return std::move(elements->strings);
}

absl::StatusOr<std::vector<int64_t>> IntsOf(const HostTensor& tensor) {
  std::vector<int64_t> out;
  const uint64_t count = CountOf(tensor.dims);
  for (uint64_t i = 0; i < count; ++i) {
    if (tensor.type == Element::kInt64) {
      int64_t v;
      std::memcpy(&v, tensor.data.get() + i * sizeof v, sizeof v);
      out.push_back(v);
    } else if (tensor.type == Element::kInt32) {
      int32_t v;
      std::memcpy(&v, tensor.data.get() + i * sizeof v, sizeof v);
      out.push_back(v);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("an integer tensor is wanted, not ", ElementTypeName(tensor.type)));
    }
  }
  return out;
}

}  // namespace braid
