// SPDX-License-Identifier: Apache-2.0
//
// Models of old opsets: what their nodes are in the newest. Expectations come from the operators' changelog.
#include "core/onnx/schema.h"
#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::ElementsAre;

// The graph of an old model, which must load.
const Graph& Upgraded(int opset, const std::string& text, int ir = 8) {
  static std::vector<std::shared_ptr<const Model>> kept;
  kept.push_back(Loaded(InOpset(opset, text, ir)));
  static const Graph none;
  return kept.back() == nullptr ? none : kept.back()->graph();
}

int64_t IntOf(const Node& node, const std::string& name, int64_t otherwise = -999) {
  const Attribute* a = node.attribute(name);
  return a == nullptr ? otherwise : a->i;
}

std::string StringOf(const Node& node, const std::string& name) {
  const Attribute* a = node.attribute(name);
  return a == nullptr ? "absent" : a->s;
}

TEST(Upgrade, NotesSayWhatChanged) {
  const auto model = Loaded(InOpset(13, "g (float[N] x) => (float[N] y) { y = Relu(x) }"));
  ASSERT_NE(model, nullptr);
  EXPECT_THAT(model->info().notes, ElementsAre("upgraded ai.onnx 13 to 28"));
  EXPECT_EQ(model->info().opset_imports[0].second, 13);
  EXPECT_EQ(model->graph().nodes[0].version, 14);  // Relu's newest
  EXPECT_TRUE(
      Loaded(InOpset(28, "g (float[N] x) => (float[N] y) { y = Relu(x) }", 10))->info().notes.empty());
}

// As skl2onnx writes them: the functions of one opset, the model of another, calls that feed calls.
TEST(Upgrade, FunctionsOfAnotherOpset) {
  auto text = [](int model, int function) {
    return "<ir_version: 8, opset_import: [\"\" : " + std::to_string(model) + R"(, "local" : 1]>
      g (float[N] x) => (float[N] y) { t = local.f(x) y = local.f(t) }
      <domain: "local", opset_import: ["" : )" +
           std::to_string(function) + R"(]> f (a) => (b) {
        c = Relu(a)
        b = Identity(c)
      })";
  };
  for (const auto& [model, function] : {std::pair(22, 21), std::pair(14, 19), std::pair(20, 13)}) {
    const auto loaded = Loaded(FromText(text(model, function)));
    ASSERT_NE(loaded, nullptr) << model << " " << function;
    EXPECT_THAT(Ops(loaded->graph()), ElementsAre("Relu", "Identity", "Relu", "Identity"));
  }
  // A function that has to be rewritten for the model's opset.
  const auto rewritten = Loaded(FromText(R"(<ir_version: 8, opset_import: ["" : 13, "local" : 1]>
      g (float[N] x) => (float[N] y) { y = local.f(x) }
      <domain: "local", opset_import: ["" : 9]> f (a) => (b) { b = Clip <min = 0.5> (a) })"));
  ASSERT_NE(rewritten, nullptr);
  EXPECT_THAT(InputOf<float>(rewritten->graph(), NodeOf(rewritten->graph(), "Clip"), 1), ElementsAre(0.5f));
}

