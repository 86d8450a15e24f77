// SPDX-License-Identifier: Apache-2.0
//
// graph.h in C++17: objects that free themselves, exceptions in the place of statuses.
//
//   std::vector<float> numbers = {1, 2, 3, 4};
//   braid::Graph graph("model.onnx");
//   auto out = graph.Run({braid::Tensor::Of<float>({1, 4}, numbers)});
//   for (float x : out[0].values<float>()) std::printf("%f\n", x);
//
// Threads: as the functions of graph.h behind each method. Strings in infos live as long as the graph.
#ifndef BRAID_GRAPH_HPP_
#define BRAID_GRAPH_HPP_

#include <braid/graph.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace braid {

class GraphError : public std::runtime_error {
 public:
  GraphError(graph_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  graph_status status() const { return status_; }

 private:
  graph_status status_;
};

inline void Check(graph_status status) {
  if (status != GRAPH_OK) throw GraphError(status, graph_last_error());
}

// 16-bit elements. From float the nearest is taken, ties to even.
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value) {
    uint32_t b;
    std::memcpy(&b, &value, 4);
    const uint32_t sign = (b >> 16) & 0x8000, magnitude = b & 0x7fffffff;
    uint32_t half;
    if (magnitude > 0x7f800000) {
      half = 0x7e00;  // NaN
    } else if (magnitude >= 0x477ff000) {
      half = 0x7c00;  // rounds beyond 65504
    } else if (magnitude >= 0x38800000) {
      const uint32_t rebiased = magnitude - 0x38000000;
      half = (rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13;
    } else {
      // Subnormal: adding 0.5 lines the last bit up with that of a float, which rounds it.
      float m;
      std::memcpy(&m, &magnitude, 4);
      m += 0.5f;
      std::memcpy(&half, &m, 4);
      half -= 0x3f000000;
    }
    bits = static_cast<uint16_t>(sign | half);
  }
  explicit operator float() const {
    const uint32_t sign = (bits & 0x8000u) << 16, e = (bits >> 10) & 0x1f, m = bits & 0x3ffu;
    uint32_t b = sign | ((e + 112) << 23) | (m << 13);
    if (e == 31) b = sign | 0x7f800000 | (m << 13);
    float value;
    std::memcpy(&value, &b, 4);
    if (e == 0) value = static_cast<float>(m) * (sign != 0 ? -0x1p-24f : 0x1p-24f);
    return value;
  }
};

struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) {
    uint32_t b;
    std::memcpy(&b, &value, 4);
    const bool nan = (b & 0x7fffffff) > 0x7f800000;
    bits = static_cast<uint16_t>(nan ? (b >> 16) | 0x40 : (b + 0x7fff + ((b >> 16) & 1)) >> 16);
  }
  explicit operator float() const {
    const uint32_t b = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &b, 4);
    return value;
  }
};
static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2 && sizeof(bool) == 1,
              "elements as graph.h has them");

template <class T>
struct ElementTypeOf;
#define BRAID_GRAPH_ELEMENT(CPP, TYPE)     \
  template <>                              \
  struct ElementTypeOf<CPP> {              \
    static constexpr int32_t value = TYPE; \
  };
BRAID_GRAPH_ELEMENT(float, GRAPH_FLOAT)
BRAID_GRAPH_ELEMENT(double, GRAPH_DOUBLE)
BRAID_GRAPH_ELEMENT(Float16, GRAPH_FLOAT16)
BRAID_GRAPH_ELEMENT(BFloat16, GRAPH_BFLOAT16)
BRAID_GRAPH_ELEMENT(uint8_t, GRAPH_UINT8)
BRAID_GRAPH_ELEMENT(int8_t, GRAPH_INT8)
BRAID_GRAPH_ELEMENT(uint16_t, GRAPH_UINT16)
BRAID_GRAPH_ELEMENT(int16_t, GRAPH_INT16)
BRAID_GRAPH_ELEMENT(uint32_t, GRAPH_UINT32)
BRAID_GRAPH_ELEMENT(int32_t, GRAPH_INT32)
BRAID_GRAPH_ELEMENT(uint64_t, GRAPH_UINT64)
BRAID_GRAPH_ELEMENT(int64_t, GRAPH_INT64)
BRAID_GRAPH_ELEMENT(bool, GRAPH_BOOL)
#undef BRAID_GRAPH_ELEMENT

