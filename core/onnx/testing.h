// SPDX-License-Identifier: Apache-2.0
//
// For the tests of this room: models from ONNX's textual form, and what is asked of graphs again and again.
#ifndef BRAID_CORE_ONNX_TESTING_H_
#define BRAID_CORE_ONNX_TESTING_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/onnx/model.h"
#include "core/onnx/proto.h"
#include "onnx/defs/parser.h"

namespace braid::loader {

inline pb::ModelProto FromText(const std::string& text) {
  pb::ModelProto model;
  const pb::Common::Status status = pb::OnnxParser::Parse(model, text.c_str());
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage() << "\n" << text;
  return model;
}

// `graph` of the textual form under an opset: "g (float[N] x) => (float[N] y) { y = Relu(x) }".
inline pb::ModelProto InOpset(int opset, const std::string& graph, int ir = 8) {
  return FromText("<ir_version: " + std::to_string(ir) + ", opset_import: [\"\" : " + std::to_string(opset) +
                  "]>\n" + graph);
}

inline absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& bytes,
                                                         const std::string& folder = "",
                                                         const ModelBudgets& budgets = {}) {
  return LoadModelMemory(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
                         folder, budgets);
}

inline absl::StatusOr<std::shared_ptr<const Model>> Load(const pb::ModelProto& model,
                                                         const std::string& folder = "",
                                                         const ModelBudgets& budgets = {}) {
  return Load(model.SerializeAsString(), folder, budgets);
}

// The model's, which must load.
inline std::shared_ptr<const Model> Loaded(const pb::ModelProto& model) {
  auto loaded = Load(model);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? *loaded : nullptr;
}

// Why it does not load; "" if it does.
template <typename... Args>
std::string ErrorOf(const Args&... args) {
  const auto loaded = Load(args...);
  return loaded.ok() ? "" : std::string(loaded.status().message());
}

// An error of one line that says all of `parts`.
MATCHER_P(SaysInOneLine, parts, "") {
  if (arg.find('\n') != std::string::npos) {
    *result_listener << "more than one line";
    return false;
  }
  for (const std::string& part : parts)
    if (arg.find(part) == std::string::npos) {
      *result_listener << "lacks '" << part << "'";
      return false;
    }
  return true;
}

inline std::vector<std::string> Ops(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes) ops.push_back(node.op);
  return ops;
}

// The only node of that operator.
inline const Node& NodeOf(const Graph& graph, const std::string& op) {
  static const Node none;
  const Node* found = nullptr;
  for (const Node& node : graph.nodes)
    if (node.op == op) {
      EXPECT_EQ(found, nullptr) << "more than one " << op;
      found = &node;
    }
  EXPECT_NE(found, nullptr) << "no " << op << " among " << testing::PrintToString(Ops(graph));
  return found == nullptr ? none : *found;
}

template <typename T>
std::vector<T> ConstantOf(const Graph& graph, ValueId id) {
  if (id == kNone || id >= graph.values.size() || graph.values[id].constant == nullptr) {
    ADD_FAILURE() << "no constant";
    return {};
  }
  const Constant& constant = *graph.values[id].constant;
  std::vector<T> out(constant.bytes / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), constant.data, out.size() * sizeof(T));
  return out;
}

// A constant input of the node.
template <typename T>
std::vector<T> InputOf(const Graph& graph, const Node& node, size_t i) {
  if (i >= node.inputs.size()) {
    ADD_FAILURE() << node.op << " has " << node.inputs.size() << " inputs";
    return {};
  }
  return ConstantOf<T>(graph, node.inputs[i]);
}

inline std::string TypeOfValue(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values)
    if (value.name == name) return TypeString(value.type, graph.symbols);
  return "no value '" + name + "'";
}

// A folder of its own that is gone afterwards.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "braid-onnx-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_TESTING_H_
