// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/older.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/schema.h"
#include "core/onnx/shape_values.h"
#include "onnx/defs/data_type_utils.h"
#include "onnx/defs/tensor_proto_util.h"

namespace braid::loader {
namespace {

using Kind = pb::AttributeProto::AttributeType;
using Attributes = google::protobuf::RepeatedPtrField<pb::AttributeProto>;

// What a change is asked about: a node in the words of the version that it was made in.
struct Asked {
  const Scope& scope;
  const OlderForm& form;
  std::function<const pb::TypeProto&(ValueId)> type_of;

  const pb::AttributeProto* attribute(std::string_view name) const {
    for (const pb::AttributeProto& a : form.attributes)
      if (a.name() == name) return &a;
    return nullptr;
  }
  int64_t Int(std::string_view name, int64_t otherwise) const {
    const pb::AttributeProto* a = attribute(name);
    return a != nullptr ? a->i() : otherwise;
  }
  std::string String(std::string_view name) const {
    const pb::AttributeProto* a = attribute(name);
    return a != nullptr ? a->s() : "";
  }
  bool has_input(size_t i) const { return i < form.inputs.size() && form.inputs[i] != kNone; }
  // An input's elements, if it is a small constant of integers.
  std::optional<std::vector<int64_t>> Constant(size_t i) const {
    std::vector<int64_t> values;
    if (!has_input(i)) return std::nullopt;
    const auto& small = scope.values[form.inputs[i]].small;
    if (small == nullptr || !IntegersOf(*small, &values)) return std::nullopt;
    return values;
  }
  // The extents of an input, -1 where not known; nothing if its rank is not known.
  std::optional<std::vector<int64_t>> Dims(size_t i) const {
    if (!has_input(i)) return std::nullopt;
    const pb::TypeProto& type = type_of(form.inputs[i]);
    if (!type.has_tensor_type() || !type.tensor_type().has_shape()) return std::nullopt;
    std::vector<int64_t> dims;
    for (const auto& d : type.tensor_type().shape().dim())
      dims.push_back(d.has_dim_value() ? d.dim_value() : -1);
    return dims;
  }
};

// ---- What changed ----

bool NoNegativeAxis(const Asked& node) {
  const pb::AttributeProto* axes = node.attribute("axes");
  return node.Int("axis", 0) >= 0 && (axes == nullptr || std::all_of(axes->ints().begin(), axes->ints().end(),
                                                                     [](int64_t a) { return a >= 0; }));
}

// A window that begins behind the input and the padding before it is none since 19, and how one that leaves
// the padding is divided was not told. With ceil_mode 0, or where the windows fit without a rest, there are
// neither.
bool WindowsFit(const Asked& node) {
  if (node.Int("ceil_mode", 0) == 0) return true;
  const std::string auto_pad = node.String("auto_pad");
  const pb::AttributeProto* kernel = node.attribute("kernel_shape");
  const auto dims = node.Dims(0);
  if ((!auto_pad.empty() && auto_pad != "NOTSET") || kernel == nullptr || !dims ||
      dims->size() != static_cast<size_t>(kernel->ints_size()) + 2)
    return false;
  const pb::AttributeProto *pads = node.attribute("pads"), *strides = node.attribute("strides");
  const int spatial = kernel->ints_size();
  if ((pads != nullptr && pads->ints_size() != 2 * spatial) ||
      (strides != nullptr && strides->ints_size() != spatial))
    return false;
  for (int d = 0; d < spatial; ++d) {
    const int64_t extent = (*dims)[static_cast<size_t>(d) + 2];
    const int64_t window = kernel->ints(d), stride = strides != nullptr ? strides->ints(d) : 1;
    const int64_t before = pads != nullptr ? pads->ints(d) : 0;
    const int64_t after = pads != nullptr ? pads->ints(d + spatial) : 0;
    constexpr int64_t kMost = int64_t{1} << 60;  // sums stay within 64 bits
    for (const int64_t n : {extent, window, before, after})
      if (n < 0 || n > kMost) return false;
    const int64_t way = extent + before + after - window;  // of the first window to the last
    if (stride <= 0 || stride > kMost || way < 0) return false;
    if (way % stride == 0) continue;
    const int64_t last = (way / stride + 1) * stride;
    if (node.Int("count_include_pad", 0) != 0 || last >= extent + before) return false;
  }
  return true;
}

// Split-13 knows equal parts only.
bool PartsAreEqual(const Asked& node) {
  const int64_t parts = node.Int("num_outputs", 0);
  if (parts <= 0) return node.has_input(1);
  const auto dims = node.Dims(0);
  if (!dims) return false;
  int64_t axis = node.Int("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(dims->size());
  if (axis < 0 || axis >= static_cast<int64_t>(dims->size())) return false;
  const int64_t extent = (*dims)[static_cast<size_t>(axis)];
  return extent >= 0 && extent % parts == 0;
}

// noop_with_empty_axes says nothing where there are axes.
bool EmptyAxesReduceAll(const Asked& node) {
  if (node.Int("noop_with_empty_axes", 0) == 0) return true;
  const auto axes = node.Constant(1);
  return axes && !axes->empty();
}

bool ListIsNotEmpty(const Asked& node) {
  const auto list = node.Constant(1);
  return !node.has_input(1) || (list && !list->empty());
}

bool IsOfPictures(const Asked& node) {
  const auto dims = node.Dims(0);
  return dims && dims->size() == 4;
}

bool StepsAreOne(const Asked& node) {
  const auto steps = node.Constant(4);
  return !node.has_input(4) ||
         (steps && std::all_of(steps->begin(), steps->end(), [](int64_t s) { return s == 1; }));
}

// A limit that is not given is the largest float in 6, and none in 11.
bool BothLimitsAreGiven(const Asked& node) { return node.has_input(1) && node.has_input(2); }

template <const char* kName, const char*... kValues>
bool IsNone(const Asked& node) {
  const std::string value = node.String(kName);
  return ((value != kValues) && ...);
}
constexpr char kMode[] = "mode", kReduction[] = "reduction",
               kTransformation[] = "coordinate_transformation_mode";
constexpr char kWrap[] = "wrap", kMin[] = "min", kMax[] = "max", kSymmetric[] = "half_pixel_symmetric";

// A version at which an operator changed what the same node means (the converter's adapter does something, or
// ought to), and what tells the nodes that mean the same all the same. Changes that show in the signature
// (attributes that became inputs, new types) need no entry.
struct Change {
  const char* op;
  int version;
  bool (*same)(const Asked&) = nullptr;  // null: none is the same
};
constexpr Change kChanges[] = {
    {"Add", 7},
    {"Sub", 7},
    {"Mul", 7},
    {"Div", 7},
    {"Pow", 7},
    {"And", 7},
    {"Or", 7},
    {"Xor", 7},
    {"Equal", 7},
    {"Greater", 7},
    {"Less", 7},
    {"PRelu", 7},
    {"Gemm", 7},
    {"Softmax", 13},
    {"LogSoftmax", 13},
    {"Hardmax", 13},
    {"Resize", 11},
    {"Resize", 19, IsNone<kTransformation, kSymmetric>},
    {"Upsample", 9},
    {"AveragePool", 11},
    {"AveragePool", 19, WindowsFit},
    {"MaxPool", 11},
    {"LpPool", 18},
    {"Conv", 11},
    {"ConvTranspose", 11},
    {"Cast", 9},
    {"TopK", 11},
    {"Dropout", 7},
    {"Dropout", 12},
    {"Flatten", 11, NoNegativeAxis},
    {"Compress", 11, NoNegativeAxis},
    {"ArgMax", 11, NoNegativeAxis},
    {"ArgMin", 11, NoNegativeAxis},
    {"BatchNormalization", 7},
    {"BatchNormalization", 9},
    {"BatchNormalization", 14},
    {"GroupNormalization", 21},
    {"Scan", 9},
    {"Pad", 2},
    {"Pad", 19, IsNone<kMode, kWrap>},
    {"Unsqueeze", 11, NoNegativeAxis},
    {"Unsqueeze", 13, ListIsNotEmpty},
    {"Squeeze", 11, NoNegativeAxis},
    {"Squeeze", 13, ListIsNotEmpty},
    {"Gather", 11},  // negative indices
    {"OneHot", 11},  // likewise
    {"Concat", 4},
    {"Concat", 11, NoNegativeAxis},
    {"Slice", 10, StepsAreOne},
    {"Slice", 11},  // negative axes and steps, which inputs hold
    {"Split", 2},
    {"Split", 11, NoNegativeAxis},
    {"Split", 13, ListIsNotEmpty},
    {"Split", 18, PartsAreEqual},
    {"Clip", 11, BothLimitsAreGiven},
    {"QuantizeLinear", 13},
    {"DequantizeLinear", 13},
    {"RoiAlign", 16},
    {"Attention", 24},
    {"GridSample", 20, IsOfPictures},
    {"ScatterElements", 18, IsNone<kReduction, kMin, kMax>},
    {"ScatterND", 18, IsNone<kReduction, kMin, kMax>},
    {"ReduceL1", 11, NoNegativeAxis},
    {"ReduceL2", 11, NoNegativeAxis},
    {"ReduceLogSum", 11, NoNegativeAxis},
    {"ReduceLogSumExp", 11, NoNegativeAxis},
    {"ReduceMax", 11, NoNegativeAxis},
    {"ReduceMean", 11, NoNegativeAxis},
    {"ReduceMin", 11, NoNegativeAxis},
    {"ReduceProd", 11, NoNegativeAxis},
    {"ReduceSum", 11, NoNegativeAxis},
    {"ReduceSumSquare", 11, NoNegativeAxis},
    {"ReduceL1", 18, EmptyAxesReduceAll},
    {"ReduceL2", 18, EmptyAxesReduceAll},
    {"ReduceLogSum", 18, EmptyAxesReduceAll},
    {"ReduceLogSumExp", 18, EmptyAxesReduceAll},
    {"ReduceMax", 18, EmptyAxesReduceAll},
    {"ReduceMean", 18, EmptyAxesReduceAll},
    {"ReduceMin", 18, EmptyAxesReduceAll},
    {"ReduceProd", 18, EmptyAxesReduceAll},
    {"ReduceSum", 13, EmptyAxesReduceAll},
    {"ReduceSumSquare", 18, EmptyAxesReduceAll},
};

// Whether a node of the version `newer` means the same in the one before it.
bool MeansTheSame(const Asked& node, int newer) {
  if (!node.form.schema->domain().empty()) return true;
  for (const Change& change : kChanges)
    if (change.version == newer && change.op == node.form.schema->Name() &&
        (change.same == nullptr || !change.same(node)))
      return false;
  return true;
}

// ---- Older words ----

// An input of the newer version that is an attribute of the older one.
struct Moved {
  size_t input;
  const char* attribute;
  Kind kind;
  std::optional<int64_t> absent = std::nullopt;  // the newer default, where the older one has another
};

struct Words {
  const char* op;
  int newer;
  std::vector<Moved> moved;      // the newer version's last inputs
  const char* dropped = "";      // an attribute without which the node means the same, see kChanges
  bool empty_is_absent = false;  // of lists
  const char* renamed = "";      // an attribute whose values had other names
  std::map<std::string, std::string> names = {};

  // Whether the older version would read a node that it accepts in another way.
  bool Misleads(const OlderForm& form) const {
    for (const Moved& m : moved)
      if (m.absent && (m.input >= form.inputs.size() || form.inputs[m.input] == kNone)) return true;
    return std::any_of(form.attributes.begin(), form.attributes.end(),
                       [&](const auto& a) { return a.name() == renamed && names.contains(a.s()); });
  }
};

const std::vector<Words>& AllWords() {
  static const auto& all = *[] {
    auto* words = new std::vector<Words>{
        {"ReduceSum", 13, {{1, "axes", pb::AttributeProto::INTS}}, "noop_with_empty_axes", true},
        {"Squeeze", 13, {{1, "axes", pb::AttributeProto::INTS}}},
        {"Unsqueeze", 13, {{1, "axes", pb::AttributeProto::INTS}}},
        {"Split", 13, {{1, "split", pb::AttributeProto::INTS}}},
        {"Split", 18, {}, "num_outputs"},
        {"Slice",
         10,
         {{1, "starts", pb::AttributeProto::INTS},
          {2, "ends", pb::AttributeProto::INTS},
          {3, "axes", pb::AttributeProto::INTS}}},
        {"Clip", 11, {{1, "min", pb::AttributeProto::FLOAT}, {2, "max", pb::AttributeProto::FLOAT}}},
        {"Pad", 11, {{1, "pads", pb::AttributeProto::INTS}, {2, "value", pb::AttributeProto::FLOAT}}},
        {"Reshape", 5, {{1, "shape", pb::AttributeProto::INTS}}},
        {"TopK", 10, {{1, "k", pb::AttributeProto::INT}}},
        {"DFT", 20, {{2, "axis", pb::AttributeProto::INT, -2}}},
        {"GridSample", 20, {}, "", false, "mode", {{"linear", "bilinear"}, {"cubic", "bicubic"}}},
    };
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
                           "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"})
      words->push_back({op, 18, {{1, "axes", pb::AttributeProto::INTS}}, "noop_with_empty_axes", true});
    return words;
  }();
  return all;
}

const Words* WordsBefore(const pb::OpSchema& schema, int newer) {
  if (!schema.domain().empty()) return nullptr;
  for (const Words& words : AllWords())
    if (words.newer == newer && schema.Name() == words.op) return &words;
  return nullptr;
}

// What of both tables is an operator's, and is asked of each of its nodes.
struct History {
  std::vector<const Change*> changes;  // with a question
  std::vector<const Words*> words;
};
const History& HistoryOf(const pb::OpSchema& schema) {
  static const auto& all = *[] {
    auto* map = new std::unordered_map<std::string, History>();
    for (const Change& change : kChanges)
      if (change.same != nullptr) (*map)[change.op].changes.push_back(&change);
    for (const Words& words : AllWords()) (*map)[words.op].words.push_back(&words);
    return map;
  }();
  static const auto& none = *new History;
  const auto found = schema.domain().empty() ? all.find(schema.Name()) : all.end();
  return found == all.end() ? none : found->second;
}

// A constant of one floating-point number that float32 holds exactly.
std::optional<float> FloatOf(const Scope& scope, ValueId id) {
  const auto& small = scope.values[id].small;
  if (small == nullptr) return std::nullopt;
  if (small->data_type() == pb::TensorProto::FLOAT) {
    const auto values = pb::ParseData<float>(small.get());
    return values.size() == 1 ? std::optional(values[0]) : std::nullopt;
  }
  if (small->data_type() != pb::TensorProto::DOUBLE) return std::nullopt;
  const auto values = pb::ParseData<double>(small.get());
  if (values.size() != 1 || static_cast<double>(static_cast<float>(values[0])) != values[0])
    return std::nullopt;
  return static_cast<float>(values[0]);
}

// Makes attributes of inputs. False: one of them is no constant, or holds what the attribute cannot.
bool Move(const Asked& node, const Words& words, std::vector<ValueId>* inputs, Attributes* attributes) {
  for (const Moved& moved : words.moved) {
    pb::AttributeProto made;
    made.set_name(moved.attribute);
    made.set_type(moved.kind);
    if (!node.has_input(moved.input)) {
      if (!moved.absent) continue;
      made.set_i(*moved.absent);
    } else if (moved.kind == pb::AttributeProto::FLOAT) {
      const std::optional<float> value = FloatOf(node.scope, node.form.inputs[moved.input]);
      if (!value) return false;
      made.set_f(*value);
    } else {
      const auto values = node.Constant(moved.input);
      if (!values || (moved.kind == pb::AttributeProto::INT && values->size() != 1)) return false;
      if (moved.kind == pb::AttributeProto::INT) {
        made.set_i((*values)[0]);
      } else if (values->empty() && words.empty_is_absent) {
        continue;
      } else {
        made.mutable_ints()->Assign(values->begin(), values->end());
      }
    }
    *attributes->Add() = std::move(made);
  }
  if (!words.moved.empty()) inputs->resize(std::min(inputs->size(), words.moved.front().input));
  return true;
}

bool IsDefault(const pb::OpSchema& schema, const pb::AttributeProto& a) {
  const auto known = schema.attributes().find(a.name());
  if (known == schema.attributes().end()) return false;
  const pb::AttributeProto& value = known->second.default_value;
  if (value.type() != a.type()) return false;
  switch (a.type()) {
    case pb::AttributeProto::INT:
      return a.i() == value.i();
    case pb::AttributeProto::FLOAT:
      return a.f() == value.f();
    case pb::AttributeProto::STRING:
      return a.s() == value.s();
    default:
      return false;
  }
}

OlderForm Whole(const ScopeNode& node) {
  OlderForm form;
  form.schema = node.schema;
  form.inputs = node.inputs;
  form.attributes = node.proto.attribute();
  return form;
}

}  // namespace