TEST(Upgrade, AttributesThatBecameInputs) {
  const Graph& clip = Upgraded(6, "g (float[N] x) => (float[N] y) { y = Clip <min = -1.0, max = 6.0> (x) }");
  EXPECT_THAT(InputOf<float>(clip, NodeOf(clip, "Clip"), 1), ElementsAre(-1));
  EXPECT_THAT(InputOf<float>(clip, NodeOf(clip, "Clip"), 2), ElementsAre(6));
  const Graph& upper = Upgraded(6, "g (float[N] x) => (float[N] y) { y = Clip <max = 6.0> (x) }");
  EXPECT_EQ(NodeOf(upper, "Clip").inputs[1], kNone);
  const Graph& pad =
      Upgraded(2, "g (float[2,3] x) => (float[2,6] y) { y = Pad <pads = [0, 1, 0, 2], value = 0.5> (x) }");
  EXPECT_THAT(InputOf<int64_t>(pad, NodeOf(pad, "Pad"), 1), ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(InputOf<float>(pad, NodeOf(pad, "Pad"), 2), ElementsAre(0.5f));
  const Graph& slice = Upgraded(9,
                                "g (float[4,5] x) => (float[2,3] y) { y = Slice <starts = [1, 0], ends = [3, "
                                "-2], axes = [0, 1]> (x) }");
  EXPECT_THAT(InputOf<int64_t>(slice, NodeOf(slice, "Slice"), 1), ElementsAre(1, 0));
  EXPECT_THAT(InputOf<int64_t>(slice, NodeOf(slice, "Slice"), 2), ElementsAre(3, -2));
  EXPECT_THAT(InputOf<int64_t>(slice, NodeOf(slice, "Slice"), 3), ElementsAre(0, 1));
  const Graph& topk = Upgraded(9, "g (float[4] x) => (float[2] v, int64[2] i) { v, i = TopK <k = 2> (x) }");
  EXPECT_THAT(InputOf<int64_t>(topk, NodeOf(topk, "TopK"), 1), ElementsAre(2));
  const Graph& reshape =
      Upgraded(4, "g (float[4] x) => (float[2,2] y) { y = Reshape <shape = [2, -1]> (x) }");
  EXPECT_THAT(InputOf<int64_t>(reshape, NodeOf(reshape, "Reshape"), 1), ElementsAre(2, -1));
  const Graph& dropout = Upgraded(10, "g (float[N] x) => (float[N] y) { y = Dropout <ratio = 0.25> (x) }");
  EXPECT_THAT(InputOf<float>(dropout, NodeOf(dropout, "Dropout"), 1), ElementsAre(0.25f));
}

TEST(Upgrade, AxesThatBecameInputs) {
  for (const char* op : {"Squeeze", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp"}) {
    const Graph& graph =
        Upgraded(11, std::string("g (float[2,1,3] x) => (float[A,B] y) { y = ") + op +
                         (op[0] == 'S' ? " <axes = [1]> (x) }" : " <axes = [1], keepdims = 0> (x) }"));
    EXPECT_THAT(InputOf<int64_t>(graph, NodeOf(graph, op), 1), ElementsAre(1)) << op;
    EXPECT_EQ(TypeOfValue(graph, "y"), "float32[2,3]") << op;
  }
  const Graph& all = Upgraded(11, "g (float[2,3] x) => (float y) { y = ReduceMean <keepdims = 0> (x) }");
  EXPECT_EQ(NodeOf(all, "ReduceMean").inputs.size(), 1u);
  const Graph& unsqueeze =
      Upgraded(11, "g (float[3] x) => (float[1,3] y) { y = Unsqueeze <axes = [0]> (x) }");
  EXPECT_THAT(InputOf<int64_t>(unsqueeze, NodeOf(unsqueeze, "Unsqueeze"), 1), ElementsAre(0));
}

TEST(Upgrade, Split) {
  const Graph& lengths =
      Upgraded(11, "g (float[6] x) => (float[2] a, float[4] b) { a, b = Split <split = [2, 4]> (x) }");
  EXPECT_THAT(InputOf<int64_t>(lengths, NodeOf(lengths, "Split"), 1), ElementsAre(2, 4));
  EXPECT_EQ(NodeOf(lengths, "Split").attribute("num_outputs"), nullptr);
  const Graph& equal = Upgraded(13, "g (float[6] x) => (float[3] a, float[3] b) { a, b = Split (x) }");
  EXPECT_EQ(IntOf(NodeOf(equal, "Split"), "num_outputs"), 2);
  // In opset 1 they could be an input of the type of x.
  const Graph& known = Upgraded(1,
                                "g (float[6] x) => (float[2] a, float[4] b) <float[2] l = {2, 4}> "
                                "{ a, b = Split <axis = 0> (x, l) }",
                                3);
  EXPECT_THAT(InputOf<int64_t>(known, NodeOf(known, "Split"), 1), ElementsAre(2, 4));
  const Graph& given = Upgraded(
      1, "g (double[6] x, double[2] l) => (double[A] a, double[B] b) { a, b = Split <axis = 0> (x, l) }", 3);
  EXPECT_THAT(Ops(given), ElementsAre("Cast", "Split"));
  EXPECT_EQ(IntOf(NodeOf(given, "Cast"), "to"), pb::TensorProto::INT64);
  EXPECT_EQ(NodeOf(given, "Split").attribute("num_outputs"), nullptr);
}

TEST(Upgrade, SoftmaxOverRows) {
  const Graph& rows = Upgraded(11, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = 1> (x) }");
  EXPECT_EQ(IntOf(NodeOf(rows, "Softmax"), "axis"), -1);
  EXPECT_EQ(IntOf(NodeOf(rows, "Flatten"), "axis"), 1);
  EXPECT_EQ(rows.values[NodeOf(rows, "Reshape").outputs[0]].name, "y");
  EXPECT_EQ(TypeOfValue(rows, "y"), "float32[2,3,4]");
  const Graph& none =
      Upgraded(11, "g (float[1,3,0,2] x) => (float[1,3,0,2] y) { y = Hardmax <axis = 0> (x) }");
  EXPECT_EQ(TypeOfValue(none, "y"), "float32[1,3,0,2]");
  for (const char* text : {"g (float[2,3] x) => (float[2,3] y) { y = LogSoftmax (x) }",
                           "g (float[2,3,4] x) => (float[2,3,4] y) { y = LogSoftmax <axis = 2> (x) }",
                           "g (float[2,3,4] x) => (float[2,3,4] y) { y = LogSoftmax <axis = -1> (x) }"}) {
    const Graph& last = Upgraded(11, text);
    ASSERT_EQ(last.nodes.size(), 1u) << text;
    const int64_t axis = IntOf(last.nodes[0], "axis", -1);
    EXPECT_TRUE(axis == -1 || axis + 1 == static_cast<int64_t>(last.values[last.inputs[0]].type.dims.size()))
        << text;
  }
}

TEST(Upgrade, LegacyBroadcast) {
  const Graph& axis = Upgraded(6,
                               "g (float[2,3,4,5] a, float[3,4] b) => (float[2,3,4,5] y) { y = Add "
                               "<broadcast = 1, axis = 1> (a, b) }");
  EXPECT_THAT(Ops(axis), ElementsAre("Unsqueeze", "Add"));
  EXPECT_THAT(InputOf<int64_t>(axis, NodeOf(axis, "Unsqueeze"), 1), ElementsAre(2));
  EXPECT_EQ(TypeOfValue(axis, "y"), "float32[2,3,4,5]");
  EXPECT_TRUE(NodeOf(axis, "Add").attributes.empty());
  const Graph& suffix =
      Upgraded(6, "g (float[2,3] a, float[3] b) => (float[2,3] y) { y = Mul <broadcast = 1> (a, b) }");
  EXPECT_THAT(Ops(suffix), ElementsAre("Mul"));
  const Graph& slope =
      Upgraded(6, "g (float[2,3,4,5] x, float[3] s) => (float[2,3,4,5] y) { y = PRelu (x, s) }");
  EXPECT_EQ(slope.nodes.size(), 2u);
  EXPECT_EQ(TypeString(slope.values[NodeOf(slope, "PRelu").inputs[1]].type, slope.symbols), "float32[3,1,1]");
  const Graph& gemm = Upgraded(6,
                               "g (float[2,3] a, float[3,4] b, float[4] c) => (float[2,4] y) { y = Gemm "
                               "<broadcast = 1, alpha = 2.0> (a, b, c) }");
  EXPECT_EQ(NodeOf(gemm, "Gemm").attribute("broadcast"), nullptr);
  EXPECT_EQ(NodeOf(gemm, "Gemm").attribute("alpha")->f, 2);
}

TEST(Upgrade, LegacyBroadcastAxes) {
  const auto added = [](const std::string& b, const std::string& axis) {
    return InOpset(6, "g (float[2,3,4] a, float" + b +
                          " b) => (float[2,3,4] y) { y = Add <broadcast = 1, axis = " + axis + "> (a, b) }");
  };
  // From an axis on b lies over a; what of a is behind it becomes dimensions of 1.
  const auto unsqueezed = [&](const std::string& b, const std::string& axis) {
    const auto model = Loaded(added(b, axis));
    if (model == nullptr) return std::vector<int64_t>{-1};
    const Graph& graph = model->graph();
    EXPECT_EQ(TypeOfValue(graph, "y"), "float32[2,3,4]");
    if (Ops(graph) == std::vector<std::string>{"Add"}) return std::vector<int64_t>();
    return InputOf<int64_t>(graph, NodeOf(graph, "Unsqueeze"), 1);
  };
  EXPECT_THAT(unsqueezed("[2]", "0"), ElementsAre(1, 2));
  EXPECT_THAT(unsqueezed("[2]", "-3"), ElementsAre(1, 2));
  EXPECT_THAT(unsqueezed("[3]", "1"), ElementsAre(1));
  EXPECT_THAT(unsqueezed("[3]", "-2"), ElementsAre(1));
  EXPECT_THAT(unsqueezed("[2,3]", "-3"), ElementsAre(2));
  EXPECT_THAT(unsqueezed("[4]", "-1"), ElementsAre());
  EXPECT_THAT(unsqueezed("[3,4]", "1"), ElementsAre());
  for (const auto& [b, axis] : std::vector<std::pair<std::string, std::string>>{
           {"[4]", "3"}, {"[4]", "-4"}, {"[3,4]", "2"}, {"[3,4]", "-1"}, {"[2,3,4]", "1"}, {"", "4"}})
    EXPECT_THAT(ErrorOf(added(b, axis)),
                SaysInOneLine(std::vector<std::string>{"Add of 'y'", "axis " + axis + " is out of range"}))
        << b << " " << axis;
}

TEST(Upgrade, FirstOpsets) {
  const Graph& relu =
      Upgraded(1, "g (float[N] x) => (float[N] y) { y = Relu <consumed_inputs = [0]> (x) }", 3);
  EXPECT_TRUE(NodeOf(relu, "Relu").attributes.empty());
  const Graph& reshape = Upgraded(
      1, "g (float[2,3] x) => (float[3,2] y) { y = Reshape <consumed_inputs = [0], shape = [3, 2]> (x) }", 3);
  EXPECT_TRUE(NodeOf(reshape, "Reshape").attributes.empty());
  EXPECT_THAT(InputOf<int64_t>(reshape, NodeOf(reshape, "Reshape"), 1), ElementsAre(3, 2));
  const Graph& cast = Upgraded(1, "g (float[N] x) => (int64[N] y) { y = Cast <to = \"INT64\"> (x) }", 3);
  EXPECT_EQ(IntOf(NodeOf(cast, "Cast"), "to"), 7);
  const Graph& concat = Upgraded(1, "g (float[2,3] x) => (float[2,6] y) { y = Concat (x, x) }", 3);
  EXPECT_EQ(IntOf(NodeOf(concat, "Concat"), "axis"), 1);
  const Graph& selu = Upgraded(1, "g (float[N] x) => (float[N] y) { y = Selu (x) }", 3);
  EXPECT_EQ(NodeOf(selu, "Selu").attribute("alpha")->f, 1.6732f);
  const Graph& pool =
      Upgraded(1, "g (float[1,2,4,4] x) => (float[1,2,1,1] y) { y = GlobalLpPool <p = 3.0> (x) }", 3);
  EXPECT_EQ(IntOf(NodeOf(pool, "GlobalLpPool"), "p"), 3);
  const Graph& pad = Upgraded(1, "g (float[2] x) => (float[4] y) { y = Pad <paddings = [1, 1]> (x) }", 3);
  EXPECT_THAT(InputOf<int64_t>(pad, NodeOf(pad, "Pad"), 1), ElementsAre(1, 1));
}

TEST(Upgrade, BatchNormalization) {
  const std::string args =
      "(float[2,3,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (float[2,3,4] y)";
  const Graph& plain = Upgraded(
      6, "g " + args +
             " { y = BatchNormalization <is_test = 1, spatial = 1, epsilon = 0.125> (x, s, b, m, v) }");
  ASSERT_THAT(Ops(plain), ElementsAre("BatchNormalization"));
  EXPECT_EQ(plain.nodes[0].attribute("epsilon")->f, 0.125f);
  EXPECT_EQ(plain.nodes[0].attribute("spatial"), nullptr);
  EXPECT_EQ(IntOf(plain.nodes[0], "training_mode", 0), 0);
  // spatial = 0: (x - m) / sqrt(v + epsilon) * s + b with a statistic for each element
  const Graph& each =
      Upgraded(7,
               "g (float[2,3,4] x, float[3,4] s, float[3,4] b, float[3,4] m, float[3,4] v) => "
               "(float[2,3,4] y) { y = BatchNormalization <spatial = 0> (x, s, b, m, v) }");
  EXPECT_EQ(TypeOfValue(each, "y"), "float32[2,3,4]");
  EXPECT_THAT(Ops(each), testing::Not(testing::Contains("BatchNormalization")));
  EXPECT_THAT(Ops(each), testing::IsSupersetOf({"Sub", "Sqrt", "Div", "Mul", "Add"}));
}

TEST(Upgrade, StatisticsOfBatchNormalization) {
  const std::string node = "BatchNormalization";
  const auto of = [&](int opset, const std::string& x, const std::string& outputs,
                      const std::string& attributes, int ir = 3) {
    return InOpset(opset,
                   "g (float" + x +
                       " x, float[3] s, float[3] b, float[3] m, float[3] v) => (float y0, float y1, "
                       "float y2, float y3, float y4) { " +
                       outputs + " = BatchNormalization " + attributes + " (x, s, b, m, v) }",
                   ir);
  };
  for (const int opset : {1, 6, 7, 9, 13}) {
    const auto model = Loaded(
        of(opset, "[2,3,4]", "y0, y1, y2, y3, y4", opset == 1 ? "<consumed_inputs = [0, 0, 0, 1, 1]>" : ""));
    ASSERT_NE(model, nullptr);
    const Graph& graph = model->graph();
    EXPECT_EQ(IntOf(NodeOf(graph, node), "training_mode"), 1) << opset;
    EXPECT_EQ(NodeOf(graph, node).outputs.size(), 3u) << opset;
    EXPECT_EQ(TypeOfValue(graph, "y3"), "float32[3]") << opset;
    EXPECT_EQ(TypeOfValue(graph, "y4"), "float32[3]") << opset;
  }
  // In test mode the running statistics are those given, and there are no others to read.
  const std::string test = "<is_test = 1>";
  pb::ModelProto unread = of(6, "[2,3]", "y0, y1, y2, y3, y4", test);
  unread.mutable_graph()->mutable_output()->DeleteSubrange(3, 2);
  const auto running = Loaded(unread);
  ASSERT_NE(running, nullptr);
  EXPECT_THAT(Ops(running->graph()), ElementsAre("BatchNormalization", "Identity", "Identity"));
  EXPECT_EQ(running->graph().nodes[1].inputs[0], running->graph().inputs[3]);
  EXPECT_EQ(running->graph().nodes[2].inputs[0], running->graph().inputs[4]);
  EXPECT_THAT(ErrorOf(of(6, "[2,3]", "y0, y1, y2, y3, y4", test)),
              SaysInOneLine(std::vector<std::string>{"BatchNormalization of 'y0'", "is_test", "'y3'"}));
}

TEST(Upgrade, UpsampleIsResize) {
  const auto check = [](const Graph& graph, const std::string& mode) {
    const Node& resize = NodeOf(graph, "Resize");
    EXPECT_EQ(StringOf(resize, "mode"), mode);
    EXPECT_EQ(StringOf(resize, "coordinate_transformation_mode"), "asymmetric");
    if (mode == "nearest") {
      EXPECT_EQ(StringOf(resize, "nearest_mode"), "floor");
    }
    EXPECT_EQ(resize.inputs[1], kNone);
    EXPECT_THAT(InputOf<float>(graph, resize, 2), ElementsAre(1, 1, 2, 3));
    EXPECT_EQ(TypeOfValue(graph, "y"), "float32[1,1,4,6]");
  };
  const std::string types = "g (float[1,1,2,2] x) => (float[1,1,4,6] y) ";
  check(
      Upgraded(1, types + "{ y = Upsample <height_scale = 2.0, width_scale = 3.0, mode = \"bilinear\"> (x) }",
               3),
      "linear");
  check(Upgraded(8, types + "{ y = Upsample <scales = [1.0, 1.0, 2.0, 3.0], mode = \"nearest\"> (x) }"),
        "nearest");
  check(Upgraded(9, types + "<float[4] s = {1, 1, 2, 3}> { y = Upsample <mode = \"linear\"> (x, s) }"),
        "linear");
  check(Upgraded(10, types + "<float[4] s = {1, 1, 2, 3}> { y = Resize <mode = \"nearest\"> (x, s) }"),
        "nearest");
}

TEST(Upgrade, ResizeThatMakesSmallerAndLarger) {
  const std::string types = "g (float[1,1,4,2] x) => (float[1,1,2,4] y) ";
  const Graph& smaller =
      Upgraded(10, types + "<float[4] s = {1, 1, 0.5, 1}> { y = Resize <mode = \"nearest\"> (x, s) }");
  EXPECT_EQ(StringOf(NodeOf(smaller, "Resize"), "nearest_mode"), "ceil");
  // x is first made larger by [1, 1, 1, 2], then smaller by [1, 1, 0.5, 1].
  const Graph& both =
      Upgraded(10, types + "<float[4] s = {1, 1, 0.5, 2}> { y = Resize <mode = \"nearest\"> (x, s) }");
  EXPECT_THAT(Ops(both), ElementsAre("Max", "Min", "Resize", "Resize"));
  EXPECT_EQ(StringOf(both.nodes[2], "nearest_mode"), "floor");
  EXPECT_EQ(StringOf(both.nodes[3], "nearest_mode"), "ceil");
  EXPECT_EQ(both.nodes[2].inputs[2], both.nodes[0].outputs[0]);
  EXPECT_EQ(both.nodes[3].inputs[2], both.nodes[1].outputs[0]);
  const Graph& unknown =
      Upgraded(10, "g (float[1,1,4,2] x, float[4] s) => (float[a,b,c,d] y) { y = Resize (x, s) }");
  EXPECT_THAT(Ops(unknown), ElementsAre("Max", "Min", "Resize", "Resize"));
  const Graph& linear =
      Upgraded(10, types + "<float[4] s = {1, 1, 0.5, 2}> { y = Resize <mode = \"linear\"> (x, s) }");
  EXPECT_THAT(Ops(linear), ElementsAre("Resize"));
}

TEST(Upgrade, ResizeBySizesTakesNoScales) {
  const Graph& graph = Upgraded(11,
                                "g (float[1,1,2,2] x, float[2] roi, float[n] s, int64[4] sizes) => "
                                "(float[a,b,c,d] y) { y = Resize (x, roi, s, sizes) }");
  const Node& resize = NodeOf(graph, "Resize");
  EXPECT_EQ(resize.inputs[2], kNone);
  EXPECT_NE(resize.inputs[3], kNone);
}

TEST(Upgrade, EmptyInputsOfResizeAreAbsent) {
  const Graph& graph =
      Upgraded(11,
               "g (float[1,1,2,2] x) => (float[1,1,4,6] y) <float[0] e = {}, int64[4] n = {1, 1, 4, 6}> "
               "{ y = Resize <mode = \"nearest\"> (x, e, e, n) }");
  const Node& resize = NodeOf(graph, "Resize");
  for (const size_t i : {1, 2})
    EXPECT_TRUE(resize.inputs[i] == kNone || graph.values[resize.inputs[i]].constant->bytes == 0);
  EXPECT_EQ(TypeOfValue(graph, "y"), "float32[1,1,4,6]");
}

TEST(Upgrade, ScanOverABatch) {
  const Graph& graph =
      Upgraded(8, R"(g (float[1,2] initial, float[1,3,2] x) => (float[1,2] y, float[1,3,2] z) {
    y, z = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] n) => (float[2] t, float[2] o) {
      t = Add(s, n)
      o = Identity(t)
    }> (, initial, x)
  })");
  const Node& outer = NodeOf(graph, "Scan");
  EXPECT_EQ(IntOf(outer, "num_scan_inputs"), 2);
  ASSERT_EQ(outer.inputs.size(), 2u);
  EXPECT_EQ(TypeOfValue(graph, "y"), "float32[1,2]");
  EXPECT_EQ(TypeOfValue(graph, "z"), "float32[1,3,2]");
  const Graph& body = *outer.attribute("body")->body.graph;
  const Node& inner = NodeOf(body, "Scan");
  EXPECT_EQ(IntOf(inner, "num_scan_inputs"), 1);
  EXPECT_THAT(Ops(*inner.attribute("body")->body.graph), ElementsAre("Add", "Identity"));
}

