// SPDX-License-Identifier: Apache-2.0
//
// How loops that matter are compiled twice, for AVX2 with FMA and for the base instruction set.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_CLONES_H_
#define BRAID_PLUGINS_REFERENCE_OPS_CLONES_H_

#if defined(__x86_64__) && defined(__GNUC__)
#define BRAID_HAS_AVX2_CLONES 1
namespace braid::reference {
inline bool HasAvx2() {
  static const bool kHas = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return kHas;
}
}  // namespace braid::reference
#else
#define BRAID_HAS_AVX2_CLONES 0
#endif

#endif  // BRAID_PLUGINS_REFERENCE_OPS_CLONES_H_
