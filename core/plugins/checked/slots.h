// SPDX-License-Identifier: Apache-2.0
//
// What the slots of the checked layer share, and the tables that they make.
#ifndef BRAID_CORE_PLUGINS_CHECKED_SLOTS_H_
#define BRAID_CORE_PLUGINS_CHECKED_SLOTS_H_

#include <braid/plugin.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/graph/graph.h"
#include "core/plugins/checked/crash.h"
#include "core/plugins/checked/objects.h"
#include "core/plugins/host.h"

namespace braid::checked {

inline constexpr uint64_t kMaxWatched = 64 << 20;  // bytes hashed a call, so that large models stay usable

uint64_t HashBytes(const void* data, uint64_t bytes);

template <class T>
const T& At(const void* array, uint32_t stride, uint32_t i) {
  return *BRAID_AT(T, array, stride, i);
}

// Holds a flag that says "a call is in"; reports a second one.
class Exclusive {
 public:
  Exclusive(std::atomic<bool>& flag, Layer* layer, Rule rule, const std::string& text) : flag_(flag) {
    entered_ = !flag.exchange(true);
    if (!entered_) layer->Report(rule, text);
  }
  ~Exclusive() {
    if (entered_) flag_.store(false);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::atomic<bool>& flag_;
  bool entered_;
};

// An object that a slot was called for; the thread counts as in that slot as long as it lives.
template <class B>
class Entered : public std::shared_ptr<B> {
 public:
  Entered(std::shared_ptr<B> box, const char* slot)
      : std::shared_ptr<B>(std::move(box)), mark_(*this == nullptr ? "" : this->get()->layer->id(), slot) {}

 private:
  const SlotMark mark_;
};

// What a slot answered: reported unless it is OK, OUT_OF_MEMORY, DEVICE_LOST, INTERNAL or one of `others`.
braid_status Status(Layer* layer, const char* slot, braid_status status,
                    std::initializer_list<braid_status> others);
// The same of submit and transfer, which answer for the work where it is done within the call.
void RunStatus(DeviceBox* device, const char* slot, braid_status status, bool waited);
// Of a run or transfer that has ended. `any`: it waited for others, and may have ended as they did.
bool IsRunStatus(braid_status status, bool any);

// Tells once a device of a submit or transfer that took long, though the device is not SYNCHRONOUS.
class Stopwatch {
 public:
  Stopwatch(DeviceBox* device, const char* slot);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  DeviceBox* const device_;
  const char* const slot_;
  const uint64_t start_;
};

template <class T>
void Gives(Layer* layer, const char* slot, braid_status status, T* given) {
  if ((status == BRAID_OK) != (given != nullptr))
    layer->Report(Rule::kOkWithoutObject,
                  absl::StrCat(slot, " answered ", StatusName(status),
                               given == nullptr ? " and gave nothing" : " and gave something"));
}

// INVALID_ARGUMENT, with the text for the caller.
braid_status Refuse(const char* text);

Entered<DeviceBox> DeviceOf(braid_device* d, const char* slot);

// Whether the fence has ended.
bool Done(FenceBox& fence, const char* slot);
// Reports inputs whose bytes changed while the run used them.
void CompareWatched(FenceBox& fence);
braid_fence* GiveFence(std::shared_ptr<FenceBox> box);
// The plugin's own fences behind waits; false: one is none.
bool Waits(Layer* layer, const char* slot, braid_fence* const* waits, uint32_t count,
           std::vector<braid_fence*>* out);
// The box of an executable, with what the graph says of its inputs and outputs.
braid_exec* GiveExec(const std::shared_ptr<DeviceBox>& device, const braid_graph* graph, braid_exec* inner);

// The tables to hand out; a slot that the plugin lacks stays empty.
braid_device_fns DeviceSlots(const braid_device_fns& inner);
braid_exec_fns ExecSlots(const braid_exec_fns& inner);
braid_fence_fns FenceSlots(const braid_fence_fns& inner);

}  // namespace braid::checked

#endif  // BRAID_CORE_PLUGINS_CHECKED_SLOTS_H_
