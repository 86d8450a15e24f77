// SPDX-License-Identifier: Apache-2.0
//
// graph.h in C++17: objects that free themselves, exceptions in the place of statuses.
//
//   braid::Graph graph("model.onnx");
//   auto out = graph.Run({braid::Tensor::Of<float>({1, 4}, numbers)});
//   for (float x : out[0].values<float>()) ...
#ifndef BRAID_GRAPH_HPP_
#define BRAID_GRAPH_HPP_

#include <braid/graph.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
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

template <class T>
struct ElementTypeOf;
#define BRAID_GRAPH_ELEMENT(CPP, TYPE)     \
  template <>                              \
  struct ElementTypeOf<CPP> {              \
    static constexpr int32_t value = TYPE; \
  };
BRAID_GRAPH_ELEMENT(float, GRAPH_FLOAT)
BRAID_GRAPH_ELEMENT(double, GRAPH_DOUBLE)
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

// A graph_tensor that owns what a run allocated for it, or borrows the caller's memory.
class Tensor {
 public:
  Tensor() = default;
  ~Tensor() { graph_tensor_release(&raw_); }
  Tensor(Tensor&& other) noexcept { *this = std::move(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    if (this == &other) return *this;
    graph_tensor_release(&raw_);
    name_ = std::move(other.name_);
    raw_ = std::exchange(other.raw_, graph_tensor GRAPH_TENSOR_INIT);
    if (raw_.name != nullptr) raw_.name = name_.c_str();
    return *this;
  }

  // Borrows `count` elements, which must outlive the runs that use the tensor.
  template <class T>
  static Tensor Of(const std::vector<int64_t>& dims, const T* data, uint64_t count, std::string name = {}) {
    if (dims.size() > GRAPH_MAX_RANK)
      throw GraphError(GRAPH_INVALID_ARGUMENT, "a tensor of rank " + std::to_string(dims.size()));
    Tensor tensor;
    tensor.raw_.type = ElementTypeOf<T>::value;
    tensor.raw_.rank = static_cast<int32_t>(dims.size());
    for (size_t i = 0; i < dims.size(); ++i) tensor.raw_.dims[i] = dims[i];
    tensor.raw_.data = const_cast<T*>(data);
    tensor.raw_.bytes = count * sizeof(T);
    tensor.SetName(std::move(name));
    return tensor;
  }
  template <class T>
  static Tensor Of(const std::vector<int64_t>& dims, const std::vector<T>& values, std::string name = {}) {
    return Of<T>(dims, values.data(), values.size(), std::move(name));
  }

  void SetName(std::string name) {
    name_ = std::move(name);
    raw_.name = name_.empty() ? nullptr : name_.c_str();
  }
  const graph_tensor& raw() const { return raw_; }
  graph_tensor& raw() { return raw_; }
  int32_t type() const { return raw_.type; }
  std::vector<int64_t> dims() const { return {raw_.dims, raw_.dims + raw_.rank}; }
  // The elements; throws if they are of another type.
  template <class T>
  const T* data() const {
    if (raw_.type != ElementTypeOf<T>::value)
      throw GraphError(GRAPH_INVALID_ARGUMENT,
                       "the tensor holds elements of type " + std::to_string(raw_.type));
    return static_cast<const T*>(raw_.data);
  }
  template <class T>
  std::vector<T> values() const {
    const T* first = data<T>();
    return std::vector<T>(first, first + raw_.bytes / sizeof(T));
  }

 private:
  graph_tensor raw_ = GRAPH_TENSOR_INIT;
  std::string name_;
};

// Devices, placement and the rest; strings are kept here.
struct GraphOptions {
  std::string devices, placement, cache_folder;
  int32_t threads = 0;
  int32_t precision = GRAPH_PRECISION_EXACT;
  uint32_t flags = 0;
  graph_options raw() const {
    graph_options out = GRAPH_OPTIONS_INIT;
    out.threads = threads;
    out.devices = devices.empty() ? nullptr : devices.c_str();
    out.placement = placement.empty() ? nullptr : placement.c_str();
    out.precision = precision;
    out.flags = flags;
    out.cache_folder = cache_folder.empty() ? nullptr : cache_folder.c_str();
    return out;
  }
};

class Graph {
 public:
  explicit Graph(const std::string& path, const GraphOptions& options = {}) {
    graph_options raw = options.raw();
    graph_t* graph = nullptr;
    Check(graph_load(path.c_str(), &raw, &graph));
    graph_.reset(graph);
  }
  Graph(const void* model, uint64_t bytes, const GraphOptions& options = {}) {
    graph_options raw = options.raw();
    graph_t* graph = nullptr;
    Check(graph_load_memory(model, bytes, &raw, &graph));
    graph_.reset(graph);
  }

  std::vector<graph_value_info> inputs() const { return Infos(graph_inputs); }
  std::vector<graph_value_info> outputs() const { return Infos(graph_outputs); }

  // All outputs, in memory of Braid's. Inputs go by name, or by position where they have none.
  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> outputs(graph_outputs(graph_.get(), nullptr, 0));
    Run(inputs, outputs);
    return outputs;
  }
  // Into the given outputs.
  void Run(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
    std::vector<graph_tensor> in, out;
    for (const Tensor& t : inputs) in.push_back(t.raw());
    for (const Tensor& t : outputs) out.push_back(t.raw());
    Check(graph_run(graph_.get(), in.data(), static_cast<uint32_t>(in.size()), out.data(),
                    static_cast<uint32_t>(out.size())));
    for (size_t i = 0; i < out.size(); ++i) outputs[i].raw() = out[i];
  }
  std::string Explain(int32_t format = GRAPH_EXPLAIN_SUMMARY) const {
    const char* text = nullptr;
    Check(graph_explain(graph_.get(), format, &text));
    return text;
  }
  graph_t* get() const { return graph_.get(); }

 private:
  struct Free {
    void operator()(graph_t* graph) const { graph_free(graph); }
  };
  template <class Function>
  std::vector<graph_value_info> Infos(Function function) const {
    std::vector<graph_value_info> infos(function(graph_.get(), nullptr, 0),
                                        graph_value_info GRAPH_VALUE_INFO_INIT);
    function(graph_.get(), infos.data(), static_cast<uint32_t>(infos.size()));
    return infos;
  }
  std::unique_ptr<graph_t, Free> graph_;
};

}  // namespace braid

#endif  // BRAID_GRAPH_HPP_
