// SPDX-License-Identifier: Apache-2.0
//
// Losses, and the optimizers of ai.onnx.preview.training. Everything is computed in double and rounded once.
#include <array>
#include <cmath>
#include <string>

#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kTargets = Types(kInt32, kInt64);
constexpr TypeSet kTrained = Types(kFloat, kDouble);

// The elements as doubles.
template <TypeSet Set>
std::vector<double> Doubles(const OpContext& op, const Tensor& t) {
  std::vector<double> out(static_cast<size_t>(t.size()));
  Dispatch<Set>(op, t.type(), [&]<class T>() {
    const T* from = t.data<T>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(static_cast<Compute<T>>(from[i]));
  });
  return out;
}

template <TypeSet Set>
void Store(OpContext& op, size_t output, int32_t type, const Dims& dims, const std::vector<double>& values) {
  Dispatch<Set>(op, type, [&]<class T>() {
    T* to = op.Output(output, type, dims).template data<T>();
    for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<T>(values[i]);
  });
}

// The loss of each sample by the log-probabilities [N, C, inner], reduced as the attribute says, into output
// 0: -log_prob[n, target, i] * weight[target], 0 where the target is ignore_index. "mean" divides by the sum
// of the weights of the samples that count.
void NegativeLogLikelihood(OpContext& op, const std::vector<double>& log_prob) {
  const Tensor& x = op.input(0);
  const Tensor& target = op.input(1);
  const int64_t batch = x.dim(0), classes = x.dim(1),
                inner = batch * classes == 0 ? 0 : x.size() / (batch * classes);
  Dims want = x.dims();
  want.erase(want.begin() + 1);
  if (target.dims() != want)
    op.Fail("the targets have shape " + DimsText(target.dims()) + ", not " + DimsText(want) + " for scores " +
            DimsText(x.dims()));
  std::vector<double> weight(static_cast<size_t>(classes), 1.0);
  if (op.has(2)) {
    CheckSameType(op, 2);
    if (op.input(2).dims() != Dims{classes})
      op.Fail("the weights have shape " + DimsText(op.input(2).dims()) + ", there are " +
              std::to_string(classes) + " classes");
    weight = Doubles<kFloats>(op, op.input(2));
  }
  const std::string reduction = op.String("reduction", "mean");
  op.Check(reduction == "mean" || reduction == "sum" || reduction == "none",
           "reduction is '" + reduction + "', not none, sum or mean");
  const bool ignores = op.HasAttr("ignore_index");
  const int64_t ignored = op.Int("ignore_index", 0);

  const std::vector<int64_t> targets = target.AsInts();
  std::vector<double> loss(targets.size(), 0.0);
  double sum = 0, weights = 0;
  for (size_t at = 0; at < targets.size(); ++at) {
    const int64_t c = targets[at];
    if (ignores && c == ignored) continue;
    if (c < 0 || c >= classes)
      op.Fail("target " + std::to_string(at) + " is " + std::to_string(c) + ", not in [0, " +
              std::to_string(classes) + ")");
    const int64_t n = static_cast<int64_t>(at) / inner, i = static_cast<int64_t>(at) % inner;
    const double w = weight[static_cast<size_t>(c)];
    loss[at] = -log_prob[static_cast<size_t>((n * classes + c) * inner + i)] * w;
    sum += loss[at];
    weights += w;
  }
  if (reduction == "none") return Store<kFloats>(op, 0, x.type(), want, loss);
  Store<kFloats>(op, 0, x.type(), {}, {reduction == "sum" ? sum : sum / weights});
}

// NegativeLogLikelihoodLoss-22: the input has log-probabilities already.
void NegativeLogLikelihoodLoss(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.rank() >= 2, "input has shape " + DimsText(x.dims()) + ", not [N, C, ...]");
  NegativeLogLikelihood(op, Doubles<kFloats>(op, x));
}

