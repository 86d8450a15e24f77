// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/model.h"

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const Graph> Specialised(const Model& model,
                                         const std::vector<std::vector<int64_t>>& shapes) {
  std::vector<InputShape> inputs;
  for (const auto& dims : shapes) inputs.push_back({true, dims});
  auto graph = model.Specialise(inputs);
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *graph : std::make_shared<Graph>();
}

TEST(Model, FromMemory) {
  pb::ModelProto proto = InOpset(28, "g (float[N,3] x) => (float[N,3] y) { t = Relu(x) y = Neg(t) }", 10);
  proto.set_producer_name("someone");
  proto.set_doc_string("what it is");
  auto* entry = proto.add_metadata_props();
  entry->set_key("k");
  entry->set_value("v");
  const auto model = Loaded(proto);
  ASSERT_NE(model, nullptr);
  const Graph& graph = model->graph();
  EXPECT_EQ(graph.name, "g");
  EXPECT_THAT(Ops(graph), ElementsAre("Relu", "Neg"));
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.values[graph.inputs[0]].name, "x");
  EXPECT_EQ(graph.values[graph.outputs[0]].name, "y");
  EXPECT_EQ(graph.nodes[1].outputs[0], graph.outputs[0]);
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
  EXPECT_EQ(TypeOfValue(graph, "t"), "float32[N,3]");
  EXPECT_EQ(model->info().ir_version, 10);
  EXPECT_EQ(model->info().producer_name, "someone");
  EXPECT_EQ(model->info().doc, "what it is");
  EXPECT_EQ(model->info().metadata[0].second, "v");
}

TEST(Model, FromFile) {
  Folder folder;
  const pb::ModelProto proto = InOpset(28, "g (float[N] x) => (float[N] y) { y = Relu(x) }", 10);
  const auto model = LoadModelFile(folder.Write("m.onnx", proto.SerializeAsString()));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(Ops((*model)->graph()), ElementsAre("Relu"));
}

TEST(Model, SymbolsAreShared) {
  const auto model = Loaded(
      InOpset(28, "g (float[N,M] a, float[N,K] b) => (float[N,L] y) { y = Concat <axis = 1> (a, b) }", 10));
  ASSERT_NE(model, nullptr);
  const Graph& g = model->graph();
  const auto symbol = [&](size_t input, size_t dim) {
    return g.values[g.inputs[input]].type.dims[dim].symbol;
  };
  EXPECT_GE(symbol(0, 0), 0);
  EXPECT_EQ(symbol(0, 0), symbol(1, 0));
  EXPECT_NE(symbol(0, 1), symbol(1, 1));
  EXPECT_EQ(g.symbols[static_cast<size_t>(symbol(0, 1))], "M");
}

TEST(Model, LargeInitializersAreMappedNotCopied) {
  Folder folder;
  pb::ModelProto proto = InOpset(28, "g (float[N] x) => (float[N] y) { y = Add(x, w) }", 10);
  auto* w = proto.mutable_graph()->add_initializer();
  w->set_name("w");
  w->set_data_type(pb::TensorProto::UINT8);
  w->add_dims(1 << 20);
  w->set_raw_data(std::string(1 << 20, 'w'));
  proto.mutable_graph()->mutable_node(0)->set_op_type("Identity");
  proto.mutable_graph()->mutable_node(0)->mutable_input()->RemoveLast();
  auto* used = proto.mutable_graph()->add_node();
  used->set_op_type("Identity");
  used->add_input("w");
  used->add_output("z");
  auto* out = proto.mutable_graph()->add_output();
  out->set_name("z");
  out->mutable_type()->mutable_tensor_type()->set_elem_type(pb::TensorProto::UINT8);
  const std::string bytes = proto.SerializeAsString();
  const auto model = LoadModelFile(folder.Write("m.onnx", bytes));
  ASSERT_TRUE(model.ok()) << model.status();
  const Graph& graph = (*model)->graph();
  const Constant* constant = nullptr;
  for (const Value& value : graph.values)
    if (value.name == "w") constant = value.constant.get();
  ASSERT_NE(constant, nullptr);
  ASSERT_EQ(constant->bytes, 1u << 20);
  EXPECT_EQ(constant->data[12345], 'w');
  EXPECT_THAT(graph.inputs, testing::SizeIs(1));
  // In the file's mapping: at the offset within its page at which the file has it.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(constant->data) % 4096, bytes.find(std::string(100, 'w')) % 4096);
}

