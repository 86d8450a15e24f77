// SPDX-License-Identifier: Apache-2.0
//
// Every kind of value as a graph's input, output and inside, by graph.h: tensors of any extent, strings,
// sequences, optionals, maps, sparse tensors; control flow and functions around them. Results are worked out
// by hand from the operators' specifications.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "tests/model.h"

namespace braid::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kHeader[] = R"(<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 4]> )";

// A value and the memory that it lies in.
class Made {
 public:
  template <class T>
  static Made Tensor(int32_t type, std::vector<int64_t> dims, std::vector<T> elements) {
    Made made;
    made.Dims(type, dims);
    made.data_.resize(elements.size() * sizeof(T) + 1);
    if (!elements.empty()) std::memcpy(made.data_.data(), elements.data(), elements.size() * sizeof(T));
    made.t_.bytes = elements.size() * sizeof(T);
    return made;
  }
  static Made Strings(std::vector<int64_t> dims, const std::vector<std::string>& elements) {
    Made made;
    made.Dims(GRAPH_STRING, dims);
    uint64_t at = elements.size() * 16;
    for (const std::string& s : elements) {
      const uint64_t pair[2] = {at, s.size()};
      const auto* p = reinterpret_cast<const uint8_t*>(pair);
      made.data_.insert(made.data_.end(), p, p + 16);
      at += s.size();
    }
    for (const std::string& s : elements) made.data_.insert(made.data_.end(), s.begin(), s.end());
    made.t_.bytes = made.data_.size();
    made.data_.push_back(0);
    return made;
  }
  static Made Of(int32_t kind, std::vector<Made> items) {
    Made made;
    made.t_.kind = kind;
    made.items_ = std::move(items);
    return made;
  }
  static Made Sparse(int32_t type, std::vector<int64_t> dims, Made values, Made indices) {
    Made made = Of(GRAPH_SPARSE_TENSOR, {std::move(values), std::move(indices)});
    made.Dims(type, dims);
    return made;
  }
  // Borrows from this, which must stay.
  graph_tensor Borrow() {
    graph_tensor t = t_;
    if (t.kind == GRAPH_TENSOR) t.data = data_.data();
    borrowed_.clear();
    for (Made& item : items_) borrowed_.push_back(item.Borrow());
    t.items = borrowed_.data();
    t.item_count = borrowed_.size();
    return t;
  }

 private:
  void Dims(int32_t type, const std::vector<int64_t>& dims) {
    t_.type = type;
    t_.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t_.dims);
  }
  graph_tensor t_ = GRAPH_TENSOR_INIT;
  std::vector<uint8_t> data_;
  std::vector<Made> items_;
  std::vector<graph_tensor> borrowed_;
};

Made F(std::vector<float> v) { return Made::Tensor(GRAPH_FLOAT, {static_cast<int64_t>(v.size())}, v); }
Made F(std::vector<int64_t> dims, std::vector<float> v) { return Made::Tensor(GRAPH_FLOAT, dims, v); }
Made I(std::vector<int64_t> v) { return Made::Tensor(GRAPH_INT64, {static_cast<int64_t>(v.size())}, v); }
Made Scalar(int64_t v) { return Made::Tensor(GRAPH_INT64, {}, std::vector<int64_t>{v}); }
Made True(bool v) { return Made::Tensor(GRAPH_BOOL, {}, std::vector<uint8_t>{v}); }
Made S(std::vector<std::string> v) { return Made::Strings({static_cast<int64_t>(v.size())}, v); }
Made Sequence(std::vector<Made> items) { return Made::Of(GRAPH_SEQUENCE, std::move(items)); }
Made Optional(std::vector<Made> items) { return Made::Of(GRAPH_OPTIONAL, std::move(items)); }
Made Map(Made keys, Made values) { return Made::Of(GRAPH_MAP, {std::move(keys), std::move(values)}); }

// "float32[2]{1,2}", "({...} ...)" for a sequence, "?(...)" for an optional, "{keys: values}",
// "sparse[3]...".
std::string Text(const graph_tensor& t) {
  std::string text;
  const auto items = [&] {
    for (uint64_t i = 0; i < t.item_count; ++i) text += (i > 0 ? " " : "") + Text(t.items[i]);
  };
  if (t.kind == GRAPH_SEQUENCE || t.kind == GRAPH_OPTIONAL) {
    text = t.kind == GRAPH_SEQUENCE ? "(" : "?(";
    items();
    return text + ")";
  }
  if (t.kind == GRAPH_MAP) {
    items();
    return "map{" + text + "}";
  }
  std::string dims;
  for (int32_t i = 0; i < t.rank; ++i) dims += (i > 0 ? "," : "") + std::to_string(t.dims[i]);
  if (t.kind == GRAPH_SPARSE_TENSOR) {
    items();
    return "sparse[" + dims + "]{" + text + "}";
  }
  int64_t count = 1;
  for (int32_t i = 0; i < t.rank; ++i) count *= t.dims[i];
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) text += ",";
    const auto load = [&](auto v) {
      std::memcpy(&v, static_cast<const uint8_t*>(t.data) + static_cast<size_t>(i) * sizeof v, sizeof v);
      return v;
    };
    if (t.type == GRAPH_STRING) {
      struct Pair {
        uint64_t at, length;
      };
      const Pair pair = load(Pair());
      text += std::string(static_cast<const char*>(t.data) + pair.at, pair.length);
    } else if (t.type == GRAPH_FLOAT) {
      char number[32];
      std::snprintf(number, sizeof number, "%g", static_cast<double>(load(0.0f)));
      text += number;
    } else if (t.type == GRAPH_INT64) {
      text += std::to_string(load(int64_t{0}));
    } else if (t.type == GRAPH_UINT32) {
      text += std::to_string(load(uint32_t{0}));
    } else if (t.type == GRAPH_UINT64) {
      text += std::to_string(load(uint64_t{0}));
    } else if (t.type == GRAPH_BOOL) {
      text += load(uint8_t{0}) != 0 ? "true" : "false";
    } else {
      text += "?";
    }
  }
  return std::string(graph_type_name(t.type)) + "[" + dims + "]{" + text + "}";
}