TEST(Upgrade, TileAlongAnAxis) {
  const std::string node = "{ y = Tile(x, tiles, axis) }";
  const Graph& known =
      Upgraded(1, "g (float[2,3] x) => (float[2,6] y) <float tiles = {2}, float axis = {1}> " + node, 3);
  EXPECT_THAT(InputOf<int64_t>(known, NodeOf(known, "Tile"), 1), ElementsAre(1, 2));
  for (const std::string given : {"(double[2,3] x, double tiles, double axis) => (double[A,B] y) ",
                                  "(double[2,3] x, double tiles) => (double[A,B] y) <double axis = {1}> ",
                                  "(float[2,3] x, float axis) => (float[A,B] y) <float tiles = {2}> "}) {
    const Graph& graph = Upgraded(1, "g " + given + node, 3);
    const Node& scatter = NodeOf(graph, "ScatterElements");
    EXPECT_THAT(InputOf<int64_t>(graph, scatter, 0), ElementsAre(1, 1)) << given;
    EXPECT_EQ(NodeOf(graph, "Tile").inputs[1], scatter.outputs[0]) << given;
  }
  EXPECT_THAT(ErrorOf(InOpset(1, "g (float x, float tiles) => (float y) <float axis = {1}> " + node, 3)),
              SaysInOneLine(std::vector<std::string>{"Tile of 'y'", "axis 1 is out of range"}));
}

