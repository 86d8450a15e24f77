// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/model.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/onnx/build.h"
#include "core/onnx/convert.h"
#include "core/onnx/expand.h"
#include "core/onnx/infer.h"
#include "core/onnx/prepare.h"
#include "core/onnx/tensor.h"

namespace braid {

using namespace loader;  // NOLINT: this room's own namespace

struct Model::Impl {
  std::shared_ptr<Origin> origin;  // keeps the mappings
  std::shared_ptr<const ModelInfo> info;
  std::map<std::string, int> versions;  // of the domains, after the upgrade
  std::shared_ptr<const Scope> scope;
  bool is_body = false;
  std::vector<InferInput> inputs;            // of the scope, as far as they are known without a caller's
  std::shared_ptr<const Inferred> inferred;  // from these inputs
  std::shared_ptr<const Graph> graph;        // of scope and inferred
  std::map<std::pair<NodeId, std::string>, std::shared_ptr<const Model>> bodies;
};

namespace {

using ImplPtr = std::shared_ptr<Model::Impl>;

// Makes the models of all bodies beneath one whose graph is there.
absl::Status MakeBodies(Model::Impl* impl) {
  for (size_t n = 0; n < impl->scope->nodes.size(); ++n) {
    const ScopeNode& node = impl->scope->nodes[n];
    for (size_t b = 0; b < node.bodies.size(); ++b) {
      const ScopeBody& body = node.bodies[b];
      const Attribute* attribute = impl->graph->nodes[n].attribute(body.attribute);
      if (attribute == nullptr) return absl::InternalError("a body has lost its attribute");
      auto inner = std::make_shared<Model::Impl>();
      inner->origin = impl->origin;
      inner->info = impl->info;
      inner->versions = impl->versions;
      inner->scope = body.scope;
      inner->is_body = true;
      inner->graph = attribute->body.graph;
      const auto found = impl->inferred->bodies.find({static_cast<NodeId>(n), b});
      const std::vector<ValueId>& ids = body.scope->inputs;
      inner->inputs.resize(ids.size());
      const size_t own = ids.size() - body.captures.size();
      for (size_t i = 0; i < ids.size(); ++i) {
        inner->inputs[i].type = found != impl->inferred->bodies.end() ? found->second->types[ids[i]]
                                : i >= own ? impl->inferred->types[body.captures[i - own]]
                                           : body.scope->values[ids[i]].type;
      }
      if (found != impl->inferred->bodies.end()) {
        inner->inferred = found->second;
      } else {
        // Never reached (the other branch of an If that is always taken).
        auto inferred = InferScope(*body.scope, inner->inputs, {.lenient = true, .trust_declared = true});
        if (!inferred.ok()) return inferred.status();
        inner->inferred = *std::move(inferred);
        auto graph = std::make_shared<Graph>(*inner->graph);
        SetTypes(*body.scope, inner->inferred.get(), graph.get());
        inner->graph = std::move(graph);
      }
      if (absl::Status s = MakeBodies(inner.get()); !s.ok()) return s;
      impl->bodies[{static_cast<NodeId>(n), body.attribute}] =
          std::make_shared<const Model>(std::move(inner));
    }
  }
  return absl::OkStatus();
}

// Infers, and makes the graph and the bodies' models, of an Impl that has everything else.
absl::Status Finish(Model::Impl* impl) {
  if (impl->inputs.empty()) {
    for (const ValueId id : impl->scope->inputs)
      impl->inputs.push_back({impl->scope->values[id].type, nullptr});
  }
  auto inferred = InferScope(*impl->scope, impl->inputs, {});
  if (!inferred.ok()) return inferred.status();
  impl->inferred = *std::move(inferred);
  impl->graph = MakeGraph(*impl->scope, impl->inferred.get());
  return MakeBodies(impl);
}

absl::StatusOr<std::shared_ptr<const Model>> Load(const std::shared_ptr<Origin>& origin,
                                                  const ModelBudgets& budgets) {
  auto impl = std::make_shared<Model::Impl>();
  absl::Status status = Guard([&]() -> absl::Status {
    auto prepared = Prepare(origin, budgets);
    if (!prepared.ok()) return prepared.status();
    impl->origin = origin;
    impl->info = std::make_shared<const ModelInfo>(std::move(prepared->info));
    for (const auto& import : prepared->proto.opset_import()) {
      impl->versions[import.domain()] = static_cast<int>(std::min<int64_t>(import.version(), 1 << 20));
    }
    auto scope = ScopeBuilder(*origin, impl->versions).Build(prepared->proto.graph(), prepared->weights);
    if (!scope.ok()) return scope.status();
    impl->scope = *std::move(scope);
    return Finish(impl.get());
  });
  if (!status.ok()) return Annotate(status, absl::StrCat(origin->label, ": "));
  return std::make_shared<const Model>(std::move(impl));
}

// The caller's shape of input `i` put over what is known of it.
absl::Status Override(const Model::Impl& impl, size_t i, const InputShape& shape, InferInput* input) {
  if (!shape.known || !input->type.has_tensor_type()) return absl::OkStatus();
  const std::string& name = impl.scope->values[impl.scope->inputs[i]].name;
  auto* tensor = input->type.mutable_tensor_type();
  const pb::TensorShapeProto declared = tensor->shape();
  // What a body gets changes from turn to turn, and its declared shape is often that of the first.
  const bool check = tensor->has_shape() && !impl.is_body;
  const int rank = static_cast<int>(shape.dims.size());
  if (check && declared.dim_size() != rank) {
    return absl::InvalidArgumentError(absl::StrCat("input '", name, "' has ", rank,
                                                   " dimensions, the model declares ", declared.dim_size()));
  }
  const bool same_rank = declared.dim_size() == rank;
  tensor->clear_shape();
  for (int d = 0; d < rank; ++d) {
    const int64_t extent = shape.dims[static_cast<size_t>(d)];
    auto* dim = tensor->mutable_shape()->add_dim();
    if (check && extent >= 0 && declared.dim(d).has_dim_value() && declared.dim(d).dim_value() != extent) {
      return absl::InvalidArgumentError(absl::StrCat("input '", name, "' has ", extent, " in dimension ", d,
                                                     ", the model declares ", declared.dim(d).dim_value()));
    }
    if (extent >= 0) {
      dim->set_dim_value(extent);
    } else if (same_rank) {
      *dim = declared.dim(d);
    }
  }
  if (rank == 0) tensor->mutable_shape();
  return absl::OkStatus();
}

}  // namespace

const Graph& Model::graph() const { return *impl_->graph; }
const ModelInfo& Model::info() const { return *impl_->info; }

absl::StatusOr<std::shared_ptr<const Graph>> Model::Specialise(absl::Span<const InputShape> inputs) const {
  std::shared_ptr<Graph> graph;
  absl::Status status = Guard([&]() -> absl::Status {
    std::vector<InferInput> all = impl_->inputs;
    for (size_t i = 0; i < inputs.size() && i < all.size(); ++i) {
      if (absl::Status s = Override(*impl_, i, inputs[i], &all[i]); !s.ok()) return s;
    }
    auto inferred = InferScope(*impl_->scope, all, {.lenient = false, .trust_declared = false});
    if (!inferred.ok()) return inferred.status();
    graph = std::make_shared<Graph>(*impl_->graph);
    SetTypes(*impl_->scope, inferred->get(), graph.get());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return std::shared_ptr<const Graph>(std::move(graph));
}

absl::StatusOr<std::shared_ptr<const Model>> Model::ExpandFunctions(
    const std::function<bool(const Node&)>& should_expand) const {
  auto impl = std::make_shared<Model::Impl>();
  bool expanded = false;
  absl::Status status = Guard([&]() -> absl::Status {
    auto scope = ExpandScope(*impl_->scope, *impl_->inferred, *impl_->origin, impl_->versions,
                             [&](NodeId n) { return should_expand(impl_->graph->nodes[n]); });
    if (!scope.ok()) return scope.status();
    if (*scope == nullptr) return absl::OkStatus();
    expanded = true;
    impl->origin = impl_->origin;
    impl->info = impl_->info;
    impl->versions = impl_->versions;
    impl->scope = *std::move(scope);
    impl->is_body = impl_->is_body;
    impl->inputs = impl_->inputs;
    return Finish(impl.get());
  });
  if (!status.ok()) return Annotate(status, "expanding function operators: ");
  if (!expanded) return std::shared_ptr<const Model>();
  return std::make_shared<const Model>(std::move(impl));
}

absl::StatusOr<std::shared_ptr<const Model>> Model::BodyModel(NodeId node, std::string_view attribute) const {
  auto body = impl_->bodies.find({node, std::string(attribute)});
  if (body == impl_->bodies.end()) {
    return absl::InternalError(absl::StrCat("node ", node, " has no body '", attribute, "'"));
  }
  return body->second;
}

absl::StatusOr<std::shared_ptr<const Model>> LoadModelFile(const std::string& path,
                                                           const ModelBudgets& budgets) {
  auto origin = std::make_shared<Origin>();
  origin->label = path;
  auto bytes = MapFile(path);
  if (!bytes.ok()) return Annotate(bytes.status(), absl::StrCat(path, ": "));
  origin->model = *std::move(bytes);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  origin->external = ExternalFiles(folder);
  return Load(origin, budgets);
}

absl::StatusOr<std::shared_ptr<const Model>> LoadModelMemory(absl::Span<const uint8_t> bytes,
                                                             const std::string& base_folder,
                                                             const ModelBudgets& budgets) {
  auto origin = std::make_shared<Origin>();
  origin->label = "model in memory";
  auto copy = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
  origin->model.span = *copy;
  origin->model.owner = copy;
  origin->external = ExternalFiles(base_folder);
  return Load(origin, budgets);
}

}  // namespace braid
