// SPDX-License-Identifier: Apache-2.0
//
// Rewrites of single nodes from one version of their operator to the next.
#ifndef BRAID_CORE_ONNX_UPGRADE_ADAPTERS_H_
#define BRAID_CORE_ONNX_UPGRADE_ADAPTERS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/onnx/proto.h"

namespace braid::loader {

// One node on its way up, and what may be asked and added around it.
class Rewriter {
 public:
  // What the driver knows of the graph around the node.
  struct Surroundings {
    std::function<std::string()> fresh;                                  // a name that nothing has
    std::function<const pb::TypeProto*(const std::string&)> type;        // null: unknown
    std::function<const pb::TensorProto*(const std::string&)> constant;  // null: none, or large
  };

  Rewriter(pb::NodeProto* node, pb::GraphProto* graph, const Surroundings& around)
      : node_(*node), graph_(*graph), around_(around) {}

  pb::NodeProto& node() { return node_; }
  int inputs() const { return node_.input_size(); }
  // The name of an input; "" where it is absent.
  std::string input(int i) const { return i < node_.input_size() ? node_.input(i) : ""; }
  bool has_output(int i) const { return i < node_.output_size() && !node_.output(i).empty(); }
  // Sets an input, and fills the ones between with absent ones.
  void SetInput(int i, const std::string& name);

  const pb::AttributeProto* attribute(std::string_view name) const;
  int64_t Int(std::string_view name, int64_t otherwise) const;
  float Float(std::string_view name, float otherwise) const;
  std::string String(std::string_view name, const std::string& otherwise) const;
  std::vector<int64_t> Ints(std::string_view name) const;
  void Remove(std::string_view name);
  void Rename(std::string_view name, const std::string& to);
  void SetInt(std::string_view name, int64_t value);
  void SetInts(std::string_view name, absl::Span<const int64_t> values);
  void SetString(std::string_view name, const std::string& value);

  // Of a value: its rank, -1 if unknown; its element type, 0 if unknown; extents, -1 for unknown ones.
  int64_t Rank(const std::string& value) const;
  int32_t Element(const std::string& value) const;
  std::vector<int64_t> Dims(const std::string& value) const;
  // The elements of a small constant of INT64 or INT32; false if it is none.
  bool ConstantInts(const std::string& value, std::vector<int64_t>* out) const;
  bool ConstantFloats(const std::string& value, std::vector<float>* out) const;
  // Whether a node that follows reads a value, or it is an output of the graph.
  bool IsUsed(const std::string& value) const { return Uses(graph_, value); }
  // Whether a value is a constant without elements.
  bool IsEmpty(const std::string& value) const;

  // New constants of the graph; they return the name.
  std::string AddInts(absl::Span<const int64_t> values, bool scalar = false);
  std::string AddFloats(absl::Span<const float> values, bool scalar = false);
  // A new node of the newest opset, before or after the node; it returns the name of its output, which is new
  // unless given.
  std::string Before(const std::string& op, const std::vector<std::string>& inputs,
                     pb::NodeProto** made = nullptr);
  std::string Cast(const std::string& value, int32_t element);  // before the node, too
  std::string After(const std::string& op, const std::vector<std::string>& inputs, const std::string& output);
  std::string Fresh() { return around_.fresh(); }
  // The node itself becomes this; no later version of its operator is applied.
  void Become(const std::string& op, const std::vector<std::string>& inputs);
  // The node goes on as `op` at `version`.
  void ContinueAs(const std::string& op, int version) {
    node_.set_op_type(op);
    next_version = version;
  }

  std::vector<pb::NodeProto> before, after;
  int next_version = 0;  // 0: the version that the adapter is for
  bool finished = false;

 private:
  static bool Uses(const pb::GraphProto& graph, const std::string& value);
  pb::NodeProto& node_;
  pb::GraphProto& graph_;
  const Surroundings& around_;
};

using Adapter = absl::Status (*)(Rewriter&);

// What brings an operator from the version before `version` to it; null if the same node means the same.
Adapter FindAdapter(const std::string& domain, const std::string& op, int version);

// What brings an experimental operator, one that no opset up to its model's has, to the newest opset; null if
// it is none.
Adapter FindExperimental(const std::string& op);

// Parts of FindAdapter's table.
struct AdapterEntry {
  const char* op;
  int version;
  Adapter adapter;
};
absl::Span<const AdapterEntry> EarlyAdapters();   // up to opset 10
absl::Span<const AdapterEntry> LaterAdapters();   // from opset 11
absl::Span<const AdapterEntry> ResizeAdapters();  // Upsample and Resize
absl::Span<const AdapterEntry> MlAdapters();      // of ai.onnx.ml; the others are of ai.onnx

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_UPGRADE_ADAPTERS_H_
