// SPDX-License-Identifier: Apache-2.0
//
// Activation functions. The formulas are the specification's, in forms that neither overflow nor cancel where
// the result does not. Attributes are float32 there and stay so; float16 and bfloat16 are computed in float.
#include <cmath>
#include <limits>
#include <string>

#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kReluTypes = kFloats | kSignedInts;
constexpr TypeSet kPReluTypes = kFloats | Types(kInt32, kInt64, kUint32, kUint64);
constexpr TypeSet kShrinkTypes = kInts | Types(kFloat, kDouble, kFloat16);
constexpr int64_t kTranscendental = 20;  // cost, in additions

template <class T>
T LogisticOf(T x) {
  if (x >= 0) return T{1} / (T{1} + std::exp(-x));
  T e = std::exp(x);
  return e / (T{1} + e);
}

// ln(1 + e^x)
template <class T>
T SoftplusOf(T x) {
  return Larger()(x, T{0}) + std::log1p(std::exp(-std::fabs(x)));
}

// Relu-14: max(0, x).
void Relu(OpContext& op) {
  Unary<kReluTypes>(op, []<class T>(T x) { return Larger()(x, T{0}); });
}

// LeakyRelu-16: alpha x below 0, x from there on.
void LeakyRelu(OpContext& op) {
  const float alpha = op.Float("alpha", 0.01f);
  Unary<kFloats>(op, [alpha]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * x : x; });
}

// PRelu-16: slope x below 0; the slope is broadcast to X, not the other way.
void PRelu(OpContext& op) {
  const Tensor& x = op.input(0);
  const Tensor& slope = op.input(1);
  const Dims both[] = {x.dims(), slope.dims()};
  op.Check(BroadcastDims(op, both) == x.dims(),
           "slope " + DimsText(slope.dims()) + " does not broadcast to X " + DimsText(x.dims()));
  Binary<kPReluTypes>(op, []<class T>(T v, T s) { return v < 0 ? Times()(s, v) : v; });
}

// ThresholdedRelu-22: x above alpha, else 0.
void ThresholdedRelu(OpContext& op) {
  const float alpha = op.Float("alpha", 1.0f);
  Unary<kFloats>(op, [alpha]<class T>(T x) { return x > static_cast<T>(alpha) ? x : T{0}; });
}

// Elu-22: alpha (e^x - 1) below 0, x from there on.
void Elu(OpContext& op) {
  const float alpha = op.Float("alpha", 1.0f);
  Unary<kFloats>(
      op, [alpha]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * std::expm1(x) : x; },
      kTranscendental);
}

// Celu-28: max(0, x) + min(0, alpha (e^(x / alpha) - 1)).
void Celu(OpContext& op) {
  const float alpha = op.Float("alpha", 1.0f);
  Unary<kFloats>(
      op,
      [alpha]<class T>(T x) {
        const T a = static_cast<T>(alpha);
        return Larger()(x, T{0}) + Smaller()(a * std::expm1(x / a), T{0});
      },
      kTranscendental);
}

// Selu-22: gamma (alpha e^x - alpha) up to 0, gamma x above.
void Selu(OpContext& op) {
  const float alpha = op.Float("alpha", 1.67326319217681884765625f),
              gamma = op.Float("gamma", 1.05070102214813232421875f);
  Unary<kFloats>(
      op,
      [alpha, gamma]<class T>(T x) {
        return static_cast<T>(gamma) * (x <= 0 ? static_cast<T>(alpha) * std::expm1(x) : x);
      },
      kTranscendental);
}

void Softplus(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return SoftplusOf(x); }, kTranscendental);
}

// Softsign-22: x / (1 + |x|).
void Softsign(OpContext& op) {
  Unary<kFloats>(op, []<class T>(T x) { return x / (T{1} + std::fabs(x)); });
}

void Sigmoid(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return LogisticOf(x); }, kTranscendental);
}

void Tanh(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return std::tanh(x); }, kTranscendental);
}

// max(0, min(1, alpha x + beta))
template <class T>
T HardSigmoidOf(T x, T alpha, T beta) {
  return Larger()(Smaller()(alpha * x + beta, T{1}), T{0});
}

void HardSigmoid(OpContext& op) {
  const float alpha = op.Float("alpha", 0.2f), beta = op.Float("beta", 0.5f);
  Unary<kFloats>(op, [alpha, beta]<class T>(T x) {
    return HardSigmoidOf(x, static_cast<T>(alpha), static_cast<T>(beta));
  });
}

// HardSwish-22: x HardSigmoid(x; 1/6, 1/2).
void HardSwish(OpContext& op) {
  Unary<kFloats>(op, []<class T>(T x) { return x * HardSigmoidOf(x, T{1} / T{6}, T{0.5}); });
}

