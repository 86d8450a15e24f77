// SPDX-License-Identifier: Apache-2.0
//
// Expected values: ONNX Runtime 1.32 and ONNX's reference evaluator where they agree, else counted by hand.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
constexpr const char* kMl = "ai.onnx.ml";
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
std::vector<Tensor> RunMl(std::string_view op, const std::vector<Tensor>& inputs,
                          const std::vector<Attr>& attrs, uint32_t outputs = 1) {
  return RunOp(op, inputs, attrs, outputs, kMl);
}
void MlFails(std::string_view op, const std::vector<Tensor>& inputs, const std::vector<Attr>& attrs,
             std::string_view text) {
  ExpectFails(op, inputs, attrs, text, kMl);
}
std::vector<Attr> With(std::vector<Attr> attrs, std::vector<Attr> more) {
  attrs.insert(attrs.end(), more.begin(), more.end());
  return attrs;
}
Tensor Samples() { return Tensor::Of<float>({3, 2}, {1, 2, -1, 0.5f, 0, -3}); }

TEST(MlOps, Simple) {
  const Tensor x = Tensor::Of<float>({3}, {1, 2, 3});
  ExpectTensor<float>(RunMl("ArrayFeatureExtractor", {x, Tensor::Of<I64>({1, 2}, {2, 0})}, {})[0], {1, 2},
                      {3, 1});
  MlFails("ArrayFeatureExtractor", {x, Int64s({3})}, {}, "index 3 is outside");
  MlFails("ArrayFeatureExtractor", {x, Int64s({INT64_MIN})}, {}, "is outside");
  ExpectTensor<int32_t>(RunMl("Binarizer", {Tensor::Of<int32_t>({3}, {0, 1, 2})}, {{"threshold", 1.0}})[0],
                        {3}, {0, 0, 1});
  ExpectTensor<float>(RunMl("Scaler", {Samples()}, {{"offset", Floats{1, 0}}, {"scale", Floats{2}}})[0],
                      {3, 2}, {0, 4, -4, 1, -2, -6});
  MlFails("Scaler", {Samples()}, {{"offset", Floats{1, 0, 0}}, {"scale", Floats{2}}}, "3 offsets");
  ExpectTensor<float>(RunMl("Imputer", {Tensor::Of<float>({2, 2}, {NAN, NAN, 1, 2})},
                            {{"replaced_value_float", NAN}, {"imputed_value_floats", Floats{7, 8}}})[0],
                      {2, 2}, {7, 8, 1, 2});
  ExpectTensor<float>(RunMl("Normalizer", {Samples()}, {{"norm", "L1"}})[0], {3, 2},
                      {1 / 3.0f, 2 / 3.0f, -2 / 3.0f, 1 / 3.0f, 0, -1}, 1e-6);
  ExpectTensor<float>(RunMl("Normalizer", {Samples()}, {{"norm", "L2"}})[0], {3, 2},
                      {0.447214f, 0.894427f, -0.894427f, 0.447214f, 0, -1}, 1e-6);
  ExpectTensor<float>(RunMl("Normalizer", {Tensor::Of<float>({2}, {0, 0})}, {})[0], {2}, {0, 0});
  ExpectTensor<float>(RunMl("FeatureVectorizer", {Samples(), Int64s({1, 2, 3}).Reshaped({3, 1})},
                            {{"inputdimensions", Ints{2, 1}}})[0],
                      {3, 3}, {1, 2, 1, -1, 0.5f, 2, 0, -3, 3});
}

