// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/plugins/host.h"
#include "core/plugins/testing.h"

namespace braid {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FixtureLibrary;
using ::testing::HasSubstr;
using testing::In;
using testing::Install;
using ::testing::IsEmpty;
using testing::ManifestText;
using ::testing::StartsWith;
using testing::TempDir;
namespace fs = std::filesystem;

// Warnings that tests provoke stay out of the output.
class Quiet : public ::testing::Environment {
 public:
  void SetUp() override {
    SetLogSink([](void*, int32_t, std::string_view, std::string_view) {}, nullptr);
  }
};
const auto* const quiet = ::testing::AddGlobalTestEnvironment(new Quiet);

PluginReport OnlyReport(Registry& registry) {
  registry.Devices();
  const std::vector<PluginReport> reports = registry.Report();
  EXPECT_EQ(reports.size(), 1u);
  return reports.empty() ? PluginReport() : reports[0];
}

// What becomes of a fixture whose manifest is right.
PluginReport Try(const std::string& fixture, const std::string& id = "fixture") {
  TempDir dir;
  Install(dir.path(), fixture, id);
  Registry registry(In({dir.path()}));
  return OnlyReport(registry);
}

TEST(Registry, LoadsWhatItFindsAndListsDevices) {
  TempDir dir;
  Install(dir.path() + "/a", "good", "fixture");
  Install(dir.path() + "/b", "other", "other");
  Registry registry(In({dir.path() + "/a", dir.path() + "/missing", dir.path() + "/b"}));
  std::vector<std::string> names;
  for (const auto& device : registry.Devices()) names.push_back(device->name());
  EXPECT_THAT(names, ElementsAre("fixture:0", "other:0", "other:1"));
  const auto plugins = registry.Plugins();
  ASSERT_EQ(plugins.size(), 2u);
  EXPECT_EQ(plugins[0]->vendor(), "fixture vendor");
  EXPECT_EQ(plugins[0]->version(), "1.2.3");
  EXPECT_EQ(plugins[0]->newest_opset(), 28);
  const auto directories = registry.Directories();
  EXPECT_EQ(directories[0].note, "1 manifest");
  EXPECT_EQ(directories[1].note, "does not exist");
  EXPECT_THAT(registry.Report()[1].devices, ElementsAre("other:0 fixture device", "other:1 fixture device"));
  auto device = registry.Find("other:1");
  ASSERT_TRUE(device.ok());
  EXPECT_EQ((*device)->info().queues, 2u);
  EXPECT_FALSE((*device)->is_open());
  EXPECT_EQ((*registry.Find("other"))->name(), "other:0");
  EXPECT_THAT(std::string(registry.Find("othr").status().message()),
              AllOf(HasSubstr("'othr'"), HasSubstr("fixture:0, other:0, other:1")));
}

TEST(Registry, TablesLargerThanOursAreTaken) { EXPECT_EQ(Try("size_huge").outcome, PluginReport::kLoaded); }

TEST(Registry, NoPluginAtAllSaysWhereItLooked) {
  TempDir dir;
  Registry registry(In({dir.path(), "/nowhere/braid/plugins"}));
  EXPECT_THAT(registry.Devices(), IsEmpty());
  EXPECT_THAT(
      registry.WhyNone(),
      AllOf(HasSubstr("no plugin was found"), HasSubstr(dir.path() + " (test): no manifest"),
            HasSubstr("/nowhere/braid/plugins (test): does not exist"), HasSubstr("BRAID_PLUGIN_PATH")));
  EXPECT_THAT(std::string(registry.Find("auto").status().message()), HasSubstr("/nowhere/braid/plugins"));
}

TEST(Registry, RelativeFoldersAreNotSearched) {
  TempDir dir;
  Install(dir.path() + "/plugins", "good", "fixture");
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  Registry registry(In({"plugins", ".", ""}));
  EXPECT_THAT(registry.Devices(), IsEmpty());
  fs::current_path(before);
  for (const DirectoryReport& directory : registry.Directories())
    EXPECT_EQ(directory.note, "not an absolute path; left out");
}

TEST(Registry, GlobsChoose) {
  TempDir dir;
  Install(dir.path(), "good", "fixture");
  Install(dir.path(), "other", "other");
  RegistryOptions options = In({dir.path()});
  options.enable = "fix*,no";
  Registry enabled(options);
  ASSERT_EQ(enabled.Plugins().size(), 1u);
  EXPECT_EQ(enabled.Plugins()[0]->id(), "fixture");
  EXPECT_THAT(enabled.Report()[1].reason, HasSubstr("BRAID_PLUGINS is 'fix*,no'"));
  EXPECT_EQ(enabled.Report()[1].outcome, PluginReport::kDisabled);
  options.enable = "*";
  options.disable = "f?xture";
  Registry disabled(options);
  ASSERT_EQ(disabled.Plugins().size(), 1u);
  EXPECT_EQ(disabled.Plugins()[0]->id(), "other");
}

TEST(Registry, EnvironmentGivesTheSearchOrder) {
  setenv("BRAID_PLUGIN_PATH", "/one:/two", 1);
  setenv("XDG_DATA_HOME", "/data", 1);
  setenv("BRAID_DISABLE_PLUGINS", "slow*", 1);
  setenv("BRAID_ISOLATE", "1", 1);
  const RegistryOptions options = RegistryOptions::FromEnvironment();
  for (const char* name : {"BRAID_PLUGIN_PATH", "XDG_DATA_HOME", "BRAID_DISABLE_PLUGINS", "BRAID_ISOLATE"})
    unsetenv(name);
  std::vector<std::string> paths;
  for (const DirectoryReport& directory : options.directories) paths.push_back(directory.path);
  ASSERT_EQ(paths.size(), 6u);
  EXPECT_THAT(std::vector<std::string>(paths.begin(), paths.begin() + 5),
              ElementsAre("/one", "/two", "/data/braid/plugins", "/usr/local/lib/braid/plugins",
                          "/usr/lib/braid/plugins"));
  EXPECT_THAT(paths[5], HasSubstr("/braid/plugins"));
  EXPECT_EQ(options.directories[5].origin, "libbraid");
  EXPECT_EQ(options.disable, "slow*");
  EXPECT_EQ(options.isolate, "*");
}

TEST(Registry, RefreshFindsWhatIsNewAndKeepsWhatIsThere) {
  TempDir dir;
  Install(dir.path(), "good", "fixture");
  Registry registry(In({dir.path()}));
  const auto first = registry.Devices();
  ASSERT_EQ(first.size(), 1u);
  Install(dir.path(), "other", "other");
  registry.Refresh();
  const auto second = registry.Devices();
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(second[0], first[0]);
}

TEST(Registry, ReplaceGivesAFreshDevice) {
  TempDir dir;
  Install(dir.path(), "good", "fixture");
  Registry registry(In({dir.path()}));
  const auto old = registry.Devices()[0];
  ASSERT_TRUE(old->Open().ok());
  auto fresh = registry.Replace(old);
  ASSERT_TRUE(fresh.ok());
  EXPECT_NE(*fresh, old);
  EXPECT_EQ((*fresh)->name(), old->name());
  EXPECT_FALSE((*fresh)->is_open());
  EXPECT_EQ(registry.Devices()[0], *fresh);
}

// ---- Bad inputs 24: manifests ----

TEST(BadInput24, ManifestIsMalformedJson) {
  TempDir dir;
  const std::string path = dir.Write("x.braid.json", R"({"id": "x", "library": )");
  Registry registry(In({dir.path()}));
  const PluginReport report = OnlyReport(registry);
  EXPECT_EQ(report.outcome, PluginReport::kBadManifest);
  EXPECT_THAT(report.reason, AllOf(StartsWith(path + ": is not JSON"), HasSubstr("line 1")));
  EXPECT_THAT(registry.WhyNone(), HasSubstr("bad manifest"));
}

TEST(BadInput24, ManifestsThatSayNonsense) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "is not JSON"},
      {"[]", "is not a JSON object"},
      {R"({"library": "l.so", "abi": "0.1"})", "lacks the key 'id'"},
      {R"({"id": "x", "abi": "0.1"})", "lacks the key 'library'"},
      {R"({"id": "x", "library": "l.so"})", "lacks the key 'abi'"},
      {R"({"id": 7, "library": "l.so", "abi": "0.1"})", "'id' is no string"},
      {R"({"id": "../x", "library": "l.so", "abi": "0.1"})", "id '../x' is none"},
      {R"({"id": "", "library": "l.so", "abi": "0.1"})", "id '' is none"},
      {R"({"id": "x", "library": "", "abi": "0.1"})", "'library' is empty"},
      {R"({"id": "x", "library": "a\u0000b", "abi": "0.1"})", "'library' has a zero in it"},
      {R"({"id": "x", "library": "l.so", "abi": "one"})", "abi 'one' is no version"},
      {R"({"id": "x", "library": "l.so", "abi": "0.1", "devices": "gpu"})", "'devices' is no list"},
  };
  for (const auto& [text, why] : cases) {
    const auto manifest = ParseManifest(text, "/p/x.braid.json");
    EXPECT_THAT(std::string(manifest.status().message()),
                AllOf(StartsWith("/p/x.braid.json: "), HasSubstr(why)))
        << text;
  }
  std::string deep(200000, '[');
  EXPECT_FALSE(ParseManifest(deep, "/p/x.braid.json").ok());
}

