// SPDX-License-Identifier: Apache-2.0
//
// A model of an old opset is upgraded; what its nodes are in older words must be what the model said.
#include "core/onnx/older.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The form of a model's only node of that operator that a version knows; null if there is none.
const Node::Form* FormOf(const Graph& graph, const std::string& op, int version) {
  for (const Node::Form& form : NodeOf(graph, op).older)
    if (form.min_version <= version && version <= form.version) return &form;
  return nullptr;
}

const Attribute* Find(const Node::Form& form, const std::string& name) {
  for (const Attribute& a : form.attributes)
    if (a.name == name) return &a;
  return nullptr;
}

std::vector<std::string> NamesOf(const Node::Form& form) {
  std::vector<std::string> names;
  for (const Attribute& a : form.attributes) names.push_back(a.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::shared_ptr<const Model> Upgraded(int opset, const std::string& graph) {
  return Loaded(InOpset(opset, graph));
}

TEST(Older, AxesOfAReduction) {
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                         "ReduceMin", "ReduceProd", "ReduceSumSquare"}) {
    const auto model = Upgraded(17, std::string("g (float[2,3,4] x) => (float[2,3] y) { y = ") + op +
                                        " <axes = [-1], keepdims = 0> (x) }");
    const Node& node = NodeOf(model->graph(), op);
    EXPECT_GE(node.min_version, 18) << op;
    const Node::Form* form = FormOf(model->graph(), op, 13);
    ASSERT_NE(form, nullptr) << op;
    EXPECT_EQ(form->inputs.size(), 1u);
    EXPECT_THAT(Find(*form, "axes")->ints, ElementsAre(-1));
    EXPECT_THAT(NamesOf(*form), ElementsAre("axes", "keepdims"));
    EXPECT_EQ(form->min_version, 11) << "negative axes are of 11";
  }
  // All axes: no attribute.
  const auto all = Upgraded(17, "g (float[2,3] x) => (float[1,1] y) { y = ReduceMean (x) }");
  EXPECT_EQ(NodeOf(all->graph(), "ReduceMean").min_version, 1);
}

TEST(Older, AxesThatAreComputedAreNoAttribute) {
  const auto model =
      Upgraded(18, "g (float[2,3] x, int64[1] axes) => (float[1,3] y) { y = ReduceMean (x, axes) }");
  EXPECT_THAT(NodeOf(model->graph(), "ReduceMean").older, IsEmpty());
  EXPECT_EQ(NodeOf(model->graph(), "ReduceMean").min_version, 18);
}

TEST(Older, ReductionsOfNothing) {
  const auto nothing = Upgraded(18, R"(g (float[2,3] x) => (float[2,3] y) <int64[0] axes = {}> {
    y = ReduceMean <noop_with_empty_axes = 1> (x, axes) })");
  EXPECT_THAT(NodeOf(nothing->graph(), "ReduceMean").older, IsEmpty());
  const auto some = Upgraded(18, R"(g (float[2,3] x) => (float[1,3] y) <int64[1] axes = {0}> {
    y = ReduceMean <noop_with_empty_axes = 1> (x, axes) })");
  const Node::Form* form = FormOf(some->graph(), "ReduceMean", 13);
  ASSERT_NE(form, nullptr);
  EXPECT_THAT(NamesOf(*form), ElementsAre("axes"));
  EXPECT_EQ(form->min_version, 1);
}

TEST(Older, EqualParts) {
  const auto even =
      Upgraded(13, "g (float[2,6] x) => (float[2,3] a, float[2,3] b) { a, b = Split <axis = 1> (x) }");
  const Node::Form* form = FormOf(even->graph(), "Split", 13);
  ASSERT_NE(form, nullptr);
  EXPECT_THAT(NamesOf(*form), ElementsAre("axis"));
  EXPECT_EQ(form->min_version, 2);
  const auto uneven = Upgraded(
      18,
      "g (float[2,7] x) => (float[2,4] a, float[2,3] b) { a, b = Split <axis = 1, num_outputs = 2> (x) }");
  EXPECT_EQ(FormOf(uneven->graph(), "Split", 13), nullptr);
  const auto unknown = Upgraded(
      18,
      "g (float[2,N] x) => (float[2,A] a, float[2,B] b) { a, b = Split <axis = 1, num_outputs = 2> (x) }");
  EXPECT_EQ(FormOf(unknown->graph(), "Split", 13), nullptr);
}