TEST(Model, InitializersOfOldAndNewIrVersions) {
  const std::string text =
      "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }";
  // IR 3 lists every initializer among the inputs, and means a constant.
  pb::ModelProto proto =
      InOpset(8, "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }", 3);
  *proto.mutable_graph()->add_input() = proto.graph().input(0);
  proto.mutable_graph()->mutable_input(1)->set_name("w");
  const auto old = Loaded(proto);
  ASSERT_NE(old, nullptr);
  EXPECT_THAT(old->graph().inputs, testing::SizeIs(1));
  EXPECT_THAT(InputOf<float>(old->graph(), old->graph().nodes[0], 1), ElementsAre(1, 2));
  // From IR 4 on it is an input with a default.
  proto.set_ir_version(8);
  const auto later = Loaded(proto);
  ASSERT_NE(later, nullptr);
  const Graph& graph = later->graph();
  ASSERT_THAT(graph.inputs, testing::SizeIs(2));
  ASSERT_THAT(graph.input_defaults, testing::SizeIs(2));
  EXPECT_EQ(graph.input_defaults[0], nullptr);
  ASSERT_NE(graph.input_defaults[1], nullptr);
  EXPECT_EQ(graph.input_defaults[1]->bytes, 8u);
  EXPECT_EQ(graph.values[graph.inputs[1]].constant, nullptr);
}

TEST(Model, ConstantNodesAreConstants) {
  const auto model = Loaded(InOpset(28, R"(g (float[2] x) => (float[2] y, int64[3] z) {
    c = Constant <value_floats = [1.5, 2.5]> ()
    z = Constant <value_ints = [1, 2, 3]> ()
    y = Add(x, c)
  })",
                                    10));
  ASSERT_NE(model, nullptr);
  EXPECT_THAT(Ops(model->graph()), ElementsAre("Add"));
  EXPECT_THAT(InputOf<float>(model->graph(), model->graph().nodes[0], 1), ElementsAre(1.5, 2.5));
  EXPECT_THAT(ConstantOf<int64_t>(model->graph(), model->graph().outputs[1]), ElementsAre(1, 2, 3));
}

