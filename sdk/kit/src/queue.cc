// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/queue.h>

#include <chrono>

namespace braid::kit {

braid_status Event::Wait(uint64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  auto done = [&] { return status_ != BRAID_PENDING; };
  // Longer waits than this overflow the clock: they are "for ever".
  constexpr uint64_t kForever = uint64_t{1} << 60;
  if (timeout_ns >= kForever) {
    ready_.wait(lock, done);
  } else if (timeout_ns > 0) {
    ready_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), done);
  }
  return status_;
}

void Event::OnReady(void (*callback)(void*, braid_status), void* argument) {
  braid_status status;
  {
    std::lock_guard lock(mutex_);
    if (status_ == BRAID_PENDING) {
      callback_ = callback;
      argument_ = argument;
      return;
    }
    status = status_;
  }
  callback(argument, status);
}

braid_status Event::Completion(braid_completion* out) {
  std::lock_guard lock(mutex_);
  if (status_ == BRAID_PENDING) return BRAID_PENDING;
  out->status = status_;
  out->text = Str(text_);
  out->start_ns = start_ns_;
  out->end_ns = end_ns_;
  return BRAID_OK;
}

void Event::Finish(braid_status status, std::string text, uint64_t start_ns, uint64_t end_ns) {
  void (*callback)(void*, braid_status) = nullptr;
  void* argument = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (status_ != BRAID_PENDING) return;
    status_ = status;
    text_ = std::move(text);
    start_ns_ = start_ns;
    end_ns_ = end_ns;
    std::swap(callback, callback_);
    argument = argument_;
    ready_.notify_all();
  }
  if (callback != nullptr) callback(argument, status);
}

std::string Event::text() {
  std::lock_guard lock(mutex_);
  return text_;
}

Queue::Queue(Host host) : host_(host), thread_([this] { Loop(); }) {}

Queue::~Queue() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::shared_ptr<Event> Queue::Push(std::vector<std::shared_ptr<Event>> waits, uint64_t deadline_ns,
                                   bool timed, std::function<void()> task) {
  return Push(std::move(waits), deadline_ns, timed, [task = std::move(task)](const Event&) { task(); });
}

std::shared_ptr<Event> Queue::Push(std::vector<std::shared_ptr<Event>> waits, uint64_t deadline_ns,
                                   bool timed, std::function<void(const Event&)> task) {
  auto event = std::make_shared<Event>();
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back({std::move(waits), deadline_ns, timed, std::move(task), event});
  }
  wake_.notify_one();
  return event;
}

void Queue::Break(braid_status status, std::string text) {
  std::lock_guard lock(mutex_);
  broken_ = status;
  broken_text_ = std::move(text);
}

void Queue::Loop() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    Run(task);
  }
}

void Queue::Run(Task& task) {
  for (auto& wait : task.waits) {
    // In slices, so that a wish to cancel and a deadline end the waiting too.
    constexpr uint64_t kSlice = 2'000'000;
    braid_status s;
    while ((s = wait->Wait(kSlice)) == BRAID_PENDING) {
      if (task.event->cancel_requested())
        return task.event->Finish(BRAID_CANCELLED, "cancelled before it started");
      if (task.deadline_ns != 0 && host_.Now() > task.deadline_ns)
        return task.event->Finish(BRAID_TIMEOUT, "the deadline passed before the work started");
    }
    if (s != BRAID_OK) return task.event->Finish(s, "work that this waited for failed: " + wait->text());
  }
  {
    std::unique_lock lock(mutex_);
    if (broken_ != BRAID_OK) {
      std::string text = broken_text_;
      braid_status status = broken_;
      lock.unlock();
      return task.event->Finish(status, text);
    }
  }
  if (task.event->cancel_requested())
    return task.event->Finish(BRAID_CANCELLED, "cancelled before it started");
  uint64_t start = host_.Now();
  if (task.deadline_ns != 0 && start > task.deadline_ns)
    return task.event->Finish(BRAID_TIMEOUT, "the deadline passed before the work started");
  braid_status status = BRAID_OK;
  std::string text;
  try {
    task.run(*task.event);
  } catch (const Error& e) {
    status = e.status();
    text = e.what();
  } catch (const std::bad_alloc&) {
    status = BRAID_OUT_OF_MEMORY;
    text = "out of host memory";
  } catch (const std::exception& e) {
    status = BRAID_INTERNAL;
    text = e.what();
  }
  // What the task holds goes before the fence is done: the host may free buffers from then on.
  task.run = nullptr;
  uint64_t end = host_.Now();
  task.event->Finish(status, std::move(text), task.timed ? start : 0, task.timed ? end : 0);
}

std::vector<std::shared_ptr<Event>> EventsOf(braid_fence* const* waits, uint32_t count) {
  std::vector<std::shared_ptr<Event>> events;
  for (uint32_t i = 0; i < count; ++i)
    events.push_back(static_cast<EventFence*>(reinterpret_cast<Fence*>(waits[i]))->event());
  return events;
}

}  // namespace braid::kit
