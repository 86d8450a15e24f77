// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/fuzz.h"

#include <stdexcept>

#include "conformance/run/generated.h"

namespace braid::conformance {
namespace {

// Choices that depend on choices are found in as many steps.
constexpr int kDepth = 4;
// Draws for one case before the operators are taken to have no more.
constexpr size_t kPatience = 200;

}  // namespace

Fuzzer::Fuzzer(uint64_t seed, const Selection& selection) : random_(seed), selection_(selection) {
  for (const OperatorVersion& op : AllOperatorVersions()) {
    if (op.deprecated || FindDomain(op.domain, op.name) == nullptr) continue;
    if (!selection.profile->Has(op.domain, op.name)) continue;
    const std::string id = IdOf(op, PlainTypes(op), {});
    if (!selection.MayWant(id.substr(0, id.rfind('/') + 1))) continue;
    (op.newest ? newest_ : older_).push_back(&op);
  }
  if (newest_.empty() && older_.empty()) throw std::invalid_argument("no operator's id matches");
}

std::vector<Case> Fuzzer::Next(size_t count) {
  std::vector<Case> cases;
  size_t failures = 0;
  while (cases.size() < count && failures < kPatience * count) {
    // Superseded versions share most of what they do with the newest one.
    const bool old = newest_.empty() || (!older_.empty() && random_.Below(8) == 0);
    const auto& ops = old ? older_ : newest_;
    Case c;
    if (Draw(*ops[random_.Below(ops.size())], &c))
      cases.push_back(std::move(c));
    else
      ++failures;
  }
  return cases;
}

bool Fuzzer::Draw(const OperatorVersion& op, Case* c) {
  c->op = &op;
  c->level = Level::kFull;
  c->types = PlainTypes(op);
  for (auto& [variable, element] : c->types) {
    const auto& allowed = op.variables.at(variable);
    if (allowed.empty() || random_.Below(2) != 0) continue;
    if (const int32_t t = ElementTypeOf(allowed[random_.Below(allowed.size())]); t != 0) element = t;
  }
  try {
    DrawChoices(op, c);
    if (random_.Below(8) == 0) c->choices["~dims"] = "symbols";
    if (const uint64_t k = random_.Below(4); k < 2) c->choices["~inputs"] = k == 0 ? "runtime" : "constant";
    c->choices["~fuzz"] = std::to_string(1 + random_.Below(kMostFuzz));
    c->id = IdOf(op, c->types, c->choices);
    if (!selection_.Wants(c->id) || !ids_.insert(c->id).second) return false;
    Build(*c);
  } catch (const Rejected&) {
    return false;
  }
  return true;
}

void Fuzzer::DrawChoices(const OperatorVersion& op, Case* c) {
  std::set<std::string> drawn;
  for (int depth = 0; depth < kDepth; ++depth) {
    Domain d(op, c->types, c->choices, 0, 0);
    FindDomain(op.domain, op.name)->make(d);
    bool more = false;
    for (const Domain::Choice& choice : d.choices()) {
      if (!drawn.insert(choice.name).second) continue;
      more = true;
      const uint64_t k = random_.Below(choice.options.size());
      if (k != 0 && random_.Below(3) != 0) c->choices[choice.name] = choice.options[k];
    }
    if (!more) break;
  }
  // What a later choice has taken away again is no part of the case.
  Domain d(op, c->types, c->choices, 0, 0);
  FindDomain(op.domain, op.name)->make(d);
  std::set<std::string> there;
  for (const Domain::Choice& choice : d.choices()) there.insert(choice.name);
  std::erase_if(c->choices, [&](const auto& choice) { return there.count(choice.first) == 0; });
}

std::vector<Job> FuzzJobs(const std::vector<Case>& cases, const SuiteTarget& target) {
  std::vector<Job> jobs = GeneratedJobs(cases, target);
  for (Job& job : jobs) {
    job.kind = "fuzz";
    job.run = [run = std::move(job.run)] {
      Result result = run();
      result.kind = "fuzz";
      return result;
    };
  }
  return jobs;
}

}  // namespace braid::conformance
