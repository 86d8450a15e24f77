// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "conformance/case/generate.h"
#include "conformance/report/certify.h"
#include "conformance/report/compare.h"
#include "conformance/report/repro.h"
#include "conformance/run/suite.h"
#include "core/plugins/certificate.h"
#include "core/plugins/sha256.h"

namespace braid::conformance {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Result Of(const std::string& id, Outcome outcome, const std::string& text = "") {
  Result r;
  r.id = id;
  r.kind = "generated";
  r.group = "Erf-13";
  r.outcome = outcome;
  r.text = text;
  r.seconds = 0.0012345678;
  return r;
}

Report Example() {
  Report report;
  report.suite = "0.1.0";
  report.level = "default";
  report.profile = "all";
  report.date = "2027-01-31";
  report.complete = true;
  report.plugin = {"acme", "Acme", "1.0", "/x/acme.braid.json", "/x/libacme.so", "abc"};
  DeviceReport device;
  device.device = {"acme:0", 2, "Acme One", "1.2", 1};
  Result close = Of("a", Outcome::kPass);
  close.worst = 0.5;
  Result wrong = Of("b", Outcome::kFail, "[0] is <1>, \"2\" & \xff is\n expected");
  wrong.worst = std::numeric_limits<double>::infinity();
  device.cases = {{close, {"float16"}},
                  {wrong, {}},
                  {Of("c", Outcome::kUnsupported, "NO_TYPE"), {}},
                  {Of("d", Outcome::kWaived, "known"), {}},
                  {Of("e", Outcome::kCrash, "it crashed"), {}},
                  {Of("f", Outcome::kStale, "it passes"), {}}};
  report.devices = {device};
  return report;
}

TEST(Report, CountsUnsupportedAndWaivedAsSkippedAndAllElseThatDidNotPassAsFailed) {
  const Counts counts = Example().counts();
  EXPECT_EQ(counts.passed(), 1u);
  EXPECT_EQ(counts.skipped(), 2u);
  EXPECT_EQ(counts.failed(), 3u);
}

TEST(Report, AsJson) {
  const auto json = nlohmann::json::parse(
      ToJson(Example()).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  EXPECT_EQ(json["format"], 1);
  EXPECT_EQ(json["suite"], "0.1.0");
  EXPECT_EQ(json["level"], "default");
  EXPECT_EQ(json["date"], "2027-01-31");
  EXPECT_EQ(json["complete"], true);
  EXPECT_EQ(json["plugin"]["library"], "libacme.so") << "a file's name, for paths are the machine's";
  EXPECT_EQ(json["counts"]["failed"], 3);
  EXPECT_EQ(json["counts"]["outcomes"]["unsupported"], 1);
  const auto& device = json["devices"][0];
  EXPECT_EQ(device["driver"], "1.2");
  EXPECT_EQ(device["arithmetic"], 1);
  EXPECT_EQ(device["arithmetic_text"], "flushes denormals");
  EXPECT_EQ(device["kinds"]["generated"]["passed"], 1);
  const auto& cases = device["cases"];
  ASSERT_EQ(cases.size(), 6u);
  EXPECT_EQ(cases[0], (nlohmann::json{{"id", "a"},
                                      {"kind", "generated"},
                                      {"group", "Erf-13"},
                                      {"outcome", "pass"},
                                      {"worst", 0.5},
                                      {"seconds", 0.001235},
                                      {"types", {"float16"}}}));
  EXPECT_TRUE(cases[1]["worst"].is_null()) << "infinite";
  EXPECT_EQ(cases[1]["outcome"], "fail");
  EXPECT_FALSE(cases[2].contains("worst"));
}

TEST(Report, AsJUnit) {
  const std::string xml = JUnit(Example());
  EXPECT_THAT(
      xml, HasSubstr(
               "<testsuite name=\"acme:0 generated\" tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"2\""));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"generated.Erf-13\" name=\"a\" time=\"0.001235\"/>"));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"fail\" message=\"[0] is &lt;1&gt;, &quot;2&quot; &amp; "
                             "\xef\xbf\xbd is&#10; expected\"/>"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"NO_TYPE\"/>"));
  EXPECT_THAT(xml, HasSubstr("<error type=\"crash\" message=\"it crashed\"/>"));
}

Report Breach() {
  Report report = Example();
  Result wrong = Of("abi/honest/Add-14", Outcome::kFail, "ABI-028: no");
  wrong.kind = "abi";
  wrong.group = "honest";
  Result right = Of("abi/query-empty", Outcome::kPass);
  right.kind = "abi";
  right.group = "query";
  report.devices[0].cases = {{wrong, {}}, {right, {}}};
  return report;
}

