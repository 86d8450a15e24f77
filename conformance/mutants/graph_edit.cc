// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/graph_edit.h"

namespace braid::mutants {

GraphEdit::GraphEdit(const braid_graph* view) : copy_(view), raw_(*copy_.raw()) {
  raw_.host_data = view->host_data;  // the host finds constants by it
}

// The copy's arrays are its own and were made as vectors: only the view of them is constant.
braid_attr* GraphEdit::Find(uint32_t node, std::string_view attribute) {
  return const_cast<braid_attr*>(this->node(node).attribute(attribute));
}

void GraphEdit::Drop(uint32_t index, std::string_view attribute) {
  braid_attr* found = Find(index, attribute);
  if (found == nullptr) return;
  auto& raw = const_cast<braid_node&>(node(index).raw());
  const auto* last =
      BRAID_AT(braid_attr, raw_.attrs, raw_.attr_stride, raw.attrs.first + raw.attrs.count - 1);
  *found = *last;
  --raw.attrs.count;
}

void GraphEdit::SetInt(uint32_t node, std::string_view attribute, int64_t value) {
  if (braid_attr* found = Find(node, attribute)) found->i = value;
}

void GraphEdit::SetInts(uint32_t node, std::string_view attribute, int64_t value) {
  if (const braid_attr* found = Find(node, attribute))
    for (uint32_t i = 0; i < found->list.count; ++i)
      const_cast<int64_t*>(raw_.ints)[found->list.first + i] = value;
}

}  // namespace braid::mutants
