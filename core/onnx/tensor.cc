// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/tensor.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/packed.h"

namespace braid::loader {
namespace {

constexpr uint64_t kMaxBytes = std::numeric_limits<int64_t>::max();
uint64_t NextId() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::shared_ptr<uint8_t> Allocate(uint64_t bytes) {
  const uint64_t padded = (bytes + 63) / 64 * 64;
  void* p = padded < bytes ? nullptr : std::aligned_alloc(64, std::max<uint64_t>(padded, 64));
  if (p == nullptr) throw std::bad_alloc();
  return std::shared_ptr<uint8_t>(static_cast<uint8_t*>(p), [](uint8_t* q) { std::free(q); });
}

absl::Status Bad(const pb::TensorProto& tensor, std::string_view cause) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name(), "' (",
                                                 ElementTypeName(tensor.data_type()), "[",
                                                 absl::StrJoin(tensor.dims(), ","), "]) ", cause));
}

// The typed field that holds values of a type, its length, and how many entries `elements` of it take.
struct TypedField {
  const char* name;
  uint64_t have;
  uint64_t want;
};

TypedField FieldOf(const pb::TensorProto& t, uint64_t elements) {
  switch (t.data_type()) {
    case pb::TensorProto::FLOAT:
      return {"float_data", static_cast<uint64_t>(t.float_data_size()), elements};
    case pb::TensorProto::COMPLEX64:
      return {"float_data", static_cast<uint64_t>(t.float_data_size()), 2 * elements};
    case pb::TensorProto::DOUBLE:
      return {"double_data", static_cast<uint64_t>(t.double_data_size()), elements};
    case pb::TensorProto::COMPLEX128:
      return {"double_data", static_cast<uint64_t>(t.double_data_size()), 2 * elements};
    case pb::TensorProto::INT64:
      return {"int64_data", static_cast<uint64_t>(t.int64_data_size()), elements};
    case pb::TensorProto::UINT32:
    case pb::TensorProto::UINT64:
      return {"uint64_data", static_cast<uint64_t>(t.uint64_data_size()), elements};
    case pb::TensorProto::STRING:
      return {"string_data", static_cast<uint64_t>(t.string_data_size()), elements};
    case pb::TensorProto::UINT4:
    case pb::TensorProto::INT4:
    case pb::TensorProto::FLOAT4E2M1:  // an entry holds one packed byte
      return {"int32_data", static_cast<uint64_t>(t.int32_data_size()), (elements + 1) / 2};
    case pb::TensorProto::UINT2:
    case pb::TensorProto::INT2:
      return {"int32_data", static_cast<uint64_t>(t.int32_data_size()), (elements + 3) / 4};
    default:
      return {"int32_data", static_cast<uint64_t>(t.int32_data_size()), elements};
  }
}

template <typename T, typename Field>
std::shared_ptr<uint8_t> Narrow(const Field& field) {
  std::shared_ptr<uint8_t> out = Allocate(static_cast<uint64_t>(field.size()) * sizeof(T));
  uint8_t* p = out.get();
  for (const auto value : field) {
    const T narrow = static_cast<T>(value);
    std::memcpy(p, &narrow, sizeof(T));
    p += sizeof(T);
  }
  return out;
}

// FLOAT6 takes one int32_data entry an element and six packed bits in the raw layout.
std::shared_ptr<uint8_t> Pack6(const pb::TensorProto& t, uint64_t bytes) {
  std::shared_ptr<uint8_t> out = Allocate(bytes);
  std::memset(out.get(), 0, bytes);
  uint64_t i = 0;
  for (const int32_t value : t.int32_data()) PutPacked(static_cast<uint8_t>(value), i++, 6, out.get());
  return out;
}

