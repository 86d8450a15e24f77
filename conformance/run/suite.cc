// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/suite.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "conformance/case/generate.h"
#include "conformance/case/random.h"
#include "conformance/contract/contract.h"
#include "conformance/fusion/graphs.h"
#include "conformance/peer/peer.h"
#include "conformance/performance/performance.h"
#include "conformance/run/generated.h"

namespace braid::conformance {
namespace {

constexpr CaseKind kKinds[] = {
    {"generated", "one node, from ONNX's schemas, judged by the oracle"},
    {"official", "ONNX's own test cases and others in their form (--cases)"},
    {"fusion", "graphs of several nodes: whole, with inner values given out, cut in two"},
    {"abi", "the contract of the plugin's tables: versions, ownership, fences, blobs"},
    {"memory", "bytes around buffers, poisoned outputs, odd sizes and alignments"},
    {"negative", "calls that must fail clearly, and leave the device working"},
    {"determinism", "the same inputs twice, and at the same time"},
    {"performance", "times of kernels, which never fail; wrong outputs do"},
};

// What makes jobs, of which kinds.
struct Source {
  std::vector<std::string> kinds;
  std::vector<Job> (*jobs)(const SuiteTarget& target);
};
const std::vector<Source>& Sources() {
  static const auto* const kSources = new std::vector<Source>{
      {{"fusion"}, [](const SuiteTarget& t) { return FusionJobs(t.maker(), t.arithmetic); }},
      {{"abi", "memory", "negative", "determinism"},
       [](const SuiteTarget& t) {
         // A peer has no plugin whose tables could be tested.
         if (!t.peer.empty()) return std::vector<Job>();
         return ContractJobs({t.library, t.index, {}, t.operators});
       }},
      {{"performance"},
       [](const SuiteTarget& t) {
         if (!t.peer.empty() || t.level == Level::kSmoke) return std::vector<Job>();
         return PerformanceJobs(t.device, t.arithmetic);
       }},
  };
  return *kSources;
}

bool MatchesOne(const std::string& id, const std::vector<std::string>& globs) {
  return globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
           return fnmatch(glob.c_str(), id.c_str(), 0) == 0;
         });
}

// fusion/NAME/T=float16,VARIANT
BuiltCase BuildFusion(const std::string& id) {
  for (const GraphCase& graph : GraphCases()) {
    const std::string prefix = "fusion/" + std::string(graph.name) + "/";
    if (!id.starts_with(prefix)) continue;
    std::string rest = id.substr(prefix.size());
    int32_t type = reference::kFloat;
    if (const size_t comma = rest.find(','); rest.starts_with("T=") && comma != std::string::npos) {
      type = ElementTypeOf("tensor(" + rest.substr(2, comma - 2) + ")");
      rest.erase(0, comma + 1);
    }
    for (const GraphVariant& variant : VariantsOf(graph))
      if (variant.Text() == rest && type != 0) return Build(graph, type, variant);
  }
  throw std::runtime_error("'" + id + "' is no case: there is no such graph, type or variant");
}

}  // namespace

TargetMaker SuiteTarget::maker() const {
  if (!peer.empty()) return [peer = peer] { return PeerTarget(peer); };
  return [device = device] { return DeviceTarget(device); };
}

std::span<const CaseKind> CaseKinds() { return kKinds; }

bool Selection::WantsKind(const std::string& kind) const {
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

bool Selection::Wants(const std::string& id) const {
  return (shards <= 1 || Random(Hash(id)).Next() % shards == shard - 1) && MatchesOne(id, globs);
}

bool Selection::MayWant(const std::string& prefix) const {
  return globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
           // What a glob begins with, up to its first wildcard.
           const std::string fixed = glob.substr(0, glob.find_first_of("*?[\\"));
           return prefix.starts_with(fixed) || fixed.starts_with(prefix);
         });
}