class Values : public ::testing::TestWithParam<const char*> {
 public:
  static void SetUpTestSuite() { setenv("BRAID_SIM", "1", 0); }

  // What the model's outputs are, one text each, or the error.
  static std::string Run(const std::string& model, std::vector<Made> inputs, std::string header = kHeader) {
    GraphPtr graph = Load(header + model, GetParam(), "random:1");
    if (graph == nullptr) return "not loaded";
    std::vector<graph_tensor> in, out(graph_outputs(graph.get(), nullptr, 0), graph_tensor GRAPH_TENSOR_INIT);
    for (Made& made : inputs) in.push_back(made.Borrow());
    if (graph_run(graph.get(), in.data(), static_cast<uint32_t>(in.size()), out.data(),
                  static_cast<uint32_t>(out.size())) != GRAPH_OK)
      return graph_last_error();
    std::string text;
    for (graph_tensor& t : out) {
      text += (text.empty() ? "" : " ") + Text(t);
      graph_tensor_release(&t);
      EXPECT_EQ(t.items, nullptr);
    }
    return text;
  }
};

// ---- Maps ----

TEST_P(Values, MapsComeOut) {
  EXPECT_EQ(Run(R"(g (float[N,2] x) => (seq(map(string,float)) y) {
      t = Neg(x)
      y = ai.onnx.ml.ZipMap <classlabels_strings = ["a", "b"]> (t)
    })",
                {F({2, 2}, {1, 2, 3, 4})}),
            "(map{string[2]{a,b} float32[2]{-1,-2}} map{string[2]{a,b} float32[2]{-3,-4}})");
  EXPECT_EQ(Run(R"(g (float[N,2] x) => (seq(map(int64,float)) y) {
      y = ai.onnx.ml.ZipMap <classlabels_int64s = [7, 5]> (x)
    })",
                {F({0, 2}, {})}),
            "()");
}

TEST_P(Values, MapsGoIn) {
  const char* kVectorizer = R"(g (map(string,float) m) => (float[1,N] y) {
      v = ai.onnx.ml.DictVectorizer <string_vocabulary = ["b", "a", "c"]> (m)
      y = Neg(v)
    })";
  EXPECT_EQ(Run(kVectorizer, {Map(S({"a", "b"}), F({1, 2}))}), "float32[1,3]{-2,-1,-0}");
  EXPECT_EQ(Run(kVectorizer, {Map(S({}), F(std::vector<float>{}))}), "float32[1,3]{-0,-0,-0}");
  EXPECT_EQ(Run(R"(g (map(int64,string) m) => (int64[1,N] y) {
      y = ai.onnx.ml.CastMap <cast_to = "TO_INT64"> (m)
    })",
                {Map(I({4, -3}), S({"12", "-7"}))}),
            "int64[1,2]{-7,12}");
  EXPECT_THAT(Run(kVectorizer, {Map(I({1}), F({1}))}),
              HasSubstr("input 'm': the model wants keys of string, int64"));
  EXPECT_THAT(Run(kVectorizer, {Map(S({"a"}), I({1}))}),
              HasSubstr("input 'm': the model wants values of float"));
  EXPECT_THAT(Run(kVectorizer, {Map(S({"a", "a"}), F({1, 2}))}),
              HasSubstr("input 'm': key 1 is there twice"));
  EXPECT_THAT(Run(kVectorizer, {Map(S({"a", "b"}), F({1}))}),
              HasSubstr("a map of 2 keys has as many values"));
  EXPECT_THAT(Run(kVectorizer, {Made::Of(GRAPH_MAP, {S({"a"})})}), HasSubstr("keys and values, not 1"));
  EXPECT_THAT(Run(kVectorizer, {Map(F({1}), F({1}))}), HasSubstr("strings or integers"));
  EXPECT_THAT(Run(kVectorizer, {Sequence({})}), HasSubstr("a sequence was given"));
  EXPECT_THAT(Run(kVectorizer, {F({1})}), HasSubstr("a tensor was given"));
}

