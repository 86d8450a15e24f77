// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/kill.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "conformance/case/generate.h"
#include "conformance/fusion/graphs.h"
#include "conformance/run/generated.h"

namespace braid::conformance {
namespace {

using mutants::Family;
using mutants::Mutant;

// Of mutants that no operator decides about: these run through graph.h like any other.
constexpr const char* kEverywhere = "Add Relu MatMul Conv Softmax Concat Gather NonZero";
// A mutant that hangs each time costs a deadline a case.
constexpr size_t kEnoughHangs = 3;

bool Found(Outcome outcome) {
  return outcome == Outcome::kFail || outcome == Outcome::kCrash || outcome == Outcome::kHang ||
         outcome == Outcome::kResource;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> out;
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::vector<std::string> CasesFor(const Mutant& m) {
  std::vector<std::string> ops = mutants::OperatorsOf(m);
  return ops.empty() ? Words(kEverywhere) : ops;
}

bool HasOperator(std::string_view graph_text, const std::string& op) {
  for (const char after : {'(', '<', ' '})
    if (graph_text.find(op + after) != std::string_view::npos) return true;
  return false;
}

// How likely a case is to find the mutant: the smallest come first.
int RankOf(const Case& c, const std::vector<std::string>& words) {
  int rank = c.op->newest ? 0 : 4;
  const std::string choices = c.id.substr(c.id.rfind('/') + 1);
  const bool hinted = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return choices.find(word) != std::string::npos;
  });
  if (hinted) return rank;
  return rank + (c.id.ends_with("/plain") ? 1 : 2);
}

// Cases of ours for one mutant, the likeliest first. The cases themselves stay in `cases`.
std::vector<Job> JobsOf(const Mutant& m, const KillOptions& options, std::vector<Case>* cases) {
  std::vector<Job> jobs;
  const std::vector<std::string> ops = CasesFor(m);
  const bool free = m.operators.empty();
  if (free)
    for (const Job& job : options.jobs)
      if (job.kind != "fusion") jobs.push_back(job);
  if (m.family != Family::kFusion) {
    for (const OperatorVersion& op : AllOperatorVersions())
      if (op.domain.empty() && std::find(ops.begin(), ops.end(), op.name) != ops.end() &&
          (!free || op.newest))
        for (Case& c : Generate(op, options.level)) cases->push_back(std::move(c));
    const std::vector<std::string> words = Words(m.first);
    std::stable_sort(cases->begin(), cases->end(),
                     [&](const Case& a, const Case& b) { return RankOf(a, words) < RankOf(b, words); });
    for (const Case& c : *cases)
      jobs.push_back({c.id, "generated", c.op->Label(), [&c, &options] {
                        const auto target = DeviceTarget(options.device);
                        return RunCase(c, *target, 0);
                      }});
  }
  for (const Job& job : options.jobs) {
    if (job.kind != "fusion") continue;
    const GraphCase* graph = FindGraphCase(job.group);
    if (graph == nullptr) continue;
    const auto has = [&](const std::string& op) { return HasOperator(graph->text, op); };
    if (m.family == Family::kFusion ? std::all_of(ops.begin(), ops.end(), has)
                                    : free && m.family != Family::kContract)
      jobs.push_back(job);
  }
  return jobs;
}

// Runs jobs [from, ...) until one finds the mutant; its position, or the number of jobs.
size_t FirstKill(const std::vector<Job>& jobs, size_t from, double deadline, Result* result) {
  // In the child that runs the jobs and in every child after one that ended early.
  bool found = false;
  std::vector<Job> wrapped;
  for (size_t i = from; i < jobs.size(); ++i)
    wrapped.push_back({jobs[i].id, jobs[i].kind, jobs[i].group, [&jobs, &found, i]() -> Result {
                         if (found) return {};
                         Result r = jobs[i].run();
                         found = Found(r.outcome);
                         return r;
                       }});
  ChildOptions children;
  children.children = 1;
  children.deadline = deadline;
  children.batch = std::max<size_t>(wrapped.size(), 1);
  size_t first = jobs.size();
  RunInChildren(wrapped, children, [&](size_t i, const Result& r) {
    if (!Found(r.outcome)) return;
    found = true;
    if (from + i >= first) return;
    first = from + i;
    *result = r;
  });
  return first;
}

std::vector<Outcome> RunAll(const std::vector<Job>& jobs, double deadline) {
  std::vector<Outcome> outcomes(jobs.size(), Outcome::kPass);
  size_t hangs = 0;
  std::vector<Job> wrapped;
  for (const Job& job : jobs)
    wrapped.push_back({job.id, job.kind, job.group, [&job, &hangs]() -> Result {
                         if (hangs >= kEnoughHangs) return {};
                         return job.run();
                       }});
  ChildOptions children;
  children.children = 1;
  children.deadline = deadline;
  children.batch = std::max<size_t>(wrapped.size(), 1);
  RunInChildren(wrapped, children, [&](size_t i, const Result& r) {
    if (r.outcome == Outcome::kHang) ++hangs;
    if (Found(r.outcome)) outcomes[i] = r.outcome;
  });
  return outcomes;
}

void Choose(const char* mutant) {
  if (mutant == nullptr)
    unsetenv("BRAID_MUTANT");
  else
    setenv("BRAID_MUTANT", mutant, 1);
}

// In a process of its own, whose children are the ones that use the device.
nlohmann::json Try(const Mutant& m, const KillOptions& options) {
  // What plugins, core and the C library say of faults is no concern of the reader's.
  if (std::freopen("/dev/null", "w", stderr) == nullptr) return {{"error", "there is no /dev/null"}};
  std::vector<Case> cases;
  const std::vector<Job> jobs = JobsOf(m, options, &cases);
  nlohmann::json found = {{"cases", jobs.size()}, {"ran", jobs.size()}};
  for (size_t at = 0; at < jobs.size();) {
    Choose(m.name.c_str());
    Result result;
    at = FirstKill(jobs, at, options.deadline, &result);
    if (at == jobs.size()) break;
    Choose(nullptr);
    if (Result without; FirstKill({jobs[at]}, 0, options.deadline, &without) == 1) {
      found["ran"] = at + 1;
      found["by"] = jobs[at].id;
      found["text"] = result.text.substr(0, 300);
      break;
    }
    ++at;
  }

  const std::vector<std::string> ops = CasesFor(m);
  std::vector<Job> others;
  for (const OtherCase& other : options.others) {
    const auto has = [&](const std::string& op) {
      return std::find(other.operators.begin(), other.operators.end(), op) != other.operators.end();
    };
    if (m.family == Family::kFusion ? std::all_of(ops.begin(), ops.end(), has)
                                    : std::any_of(ops.begin(), ops.end(), has))
      others.push_back(other.job);
  }
  found["others"] = others.size();
  Choose(m.name.c_str());
  const std::vector<Outcome> with = RunAll(others, options.deadline);
  std::vector<Job> failed;
  for (size_t i = 0; i < others.size(); ++i)
    if (Found(with[i])) failed.push_back(others[i]);
  Choose(nullptr);
  const std::vector<Outcome> without = RunAll(failed, options.deadline);
  size_t kills = 0;
  for (size_t i = 0; i < failed.size(); ++i) {
    if (Found(without[i])) continue;
    if (kills++ == 0) found["other"] = failed[i].id;
  }
  found["other_kills"] = kills;
  return found;
}

}  // namespace

