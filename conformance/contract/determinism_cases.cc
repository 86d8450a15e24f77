// SPDX-License-Identifier: Apache-2.0
//
// Same inputs, same bits, where the device says BRAID_DETERMINISTIC. Else values are the oracle's business,
// and what differs is only told.
#include <mutex>

#include "conformance/contract/cases.h"
#include "conformance/contract/threads.h"

namespace braid::conformance {
namespace {

using kit::testing::Array;

// A graph with sums in it, whose order would show, if the device takes one.
Workload Summing(Bench& b) {
  for (const char* op : {"MatMul", "Conv", "Gemm", "Softmax", "ReduceSum"})
    if (std::optional<Workload> w = b.TakenCase(op)) return *std::move(w);
  return b.Plain();
}

void Same(Bench& b, const std::vector<Array>& got, const std::vector<Array>& want, const std::string& what) {
  for (size_t i = 0; i < want.size(); ++i)
    if (const auto at = FirstDifference(got[i].bytes, want[i].bytes)) {
      if (!b.Has(BRAID_DETERMINISTIC))
        throw NotThere(
            fmt::format("{}, output {} differs at byte {}; the device does not say that it is deterministic",
                        what, i, *at));
      throw Failure(fmt::format("ABI-042: {}, output {} differs at byte {}", what, i, *at));
    }
}

std::vector<Array> OutputsOf(Bench& b, const Workload& w, const Exec& exec, uint32_t queue = 0) {
  Run run(b, w, exec, {.queue = queue});
  run.Go();
  return run.outputs();
}

void Twenty(Bench& b) {
  const Workload w = Summing(b);
  const Exec exec = b.Compile(*w.view);
  const auto first = OutputsOf(b, w, exec);
  for (int i = 2; i <= 20; ++i) Same(b, OutputsOf(b, w, exec), first, fmt::format("run {} of 20", i));
}

void SameBuffers(Bench& b) {
  const Workload w = Summing(b);
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Go();
  const auto first = run.outputs();
  for (int i = 2; i <= 20; ++i) {
    run.Go();
    Same(b, run.outputs(), first, fmt::format("run {} of 20 in the same buffers", i));
  }
}

void Queues(Bench& b) {
  const Workload w = Summing(b);
  const Exec exec = b.Compile(*w.view);
  const auto first = OutputsOf(b, w, exec);
  for (uint32_t queue = 0; queue < b.info().queues; ++queue)
    Same(b, OutputsOf(b, w, exec, queue), first, fmt::format("on queue {}", queue));
}

void TwoThreads(Bench& b) {
  const Workload w = Summing(b);
  const Exec exec = b.Compile(*w.view);
  const auto first = OutputsOf(b, w, exec);
  const uint32_t queues = b.info().queues;
  std::mutex queue0;
  std::vector<Array> got[2];
  OnThreads(2, [&](int i) {
    std::unique_ptr<Run> run;
    {
      std::lock_guard lock(queue0);
      run = std::make_unique<Run>(b, w, exec, RunOptions{.queue = queues > 1 ? static_cast<uint32_t>(i) : 0});
      run->Prepare();
    }
    for (int k = 0; k < 20; ++k) {
      std::unique_lock lock(queue0, std::defer_lock);
      if (queues == 1 || i == 0) lock.lock();
      Fence fence = run->Start();
      if (lock.owns_lock()) lock.unlock();
      const braid_status status = fence.Wait();
      Check(status == BRAID_OK, "a run ends with {}: {}", StatusText(status), fence.Text());
      lock.lock();
      run->Collect(fence.get());
    }
    got[i] = run->outputs();
  });
  for (const auto& outputs : got) Same(b, outputs, first, "from two threads");
}

void AfterOthers(Bench& b) {
  const Workload w = Summing(b);
  const Exec exec = b.Compile(*w.view);
  const auto first = OutputsOf(b, w, exec);
  std::vector<Workload> others = {b.Plain()};
  try {
    for (const int64_t n : {1, 1000, 40'000}) others.push_back(Elementwise(b.Elementwise(), {n}));
  } catch (const NotThere&) {
  }
  for (const Workload& other : others) {
    OutputsOf(b, other, b.Compile(*other.view));
    Same(b, OutputsOf(b, w, exec), first, "after other work");
  }
}

void TwoExecutables(Bench& b) {
  const Workload w = Summing(b);
  const Exec one = b.Compile(*w.view), two = b.Compile(*w.view);
  Same(b, OutputsOf(b, w, two), OutputsOf(b, w, one), "by two executables of one graph");
}

void Reopened(Bench& b) {
  const Workload w = Summing(b);
  const auto first = OutputsOf(b, w, b.Compile(*w.view));
  b.Finish();
  Same(b, OutputsOf(b, w, b.Compile(*w.view)), first, "by a device opened anew");
}

}  // namespace

std::vector<ContractCase> DeterminismCases() {
  return {
      {"determinism/twenty-runs", "ABI-042", "twenty runs in fresh buffers", Twenty},
      {"determinism/same-buffers", "ABI-042", "twenty runs in the same buffers", SameBuffers},
      {"determinism/every-queue", "ABI-042", "on every queue", Queues},
      {"determinism/two-threads", "ABI-042", "from two threads at once", TwoThreads},
      {"determinism/after-others", "ABI-042", "after other work", AfterOthers},
      {"determinism/two-executables", "ABI-042", "two executables of one graph", TwoExecutables},
      {"determinism/reopened", "ABI-042", "a device closed and opened anew", Reopened},
  };
}

}  // namespace braid::conformance
