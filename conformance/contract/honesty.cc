// SPDX-License-Identifier: Apache-2.0
//
// What query accepts, compile compiles and submit runs.
#include <algorithm>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

// Compiles and runs in buffers with canaries; the outputs are the numeric cases' business.
void RunIt(Bench& b, const Workload& w, const std::string& what) {
  try {
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec);
    run.Go();
  } catch (const Failure& e) {
    throw Failure(fmt::format("{}: {}", what, e.what()));
  }
}

}  // namespace

void HonestyOf(Bench& b, const OperatorVersion& op) {
  std::optional<Workload> alone, twice;
  try {
    alone.emplace(PlainCase(op));
    twice.emplace(PlainCaseTwice(op));
  } catch (const std::exception& e) {
    throw NotThere(e.what());
  }
  const auto verdicts = b.Query(*alone->view);
  for (const braid_verdict& v : verdicts)
    if (v.code >= BRAID_NO_OP) throw NotThere(fmt::format("query says no ({}): {}", v.code, v.detail));
  const auto larger = b.Query(*twice->view);
  for (size_t i = 0; i < larger.size(); ++i)
    Check(larger[i].code < BRAID_NO_OP,
          "ABI-040: node {} gets a yes alone and a no ({}) beside an equal one: {}", i % verdicts.size(),
          larger[i].code, larger[i].detail);
  RunIt(b, *alone, "alone");
  RunIt(b, *twice, "beside an equal one");
}

}  // namespace braid::conformance