// SoftmaxCrossEntropyLoss-13: of log(softmax(scores)) over axis 1, which is the second output.
void SoftmaxCrossEntropyLoss(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.rank() >= 2, "scores have shape " + DimsText(x.dims()) + ", not [N, C, ...]");
  std::vector<double> scores = Doubles<kFloats>(op, x);
  const int64_t batch = x.dim(0), classes = x.dim(1),
                inner = scores.empty() ? 0 : x.size() / (batch * classes);
  for (int64_t n = 0; n < batch && !scores.empty(); ++n) {
    for (int64_t i = 0; i < inner; ++i) {
      double* score = scores.data() + n * classes * inner + i;
      double most = -HUGE_VAL, sum = 0;
      for (int64_t c = 0; c < classes; ++c) most = Larger()(most, score[c * inner]);
      for (int64_t c = 0; c < classes; ++c) sum += std::exp(score[c * inner] - most);
      const double log_sum = std::log(sum);
      for (int64_t c = 0; c < classes; ++c) score[c * inner] = score[c * inner] - most - log_sum;
    }
  }
  NegativeLogLikelihood(op, scores);
  if (op.wants(1)) Store<kFloats>(op, 1, x.type(), x.dims(), scores);
}

Judgement JudgeReduction(const kit::Node& node) {
  const std::string_view reduction = node.String("reduction", "mean");
  if (reduction == "mean" || reduction == "sum" || reduction == "none") return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("reduction"),
          "reduction is '" + std::string(reduction) + "', not none, sum or mean"};
}

// One optimizer step on each of the tensors: the inputs after R and T are `groups` lists of equal length
// (values, gradients, states ...), the outputs the same without the gradients. step(element) updates the
// values of one position, in the order of the inputs.
template <size_t Groups, class Step>
void Optimize(OpContext& op, const Step& step) {
  op.Check(op.input_count() > 2 && (op.input_count() - 2) % Groups == 0,
           "has " + std::to_string(op.input_count()) + " inputs, not R, T and " + std::to_string(Groups) +
               " for each tensor");
  const size_t tensors = (op.input_count() - 2) / Groups;
  op.Check(op.output_count() <= tensors * (Groups - 1),
           "has more outputs than " + std::to_string(Groups - 1) + " for each tensor");
  for (size_t i = 0; i < tensors; ++i) {
    const Tensor& x = op.input(2 + i);
    std::array<std::vector<double>, Groups> values;
    for (size_t g = 0; g < Groups; ++g) {
      const Tensor& t = op.input(2 + g * tensors + i);
      if (t.dims() != x.dims() || t.type() != x.type())
        op.Fail("input " + std::to_string(2 + g * tensors + i) + " is " + TypeName(t.type()) +
                DimsText(t.dims()) + ", its tensor is " + TypeName(x.type()) + DimsText(x.dims()));
      values[g] = Doubles<kTrained>(op, t);
    }
    for (int64_t at = 0; at < x.size(); ++at) {
      std::array<double, Groups> element;
      for (size_t g = 0; g < Groups; ++g) element[g] = values[g][static_cast<size_t>(at)];
      step(element);
      for (size_t g = 0; g < Groups; ++g) values[g][static_cast<size_t>(at)] = element[g];
    }
    for (size_t g = 0, out = 0; g < Groups; ++g) {
      constexpr size_t kGradient = 1;
      if (g == kGradient) continue;
      if (op.wants(out * tensors + i)) Store<kTrained>(op, out * tensors + i, x.type(), x.dims(), values[g]);
      ++out;
    }
  }
}

double Rate(const OpContext& op) {
  op.Check(op.input(0).size() == 1, "R has shape " + DimsText(op.input(0).dims()) + ", not that of a scalar");
  return op.input(0).AsDouble(0);
}
double Updates(const OpContext& op) {
  op.Check(op.input(1).size() == 1, "T has shape " + DimsText(op.input(1).dims()) + ", not that of a scalar");
  return op.input(1).AsDouble(0);
}

