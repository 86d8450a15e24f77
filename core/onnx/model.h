// SPDX-License-Identifier: Apache-2.0
//
// .onnx -> Graph: parse within budgets, map external data, check, upgrade to the newest opset, expand
// model-local functions, infer symbolic shapes. No protobuf type leaves this room: what later steps need of
// the protobuf form (shapes for concrete inputs, expansion of function operators) is done here on a copy
// whose large initializers are stubs.
#ifndef BRAID_CORE_ONNX_MODEL_H_
#define BRAID_CORE_ONNX_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"

namespace braid {

struct ModelBudgets {
  uint64_t protobuf_bytes = uint64_t{2} << 30;  // protobuf's own limit is 2 GiB - 1
  uint64_t nodes = 4'000'000;                   // after expansion of functions
  uint32_t nesting = 64;                        // of subgraphs; of messages protobuf's own limit
  uint32_t expansion_depth = 64;                // of functions within functions
  // Functions may expand to this many nodes, and as many times what the file holds.
  uint64_t expansion_nodes = 100'000, expansion_factor = 16;
};

// What `inspect` shows besides the graph.
struct ModelInfo {
  int64_t ir_version = 0;
  std::string producer_name, producer_version, doc;
  std::vector<std::pair<std::string, int64_t>> opset_imports;  // as the file has them
  std::vector<std::pair<std::string, std::string>> metadata;
  // What loading changed: "upgraded ai.onnx 11 to 28", "expanded 2 model-local functions".
  std::vector<std::string> notes;
};

// The extents of one graph input; of one that is no tensor they are not known.
struct InputShape {
  bool known = false;
  std::vector<int64_t> dims;  // -1: unknown
};

// One loaded graph (the model's, or a body's) with all that is needed to specialise it. Immutable and
// thread-safe.
class Model {
 public:
  struct Impl;
  Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  const Graph& graph() const;
  const ModelInfo& info() const;

  // The same graph with these input shapes: every value's type is inferred anew (ONNX's shape inference with
  // data propagation); values, nodes and their numbering are the same as graph()'s, bodies too. Errors: a
  // shape that contradicts the declared one or an operator's rules, with the node's name and operator.
  absl::StatusOr<std::shared_ptr<const Graph>> Specialise(absl::Span<const InputShape> inputs) const;

  // A model where each node that is a function operator and for which should_expand answers true is replaced
  // by its ONNX function body, one level deep: function operators in that body are nodes of the new model, to
  // be judged by the next call. Bodies of control flow are models of their own (BodyModel) and stay as they
  // are. Null if nothing was expanded.
  absl::StatusOr<std::shared_ptr<const Model>> ExpandFunctions(
      const std::function<bool(const Node&)>& should_expand) const;

  // The body of a control-flow node's attribute as a model of its own (formal inputs, then captures).
  absl::StatusOr<std::shared_ptr<const Model>> BodyModel(NodeId node, std::string_view attribute) const;

 private:
  std::shared_ptr<Impl> impl_;
};

absl::StatusOr<std::shared_ptr<const Model>> LoadModelFile(const std::string& path,
                                                           const ModelBudgets& budgets = {});
// External data is refused unless `base_folder` is given.
absl::StatusOr<std::shared_ptr<const Model>> LoadModelMemory(absl::Span<const uint8_t> bytes,
                                                             const std::string& base_folder = "",
                                                             const ModelBudgets& budgets = {});

// Reads a TensorProto / SequenceProto / OptionalProto (the .pb files of ONNX test cases).
struct HostValue {
  Type type;                     // static
  std::vector<uint8_t> data;     // of a tensor; raw layout as Constant
  std::vector<HostValue> items;  // of a sequence; of an optional: one, or none if empty; of a map and of a
                                 // sparse tensor: as RunValue's
  std::string name;
};
absl::StatusOr<HostValue> ParseTensorProto(absl::Span<const uint8_t> bytes);
// A declared type without `item` says of all that lies deeper nothing but its element type.
absl::StatusOr<HostValue> ParseValueProto(absl::Span<const uint8_t> bytes, const Type& declared);

}  // namespace braid

#endif  // BRAID_CORE_ONNX_MODEL_H_
