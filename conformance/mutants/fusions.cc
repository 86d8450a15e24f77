// SPDX-License-Identifier: Apache-2.0
//
// Nodes that are taken together wrongly. Each is seen where the last of them runs.
#include <algorithm>
#include <cmath>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

// A fused operator takes over only what nothing else reads.
bool Follows(const NodeRun& run, uint32_t input, std::string_view op) {
  return run.IsMadeBy(input, op) && !run.node().input_value(input).is_output();
}
bool ReadByOne(const NodeRun& run, uint32_t input) {
  const kit::Graph graph(run.node().graph());
  int readers = 0;
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    for (uint32_t i = 0; i < graph.node(n).input_count(); ++i)
      readers += graph.node(n).input(i) == run.node().input(input) ? 1 : 0;
  return readers == 1;
}
// Instead of the node its first input.
void Pass(NodeRun& run, uint32_t input = 0) { run.outputs() = {Copied(run.input(input))}; }

// Conv's bias after the Relu that follows it: relu(x*w) + b. The Relu itself then changes nothing.
void BiasLast(NodeRun& run) {
  if (run.node().op() == "Relu") {
    if (Follows(run, 0, "Conv") && run.Producer(0)->has_input(2)) return Pass(run);
    return run.Compute();
  }
  const auto next = run.Consumer();
  if (!run.has(2) || !next.has_value() || next->op() != "Relu") return run.Compute();
  const Tensor bias = run.input(2);
  run.input(2) = Tensor();
  run.Compute();
  Tensor& y = run.output(0);
  int64_t inner = 1;
  for (int64_t d = 2; d < y.rank(); ++d) inner *= y.dim(d);
  MapFloatsAt(y, [&](int64_t i, double v) {
    return std::max(v, 0.0) + FloatAt(bias, i / std::max<int64_t>(inner, 1) % bias.size());
  });
}

double TanhForm(double v) { return std::tanh(1.1283791670955126 * v * (1 + 0.0894 * v * v)); }

}  // namespace

void AddFusions(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& ops,
                       std::function<void(NodeRun&)> node) {
    all->push_back(
        {.name = name, .what = what, .family = Family::kFusion, .operators = ops, .node = std::move(node)});
  };
  add("fused_conv_drops_relu", "Conv and Relu together: without the Relu", "Conv Relu", [](NodeRun& run) {
    if (run.node().op() == "Relu" && Follows(run, 0, "Conv")) return Pass(run);
    run.Compute();
  });
  add("fused_conv_bias_last", "Conv and Relu together: the bias comes after the Relu", "Conv Relu", BiasLast);
  add("fused_matmul_drops_add", "MatMul and Add together: without the Add where it is a vector", "MatMul Add",
      [](NodeRun& run) {
        if (run.node().op() == "Add" && Follows(run, 0, "MatMul") && run.input(1).rank() == 1)
          return Pass(run);
        run.Compute();
      });
  add("fused_conv_batchnorm_epsilon", "BatchNormalization folded into Conv: without epsilon",
      "Conv BatchNormalization", [](NodeRun& run) {
        if (run.node().op() == "BatchNormalization" && Follows(run, 0, "Conv")) {
          const double epsilon = static_cast<double>(run.node().Float("epsilon", 1e-5f));
          MapFloats(run.OwnInput(4), [&](double v) { return v - epsilon; });
        }
        run.Compute();
      });
  add("fused_gelu_tanh", "the pattern of Gelu (Div, Erf, Add, Mul, Mul): by its tanh form", "Erf Div",
      [](NodeRun& run) {
        run.Compute();
        if (run.node().op() == "Erf" && run.Producer(0).has_value())
          MapFloatsAt(run.output(0), [&](int64_t i, double) { return TanhForm(FloatAt(run.input(0), i)); });
      });
  add("fused_silu_hard", "x * sigmoid(x): by straight lines", "Sigmoid Mul", [](NodeRun& run) {
    run.Compute();
    if (run.node().op() != "Mul" || !Follows(run, 1, "Sigmoid")) return;
    MapFloatsAt(run.output(0), [&](int64_t i, double v) {
      const double x = run.input(0).size() == run.output(0).size() ? FloatAt(run.input(0), i) : 0;
      return run.input(0).size() == run.output(0).size() ? x * std::clamp(x / 6 + 0.5, 0.0, 1.0) : v;
    });
  });
  add("fused_in_place", "Relu works in place although another node reads its input", "Relu",
      [](NodeRun& run) {
        const bool inner = run.Producer(0).has_value();
        run.Compute();
        if (!inner || ReadByOne(run, 0)) return;
        // The input is the memory that the other nodes read.
        Tensor& x = run.input(0);
        for (int64_t i = 0; i < x.size(); ++i) CopyElement(run.output(0), i, x, i);
      });
  add("fused_drops_inner_output", "a value between fused nodes is an output too, and is not written", "Conv",
      [](NodeRun& run) {
        run.Compute();
        const kit::Graph graph(run.node().graph());
        if (!run.node().output_value(0).is_output()) return;
        for (uint32_t n = 0; n < graph.node_count(); ++n)
          for (uint32_t i = 0; i < graph.node(n).input_count(); ++i)
            if (graph.node(n).input(i) == run.node().output(0))
              return Zero(run.output(0), 0, run.output(0).size());
      });
}

}  // namespace braid::mutants
