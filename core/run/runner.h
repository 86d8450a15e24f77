// SPDX-License-Identifier: Apache-2.0
//
// Runs one graph (a model's, or the body of a control-flow node) for whatever shapes it is given: keeps a few
// specialisations, takes the one that fits, makes it where there is none.
#ifndef BRAID_CORE_RUN_RUNNER_H_
#define BRAID_CORE_RUN_RUNNER_H_

#include <memory>
#include <mutex>
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
  // The specialisation used last; null before any.
  std::shared_ptr<Specialisation> last() const;

 private:
  absl::StatusOr<std::shared_ptr<Specialisation>> Find(absl::Span<const RunInput> inputs,
                                                       absl::Span<const RunOutput> outputs);
  absl::StatusOr<std::shared_ptr<Specialisation>> Make(absl::Span<const RunInput> inputs,
                                                       absl::Span<const RunOutput> outputs);
  int LocationOf(const Buffer* buffer) const;
  template <class Visit>
  void VisitKey(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs,
                const Visit& visit) const;
  bool Matches(const Specialisation& spec, absl::Span<const RunInput> inputs,
               absl::Span<const RunOutput> outputs) const;

  const std::shared_ptr<const Model> model_;
  const std::shared_ptr<const RunContext> context_;
  const bool is_body_;
  mutable std::mutex mutex_;
  std::mutex make_mutex_;                                         // one specialisation is made at a time
  std::vector<std::shared_ptr<Specialisation>> specialisations_;  // most recently used first
  std::shared_ptr<Specialisation> general_;  // of a body whose shapes change from turn to turn
};

}  // namespace braid

#endif  // BRAID_CORE_RUN_RUNNER_H_
