// SPDX-License-Identifier: Apache-2.0
//
// ONNX element types as C++ types. Half, bfloat16, float8, float4 and the narrow integers convert to and from
// float with ONNX's rounding (nearest even; saturation where the type has none of infinity). A tensor of a
// type below a byte is held here one element a byte; it is packed and unpacked where it crosses the ABI
// (tensor.h).
#ifndef BRAID_PLUGINS_REFERENCE_OPS_TYPES_H_
#define BRAID_PLUGINS_REFERENCE_OPS_TYPES_H_

#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

namespace braid::reference {

enum DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
  kFloat6E2M3 = 27,
  kFloat6E3M2 = 28,
};

// A small binary float: 1 sign bit, E exponent bits, M mantissa bits. The layouts differ in their special
// values:
enum class Specials {
  kIeee,     // infinities and NaNs: float16, bfloat16, float8e5m2
  kNanOnly,  // NaN is all ones, no infinity: float8e4m3fn
  kUz,       // NaN is the pattern of -0, no infinity, no -0: the ...fnuz types
  kFinite,   // neither: float4e2m1, the float6 types
};

// Rounds to nearest even. Overflow gives infinity (or NaN where there is none); with `saturate` every value
// beyond the largest finite one, infinities too, gives the largest finite one. Float4e2m1 always saturates;
// its NaN becomes -0.
constexpr uint32_t EncodeSmallFloat(double value, int exponent_bits, int mantissa_bits, int bias,
                                    Specials specials, bool saturate) {
  const int E = exponent_bits, M = mantissa_bits;
  const uint64_t bits = std::bit_cast<uint64_t>(value), magnitude = bits & 0x7fffffffffffffffu;
  const uint32_t sign = static_cast<uint32_t>(bits >> 63) << (E + M);
  const uint32_t all_ones = (1u << (E + M)) - 1, infinity = ((1u << E) - 1) << M;
  const uint32_t nan = specials == Specials::kIeee      ? sign | infinity | (1u << (M - 1))
                       : specials == Specials::kNanOnly ? sign | all_ones
                                                        : 1u << (E + M);  // the pattern of -0
  if (magnitude > 0x7ff0000000000000u) return nan;
  const uint32_t largest = specials == Specials::kIeee      ? infinity - 1
                           : specials == Specials::kNanOnly ? all_ones - 1
                                                            : all_ones;
  uint32_t code = 0;
  const int exponent = static_cast<int>(magnitude >> 52) - 1023, lowest = 1 - bias;
  if (exponent == 1024) {
    code = largest + 1;
  } else if (exponent != -1023) {
    const uint64_t mantissa = (magnitude & 0xfffffffffffffu) | 0x10000000000000u;
    const int shift = 52 - M + (exponent < lowest ? lowest - exponent : 0);
    if (shift <= 53) {
      uint64_t kept = mantissa >> shift, rest = mantissa & ((uint64_t{1} << shift) - 1),
               half = uint64_t{1} << (shift - 1);
      if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
      // A carry out of the mantissa runs into the exponent, which is what rounding up to the next power
      // needs.
      const int64_t wide = (static_cast<int64_t>(exponent < lowest ? 0 : exponent + bias - 1) << M) +
                           static_cast<int64_t>(kept);
      code = wide > largest ? largest + 1 : static_cast<uint32_t>(wide);
    }
  }
  if (code > largest) {
    if (saturate || specials == Specials::kFinite) return sign | largest;
    return specials == Specials::kIeee ? sign | infinity : nan;
  }
  if (code == 0 && specials == Specials::kUz) return 0;
  return sign | code;
}

constexpr double DecodeSmallFloat(uint32_t bits, int exponent_bits, int mantissa_bits, int bias,
                                  Specials specials) {
  const int E = exponent_bits, M = mantissa_bits;
  const uint32_t all_ones = (1u << (E + M)) - 1, code = bits & all_ones, sign = bits >> (E + M);
  const uint32_t infinity = ((1u << E) - 1) << M;
  if ((specials == Specials::kIeee && code > infinity) ||
      (specials == Specials::kNanOnly && code == all_ones) ||
      (specials == Specials::kUz && code == 0 && sign != 0))
    return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  if (specials == Specials::kIeee && code == infinity) {
    value = std::numeric_limits<double>::infinity();
  } else {
    const int exponent = static_cast<int>(code >> M);
    uint64_t mantissa = code & ((1u << M) - 1);
    if (exponent != 0) mantissa |= uint64_t{1} << M;
    // Times 2^k by the bits of a double: k lies far within its range.
    const int k = (exponent == 0 ? 1 : exponent) - bias - M;
    value = static_cast<double>(mantissa) * std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
  }
  return sign != 0 ? -value : value;
}

