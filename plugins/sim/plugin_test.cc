// SPDX-License-Identifier: Apache-2.0
//
// The plugin `sim` through its C tables: memory apart, queues that work later, fences, faults.
#include <cstdlib>
#include <memory>
#include <thread>

#include "plugins/reference/plugin_testing.h"
#include "plugins/sim/config.h"

namespace braid::reference {
namespace {

class SimPluginTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (device != nullptr) plugin->table->device->close(device);
    plugin.reset();
    EXPECT_EQ(host.held(), 0) << "constants are still held";
  }
  void Open(const char* config) {
    setenv("BRAID_SIM", config, 1);
    plugin = std::make_unique<PluginUnderTest>(host);
    device = plugin->Open(0);
  }
  // y = a + a, over 4 floats in device memory.
  void MakeDouble() {
    a = graph.Input("a", kFloat, {4});
    y = graph.Output("y", kFloat, {4});
    graph.Node("Add", {a, a}, {y});
    exec = plugin->Compile(device, graph);
    in = plugin->Alloc(device, 16);
    out = plugin->Alloc(device, 16);
    plugin->Write(device, in, va.data(), 16);
  }
  void FreeDouble() {
    plugin->table->device->buffer_free(device, in);
    plugin->table->device->buffer_free(device, out);
    plugin->table->exec->destroy(exec);
  }
  std::vector<braid_binding> Bindings() {
    return {Bind(a, in, nullptr, 16, four), Bind(y, out, nullptr, 16, four)};
  }
  const braid_fence_fns& fences() { return *plugin->table->fence; }

  FakeHost host;
  std::unique_ptr<PluginUnderTest> plugin;
  braid_device* device = nullptr;
  braid_exec* exec = nullptr;
  TestGraph graph;
  uint32_t a = 0, y = 0;
  braid_buffer *in = nullptr, *out = nullptr;
  const Dims four{4};
  Floats va{1, 2, 3, 4};
};

TEST_F(SimPluginTest, AnOrdinaryMachineHasNone) {
  unsetenv("BRAID_SIM");
  PluginUnderTest none(host);
  EXPECT_TRUE(none.Devices().empty());
}

TEST_F(SimPluginTest, DevicesAreThoseOfTheConfiguration) {
  setenv("BRAID_SIM", R"({"devices": [{"name": "north", "kind": "gpu", "memory": 4096}, {"queues": 3}]})", 1);
  PluginUnderTest both(host);
  auto infos = both.Devices();
  ASSERT_EQ(infos.size(), 2u);
  EXPECT_EQ(std::string(infos[0].name.ptr, infos[0].name.len), "north");
  EXPECT_EQ(infos[0].kind, BRAID_DEVICE_GPU);
  EXPECT_EQ(infos[0].memory_total, 4096u);
  EXPECT_EQ(infos[0].flags & (BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_MAPPABLE), 0u);
  EXPECT_EQ(infos[1].kind, BRAID_DEVICE_NPU);
  EXPECT_EQ(infos[1].queues, 3u);
}

TEST_F(SimPluginTest, WrongConfigurationsAreNamed) {
  auto expect = [&](const char* config, const std::string& text) {
    setenv("BRAID_SIM", config, 1);
    const braid_plugin* table = nullptr;
    EXPECT_EQ(braid_plugin_query(BRAID_ABI, host.raw(), &table), BRAID_INVALID_ARGUMENT);
    std::string error = host.error();
    EXPECT_NE(error.find(text), std::string::npos) << error;
  };
  expect(R"({"devices": [{"colour": 1}]})", "BRAID_SIM: a device has no key 'colour'");
  expect(R"({"devices": [{"queues": 0}]})", "queues is 0");
  expect(R"({"devices": [{"kind": "abacus"}]})", "kind is 'abacus'");
  expect(R"({"devices": [{"link_gbps": 0}]})", "speeds are above 0");
  expect(R"({"devices": )", "parse error");
  expect("/no/such/file", "the file /no/such/file can't be read");
}