const pb::OpSchema* Older::Before(const pb::OpSchema& schema, int version) {
  const pb::OpSchema* before = nullptr;
  for (const pb::OpSchema& other : SchemasOf(schema.Name(), schema.domain()))
    if (other.since_version() < version) before = &other;
  return before;
}

const pb::TypeProto& Older::TypeOf(ValueId id) const {
  return inferred_ != nullptr ? inferred_->types[id] : scope_.values[id].type;
}

bool Older::Accepts(const pb::OpSchema& schema, const ScopeNode& node, const OlderForm& form) const {
  if (schema.deprecated()) return false;
  const int inputs = static_cast<int>(form.inputs.size()), outputs = static_cast<int>(node.outputs.size());
  if (inputs < schema.min_input() || inputs > schema.max_input()) return false;
  if (outputs < schema.min_output() || outputs > schema.max_output()) return false;
  for (const pb::AttributeProto& a : form.attributes) {
    const auto known = schema.attributes().find(a.name());
    if (known == schema.attributes().end() ||
        static_cast<int>(known->second.type) != static_cast<int>(a.type()))
      return false;
  }
  for (const auto& [name, attribute] : schema.attributes()) {
    if (attribute.required && std::none_of(form.attributes.begin(), form.attributes.end(),
                                           [&, n = name](const auto& a) { return a.name() == n; }))
      return false;
  }
  const auto types_fit = [&](const std::vector<ValueId>& ids, const auto& formals) {
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNone || formals.empty()) continue;
      const pb::TypeProto& type = TypeOf(ids[i]);
      if (!type.has_tensor_type() || type.tensor_type().elem_type() == 0) continue;
      pb::TypeProto element;
      element.mutable_tensor_type()->set_elem_type(type.tensor_type().elem_type());
      const auto& formal = formals[std::min(i, formals.size() - 1)];
      if (!formal.GetTypes().contains(pb::Utils::DataTypeUtils::ToType(element))) return false;
    }
    return true;
  };
  return types_fit(form.inputs, schema.inputs()) && types_fit(node.outputs, schema.outputs());
}

