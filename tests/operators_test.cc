// SPDX-License-Identifier: Apache-2.0
//
// Operators that plugins bring: the two of samples/operators, and declarations that make no sense.
#include <braid/ext/operators.h>
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Plugins are looked for once.
const bool kPath = setenv("BRAID_PLUGIN_PATH", BRAID_TEST_BINARY_DIR "/samples/plugins", 1) == 0 &&
                   setenv("BRAID_SIM", "1", 0) == 0;

constexpr char kHeader[] =
    R"(<ir_version: 8, opset_import: ["" : 17, "com.example.audio" : 1, "com.example.image" : 1]> )";

// The error of a model that cannot be loaded or run; "" if it ran.
std::string ErrorOf(const std::string& text, const std::string& devices = "reference,sim,example_audio") {
  EXPECT_TRUE(kPath);
  const std::string bytes = ModelBytes(kHeader + text);
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = devices.c_str();
  graph_t* graph = nullptr;
  if (graph_load_memory(bytes.data(), bytes.size(), &options, &graph) != GRAPH_OK) return graph_last_error();
  const GraphPtr owner(graph);
  std::vector<float> x = {1, 2, 3, 4};
  graph_tensor in = Floats(x, {1, 4}), out = GRAPH_TENSOR_INIT;
  if (graph_run(graph, &in, 1, &out, 1) != GRAPH_OK) return graph_last_error();
  graph_tensor_release(&out);
  return "";
}

TEST(Operators, RunOnThePluginsDevice) {
  // Between operators of ONNX's, which other devices run.
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[B,N] x) => (float[B,M] y) {
      n = Neg(x)
      a = com.example.audio.MovingAverage <window = 2> (n)
      b = com.example.audio.MovingAverage <window = 3> (a)
      y = Neg(b)
    })",
                        "reference,sim,example_audio");
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, 2, 3, 4, 0, 0, 6, 6};
  graph_tensor in = Floats(x, {2, 4}), out = GRAPH_TENSOR_INIT;
  ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(DimsOf(out), ElementsAre(2, 1));
  EXPECT_THAT(TakeFloats(out), ElementsAre(2.5f, 3));  // {1.5, 2.5, 3.5}; {0, 3, 6}
  const char* text = nullptr;
  ASSERT_EQ(graph_explain(graph.get(), GRAPH_EXPLAIN_TEXT, &text), GRAPH_OK);
  EXPECT_THAT(text, HasSubstr("example_audio:0"));
}

TEST(Operators, ShapesAreInferred) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[2,5] x) => (float[A,B] y, int64[2] s) {
      y = com.example.audio.MovingAverage <window = 2> (x)
      s = Shape(y)
    })",
                        "reference,example_audio");
  ASSERT_NE(graph, nullptr);
  graph_value_info out = GRAPH_VALUE_INFO_INIT;
  graph_outputs(graph.get(), &out, 1);
  EXPECT_EQ(out.dims[0], 2);
  EXPECT_EQ(out.dims[1], 4);
}

TEST(Operators, BodiesRunOnAnyDevice) {
  for (const char* devices : {"reference", "sim", "reference,sim"}) {
    GraphPtr graph =
        Load(std::string(kHeader) + R"(g (float[N] x) => (float[N] y) <float low = {1}, float high = {3}> {
        y = com.example.image.SmoothStep <steepness = 1.0> (x, low, high)
      })",
             devices);
    ASSERT_NE(graph, nullptr);
    std::vector<float> x = {0, 1, 1.5f, 2, 3, 9};
    graph_tensor in = Floats(x, {6}), out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_THAT(DimsOf(out), ElementsAre(6));
    EXPECT_THAT(TakeFloats(out), ElementsAre(0, 0, 0.15625f, 0.5f, 1, 1));
  }
}

TEST(Operators, InsideControlFlow) {
  GraphPtr graph = Load(std::string(kHeader) + R"(g (float[N] x) => (float[M] y) <bool yes = {1}> {
      y = If(yes) <then_branch = a () => (float[P] p) { p = com.example.audio.MovingAverage <window = 2> (x) },
                   else_branch = b () => (float[Q] q) { q = Identity(x) }>
    })",
                        "reference,example_audio");
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, 3, 5};
  graph_tensor in = Floats(x, {3}), out = GRAPH_TENSOR_INIT;
  ASSERT_EQ(graph_run(graph.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(2, 4));
}

TEST(Operators, ModelsAreHeldAgainstTheDeclaration) {
  const auto node = [](const std::string& call) {
    return "g (float[1,N] x) => (float[A,B] y) { y = " + call + " }";
  };
  EXPECT_EQ(ErrorOf(node("com.example.audio.MovingAverage <window = 2> (x)")), "");
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage (x)")), HasSubstr("window"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 2.5> (x)")), HasSubstr("window"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 2, size = 3> (x)")), HasSubstr("size"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 2> (x, x)")),
              HasSubstr("MovingAverage"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 0> (x)")),
              HasSubstr("window is 0, it must be at least 1"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 5> (x)")),
              HasSubstr("the last axis has 4 elements, the window 5"));
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAvrage <window = 2> (x)")),
              HasSubstr("did you mean 'MovingAverage'"));
  EXPECT_THAT(ErrorOf("g (float[1,N] x) => (double[A,B] y) { d = Cast <to = 11> (x) y = "
                      "com.example.audio.MovingAverage <window = 2> (d) }"),
              HasSubstr("MovingAverage"));
  // Known, but no device runs it and it has no body.
  EXPECT_THAT(ErrorOf(node("com.example.audio.MovingAverage <window = 2> (x)"), "reference"),
              HasSubstr("MovingAverage"));
}

}  // namespace
}  // namespace braid::testing
