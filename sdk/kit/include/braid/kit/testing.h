// SPDX-License-Identifier: Apache-2.0
//
// For tests of a plugin through its C tables, without Braid: a host, a builder of graphs, and a run in one
// call. Any test framework will do; what goes wrong is thrown as kit::Error with the plugin's text.
//
//   testing::Host host;
//   testing::Plugin plugin(host, braid_plugin_query);     // linked in, or found with dlsym
//   braid_device* device = plugin.Open(0);
//   testing::Graph graph;
//   uint32_t x = graph.Input(1, {2, 3}), y = graph.Output(1, {2, 3});
//   graph.Node("Relu", 14, {x}, {y});
//   auto results = plugin.Run(device, graph, {{x, testing::Array::Of<float>(1, {2, 3}, {-1, 0, 1, 2, 3,
//   4})}}); results[y].as<float>()                                // {0, 0, 1, 2, 3, 4} plugin.Close(device);
#ifndef BRAID_KIT_TESTING_H_
#define BRAID_KIT_TESTING_H_

#include <braid/kit/plugin.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace braid::kit::testing {

// Bits of an element, by number of onnx.TensorProto.DataType; of a string those of its pair. 0: no such type.
inline uint32_t BitsOf(braid_type type) {
  constexpr uint8_t kBits[] = {0,   32, 8, 8, 16, 16, 32, 64, 128, 8, 16, 64, 32, 64, 64,
                               128, 16, 8, 8, 8,  8,  4,  4,  4,   8, 2,  2,  6,  6};
  return type < 0 || static_cast<size_t>(type) >= sizeof kBits ? 0 : kBits[type];
}

inline uint64_t BytesOf(braid_type type, const std::vector<int64_t>& dims) {
  uint64_t elements = 1;
  for (int64_t d : dims) elements *= static_cast<uint64_t>(d);
  return (elements * BitsOf(type) + 7) / 8;
}

// A dense tensor.
struct Array {
  braid_type type = 1;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;
  template <class T>
  static Array Of(braid_type type, std::vector<int64_t> dims, const std::vector<T>& values) {
    Array a{type, std::move(dims), std::vector<uint8_t>(values.size() * sizeof(T))};
    if (!values.empty()) std::memcpy(a.bytes.data(), values.data(), a.bytes.size());
    return a;
  }
  template <class T>
  std::vector<T> as() const {
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }
};

// A tensor attribute names a constant value of the graph.
struct TensorOf {
  uint32_t constant;
};
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, TensorOf>;

