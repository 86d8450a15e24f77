// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_TOOLS_BRAID_PAGE_H_
#define BRAID_TOOLS_BRAID_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"

namespace braid::cli {

// One HTML page with the graph drawn, which needs nothing beside it. `plan`: what graph_explain says as JSON,
// or null; its nodes are found by the names of their outputs. Whatever names hold, they are text in the page.
std::string GraphPage(const std::string& title,
                      const std::vector<std::pair<std::string, std::string>>& summary, const Graph& graph,
                      const nlohmann::json& plan);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_PAGE_H_
