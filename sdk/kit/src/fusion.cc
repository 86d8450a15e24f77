// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/fusion.h>

#include <algorithm>

namespace braid::kit {
namespace {

// Who reads each value, and how often.
struct Readers {
  explicit Readers(const Graph& graph)
      : count(graph.value_count(), 0), last(graph.value_count(), BRAID_NONE) {
    for (uint32_t n = 0; n < graph.node_count(); ++n) {
      const Node node = graph.node(n);
      for (uint32_t i = 0; i < node.input_count(); ++i) {
        if (!node.has_input(i)) continue;
        ++count[node.input(i)];
        last[node.input(i)] = n;
      }
    }
  }
  std::vector<uint32_t> count, last;
};

bool Fits(const Node& node, const PatternNode& link, uint32_t input) {
  if (node.op() != link.op || node.domain() != link.domain) return false;
  if (input != BRAID_NONE && link.input != BRAID_NONE && input != link.input) return false;
  if (link.others == Others::kConstant)
    for (uint32_t i = 0; i < node.input_count(); ++i)
      if (i != input && node.has_input(i) && !node.input_value(i).is_constant()) return false;
  return !link.where || link.where(node, input);
}

// The group that the pattern makes from `first` on; without nodes if it does not match.
Group Match(const Graph& graph, const Readers& readers, const std::vector<bool>& taken,
            const Pattern& pattern, uint32_t first) {
  Group group{&pattern, {}, {}};
  uint32_t at = first, input = BRAID_NONE;
  for (size_t k = 0; k < pattern.chain.size(); ++k) {
    const Node node = graph.node(at);
    if (taken[at] || !Fits(node, pattern.chain[k], input)) return {};
    group.nodes.push_back(at);
    group.inputs.push_back(input);
    if (k + 1 == pattern.chain.size()) return group;
    // Between two nodes of the chain: one value, one reader, and the node makes nothing else.
    for (uint32_t i = 1; i < node.output_count(); ++i)
      if (node.has_output(i)) return {};
    if (!node.has_output(0)) return {};
    const Value inner = node.output_value(0);
    if (inner.is_output() || readers.count[inner.index()] != 1) return {};
    at = readers.last[inner.index()];
    for (input = 0; graph.node(at).input(input) != inner.index();) ++input;
  }
  return {};
}

}  // namespace

std::vector<Group> FindGroups(const Graph& graph, std::span<const Pattern> patterns) {
  const Readers readers(graph);
  std::vector<bool> taken(graph.node_count(), false);
  std::vector<Group> groups;
  for (const Pattern& pattern : patterns)
    for (uint32_t n = 0; n < graph.node_count(); ++n) {
      Group group = Match(graph, readers, taken, pattern, n);
      if (group.nodes.empty()) continue;
      for (const uint32_t node : group.nodes) taken[node] = true;
      groups.push_back(std::move(group));
    }
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    if (!taken[n]) groups.push_back({nullptr, {n}, {BRAID_NONE}});
  // Where its last node stands all inputs of a group are there, and its one result is read only later.
  std::sort(groups.begin(), groups.end(),
            [](const Group& a, const Group& b) { return a.nodes.back() < b.nodes.back(); });
  return groups;
}

}  // namespace braid::kit