TEST(Upgrade, ErfOfIntegers) {
  const auto erf = [](int opset, const std::string& type) -> const Graph& {
    return Upgraded(opset, "g (" + type + "[N] x) => (" + type + "[N] y) { y = Erf(x) }");
  };
  const Graph& graph = erf(9, "uint8");
  EXPECT_THAT(Ops(graph), ElementsAre("Cast", "Erf", "Cast"));
  EXPECT_EQ(graph.nodes[0].attribute("to")->i, pb::TensorProto::FLOAT);
  EXPECT_EQ(graph.nodes[2].attribute("to")->i, pb::TensorProto::UINT8);
  EXPECT_EQ(graph.values[graph.outputs[0]].name, "y");
  for (const char* type : {"int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"})
    EXPECT_THAT(Ops(erf(9, type)), ElementsAre("Cast", "Erf", "Cast")) << type;
  EXPECT_THAT(Ops(erf(9, "float16")), ElementsAre("Erf"));
  EXPECT_THAT(Ops(erf(13, "float")), ElementsAre("Erf"));
}

TEST(Upgrade, OtherOperators) {
  const Graph& scatter = Upgraded(
      10, "g (float[3] x, int64[1] i, float[1] u) => (float[3] y) { y = Scatter <axis = 0> (x, i, u) }");
  EXPECT_THAT(Ops(scatter), ElementsAre("ScatterElements"));
  const Graph& grid = Upgraded(16,
                               "g (float[1,1,2,2] x, float[1,2,2,2] p) => (float[1,1,2,2] y) "
                               "{ y = GridSample <mode = \"bicubic\"> (x, p) }");
  EXPECT_EQ(StringOf(NodeOf(grid, "GridSample"), "mode"), "cubic");
  const Graph& roi = Upgraded(10,
                              "g (float[1,1,4,4] x, float[1,4] r, int64[1] b) => (float[1,1,1,1] y) "
                              "{ y = RoiAlign (x, r, b) }");
  EXPECT_EQ(StringOf(NodeOf(roi, "RoiAlign"), "coordinate_transformation_mode"), "output_half_pixel");
  const auto one_hot = [](int opset, const std::string& type) {
    return Ops(Upgraded(opset, "g (" + type + "[N] i, int64 depth, float[2] values) => (float[N,D] y) " +
                                   "{ y = OneHot (i, depth, values) }"));
  };
  EXPECT_THAT(one_hot(9, "int64"), ElementsAre("Less", "Where", "OneHot"));
  EXPECT_THAT(one_hot(10, "int32"), ElementsAre("Cast", "Less", "Where", "OneHot"));
  EXPECT_THAT(one_hot(10, "float"), ElementsAre("Cast", "Less", "Where", "OneHot"));
  EXPECT_THAT(one_hot(9, "uint8"), ElementsAre("OneHot"));
  EXPECT_THAT(one_hot(11, "int64"), ElementsAre("OneHot"));
  const Graph& dft = Upgraded(17, "g (float[1,8,1] x) => (float[1,8,2] y) { y = DFT (x) }");
  EXPECT_THAT(InputOf<int64_t>(dft, NodeOf(dft, "DFT"), 2), ElementsAre(1));
  const Graph& lstm = Upgraded(1,
                               "g (float[3,2,4] x, float[1,20,4] w, float[1,20,5] r) => (float[3,1,2,5] y) "
                               "{ y = LSTM <hidden_size = 5, output_sequence = 1> (x, w, r) }",
                               3);
  EXPECT_EQ(NodeOf(lstm, "LSTM").attribute("output_sequence"), nullptr);
}

