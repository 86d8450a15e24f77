// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_RUN_GENERATED_H_
#define BRAID_CONFORMANCE_RUN_GENERATED_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/case/case.h"
#include "conformance/run/job.h"
#include "conformance/run/target.h"

namespace braid::conformance {

// What an error of the device is for the report.
void Tell(const TargetError& e, Result* result);
// Runs what `build` makes and judges the outputs of each run. Fills outcome, text, worst and basis.
Result RunBuilt(const std::function<BuiltCase()>& build, Target& target, uint32_t arithmetic);
// Makes the case, runs it, and judges the outputs of each run. `arithmetic`: what the device declares.
Result RunCase(const Case& c, Target& target, uint32_t arithmetic);

// Graphs of several nodes (fusion/graphs.h).
std::vector<Job> FusionJobs(const TargetMaker& make, uint32_t arithmetic);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_GENERATED_H_
