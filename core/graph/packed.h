// SPDX-License-Identifier: Apache-2.0
//
// Elements below a byte (2, 4 or 6 bits), as ONNX packs them: one after the other without gaps, the first in
// the low bits of the first byte. An element of 6 bits may lie in two bytes.
#pragma once

#include <cstdint>

namespace braid {

inline uint8_t PackedAt(const uint8_t* data, uint64_t index, int bits) {
  const uint64_t bit = index * static_cast<uint64_t>(bits);
  const int shift = static_cast<int>(bit % 8);
  uint32_t code = data[bit / 8];
  if (shift + bits > 8) code |= static_cast<uint32_t>(data[bit / 8 + 1]) << 8;
  return static_cast<uint8_t>((code >> shift) & ((1u << bits) - 1));
}

// The bits of the element are 0 before.
inline void PutPacked(uint8_t code, uint64_t index, int bits, uint8_t* data) {
  const uint64_t bit = index * static_cast<uint64_t>(bits);
  const int shift = static_cast<int>(bit % 8);
  const uint32_t placed = (code & ((1u << bits) - 1)) << shift;
  data[bit / 8] |= static_cast<uint8_t>(placed);
  if (shift + bits > 8) data[bit / 8 + 1] |= static_cast<uint8_t>(placed >> 8);
}

}  // namespace braid
