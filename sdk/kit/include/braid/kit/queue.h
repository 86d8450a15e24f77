// SPDX-License-Identifier: Apache-2.0
//
// An asynchronous queue in software: one thread that runs tasks in order, a fence for each, waits on other
// fences first. For devices that have no queue of their own, and for simulated ones.
#ifndef BRAID_KIT_QUEUE_H_
#define BRAID_KIT_QUEUE_H_

#include <braid/kit/plugin.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace braid::kit {

// The state behind a fence, which outlives both the fence and the task.
class Event {
 public:
  braid_status Wait(uint64_t timeout_ns);
  void OnReady(void (*callback)(void*, braid_status), void* argument);
  braid_status Completion(braid_completion* out);
  // The first call decides; later ones do nothing.
  void Finish(braid_status status, std::string text = {}, uint64_t start_ns = 0, uint64_t end_ns = 0);
  void RequestCancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancel_requested() const { return cancelled_.load(std::memory_order_relaxed); }
  std::string text();

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  braid_status status_ = BRAID_PENDING;
  std::string text_;
  uint64_t start_ns_ = 0, end_ns_ = 0;
  void (*callback_)(void*, braid_status) = nullptr;
  void* argument_ = nullptr;
  std::atomic<bool> cancelled_{false};
};

class EventFence : public Fence {
 public:
  explicit EventFence(std::shared_ptr<Event> event = std::make_shared<Event>()) : event_(std::move(event)) {}
  braid_status Wait(uint64_t timeout_ns) override { return event_->Wait(timeout_ns); }
  void OnReady(void (*callback)(void*, braid_status), void* argument) override {
    event_->OnReady(callback, argument);
  }
  braid_status Completion(braid_completion* out) override { return event_->Completion(out); }
  void Cancel() override { event_->RequestCancel(); }
  void Signal(braid_status status) override { event_->Finish(status); }
  const std::shared_ptr<Event>& event() const { return event_; }

 private:
  std::shared_ptr<Event> event_;
};

class Queue {
 public:
  explicit Queue(Host host);
  // Runs what is queued to its end, then joins the thread.
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Queues `task`; its kit::Error becomes the event's status and text. It runs when the tasks before it have
  // ended and all of `waits` are done; if one of those failed, the task does not run and ends with its
  // status. A deadline (host clock; 0: none) that has passed before it starts ends it with TIMEOUT, a
  // cancelled one ends CANCELLED.
  std::shared_ptr<Event> Push(std::vector<std::shared_ptr<Event>> waits, uint64_t deadline_ns, bool timed,
                              std::function<void()> task);
  // The same for a task that looks at its event now and then, whether it was cancelled meanwhile.
  std::shared_ptr<Event> Push(std::vector<std::shared_ptr<Event>> waits, uint64_t deadline_ns, bool timed,
                              std::function<void(const Event&)> task);
  // From now on every task ends with `status` unrun.
  void Break(braid_status status, std::string text);

 private:
  struct Task {
    std::vector<std::shared_ptr<Event>> waits;
    uint64_t deadline_ns;
    bool timed;
    std::function<void(const Event&)> run;
    std::shared_ptr<Event> event;
  };
  void Loop();
  void Run(Task& task);
  Host host_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stop_ = false;
  braid_status broken_ = BRAID_OK;
  std::string broken_text_;
  std::thread thread_;
};

// The events behind a submit's or transfer's waits (fences that this plugin made as EventFence).
std::vector<std::shared_ptr<Event>> EventsOf(braid_fence* const* waits, uint32_t count);

}  // namespace braid::kit

#endif  // BRAID_KIT_QUEUE_H_
