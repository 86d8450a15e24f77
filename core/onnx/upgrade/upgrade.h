// SPDX-License-Identifier: Apache-2.0
//
// Brings a model of any opset of ai.onnx and ai.onnx.ml to the newest. An operator's versions are walked one
// by one: where a version changed how the same meaning is written, an adapter (adapters.h) rewrites the node;
// elsewhere the node stays as it is. Nodes are rewritten in place, in bodies too, and names of values stay.
#ifndef BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_
#define BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/onnx/proto.h"

namespace braid::loader {

// `model` has no functions and no Constant nodes, and its imports' domains are normal (proto.h); they are
// raised to the newest opset. The result says what was: "ai.onnx 11 to 28". Errors name the node and what of
// it the newest opset cannot say.
absl::StatusOr<std::vector<std::string>> UpgradeModel(pb::ModelProto* model);

// Whether a node of ai.onnx is of an operator that was experimental: no opset up to its model's has it, and
// what it meant can be said in the newest.
bool IsExperimental(const std::string& op, int64_t opset);

// Writes the type that a Cast node casts to as a number where it is a name, as before opset 6. False, and
// nothing is changed, if there is no type of that name.
bool CastByNumber(pb::NodeProto* cast);

// Gives the model and its functions one opset a domain, the newest that any of them imports, where that
// changes no node of theirs: exporters put functions of one opset into models of another. A part that would
// have to be rewritten keeps its own; if that is the graph itself, all keep theirs.
void AlignFunctionOpsets(pb::ModelProto* model);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_