// The same for float <-> float16 and bfloat16, in few instructions and without branches that would stop
// vectorising.
inline uint16_t EncodeHalf(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value), magnitude = u & 0x7fffffffu, sign = (u >> 16) & 0x8000u;
  // Below 2^-14 the result is subnormal: adding 0.5 makes the float unit round at 2^-24. Above, the exponent
  // is rebased.
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t code = magnitude >= 0x47800000u ? special : magnitude < 0x38800000u ? small : normal;
  return static_cast<uint16_t>(sign | code);
}
inline float DecodeHalf(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, code = (bits & 0x7fffu) << 13, exponent = code & 0x0f800000u;
  const float normal =
      std::bit_cast<float>(code + 0x38000000u + (exponent == 0x0f800000u ? 0x38000000u : 0u));
  const float small = std::bit_cast<float>(code + 0x38800000u) - std::bit_cast<float>(0x38800000u);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(exponent == 0 ? small : normal) | sign);
}
inline uint16_t EncodeBrain(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? ((u >> 16) & 0x8000u) | 0x7fc0u : rounded);
}
inline float DecodeBrain(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// The 2^(1+E+M) values of a type of a byte or less, by its bits.
template <int E, int M, int Bias, Specials S>
inline constexpr auto kSmallFloatValues = [] {
  std::array<float, size_t{1} << (1 + E + M)> values{};
  for (uint32_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(DecodeSmallFloat(i, E, M, Bias, S));
  return values;
}();

template <class Storage, int E, int M, int Bias, Specials S>
struct SmallFloat {
  using storage_type = Storage;
  static constexpr bool kIsHalf = E == 5 && M == 10, kIsBrain = E == 8 && M == 7;
  Storage bits = 0;
  SmallFloat() = default;
  // Arithmetic between these types is done in float (or double) and rounded once.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  explicit SmallFloat(T value) {
    if constexpr (std::is_same_v<T, float> && kIsHalf) {
      bits = EncodeHalf(value);
    } else if constexpr (std::is_same_v<T, float> && kIsBrain) {
      bits = EncodeBrain(value);
    } else {
      *this = From(static_cast<double>(value), S != Specials::kIeee);
    }
  }
  static SmallFloat From(double value, bool saturate) {
    SmallFloat out;
    out.bits = static_cast<Storage>(EncodeSmallFloat(value, E, M, Bias, S, saturate));
    return out;
  }
  static SmallFloat FromBits(Storage b) {
    SmallFloat out;
    out.bits = b;
    return out;
  }
  operator float() const {
    if constexpr (kIsHalf) {
      return DecodeHalf(bits);
    } else if constexpr (kIsBrain) {
      return DecodeBrain(bits);
    } else {
      return kSmallFloatValues<E, M, Bias, S>[bits & ((1u << (1 + E + M)) - 1)];
    }
  }
};

using Float16 = SmallFloat<uint16_t, 5, 10, 15, Specials::kIeee>;
using BFloat16 = SmallFloat<uint16_t, 8, 7, 127, Specials::kIeee>;
using Float8E4M3FN = SmallFloat<uint8_t, 4, 3, 7, Specials::kNanOnly>;
using Float8E4M3FNUZ = SmallFloat<uint8_t, 4, 3, 8, Specials::kUz>;
using Float8E5M2 = SmallFloat<uint8_t, 5, 2, 15, Specials::kIeee>;
using Float8E5M2FNUZ = SmallFloat<uint8_t, 5, 2, 16, Specials::kUz>;
using Float4E2M1 = SmallFloat<uint8_t, 2, 1, 1, Specials::kFinite>;
using Float6E2M3 = SmallFloat<uint8_t, 2, 3, 1, Specials::kFinite>;
using Float6E3M2 = SmallFloat<uint8_t, 3, 2, 3, Specials::kFinite>;

// A power of two, 2^(bits - 127); 255 is NaN. No sign, no zero.
struct Float8E8M0 {
  using storage_type = uint8_t;
  uint8_t bits = 0;
  Float8E8M0() = default;
  static Float8E8M0 FromBits(uint8_t b) {
    Float8E8M0 out;
    out.bits = b;
    return out;
  }
  operator float() const {
    return bits == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, bits - 127);
  }
};

