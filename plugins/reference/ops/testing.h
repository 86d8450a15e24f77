// SPDX-License-Identifier: Apache-2.0
//
// For tests: one operator on given tensors, without a model.
//
//   auto out = RunOp("Softmax", {Tensor::Of<float>({1, 2}, {0, 0})}, {{"axis", 1}});
//   ExpectTensor<float>(out[0], {1, 2}, {0.5f, 0.5f});
//   ExpectFails("Softmax", {x}, {{"axis", 7}}, "axis 7 is not within");
//
// An attribute's value is a number, a string, a Tensor, or Ints{...}, Floats{...}, Strings{...}.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_TESTING_H_
#define BRAID_PLUGINS_REFERENCE_OPS_TESTING_H_

#include <gtest/gtest.h>

#include <deque>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;

struct Attr {
  Attr(std::string n, int v) : name(std::move(n)), value(int64_t{v}) {}
  Attr(std::string n, int64_t v) : name(std::move(n)), value(v) {}
  Attr(std::string n, double v) : name(std::move(n)), value(static_cast<float>(v)) {}
  Attr(std::string n, const char* v) : name(std::move(n)), value(std::string(v)) {}
  Attr(std::string n, std::string v) : name(std::move(n)), value(std::move(v)) {}
  Attr(std::string n, Ints v) : name(std::move(n)), value(std::move(v)) {}
  Attr(std::string n, Floats v) : name(std::move(n)), value(std::move(v)) {}
  Attr(std::string n, Strings v) : name(std::move(n)), value(std::move(v)) {}
  Attr(std::string n, Tensor v) : name(std::move(n)), value(std::move(v)) {}
  std::string name;
  std::variant<int64_t, float, std::string, Ints, Floats, Strings, Tensor> value;
};

// A braid_graph made by hand. Its bytes of constants are found by `constant` (as the host would give them).
class TestGraph {
 public:
  TestGraph() = default;
  TestGraph(const TestGraph&) = delete;
  TestGraph& operator=(const TestGraph&) = delete;

  // An extent of -1 is symbolic. rank_known = false: no dims at all.
  uint32_t Value(std::string_view name, int32_t type, const Dims& dims, uint32_t flags = 0,
                 bool rank_known = true) {
    braid_value v{};
    v.name = Chars(name);
    v.type = type;
    v.rank = rank_known ? static_cast<int32_t>(dims.size()) : -1;
    v.dims = static_cast<uint32_t>(dims_.size());
    v.flags = flags;
    for (int64_t d : dims) dims_.push_back({d, d < 0 ? 0 : d, d < 0 ? INT64_MAX : d, d, BRAID_NONE, 0});
    uint32_t index = static_cast<uint32_t>(values_.size());
    values_.push_back(v);
    if ((flags & BRAID_VALUE_INPUT) != 0) inputs_.push_back(index);
    if ((flags & BRAID_VALUE_OUTPUT) != 0) outputs_.push_back(index);
    return index;
  }
  uint32_t Input(std::string_view name, int32_t type, const Dims& dims) {
    return Value(name, type, dims, BRAID_VALUE_INPUT);
  }
  uint32_t Output(std::string_view name, int32_t type, const Dims& dims) {
    return Value(name, type, dims, BRAID_VALUE_OUTPUT);
  }
  uint32_t Constant(std::string_view name, const Tensor& t) {
    uint32_t index = Value(name, t.type(), t.dims(), BRAID_VALUE_CONSTANT);
    std::vector<uint64_t> bytes((t.WireBytes() + 7) / 8);
    t.ToWire(bytes.data());
    values_[index].bytes = t.WireBytes();
    values_[index].constant = next_constant_++;
    constants_.resize(values_.size());
    constants_[index] = std::move(bytes);
    return index;
  }
  // A version of 0 is that which the library implements.
  void Node(std::string_view op, std::vector<uint32_t> inputs, std::vector<uint32_t> outputs,
            const std::vector<Attr>& attrs = {}, std::string_view domain = "", int32_t version = 0,
            std::string_view name = "", int32_t min_version = 0) {
    const OpEntry* entry = FindOp(domain, op);
    braid_node n{};
    n.op = Chars(op);
    n.domain = Chars(domain);
    n.name = Chars(name);
    n.version = version != 0 ? version : entry != nullptr ? entry->since : 1;
    n.min_version = min_version != 0 ? min_version : n.version;
    n.inputs = {static_cast<uint32_t>(refs_.size()), static_cast<uint32_t>(inputs.size())};
    refs_.insert(refs_.end(), inputs.begin(), inputs.end());
    n.outputs = {static_cast<uint32_t>(refs_.size()), static_cast<uint32_t>(outputs.size())};
    refs_.insert(refs_.end(), outputs.begin(), outputs.end());
    n.group = BRAID_NONE;
    std::vector<braid_attr> own;
    for (const Attr& a : attrs) own.push_back(Make(a));
    n.attrs = {static_cast<uint32_t>(attrs_.size()), static_cast<uint32_t>(own.size())};
    attrs_.insert(attrs_.end(), own.begin(), own.end());
    nodes_.push_back(n);
  }

