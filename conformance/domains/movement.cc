// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators that move elements without looking at them.
#include <algorithm>
#include <limits>
#include <numeric>

#include "conformance/domains/common.h"

namespace braid::conformance {

int64_t Elements(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}
Dims Without(Dims dims, int64_t axis) {
  dims.erase(dims.begin() + axis);
  return dims;
}
Dims With(Dims dims, int64_t axis, int64_t extent) {
  dims[static_cast<size_t>(axis)] = extent;
  return dims;
}

Dims OddShape(Domain& d, int64_t least_rank) {
  static const std::vector<Dims> kShapes = {{3, 5, 7},
                                            {},
                                            {1},
                                            {0},
                                            {33},
                                            {65, 33},
                                            {4, 257},
                                            {1025},
                                            {2, 3, 1, 31},
                                            {1, 2, 3, 2, 2},
                                            {3, 0, 2},
                                            {65537},
                                            {1, 1, 1},
                                            {2, 1, 2, 1, 2, 3},
                                            {2, 1, 1, 2, 1, 1, 2, 3}};
  std::vector<Dims> options;
  for (const Dims& dims : kShapes)
    if (static_cast<int64_t>(dims.size()) >= least_rank) options.push_back(dims);
  return d.Shape("shape", options);
}

Values Different(Domain& d, const std::string& variable) {
  Values values;
  switch (d.type(variable)) {
    case reference::kUint2:
    case reference::kInt2:
      return Whole(-2, 3);
    case reference::kUint4:
    case reference::kInt4:
      return Whole(-8, 15);
    case reference::kFloat4E2M1:
    case reference::kFloat6E2M3:
    case reference::kFloat6E3M2:
      return Distinct(-6, 6);
    case reference::kFloat8E8M0:
      return {Values::kSpread, 0x1p-60, 0x1p60, {}, {}};
    case reference::kInt8:
      return Distinct(-127, 127);
    case reference::kUint8:
      return Distinct(0, 255);
    case reference::kInt16:
      return Distinct(-32000, 32000);
    case reference::kUint16:
      return Distinct(0, 65000);
    case reference::kUint32:
      return Distinct(0, 4e9);
    case reference::kUint64:
      return Distinct(0, 1.8e19);
    case reference::kString:
      values = Words();
      for (int i = 0; i < 60; ++i) values.words.push_back("word " + std::to_string(i * i));
      return values;
    default:
      // High halves too.
      if (d.is_integer(variable))
        return reference::WireBits(d.type(variable)) == 64 ? Distinct(-9e18, 9e18) : Distinct(-2e9, 2e9);
      return Distinct(-3.7, 4);
  }
}
Values Movable(Domain& d, const std::string& variable) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  if (d.Pick("values", {"different", "special"}) == "special")
    return Given({0, -0.0, 1, nan, inf, -inf, 1e-40, 1e300, -1e300, 6e-8, -1, 65504, 3.4e38});
  return Different(d, variable);
}

int64_t Axis(Domain& d, int64_t rank, int64_t absent, bool has_default, int negative_since) {
  std::vector<int64_t> axes = Domain::Axes(rank, absent);
  if (d.version() < negative_since) std::erase_if(axes, [&](int64_t a) { return a < 0 && a != absent; });
  if (axes.empty()) d.Reject("a scalar has no axes");
  const int64_t axis = d.Pick("axis", axes);
  if (!has_default || axis != absent) d.AttrInt("axis", axis);
  return axis < 0 ? axis + rank : axis;
}

