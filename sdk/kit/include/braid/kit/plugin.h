// SPDX-License-Identifier: Apache-2.0
//
// A plugin in C++: derive from Plugin, Device, Executable and Fence, and let BRAID_KIT_PLUGIN(MyPlugin)
// export the C tables. Errors inside are thrown as kit::Error; the adapter catches everything at the ABI,
// hands the text to the host's error sink and returns the status, so no exception leaves the library.
//
//   class MyPlugin : public braid::kit::Plugin { ... };
//   BRAID_KIT_PLUGIN(MyPlugin)
//
// Threads and ownership are those of plugin.h: each method carries the tag of the slot that it serves.
#ifndef BRAID_KIT_PLUGIN_H_
#define BRAID_KIT_PLUGIN_H_

#include <braid/kit/struct.h>
#include <braid/plugin.h>

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace braid::kit {

class Error : public std::exception {
 public:
  Error(braid_status status, std::string text) : status_(status), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  braid_status status() const { return status_; }

 private:
  braid_status status_;
  std::string text_;
};

inline braid_str Str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view View(braid_str s) { return {s.ptr, s.len}; }

// The host's services. Cheap to copy; valid until the plugin's shutdown.
class Host {
 public:
  explicit Host(const braid_host* host = nullptr) : host_(host) {}
  const braid_host* raw() const { return host_; }
  void Log(int32_t level, std::string_view text) const { host_->log(host_, level, Str(text)); }
  uint64_t Now() const { return host_->now(host_); }
  uint32_t concurrency() const { return host_->concurrency(host_); }
  // Runs body(i, worker) for i in [0, n) on the process's pool; the first Error that a task throws is thrown
  // on.
  template <class Body>
  void ParallelFor(uint64_t n, const Body& body) const;

  // Bytes of a constant of the graph, kept until the returned object goes.
  class Bytes {
   public:
    Bytes() = default;
    explicit Bytes(braid_bytes bytes) : bytes_(bytes) {}
    Bytes(const braid_host* host, braid_bytes bytes, void* token)
        : bytes_(bytes), token_(token, Release{host}) {}
    const void* data() const { return bytes_.ptr; }
    uint64_t size() const { return bytes_.len; }

   private:
    struct Release {
      const braid_host* host;
      void operator()(void* token) const { host->constant_release(host, token); }
    };
    braid_bytes bytes_{};
    std::shared_ptr<void> token_;
  };
  Bytes Constant(const braid_graph* graph, uint32_t value) const {
    braid_bytes bytes{};
    void* token = nullptr;
    if (braid_status s = host_->constant(host_, graph, value, &bytes, &token); s != BRAID_OK)
      throw Error(s, "the host could not give the bytes of constant value " + std::to_string(value));
    return token == nullptr ? Bytes(bytes) : Bytes(host_, bytes, token);
  }

 private:
  const braid_host* host_;
};

// Completion of work. The host destroys it when the work is done and called back.
class Fence {
 public:
  virtual ~Fence() = default;
  virtual braid_status Wait(uint64_t timeout_ns) = 0;                               // [any]
  virtual void OnReady(void (*callback)(void*, braid_status), void* argument) = 0;  // [any]
  virtual braid_status Completion(braid_completion* out) = 0;                       // [any]
  virtual void Cancel() {}                                                          // [any]
  virtual void Signal(braid_status) {}                                              // [any]
};

class Executable {
 public:
  virtual ~Executable() = default;
  virtual void IoRequirements(uint32_t value,
                              braid_io_requirements* out) = 0;  // [any] prefilled: alignment 1, no flags
  // Output's dims for these inputs; BRAID_UNSUPPORTED where they depend on data. [any]
  virtual braid_status OutputDims(StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                                  int64_t* dims) = 0;
  virtual uint64_t WorkspaceSize(StructArray<braid_binding>) { return 0; }  // [any]
  // The fence goes to the host; null: done already. [queue]
  virtual Fence* Submit(const braid_submit& submit) = 0;
  virtual void TakeOutput(Fence*, uint32_t value, braid_buffer**, int32_t*, int64_t*) {  // [any]
    throw Error(BRAID_INVALID_ARGUMENT, "value " + std::to_string(value) + " has no output to take");
  }
  // False: this executable has no blob. [any]
  virtual bool SaveBlob(const std::function<braid_status(braid_bytes)>&) { return false; }
};

class Device {
 public:
  virtual ~Device() = default;
  // Verdicts come as NO_OP, one a node. [any]
  virtual void Query(const braid_graph* graph, const braid_compile_options& options,
                     std::vector<braid_verdict>& verdicts) = 0;
  // Costs of node sets: set k is nodes[ends[k-1]..ends[k]). False: not known. [any]
  virtual bool Estimate(const braid_graph*, const braid_compile_options&, const uint32_t* /*nodes*/,
                        const uint32_t* /*ends*/, std::vector<braid_cost>& /*costs*/) {
    return false;
  }
  virtual void Link(const braid_device_info&, braid_link*) {
    throw Error(BRAID_UNSUPPORTED, "no link is known");
  }  // [any]
  virtual std::unique_ptr<Executable> Compile(const braid_graph* graph,
                                              const braid_compile_options& options) = 0;  // [any]
  virtual braid_status CheckBlob(const braid_graph*, const braid_compile_options&, braid_bytes) {
    return BRAID_UNSUPPORTED;
  }
  virtual std::unique_ptr<Executable> LoadBlob(const braid_graph*, const braid_compile_options&,
                                               braid_bytes) {
    throw Error(BRAID_UNSUPPORTED, "this device keeps no blobs");
  }
  virtual braid_buffer* BufferAlloc(const braid_buffer_desc& desc) = 0;  // [any]
  virtual braid_buffer* BufferImport(const braid_handle&) {
    throw Error(BRAID_UNSUPPORTED, "this device imports no memory");
  }
  virtual void BufferExport(braid_buffer*, uint32_t, braid_handle*) {
    throw Error(BRAID_UNSUPPORTED, "this device exports no memory");
  }
  virtual void BufferFree(braid_buffer* buffer) = 0;  // [any]
  virtual void* Map(braid_buffer*, uint64_t, uint64_t) {
    throw Error(BRAID_UNSUPPORTED, "this device's memory cannot be mapped");
  }
  virtual void Unmap(braid_buffer*) {}                          // [object]
  virtual Fence* Transfer(const braid_transfer& transfer) = 0;  // [queue]
  virtual Fence* FenceCreate() {
    throw Error(BRAID_UNSUPPORTED, "this device makes no fences for the host");
  }                                                                // [any]
  virtual braid_status Health(braid_health*) { return BRAID_OK; }  // [any]
};

class Plugin {
 public:
  explicit Plugin(Host host) : host_(host) {}
  virtual ~Plugin() = default;
  virtual std::string_view id() const = 0;
  virtual std::string_view vendor() const = 0;
  virtual std::string_view version() const = 0;
  virtual int32_t newest_opset() const = 0;
  // Strings in the infos live until shutdown. [any]
  virtual std::vector<braid_device_info> Enumerate() = 0;
  virtual std::unique_ptr<Device> Open(uint32_t index, const braid_open_options& options) = 0;  // [any]
  virtual const void* Extension(const char*) { return nullptr; }                                // [any]
  const Host& host() const { return host_; }

 private:
  Host host_;
};

// The C table of a plugin object, which the adapter owns from then on and deletes in shutdown.
const braid_plugin* Export(std::unique_ptr<Plugin> plugin);

// The body of braid_plugin_query: checks versions, makes the plugin, never throws. `plugin_abi`: BRAID_ABI of
// the plugin's own translation unit, which must be that of the kit's library: objects of C++ pass between
// them.
braid_status Query(uint32_t plugin_abi, uint32_t host_abi, const braid_host* host, const braid_plugin** out,
                   std::unique_ptr<Plugin> (*make)(Host));

#define BRAID_KIT_PLUGIN(CLASS)                                                                    \
  extern "C" BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(                              \
      uint32_t host_abi, const braid_host* host, const braid_plugin** plugin) {                    \
    return ::braid::kit::Query(BRAID_ABI, host_abi, host, plugin,                                  \
                               [](::braid::kit::Host h) -> std::unique_ptr<::braid::kit::Plugin> { \
                                 return std::make_unique<CLASS>(h);                                \
                               });                                                                 \
  }

// Objects as the C tables see them: the adapter's own small boxes, so that every call finds its host. A fence
// crosses as kit::Fence*.
struct DeviceBox {
  Host host;
  std::unique_ptr<Device> device;
};
struct ExecBox {
  Host host;
  std::unique_ptr<Executable> exec;
};

// The Device behind a handle: for transfers between two devices of one plugin.
inline Device* Unwrap(braid_device* device) { return reinterpret_cast<DeviceBox*>(device)->device.get(); }

template <class Body>
void Host::ParallelFor(uint64_t n, const Body& body) const {
  struct Call {
    const Body* body;
    std::exception_ptr first;
    char claimed = 0;
  } call{&body, nullptr};
  host_->parallel_for(
      host_, n,
      [](void* argument, uint64_t i, uint32_t worker) {
        Call* c = static_cast<Call*>(argument);
        try {
          (*c->body)(i, worker);
        } catch (...) {
          if (!__atomic_test_and_set(&c->claimed, __ATOMIC_ACQ_REL)) c->first = std::current_exception();
        }
      },
      &call);
  if (call.first) std::rethrow_exception(call.first);
}

}  // namespace braid::kit

#endif  // BRAID_KIT_PLUGIN_H_
