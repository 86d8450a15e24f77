// SPDX-License-Identifier: Apache-2.0
//
// The contract's cases against plugins that keep it, and against one that breaks it in one way at a time.
#include "conformance/contract/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace braid::conformance {
namespace {

PluginUnderTest Subject() {
  PluginUnderTest subject;
  subject.library = std::string(BRAID_TEST_BINARY_DIR) + "/tests/fixtures/contract_subject.so";
  subject.operators = {"Add-14", "Neg-13", "Gather-13", "Mul-14"};
  return subject;
}

std::map<std::string, Result> RunAll(const PluginUnderTest& subject, const std::string& only = "",
                                     double deadline = 60) {
  std::vector<Job> jobs;
  for (Job& job : ContractJobs(subject))
    if (only.empty() || job.id == only) jobs.push_back(std::move(job));
  ChildOptions options;
  options.deadline = deadline;
  std::map<std::string, Result> results;
  RunInChildren(jobs, options, [&](size_t, const Result& r) { results[r.id] = r; });
  return results;
}

// All pass but those that the device has nothing for.
void ExpectClean(const std::map<std::string, Result>& results) {
  for (const auto& [id, r] : results)
    EXPECT_TRUE(r.outcome == Outcome::kPass || r.outcome == Outcome::kUnsupported)
        << id << ": " << Name(r.outcome) << ": " << r.text;
}

TEST(Contract, APluginThatKeepsItPassesAll) {
  unsetenv("CONTRACT_FAULT");
  const auto results = RunAll(Subject());
  ExpectClean(results);
  // It has all that there is to try, but for these.
  std::vector<std::string> unsupported;
  for (const auto& [id, r] : results)
    if (r.outcome == Outcome::kUnsupported) unsupported.push_back(id);
  EXPECT_THAT(unsupported,
              ::testing::ElementsAre(
                  "abi/exec-unknown-extents", "abi/exec-unknown-rank", "abi/honest-dynamic/Add-14",
                  "abi/honest-dynamic/Gather-13", "abi/honest-dynamic/Mul-14", "abi/honest-dynamic/Neg-13",
                  "abi/honest-runs/Mul-14", "abi/honest/Mul-14", "negative/gather-elements-range",
                  "negative/gather-nd-range", "negative/no-host-memory", "negative/scatter-elements-range",
                  "negative/scatter-nd-range"));
}

PluginUnderTest Own(const std::string& name) {
  PluginUnderTest subject;
  subject.library = std::string(BRAID_TEST_BINARY_DIR) + "/lib/braid/plugins/libbraid_" + name + ".so";
  subject.operators = {"Add-14",  "Gather-13",  "MatMul-13",      "NonZero-13",
                       "Relu-14", "Softmax-13", "StringConcat-20"};
  return subject;
}

TEST(Contract, TheReferencePluginPasses) { ExpectClean(RunAll(Own("reference"))); }

TEST(Contract, SimulatedDevicesPass) {
  for (const char* config :
       {"1", R"({"devices": [{"io_alignment": 4096, "queues": 1, "memory": 20000000}]})"}) {
    setenv("BRAID_SIM", config, 1);
    ExpectClean(RunAll(Own("sim")));
  }
  unsetenv("BRAID_SIM");
}

struct Breach {
  const char* fault;
  const char* id;    // the case that catches it
  const char* text;  // within what it tells
  Outcome outcome = Outcome::kFail;
};
void PrintTo(const Breach& b, std::ostream* out) { *out << b.fault; }

class Caught : public ::testing::TestWithParam<Breach> {};

TEST_P(Caught, ByItsCase) {
  setenv("CONTRACT_FAULT", GetParam().fault, 1);
  const auto results = RunAll(Subject(), GetParam().id, GetParam().outcome == Outcome::kHang ? 2 : 60);
  unsetenv("CONTRACT_FAULT");
  ASSERT_EQ(results.size(), 1u);
  const Result& r = results.begin()->second;
  EXPECT_EQ(Name(r.outcome), std::string(Name(GetParam().outcome))) << r.text;
  EXPECT_THAT(r.text, ::testing::HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Contract, Caught,
    ::testing::Values(
        Breach{"aliases_output", "abi/exec-any-order", "ABI-059"},
        Breach{"alloc_unchecked", "abi/host-alloc-fails", ": a null pointer was used", Outcome::kCrash},
        Breach{"any_index", "abi/device-bad-index", "gives OK"},
        Breach{"any_option", "abi/compile-unknown-option", "gives OK"},
        Breach{"any_queue", "negative/no-queue", "ABI-045"},
        Breach{"bindings_kept", "abi/exec-arguments-gone",
               "ABI-057: an argument of submit was used after it had returned", Outcome::kCrash},
        Breach{"blob_internal", "abi/blob-flipped", "ABI-049"},
        Breach{"blob_refused", "abi/blob-round-trip", "ABI-049"},
        Breach{"block_kept", "abi/entry-reload", "ABI-035"},
        Breach{"bound_twice", "negative/doubled-input", "ABI-045"},
        Breach{"constant_changed", "abi/host-constant-unchanged", "ABI-023"},
        Breach{"constant_late", "abi/host-constant-unchanged",
               "a constant was used after its token was released", Outcome::kCrash},
        Breach{"costs_nothing", "abi/estimate-sane", "ABI-048"},
        Breach{"crash", "abi/exec-many-runs", "Abort", Outcome::kCrash},
        Breach{"descriptor_closed", "abi/host-process-state", "ABI-056: after submit descriptor 0"},
        Breach{"descriptor_kept", "memory/runs-flat", "ABI-035: 500 descriptors more"},
        Breach{"dishonest", "abi/honest/Mul-14", "ABI-028"}, Breach{"fickle", "abi/honest/Add-14", "ABI-040"},
        Breach{"extents_yes", "abi/honest-dynamic/Neg-13", "ABI-040: a yes to unknown extents: a run"},
        Breach{"folder_changed", "abi/host-process-state",
               "ABI-056: after submit the working directory is '/'"},
        Breach{"gather_internal", "negative/gather-range", "ABI-047"},
        Breach{"graph_late", "abi/compile-graph-gone",
               " in exec.io_requirements: a graph was used after the call that it was lent for had ended",
               Outcome::kCrash},
        Breach{"handler_changed", "abi/host-process-state", "has the handler to be ignored"},
        Breach{"hang", "abi/exec-many-runs", "longer", Outcome::kHang},
        Breach{"import_closes", "abi/import-memfd", "ABI-054"},
        Breach{"input_changed", "memory/canaries", "ABI-024"},
        Breach{"input_touched", "memory/host-read-only", "an input was written", Outcome::kCrash},
        Breach{"leak", "memory/runs-flat", "ABI-035"}, Breach{"no_text", "negative/missing-input", "ABI-036"},
        Breach{"no_wait", "abi/fence-waited", "ABI-044"},
        Breach{"nondeterministic", "determinism/twenty-runs", "ABI-042"},
        Breach{"no_reason", "abi/query-unknown-domain", "ABI-058"},
        Breach{"out_of_order", "abi/transfer-order", "ABI-044"},
        Breach{"overrun", "memory/canaries", "ABI-037"},
        Breach{"rank_yes", "abi/exec-unknown-rank", "ABI-038"},
        Breach{"scratch_shared", "abi/honest-runs/Neg-13", "pending together"},
        Breach{"state_changed", "abi/host-process-state", "the floating-point control is"},
        Breach{"stride", "abi/struct-graph", "ABI-033"},
        Breach{"token_kept", "abi/host-constant-tokens", "ABI-029"},
        Breach{"transfer_long", "memory/transfer-guarded",
               "memory that the host lent was used beyond its end", Outcome::kCrash},
        Breach{"transfer_queue", "abi/device-info", "transfer queue"},
        Breach{"twice", "abi/fence-callback-after", "ABI-019"},
        Breach{"unbound", "negative/missing-output", "Segmentation", Outcome::kCrash},
        Breach{"unterminated", "abi/query-unknown-operator", "ABI-026"},
        Breach{"unwritten", "memory/unwritten", "ABI-038"},
        Breach{"weights_freed", "abi/honest-runs/Add-14", "after another executable"},
        Breach{"workspace_short", "memory/workspace-exact", "ABI-037"}),
    [](const auto& info) { return std::string(info.param.fault); });

TEST(Contract, ACrashInTheSameProcessIsToldThere) {
  setenv("CONTRACT_FAULT", "graph_late", 1);
  std::vector<Job> jobs;
  for (Job& job : ContractJobs(Subject()))
    if (job.id == "abi/compile-graph-gone") jobs.push_back(std::move(job));
  EXPECT_DEATH(RunHere(jobs, [](size_t, const Result&) {}),
               "braid: SIGSEGV in exec.io_requirements: a graph was used after the call");
  unsetenv("CONTRACT_FAULT");
  std::vector<std::string> ids;
  RunHere(jobs, [&](size_t i, const Result& r) {
    EXPECT_EQ(r.outcome, Outcome::kPass) << i << ": " << r.text;
    ids.push_back(r.id);
  });
  EXPECT_THAT(ids, ::testing::ElementsAre("abi/compile-graph-gone"));
}

std::string FileText(const std::string& path) {
  std::ifstream file(std::string(BRAID_TEST_SOURCE_DIR) + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Contract, ItsPageIsThatOfTheTable) {
  // BRAID_UPDATE_DOCS=1 writes it anew.
  if (std::getenv("BRAID_UPDATE_DOCS") != nullptr)
    std::ofstream(std::string(BRAID_TEST_SOURCE_DIR) + "/docs/reference/conformance-contract.md")
        << ContractPage();
  EXPECT_EQ(FileText("/docs/reference/conformance-contract.md"), ContractPage());
}

TEST(Contract, EachRuleThatBindsThePluginIsCitedAndEachCitedRuleIsThere) {
  const std::string rules = FileText("/docs/abi/rules.md");
  std::set<std::string> bind, all, cited;
  const std::regex row(R"(\n\| (ABI-\d{3}) \| (host|plugin) \|)"), number(R"(ABI-\d{3})");
  for (std::sregex_iterator it(rules.begin(), rules.end(), row), end; it != end; ++it) {
    all.insert((*it)[1]);
    if ((*it)[2] == "plugin") bind.insert((*it)[1]);
  }
  std::set<std::string> ids;
  for (const ContractEntry& e : ContractEntries()) {
    EXPECT_TRUE(ids.insert(e.id).second) << e.id << " is there twice";
    EXPECT_FALSE(e.doc.empty());
    for (std::sregex_iterator it(e.rules.begin(), e.rules.end(), number), end; it != end; ++it) {
      cited.insert(it->str());
      EXPECT_TRUE(all.contains(it->str())) << e.id << " cites " << it->str();
    }
  }
  EXPECT_THAT(cited, ::testing::IsSupersetOf(bind));
}

}  // namespace
}  // namespace braid::conformance