namespace {

void Transpose(Domain& d) {
  const Dims x = d.Shape("shape", {{3, 5, 7},
                                   {},
                                   {1},
                                   {33},
                                   {65, 33},
                                   {257, 257},
                                   {2, 33, 65},
                                   {5, 64, 3},
                                   {2, 3, 1, 31},
                                   {1, 2, 3, 2, 2},
                                   {3, 0, 2},
                                   {2, 1, 2, 1, 2, 3},
                                   {2, 1, 1, 2, 1, 1, 2, 3}});
  const std::string how =
      d.Pick("perm", {"absent", "identity", "last_two", "first_two", "rotated", "back", "ends"});
  std::vector<int64_t> perm(x.size());
  std::iota(perm.begin(), perm.end(), 0);
  if (how != "absent" && how != "identity" && x.size() < 2) d.Reject("nothing to exchange");
  if (how == "last_two") std::iter_swap(perm.end() - 1, perm.end() - 2);
  if (how == "first_two") std::iter_swap(perm.begin(), perm.begin() + 1);
  if (how == "rotated") std::rotate(perm.begin(), perm.begin() + 1, perm.end());
  if (how == "back") std::rotate(perm.begin(), perm.end() - 1, perm.end());
  if (how == "ends") std::iter_swap(perm.begin(), perm.end() - 1);
  if (how != "absent") d.AttrInts("perm", perm);
  d.In(x, Movable(d, "T"));
}

void Concat(Domain& d) {
  const Dims x = OddShape(d, 1);
  const int64_t rank = static_cast<int64_t>(x.size());
  // It has a default in opset 1 only.
  const int64_t axis = Axis(d, rank, d.version() < 4 ? 1 : 0, d.version() < 4);
  const int64_t n = d.Pick("inputs", {2, 1, 3, 33});
  if (n > 3 && Elements(x) > 10000) d.Reject("large");
  const std::string extents = d.Pick("extents", {"growing", "equal", "some_none"});
  const Values values = Movable(d, "T");
  for (int64_t i = 0; i < n; ++i) {
    const int64_t own = x[static_cast<size_t>(axis)];
    d.In(With(x, axis,
              extents == "equal"     ? own
              : extents == "growing" ? own + i
              : i % 2 == 0           ? 0
                                     : own),
         values);
  }
}

void Split(Domain& d) {
  Dims x =
      d.PickInts("shape", {{6, 5, 7}, {6}, {65, 33}, {257, 6}, {2, 3, 1, 31}, {1, 2, 3, 2, 2}, {3, 0, 2}});
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), 0, d.version() > 1);
  const bool counted = d.has_attribute("num_outputs");
  std::vector<std::string> hows = {"equal", "lengths", "with_none"};
  if (counted) hows.push_back("uneven");
  if (d.version() == 1) hows.push_back("lengths_input");
  const std::string how = d.Pick("how", hows);
  int64_t parts = d.Pick("parts", {2, 1, 3, 6}), total = 6 * d.Pick("sixth", {1, 11, 0, 43});
  if (d.IsMany()) parts = 33, total = 66;
  if (how == "uneven") {
    total += 1;
    if ((total + parts - 1) / parts * (parts - 1) >= total) d.Reject("more than the last part is smaller");
  }
  // The other axes may be symbols.
  for (size_t i = 0; i < x.size(); ++i)
    if (static_cast<int64_t>(i) != axis) x[i] = d.Extent(x[i]);
  d.In(With(x, axis, total), Movable(d, "T"));
  d.OutputCount(static_cast<size_t>(parts));
  if (how == "equal" || how == "uneven") {
    if (counted) d.AttrInt("num_outputs", parts);
    return;
  }
  if (total < parts) d.Reject("nothing to split");
  std::vector<int64_t> lengths(static_cast<size_t>(parts), 1);
  if (how == "with_none" && parts > 1) lengths[0] = 0;
  lengths.back() = total - std::accumulate(lengths.begin(), lengths.end() - 1, int64_t{0});
  std::rotate(lengths.begin(), lengths.begin() + parts / 2, lengths.end());
  if (how == "lengths_input")
    d.Ints(lengths);
  else
    d.AttrOrInput("split", lengths);
}

// Axes that a list names: which, in terms of the rank.
std::vector<int64_t> ListedAxes(Domain& d, const std::string& which, int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (rank == 0) d.Reject("a scalar has no axes");
  if (which == "first") return {0};
  if (which == "last") return {rank - 1};
  if (which == "negative") return {-1};
  if (which == "backwards") std::reverse(axes.begin(), axes.end());
  return axes;
}
std::vector<std::string> WhichAxes(bool negative) {
  std::vector<std::string> which = {"absent", "all", "first", "last", "backwards"};
  if (negative) which.push_back("negative");
  return which;
}

