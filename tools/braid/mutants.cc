// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/mutants.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <thread>

#include "conformance/contract/contract.h"
#include "conformance/mutants/kill.h"
#include "conformance/mutants/score.h"
#include "conformance/run/generated.h"
#include "core/onnx/model.h"
#include "tools/braid/cases.h"
#include "tools/braid/command.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;
using conformance::Kill;
using conformance::Level;
using conformance::Score;
using mutants::Mutant;

struct Options {
  bool wanted = false, must = false, list = false;
  std::string official, json, page, survivors, plugins;
  std::vector<std::string> only;
  int tenth = -1;  // -1: all; 10: the one of today
};

// Where this program's build tree has the plugin: it is never installed.
fs::path PluginFolder(const std::string& given) {
  const fs::path folder =
      given.empty() ? fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "conformance/plugins"
                    : fs::path(given);
  if (!fs::exists(folder / "mutant.braid.json"))
    throw UsageError(folder.string() +
                     ": the plugin 'mutant' is not there; it is part of Braid's build tree alone "
                     "(--mutant-plugins tells another folder)");
  return folder;
}

std::vector<const Mutant*> Chosen(const Options& options) {
  const auto days =
      std::chrono::duration_cast<std::chrono::hours>(std::chrono::system_clock::now().time_since_epoch())
          .count() /
      24;
  const int tenth = options.tenth == 10 ? static_cast<int>(days % 10) : options.tenth;
  std::vector<const Mutant*> chosen;
  const auto& all = mutants::AllMutants();
  for (size_t i = 0; i < all.size(); ++i) {
    const Mutant& m = all[i];
    const bool named = options.only.empty() ||
                       std::any_of(options.only.begin(), options.only.end(), [&](const std::string& glob) {
                         return fnmatch(glob.c_str(), m.name.c_str(), 0) == 0;
                       });
    const bool part = (!options.must && tenth < 0) || (options.must && m.smoke) ||
                      (tenth >= 0 && i % 10 == static_cast<size_t>(tenth));
    if (named && part) chosen.push_back(&m);
  }
  if (chosen.empty()) throw UsageError("no mutant's name matches");
  return chosen;
}

// ONNX's own cases as jobs, with the operators of their models.
std::vector<conformance::OtherCase> OfficialCases(const std::string& folder) {
  std::vector<conformance::OtherCase> cases;
  if (folder.empty()) return cases;
  const fs::path nodes = fs::path(folder) / "onnx-1.23.2/node";
  for (const fs::path& dir : FindCases({fs::exists(nodes) ? nodes.string() : folder}, {})) {
    const auto model = LoadModelFile((dir / "model.onnx").string());
    if (!model.ok()) continue;  // the baseline would fail it too
    std::set<std::string> ops;
    for (const Node& node : (*model)->graph().nodes) ops.insert(node.op);
    const Job job{dir, dir.filename().string(), ""};
    cases.push_back({{job.name, "official", "",
                      [job]() -> conformance::Result {
                        LoadOptions load;
                        load.device = "mutant";
                        const Outcome outcome = RunCase(job, load, {});
                        conformance::Result r;
                        r.outcome = outcome.kind == Outcome::kPassed   ? conformance::Outcome::kPass
                                    : outcome.kind == Outcome::kFailed ? conformance::Outcome::kFail
                                                                       : conformance::Outcome::kUnsupported;
                        r.text = outcome.text;
                        return r;
                      }},
                     {ops.begin(), ops.end()}});
  }
  return cases;
}

// The suite's cases that are not generated.
std::vector<conformance::Job> OtherJobs(const std::string& device, const fs::path& folder) {
  std::vector<conformance::Job> jobs =
      conformance::FusionJobs([device] { return conformance::DeviceTarget(device); }, 0);
  conformance::PluginUnderTest subject;
  subject.library = (folder / "libbraid_mutant.so").string();
  // A few operators stand for all: what these cases find lies in the plugin, not in its operators.
  for (const auto& op : conformance::AllOperatorVersions())
    for (const char* name : {"Add", "Relu", "MatMul", "Gather", "NonZero"})
      if (op.newest && op.domain.empty() && op.name == name) subject.operators.push_back(op.Label());
  for (conformance::Job& job : conformance::ContractJobs(subject)) jobs.push_back(std::move(job));
  return jobs;
}

void Write(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw UsageError(path + ": cannot be written");
}

// Lines "#: text" of the list of survivors: what the page tells of the score.
std::string NotesOf(const std::string& path) {
  std::ifstream file(path);
  std::string notes;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("#: ")) notes += line.substr(3) + "\n";
  return notes;
}

const char* LevelText(Level level) {
  return level == Level::kSmoke ? "smoke" : level == Level::kFull ? "full" : "default";
}

