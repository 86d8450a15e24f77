// SPDX-License-Identifier: Apache-2.0
//
// Plugins that misbehave in each of their slots (fixtures/hostile.cc): in a process of their own where they
// end, hang or scribble, in this one where they throw. Number 25 of docs/reference/bad-inputs.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/plugins/host.h"
#include "core/plugins/isolate/isolate.h"
#include "core/plugins/testing.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

using ::testing::AnyOf;
using testing::ChainGraph;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Case {
  const char* slot;  // of the fixture
  const char* told;  // the slot that the failure names; null: nobody asks for anything after it
};

// Within fence.wait and on_ready the plugin is still in submit, as far as its process can tell.
constexpr Case kSlots[] = {
    {"braid_plugin_query", "braid_plugin_query"},
    {"plugin.enumerate", "plugin.enumerate"},
    {"plugin.open", "plugin.open"},
    {"plugin.shutdown", nullptr},
    {"device.query", "device.query"},
    {"device.estimate", "device.estimate"},
    {"device.link", "device.link"},
    {"device.compile", "device.compile"},
    {"device.check_blob", "device.check_blob"},
    {"device.load_blob", "device.load_blob"},
    {"device.buffer_alloc", "device.buffer_alloc"},
    {"device.buffer_import", "device.buffer_alloc"},
    {"device.buffer_free", "device.buffer_free"},
    {"device.transfer", "device.transfer"},
    {"device.fence_create", "device.fence_create"},
    {"device.health", "device.health"},
    {"device.close", nullptr},
    {"exec.io_requirements", "exec.io_requirements"},
    {"exec.output_dims", "exec.output_dims"},
    {"exec.workspace_size", "exec.workspace_size"},
    {"exec.submit", "exec.submit"},
    {"exec.take_output", "exec.take_output"},
    {"exec.save_blob", "exec.save_blob"},
    {"exec.destroy", "exec.destroy"},
    {"fence.wait", "exec.submit"},
    {"fence.on_ready", "exec.submit"},
    {"fence.completion", "fence.completion"},
    {"fence.cancel", "fence.cancel"},
    {"fence.signal", "fence.signal"},
    {"fence.destroy", "fence.destroy"},
};

// A session that comes by every slot; the first failure of a device that is no longer there, or OK.
class Session {
 public:
  explicit Session(bool isolate) {
    Plugin::LoadOptions options;
    options.isolate = isolate;
    auto plugin = Plugin::Load(testing::FixtureLibrary("hostile"), options);
    if (!Note(plugin.status())) return;
    auto device = (*plugin)->MakeDevice(0);
    if (!Note(device.status()) || !Note((*device)->Open())) return;
    device_ = *device;
    Calls();
    if (status_.ok()) Runs();
    if (status_.ok()) Note(device_->Health().status());
  }
  const absl::Status& status() const { return status_; }
  int failures() const { return failures_; }