void Slice(Domain& d) {
  const Dims x = d.Shape("shape", {{5, 7, 9},
                                   {6},
                                   {1},
                                   {33},
                                   {65, 33},
                                   {4, 257},
                                   {1025},
                                   {2, 3, 4, 31},
                                   {3, 4, 2, 3, 5},
                                   {3, 0, 2},
                                   {65537}});
  const std::string which = d.Pick("axes", WhichAxes(d.version() >= 11));
  const std::vector<int64_t> axes = ListedAxes(d, which, static_cast<int64_t>(x.size()));
  const std::string range = d.Pick("range", {"inner", "whole", "beyond", "none", "one", "from_end"});
  const std::string steps =
      d.has_input("steps") ? d.Pick("steps", {"absent", "1", "2", "3", "-1", "-2", "-1000"}) : "absent";
  const int64_t step = steps == "absent" ? 1 : std::stoll(steps);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  int64_t start = 1, end = -1;
  if (range == "whole") start = 0, end = kMost;
  if (range == "beyond") start = -1000000, end = 1000000;
  if (range == "none") start = 2, end = 1;
  if (range == "one") start = 0, end = 1;
  if (range == "from_end") start = -3, end = -1;
  if (step < 0) {
    std::swap(start, end);
    if (range == "whole") start = -1, end = kLeast;
    if (range == "one") start = 0, end = kLeast;
  }
  const std::vector<int64_t> starts(axes.size(), start), ends(axes.size(), end);
  d.In(x, Movable(d, "T"));
  if (d.has_attribute("starts")) {
    d.AttrInts("starts", starts);
    d.AttrInts("ends", ends);
    if (which != "absent") d.AttrInts("axes", axes);
    return;
  }
  d.Ints(starts);
  d.Ints(ends);
  if (which == "absent")
    d.Absent();
  else
    d.Ints(axes);
  if (steps != "absent") d.Ints(std::vector<int64_t>(axes.size(), step));
}

void Pad(Domain& d) {
  const Dims x = d.Shape("shape", {{3, 5, 7},
                                   {4},
                                   {1},
                                   {33},
                                   {65, 33},
                                   {4, 257},
                                   {1025},
                                   {2, 3, 2, 31},
                                   {3, 2, 3, 2, 4},
                                   {3, 0, 2},
                                   {1, 1, 65}});
  std::vector<std::string> modes = {"constant", "reflect", "edge"};
  if (d.version() >= 19) modes.push_back("wrap");
  const std::string mode = d.Pick("mode", modes);
  if (mode != "constant") d.AttrText("mode", mode);
  const std::string which = d.has_input("axes") ? d.Pick("axes", WhichAxes(true)) : "absent";
  const std::vector<int64_t> axes = ListedAxes(d, which, static_cast<int64_t>(x.size()));
  std::vector<std::string> all_amounts = {"both", "begin", "end", "none", "wide"};
  if (d.version() > 1) all_amounts.insert(all_amounts.end(), {"removed", "mixed"});  // negative ones
  const std::string amounts = d.Pick("pads", all_amounts);
  std::vector<int64_t> begins, ends;
  for (const int64_t axis : axes) {
    const int64_t extent = x[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis)];
    int64_t begin = 1, end = 2;
    if (amounts == "begin" || amounts == "none") end = 0;
    if (amounts == "end" || amounts == "none") begin = 0;
    // What a mode other than constant repeats, and how often, is told for what is there only.
    if (amounts == "removed" || amounts == "mixed") {
      if (mode != "constant") d.Reject("which comes first is not told");
      begin = extent > 1 ? -1 : 0;
      end = amounts == "mixed" ? 3 : extent > 2 ? -1 : 0;
    }
    if (amounts == "wide" && begins.size() + 1 == axes.size()) {
      if (mode == "reflect") d.Reject("wider than the input");
      begin = 33;
      end = 65;
      if (mode == "wrap") begin = end = extent;
    }
    if (mode == "reflect")
      begin = std::clamp<int64_t>(begin, 0, std::max<int64_t>(extent - 1, 0)),
      end = std::clamp<int64_t>(end, 0, std::max<int64_t>(extent - 1, 0));
    if (mode == "wrap") begin = std::min(begin, extent), end = std::min(end, extent);
    if (mode != "constant" && extent == 0) begin = end = 0;
    begins.push_back(begin);
    ends.push_back(end);
  }
  begins.insert(begins.end(), ends.begin(), ends.end());
  d.In(x, Movable(d, "T"));
  // Its types have a 0, but for one.
  const bool valued =
      d.Pick("value", {"absent", "given"}) == "given" || d.type("T") == reference::kFloat8E8M0;
  if (valued && mode != "constant" && d.type("T") != reference::kFloat8E8M0) d.Reject("no value is used");
  if (d.version() < 11) {
    d.AttrInts(d.version() == 1 ? "paddings" : "pads", begins);
    if (valued) d.AttrFloat("value", 1.5);
    return;
  }
  d.Ints(begins);
  if (valued && mode == "constant")
    d.In({}, Given({3}));
  else if (which != "absent")
    d.Absent();
  if (which != "absent") d.Ints(axes);
}

