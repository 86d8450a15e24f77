// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <thread>

#include "core/plugins/host.h"
#include "core/plugins/status.h"
#include "core/plugins/testing.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

using testing::ChainGraph;
using ::testing::ElementsAre;
using testing::FixtureDevice;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// The fixture's Neg (node 0) or Add with a constant (node 1) of ChainGraph, with its bindings in host memory.
struct Segment {
  explicit Segment(NodeId node, const std::string& fault = "")
      : device(FixtureDevice(fault)), graph(ChainGraph()) {
    view = GraphView::Segment(graph, {node}, {});
    auto compiled = device->Compile(*view, {});
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    if (compiled.ok()) exec = *std::move(compiled);
    Bind(0, view->inputs()[0], in.data());
    Bind(1, view->outputs()[0], out.data());
    submit.binding_count = 2;
    submit.binding_stride = sizeof(braid_binding);
    submit.bindings = bindings;
  }
  void Bind(int i, uint32_t value, float* memory) {
    bindings[i] = BRAID_BINDING_INIT;
    bindings[i].value = value;
    bindings[i].host = memory;
    bindings[i].bytes = sizeof in;
    bindings[i].rank = 2;
    bindings[i].dims = dims;
  }
  std::shared_ptr<Device> device;
  Graph graph;
  std::unique_ptr<GraphView> view;
  std::array<float, 4> in{1, 2, 3, 4}, out{};
  int64_t dims[2] = {2, 2};
  braid_binding bindings[2];
  braid_submit submit = BRAID_SUBMIT_INIT;
  Exec exec;
};

TEST(Status, EveryOneGoesThereAndBack) {
  for (braid_status s = BRAID_OK; s <= BRAID_IO_ERROR; ++s) {
    EXPECT_EQ(FromAbsl(ToAbsl(s, "text")), s) << StatusName(s);
    EXPECT_EQ(ToAbsl(s, "text").message(), s == BRAID_OK ? "" : "text");
  }
  EXPECT_EQ(ToAbslCode(BRAID_DEVICE_LOST), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ToAbsl(77, "").message(), "status 77");
  EXPECT_EQ(ToAbslCode(-1), absl::StatusCode::kInternal);
  EXPECT_EQ(FromAbsl(absl::NotFoundError("x")), BRAID_INVALID_ARGUMENT);
}

TEST(Device, QueriesWithReasons) {
  const auto device = FixtureDevice();
  const Graph graph = ChainGraph();
  const auto view = GraphView::Whole(graph);
  const auto verdicts = device->Query(*view, {});
  ASSERT_TRUE(verdicts.ok()) << verdicts.status();
  ASSERT_EQ(verdicts->size(), 3u);
  EXPECT_EQ((*verdicts)[0].code, BRAID_YES);
  EXPECT_EQ((*verdicts)[1].code, BRAID_YES);
  EXPECT_EQ((*verdicts)[2].code, BRAID_NO_OP);
  EXPECT_STREQ((*verdicts)[2].detail, "only Neg and Add");
  EXPECT_EQ((*verdicts)[2].input, BRAID_NONE);
  EXPECT_TRUE(device->is_open());
}

TEST(Device, RunsOnHostMemory) {
  Segment neg(0);
  Fence fence;
  ASSERT_EQ(neg.exec.Submit(neg.submit, &fence), BRAID_OK);
  EXPECT_TRUE(fence.Result().ok());
  EXPECT_THAT(neg.out, ElementsAre(-1, -2, -3, -4));
  Segment add(1);
  Fence second;
  ASSERT_EQ(add.exec.Submit(add.submit, &second), BRAID_OK);
  EXPECT_EQ(second.Wait(kForever), BRAID_OK);
  EXPECT_THAT(add.out, ElementsAre(11, 22, 13, 24));  // the constant {10, 20}, fetched from the host
}

TEST(Device, RunsOnBuffersWithTransfers) {
  Segment s(0);
  auto in = s.device->BufferAlloc(64, 0), out = s.device->BufferAlloc(64, BRAID_BUFFER_MAPPABLE);
  ASSERT_TRUE(in.ok() && out.ok());
  braid_transfer write = BRAID_TRANSFER_INIT;
  write.kind = BRAID_TRANSFER_WRITE;
  write.to = in->get();
  write.to_offset = 16;
  write.host = s.in.data();
  write.bytes = sizeof s.in;
  Fence done;
  ASSERT_EQ(s.device->Transfer(write, &done), BRAID_OK);
  EXPECT_FALSE(done);  // the fixture is synchronous
  for (int i : {0, 1}) s.bindings[i].host = nullptr;
  s.bindings[0].buffer = in->get();
  s.bindings[0].offset = 16;
  s.bindings[1].buffer = out->get();
  Fence fence;
  ASSERT_EQ(s.exec.Submit(s.submit, &fence), BRAID_OK);
  ASSERT_TRUE(fence.Result().ok());
  auto mapped = out->Map(4, 8);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(static_cast<float*>(*mapped)[0], -2);
  out->Unmap();
}

