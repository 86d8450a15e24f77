// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/infer.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "core/onnx/shape_values.h"
#include "onnx/defs/shape_inference.h"
#include "onnx/shape_inference/implementation.h"

namespace braid::loader {
namespace {

using pb::TensorShapeProto;
using pb::TypeProto;

// Fresh symbols for extents that only their operator knows. One table for a whole model, so that none is
// given twice.
class Symbols : public pb::SymbolTable {
 public:
  void addFromGraph(const pb::GraphProto&) override {}
  std::string createNew(const std::string&) override {
    std::string name;
    do {
      name = absl::StrCat("?", next_++);
    } while (taken_.contains(name));
    return name;
  }
  void Take(const std::string& name) {
    if (!name.empty() && name[0] == '?') taken_.insert(name);
  }

 private:
  uint64_t next_ = 0;
  std::unordered_set<std::string> taken_;
};

template <typename Visit>
void ForEachDim(TypeProto* type, const Visit& visit) {
  switch (type->value_case()) {
    case TypeProto::kTensorType:
      if (!type->tensor_type().has_shape()) return;
      for (auto& d : *type->mutable_tensor_type()->mutable_shape()->mutable_dim()) visit(&d);
      return;
    case TypeProto::kSequenceType:
      return ForEachDim(type->mutable_sequence_type()->mutable_elem_type(), visit);
    case TypeProto::kOptionalType:
      return ForEachDim(type->mutable_optional_type()->mutable_elem_type(), visit);
    default:
      return;
  }
}

bool IsWhole(const TensorShapeProto& values) {
  return std::all_of(values.dim().begin(), values.dim().end(),
                     [](const TensorShapeProto::Dimension& d) { return d.has_dim_value(); });
}

void ForgetDim(TypeProto* type, int dim) {
  if (type->tensor_type().shape().dim_size() > dim)
    type->mutable_tensor_type()->mutable_shape()->mutable_dim(dim)->Clear();
}

class Inferencer {
 public:
  Inferencer(const Scope& scope, const InferOptions& options, Symbols* symbols)
      : scope_(scope), options_(options), symbols_(*symbols), out_(std::make_shared<Inferred>()) {}

  absl::StatusOr<std::shared_ptr<Inferred>> Run(absl::Span<const InferInput> inputs);

 private:
  friend class NodeContext;
  friend class PropagationContext;

  absl::Status Node(NodeId index);
  absl::Status Call(NodeId index, class NodeContext* context);
  absl::Status If(NodeId index, class NodeContext* context);
  static void FitToNothing(const ScopeNode& node, class NodeContext* context);
  static void FitTransposed(const ScopeNode& node, class NodeContext* context);
  absl::Status Finish(const ScopeNode& node, size_t output, TypeProto inferred);
  TypeProto Declared(TypeProto type) const;
  void Propagate(const ScopeNode& node);
  bool MayPropagate(const ScopeNode& node) const;
  void Evaluate(const ScopeNode& node);

  const Scope& scope_;
  const InferOptions& options_;
  Symbols& symbols_;
  std::shared_ptr<Inferred> out_;
  std::unordered_map<ValueId, TensorShapeProto> partial_;  // values known in part, as ONNX propagates them
  std::unordered_set<std::string> checked_;  // signatures whose types were found to fit the schema
};

// What the inference functions see of a node.
class NodeContext : public pb::InferenceContext {
 public:
  NodeContext(Inferencer* run, NodeId index)
      : run_(*run), index_(index), node_(run->scope_.nodes[index]), outputs_(node_.outputs.size()) {}

