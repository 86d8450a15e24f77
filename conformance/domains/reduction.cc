// SPDX-License-Identifier: Apache-2.0
//
// Domains of reductions, positions of extremes, cumulative sums, and what orders elements.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "conformance/domains/common.h"

namespace braid::conformance {
namespace {

// `none`: also where there is nothing but an axis without elements.
Dims ReducedShape(Domain& d, int64_t least_rank = 0, bool none = true) {
  static const std::vector<Dims> kShapes = {
      {3, 4, 5}, {},        {1},    {33},          {65, 33},          {2, 65},
      {4, 257},  {257, 4},  {1025}, {2, 3, 1, 31}, {1, 2, 3, 2, 2},   {63, 64},
      {65537},   {3, 0, 2}, {0},    {3, 1025, 2},  {2, 1, 2, 1, 2, 3}};
  if (d.IsLarge()) return {Domain::kLarge};
  std::vector<Dims> options;
  for (const Dims& dims : kShapes)
    if (static_cast<int64_t>(dims.size()) >= least_rank && (none || dims != Dims{0})) options.push_back(dims);
  return d.Shape("shape", options);
}

struct Reduced {
  std::optional<std::vector<int64_t>> axes;  // as the node gives them
  int64_t count = 1;                         // elements that come to one
};
// Which axes, and the attributes beside them.
Reduced PickReduced(Domain& d, const Dims& x) {
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<std::string> hows = {"last",  "absent", "first", "middle",   "ends",
                                   "inner", "outer",  "all",   "backwards"};
  if (d.version() >= 11) hows.push_back("negative");
  if (d.has_input("axes")) hows.push_back("empty");
  std::string how = d.Pick("axes", hows);
  if (rank == 0 && how == "last") how = "absent";
  if (rank == 0 && how != "absent" && how != "empty") d.Reject("a scalar has no axes");
  if (rank < 2 && (how == "ends" || how == "inner" || how == "outer")) d.Reject("too few axes");
  std::vector<int64_t> all(static_cast<size_t>(rank));
  std::iota(all.begin(), all.end(), 0);
  std::vector<int64_t> axes = all;
  if (how == "last") axes = {rank - 1};
  if (how == "first") axes = {0};
  if (how == "middle") axes = {rank / 2};
  if (how == "ends") axes = {0, rank - 1};
  if (how == "inner") axes = {rank - 2, rank - 1};
  if (how == "outer") axes.pop_back();
  if (how == "negative") axes = {-1};
  if (how == "backwards") std::reverse(axes.begin(), axes.end());
  if (how == "empty") axes = {};
  const std::string keep = d.Pick("keepdims", {"absent", "0", "1"});
  if (keep != "absent") d.AttrInt("keepdims", keep == "1");
  const bool noop = d.has_attribute("noop_with_empty_axes") && d.Flag("noop_with_empty_axes");
  if (noop) d.AttrInt("noop_with_empty_axes", 1);
  Reduced reduced;
  if (how != "absent") reduced.axes = axes;
  if (how == "absent" || how == "empty") axes = noop ? std::vector<int64_t>{} : all;
  for (const int64_t a : axes) reduced.count *= x[static_cast<size_t>(a < 0 ? a + rank : a)];
  return reduced;
}
void ReduceIn(Domain& d, const Dims& x, const Reduced& reduced, const Values& values) {
  d.In(x, values);
  if (reduced.axes.has_value()) d.AttrOrInput("axes", *reduced.axes);
}

// Sums whose result stays in the range of float16: of both signs, or of magnitudes and squares.
Values Summands(Domain& d, int64_t count) {
  if (d.is_integer("T")) return Whole(-7, 9);
  return count < 5000 ? Spread(4) : Uniform(-0.5, 0.5);
}
// Sums of so many integers that need every bit of the type; overflow is not told.
Values WideSummands(Domain& d, int64_t count) {
  const bool wide = reference::WireBits(d.type("T")) == 64;
  const double most = std::floor((wide ? 9e18 : 2e9) / static_cast<double>(count + 1));
  return Uniform(-most, most);
}
void ReduceSum(Domain& d) {
  const Dims x = ReducedShape(d);
  const Reduced reduced = PickReduced(d, x);
  if (d.is_integer("T") && d.op() == "ReduceSum")
    return ReduceIn(d, x, reduced, WideSummands(d, reduced.count));
  ReduceIn(d, x, reduced, Summands(d, reduced.count));
}
void ReduceMean(Domain& d) {
  const Dims x = ReducedShape(d, 0, false);
  const Reduced reduced = PickReduced(d, x);
  if (reduced.count == 0) d.Reject("the mean of nothing is not told");
  // How a mean of integers is rounded is not told: at least it is none of negative numbers.
  ReduceIn(d, x, reduced, d.is_integer("T") ? Whole(0, 50) : Spread(4));
}
// Products that neither vanish nor overflow: seven factors give -1. Of so many that these seven would round
// alike each time, all near 1.
Values Factors(Domain& d, int64_t count) {
  if (!d.is_integer("T") && count > 5000) return Uniform(0.999, 1.001);
  if (!d.is_integer("T")) return Given({1.25, -0.8, 1.5, -0.6666667, 1, 2, -0.5});
  return count > 60 ? Given({1, -1, 1, -1, -1}) : Given({1, -1, 2, 1, 3, 1, -1});
}
void ReduceProd(Domain& d) {
  const Dims x = ReducedShape(d);
  const Reduced reduced = PickReduced(d, x);
  ReduceIn(d, x, reduced, Factors(d, reduced.count));
}
void ReduceLogSum(Domain& d) {
  const Dims x = ReducedShape(d);
  const Reduced reduced = PickReduced(d, x);
  // Newer versions do not have them.
  if (d.is_integer("T")) d.Reject("logarithms of integers are not told");
  ReduceIn(d, x, reduced, reduced.count < 5000 ? Uniform(0.1, 4) : Uniform(0.1, 0.9));
}
void ReduceLogSumExp(Domain& d) {
  const Dims x = ReducedShape(d);
  const Reduced reduced = PickReduced(d, x);
  if (d.is_integer("T")) d.Reject("logarithms of integers are not told");
  // Whose exponentials a float does not hold.
  const std::string values = d.Pick("values", {"small", "large", "far_below"});
  ReduceIn(d, x, reduced,
           values == "large"       ? Uniform(90, 100)
           : values == "far_below" ? Uniform(-120, -100)
                                   : Spread(4));
}
void ReduceExtreme(Domain& d) {
  const double inf = std::numeric_limits<double>::infinity();
  const Dims x = ReducedShape(d);
  const Reduced reduced = PickReduced(d, x);
  const std::string values = d.Pick("values", {"different", "negative", "positive", "special", "nan"});
  // NaN wins against any number, as in Max and Min.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (values == "nan" && !d.is_float("T")) d.Reject("no NaN");
  ReduceIn(d, x, reduced,
           values == "negative"   ? Distinct(-100, -1)
           : values == "positive" ? Distinct(1, 100)
           : values == "nan"      ? Given({1, 2, nan, -inf, 3, 4, inf, 5, 6, 7, 8})
           : values == "special"  ? Given({-inf, inf, 0, 1, -inf, 1e300, -1e300, 2, -inf, 5, 7})
                                  : Different(d, "T"));
}

void ArgExtreme(Domain& d) {
  const Dims x = ReducedShape(d, 1, false);
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), 0);
  if (x[static_cast<size_t>(axis)] == 0) d.Reject("nothing to choose from");
  const std::string keep = d.Pick("keepdims", {"absent", "0", "1"});
  if (keep != "absent") d.AttrInt("keepdims", keep == "1");
  // Which of equals is chosen is told from opset 12 on.
  if (!d.has_attribute("select_last_index")) {
    const bool few = d.type("T") == reference::kInt8 || d.type("T") == reference::kUint8 ||
                     d.type("T") == reference::kFloat16;
    if (few && Elements(x) > 120) d.Reject("more elements than values");
    d.In(x, d.is_float("T") ? Distinct(-4, 4) : Distinct(0, 120));
    return;
  }
  const std::string last = d.Pick("select_last_index", {"absent", "1", "0"});
  if (last != "absent") d.AttrInt("select_last_index", last == "1");
  d.In(x, d.Pick("values", {"ties", "different"}) == "ties" ? Whole(-3, 3) : Different(d, "T"));
}

