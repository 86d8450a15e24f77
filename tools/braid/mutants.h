// SPDX-License-Identifier: Apache-2.0
//
// `braid conformance --mutants`: how good the suite is, told by devices with seeded faults.
#ifndef BRAID_TOOLS_BRAID_MUTANTS_H_
#define BRAID_TOOLS_BRAID_MUTANTS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>

#include "conformance/case/case.h"

namespace braid::cli {

// Adds the options to the command `conformance`. The function it returns gives the exit status, or nothing
// where --mutants was not given.
std::function<std::optional<int>(conformance::Level)> AddMutants(CLI::App& app);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_MUTANTS_H_
