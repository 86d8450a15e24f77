// SPDX-License-Identifier: Apache-2.0
//
// What the contract's cases are made with: a plugin loaded with a host of its own, its objects with owners,
// and graphs that the device takes.
//
//   void Case(Bench& b) {
//     const Workload w = b.Plain();
//     const Exec exec = b.Compile(*w.view);
//     Run run(b, w, exec);
//     run.Go();
//     run.ExpectRight();
//   }
//
// A case ends by returning (pass), by Failure or kit::Error (fail), or by NotThere (unsupported).
#ifndef BRAID_CONFORMANCE_CONTRACT_BENCH_H_
#define BRAID_CONFORMANCE_CONTRACT_BENCH_H_

#include <braid/kit/testing.h>
#include <fmt/format.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "conformance/contract/contract.h"
#include "conformance/contract/slots.h"
#include "conformance/contract/workload.h"

namespace braid::conformance {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The device has nothing that this case could try.
struct NotThere : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Args>
void Check(bool holds, fmt::format_string<Args...> text, Args&&... args) {
  if (!holds) throw Failure(fmt::format(text, std::forward<Args>(args)...));
}

const char* StatusText(braid_status status);

// Verdicts as a host prefills them.
std::vector<braid_verdict> NoVerdicts(uint32_t nodes);

class Bench;

// Owners of the plugin's objects. Each goes before its Bench is finished.
class Buffer {
 public:
  Buffer(Bench& b, braid_buffer* raw, uint64_t bytes) : b_(&b), raw_(raw), bytes_(bytes) {}
  Buffer(Buffer&& o) noexcept : b_(o.b_), raw_(std::exchange(o.raw_, nullptr)), bytes_(o.bytes_) {}
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(b_, o.b_), std::swap(raw_, o.raw_), std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~Buffer();
  braid_buffer* get() const { return raw_; }
  uint64_t bytes() const { return bytes_; }

 private:
  Bench* b_;
  braid_buffer* raw_;
  uint64_t bytes_;
};

class Exec {
 public:
  Exec(Bench& b, braid_exec* raw) : b_(&b), raw_(raw) {}
  Exec(Exec&& o) noexcept : b_(o.b_), raw_(std::exchange(o.raw_, nullptr)) {}
  Exec& operator=(Exec&& o) noexcept {
    std::swap(b_, o.b_), std::swap(raw_, o.raw_);
    return *this;
  }
  ~Exec();
  braid_exec* get() const { return raw_; }

 private:
  Bench* b_;
  braid_exec* raw_;
};

// A null fence is work that was done at once.
class Fence {
 public:
  Fence(Bench& b, braid_fence* raw) : b_(&b), raw_(raw) {}
  Fence(Fence&& o) noexcept : b_(o.b_), raw_(std::exchange(o.raw_, nullptr)) {}
  Fence& operator=(Fence&& o) noexcept {
    std::swap(b_, o.b_), std::swap(raw_, o.raw_);
    return *this;
  }
  ~Fence();
  braid_fence* get() const { return raw_; }
  // Of plugin.h's statuses for it; ten seconds stand for ever.
  braid_status Wait(uint64_t timeout_ns = 10'000'000'000);
  // Why it ended so.
  std::string Text();

 private:
  Bench* b_;
  braid_fence* raw_;
};

class Bench {
 public:
  explicit Bench(const PluginUnderTest& subject);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  kit::testing::Host host;
  const PluginUnderTest& subject() const { return subject_; }

  // The library's entry; loaded at the first use, never unloaded.
  decltype(&braid_plugin_query) entry();
  // The plugin and the device, made at the first use.
  const braid_plugin* plugin();
  braid_device* device();
  const braid_device_info& info();  // of the device
  bool Has(uint32_t flag) { return (info().flags & flag) != 0; }
  // Its tables; a crash tells in which of their slots it was.
  const braid_device_fns& dev() { return plugin(), slots_->device; }
  const braid_exec_fns& ex() { return plugin(), slots_->exec; }
  const braid_fence_fns& fn() { return plugin(), slots_->fence; }
  braid_device* OpenAnother();  // closed by the caller
  // Closes the device and shuts the plugin down; throws Failure where something of the host's is left over.
  void Finish();
  // From now on nothing is destroyed any more: work hangs that would have to end first.
  void Abandon() { abandoned_ = true; }
  bool abandoned() const { return abandoned_; }

