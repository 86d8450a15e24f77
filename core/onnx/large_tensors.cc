// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/large_tensors.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/onnx/proto.h"

namespace braid::loader {
namespace {

enum Message : uint8_t { kNothing, kModel, kGraph, kNode, kAttribute, kTensor, kSparseTensor, kFunction };

struct Child {
  uint32_t field;
  Message message;
};

// Field numbers of onnx.proto: which message a length-delimited field holds, where it can hold tensors.
constexpr std::array<Child, 3> kModelFields = {{{7, kGraph}, {25, kFunction}, {0, kNothing}}};
constexpr std::array<Child, 3> kGraphFields = {{{1, kNode}, {5, kTensor}, {15, kSparseTensor}}};
constexpr std::array<Child, 1> kNodeFields = {{{5, kAttribute}}};
constexpr std::array<Child, 6> kAttributeFields = {
    {{5, kTensor}, {6, kGraph}, {10, kTensor}, {11, kGraph}, {22, kSparseTensor}, {23, kSparseTensor}}};
constexpr std::array<Child, 2> kSparseFields = {{{1, kTensor}, {2, kTensor}}};
constexpr std::array<Child, 2> kFunctionFields = {{{7, kNode}, {11, kAttribute}}};

absl::Span<const Child> ChildrenOf(Message message) {
  switch (message) {
    case kModel:
      return kModelFields;
    case kGraph:
      return kGraphFields;
    case kNode:
      return kNodeFields;
    case kAttribute:
      return kAttributeFields;
    case kSparseTensor:
      return kSparseFields;
    case kFunction:
      return kFunctionFields;
    case kTensor:
    case kNothing:
      break;
  }
  return {};
}

constexpr uint32_t kRawData = 9;        // TensorProto
constexpr uint32_t kExternalData = 13;  // TensorProto
constexpr uint32_t kDataLocation = 14;  // TensorProto
constexpr uint32_t kLengthDelimited = 2;

void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void AppendBytes(uint32_t field, std::string_view bytes, std::string* out) {
  AppendVarint(field << 3 | kLengthDelimited, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}

class Stripper {
 public:
  Stripper(absl::Span<const uint8_t> model, std::string_view key, uint32_t nesting,
           std::vector<absl::Span<const uint8_t>>* large)
      : base_(model.data()), key_(key), nesting_(nesting), large_(large) {}

  absl::Status Strip(const uint8_t* p, const uint8_t* end, Message message, uint32_t graphs,
                     std::string* out) {
    if (message == kGraph && ++graphs > nesting_ + 1) {
      return absl::InvalidArgumentError(absl::StrCat("subgraphs are nested deeper than ", nesting_));
    }
    const absl::Span<const Child> children = ChildrenOf(message);
    absl::Span<const uint8_t> raw;
    bool has_raw = false;
    std::string inner;
    while (p < end) {
      const uint8_t* const start = p;
      uint64_t tag = 0, length = 0;
      if (!Varint(&p, end, &tag) || tag >> 3 == 0 || tag > 0xffffffffu) return Malformed(start);
      const auto field = static_cast<uint32_t>(tag >> 3);
      switch (tag & 7) {
        case 0:
          if (!Varint(&p, end, &length)) return Malformed(start);
          break;
        case 1:
          if (end - p < 8) return Malformed(start);
          p += 8;
          break;
        case 5:
          if (end - p < 4) return Malformed(start);
          p += 4;
          break;
        case kLengthDelimited: {
          if (!Varint(&p, end, &length) || length > static_cast<uint64_t>(end - p)) return Malformed(start);
          const uint8_t* const content = p;
          p += length;
          if (length <= kSmallTensorBytes) {
            if (message == kTensor && field == kRawData) has_raw = false;  // the last one counts
            break;
          }
          if (message == kTensor && field == kRawData) {
            raw = absl::MakeConstSpan(content, length);
            has_raw = true;
            continue;
          }
          Message child = kNothing;
          for (const Child& c : children) {
            if (c.field == field) child = c.message;
          }
          if (child == kNothing) break;
          inner.clear();
          if (absl::Status s = Strip(content, p, child, graphs, &inner); !s.ok()) return s;
          AppendBytes(field, inner, out);
          continue;
        }
        default:
          return Malformed(start);
      }
      out->append(reinterpret_cast<const char*>(start), static_cast<size_t>(p - start));
    }
    if (has_raw) {
      std::string entry;
      AppendBytes(1, key_, &entry);
      AppendBytes(2, absl::StrCat(large_->size()), &entry);
      AppendBytes(kExternalData, entry, out);
      AppendVarint(kDataLocation << 3, out);
      AppendVarint(1, out);  // EXTERNAL
      large_->push_back(raw);
    }
    return absl::OkStatus();
  }

 private:
  static bool Varint(const uint8_t** p, const uint8_t* end, uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 70 && *p < end; shift += 7) {
      const uint8_t byte = *(*p)++;
      if (shift < 64) *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  absl::Status Malformed(const uint8_t* at) const {
    return absl::InvalidArgumentError(
        absl::StrCat("is not an ONNX model, or is truncated: malformed protobuf at byte ", at - base_));
  }

  const uint8_t* base_;
  std::string_view key_;
  uint32_t nesting_;
  std::vector<absl::Span<const uint8_t>>* large_;
};

}  // namespace

absl::Status StripLargeTensors(absl::Span<const uint8_t> model, std::string_view key, uint32_t nesting,
                               std::string* stub, std::vector<absl::Span<const uint8_t>>* large) {
  return Stripper(model, key, nesting, large)
      .Strip(model.data(), model.data() + model.size(), kModel, 0, stub);
}

}  // namespace braid::loader
