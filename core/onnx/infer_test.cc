// SPDX-License-Identifier: Apache-2.0
//
// Shape inference over small graphs: what is computed from shapes, symbols, contradictions.
#include "core/onnx/infer.h"

#include "core/onnx/build.h"
#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::HasSubstr;

std::shared_ptr<Scope> ScopeOf(const std::string& text) {
  static std::vector<std::unique_ptr<Origin>> origins;  // constants point into them
  origins.push_back(std::make_unique<Origin>());
  const pb::ModelProto model = InOpset(28, text, 10);
  const std::map<std::string, int> versions = {{"", 28}};
  auto scope = ScopeBuilder(*origins.back(), versions).Build(model.graph(), {});
  EXPECT_TRUE(scope.ok()) << scope.status();
  return scope.ok() ? *scope : std::make_shared<Scope>();
}

absl::StatusOr<std::shared_ptr<Inferred>> Infer(const Scope& scope, const InferOptions& options = {}) {
  std::vector<InferInput> inputs;
  for (const ValueId id : scope.inputs) inputs.push_back({scope.values[id].type, nullptr});
  return InferScope(scope, inputs, options);
}

// The extents of a value, "?" for those without a name of the model's: "2,N,?"; "none" if not even the rank
// is known.
std::string Extents(const Scope& scope, const Inferred& inferred, const std::string& name) {
  for (size_t v = 0; v < scope.values.size(); ++v) {
    if (scope.values[v].name != name) continue;
    const auto& tensor = inferred.types[v].tensor_type();
    if (!tensor.has_shape()) return "none";
    std::string text;
    for (const auto& d : tensor.shape().dim()) {
      if (!text.empty()) text += ",";
      text += d.has_dim_value()                                       ? std::to_string(d.dim_value())
              : d.dim_param().empty() || d.dim_param().front() == '?' ? "?"
                                                                      : d.dim_param();
    }
    return text;
  }
  return "no such value";
}

std::string ExtentsIn(const std::string& text, const std::string& name, const InferOptions& options = {}) {
  const auto scope = ScopeOf(text);
  const auto inferred = Infer(*scope, options);
  return inferred.ok() ? Extents(*scope, **inferred, name) : std::string(inferred.status().message());
}

TEST(Infer, ShapesGoThroughTheOperatorsThatComputeThem) {
  const std::string body = R"( => (float[A,B] y) <int64[1] two = {2}, int64[1] open = {-1}> {
    s = Shape(x)
    n = Gather <axis = 0> (s, two)
    t = Concat <axis = 0> (n, open)
    y = Reshape(x, t)
  })";
  EXPECT_EQ(ExtentsIn("g (float[2,3,4] x)" + body, "y"), "4,6");
  // No symbol says the product of the others: the declared name stands.
  EXPECT_EQ(ExtentsIn("g (float[2,M,4] x)" + body, "y"), "4,B");
  EXPECT_EQ(ExtentsIn("g (float[2,3,K] x)" + body, "t"), "2");
}

TEST(Infer, ASymbolStaysItself) {
  EXPECT_EQ(ExtentsIn("g (float[N,3] x) => (float[A,B] y) { t = Relu(x) y = Transpose(t) }", "y"), "3,N");
  EXPECT_EQ(ExtentsIn("g (float[N,3] x, float[N,3] z) => (float[A,B] y) { y = Add(x, z) }", "y"), "N,3");
  // Two extents that nothing names are different ones.
  const auto scope =
      ScopeOf("g (float[2] x) => (int64[A,B] y, int64[C,D] z) { y = NonZero(x) z = NonZero(y) }");
  const auto inferred = Infer(*scope);
  ASSERT_TRUE(inferred.ok()) << inferred.status();
  const auto dim = [&](ValueId id) {
    return (*inferred)->types[id].tensor_type().shape().dim(1).dim_param();
  };
  EXPECT_NE(dim(scope->outputs[0]), dim(scope->outputs[1]));
}