  // Valid until the graph is changed or gone.
  const braid_graph* view() {
    constants_.resize(values_.size());
    view_ = kEmptyView;
    view_.node_count = static_cast<uint32_t>(nodes_.size());
    view_.node_stride = sizeof(braid_node);
    view_.value_count = static_cast<uint32_t>(values_.size());
    view_.value_stride = sizeof(braid_value);
    view_.attr_count = static_cast<uint32_t>(attrs_.size());
    view_.attr_stride = sizeof(braid_attr);
    view_.dim_count = static_cast<uint32_t>(dims_.size());
    view_.dim_stride = sizeof(braid_dim);
    view_.ref_count = static_cast<uint32_t>(refs_.size());
    view_.string_count = static_cast<uint32_t>(strings_.size());
    view_.int_count = static_cast<uint32_t>(ints_.size());
    view_.float_count = static_cast<uint32_t>(floats_.size());
    view_.char_count = static_cast<uint32_t>(chars_.size());
    view_.nodes = nodes_.data();
    view_.values = values_.data();
    view_.attrs = attrs_.data();
    view_.dims = dims_.data();
    view_.refs = refs_.data();
    view_.ints = ints_.data();
    view_.floats = floats_.data();
    view_.strings = strings_.data();
    view_.chars = chars_.data();
    view_.inputs = inputs_.data();
    view_.outputs = outputs_.data();
    view_.input_count = static_cast<uint32_t>(inputs_.size());
    view_.output_count = static_cast<uint32_t>(outputs_.size());
    view_.host_data = this;
    return &view_;
  }
  // The bytes of a constant, as braid_host.constant gives them.
  braid_bytes constant(uint32_t value) const { return {constants_[value].data(), values_[value].bytes}; }

 private:
  braid_span Chars(std::string_view text) {
    braid_span span{static_cast<uint32_t>(chars_.size()), static_cast<uint32_t>(text.size())};
    chars_ += text;
    return span;
  }
  template <class T, class List>
  static braid_span Append(std::vector<T>& to, const List& list) {
    braid_span span{static_cast<uint32_t>(to.size()), static_cast<uint32_t>(list.size())};
    to.insert(to.end(), list.begin(), list.end());
    return span;
  }
  braid_attr Make(const Attr& attr) {
    braid_attr a{};
    a.name = Chars(attr.name);
    a.tensor = BRAID_NONE;
    if (auto* i = std::get_if<int64_t>(&attr.value)) {
      a.kind = BRAID_ATTR_INT;
      a.i = *i;
    } else if (auto* f = std::get_if<float>(&attr.value)) {
      a.kind = BRAID_ATTR_FLOAT;
      a.f = *f;
    } else if (auto* s = std::get_if<std::string>(&attr.value)) {
      a.kind = BRAID_ATTR_STRING;
      a.list = Chars(*s);
    } else if (auto* ints = std::get_if<Ints>(&attr.value)) {
      a.kind = BRAID_ATTR_INTS;
      a.list = Append(ints_, *ints);
    } else if (auto* floats = std::get_if<Floats>(&attr.value)) {
      a.kind = BRAID_ATTR_FLOATS;
      a.list = Append(floats_, *floats);
    } else if (auto* strings = std::get_if<Strings>(&attr.value)) {
      a.kind = BRAID_ATTR_STRINGS;
      std::vector<braid_span> spans;
      for (const std::string& s : *strings) spans.push_back(Chars(s));
      a.list = Append(strings_, spans);
    } else {
      a.kind = BRAID_ATTR_TENSOR;
      a.tensor = Constant(attr.name, std::get<Tensor>(attr.value));
    }
    return a;
  }