TEST_P(Values, MapsPassThrough) {
  EXPECT_EQ(Run("g (map(int64,float) m, float[N] x) => (map(int64,float) m, float[N] y) { y = Neg(x) }",
                {Map(I({4, 2}), F({1, 2})), F({1})}),
            "map{int64[2]{4,2} float32[2]{1,2}} float32[1]{-1}");
  EXPECT_EQ(
      Run("g (seq(map(int64,float)) m, float[N] x) => (seq(map(int64,float)) m, float[N] y) { y = Neg(x) }",
          {Sequence({Map(I({4}), F({1})), Map(I({}), F(std::vector<float>{}))}), F({1})}),
      "(map{int64[1]{4} float32[1]{1}} map{int64[0]{} float32[0]{}}) float32[1]{-1}");
}

TEST_P(Values, MapsOfUnsignedKeys) {
  const auto model = [](const std::string& key) {
    return "g (map(" + key + ",float) m, float[N] x) => (map(" + key +
           ",float) m, float[N] y) { y = Neg(x) }";
  };
  const Made small = Made::Tensor<uint32_t>(GRAPH_UINT32, {2}, {UINT32_MAX, 0}),
             large = Made::Tensor<uint64_t>(GRAPH_UINT64, {2}, {UINT64_MAX, 0});
  EXPECT_EQ(Run(model("uint32"), {Map(small, F({1, 2})), F({1})}),
            "map{uint32[2]{4294967295,0} float32[2]{1,2}} float32[1]{-1}");
  EXPECT_EQ(Run(model("uint64"), {Map(large, F({1, 2})), F({1})}),
            "map{uint64[2]{18446744073709551615,0} float32[2]{1,2}} float32[1]{-1}");
  EXPECT_THAT(Run(model("uint32"), {Map(large, F({1, 2})), F({1})}),
              HasSubstr("input 'm': the model wants keys of uint32, uint64 was given"));
  EXPECT_THAT(
      Run(model("uint64"), {Map(Made::Tensor<uint64_t>(GRAPH_UINT64, {2}, {7, 7}), F({1, 2})), F({1})}),
      HasSubstr("key 1 is there twice"));
}

TEST(ValuesTest, KeysThatAreNoneAreRefused) {
  for (const std::string key : {"float", "bool"}) {
    const std::string bytes = ModelBytes(
        kHeader + ("g (seq(map(" + key + ",float)) m, float[N] x) => (float[N] y) { y = Neg(x) }"));
    graph_t* graph = nullptr;
    EXPECT_EQ(graph_load_memory(bytes.data(), bytes.size(), nullptr, &graph), GRAPH_INVALID_ARGUMENT);
    EXPECT_THAT(graph_last_error(), HasSubstr("input 'm' has a map with keys of type"));
  }
}

TEST(ValuesTest, MapsAreDescribed) {
  GraphPtr graph =
      Load(std::string(kHeader) + R"(g (float[N,2] x, map(string, int64) m) => (seq(map(int64,float)) y) {
      y = ai.onnx.ml.ZipMap <classlabels_int64s = [7, 5]> (x)
    })");
  graph_value_info in[2] = {GRAPH_VALUE_INFO_INIT, GRAPH_VALUE_INFO_INIT}, out = GRAPH_VALUE_INFO_INIT;
  ASSERT_EQ(graph_inputs(graph.get(), in, 2), 2u);
  ASSERT_EQ(graph_outputs(graph.get(), &out, 1), 1u);
  EXPECT_EQ(in[0].key_type, 0);
  EXPECT_EQ(in[1].kind, GRAPH_MAP);
  EXPECT_EQ(in[1].key_type, GRAPH_STRING);
  EXPECT_EQ(in[1].type, GRAPH_INT64);
  EXPECT_EQ(out.kind, GRAPH_SEQUENCE);
  EXPECT_EQ(out.key_type, GRAPH_INT64);
  EXPECT_EQ(out.type, GRAPH_FLOAT);
}

// ---- Sparse tensors ----

TEST_P(Values, SparseTensorsPassThrough) {
  const char* kModel =
      "g (sparse_tensor(float[3,4]) s, float[N] x) => (sparse_tensor(float[3,4]) s, float[N] y) { y = Neg(x) "
      "}";
  EXPECT_EQ(Run(kModel, {Made::Sparse(GRAPH_FLOAT, {3, 4}, F({5, 6}), I({1, 11})), F({1})}),
            "sparse[3,4]{float32[2]{5,6} int64[2]{1,11}} float32[1]{-1}");
  const Made pairs = Made::Tensor<int64_t>(GRAPH_INT64, {2, 2}, {0, 1, 2, 3});
  EXPECT_EQ(Run(kModel, {Made::Sparse(GRAPH_FLOAT, {3, 4}, F({5, 6}), pairs), F({1})}),
            "sparse[3,4]{float32[2]{5,6} int64[2,2]{0,1,2,3}} float32[1]{-1}");
  const auto error = [&](Made sparse) { return Run(kModel, {std::move(sparse), F({1})}); };
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {3, 4}, F({5, 6}), I({1, 12}))),
              HasSubstr("input 's': index 1 is outside"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {3, 4}, F({5, 6}), I({1, 1}))),
              HasSubstr("index 1 does not ascend"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {3, 4}, F({5, 6}), I({1}))), HasSubstr("[n] or [n, rank]"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {4, 4}, F({5}), I({1}))), HasSubstr("extent 0 differs"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_INT64, {3, 4}, I({5}), I({1}))), HasSubstr("int64 was given"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {3, 4}, I({5}), I({1}))), HasSubstr("the values are int64"));
  EXPECT_THAT(error(Made::Sparse(GRAPH_FLOAT, {INT64_MAX, 4}, F({5}), I({1}))), HasSubstr("overflows"));
  EXPECT_THAT(error(Made::Of(GRAPH_SPARSE_TENSOR, {F({5})})), HasSubstr("two items"));
}

