// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/domain.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <type_traits>

#include "conformance/case/random.h"
#include "conformance/case/schema.h"

namespace braid::conformance {
namespace {

std::string Text(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t v : values) text += (text.empty() ? "" : "x") + std::to_string(v);
  return text.empty() ? "none" : text;
}

std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// The whole range of an integer type as doubles.
template <class T>
T ToInteger(double v) {
  if (std::isnan(v)) return 0;
  v = std::nearbyint(v);
  const double low = static_cast<double>(std::numeric_limits<T>::min());
  const double high = static_cast<double>(std::numeric_limits<T>::max());
  if (std::is_unsigned_v<T>) v = std::fabs(v);
  if (v <= low) return std::numeric_limits<T>::min();
  if (v >= high) return std::numeric_limits<T>::max();
  return static_cast<T>(v);
}

template <class T>
T Element(double v, double middle) {
  if constexpr (std::is_same_v<T, bool>) {
    return v > middle;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::to_string(static_cast<int64_t>(v));
  } else if constexpr (std::is_integral_v<T>) {
    return ToInteger<T>(v);
  } else if constexpr (std::is_same_v<T, reference::Float8E8M0>) {
    const int exponent = v == 0 || !std::isfinite(v) ? 0 : std::ilogb(v);
    return T::FromBits(static_cast<uint8_t>(std::clamp(exponent + 127, 0, 254)));
  } else if constexpr (std::is_same_v<T, reference::Complex64> || std::is_same_v<T, reference::Complex128>) {
    return T(static_cast<typename T::value_type>(v), 0);
  } else if constexpr (requires { T::kMin; }) {
    double w = std::isnan(v) ? 0 : std::nearbyint(v);
    if (T::kMin == 0) w = std::fabs(w);
    return T(static_cast<int64_t>(std::clamp(w, double{T::kMin}, double{T::kMax})));
  } else {
    return T(v);
  }
}

}  // namespace

Domain::Domain(const OperatorVersion& op, const std::map<std::string, int32_t>& types, const Choices& choices,
               uint64_t seed, int run)
    : op_(op), types_(types), chosen_(choices), seed_(seed), run_(run) {}

const std::string& Domain::op() const { return op_.name; }
int Domain::version() const { return op_.since; }
bool Domain::has_input(std::string_view name) const { return op_.input(name) >= 0; }
bool Domain::has_attribute(std::string_view name) const { return op_.attribute(name) != nullptr; }
size_t Domain::max_inputs() const { return op_.inputs.size(); }

int32_t Domain::type(const std::string& variable) const {
  const auto at = types_.find(variable);
  if (at != types_.end()) return at->second;
  const int i = op_.input(variable);
  if (i >= 0) {
    const std::string& of = op_.inputs[static_cast<size_t>(i)].type;
    const auto bound = types_.find(of);
    return bound != types_.end() ? bound->second : ElementTypeOf(of);
  }
  return 0;
}

bool Domain::is_float(const std::string& variable) const {
  return reference::Contains(reference::kFloats, type(variable));
}
bool Domain::is_integer(const std::string& variable) const {
  return reference::Contains(reference::kInts | reference::kNarrowInts, type(variable));
}

size_t Domain::Choose(const std::string& name, std::vector<std::string> options) {
  // An option that is listed twice would make two cases of one id.
  for (const Choice& c : choices_)
    if (c.name == name) return c.chosen;
  Choice choice{name, std::move(options), 0};
  if (const auto at = chosen_.find(name); at != chosen_.end()) {
    const auto found = std::find(choice.options.begin(), choice.options.end(), at->second);
    if (found == choice.options.end())
      throw Rejected{"there is no option '" + at->second + "' of '" + name + "' here"};
    choice.chosen = static_cast<size_t>(found - choice.options.begin());
  }
  choices_.push_back(std::move(choice));
  return choices_.back().chosen;
}

