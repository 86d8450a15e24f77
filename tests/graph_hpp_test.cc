// SPDX-License-Identifier: Apache-2.0
//
// graph.hpp, in C++17 as its users may have it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <braid/graph.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>

#include "tests/model.h"

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

static_assert(__cplusplus < 202002L, "the header promises C++17");

constexpr char kHeader[] = R"(<ir_version: 8, opset_import: ["" : 17]> )";

braid::Graph LoadText(const std::string& text, const braid::GraphOptions& options = {}) {
  const std::string bytes = braid::testing::ModelBytes(kHeader + text);
  return braid::Graph(bytes.data(), bytes.size(), options);
}

// Devices are looked for once.
const int simulated = setenv("BRAID_SIM", "1", 0);

braid::GraphOptions On(const std::string& devices) {
  EXPECT_EQ(simulated, 0);
  braid::GraphOptions options;
  options.devices = devices;
  return options;
}

std::string ErrorOf(const std::function<void()>& call, graph_status status) {
  try {
    call();
  } catch (const braid::GraphError& e) {
    EXPECT_EQ(e.status(), status) << e.what();
    return e.what();
  }
  return "nothing was thrown";
}

constexpr char kRelu[] = "g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }";

TEST(GraphHpp, TheExampleAtItsTop) {
  char folder[] = "/tmp/braid-hpp-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  ASSERT_EQ(chdir(folder), 0);
  const std::string bytes = braid::testing::ModelBytes(std::string(kHeader) + kRelu);
  std::ofstream("model.onnx", std::ios::binary) << bytes;

  std::vector<float> numbers = {1, 2, 3, 4};
  braid::Graph graph("model.onnx");
  auto out = graph.Run({braid::Tensor::Of<float>({1, 4}, numbers)});
  for (float x : out[0].values<float>()) std::printf("%f\n", x);

  EXPECT_EQ(out[0].values<float>(), numbers);
  std::remove("model.onnx");
  rmdir(folder);
}

TEST(GraphHpp, OutputsAreUsedAgain) {
  braid::Graph graph = LoadText("g (float[N] x) => (float[N] y) { y = Neg(x) }", On("reference"));
  std::vector<float> two = {1, -2}, one = {7}, three = {1, 2, 3};
  auto out = graph.Run({braid::Tensor::Of<float>({2}, two)});
  graph.Run({braid::Tensor::Of<float>({1}, one)}, out);
  EXPECT_THAT(out[0].values<float>(), ElementsAre(-7));
  // Results as inputs, into themselves.
  graph.Run(out, out);
  EXPECT_THAT(out[0].values<float>(), ElementsAre(7));
  // The caller's memory keeps its room over a smaller result.
  std::vector<float> room(2, 99);
  std::vector<braid::Tensor> into;
  into.push_back(braid::Tensor::Of<float>({2}, room, "y"));
  graph.Run({braid::Tensor::Of<float>({1}, one)}, into);
  EXPECT_THAT(room, ElementsAre(-7, 99));
  EXPECT_THAT(into[0].values<float>(), ElementsAre(-7));
  graph.Run({braid::Tensor::Of<float>({2}, two)}, into);
  EXPECT_THAT(room, ElementsAre(-1, 2));
  EXPECT_THAT(
      ErrorOf([&] { graph.Run({braid::Tensor::Of<float>({3}, three)}, into); }, GRAPH_BUFFER_TOO_SMALL),
      HasSubstr("needs 12 bytes"));
  graph.Run({braid::Tensor::Of<float>({2}, two)}, into);
  out[0].Reset();
  EXPECT_EQ(out[0].raw().data, nullptr);
  graph.Run({braid::Tensor::Of<float>({2}, two)}, out);
  EXPECT_THAT(out[0].values<float>(), ElementsAre(-1, 2));
}

TEST(GraphHpp, ElementsOfManyTypes) {
  braid::Graph nots = LoadText("g (bool[N] x) => (bool[N] y) { y = Not(x) }");
  EXPECT_THAT(nots.Run({braid::Tensor::Copy<bool>({3}, {true, false, true})})[0].values<bool>(),
              ElementsAre(false, true, false));
  braid::Graph half = LoadText("g (float16[N] x) => (float16[N] y) { y = Neg(x) }");
  const auto y =
      half.Run({braid::Tensor::Copy<braid::Float16>({2}, {braid::Float16(1.5f), braid::Float16(-3)})});
  EXPECT_EQ(static_cast<float>(y[0].data<braid::Float16>()[0]), -1.5f);
  EXPECT_EQ(static_cast<float>(y[0].data<braid::Float16>()[1]), 3.f);
  braid::Graph brain = LoadText("g (bfloat16[N] x) => (bfloat16[N] y) { y = Identity(x) }");
  EXPECT_EQ(brain.Run({braid::Tensor::Copy<braid::BFloat16>({1}, {braid::BFloat16(1)})})[0]
                .data<braid::BFloat16>()[0]
                .bits,
            0x3f80);
  braid::Graph text = LoadText("g (string[N] x) => (string[N] y) { y = Identity(x) }");
  EXPECT_THAT(text.Run({braid::Tensor::Strings({3}, {"", "ab", "c"})})[0].strings(),
              ElementsAre("", "ab", "c"));
  EXPECT_THAT(ErrorOf([&] { y[0].data<int32_t>(); }, GRAPH_INVALID_ARGUMENT),
              ::testing::StrEq("the tensor's elements are float16, not int32"));
  EXPECT_STREQ(graph_type_name(GRAPH_INT2), "int2");
  EXPECT_STREQ(graph_type_name(-1), "unknown");
}