// ---- Sequences ----

TEST_P(Values, Sequences) {
  EXPECT_EQ(Run(R"(g (seq(float[N]) s, float[M] x, int64 at) => (seq(float[N]) y, int64 n, float[K] z) {
      t = Neg(x)
      y = SequenceInsert(s, t, at)
      n = SequenceLength(y)
      z = SequenceAt(y, at)
    })",
                {Sequence({F({1}), F({2, 3})}), F({4}), Scalar(1)}),
            "(float32[1]{1} float32[1]{-4} float32[2]{2,3}) int64[]{3} float32[1]{-4}");
  EXPECT_EQ(Run(R"(g (seq(string[N]) s) => (string[M] y, seq(string[N]) z) {
      y = ConcatFromSequence <axis = 0> (s)
      z = SequenceErase(s)
    })",
                {Sequence({S({"a", ""}), S({"bc"})})}),
            "string[3]{a,,bc} (string[2]{a,})");
  EXPECT_EQ(Run(R"(g (float[N,2] x) => (seq(float[2]) y) { y = SplitToSequence <keepdims = 0> (x) })",
                {F({2, 2}, {1, 2, 3, 4})}),
            "(float32[2]{1,2} float32[2]{3,4})");
  EXPECT_EQ(Run(R"(g (float[N] x) => (seq(float) y, int64 n) { y = SequenceEmpty() n = SequenceLength(y) })",
                {F({1})}),
            "() int64[]{0}");
  EXPECT_THAT(
      Run(R"(g (seq(float[N]) s) => (int64 n) { n = SequenceLength(s) })", {Sequence({F({1}), I({1})})}),
      HasSubstr("input 's': items[1]: the model wants float32, int64 was given"));
  EXPECT_THAT(Run(R"(g (seq(float[2]) s) => (int64 n) { n = SequenceLength(s) })", {Sequence({F({1})})}),
              HasSubstr("input 's': items[0]: the model wants"));
}

TEST_P(Values, SequenceMapOverSeveralAndCaptures) {
  // y_i = a_i + b_i * x (x is a tensor, the same for all), z_i = captured c + a_i
  EXPECT_EQ(
      Run(R"(g (seq(float[N]) a, seq(float[N]) b, float[1] x, float[1] c) => (seq(float[N]) y, seq(float[N]) z) {
      k = Neg(c)
      y, z = SequenceMap (a, b, x) <body = each (float[N] p, float[N] q, float[1] r) => (float[N] u, float[N] v) {
        w = Mul(q, r)
        u = Add(p, w)
        v = Add(k, p)
      }>
    })",
          {Sequence({F({1, 2}), F({3})}), Sequence({F({10, 20}), F({30})}), F({2}), F({100})}),
      "(float32[2]{21,42} float32[1]{63}) (float32[2]{-99,-98} float32[1]{-97})");
}

// ---- Optionals ----

TEST_P(Values, Optionals) {
  const char* kModel = R"(g (optional(float[N]) o, float[N] otherwise) => (bool has, float[N] y) {
      has = OptionalHasElement(o)
      y = If(has) <then_branch = yes () => (float[N] a) { e = OptionalGetElement(o) a = Neg(e) },
                   else_branch = no () => (float[N] b) { b = Identity(otherwise) }>
    })";
  EXPECT_EQ(Run(kModel, {Optional({F({1, 2})}), F({7, 8})}), "bool[]{true} float32[2]{-1,-2}");
  EXPECT_EQ(Run(kModel, {Optional({}), F({7, 8})}), "bool[]{false} float32[2]{7,8}");
  EXPECT_THAT(Run(kModel, {Optional({F({1}), F({2})}), F({7})}), HasSubstr("one item or none, not 2"));
  EXPECT_THAT(Run(kModel, {Optional({I({1})}), F({7})}), HasSubstr("items[0]: the model wants float32"));
  EXPECT_EQ(Run(R"(g (optional(seq(float[N])) o) => (seq(float[N]) y, optional(seq(float[N])) z) {
      y = OptionalGetElement(o)
      z = Optional(y)
    })",
                {Optional({Sequence({F({1}), F({2, 3})})})}),
            "(float32[1]{1} float32[2]{2,3}) ?((float32[1]{1} float32[2]{2,3}))");
  EXPECT_THAT(
      Run(R"(g (optional(float[N]) o) => (float[N] y) { y = OptionalGetElement(o) })", {Optional({})}),
      HasSubstr("the optional has no element"));
  EXPECT_EQ(
      Run(R"(g (float[N] x) => (optional(float[N]) o) { o = Optional <type = float[2]> () })", {F({1, 2})}),
      "?()");
}

// ---- Tensors of no extent, strings ----