TEST(Older, SizesOfParts) {
  const auto model = Upgraded(
      11, "g (float[2,7] x) => (float[2,4] a, float[2,3] b) { a, b = Split <axis = 1, split = [4, 3]> (x) }");
  const Node& node = NodeOf(model->graph(), "Split");
  EXPECT_EQ(node.min_version, 13);
  const Node::Form* form = FormOf(model->graph(), "Split", 11);
  ASSERT_NE(form, nullptr);
  EXPECT_THAT(Find(*form, "split")->ints, ElementsAre(4, 3));
  EXPECT_EQ(form->min_version, 2);
}

TEST(Older, Axes) {
  for (const char* op : {"Squeeze", "Unsqueeze"}) {
    const std::string in = op[0] == 'S' ? "2,1" : "2", out = op[0] == 'S' ? "2" : "2,1";
    const auto model =
        Upgraded(11, "g (float[" + in + "] x) => (float[" + out + "] y) { y = " + op + " <axes = [1]> (x) }");
    const Node::Form* form = FormOf(model->graph(), op, 11);
    ASSERT_NE(form, nullptr) << op;
    EXPECT_THAT(Find(*form, "axes")->ints, ElementsAre(1));
    EXPECT_EQ(form->inputs.size(), 1u);
    EXPECT_EQ(form->min_version, 1);
  }
}

TEST(Older, ListsOfLongAgo) {
  const auto model = Upgraded(9, R"(g (float[4,6] x) => (float[3] y) {
    a = Slice <axes = [1], starts = [1], ends = [5]> (x)
    b = Pad <pads = [0, 1, 0, 0], value = 2.5> (a)
    c = Clip <min = 0.0, max = 6.0> (b)
    d, i = TopK <axis = 1, k = 3> (c)
    y = ReduceSum <axes = [0], keepdims = 0> (d)
  })");
  const Graph& graph = model->graph();
  const Node::Form* pad = FormOf(graph, "Pad", 2);
  ASSERT_NE(pad, nullptr);
  EXPECT_THAT(Find(*pad, "pads")->ints, ElementsAre(0, 1, 0, 0));
  EXPECT_EQ(Find(*pad, "value")->f, 2.5f);
  const Node::Form* clip = FormOf(graph, "Clip", 6);
  ASSERT_NE(clip, nullptr);
  EXPECT_EQ(Find(*clip, "min")->f, 0.0f);
  EXPECT_EQ(Find(*clip, "max")->f, 6.0f);
  const Node::Form* sum = FormOf(graph, "ReduceSum", 11);
  ASSERT_NE(sum, nullptr);
  EXPECT_THAT(Find(*sum, "axes")->ints, ElementsAre(0));
}

TEST(Older, AClipWithOneLimitIsNotThatOf6) {
  // The other limit is the largest float there, and infinity passes in 11.
  const auto model =
      Upgraded(11, R"(g (float[4] x) => (float[4] y) <float low = {0}> { y = Clip (x, low) })");
  EXPECT_EQ(FormOf(model->graph(), "Clip", 6), nullptr);
  EXPECT_EQ(NodeOf(model->graph(), "Clip").min_version, 11);
}

TEST(Older, AxisOfDft) {
  const auto model = Upgraded(17, "g (float[2,8,1] x) => (float[2,8,2] y) { y = DFT <axis = 1> (x) }");
  const Node::Form* form = FormOf(model->graph(), "DFT", 17);
  ASSERT_NE(form, nullptr);
  EXPECT_EQ(Find(*form, "axis")->i, 1);
  const auto newer = Upgraded(20, "g (float[2,3,8,1] x) => (float[2,3,8,2] y) { y = DFT (x) }");
  const Node::Form* last = FormOf(newer->graph(), "DFT", 17);
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(Find(*last, "axis")->i, -2) << "the default of 20 is the last, that of 17 the first";
}

