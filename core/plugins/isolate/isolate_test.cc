// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/isolate.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "core/plugins/host.h"
#include "core/plugins/isolate/board.h"
#include "core/plugins/isolate/wire.h"
#include "core/plugins/testing.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

using testing::ChainGraph;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<Device> Isolated(const std::string& fault = "", bool check = false,
                                 const std::string& fixture = "good") {
  Plugin::LoadOptions options;
  options.check = check;
  options.isolate = true;
  auto plugin = Plugin::Load(testing::FixtureLibrary(fixture), options);
  EXPECT_TRUE(plugin.ok()) << plugin.status();
  if (!plugin.ok()) return nullptr;
  auto device = (*plugin)->MakeDevice(0, fault.empty() ? Options() : Options{{"fault", fault}});
  EXPECT_TRUE(device.ok()) << device.status();
  return device.ok() ? *device : nullptr;
}

// One node of ChainGraph on buffers of an isolated device.
struct Segment {
  explicit Segment(NodeId node, const std::string& fault = "", bool check = false,
                   const std::string& fixture = "good")
      : device(Isolated(fault, check, fixture)), graph(ChainGraph()) {
    view = GraphView::Segment(graph, {node}, {});
    auto compiled = device->Compile(*view, {});
    status = compiled.status();
    if (!compiled.ok()) return;
    exec = *std::move(compiled);
    in = *device->BufferAlloc(16, 0);
    out = *device->BufferAlloc(16, 0);
    for (int i : {0, 1}) {
      bindings[i] = BRAID_BINDING_INIT;
      bindings[i].value = i == 0 ? view->inputs()[0] : view->outputs()[0];
      bindings[i].buffer = (i == 0 ? in : out).get();
      bindings[i].bytes = 16;
      bindings[i].rank = 2;
      bindings[i].dims = dims;
    }
    submit.binding_count = 2;
    submit.binding_stride = sizeof(braid_binding);
    submit.bindings = bindings;
  }
  Fence Transfer(int32_t kind, const Buffer& buffer, void* host, uint64_t bytes) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = kind;
    (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = buffer.get();
    t.host = host;
    t.bytes = bytes;
    Fence fence;
    EXPECT_EQ(device->Transfer(t, &fence), BRAID_OK);
    return fence;
  }
  // Writes, runs and reads, queued without a wait between.
  absl::Status Run(const std::array<float, 4>& values, std::array<float, 4>* result) {
    std::array<float, 4> source = values;
    Fence write = Transfer(BRAID_TRANSFER_WRITE, in, source.data(), 16), run;
    EXPECT_EQ(exec.Submit(submit, &run), BRAID_OK);
    Fence read = Transfer(BRAID_TRANSFER_READ, out, result->data(), 16);
    for (Fence* fence : {&write, &run, &read})
      if (absl::Status s = fence->Result(); !s.ok()) return s;
    return absl::OkStatus();
  }
  std::shared_ptr<Device> device;
  Graph graph;
  std::unique_ptr<GraphView> view;
  absl::Status status;
  int64_t dims[2] = {2, 2};
  braid_binding bindings[2];
  braid_submit submit = BRAID_SUBMIT_INIT;
  Buffer in, out;
  Exec exec;
};

class Isolation : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogSink([](void*, int32_t, std::string_view, std::string_view) {}, nullptr);
  }
  // Every process is gone and was waited for.
  void TearDown() override {
    SetLogSink(nullptr, nullptr);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }
};

TEST_F(Isolation, GivesTheSameResultsAsInProcess) {
  Segment neg(0), add(1);
  ASSERT_TRUE(neg.status.ok()) << neg.status;
  ASSERT_TRUE(add.status.ok()) << add.status;
  EXPECT_TRUE(neg.device->plugin()->isolated());
  for (float x = 0; x < 100; ++x) {
    std::array<float, 4> result{};
    ASSERT_TRUE(neg.Run({x, 2, 3, 4}, &result).ok());
    EXPECT_THAT(result, ElementsAre(-x, -2, -3, -4));
    ASSERT_TRUE(add.Run({x, 2, 3, 4}, &result).ok());
    EXPECT_THAT(result, ElementsAre(x + 10, 22, 13, 24));  // with a constant that the host has
  }
}

