// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on two or more inputs, broadcast. Integers wrap around; integer division by zero is the data's
// error.
#include <cmath>

#include "plugins/reference/ops/convert.h"
#include "plugins/reference/ops/math.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kPowBases = kFloats | Types(kInt32, kInt64);

// Add-14, Sub-14, Mul-14: integers wrap around, for which it does not matter whether they are signed.
template <class F>
void WrappingBinary(OpContext& op, const F& f) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  CheckSameType(op, 1);
  const Dims both[] = {a.dims(), b.dims()};
  Tensor& c = op.Output(0, a.type(), BroadcastDims(op, both));
  if (Contains(kInts, a.type())) {
    DispatchBySize(a.type(), [&]<class T>() {
      if constexpr (std::is_unsigned_v<T>) Zip<T, T, T>(op, a, b, c, f);
    });
  } else {
    Dispatch<kFloats>(op, a.type(), [&]<class T>() { Zip<T, T, T>(op, a, b, c, f); });
  }
}
void Add(OpContext& op) { WrappingBinary(op, Plus()); }
void Sub(OpContext& op) { WrappingBinary(op, Minus()); }
void Mul(OpContext& op) { WrappingBinary(op, Times()); }

// "[1,2]": where element `at` of a tensor of `dims` lies.
std::string IndexText(const Dims& dims, int64_t at) {
  Dims index(dims.size());
  for (size_t i = dims.size(); i-- > 0;) {
    index[i] = at % dims[i];
    at /= dims[i];
  }
  return DimsText(index);
}

// Fails if an integer divisor is zero and there is something to divide.
void CheckDivisors(OpContext& op) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  if (a.size() == 0) return;
  DispatchIn<kInts>(b.type(), [&]<class T>() {
    const T* divisor = b.data<T>();
    for (int64_t i = 0; i < b.size(); ++i)
      if (divisor[i] == 0)
        op.Fail("integer division by zero: element " + IndexText(b.dims(), i) + " of B is 0");
  });
}

// Div-14: integers truncate toward zero; the least one divided by -1 wraps to itself.
void Div(OpContext& op) {
  CheckDivisors(op);
  Binary<kNumeric>(
      op,
      []<class T>(T a, T b) -> T {
        if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
          return b == -1 ? Minus()(T{0}, a) : static_cast<T>(a / b);
        } else {
          return static_cast<T>(a / b);
        }
      },
      4);
}

// Mod-28, fmod = 0: A - floor(A / B) * B, with B's sign.
struct FloorMod {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_unsigned_v<T>) {
      return static_cast<T>(a % b);
    } else if constexpr (std::is_integral_v<T>) {
      if (b == -1) return 0;
      T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    } else {
      T rest = std::fmod(a, b);
      if (rest == 0) return std::copysign(T{0}, b);
      return (rest < 0) != (b < 0) ? rest + b : rest;  // NaN stays NaN
    }
  }
};
// Mod-28, fmod = 1: A - trunc(A / B) * B, with A's sign.
struct TruncatedMod {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_unsigned_v<T>)
      return static_cast<T>(a % b);
    else if constexpr (std::is_integral_v<T>)
      return b == -1 ? T{0} : static_cast<T>(a % b);
    else
      return std::fmod(a, b);
  }
};
void Mod(OpContext& op) {
  CheckDivisors(op);
  if (op.Int("fmod", 0) != 0)
    Binary<kNumeric>(op, TruncatedMod(), 10);
  else
    Binary<kNumeric>(op, FloorMod(), 10);
}

Judgement JudgeMod(const kit::Node& node) {
  int64_t fmod = node.Int("fmod", 0);
  if (fmod == 0 || fmod == 1) return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("fmod"),
          "fmod is " + std::to_string(fmod) + ", not 0 or 1"};
}

// base ^ exponent in the ring of T, which wraps. A negative exponent gives the truncated quotient.
template <class T>
T IntegerPower(T base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  T result = 1;
  for (uint64_t e = static_cast<uint64_t>(exponent); e != 0; e >>= 1) {
    if ((e & 1) != 0) result = Times()(result, base);
    base = Times()(base, base);
  }
  return result;
}

// The exponents, whatever their type, as E (float, double or int64).
template <class E>
Tensor Exponents(const OpContext& op, const Tensor& y) {
  if (y.type() == kTypeOf<E>) return y;
  Tensor out(kTypeOf<E>, y.dims());
  Dispatch<kNumeric>(op, y.type(), [&]<class T>() {
    Map<T, E>(op, y, out, [](auto v) -> E {
      // An exponent of 2^63 or more has the parity of 2^63 - 2 there, and as little else matters.
      if constexpr (std::is_same_v<E, int64_t> && std::is_same_v<decltype(v), uint64_t>)
        return static_cast<int64_t>(v <= INT64_MAX ? v : INT64_MAX - 1 + v % 2);
      else
        return static_cast<E>(v);
    });
  });
  return out;
}

