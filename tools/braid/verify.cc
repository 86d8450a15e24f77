// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "tools/braid/cases.h"
#include "tools/braid/command.h"
#include "tools/braid/isolate.h"

namespace braid::cli {
namespace {

struct Options {
  std::vector<std::string> dirs, filters;
  LoadOptions load;
  Tolerance tolerance;
  std::string known;
  int placements = 1;
  double timeout = 300;
  bool isolate = true, json = false, verbose = false;
};

std::vector<Job> Jobs(const Options& options) {
  std::vector<Job> jobs;
  for (const std::filesystem::path& folder : FindCases(options.dirs, options.filters)) {
    const std::string name = folder.filename().string();
    if (options.placements == 1) jobs.push_back({folder, name, options.load.placement});
    for (int p = 0; p < options.placements && options.placements > 1; ++p)
      jobs.push_back({folder, fmt::format("{} random:{}", name, p), fmt::format("random:{}", p)});
  }
  return jobs;
}

int Run(const Options& options) {
  if (options.placements > 1 && !options.load.placement.empty())
    throw UsageError(
        "--placement and --placements exclude each other: the latter means random:0, random:1 ...");
  KnownFailures known;
  if (!options.known.empty()) known = KnownFailures::Read(options.known);
  const std::vector<Job> jobs = Jobs(options);
  if (jobs.empty())
    throw UsageError(fmt::format("no case's name matches {}", fmt::join(options.filters, ", ")));
  nlohmann::json results = nlohmann::json::array();
  size_t counts[3] = {};
  uint64_t violations = 0;
  auto run = [&](size_t i) {
    return RunCase(jobs[i], options.load, known.ToleranceOf(jobs[i], options.tolerance));
  };
  auto done = [&](size_t i, const Outcome& found) {
    const Outcome outcome = known.Judge(jobs[i], found);
    ++counts[outcome.kind];
    violations += outcome.violations;
    if (options.json) {
      results.push_back({{"case", jobs[i].name},
                         {"outcome", Name(outcome.kind)},
                         {"text", outcome.text},
                         {"violations", outcome.violations}});
    } else if (outcome.kind != Outcome::kPassed || options.verbose) {
      fmt::print("{} {}{}{}\n", Name(outcome.kind), jobs[i].name, outcome.text.empty() ? "" : ": ",
                 outcome.text);
      std::fflush(stdout);
    }
  };
  if (options.isolate) {
    RunIsolated(jobs.size(), options.timeout, run, done);
  } else {
    for (size_t i = 0; i < jobs.size(); ++i) done(i, run(i));
  }
  if (options.json) {
    nlohmann::json json = {{"passed", counts[Outcome::kPassed]},
                           {"failed", counts[Outcome::kFailed]},
                           {"skipped", counts[Outcome::kSkipped]},
                           {"violations", violations},
                           {"cases", results}};
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{} passed, {} failed, {} skipped\n", counts[Outcome::kPassed], counts[Outcome::kFailed],
               counts[Outcome::kSkipped]);
  }
  return counts[Outcome::kFailed] == 0 ? kDone : kFailed;
}

}  // namespace

std::function<int()> AddVerify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("dirs", options->dirs, "ONNX test cases, or folders with such at any depth")->required();
  AddLoadOptions(app, &options->load);
  app.add_option(
         "--rtol", options->tolerance.rtol,
         "relative tolerance of floating-point outputs; without it that of the case's data.json, else "
         "1e-3 (2^-6 for bfloat16)")
      ->check(NotBelow(0));
  app.add_option("--atol", options->tolerance.atol,
                 "absolute tolerance; without it that of the case's data.json, else 1e-7")
      ->check(NotBelow(0));
  app.add_option("--filter", options->filters, "only cases whose name matches the glob")
      ->allow_extra_args(false);
  app.add_option(
      "--known", options->known,
      "file of known failures, NAME  # reason: listed cases that fail are skipped, listed ones that "
      "pass fail; NAME rtol=R atol=A  # reason: cases that need another tolerance than their own");
  app.add_option("--placements", options->placements,
                 "run each case this often, under placements random:0, random:1 ...")
      ->check(NotBelow(1))
      ->capture_default_str();
  app.add_option("--timeout", options->timeout,
                 "seconds that a case may take; of no effect with --no-isolate")
      ->check(NotBelow(1e-3))
      ->capture_default_str();
  app.add_flag("--isolate,!--no-isolate", options->isolate,
               "run cases in child processes, so that a crash or a hang costs one case (default)");
  app.add_flag("--verbose", options->verbose, "print passed cases too");
  app.add_flag("--json", options->json, "print JSON");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
