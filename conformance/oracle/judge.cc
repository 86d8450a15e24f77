// SPDX-License-Identifier: Apache-2.0
#include <braid/plugin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>

#include "conformance/oracle/oracle.h"
#include "conformance/oracle/wide.h"

namespace braid::conformance {
namespace {

std::string Number(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

std::string Place(const Dims& dims, int64_t i) {
  std::string text;
  for (size_t k = dims.size(); k-- > 0;) {
    text = std::to_string(i % dims[k]) + (text.empty() ? "" : ",") + text;
    i /= dims[k];
  }
  return "[" + text + "]";
}

double Largest(int32_t type) {
  switch (type) {
    case reference::kFloat16:
      return 65504;
    case reference::kBFloat16:
      return 0x1.fep127;
    case reference::kDouble:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}

double SmallestNormal(int32_t type) {
  return type == reference::kFloat16 ? 0x1p-14 : type == reference::kDouble ? 0x1p-1022 : 0x1p-126;
}

// Bits equal, but that any NaN is a NaN and, where the device flushes them, a denormal may be zero.
template <class T>
bool SameElement(const T& got, const T& want, bool flush) {
  if constexpr (std::is_same_v<T, reference::Complex64> || std::is_same_v<T, reference::Complex128>) {
    return SameElement(got.real(), want.real(), flush) && SameElement(got.imag(), want.imag(), flush);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_integral_v<T>) {
    return got == want;
  } else if constexpr (requires { T::kMin; }) {
    return got.value == want.value;
  } else {
    const double g = static_cast<double>(got), w = static_cast<double>(want);
    if (std::isnan(w)) return std::isnan(g);
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> ||
                  std::is_same_v<T, reference::Float16> || std::is_same_v<T, reference::BFloat16>)
      if (flush && std::fabs(w) < SmallestNormal(reference::kTypeOf<T>) && g == 0) return true;
    return std::memcmp(&got, &want, sizeof(T)) == 0 || (g == w && w != 0);
  }
}

template <class T>
std::string ElementText(const T& v) {
  if constexpr (std::is_same_v<T, std::string>) {
    return "'" + v.substr(0, 40) + "'";
  } else if constexpr (std::is_same_v<T, reference::Complex64> || std::is_same_v<T, reference::Complex128>) {
    return Number(v.real()) + "+" + Number(v.imag()) + "i";
  } else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>) {
    return std::to_string(v);
  } else if constexpr (requires { T::kMin; }) {
    return std::to_string(static_cast<int>(v.value));
  } else {
    return Number(static_cast<double>(v));
  }
}

std::string JudgeForm(const Tensor& got, int32_t type, const Dims& dims) {
  if (got.type() != type)
    return "is of " + reference::TypeName(got.type()) + ", " + reference::TypeName(type) + " is expected";
  if (got.dims() != dims)
    return "has the shape " + reference::DimsText(got.dims()) + ", " + reference::DimsText(dims) +
           " is expected";
  return "";
}

// A map has no order: with its keys sorted.
Value Sorted(const Value& map) {
  if (map.items.size() != 2 || map.items[0].kind != GRAPH_TENSOR || map.items[1].kind != GRAPH_TENSOR)
    return map;
  const Tensor &keys = map.items[0].tensor, &values = map.items[1].tensor;
  if (keys.size() != values.size()) return map;
  Value sorted = map;
  reference::DispatchIn<reference::kAllTypes>(keys.type(), [&]<class Key>() {
    if constexpr (std::is_integral_v<Key> || std::is_same_v<Key, std::string>) {
      std::vector<int64_t> order(static_cast<size_t>(keys.size()));
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(),
                [&](int64_t a, int64_t b) { return keys.data<Key>()[a] < keys.data<Key>()[b]; });
      sorted.items = {Value(Tensor(keys.type(), keys.dims())), Value(Tensor(values.type(), values.dims()))};
      reference::DispatchIn<reference::kAllTypes>(values.type(), [&]<class T>() {
        for (size_t i = 0; i < order.size(); ++i) {
          sorted.items[0].tensor.data<Key>()[i] = keys.data<Key>()[order[i]];
          sorted.items[1].tensor.data<T>()[i] = values.data<T>()[order[i]];
        }
      });
    }
  });
  return sorted;
}

Verdict JudgeExact(const Value& given, const Value& expected, uint32_t arithmetic) {
  const bool maps = given.kind == GRAPH_MAP && expected.kind == GRAPH_MAP;
  const Value &got = maps ? Sorted(given) : given, &want = maps ? Sorted(expected) : expected;
  Verdict verdict;
  if (got.kind != want.kind) {
    verdict.text = "is another kind of value (" + std::to_string(got.kind) + ", " +
                   std::to_string(want.kind) + " is expected)";
    return verdict;
  }
  if (want.kind != GRAPH_TENSOR) {
    if (got.items.size() != want.items.size()) {
      verdict.text = "has " + std::to_string(got.items.size()) + " items, " +
                     std::to_string(want.items.size()) + " are expected";
      return verdict;
    }
    for (size_t i = 0; i < want.items.size() && verdict.text.empty(); ++i) {
      verdict = JudgeExact(got.items[i], want.items[i], arithmetic);
      if (!verdict.text.empty()) verdict.text = "item " + std::to_string(i) + " " + verdict.text;
    }
    return verdict;
  }
  const Tensor &g = got.tensor, &w = want.tensor;
  verdict.text = JudgeForm(g, w.type(), w.dims());
  if (!verdict.text.empty()) return verdict;
  const bool flush = (arithmetic & BRAID_ARITH_FLUSH_DENORMALS) != 0;
  int64_t wrong = 0, first = -1;
  std::string what;
  reference::DispatchIn<reference::kAllTypes>(w.type(), [&]<class T>() {
    for (int64_t i = 0; i < w.size(); ++i) {
      if (SameElement(g.data<T>()[i], w.data<T>()[i], flush)) continue;
      if (first < 0) {
        first = i;
        what = "is " + ElementText(g.data<T>()[i]) + ", " + ElementText(w.data<T>()[i]) + " is expected";
      }
      ++wrong;
    }
  });
  if (wrong > 0) {
    verdict.text = Place(w.dims(), first) + " " + what + " exactly; " + std::to_string(wrong) + " of " +
                   std::to_string(w.size()) + " elements differ";
    verdict.worst = std::numeric_limits<double>::infinity();
  }
  return verdict;
}

// All errors of sums of products together: an accumulator of low precision shows here long before it leaves
// the bound of one element.
std::string JudgeDeviation(const std::vector<double>& y, const Expected& expected) {
  constexpr int64_t kEnough = 16;
  constexpr double kLimit = 1.0;
  double sum_of_squares = 0;
  int64_t n = 0;
  for (int64_t i = 0; i < expected.value.size(); ++i) {
    const double d = expected.deviation.data<double>()[i];
    const double e = y[static_cast<size_t>(i)] - expected.value.data<double>()[i];
    if (!(d > 0) || !std::isfinite(e) || !std::isfinite(d)) continue;
    sum_of_squares += e / d * (e / d);
    ++n;
  }
  if (n < kEnough) return "";
  const double count = static_cast<double>(n), deviation = std::sqrt(sum_of_squares / count);
  if (deviation > kLimit)
    return "the errors of its " + std::to_string(n) + " sums deviate by " + Number(deviation) +
           " of what float32 sums may (the products or the sums have fewer bits)";
  return "";
}

}  // namespace

