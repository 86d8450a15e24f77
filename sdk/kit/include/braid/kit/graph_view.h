// SPDX-License-Identifier: Apache-2.0
//
// braid_graph with names:
//
//   kit::Graph graph(view);
//   for (uint32_t i = 0; i < graph.node_count(); ++i) Use(graph.node(i).op());
//
// Everything is a view: valid as long as the braid_graph is.
#ifndef BRAID_KIT_GRAPH_VIEW_H_
#define BRAID_KIT_GRAPH_VIEW_H_

#include <braid/plugin.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid::kit {

class Graph;

// A value of the graph: its type, dims and, for a constant, the key of its bytes (Host::Constant gets them).
class Value {
 public:
  Value(const braid_graph* graph, uint32_t index)
      : graph_(graph),
        index_(index),
        raw_(BRAID_AT(braid_value, graph->values, graph->value_stride, index)) {}
  uint32_t index() const { return index_; }
  std::string_view name() const { return {graph_->chars + raw_->name.first, raw_->name.count}; }
  braid_type type() const { return raw_->type; }
  int32_t rank() const { return raw_->rank; }  // -1: unknown
  const braid_dim& dim(int32_t i) const {
    return *BRAID_AT(braid_dim, graph_->dims, graph_->dim_stride, raw_->dims + static_cast<uint32_t>(i));
  }
  bool is_constant() const { return (raw_->flags & BRAID_VALUE_CONSTANT) != 0; }
  bool is_input() const { return (raw_->flags & BRAID_VALUE_INPUT) != 0; }
  bool is_output() const { return (raw_->flags & BRAID_VALUE_OUTPUT) != 0; }
  const braid_value& raw() const { return *raw_; }
  // Whether the rank and every extent are known.
  bool is_static() const {
    for (int32_t i = 0; i < rank(); ++i)
      if (dim(i).value < 0) return false;
    return rank() >= 0;
  }
  // The extents, -1 where not known. Empty if the rank is unknown.
  std::vector<int64_t> dims() const {
    std::vector<int64_t> out;
    for (int32_t i = 0; i < rank(); ++i) out.push_back(dim(i).value);
    return out;
  }
  // The product of the extents of a static value; saturates at INT64_MAX.
  int64_t element_count() const {
    int64_t n = 1;
    for (int32_t i = 0; i < rank(); ++i)
      if (__builtin_mul_overflow(n, dim(i).value, &n)) return INT64_MAX;
    return n;
  }

 private:
  const braid_graph* graph_;
  uint32_t index_;
  const braid_value* raw_;
};

// A node: its operator, inputs, outputs, and the attributes by name with the specification's default at the
// call.
class Node {
 public:
  Node(const braid_graph* graph, uint32_t index)
      : graph_(graph), index_(index), raw_(BRAID_AT(braid_node, graph->nodes, graph->node_stride, index)) {}
  uint32_t index() const { return index_; }  // in the graph, also of an older form
  std::string_view op() const { return chars(raw_->op); }
  std::string_view domain() const { return chars(raw_->domain); }
  std::string_view name() const { return chars(raw_->name); }
  // How messages call it: "Conv 'name'", or "Conv of 'first output'" where it has no name.
  std::string Label() const {
    if (!name().empty() || !has_output(0)) return std::string(op()) + " '" + std::string(name()) + "'";
    return std::string(op()) + " of '" + std::string(output_value(0).name()) + "'";
  }
  int32_t version() const { return raw_->version; }
  int32_t min_version() const { return raw_->min_version; }
  // The same node in the words of an older version, where they differ.
  std::optional<Node> older() const {
    if (graph_->older_count == 0 || raw_->older < graph_->node_count) return std::nullopt;
    Node form = *this;
    form.raw_ = BRAID_AT(braid_node, graph_->nodes, graph_->node_stride, raw_->older);
    return form;
  }
  // The node in the newest words that mean the same in one of these versions of its operator; nothing if
  // there are none.
  std::optional<Node> Form(int32_t oldest, int32_t newest) const {
    for (std::optional<Node> form = *this; form; form = form->older())
      if (oldest <= form->version() && newest >= form->min_version()) return form;
    return std::nullopt;
  }
  bool is_older() const { return raw_ != BRAID_AT(braid_node, graph_->nodes, graph_->node_stride, index_); }
  uint32_t input_count() const { return raw_->inputs.count; }
  uint32_t output_count() const { return raw_->outputs.count; }
  // Index of a value, or BRAID_NONE for an absent optional one (also beyond the last).
  uint32_t input(uint32_t i) const {
    return i < raw_->inputs.count ? graph_->refs[raw_->inputs.first + i] : BRAID_NONE;
  }
  uint32_t output(uint32_t i) const {
    return i < raw_->outputs.count ? graph_->refs[raw_->outputs.first + i] : BRAID_NONE;
  }
  bool has_input(uint32_t i) const { return input(i) != BRAID_NONE; }
  bool has_output(uint32_t i) const { return output(i) != BRAID_NONE; }
  Value input_value(uint32_t i) const { return Value(graph_, input(i)); }
  Value output_value(uint32_t i) const { return Value(graph_, output(i)); }

