// SPDX-License-Identifier: Apache-2.0
#include "core/api/request.h"

#include <chrono>

#include "core/api/error.h"

graph_request::graph_request(braid::Session* session, const graph_tensor* inputs, uint32_t input_count,
                             graph_tensor* outputs, uint32_t output_count) {
  session->BeginRequest();
  auto run = [=, this] {
    absl::Status status = braid::Caught("graph_run_async", [&] {
      return session->Run(inputs, input_count, outputs, output_count, &control_);
    });
    {
      std::lock_guard lock(mutex_);
      status_ = std::move(status);
      done_ = true;
      ended_.notify_all();
    }
    session->EndRequest();
  };
  try {
    thread_ = std::thread(run);
  } catch (...) {
    session->EndRequest();
    throw;
  }
}

graph_request::~graph_request() { thread_.join(); }

absl::Status graph_request::Wait(uint64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  constexpr uint64_t kForever = uint64_t{1} << 60;  // longer waits overflow the clock
  auto done = [this] { return done_; };
  if (timeout_ns >= kForever) {
    ended_.wait(lock, done);
  } else if (!ended_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), done)) {
    return absl::AbortedError("the run has not ended yet");
  }
  return status_;
}
