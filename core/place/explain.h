// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_PLACE_EXPLAIN_H_
#define BRAID_CORE_PLACE_EXPLAIN_H_

#include <string>

#include "core/place/placement.h"

namespace braid {

// One line: what runs where, and why something does not run on an accelerator that is there.
std::string SummaryOf(const Placement& placement);
// Why nodes are not on the other devices: a line for each reason with the nodes that it holds for, the most
// frequent first, no more than `limit` and a line that counts the rest. "" where there is no other device.
std::string ReasonsOf(const Placement& placement, size_t limit);
// Segments, then each node that a device refused with its reason.
std::string TextOf(const Placement& placement);
// All of it; docs/reference/plan.md has the schema.
std::string JsonOf(const Placement& placement);

}  // namespace braid

#endif  // BRAID_CORE_PLACE_EXPLAIN_H_
