// SPDX-License-Identifier: Apache-2.0
//
// The plugin `reference` through its C tables. Expected values are small sums done by hand.
#include <cstring>
#include <limits>
#include <new>
#include <thread>

#include "plugins/reference/plugin_testing.h"
#include "plugins/reference/runner.h"

namespace braid::reference {
namespace {

class ReferencePluginTest : public ::testing::Test {
 protected:
  void SetUp() override { device = plugin.Open(0); }
  void TearDown() override {
    plugin.table->device->close(device);
    EXPECT_EQ(host.held(), 0) << "constants are still held";
  }
  // y = (a + b) * 2
  void MakeSum() {
    a = graph.Input("a", kFloat, {4});
    b = graph.Input("b", kFloat, {4});
    uint32_t two = graph.Constant("two", Tensor::Of<float>({}, {2}));
    uint32_t sum = graph.Value("sum", kFloat, {4});
    y = graph.Output("y", kFloat, {4});
    graph.Node("Add", {a, b}, {sum});
    graph.Node("Mul", {sum, two}, {y});
  }
  FakeHost host;
  PluginUnderTest plugin{host};
  braid_device* device = nullptr;
  TestGraph graph;
  uint32_t a = 0, b = 0, y = 0;
  const Dims four{4};
  std::vector<float> va{1, 2, 3, 4}, vb{10, 20, 30, -40}, vy = std::vector<float>(4);
};

TEST_F(ReferencePluginTest, TellsWhatItIs) {
  auto infos = plugin.Devices();
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].kind, BRAID_DEVICE_CPU);
  EXPECT_EQ(infos[0].flags, BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_UNIFIED |
                                BRAID_MEMORY_MAPPABLE | BRAID_DETERMINISTIC);
  EXPECT_GT(infos[0].memory_total, uint64_t{1} << 20);
  EXPECT_EQ(std::string(plugin.table->id.ptr, plugin.table->id.len), "reference");
  braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  braid_device* none = nullptr;
  EXPECT_EQ(plugin.table->open(plugin.table, 1, &open, &none), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(host.error(), "there is no device 1");
  braid_option option{{"speed", 5}, {"1", 1}};
  open.options = &option;
  open.option_count = 1;
  EXPECT_EQ(plugin.table->open(plugin.table, 0, &open, &none), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(host.error(), "there is no option 'speed'");
  const braid_plugin* other = nullptr;
  EXPECT_EQ(braid_plugin_query(BRAID_ABI + 1, host.raw(), &other), BRAID_UNSUPPORTED);
  EXPECT_EQ(other, nullptr);
}

TEST_F(ReferencePluginTest, JudgesEachNodeWithAReason) {
  uint32_t x = graph.Input("x", kFloat, {4}), s = graph.Input("s", kString, {4});
  auto out = [&] { return graph.Output("out", kFloat, {4}); };
  graph.Node("Add", {x, x}, {out()});
  graph.Node("NoSuchOperator", {x}, {out()}, {}, "", 3);
  graph.Node("Add", {x, s}, {out()});
  graph.Node("Add", {x, x}, {out()}, {}, "", 99, "", 98);
  graph.Node("Add", {x, x}, {out()}, {}, "", 99, "", 7);
  auto v = plugin.Query(device, graph);
  EXPECT_EQ(v[0].code, BRAID_YES);
  EXPECT_EQ(v[1].code, BRAID_NO_OP);
  EXPECT_STREQ(v[1].detail, "NoSuchOperator-3 is not known");
  EXPECT_EQ(v[2].code, BRAID_NO_TYPE);
  EXPECT_EQ(v[2].input, 1u);
  EXPECT_STREQ(v[2].detail, "Add-14: input 1 is string");
  EXPECT_EQ(v[3].code, BRAID_NO_OPSET);
  EXPECT_STREQ(v[3].detail, "Add-99: version 14 is implemented");
  EXPECT_EQ(v[4].code, BRAID_YES) << "min_version says that version 14 means the same";
}

TEST_F(ReferencePluginTest, RunsInTheCallersMemory) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  ASSERT_NE(exec, nullptr);
  EXPECT_EQ(host.held(), 1);
  braid_fence* fence = nullptr;
  EXPECT_STATUS(BRAID_OK,
                plugin.Submit(exec,
                              {Bind(a, nullptr, va.data(), 16, four), Bind(b, nullptr, vb.data(), 16, four),
                               Bind(y, nullptr, vy.data(), 16, four)},
                              &fence));
  EXPECT_EQ(fence, nullptr) << "done at once";
  EXPECT_EQ(vy, (Floats{22, 44, 66, -72}));
  EXPECT_EQ(va, (Floats{1, 2, 3, 4}));
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, RunsInBuffersOwnAndImported) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  braid_buffer* in = plugin.Alloc(device, 64 + 16);
  plugin.Write(device, in, va.data(), 16);
  EXPECT_STATUS(BRAID_OK,
                plugin.Finish(plugin.Start(device, BRAID_TRANSFER_WRITE, in, vb.data(), 16, 0, {}, 64)));
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_HOST_POINTER;
  handle.pointer = vy.data();
  handle.bytes = 16;
  braid_buffer* out = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin.table->device->buffer_import(device, &handle, &out));
  braid_binding bb = Bind(b, in, nullptr, 16, four);
  bb.offset = 64;
  braid_fence* fence = nullptr;
  EXPECT_STATUS(
      BRAID_OK,
      plugin.Submit(exec, {Bind(a, in, nullptr, 16, four), bb, Bind(y, out, nullptr, 16, four)}, &fence));
  EXPECT_EQ(fence, nullptr);
  EXPECT_EQ(vy, (Floats{22, 44, 66, -72}));
  void* mapped = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin.table->device->map(device, in, 64, 16, &mapped));
  EXPECT_EQ(0, std::memcmp(mapped, vb.data(), 16));
  plugin.table->device->unmap(device, in);
  EXPECT_EQ(plugin.table->device->map(device, in, 72, 16, &mapped), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(host.error(), "16 bytes at offset 72 leave a buffer of 80 bytes");
  plugin.table->device->buffer_free(device, in);
  plugin.table->device->buffer_free(device, out);
  plugin.table->exec->destroy(exec);
}

