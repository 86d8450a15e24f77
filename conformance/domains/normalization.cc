// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators that normalise by statistics of their data, and of Dropout.
#include <algorithm>
#include <limits>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

// An axis of `rank`, `first` the plain one. Axes from the back only where the version knows them.
int64_t PickAxis(Domain& d, int64_t rank, int64_t first, bool negative) {
  std::vector<int64_t> axes;
  for (const int64_t a : Domain::Axes(rank, std::min(first, rank - 1)))
    if (a >= 0 || negative) axes.push_back(a);
  return d.Pick("axis", axes);
}

double PickEpsilon(Domain& d) {
  const double epsilon = d.PickFloat("epsilon", {1e-5, 0.1, 1e-3});
  if (epsilon != 1e-5) d.AttrFloat("epsilon", epsilon);
  return epsilon;
}

// (N, C, D1 ...), of which C stays in a case of symbols.
Dims ImageShape(Domain& d, std::vector<Dims> shapes) {
  Dims x = d.PickInts("shape", shapes);
  for (size_t i = 0; i < x.size(); ++i)
    if (i != 1) x[i] = d.Extent(x[i]);
  return x;
}

// Before opset 13 all axes from `axis` on were one row.
void Softmax(Domain& d) {
  const Dims x = d.AnyShape("shape", 1);
  const int64_t otherwise = d.version() < 13 ? 1 : -1, rank = static_cast<int64_t>(x.size());
  const int64_t axis = PickAxis(d, rank, otherwise, d.version() >= 11);
  if (d.Flag("axis_given") || axis != otherwise) d.AttrInt("axis", axis);
  const std::string values = d.Pick("values", {"any", "large", "far", "equal", "masked"});
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  d.In(x, values == "large"    ? Uniform(1000, 1010)
          : values == "far"    ? Uniform(-200, 200)
          : values == "equal"  ? Given({3})
          : values == "masked" ? Given({1, kHidden, 0.5, -2, kHidden, 3, 0.25})
                               : Spread(8));
}
// The first of equal maxima counts.
void Hardmax(Domain& d) {
  const Dims x = d.AnyShape("shape", 1);
  const int64_t otherwise = d.version() < 13 ? 1 : -1, rank = static_cast<int64_t>(x.size());
  const int64_t axis = PickAxis(d, rank, otherwise, d.version() >= 11);
  if (d.Flag("axis_given") || axis != otherwise) d.AttrInt("axis", axis);
  const std::string values = d.Pick("values", {"distinct", "ties", "negative", "equal"});
  d.In(x, values == "ties"       ? Whole(0, 2)
          : values == "negative" ? Uniform(-9, -1)
          : values == "equal"    ? Given({-1})
                                 : Distinct());
}

void BatchNormalization(Domain& d) {
  std::vector<Dims> shapes = {{2, 3, 4, 5},   {2, 33, 7, 9},  {1, 1, 1, 1},
                              {1, 257, 3, 3}, {1, 2, 33, 65}, {0, 3, 2, 2}};
  if (d.version() > 1)
    for (const Dims& s : {Dims{4, 3}, Dims{2, 3, 65}, Dims{2, 3, 2, 3, 2}, Dims{65, 257},
                          Dims{1, 3, 2, 2, 2, 2}, Dims{1, 1, 65537}})
      shapes.push_back(s);
  if (d.version() >= 9) shapes.push_back({7});  // one channel
  const Dims x = ImageShape(d, shapes);
  Dims channel = {x.size() < 2 ? 1 : x[1]};
  // The statistics of a batch are those of inference, or are taken from it.
  const bool training = d.Flag("training");
  if (training && x[0] == 0) d.Reject("statistics of nothing");
  if (d.has_attribute("spatial")) {
    const std::string spatial = d.Pick("spatial", {"none", "1", "0"});
    if (spatial != "none") d.AttrInt("spatial", spatial == "1");
    // Of each element of a sample.
    if (spatial == "0") {
      if (training) d.Reject("not told how");
      channel.assign(x.begin() + 1, x.end());
    }
  }
  if (d.has_attribute("consumed_inputs")) d.AttrInts("consumed_inputs", {0, 0, 0, 1, 1});
  if (d.has_attribute("is_test") && !training) d.AttrInt("is_test", 1);
  if (d.has_attribute("training_mode") && training) d.AttrInt("training_mode", 1);
  PickEpsilon(d);
  const double momentum = training ? d.PickFloat("momentum", {0.9, 0.5, 0, 1}) : 0.9;
  if (momentum != 0.9) d.AttrFloat("momentum", momentum);
  const std::string variance = d.Pick("variance", {"any", "small"});
  // Before opset 14 there are five, or one; the last two are scratch that nothing can tell of.
  if (training)
    d.Outputs(d.version() < 14 ? std::vector<bool>{true, true, true, false, false}
                               : std::vector<bool>{true, true, true});
  d.In(x, Spread(4));
  d.In(channel, Spread(2));
  d.In(channel, Spread(2));
  d.In(channel, Spread(2));
  d.In(channel, variance == "small" ? Uniform(1e-5, 1e-4) : Uniform(0.1, 4));
}

