// SPDX-License-Identifier: Apache-2.0
//
// What the suite runs, and what becomes of it.
#ifndef BRAID_CONFORMANCE_RUN_JOB_H_
#define BRAID_CONFORMANCE_RUN_JOB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace braid::conformance {

enum class Outcome {
  kPass,
  kFail,         // a wrong result, a refusal after a yes, a breach of a rule
  kCrash,        // the process ended
  kHang,         // it took longer than its deadline
  kUnsupported,  // the device said no, with a reason
  kCore,         // right, but core, or another device, ran all of it: the device has no part in it
  kResource,     // not enough memory
  kWaived,       // failed as a waiver says
  kStale,        // passed although a waiver says that it fails
  kInvalid,      // the suite could not make or judge the case: a fault of the suite
};
const char* Name(Outcome outcome);  // "pass", "fail" ...
Outcome OutcomeOf(const std::string& name);

struct Result {
  std::string id;
  std::string kind;   // "generated", "official", "fusion", "abi", "memory", "negative" ...
  std::string group;  // of generated cases the operator with its version; else what the case is about
  Outcome outcome = Outcome::kPass;
  std::string text;  // why, in one line
  double worst = 0;  // the largest error in parts of its bound
  double seconds = 0;
  std::string basis;     // how the expectation was made (oracle.h)
  std::string measured;  // of kind "performance": a JSON object, see docs/reference/conformance-report.md
};

struct Job {
  std::string id, kind, group;
  // Runs in a child process; must not throw. Fills outcome, text, worst and basis.
  std::function<Result()> run;
};

struct ChildOptions {
  int children = 2;      // at a time
  double deadline = 60;  // seconds for one job
  uint64_t memory = 0;   // resident bytes that a child may have; 0: half of the machine's
  size_t batch = 128;    // jobs a child, so that what one leaves behind does not pile up
};

// Runs the jobs in child processes and calls `done` here with each result, as they come. A job that ends its
// process, passes its deadline or takes too much memory costs itself alone: the others go on in a new child.
// This process must have one thread and have used no device: a child is a fork of it.
void RunInChildren(const std::vector<Job>& jobs, const ChildOptions& options,
                   const std::function<void(size_t, const Result&)>& done);

// The same in this process, for debuggers and sanitizers: a job that ends its process ends this one.
void RunHere(const std::vector<Job>& jobs, const std::function<void(size_t, const Result&)>& done);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_JOB_H_
