// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_EINSUM_H_
#define BRAID_PLUGINS_REFERENCE_OPS_EINSUM_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// Einsum-28; in matmul.cc's table.
void Einsum(OpContext& op);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_EINSUM_H_