void Tile(Domain& d) {
  const Dims x = OddShape(d, d.version() == 1 ? 1 : 0);
  if (d.version() == 1) {
    // Numbers of the input's type.
    d.In(x, Movable(d, "T"));
    d.IntScalar(d.Pick("tiles", {2, 1, 3}));
    std::vector<int64_t> axes(x.size());
    std::iota(axes.begin(), axes.end(), 0);
    d.IntScalar(d.Pick("axis", axes));
    return;
  }
  const std::string how = d.Pick("repeats", {"each", "ones", "first", "last", "none", "many"});
  if (how == "many" && Elements(x) > 2000) d.Reject("large");
  std::vector<int64_t> repeats(x.size(), how == "each" ? 2 : 1);
  if (!repeats.empty()) {
    if (how == "each") repeats[0] = 3;
    if (how == "first") repeats.front() = 3;
    if (how == "last") repeats.back() = 2;
    if (how == "none") repeats.back() = 0;
    if (how == "many") repeats.back() = 33;
  }
  d.In(x, Movable(d, "T"));
  d.Ints(repeats);
}

// [N, C, H, W] of whole blocks.
void Blocks(Domain& d, bool to_space) {
  const int64_t block = d.Pick("blocksize", {2, 1, 3});
  if (d.has_attribute("mode"))
    if (const std::string mode = d.Pick("mode", {"DCR", "CRD"}); mode != "DCR") d.AttrText("mode", mode);
  Dims x = d.PickInts(
      "shape", {{2, 3, 3, 5}, {1, 1, 1, 1}, {1, 5, 33, 7}, {0, 2, 3, 3}, {3, 2, 1, 65}, {1, 33, 8, 8}});
  x[0] = d.Extent(x[0]);
  x[2] = d.Extent(x[2]);
  x[3] = d.Extent(x[3]);
  if (to_space) {
    x[1] *= block * block;
  } else {
    x[2] *= block;
    x[3] *= block;
  }
  d.AttrInt("blocksize", block);
  d.In(x, Movable(d, "T"));
}
void DepthToSpace(Domain& d) { Blocks(d, true); }
void SpaceToDepth(Domain& d) { Blocks(d, false); }

void ReverseSequence(Domain& d) {
  const Dims x = d.Shape(
      "shape", {{5, 3, 7}, {4, 6}, {1, 1}, {33, 65}, {257, 2, 3}, {2, 257, 1}, {2, 3, 1, 2, 3}, {3, 2, 0}});
  const bool batch_first = d.Pick("batch_axis", {1, 0}) == 0;
  if (batch_first || d.Flag("given")) {
    d.AttrInt("batch_axis", batch_first ? 0 : 1);
    d.AttrInt("time_axis", batch_first ? 1 : 0);
  }
  const int64_t batch = x[batch_first ? 0 : 1], time = x[batch_first ? 1 : 0];
  const std::string how = d.Pick("sequence_lens", {"different", "ones", "full"});
  std::vector<double> lens;
  for (int64_t i = 0; i < batch; ++i)
    lens.push_back(static_cast<double>(how == "ones"   ? 1
                                       : how == "full" ? time
                                                       : 1 + (i * 2 + time / 2) % time));
  d.In(x, Movable(d, "T"));
  d.In({batch}, Given(lens));
}

