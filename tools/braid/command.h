// SPDX-License-Identifier: Apache-2.0
//
// The commands of `braid`. Each is a file: it adds its options to a CLI11 sub-command and gives a function
// that runs it.
#ifndef BRAID_TOOLS_BRAID_COMMAND_H_
#define BRAID_TOOLS_BRAID_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace braid::cli {

// Exit statuses.
inline constexpr int kDone = 0;    // all as asked
inline constexpr int kFailed = 1;  // it ran, and something failed or differs
inline constexpr int kUsage = 2;   // wrong usage, or an input that can't be used

// Ends the command with kUsage and this text.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Takes numbers from `least` to `most`.
CLI::Validator NotBelow(double least, double most = std::numeric_limits<double>::infinity());

struct Command {
  const char* name;
  const char* summary;
  const char* example;
  // Adds options to the sub-command; the function it returns runs after they are parsed and gives the exit
  // status.
  std::function<int()> (*add)(CLI::App& app);
};

std::function<int()> AddRun(CLI::App& app);
std::function<int()> AddVerify(CLI::App& app);
std::function<int()> AddPlan(CLI::App& app);
std::function<int()> AddBench(CLI::App& app);
std::function<int()> AddConformance(CLI::App& app);
std::function<int()> AddDevices(CLI::App& app);
std::function<int()> AddDoctor(CLI::App& app);
std::function<int()> AddInspect(CLI::App& app);
std::function<int()> AddNewPlugin(CLI::App& app);

// The candidate that is nearest to `wrong` by edit distance, as " (did you mean 'x'?)"; "" if none is near.
std::string NearestMatch(const std::string& wrong, const std::vector<std::string>& candidates);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_COMMAND_H_
