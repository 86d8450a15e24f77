// SPDX-License-Identifier: Apache-2.0
//
// Moves whole parts of tensors in host memory, of any element type: what sequences and control flow need.
#ifndef BRAID_CORE_RUN_TENSOR_BLOCKS_H_
#define BRAID_CORE_RUN_TENSOR_BLOCKS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/run/value.h"

namespace braid {

// A part [begin, begin + count) along an axis; axis must be valid and the range inside.
absl::StatusOr<HostTensor> SliceAxis(const HostTensor& tensor, size_t axis, int64_t begin, int64_t count);
// Tensors behind one another along an axis. Types and other extents must agree; at least one tensor.
absl::StatusOr<HostTensor> ConcatAxis(absl::Span<const HostTensor> tensors, size_t axis);
// The same elements with an axis of extent 1 put in or taken out.
HostTensor WithAxis(HostTensor tensor, size_t axis);
HostTensor WithoutAxis(HostTensor tensor, size_t axis);
// A tensor of zero elements (one extent is 0).
HostTensor EmptyTensor(ElementType type, std::vector<int64_t> dims);
// One element.
absl::StatusOr<HostTensor> ScalarInt64(int64_t value);
absl::StatusOr<HostTensor> ScalarBool(bool value);
// A copy of `bytes` bytes at data: the elements of a tensor of these extents, in ElementBits(type) each.
absl::StatusOr<HostTensor> TensorOf(ElementType type, std::vector<int64_t> dims, const void* data,
                                    uint64_t bytes);
absl::StatusOr<HostTensor> TensorOfStrings(std::vector<int64_t> dims, std::vector<std::string_view> strings);
// Views of a string tensor's elements.
absl::StatusOr<std::vector<std::string_view>> StringsOf(const HostTensor& tensor);
// The elements of an integer tensor (INT32 or INT64).
absl::StatusOr<std::vector<int64_t>> IntsOf(const HostTensor& tensor);

}  // namespace braid

#endif  // BRAID_CORE_RUN_TENSOR_BLOCKS_H_
