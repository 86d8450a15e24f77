// SPDX-License-Identifier: Apache-2.0
//
// The operators of a device as a table: which versions and types it knows, what else it asks of a node, and a
// function that runs or lowers it, of whatever type the plugin likes.
//
//   using Lower = void (*)(const kit::Node&, Program*);
//   const kit::Registry<Lower> kOperators({
//       {{.op = "Relu", .oldest = 6, .newest = 14, .inputs = {{kit::kFloat32}}}, LowerRelu},
//       {{.op = "Conv", .oldest = 1, .newest = 22, .inputs = {{kit::kFloat32}}, .judge = JudgeConv},
//       LowerConv},
//   });
//   void Query(view, options, verdicts) override { kOperators.Query(view, verdicts); }
//   const auto* entry = kOperators.Find(node);
//   entry->lower(kit::FormFor(entry->rule, node), &program);
#ifndef BRAID_KIT_REGISTRY_H_
#define BRAID_KIT_REGISTRY_H_

#include <braid/kit/graph_view.h>
#include <braid/kit/types.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid::kit {

// A yes, or why not: the code, and the input or attribute to blame.
struct Judgement {
  int32_t code = BRAID_YES;
  std::string text;
  uint32_t input = BRAID_NONE, attr = BRAID_NONE;
};

// What a node must be like, before anything is lowered.
struct Rule {
  std::string_view domain = "";
  std::string_view op;
  // The versions of the operator that the function implements. A node is known where one of them lies within
  // its [min_version, version], or that of an older form; `judge` is given the form.
  int32_t oldest = 1, newest = 1;
  // Types allowed for each input; the last holds for all that follow. Absent inputs are not judged.
  std::vector<TypeSet> inputs = {};
  // What else must hold; may be null. Called where the version and the types are right.
  Judgement (*judge)(const Node&) = nullptr;
};

// Judges by version, types and `judge`; the operator is the rule's.
Judgement Judge(const Rule& rule, const Node& node);
// The node in words that the rule's versions know; the node itself where there are none.
Node FormFor(const Rule& rule, const Node& node);
// NO_DYNAMIC unless every extent of every input and output is known: for a rule's `judge`.
Judgement NeedStaticShapes(const Node& node);
// Writes a judgement where query answers. A text that is too long is cut.
void Tell(const Judgement& judgement, braid_verdict* verdict);

template <class Lower>
class Registry {
 public:
  struct Entry {
    Rule rule;
    Lower lower;
  };
  Registry(std::initializer_list<Entry> entries) : entries_(entries) {}

  // The first entry of the operator that knows the node's version, or else one that knows an older form of it
  // (FormFor gives that), or else its first; null if there is none.
  const Entry* Find(const Node& node) const {
    const Entry* first = nullptr;
    for (std::optional<Node> form = node; form; form = form->older()) {
      for (const Entry& entry : entries_) {
        if (entry.rule.op != node.op() || entry.rule.domain != node.domain()) continue;
        if (entry.rule.oldest <= form->version() && entry.rule.newest >= form->min_version()) return &entry;
        if (first == nullptr) first = &entry;
      }
    }
    return first;
  }
  Judgement JudgeNode(const Node& node) const {
    const Entry* entry = Find(node);
    if (entry == nullptr) return {BRAID_NO_OP, std::string(node.op()) + " is not implemented"};
    return Judge(entry->rule, node);
  }
  void Query(const braid_graph* view, std::vector<braid_verdict>& verdicts) const {
    const Graph graph(view);
    for (uint32_t i = 0; i < graph.node_count(); ++i) Tell(JudgeNode(graph.node(i)), &verdicts[i]);
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace braid::kit

#endif  // BRAID_KIT_REGISTRY_H_
