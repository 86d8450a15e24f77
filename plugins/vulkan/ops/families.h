// SPDX-License-Identifier: Apache-2.0
//
// The families of operators; each has a table at the end of its file. A new operator is a line there.
#ifndef BRAID_PLUGINS_VULKAN_OPS_FAMILIES_H_
#define BRAID_PLUGINS_VULKAN_OPS_FAMILIES_H_

#include <span>

#include "plugins/vulkan/lowering.h"

namespace braid::vulkan {

std::span<const Operator> PointwiseOperators();
std::span<const Operator> MovementOperators();
std::span<const Operator> ReductionOperators();
std::span<const Operator> MatrixOperators();
std::span<const Operator> ConvolutionOperators();
std::span<const Operator> WindowOperators();

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_OPS_FAMILIES_H_
