// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/runner.h"

#include <algorithm>
#include <cstring>

namespace braid::reference {
namespace {

double Elements(const kit::Value& value) {
  double n = 1;
  for (int32_t i = 0; i < value.rank(); ++i)
    n *= static_cast<double>(std::max<int64_t>(value.dim(i).value, 1));
  return n;
}

double Extent(const kit::Value& value, int32_t axis) {
  return axis >= 0 && axis < value.rank() ? static_cast<double>(std::max<int64_t>(value.dim(axis).value, 1))
                                          : 1;
}

// Of the operators whose time goes into sums of products.
double MultiplyAdds(const kit::Node& node) {
  const std::string_view op = node.op();
  if (!node.has_output(0) || !node.has_input(0)) return 0;
  const kit::Value x = node.input_value(0), y = node.output_value(0);
  if (op == "Conv" || op == "ConvInteger" || op == "DeformConv")
    return Elements(y) * Elements(node.input_value(1)) / Extent(node.input_value(1), 0);
  if (op == "QLinearConv")
    return Elements(y) * Elements(node.input_value(3)) / Extent(node.input_value(3), 0);
  if (op == "ConvTranspose")
    return Elements(x) * Elements(node.input_value(1)) / Extent(node.input_value(1), 0);
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul")
    return Elements(y) * Extent(x, x.rank() - 1);
  if (op == "Gemm") return Elements(y) * Extent(x, node.Int("transA", 0) != 0 ? 0 : 1);
  if (op == "LSTM" || op == "GRU" || op == "RNN")
    return Extent(x, 0) * Extent(x, 1) * (Elements(node.input_value(1)) + Elements(node.input_value(2)));
  if (op == "Attention" && node.has_input(1))
    return 2 * Elements(x) * Extent(node.input_value(1), node.input_value(1).rank() - 2);
  return 0;
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

Program::Program(const braid_graph* view, kit::Host host) : copy_(view), host_(host) {
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
  state.values = constants_;
  state.destinations.resize(constants_.size());
  return state;
}

void Program::RunStep(const Step& step, State* state) const {
  const kit::Node& node = step.node;
  std::vector<Tensor> inputs;
  inputs.reserve(node.input_count());
  for (uint32_t i = 0; i < node.input_count(); ++i)
    inputs.push_back(node.has_input(i) ? state->values[node.input(i)] : Tensor());
  OpContext context(node, std::move(inputs), step.attribute_tensors,
                    Parallel(host_.raw() != nullptr ? &host_ : nullptr));
  for (uint32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i) && state->destinations[node.output(i)].present())
      context.SetDestination(i, state->destinations[node.output(i)]);
  step.op->run(context);
  for (uint32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i)) state->values[node.output(i)] = std::move(context.outputs()[i]);
  for (uint32_t v : step.done) state->values[v] = Tensor();
}

}  // namespace braid::reference
