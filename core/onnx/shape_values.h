// SPDX-License-Identifier: Apache-2.0
//
// Computes the small values that shapes are made from: what exporters write as Shape, Gather, Concat, Mul,
// Cast ... before a Reshape, Resize, Slice or Expand. Only for shape inference; the operators themselves run
// on devices.
#ifndef BRAID_CORE_ONNX_SHAPE_VALUES_H_
#define BRAID_CORE_ONNX_SHAPE_VALUES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/onnx/proto.h"
#include "core/onnx/scope.h"

namespace braid::loader {

// The outputs of a node whose inputs are known (null: not known, or absent), or which needs only their types
// (Shape, Size). False where an input that matters is unknown, the operator or its types are none of those
// computed here, or a result would be larger than kSmallTensorBytes or overflow.
bool EvaluateSmall(const ScopeNode& node, absl::Span<const pb::TensorProto* const> inputs,
                   absl::Span<const pb::TypeProto* const> types, std::vector<pb::TensorProto>* outputs);

// The elements of an INT64, INT32 or BOOL tensor. False for other types.
bool IntegersOf(const pb::TensorProto& tensor, std::vector<int64_t>* values);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_SHAPE_VALUES_H_
