// SPDX-License-Identifier: Apache-2.0
//
// The generator of the random operators: Philox4x32-10 (J. K. Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011). It has no state: block i of a stream is a bijection of the counter (i, 0) under
// the stream's key, so any element can be drawn by itself, on any thread, and the same seed gives the same
// tensor everywhere.
//
// Key: the 64 bits of the seed attribute as a double (float seeds) or as an integer (Dropout's). Without a
// seed, a key from the system's entropy and a count of the streams made in this process. Element i uses block
// i: its words 0 and 1 give the uniform number, words 2 and 3 the second one that a normal number needs.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_RANDOM_H_
#define BRAID_PLUGINS_REFERENCE_OPS_RANDOM_H_

#include <array>
#include <cstdint>

namespace braid::reference {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

PhiloxCounter Philox(PhiloxCounter counter, PhiloxKey key);

class RandomStream {
 public:
  explicit RandomStream(uint64_t seed)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}
  static RandomStream Unseeded();

  // Uniform in [0, 1), a multiple of 2^-53.
  double Uniform(int64_t i) const;
  // Normal with mean 0 and deviation 1 (Box and Muller).
  double Normal(int64_t i) const;

 private:
  PhiloxCounter Block(int64_t i) const {
    return Philox({static_cast<uint32_t>(i), static_cast<uint32_t>(static_cast<uint64_t>(i) >> 32), 0, 0},
                  key_);
  }
  PhiloxKey key_;
};

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_RANDOM_H_
