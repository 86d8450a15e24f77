// SPDX-License-Identifier: Apache-2.0
//
// Domains of ai.onnx.ml. Its specification leaves much open; what it does so is left out: scores of two
// classes from one set of coefficients or votes, negative numbers under the norms L1 and L2, NaN compared by
// BRANCH_NEQ. Weights are fractions of powers of two, such that no two classes score the same.
#include <algorithm>
#include <limits>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kFeatures = 4;

Tensor Texts(const Dims& dims, const std::vector<std::string>& texts) {
  Tensor out(reference::kString, dims);
  for (int64_t i = 0; i < out.size(); ++i)
    out.data<std::string>()[i] = texts[static_cast<size_t>(i) % texts.size()];
  return out;
}

// ---- Single elements ----

void ArrayFeatureExtractor(Domain& d) {
  const Dims x = d.Shape("shape", {{3, 5}, {5}, {1, 1}, {2, 3, 5}, {65, 33}, {0, 5}});
  std::vector<int64_t> indices = d.PickInts("Y", {{4, 0, 2, 2}, {0}, {1, 3}});
  for (int64_t& i : indices) i = std::min(i, x.back() - 1);
  d.In(x, Distinct(-50, 50));
  d.Ints(indices);
}

void Binarizer(Domain& d) {
  if (const double threshold = d.PickFloat("threshold", {0, 1.5, -2}); threshold != 0)
    d.AttrFloat("threshold", threshold);
  d.In(d.AnyShape(), Given({0, 1.5, -2, 3, -0.5, 1, -3, 2, -1}));
}

// From integers to strings or back: the type of the output follows.
void CategoryMapper(Domain& d) {
  const bool strings = d.type("T1") == reference::kString;
  if (strings && d.type("T2") == reference::kString) d.Reject("T2 follows from T1");
  const bool label_encoder = d.op() == "LabelEncoder";
  const std::vector<std::string> names = {"cat", "dog", "", "bird"};
  if (label_encoder) {
    d.AttrTexts("classes_strings", names);
  } else {
    d.AttrTexts("cats_strings", names);
    d.AttrInts("cats_int64s", {7, -3, 1, 100});
  }
  if (d.Flag("default")) {
    if (strings)
      d.AttrInt("default_int64", -77);
    else
      d.AttrText("default_string", "other");
  }
  const Dims x = d.AnyShape();
  if (strings)
    d.In(Texts(x, {"dog", "cow", "cat", "", "bird", "Cat"}));
  else
    d.In(x, label_encoder ? Given({2, 0, 5, 1, 3, 4}) : Given({100, 7, 5, 1, -3, 3}));
}

// A list of labels of `type` as "keys" or "values": in the attribute of that type, or as a tensor.
void Labels(Domain& d, const std::string& name, int32_t type, const std::vector<double>& numbers,
            const std::vector<std::string>& strings, bool tensor) {
  const Dims dims = {static_cast<int64_t>(numbers.size())};
  if (tensor)
    d.AttrTensor(name + "_tensor",
                 type == reference::kString ? Texts(dims, strings) : d.Draw(type, dims, Given(numbers)));
  else if (type == reference::kString)
    d.AttrTexts(name + "_strings", strings);
  else if (type == reference::kInt64)
    d.AttrInts(name + "_int64s", {numbers.begin(), numbers.end()});
  else
    d.AttrFloats(name + "_floats", {numbers.begin(), numbers.end()});
}

