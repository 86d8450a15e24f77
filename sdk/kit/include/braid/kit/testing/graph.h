// SPDX-License-Identifier: Apache-2.0
//
// For tests: tensors, and graphs made by hand (see braid/kit/testing.h).
#ifndef BRAID_KIT_TESTING_GRAPH_H_
#define BRAID_KIT_TESTING_GRAPH_H_

#include <braid/kit/types.h>
#include <braid/plugin.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace braid::kit::testing {

using kit::BitsOf;
using kit::BytesOf;

// A dense tensor.
struct Array {
  braid_type type = 1;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;
  template <class T>
  static Array Of(braid_type type, std::vector<int64_t> dims, const std::vector<T>& values) {
    Array a{type, std::move(dims), std::vector<uint8_t>(values.size() * sizeof(T))};
    if (!values.empty()) std::memcpy(a.bytes.data(), values.data(), a.bytes.size());
    return a;
  }
  template <class T>
  std::vector<T> as() const {
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }
};

// A tensor attribute names a constant value of the graph.
struct TensorOf {
  uint32_t constant;
};
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, TensorOf>;

// What stands behind braid_graph.host_data of the graphs that testing::Host serves.
class Constants {
 public:
  virtual ~Constants() = default;
  // False: the value is no constant.
  virtual bool Find(uint32_t value, braid_bytes* out) const = 0;
};