TEST(Infer, ConstantsAreFolded) {
  const std::string types =
      "g (float[5,6] x) => (float[A,B] y) <int64[1] zero = {0}, int64[1] two = {2}, int64 a = {1}, "
      "int64 b = {3}, int64 c = {1}> ";
  EXPECT_EQ(ExtentsIn(types + "{ s = Shape(x) e = Slice(s, zero, two) y = ConstantOfShape(e) }", "y"), "5,6");
  EXPECT_EQ(ExtentsIn(types + "{ r = Range(a, b, c) y = ConstantOfShape(r) }", "y"), "1,2");
  EXPECT_EQ(
      ExtentsIn(types + "{ h = ConstantOfShape <value = int64[1] {4}> (two) y = ConstantOfShape(h) }", "y"),
      "4,4");
}

TEST(Infer, ValuesThatAreKnownInPart) {
  // Each node's `s` is a shape made from one that is known, and from elements that are not.
  const auto extents = [](const std::string& nodes) {
    return ExtentsIn(
        "g (float[2,3,4] x, float[N,3,4] z, int64[1] u, int64 k, int64[1] v) => (float[] y) <int64[1] o = "
        "{0}, int64[1] one = {1}, int64[1] three = {3}> { sh = Shape(x) sz = Shape(z) " +
            nodes + " y = ConstantOfShape(s) }",
        "y");
  };
  EXPECT_EQ(extents("s = Slice(sh, o, three, o)"), "2,3,4");
  EXPECT_EQ(extents("s = Slice(sz, o, three, o)"), "N,3,4");
  EXPECT_EQ(extents("s = Slice(sh, u, three, o)"), "none");
  EXPECT_EQ(extents("s = Slice(sh, u, three)"), "none");
  EXPECT_EQ(extents("s = Slice(sh, o, u, o)"), "none");
  EXPECT_EQ(extents("s = Slice(sh, u, v, o)"), "none");
  EXPECT_EQ(extents("s = Slice(sh, o, three, u)"), "none");
  EXPECT_EQ(extents("s = Slice(sh, o, three, o, u)"), "none");
  // N is no number yet, either.
  EXPECT_EQ(extents("n = Slice(sz, o, one, o) s = Slice(sh, n, three, o)"), "none");
  EXPECT_EQ(extents("s = Gather(sh, u)"), "?");
  EXPECT_EQ(extents("g0 = Gather(sh, k) s = Unsqueeze(g0, o)"), "?");
  EXPECT_EQ(extents("s = Concat <axis = 0> (u, sh)"), "?,2,3,4");
  EXPECT_EQ(extents("s = Add(sz, u)"), "?,?,?");
  EXPECT_EQ(extents("s = Mul(sz, one)"), "?,3,4");
  EXPECT_EQ(extents("s = Sub(sz, one)"), "?,2,3");
  EXPECT_EQ(extents("s = Div(sz, one)"), "?,?,?");
  EXPECT_EQ(extents("i = Cast <to = 6> (sz) s = Cast <to = 7> (i)"), "N,3,4");
  // Of 3 and 4 a truth value makes 1.
  EXPECT_EQ(extents("b = Cast <to = 9> (sz) s = Cast <to = 7> (b)"), "?,?,?");
  // [[N, 3, 4]]: its first row has three, not one.
  EXPECT_EQ(extents("r = Unsqueeze(sz, o) s = Gather(r, k)"), "?,?,?");
  EXPECT_EQ(extents("r = Unsqueeze(sz, o) q = Add(r, one) s = Squeeze(q, o)"), "?,?,?");
  EXPECT_EQ(extents("r = Unsqueeze(sz, o) q = Slice(r, o, one) s = Squeeze(q, o)"), "?,?,?");
  EXPECT_EQ(extents("n = Size(sz) s = Unsqueeze(n, o)"), "3");
}