  static constexpr braid_graph kEmptyView = [] {
    braid_graph g{};
    g.size = sizeof(braid_graph);
    return g;
  }();
  std::vector<braid_node> nodes_;
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::vector<float> floats_;
  std::vector<braid_span> strings_;
  std::string chars_;
  std::vector<std::vector<uint64_t>> constants_;  // by value
  uint64_t next_constant_ = 1;
  braid_graph view_{};
};

// Makes a graph of the one node; an absent tensor (Tensor()) is an absent input.
inline void MakeOneNode(TestGraph& graph, std::string_view op, const std::vector<Tensor>& inputs,
                        const std::vector<Attr>& attrs, uint32_t outputs, std::string_view domain) {
  std::vector<uint32_t> in, out;
  for (const Tensor& t : inputs)
    in.push_back(t.present() ? graph.Input("x" + std::to_string(in.size()), t.type(), t.dims()) : BRAID_NONE);
  for (uint32_t i = 0; i < outputs; ++i)
    out.push_back(graph.Value("y" + std::to_string(i), kFloat, {}, BRAID_VALUE_OUTPUT, false));
  graph.Node(op, in, out, attrs, domain, 0, "test");
}

// The outputs of one operator. Throws kit::Error: as Judge says if it refuses, or what the operator says.
inline std::vector<Tensor> RunOp(std::string_view op, const std::vector<Tensor>& inputs,
                                 const std::vector<Attr>& attrs = {}, uint32_t outputs = 1,
                                 std::string_view domain = "") {
  TestGraph graph;
  MakeOneNode(graph, op, inputs, attrs, outputs, domain);
  kit::Node node(graph.view(), 0);
  Judgement judgement = Judge(node);
  if (judgement.code != BRAID_YES) throw kit::Error(BRAID_UNSUPPORTED, judgement.text);
  std::vector<Tensor> attribute_tensors(attrs.size());
  for (size_t i = 0; i < attrs.size(); ++i)
    if (auto* t = std::get_if<Tensor>(&attrs[i].value)) attribute_tensors[i] = *t;
  OpContext context(node, inputs, attribute_tensors);
  FindOp(domain, op)->run(context);
  return context.outputs();
}

// Whether Judge takes the node: its code (BRAID_YES, BRAID_NO_TYPE ...).
inline int32_t JudgeOp(std::string_view op, const std::vector<Tensor>& inputs,
                       const std::vector<Attr>& attrs = {}, uint32_t outputs = 1,
                       std::string_view domain = "") {
  TestGraph graph;
  MakeOneNode(graph, op, inputs, attrs, outputs, domain);
  return Judge(kit::Node(graph.view(), 0)).code;
}

// Type, dims and every element; floats within tolerance (absolute + relative, NaN equals NaN), others
// exactly.
template <class T>
void ExpectTensor(const Tensor& got, const Dims& dims, const std::vector<T>& want, double tolerance = 0) {
  ASSERT_EQ(got.type(), int32_t{kTypeOf<T>}) << "got " << TypeName(got.type());
  ASSERT_EQ(got.dims(), dims);
  ASSERT_EQ(static_cast<size_t>(got.size()), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    if constexpr (std::is_convertible_v<T, double>) {
      double w = static_cast<double>(static_cast<T>(want[i])), g = static_cast<double>(got.data<T>()[i]);
      if (std::isnan(w) ? std::isnan(g) : w == g) continue;
      ASSERT_LE(std::fabs(g - w), tolerance * (1 + std::fabs(w)))
          << "element " << i << ": got " << g << ", want " << w;
    } else {
      ASSERT_EQ(got.data<T>()[i], want[i]) << "element " << i;
    }
  }
}

// That the operator throws a kit::Error whose text contains `text`.
inline void ExpectFails(std::string_view op, const std::vector<Tensor>& inputs,
                        const std::vector<Attr>& attrs, std::string_view text, std::string_view domain = "") {
  try {
    RunOp(op, inputs, attrs, 1, domain);
    ADD_FAILURE() << op << " should have failed with: " << text;
  } catch (const kit::Error& e) {
    EXPECT_NE(std::string_view(e.what()).find(text), std::string_view::npos) << "it says: " << e.what();
  }
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_TESTING_H_
