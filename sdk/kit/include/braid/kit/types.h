// SPDX-License-Identifier: Apache-2.0
//
// Element types: numbers of onnx.TensorProto.DataType, their names and sizes, and float16 in software.
#ifndef BRAID_KIT_TYPES_H_
#define BRAID_KIT_TYPES_H_

#include <braid/plugin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace braid::kit {

// The types that plugins name most; any number of the specification is a braid_type.
constexpr braid_type kFloat32 = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kBool = 9, kFloat16 = 10,
                     kFloat64 = 11, kBfloat16 = 16;

// Bits of an element, by number of onnx.TensorProto.DataType; of a string those of its pair. 0: no such type.
inline uint32_t BitsOf(braid_type type) {
  constexpr uint8_t kBits[] = {0,   32, 8, 8, 16, 16, 32, 64, 128, 8, 16, 64, 32, 64, 64,
                               128, 16, 8, 8, 8,  8,  4,  4,  4,   8, 2,  2,  6,  6};
  return type < 0 || static_cast<size_t>(type) >= sizeof kBits ? 0 : kBits[type];
}

// "float32"; "type 99" for one that is not known.
inline std::string TypeName(braid_type type) {
  constexpr const char* kNames[] = {
      "no tensor",      "float32",    "uint8",          "int8",       "uint16",    "int16",
      "int32",          "int64",      "string",         "bool",       "float16",   "float64",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
      "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};
  const bool known = type >= 0 && static_cast<size_t>(type) < sizeof kNames / sizeof *kNames;
  return known ? kNames[type] : "type " + std::to_string(type);
}

// Bytes of a dense tensor; UINT64_MAX where there are too many, or an extent is negative.
inline uint64_t BytesOf(braid_type type, const std::vector<int64_t>& dims) {
  uint64_t n = 1;
  for (const int64_t d : dims)
    if (d < 0) return UINT64_MAX;
  for (const int64_t d : dims)
    if (d == 0) return 0;
  for (const int64_t d : dims)
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(d), &n)) return UINT64_MAX;
  if (__builtin_mul_overflow(n, uint64_t{BitsOf(type)}, &n) || __builtin_add_overflow(n, uint64_t{7}, &n))
    return UINT64_MAX;
  return n / 8;
}

// A set of types.
class TypeSet {
 public:
  constexpr TypeSet(std::initializer_list<braid_type> types) {
    for (const braid_type type : types) bits_ |= uint64_t{1} << type;
  }
  constexpr bool has(braid_type type) const { return type >= 0 && type < 64 && ((bits_ >> type) & 1) != 0; }
  // "float32, float16"
  std::string Text() const {
    std::string text;
    for (braid_type type = 0; type < 64; ++type)
      if (has(type)) text += (text.empty() ? "" : ", ") + TypeName(type);
    return text;
  }

 private:
  uint64_t bits_ = 0;
};

// float16 by its bits, exact.
inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, exponent = (half >> 10) & 31, fraction = half & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {  // denormals and zero: a whole number of 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

// To the nearest, ties to even; beyond the largest is infinity.
inline uint16_t FloatToHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // from 65520 on
  const auto rounded = [](uint32_t number, uint32_t drop) {
    const uint32_t rest = number & ((1u << drop) - 1), half = 1u << (drop - 1), kept = number >> drop;
    return kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
  };
  // A carry out of the fraction goes into the exponent, which is what it should.
  if (magnitude >= 0x38800000) return static_cast<uint16_t>(sign | rounded(magnitude - 0x38000000, 13));
  const uint32_t exponent = magnitude >> 23;
  if (exponent < 102) return static_cast<uint16_t>(sign);  // below half of the smallest
  return static_cast<uint16_t>(sign | rounded((magnitude & 0x7fffff) | 0x800000, 126 - exponent));
}

}  // namespace braid::kit

#endif  // BRAID_KIT_TYPES_H_
