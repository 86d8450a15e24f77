// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/certificate.h"

#include <gtest/gtest.h>

#include "core/plugins/sha256.h"
#include "core/plugins/testing.h"

namespace braid {
namespace {

using testing::TempDir;

TEST(Sha256, IsAsTheStandardHasIt) {
  EXPECT_EQ(Sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFile) {
  const TempDir dir;
  EXPECT_EQ(*Sha256OfFile(dir.Write("file", "abc")), Sha256("abc"));
  EXPECT_FALSE(Sha256OfFile(dir.path() + "/absent").ok());
  EXPECT_FALSE(Sha256OfFile(dir.path()).ok());
}

// A plugin's folder with a report; each test spoils one thing of it.
class CertificateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    library_ = dir_.Write("libacme.so", "not looked into");
    Report(R"("counts": {"passed": 7, "failed": 0, "skipped": 1}, "complete": true)");
  }
  // `of_device`: what the device's part says where it is something else.
  void Report(const std::string& rest, const std::string& of_device = "") {
    const std::string text =
        R"({"plugin": {"id": "acme", "library_sha256": ")" + Sha256("not looked into") +
        R"("}, "level": "default", "profile": "all", "suite": "0.1.0", "date": "2027-01-31", "devices": [{"name": "Acme One", "driver": "1.4", "cases": [1, 2], )" +
        (of_device.empty() ? rest : of_device) + "}], " + rest + "}";
    dir_.Write("report.json", text);
    hash_ = Sha256(text);
  }
  std::string WhyNot(const std::string& level = "default", const std::string& report = "report.json") {
    auto manifest =
        ParseManifest(R"({"id": "acme", "library": "libacme.so", "abi": "0.1", "conformance": {"report": ")" +
                          report + R"(", "sha256": ")" + hash_ + R"(", "level": ")" + level +
                          R"(", "profile": "all", "suite": "0.1.0", "date": "2027-01-31"}})",
                      dir_.path() + "/acme.braid.json");
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    const Certificate certificate = CheckCertificate(*manifest);
    EXPECT_EQ(certificate.certified, certificate.why_not.empty());
    devices_ = certificate.devices;
    return certificate.why_not;
  }
  const TempDir dir_;
  std::string library_, hash_;
  std::vector<Certificate::Device> devices_;
};

TEST_F(CertificateTest, AReportThatFitsCertifiesTheDevicesThatItIsOf) {
  EXPECT_EQ(WhyNot(), "");
  ASSERT_EQ(devices_.size(), 1u);
  EXPECT_EQ(devices_[0].name, "Acme One");
  EXPECT_EQ(devices_[0].driver, "1.4");
}

TEST_F(CertificateTest, AChangedReportDoesNot) {
  dir_.Write("report.json", "{}");
  EXPECT_EQ(WhyNot(), "its report report.json has another SHA-256 than the manifest says");
}

TEST_F(CertificateTest, AMissingOrOutsideReportDoesNot) {
  EXPECT_EQ(WhyNot("default", "../report.json"),
            "its report '../report.json' does not lie beside the manifest");
  EXPECT_EQ(WhyNot("default", "absent.json"),
            "its report can't be read: " + dir_.path() + "/absent.json: No such file or directory");
}

TEST_F(CertificateTest, AManifestThatClaimsMoreThanItsReportDoesNot) {
  EXPECT_EQ(WhyNot("full"), "its report's level is 'default', not 'full'");
}

TEST_F(CertificateTest, AnotherLibraryThanTheTestedDoesNot) {
  dir_.Write("libacme.so", "a later build");
  EXPECT_EQ(WhyNot(), "its library is another than the report's");
}

TEST_F(CertificateTest, FailuresAndPartsDoNot) {
  Report(R"("counts": {"passed": 7, "failed": 2, "skipped": 1}, "complete": true)");
  EXPECT_EQ(WhyNot(), "its report has 2 failures");
  Report(R"("counts": {"passed": 0, "failed": 0, "skipped": 1}, "complete": true)");
  EXPECT_EQ(WhyNot(), "in its report nothing passed");
  Report(R"("counts": {"passed": 7, "failed": 0, "skipped": 1}, "complete": false)");
  EXPECT_EQ(WhyNot(), "its report is of a part of the cases only");
  Report(R"("counts": {"passed": 7, "failed": 0, "skipped": 1}, "complete": true)",
         R"("counts": {"passed": 7, "failed": 9})");
  EXPECT_EQ(WhyNot(), "its report has 9 failures");
  Report(R"("counts": {"passed": 7, "failed": 0, "outcomes": {"waived": 22}}, "complete": true)");
  EXPECT_EQ(WhyNot(), "in its report 22 failures are waived");
  Report(R"("counts": [], "complete": true)");
  EXPECT_EQ(WhyNot(), "its report counts no failures");
}

TEST(Certificate, WithoutAReportThereIsNone) {
  for (const auto& [said, why] :
       {std::pair{"", "its manifest names no conformance report"},
        std::pair{R"(, "conformance": "sha256:12")", "its manifest has a report's hash, but names no report"},
        std::pair{R"(, "conformance": [1])", "its manifest names no conformance report"},
        std::pair{R"(, "conformance": {"report": 3})", "its manifest names no conformance report"}}) {
    auto manifest =
        ParseManifest(R"({"id": "acme", "library": "l.so", "abi": "0.1")" + std::string(said) + "}", "/x/m");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(CheckCertificate(*manifest).why_not, why);
  }
}

}  // namespace
}  // namespace braid
