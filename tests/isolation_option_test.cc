// SPDX-License-Identifier: Apache-2.0
//
// Isolation as an application asks for it, one graph at a time, and the quarantine of a process that ends
// again and again.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

constexpr char kModel[] =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = Neg(x) })";

class IsolationOption : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = (fs::temp_directory_path() / "braid_isolation_XXXXXX").string();
    folder_ = new fs::path(mkdtemp(pattern.data()));
    fs::copy_file(BRAID_TEST_BINARY_DIR "/tests/fixtures/fixture_hostile.so",
                  *folder_ / "fixture_hostile.so");
    std::ofstream(*folder_ / "hostile.braid.json")
        << R"({"id": "hostile", "library": "fixture_hostile.so", "abi": "0.1", "version": "1", "devices": ["cpu"]})";
    setenv("BRAID_PLUGIN_PATH", folder_->c_str(), 1);
    setenv("BRAID_ISOLATE_PAUSE_MS", "1", 1);
    setenv("BRAID_LOG", "error", 1);
    // A process that is there already looks into the file, too.
    setenv("FIXTURE_HOSTILE_FILE", (*folder_ / "way").c_str(), 1);
    unsetenv("BRAID_ISOLATE");
  }
  static void TearDownTestSuite() {
    fs::remove_all(*folder_);
    delete folder_;
  }
  void TearDown() override { fs::remove(*folder_ / "way"); }
  static void Misbehave(const std::string& way) { std::ofstream(*folder_ / "way") << way; }
  // One run on the isolated plugin and the reference; what the plan says of it.
  static std::string Run(const char* option = "hostile:isolation=process", graph_status expected = GRAPH_OK) {
    const std::string bytes = ModelBytes(kModel);
    graph_options options = GRAPH_OPTIONS_INIT;
    const char* list[] = {option, nullptr};
    options.devices = "hostile,reference";
    options.device_options = list;
    graph_t* graph = nullptr;
    EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_OK)
        << graph_last_error();
    GraphPtr owner(graph);
    std::vector<float> x = {1, -2};
    graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
    const graph_status status = graph_run(graph, &in, 1, &out, 1);
    EXPECT_EQ(status, expected) << graph_last_error();
    if (status != GRAPH_OK) return graph_last_error();
    EXPECT_EQ(TakeFloats(out), (std::vector<float>{-1, 2}));
    const char* text = nullptr;
    EXPECT_EQ(graph_explain(graph, GRAPH_EXPLAIN_TEXT, &text), GRAPH_OK);
    return text == nullptr ? "" : text;
  }
  static std::string Plugins() {
    const char* json = nullptr;
    EXPECT_EQ(graph_plugins(&json), GRAPH_OK);
    return json;
  }
  static fs::path* folder_;
};
fs::path* IsolationOption::folder_ = nullptr;

GraphPtr LoadIsolated(const std::string& text) {
  const std::string bytes = ModelBytes(text);
  graph_options options = GRAPH_OPTIONS_INIT;
  const char* list[] = {"reference:isolation=process", nullptr};
  options.devices = "reference";
  options.device_options = list;
  graph_t* graph = nullptr;
  EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &graph), GRAPH_OK) << graph_last_error();
  return GraphPtr(graph);
}

// Constants are memory of both processes, but no descriptors. The first test: the process starts under the
// limit.
TEST_F(IsolationOption, MoreConstantsThanDescriptors) {
  constexpr int kConstants = 300;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 128;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::string constants, nodes;
  for (int i = 0; i < kConstants; ++i) {
    const std::string n = std::to_string(i), next = i + 1 == kConstants ? "y" : "t" + std::to_string(i + 1);
    constants += (i == 0 ? "<float[2] w" : ", float[2] w") + n + " = {1, " + n + "}";
    nodes += next + " = Add(t" + n + ", w" + n + ") ";
  }
  const GraphPtr graph =
      LoadIsolated(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] t0) => (float[2] y) )" +
                   constants + "> { " + nodes + "}");
  std::vector<float> x = {1, -2};
  graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
  const graph_status status = graph == nullptr ? GRAPH_INTERNAL : graph_run(graph.get(), &in, 1, &out, 1);
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_EQ(status, GRAPH_OK) << graph_last_error();
  EXPECT_EQ(TakeFloats(out), (std::vector<float>{1 + kConstants, -2 + kConstants * (kConstants - 1) / 2}));
}

