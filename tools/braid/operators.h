// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_TOOLS_BRAID_OPERATORS_H_
#define BRAID_TOOLS_BRAID_OPERATORS_H_

#include <string>

namespace braid::cli {

// Prints which operators of the newest opset the device runs, in which types, as "text", "json" or
// "markdown".
int PrintOperators(const std::string& device, const std::string& format);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_OPERATORS_H_
