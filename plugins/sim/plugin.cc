// SPDX-License-Identifier: Apache-2.0
//
// The plugin `sim`: simulated accelerators. Each has memory that only transfers reach, and asynchronous
// queues, one thread each; it computes with the reference operators. So placement, transfers and fences can
// be tested on any machine.
#include <braid/kit/graph_view.h>
#include <braid/kit/plugin.h>
#include <braid/kit/queue.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <thread>

#include "plugins/reference/runner.h"
#include "plugins/sim/config.h"

namespace braid::sim {
namespace {

using kit::Error;
using reference::Program;
using reference::Tensor;

constexpr uint64_t kAlignment = 256;
constexpr uint64_t kCanary = 0x5afe5afe5afe5afe;
constexpr int kPoison = 0xcd;

class SimDevice;

// Device memory with a canary behind it, which tells a write past the end.
struct SimBuffer {
  SimDevice* device;
  uint64_t bytes;
  std::unique_ptr<uint8_t, decltype(&std::free)> data{nullptr, &std::free};
  bool intact() const { return std::memcmp(data.get() + bytes, &kCanary, sizeof kCanary) == 0; }
};
SimBuffer* Of(braid_buffer* buffer) { return reinterpret_cast<SimBuffer*>(buffer); }

// What a fence and its task have in common: the wish to cancel, and outputs that wait to be taken because
// their sizes were not known.
struct Results {
  std::atomic<bool> cancelled{false};
  std::map<uint32_t, Tensor> tensors;
};

class SimFence : public kit::EventFence {
 public:
  SimFence(std::shared_ptr<kit::Event> event, std::shared_ptr<Results> results)
      : EventFence(std::move(event)), results_(std::move(results)) {}
  Results* results() { return results_.get(); }
  void Cancel() override {
    if (results_ != nullptr) results_->cancelled = true;
    EventFence::Cancel();
  }

 private:
  std::shared_ptr<Results> results_;
};

class SimDevice : public kit::Device {
 public:
  SimDevice(kit::Host host, DeviceConfig config) : host_(host), config_(std::move(config)) {
    for (uint32_t i = 0; i < config_.queues; ++i) queues_.push_back(std::make_unique<kit::Queue>(host));
  }

  void Query(const braid_graph* view, const braid_compile_options&,
             std::vector<braid_verdict>& verdicts) override;
  bool Estimate(const braid_graph* view, const braid_compile_options&, const uint32_t* nodes,
                const uint32_t* ends, std::vector<braid_cost>& costs) override {
    reference::EstimateByRoofline(view, speed(), nodes, ends, costs);
    return true;
  }
  reference::Speed speed() const {
    reference::Speed speed;
    speed.multiply_adds_per_ns = config_.multiply_adds_per_ns;
    speed.segment_ns = config_.submit_us * 1e3;
    speed.node_ns = config_.node_us * 1e3;
    return speed;
  }
  void Link(const braid_device_info&, braid_link* link) override {
    link->kind = BRAID_LINK_HOST;
    link->latency_ns = static_cast<uint64_t>(config_.link_latency_us * 1e3);
    link->bytes_per_second = static_cast<uint64_t>(config_.link_gbps * 1e9);
  }
  std::unique_ptr<kit::Executable> Compile(const braid_graph* view, const braid_compile_options&) override;