TEST(MlOps, Labels) {
  const Tensor names = Tensor::Of<std::string>({3}, {"b", "x", "a"});
  const std::vector<Attr> cats = {{"cats_int64s", Ints{1, 2}}, {"cats_strings", Strings{"a", "b"}}};
  ExpectTensor<I64>(RunMl("CategoryMapper", {names}, cats)[0], {3}, {2, -1, 1});
  ExpectTensor<std::string>(RunMl("CategoryMapper", {Int64s({2, 9})}, cats)[0], {2}, {"b", "_Unused"});
  ExpectTensor<float>(RunMl("OneHotEncoder", {names}, {{"cats_strings", Strings{"a", "b"}}})[0], {3, 2},
                      {0, 1, 0, 0, 1, 0});
  MlFails("OneHotEncoder", {names}, {{"cats_strings", Strings{"a", "b"}}, {"zeros", 0}},
          "element 1 is of no category");
  ExpectTensor<float>(
      RunMl("OneHotEncoder", {Tensor::Of<float>({2}, {NAN, 2.7f})}, {{"cats_int64s", Ints{0, 2}}})[0], {2, 2},
      {0, 0, 0, 1});
  ExpectTensor<float>(RunMl("LabelEncoder", {Tensor::Of<float>({3}, {NAN, 1, 5})},
                            {{"keys_floats", Floats{1, NAN, 1}}, {"values_floats", Floats{10, 20, 30}}})[0],
                      {3}, {20, 30, -0.0f});
  ExpectTensor<int16_t>(RunMl("LabelEncoder", {names},
                              {{"keys_strings", Strings{"a"}},
                               {"values_tensor", Tensor::Of<int16_t>({1}, {4})},
                               {"default_tensor", Tensor::Of<int16_t>({1}, {7})}})[0],
                        {3}, {7, 7, 4});
  MlFails("LabelEncoder", {names}, {{"keys_strings", Strings{"a"}}, {"values_int64s", Ints{1, 2}}},
          "1 keys and 2 values");
  MlFails("LabelEncoder", {names}, {{"keys_int64s", Ints{1}}, {"values_int64s", Ints{1}}},
          "the keys are int64");
}

TEST(LinearOps, Transforms) {
  const std::vector<Attr> three = {{"coefficients", Floats{0.5f, -1, 1, 0.25f, -0.5f, 0.1f}},
                                   {"intercepts", Floats{0.1f, 0, -0.2f}},
                                   {"classlabels_ints", Ints{7, 8, 9}}};
  auto out = RunMl("LinearClassifier", {Samples()}, three, 2);
  ExpectTensor<I64>(out[0], {3}, {8, 9, 7});
  ExpectTensor<float>(out[1], {3, 3}, {-1.4f, 1.5f, -0.5f, -0.9f, -0.875f, 0.35f, 3.1f, -0.75f, -0.5f}, 1e-6);
  out = RunMl("LinearClassifier", {Samples()}, With(three, {{"post_transform", "SOFTMAX"}}), 2);
  ExpectTensor<float>(
      out[1], {3, 3},
      {0.046224f, 0.840083f, 0.113693f, 0.181302f, 0.185892f, 0.632806f, 0.953649f, 0.020293f, 0.026057f},
      1e-6);
  const std::vector<Attr> two = {{"coefficients", Floats{0.5f, -1}},
                                 {"intercepts", Floats{0.1f}},
                                 {"classlabels_strings", Strings{"a", "b"}},
                                 {"post_transform", "LOGISTIC"}};
  out = RunMl("LinearClassifier", {Samples()}, two, 2);
  ExpectTensor<std::string>(out[0], {3}, {"a", "a", "b"});
  ExpectTensor<float>(out[1], {3, 2}, {0.802184f, 0.197816f, 0.71095f, 0.28905f, 0.043107f, 0.956893f}, 1e-6);
  MlFails("LinearClassifier", {Samples()}, {{"coefficients", Floats{1, 2, 3}}}, "do not fit");
  MlFails("LinearClassifier", {Samples()},
          {{"coefficients", Floats{1}}, {"classlabels_ints", std::vector<int64_t>{1, 2, 3}}},
          "1 coefficients do not fit 3 labels of 2 features");
  // Quantiles of the normal distribution: 0.2, 0.5, 0.9.
  ExpectTensor<float>(RunMl("LinearRegressor", {Tensor::Of<float>({3, 1}, {0.2f, 0.5f, 0.9f})},
                            {{"coefficients", Floats{1}}, {"post_transform", "PROBIT"}})[0],
                      {3, 1}, {-0.8416212f, 0, 1.2815516f}, 1e-6);
  MlFails("LinearRegressor", {Samples()}, {{"coefficients", Floats{1, 2}}, {"targets", INT64_MIN}},
          "do not fit");
}

