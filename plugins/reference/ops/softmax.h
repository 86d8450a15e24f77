// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_SOFTMAX_H_
#define BRAID_PLUGINS_REFERENCE_OPS_SOFTMAX_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// In normalization.cc's table.
void Softmax(OpContext& op);
void LogSoftmax(OpContext& op);
void Hardmax(OpContext& op);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_SOFTMAX_H_