void Trilu(Domain& d) {
  const Dims x = d.Shape("shape", {{3, 5, 7},
                                   {4, 4},
                                   {1, 1},
                                   {1, 5},
                                   {5, 1},
                                   {33, 65},
                                   {65, 33},
                                   {2, 1, 3, 4, 4},
                                   {0, 3},
                                   {3, 0},
                                   {257, 2}});
  const bool upper = d.Pick("upper", {1, 0}) != 0;
  if (!upper)
    d.AttrInt("upper", 0);
  else if (d.Flag("upper_given"))
    d.AttrInt("upper", 1);
  std::string k = d.Pick("k", {"absent", "0", "1", "-1", "2", "-2", "100", "-100"});
  // Strings have no 0: all are kept.
  if (d.type("T") == reference::kString) k = upper ? "-1000" : "1000";
  d.In(x, Movable(d, "T"));
  if (k != "absent") d.IntScalar(std::stoll(k));
}

void CenterCropPad(Domain& d) {
  const Dims x = d.Shape("shape", {{5, 8, 7}, {6}, {1}, {33, 65}, {2, 3, 4, 7}, {1025}, {2, 3, 2, 3, 2}});
  const std::string which = d.Pick("axes", WhichAxes(true));
  const std::vector<int64_t> axes = ListedAxes(d, which, static_cast<int64_t>(x.size()));
  const std::string how =
      d.Pick("sizes", {"mixed", "same", "even_crop", "odd_crop", "even_pad", "odd_pad", "wide"});
  static const std::vector<std::pair<std::string, int64_t>> kChange = {
      {"same", 0}, {"even_crop", -2}, {"odd_crop", -3}, {"even_pad", 2}, {"odd_pad", 3}, {"wide", 33}};
  std::vector<int64_t> shape;
  for (const int64_t axis : axes) {
    int64_t change = shape.size() % 2 == 0 ? -1 : 3;
    for (const auto& [name, by] : kChange)
      if (name == how) change = by;
    if (how == "wide" && shape.size() + 1 < axes.size()) change = 2;
    const int64_t extent = x[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis)];
    shape.push_back(std::max<int64_t>(extent + change, 1));
  }
  if (which != "absent") d.AttrInts("axes", axes);
  d.In(x, Movable(d, "T"));
  d.Ints(shape);
}

void Identity(Domain& d) {
  const Dims x = OddShape(d);
  d.In(x, Movable(d, d.version() < 14 ? "T" : "V"));
}

void Squeeze(Domain& d) {
  const Dims x =
      d.Shape("shape", {{1, 3, 1, 5, 1}, {1}, {1, 1}, {3, 1, 33}, {1, 65537}, {1, 0, 1}, {1, 1, 1, 1, 2, 1}});
  std::vector<std::string> hows = {"all", "absent", "first", "last", "backwards"};
  if (d.version() >= 11) hows.push_back("negative");
  const std::string how = d.Pick("axes", hows);
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i)
    if (x[static_cast<size_t>(i)] == 1) axes.push_back(i);
  if (how == "first") axes = {axes.front()};
  if (how == "last") axes = {axes.back()};
  if (how == "backwards") std::reverse(axes.begin(), axes.end());
  if (how == "negative")
    for (int64_t& a : axes) a -= static_cast<int64_t>(x.size());
  d.In(x, Movable(d, "T"));
  if (how != "absent") d.AttrOrInput("axes", axes);
}

void Unsqueeze(Domain& d) {
  const Dims x = OddShape(d);
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<std::string> hows = {"ends", "first", "last", "front", "backwards"};
  if (d.version() >= 11) hows.push_back("negative");
  const std::string how = d.Pick("axes", hows);
  d.In(x, Movable(d, "T"));
  d.AttrOrInput("axes", how == "ends"        ? std::vector<int64_t>{0, rank + 1}
                        : how == "first"     ? std::vector<int64_t>{0}
                        : how == "last"      ? std::vector<int64_t>{rank}
                        : how == "front"     ? std::vector<int64_t>{0, 1, 2}
                        : how == "backwards" ? std::vector<int64_t>{rank + 1, 0}
                                             : std::vector<int64_t>{-1, -rank - 2});
}

