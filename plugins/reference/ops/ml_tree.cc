// SPDX-License-Identifier: Apache-2.0
//
// Tree ensembles: TreeEnsemble-5 and the two operators that it replaces. All are made into one form, whose
// indices are checked once, and walked with a bound on the steps, so that no malformed tree reads elsewhere
// or runs for ever.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "plugins/reference/ops/ml.h"

namespace braid::reference {
namespace {

enum Mode : uint8_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember };
enum class Aggregate { kAverage, kSum, kMin, kMax };

struct TreeNode {
  Mode mode = kLeq;
  bool missing_is_true = false;
  int64_t feature = 0;
  double split = 0;
  int64_t next_true = 0, next_false = 0;  // a node, or -1 - leaf
  std::set<double> members;
};

struct Vote {
  int64_t target;
  double weight;
};

struct Forest {
  std::vector<TreeNode> nodes;
  std::vector<std::vector<Vote>> leaves;
  std::vector<int64_t> roots;  // a node, or -1 - leaf

  const std::vector<Vote>& LeafOf(const OpContext& op, int64_t at, std::span<const double> x) const {
    for (size_t steps = 0; at >= 0; ++steps) {
      if (steps > nodes.size()) op.Fail("the nodes form a cycle");
      const TreeNode& node = nodes[static_cast<size_t>(at)];
      const double v = x[static_cast<size_t>(node.feature)];
      bool yes = node.missing_is_true && std::isnan(v);
      switch (node.mode) {
        case kLeq:
          yes = yes || v <= node.split;
          break;
        case kLt:
          yes = yes || v < node.split;
          break;
        case kGte:
          yes = yes || v >= node.split;
          break;
        case kGt:
          yes = yes || v > node.split;
          break;
        case kEq:
          yes = yes || v == node.split;
          break;
        case kNeq:
          yes = yes || v != node.split;
          break;
        case kMember:
          yes = yes || (!std::isnan(v) && node.members.count(v) != 0);
          break;
      }
      at = yes ? node.next_true : node.next_false;
    }
    return leaves[static_cast<size_t>(-1 - at)];
  }

  void CheckFeatures(const OpContext& op, int64_t width) const {
    for (size_t i = 0; i < nodes.size(); ++i)
      op.Check(nodes[i].feature >= 0 && nodes[i].feature < width,
               "node " + std::to_string(i) + " looks at feature " + std::to_string(nodes[i].feature) +
                   " of " + std::to_string(width));
  }

