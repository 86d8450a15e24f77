// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/view.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/plugins/hash.h"

namespace braid {
namespace {

// Content hashes by Constant::id: constants are shared by many views, and large.
Hash128 ContentHash(const Constant& constant) {
  static std::mutex* mutex = new std::mutex;
  static auto* known = new absl::flat_hash_map<uint64_t, Hash128>;
  if (constant.id != 0) {
    std::lock_guard<std::mutex> lock(*mutex);
    if (const auto found = known->find(constant.id); found != known->end()) return found->second;
  }
  Hasher hasher;
  hasher.Add(constant.data, constant.bytes);
  const Hash128 hash = hasher.Finish();
  if (constant.id != 0) {
    std::lock_guard<std::mutex> lock(*mutex);
    known->emplace(constant.id, hash);
  }
  return hash;
}

}  // namespace

class ViewBuilder {
 public:
  ViewBuilder(const Graph& graph, const ViewOptions& options)
      : graph_(graph), options_(options), view_(new GraphView) {
    view_->indices_.assign(graph.values.size(), kNone);
  }

  std::unique_ptr<GraphView> Whole() {
    for (ValueId v = 0; v < graph_.values.size(); ++v) AddValue(v);
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) AddNode(n);
    for (ValueId v : graph_.inputs) AddInput(v);
    for (ValueId v : graph_.outputs) AddOutput(v);
    return Finish();
  }