void Cumulate(Domain& d, const Dims& x, const Values& values) {
  const std::vector<int64_t> axes = Domain::Axes(static_cast<int64_t>(x.size()), 0);
  const int64_t axis = d.Pick("axis", axes);
  if (d.Flag("exclusive")) d.AttrInt("exclusive", 1);
  if (d.Flag("reverse")) d.AttrInt("reverse", 1);
  d.In(x, values);
  d.IntScalar(axis);
}
void CumSum(Domain& d) {
  const Dims x = ReducedShape(d, 1);
  Cumulate(d, x, d.is_integer("T") ? WideSummands(d, Elements(x)) : Summands(d, Elements(x)));
}
void CumProd(Domain& d) {
  const Dims x = ReducedShape(d, 1);
  Cumulate(d, x, Factors(d, Elements(x)));
}

void TopK(Domain& d) {
  const Dims x = d.Shape("shape", {{3, 4, 5},
                                   {33},
                                   {1},
                                   {2, 65},
                                   {257, 4},
                                   {4, 257},
                                   {1025},
                                   {2, 3, 1, 31},
                                   {1, 2, 3, 2, 2},
                                   {3, 1025, 2},
                                   {65537},
                                   {3, 0, 2}});
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), -1);
  const int64_t extent = x[static_cast<size_t>(axis)];
  const std::string how = d.Pick("k", {"2", "1", "all", "half"});
  int64_t k = std::min(how == "1" ? 1 : how == "2" ? 2 : how == "half" ? (extent + 1) / 2 : extent, extent);
  if (k == 0) d.Reject("k is positive");
  if (d.has_attribute("largest")) {
    const std::string largest = d.Pick("largest", {"absent", "0", "1"});
    if (largest != "absent") d.AttrInt("largest", largest == "1");
    const std::string sorted = d.Pick("sorted", {"absent", "0", "1"});
    if (sorted != "absent") d.AttrInt("sorted", sorted == "1");
    if (sorted == "0") k = 1;  // the order of more is left open
  }
  // Of equals the lower index comes first.
  const Values values = d.Pick("values", {"different", "ties"}) == "ties" ? Whole(-3, 3) : Different(d, "T");
  d.In(x, values);
  if (d.has_input("K"))
    d.Ints({k});
  else
    d.AttrInt("k", k);
}