TEST(Infer, SizesOfResizeWhoseNumberIsNotKnown) {
  const auto extents = [](const std::string& sizes, const std::string& node) {
    return ExtentsIn(
        "g (float[1,2,3,4] x, int64" + sizes + " s, float[1,2,H,8] like) => (float[] y) { " + node + " }",
        "y");
  };
  EXPECT_EQ(extents("[4]", "y = Resize(x, , , s)"), "?,?,?,?");
  EXPECT_EQ(extents("[n]", "y = Resize(x, , , s)"), "?,?,?,?");
  EXPECT_EQ(extents("[n]", "y = Resize <axes = [2, 3]> (x, , , s)"), "1,2,?,?");
  EXPECT_EQ(extents("[n]", "y = Resize <keep_aspect_ratio_policy = \"not_larger\"> (x, , , s)"), "?,?,?,?");
  EXPECT_THAT(extents("[3]", "y = Resize(x, , , s)"), HasSubstr("(3) must be same as rank"));
  EXPECT_EQ(extents("[n]", "t = Shape(like) y = Resize(x, , , t)"), "1,2,?,8");
  // What H is decides the scale: an unknown one is no 0.
  EXPECT_EQ(extents("[n]",
                    "t = Shape <start = 2> (like) y = Resize <axes = [2, 3], keep_aspect_ratio_policy = "
                    "\"not_smaller\"> (x, , , t)"),
            "1,2,?,?");
}

TEST(Infer, SlicesOfShapesByStepsBeyond32BitsEnd) {
  for (const char* step : {"2147483648", "4294967296", "-2147483648", "-4294967296", "-9223372036854775808"})
    EXPECT_EQ(ExtentsIn(absl::StrCat("g (float[2,3,N] x) => (int64[K] s) <int64[1] o = {0}, int64[1] e = "
                                     "{3}, int64[1] t = {",
                                     step, "}> { sh = Shape(x) s = Slice(sh, o, e, o, t) }"),
                        "s"),
              step[0] == '-' ? "0" : "1")
        << step;
}

TEST(Infer, AxesOfPadMayBeOf32Bits) {
  for (const char* axes : {"int64[1] a = {1}", "int32[1] a = {1}"})
    EXPECT_EQ(ExtentsIn(absl::StrCat("g (float[5,6] x) => (float[A,B] y) <int64[2] p = {1, 2}, ", axes,
                                     "> { y = Pad(x, p, , a) }"),
                        "y"),
              "5,9")
        << axes;
}

TEST(Infer, PadsThatAreComputedCountMoreThanThoseGiven) {
  const std::string pool =
      "g (float[1,1,5,5] x) => (float[A,B,C,D] y) { y = MaxPool <kernel_shape = [3, 3], ";
  EXPECT_EQ(ExtentsIn(pool + "pads = [0, 0, 0, 0], auto_pad = \"SAME_UPPER\"> (x) }", "y"), "1,1,5,5");
  EXPECT_EQ(ExtentsIn(pool + "pads = [1, 1, 1, 1], auto_pad = \"VALID\"> (x) }", "y"), "1,1,3,3");
  EXPECT_EQ(ExtentsIn(pool + "pads = [2, 2, 2, 2], auto_pad = \"NOTSET\"> (x) }", "y"), "1,1,7,7");
}

