// SPDX-License-Identifier: Apache-2.0
//
// Cast, CastLike, BitCast. A block of elements goes through one of three carriers that hold every value of
// its class exactly: double for the floats, int64 for signed integers and booleans, uint64 for unsigned ones;
// strings are parsed to one of them. So there is a loop a type and carrier, not a pair of types.
#include <braid/kit/plugin.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "plugins/reference/ops/convert.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kCastable = kAllTypes & ~kComplexes;
constexpr TypeSet kBitCastable = kAllTypes & ~Types(kString, kFloat6E2M3, kFloat6E3M2);
constexpr int64_t kBlock = 256;

enum class RoundMode { kUp, kDown, kNearest };

// How to convert; saturate and round_mode are attributes of Cast.
struct CastRules {
  bool saturate = true;
  RoundMode round_mode = RoundMode::kUp;
};

template <class T>
inline constexpr bool kIsSmallFloat = false;
template <class S, int E, int M, int B, Specials K>
inline constexpr bool kIsSmallFloat<SmallFloat<S, E, M, B, K>> = true;
template <class T>
inline constexpr bool kIsNarrowInt = false;
template <int Bits, bool Signed>
inline constexpr bool kIsNarrowInt<NarrowInt<Bits, Signed>> = true;

// The exponent byte of `value` in float8e8m0. Signs are ignored: what a negative value gives is left open.
uint8_t EncodeE8M0(double value, const CastRules& rules) {
  constexpr uint8_t kNaN = 255;
  constexpr int kLeast = -127, kGreatest = 127;
  value = std::fabs(value);
  if (std::isnan(value)) return kNaN;
  if (std::isinf(value) || value == 0) return !rules.saturate ? kNaN : value == 0 ? 0 : kGreatest + 127;
  int exponent;
  const double fraction = 2 * std::frexp(value, &exponent);  // in [1, 2)
  --exponent;
  if (exponent < kLeast) return rules.saturate ? 0 : kNaN;
  const bool up = rules.round_mode == RoundMode::kUp        ? fraction > 1
                  : rules.round_mode == RoundMode::kNearest ? fraction >= 1.5
                                                            : false;
  const bool beyond = exponent > kGreatest || (exponent == kGreatest && fraction > 1 && !rules.saturate);
  if (beyond && !rules.saturate) return kNaN;
  return static_cast<uint8_t>(std::min(exponent + (up ? 1 : 0), kGreatest) + 127);
}

// An integer as a double that later rounding to a type of fewer bits treats like the integer itself: where
// the nearest double is not exact, the neighbour with an odd last bit ("round to odd"), so that no tie
// appears that was none.
template <class I>
double ToDoubleForRounding(I v) {
  double d = static_cast<double>(v);
  constexpr double kEnd = std::is_signed_v<I> ? 0x1p63 : 0x1p64;
  if (d < kEnd && static_cast<I>(d) == v) return d;
  const bool above = d >= kEnd || static_cast<I>(d) > v;
  if ((std::bit_cast<uint64_t>(d) & 1) == 0) d = std::nextafter(d, above ? -HUGE_VAL : HUGE_VAL);
  return d;
}

// One element from its carrier C.
template <class T, class C>
T FromCarrier(C v, const CastRules& rules) {
  if constexpr (std::is_same_v<T, bool>) {
    return v != 0;
  } else if constexpr (std::is_same_v<T, Float8E8M0>) {
    return Float8E8M0::FromBits(EncodeE8M0(static_cast<double>(v), rules));
  } else if constexpr (kIsSmallFloat<T>) {
    double wide;
    if constexpr (std::is_integral_v<C>)
      wide = ToDoubleForRounding(v);
    else
      wide = v;
    return T::From(wide, rules.saturate && Contains(kFloat8s, kTypeOf<T>));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(v);
  } else if constexpr (std::is_floating_point_v<C>) {
    // Cut off towards zero. Beyond the range, which the specification leaves open: types of 32 and 64 bits
    // saturate (NaN: 0), narrower ones keep the low bits, as the official cases of int4 and int2 have it.
    if constexpr (sizeof(T) >= 4)
      return FromDouble<T>(v, false);
    else
      return static_cast<T>(FromDouble<int64_t>(v, false));
  } else {
    return static_cast<T>(v);  // keeps the low bits
  }
}

// Numbers as text: the shortest digits that read back the same, positional from 1e-4 to below 1e16 as Python
// writes them, with ".0" after a whole number.
template <class F>
std::string FloatText(F v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "INF" : "-INF";
  char buffer[64];
  const double magnitude = std::fabs(static_cast<double>(v));
  const bool positional = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const std::to_chars_result end =
      std::to_chars(buffer, buffer + sizeof buffer, v,
                    positional ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (positional && text.find('.') == std::string::npos) text += ".0";
  return text;
}

// v with so many digits after its first.
double Rounded(double v, int digits) {
  char buffer[64];
  const std::to_chars_result end =
      std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific, digits);
  double out = 0;
  std::from_chars(buffer, end.ptr, out);
  return out;
}

