// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators that take elements from, or put them at, places that other tensors name.
#include <algorithm>
#include <limits>

#include "conformance/domains/common.h"

namespace braid::conformance {
namespace {

// An index for each element k of a tensor of `dims`, below extent(k); every second one counts from the end
// where `negative`.
template <class F>
std::vector<double> Indices(Domain& d, const Dims& dims, bool negative, const F& extent) {
  const Tensor drawn = d.Draw(reference::kInt64, dims, Whole(0, 1 << 20));
  std::vector<double> indices;
  for (int64_t k = 0; k < drawn.size(); ++k) {
    const int64_t n = extent(k);
    if (n == 0) d.Reject("no index is within bounds");
    const int64_t i = drawn.data<int64_t>()[k] % n;
    indices.push_back(static_cast<double>(negative && k % 2 == 1 ? i - n : i));
  }
  return indices;
}
int64_t ExtentAt(const Dims& dims, int64_t axis) { return dims[static_cast<size_t>(axis)]; }

Dims Indexed(Domain& d) {
  return d.Shape(
      "shape",
      {{3, 5, 7}, {33}, {1}, {65, 33}, {4, 257}, {1025}, {2, 3, 1, 31}, {2, 3, 2, 3, 2}, {3, 0, 2}, {65537}});
}

void Gather(Domain& d) {
  const Dims x = Indexed(d);
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), 0), extent = ExtentAt(x, axis);
  const Dims indices = d.Shape("indices", {{2, 3}, {}, {1}, {0}, {33}, {257}, {2, 1, 2, 3}});
  if (Elements(x) * Elements(indices) > (1 << 22)) d.Reject("large");
  const bool negative = d.version() >= 11 && d.Flag("negative_indices");
  d.In(x, Movable(d, "T"));
  d.In(indices, Given(Indices(d, indices, negative, [&](int64_t) { return extent; })));
}

// The shape of indices that have as many axes as the data. More than the data along the axis where `longer`.
Dims ElementIndices(Domain& d, const Dims& x, int64_t axis, bool longer) {
  const std::string how = d.Pick("indices", {"same", "fewer", "one", "none"});
  Dims dims = x;
  if (how == "fewer")
    for (int64_t& e : dims) e = (e + 1) / 2;
  if (how == "one") dims.assign(x.size(), 1);
  if (how == "none") dims = With(x, axis, 0);
  if (longer && d.Flag("longer")) dims = With(dims, axis, ExtentAt(x, axis) + 3);
  if (Elements(x) == 0 && Elements(dims) != 0) d.Reject("nothing to index");
  return dims;
}
void GatherElements(Domain& d) {
  const Dims x = Indexed(d);
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), 0);
  const Dims indices = ElementIndices(d, x, axis, true);
  const bool negative = d.Flag("negative_indices");
  d.In(x, Movable(d, "T"));
  d.In(indices, Given(Indices(d, indices, negative, [&](int64_t) { return ExtentAt(x, axis); })));
}

void GatherND(Domain& d) {
  const Dims x =
      d.Shape("shape", {{2, 3, 5, 7}, {33}, {65, 33}, {1, 1}, {2, 3, 1, 31}, {2, 3, 2, 3, 2}, {257, 4, 5}});
  const int64_t rank = static_cast<int64_t>(x.size());
  const int64_t batch = d.has_attribute("batch_dims") ? d.Pick("batch_dims", {0, 1, 2}) : 0;
  const std::string width_name = d.Pick("width", {"2", "1", "all"});
  if (batch >= rank) d.Reject("more axes than there are");
  const int64_t width =
      width_name == "all" ? rank - batch : std::min<int64_t>(std::stoll(width_name), rank - batch);
  Dims indices(x.begin(), x.begin() + batch);
  for (const int64_t e : d.Shape("indices", {{4}, {}, {0}, {2, 3}, {33}, {2, 1, 2}})) indices.push_back(e);
  indices.push_back(width);
  const bool negative = d.Flag("negative_indices");
  d.AttrIntOr("batch_dims", batch, 0);
  d.In(x, Movable(d, "T"));
  d.In(indices,
       Given(Indices(d, indices, negative, [&](int64_t k) { return ExtentAt(x, batch + k % width); })));
}