  // The aggregated scores of one row; a target without votes has 0.
  std::vector<double> Scores(const OpContext& op, std::span<const double> x, int64_t targets,
                             Aggregate how) const {
    std::vector<double> scores(static_cast<size_t>(targets), 0);
    std::vector<bool> voted(scores.size(), false);
    for (int64_t root : roots) {
      for (const Vote& vote : LeafOf(op, root, x)) {
        const size_t t = static_cast<size_t>(vote.target);
        double& score = scores[t];
        if (how == Aggregate::kMin || how == Aggregate::kMax) {
          const bool better = how == Aggregate::kMin ? vote.weight < score : vote.weight > score;
          if (!voted[t] || better) score = vote.weight;
        } else {
          score += vote.weight;
        }
        voted[t] = true;
      }
    }
    if (how == Aggregate::kAverage && !roots.empty())
      for (double& score : scores) score /= static_cast<double>(roots.size());
    return scores;
  }
};

void CheckLength(const OpContext& op, const char* name, size_t have, size_t want) {
  op.Check(have == want, std::string(name) + " holds " + std::to_string(have) + " elements, " +
                             std::to_string(want) + " are needed");
}

// A TENSOR attribute as doubles; empty if absent.
std::vector<double> Doubles(const OpContext& op, const std::string& name) {
  const Tensor t = op.TensorAttr(name);
  std::vector<double> out;
  for (int64_t i = 0; t.present() && i < t.size(); ++i) out.push_back(t.AsDouble(i));
  return out;
}

// FLOATS `name`, or the tensor `name`_as_tensor.
std::vector<double> FloatsOrTensor(const OpContext& op, const std::string& name) {
  std::vector<double> out = Doubles(op, name + "_as_tensor");
  if (out.empty())
    for (float v : op.Floats(name)) out.push_back(static_cast<double>(v));
  return out;
}

// The nodes of TreeEnsembleRegressor and -Classifier: named by (tree, node) pairs, leaves among them. `kind`:
// "target" or "class", the prefix of the votes.
Forest NamedForest(const OpContext& op, const std::string& kind, int64_t targets) {
  const std::vector<int64_t> trees = op.Ints("nodes_treeids"), ids = op.Ints("nodes_nodeids"),
                             features = op.Ints("nodes_featureids"), yes = op.Ints("nodes_truenodeids"),
                             no = op.Ints("nodes_falsenodeids"),
                             missing = op.Ints("nodes_missing_value_tracks_true");
  const std::vector<std::string> modes = op.Strings("nodes_modes");
  const std::vector<double> splits = FloatsOrTensor(op, "nodes_values");
  const size_t n = ids.size();
  CheckLength(op, "nodes_treeids", trees.size(), n);
  CheckLength(op, "nodes_featureids", features.size(), n);
  CheckLength(op, "nodes_truenodeids", yes.size(), n);
  CheckLength(op, "nodes_falsenodeids", no.size(), n);
  CheckLength(op, "nodes_modes", modes.size(), n);
  CheckLength(op, "nodes_values", splits.size(), n);
  if (!missing.empty()) CheckLength(op, "nodes_missing_value_tracks_true", missing.size(), n);

  Forest forest;
  std::map<std::pair<int64_t, int64_t>, int64_t> places;  // a node, or -1 - leaf
  for (size_t i = 0; i < n; ++i) {
    const bool leaf = modes[i] == "LEAF";
    const int64_t place =
        leaf ? -1 - static_cast<int64_t>(forest.leaves.size()) : static_cast<int64_t>(forest.nodes.size());
    op.Check(places.emplace(std::pair(trees[i], ids[i]), place).second,
             "node " + std::to_string(ids[i]) + " of tree " + std::to_string(trees[i]) + " is there twice");
    if (leaf) {
      forest.leaves.emplace_back();
      continue;
    }
    static const char* const kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                         "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    const auto mode = std::find(std::begin(kModes), std::end(kModes), modes[i]);
    op.Check(mode != std::end(kModes),
             "the mode '" + modes[i] + "' of node " + std::to_string(i) + " is not known");
    TreeNode node;
    node.mode = static_cast<Mode>(mode - kModes);
    node.missing_is_true = !missing.empty() && missing[i] != 0;
    node.feature = features[i];
    node.split = splits[i];
    forest.nodes.push_back(std::move(node));
  }
  auto find = [&](int64_t tree, int64_t id) {
    const auto found = places.find({tree, id});
    op.Check(found != places.end(), "tree " + std::to_string(tree) + " has no node " + std::to_string(id));
    return found->second;
  };
  // A tree's root is its first node.
  std::set<int64_t> seen;
  for (size_t i = 0, k = 0; i < n; ++i) {
    if (seen.insert(trees[i]).second) forest.roots.push_back(find(trees[i], ids[i]));
    if (modes[i] == "LEAF") continue;
    forest.nodes[k].next_true = find(trees[i], yes[i]);
    forest.nodes[k++].next_false = find(trees[i], no[i]);
  }
  const std::vector<int64_t> vote_trees = op.Ints(kind + "_treeids"), vote_nodes = op.Ints(kind + "_nodeids"),
                             vote_targets = op.Ints(kind + "_ids");
  const std::vector<double> weights = FloatsOrTensor(op, kind + "_weights");
  CheckLength(op, (kind + "_nodeids").c_str(), vote_nodes.size(), vote_trees.size());
  CheckLength(op, (kind + "_ids").c_str(), vote_targets.size(), vote_trees.size());
  CheckLength(op, (kind + "_weights").c_str(), weights.size(), vote_trees.size());
  for (size_t i = 0; i < vote_trees.size(); ++i) {
    op.Check(vote_targets[i] >= 0 && vote_targets[i] < targets,
             kind + "_ids hold " + std::to_string(vote_targets[i]) + " of " + std::to_string(targets));
    const int64_t place = find(vote_trees[i], vote_nodes[i]);
    op.Check(place < 0, "node " + std::to_string(vote_nodes[i]) + " of tree " +
                            std::to_string(vote_trees[i]) + " votes but is no leaf");
    auto& leaf = forest.leaves[static_cast<size_t>(-1 - place)];
    // Of a single target a leaf says one thing: skl2onnx writes it once a class where a regressor stands in
    // for a classifier (the number of the leaf).
    const bool again = targets == 1 && kind == "target" && !leaf.empty() && leaf.back().weight == weights[i];
    if (!again) leaf.push_back({vote_targets[i], weights[i]});
  }
  return forest;
}

int64_t CheckedTargets(const OpContext& op, int64_t targets) {
  op.Check(targets > 0 && targets <= (int64_t{1} << 31), "n_targets is " + std::to_string(targets));
  return targets;
}

}  // namespace

