// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "core/plugins/testing.h"

namespace braid {
namespace {

using testing::ChainGraph;
using ::testing::ElementsAre;
using testing::Floats;
using testing::FloatType;
using ::testing::IsEmpty;
using testing::MakeNode;

enum : ValueId { kX, kY, kC, kZ, kR };  // of ChainGraph

const braid_value& ValueAt(const GraphView& view, uint32_t i) {
  return *BRAID_AT(braid_value, view.raw()->values, view.raw()->value_stride, i);
}
const braid_node& NodeAt(const GraphView& view, uint32_t i) {
  return *BRAID_AT(braid_node, view.raw()->nodes, view.raw()->node_stride, i);
}
const braid_dim& DimAt(const GraphView& view, uint32_t value, uint32_t d) {
  return *BRAID_AT(braid_dim, view.raw()->dims, view.raw()->dim_stride, ValueAt(view, value).dims + d);
}
std::string Chars(const GraphView& view, braid_span span) {
  return {view.raw()->chars + span.first, span.count};
}
std::vector<ValueId> Ids(const GraphView& view, absl::Span<const uint32_t> indices) {
  std::vector<ValueId> out;
  for (uint32_t i : indices) out.push_back(view.value_of(i));
  return out;
}
ViewOptions WithFingerprint() {
  ViewOptions options;
  options.fingerprint = true;
  return options;
}
std::array<uint64_t, 2> FingerprintOf(const GraphView& view) {
  return {view.raw()->fingerprint[0], view.raw()->fingerprint[1]};
}

TEST(GraphView, WholeGraph) {
  const Graph graph = ChainGraph();
  const auto view = GraphView::Whole(graph);
  ASSERT_EQ(view->node_count(), 3u);
  ASSERT_EQ(view->value_count(), 5u);
  EXPECT_THAT(Ids(*view, view->inputs()), ElementsAre(kX));
  EXPECT_THAT(Ids(*view, view->outputs()), ElementsAre(kY, kR));
  const braid_node& add = NodeAt(*view, 1);
  EXPECT_EQ(Chars(*view, add.op), "Add");
  EXPECT_EQ(Chars(*view, add.domain), "");
  EXPECT_EQ(Chars(*view, add.name), "Add3");
  EXPECT_EQ(add.version, 14);
  EXPECT_EQ(add.min_version, 7);
  EXPECT_EQ(add.group, BRAID_NONE);
  EXPECT_EQ(view->raw()->refs[add.inputs.first + 1], view->index_of(kC));
  const braid_value& c = ValueAt(*view, view->index_of(kC));
  EXPECT_EQ(c.flags, BRAID_VALUE_CONSTANT);
  EXPECT_EQ(c.bytes, 8u);
  EXPECT_EQ(c.constant, 1001u);
  EXPECT_EQ(ValueAt(*view, view->index_of(kX)).flags, BRAID_VALUE_INPUT);
  EXPECT_EQ(ValueAt(*view, view->index_of(kY)).flags, BRAID_VALUE_OUTPUT);
  EXPECT_EQ(Chars(*view, ValueAt(*view, view->index_of(kZ)).name), "z");
  EXPECT_EQ(ValueAt(*view, view->index_of(kZ)).type, 1);
  EXPECT_EQ(ValueAt(*view, view->index_of(kZ)).rank, 2);
}

TEST(GraphView, SegmentInTheMiddle) {
  const Graph graph = ChainGraph();
  const auto view = GraphView::Segment(graph, {1}, {});
  EXPECT_EQ(view->node_count(), 1u);
  EXPECT_EQ(view->value_count(), 3u);
  EXPECT_THAT(Ids(*view, view->inputs()), ElementsAre(kY));
  EXPECT_THAT(Ids(*view, view->outputs()), ElementsAre(kZ));
  EXPECT_EQ(view->index_of(kR), kNone);
  EXPECT_EQ(Chars(*view, NodeAt(*view, 0).op), "Add");
  EXPECT_EQ(view->constant(view->index_of(kC))->id, 1001u);
  EXPECT_EQ(view->constant(view->index_of(kY)), nullptr);
}

// The chain, whose Add and Relu have older forms: two and one.
Graph WithOlderForms() {
  Graph graph = ChainGraph();
  Attribute axis;
  axis.name = "axis";
  axis.kind = Attribute::kInt;
  axis.i = 5;
  graph.nodes[1].older = {{6, 6, {kY}, {axis}}, {1, 1, {kY}, {}}};
  graph.nodes[2].older = {{5, 1, {kZ}, {axis}}};
  return graph;
}

TEST(GraphView, OlderFormsStandBehindTheNodes) {
  const Graph graph = WithOlderForms();
  const auto view = GraphView::Whole(graph);
  EXPECT_EQ(view->node_count(), 3u);
  EXPECT_EQ(view->raw()->older_count, 3u);
  EXPECT_EQ(NodeAt(*view, 0).older, 0u);
  EXPECT_EQ(NodeAt(*view, 1).older, 3u);
  EXPECT_EQ(NodeAt(*view, 3).older, 4u);
  EXPECT_EQ(NodeAt(*view, 4).older, 0u);
  EXPECT_EQ(NodeAt(*view, 2).older, 5u);
  EXPECT_EQ(NodeAt(*view, 5).older, 0u);
  const braid_node& form = NodeAt(*view, 3);
  EXPECT_EQ(Chars(*view, form.op), "Add");
  EXPECT_EQ(form.version, 6);
  EXPECT_EQ(form.inputs.count, 1u);
  EXPECT_EQ(view->raw()->refs[form.inputs.first], view->index_of(kY));
  EXPECT_EQ(view->raw()->refs[form.outputs.first], view->index_of(kZ));
  EXPECT_EQ(BRAID_AT(braid_attr, view->raw()->attrs, view->raw()->attr_stride, form.attrs.first)->i, 5);
  // Alone in a segment; they are other words, and no part of the key.
  const auto alone = GraphView::Segment(graph, {2}, {});
  EXPECT_EQ(alone->node_count(), 1u);
  EXPECT_EQ(alone->raw()->older_count, 1u);
  EXPECT_EQ(NodeAt(*alone, 0).older, 1u);
  EXPECT_EQ(FingerprintOf(*GraphView::Whole(graph, WithFingerprint())),
            FingerprintOf(*GraphView::Whole(ChainGraph(), WithFingerprint())));
}

TEST(GraphView, SegmentOutputsAreWhatOthersUse) {
  const Graph graph = ChainGraph();
  // y is an output of the graph, z is used by Relu.
  EXPECT_THAT(Ids(*GraphView::Segment(graph, {1, 0}, {}), GraphView::Segment(graph, {1, 0}, {})->outputs()),
              ElementsAre(kY, kZ));
  const auto given = GraphView::Segment(graph, {0, 1}, {kZ});
  EXPECT_THAT(Ids(*given, given->outputs()), ElementsAre(kZ));
  EXPECT_THAT(Ids(*given, given->inputs()), ElementsAre(kX));
  EXPECT_EQ(ValueAt(*given, given->index_of(kY)).flags, 0u);
}

TEST(GraphView, CapturedValuesAreUsedToo) {
  Graph graph = ChainGraph();
  graph.outputs = {kR};
  Node host = MakeNode("If", {kX}, {graph.AddValue("w", FloatType({}))});
  host.is_host = true;
  Attribute body;
  body.kind = Attribute::kGraph;
  body.name = "then_branch";
  body.body.captures = {kY};
  host.attributes.push_back(body);
  graph.nodes.push_back(host);
  const auto view = GraphView::Segment(graph, {0, 1}, {});
  EXPECT_THAT(Ids(*view, view->outputs()), ElementsAre(kY, kZ));
  // The body itself is not shown.
  const auto whole = GraphView::Whole(graph);
  EXPECT_EQ(NodeAt(*whole, 3).attrs.count, 0u);
}

TEST(GraphView, DimsThatShareASymbol) {
  Graph graph = ChainGraph();
  graph.values[kZ].type.dims[1] = Dim{-1, -1};
  const auto view = GraphView::Whole(graph);
  const braid_dim& n = DimAt(*view, view->index_of(kX), 0);
  EXPECT_EQ(n.value, -1);
  EXPECT_EQ(n.min, 0);
  EXPECT_EQ(n.max, INT64_MAX);
  EXPECT_EQ(n.likely, -1);
  EXPECT_EQ(Chars(*view, view->raw()->symbols[n.symbol]), "N");
  EXPECT_EQ(DimAt(*view, view->index_of(kZ), 0).symbol, n.symbol);
  EXPECT_EQ(DimAt(*view, view->index_of(kX), 1).value, 2);
  EXPECT_EQ(DimAt(*view, view->index_of(kZ), 1).symbol, BRAID_NONE);
  EXPECT_EQ(DimAt(*view, view->index_of(kZ), 1).max, INT64_MAX);
}

TEST(GraphView, AttributesOfEveryKind) {
  Graph graph = ChainGraph();
  const ValueId t = graph.AddValue("t", FloatType({{1, -1}}));
  graph.values[t].constant = Floats(1002, {3});
  const auto attribute = [](const char* name, int32_t kind) {
    Attribute a;
    a.name = name;
    a.kind = kind;
    return a;
  };
  Attribute f = attribute("f", Attribute::kFloat), i = attribute("i", Attribute::kInt),
            s = attribute("s", Attribute::kString), ten = attribute("t", Attribute::kTensor),
            fs = attribute("fs", Attribute::kFloats), is = attribute("is", Attribute::kInts),
            ss = attribute("ss", Attribute::kStrings);
  f.f = 1.5f;
  i.i = -7;
  s.s = "linear";
  ten.tensor = t;
  fs.floats = {0.5f, 2.5f};
  is.ints = {1, -1, 3};
  ss.strings = {"a", "", "ccc"};
  graph.nodes[0].attributes = {f, i, s, ten, fs, is, ss};
  const auto view = GraphView::Segment(graph, {0}, {});
  const braid_span attrs = NodeAt(*view, 0).attrs;
  ASSERT_EQ(attrs.count, 7u);
  const auto at = [&](uint32_t k) {
    return BRAID_AT(braid_attr, view->raw()->attrs, view->raw()->attr_stride, attrs.first + k);
  };
  EXPECT_EQ(at(0)->f, 1.5f);
  EXPECT_EQ(at(1)->i, -7);
  EXPECT_EQ(Chars(*view, at(2)->list), "linear");
  EXPECT_EQ(view->value_of(at(3)->tensor), t);
  EXPECT_EQ(view->constant(at(3)->tensor)->id, 1002u);
  EXPECT_EQ(at(4)->list.count, 2u);
  EXPECT_EQ(view->raw()->floats[at(4)->list.first + 1], 2.5f);
  EXPECT_EQ(view->raw()->ints[at(5)->list.first + 1], -1);
  EXPECT_EQ(Chars(*view, view->raw()->strings[at(6)->list.first + 2]), "ccc");
  EXPECT_EQ(view->raw()->strings[at(6)->list.first + 1].count, 0u);
  EXPECT_EQ(at(0)->tensor, BRAID_NONE);
  EXPECT_THAT(Ids(*view, view->inputs()), ElementsAre(kX));  // a tensor attribute is no input
}

TEST(GraphView, AbsentInputsAndValuesThatAreNoTensors) {
  Graph graph = ChainGraph();
  graph.nodes[1].inputs = {kNone, kC, kNone};
  graph.values[kR].type.kind = ValueKind::kSequence;
  graph.values[kZ].type.has_shape = false;
  const auto view = GraphView::Whole(graph);
  const braid_span refs = NodeAt(*view, 1).inputs;
  EXPECT_EQ(view->raw()->refs[refs.first], BRAID_NONE);
  EXPECT_EQ(view->raw()->refs[refs.first + 2], BRAID_NONE);
  EXPECT_EQ(ValueAt(*view, view->index_of(kR)).type, 0);
  EXPECT_EQ(ValueAt(*view, view->index_of(kR)).rank, -1);
  EXPECT_EQ(ValueAt(*view, view->index_of(kZ)).rank, -1);
  const auto segment = GraphView::Segment(graph, {1}, {});
  EXPECT_THAT(segment->inputs(), IsEmpty());
}

TEST(GraphView, FingerprintKnowsWhatMattersAndNothingElse) {
  const Graph graph = ChainGraph();
  const auto base = FingerprintOf(*GraphView::Whole(graph, WithFingerprint()));
  Graph renamed = graph;
  renamed.nodes[0].name = "other";
  renamed.values[kY].name = "other";
  renamed.symbols[0] = "M";
  EXPECT_EQ(FingerprintOf(*GraphView::Whole(renamed, WithFingerprint())), base);
  Graph same_content = graph;
  same_content.values[kC].constant = Floats(1003, {10, 20});
  EXPECT_EQ(FingerprintOf(*GraphView::Whole(same_content, WithFingerprint())), base);

  std::vector<Graph> changed(7, graph);
  changed[0].values[kC].constant = Floats(1004, {10, 21});
  changed[1].nodes[0].op = "Abs";
  changed[2].values[kX].type.element = 11;
  changed[3].values[kX].type.dims[1].value = 3;
  changed[4].nodes[1].inputs = {kC, kY};
  changed[5].outputs = {kR};
  Attribute a;
  a.name = "axis";
  a.kind = Attribute::kInt;
  changed[6].nodes[2].attributes.push_back(a);
  for (size_t i = 0; i < changed.size(); ++i)
    EXPECT_NE(FingerprintOf(*GraphView::Whole(changed[i], WithFingerprint())), base) << i;
  EXPECT_EQ(FingerprintOf(*GraphView::Whole(graph)), (std::array<uint64_t, 2>()));
}

}  // namespace
}  // namespace braid
