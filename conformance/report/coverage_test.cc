// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/case/generate.h"
#include "conformance/run/suite.h"

namespace braid::conformance {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

// Cases of one operator's version, as an operator's profile.
struct Fixture {
  explicit Fixture(const char* op, int since) : name{op}, profile{"test", name} {
    cases = Generate(*FindOperatorVersion("", op, since), Level::kDefault);
    for (const Case& c : cases) {
      Result r;
      r.id = c.id;
      results.push_back(r);
    }
  }
  Coverage Count() const { return CoverageOf(cases, results, profile); }
  std::string_view name[1];
  Profile profile;
  std::vector<Case> cases;
  std::vector<Result> results;
};

const Share& Of(const Coverage& coverage, const std::string& what) {
  for (const auto& [name, share] : coverage.shares)
    if (name == what) return share;
  throw std::logic_error(what);
}

TEST(Coverage, CountsVersionsTypesAttributesAndDims) {
  const Fixture f("LeakyRelu", 16);
  const Coverage coverage = f.Count();
  EXPECT_EQ(coverage.versions.size(), 1u);
  const Share& versions = coverage.versions.at("ai.onnx");
  EXPECT_EQ(versions.all, 3u);  // 1, 6, 16
  EXPECT_EQ(versions.cases, 1u);
  EXPECT_THAT(versions.missing, ElementsAre("LeakyRelu-1", "LeakyRelu-6"));
  const Share& cells = Of(coverage, "type cells");
  EXPECT_EQ(cells.all, 4u);  // bfloat16, double, float, float16
  EXPECT_EQ(cells.cases, 4u);
  EXPECT_EQ(cells.passed, 4u);
  EXPECT_EQ(Of(coverage, "attributes").all, 1u);
  EXPECT_EQ(Of(coverage, "attributes").cases, 1u);
  EXPECT_EQ(Of(coverage, "symbolic dims").cases, 1u);
}

TEST(Coverage, TakenIsWhatTheDeviceSaidYesToAndPassedWhereNothingFailed) {
  Fixture f("LeakyRelu", 16);
  for (size_t i = 0; i < f.cases.size(); ++i) {
    const std::string& type = f.cases[i].parts.types.at("T");
    if (type == "tensor(double)") f.results[i].outcome = Outcome::kUnsupported;
    if (type == "tensor(float16)") f.results[i].outcome = Outcome::kFail;
    if (type == "tensor(bfloat16)") f.results[i].outcome = Outcome::kWaived;
  }
  const Share cells = Of(f.Count(), "type cells");
  EXPECT_EQ(cells.cases, 4u);
  EXPECT_EQ(cells.taken, 3u);
  EXPECT_EQ(cells.passed, 2u);
  EXPECT_THAT(cells.failed, ElementsAre("LeakyRelu-16 T=float16"));
}

TEST(Coverage, OptionalInputsCountWhereTheyAreThereAndWhereTheyAreNot) {
  Fixture f("Clip", 13);
  EXPECT_EQ(Of(f.Count(), "optional inputs").all, 2u);
  EXPECT_EQ(Of(f.Count(), "optional inputs").cases, 2u);
  // Without the cases that leave 'min' out.
  for (size_t i = 0; i < f.cases.size(); ++i) {
    const auto& inputs = f.cases[i].parts.inputs;
    if (std::find(inputs.begin(), inputs.end(), "min") == inputs.end()) f.results[i].id = "";
  }
  EXPECT_THAT(Of(f.Count(), "optional inputs").missing, ElementsAre("Clip-13 min"));
}

TEST(Coverage, OfAllDomainsHasEveryOperatorVersion) {
  const Coverage coverage = CoverageOf({}, {}, *FindProfile("all"));
  size_t all = 0;
  for (const auto& [domain, share] : coverage.versions) all += share.all;
  EXPECT_EQ(all, AllOperatorVersions().size());
  EXPECT_THAT(coverage.versions.at("ai.onnx").missing, Contains("Conv-22"));
  EXPECT_THAT(coverage.versions.at("ai.onnx.ml").missing, Contains("ai.onnx.ml.Scaler-1"));
}

TEST(Types, AreThoseInWhichACaseDiffersOrItsFirst) {
  const OperatorVersion& gather = *FindOperatorVersion("", "LeakyRelu", 16);
  Case c{"", &gather, PlainTypes(gather), {}, Level::kDefault, {}};
  EXPECT_THAT(TypesOf(c), ElementsAre("float"));
  c.types["T"] = 10;
  EXPECT_THAT(TypesOf(c), ElementsAre("float16"));
}

TEST(Profiles, NameOperatorsThatThereAre) {
  for (const Profile& profile : Profiles())
    for (const std::string_view op : profile.operators) {
      const auto& all = AllOperatorVersions();
      EXPECT_TRUE(std::any_of(all.begin(), all.end(),
                              [&](const OperatorVersion& v) {
                                return v.domain.empty() && v.name == op && v.newest && !v.deprecated;
                              }))
          << profile.name << ": " << op;
    }
  EXPECT_TRUE(FindProfile("vision")->Has("", "Conv"));
  EXPECT_FALSE(FindProfile("vision")->Has("", "LSTM"));
  EXPECT_FALSE(FindProfile("vision")->Has("ai.onnx.ml", "Conv"));
  EXPECT_TRUE(FindProfile("all")->Has("ai.onnx.ml", "Scaler"));
  EXPECT_EQ(FindProfile("none"), nullptr);
}

TEST(Selection, ShardsAreAPartition) {
  const Fixture f("LeakyRelu", 16);
  for (const Case& c : f.cases) {
    int wanted = 0;
    for (const char* text : {"1/3", "2/3", "3/3"}) {
      Selection selection;
      ParseShard(text, &selection);
      EXPECT_FALSE(selection.complete());
      wanted += selection.Wants(c.id) ? 1 : 0;
    }
    EXPECT_EQ(wanted, 1) << c.id;
  }
  Selection selection;
  for (const char* text : {"", "0/2", "3/2", "1", "1/", "1/2x", "a/2", "1/0", "-1/2"})
    EXPECT_THROW(ParseShard(text, &selection), std::invalid_argument) << text;
  ParseShard("1/1", &selection);
  EXPECT_TRUE(selection.complete());
}

TEST(Selection, MakesNoOperatorThatNoGlobCanMean) {
  Selection selection;
  selection.globs = {"ai.onnx/Conv-*/T=float16*", "ai.onnx.ml/*"};
  EXPECT_TRUE(selection.MayWant("ai.onnx/Conv-22/"));
  EXPECT_TRUE(selection.MayWant("ai.onnx.ml/Scaler-1/"));
  EXPECT_FALSE(selection.MayWant("ai.onnx/Add-14/"));
  EXPECT_TRUE(selection.Wants("ai.onnx/Conv-22/T=float16,B=given"));
  EXPECT_FALSE(selection.Wants("ai.onnx/Conv-22/plain"));
  selection.globs = {"*float16*"};
  EXPECT_TRUE(selection.MayWant("ai.onnx/Add-14/"));
  selection.kinds = {"fusion"};
  EXPECT_TRUE(GeneratedCases(Level::kSmoke, selection).empty());
}

}  // namespace
}  // namespace braid::conformance
