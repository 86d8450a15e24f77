// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators whose output elements each depend on one element of every input.
#include <cmath>
#include <limits>
#include <utility>

#include "conformance/domains/common.h"

namespace braid::conformance {
namespace {

// Patterns of broadcasting: the shapes of two inputs.
struct TwoShapes {
  const char* name;
  Dims a, b;
};
const TwoShapes kTwoShapes[] = {{"same", {3, 4, 5}, {3, 4, 5}},
                                {"scalar", {3, 4, 5}, {}},
                                {"of_scalar", {}, {2, 3}},
                                {"row", {3, 4, 5}, {5}},
                                {"column", {3, 4, 5}, {3, 1, 1}},
                                {"middle", {3, 4, 5}, {4, 1}},
                                {"both", {3, 1, 5}, {4, 1}},
                                {"longer", {5}, {2, 3, 4, 5}},
                                {"square", {4, 4}, {4}},
                                {"ones", {1, 1, 1}, {1}},
                                {"none", {0, 3}, {3}},
                                {"stretched_none", {2, 1, 3}, {2, 0, 3}},
                                {"tail", {2, 257}, {2, 257}},
                                {"tail_row", {65, 33}, {33}},
                                {"long", {65537}, {65537}},
                                {"deep", {2, 1, 3, 1, 2, 1}, {2, 1, 2, 2, 1}}};

}  // namespace

void Broadcast(Domain& d, Dims* a, Dims* b) {
  if (const int64_t n = d.LongAxis(); n > 0) {
    *a = *b = {n};
    return;
  }
  if (!d.has_attribute("broadcast") && d.IsMany()) {
    *a = {2, 1, 3, 1, 2, 1, 2, 1};
    *b = {1, 2, 1, 2, 1, 3, 1, 2};
    return;
  }
  // Before opset 7 the second input stretches only, and where attributes say so.
  const bool one_sided = d.has_attribute("broadcast");
  std::vector<std::string> names;
  for (const TwoShapes& s : kTwoShapes) {
    const std::string name = s.name;
    if (one_sided &&
        (s.b.size() > s.a.size() || name == "both" || name == "deep" || name == "stretched_none"))
      continue;
    names.push_back(name);
  }
  const std::string chosen = d.Pick("shapes", names);
  for (const TwoShapes& s : kTwoShapes)
    if (chosen == s.name) *a = s.a, *b = s.b;
  for (int64_t& e : *a) e = d.Extent(e);
  for (int64_t& e : *b) e = d.Extent(e);
  if (one_sided && *a != *b) {
    d.AttrInt("broadcast", 1);
    if (chosen == "column") {
      *b = {(*a)[0]};
      d.AttrInt("axis", 0);
    } else if (chosen == "middle") {
      *b = {(*a)[1]};
      d.AttrInt("axis", d.Flag("axis_negative") ? -2 : 1);
    }
  }
}

namespace {

// The largest number of an integer type.
double Largest(int32_t type) {
  double largest = 1;
  reference::DispatchIn<reference::kInts>(
      type, [&]<class T>() { largest = static_cast<double>(std::numeric_limits<T>::max()); });
  return largest;
}
// Integers of either sign up to `most`: more bits than a float has, or an integer of half the size.
Values Integers(double most) { return Uniform(-std::floor(most), std::floor(most)); }

// Numbers that get lost where arithmetic is not IEEE's: NaN, infinities, -0, denormals of float16, float and
// double; and some beyond which exp and its like overflow. Two lists of different lengths make all pairs.
Values Special() {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  return Given({1, nan, -0.0, inf, 1e-40, -2.5, 0, -inf, 6e-8, 100, -1e-40, -100, 1e-310, 0.5, -0.5});
}
Values OtherSpecial() {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  return Given({-0.0, 3, 1, inf, -1, nan, 0, 0.5, -inf, 1e-40, -3, 6e-8, 2});
}
bool IsSpecial(Domain& d) { return d.is_float("T") && d.Pick("values", {"plain", "special"}) == "special"; }

// One input, any shape, numbers that the function is defined for.
template <int Low, int High>
void UnaryIn(Domain& d) {
  d.Scales(4);
  d.In(d.AnyShape(), IsSpecial(d) ? Special() : Uniform(Low, High));
}
// Formulas in which infinities meet: what they then give is not told.
template <int Low, int High>
void UnaryFinite(Domain& d) {
  const bool large = d.Flag("large");
  d.In(d.AnyShape(), large ? Given({100, -100, 90, -90, 0, -0.0, 30, -30, 12.5}) : Uniform(Low, High));
}
void Unary(Domain& d) {
  if (d.is_integer("T")) return d.In(d.AnyShape(), Integers(Largest(d.type("T"))));
  d.Scales();
  d.In(d.AnyShape(), IsSpecial(d) ? Special() : Spread(8));
}
// Positive, over many octaves.
void UnaryPositive(Domain& d) { d.In(d.AnyShape(), IsSpecial(d) ? Special() : Uniform(0.01, 20)); }
// Not near zero.
void UnaryNonZero(Domain& d) {
  const bool small = d.Flag("small");
  d.In(d.AnyShape(), IsSpecial(d) ? Special() : small ? Uniform(0.001, 0.1) : Uniform(0.5, 8));
}
// Halves included, where rounding has a tie.
void Round(Domain& d) {
  const Dims dims = d.AnyShape();
  if (d.Flag("ties"))
    d.In(dims, Given({0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.25, 1e6 + 0.5, 3, -0.0}));
  else
    d.In(dims, Spread(100));
}
// What is not a number too.
void Classify(Domain& d) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  d.In(d.AnyShape(), Given({0, 1, -1, nan, inf, -inf, 1e-30, 3.5}));
}
void IsInf(Domain& d) {
  d.AttrIntOr("detect_negative", d.Pick("detect_negative", {1, 0}), 1);
  d.AttrIntOr("detect_positive", d.Pick("detect_positive", {1, 0}), 1);
  Classify(d);
}

// What comes out of integers is in the type's range, for overflow is not told.
void Arithmetic(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  if (d.is_integer("T")) {
    const double largest = Largest(d.type("T"));
    const Values values = Integers(d.op() == "Mul" ? std::sqrt(largest) : largest / 2);
    d.In(a, values);
    return d.In(b, values);
  }
  d.Scales();
  const bool special = IsSpecial(d);
  d.In(a, special ? Special() : Spread(8));
  d.In(b, special ? OtherSpecial() : Spread(8));
}
void Div(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  if (d.is_integer("T")) {
    const double largest = Largest(d.type("T"));
    d.In(a, Integers(largest));
    return d.In(b, Given({1, -2, 3, -7, 5, std::floor(largest / 3)}));
  }
  const bool special = IsSpecial(d);
  d.In(a, special ? Special() : Spread(8));
  d.In(b, special ? OtherSpecial() : Spread(8));
}
void Mod(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  const bool fmod = d.is_float("T") ? true : d.Flag("fmod");
  if (fmod) d.AttrInt("fmod", 1);
  const double large = d.is_integer("T") ? std::floor(Largest(d.type("T")) / 3) : 100;
  d.In(a, Given({7, -7, 5.5, -5.5, 3, -3, 0, 100, large, -large, large - 1}));
  d.In(b, Given({3, -3, 2, 5, -2.5}));
}
void Pow(Domain& d) {
  Dims a, b;
  Broadcast(d, &a, &b);
  const std::string kind = d.Pick("exponents", {"whole", "fractions", "square", "half"});
  const std::string exponent = d.has_input("Y") && d.type("T1") != 0 ? "T1" : "T";
  const bool whole = d.is_integer("T") || d.is_integer(exponent) || kind == "whole";
  d.In(a, d.is_integer("T") ? Whole(0, 5) : whole ? Spread(3) : Uniform(0.1, 4));
  d.In(b, d.is_integer("T") || d.is_integer(exponent) ? Whole(0, 3)
          : whole                                     ? Given({2, 0, 3, 1, 5, 7, 4})
          : kind == "square"                          ? Given({2})
          : kind == "half"                            ? Given({0.5})
                                                      : Uniform(-2, 3));
}
void PRelu(Domain& d) {
  Dims x = d.AnyShape("shape", 1), slope = x;
  const std::string kind = d.Pick("slope", {"same", "one", "channel"});
  if (kind == "one") slope = {1};
  if (kind == "channel") {
    if (d.version() < 7) {
      if (x.size() < 2) d.Reject("no channels");
      slope = {x[1]};
    } else {
      slope = Dims(x.size(), 1);
      slope[0] = x[0];
    }
  }
  if (d.version() < 7 && kind == "same" && x.size() != 1) slope = {1};
  d.In(x, Spread(4));
  d.In(slope, Spread(2));
}
// Several inputs that broadcast.
void Variadic(Domain& d) {
  const int64_t n = d.Pick("inputs", {2, 1, 3, 5});
  const std::string how = d.version() < 8 ? "same" : d.Pick("how", {"same", "broadcast", "scalars"});
  const Dims x = d.AnyShape();
  // NaN wins against any number.
  const bool special = IsSpecial(d);
  for (int64_t i = 0; i < n; ++i) {
    Dims dims = x;
    if (how == "scalars" && i > 0) dims = {};
    if (how == "broadcast" && i > 0)
      for (size_t k = 0; k < dims.size(); ++k)
        if (static_cast<int64_t>(k) % n == i % n) dims[k] = dims[k] == 0 ? 0 : 1;
    d.In(dims, d.is_integer("T") ? Integers(Largest(d.type("T")))
               : !special        ? Spread(8)
               : i % 2 == 0      ? Special()
                                 : OtherSpecial());
  }
}

template <int DefaultPercent>
void WithAlpha(Domain& d) {
  const double alpha = d.PickFloat("alpha", {DefaultPercent / 100.0, 0.3, 2.5, -0.5});
  if (alpha != DefaultPercent / 100.0) d.AttrFloat("alpha", alpha);
  d.In(d.AnyShape(), Spread(6));
}
void Celu(Domain& d) {
  const double alpha = d.PickFloat("alpha", {1, 0.3, 2.5});
  if (alpha != 1) d.AttrFloat("alpha", alpha);
  d.In(d.AnyShape(), Spread(6));
}
void Selu(Domain& d) {
  if (d.Flag("alpha")) d.AttrFloat("alpha", 1.25);
  if (d.Flag("gamma")) d.AttrFloat("gamma", 0.75);
  d.In(d.AnyShape(), Spread(6));
}
void HardSigmoid(Domain& d) {
  if (d.Flag("alpha")) d.AttrFloat("alpha", 0.35);
  if (d.Flag("beta")) d.AttrFloat("beta", 0.4);
  d.In(d.AnyShape(), Spread(6));
}
void Shrink(Domain& d) {
  if (d.Flag("bias")) d.AttrFloat("bias", d.is_float("T") ? 0.75 : 1);
  if (d.Flag("lambd")) d.AttrFloat("lambd", 1.5);
  d.In(d.AnyShape(), d.is_float("T") ? Spread(6) : Whole(-5, 5));
}
void Gelu(Domain& d) {
  const std::string approximate = d.Pick("approximate", {"none", "tanh"});
  if (approximate == "tanh" && d.type("T") == reference::kDouble)
    d.Reject("the constants of ONNX's formula are floats");
  if (approximate != "none") d.AttrText("approximate", approximate);
  d.In(d.AnyShape(), Spread(6));
}
void Clip(Domain& d) {
  const std::string bounds = d.Pick("bounds", {"both", "none", "min", "max", "crossed"});
  if (bounds == "crossed" && d.version() < 11) d.Reject("not told before opset 13");
  const Dims x = d.AnyShape();
  const bool low = bounds != "none" && bounds != "max", high = bounds != "none" && bounds != "min";
  double least = -1, most = 2;
  if (d.is_integer("T")) {
    most = std::floor(Largest(d.type("T")) / 3);
    least = std::floor(most / 2);
  }
  if (bounds == "crossed") std::swap(least, most);
  d.In(x, d.is_integer("T") ? Integers(Largest(d.type("T"))) : IsSpecial(d) ? Special() : Spread(6));
  if (d.has_attribute("min")) {
    if (low) d.AttrFloat("min", least);
    if (high) d.AttrFloat("max", most);
    return;
  }
  if (low)
    d.In({}, Given({least}));
  else
    d.Absent();
  if (high)
    d.In({}, Given({most}));
  else
    d.Absent();
}

}  // namespace

