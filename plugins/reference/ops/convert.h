// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_CONVERT_H_
#define BRAID_PLUGINS_REFERENCE_OPS_CONVERT_H_

#include <cmath>
#include <limits>
#include <type_traits>

namespace braid::reference {

// A double as T. Integers saturate, NaN becomes 0; `rounded` rounds them to the nearest (even) first, else
// they are cut off towards zero. bool: whether it is not 0 then.
template <class T>
T FromDouble(double value, bool rounded) {
  if constexpr (std::is_same_v<T, bool>) {
    return (rounded ? std::nearbyint(value) : value) != 0;
  } else if constexpr (std::is_integral_v<T>) {
    if (rounded) value = std::nearbyint(value);
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    // The double nearest to the greatest int64 is 2^63, which is none.
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_CONVERT_H_
