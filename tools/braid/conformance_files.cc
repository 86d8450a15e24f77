// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/conformance_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/report/compare.h"
#include "conformance/report/report.h"
#include "conformance/report/repro.h"
#include "conformance/run/suite.h"
#include "tools/braid/command.h"
#include "tools/braid/conformance_summary.h"
#include "tools/braid/tensors.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

int Repro(const std::string& id, const std::string& given, bool json) {
  const std::vector<conformance::ContractEntry> contract = conformance::ContractEntries();
  if (std::any_of(contract.begin(), contract.end(),
                  [&](const auto& e) { return id.starts_with(e.kind + "/"); })) {
    if (!conformance::ContractOf(id))
      throw UsageError("'" + id + "' is no case; `braid conformance --list` has them all");
    const std::string run = "braid conformance --plugin PATH --filter " + conformance::ShellWord(id);
    throw UsageError(fmt::format(
        "'{}' has no model of its own to write: it calls the plugin's tables. It runs alone with `{} -j 1`, "
        "and under a debugger with `gdb --args {} --in-process`",
        id, run, run));
  }
  std::string folder = given;
  if (folder.empty()) {
    // A name that is one on every file system.
    for (const char c : id)
      folder += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ? c : '_';
  }
  if (fs::exists(folder) && !fs::is_empty(folder))
    throw UsageError(folder + ": is not empty; --out names another folder");
  std::vector<std::string> names;
  try {
    names = conformance::WriteRepro(id, conformance::BuildById(id), folder);
  } catch (const std::runtime_error& e) {
    throw UsageError(e.what());
  }
  if (json) {
    fmt::print("{}\n", nlohmann::json({{"case", id}, {"folder", folder}, {"files", names}}).dump(2));
  } else {
    for (const std::string& name : names) fmt::print("{}\n", (fs::path(folder) / name).string());
  }
  return kDone;
}

int CompareReports(const std::string names[2], bool as_json) {
  nlohmann::json reports[2];
  for (int i = 0; i < 2; ++i) reports[i] = nlohmann::json::parse(ReadFile(names[i]), nullptr, false);
  const conformance::Comparison comparison = conformance::Compare(reports[0], reports[1], names);
  if (as_json) {
    nlohmann::json json = {{"same", comparison.same},
                           {"worse", comparison.worse()},
                           {"identity", comparison.identity},
                           {"changes", nlohmann::json::array()}};
    for (const auto& c : comparison.changes)
      json["changes"].push_back({{"device", c.device},
                                 {"id", c.id},
                                 {"before", c.before},
                                 {"after", c.after},
                                 {"worse", c.worse},
                                 {"text", c.text}});
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    PrintComparison(comparison);
  }
  return comparison.worse() == 0 ? kDone : kFailed;
}

}  // namespace

std::function<std::optional<int>()> AddRepro(CLI::App& app) {
  struct Options {
    std::string id, out;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("repro", "writes a case as files, for any run time");
  sub->add_option("case", options->id, "the case's id")->required();
  sub->add_option("--out", options->out, "the folder; by default its name is the id's");
  sub->add_flag("--json", options->json, "print JSON");
  return [sub, options]() -> std::optional<int> {
    if (!sub->parsed()) return std::nullopt;
    return Repro(options->id, options->out, options->json);
  };
}

std::function<std::optional<int>()> AddCompare(CLI::App& app) {
  struct Options {
    std::string names[2];
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("compare", "tells what changed between two reports");
  sub->add_option("before", options->names[0], "report.json of the earlier run")->required();
  sub->add_option("after", options->names[1], "report.json of the later run")->required();
  sub->add_flag("--json", options->json, "print JSON");
  return [sub, options]() -> std::optional<int> {
    if (!sub->parsed()) return std::nullopt;
    return CompareReports(options->names, options->json);
  };
}

}  // namespace braid::cli
