// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators that are products of matrices, and of what comes with them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

// Small whole numbers, so that no sum of integers overflows.
Values Factors(const Domain& d, const std::string& type) {
  return d.is_integer(type) ? Whole(-9, 9) : Spread(4);
}

// Of products of a row and a column: infinity and NaN on one side, which meet zeros on the other. What skips
// zeros, or fills up with them, loses the NaN that such products are.
bool IsSpecial(Domain& d) {
  return !d.is_integer("T") && d.Pick("values", {"plain", "special"}) == "special";
}
Values SpecialFactors(bool left) {
  std::vector<double> values;
  for (int i = 0; i < 99; ++i) values.push_back((i * 7 % 11 - 5) / 2.0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (left) {
    values[5] = kInfinity;
    values[40] = std::numeric_limits<double>::quiet_NaN();
  } else {
    values[90] = -kInfinity;
  }
  return Given(values);
}

Dims Extents(const Domain& d, Dims dims) {
  for (int64_t& e : dims) e = d.Extent(e);
  return dims;
}

struct TwoMatrices {
  const char* name;
  Dims a, b;
};
// Sums of 1, 33, 257 and 1025 products: accumulators of few bits show in the longest.
const TwoMatrices kMatMuls[] = {{"plain", {3, 33}, {33, 5}},
                                {"dot", {5}, {5}},
                                {"vector_matrix", {4}, {4, 3}},
                                {"matrix_vector", {3, 4}, {4}},
                                {"vector_batch", {4}, {2, 4, 3}},
                                {"batch_vector", {2, 3, 4}, {4}},
                                {"batch", {2, 3, 4}, {2, 4, 5}},
                                {"batch_left", {2, 3, 4}, {4, 5}},
                                {"batch_right", {3, 4}, {2, 4, 5}},
                                {"broadcast", {2, 1, 3, 4}, {5, 4, 6}},
                                {"stretched", {3, 1, 2, 4}, {1, 2, 4, 3}},
                                {"deep", {2, 1, 2, 3, 4}, {1, 3, 1, 4, 2}},
                                {"one", {1, 1}, {1, 1}},
                                {"k1", {5, 1}, {1, 7}},
                                {"k257", {2, 257}, {257, 3}},
                                {"k1025", {4, 1025}, {1025, 9}},
                                {"one_row", {1, 1025}, {1025, 33}},
                                {"one_column", {33, 257}, {257, 1}},
                                {"many", {65, 2, 3}, {65, 3, 4}},
                                {"tails", {65, 31}, {31, 63}},
                                {"tiles", {129, 65}, {65, 127}},
                                {"long", {65537, 2}, {2, 1}},
                                {"no_rows", {0, 4}, {4, 3}},
                                {"no_columns", {3, 4}, {4, 0}},
                                {"no_terms", {3, 0}, {0, 5}},
                                {"no_batch", {0, 3, 4}, {0, 4, 5}}};

void MatMul(Domain& d) {
  std::vector<std::string> names;
  for (const TwoMatrices& m : kMatMuls) names.push_back(m.name);
  const std::string chosen = d.Pick("shapes", names);
  d.Scales();
  if (d.IsLarge()) {
    d.In({257, 255}, Factors(d, "T"));
    return d.In({255, 263}, Factors(d, "T"));
  }
  const bool special = IsSpecial(d);
  for (const TwoMatrices& m : kMatMuls)
    if (chosen == m.name) {
      d.In(Extents(d, m.a), special ? SpecialFactors(true) : Factors(d, "T"));
      d.In(Extents(d, m.b), special ? SpecialFactors(false) : Factors(d, "T"));
    }
}

// The rows alone grow in a case of symbols: the weights may be constants there.
void Gemm(Domain& d) {
  const std::vector<int64_t> mkn = d.PickInts("shape", {{3, 33, 5},
                                                        {1, 1, 1},
                                                        {5, 1, 7},
                                                        {2, 257, 3},
                                                        {4, 1025, 9},
                                                        {1, 257, 65},
                                                        {65, 31, 63},
                                                        {129, 65, 127},
                                                        {257, 4, 1},
                                                        {0, 4, 3},
                                                        {3, 4, 0},
                                                        {3, 0, 5}});
  const bool large = d.IsLarge();
  const int64_t m = large ? 257 : d.Extent(mkn[0]), k = large ? 255 : mkn[1], n = large ? 263 : mkn[2];
  d.Scales();
  const bool a = d.Flag("transA"), b = d.Flag("transB");
  if (a) d.AttrInt("transA", 1);
  if (b) d.AttrInt("transB", 1);
  const double alpha = d.PickFloat("alpha", {1, 0.5, 0, -1.5, 3});
  const double beta = d.PickFloat("beta", {1, 0.5, 0, 3, -1.5});
  for (const auto& [name, value] : {std::pair("alpha", alpha), std::pair("beta", beta)}) {
    if (d.is_integer("T") && value != std::floor(value)) d.Reject("a fraction of integers");
    if (value != 1) d.AttrFloat(name, value);
  }
  const std::string c =
      d.Pick("C", {"full", "absent", "row", "row_matrix", "column", "scalar", "one", "one_matrix"});
  Dims dims = {m, n};
  if (c == "row") dims = {n};
  if (c == "row_matrix") dims = {1, n};
  if (c == "column") dims = {m, 1};
  if (c == "scalar") dims = {};
  if (c == "one") dims = {1};
  if (c == "one_matrix") dims = {1, 1};
  // The broadcasting of before opset 7 knew scalars and suffixes, where it was asked for.
  if (d.has_attribute("broadcast") && (c != "full" || d.Flag("broadcast"))) {
    if (c == "row_matrix" || c == "column" || c == "one_matrix") d.Reject("suffixes only");
    d.AttrInt("broadcast", 1);
  }
  const bool special = IsSpecial(d);
  d.In(a ? Dims{k, m} : Dims{m, k}, special ? SpecialFactors(true) : Factors(d, "T"));
  d.In(b ? Dims{n, k} : Dims{k, n}, special ? SpecialFactors(false) : Factors(d, "T"));
  if (c != "absent")
    d.In(dims, Factors(d, "T"));
  else if (d.version() < 11)
    d.Reject("C is no option before opset 11");
}

struct Equation {
  const char* name;
  const char* text;
  std::vector<Dims> shapes;
};
const Equation kEquations[] = {{"matmul", "ij,jk->ik", {{3, 4}, {4, 5}}},
                               {"implicit", "ij,jk", {{3, 4}, {4, 5}}},
                               {"batch", "bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}}},
                               {"inner_first", "bqhd,bkhd->bhqk", {{2, 3, 2, 4}, {2, 5, 2, 4}}},
                               {"right_transposed", "bhqd,bhkd->bhqk", {{2, 2, 3, 4}, {2, 2, 5, 4}}},
                               {"output_permuted", "ij,jk->ki", {{3, 4}, {4, 5}}},
                               {"identity", "ijk->ijk", {{2, 3, 4}}},
                               {"transpose", "ijk->kij", {{2, 3, 4}}},
                               {"implicit_transpose", "cab", {{2, 3, 4}}},
                               {"sum", "ij->", {{3, 4}}},
                               {"row_sums", "ij->i", {{3, 33}}},
                               {"middle_sums", "ijk->ki", {{2, 5, 3}}},
                               {"trace", "ii", {{4, 4}}},
                               {"diagonal", "ii->i", {{4, 4}}},
                               {"batch_diagonal", "bii->bi", {{2, 3, 3}}},
                               {"diagonal_product", "iij,jk->ik", {{3, 3, 4}, {4, 2}}},
                               {"dot", "i,i", {{33}, {33}}},
                               {"outer", "i,j->ij", {{3}, {4}}},
                               {"elements", "ij,ij->ij", {{3, 4}, {3, 4}}},
                               {"weighted_sum", "ij,ij->", {{3, 4}, {3, 4}}},
                               {"left_sum", "ij,k->ik", {{3, 4}, {2}}},
                               {"no_common", "ij,kl->", {{3, 4}, {2, 3}}},
                               {"chain", "ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 2}}},
                               {"three_shared", "bi,bj,bk->ijk", {{3, 2}, {3, 4}, {3, 2}}},
                               {"four", "ab,bc,cd,de->ae", {{2, 3}, {3, 2}, {2, 3}, {3, 2}}},
                               {"scalars", ",->", {{}, {}}},
                               {"scaled", ",ij->ji", {{}, {3, 4}}},
                               {"cases", "iI,Ij->ij", {{3, 4}, {4, 5}}},
                               {"cases_implicit", "bA,Aa", {{3, 4}, {4, 5}}},
                               {"spaces", " i j , j k -> i k ", {{3, 4}, {4, 5}}},
                               {"ellipsis", "...ij,...jk->...ik", {{2, 1, 3, 4}, {2, 5, 4, 2}}},
                               {"ellipsis_implicit", "...ij,...jk", {{2, 3, 4}, {2, 4, 2}}},
                               {"ellipsis_last", "i...->...i", {{2, 3, 4}}},
                               {"ellipsis_inside", "a...b,b->...a", {{2, 3, 2, 4}, {4}}},
                               {"ellipsis_diagonal", "...ii->...i", {{2, 3, 3}}},
                               {"ellipsis_empty", "...ij,...jk->...ik", {{3, 4}, {4, 5}}},
                               {"ones", "ij,jk->ik", {{1, 4}, {4, 1}}},
                               {"k1025", "ij,jk->ik", {{3, 1025}, {1025, 5}}},
                               {"tails", "ij,jk->ik", {{65, 31}, {31, 63}}},
                               {"no_terms", "ij,jk->ik", {{3, 0}, {0, 5}}},
                               {"no_rows", "ij,jk->ik", {{0, 3}, {3, 5}}}};

void Einsum(Domain& d) {
  std::vector<std::string> names;
  for (const Equation& e : kEquations) names.push_back(e.name);
  const std::string chosen = d.Pick("equation", names);
  // A byte overflows in long sums, which nothing is told of.
  if (d.is_integer("T") && (chosen == "k1025" || chosen == "tails")) d.Reject("sums overflow");
  for (const Equation& e : kEquations) {
    if (chosen != e.name) continue;
    d.AttrText("equation", e.text);
    const bool special = e.shapes.size() == 2 && IsSpecial(d);
    for (size_t i = 0; i < e.shapes.size(); ++i)
      d.In(Extents(d, e.shapes[i]), special             ? SpecialFactors(i == 0)
                                    : d.is_integer("T") ? Whole(-2, 2)
                                                        : Spread(3));
  }
}

void Det(Domain& d) {
  const Dims dims = d.Shape("shape", {{3, 3},
                                      {1, 1},
                                      {2, 2},
                                      {5, 5},
                                      {17, 17},
                                      {33, 33},
                                      {4, 3, 3},
                                      {2, 3, 2, 2},
                                      {257, 2, 2},
                                      {2, 1, 2, 1, 4, 4},
                                      {0, 3, 3}});
  const std::string kind = d.Pick("values", {"any", "zero_pivot", "singular", "identity", "triangular"});
  if (kind == "any") {
    // Determinants of about 1 whatever the size.
    const double n = static_cast<double>(dims.back());
    d.In(dims, Uniform(-std::sqrt(3 * std::exp(1.0) / n), std::sqrt(3 * std::exp(1.0) / n)));
    return;
  }
  // The first pivot is 0, or two rows are one, or there is nothing to do.
  Tensor x = d.Draw(d.type("T"), dims, Whole(-2, 2));
  Tensor one = d.Draw(d.type("T"), {2}, Given({0, 1}));
  const int64_t n = dims.back(), bytes = static_cast<int64_t>(one.bytes()) / 2;
  char* to = static_cast<char*>(x.raw());
  const char* from = static_cast<const char*>(one.raw());
  const auto set = [&](int64_t i, int64_t value) {
    std::copy_n(from + value * bytes, bytes, to + i * bytes);
  };
  for (int64_t m = 0; m < x.size() / std::max<int64_t>(n * n, 1); ++m)
    for (int64_t i = 0; i < n * n; ++i) {
      const int64_t row = i / n, column = i % n, at = m * n * n + i;
      if (kind == "zero_pivot" && i == 0) set(at, 0);
      if (kind == "identity") set(at, row == column);
      if (kind == "triangular" && column < row) set(at, 0);
      if (kind == "triangular" && column == row) set(at, 1);
      if (kind == "singular" && row == n - 1 && n > 1)
        std::copy_n(to + (at - n) * bytes, bytes, to + at * bytes);
    }
  d.In(std::move(x));
}

}  // namespace

std::span<const DomainEntry> ProductDomains() {
  static const DomainEntry kDomains[] = {
      {"", "MatMul", MatMul},
      {"", "Gemm", Gemm},
      {"", "Einsum", Einsum},
      {"", "Det", Det},
  };
  return kDomains;
}

}  // namespace braid::conformance
