// SPDX-License-Identifier: Apache-2.0
//
// Options of a graph that go to its devices: a plugin that tells what it was given (core/plugins/fixtures).
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kNeg[] =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = Neg(x) })";

class Options : public ::testing::Test {
 protected:
  // The registry looks at the environment once.
  static void SetUpTestSuite() {
    std::string pattern = (fs::temp_directory_path() / "braid_options_XXXXXX").string();
    folder_ = new fs::path(mkdtemp(pattern.data()));
    fs::create_directories(*folder_ / "plugins");
    std::ofstream(*folder_ / "plugins" / "fixture.braid.json")
        << R"({"id": "fixture", "library": "fixture_good.so", "abi": "0.1", "version": "1", "devices": ["cpu"]})";
    fs::copy_file(BRAID_TEST_BINARY_DIR "/tests/fixtures/fixture_good.so",
                  *folder_ / "plugins" / "fixture_good.so");
    setenv("BRAID_PLUGIN_PATH", (*folder_ / "plugins").c_str(), 1);
    setenv("BRAID_CACHE_DIR", (*folder_ / "usual").c_str(), 1);
  }
  static void TearDownTestSuite() {
    fs::remove_all(*folder_);
    delete folder_;
  }

  // The status of a run of Neg on the fixture; its text is graph_last_error().
  graph_status Run(const char* const* device_options, const char* cache_folder = nullptr) {
    const std::string bytes = ModelBytes(kNeg);
    options_.devices = "fixture";
    options_.device_options = device_options;
    options_.cache_folder = cache_folder;
    graph_t* graph = nullptr;
    if (graph_status s = graph_load_memory(bytes.data(), bytes.size(), &options_, &graph); s != GRAPH_OK)
      return s;
    GraphPtr owner(graph);
    std::vector<float> x = {1, -2};
    graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
    const graph_status status = graph_run(graph, &in, 1, &out, 1);
    text_ = graph_last_error();
    if (status == GRAPH_OK) {
      EXPECT_EQ(TakeFloats(out), (std::vector<float>{-1, 2}));
    }
    return status;
  }
  // The same, once there are two: a process of the plugin's own closes its device in its own time.
  static size_t TwoFilesIn(const char* name) {
    for (int i = 0; i < 100 && FilesIn(name) < 2; ++i) usleep(10'000);
    return FilesIn(name);
  }
  static size_t FilesIn(const char* name) {
    const fs::path folder = *folder_ / name / "plugins" / "fixture";
    return fs::exists(folder) ? static_cast<size_t>(std::distance(fs::directory_iterator(folder), {})) : 0;
  }

  static fs::path* folder_;
  graph_options options_ = GRAPH_OPTIONS_INIT;
  std::string text_;
};
fs::path* Options::folder_ = nullptr;

TEST_F(Options, ReachOpenAndCompile) {
  EXPECT_EQ(Run(nullptr), GRAPH_OK) << text_;
  const char* told[] = {"fixture:fault=told", nullptr};
  EXPECT_EQ(Run(told), GRAPH_OUT_OF_MEMORY);
  EXPECT_THAT(text_, HasSubstr("1 options, fault=told, memory limit 0, deadline none"));
  options_.memory_limit = 4096;
  options_.compile_timeout_ns = 60'000'000'000;
  const char* one[] = {"fixture:0:fault=told", nullptr};
  EXPECT_EQ(Run(one), GRAPH_OUT_OF_MEMORY);
  EXPECT_THAT(text_, HasSubstr("memory limit 4096, deadline ahead"));
  // The devices of the process are as they were.
  EXPECT_EQ(Run(nullptr), GRAPH_OK) << text_;
}

TEST_F(Options, ThatMeanNothingAreRefused) {
  for (const auto& [option, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"fixture:colour=red", "the only option is 'fault'"},
           {"fixture:7:fault=told", "'fixture:7:fault=told': no such device is used; there are fixture:0"},
           {"acme:fault=told", "no such device is used"},
           {"fault=told", "is not PLUGIN:KEY=VALUE"},
           {"fixture:fault", "is not PLUGIN:KEY=VALUE"},
           {"fixture:=x", "has no key"}}) {
    const char* list[] = {option, nullptr};
    text_.clear();
    EXPECT_EQ(Run(list), GRAPH_INVALID_ARGUMENT) << option;
    EXPECT_THAT(text_.empty() ? graph_last_error() : text_, HasSubstr(text));
  }
  EXPECT_EQ(Run(nullptr, "relative"), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("not an absolute path"));
}

// The device keeps one thing when it is opened and one when it is closed.
TEST_F(Options, CacheFolder) {
  const char* cache[] = {"fixture:fault=cache", nullptr};
  EXPECT_EQ(Run(cache, ""), GRAPH_OK) << text_;
  EXPECT_EQ(FilesIn("usual"), 0u);
  EXPECT_EQ(Run(cache, (*folder_ / "mine").c_str()), GRAPH_OK) << text_;
  EXPECT_EQ(TwoFilesIn("mine"), 2u);
  EXPECT_EQ(FilesIn("usual"), 0u);
  EXPECT_EQ(Run(cache), GRAPH_OK) << text_;
  EXPECT_EQ(TwoFilesIn("usual"), 2u);
}

// A device that accepts nodes and then does not compile them is at fault: that is not "no device can".
TEST_F(Options, ARefusalAfterAYesIsAFault) {
  const std::string bytes = ModelBytes(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { t = Neg(x) y = Neg(t) })");
  options_.devices = "fixture";  // compiles one node at a time
  graph_t* graph = nullptr;
  ASSERT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options_, &graph), GRAPH_OK);
  GraphPtr owner(graph);
  std::vector<float> x = {1, -2};
  graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
  EXPECT_EQ(graph_run(graph, &in, 1, &out, 1), GRAPH_INTERNAL);
  EXPECT_THAT(graph_last_error(), HasSubstr("accepted each node, but refused them when they were compiled"));
  EXPECT_THAT(graph_last_error(), HasSubstr("one node at a time"));
}

}  // namespace
}  // namespace braid::testing
