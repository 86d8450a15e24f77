// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_SEQUENCE_MIXING_H_
#define BRAID_PLUGINS_REFERENCE_OPS_SEQUENCE_MIXING_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// In attention.cc's table.
void LinearAttention(OpContext& op);
void CausalConvWithState(OpContext& op);
void RotaryEmbedding(OpContext& op);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_SEQUENCE_MIXING_H_