std::span<const DomainEntry> PointwiseDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Abs", Unary},
      {"", "Neg", Unary},
      {"", "Sign", Unary},
      {"", "Relu", Unary},
      {"", "Floor", Unary},
      {"", "Ceil", Unary},
      {"", "Round", Round},
      {"", "Exp", UnaryIn<-10, 6>},
      {"", "Log", UnaryPositive},
      {"", "Sqrt", UnaryPositive},
      {"", "Reciprocal", UnaryNonZero},
      {"", "Sin", UnaryIn<-10, 10>},
      {"", "Cos", UnaryIn<-10, 10>},
      {"", "Tan", UnaryIn<-1, 1>},
      {"", "Asin", UnaryIn<-1, 1>},
      {"", "Acos", UnaryIn<-1, 1>},
      {"", "Atan", UnaryIn<-10, 10>},
      {"", "Sinh", UnaryIn<-6, 6>},
      {"", "Cosh", UnaryIn<-6, 6>},
      {"", "Tanh", UnaryIn<-6, 6>},
      {"", "Asinh", UnaryIn<-10, 10>},
      {"", "Acosh", UnaryIn<1, 20>},
      {"", "Atanh", UnaryIn<-1, 1>},
      {"", "Erf", UnaryIn<-3, 3>},
      {"", "Sigmoid", UnaryIn<-10, 10>},
      {"", "Softsign", UnaryFinite<-8, 8>},
      {"", "Softplus", UnaryFinite<-10, 10>},
      {"", "Mish", UnaryFinite<-8, 8>},
      {"", "HardSwish", UnaryFinite<-5, 5>},
      {"", "Swish", WithAlpha<100>},
      {"", "Elu", WithAlpha<100>},
      {"", "Celu", Celu},
      {"", "Selu", Selu},
      {"", "LeakyRelu", WithAlpha<1>},
      {"", "ThresholdedRelu", WithAlpha<100>},
      {"", "HardSigmoid", HardSigmoid},
      {"", "Shrink", Shrink},
      {"", "Gelu", Gelu},
      {"", "Clip", Clip},
      {"", "IsNaN", Classify},
      {"", "IsInf", IsInf},
      {"", "Add", Arithmetic},
      {"", "Sub", Arithmetic},
      {"", "Mul", Arithmetic},
      {"", "Div", Div},
      {"", "Mod", Mod},
      {"", "Pow", Pow},
      {"", "PRelu", PRelu},
      {"", "Sum", Variadic},
      {"", "Mean", Variadic},
      {"", "Max", Variadic},
      {"", "Min", Variadic},
  };
  return kDomains;
}

}  // namespace braid::conformance