// An integer of Bits bits, one a byte. Conversion from a wider integer keeps the low bits (as ONNX's Cast
// does).
template <int Bits, bool Signed>
struct NarrowInt {
  using base = std::conditional_t<Signed, int8_t, uint8_t>;
  base value = 0;
  NarrowInt() = default;
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  explicit NarrowInt(T v) {
    uint8_t low = static_cast<uint8_t>(static_cast<int64_t>(v)) & ((1u << Bits) - 1);
    if (Signed && (low >> (Bits - 1)) != 0) low = static_cast<uint8_t>(low | (0xffu << Bits));
    value = static_cast<base>(low);
  }
  operator base() const { return value; }
  static constexpr int kMin = Signed ? -(1 << (Bits - 1)) : 0;
  static constexpr int kMax = Signed ? (1 << (Bits - 1)) - 1 : (1 << Bits) - 1;
};

using Uint4 = NarrowInt<4, false>;
using Int4 = NarrowInt<4, true>;
using Uint2 = NarrowInt<2, false>;
using Int2 = NarrowInt<2, true>;
using Complex64 = std::complex<float>;
using Complex128 = std::complex<double>;

template <class T>
struct TypeOf;
#define BRAID_TYPE_OF(CPP, ONNX)            \
  template <>                               \
  struct TypeOf<CPP> {                      \
    static constexpr DataType value = ONNX; \
  };
// clang-format off
BRAID_TYPE_OF(float, kFloat)
BRAID_TYPE_OF(uint8_t, kUint8) BRAID_TYPE_OF(int8_t, kInt8) BRAID_TYPE_OF(uint16_t, kUint16)
BRAID_TYPE_OF(int16_t, kInt16) BRAID_TYPE_OF(int32_t, kInt32) BRAID_TYPE_OF(int64_t, kInt64)
BRAID_TYPE_OF(std::string, kString) BRAID_TYPE_OF(bool, kBool) BRAID_TYPE_OF(Float16, kFloat16)
BRAID_TYPE_OF(double, kDouble) BRAID_TYPE_OF(uint32_t, kUint32) BRAID_TYPE_OF(uint64_t, kUint64)
BRAID_TYPE_OF(Complex64, kComplex64) BRAID_TYPE_OF(Complex128, kComplex128)
BRAID_TYPE_OF(BFloat16, kBFloat16) BRAID_TYPE_OF(Float8E4M3FN, kFloat8E4M3FN)
BRAID_TYPE_OF(Float8E4M3FNUZ, kFloat8E4M3FNUZ) BRAID_TYPE_OF(Float8E5M2, kFloat8E5M2)
BRAID_TYPE_OF(Float8E5M2FNUZ, kFloat8E5M2FNUZ) BRAID_TYPE_OF(Uint4, kUint4)
BRAID_TYPE_OF(Int4, kInt4) BRAID_TYPE_OF(Float4E2M1, kFloat4E2M1)
BRAID_TYPE_OF(Float8E8M0, kFloat8E8M0) BRAID_TYPE_OF(Uint2, kUint2)
BRAID_TYPE_OF(Int2, kInt2) BRAID_TYPE_OF(Float6E2M3, kFloat6E2M3)
BRAID_TYPE_OF(Float6E3M2, kFloat6E3M2)
// clang-format on
#undef BRAID_TYPE_OF
                                                template <class T>
                                                inline constexpr DataType kTypeOf = TypeOf<T>::value;

