// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/prepare.h"

#include <algorithm>
#include <random>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/graph/names.h"
#include "core/onnx/large_tensors.h"
#include "core/onnx/schema.h"
#include "core/onnx/upgrade/upgrade.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "onnx/checker.h"
#include "onnx/inliner/inliner.h"

namespace braid::loader {
namespace {

constexpr int64_t kNewestIr = pb::Version::IR_VERSION;

absl::Status Bad(std::string text) { return absl::InvalidArgumentError(std::move(text)); }

absl::StatusOr<pb::ModelProto> Parse(Origin& origin, const ModelBudgets& budgets) {
  if (origin.model.span.size() >= budgets.protobuf_bytes)
    return Bad(absl::StrCat(
        "the model has ", origin.model.span.size(), " bytes, a protobuf can have ", budgets.protobuf_bytes,
        "; save it with external data (onnx.save(model, path, save_as_external_data=True))"));
  if (origin.model.span.empty()) return Bad("the model is empty");
  std::random_device random;
  origin.stub_key = absl::StrCat("braid.", random(), ".", random());
  std::string stub;
  if (absl::Status s =
          StripLargeTensors(origin.model.span, origin.stub_key, budgets.nesting, &stub, &origin.large);
      !s.ok())
    return s;
  pb::ModelProto model;
  google::protobuf::io::ArrayInputStream stream(stub.data(), static_cast<int>(stub.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(static_cast<int>(budgets.nesting) * 4 + 64);
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    return Bad("is not an ONNX model, or is truncated: the protobuf can't be parsed");
  if (!model.has_graph()) return Bad("is not an ONNX model: it has no graph");
  return model;
}

// Domains and versions: one entry each, "" for ai.onnx, and one that the library knows.
absl::Status NormaliseImports(pb::ModelProto* model) {
  if (!model->has_ir_version()) return Bad("it has no IR version");
  if (model->ir_version() < 1 || model->ir_version() > kNewestIr)
    return Bad(
        absl::StrCat("IR version ", model->ir_version(), " is unknown; 1 to ", kNewestIr, " are supported"));
  std::map<std::string, int64_t> imports;
  for (const auto& import : model->opset_import()) {
    const std::string domain(NormalDomain(import.domain()));
    if (!imports.emplace(domain, import.version()).second && imports[domain] != import.version())
      return Bad(absl::StrCat("it imports domain '", domain, "' twice, with versions ", imports[domain],
                              " and ", import.version()));
    const int newest = NewestOpsetOf(domain);
    if (import.version() < 1 || (newest > 0 && import.version() > newest))
      return Bad(absl::StrCat(
          "opset ", import.version(), " of domain '", domain.empty() ? "ai.onnx" : domain, "' is unknown; ",
          newest > 0 ? absl::StrCat("1 to ", newest, " are supported") : "1 is the first"));
  }
  if (imports.empty()) {
    if (model->ir_version() >= 3)
      return Bad(absl::StrCat("it imports no opset (opset_import), which a model of IR version ",
                              model->ir_version(), " must"));
    imports[""] = 1;  // models older than IR 3 import nothing
  }
  imports.emplace("", kNewestOpset);
  model->clear_opset_import();
  for (const auto& [domain, version] : imports) {
    auto* import = model->add_opset_import();
    import->set_domain(domain);
    import->set_version(version);
  }
  return absl::OkStatus();
}

// Cast's type is a name in what ONNX 1.1 wrote for opset 6, too. The checker says what is wrong with a name
// that is none.
void CastsByNumber(google::protobuf::RepeatedPtrField<pb::NodeProto>* nodes) {
  for (auto& node : *nodes) {
    if (node.op_type() == "Cast" && node.domain().empty()) CastByNumber(&node);
    for (auto& a : *node.mutable_attribute())
      if (a.has_g()) CastsByNumber(a.mutable_g()->mutable_node());
  }
}

void NormaliseDomains(google::protobuf::RepeatedPtrField<pb::NodeProto>* nodes) {
  for (auto& node : *nodes) {
    if (node.domain() == "ai.onnx") node.set_domain("");
    for (auto& a : *node.mutable_attribute()) {
      if (a.has_g()) NormaliseDomains(a.mutable_g()->mutable_node());
      for (auto& g : *a.mutable_graphs()) NormaliseDomains(g.mutable_node());
    }
  }
}

// ---- Model-local functions ----

std::string FunctionId(const std::string& domain, const std::string& name, const std::string& overload) {
  return absl::StrCat(NormalDomain(domain), ":", name, ":", overload);
}

using FunctionsById = std::map<std::string, const pb::FunctionProto*>;

// Writes the attributes' default values into the calls that leave them out: the official inliner knows none.
void GiveDefaults(const FunctionsById& functions, google::protobuf::RepeatedPtrField<pb::NodeProto>* nodes) {
  for (auto& node : *nodes) {
    if (const auto f = functions.find(FunctionId(node.domain(), node.op_type(), node.overload()));
        f != functions.end())
      for (const auto& otherwise : f->second->attribute_proto())
        if (std::none_of(node.attribute().begin(), node.attribute().end(),
                         [&](const pb::AttributeProto& a) { return a.name() == otherwise.name(); }))
          *node.add_attribute() = otherwise;
    for (auto& a : *node.mutable_attribute()) {
      if (a.has_g()) GiveDefaults(functions, a.mutable_g()->mutable_node());
      for (auto& g : *a.mutable_graphs()) GiveDefaults(functions, g.mutable_node());
    }
  }
}

void GiveDefaults(pb::ModelProto* model) {
  FunctionsById functions;
  for (const auto& f : model->functions()) functions[FunctionId(f.domain(), f.name(), f.overload())] = &f;
  GiveDefaults(functions, model->mutable_graph()->mutable_node());
  for (auto& f : *model->mutable_functions()) GiveDefaults(functions, f.mutable_node());
}

// How many nodes each function is when everything is expanded; refuses recursion and explosions before they
// happen.
class FunctionBudget {
 public:
  FunctionBudget(const pb::ModelProto& model, const ModelBudgets& budgets) : budgets_(budgets) {
    uint64_t written = Written(model.graph().node());
    for (const auto& f : model.functions()) {
      functions_[FunctionId(f.domain(), f.name(), f.overload())] = &f;
      written += Written(f.node());
    }
    most_ = std::min(budgets.nodes, budgets.expansion_nodes + written * budgets.expansion_factor);
  }

  absl::StatusOr<uint64_t> Count(const google::protobuf::RepeatedPtrField<pb::NodeProto>& nodes,
                                 uint32_t depth) {
    uint64_t sum = 0;
    for (const auto& node : nodes) {
      uint64_t count = 1;
      auto f = functions_.find(FunctionId(node.domain(), node.op_type(), node.overload()));
      if (f != functions_.end()) {
        auto inner = CountFunction(f->first, *f->second, depth + 1);
        if (!inner.ok()) return inner.status();
        count = *inner;
      }
      const auto add = [&](const pb::GraphProto& body) {
        auto inner = Count(body.node(), depth);
        if (inner.ok()) count += *inner;
        return inner.status();
      };
      for (const auto& a : node.attribute()) {
        if (a.has_g())
          if (absl::Status s = add(a.g()); !s.ok()) return s;
        for (const pb::GraphProto& body : a.graphs())
          if (absl::Status s = add(body); !s.ok()) return s;
      }
      sum += count;
      if (sum > most_)
        return Bad(absl::StrCat("expanded, its functions make more than ", most_, " nodes (at a call of '",
                                node.op_type(), "')"));
    }
    return sum;
  }

 private:
  absl::StatusOr<uint64_t> CountFunction(const std::string& id, const pb::FunctionProto& f, uint32_t depth) {
    if (auto known = counts_.find(id); known != counts_.end()) return known->second;
    if (!open_.insert(id).second) return Bad(absl::StrCat("function '", f.name(), "' calls itself"));
    if (depth > budgets_.expansion_depth)
      return Bad(absl::StrCat("functions call each other deeper than ", budgets_.expansion_depth, " (at '",
                              f.name(), "')"));
    auto count = Count(f.node(), depth);
    open_.erase(id);
    if (count.ok()) counts_[id] = *count;
    return count;
  }

  // Nodes that stand in the file.
  static uint64_t Written(const google::protobuf::RepeatedPtrField<pb::NodeProto>& nodes) {
    uint64_t count = static_cast<uint64_t>(nodes.size());
    for (const auto& node : nodes)
      for (const auto& a : node.attribute()) {
        if (a.has_g()) count += Written(a.g().node());
        for (const auto& body : a.graphs()) count += Written(body.node());
      }
    return count;
  }

  const ModelBudgets& budgets_;
  uint64_t most_ = 0;
  FunctionsById functions_;
  std::map<std::string, uint64_t> counts_;
  std::set<std::string> open_;
};

// ---- Constants ----

bool SetTensorOf(const pb::NodeProto& constant, pb::TensorProto* tensor, pb::SparseTensorProto* sparse) {
  for (const auto& a : constant.attribute()) {
    tensor->Clear();
    if (a.name() == "value" && a.has_t()) {
      *tensor = a.t();
    } else if (a.name() == "value_float") {
      tensor->set_data_type(pb::TensorProto::FLOAT);
      tensor->add_float_data(a.f());
    } else if (a.name() == "value_int") {
      tensor->set_data_type(pb::TensorProto::INT64);
      tensor->add_int64_data(a.i());
    } else if (a.name() == "value_string") {
      tensor->set_data_type(pb::TensorProto::STRING);
      tensor->add_string_data(a.s());
    } else if (a.name() == "value_floats") {
      tensor->set_data_type(pb::TensorProto::FLOAT);
      tensor->add_dims(a.floats_size());
      *tensor->mutable_float_data() = a.floats();
    } else if (a.name() == "value_ints") {
      tensor->set_data_type(pb::TensorProto::INT64);
      tensor->add_dims(a.ints_size());
      *tensor->mutable_int64_data() = a.ints();
    } else if (a.name() == "value_strings") {
      tensor->set_data_type(pb::TensorProto::STRING);
      tensor->add_dims(a.strings_size());
      *tensor->mutable_string_data() = a.strings();
    } else if (a.name() == "sparse_value" && a.has_sparse_tensor()) {
      *sparse = a.sparse_tensor();
      return true;
    } else {
      continue;
    }
    return true;
  }
  return false;
}

bool IsAbsent(const pb::TensorProto& t) { return t.data_location() == pb::TensorProto::EXTERNAL; }

class Extractor {
 public:
  Extractor(pb::ModelProto* model, Origin& origin, Weights* weights)
      : model_(model), origin_(origin), weights_(*weights) {
    for (const auto& input : model->graph().input()) taken_.insert(input.name());
    for (const auto& [name, constant] : weights_) taken_.insert(name);
    for (const auto& t : model->graph().initializer()) taken_.insert(t.name());
    for (const auto& node : model->graph().node())
      for (const auto& out : node.output()) taken_.insert(out);
  }

  absl::Status Run() {
    const bool constant_inputs =
        model_->ir_version() < 4;  // every initializer is an input as well, and no default
    return Graph(model_->mutable_graph(), true, constant_inputs);
  }

 private:
  absl::Status Graph(pb::GraphProto* graph, bool top, bool constant_inputs) {
    std::set<std::string> inputs;
    for (const auto& input : graph->input()) inputs.insert(input.name());
    // Constant nodes become initializers, and sparse ones dense.
    google::protobuf::RepeatedPtrField<pb::NodeProto> nodes;
    for (auto& node : *graph->mutable_node()) {
      pb::TensorProto tensor;
      pb::SparseTensorProto sparse;
      if (node.op_type() != "Constant" || !NormalDomain(node.domain()).empty() || node.output_size() != 1 ||
          !SetTensorOf(node, &tensor, &sparse)) {
        *nodes.Add() = std::move(node);
        continue;
      }
      if (sparse.has_values()) {
        if (absl::Status s = ReadSparseTensor(sparse, origin_, &tensor); !s.ok()) return s;
      }
      tensor.set_name(node.output(0));
      *graph->add_initializer() = std::move(tensor);
    }
    *graph->mutable_node() = std::move(nodes);
    for (const auto& sparse : graph->sparse_initializer()) {
      pb::TensorProto tensor;
      if (absl::Status s = ReadSparseTensor(sparse, origin_, &tensor); !s.ok()) return s;
      *graph->add_initializer() = std::move(tensor);
    }
    graph->clear_sparse_initializer();

    google::protobuf::RepeatedPtrField<pb::TensorProto> small;
    std::set<std::string> names, constants;
    for (auto& tensor : *graph->mutable_initializer()) {
      if (!names.insert(tensor.name()).second)
        return Bad(absl::StrCat("initializer '", tensor.name(), "' is there twice"));
      uint64_t elements = 0, bytes = 0;
      if (absl::Status s = CheckDims(tensor, &elements, &bytes); !s.ok()) return s;
      const bool is_default = inputs.contains(tensor.name()) && !constant_inputs;
      if (inputs.contains(tensor.name()) && constant_inputs) constants.insert(tensor.name());
      auto constant = ReadTensor(tensor, origin_);
      if (!constant.ok()) return constant.status();
      const bool large = (*constant)->bytes > kSmallTensorBytes;
      if (!large || is_default) {
        if (IsAbsent(tensor)) Restore(**constant, &tensor);
        *small.Add() = std::move(tensor);
        continue;
      }
      std::string name = tensor.name();
      if (!top) {
        // In the outermost graph the name must be its own.
        for (int i = 0; taken_.contains(name); ++i) name = absl::StrCat(tensor.name(), "_", i);
        if (name != tensor.name()) Rename(graph, tensor.name(), name);
      }
      taken_.insert(name);
      weights_[name] = *constant;
      if (!constants.erase(tensor.name())) AddInput(name, tensor);
    }
    *graph->mutable_initializer() = std::move(small);
    // What is a constant now is no input of the caller's any more.
    if (!constants.empty()) {
      google::protobuf::RepeatedPtrField<pb::ValueInfoProto> left;
      for (auto& input : *graph->mutable_input())
        if (!constants.contains(input.name())) *left.Add() = std::move(input);
      *graph->mutable_input() = std::move(left);
    }
    for (auto& node : *graph->mutable_node())
      for (auto& a : *node.mutable_attribute()) {
        if (a.has_g())
          if (absl::Status s = Graph(a.mutable_g(), false, false); !s.ok()) return s;
        // Other tensors in attributes come back whole: nothing but their node reads them.
        if (a.has_t() && IsAbsent(a.t())) {
          auto constant = ReadTensor(a.t(), origin_);
          if (!constant.ok()) return constant.status();
          Restore(**constant, a.mutable_t());
        }
      }
    return absl::OkStatus();
  }

  static void Restore(const Constant& constant, pb::TensorProto* tensor) {
    tensor->clear_external_data();
    tensor->clear_data_location();
    tensor->set_raw_data(std::string(reinterpret_cast<const char*>(constant.data), constant.bytes));
  }

  void AddInput(const std::string& name, const pb::TensorProto& tensor) {
    auto* input = model_->mutable_graph()->add_input();
    input->set_name(name);
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(tensor.data_type());
    type->mutable_shape();
    for (int64_t d : tensor.dims()) type->mutable_shape()->add_dim()->set_dim_value(d);
  }

  static void Rename(pb::GraphProto* graph, const std::string& from, const std::string& to) {
    for (auto& node : *graph->mutable_node()) {
      for (auto& input : *node.mutable_input())
        if (input == from) input = to;
      for (auto& a : *node.mutable_attribute())
        if (a.has_g()) Rename(a.mutable_g(), from, to);
    }
    for (auto& output : *graph->mutable_output())
      if (output.name() == from) output.set_name(to);
  }

  pb::ModelProto* model_;
  Origin& origin_;
  Weights& weights_;
  std::set<std::string> taken_;
};

// ---- Checks and the upgrade ----

std::string LabelOf(const pb::NodeProto& node) {
  return NodeLabel(node.op_type(), node.domain(), node.name(), node.output_size() > 0 ? node.output(0) : "");
}

// Shape inference of Einsum does not end on some malformed equations: a second ellipsis in a term, a lone
// point.
bool IsEquation(std::string_view equation) {
  int arrows = 0;
  bool ellipsis = false;
  for (size_t i = 0; i < equation.size(); ++i) {
    const char c = equation[i];
    if (c == '.') {
      if (ellipsis || equation.substr(i, 3) != "...") return false;
      ellipsis = true;
      i += 2;
    } else if (c == '-') {
      if (equation.substr(i, 2) != "->" || ++arrows > 1) return false;
      ellipsis = false;
      ++i;
    } else if (c == ',') {
      if (arrows > 0) return false;
      ellipsis = false;
    } else if (c != ' ' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) {
      return false;
    }
  }
  return true;
}

// Whether a node is of a domain that is not ONNX's.
bool HasOtherOperators(const pb::GraphProto& graph) {
  return std::any_of(graph.node().begin(), graph.node().end(), [](const pb::NodeProto& node) {
    return (!node.domain().empty() && !absl::StartsWith(node.domain(), "ai.onnx.")) ||
           std::any_of(node.attribute().begin(), node.attribute().end(),
                       [](const pb::AttributeProto& a) { return a.has_g() && HasOtherOperators(a.g()); });
  });
}

absl::Status CheckOperators(const pb::GraphProto& graph, const std::map<std::string, int64_t>& imports) {
  for (const auto& node : graph.node()) {
    const std::string& domain = node.domain();
    auto import = imports.find(domain);
    if (import == imports.end())
      return Bad(absl::StrCat(LabelOf(node), ": the model does not import its domain '", domain, "'"));
    const pb::OpSchema* schema = FindSchema(node.op_type(), domain, import->second);
    if (schema == nullptr && !(domain.empty() && IsExperimental(node.op_type(), import->second))) {
      const auto* any = FindSchema(node.op_type(), domain, 1 << 20);
      if (any != nullptr)
        return Bad(absl::StrCat(
            LabelOf(node), ": the operator is not in opset ", import->second, "; it came with ",
            VersionsOf(node.op_type(), domain).empty() ? any->since_version()
                                                       : VersionsOf(node.op_type(), domain).front()));
      return Bad(absl::StrCat(LabelOf(node), ": there is no operator '", node.op_type(), "' in domain '",
                              domain.empty() ? "ai.onnx" : domain, "'",
                              NearestOperator(node.op_type(), domain)));
    }
    // The official checker knows ONNX's own domains alone.
    if (schema != nullptr && schema == FindDeclared(node.op_type(), domain, import->second))
      if (absl::Status s = Guard([&] {
            schema->Verify(node);
            return absl::OkStatus();
          });
          !s.ok())
        return Annotate(s, absl::StrCat(LabelOf(node), ": "));
    std::set<std::string> names;
    for (const auto& a : node.attribute()) {
      if (!names.insert(a.name()).second)
        return Bad(absl::StrCat(LabelOf(node), ": attribute '", a.name(), "' is there twice"));
      if (a.name() == "equation" && domain.empty() && node.op_type() == "Einsum" && !IsEquation(a.s()))
        return Bad(absl::StrCat(LabelOf(node), ": '", absl::CHexEscape(a.s()), "' is no equation"));
      if (a.has_g())
        if (absl::Status s = CheckOperators(a.g(), imports); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

// GroupNormalization-18 was called deprecated after models had been written with it (its scale and bias are
// one a group; 21 has one a channel), experimental operators were removed. The checker refuses both, and lets
// other domains' operators pass.
constexpr char kUnchecked[] = "unchecked";
bool IsWithdrawn(const pb::NodeProto& node, int64_t opset) {
  if (!node.domain().empty()) return false;
  return (node.op_type() == "GroupNormalization" && opset >= 18 && opset < 21) ||
         IsExperimental(node.op_type(), opset);
}
bool HasWithdrawn(const pb::GraphProto& graph, int64_t opset) {
  return std::any_of(graph.node().begin(), graph.node().end(), [&](const pb::NodeProto& node) {
    return IsWithdrawn(node, opset) ||
           std::any_of(node.attribute().begin(), node.attribute().end(),
                       [&](const pb::AttributeProto& a) { return a.has_g() && HasWithdrawn(a.g(), opset); });
  });
}
void HideWithdrawn(pb::GraphProto* graph, int64_t opset) {
  for (auto& node : *graph->mutable_node()) {
    if (IsWithdrawn(node, opset)) node.set_domain(kUnchecked);
    for (auto& a : *node.mutable_attribute())
      if (a.has_g()) HideWithdrawn(a.mutable_g(), opset);
  }
}

// The official checker. It wants a shape for every input and output, which the format does not: it gets an
// empty one.
absl::Status Check(const pb::ModelProto& model) {
  pb::ModelProto copy;
  const pb::ModelProto* checked = &model;
  auto lacks = [](const pb::ValueInfoProto& v) {
    return v.type().has_tensor_type() && !v.type().tensor_type().has_shape();
  };
  const auto& graph = model.graph();
  for (const auto& v : graph.input())
    if (v.type().value_case() == pb::TypeProto::VALUE_NOT_SET)
      return Bad(absl::StrCat("input '", v.name(), "' has no type"));
  int64_t opset = 0;
  for (const auto& import : model.opset_import())
    if (import.domain().empty()) opset = import.version();
  const bool withdrawn = HasWithdrawn(graph, opset);
  if (withdrawn || std::any_of(graph.output().begin(), graph.output().end(), lacks) ||
      std::any_of(graph.input().begin(), graph.input().end(), lacks)) {
    copy = model;
    checked = &copy;
    for (auto* list : {copy.mutable_graph()->mutable_input(), copy.mutable_graph()->mutable_output()})
      for (auto& v : *list)
        if (lacks(v)) v.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (withdrawn) {
      HideWithdrawn(copy.mutable_graph(), opset);
      auto* import = copy.add_opset_import();
      import->set_domain(kUnchecked);
      import->set_version(1);
    }
  }
  return Guard([&] {
    pb::checker::check_model(*checked);
    return absl::OkStatus();
  });
}

absl::Status Upgrade(pb::ModelProto* model, ModelInfo* info) {
  return Guard([&] {
    const auto changes = UpgradeModel(model);
    if (!changes.ok()) return changes.status();
    for (const std::string& change : *changes) info->notes.push_back("upgraded " + change);
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status ExtractConstants(pb::ModelProto* model, Origin& origin, Weights* weights) {
  return Extractor(model, origin, weights).Run();
}

absl::StatusOr<Prepared> Prepare(std::shared_ptr<Origin> origin, const ModelBudgets& budgets) {
  Prepared out;
  auto parsed = Parse(*origin, budgets);
  if (!parsed.ok()) return parsed.status();
  pb::ModelProto& model = out.proto = *std::move(parsed);
  out.info.ir_version = model.ir_version();
  out.info.producer_name = model.producer_name();
  out.info.producer_version = model.producer_version();
  out.info.doc = model.doc_string();
  for (const auto& import : model.opset_import())
    out.info.opset_imports.emplace_back(NormalDomain(import.domain()), import.version());
  for (const auto& m : model.metadata_props()) out.info.metadata.emplace_back(m.key(), m.value());

  if (absl::Status s = NormaliseImports(&model); !s.ok()) return s;
  NormaliseDomains(model.mutable_graph()->mutable_node());
  for (auto& f : *model.mutable_functions()) NormaliseDomains(f.mutable_node());

  auto count = FunctionBudget(model, budgets).Count(model.graph().node(), 0);
  if (!count.ok()) return count.status();
  if (model.functions_size() > 0) {
    const int functions = model.functions_size();
    AlignFunctionOpsets(&model);
    GiveDefaults(&model);
    absl::Status s = Guard([&] {
      pb::inliner::InlineLocalFunctions(model, true);
      return absl::OkStatus();
    });
    if (!s.ok()) return Annotate(s, "its functions can't be expanded: ");
    out.info.notes.push_back(
        absl::StrCat("expanded ", functions, " model-local function", functions == 1 ? "" : "s"));
    model.clear_functions();
    NormaliseDomains(model.mutable_graph()->mutable_node());
  }
  if (absl::Status s = ExtractConstants(&model, *origin, &out.weights); !s.ok()) return s;
  // The oldest forms know no initializer that is no input; what was read is the same in the newest form.
  model.set_ir_version(kNewestIr);

  std::map<std::string, int64_t> imports;
  for (const auto& import : model.opset_import()) imports[import.domain()] = import.version();
  if (imports.contains("") && imports[""] >= 6) CastsByNumber(model.mutable_graph()->mutable_node());
  if (HasOtherOperators(model.graph())) DeclareOperators();
  if (absl::Status s = CheckOperators(model.graph(), imports); !s.ok()) return s;
  if (absl::Status s = Check(model); !s.ok()) return s;
  if (absl::Status s = Upgrade(&model, &out.info); !s.ok()) return s;
  return out;
}

}  // namespace braid::loader