// Far from zero, a variance that is the difference of large sums is wrong. Of a few numbers nothing could be
// told: the mean's own rounding counts as much.
Values Data(Domain& d, int64_t count) {
  if (!d.Flag("offset")) return Spread(4);
  if (count < 4) d.Reject("a variance of few numbers");
  return Uniform(100, 102);
}
int64_t Product(const Dims& x, size_t from) {
  int64_t n = 1;
  for (size_t i = from; i < x.size(); ++i) n *= x[i];
  return n;
}

void InstanceNormalization(Domain& d) {
  const Dims x = ImageShape(d, {{2, 3, 4, 5},
                                {1, 2, 33},
                                {2, 2, 3, 2, 4},
                                {1, 257, 3, 3},
                                {2, 3, 33, 31},
                                {1, 1, 65537},
                                {3, 2, 1, 1},
                                {0, 3, 2, 2}});
  PickEpsilon(d);
  if (d.has_attribute("consumed_inputs") && d.Flag("consumed_inputs"))
    d.AttrInts("consumed_inputs", {0, 0, 0});
  d.In(x, Data(d, Product(x, 2)));
  d.In({x[1]}, Spread(2));
  d.In({x[1]}, Spread(2));
}

void GroupNormalization(Domain& d) {
  const Dims x = ImageShape(d, {{2, 6, 4, 5},
                                {1, 6, 33},
                                {2, 6, 3, 2, 4},
                                {1, 66, 3, 3},
                                {2, 6, 33, 31},
                                {1, 6, 1025},
                                {3, 6, 1, 1},
                                {2, 6},
                                {0, 6, 2, 2}});
  const int64_t groups = d.Pick("num_groups", {2, 1, 3, 6});
  d.AttrInt("num_groups", groups);
  if (d.version() < 21) d.Reject("scales of groups");
  PickEpsilon(d);
  d.AttrIntOr("stash_type", d.Pick("stash_type", {0, 1}), 0);
  d.In(x, Data(d, Product(x, 2) * x[1] / groups));
  d.In({x[1]}, Spread(2));
  d.In({x[1]}, Spread(2));
}

// A scale or bias that stretches to the axes from `axis` on, or to all.
Dims Stretching(const std::string& how, const Dims& x, int64_t axis) {
  const auto rank = static_cast<int64_t>(x.size());
  Dims own(x.begin() + (axis < 0 ? axis + rank : axis), x.end());
  if (how == "one") return {1};
  if (how == "scalar") return {};
  if (how == "last") return {x.back()};
  if (how == "whole") return x;
  if (how == "ones") std::fill(own.begin(), own.end() - 1, 1);
  return own;
}

// What a row is taken over.
int64_t RowSize(const Dims& x, int64_t axis) {
  return Product(x, static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis));
}

void LayerNormalization(Domain& d) {
  const Dims x = d.AnyShape("shape", 1);
  const int64_t axis = PickAxis(d, static_cast<int64_t>(x.size()), -1, true);
  if (RowSize(x, axis) == 0) d.Reject("a mean of nothing");
  if (axis != -1 || d.Flag("axis_given")) d.AttrInt("axis", axis);
  PickEpsilon(d);
  // The type of the statistics is that of the attribute, which is what they are computed in too.
  const int32_t stash = d.type("U");
  if (stash == reference::kBFloat16 && d.type("T") != reference::kBFloat16)
    d.Reject("statistics of few bits");
  if (stash != reference::kFloat || d.Flag("stash_type")) d.AttrInt("stash_type", stash);
  const std::string outputs = d.Pick("outputs", {"y", "all", "y+mean", "y+inverse"});
  if (outputs == "all") d.Outputs({true, true, true});
  if (outputs == "y+mean") d.Outputs({true, true});
  if (outputs == "y+inverse") d.Outputs({true, false, true});
  const std::string scale = d.Pick("scale", {"axes", "one", "scalar", "last", "ones", "whole"});
  const std::string bias = d.Pick("B", {"axes", "absent", "one", "scalar", "last", "ones", "whole"});
  d.In(x, Data(d, RowSize(x, axis)));
  d.In(Stretching(scale, x, axis), Spread(2));
  if (bias != "absent") d.In(Stretching(bias, x, axis), Spread(2));
}

void RmsNormalization(Domain& d) {
  const Dims x = d.AnyShape("shape", 1);
  const int64_t axis = PickAxis(d, static_cast<int64_t>(x.size()), -1, true);
  if (RowSize(x, axis) == 0) d.Reject("a mean of nothing");
  if (axis != -1 || d.Flag("axis_given")) d.AttrInt("axis", axis);
  PickEpsilon(d);
  d.AttrIntOr("stash_type", d.Pick("stash_type", {0, 1}), 0);
  const std::string scale = d.Pick("scale", {"axes", "one", "scalar", "last", "ones"});
  d.In(x, Data(d, RowSize(x, axis)));
  d.In(Stretching(scale, x, axis), Spread(2));
}