void LabelEncoder(Domain& d) {
  if (d.version() < 2) return CategoryMapper(d);
  const int32_t from = d.type("T1"), to = d.type("T2");
  const bool asked = d.has_attribute("keys_tensor") && d.Flag("tensors");
  const auto tensor = [&](int32_t type) {
    return asked || !(type == reference::kFloat || type == reference::kInt64 || type == reference::kString);
  };
  std::vector<double> keys = {3, 1, -2, 9, 40};
  std::vector<std::string> names = {"c", "a", "", "i", "word"};
  if (from == reference::kFloat || from == reference::kDouble) keys[2] = kNan, keys[3] = 0.75;
  // The last of equal keys holds; version 2 did not say.
  if (d.version() >= 4 && d.Flag("repeated")) keys[4] = 1, names[4] = "a";
  Labels(d, "keys", from, keys, names, tensor(from));
  Labels(d, "values", to, {5, -6, 70, 8, 11}, {"five", "", "seventy", "8", "eleven"}, tensor(to));
  if (d.Flag("default")) {
    if (tensor(to))
      d.AttrTensor("default_tensor",
                   to == reference::kString ? Texts({1}, {"other"}) : d.Draw(to, {1}, Given({-9})));
    else if (to == reference::kString)
      d.AttrText("default_string", "other");
    else if (to == reference::kInt64)
      d.AttrInt("default_int64", -9);
    else
      d.AttrFloat("default_float", -9.5);
  }
  const Dims x = d.AnyShape();
  if (from == reference::kString)
    d.In(Texts(x, {"a", "b", "word", "", "i", "c", "A"}));
  else if (d.is_float("T1"))
    d.In(x, Given({1, kNan, 2, 3, 0.75, 40, -5}));
  else
    d.In(x, Given({1, 9, 2, 3, -2, 40, -5}));
}

void Imputer(Domain& d) {
  const bool each = d.Flag("each"), floats = d.is_float("T");
  const std::string replaced =
      floats ? d.Pick("replaced", {"default", "value", "nan"}) : d.Pick("replaced", {"default", "value"});
  if (floats)
    d.AttrFloats("imputed_value_floats",
                 each ? std::vector<float>{1.5f, -2, 0.25f, 9} : std::vector<float>{-7.5f});
  else
    d.AttrInts("imputed_value_int64s",
               each ? std::vector<int64_t>{15, -2, 25, 9} : std::vector<int64_t>{-75});
  if (replaced != "default") {
    if (floats)
      d.AttrFloat("replaced_value_float", replaced == "nan" ? kNan : 3);
    else
      d.AttrInt("replaced_value_int64", 3);
  }
  Dims x = d.Shape("shape", {{3}, {}, {1}, {65}, {2, 3}, {0}});
  x.push_back(kFeatures);
  std::vector<double> values = {0, 3, 1, -1, 3, 0, 2, 5, 3, -3, 0};
  if (floats) values.insert(values.end(), {kNan, 0.5});
  d.In(x, Given(values));
}

void OneHotEncoder(Domain& d) {
  const bool strings = d.type("T") == reference::kString,
             all = d.Pick("zeros", std::vector<int64_t>{1, 0}) == 0;
  if (all) d.AttrInt("zeros", 0);  // an unknown category is an error then
  if (strings)
    d.AttrTexts("cats_strings", {"b", "a", "", "word"});
  else
    d.AttrInts("cats_int64s", {2, -1, 7, 0});
  const Dims x = d.AnyShape();
  if (strings)
    d.In(Texts(x, all ? std::vector<std::string>{"word", "a", "b", "", "a"}
                      : std::vector<std::string>{"word", "x", "b", "", "A"}));
  else
    d.In(x, all ? Given({7, -1, 2, 0, -1}) : Given({7, 1, 2, 0, 100}));
}

// ---- Rows ----

void FeatureVectorizer(Domain& d) {
  const int64_t inputs = d.Pick("inputs", {2, 1, 3});
  const bool vectors = d.Flag("vectors");
  const int64_t rows = d.Extent(d.Pick("rows", {3, 1, 65, 0}));
  const std::vector<int64_t> widths = {3, 1, 33};
  if (d.Flag("inputdimensions")) d.AttrInts("inputdimensions", {widths.begin(), widths.begin() + inputs});
  for (int64_t i = 0; i < inputs; ++i) {
    const int64_t width = widths[static_cast<size_t>(i)];
    d.In(vectors ? Dims{width} : Dims{rows, width}, Distinct(-60, 60));
  }
}

void Normalizer(Domain& d) {
  const std::string norm = d.Pick("norm", {"MAX", "L1", "L2"});
  if (norm != "MAX" || d.Flag("norm_written")) d.AttrText("norm", norm);
  const Dims x = d.Shape("shape", {{3, 5}, {5}, {1, 1}, {2, 257}, {65, 33}, {0, 3}});
  if (d.Flag("zeros"))
    d.In(x, Given({0}));  // stay zeros
  else
    d.In(x, norm == "MAX" ? Spread(20) : Uniform(0.5, 20));
}

