// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "conformance/contract/cases.h"
#include "conformance/contract/gate.h"

namespace braid::conformance {
namespace {

using namespace std::chrono_literals;

// Counts calls back.
class Called {
 public:
  static void BRAID_CALL Back(void* self, braid_status status) {
    auto* c = static_cast<Called*>(self);
    std::lock_guard lock(c->mutex_);
    ++c->count_;
    c->status_ = status;
    c->some_.notify_all();
  }
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }
  braid_status status() {
    std::lock_guard lock(mutex_);
    return status_;
  }
  // Waits for the first call, then a moment for a second one.
  void ExpectOnce(braid_status want, const char* what) {
    {
      std::unique_lock lock(mutex_);
      some_.wait_for(lock, 5s, [&] { return count_ > 0; });
    }
    std::this_thread::sleep_for(20ms);
    Check(count() != 0, "ABI-043: {}: it never calls back", what);
    Check(count() == 1, "ABI-019: {}: it calls back {} times", what, count());
    Check(status() == want, "ABI-043: {}: it calls back with {}, not {}", what, StatusText(status()),
          StatusText(want));
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  int count_ = 0;
  braid_status status_ = BRAID_PENDING;
};

struct Made {
  explicit Made(Bench& b, bool timed = false)
      : w(b.Plain()), exec(b.Compile(*w.view)), run(b, w, exec, {.timed = timed}) {
    run.Prepare();
  }
  Workload w;
  Exec exec;
  Run run;
};

Fence NotNull(Fence fence) {
  if (fence.get() == nullptr)
    throw NotThere("the device's runs are done when submit returns, without fences");
  return fence;
}

void WaitZero(Bench& b) {
  Made m(b);
  Fence fence = NotNull(m.run.Start());
  const auto limit = std::chrono::steady_clock::now() + 10s;
  braid_status status = BRAID_PENDING;
  while (status == BRAID_PENDING && std::chrono::steady_clock::now() < limit) status = fence.Wait(0);
  Check(status == BRAID_OK, "polled for ten seconds, the fence tells {}", StatusText(status));
  for (const uint64_t timeout : {uint64_t{0}, uint64_t{1}, UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63}) {
    const braid_status again = fence.Wait(timeout);
    Check(again == BRAID_OK, "ABI-020: a fence that had ended with OK tells {} for a timeout of {}",
          StatusText(again), timeout);
  }
}

void WaitForEver(Bench& b) {
  Made m(b);
  for (int i = 0; i < 20; ++i) {
    Fence fence = NotNull(m.run.Start());
    const braid_status status = fence.Wait(UINT64_MAX);
    Check(status == BRAID_OK, "a wait for ever ends with {}", StatusText(status));
  }
}

void WaitTimesOut(Bench& b) {
  Made m(b);
  GatedRun gated(b, m.run);
  braid_fence* pending = gated.pending();
  if (pending == nullptr) throw NotThere("the device's submit waits itself");
  const auto start = std::chrono::steady_clock::now();
  const braid_status status = b.fn().wait(pending, 20'000'000);
  const auto took = std::chrono::steady_clock::now() - start;
  Check(status == BRAID_PENDING, "ABI-043: a wait of 20 ms for a pending run ends with {}",
        StatusText(status));
  Check(took > 15ms && took < 3s, "ABI-043: a wait of 20 ms takes {} ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

void CallbackAfter(Bench& b) {
  Made m(b);
  Called called;
  Fence fence = NotNull(m.run.Start());
  Check(fence.Wait() == BRAID_OK, "the run fails: {}", fence.Text());
  b.fn().on_ready(fence.get(), Called::Back, &called);
  Check(called.count() > 0, "ABI-043: on_ready of a fence that is done returns before it has called back");
  called.ExpectOnce(BRAID_OK, "a fence that was done");
}

void CallbackBefore(Bench& b) {
  Made m(b);
  Called called;
  {
    GatedRun gated(b, m.run);
    braid_fence* pending = gated.pending();
    if (pending == nullptr) throw NotThere("the device's submit waits itself");
    b.fn().on_ready(pending, Called::Back, &called);
    std::this_thread::sleep_for(20ms);
    Check(called.count() == 0, "ABI-043: a fence calls back while its run is pending");
    gated.Open(BRAID_OK);
    called.ExpectOnce(BRAID_OK, "a fence whose callback was there before it was done");
    std::string text;
    gated.End(&text);
  }
  Check(called.count() == 1, "ABI-019: a fence calls back again when it is destroyed");
}

void CallbackRace(Bench& b) {
  Made m(b);
  for (int i = 0; i < 200; ++i) {
    Called called;
    Fence fence = NotNull(m.run.Start());
    b.fn().on_ready(fence.get(), Called::Back, &called);
    Check(fence.Wait() == BRAID_OK, "the run fails: {}", fence.Text());
    const auto limit = std::chrono::steady_clock::now() + 5s;
    while (called.count() == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    Check(called.count() == 1, "{}: a fence calls back {} times", called.count() == 0 ? "ABI-043" : "ABI-019",
          called.count());
  }
}

void Completion(Bench& b) {
  for (const bool timed : {false, true}) {
    Made m(b, timed);
    const uint64_t before = b.host.now();
    Fence fence = NotNull(m.run.Start());
    Check(fence.Wait() == BRAID_OK, "the run fails: {}", fence.Text());
    const uint64_t after = b.host.now();
    braid_completion c = BRAID_COMPLETION_INIT;
    c.status = BRAID_PENDING;
    b.Ok(b.fn().completion(fence.get(), &c), "completion");
    Check(c.status == BRAID_OK, "ABI-043: wait tells OK, completion {}", StatusText(c.status));
    if (!timed) {
      Check(c.start_ns == 0 && c.end_ns == 0, "ABI-043: a run that is not TIMED has times");
      continue;
    }
    Check(!b.Has(BRAID_TIMESTAMPS) || c.end_ns != 0,
          "ABI-043: the device has BRAID_TIMESTAMPS, and a TIMED run no times");
    if (c.start_ns == 0 && c.end_ns == 0) continue;
    // A device's clock is brought to the host's with some error.
    constexpr uint64_t kSlack = 50'000'000;
    Check(c.start_ns <= c.end_ns && c.start_ns + kSlack >= before && c.end_ns <= after + kSlack,
          "ABI-043: a run from {} to {} says that it ran from {} to {}", before, after, c.start_ns, c.end_ns);
  }
}

void CompletionPending(Bench& b) {
  Made m(b);
  GatedRun gated(b, m.run);
  braid_fence* pending = gated.pending();
  if (pending == nullptr) throw NotThere("the device's submit waits itself");
  braid_completion c = BRAID_COMPLETION_INIT;
  const braid_status status = b.fn().completion(pending, &c);
  Check(status == BRAID_PENDING, "ABI-043: completion of a pending run tells {}", StatusText(status));
}

void FailedWait(Bench& b) {
  Made m(b);
  std::string text;
  {
    GatedRun gated(b, m.run);
    Check(!gated.EndedEarly(), "ABI-044: a run ends before what it waits for");
    gated.Open(BRAID_INTERNAL);
    const braid_status status = gated.End(&text);
    Check(status == BRAID_INTERNAL, "ABI-044: a run whose wait failed with INTERNAL ends with {}",
          StatusText(status));
    Check(!text.empty(), "ABI-036: a run that failed tells no text");
  }
  m.run.Go();
  m.run.ExpectRight();
}

void Waited(Bench& b) {
  Made m(b);
  {
    GatedRun gated(b, m.run);
    std::this_thread::sleep_for(20ms);
    Check(!gated.EndedEarly(), "ABI-044: a run ends before what it waits for");
    gated.Open(BRAID_OK);
    std::string text;
    const braid_status status = gated.End(&text);
    Check(status == BRAID_OK, "ABI-044: a run whose wait ended OK ends with {}: {}", StatusText(status),
          text);
    m.run.Collect(gated.raw());
    m.run.ExpectRight();
  }
  m.run.Go();
  m.run.ExpectRight();
}

void WaitOnQueues(Bench& b) {
  if (b.info().queues < 2) throw NotThere("the device has one queue");
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  // A run on each queue waits for the one before; the last one's end is the end of all.
  std::vector<std::unique_ptr<Run>> runs;
  std::vector<Fence> fences;
  for (uint32_t i = 0; i < 8; ++i) {
    runs.push_back(std::make_unique<Run>(b, w, exec, RunOptions{.queue = i % b.info().queues}));
    runs.back()->Prepare();
  }
  braid_fence* wait = nullptr;
  for (auto& run : runs) {
    run->submit.waits = &wait;
    run->submit.wait_count = wait == nullptr ? 0 : 1;
    fences.push_back(run->Start());
    wait = fences.back().get();
  }
  const braid_status status = fences.back().Wait();
  Check(status == BRAID_OK, "a run that waits for another queue's ends with {}: {}", StatusText(status),
        fences.back().Text());
  for (size_t i = 0; i < runs.size(); ++i) {
    Check(fences[i].Wait(0) == BRAID_OK, "ABI-044: a run ends before what it waits for, on another queue");
    runs[i]->Collect(fences[i].get());
    runs[i]->ExpectRight();
  }
  // Waiting fences go before those that they waited for.
  while (!fences.empty()) fences.pop_back();
}

void Cancel(Bench& b) {
  if (b.fn().cancel == nullptr) throw NotThere("fences cannot be cancelled");
  Made m(b);
  {
    GatedRun gated(b, m.run);
    braid_fence* pending = gated.pending();
    if (pending == nullptr) throw NotThere("the device's submit waits itself");
    b.fn().cancel(pending);
    b.fn().cancel(pending);
    // A wish: it may be that it waits for the gate all the same.
    b.fn().wait(pending, 1'000'000'000);
    gated.Open(BRAID_OK);
    std::string text;
    const braid_status status = gated.End(&text);
    Check(status == BRAID_OK || status == BRAID_CANCELLED, "ABI-021: a cancelled run ends with {}",
          StatusText(status));
    Check(status == BRAID_OK || !text.empty(), "ABI-036: a cancelled run tells no text");
    if (status == BRAID_OK) {
      m.run.Collect(gated.raw());
      m.run.ExpectRight();
    }
  }
  m.run.Go();
  m.run.ExpectRight();
}

void CancelDone(Bench& b) {
  if (b.fn().cancel == nullptr) throw NotThere("fences cannot be cancelled");
  Made m(b);
  Fence fence = NotNull(m.run.Start());
  Check(fence.Wait() == BRAID_OK, "the run fails: {}", fence.Text());
  b.fn().cancel(fence.get());
  Check(fence.Wait(0) == BRAID_OK,
        "ABI-020: a fence that had ended with OK says something else once it is cancelled");
  m.run.Go();
  m.run.ExpectRight();
}

void CreateAndSignal(Bench& b) {
  for (const braid_status end : {BRAID_OK, BRAID_INTERNAL, BRAID_DEVICE_LOST}) {
    Fence fence = b.HostFence();
    Called called;
    Check(fence.Wait(0) == BRAID_PENDING && fence.Wait(1'000'000) == BRAID_PENDING,
          "ABI-043: a fence of fence_create is not PENDING before it is signalled");
    b.fn().on_ready(fence.get(), Called::Back, &called);
    Check(called.count() == 0, "ABI-043: a fence of fence_create calls back before it is signalled");
    b.Signal(fence, end);
    called.ExpectOnce(end, "a fence of fence_create");
    for (const uint64_t timeout : {uint64_t{0}, UINT64_MAX})
      Check(fence.Wait(timeout) == end, "ABI-020: a fence signalled with {} tells {}", StatusText(end),
            StatusText(fence.Wait(timeout)));
    braid_completion c = BRAID_COMPLETION_INIT;
    b.Ok(b.fn().completion(fence.get(), &c), "completion");
    Check(c.status == end, "ABI-043: a fence signalled with {} completes with {}", StatusText(end),
          StatusText(c.status));
  }
}

void SignalElsewhere(Bench& b) {
  Fence fence = b.HostFence();
  std::thread other([&] {
    std::this_thread::sleep_for(20ms);
    b.Signal(fence, BRAID_OK);
  });
  const braid_status status = fence.Wait(UINT64_MAX);
  other.join();
  Check(status == BRAID_OK, "ABI-043: a wait for a fence that another thread signals ends with {}",
        StatusText(status));
}

void ManyFences(Bench& b) {
  const Buffer buffer = b.Alloc(64);
  std::vector<uint8_t> data(64, 5);
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_WRITE;
  t.to = buffer.get();
  t.host = data.data();
  t.bytes = data.size();
  std::vector<Fence> fences;
  for (int i = 0; i < 1000; ++i) fences.push_back(b.Transfer(t));
  Check(fences.back().Wait() == BRAID_OK, "a transfer fails: {}", fences.back().Text());
  // In another order than they were made, and one that is not the reverse.
  for (size_t i = 0; i < fences.size(); ++i) std::swap(fences[i], fences[i * 7919 % fences.size()]);
  for (Fence& fence : fences) Check(fence.Wait() == BRAID_OK, "a transfer fails: {}", fence.Text());
}

void TextLives(Bench& b) {
  Made m(b);
  GatedRun gated(b, m.run);
  if (gated.pending() == nullptr) throw NotThere("the device's submit waits itself");
  gated.Open(BRAID_INTERNAL);
  std::string text;
  gated.End(&text);
  braid_completion first = BRAID_COMPLETION_INIT, second = BRAID_COMPLETION_INIT;
  b.Ok(b.fn().completion(gated.raw(), &first), "completion");
  const std::string then(first.text.ptr, first.text.len);
  b.Ok(b.fn().completion(gated.raw(), &second), "completion");
  Check(std::string(first.text.ptr, first.text.len) == then,
        "ABI-043: a completion's text changes while its fence lives");
}

}  // namespace

std::vector<ContractCase> FenceCases() {
  return {
      {"abi/fence-wait-zero", "ABI-020", "a poll tells PENDING until it tells the end, which stays",
       WaitZero},
      {"abi/fence-wait-for-ever", "ABI-043", "a wait of UINT64_MAX ends with the run", WaitForEver},
      {"abi/fence-wait-times-out", "ABI-043", "a wait for a pending run ends after its time, with PENDING",
       WaitTimesOut},
      {"abi/fence-callback-after", "ABI-019, ABI-043",
       "on_ready of a fence that is done calls back before it returns, once", CallbackAfter},
      {"abi/fence-callback-before", "ABI-019, ABI-043",
       "on_ready of a pending fence calls back once, when it is done", CallbackBefore},
      {"abi/fence-callback-race", "ABI-019, ABI-043", "on_ready while the run ends calls back once",
       CallbackRace},
      {"abi/fence-completion", "ABI-043", "completion tells what wait tells, and times that can be",
       Completion},
      {"abi/fence-completion-pending", "ABI-043", "completion of a pending run is PENDING",
       CompletionPending},
      {"abi/fence-text", "ABI-043, ABI-036", "the text of a completion lives as long as the fence",
       TextLives},
      {"abi/fence-waited", "ABI-044", "a run waits for a fence of the host's", Waited},
      {"abi/fence-failed-wait", "ABI-044, ABI-036",
       "a run whose wait failed does not run, and ends as the wait did", FailedWait},
      {"abi/fence-across-queues", "ABI-044", "runs wait for those of other queues", WaitOnQueues},
      {"abi/fence-cancel", "ABI-021, ABI-036",
       "a cancelled run ends OK or CANCELLED, and the next one is right", Cancel},
      {"abi/fence-cancel-done", "ABI-020", "to cancel what is done changes nothing", CancelDone},
      {"abi/fence-create", "ABI-019, ABI-020, ABI-043", "a fence of fence_create ends as it is signalled",
       CreateAndSignal},
      {"abi/fence-signal-elsewhere", "ABI-043", "a fence is signalled from another thread than waits",
       SignalElsewhere},
      {"abi/fence-many", "ABI-044", "a thousand fences live together and go in any order", ManyFences},
  };
}

}  // namespace braid::conformance