TEST(SvmOps, KernelsAndVotes) {
  const std::vector<Attr> model = {{"coefficients", Floats{0.5f, -1}},
                                   {"support_vectors", Floats{1, 1, -1, 0}},
                                   {"rho", Floats{0.3f}},
                                   {"n_supports", 2},
                                   {"kernel_params", Floats{0.5f, 0.1f, 2}}};
  auto regress = [&](const char* kernel) {
    return RunMl("SVMRegressor", {Samples()}, With(model, {{"kernel_type", kernel}}))[0];
  };
  ExpectTensor<float>(regress("LINEAR"), {3, 1}, {2.8f, -0.95f, -1.2f}, 1e-6);
  ExpectTensor<float>(regress("POLY"), {3, 1}, {1.42f, -0.04875f, 1.27f}, 1e-6);
  ExpectTensor<float>(regress("RBF"), {3, 1}, {0.58495f, -0.52278f, 0.293364f}, 1e-6);
  ExpectTensor<float>(regress("SIGMOID"), {3, 1}, {1.140783f, -0.311492f, -0.242344f}, 1e-6);
  const std::vector<Attr> three = {{"coefficients", Floats{0.5f, -0.3f, -0.2f, 1, 0.4f, 0.7f, -1.1f, 0.1f}},
                                   {"support_vectors", Floats{1, 1, -1, 0, 0, 2, 0.5f, -1}},
                                   {"rho", Floats{0.3f, -0.1f, 0.2f}},
                                   {"vectors_per_class", Ints{1, 1, 2}},
                                   {"kernel_type", "RBF"},
                                   {"kernel_params", Floats{0.5f, 0, 3}},
                                   {"classlabels_ints", Ints{7, 8, 9}}};
  auto out = RunMl("SVMClassifier", {Samples()}, three, 2);
  ExpectTensor<I64>(out[0], {3}, {7, 7, 7});
  ExpectTensor<float>(
      out[1], {3, 3},
      {0.597771f, 0.03111f, -0.453382f, 0.094967f, 0.01379f, 0.611685f, 0.29808f, 0.019514f, 0.216656f},
      1e-5);
  out = RunMl("SVMClassifier", {Samples()},
              With(three, {{"prob_a", Floats{-1, -0.5f, -2}}, {"prob_b", Floats{0.1f, 0.2f, 0}}}), 2);
  for (int row = 0; row < 3; ++row) {
    float sum = 0;
    for (int c = 0; c < 3; ++c) sum += out[1].data<float>()[3 * row + c];
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  const std::vector<Attr> two = {{"coefficients", Floats{0.5f, -0.3f, -0.2f}},
                                 {"support_vectors", Floats{1, 1, -1, 0, 0, 2}},
                                 {"rho", Floats{0.3f}},
                                 {"vectors_per_class", Ints{1, 2}},
                                 {"classlabels_ints", Ints{7, 8}}};
  const Tensor x = Tensor::Of<float>({2, 2}, {1, 2, -1, 0.5f});
  out = RunMl("SVMClassifier", {x}, With(two, {{"prob_a", Floats{-1}}, {"prob_b", Floats{0.1f}}}), 2);
  ExpectTensor<I64>(out[0], {2}, {7, 8});
  ExpectTensor<float>(out[1], {2, 2}, {0.768525f, 0.231475f, 0.362988f, 0.637012f}, 1e-5);
  out = RunMl("SVMClassifier", {x}, With(two, {{"post_transform", "LOGISTIC"}}), 2);
  ExpectTensor<float>(out[1], {2, 2}, {0.214165f, 0.785835f, 0.610639f, 0.389361f}, 1e-5);
}

TEST(SvmOps, RefuseArraysThatDoNotFit) {
  const std::vector<Attr> rho = {{"rho", Floats{0}}};
  MlFails("SVMRegressor", {Samples()}, {{"coefficients", Floats{1}}, {"n_supports", 5}, {"rho", Floats{0}}},
          "1 coefficients are given for 5");
  MlFails("SVMRegressor", {Samples()}, {{"coefficients", Floats{1, 2}}}, "rho is empty");
  MlFails("SVMClassifier", {Samples()},
          With(rho, {{"coefficients", Floats{1}},
                     {"support_vectors", Floats{1, 1}},
                     {"vectors_per_class", Ints{1, INT64_MAX}},
                     {"classlabels_ints", Ints{0, 1}}}),
          "vectors_per_class hold");
  MlFails("SVMClassifier", {Samples()},
          With(rho, {{"coefficients", Floats{1}},
                     {"support_vectors", Floats{1, 1}},
                     {"vectors_per_class", Ints{1, -1}},
                     {"classlabels_ints", Ints{0, 1}}}),
          "vectors_per_class hold");
  MlFails("SVMClassifier", {Samples()},
          With(rho, {{"coefficients", Floats{1, 1, 1}},
                     {"support_vectors", Floats{1, 1, 1}},
                     {"vectors_per_class", Ints{1, 1}},
                     {"classlabels_ints", Ints{0, 1}}}),
          "3 coefficients do not fit");
}

std::vector<Attr> TwoTrees() {
  return {{"nodes_treeids", Ints{0, 0, 0, 1, 1, 1}},
          {"nodes_nodeids", Ints{0, 1, 2, 0, 1, 2}},
          {"nodes_featureids", Ints{0, 0, 0, 1, 0, 0}},
          {"nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"}},
          {"nodes_values", Floats{0, 0, 0, 1, 0, 0}},
          {"nodes_truenodeids", Ints{1, 0, 0, 1, 0, 0}},
          {"nodes_falsenodeids", Ints{2, 0, 0, 2, 0, 0}},
          {"nodes_missing_value_tracks_true", Ints{0, 0, 0, 1, 0, 0}}};
}
Tensor TreeSamples() { return Tensor::Of<float>({3, 2}, {1, 2, -1, 0.5f, NAN, NAN}); }

