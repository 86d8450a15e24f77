// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/cases.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/numbers.h"
#include "conformance/run/target.h"
#include "tools/braid/command.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

// ONNX's own backend test; two units in the last place for bfloat16, whose 8 bits are coarser than rtol.
constexpr double kRtol = 1e-3, kAtol = 1e-7, kBfloat16Rtol = 0x1p-6;

std::vector<HostData> ReadSet(const fs::path& set, const char* prefix,
                              const std::vector<graph_value_info>& infos) {
  std::vector<HostData> out;
  for (size_t i = 0; i < infos.size(); ++i) {
    const fs::path file = set / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(file)) break;
    out.push_back(ReadPb(file.string(), infos[i]));
    out.back().name = infos[i].name;
  }
  const fs::path beyond = set / fmt::format("{}_{}.pb", prefix, infos.size());
  if (fs::exists(beyond))
    throw UsageError(fmt::format("{}: the model has only {} {}s", beyond.string(), infos.size(), prefix));
  return out;
}

// What the command line says, else what the case says, else ONNX's.
Tolerance ToleranceOf(const fs::path& folder, Tolerance given) {
  const fs::path path = folder / "data.json";
  nlohmann::json json = nlohmann::json::object();
  if (fs::exists(path)) {
    std::ifstream file(path);
    json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object()) throw UsageError(path.string() + ": is no JSON object");
  }
  auto take = [&](const char* key, std::optional<double>* value, double otherwise) {
    if (value->has_value()) return;
    if (json.contains(key) && !json[key].is_number())
      throw UsageError(fmt::format("{}: '{}' is no number", path.string(), key));
    *value = json.value(key, otherwise);
  };
  take("rtol", &given.rtol, kRtol);
  take("atol", &given.atol, kAtol);
  return given;
}

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

}  // namespace

const char* Name(Outcome::Kind kind) {
  return kind == Outcome::kPassed ? "passed" : kind == Outcome::kFailed ? "failed" : "skipped";
}

std::vector<fs::path> FindCases(const std::vector<std::string>& dirs, const std::vector<std::string>& globs) {
  std::vector<fs::path> cases;
  size_t found = 0;
  auto add = [&](const fs::path& folder) {
    if (!fs::exists(folder / "model.onnx")) return;
    ++found;
    const std::string name = folder.filename().string();
    if (globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
          return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
        }))
      cases.push_back(folder);
  };
  for (const std::string& dir : dirs) {
    std::error_code error;
    if (!fs::is_directory(dir, error)) throw UsageError(dir + ": is no folder");
    found = 0;
    const fs::path root = fs::canonical(dir);
    add(root);
    for (fs::recursive_directory_iterator it(root), end; it != end; ++it)
      if (it->is_directory()) add(it->path());
    if (found == 0)
      throw UsageError(dir +
                       ": there is no case in it or below (a folder with model.onnx and test_data_set_0)");
  }
  std::sort(cases.begin(), cases.end());
  cases.erase(std::unique(cases.begin(), cases.end()), cases.end());
  return cases;
}

namespace {

Outcome RunSets(const Job& job, const LoadOptions& given, const Tolerance& wanted, const SetRunner& run) {
  try {
    LoadOptions load = given;
    load.placement = job.placement;
    const Tolerance tolerance = ToleranceOf(job.folder, wanted);
    LoadedGraph graph((job.folder / "model.onnx").string(), load);
    int sets = 0;
    for (; fs::is_directory(job.folder / fmt::format("test_data_set_{}", sets)); ++sets) {
      const fs::path set = job.folder / fmt::format("test_data_set_{}", sets);
      const std::vector<HostData> want = ReadSet(set, "output", graph.outputs());
      if (want.empty()) return {Outcome::kFailed, set.string() + ": has no output_0.pb"};
      const std::vector<HostData> got = run(graph, ReadSet(set, "input", graph.inputs()));
      for (size_t i = 0; i < want.size(); ++i) {
        double rtol = *tolerance.rtol;
        if (!wanted.rtol.has_value() && want[i].type == GRAPH_BFLOAT16) rtol = std::max(rtol, kBfloat16Rtol);
        if (std::string text = Compare(got[i], want[i], rtol, *tolerance.atol); !text.empty())
          return {Outcome::kFailed, fmt::format("test_data_set_{}: output '{}' {}", sets, got[i].name, text)};
      }
    }
    if (sets == 0) return {Outcome::kFailed, "it has no test_data_set_0"};
    return {};
  } catch (const RunError& e) {
    if (e.status() == GRAPH_UNSUPPORTED) return {Outcome::kSkipped, e.what()};
    return {Outcome::kFailed, e.what()};
  } catch (const std::exception& e) {
    return {Outcome::kFailed, e.what()};
  }
}

}  // namespace