// The host may bind any address: memory that is not aligned for the type is read and written all the same.
TEST_F(ReferencePluginTest, TakesMemoryThatIsNotAligned) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  std::vector<char> room(64, 0x55);
  std::memcpy(room.data() + 1, va.data(), 16);
  braid_fence* fence = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin.Submit(exec,
                                        {Bind(a, nullptr, room.data() + 1, 16, four),
                                         Bind(b, nullptr, vb.data(), 16, four),
                                         Bind(y, nullptr, room.data() + 33, 16, four)},
                                        &fence));
  std::memcpy(vy.data(), room.data() + 33, 16);
  EXPECT_EQ(vy, (Floats{22, 44, 66, -72}));
  EXPECT_EQ(room[32], 0x55);
  EXPECT_EQ(room[49], 0x55);
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, WrongBindingsAreNamed) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  auto expect = [&](std::vector<braid_binding> bindings, const std::string& text) {
    braid_fence* fence = nullptr;
    EXPECT_EQ(plugin.Submit(exec, bindings, &fence), BRAID_INVALID_ARGUMENT);
    EXPECT_EQ(host.error(), text);
    EXPECT_EQ(fence, nullptr);
  };
  const braid_binding ba = Bind(a, nullptr, va.data(), 16, four), bb = Bind(b, nullptr, vb.data(), 16, four),
                      by = Bind(y, nullptr, vy.data(), 16, four);
  expect({ba, by}, "input 'b' is not bound");
  expect({ba, bb}, "output 'y' is not bound");
  expect({ba, bb, ba, by}, "'a' is bound twice");
  expect({ba, Bind(b, nullptr, nullptr, 16, four), by},
         "input 'b': a tensor of float32[4] was given no memory");
  expect({ba, Bind(b, nullptr, vb.data(), 12, four), by},
         "input 'b': a tensor of float32[4] needs 16 bytes, 12 were given");
  expect({ba, bb, Bind(y, nullptr, vy.data(), 12, four)},
         "output 'y' is float32[4] and needs 16 bytes; 12 were bound");
  expect({ba, bb, Bind(77, nullptr, vy.data(), 16, four)}, "there is no value 77; the graph has 5");
  expect({ba, Bind(3, nullptr, vb.data(), 16, four), by}, "'sum' is neither an input nor an output");
  braid_binding no_dims = bb;
  no_dims.rank = -1;
  expect({ba, no_dims, by}, "input 'b' is bound without dims");
  const Dims negative{-4};
  expect({ba, Bind(b, nullptr, vb.data(), 16, negative), by}, "input 'b': negative extent in shape [-4]");
  braid_buffer* small = plugin.Alloc(device, 8);
  expect({ba, Bind(b, small, nullptr, 16, four), by}, "16 bytes at offset 0 leave a buffer of 8 bytes");
  plugin.table->device->buffer_free(device, small);
  // After all that it still works.
  braid_fence* fence = nullptr;
  EXPECT_STATUS(BRAID_OK, plugin.Submit(exec, {ba, bb, by}, &fence));
  EXPECT_EQ(vy, (Floats{22, 44, 66, -72}));
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, ShapesOfTheBindingsCount) {
  uint32_t x = graph.Input("x", kFloat, {-1});
  uint32_t out = graph.Output("out", kFloat, {-1});
  graph.Node("Add", {x, x}, {out});
  braid_exec* exec = plugin.Compile(device, graph);
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  braid_binding in = Bind(x, nullptr, va.data(), 16, four);
  EXPECT_EQ(plugin.table->exec->output_dims(exec, &in, 1, sizeof in, out, &rank, dims), BRAID_UNSUPPORTED);
  for (int64_t n : {4, 2, 0}) {
    const Dims d{n};
    braid_fence* fence = nullptr;
    EXPECT_STATUS(
        BRAID_OK,
        plugin.Submit(exec, {Bind(x, nullptr, va.data(), 16, d), Bind(out, nullptr, nullptr, 0, d)}, &fence));
    ASSERT_NE(fence, nullptr) << "an output waits to be taken";
    EXPECT_EQ(plugin.table->fence->wait(fence, 0), BRAID_OK);
    braid_buffer* taken = nullptr;
    EXPECT_STATUS(BRAID_OK, plugin.table->exec->take_output(exec, fence, out, &taken, &rank, dims));
    EXPECT_EQ(rank, 1);
    EXPECT_EQ(dims[0], n);
    Floats want{2, 4, 6, 8};
    want.resize(static_cast<size_t>(n));
    EXPECT_EQ(plugin.Read<float>(device, taken, want.size()), want);
    EXPECT_EQ(plugin.table->exec->take_output(exec, fence, x, &taken, &rank, dims), BRAID_INVALID_ARGUMENT);
    plugin.table->device->buffer_free(device, taken);
    plugin.table->fence->destroy(fence);
  }
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, OutputDimsAreThoseOfTheGraph) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  braid_binding in[] = {Bind(a, nullptr, nullptr, 0, four), Bind(b, nullptr, nullptr, 0, four)};
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  EXPECT_STATUS(BRAID_OK, plugin.table->exec->output_dims(exec, in, 2, sizeof in[0], y, &rank, dims));
  EXPECT_EQ(rank, 1);
  EXPECT_EQ(dims[0], 4);
  const Dims five{5};
  in[0] = Bind(a, nullptr, nullptr, 0, five);
  EXPECT_EQ(plugin.table->exec->output_dims(exec, in, 2, sizeof in[0], y, &rank, dims), BRAID_UNSUPPORTED);
  EXPECT_EQ(plugin.table->exec->output_dims(exec, in, 2, sizeof in[0], 99, &rank, dims),
            BRAID_INVALID_ARGUMENT);
  plugin.table->exec->destroy(exec);
}

