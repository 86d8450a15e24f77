// SPDX-License-Identifier: Apache-2.0
//
// What a run of the suite found, and its forms as files: report.json (docs/reference/conformance-report.md),
// junit.xml and report.html.
#ifndef BRAID_CONFORMANCE_REPORT_REPORT_H_
#define BRAID_CONFORMANCE_REPORT_REPORT_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "conformance/contract/contract.h"
#include "conformance/report/coverage.h"
#include "conformance/report/plugin.h"
#include "conformance/run/job.h"

namespace braid::conformance {

struct Counts {
  std::map<Outcome, size_t> outcomes;
  void Add(Outcome outcome) { ++outcomes[outcome]; }
  size_t passed() const { return At(Outcome::kPass); }
  size_t skipped() const { return At(Outcome::kUnsupported) + At(Outcome::kCore) + At(Outcome::kWaived); }
  size_t failed() const;  // all others
  size_t At(Outcome outcome) const;
};

struct CaseReport {
  Result result;
  std::vector<std::string> types;  // of generated cases: TypesOf
};

struct DeviceReport {
  DeviceIdentity device;
  std::vector<CaseReport> cases;
  Coverage coverage;
  double seconds = 0;
  std::map<std::string, Counts> kinds() const;
  Counts counts() const;
};

struct Report {
  std::string suite, level, profile;
  std::string date;                // "2027-01-31", UTC
  bool complete = false;           // all kinds, no filter, no shard
  std::vector<std::string> notes;  // what a reader should know: kinds without cases, waivers that expired
  PluginIdentity plugin;
  std::string
      rerun;  // the command for a case of it, for a shell, without --device and --filter; for the page
  std::vector<DeviceReport> devices;
  Counts counts() const;
};

// What the table of the contract's cases says of a case; nothing: it is none of these.
std::optional<ContractEntry> ContractOf(const std::string& id);
// A word as a shell takes it.
std::string ShellWord(const std::string& word);

nlohmann::ordered_json ToJson(const Report& report);
std::string JUnit(const Report& report);
std::string Page(const Report& report);

// "2027-01-31", today in UTC.
std::string Today();

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_REPORT_H_
