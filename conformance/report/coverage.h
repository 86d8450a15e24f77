// SPDX-License-Identifier: Apache-2.0
//
// What the generated cases of a run reach of ONNX's schemas, and how much of that the device does.
#ifndef BRAID_CONFORMANCE_REPORT_COVERAGE_H_
#define BRAID_CONFORMANCE_REPORT_COVERAGE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "conformance/case/case.h"
#include "conformance/run/job.h"
#include "conformance/run/profile.h"

namespace braid::conformance {

struct Share {
  size_t all = 0;                    // that the schemas have
  size_t cases = 0;                  // of these, with a case that reaches it
  size_t taken = 0;                  // of these, where the device said yes to such a case
  size_t passed = 0;                 // of these, where no case that it took failed
  std::vector<std::string> missing;  // without a case
  std::vector<std::string> failed;   // taken, but not passed
};

struct Coverage {
  // Operator versions, by ONNX domain ("ai.onnx"): all that ever were.
  std::map<std::string, Share> versions;
  // The rest of the newest versions, by what it is: "type cells" (a type of a type variable), "type cells of
  // core's own" (those of sequences, optionals and maps, and of the operators that core runs on any device),
  // "attributes" (set, and where it is optional left out too), "optional inputs", "optional outputs" (present
  // in a case, and absent in one), "symbolic dims" (operators with a case whose extents are symbols that
  // change between runs).
  //
  // Types that are no tensors count where an input has the type variable: of outputs alone the cases do not
  // say them.
  std::vector<std::pair<std::string, Share>> shares;
};

// `results`: of the cases, in their order. One without an id was not run, and reaches nothing.
Coverage CoverageOf(const std::vector<Case>& cases, const std::vector<Result>& results,
                    const Profile& profile);

// The element types that a case is about: those that are not as in its plain case, else that of its first
// input, or output if it has none. "float16".
std::vector<std::string> TypesOf(const Case& c);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_COVERAGE_H_