int Run(const Options& options, Level level) {
  const fs::path folder = PluginFolder(options.plugins);
  const std::vector<const Mutant*> chosen = Chosen(options);
  if (options.list) {
    for (const Mutant* m : chosen)
      fmt::print("{:<44} {:<12} {}{}\n", m->name, mutants::Name(m->family), m->what,
                 m->operators.empty() ? "" : " (" + m->operators + ")");
    return kDone;
  }
  const char* path = std::getenv("BRAID_PLUGIN_PATH");
  setenv("BRAID_PLUGIN_PATH", (folder.string() + (path != nullptr ? std::string(":") + path : "")).c_str(),
         1);
  KnownFailures known;
  if (!options.survivors.empty()) known = KnownFailures::Read(options.survivors);

  conformance::KillOptions kill;
  kill.level = level;
  kill.mutants = chosen;
  kill.others = OfficialCases(options.official);
  kill.jobs = OtherJobs(kill.device, folder);
  kill.children = static_cast<int>(std::thread::hardware_concurrency());
  std::vector<Kill> kills;
  size_t counts[3] = {};
  conformance::RunMutants(kill, [&](const Kill& k) {
    kills.push_back(k);
    Outcome outcome;
    if (!k.killed()) outcome = {Outcome::kFailed, k.error.empty() ? "survived" : k.error};
    outcome = known.Judge({k.mutant->name, k.mutant->name, ""}, outcome);
    ++counts[outcome.kind];
    fmt::print("{} {}{}{}\n", outcome.kind == Outcome::kPassed ? "killed" : Name(outcome.kind),
               k.mutant->name,
               k.killed() ? fmt::format(" by {} ({} of {})", k.by, k.ran, k.cases)
                          : fmt::format(" survived {} cases", k.cases),
               k.others > 0 ? fmt::format("; official: {} of {}", k.other_kills, k.others) : "");
    if (outcome.kind != Outcome::kPassed) fmt::print("    {} - {}\n", k.mutant->what, outcome.text);
    std::fflush(stdout);
  });
  std::sort(kills.begin(), kills.end(),
            [](const Kill& a, const Kill& b) { return a.mutant->name < b.mutant->name; });
  conformance::ScoreReport report{
      kills, LevelText(level), !options.official.empty(), {}, NotesOf(options.survivors)};
  for (const Kill& k : kills) report.reasons[k.mutant->name] = known.ReasonOf(k.mutant->name);
  Write(options.json, conformance::ScoreJson(report));
  Write(options.page, conformance::ScorePage(report));
  for (const bool scores : {false, true}) {
    const Score s = conformance::ScoreOf(kills, scores);
    fmt::print("{}: ours found {}{}\n", scores ? "the half that scores" : "the half that may select data",
               conformance::Share(s.ours, s.mutants),
               options.official.empty()
                   ? ""
                   : ", the official cases alone " + conformance::Share(s.others, s.mutants));
  }
  fmt::print("{} passed, {} failed, {} skipped\n", counts[Outcome::kPassed], counts[Outcome::kFailed],
             counts[Outcome::kSkipped]);
  return counts[Outcome::kFailed] == 0 ? kDone : kFailed;
}

}  // namespace

std::function<std::optional<int>(Level)> AddMutants(CLI::App& app) {
  auto options = std::make_shared<Options>();
  const std::string group = "How good the suite is";
  app.add_flag("--mutants", options->wanted,
               "run the reference device with seeded faults instead, one at a time")
      ->group(group);
  app.add_option("--only", options->only, "only mutants whose name matches the glob")
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--must", options->must, "only mutants that the level smoke must find")->group(group);
  app.add_option("--tenth", options->tenth,
                 "only a tenth of the mutants, 0 to 9; 10: that of today. With --must these too")
      ->check(CLI::Range(0, 10))
      ->group(group);
  app.add_flag("--list-mutants", options->list, "print the mutants and run none")->group(group);
  app.add_option("--official", options->official,
                 "folder of ONNX's own cases, to tell which mutants they find")
      ->group(group);
  app.add_option("--mutants-json", options->json, "write the table there as JSON")->group(group);
  app.add_option("--mutants-page", options->page, "write the table there as Markdown")->group(group);
  app.add_option("--survivors", options->survivors,
                 "file of mutants that are known to survive, NAME  # what would find it")
      ->group(group);
  app.add_option("--mutant-plugins", options->plugins, "the folder of the plugin 'mutant'")->group(group);
  return [options](Level level) -> std::optional<int> {
    if (!options->wanted && !options->list) return std::nullopt;
    return Run(*options, level);
  };
}

}  // namespace braid::cli
