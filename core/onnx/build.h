// SPDX-License-Identifier: Apache-2.0
//
// GraphProto -> Scope: names become numbers, captures are resolved, initializers become constant values. What
// comes out is well-formed: defined before use, each name once, known operators with their attributes.
#ifndef BRAID_CORE_ONNX_BUILD_H_
#define BRAID_CORE_ONNX_BUILD_H_

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/onnx/prepare.h"
#include "core/onnx/scope.h"
#include "core/onnx/tensor.h"

namespace braid::loader {

class ScopeBuilder {
 public:
  // The names that a graph or a function's body sees.
  struct Frame {
    Frame* parent = nullptr;  // lexically around it; null for a function's body
    Scope* scope = nullptr;
    std::vector<ValueId>* captures = nullptr;  // of a body: in the parent's scope
    std::unordered_map<std::string, ValueId> names;
    std::string prefix;    // of the names of a function's nodes and values
    uint32_t nesting = 0;  // of graphs
  };

  ScopeBuilder(Origin& origin, const std::map<std::string, int>& versions)
      : origin_(origin), versions_(versions) {}

  // The whole of a prepared model. Inputs that `weights` has are constants.
  absl::StatusOr<std::shared_ptr<Scope>> Build(const pb::GraphProto& graph, const Weights& weights);

  // Appends the nodes of a function's body to `scope` in place of a call. `inputs` and `outputs` are the
  // call's; `extra` are more names that the body sees. The body's attributes are bound already; its
  // initializers become constants.
  absl::Status Inline(Scope* scope, const pb::GraphProto& body, const std::string& prefix,
                      const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs,
                      const std::unordered_map<std::string, ValueId>& extra);

 private:
  absl::Status Graph(Frame& frame, const pb::GraphProto& graph, const Weights* weights);
  absl::Status Initializers(Frame& frame, const pb::GraphProto& graph,
                            const std::unordered_map<std::string, size_t>& input_of);
  absl::Status Node(Frame& frame, const pb::NodeProto& node);
  absl::Status Body(Frame& frame, const pb::AttributeProto& attribute, ScopeNode* node);
  absl::StatusOr<ValueId> Constant(Frame& frame, const std::string& name, const pb::TensorProto& tensor);
  absl::Status Define(Frame& frame, const std::string& name, ValueId id, const std::string& where);
  // Null if no such name is visible; kNone for an absent optional input of a function.
  const ValueId* Find(Frame& frame, const std::string& name);

  Origin& origin_;
  const std::map<std::string, int>& versions_;  // domain ("" for ai.onnx) -> version
};

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_BUILD_H_