TEST(Upgrade, BodiesAndFunctions) {
  const Graph& graph = Upgraded(11, R"(g (bool c, float[2,1] x) => (float[2] y) {
    y = If (c) <then_branch = t () => (float[2] a) { a = Squeeze <axes = [1]> (x) },
                else_branch = e () => (float[2] b) { z = Neg(x)
                                                     b = Squeeze <axes = [1]> (z) }>
  })");
  const Node& branch = NodeOf(graph, "If");
  for (const char* name : {"then_branch", "else_branch"}) {
    const Graph& body = *branch.attribute(name)->body.graph;
    EXPECT_THAT(InputOf<int64_t>(body, NodeOf(body, "Squeeze"), 1), ElementsAre(1));
    EXPECT_EQ(branch.attribute(name)->body.captures.size(), 1u);
  }
}

const Graph& UpgradedMl(int opset, const std::string& text) {
  static std::vector<std::shared_ptr<const Model>> kept;
  kept.push_back(Loaded(FromText("<ir_version: 8, opset_import: [\"\" : 15, \"ai.onnx.ml\" : " +
                                 std::to_string(opset) + "]>\n" + text)));
  static const Graph none;
  return kept.back() == nullptr ? none : kept.back()->graph();
}

TEST(Upgrade, NewestOpsetsAreTheLibrarys) {
  const auto& released = pb::OpSchemaRegistry::DomainToVersionRange::Instance().LastReleaseVersionMap();
  EXPECT_EQ(NewestOpsetOf(""), released.at(""));
  EXPECT_EQ(NewestOpsetOf("ai.onnx.ml"), released.at("ai.onnx.ml"));
  EXPECT_EQ(NewestOpsetOf("com.example"), 0);
}