TEST(Model, ExternalData) {
  Folder folder;
  folder.Write("w.bin", std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  pb::ModelProto proto =
      InOpset(28, "g (float[2] x) => (float[2] y) <float[2] w = {0, 0}> { y = Add(x, w) }", 10);
  auto* w = proto.mutable_graph()->mutable_initializer(0);
  w->clear_float_data();
  w->set_data_location(pb::TensorProto::EXTERNAL);
  auto* entry = w->add_external_data();
  entry->set_key("location");
  entry->set_value("w.bin");
  const auto file = LoadModelFile(folder.Write("m.onnx", proto.SerializeAsString()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(InputOf<float>((*file)->graph(), (*file)->graph().nodes[0], 1), ElementsAre(1, 2));
  EXPECT_TRUE(Load(proto, folder.path()).ok());
}

TEST(Model, FunctionsAreInlined) {
  const auto model = Loaded(FromText(R"(<ir_version: 10, opset_import: ["" : 28, "l" : 1]>
    g (float[N] x) => (float[N] y) { t = l.twice <k = 3.0> (x) y = l.twice <k = 5.0> (t) }
    <domain: "l", opset_import: ["" : 28]>
    twice <k> (a) => (b) { s = LeakyRelu <alpha : float = @k> (a) b = Neg(s) })"));
  ASSERT_NE(model, nullptr);
  const Graph& graph = model->graph();
  ASSERT_THAT(Ops(graph), ElementsAre("LeakyRelu", "Neg", "LeakyRelu", "Neg"));
  EXPECT_EQ(graph.nodes[0].attribute("alpha")->f, 3);
  EXPECT_EQ(graph.nodes[2].attribute("alpha")->f, 5);
  EXPECT_EQ(TypeOfValue(graph, "y"), "float32[N]");
  EXPECT_THAT(model->info().notes, testing::Contains(HasSubstr("expanded")));
}

TEST(Model, BodiesAndCaptures) {
  const auto model = Loaded(InOpset(
      28, R"(g (int64 n, float[2] x, float[2] z) => (float[2] y) <float[2] w = {3, 4}, bool yes = {1}> {
    y = Loop (n, yes, x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {
      d = Identity(c)
      p = Equal(i, n)
      t = If (p) <then_branch = t () => (float[2] u) { u = Add(s, z) },
                  else_branch = e () => (float[2] v) { v = Mul(s, w) }>
    }>
  })",
      10));
  ASSERT_NE(model, nullptr);
  const Graph& graph = model->graph();
  const Node& loop = NodeOf(graph, "Loop");
  EXPECT_TRUE(loop.is_host);
  const Body& body = loop.attribute("body")->body;
  ASSERT_NE(body.graph, nullptr);
  // Formal inputs first, then n and z, which it and its branches read.
  ASSERT_EQ(body.graph->inputs.size(), 3 + body.captures.size());
  std::vector<std::string> captured;
  for (const ValueId id : body.captures) captured.push_back(graph.values[id].name);
  EXPECT_THAT(captured, testing::IsSupersetOf({"n", "z"}));
  for (size_t i = 0; i < body.captures.size(); ++i)
    EXPECT_EQ(TypeString(body.graph->values[body.graph->inputs[3 + i]].type, {}),
              TypeString(graph.values[body.captures[i]].type, {}));
  const Node& branch = NodeOf(*body.graph, "If");
  const Body& then_body = branch.attribute("then_branch")->body;
  EXPECT_EQ(then_body.captures.size(), then_body.graph->inputs.size());
  EXPECT_THAT(then_body.captures, testing::SizeIs(2));  // s and z
  // w is a constant within the branch, or captured.
  const Body& else_body = branch.attribute("else_branch")->body;
  EXPECT_EQ(else_body.captures.size(), else_body.graph->inputs.size());
  NodeId node = 0;
  while (graph.nodes[node].op != "Loop") ++node;
  const auto inner = model->BodyModel(node, "body");
  ASSERT_TRUE(inner.ok()) << inner.status();
  EXPECT_EQ((*inner)->graph().inputs.size(), body.graph->inputs.size());
  EXPECT_THAT(Ops((*inner)->graph()), testing::Contains("If"));
  EXPECT_FALSE(model->BodyModel(node, "none").ok());
}

// The else branch fits two elements and no other number.
const char kBranches[] = R"(g (bool c, float[N] x) => (float[M] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> {
    y = If (c) <then_branch = t () => (float[A] a) { a = Relu(x) },
                else_branch = e () => (float[B] b) { b = MatMul(x, w) }>
  })";

TEST(Model, ABranchThatDoesNotFitIsNoErrorUntilItIsTaken) {
  const auto model = Loaded(InOpset(28, kBranches, 10));
  ASSERT_NE(model, nullptr);
  const auto graph = Specialised(*model, {{}, {4}});
  ASSERT_NE(graph, nullptr);
  EXPECT_EQ(TypeOfValue(*graph, "y"), "float32[4]");
  const auto fits = model->BodyModel(0, "then_branch"), unfit = model->BodyModel(0, "else_branch");
  ASSERT_TRUE(fits.ok() && unfit.ok());
  EXPECT_EQ(TypeOfValue(*Specialised(**fits, {{4}}), "a"), "float32[4]");
  EXPECT_THAT(std::string((*unfit)->Specialise({{true, {4}}}).status().message()),
              SaysInOneLine(std::vector<std::string>{"MatMul of 'b'"}));
  // Both fit two elements, and differ in what they make of them.
  EXPECT_EQ(TypeOfValue(*Specialised(*model, {{}, {2}}), "y").substr(0, 8), "float32[");
  EXPECT_NE(TypeOfValue(*Specialised(*model, {{}, {2}}), "y"), "float32[2]");
}

TEST(Model, ABranchThatNeverFitsIsLoaded) {
  std::string fixed = kBranches;
  fixed.replace(fixed.find("float[N]"), 8, "float[4]");
  const auto model = Loaded(InOpset(28, fixed, 10));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(TypeOfValue(model->graph(), "y"), "float32[4]");
  const auto unfit = model->BodyModel(0, "else_branch");
  ASSERT_TRUE(unfit.ok()) << unfit.status();
  EXPECT_THAT(Ops((*unfit)->graph()), ElementsAre("MatMul"));
}

TEST(Model, OneBranchMustFitAndTheOneThatIsTaken) {
  const std::string misfit = "(float[4] x) => (float[M] y) <bool c = {0}, float[2,3] w = {1, 2, 3, 4, 5, 6}>";
  const std::string branches = R"({
    y = If (c) <then_branch = t () => (float[A] a) { a = THEN },
                else_branch = e () => (float[B] b) { b = MatMul(x, w) }>
  })";
  std::string both = "g (bool c, float[4] x) => (float[M] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> " + branches;
  both.replace(both.find("THEN"), 4, "MatMul(x, w)");
  EXPECT_THAT(ErrorOf(InOpset(28, both, 10)),
              SaysInOneLine(std::vector<std::string>{"If of 'y'", "body 'then_branch'", "MatMul of 'a'"}));
  std::string known = "g " + misfit + branches;
  known.replace(known.find("THEN"), 4, "Relu(x)");
  EXPECT_THAT(ErrorOf(InOpset(28, known, 10)),
              SaysInOneLine(std::vector<std::string>{"If of 'y'", "body 'else_branch'", "MatMul of 'b'"}));
  known.replace(known.find("{0}"), 3, "{1}");
  EXPECT_EQ(ErrorOf(InOpset(28, known, 10)), "");
}

