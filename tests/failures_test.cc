// SPDX-License-Identifier: Apache-2.0
//
// What a run does when devices fail: it goes on without them where others can take their nodes, and says so.
// Each simulated device of this file fails in one way of its own.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

enum : int {
  kLoses,
  kNoQuery,
  kNoCompile,
  kNoRoom,
  kBreaks,
  kSmallBuffers,
  kSlowA,
  kSlowB,
  kLostQuery,
  kFastButSlowToStart,
  kNoFunctions
};

const bool kConfigured = setenv("BRAID_SIM", R"({"devices": [
    {"name": "loses", "lose_after": 2},
    {"name": "no query", "fail": {"query": "INTERNAL"}},
    {"name": "no compile", "fail": {"compile": "UNSUPPORTED"}},
    {"name": "no room", "fail": {"alloc": "OUT_OF_MEMORY"}},
    {"name": "breaks", "fail": {"submit": "INTERNAL"}},
    {"name": "small buffers", "max_buffer": 1024},
    {"name": "slow a", "wall_clock": true, "io_alignment": 1024, "submit_us": 3000, "link_latency_us": 1000},
    {"name": "slow b", "wall_clock": true, "submit_us": 3000, "link_latency_us": 1000},
    {"name": "lost query", "fail": {"query": "DEVICE_LOST"}},
    {"name": "fast", "multiply_adds_per_ns": 1000, "node_us": 900},
    {"name": "no functions", "lacks": ["MeanVarianceNormalization"]}]})",
                                1) == 0;

std::string Sim(int index, const std::string& beside = "") {
  return "sim:" + std::to_string(index) + (beside.empty() ? "" : "," + beside);
}

constexpr char kHeader[] = R"(<ir_version: 8, opset_import: ["" : 17]> )";

// y = Relu(x W + b) + Relu(-(x W + b)): the magnitude.
const std::string kModel = std::string(kHeader) + R"(g (float[N, 2] x) => (float[N, 2] y)
  <float[2, 2] w = {1, 2, 3, -4}, float[2] b = {0.5, 0}> {
    p = MatMul(x, w)
    q = Add(p, b)
    r = Relu(q)
    n = Neg(q)
    s = Relu(n)
    y = Add(r, s)
  })";

// ONNX's body of it has float constants, so that for another type it is no way out: nobody runs the node, and
// the model is not to blame.
TEST(Failures, AFunctionBodyThatDoesNotGo) {
  const std::string model = R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bfloat16[1,2,2,2] x) => (bfloat16[1,2,2,2] y) { y = MeanVarianceNormalization(x) })";
  const GraphPtr graph = Load(model, Sim(kNoFunctions));
  ASSERT_NE(graph, nullptr);
  std::vector<uint16_t> x(8, 0x3f80);
  graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
  in.type = GRAPH_BFLOAT16;
  in.rank = 4;
  std::copy_n(std::vector<int64_t>{1, 2, 2, 2}.begin(), 4, in.dims);
  in.data = x.data();
  in.bytes = x.size() * sizeof x[0];
  EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_UNSUPPORTED);
  const std::string text = graph_last_error();
  EXPECT_NE(text.find("MeanVarianceNormalization"), std::string::npos) << text;
  EXPECT_NE(text.find("body"), std::string::npos) << text;
}

std::string Explained(graph_t* graph) {
  const char* text = nullptr;
  EXPECT_EQ(graph_explain(graph, GRAPH_EXPLAIN_TEXT, &text), GRAPH_OK) << graph_last_error();
  return text == nullptr ? "" : text;
}

// Runs kModel on `rows` rows of {1, 2}.
graph_status RunModel(graph_t* graph, int64_t rows = 1) {
  std::vector<float> x(static_cast<size_t>(2 * rows), 2), expected(x.size(), 6);
  for (int64_t i = 0; i < rows; ++i) {
    x[static_cast<size_t>(2 * i)] = 1;
    expected[static_cast<size_t>(2 * i)] = 7.5f;
  }
  graph_tensor in = Floats(x, {rows, 2}), out = GRAPH_TENSOR_INIT;
  const graph_status status = graph_run(graph, &in, 1, &out, 1);
  if (status == GRAPH_OK) {
    EXPECT_EQ(TakeFloats(out), expected);
  } else {
    EXPECT_EQ(out.owner, nullptr);
  }
  return status;
}

// A device of its own kind that fails for good in the run is left out, and the result is right.
class Survives : public ::testing::TestWithParam<std::pair<int, const char*>> {};