  const pb::AttributeProto* getAttribute(const std::string& name) const override {
    const pb::AttributeProto* given = node_.attribute(name);
    // Both may not be given, but are by old exporters. The pads are computed then, everywhere but in ONNX's
    // inference.
    if (const pb::AttributeProto* automatic = name == "pads" ? node_.attribute("auto_pad") : nullptr;
        automatic != nullptr && !automatic->s().empty() && automatic->s() != "NOTSET")
      return nullptr;
    if (given != nullptr || !defaults_) return given;
    auto schema = node_.schema->attributes().find(name);
    if (schema == node_.schema->attributes().end()) return nullptr;
    const pb::AttributeProto& otherwise = schema->second.default_value;
    return otherwise.type() == pb::AttributeProto::UNDEFINED ? nullptr : &otherwise;
  }
  size_t getNumInputs() const override { return node_.inputs.size(); }
  const TypeProto* getInputType(size_t i) const override {
    if (i >= node_.inputs.size() || node_.inputs[i] == kNone) return nullptr;
    const TypeProto& type = run_.out_->types[node_.inputs[i]];
    if (IsRow(type)) {
      TypeProto& scalar = scalar_types_[i] = type;
      scalar.mutable_tensor_type()->mutable_shape()->clear_dim();
      return &scalar;
    }
    return type.value_case() == TypeProto::VALUE_NOT_SET ? nullptr : &type;
  }
  bool hasInput(size_t i) const override { return i < node_.inputs.size() && node_.inputs[i] != kNone; }
  const pb::TensorProto* getInputData(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    const pb::TensorProto* data = run_.out_->known[node_.inputs[i]].get();
    // Pad's axes may be of 32 bits, but its inference function reads them as 64.
    if (std::vector<int64_t> axes; data != nullptr && i == 3 && data->data_type() == pb::TensorProto::INT32 &&
                                   node_.proto.op_type() == "Pad" && node_.proto.domain().empty() &&
                                   IntegersOf(*data, &axes)) {
      pb::TensorProto& wide = wide_data_;
      wide.Clear();
      wide.set_data_type(pb::TensorProto::INT64);
      *wide.mutable_dims() = data->dims();
      wide.mutable_int64_data()->Assign(axes.begin(), axes.end());
      return &wide;
    }
    if (data == nullptr || !IsRow(run_.out_->types[node_.inputs[i]])) return data;
    pb::TensorProto& scalar = scalar_data_[i] = *data;
    scalar.clear_dims();
    return &scalar;
  }
  size_t getNumOutputs() const override { return outputs_.size(); }
  TypeProto* getOutputType(size_t i) override {
    if (i >= outputs_.size()) throw pb::InferenceError(absl::StrCat("it has no output ", i));
    return &outputs_[i];
  }
  bool hasOutput(size_t i) override { return i < node_.outputs.size() && node_.outputs[i] != kNone; }
  const pb::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const TensorShapeProto* getSymbolicInput(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    auto found = run_.partial_.find(node_.inputs[i]);
    const TensorShapeProto* data = found == run_.partial_.end() ? nullptr : &found->second;
    return i == 3 && node_.proto.op_type() == "Resize" && node_.proto.domain().empty() ? SizesOf(data) : data;
  }
  std::string getDisplayName() const override { return run_.scope_.LabelOf(node_); }
  pb::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override;

  // Infers a body from the types of its formal inputs; what it captures comes from the graph around it.
  absl::StatusOr<std::shared_ptr<const Inferred>> InferBody(size_t body,
                                                            absl::Span<const TypeProto* const> formals,
                                                            absl::Span<const pb::TensorProto* const> data);
  std::vector<TypeProto>& outputs() { return outputs_; }
  // The bodies of functions refer to attributes that a node may leave at their defaults.
  void ShowDefaults() { defaults_ = true; }

 private:
  class BodyInferencer : public pb::GraphInferencer {
   public:
    BodyInferencer(NodeContext* context, size_t body) : context_(*context), body_(body) {}
    std::vector<const TypeProto*> doInferencing(const std::vector<const TypeProto*>& types,
                                                const std::vector<const pb::TensorProto*>& data) override {
      auto inferred = context_.InferBody(body_, types, data);
      if (!inferred.ok()) throw pb::InferenceError(std::string(inferred.status().message()));
      kept_.push_back(*inferred);
      std::vector<const TypeProto*> outputs;
      for (const ValueId id : context_.node_.bodies[body_].scope->outputs)
        outputs.push_back(&(*inferred)->types[id]);
      return outputs;
    }

   private:
    NodeContext& context_;
    size_t body_;
    std::vector<std::shared_ptr<const Inferred>> kept_;
  };

  // Range's inputs are scalars. Functions of ONNX 1.18 and many exporters give it tensors of one element,
  // which ONNX's inference refuses: it sees scalars.
  bool IsRow(const TypeProto& type) const {
    return node_.proto.op_type() == "Range" && node_.proto.domain().empty() &&
           type.tensor_type().has_shape() && type.tensor_type().shape().dim_size() == 1 &&
           type.tensor_type().shape().dim(0).dim_value() == 1;
  }

