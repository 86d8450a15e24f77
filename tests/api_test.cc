// SPDX-License-Identifier: Apache-2.0
//
// graph.h as an application uses it, on the reference device and across two devices (the simulated one has
// memory and queues of its own). Numbers are worked out by hand.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] = R"(<ir_version: 8, opset_import: ["" : 17]> )";

// y = Relu(x W + b), and s = the sum of each row.
const std::string kTwoOutputs = std::string(kHeader) + R"(g (float[N, 2] x) => (float[N, 2] y, float[N, 1] s)
  <float[2, 2] w = {1, 2, 3, -4}, float[2] b = {0.5, 0}, int64[1] axis = {1}> {
    p = MatMul(x, w)
    q = Add(p, b)
    y = Relu(q)
    s = ReduceSum(y, axis)
  })";

class OnDevices : public ::testing::TestWithParam<const char*> {
 public:
  static void SetUpTestSuite() { setenv("BRAID_SIM", "1", 0); }
};

TEST_P(OnDevices, RunsAndExplains) {
  GraphPtr graph = Load(kTwoOutputs, GetParam());
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, 2, -1, 1};
  graph_tensor in = Floats(x, {2, 2});
  graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
  ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(DimsOf(out[0]), ElementsAre(2, 2));
  EXPECT_THAT(DimsOf(out[1]), ElementsAre(2, 1));
  // x W = {7, -6, 2, -6}; plus b and Relu.
  EXPECT_THAT(TakeFloats(out[0]), ElementsAre(7.5f, 0, 2.5f, 0));
  EXPECT_THAT(TakeFloats(out[1]), ElementsAre(7.5f, 2.5f));
  const char* text = nullptr;
  ASSERT_EQ(graph_explain(graph.get(), GRAPH_EXPLAIN_JSON, &text), GRAPH_OK);
  EXPECT_THAT(text, HasSubstr("\"segments\""));
}

TEST_P(OnDevices, OutputsGoIntoTheCallersMemory) {
  GraphPtr graph = Load(kTwoOutputs, GetParam());
  std::vector<float> x = {1, 2}, s = {-1}, y = {-1, -1, -1};
  graph_tensor in = Floats(x, {1, 2}, "x");
  graph_tensor out[2] = {Floats(s, {}, "s"), Floats(y, {}, "y")};
  out[1].bytes = 3 * sizeof(float);
  ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(s, ElementsAre(7.5f));
  EXPECT_THAT(y, ElementsAre(7.5f, 0, -1));
  EXPECT_EQ(out[1].bytes, 2 * sizeof(float));
  EXPECT_EQ(out[1].owner, nullptr);
}

TEST_P(OnDevices, AnOutputMayLieOverAnInput) {
  GraphPtr graph =
      Load(std::string(kHeader) +
               R"(g (float[4] x) => (float[4] y) <int64[4] order = {3, 2, 1, 0}> { y = Gather(x, order) })",
           GetParam());
  std::vector<float> x = {1, 2, 3, 4};
  graph_tensor in = Floats(x, {4}), out = Floats(x, {4});
  ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(x, ElementsAre(4, 3, 2, 1));
}

TEST_P(OnDevices, NewShapesSpecialise) {
  GraphPtr graph = Load(kTwoOutputs, GetParam());
  for (int64_t n : {1, 3, 1, 0, 5, 3}) {
    std::vector<float> x(static_cast<size_t>(2 * n), 1);
    graph_tensor in = Floats(x, {n, 2});
    graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
    ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(DimsOf(out[1]), ElementsAre(n, 1));
    EXPECT_EQ(TakeFloats(out[1]), std::vector<float>(static_cast<size_t>(n), 4.5f));
    graph_tensor_release(&out[0]);
  }
}

