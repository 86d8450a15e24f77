// SPDX-License-Identifier: Apache-2.0
//
// The operators of ai.onnx.ml that make maps and take them apart.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/graph/names.h"
#include "core/run/host_ops.h"
#include "core/run/tensor_blocks.h"

namespace braid {
namespace {

template <class T>
T Load(const HostTensor& t, size_t i) {
  T v;
  std::memcpy(&v, t.data.get() + i * sizeof(T), sizeof(T));
  return v;
}

template <class T>
absl::StatusOr<HostTensor> Row(ElementType type, std::vector<int64_t> dims, const std::vector<T>& elements) {
  return TensorOf(type, std::move(dims), elements.data(), elements.size() * sizeof(T));
}

absl::StatusOr<HostTensor> StringRow(std::vector<int64_t> dims, const std::vector<std::string>& strings) {
  return TensorOfStrings(std::move(dims), {strings.begin(), strings.end()});
}

// The numbers of a float, double or int64 tensor.
absl::StatusOr<std::vector<double>> NumbersOf(const HostTensor& t) {
  std::vector<double> out(static_cast<size_t>(t.dims[0]));
  for (size_t i = 0; i < out.size(); ++i) {
    if (t.type == Element::kFloat)
      out[i] = Load<float>(t, i);
    else if (t.type == Element::kDouble)
      out[i] = Load<double>(t, i);
    else if (t.type == Element::kInt64)
      out[i] = static_cast<double>(Load<int64_t>(t, i));
    else
      return absl::InvalidArgumentError(absl::StrCat("a map's values are ", BriefTypeName(t.type)));
  }
  return out;
}

// A list that is there and not empty: converters also write the one that they do not mean, empty.
const Attribute* ListOf(const HostCall& call, std::string_view name) {
  const Attribute* a = call.node.attribute(name);
  return a == nullptr || (a->strings.empty() && a->ints.empty()) ? nullptr : a;
}

// ---- CastMap-1 ----

// As Cast writes a float (plugins/reference/ops/cast.cc).
std::string FloatText(float v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "INF" : "-INF";
  const double magnitude = std::fabs(static_cast<double>(v));
  const bool positional = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v,
                                 positional ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  return positional && text.find('.') == std::string::npos ? text + ".0" : text;
}

absl::StatusOr<double> NumberIn(const std::string& text) {
  double v = 0;
  if (!absl::SimpleAtod(text, &v))
    return absl::InvalidArgumentError(absl::StrCat("\"", Printable(text), "\" is no number"));
  return v;
}

int64_t ToInt64(double v) {
  if (std::isnan(v)) return 0;
  if (v >= 0x1p63) return INT64_MAX;
  if (v < -0x1p63) return INT64_MIN;
  return static_cast<int64_t>(v);
}

// Where each key's value goes, and how long the row is.
absl::StatusOr<int64_t> Places(const HostCall& call, const std::vector<int64_t>& keys,
                               std::vector<size_t>* places) {
  const std::string form = call.String("map_form", "DENSE");
  places->resize(keys.size());
  if (form == "DENSE") {
    std::vector<size_t> order(keys.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    for (size_t i = 0; i < order.size(); ++i) (*places)[order[i]] = i;
    return static_cast<int64_t>(keys.size());
  }
  if (form != "SPARSE")
    return absl::InvalidArgumentError(
        absl::StrCat("map_form is '", Printable(form), "', not DENSE or SPARSE"));
  const int64_t length = call.Int("max_map", 1);
  constexpr int64_t kLongest = int64_t{1} << 28;
  if (length < 1 || length > kLongest)
    return absl::InvalidArgumentError(
        absl::StrCat("max_map is ", length, ", it must be in [1, ", kLongest, "]"));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] < 0 || keys[i] >= length)
      return absl::InvalidArgumentError(
          absl::StrCat("key ", keys[i], " is outside [0, ", length, "), which max_map allows"));
    (*places)[i] = static_cast<size_t>(keys[i]);
  }
  return length;
}

