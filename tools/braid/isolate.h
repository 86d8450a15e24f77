// SPDX-License-Identifier: Apache-2.0
//
// Runs jobs in child processes, so that one which crashes or hangs costs itself alone.
#ifndef BRAID_TOOLS_BRAID_ISOLATE_H_
#define BRAID_TOOLS_BRAID_ISOLATE_H_

#include <functional>

#include "tools/braid/cases.h"

namespace braid::cli {

// Calls `run` for the jobs 0 .. count-1 in child processes, one after another, a batch of jobs a child, and
// `done` in this process with each outcome, in order. A job that ends its process, or takes more than
// `timeout` seconds, has failed, and the jobs after it go on in a new child. A child that fails when it ends
// fails its last job. This process must have one
// thread and have used no device: a child is a fork of it.
void RunIsolated(size_t count, double timeout, const std::function<Outcome(size_t)>& run,
                 const std::function<void(size_t, const Outcome&)>& done);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_ISOLATE_H_
