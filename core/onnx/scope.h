// SPDX-License-Identifier: Apache-2.0
//
// A graph on its way from protobuf to Graph: values are numbered and captures resolved as in Graph, but
// attributes and types are still ONNX's own, so that its schemas can be asked about them. What a Model keeps
// to specialise from.
//
// Each node carries the opset that it is written in, so that the bodies of functions, which may be older or
// newer than the model, can stand beside its nodes until all are upgraded.
#ifndef BRAID_CORE_ONNX_SCOPE_H_
#define BRAID_CORE_ONNX_SCOPE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "core/onnx/proto.h"
#include "onnx/defs/schema.h"

namespace braid::loader {

struct Scope;

struct ScopeBody {
  std::string attribute;
  std::shared_ptr<Scope> scope;
  std::vector<ValueId> captures;  // in the enclosing scope, one for each of the body's last inputs
};

struct ScopeNode {
  pb::NodeProto proto;  // op, domain ("" for ai.onnx), name and attributes but graphs; no inputs and outputs
  std::vector<ValueId> inputs, outputs;
  std::vector<ScopeBody> bodies;
  // (attribute's index in proto, the constant value of its tensor)
  std::vector<std::pair<int, ValueId>> tensors;
  int opset = 0;  // version of the node's domain that it is written in
  const pb::OpSchema* schema = nullptr;

  const pb::AttributeProto* attribute(std::string_view name) const {
    for (const pb::AttributeProto& a : proto.attribute()) {
      if (a.name() == name) return &a;
    }
    return nullptr;
  }
};

struct ScopeValue {
  std::string name;
  pb::TypeProto type;  // as declared, or of a constant; not set where the model says nothing
  std::shared_ptr<const Constant> constant;
  // A constant of at most kSmallTensorBytes, for shape inference.
  std::shared_ptr<const pb::TensorProto> small;
};

struct Scope {
  std::string name;
  std::vector<ScopeValue> values;
  std::vector<ScopeNode> nodes;  // topologically ordered
  std::vector<ValueId> inputs, outputs;
  std::vector<std::shared_ptr<const Constant>> input_defaults;  // as Graph::input_defaults

  ValueId AddValue(std::string value_name) {
    values.emplace_back().name = std::move(value_name);
    return static_cast<ValueId>(values.size() - 1);
  }
  std::string LabelOf(const ScopeNode& node) const;
};

// A deep copy; constants are shared.
std::shared_ptr<Scope> CopyScope(const Scope& scope);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_SCOPE_H_