// Types below a byte and strings are converted on the way in and out.
TEST_F(ReferencePluginTest, PackedTypesAndStringsCrossAsTheAbiSays) {
  uint32_t x = graph.Input("x", kInt4, {3}), s = graph.Input("s", kString, {2});
  uint32_t out = graph.Output("out", kInt4, {3}), same = graph.Output("same", kString, {2});
  graph.Node("Identity", {x}, {out});
  graph.Node("Identity", {s}, {same});
  braid_exec* exec = plugin.Compile(device, graph);
  uint8_t packed[] = {0x8f, 0xf7}, got[] = {0xee, 0xee, 0xee};
  Tensor words = Tensor::Of<std::string>({2}, {"fjord", ""});
  std::vector<uint64_t> wire(5);
  words.ToWire(wire.data());
  const Dims three{3}, two{2};
  braid_fence* fence = nullptr;
  EXPECT_STATUS(BRAID_OK,
                plugin.Submit(exec,
                              {Bind(x, nullptr, packed, 2, three), Bind(s, nullptr, wire.data(), 37, two),
                               Bind(out, nullptr, got, 3, three), Bind(same, nullptr, nullptr, 0, two)},
                              &fence));
  EXPECT_EQ(got[0], 0x8f);
  EXPECT_EQ(got[1], 0x07) << "unused bits are written 0";
  EXPECT_EQ(got[2], 0xee);
  braid_buffer* taken = nullptr;
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  EXPECT_STATUS(BRAID_OK, plugin.table->exec->take_output(exec, fence, same, &taken, &rank, dims));
  auto bytes = plugin.Read<uint8_t>(device, taken, 37);
  ExpectTensor<std::string>(Tensor::FromWire(kString, {2}, bytes.data(), bytes.size(), true), {2},
                            {"fjord", ""});
  plugin.table->device->buffer_free(device, taken);
  plugin.table->fence->destroy(fence);
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, WhatTheDataDoesWrongIsAnErrorOfTheRun) {
  uint32_t x = graph.Input("x", kInt32, {2}), z = graph.Input("z", kInt32, {2});
  uint32_t out = graph.Output("out", kInt32, {2});
  graph.Node("Div", {x, z}, {out}, {}, "", 0, "ratio");
  braid_exec* exec = plugin.Compile(device, graph);
  int32_t one[] = {1, std::numeric_limits<int32_t>::min()}, zero[] = {1, 0}, minus[] = {-1, -1}, got[2];
  const Dims two{2};
  braid_fence* fence = nullptr;
  EXPECT_EQ(plugin.Submit(exec,
                          {Bind(x, nullptr, one, 8, two), Bind(z, nullptr, zero, 8, two),
                           Bind(out, nullptr, got, 8, two)},
                          &fence),
            BRAID_INVALID_ARGUMENT);
  EXPECT_NE(host.error().find("Div 'ratio'"), std::string::npos);
  EXPECT_STATUS(BRAID_OK, plugin.Submit(exec,
                                        {Bind(x, nullptr, one, 8, two), Bind(z, nullptr, minus, 8, two),
                                         Bind(out, nullptr, got, 8, two)},
                                        &fence));
  EXPECT_EQ(got[0], -1);
  plugin.table->exec->destroy(exec);
}

