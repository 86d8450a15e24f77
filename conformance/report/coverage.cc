// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/coverage.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/graph/host_operators.h"

namespace braid::conformance {
namespace {

// Attributes that the schemas call optional, but without which the operator has nothing to do: they are set
// in every case.
constexpr std::string_view kAlways[] = {"RegexFullMatch pattern",
                                        "CategoryMapper cats_int64s",
                                        "CategoryMapper cats_strings",
                                        "LinearRegressor coefficients",
                                        "Scaler offset",
                                        "Scaler scale",
                                        "SVMClassifier coefficients",
                                        "SVMClassifier rho",
                                        "SVMRegressor coefficients",
                                        "SVMRegressor rho",
                                        "TreeEnsemble n_targets"};
// Operators whose inputs are scalars or maps: they have no extent that could be a symbol.
constexpr std::string_view kWithoutExtents[] = {"BlackmanWindow",  "HammingWindow", "HannWindow",    "If",
                                                "MelWeightMatrix", "CastMap",       "DictVectorizer"};
// Core refuses models that have it.
constexpr std::string_view kRefused = "Gradient";

template <size_t kSize>
bool IsAmong(const std::string_view (&names)[kSize], const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// What becomes of one thing that is counted.
struct Seen {
  bool with = false, without = false;  // has a case that has it; one that lacks it
  bool taken = false, failed = false;  // by the device, of the cases that have it
  bool by_core = false;                // core ran such a case, without the device
};

bool Taken(const Result& r) {
  return r.outcome != Outcome::kUnsupported && r.outcome != Outcome::kCore && r.outcome != Outcome::kInvalid;
}
bool Failed(const Result& r) {
  return Taken(r) && r.outcome != Outcome::kPass && r.outcome != Outcome::kWaived;
}

void Add(Seen* seen, const Result& r) {
  seen->with = true;
  seen->taken |= Taken(r);
  seen->by_core |= r.outcome == Outcome::kCore;
  seen->failed |= Failed(r);
}

void Count(Share* share, const std::string& name, const Seen& seen, bool reached) {
  ++share->all;
  if (!reached) {
    share->missing.push_back(name);
    return;
  }
  ++share->cases;
  if (!seen.taken) return;
  ++share->taken;
  if (seen.failed)
    share->failed.push_back(name);
  else
    ++share->passed;
}

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A case of the operator with what became of it.
struct Run {
  const Case* c;
  const Result* result;
};

class Counter {
 public:
  Counter(const OperatorVersion& op, const std::vector<Run>& runs) : op_(op), runs_(runs) {}

  void Versions(Share* share) const {
    Seen seen;
    for (const Run& run : runs_) Add(&seen, *run.result);
    Count(share, op_.Label() + (op_.deprecated ? " (deprecated)" : ""), seen, seen.with);
  }

  void TypeCells(Share* of_devices, Share* of_core) const {
    for (const auto& [variable, allowed] : op_.variables)
      for (const std::string& type : allowed) {
        if (ElementTypeOf(type) == 0 && !IsOfInput(variable)) continue;
        Seen seen;
        for (const Run& run : runs_) {
          const auto at = run.c->parts.types.find(variable);
          if (at != run.c->parts.types.end() && SameType(at->second, type)) Add(&seen, *run.result);
        }
        const int32_t element = ElementTypeOf(type);
        const bool core = element == 0 || IsHostOperator(op_.domain, op_.name, true);
        seen.taken |= core && seen.by_core;
        Count(core ? of_core : of_devices,
              op_.Label() + " " + variable + "=" + (element != 0 ? ElementTypeText(element) : type), seen,
              seen.with);
      }
  }

  void Attributes(Share* share) const {
    for (const FormalAttribute& a : op_.attributes) {
      const Seen seen = Of(a.name, &Parts::attributes);
      const bool always = a.required || IsAmong(kAlways, op_.name + " " + a.name);
      Count(share, op_.Label() + " " + a.name, seen, seen.with && (always || seen.without));
    }
  }

  void Optional(Share* share, const std::vector<Formal>& formals,
                std::vector<std::string> Parts::*present) const {
    for (const Formal& f : formals) {
      if (f.option != Formal::kOptional) continue;
      const Seen seen = Of(f.name, present);
      // Where all of them are optional, the first may be there always.
      const bool only = formals.size() == 1;
      Count(share, op_.Label() + " " + f.name, seen, seen.with && (seen.without || only));
    }
  }

  void SymbolicDims(Share* share) const {
    if (op_.inputs.empty() || IsAmong(kWithoutExtents, op_.name)) return;
    Seen seen;
    for (const Run& run : runs_)
      if (const auto at = run.c->choices.find("~dims"); at != run.c->choices.end() && at->second == "symbols")
        Add(&seen, *run.result);
    Count(share, op_.Label(), seen, seen.with);
  }

 private:
  bool IsOfInput(const std::string& variable) const {
    return std::any_of(op_.inputs.begin(), op_.inputs.end(),
                       [&](const Formal& f) { return f.type == variable; });
  }
  // Schemas write "map(string, int64)" with and without the space.
  static bool SameType(std::string a, std::string b) {
    std::erase(a, ' ');
    std::erase(b, ' ');
    return a == b;
  }
  Seen Of(const std::string& name, std::vector<std::string> Parts::*present) const {
    Seen seen;
    for (const Run& run : runs_) {
      if (Has(run.c->parts.*present, name))
        Add(&seen, *run.result);
      else
        seen.without = true;
    }
    return seen;
  }

  const OperatorVersion& op_;
  const std::vector<Run>& runs_;
};

}  // namespace

Coverage CoverageOf(const std::vector<Case>& cases, const std::vector<Result>& results,
                    const Profile& profile) {
  std::map<const OperatorVersion*, std::vector<Run>> runs;
  for (size_t i = 0; i < cases.size() && i < results.size(); ++i)
    if (!results[i].id.empty()) runs[cases[i].op].push_back({&cases[i], &results[i]});
  Coverage coverage;
  Share cells, cells_of_core, attributes, inputs, outputs, dims;
  for (const OperatorVersion& op : AllOperatorVersions()) {
    if (!profile.Has(op.domain, op.name)) continue;
    const Counter counter(op, runs[&op]);
    counter.Versions(&coverage.versions[op.domain.empty() ? "ai.onnx" : op.domain]);
    if (!op.newest || op.deprecated || op.name == kRefused) continue;
    counter.TypeCells(&cells, &cells_of_core);
    counter.Attributes(&attributes);
    counter.Optional(&inputs, op.inputs, &Parts::inputs);
    counter.Optional(&outputs, op.outputs, &Parts::outputs);
    counter.SymbolicDims(&dims);
  }
  coverage.shares = {
      {"type cells", std::move(cells)},         {"type cells of core's own", std::move(cells_of_core)},
      {"attributes", std::move(attributes)},    {"optional inputs", std::move(inputs)},
      {"optional outputs", std::move(outputs)}, {"symbolic dims", std::move(dims)}};
  return coverage;
}

std::vector<std::string> TypesOf(const Case& c) {
  std::set<std::string> types;
  for (const auto& [variable, plain] : PlainTypes(*c.op))
    if (const auto at = c.types.find(variable); at != c.types.end() && at->second != plain)
      types.insert(ElementTypeText(at->second));
  for (const auto* formals : {&c.op->inputs, &c.op->outputs}) {
    if (!types.empty() || formals->empty()) continue;
    const Formal& first = formals->front();
    const auto at = c.types.find(first.type);
    const int32_t element = at != c.types.end() ? at->second : ElementTypeOf(first.type);
    if (element != 0) types.insert(ElementTypeText(element));
  }
  return {types.begin(), types.end()};
}

}  // namespace braid::conformance
