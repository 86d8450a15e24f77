// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_PLUGINS_REFERENCE_OPS_ROI_POOL_H_
#define BRAID_PLUGINS_REFERENCE_OPS_ROI_POOL_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// In pool.cc's table.
void MaxRoiPool(OpContext& op);
void RoiAlign(OpContext& op);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_ROI_POOL_H_