TEST_F(SimPluginTest, ComputesInItsOwnMemory) {
  Open("1");
  MakeDouble();
  braid_fence* fence = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &fence));
  ASSERT_NE(fence, nullptr);
  EXPECT_EQ(fences().wait(fence, UINT64_MAX), BRAID_OK);
  braid_completion c = BRAID_COMPLETION_INIT;
  EXPECT_EQ(fences().completion(fence, &c), BRAID_OK);
  EXPECT_EQ(c.status, BRAID_OK);
  EXPECT_GT(c.start_ns, 0u);
  EXPECT_GE(c.end_ns, c.start_ns);
  fences().destroy(fence);
  EXPECT_EQ(plugin->Read<float>(device, out, 4), (Floats{2, 4, 6, 8}));
  EXPECT_EQ(plugin->Read<float>(device, in, 4), va);
  void* mapped = nullptr;
  EXPECT_EQ(plugin->table->device->map(device, out, 0, 16, &mapped), BRAID_UNSUPPORTED);
  EXPECT_EQ(
      plugin->Submit(exec, {Bind(a, nullptr, va.data(), 16, four), Bind(y, out, nullptr, 16, four)}, &fence),
      BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(host.error(), "'a' is bound to host memory, which this device can't reach");
  FreeDouble();
  EXPECT_TRUE(host.logs().empty());
}

// Submit returns before the work is done: it waits for a fence that only this thread can signal.
TEST_F(SimPluginTest, SubmitReturnsBeforeTheWorkIsDone) {
  Open("1");
  MakeDouble();
  braid_fence *gate = nullptr, *work = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &gate), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work, 0, {gate}));
  // Queued behind it in the same queue, and in the other queue behind its fence.
  Floats same(4), other(4);
  braid_fence* read0 = plugin->Start(device, BRAID_TRANSFER_READ, out, same.data(), 16, 0);
  braid_fence* read1 = plugin->Start(device, BRAID_TRANSFER_READ, out, other.data(), 16, 1, {work});
  EXPECT_EQ(fences().wait(work, 20'000'000), BRAID_PENDING);
  EXPECT_EQ(fences().wait(read0, 0), BRAID_PENDING);
  EXPECT_EQ(fences().wait(read1, 0), BRAID_PENDING);
  fences().signal(gate, BRAID_OK);
  EXPECT_EQ(plugin->Finish(read0), BRAID_OK);
  EXPECT_EQ(plugin->Finish(read1), BRAID_OK);
  EXPECT_EQ(plugin->Finish(work), BRAID_OK);
  EXPECT_EQ(same, (Floats{2, 4, 6, 8}));
  EXPECT_EQ(other, (Floats{2, 4, 6, 8}));
  fences().destroy(gate);
  FreeDouble();
}

TEST_F(SimPluginTest, QueuesAreIndependent) {
  Open("1");
  MakeDouble();
  braid_fence *gate = nullptr, *work = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &gate), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work, 0, {gate}));
  Floats copy(4);
  EXPECT_EQ(plugin->Finish(plugin->Start(device, BRAID_TRANSFER_READ, in, copy.data(), 16, 1)), BRAID_OK);
  EXPECT_EQ(copy, va);
  EXPECT_EQ(fences().wait(work, 0), BRAID_PENDING);
  fences().signal(gate, BRAID_OK);
  EXPECT_EQ(plugin->Finish(work), BRAID_OK);
  fences().destroy(gate);
  FreeDouble();
}

TEST_F(SimPluginTest, AFailedWaitFailsTheWorkButNotTheQueue) {
  Open("1");
  MakeDouble();
  braid_fence *gate = nullptr, *work = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &gate), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work, 0, {gate}));
  fences().signal(gate, BRAID_OUT_OF_MEMORY);
  EXPECT_EQ(fences().wait(work, UINT64_MAX), BRAID_OUT_OF_MEMORY);
  EXPECT_NE(plugin->TextOf(work).find("work that this waited for failed"), std::string::npos);
  fences().destroy(work);
  fences().destroy(gate);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work));
  EXPECT_EQ(plugin->Finish(work), BRAID_OK);
  FreeDouble();
}

TEST_F(SimPluginTest, CallsBackOnce) {
  Open("1");
  MakeDouble();
  braid_fence *gate = nullptr, *work = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &gate), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work, 0, {gate}));
  std::atomic<int> calls{0};
  fences().on_ready(
      work, [](void* n, braid_status s) { *static_cast<std::atomic<int>*>(n) += s == BRAID_OK ? 1 : 100; },
      &calls);
  EXPECT_EQ(calls, 0);
  fences().signal(gate, BRAID_OK);
  EXPECT_EQ(fences().wait(work, UINT64_MAX), BRAID_OK);
  for (int i = 0; i < 1000 && calls == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(calls, 1);
  fences().destroy(work);
  fences().destroy(gate);
  FreeDouble();
}

