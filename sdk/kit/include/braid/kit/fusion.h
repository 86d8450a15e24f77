// SPDX-License-Identifier: Apache-2.0
//
// Chains of nodes that a device runs as one kernel, found by patterns:
//
//   const kit::Pattern kPatterns[] = {
//       {"ConvAddRelu", {{.op = "Conv"}, {.op = "Add", .others = kit::Others::kConstant}, {.op = "Relu"}}},
//       {"ConvRelu", {{.op = "Conv"}, {.op = "Relu"}}},
//   };
//   for (const kit::Group& group : kit::FindGroups(graph, kPatterns)) Lower(group);
//
// A chain matches where each node reads the first output of the one before it, nobody else reads that value,
// and it leaves no output of the graph. Patterns are tried in their order: the longer first.
#ifndef BRAID_KIT_FUSION_H_
#define BRAID_KIT_FUSION_H_

#include <braid/kit/graph_view.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace braid::kit {

enum class Others { kAny, kConstant };  // what a node's inputs beside the chained one must be

struct PatternNode {
  std::string_view op;
  std::string_view domain = "";
  // The input where the value of the node before comes in; BRAID_NONE: any one. Of the first node it means
  // nothing.
  uint32_t input = BRAID_NONE;
  Others others = Others::kAny;
  // What else must hold of the node, given the input where the chain comes in; may be left out.
  std::function<bool(const Node&, uint32_t input)> where = {};
};

struct Pattern {
  std::string_view name;
  std::vector<PatternNode> chain;
};

// Nodes that run as one, in order. pattern is null for a node that no pattern took.
struct Group {
  const Pattern* pattern;
  std::vector<uint32_t> nodes;
  // Of each node the input where the chain comes in; BRAID_NONE of the first.
  std::vector<uint32_t> inputs;
};

// Every node is in one group. Groups are in an order in which they can run.
std::vector<Group> FindGroups(const Graph& graph, std::span<const Pattern> patterns);

}  // namespace braid::kit

#endif  // BRAID_KIT_FUSION_H_
