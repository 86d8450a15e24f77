// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace braid::conformance {
namespace {

using ::testing::HasSubstr;

const PluginIdentity kPlugin = {"acme", "Acme", "1.0", "", "", "abc"};
const DeviceIdentity kDevice = {"acme:0", 2, "Acme One", "1.2", 0};

class ResumeTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  Result Of(const std::string& id, Outcome outcome) {
    Result r;
    r.id = id;
    r.kind = "generated";
    r.group = "Erf-13";
    r.outcome = outcome;
    r.text = "a \"text\"\nof two lines \xff";
    r.worst = std::numeric_limits<double>::infinity();
    r.seconds = 0.25;
    r.basis = "widened";
    return r;
  }
  std::string Text() const {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  ResumeFile Open(const PluginIdentity& plugin = kPlugin) const { return {path_, "0.1.0", plugin}; }
  const std::string path_ = (std::filesystem::temp_directory_path() /
                             ("braid_resume_" + std::to_string(getpid()) + "_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                                .string();
};

TEST_F(ResumeTest, WhatWasAppendedIsFound) {
  {
    ResumeFile file = Open();
    EXPECT_EQ(file.Find(kDevice, "a"), nullptr);
    file.Append(kDevice, Of("a", Outcome::kPass));
    file.Append(kDevice, Of("b", Outcome::kHang));
    // Told as its process ended, after its result.
    file.Append(kDevice, Of("a", Outcome::kCrash));
  }
  const ResumeFile file = Open();
  const Result* a = file.Find(kDevice, "a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->outcome, Outcome::kCrash);
  EXPECT_EQ(a->kind, "generated");
  EXPECT_EQ(a->group, "Erf-13");
  EXPECT_EQ(a->basis, "widened");
  EXPECT_EQ(a->seconds, 0.25);
  EXPECT_TRUE(std::isinf(a->worst));
  EXPECT_THAT(a->text, HasSubstr("a \"text\"\nof two lines"));
  EXPECT_EQ(file.Find(kDevice, "b")->outcome, Outcome::kHang);
  DeviceIdentity other = kDevice;
  other.driver = "1.3";
  EXPECT_EQ(file.Find(other, "a"), nullptr) << "another driver is another device";
}

TEST_F(ResumeTest, ALineThatWasCutOffIsLeftOut) {
  {
    ResumeFile file = Open();
    file.Append(kDevice, Of("a", Outcome::kPass));
    file.Append(kDevice, Of("b", Outcome::kPass));
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 20);
  {
    ResumeFile file = Open();
    EXPECT_EQ(file.unreadable(), 1u);
    EXPECT_NE(file.Find(kDevice, "a"), nullptr);
    EXPECT_EQ(file.Find(kDevice, "b"), nullptr);
    file.Append(kDevice, Of("b", Outcome::kFail));
  }
  EXPECT_EQ(Open().Find(kDevice, "b")->outcome, Outcome::kFail) << "it is on a line of its own";
}

TEST_F(ResumeTest, FilesOfShardsMayBeJoined) {
  {
    ResumeFile file = Open();
    file.Append(kDevice, Of("a", Outcome::kPass));
  }
  const std::string one = Text();
  std::ofstream(path_, std::ios::app) << one;
  EXPECT_NE(Open().Find(kDevice, "a"), nullptr);
}

TEST_F(ResumeTest, AnotherPluginsFileIsRefused) {
  Open();
  PluginIdentity built_again = kPlugin;
  built_again.library_sha256 = "def";
  EXPECT_THROW(Open(built_again), std::invalid_argument);
  EXPECT_THROW(ResumeFile(path_, "0.2.0", kPlugin), std::invalid_argument);
  EXPECT_THROW(ResumeFile("/nowhere/file", "0.1.0", kPlugin), std::invalid_argument);
}

TEST_F(ResumeTest, WithoutAFileNothingIsKept) {
  ResumeFile file;
  file.Append(kDevice, Of("a", Outcome::kPass));
  EXPECT_EQ(file.Find(kDevice, "a"), nullptr);
}

}  // namespace
}  // namespace braid::conformance
