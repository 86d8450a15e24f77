// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_
#define BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_

#include <braid/plugin.h>

#include <cstring>

#include "conformance/contract/host_memory.h"
#include "core/plugins/isolate/wire.h"

namespace braid::conformance {

// A copy of a graph that can be taken away: once it is forbidden, who reads it, or anything that it points
// to, is stopped by SIGSEGV. What stands behind host_data stays.
class LentGraph {
 public:
  explicit LentGraph(const braid_graph& from) : memory_(isolate::FlatBytes(from), true) {
    isolate::Flatten(from, memory_.data());
    braid_graph copy = isolate::Unflatten(memory_.data());
    copy.host_data = from.host_data;
    std::memcpy(memory_.data(), &copy, sizeof copy);
  }
  const braid_graph& view() const { return *reinterpret_cast<const braid_graph*>(memory_.data()); }
  void Forbid() { memory_.Forbid(); }

 private:
  HostMemory memory_;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_
