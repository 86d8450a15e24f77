// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_SLOTS_H_
#define BRAID_CONFORMANCE_CONTRACT_SLOTS_H_

#include <braid/plugin.h>

namespace braid::conformance {

// A plugin's tables, each slot within a SlotMark. Of one plugin at a time: its slots call the newest.
struct NamedSlots {
  NamedSlots(const braid_device_fns& d, const braid_exec_fns& e, const braid_fence_fns& f);
  braid_device_fns device;
  braid_exec_fns exec;
  braid_fence_fns fence;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_SLOTS_H_