void RunMutants(const KillOptions& options, const std::function<void(const Kill&)>& done) {
  std::vector<Job> jobs;
  for (const Mutant* m : options.mutants)
    jobs.push_back({m->name, "mutant", mutants::Name(m->family), [m, &options]() -> Result {
                      Result r;
                      try {
                        r.text =
                            Try(*m, options).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
                      } catch (const std::exception& e) {
                        r.outcome = Outcome::kInvalid;
                        r.text = e.what();
                      }
                      return r;
                    }});
  ChildOptions children;
  children.children = options.children;
  children.batch = 1;
  // Each case has its deadline; this process only waits for them.
  children.deadline = std::numeric_limits<double>::infinity();
  RunInChildren(jobs, children, [&](size_t i, const Result& r) {
    Kill kill;
    kill.mutant = options.mutants[i];
    kill.seconds = r.seconds;
    const nlohmann::json found = nlohmann::json::parse(r.text, nullptr, false);
    if (r.outcome != Outcome::kPass || !found.is_object()) {
      kill.error = r.text;
    } else {
      kill.by = found.value("by", "");
      kill.text = found.value("text", "");
      kill.cases = found.value("cases", size_t{0});
      kill.ran = found.value("ran", size_t{0});
      kill.others = found.value("others", size_t{0});
      kill.other_kills = found.value("other_kills", size_t{0});
      kill.other = found.value("other", "");
    }
    done(kill);
  });
}

}  // namespace braid::conformance