TEST(Upgrade, LabelEncoderHadOneListOfStrings) {
  const std::string node =
      R"({ y = ai.onnx.ml.LabelEncoder <classes_strings = ["a", "b", "c"], default_int64 = 7> (x) })";
  const Graph& numbers = UpgradedMl(1, "g (string[N] x) => (int64[N] y) " + node);
  const Node& to_number = NodeOf(numbers, "LabelEncoder");
  EXPECT_EQ(to_number.version, 4);
  EXPECT_EQ(to_number.min_version, 2);
  ASSERT_NE(to_number.attribute("keys_strings"), nullptr);
  EXPECT_THAT(to_number.attribute("keys_strings")->strings, ElementsAre("a", "b", "c"));
  EXPECT_THAT(to_number.attribute("values_int64s")->ints, ElementsAre(0, 1, 2));
  EXPECT_EQ(IntOf(to_number, "default_int64"), 7);
  EXPECT_EQ(to_number.attribute("classes_strings"), nullptr);
  const Graph& strings = UpgradedMl(1, "g (int64[N] x) => (string[N] y) " + node);
  const Node& to_string = NodeOf(strings, "LabelEncoder");
  ASSERT_NE(to_string.attribute("keys_int64s"), nullptr);
  EXPECT_THAT(to_string.attribute("keys_int64s")->ints, ElementsAre(0, 1, 2));
  EXPECT_THAT(to_string.attribute("values_strings")->strings, ElementsAre("a", "b", "c"));
  const Graph& second = UpgradedMl(2, R"(g (string[N] x) => (float[N] y) {
    y = ai.onnx.ml.LabelEncoder <keys_strings = ["a"], values_floats = [1.5], default_float = 2.0> (x) })");
  EXPECT_EQ(NodeOf(second, "LabelEncoder").version, 4);
  EXPECT_EQ(NodeOf(second, "LabelEncoder").attributes.size(), 3u);
  EXPECT_THAT(ErrorOf(FromText(R"(<ir_version: 8, opset_import: ["" : 15, "ai.onnx.ml" : 1]>
                g (string[N] x) => (int64[N] y) { y = ai.onnx.ml.LabelEncoder (x) })")),
              SaysInOneLine(std::vector<std::string>{"LabelEncoder of 'y'", "no classes_strings"}));
}

