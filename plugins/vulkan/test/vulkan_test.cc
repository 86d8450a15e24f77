// SPDX-License-Identifier: Apache-2.0
//
// The device: discovery, asynchronous runs, order, failures. Operators: operators_test.cc.
#include <cmath>
#include <cstdlib>
#include <thread>

#include "plugins/vulkan/test/fixture.h"

namespace braid::vulkan {
namespace {

using DeviceTest = VulkanTest;

TEST(NoVulkan, NoDriverIsAnEmptyListWithTheReasonInTheLog) {
  setenv("VK_ICD_FILENAMES", "/nonexistent.json", 1);
  setenv("VK_DRIVER_FILES", "/nonexistent.json", 1);
  TestHost host;
  const braid_plugin* plugin = nullptr;
  auto entry = PluginEntry();
  ASSERT_NE(entry, nullptr);
  ASSERT_EQ(entry(BRAID_ABI, host.table(), &plugin), BRAID_OK);
  uint32_t count = 99;
  EXPECT_EQ(plugin->enumerate(plugin, 0, nullptr, sizeof(braid_device_info), &count), BRAID_OK);
  EXPECT_EQ(count, 0u);
  EXPECT_NE(host.log.find("no Vulkan device"), std::string::npos) << host.log;
  plugin->shutdown(plugin);
  unsetenv("VK_ICD_FILENAMES");
  unsetenv("VK_DRIVER_FILES");
}

TEST_F(DeviceTest, TellsWhatItIs) {
  braid_device_info info = BRAID_DEVICE_INFO_INIT;
  uint32_t count = 0;
  ASSERT_EQ(plugin_->enumerate(plugin_, 1, &info, sizeof info, &count), BRAID_OK);
  EXPECT_GT(info.name.len, 0u);
  EXPECT_GT(info.driver.len, 0u);
  EXPECT_GT(info.memory_total, 0u);
  EXPECT_GE(info.queues, 2u);
  uint8_t zero[16] = {};
  EXPECT_NE(std::memcmp(info.uuid, zero, 16), 0);
  braid_health health = BRAID_HEALTH_INIT;
  EXPECT_EQ(plugin_->device->health(device_, &health), BRAID_OK);
  EXPECT_LE(health.memory_free, info.memory_total);
}

TEST_F(DeviceTest, UnknownOptionIsNamed) {
  braid_option option{{"speed", 5}, {"9", 1}};
  braid_open_options options = BRAID_OPEN_OPTIONS_INIT;
  options.options = &option;
  options.option_count = 1;
  braid_device* device = nullptr;
  EXPECT_EQ(plugin_->open(plugin_, 0, &options, &device), BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host_->error.find("speed"), std::string::npos);
}

TEST_F(DeviceTest, RefusesWithTheReason) {
  Graph unknown;
  unknown.Node("NonZero", 13, {unknown.Input(kFloat, {4})}, {unknown.Output(kI64, {1, 4})});
  EXPECT_EQ(Judge(unknown).code, BRAID_NO_OP);
  Graph runtime;
  uint32_t x = runtime.Input(kFloat, {4}), s = runtime.Input(kI64, {1}), e = runtime.Input(kI64, {1});
  runtime.Node("Slice", 13, {x, s, e}, {runtime.Output(kFloat, {2})});
  braid_verdict verdict = Judge(runtime);
  EXPECT_EQ(verdict.code, BRAID_NO_RUNTIME_VALUE);
  EXPECT_EQ(verdict.input, 1u);
  Graph dynamic;
  dynamic.Node("Relu", 14, {dynamic.Input(kFloat, {-1})}, {dynamic.Output(kFloat, {-1})});
  EXPECT_EQ(Judge(dynamic).code, BRAID_NO_DYNAMIC);
  Graph type;
  type.Node("Relu", 14, {type.Input(11, {4})}, {type.Output(11, {4})});
  EXPECT_EQ(Judge(type).code, BRAID_NO_TYPE);
  EXPECT_EQ(Judge(type).input, 0u);
  Graph large;
  large.Node("Relu", 14, {large.Input(kFloat, {1 << 30, 64})}, {large.Output(kFloat, {1 << 30, 64})});
  EXPECT_EQ(Judge(large).code, BRAID_NO_MEMORY);
  Graph attribute;
  attribute.Node(
      "Resize", 19,
      {attribute.Input(kFloat, {1, 1, 2, 2}), BRAID_NONE, attribute.Constant(F({4}, {1, 1, 2, 2}))},
      {attribute.Output(kFloat, {1, 1, 4, 4})}, {{"coordinate_transformation_mode", "tf_crop_and_resize"}});
  EXPECT_EQ(Judge(attribute).code, BRAID_NO_ATTRIBUTE);
  EXPECT_EQ(Judge(attribute).attr, 0u);
}

// y = x + 1, over and over: what the tests of order and failure run.
class RunTest : public VulkanTest {
 protected:
  void SetUp() override {
    VulkanTest::SetUp();
    if (IsSkipped()) return;
    x_ = graph_.Input(kFloat, {1000});
    y_ = graph_.Output(kFloat, {1000});
    graph_.Node("Add", 14, {x_, graph_.Constant(F({1}, {1.0f}))}, {y_});
  }
  braid_exec* Compile(braid_device* device) {
    braid_exec* exec = nullptr;
    braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    EXPECT_EQ(plugin_->device->compile(device, graph_.view(), &options, &exec), BRAID_OK) << host_->error;
    return exec;
  }
  braid_buffer* Alloc(braid_device* device) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = 4000;
    desc.flags = BRAID_BUFFER_MAPPABLE;
    braid_buffer* buffer = nullptr;
    EXPECT_EQ(plugin_->device->buffer_alloc(device, &desc, &buffer), BRAID_OK) << host_->error;
    return buffer;
  }
  braid_fence* Submit(braid_exec* exec, braid_buffer* from, braid_buffer* to, uint32_t queue = 0,
                      std::vector<braid_fence*> waits = {}, uint32_t flags = 0) {
    braid_binding bindings[2] = {BRAID_BINDING_INIT, BRAID_BINDING_INIT};
    bindings[0].value = x_;
    bindings[0].buffer = from;
    bindings[1].value = y_;
    bindings[1].buffer = to;
    for (braid_binding& binding : bindings) {
      binding.bytes = 4000;
      binding.rank = 1;
      binding.dims = kDims;
    }
    braid_submit submit = BRAID_SUBMIT_INIT;
    submit.bindings = bindings;
    submit.binding_count = 2;
    submit.binding_stride = sizeof(braid_binding);
    submit.queue = queue;
    submit.flags = flags;
    submit.waits = waits.data();
    submit.wait_count = static_cast<uint32_t>(waits.size());
    braid_fence* fence = nullptr;
    EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_OK) << host_->error;
    return fence;
  }
  braid_fence* Move(braid_device* device, int32_t kind, braid_buffer* buffer, std::vector<float>& data) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = kind;
    (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = buffer;
    t.host = data.data();
    t.bytes = 4000;
    braid_fence* fence = nullptr;
    EXPECT_EQ(plugin_->device->transfer(device, &t, &fence), BRAID_OK) << host_->error;
    return fence;
  }
  braid_status Finish(braid_fence* fence) {
    braid_status status = plugin_->fence->wait(fence, UINT64_MAX);
    plugin_->fence->destroy(fence);
    return status;
  }
  Graph graph_;
  static constexpr int64_t kDims[] = {1000};
  uint32_t x_ = 0, y_ = 0;
};