TEST_F(ReferencePluginTest, DeadlinesEndARun) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  braid_fence* fence = nullptr;
  EXPECT_EQ(plugin.Submit(exec,
                          {Bind(a, nullptr, va.data(), 16, four), Bind(b, nullptr, vb.data(), 16, four),
                           Bind(y, nullptr, vy.data(), 16, four)},
                          &fence, 0, {}, 1),
            BRAID_TIMEOUT);
  EXPECT_EQ(host.error(), "the deadline passed while the segment ran");
  plugin.table->exec->destroy(exec);
}

// A Conv of 1x16x32x32 with 32 filters of 3x3: 32*32*32*16*9 multiply-adds; a wider one costs more.
TEST_F(ReferencePluginTest, EstimatesGrowWithTheWork) {
  uint32_t x = graph.Input("x", kFloat, {1, 16, 32, 32});
  uint32_t w = graph.Constant("w", Tensor(kFloat, {32, 16, 3, 3})),
           w2 = graph.Constant("w2", Tensor(kFloat, {64, 16, 3, 3}));
  uint32_t p = graph.Output("p", kFloat, {1, 32, 32, 32}), q = graph.Output("q", kFloat, {1, 64, 32, 32});
  uint32_t r = graph.Output("r", kFloat, {1, 16, 32, 32});
  graph.Node("Conv", {x, w}, {p});
  graph.Node("Conv", {x, w2}, {q});
  graph.Node("Relu", {x}, {r});
  const uint32_t nodes[] = {0, 1, 2, 0, 1, 2}, ends[] = {1, 2, 3, 6};
  braid_cost costs[4];
  for (auto& c : costs) c = BRAID_COST_INIT;
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  ASSERT_EQ(
      plugin.table->device->estimate(device, graph.view(), &options, nodes, ends, 4, costs, sizeof costs[0]),
      BRAID_OK);
  for (auto& c : costs) EXPECT_EQ(c.confidence, BRAID_MODELLED);
  EXPECT_GT(costs[0].time_ns, costs[2].time_ns * 5);
  EXPECT_NEAR(static_cast<double>(costs[1].time_ns) / static_cast<double>(costs[0].time_ns), 2, 0.1);
  EXPECT_GE(costs[3].time_ns, costs[0].time_ns + costs[1].time_ns);
  EXPECT_EQ(costs[2].bytes_moved, 2u * 16 * 32 * 32 * 4);
}