int64_t Domain::Pick(const std::string& name, const std::vector<int64_t>& options) {
  std::vector<std::string> texts;
  for (const int64_t o : options) texts.push_back(std::to_string(o));
  return options[Choose(name, std::move(texts))];
}
double Domain::PickFloat(const std::string& name, const std::vector<double>& options) {
  std::vector<std::string> texts;
  for (const double o : options) texts.push_back(Text(o));
  return options[Choose(name, std::move(texts))];
}
std::string Domain::Pick(const std::string& name, const std::vector<std::string>& options) {
  return options[Choose(name, options)];
}
std::string Domain::Pick(const std::string& name, std::initializer_list<const char*> options) {
  return Pick(name, std::vector<std::string>(options.begin(), options.end()));
}
std::vector<int64_t> Domain::PickInts(const std::string& name,
                                      const std::vector<std::vector<int64_t>>& options) {
  std::vector<std::string> texts;
  for (const auto& o : options) texts.push_back(Text(o));
  return options[Choose(name, std::move(texts))];
}

int64_t Domain::Extent(int64_t extent) const {
  if (run_ == 0 || extent <= 1) return extent;
  grown_ = true;
  if (run_ == 1) return extent + 1 + extent % 3;
  // Most of fuzzing's extents are near what the domain has, for that is where the cost of a case is set.
  const int64_t most = std::max<int64_t>(8, extent / 4);
  return extent + static_cast<int64_t>(Random(Hash(std::to_string(extent), static_cast<uint64_t>(run_)))
                                           .Below(static_cast<uint64_t>(most)));
}

Dims Domain::Shape(const std::string& name, const std::vector<Dims>& options) {
  Dims dims = PickInts(name, options);
  for (int64_t& d : dims) d = Extent(d);
  return dims;
}

bool Domain::Is(const std::string& circumstance, const std::string& option) const {
  heeded_.insert(circumstance + "=" + option);
  const auto at = chosen_.find(circumstance);
  return at != chosen_.end() && at->second == option;
}

Dims Domain::AnyShape(const std::string& name, int64_t least_rank) {
  if (const int64_t n = least_rank <= 1 ? LongAxis() : 0; n > 0) return {n};
  static const std::vector<Dims> kShapes = {{3, 4, 5},     {},
                                            {1},           {0},
                                            {33},          {2, 65},
                                            {4, 257},      {1025},
                                            {2, 3, 1, 31}, {1, 2, 3, 2, 2},
                                            {3, 0, 2},     {2, 1, 2, 1, 2, 3},
                                            {63, 64},      {65537},
                                            {1, 1, 1},     {2, 1, 1, 2, 1, 1, 2, 3}};
  std::vector<Dims> options;
  for (const Dims& d : kShapes)
    if (static_cast<int64_t>(d.size()) >= least_rank) options.push_back(d);
  return Shape(name, options);
}

std::vector<int64_t> Domain::Axes(int64_t rank, int64_t first) {
  std::vector<int64_t> axes;
  if (rank > 0) axes.push_back(std::clamp(first, -rank, rank - 1));
  for (int64_t a = -rank; a < rank; ++a)
    if (a != axes[0]) axes.push_back(a);
  return axes;
}

int32_t Domain::NextType(std::string* name) {
  if (op_.inputs.empty()) throw Rejected{op_.Label() + " has no inputs"};
  const size_t i = std::min(inputs_.size(), op_.inputs.size() - 1);
  const Formal& formal = op_.inputs[i];
  if (inputs_.size() >= op_.inputs.size() && formal.option != Formal::kVariadic)
    throw Rejected{op_.Label() + " has only " + std::to_string(op_.inputs.size()) + " inputs"};
  *name = formal.name;
  if (const auto at = types_.find(formal.type); at != types_.end()) return at->second;
  return ElementTypeOf(formal.type);
}

void Domain::In(const Dims& dims, const Values& values) {
  std::string name;
  const int32_t t = NextType(&name);
  if (t == 0) throw Rejected{"input '" + name + "' of " + op_.Label() + " is no tensor here"};
  Values scaled = values;
  if (values.kind == Values::kUniform || values.kind == Values::kSpread)
    scaled.low *= scale_, scaled.high *= scale_;
  inputs_.push_back({name, true, Draw(t, dims, scaled), false});
}

