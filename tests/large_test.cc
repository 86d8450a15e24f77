// SPDX-License-Identifier: Apache-2.0
//
// Models larger than most: weights in external data are mapped and only what is touched is read, a protobuf
// beyond its limit is refused with what to do, long chains load quickly.
#include <braid/graph.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "onnx/onnx_pb.h"
#include "tests/model.h"

namespace braid::testing {
namespace {

namespace pb = ONNX_NAMESPACE;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Of this process, in KiB; 0 where the system does not tell.
int64_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoll(line.c_str() + 6, nullptr, 10);
  return 0;
}

class Large : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "braid_large_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A file that has this size and takes no room; the float at `offset` is `value`.
  void SparseFile(const std::string& name, int64_t bytes, int64_t offset, float value) {
    const int file = open((folder_ / name).c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(ftruncate(file, bytes), 0);
    ASSERT_EQ(pwrite(file, &value, sizeof value, offset), static_cast<ssize_t>(sizeof value));
    close(file);
  }

  std::filesystem::path folder_;
};

void Describe(const char* name, int32_t type, std::initializer_list<int64_t> dims, pb::ValueInfoProto* info) {
  info->set_name(name);
  info->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  for (const int64_t d : dims)
    info->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(d);
}

// y = the row of each of four tables of 1 GiB that the index says, added up.
TEST_F(Large, FourGibibytesOfWeightsAreMapped) {
  constexpr int64_t kRows = 1 << 20, kColumns = 256, kTable = kRows * kColumns * 4;
  pb::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(21);
  pb::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  Describe("index", pb::TensorProto::INT64, {1}, graph.add_input());
  std::string sum;
  for (int i = 0; i < 4; ++i) {
    const std::string table = "w" + std::to_string(i), row = "r" + std::to_string(i);
    auto* w = graph.add_initializer();
    w->set_name(table);
    w->set_data_type(pb::TensorProto::FLOAT);
    w->add_dims(kRows);
    w->add_dims(kColumns);
    w->set_data_location(pb::TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair<std::string, std::string>("location", "weights.bin"),
                                     {"offset", std::to_string(i * kTable)},
                                     {"length", std::to_string(kTable)}}) {
      auto* entry = w->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    auto* gather = graph.add_node();
    gather->set_op_type("Gather");
    gather->add_input(table);
    gather->add_input("index");
    gather->add_output(row);
    if (i == 0) {
      sum = row;
      continue;
    }
    auto* add = graph.add_node();
    add->set_op_type("Add");
    add->add_input(sum);
    add->add_input(row);
    sum = i == 3 ? "y" : "s" + std::to_string(i);
    add->add_output(sum);
  }
  Describe("y", pb::TensorProto::FLOAT, {1, kColumns}, graph.add_output());
  // In the last table, at row 3.
  SparseFile("weights.bin", 4 * kTable, 3 * kTable + 3 * kColumns * 4, 2.5f);
  std::ofstream(folder_ / "model.onnx", std::ios::binary) << model.SerializeAsString();

  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const int64_t before = PeakMemory();
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "reference";
  options.cache_folder = "";
  graph_t* loaded = nullptr;
  ASSERT_EQ(graph_load((folder_ / "model.onnx").c_str(), &options, &loaded), GRAPH_OK) << graph_last_error();
  const GraphPtr owner(loaded);
  std::vector<int64_t> index = {3};
  graph_tensor in = Int64s(index, {1}), out = GRAPH_TENSOR_INIT;
  ASSERT_EQ(graph_run(loaded, &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  std::vector<float> y = TakeFloats(out);
  ASSERT_EQ(y.size(), static_cast<size_t>(kColumns));
  EXPECT_EQ(y[0], 2.5f);
  EXPECT_EQ(y[1], 0);
#if defined(__SANITIZE_ADDRESS__)
  constexpr int64_t kMost = 512 << 10;  // what was freed is kept for a while, and the shadow counts
#else
  constexpr int64_t kMost = 200 << 10;
#endif
  EXPECT_LT(PeakMemory() - before, kMost) << "KiB: the weights were copied or read";
}

TEST_F(Large, AProtobufBeyondItsLimit) {
  SparseFile("model.onnx", int64_t{2200} << 20, 0, 0);
  graph_t* loaded = nullptr;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(graph_load((folder_ / "model.onnx").c_str(), nullptr, &loaded), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("a protobuf can have 2147483648"));
  EXPECT_THAT(graph_last_error(), HasSubstr("save_as_external_data"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(Large, ExternalDataThatEndsBeforeTheWeights) {
  pb::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(21);
  pb::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  Describe("x", pb::TensorProto::FLOAT, {4}, graph.add_input());
  Describe("y", pb::TensorProto::FLOAT, {4}, graph.add_output());
  auto* w = graph.add_initializer();
  w->set_name("w");
  w->set_data_type(pb::TensorProto::FLOAT);
  w->add_dims(4);
  w->set_data_location(pb::TensorProto::EXTERNAL);
  auto* entry = w->add_external_data();
  entry->set_key("location");
  entry->set_value("weights.bin");
  auto* add = graph.add_node();
  add->set_op_type("Add");
  for (const char* name : {"x", "w"}) add->add_input(name);
  add->add_output("y");
  std::ofstream(folder_ / "model.onnx", std::ios::binary) << model.SerializeAsString();
  SparseFile("weights.bin", 12, 0, 1);
  graph_t* loaded = nullptr;
  EXPECT_EQ(graph_load((folder_ / "model.onnx").c_str(), nullptr, &loaded), GRAPH_INVALID_ARGUMENT);
  EXPECT_THAT(graph_last_error(), HasSubstr("'w'"));
  EXPECT_THAT(graph_last_error(), HasSubstr("12"));
}

TEST(Chain, TwoHundredThousandNodesLoadInTwoSeconds) {
  constexpr int kNodes = 200'000;
  pb::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(21);
  pb::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  Describe("v0", pb::TensorProto::FLOAT, {2}, graph.add_input());
  for (int i = 0; i < kNodes; ++i) {
    auto* node = graph.add_node();
    node->set_op_type(i % 2 == 0 ? "Neg" : "Abs");
    node->add_input("v" + std::to_string(i));
    node->add_output("v" + std::to_string(i + 1));
  }
  Describe(("v" + std::to_string(kNodes)).c_str(), pb::TensorProto::FLOAT, {2}, graph.add_output());
  const std::string bytes = model.SerializeAsString();
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "reference";
  // The best of three, in time of the processor: what else the machine does is not measured.
  GraphPtr owner(nullptr);
  double seconds = 0;
  for (int i = 0; i < 3 && (i == 0 || seconds >= 2); ++i) {
    graph_t* loaded = nullptr;
    timespec start{}, end{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    ASSERT_EQ(graph_load_memory(bytes.data(), bytes.size(), &options, &loaded), GRAPH_OK)
        << graph_last_error();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    owner = GraphPtr(loaded);
    const double once = static_cast<double>(end.tv_sec - start.tv_sec) +
                        1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
    seconds = i == 0 ? once : std::min(seconds, once);
  }
  RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(seconds, 2);
#endif
  std::vector<float> x = {1, -2};
  graph_tensor in = Floats(x, {2}), out = GRAPH_TENSOR_INIT;
  ASSERT_EQ(graph_run(owner.get(), &in, 1, &out, 1), GRAPH_OK) << graph_last_error();
  EXPECT_THAT(TakeFloats(out), ElementsAre(1, 2));
}

}  // namespace
}  // namespace braid::testing
