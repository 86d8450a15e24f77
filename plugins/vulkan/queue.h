// SPDX-License-Identifier: Apache-2.0
//
// Queues. A HardwareQueue is one VkQueue with a timeline semaphore and a thread that completes fences as the
// timeline moves. A Queue is what the host sees: it keeps order, and waits for fences before it hands work to
// its HardwareQueue. Work with nothing to wait for goes to the driver on the host's own thread; a second
// thread starts with the first that has.
#ifndef BRAID_PLUGINS_VULKAN_QUEUE_H_
#define BRAID_PLUGINS_VULKAN_QUEUE_H_

#include <braid/kit/queue.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "plugins/vulkan/api.h"

namespace braid::vulkan {

using EventPtr = std::shared_ptr<kit::Event>;

class HardwareQueue {
 public:
  // `done` of a job runs on the completing thread before its fence is ready.
  struct Job {
    VkCommandBuffer commands = VK_NULL_HANDLE;
    EventPtr event;
    std::function<void(uint64_t* start_ns, uint64_t* end_ns)> done;
    uint64_t submitted_ns = 0;
  };
  HardwareQueue(kit::Host host, const Api& api, VkDevice device, VkQueue queue, uint64_t lose_after);
  ~HardwareQueue();
  // Hands the job to the driver; its event ends with DEVICE_LOST if that fails. [any]
  void Submit(Job job);
  // Waits until all that was submitted has run.
  void Drain();
  bool Idle();
  bool lost() const { return lost_.load(); }
  void MarkLost() { lost_.store(true); }

 private:
  void Loop();
  kit::Host host_;
  const Api& api_;
  VkDevice device_;
  VkQueue queue_;
  uint64_t lose_after_;  // submits until the device counts as lost, for tests; 0: never
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::pair<uint64_t, Job>> pending_;
  uint64_t submitted_ = 0;
  bool stop_ = false;
  std::atomic<bool> lost_{false};
  std::thread thread_;
};

class Queue {
 public:
  Queue(kit::Host host, HardwareQueue* hardware) : host_(host), hardware_(hardware) {}
  ~Queue();

  // Queues commands that `record` gives when their turn comes (or nothing: then only order matters).
  EventPtr PushCommands(std::vector<EventPtr> waits, uint64_t deadline_ns,
                        std::function<HardwareQueue::Job()> record);
  // Queues work of the host that sees the results of all before it, and whose results all after it see.
  EventPtr PushHost(std::vector<EventPtr> waits, uint64_t deadline_ns, bool timed,
                    std::function<void()> work);

 private:
  struct Item {
    std::vector<EventPtr> waits;
    uint64_t deadline_ns = 0;
    bool timed = false;
    std::function<HardwareQueue::Job()> record;
    std::function<void()> host;
    EventPtr event;
  };
  EventPtr Push(Item item);
  void Run(Item& item);
  void Loop();
  kit::Host host_;
  HardwareQueue* hardware_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> items_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_QUEUE_H_
