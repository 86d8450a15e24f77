// SPDX-License-Identifier: Apache-2.0
//
// Runs one graph (a model's, or the body of a control-flow node) for whatever shapes it is given: keeps a few
// specialisations, takes the one that fits, makes it where there is none.
//
// A run that ends with a device's own failure (it is lost, out of memory, broken) is made anew from its
// inputs without that device; only where no other can take its nodes does the run fail.
#ifndef BRAID_CORE_RUN_RUNNER_H_
#define BRAID_CORE_RUN_RUNNER_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/onnx/model.h"
#include "core/run/specialisation.h"
#include "core/run/value.h"

namespace braid {

class Runner {
 public:
  Runner(std::shared_ptr<const Model> model, std::shared_ptr<const RunContext> context, bool is_body)
      : model_(std::move(model)), context_(std::move(context)), is_body_(is_body) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Inputs and outputs are those of the graph, in order. Data of inputs may be null. [any thread]
  absl::Status Prepare(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs);
  absl::Status Run(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs, RunControl* control);

  const Model& model() const { return *model_; }
  // Whether a run failed because devices had, and no other could take their place. A Runner with a context of
  // its own may do better: lost devices can be opened again.
  bool gave_up() const { return gave_up_.load(std::memory_order_relaxed); }
  // The specialisation used last; null before any.
  std::shared_ptr<Specialisation> last() const;

 private:
  // What the run at hand learnt of failures.
  struct Attempts {
    Exclusions without;      // for these inputs' shapes only, beside the devices that failed for good
    CompileFailure compile;  // of the last attempt
    std::shared_ptr<Specialisation> used;  // by the last attempt
    std::set<size_t> failed;               // devices that are left out for good since the run began
    bool freed = false;                    // all other specialisations were dropped to make room
    absl::Status first;                    // the failure that began it
  };
  absl::StatusOr<std::shared_ptr<Specialisation>> Find(absl::Span<const RunInput> inputs,
                                                       absl::Span<const RunOutput> outputs,
                                                       Attempts* attempts);
  absl::StatusOr<std::shared_ptr<Specialisation>> Make(absl::Span<const RunInput> inputs,
                                                       absl::Span<const RunOutput> outputs,
                                                       Attempts* attempts);
  absl::Status RunOnce(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs, RunControl* control,
                       Attempts* attempts);
  // Makes attempts until one does not end with a device's failure, or nothing is left to try.
  template <class Attempt>
  absl::Status Recovering(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs,
                          const Attempt& attempt);
  // Whether another attempt may end otherwise.
  bool Learn(const absl::Status& status, absl::Span<const RunInput> inputs,
             absl::Span<const RunOutput> outputs, Attempts* attempts);
  void DropFailed();
  int LocationOf(const Buffer* buffer) const;
  template <class Visit>
  void VisitKey(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs,
                const Visit& visit) const;
  bool Matches(const Specialisation& spec, absl::Span<const RunInput> inputs,
               absl::Span<const RunOutput> outputs) const;

  const std::shared_ptr<const Model> model_;
  const std::shared_ptr<const RunContext> context_;
  const bool is_body_;
  std::atomic<bool> gave_up_{false};
  mutable std::mutex mutex_;
  size_t failed_seen_ = 0;  // failed devices of the context when specialisations_ was last looked through
  std::mutex make_mutex_;   // one specialisation is made at a time
  std::vector<std::shared_ptr<Specialisation>> specialisations_;  // most recently used first
  std::shared_ptr<Specialisation> general_;  // of a body whose shapes change from turn to turn
};

}  // namespace braid

#endif  // BRAID_CORE_RUN_RUNNER_H_
