// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/certificate.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "core/plugins/sha256.h"

namespace braid {
namespace {

using nlohmann::json;

// The report without its cases, which are most of it.
json ReadReport(const std::string& path) {
  std::ifstream file(path);
  const json::parser_callback_t keep = [](int, json::parse_event_t event, json& parsed) {
    return event != json::parse_event_t::key || parsed != "cases";
  };
  return json::parse(file, keep, false);
}

std::string TextAt(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string WhyNot(const Manifest& manifest, std::vector<Certificate::Device>* tested) {
  const ManifestConformance& said = manifest.conformance;
  if (said.report.empty())
    return said.sha256.empty() ? "its manifest names no conformance report"
                               : "its manifest has a report's hash, but names no report";
  if (said.report.find('/') != std::string::npos)
    return absl::StrCat("its report '", said.report, "' does not lie beside the manifest");
  const std::string path = manifest.path.substr(0, manifest.path.rfind('/') + 1) + said.report;
  const auto hash = Sha256OfFile(path);
  if (!hash.ok()) return absl::StrCat("its report can't be read: ", hash.status().message());
  if (*hash != said.sha256)
    return absl::StrCat("its report ", said.report, " has another SHA-256 than the manifest says");
  const json report = ReadReport(path);
  if (!report.is_object()) return absl::StrCat("its report ", said.report, " is no JSON object");
  const json plugin = report.value("plugin", json());
  if (TextAt(plugin, "id") != manifest.id)
    return absl::StrCat("its report is of the plugin '", TextAt(plugin, "id"), "'");
  const struct {
    const char* key;
    const std::string& said;
  } claims[] = {{"level", said.level}, {"profile", said.profile}, {"suite", said.suite}, {"date", said.date}};
  for (const auto& [key, claim] : claims)
    if (TextAt(report, key) != claim)
      return absl::StrCat("its report's ", key, " is '", TextAt(report, key), "', not '", claim, "'");
  if (report.value("complete", json()) != true) return "its report is of a part of the cases only";
  const json devices = report.value("devices", json());
  if (!devices.is_array() || devices.empty()) return "its report is of no device";
  // The whole and each device for itself.
  std::vector<json> all = {report.value("counts", json())};
  for (const json& device : devices) {
    if (!device.is_object()) return "its report is of no device";
    tested->push_back({TextAt(device, "name"), TextAt(device, "driver")});
    all.push_back(device.value("counts", json()));
  }
  for (const json& counts : all) {
    const auto count = [](const json& object, const char* key) {
      const auto found = object.is_object() ? object.find(key) : object.end();
      return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
    };
    if (!counts.is_object() || !counts.contains("failed")) return "its report counts no failures";
    if (const uint64_t n = count(counts, "failed"); n > 0)
      return absl::StrCat("its report has ", n, " failures");
    if (count(counts, "passed") == 0) return "in its report nothing passed";
    if (const uint64_t n = count(counts.value("outcomes", json()), "waived"); n > 0)
      return absl::StrCat("in its report ", n, " failures are waived");
  }
  const auto library = Sha256OfFile(manifest.library);
  if (!library.ok()) return std::string(library.status().message());
  if (*library != TextAt(plugin, "library_sha256")) return "its library is another than the report's";
  return "";
}

}  // namespace

Certificate CheckCertificate(const Manifest& manifest) {
  Certificate certificate;
  certificate.why_not = WhyNot(manifest, &certificate.devices);
  certificate.certified = certificate.why_not.empty();
  return certificate;
}

}  // namespace braid
