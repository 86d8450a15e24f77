// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/runner.h"

#include <algorithm>
#include <cstring>

namespace braid::reference {
namespace {

// Of a symbolic extent the likely one; 1 where nothing is known.
double Extent(const kit::Value& value, int32_t axis) {
  if (axis < 0 || axis >= value.rank()) return 1;
  const braid_dim& dim = value.dim(axis);
  const int64_t extent = dim.value >= 0 ? dim.value : dim.likely;
  return extent >= 0 ? static_cast<double>(extent) : 1;
}

double Elements(const kit::Value& value) {
  double n = 1;
  for (int32_t i = 0; i < value.rank(); ++i) n *= Extent(value, i);
  return n;
}

// Of the operators whose time goes into sums of products.
double MultiplyAdds(const kit::Node& node) {
  const std::string_view op = node.op();
  if (!node.has_output(0) || !node.has_input(0)) return 0;
  // Per output element: the elements of the weight over its output channels.
  auto per_channel = [&](uint32_t weight) {
    if (!node.has_input(weight)) return 0.0;
    const kit::Value w = node.input_value(weight);
    return Elements(w) / std::max(Extent(w, 0), 1.0);
  };
  const kit::Value x = node.input_value(0), y = node.output_value(0);
  if (op == "Conv" || op == "ConvInteger" || op == "DeformConv") return Elements(y) * per_channel(1);
  if (op == "QLinearConv") return Elements(y) * per_channel(3);
  if (op == "ConvTranspose") return Elements(x) * per_channel(1);
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul")
    return Elements(y) * Extent(x, x.rank() - 1);
  if (op == "Gemm") return Elements(y) * Extent(x, node.Int("transA", 0) != 0 ? 0 : 1);
  if ((op == "LSTM" || op == "GRU" || op == "RNN") && node.has_input(1) && node.has_input(2))
    return Extent(x, 0) * Extent(x, 1) * (Elements(node.input_value(1)) + Elements(node.input_value(2)));
  if (op == "Attention" && node.has_input(1))
    return 2 * Elements(x) * Extent(node.input_value(1), node.input_value(1).rank() - 2);
  return 0;
}

// Callers bind memory of the shape that the graph says: an operator must not have computed another one.
void CheckShape(const kit::Node& node, uint32_t output, const Tensor& result) {
  const kit::Value value = node.output_value(output);
  bool same = value.rank() < 0 || value.rank() == static_cast<int32_t>(result.dims().size());
  for (int32_t d = 0; same && d < value.rank(); ++d)
    same = value.dim(d).value < 0 || value.dim(d).value == result.dims()[static_cast<size_t>(d)];
  if (same) return;
  std::string said = "[";
  for (int32_t d = 0; d < value.rank(); ++d) {
    const int64_t extent = value.dim(d).value;
    said += (d > 0 ? "," : "") + (extent < 0 ? std::string("?") : std::to_string(extent));
  }
  throw kit::Error(BRAID_INVALID_ARGUMENT, node.Label() + " computes '" + std::string(value.name()) +
                                               "' of shape " + DimsText(result.dims()) +
                                               " where its graph says " + said + "]");
}

// Of an operator that ran out of memory.
std::string InputsText(const OpContext& op) {
  std::string text;
  for (size_t i = 0; i < op.input_count(); ++i)
    if (op.has(i))
      text += (text.empty() ? "; its inputs are " : ", ") + TypeName(op.input(i).type()) +
              DimsText(op.input(i).dims()) + " of " + std::to_string(op.input(i).WireBytes()) + " bytes";
  return text;
}

double Bytes(const kit::Value& value) { return Elements(value) * WireBits(value.type()) / 8; }

}  // namespace

void QueryByJudge(const braid_graph* view, std::vector<braid_verdict>& verdicts) {
  kit::Graph graph(view);
  for (uint32_t i = 0; i < graph.node_count(); ++i) {
    const Judgement judgement = Judge(graph.node(i));
    verdicts[i].code = judgement.code;
    verdicts[i].input = judgement.input;
    verdicts[i].attr = judgement.attr;
    std::strncpy(verdicts[i].detail, judgement.text.c_str(), sizeof verdicts[i].detail - 1);
  }
}

void EstimateByRoofline(const braid_graph* view, const Speed& speed, const uint32_t* nodes,
                        const uint32_t* ends, std::vector<braid_cost>& costs) {
  kit::Graph graph(view);
  uint32_t at = 0;
  for (size_t set = 0; set < costs.size(); ++set) {
    double ns = speed.segment_ns, bytes = 0;
    for (; at < ends[set]; ++at) {
      const kit::Node node = graph.node(nodes[at]);
      double moved = 0;
      for (uint32_t i = 0; i < node.input_count(); ++i)
        if (node.has_input(i)) moved += Bytes(node.input_value(i));
      for (uint32_t i = 0; i < node.output_count(); ++i)
        if (node.has_output(i)) moved += Bytes(node.output_value(i));
      ns += speed.node_ns +
            std::max(MultiplyAdds(node) / speed.multiply_adds_per_ns, moved / speed.bytes_per_ns);
      bytes += moved;
    }
    costs[set].confidence = BRAID_MODELLED;
    costs[set].time_ns = static_cast<uint64_t>(std::min(ns, 1e18));
    costs[set].bytes_moved = static_cast<uint64_t>(std::min(bytes, 1e18));
  }
}

void CheckOptions(const braid_compile_options& options, std::initializer_list<std::string_view> known) {
  for (uint32_t i = 0; i < options.option_count; ++i)
    if (const std::string_view key = kit::View(options.options[i].key);
        std::find(known.begin(), known.end(), key) == known.end())
      throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no option '" + std::string(key) + "'");
}

void CheckAlignment(uint64_t alignment) {
  if ((alignment & (alignment - 1)) != 0)
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "an alignment of " + std::to_string(alignment) + " is no power of two");
}

