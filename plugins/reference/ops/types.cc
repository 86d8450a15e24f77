// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/types.h"

#include <iterator>

namespace braid::reference {
namespace {

struct TypeFacts {
  const char* name;
  int wire_bits;
  size_t held_bytes;
};

// By onnx.TensorProto.DataType.
constexpr TypeFacts kFacts[] = {
    {"no tensor", 0, 0},      {"float32", 32, 4},   {"uint8", 8, 1},
    {"int8", 8, 1},           {"uint16", 16, 2},    {"int16", 16, 2},
    {"int32", 32, 4},         {"int64", 64, 8},     {"string", 128, sizeof(std::string)},
    {"bool", 8, 1},           {"float16", 16, 2},   {"float64", 64, 8},
    {"uint32", 32, 4},        {"uint64", 64, 8},    {"complex64", 64, 8},
    {"complex128", 128, 16},  {"bfloat16", 16, 2},  {"float8e4m3fn", 8, 1},
    {"float8e4m3fnuz", 8, 1}, {"float8e5m2", 8, 1}, {"float8e5m2fnuz", 8, 1},
    {"uint4", 4, 1},          {"int4", 4, 1},       {"float4e2m1", 4, 1},
    {"float8e8m0", 8, 1},     {"uint2", 2, 1},      {"int2", 2, 1},
    {"float6e2m3", 6, 1},     {"float6e3m2", 6, 1},
};
static_assert(sizeof(bool) == 1 && sizeof(Float16) == 2 && sizeof(Float4E2M1) == 1 && sizeof(Int2) == 1);

bool Known(int32_t type) { return type > 0 && type < static_cast<int32_t>(std::size(kFacts)); }

}  // namespace

size_t HeldBytes(int32_t type) { return Known(type) ? kFacts[type].held_bytes : 0; }

int WireBits(int32_t type) { return Known(type) ? kFacts[type].wire_bits : 0; }

std::string TypeName(int32_t type) {
  if (type == kUndefined || Known(type)) return kFacts[type].name;
  return "unknown element type " + std::to_string(type);
}

}  // namespace braid::reference