TEST_P(OnDevices, SizesThatDependOnData) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[N] x) => (float[M] y, int64[1, M] where) {
      zero = Constant<value_float = 0.0>()
      positive = Greater(x, zero)
      y = Compress(x, positive)
      where = NonZero(positive)
    })",
                        GetParam());
  for (int round = 0; round < 2; ++round) {
    std::vector<float> x = {-1, 5, -2, 7, 9};
    graph_tensor in = Floats(x, {5});
    graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
    ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out[0]), ElementsAre(5, 7, 9));
    EXPECT_THAT(DimsOf(out[1]), ElementsAre(1, 3));
    EXPECT_THAT(TakeInt64s(out[1]), ElementsAre(1, 3, 4));
  }
}

TEST_P(OnDevices, ControlFlow) {
  // Doubles x until its first element exceeds 100, at most `trips` times; an If within the loop negates odd
  // turns.
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (int64 trips, float[N] x) => (float[N] last, float[T, N] all) {
      yes = Constant<value = bool {1}>()
      last, all = Loop(trips, yes, x) <body = step (int64 i, bool going, float[N] v) => (bool more, float[N] next, float[N] seen) {
        two = Constant<value_float = 2.0>()
        limit = Constant<value_float = 100.0>()
        itwo = Constant<value_int = 2>()
        zero = Constant<value_int = 0>()
        next = Mul(v, two)
        odd_part = Mod(i, itwo)
        odd = Greater(odd_part, zero)
        seen = If(odd) <then_branch = t () => (float[N] a) { a = Neg(next) }, else_branch = e () => (float[N] b) { b = Identity(next) }>
        biggest = ReduceMax<keepdims = 0>(next)
        more = Less(biggest, limit)
      }>
    })",
           GetParam());
  ASSERT_NE(graph, nullptr);
  std::vector<int64_t> trips = {3};
  std::vector<float> x = {1, 2};
  graph_tensor in[2] = {Int64s(trips, {}), Floats(x, {2})};
  for (int round = 0; round < 2; ++round) {
    graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
    ASSERT_EQ(graph_run(graph.get(), in, 2, out, 2), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out[0]), ElementsAre(8, 16));
    EXPECT_THAT(DimsOf(out[1]), ElementsAre(3, 2));
    EXPECT_THAT(TakeFloats(out[1]), ElementsAre(2, 4, -4, -8, 8, 16));
  }
  x = {40, 1};
  graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
  ASSERT_EQ(graph_run(graph.get(), in, 2, out, 2), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out[0]), ElementsAre(160, 4));  // 80 goes on, 160 stops
  graph_tensor_release(&out[1]);
}

TEST_P(OnDevices, ABranchThatDoesNotFitMattersWhenItIsTaken) {
  // The else branch multiplies by a matrix of two rows.
  GraphPtr graph = Load(
      std::string(kHeader) +
          R"(g (float[N] x, float c) => (float[M] y) <float[2, 3] w = {1, 2, 3, 4, 5, 6}, float zero = {0}> {
      positive = Greater(c, zero)
      y = If(positive) <then_branch = t () => (float[A] a) { a = Neg(x) },
                        else_branch = e () => (float[B] b) { b = MatMul(x, w) }>
    })",
      GetParam());
  ASSERT_NE(graph, nullptr);
  std::vector<float> four = {1, 2, 3, 4}, two = {1, 1}, yes = {1}, no = {-1};
  const auto run = [&](std::vector<float>& x, std::vector<float>& c, graph_tensor* out) {
    graph_tensor in[2] = {Floats(x, {static_cast<int64_t>(x.size())}), Floats(c, {})};
    return graph_run(graph.get(), in, 2, out, 1);
  };
  for (int round = 0; round < 2; ++round) {
    graph_tensor out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(run(four, yes, &out), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out), ElementsAre(-1, -2, -3, -4));
    ASSERT_EQ(run(two, no, &out), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out), ElementsAre(5, 7, 9));
    EXPECT_NE(run(four, no, &out), GRAPH_OK);
    EXPECT_THAT(graph_last_error(), ::testing::AllOf(HasSubstr("If"), HasSubstr("MatMul of 'b'")));
  }
}

