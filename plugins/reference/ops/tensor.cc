// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/tensor.h"

#include <braid/kit/plugin.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace braid::reference {
namespace {

using kit::Error;

constexpr int64_t kMostElements = int64_t{1} << 40;
constexpr size_t kAlignment = 64;

// More than the machine has would be granted by an overcommitting kernel and kill the process when it is
// touched.
uint64_t PhysicalMemory() {
  static const uint64_t bytes = [] {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) : UINT64_MAX;
  }();
  return bytes;
}

[[noreturn]] void NoMemory(int32_t type, const Dims& dims) {
  throw Error(BRAID_OUT_OF_MEMORY, "no memory for a tensor of " + TypeName(type) + DimsText(dims));
}

uint64_t PackedBytes(int64_t elements, int wire_bits) {
  return (static_cast<uint64_t>(elements) * static_cast<uint64_t>(wire_bits) + 7) / 8;
}

// Elements below a byte are a stream of bits, the first in the lowest; one of 6 bits may straddle two bytes.
void Unpack(const uint8_t* from, int64_t elements, int bits, bool is_signed, uint8_t* to) {
  const uint8_t mask = static_cast<uint8_t>((1u << bits) - 1), sign = static_cast<uint8_t>(1u << (bits - 1));
  for (int64_t i = 0; i < elements; ++i) {
    const int64_t at = i * bits;
    const int shift = static_cast<int>(at % 8);
    uint32_t both = from[at / 8];
    if (shift + bits > 8) both |= static_cast<uint32_t>(from[at / 8 + 1]) << 8;
    uint8_t v = static_cast<uint8_t>(both >> shift) & mask;
    if (is_signed && (v & sign) != 0) v = static_cast<uint8_t>(v | ~mask);
    to[i] = v;
  }
}

void Pack(const uint8_t* from, int64_t elements, int bits, uint8_t* to) {
  const uint8_t mask = static_cast<uint8_t>((1u << bits) - 1);
  std::memset(to, 0, PackedBytes(elements, bits));
  for (int64_t i = 0; i < elements; ++i) {
    const int64_t at = i * bits;
    const int shift = static_cast<int>(at % 8);
    const uint32_t both = static_cast<uint32_t>(from[i] & mask) << shift;
    to[at / 8] = static_cast<uint8_t>(to[at / 8] | both);
    if (shift + bits > 8) to[at / 8 + 1] = static_cast<uint8_t>(both >> 8);
  }
}

struct StringPair {
  uint64_t offset, length;  // offset from the tensor's start
};

}  // namespace

int64_t Count(std::span<const int64_t> dims) {
  int64_t count = 1;
  bool too_many = false, empty = false;
  for (int64_t d : dims) {
    if (d < 0) throw Error(BRAID_INVALID_ARGUMENT, "negative extent in shape " + DimsText(dims));
    empty = empty || d == 0;
    if (d > 0) too_many = too_many || __builtin_mul_overflow(count, d, &count) || count > kMostElements;
    if (too_many) count = 1;
  }
  if (empty) return 0;
  if (too_many)
    throw Error(BRAID_INVALID_ARGUMENT, "shape " + DimsText(dims) + " has more than 2^40 elements");
  return count;
}

std::string DimsText(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
  return text + "]";
}

Dims StridesOf(std::span<const int64_t> dims) {
  Dims strides(dims.size());
  uint64_t step = 1;  // may wrap where another extent is 0 and no element is ever looked at
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = static_cast<int64_t>(step);
    step *= static_cast<uint64_t>(std::max<int64_t>(dims[i], 1));
  }
  return strides;
}

Tensor::Tensor(int32_t type, Dims dims) : type_(type), dims_(std::move(dims)), size_(Count(dims_)) {
  if (HeldBytes(type) == 0) throw Error(BRAID_INTERNAL, "a tensor of " + TypeName(type) + " cannot be made");
  if (bytes() > PhysicalMemory()) NoMemory(type, dims_);
  if (type == kString) {
    auto strings = std::make_shared<std::vector<std::string>>(static_cast<size_t>(size_));
    data_ = strings->data();
    owner_ = std::move(strings);
    return;
  }
  size_t rounded = (static_cast<size_t>(bytes()) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, std::max(rounded, kAlignment));
  if (memory == nullptr) NoMemory(type, dims_);
  owner_ = std::shared_ptr<void>(memory, std::free);
  data_ = memory;
}

Tensor Tensor::Borrow(int32_t type, Dims dims, void* data) {
  Tensor t;
  t.type_ = type;
  t.dims_ = std::move(dims);
  t.size_ = Count(t.dims_);
  t.data_ = data;
  return t;
}