std::shared_ptr<uint8_t> ReadTyped(const pb::TensorProto& t, uint64_t* bytes) {
  switch (t.data_type()) {
    case pb::TensorProto::FLOAT:
    case pb::TensorProto::COMPLEX64:
      return Narrow<float>(t.float_data());
    case pb::TensorProto::DOUBLE:
    case pb::TensorProto::COMPLEX128:
      return Narrow<double>(t.double_data());
    case pb::TensorProto::INT64:
      return Narrow<int64_t>(t.int64_data());
    case pb::TensorProto::UINT64:
      return Narrow<uint64_t>(t.uint64_data());
    case pb::TensorProto::UINT32:
      return Narrow<uint32_t>(t.uint64_data());
    case pb::TensorProto::INT32:
      return Narrow<int32_t>(t.int32_data());
    case pb::TensorProto::INT16:
    case pb::TensorProto::UINT16:
    case pb::TensorProto::FLOAT16:
    case pb::TensorProto::BFLOAT16:
      return Narrow<uint16_t>(t.int32_data());
    case pb::TensorProto::FLOAT6E2M3:
    case pb::TensorProto::FLOAT6E3M2:
      return Pack6(t, *bytes);
    case pb::TensorProto::STRING: {
      const std::vector<uint8_t> packed = PackStrings(t.string_data());
      *bytes = packed.size();
      std::shared_ptr<uint8_t> out = Allocate(packed.size());
      std::copy(packed.begin(), packed.end(), out.get());
      return out;
    }
    default:
      return Narrow<uint8_t>(t.int32_data());
  }
}

// Reads `location`, `offset` and `length` of external data.
absl::StatusOr<Bytes> ReadExternal(const pb::TensorProto& t, uint64_t bytes, Origin& origin) {
  std::string location;
  bool has_location = false, has_offset = false, has_length = false, has_checksum = false;
  uint64_t offset = 0, length = bytes;
  for (const pb::StringStringEntryProto& entry : t.external_data()) {
    const std::string& key = entry.key();
    bool* seen = key == "location"   ? &has_location
                 : key == "offset"   ? &has_offset
                 : key == "length"   ? &has_length
                 : key == "checksum" ? &has_checksum
                                     : nullptr;
    if (seen == nullptr) return Bad(t, absl::StrCat("has the unknown external data key '", key, "'"));
    if (*seen) return Bad(t, absl::StrCat("has the external data key '", key, "' twice"));
    *seen = true;
    if (seen == &has_location) location = entry.value();
    if (seen == &has_offset || seen == &has_length) {
      // Digits alone: SimpleAtoi takes signs and spaces, and a negative number must not wrap.
      const std::string& value = entry.value();
      uint64_t number = 0;
      if (value.find_first_not_of("0123456789") != std::string::npos || !absl::SimpleAtoi(value, &number)) {
        return Bad(
            t, absl::StrCat("has the external data ", key, " '", value, "', which is no number of bytes"));
      }
      (seen == &has_offset ? offset : length) = number;
    }
  }
  if (!has_location) return Bad(t, "is external data without a location");
  if (length != bytes) {
    return Bad(t, absl::StrCat("needs ", bytes, " bytes, but its external data has a length of ", length));
  }
  absl::StatusOr<Bytes> data = origin.external.Read(location, offset, length);
  if (!data.ok()) return Bad(t, absl::StrCat("cannot be read: ", data.status().message()));
  return data;
}

// The alignment that reading elements in place needs.
uint64_t AlignmentOf(ElementType type) {
  const int bits = ElementBits(type);
  return type == pb::TensorProto::COMPLEX64 ? 4
         : bits >= 64                       ? 8
         : bits >= 8                        ? static_cast<uint64_t>(bits) / 8
                                            : 1;
}

}  // namespace

absl::Status CheckDims(const pb::TensorProto& t, uint64_t* elements, uint64_t* bytes) {
  if (ElementBits(t.data_type()) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", t.name(), "' has the element type ",
                                                   t.data_type(), ", which ONNX does not define"));
  }
  if (t.dims_size() > kMaxRank) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", t.name(), "' has ", t.dims_size(),
                                                   " dimensions; at most ", kMaxRank, " are supported"));
  }
  *elements = 1;
  bool zero = false, overflow = false;
  for (const int64_t dim : t.dims()) {
    if (dim < 0) return Bad(t, "has a negative dimension");
    if (dim == 0) zero = true;
    overflow |= __builtin_mul_overflow(*elements, static_cast<uint64_t>(dim), elements);
  }
  if (zero) {
    *elements = 0;
    overflow = false;
  }
  *bytes = TensorBytes(t.data_type(), *elements);
  if (overflow || *bytes > kMaxBytes) return Bad(t, "has more elements than can be addressed");
  return absl::OkStatus();
}