  braid_buffer* BufferAlloc(const braid_buffer_desc& desc) override {
    CheckLost();
    FailIfToldTo("alloc");
    reference::CheckAlignment(desc.alignment);
    if (config_.max_buffer != 0 && desc.bytes > config_.max_buffer)
      throw Error(BRAID_INVALID_ARGUMENT, std::to_string(desc.bytes) + " bytes are beyond max_buffer");
    if (desc.flags != 0 || desc.exports != 0)
      throw Error(BRAID_UNSUPPORTED, "this device's memory can be neither mapped nor exported");
    const uint64_t before = used_.fetch_add(desc.bytes);
    if (desc.bytes > config_.memory || before > config_.memory - desc.bytes) {
      used_ -= desc.bytes;
      throw Error(BRAID_OUT_OF_MEMORY, std::to_string(desc.bytes) +
                                           " bytes do not fit: " + std::to_string(before) + " of " +
                                           std::to_string(config_.memory) + " are in use");
    }
    auto buffer = std::make_unique<SimBuffer>();
    buffer->device = this;
    buffer->bytes = desc.bytes;
    const uint64_t alignment = std::max(desc.alignment, kAlignment);
    const uint64_t rounded = (desc.bytes + sizeof kCanary + alignment - 1) / alignment * alignment;
    if (rounded > desc.bytes)
      buffer->data.reset(static_cast<uint8_t*>(std::aligned_alloc(alignment, rounded)));
    if (buffer->data == nullptr) {
      used_ -= desc.bytes;
      throw Error(BRAID_OUT_OF_MEMORY, "out of host memory");
    }
    // Old contents tell nothing, as on a real device.
    std::memset(buffer->data.get(), kPoison, desc.bytes);
    std::memcpy(buffer->data.get() + desc.bytes, &kCanary, sizeof kCanary);
    return reinterpret_cast<braid_buffer*>(buffer.release());
  }
  void BufferFree(braid_buffer* buffer) override {
    std::unique_ptr<SimBuffer> own(Of(buffer));
    used_ -= own->bytes;
    if (!own->intact())
      host_.Log(BRAID_LOG_ERROR,
                "a buffer of " + std::to_string(own->bytes) + " bytes was written past its end");
  }

  kit::Fence* Transfer(const braid_transfer& t) override {
    auto range = [&](braid_buffer* buffer, uint64_t offset) -> uint8_t* {
      if (buffer == nullptr) return nullptr;
      if (offset > Of(buffer)->bytes || t.bytes > Of(buffer)->bytes - offset)
        throw Error(BRAID_INVALID_ARGUMENT, "transfer of " + std::to_string(t.bytes) + " bytes at " +
                                                std::to_string(offset) + " leaves a buffer of " +
                                                std::to_string(Of(buffer)->bytes));
      return Of(buffer)->data.get() + offset;
    };
    uint8_t* to = t.kind == BRAID_TRANSFER_READ ? static_cast<uint8_t*>(t.host) : range(t.to, t.to_offset);
    const uint8_t* from =
        t.kind == BRAID_TRANSFER_WRITE ? static_cast<uint8_t*>(t.host) : range(t.from, t.from_offset);
    if (t.kind != BRAID_TRANSFER_WRITE && t.kind != BRAID_TRANSFER_READ && t.kind != BRAID_TRANSFER_COPY)
      throw Error(BRAID_INVALID_ARGUMENT, "transfer of kind " + std::to_string(t.kind));
    if (t.from_device != nullptr)
      throw Error(BRAID_UNSUPPORTED, "simulated devices reach each other only through host memory");
    if (t.bytes > 0 && (to == nullptr || from == nullptr))
      throw Error(BRAID_INVALID_ARGUMENT, "a side of the transfer is missing");
    const uint64_t bytes = t.bytes;
    const double takes_ns = config_.link_latency_us * 1e3 + static_cast<double>(bytes) / config_.link_gbps;
    auto results = std::make_shared<Results>();
    auto event =
        QueueOf(t.queue).Push(kit::EventsOf(t.waits, t.wait_count), 0, (t.flags & BRAID_SUBMIT_TIMED) != 0,
                              [this, to, from, bytes, takes_ns, results] {
                                const uint64_t start = host_.Now();
                                CheckLost();
                                FailIfToldTo("transfer");
                                if (bytes > 0) std::memmove(to, from, bytes);
                                SleepUntil(start, takes_ns, *results);
                              });
    return new SimFence(std::move(event), std::move(results));
  }
  kit::Fence* FenceCreate() override { return new SimFence(std::make_shared<kit::Event>(), nullptr); }
  braid_status Health(braid_health* out) override {
    out->memory_free = config_.memory - std::min<uint64_t>(config_.memory, used_);
    return lost_ ? BRAID_DEVICE_LOST : BRAID_OK;
  }

