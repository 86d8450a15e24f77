// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/score.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace braid::conformance {
namespace {

constexpr const char* kPageHead = R"(# The suite's score on seeded faults

A mutant is the reference device with one fault. The suite has found it when a case fails that passes without the fault. Half of the
mutants (by a hash of their names) may be looked at when cases and their data are chosen; the score is the share of the other half.
The official cases are ONNX's own node cases with ONNX's tolerance, on the same mutants: those whose graphs have one of its operators.

Written by `braid conformance --mutants --official CASES --survivors conformance/mutants/survivors.txt --mutants-page FILE`
)";

std::string Cell(const Kill& k) {
  return k.killed() ? fmt::format("`{}`", k.by) : k.error.empty() ? "survives" : k.error;
}

}  // namespace

Score ScoreOf(const std::vector<Kill>& kills, bool for_score) {
  Score score;
  for (const Kill& k : kills) {
    if (mutants::IsForScore(k.mutant->name) != for_score) continue;
    ++score.mutants;
    if (k.killed()) ++score.ours;
    if (k.other_kills > 0) ++score.others;
  }
  return score;
}

std::string Share(size_t part, size_t whole) {
  if (whole == 0) return "none of none";
  return fmt::format("{} of {} ({:.1f}%)", part, whole,
                     100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string ScoreJson(const ScoreReport& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const Kill& k : report.kills) {
    nlohmann::json one = {{"mutant", k.mutant->name},
                          {"what", k.mutant->what},
                          {"family", mutants::Name(k.mutant->family)},
                          {"operators", k.mutant->operators},
                          {"smoke", k.mutant->smoke},
                          {"scores", mutants::IsForScore(k.mutant->name)},
                          {"killed", k.killed()},
                          {"by", k.by},
                          {"text", k.text},
                          {"cases", k.cases},
                          {"ran", k.ran},
                          {"error", k.error},
                          {"seconds", k.seconds}};
    if (report.has_others)
      one.update({{"official_cases", k.others}, {"official_kills", k.other_kills}, {"official_by", k.other}});
    list.push_back(std::move(one));
  }
  nlohmann::json json = {{"level", report.level}, {"mutants", std::move(list)}};
  for (const bool scores : {true, false}) {
    const Score s = ScoreOf(report.kills, scores);
    nlohmann::json& half = json[scores ? "score" : "may_select_data"];
    half = {{"mutants", s.mutants}, {"killed", s.ours}};
    if (report.has_others) half["killed_by_official"] = s.others;
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string ScorePage(const ScoreReport& report) {
  const Score score = ScoreOf(report.kills, true), other = ScoreOf(report.kills, false);
  std::string page = kPageHead;
  page += fmt::format("at the level {} on {:%Y-%m-%d}.\n\n", report.level, fmt::gmtime(std::time(nullptr)));
  page += "| mutants | found by the suite | by the official cases alone |\n| --- | --- | --- |\n";
  const auto row = [&](const char* what, const Score& s) {
    page += fmt::format("| {} | {} | {} |\n", what, Share(s.ours, s.mutants),
                        report.has_others ? Share(s.others, s.mutants) : "-");
  };
  row("**the score**: the half that scores", score);
  row("the half that may select data", other);
  if (!report.notes.empty()) page += "\n" + report.notes;

  page += "\n## Survivors\n\n| mutant | what it stands for | what would find it |\n| --- | --- | --- |\n";
  for (const Kill& k : report.kills) {
    if (k.killed()) continue;
    const auto reason = report.reasons.find(k.mutant->name);
    page += fmt::format("| `{}` | {} | {} |\n", k.mutant->name, k.mutant->what,
                        reason != report.reasons.end() ? reason->second : "");
  }

  page +=
      "\n## All of them\n\n| mutant | family | operators | found by | its place | official |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const Kill& k : report.kills)
    page += fmt::format(
        "| {}`{}` | {} | {} | {} | {} | {} |\n", mutants::IsForScore(k.mutant->name) ? "" : "(d) ",
        k.mutant->name, mutants::Name(k.mutant->family), k.mutant->operators, Cell(k),
        k.killed() ? fmt::format("{} of {}", k.ran, k.cases) : fmt::format("- of {}", k.cases),
        report.has_others ? fmt::format("{} of {}", k.other_kills, k.others) : "-");
  page +=
      "\n(d): of the half that may select data. Its place: how many of its cases ran until one found it. "
      "Official: how\n"
      "many of ONNX's own cases with its operators find it.\n";
  return page;
}

}  // namespace braid::conformance