TEST(Model, SpecialiseGivesShapes) {
  const auto model =
      Loaded(InOpset(28, R"(g (float[N,C,H,W] x) => (float[N,A,B] y) <int64[3] s = {0, 0, -1}> {
    t = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
    y = Reshape(t, s)
  })",
                     10));
  ASSERT_NE(model, nullptr);
  const auto graph = Specialised(*model, {{2, 3, 8, 10}});
  EXPECT_EQ(TypeOfValue(*graph, "t"), "float32[2,3,4,5]");
  EXPECT_EQ(TypeOfValue(*graph, "y"), "float32[2,3,20]");
  EXPECT_EQ(graph->nodes.size(), model->graph().nodes.size());
  EXPECT_EQ(graph->values.size(), model->graph().values.size());
  // Another shape after it: nothing of the first one is left.
  EXPECT_EQ(TypeOfValue(*Specialised(*model, {{1, 1, 2, 2}}), "y"), "float32[1,1,1]");
  EXPECT_EQ(TypeOfValue(model->graph(), "x"), "float32[N,C,H,W]");
}

TEST(Model, SpecialiseFollowsShapesThatAreComputed) {
  const auto model = Loaded(InOpset(28, R"(g (float[N,C,H,W] x) => (float[A,B,D,E] y)
      <int64[1] two = {2}, int64[1] four = {4}, int64[2] halves = {2, 2}, float[0] none = {}> {
    shape = Shape(x)
    hw = Slice(shape, two, four)
    half = Div(hw, halves)
    nc = Shape <start = 0, end = 2> (x)
    size = Concat <axis = 0> (nc, half)
    y = Resize <mode = "nearest"> (x, , , size)
  })",
                                    10));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(TypeOfValue(*Specialised(*model, {{1, 3, 16, 20}}), "y"), "float32[1,3,8,10]");
}