  kit::Queue& QueueOf(uint32_t queue) {
    if (queue >= queues_.size())
      throw Error(BRAID_INVALID_ARGUMENT, "there is no queue " + std::to_string(queue));
    return *queues_[queue];
  }
  void CheckLost() const {
    if (lost_) throw Error(BRAID_DEVICE_LOST, "the device is lost");
  }
  void CountSubmit() {
    if (config_.lose_after != 0 && ++submits_ >= config_.lose_after) lost_ = true;
  }
  void FailIfToldTo(const std::string& call) {
    const auto found = config_.fail.find(call);
    if (found == config_.fail.end()) return;
    if (found->second == BRAID_DEVICE_LOST) lost_ = true;
    throw Error(found->second, "this simulated device fails each " + call);
  }
  const DeviceConfig& config() const { return config_; }
  // With "wall_clock": until `takes_ns` after `start` have passed. Throws kit::Error(CANCELLED) when
  // cancelled.
  void SleepUntil(uint64_t start, double takes_ns, const Results& results) const {
    if (!config_.wall_clock) return;
    const uint64_t end = start + static_cast<uint64_t>(takes_ns);
    for (uint64_t now = host_.Now(); now < end; now = host_.Now()) {
      if (results.cancelled) throw Error(BRAID_CANCELLED, "cancelled");
      std::this_thread::sleep_for(std::chrono::nanoseconds(std::min<uint64_t>(end - now, 1'000'000)));
    }
  }

 private:
  kit::Host host_;
  DeviceConfig config_;
  std::atomic<uint64_t> used_{0}, submits_{0};
  std::atomic<bool> lost_{false};
  std::vector<std::unique_ptr<kit::Queue>> queues_;  // last: their threads use the rest
};

class SimExec : public kit::Executable {
 public:
  SimExec(SimDevice* device, const braid_graph* view, kit::Host host)
      : device_(device), host_(host), program_(std::make_shared<Program>(view, host)) {
    std::vector<uint32_t> nodes(view->node_count);
    std::iota(nodes.begin(), nodes.end(), 0u);
    const uint32_t end = view->node_count;
    std::vector<braid_cost> cost(1);
    reference::EstimateByRoofline(view, device->speed(), nodes.data(), &end, cost);
    takes_ns_ = static_cast<double>(cost[0].time_ns);
  }

  void IoRequirements(uint32_t value, braid_io_requirements* out) override {
    program_->CheckIo(value);
    out->alignment = device_->config().io_alignment;
  }
  braid_status OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) override {
    return program_->OutputDims(inputs, output, rank, dims);
  }