TEST_P(Values, ZeroSizedAndRankZero) {
  EXPECT_EQ(Run(R"(g (float[N,3] x, float s) => (float[N,3] y, float[3] m, float t) <int64[1] axis = {0}> {
      y = Add(x, s)
      m = ReduceSum <keepdims = 0> (y, axis)
      t = Neg(s)
    })",
                {F({0, 3}, {}), F({}, {2})}),
            "float32[0,3]{} float32[3]{0,0,0} float32[]{-2}");
  EXPECT_EQ(Run(R"(g (float[N] x, float[M,0] w) => (float[K,0] y, int64[1,L] z) {
      y = Concat <axis = 0> (w, w)
      z = NonZero(x)
    })",
                {F({0, 0}), F({2, 0}, {})}),
            "float32[4,0]{} int64[1,0]{}");
}

TEST_P(Values, Strings) {
  EXPECT_EQ(Run(R"(g (string[N] a, string[N] b) => (string[N] y, bool[N] same) {
      y = StringConcat(a, b)
      same = Equal(a, b)
    })",
                {S({"x", "", "\xc3\xa4"}), S({"y", "", "\xc3\xb6"})}),
            "string[3]{xy,,\xc3\xa4\xc3\xb6} bool[3]{false,true,false}");
}

// ---- Control flow ----

TEST_P(Values, ThreeLevelsThatSeeEachOthersValues) {
  // For i of 2: for j of 3: if c: sum += x * j + k else sum -= i. The innermost bodies see all outer values.
  const char* kModel = R"(g (float x, bool c) => (float y, float[P] trace)
    <int64 two = {2}, int64 three = {3}, float zero = {0}, float hundred = {100}> {
      k = Add(x, hundred)
      y, trace = Loop(two, , zero) <body = outer (int64 i, bool go, float sum) => (bool on, float total, float part) {
        on = Identity(go)
        fi = Cast <to = 1> (i)
        total = Loop(three, , sum) <body = inner (int64 j, bool go2, float s) => (bool on2, float t) {
          on2 = Identity(go2)
          fj = Cast <to = 1> (j)
          t = If(c) <then_branch = yes () => (float a) { m = Mul(x, fj) n = Add(m, k) a = Add(s, n) },
                     else_branch = no () => (float b) { b = Sub(s, fi) }>
        }>
        part = Sub(total, sum)
      }>
    })";
  // x = 2, k = 102: each outer turn adds 2 * (0 + 1 + 2) + 3 * 102 = 312.
  EXPECT_EQ(Run(kModel, {F({}, {2}), True(true)}), "float32[]{624} float32[2]{312,312}");
  EXPECT_EQ(Run(kModel, {F({}, {2}), True(false)}), "float32[]{-3} float32[2]{0,-3}");
}

TEST_P(Values, ALoopCarriesASequence) {
  EXPECT_EQ(Run(R"(g (int64 n, float[2] x) => (seq(float[2]) y, float[M] z) {
      none = SequenceEmpty()
      y = Loop(n, , none) <body = turn (int64 i, bool go, seq(float[2]) s) => (bool on, seq(float[2]) t) {
        on = Identity(go)
        f = Cast <to = 1> (i)
        item = Mul(x, f)
        t = SequenceInsert(s, item)
      }>
      z = ConcatFromSequence <axis = 0> (y)
    })",
                {Scalar(3), F({1, 2})}),
            "(float32[2]{0,0} float32[2]{1,2} float32[2]{2,4}) float32[6]{0,0,1,2,2,4}");
}

TEST_P(Values, BranchesGiveSequencesAndOptionals) {
  const char* kModel = R"(g (bool c, float[N] x) => (seq(float[N]) y, optional(float[N]) o) {
      y, o = If(c) <then_branch = yes () => (seq(float[N]) a, optional(float[N]) p) {
                      a = SequenceConstruct(x, x)
                      p = Optional(x)
                    },
                    else_branch = no () => (seq(float[N]) b, optional(float[N]) q) {
                      b = SequenceEmpty()
                      q = Optional <type = float[1]> ()
                    }>
    })";
  EXPECT_EQ(Run(kModel, {True(true), F({1})}), "(float32[1]{1} float32[1]{1}) ?(float32[1]{1})");
  EXPECT_EQ(Run(kModel, {True(false), F({1})}), "() ?()");
}

TEST_P(Values, BranchesAndLoopsGiveStrings) {
  const char* kBranches = R"(g (bool c, string[2] x, string[2] z) => (string[2] y, string[2] w) {
      y = If(c) <then_branch = yes () => (string[2] a) { a = Identity(x) },
                 else_branch = no () => (string[2] b) { b = StringConcat(x, z) }>
      w = StringConcat(y, z)
    })";
  EXPECT_EQ(Run(kBranches, {True(true), S({"p", "long"}), S({"", "q"})}),
            "string[2]{p,long} string[2]{p,longq}");
  EXPECT_EQ(Run(kBranches, {True(false), S({"p", "long"}), S({"r", "q"})}),
            "string[2]{pr,longq} string[2]{prr,longqq}");
  EXPECT_EQ(Run(R"(g (int64 n, string[2] x) => (string[2] y, string[3,2] all) {
      y, all = Loop(n, , x) <body = turn (int64 i, bool go, string[2] s) => (bool on, string[2] t, string[2] u) {
        on = Identity(go)
        t = StringConcat(s, x)
        u = Identity(s)
      }>
    })",
                {Scalar(3), S({"a", "bc"})}),
            "string[2]{aaaa,bcbcbcbc} string[3,2]{a,bc,aa,bcbc,aaa,bcbcbc}");
}