  const braid_attr* attribute(std::string_view name) const {
    for (uint32_t i = 0; i < raw_->attrs.count; ++i) {
      const braid_attr* a = BRAID_AT(braid_attr, graph_->attrs, graph_->attr_stride, raw_->attrs.first + i);
      if (chars(a->name) == name) return a;
    }
    return nullptr;
  }
  // Index of the attribute within the node, for braid_verdict.attr; BRAID_NONE if absent.
  uint32_t attribute_index(std::string_view name) const {
    for (uint32_t i = 0; i < raw_->attrs.count; ++i)
      if (chars(BRAID_AT(braid_attr, graph_->attrs, graph_->attr_stride, raw_->attrs.first + i)->name) ==
          name)
        return i;
    return BRAID_NONE;
  }
  bool has(std::string_view name) const { return attribute(name) != nullptr; }
  int64_t Int(std::string_view name, int64_t otherwise) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? a->i : otherwise;
  }
  float Float(std::string_view name, float otherwise) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? a->f : otherwise;
  }
  std::string_view String(std::string_view name, std::string_view otherwise) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? chars(a->list) : otherwise;
  }
  std::span<const int64_t> Ints(std::string_view name) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? std::span(graph_->ints + a->list.first, a->list.count) : std::span<const int64_t>();
  }
  std::span<const float> Floats(std::string_view name) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? std::span(graph_->floats + a->list.first, a->list.count) : std::span<const float>();
  }
  std::vector<std::string_view> Strings(std::string_view name) const {
    std::vector<std::string_view> out;
    if (const braid_attr* a = attribute(name))
      for (uint32_t i = 0; i < a->list.count; ++i) out.push_back(chars(graph_->strings[a->list.first + i]));
    return out;
  }
  // Index of the constant value that a TENSOR attribute holds; BRAID_NONE if absent.
  uint32_t Tensor(std::string_view name) const {
    const braid_attr* a = attribute(name);
    return a != nullptr ? a->tensor : BRAID_NONE;
  }
  const braid_graph* graph() const { return graph_; }
  const braid_node& raw() const { return *raw_; }

 private:
  std::string_view chars(braid_span s) const { return {graph_->chars + s.first, s.count}; }
  const braid_graph* graph_;
  uint32_t index_;
  const braid_node* raw_;
};

class Graph {
 public:
  explicit Graph(const braid_graph* view) : view_(view) {}
  uint32_t node_count() const { return view_->node_count; }
  uint32_t value_count() const { return view_->value_count; }
  Node node(uint32_t i) const { return Node(view_, i); }
  Value value(uint32_t i) const { return Value(view_, i); }
  std::span<const uint32_t> inputs() const { return {view_->inputs, view_->input_count}; }
  std::span<const uint32_t> outputs() const { return {view_->outputs, view_->output_count}; }
  const braid_graph* raw() const { return view_; }

 private:
  const braid_graph* view_;
};

}  // namespace braid::kit

#endif  // BRAID_KIT_GRAPH_VIEW_H_
