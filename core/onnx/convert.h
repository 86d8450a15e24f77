// SPDX-License-Identifier: Apache-2.0
//
// Scope and what was inferred of it -> Graph. Values and nodes have the same numbers in both.
#ifndef BRAID_CORE_ONNX_CONVERT_H_
#define BRAID_CORE_ONNX_CONVERT_H_

#include <memory>

#include "core/graph/graph.h"
#include "core/onnx/infer.h"
#include "core/onnx/scope.h"

namespace braid::loader {

// `inferred` null: types as declared.
std::shared_ptr<Graph> MakeGraph(const Scope& scope, const Inferred* inferred);

// Sets the types of a graph that was made of this scope, bodies included (which are copied).
void SetTypes(const Scope& scope, const Inferred* inferred, Graph* graph);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_CONVERT_H_
