// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/value.h"

#include <algorithm>
#include <cstring>

namespace braid::conformance {

Value Value::Sequence(int32_t type, std::vector<Tensor> tensors) {
  Value v;
  v.kind = GRAPH_SEQUENCE;
  v.type = type;
  for (Tensor& t : tensors) v.items.emplace_back(std::move(t));
  return v;
}

Value Value::Optional(Value item) {
  Value v;
  v.kind = GRAPH_OPTIONAL;
  v.type = item.kind == GRAPH_TENSOR ? item.tensor.type() : item.type;
  v.items.push_back(std::move(item));
  return v;
}

Value Value::None(int32_t type) {
  Value v;
  v.kind = GRAPH_OPTIONAL;
  v.type = type;
  return v;
}

graph_tensor Lent::Lend(const Value& value, const std::string& name) {
  graph_tensor out = GRAPH_TENSOR_INIT;
  names_.push_back(std::make_unique<std::string>(name));
  out.name = name.empty() ? nullptr : names_.back()->c_str();
  out.kind = value.kind;
  if (value.kind == GRAPH_TENSOR) {
    const Tensor& t = value.tensor;
    out.type = t.type();
    out.rank = static_cast<int32_t>(t.rank());
    std::copy(t.dims().begin(), t.dims().end(), out.dims);
    bytes_.push_back(std::make_unique<std::vector<char>>(t.WireBytes()));
    t.ToWire(bytes_.back()->data());
    out.data = bytes_.back()->data();
    out.bytes = bytes_.back()->size();
    return out;
  }
  out.type = value.type;
  items_.push_back(std::make_unique<std::vector<graph_tensor>>());
  std::vector<graph_tensor>& items = *items_.back();
  for (const Value& item : value.items) items.push_back(Lend(item));
  out.items = items.data();
  out.item_count = items.size();
  return out;
}

Value Copy(const graph_tensor& tensor) {
  Value out;
  out.kind = tensor.kind;
  out.type = tensor.type;
  if (tensor.kind == GRAPH_TENSOR) {
    out.tensor = Tensor::FromWire(tensor.type, Dims(tensor.dims, tensor.dims + tensor.rank), tensor.data,
                                  tensor.bytes, false);
  } else {
    for (uint64_t i = 0; i < tensor.item_count; ++i) out.items.push_back(Copy(tensor.items[i]));
  }
  return out;
}

}  // namespace braid::conformance
