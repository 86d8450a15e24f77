// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/expand.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/onnx/build.h"
#include "core/onnx/prepare.h"
#include "core/onnx/schema.h"
#include "core/onnx/upgrade/upgrade.h"
#include "onnx/shape_inference/attribute_binder.h"

namespace braid::loader {
namespace {

// The protobuf form of a body that goes into a function (of SequenceMap into its Loop). What it captures and
// its constants are not in it: `extra` says which value of the enclosing scope each of those names is.
class BodyWriter {
 public:
  BodyWriter(Scope* outer, std::unordered_map<std::string, ValueId>* extra)
      : outer_(*outer), extra_(*extra) {}

  void Write(const ScopeBody& body, const std::vector<std::string>& captured, pb::GraphProto* out) {
    const Scope& scope = *body.scope;
    std::vector<std::string> names(scope.values.size());
    const size_t own = scope.inputs.size() - body.captures.size();
    for (size_t c = 0; c < body.captures.size(); ++c) names[scope.inputs[own + c]] = captured[c];
    for (size_t v = 0; v < scope.values.size(); ++v) {
      if (!names[v].empty()) continue;
      names[v] = absl::StrCat("braid_", next_++);
      if (scope.values[v].constant == nullptr) continue;
      const ValueId id = outer_.AddValue(names[v]);
      outer_.values[id].type = scope.values[v].type;
      outer_.values[id].constant = scope.values[v].constant;
      outer_.values[id].small = scope.values[v].small;
      extra_[names[v]] = id;
    }
    out->Clear();
    out->set_name(scope.name.empty() ? "body" : scope.name);
    for (size_t i = 0; i < own; ++i) {
      auto* input = out->add_input();
      input->set_name(names[scope.inputs[i]]);
      *input->mutable_type() = scope.values[scope.inputs[i]].type;
    }
    for (const ValueId id : scope.outputs) {
      auto* output = out->add_output();
      output->set_name(names[id]);
      if (scope.values[id].type.value_case() != pb::TypeProto::VALUE_NOT_SET) {
        *output->mutable_type() = scope.values[id].type;
      }
    }
    for (const ScopeNode& node : scope.nodes) {
      pb::NodeProto* proto = out->add_node();
      *proto = node.proto;
      for (const ValueId id : node.inputs) proto->add_input(id == kNone ? "" : names[id]);
      for (const ValueId id : node.outputs) proto->add_output(id == kNone ? "" : names[id]);
      for (const ScopeBody& inner : node.bodies) {
        std::vector<std::string> inner_names;
        for (const ValueId id : inner.captures) inner_names.push_back(names[id]);
        for (auto& a : *proto->mutable_attribute()) {
          if (a.name() == inner.attribute) Write(inner, inner_names, a.mutable_g());
        }
      }
    }
  }

 private:
  Scope& outer_;
  std::unordered_map<std::string, ValueId>& extra_;
  uint64_t next_ = 0;
};

// The bodies of some norms take the variance as the mean of the squares less the square of the mean, of which
// nothing is left where the mean is large. Here such a difference becomes the mean of the squared deviations.
class Variances {
 public:
  explicit Variances(pb::GraphProto* graph) : graph_(graph) {
    for (const pb::NodeProto& n : graph->node())
      for (const std::string& name : n.output()) makers_[name] = n;
  }
  void TakeOfDeviations() {
    google::protobuf::RepeatedPtrField<pb::NodeProto> nodes;
    for (pb::NodeProto& n : *graph_->mutable_node()) {
      const pb::NodeProto* mean = MeanOfVariance(n);
      if (mean == nullptr) {
        nodes.Add()->Swap(&n);
        continue;
      }
      const std::string& name = n.output(0);
      Add(&nodes, "Sub", {mean->input(0), mean->output(0)}, name + "/deviation");
      Add(&nodes, "Mul", {name + "/deviation", name + "/deviation"}, name + "/square");
      pb::NodeProto* variance = nodes.Add();
      *variance = *mean;
      variance->set_input(0, name + "/square");
      variance->set_output(0, name);
    }
    graph_->mutable_node()->Swap(&nodes);
  }

 private:
  const pb::NodeProto* Maker(const std::string& name, std::string_view op) const {
    const auto at = makers_.find(name);
    return at != makers_.end() && at->second.op_type() == op ? &at->second : nullptr;
  }
  // What is squared in `name`; "" if nothing is.
  std::string Squared(const std::string& name) const {
    if (const pb::NodeProto* mul = Maker(name, "Mul"); mul != nullptr && mul->input(0) == mul->input(1))
      return mul->input(0);
    const pb::NodeProto* pow = Maker(name, "Pow");
    const pb::NodeProto* two = pow == nullptr ? nullptr : Maker(pow->input(1), "Constant");
    if (two == nullptr) return "";
    for (const pb::AttributeProto& a : two->attribute())
      if (a.f() == 2 || (a.t().float_data_size() == 1 && a.t().float_data(0) == 2)) return pow->input(0);
    return "";
  }
  // Of Sub(ReduceMean(x^2), ReduceMean(x)^2) the mean of x; else null.
  const pb::NodeProto* MeanOfVariance(const pb::NodeProto& sub) const {
    if (sub.op_type() != "Sub") return nullptr;
    const pb::NodeProto* mean = Maker(Squared(sub.input(1)), "ReduceMean");
    const pb::NodeProto* of_squares = Maker(sub.input(0), "ReduceMean");
    if (mean == nullptr || of_squares == nullptr || Squared(of_squares->input(0)) != mean->input(0))
      return nullptr;
    // Over the same axes, which stay as extents of 1.
    pb::NodeProto one = *mean, other = *of_squares;
    for (pb::NodeProto* n : {&one, &other}) {
      n->set_input(0, "");
      n->clear_output();
      n->clear_name();
    }
    if (one.SerializeAsString() != other.SerializeAsString()) return nullptr;
    for (const pb::AttributeProto& a : mean->attribute())
      if (a.name() == "keepdims" && a.i() == 0) return nullptr;
    return mean;
  }
  static void Add(google::protobuf::RepeatedPtrField<pb::NodeProto>* nodes, const char* op,
                  const std::vector<std::string>& inputs, const std::string& output) {
    pb::NodeProto* n = nodes->Add();
    n->set_op_type(op);
    for (const std::string& input : inputs) n->add_input(input);
    n->add_output(output);
  }

