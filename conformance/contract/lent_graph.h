// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_
#define BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_

#include <braid/plugin.h>

#include <cstring>

#include "conformance/contract/host_memory.h"

namespace braid::conformance {

// A copy of a graph that can be taken away: once it is forbidden, who reads it, or anything that it points
// to, is stopped by SIGSEGV. What stands behind host_data stays.
class LentGraph {
 public:
  explicit LentGraph(const braid_graph& from) : memory_(Lay(from, nullptr), true) {
    Lay(from, memory_.data());
  }
  const braid_graph& view() const { return *reinterpret_cast<const braid_graph*>(memory_.data()); }
  void Forbid() { memory_.Forbid(); }

 private:
  // The graph and its arrays one after the other at `to`, if there is one; the bytes that they take.
  static uint64_t Lay(const braid_graph& g, uint8_t* to) {
    uint64_t used = 0;
    const auto lay = [&](const auto* array, uint64_t bytes) {
      uint8_t* at = to == nullptr ? nullptr : to + used;
      if (at != nullptr && bytes > 0) std::memcpy(at, array, bytes);
      used += (bytes + 15) / 16 * 16;
      return reinterpret_cast<decltype(array)>(at);
    };
    braid_graph copy = g;
    lay(&copy, sizeof copy);
    copy.nodes = lay(g.nodes, uint64_t{g.node_stride} * (uint64_t{g.node_count} + g.older_count));
    copy.values = lay(g.values, uint64_t{g.value_stride} * g.value_count);
    copy.attrs = lay(g.attrs, uint64_t{g.attr_stride} * g.attr_count);
    copy.dims = lay(g.dims, uint64_t{g.dim_stride} * g.dim_count);
    copy.refs = lay(g.refs, sizeof *g.refs * uint64_t{g.ref_count});
    copy.ints = lay(g.ints, sizeof *g.ints * uint64_t{g.int_count});
    copy.floats = lay(g.floats, sizeof *g.floats * uint64_t{g.float_count});
    copy.strings = lay(g.strings, sizeof *g.strings * uint64_t{g.string_count});
    copy.symbols = lay(g.symbols, sizeof *g.symbols * uint64_t{g.symbol_count});
    copy.chars = lay(g.chars, g.char_count);
    copy.inputs = lay(g.inputs, sizeof *g.inputs * uint64_t{g.input_count});
    copy.outputs = lay(g.outputs, sizeof *g.outputs * uint64_t{g.output_count});
    if (to != nullptr) std::memcpy(to, &copy, sizeof copy);
    return used;
  }
  HostMemory memory_;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_LENT_GRAPH_H_