// A braid_graph made by hand. Values and nodes are added in the order in which they run.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // An extent of -1 is unknown, without a symbol. rank_known false: no dims at all. name "": "v" and its
  // index.
  uint32_t Value(std::string_view name, braid_type type, const std::vector<int64_t>& dims, uint32_t flags = 0,
                 bool rank_known = true) {
    const auto index = static_cast<uint32_t>(values_.size());
    braid_value v{};
    v.name = Chars(name.empty() ? "v" + std::to_string(index) : std::string(name));
    v.type = type;
    v.rank = rank_known ? static_cast<int32_t>(dims.size()) : -1;
    v.dims = static_cast<uint32_t>(dims_.size());
    v.flags = flags;
    for (int64_t d : dims)
      dims_.push_back(d < 0 ? braid_dim{-1, 0, INT64_MAX, -1, BRAID_NONE, 0}
                            : braid_dim{d, d, d, d, BRAID_NONE, 0});
    values_.push_back(v);
    constants_.emplace_back();
    if ((flags & BRAID_VALUE_INPUT) != 0) inputs_.push_back(index);
    if ((flags & BRAID_VALUE_OUTPUT) != 0) outputs_.push_back(index);
    return index;
  }
  uint32_t Input(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims, BRAID_VALUE_INPUT);
  }
  uint32_t Output(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims, BRAID_VALUE_OUTPUT);
  }
  uint32_t Inner(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims);
  }
  uint32_t Constant(const Array& array, std::string_view name = "") {
    static std::atomic<uint64_t> next{1};
    const uint32_t index = Value(name, array.type, array.dims, BRAID_VALUE_CONSTANT);
    values_[index].bytes = array.bytes.size();
    values_[index].constant = next.fetch_add(1);
    constants_[index].resize((array.bytes.size() + 7) / 8);
    if (!array.bytes.empty()) std::memcpy(constants_[index].data(), array.bytes.data(), array.bytes.size());
    return index;
  }
  // BRAID_NONE is an absent input. min_version 0: the same as version.
  void Node(std::string_view op, int32_t version, const std::vector<uint32_t>& inputs,
            const std::vector<uint32_t>& outputs, const std::map<std::string, Attribute>& attributes = {},
            std::string_view domain = "", std::string_view name = "", int32_t min_version = 0) {
    braid_node n{};
    n.op = Chars(op);
    n.domain = Chars(domain);
    n.name = Chars(name);
    n.version = version;
    n.min_version = min_version != 0 ? min_version : version;
    n.inputs = Append(refs_, inputs);
    n.outputs = Append(refs_, outputs);
    n.group = BRAID_NONE;
    std::vector<braid_attr> own;
    for (const auto& [key, value] : attributes) own.push_back(Make(key, value));
    n.attrs = Append(attrs_, own);
    nodes_.push_back(n);
  }

  // Valid until the graph is changed or gone.
  const braid_graph* view() {
    view_ = BRAID_GRAPH_INIT;
    Set(nodes_, &view_.nodes, &view_.node_count);
    Set(values_, &view_.values, &view_.value_count);
    Set(attrs_, &view_.attrs, &view_.attr_count);
    Set(dims_, &view_.dims, &view_.dim_count);
    view_.node_stride = sizeof(braid_node);
    view_.value_stride = sizeof(braid_value);
    view_.attr_stride = sizeof(braid_attr);
    view_.dim_stride = sizeof(braid_dim);
    Set(refs_, &view_.refs, &view_.ref_count);
    Set(ints_, &view_.ints, &view_.int_count);
    Set(floats_, &view_.floats, &view_.float_count);
    Set(strings_, &view_.strings, &view_.string_count);
    Set(inputs_, &view_.inputs, &view_.input_count);
    Set(outputs_, &view_.outputs, &view_.output_count);
    view_.chars = chars_.data();
    view_.char_count = static_cast<uint32_t>(chars_.size());
    view_.host_data = this;
    return &view_;
  }
  // The bytes of a constant, as braid_host.constant gives them.
  braid_bytes constant(uint32_t value) const { return {constants_[value].data(), values_[value].bytes}; }
  bool is_constant(uint32_t value) const {
    return value < values_.size() && (values_[value].flags & BRAID_VALUE_CONSTANT) != 0;
  }
  braid_type TypeOf(uint32_t value) const { return values_[value].type; }
  std::vector<int64_t> DimsOf(uint32_t value) const {
    std::vector<int64_t> dims;
    for (int32_t i = 0; i < values_[value].rank; ++i)
      dims.push_back(dims_[values_[value].dims + static_cast<uint32_t>(i)].value);
    return dims;
  }

 protected:
  braid_span Chars(std::string_view text) {
    const braid_span span{static_cast<uint32_t>(chars_.size()), static_cast<uint32_t>(text.size())};
    chars_ += text;
    return span;
  }

 private:
  template <class T, class List>
  static braid_span Append(std::vector<T>& to, const List& list) {
    const braid_span span{static_cast<uint32_t>(to.size()), static_cast<uint32_t>(list.size())};
    to.insert(to.end(), list.begin(), list.end());
    return span;
  }
  template <class T, class P>
  static void Set(const std::vector<T>& from, P* array, uint32_t* count) {
    *array = from.data();
    *count = static_cast<uint32_t>(from.size());
  }
  braid_attr Make(const std::string& name, const Attribute& value) {
    braid_attr a{};
    a.name = Chars(name);
    a.tensor = BRAID_NONE;
    if (const auto* i = std::get_if<int64_t>(&value)) {
      a.kind = BRAID_ATTR_INT;
      a.i = *i;
    } else if (const auto* f = std::get_if<float>(&value)) {
      a.kind = BRAID_ATTR_FLOAT;
      a.f = *f;
    } else if (const auto* s = std::get_if<std::string>(&value)) {
      a.kind = BRAID_ATTR_STRING;
      a.list = Chars(*s);
    } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
      a.kind = BRAID_ATTR_INTS;
      a.list = Append(ints_, *ints);
    } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
      a.kind = BRAID_ATTR_FLOATS;
      a.list = Append(floats_, *floats);
    } else if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
      a.kind = BRAID_ATTR_STRINGS;
      std::vector<braid_span> spans;
      for (const std::string& text : *strings) spans.push_back(Chars(text));
      a.list = Append(strings_, spans);
    } else {
      a.kind = BRAID_ATTR_TENSOR;
      a.tensor = std::get<TensorOf>(value).constant;
    }
    return a;
  }

  std::vector<braid_node> nodes_;
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::vector<float> floats_;
  std::vector<braid_span> strings_;
  std::string chars_;
  std::vector<std::vector<uint64_t>> constants_;  // by value, aligned for every type
  braid_graph view_ = BRAID_GRAPH_INIT;
};

