// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/compute.h"

namespace braid::reference {
namespace {

constexpr TypeSet kReal = kNumeric | Types(kBool);

// The signed integer of W's width.
template <class W>
using SignedOf = std::conditional_t<sizeof(W) == 4, int32_t, int64_t>;

// A float to an integer, without the undefined behaviour of values that do not fit.
template <class I>
I Truncate(double v) {
  if (std::isnan(v)) return 0;
  constexpr double kLow = static_cast<double>(std::numeric_limits<I>::min());
  constexpr double kHigh = static_cast<double>(std::numeric_limits<I>::max());
  if (v <= kLow) return std::numeric_limits<I>::min();
  if (v >= kHigh) return std::numeric_limits<I>::max();
  return static_cast<I>(v);
}

}  // namespace

template <class W>
Tensor As(const Tensor& t) {
  bool same = t.type() == kTypeOf<W> || (std::is_same_v<W, uint32_t> && t.type() == kInt32) ||
              (std::is_same_v<W, uint64_t> && t.type() == kInt64);
  if (same) return t;
  Tensor out(kTypeOf<W>, t.dims());
  W* to = out.data<W>();
  bool known = DispatchIn<kReal>(t.type(), [&]<class T>() {
    const T* from = t.data<T>();
    for (int64_t i = 0; i < t.size(); ++i) {
      if constexpr (std::is_integral_v<W> && !std::is_integral_v<T>)
        to[i] = static_cast<W>(Truncate<SignedOf<W>>(static_cast<double>(from[i])));
      else
        to[i] = static_cast<W>(from[i]);
    }
  });
  if (!known)
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "a tensor of " + TypeName(t.type()) + " is no tensor of numbers");
  return out;
}

template <class W>
void StoreAs(const W* values, int64_t count, Tensor& out, int64_t first) {
  bool known = DispatchIn<kReal>(out.type(), [&]<class T>() {
    T* to = out.data<T>() + first;
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<T, bool>)
        to[i] = values[i] != 0;
      else if constexpr (std::is_integral_v<T> && !std::is_integral_v<W>)
        to[i] = Truncate<T>(static_cast<double>(values[i]));
      else
        to[i] = static_cast<T>(values[i]);
    }
  });
  if (!known)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "a tensor of " + TypeName(out.type()) + " holds no numbers");
}

template Tensor As<float>(const Tensor&);
template Tensor As<double>(const Tensor&);
template Tensor As<uint32_t>(const Tensor&);
template Tensor As<uint64_t>(const Tensor&);
template void StoreAs<float>(const float*, int64_t, Tensor&, int64_t);
template void StoreAs<double>(const double*, int64_t, Tensor&, int64_t);
template void StoreAs<uint32_t>(const uint32_t*, int64_t, Tensor&, int64_t);
template void StoreAs<uint64_t>(const uint64_t*, int64_t, Tensor&, int64_t);

}  // namespace braid::reference
