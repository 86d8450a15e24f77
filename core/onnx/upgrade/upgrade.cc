// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/upgrade/upgrade.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/graph/names.h"
#include "core/onnx/schema.h"
#include "core/onnx/upgrade/adapters.h"
#include "onnx/shape_inference/implementation.h"

namespace braid::loader {
namespace {

class Upgrader {
 public:
  // `from`: the opset of each domain that is upgraded.
  Upgrader(pb::ModelProto* model, std::map<std::string, int64_t> from)
      : model_(*model), from_(std::move(from)) {
    around_.fresh = [this] { return Fresh(); };
    around_.type = [this](const std::string& name) {
      const auto found = types_.find(name);
      return found == types_.end() ? nullptr : found->second;
    };
    around_.constant = [this](const std::string& name) { return ConstantOf(name); };
  }

  absl::Status Run() {
    if (!TouchesAny(model_.graph())) return absl::OkStatus();
    InferTypes();
    return Graph(model_.mutable_graph());
  }

 private:
  // Whether any version between the model's opset and the newest has an adapter for the node.
  bool Touches(const pb::NodeProto& node) {
    const auto from = from_.find(node.domain());
    if (from == from_.end()) return false;
    auto [found, made] = touches_.try_emplace({node.domain(), node.op_type()}, false);
    if (!made) return found->second;
    bool any =
        HasNoSuccessor(node) || (node.domain().empty() && IsExperimental(node.op_type(), from->second));
    for (const int version : VersionsOf(node.op_type(), node.domain()))
      if (version > from->second && version <= NewestOpsetOf(node.domain()))
        any = any || (version == 6 && node.domain().empty()) ||
              FindAdapter(node.domain(), node.op_type(), version) != nullptr;
    return found->second = any;
  }

  // Whether the newest opset no longer has the operator. What ai.onnx.ml gave up is still run as it last was.
  static bool HasNoSuccessor(const pb::NodeProto& node) {
    if (!node.domain().empty()) return false;
    const pb::OpSchema* newest = FindSchema(node.op_type(), "", kNewestOpset);
    return newest == nullptr || newest->deprecated();
  }

  bool TouchesAny(const pb::GraphProto& graph) {
    for (const auto& node : graph.node()) {
      if (Touches(node)) return true;
      for (const auto& a : node.attribute())
        if (a.has_g() && TouchesAny(a.g())) return true;
    }
    return false;
  }

  absl::Status Graph(pb::GraphProto* graph) {
    scopes_.push_back(graph);
    google::protobuf::RepeatedPtrField<pb::NodeProto> nodes;
    nodes.Reserve(graph->node_size());
    for (auto& node : *graph->mutable_node()) {
      for (auto& a : *node.mutable_attribute())
        if (a.has_g())
          if (absl::Status s = Graph(a.mutable_g()); !s.ok()) return s;
      if (!Touches(node)) {
        nodes.Add()->Swap(&node);
        continue;
      }
      Rewriter rewriter(&node, graph, around_);
      if (absl::Status s = Node(&rewriter); !s.ok()) return s;
      for (auto& made : rewriter.before) nodes.Add()->Swap(&made);
      nodes.Add()->Swap(&node);
      for (auto& made : rewriter.after) nodes.Add()->Swap(&made);
    }
    graph->mutable_node()->Swap(&nodes);
    scopes_.pop_back();
    return absl::OkStatus();
  }

  absl::Status Node(Rewriter* rewriter) {
    pb::NodeProto& node = rewriter->node();
    const std::string label =
        NodeLabel(node.op_type(), node.domain(), node.name(), node.output_size() > 0 ? node.output(0) : "");
    const std::string domain = node.domain();
    const int64_t from = from_.at(domain);
    if (domain.empty() && IsExperimental(node.op_type(), from))
      return Annotate(FindExperimental(node.op_type())(*rewriter),
                      absl::StrCat(label, ": can't be upgraded: "));
    int64_t at = from;
    for (bool again = true; again;) {
      again = false;
      const std::string op = node.op_type();
      for (const int version : VersionsOf(op, domain)) {
        if (version <= at || version > NewestOpsetOf(domain)) continue;
        at = version;
        // The marks of operators that worked in place; they never meant anything else.
        if (version == 6 && domain.empty()) rewriter->Remove("consumed_inputs");
        const Adapter adapter = FindAdapter(domain, op, version);
        if (adapter == nullptr) continue;
        if (absl::Status s = adapter(*rewriter); !s.ok())
          return Annotate(s, absl::StrCat(label, ": can't be upgraded from opset ", from, ": "));
        if (rewriter->finished) return absl::OkStatus();
        if (node.op_type() != op) {
          at = rewriter->next_version;
          again = true;
          break;
        }
      }
    }
    if (HasNoSuccessor(node))
      return absl::InvalidArgumentError(absl::StrCat(label, ": can't be upgraded from opset ", from,
                                                     ": opset ", kNewestOpset,
                                                     " has nothing in the operator's place"));
    return absl::OkStatus();
  }