TEST_F(RunTest, ManyRunsInFlightTakeEffectInOrder) {
  braid_exec* exec = Compile(device_);
  braid_buffer *a = Alloc(device_), *b = Alloc(device_);
  std::vector<float> data(1000), result(1000);
  for (size_t i = 0; i < 1000; ++i) data[i] = static_cast<float>(i);
  std::vector<braid_fence*> fences{Move(device_, BRAID_TRANSFER_WRITE, a, data)};
  for (int i = 0; i < 50; ++i) {
    fences.push_back(Submit(exec, a, b));
    fences.push_back(Submit(exec, b, a));
  }
  fences.push_back(Move(device_, BRAID_TRANSFER_READ, a, result));
  for (braid_fence* f : fences) EXPECT_EQ(Finish(f), BRAID_OK);
  for (size_t i = 0; i < 1000; ++i) EXPECT_EQ(result[i], static_cast<float>(i) + 100.0f);
  plugin_->exec->destroy(exec);
  plugin_->device->buffer_free(device_, a);
  plugin_->device->buffer_free(device_, b);
}

TEST_F(RunTest, WaitsForTheHostWithoutHoldingTheCallerOrTheOtherQueue) {
  braid_exec* exec = Compile(device_);
  braid_buffer *a = Alloc(device_), *b = Alloc(device_), *c = Alloc(device_), *d = Alloc(device_);
  std::vector<float> data(1000, 1.0f), result(1000);
  EXPECT_EQ(Finish(Move(device_, BRAID_TRANSFER_WRITE, a, data)), BRAID_OK);
  EXPECT_EQ(Finish(Move(device_, BRAID_TRANSFER_WRITE, c, data)), BRAID_OK);
  braid_fence* gate = nullptr;
  ASSERT_EQ(plugin_->device->fence_create(device_, &gate), BRAID_OK);
  braid_fence* held = Submit(exec, a, b, 0, {gate});
  // Later in the same queue, and in another one behind it.
  braid_fence* behind = Submit(exec, b, a, 0);
  braid_fence* other = Submit(exec, c, d, 1);
  braid_fence* across = Submit(exec, d, c, 1, {behind});
  EXPECT_EQ(Finish(other), BRAID_OK);
  EXPECT_EQ(plugin_->fence->wait(held, 0), BRAID_PENDING);
  EXPECT_EQ(plugin_->fence->wait(behind, 1000000), BRAID_PENDING);
  EXPECT_EQ(plugin_->fence->wait(across, 0), BRAID_PENDING);
  std::atomic<int> called{0};
  plugin_->fence->on_ready(
      behind,
      [](void* n, braid_status s) { static_cast<std::atomic<int>*>(n)->store(s == BRAID_OK ? 1 : 2); },
      &called);
  plugin_->fence->signal(gate, BRAID_OK);
  EXPECT_EQ(Finish(held), BRAID_OK);
  EXPECT_EQ(Finish(across), BRAID_OK);
  EXPECT_EQ(plugin_->fence->wait(behind, UINT64_MAX), BRAID_OK);
  while (called == 0) std::this_thread::yield();
  EXPECT_EQ(called, 1);
  plugin_->fence->destroy(behind);
  plugin_->fence->destroy(gate);
  EXPECT_EQ(Finish(Move(device_, BRAID_TRANSFER_READ, a, result)), BRAID_OK);
  EXPECT_EQ(result[999], 3.0f);
  plugin_->exec->destroy(exec);
  for (braid_buffer* buffer : {a, b, c, d}) plugin_->device->buffer_free(device_, buffer);
}

