// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_TENSOR_H_
#define BRAID_PLUGINS_REFERENCE_OPS_TENSOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plugins/reference/ops/types.h"

namespace braid::reference {

using Dims = std::vector<int64_t>;

// Product of the extents. Throws kit::Error(INVALID_ARGUMENT) if one is negative or the product exceeds 2^40
// elements (bad input asks for absurd sizes; memory is checked when it is taken).
int64_t Count(std::span<const int64_t> dims);
std::string DimsText(std::span<const int64_t> dims);  // "[1,3,224,224]"
// Row-major strides in elements.
Dims StridesOf(std::span<const int64_t> dims);

// A dense row-major tensor that owns its elements or shares them with other tensors (copying is cheap and
// shallow), or borrows memory of the caller. Default-constructed: absent.
class Tensor {
 public:
  Tensor() = default;
  // Elements uninitialised (strings empty). Throws kit::Error(OUT_OF_MEMORY).
  Tensor(int32_t type, Dims dims);
  // Borrows `data` (held layout: not for strings or types below a byte), which must outlive the tensor.
  static Tensor Borrow(int32_t type, Dims dims, void* data);
  // From and to the bytes that cross the ABI (packed below a byte; string pairs). FromWire borrows where the
  // layouts are the same and `may_borrow`; checks every string pair and the length. Throws
  // kit::Error(INVALID_ARGUMENT).
  static Tensor FromWire(int32_t type, Dims dims, const void* data, uint64_t bytes, bool may_borrow);
  uint64_t WireBytes() const;
  void ToWire(void* out) const;  // writes WireBytes() bytes
  template <class T>
  static Tensor Of(Dims dims, std::vector<T> values);
  template <class T>
  static Tensor Scalar(T value) {
    return Of<T>({}, {value});
  }

  bool present() const { return type_ != kUndefined; }
  int32_t type() const { return type_; }
  const Dims& dims() const { return dims_; }
  int64_t dim(int64_t i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t size() const { return size_; }  // elements
  uint64_t bytes() const { return static_cast<uint64_t>(size_) * HeldBytes(type_); }
  bool owns() const {
    return owner_ != nullptr;
  }  // alone or with others; false: borrowed, or no memory at all
  void* raw() { return data_; }
  const void* raw() const { return data_; }
  // T must be the C++ type of type(), or (data movement) another of its size.
  template <class T>
  T* data() {
    return static_cast<T*>(data_);
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(data_);
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<size_t>(size_)};
  }
  // The same elements under other dims (of the same count).
  Tensor Reshaped(Dims dims) const;

  // Whatever integer type: the elements as int64. For axes, shapes, pads, indices.
  std::vector<int64_t> AsInts() const;
  // Whatever real type: element i as double.
  double AsDouble(int64_t i) const;

 private:
  int32_t type_ = kUndefined;
  Dims dims_;
  int64_t size_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<void> owner_;
};

template <class T>
Tensor Tensor::Of(Dims dims, std::vector<T> values) {
  Tensor t(kTypeOf<T>, std::move(dims));
  for (size_t i = 0; i < values.size(); ++i) t.data<T>()[i] = values[i];
  return t;
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_TENSOR_H_