  // Resize's inference function takes sizes whose number is not known for none, and one that is not known for
  // 0 where the aspect ratio is kept. It sees as many as there are axes, all unknown.
  const TensorShapeProto* SizesOf(const TensorShapeProto* data) const {
    const pb::AttributeProto* policy = node_.attribute("keep_aspect_ratio_policy");
    if (data != nullptr && (policy == nullptr || policy->s() == "stretch" || IsWhole(*data))) return data;
    const TypeProto *x = getInputType(0), *sizes = getInputType(3);
    if (x == nullptr || !x->tensor_type().has_shape()) return data;
    const pb::AttributeProto* axes = node_.attribute("axes");
    int n =
        axes != nullptr && axes->ints_size() > 0 ? axes->ints_size() : x->tensor_type().shape().dim_size();
    if (data != nullptr) {
      n = data->dim_size();
    } else if (sizes != nullptr && sizes->tensor_type().has_shape() &&
               (sizes->tensor_type().shape().dim_size() != 1 ||
                sizes->tensor_type().shape().dim(0).has_dim_value())) {
      return nullptr;
    }
    sizes_.clear_dim();
    for (int i = 0; i < n; ++i) sizes_.add_dim();
    return &sizes_;
  }

  Inferencer& run_;
  NodeId index_;
  const ScopeNode& node_;
  std::vector<TypeProto> outputs_;
  mutable TensorShapeProto sizes_;
  mutable std::map<size_t, TypeProto> scalar_types_;
  mutable std::map<size_t, pb::TensorProto> scalar_data_;
  mutable pb::TensorProto wide_data_;
  std::map<std::string, std::unique_ptr<BodyInferencer>> inferencers_;
  bool defaults_ = false;
};

pb::GraphInferencer* NodeContext::getGraphAttributeInferencer(const std::string& name) {
  for (size_t b = 0; b < node_.bodies.size(); ++b) {
    if (node_.bodies[b].attribute != name) continue;
    auto& made = inferencers_[name];
    if (made == nullptr) made = std::make_unique<BodyInferencer>(this, b);
    return made.get();
  }
  throw pb::InferenceError(absl::StrCat("attribute '", name, "' has no graph"));
}

absl::StatusOr<std::shared_ptr<const Inferred>> NodeContext::InferBody(
    size_t index, absl::Span<const TypeProto* const> formals, absl::Span<const pb::TensorProto* const> data) {
  const ScopeBody& body = node_.bodies[index];
  const size_t own = body.scope->inputs.size() - body.captures.size();
  if (formals.size() != own) {
    return absl::InvalidArgumentError(
        absl::StrCat("body '", body.attribute, "' has ", own, " inputs, but gets ", formals.size()));
  }
  std::vector<InferInput> inputs(body.scope->inputs.size());
  for (size_t i = 0; i < own; ++i) {
    inputs[i].type = run_.Declared(body.scope->values[body.scope->inputs[i]].type);
    if (formals[i] != nullptr) inputs[i].type = CombineTypes(*formals[i], inputs[i].type);
    if (i < data.size() && data[i] != nullptr)
      inputs[i].known = std::make_shared<const pb::TensorProto>(*data[i]);
  }
  for (size_t c = 0; c < body.captures.size(); ++c) {
    inputs[own + c].type = run_.out_->types[body.captures[c]];
    inputs[own + c].known = run_.out_->known[body.captures[c]];
  }
  Inferencer inner(*body.scope, run_.options_, &run_.symbols_);
  auto inferred = inner.Run(inputs);
  if (!inferred.ok()) return Annotate(inferred.status(), absl::StrCat("body '", body.attribute, "': "));
  run_.out_->bodies[{index_, index}] = *inferred;
  return std::shared_ptr<const Inferred>(*inferred);
}

class PropagationContext : public pb::DataPropagationContext {
 public:
  PropagationContext(Inferencer* run, const ScopeNode& node) : run_(*run), node_(node) {}
  const pb::AttributeProto* getAttribute(const std::string& name) const override {
    return node_.attribute(name);
  }
  size_t getNumInputs() const override { return node_.inputs.size(); }
  const TypeProto* getInputType(size_t i) const override {
    if (i >= node_.inputs.size() || node_.inputs[i] == kNone) return nullptr;
    const TypeProto& type = run_.out_->types[node_.inputs[i]];
    return type.value_case() == TypeProto::VALUE_NOT_SET ? nullptr : &type;
  }
  size_t getNumOutputs() const override { return node_.outputs.size(); }
  const TypeProto* getOutputType(size_t i) const override {
    return i < node_.outputs.size() && node_.outputs[i] != kNone ? &run_.out_->types[node_.outputs[i]]
                                                                 : &kUnknown();
  }
  const TensorShapeProto* getInputData(size_t i) override {
    const TensorShapeProto* data = Elements(i);
    // Slice takes a start, end or axis that is not known for 0.
    if (data != nullptr && i > 0 && node_.proto.op_type() == "Slice" && !IsWhole(*data)) return nullptr;
    return data;
  }
  void addOutputData(size_t i, TensorShapeProto&& shape) override {
    if (i < node_.outputs.size() && node_.outputs[i] != kNone)
      run_.partial_[node_.outputs[i]] = std::move(shape);
  }