class OutOfMemory : public NodeHook {
 public:
  void Run(const OpEntry&, OpContext&) const override { throw std::bad_alloc(); }
};

TEST_F(ReferencePluginTest, WhatRunsOutOfMemorySaysWhichNodeItIs) {
  MakeSum();
  const OutOfMemory hook;
  const Program program(graph.view(), kit::Host(host.raw()), &hook);
  Program::State state = program.NewState();
  state.values[a] = Tensor::Of<float>({4}, va);
  state.values[b] = Tensor::Of<float>({4}, vb);
  try {
    program.Run(&state, [] {});
    ADD_FAILURE() << "it ran";
  } catch (const kit::Error& e) {
    EXPECT_EQ(e.status(), BRAID_OUT_OF_MEMORY);
    EXPECT_STREQ(e.what(),
                 "Add of 'sum': out of host memory; its inputs are float32[4] of 16 bytes, float32[4] of 16 "
                 "bytes");
  }
}

// Any number of runs of one executable, from several threads.
TEST_F(ReferencePluginTest, OneExecutableRunsInSeveralThreads) {
  MakeSum();
  braid_exec* exec = plugin.Compile(device, graph);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Floats mine(4, static_cast<float>(t)), out(4);
      for (int i = 0; i < 500; ++i) {
        braid_fence* fence = nullptr;
        braid_status s =
            plugin.Submit(exec,
                          {Bind(a, nullptr, mine.data(), 16, four), Bind(b, nullptr, mine.data(), 16, four),
                           Bind(y, nullptr, out.data(), 16, four)},
                          &fence, t);
        if (s != BRAID_OK || out != Floats(4, static_cast<float>(4 * t))) ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  plugin.table->exec->destroy(exec);
}

}  // namespace
}  // namespace braid::reference