void Flatten(Domain& d) {
  const Dims x = OddShape(d);
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<int64_t> axes = {std::min<int64_t>(1, rank)};
  for (int64_t a = d.version() < 11 ? 0 : -rank; a <= rank; ++a)
    if (a != axes[0]) axes.push_back(a);
  const int64_t axis = d.Pick("axis", axes);
  d.AttrIntOr("axis", axis, 1);
  d.In(x, Movable(d, "T"));
}

void Reshape(Domain& d) {
  Dims x = OddShape(d);
  std::vector<std::string> hows = {"flat",           "same",   "copied", "copied_flat",
                                   "inferred_first", "joined", "split",  "scalar"};
  if (d.has_attribute("allowzero")) hows.push_back("allowzero");
  const std::string how = d.Pick("to", hows);
  const bool none = Elements(x) == 0;
  std::vector<int64_t> shape = {-1};
  if (how == "same") shape = x;
  if (how == "copied") shape.assign(x.size(), 0);
  if (how == "copied_flat" || how == "inferred_first" || how == "joined") {
    if (x.size() < 2) d.Reject("nothing to join");
    if (how == "copied_flat") shape = {0, -1};
    if (how == "inferred_first") shape = {-1, x.back()};
    if (how == "joined") shape = {x[0] * x[1]}, shape.insert(shape.end(), x.begin() + 2, x.end());
    if (none) d.Reject("no elements to infer from");
  }
  if (how == "split") shape = {1, -1, 1};
  if (how == "scalar") {
    x.assign(x.size(), 1);
    shape = {};
  }
  if (how == "allowzero") {
    d.AttrInt("allowzero", 1);
    shape = x;
    if (none) shape = {0, 4};
  }
  d.In(x, Movable(d, "T"));
  d.AttrOrInput("shape", shape);
}

struct Expansion {
  const char* name;
  Dims x, shape;
};
const Expansion kExpansions[] = {
    {"middle", {3, 1, 7}, {3, 5, 7}}, {"same", {3, 5, 7}, {3, 5, 7}},
    {"shorter", {3, 5, 7}, {7}},      {"longer", {5, 1}, {2, 3, 5, 7}},
    {"of_scalar", {}, {3, 5}},        {"by_none", {3, 5}, {}},
    {"ones", {3, 5}, {1, 1}},         {"both", {3, 1}, {3, 1, 5}},
    {"to_none", {1, 3}, {0, 3}},      {"none", {0, 1}, {0, 3}},
    {"long", {1}, {65537}},           {"rows", {33}, {65, 33}},
    {"columns", {65, 1}, {65, 33}},   {"deep", {2, 1, 3, 1, 2}, {2, 4, 3, 5, 2}}};
void Expand(Domain& d) {
  std::vector<std::string> names;
  for (const Expansion& e : kExpansions) names.push_back(e.name);
  const std::string name = d.Pick("shapes", names);
  Expansion e = *std::find_if(std::begin(kExpansions), std::end(kExpansions),
                              [&](const Expansion& e) { return e.name == name; });
  for (int64_t& extent : e.x) extent = d.Extent(extent);
  for (int64_t& extent : e.shape) extent = d.Extent(extent);
  d.In(e.x, Movable(d, "T"));
  d.Ints(e.shape);
}

}  // namespace

std::span<const DomainEntry> MovementDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Transpose", Transpose},
      {"", "Concat", Concat},
      {"", "Split", Split},
      {"", "Slice", Slice},
      {"", "Pad", Pad},
      {"", "Tile", Tile},
      {"", "DepthToSpace", DepthToSpace},
      {"", "SpaceToDepth", SpaceToDepth},
      {"", "ReverseSequence", ReverseSequence},
      {"", "Trilu", Trilu},
      {"", "CenterCropPad", CenterCropPad},
      {"", "Identity", Identity},
      {"", "Squeeze", Squeeze},
      {"", "Unsqueeze", Unsqueeze},
      {"", "Flatten", Flatten},
      {"", "Reshape", Reshape},
      {"", "Expand", Expand},
  };
  return kDomains;
}

}  // namespace braid::conformance
