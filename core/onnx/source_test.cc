// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/source.h"

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::HasSubstr;

std::string Why(const absl::Status& status) { return std::string(status.message()); }

TEST(MapFile, RegularFile) {
  Folder folder;
  const auto bytes = MapFile(folder.Write("f", "abc"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(std::string(bytes->span.begin(), bytes->span.end()), "abc");
}

TEST(MapFile, WhatIsNoFile) {
  Folder folder;
  EXPECT_EQ(MapFile(folder / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Why(MapFile(folder.path()).status()), HasSubstr("is a directory"));
  EXPECT_THAT(Why(MapFile(folder.Write("empty", "")).status()), HasSubstr("is empty"));
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(Why(MapFile(folder / "fifo").status()), HasSubstr("is a FIFO"));
  EXPECT_THAT(Why(MapFile("/dev/null").status()), HasSubstr("is a device"));
}

TEST(ExternalFiles, RangeOfAFile) {
  Folder folder;
  std::filesystem::create_directory(folder / "sub");
  folder.Write("sub/w.bin", "0123456789");
  ExternalFiles files(folder.path());
  for (const char* location : {"sub/w.bin", "./sub/w.bin", "sub//w.bin"}) {
    const auto bytes = files.Read(location, 2, 3);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(std::string(bytes->span.begin(), bytes->span.end()), "234");
  }
  EXPECT_TRUE(files.Read("sub/w.bin", 10, 0).ok());
}

TEST(ExternalFiles, RangesBeyondTheFile) {
  Folder folder;
  folder.Write("w.bin", "0123456789");
  ExternalFiles files(folder.path());
  EXPECT_THAT(Why(files.Read("w.bin", 8, 3).status()), HasSubstr("has 10 bytes, but 3 bytes at offset 8"));
  EXPECT_FALSE(files.Read("w.bin", 11, 0).ok());
  EXPECT_FALSE(files.Read("w.bin", UINT64_MAX, 2).ok());
  EXPECT_FALSE(files.Read("w.bin", 2, UINT64_MAX).ok());
}

TEST(ExternalFiles, PathsThatLeaveTheFolder) {
  Folder outside, folder;
  outside.Write("secret", "s");
  ExternalFiles files(folder.path());
  std::filesystem::create_directory(folder / "a");
  for (const char* location : {"../x", "a/../../b", "a/../w.bin", ".."})
    EXPECT_THAT(Why(files.Read(location, 0, 1).status()), HasSubstr("has '..'")) << location;
  EXPECT_THAT(Why(files.Read(outside / "secret", 0, 1).status()), HasSubstr("absolute path"));
  EXPECT_THAT(Why(files.Read("", 0, 1).status()), HasSubstr("empty name"));
  EXPECT_THAT(Why(files.Read(std::string("a\0b", 3), 0, 1).status()), HasSubstr("NUL"));
}

TEST(ExternalFiles, LinksAndSpecialFiles) {
  Folder outside, folder;
  const std::string secret = outside.Write("secret", "s");
  ExternalFiles files(folder.path());
  std::filesystem::create_symlink(secret, folder / "last");
  std::filesystem::create_directory_symlink(outside.path(), folder / "parent");
  std::filesystem::create_hard_link(secret, folder / "hard");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(folder / "d");
  EXPECT_THAT(Why(files.Read("last", 0, 1).status()), HasSubstr("symbolic link 'last'"));
  EXPECT_THAT(Why(files.Read("parent/secret", 0, 1).status()), HasSubstr("symbolic link 'parent'"));
  EXPECT_THAT(Why(files.Read("hard", 0, 1).status()), HasSubstr("hard link"));
  EXPECT_THAT(Why(files.Read("fifo", 0, 1).status()), HasSubstr("is a FIFO"));
  EXPECT_THAT(Why(files.Read("d", 0, 1).status()), HasSubstr("is a directory"));
  EXPECT_THAT(Why(files.Read("d/", 0, 1).status()), HasSubstr("is a directory"));
  EXPECT_THAT(Why(files.Read("none", 0, 1).status()), HasSubstr("No such file"));
}

TEST(ExternalFiles, NoFolder) {
  ExternalFiles files("");
  EXPECT_THAT(Why(files.Read("w.bin", 0, 1).status()), HasSubstr("loaded from memory"));
}

}  // namespace
}  // namespace braid::loader
