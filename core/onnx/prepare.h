// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of a model to a ModelProto in the newest opset without large tensors in it.
//
// Large initializers leave the protobuf form at once: each becomes a graph input of its type (so that the
// checker, the version converter and shape inference see what they need), and its bytes a Constant under the
// same name.
#ifndef BRAID_CORE_ONNX_PREPARE_H_
#define BRAID_CORE_ONNX_PREPARE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/graph/graph.h"
#include "core/onnx/model.h"
#include "core/onnx/proto.h"
#include "core/onnx/tensor.h"

namespace braid::loader {

using Weights = std::map<std::string, std::shared_ptr<const Constant>>;

struct Prepared {
  pb::ModelProto proto;  // checked, upgraded, functions inlined, no shapes inferred
  Weights weights;       // inputs of proto.graph that are constants
  ModelInfo info;
};

absl::StatusOr<Prepared> Prepare(std::shared_ptr<Origin> origin, const ModelBudgets& budgets);

// Turns Constant nodes, sparse and large initializers of `graph` and its bodies into small initializers and
// weights. Names of a body's tensors that are taken already are changed.
absl::Status ExtractConstants(pb::ModelProto* model, Origin& origin, Weights* weights);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_PREPARE_H_