// Adagrad-1: H += G'^2, X -= R / (1 + T decay) G' / (sqrt(H) + epsilon), with G' = G + norm_coefficient X.
void Adagrad(OpContext& op) {
  const double decay = op.Float("decay_factor", 0), epsilon = op.Float("epsilon", 1e-6f),
               norm = op.Float("norm_coefficient", 0);
  const double rate = Rate(op) / (1 + Updates(op) * decay);
  Optimize<3>(op, [=](std::array<double, 3>& e) {
    auto& [x, g, h] = e;
    g += norm * x;
    h += g * g;
    x -= rate * g / (std::sqrt(h) + epsilon);
  });
}

// Adam-1: V and H are running means of G' and G'^2; X -= R' V / (sqrt(H) + epsilon), where R' corrects their
// bias from the first update on; then X is scaled by 1 - norm_coefficient_post.
void Adam(OpContext& op) {
  const double alpha = op.Float("alpha", 0.9f), beta = op.Float("beta", 0.999f),
               epsilon = op.Float("epsilon", 1e-6f);
  const double norm = op.Float("norm_coefficient", 0), post = op.Float("norm_coefficient_post", 0),
               t = Updates(op);
  const double rate =
      t > 0 ? Rate(op) * std::sqrt(1 - std::pow(beta, t)) / (1 - std::pow(alpha, t)) : Rate(op);
  Optimize<4>(op, [=](std::array<double, 4>& e) {
    auto& [x, g, v, h] = e;
    g += norm * x;
    v = alpha * v + (1 - alpha) * g;
    h = beta * h + (1 - beta) * g * g;
    x = (1 - post) * (x - rate * v / (std::sqrt(h) + epsilon));
  });
}

// Momentum-1: V = alpha V + beta G' (beta 1 in the first update); X -= R V, or with Nesterov's R (G' + alpha
// V).
void Momentum(OpContext& op) {
  const double alpha = op.Float("alpha", 0), norm = op.Float("norm_coefficient", 0), rate = Rate(op);
  const double beta = Updates(op) > 0 ? op.Float("beta", 1) : 1;
  const std::string mode = op.String("mode", "");
  op.Check(mode == "standard" || mode == "nesterov", "mode is '" + mode + "', not standard or nesterov");
  const bool nesterov = mode == "nesterov";
  Optimize<3>(op, [=](std::array<double, 3>& e) {
    auto& [x, g, v] = e;
    g += norm * x;
    v = alpha * v + beta * g;
    x -= rate * (nesterov ? g + alpha * v : v);
  });
}

Judgement JudgeMomentum(const kit::Node& node) {
  for (std::string_view needed : {"alpha", "beta", "mode", "norm_coefficient"})
    if (!node.has(needed))
      return {BRAID_NO_ATTRIBUTE, BRAID_NONE, BRAID_NONE, std::string(needed) + " is missing"};
  const std::string_view mode = node.String("mode", "");
  if (mode == "standard" || mode == "nesterov") return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("mode"),
          "mode is '" + std::string(mode) + "', not standard or nesterov"};
}

constexpr std::string_view kTraining = "ai.onnx.preview.training";

}  // namespace

std::span<const OpEntry> LossOps() {
  static const OpEntry kOps[] = {
      {"",
       "NegativeLogLikelihoodLoss",
       22,
       NegativeLogLikelihoodLoss,
       {kFloats, kTargets, kFloats},
       JudgeReduction},
      {"",
       "SoftmaxCrossEntropyLoss",
       13,
       SoftmaxCrossEntropyLoss,
       {kFloats, kTargets, kFloats},
       JudgeReduction},
      {kTraining, "Adagrad", 1, Adagrad, {kTrained, Types(kInt64), kTrained}},
      {kTraining, "Adam", 1, Adam, {kTrained, Types(kInt64), kTrained}},
      {kTraining, "Momentum", 1, Momentum, {kTrained, Types(kInt64), kTrained}, JudgeMomentum},
  };
  return kOps;
}

}  // namespace braid::reference