absl::Status CastMap(HostCall* call) {
  const std::vector<RunValue>& items = call->inputs[0].items;
  auto keys = IntsOf(items[0].tensor);
  if (!keys.ok()) return keys.status();
  std::vector<size_t> places;
  auto length = Places(*call, *keys, &places);
  if (!length.ok()) return length.status();
  const size_t n = static_cast<size_t>(*length);
  const std::vector<int64_t> dims = {1, *length};
  std::vector<std::string> texts;
  std::vector<double> numbers;
  if (items[1].tensor.type == Element::kString) {
    auto strings = StringsOf(items[1].tensor);
    if (!strings.ok()) return strings.status();
    texts.assign(strings->begin(), strings->end());
  } else {
    auto values = NumbersOf(items[1].tensor);
    if (!values.ok()) return values.status();
    numbers = *std::move(values);
  }
  const std::string to = call->String("cast_to", "TO_FLOAT");
  absl::StatusOr<HostTensor> out;
  if (to == "TO_STRING") {
    std::vector<std::string> row(n);
    for (size_t i = 0; i < places.size(); ++i)
      row[places[i]] = texts.empty() ? FloatText(static_cast<float>(numbers[i])) : texts[i];
    out = StringRow(dims, row);
  } else if (to == "TO_FLOAT" || to == "TO_INT64") {
    for (const std::string& text : texts) {
      auto number = NumberIn(text);
      if (!number.ok()) return number.status();
      numbers.push_back(*number);
    }
    if (to == "TO_FLOAT") {
      std::vector<float> row(n);
      for (size_t i = 0; i < places.size(); ++i) row[places[i]] = static_cast<float>(numbers[i]);
      out = Row(Element::kFloat, dims, row);
    } else {
      std::vector<int64_t> row(n);
      for (size_t i = 0; i < places.size(); ++i) row[places[i]] = ToInt64(numbers[i]);
      out = Row(Element::kInt64, dims, row);
    }
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("cast_to is '", Printable(to), "', not TO_FLOAT, TO_STRING or TO_INT64"));
  }
  if (!out.ok()) return out.status();
  call->outputs[0].tensor = *std::move(out);
  return absl::OkStatus();
}

// ---- DictVectorizer-1 ----

// The position of each word of the vocabulary among the keys; -1 where the map has no such key.
template <class Key, class Words>
std::vector<int64_t> Find(const std::vector<Key>& keys, const Words& words) {
  std::unordered_map<Key, int64_t> at;
  for (size_t i = 0; i < keys.size(); ++i) at.emplace(keys[i], static_cast<int64_t>(i));
  std::vector<int64_t> out;
  for (const auto& word : words) {
    const auto found = at.find(Key(word));
    out.push_back(found == at.end() ? -1 : found->second);
  }
  return out;
}

