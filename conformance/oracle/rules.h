// SPDX-License-Identifier: Apache-2.0
//
// How errors arise in each operator, by kind. An operator that is in no list and has a float output is
// `kSampled`; one whose output is no float is exact.
#ifndef BRAID_CONFORMANCE_ORACLE_RULES_H_
#define BRAID_CONFORMANCE_ORACLE_RULES_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace braid::conformance {

struct Rule {
  enum Kind {
    kExact,      // moves, counts, compares: errors of inputs move along
    kPointwise,  // each element of the output from one of each input: `ulps` of the output's type, and
                 // what the inputs' errors make of it, tried at their ends
    kDot,        // sums of products, linear in each input of `linear`
    kMagnitude,  // like kPointwise, but with cancellation: `ulps` of what the operator gives for the
                 // absolute values of its inputs, those in `negated` negative
    kCode,       // rounds to codes (quantization): the code for the inputs as they are, and where it hangs on
                 // their last bits what it is for inputs a little larger and smaller
    kBody,       // as ONNX's function body
    kSampled,    // the operator is evaluated with inputs off by a unit in the last place, several times: the
                 // largest difference in the output, `factor` times
  };
  Kind kind = kSampled;
  double ulps = 1;
  double absolute =
      0;  // of kPointwise: and so many units in the last place of 1, where the text's own form cancels
  std::vector<uint32_t> linear = {};
  std::vector<uint32_t> negated = {};
  double factor = 24;
  std::vector<uint32_t> places =
      {};  // of kSampled: inputs that are places in a tensor: off by a unit of its extents
  std::vector<uint32_t> keep = {};  // inputs that stay in their own type: scales, factors
  // Of kSampled: sums of more than 1,024 terms may be made one term after the other, which no sample shows.
  // How many terms there are (elements of the first input, also for each output element, or its largest
  // extent) and what their error is relative to: the element, the largest of its row, or, where a logarithm
  // follows, at least 1.
  enum LongSum { kNoSum, kOfElements, kOfElementsPerOutput, kOfExtent } long_sum = kNoSum;
  enum Scale { kOfValue, kOfRow, kOfOne } scale = kOfValue;
  // Of kDot: additions for each output element. 0: what the operator gives for inputs of ones.
  enum Terms { kOfOnes, kInputsPerOutput, kInputs } terms = kOfOnes;
};

const Rule& RuleOf(std::string_view domain, std::string_view op);
// Whether that is the rule of operators that no table names.
bool IsDefault(const Rule& rule);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_ORACLE_RULES_H_
