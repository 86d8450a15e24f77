// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators on quantized numbers. Their results are exact, so data and scales are such that no
// quotient lies near a tie where a device may round: sums by an odd number are never halfway between two
// integers, and by a power of two they are exact.
#include <algorithm>
#include <cmath>

#include "conformance/case/domain.h"
#include "conformance/domains/convolution.h"

namespace braid::conformance {
namespace {

bool IsFloat8(int32_t t) { return t >= reference::kFloat8E4M3FN && t <= reference::kFloat8E5M2FNUZ; }
bool IsUnsigned(int32_t t) {
  return t == reference::kUint8 || t == reference::kUint16 || t == reference::kUint4 ||
         t == reference::kUint2;
}
// Of the types to quantize to: those with an exponent.
bool IsSmallFloat(int32_t t) {
  return IsFloat8(t) || t == reference::kFloat4E2M1 || t == reference::kFloat6E2M3 ||
         t == reference::kFloat6E3M2;
}
int64_t Bits(int32_t t) {
  switch (t) {
    case reference::kInt16:
    case reference::kUint16:
      return 16;
    case reference::kInt4:
    case reference::kUint4:
      return 4;
    case reference::kInt2:
    case reference::kUint2:
      return 2;
    default:
      return 8;
  }
}

// The whole range of a type of integers, or what all small floats hold exactly.
Values Codes(int32_t t) {
  if (IsSmallFloat(t)) return Whole(-3, 3);
  const int64_t count = int64_t{1} << Bits(t);
  return IsUnsigned(t) ? Whole(0, count - 1) : Whole(-count / 2, count / 2 - 1);
}
// Zero points; floats have none but 0.
Values ZeroPoints(int32_t t) {
  if (IsSmallFloat(t)) return Given({0});
  if (t == reference::kInt2) return Given({-1, 1, 0});
  if (t == reference::kUint2) return Given({1, 2, 0});
  if (Bits(t) == 4) return IsUnsigned(t) ? Given({7, 1, 0, 9}) : Given({1, -2, 0, 3});
  if (Bits(t) == 16) return IsUnsigned(t) ? Given({30000, 100, 0}) : Given({1000, -2000, 0});
  return IsUnsigned(t) ? Given({128, 3, 0, 200}) : Given({3, -5, 0, 40});
}

// How a scale and its zero point lie on x: one for all, one for each place along an axis, or one for a block.
struct Granularity {
  Dims dims;
  bool tensor = true;
};
Granularity PickGranularity(Domain& d, const Dims& x) {
  std::vector<std::string> kinds = {"tensor", "one"};
  if (d.has_attribute("axis")) kinds.push_back("axis");
  if (d.has_attribute("block_size")) kinds.push_back("block");
  const std::string kind = d.Pick("scale", kinds);
  if (kind == "tensor") return {};
  if (kind == "one") return {{1}};
  const auto rank = static_cast<int64_t>(x.size());
  if (rank == 0) d.Reject("a scalar has no axes");
  const int64_t axis = d.Pick("axis", Domain::Axes(rank, std::min<int64_t>(1, rank - 1)));
  if (axis != 1 || d.Flag("axis_given")) d.AttrInt("axis", axis);
  const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  if (kind == "axis") return {{x[at]}, false};
  const int64_t block = d.Pick("block_size", {2, 3, 1, 32});
  d.AttrInt("block_size", block);
  Dims dims = x;
  dims[at] = (x[at] + block - 1) / block;
  return {dims, false};
}

void QuantizeLinear(Domain& d) {
  const int32_t to = d.type("y_zero_point"), scale_type = d.type("y_scale");
  const Dims x = d.AnyShape();
  const Granularity granularity = PickGranularity(d, x);
  // What is quantized to is the zero point's type, else an attribute, else uint8: where that is no attribute
  // the case of uint8 is the one without a zero point.
  const bool named = d.has_attribute("output_dtype");
  const std::string zero = !named && to == reference::kUint8 ? d.Pick("y_zero_point", {"absent", "given"})
                                                             : d.Pick("y_zero_point", {"given", "absent"});
  const bool given = zero == "given";
  if (!given && !named && to != reference::kUint8) d.Reject("uint8 only");
  if (named) {
    const bool asked = d.Pick("output_dtype", {"none", "given"}) == "given";
    if (asked || (!given && to != reference::kUint8)) d.AttrInt("output_dtype", to);
  }
  if (d.has_attribute("precision")) d.AttrIntOr("precision", d.Pick("precision", {0, 1, 10, 16}), 0);
  // By default two of the four types saturate and two do not.
  if (d.has_attribute("saturate")) {
    const std::vector<std::string> options =
        to == reference::kFloat8E4M3FNUZ || to == reference::kFloat8E5M2FNUZ
            ? std::vector<std::string>{"0", "none", "1"}
            : std::vector<std::string>{"none", "0", "1"};
    const std::string saturate = d.Pick("saturate", options);
    if (saturate != "none") d.AttrInt("saturate", saturate == "1");
  }
  // Some results are out of range, most are not. With ties every other quotient is halfway.
  const std::string values = d.Pick("values", {"any", "ties", "far"});
  const bool is_float = IsSmallFloat(to);
  double scale = Bits(to) == 4 ? 33 : Bits(to) == 2 ? 125 : 3;
  if (is_float)
    scale = to == reference::kFloat8E4M3FN || to == reference::kFloat8E4M3FNUZ ? 0.25
            : IsFloat8(to)                                                     ? 0x1p-9
                                                                               : 32;
  if (scale_type == reference::kInt32) scale = std::max(scale, 1.0);
  if (values == "ties" && !is_float) scale = Bits(to) == 4 ? 32 : Bits(to) == 2 ? 128 : 2;
  d.In(x, values == "far" ? Whole(-30000, 30000) : Whole(-250, 250));
  std::vector<double> given_scales = {scale, scale + 2, scale * 3, scale + 4};
  if (is_float || values == "ties") given_scales = {scale, scale * 2, scale * 4, scale * 2};
  d.In(granularity.dims, Given(given_scales));
  if (given) d.In(granularity.dims, ZeroPoints(to));
}

// Scales of few bits: every product is exact, whatever it is computed in.
void DequantizeLinear(Domain& d) {
  const int32_t type = d.type("x");
  const Dims x = d.AnyShape();
  const Granularity granularity = PickGranularity(d, x);
  if (d.version() >= 23) {
    const bool asked = d.Pick("output_dtype", {"none", "given"}) == "given";
    if (asked || d.type("T2") != d.type("T3")) d.AttrInt("output_dtype", d.type("T3"));
  }
  const bool given = d.Pick("x_zero_point", {"given", "absent"}) == "given";
  d.In(x, type == reference::kInt32 ? Whole(-20000, 20000) : IsSmallFloat(type) ? Spread(6) : Codes(type));
  d.In(granularity.dims, Given({0.5, 0.375, 0.25, 1.25}));
  if (given && type != reference::kInt32) d.In(granularity.dims, ZeroPoints(type));
}

// Ranges that 255 divides into powers of two, so that scale and zero point are exact.
void DynamicQuantizeLinear(Domain& d) {
  const Dims dims = d.AnyShape();
  const std::string range = d.Pick("range", {"both", "positive", "negative", "wide"});
  double low = -32, high = 31.75;
  if (range == "positive") low = 0, high = 63.75;
  if (range == "negative") low = -255, high = 0;
  if (range == "wide") low = -128 * 1024.0, high = 127 * 1024.0;
  Tensor x = d.Draw(reference::kFloat, dims,
                    range == "positive"   ? Uniform(3, high)
                    : range == "negative" ? Uniform(low, -7)
                                          : Uniform(low, high));
  if (x.size() == 1) {
    x.data<float>()[0] = static_cast<float>(range == "negative" ? low : 63.75);
  } else if (x.size() > 1) {
    if (range != "positive") x.data<float>()[x.size() - 1] = static_cast<float>(low);
    if (range != "negative") x.data<float>()[x.size() / 2 - (x.size() == 2)] = static_cast<float>(high);
  }
  if (x.size() == 0) d.Reject("a range of nothing");
  d.Outputs({true, true, true});
  d.In(std::move(x));
}

struct Product {
  const char* name;
  Dims a, b;
};
const Product kProducts[] = {{"plain", {3, 33}, {33, 5}},
                             {"batch", {2, 3, 4}, {2, 4, 5}},
                             {"broadcast", {2, 1, 3, 4}, {5, 4, 6}},
                             {"batch_left", {2, 3, 4}, {4, 5}},
                             {"one", {1, 1}, {1, 1}},
                             {"k1", {5, 1}, {1, 7}},
                             {"k2", {3, 2}, {2, 5}},
                             {"k257", {2, 257}, {257, 3}},
                             {"k1025", {4, 1025}, {1025, 9}},
                             {"one_row", {1, 257}, {257, 33}},
                             {"one_column", {33, 65}, {65, 1}},
                             {"tails", {65, 31}, {31, 63}},
                             {"tiles", {129, 64}, {64, 127}},
                             {"no_rows", {0, 4}, {4, 3}},
                             {"no_terms", {3, 0}, {0, 5}},
                             {"vectors", {5}, {5}},
                             {"matrix_vector", {3, 4}, {4}},
                             {"vector_matrix", {4}, {4, 3}}};

Product PickProduct(Domain& d) {
  std::vector<std::string> names;
  for (const Product& p : kProducts) names.push_back(p.name);
  const std::string chosen = d.Pick("shapes", names);
  Product p = *std::find_if(std::begin(kProducts), std::end(kProducts),
                            [&](const Product& q) { return chosen == q.name; });
  for (Dims* dims : {&p.a, &p.b})
    for (int64_t& e : *dims) e = d.Extent(e);
  return p;
}

// One scale or zero point for a matrix, or one for each of its rows or columns: a vector for two axes, else
// of the matrix's rank.
Dims PickRows(Domain& d, const char* name, const Dims& matrix, bool by_row) {
  const std::string kind = d.Pick(name, {"scalar", "one", "each"});
  if (kind == "scalar") return {};
  if (kind == "one") return {1};
  if (matrix.size() < 2) d.Reject("a vector has no rows");
  if (matrix.size() == 2) return {matrix[by_row ? 0 : 1]};
  Dims dims = matrix;
  dims[matrix.size() - (by_row ? 1 : 2)] = 1;
  return dims;
}

// Bytes of either end of their range: sums in 16 bits, or products of pairs in them, overflow.
Values Bytes(int32_t type, bool extremes) {
  if (!extremes || IsSmallFloat(type)) return Codes(type);
  return IsUnsigned(type) ? Given({255, 255, 0}) : Given({-128, -128, 127});
}

// An odd number by which sums of `terms` products of bytes fill about the range of a byte.
double Divisor(double terms, int32_t scale_type) {
  const double most = scale_type == reference::kBFloat16  ? 127
                      : scale_type == reference::kFloat16 ? 1023
                                                          : 65535;
  return std::min(most, 2 * std::floor(43 * std::sqrt(std::max(terms, 1.0))) + 1);
}

void MatMulInteger(Domain& d) {
  const Product p = PickProduct(d);
  const bool extremes = d.Flag("extremes");
  const bool a_zero = d.Pick("a_zero_point", {"given", "absent"}) == "given",
             b_zero = d.Pick("b_zero_point", {"given", "absent"}) == "given";
  const Dims a = a_zero ? PickRows(d, "a_rows", p.a, true) : Dims{},
             b = b_zero ? PickRows(d, "b_columns", p.b, false) : Dims{};
  d.In(p.a, Bytes(d.type("T1"), extremes));
  d.In(p.b, Bytes(d.type("T2"), extremes));
  if (a_zero)
    d.In(a, ZeroPoints(d.type("T1")));
  else
    d.Absent();
  if (b_zero) d.In(b, ZeroPoints(d.type("T2")));
}

void QLinearMatMul(Domain& d) {
  const Product p = PickProduct(d);
  const int32_t one = d.type("T1"), two = d.type("T2"), to = d.type("T3"), scales = d.type("y_scale");
  if (IsSmallFloat(one) != IsSmallFloat(two) || IsSmallFloat(one) != IsSmallFloat(to))
    d.Reject("floats and integers");
  const bool extremes = d.Flag("extremes");
  const Dims a = PickRows(d, "a_rows", p.a, true), b = PickRows(d, "b_columns", p.b, false);
  const double divisor = IsSmallFloat(to) ? 0.25 : Divisor(static_cast<double>(p.a.back()), scales);
  d.In(p.a, Bytes(one, extremes));
  d.In(a, Given({0.5, 1, 2}));
  d.In(a, ZeroPoints(one));
  d.In(p.b, Bytes(two, extremes));
  d.In(b, Given({0.25, 0.5}));
  d.In(b, ZeroPoints(two));
  d.In({}, Given({0.125 * divisor}));
  d.In({}, ZeroPoints(to));
}

void ConvInteger(Domain& d) {
  const Convolution c = PickConvolution(d);
  const bool extremes = d.Flag("extremes");
  const std::string x_zero = d.Pick("x_zero_point", {"given", "absent"}),
                    w_zero = d.Pick("w_zero_point", {"given", "absent", "features"});
  d.In(c.x, Bytes(d.type("T1"), extremes));
  d.In(c.w, Bytes(d.type("T2"), extremes));
  if (x_zero == "given")
    d.In({}, ZeroPoints(d.type("T1")));
  else
    d.Absent();
  if (w_zero != "absent") d.In(w_zero == "features" ? Dims{c.features} : Dims{}, ZeroPoints(d.type("T2")));
}

void QLinearConv(Domain& d) {
  const Convolution c = PickConvolution(d);
  const bool extremes = d.Flag("extremes");
  const std::string w = d.Pick("w_scale", {"scalar", "features"}), bias = d.Pick("B", {"absent", "given"});
  double terms = 1;
  for (size_t i = 1; i < c.w.size(); ++i) terms *= static_cast<double>(c.w[i]);
  const double divisor = Divisor(terms, reference::kFloat);
  const Dims features = w == "features" ? Dims{c.features} : Dims{};
  d.In(c.x, Bytes(d.type("T1"), extremes));
  d.In({}, Given({0.5}));
  d.In({}, ZeroPoints(d.type("T1")));
  d.In(c.w, Bytes(d.type("T2"), extremes));
  d.In(features, Given({0.25, 0.5, 1}));
  d.In(features, ZeroPoints(d.type("T2")));
  d.In({}, Given({0.125 * divisor}));
  d.In({}, ZeroPoints(d.type("T3")));
  const auto most = static_cast<int64_t>(20 * divisor);
  if (bias == "given") d.In({c.features}, Whole(-most, most));
}

}  // namespace

std::span<const DomainEntry> QuantizeDomains() {
  static const DomainEntry kDomains[] = {
      {"", "QuantizeLinear", QuantizeLinear},
      {"", "DequantizeLinear", DequantizeLinear},
      {"", "DynamicQuantizeLinear", DynamicQuantizeLinear},
      {"", "QLinearMatMul", QLinearMatMul},
      {"", "QLinearConv", QLinearConv},
      {"", "MatMulInteger", MatMulInteger},
      {"", "ConvInteger", ConvInteger},
  };
  return kDomains;
}

}  // namespace braid::conformance