TEST_F(RunTest, AFailedWaitFailsTheRunAndNothingElse) {
  braid_exec* exec = Compile(device_);
  braid_buffer *a = Alloc(device_), *b = Alloc(device_);
  braid_fence* gate = nullptr;
  ASSERT_EQ(plugin_->device->fence_create(device_, &gate), BRAID_OK);
  braid_fence* held = Submit(exec, a, b, 0, {gate});
  braid_fence* after = Submit(exec, a, b, 0);
  braid_fence* cancelled = Submit(exec, a, b, 0);
  plugin_->fence->cancel(cancelled);
  plugin_->fence->signal(gate, BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(Finish(held), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(Finish(after), BRAID_OK);
  EXPECT_EQ(Finish(cancelled), BRAID_CANCELLED);
  plugin_->fence->destroy(gate);
  plugin_->exec->destroy(exec);
  plugin_->device->buffer_free(device_, a);
  plugin_->device->buffer_free(device_, b);
}

TEST_F(RunTest, TimesAreOfTheHostsClock) {
  braid_exec* exec = Compile(device_);
  braid_buffer *a = Alloc(device_), *b = Alloc(device_);
  const braid_host* host = host_->table();
  uint64_t before = host->now(host);
  braid_fence* fence = Submit(exec, a, b, 0, {}, BRAID_SUBMIT_TIMED);
  EXPECT_EQ(plugin_->fence->wait(fence, UINT64_MAX), BRAID_OK);
  braid_completion completion = BRAID_COMPLETION_INIT;
  EXPECT_EQ(plugin_->fence->completion(fence, &completion), BRAID_OK);
  EXPECT_GE(completion.start_ns, before);
  EXPECT_GE(completion.end_ns, completion.start_ns);
  EXPECT_LE(completion.end_ns, host->now(host));
  plugin_->fence->destroy(fence);
  plugin_->exec->destroy(exec);
  plugin_->device->buffer_free(device_, a);
  plugin_->device->buffer_free(device_, b);
}

TEST_F(RunTest, ALostDeviceEndsEverythingAndStillCloses) {
  braid_option option{{"lose_after", 10}, {"2", 1}};
  braid_open_options options = BRAID_OPEN_OPTIONS_INIT;
  options.options = &option;
  options.option_count = 1;
  braid_device* device = nullptr;
  ASSERT_EQ(plugin_->open(plugin_, 0, &options, &device), BRAID_OK) << host_->error;
  braid_exec* exec = Compile(device);
  braid_buffer *a = Alloc(device), *b = Alloc(device);
  braid_fence* gate = nullptr;
  ASSERT_EQ(plugin_->device->fence_create(device, &gate), BRAID_OK);
  braid_fence* waiting = Submit(exec, a, b, 1, {gate});
  EXPECT_EQ(Finish(Submit(exec, a, b)), BRAID_OK);
  EXPECT_EQ(Finish(Submit(exec, a, b)), BRAID_OK);
  EXPECT_EQ(Finish(Submit(exec, a, b)), BRAID_DEVICE_LOST);
  EXPECT_EQ(Finish(Submit(exec, a, b)), BRAID_DEVICE_LOST);
  EXPECT_EQ(Finish(waiting), BRAID_DEVICE_LOST) << "although its gate never opened";
  std::vector<float> data(1000);
  EXPECT_EQ(Finish(Move(device, BRAID_TRANSFER_WRITE, a, data)), BRAID_DEVICE_LOST);
  braid_health health = BRAID_HEALTH_INIT;
  EXPECT_EQ(plugin_->device->health(device, &health), BRAID_DEVICE_LOST);
  plugin_->fence->destroy(gate);
  plugin_->exec->destroy(exec);
  plugin_->device->buffer_free(device, a);
  plugin_->device->buffer_free(device, b);
  plugin_->device->close(device);
}

TEST_F(RunTest, BadBindingsAreNamed) {
  braid_exec* exec = Compile(device_);
  braid_buffer* a = Alloc(device_);
  braid_binding binding = BRAID_BINDING_INIT;
  binding.value = x_;
  binding.buffer = a;
  binding.bytes = 4000;
  binding.rank = 1;
  binding.dims = kDims;
  braid_submit submit = BRAID_SUBMIT_INIT;
  submit.bindings = &binding;
  submit.binding_count = 1;
  submit.binding_stride = sizeof binding;
  braid_fence* fence = nullptr;
  EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host_->error.find("not bound"), std::string::npos) << host_->error;
  binding.dims = nullptr;
  EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host_->error.find("other dims"), std::string::npos) << host_->error;
  binding.dims = kDims;
  binding.offset = 2000;
  EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host_->error.find("beyond a buffer"), std::string::npos) << host_->error;
  binding.offset = 2;
  EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host_->error.find("multiple"), std::string::npos) << host_->error;
  plugin_->exec->destroy(exec);
  plugin_->device->buffer_free(device_, a);
}

