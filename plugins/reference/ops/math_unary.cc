// SPDX-License-Identifier: Apache-2.0
//
// Operators of one input that map each element by itself. The specification's formula stands beside each.
#include <cmath>

#include "plugins/reference/ops/math.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kNegatable = kFloats | kSignedInts;
constexpr int64_t kTranscendental = 20;  // cost, in additions

// Abs-13: |x|. The least integer has no positive counterpart and stays (two's complement).
void Abs(OpContext& op) {
  Unary<kNumeric>(op, []<class T>(T x) -> T {
    if constexpr (std::is_unsigned_v<T>)
      return x;
    else if constexpr (std::is_integral_v<T>)
      return x < 0 ? Minus()(T{0}, x) : x;
    else
      return std::fabs(x);
  });
}

// Neg-13: -x. The least integer stays.
void Neg(OpContext& op) {
  Unary<kNegatable>(op, []<class T>(T x) -> T {
    if constexpr (std::is_integral_v<T>)
      return Minus()(T{0}, x);
    else
      return -x;
  });
}

// Sign-13: 1, 0 or -1; NaN for NaN.
void Sign(OpContext& op) {
  Unary<kNumeric>(op, []<class T>(T x) -> T {
    if constexpr (std::is_unsigned_v<T>)
      return x != 0;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>((x > 0) - (x < 0));
    else
      return x > 0 ? T{1} : x < 0 ? T{-1} : x == 0 ? T{0} : x;
  });
}

void Ceil(OpContext& op) {
  Unary<kFloats>(op, [](auto x) { return std::ceil(x); });
}
void Floor(OpContext& op) {
  Unary<kFloats>(op, [](auto x) { return std::floor(x); });
}
// Round-22: to the nearest integer, halves to the even one. Keeps -0, NaN and infinities.
void Round(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return RoundedToEven(x); }, 4);
}
// Reciprocal-13: 1 / x.
void Reciprocal(OpContext& op) {
  Unary<kFloats>(
      op, []<class T>(T x) { return T{1} / x; }, 4);
}
void Sqrt(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::sqrt(x); }, 4);
}
void Exp(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::exp(x); }, kTranscendental);
}
// Log-13: natural logarithm; NaN below 0.
void Log(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::log(x); }, kTranscendental);
}
void Erf(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::erf(x); }, kTranscendental);
}

// The trigonometric and hyperbolic ones; angles in radians.
void Sin(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::sin(x); }, kTranscendental);
}
void Cos(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::cos(x); }, kTranscendental);
}
void Tan(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::tan(x); }, kTranscendental);
}
void Asin(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::asin(x); }, kTranscendental);
}
void Acos(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::acos(x); }, kTranscendental);
}
void Atan(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::atan(x); }, kTranscendental);
}
void Sinh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::sinh(x); }, kTranscendental);
}
void Cosh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::cosh(x); }, kTranscendental);
}
void Asinh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::asinh(x); }, kTranscendental);
}
void Acosh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::acosh(x); }, kTranscendental);
}
void Atanh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::atanh(x); }, kTranscendental);
}

// IsNaN-20.
void IsNaN(OpContext& op) {
  const Tensor& x = op.input(0);
  Dispatch<kFloats | kFloat8s>(op, x.type(), [&]<class T>() {
    Map<T, bool>(op, x, op.Output(0, kBool, x.dims()), [](auto v) { return v != v; });
  });
}

// IsInf-20: detect_positive and detect_negative choose which infinities count.
void IsInf(OpContext& op) {
  const Tensor& x = op.input(0);
  const bool positive = op.Int("detect_positive", 1) != 0, negative = op.Int("detect_negative", 1) != 0;
  Dispatch<kFloats | kFloat8s>(op, x.type(), [&]<class T>() {
    constexpr auto kInfinity = std::numeric_limits<Compute<T>>::infinity();
    Map<T, bool>(op, x, op.Output(0, kBool, x.dims()), [positive, negative](auto v) {
      return (positive && v == kInfinity) || (negative && v == -kInfinity);
    });
  });
}

}  // namespace

std::span<const OpEntry> UnaryMathOps() {
  static const OpEntry kOps[] = {
      {"", "Abs", 13, Abs, {kNumeric}},
      {"", "Neg", 13, Neg, {kNegatable}},
      {"", "Sign", 13, Sign, {kNumeric}},
      {"", "Ceil", 13, Ceil, {kFloats}},
      {"", "Floor", 13, Floor, {kFloats}},
      {"", "Round", 22, Round, {kFloats}},
      {"", "Reciprocal", 13, Reciprocal, {kFloats}},
      {"", "Sqrt", 13, Sqrt, {kFloats}},
      {"", "Exp", 13, Exp, {kFloats}},
      {"", "Log", 13, Log, {kFloats}},
      {"", "Erf", 13, Erf, {kFloats}},
      {"", "Sin", 22, Sin, {kFloats}},
      {"", "Cos", 22, Cos, {kFloats}},
      {"", "Tan", 22, Tan, {kFloats}},
      {"", "Asin", 22, Asin, {kFloats}},
      {"", "Acos", 22, Acos, {kFloats}},
      {"", "Atan", 22, Atan, {kFloats}},
      {"", "Sinh", 22, Sinh, {kFloats}},
      {"", "Cosh", 22, Cosh, {kFloats}},
      {"", "Asinh", 22, Asinh, {kFloats}},
      {"", "Acosh", 22, Acosh, {kFloats}},
      {"", "Atanh", 22, Atanh, {kFloats}},
      {"", "IsNaN", 20, IsNaN, {kFloats | kFloat8s}},
      {"", "IsInf", 20, IsInf, {kFloats | kFloat8s}},
  };
  return kOps;
}

}  // namespace braid::reference
