// SPDX-License-Identifier: Apache-2.0
//
// Domains of losses and of optimizers' steps.
#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

// Scores [N, C, ...], the class of each sample, the weights of the classes.
void Loss(Domain& d) {
  const bool scores = d.op() == "SoftmaxCrossEntropyLoss";
  const std::string reduction = d.Pick("reduction", {"mean", "none", "sum"});
  if (reduction != "mean") d.AttrText("reduction", reduction);
  Dims x = d.Shape("shape", {{3, 5},
                             {1, 1},
                             {1, 2},
                             {2, 5, 3},
                             {65, 33},
                             {2, 257, 2},
                             {2, 3, 2, 4},
                             {4, 2, 31, 33},
                             {2, 3, 2, 1, 2, 2}});
  if (reduction != "mean" && d.Flag("empty")) x[0] = 0;
  Dims samples = x;
  samples.erase(samples.begin() + 1);
  int64_t count = 1;
  for (const int64_t e : samples) count *= e;
  const std::string ignore = d.Pick("ignore_index", {"none", "outside", "class", "unmet"});
  if (ignore != "none") d.AttrInt("ignore_index", ignore == "outside" ? -100 : ignore == "class" ? 1 : 7777);
  if (ignore == "class" && count < 2) d.Reject("all might be ignored");
  const bool large = scores && d.Flag("large");
  d.In(x, !scores ? Uniform(-6, -0.05) : large ? Uniform(-300, 300) : Uniform(-4, 4));
  Tensor classes = d.Draw(d.type("Tind"), samples, Whole(0, x[1] - 1));
  const auto set = [&](int64_t i, int64_t value) {
    if (classes.type() == reference::kInt32)
      classes.data<int32_t>()[i] = static_cast<int32_t>(value);
    else
      classes.data<int64_t>()[i] = value;
  };
  if (ignore == "class" && x[1] > 1) set(0, 0), set(1, 1);  // some count, some do not
  if (ignore == "outside")
    for (int64_t i = 1; i < count; i += 3) set(i, -100);
  d.In(classes);
  if (d.Flag("weight")) d.In({x[1]}, Uniform(0.25, 2));
  if (scores) d.Outputs({true, d.Flag("log_prob")});
}

// R, T, then tensors, their gradients and `states` more of each, of which `positive` says which are sums of
// squares.
void Step(Domain& d, const std::vector<bool>& positive) {
  const int64_t tensors = d.Pick("tensors", {1, 2, 3});
  const Dims first = d.Shape("shape", {{3, 4}, {}, {1}, {0}, {65}, {2, 3, 1, 31}, {1025}, {65537}});
  d.In({}, Given({d.PickFloat("R", {0.125, 0.01})}));
  d.IntScalar(d.Pick("T", {3, 0, 1, 1000}));
  std::vector<Dims> shapes = {first, {2, 5}, {}};
  for (size_t group = 0; group < 2 + positive.size(); ++group)
    for (int64_t i = 0; i < tensors; ++i)
      d.In(shapes[static_cast<size_t>(i)], group >= 2 && positive[group - 2] ? Uniform(0.05, 2) : Spread(2));
  d.OutputCount(static_cast<size_t>(tensors) * (1 + positive.size()));
}

void OneOrOther(Domain& d, const char* name, double plain, double other) {
  if (const double v = d.PickFloat(name, {plain, other}); v != plain) d.AttrFloat(name, v);
}

void Adagrad(Domain& d) {
  OneOrOther(d, "norm_coefficient", 0, 0.25);
  OneOrOther(d, "decay_factor", 0, 0.125);
  OneOrOther(d, "epsilon", 1e-6, 0.25);
  Step(d, {true});
}

void Adam(Domain& d) {
  OneOrOther(d, "alpha", 0.9, 0.5);
  OneOrOther(d, "beta", 0.999, 0.75);
  OneOrOther(d, "epsilon", 1e-6, 0.25);
  OneOrOther(d, "norm_coefficient", 0, 0.25);
  OneOrOther(d, "norm_coefficient_post", 0, 0.125);
  Step(d, {false, true});
}

void Momentum(Domain& d) {
  d.AttrText("mode", d.Pick("mode", {"standard", "nesterov"}));
  d.AttrFloat("alpha", d.PickFloat("alpha", {0.9, 0}));
  d.AttrFloat("beta", d.PickFloat("beta", {0.5, 1}));  // 1 in the first step, whatever it is
  d.AttrFloat("norm_coefficient", d.PickFloat("norm_coefficient", {0.25, 0}));
  Step(d, {false});
}

constexpr std::string_view kTraining = "ai.onnx.preview.training";

}  // namespace

std::span<const DomainEntry> LossDomains() {
  static const DomainEntry kDomains[] = {
      {"", "NegativeLogLikelihoodLoss", Loss}, {"", "SoftmaxCrossEntropyLoss", Loss},
      {kTraining, "Adagrad", Adagrad},         {kTraining, "Adam", Adam},
      {kTraining, "Momentum", Momentum},
  };
  return kDomains;
}

}  // namespace braid::conformance