 private:
  const TensorShapeProto* Elements(size_t i) {
    if (i >= node_.inputs.size() || node_.inputs[i] == kNone) return nullptr;
    const ValueId id = node_.inputs[i];
    if (auto found = run_.partial_.find(id); found != run_.partial_.end()) return &found->second;
    std::vector<int64_t> values;
    TensorShapeProto shape;
    if (run_.out_->known[id] != nullptr && IntegersOf(*run_.out_->known[id], &values)) {
      for (const int64_t v : values) shape.add_dim()->set_dim_value(v);
      return &run_.partial_.emplace(id, std::move(shape)).first->second;
    }
    // A list of known length: each element is some unknown number.
    const TypeProto* type = getInputType(i);
    if (type == nullptr || !type->has_tensor_type() || type->tensor_type().shape().dim_size() != 1)
      return nullptr;
    const auto& length = type->tensor_type().shape().dim(0);
    if (!length.has_dim_value() || length.dim_value() < 0 || length.dim_value() > kMaxRank) return nullptr;
    for (int64_t d = 0; d < length.dim_value(); ++d) shape.add_dim();
    return &run_.partial_.emplace(id, std::move(shape)).first->second;
  }
  static const TypeProto& kUnknown() {
    static const TypeProto& unknown = *new TypeProto();
    return unknown;
  }
  Inferencer& run_;
  const ScopeNode& node_;
};

absl::StatusOr<std::shared_ptr<Inferred>> Inferencer::Run(absl::Span<const InferInput> inputs) {
  out_->types.resize(scope_.values.size());
  out_->known.resize(scope_.values.size());
  for (size_t v = 0; v < scope_.values.size(); ++v) {
    const ScopeValue& value = scope_.values[v];
    if (value.constant != nullptr) {
      out_->types[v] = value.type;
      out_->known[v] = value.small;
    }
  }
  for (size_t i = 0; i < scope_.inputs.size() && i < inputs.size(); ++i) {
    TypeProto& type = out_->types[scope_.inputs[i]];
    type = inputs[i].type;
    ForEachDim(&type, [&](TensorShapeProto::Dimension* d) {
      if (d->has_dim_param()) symbols_.Take(d->dim_param());
    });
    out_->known[scope_.inputs[i]] = inputs[i].known;
  }
  for (const ValueId id : scope_.inputs) {
    ForEachDim(&out_->types[id], [&](TensorShapeProto::Dimension* d) {
      if (!d->has_dim_value() && !d->has_dim_param()) d->set_dim_param(symbols_.createNew(""));
    });
  }
  for (size_t n = 0; n < scope_.nodes.size(); ++n) {
    absl::Status status = Node(static_cast<NodeId>(n));
    if (!status.ok()) return Annotate(status, absl::StrCat(scope_.LabelOf(scope_.nodes[n]), ": "));
  }
  return out_;
}

// If, in place of ONNX's own inference, for which a branch that does not fit is an error even if it is never
// taken. A branch that is known to be taken must fit. If the condition is not known, one of the two must: the
// other is left out of Inferred::bodies, and its error comes when it is taken.
absl::Status Inferencer::If(NodeId index, NodeContext* context) {
  const ScopeNode& node = scope_.nodes[index];
  std::vector<int64_t> condition;
  const bool known = !node.inputs.empty() && node.inputs[0] != kNone &&
                     out_->known[node.inputs[0]] != nullptr &&
                     IntegersOf(*out_->known[node.inputs[0]], &condition) && condition.size() == 1;
  absl::Status unfit;
  bool any = false;
  for (size_t b = 0; b < node.bodies.size(); ++b) {
    const bool then = node.bodies[b].attribute == "then_branch";
    auto inferred = context->InferBody(b, {}, {});
    if (known && (condition[0] != 0) != then) continue;
    const std::vector<ValueId>& outputs = node.bodies[b].scope->outputs;
    absl::Status status = inferred.status();
    if (status.ok() && outputs.size() != node.outputs.size()) {
      status =
          absl::InvalidArgumentError(absl::StrCat("'", node.bodies[b].attribute, "' has ", outputs.size(),
                                                  " outputs, the node ", node.outputs.size()));
    }
    if (!status.ok()) {
      unfit.Update(status);
      continue;
    }
    for (size_t o = 0; o < outputs.size(); ++o) {
      const TypeProto& type = (*inferred)->types[outputs[o]];
      if (any) {
        pb::UnionTypeInfo(type, context->outputs()[o]);
      } else {
        context->outputs()[o] = type;
      }
    }
    any = true;
  }
  return any ? absl::OkStatus() : unfit;
}

// With auto_pad SAME an axis without elements has none in the output, where ONNX's inference may round up to
// one.
void Inferencer::FitToNothing(const ScopeNode& node, NodeContext* context) {
  const pb::AttributeProto* pad = node.attribute("auto_pad");
  if (pad == nullptr || pad->s().rfind("SAME", 0) != 0) return;
  const TypeProto* in = context->getInputType(0);
  if (in == nullptr) return;
  for (TypeProto& out : context->outputs()) {
    if (out.tensor_type().shape().dim_size() != in->tensor_type().shape().dim_size()) continue;
    for (int i = 2; i < in->tensor_type().shape().dim_size(); ++i) {
      const auto& dim = in->tensor_type().shape().dim(i);
      if (dim.has_dim_value() && dim.dim_value() == 0)
        out.mutable_tensor_type()->mutable_shape()->mutable_dim(i)->set_dim_value(0);
    }
  }
}

// ONNX's inference of ConvTranspose stops at an extent of output_shape that is less than the input's, with a
// shape of too few extents, and adds output_padding to what auto_pad SAME makes the input's extent times the
// stride.
void Inferencer::FitTransposed(const ScopeNode& node, NodeContext* context) {
  if (node.proto.op_type() != "ConvTranspose" || !node.proto.domain().empty()) return;
  const TypeProto* in = context->getInputType(0);
  TypeProto& out = context->outputs()[0];
  if (in == nullptr || !in->tensor_type().has_shape() || !out.tensor_type().has_shape()) return;
  const TensorShapeProto& image = in->tensor_type().shape();
  TensorShapeProto& shape = *out.mutable_tensor_type()->mutable_shape();
  const pb::AttributeProto *wanted = node.attribute("output_shape"), *pad = node.attribute("auto_pad"),
                           *strides = node.attribute("strides");
  if (wanted != nullptr) {
    for (int i = shape.dim_size(); i >= 2 && i < image.dim_size(); ++i)
      shape.add_dim()->set_dim_value(wanted->ints(i - 2));
  } else if (pad != nullptr && pad->s().rfind("SAME", 0) == 0) {
    for (int i = 2; i < image.dim_size() && i < shape.dim_size(); ++i) {
      int64_t same = 0;
      const int64_t stride = strides == nullptr ? 1 : strides->ints(i - 2);
      if (image.dim(i).has_dim_value() && shape.dim(i).has_dim_value() &&
          !__builtin_mul_overflow(image.dim(i).dim_value(), stride, &same))
        shape.mutable_dim(i)->set_dim_value(std::min(shape.dim(i).dim_value(), same));
    }
  }
}

absl::Status Inferencer::Call(NodeId index, NodeContext* context) {
  const ScopeNode& node = scope_.nodes[index];
  return Guard([&] {
    if (node.proto.op_type() == "If" && node.proto.domain().empty()) return If(index, context);
    // Inference functions take an axis as 32 bits, and would read a small one out of an absurd one.
    if (const pb::AttributeProto* axis = node.attribute("axis");
        axis != nullptr && axis->type() == pb::AttributeProto::INT &&
        (axis->i() < -kMaxRank - 1 || axis->i() > kMaxRank)) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", axis->i(), " is out of range"));
    }
    // Of flags that are neither 0 nor 1 inference and the operators of devices need not think alike.
    for (const char* name : {"keepdims", "ceil_mode"}) {
      const pb::AttributeProto* flag = node.attribute(name);
      if (flag != nullptr && node.schema->attributes().contains(name) && (flag->i() < 0 || flag->i() > 1))
        return absl::InvalidArgumentError(absl::StrCat(name, " is ", flag->i(), ", neither 0 nor 1"));
    }
    // Its inference function divides by the step.
    if (std::vector<int64_t> step; node.proto.op_type() == "STFT" && node.proto.domain().empty() &&
                                   context->getInputData(1) != nullptr &&
                                   IntegersOf(*context->getInputData(1), &step) && step.size() == 1 &&
                                   step[0] < 1)
      return absl::InvalidArgumentError(absl::StrCat("frame_step is ", step[0], ", and must be 1 at least"));
    // Its inference function takes the first batch_dims extents, whether they are there or not.
    if (const pb::AttributeProto* batch = node.attribute("batch_dims");
        batch != nullptr && node.proto.op_type() == "GatherND") {
      for (size_t i = 0; i < 2 && i < node.inputs.size(); ++i) {
        const TypeProto* type = context->getInputType(i);
        const int64_t rank = type != nullptr && type->tensor_type().has_shape()
                                 ? type->tensor_type().shape().dim_size()
                                 : kMaxRank;
        if (batch->i() < 0 || batch->i() >= std::max<int64_t>(rank, 1))
          return absl::InvalidArgumentError(
              absl::StrCat("batch_dims ", batch->i(), " is not within input ", i, ", of rank ", rank));
      }
    }
    const pb::OpSchema& schema = *node.schema;
    if (schema.has_type_and_shape_inference_function()) {
      // Its inference function takes onesided to be 0 where it is not given; the specification says 1.
      if (node.proto.op_type() == "STFT") context->ShowDefaults();
      schema.GetTypeAndShapeInferenceFunction()(*context);
      FitToNothing(node, context);
      FitTransposed(node, context);
      // Its inference function gives it the type of what is normalised, the schema that of the scale.
      if (node.proto.op_type() == "RMSNormalization" && node.proto.domain().empty() &&
          context->getInputType(1) != nullptr)
        context->outputs()[0].mutable_tensor_type()->set_elem_type(
            context->getInputType(1)->tensor_type().elem_type());
      // Its inference function counts the classes by the intercepts, which may be left out.
      if (node.proto.op_type() == "LinearClassifier" && context->outputs().size() > 1 &&
          node.attribute("intercepts") == nullptr) {
        ForgetDim(&context->outputs()[1], 1);
      }
    } else if (schema.HasFunction()) {
      static const pb::shape_inference::ModelLocalFunctionsMap& none =
          *new pb::shape_inference::ModelLocalFunctionsMap();
      pb::shape_inference::DataValueMap values;
      context->ShowDefaults();
      pb::shape_inference::InferShapeForFunctionNode(
          *schema.GetFunction(node.opset), pb::OpSchemaRegistry::Instance(), *context,
          pb::ShapeInferenceOptions(false, 1, true), none, &symbols_, &values);
    }
    // The check of type constraints is slow: once for each combination of element types.
    std::string signature = absl::StrCat(reinterpret_cast<uintptr_t>(node.schema));
    bool tensors = true;
    const auto sign = [&](const TypeProto* type) {
      tensors &= type == nullptr || type->has_tensor_type();
      absl::StrAppend(&signature, ",", type == nullptr ? -1 : type->tensor_type().elem_type());
    };
    for (size_t i = 0; i < node.inputs.size(); ++i) sign(context->getInputType(i));
    signature += '>';
    for (const TypeProto& type : context->outputs()) {
      sign(type.value_case() == TypeProto::VALUE_NOT_SET ? nullptr : &type);
      tensors &= type.value_case() != TypeProto::VALUE_NOT_SET;  // else the check is what sets it
    }
    if (tensors && checked_.contains(signature)) return absl::OkStatus();
    schema.CheckInputOutputType(*context);
    if (tensors) checked_.insert(std::move(signature));
    return absl::OkStatus();
  });
}

// What may be taken from a declared type: all of it, or all but its shapes.
TypeProto Inferencer::Declared(TypeProto type) const {
  if (options_.trust_declared) return type;
  const auto strip = [](const auto& self, TypeProto* t) -> void {
    if (t->has_tensor_type()) t->mutable_tensor_type()->clear_shape();
    if (t->has_sequence_type()) self(self, t->mutable_sequence_type()->mutable_elem_type());
    if (t->has_optional_type()) self(self, t->mutable_optional_type()->mutable_elem_type());
  };
  strip(strip, &type);
  return type;
}

absl::Status Inferencer::Finish(const ScopeNode& node, size_t output, TypeProto inferred) {
  const ValueId id = node.outputs[output];
  const TypeProto& declared = scope_.values[id].type;
  TypeProto& type = out_->types[id];
  if (inferred.value_case() != TypeProto::VALUE_NOT_SET &&
      declared.value_case() != TypeProto::VALUE_NOT_SET) {
    const bool same_kind = inferred.value_case() == declared.value_case();
    const int32_t is = inferred.tensor_type().elem_type(), said = declared.tensor_type().elem_type();
    if (!options_.lenient && (!same_kind || (is != 0 && said != 0 && is != said))) {
      return absl::InvalidArgumentError(absl::StrCat(
          "its output '", scope_.values[id].name, "' is declared as ",
          same_kind ? ElementTypeName(said) : "another kind of value", ", but is ",
          same_kind ? ElementTypeName(is) : (inferred.has_tensor_type() ? "a tensor" : "no tensor")));
    }
  }
  type = CombineTypes(inferred, Declared(declared));
  if (type.has_tensor_type() && type.tensor_type().shape().dim_size() > kMaxRank) {
    return absl::InvalidArgumentError(absl::StrCat("its output '", scope_.values[id].name, "' would have ",
                                                   type.tensor_type().shape().dim_size(),
                                                   " dimensions; at most ", kMaxRank, " are supported"));
  }
  std::optional<int64_t> negative;
  ForEachDim(&type, [&](TensorShapeProto::Dimension* d) {
    if (d->has_dim_value() && d->dim_value() < 0 && !negative) negative = d->dim_value();
    if (!d->has_dim_value() && !d->has_dim_param()) d->set_dim_param(symbols_.createNew(""));
  });
  if (negative) {
    if (!options_.lenient) {
      // What 64 bits do not hold becomes the least of them.
      return absl::InvalidArgumentError(absl::StrCat("its output '", scope_.values[id].name, "' would have ",
                                                     *negative == INT64_MIN
                                                         ? std::string("an extent beyond 64 bits")
                                                         : absl::StrCat("the extent ", *negative)));
    }
    type.mutable_tensor_type()->clear_shape();
  }
  return absl::OkStatus();
}

// Whether ONNX's propagation is right for the values of a node.
bool Inferencer::MayPropagate(const ScopeNode& node) const {
  if (!node.schema->has_data_propagation_function()) return false;
  const std::string& op = node.proto.op_type();
  if (op == "Shape" || op == "Size" || op == "Squeeze" || op == "Unsqueeze" || op == "Concat") return true;
  // It passes on what a narrower type would have cut.
  if (op == "Cast") {
    const pb::AttributeProto* to = node.attribute("to");
    return to != nullptr && (to->i() == pb::TensorProto::INT64 || to->i() == pb::TensorProto::INT32 ||
                             to->i() == pb::TensorProto::FLOAT || to->i() == pb::TensorProto::DOUBLE);
  }
  // The others take every value for a list.
  for (const ValueId id : node.inputs) {
    if (id == kNone) continue;
    const TypeProto& type = out_->types[id];
    if (!type.tensor_type().has_shape() || type.tensor_type().shape().dim_size() > 1) return false;
  }
  // Slice adds the step to a position, of 32 bits, until it has passed the end.
  std::vector<int64_t> steps;
  return op != "Slice" || node.inputs.size() < 5 || node.inputs[4] == kNone ||
         out_->known[node.inputs[4]] == nullptr || !IntegersOf(*out_->known[node.inputs[4]], &steps) ||
         std::all_of(steps.begin(), steps.end(), [](int64_t step) { return std::abs(step / 2) < 1 << 29; });
}

void Inferencer::Propagate(const ScopeNode& node) {
  if (!MayPropagate(node)) return;
  // What the propagation cannot do is no error: the value stays unknown.
  Guard([&] {
    PropagationContext context(this, node);
    node.schema->GetDataPropagationFunction()(context);
    return absl::OkStatus();
  }).IgnoreError();
}

void Inferencer::Evaluate(const ScopeNode& node) {
  std::vector<const pb::TensorProto*> inputs;
  std::vector<const TypeProto*> types;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNone ? nullptr : out_->known[id].get());
    types.push_back(id == kNone ? nullptr : &out_->types[id]);
  }
  std::vector<pb::TensorProto> outputs;
  if (EvaluateSmall(node, inputs, types, &outputs)) {
    for (size_t o = 0; o < outputs.size() && o < node.outputs.size(); ++o) {
      const ValueId id = node.outputs[o];
      if (id == kNone) continue;
      // ONNX's inference of Range overflows in 64 bits.
      TensorShapeProto shape;
      for (const int64_t d : outputs[o].dims()) shape.add_dim()->set_dim_value(d);
      *out_->types[id].mutable_tensor_type()->mutable_shape() = std::move(shape);
      out_->known[id] = std::make_shared<const pb::TensorProto>(std::move(outputs[o]));
    }
    return;
  }
  // What ONNX's propagation found whole.
  for (const ValueId id : node.outputs) {
    auto found = id == kNone ? partial_.end() : partial_.find(id);
    if (found == partial_.end() || !out_->types[id].has_tensor_type()) continue;
    const auto& type = out_->types[id].tensor_type();
    if (type.elem_type() != pb::TensorProto::INT64 || !type.has_shape() || type.shape().dim_size() > 1)
      continue;
    const TensorShapeProto& values = found->second;
    pb::TensorProto known;
    known.set_data_type(pb::TensorProto::INT64);
    for (const auto& d : values.dim()) known.add_int64_data(d.dim_value());
    if (type.shape().dim_size() == 1) known.add_dims(values.dim_size());
    if (IsWhole(values) && (type.shape().dim_size() == 1 || values.dim_size() == 1))
      out_->known[id] = std::make_shared<const pb::TensorProto>(std::move(known));
  }
}

