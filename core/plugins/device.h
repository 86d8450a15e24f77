// SPDX-License-Identifier: Apache-2.0
//
// The plugin ABI in C++: a loaded Plugin, its Devices, and unique handles to what a device makes. Registry
// (registry.h) finds plugins and lists their devices:
//
//   std::shared_ptr<Device> device = ...;
//
//   // Cold calls: absl::Status with the plugin's text.
//   auto verdicts = device->Query(view, options);
//   auto exec = device->Compile(view, options);
//
//   // Hot calls: no allocation, the raw status.
//   Fence fence;
//   braid_status s = exec->Submit(submit, &fence);
//   // The text, after the fact, on the same thread.
//   if (s != BRAID_OK) return device->Error(s, "submit");
//   // The text of work that failed later.
//   if (fence.Wait(kForever) != BRAID_OK) return fence.Result();
//
// Threads: as the tag of the slot behind each method (plugin.h). What this layer adds is safe from any
// thread. A handle keeps its Device, and the Device its Plugin: nothing is closed while something made from
// it lives.
#ifndef BRAID_CORE_PLUGINS_DEVICE_H_
#define BRAID_CORE_PLUGINS_DEVICE_H_

#include <braid/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/float_control.h"
#include "core/plugins/status.h"

namespace braid {

class Device;
class Exec;
class Fence;
class GraphView;
class HostTable;
class PluginLayer;

inline constexpr uint64_t kForever = UINT64_MAX;

using Options = std::vector<std::pair<std::string, std::string>>;  // a vendor's own keys and values

struct CompileOptions {
  int32_t precision = BRAID_PRECISION_EXACT;
  int32_t threads = 0;        // 0: the host's choice
  uint64_t memory_limit = 0;  // bytes; 0: none
  uint64_t deadline_ns = 0;   // on the clock of HostNow(); 0: none
  Options vendor;
};

// braid_device_info with its strings kept.
struct DeviceInfo {
  std::string name, vendor, driver;
  int32_t kind = BRAID_DEVICE_OTHER;
  std::array<uint8_t, 16> uuid{};
  uint64_t memory_total = 0, memory_free = 0, alignment = 1, max_buffer = UINT64_MAX;
  uint32_t flags = 0, arithmetic = 0, imports = 0, exports = 0;
  uint32_t queues = 1, transfer_queue = BRAID_NONE;
  uint64_t import_alignment = 1;
  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
  bool has_uuid() const { return uuid != std::array<uint8_t, 16>{}; }
};

// The name of the device whose own failure a status tells: DEVICE_LOST, INTERNAL, OUT_OF_MEMORY or
// UNSUPPORTED from one of its calls or fences. "" for all else: what was asked was wrong, or the host ended
// it.
std::string FailedDevice(const absl::Status& status);

// Runs a call into a plugin. An exception that leaves it, against the rules, becomes INTERNAL with a text,
// and floating-point control that it leaves changed is put back; costs next to nothing where neither happens.
braid_status ThrewAtBoundary() noexcept;
template <class Call>
auto AtBoundary(const Call& call) -> decltype(call()) {
  const FloatControl control;
  try {
    return call();
  } catch (...) {
    if constexpr (std::is_void_v<decltype(call())>) {
      ThrewAtBoundary();
    } else {
      return ThrewAtBoundary();
    }
  }
}

// A table around another plugin's table: the checked layer, the proxy of a child process.
class PluginLayer {
 public:
  virtual ~PluginLayer() = default;
  virtual const braid_plugin* table() = 0;
  virtual uint64_t violations() const { return 0; }
  virtual std::string state() const { return ""; }  // for people; "" where there is nothing to tell
};

// A plugin that answered braid_plugin_query. Its library stays loaded until the process ends; shutdown is
// called when the last shared_ptr goes (after every device is closed).
class Plugin : public std::enable_shared_from_this<Plugin> {
 public:
  using Entry = braid_status(BRAID_CALL*)(uint32_t, const braid_host*, const braid_plugin**);