 private:
  // Whether to go on: what the fixture refuses is no reason to stop.
  bool Note(const absl::Status& status) {
    if (status.ok()) return true;
    ++failures_;
    const bool ends = absl::IsUnavailable(status) || absl::IsInternal(status);
    if (ends && status_.ok()) status_ = status;
    return false;
  }
  void Calls() {
    const auto whole = GraphView::Whole(graph_);
    Note(device_->Query(*whole, {}).status());
    Note(device_->Estimate(*whole, {}, {0}, {1}).status());
    Note(device_->Link(*device_).status());
    view_ = GraphView::Segment(graph_, {0}, {});
    Note(device_->CheckBlob(*view_, {}, "blob"));
    Note(device_->LoadBlob(*view_, {}, "blob").status());
    auto exec = device_->Compile(*view_, {});
    if (!Note(exec.status())) return;
    exec_ = *std::move(exec);
    Note(exec_.SaveBlob([](std::string_view) { return absl::OkStatus(); }));
    Note(exec_.IoRequirements(view_->inputs()[0]).status());
    for (Buffer* buffer : {&in_, &out_}) {
      auto made = device_->BufferAlloc(64, 0);
      if (!Note(made.status())) return;
      *buffer = *std::move(made);
    }
    // More alignment than a page has: in memory of the plugin's own.
    auto plain = device_->BufferAlloc(64, 0, 1 << 16);
    if (!Note(plain.status())) return;
    std::array<float, 4> values = {1, 2, 3, 4};
    for (const Buffer* buffer : {&*plain, &in_}) {
      braid_transfer t = BRAID_TRANSFER_INIT;
      t.kind = BRAID_TRANSFER_WRITE;
      t.to = buffer->get();
      t.host = values.data();
      t.bytes = sizeof values;
      Fence fence;
      const braid_status status = device_->Transfer(t, &fence);
      Note(status == BRAID_OK ? fence.Result() : device_->Error(status, "transfer"));
    }
  }
  void Runs() {
    braid_binding bindings[2];
    int64_t dims[2] = {2, 2};
    for (int i : {0, 1}) {
      bindings[i] = BRAID_BINDING_INIT;
      bindings[i].value = i == 0 ? view_->inputs()[0] : view_->outputs()[0];
      bindings[i].buffer = (i == 0 ? in_ : out_).get();
      bindings[i].bytes = 16;
      bindings[i].rank = 2;
      bindings[i].dims = dims;
    }
    const auto raw = [&](braid_status status, const char* doing) {
      return Note(status == BRAID_OK ? absl::OkStatus() : device_->Error(status, doing));
    };
    int32_t rank = 0;
    int64_t found[BRAID_MAX_RANK];
    raw(exec_.OutputDims(bindings, 1, view_->outputs()[0], &rank, found), "output_dims");
    uint64_t workspace = 0;
    raw(exec_.WorkspaceSize(bindings, 1, &workspace), "workspace_size");
    braid_submit submit = BRAID_SUBMIT_INIT;
    submit.binding_count = 2;
    submit.binding_stride = sizeof(braid_binding);
    submit.bindings = bindings;
    for (uint32_t flags : {uint32_t{0}, uint32_t{BRAID_SUBMIT_TIMED}}) {
      submit.flags = flags;
      Fence fence;
      if (raw(exec_.Submit(submit, &fence), "submit")) Note(fence.Result());
      if (!fence) continue;
      Buffer taken;
      Note(exec_.TakeOutput(fence, view_->outputs()[0], &taken, &rank, found));
    }
    // One that waits for a signal of the host's, and is cancelled meanwhile.
    auto signal = device_->FenceCreate();
    if (!Note(signal.status())) return;
    braid_fence* waits[] = {signal->get()};
    submit.waits = waits;
    submit.wait_count = 1;
    Fence fence;
    if (!raw(exec_.Submit(submit, &fence), "submit")) return signal->Signal(BRAID_OK);
    fence.Cancel();
    signal->Signal(BRAID_OK);
    Note(fence.Result());
    fence.Reset();
    signal->Reset();
    // Whatever has no answer shows in the next run.
    if (auto exec = device_->Compile(*view_, {}); Note(exec.status())) exec->Reset();
    if (auto buffer = device_->BufferAlloc(64, 0); Note(buffer.status())) buffer->Reset();
    submit.wait_count = 0;
    if (raw(exec_.Submit(submit, &fence), "submit")) Note(fence.Result());
  }
  Graph graph_ = ChainGraph();
  absl::Status status_;
  int failures_ = 0;
  std::shared_ptr<Device> device_;
  std::unique_ptr<GraphView> view_;
  Exec exec_;
  Buffer in_, out_;
};

