// SPDX-License-Identifier: Apache-2.0
//
// Small values computed for shape inference, one node at a time. Expectations come from the operators'
// specification.
#include "core/onnx/shape_values.h"

#include <optional>

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::ElementsAre;
using testing::Optional;

pb::TensorProto Ints(std::vector<int64_t> dims, std::vector<int64_t> values) {
  pb::TensorProto t;
  t.set_data_type(pb::TensorProto::INT64);
  for (const int64_t d : dims) t.add_dims(d);
  for (const int64_t v : values) t.add_int64_data(v);
  return t;
}
pb::TensorProto List(const std::vector<int64_t>& values) {
  return Ints({static_cast<int64_t>(values.size())}, values);
}
pb::TensorProto Float(float value) {
  pb::TensorProto t;
  t.set_data_type(pb::TensorProto::FLOAT);
  t.add_float_data(value);
  return t;
}

// The node of the text, whose inputs are given in order; an absent optional means a value that is not known.
std::vector<pb::TensorProto> Evaluate(const std::string& text,
                                      const std::vector<std::optional<pb::TensorProto>>& inputs,
                                      const pb::TypeProto& type = {}) {
  ScopeNode node;
  EXPECT_TRUE(pb::OnnxParser::Parse(node.proto, text.c_str()).IsOK()) << text;
  std::vector<const pb::TensorProto*> values;
  std::vector<const pb::TypeProto*> types;
  for (int i = 0; i < node.proto.input_size(); ++i) {
    const bool absent = node.proto.input(i).empty();
    node.inputs.push_back(absent ? kNone : static_cast<ValueId>(i));
    const auto k = static_cast<size_t>(i);
    values.push_back(absent || k >= inputs.size() || !inputs[k] ? nullptr : &*inputs[k]);
    types.push_back(&type);
  }
  for (int o = 0; o < node.proto.output_size(); ++o) node.outputs.push_back(static_cast<ValueId>(100 + o));
  std::vector<pb::TensorProto> outputs;
  if (!EvaluateSmall(node, values, types, &outputs)) outputs.clear();
  return outputs;
}

// The integers of the only output; nothing where it could not be computed.
std::optional<std::vector<int64_t>> IntsOfNode(const std::string& text,
                                               const std::vector<std::optional<pb::TensorProto>>& inputs,
                                               const pb::TypeProto& type = {}) {
  const auto outputs = Evaluate(text, inputs, type);
  std::vector<int64_t> values;
  if (outputs.size() != 1 || !IntegersOf(outputs[0], &values)) return std::nullopt;
  return values;
}

TEST(ShapeValues, ShapeNeedsEveryExtentThatItGives) {
  pb::TypeProto type;
  auto* shape = type.mutable_tensor_type()->mutable_shape();
  shape->add_dim()->set_dim_value(2);
  shape->add_dim()->set_dim_value(3);
  EXPECT_THAT(IntsOfNode("y = Shape(x)", {std::nullopt}, type), Optional(ElementsAre(2, 3)));
  EXPECT_THAT(IntsOfNode("y = Size(x)", {std::nullopt}, type), Optional(ElementsAre(6)));
  shape->add_dim()->set_dim_param("N");
  EXPECT_EQ(IntsOfNode("y = Shape(x)", {std::nullopt}, type), std::nullopt);
  EXPECT_EQ(IntsOfNode("y = Size(x)", {std::nullopt}, type), std::nullopt);
  EXPECT_EQ(IntsOfNode("y = Shape(x)", {std::nullopt}, {}), std::nullopt);
}

TEST(ShapeValues, GatherAndSlice) {
  EXPECT_THAT(IntsOfNode("y = Gather <axis = 0> (x, i)", {List({5, 6, 7}), List({2, 0, -2})}),
              Optional(ElementsAre(7, 5, 6)));
  EXPECT_EQ(IntsOfNode("y = Gather <axis = 0> (x, i)", {List({5, 6, 7}), List({3})}), std::nullopt);
  EXPECT_EQ(IntsOfNode("y = Gather <axis = 0> (x, i)", {List({5, 6, 7}), std::nullopt}), std::nullopt);
  EXPECT_THAT(IntsOfNode("y = Slice(x, s, e)", {List({1, 2, 3, 4, 5}), List({1}), List({-1})}),
              Optional(ElementsAre(2, 3, 4)));
  EXPECT_THAT(IntsOfNode("y = Slice(x, s, e, a, t)",
                         {List({1, 2, 3, 4, 5}), List({-1}), List({INT64_MIN}), List({0}), List({-2})}),
              Optional(ElementsAre(5, 3, 1)));
  EXPECT_EQ(
      IntsOfNode("y = Slice(x, s, e, a, t)", {List({1, 2}), List({0}), List({2}), List({0}), List({0})}),
      std::nullopt);
}

