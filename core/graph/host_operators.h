// SPDX-License-Identifier: Apache-2.0
//
// The operators that core runs itself, since plugins see only tensors and no graphs: control flow, and what
// makes, takes or looks into sequences, optionals and maps.
#ifndef BRAID_CORE_GRAPH_HOST_OPERATORS_H_
#define BRAID_CORE_GRAPH_HOST_OPERATORS_H_

#include <string_view>

#include "absl/types/span.h"

namespace braid {

struct HostOperator {
  std::string_view domain, op;
  // Whether the host runs it on tensors too; else only where an input or output is none.
  bool on_tensors = true;
};

absl::Span<const HostOperator> HostOperators();

// `on_tensors`: all inputs and outputs of the node are tensors.
bool IsHostOperator(std::string_view domain, std::string_view op, bool on_tensors);

}  // namespace braid

#endif  // BRAID_CORE_GRAPH_HOST_OPERATORS_H_