// With no turn a scan output has none of the extent, and what is known of the others.
TEST_P(OnDevices, ALoopWithoutTurnsMakesEmptyOutputs) {
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (int64 trips, float[2] x) => (float[2] last, float[T, 2] all) {
      yes = Constant<value = bool {1}>()
      last, all = Loop(trips, yes, x) <body = step (int64 i, bool going, float[2] v) => (bool more, float[2] next, float[2] seen) {
        more = Identity(going)
        next = Neg(v)
        seen = Abs(v)
      }>
    })",
           GetParam());
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, -2};
  for (int64_t turns : {0, 2, 0}) {
    std::vector<int64_t> trips = {turns};
    graph_tensor in[2] = {Int64s(trips, {}), Floats(x, {2})};
    graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
    ASSERT_EQ(graph_run(graph.get(), in, 2, out, 2), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out[0]), ElementsAre(1, -2));
    EXPECT_THAT(DimsOf(out[1]), ElementsAre(turns, 2));
    EXPECT_EQ(TakeFloats(out[1]).size(), static_cast<size_t>(2 * turns));
  }
}

// As tf2onnx writes them.
TEST_P(OnDevices, ALoopMayDeclareItsTurnAndConditionAsOneElement) {
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (int64 trips, float[2] x) => (float[2] last, int64[T, 1] all) {
      yes = Constant<value = bool {1}>()
      last, all = Loop(trips, yes, x) <body = step (int64[1] i, bool[1] going, float[2] v) => (bool[1] more, float[2] next, int64[1] seen) {
        more = Identity(going)
        next = Neg(v)
        seen = Identity(i)
      }>
    })",
           GetParam());
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, -2};
  std::vector<int64_t> trips = {3};
  graph_tensor in[2] = {Int64s(trips, {}), Floats(x, {2})};
  graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
  ASSERT_EQ(graph_run(graph.get(), in, 2, out, 2), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out[0]), ElementsAre(-1, 2));
  EXPECT_THAT(DimsOf(out[1]), ElementsAre(3, 1));
  EXPECT_THAT(TakeInt64s(out[1]), ElementsAre(0, 1, 2));
}

TEST_P(OnDevices, ManyThreadsRunOneGraph) {
  GraphPtr graph = Load(kTwoOutputs, GetParam());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const int64_t n = 1 + (i + t) % 3;
        std::vector<float> x(static_cast<size_t>(2 * n), static_cast<float>(t));
        graph_tensor in = Floats(x, {n, 2});
        graph_tensor out = GRAPH_TENSOR_INIT;
        out.name = "s";
        if (graph_run(graph.get(), &in, 1, &out, 1) != GRAPH_OK) {
          ++wrong;
          continue;
        }
        // Row (t, t): x W + b = {4 t + 0.5, -2 t}.
        if (TakeFloats(out) !=
            std::vector<float>(static_cast<size_t>(n), 4.0f * static_cast<float>(t) + 0.5f))
          ++wrong;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(OnDevices, AsyncRunsEndAndCanBeWaitedFor) {
  GraphPtr graph = Load(kTwoOutputs, GetParam());
  std::vector<float> x = {1, 2};
  graph_tensor in = Floats(x, {1, 2}), out = GRAPH_TENSOR_INIT;
  graph_request* request = nullptr;
  ASSERT_EQ(graph_run_async(graph.get(), &in, 1, &out, 1, &request), GRAPH_OK);
  EXPECT_EQ(graph_wait(request, UINT64_MAX), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(7.5f, 0));
  graph_request_free(request);
}

INSTANTIATE_TEST_SUITE_P(Devices, OnDevices, ::testing::Values("reference", "sim", "reference,sim"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), ',', '_');
                           return name;
                         });

TEST(ApiTest, RandomCutsGiveTheSameNumbers) {
  setenv("BRAID_SIM", "1", 0);
  for (int seed = 0; seed < 50; ++seed) {
    GraphPtr graph = Load(kTwoOutputs, "reference,sim", "random:" + std::to_string(seed));
    std::vector<float> x = {1, 2, -1, 1};
    graph_tensor in = Floats(x, {2, 2});
    graph_tensor out[2] = {GRAPH_TENSOR_INIT, GRAPH_TENSOR_INIT};
    ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(TakeFloats(out[0]), ElementsAre(7.5f, 0, 2.5f, 0));
    EXPECT_THAT(TakeFloats(out[1]), ElementsAre(7.5f, 2.5f));
  }
}