void ParseShard(const std::string& text, Selection* selection) {
  const char *end = text.data() + text.size(), *at = text.data();
  uint64_t shard = 0, shards = 0;
  const auto first = std::from_chars(at, end, shard);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shards) : first;
  if (!slash || second.ec != std::errc() || second.ptr != end || shard < 1 || shard > shards)
    throw std::invalid_argument("'" + text + "' is no share: 2/8 is the second of eight");
  selection->shard = shard;
  selection->shards = shards;
}

std::vector<Case> GeneratedCases(Level level, const Selection& selection) {
  std::vector<Case> cases;
  if (!selection.WantsKind("generated")) return cases;
  for (const OperatorVersion& op : AllOperatorVersions()) {
    if (!selection.profile->Has(op.domain, op.name)) continue;
    const std::string id = IdOf(op, PlainTypes(op), {});  // DOMAIN/OPERATOR-VERSION/plain
    if (!selection.MayWant(id.substr(0, id.rfind('/') + 1))) continue;
    for (Case& c : Generate(op, level))
      if (selection.Wants(c.id)) cases.push_back(std::move(c));
  }
  // No level has fuzzed cases, but who names one has it.
  for (const std::string& glob : selection.globs)
    if (glob.find("~fuzz=") != std::string::npos && glob.find_first_of("*?[\\") == std::string::npos &&
        selection.Wants(glob))
      cases.push_back(CaseOf(glob));
  return cases;
}

std::vector<Job> GeneratedJobs(const std::vector<Case>& cases, const SuiteTarget& target) {
  std::vector<Job> jobs;
  for (const Case& c : cases)
    jobs.push_back({c.id, "generated", c.op->Label(), [&c, target] {
                      const auto device = target.maker()();
                      return RunCase(c, *device, target.arithmetic);
                    }});
  return jobs;
}

std::vector<Job> OtherJobs(const SuiteTarget& target, const Selection& selection) {
  std::vector<Job> jobs;
  for (const Source& source : Sources()) {
    if (std::none_of(source.kinds.begin(), source.kinds.end(),
                     [&](const std::string& kind) { return selection.WantsKind(kind); }))
      continue;
    for (Job& job : source.jobs(target))
      if (selection.WantsKind(job.kind) && selection.Wants(job.id)) jobs.push_back(std::move(job));
  }
  return jobs;
}

std::vector<std::string> LabelsOf(const Profile& profile) {
  std::vector<std::string> labels;
  if (profile.operators.empty()) return labels;
  for (const OperatorVersion& op : AllOperatorVersions())
    if (op.newest && !op.deprecated && profile.Has(op.domain, op.name)) labels.push_back(op.Label());
  return labels;
}

BuiltCase BuildById(const std::string& id) {
  for (const CaseKind& kind : CaseKinds()) {
    const std::string prefix = std::string(kind.name) + "/";
    if (!id.starts_with(prefix)) continue;
    if (prefix == "fusion/") return BuildFusion(id);
    for (const Kernel& kernel : Kernels())
      if (id == prefix + std::string(kernel.graph.name)) return Build(kernel.graph, reference::kFloat, {});
    throw std::runtime_error(fmt::format("'{}' has no model of its own to write: {}", id, kind.what));
  }
  try {
    const Case c = CaseOf(id);
    BuiltCase built = Build(c);
    // A choice that is not made in such a case would be passed over.
    Domain domain(*c.op, c.types, c.choices, 0, 0);
    FindDomain(c.op->domain, c.op->name)->make(domain);
    for (const auto& [name, option] : c.choices)
      if (!name.starts_with("~") &&
          std::none_of(domain.choices().begin(), domain.choices().end(),
                       [&](const Domain::Choice& choice) { return choice.name == name; }))
        throw Rejected{"there is no choice '" + name + "' here"};
    return built;
  } catch (const Rejected& e) {
    throw std::runtime_error("'" + id + "' is no case: " + e.reason);
  }
}

}  // namespace braid::conformance
