// SPDX-License-Identifier: Apache-2.0
//
// The slot behind each message, and how long it may take.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_SLOTS_H_
#define BRAID_CORE_PLUGINS_ISOLATE_SLOTS_H_

#include <cstdint>

#include "core/plugins/isolate/wire.h"

namespace braid::isolate {

// "exec.submit"; "" for what is no slot.
const char* SlotName(Op op);
// From the call to its answer, or of a run from submit to its end, where it has no deadline of its own.
uint64_t DeadlineNs(Op op);
// BRAID_ISOLATE_DEADLINE_MS: that of all; 0: not set.
uint64_t DeadlineFromEnvironmentNs();

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_SLOTS_H_