  std::unique_ptr<GraphView> Segment(absl::Span<const NodeId> given, absl::Span<const ValueId> outputs) {
    std::vector<NodeId> nodes(given.begin(), given.end());
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    std::vector<bool> inside(graph_.nodes.size(), false);
    for (NodeId n : nodes) inside[n] = true;
    std::vector<bool> made(graph_.values.size(), false);
    for (NodeId n : nodes) {
      for (ValueId v : graph_.nodes[n].inputs) {
        if (v == kNone || made[v]) continue;
        const bool known = view_->indices_[v] != kNone;
        AddValue(v);
        if (!known && graph_.values[v].constant == nullptr) AddInput(v);
      }
      AddNode(n);
      for (ValueId v : graph_.nodes[n].outputs)
        if (v != kNone) made[v] = true;
    }
    if (!outputs.empty()) {
      for (ValueId v : outputs) {
        AddValue(v);
        AddOutput(v);
      }
      return Finish();
    }
    std::vector<bool> wanted(graph_.values.size(), false);
    for (ValueId v : graph_.outputs) wanted[v] = true;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (inside[n]) continue;
      for (ValueId v : graph_.nodes[n].inputs)
        if (v != kNone) wanted[v] = true;
      for (const Attribute& attribute : graph_.nodes[n].attributes)
        for (ValueId v : attribute.body.captures)
          if (v != kNone) wanted[v] = true;
    }
    for (NodeId n : nodes)
      for (ValueId v : graph_.nodes[n].outputs)
        if (v != kNone && wanted[v]) AddOutput(v);
    return Finish();
  }

 private:
  braid_span Chars(const std::string& text) {
    if (text.empty()) return {0, 0};
    const auto [found, fresh] = interned_.try_emplace(text, braid_span{0, 0});
    if (fresh) {
      // Beyond what a span can say (4 GiB of names) the rest is nameless.
      if (view_->chars_.size() + text.size() > UINT32_MAX) return {0, 0};
      found->second = {Size(view_->chars_), static_cast<uint32_t>(text.size())};
      view_->chars_ += text;
    }
    return found->second;
  }

  template <class C>
  static uint32_t Size(const C& container) {
    return static_cast<uint32_t>(container.size());
  }

  braid_dim MakeDim(const Dim& dim) {
    if (dim.value >= 0) return {dim.value, dim.value, dim.value, dim.value, BRAID_NONE, 0};
    if (dim.symbol < 0 || static_cast<size_t>(dim.symbol) >= graph_.symbols.size())
      return {-1, 0, INT64_MAX, -1, BRAID_NONE, 0};
    const auto symbol = static_cast<uint32_t>(dim.symbol);
    const auto [found, fresh] = symbols_.try_emplace(symbol, Size(view_->symbols_));
    if (fresh) view_->symbols_.push_back(Chars(graph_.symbols[symbol]));
    return {-1, 0, INT64_MAX, -1, found->second, 0};
  }

  uint32_t AddValue(ValueId id) {
    if (view_->indices_[id] != kNone) return view_->indices_[id];
    const Value& value = graph_.values[id];
    braid_value raw{};
    raw.name = Chars(value.name);
    raw.type = value.type.is_tensor() ? value.type.element : 0;
    raw.rank =
        value.type.is_tensor() && value.type.has_shape ? static_cast<int32_t>(value.type.dims.size()) : -1;
    raw.dims = Size(view_->dims_);
    for (int32_t i = 0; i < raw.rank; ++i)
      view_->dims_.push_back(MakeDim(value.type.dims[static_cast<size_t>(i)]));
    if (value.constant != nullptr) {
      raw.flags = BRAID_VALUE_CONSTANT;
      raw.bytes = value.constant->bytes;
      raw.constant = value.constant->id;
    }
    const uint32_t index = Size(view_->values_);
    view_->values_.push_back(raw);
    view_->value_ids_.push_back(id);
    view_->constants_.push_back(value.constant);
    return view_->indices_[id] = index;
  }

  void AddInput(ValueId id) {
    const uint32_t index = view_->indices_[id];
    view_->values_[index].flags |= BRAID_VALUE_INPUT;
    view_->inputs_.push_back(index);
  }

  void AddOutput(ValueId id) {
    const uint32_t index = view_->indices_[id];
    if ((view_->values_[index].flags & BRAID_VALUE_OUTPUT) != 0 && !is_whole()) return;
    view_->values_[index].flags |= BRAID_VALUE_OUTPUT;
    view_->outputs_.push_back(index);
  }

  // A graph may list an output twice; a segment binds each once.
  bool is_whole() const { return view_->nodes_.size() == graph_.nodes.size(); }

  braid_span AddRefs(const std::vector<ValueId>& values) {
    const uint32_t first = Size(view_->refs_);
    for (ValueId v : values) view_->refs_.push_back(v == kNone ? BRAID_NONE : AddValue(v));
    return {first, Size(values)};
  }

  void AddNode(NodeId id) {
    const Node& node = graph_.nodes[id];
    braid_node raw{};
    raw.op = Chars(node.op);
    raw.domain = Chars(node.domain);
    raw.name = Chars(node.name);
    raw.version = node.version;
    raw.min_version = node.min_version;
    raw.inputs = AddRefs(node.inputs);
    raw.outputs = AddRefs(node.outputs);
    raw.attrs = AddAttributes(node.attributes);
    raw.group = BRAID_NONE;
    raw.older = 0;
    view_->nodes_.push_back(raw);
    if (node.older.empty()) return;
    const uint32_t index = Size(view_->nodes_) - 1;
    for (const Node::Form& form : node.older) {
      raw.version = form.version;
      raw.min_version = form.min_version;
      raw.inputs = AddRefs(form.inputs);
      raw.attrs = AddAttributes(form.attributes);
      older_.push_back(raw);
    }
    has_older_.emplace_back(index, Size(older_));
  }

  // Behind all nodes, each linked from the one that it is another form of.
  void AddOlder() {
    const uint32_t first = Size(view_->nodes_);
    uint32_t form = 0;
    for (const auto& [node, end] : has_older_) {
      view_->nodes_[node].older = first + form;
      for (; form < end; ++form) older_[form].older = form + 1 < end ? first + form + 1 : 0;
    }
    view_->nodes_.insert(view_->nodes_.end(), older_.begin(), older_.end());
  }

  braid_span AddAttributes(const std::vector<Attribute>& attributes) {
    braid_span span{Size(view_->attrs_), 0};
    for (const Attribute& attribute : attributes)
      if (AddAttribute(attribute)) ++span.count;
    return span;
  }

  // False: one that plugins do not see.
  bool AddAttribute(const Attribute& attribute) {
    braid_attr raw{};
    raw.name = Chars(attribute.name);
    raw.kind = attribute.kind;
    raw.tensor = BRAID_NONE;
    switch (attribute.kind) {
      case Attribute::kFloat:
        raw.f = attribute.f;
        break;
      case Attribute::kInt:
        raw.i = attribute.i;
        break;
      case Attribute::kString:
        raw.list = Chars(attribute.s);
        break;
      case Attribute::kTensor:
        if (attribute.tensor == kNone) return false;
        raw.tensor = AddValue(attribute.tensor);
        break;
      case Attribute::kFloats:
        raw.list = {Size(view_->floats_), Size(attribute.floats)};
        view_->floats_.insert(view_->floats_.end(), attribute.floats.begin(), attribute.floats.end());
        break;
      case Attribute::kInts:
        raw.list = {Size(view_->ints_), Size(attribute.ints)};
        view_->ints_.insert(view_->ints_.end(), attribute.ints.begin(), attribute.ints.end());
        break;
      case Attribute::kStrings:
        raw.list = {Size(view_->strings_), Size(attribute.strings)};
        for (const std::string& s : attribute.strings) view_->strings_.push_back(Chars(s));
        break;
      default:
        return false;
    }
    view_->attrs_.push_back(raw);
    return true;
  }

  std::string_view Text(braid_span span) const {
    return std::string_view(view_->chars_).substr(span.first, span.count);
  }

  // Names of nodes, values and symbols are left out: they do not change what is compiled. Older forms follow
  // from the nodes.
  Hash128 Fingerprint() const {
    Hasher h;
    h.Add(view_->raw_.node_count);
    for (uint32_t n = 0; n < view_->raw_.node_count; ++n) {
      const braid_node& node = view_->nodes_[n];
      h.Add(Text(node.op));
      h.Add(Text(node.domain));
      h.Add(static_cast<uint64_t>(node.version));
      for (const braid_span& refs : {node.inputs, node.outputs}) {
        h.Add(refs.count);
        for (uint32_t i = 0; i < refs.count; ++i) h.Add(view_->refs_[refs.first + i]);
      }
      h.Add(node.attrs.count);
      for (uint32_t i = 0; i < node.attrs.count; ++i) AddAttribute(view_->attrs_[node.attrs.first + i], h);
    }
    h.Add(view_->values_.size());
    for (size_t i = 0; i < view_->values_.size(); ++i) {
      const braid_value& value = view_->values_[i];
      h.Add(static_cast<uint64_t>(value.type));
      h.Add(static_cast<uint64_t>(value.rank));
      h.Add(value.flags);
      for (int32_t d = 0; d < value.rank; ++d) {
        const braid_dim& dim = view_->dims_[value.dims + static_cast<uint32_t>(d)];
        for (int64_t n : {dim.value, dim.min, dim.max, int64_t{dim.symbol}}) h.Add(static_cast<uint64_t>(n));
      }
      if (view_->constants_[i] != nullptr)
        for (uint64_t word : ContentHash(*view_->constants_[i])) h.Add(word);
    }
    for (const std::vector<uint32_t>* list : {&view_->inputs_, &view_->outputs_}) {
      h.Add(list->size());
      for (uint32_t v : *list) h.Add(v);
    }
    return h.Finish();
  }

  void AddAttribute(const braid_attr& attr, Hasher& h) const {
    h.Add(Text(attr.name));
    h.Add(static_cast<uint64_t>(attr.kind));
    switch (attr.kind) {
      case Attribute::kFloat:
        h.Add(&attr.f, sizeof attr.f);
        break;
      case Attribute::kInt:
        h.Add(static_cast<uint64_t>(attr.i));
        break;
      case Attribute::kString:
        h.Add(Text(attr.list));
        break;
      case Attribute::kTensor:
        h.Add(attr.tensor);
        break;
      case Attribute::kFloats:
        h.Add(view_->floats_.data() + attr.list.first, attr.list.count * sizeof(float));
        break;
      case Attribute::kInts:
        h.Add(view_->ints_.data() + attr.list.first, attr.list.count * sizeof(int64_t));
        break;
      default:
        h.Add(attr.list.count);
        for (uint32_t i = 0; i < attr.list.count; ++i) h.Add(Text(view_->strings_[attr.list.first + i]));
    }
  }

  std::unique_ptr<GraphView> Finish() {
    braid_graph& raw = view_->raw_;
    raw = BRAID_GRAPH_INIT;
    raw.node_count = Size(view_->nodes_);
    AddOlder();
    raw.older_count = Size(older_);
    raw.node_stride = sizeof(braid_node);
    raw.value_count = Size(view_->values_);
    raw.value_stride = sizeof(braid_value);
    raw.attr_count = Size(view_->attrs_);
    raw.attr_stride = sizeof(braid_attr);
    raw.dim_count = Size(view_->dims_);
    raw.dim_stride = sizeof(braid_dim);
    raw.ref_count = Size(view_->refs_);
    raw.string_count = Size(view_->strings_);
    raw.symbol_count = Size(view_->symbols_);
    raw.int_count = Size(view_->ints_);
    raw.float_count = Size(view_->floats_);
    raw.char_count = Size(view_->chars_);
    raw.nodes = view_->nodes_.data();
    raw.values = view_->values_.data();
    raw.attrs = view_->attrs_.data();
    raw.dims = view_->dims_.data();
    raw.refs = view_->refs_.data();
    raw.ints = view_->ints_.data();
    raw.floats = view_->floats_.data();
    raw.strings = view_->strings_.data();
    raw.symbols = view_->symbols_.data();
    raw.chars = view_->chars_.data();
    raw.inputs = view_->inputs_.data();
    raw.outputs = view_->outputs_.data();
    raw.input_count = Size(view_->inputs_);
    raw.output_count = Size(view_->outputs_);
    if (options_.fingerprint) {
      const Hash128 hash = Fingerprint();
      raw.fingerprint[0] = hash[0];
      raw.fingerprint[1] = hash[1];
    }
    raw.host_data = const_cast<ConstantProvider*>(static_cast<const ConstantProvider*>(view_.get()));
    return std::move(view_);
  }

  const Graph& graph_;
  const ViewOptions& options_;
  std::unique_ptr<GraphView> view_;
  absl::flat_hash_map<absl::string_view, braid_span> interned_;  // keys live in graph_
  absl::flat_hash_map<uint32_t, uint32_t> symbols_;              // of the graph -> of the view
  std::vector<braid_node> older_;  // the forms of one node after those of another, newest first
  std::vector<std::pair<uint32_t, uint32_t>>
      has_older_;  // a node of the view, and one beyond its last in older_
};

std::unique_ptr<GraphView> GraphView::Whole(const Graph& graph, const ViewOptions& options) {
  return ViewBuilder(graph, options).Whole();
}

std::unique_ptr<GraphView> GraphView::Segment(const Graph& graph, absl::Span<const NodeId> nodes,
                                              absl::Span<const ValueId> outputs, const ViewOptions& options) {
  return ViewBuilder(graph, options).Segment(nodes, outputs);
}

uint32_t GraphView::index_of(ValueId value) const {
  return value < indices_.size() ? indices_[value] : kNone;
}

std::shared_ptr<const Constant> GraphView::constant(uint32_t value) const {
  return value < constants_.size() ? constants_[value] : nullptr;
}

}  // namespace braid
