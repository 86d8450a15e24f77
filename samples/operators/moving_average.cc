// SPDX-License-Identifier: Apache-2.0
//
// A plugin that brings an operator of its own: com.example.audio's MovingAverage, with a shape function, and
// a device that runs it. Models that use it are made like any others:
//
//   helper.make_node("MovingAverage", ["x"], ["y"], domain="com.example.audio", window=3)
//
// Nothing of Braid is in it but the SDK; the contract of the declaration stands in braid/ext/operators.h.
#include <braid/kit/graph_view.h>
#include <braid/kit/operators.h>
#include <braid/kit/plugin.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using braid::kit::Error;
using braid::kit::Operator;

constexpr braid_type kFloat = 1;  // onnx.TensorProto.FLOAT
constexpr char kDomain[] = "com.example.audio";
constexpr uint64_t kAlignment = 64;

int64_t WindowOf(const braid::kit::Node& node) {
  const int64_t window = node.Int("window", 1);
  if (window < 1)
    throw Error(BRAID_INVALID_ARGUMENT, "window is " + std::to_string(window) + ", it must be at least 1");
  return window;
}

// The last axis of x, in windows of `window` elements: one less than that fewer.
int64_t Shortened(int64_t extent, int64_t window) {
  if (extent < window)
    throw Error(BRAID_INVALID_ARGUMENT, "the last axis has " + std::to_string(extent) +
                                            " elements, the window " + std::to_string(window));
  return extent - window + 1;
}

Operator MovingAverage() {
  Operator op;
  op.domain = kDomain;
  op.name = "MovingAverage";
  op.text = "y[..., i] is the mean of x[..., i] to x[..., i + window - 1].";
  op.inputs = {{"x", "T"}};
  op.outputs = {{"y", "T"}};
  op.constraints = {{"T", {"tensor(float)"}}};
  op.attributes = {{"window", BRAID_ATTR_INT, true}};
  op.infer = [](const braid::kit::Graph&, const braid::kit::Node& node) -> std::vector<Operator::Inferred> {
    const int64_t window = WindowOf(node);
    const auto x = node.input_value(0);
    if (x.rank() < 0) return {};
    if (x.rank() == 0) throw Error(BRAID_INVALID_ARGUMENT, "x is a scalar");
    std::vector<int64_t> dims = x.dims();
    if (dims.back() >= 0) dims.back() = Shortened(dims.back(), window);
    return {{0, true, dims}};
  };
  return op;
}

// This device's buffer is its memory.
float* MemoryOf(const braid_binding& binding) {
  void* memory =
      binding.buffer != nullptr ? reinterpret_cast<char*>(binding.buffer) + binding.offset : binding.host;
  return static_cast<float*>(memory);
}

class Averages : public braid::kit::Executable {
 public:
  explicit Averages(const braid_graph* view) {
    braid::kit::Graph graph(view);
    for (uint32_t i = 0; i < graph.node_count(); ++i)
      steps_.push_back({graph.node(i).input(0), graph.node(i).output(0), WindowOf(graph.node(i))});
  }

  void IoRequirements(uint32_t, braid_io_requirements* out) override { out->alignment = kAlignment; }

  // Each step shortens the last axis of what it reads.
  braid_status OutputDims(braid::kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) override {
    std::map<uint32_t, std::vector<int64_t>> known;
    for (uint32_t i = 0; i < inputs.size(); ++i) {
      const braid_binding in = inputs[i];
      known[in.value] = {in.dims, in.dims + in.rank};
    }
    for (const Step& step : steps_) {
      std::vector<int64_t> y = known.at(step.input);
      y.back() = Shortened(y.back(), step.window);
      known[step.output] = y;
    }
    *rank = static_cast<int32_t>(known.at(output).size());
    std::copy(known.at(output).begin(), known.at(output).end(), dims);
    return BRAID_OK;
  }

