// SPDX-License-Identifier: Apache-2.0
//
// A plugin whose table of operators is that of opset 17 takes models of opset 17 and less, though the graph
// comes in the newest opset: min_version says what its versions still mean, and older forms say it in their
// words. The device is simulated, with the versions of ONNX's schemas at opset 17.
#include <braid/graph.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "tests/model.h"

namespace braid::testing {
namespace {

namespace fs = std::filesystem;

// ONNX 1.12, which made opset 17, had these.
constexpr int kOpset = 17, kMlOpset = 3;

nlohmann::json VersionsAtOpset17() {
  nlohmann::json versions = nlohmann::json::object();
  for (const ONNX_NAMESPACE::OpSchema& schema : ONNX_NAMESPACE::OpSchemaRegistry::get_all_schemas()) {
    const bool ml = schema.domain() == "ai.onnx.ml";
    if (!ml && !schema.domain().empty()) continue;
    const ONNX_NAMESPACE::OpSchema* then =
        ONNX_NAMESPACE::OpSchemaRegistry::Schema(schema.Name(), ml ? kMlOpset : kOpset, schema.domain());
    if (then != nullptr && !then->Deprecated())
      versions[(ml ? "ai.onnx.ml:" : "") + schema.Name()] = then->SinceVersion();
  }
  return versions;
}

bool IsOfOpset17(const std::string& bytes) {
  ONNX_NAMESPACE::ModelProto model;
  if (!model.ParseFromString(bytes)) return false;
  for (const auto& import : model.opset_import()) {
    const bool ml = import.domain() == "ai.onnx.ml";
    if (!ml && !import.domain().empty() && import.domain() != "ai.onnx") return false;
    if (import.version() > (ml ? kMlOpset : kOpset)) return false;
  }
  return true;
}

struct Share {
  int accepted = 0, nodes = 0;
  std::map<std::string, int> refused;  // by reason
  double value() const { return nodes == 0 ? 1 : static_cast<double>(accepted) / nodes; }
  void Add(const Share& other) {
    accepted += other.accepted;
    nodes += other.nodes;
    for (const auto& [reason, count] : other.refused) refused[reason] += count;
  }
};

// How the old device judges the nodes of a model, all of which the reference device takes. Nothing where the
// model cannot be loaded or planned before its inputs are there: other tests are about those.
std::optional<Share> ShareOf(const std::string& bytes) {
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "sim,reference";
  graph_t* raw = nullptr;
  if (graph_load_memory(bytes.data(), bytes.size(), &options, &raw) != GRAPH_OK) return std::nullopt;
  const GraphPtr graph(raw);
  std::vector<graph_value_info> infos(graph_inputs(graph.get(), nullptr, 0));
  for (graph_value_info& info : infos) info = GRAPH_VALUE_INFO_INIT;
  graph_inputs(graph.get(), infos.data(), static_cast<uint32_t>(infos.size()));
  std::vector<graph_tensor> inputs;
  for (const graph_value_info& info : infos) {
    graph_tensor in = GRAPH_TENSOR_INIT;
    in.name = info.name;
    in.kind = info.kind;
    in.type = info.type;
    in.rank = std::max(info.rank, 0);
    for (int32_t d = 0; d < in.rank; ++d) in.dims[d] = std::max<int64_t>(info.dims[d], 1);
    inputs.push_back(in);
  }
  if (graph_prepare(graph.get(), inputs.data(), static_cast<uint32_t>(inputs.size())) != GRAPH_OK)
    return std::nullopt;
  const char* text = nullptr;
  if (graph_explain(graph.get(), GRAPH_EXPLAIN_JSON, &text) != GRAPH_OK) return std::nullopt;
  const nlohmann::json plan = nlohmann::json::parse(text, nullptr, false);
  if (plan.is_discarded() || !plan.contains("nodes")) return std::nullopt;
  Share share;
  for (const auto& node : plan["nodes"]) {
    if (!node.contains("verdicts")) continue;
    for (const auto& verdict : node["verdicts"]) {
      if (verdict["device"] != "sim:0") continue;
      const std::string code = verdict["verdict"];
      ++share.nodes;
      if (code != "NO_OPSET" && code != "NO_OP")
        ++share.accepted;
      else
        ++share.refused[node["op"].get<std::string>() + ": " + verdict.value("reason", code)];
    }
  }
  return share;
}

std::string Read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void TellAndExpectHigh(const std::string& what, const Share& share) {
  std::printf("%s: a table of opset 17 accepts %d of %d nodes, %.1f%%\n", what.c_str(), share.accepted,
              share.nodes, 100 * share.value());
  for (const auto& [reason, count] : share.refused) std::printf("  %d x %s\n", count, reason.c_str());
  EXPECT_GE(share.value(), 0.95) << what;
}

class OldPluginsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const nlohmann::json devices = {
        {"devices", {{{"name", "a device of opset 17"}, {"versions", VersionsAtOpset17()}}}}};
    setenv("BRAID_SIM", devices.dump().c_str(), 1);
  }
};

TEST_F(OldPluginsTest, ATableThatKnowsOneVersionIsHeldToIt) {
  // LayerNormalization is of opset 17, GroupNormalization of 18; Gelu of 20.
  const Share old = *ShareOf(ModelBytes(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2,4] x, float[4] s) => (float[2,4] y) { y = LayerNormalization(x, s) })"));
  EXPECT_EQ(old.accepted, 1);
  const Share young = *ShareOf(ModelBytes(
      R"(<ir_version: 9, opset_import: ["" : 20]> g (float[2,4] x) => (float[2,4] y) { y = Gelu(x) })"));
  EXPECT_EQ(young.accepted, 0);
  EXPECT_EQ(young.nodes, 1);
}

TEST_F(OldPluginsTest, ExportedModelsOfOpset17AreTaken) {
  Share all;
  int models = 0;
  for (const auto& folder : fs::directory_iterator(fs::path(BRAID_TEST_SOURCE_DIR) / "tests" / "exporters")) {
    const fs::path file = folder.path() / "model.onnx";
    if (!fs::exists(file)) continue;
    const std::string bytes = Read(file);
    if (!IsOfOpset17(bytes)) continue;
    const std::optional<Share> share = ShareOf(bytes);
    if (!share || share->nodes == 0) continue;
    ++models;
    EXPECT_GE(share->value(), 0.95) << folder.path().filename() << ": " << share->accepted << " of "
                                    << share->nodes;
    all.Add(*share);
  }
  TellAndExpectHigh(std::to_string(models) + " exported models of opset 17 and less", all);
  EXPECT_GE(models, 150);
}

TEST_F(OldPluginsTest, NodeCasesOfOpset17AreTaken) {
  const fs::path cases = fs::path(BRAID_CASES) / "onnx-1.14.1" / "node";
  if (!fs::exists(cases)) GTEST_SKIP() << cases << " is not there";
  Share all;
  int models = 0;
  for (const auto& folder : fs::directory_iterator(cases)) {
    const std::string bytes = Read(folder.path() / "model.onnx");
    if (!IsOfOpset17(bytes)) continue;
    const std::optional<Share> share = ShareOf(bytes);
    if (!share) continue;
    ++models;
    all.Add(*share);
  }
  TellAndExpectHigh(std::to_string(models) + " node cases", all);
  EXPECT_GE(models, 500);
}

}  // namespace
}  // namespace braid::testing
