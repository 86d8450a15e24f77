// SPDX-License-Identifier: Apache-2.0
//
// Runs ONNX test cases: a folder with model.onnx and test_data_set_K/{input,output}_J.pb.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> dirs;
  LoadOptions load;
  double rtol = 1e-3, atol = 1e-7;  // ONNX's own backend test
  double scale_atol = 0;
  std::vector<std::string> filters;
  bool json = false, verbose = false;
  int placements = 1;
};

struct Outcome {
  enum Kind { kPassed, kFailed, kSkipped } kind = kPassed;
  std::string text;
};

const char* Name(Outcome::Kind kind) {
  return kind == Outcome::kPassed ? "passed" : kind == Outcome::kFailed ? "failed" : "skipped";
}

// Folders that hold a model.onnx, in order of their paths.
std::vector<fs::path> FindCases(const Options& options) {
  std::vector<fs::path> cases;
  auto add = [&](const fs::path& folder) {
    if (!fs::exists(folder / "model.onnx")) return;
    const std::string name = folder.filename().string();
    const bool wanted =
        options.filters.empty() ||
        std::any_of(options.filters.begin(), options.filters.end(),
                    [&](const std::string& glob) { return fnmatch(glob.c_str(), name.c_str(), 0) == 0; });
    if (wanted) cases.push_back(folder);
  };
  for (const std::string& dir : options.dirs) {
    if (!fs::is_directory(dir)) throw UsageError(dir + ": is no folder");
    const size_t before = cases.size();
    add(fs::canonical(dir));
    for (auto it = fs::recursive_directory_iterator(dir); it != fs::recursive_directory_iterator(); ++it)
      if (it->is_directory()) add(it->path());
    if (cases.size() == before && options.filters.empty())
      throw UsageError(dir +
                       ": there is no case in it or below (a folder with model.onnx and test_data_set_0)");
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

std::vector<HostData> ReadSet(const fs::path& set, const char* prefix,
                              const std::vector<graph_value_info>& infos) {
  std::vector<HostData> out;
  for (size_t i = 0; i < infos.size(); ++i) {
    const fs::path file = set / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(file)) break;
    out.push_back(ReadPb(file.string(), infos[i]));
    out.back().name = infos[i].name;
  }
  return out;
}

// Absolute tolerance of an output: of the kind of ONNX's runner, or relative to the output's largest number.
double AtolFor(const HostData& want, const Options& options) {
  if (options.scale_atol <= 0 || want.kind != GRAPH_TENSOR || want.type != GRAPH_FLOAT) return options.atol;
  float largest = 0;
  for (uint64_t i = 0; i < ElementCount(want); ++i) {
    float x;
    std::memcpy(&x, want.bytes.data() + 4 * i, 4);
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  }
  return std::max(options.atol, options.scale_atol * static_cast<double>(largest));
}

Outcome RunCase(const fs::path& folder, const Options& options, const LoadOptions& load) {
  try {
    LoadedGraph graph((folder / "model.onnx").string(), load);
    int sets = 0;
    for (; fs::is_directory(folder / fmt::format("test_data_set_{}", sets)); ++sets) {
      const fs::path set = folder / fmt::format("test_data_set_{}", sets);
      std::vector<HostData> want = ReadSet(set, "output", graph.outputs());
      std::vector<HostData> got = graph.Run(ReadSet(set, "input", graph.inputs()));
      for (size_t i = 0; i < want.size(); ++i)
        if (std::string text = Compare(got[i], want[i], options.rtol, AtolFor(want[i], options));
            !text.empty())
          return {Outcome::kFailed, fmt::format("test_data_set_{}: output '{}' {}", sets, got[i].name, text)};
    }
    if (sets == 0) return {Outcome::kFailed, "it has no test_data_set_0"};
    return {};
  } catch (const RunError& e) {
    if (e.status() == GRAPH_UNSUPPORTED) return {Outcome::kSkipped, e.what()};
    return {Outcome::kFailed, e.what()};
  } catch (const UsageError& e) {
    return {Outcome::kFailed, e.what()};
  }
}

int Run(const Options& options) {
  nlohmann::json results = nlohmann::json::array();
  size_t counts[3] = {};
  for (const fs::path& folder : FindCases(options)) {
    for (int p = 0; p < options.placements; ++p) {
      LoadOptions load = options.load;
      if (options.placements > 1) load.placement = fmt::format("random:{}", p);
      Outcome outcome = RunCase(folder, options, load);
      ++counts[outcome.kind];
      std::string name = folder.filename().string();
      if (options.placements > 1) name += " " + load.placement;
      if (options.json)
        results.push_back({{"case", name}, {"outcome", Name(outcome.kind)}, {"text", outcome.text}});
      if (!options.json && (outcome.kind != Outcome::kPassed || options.verbose))
        fmt::print("{} {}{}{}\n", Name(outcome.kind), name, outcome.text.empty() ? "" : ": ", outcome.text);
    }
  }
  if (options.json) {
    nlohmann::json json = {
        {"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}, {"cases", results}};
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{} passed, {} failed, {} skipped\n", counts[0], counts[1], counts[2]);
  }
  return counts[1] == 0 ? kDone : kFailed;
}

}  // namespace

std::function<int()> AddVerify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("dirs", options->dirs, "ONNX test cases, or folders with such at any depth")->required();
  AddLoadOptions(app, &options->load);
  app.add_option("--rtol", options->rtol, "relative tolerance of floating-point outputs")
      ->capture_default_str();
  app.add_option("--atol", options->atol, "absolute tolerance")->capture_default_str();
  app.add_option("--scale-atol", options->scale_atol,
                 "absolute tolerance as a share of the output's largest number, where that is more")
      ->capture_default_str();
  app.add_option("--filter", options->filters, "only cases whose name matches the glob");
  app.add_option("--placements", options->placements,
                 "run each case this often, under placements random:0, random:1 ...")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--verbose", options->verbose, "print passed cases too");
  app.add_flag("--json", options->json, "print JSON");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
