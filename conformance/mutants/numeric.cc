// SPDX-License-Identifier: Apache-2.0
//
// Fewer bits than the type has: what a device does that computes in another format than it says.
#include <algorithm>
#include <cmath>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

using Rounding = double (*)(double);

bool IsWide(const Tensor& t) {
  return t.present() && (t.type() == reference::kFloat || t.type() == reference::kDouble);
}

void RoundOutputs(NodeRun& run, Rounding round) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (IsWide(t)) MapFloats(t, round);
}

void RoundInputs(NodeRun& run, Rounding round) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && IsWide(run.input(i))) MapFloats(run.OwnInput(i), round);
  run.Compute();
}

// A sum over an axis of two inputs, added up one term after another with a rounding after each.
struct Sum {
  int64_t axis_a, axis_b;
};
void AddUp(NodeRun& run, Sum sum, const std::vector<Tensor>& others, Rounding round) {
  const Tensor a = run.input(0), b = run.input(1);
  const int64_t n = a.dim(sum.axis_a);
  // The rest of the formula: what comes out of no terms at all.
  std::vector<Tensor> inputs = {Copied(a), b};
  Zero(inputs[0], 0, inputs[0].size());
  inputs.insert(inputs.end(), others.begin(), others.end());
  const Tensor rest = run.Compute(inputs)[0];
  Tensor total = Copied(rest);
  Zero(total, 0, total.size());
  for (int64_t k = 0; k < n; ++k) {
    const Tensor term = run.Compute({Sliced(a, sum.axis_a, k, k + 1), Sliced(b, sum.axis_b, k, k + 1)})[0];
    MapFloatsAt(total, [&](int64_t i, double v) { return round(v + round(FloatAt(term, i))); });
  }
  MapFloatsAt(total, [&](int64_t i, double v) { return v + FloatAt(rest, i); });
  run.outputs() = {std::move(total)};
}

void MatMulIn(NodeRun& run, Rounding round) {
  const Tensor &a = run.input(0), &b = run.input(1);
  if (!IsFloat(a)) return run.Compute();
  AddUp(run, {a.rank() - 1, std::max<int64_t>(b.rank() - 2, 0)}, {}, round);
}
void GemmIn(NodeRun& run, Rounding round) {
  if (!IsFloat(run.input(0))) return run.Compute();
  std::vector<Tensor> c;
  if (run.has(2)) c.push_back(run.input(2));
  AddUp(run, {run.node().Int("transA", 0) != 0 ? 0 : 1, run.node().Int("transB", 0) != 0 ? 1 : 0}, c, round);
}
void ConvIn(NodeRun& run, Rounding round) {
  if (run.node().Int("group", 1) != 1) return run.Compute();
  std::vector<Tensor> bias;
  if (run.has(2)) bias.push_back(run.input(2));
  AddUp(run, {1, 1}, bias, round);
}

// Adds up the elements of each group that becomes one element of the output, and divides by their number.
void ReduceIn(NodeRun& run, Rounding round, bool mean, const std::vector<int64_t>& axes) {
  run.Compute();
  const Tensor& x = run.input(0);
  Tensor& y = run.output(0);
  if (!IsFloat(x) || y.size() == 0 || x.size() == 0 || x.size() % y.size() != 0) return;
  std::vector<bool> reduced(static_cast<size_t>(x.rank()), axes.empty());
  for (const int64_t a : axes) reduced[static_cast<size_t>(a < 0 ? a + x.rank() : a)] = true;
  std::vector<double> total(static_cast<size_t>(y.size()), 0.0);
  const Dims strides = reference::StridesOf(x.dims());
  for (int64_t i = 0; i < x.size(); ++i) {
    int64_t rest = i, to = 0;
    for (size_t d = 0; d < reduced.size(); ++d) {
      const int64_t k = rest / strides[d];
      rest -= k * strides[d];
      if (!reduced[d]) to = to * x.dims()[d] + k;
    }
    double& sum = total[static_cast<size_t>(to)];
    sum = round(sum + round(FloatAt(x, i)));
  }
  const double n = mean ? static_cast<double>(x.size() / y.size()) : 1;
  MapFloatsAt(y, [&](int64_t i, double) { return total[static_cast<size_t>(i)] / n; });
}
void ReduceByInput(NodeRun& run, Rounding round, bool mean) {
  std::vector<int64_t> axes;
  if (run.has(1)) axes = run.input(1).AsInts();
  if (axes.empty() && run.node().Int("noop_with_empty_axes", 0) != 0) return run.Compute();
  ReduceIn(run, round, mean, axes);
}
void GlobalAverageIn(NodeRun& run, Rounding round) {
  std::vector<int64_t> axes;
  for (int64_t a = 2; a < run.input(0).rank(); ++a) axes.push_back(a);
  ReduceIn(run, round, true, axes);
}

}  // namespace