Outcome RunCase(const Job& job, const LoadOptions& load, const Tolerance& tolerance) {
  static const bool checked = std::getenv("BRAID_CHECK") != nullptr;
  const uint64_t before = checked ? Violations() : 0;
  // A device that fails fails its case, whatever others gave in its place; but none that nobody asked for.
  const bool named = load.device != "auto";
  const auto run = [named](LoadedGraph& graph, const std::vector<HostData>& inputs) {
    auto results = graph.Run(inputs);
    if (named) conformance::CheckNoneLeftOut(graph.get());
    return results;
  };
  Outcome outcome = RunSets(job, load, tolerance, run);
  outcome.violations = checked ? Violations() - before : 0;
  if (outcome.violations == 0) return outcome;
  outcome.kind = Outcome::kFailed;
  outcome.text = fmt::format("{} breaches of the ABI's rules (told on standard error){}{}",
                             outcome.violations, outcome.text.empty() ? "" : "; ", outcome.text);
  return outcome;
}

Outcome RunCaseElsewhere(const Job& job, const Tolerance& tolerance, const SetRunner& run) {
  LoadOptions load;
  load.device = "reference";
  return RunSets(job, load, tolerance, run);
}

KnownFailures KnownFailures::Read(const std::string& path) {
  std::istringstream file(ReadFile(path));
  KnownFailures known;
  known.path_ = path;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const size_t hash = line.find('#');
    std::string name = Trimmed(line.substr(0, hash));
    if (name.empty()) continue;
    Entry entry;
    entry.reason = hash == std::string::npos ? "" : Trimmed(line.substr(hash + 1));
    if (entry.reason.empty())
      throw UsageError(fmt::format("{}:{}: '{}' has no reason (NAME  # reason)", path, number, name));
    if (name[0] == '?') {
      entry.may_pass = true;
      name = Trimmed(name.substr(1));
    }
    for (const auto& [key, value] :
         {std::pair{"rtol=", &entry.tolerance.rtol}, std::pair{"atol=", &entry.tolerance.atol}}) {
      const size_t at = name.rfind(std::string(" ") + key);
      if (at == std::string::npos) continue;
      const std::string text = Trimmed(name.substr(at + 1 + std::strlen(key)));
      double tolerance = 0;
      if (!absl::SimpleAtod(text, &tolerance) || !(tolerance >= 0) || std::isinf(tolerance))
        throw UsageError(fmt::format("{}:{}: {}{} is no tolerance", path, number, key, text));
      *value = tolerance;
      name = Trimmed(name.substr(0, at));
    }
    if (!known.entries_.emplace(name, entry).second)
      throw UsageError(fmt::format("{}:{}: '{}' is listed twice", path, number, name));
  }
  return known;
}

std::string KnownFailures::ReasonOf(const std::string& name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? "" : entry->second.reason;
}

Tolerance KnownFailures::ToleranceOf(const Job& job, Tolerance asked) const {
  const auto entry = entries_.find(job.folder.filename().string());
  if (entry == entries_.end()) return asked;
  if (!asked.rtol) asked.rtol = entry->second.tolerance.rtol;
  if (!asked.atol) asked.atol = entry->second.tolerance.atol;
  return asked;
}

Outcome KnownFailures::Judge(const Job& job, Outcome outcome) const {
  const auto entry = entries_.find(job.folder.filename().string());
  if (entry == entries_.end() || outcome.kind == Outcome::kSkipped || outcome.ended ||
      outcome.violations > 0 || entry->second.tolerance.rtol || entry->second.tolerance.atol)
    return outcome;
  if (outcome.kind == Outcome::kFailed) return {Outcome::kSkipped, "known failure: " + entry->second.reason};
  if (entry->second.may_pass) return outcome;
  return {Outcome::kFailed,
          fmt::format("it passes, so its entry in {} is stale ({})", path_, entry->second.reason)};
}

}  // namespace braid::cli