TEST(Older, AttributesAtTheirDefaultsAreLeftOut) {
  const auto model = Upgraded(19, R"(g (float[2,6] x, int64[2] s) => (float[3,4] y) {
    a = Reshape <allowzero = 0> (x, s)
    y = Cast <to = 1, saturate = 1> (a)
  })");
  EXPECT_NE(FormOf(model->graph(), "Reshape", 13), nullptr);
  EXPECT_NE(FormOf(model->graph(), "Cast", 13), nullptr);
  const auto zero =
      Upgraded(18, "g (float[2,6] x, int64[2] s) => (float[3,4] y) { y = Reshape <allowzero = 1> (x, s) }");
  EXPECT_EQ(FormOf(zero->graph(), "Reshape", 13), nullptr);
}

TEST(Older, WindowsThatFit) {
  const auto pool = [](const std::string& attributes, const std::string& in = "1,1,7") {
    return NodeOf(Upgraded(17, "g (float[" + in +
                                   "] x) => (float[A,B,C] y) { y = AveragePool <kernel_shape = [3]" +
                                   attributes + "> (x) }")
                      ->graph(),
                  "AveragePool")
        .min_version;
  };
  EXPECT_EQ(pool(", strides = [2]"), 11);
  EXPECT_EQ(pool(", strides = [2], ceil_mode = 1"), 11);           // (7 - 3) % 2 == 0
  EXPECT_EQ(pool(", strides = [2], ceil_mode = 1", "1,1,8"), 11);  // the last window begins within
  EXPECT_EQ(pool(", strides = [2], ceil_mode = 1, count_include_pad = 1", "1,1,8"),
            19);                                                                  // by what is it divided?
  EXPECT_EQ(pool(", strides = [4], ceil_mode = 1, pads = [0, 2]", "1,1,4"), 19);  // it begins beyond
  EXPECT_EQ(pool(", strides = [2], ceil_mode = 1", "1,1,N"), 19);                 // who knows
}

TEST(Older, ValuesThatWereCalledOtherwise) {
  for (const auto& [now, then] : {std::pair("linear", "bilinear"), std::pair("cubic", "bicubic")}) {
    const auto model =
        Upgraded(16, std::string("g (float[1,1,4,4] x, float[1,2,2,2] g) => (float[1,1,2,2] y) { y = "
                                 "GridSample <mode = \"") +
                         then + "\"> (x, g) }");
    EXPECT_EQ(NodeOf(model->graph(), "GridSample").attribute("mode")->s, now);
    EXPECT_EQ(NodeOf(model->graph(), "GridSample").min_version, 20);
    const Node::Form* form = FormOf(model->graph(), "GridSample", 16);
    ASSERT_NE(form, nullptr);
    EXPECT_EQ(Find(*form, "mode")->s, then);
  }
}

TEST(Older, VolumesAreNew) {
  const auto model = Upgraded(20, R"(g (float[1,1,4,4,4] x, float[1,2,2,2,3] g) => (float[1,1,2,2,2] y) {
    y = GridSample (x, g) })");
  EXPECT_EQ(NodeOf(model->graph(), "GridSample").min_version, 20);
}

TEST(Older, ValuesThatAreNew) {
  const auto resize = [](int opset, const std::string& mode) {
    return NodeOf(Upgraded(opset, R"(g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> {
      y = Resize <coordinate_transformation_mode = ")" +
                                      mode + R"("> (x, , s) })")
                      ->graph(),
                  "Resize")
        .min_version;
  };
  EXPECT_EQ(resize(13, "asymmetric"), 11);
  EXPECT_EQ(resize(19, "half_pixel_symmetric"), 19);
  const auto scatter = [](const std::string& reduction) {
    return NodeOf(Upgraded(18, R"(g (float[4] x, int64[1,1] i, float[1] u) => (float[4] y) {
      y = ScatterND <reduction = ")" +
                                   reduction + R"("> (x, i, u) })")
                      ->graph(),
                  "ScatterND")
        .min_version;
  };
  EXPECT_EQ(scatter("add"), 16);
  EXPECT_EQ(scatter("max"), 18);
  const auto hot =
      Upgraded(11, R"(g (int64[2] i, int64 d, float[2] v) => (float[2,D] y) { y = OneHot (i, d, v) })");
  EXPECT_EQ(NodeOf(hot->graph(), "OneHot").min_version, 11) << "negative indices count from the end since 11";
}

}  // namespace
}  // namespace braid::loader
