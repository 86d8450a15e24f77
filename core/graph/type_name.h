// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_GRAPH_TYPE_NAME_H_
#define BRAID_CORE_GRAPH_TYPE_NAME_H_

#include "core/graph/graph.h"

namespace braid {

// "float32", as in TypeString; null for an unknown type.
const char* BriefTypeName(ElementType type);

}  // namespace braid

#endif  // BRAID_CORE_GRAPH_TYPE_NAME_H_