Program::Program(const braid_graph* view, kit::Host host, const NodeHook* hook)
    : copy_(view), host_(host), hook_(hook) {
  kit::Graph original(view), graph(copy_.raw());
  constants_.resize(graph.value_count());
  std::vector<int64_t> last_use(graph.value_count(), -1);
  for (uint32_t v = 0; v < graph.value_count(); ++v) {
    const kit::Value value = graph.value(v);
    if (!value.is_constant()) continue;
    kit::Host::Bytes bytes = host.Constant(view, v);
    constants_[v] = Tensor::FromWire(value.type(), value.dims(), bytes.data(), bytes.size(), true);
    held_.push_back(std::move(bytes));
  }
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const kit::Node node = graph.node(n);
    Step step{FindOp(node.domain(), node.op()), node, {}, {}};
    if (step.op == nullptr)
      throw kit::Error(BRAID_UNSUPPORTED,
                       "node " + std::to_string(n) + " (" + std::string(node.op()) + ") is not known");
    for (uint32_t a = 0; a < node.raw().attrs.count; ++a) {
      const auto* attr =
          BRAID_AT(braid_attr, copy_.raw()->attrs, copy_.raw()->attr_stride, node.raw().attrs.first + a);
      step.attribute_tensors.push_back(attr->kind == BRAID_ATTR_TENSOR && attr->tensor != BRAID_NONE
                                           ? constants_[attr->tensor]
                                           : Tensor());
    }
    for (uint32_t i = 0; i < node.input_count(); ++i)
      if (node.has_input(i)) last_use[node.input(i)] = n;
    for (uint32_t i = 0; i < node.output_count(); ++i)
      if (node.has_output(i)) last_use[node.output(i)] = std::max<int64_t>(last_use[node.output(i)], n);
    steps_.push_back(std::move(step));
  }
  for (uint32_t v = 0; v < graph.value_count(); ++v)
    if (last_use[v] >= 0 && !graph.value(v).is_output() && !graph.value(v).is_constant())
      steps_[static_cast<size_t>(last_use[v])].done.push_back(v);
}

Program::State Program::NewState() const {
  State state;
  state.values.resize(constants_.size());
  state.destinations.resize(constants_.size());
  return state;
}

kit::Value Program::CheckIo(uint32_t v) const {
  if (v >= copy_.raw()->value_count)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no value " + std::to_string(v) + "; the graph has " +
                                                 std::to_string(copy_.raw()->value_count));
  const kit::Value value(copy_.raw(), v);
  if (!value.is_input() && !value.is_output())
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "'" + std::string(value.name()) + "' is neither an input nor an output");
  return value;
}

