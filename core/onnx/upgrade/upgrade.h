// SPDX-License-Identifier: Apache-2.0
//
// Brings a model of any opset of ai.onnx to the newest. An operator's versions are walked one by one: where a
// version changed how the same meaning is written, an adapter (adapters.h) rewrites the node; elsewhere the
// node stays as it is. Nodes are rewritten in place, in bodies too, and names of values stay.
#ifndef BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_
#define BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/onnx/proto.h"

namespace braid::frontend {

// `model` imports ai.onnx `from` (afterwards kNewestOpset) and has no functions and no Constant nodes. Errors
// name the node and what of it the newest opset cannot say.
absl::Status UpgradeModel(pb::ModelProto* model, int64_t from);

}  // namespace braid::frontend

#endif  // BRAID_CORE_ONNX_UPGRADE_UPGRADE_H_
