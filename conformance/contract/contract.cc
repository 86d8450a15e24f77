// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/contract.h"

#include <functional>
#include <memory>
#include <new>

#include "conformance/contract/cases.h"
#include "conformance/run/crash.h"

namespace braid::conformance {
namespace {

// Cases of which there is one an operator.
constexpr struct {
  const char *id, *rules, *doc;
  void (*run)(Bench&, const OperatorVersion&);
} kOfOperators[] = {
    {"abi/honest", "ABI-028, ABI-040, ABI-025, ABI-026, ABI-027, ABI-037, ABI-024",
     "an operator's plain case that query takes compiles and runs, alone and beside an equal node",
     HonestyOf},
    {"abi/honest-dynamic", "ABI-028, ABI-040, ABI-025, ABI-026, ABI-027, ABI-037, ABI-024, ABI-038",
     "an operator's case with unknown extents that query takes: one executable is right with two shapes",
     DynamicHonestyOf},
    {"abi/honest-runs", "ABI-041, ABI-028, ABI-037, ABI-024, ABI-038",
     "an operator's case with constants: its graph is gone, another executable of it is destroyed, runs are "
     "pending together, two threads submit; each run is right",
     RunsHonestyOf},
};

const std::vector<ContractCase>& Table() {
  static const auto* all = [] {
    auto* list = new std::vector<ContractCase>;
    for (const auto& part :
         {EntryCases(), StructCases(), QueryCases(), CompileCases(), FenceCases(), TransferCases(),
          BufferCases(), HostCases(), BlobCases(), MemoryCases(), NegativeCases(), DeterminismCases()})
      list->insert(list->end(), part.begin(), part.end());
    return list;
  }();
  return *all;
}

std::string KindOf(const std::string& id) { return id.substr(0, id.find('/')); }
std::string GroupOf(const std::string& id) {
  const size_t begin = id.find('/') + 1;
  return id.substr(begin, id.find_first_of("-/", begin) - begin);
}

Result RunCase(const PluginUnderTest& subject, const std::function<void(Bench&)>& body) {
  Result result;
  const auto end = [&](Outcome outcome, const char* text) {
    result.outcome = outcome;
    result.text = text;
  };
  const CrashWatch watch;
  try {
    Bench bench(subject);
    body(bench);
    bench.Finish();
  } catch (const NotThere& e) {
    end(Outcome::kUnsupported, e.what());
  } catch (const Failure& e) {
    end(Outcome::kFail, e.what());
  } catch (const std::bad_alloc&) {
    end(Outcome::kResource, "the suite has no memory left");
  } catch (const std::exception& e) {
    end(Outcome::kInvalid, e.what());
  }
  return result;
}

}  // namespace

std::vector<ContractEntry> ContractEntries() {
  std::vector<ContractEntry> entries;
  for (const ContractCase& c : Table())
    entries.push_back({c.id, KindOf(c.id), GroupOf(c.id), c.rules, c.doc});
  for (const auto& c : kOfOperators)
    entries.push_back({std::string(c.id) + "/OPERATOR", KindOf(c.id), GroupOf(c.id), c.rules, c.doc});
  return entries;
}

std::vector<Job> ContractJobs(const PluginUnderTest& subject) {
  std::vector<Job> jobs;
  const auto own = std::make_shared<const PluginUnderTest>(subject);
  const auto add = [&](const std::string& id, std::function<void(Bench&)> body) {
    jobs.push_back(
        {id, KindOf(id), GroupOf(id), [own, body = std::move(body)] { return RunCase(*own, body); }});
  };
  for (const ContractCase& c : Table()) add(c.id, c.run);
  for (const auto& c : kOfOperators)
    for (const OperatorVersion* op : OperatorsOf(subject.operators))
      add(std::string(c.id) + "/" + op->Label(), [run = c.run, op](Bench& b) { run(b, *op); });
  return jobs;
}

std::string ContractPage() {
  std::string page =
      "# Contract cases\n\n"
      "What `braid conformance` tests of a plugin's side of the ABI, beside its numbers. The cases load the "
      "plugin's library\n"
      "themselves and call its tables with a host of their own; each ends as pass, fail, crash, hang or "
      "unsupported (the device\n"
      "has nothing that the case could try, and why). The rules are those of "
      "[docs/abi/rules.md](../abi/rules.md), where there is\n"
      "one for the case. This page is made from the cases' table; `contract_test` holds the two equal.\n";
  const std::vector<ContractEntry> entries = ContractEntries();
  for (const char* kind : {"abi", "memory", "negative", "determinism"}) {
    page += std::string("\n## ") + kind + "\n\n| case | rules | what must hold |\n| --- | --- | --- |\n";
    for (const ContractEntry& e : entries)
      if (e.kind == kind) page += "| `" + e.id + "` | " + e.rules + " | " + e.doc + " |\n";
  }
  return page;
}

}  // namespace braid::conformance