// Memory of a device, to keep tensors there between runs. The runs that use it are ordered by the caller.
class Buffer {
 public:
  Buffer(const std::string& device, uint64_t bytes) {
    graph_buffer* buffer = nullptr;
    Check(graph_buffer_alloc(device.c_str(), bytes, &buffer));
    buffer_.reset(buffer);
  }
  void Write(uint64_t offset, const void* data, uint64_t bytes) {
    Check(graph_buffer_write(get(), offset, data, bytes));
  }
  void Read(uint64_t offset, void* data, uint64_t bytes) const {
    Check(graph_buffer_read(get(), offset, data, bytes));
  }
  graph_buffer* get() const { return buffer_.get(); }

 private:
  struct Free {
    void operator()(graph_buffer* buffer) const { graph_buffer_free(buffer); }
  };
  std::unique_ptr<graph_buffer, Free> buffer_;
};

// A graph_tensor. Its elements are the caller's (Of, In), its own (Copy, Strings) or what a run allocated.
class Tensor {
 public:
  Tensor() = default;
  ~Tensor() { Reset(); }
  Tensor(Tensor&& other) noexcept { *this = std::move(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    if (this == &other) return *this;
    Reset();
    name_ = std::move(other.name_);
    own_ = std::move(other.own_);
    room_ = std::exchange(other.room_, 0);
    raw_ = std::exchange(other.raw_, graph_tensor GRAPH_TENSOR_INIT);
    if (raw_.name != nullptr) raw_.name = name_.c_str();
    return *this;
  }

  // Borrows `count` elements, which must outlive the runs that use the tensor.
  template <class T>
  static Tensor Of(const std::vector<int64_t>& dims, const T* data, uint64_t count, std::string name = {}) {
    Tensor tensor = OfShape(ElementTypeOf<T>::value, dims, std::move(name));
    tensor.raw_.data = const_cast<T*>(data);
    tensor.raw_.bytes = tensor.room_ = count * sizeof(T);
    return tensor;
  }
  template <class T>
  static Tensor Of(const std::vector<int64_t>& dims, const std::vector<T>& values, std::string name = {}) {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> is no array: use Copy, or an array of bool");
    return Of<T>(dims, values.data(), values.size(), std::move(name));
  }
  template <class T>
  static Tensor Of(const std::vector<int64_t>& dims, std::vector<T>&& values, std::string name = {}) = delete;

  // Holds a copy of the elements.
  template <class T>
  static Tensor Copy(const std::vector<int64_t>& dims, const std::vector<T>& values, std::string name = {}) {
    std::shared_ptr<T[]> own(new T[values.size() + 1]);
    for (size_t i = 0; i < values.size(); ++i) own[i] = values[i];
    Tensor tensor = Of<T>(dims, own.get(), values.size(), std::move(name));
    tensor.own_ = std::move(own);
    return tensor;
  }
  static Tensor Strings(const std::vector<int64_t>& dims, const std::vector<std::string>& values,
                        std::string name = {}) {
    uint64_t end = values.size() * 16;
    std::vector<uint64_t> pairs;
    for (const std::string& value : values) {
      pairs.insert(pairs.end(), {end, value.size()});
      end += value.size();
    }
    std::shared_ptr<uint64_t[]> own(new uint64_t[end / 8 + 1]);
    std::copy(pairs.begin(), pairs.end(), own.get());
    char* to = reinterpret_cast<char*>(own.get());
    for (size_t i = 0; i < values.size(); ++i) values[i].copy(to + pairs[2 * i], values[i].size());
    Tensor tensor = OfShape(GRAPH_STRING, dims, std::move(name));
    tensor.raw_.data = own.get();
    tensor.raw_.bytes = tensor.room_ = end;
    tensor.own_ = std::move(own);
    return tensor;
  }
  // In device memory, from `offset`. As an output the type and extents are filled in by the run.
  static Tensor In(Buffer& buffer, uint64_t offset, int32_t type, const std::vector<int64_t>& dims,
                   std::string name = {}) {
    Tensor tensor = OfShape(type, dims, std::move(name));
    tensor.raw_.buffer = buffer.get();
    tensor.raw_.offset = offset;
    return tensor;
  }
  // Without elements: for Graph::Prepare.
  static Tensor OfShape(int32_t type, const std::vector<int64_t>& dims, std::string name = {}) {
    if (dims.size() > GRAPH_MAX_RANK)
      throw GraphError(GRAPH_INVALID_ARGUMENT, "a tensor of rank " + std::to_string(dims.size()));
    Tensor tensor;
    tensor.raw_.type = type;
    tensor.raw_.rank = static_cast<int32_t>(dims.size());
    for (size_t i = 0; i < dims.size(); ++i) tensor.raw_.dims[i] = dims[i];
    tensor.SetName(std::move(name));
    return tensor;
  }

  void SetName(std::string name) {
    name_ = std::move(name);
    raw_.name = name_.empty() ? nullptr : name_.c_str();
  }
  // Gives back what a run allocated or the tensor holds, and forgets what it borrows; the name stays.
  void Reset() {
    graph_tensor_release(&raw_);
    own_.reset();
    room_ = 0;
    raw_ = graph_tensor GRAPH_TENSOR_INIT;
    if (!name_.empty()) raw_.name = name_.c_str();
  }
  const graph_tensor& raw() const { return raw_; }
  graph_tensor& raw() { return raw_; }
  int32_t type() const { return raw_.type; }
  std::vector<int64_t> dims() const { return {raw_.dims, raw_.dims + raw_.rank}; }
  // Number of elements.
  uint64_t count() const {
    uint64_t n = 1;
    for (int32_t i = 0; i < raw_.rank; ++i) n *= static_cast<uint64_t>(raw_.dims[i]);
    return n;
  }
  // The elements; throws if they are of another type.
  template <class T>
  const T* data() const {
    if (raw_.type != ElementTypeOf<T>::value)
      throw GraphError(GRAPH_INVALID_ARGUMENT, std::string("the tensor's elements are ") +
                                                   graph_type_name(raw_.type) + ", not " +
                                                   graph_type_name(ElementTypeOf<T>::value));
    return static_cast<const T*>(raw_.data);
  }
  template <class T>
  std::vector<T> values() const {
    const T* first = data<T>();
    return std::vector<T>(first, first + raw_.bytes / sizeof(T));
  }
  std::vector<std::string> strings() const {
    if (raw_.type != GRAPH_STRING)
      throw GraphError(GRAPH_INVALID_ARGUMENT, std::string("the tensor's elements are ") +
                                                   graph_type_name(raw_.type) + ", not string");
    const char* base = static_cast<const char*>(raw_.data);
    std::vector<std::string> out;
    for (uint64_t i = 0; i < count(); ++i) {
      uint64_t pair[2];
      std::memcpy(pair, base + 16 * i, sizeof pair);
      out.emplace_back(base + pair[0], pair[1]);
    }
    return out;
  }

 private:
  friend class Graph;
  friend class Request;
  // For a run to write to: what an earlier run allocated is left to this tensor, memory of the caller's has
  // all of its room again.
  graph_tensor AsOutput() const {
    graph_tensor out = raw_;
    if (raw_.owner == nullptr) {
      if (raw_.data != nullptr && room_ > 0) out.bytes = room_;
      return out;
    }
    out = graph_tensor GRAPH_TENSOR_INIT;
    out.name = raw_.name;
    return out;
  }
  void TakeResult(const graph_tensor& result) {
    if (raw_.owner != nullptr) graph_tensor_release(&raw_);
    raw_ = result;
    raw_.name = name_.empty() ? nullptr : name_.c_str();
  }

  graph_tensor raw_ = GRAPH_TENSOR_INIT;
  uint64_t room_ = 0;  // bytes of memory that no run allocated
  std::shared_ptr<const void> own_;
  std::string name_;
};

// The inputs of a run, made from {a, b} or a std::vector<Tensor>. It borrows the tensors.
class Inputs {
 public:
  class Item {
   public:
    Item(const Tensor& tensor) : tensor_(&tensor) {}  // NOLINT: {a, b} shall do
    const Tensor& tensor() const { return *tensor_; }