TEST_P(Survives, BesideADeviceThatWorks) {
  const auto& [device, why] = GetParam();
  for (int seed = 0; seed < 5; ++seed) {
    GraphPtr graph = Load(kModel, Sim(device, "reference"), "random:" + std::to_string(seed));
    for (int i = 0; i < 4; ++i) ASSERT_EQ(RunModel(graph.get()), GRAPH_OK) << graph_last_error();
    for (int64_t rows : {3, 1, 3}) ASSERT_EQ(RunModel(graph.get(), rows), GRAPH_OK) << graph_last_error();
  }
  GraphPtr graph = Load(kModel, Sim(device, "reference"), "random:1");
  for (int i = 0; i < 4; ++i) ASSERT_EQ(RunModel(graph.get()), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()), HasSubstr(why));
}

TEST_P(Survives, AloneItSaysWhatFailed) {
  const auto& [device, why] = GetParam();
  GraphPtr graph = Load(kModel, Sim(device));
  graph_status status = GRAPH_OK;
  for (int i = 0; i < 4 && status == GRAPH_OK; ++i) status = RunModel(graph.get());
  EXPECT_NE(status, GRAPH_OK);
  EXPECT_THAT(graph_last_error(), AllOf(HasSubstr(Sim(device)), HasSubstr(why)));
  EXPECT_THAT(graph_last_error(), Not(HasSubstr("lost: the device is lost")));
}

INSTANTIATE_TEST_SUITE_P(Devices, Survives,
                         ::testing::Values(std::pair(kLoses, "the device is lost"),
                                           std::pair(kNoQuery, "fails each query"),
                                           std::pair(kNoCompile, "fails each compile"),
                                           std::pair(kNoRoom, "fails each alloc"),
                                           std::pair(kBreaks, "fails each submit"),
                                           std::pair(kLostQuery, "query: the device is lost")),
                         [](const auto& info) { return "sim" + std::to_string(info.param.first); });

TEST(Failures, ThatThereIsNoMemoryIsSaidOnce) {
  GraphPtr graph = Load(kModel, Sim(kNoRoom));
  EXPECT_EQ(RunModel(graph.get()), GRAPH_OUT_OF_MEMORY);
  const std::string text = graph_last_error();
  EXPECT_EQ(text.find("fails each alloc"), text.rfind("fails each alloc")) << text;
  EXPECT_EQ(text.find("left out"), std::string::npos) << text;
}

TEST(Failures, ALostDeviceIsOpenedAgainForTheNextGraph) {
  for (int i = 0; i < 3; ++i) {
    GraphPtr graph = Load(kModel, Sim(kLoses));
    EXPECT_EQ(RunModel(graph.get()), GRAPH_OK) << graph_last_error();  // its first submit since it was opened
    EXPECT_EQ(RunModel(graph.get()), GRAPH_DEVICE_LOST);
    EXPECT_EQ(RunModel(graph.get()), GRAPH_OK)
        << graph_last_error();  // and with it, once nothing else is left
    EXPECT_EQ(RunModel(graph.get()), GRAPH_DEVICE_LOST);
  }
}

TEST(Failures, BadInputIsNobodysFailure) {
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (float[4] x, int64[1] at) => (float[1] y) { y = Gather(x, at) })",
           Sim(kSlowA, "reference"));
  std::vector<float> x = {1, 2, 3, 4};
  for (int i = 0; i < 2; ++i) {
    std::vector<int64_t> at = {7};
    graph_tensor in[2] = {Floats(x, {4}), Int64s(at, {1})}, out = GRAPH_TENSOR_INIT;
    EXPECT_EQ(graph_run(graph.get(), in, 2, &out, 1), GRAPH_INVALID_ARGUMENT);
    EXPECT_THAT(Explained(graph.get()), Not(HasSubstr("left out")));
    at = {2};
    ASSERT_EQ(graph_run(graph.get(), in, 2, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out), ElementsAre(3));
  }
}

TEST(Failures, WithinALoop) {
  // The body loses the device; body and graph go on without it.
  const std::string model = std::string(kHeader) + R"(g (int64 trips, float[2] x) => (float[2] y) {
      yes = Constant<value = bool {1}>()
      a = Neg(x)
      b = Loop(trips, yes, a) <body = step (int64 i, bool going, float[2] v) => (bool more, float[2] next) {
        more = Identity(going)
        next = Add(v, v)
      }>
      y = Neg(b)
    })";
  for (int seed = 0; seed < 4; ++seed) {
    GraphPtr graph = Load(model, Sim(kLoses, "reference"), "random:" + std::to_string(seed));
    std::vector<int64_t> trips = {6};
    std::vector<float> x = {1, -2};
    graph_tensor in[2] = {Int64s(trips, {}), Floats(x, {2})}, out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(graph_run(graph.get(), in, 2, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out), ElementsAre(64, -128));
  }
}

