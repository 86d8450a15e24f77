// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fnmatch.h>

#include <map>
#include <memory>
#include <thread>

#include "conformance/case/generate.h"
#include "conformance/run/generated.h"
#include "conformance/run/job.h"
#include "tools/braid/command.h"

namespace braid::cli {
namespace {

using conformance::Case;
using conformance::Level;
using conformance::Outcome;

struct Options {
  std::string device = "reference", level = "default";
  std::vector<std::string> filters;
  double timeout = 60;
  int jobs = 0;
  bool list = false, verbose = false, json = false;
};

Level LevelOf(const std::string& name) {
  return name == "smoke" ? Level::kSmoke : name == "full" ? Level::kFull : Level::kDefault;
}

bool Matches(const std::string& id, const std::vector<std::string>& globs) {
  if (globs.empty()) return true;
  for (const std::string& glob : globs)
    if (fnmatch(glob.c_str(), id.c_str(), 0) == 0) return true;
  return false;
}

int Run(const Options& options) {
  auto cases = std::make_shared<std::vector<Case>>();
  for (const auto& op : conformance::AllOperatorVersions()) {
    // Operators that no filter can mean are not worth generating.
    for (Case& c : conformance::Generate(op, LevelOf(options.level)))
      if (Matches(c.id, options.filters)) cases->push_back(std::move(c));
  }
  if (cases->empty()) throw UsageError("no case's id matches");
  if (options.list) {
    for (const Case& c : *cases) fmt::print("{}\n", c.id);
    return kDone;
  }
  std::vector<conformance::Job> jobs;
  for (const Case& c : *cases)
    jobs.push_back({c.id, "generated", c.op->Label(), [&c, &options] {
                      const auto target = conformance::DeviceTarget(options.device);
                      return conformance::RunCase(c, *target, 0);
                    }});
  conformance::ChildOptions children;
  children.children = options.jobs > 0 ? options.jobs : static_cast<int>(std::thread::hardware_concurrency());
  children.deadline = options.timeout;
  std::map<Outcome, size_t> counts;
  conformance::RunInChildren(jobs, children, [&](size_t, const conformance::Result& r) {
    ++counts[r.outcome];
    if (r.outcome != Outcome::kPass || options.verbose) {
      fmt::print("{} {}{}{}\n", conformance::Name(r.outcome), r.id, r.text.empty() ? "" : ": ", r.text);
      std::fflush(stdout);
    }
  });
  std::string line;
  size_t bad = 0;
  for (const auto& [outcome, n] : counts) {
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", n, conformance::Name(outcome));
    if (outcome != Outcome::kPass && outcome != Outcome::kUnsupported && outcome != Outcome::kWaived)
      bad += n;
  }
  fmt::print("{}\n", line);
  return bad == 0 ? kDone : kFailed;
}

}  // namespace

std::function<int()> AddConformance(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--device", options->device, "the device to certify")->capture_default_str();
  app.add_option("--level", options->level, "smoke, default or full")
      ->check(CLI::IsMember({"smoke", "default", "full"}))
      ->capture_default_str();
  app.add_option("--filter", options->filters, "only cases whose id matches the glob")
      ->allow_extra_args(false);
  app.add_option("--timeout", options->timeout, "seconds that a case may take")
      ->check(NotBelow(1e-3))
      ->capture_default_str();
  app.add_option("-j,--jobs", options->jobs, "child processes at a time; 0: as many as there are cores")
      ->check(NotBelow(0));
  app.add_flag("--list", options->list, "print the ids of the cases and run none");
  app.add_flag("--verbose", options->verbose, "print passed cases too");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