absl::Status DictVectorizer(HostCall* call) {
  const HostTensor& keys = call->inputs[0].items[0].tensor;
  const HostTensor& values = call->inputs[0].items[1].tensor;
  const Attribute* strings = ListOf(*call, "string_vocabulary");
  const Attribute* ints = ListOf(*call, "int64_vocabulary");
  if ((strings == nullptr) == (ints == nullptr))
    return absl::InvalidArgumentError(
        "exactly one of the attributes string_vocabulary and int64_vocabulary must be there");
  if ((keys.type == Element::kString) != (strings != nullptr))
    return absl::InvalidArgumentError(absl::StrCat("the map's keys are ", BriefTypeName(keys.type),
                                                   ", the vocabulary's are ",
                                                   strings != nullptr ? "string" : "int64"));
  std::vector<int64_t> from;
  if (strings != nullptr) {
    auto words = StringsOf(keys);
    if (!words.ok()) return words.status();
    from = Find(*words, strings->strings);
  } else {
    auto numbers = IntsOf(keys);
    if (!numbers.ok()) return numbers.status();
    from = Find(*numbers, ints->ints);
  }
  const std::vector<int64_t> dims = {1, static_cast<int64_t>(from.size())};
  absl::StatusOr<HostTensor> out;
  if (values.type == Element::kString) {
    auto texts = StringsOf(values);
    if (!texts.ok()) return texts.status();
    std::vector<std::string> row;
    for (const int64_t i : from) row.emplace_back(i < 0 ? "" : (*texts)[static_cast<size_t>(i)]);
    out = StringRow(dims, row);
  } else {
    const size_t each = static_cast<size_t>(ElementBits(values.type)) / 8;
    std::vector<uint8_t> row(from.size() * each);
    for (size_t i = 0; i < from.size(); ++i)
      if (from[i] >= 0)
        std::memcpy(row.data() + i * each, values.data.get() + static_cast<size_t>(from[i]) * each, each);
    out = TensorOf(values.type, dims, row.data(), row.size());
  }
  if (!out.ok()) return out.status();
  call->outputs[0].tensor = *std::move(out);
  return absl::OkStatus();
}

// ---- ZipMap-1 ----

absl::Status ZipMap(HostCall* call) {
  const HostTensor& t = call->inputs[0].tensor;
  const Attribute* strings = ListOf(*call, "classlabels_strings");
  const Attribute* ints = ListOf(*call, "classlabels_int64s");
  if ((strings == nullptr) == (ints == nullptr))
    return absl::InvalidArgumentError(
        "exactly one of the attributes classlabels_strings and classlabels_int64s must be there");
  if (t.type != Element::kFloat)
    return absl::InvalidArgumentError(absl::StrCat("X is ", BriefTypeName(t.type), ", not float"));
  if (t.dims.empty() || t.dims.size() > 2)
    return absl::InvalidArgumentError(absl::StrCat("the rank of X is ", t.dims.size(), ", not 1 or 2"));
  const int64_t labels =
      static_cast<int64_t>(strings != nullptr ? strings->strings.size() : ints->ints.size());
  if (t.dims.back() != labels)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", labels, " labels, the last extent of X is ", t.dims.back()));
  const bool twice =
      strings != nullptr
          ? std::set<std::string_view>(strings->strings.begin(), strings->strings.end()).size() !=
                strings->strings.size()
          : std::set<int64_t>(ints->ints.begin(), ints->ints.end()).size() != ints->ints.size();
  if (twice) return absl::InvalidArgumentError("a label is there twice");
  auto keys =
      strings != nullptr ? StringRow({labels}, strings->strings) : Row(Element::kInt64, {labels}, ints->ints);
  if (!keys.ok()) return keys.status();
  RunValue out;
  out.kind = ValueKind::kSequence;
  const size_t bytes = static_cast<size_t>(labels) * sizeof(float);
  for (int64_t row = 0; row < (t.dims.size() == 2 ? t.dims[0] : 1); ++row) {
    auto values = TensorOf(Element::kFloat, {labels}, t.data.get() + static_cast<size_t>(row) * bytes, bytes);
    if (!values.ok()) return values.status();
    RunValue map;
    map.kind = ValueKind::kMap;
    map.items.resize(2);
    map.items[0].tensor = *keys;  // shared
    map.items[1].tensor = *std::move(values);
    out.items.push_back(std::move(map));
  }
  call->outputs[0] = std::move(out);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunMapOp(HostCall* call) {
  const std::string& op = call->node.op;
  if (op == "ZipMap") return ZipMap(call);
  // What comes in are a map's keys and values, one tensor each.
  const RunValue& map = call->inputs[0];
  if (map.kind != ValueKind::kMap || map.items.size() != 2 || map.items[1].kind != ValueKind::kTensor)
    return absl::InvalidArgumentError("the input is no map of scalars");
  return op == "CastMap" ? CastMap(call) : DictVectorizer(call);
}

}  // namespace braid