// Whether a reduction is asked for, and data with which it makes sense.
std::string PickReduction(Domain& d) {
  if (!d.has_attribute("reduction")) return "none";
  std::vector<std::string> names = {"absent", "none", "add", "mul"};
  if (d.version() >= 18) names.insert(names.end(), {"max", "min"});
  const std::string name = d.Pick("reduction", names);
  if (name == "absent") return "none";
  d.AttrText("reduction", name);
  const int32_t type = d.type("T");
  const bool arithmetic = name == "add" || name == "mul", ordered = name == "max" || name == "min";
  if (type == reference::kString && name != "none") d.Reject("strings cannot be combined");
  if (type == reference::kBool && arithmetic) d.Reject("sums of booleans are not told");
  if (reference::Contains(reference::kComplexes, type) && ordered) d.Reject("complex numbers have no order");
  return name;
}
Values Combinable(Domain& d, const std::string& reduction, bool updates) {
  if (reduction == "mul")
    return d.is_integer("T") ? Given({1, -1, 2, 1, -1}) : Given({1.25, -0.8, 1.5, -0.6666667, 1, 2, -0.5});
  if (reduction != "none") return d.is_integer("T") ? Whole(-7, 9) : Spread(4);
  return updates ? Different(d, "T") : Movable(d, "T");
}

// Scatter and ScatterElements.
void ScatterElements(Domain& d) {
  const Dims x = Indexed(d);
  const int64_t axis = Axis(d, static_cast<int64_t>(x.size()), 0, true, d.op() == "Scatter" ? 1 : 11),
                extent = ExtentAt(x, axis);
  const std::string reduction = PickReduction(d);
  const Dims dims = ElementIndices(d, x, axis, reduction != "none");
  const bool negative = d.version() >= 11 && d.Flag("negative_indices");
  std::vector<double> indices;
  if (reduction != "none") {
    indices = Indices(d, dims, negative, [&](int64_t) { return extent; });
  } else {
    // No two of a line are the same.
    int64_t inner = 1;
    for (size_t i = static_cast<size_t>(axis) + 1; i < dims.size(); ++i) inner *= dims[i];
    const int64_t along = ExtentAt(dims, axis);
    for (int64_t k = 0; k < Elements(dims); ++k) {
      const int64_t line = k % inner + k / (inner * along),
                    i = (line + extent - 1 - k / inner % along) % extent;
      indices.push_back(static_cast<double>(negative && k % 2 == 1 ? i - extent : i));
    }
  }
  d.In(x, Combinable(d, reduction, false));
  d.In(dims, Given(indices));
  d.In(dims, Combinable(d, reduction, true));
}

void ScatterND(Domain& d) {
  const Dims x =
      d.Shape("shape", {{5, 7, 3}, {33}, {2}, {65, 33}, {4, 257}, {2, 3, 1, 31}, {2, 3, 2, 3, 2}, {1025, 2}});
  const int64_t rank = static_cast<int64_t>(x.size());
  const std::string reduction = PickReduction(d);
  const std::string width_name = d.Pick("width", {"2", "1", "all"});
  const int64_t width = width_name == "all" ? rank : std::min<int64_t>(std::stoll(width_name), rank);
  const Dims places(x.begin(), x.begin() + width);
  const int64_t cells = Elements(places);
  Dims outer = d.Shape("indices", {{2}, {}, {0}, {1, 2}, {3}, {33}});
  if (reduction == "none" && Elements(outer) > cells) d.Reject("more updates than places");
  const bool negative = d.Flag("negative_indices");
  // Places by number, then by axis: different ones where nothing combines them.
  const std::vector<double> drawn = Indices(d, outer, false, [&](int64_t) { return cells; });
  std::vector<double> indices;
  for (int64_t i = 0; i < Elements(outer); ++i) {
    int64_t cell = reduction == "none" ? cells - 1 - i : static_cast<int64_t>(drawn[static_cast<size_t>(i)]);
    std::vector<double> tuple(static_cast<size_t>(width));
    for (int64_t k = width; k-- > 0; cell /= places[static_cast<size_t>(k)]) {
      const int64_t extent = ExtentAt(places, k), at = cell % extent;
      tuple[static_cast<size_t>(k)] = static_cast<double>(negative && (i + k) % 2 == 1 ? at - extent : at);
    }
    indices.insert(indices.end(), tuple.begin(), tuple.end());
  }
  d.In(x, Combinable(d, reduction, false));
  Dims dims = outer, updates = outer;
  dims.push_back(width);
  updates.insert(updates.end(), x.begin() + width, x.end());
  d.In(dims, Given(indices));
  d.In(updates, Combinable(d, reduction, true));
}

