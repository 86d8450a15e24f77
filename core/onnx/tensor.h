// SPDX-License-Identifier: Apache-2.0
//
// TensorProto -> bytes in ONNX's raw layout, with every check that the layout needs: dims, their product, the
// field that the type wants, and its exact length.
#ifndef BRAID_CORE_ONNX_TENSOR_H_
#define BRAID_CORE_ONNX_TENSOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "core/onnx/proto.h"
#include "core/onnx/source.h"

namespace braid::loader {

// Where the tensors of one model find their bytes. Lives as long as the model.
struct Origin {
  std::string label;  // what messages call the model
  Bytes model;
  std::string stub_key;  // see wire.h
  std::vector<absl::Span<const uint8_t>> large;
  ExternalFiles external{""};
  // Sparse tensors are made dense. Their dense forms may have these bytes together, beside 64 for each byte
  // that is stored: a file of a hundred bytes must not fill the memory.
  uint64_t dense_bytes = uint64_t{256} << 20;
};

// Fails if dims are negative, too many, or their product overflows, or if the type is none of ONNX's.
absl::Status CheckDims(const pb::TensorProto& tensor, uint64_t* elements, uint64_t* bytes);

// The tensor's bytes, aligned for its type: in place where they lie so, else copied.
absl::StatusOr<std::shared_ptr<const Constant>> ReadTensor(const pb::TensorProto& tensor, Origin& origin);

// The dense form of a sparse tensor, its data in raw_data or string_data.
absl::Status ReadSparseTensor(const pb::SparseTensorProto& sparse, Origin& origin, pb::TensorProto* dense);

// A constant that owns these bytes. Copies them, aligned for any type.
std::shared_ptr<const Constant> MakeConstant(absl::Span<const uint8_t> bytes);
std::shared_ptr<const Constant> MakeConstant(const Bytes& bytes);

// A small tensor in protobuf form, as shape inference wants it. Not for strings.
pb::TensorProto MakeTensor(ElementType type, absl::Span<const int64_t> dims, absl::Span<const uint8_t> raw);

// Packs strings as plugin.h lays them out: pairs of uint64 (offset, length), then the characters.
template <typename Strings>
std::vector<uint8_t> PackStrings(const Strings& strings) {
  uint64_t offset = 16 * static_cast<uint64_t>(strings.size()), total = offset;
  for (const std::string& s : strings) total += s.size();
  std::vector<uint8_t> out(total);
  size_t i = 0;
  for (const std::string& s : strings) {
    const uint64_t pair[2] = {offset, s.size()};
    std::copy_n(reinterpret_cast<const uint8_t*>(pair), 16, out.data() + 16 * i++);
    std::copy(s.begin(), s.end(), out.begin() + static_cast<ptrdiff_t>(offset));
    offset += s.size();
  }
  return out;
}

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_TENSOR_H_