// Sets of types, as the T of an operator's type constraint.
using TypeSet = uint64_t;
constexpr TypeSet Types() { return 0; }
template <class... T>
constexpr TypeSet Types(T... types) {
  return ((uint64_t{1} << types) | ...);
}
inline constexpr TypeSet kSignedInts = Types(kInt8, kInt16, kInt32, kInt64);
inline constexpr TypeSet kUnsignedInts = Types(kUint8, kUint16, kUint32, kUint64);
inline constexpr TypeSet kInts = kSignedInts | kUnsignedInts;
inline constexpr TypeSet kFloats = Types(kFloat, kDouble, kFloat16, kBFloat16);
inline constexpr TypeSet kNumeric = kInts | kFloats;
inline constexpr TypeSet kFloat8s = Types(kFloat8E4M3FN, kFloat8E4M3FNUZ, kFloat8E5M2, kFloat8E5M2FNUZ);
inline constexpr TypeSet kSmallFloats =
    Types(kFloat4E2M1, kFloat6E2M3, kFloat6E3M2);  // without infinity and NaN
inline constexpr TypeSet kNarrowInts = Types(kUint4, kInt4, kUint2, kInt2);
inline constexpr TypeSet kComplexes = Types(kComplex64, kComplex128);
inline constexpr TypeSet kAllTypes = (uint64_t{1} << 29) - 2;
inline bool Contains(TypeSet set, int32_t type) { return type > 0 && type < 64 && ((set >> type) & 1) != 0; }

// Bytes of one element as held here (1 for types below a byte; sizeof(std::string) for a string); 0 for an
// unknown type.
size_t HeldBytes(int32_t type);
// Bits of one element as it crosses the ABI; 128 for a string's pair; 0 for an unknown type.
int WireBits(int32_t type);
std::string TypeName(int32_t type);  // "float32", "int64" ...

// Calls f.template operator()<T>() with the C++ type of `type`, if `type` is in the Set; returns false
// otherwise. Only the types of Set are instantiated: DispatchIn<kFloats>(type, [&]<class T>() { ... }).
template <TypeSet Set, class F>
bool DispatchIn(int32_t type, const F& f) {
#define BRAID_CASE(CPP)                             \
  case kTypeOf<CPP>:                                \
    if constexpr (((Set >> kTypeOf<CPP>)&1) != 0) { \
      f.template operator()<CPP>();                 \
      return true;                                  \
    }                                               \
    return false;
  switch (type) {
    // clang-format off
    BRAID_CASE(float)
    BRAID_CASE(uint8_t) BRAID_CASE(int8_t) BRAID_CASE(uint16_t) BRAID_CASE(int16_t) BRAID_CASE(int32_t)
    BRAID_CASE(int64_t) BRAID_CASE(std::string) BRAID_CASE(bool) BRAID_CASE(Float16) BRAID_CASE(double)
    BRAID_CASE(uint32_t) BRAID_CASE(uint64_t) BRAID_CASE(Complex64) BRAID_CASE(Complex128)
    BRAID_CASE(BFloat16) BRAID_CASE(Float8E4M3FN) BRAID_CASE(Float8E4M3FNUZ)
    BRAID_CASE(Float8E5M2) BRAID_CASE(Float8E5M2FNUZ) BRAID_CASE(Uint4) BRAID_CASE(Int4)
    BRAID_CASE(Float4E2M1) BRAID_CASE(Float8E8M0) BRAID_CASE(Uint2) BRAID_CASE(Int2)
    BRAID_CASE(Float6E2M3) BRAID_CASE(Float6E3M2)
    default: return false;
    // clang-format on
  }
#undef BRAID_CASE
}

// Calls f with the unsigned integer (or std::string, or 16-byte struct) of the element's held size: for data
// movement, which looks at no value. f.template operator()<T>().
template <class F>
void DispatchBySize(int32_t type, const F& f) {
  if (type == kString) return f.template operator()<std::string>();
  switch (HeldBytes(type)) {
    case 1:
      return f.template operator()<uint8_t>();
    case 2:
      return f.template operator()<uint16_t>();
    case 4:
      return f.template operator()<uint32_t>();
    case 8:
      return f.template operator()<uint64_t>();
    default:
      return f.template operator()<Complex128>();
  }
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_TYPES_H_