// The host's services as Braid would give them, on the calling thread. Graphs are those of this file.
class Host {
 public:
  Host() {
    table_.abi = BRAID_ABI;
    table_.data = this;
    table_.log = [](const braid_host* h, int32_t level, braid_str text) {
      std::lock_guard<std::mutex> lock(Of(h)->mutex_);
      Of(h)->logs_.emplace_back(level, std::string(text.ptr, text.len));
    };
    table_.set_error = [](const braid_host* h, braid_str text) {
      std::lock_guard<std::mutex> lock(Of(h)->mutex_);
      Of(h)->error_.assign(text.ptr, text.len);
    };
    table_.alloc = [](const braid_host*, uint64_t bytes, uint64_t alignment) -> void* {
      alignment = std::max<uint64_t>(alignment, sizeof(void*));
      return std::aligned_alloc(alignment,
                                (std::max<uint64_t>(bytes, 1) + alignment - 1) / alignment * alignment);
    };
    table_.free = [](const braid_host*, void* memory) { std::free(memory); };
    table_.now = [](const braid_host*) {
      timespec t;
      clock_gettime(CLOCK_MONOTONIC, &t);
      return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
    };
    table_.parallel_for = [](const braid_host*, uint64_t n, void (*task)(void*, uint64_t, uint32_t),
                             void* argument) {
      for (uint64_t i = 0; i < n; ++i) task(argument, i, 0);
    };
    table_.concurrency = [](const braid_host*) { return uint32_t{1}; };
    table_.constant = [](const braid_host* h, const braid_graph* graph, uint32_t value, braid_bytes* out,
                         void** token) -> braid_status {
      const auto* from = static_cast<const Graph*>(graph->host_data);
      if (from == nullptr || !from->is_constant(value)) return BRAID_INVALID_ARGUMENT;
      *out = from->constant(value);
      if (token != nullptr) {
        *token = Of(h);
        ++Of(h)->held_;
      }
      return BRAID_OK;
    };
    table_.constant_release = [](const braid_host* h, void* token) {
      if (token != nullptr) --Of(h)->held_;
    };
    table_.cache_get = [](const braid_host*, braid_bytes, braid_bytes*, void**) -> braid_status {
      return BRAID_UNSUPPORTED;
    };
    table_.cache_release = [](const braid_host*, void*) {};
    table_.cache_put = [](const braid_host*, braid_bytes, braid_bytes) -> braid_status {
      return BRAID_UNSUPPORTED;
    };
    table_.get_extension = [](const braid_host*, const char*) -> const void* { return nullptr; };
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  const braid_host* raw() const { return &table_; }
  // The last text of set_error, which is then forgotten.
  std::string error() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(error_, {});
  }
  std::vector<std::pair<int32_t, std::string>> logs() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return logs_;
  }
  int held() const { return held_; }  // constants whose token was not released
  uint64_t now() const { return table_.now(&table_); }

 private:
  static Host* Of(const braid_host* h) { return static_cast<Host*>(h->data); }
  braid_host table_ = BRAID_HOST_INIT;
  mutable std::mutex mutex_;
  std::string error_;
  std::vector<std::pair<int32_t, std::string>> logs_;
  std::atomic<int> held_{0};
};