  kit::Fence* Submit(const braid_submit& submit) override {
    struct Bound {
      uint32_t value;
      uint8_t* memory;
      uint64_t bytes;
      reference::Dims dims;
      bool output;
    };
    const kit::StructArray<braid_binding> bindings(submit.bindings, submit.binding_count,
                                                   submit.binding_stride);
    program_->CheckBound(bindings);
    std::vector<Bound> bound;
    auto results = std::make_shared<Results>();
    for (uint32_t i = 0; i < bindings.size(); ++i) {
      const braid_binding b = bindings[i];
      const kit::Value value = program_->CheckBinding(b);
      if (b.host != nullptr)
        throw Error(BRAID_INVALID_ARGUMENT, "'" + std::string(value.name()) +
                                                "' is bound to host memory, which this device can't reach");
      if (b.buffer != nullptr && (b.offset > Of(b.buffer)->bytes || b.bytes > Of(b.buffer)->bytes - b.offset))
        throw Error(BRAID_INVALID_ARGUMENT,
                    "the binding of '" + std::string(value.name()) + "' leaves its buffer");
      if (b.buffer == nullptr && !value.is_output())
        throw Error(BRAID_INVALID_ARGUMENT,
                    "input '" + std::string(value.name()) + "' is not in device memory");
      bound.push_back({b.value, b.buffer == nullptr ? nullptr : Of(b.buffer)->data.get() + b.offset, b.bytes,
                       b.rank > 0 ? reference::Dims(b.dims, b.dims + b.rank) : reference::Dims(),
                       value.is_output()});
    }
    auto task = [this, program = program_, bound = std::move(bound), results, deadline = submit.deadline_ns] {
      const uint64_t start = host_.Now();
      device_->CountSubmit();
      device_->CheckLost();
      device_->FailIfToldTo("submit");
      FaultIfToldTo();
      Program::State state = program->NewState();
      for (const Bound& b : bound)
        if (!b.output)
          state.values[b.value] =
              Tensor::FromWire(kit::Value(program->view(), b.value).type(), b.dims, b.memory, b.bytes, true);
      program->Run(&state, [&] {
        device_->CheckLost();
        if (results->cancelled) throw Error(BRAID_CANCELLED, "cancelled");
        if (deadline != 0 && host_.Now() > deadline)
          throw Error(BRAID_TIMEOUT, "the deadline passed while the segment ran");
      });
      device_->SleepUntil(start, takes_ns_, *results);
      for (const Bound& b : bound) {
        if (!b.output) continue;
        Tensor& result = program->Result(&state, b.value);
        if (b.memory == nullptr) {
          // A result may share memory with an input, which is gone when it is taken.
          std::vector<uint8_t> wire(result.WireBytes());
          result.ToWire(wire.data());
          results->tensors[b.value] =
              Tensor::FromWire(result.type(), result.dims(), wire.data(), wire.size(), false);
          continue;
        }
        if (result.WireBytes() > b.bytes)
          throw Error(BRAID_INVALID_ARGUMENT, "an output is " + reference::TypeName(result.type()) +
                                                  reference::DimsText(result.dims()) + ", for which " +
                                                  std::to_string(b.bytes) + " bytes are too few");
        result.ToWire(b.memory);
      }
    };
    auto event = device_->QueueOf(submit.queue)
                     .Push(kit::EventsOf(submit.waits, submit.wait_count), submit.deadline_ns,
                           (submit.flags & BRAID_SUBMIT_TIMED) != 0, std::move(task));
    return new SimFence(std::move(event), std::move(results));
  }

  void TakeOutput(kit::Fence* fence, uint32_t value, braid_buffer** buffer, int32_t* rank,
                  int64_t* dims) override {
    if (fence->Wait(0) != BRAID_OK)
      throw Error(BRAID_INVALID_ARGUMENT, "an output is taken before its run is done, or after it failed");
    Results* results = static_cast<SimFence*>(fence)->results();
    auto found = results->tensors.find(value);
    if (found == results->tensors.end())
      throw Error(BRAID_INVALID_ARGUMENT, "value " + std::to_string(value) + " is not to be taken");
    const Tensor& tensor = found->second;
    if (tensor.rank() > BRAID_MAX_RANK)
      throw Error(BRAID_UNSUPPORTED, "an output of rank " + std::to_string(tensor.rank()));
    *rank = static_cast<int32_t>(tensor.rank());
    std::copy(tensor.dims().begin(), tensor.dims().end(), dims);
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = tensor.WireBytes();
    *buffer = device_->BufferAlloc(desc);
    tensor.ToWire(Of(*buffer)->data.get());
  }

 private:
  void FaultIfToldTo() const {
    const kit::Graph graph(program_->view());
    for (uint32_t n = 0; n < graph.node_count(); ++n) {
      const auto found = device_->config().faults.find(std::string(graph.node(n).op()));
      if (found == device_->config().faults.end()) continue;
      if (found->second == "segv") std::raise(SIGSEGV);
      if (found->second == "hang") std::this_thread::sleep_for(std::chrono::hours(24 * 365));
      if (found->second == "fork" && fork() == 0) {
        pause();
        _exit(0);
      }
      std::vector<std::vector<uint8_t>> hoard;
      while (found->second == "memory") hoard.emplace_back(size_t{16} << 20, uint8_t{1});
    }
  }

