// SPDX-License-Identifier: Apache-2.0
//
// What a node of the newest opset is called in older ones, so that plugins whose tables of operators are old
// keep running new models: the oldest version that means the same of the very node (min_version), and, where
// an older version says the same with other words (axes as an attribute), the node in those words.
//
//   Older older(scope, inferred);
//   for (const OlderForm& form : older.Forms(from, &node.min_version)) ...
#ifndef BRAID_CORE_ONNX_OLDER_H_
#define BRAID_CORE_ONNX_OLDER_H_

#include <string>
#include <unordered_map>
#include <vector>

#include "core/onnx/infer.h"
#include "core/onnx/scope.h"

namespace braid::loader {

// The node as `schema` says it: outputs, operator and name are those of the node.
struct OlderForm {
  const pb::OpSchema* schema = nullptr;
  int min_version = 0;          // the oldest version under which this form means the same
  std::vector<ValueId> inputs;  // the first ones of the node
  google::protobuf::RepeatedPtrField<pb::AttributeProto> attributes;
};

class Older {
 public:
  // Types are those of `inferred`, or, where it is null, as the model declares them. Both outlive this.
  Older(const Scope& scope, const Inferred* inferred) : scope_(scope), inferred_(inferred) {}

  // *min_version: the oldest since_version, going back without a gap, under which this very node means what
  // it means under its schema: inputs, outputs, attributes and types are accepted there, and nothing changed
  // its meaning since. Returned: newest first, each older than the one before; none where the words never
  // changed, or what became an input is not a constant.
  std::vector<OlderForm> Forms(const ScopeNode& node, int* min_version);

 private:
  // The same operator before `version`; null if that was its first.
  static const pb::OpSchema* Before(const pb::OpSchema& schema, int version);
  const pb::TypeProto& TypeOf(ValueId id) const;
  int OldestVersion(const ScopeNode& node, const OlderForm& form);
  bool Accepts(const pb::OpSchema& schema, const ScopeNode& node, const OlderForm& form) const;

  const Scope& scope_;
  const Inferred* inferred_;
  std::unordered_map<std::string, int> known_;  // by kind of node: looking through the versions is slow
};

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_OLDER_H_