// The same for float16 and bfloat16, whose digits are fewer than those of the float that holds the value.
template <class T>
std::string HalfText(T v) {
  const double exact = static_cast<double>(static_cast<float>(v));
  if (!std::isfinite(exact) || exact == 0) return FloatText(exact);
  for (int digits = 0;; ++digits) {
    const double near = Rounded(exact, digits);
    // A power of two has its neighbour above further away than the one below.
    const double unit = std::pow(10.0, std::floor(std::log10(std::fabs(near))) - digits);
    for (const double text : {near, Rounded(near + std::copysign(unit, near), digits)})
      if (T::From(text, false).bits == v.bits) return FloatText(text);
  }
}

// Types of a byte or less have few values; each is written exactly, as ONNX Runtime does.
template <class T>
std::string TextOf(const T& v) {
  if constexpr (std::is_same_v<T, bool>)
    return v ? "True" : "False";
  else if constexpr (std::is_floating_point_v<T>)
    return FloatText(v);
  else if constexpr (std::is_integral_v<T> || kIsNarrowInt<T>)
    return std::to_string(+v);
  else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return HalfText(v);
  else
    return FloatText(static_cast<float>(v));
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

std::string_view Trimmed(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const size_t first = s.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

[[noreturn]] void NotANumber(const OpContext& op, const std::string& text, int64_t at) {
  constexpr size_t kShown = 40;
  op.Fail("element " + std::to_string(at) + " is the string '" + text.substr(0, kShown) +
          (text.size() > kShown ? "..." : "") + "', which is not a number");
}

// A number in plain or scientific notation; INF, +INF, -INF and NaN in any case.
double ParseFloat(const OpContext& op, const std::string& text, int64_t at) {
  std::string_view s = Trimmed(text);
  if (!s.empty() && s[0] == '+' && (s.size() < 2 || s[1] != '-')) s.remove_prefix(1);
  double value = 0;
  const std::from_chars_result end = std::from_chars(s.data(), s.data() + s.size(), value);
  if (s.empty() || end.ptr != s.data() + s.size()) NotANumber(op, text, at);
  if (end.ec == std::errc::result_out_of_range) {
    // Too large or too small for a double: a negative exponent tells which.
    const size_t e = Lower(s).find('e');
    const bool tiny = e != std::string::npos ? s.substr(e + 1, 1) == "-" : s.find('.') <= 2;
    value = std::copysign(tiny ? 0.0 : HUGE_VAL, s[0] == '-' ? -1.0 : 1.0);
  }
  return value;
}

// Integers keep all their bits; a string that has a fraction or an exponent is cut off towards zero.
template <class I>
I ParseInteger(const OpContext& op, const std::string& text, int64_t at) {
  std::string_view s = Trimmed(text);
  if (s.size() > 1 && s[0] == '+') s.remove_prefix(1);
  I value = 0;
  const std::from_chars_result end = std::from_chars(s.data(), s.data() + s.size(), value);
  if (end.ec == std::errc() && end.ptr == s.data() + s.size()) return value;
  return FromDouble<I>(ParseFloat(op, text, at), false);
}

// Strings give bool by "true" and "false" in any case, or by being a number that is not 0.
int64_t ParseBool(const OpContext& op, const std::string& text, int64_t at) {
  const std::string word = Lower(Trimmed(text));
  if (word == "true" || word == "false") return word == "true";
  return ParseFloat(op, text, at) != 0;
}

template <class To>
To ParseElement(const OpContext& op, const std::string& text, int64_t at, const CastRules& rules) {
  if constexpr (std::is_same_v<To, bool>)
    return ParseBool(op, text, at) != 0;
  else if constexpr (std::is_same_v<To, uint64_t>)
    return ParseInteger<uint64_t>(op, text, at);
  else if constexpr (std::is_integral_v<To> || kIsNarrowInt<To>)
    return FromCarrier<To>(ParseInteger<int64_t>(op, text, at), rules);
  else
    return FromCarrier<To>(ParseFloat(op, text, at), rules);
}

// Converts x to y block by block through the carrier C, which holds x's type exactly.
template <class C, TypeSet From>
bool CastThrough(const OpContext& op, const Tensor& x, Tensor& y, const CastRules& rules) {
  return DispatchIn<From>(x.type(), [&]<class In>() {
    const In* from = x.data<In>();
    ForChunks(op, x.size(), 4, [&](int64_t begin, int64_t end) {
      C block[kBlock];
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t n = std::min(kBlock, end - at);
        for (int64_t i = 0; i < n; ++i) block[i] = static_cast<C>(from[at + i]);
        Tensor& out = y;
        DispatchIn<kCastable & ~Types(kString)>(out.type(), [&]<class Out>() {
          Out* to = out.data<Out>() + at;
          for (int64_t i = 0; i < n; ++i) to[i] = FromCarrier<Out>(block[i], rules);
        });
      }
    });
  });
}

void CastTo(OpContext& op, int32_t to, const CastRules& rules) {
  const Tensor& x = op.input(0);
  if (!Contains(kCastable, to)) op.Fail("cannot cast to " + TypeName(to));
  if (!Contains(kCastable, x.type())) op.Fail("cannot cast from " + TypeName(x.type()));
  if (x.type() == to) return op.SetOutput(0, x);
  Tensor& y = op.Output(0, to, x.dims());
  if (to == kString) {
    DispatchIn<kCastable & ~Types(kString)>(x.type(), [&]<class In>() {
      for (int64_t i = 0; i < x.size(); ++i) y.data<std::string>()[i] = TextOf(x.data<In>()[i]);
    });
  } else if (x.type() == kString) {
    DispatchIn<kCastable & ~Types(kString)>(to, [&]<class Out>() {
      for (int64_t i = 0; i < x.size(); ++i)
        y.data<Out>()[i] = ParseElement<Out>(op, x.data<std::string>()[i], i, rules);
    });
  } else {
    constexpr TypeSet kSigned = kSignedInts | Types(kInt4, kInt2, kBool),
                      kUnsigned = kUnsignedInts | Types(kUint4, kUint2);
    constexpr TypeSet kReal = kFloats | kFloat8s | kSmallFloats | Types(kFloat8E8M0);
    static_assert((kSigned | kUnsigned | kReal | Types(kString)) == kCastable);
    CastThrough<int64_t, kSigned>(op, x, y, rules) || CastThrough<uint64_t, kUnsigned>(op, x, y, rules) ||
        CastThrough<double, kReal>(op, x, y, rules);
  }
}

CastRules RulesOf(const OpContext& op) {
  const std::string mode = op.String("round_mode", "up");
  op.Check(mode == "up" || mode == "down" || mode == "nearest",
           "round_mode is '" + mode + "', not up, down or nearest");
  return {op.Int("saturate", 1) != 0, mode == "up"     ? RoundMode::kUp
                                      : mode == "down" ? RoundMode::kDown
                                                       : RoundMode::kNearest};
}

// Clamps an attribute to int32 so that no other type's number appears by its low bits.
int32_t TypeAttribute(int64_t v) { return v > 0 && v < 64 ? static_cast<int32_t>(v) : kUndefined; }

// Cast-28.
void Cast(OpContext& op) { CastTo(op, TypeAttribute(op.Int("to", 0)), RulesOf(op)); }

// CastLike-25: to the type of the second input, whose elements do not matter.
void CastLike(OpContext& op) { CastTo(op, op.input(1).type(), RulesOf(op)); }

// BitCast-26: the same bits under a type of the same width.
void BitCast(OpContext& op) {
  const Tensor& x = op.input(0);
  const int32_t to = TypeAttribute(op.Int("to", 0));
  op.Check(Contains(kBitCastable, to), "cannot cast bits to " + TypeName(to));
  op.Check(Contains(kBitCastable, x.type()), "cannot cast bits of " + TypeName(x.type()));
  const int bits = WireBits(to);
  if (bits != WireBits(x.type()))
    op.Fail(TypeName(x.type()) + " has " + std::to_string(WireBits(x.type())) + " bits, " + TypeName(to) +
            " has " + std::to_string(bits));
  Tensor& y = op.Output(0, to, x.dims());
  if (bits >= 8 && to != kBool) {
    std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
    return;
  }
  // Types below a byte are held extended to one; a bool is held as 0 or 1.
  const uint8_t* from = x.data<uint8_t>();
  uint8_t* out = y.data<uint8_t>();
  const uint8_t mask = static_cast<uint8_t>((1u << bits) - 1),
                sign = to == kInt4 || to == kInt2 ? static_cast<uint8_t>(1u << (bits - 1)) : 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    if (to == kBool) {
      out[i] = from[i] != 0;
    } else {
      const uint8_t low = from[i] & mask;
      out[i] = (low & sign) != 0 ? static_cast<uint8_t>(low | ~mask) : low;
    }
  }
}