std::shared_ptr<const Constant> MakeConstant(const Bytes& bytes) {
  auto constant = std::make_shared<Constant>();
  constant->id = NextId();
  constant->data = bytes.span.data();
  constant->bytes = bytes.span.size();
  constant->owner = bytes.owner;
  return constant;
}

std::shared_ptr<const Constant> MakeConstant(absl::Span<const uint8_t> bytes) {
  std::shared_ptr<uint8_t> copy = Allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return MakeConstant(Bytes{absl::MakeConstSpan(copy.get(), bytes.size()), copy});
}

pb::TensorProto MakeTensor(ElementType type, absl::Span<const int64_t> dims, absl::Span<const uint8_t> raw) {
  pb::TensorProto t;
  t.set_data_type(type);
  for (const int64_t dim : dims) t.add_dims(dim);
  t.set_raw_data(raw.data(), raw.size());
  return t;
}

absl::StatusOr<std::shared_ptr<const Constant>> ReadTensor(const pb::TensorProto& t, Origin& origin) {
  uint64_t elements = 0, bytes = 0;
  if (absl::Status s = CheckDims(t, &elements, &bytes); !s.ok()) return s;
  if (t.has_segment()) return Bad(t, "is stored in segments, which ONNX no longer supports");

  const int filled = (t.float_data_size() > 0) + (t.int32_data_size() > 0) + (t.string_data_size() > 0) +
                     (t.int64_data_size() > 0) + (t.double_data_size() > 0) + (t.uint64_data_size() > 0) +
                     (t.raw_data().empty() ? 0 : 1);
  Bytes data;
  if (t.data_location() == pb::TensorProto::EXTERNAL) {
    if (filled > 0) return Bad(t, "is external data, but has data in the model too");
    if (t.data_type() == pb::TensorProto::STRING) return Bad(t, "is external data, which strings cannot be");
    if (t.external_data_size() == 1 && t.external_data(0).key() == origin.stub_key) {
      size_t index = 0;
      if (!absl::SimpleAtoi(t.external_data(0).value(), &index) || index >= origin.large.size()) {
        return Bad(t, "has lost its data");
      }
      data = {origin.large[index], origin.model.owner};
    } else {
      absl::StatusOr<Bytes> external = ReadExternal(t, bytes, origin);
      if (!external.ok()) return external.status();
      data = *std::move(external);
    }
  } else {
    if (t.external_data_size() > 0)
      return Bad(t, "lists external data, but its data location says otherwise");
    if (filled > 1) return Bad(t, "has data in more than one field");
    if (t.has_raw_data() && (filled == 1 || elements == 0) && !t.raw_data().empty()) {
      if (t.data_type() == pb::TensorProto::STRING) return Bad(t, "has strings in raw_data");
      data.span =
          absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(t.raw_data().data()), t.raw_data().size());
    } else {
      TypedField field = FieldOf(t, elements);
      if (filled == 1 && field.have == 0) {
        return Bad(
            t, absl::StrCat("has its data in the wrong field; values of this type belong in ", field.name));
      }
      if (field.have != field.want) {
        return Bad(t, absl::StrCat("has ", field.have, " entries in ", field.name, ", but its dims want ",
                                   field.want));
      }
      std::shared_ptr<uint8_t> typed = ReadTyped(t, &bytes);
      return MakeConstant(Bytes{absl::MakeConstSpan(typed.get(), bytes), typed});
    }
  }
  if (t.data_type() == pb::TensorProto::STRING) return Bad(t, "has strings in raw_data");
  if (data.span.size() != bytes) {
    return Bad(t, absl::StrCat("needs ", bytes, " bytes, but has ", data.span.size()));
  }
  const bool aligned = reinterpret_cast<uintptr_t>(data.span.data()) % AlignmentOf(t.data_type()) == 0;
  return data.owner != nullptr && aligned ? MakeConstant(data) : MakeConstant(data.span);
}

