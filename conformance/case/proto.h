// SPDX-License-Identifier: Apache-2.0
//
// Tensors as ONNX's protobuf has them.
#ifndef BRAID_CONFORMANCE_CASE_PROTO_H_
#define BRAID_CONFORMANCE_CASE_PROTO_H_

#include "conformance/case/value.h"
#include "onnx/onnx_pb.h"

namespace braid::conformance {

// Type, dims and elements of `out`, which has none yet; its name is the caller's.
void SetTensor(const Tensor& tensor, ONNX_NAMESPACE::TensorProto* out);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_PROTO_H_