TEST(Failures, ValuesThatNoBufferHoldsGoElsewhere) {
  const std::string device = Sim(kSmallBuffers, "reference");
  GraphPtr graph = Load(kModel, device, "random:1");
  ASSERT_EQ(RunModel(graph.get(), 4), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()), Not(HasSubstr("NO_MEMORY")));
  ASSERT_EQ(RunModel(graph.get(), 200), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()), HasSubstr("NO_MEMORY: 1600 bytes of"));
  GraphPtr alone = Load(kModel, Sim(kSmallBuffers));
  EXPECT_EQ(RunModel(alone.get(), 200), GRAPH_UNSUPPORTED);
  EXPECT_THAT(graph_last_error(), HasSubstr("a buffer has at most 1024"));
  graph_buffer* buffer = nullptr;
  EXPECT_EQ(graph_buffer_alloc(Sim(kSmallBuffers).c_str(), 2000, &buffer), GRAPH_OUT_OF_MEMORY);
}

// A function that fits into no device's memory is not cut into its parts, none of which would fit either.
TEST(Failures, AFunctionThatFitsNowhereIsNamed) {
  const std::string model = std::string(kHeader) + R"(g () => (float[N] y) {
      size = Constant<value = int64 {1000}>()
      y = HannWindow(size)
    })";
  GraphPtr graph = Load(model, Sim(kSmallBuffers));
  graph_tensor out = GRAPH_TENSOR_INIT;
  EXPECT_EQ(graph_run(graph.get(), nullptr, 0, &out, 1), GRAPH_UNSUPPORTED);
  EXPECT_THAT(graph_last_error(), AllOf(HasSubstr("HannWindow"), HasSubstr("NO_MEMORY")));
}

// Operators that only name or describe a value follow their neighbours.
TEST(Placement, DescribingNeverSwitchesDevices) {
  // The matrix products are worth the transfers to the fast device, and what is between them costs it a
  // launch each as said.
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[512, 512] x) => (float[512, 512] y)
    <int64[3] shape = {1, 512, 512}, int64[1] axis = {0}> {
      a = MatMul(x, x)
      b = Reshape(a, shape)
      c = Identity(b)
      d = Squeeze(c, axis)
      e = MatMul(d, x)
      f = Unsqueeze(e, axis)
      g = Flatten<axis = 2>(f)
      y = MatMul(g, x)
    })",
                        Sim(kFastButSlowToStart, "reference"));
  std::vector<float> x(512 * 512, 0.001f);
  graph_tensor in = Floats(x, {512, 512});
  ASSERT_EQ(graph_prepare(graph.get(), &in, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()),
              HasSubstr("sim:9: 8 nodes in 1 segment, 100.0% of the multiply-adds\n"));
}

// Between two devices with memory of their own, values go through host memory, and each step waits for the
// one before.
TEST(TwoMemories, ValuesCrossBothWays) {
  for (int seed = 0; seed < 12; ++seed) {
    GraphPtr graph = Load(kModel, Sim(kSlowA, Sim(kSlowB)), "random:" + std::to_string(seed));
    for (int i = 0; i < 2; ++i) ASSERT_EQ(RunModel(graph.get(), 5), GRAPH_OK) << graph_last_error();
  }
}

// Many values of one size cross at once: host memory of one is not given to another while a device still
// reads it.
TEST(TwoMemories, HostMemoryStaysUntilItWasRead) {
  std::string body = "g (float[64] x) => (float[64] y) <float one = {1.0}> {\n a0 = Add(x, one)\n";
  for (int i = 0; i < 16; ++i) {
    const std::string n = std::to_string(i), next = std::to_string(i + 1);
    body += " b" + n + " = Neg(a" + n + ")\n c" + n + " = Add(b" + n + ", a" + n + ")\n d" + n + " = Add(c" +
            n + ", one)\n a" + next + " = Add(d" + n + ", a" + n + ")\n";
  }
  body += " y = Identity(a16)\n}";
  for (int seed = 0; seed < 8; ++seed) {
    GraphPtr graph = Load(kHeader + body, Sim(kSlowA, Sim(kSlowB)), "random:" + std::to_string(seed));
    std::vector<float> x(64, 1);
    graph_tensor in = Floats(x, {64}), out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_EQ(TakeFloats(out), std::vector<float>(64, 18));  // 1 + 1, and 1 more in each of 16 turns
  }
}

