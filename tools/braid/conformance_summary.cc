// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/conformance_summary.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "tools/braid/progress.h"

namespace braid::cli {
namespace {

using conformance::Counts;
using conformance::DeviceReport;
using conformance::Outcome;
using conformance::Report;
using conformance::Share;

void PrintKinds(const DeviceReport& device) {
  const auto kinds = device.kinds();
  std::set<Outcome> outcomes;
  for (const auto& [kind, counts] : kinds)
    for (const auto& [outcome, n] : counts.outcomes) outcomes.insert(outcome);
  fmt::print("\n{:<24}", "");
  for (const Outcome outcome : outcomes) fmt::print("{:>13}", Name(outcome));
  fmt::print("\n");
  for (const auto& [kind, counts] : kinds) {
    fmt::print("{:<24}", kind);
    for (const Outcome outcome : outcomes) fmt::print("{:>13}", counts.At(outcome));
    fmt::print("\n");
  }
}

void PrintShare(const std::string& name, const Share& share) {
  const double percent =
      share.all == 0 ? 100 : 100.0 * static_cast<double>(share.cases) / static_cast<double>(share.all);
  fmt::print("{:<44}{:>9}{:>12} {:>6}{:>10}{:>10}\n", name, share.all, share.cases,
             fmt::format("{:.1f}%", percent), share.taken, share.passed);
}

void PrintCoverage(const Report& report, const DeviceReport& device) {
  if (!report.complete) {
    fmt::print("\ncoverage is not told: only a part of the cases was run\n");
    return;
  }
  fmt::print("\n{:<44}{:>9}{:>12} {:>6}{:>10}{:>10}\n",
             fmt::format("coverage, at the level {}", report.level), "schemas", "with cases", "", "taken",
             "passed");
  Share all;
  for (const auto& [domain, share] : device.coverage.versions) {
    PrintShare("operator versions, " + domain, share);
    all.all += share.all, all.cases += share.cases, all.taken += share.taken, all.passed += share.passed;
  }
  PrintShare("operator versions", all);
  for (const auto& [name, share] : device.coverage.shares) PrintShare(name + ", newest versions", share);
}

}  // namespace

std::string ResultLine(const conformance::Result& r) {
  return fmt::format("{} {}{}{}", Name(r.outcome), r.id, r.text.empty() ? "" : ": ", r.text);
}

void PrintSummary(const Report& report, const std::string& certified) {
  for (const DeviceReport& device : report.devices) {
    const auto& d = device.device;
    fmt::print("\n{}: {}\n  plugin {} {}, driver {}, arithmetic: {}\n", d.id, d.name, report.plugin.id,
               report.plugin.version, d.driver.empty() ? "not told" : d.driver,
               conformance::ArithmeticText(d.arithmetic));
    fmt::print("  suite {}, level {}, profile {}, {}\n", report.suite, report.level, report.profile,
               TimeText(device.seconds));
    PrintKinds(device);
    PrintCoverage(report, device);
  }
  fmt::print("\n");
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
  if (!certified.empty()) fmt::print("{}\n", certified);
  const Counts counts = report.counts();
  fmt::print("{} passed, {} failed, {} skipped\n", counts.passed(), counts.failed(), counts.skipped());
}

void PrintComparison(const conformance::Comparison& comparison) {
  for (const std::string& line : comparison.identity) fmt::print("{}\n", line);
  std::map<std::string, size_t> kinds;
  const auto text = [](const std::string& outcome) {
    return outcome.empty() ? std::string("absent") : outcome;
  };
  for (const auto& c : comparison.changes) {
    ++kinds[text(c.before) + " -> " + text(c.after)];
    fmt::print("{}{} -> {} {}{}{}{}\n", c.worse ? "worse: " : "", text(c.before), text(c.after),
               c.device.empty() ? "" : c.device + " ", c.id, c.text.empty() ? "" : ": ", c.text);
  }
  for (const auto& [kind, n] : kinds) fmt::print("{:>7} {}\n", n, kind);
  fmt::print("{} cases changed, {} of them for the worse; {} did not\n", comparison.changes.size(),
             comparison.worse(), comparison.same);
}

}  // namespace braid::cli