TEST_F(SimPluginTest, CancelAndDeadlineEndWorkThatWaits) {
  Open("1");
  MakeDouble();
  braid_fence *gate = nullptr, *first = nullptr, *second = nullptr, *third = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &gate), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &first, 0, {gate}));
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &second, 0, {}, host.now() + 1'000'000));
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &third));
  fences().cancel(first);
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  fences().signal(gate, BRAID_OK);
  EXPECT_EQ(fences().wait(first, UINT64_MAX), BRAID_CANCELLED);
  EXPECT_EQ(fences().wait(second, UINT64_MAX), BRAID_TIMEOUT);
  EXPECT_EQ(plugin->TextOf(second), "the deadline passed before the work started");
  EXPECT_EQ(fences().wait(third, UINT64_MAX), BRAID_OK);
  for (braid_fence* f : {gate, first, second, third}) fences().destroy(f);
  FreeDouble();
}

// Also while they wait for a fence that nobody signals.
TEST_F(SimPluginTest, CancelAndDeadlineEndTheWaiting) {
  Open("1");
  MakeDouble();
  braid_fence *never = nullptr, *first = nullptr, *second = nullptr;
  ASSERT_EQ(plugin->table->device->fence_create(device, &never), BRAID_OK);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &first, 0, {never}));
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &second, 1, {never}, host.now() + 10'000'000));
  EXPECT_EQ(fences().wait(second, UINT64_MAX), BRAID_TIMEOUT);
  EXPECT_EQ(fences().wait(first, 0), BRAID_PENDING);
  fences().cancel(first);
  EXPECT_EQ(fences().wait(first, UINT64_MAX), BRAID_CANCELLED);
  for (braid_fence* f : {first, second}) fences().destroy(f);
  fences().signal(never, BRAID_OK);
  fences().destroy(never);
  FreeDouble();
}

// With wall_clock a run takes what it is estimated to, and a cancel ends it in the middle.
TEST_F(SimPluginTest, WallClockWorkTakesItsTimeAndCanBeCancelled) {
  Open(R"({"devices": [{"submit_us": 30000, "link_latency_us": 20000, "wall_clock": true}]})");
  MakeDouble();
  uint64_t start = host.now();
  braid_fence* work = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work));
  EXPECT_LT(host.now() - start, 20'000'000u) << "submit must not wait for the device";
  EXPECT_EQ(plugin->Finish(work), BRAID_OK);
  EXPECT_GE(host.now() - start, 30'000'000u);
  start = host.now();
  EXPECT_EQ(plugin->Read<float>(device, out, 4), (Floats{2, 4, 6, 8}));
  EXPECT_GE(host.now() - start, 20'000'000u);
  FreeDouble();
  plugin->table->device->close(device);
  device = nullptr;
  braid_option config{{"config", 6}, {R"({"submit_us": 60e6, "wall_clock": true})", 40}};
  config.value.len = std::string_view(config.value.ptr).size();
  device = plugin->Open(0, {config});
  exec = plugin->Compile(device, graph);
  in = plugin->Alloc(device, 16);
  out = plugin->Alloc(device, 16);
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &work));
  EXPECT_EQ(fences().wait(work, 5'000'000), BRAID_PENDING);
  fences().cancel(work);
  EXPECT_EQ(plugin->Finish(work), BRAID_CANCELLED);
  FreeDouble();
}