TEST(BadInput24, UnknownKeysAreLeftAlone) {
  const auto manifest = ParseManifest(
      R"({"id": "x", "library": "sub/l.so", "abi": "0.1", "later": {"a": [1]}})", "/p/x.braid.json");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->library, "/p/sub/l.so");
  EXPECT_EQ(manifest->abi_minor, 1u);
}

TEST(BadInput24, ManifestIsHugeOrNoFile) {
  TempDir dir;
  dir.Write("big.braid.json", std::string(2 << 20, ' '));
  fs::create_directory(dir.path() + "/folder.braid.json");
  ASSERT_EQ(mkfifo((dir.path() + "/pipe.braid.json").c_str(), 0600), 0);
  fs::create_symlink("nothing", dir.path() + "/void.braid.json");
  Registry registry(In({dir.path()}));
  EXPECT_THAT(registry.Devices(), IsEmpty());
  const auto reports = registry.Report();
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_THAT(reports[0].reason, HasSubstr("too much for a manifest"));
  EXPECT_THAT(reports[1].reason, HasSubstr("is not a regular file"));
  EXPECT_THAT(reports[2].reason, HasSubstr("is not a regular file"));
  EXPECT_THAT(reports[3].reason, HasSubstr("No such file"));
}

TEST(BadInput24, LibraryIsMissing) {
  TempDir dir;
  dir.Write("x.braid.json", ManifestText("x", "libx.so"));
  Registry registry(In({dir.path()}));
  const PluginReport report = OnlyReport(registry);
  EXPECT_EQ(report.outcome, PluginReport::kBadLibrary);
  EXPECT_THAT(report.reason, AllOf(HasSubstr("libx.so is missing"), HasSubstr("No such file")));
}