void Scaler(Domain& d) {
  const bool each = d.Flag("each");
  d.AttrFloats("scale", each ? std::vector<float>{0.5f, -2, 3, 0.1f} : std::vector<float>{0.3f});
  d.AttrFloats("offset", each ? std::vector<float>{1, 0, -2.5f, 0.7f} : std::vector<float>{1.7f});
  Dims x = d.Shape("shape", {{3}, {}, {1}, {257}, {2, 3}, {0}});
  x.push_back(kFeatures);
  d.In(x, Spread(50));
}

// Rows of features. The integers of each row have an odd sum.
Dims RowsOf(Domain& d) { return {d.Extent(d.Pick("rows", {3, 1, 65, 257, 0})), kFeatures}; }
Values Features(const Domain& d, const std::string& variable, bool probabilities) {
  if (probabilities)
    return d.is_integer(variable) ? Given({1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1}) : Uniform(0, 1);
  return d.is_integer(variable) ? Given({1, -2, 3, 5, -3, 4, 1, -1, 2, 1, -5, 7}) : Spread(3);
}

std::string PostTransform(Domain& d, std::initializer_list<const char*> options) {
  const std::string transform = d.Pick("post_transform", options);
  if (transform != "NONE") d.AttrText("post_transform", transform);
  return transform;
}
std::string PostTransform(Domain& d) {
  return PostTransform(d, {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"});
}

void ClassLabels(Domain& d, const char* ints, const char* strings, int64_t classes) {
  static const std::vector<int64_t> kInts = {10, -2, 7};
  static const std::vector<std::string> kStrings = {"cat", "", "dog"};
  if (d.type("T2") == reference::kString)
    d.AttrTexts(strings, {kStrings.begin(), kStrings.begin() + classes});
  else
    d.AttrInts(ints, {kInts.begin(), kInts.begin() + classes});
}

// Coefficients of `targets` sums over the features; small and positive ones for PROBIT, whose scores lie
// between 0 and 1.
void Coefficients(Domain& d, int64_t targets, bool probabilities) {
  std::vector<float> coefficients, intercepts;
  for (int64_t t = 0; t < targets; ++t) {
    for (int64_t k = 0; k < kFeatures; ++k) {
      const int64_t size = 8 * (1 + (3 * k + 5 * t) % 7) + t;
      coefficients.push_back(static_cast<float>(probabilities || (k + t) % 3 != 0 ? size : -size) / 512);
    }
    intercepts.push_back(static_cast<float>(t + 1) / 16);
  }
  d.AttrFloats("coefficients", coefficients);
  if (d.Flag("intercepts")) d.AttrFloats("intercepts", intercepts);
}

void LinearClassifier(Domain& d) {
  const bool probabilities = PostTransform(d) == "PROBIT";
  const int64_t classes = d.Pick("classes", {3, 2});
  if (d.Flag("multi_class")) d.AttrInt("multi_class", 1);
  ClassLabels(d, "classlabels_ints", "classlabels_strings", classes);
  Coefficients(d, classes, probabilities);
  d.In(RowsOf(d), Features(d, "T1", probabilities));
}

void LinearRegressor(Domain& d) {
  const bool probabilities = PostTransform(d) == "PROBIT";
  const int64_t targets = d.Pick("targets", {1, 3});
  d.AttrIntOr("targets", targets, 1);
  Coefficients(d, targets, probabilities);
  d.In(RowsOf(d), Features(d, "T", probabilities));
}

// ---- Support vectors ----

std::vector<float> Weights(int64_t count, int64_t start) {
  std::vector<float> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<float>((i * 37 + start * 11) % 61 - 30) / 32);
  return out;
}

void Kernel(Domain& d) {
  const std::string kernel = d.Pick("kernel_type", {"LINEAR", "POLY", "RBF", "SIGMOID"});
  if (kernel != "LINEAR") d.AttrText("kernel_type", kernel);
  if (kernel == "LINEAR") return;
  const float degree = kernel == "POLY" ? static_cast<float>(d.Pick("degree", {2, 3})) : 0;
  d.AttrFloats("kernel_params", {0.25f, kernel == "RBF" ? 0 : 0.5f, degree});
}

void SvmRegressor(Domain& d) {
  PostTransform(d, {"NONE", "LOGISTIC", "SOFTMAX"});
  const int64_t supports = d.Pick("n_supports", {3, 0, 1, 33});
  if (supports > 0) {
    d.AttrInt("n_supports", supports);
    d.AttrFloats("support_vectors", Weights(supports * kFeatures, 1));
    Kernel(d);
  }
  d.AttrFloats("coefficients", Weights(supports > 0 ? supports : kFeatures, 2));
  d.AttrFloats("rho", {0.375f});
  if (d.Flag("one_class")) d.AttrInt("one_class", 1);
  d.In(RowsOf(d), Features(d, "T", false));
}

void SvmClassifier(Domain& d) {
  constexpr int64_t kClasses = 3;
  ClassLabels(d, "classlabels_ints", "classlabels_strings", kClasses);
  const std::string supports = d.Pick("supports", {"few", "none", "many"});
  if (supports == "none") {
    PostTransform(d, {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"});
    d.AttrFloats("coefficients", Weights(kClasses * kFeatures, 2));
    d.AttrFloats("rho", {0.375f});
  } else {
    const std::vector<int64_t> per_class =
        supports == "few" ? std::vector<int64_t>{2, 1, 3} : std::vector<int64_t>{20, 33, 7};
    const int64_t n = per_class[0] + per_class[1] + per_class[2];
    d.AttrInts("vectors_per_class", per_class);
    d.AttrFloats("support_vectors", Weights(n * kFeatures, 1));
    d.AttrFloats("coefficients", Weights((kClasses - 1) * n, 2));
    d.AttrFloats("rho", {0.375f, -0.25f, 0.125f});
    Kernel(d);
    if (d.Flag("probabilities")) {
      d.AttrFloats("prob_a", {-1.5f, -0.75f, -1});
      d.AttrFloats("prob_b", {0.25f, -0.125f, 0});
    } else {
      PostTransform(d, {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"});
    }
  }
  d.In(RowsOf(d), Features(d, "T1", false));
}

// ---- Trees ----

struct TreeNode {
  int64_t tree, id, feature, yes, no;
  bool leaf;
};

// All nodes of the trees: of depth 2, a chain, or a leaf alone.
std::vector<TreeNode> Trees(Domain& d) {
  const int64_t count = d.Pick("trees", {3, 1, 2, 5});
  const std::string shape = d.Pick("tree", {"balanced", "chain", "leaf"});
  const int64_t inner = shape == "balanced" ? 3 : shape == "chain" ? 6 : 0;
  std::vector<TreeNode> nodes;
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t i = 0; i < inner; ++i) {
      const bool balanced = shape == "balanced";
      nodes.push_back(
          {t, i, (t + i) % kFeatures, balanced ? 2 * i + 1 : inner + i, balanced ? 2 * i + 2 : i + 1, false});
    }
    for (int64_t i = inner; i <= 2 * inner; ++i) nodes.push_back({t, i, 0, 0, 0, true});
  }
  return nodes;
}
double Split(const TreeNode& node) { return static_cast<double>((node.tree + node.id) % 4 - 1); }
// Sums over trees are below 1/2, and differ between targets.
double Vote(const TreeNode& leaf, int64_t target, bool zero) {
  if (zero && target == 0) return 0;
  return static_cast<double>(8 * (1 + (7 * leaf.tree + 3 * leaf.id + 5 * target) % 11) + target) / 1024;
}

const std::vector<std::string> kModes = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                         "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};

// Comparisons of nodes by their place among all; and what is compared. "members" is of TreeEnsemble alone.
std::vector<size_t> Modes(Domain& d, size_t count, bool members, Values* features, bool* tracks) {
  std::vector<std::string> options = kModes;
  options.push_back("mixed");
  if (members) options.push_back("BRANCH_MEMBER");
  const std::string mode = d.Pick("mode", options);
  std::vector<size_t> modes;
  for (size_t i = 0; i < count; ++i)
    modes.push_back(mode == "mixed" ? i % kModes.size()
                                    : static_cast<size_t>(std::find(kModes.begin(), kModes.end(), mode) -
                                                          kModes.begin()));
  const bool equality =
      mode == "BRANCH_EQ" || mode == "BRANCH_NEQ" || mode == "mixed" || mode == "BRANCH_MEMBER";
  const std::string values = d.Pick("values", {"apart", "equal", "nan"});
  const bool integers = d.is_integer("T") || d.is_integer("T1");
  if (values == "nan" && (integers || mode == "BRANCH_NEQ" || mode == "mixed"))
    d.Reject("how NaN compares is not told");
  *features = values == "nan" ? Given({kNan, 1.5, -0.25, kNan, 0.75, kNan, 2.5, -3, kNan, 0.5, 1, kNan, kNan})
              : values == "equal" || equality ? Given({0, 1, -1, 2, 0.5, -3, 1, 0, 2, -1, -0.5, 3, 1})
                                              : Distinct(-4.1, 4.3);
  *tracks = d.Flag("tracks");
  return modes;
}

void NamedTrees(Domain& d) {
  const bool classifier = d.op() == "TreeEnsembleClassifier";
  const std::string transform = PostTransform(d);
  const int64_t targets = classifier ? d.Pick("classes", {3, 2}) : d.Pick("n_targets", {1, 3});
  if (classifier)
    ClassLabels(d, "classlabels_int64s", "classlabels_strings", targets);
  else
    d.AttrInt("n_targets", targets);
  if (!classifier)
    if (const std::string how = d.Pick("aggregate_function", {"SUM", "AVERAGE", "MIN", "MAX"}); how != "SUM")
      d.AttrText("aggregate_function", how);
  const std::vector<TreeNode> nodes = Trees(d);
  Values features;
  bool tracks = false;
  const std::vector<size_t> modes = Modes(d, nodes.size(), false, &features, &tracks);
  // Tensors are there for doubles.
  const bool tensors = d.has_attribute("nodes_values_as_tensor") &&
                       d.type(classifier ? "T1" : "T") == reference::kDouble &&
                       d.Pick("tensors", std::vector<int64_t>{1, 0}) != 0;
  const auto floats = [&](const std::string& name, const std::vector<double>& v) {
    if (tensors)
      d.AttrTensor(name + "_as_tensor",
                   d.Draw(reference::kDouble, {static_cast<int64_t>(v.size())}, Given(v)));
    else
      d.AttrFloats(name, {v.begin(), v.end()});
  };
  std::vector<int64_t> trees, ids, feature_ids, yes, no, missing, vote_trees, vote_nodes, vote_targets;
  std::vector<std::string> texts;
  std::vector<double> splits, hitrates, votes, base;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const TreeNode& n = nodes[i];
    trees.push_back(n.tree);
    ids.push_back(n.id);
    feature_ids.push_back(n.feature);
    yes.push_back(n.yes);
    no.push_back(n.no);
    missing.push_back(static_cast<int64_t>(i % 2));
    texts.push_back(n.leaf ? "LEAF" : kModes[modes[i]]);
    splits.push_back(n.leaf ? 0 : Split(n));
    hitrates.push_back(1);
    for (int64_t t = 0; n.leaf && t < targets; ++t) {
      vote_trees.push_back(n.tree);
      vote_nodes.push_back(n.id);
      vote_targets.push_back(t);
      votes.push_back(Vote(n, t, transform == "SOFTMAX_ZERO") *
                      (!classifier && transform != "PROBIT" && n.id % 2 == 0 ? -1 : 1));
    }
  }
  d.AttrInts("nodes_treeids", trees);
  d.AttrInts("nodes_nodeids", ids);
  d.AttrInts("nodes_featureids", feature_ids);
  d.AttrInts("nodes_truenodeids", yes);
  d.AttrInts("nodes_falsenodeids", no);
  d.AttrTexts("nodes_modes", texts);
  floats("nodes_values", splits);
  if (tracks) d.AttrInts("nodes_missing_value_tracks_true", missing);
  if (d.Flag("hitrates")) floats("nodes_hitrates", hitrates);
  const std::string kind = classifier ? "class" : "target";
  d.AttrInts(kind + "_treeids", vote_trees);
  d.AttrInts(kind + "_nodeids", vote_nodes);
  d.AttrInts(kind + "_ids", vote_targets);
  floats(kind + "_weights", votes);
  for (int64_t t = 0; t < targets; ++t) base.push_back(static_cast<double>(t + 1) / 8);
  if (d.Flag("base_values")) floats("base_values", base);
  d.In(RowsOf(d), features);
}

void TreeEnsemble(Domain& d) {
  const int64_t transform = d.Pick("post_transform", {0, 1, 2, 3, 4});
  const int64_t targets = d.Pick("n_targets", {1, 3}), how = d.Pick("aggregate_function", {1, 0, 2, 3});
  d.AttrIntOr("post_transform", transform, 0);
  d.AttrIntOr("aggregate_function", how, 1);
  d.AttrInt("n_targets", targets);
  const std::vector<TreeNode> all = Trees(d);
  if (all.back().tree + 1 < targets || (targets > 1 && how == 0))
    d.Reject("what a target without votes has is not told");
  std::vector<TreeNode> nodes, leaves;
  // A leaf alone is a node with the same leaf on either side.
  for (const TreeNode& n : all) (n.leaf ? leaves : nodes).push_back(n);
  const bool alone = nodes.empty();
  if (alone)
    for (const TreeNode& leaf : leaves) nodes.push_back({leaf.tree, 0, 0, 0, 0, false});
  Values features;
  bool tracks = false;
  const std::vector<size_t> modes = Modes(d, nodes.size(), true, &features, &tracks);
  const int32_t type = d.type("T");
  const auto place = [](const std::vector<TreeNode>& in, int64_t tree, int64_t id) {
    const auto at =
        std::find_if(in.begin(), in.end(), [&](const TreeNode& n) { return n.tree == tree && n.id == id; });
    return at == in.end() ? -1 : static_cast<int64_t>(at - in.begin());
  };
  std::vector<int64_t> roots, feature_ids, yes, no, yes_leaf, no_leaf, missing, leaf_targets;
  std::vector<double> mode_numbers, splits, hitrates, weights, members;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const TreeNode& n = nodes[i];
    if (n.id == 0) roots.push_back(static_cast<int64_t>(i));
    feature_ids.push_back(n.feature);
    for (const bool side : {true, false}) {
      const int64_t to = side ? n.yes : n.no, leaf = place(leaves, n.tree, to);
      (side ? yes : no).push_back(leaf >= 0 ? leaf : place(nodes, n.tree, to));
      (side ? yes_leaf : no_leaf).push_back(leaf >= 0);
    }
    missing.push_back(static_cast<int64_t>(i % 2));
    mode_numbers.push_back(static_cast<double>(modes[i]));
    splits.push_back(Split(n));
    hitrates.push_back(1);
    // Sets of one to three numbers, each ended by NaN.
    for (size_t k = 0; k <= i % 3; ++k) members.push_back(Split(n) + static_cast<double>(k));
    members.push_back(kNan);
  }
  for (const TreeNode& n : leaves) {
    leaf_targets.push_back(n.tree % targets);
    weights.push_back(Vote(n, n.tree % targets, transform == 3) * (transform != 4 && n.id % 2 == 0 ? -1 : 1));
  }
  const auto tensor = [&](int32_t of, const std::vector<double>& v) {
    return d.Draw(of, {static_cast<int64_t>(v.size())}, Given(v));
  };
  d.AttrInts("tree_roots", roots);
  d.AttrInts("nodes_featureids", feature_ids);
  d.AttrInts("nodes_truenodeids", yes);
  d.AttrInts("nodes_falsenodeids", no);
  d.AttrInts("nodes_trueleafs", yes_leaf);
  d.AttrInts("nodes_falseleafs", no_leaf);
  d.AttrTensor("nodes_modes", tensor(reference::kUint8, mode_numbers));
  d.AttrTensor("nodes_splits", tensor(type, splits));
  if (tracks) d.AttrInts("nodes_missing_value_tracks_true", missing);
  if (d.Flag("hitrates")) d.AttrTensor("nodes_hitrates", tensor(reference::kFloat, hitrates));
  if (!modes.empty() && modes[0] == kModes.size()) d.AttrTensor("membership_values", tensor(type, members));
  d.AttrInts("leaf_targetids", leaf_targets);
  d.AttrTensor("leaf_weights", tensor(type, weights));
  d.In(RowsOf(d), features);
}

// ---- Maps ----

Value Map(Tensor keys, Tensor values) {
  Value map;
  map.kind = GRAPH_MAP;
  map.type = values.type();
  map.items.emplace_back(std::move(keys));
  map.items.emplace_back(std::move(values));
  return map;
}

void CastMap(Domain& d) {
  const int32_t to = d.type("T2");
  if (to != reference::kFloat) d.AttrText("cast_to", to == reference::kString ? "TO_STRING" : "TO_INT64");
  if (to == reference::kFloat && d.Flag("cast_to_written")) d.AttrText("cast_to", "TO_FLOAT");
  const std::string keys = d.Pick("keys", {"some", "one", "none"});
  std::vector<int64_t> places = {5, 0, 3, 8};
  places.resize(keys == "some" ? 4 : keys == "one" ? 1 : 0);
  const Dims n = {static_cast<int64_t>(places.size())};
  if (d.Flag("sparse")) {
    d.AttrText("map_form", "SPARSE");
    d.AttrInt("max_map", d.Pick("max_map", {9, 20}));
  }
  // How a float is written as text is not told, nor how a fraction becomes an integer.
  const bool strings = to == reference::kString || d.Flag("strings"), whole = to == reference::kInt64;
  d.In(Map(Tensor::Of<int64_t>(n, places),
           strings
               ? Texts(n, whole ? std::vector<std::string>{"12", "-3", "0", "7"}
                                : std::vector<std::string>{"1.5", "-0.25", "3", "7"})
               : d.Draw(reference::kFloat, n, whole ? Given({12, -3, 0, 7}) : Given({1.5, -0.25, 3, 7}))));
}

void DictVectorizer(Domain& d) {
  const int32_t type = d.type("T2");
  // Strings go with integers as keys, and the reverse.
  const bool ints = type == reference::kString ||
                    (type != reference::kInt64 && d.Pick("keys", {"string", "int64"}) == "int64");
  if (ints)
    d.AttrInts("int64_vocabulary", {4, -1, 7, 100, 2});
  else
    d.AttrTexts("string_vocabulary", {"c", "", "a", "word", "b"});
  const std::string count = d.Pick("count", {"some", "one", "none", "all"});
  const size_t n = count == "some" ? 3 : count == "one" ? 1 : count == "all" ? 5 : 0;
  std::vector<int64_t> numbers = {7, 4, 2, 100, -1};
  std::vector<std::string> names = {"a", "c", "word", "", "b"};
  numbers.resize(n);
  names.resize(n);
  const Dims dims = {static_cast<int64_t>(n)};
  d.In(Map(
      ints ? Tensor::Of<int64_t>(dims, numbers) : Tensor::Of<std::string>(dims, names),
      type == reference::kString ? Texts(dims, {"x", "", "long word"}) : d.Draw(type, dims, Distinct(1, 9))));
}

void ZipMap(Domain& d) {
  if (d.Pick("keys", {"string", "int64"}) == "string")
    d.AttrTexts("classlabels_strings", {"b", "", "a", "word"});
  else
    d.AttrInts("classlabels_int64s", {4, -1, 100, 7});
  if (d.Flag("vector"))
    d.In({kFeatures}, Distinct());
  else
    d.In(RowsOf(d), Distinct());
}

constexpr std::string_view kMl = "ai.onnx.ml";

}  // namespace

