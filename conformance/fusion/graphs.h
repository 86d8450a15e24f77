// SPDX-License-Identifier: Apache-2.0
//
// Graphs of several nodes: the patterns that devices fuse, and what must not be fused. Each is run whole,
// with each of its inner values as an output of the graph too, and cut in two devices; all must agree with
// the oracle, which knows no fusion.
#ifndef BRAID_CONFORMANCE_FUSION_GRAPHS_H_
#define BRAID_CONFORMANCE_FUSION_GRAPHS_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case/case.h"

namespace braid::conformance {

struct GraphCase {
  std::string_view name;
  // A graph in ONNX's text form, of opset 28: "(T[1,8,9,9] x, T[8,8,3,3] w_a) => (T[1,8,9,9] y) { ... }".
  // Inputs whose name begins with w_ become constants. T is the element type, float where it is not varied.
  std::string_view text;
  std::map<std::string_view, Values> values;  // of inputs that are not drawn as Spread(2)
  bool float_only = false;                    // its types are as written
};
std::span<const GraphCase> GraphCases();
const GraphCase* FindGraphCase(std::string_view name);

// How it is run, part of the case's id: fusion/NAME/T=float16,VARIANT
struct GraphVariant {
  enum Kind { kWhole, kInner, kCut } kind = kWhole;
  int which = 0;  // of kInner: the node whose first output is given out; of kCut: the placement's seed
  std::string Text() const;  // "whole", "inner=2", "cut=1"
};
// All variants of one graph.
std::vector<GraphVariant> VariantsOf(const GraphCase& graph);
// Throws std::runtime_error where the text is wrong.
BuiltCase Build(const GraphCase& graph, int32_t type, const GraphVariant& variant);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_FUSION_GRAPHS_H_
