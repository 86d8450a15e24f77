// SPDX-License-Identifier: Apache-2.0
//
// The size rule of plugin.h: a struct from the other side may be shorter or longer than ours. Receive copies
// what both know and zeroes the rest; Give writes no further than the receiver's own size; StructArray walks
// with the stride.
#ifndef BRAID_KIT_STRUCT_H_
#define BRAID_KIT_STRUCT_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace braid::kit {

// A copy of *other in our size; a null pointer gives all zeroes. T begins with uint32_t size.
template <class T>
T Receive(const T* other) {
  T mine{};
  if (other != nullptr) std::memcpy(&mine, other, std::min<size_t>(other->size, sizeof(T)));
  mine.size = sizeof(T);
  return mine;
}

// Writes `mine` into *other, which holds other->size bytes; other->size stays.
template <class T>
void Give(T mine, T* other) {
  mine.size = other->size;
  std::memcpy(other, &mine, std::min<size_t>(other->size, sizeof(T)));
}

// An array of structs from the other side, each `stride` bytes apart. Elements are copied: theirs may be
// shorter.
template <class T>
class StructArray {
 public:
  StructArray(const void* data, uint32_t count, uint32_t stride)
      : data_(static_cast<const char*>(data)), count_(data == nullptr ? 0 : count), stride_(stride) {}
  uint32_t size() const { return count_; }
  T operator[](uint32_t i) const {
    T element{};
    std::memcpy(&element, data_ + uint64_t{stride_} * i, std::min<size_t>(stride_, sizeof(T)));
    return element;
  }

 private:
  const char* data_;
  uint32_t count_, stride_;
};

}  // namespace braid::kit

#endif  // BRAID_KIT_STRUCT_H_
