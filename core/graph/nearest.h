// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_GRAPH_NEAREST_H_
#define BRAID_CORE_GRAPH_NEAREST_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// The candidate that is nearest to a mistyped name by edit distance (insert, delete, replace), for error
// messages; "" if none is within `most` edits, or the name has more than 256 bytes.
std::string NearestName(std::string_view wrong, const std::vector<std::string>& candidates, size_t most);

}  // namespace braid

#endif  // BRAID_CORE_GRAPH_NEAREST_H_
