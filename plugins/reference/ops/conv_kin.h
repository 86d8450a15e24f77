// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_CONV_KIN_H_
#define BRAID_PLUGINS_REFERENCE_OPS_CONV_KIN_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// In conv.cc's table.
void ConvTranspose(OpContext& op);  // conv_transpose.cc
void Col2Im(OpContext& op);         // conv_transpose.cc
void DeformConv(OpContext& op);     // deform_conv.cc

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_CONV_KIN_H_