  SimDevice* device_;
  kit::Host host_;
  std::shared_ptr<Program> program_;
  double takes_ns_;
};

void SimDevice::Query(const braid_graph* view, const braid_compile_options&,
                      std::vector<braid_verdict>& verdicts) {
  CheckLost();
  FailIfToldTo("query");
  reference::QueryByJudge(view, verdicts);
  kit::Graph graph(view);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const kit::Node node = graph.node(n);
    auto refuse = [&](int32_t code, uint32_t input, const std::string& text) {
      verdicts[n].code = code;
      verdicts[n].input = input;
      std::strncpy(verdicts[n].detail, text.c_str(), sizeof verdicts[n].detail - 1);
    };
    if (verdicts[n].code != BRAID_YES) continue;
    if (config_.lacks.contains(std::string(node.op())))
      refuse(BRAID_NO_OP, BRAID_NONE, "this simulated device lacks " + std::string(node.op()));
    if (!config_.versions.empty()) {
      const std::string domain(node.domain());
      const auto known = config_.versions.find((domain.empty() ? "" : domain + ":") + std::string(node.op()));
      if (known == config_.versions.end())
        refuse(BRAID_NO_OP, BRAID_NONE, "this simulated device lacks " + std::string(node.op()));
      else if (!node.Form(known->second, known->second))
        refuse(BRAID_NO_OPSET, BRAID_NONE,
               "this simulated device knows version " + std::to_string(known->second) + ", not " +
                   std::to_string(node.min_version()) + " to " + std::to_string(node.version()));
    }
    for (uint32_t i = 0; i < node.input_count() && !config_.types.empty(); ++i)
      if (node.has_input(i) && !config_.types.contains(reference::TypeName(node.input_value(i).type())))
        refuse(BRAID_NO_TYPE, i,
               "this simulated device lacks " + reference::TypeName(node.input_value(i).type()));
    if (verdicts[n].code == BRAID_YES && config_.not_worth_it.contains(std::string(node.op())))
      refuse(BRAID_NOT_WORTH_IT, BRAID_NONE, "this simulated device would rather not");
  }
}

std::unique_ptr<kit::Executable> SimDevice::Compile(const braid_graph* view,
                                                    const braid_compile_options& options) {
  reference::CheckOptions(options, {"config"});  // for open, given here too
  CheckLost();
  FailIfToldTo("compile");
  return std::make_unique<SimExec>(this, view, host_);
}

class SimPlugin : public kit::Plugin {
 public:
  explicit SimPlugin(kit::Host host) : Plugin(host), devices_(ReadConfig(std::getenv("BRAID_SIM"))) {}
  std::string_view id() const override { return "sim"; }
  std::string_view vendor() const override { return "Braid"; }
  std::string_view version() const override { return BRAID_VERSION; }
  int32_t newest_opset() const override { return 28; }
  std::vector<braid_device_info> Enumerate() override {
    std::vector<braid_device_info> infos;
    for (const DeviceConfig& config : devices_) {
      braid_device_info info = BRAID_DEVICE_INFO_INIT;
      info.kind = config.kind;
      info.name = kit::Str(config.name);
      info.vendor = kit::Str("Braid");
      info.driver = kit::Str(BRAID_VERSION);
      info.memory_total = info.memory_free = config.memory;
      info.alignment = kAlignment;
      info.max_buffer = config.max_buffer != 0 ? config.max_buffer : config.memory;
      info.flags = BRAID_DETERMINISTIC | BRAID_TIMESTAMPS;
      info.queues = config.queues;
      info.transfer_queue = BRAID_NONE;
      infos.push_back(info);
    }
    return infos;
  }
  std::unique_ptr<kit::Device> Open(uint32_t index, const braid_open_options& options) override {
    if (index >= devices_.size())
      throw Error(BRAID_INVALID_ARGUMENT, "there is no device " + std::to_string(index));
    DeviceConfig config = devices_[index];
    for (uint32_t i = 0; i < options.option_count; ++i) {
      const std::string_view key = kit::View(options.options[i].key);
      if (key != "config")
        throw Error(BRAID_INVALID_ARGUMENT, "there is no option '" + std::string(key) + "'");
      config = ReadDeviceConfig(kit::View(options.options[i].value));
    }
    return std::make_unique<SimDevice>(host(), std::move(config));
  }

 private:
  std::vector<DeviceConfig> devices_;
};

}  // namespace
}  // namespace braid::sim

BRAID_KIT_PLUGIN(braid::sim::SimPlugin)
