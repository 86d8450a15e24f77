// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_RUN_GENERATED_H_
#define BRAID_CONFORMANCE_RUN_GENERATED_H_

#include <memory>

#include "conformance/case/case.h"
#include "conformance/run/job.h"
#include "conformance/run/target.h"

namespace braid::conformance {

// Makes the case, runs it, and judges the outputs of each run. `arithmetic`: what the device declares.
Result RunCase(const Case& c, Target& target, uint32_t arithmetic);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_GENERATED_H_