   private:
    const Tensor* tensor_;
  };
  Inputs() = default;
  Inputs(std::initializer_list<Item> tensors) {  // NOLINT
    for (const Item& item : tensors) raw_.push_back(item.tensor().raw());
  }
  Inputs(const std::vector<Tensor>& tensors) {  // NOLINT
    for (const Tensor& tensor : tensors) raw_.push_back(tensor.raw());
  }
  const graph_tensor* data() const { return raw_.data(); }
  uint32_t size() const { return static_cast<uint32_t>(raw_.size()); }

 private:
  std::vector<graph_tensor> raw_;
};

// Devices, placement and the rest, as in graph_options; strings are kept here.
struct GraphOptions {
  std::string devices, placement;
  std::string base_folder;
  std::string cache_folder;
  bool no_cache = false;                    // the cache_folder "" of graph_options
  std::vector<std::string> device_options;  // "acme:key=value"
  int32_t threads = 0;
  int32_t precision = GRAPH_PRECISION_EXACT;
  uint32_t flags = 0;
  uint64_t memory_limit = 0;
  std::chrono::nanoseconds compile_timeout{0};
};

// A run that was started. Ends it (waits for it) when it goes.
class Request {
 public:
  Request(Request&&) = default;
  Request& operator=(Request&&) = default;
  // Whether it has ended within the time. Throws what the run failed with.
  bool Wait(std::chrono::nanoseconds timeout) {
    const graph_status status = graph_wait(state_->request.get(), static_cast<uint64_t>(timeout.count()));
    if (status != GRAPH_PENDING) Check(status);
    return status == GRAPH_OK;
  }
  // Waits, and gives the outputs; once.
  std::vector<Tensor> Get() {
    Check(graph_wait(state_->request.get(), UINT64_MAX));
    for (size_t i = 0; i < state_->outputs.size(); ++i) state_->outputs[i].TakeResult(state_->out[i]);
    state_->taken = true;
    return std::move(state_->outputs);
  }
  void Cancel() { graph_cancel(state_->request.get()); }

