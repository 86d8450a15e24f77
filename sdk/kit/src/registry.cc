// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/registry.h>

#include <algorithm>
#include <cstring>

namespace braid::kit {

Node FormFor(const Rule& rule, const Node& node) {
  return node.Form(rule.oldest, rule.newest).value_or(node);
}

Judgement Judge(const Rule& rule, const Node& given) {
  const std::string op(rule.op);
  const Node node = FormFor(rule, given);
  if (rule.newest < node.min_version() || rule.oldest > node.version()) {
    const std::string versions = rule.oldest == rule.newest
                                     ? std::to_string(rule.newest)
                                     : std::to_string(rule.oldest) + " to " + std::to_string(rule.newest);
    return {BRAID_NO_OPSET, op + " of version " + versions + " is implemented; this node needs " +
                                std::to_string(node.min_version())};
  }
  for (uint32_t i = 0; i < node.input_count() && !rule.inputs.empty(); ++i) {
    if (!node.has_input(i)) continue;
    const TypeSet& types = rule.inputs[std::min<size_t>(i, rule.inputs.size() - 1)];
    if (!types.has(node.input_value(i).type()))
      return {BRAID_NO_TYPE, op + " takes " + types.Text() + ", not " + TypeName(node.input_value(i).type()),
              i};
  }
  if (rule.judge == nullptr) return {};
  Judgement judgement = rule.judge(node);
  // Verdicts count the attributes of the newest form.
  if (node.is_older()) judgement.attr = BRAID_NONE;
  return judgement;
}

Judgement NeedStaticShapes(const Node& node) {
  for (uint32_t i = 0; i < node.input_count(); ++i)
    if (node.has_input(i) && !node.input_value(i).is_static())
      return {BRAID_NO_DYNAMIC, "the shape of input " + std::to_string(i) + " must be known", i};
  for (uint32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i) && !node.output_value(i).is_static())
      return {BRAID_NO_DYNAMIC, "the shape of output " + std::to_string(i) + " must be known"};
  return {};
}

void Tell(const Judgement& judgement, braid_verdict* verdict) {
  verdict->code = judgement.code;
  verdict->input = judgement.input;
  verdict->attr = judgement.attr;
  std::strncpy(verdict->detail, judgement.text.c_str(), sizeof verdict->detail - 1);
}

}  // namespace braid::kit
