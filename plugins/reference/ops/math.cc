// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/math.h"

namespace braid::reference {

std::span<const OpEntry> MathOps() {
  static const std::vector<OpEntry> ops = [] {
    std::vector<OpEntry> all;
    for (std::span<const OpEntry> part : {UnaryMathOps(), BinaryMathOps(), ComparisonOps()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return ops;
}

}  // namespace braid::reference