  pb::GraphProto* graph_;
  std::unordered_map<std::string, pb::NodeProto> makers_;
};

// The function's nodes in the newest opset, with the call's attributes (or their defaults) bound.
absl::StatusOr<pb::GraphProto> FunctionBody(const ScopeNode& node, const pb::NodeProto& call,
                                            const Inferred& inferred, Origin& origin) {
  pb::FunctionProto function;
  if (node.schema->HasContextDependentFunction()) {
    std::vector<pb::TypeProto> types;
    for (const ValueId id : node.inputs) types.push_back(id == kNone ? pb::TypeProto() : inferred.types[id]);
    const pb::FunctionBodyBuildContextImpl context(call, types);
    if (!node.schema->BuildContextDependentFunction(context, function, node.opset)) function.Clear();
  }
  if (function.node_size() == 0 && node.schema->HasFunction()) {
    if (const pb::FunctionProto* fixed = node.schema->GetFunction(node.opset); fixed != nullptr)
      function = *fixed;
  }
  pb::GraphProto graph;
  if (function.node_size() == 0) return graph;
  std::unordered_map<std::string, const pb::AttributeProto*> attributes;
  for (const auto& [name, a] : node.schema->attributes()) {
    if (a.default_value.type() != pb::AttributeProto::UNDEFINED) attributes[name] = &a.default_value;
  }
  for (const auto& a : function.attribute_proto()) attributes[a.name()] = &a;
  for (const auto& a : call.attribute()) attributes[a.name()] = &a;
  pb::internal::AttributeBinder binder(attributes);
  for (auto& n : *function.mutable_node()) binder.VisitNode(n);

  pb::ModelProto model;
  model.set_ir_version(pb::Version::IR_VERSION);
  graph.set_name(function.name());
  for (const std::string& name : function.input()) graph.add_input()->set_name(name);
  for (const std::string& name : function.output()) graph.add_output()->set_name(name);
  *graph.mutable_node() = function.node();
  *model.mutable_graph() = std::move(graph);
  for (const auto& import : function.opset_import()) {
    auto* copy = model.add_opset_import();
    copy->set_domain(std::string(NormalDomain(import.domain())));
    copy->set_version(import.version());
  }
  Variances(model.mutable_graph()).TakeOfDeviations();
  Weights large;
  if (absl::Status s = ExtractConstants(&model, origin, &large); !s.ok()) return s;
  if (!large.empty()) return absl::UnimplementedError("its function has a large constant");
  if (const auto upgraded = UpgradeModel(&model); !upgraded.ok()) return upgraded.status();
  return std::move(*model.mutable_graph());
}

}  // namespace

absl::StatusOr<std::shared_ptr<Scope>> ExpandScope(const Scope& scope, const Inferred& inferred,
                                                   Origin& origin, const std::map<std::string, int>& versions,
                                                   const std::function<bool(NodeId)>& chosen) {
  std::shared_ptr<Scope> out = CopyScope(scope);
  std::vector<ScopeNode> nodes = std::move(out->nodes);
  out->nodes.clear();
  out->nodes.reserve(nodes.size());
  bool any = false;
  for (size_t n = 0; n < nodes.size(); ++n) {
    ScopeNode& node = nodes[n];
    const bool is_function = node.schema->HasFunction() || node.schema->HasContextDependentFunction();
    if (!is_function || !chosen(static_cast<NodeId>(n))) {
      out->nodes.push_back(std::move(node));
      continue;
    }
    const std::string label = out->LabelOf(node);
    // Names of the body that may be seen in the function: those of tensors that attributes hold, and
    // captures.
    std::unordered_map<std::string, ValueId> extra;
    pb::NodeProto call = node.proto;
    std::string first;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      call.add_input(node.inputs[i] == kNone ? "" : absl::StrCat("in_", i));
    }
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      call.add_output(node.outputs[o] == kNone ? "" : absl::StrCat("out_", o));
      if (first.empty() && node.outputs[o] != kNone) first = out->values[node.outputs[o]].name;
    }
    BodyWriter writer(out.get(), &extra);
    for (const ScopeBody& body : node.bodies) {
      std::vector<std::string> captured;
      for (const ValueId id : body.captures) {
        captured.push_back(absl::StrCat("braid_captured_", id));
        extra[captured.back()] = id;
      }
      for (auto& a : *call.mutable_attribute()) {
        if (a.name() == body.attribute) writer.Write(body, captured, a.mutable_g());
      }
    }
    absl::StatusOr<pb::GraphProto> body = FunctionBody(node, call, inferred, origin);
    if (!body.ok()) return Annotate(body.status(), absl::StrCat(label, ": "));
    if (body->node_size() == 0) {
      out->nodes.push_back(std::move(node));
      continue;
    }
    any = true;
    absl::Status s =
        ScopeBuilder(origin, versions)
            .Inline(out.get(), *body, absl::StrCat(first, "/"), node.inputs, node.outputs, extra);
    if (!s.ok()) return Annotate(s, absl::StrCat(label, ": its function: "));
  }
  return any ? out : nullptr;
}

}  // namespace braid::loader
