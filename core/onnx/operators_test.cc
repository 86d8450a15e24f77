// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/operators.h"

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

OperatorDeclaration Twice(const std::string& name) {
  OperatorDeclaration op;
  op.domain = "com.example";
  op.name = name;
  op.inputs = {{"x", "T", 0}};
  op.outputs = {{"y", "T", 0}};
  op.constraints = {{"T", {"tensor(float)", "tensor(int64)"}}};
  return op;
}

std::string ErrorOf(OperatorDeclaration op) { return std::string(DeclareOperator(std::move(op)).message()); }

std::string Text(const std::string& call) {
  return "<ir_version: 8, opset_import: [\"\" : 17, \"com.example\" : 3]> g (int64[2,N] x) => (int64 z) { y "
         "= com.example." +
         call + " z = Size(y) }";
}

TEST(Operators, AreDeclaredOnce) {
  ASSERT_TRUE(DeclareOperator(Twice("Once")).ok());
  EXPECT_EQ(DeclareOperator(Twice("Once")).code(), absl::StatusCode::kAlreadyExists);
  OperatorDeclaration later = Twice("Once");
  later.since_version = 3;
  EXPECT_TRUE(DeclareOperator(later).ok());
  // The model's opset says which: 2 still has the first.
  const auto model = Loaded(FromText(Text("Once(x)")));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->graph().nodes[0].version, 3);
}

TEST(Operators, WithoutShapesOnlyTheTypeIsKnown) {
  ASSERT_TRUE(DeclareOperator(Twice("Typed")).ok());
  const auto model = Loaded(FromText(Text("Typed(x)")));
  ASSERT_NE(model, nullptr);
  const Type& type = model->graph().values[model->graph().nodes[0].outputs[0]].type;
  EXPECT_EQ(type.element, Element::kInt64);
  EXPECT_FALSE(type.has_shape);
}

TEST(Operators, TheShapeFunctionSeesTheCall) {
  OperatorDeclaration op = Twice("Seen");
  op.inputs.push_back({"n", "tensor(int64)", 1});
  op.attributes = {{"k", Attribute::kInt, false}, {"names", Attribute::kStrings, false}};
  op.infer = [](const Graph& call, std::vector<Type>* outputs) {
    const Node& node = call.nodes[0];
    EXPECT_EQ(node.op, "Seen");
    EXPECT_EQ(node.attribute("k")->i, 7);
    EXPECT_THAT(node.attribute("names")->strings, ElementsAre("a", "b"));
    EXPECT_EQ((*outputs)[0].element, Element::kInt64);
    EXPECT_EQ(call.values[node.inputs[0]].type.dims[0].value, 2);
    EXPECT_EQ(call.values[node.inputs[0]].type.dims[1].value, -1);
    const Value& n = call.values[node.inputs[1]];
    if (n.constant == nullptr) return absl::InternalError("n is no constant");
    (*outputs)[0].has_shape = true;
    (*outputs)[0].dims = {{*reinterpret_cast<const int64_t*>(n.constant->data), -1}, {-1, -1}};
    return absl::OkStatus();
  };
  ASSERT_TRUE(DeclareOperator(op).ok());
  const auto model = Loaded(FromText(
      R"(<ir_version: 8, opset_import: ["" : 17, "com.example" : 1]> g (int64[2,N] x) => (int64 z) <int64[1] n = {5}> {
        y = com.example.Seen <k = 7, names = ["a", "b"]> (x, n)
        z = Size(y)
      })"));
  ASSERT_NE(model, nullptr);
  const Type& type = model->graph().values[model->graph().nodes[0].outputs[0]].type;
  ASSERT_TRUE(type.has_shape);
  EXPECT_EQ(type.dims[0].value, 5);
  EXPECT_EQ(type.dims[1].value, -1);
}

TEST(Operators, DeclarationsThatMakeNoSense) {
  OperatorDeclaration op = Twice("");
  EXPECT_THAT(ErrorOf(op), HasSubstr("no name"));
  for (const char* domain : {"", "ai.onnx", "ai.onnx.ml"}) {
    op = Twice("A");
    op.domain = domain;
    EXPECT_THAT(ErrorOf(op), HasSubstr("ONNX's own"));
  }
  op = Twice("A");
  op.since_version = 0;
  EXPECT_THAT(ErrorOf(op), HasSubstr("since_version is 0"));
  op = Twice("A");
  op.inputs[0].type = "U";
  EXPECT_THAT(ErrorOf(op), HasSubstr("'U'"));
  op = Twice("A");
  op.inputs[0].type = "tensor(nothing)";
  EXPECT_NE(ErrorOf(op), "");
  op = Twice("A");
  op.inputs = {{"a", "T", 2}, {"b", "T", 0}};
  EXPECT_THAT(ErrorOf(op), HasSubstr("variadic"));
  op = Twice("A");
  op.attributes = {{"g", Attribute::kGraph, false}};
  EXPECT_THAT(ErrorOf(op), HasSubstr("kind 5"));
  op = Twice("A");
  op.body = "{ y = Add (x, x) }";
  EXPECT_THAT(ErrorOf(op), HasSubstr("opset 0"));
  op.body_opset = 17;
  op.body = "{ y = Add (x, ";
  EXPECT_THAT(ErrorOf(op), HasSubstr("its body"));
}

TEST(Operators, BodiesAreExpanded) {
  OperatorDeclaration op = Twice("Body");
  op.body = "{ y = Add (x, x) }";
  op.body_opset = 7;
  ASSERT_TRUE(DeclareOperator(op).ok());
  const auto model = Loaded(FromText(Text("Body(x)")));
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(model->graph().nodes[0].is_function);
  const auto expanded = model->ExpandFunctions([](const Node&) { return true; });
  ASSERT_TRUE(expanded.ok()) << expanded.status();
  EXPECT_THAT(Ops((*expanded)->graph()), ElementsAre("Add", "Size"));
  // What the body says of shapes is known before.
  const Type& type = model->graph().values[model->graph().nodes[0].outputs[0]].type;
  ASSERT_TRUE(type.has_shape);
  EXPECT_EQ(type.dims[0].value, 2);
}

}  // namespace
}  // namespace braid::loader
