// SPDX-License-Identifier: Apache-2.0
//
// What the checked layer hands out in place of the plugin's handles: boxes that remember what was promised. A
// box is found by its address in one table of the process, so that a wrong handle is told without being
// followed; the dead stay in it for a while.
#ifndef BRAID_CORE_PLUGINS_CHECKED_OBJECTS_H_
#define BRAID_CORE_PLUGINS_CHECKED_OBJECTS_H_

#include <braid/plugin.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/plugins/checked/rules.h"
#include "core/plugins/device.h"

namespace braid::checked {

class Layer;

enum class Kind { kDevice, kBuffer, kExec, kFence };
const char* NameOf(Kind kind);

struct Box {
  Box(Kind k, Layer* l) : kind(k), layer(l) {}
  virtual ~Box() = default;
  const Kind kind;
  Layer* const layer;
  std::atomic<bool> dead{false};
};

struct DeviceBox : Box {
  DeviceBox(Layer* l, braid_device* d, DeviceInfo i)
      : Box(Kind::kDevice, l), inner(d), info(std::move(i)), queues(info.queues) {}
  braid_device* const inner;
  const DeviceInfo info;
  std::vector<std::atomic<bool>> queues;  // whether a call is in each
  std::atomic<int64_t> children{0};       // buffers, executables and fences that live
  std::atomic<bool> told_slow{false};     // that a submit or transfer took long
};

struct BufferBox : Box {
  BufferBox(std::shared_ptr<DeviceBox> d, braid_buffer* b, uint64_t n, uint32_t f)
      : Box(Kind::kBuffer, d->layer), device(std::move(d)), inner(b), bytes(n), flags(f) {}
  const std::shared_ptr<DeviceBox> device;
  braid_buffer* const inner;
  const uint64_t bytes;  // UINT64_MAX: not known
  const uint32_t flags;
  std::atomic<bool> busy{false}, mapped{false};
};

// What the compiled graph says of an input or output.
struct Port {
  uint32_t value = 0;
  bool input = false;
  braid_type type = 0;
  int32_t rank = -1;
  std::vector<braid_dim> dims;
  uint64_t alignment = 1;
  uint32_t flags = 0, may_alias_input = BRAID_NONE;
};

struct ExecBox : Box {
  ExecBox(std::shared_ptr<DeviceBox> d, braid_exec* e)
      : Box(Kind::kExec, d->layer), device(std::move(d)), inner(e) {}
  const std::shared_ptr<DeviceBox> device;
  braid_exec* const inner;
  std::vector<Port> ports;
  std::atomic<int64_t> fences{0};
};

// Host memory that a run reads, with the hash that it had.
struct Watched {
  const void* data;
  uint64_t bytes;
  uint64_t hash;
  uint32_t value;
};

struct FenceBox : Box {
  FenceBox(std::shared_ptr<DeviceBox> d, braid_fence* f)
      : Box(Kind::kFence, d->layer), device(std::move(d)), inner(f) {}
  const std::shared_ptr<DeviceBox> device;
  braid_fence* const inner;
  std::shared_ptr<ExecBox> exec;                    // of a submit
  std::vector<std::shared_ptr<BufferBox>> buffers;  // that the work uses
  std::vector<Watched> watched;
  bool of_host = false;     // by fence_create
  bool any_status = false;  // ends as what it waited for, or as the host signals
  std::atomic<bool> signalled{false}, asked{false};
  std::atomic<std::thread::id> in_callback{};  // the thread that is in the host's function
  std::atomic<int> calls{0};
  std::atomic<braid_status> end{BRAID_PENDING};  // once seen
  std::atomic<bool> compared{false};
  void(BRAID_CALL* callback)(void*, braid_status) = nullptr;
  void* argument = nullptr;
};

class Layer : public PluginLayer {
 public:
  Layer(const braid_plugin* inner, HostTable* host);
  ~Layer() override = default;
  const braid_plugin* table() override { return &table_; }
  uint64_t violations() const override { return violations_.load(); }
  void Report(Rule rule, const std::string& text);
  const braid_plugin& inner() const { return *inner_; }
  HostTable* host() const { return host_; }
  const char* id() const { return id_.c_str(); }
  std::atomic<int64_t> devices{0};

 private:
  const braid_plugin* const inner_;
  HostTable* const host_;
  const std::string id_;
  braid_plugin table_;
  braid_device_fns device_;
  braid_exec_fns exec_;
  braid_fence_fns fence_;
  std::atomic<uint64_t> violations_{0};
};

// The table of the process.
class Boxes {
 public:
  static Boxes& Get();
  template <class H, class B>
  H* Add(std::shared_ptr<B> box) {
    H* handle = reinterpret_cast<H*>(box.get());
    Insert(handle, std::move(box));
    return handle;
  }
  // Null, with a report, where the handle is none of this kind or dead. `asking`: whose call it is, null if
  // not known.
  template <class B, class H>
  std::shared_ptr<B> Find(H* handle, Kind kind, const char* slot, Layer* asking = nullptr) {
    return std::static_pointer_cast<B>(Look(handle, kind, slot, asking));
  }
  // Marks it dead; false, with a report, if it was.
  bool Kill(const std::shared_ptr<Box>& box, const char* slot);
  std::vector<std::shared_ptr<FenceBox>> FencesOf(const DeviceBox* device);

 private:
  void Insert(const void* handle, std::shared_ptr<Box> box);
  std::shared_ptr<Box> Look(const void* handle, Kind kind, const char* slot, Layer* asking);
  std::mutex mutex_;
  std::unordered_map<const void*, std::shared_ptr<Box>> boxes_;
  std::deque<const void*> dead_;
};

}  // namespace braid::checked

#endif  // BRAID_CORE_PLUGINS_CHECKED_OBJECTS_H_
