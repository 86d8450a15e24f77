// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "absl/strings/str_replace.h"
#include "conformance/report/report.h"

namespace braid::conformance {

extern const char* const kPage;  // page.html

std::string Page(const Report& report) {
  // The page stays where it was made; report.json, which goes with a certificate, has no paths.
  nlohmann::ordered_json data = ToJson(report);
  if (!report.rerun.empty()) data["rerun"] = report.rerun;
  // ASCII alone, and no "<": nothing in a text ends the script that it stands in.
  std::string json = data.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  absl::StrReplaceAll({{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}}, &json);
  const std::string title = absl::StrReplaceAll("Conformance of " + report.plugin.id,
                                                {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
  return absl::StrReplaceAll(kPage, {{"{{TITLE}}", title}, {"{{DATA}}", json}});
}

}  // namespace braid::conformance