TEST(ApiTest, TensorsStayInDeviceMemory) {
  setenv("BRAID_SIM", "1", 0);
  for (const char* device : {"sim:0", "reference:0"}) {
    GraphPtr graph = Load(kTwoOutputs, device);
    graph_buffer *x = nullptr, *y = nullptr;
    ASSERT_EQ(graph_buffer_alloc(device, 64, &x), GRAPH_OK) << graph_last_error();
    ASSERT_EQ(graph_buffer_alloc(device, 256, &y), GRAPH_OK) << graph_last_error();
    const float numbers[] = {1, 2};
    ASSERT_EQ(graph_buffer_write(x, 0, numbers, sizeof numbers), GRAPH_OK) << graph_last_error();
    graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
    in.type = GRAPH_FLOAT;
    in.rank = 2;
    in.dims[0] = 1;
    in.dims[1] = 2;
    in.buffer = x;
    out.buffer = y;
    ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(DimsOf(out), ElementsAre(1, 2));
    float result[2] = {};
    ASSERT_EQ(graph_buffer_read(y, 0, result, sizeof result), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(result, ElementsAre(7.5f, 0));
    EXPECT_EQ(graph_buffer_read(y, 250, result, sizeof result), GRAPH_INVALID_ARGUMENT);
    graph_buffer_free(x);
    graph_buffer_free(y);
  }
}

TEST(ApiTest, StridedInputs) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[2, 3] x) => (float[2, 3] y) { y = Identity(x) })");
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  const int64_t strides[] = {1, 2};  // column-major
  graph_tensor in = Floats(x, {2, 3}), out = GRAPH_TENSOR_INIT;
  in.strides = strides;
  ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(1, 3, 5, 2, 4, 6));
  const int64_t far[] = {1, 3};
  in.strides = far;
  EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("the strides reach element 7"));
}

TEST(ApiTest, InputsAndOutputsAreDescribed) {
  GraphPtr graph = Load(kTwoOutputs);
  graph_value_info infos[3] = {GRAPH_VALUE_INFO_INIT, GRAPH_VALUE_INFO_INIT, GRAPH_VALUE_INFO_INIT};
  ASSERT_EQ(graph_inputs(graph.get(), infos, 3), 1u);
  EXPECT_STREQ(infos[0].name, "x");
  EXPECT_EQ(infos[0].type, GRAPH_FLOAT);
  EXPECT_EQ(infos[0].rank, 2);
  EXPECT_EQ(infos[0].dims[0], -1);
  EXPECT_STREQ(infos[0].symbols[0], "N");
  EXPECT_EQ(infos[0].dims[1], 2);
  ASSERT_EQ(graph_outputs(graph.get(), nullptr, 0), 2u);
}