TEST_F(DeviceTest, EstimatesGrowWithTheWorkAndAreOfThisDevice) {
  Graph graph;
  uint32_t a = graph.Input(kFloat, {256, 256}), small = graph.Input(kFloat, {256, 64}),
           large = graph.Input(kFloat, {256, 1024});
  graph.Node("MatMul", 13, {a, small}, {graph.Output(kFloat, {256, 64})});
  graph.Node("MatMul", 13, {a, large}, {graph.Output(kFloat, {256, 1024})});
  graph.Node("Relu", 14, {a}, {graph.Output(kFloat, {256, 256})});
  graph.Node("Identity", 25, {a}, {graph.Output(kFloat, {256, 256})});
  const uint32_t nodes[] = {0, 1, 2, 3, 0, 1, 2, 3}, ends[] = {1, 2, 3, 4, 8};
  braid_cost costs[5];
  for (auto& cost : costs) cost = BRAID_COST_INIT;
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  ASSERT_EQ(
      plugin_->device->estimate(device_, graph.view(), &options, nodes, ends, 5, costs, sizeof costs[0]),
      BRAID_OK)
      << host_->error;
  for (auto& cost : costs) {
    EXPECT_EQ(cost.confidence, BRAID_MODELLED);
    EXPECT_GT(cost.time_ns, 0u);
  }
  EXPECT_GT(costs[1].time_ns, costs[0].time_ns);
  EXPECT_GE(costs[2].bytes_moved, 2u * 256 * 256 * 4);
  EXPECT_EQ(costs[3].bytes_moved, 2u * 256 * 256 * 4);  // the output leaves the segment: a copy
  EXPECT_GT(costs[4].time_ns, costs[1].time_ns);
  EXPECT_LT(costs[4].time_ns, costs[0].time_ns + costs[1].time_ns + costs[2].time_ns + costs[3].time_ns);
  EXPECT_NE(host_->log.find("measured: "), std::string::npos) << host_->log;
}

