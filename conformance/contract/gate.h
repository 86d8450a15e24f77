// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_GATE_H_
#define BRAID_CONFORMANCE_CONTRACT_GATE_H_

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "conformance/contract/bench.h"

namespace braid::conformance {

// A run that waits for a fence of the host's, so that there is time while it is pending. A device that works
// within submit waits there, so the submit has a thread of its own.
//
//   GatedRun gated(b, run);           // NotThere without fence_create
//   ... gated.pending() ...           // whether its fence is there, and not done
//   gated.Open(BRAID_OK);
//   gated.End(&text)                  // of the submit or of its fence
class GatedRun {
 public:
  GatedRun(Bench& b, Run& run) : b_(b), run_(run), gate_(b.HostFence()) {
    waits_[0] = gate_.get();
    run_.submit.waits = waits_;
    run_.submit.wait_count = 1;
    thread_ = std::thread([this] {
      status_ = b_.ex().submit(exec(), &run_.submit, &raw_);
      text_ = b_.host.error();
      done_.set_value();
    });
    auto submitted = done_.get_future();
    returned_ = submitted.wait_for(std::chrono::milliseconds(200)) == std::future_status::ready;
    if (returned_) thread_.join();
  }
  ~GatedRun() {
    if (!open_) b_.Signal(gate_, BRAID_OK);
    Join();
    if (!fence_ && status_ == BRAID_OK) fence_.emplace(b_, raw_);
    if (fence_) fence_->Wait();
    run_.submit.waits = nullptr;
    run_.submit.wait_count = 0;
  }
  GatedRun(const GatedRun&) = delete;
  GatedRun& operator=(const GatedRun&) = delete;

  // The run's fence while the run waits; null where submit waits itself.
  braid_fence* pending() {
    if (!returned_ || raw_ == nullptr) return nullptr;
    return b_.fn().wait(raw_, 0) == BRAID_PENDING ? raw_ : nullptr;
  }
  // Whether the run has ended before the gate was opened, which it must not.
  bool EndedEarly() {
    return returned_ && (raw_ == nullptr || b_.fn().wait(raw_, 0) != BRAID_PENDING) && !open_;
  }
  const Fence& gate() const { return gate_; }
  braid_fence* raw() const { return raw_; }
  void Open(braid_status status) {
    b_.Signal(gate_, status);
    open_ = true;
  }
  braid_status End(std::string* text) {
    Join();
    if (status_ != BRAID_OK) {
      *text = text_;
      return status_;
    }
    fence_.emplace(b_, raw_);
    const braid_status status = fence_->Wait();
    *text = fence_->Text();
    return status;
  }

 private:
  braid_exec* exec() const { return run_.exec(); }
  void Join() {
    if (thread_.joinable()) thread_.join();
    returned_ = true;
  }
  Bench& b_;
  Run& run_;
  Fence gate_;
  braid_fence* waits_[1];
  braid_fence* raw_ = nullptr;
  braid_status status_ = BRAID_OK;
  std::string text_;
  std::promise<void> done_;
  std::thread thread_;
  bool returned_ = false, open_ = false;
  std::optional<Fence> fence_;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_GATE_H_