  // Throws Failure with the plugin's text where the status is not OK, or no status of the ABI.
  void Ok(braid_status status, const std::string& what);
  // Throws Failure unless the status is one of these, and a text came with it.
  void Refused(braid_status status, std::initializer_list<braid_status> allowed, const std::string& what);

  // ---- Memory
  Buffer Alloc(uint64_t bytes, uint64_t alignment = 0, uint32_t flags = 0);
  // Starts a transfer; `host` null: a copy within the device.
  Fence Transfer(const braid_transfer& transfer);
  void Write(const Buffer& to, uint64_t offset, const void* from, uint64_t bytes);
  std::vector<uint8_t> Read(const Buffer& from, uint64_t offset, uint64_t bytes);

  // ---- Graphs
  std::vector<braid_verdict> Query(const braid_graph& graph);
  bool Takes(const braid_graph& graph);  // every node of it
  Exec Compile(const braid_graph& graph);
  // A small graph that the device takes: one of the suite's own, or an operator's plain case. NotThere
  // without any.
  Workload Plain();
  // The plain case of an operator, if the device takes it; by its name: of the newest of ai.onnx.
  std::optional<Workload> TakenCase(const OperatorVersion& op);
  std::optional<Workload> TakenCase(const std::string& op);
  // The kind of elementwise node that it takes, for graphs of any size and length. NotThere without one.
  const Kind& Elementwise();
  // A graph that it takes whose executable wants a workspace. NotThere without one.
  Workload WithWorkspace();
  // A fence of fence_create. NotThere if the device makes none.
  Fence HostFence();
  void Signal(const Fence& fence, braid_status status);

 private:
  const PluginUnderTest& subject_;
  decltype(&braid_plugin_query) entry_ = nullptr;
  const braid_plugin* plugin_ = nullptr;
  std::optional<NamedSlots> slots_;
  braid_device* device_ = nullptr;
  std::optional<braid_device_info> info_;
  std::optional<Kind> elementwise_;
  bool abandoned_ = false;
};

// Canary bytes lie around each tensor and the workspace in their buffers.
struct RunOptions {
  uint32_t queue = 0;
  bool timed = false;
  bool host = false;      // bind host memory, with unreadable pages around it
  bool at_start = false;  // of host memory: the tensor begins at a page's start, else it ends at a page's end
  uint8_t poison = 0xa5;  // what outputs and workspace hold before
  uint64_t skip = 0;      // multiples of the alignment that tensors lie behind the canaries
};

class HostMemory;  // guarded pages

// One run of a workload with all that it holds. Submits may be repeated.
class Run {
 public:
  Run(Bench& b, const Workload& workload, const Exec& exec, const RunOptions& options = {});
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // The submit as it will be made; cases change it.
  braid_submit submit;
  std::vector<braid_binding> bindings;  // inputs, then outputs

  braid_exec* exec() const { return exec_; }
  // Writes inputs, and poison to outputs and workspace.
  void Prepare();
  // Submits; throws where it is refused.
  Fence Start();
  // Submits and waits; the status of the submit or of the fence. `text`: why.
  braid_status Try(std::string* text = nullptr);
  // Prepares, submits, waits, requires OK, checks canaries and that inputs are unchanged, reads the outputs.
  void Go();
  // Reads the outputs, and checks canaries and inputs.
  void Collect(braid_fence* fence = nullptr);
  const std::vector<kit::testing::Array>& outputs() const { return outputs_; }
  // The outputs are those that the workload says, where it does, and whole.
  void ExpectRight();

 private:
  struct Place;
  Place NewPlace(uint64_t bytes, uint64_t alignment, bool output);
  void Poison(Place& place, uint8_t byte, const std::vector<uint8_t>* content);
  void CheckCanaries(Place& place, const std::string& what, const std::vector<uint8_t>* content);
  std::vector<uint8_t> Content(Place& place);
  std::vector<uint8_t> ReadStrings(const Buffer& buffer, const std::vector<int64_t>& dims);

  Bench& b_;
  const Workload& w_;
  braid_exec* exec_;
  RunOptions options_;
  std::vector<std::vector<int64_t>> dims_;
  std::vector<Place> places_;  // by binding
  std::vector<std::vector<uint8_t>> host_values_;
  std::unique_ptr<Place> workspace_;
  std::vector<kit::testing::Array> outputs_;
};

// The bytes of two outputs, or the position of the first that differs.
std::optional<size_t> FirstDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b);
void CheckSame(const std::vector<kit::testing::Array>& got, const std::vector<kit::testing::Array>& want,
               const std::string& what);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_BENCH_H_