TEST(TreeOps, Regressor) {
  auto regress = [&](const char* aggregate) {
    return RunMl("TreeEnsembleRegressor", {TreeSamples()},
                 With(TwoTrees(), {{"n_targets", 2},
                                   {"target_treeids", Ints{0, 0, 1, 1, 1}},
                                   {"target_nodeids", Ints{1, 2, 1, 2, 2}},
                                   {"target_ids", Ints{0, 0, 0, 0, 1}},
                                   {"target_weights", Floats{1, 2, 10, 20, 5}},
                                   {"base_values", Floats{0.5f, 0.25f}},
                                   {"aggregate_function", aggregate}}))[0];
  };
  ExpectTensor<float>(regress("SUM"), {3, 2}, {12.5f, 0.25f, 21.5f, 5.25f, 12.5f, 0.25f});
  ExpectTensor<float>(regress("AVERAGE"), {3, 2}, {6.5f, 0.25f, 11, 2.75f, 6.5f, 0.25f});
  ExpectTensor<float>(regress("MIN"), {3, 2}, {2.5f, 0.25f, 1.5f, 5.25f, 2.5f, 0.25f});
  ExpectTensor<float>(regress("MAX"), {3, 2}, {10.5f, 0.25f, 20.5f, 5.25f, 10.5f, 0.25f});
  // Leaf 1 of the first tree says 4 three times, leaf 2 says 1 and 5.
  ExpectTensor<float>(RunMl("TreeEnsembleRegressor", {TreeSamples()},
                            With(TwoTrees(), {{"target_treeids", Ints{0, 0, 0, 0, 0}},
                                              {"target_nodeids", Ints{1, 1, 1, 2, 2}},
                                              {"target_ids", Ints{0, 0, 0, 0, 0}},
                                              {"target_weights", Floats{4, 4, 4, 1, 5}}}))[0],
                      {3, 1}, {6, 4, 6});
}

TEST(TreeOps, Classifier) {
  auto classify = [&](std::vector<Attr> attrs) {
    return RunMl(
        "TreeEnsembleClassifier", {TreeSamples()},
        With(With(TwoTrees(), {{"class_treeids", Ints{0, 0, 1, 1}}, {"class_nodeids", Ints{1, 2, 1, 2}}}),
             attrs),
        2);
  };
  auto out = classify({{"class_ids", Ints{0, 1, 2, 1}},
                       {"class_weights", Floats{0.5f, 0.25f, 0.125f, 1}},
                       {"classlabels_int64s", Ints{7, 8, 9}},
                       {"post_transform", "SOFTMAX"}});
  ExpectTensor<I64>(out[0], {3}, {8, 8, 8});
  ExpectTensor<float>(
      out[1], {3, 3},
      {0.292639f, 0.375757f, 0.331604f, 0.307196f, 0.50648f, 0.186324f, 0.292639f, 0.375757f, 0.331604f},
      1e-5);
  out = classify({{"class_ids", Ints{0, 0, 0, 0}},
                  {"class_weights", Floats{0.1f, 0.6f, 0.2f, 0.3f}},
                  {"classlabels_strings", Strings{"no", "yes"}}});
  ExpectTensor<std::string>(out[0], {3}, {"yes", "no", "yes"});
  ExpectTensor<float>(out[1], {3, 2}, {0.2f, 0.8f, 0.6f, 0.4f, 0.2f, 0.8f}, 1e-6);
  out = classify({{"class_ids", Ints{0, 0, 0, 0}},
                  {"class_weights", Floats{-0.1f, 0.6f, -0.2f, 0.3f}},
                  {"classlabels_int64s", Ints{7, 8}},
                  {"post_transform", "LOGISTIC"}});
  ExpectTensor<I64>(out[0], {3}, {8, 8, 8});
  ExpectTensor<float>(out[1], {3, 2}, {0.401312f, 0.598688f, 0.450166f, 0.549834f, 0.401312f, 0.598688f},
                      1e-5);
}