TEST_F(DeviceTest, ImportsHostMemory) {
  braid_device_info info = BRAID_DEVICE_INFO_INIT;
  uint32_t count = 0;
  ASSERT_EQ(plugin_->enumerate(plugin_, 1, &info, sizeof info, &count), BRAID_OK);
  if ((info.imports & BRAID_HANDLE_HOST_POINTER) == 0) GTEST_SKIP() << "this device imports no host memory";
  void* memory = std::aligned_alloc(info.import_alignment, info.import_alignment);
  std::memset(memory, 7, info.import_alignment);
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_HOST_POINTER;
  handle.pointer = memory;
  handle.bytes = info.import_alignment;
  braid_buffer* buffer = nullptr;
  ASSERT_EQ(plugin_->device->buffer_import(device_, &handle, &buffer), BRAID_OK) << host_->error;
  uint8_t byte = 0;
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_READ;
  t.from = buffer;
  t.host = &byte;
  t.bytes = 1;
  braid_fence* fence = nullptr;
  ASSERT_EQ(plugin_->device->transfer(device_, &t, &fence), BRAID_OK);
  EXPECT_EQ(plugin_->fence->wait(fence, UINT64_MAX), BRAID_OK);
  EXPECT_EQ(byte, 7);
  plugin_->fence->destroy(fence);
  plugin_->device->buffer_free(device_, buffer);
  std::free(memory);
}

}  // namespace
}  // namespace braid::vulkan