// A plugin and the calls that tests make most. The host outlives it.
class Plugin {
 public:
  Plugin(Host& host, decltype(&braid_plugin_query) query) : host_(host) {
    Check(query(BRAID_ABI, host.raw(), &table_), "braid_plugin_query");
  }
  ~Plugin() {
    if (table_ != nullptr) table_->shutdown(table_);
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  const braid_plugin* table() const { return table_; }

  std::vector<braid_device_info> Devices() {
    uint32_t count = 0;
    Check(table_->enumerate(table_, 0, nullptr, sizeof(braid_device_info), &count), "enumerate");
    const braid_device_info none = BRAID_DEVICE_INFO_INIT;
    std::vector<braid_device_info> infos(count, none);
    Check(table_->enumerate(table_, count, infos.data(), sizeof none, &count), "enumerate");
    return infos;
  }
  braid_device* Open(uint32_t index = 0, const std::vector<braid_option>& options = {}) {
    braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
    open.options = options.data();
    open.option_count = static_cast<uint32_t>(options.size());
    braid_device* device = nullptr;
    Check(table_->open(table_, index, &open, &device), "open");
    return device;
  }
  void Close(braid_device* device) { table_->device->close(device); }
  std::vector<braid_verdict> Query(braid_device* device, Graph& graph) {
    const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    const braid_graph* view = graph.view();
    braid_verdict none{};
    none.code = BRAID_NO_OP;
    none.input = none.attr = none.group = BRAID_NONE;
    std::vector<braid_verdict> verdicts(view->node_count, none);
    Check(table_->device->query(device, view, &options, verdicts.data(), sizeof none), "query");
    return verdicts;
  }
  braid_exec* Compile(braid_device* device, Graph& graph) {
    const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    braid_exec* exec = nullptr;
    Check(table_->device->compile(device, graph.view(), &options, &exec), "compile");
    return exec;
  }
  // Queries, compiles and runs a graph of known shapes in buffers of the device; the outputs by value. Each
  // tensor lies at an offset in its buffer, so that a plugin that forgets offsets is found.
  std::map<uint32_t, Array> Run(braid_device* device, Graph& graph, const std::map<uint32_t, Array>& inputs) {
    const std::vector<braid_verdict> verdicts = Query(device, graph);
    for (size_t i = 0; i < verdicts.size(); ++i)
      if (verdicts[i].code >= BRAID_NO_OP)
        throw Error(BRAID_UNSUPPORTED, "query refuses node " + std::to_string(i) + ": " + verdicts[i].detail);
    Work work(this, device, Compile(device, graph));
    const braid_graph* view = graph.view();
    for (uint32_t i = 0; i < view->input_count; ++i) {
      const auto given = inputs.find(view->inputs[i]);
      if (given == inputs.end())
        throw Error(BRAID_INVALID_ARGUMENT,
                    "input value " + std::to_string(view->inputs[i]) + " is not given");
      work.Bind(graph, view->inputs[i]);
      work.Transfer(BRAID_TRANSFER_WRITE, i, const_cast<uint8_t*>(given->second.bytes.data()));
    }
    const uint64_t bytes = work.Workspace();
    for (uint32_t i = 0; i < view->output_count; ++i) work.Bind(graph, view->outputs[i]);
    work.Submit(bytes);
    std::map<uint32_t, Array> outputs;
    for (uint32_t i = 0; i < view->output_count; ++i) {
      const uint32_t value = view->outputs[i];
      Array& out = outputs[value];
      out.type = graph.TypeOf(value);
      out.dims = graph.DimsOf(value);
      out.bytes.resize(BytesOf(out.type, out.dims));
      work.Transfer(BRAID_TRANSFER_READ, view->input_count + i, out.bytes.data());
    }
    work.Wait();
    return outputs;
  }
  // Throws where the status is not OK.
  void Check(braid_status status, const char* what) {
    if (status != BRAID_OK)
      throw Error(status,
                  std::string(what) + " answered status " + std::to_string(status) + ": " + host_.error());
  }

 private:
  static constexpr uint64_t kOffset = 4096;

  // One run with all that it holds.
  struct Work {
    Work(Plugin* p, braid_device* d, braid_exec* e) : plugin(p), device(d), exec(e) {}
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    Plugin* plugin;
    braid_device* device;
    braid_exec* exec;
    std::vector<braid_binding> bindings;
    std::vector<std::vector<int64_t>> dims;
    std::vector<braid_buffer*> buffers;
    std::vector<braid_fence*> fences;

    const braid_plugin& table() const { return *plugin->table_; }
    braid_buffer* Alloc(uint64_t bytes) {
      braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
      desc.bytes = bytes;
      braid_buffer* buffer = nullptr;
      plugin->Check(table().device->buffer_alloc(device, &desc, &buffer), "buffer_alloc");
      buffers.push_back(buffer);
      return buffer;
    }
    void Bind(Graph& graph, uint32_t value) {
      dims.push_back(graph.DimsOf(value));
      braid_binding b = BRAID_BINDING_INIT;
      b.value = value;
      b.bytes = BytesOf(graph.TypeOf(value), dims.back());
      b.buffer = Alloc(kOffset + b.bytes);
      b.offset = kOffset;
      b.rank = static_cast<int32_t>(dims.back().size());
      b.dims = dims.back().data();  // a vector's elements stay where they are when the vector is moved
      bindings.push_back(b);
    }
    void Transfer(int32_t kind, size_t binding, void* host) {
      braid_transfer t = BRAID_TRANSFER_INIT;
      t.kind = kind;
      (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = bindings[binding].buffer;
      (kind == BRAID_TRANSFER_WRITE ? t.to_offset : t.from_offset) = kOffset;
      t.host = host;
      t.bytes = bindings[binding].bytes;
      braid_fence* fence = nullptr;
      plugin->Check(table().device->transfer(device, &t, &fence), "transfer");
      if (fence != nullptr) fences.push_back(fence);
    }
    // With the inputs bound.
    uint64_t Workspace() {
      uint64_t bytes = 0;
      plugin->Check(
          table().exec->workspace_size(exec, bindings.data(), static_cast<uint32_t>(bindings.size()),
                                       sizeof(braid_binding), &bytes),
          "workspace_size");
      return bytes;
    }
    void Submit(uint64_t workspace) {
      braid_submit submit = BRAID_SUBMIT_INIT;
      submit.bindings = bindings.data();
      submit.binding_count = static_cast<uint32_t>(bindings.size());
      submit.binding_stride = sizeof(braid_binding);
      if (workspace > 0) submit.workspace = Alloc(workspace);
      braid_fence* fence = nullptr;
      plugin->Check(table().exec->submit(exec, &submit, &fence), "submit");
      if (fence != nullptr) fences.push_back(fence);
    }
    // Throws why the first piece of work failed.
    void Wait() {
      for (braid_fence* fence : fences) {
        const braid_status status = table().fence->wait(fence, UINT64_MAX);
        if (status == BRAID_OK) continue;
        braid_completion completion = BRAID_COMPLETION_INIT;
        table().fence->completion(fence, &completion);
        throw Error(status, "the run ended with status " + std::to_string(status) + ": " +
                                std::string(View(completion.text)));
      }
    }
    ~Work() {
      for (braid_fence* fence : fences) {
        table().fence->wait(fence, UINT64_MAX);
        table().fence->destroy(fence);
      }
      if (exec != nullptr) table().exec->destroy(exec);
      for (braid_buffer* buffer : buffers) table().device->buffer_free(device, buffer);
    }
  };

  Host& host_;
  const braid_plugin* table_ = nullptr;
};

}  // namespace braid::kit::testing

#endif  // BRAID_KIT_TESTING_H_