// A braid_graph made by hand. Values and nodes are added in the order in which they run.
class Graph : public Constants {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // An extent of -1 is unknown, without a symbol. rank_known false: no dims at all. name "": "v" and its
  // index.
  uint32_t Value(std::string_view name, braid_type type, const std::vector<int64_t>& dims, uint32_t flags = 0,
                 bool rank_known = true) {
    const auto index = static_cast<uint32_t>(values_.size());
    braid_value v{};
    v.name = Chars(name.empty() ? "v" + std::to_string(index) : std::string(name));
    v.type = type;
    v.rank = rank_known ? static_cast<int32_t>(dims.size()) : -1;
    v.dims = static_cast<uint32_t>(dims_.size());
    v.flags = flags;
    for (int64_t d : dims)
      dims_.push_back(d < 0 ? braid_dim{-1, 0, INT64_MAX, -1, BRAID_NONE, 0}
                            : braid_dim{d, d, d, d, BRAID_NONE, 0});
    values_.push_back(v);
    constants_.emplace_back();
    if ((flags & BRAID_VALUE_INPUT) != 0) inputs_.push_back(index);
    if ((flags & BRAID_VALUE_OUTPUT) != 0) outputs_.push_back(index);
    return index;
  }
  uint32_t Input(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims, BRAID_VALUE_INPUT);
  }
  uint32_t Output(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims, BRAID_VALUE_OUTPUT);
  }
  uint32_t Inner(braid_type type, const std::vector<int64_t>& dims, std::string_view name = "") {
    return Value(name, type, dims);
  }
  uint32_t Constant(const Array& array, std::string_view name = "") {
    static std::atomic<uint64_t> next{1};
    const uint32_t index = Value(name, array.type, array.dims, BRAID_VALUE_CONSTANT);
    values_[index].bytes = array.bytes.size();
    values_[index].constant = next.fetch_add(1);
    constants_[index].resize((array.bytes.size() + 7) / 8);
    if (!array.bytes.empty()) std::memcpy(constants_[index].data(), array.bytes.data(), array.bytes.size());
    return index;
  }
  // The node added last, in the words of an older version; older forms after newer ones, before the next
  // node.
  void Older(int32_t version, const std::vector<uint32_t>& inputs,
             const std::map<std::string, Attribute>& attributes = {}, int32_t min_version = 0) {
    braid_node n = nodes_.back();
    n.version = version;
    n.min_version = min_version != 0 ? min_version : version;
    n.inputs = Append(refs_, inputs);
    std::vector<braid_attr> own;
    for (const auto& [key, value] : attributes) own.push_back(Make(key, value));
    n.attrs = Append(attrs_, own);
    older_.emplace_back(nodes_.size() - 1, n);
  }
  // BRAID_NONE is an absent input. min_version 0: the same as version.
  void Node(std::string_view op, int32_t version, const std::vector<uint32_t>& inputs,
            const std::vector<uint32_t>& outputs, const std::map<std::string, Attribute>& attributes = {},
            std::string_view domain = "", std::string_view name = "", int32_t min_version = 0) {
    braid_node n{};
    n.op = Chars(op);
    n.domain = Chars(domain);
    n.name = Chars(name);
    n.version = version;
    n.min_version = min_version != 0 ? min_version : version;
    n.inputs = Append(refs_, inputs);
    n.outputs = Append(refs_, outputs);
    n.group = BRAID_NONE;
    std::vector<braid_attr> own;
    for (const auto& [key, value] : attributes) own.push_back(Make(key, value));
    n.attrs = Append(attrs_, own);
    nodes_.push_back(n);
  }

  // Valid until the graph is changed or gone.
  const braid_graph* view() {
    view_ = BRAID_GRAPH_INIT;
    all_nodes_ = nodes_;
    size_t newer = BRAID_NONE;  // the form before, of the same node
    for (size_t i = 0; i < older_.size(); ++i) {
      const auto& [node, form] = older_[i];
      if (i == 0 || older_[i - 1].first != node) newer = node;
      all_nodes_[newer].older = static_cast<uint32_t>(all_nodes_.size());
      newer = all_nodes_.size();
      all_nodes_.push_back(form);
    }
    Set(all_nodes_, &view_.nodes, &view_.node_count);
    view_.node_count = static_cast<uint32_t>(nodes_.size());
    view_.older_count = static_cast<uint32_t>(older_.size());
    Set(values_, &view_.values, &view_.value_count);
    Set(attrs_, &view_.attrs, &view_.attr_count);
    Set(dims_, &view_.dims, &view_.dim_count);
    view_.node_stride = sizeof(braid_node);
    view_.value_stride = sizeof(braid_value);
    view_.attr_stride = sizeof(braid_attr);
    view_.dim_stride = sizeof(braid_dim);
    Set(refs_, &view_.refs, &view_.ref_count);
    Set(ints_, &view_.ints, &view_.int_count);
    Set(floats_, &view_.floats, &view_.float_count);
    Set(strings_, &view_.strings, &view_.string_count);
    Set(inputs_, &view_.inputs, &view_.input_count);
    Set(outputs_, &view_.outputs, &view_.output_count);
    view_.chars = chars_.data();
    view_.char_count = static_cast<uint32_t>(chars_.size());
    view_.host_data = static_cast<Constants*>(this);
    return &view_;
  }
  // The bytes of a constant, as braid_host.constant gives them.
  braid_bytes constant(uint32_t value) const { return {constants_[value].data(), values_[value].bytes}; }
  bool Find(uint32_t value, braid_bytes* out) const override {
    if (!is_constant(value)) return false;
    *out = constant(value);
    return true;
  }
  bool is_constant(uint32_t value) const {
    return value < values_.size() && (values_[value].flags & BRAID_VALUE_CONSTANT) != 0;
  }
  braid_type TypeOf(uint32_t value) const { return values_[value].type; }
  std::vector<int64_t> DimsOf(uint32_t value) const {
    std::vector<int64_t> dims;
    for (int32_t i = 0; i < values_[value].rank; ++i)
      dims.push_back(dims_[values_[value].dims + static_cast<uint32_t>(i)].value);
    return dims;
  }

 protected:
  braid_span Chars(std::string_view text) {
    const braid_span span{static_cast<uint32_t>(chars_.size()), static_cast<uint32_t>(text.size())};
    chars_ += text;
    return span;
  }

 private:
  template <class T, class List>
  static braid_span Append(std::vector<T>& to, const List& list) {
    const braid_span span{static_cast<uint32_t>(to.size()), static_cast<uint32_t>(list.size())};
    to.insert(to.end(), list.begin(), list.end());
    return span;
  }
  template <class T, class P>
  static void Set(const std::vector<T>& from, P* array, uint32_t* count) {
    *array = from.data();
    *count = static_cast<uint32_t>(from.size());
  }
  braid_attr Make(const std::string& name, const Attribute& value) {
    braid_attr a{};
    a.name = Chars(name);
    a.tensor = BRAID_NONE;
    if (const auto* i = std::get_if<int64_t>(&value)) {
      a.kind = BRAID_ATTR_INT;
      a.i = *i;
    } else if (const auto* f = std::get_if<float>(&value)) {
      a.kind = BRAID_ATTR_FLOAT;
      a.f = *f;
    } else if (const auto* s = std::get_if<std::string>(&value)) {
      a.kind = BRAID_ATTR_STRING;
      a.list = Chars(*s);
    } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
      a.kind = BRAID_ATTR_INTS;
      a.list = Append(ints_, *ints);
    } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
      a.kind = BRAID_ATTR_FLOATS;
      a.list = Append(floats_, *floats);
    } else if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
      a.kind = BRAID_ATTR_STRINGS;
      std::vector<braid_span> spans;
      for (const std::string& text : *strings) spans.push_back(Chars(text));
      a.list = Append(strings_, spans);
    } else {
      a.kind = BRAID_ATTR_TENSOR;
      a.tensor = std::get<TensorOf>(value).constant;
    }
    return a;
  }

  std::vector<braid_node> nodes_, all_nodes_;
  std::vector<std::pair<size_t, braid_node>> older_;  // of which node
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::vector<float> floats_;
  std::vector<braid_span> strings_;
  std::string chars_;
  std::vector<std::vector<uint64_t>> constants_;  // by value, aligned for every type
  braid_graph view_ = BRAID_GRAPH_INIT;
};

}  // namespace braid::kit::testing

#endif  // BRAID_KIT_TESTING_GRAPH_H_