TEST(Infer, TransposedConvolutionsHaveTheExtentsAskedFor) {
  const std::string conv =
      "g (float[1,1,3,4] x, float[1,2,5,5] w) => (float[A,B,C,D] y) { y = ConvTranspose <strides = [2, 2], ";
  // Of which one or both are less than the input's.
  EXPECT_EQ(ExtentsIn(conv + "output_shape = [2, 8]> (x, w) }", "y"), "1,2,2,8");
  EXPECT_EQ(ExtentsIn(conv + "output_shape = [5, 3]> (x, w) }", "y"), "1,2,5,3");
  EXPECT_EQ(ExtentsIn(conv + "output_shape = [1, 1]> (x, w) }", "y"), "1,2,1,1");
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER"})
    EXPECT_EQ(
        ExtentsIn(absl::StrCat(conv, "auto_pad = \"", pad, "\", output_padding = [1, 0]> (x, w) }"), "y"),
        "1,2,6,8");
  EXPECT_EQ(ExtentsIn(conv + "output_padding = [1, 0]> (x, w) }", "y"), "1,2,10,11");
  // A kernel that does not fill its stride leaves less than the input's extent times the stride.
  const std::string thin =
      "g (float[1,1,3] x, float[1,1,1] w) => (float[A,B,C] y) { y = ConvTranspose <strides = [3], auto_pad = "
      "\"SAME_UPPER\", ";
  EXPECT_EQ(ExtentsIn(thin + "output_padding = [0]> (x, w) }", "y"), "1,1,7");
  EXPECT_EQ(ExtentsIn(thin + "output_padding = [1]> (x, w) }", "y"), "1,1,8");
}

TEST(Infer, TheScaleGivesTheTypeOfRmsNormalization) {
  for (const auto& [x, scale] : {std::pair("float16", "float"), std::pair("float", "double")}) {
    const auto scope = ScopeOf(absl::StrCat("g (", x, "[2,3] x, ", scale, "[3] s) => (", scale,
                                            "[A,B] y) { y = RMSNormalization(x, s) }"));
    const auto inferred = Infer(*scope);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    EXPECT_EQ(ElementTypeName((*inferred)->types[scope->outputs[0]].tensor_type().elem_type()),
              std::string(scale) == "float" ? "FLOAT" : "DOUBLE");
    EXPECT_EQ(Extents(*scope, **inferred, "y"), "2,3");
  }
}

TEST(Infer, ContradictionsNameTheNode) {
  EXPECT_THAT(ExtentsIn("g (float[2,3] a, float[4,5] b) => (float[A,B] y) { y = MatMul(a, b) }", "y"),
              HasSubstr("MatMul of 'y': "));
  EXPECT_THAT(ExtentsIn("g (float[2,3] a) => (int64[A,B] y) { y = Relu(a) }", "y"),
              HasSubstr("'y' is declared as INT64, but is FLOAT"));
  // Leniently, what contradicts is unknown, and what follows is inferred all the same.
  const InferOptions lenient{.lenient = true};
  const std::string text =
      "g (float[2,3] a, float[4,5] b) => (float[A,B] y, float[C,D] z) { y = MatMul(a, b) z = Relu(a) }";
  EXPECT_EQ(ExtentsIn(text, "z", lenient), "2,3");
  EXPECT_NE(ExtentsIn(text, "y", lenient).substr(0, 3), "2,5");
}

TEST(Infer, DeclaredExtentsCountWhereNothingBetterIsKnown) {
  const std::string text = "g (float[N] x, bool[N] c) => (float[7] y) { y = Compress <axis = 0> (x, c) }";
  EXPECT_EQ(ExtentsIn(text, "y"), "7");
  EXPECT_EQ(ExtentsIn(text, "y", {.trust_declared = false}), "?");
}

TEST(Infer, TypesAreCombinedExtentByExtent) {
  const auto type = [](const std::string& text) {
    pb::TypeProto out;
    EXPECT_TRUE(pb::OnnxParser::Parse(out, text.c_str()).IsOK());
    return out;
  };
  const auto combined = CombineTypes(type("float[?,3]"), type("float[N,4]"));
  EXPECT_EQ(combined.tensor_type().shape().dim(0).dim_param(), "N");
  EXPECT_EQ(combined.tensor_type().shape().dim(1).dim_value(), 3);
  EXPECT_EQ(CombineTypes(type("float[2,3]"), type("float[5]")).tensor_type().shape().dim_size(), 2);
  EXPECT_EQ(CombineTypes({}, type("float[5]")).tensor_type().shape().dim_size(), 1);
}

}  // namespace
}  // namespace braid::loader