  struct LoadOptions {
    std::string expected_id;  // of the manifest; "" takes any
    bool check = false;       // the checked layer around every table (core/plugins/checked)
    bool isolate = false;     // in a child process (core/plugins/isolate); only for Load
    std::string cache_dir;    // "" for the default of host.h
  };
  // Opens the library and negotiates. The error names the file and what is wrong with it.
  static absl::StatusOr<std::shared_ptr<Plugin>> Load(const std::string& library, const LoadOptions& options);
  // Of an entry function that is linked in or was found by other means.
  static absl::StatusOr<std::shared_ptr<Plugin>> FromEntry(Entry entry, const LoadOptions& options);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  const std::string& id() const { return id_; }
  const std::string& vendor() const { return vendor_; }
  const std::string& version() const { return version_; }
  int32_t newest_opset() const { return newest_opset_; }
  // "vendor 1.2", "id 0.1.0 (vendor)": for people.
  std::string description() const;
  bool isolated() const { return isolated_; }
  // How its process is: "in quarantine for 29 s more, since ..."; "" where it has none.
  std::string isolation() const { return isolated_ ? layer_->state() : ""; }
  const std::string& library() const { return origin_; }
  // Our copy: slots that an older plugin does not have are null. Not what the plugin's own functions take.
  const braid_plugin& table() const { return plugin_fns_; }
  const void* Extension(const char* id) const;

  // Asks the plugin afresh. An index means the same device until the process ends. Text of an earlier failure
  // is in the status.
  absl::StatusOr<std::vector<DeviceInfo>> Enumerate() const;
  // A device object of its own, not opened yet. One of a lost device makes it usable again once the old is
  // gone.
  // `vendor` goes to open and to each compilation. cache_folder: where the plugin's cache is while it works
  // for this device, see CacheScope.
  absl::StatusOr<std::shared_ptr<Device>> MakeDevice(uint32_t index, Options vendor = {},
                                                     std::optional<std::string> cache_folder = {});
  // Breaches of the ABI's rules that the checked layer saw so far, by host or plugin; 0 if not checked.
  uint64_t violations() const;
  // What a call into the plugin that ended with `status` was about, with the text that it left on this
  // thread.
  absl::Status Error(braid_status status, std::string_view doing) const;
  // See Device::LeaveOpen.
  void LeaveOpen() { left_open_.store(true, std::memory_order_relaxed); }

