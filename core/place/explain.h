// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_PLACE_EXPLAIN_H_
#define BRAID_CORE_PLACE_EXPLAIN_H_

#include <string>

#include "core/place/placement.h"

namespace braid {

// One line: what runs where, and why something does not run on an accelerator that is there.
std::string SummaryOf(const Placement& placement);
// Segments, then each node that a device refused with its reason.
std::string TextOf(const Placement& placement);
// All of it; docs/reference/plan.md has the schema.
std::string JsonOf(const Placement& placement);

}  // namespace braid

#endif  // BRAID_CORE_PLACE_EXPLAIN_H_