// What a forked process has of an isolated device is lost there, and untouched for the process before.
TEST_F(IsolationOption, AForkedProcessStartsItsOwn) {
  const std::string model =
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) })";
  const auto run = [](graph_t* graph) -> graph_status {
    std::vector<float> x = {1, -2};
    graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
    const graph_status status = graph_run(graph, &in, 1, &out, 1);
    if (status == GRAPH_OK && TakeFloats(out) != std::vector<float>{-1, 2}) return GRAPH_INTERNAL;
    return status;
  };
  const GraphPtr graph = LoadIsolated(model);
  ASSERT_EQ(run(graph.get()), GRAPH_OK) << graph_last_error();
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    if (run(graph.get()) != GRAPH_DEVICE_LOST) _exit(1);
    if (std::string(graph_last_error()).find("forked") == std::string::npos) _exit(2);
    _exit(run(LoadIsolated(model).get()) == GRAPH_OK ? 0 : 3);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(run(graph.get()), GRAPH_OK) << graph_last_error();
}

// A message that has no room in the ring goes over the socket.
TEST_F(IsolationOption, ARunOfAThousandInputs) {
  constexpr int kInputs = 1000;
  std::string declared, read;
  for (int i = 0; i < kInputs; ++i) {
    declared += (i == 0 ? "float[2] x" : ", float[2] x") + std::to_string(i);
    read += (i == 0 ? "x" : ", x") + std::to_string(i);
  }
  const GraphPtr graph = LoadIsolated(R"(<ir_version: 8, opset_import: ["" : 17]> g ()" + declared +
                                      ") => (float[2] y) { y = Sum(" + read + ") }");
  ASSERT_NE(graph, nullptr);
  std::vector<float> x = {1, -2};
  const std::vector<graph_tensor> in(kInputs, Floats(x, {2}));
  for (int run = 0; run < 3; ++run) {
    graph_tensor out = GRAPH_TENSOR_INIT;
    ASSERT_EQ(graph_run(graph.get(), in.data(), kInputs, &out, 1), GRAPH_OK) << graph_last_error();
    EXPECT_EQ(TakeFloats(out), (std::vector<float>{kInputs, -2 * kInputs}));
  }
}

TEST_F(IsolationOption, PutsThePluginInAProcessOfItsOwn) {
  EXPECT_THAT(Plugins(), HasSubstr(R"("isolation": "")"));
  EXPECT_THAT(Run(), AllOf(HasSubstr("hostile:0: 1 node"), Not(HasSubstr("left out"))));
  EXPECT_THAT(Plugins(), HasSubstr(R"("isolation": "in a process of its own")"));
}

TEST_F(IsolationOption, CanOnlyBeProcess) {
  EXPECT_THAT(Run("hostile:isolation=thread", GRAPH_INVALID_ARGUMENT),
              HasSubstr("'hostile:isolation=thread': isolation can only be 'process'"));
}

// The fourth graph is told at once, without a process that would end like the three before.
TEST_F(IsolationOption, QuarantineAfterThreeEnds) {
  Misbehave("abort@exec.submit");
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(Run(),
                AllOf(HasSubstr("left out"), HasSubstr("was ended by signal 6 (Aborted) in exec.submit")));
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(Run(), AllOf(HasSubstr("left out"), HasSubstr("in quarantine for"),
                             HasSubstr("its process ended 3 times")));
  EXPECT_THAT(Plugins(), HasSubstr(R"("isolation": "in quarantine for)"));
}

}  // namespace
}  // namespace braid::testing
