// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/generated.h"

#include <algorithm>
#include <exception>

#include "conformance/oracle/oracle.h"

namespace braid::conformance {

Result RunCase(const Case& c, Target& target, uint32_t arithmetic) {
  Result result = RunBuilt([&] { return Build(c); }, target, arithmetic);
  result.id = c.id;
  result.kind = "generated";
  result.group = c.op->Label();
  return result;
}

void Tell(const TargetError& e, Result* result) {
  result->outcome = e.status() == GRAPH_UNSUPPORTED     ? Outcome::kUnsupported
                    : e.status() == GRAPH_OUT_OF_MEMORY ? Outcome::kResource
                    // An isolated plugin's process.
                    : std::string_view(e.what()).find("was ended by signal") != std::string_view::npos
                        ? Outcome::kCrash
                        : Outcome::kFail;
  result->text = std::string(e.what()) + " (" + graph_status_name(e.status()) + ")";
}

Result RunBuilt(const std::function<BuiltCase()>& build, Target& target, uint32_t arithmetic) {
  Result result;
  BuiltCase built;
  try {
    built = build();
  } catch (const Rejected& e) {
    result.outcome = Outcome::kInvalid;
    result.text = "cannot be made: " + e.reason;
    return result;
  } catch (const std::exception& e) {
    result.outcome = Outcome::kInvalid;
    result.text = std::string("cannot be made: ") + e.what();
    return result;
  }
  std::vector<std::vector<Value>> got;
  try {
    got = target.Run(built);
  } catch (const TargetError& e) {
    Tell(e, &result);
    return result;
  } catch (const TargetCrash& e) {
    result.outcome = Outcome::kCrash;
    result.text = e.what();
    return result;
  } catch (const std::exception& e) {
    result.outcome = Outcome::kFail;
    result.text = e.what();
    return result;
  }
  for (size_t run = 0; run < built.runs.size(); ++run) {
    std::vector<Expected> expected;
    try {
      expected = Expect(built, run);
    } catch (const std::exception& e) {
      result.outcome = Outcome::kInvalid;
      result.text = e.what();
      return result;
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const Verdict verdict = Judge(got[run][i], expected[i], arithmetic);
      result.worst = std::max(result.worst, verdict.worst);
      result.basis = expected[i].basis;
      if (verdict.text.empty()) continue;
      result.outcome = Outcome::kFail;
      result.text = (built.runs.size() > 1 ? "run " + std::to_string(run) + ": " : "") + "output '" +
                    built.outputs[i] + "' " + verdict.text;
      return result;
    }
  }
  if (!target.UsedDevice()) {
    result.outcome = Outcome::kCore;
    result.text = "core ran it: none of its nodes is the device's";
  }
  return result;
}

}  // namespace braid::conformance
