// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CORE_API_REQUEST_H_
#define BRAID_CORE_API_REQUEST_H_

#include <braid/graph.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "core/api/session.h"

// A run on a thread of its own. The session is told of it, so that it is not freed before the run has ended.
struct graph_request {
 public:
  graph_request(braid::Session* session, const graph_tensor* inputs, uint32_t input_count,
                graph_tensor* outputs, uint32_t output_count);
  ~graph_request();
  // Aborted (GRAPH_PENDING) if the run has not ended in time.
  absl::Status Wait(uint64_t timeout_ns);
  void Cancel() { control_.cancelled.store(true); }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  absl::Status status_;
  braid::RunControl control_;
  std::thread thread_;
};

#endif  // BRAID_CORE_API_REQUEST_H_
