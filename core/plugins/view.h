// SPDX-License-Identifier: Apache-2.0
//
// A core Graph, or some of its nodes, as the flat arrays that plugins read.
//
//   auto view = GraphView::Whole(graph);                       // for Query
//   auto part = GraphView::Segment(graph, nodes, {}, {});      // for Compile
//   part->value_of(part->raw()->inputs[0])                     // the graph's ValueId
//
// The view keeps the constants that it mentions; it does not keep the Graph. It does not move, and stays
// valid until it is destroyed. Control flow and other nodes of the host's own appear in a whole view without
// their graph attributes.
#ifndef BRAID_CORE_PLUGINS_VIEW_H_
#define BRAID_CORE_PLUGINS_VIEW_H_

#include <braid/plugin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/types/span.h"
#include "core/graph/graph.h"

namespace braid {

// What stands behind braid_graph.host_data: braid_host.constant asks it.
class ConstantProvider {
 public:
  virtual ~ConstantProvider() = default;
  // Null if the value is no constant of the graph.
  virtual std::shared_ptr<const Constant> constant(uint32_t value) const = 0;
};

struct ViewOptions {
  // For a cache key. It reads all constants, which costs time for large models.
  bool fingerprint = false;
};

class GraphView final : private ConstantProvider {
 public:
  static std::unique_ptr<GraphView> Whole(const Graph& graph, const ViewOptions& options = {});
  // Of the nodes given, in the order of the Graph whatever order they come in. Inputs: what they use and do
  // not make, but constants, in order of first use. Outputs: those given, or, if none are given, what nodes
  // outside or the Graph's outputs use, in order of making.
  static std::unique_ptr<GraphView> Segment(const Graph& graph, absl::Span<const NodeId> nodes,
                                            absl::Span<const ValueId> outputs,
                                            const ViewOptions& options = {});
  GraphView(const GraphView&) = delete;
  GraphView& operator=(const GraphView&) = delete;

  const braid_graph* raw() const { return &raw_; }
  uint32_t node_count() const { return raw_.node_count; }
  uint32_t value_count() const { return raw_.value_count; }
  absl::Span<const uint32_t> inputs() const { return inputs_; }  // indices of the view
  absl::Span<const uint32_t> outputs() const { return outputs_; }

  ValueId value_of(uint32_t value) const { return value_ids_[value]; }
  // kNone where the view does not have it.
  uint32_t index_of(ValueId value) const;

  std::shared_ptr<const Constant> constant(uint32_t value) const override;

 private:
  GraphView() = default;
  friend class ViewBuilder;
  braid_graph raw_{};
  std::vector<braid_node> nodes_;
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::vector<float> floats_;
  std::vector<braid_span> strings_, symbols_;
  std::string chars_;
  std::vector<ValueId> value_ids_;
  std::vector<uint32_t> indices_;                           // by ValueId
  std::vector<std::shared_ptr<const Constant>> constants_;  // by value
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_VIEW_H_