void Lrn(Domain& d) {
  const Dims x = d.Shape("shape", {{2, 7, 4, 5},
                                   {1, 1, 3, 3},
                                   {1, 65, 3, 3},
                                   {2, 5, 33},
                                   {1, 4, 3, 2, 4},
                                   {1, 5, 33, 31},
                                   {1, 3, 1025},
                                   {0, 7, 2, 2}});
  d.AttrInt("size", d.Pick("size", {3, 1, 2, 4, 5, 31}));
  const double alpha = d.PickFloat("alpha", {1e-4, 0.5, 2}), beta = d.PickFloat("beta", {0.75, 0.5, 1, 2}),
               bias = d.PickFloat("bias", {1, 2, 0.25});
  if (alpha != 1e-4) d.AttrFloat("alpha", alpha);
  if (beta != 0.75) d.AttrFloat("beta", beta);
  if (bias != 1) d.AttrFloat("bias", bias);
  d.In(x, Spread(alpha == 1e-4 ? 100 : 4));  // where the default alpha tells
}

void LpNormalization(Domain& d) {
  const Dims x = d.AnyShape("shape", 1);
  const int64_t axis = PickAxis(d, static_cast<int64_t>(x.size()), -1, true);
  if (axis != -1 || d.Flag("axis_given")) d.AttrInt("axis", axis);
  d.AttrIntOr("p", d.Pick("p", {2, 1}), d.Flag("p_given") ? 0 : 2);
  // Zeros by zero are zeros, since opset 22.
  const bool zeros = d.version() >= 22 && d.Flag("zeros");
  d.In(x, zeros ? Given({0}) : Spread(4));
}

void MeanVarianceNormalization(Domain& d) {
  const Dims x =
      d.Shape("shape",
              {{2, 3, 4, 5}, {1, 2, 33, 31}, {1, 257, 3, 3}, {2, 3, 2, 4, 3}, {1, 1, 1, 1025}, {0, 3, 2, 2}});
  std::vector<std::vector<int64_t>> options = {{}, {0, 2, 3}, {0}, {1}, {3}, {1, 2, 3}, {0, 1, 2, 3}, {3, 0}};
  if (d.version() >= 13) options.insert(options.end(), {{-1}, {-4, -2, -1}});
  const std::vector<int64_t> axes = d.PickInts("axes", options);
  if (!axes.empty()) d.AttrInts("axes", axes);
  int64_t count = 1;
  for (const int64_t axis : axes.empty() ? std::vector<int64_t>{0, 2, 3} : axes)
    count *= x[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis)];
  d.In(x, Data(d, count));
}

// Nothing is dropped: in inference, or by a ratio of 0.
void Dropout(Domain& d) {
  const Dims x = d.AnyShape();
  const bool mask = d.Pick("outputs", {"y", "y+mask"}) != "y";
  if (mask) d.Outputs({true, true});
  if (d.has_attribute("seed") && d.Flag("seed")) d.AttrInt("seed", 7);
  if (d.has_attribute("consumed_inputs") && d.Flag("consumed_inputs")) d.AttrInts("consumed_inputs", {0});
  const std::string given = d.Pick("ratio", {"absent", "given", "0"});
  if (d.version() < 12) {
    // A test has no mask, and training one result where nothing is dropped only.
    const bool kept = mask || given == "0";
    if (d.has_attribute("is_test") && !kept) d.AttrInt("is_test", 1);
    if (kept || given == "given") d.AttrFloat("ratio", kept ? 0 : 0.25);
    d.In(x, Spread(4));
    return;
  }
  const std::string mode = d.Pick("training_mode", {"absent", "false", "true"});
  const std::string ratio = mode == "true" ? "0" : given;
  d.In(x, Spread(4));
  // Its type is tried where it is another than the plain one.
  if (ratio != "absent" || d.type("T1") != reference::kFloat)
    d.In({}, Given({ratio == "0" ? 0 : 0.25}));
  else
    d.Absent();
  if (mode != "absent") d.IntScalar(mode == "true");
}

}  // namespace

std::span<const DomainEntry> NormalizationDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Softmax", Softmax},
      {"", "LogSoftmax", Softmax},
      {"", "Hardmax", Hardmax},
      {"", "BatchNormalization", BatchNormalization},
      {"", "InstanceNormalization", InstanceNormalization},
      {"", "GroupNormalization", GroupNormalization},
      {"", "LayerNormalization", LayerNormalization},
      {"", "RMSNormalization", RmsNormalization},
      {"", "LRN", Lrn},
      {"", "LpNormalization", LpNormalization},
      {"", "MeanVarianceNormalization", MeanVarianceNormalization},
      {"", "Dropout", Dropout},
  };
  return kDomains;
}

}  // namespace braid::conformance