// Against the definition: every number of the 16 bits comes back, and what lies between two goes to the
// nearer, in the middle to the even one.
TEST(GraphHpp, SixteenBitFloatsRoundToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    braid::Float16 low, high;
    low.bits = static_cast<uint16_t>(bits);
    high.bits = static_cast<uint16_t>(bits + 1);
    const float a = static_cast<float>(low);
    const int e = static_cast<int>(bits >> 10);
    const float mantissa = static_cast<float>((bits & 0x3ff) + (e > 0 ? 0x400 : 0));
    ASSERT_EQ(a, std::ldexp(mantissa, (e > 0 ? e : 1) - 25)) << bits;
    ASSERT_EQ(braid::Float16(a).bits, bits);
    ASSERT_EQ(braid::Float16(-a).bits, bits | 0x8000);
    const float b = bits == 0x7bff ? 65536.f : static_cast<float>(high), middle = (a + b) / 2;
    ASSERT_EQ(braid::Float16(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(braid::Float16(std::nextafter(middle, 0.f)).bits, bits) << bits;
    ASSERT_EQ(braid::Float16(std::nextafter(middle, 1e9f)).bits, bits + 1) << bits;
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(braid::Float16(infinity).bits, 0x7c00);
  EXPECT_EQ(static_cast<float>(braid::Float16(-infinity)), -infinity);
  EXPECT_TRUE(std::isnan(static_cast<float>(braid::Float16(std::nanf("")))));
  EXPECT_EQ(braid::BFloat16(0x1.01p0f).bits, 0x3f80);
  EXPECT_EQ(braid::BFloat16(0x1.03p0f).bits, 0x3f82);
  EXPECT_EQ(braid::BFloat16(0x1.010002p0f).bits, 0x3f81);
  EXPECT_EQ(static_cast<float>(braid::BFloat16(-2)), -2.f);
  EXPECT_TRUE(std::isnan(static_cast<float>(braid::BFloat16(std::nanf("")))));
}

TEST(GraphHpp, PrepareAsyncAndExplain) {
  braid::Graph graph = LoadText(kRelu, On("reference"));
  EXPECT_THAT(graph.Explain(), HasSubstr("nothing has been placed yet"));
  graph.Prepare({braid::Tensor::OfShape(GRAPH_FLOAT, {2, 4}, "x")});
  EXPECT_THAT(graph.Explain(), HasSubstr("reference:0: 1 node"));
  std::vector<float> numbers = {-1, 2, -3, 4};
  // The name is the tensor's own, and the tensor is gone before the run ends.
  braid::Request request = graph.RunAsync({braid::Tensor::Of<float>({1, 4}, numbers, "x")});
  EXPECT_THAT(request.Get()[0].values<float>(), ElementsAre(0, 2, 0, 4));
  braid::Request second = graph.RunAsync({braid::Tensor::Of<float>({1, 4}, numbers)});
  while (!second.Wait(std::chrono::milliseconds(1))) {
  }
  second.Cancel();
  braid::Request dropped = graph.RunAsync({braid::Tensor::Of<float>({1, 4}, numbers)});
}

TEST(GraphHpp, BuffersAndDevices) {
  braid::Graph graph = LoadText(kRelu, On("sim:0"));
  bool there = false;
  for (const graph_device_info& info : braid::Devices()) there = there || std::string(info.id) == "sim:0";
  EXPECT_TRUE(there);
  EXPECT_THAT(braid::Plugins(), HasSubstr("\"sim\""));
  braid::Buffer x("sim:0", 512), y("sim:0", 512);
  const float numbers[] = {-1, 2, -3, 4};
  x.Write(256, numbers, sizeof numbers);
  std::vector<braid::Tensor> out;
  out.push_back(braid::Tensor::In(y, 256, GRAPH_FLOAT, {}));
  graph.Run({braid::Tensor::In(x, 256, GRAPH_FLOAT, {1, 4})}, out);
  float result[4] = {};
  y.Read(256, result, sizeof result);
  EXPECT_THAT(result, ElementsAre(0, 2, 0, 4));
  EXPECT_THAT(out[0].dims(), ElementsAre(1, 4));
  EXPECT_THAT(ErrorOf(
                  [&] {
                    graph.Run({braid::Tensor::In(x, 16, GRAPH_FLOAT, {1, 4})});
                  },
                  GRAPH_INVALID_ARGUMENT),
              HasSubstr("input 'x': offset 16 is no multiple of 256"));
}

TEST(GraphHpp, OptionsReachTheGraph) {
  braid::GraphOptions options = On("sim");
  options.device_options = {R"(sim:config={"lacks": ["Relu", "Max"]})"};
  braid::Graph graph = LoadText(kRelu, options);
  std::vector<float> numbers(4);
  EXPECT_THAT(ErrorOf(
                  [&] {
                    graph.Run({braid::Tensor::Of<float>({1, 4}, numbers)});
                  },
                  GRAPH_UNSUPPORTED),
              HasSubstr("sim:0 says NO_OP"));
}

}  // namespace
