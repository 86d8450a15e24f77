// SPDX-License-Identifier: Apache-2.0
//
// Shape inference over a Scope: ONNX's own inference functions and data propagation, node by node in one
// pass, with small values computed on the way (shape_values.h), so that what is computed from shapes is known
// where shapes are.
#ifndef BRAID_CORE_ONNX_INFER_H_
#define BRAID_CORE_ONNX_INFER_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/onnx/scope.h"

namespace braid::loader {

struct Inferred {
  std::vector<pb::TypeProto> types;                           // of each value
  std::vector<std::shared_ptr<const pb::TensorProto>> known;  // values that are known and small
  // (node, index of body) -> its types. Absent: the body was not reached.
  std::map<std::pair<NodeId, size_t>, std::shared_ptr<const Inferred>> bodies;
};

struct InferInput {
  pb::TypeProto type;
  std::shared_ptr<const pb::TensorProto> known;
};

struct InferOptions {
  // Errors of an operator's rules leave its outputs unknown instead of failing.
  bool lenient = false;
  // Declared shapes of values within the graph count where nothing better is known: to be shown to people.
  // Not for a run, whose memory is sized by what is inferred: nobody has proven them.
  bool trust_declared = true;
};

// `inputs` are those of the scope; their types replace the declared. Errors name the node.
absl::StatusOr<std::shared_ptr<Inferred>> InferScope(const Scope& scope, absl::Span<const InferInput> inputs,
                                                     const InferOptions& options);

// `better` where it says something, else `fallback`; extent by extent where the ranks agree.
pb::TypeProto CombineTypes(const pb::TypeProto& better, const pb::TypeProto& fallback);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_INFER_H_