// Memory is sized by a specialised graph: a declared shape that inference cannot derive is not one.
TEST(Model, SpecialiseTakesNoDeclaredShapesOnTrust) {
  const auto unproven = [](const std::string& text) {
    const auto model = Loaded(InOpset(28, text, 10));
    if (model == nullptr) return Type();
    const auto graph = Specialised(*model, {{4}});
    return graph->values[graph->outputs[0]].type;
  };
  const Type rows = unproven("g (float[N] x) => (int64[1,100] y) { y = NonZero(x) }");
  ASSERT_EQ(rows.dims.size(), 2u);
  EXPECT_EQ(rows.dims[1].value, -1);
  const Type named = unproven("g (float[N] x) => (int64[1,N] y) { y = NonZero(x) }");
  ASSERT_EQ(named.dims.size(), 2u);
  EXPECT_EQ(named.dims[1].value, -1);
  const auto model = Loaded(
      InOpset(28, "g (float[4] x, int64[K] s) => (float[2,50] y) { t = Reshape(x, s) y = Relu(t) }", 10));
  ASSERT_NE(model, nullptr);
  const auto graph = Specialised(*model, {{4}, {2}});
  const Type& reshaped = graph->values[graph->outputs[0]].type;
  for (const auto& dim : reshaped.dims) EXPECT_EQ(dim.value, -1);
  // People are shown what is declared.
  EXPECT_EQ(TypeOfValue(model->graph(), "y"), "float32[2,50]");
}

TEST(Model, InputsWithoutAShapeHaveAnyRank) {
  pb::ModelProto proto = InOpset(28, "g (float[N] x) => (float[N] y) { y = Relu(x) }", 10);
  proto.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  proto.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  const auto model = Loaded(proto);
  ASSERT_NE(model, nullptr);
  EXPECT_FALSE(model->graph().values[model->graph().inputs[0]].type.has_shape);
  EXPECT_EQ(TypeOfValue(*Specialised(*model, {{2, 3}}), "y"), "float32[2,3]");
}

TEST(Model, SpecialiseRefusesWhatContradicts) {
  const auto model =
      Loaded(InOpset(28, "g (float[N,3] a, float[K,M] b) => (float[N,M] y) { y = MatMul(a, b) }", 10));
  ASSERT_NE(model, nullptr);
  const auto bad = model->Specialise(std::vector<InputShape>{{true, {2, 3}}, {true, {4, 5}}});
  EXPECT_THAT(std::string(bad.status().message()), SaysInOneLine(std::vector<std::string>{"MatMul"}));
  const auto declared = model->Specialise(std::vector<InputShape>{{true, {2, 4}}, {true, {4, 5}}});
  EXPECT_THAT(std::string(declared.status().message()),
              SaysInOneLine(std::vector<std::string>{"'a'", "4", "3"}));
}

TEST(Model, ExpandFunctionsOnDemand) {
  const auto model =
      Loaded(InOpset(28, "g (float[2,3] x) => (float[2,3] y) { t = Gelu(x) y = Softplus(t) }", 10));
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(NodeOf(model->graph(), "Gelu").is_function);
  const auto none = model->ExpandFunctions([](const Node&) { return false; });
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(*none, nullptr);
  const auto some = model->ExpandFunctions([](const Node& node) { return node.op == "Gelu"; });
  ASSERT_TRUE(some.ok()) << some.status();
  ASSERT_NE(*some, nullptr);
  const Graph& graph = (*some)->graph();
  EXPECT_THAT(Ops(graph), testing::Not(testing::Contains("Gelu")));
  EXPECT_THAT(Ops(graph), testing::IsSupersetOf({"Erf", "Mul", "Softplus"}));
  EXPECT_EQ(TypeOfValue(graph, "y"), "float32[2,3]");
  EXPECT_EQ(graph.values[graph.inputs[0]].name, "x");
  EXPECT_THAT(Ops(model->graph()), ElementsAre("Gelu", "Softplus"));  // the model itself is as it was
}

// The bodies of these take a variance as the mean of the squares less the square of the mean.
TEST(Model, VariancesOfBodiesAreOfDeviations) {
  for (const std::string node :
       {"y = GroupNormalization<num_groups = 2>(x, s, b)", "y = LayerNormalization<axis = 1>(x, w)",
        "y = MeanVarianceNormalization(x)"}) {
    const auto model = Loaded(InOpset(
        28,
        "g (float[2,4,3,3] x, float[4] s, float[4] b, float[4,3,3] w) => (float[2,4,3,3] y) { " + node + " }",
        10));
    ASSERT_NE(model, nullptr);
    const auto expanded = model->ExpandFunctions([](const Node&) { return true; });
    ASSERT_TRUE(expanded.ok()) << expanded.status();
    ASSERT_NE(*expanded, nullptr) << node;
    const Graph& graph = (*expanded)->graph();
    // Something is squared that is itself a difference, and its mean is what the root is of.
    const auto maker = [&](ValueId v) -> const Node* {
      for (const Node& n : graph.nodes)
        if (!n.outputs.empty() && n.outputs[0] == v) return &n;
      return nullptr;
    };
    bool found = false;
    for (const Node& n : graph.nodes) {
      const Node* mul = n.op == "ReduceMean" ? maker(n.inputs[0]) : nullptr;
      const Node* sub = mul != nullptr && mul->op == "Mul" ? maker(mul->inputs[0]) : nullptr;
      found |= sub != nullptr && sub->op == "Sub" && mul->inputs[0] == mul->inputs[1];
    }
    EXPECT_TRUE(found) << node;
  }
}

