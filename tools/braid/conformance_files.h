// SPDX-License-Identifier: Apache-2.0
//
// `braid conformance repro` and `compare`: a case as files, and two reports beside each other.
#ifndef BRAID_TOOLS_BRAID_CONFORMANCE_FILES_H_
#define BRAID_TOOLS_BRAID_CONFORMANCE_FILES_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>

namespace braid::cli {

// Each adds its sub-command; the function that it returns gives the exit status, or nothing where the
// sub-command was not given.
std::function<std::optional<int>()> AddRepro(CLI::App& app);
std::function<std::optional<int>()> AddCompare(CLI::App& app);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_CONFORMANCE_FILES_H_