TEST(Upgrade, TreeEnsemblesStayInTheirLastVersion) {
  const std::string tree =
      "<nodes_treeids = [0], nodes_nodeids = [0], nodes_featureids = [0], nodes_values = [0.0], nodes_modes "
      "= "
      "[\"LEAF\"], nodes_truenodeids = [0], nodes_falsenodeids = [0], ";
  for (const int opset : {1, 2, 3, 4}) {
    const Graph& regressor = UpgradedMl(
        opset, "g (float[N,1] x) => (float[N,1] y) { y = ai.onnx.ml.TreeEnsembleRegressor " + tree +
                   "n_targets = 1, target_treeids = [0], target_nodeids = [0], target_ids = [0], "
                   "target_weights = [2.0]> (x) }");
    EXPECT_EQ(NodeOf(regressor, "TreeEnsembleRegressor").version, 3) << opset;
    EXPECT_EQ(NodeOf(regressor, "TreeEnsembleRegressor").min_version, 1) << opset;
    const Graph& classifier = UpgradedMl(
        opset, "g (float[N,1] x) => (int64[N] l, float[N,2] y) { l, y = ai.onnx.ml.TreeEnsembleClassifier " +
                   tree +
                   "class_treeids = [0], class_nodeids = [0], class_ids = [0], class_weights = [2.0], "
                   "classlabels_int64s = [3, 4]> (x) }");
    EXPECT_EQ(NodeOf(classifier, "TreeEnsembleClassifier").version, 3) << opset;
  }
}

