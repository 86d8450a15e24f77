// SPDX-License-Identifier: Apache-2.0
//
// What cases hold: tensors, and sequences and optionals of such.
#ifndef BRAID_CONFORMANCE_CASE_VALUE_H_
#define BRAID_CONFORMANCE_CASE_VALUE_H_

#include <braid/graph.h>

#include <memory>
#include <string>
#include <vector>

#include "plugins/reference/ops/tensor.h"

namespace braid::conformance {

using reference::Dims;
using reference::Tensor;

struct Value {
  int32_t kind = GRAPH_TENSOR;
  Tensor tensor;
  std::vector<Value> items;  // of a sequence; of an optional: one or none; of a map: keys, values
  int32_t type = 0;          // of the tensors of a sequence or optional, also where it is empty
  Value() = default;
  Value(Tensor t) : tensor(std::move(t)) {}
  static Value Sequence(int32_t type, std::vector<Tensor> tensors);
  static Value Optional(Value item);
  static Value None(int32_t type);  // an optional of a tensor of that type, without one
};

// The value as graph.h takes it. The memory lies in `bytes` and `items`, which must stay.
class Lent {
 public:
  graph_tensor Lend(const Value& value, const std::string& name = "");

 private:
  std::vector<std::unique_ptr<std::vector<char>>> bytes_;
  std::vector<std::unique_ptr<std::vector<graph_tensor>>> items_;
  std::vector<std::unique_ptr<std::string>> names_;
};
// A copy of a result.
Value Copy(const graph_tensor& tensor);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_VALUE_H_
