// SPDX-License-Identifier: Apache-2.0
//
// ONNX's own test cases, as cases of the conformance suite: kind "official".
#ifndef BRAID_TOOLS_BRAID_OFFICIAL_H_
#define BRAID_TOOLS_BRAID_OFFICIAL_H_

#include <memory>
#include <string>
#include <vector>

#include "conformance/run/suite.h"
#include "tools/braid/cases.h"

namespace braid::cli {

// Of the cases in or below `dirs` those that are selected. A listed failure is waived, with the list's
// reason; a listed case that passes is stale.
std::vector<conformance::Job> OfficialJobs(const std::vector<std::string>& dirs,
                                           const std::shared_ptr<const KnownFailures>& known,
                                           const conformance::Selection& selection,
                                           const conformance::SuiteTarget& target);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_OFFICIAL_H_
