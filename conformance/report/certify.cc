// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/certify.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "conformance/run/profile.h"
#include "core/plugins/manifest.h"
#include "core/plugins/sha256.h"

namespace braid::conformance {
namespace {

namespace fs = std::filesystem;

// All or nothing, so that no half file lies there where something goes wrong.
void Write(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".new";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::invalid_argument(path.string() + ": can't be written");
  fs::rename(beside, path);
}

bool IsTaken(const Result& r) { return r.kind == "generated" && r.outcome == Outcome::kPass; }

// Operators of the report's profile of which a device took no case.
std::vector<std::string> Refused(const DeviceReport& device, const Profile& profile) {
  std::set<std::string> taken;
  for (const CaseReport& c : device.cases)
    if (IsTaken(c.result)) taken.insert(c.result.group.substr(0, c.result.group.rfind('-')));
  std::vector<std::string> refused;
  for (const std::string_view op : profile.operators)
    if (!taken.contains(std::string(op))) refused.emplace_back(op);
  return refused;
}

}  // namespace

std::string WhyNoCertificate(const Report& report) {
  if (!report.complete) return "it ran a part of the cases only";
  if (report.devices.empty() || report.counts().passed() == 0) return "nothing passed";
  if (const size_t n = report.counts().failed(); n > 0) return fmt::format("{} cases failed", n);
  for (const DeviceReport& device : report.devices)
    if (std::none_of(device.cases.begin(), device.cases.end(),
                     [](const auto& c) { return IsTaken(c.result); }))
      return fmt::format("{} takes no operator's case", device.device.id);
  if (const size_t n = report.counts().At(Outcome::kWaived); n > 0)
    return fmt::format("{} failures are waived", n);
  const Profile* profile = FindProfile(report.profile);
  for (const DeviceReport& device : report.devices)
    if (const auto refused = Refused(device, *profile); !refused.empty())
      return fmt::format("{} takes no case of {}, which belong to the profile {}", device.device.id,
                         fmt::join(refused, ", "), report.profile);
  return "";
}

void Certify(const Report& report, const std::string& path) {
  if (const auto manifest = ReadManifest(path); !manifest.ok())
    throw std::invalid_argument(std::string(manifest.status().message()));
  else if (manifest->id != report.plugin.id || manifest->library != report.plugin.library)
    throw std::invalid_argument(fmt::format("{}: is the manifest of {} ({}); tested was {} ({})", path,
                                            manifest->id, manifest->library, report.plugin.id,
                                            report.plugin.library));
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(text.str());
  const std::string name = report.plugin.id + ".conformance.json";
  const std::string written =
      ToJson(report).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  Write(fs::path(path).parent_path() / name, written);
  json["conformance"] = {{"report", name},        {"sha256", Sha256(written)},
                         {"level", report.level}, {"profile", report.profile},
                         {"suite", report.suite}, {"date", report.date}};
  Write(path, json.dump(2) + "\n");
}

}  // namespace braid::conformance