void AddNumeric(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& op, bool smoke,
                       std::function<void(NodeRun&)> node) {
    all->push_back({.name = name,
                    .what = what,
                    .family = Family::kNumeric,
                    .operators = op,
                    .smoke = smoke,
                    .node = std::move(node)});
  };
  for (const char* op : {"Add",
                         "Mul",
                         "Div",
                         "Exp",
                         "Log",
                         "Sqrt",
                         "Tanh",
                         "Sigmoid",
                         "Pow",
                         "MatMul",
                         "Gemm",
                         "Conv",
                         "Softmax",
                         "ReduceSum",
                         "AveragePool",
                         "Resize",
                         "Transpose",
                         "Gather",
                         "Where",
                         "Relu",
                         "LSTM",
                         "Concat",
                         "ReduceMean",
                         "ConvTranspose",
                         "LayerNormalization",
                         "BatchNormalization",
                         "Sub",
                         "Cos",
                         "Elu",
                         "HardSwish",
                         "Einsum",
                         "Expand",
                         "Split",
                         "GlobalAveragePool",
                         "GroupNormalization",
                         "RNN",
                         "CumSum",
                         "LogSoftmax"})
    add(std::string("round_fp16_") + op, "results of float are rounded to float16", op, true,
        [](NodeRun& run) { RoundOutputs(run, ToHalf); });
  for (const char* op :
       {"Sub", "MatMul", "Conv", "Softmax", "Slice", "MaxPool", "Erf", "InstanceNormalization", "GRU"})
    add(std::string("round_bf16_") + op, "results of float are rounded to bfloat16", op, true,
        [](NodeRun& run) { RoundOutputs(run, ToBrain); });
  for (const char* op :
       {"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "Attention", "LSTM", "RNN", "GRU"})
    add(std::string("tf32_") + op,
        "inputs of products are rounded to TF32, which the device does not declare", op, true,
        [](NodeRun& run) { RoundInputs(run, ToTf32); });
  for (const char* op : {"MatMul", "Conv"})
    add(std::string("bf16_inputs_") + op, "inputs of products are rounded to bfloat16", op, true,
        [](NodeRun& run) { RoundInputs(run, ToBrain); });

  struct Accumulator {
    const char* op;
    void (*in)(NodeRun&, Rounding);
  };
  constexpr Accumulator kAccumulators[] = {
      {"MatMul", MatMulIn},
      {"Gemm", GemmIn},
      {"Conv", ConvIn},
      {"ReduceSum", [](NodeRun& run, Rounding r) { ReduceByInput(run, r, false); }},
      {"ReduceMean", [](NodeRun& run, Rounding r) { ReduceByInput(run, r, true); }},
      {"GlobalAveragePool", GlobalAverageIn},
  };
  for (const Accumulator& a : kAccumulators)
    add(std::string("fp16_accumulate_") + a.op, "sums are accumulated in float16", a.op, true,
        [in = a.in](NodeRun& run) { in(run, ToHalf); });
  add("bf16_accumulate_MatMul", "sums are accumulated in bfloat16", "MatMul", true,
      [](NodeRun& run) { MatMulIn(run, ToBrain); });
  add("tf32_accumulate_Gemm", "sums are accumulated with 10 bits after the point", "Gemm", true,
      [](NodeRun& run) { GemmIn(run, ToTf32); });

  // Texture units interpolate with weights of 8 bits.
  for (const char* op : {"Resize", "GridSample"})
    add(std::string("fixed_point_weights_") + op, "interpolation weights have 8 bits", op, false,
        [](NodeRun& run) {
          // As an error of each result within the range of the inputs, by a pattern that is fixed.
          run.Compute();
          if (run.input(0).size() == 0 || !IsFloat(run.input(0))) return;
          double low = FloatAt(run.input(0), 0), high = low;
          for (int64_t i = 0; i < run.input(0).size(); ++i) {
            low = std::min(low, FloatAt(run.input(0), i));
            high = std::max(high, FloatAt(run.input(0), i));
          }
          const double step = (high - low) / 256;
          MapFloats(run.output(0), [&](double v) {
            const double share = step > 0 ? (v - low) / step : 0;
            // Values that are an input's own stay: their weight is 1.
            return std::fabs(share - std::nearbyint(share)) < 1e-6 ? v : low + std::nearbyint(share) * step;
          });
        });
}

}  // namespace braid::mutants