 private:
  Plugin() = default;
  static absl::StatusOr<std::shared_ptr<Plugin>> Negotiate(Entry entry, const LoadOptions& options,
                                                           const std::string& origin);
  absl::Status Adopt(const braid_plugin* table, const LoadOptions& options);
  friend class Device;
  std::unique_ptr<HostTable> host_;
  std::shared_ptr<PluginLayer> layer_;      // around the plugin's own table, or null
  std::shared_ptr<PluginLayer> outer_;      // around that: the checked layer of an isolated plugin
  const braid_plugin* original_ = nullptr;  // what the functions of the outermost table take
  braid_plugin plugin_fns_{};
  braid_device_fns device_fns_{};
  braid_exec_fns exec_fns_{};
  braid_fence_fns fence_fns_{};
  std::string id_, vendor_, version_, origin_;
  int32_t newest_opset_ = 0;
  bool isolated_ = false;
  std::atomic<bool> left_open_{false};
};

// Memory of a device.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<Device> device, braid_buffer* handle, uint64_t bytes)
      : device_(std::move(device)), handle_(handle), bytes_(bytes) {}
  ~Buffer() { Reset(); }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  void Reset();
  explicit operator bool() const { return handle_ != nullptr; }
  braid_buffer* get() const { return handle_; }
  uint64_t bytes() const { return bytes_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  // Host access to [offset, offset + bytes); one mapping a buffer, which ends with the buffer at the latest.
  // [object]
  absl::StatusOr<void*> Map(uint64_t offset, uint64_t bytes) const;
  void Unmap() const;
  // One of BRAID_HANDLE_*; the caller closes an fd.
  absl::StatusOr<braid_handle> Export(uint32_t kind) const;

 private:
  std::shared_ptr<Device> device_;
  braid_buffer* handle_ = nullptr;
  uint64_t bytes_ = 0;
  mutable bool mapped_ = false;
};

// Completion of a submit or transfer, or a signal of the host's own. Empty: done already.
class Fence {
 public:
  Fence() = default;
  Fence(std::shared_ptr<Device> device, braid_fence* handle) : device_(std::move(device)), handle_(handle) {}
  // Waits for the work if it has not ended: a fence may be destroyed only then. If on_ready was called, the
  // callback must have returned.
  ~Fence() { Reset(); }
  Fence(Fence&& other) noexcept { *this = std::move(other); }
  Fence& operator=(Fence&& other) noexcept;
  void Reset();
  explicit operator bool() const { return handle_ != nullptr; }
  braid_fence* get() const { return handle_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  // OK when done, PENDING after timeout_ns without an end (0 polls), else why the work failed. Hot.
  braid_status Wait(uint64_t timeout_ns) const;
  // Once, from any thread, or from here if already done. The callback must not block, nor destroy the fence.
  // Hot.
  void OnReady(void(BRAID_CALL* callback)(void*, braid_status), void* argument) const;
  // PENDING (as Aborted) if not done.
  absl::StatusOr<braid_completion> Completion() const;
  // The end of the work as a status with the plugin's text; waits for it.
  absl::Status Result() const;
  void Cancel() const;
  // Only for fences of Device::FenceCreate. From callbacks too.
  void Signal(braid_status status) const;

 private:
  std::shared_ptr<Device> device_;
  braid_fence* handle_ = nullptr;
};

// A compiled segment. Must outlive its runs and their fences.
class Exec {
 public:
  Exec() = default;
  Exec(std::shared_ptr<Device> device, braid_exec* handle) : device_(std::move(device)), handle_(handle) {}
  ~Exec() { Reset(); }
  Exec(Exec&& other) noexcept { *this = std::move(other); }
  Exec& operator=(Exec&& other) noexcept;
  void Reset();
  explicit operator bool() const { return handle_ != nullptr; }
  braid_exec* get() const { return handle_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  // Alignment is a power of two here, at least 1. Values are indices of the compiled view.
  absl::StatusOr<braid_io_requirements> IoRequirements(uint32_t value) const;
  // Hot, raw status. dims has room for BRAID_MAX_RANK. UNSUPPORTED where the shape depends on data. A rank or
  // extent that no tensor has is answered with INTERNAL and a text.
  braid_status OutputDims(const braid_binding* inputs, uint32_t count, uint32_t output, int32_t* rank,
                          int64_t* dims) const;
  braid_status WorkspaceSize(const braid_binding* inputs, uint32_t count, uint64_t* bytes) const;
  // Fills *fence, or leaves it empty when the work is done already. *fence must be empty before.
  braid_status Submit(const braid_submit& submit, Fence* fence) const;
  // After the fence: shape, and the buffer if it was bound without one (else *buffer stays empty). bytes of
  // *buffer are those that the dims and `type` need, 0 for strings.
  absl::Status TakeOutput(const Fence& fence, uint32_t value, Buffer* buffer, int32_t* rank,
                          int64_t* dims) const;
  // Unimplemented where the plugin saves none.
  absl::Status SaveBlob(const std::function<absl::Status(std::string_view)>& write) const;

 private:
  static braid_status CheckDims(uint32_t value, int32_t rank, const int64_t* dims);
  std::shared_ptr<Device> device_;
  braid_exec* handle_ = nullptr;
};

// One device of one plugin. Opened at the first call that needs it; that may be from any thread.
class Device : public std::enable_shared_from_this<Device> {
 public:
  Device(std::shared_ptr<Plugin> plugin, uint32_t index, DeviceInfo info, Options vendor,
         std::optional<std::string> cache_folder = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& name() const { return name_; }  // "PLUGIN:INDEX"
  uint32_t index() const { return index_; }
  const DeviceInfo& info() const { return info_; }
  const std::shared_ptr<Plugin>& plugin() const { return plugin_; }
  const braid_plugin& table() const { return *table_; }
  bool has_vendor_options() const { return !vendor_.empty(); }

  // Opens it if it is not. A failure stays: ask the plugin for another Device to try again.
  absl::Status Open();
  bool is_open() const { return handle_.load(std::memory_order_acquire) != nullptr; }
  braid_device* get() const { return handle_.load(std::memory_order_acquire); }  // null: not open
  // At the end of the process, for one that is in use to the last: it is not closed, nor its plugin shut
  // down.
  void LeaveOpen() { left_open_.store(true, std::memory_order_relaxed); }
  // Whether a call or fence has answered DEVICE_LOST. It stays so.
  bool lost() const { return lost_.load(std::memory_order_relaxed); }

  // A verdict a node of the view; text is terminated, codes that this version does not know count as NO_OP.
  absl::StatusOr<std::vector<braid_verdict>> Query(const GraphView& view, const CompileOptions& options);
  // Costs of node sets: set k is nodes[ends[k-1]..ends[k]). Unimplemented where the plugin has no estimate.
  absl::StatusOr<std::vector<braid_cost>> Estimate(const GraphView& view, const CompileOptions& options,
                                                   absl::Span<const uint32_t> nodes,
                                                   absl::Span<const uint32_t> ends);
  // How data comes here from the peer. Unimplemented where the plugin does not know.
  absl::StatusOr<braid_link> Link(const Device& peer);
  absl::StatusOr<Exec> Compile(const GraphView& view, const CompileOptions& options);
  // OK, FailedPrecondition for a stale one, InvalidArgument for a broken one, Unimplemented for none kept.
  absl::Status CheckBlob(const GraphView& view, const CompileOptions& options, std::string_view blob);
  absl::StatusOr<Exec> LoadBlob(const GraphView& view, const CompileOptions& options, std::string_view blob);

  // flags: BRAID_BUFFER_*. alignment 0: the device's own. More than max_buffer is ResourceExhausted, and not
  // asked for.
  absl::StatusOr<Buffer> BufferAlloc(uint64_t bytes, uint32_t flags, uint64_t alignment = 0,
                                     uint32_t exports = 0);
  absl::StatusOr<Buffer> BufferImport(const braid_handle& handle);
  // Hot, raw status; *fence as in Exec::Submit.
  braid_status Transfer(const braid_transfer& transfer, Fence* fence);
  // Unimplemented where the plugin has none.
  absl::StatusOr<Fence> FenceCreate();
  // OK or Unavailable.
  absl::StatusOr<braid_health> Health();

  // The absl::Status of a raw status that a call on this device just returned on this thread, with the
  // plugin's text: "acme:0: submit: out of memory (...)".
  absl::Status Error(braid_status status, std::string_view doing) const;
  // Remembers a loss; returns its argument.
  braid_status Note(braid_status status) const {
    if (status == BRAID_DEVICE_LOST) [[unlikely]]
      lost_.store(true, std::memory_order_relaxed);
    return status;
  }

 private:
  std::shared_ptr<Plugin> plugin_;
  const braid_plugin* table_;
  const uint32_t index_;
  const std::string name_;
  const DeviceInfo info_;
  const Options vendor_;
  const std::optional<std::string> cache_folder_;
  std::mutex open_mutex_;
  absl::Status open_status_;
  std::atomic<braid_device*> handle_{nullptr};
  mutable std::atomic<bool> lost_{false};
  std::atomic<bool> left_open_{false};
};

// ---- Hot calls ----

inline braid_status Fence::Wait(uint64_t timeout_ns) const {
  if (handle_ == nullptr) return BRAID_OK;
  return device_->Note(AtBoundary([&] { return device_->table().fence->wait(handle_, timeout_ns); }));
}

inline void Fence::OnReady(void(BRAID_CALL* callback)(void*, braid_status), void* argument) const {
  if (handle_ == nullptr) return callback(argument, BRAID_OK);
  AtBoundary([&] { device_->table().fence->on_ready(handle_, callback, argument); });
}

inline void Fence::Signal(braid_status status) const {
  AtBoundary([&] { device_->table().fence->signal(handle_, status); });
}

inline braid_status Exec::WorkspaceSize(const braid_binding* inputs, uint32_t count, uint64_t* bytes) const {
  ErrorSink::Clear();
  return device_->Note(AtBoundary([&] {
    return device_->table().exec->workspace_size(handle_, inputs, count, sizeof(braid_binding), bytes);
  }));
}

inline braid_status Exec::Submit(const braid_submit& submit, Fence* fence) const {
  ErrorSink::Clear();
  braid_fence* raw = nullptr;
  const braid_status status =
      device_->Note(AtBoundary([&] { return device_->table().exec->submit(handle_, &submit, &raw); }));
  if (status == BRAID_OK && raw != nullptr) *fence = Fence(device_, raw);
  return status;
}

inline braid_status Device::Transfer(const braid_transfer& transfer, Fence* fence) {
  ErrorSink::Clear();
  braid_fence* raw = nullptr;
  const braid_status status =
      Note(AtBoundary([&] { return table_->device->transfer(get(), &transfer, &raw); }));
  if (status == BRAID_OK && raw != nullptr) *fence = Fence(shared_from_this(), raw);
  return status;
}

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_DEVICE_H_
