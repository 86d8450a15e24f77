// SPDX-License-Identifier: Apache-2.0
//
// Numbers that are the same on every machine: a generator and a hash that nothing but this file defines.
#ifndef BRAID_CONFORMANCE_CASE_RANDOM_H_
#define BRAID_CONFORMANCE_CASE_RANDOM_H_

#include <cstdint>
#include <string_view>

namespace braid::conformance {

// SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : Next() % n; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }  // in [0, 1)

 private:
  uint64_t state_;
};

// FNV-1a, of 64 bits.
constexpr uint64_t Hash(std::string_view text, uint64_t seed = 0xcbf29ce484222325u) {
  for (const char c : text) seed = (seed ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return seed;
}

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_RANDOM_H_
