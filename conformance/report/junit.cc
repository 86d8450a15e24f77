// SPDX-License-Identifier: Apache-2.0
//
// JUnit's XML, as CI servers read it: a suite for each device and kind.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "conformance/report/report.h"

namespace braid::conformance {
namespace {

// In an attribute. XML has no way to write most control characters, and no bytes that are not UTF-8.
std::string Escaped(const std::string& text) {
  // nlohmann knows what is UTF-8.
  const std::string valid = nlohmann::json::parse(
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::string out;
  for (const char c : valid) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return out;
}

// JUnit's element for an outcome; null: passed.
const char* ElementOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return nullptr;
    case Outcome::kFail:
    case Outcome::kStale:
      return "failure";
    case Outcome::kUnsupported:
    case Outcome::kCore:
    case Outcome::kWaived:
      return "skipped";
    default:
      return "error";
  }
}

}  // namespace

std::string JUnit(const Report& report) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"braid conformance\">\n";
  for (const DeviceReport& d : report.devices) {
    std::map<std::string, std::vector<const Result*>> kinds;
    for (const CaseReport& c : d.cases) kinds[c.result.kind].push_back(&c.result);
    for (const auto& [kind, results] : kinds) {
      std::map<std::string, size_t> counts;
      double seconds = 0;
      std::string cases;
      for (const Result* r : results) {
        seconds += r->seconds;
        cases += fmt::format("<testcase classname=\"{}.{}\" name=\"{}\" time=\"{:.6f}\"", Escaped(kind),
                             Escaped(r->group), Escaped(r->id), r->seconds);
        const char* element = ElementOf(r->outcome);
        if (element == nullptr) {
          cases += "/>\n";
          continue;
        }
        ++counts[element];
        const bool failed = std::string_view(element) != "skipped";
        cases += fmt::format("><{} {}message=\"{}\"", element,
                             failed ? fmt::format("type=\"{}\" ", Name(r->outcome)) : "", Escaped(r->text));
        if (const auto contract = failed ? ContractOf(r->id) : std::nullopt)
          cases += fmt::format(">What must hold: {} ({})</{}></testcase>\n", Escaped(contract->doc),
                               Escaped(contract->rules), element);
        else
          cases += "/></testcase>\n";
      }
      out += fmt::format(
          "<testsuite name=\"{} {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
          "time=\"{:.6f}\" timestamp=\"{}T00:00:00\">\n{}</testsuite>\n",
          Escaped(d.device.id), Escaped(kind), results.size(), counts["failure"], counts["error"],
          counts["skipped"], seconds, report.date, cases);
    }
  }
  return out + "</testsuites>\n";
}

}  // namespace braid::conformance
