// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/waivers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace braid::conformance {
namespace {

using ::testing::HasSubstr;

const PluginIdentity kPlugin = {"acme", "Acme Ltd", "1.0", "", "", ""};
DeviceIdentity Device(const std::string& driver = "Acme driver 1.10.2 (build 7)") {
  return {"acme:0", 2, "Acme One", driver, 0};
}

std::string With(const std::string& rest) {
  return R"([{"case": "ai.onnx/Erf-13/*", "vendor": "acme", "reason": "rounds up", "expires": "2027-06-30")" +
         rest + "}]";
}

Result Of(Outcome outcome, const std::string& id = "ai.onnx/Erf-13/plain") {
  Result r;
  r.id = id;
  r.outcome = outcome;
  r.text = "[0] is 1";
  return r;
}

Outcome Judged(const std::string& json, Outcome outcome, const DeviceIdentity& device = Device(),
               const std::string& today = "2027-01-31", const std::string& id = "ai.onnx/Erf-13/plain") {
  return Waivers(ParseWaivers(json, "w.json"), kPlugin, device, today).Judge(Of(outcome, id)).outcome;
}

std::string ErrorOf(const std::string& json) {
  try {
    ParseWaivers(json, "w.json");
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

TEST(Waivers, FailuresAreWaivedAndPassesAreStale) {
  for (const Outcome o : {Outcome::kFail, Outcome::kCrash, Outcome::kHang, Outcome::kResource})
    EXPECT_EQ(Judged(With(""), o), Outcome::kWaived) << Name(o);
  EXPECT_EQ(Judged(With(""), Outcome::kPass), Outcome::kStale);
  EXPECT_EQ(Judged(With(""), Outcome::kUnsupported), Outcome::kUnsupported);
  EXPECT_EQ(Judged(With(""), Outcome::kInvalid), Outcome::kInvalid)
      << "a fault of the suite is nobody's to waive";
  EXPECT_EQ(Judged(With(""), Outcome::kFail, Device(), "2027-01-31", "ai.onnx/Exp-13/plain"), Outcome::kFail);
  const Result r =
      Waivers(ParseWaivers(With(""), ""), kPlugin, Device(), "2027-01-31").Judge(Of(Outcome::kFail));
  EXPECT_EQ(r.text, "rounds up (until 2027-06-30); it was: fail: [0] is 1");
}

TEST(Waivers, CountToTheirLastDay) {
  EXPECT_EQ(Judged(With(""), Outcome::kFail, Device(), "2027-06-30"), Outcome::kWaived);
  EXPECT_EQ(Judged(With(""), Outcome::kFail, Device(), "2027-07-01"), Outcome::kFail);
  EXPECT_EQ(Judged(With(""), Outcome::kPass, Device(), "2027-07-01"), Outcome::kPass);
  const Waivers late(ParseWaivers(With(""), ""), kPlugin, Device(), "2027-07-01");
  EXPECT_EQ(late.expired().size(), 1u);
  EXPECT_TRUE(late.Unused({}).empty());
}

TEST(Waivers, AreOfOneVendorDeviceAndRangeOfDrivers) {
  EXPECT_EQ(
      Judged(R"([{"case": "*", "vendor": "other", "reason": "r", "expires": "2027-06-30"}])", Outcome::kFail),
      Outcome::kFail);
  EXPECT_EQ(Judged(R"([{"case": "*", "vendor": "Acme Ltd", "reason": "r", "expires": "2027-06-30"}])",
                   Outcome::kFail),
            Outcome::kWaived);
  EXPECT_EQ(Judged(With(R"(, "device": "acme:1")"), Outcome::kFail), Outcome::kFail);
  EXPECT_EQ(Judged(With(R"(, "device": "Acme *")"), Outcome::kFail), Outcome::kWaived);
  const std::pair<const char*, Outcome> ranges[] = {
      {"1.9..1.11", Outcome::kWaived}, {"1.10.2", Outcome::kWaived}, {"1.10.2.0", Outcome::kWaived},
      {"1.10.3..", Outcome::kFail},    {"..1.10.1", Outcome::kFail}, {"..1.10.2", Outcome::kWaived},
      {"1.1..1.9", Outcome::kFail},    {"1..2", Outcome::kWaived}};
  for (const auto& [range, outcome] : ranges)
    EXPECT_EQ(Judged(With(std::string(R"(, "driver": ")") + range + "\""), Outcome::kFail), outcome) << range;
  EXPECT_EQ(Judged(With(R"(, "driver": "..9")"), Outcome::kFail, Device("none told")), Outcome::kFail);
}

TEST(Waivers, UnusedOnesAreKnown) {
  const Waivers waivers(ParseWaivers(With(""), ""), kPlugin, Device(), "2027-01-31");
  EXPECT_EQ(waivers.Unused({Of(Outcome::kPass, "ai.onnx/Exp-13/plain")}).size(), 1u);
  EXPECT_EQ(waivers.Unused({Of(Outcome::kUnsupported)}).size(), 0u);
}

TEST(Waivers, WhatIsNoneSaysWhy) {
  EXPECT_EQ(ErrorOf("{"), "w.json: is no JSON list of waivers, nor {\"waivers\": [...]}");
  EXPECT_EQ(ErrorOf("[3]"), "w.json: waiver 1: is no JSON object");
  EXPECT_EQ(ErrorOf(R"([{"case": "*", "reason": "r", "expires": "2027-06-30"}])"),
            "w.json: waiver 1: it has no 'vendor'");
  EXPECT_EQ(ErrorOf(R"([{"case": "*", "vendor": "a", "expires": "2027-06-30"}])"),
            "w.json: waiver 1: it has no 'reason'");
  EXPECT_EQ(ErrorOf(R"([{"case": "*", "vendor": "a", "reason": " ", "expires": "2027-06-30"}])"),
            "w.json: waiver 1: its 'reason' is empty");
  EXPECT_EQ(ErrorOf(R"([{"case": "*", "vendor": "a", "reason": "r"}])"),
            "w.json: waiver 1: it has no 'expires'");
  for (const char* day : {"2027-02-29", "2027-13-01", "2027-6-3", "never", "2027-00-10", "2100-02-29"})
    EXPECT_THAT(
        ErrorOf(R"([{"case": "*", "vendor": "a", "reason": "r", "expires": ")" + std::string(day) + "\"}]"),
        HasSubstr("is no day such as"))
        << day;
  EXPECT_EQ(ErrorOf(R"([{"case": "*", "vendor": "a", "reason": "r", "expires": "2028-02-29"}])"), "");
  EXPECT_THAT(ErrorOf(With(R"(, "driver": "new")")), HasSubstr("'new' is no version or range"));
  EXPECT_THAT(ErrorOf(With(R"(, "drivers": "1")")), HasSubstr("'drivers' is no key of a waiver"));
}

TEST(Versions, AreComparedByNumbers) {
  EXPECT_LT(CompareVersions("1.9", "1.10"), 0);
  EXPECT_EQ(CompareVersions("1.2", "1.2.0"), 0);
  EXPECT_GT(CompareVersions("2", "1.99.99"), 0);
  EXPECT_EQ(VersionIn("llvmpipe Mesa 22.3.6 (LLVM 15.0.6)"), "22.3.6");
  EXPECT_EQ(VersionIn("none"), "");
  EXPECT_EQ(VersionIn("v1."), "1");
}

}  // namespace
}  // namespace braid::conformance
