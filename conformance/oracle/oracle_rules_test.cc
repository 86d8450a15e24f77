// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "conformance/case/domain.h"
#include "conformance/case/schema.h"
#include "conformance/oracle/rules.h"

namespace braid::conformance {
namespace {

// Operators with float results that are judged by samples because nothing better is known of them:
// recurrences, norms, transforms, interpolation, and what has few floats. Another one needs a rule.
const std::set<std::string>& Sampled() {
  static const auto* const kAll = new std::set<std::string>{
      // drawn at random: judged by statistics
      "Bernoulli",
      "RandomNormal",
      "RandomNormalLike",
      "RandomUniform",
      "RandomUniformLike",
      // run by core, and judged against the reference device
      "CastMap",
      "ConcatFromSequence",
      "DictVectorizer",
      "If",
      "Loop",
      "Scan",
      "OptionalGetElement",
      "SequenceAt",
      // recurrences
      "GRU",
      "LSTM",
      "RNN",
      "CausalConvWithState",
      // optimizers
      "Adagrad",
      "Adam",
      "Momentum",
      // transforms, windows, geometry
      "DFT",
      "STFT",
      "HammingWindow",
      "HannWindow",
      "MelWeightMatrix",
      "AffineGrid",
      "GridSample",
      "RoiAlign",
      "Det",
      "RotaryEmbedding",
      // norms, losses, models of ai.onnx.ml and the rest
      "CumProd",
      "LRN",
      "LinearClassifier",
      "LinearRegressor",
      "LpPool",
      "NegativeLogLikelihoodLoss",
      "Normalizer",
      "ReduceProd",
      "SVMClassifier",
      "SVMRegressor",
      "Scaler",
      "ScatterElements",
      "ScatterND",
      "TfIdfVectorizer",
      "TreeEnsembleClassifier",
      "TreeEnsembleRegressor",
  };
  return *kAll;
}

TEST(Rules, EachOperatorHasOneOrIsSampledOnPurpose) {
  std::set<std::string> sampled;
  for (const OperatorVersion& op : AllOperatorVersions()) {
    if (!op.newest || FindDomain(op.domain, op.name) == nullptr) continue;
    bool floats = false;
    for (const Formal& output : op.outputs)
      for (const std::string& type : output.types)
        floats |= type == "tensor(float)" || type == "tensor(double)";
    if (floats && IsDefault(RuleOf(op.domain, op.name))) sampled.insert(op.name);
  }
  EXPECT_EQ(sampled, Sampled());
}

}  // namespace
}  // namespace braid::conformance