TEST(BadInput24, LibraryIsOutOfTheFolder) {
  TempDir dir;
  const std::string outside = dir.path() + "/outside.so";
  fs::copy_file(FixtureLibrary("good"), outside);
  for (const std::string& library :
       {std::string("../outside.so"), std::string("a/../../outside.so"), outside}) {
    const auto manifest = ParseManifest(ManifestText("x", library), dir.path() + "/p/x.braid.json");
    EXPECT_EQ(manifest.status().code(), absl::StatusCode::kInvalidArgument) << library;
    EXPECT_THAT(std::string(manifest.status().message()), HasSubstr(library));
  }
  dir.Write("p/x.braid.json", ManifestText("fixture", "link.so"));
  fs::create_symlink(outside, dir.path() + "/p/link.so");
  Registry registry(In({dir.path() + "/p"}));
  const PluginReport report = OnlyReport(registry);
  EXPECT_EQ(report.outcome, PluginReport::kBadManifest);
  EXPECT_THAT(report.reason, AllOf(HasSubstr("leaves the manifest's folder"), HasSubstr(outside)));
}

TEST(BadInput24, LibraryIsForAnotherMachine) {
  std::string elf;
  {
    std::ifstream in(FixtureLibrary("good"), std::ios::binary);
    elf.assign(std::istreambuf_iterator<char>(in), {});
  }
  const struct {
    size_t offset;
    char byte;
    const char* why;
  } cases[] = {{18, 8, "ELF machine 8"},
               {4, 1, "32-bit"},
               {5, 2, "big-endian"},
               {16, 2, "ELF type 2"},
               {0, 'M', "no ELF file"}};
  for (const auto& [offset, byte, why] : cases) {
    TempDir dir;
    std::string changed = elf;
    changed[offset] = byte;
    dir.Write("libx.so", changed);
    dir.Write("x.braid.json", ManifestText("fixture", "libx.so"));
    Registry registry(In({dir.path()}));
    const PluginReport report = OnlyReport(registry);
    EXPECT_EQ(report.outcome, PluginReport::kBadLibrary);
    EXPECT_THAT(report.reason, AllOf(HasSubstr(dir.path() + "/libx.so"), HasSubstr(why)));
  }
  TempDir dir;
  dir.Write("libx.so", elf.substr(0, elf.size() / 3));
  dir.Write("x.braid.json", ManifestText("fixture", "libx.so"));
  Registry registry(In({dir.path()}));
  EXPECT_EQ(OnlyReport(registry).outcome, PluginReport::kBadLibrary);
}

