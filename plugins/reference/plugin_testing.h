// SPDX-License-Identifier: Apache-2.0
//
// For tests of a plugin through its C tables alone: a host made for tests, and calls with fewer words.
//
//   FakeHost host;
//   PluginUnderTest plugin(host);          // this binary's own braid_plugin_query
//   braid_device* device = plugin.Open(0);
#ifndef BRAID_PLUGINS_REFERENCE_PLUGIN_TESTING_H_
#define BRAID_PLUGINS_REFERENCE_PLUGIN_TESTING_H_

#include <braid/plugin.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "plugins/reference/ops/testing.h"

extern "C" braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host,
                                                      const braid_plugin** plugin);

namespace braid::reference {

// Host services as a core would give them; counts constants that are held, keeps the last error text and all
// logs.
class FakeHost {
 public:
  FakeHost() {
    host_.size = sizeof host_;
    host_.abi = BRAID_ABI;
    host_.data = this;
    host_.log = [](const braid_host* h, int32_t, braid_str text) {
      std::lock_guard lock(Of(h)->mutex_);
      Of(h)->logs_.emplace_back(text.ptr, text.len);
    };
    host_.set_error = [](const braid_host* h, braid_str text) {
      std::lock_guard lock(Of(h)->mutex_);
      Of(h)->error_.assign(text.ptr, text.len);
    };
    host_.alloc = [](const braid_host*, uint64_t bytes, uint64_t alignment) {
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    };
    host_.free = [](const braid_host*, void* p) { std::free(p); };
    host_.now = [](const braid_host*) {
      return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    };
    host_.parallel_for = [](const braid_host*, uint64_t n, void (*task)(void*, uint64_t, uint32_t),
                            void* arg) {
      for (uint64_t i = 0; i < n; ++i) task(arg, i, 0);
    };
    host_.concurrency = [](const braid_host*) { return uint32_t{1}; };
    host_.constant = [](const braid_host* h, const braid_graph* graph, uint32_t value, braid_bytes* out,
                        void** token) {
      *out = static_cast<TestGraph*>(graph->host_data)->constant(value);
      if (token != nullptr) {
        *token = Of(h);
        ++Of(h)->held_;
      }
      return braid_status{BRAID_OK};
    };
    host_.constant_release = [](const braid_host* h, void*) { --Of(h)->held_; };
    host_.cache_get = [](const braid_host*, braid_bytes, braid_bytes*, void**) {
      return braid_status{BRAID_UNSUPPORTED};
    };
    host_.cache_release = [](const braid_host*, void*) {};
    host_.cache_put = [](const braid_host*, braid_bytes, braid_bytes) {
      return braid_status{BRAID_UNSUPPORTED};
    };
    host_.get_extension = [](const braid_host*, const char*) -> const void* { return nullptr; };
  }
  const braid_host* raw() const { return &host_; }
  std::string error() {
    std::lock_guard lock(mutex_);
    return std::exchange(error_, {});
  }
  std::vector<std::string> logs() {
    std::lock_guard lock(mutex_);
    return logs_;
  }
  int held() const { return held_; }
  uint64_t now() const { return host_.now(&host_); }

 private:
  static FakeHost* Of(const braid_host* h) { return static_cast<FakeHost*>(h->data); }
  braid_host host_{};
  std::mutex mutex_;
  std::string error_;
  std::vector<std::string> logs_;
  std::atomic<int> held_{0};
};

// Compares a status and, where it is no OK, shows the text that came with it.
#define EXPECT_STATUS(want, expression)                                 \
  do {                                                                  \
    braid_status got_status = (expression);                             \
    EXPECT_EQ(got_status, want) << #expression << ": " << host.error(); \
  } while (false)

class PluginUnderTest {
 public:
  explicit PluginUnderTest(FakeHost& h) : host(h) {
    EXPECT_STATUS(BRAID_OK, braid_plugin_query(BRAID_ABI, host.raw(), &table));
  }
  ~PluginUnderTest() { table->shutdown(table); }
  PluginUnderTest(const PluginUnderTest&) = delete;
  PluginUnderTest& operator=(const PluginUnderTest&) = delete;