  braid::kit::Fence* Submit(const braid_submit& submit) override {
    braid::kit::StructArray<braid_binding> bindings(submit.bindings, submit.binding_count,
                                                    submit.binding_stride);
    struct Place {
      float* data;
      int64_t rows, columns;
    };
    std::map<uint32_t, Place> places;
    std::map<uint32_t, braid_binding> outputs;
    for (uint32_t i = 0; i < bindings.size(); ++i) {
      const braid_binding b = bindings[i];
      outputs[b.value] = b;
      const int64_t columns = b.rank > 0 ? b.dims[b.rank - 1] : 1;
      places[b.value] = {MemoryOf(b),
                         columns > 0 ? static_cast<int64_t>(b.bytes / sizeof(float)) / columns : 0, columns};
    }
    std::vector<std::vector<float>> inner;  // values between two nodes of the segment
    for (const Step& step : steps_) {
      const Place x = places.at(step.input);
      const int64_t columns = Shortened(x.columns, step.window);
      const uint64_t count = static_cast<uint64_t>(x.rows * columns);
      float* y;
      if (const auto out = outputs.find(step.output); out != outputs.end()) {
        if (out->second.bytes < count * sizeof(float))
          throw Error(BRAID_INVALID_ARGUMENT, "the memory of an output is too small");
        y = MemoryOf(out->second);
      } else {
        y = inner.emplace_back(count).data();
      }
      for (int64_t r = 0; r < x.rows; ++r)
        for (int64_t c = 0; c < columns; ++c) {
          float sum = 0;
          for (int64_t k = 0; k < step.window; ++k) sum += x.data[r * x.columns + c + k];
          y[r * columns + c] = sum / static_cast<float>(step.window);
        }
      places[step.output] = {y, x.rows, columns};
    }
    return nullptr;  // done already: this device is synchronous
  }

 private:
  struct Step {
    uint32_t input, output;  // values of the compiled graph
    int64_t window;
  };
  std::vector<Step> steps_;
};

class AudioDevice : public braid::kit::Device {
 public:
  void Query(const braid_graph* view, const braid_compile_options&,
             std::vector<braid_verdict>& verdicts) override {
    braid::kit::Graph graph(view);
    for (uint32_t i = 0; i < graph.node_count(); ++i) {
      const auto node = graph.node(i);
      const bool ours = node.domain() == kDomain && node.op() == "MovingAverage";
      verdicts[i].code = ours ? BRAID_YES : BRAID_NO_OP;
      if (!ours)
        std::strncpy(verdicts[i].detail, "only MovingAverage is implemented", sizeof verdicts[i].detail - 1);
    }
  }
  std::unique_ptr<braid::kit::Executable> Compile(const braid_graph* view,
                                                  const braid_compile_options&) override {
    return std::make_unique<Averages>(view);
  }
  braid_buffer* BufferAlloc(const braid_buffer_desc& desc) override {
    const uint64_t bytes = (desc.bytes + kAlignment) / kAlignment * kAlignment;
    void* memory = bytes < desc.bytes ? nullptr : std::aligned_alloc(kAlignment, bytes);
    if (memory == nullptr) throw Error(BRAID_OUT_OF_MEMORY, "no " + std::to_string(desc.bytes) + " bytes");
    return static_cast<braid_buffer*>(memory);
  }
  void BufferFree(braid_buffer* buffer) override { std::free(buffer); }
  void* Map(braid_buffer* buffer, uint64_t offset, uint64_t) override {
    return reinterpret_cast<char*>(buffer) + offset;
  }
  braid::kit::Fence* Transfer(const braid_transfer& t) override {
    const char* from = t.kind == BRAID_TRANSFER_WRITE ? static_cast<char*>(t.host)
                                                      : reinterpret_cast<char*>(t.from) + t.from_offset;
    char* to = t.kind == BRAID_TRANSFER_READ ? static_cast<char*>(t.host)
                                             : reinterpret_cast<char*>(t.to) + t.to_offset;
    std::memmove(to, from, t.bytes);
    return nullptr;
  }
};

class AudioPlugin : public braid::kit::Plugin {
 public:
  explicit AudioPlugin(braid::kit::Host host) : Plugin(host), operators_(host.raw(), {MovingAverage()}) {}
  std::string_view id() const override { return "example_audio"; }
  std::string_view vendor() const override { return "Example"; }
  std::string_view version() const override { return "0.1.0"; }
  int32_t newest_opset() const override { return 28; }
  std::vector<braid_device_info> Enumerate() override {
    braid_device_info info = BRAID_DEVICE_INFO_INIT;
    info.kind = BRAID_DEVICE_OTHER;
    info.name = braid::kit::Str("moving averages in software");
    info.vendor = braid::kit::Str("Example");
    info.driver = braid::kit::Str("0.1.0");
    info.alignment = kAlignment;
    info.max_buffer = UINT64_MAX;
    info.flags = BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_UNIFIED | BRAID_MEMORY_MAPPABLE |
                 BRAID_DETERMINISTIC;
    info.queues = 1;
    info.transfer_queue = BRAID_NONE;
    return {info};
  }
  std::unique_ptr<braid::kit::Device> Open(uint32_t, const braid_open_options&) override {
    return std::make_unique<AudioDevice>();
  }
  const void* Extension(const char* id) override { return operators_.Extension(id); }

 private:
  braid::kit::Operators operators_;
};

}  // namespace

BRAID_KIT_PLUGIN(AudioPlugin)
