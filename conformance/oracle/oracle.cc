// SPDX-License-Identifier: Apache-2.0
#include "conformance/oracle/oracle.h"

#include <braid/kit/graph_view.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "conformance/case/random.h"
#include "conformance/oracle/rules.h"
#include "conformance/oracle/wide.h"
#include "core/onnx/model.h"
#include "core/plugins/view.h"
#include "plugins/reference/ops/op.h"

namespace braid::conformance {
namespace {

using reference::DataType;
using reference::OpContext;
using reference::OpEntry;

[[noreturn]] void Fail(const std::string& text) { throw std::runtime_error("oracle: " + text); }

template <class T>
T Take(absl::StatusOr<T> result) {
  if (!result.ok()) Fail(std::string(result.status().message()));
  return *std::move(result);
}

class Evaluator {
 public:
  Evaluator(const kit::Graph& graph, const GraphView& view)
      : graph_(graph), view_(view), values_(graph.value_count()) {}

  void Set(uint32_t value, Wide wide) { values_[value] = std::move(wide); }
  const Wide& At(uint32_t value) {
    if (!values_[value].value.present() && graph_.value(value).is_constant())
      values_[value] = Wide(ConstantOf(value));
    return values_[value];
  }

  void Run() {
    for (uint32_t i = 0; i < graph_.node_count(); ++i) RunNode(graph_.node(i));
  }

 private:
  Tensor ConstantOf(uint32_t value) {
    const auto constant = view_.constant(value);
    if (constant == nullptr) Fail("a constant is not there");
    const kit::Value v = graph_.value(value);
    return Tensor::FromWire(v.type(), v.dims(), constant->data, constant->bytes, false);
  }

  void RunNode(const kit::Node& node) {
    const OpEntry* op = reference::FindOp(node.domain(), node.op());
    if (op == nullptr) Fail(std::string(node.op()) + " is none of the reference operators");
    std::vector<Wide> inputs;
    for (uint32_t i = 0; i < node.input_count(); ++i)
      inputs.push_back(node.has_input(i) ? At(node.input(i)) : Wide());
    std::vector<Tensor> attribute_tensors;
    for (uint32_t a = 0; a < node.raw().attrs.count; ++a) {
      const auto* attr =
          BRAID_AT(braid_attr, graph_.raw()->attrs, graph_.raw()->attr_stride, node.raw().attrs.first + a);
      attribute_tensors.push_back(attr->kind == BRAID_ATTR_TENSOR && attr->tensor != BRAID_NONE
                                      ? ConstantOf(attr->tensor)
                                      : Tensor());
    }
    std::vector<Wide> outputs = WideNode(node, *op, attribute_tensors).Run(inputs);
    for (uint32_t i = 0; i < node.output_count(); ++i)
      if (node.has_output(i)) values_[node.output(i)] = std::move(outputs[i]);
  }

  const kit::Graph& graph_;
  const GraphView& view_;
  std::vector<Wide> values_;
};

bool HasHostNodes(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.is_host; });
}

// As the reference device computes it, in the tensors' own types: for what core runs itself.
std::vector<Expected> ByReference(const BuiltCase& built, size_t run) {
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "reference";
  graph_t* graph = nullptr;
  if (graph_load_memory(built.model.data(), built.model.size(), &options, &graph) != GRAPH_OK)
    Fail(graph_last_error());
  const std::unique_ptr<graph_t, void (*)(graph_t*)> owner(graph, graph_free);
  Lent lent;
  std::vector<graph_tensor> in, out(built.outputs.size(), graph_tensor GRAPH_TENSOR_INIT);
  for (const NamedValue& v : built.runs[run]) in.push_back(lent.Lend(v.value, v.name));
  if (graph_run(graph, in.data(), static_cast<uint32_t>(in.size()), out.data(),
                static_cast<uint32_t>(out.size())) != GRAPH_OK)
    Fail(graph_last_error());
  std::vector<Expected> expected;
  for (graph_tensor& t : out) {
    Expected e;
    e.exact = Copy(t);
    e.type = t.type;
    e.basis = "reference";
    graph_tensor_release(&t);
    if (e.exact.kind == GRAPH_TENSOR && IsFloat(e.type)) {
      // Arithmetic may have been in it.
      e.is_exact = false;
      e.value = Widened(e.exact.tensor);
      e.bound = Tensor(reference::kDouble, e.value.dims());
      for (int64_t i = 0; i < e.value.size(); ++i)
        e.bound.data<double>()[i] = 4 * UnitAt(e.type, e.value.data<double>()[i]);
    }
    expected.push_back(std::move(e));
  }
  return expected;
}

}  // namespace

std::vector<Expected> Expect(const BuiltCase& built, size_t run) {
  std::shared_ptr<const Model> model = Take(LoadModelMemory(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(built.model.data()), built.model.size())));
  if (HasHostNodes(model->graph())) return ByReference(built, run);
  for (;;) {
    auto expanded = Take(model->ExpandFunctions([](const Node& node) {
      return node.is_function && RuleOf(node.domain, node.op).kind == Rule::kBody;
    }));
    if (expanded == nullptr) break;
    model = std::move(expanded);
  }
  const std::vector<NamedValue>& inputs = built.runs[run];
  std::vector<InputShape> shapes;
  const Graph& declared = model->graph();
  const auto given = [&](const std::string& name) -> const NamedValue* {
    for (const NamedValue& v : inputs)
      if (v.name == name) return &v;
    return nullptr;
  };
  for (const ValueId id : declared.inputs) {
    const NamedValue* v = given(declared.values[id].name);
    if (v == nullptr || v->value.kind != GRAPH_TENSOR) return ByReference(built, run);
    shapes.push_back({true, v->value.tensor.dims()});
  }
  const std::shared_ptr<const Graph> graph = Take(model->Specialise(shapes));
  if (HasHostNodes(*graph)) return ByReference(built, run);
  const auto view = GraphView::Whole(*graph);
  const kit::Graph kit_graph(view->raw());
  Evaluator evaluator(kit_graph, *view);
  for (size_t i = 0; i < graph->inputs.size(); ++i)
    evaluator.Set(view->index_of(graph->inputs[i]),
                  Wide(given(graph->values[graph->inputs[i]].name)->value.tensor));
  if (kit_graph.node_count() == 1) {
    const kit::Node node = kit_graph.node(0);
    const Tensor first = node.has_input(0) ? evaluator.At(node.input(0)).value : Tensor();
    if (auto distribution = DistributionOf(node, first)) {
      Expected e;
      e.type = node.output_value(0).type();
      e.is_exact = false;
      e.random = std::move(distribution);
      e.basis = "statistics";
      return {e};
    }
  }
  evaluator.Run();

  std::vector<Expected> expected;
  for (const ValueId id : graph->outputs) {
    const uint32_t index = view->index_of(id);
    const Wide& wide = evaluator.At(index);
    Expected e;
    e.type = graph->values[id].type.element;
    if (!wide.value.present()) Fail("output '" + graph->values[id].name + "' was not made");
    e.is_exact = wide.exact();
    e.basis = wide.exact() ? "exact" : wide.basis;
    if (e.is_exact) {
      e.exact = Value(wide.value);
    } else {
      e.value = wide.value;
      e.bound = wide.error;
      e.deviation = wide.deviation;
    }
    expected.push_back(std::move(e));
  }
  return expected;
}

}  // namespace braid::conformance