void Domain::In(Tensor tensor) {
  std::string name;
  NextType(&name);
  inputs_.push_back({name, true, std::move(tensor), false});
}

void Domain::In(Value value) {
  std::string name;
  NextType(&name);
  inputs_.push_back({name, true, std::move(value), false});
}

void Domain::Ints(const std::vector<int64_t>& values) {
  std::string name;
  int32_t t = NextType(&name);
  std::vector<double> given(values.begin(), values.end());
  if (given.empty()) given.push_back(0);
  inputs_.push_back({name, true, Draw(t, {static_cast<int64_t>(values.size())}, Given(given)), true});
}

void Domain::IntScalar(int64_t value) {
  std::string name;
  const int32_t t = NextType(&name);
  inputs_.push_back({name, true, Draw(t, {}, Given({static_cast<double>(value)})), true});
}

void Domain::Absent() {
  std::string name;
  NextType(&name);
  inputs_.push_back({name, false, {}, false});
}

void Domain::AttrOrInput(const std::string& name, const std::vector<int64_t>& values) {
  if (has_attribute(name)) {
    AttrInts(name, values);
  } else if (has_input(name)) {
    Ints(values);
  } else if (!values.empty()) {
    Reject("this version has no " + name);
  }
}

Tensor Domain::Draw(int32_t type, const Dims& dims, const Values& values) {
  // By the shape, not by the run: what has the same shape in both runs of a case may be a constant.
  Random random(Hash(std::to_string(drawn_++) + "/" + Text(dims), seed_));
  Tensor out(type, dims);
  if (without_data_) return out;
  const int64_t n = out.size();
  if (type == reference::kString) {
    static const std::vector<std::string> kAny = Words().words;
    const auto& words = values.words.empty() ? kAny : values.words;
    for (int64_t i = 0; i < n; ++i)
      out.data<std::string>()[i] = values.kind == Values::kGiven && values.words.empty()
                                       ? Text(values.given[static_cast<size_t>(i) % values.given.size()])
                                       : words[random.Below(words.size())];
    return out;
  }
  std::vector<double> drawn(static_cast<size_t>(n));
  switch (values.kind) {
    case Values::kUniform:
      for (double& v : drawn) v = values.low + (values.high - values.low) * random.Unit();
      break;
    case Values::kSpread:
      for (double& v : drawn) {
        const double octaves = std::log2(values.high / values.low);
        v = values.low * std::exp2(octaves * random.Unit());
        if (random.Below(2) == 0) v = -v;
      }
      break;
    case Values::kWhole:
      for (double& v : drawn)
        v = values.low +
            static_cast<double>(random.Below(static_cast<uint64_t>(values.high - values.low) + 1));
      break;
    case Values::kDistinct: {
      const double step = n > 1 ? (values.high - values.low) / static_cast<double>(n - 1) : 0;
      for (int64_t i = 0; i < n; ++i)
        drawn[static_cast<size_t>(i)] = values.low + step * static_cast<double>(i);
      for (size_t i = drawn.size(); i > 1; --i) std::swap(drawn[i - 1], drawn[random.Below(i)]);
      break;
    }
    case Values::kGiven:
      for (size_t i = 0; i < drawn.size(); ++i) drawn[i] = values.given[i % values.given.size()];
      break;
    case Values::kWords:
      for (double& v : drawn) v = static_cast<double>(random.Below(10));
      break;
  }
  const double middle = values.kind == Values::kGiven ? 0 : (values.low + values.high) / 2;
  reference::DispatchIn<reference::kAllTypes>(type, [&]<class T>() {
    T* to = out.data<T>();
    for (size_t i = 0; i < drawn.size(); ++i) to[i] = Element<T>(drawn[i], middle);
    if constexpr (std::is_same_v<T, reference::Complex64> || std::is_same_v<T, reference::Complex128>) {
      for (size_t i = 0; i < drawn.size(); ++i)
        to[i].imag(
            static_cast<typename T::value_type>(values.low + (values.high - values.low) * random.Unit()));
    }
  });
  return out;
}

}  // namespace braid::conformance