TEST(DeviceMemory, OffsetsThatTheDeviceDoesNotTakeAreCopied) {
  const std::string device = Sim(kSlowA);
  GraphPtr graph = Load(kModel, device);
  graph_buffer* buffer = nullptr;
  ASSERT_EQ(graph_buffer_alloc(device.c_str(), 4096, &buffer), GRAPH_OK) << graph_last_error();
  const float numbers[] = {1, 2};
  // Its segments want multiples of 1024. Out lies beside in, and over it.
  for (uint64_t to : {512, 2048, 256}) {
    ASSERT_EQ(graph_buffer_write(buffer, 256, numbers, sizeof numbers), GRAPH_OK) << graph_last_error();
    graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
    in.type = GRAPH_FLOAT;
    in.rank = 2;
    in.dims[0] = 1;
    in.dims[1] = 2;
    in.buffer = out.buffer = buffer;
    in.offset = 256;
    out.offset = to;
    ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
    float result[2] = {};
    ASSERT_EQ(graph_buffer_read(buffer, to, result, sizeof result), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(result, ElementsAre(7.5f, 6));
  }
  graph_buffer_free(buffer);
}

// A long chain on one device is one segment, and cancelling reaches into it.
TEST(Cancel, ReachesIntoASegment) {
  std::string body = "g (float[400, 400] x) => (float[400, 400] y) {\n v0 = Identity(x)\n";
  for (int i = 0; i < 400; ++i)
    body += " v" + std::to_string(i + 1) + " = MatMul(v" + std::to_string(i) + ", x)\n";
  body += " y = Identity(v400)\n}";
  for (const std::string& device : {std::string("reference"), Sim(kSlowA)}) {
    GraphPtr graph = Load(kHeader + body, device);
    std::vector<float> x(400 * 400, 0.001f);
    graph_tensor in = Floats(x, {400, 400}), out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(graph_prepare(graph.get(), &in, 1), GRAPH_OK) << graph_last_error();
    graph_request* request = nullptr;
    ASSERT_EQ(graph_run_async(graph.get(), &in, 1, &out, 1, &request), GRAPH_OK);
    ASSERT_EQ(graph_wait(request, 50'000'000), GRAPH_PENDING);
    const auto start = std::chrono::steady_clock::now();
    graph_cancel(request);
    EXPECT_EQ(graph_wait(request, UINT64_MAX), GRAPH_CANCELLED) << device;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(800)) << device;
    graph_request_free(request);
    if (out.owner != nullptr) graph_tensor_release(&out);
  }
}

// A process with the fixture as a plugin, which writes down that it was closed and shut down.
class AtExit : public ::testing::Test {
 protected:
  void SetUp() override {
    // The test runs once more in the process that is to end: what is set here before stays.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    folder_ =
        ::testing::TempDir() + "braid_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    std::filesystem::copy_file(BRAID_TEST_BINARY_DIR "/tests/fixtures/fixture_good.so",
                               folder_ + "/libgood.so", std::filesystem::copy_options::skip_existing);
    std::ofstream(folder_ + "/good.braid.json")
        << R"({"id": "fixture", "library": "libgood.so", "abi": "0.1", "vendor": "", "version": "1", "devices": ["cpu"]})";
    std::filesystem::remove(folder_ + "/trace");
    setenv("FIXTURE_TRACE", (folder_ + "/trace").c_str(), 1);
    setenv("BRAID_PLUGIN_PATH", folder_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("BRAID_PLUGIN_PATH");
    unsetenv("FIXTURE_TRACE");
    std::filesystem::remove_all(folder_);
  }
  std::string Trace() const {
    std::ifstream file(folder_ + "/trace");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  static void RunFixture(bool free) {
    graph_t* graph =
        Load(std::string(kHeader) + "g (float[2] x) => (float[2] y) { y = Neg(x) }", "fixture").release();
    std::vector<float> x = {1, -2};
    graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
    if (graph_run(graph, &in, 1, &out, 1) != GRAPH_OK) {
      std::fprintf(stderr, "%s\n", graph_last_error());
      std::exit(2);
    }
    graph_tensor_release(&out);
    if (free) graph_free(graph);
    std::exit(0);
  }
  std::string folder_;
};

TEST_F(AtExit, DevicesAreClosedAndPluginsShutDown) {
  EXPECT_EXIT(RunFixture(true), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(Trace(), "close\nshutdown\n");
}

TEST_F(AtExit, WhatIsInUseIsLeftAsItIs) {
  EXPECT_EXIT(RunFixture(false), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(Trace(), "");
}

TEST_F(AtExit, InAProcessOfItsOwnToo) {
  setenv("BRAID_ISOLATE", "fixture", 1);
  EXPECT_EXIT(RunFixture(true), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(Trace(), "close\nshutdown\n");
  unsetenv("BRAID_ISOLATE");
}

}  // namespace
}  // namespace braid::testing
