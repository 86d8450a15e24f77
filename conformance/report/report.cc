// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
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
  if (!r.basis.empty()) json["basis"] = r.basis;
  if (r.worst != 0) json["worst"] = std::isfinite(r.worst) ? Json(r.worst) : Json();
  json["seconds"] = std::round(r.seconds * 1e6) / 1e6;
  if (!c.types.empty()) json["types"] = c.types;
  if (!r.measured.empty()) json["performance"] = Json::parse(r.measured, nullptr, false);
  return json;
}

}  // namespace

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