int Older::OldestVersion(const ScopeNode& node, const OlderForm& form) {
  const Asked asked{scope_, form, [&](ValueId id) -> const pb::TypeProto& { return TypeOf(id); }};
  std::string key = absl::StrCat(reinterpret_cast<uintptr_t>(form.schema));
  const History& history = HistoryOf(*form.schema);
  for (const Change* change : history.changes) key += change->same(asked) ? '=' : '!';
  for (const Words* words : history.words) key += words->Misleads(form) ? '~' : '-';
  for (const pb::AttributeProto& a : form.attributes)
    absl::StrAppend(&key, ",", a.name(), ":", static_cast<int>(a.type()));
  for (const auto* ids : {&form.inputs, &node.outputs}) {
    key += ';';
    for (const ValueId id : *ids) {
      const bool tensor = id != kNone && TypeOf(id).has_tensor_type();
      absl::StrAppend(&key, ",", id == kNone ? -1 : tensor ? TypeOf(id).tensor_type().elem_type() : 0);
    }
  }
  const auto [found, made] = known_.emplace(std::move(key), 0);
  if (!made) return found->second;
  int oldest = form.schema->since_version();
  while (const pb::OpSchema* before = Before(*form.schema, oldest)) {
    const Words* words = WordsBefore(*form.schema, oldest);
    if (!MeansTheSame(asked, oldest) || !Accepts(*before, node, form) ||
        (words != nullptr && words->Misleads(form)))
      break;
    oldest = before->since_version();
  }
  return found->second = oldest;
}

