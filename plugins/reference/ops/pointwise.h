// SPDX-License-Identifier: Apache-2.0
//
// Loops over elements: Map (one input), Zip (two, broadcast). The type is dispatched by the caller, outside
// the loops; the loops themselves are contiguous wherever the shapes allow, in chunks that may run on several
// threads.
//
// The functions get and give the type in which an element is computed: float for float16, bfloat16 and
// float8, which are rounded once when they are stored; the type itself for the others.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_POINTWISE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_POINTWISE_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/op.h"

namespace braid::reference {

namespace internal {
template <class T>
struct ComputeOf {
  using type = T;
};
template <class S, int E, int M, int B, Specials K>
struct ComputeOf<SmallFloat<S, E, M, B, K>> {
  using type = float;
};
template <>
struct ComputeOf<Float8E8M0> {
  using type = float;
};
}  // namespace internal
template <class T>
using Compute = typename internal::ComputeOf<T>::type;

// An unsigned type in which sums and products of T wrap without promotion to a signed int on the way.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

// Arithmetic that wraps around for integers (two's complement) and is the machine's for floats.
struct Plus {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(a) + Wrapping<T>(b));
    else
      return a + b;
  }
};
struct Minus {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(a) - Wrapping<T>(b));
    else
      return a - b;
  }
};
struct Times {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(a) * Wrapping<T>(b));
    else
      return a * b;
  }
};
// The larger and the smaller; NaN if either is NaN. Two selections, which vectorise.
struct Larger {
  template <class T>
  T operator()(T a, T b) const {
    const T larger = a > b ? a : b;  // b, if a is NaN or b is
    if constexpr (std::is_integral_v<T>)
      return larger;
    else
      return a != a ? a : larger;
  }
};
struct Smaller {
  template <class T>
  T operator()(T a, T b) const {
    const T smaller = a < b ? a : b;
    if constexpr (std::is_integral_v<T>)
      return smaller;
    else
      return a != a ? a : smaller;
  }
};

// To the nearest integer, halves to the even one; -0, NaN and infinities stay. Adding 2^(digits - 1) makes
// the sum's last bit the unit; from there on every value is an integer already.
template <class T>
T RoundedToEven(T v) {
  constexpr T kUnitStep = static_cast<T>(uint64_t{1} << (std::numeric_limits<T>::digits - 1));
  const T magnitude = std::fabs(v);
  const T rounded = std::copysign((magnitude + kUnitStep) - kUnitStep, v);
  return magnitude < kUnitStep ? rounded : v;
}

// Calls body(begin, end) for chunks that cover [0, n), perhaps at once. `cost`: rough number of operations an
// element.
void ForChunks(const OpContext& op, int64_t n, int64_t cost,
               const std::function<void(int64_t, int64_t)>& body);

// y[i] = f(x[i]) for the tensors of one size. `cost`: rough number of operations of one f.
template <class In, class Out, class F>
void Map(const OpContext& op, const Tensor& x, Tensor& y, const F& f, int64_t cost = 1) {
  const In* from = x.data<In>();
  Out* to = y.data<Out>();
  ForChunks(op, x.size(), cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<Out>(f(static_cast<Compute<In>>(from[i])));
  });
}

// A run of `count` adjacent elements of the output from `at` on; input k's lie at offsets[k] and each
// inner[k] further.
struct PairRow {
  int64_t at, count;
  std::array<int64_t, 2> offsets, inner;
};
// ForEachRow (broadcast.h) for two inputs, split over the first axis that has an extent so that parts may run
// at once.
void ForEachPairRow(const OpContext& op, const Dims& out, const Dims& a, const Dims& b, int64_t cost,
                    const std::function<void(const PairRow&)>& row);

// c[i] = f(a[i * step_a], b[i * step_b]) for i in [0, n).
template <class A, class B, class C, class F>
void ZipRow(const A* a, int64_t step_a, const B* b, int64_t step_b, C* c, int64_t n, const F& f) {
  using CA = Compute<A>;
  using CB = Compute<B>;
  if (step_a == 1 && step_b == 1) {
    for (int64_t i = 0; i < n; ++i) c[i] = static_cast<C>(f(static_cast<CA>(a[i]), static_cast<CB>(b[i])));
  } else if (step_a == 1 && step_b == 0) {
    const CB same = static_cast<CB>(b[0]);
    for (int64_t i = 0; i < n; ++i) c[i] = static_cast<C>(f(static_cast<CA>(a[i]), same));
  } else if (step_a == 0 && step_b == 1) {
    const CA same = static_cast<CA>(a[0]);
    for (int64_t i = 0; i < n; ++i) c[i] = static_cast<C>(f(same, static_cast<CB>(b[i])));
  } else {
    for (int64_t i = 0; i < n; ++i)
      c[i] = static_cast<C>(f(static_cast<CA>(a[i * step_a]), static_cast<CB>(b[i * step_b])));
  }
}

// c = f(a, b), broadcast to c's dims.
template <class A, class B, class C, class F>
void Zip(const OpContext& op, const Tensor& a, const Tensor& b, Tensor& c, const F& f, int64_t cost = 1) {
  const A* from_a = a.data<A>();
  const B* from_b = b.data<B>();
  C* to = c.data<C>();
  ForEachPairRow(op, c.dims(), a.dims(), b.dims(), cost, [&](const PairRow& row) {
    ZipRow(from_a + row.offsets[0], row.inner[0], from_b + row.offsets[1], row.inner[1], to + row.at,
           row.count, f);
  });
}

// That input i is of the type that input 0 has: T's binding.
inline void CheckSameType(const OpContext& op, size_t i) {
  if (op.has(i) && op.input(i).type() != op.input(0).type())
    op.Fail("input " + std::to_string(i) + " is " + TypeName(op.input(i).type()) + ", input 0 is " +
            TypeName(op.input(0).type()) + "; they must have one type");
}

// Runs f.operator()<T>() for the type, or fails with an error that names it.
template <TypeSet Set, class F>
void Dispatch(const OpContext& op, int32_t type, const F& f) {
  if (!DispatchIn<Set>(type, f)) op.Fail("does not take type " + TypeName(type));
}

// The output has the input's type and dims; f maps an element. For a whole operator of one input.
template <TypeSet Set, class F>
void Unary(OpContext& op, const F& f, int64_t cost = 1) {
  const Tensor& x = op.input(0);
  Dispatch<Set>(op, x.type(),
                [&]<class T>() { Map<T, T>(op, x, op.Output(0, x.type(), x.dims()), f, cost); });
}

// The output has the common dims; f maps a pair of elements of one type T to a T.
template <TypeSet Set, class F>
void Binary(OpContext& op, const F& f, int64_t cost = 1) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  CheckSameType(op, 1);
  const Dims both[] = {a.dims(), b.dims()};
  Dims dims = BroadcastDims(op, both);
  Dispatch<Set>(op, a.type(),
                [&]<class T>() { Zip<T, T, T>(op, a, b, op.Output(0, a.type(), std::move(dims)), f, cost); });
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_POINTWISE_H_