Verdict Judge(const Value& got, const Expected& expected, uint32_t arithmetic) {
  Verdict verdict;
  const Value& exact = expected.exact;
  if (expected.is_exact && (exact.kind != GRAPH_TENSOR || got.kind != GRAPH_TENSOR))
    return JudgeExact(got, exact, arithmetic);
  if (got.kind != GRAPH_TENSOR) {
    verdict.text = "is no tensor";
    return verdict;
  }
  const Tensor& t = got.tensor;
  if (t.type() != expected.type) {
    verdict.text =
        "is of " + reference::TypeName(t.type()) + ", " + reference::TypeName(expected.type) + " is expected";
    return verdict;
  }
  if (expected.random.has_value()) {
    verdict.text = JudgeDraws(t, *expected.random);
    return verdict;
  }
  const Dims& dims = expected.is_exact ? exact.tensor.dims() : expected.value.dims();
  verdict.text = JudgeForm(t, expected.type, dims);
  if (!verdict.text.empty()) return verdict;
  if (expected.is_exact) return JudgeExact(got, exact, arithmetic);

  const double largest = Largest(expected.type);
  const double flushed = arithmetic & BRAID_ARITH_FLUSH_DENORMALS ? SmallestNormal(expected.type) : 0;
  std::vector<double> y(static_cast<size_t>(t.size()));
  int64_t wrong = 0, first = -1;
  std::string what;
  for (int64_t i = 0; i < t.size(); ++i) {
    const double g = y[static_cast<size_t>(i)] = t.AsDouble(i), r = expected.value.data<double>()[i];
    const double bound = expected.bound.data<double>()[i] + flushed;
    bool good;
    double share = 0;
    if (!(bound < largest)) {
      good = true;  // nothing can be said of it
    } else if (std::isnan(r) || std::isnan(g)) {
      good = std::isnan(r) == std::isnan(g);
    } else if (std::isinf(r)) {
      good = g == r;
    } else if (std::isinf(g)) {
      good = std::signbit(g) == std::signbit(r) && std::fabs(r) + bound > largest * (1 - 0x1p-12);
    } else if (std::fabs(r) - bound > largest) {
      good = false;  // it should have overflown
    } else {
      const double error = std::fabs(g - r);
      good = error <= bound;
      share = error == 0 ? 0 : bound > 0 ? error / bound : std::numeric_limits<double>::infinity();
    }
    if (good) {
      verdict.worst = std::max(verdict.worst, share);
      continue;
    }
    verdict.worst = std::max(verdict.worst, share > 0 ? share : std::numeric_limits<double>::infinity());
    if (first < 0) {
      first = i;
      what = "is " + Number(g) + ", " + Number(r) + " +- " + Number(bound) + " is expected";
    }
    ++wrong;
  }
  if (wrong > 0)
    verdict.text = Place(dims, first) + " " + what + "; " + std::to_string(wrong) + " of " +
                   std::to_string(t.size()) + " elements are out of bounds";
  else if (expected.deviation.present())
    verdict.text = JudgeDeviation(y, expected);
  return verdict;
}

}  // namespace braid::conformance