std::vector<OlderForm> Older::Forms(const ScopeNode& node, int* min_version) {
  std::vector<OlderForm> forms;
  OlderForm from = Whole(node);
  *min_version = from.min_version = OldestVersion(node, from);
  if (from.min_version <= 1 || !node.bodies.empty()) return forms;
  while (const pb::OpSchema* before = Before(*from.schema, from.min_version)) {
    const Asked asked{scope_, from, [&](ValueId id) -> const pb::TypeProto& { return TypeOf(id); }};
    if (!MeansTheSame(asked, from.min_version)) break;
    const Words* words = WordsBefore(*from.schema, from.min_version);
    OlderForm to;
    to.schema = before;
    to.inputs = from.inputs;
    for (const pb::AttributeProto& a : from.attributes) {
      const bool is_new = !before->attributes().contains(a.name());
      if (is_new && (IsDefault(*from.schema, a) || (words != nullptr && a.name() == words->dropped)))
        continue;
      pb::AttributeProto* made = to.attributes.Add();
      *made = a;
      if (words == nullptr || a.name() != words->renamed) continue;
      if (const auto name = words->names.find(a.s()); name != words->names.end()) made->set_s(name->second);
    }
    if (words != nullptr && !Move(asked, *words, &to.inputs, &to.attributes)) break;
    while (!to.inputs.empty() && to.inputs.back() == kNone) to.inputs.pop_back();
    if (!Accepts(*before, node, to)) break;
    to.min_version = OldestVersion(node, to);
    from = to;
    forms.push_back(std::move(to));
  }
  return forms;
}

}  // namespace braid::loader