// Swish-24: x sigmoid(alpha x).
void Swish(OpContext& op) {
  const float alpha = op.Float("alpha", 1.0f);
  Unary<kFloats>(
      op, [alpha]<class T>(T x) { return x * LogisticOf(static_cast<T>(alpha) * x); }, kTranscendental);
}

// SwiGLU-28: Swish(A) B; the inputs have one shape.
void SwiGLU(OpContext& op) {
  op.Check(op.input(0).dims() == op.input(1).dims(), "A " + DimsText(op.input(0).dims()) + " and B " +
                                                         DimsText(op.input(1).dims()) + " differ in shape");
  const float alpha = op.Float("alpha", 1.0f);
  Binary<kFloats>(
      op, [alpha]<class T>(T a, T b) { return a * LogisticOf(static_cast<T>(alpha) * a) * b; },
      kTranscendental);
}

// Mish-22: x tanh(softplus(x)).
void Mish(OpContext& op) {
  Unary<kFloats>(
      op, [](auto x) { return x * std::tanh(SoftplusOf(x)); }, 2 * kTranscendental);
}

// Gelu-20: x / 2 (1 + erf(x / sqrt 2)), where 1 + erf(v) is erfc(-v); "tanh": x / 2 (1 + tanh(sqrt(2 / pi) (x
// + 0.044715 x^3))), where (1 + tanh(v)) / 2 is the logistic function of 2 v.
void Gelu(OpContext& op) {
  const std::string approximate = op.String("approximate", "none");
  if (approximate == "none") {
    Unary<kFloats>(
        op,
        []<class T>(T x) {
          constexpr T kRootHalf = static_cast<T>(0.70710678118654752440);
          return T{0.5} * x * std::erfc(-x * kRootHalf);
        },
        kTranscendental);
  } else if (approximate == "tanh") {
    Unary<kFloats>(
        op,
        []<class T>(T x) {
          constexpr T kTwiceRoot = static_cast<T>(2 * 0.79788456080286535588);  // 2 sqrt(2 / pi)
          return x * LogisticOf(kTwiceRoot * (x + static_cast<T>(0.044715) * x * x * x));
        },
        kTranscendental);
  } else {
    op.Fail("approximate is '" + approximate + "', not none or tanh");
  }
}

Judgement JudgeGelu(const kit::Node& node) {
  std::string_view approximate = node.String("approximate", "none");
  if (approximate == "none" || approximate == "tanh") return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("approximate"),
          "approximate is '" + std::string(approximate) + "', not none or tanh"};
}

// Shrink-9: x + bias below -lambd, x - bias above lambd, else 0. Integers are computed exactly (long double
// holds 64 bits) and cut off towards zero, saturated.
void Shrink(OpContext& op) {
  const float bias = op.Float("bias", 0.0f), lambd = op.Float("lambd", 0.5f);
  Unary<kShrinkTypes>(op, [bias, lambd]<class T>(T x) -> T {
    using W = std::conditional_t<std::is_integral_v<T>, long double, T>;
    const W wide = static_cast<W>(x), b = static_cast<W>(bias), l = static_cast<W>(lambd);
    const W y = wide < -l ? wide + b : wide > l ? wide - b : W{0};
    if constexpr (std::is_integral_v<T>) {
      if (y <= static_cast<W>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
      if (y >= static_cast<W>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
      return y != y ? T{0} : static_cast<T>(y);
    } else {
      return y;
    }
  });
}

}  // namespace

std::span<const OpEntry> ActivationOps() {
  static const OpEntry kOps[] = {
      {"", "Relu", 14, Relu, {kReluTypes}},
      {"", "LeakyRelu", 16, LeakyRelu, {kFloats}},
      {"", "PRelu", 16, PRelu, {kPReluTypes}},
      {"", "ThresholdedRelu", 22, ThresholdedRelu, {kFloats}},
      {"", "Elu", 22, Elu, {kFloats}},
      {"", "Celu", 28, Celu, {kFloats}},
      {"", "Selu", 22, Selu, {kFloats}},
      {"", "Softplus", 22, Softplus, {kFloats}},
      {"", "Softsign", 22, Softsign, {kFloats}},
      {"", "Sigmoid", 13, Sigmoid, {kFloats}},
      {"", "Tanh", 13, Tanh, {kFloats}},
      {"", "HardSigmoid", 22, HardSigmoid, {kFloats}},
      {"", "HardSwish", 22, HardSwish, {kFloats}},
      {"", "Swish", 24, Swish, {kFloats}},
      {"", "SwiGLU", 28, SwiGLU, {kFloats}},
      {"", "Mish", 22, Mish, {kFloats}},
      {"", "Gelu", 20, Gelu, {kFloats}, JudgeGelu},
      {"", "Shrink", 9, Shrink, {kShrinkTypes}},
  };
  return kOps;
}

}  // namespace braid::reference