// Pow-15: X ^ Y in X's type; the exponent may have another. An integer base with a float exponent is computed
// in double and truncated.
void Pow(OpContext& op) {
  const Tensor& x = op.input(0);
  const Tensor& y = op.input(1);
  const Dims both[] = {x.dims(), y.dims()};
  Dims dims = BroadcastDims(op, both);
  const bool integer_exponent = Contains(kInts, y.type());
  constexpr int64_t kCost = 40;
  Dispatch<kPowBases>(op, x.type(), [&]<class T>() {
    Tensor& z = op.Output(0, x.type(), dims);
    if constexpr (std::is_integral_v<T>) {
      if (integer_exponent) {
        Zip<T, int64_t, T>(
            op, x, Exponents<int64_t>(op, y), z,
            [&](T base, int64_t exponent) {
              if (base == 0 && exponent < 0)
                op.Fail("0 cannot be raised to the negative power " + std::to_string(exponent) +
                        " in integers");
              return IntegerPower(base, exponent);
            },
            kCost);
      } else {
        Zip<T, double, T>(
            op, x, Exponents<double>(op, y), z,
            [](T base, double exponent) {
              return FromDouble<T>(std::pow(static_cast<double>(base), exponent), false);
            },
            kCost);
      }
    } else if (y.size() == 1 && y.AsDouble(0) == 2) {
      Map<T, T>(op, x, z, [](auto v) { return v * v; });  // exact, and the one that models have
    } else if (std::is_same_v<T, double> || (integer_exponent && HeldBytes(y.type()) >= 4) ||
               y.type() == kDouble) {
      Zip<T, double, T>(
          op, x, Exponents<double>(op, y), z,
          [](auto base, double exponent) {
            return static_cast<decltype(base)>(std::pow(static_cast<double>(base), exponent));
          },
          kCost);
    } else {
      Zip<T, float, T>(
          op, x, Exponents<float>(op, y), z,
          [](auto base, float exponent) { return static_cast<decltype(base)>(std::pow(base, exponent)); },
          kCost);
    }
  });
}

struct AsIs {
  template <class T>
  T operator()(T v) const {
    return v;
  }
};

// y = f(f(x0, x1), x2) ..., then `finish` of it: accumulated in the type of computation and rounded once at
// the end.
template <TypeSet Set, class F, class Finish>
void Fold(OpContext& op, const F& f, const Finish& finish) {
  const size_t n = op.input_count();
  op.Check(n > 0, "has no input");
  std::vector<Dims> shapes;
  for (size_t i = 0; i < n; ++i) {
    shapes.push_back(op.input(i).dims());
    CheckSameType(op, i);
  }
  const Dims dims = BroadcastDims(op, shapes);
  const int32_t type = op.input(0).type();
  Dispatch<Set>(op, type, [&]<class T>() {
    using C = Compute<T>;
    Tensor& y = op.Output(0, type, dims);
    if (n == 1) return Map<T, T>(op, op.input(0), y, finish);
    Tensor sum = std::is_same_v<C, T> ? y : Tensor(kTypeOf<C>, dims);
    Zip<T, T, C>(op, op.input(0), op.input(1), sum, f);
    for (size_t i = 2; i < n; ++i) Zip<C, T, C>(op, sum, op.input(i), sum, f);
    if (!std::is_same_v<C, T> || !std::is_same_v<Finish, AsIs>) Map<C, T>(op, sum, y, finish);
  });
}

// Max-13, Min-13: of one or more inputs; NaN where any of them is NaN.
void Max(OpContext& op) { Fold<kNumeric>(op, Larger(), AsIs()); }
void Min(OpContext& op) { Fold<kNumeric>(op, Smaller(), AsIs()); }
void Sum(OpContext& op) { Fold<kFloats>(op, Plus(), AsIs()); }
void Mean(OpContext& op) {
  Fold<kFloats>(op, Plus(), [n = op.input_count()]<class T>(T v) { return v / static_cast<T>(n); });
}

// Clip-13: Min(max, Max(input, min)), also where min > max. An absent bound bounds nothing.
void Clip(OpContext& op) {
  const Tensor& x = op.input(0);
  for (size_t i : {1, 2}) {
    if (!op.has(i)) continue;
    CheckSameType(op, i);
    op.Check(op.input(i).size() == 1, std::string(i == 1 ? "min" : "max") + " has shape " +
                                          DimsText(op.input(i).dims()) + ", not that of a scalar");
  }
  Dispatch<kNumeric>(op, x.type(), [&]<class T>() {
    using C = Compute<T>;
    Tensor& y = op.Output(0, x.type(), x.dims());
    const bool below = op.has(1), above = op.has(2);
    const C low = below ? static_cast<C>(op.input(1).data<T>()[0]) : C{};
    const C high = above ? static_cast<C>(op.input(2).data<T>()[0]) : C{};
    if (below && above)
      Map<T, T>(op, x, y, [low, high](C v) { return Smaller()(Larger()(v, low), high); });
    else if (below)
      Map<T, T>(op, x, y, [low](C v) { return Larger()(v, low); });
    else if (above)
      Map<T, T>(op, x, y, [high](C v) { return Smaller()(v, high); });
    else
      Map<T, T>(op, x, y, AsIs());
  });
}

}  // namespace

std::span<const OpEntry> BinaryMathOps() {
  static const OpEntry kOps[] = {
      {"", "Add", 14, Add, {kNumeric}},
      {"", "Sub", 14, Sub, {kNumeric}},
      {"", "Mul", 14, Mul, {kNumeric}},
      {"", "Div", 14, Div, {kNumeric}},
      {"", "Mod", 28, Mod, {kNumeric}, JudgeMod},
      {"", "Pow", 15, Pow, {kPowBases, kNumeric}},
      {"", "Max", 13, Max, {kNumeric}},
      {"", "Min", 13, Min, {kNumeric}},
      {"", "Sum", 13, Sum, {kFloats}},
      {"", "Mean", 13, Mean, {kFloats}},
      {"", "Clip", 13, Clip, {kNumeric}},
  };
  return kOps;
}

}  // namespace braid::reference