size_t Count(const std::string& text, const std::string& word) {
  size_t n = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

TEST(ApiTest, AnExplanationIsItsGraphsOwn) {
  setenv("BRAID_SIM", "1", 0);
  GraphPtr a = Load(kTwoOutputs), b = Load(kTwoOutputs, "sim");
  const char *before = nullptr, *first = nullptr, *other = nullptr;
  // Before any placement it says so, in each format.
  for (int32_t format : {GRAPH_EXPLAIN_SUMMARY, GRAPH_EXPLAIN_TEXT, GRAPH_EXPLAIN_JSON}) {
    ASSERT_EQ(graph_explain(a.get(), format, &before), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(before, HasSubstr("nothing has been placed yet"));
  }
  EXPECT_EQ(before[0], '{');
  EXPECT_EQ(graph_explain(a.get(), 3, &before), GRAPH_INVALID_ARGUMENT);
  std::vector<float> x = {1, 2};
  graph_tensor in = Floats(x, {1, 2});
  ASSERT_EQ(graph_prepare(a.get(), &in, 1), GRAPH_OK);
  ASSERT_EQ(graph_prepare(b.get(), &in, 1), GRAPH_OK);
  ASSERT_EQ(graph_explain(a.get(), GRAPH_EXPLAIN_SUMMARY, &first), GRAPH_OK);
  const std::string copy = first;
  // Neither another graph's explanation nor another thread's ends it.
  ASSERT_EQ(graph_explain(b.get(), GRAPH_EXPLAIN_JSON, &other), GRAPH_OK);
  std::thread([&] {
    const char* text = nullptr;
    EXPECT_EQ(graph_explain(a.get(), GRAPH_EXPLAIN_JSON, &text), GRAPH_OK);
  }).join();
  EXPECT_EQ(first, copy);
  EXPECT_THAT(other, HasSubstr("sim:0"));
}

TEST(ApiTest, VerboseTellsOnceOfEachPlacement) {
  setenv("BRAID_SIM", "1", 0);
  const std::string bytes = ModelBytes(kTwoOutputs);
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "reference,sim";
  options.flags = GRAPH_VERBOSE;
  graph_t* graph = nullptr;
  ASSERT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_OK);
  GraphPtr owner(graph);
  ::testing::internal::CaptureStderr();
  for (int64_t n : {1, 2, 1, 2, 1}) {
    std::vector<float> x(static_cast<size_t>(2 * n), 1);
    graph_tensor in = Floats(x, {n, 2}), out = GRAPH_TENSOR_INIT;
    EXPECT_EQ(graph_run(graph, &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
    graph_tensor_release(&out);
  }
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(Count(told, "braid: model in memory: "), 2u) << told;
  EXPECT_EQ(Count(told, "  not on sim:0: MatMul: could; the plan is faster without"), 2u) << told;
}

// Every misuse of graph_run is an error that says what is wrong, and the graph still works.
TEST(BadInputs, N23GraphRun) {
  GraphPtr graph = Load(kTwoOutputs);
  std::vector<float> x = {1, 2}, y(1);
  graph_tensor out = GRAPH_TENSOR_INIT;
  auto fails = [&](graph_tensor in, const char* text) {
    EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
    EXPECT_THAT(graph_last_error(), HasSubstr(text));
    EXPECT_EQ(out.owner, nullptr);
  };
  graph_tensor good = Floats(x, {1, 2});
  fails(Floats(x, {1, 2}, "z"), "there is no input 'z'; the inputs are 'x'");
  fails(Floats(x, {2}), "rank 2");
  fails(Floats(x, {2, 1}), "extent 1 differs");
  graph_tensor bad = good;
  bad.type = GRAPH_INT32;
  fails(bad, "the model wants float32, int32 was given");
  bad = good;
  bad.type = 77;
  fails(bad, "element type 77");
  bad = good;
  bad.bytes = 4;
  fails(bad, "4 bytes were given");
  bad = good;
  bad.data = nullptr;
  fails(bad, "data is NULL");
  bad = good;
  bad.dims[0] = -1;
  fails(bad, "extent 0 is -1");
  bad = good;
  bad.rank = 33;
  fails(bad, "rank 33");
  bad = good;
  bad.dims[0] = INT64_MAX;
  bad.dims[1] = INT64_MAX;
  fails(bad, "overflows");
  bad = good;
  bad.size = 0;
  fails(bad, "GRAPH_TENSOR_INIT");
  bad = good;
  bad.kind = GRAPH_SEQUENCE;
  fails(bad, "a sequence was given");

  graph_tensor two[2] = {good, good};
  EXPECT_EQ(graph_run(graph.get(), two, 2, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("2 inputs were given, the model has 1"));
  EXPECT_EQ(graph_run(graph.get(), nullptr, 0, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("input 'x' (float32[N,2]) was not given"));
  EXPECT_EQ(graph_run(graph.get(), nullptr, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_EQ(graph_run(graph.get(), &good, 1, nullptr, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_EQ(graph_run(nullptr, &good, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  graph_tensor wrong = GRAPH_TENSOR_INIT;
  wrong.name = "t";
  EXPECT_EQ(graph_run(graph.get(), &good, 1, &wrong, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("there is no output 't'; the outputs are 'y', 's'"));

  graph_tensor small = Floats(y, {});
  EXPECT_EQ(graph_run(graph.get(), &good, 1, &small, 1), GRAPH_BUFFER_TOO_SMALL);
  EXPECT_THAT(graph_last_error(), HasSubstr("needs 8 bytes, there is room for 4"));
  EXPECT_EQ(small.bytes, 8u);
  EXPECT_THAT(DimsOf(small), ElementsAre(1, 2));

  ASSERT_EQ(graph_run(graph.get(), &good, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_STREQ(graph_last_error(), "");
  EXPECT_EQ(graph_run(graph.get(), &good, 1, &out, 1), GRAPH_INVALID_ARGUMENT);  // still holds a result
  EXPECT_THAT(graph_last_error(), HasSubstr("graph_tensor_release"));
  EXPECT_THAT(TakeFloats(out), ElementsAre(7.5f, 0));
}

TEST(BadInputs, N23AnItemWithoutData) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (seq(float[N]) s) => (float[M] y) {
      y = ConcatFromSequence<axis = 0>(s)
    })");
  std::vector<float> x = {1, 2};
  graph_tensor items[2] = {Floats(x, {2}), Floats(x, {2})}, in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
  in.kind = GRAPH_SEQUENCE;
  in.items = items;
  in.item_count = 2;
  items[1].data = nullptr;
  EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("input 's': items[1]: data is NULL"));
  items[1].data = x.data();
  ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(1, 2, 1, 2));
}

TEST(BadInputs, N23OutputsInTheSameMemory) {
  GraphPtr graph = Load(kTwoOutputs);
  std::vector<float> x = {1, 2}, room = {-1, -1, -1};
  graph_tensor in = Floats(x, {1, 2}), out[2] = {Floats(room, {}, "s"), Floats(room, {}, "y")};
  out[0].bytes = sizeof(float);
  EXPECT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("outputs 's' and 'y' are to be written to the same memory"));
  EXPECT_THAT(room, ElementsAre(-1, -1, -1));
  out[1].data = &room[1];
  out[1].bytes = 2 * sizeof(float);
  ASSERT_EQ(graph_run(graph.get(), &in, 1, out, 2), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(room, ElementsAre(7.5f, 7.5f, 0));
}

TEST(BadInputs, N23ASequenceThatHoldsItself) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (seq(float[N]) s) => (float[M] y) {
      y = ConcatFromSequence<axis = 0>(s)
    })");
  graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
  in.kind = GRAPH_SEQUENCE;
  in.items = &in;
  in.item_count = 1;
  EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("nested deeper than"));
}

TEST(BadInputs, N23ManyInputsByName) {
  constexpr int kInputs = 20000;
  std::string text = std::string(kHeader) + "g (";
  for (int i = 0; i < kInputs; ++i) text += (i > 0 ? ", float x" : "float x") + std::to_string(i);
  GraphPtr graph = Load(text + ") => (float y) { y = Add(x7, x9) }");
  std::vector<float> one = {1};
  std::vector<std::string> names;
  for (int i = 0; i < kInputs; ++i) names.push_back("x" + std::to_string(i));
  std::vector<graph_tensor> in;
  for (const std::string& name : names) in.push_back(Floats(one, {}, name.c_str()));
  const auto start = std::chrono::steady_clock::now();
  graph_tensor out = GRAPH_TENSOR_INIT;
  ASSERT_EQ(graph_run(graph.get(), in.data(), kInputs, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(2));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  in[3].name = "none";
  EXPECT_EQ(graph_run(graph.get(), in.data(), kInputs, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("there is no input 'none'; the inputs are 'x0', "));
  EXPECT_LT(std::strlen(graph_last_error()), 1000u);
}

TEST(BadInputs, N23NamesWithControlCharacters) {
  GraphPtr graph = Load(kTwoOutputs);
  std::vector<float> x = {1, 2};
  graph_tensor in = Floats(x, {1, 2}, "a\nb\x1b[31m"), out = GRAPH_TENSOR_INIT;
  EXPECT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("there is no input 'a\\nb\\x1b[31m'; the inputs are"));
}

TEST(BadInputs, N23SizesOfOptions) {
  const std::string bytes = ModelBytes(kTwoOutputs);
  for (const uint32_t size : {0u, 7u, 9u, 12u, 20u, 63u, 4100u, UINT32_MAX}) {
    graph_options options = GRAPH_OPTIONS_INIT;
    options.devices = "reference";
    options.size = size;
    graph_t* graph = nullptr;
    EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_INVALID_ARGUMENT)
        << size;
    EXPECT_THAT(graph_last_error(), HasSubstr("GRAPH_OPTIONS_INIT"));
  }
}

TEST(BadInputs, N23NothingIsFreedTwice) {
  graph_free(nullptr);
  graph_tensor_release(nullptr);
  graph_request_free(nullptr);
  graph_buffer_free(nullptr);
  graph_cancel(nullptr);
  graph_tensor t = GRAPH_TENSOR_INIT;
  graph_tensor_release(&t);
  graph_tensor_release(&t);
}

TEST(BadInputs, N04AnEndlessLoopStopsWhenCancelled) {
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (float x) => (float y) <int64 trips = {4611686018427387904}> {
      yes = Constant<value = bool {1}>()
      y = Loop(trips, yes, x) <body = step (int64 i, bool going, float v) => (bool more, float next) {
        more = Identity(going)
        next = Neg(v)
      }>
    })");
  std::vector<float> x = {1};
  graph_tensor in = Floats(x, {}), out = GRAPH_TENSOR_INIT;
  graph_request* request = nullptr;
  ASSERT_EQ(graph_run_async(graph.get(), &in, 1, &out, 1, &request), GRAPH_OK);
  EXPECT_EQ(graph_wait(request, 50'000'000), GRAPH_PENDING);
  graph_cancel(request);
  EXPECT_EQ(graph_wait(request, 5'000'000'000), GRAPH_CANCELLED);
  EXPECT_THAT(graph_last_error(), HasSubstr("cancelled"));
  graph_request_free(request);
}

TEST(ApiTest, OptionsThatMeanNothingAreRefused) {
  const std::string bytes = ModelBytes(kTwoOutputs);
  graph_t* graph = nullptr;
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "nosuchdevice";
  EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_INVALID_ARGUMENT);
  EXPECT_EQ(graph, nullptr);
  EXPECT_THAT(graph_last_error(), HasSubstr("there is no device 'nosuchdevice'; the plugins are "));
  // How many devices a plugin has is known once it is loaded.
  options.devices = "reference:99";
  ASSERT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_OK);
  GraphPtr owner(graph);
  std::vector<float> x = {1, 2};
  graph_tensor in = Floats(x, {1, 2}), out = GRAPH_TENSOR_INIT;
  EXPECT_EQ(graph_run(graph, &in, 1, &out, 1), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("there is no device 'reference:99'; there are: "));
  options = GRAPH_OPTIONS_INIT;
  options.placement = "random:x";
  EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_INVALID_ARGUMENT);
  EXPECT_EQ(graph, nullptr);
  options = GRAPH_OPTIONS_INIT;
  options.precision = 9;
  EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_INVALID_ARGUMENT);
  EXPECT_EQ(graph_load("/nonexistent/model.onnx", nullptr, &graph), GRAPH_IO_ERROR);
  EXPECT_THAT(graph_last_error(), HasSubstr("/nonexistent/model.onnx"));
}

TEST(ApiTest, DevicesAreListed) {
  std::vector<graph_device_info> infos(graph_devices(nullptr, 0), graph_device_info GRAPH_DEVICE_INFO_INIT);
  ASSERT_GE(graph_devices(infos.data(), static_cast<uint32_t>(infos.size())), 1u);
  bool reference = false;
  for (const graph_device_info& info : infos) reference = reference || std::string(info.id) == "reference:0";
  EXPECT_TRUE(reference);
  const char* json = nullptr;
  ASSERT_EQ(graph_plugins(&json), GRAPH_OK);
  EXPECT_THAT(json, HasSubstr("\"reference\""));
}

}  // namespace
}  // namespace braid::testing