void Unique(Domain& d) {
  const Dims x =
      d.Shape("shape", {{7, 2, 1}, {33}, {1}, {}, {0}, {2, 65}, {257, 3}, {3, 1025}, {2, 3, 2, 5}, {65537}});
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<std::string> axes = {"absent"};
  for (const int64_t a : Domain::Axes(rank, 0)) axes.push_back(std::to_string(a));
  const std::string axis = d.Pick("axis", axes);
  if (axis != "absent") d.AttrInt("axis", std::stoll(axis));
  std::string sorted = d.Pick("sorted", {"absent", "0", "1"});
  // Complex numbers have no order.
  if (reference::Contains(reference::kComplexes, d.type("T"))) {
    if (sorted == "1") d.Reject("complex numbers have no order");
    sorted = "0";
  }
  if (sorted != "absent") d.AttrInt("sorted", sorted == "1");
  const std::string outputs = d.Pick("outputs", {"all", "y", "indices", "inverse", "counts"});
  const bool all = outputs == "all";
  d.Outputs({true, all || outputs == "indices", all || outputs == "inverse", all || outputs == "counts"});
  // Slices along an axis are equal too.
  Values values = reference::Contains(reference::kComplexes, d.type("T"))
                      ? Given({2, 1, 1, 3, 2, 0, 1, 0, 3, 3, 3})
                  : axis == "absent" ? Whole(-3, 4)
                                     : Whole(0, 1);
  values.words = axis == "absent" ? Words().words : std::vector<std::string>{"a", "b"};
  d.In(x, values);
}

