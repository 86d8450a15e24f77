// SPDX-License-Identifier: Apache-2.0
//
// Function operators of the specification: a node in place of which its function's nodes can stand.
#ifndef BRAID_CORE_ONNX_EXPAND_H_
#define BRAID_CORE_ONNX_EXPAND_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/onnx/infer.h"
#include "core/onnx/scope.h"
#include "core/onnx/tensor.h"

namespace braid::loader {

// A copy of the scope in which the chosen nodes are expanded, one level deep; null if none could be.
// Functions that depend on types get those inferred. Bodies of control flow are left to their own models.
absl::StatusOr<std::shared_ptr<Scope>> ExpandScope(const Scope& scope, const Inferred& inferred,
                                                   Origin& origin, const std::map<std::string, int>& versions,
                                                   const std::function<bool(NodeId)>& chosen);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_EXPAND_H_