void TreeEnsembleRegressor(OpContext& op) {
  const Rows rows(op);
  const int64_t targets = CheckedTargets(op, op.Int("n_targets", 1));
  const std::string name = op.String("aggregate_function", "SUM");
  static const char* const kNames[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  const auto aggregate = std::find(std::begin(kNames), std::end(kNames), name);
  op.Check(aggregate != std::end(kNames), "aggregate_function '" + name + "' is not known");
  const PostTransform transform = PostTransformOf(op);
  const Forest forest = NamedForest(op, "target", targets);
  forest.CheckFeatures(op, rows.width);
  const std::vector<double> base = FloatsOrTensor(op, "base_values");
  op.Check(
      base.size() <= 1 || static_cast<int64_t>(base.size()) == targets,
      std::to_string(base.size()) + " base_values are given for " + std::to_string(targets) + " targets");
  Tensor& out = op.Output(0, kFloat, {rows.count, targets});
  op.parallel().For(rows.count, static_cast<int64_t>(forest.roots.size()) * 100, [&](int64_t i) {
    std::vector<double> scores =
        forest.Scores(op, rows.row(i), targets, static_cast<Aggregate>(aggregate - kNames));
    for (size_t t = 0; t < scores.size() && !base.empty(); ++t) scores[t] += base[base.size() == 1 ? 0 : t];
    Transform(transform, scores);
    std::transform(scores.begin(), scores.end(), out.data<float>() + i * targets,
                   [](double s) { return static_cast<float>(s); });
  });
}

// Votes for one class id alone, of at most two classes, are a binary model: the score of the second class. As
// a probability (no weight negative, no transform) the first has the complement of it, else the opposite.
void TreeEnsembleClassifier(OpContext& op) {
  const Rows rows(op);
  const ClassLabels labels(op, "classlabels_int64s", "classlabels_strings");
  const int64_t classes = std::max<int64_t>(static_cast<int64_t>(labels.size()), 1);
  const PostTransform transform = PostTransformOf(op);
  const Forest forest = NamedForest(op, "class", classes);
  forest.CheckFeatures(op, rows.width);
  const std::vector<double> base = FloatsOrTensor(op, "base_values");
  op.Check(
      base.size() <= 1 || static_cast<int64_t>(base.size()) == classes,
      std::to_string(base.size()) + " base_values are given for " + std::to_string(classes) + " classes");
  const std::vector<int64_t> ids = op.Ints("class_ids");
  const std::vector<double> weights = FloatsOrTensor(op, "class_weights");
  const bool binary = classes <= 2 && !ids.empty() &&
                      std::all_of(ids.begin(), ids.end(), [&](int64_t id) { return id == ids[0]; });
  const bool positive = std::all_of(weights.begin(), weights.end(), [](double w) { return w >= 0; });
  const bool complement =
      positive && (transform == PostTransform::kNone || transform == PostTransform::kProbit);
  const int64_t columns = binary ? 2 : classes;
  Tensor z(kFloat, {rows.count, columns});
  std::vector<size_t> picked(static_cast<size_t>(rows.count));
  op.parallel().For(rows.count, static_cast<int64_t>(forest.roots.size()) * 100, [&](int64_t i) {
    std::vector<double> scores = forest.Scores(op, rows.row(i), classes, Aggregate::kSum);
    for (size_t t = 0; t < scores.size() && !base.empty(); ++t) scores[t] += base[base.size() == 1 ? 0 : t];
    if (binary) {
      const double s = scores[static_cast<size_t>(ids[0])];
      scores = {complement ? 1 - s : -s, s};
    }
    Transform(transform, scores);
    picked[static_cast<size_t>(i)] =
        static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    std::transform(scores.begin(), scores.end(), z.data<float>() + i * columns,
                   [](double s) { return static_cast<float>(s); });
  });
  // A single label is that of the second class.
  if (binary && classes == 1) {
    ClassLabels two = labels;
    if (!two.ints.empty()) two.ints.insert(two.ints.begin(), 0);
    if (!two.strings.empty()) two.strings.insert(two.strings.begin(), std::string());
    two.Write(op, picked);
  } else {
    labels.Write(op, picked);
  }
  if (op.wants(1)) op.SetOutput(1, z);
}

// TreeEnsemble-5: nodes and leaves by position.
void TreeEnsemble(OpContext& op) {
  const Rows rows(op);
  const int64_t targets = CheckedTargets(op, op.Int("n_targets", 1));
  const int64_t aggregate = op.Int("aggregate_function", 1), transform = op.Int("post_transform", 0);
  op.Check(aggregate >= 0 && aggregate <= 3, "aggregate_function is " + std::to_string(aggregate));
  op.Check(transform >= 0 && transform <= 4, "post_transform is " + std::to_string(transform));
  const std::vector<int64_t> features = op.Ints("nodes_featureids"), yes = op.Ints("nodes_truenodeids"),
                             no = op.Ints("nodes_falsenodeids"), yes_leaf = op.Ints("nodes_trueleafs"),
                             no_leaf = op.Ints("nodes_falseleafs"),
                             missing = op.Ints("nodes_missing_value_tracks_true"),
                             leaf_targets = op.Ints("leaf_targetids");
  const std::vector<double> modes = Doubles(op, "nodes_modes"), splits = Doubles(op, "nodes_splits"),
                            leaf_weights = Doubles(op, "leaf_weights"),
                            members = Doubles(op, "membership_values");
  const size_t n = features.size();
  CheckLength(op, "nodes_truenodeids", yes.size(), n);
  CheckLength(op, "nodes_falsenodeids", no.size(), n);
  CheckLength(op, "nodes_trueleafs", yes_leaf.size(), n);
  CheckLength(op, "nodes_falseleafs", no_leaf.size(), n);
  CheckLength(op, "nodes_modes", modes.size(), n);
  CheckLength(op, "nodes_splits", splits.size(), n);
  if (!missing.empty()) CheckLength(op, "nodes_missing_value_tracks_true", missing.size(), n);
  CheckLength(op, "leaf_weights", leaf_weights.size(), leaf_targets.size());

  Forest forest;
  for (size_t i = 0; i < leaf_targets.size(); ++i) {
    op.Check(leaf_targets[i] >= 0 && leaf_targets[i] < targets,
             "leaf_targetids hold " + std::to_string(leaf_targets[i]) + " of " + std::to_string(targets));
    forest.leaves.push_back({{leaf_targets[i], leaf_weights[i]}});
  }
  auto place = [&](int64_t id, bool leaf) {
    const size_t count = leaf ? forest.leaves.size() : n;
    op.Check(id >= 0 && id < static_cast<int64_t>(count), std::string(leaf ? "leaf " : "node ") +
                                                              std::to_string(id) + " of " +
                                                              std::to_string(count) + " is pointed to");
    return leaf ? -1 - id : id;
  };
  size_t member = 0;
  for (size_t i = 0; i < n; ++i) {
    op.Check(modes[i] >= 0 && modes[i] <= 6, "the mode of node " + std::to_string(i) + " is not known");
    TreeNode node;
    node.mode = static_cast<Mode>(static_cast<int>(modes[i]));
    node.missing_is_true = !missing.empty() && missing[i] != 0;
    node.feature = features[i];
    node.split = splits[i];
    node.next_true = place(yes[i], yes_leaf[i] != 0);
    node.next_false = place(no[i], no_leaf[i] != 0);
    if (node.mode == kMember) {
      // Sets in the order of the nodes, each ended by NaN.
      for (; member < members.size() && !std::isnan(members[member]); ++member)
        node.members.insert(members[member]);
      op.Check(member < members.size(),
               "membership_values hold fewer sets than there are nodes with BRANCH_MEMBER");
      ++member;
    }
    forest.nodes.push_back(std::move(node));
  }
  for (int64_t root : op.Ints("tree_roots")) forest.roots.push_back(place(root, false));
  forest.CheckFeatures(op, rows.width);
  const int32_t type = op.input(0).type();
  Tensor& out = op.Output(0, type, {rows.count, targets});
  DispatchIn<Types(kFloat, kDouble, kFloat16)>(type, [&]<class T>() {
    op.parallel().For(rows.count, static_cast<int64_t>(forest.roots.size()) * 100, [&](int64_t i) {
      std::vector<double> scores = forest.Scores(op, rows.row(i), targets, static_cast<Aggregate>(aggregate));
      Transform(static_cast<PostTransform>(transform), scores);
      std::transform(scores.begin(), scores.end(), out.data<T>() + i * targets,
                     [](double s) { return static_cast<T>(s); });
    });
  });
}

}  // namespace braid::reference
