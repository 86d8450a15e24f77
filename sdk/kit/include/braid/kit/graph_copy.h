// SPDX-License-Identifier: Apache-2.0
//
// A braid_graph is gone when query, estimate or compile returns. What an executable needs of it later it
// copies:
//
//   kit::GraphCopy copy(view);
//   kit::Graph graph(copy.raw());   // valid as long as the copy
//
// Bytes of constants are not in it (Host::Constant gets them, from the original view), nor is host_data.
#ifndef BRAID_KIT_GRAPH_COPY_H_
#define BRAID_KIT_GRAPH_COPY_H_

#include <braid/plugin.h>

#include <string>
#include <vector>

namespace braid::kit {

class GraphCopy {
 public:
  explicit GraphCopy(const braid_graph* view);
  GraphCopy(const GraphCopy&) = delete;
  GraphCopy& operator=(const GraphCopy&) = delete;
  const braid_graph* raw() const { return &raw_; }

 private:
  std::vector<braid_node> nodes_;
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::vector<float> floats_;
  std::vector<braid_span> strings_, symbols_;
  std::string chars_;
  braid_graph raw_{};
};

}  // namespace braid::kit

#endif  // BRAID_KIT_GRAPH_COPY_H_