  std::string Fresh() {
    if (taken_.empty()) Collect(model_.graph());
    std::string name;
    do {
      name = absl::StrCat("upgrade.", count_++);
    } while (!taken_.insert(name).second);
    return name;
  }

  void Collect(const pb::GraphProto& graph) {
    for (const auto& v : graph.input()) taken_.insert(v.name());
    for (const auto& v : graph.output()) taken_.insert(v.name());
    for (const auto& t : graph.initializer()) taken_.insert(t.name());
    for (const auto& node : graph.node()) {
      for (const auto& name : node.output()) taken_.insert(name);
      for (const auto& name : node.input()) taken_.insert(name);
      for (const auto& a : node.attribute())
        if (a.has_g()) Collect(a.g());
    }
  }

  // ONNX's inference functions read past an end, or do not end, with what some nodes have. Without an
  // operator that it knows it leaves them out; what is wrong with them is told after the upgrade.
  static void LeaveOut(pb::GraphProto* graph) {
    constexpr int64_t kHuge = int64_t{1} << 32;
    for (auto& node : *graph->mutable_node()) {
      const auto initializer = [&](const std::string& name) {
        const auto& all = graph->initializer();
        return std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name() == name; });
      };
      bool unfit = false;
      for (auto& a : *node.mutable_attribute()) {
        if (a.has_g()) LeaveOut(a.mutable_g());
        unfit |= a.name() == "axis" && (a.i() < -kMaxRank - 1 || a.i() > kMaxRank);
        unfit |= a.name() == "batch_dims" && a.i() != 0;
      }
      if (node.op_type() == "Slice" && node.input_size() > 4 && !node.input(4).empty()) {
        const auto steps = initializer(node.input(4));
        unfit |= steps == graph->initializer().end();
        if (!unfit && steps->data_type() == pb::TensorProto::INT64) {
          unfit |= !steps->has_raw_data() && steps->int64_data_size() == 0;
          const auto check = [&](int64_t step) { unfit |= step < -kHuge || step > kHuge; };
          for (const int64_t step : steps->int64_data()) check(step);
          for (size_t i = 0; i + 8 <= steps->raw_data().size(); i += 8) {
            int64_t step;
            std::memcpy(&step, steps->raw_data().data() + i, 8);
            check(step);
          }
        }
      }
      if (unfit) node.set_op_type("");
    }
  }

  // Of the model as it was, in its old opset.
  void InferTypes() {
    inferred_ = model_;
    LeaveOut(inferred_.mutable_graph());
    // What is inferred up to an error is used; adapters say what they lack.
    Guard([&] {
      pb::shape_inference::InferShapes(inferred_, pb::OpSchemaRegistry::Instance(),
                                       pb::ShapeInferenceOptions(false, 0, true));
      return absl::OkStatus();
    }).IgnoreError();
    AddTypes(inferred_.graph());
  }

  void AddTypes(const pb::GraphProto& graph) {
    for (const auto& v : graph.input()) types_.emplace(v.name(), &v.type());
    for (const auto& v : graph.value_info()) types_.emplace(v.name(), &v.type());
    for (const auto& v : graph.output()) types_.emplace(v.name(), &v.type());
    for (const auto& t : graph.initializer()) {
      auto made = std::make_unique<pb::TypeProto>();
      made->mutable_tensor_type()->set_elem_type(t.data_type());
      auto* shape = made->mutable_tensor_type()->mutable_shape();
      for (const int64_t d : t.dims()) shape->add_dim()->set_dim_value(d);
      types_[t.name()] = made.get();
      owned_.push_back(std::move(made));
    }
    for (const auto& node : graph.node())
      for (const auto& a : node.attribute())
        if (a.has_g()) AddTypes(a.g());
  }

  struct Constants {
    int scanned = 0;  // initializers looked at; adapters add some
    std::unordered_set<std::string> inputs;
    std::unordered_map<std::string, int> index;
  };

  const pb::TensorProto* ConstantOf(const std::string& name) {
    for (size_t i = scopes_.size(); i-- > 0;) {
      Constants& known = constants_[scopes_[i]];
      if (known.scanned == 0)
        for (const auto& v : scopes_[i]->input()) known.inputs.insert(v.name());
      for (; known.scanned < scopes_[i]->initializer_size(); ++known.scanned) {
        // One that is an input as well is but a default.
        const std::string& initializer = scopes_[i]->initializer(known.scanned).name();
        if (!known.inputs.contains(initializer)) known.index[initializer] = known.scanned;
      }
      if (auto found = known.index.find(name); found != known.index.end())
        return &scopes_[i]->initializer(found->second);
    }
    return nullptr;
  }