TEST(BadInput24, TwoPluginsOfOneId) {
  TempDir dir;
  Install(dir.path() + "/first", "good", "fixture");
  Install(dir.path() + "/second", "good", "fixture");
  Registry registry(In({dir.path() + "/first", dir.path() + "/second"}));
  EXPECT_EQ(registry.Devices().size(), 1u);
  const auto reports = registry.Report();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].outcome, PluginReport::kLoaded);
  EXPECT_EQ(reports[1].outcome, PluginReport::kDuplicate);
  EXPECT_THAT(reports[1].reason, HasSubstr(dir.path() + "/first/good.braid.json"));
}

TEST(BadInput24, ABrokenLibraryDoesNotHideAGoodOneOfItsId) {
  TempDir dir;
  dir.Write("first/x.braid.json", ManifestText("fixture", "libx.so"));
  dir.Write("first/libx.so", "this is no library");
  Install(dir.path() + "/second", "good", "fixture");
  Registry registry(In({dir.path() + "/first", dir.path() + "/second"}));
  EXPECT_EQ(registry.Devices().size(), 1u);
  EXPECT_EQ(registry.Report()[0].outcome, PluginReport::kBadLibrary);
}

TEST(BadInput24, ManifestIsForAnotherAbi) {
  TempDir dir;
  Install(dir.path(), "good", "fixture");
  dir.Write("good.braid.json", R"({"id": "fixture", "library": "libgood.so", "abi": "3.9"})");
  Registry registry(In({dir.path()}));
  const PluginReport report = OnlyReport(registry);
  EXPECT_EQ(report.outcome, PluginReport::kRefused);
  EXPECT_THAT(report.reason, HasSubstr("is for ABI 3.9; this Braid speaks 0.1"));
}

// ---- Bad inputs 25, what touches loading: plugins ----

TEST(BadInput25, PluginsThatCannotBeTaken) {
  const struct {
    const char* fixture;
    PluginReport::Outcome outcome;
    const char* why;
  } cases[] = {
      {"no_symbol", PluginReport::kRefused, "has no symbol braid_plugin_query"},
      {"wrong_major", PluginReport::kRefused, "speaks ABI 99.0; this Braid speaks 0.1"},
      {"wrong_minor", PluginReport::kRefused, "speaks ABI 0.99; this Braid speaks 0.1"},
      {"size_zero", PluginReport::kRefused, "braid_plugin says that it has 0 bytes"},
      {"size_small", PluginReport::kRefused, "braid_plugin says that it has 40 bytes"},
      {"null_slot", PluginReport::kRefused, "table braid_exec_fns lacks submit"},
      {"no_table", PluginReport::kRefused, "gave OK and no table"},
      {"refuses", PluginReport::kRefused, "refused to load: this machine has no widget bus"},
      {"throws", PluginReport::kRefused, "the vendor's initialiser fell over"},
      {"bad_device", PluginReport::kFailed, "alignments 3 and 1 are not both powers of two"},
  };
  for (const auto& [fixture, outcome, why] : cases) {
    const PluginReport report = Try(fixture);
    EXPECT_EQ(report.outcome, outcome) << fixture;
    EXPECT_THAT(report.reason, HasSubstr(why)) << fixture;
  }
}

TEST(BadInput25, IdDiffersFromTheManifest) {
  EXPECT_THAT(Try("good", "somebody").reason,
              HasSubstr("says that its id is 'fixture', its manifest that it is 'somebody'"));
}

TEST(BadInput25, NoDeviceIsNoError) {
  const PluginReport report = Try("no_devices");
  EXPECT_EQ(report.outcome, PluginReport::kLoaded);
  EXPECT_THAT(report.reason, HasSubstr("found no device"));
}

TEST(BadInput25, OneBadPluginDoesNotHurtTheOthers) {
  TempDir dir;
  Install(dir.path(), "throws", "throws");
  Install(dir.path(), "null_slot", "fixture", "z");
  Install(dir.path(), "other", "other");
  Registry registry(In({dir.path()}));
  EXPECT_EQ(registry.Devices().size(), 2u);
}

}  // namespace
}  // namespace braid