absl::Status ReadSparseTensor(const pb::SparseTensorProto& sparse, Origin& origin, pb::TensorProto* dense) {
  const pb::TensorProto& values = sparse.values();
  const pb::TensorProto& indices = sparse.indices();
  const auto bad = [&](std::string_view cause) {
    return absl::InvalidArgumentError(absl::StrCat("sparse tensor '", values.name(), "' ", cause));
  };
  dense->Clear();
  dense->set_name(values.name());
  dense->set_data_type(values.data_type());
  *dense->mutable_dims() = sparse.dims();
  uint64_t elements = 0, bytes = 0;
  if (absl::Status s = CheckDims(*dense, &elements, &bytes); !s.ok()) return s;
  if (values.dims_size() != 1) return bad("has values that are no list");
  const auto count = static_cast<uint64_t>(values.dims(0));
  absl::StatusOr<std::shared_ptr<const Constant>> data = ReadTensor(values, origin);
  if (!data.ok()) return data.status();
  const bool strings = values.data_type() == pb::TensorProto::STRING;
  if (strings && elements > INT32_MAX) return bad("has more strings than protobuf can hold");
  // What an empty string takes of protobuf's memory.
  if (strings) bytes = elements * (sizeof(std::string) + sizeof(std::string*));
  origin.dense_bytes += std::min<uint64_t>((*data)->bytes, kMaxBytes / 128) * 64;
  if (bytes > origin.dense_bytes)
    return bad(absl::StrCat("has ", (*data)->bytes, " bytes of values and would have ", bytes,
                            " as a dense tensor; ", origin.dense_bytes, " are allowed"));
  origin.dense_bytes -= bytes;

  // What is not listed is zero, or the empty string.
  std::string* raw = nullptr;
  if (strings) {
    dense->mutable_string_data()->Reserve(static_cast<int>(elements));
    for (uint64_t i = 0; i < elements; ++i) dense->add_string_data();
  } else {
    raw = dense->mutable_raw_data();
    raw->assign(bytes, '\0');
  }
  if (count == 0) return absl::OkStatus();
  const int rank = sparse.dims_size();
  const bool linear = indices.dims_size() == 1;
  if (indices.data_type() != pb::TensorProto::INT64) return bad("has indices that are not INT64");
  if (indices.dims_size() < 1 || indices.dims_size() > 2 || static_cast<uint64_t>(indices.dims(0)) != count ||
      (!linear && indices.dims(1) != rank)) {
    return bad("has indices of the wrong shape");
  }
  absl::StatusOr<std::shared_ptr<const Constant>> where = ReadTensor(indices, origin);
  if (!where.ok()) return where.status();
  const auto* index = reinterpret_cast<const int64_t*>((*where)->data);
  const int bits = ElementBits(values.data_type());
  const uint64_t size = static_cast<uint64_t>(bits) / 8;
  uint64_t before = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t position = 0;
    if (linear) {
      if (index[i] < 0) return bad("has a negative index");
      position = static_cast<uint64_t>(index[i]);
    } else {
      for (int d = 0; d < rank; ++d) {
        const int64_t at = index[i * static_cast<uint64_t>(rank) + static_cast<uint64_t>(d)];
        if (at < 0 || at >= sparse.dims(d)) return bad("has an index out of range");
        position = position * static_cast<uint64_t>(sparse.dims(d)) + static_cast<uint64_t>(at);
      }
    }
    if (position >= elements) return bad("has an index out of range");
    // As SparseTensorProto says; so none is there twice.
    if (i > 0 && position <= before) return bad(absl::StrCat("has indices out of order at position ", i));
    before = position;
    if (strings)
      dense->set_string_data(static_cast<int>(position), values.string_data(static_cast<int>(i)));
    else if (bits < 8)
      PutPacked(PackedAt((*data)->data, i, bits), position, bits, reinterpret_cast<uint8_t*>(raw->data()));
    else
      std::memcpy(raw->data() + position * size, (*data)->data + i * size, size);
  }
  return absl::OkStatus();
}

}  // namespace braid::loader
