// SPDX-License-Identifier: Apache-2.0
//
// Cases from ONNX's schemas and the operators' domains. For each version of each operator: the plain case,
// one for each type of each type variable, one for each option of each choice and circumstance, and as many
// more as pairs of options need. The same on every machine.
#ifndef BRAID_CONFORMANCE_CASE_GENERATE_H_
#define BRAID_CONFORMANCE_CASE_GENERATE_H_

#include <vector>

#include "conformance/case/case.h"

namespace braid::conformance {

// Of one operator's version, at `level` and below; empty if it has no domain, or is deprecated.
std::vector<Case> Generate(const OperatorVersion& op, Level level);
std::vector<Case> GenerateAll(Level level);
// The case of that id. Throws std::runtime_error that says what is wrong with the id.
Case CaseOf(const std::string& id);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_GENERATE_H_