absl::Status Inferencer::Node(NodeId index) {
  const ScopeNode& node = scope_.nodes[index];
  NodeContext context(this, index);
  absl::Status status = Call(index, &context);
  if (!status.ok()) {
    if (!options_.lenient) return status;
    // The element types may be known before the shapes fail.
    for (TypeProto& type : context.outputs()) {
      if (type.has_tensor_type()) type.mutable_tensor_type()->clear_shape();
    }
  }
  for (size_t o = 0; o < node.outputs.size(); ++o) {
    if (node.outputs[o] == kNone) continue;
    if (absl::Status s = Finish(node, o, std::move(context.outputs()[o])); !s.ok()) return s;
  }
  if (!status.ok()) return absl::OkStatus();
  Propagate(node);
  Evaluate(node);
  return absl::OkStatus();
}

}  // namespace

pb::TypeProto CombineTypes(const TypeProto& better, const TypeProto& fallback) {
  if (better.value_case() == TypeProto::VALUE_NOT_SET) return fallback;
  if (better.value_case() != fallback.value_case()) return better;
  TypeProto out = better;
  switch (better.value_case()) {
    case TypeProto::kTensorType: {
      auto* tensor = out.mutable_tensor_type();
      const auto& other = fallback.tensor_type();
      if (tensor->elem_type() == 0) tensor->set_elem_type(other.elem_type());
      // Exporters write a shape without dimensions where they know none, so that it cannot tell of a scalar.
      if (!other.has_shape() || other.shape().dim_size() == 0) break;
      if (!tensor->has_shape()) {
        *tensor->mutable_shape() = other.shape();
      } else if (tensor->shape().dim_size() == other.shape().dim_size()) {
        for (int d = 0; d < other.shape().dim_size(); ++d) {
          auto* dim = tensor->mutable_shape()->mutable_dim(d);
          if (!dim->has_dim_value() && !dim->has_dim_param()) *dim = other.shape().dim(d);
        }
      }
      break;
    }
    case TypeProto::kSequenceType:
      *out.mutable_sequence_type()->mutable_elem_type() =
          CombineTypes(better.sequence_type().elem_type(), fallback.sequence_type().elem_type());
      break;
    case TypeProto::kOptionalType:
      *out.mutable_optional_type()->mutable_elem_type() =
          CombineTypes(better.optional_type().elem_type(), fallback.optional_type().elem_type());
      break;
    default:
      break;
  }
  return out;
}

absl::StatusOr<std::shared_ptr<Inferred>> InferScope(const Scope& scope, absl::Span<const InferInput> inputs,
                                                     const InferOptions& options) {
  Symbols symbols;
  return Inferencer(scope, options, &symbols).Run(inputs);
}

}  // namespace braid::loader
