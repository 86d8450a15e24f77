// SPDX-License-Identifier: Apache-2.0
//
// What a case's outputs must be: the reference operators evaluated in double, with a bound for each element
// of how far a device may be off.
//
// Operators that move, count or compare are exact: every bit is expected. Of the others the rule (rules.h)
// says how an error arises and how those of the inputs go through; what ONNX defines by a function body
// is evaluated as that body, step by step.
#ifndef BRAID_CONFORMANCE_ORACLE_ORACLE_H_
#define BRAID_CONFORMANCE_ORACLE_ORACLE_H_

#include <optional>
#include <string>
#include <vector>

#include "conformance/case/case.h"
#include "conformance/oracle/statistics.h"

namespace braid::conformance {

// Of one output.
struct Expected {
  int32_t type = 0;  // element type of a tensor
  Value exact;       // where every bit counts
  bool is_exact = true;
  // Else: double tensors of the output's shape.
  Tensor value, bound;
  // Of sums of products: the standard deviation that rounding gives an element, for the test of all of them;
  // absent for others.
  Tensor deviation;
  std::optional<Distribution> random;  // then nothing else
  // How it was made: "exact"; in double, "widened" by the operator's rule, "sampled" or by its "codes"; in
  // the output's "own type"; "statistics"; "reference" device.
  std::string basis;
};

// Throws std::runtime_error where the model cannot be evaluated.
std::vector<Expected> Expect(const BuiltCase& built, size_t run);

// "" if `got` is what was expected, else what is wrong. `arithmetic` is BRAID_ARITH_* as the device declares.
struct Verdict {
  std::string text;
  double worst = 0;  // the largest error in parts of its bound
};
Verdict Judge(const Value& got, const Expected& expected, uint32_t arithmetic);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_ORACLE_ORACLE_H_