Tensor Tensor::FromWire(int32_t type, Dims dims, const void* data, uint64_t bytes, bool may_borrow) {
  const int bits = WireBits(type);
  if (bits == 0) throw Error(BRAID_INVALID_ARGUMENT, TypeName(type) + " is not an element type of tensors");
  const int64_t count = Count(dims);
  auto wrong = [&](const std::string& what) {
    return Error(BRAID_INVALID_ARGUMENT, "a tensor of " + TypeName(type) + DimsText(dims) + " " + what);
  };
  const uint64_t least = PackedBytes(count, bits);
  if (bytes < least)
    throw wrong("needs " + std::to_string(least) + " bytes, " + std::to_string(bytes) + " were given");
  if (count > 0 && data == nullptr) throw wrong("was given no memory");

  if (type == kString) {
    Tensor t(type, std::move(dims));
    const char* base = static_cast<const char*>(data);
    for (int64_t i = 0; i < count; ++i) {
      StringPair pair;
      std::memcpy(&pair, base + sizeof(StringPair) * static_cast<uint64_t>(i), sizeof pair);
      if (pair.length == 0) continue;
      if (pair.offset < least || pair.offset > bytes || pair.length > bytes - pair.offset)
        throw Error(BRAID_INVALID_ARGUMENT, "string " + std::to_string(i) + " of a tensor of shape " +
                                                DimsText(t.dims_) + " lies outside the tensor's " +
                                                std::to_string(bytes) + " bytes");
      t.data<std::string>()[i].assign(base + pair.offset, pair.length);
    }
    return t;
  }
  if (bits < 8) {
    Tensor t(type, std::move(dims));
    Unpack(static_cast<const uint8_t*>(data), count, bits, type == kInt4 || type == kInt2, t.data<uint8_t>());
    return t;
  }
  // Bytes other than 0 and 1 are no bool to C++.
  const uint8_t* raw = static_cast<const uint8_t*>(data);
  bool odd_bool = type == kBool && std::any_of(raw, raw + count, [](uint8_t b) { return b > 1; });
  size_t alignment = std::min<size_t>(HeldBytes(type), alignof(std::max_align_t));
  if (may_borrow && !odd_bool && reinterpret_cast<uintptr_t>(data) % alignment == 0)
    return Borrow(type, std::move(dims), const_cast<void*>(data));
  Tensor t(type, std::move(dims));
  if (odd_bool) {
    std::transform(raw, raw + count, t.data<bool>(), [](uint8_t b) { return b != 0; });
  } else if (count > 0) {
    std::memcpy(t.raw(), data, t.bytes());
  }
  return t;
}

uint64_t Tensor::WireBytes() const {
  uint64_t total = PackedBytes(size_, WireBits(type_));
  if (type_ == kString)
    for (const std::string& s : values<std::string>()) total += s.size();
  return total;
}

void Tensor::ToWire(void* out) const {
  if (size_ == 0) return;
  if (type_ == kString) {
    char* base = static_cast<char*>(out);
    uint64_t at = sizeof(StringPair) * static_cast<uint64_t>(size_);
    for (int64_t i = 0; i < size_; ++i) {
      const std::string& s = data<std::string>()[i];
      StringPair pair{at, s.size()};
      std::memcpy(base + sizeof(StringPair) * static_cast<uint64_t>(i), &pair, sizeof pair);
      std::memcpy(base + at, s.data(), s.size());
      at += s.size();
    }
  } else if (WireBits(type_) < 8) {
    Pack(data<uint8_t>(), size_, WireBits(type_), static_cast<uint8_t*>(out));
  } else if (out != data_) {
    std::memcpy(out, data_, bytes());
  }
}

Tensor Tensor::Reshaped(Dims dims) const {
  if (Count(dims) != size_)
    throw Error(BRAID_INVALID_ARGUMENT,
                "a tensor of shape " + DimsText(dims_) + " cannot take the shape " + DimsText(dims));
  Tensor t = *this;
  t.dims_ = std::move(dims);
  return t;
}

std::vector<int64_t> Tensor::AsInts() const {
  std::vector<int64_t> out(static_cast<size_t>(size_));
  bool known = DispatchIn<kInts | kNarrowInts | Types(kBool, kUint16, kInt16)>(type_, [&]<class T>() {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int64_t>(data<T>()[i]);
  });
  if (!known)
    throw Error(BRAID_INVALID_ARGUMENT, "integers were expected, " + TypeName(type_) + " was given");
  return out;
}

double Tensor::AsDouble(int64_t i) const {
  double out = 0;
  bool known = DispatchIn<kAllTypes & ~kComplexes & ~Types(kString)>(
      type_, [&]<class T>() { out = static_cast<double>(data<T>()[i]); });
  if (!known)
    throw Error(BRAID_INVALID_ARGUMENT, "real numbers were expected, " + TypeName(type_) + " was given");
  return out;
}

}  // namespace braid::reference
