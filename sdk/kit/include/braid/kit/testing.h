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
#include <braid/kit/testing/graph.h>
#include <braid/kit/testing/host.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace braid::kit::testing {

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
    braid_buffer* Alloc(uint64_t bytes, uint64_t alignment = 0) {
      braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
      desc.bytes = bytes;
      desc.alignment = alignment;
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
