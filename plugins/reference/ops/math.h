// SPDX-License-Identifier: Apache-2.0
//
// The parts of the mathematical operators' family, which math.cc joins.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_MATH_H_
#define BRAID_PLUGINS_REFERENCE_OPS_MATH_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

std::span<const OpEntry> UnaryMathOps();   // math_unary.cc: Abs, Exp, Sin, Round, IsNaN ...
std::span<const OpEntry> BinaryMathOps();  // math_binary.cc: Add, Div, Mod, Pow, Max, Sum, Clip ...
std::span<const OpEntry> ComparisonOps();  // math_compare.cc: Equal, Less, And, BitwiseXor, BitShift ...

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_MATH_H_