TEST(Upgrade, OpsetsOfMlAreNotedAndBounded) {
  const std::string scaler =
      " g (float[N] x) => (float[N] y) { y = ai.onnx.ml.Scaler <offset = [1.0], scale = [2.0]> (x) }";
  const auto model =
      Loaded(FromText("<ir_version: 8, opset_import: [\"\" : 28, \"ai.onnx.ml\" : 2]>" + scaler));
  ASSERT_NE(model, nullptr);
  EXPECT_THAT(model->info().notes, ElementsAre("upgraded ai.onnx.ml 2 to 5"));
  EXPECT_EQ(model->graph().nodes[0].version, 1);
  EXPECT_THAT(ErrorOf(FromText("<ir_version: 8, opset_import: [\"\" : 28, \"ai.onnx.ml\" : 6]>" + scaler)),
              SaysInOneLine(std::vector<std::string>{"opset 6", "'ai.onnx.ml'", "1 to 5"}));
}

TEST(Upgrade, ModelsOfOtherDomainsAlone) {
  const auto model = Loaded(FromText(R"(<ir_version: 8, opset_import: ["ai.onnx.ml" : 1]>
    g (float[N] x) => (float[N] y) { y = ai.onnx.ml.Scaler <offset = [1.0], scale = [2.0]> (x) })"));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->graph().nodes[0].domain, "ai.onnx.ml");
}

TEST(Upgrade, WhatCannotBeSaidIsRefused) {
  EXPECT_THAT(ErrorOf(InOpset(8, R"(g (int64[1] l, float[1,2] i, float[1,3,2] x) => (float[1,2] y) {
    y = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] n) => (float[2] t) { t = Add(s, n) }> (l, i, x)
  })")),
              SaysInOneLine(std::vector<std::string>{"Scan of 'y'", "opset 8", "lengths of its sequences"}));
  EXPECT_THAT(ErrorOf(InOpset(5,
                              "g (float[2] x) => (float[N] y) <float tiles = {1e30}, float axis = {0.0}> "
                              "{ y = Tile(x, tiles, axis) }")),
              SaysInOneLine(std::vector<std::string>{"Tile of 'y'", "tiles and axis"}));
  for (const std::string axis : {"7", "9223372036854775807", "-9223372036854775808"})
    EXPECT_THAT(
        ErrorOf(InOpset(6, "g (float[2] a, float[2] b) => (float[2] y) { y = Add <broadcast = 1, axis = " +
                               axis + "> (a, b) }")),
        SaysInOneLine(std::vector<std::string>{"Add of 'y'", "axis " + axis}));
}

}  // namespace
}  // namespace braid::loader