TEST(Report, OfAContractCaseHasItsRulesAndWhatMustHold) {
  const auto json = nlohmann::json::parse(ToJson(Breach()).dump());
  const auto& wrong = json["devices"][0]["cases"][0];
  EXPECT_EQ(wrong["rules"][0], "ABI-028");
  EXPECT_GT(wrong["rules"].size(), 1u);
  const std::string must_hold = wrong["must_hold"];
  EXPECT_THAT(must_hold, HasSubstr("an operator's plain case that query takes compiles and runs"));
  const auto& right = json["devices"][0]["cases"][1];
  EXPECT_FALSE(right["rules"].empty());
  EXPECT_FALSE(right["must_hold"].empty());
  EXPECT_FALSE(nlohmann::json::parse(ToJson(Example()).dump(
      -1, ' ', true, nlohmann::ordered_json::error_handler_t::replace))["devices"][0]["cases"][1]
                   .contains("rules"));
  const std::string xml = JUnit(Breach());
  EXPECT_THAT(xml, HasSubstr("<failure type=\"fail\" message=\"ABI-028: no\">What must hold: " + must_hold +
                             " (ABI-028, "));
  EXPECT_THAT(xml, HasSubstr(")</failure></testcase>"));
  EXPECT_THAT(xml, HasSubstr("name=\"abi/query-empty\" time=\"0.001235\"/>"));
}

TEST(Report, WordsForAShell) {
  EXPECT_EQ(ShellWord("./build/acme.so"), "./build/acme.so");
  EXPECT_EQ(ShellWord("ai.onnx/Conv-22/T=float16,group=2"), "ai.onnx/Conv-22/T=float16,group=2");
  EXPECT_EQ(ShellWord("~/x"), "'~/x'");
  EXPECT_EQ(ShellWord("it's here"), "'it'\\''s here'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(Report, ThePageAloneHasTheCommand) {
  Report report = Example();
  report.rerun = "braid conformance --plugin './x y'";
  EXPECT_THAT(Page(report), HasSubstr("\"rerun\":\"braid conformance --plugin './x y'\""));
  EXPECT_THAT(ToJson(report).dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace),
              Not(HasSubstr("x y")));
}

TEST(Report, AsAPageThatNoTextBreaks) {
  Report report = Example();
  report.devices[0].cases[1].result.text = "</script><b>{{DATA}}";
  const std::string page = Page(report);
  EXPECT_THAT(page, HasSubstr("<title>Conformance of acme</title>"));
  EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e\\u003cb\\u003e{{DATA}}"));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(page, Not(HasSubstr("{{TITLE}}")));
}