// Two nodes in a chain; `nodes`: both true and both false branches, `leafs`: whether those are leaves.
std::vector<Attr> Chain(Ints yes, Ints yes_leafs, Ints modes = {0, 0}) {
  std::vector<uint8_t> bytes(modes.begin(), modes.end());
  return {{"n_targets", 2},
          {"tree_roots", Ints{0}},
          {"nodes_featureids", Ints{0, 1}},
          {"nodes_modes", Tensor::Of<uint8_t>({2}, bytes)},
          {"nodes_splits", Tensor::Of<float>({2}, {0, 1})},
          {"nodes_truenodeids", yes},
          {"nodes_trueleafs", yes_leafs},
          {"nodes_falsenodeids", Ints{1, 2}},
          {"nodes_falseleafs", Ints{1, 1}},
          {"leaf_targetids", Ints{0, 1, 1}},
          {"leaf_weights", Tensor::Of<float>({3}, {10, 20, 30})}};
}

TEST(TreeOps, EnsembleByPosition) {
  const Tensor x = Tensor::Of<float>({3, 2}, {-1, 0, -1, 2, 1, 0});
  ExpectTensor<float>(RunMl("TreeEnsemble", {x}, Chain({1, 0}, {0, 1}))[0], {3, 2}, {10, 0, 0, 30, 0, 20});
  const auto members =
      With(Chain({1, 0}, {0, 1}, {0, 6}), {{"membership_values", Tensor::Of<float>({3}, {2, 5, NAN})}});
  ExpectTensor<float>(RunMl("TreeEnsemble", {x}, members)[0], {3, 2}, {0, 30, 10, 0, 0, 20});
}

TEST(TreeOps, RefuseMalformedTrees) {
  const Tensor x = Tensor::Of<float>({1, 2}, {-1, 0});
  MlFails("TreeEnsemble", {x}, Chain({1, 0}, {0, 0}), "the nodes form a cycle");
  MlFails("TreeEnsemble", {x}, Chain({9, 0}, {0, 1}), "node 9 of 2 is pointed to");
  MlFails("TreeEnsemble", {x}, Chain({1, -1}, {0, 1}), "leaf -1 of 3 is pointed to");
  MlFails("TreeEnsemble", {x}, Chain({1, 0, 0}, {0, 1}), "nodes_truenodeids holds 3 elements, 2 are needed");
  MlFails("TreeEnsemble", {x}, Chain({1, 0}, {0, 1}, {0, 6}), "fewer sets");
  MlFails("TreeEnsemble", {x}, Chain({1, 0}, {0, 1}, {0, 7}), "the mode of node 1");
  MlFails("TreeEnsemble", {Tensor::Of<float>({1, 1}, {0})}, Chain({1, 0}, {0, 1}), "looks at feature 1 of 1");
  auto attrs = With(TwoTrees(), {{"target_treeids", Ints{5}},
                                 {"target_nodeids", Ints{0}},
                                 {"target_ids", Ints{0}},
                                 {"target_weights", Floats{1}}});
  MlFails("TreeEnsembleRegressor", {x}, attrs, "tree 5 has no node 0");
  attrs = With(TwoTrees(), {{"target_treeids", Ints{0}},
                            {"target_nodeids", Ints{0}},
                            {"target_ids", Ints{0}},
                            {"target_weights", Floats{1}}});
  MlFails("TreeEnsembleRegressor", {x}, attrs, "votes but is no leaf");
  attrs = With(TwoTrees(), {{"target_treeids", Ints{0}},
                            {"target_nodeids", Ints{1}},
                            {"target_ids", Ints{3}},
                            {"target_weights", Floats{1}}});
  MlFails("TreeEnsembleRegressor", {x}, attrs, "target_ids hold 3 of 1");
}

}  // namespace
}  // namespace braid::reference