TEST_P(Values, BranchesOfDifferentExtents) {
  for (const std::string type : {"string", "float"}) {
    const std::string model = "g (bool c, " + type + "[N] x, " + type + "[K] z) => (" + type +
                              "[M] y) { y = If(c) <then_branch = yes () => (" + type +
                              "[N] a) { a = Identity(x) }, else_branch = no () => (" + type +
                              "[K] b) { b = Identity(z) }> }";
    const bool strings = type == "string";
    const Made two = strings ? S({"p", "q"}) : F({1, 2}), three = strings ? S({"p", "", "r"}) : F({1, 2, 3});
    EXPECT_EQ(Run(model, {True(true), two, three}), strings ? "string[2]{p,q}" : "float32[2]{1,2}");
    EXPECT_EQ(Run(model, {True(false), two, three}), strings ? "string[3]{p,,r}" : "float32[3]{1,2,3}");
  }
}

// ---- Functions ----

TEST_P(Values, FunctionsWithAttributesAndOverloads) {
  const char* kFunctions = R"(<ir_version: 10, opset_import: ["" : 21, "local" : 1]>
    g (float[N] x) => (float[N] y, float[N] z, float[N] w) {
      y = local.scale <by = 3.0> (x)
      z = local.twice (y)
      w = local.scale:negative <by = 3.0> (x)
    }
    <domain: "local", overload: "negative", opset_import: ["" : 21]>
    scale <by> (a) => (b) {
      f = Constant <value_float: float = @by> ()
      c = Mul(a, f)
      b = Neg(c)
    }
    <domain: "local", opset_import: ["" : 21]>
    scale <by> (a) => (b) {
      f = Constant <value_float: float = @by> ()
      b = Mul(a, f)
    }
    <domain: "local", opset_import: ["" : 21, "local" : 1]>
    twice (a) => (b) {
      t = local.scale <by = 2.0> (a)
      b = local.scale <by = 1.0> (t)
    })";
  EXPECT_EQ(Run(kFunctions, {F({1, 2})}, ""), "float32[2]{3,6} float32[2]{6,12} float32[2]{-3,-6}");
}

// ---- Where ONNX's inference is not what its operators do ----

// The means of the squares are 10, which with epsilon is 4 squared.
TEST_P(Values, NormalisationInTheTypeOfItsScale) {
  EXPECT_EQ(Run(R"(g (double[2,4] x, float[4] s) => (float[2,4] y) {
      y = RMSNormalization <epsilon = 6.0> (x, s)
    })",
                {Made::Tensor(GRAPH_DOUBLE, {2, 4}, std::vector<double>{2, 2, 4, 4, 4, 4, -2, 2}),
                 F({4, 8, 1, -2})},
                R"(<ir_version: 10, opset_import: ["" : 23]> )"),
            "float32[2,4]{2,4,1,-2,4,8,-0.5,-1}");
}

// Of blocks of two; output_shape keeps what is in the middle.
TEST_P(Values, TransposedConvolutionsToLessThanTheirInput) {
  const Made x = F({1, 1, 3}, {1, 2, 3}), ones = F({1, 1, 2}, {1, 10});
  // The whole is 1, 12, 23, 30.
  const std::string conv = "g (float[1,1,3] x, float[1,1,2] w) => (float[A,B,C] y) { y = ConvTranspose <";
  EXPECT_EQ(Run(conv + "output_shape = [2]> (x, w) }", {x, ones}), "float32[1,1,2]{12,23}");
  EXPECT_EQ(Run(conv + "output_shape = [1]> (x, w) }", {x, ones}), "float32[1,1,1]{23}");
  EXPECT_EQ(Run(conv + "output_shape = [1], auto_pad = \"SAME_UPPER\"> (x, w) }", {x, ones}),
            "float32[1,1,1]{12}");
  // The whole is 1, 10, 2, 20, 3, 30, 0, of which the first six are kept.
  EXPECT_EQ(Run(conv + "strides = [2], output_padding = [1], auto_pad = \"SAME_UPPER\"> (x, w) }", {x, ones}),
            "float32[1,1,6]{1,10,2,20,3,30}");
}

// ---- Operators of old opsets ----

// Opset 1 gave counts in the type of the data, and in the run.
TEST_P(Values, CountsThatWereFloats) {
  const char* kOld = R"(<ir_version: 3, opset_import: ["" : 1]> )";
  const std::string tile =
      "g (float[2,2] x, float tiles, float axis) => (float[A,B] y) { y = Tile(x, tiles, axis) }";
  const Made x = F({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(Run(tile, {x, F({}, {2}), F({}, {1})}, kOld), "float32[2,4]{1,2,1,2,3,4,3,4}");
  EXPECT_EQ(Run(tile, {x, F({}, {2}), F({}, {0})}, kOld), "float32[4,2]{1,2,3,4,1,2,3,4}");
  EXPECT_EQ(
      Run("g (float[3] x, float[1] tiles) => (float[B] y) <float axis = {0}> { y = Tile(x, tiles, axis) }",
          {F({1, 2, 3}), F({2})}, kOld),
      "float32[6]{1,2,3,1,2,3}");
  EXPECT_THAT(Run(tile, {x, F({}, {2}), F({}, {2})}, kOld), HasSubstr("ScatterElements"));
  const char* kSplit = R"(g (float[6] x, float[2] lengths) => (float[A] a, float[B] b) {
      a, b = Split <axis = 0> (x, lengths)
    })";
  EXPECT_EQ(Run(kSplit, {F({1, 2, 3, 4, 5, 6}), F({2, 4})}, kOld), "float32[2]{1,2} float32[4]{3,4,5,6}");
  EXPECT_EQ(Run(kSplit, {F({1, 2, 3, 4, 5, 6}), F({6, 0})}, kOld), "float32[6]{1,2,3,4,5,6} float32[0]{}");
  EXPECT_THAT(Run(kSplit, {F({1, 2, 3, 4, 5, 6}), F({2, 3})}, kOld), HasSubstr("Split"));
}

