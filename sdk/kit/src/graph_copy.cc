// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/graph_copy.h>
#include <braid/kit/struct.h>

namespace braid::kit {
namespace {

// Structs of the other side's length into ours.
template <class T>
std::vector<T> Structs(const void* data, uint32_t count, uint32_t stride) {
  StructArray<T> from(data, count, stride);
  std::vector<T> out;
  out.reserve(from.size());
  for (uint32_t i = 0; i < from.size(); ++i) out.push_back(from[i]);
  return out;
}

template <class T>
std::vector<T> Plain(const T* data, uint32_t count) {
  return data == nullptr ? std::vector<T>() : std::vector<T>(data, data + count);
}

}  // namespace

GraphCopy::GraphCopy(const braid_graph* view)
    : nodes_(
          Structs<braid_node>(view->nodes, view->node_count + Receive(view).older_count, view->node_stride)),
      values_(Structs<braid_value>(view->values, view->value_count, view->value_stride)),
      attrs_(Structs<braid_attr>(view->attrs, view->attr_count, view->attr_stride)),
      dims_(Structs<braid_dim>(view->dims, view->dim_count, view->dim_stride)),
      refs_(Plain(view->refs, view->ref_count)),
      inputs_(Plain(view->inputs, view->input_count)),
      outputs_(Plain(view->outputs, view->output_count)),
      ints_(Plain(view->ints, view->int_count)),
      floats_(Plain(view->floats, view->float_count)),
      strings_(Plain(view->strings, view->string_count)),
      symbols_(Plain(view->symbols, view->symbol_count)),
      chars_(view->chars == nullptr ? "" : std::string(view->chars, view->char_count)),
      raw_(Receive(view)) {
  raw_.nodes = nodes_.data();
  raw_.node_stride = sizeof(braid_node);
  raw_.values = values_.data();
  raw_.value_stride = sizeof(braid_value);
  raw_.attrs = attrs_.data();
  raw_.attr_stride = sizeof(braid_attr);
  raw_.dims = dims_.data();
  raw_.dim_stride = sizeof(braid_dim);
  raw_.refs = refs_.data();
  raw_.inputs = inputs_.data();
  raw_.outputs = outputs_.data();
  raw_.ints = ints_.data();
  raw_.floats = floats_.data();
  raw_.strings = strings_.data();
  raw_.symbols = symbols_.data();
  raw_.chars = chars_.data();
  raw_.host_data = nullptr;
}

}  // namespace braid::kit
