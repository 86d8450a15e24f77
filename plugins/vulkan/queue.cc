// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/queue.h"

namespace braid::vulkan {

HardwareQueue::HardwareQueue(kit::Host host, const Api& api, VkDevice device, VkQueue queue,
                             uint64_t lose_after)
    : host_(host), api_(api), device_(device), queue_(queue), lose_after_(lose_after) {
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  Check(api_.CreateSemaphore(device_, &info, nullptr, &timeline_), "vkCreateSemaphore");
  thread_ = std::thread([this] { Loop(); });
}

HardwareQueue::~HardwareQueue() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  api_.DestroySemaphore(device_, timeline_, nullptr);
}

void HardwareQueue::Submit(Job job) {
  std::unique_lock lock(mutex_);
  VkResult result = VK_SUCCESS;
  if (lose_after_ != 0 && submitted_ >= lose_after_) lost_.store(true);
  if (lost_.load()) {
    result = VK_ERROR_DEVICE_LOST;
  } else {
    uint64_t value = submitted_ + 1;
    VkTimelineSemaphoreSubmitInfo timeline{};
    timeline.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
    timeline.signalSemaphoreValueCount = 1;
    timeline.pSignalSemaphoreValues = &value;
    VkSubmitInfo submit{};
    submit.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
    submit.pNext = &timeline;
    submit.commandBufferCount = job.commands == VK_NULL_HANDLE ? 0 : 1;
    submit.pCommandBuffers = &job.commands;
    submit.signalSemaphoreCount = 1;
    submit.pSignalSemaphores = &timeline_;
    job.submitted_ns = host_.Now();
    result = api_.QueueSubmit(queue_, 1, &submit, VK_NULL_HANDLE);
    if (result == VK_SUCCESS) {
      submitted_ = value;
      pending_.emplace_back(value, std::move(job));
      lock.unlock();
      wake_.notify_one();
      return;
    }
    if (result == VK_ERROR_DEVICE_LOST) lost_.store(true);
  }
  lock.unlock();
  uint64_t none[2];
  if (job.done) job.done(none, none + 1);
  job.event->Finish(StatusOf(result),
                    result == VK_ERROR_DEVICE_LOST ? "the Vulkan device was lost" : "vkQueueSubmit failed");
}

bool HardwareQueue::Idle() {
  std::lock_guard lock(mutex_);
  return pending_.empty();
}

void HardwareQueue::Drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return pending_.empty(); });
}

void HardwareQueue::Loop() {
  for (;;) {
    uint64_t value;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !pending_.empty(); });
      if (pending_.empty()) return;
      value = pending_.front().first;
    }
    VkSemaphoreWaitInfo wait{};
    wait.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
    wait.semaphoreCount = 1;
    wait.pSemaphores = &timeline_;
    wait.pValues = &value;
    VkResult result = VK_TIMEOUT;
    while (result == VK_TIMEOUT) result = api_.WaitSemaphores(device_, &wait, 1'000'000'000);
    if (result != VK_SUCCESS) lost_.store(true);
    // Everything that the timeline has passed is done.
    uint64_t reached = value;
    if (result == VK_SUCCESS) api_.GetSemaphoreCounterValue(device_, timeline_, &reached);
    for (;;) {
      Job job;
      {
        std::lock_guard lock(mutex_);
        if (pending_.empty() || pending_.front().first > reached) break;
        job = std::move(pending_.front().second);
      }
      uint64_t start = 0, end = 0;
      if (job.done) job.done(&start, &end);
      job.done = nullptr;
      {
        std::lock_guard lock(mutex_);
        pending_.pop_front();
        if (pending_.empty()) idle_.notify_all();
      }
      bool ok = result == VK_SUCCESS;
      job.event->Finish(ok ? BRAID_OK : BRAID_DEVICE_LOST, ok ? "" : "the Vulkan device was lost", start,
                        end);
    }
  }
}

Queue::~Queue() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

EventPtr Queue::PushCommands(std::vector<EventPtr> waits, uint64_t deadline_ns,
                             std::function<HardwareQueue::Job()> record) {
  return Push({std::move(waits), deadline_ns, false, std::move(record), nullptr, nullptr});
}

EventPtr Queue::PushHost(std::vector<EventPtr> waits, uint64_t deadline_ns, bool timed,
                         std::function<void()> work) {
  return Push({std::move(waits), deadline_ns, timed, nullptr, std::move(work), nullptr});
}

EventPtr Queue::Push(Item item) {
  item.event = std::make_shared<kit::Event>();
  EventPtr event = item.event;
  bool ready = true;
  for (const auto& wait : item.waits) ready = ready && wait->Wait(0) != BRAID_PENDING;
  // Host work must not make the caller wait for the device.
  if (ready && item.host) ready = hardware_->Idle() || hardware_->lost();
  std::unique_lock lock(mutex_);
  if (ready && items_.empty() && !busy_) {
    busy_ = true;
    lock.unlock();
    Run(item);
    lock.lock();
    busy_ = false;
    if (!items_.empty()) wake_.notify_one();
    return event;
  }
  items_.push_back(std::move(item));
  if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  lock.unlock();
  wake_.notify_one();
  return event;
}

void Queue::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return !busy_ && (stop_ || !items_.empty()); });
    if (items_.empty()) return;
    Item item = std::move(items_.front());
    items_.pop_front();
    busy_ = true;
    lock.unlock();
    Run(item);
    item = {};
    lock.lock();
    busy_ = false;
  }
}

void Queue::Run(Item& item) {
  constexpr uint64_t kSlice = 20'000'000;  // how soon a lost device, a cancelled or late wait is noticed
  auto ended = [&]() -> bool {
    if (hardware_->lost()) {
      item.event->Finish(BRAID_DEVICE_LOST, "the Vulkan device was lost");
    } else if (item.event->cancel_requested()) {
      item.event->Finish(BRAID_CANCELLED, "cancelled before it started");
    } else if (item.deadline_ns != 0 && host_.Now() > item.deadline_ns) {
      item.event->Finish(BRAID_TIMEOUT, "the deadline passed before the work started");
    } else {
      return false;
    }
    return true;
  };
  for (auto& wait : item.waits) {
    braid_status status = wait->Wait(0);
    while (status == BRAID_PENDING) {
      if (ended()) return;
      status = wait->Wait(kSlice);
    }
    if (status != BRAID_OK)
      return item.event->Finish(status, "work that this waited for failed: " + wait->text());
  }
  if (ended()) return;
  braid_status status = BRAID_OK;
  std::string text;
  uint64_t start = 0;
  try {
    if (item.record) {
      HardwareQueue::Job job = item.record();
      item.record = nullptr;
      job.event = item.event;
      hardware_->Submit(std::move(job));
      return;
    }
    hardware_->Drain();
    if (ended()) return;
    start = host_.Now();
    item.host();
    item.host = nullptr;
  } catch (const kit::Error& e) {
    status = e.status();
    text = e.what();
    if (status == BRAID_DEVICE_LOST) hardware_->MarkLost();
  } catch (const std::bad_alloc&) {
    status = BRAID_OUT_OF_MEMORY;
    text = "out of host memory";
  } catch (const std::exception& e) {
    status = BRAID_INTERNAL;
    text = e.what();
  }
  item.event->Finish(status, std::move(text), item.timed ? start : 0, item.timed ? host_.Now() : 0);
}

}  // namespace braid::vulkan