// erf(3) is 0.99998, that of 4 is 1 as a float.
TEST_P(Values, ErrorFunctionOfIntegers) {
  EXPECT_EQ(Run("g (int64[N] x) => (int64[N] y) { y = Erf(x) }", {I({0, 1, 3, 4, -3, -4, int64_t{1} << 40})},
                R"(<ir_version: 4, opset_import: ["" : 9]> )"),
            "int64[7]{0,0,0,1,0,-1,1}");
}

// A slope for each channel of what has any number of dimensions.
TEST_P(Values, SlopesOfUnknownRank) {
  const char* kOld = R"(<ir_version: 3, opset_import: ["" : 6]> )";
  const std::string unknown = "g (float[] x, float[] s) => (float[] y) { y = PRelu(x, s) }";
  EXPECT_EQ(Run(unknown, {F({1, 2, 2}, {-1, 1, -2, 2}), F({10, 100})}, kOld), "float32[1,2,2]{-10,1,-200,2}");
  EXPECT_EQ(Run(unknown, {F({2, 2}, {-1, 1, -2, -3}), F({10, 100})}, kOld), "float32[2,2]{-10,1,-20,-300}");
  EXPECT_EQ(Run(unknown, {F({1, 2, 2}, {-1, 1, -2, 2}), F({10})}, kOld), "float32[1,2,2]{-10,1,-20,2}");
  EXPECT_EQ(Run("g (float[1,2,2] x, float[] s) => (float[] y) { y = PRelu(x, s) }",
                {F({1, 2, 2}, {-1, 1, -2, 2}), F({10, 100})}, kOld),
            "float32[1,2,2]{-10,1,-200,2}");
}

// Of 1, 3, 5 and 7 the mean is 4 and the variance 5, of 0, 0, 2 and 2 both are 1; running ones take a tenth.
TEST_P(Values, StatisticsOfABatch) {
  const Made x = F({2, 2, 2}, {1, 3, 0, 0, 5, 7, 2, 2}), one = F({1, 1}), zero = F({0, 0});
  for (const std::string rank : {"[2,2,2]", "[]"})
    for (const char* opset : {"1", "6", "7", "9", "13"})
      EXPECT_EQ(Run("g (float" + rank +
                        " x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[] mean, float[] "
                        "var, float[] saved_mean, float[] saved_var) { y, mean, var, saved_mean, saved_var = "
                        "BatchNormalization" +
                        (opset[0] == '1' && opset[1] == 0 ? " <consumed_inputs = [0, 0, 0, 1, 1]>" : "") +
                        " (x, s, b, m, v) }",
                    {x, one, zero, zero, one},
                    ("<ir_version: 3, opset_import: [\"\" : " + std::string(opset) + "]> ").c_str()),
                "float32[2]{0.4,0.1} float32[2]{1.4,1} float32[2]{4,1} float32[2]{5,1}")
          << opset << " " << rank;
}

// ---- Operators that were experimental: docs/Operators.md of ONNX 1.4 ----