 private:
  friend class Graph;
  struct Free {
    void operator()(graph_request* request) const { graph_request_free(request); }
  };
  struct State {
    ~State() {
      request.reset();  // waits
      if (!taken)
        for (graph_tensor& t : out) graph_tensor_release(&t);
    }
    std::vector<std::string> names;
    std::vector<graph_tensor> in, out;
    std::vector<Tensor> outputs;
    bool taken = false;
    std::unique_ptr<graph_request, Free> request;
  };
  Request() : state_(std::make_unique<State>()) {}
  std::unique_ptr<State> state_;
};

class Graph {
 public:
  explicit Graph(const std::string& path, const GraphOptions& options = {}) {
    const Raw own(options);
    graph_t* graph = nullptr;
    Check(graph_load(path.c_str(), &own.raw, &graph));
    graph_.reset(graph);
  }
  // A model in memory, which is copied.
  Graph(const void* model, uint64_t bytes, const GraphOptions& options = {}) {
    const Raw own(options);
    graph_t* graph = nullptr;
    Check(graph_load_memory(model, bytes, &own.raw, &graph));
    graph_.reset(graph);
  }

  std::vector<graph_value_info> inputs() const { return Infos(graph_inputs); }
  std::vector<graph_value_info> outputs() const { return Infos(graph_outputs); }

