// SPDX-License-Identifier: Apache-2.0
//
// A 128-bit hash for cache keys and checksums. Stable: what it gives stands in files. Not for adversaries.
#ifndef BRAID_CORE_PLUGINS_HASH_H_
#define BRAID_CORE_PLUGINS_HASH_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace braid {

using Hash128 = std::array<uint64_t, 2>;

// Order and boundaries of what is added matter: ("ab", "c") differs from ("a", "bc").
class Hasher {
 public:
  void Add(uint64_t word) {
    a_ = Mix(a_ ^ word, 0x9e3779b97f4a7c15u);
    b_ = Mix(b_ + word, 0xd6e8feb86659fd93u ^ a_);
  }
  void Add(const void* data, uint64_t bytes) {
    const auto* p = static_cast<const unsigned char*>(data);
    Add(bytes);
    // Four independent lanes: about as fast as memory.
    uint64_t lanes[4] = {a_ ^ 0xa0761d6478bd642fu, b_ ^ 0xe7037ed1a0b428dbu, a_ + 0x8ebc6af09c88c6e3u,
                         b_ + 0x589965cc75374cc3u};
    for (; bytes >= 64; bytes -= 64, p += 64)
      for (int i = 0; i < 4; ++i)
        lanes[i] = Mix(lanes[i] ^ Word(p + 16 * i), Word(p + 16 * i + 8) ^ kOdd[i]) + lanes[i];
    for (; bytes >= 8; bytes -= 8, p += 8) lanes[0] = Mix(lanes[0] ^ Word(p), kOdd[1]) + Word(p);
    uint64_t tail = 0;
    if (bytes > 0) std::memcpy(&tail, p, bytes);
    lanes[1] ^= tail;
    for (uint64_t lane : lanes) Add(lane);
  }
  void Add(std::string_view text) { Add(text.data(), text.size()); }
  Hash128 Finish() const { return {Mix(a_, b_ | 1), Mix(b_ ^ 0x2545f4914f6cdd1du, a_ | 1)}; }

 private:
  static constexpr uint64_t kOdd[4] = {0x1d8e4e27c47d124fu, 0xeb44accab455d165u, 0x9fb21c651e98df25u,
                                       0xc2b2ae3d27d4eb4fu};
  static uint64_t Word(const unsigned char* p) {
    uint64_t w;
    std::memcpy(&w, p, 8);
    return w;
  }
  static uint64_t Mix(uint64_t x, uint64_t y) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(x) * y;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  uint64_t a_ = 0x243f6a8885a308d3u, b_ = 0x13198a2e03707344u;
};

inline Hash128 HashOf(std::string_view data) {
  Hasher hasher;
  hasher.Add(data);
  return hasher.Finish();
}

// 32 hexadecimal digits.
std::string HexOf(const Hash128& hash);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_HASH_H_