void TensorScatter(Domain& d) {
  const Dims x =
      d.Shape("shape", {{2, 3, 8, 5}, {3, 7, 33}, {2, 9}, {1, 1, 65, 1}, {3, 2, 5, 2, 7}, {2, 257, 3}});
  const int64_t rank = static_cast<int64_t>(x.size());
  // Not the axis of the batch.
  std::vector<int64_t> axes = Domain::Axes(rank, rank > 2 ? -2 : 1);
  std::erase_if(axes, [&](int64_t a) { return a == 0 || a == -rank; });
  int64_t axis = d.Pick("axis", axes);
  d.AttrIntOr("axis", axis, -2);
  if (axis < 0) axis += rank;
  const std::string mode = d.Pick("mode", {"absent", "circular", "linear"});
  if (mode != "absent") d.AttrText("mode", mode);
  const int64_t extent = ExtentAt(x, axis);
  const std::string steps_name = d.Pick("steps", {"2", "1", "all", "none"});
  const int64_t steps = std::min<int64_t>(extent, steps_name == "all"    ? extent
                                                  : steps_name == "none" ? 0
                                                                         : std::stoll(steps_name));
  const std::string where = d.Pick("write_indices", {"given", "absent", "last"});
  std::vector<double> write;
  for (int64_t b = 0; b < x[0]; ++b)
    write.push_back(static_cast<double>(mode == "circular"
                                            ? (where == "last" ? extent - 1 : (b * 3 + 1) % extent)
                                        : where == "last" ? extent - steps
                                                          : (b * 3 + 1) % (extent - steps + 1)));
  d.In(x, Movable(d, "T"));
  d.In(With(x, axis, steps), Different(d, "T"));
  if (where != "absent") d.In({x[0]}, Given(write));
}

void OneHot(Domain& d) {
  const Dims indices = d.Shape("shape", {{3, 4}, {1}, {0}, {33}, {2, 65}, {257}, {2, 3, 1, 5}, {1025}});
  const int64_t rank = static_cast<int64_t>(indices.size());
  std::vector<int64_t> axes = Domain::Axes(rank + 1, -1);
  if (d.version() < 11) std::erase_if(axes, [](int64_t a) { return a < -1; });
  d.AttrIntOr("axis", d.Pick("axis", axes), -1);
  const int64_t depth = d.Pick("depth", {5, 1, 33, 100});
  // What is out of range gives a row without the value.
  std::vector<std::string> kinds = {"within", "beyond"};
  if (d.version() >= 11) kinds.push_back("negative");
  const std::string kind = d.Pick("indices", kinds);
  const double n = static_cast<double>(depth);
  d.In(indices, kind == "within"   ? Whole(0, depth - 1)
                : kind == "beyond" ? Given({0, n, n - 1, n + 1, 120, 0})
                                   : Given({-1, 0, -n, n - 1, -n - 1, -120}));
  if (d.Pick("depth_rank", {0, 1}) == 0)
    d.IntScalar(depth);
  else
    d.Ints({depth});
  d.In({2}, Given({d.type("T3") == reference::kBool ? 0. : 2., 5}));
}

void NonZero(Domain& d) {
  const Dims x = d.AnyShape();
  const std::string which = d.Pick("values", {"some", "few", "none", "all", "special"});
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  Values values = which == "some"   ? Whole(-1, 1)
                  : which == "few"  ? Whole(-20, 20)
                  : which == "none" ? Given({0})
                  : which == "all"  ? Given({1, -3, 2})
                                    : Given({0, -0.0, nan, inf, 0.25, -inf, 0, 1e-3});
  if (which == "few") values = Given({0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0});
  if (d.type("T") == reference::kString) {
    values = Words(which == "none"  ? std::vector<std::string>{""}
                   : which == "all" ? std::vector<std::string>{"a"}
                                    : std::vector<std::string>{"", "a"});
  }
  d.In(x, values);
}

void Compress(Domain& d) {
  const Dims x = Indexed(d);
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<std::string> axes = {"absent"};
  for (const int64_t a : Domain::Axes(rank, 0))
    if (a >= 0 || d.version() >= 11) axes.push_back(std::to_string(a));
  const std::string name = d.Pick("axis", axes);
  int64_t extent = Elements(x);
  if (name != "absent") {
    const int64_t axis = std::stoll(name);
    d.AttrInt("axis", axis);
    extent = ExtentAt(x, axis < 0 ? axis + rank : axis);
  }
  const std::string how = d.Pick("condition", {"some", "shorter", "none", "all", "last"});
  std::vector<double> condition(static_cast<size_t>(how == "shorter" ? (extent + 1) / 2 : extent));
  for (size_t i = 0; i < condition.size(); ++i)
    condition[i] = how == "all" || (how == "last" && i + 1 == condition.size()) ||
                   ((how == "some" || how == "shorter") && i % 3 != 1);
  d.In(x, Movable(d, "T"));
  d.In({static_cast<int64_t>(condition.size())}, Given(condition));
}

}  // namespace

std::span<const DomainEntry> IndexingDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Gather", Gather},
      {"", "GatherElements", GatherElements},
      {"", "GatherND", GatherND},
      {"", "Scatter", ScatterElements},
      {"", "ScatterElements", ScatterElements},
      {"", "ScatterND", ScatterND},
      {"", "TensorScatter", TensorScatter},
      {"", "OneHot", OneHot},
      {"", "NonZero", NonZero},
      {"", "Compress", Compress},
  };
  return kDomains;
}

}  // namespace braid::conformance