TEST_F(SimPluginTest, AFailedRunSaysWhyAndStopsNothing) {
  Open("1");
  uint32_t x = graph.Input("x", kFloat, {2}), i = graph.Input("i", kInt64, {1});
  uint32_t picked = graph.Output("picked", kFloat, {1});
  graph.Node("Gather", {x, i}, {picked}, {}, "", 0, "pick");
  exec = plugin->Compile(device, graph);
  braid_buffer *bx = plugin->Alloc(device, 8), *bi = plugin->Alloc(device, 8), *bo = plugin->Alloc(device, 4);
  const Dims two{2}, one{1};
  plugin->Write(device, bx, va.data(), 8);
  for (auto [index, status] : {std::pair<int64_t, braid_status>{7, BRAID_INVALID_ARGUMENT}, {1, BRAID_OK}}) {
    plugin->Write(device, bi, &index, 8);
    braid_fence* work = nullptr;
    EXPECT_STATUS(BRAID_OK, plugin->Submit(exec,
                                           {Bind(x, bx, nullptr, 8, two), Bind(i, bi, nullptr, 8, one),
                                            Bind(picked, bo, nullptr, 4, one)},
                                           &work));
    EXPECT_EQ(fences().wait(work, UINT64_MAX), status);
    if (status != BRAID_OK) {
      EXPECT_NE(plugin->TextOf(work).find("Gather 'pick'"), std::string::npos) << plugin->TextOf(work);
    }
    fences().destroy(work);
  }
  EXPECT_EQ(plugin->Read<float>(device, bo, 1), (Floats{2}));
  for (braid_buffer* b : {bx, bi, bo}) plugin->table->device->buffer_free(device, b);
  plugin->table->exec->destroy(exec);
}

// NonZero's output has as many columns as its input has elements that are not zero.
TEST_F(SimPluginTest, OutputsOfUnknownSizeAreTaken) {
  Open("1");
  uint32_t x = graph.Input("x", kFloat, {4});
  uint32_t where = graph.Output("where", kInt64, {1, -1});
  graph.Node("NonZero", {x}, {where});
  exec = plugin->Compile(device, graph);
  in = plugin->Alloc(device, 16);
  const Floats data{0, 5, 0, -1};
  plugin->Write(device, in, data.data(), 16);
  braid_fence* work = nullptr;
  EXPECT_STATUS(
      BRAID_OK,
      plugin->Submit(exec, {Bind(x, in, nullptr, 16, four), Bind(where, nullptr, nullptr, 0, {})}, &work));
  EXPECT_EQ(fences().wait(work, UINT64_MAX), BRAID_OK);
  braid_buffer* taken = nullptr;
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  EXPECT_STATUS(BRAID_OK, plugin->table->exec->take_output(exec, work, where, &taken, &rank, dims));
  ASSERT_EQ(rank, 2);
  EXPECT_EQ(dims[0], 1);
  EXPECT_EQ(dims[1], 2);
  EXPECT_EQ(plugin->Read<int64_t>(device, taken, 2), (Ints{1, 3}));
  fences().destroy(work);
  plugin->table->device->buffer_free(device, taken);
  plugin->table->device->buffer_free(device, in);
  plugin->table->exec->destroy(exec);
}

TEST_F(SimPluginTest, MemoryHasAnEnd) {
  Open(R"({"devices": [{"memory": 1000}]})");
  braid_buffer* first = plugin->Alloc(device, 600);
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 500;
  braid_buffer* second = nullptr;
  EXPECT_EQ(plugin->table->device->buffer_alloc(device, &desc, &second), BRAID_OUT_OF_MEMORY);
  EXPECT_EQ(host.error(), "500 bytes do not fit: 600 of 1000 are in use");
  desc.bytes = UINT64_MAX;
  EXPECT_EQ(plugin->table->device->buffer_alloc(device, &desc, &second), BRAID_OUT_OF_MEMORY);
  braid_health health = BRAID_HEALTH_INIT;
  EXPECT_EQ(plugin->table->device->health(device, &health), BRAID_OK);
  EXPECT_EQ(health.memory_free, 400u);
  plugin->table->device->buffer_free(device, first);
  second = plugin->Alloc(device, 1000);
  plugin->table->device->buffer_free(device, second);
}

