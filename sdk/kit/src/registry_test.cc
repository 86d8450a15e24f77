// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/registry.h>
#include <braid/kit/testing/graph.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace braid::kit {
namespace {

using Lower = int (*)();

const Registry<Lower>& Operators() {
  static const Registry<Lower> operators({
      {{.op = "Add", .oldest = 7, .newest = 13, .inputs = {{kFloat32, kFloat16}}, .judge = NeedStaticShapes},
       [] { return 1; }},
      {{.op = "Gather", .oldest = 1, .newest = 13, .inputs = {{kFloat32}, {kInt32, kInt64}}},
       [] { return 2; }},
      {{.op = "Clip", .oldest = 6, .newest = 6, .inputs = {{kFloat32}}}, [] { return 3; }},
      {{.op = "Clip", .oldest = 11, .newest = 13, .inputs = {{kFloat32}}}, [] { return 4; }},
  });
  return operators;
}

// The verdict on a node of that operator whose inputs are of these types and of the extents {2, extent}.
braid_verdict VerdictOn(std::string_view op, int32_t min_version, int32_t version,
                        const std::vector<braid_type>& types, int64_t extent = 3,
                        std::string_view domain = "") {
  testing::Graph graph;
  std::vector<uint32_t> inputs;
  for (const braid_type type : types)
    inputs.push_back(type == 0 ? BRAID_NONE : graph.Input(type, {2, extent}));
  graph.Node(op, version, inputs, {graph.Output(types[0], {2, extent})}, {}, domain, "", min_version);
  std::vector<braid_verdict> verdicts(1);
  Operators().Query(graph.view(), verdicts);
  return verdicts[0];
}

TEST(RegistryTest, AVersionIsKnownWhereTheRangesMeet) {
  EXPECT_EQ(VerdictOn("Add", 7, 14, {kFloat32, kFloat32}).code, BRAID_YES);
  EXPECT_EQ(VerdictOn("Add", 13, 14, {kFloat16, kFloat16}).code, BRAID_YES);
  EXPECT_EQ(VerdictOn("Add", 6, 7, {kFloat32, kFloat32}).code, BRAID_YES);
  const braid_verdict newer = VerdictOn("Add", 14, 20, {kFloat32, kFloat32});
  EXPECT_EQ(newer.code, BRAID_NO_OPSET);
  EXPECT_STREQ(newer.detail, "Add of version 7 to 13 is implemented; this node needs 14");
  EXPECT_EQ(VerdictOn("Add", 1, 6, {kFloat32, kFloat32}).code, BRAID_NO_OPSET);
}

TEST(RegistryTest, EntriesOfOneOperatorServeTheirVersions) {
  for (const auto& [version, lower] : {std::pair(6, 3), std::pair(12, 4)}) {
    testing::Graph graph;
    graph.Node("Clip", version, {graph.Input(1, {2})}, {graph.Output(1, {2})});
    EXPECT_EQ(Operators().Find(Graph(graph.view()).node(0))->lower(), lower) << version;
  }
  EXPECT_EQ(VerdictOn("Clip", 14, 15, {kFloat32}).code, BRAID_NO_OPSET);
}

TEST(RegistryTest, ANodeIsReadInOlderWordsThatAreKnown) {
  const Registry<Lower> operators({
      {{.op = "ReduceMean",
        .oldest = 11,
        .newest = 13,
        .inputs = {{kFloat32}},
        .judge =
            [](const Node& node) {
              const auto axes = node.Ints("axes");
              if (node.input_count() == 1 && axes.size() == 1 && axes[0] == 1) return Judgement();
              return Judgement{BRAID_NO_ATTRIBUTE, "other axes", 0, node.attribute_index("axes")};
            }},
       [] { return 5; }},
  });
  for (const int64_t axis : {1, 0}) {
    testing::Graph graph;
    const uint32_t x = graph.Input(kFloat32, {2, 3}), axes = graph.Input(kInt64, {1});
    graph.Node("ReduceMean", 18, {x, axes}, {graph.Output(kFloat32, {2, 1})});
    graph.Older(13, {x}, {{"axes", std::vector<int64_t>{axis}}, {"keepdims", int64_t{1}}}, 12);
    graph.Older(11, {x}, {{"axes", std::vector<int64_t>{axis}}}, 1);
    graph.Node("ReduceMean", 18, {x, axes}, {graph.Output(kFloat32, {2, 1})});
    std::vector<braid_verdict> verdicts(2);
    operators.Query(graph.view(), verdicts);
    EXPECT_EQ(verdicts[0].code, axis == 1 ? BRAID_YES : BRAID_NO_ATTRIBUTE);
    EXPECT_EQ(verdicts[0].attr, BRAID_NONE) << "attributes are counted in the newest words";
    EXPECT_EQ(verdicts[1].code, BRAID_NO_OPSET) << "the second node has no older form";
    const Node node = Graph(graph.view()).node(0);
    const auto* entry = operators.Find(node);
    ASSERT_NE(entry, nullptr);
    const Node form = FormFor(entry->rule, node);
    EXPECT_TRUE(form.is_older());
    EXPECT_EQ(form.index(), 0u);
    EXPECT_EQ(form.version(), 13);
    EXPECT_EQ(node.Form(1, 11)->version(), 11);
    EXPECT_EQ(node.Form(18, 20)->version(), 18);
    EXPECT_FALSE(node.Form(14, 17));
    EXPECT_FALSE(Graph(graph.view()).node(1).older());
  }
}

TEST(RegistryTest, TheBlamedInputAndTypeAreNamed) {
  const braid_verdict indices = VerdictOn("Gather", 13, 13, {kFloat32, kFloat32});
  EXPECT_EQ(indices.code, BRAID_NO_TYPE);
  EXPECT_EQ(indices.input, 1u);
  EXPECT_STREQ(indices.detail, "Gather takes int32, int64, not float32");
  EXPECT_EQ(VerdictOn("Gather", 13, 13, {kFloat32, 0, kInt64}).code, BRAID_YES);  // absent: not judged
}

TEST(RegistryTest, UnknownOperatorsAndDomains) {
  const braid_verdict unknown = VerdictOn("Sub", 7, 14, {kFloat32, kFloat32});
  EXPECT_EQ(unknown.code, BRAID_NO_OP);
  EXPECT_EQ(unknown.input, BRAID_NONE);
  EXPECT_STREQ(unknown.detail, "Sub is not implemented");
  EXPECT_EQ(VerdictOn("Add", 7, 14, {kFloat32, kFloat32}, 3, "com.example").code, BRAID_NO_OP);
}

TEST(RegistryTest, TheRuleHasTheLastWord) {
  const braid_verdict dynamic = VerdictOn("Add", 14, 14, {kFloat32, kFloat32}, -1);
  EXPECT_EQ(dynamic.code, BRAID_NO_OPSET);  // the version comes first
  EXPECT_EQ(VerdictOn("Add", 7, 14, {kFloat32, kFloat32}, -1).code, BRAID_NO_DYNAMIC);
}

TEST(TypesTest, EveryHalfComesBackAndRoundingIsToTheNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value))));
      continue;
    }
    EXPECT_EQ(FloatToHalf(value), bits);
    // Between this one and the next of larger magnitude: a tie goes to the even one, all else to the nearer.
    const float next = HalfToFloat(static_cast<uint16_t>(bits + 1));
    if (!std::isfinite(value) || !std::isfinite(next)) continue;
    const float tie = (value + next) / 2;
    EXPECT_EQ(FloatToHalf(tie), bits + (bits & 1)) << bits;
    EXPECT_EQ(FloatToHalf(std::nextafter(tie, value)), bits);
    EXPECT_EQ(FloatToHalf(std::nextafter(tie, next)), bits + 1);
  }
  EXPECT_EQ(FloatToHalf(65519.0f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
}

TEST(TypesTest, BytesOfTensors) {
  EXPECT_EQ(BytesOf(kFloat32, {2, 3}), 24u);
  EXPECT_EQ(BytesOf(22, {3}), 2u);  // int4
  EXPECT_EQ(BytesOf(kFloat32, {}), 4u);
  EXPECT_EQ(BytesOf(kFloat32, {INT64_MAX, 0, INT64_MAX}), 0u);
  EXPECT_EQ(BytesOf(kFloat32, {INT64_MAX, 2}), UINT64_MAX);
  EXPECT_EQ(TypeName(kBfloat16), "bfloat16");
  EXPECT_EQ(TypeName(99), "type 99");
}

}  // namespace
}  // namespace braid::kit