void Program::CheckBound(kit::StructArray<braid_binding> bindings) const {
  const kit::Graph graph(copy_.raw());
  std::vector<bool> bound(graph.value_count(), false);
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const kit::Value value = CheckIo(bindings[i].value);
    if (bound[value.index()])
      throw kit::Error(BRAID_INVALID_ARGUMENT, "'" + std::string(value.name()) + "' is bound twice");
    bound[value.index()] = true;
  }
  for (const auto& list : {graph.inputs(), graph.outputs()})
    for (const uint32_t v : list)
      if (!bound[v])
        throw kit::Error(BRAID_INVALID_ARGUMENT, (graph.value(v).is_output() ? "output '" : "input '") +
                                                     std::string(graph.value(v).name()) + "' is not bound");
}

kit::Value Program::CheckBinding(const braid_binding& binding) const {
  auto bad = [](const std::string& text) { throw kit::Error(BRAID_INVALID_ARGUMENT, text); };
  const kit::Value value = CheckIo(binding.value);
  if (!value.is_output()) {
    if (binding.rank < 0 || binding.rank > static_cast<int32_t>(BRAID_MAX_RANK) ||
        (binding.rank > 0 && binding.dims == nullptr))
      bad("input '" + std::string(value.name()) + "' is bound without dims");
    if (binding.strides != nullptr)
      bad("input '" + std::string(value.name()) + "' is bound with strides; this device takes dense tensors");
  }
  return value;
}

void Program::CheckInputs(const State& state) const {
  kit::Graph graph(copy_.raw());
  for (uint32_t v : graph.inputs())
    if (!ValueAt(state, v).present())
      throw kit::Error(BRAID_INVALID_ARGUMENT,
                       "input '" + std::string(graph.value(v).name()) + "' is not bound");
}

Tensor& Program::Result(State* state, uint32_t v) const {
  const kit::Value value(copy_.raw(), v);
  if (!state->values[v].present()) state->values[v] = ValueAt(*state, v);
  Tensor& result = state->values[v];
  if (result.type() != value.type())
    throw kit::Error(BRAID_INTERNAL, "output '" + std::string(value.name()) + "' became " +
                                         TypeName(result.type()) + "; the graph says " +
                                         TypeName(value.type()));
  return result;
}

braid_status Program::OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                                 int64_t* dims) const {
  if (output >= copy_.raw()->value_count)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no value " + std::to_string(output));
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    const braid_binding b = inputs[i];
    const kit::Value value = CheckBinding(b);
    if (b.rank != value.rank()) return BRAID_UNSUPPORTED;
    for (int32_t d = 0; d < b.rank; ++d)
      if (b.dims[d] != value.dim(d).value) return BRAID_UNSUPPORTED;
  }
  const kit::Value value(copy_.raw(), output);
  if (!value.is_static() || value.type() == kString) return BRAID_UNSUPPORTED;
  *rank = value.rank();
  for (int32_t i = 0; i < *rank; ++i) dims[i] = value.dim(i).value;
  return BRAID_OK;
}

void Program::RunStep(const Step& step, State* state) const {
  const kit::Node& node = step.node;
  std::vector<Tensor> inputs;
  inputs.reserve(node.input_count());
  for (uint32_t i = 0; i < node.input_count(); ++i)
    inputs.push_back(node.has_input(i) ? ValueAt(*state, node.input(i)) : Tensor());
  OpContext context(node, std::move(inputs), step.attribute_tensors,
                    Parallel(host_.raw() != nullptr ? &host_ : nullptr));
  for (uint32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i) && state->destinations[node.output(i)].present())
      context.SetDestination(i, state->destinations[node.output(i)]);
  try {
    if (hook_ == nullptr)
      step.op->run(context);
    else
      hook_->Run(*step.op, context);
  } catch (const kit::Error& e) {
    const std::string text = e.what(), label = node.Label();
    throw kit::Error(e.status(), text.starts_with(label) ? text : label + ": " + text);
  } catch (const std::bad_alloc&) {
    throw kit::Error(BRAID_OUT_OF_MEMORY, node.Label() + ": out of host memory" + InputsText(context));
  }
  for (uint32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    if (!context.outputs()[i].present())
      throw kit::Error(BRAID_INTERNAL,
                       std::string(node.op()) + " left its output " + std::to_string(i) + " unset");
    CheckShape(node, i, context.outputs()[i]);
    state->values[node.output(i)] = std::move(context.outputs()[i]);
  }
  for (uint32_t v : step.done) state->values[v] = Tensor();
}

}  // namespace braid::reference