  // Chooses devices and compiles for these shapes; Tensor::OfShape will do.
  void Prepare(const Inputs& inputs) { Check(graph_prepare(get(), inputs.data(), inputs.size())); }
  // All outputs, in memory of Braid's. Inputs go by name, or by position where they have none.
  std::vector<Tensor> Run(const Inputs& inputs) {
    std::vector<Tensor> outputs(graph_outputs(get(), nullptr, 0));
    Run(inputs, outputs);
    return outputs;
  }
  // Into the given outputs, by name or by position: those with memory of the caller's (Of, In) get the result
  // there, the others memory of Braid's, in the place of what an earlier run left in them. If it throws they
  // stay as they were.
  void Run(const Inputs& inputs, std::vector<Tensor>& outputs) {
    std::vector<graph_tensor> out;
    for (const Tensor& t : outputs) out.push_back(t.AsOutput());
    Check(graph_run(get(), inputs.data(), inputs.size(), out.data(), static_cast<uint32_t>(out.size())));
    for (size_t i = 0; i < out.size(); ++i) outputs[i].TakeResult(out[i]);
  }
  // Starts a run. Elements that the inputs borrow or hold must stay until it has ended.
  Request RunAsync(const Inputs& inputs) {
    return RunAsync(inputs, std::vector<Tensor>(graph_outputs(get(), nullptr, 0)));
  }
  Request RunAsync(const Inputs& inputs, std::vector<Tensor> outputs) {
    Request request;
    Request::State& state = *request.state_;
    state.in.assign(inputs.data(), inputs.data() + inputs.size());
    state.names.reserve(state.in.size());
    for (graph_tensor& t : state.in) {
      if (t.name == nullptr) continue;
      state.names.emplace_back(t.name);
      t.name = state.names.back().c_str();
    }
    state.outputs = std::move(outputs);
    for (const Tensor& t : state.outputs) state.out.push_back(t.AsOutput());
    graph_request* raw = nullptr;
    Check(graph_run_async(get(), state.in.data(), static_cast<uint32_t>(state.in.size()), state.out.data(),
                          static_cast<uint32_t>(state.out.size()), &raw));
    state.request.reset(raw);
    return request;
  }
  std::string Explain(int32_t format = GRAPH_EXPLAIN_SUMMARY) const {
    const char* text = nullptr;
    Check(graph_explain(get(), format, &text));
    return text;
  }
  graph_t* get() const { return graph_.get(); }

 private:
  struct Free {
    void operator()(graph_t* graph) const { graph_free(graph); }
  };
  struct Raw {
    explicit Raw(const GraphOptions& o) {
      const auto text = [](const std::string& s) { return s.empty() ? nullptr : s.c_str(); };
      for (const std::string& option : o.device_options) list.push_back(option.c_str());
      list.push_back(nullptr);
      raw.threads = o.threads;
      raw.devices = text(o.devices);
      raw.placement = text(o.placement);
      raw.precision = o.precision;
      raw.flags = o.flags;
      raw.cache_folder = o.no_cache ? "" : text(o.cache_folder);
      raw.base_folder = text(o.base_folder);
      raw.device_options = list.data();
      raw.memory_limit = o.memory_limit;
      raw.compile_timeout_ns = static_cast<uint64_t>(o.compile_timeout.count());
    }
    std::vector<const char*> list;
    graph_options raw = GRAPH_OPTIONS_INIT;
  };
  template <class Function>
  std::vector<graph_value_info> Infos(Function function) const {
    std::vector<graph_value_info> infos(function(get(), nullptr, 0), graph_value_info GRAPH_VALUE_INFO_INIT);
    function(get(), infos.data(), static_cast<uint32_t>(infos.size()));
    return infos;
  }
  std::unique_ptr<graph_t, Free> graph_;
};

// The devices of this machine; strings live until the process ends.
inline std::vector<graph_device_info> Devices() {
  std::vector<graph_device_info> infos(graph_devices(nullptr, 0), graph_device_info GRAPH_DEVICE_INFO_INIT);
  graph_devices(infos.data(), static_cast<uint32_t>(infos.size()));
  return infos;
}
// JSON, as graph_plugins.
inline std::string Plugins() {
  const char* json = nullptr;
  Check(graph_plugins(&json));
  return json;
}

}  // namespace braid

#endif  // BRAID_GRAPH_HPP_