TEST_P(Values, ExperimentalOperators) {
  const char* kOld = R"(<ir_version: 3, opset_import: ["" : 8]> )";
  EXPECT_EQ(
      Run("g (float[2] x) => (float[2] y) { y = Affine <alpha = 2.0, beta = -1.0> (x) }", {F({1, 3})}, kOld),
      "float32[2]{1,5}");
  EXPECT_EQ(Run("g (float[2] x) => (float[2] y) { y = Scale <scale = 3.0> (x) }", {F({1, -3})}, kOld),
            "float32[2]{3,-9}");
  EXPECT_EQ(Run("g (float[2] x) => (float[2] y) { y = ScaledTanh <alpha = 2.0, beta = 100.0> (x) }",
                {F({1, -1})}, kOld),
            "float32[2]{2,-2}");
  // 2 ln(1 + exp(0)) and, far out, 2 * 3 * 100.
  EXPECT_EQ(Run("g (float[2] x) => (float[2] y) { y = ParametricSoftplus <alpha = 2.0, beta = 3.0> (x) }",
                {F({0, 100})}, kOld),
            "float32[2]{1.38629,600}");
  EXPECT_EQ(Run("g (float[1,2,1,2] x) => (float[1,2,1,2] y) { y = ImageScaler <scale = 2.0, bias = [10.0, "
                "20.0]> (x) }",
                {F({1, 2, 1, 2}, {1, 2, 3, 4})}, kOld),
            "float32[1,2,1,2]{12,14,26,28}");
  EXPECT_EQ(
      Run("g (float[N] x) => (float[N] y) { y = ThresholdedRelu <alpha = 2.0> (x) }", {F({1, 2, 3})}, kOld),
      "float32[3]{0,0,3}");
  const Made image = F({1, 1, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_EQ(Run("g (float[1,1,3,4] x) => (float[1,1,H,W] y) { y = Crop <border = [1, 0, 2, 1]> (x) }",
                {image}, kOld),
            "float32[1,1,2,1]{1,5}");
  EXPECT_EQ(Run("g (float[1,1,3,4] x) => (float[1,1,H,W] y) { y = Crop <border = [1, 1, 0, 0], scale = [1, "
                "2]> (x) }",
                {image}, kOld),
            "float32[1,1,1,2]{5,6}");
  EXPECT_EQ(
      Run(R"(g (float[N] x) => (float[M] y) <int64[1] s = {1}, int64[1] e = {3}> { y = DynamicSlice(x, s, e) })",
          {F({1, 2, 3, 4})}, kOld),
      "float32[2]{2,3}");
  EXPECT_EQ(Run("g (float[2,1] x) => (int64[A,B,C] y) { y = ConstantFill <value = 7.0, dtype = 7, "
                "extra_shape = [2]> (x) }",
                {F({2, 1}, {0, 0})}, kOld),
            "int64[2,1,2]{7,7,7,7}");
  EXPECT_EQ(Run("g (int64[1] s) => (float[A] y) { y = ConstantFill <value = 7.0, input_as_shape = 1> (s) }",
                {I({3})}, kOld),
            "float32[3]{7,7,7}");
  EXPECT_EQ(Run("g (float[N] x) => (float[N] y) { c = GivenTensorFill <values = [1.0, 2.0], shape = [2]> () "
                "y = Add(x, c) }",
                {F({1, 1})}, kOld),
            "float32[2]{2,3}");
  // Over N, H and W; without the variance, x minus its mean.
  EXPECT_EQ(Run("g (float[2,1,1,1] x) => (float[2,1,1,1] y) { y = MeanVarianceNormalization "
                "<normalize_variance = 0> (x) }",
                {F({2, 1, 1, 1}, {1, 5})}, kOld),
            "float32[2,1,1,1]{-2,2}");
  EXPECT_EQ(Run("g (float[1,2,1,1] x) => (float[1,2,1,1] y) { y = MeanVarianceNormalization <across_channels "
                "= 1> (x) }",
                {F({1, 2, 1, 1}, {1, 5})}, kOld),
            "float32[1,2,1,1]{-1,1}");
}

TEST_P(Values, FormsOfTheirTime) {
  EXPECT_EQ(Run(R"(g (float[N] x) => (int64[N] y) { y = Cast <to = "INT64"> (x) })", {F({1.5, 2})},
                R"(<ir_version: 3, opset_import: ["" : 6]> )"),
            "int64[2]{1,2}");
  // An index below 0 gave no on_value before opset 11.
  const char* kOneHot = R"(g (int64[N] i) => (float[N,3] y) <int64 depth = {3}, float[2] values = {2, 5}> {
      y = OneHot (i, depth, values)
    })";
  EXPECT_EQ(Run(kOneHot, {I({1, -1, 3})}, R"(<ir_version: 4, opset_import: ["" : 10]> )"),
            "float32[3,3]{2,5,2,2,2,2,2,2,2}");
  EXPECT_EQ(Run(kOneHot, {I({1, -1, 3})}, R"(<ir_version: 4, opset_import: ["" : 11]> )"),
            "float32[3,3]{2,5,2,2,2,5,2,2,2}");
  // output_shape with N and C, as in ONNX 1.3.
  EXPECT_EQ(
      Run(R"(g (float[1,1,1,2] x, float[1,1,1,2] w) => (float[1,1,A,B] y) {
      y = ConvTranspose <strides = [1, 2], output_shape = [1, 1, 1, 5]> (x, w)
    })",
          {F({1, 1, 1, 2}, {1, 2}), F({1, 1, 1, 2}, {1, 10})}, R"(<ir_version: 3, opset_import: ["" : 8]> )"),
      "float32[1,1,1,5]{1,10,2,20,0}");
  // A scale and a bias for each of two groups.
  EXPECT_EQ(Run(R"(g (float[1,2,2] x, float[2] s, float[2] b) => (float[1,2,2] y) {
      y = GroupNormalization <num_groups = 2, epsilon = 0.0> (x, s, b)
    })",
                {F({1, 2, 2}, {1, 3, 5, 9}), F({1, 10}), F({0, 1})},
                R"(<ir_version: 8, opset_import: ["" : 18]> )"),
            "float32[1,2,2]{-1,1,-9,11}");
  // Limits of one element that are no scalars.
  EXPECT_EQ(Run(R"(g (int64[1] n, int64[1] zero, int64[1] one) => (int64[M] y) { y = Range(zero, n, one) })",
                {I({3}), I({0}), I({1})}),
            "int64[3]{0,1,2}");
}

INSTANTIATE_TEST_SUITE_P(Devices, Values, ::testing::Values("reference", "sim", "reference,sim"));

}  // namespace
}  // namespace braid::testing
