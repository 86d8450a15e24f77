// SPDX-License-Identifier: Apache-2.0
//
// The kernels of this folder as SPIR-V, compiled when Braid is built. Found by the names that CMakeLists.txt
// gives.
#ifndef BRAID_SHADERS_SHADERS_H_
#define BRAID_SHADERS_SHADERS_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace braid::shaders {

// What a shader asks of the device, beside Vulkan 1.2 and SignedZeroInfNanPreserve.
enum Feature : uint32_t {
  kInt8 = 1u,
  kInt16 = 2u,
  kInt64 = 4u,
  kFloat64 = 8u,
  kStorage8 = 16u,
  kStorage16 = 32u,
};

struct Shader {
  std::string_view name;
  std::span<const uint32_t> code;
  uint32_t features;  // of Feature
  // Bits of the bindings that are uniform texel buffers, by their format: R32G32B32A32_SFLOAT or R32_UINT.
  uint32_t vector_texels, word_texels;
  uint32_t texels() const { return vector_texels | word_texels; }
};

// Null if there is none of this name.
const Shader* Find(std::string_view name);
std::span<const Shader> All();

}  // namespace braid::shaders

#endif  // BRAID_SHADERS_SHADERS_H_
