// SPDX-License-Identifier: Apache-2.0
//
// Takes the large tensors out of a serialized ModelProto before protobuf sees it, so that their bytes are
// never copied: a copy of the message is made in which each raw_data above kSmallTensorBytes is left out, and
// the tensor instead marked as external data under a key that no file can contain (a number drawn for this
// load).
#ifndef BRAID_CORE_ONNX_LARGE_TENSORS_H_
#define BRAID_CORE_ONNX_LARGE_TENSORS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace braid::loader {

// Appends the stubbed message to `stub`; large[i] is the data of the tensor whose external data entry `key`
// has the value i. Errors: bytes that are no well-formed ModelProto (with the offset), subgraphs nested
// deeper than `nesting`.
absl::Status StripLargeTensors(absl::Span<const uint8_t> model, std::string_view key, uint32_t nesting,
                               std::string* stub, std::vector<absl::Span<const uint8_t>>* large);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_LARGE_TENSORS_H_
