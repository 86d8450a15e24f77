// SPDX-License-Identifier: Apache-2.0
//
// Domains of random numbers. What comes out is determined only where the distribution has one value; all else
// is judged by its distribution (oracle/statistics.h), so it has some thousand elements.
#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

const std::vector<Dims> kMany = {{64, 65}, {8192}, {16, 1, 33, 9}, {3, 5, 7, 11, 13}, {65537}};

void Seed(Domain& d) {
  // Without one every run draws anew.
  if (d.Flag("seed")) d.AttrFloat("seed", 1234.5);
}

// mean and scale, or low and high; "one": a single value.
void Parameters(Domain& d) {
  const bool normal = d.has_attribute("mean");
  const std::string range = d.Pick("range", {"default", "one", "wide", "negative"});
  if (range == "default") return;
  if (normal) {
    d.AttrFloat("mean", range == "one" ? 3.5 : range == "wide" ? 0 : -8);
    d.AttrFloat("scale", range == "one" ? 0 : range == "wide" ? 64 : 0.5);
  } else {
    d.AttrFloat("low", range == "one" ? 3.5 : range == "wide" ? -64 : -3);
    d.AttrFloat("high", range == "one" ? 3.5 : range == "wide" ? 64 : -2);
  }
}

void Shaped(Domain& d) {
  d.AttrInts("shape", d.PickInts("shape", {kMany.begin(), kMany.end()}));
  if (d.type("T") != reference::kFloat || d.Flag("dtype")) d.AttrInt("dtype", d.type("T"));
  Seed(d);
  Parameters(d);
}

void Like(Domain& d) {
  const int32_t in = d.type("T1"), out = d.type("T2");
  if (in != out || d.Flag("dtype")) d.AttrInt("dtype", out);
  Seed(d);
  Parameters(d);
  d.In(d.Shape("shape", kMany), Uniform(0, 1));
}

void Bernoulli(Domain& d) {
  const int32_t in = d.type("T1"), out = d.type("T2");
  if (in != out || d.Flag("dtype")) d.AttrInt("dtype", out);
  Seed(d);
  const std::string chances = d.Pick("chances", {"certain", "half", "seldom", "any"});
  if (chances == "certain") return d.In(d.AnyShape(), Given({0, 1, 1, 0, 1}));
  d.In(d.Shape("many", kMany), chances == "half"     ? Given({0.5})
                               : chances == "seldom" ? Given({0.125})
                                                     : Uniform(0, 1));
}

void Multinomial(Domain& d) {
  if (d.type("T2") != reference::kInt32) d.AttrInt("dtype", d.type("T2"));
  Seed(d);
  const std::string chances = d.Pick("chances", {"certain", "equal", "uneven"});
  if (chances != "certain") {
    d.AttrInt("sample_size", 8192);
    return d.In({2, 4}, chances == "equal" ? Given({-3}) : Given({0, -0.75, -1.5, 0.5, 2, 1, -1, 0}));
  }
  // One class outweighs all others by e^200.
  d.AttrIntOr("sample_size", d.Pick("sample_size", {1, 7, 65, 1025}), 1);
  const Dims x = d.Shape("shape", {{3, 5}, {1, 1}, {2, 257}, {65, 2}, {0, 4}});
  std::vector<double> weights;
  for (int64_t row = 0; row < x[0]; ++row)
    for (int64_t c = 0; c < x[1]; ++c)
      weights.push_back(c == (row * 3 + 1) % x[1] ? 150 : -50 - static_cast<double>(c % 3));
  if (weights.empty()) weights.push_back(0);
  d.In(x, Given(weights));
}

}  // namespace

std::span<const DomainEntry> RandomDomains() {
  static const DomainEntry kDomains[] = {
      {"", "RandomNormal", Shaped},    {"", "RandomUniform", Shaped}, {"", "RandomNormalLike", Like},
      {"", "RandomUniformLike", Like}, {"", "Bernoulli", Bernoulli},  {"", "Multinomial", Multinomial},
  };
  return kDomains;
}

}  // namespace braid::conformance
