// SPDX-License-Identifier: Apache-2.0
//
// Memory of the checked layer's own that a plugin sees for a while: copies of graphs and constants.
#ifndef BRAID_CORE_PLUGINS_CHECKED_PRIVATE_MEMORY_H_
#define BRAID_CORE_PLUGINS_CHECKED_PRIVATE_MEMORY_H_

#include <cstdint>
#include <memory>

namespace braid::checked {

// Unreadable from the object's end on, so that a plugin that still uses it is stopped at that instruction.
// The addresses are not used again for some time.
class PrivateMemory {
 public:
  // `what` says, for people, what a plugin did that reads it afterwards; it lives for ever. Null: there is
  // none.
  static std::unique_ptr<PrivateMemory> Make(uint64_t bytes, const char* what);
  ~PrivateMemory();
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;
  uint8_t* data() const { return data_; }

 private:
  PrivateMemory(uint8_t* data, uint64_t bytes, const char* what) : data_(data), bytes_(bytes), what_(what) {}
  uint8_t* const data_;
  const uint64_t bytes_;  // whole pages
  const char* const what_;
};

// What was done who touched this address; null where it is of no memory that has ended. From signal handlers
// too.
const char* EndedMemoryAt(const void* address);

}  // namespace braid::checked

#endif  // BRAID_CORE_PLUGINS_CHECKED_PRIVATE_MEMORY_H_
