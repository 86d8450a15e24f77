// SPDX-License-Identifier: Apache-2.0
#include "core/graph/graph.h"

#include <array>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/graph/names.h"

namespace braid {
namespace {

struct ElementTraits {
  const char* name;   // as in onnx.TensorProto.DataType
  const char* brief;  // as in TypeString
  int bits;
};

// Indexed by onnx.TensorProto.DataType.
constexpr std::array<ElementTraits, 29> kElements = {{
    {"UNDEFINED", "?", 0},
    {"FLOAT", "float32", 32},
    {"UINT8", "uint8", 8},
    {"INT8", "int8", 8},
    {"UINT16", "uint16", 16},
    {"INT16", "int16", 16},
    {"INT32", "int32", 32},
    {"INT64", "int64", 64},
    {"STRING", "string", 128},
    {"BOOL", "bool", 8},
    {"FLOAT16", "float16", 16},
    {"DOUBLE", "float64", 64},
    {"UINT32", "uint32", 32},
    {"UINT64", "uint64", 64},
    {"COMPLEX64", "complex64", 64},
    {"COMPLEX128", "complex128", 128},
    {"BFLOAT16", "bfloat16", 16},
    {"FLOAT8E4M3FN", "float8e4m3fn", 8},
    {"FLOAT8E4M3FNUZ", "float8e4m3fnuz", 8},
    {"FLOAT8E5M2", "float8e5m2", 8},
    {"FLOAT8E5M2FNUZ", "float8e5m2fnuz", 8},
    {"UINT4", "uint4", 4},
    {"INT4", "int4", 4},
    {"FLOAT4E2M1", "float4e2m1", 4},
    {"FLOAT8E8M0", "float8e8m0", 8},
    {"UINT2", "uint2", 2},
    {"INT2", "int2", 2},
    {"FLOAT6E2M3", "float6e2m3", 6},
    {"FLOAT6E3M2", "float6e3m2", 6},
}};

const ElementTraits* Find(ElementType type) {
  return type > 0 && static_cast<size_t>(type) < kElements.size() ? &kElements[static_cast<size_t>(type)]
                                                                  : nullptr;
}

}  // namespace

bool Type::is_static() const {
  if (!is_tensor() || !has_shape) return false;
  for (const Dim& dim : dims) {
    if (dim.value < 0) return false;
  }
  return true;
}

const Attribute* Node::attribute(std::string_view wanted) const {
  for (const Attribute& a : attributes) {
    if (a.name == wanted) return &a;
  }
  return nullptr;
}

ValueId Graph::AddValue(std::string value_name, Type type) {
  Value value;
  value.name = std::move(value_name);
  value.type = std::move(type);
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

int32_t Graph::AddSymbol(std::string_view symbol) {
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i] == symbol) return static_cast<int32_t>(i);
  }
  symbols.emplace_back(symbol);
  return static_cast<int32_t>(symbols.size() - 1);
}

int ElementBits(ElementType type) {
  const ElementTraits* traits = Find(type);
  return traits ? traits->bits : 0;
}

bool IsMapKey(ElementType type) {
  return (type >= Element::kUint8 && type <= Element::kString) || type == Element::kUint32 ||
         type == Element::kUint64;
}

uint64_t TensorBytes(ElementType type, uint64_t elements) {
  const auto bits = static_cast<uint64_t>(ElementBits(type));
  const auto wide = static_cast<unsigned __int128>(elements) * bits + 7;
  const unsigned __int128 bytes = wide / 8;
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  return bytes > kMax ? kMax : static_cast<uint64_t>(bytes);
}

int64_t ElementCount(absl::Span<const Dim> dims) {
  int64_t count = 1;
  bool zero = false, overflow = false;
  for (const Dim& dim : dims) {
    if (dim.value < 0) return -1;
    if (dim.value == 0) zero = true;
    if (!zero && __builtin_mul_overflow(count, dim.value, &count)) {
      overflow = true;
      count = 1;
    }
  }
  if (zero) return 0;
  return overflow ? std::numeric_limits<int64_t>::max() : count;
}

std::string ElementTypeName(ElementType type) {
  const ElementTraits* traits = Find(type);
  return traits ? traits->name : absl::StrCat("type ", type);
}

const char* BriefTypeName(ElementType type) {
  const ElementTraits* traits = Find(type);
  return traits ? traits->brief : nullptr;
}

std::string TypeString(const Type& type, absl::Span<const std::string> symbols) {
  const auto element = [](ElementType t) -> std::string {
    const ElementTraits* traits = Find(t);
    if (t == 0) return "?";
    return traits ? traits->brief : absl::StrCat("type ", t);
  };
  const auto item = [&] { return type.item ? TypeString(*type.item, symbols) : std::string("?"); };
  switch (type.kind) {
    case ValueKind::kSequence:
      return absl::StrCat("sequence(", item(), ")");
    case ValueKind::kOptional:
      return absl::StrCat("optional(", item(), ")");
    case ValueKind::kMap:
      return absl::StrCat("map(", element(type.element), ",", item(), ")");
    case ValueKind::kTensor:
    case ValueKind::kSparseTensor:
      break;
  }
  std::string text =
      absl::StrCat(type.kind == ValueKind::kSparseTensor ? "sparse " : "", element(type.element));
  if (!type.has_shape) return absl::StrCat(text, "[...]");
  text += '[';
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const Dim& dim = type.dims[i];
    if (i > 0) text += ',';
    if (dim.value >= 0) {
      absl::StrAppend(&text, dim.value);
    } else if (dim.symbol >= 0 && static_cast<size_t>(dim.symbol) < symbols.size()) {
      text += symbols[static_cast<size_t>(dim.symbol)];
    } else {
      text += '?';
    }
  }
  text += ']';
  return text;
}

std::string NodeLabel(std::string_view op, std::string_view domain, std::string_view name,
                      std::string_view first_output) {
  std::string label(op);
  if (!name.empty()) {
    absl::StrAppend(&label, " '", std::string(name), "'");
  } else if (!first_output.empty()) {
    absl::StrAppend(&label, " of '", std::string(first_output), "'");
  }
  if (!domain.empty()) absl::StrAppend(&label, " (domain ", std::string(domain), ")");
  return label;
}

std::string NodeLabel(const Graph& graph, const Node& node) {
  const bool named = node.outputs.empty() || node.outputs[0] == kNone;
  return NodeLabel(node.op, node.domain, node.name, named ? "" : graph.values[node.outputs[0]].name);
}

std::string Printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace braid
