// SPDX-License-Identifier: Apache-2.0
//
// Domains of comparison, operations on bits, Where, and changes of type.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "conformance/case/schema.h"
#include "conformance/domains/common.h"

namespace braid::conformance {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNaN = std::numeric_limits<double>::quiet_NaN();

void BoolBinary(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  d.In(a, Whole(0, 1));
  d.In(b, Whole(0, 1));
}
void Not(Domain& d) { d.In(d.AnyShape(), Whole(0, 1)); }

// Integers at which a float or a double in between goes wrong: neighbours, and the ends of the type.
Tensor Neighbours(Domain& d, int32_t type, const Dims& dims, std::vector<double> around) {
  Tensor t = d.Draw(type, dims, Given(std::move(around)));
  const Tensor odd = d.Draw(reference::kUint8, dims, Whole(0, 1));
  reference::DispatchIn<reference::kInts>(type, [&]<class T>() {
    for (int64_t i = 0; i < t.size(); ++i) t.data<T>()[i] ^= static_cast<T>(odd.data<uint8_t>()[i]);
  });
  return t;
}
void Comparison(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  const int32_t type = d.type("T");
  if (d.is_integer("T")) {
    d.In(Neighbours(d, type, a, {0, 1, -1, 1e30, -1e30, 16777216, 9007199254740992}));
    d.In(Neighbours(d, type, b, {1, 16777216, 9007199254740992, -1e30, 1e30}));
  } else if (d.is_float("T") && d.Pick("values", {"near", "special"}) == "special") {
    d.In(a, Given({0, -0.0, 1, kNaN, kInf, -kInf, 1.0078125}));
    d.In(b, Given({0, kNaN, kInf, 1, -kInf}));
  } else {
    // Many are equal.
    Values values = Whole(-3, 3);
    values.words = {"", "a", "A", "ab", "b", "\xc3\xa9"};
    d.In(a, values);
    d.In(b, values);
  }
}

// All bits drawn by chance.
Tensor Bits(Domain& d, int32_t type, const Dims& dims) {
  const double end = std::ldexp(1.0, reference::WireBits(type));
  using reference::kInt2, reference::kInt4, reference::kSignedInts;
  const bool is_signed = reference::Contains(kSignedInts | reference::Types(kInt4, kInt2), type);
  Tensor t = d.Draw(type, dims, is_signed ? Uniform(-end / 2, end / 2) : Uniform(0, end));
  // The low ones of 64 are not in a double.
  const Tensor low = d.Draw(reference::kUint16, dims, Whole(0, 65535));
  if (reference::WireBits(type) == 64)
    for (int64_t i = 0; i < t.size(); ++i) t.data<uint64_t>()[i] ^= low.data<uint16_t>()[i];
  return t;
}
void BitwiseBinary(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  d.In(Bits(d, d.type("T"), a));
  d.In(Bits(d, d.type("T"), b));
}
void BitwiseNot(Domain& d) { d.In(Bits(d, d.type("T"), d.AnyShape())); }
void BitShift(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  d.AttrText("direction", d.Pick("direction", {"LEFT", "RIGHT"}));
  const double width = reference::WireBits(d.type("T"));
  d.In(Bits(d, d.type("T"), a));
  // What a shift by the width or more gives is told from opset 28 on.
  if (d.version() >= 28 && d.Pick("amounts", {"within", "beyond"}) == "beyond")
    d.In(b, Given({width, width + 1, -1, width - 1, 120, -120, 0}));
  else
    d.In(b, Given({1, 0, width - 1, 3, width / 2}));
}

void Where(Domain& d) {
  Dims x, y;
  Broadcast(d, &x, &y);
  Dims out(std::max(x.size(), y.size()), 1);
  for (const Dims& in : {x, y})
    for (size_t i = 0; i < in.size(); ++i)
      if (int64_t& e = out[out.size() - in.size() + i]; in[i] != 1) e = in[i];
  const std::string how = d.Pick("condition", {"full", "scalar", "last", "columns", "larger"});
  Dims condition = out;
  if (how == "scalar") condition = {};
  if (how == "last" && !out.empty()) condition = {out.back()};
  if (how == "columns" && !out.empty()) condition.back() = 1;
  if (how == "larger") condition.insert(condition.begin(), d.Extent(2));
  d.In(condition, Whole(0, 1));
  d.In(x, Movable(d, "T"));
  d.In(y, Different(d, "T"));
}

// ---- Cast ----

using reference::Contains;

// What a type holds: numbers from `least` to `most`, of `digits` significant bits.
struct Holds {
  double least, most;
  int digits;
  bool infinite = false, nan = false;
};
Holds HoldsOf(int32_t type) {
  using namespace reference;
  switch (type) {
    case kFloat:
      return {-std::numeric_limits<float>::max(), std::numeric_limits<float>::max(), 24, true, true};
    case kDouble:
      return {-std::numeric_limits<double>::max(), std::numeric_limits<double>::max(), 53, true, true};
    case kFloat16:
      return {-65504, 65504, 11, true, true};
    case kBFloat16:
      return {-0x1.fep127, 0x1.fep127, 8, true, true};
    case kFloat8E4M3FN:
      return {-448, 448, 4, false, true};
    case kFloat8E4M3FNUZ:
      return {-240, 240, 4, false, true};
    case kFloat8E5M2:
      return {-57344, 57344, 3, true, true};
    case kFloat8E5M2FNUZ:
      return {-57344, 57344, 3, false, true};
    case kFloat8E8M0:
      return {0x1p-127, 0x1p127, 1};
    case kFloat4E2M1:
      return {-6, 6, 2};
    case kFloat6E2M3:
      return {-7.5, 7.5, 4};
    case kFloat6E3M2:
      return {-28, 28, 3};
    case kBool:
      return {0, 1, 1};
    default: {
      const int bits = WireBits(type);
      const bool is_signed = Contains(kSignedInts | Types(kInt4, kInt2), type);
      return {is_signed ? -std::ldexp(1.0, bits - 1) : 0, std::ldexp(1.0, bits - (is_signed ? 1 : 0)) - 1,
              53};
    }
  }
}
bool IsInteger(int32_t type) { return Contains(reference::kInts | reference::kNarrowInts, type); }

// A conversion: types, and what Cast is told about them.
struct Conversion {
  int32_t from = 0, to = 0;
  bool saturate = true;
  std::string mode = "up";
};

// Whether the specification tells what the number becomes; `v` is one that the type `from` holds.
bool IsTold(const Conversion& c, double v) {
  const Holds to = HoldsOf(c.to);
  if (c.to == reference::kBool) return true;
  if (c.to == reference::kFloat8E8M0) {
    // Negative numbers never, special ones for two sets of rules.
    const bool special = (c.saturate && c.mode == "up") || (!c.saturate && c.mode == "nearest");
    return v > 0 && std::isfinite(v) && v >= to.least && v <= to.most ? true : special && !std::signbit(v);
  }
  if (Contains(reference::kSmallFloats, c.to)) return !std::isnan(v);
  if (!IsInteger(c.to)) return true;
  // Integers lose their high bits, other numbers must fit.
  return IsInteger(c.from) || (v > to.least - 1 && v < to.most + 1 && (to.most < 0x1p53 || v < to.most));
}

// The numbers that a conversion is tried with: of every magnitude, between those of `to`, at the ends of both
// types, and special ones.
std::vector<double> NumbersFor(const Conversion& c) {
  const Holds from = HoldsOf(c.from), to = HoldsOf(c.to);
  std::vector<double> tried = {
      0,     1,       -1,    0.25,  1.5,  -2.75, 5.3,      -6,   7,    12.6,       -15,
      31.9,  -33.5,   64.1,  100.7, -100, 127,   200,      -200, 255,  300.5,      448,
      465,   -1000.3, 32768, 65504, 7e4,  -1e6,  16777217, 3e9,  -3e9, 0x1p40 + 1, 0x1p62 + 0x1p10,
      1e19,  1e30,    -1e30, 1e200, kNaN, kInf,  -kInf,    -0.0, 6e-8, -1e-7,      1e-4,
      1e-30, 1e-60,   0.999};
  // Halfway between two numbers of the type, of which the lower one is even, or odd.
  if (!IsInteger(c.to) && c.to != reference::kBool)
    for (const double odd : {1.0, 3.0}) tried.push_back(1 + std::ldexp(odd, -to.digits));
  // The last numbers that fit.
  const double last = 1 - std::ldexp(1.0, -std::min(from.digits, 30));
  for (const double end : {to.most + (IsInteger(c.to) ? 1 : 0), to.least}) {
    tried.push_back(end * last);
    if (IsInteger(c.from)) tried.push_back(end), tried.push_back(end + 1);
  }
  std::vector<double> numbers;
  for (double v : tried) {
    if (c.from == reference::kBool) v = v > 0;
    if (from.least == 0) v = std::fabs(v);
    if (std::isnan(v) ? !from.nan : std::isinf(v) ? !from.infinite : v > from.most || v < from.least)
      continue;
    if (IsInteger(c.from)) v = std::nearbyint(v);
    // What a small type rounds to 0 is none of the numbers below; what a float does not hold may be rounded
    // twice.
    if (c.to == reference::kFloat8E8M0 && std::isfinite(v) &&
        ((from.most < 1e6 && std::fabs(v) < 0.1 && v != 0) ||
         (v > 1 && v < to.most && static_cast<double>(static_cast<float>(v)) != v)))
      continue;
    if (int exponent; std::isfinite(v) && v != 0 && !IsInteger(c.from)) {
      const double part = std::frexp(v, &exponent);
      // E8M0 takes the power of two below.
      v = c.from == reference::kFloat8E8M0
              ? std::ldexp(0.5, exponent)
              : std::ldexp(std::nearbyint(std::ldexp(part, from.digits)), exponent - from.digits);
      if (std::fabs(v) > from.most) continue;
    }
    if (IsTold(c, v)) numbers.push_back(v);
  }
  return numbers;
}

// Texts that are numbers of the type.
std::vector<std::string> TextsFor(int32_t to) {
  using namespace reference;
  if (to == kBool) return {};  // not told
  if (to == kFloat8E8M0) return {"0.5", "1", "2", "1e0", "8"};
  if (Contains(kSmallFloats, to)) return {"0.5", "1.5", "-2", "1e0", "-0.5", "3"};
  if (Contains(kFloat8s, to)) return {"0.5", "1.5", "-2", "1E1", "-0.25", "NaN", "nan"};
  if (to == kFloat16)
    return {"3.14", "-0.5", "1e-3", "INF", "+INF", "-INF", "NaN", "nan", "+inf", "-Inf", "100.5"};
  if (!IsInteger(to))
    return {"3.14", "-0.5", "1e-5", "1E8",  "INF",   "+INF", "-INF",
            "NaN",  "nan",  "+inf", "-Inf", "100.5", "1000"};
  const Holds holds = HoldsOf(to);
  std::vector<std::string> texts = {"0", "1"};
  for (const char* text :
       {"-1", "-2", "3", "7", "-8", "100", "-100", "1000", "-30000", "2147483647", "-2147483648"})
    if (std::atof(text) >= holds.least && std::atof(text) <= holds.most) texts.push_back(text);
  if (holds.most > 0x1p60) texts.push_back("9007199254740993");  // no double
  return texts;
}
// Numbers whose text is the same however it is made: neither whole, nor long.
std::vector<double> NumbersToText(int32_t from) {
  if (from == reference::kBool) return {};  // not told
  if (from == reference::kFloat8E8M0) return {0.5, 0.25, 0.125};
  if (IsInteger(from)) {
    std::vector<double> numbers;
    const Holds holds = HoldsOf(from);
    for (const double v : {0., 1., -1., 3., 7., -8., 100., -100., 65535., -2147483648., 123456789012.})
      if (v >= holds.least && v <= holds.most) numbers.push_back(v);
    return numbers;
  }
  if (HoldsOf(from).digits <= 4) return {0.5, 1.5, -0.5, -1.5};
  std::vector<double> numbers = {0.5, 1.5, -2.75, 10.5, -0.25};
  if (HoldsOf(from).digits >= 24) numbers.insert(numbers.end(), {314.15926, -1000.125});
  return numbers;
}

Tensor Convertible(Domain& d, const Conversion& c, const Dims& dims) {
  if (c.from == reference::kString && c.to == reference::kString) return d.Draw(c.from, dims, Words());
  if (c.from == reference::kString) {
    const std::vector<std::string> texts = TextsFor(c.to);
    if (texts.empty()) d.Reject("what strings become is not told");
    return d.Draw(c.from, dims, Words(texts));
  }
  const std::vector<double> numbers = c.to == reference::kString ? NumbersToText(c.from) : NumbersFor(c);
  if (numbers.empty()) d.Reject("what numbers become is not told");
  return d.Draw(c.from, dims, Given(numbers));
}

std::vector<int32_t> TypesOf(const Domain& d, const std::string& variable) {
  std::vector<int32_t> types;
  for (const std::string& t : d.operator_version().variables.at(variable)) types.push_back(ElementTypeOf(t));
  return types;
}
std::string NameOf(const Conversion& c) {
  return ElementTypeText(c.from) + "_to_" + ElementTypeText(c.to) + (c.mode == "up" ? "" : "_" + c.mode) +
         (c.saturate ? "" : "_unsaturated");
}
// T1 and T2 as they are, or one of `others`: pairs of types that T1 and T2, one at a time, don't come to.
Conversion PickConversion(Domain& d, const std::vector<Conversion>& others) {
  std::vector<std::string> names = {"plain"};
  for (const Conversion& c : others) names.push_back(NameOf(c));
  const std::string name = d.Pick("conversion", names);
  if (name == "plain") return {d.type("T1"), d.type("T2")};
  if (d.type("T1") != reference::kFloat || d.type("T2") != reference::kFloat)
    d.Reject("the conversion has its own types");
  return *std::find_if(others.begin(), others.end(), [&](const Conversion& c) { return NameOf(c) == name; });
}

Dims CastShape(Domain& d) {
  return d.Shape(
      "shape",
      {{3, 3, 7}, {}, {1}, {0}, {33}, {2, 65}, {4, 257}, {1025}, {3, 0, 2}, {2, 1, 2, 1, 2, 3}, {65537}});
}
// What becomes of one of these as the other is not told.
constexpr reference::TypeSet kTextBools = reference::Types(reference::kBool, reference::kString);
void Cast(Domain& d) {
  std::vector<Conversion> others;
  for (const int32_t from : TypesOf(d, "T1"))
    for (const int32_t to : TypesOf(d, "T2")) {
      // Superseded versions are not tried with all pairs.
      if (d.operator_version().newest && from != reference::kFloat && to != reference::kFloat && from != to &&
          !(Contains(kTextBools, from) && Contains(kTextBools, to)))
        others.push_back({from, to});
      const bool is_float = Contains(reference::kFloats, from);
      if (d.has_attribute("saturate") && is_float && Contains(reference::kFloat8s, to))
        others.push_back({from, to, false});
      if (d.has_attribute("round_mode") && (is_float || from == reference::kInt32) &&
          to == reference::kFloat8E8M0)
        for (const char* mode : {"up", "down", "nearest"})
          for (const bool saturate : {true, false})
            if (!saturate || mode != std::string("up")) others.push_back({from, to, saturate, mode});
    }
  const Conversion c = PickConversion(d, others);
  std::string name = ElementTypeText(c.to);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char ch) { return std::toupper(ch); });
  if (d.version() < 6)
    d.AttrText("to", name);
  else
    d.AttrInt("to", c.to);
  if (!c.saturate || (d.has_attribute("saturate") && d.Flag("saturate_given")))
    d.AttrInt("saturate", c.saturate);
  if (c.mode != "up") d.AttrText("round_mode", c.mode);
  d.In(Convertible(d, c, CastShape(d)));
}
void CastLike(Domain& d) {
  Conversion c{d.type("T1"), d.type("T2")};
  if (d.has_attribute("saturate")) c.saturate = d.Pick("saturate", {1, 0}) != 0;
  if (d.has_attribute("round_mode")) c.mode = d.Pick("round_mode", {"up", "down", "nearest"});
  if (!c.saturate) d.AttrInt("saturate", 0);
  if (c.mode != "up") d.AttrText("round_mode", c.mode);
  d.In(Convertible(d, c, CastShape(d)));
  d.In(d.Shape("target", {{2}, {}, {0}, {3, 4}}), Given({1}));
}
// The same bits as another type of that width.
void BitCast(Domain& d) {
  std::vector<Conversion> others;
  for (const int32_t from : TypesOf(d, "T1"))
    for (const int32_t to : TypesOf(d, "T2"))
      if (from != to && reference::WireBits(from) == reference::WireBits(to)) others.push_back({from, to});
  const Conversion c = PickConversion(d, others);
  if (reference::WireBits(c.from) != reference::WireBits(c.to)) d.Reject("types of different widths");
  d.AttrInt("to", c.to);
  // A boolean has the bits of 0 or 1.
  const bool boolean = c.from == reference::kBool || c.to == reference::kBool;
  const Dims dims = CastShape(d);
  if (IsInteger(c.from) && !boolean) return d.In(Bits(d, c.from, dims));
  Tensor t(c.from, dims);
  const int most = boolean ? 1 : c.from == reference::kFloat4E2M1 ? 15 : 255;
  const Tensor bytes = d.Draw(reference::kUint8, {static_cast<int64_t>(t.bytes())}, Whole(0, most));
  std::copy_n(bytes.data<uint8_t>(), bytes.size(), static_cast<uint8_t*>(t.raw()));
  d.In(t);
}

}  // namespace

std::span<const DomainEntry> LogicDomains() {
  static const DomainEntry kDomains[] = {
      {"", "And", BoolBinary},
      {"", "Or", BoolBinary},
      {"", "Xor", BoolBinary},
      {"", "Not", Not},
      {"", "Equal", Comparison},
      {"", "Greater", Comparison},
      {"", "GreaterOrEqual", Comparison},
      {"", "Less", Comparison},
      {"", "LessOrEqual", Comparison},
      {"", "BitShift", BitShift},
      {"", "BitwiseAnd", BitwiseBinary},
      {"", "BitwiseOr", BitwiseBinary},
      {"", "BitwiseXor", BitwiseBinary},
      {"", "BitwiseNot", BitwiseNot},
      {"", "Where", Where},
      {"", "Cast", Cast},
      {"", "CastLike", CastLike},
      {"", "BitCast", BitCast},
  };
  return kDomains;
}

}  // namespace braid::conformance