TEST(Device, ShapesAndRequirements) {
  Segment s(0);
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  ASSERT_EQ(s.exec.OutputDims(s.bindings, 1, s.view->outputs()[0], &rank, dims), BRAID_OK);
  EXPECT_EQ(rank, 2);
  EXPECT_THAT(std::vector<int64_t>(dims, dims + 2), ElementsAre(2, 2));
  EXPECT_EQ(s.exec.IoRequirements(s.view->outputs()[0])->alignment, 4u);
  uint64_t bytes = 1;
  ASSERT_EQ(s.exec.WorkspaceSize(s.bindings, 1, &bytes), BRAID_OK);
  EXPECT_EQ(bytes, 0u);
}

TEST(Device, TextsOfFailuresNameDeviceAndCall) {
  const auto device = FixtureDevice("text");
  const Graph graph = ChainGraph();
  const auto exec = device->Compile(*GraphView::Segment(graph, {0}, {}), {});
  EXPECT_EQ(exec.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(exec.status().message(), "fixture:0: compile: the fixture has no room for 7 widgets");
  EXPECT_EQ(Message(device->Estimate(*GraphView::Whole(graph), {}, {}, {}).status()),
            "fixture:0: estimate: UNSUPPORTED");
  EXPECT_EQ(device->Link(*device).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(device->CheckBlob(*GraphView::Whole(graph), {}, "").code(), absl::StatusCode::kUnimplemented);
}

TEST(Device, TextOfARawStatusComesAfterTheFact) {
  Segment s(0);
  Fence fence;
  ASSERT_EQ(s.exec.OutputDims(s.bindings, 1, 12345, nullptr, nullptr), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(Message(s.device->Error(BRAID_INVALID_ARGUMENT, "shapes")),
            "fixture:0: shapes: output_dims: no such value");
  // It is gone then, and a call that succeeds leaves none.
  EXPECT_EQ(Message(s.device->Error(BRAID_INVALID_ARGUMENT, "shapes")),
            "fixture:0: shapes: INVALID_ARGUMENT");
}

TEST(Device, UnknownOptionsAreNamed) {
  auto plugin = Plugin::Load(testing::FixtureLibrary("good"), {});
  ASSERT_TRUE(plugin.ok());
  const auto device = *(*plugin)->MakeDevice(0, {{"colour", "red"}});
  EXPECT_EQ(device->Open().message(), "fixture:0: open: open: the only option is 'fault'");
  EXPECT_FALSE(device->Open().ok());
  EXPECT_EQ((*plugin)->MakeDevice(9).status().code(), absl::StatusCode::kNotFound);
}

TEST(Device, ALossIsRemembered) {
  Segment s(0, "lost");
  Fence fence;
  EXPECT_FALSE(s.device->lost());
  EXPECT_EQ(s.exec.Submit(s.submit, &fence), BRAID_DEVICE_LOST);
  EXPECT_TRUE(s.device->lost());
  EXPECT_EQ(Message(s.device->Error(BRAID_DEVICE_LOST, "submit")),
            "fixture:0: submit: the device is lost: the fixture was told to lose its device");
}

TEST(Device, FloatingPointControlIsPutBackAfterACall) {
  const uint64_t before = FloatControl::Now();
  EXPECT_EQ(AtBoundary([&]() -> braid_status {
              std::fesetround(FE_UPWARD);
              EXPECT_NE(FloatControl::Now(), before);
              return BRAID_OK;
            }),
            BRAID_OK);
  EXPECT_EQ(FloatControl::Now(), before);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

// ---- Bad inputs 25, what the wrappers themselves look at ----

TEST(BadInput25, ShapesThatNoTensorHas) {
  int32_t rank;
  int64_t dims[BRAID_MAX_RANK];
  Segment rank99(0, "rank");
  EXPECT_EQ(rank99.exec.OutputDims(rank99.bindings, 1, rank99.view->outputs()[0], &rank, dims),
            BRAID_INTERNAL);
  EXPECT_THAT(Message(rank99.device->Error(BRAID_INTERNAL, "shapes")), HasSubstr("the rank 99"));
  Segment negative(0, "dims");
  EXPECT_EQ(negative.exec.OutputDims(negative.bindings, 1, negative.view->outputs()[0], &rank, dims),
            BRAID_INTERNAL);
  EXPECT_THAT(Message(negative.device->Error(BRAID_INTERNAL, "shapes")),
              HasSubstr("the extent -5 in dimension 0"));
}

TEST(BadInput25, AlignmentThatIsNoPowerOfTwo) {
  Segment s(0, "alignment");
  EXPECT_THAT(Message(s.exec.IoRequirements(s.view->outputs()[0]).status()), HasSubstr("alignment 3"));
}

TEST(BadInput25, OkWithoutAnObject) {
  const auto device = FixtureDevice("null");
  const Graph graph = ChainGraph();
  EXPECT_EQ(Message(device->Compile(*GraphView::Segment(graph, {0}, {}), {}).status()),
            "fixture:0: compile: OK without an executable");
}

TEST(BadInput25, VerdictsThatDoNotExist) {
  const auto device = FixtureDevice("verdict");
  const Graph graph = ChainGraph();
  const auto verdicts = device->Query(*GraphView::Whole(graph), {});
  ASSERT_TRUE(verdicts.ok());
  EXPECT_EQ((*verdicts)[0].code, BRAID_NO_OP);
  EXPECT_EQ(std::strlen((*verdicts)[0].detail), sizeof((*verdicts)[0].detail) - 1);
}

TEST(BadInput25, ExceptionsStopAtTheBoundary) {
  EXPECT_EQ(AtBoundary([]() -> braid_status { throw std::runtime_error("out of cheese"); }), BRAID_INTERNAL);
  EXPECT_THAT(ErrorSink::Take(), HasSubstr("out of cheese"));
  EXPECT_EQ(AtBoundary([]() -> braid_status { throw 7; }), BRAID_INTERNAL);
  EXPECT_THAT(ErrorSink::Take(), HasSubstr("exception"));
}

// ---- Fences ----

TEST(Fence, HostSignalsWhatASubmitWaitsFor) {
  Segment s(0);
  auto gate = s.device->FenceCreate();
  ASSERT_TRUE(gate.ok());
  braid_fence* waits[] = {gate->get()};
  s.submit.waits = waits;
  s.submit.wait_count = 1;
  Fence fence;
  ASSERT_EQ(s.exec.Submit(s.submit, &fence), BRAID_OK);
  EXPECT_EQ(fence.Wait(0), BRAID_PENDING);
  EXPECT_EQ(fence.Wait(1'000'000), BRAID_PENDING);
  EXPECT_EQ(fence.Completion().status().code(), absl::StatusCode::kAborted);
  std::atomic<int> called{-1};
  fence.OnReady([](void* c, braid_status status) { static_cast<std::atomic<int>*>(c)->store(status); },
                &called);
  gate->Signal(BRAID_OK);
  EXPECT_EQ(fence.Wait(kForever), BRAID_OK);
  while (called.load() < 0) std::this_thread::yield();
  EXPECT_EQ(called.load(), BRAID_OK);
  EXPECT_THAT(s.out, ElementsAre(-1, -2, -3, -4));
}

TEST(Fence, AFailedWaitFailsTheRunWithItsStatus) {
  Segment s(0);
  auto gate = s.device->FenceCreate();
  braid_fence* waits[] = {gate->get()};
  s.submit.waits = waits;
  s.submit.wait_count = 1;
  Fence fence;
  ASSERT_EQ(s.exec.Submit(s.submit, &fence), BRAID_OK);
  gate->Signal(BRAID_CANCELLED);
  const absl::Status result = fence.Result();
  EXPECT_EQ(result.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(result.message(), "fixture:0: run: the fixture's fence failed");
  EXPECT_THAT(s.out, ElementsAre(0, 0, 0, 0));
}

TEST(Fence, AnEmptyOneIsDone) {
  const Fence none;
  EXPECT_EQ(none.Wait(0), BRAID_OK);
  EXPECT_TRUE(none.Result().ok());
  int status = -1;
  none.OnReady([](void* s, braid_status given) { *static_cast<int*>(s) = given; }, &status);
  EXPECT_EQ(status, BRAID_OK);
}

TEST(Handles, MoveAndKeepTheirDevice) {
  auto device = FixtureDevice();
  std::weak_ptr<Device> watch = device;
  Buffer a = *device->BufferAlloc(16, 0);
  Buffer b = std::move(a);
  EXPECT_FALSE(a);
  EXPECT_EQ(b.bytes(), 16u);
  device.reset();
  EXPECT_FALSE(watch.expired());
  b.Reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace braid