TEST(Model, FunctionsHaveDefaultsForTheirAttributes) {
  // `outer` is called without its attribute, `inner` once with outer's and once without; a body calls it too.
  const auto model = Loaded(FromText(R"(<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
      g (float[2,3] x, bool c) => (float[2,3] y) {
        t = local.outer(x)
        y = If(c) <then_branch = yes () => (float[2,3] a) { a = local.inner(t) },
                   else_branch = no () => (float[2,3] b) { b = Identity(t) }>
      }
      <domain: "local", opset_import: ["" : 18]> inner <alpha: float = 0.25> (a) => (b) {
        b = LeakyRelu <alpha: float = @alpha> (a)
      }
      <domain: "local", opset_import: ["" : 18, "local" : 1]> outer <slope: float = 0.5> (a) => (b) {
        c = local.inner <alpha: float = @slope> (a)
        b = local.inner(c)
      })"));
  ASSERT_NE(model, nullptr);
  std::vector<float> slopes;
  for (const Node& node : model->graph().nodes)
    if (node.op == "LeakyRelu") slopes.push_back(node.attribute("alpha")->f);
  EXPECT_THAT(slopes, ElementsAre(0.5f, 0.25f));
}

TEST(Model, MinVersions) {
  const auto model = Loaded(InOpset(28, R"(g (float[2,3] x, float[2,3] z) => (float[2,3] y) {
    a = Relu(x)
    b = Add(a, z)
    c = HardSwish(b)
    y = Softmax <axis = 1> (c)
  })",
                                    10));
  ASSERT_NE(model, nullptr);
  const Graph& graph = model->graph();
  EXPECT_EQ(NodeOf(graph, "Relu").version, 14);
  EXPECT_LE(NodeOf(graph, "Relu").min_version, 6);  // only took other types and marks
  EXPECT_EQ(NodeOf(graph, "Add").min_version, 7);   // broadcast otherwise before
  EXPECT_LE(NodeOf(graph, "HardSwish").min_version, 14);
  EXPECT_EQ(NodeOf(graph, "Softmax").min_version, 13);  // normalised rows before
}

TEST(Model, ADeepGraphIsLoadedInTime) {
  pb::ModelProto proto = InOpset(13, "g (float[4] v0) => (float[4] y) { v1 = Relu(v0) }");
  for (int i = 1; i < 20000; ++i) {
    auto* node = proto.mutable_graph()->add_node();
    node->set_op_type("Relu");
    node->add_input("v" + std::to_string(i));
    node->add_output(i == 19999 ? "y" : "v" + std::to_string(i + 1));
  }
  const auto model = Loaded(proto);
  ASSERT_NE(model, nullptr);
  EXPECT_THAT(model->graph().nodes, testing::SizeIs(20000));
}

TEST(Model, ValuesOfTestCases) {
  pb::TensorProto t;
  t.set_name("x");
  t.set_data_type(pb::TensorProto::INT32);
  t.add_dims(2);
  t.add_int32_data(7);
  t.add_int32_data(-8);
  const std::string bytes = t.SerializeAsString();
  const auto span = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  const auto value = ParseTensorProto(span);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->name, "x");
  EXPECT_EQ(TypeString(value->type, {}), "int32[2]");
  EXPECT_THAT(value->data, ElementsAre(7, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff));
  EXPECT_FALSE(ParseTensorProto(span.subspan(0, 5)).ok());
}

}  // namespace
}  // namespace braid::loader
