// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/contract.h"

#include <functional>
#include <memory>
#include <new>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

constexpr const char* kHonesty = "abi/honest";
constexpr const char* kHonestyRules = "ABI-028, ABI-040, ABI-025, ABI-026, ABI-027, ABI-037, ABI-024";

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
  entries.push_back(
      {std::string(kHonesty) + "/OPERATOR", "abi", "honest", kHonestyRules,
       "an operator's plain case that query takes compiles and runs, alone and beside an equal node"});
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
  for (const OperatorVersion* op : OperatorsOf(subject.operators))
    add(std::string(kHonesty) + "/" + op->Label(), [op](Bench& b) { HonestyOf(b, *op); });
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