void NonMaxSuppression(Domain& d) {
  const int64_t batches = d.Extent(d.Pick("batches", {2, 1})), classes = d.Extent(d.Pick("classes", {3, 1})),
                boxes = d.Extent(d.Pick("boxes", {6, 1, 33, 257, 0}));
  const std::string form =
      d.has_attribute("center_point_box") ? d.Pick("center_point_box", {"absent", "1", "0"}) : "absent";
  if (form != "absent") d.AttrInt("center_point_box", form == "1");
  const std::string most = d.Pick("max_output_boxes_per_class", {"3", "absent", "0", "1", "1000"});
  const std::string iou = d.Pick("iou_threshold", {"0.5", "absent", "0", "1", "0.2"});
  const std::string score = d.Pick("score_threshold", {"absent", "0.4", "0", "2"});
  const std::string kind = d.Pick("corners", {"drawn", "flipped", "exact"});
  if (kind == "exact" && form == "1") d.Reject("corners only");
  Tensor corners =
      d.Draw(reference::kFloat, {batches, boxes, 4}, form == "1" ? Uniform(0.1, 1) : Uniform(0, 1));
  for (int64_t i = 0; i < batches * boxes; ++i) {
    float* box = corners.data<float>() + i * 4;
    if (form != "1" && kind != "flipped")
      for (const int k : {0, 1})
        if (box[k] > box[k + 2]) std::swap(box[k], box[k + 2]);
    if (kind == "exact") {
      // Halves of a unit square: some overlap by exactly 0.5.
      box[0] = 0, box[1] = static_cast<float>(i % 2) * 0.5f, box[2] = 1, box[3] = i % 3 == 2 ? 0.75f : 1;
    }
  }
  d.In(corners);
  d.In({batches, classes, boxes}, Distinct(0.05, 0.99));
  if (most == "absent")
    d.Absent();
  else
    d.IntScalar(std::stoll(most));
  for (const std::string& threshold : {iou, score}) {
    if (threshold == "absent")
      d.Absent();
    else
      d.In({}, Given({std::stod(threshold)}));
  }
}

}  // namespace

std::span<const DomainEntry> ReductionDomains() {
  static const DomainEntry kDomains[] = {
      {"", "ReduceL1", ReduceSum},
      {"", "ReduceL2", ReduceSum},
      {"", "ReduceLogSum", ReduceLogSum},
      {"", "ReduceLogSumExp", ReduceLogSumExp},
      {"", "ReduceMax", ReduceExtreme},
      {"", "ReduceMean", ReduceMean},
      {"", "ReduceMin", ReduceExtreme},
      {"", "ReduceProd", ReduceProd},
      {"", "ReduceSum", ReduceSum},
      {"", "ReduceSumSquare", ReduceSum},
      {"", "ArgMax", ArgExtreme},
      {"", "ArgMin", ArgExtreme},
      {"", "CumSum", CumSum},
      {"", "CumProd", CumProd},
      {"", "TopK", TopK},
      {"", "Unique", Unique},
      {"", "NonMaxSuppression", NonMaxSuppression},
  };
  return kDomains;
}

}  // namespace braid::conformance
