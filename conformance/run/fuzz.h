// SPDX-License-Identifier: Apache-2.0
//
// Cases without end: what the domains allow in combinations, extents and data that no level has. Each has an
// id like that of a generated case, with a number of its own, from which it is made anew:
//
//   ai.onnx/Conv-22/T=float16,group=2,strides=2x1,~fuzz=72811
#ifndef BRAID_CONFORMANCE_RUN_FUZZ_H_
#define BRAID_CONFORMANCE_RUN_FUZZ_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "conformance/case/random.h"
#include "conformance/run/suite.h"

namespace braid::conformance {

class Fuzzer {
 public:
  // Of the operators of the profile whose ids the selection's globs may want. Throws std::invalid_argument if
  // there is none.
  Fuzzer(uint64_t seed, const Selection& selection);
  // The next cases, none of which was there before; fewer where a few operators have no more.
  std::vector<Case> Next(size_t count);

 private:
  bool Draw(const OperatorVersion& op, Case* c);
  void DrawChoices(const OperatorVersion& op, Case* c);

  Random random_;
  const Selection& selection_;
  std::vector<const OperatorVersion*> newest_, older_;
  std::set<std::string> ids_;
};

// Jobs of kind "fuzz" of the cases, which must stay as long as these.
std::vector<Job> FuzzJobs(const std::vector<Case>& cases, const SuiteTarget& target);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_FUZZ_H_