Judgement Refuse(const kit::Node& node, std::string_view attribute, std::string text) {
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index(attribute), std::move(text)};
}
Judgement JudgeRounding(const kit::Node& node) {
  const std::string_view mode = node.String("round_mode", "up");
  if (mode == "up" || mode == "down" || mode == "nearest") return {};
  return Refuse(node, "round_mode", "round_mode is '" + std::string(mode) + "', not up, down or nearest");
}
Judgement JudgeCast(const kit::Node& node) {
  const int64_t to = node.Int("to", 0);
  if (!Contains(kCastable, TypeAttribute(to)))
    return Refuse(node, "to", "cannot cast to type " + std::to_string(to));
  return JudgeRounding(node);
}
Judgement JudgeBitCast(const kit::Node& node) {
  const int64_t to = node.Int("to", 0);
  if (!Contains(kBitCastable, TypeAttribute(to)))
    return Refuse(node, "to", "cannot cast bits to type " + std::to_string(to));
  return {};
}

}  // namespace

std::span<const OpEntry> CastOps() {
  static const OpEntry kOps[] = {
      {"", "Cast", 28, Cast, {kCastable}, JudgeCast},
      {"", "CastLike", 25, CastLike, {kCastable}, JudgeRounding},
      {"", "BitCast", 26, BitCast, {kBitCastable}, JudgeBitCast},
  };
  return kOps;
}

}  // namespace braid::reference