TEST(ShapeValues, ConcatReshapeAndSqueeze) {
  EXPECT_THAT(IntsOfNode("y = Concat <axis = 0> (a, b)", {List({1, 2}), List({3})}),
              Optional(ElementsAre(1, 2, 3)));
  EXPECT_EQ(IntsOfNode("y = Concat <axis = 0> (a, b)", {List({1, 2}), std::nullopt}), std::nullopt);
  const auto reshaped = Evaluate("y = Reshape(x, s)", {List({1, 2, 3, 4, 5, 6}), List({2, -1})});
  ASSERT_EQ(reshaped.size(), 1u);
  EXPECT_THAT(reshaped[0].dims(), ElementsAre(2, 3));
  EXPECT_TRUE(Evaluate("y = Reshape(x, s)", {List({1, 2, 3}), List({2, -1})}).empty());
  EXPECT_TRUE(Evaluate("y = Reshape(x, s)", {List({1, 2, 3}), List({-1, -1})}).empty());
  const auto unsqueezed = Evaluate("y = Unsqueeze(x, a)", {List({1, 2}), List({-1, 0})});
  ASSERT_EQ(unsqueezed.size(), 1u);
  EXPECT_THAT(unsqueezed[0].dims(), ElementsAre(1, 2, 1));
  EXPECT_TRUE(Evaluate("y = Unsqueeze(x, a)", {List({1, 2}), List({0, 0})}).empty());
  EXPECT_TRUE(Evaluate("y = Squeeze(x, a)", {List({1, 2}), List({0})}).empty());
}

TEST(ShapeValues, RangeAndConstantOfShape) {
  const auto range = [](int64_t start, int64_t limit, int64_t delta) {
    return IntsOfNode("y = Range(s, l, d)", {Ints({}, {start}), Ints({}, {limit}), Ints({}, {delta})});
  };
  EXPECT_THAT(range(1, 8, 3), Optional(ElementsAre(1, 4, 7)));
  EXPECT_THAT(range(5, 0, -2), Optional(ElementsAre(5, 3, 1)));
  EXPECT_THAT(range(5, 0, 2), Optional(ElementsAre()));
  EXPECT_EQ(range(0, 5, 0), std::nullopt);
  EXPECT_EQ(range(0, INT64_MAX, 1), std::nullopt);
  EXPECT_THAT(IntsOfNode("y = ConstantOfShape <value = int64[1] {7}> (s)", {List({3})}),
              Optional(ElementsAre(7, 7, 7)));
  EXPECT_TRUE(Evaluate("y = ConstantOfShape(s)", {List({100, 100})}).empty());  // more than is kept
  EXPECT_TRUE(Evaluate("y = ConstantOfShape(s)", {List({-1})}).empty());
}

TEST(ShapeValues, ArithmeticThatOverflowsIsNotKnown) {
  EXPECT_THAT(IntsOfNode("y = Mul(a, b)", {List({2, 3}), List({4})}), Optional(ElementsAre(8, 12)));
  EXPECT_EQ(IntsOfNode("y = Mul(a, b)", {List({INT64_MAX}), List({2})}), std::nullopt);
  EXPECT_THAT(IntsOfNode("y = Div(a, b)", {List({-7}), List({2})}), Optional(ElementsAre(-3)));
  EXPECT_EQ(IntsOfNode("y = Div(a, b)", {List({1}), List({0})}), std::nullopt);
  EXPECT_EQ(IntsOfNode("y = Div(a, b)", {List({INT64_MIN}), List({-1})}), std::nullopt);
  EXPECT_THAT(IntsOfNode("y = Mod(a, b)", {List({-7}), List({3})}), Optional(ElementsAre(2)));
  EXPECT_EQ(IntsOfNode("y = Add(a, b)", {List({1, 2}), List({1, 2, 3})}), std::nullopt);
  EXPECT_THAT(IntsOfNode("y = Cast <to = 7> (x)", {Float(2.75f)}), Optional(ElementsAre(2)));
  EXPECT_EQ(IntsOfNode("y = Cast <to = 7> (x)", {Float(1e30f)}), std::nullopt);
  EXPECT_EQ(IntsOfNode("y = Add(a, b)", {List({1}), Float(1)}), std::nullopt);
}

TEST(ShapeValues, OtherOperatorsAreNotComputed) {
  EXPECT_TRUE(Evaluate("y = Sin(x)", {Float(0)}).empty());
  EXPECT_TRUE(Evaluate("y = com.example.Add(a, b)", {List({1}), List({1})}).empty());
}

}  // namespace
}  // namespace braid::loader
