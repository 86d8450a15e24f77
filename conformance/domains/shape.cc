// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators on shapes, and of those that make tensors.
#include <algorithm>

#include "conformance/case/schema.h"
#include "conformance/domains/common.h"

namespace braid::conformance {
namespace {

void Shape(Domain& d) {
  const Dims x = OddShape(d);
  for (const char* name : {"start", "end"}) {
    if (!d.has_attribute(name)) continue;
    const std::string at = d.Pick(name, {"absent", "0", "1", "2", "-1", "-2", "100", "-100"});
    if (at != "absent") d.AttrInt(name, std::stoll(at));
  }
  d.In(x, Different(d, "T"));
}
void Size(Domain& d) { d.In(OddShape(d), Different(d, "T")); }

void Constant(Domain& d) {
  std::vector<std::string> kinds = {"value"};
  if (d.has_attribute("value_int"))
    for (const char* kind :
         {"value_int", "value_ints", "value_float", "value_floats", "value_string", "value_strings"})
      kinds.push_back(kind);
  if (d.has_attribute("sparse_value")) kinds.push_back("sparse_value");
  const std::string kind = d.Pick("kind", kinds);
  if (kind == "sparse_value") {
    const bool flat = d.Pick("indices", {"flat", "by_axis"}) == "flat";
    return d.AttrSparse(kind, {d.Draw(d.type("T"), {3}, Movable(d, "T")),
                               flat ? Dims{3} : Dims{3, 2},
                               flat ? std::vector<int64_t>{1, 5, 14} : std::vector<int64_t>{0, 1, 1, 0, 2, 4},
                               {3, 5}});
  }
  if (kind == "value") {
    const Dims dims =
        d.PickInts("shape", {{3, 5, 7}, {}, {1}, {0}, {33}, {3, 0, 2}, {1025}, {65537}, {2, 1, 2, 1, 2, 3}});
    return d.AttrTensor("value", d.Draw(d.type("T"), dims, Movable(d, "T")));
  }
  if (d.type("T") != reference::kFloat) d.Reject("its type is that of the attribute");
  const bool empty = kind.ends_with("s") && d.Flag("empty");
  if (kind == "value_int") d.AttrInt(kind, -9007199254740993);
  if (kind == "value_ints")
    d.AttrInts(kind, empty ? std::vector<int64_t>{} : std::vector<int64_t>{1, -2, 9007199254740993});
  if (kind == "value_float") d.AttrFloat(kind, 1.5);
  if (kind == "value_floats")
    d.AttrFloats(kind, empty ? std::vector<float>{} : std::vector<float>{1.5f, -2.25f, 3e38f});
  if (kind == "value_string") d.AttrText(kind, "\xc3\xa9t\xc3\xa9");
  if (kind == "value_strings")
    d.AttrTexts(kind, empty ? std::vector<std::string>{} : std::vector<std::string>{"", "a", "two words"});
}

void ConstantOfShape(Domain& d) {
  const Dims shape =
      d.Shape("shape", {{3, 5, 7}, {}, {1}, {0}, {33}, {2, 0, 3}, {65, 33}, {65537}, {2, 1, 2, 1, 2, 3}});
  // Without one it makes zeros of float.
  const std::string value = d.Pick("value", {"given", "absent", "zero"});
  if (value == "absent" && d.type("T2") != reference::kFloat) d.Reject("its type is that of the value");
  if (value != "absent")
    d.AttrTensor("value", d.Draw(d.type("T2"), {1}, Given({value == "zero" ? 0.0 : 3.0})));
  d.Ints(shape);
}

void EyeLike(Domain& d) {
  const Dims x = d.Shape("shape", {{4, 5}, {5, 4}, {3, 3}, {1, 1}, {0, 3}, {33, 65}, {257, 2}, {1, 65}});
  d.AttrIntOr("k", d.Pick("k", {0, 1, -1, 2, -2, 100, -100}), 0);
  if (d.type("T1") != d.type("T2") || d.Flag("dtype")) d.AttrInt("dtype", d.type("T2"));
  d.In(x, Different(d, "T1"));
}

// start, limit and delta; all whole numbers are constants in the plain case.
struct Steps {
  const char* name;
  double start, limit, delta;
};
const Steps kSteps[] = {{"up", 3, 20, 2},       {"down", 10, -7, -3},
                        {"one", 5, 6, 1},       {"none", 5, 5, 1},
                        {"away", 0, -5, 1},     {"tail", -10, 247, 1},
                        {"long", 0, 20000, 1},  {"exact", 0, 12, 3},
                        {"beyond", 1, 2, 1000}, {"quarters", 0.5, 9.125, 0.25},
                        {"tenths", 1, 3, 0.3},  {"falling", 0.75, -2.1, -0.5}};
void Range(Domain& d) {
  std::vector<std::string> names;
  for (const Steps& s : kSteps) names.push_back(s.name);
  const std::string name = d.Pick("steps", names);
  const Steps s =
      *std::find_if(std::begin(kSteps), std::end(kSteps), [&](const Steps& s) { return s.name == name; });
  if (d.has_attribute("stash_type"))
    if (const std::string stash = d.Pick("stash_type", {"absent", "1"}); stash != "absent")
      d.AttrInt("stash_type", 1);
  // Longer in the second run.
  const double limit =
      s.delta >= 1 && s.limit >= 12 ? static_cast<double>(d.Extent(static_cast<int64_t>(s.limit))) : s.limit;
  for (const double v : {s.start, limit, s.delta}) {
    if (v == static_cast<double>(static_cast<int64_t>(v))) {
      d.IntScalar(static_cast<int64_t>(v));
    } else {
      if (d.is_integer("T")) d.Reject("no whole number");
      d.In({}, Given({v}));
    }
  }
}

}  // namespace

std::span<const DomainEntry> ShapeDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Shape", Shape},       {"", "Size", Size},
      {"", "Constant", Constant}, {"", "ConstantOfShape", ConstantOfShape},
      {"", "EyeLike", EyeLike},   {"", "Range", Range},
  };
  return kDomains;
}

}  // namespace braid::conformance