TEST_F(SimPluginTest, TransfersStayWithinTheirBuffer) {
  Open("1");
  in = plugin->Alloc(device, 16);
  char memory[32];
  for (auto [offset, bytes] :
       {std::pair<uint64_t, uint64_t>{0, 17}, {16, 1}, {UINT64_MAX, 2}, {8, UINT64_MAX}}) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = BRAID_TRANSFER_WRITE;
    t.to = in;
    t.to_offset = offset;
    t.bytes = bytes;
    t.host = memory;
    braid_fence* fence = nullptr;
    EXPECT_EQ(plugin->table->device->transfer(device, &t, &fence), BRAID_INVALID_ARGUMENT);
    EXPECT_NE(host.error().find("leaves a buffer of 16"), std::string::npos);
  }
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_READ;
  t.from = in;
  t.host = memory;
  t.bytes = 4;
  t.queue = 9;
  braid_fence* fence = nullptr;
  EXPECT_EQ(plugin->table->device->transfer(device, &t, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(host.error(), "there is no queue 9");
  plugin->table->device->buffer_free(device, in);
}

TEST_F(SimPluginTest, LacksWhatTheConfigurationSays) {
  Open(R"({"devices": [{"lacks": ["Relu"], "types": ["float32"]}]})");
  uint32_t x = graph.Input("x", kFloat, {4}), n = graph.Input("n", kInt64, {4});
  graph.Node("Relu", {x}, {graph.Output("p", kFloat, {4})});
  graph.Node("Add", {x, x}, {graph.Output("q", kFloat, {4})});
  graph.Node("Add", {n, n}, {graph.Output("r", kInt64, {4})});
  auto v = plugin->Query(device, graph);
  EXPECT_EQ(v[0].code, BRAID_NO_OP);
  EXPECT_STREQ(v[0].detail, "this simulated device lacks Relu");
  EXPECT_EQ(v[1].code, BRAID_YES);
  EXPECT_EQ(v[2].code, BRAID_NO_TYPE);
  EXPECT_STREQ(v[2].detail, "this simulated device lacks int64");
}

TEST_F(SimPluginTest, LinksAndCostsAreThoseOfTheConfiguration) {
  Open(R"({"devices": [{"link_latency_us": 7, "link_gbps": 2, "submit_us": 90}]})");
  braid_device_info peer = BRAID_DEVICE_INFO_INIT;
  braid_link link = BRAID_LINK_INIT;
  EXPECT_EQ(plugin->table->device->link(device, &peer, &link), BRAID_OK);
  EXPECT_EQ(link.kind, BRAID_LINK_HOST);
  EXPECT_EQ(link.latency_ns, 7000u);
  EXPECT_EQ(link.bytes_per_second, 2'000'000'000u);
  uint32_t x = graph.Input("x", kFloat, {4});
  graph.Node("Relu", {x}, {graph.Output("p", kFloat, {4})});
  const uint32_t nodes[] = {0}, ends[] = {1};
  braid_cost cost = BRAID_COST_INIT;
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  EXPECT_EQ(
      plugin->table->device->estimate(device, graph.view(), &options, nodes, ends, 1, &cost, sizeof cost),
      BRAID_OK);
  EXPECT_GE(cost.time_ns, 90'000u);
  EXPECT_LT(cost.time_ns, 92'000u);
}

TEST_F(SimPluginTest, ALostDeviceFailsEverythingButFreeing) {
  Open(R"({"devices": [{"lose_after": 2}]})");
  MakeDouble();
  braid_fence *first = nullptr, *second = nullptr, *third = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &first));
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &second));
  EXPECT_STATUS(BRAID_OK, plugin->Submit(exec, Bindings(), &third, 1, {second}));
  EXPECT_EQ(plugin->Finish(first), BRAID_OK);
  EXPECT_EQ(fences().wait(second, UINT64_MAX), BRAID_DEVICE_LOST);
  EXPECT_EQ(fences().wait(third, UINT64_MAX), BRAID_DEVICE_LOST);
  EXPECT_EQ(plugin->TextOf(second), "the device is lost");
  fences().destroy(second);
  fences().destroy(third);
  braid_health health = BRAID_HEALTH_INIT;
  EXPECT_EQ(plugin->table->device->health(device, &health), BRAID_DEVICE_LOST);
  char byte = 0;
  EXPECT_EQ(plugin->Finish(plugin->Start(device, BRAID_TRANSFER_READ, in, &byte, 1)), BRAID_DEVICE_LOST);
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 4;
  braid_buffer* none = nullptr;
  EXPECT_EQ(plugin->table->device->buffer_alloc(device, &desc, &none), BRAID_DEVICE_LOST);
  FreeDouble();
  // Opened again it works.
  plugin->table->device->close(device);
  device = plugin->Open(0);
  EXPECT_EQ(plugin->table->device->health(device, &health), BRAID_OK);
}

}  // namespace
}  // namespace braid::reference
