// SPDX-License-Identifier: Apache-2.0
//
// Which mutants the suite finds, and by which case. Each mutant runs in processes of its own against the
// cases of the operators that it touches, until one fails. A case that fails without the fault too says
// nothing and is passed over.
#ifndef BRAID_CONFORMANCE_MUTANTS_KILL_H_
#define BRAID_CONFORMANCE_MUTANTS_KILL_H_

#include <functional>
#include <string>
#include <vector>

#include "conformance/case/case.h"
#include "conformance/mutants/mutant.h"
#include "conformance/run/job.h"

namespace braid::conformance {

// A case that another suite has, with the operators of its graph (as Mutant has them).
struct OtherCase {
  Job job;
  std::vector<std::string> operators;
};

struct KillOptions {
  std::string device = "mutant";  // as graph_options.devices
  Level level = Level::kDefault;
  std::vector<const mutants::Mutant*> mutants;
  // Cases of ours that are not generated: their kind and group say which mutants they are for.
  std::vector<Job> jobs;
  std::vector<OtherCase> others;
  int children = 2;      // mutants at a time
  double deadline = 20;  // seconds for one case
};

struct Kill {
  const mutants::Mutant* mutant = nullptr;
  std::string by, text;    // the case that found it, and what it said; empty: it survived
  size_t cases = 0;        // of ours that it has
  size_t ran = 0;          // until it was found
  size_t others = 0;       // cases of the other suite that it has
  size_t other_kills = 0;  // of those that found it
  std::string other;       // the first of them
  std::string error;       // why it could not be tried
  double seconds = 0;
  bool killed() const { return !by.empty(); }
};

// Calls `done` with each as it ends. This process must have one thread and have used no device.
void RunMutants(const KillOptions& options, const std::function<void(const Kill&)>& done);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_MUTANTS_KILL_H_