class BadInput25 : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogSink([](void*, int32_t, std::string_view, std::string_view) {}, nullptr);
  }
  void TearDown() override {
    unsetenv("FIXTURE_HOSTILE");
    unsetenv("BRAID_ISOLATE_DEADLINE_MS");
    SetLogSink(nullptr, nullptr);
    // No process is left, nor was one forgotten.
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }
  // As FIXTURE_HOSTILE says.
  static void OpenIsolated(std::shared_ptr<Plugin>* plugin, std::shared_ptr<Device>* device) {
    Plugin::LoadOptions options;
    options.isolate = true;
    auto loaded = Plugin::Load(testing::FixtureLibrary("hostile"), options);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    auto made = (*loaded)->MakeDevice(0);
    ASSERT_TRUE(made.ok() && (*made)->Open().ok());
    *plugin = *std::move(loaded);
    *device = *std::move(made);
  }
  static absl::Status Misbehaves(const std::string& way, const char* slot) {
    if (way == "hang") setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
    setenv("FIXTURE_HOSTILE", (way + "@" + slot).c_str(), 1);
    return Session(true).status();
  }
  // The call in which it misbehaves so ends at its deadline.
  static void EndsAtTheDeadline(const char* way, const char* slot) {
    setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
    const uint64_t start = HostNow();
    const absl::Status status = Misbehaves(way, slot);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::string("did not answer ") + slot + " within its deadline"));
    EXPECT_LT(HostNow() - start, 4'000'000'000u);
  }
  // What the plugin's processes leave behind becomes this one's, which then waits for the end of it all: how
  // many were ended by SIGKILL, or -1 if others are left.
  static void AdoptOrphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  static int Orphans() {
    int killed = 0, status = 0;
    for (int i = 0; i < 500; ++i) {
      const pid_t ended = waitpid(-1, &status, WNOHANG);
      if (ended < 0) return killed;
      if (ended == 0) usleep(10'000);
      if (ended > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++killed;
    }
    return -1;
  }
};

TEST_F(BadInput25, ThatBehavesIsFine) {
  const Session isolated(true), here(false);
  EXPECT_TRUE(isolated.status().ok()) << isolated.status();
  EXPECT_TRUE(here.status().ok()) << here.status();
  EXPECT_EQ(isolated.failures(), 3);  // the stale blob, and two outputs that are not to be taken
}

class EndsIn : public BadInput25, public ::testing::WithParamInterface<std::tuple<const char*, Case>> {};

TEST_P(EndsIn, Slot) {
  const auto& [way, where] = GetParam();
  const uint64_t start = HostNow();
  const absl::Status status = Misbehaves(way, where.slot);
  EXPECT_LT(HostNow() - start, 6'000'000'000u);
  if (where.told == nullptr) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  const std::string text(status.message());
  EXPECT_THAT(text, AnyOf(HasSubstr("hostile"), HasSubstr("fixture_hostile.so")));
  // Memory that was scribbled over ends the process in whichever slot comes upon it, and who destroys a fence
  // does not wait for that.
  const bool anywhere =
      std::string_view(way) == "scribble" || std::string_view(where.slot) == "fence.destroy";
  EXPECT_THAT(text, AnyOf(HasSubstr(where.told), HasSubstr(anywhere ? " in " : where.told),
                          HasSubstr(anywhere ? "did not answer " : where.told)));
  const std::map<std::string, std::string> ends = {{"segv", "signal 11"},           {"abort", "signal 6"},
                                                   {"overflow", "signal 11"},       {"exit", "status 3"},
                                                   {"hang", "within its deadline"}, {"scribble", "signal "}};
#ifdef BRAID_SANITIZED
  // What the host's part of the process, which has them, comes upon first.
  if (std::string_view(way) == "scribble") return;
#endif
  EXPECT_THAT(text, HasSubstr(ends.at(way)));
}

std::string NameOf(const ::testing::TestParamInfo<std::tuple<const char*, Case>>& info) {
  std::string out = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).slot;
  for (char& c : out)
    if (c == '.') c = '_';
  return out;
}

INSTANTIATE_TEST_SUITE_P(Isolated, EndsIn,
                         ::testing::Combine(::testing::Values("segv", "exit", "hang", "scribble"),
                                            ::testing::ValuesIn(kSlots)),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(IsolatedToo, EndsIn,
                         ::testing::Combine(::testing::Values("abort", "overflow"),
                                            ::testing::Values(Case{"device.compile", "device.compile"},
                                                              Case{"exec.submit", "exec.submit"})),
                         NameOf);

// What is thrown stops at the boundary, in this process and in the plugin's.
class Throws : public BadInput25, public ::testing::WithParamInterface<Case> {};

TEST_P(Throws, Slot) {
  const Case& where = GetParam();
  const std::string way = std::string("throw@") + where.slot;
  // Without these a run is never known to have ended: only the deadline of a process ends it.
  const std::string slot = where.slot;
  const bool waits = slot == "fence.signal" || slot == "fence.on_ready";
  if (waits) setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
  for (bool isolate : {false, true}) {
    if (waits && !isolate) continue;
    setenv("FIXTURE_HOSTILE", way.c_str(), 1);
    const absl::Status status = Session(isolate).status();
    unsetenv("FIXTURE_HOSTILE");
    if (waits) {
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      continue;
    }
    // What gives no status has nothing to tell.
    static const std::set<std::string> kNoStatus = {"plugin.shutdown", "device.buffer_free", "device.close",
                                                    "exec.destroy",    "fence.on_ready",     "fence.cancel",
                                                    "fence.signal",    "fence.destroy"};
    if (kNoStatus.contains(slot)) {
      EXPECT_TRUE(status.ok()) << isolate << status;
      continue;
    }
    // What is not always called.
    if ((slot == "device.buffer_import" || slot == "fence.wait") && status.ok()) continue;
    EXPECT_TRUE(absl::IsInternal(status)) << isolate << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("thrown in ") + where.slot));
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Throws, ::testing::ValuesIn(kSlots), [](const auto& info) {
  std::string out = info.param.slot;
  for (char& c : out)
    if (c == '.') c = '_';
  return out;
});

TEST_F(BadInput25, CrashInAThreadOfThePlugins) {
  const absl::Status status = Misbehaves("thread", "exec.submit");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("signal 11 (Segmentation fault) in a thread of the plugin's own"));
}

