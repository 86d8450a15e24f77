// SPDX-License-Identifier: Apache-2.0
//
// Isolation as an application asks for it, one graph at a time, and the quarantine of a process that ends
// again and again.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

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