  pb::ModelProto& model_;
  std::map<std::string, int64_t> from_;
  Rewriter::Surroundings around_;
  std::map<std::pair<std::string, std::string>, bool> touches_;  // by domain and operator
  std::unordered_set<std::string> taken_;
  uint64_t count_ = 0;
  pb::ModelProto inferred_;
  std::unordered_map<std::string, const pb::TypeProto*> types_;
  std::vector<std::unique_ptr<pb::TypeProto>> owned_;
  std::vector<pb::GraphProto*> scopes_;
  std::unordered_map<pb::GraphProto*, Constants> constants_;
};

using Nodes = google::protobuf::RepeatedPtrField<pb::NodeProto>;

// Whether a node, here or in a body, would be rewritten on the way between two opsets of its domain.
bool AnyChanges(const Nodes& nodes, const std::string& domain, int64_t from, int64_t to) {
  for (const auto& node : nodes) {
    if (node.domain() == domain) {
      // What no schema of the domain explains is a call of a function.
      for (const int version : VersionsOf(node.op_type(), domain))
        if (version > from && version <= to &&
            ((version == 6 && domain.empty()) || FindAdapter(domain, node.op_type(), version) != nullptr))
          return true;
      if (domain.empty() && IsExperimental(node.op_type(), from)) return true;
      const pb::OpSchema* last = FindSchema(node.op_type(), domain, to);
      if (last != nullptr && last->deprecated()) return true;
    }
    for (const auto& a : node.attribute())
      if (a.has_g() && AnyChanges(a.g().node(), domain, from, to)) return true;
  }
  return false;
}

template <class Part>
pb::OperatorSetIdProto* ImportOf(Part* part, const std::string& domain) {
  for (auto& import : *part->mutable_opset_import())
    if (NormalDomain(import.domain()) == domain) return &import;
  return nullptr;
}

}  // namespace

bool IsExperimental(const std::string& op, int64_t opset) {
  return opset < kNewestOpset && FindSchema(op, "", static_cast<int>(opset)) == nullptr &&
         FindExperimental(op) != nullptr;
}

bool CastByNumber(pb::NodeProto* cast) {
  for (auto& a : *cast->mutable_attribute()) {
    if (a.name() != "to" || a.type() != pb::AttributeProto::STRING) continue;
    pb::TensorProto_DataType type = pb::TensorProto::UNDEFINED;
    if (!pb::TensorProto_DataType_Parse(a.s(), &type) || type == pb::TensorProto::UNDEFINED) return false;
    a.clear_s();
    a.set_type(pb::AttributeProto::INT);
    a.set_i(type);
  }
  return true;
}

void AlignFunctionOpsets(pb::ModelProto* model) {
  for (const std::string domain : {"", "ai.onnx.ml"}) {
    auto* own = ImportOf(model, domain);
    int64_t newest = own != nullptr ? own->version() : 0;
    for (auto& f : *model->mutable_functions())
      if (auto* import = ImportOf(&f, domain)) newest = std::max(newest, import->version());
    if (newest > NewestOpsetOf(domain)) continue;
    if (own != nullptr && own->version() < newest) {
      if (AnyChanges(model->graph().node(), domain, own->version(), newest)) continue;
      own->set_version(newest);
    }
    for (auto& f : *model->mutable_functions())
      if (auto* import = ImportOf(&f, domain);
          import != nullptr && !AnyChanges(f.node(), domain, import->version(), newest))
        import->set_version(newest);
  }
}

absl::StatusOr<std::vector<std::string>> UpgradeModel(pb::ModelProto* model) {
  std::map<std::string, int64_t> from;
  std::vector<std::string> changes;
  for (const auto& import : model->opset_import()) {
    const int newest = NewestOpsetOf(import.domain());
    if (import.version() >= newest) continue;
    from[import.domain()] = import.version();
    changes.push_back(absl::StrCat(import.domain().empty() ? "ai.onnx" : import.domain(), " ",
                                   import.version(), " to ", newest));
  }
  if (from.empty()) return changes;
  if (absl::Status s = Upgrader(model, from).Run(); !s.ok()) return s;
  for (auto& import : *model->mutable_opset_import())
    if (from.contains(import.domain())) import.set_version(NewestOpsetOf(import.domain()));
  return changes;
}

}  // namespace braid::loader