// Its child holds the descriptors of the process: who waits for their end would wait for the child.
TEST_F(BadInput25, Forks) {
  AdoptOrphans();
  const uint64_t start = HostNow();
  const absl::Status status = Misbehaves("fork", "exec.submit:4");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Orphans(), 1);
  EXPECT_LT(HostNow() - start, 2'000'000'000u);
}

TEST_F(BadInput25, ForksAndCrashes) {
  AdoptOrphans();
  setenv("BRAID_ISOLATE_DEADLINE_MS", "5000", 1);
  const uint64_t start = HostNow();
  const absl::Status status = Misbehaves("fork_crash", "exec.submit:3");
  EXPECT_LT(HostNow() - start, 2'000'000'000u);
  EXPECT_THAT(std::string(status.message()), HasSubstr("was ended by signal 9 (Killed) in exec.submit"));
  EXPECT_EQ(Orphans(), 1);
}

// Nobody is left to end what it has started.
TEST_F(BadInput25, TheApplicationIsKilled) {
  AdoptOrphans();
  setenv("FIXTURE_HOSTILE", "fork@exec.submit", 1);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t application = fork();
  if (application == 0) {
    auto session = std::make_unique<Session>(true);
    const bool well = session->status().ok();
    if (write(ready[1], &well, 1) != 1) _exit(1);
    pause();
  }
  bool well = false;
  EXPECT_EQ(read(ready[0], &well, 1), 1);
  EXPECT_TRUE(well);
  for (int end : ready) close(end);
  kill(application, SIGKILL);
  EXPECT_EQ(Orphans(), 6);  // it, the plugin's process, and a helper of each of four runs
}

// Nothing that comes over the socket keeps a deadline from being looked at.
TEST_F(BadInput25, HalfAMessage) { EndsAtTheDeadline("half_message", "device.health"); }

TEST_F(BadInput25, MessagesThatCannotBe) {
  const auto most = [] {
    rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;  // KiB
  };
  const auto before = most();
  for (const char* way : {"huge_message", "stray"}) {
    setenv("BRAID_ISOLATE_DEADLINE_MS", "5000", 1);
    const uint64_t start = HostNow();
    const absl::Status status = Misbehaves(way, "exec.submit:2");
    EXPECT_THAT(std::string(status.message()), HasSubstr("sent what is no message, and was ended")) << way;
    EXPECT_LT(HostNow() - start, 3'000'000'000u) << way;
  }
  EXPECT_LT(most() - before, 256 << 10);
}

TEST_F(BadInput25, NobodyReadsTheSocket) {
  setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
  setenv("FIXTURE_HOSTILE", "stop@device.health", 1);
  std::shared_ptr<Plugin> plugin;
  std::shared_ptr<Device> device;
  ASSERT_NO_FATAL_FAILURE(OpenIsolated(&plugin, &device));
  auto signal = device->FenceCreate();
  ASSERT_TRUE(signal.ok() && device->Health().ok());
  usleep(300'000);
  const uint64_t start = HostNow();
  for (int i = 0; i < 10'000; ++i) signal->Signal(BRAID_OK);
  EXPECT_THAT(std::string(device->Health().status().message()), HasSubstr("did not read what it was sent"));
  EXPECT_LT(HostNow() - start, 5'000'000'000u);
}

// Nor does what is on the board.
TEST_F(BadInput25, TheBoardIsWrittenOver) {
  for (int i = 0; i < 5; ++i) {
    setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
    const uint64_t start = HostNow();
    const absl::Status status = Misbehaves("board", "exec.submit");
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_LT(HostNow() - start, 5'000'000'000u);
  }
}

TEST_F(BadInput25, WhoSleepsIsForgotten) { EndsAtTheDeadline("cells", "exec.submit"); }

// No run is under way whose deadline would end it.
TEST_F(BadInput25, TheRingStaysFull) {
  setenv("BRAID_ISOLATE_DEADLINE_MS", "1000", 1);
  setenv("FIXTURE_HOSTILE", "hang@device.buffer_free", 1);
  std::shared_ptr<Plugin> plugin;
  std::shared_ptr<Device> device;
  ASSERT_NO_FATAL_FAILURE(OpenIsolated(&plugin, &device));
  const uint64_t start = HostNow();
  absl::Status status;
  for (int i = 0; i < 20'000 && status.ok(); ++i) status = device->BufferAlloc(64, 0, 1 << 16).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("did not end device.buffer_free within its deadline"));
  EXPECT_LT(HostNow() - start, 10'000'000'000u);
}

TEST_F(BadInput25, CallsBackFromAForeignThread) {
  for (bool isolate : {false, true}) {
    setenv("FIXTURE_HOSTILE", "callback@exec.submit", 1);
    const absl::Status status = Session(isolate).status();
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST_F(BadInput25, WrongRankIsRefused) {
  for (bool isolate : {false, true}) {
    setenv("FIXTURE_HOSTILE", "rank@exec.output_dims", 1);
    const absl::Status status = Session(isolate).status();
    EXPECT_TRUE(absl::IsInternal(status)) << status;
  }
}

// Memory of this process is not reached by one that writes past the end, changes its inputs, or uses what it
// has freed: the buffers that it was given hold what it wrote, its process may end, and that is all.
TEST_F(BadInput25, WritesWhereItMustNot) {
  for (const char* way : {"past", "inputs", "freed"}) {
    std::vector<char> witness(1 << 20, 7);
    const absl::Status status = Misbehaves(way, "exec.submit");
    EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << way << ": " << status;
    EXPECT_EQ(witness, std::vector<char>(1 << 20, 7));
  }
}

}  // namespace
}  // namespace braid
