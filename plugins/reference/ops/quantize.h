// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_QUANTIZE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_QUANTIZE_H_

#include <limits>
#include <type_traits>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// A value that stands in units of the quantized type (rounded already, if that is an integer one) as that
// type. Integers saturate, NaN becomes the least; the float8 types saturate if `saturate`, the smaller ones
// always.
template <class Q>
Q ToQuantized(double v, bool saturate) {
  if constexpr (std::is_integral_v<Q>) {
    constexpr double kLow = std::numeric_limits<Q>::min(), kHigh = std::numeric_limits<Q>::max();
    return static_cast<Q>(v > kLow ? (v < kHigh ? v : kHigh) : kLow);
  } else if constexpr (requires { Q::kMin; }) {
    constexpr double kLow = Q::kMin, kHigh = Q::kMax;
    return Q(static_cast<int>(v > kLow ? (v < kHigh ? v : kHigh) : kLow));
  } else {
    return Q::From(v, saturate);
  }
}

std::span<const OpEntry> QuantizedMatMulOps();  // quantize_matmul.cc: MatMulInteger, QLinearMatMul

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_QUANTIZE_H_