std::span<const DomainEntry> MlDomains() {
  static const DomainEntry kDomains[] = {
      {kMl, "ArrayFeatureExtractor", ArrayFeatureExtractor},
      {kMl, "Binarizer", Binarizer},
      {kMl, "CastMap", CastMap},
      {kMl, "CategoryMapper", CategoryMapper},
      {kMl, "DictVectorizer", DictVectorizer},
      {kMl, "FeatureVectorizer", FeatureVectorizer},
      {kMl, "Imputer", Imputer},
      {kMl, "LabelEncoder", LabelEncoder},
      {kMl, "LinearClassifier", LinearClassifier},
      {kMl, "LinearRegressor", LinearRegressor},
      {kMl, "Normalizer", Normalizer},
      {kMl, "OneHotEncoder", OneHotEncoder},
      {kMl, "Scaler", Scaler},
      {kMl, "SVMClassifier", SvmClassifier},
      {kMl, "SVMRegressor", SvmRegressor},
      {kMl, "TreeEnsemble", TreeEnsemble},
      {kMl, "TreeEnsembleClassifier", NamedTrees},
      {kMl, "TreeEnsembleRegressor", NamedTrees},
      {kMl, "ZipMap", ZipMap},
  };
  return kDomains;
}

}  // namespace braid::conformance