TEST_F(Isolation, UnderTheCheckedLayer) {
  auto s = std::make_unique<Segment>(1, "", true);
  ASSERT_TRUE(s->status.ok()) << s->status;
  std::array<float, 4> result{};
  ASSERT_TRUE(s->Run({1, 2, 3, 4}, &result).ok());
  EXPECT_THAT(result, ElementsAre(11, 22, 13, 24));
  const auto plugin = s->device->plugin();
  EXPECT_EQ(plugin->violations(), 0u);
  s->dims[1] = 3;
  (void)s->Run({1, 2, 3, 4}, &result);
  EXPECT_GT(plugin->violations(), 0u);
}

TEST_F(Isolation, CallsCross) {
  Segment s(0);
  EXPECT_EQ(s.device->name(), "fixture:0");
  EXPECT_EQ(s.device->info().name, "fixture device");
  EXPECT_EQ(s.device->info().queues, 2u);
  EXPECT_FALSE(s.device->info().Has(BRAID_HOST_BINDINGS));
  const auto verdicts = s.device->Query(*GraphView::Whole(s.graph), {});
  ASSERT_TRUE(verdicts.ok()) << verdicts.status();
  EXPECT_EQ((*verdicts)[1].code, BRAID_YES);
  EXPECT_STREQ((*verdicts)[2].detail, "only Neg and Add");
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  ASSERT_EQ(s.exec.OutputDims(s.bindings, 1, s.view->outputs()[0], &rank, dims), BRAID_OK);
  EXPECT_EQ(rank, 2);
  EXPECT_EQ(dims[1], 2);
  EXPECT_EQ(s.exec.IoRequirements(s.view->inputs()[0])->alignment, 4u);
  uint64_t bytes = 7;
  EXPECT_EQ(s.exec.WorkspaceSize(s.bindings, 1, &bytes), BRAID_OK);
  EXPECT_EQ(bytes, 0u);
  EXPECT_EQ(s.device->Health()->memory_free, 1u << 20);
  EXPECT_EQ(s.device->Estimate(*GraphView::Whole(s.graph), {}, {}, {}).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(Isolation, TextsOfFailuresCross) {
  Segment s(0, "text");
  EXPECT_EQ(s.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(s.status.message()), HasSubstr("the fixture has no room for 7 widgets"));
  Segment bad(0, "nonsense");
  EXPECT_TRUE(bad.status.ok());
  std::array<float, 4> result;
  bad.bindings[0].value = 77;  // the plugin refuses, after submit has come back
  EXPECT_EQ(bad.Run({}, &result).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Isolation, ALibraryThatCannotBeLoadedIsRefusedWithItsReason) {
  Plugin::LoadOptions options;
  options.isolate = true;
  const auto refused = Plugin::Load(testing::FixtureLibrary("refuses"), options);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("this machine has no widget bus"));
  const auto throws = Plugin::Load(testing::FixtureLibrary("throws"), options);
  EXPECT_THAT(std::string(throws.status().message()), HasSubstr("fell over"));
}

TEST_F(Isolation, LargeTransfersAndManyRunsAtOnce) {
  Segment s(0);
  Buffer big = *s.device->BufferAlloc(8 << 20, 0);
  std::vector<uint32_t> source(2 << 20), back(2 << 20);
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint32_t>(i * 2654435761u);
  Fence write = s.Transfer(BRAID_TRANSFER_WRITE, big, source.data(), 8 << 20);
  Fence read = s.Transfer(BRAID_TRANSFER_READ, big, back.data(), 8 << 20);
  // Reads what the read before has still to bring.
  Fence again = s.Transfer(BRAID_TRANSFER_WRITE, s.in, back.data(), 16);
  EXPECT_TRUE(read.Result().ok());
  EXPECT_EQ(back, source);
  std::vector<Fence> fences(200);
  for (Fence& fence : fences) ASSERT_EQ(s.exec.Submit(s.submit, &fence), BRAID_OK);
  for (Fence& fence : fences) EXPECT_TRUE(fence.Result().ok());
}

TEST_F(Isolation, SeveralThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  auto device = Isolated();
  ASSERT_TRUE(device->Open().ok());
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const Graph graph = ChainGraph();
      for (int i = 0; i < 20; ++i) {
        const auto view = GraphView::Segment(graph, {1}, {});
        auto exec = device->Compile(*view, {});
        auto buffer = device->BufferAlloc(64, 0);
        if (!exec.ok() || !buffer.ok()) wrong.fetch_add(1);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(Isolation, OutlivesTheThreadThatStartedIt) {
  std::shared_ptr<Device> device;
  std::thread([&] {
    device = Isolated();
    EXPECT_TRUE(device != nullptr && device->Open().ok());
  }).join();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(device->BufferAlloc(16, 0).ok());
}

TEST_F(Isolation, ACrashLosesTheDeviceAndNothingElse) {
  Segment s(0, "crash");
  std::array<float, 4> result{};
  std::atomic<int> called{-1};
  Fence run;
  ASSERT_EQ(s.exec.Submit(s.submit, &run), BRAID_OK);
  run.OnReady([](void* c, braid_status status) { static_cast<std::atomic<int>*>(c)->store(status); },
              &called);
  const absl::Status ended = run.Result();
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ended.message()), HasSubstr("was ended by signal 6"));
  while (called.load() < 0) std::this_thread::yield();
  EXPECT_EQ(called.load(), BRAID_DEVICE_LOST);
  EXPECT_TRUE(s.device->lost());
  EXPECT_EQ(s.Run({}, &result).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(s.device->BufferAlloc(16, 0).status().code(), absl::StatusCode::kUnavailable);
  // Opened again, in a new process, it works.
  auto fresh = s.device->plugin()->MakeDevice(0);
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_TRUE((*fresh)->BufferAlloc(16, 0).ok());
}

TEST_F(Isolation, ACrashWithinACall) {
  Segment s(0, "crash_late");
  EXPECT_EQ(s.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(s.status.message()), HasSubstr("signal 6"));
}

TEST_F(Isolation, AHangEndsAtItsDeadline) {
  Segment s(0, "hang");
  const uint64_t start = HostNow();
  s.submit.deadline_ns = start + 100'000'000;
  Fence run;
  ASSERT_EQ(s.exec.Submit(s.submit, &run), BRAID_OK);
  const absl::Status ended = run.Result();
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ended.message()), HasSubstr("within its deadline"));
  EXPECT_LT(HostNow() - start, 5'000'000'000u);
}

// Tensors in memory of both processes are worked on where they lie.
TEST_F(Isolation, ATensorInSharedMemoryIsNotCopied) {
  Segment s(0, "", false, "imports");
  ASSERT_TRUE(s.status.ok()) << s.status;
  EXPECT_TRUE(s.device->info().Has(BRAID_MEMORY_MAPPABLE));
  s.in = *s.device->BufferAlloc(16, BRAID_BUFFER_MAPPABLE);
  s.out = *s.device->BufferAlloc(16, BRAID_BUFFER_MAPPABLE);
  s.bindings[0].buffer = s.in.get();
  s.bindings[1].buffer = s.out.get();
  auto* in = static_cast<float*>(*s.in.Map(0, 16));
  const auto* out = static_cast<const float*>(*s.out.Map(0, 16));
  EXPECT_FALSE(s.in.Map(0, 16).ok());
  const IsolationTraffic before = CountIsolation();
  for (float x = 0; x < 100; ++x) {
    std::fill_n(in, 4, x);
    Fence run;
    ASSERT_EQ(s.exec.Submit(s.submit, &run), BRAID_OK);
    ASSERT_EQ(run.Wait(kForever), BRAID_OK);
    EXPECT_EQ(out[3], -x);
  }
  EXPECT_EQ(CountIsolation().copied, before.copied);
  // From and to other memory: once.
  std::array<float, 4> values = {1, 2, 3, 4}, back{};
  EXPECT_FALSE(s.Transfer(BRAID_TRANSFER_WRITE, s.in, values.data(), 16));
  EXPECT_FALSE(s.Transfer(BRAID_TRANSFER_READ, s.in, back.data(), 16));
  EXPECT_EQ(back, values);
  EXPECT_EQ(CountIsolation().copied, before.copied + 32);
}

TEST_F(Isolation, BuffersGoFromProcessToProcess) {
  Segment first(0, "", false, "imports"), second(0, "", false, "imports");
  ASSERT_NE(first.device->plugin(), second.device->plugin());
  Buffer made = *first.device->BufferAlloc(4096, 0, 0, BRAID_HANDLE_MEMFD);
  const auto handle = made.Export(BRAID_HANDLE_MEMFD);
  ASSERT_TRUE(handle.ok()) << handle.status();
  Buffer same = *second.device->BufferImport(*handle);
  close(static_cast<int>(handle->fd));
  // The first writes its output there, which is the second's input.
  first.bindings[1].buffer = made.get();
  second.bindings[0].buffer = same.get();
  std::array<float, 4> values = {1, 2, 3, 4}, result{};
  first.Transfer(BRAID_TRANSFER_WRITE, first.in, values.data(), 16);
  Fence a, b;
  ASSERT_EQ(first.exec.Submit(first.submit, &a), BRAID_OK);
  ASSERT_TRUE(a.Result().ok());
  const uint64_t copied = CountIsolation().copied;
  ASSERT_EQ(second.exec.Submit(second.submit, &b), BRAID_OK);
  ASSERT_TRUE(b.Result().ok());
  EXPECT_EQ(CountIsolation().copied, copied);
  second.Transfer(BRAID_TRANSFER_READ, second.out, result.data(), 16);
  EXPECT_THAT(result, ElementsAre(1, 2, 3, 4));  // twice negated
  EXPECT_FALSE(first.device->BufferAlloc(16, 0, 0, BRAID_HANDLE_DMABUF).ok());
  EXPECT_FALSE(first.in.Export(BRAID_HANDLE_FD).ok());
}

// A file that its owner could make shorter would end this process as it reads.
TEST_F(Isolation, OnlySealedMemoryIsImported) {
  Segment s(0, "", false, "imports");
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_FD;
  handle.fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(static_cast<int>(handle.fd), 4096), 0);
  handle.bytes = 4096;
  EXPECT_THAT(std::string(s.device->BufferImport(handle).status().message()),
              HasSubstr("sealed against shrinking"));
  ASSERT_EQ(fcntl(static_cast<int>(handle.fd), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_TRUE(s.device->BufferImport(handle).ok());
  handle.bytes = 8192;
  EXPECT_FALSE(s.device->BufferImport(handle).ok());
  close(static_cast<int>(handle.fd));
}

TEST_F(Isolation, AnswersForShapesSeenBeforeAreKept) {
  Segment s(0);
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  uint64_t bytes = 0;
  const auto ask = [&] {
    EXPECT_EQ(s.exec.OutputDims(s.bindings, 1, s.view->outputs()[0], &rank, dims), BRAID_OK);
    EXPECT_EQ(s.exec.WorkspaceSize(s.bindings, 1, &bytes), BRAID_OK);
    EXPECT_EQ(s.exec.IoRequirements(s.view->inputs()[0])->alignment, 4u);
  };
  ask();
  const uint64_t before = CountIsolation().messages;
  ask();
  EXPECT_EQ(CountIsolation().messages, before);
  s.dims[0] = 3;
  ask();
  EXPECT_EQ(CountIsolation().messages, before + 2);
  EXPECT_EQ(dims[0], 3);
}

TEST_F(Isolation, TheHostSignalsWhatASubmitWaitsFor) {
  Segment s(0);
  std::array<float, 4> values = {1, 2, 3, 4}, result{};
  ASSERT_TRUE(s.Transfer(BRAID_TRANSFER_WRITE, s.in, values.data(), 16).Result().ok());
  for (braid_status end : {BRAID_OK, BRAID_CANCELLED}) {
    auto signal = s.device->FenceCreate();
    ASSERT_TRUE(signal.ok()) << signal.status();
    braid_fence* waits[] = {signal->get()};
    s.submit.waits = waits;
    s.submit.wait_count = 1;
    Fence run;
    ASSERT_EQ(s.exec.Submit(s.submit, &run), BRAID_OK);
    EXPECT_EQ(run.Wait(20'000'000), BRAID_PENDING);
    std::atomic<int> called{-1};
    run.OnReady([](void* c, braid_status status) { static_cast<std::atomic<int>*>(c)->store(status); },
                &called);
    signal->Signal(end);
    EXPECT_EQ(signal->Wait(0), end);
    EXPECT_EQ(run.Wait(kForever), end);
    while (called.load() < 0) std::this_thread::yield();
    EXPECT_EQ(called.load(), end);
  }
  ASSERT_TRUE(s.Transfer(BRAID_TRANSFER_READ, s.out, result.data(), 16).Result().ok());
  EXPECT_THAT(result, ElementsAre(-1, -2, -3, -4));
}

TEST_F(Isolation, RegistryIsolatesWhatTheGlobSays) {
  testing::TempDir dir;
  testing::Install(dir.path(), "good", "fixture");
  testing::Install(dir.path(), "other", "other");
  RegistryOptions options = testing::In({dir.path()});
  options.isolate = "oth*";
  {
    Registry registry(options);
    const auto plugins = registry.Plugins();
    ASSERT_EQ(plugins.size(), 2u);
    EXPECT_FALSE(plugins[0]->isolated());
    EXPECT_TRUE(plugins[1]->isolated());
    EXPECT_EQ(registry.Devices().size(), 3u);
  }
}

TEST(Wire, GraphsAreFlattenedAndBack) {
  const Graph graph = ChainGraph();
  const auto view = GraphView::Whole(graph);
  std::vector<uint64_t> memory(isolate::FlatBytes(*view->raw()) / 8 + 1), moved;
  isolate::Flatten(*view->raw(), reinterpret_cast<uint8_t*>(memory.data()));
  moved = memory;  // at another address, as in another process
  memory.assign(memory.size(), 0);
  const braid_graph g = isolate::Unflatten(reinterpret_cast<const uint8_t*>(moved.data()));
  ASSERT_EQ(g.node_count, 3u);
  const braid_node& add = *BRAID_AT(braid_node, g.nodes, g.node_stride, 1);
  EXPECT_EQ(std::string(g.chars + add.op.first, add.op.count), "Add");
  EXPECT_EQ(g.refs[add.inputs.first + 1], view->index_of(2));
  EXPECT_EQ(g.outputs[1], view->outputs()[1]);
}

TEST(Wire, OlderFormsComeAlong) {
  Graph graph = ChainGraph();
  graph.nodes[2].older = {{5, 1, {3}, {}}};
  const auto view = GraphView::Whole(graph);
  std::vector<uint64_t> memory(isolate::FlatBytes(*view->raw()) / 8 + 1);
  isolate::Flatten(*view->raw(), reinterpret_cast<uint8_t*>(memory.data()));
  const braid_graph g = isolate::Unflatten(reinterpret_cast<const uint8_t*>(memory.data()));
  ASSERT_EQ(g.older_count, 1u);
  const braid_node& relu = *BRAID_AT(braid_node, g.nodes, g.node_stride, 2);
  ASSERT_EQ(relu.older, 3u);
  EXPECT_EQ(BRAID_AT(braid_node, g.nodes, g.node_stride, relu.older)->version, 5);
}

// Messages of all lengths, several times around the ring; those that came over the socket take no room of
// their own.
TEST(Board, MessagesGoAroundTheRing) {
  using namespace isolate;
  auto host = HostBoard::Create();
  ASSERT_TRUE(host.ok()) << host.status();
  const auto process = ProcessBoard::Open(dup((*host)->fd()));
  ASSERT_NE(process, nullptr);
  uint64_t all = 0;
  for (uint32_t i = 0; all < 5 * BoardLayout::kRing; ++i) {
    const bool elsewhere = i % 7 == 6;
    std::string sent(elsewhere ? 0 : i * 997 % (HostBoard::kMaxInRing + 1), static_cast<char>('a' + i % 26));
    RingHeader header;
    header.header.id = i;
    header.header.bytes = elsewhere ? RingHeader::kOverSocket : static_cast<uint32_t>(sent.size());
    ASSERT_EQ((*host)->Put(header, sent), HostBoard::Room::kTaken) << i;
    RingHeader got;
    std::string payload;
    process->Next(&got, &payload);
    ASSERT_EQ(got.header.id, i);
    ASSERT_EQ(got.header.bytes, header.header.bytes);
    ASSERT_EQ(payload, sent) << i;
    all += sent.size();
  }
}

TEST(Wire, ReaderNeverReadsBeyond) {
  const isolate::Writer writer = isolate::Writer().Put(uint32_t{7}).Text("abc");
  isolate::Reader in(writer.data());
  EXPECT_EQ(in.Get<uint32_t>(), 7u);
  EXPECT_EQ(in.Bytes(), "abc");
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.Get<uint64_t>(), 0u);
  EXPECT_FALSE(in.ok());
  const uint64_t huge = UINT64_MAX;
  isolate::Reader lying({reinterpret_cast<const char*>(&huge), 8});
  EXPECT_EQ(lying.Bytes(), "");
  EXPECT_FALSE(lying.ok());
}

}  // namespace
}  // namespace braid
