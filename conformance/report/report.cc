// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace braid::conformance {
namespace {

using Json = nlohmann::ordered_json;

Json CountsJson(const Counts& counts) {
  Json json = {{"passed", counts.passed()}, {"failed", counts.failed()}, {"skipped", counts.skipped()}};
  json["outcomes"] = Json::object();
  for (const auto& [outcome, n] : counts.outcomes) json["outcomes"][Name(outcome)] = n;
  return json;
}

Json ShareJson(const Share& share) {
  return {{"all", share.all},       {"with_cases", share.cases}, {"taken", share.taken},
          {"passed", share.passed}, {"missing", share.missing},  {"failed", share.failed}};
}

Json CoverageJson(const Coverage& coverage) {
  Json json;
  json["operator versions"] = Json::object();
  for (const auto& [domain, share] : coverage.versions) json["operator versions"][domain] = ShareJson(share);
  for (const auto& [name, share] : coverage.shares) json[name] = ShareJson(share);
  return json;
}

// What most cases lack is left out, for there are many of them.
Json CaseJson(const CaseReport& c) {
  const Result& r = c.result;
  Json json = {{"id", r.id}, {"kind", r.kind}, {"group", r.group}, {"outcome", Name(r.outcome)}};
  if (!r.text.empty()) json["text"] = r.text;
  if (const auto contract = ContractOf(r.id)) {
    json["rules"] = Json::array();
    for (size_t at = 0; at < contract->rules.size();) {
      const size_t end = std::min(contract->rules.find(", ", at), contract->rules.size());
      json["rules"].push_back(contract->rules.substr(at, end - at));
      at = end + 2;
    }
    json["must_hold"] = contract->doc;
  }
  if (!r.basis.empty()) json["basis"] = r.basis;
  if (r.worst != 0) json["worst"] = std::isfinite(r.worst) ? Json(r.worst) : Json();
  json["seconds"] = std::round(r.seconds * 1e6) / 1e6;
  if (!c.types.empty()) json["types"] = c.types;
  if (!r.measured.empty()) json["performance"] = Json::parse(r.measured, nullptr, false);
  return json;
}

}  // namespace

std::optional<ContractEntry> ContractOf(const std::string& id) {
  static const auto* const all = [] {
    auto* map = new std::map<std::string, ContractEntry>;
    for (ContractEntry& e : ContractEntries()) {
      const std::string name = e.id;
      map->emplace(name, std::move(e));
    }
    return map;
  }();
  auto found = all->find(id);
  // One an operator: abi/honest/Add-14.
  if (const size_t slash = id.rfind('/'); found == all->end() && slash != std::string::npos)
    found = all->find(id.substr(0, slash) + "/OPERATOR");
  return found == all->end() ? std::nullopt : std::optional(found->second);
}

std::string ShellWord(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](const char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("-_./:=,+@%", c) != nullptr;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

size_t Counts::At(Outcome outcome) const {
  const auto at = outcomes.find(outcome);
  return at == outcomes.end() ? 0 : at->second;
}

size_t Counts::failed() const {
  size_t all = 0;
  for (const auto& [outcome, n] : outcomes) all += n;
  return all - passed() - skipped();
}

std::map<std::string, Counts> DeviceReport::kinds() const {
  std::map<std::string, Counts> kinds;
  for (const CaseReport& c : cases) kinds[c.result.kind].Add(c.result.outcome);
  return kinds;
}

Counts DeviceReport::counts() const {
  Counts counts;
  for (const CaseReport& c : cases) counts.Add(c.result.outcome);
  return counts;
}

Counts Report::counts() const {
  Counts counts;
  for (const DeviceReport& d : devices)
    for (const CaseReport& c : d.cases) counts.Add(c.result.outcome);
  return counts;
}

Json ToJson(const Report& report) {
  const auto file = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
  Json json = {{"format", 1},
               {"suite", report.suite},
               {"level", report.level},
               {"profile", report.profile},
               {"date", report.date},
               {"complete", report.complete},
               {"seed", "the id of each case"},
               {"plugin",
                {{"id", report.plugin.id},
                 {"vendor", report.plugin.vendor},
                 {"version", report.plugin.version},
                 {"library", file(report.plugin.library)},
                 {"library_sha256", report.plugin.library_sha256}}},
               {"notes", report.notes},
               {"counts", CountsJson(report.counts())},
               {"devices", Json::array()}};
  for (const DeviceReport& d : report.devices) {
    Json device = {{"id", d.device.id},
                   {"kind", d.device.kind},
                   {"name", d.device.name},
                   {"driver", d.device.driver},
                   {"arithmetic", d.device.arithmetic},
                   {"arithmetic_text", ArithmeticText(d.device.arithmetic)},
                   {"seconds", std::round(d.seconds * 1000) / 1000},
                   {"counts", CountsJson(d.counts())},
                   {"kinds", Json::object()},
                   {"coverage", CoverageJson(d.coverage)},
                   {"cases", Json::array()}};
    for (const auto& [kind, counts] : d.kinds()) device["kinds"][kind] = CountsJson(counts);
    for (const CaseReport& c : d.cases) device["cases"].push_back(CaseJson(c));
    json["devices"].push_back(std::move(device));
  }
  return json;
}

std::string Today() { return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))); }

}  // namespace braid::conformance
