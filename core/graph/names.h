// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_GRAPH_NAMES_H_
#define BRAID_CORE_GRAPH_NAMES_H_

#include <string>
#include <string_view>

#include "core/graph/graph.h"

namespace braid {

// "float32", as in TypeString; null for an unknown type.
const char* BriefTypeName(ElementType type);

// How messages call a node: "Conv 'name'", or "Conv of 'first output'" where it has no name.
std::string NodeLabel(std::string_view op, std::string_view domain, std::string_view name,
                      std::string_view first_output);
std::string NodeLabel(const Graph& graph, const Node& node);

// One line for a terminal: control characters, which a model's names may have, as \n, \t or \x1b.
std::string Printable(std::string_view text);

}  // namespace braid

#endif  // BRAID_CORE_GRAPH_NAMES_H_
