// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/hash.h"

namespace braid {

std::string HexOf(const Hash128& hash) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (uint64_t word : hash)
    for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[word >> shift & 15];
  return out;
}

}  // namespace braid
