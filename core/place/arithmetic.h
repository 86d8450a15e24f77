// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_PLACE_ARITHMETIC_H_
#define BRAID_CORE_PLACE_ARITHMETIC_H_

#include <cstdint>

#include "core/graph/graph.h"

namespace braid {

// How much a node does, by its types: what a first cost model and the reports stand on.
struct Arithmetic {
  // Of the sums of products: Conv, MatMul, Gemm, recurrent, Attention; 0 for the others.
  double multiply_adds = 0;
  double elements = 0;  // of its largest output or input
  uint64_t bytes = 0;   // read and written, constants included
  bool known = true;    // false: an extent is unknown, and counted as 1
};
Arithmetic CountArithmetic(const Graph& graph, const Node& node);

// Bytes of a value of static type; with unknown extents counted as 1.
uint64_t ValueBytes(const Value& value);

}  // namespace braid

#endif  // BRAID_CORE_PLACE_ARITHMETIC_H_
