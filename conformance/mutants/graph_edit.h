// SPDX-License-Identifier: Apache-2.0
//
// The graph that a mutant compiles: a copy of the host's that it may change. Nodes, values and constants
// stay; attributes may go or get another number.
#ifndef BRAID_CONFORMANCE_MUTANTS_GRAPH_EDIT_H_
#define BRAID_CONFORMANCE_MUTANTS_GRAPH_EDIT_H_

#include <braid/kit/graph_copy.h>
#include <braid/kit/graph_view.h>

#include <string_view>

namespace braid::mutants {

class GraphEdit {
 public:
  explicit GraphEdit(const braid_graph* view);
  uint32_t node_count() const { return raw_.node_count; }
  kit::Node node(uint32_t i) const { return kit::Node(&raw_, i); }
  void Drop(uint32_t node, std::string_view attribute);
  void SetInt(uint32_t node, std::string_view attribute, int64_t value);   // where it is there
  void SetInts(uint32_t node, std::string_view attribute, int64_t value);  // all of its numbers
  const braid_graph* raw() const { return &raw_; }

 private:
  braid_attr* Find(uint32_t node, std::string_view attribute);
  kit::GraphCopy copy_;
  braid_graph raw_;
};

}  // namespace braid::mutants

#endif  // BRAID_CONFORMANCE_MUTANTS_GRAPH_EDIT_H_