  std::vector<braid_device_info> Devices() {
    std::vector<braid_device_info> infos(8);
    for (auto& i : infos) i.size = sizeof i;
    uint32_t count = 0;
    EXPECT_STATUS(BRAID_OK, table->enumerate(table, 8, infos.data(), sizeof(braid_device_info), &count));
    infos.resize(count);
    return infos;
  }
  braid_device* Open(uint32_t index = 0, std::vector<braid_option> options = {}) {
    braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
    open.options = options.data();
    open.option_count = static_cast<uint32_t>(options.size());
    braid_device* out = nullptr;
    EXPECT_STATUS(BRAID_OK, table->open(table, index, &open, &out));
    return out;
  }
  std::vector<braid_verdict> Query(braid_device* d, TestGraph& graph) {
    braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    const braid_graph* view = graph.view();
    std::vector<braid_verdict> verdicts(view->node_count);
    EXPECT_STATUS(BRAID_OK, table->device->query(d, view, &options, verdicts.data(), sizeof(braid_verdict)));
    return verdicts;
  }
  braid_exec* Compile(braid_device* d, TestGraph& graph) {
    braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    braid_exec* out = nullptr;
    EXPECT_STATUS(BRAID_OK, table->device->compile(d, graph.view(), &options, &out));
    return out;
  }
  braid_buffer* Alloc(braid_device* d, uint64_t bytes) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = bytes;
    braid_buffer* out = nullptr;
    EXPECT_STATUS(BRAID_OK, table->device->buffer_alloc(d, &desc, &out));
    return out;
  }
  // Queues a transfer; null if it was done at once. The caller owns the fence.
  braid_fence* Start(braid_device* d, int32_t kind, braid_buffer* buffer, void* memory, uint64_t bytes,
                     uint32_t queue = 0, std::vector<braid_fence*> waits = {}, uint64_t offset = 0) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = kind;
    (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = buffer;
    (kind == BRAID_TRANSFER_WRITE ? t.to_offset : t.from_offset) = offset;
    t.host = memory;
    t.bytes = bytes;
    t.queue = queue;
    t.waits = waits.data();
    t.wait_count = static_cast<uint32_t>(waits.size());
    braid_fence* fence = nullptr;
    EXPECT_STATUS(BRAID_OK, table->device->transfer(d, &t, &fence));
    return fence;
  }
  braid_status Finish(braid_fence* fence) {
    if (fence == nullptr) return BRAID_OK;
    braid_status status = table->fence->wait(fence, UINT64_MAX);
    table->fence->destroy(fence);
    return status;
  }
  void Write(braid_device* d, braid_buffer* buffer, const void* memory, uint64_t bytes) {
    EXPECT_STATUS(BRAID_OK, Finish(Start(d, BRAID_TRANSFER_WRITE, buffer, const_cast<void*>(memory), bytes)));
  }
  template <class T>
  std::vector<T> Read(braid_device* d, braid_buffer* buffer, size_t count) {
    std::vector<T> out(count);
    EXPECT_STATUS(BRAID_OK, Finish(Start(d, BRAID_TRANSFER_READ, buffer, out.data(), count * sizeof(T))));
    return out;
  }
  braid_status Submit(braid_exec* exec, const std::vector<braid_binding>& bindings, braid_fence** fence,
                      uint32_t queue = 0, std::vector<braid_fence*> waits = {}, uint64_t deadline_ns = 0) {
    braid_submit s = BRAID_SUBMIT_INIT;
    s.bindings = bindings.data();
    s.binding_count = static_cast<uint32_t>(bindings.size());
    s.binding_stride = sizeof(braid_binding);
    s.queue = queue;
    s.flags = BRAID_SUBMIT_TIMED;
    s.waits = waits.data();
    s.wait_count = static_cast<uint32_t>(waits.size());
    s.deadline_ns = deadline_ns;
    *fence = nullptr;
    return table->exec->submit(exec, &s, fence);
  }
  std::string TextOf(braid_fence* fence) {
    braid_completion c = BRAID_COMPLETION_INIT;
    EXPECT_STATUS(BRAID_OK, table->fence->completion(fence, &c));
    return std::string(c.text.ptr == nullptr ? "" : c.text.ptr, c.text.len);
  }

  FakeHost& host;
  const braid_plugin* table = nullptr;
};

// `dims` must outlive the binding.
inline braid_binding Bind(uint32_t value, braid_buffer* buffer, void* host, uint64_t bytes,
                          const Dims& dims) {
  braid_binding b = BRAID_BINDING_INIT;
  b.value = value;
  b.buffer = buffer;
  b.host = host;
  b.bytes = bytes;
  b.rank = static_cast<int32_t>(dims.size());
  b.dims = dims.data();
  return b;
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_PLUGIN_TESTING_H_