TEST(Compare, TellsWhatChanged) {
  const Report before = Example();
  Report after = Example();
  after.devices[0].device.id = "acme:1";  // one device each: the same, whatever its name
  after.devices[0].device.driver = "1.3";
  auto& cases = after.devices[0].cases;
  cases[0].result.outcome = Outcome::kUnsupported;  // a: passed
  cases[1].result.outcome = Outcome::kPass;         // b: failed
  cases[2].result.outcome = Outcome::kHang;         // c: was unsupported
  cases.erase(cases.begin() + 3);                   // d
  cases.push_back({Of("g", Outcome::kUnsupported), {}});
  cases.push_back({Of("h", Outcome::kFail), {}});
  const std::string names[2] = {"A.json", "B.json"};
  const auto parsed = [](const Report& r) {
    return nlohmann::json::parse(
        ToJson(r).dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
  };
  const Comparison found = Compare(parsed(before), parsed(after), names);
  EXPECT_THAT(found.identity, ElementsAre("driver: 1.2 -> 1.3"));
  EXPECT_EQ(found.same, 2u);
  std::vector<std::string> changes;
  for (const auto& c : found.changes)
    changes.push_back((c.worse ? "worse " : "") + c.id + " " + c.before + ">" + c.after);
  EXPECT_THAT(changes, ElementsAre("worse a pass>unsupported", "b fail>pass", "worse c unsupported>hang",
                                   "d waived>", "g >unsupported", "worse h >fail"));
  EXPECT_EQ(found.worse(), 3u);
  EXPECT_THROW(Compare(nlohmann::json::parse("[1]"), parsed(after), names), std::invalid_argument);
}

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  const fs::path folder_ = fs::canonical(fs::temp_directory_path()) /
                           ("braid_report_" + std::to_string(getpid()) + "_" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

using CertifyTest = FolderTest;

Report Clean(const fs::path& folder) {
  Report report = Example();
  report.plugin.library = (folder / "libacme.so").string();
  report.plugin.library_sha256 = Sha256("a library");
  report.devices[0].cases.resize(1);
  return report;
}

TEST_F(CertifyTest, AManifestGetsWhatCoreTakesForACertificate) {
  Write("libacme.so", "a library");
  Write("acme.braid.json", R"({"id": "acme", "library": "libacme.so", "abi": "0.1", "later": [1, 2]})");
  const Report report = Clean(folder_);
  EXPECT_EQ(WhyNoCertificate(report), "");
  const std::string path = (folder_ / "acme.braid.json").string();
  Certify(report, path);
  auto manifest = ReadManifest(path);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(CheckCertificate(*manifest).why_not, "");
  EXPECT_EQ(manifest->conformance.level, "default");
  EXPECT_EQ(manifest->conformance.date, "2027-01-31");
  EXPECT_EQ(nlohmann::json::parse(Read("acme.braid.json"))["later"], nlohmann::json({1, 2}))
      << "what we don't know stays";
  Write("acme.conformance.json", Read("acme.conformance.json") + " ");
  EXPECT_THAT(CheckCertificate(*manifest).why_not, HasSubstr("another SHA-256"));
}

TEST_F(CertifyTest, IsRefusedWhereItWouldMeanLess) {
  Report report = Clean(folder_);
  report.complete = false;
  EXPECT_EQ(WhyNoCertificate(report), "it ran a part of the cases only");
  EXPECT_EQ(WhyNoCertificate(Example()), "3 cases failed");
  report = Clean(folder_);
  report.profile = "vision";
  EXPECT_THAT(WhyNoCertificate(report), HasSubstr("acme:0 takes no case of Abs, Add,"));
  report = Clean(folder_);
  Write("libacme.so", "a library");
  Write("other.braid.json", R"({"id": "other", "library": "libacme.so", "abi": "0.1"})");
  EXPECT_THROW(Certify(report, (folder_ / "other.braid.json").string()), std::invalid_argument);
}

TEST_F(CertifyTest, ManifestsAreFoundByLibraryFolderOrName) {
  Write("libacme.so", "a library");
  Write("libother.so", "a library");
  const std::string manifest = (folder_ / "acme.braid.json").string();
  EXPECT_THROW(FindManifest(folder_.string()), std::invalid_argument);
  Write("acme.braid.json", R"({"id": "acme", "library": "libacme.so", "abi": "0.1"})");
  EXPECT_EQ(FindManifest(folder_.string()), manifest);
  EXPECT_EQ(FindManifest(manifest), manifest);
  EXPECT_EQ(FindManifest((folder_ / "libacme.so").string()), manifest);
  EXPECT_THROW(FindManifest((folder_ / "libother.so").string()), std::invalid_argument);
  EXPECT_THROW(FindManifest((folder_ / "absent").string()), std::invalid_argument);
  Write("other.braid.json", R"({"id": "other", "library": "libother.so", "abi": "0.1"})");
  EXPECT_THROW(FindManifest(folder_.string()), std::invalid_argument) << "which of the two?";
  EXPECT_EQ(FindManifest((folder_ / "libacme.so").string()), manifest);
}

using ReproTest = FolderTest;

TEST_F(ReproTest, HasTheModelTheDataAndTheBounds) {
  const std::string id = "ai.onnx/LeakyRelu-16/plain";
  const auto names = WriteRepro(id, BuildById(id), folder_.string());
  const std::set<std::string> found(names.begin(), names.end());
  for (const char* name : {"model.onnx", "test_data_set_0/input_0.pb", "test_data_set_0/output_0.pb",
                           "bounds.json", "data.json", "README.txt"}) {
    EXPECT_EQ(found.count(name), 1u) << name;
    EXPECT_FALSE(Read(name).empty()) << name;
  }
  const auto bounds = nlohmann::json::parse(Read("bounds.json"));
  EXPECT_EQ(bounds["case"], id);
  const auto& output = bounds["runs"][0]["outputs"][0];
  EXPECT_EQ(output["type"], "float");
  EXPECT_EQ(output["shape"], nlohmann::json({3, 4, 5}));
  EXPECT_EQ(output["values"].size(), 60u);
  EXPECT_EQ(output["bounds"].size(), 60u);
  EXPECT_THAT(Read("README.txt"), HasSubstr(id));
}

TEST_F(ReproTest, SymbolsGiveTwoRuns) {
  const std::string id = "ai.onnx/LeakyRelu-16/~dims=symbols";
  WriteRepro(id, BuildById(id), folder_.string());
  EXPECT_TRUE(fs::exists(folder_ / "test_data_set_1/output_0.pb"));
  EXPECT_THROW(BuildById("ai.onnx/LeakyRelu-16/shape=no"), std::runtime_error);
  EXPECT_THROW(BuildById("ai.onnx/LeakyRelu-16/shap=1"), std::runtime_error);
  EXPECT_THROW(BuildById("nothing"), std::runtime_error);
}

}  // namespace
}  // namespace braid::conformance
