// SPDX-License-Identifier: Apache-2.0
//
// An application whose plugin lives in a process of its own: what it sees of that process's end is a right
// result from another device. ISOLATION_RUNS in the environment says how often the crash is tried.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/model.h"

namespace braid::testing {
namespace {

// Neg is the fixture's or the reference's, as the placement draws; Abs the reference's. y = |x|.
constexpr char kModel[] = R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) {
    a = Neg(x) b = Abs(a) c = Neg(b) d = Abs(c) e = Neg(d) f = Abs(e) g = Neg(f) h = Abs(g)
    i = Neg(h) j = Abs(i) k = Neg(j) l = Abs(k) m = Neg(l) n = Abs(m) o = Neg(n) y = Abs(o)
  })";

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class Hostile : public ::testing::Test {
 protected:
  // The registry looks at the environment once: what is set here holds for the process.
  static void SetUpTestSuite() {
    std::string pattern = (std::filesystem::temp_directory_path() / "braid_isolation_XXXXXX").string();
    folder_ = new std::filesystem::path(mkdtemp(pattern.data()));
    for (const auto& [id, file] :
         {std::pair("hostile", "fixture_hostile.so"), std::pair("fixture", "fixture_good.so")}) {
      std::filesystem::copy_file(std::string(BRAID_TEST_BINARY_DIR "/tests/fixtures/") + file,
                                 *folder_ / file);
      std::ofstream(*folder_ / (std::string(id) + ".braid.json"))
          << R"({"id": ")" << id << R"(", "library": ")" << file
          << R"(", "abi": "0.1", "version": "1", "devices": ["cpu"]})";
    }
    setenv("BRAID_PLUGIN_PATH", folder_->c_str(), 1);
    setenv("BRAID_ISOLATE", "hostile", 1);
    setenv("BRAID_ISOLATE_QUARANTINE", "0", 1);
    setenv("BRAID_ISOLATE_PAUSE_MS", "0", 1);
    setenv("BRAID_ISOLATE_DEADLINE_MS", "2000", 1);
    setenv("BRAID_LOG", "error", 1);
    // A process that is there already looks into the file, too.
    setenv("FIXTURE_HOSTILE_FILE", (*folder_ / "way").c_str(), 1);
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*folder_);
    delete folder_;
  }
  void TearDown() override { std::filesystem::remove(*folder_ / "way"); }
  static void Misbehave(const std::string& way) { std::ofstream(*folder_ / "way") << way; }
  static int Runs(int usual) {
    const char* text = getenv("ISOLATION_RUNS");
    return text == nullptr ? usual : atoi(text);
  }
  static std::string Explained(graph_t* graph) {
    const char* text = nullptr;
    EXPECT_EQ(graph_explain(graph, GRAPH_EXPLAIN_TEXT, &text), GRAPH_OK) << graph_last_error();
    return text == nullptr ? "" : text;
  }
  static graph_status Run(graph_t* graph, float x0) {
    std::vector<float> x = {x0, -2, 3};
    graph_tensor in = Floats(x, {3}), out = GRAPH_TENSOR_INIT;
    const graph_status status = graph_run(graph, &in, 1, &out, 1);
    if (status == GRAPH_OK) {
      EXPECT_EQ(TakeFloats(out), (std::vector<float>{x0, 2, 3}));
    }
    return status;
  }
  static std::filesystem::path* folder_;
};
std::filesystem::path* Hostile::folder_ = nullptr;

// Its second submit of each process ends it, in a run that has several on both devices.
TEST_F(Hostile, CrashesInTheMiddleOfARunAndAnotherDeviceGivesTheRightResult) {
  Misbehave("segv@exec.submit:2");
  const int runs = Runs(100);
  int right = 0, crashed = 0;
  // Not every draw gives the crashing device two segments.
  for (int i = 0; crashed < runs && i < 10 * runs; ++i) {
    GraphPtr graph = Load(kModel, "hostile,reference", "random:" + std::to_string(i));
    const graph_status status = Run(graph.get(), static_cast<float>(i));
    ASSERT_EQ(status, GRAPH_OK) << i << ": " << graph_last_error();
    const bool ended = Explained(graph.get())
                           .find(
                               "the process of the plugin hostile (fixture_hostile.so) was ended by "
                               "signal 11 (Segmentation fault) in exec.submit") != std::string::npos;
    crashed += ended;
    right += ended;
    // The graph goes on without it.
    ASSERT_EQ(Run(graph.get(), 7), GRAPH_OK) << graph_last_error();
  }
  std::printf("%d runs in which the plugin's process ended by signal 11, %d right results\n", crashed, right);
  EXPECT_EQ(crashed, runs);
  EXPECT_EQ(right, runs);
}

// What it then does not compile goes to the other device.
TEST_F(Hostile, ClaimsEveryNode) {
  Misbehave("claims@device.query");
  GraphPtr graph = Load(kModel, "hostile,reference", "random:1");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Run(graph.get(), 5), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()), AnyOf(HasSubstr("one node at a time"), HasSubstr("only Neg and Add")));
}

TEST_F(Hostile, AbsurdWorkspace) {
  Misbehave("wide@exec.workspace_size");
  GraphPtr graph = Load(kModel, "hostile,reference", "random:1");
  ASSERT_EQ(Run(graph.get(), 5), GRAPH_OK) << graph_last_error();
}

TEST_F(Hostile, WritesPastTheEnd) {
  Misbehave("past@exec.submit");
  GraphPtr graph = Load(kModel, "hostile,reference", "random:1");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Run(graph.get(), 5), GRAPH_OK) << graph_last_error();
}

// Each run that hangs costs its deadline and no more.
TEST_F(Hostile, Hangs) {
  Misbehave("hang@exec.submit");
  GraphPtr graph = Load(kModel, "hostile,reference", "random:1");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(Run(graph.get(), 5), GRAPH_OK) << graph_last_error();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(6));
  EXPECT_THAT(Explained(graph.get()), HasSubstr("did not answer exec.submit within its deadline"));
}

// The plugin that lives in this process is as it was.
TEST_F(Hostile, OthersGoOn) {
  Misbehave("segv@device.compile");
  GraphPtr graph = Load(kModel, "hostile,fixture,reference", "random:1");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Run(graph.get(), 5), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(Explained(graph.get()), AllOf(HasSubstr("fixture:0: 1 node"), HasSubstr("hostile:0 left out")));
}

}  // namespace
}  // namespace braid::testing
