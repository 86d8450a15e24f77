// SPDX-License-Identifier: Apache-2.0
//
// One test a rule of docs/abi/rules.md, named after it. The fixture plugin breaks the plugin's rules on
// demand; the host's are broken here, through the tables.
#include "core/plugins/checked/checked.h"

#include <braid/ext/operators.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "core/plugins/host.h"
#include "core/plugins/testing.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

using testing::ChainGraph;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Checked : public ::testing::Test {
 protected:
  Checked() {
    SetLogSink(
        [](void* self, int32_t, std::string_view, std::string_view text) {
          auto* test = static_cast<Checked*>(self);
          if (text.substr(0, 3) == "in ") {
            if (auto nested = std::exchange(test->nested_, nullptr)) nested();
          } else {
            test->lines_.emplace_back(text);
          }
        },
        this);
  }
  ~Checked() override { SetLogSink(nullptr, nullptr); }

  // Opens the fixture and compiles node 0 (Neg) or 1 (Add with a constant) of ChainGraph.
  void Open(const std::string& fault = "", NodeId node = 0, const std::string& fixture = "good") {
    device_ = testing::FixtureDevice(fault, true, fixture);
    ASSERT_TRUE(device_->Open().ok());
    fns_ = device_->table();
    view_ = GraphView::Segment(graph_, {node}, {});
    braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
    compiled_ = fns_.device->compile(device_->get(), view_->raw(), &options, &exec_);
    for (int i : {0, 1}) {
      bindings_[i] = BRAID_BINDING_INIT;
      bindings_[i].value = i == 0 ? view_->inputs()[0] : view_->outputs()[0];
      bindings_[i].host = i == 0 ? in_ : out_;
      bindings_[i].bytes = sizeof in_;
      bindings_[i].rank = 2;
      bindings_[i].dims = dims_;
    }
    submit_.binding_count = 2;
    submit_.binding_stride = sizeof(braid_binding);
    submit_.bindings = bindings_;
  }
  braid_status Submit(braid_fence** fence) { return fns_.exec->submit(exec_, &submit_, fence); }
  // Submits, waits, destroys.
  braid_status Run() {
    braid_fence* fence = nullptr;
    braid_status status = Submit(&fence);
    if (fence == nullptr) return status;
    status = fns_.fence->wait(fence, UINT64_MAX);
    fns_.fence->destroy(fence);
    return status;
  }
  braid_buffer* Alloc(uint64_t bytes, uint32_t flags = 0) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = bytes;
    desc.flags = flags;
    desc.alignment = 64;
    braid_buffer* buffer = nullptr;
    EXPECT_EQ(fns_.device->buffer_alloc(device_->get(), &desc, &buffer), BRAID_OK);
    return buffer;
  }
  void Close() {
    if (exec_ != nullptr) fns_.exec->destroy(exec_);
    exec_ = nullptr;
    device_.reset();
  }
  // Whether the only breach so far is of this rule.
  ::testing::AssertionResult Only(const char* rule, const char* text = "") {
    if (lines_.size() == 1 && lines_[0].substr(0, 8) == std::string(rule) + ":" &&
        lines_[0].find(text) != std::string::npos)
      return ::testing::AssertionSuccess();
    auto failure = ::testing::AssertionFailure();
    for (const std::string& line : lines_) failure << line << "\n";
    return failure << lines_.size() << " breaches, expected one of " << rule;
  }

  std::vector<std::string> lines_;
  std::function<void()> nested_;  // done once, within the call that the fixture logs from
  Graph graph_ = ChainGraph();
  std::shared_ptr<Device> device_;
  braid_plugin fns_{};
  std::unique_ptr<GraphView> view_;
  braid_exec* exec_ = nullptr;
  braid_status compiled_ = BRAID_OK;
  float in_[4] = {1, 2, 3, 4}, out_[4] = {};
  int64_t dims_[2] = {2, 2};
  braid_binding bindings_[2];
  braid_submit submit_ = BRAID_SUBMIT_INIT;
};

TEST_F(Checked, ARightRunBreaksNothing) {
  Open();
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_EQ(out_[3], -4);
  braid_buffer* buffer = Alloc(64, BRAID_BUFFER_MAPPABLE);
  void* mapped = nullptr;
  EXPECT_EQ(fns_.device->map(device_->get(), buffer, 0, 64, &mapped), BRAID_OK);
  fns_.device->unmap(device_->get(), buffer);
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_WRITE;
  t.to = buffer;
  t.host = in_;
  t.bytes = sizeof in_;
  braid_fence* fence = nullptr;
  EXPECT_EQ(fns_.device->transfer(device_->get(), &t, &fence), BRAID_OK);
  bindings_[0].host = nullptr;
  bindings_[0].buffer = buffer;
  EXPECT_EQ(Run(), BRAID_OK);
  fns_.device->buffer_free(device_->get(), buffer);
  auto plugin = device_->plugin();
  Close();
  EXPECT_THAT(lines_, IsEmpty());
  EXPECT_EQ(plugin->violations(), 0u);
}

TEST_F(Checked, OnlyTheOperatorsExtensionIsPassedOn) {
  for (const bool check : {false, true}) {
    Plugin::LoadOptions options;
    options.check = check;
    auto plugin = Plugin::Load(testing::FixtureLibrary("good"), options);
    ASSERT_TRUE(plugin.ok()) << plugin.status();
    EXPECT_NE((*plugin)->Extension(BRAID_OPERATORS_ID), nullptr);
    EXPECT_EQ((*plugin)->Extension("fixture.own/1") == nullptr, check);
    EXPECT_EQ((*plugin)->Extension("nobody.knows/1"), nullptr);
  }
}

TEST_F(Checked, Abi001UnknownHandle) {
  Open();
  int nothing = 0;
  fns_.exec->destroy(reinterpret_cast<braid_exec*>(&nothing));
  EXPECT_TRUE(Only("ABI-001", "is no executable"));
  EXPECT_EQ(fns_.device->query(reinterpret_cast<braid_device*>(exec_), view_->raw(), nullptr, nullptr, 0),
            BRAID_INVALID_ARGUMENT);
  EXPECT_THAT(lines_[1], HasSubstr("ABI-001: device.query"));
  EXPECT_THAT(lines_[1], HasSubstr("but a executable"));
  Close();
}

TEST_F(Checked, Abi002UseAfterDestroy) {
  Open();
  braid_exec* exec = exec_;
  const auto plugin = device_->plugin();  // its tables are used once more
  Close();
  fns_.exec->destroy(exec);
  EXPECT_TRUE(Only("ABI-002", "the executable was destroyed before"));
}

TEST_F(Checked, Abi003HandleOfAnotherPlugin) {
  Open();
  const auto other = testing::FixtureDevice("", true);
  Buffer foreign = *other->BufferAlloc(64, 0);
  bindings_[0].host = nullptr;
  bindings_[0].buffer = foreign.get();
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-003"));
  Close();
}

TEST_F(Checked, Abi004TwoCallsForAQueue) {
  Open("chatty");
  nested_ = [&] { EXPECT_EQ(Run(), BRAID_OK); };
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_TRUE(Only("ABI-004", "queue 0"));
  submit_.queue = 1;
  nested_ = [&] {
    submit_.queue = 0;  // another queue may be used meanwhile
    EXPECT_EQ(Run(), BRAID_OK);
  };
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_EQ(lines_.size(), 1u);
  Close();
}

TEST_F(Checked, Abi005TwoCallsForAnObject) {
  Open("chatty");
  braid_buffer* buffer = Alloc(64, BRAID_BUFFER_MAPPABLE);
  void* mapped = nullptr;
  nested_ = [&] {
    void* again = nullptr;
    fns_.device->map(device_->get(), buffer, 0, 8, &again);
  };
  fns_.device->map(device_->get(), buffer, 0, 8, &mapped);
  EXPECT_TRUE(Only("ABI-005"));
  fns_.device->unmap(device_->get(), buffer);
  fns_.device->buffer_free(device_->get(), buffer);
  Close();
}

TEST_F(Checked, Abi017WorkspaceTooSmall) {
  Open("workspace");
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-017", "has 0 bytes, the run needs 32"));
  braid_buffer* workspace = Alloc(80);
  submit_.workspace = workspace;
  submit_.workspace_offset = 64;
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  submit_.workspace_offset = 0;
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_EQ(lines_.size(), 2u);
  fns_.device->buffer_free(device_->get(), workspace);
  Close();
}

TEST_F(Checked, Abi006ExecutableDestroyedWithAFence) {
  Open();
  braid_fence* fence = nullptr;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  fns_.exec->destroy(exec_);
  EXPECT_TRUE(Only("ABI-006"));
  fns_.fence->destroy(fence);
  Close();
}

TEST_F(Checked, Abi007BufferFreedWhileInUse) {
  Open();
  braid_fence *gate = nullptr, *fence = nullptr;
  ASSERT_EQ(fns_.device->fence_create(device_->get(), &gate), BRAID_OK);
  braid_buffer* buffer = Alloc(64);
  bindings_[0].host = nullptr;
  bindings_[0].buffer = buffer;
  submit_.waits = &gate;
  submit_.wait_count = 1;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  fns_.device->buffer_free(device_->get(), buffer);
  EXPECT_TRUE(Only("ABI-007", "pending"));
  fns_.fence->signal(gate, BRAID_OK);
  EXPECT_EQ(fns_.fence->wait(fence, UINT64_MAX), BRAID_OK);
  fns_.device->buffer_free(device_->get(), buffer);
  fns_.fence->destroy(fence);
  fns_.fence->destroy(gate);
  Close();
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(Checked, Abi008DeviceClosedWithObjects) {
  Open();
  fns_.device->close(device_->get());
  EXPECT_TRUE(Only("ABI-008", "while 1 of its"));
  Close();
}

TEST_F(Checked, Abi009PluginShutDownWithDevices) {
  void* library = dlopen(testing::FixtureLibrary("good").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  const auto query = reinterpret_cast<decltype(&braid_plugin_query)>(dlsym(library, "braid_plugin_query"));
  HostTable host("fixture", "");
  const braid_plugin* plugin = nullptr;
  ASSERT_EQ(query(BRAID_ABI, host.table(), &plugin), BRAID_OK);
  const auto layer = MakeCheckedLayer(plugin, &host);
  const braid_plugin* table = layer->table();
  const braid_open_options options = BRAID_OPEN_OPTIONS_INIT;
  // The second is never closed: after the shutdown nothing of the plugin may be called.
  static braid_device* second;
  braid_device* first = nullptr;
  ASSERT_EQ(table->open(table, 0, &options, &first), BRAID_OK);
  ASSERT_EQ(table->open(table, 0, &options, &second), BRAID_OK);
  table->device->close(first);
  table->shutdown(table);
  EXPECT_TRUE(Only("ABI-009", "while 1 of its devices"));
}

TEST_F(Checked, Abi010FenceDestroyedTooSoon) {
  Open();
  braid_fence* gate = nullptr;
  ASSERT_EQ(fns_.device->fence_create(device_->get(), &gate), BRAID_OK);
  fns_.fence->destroy(gate);
  EXPECT_TRUE(Only("ABI-010"));
  fns_.fence->signal(gate, BRAID_OK);
  fns_.fence->destroy(gate);
  Close();
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(Checked, Abi010FenceDestroyedFromItsCallback) {
  Open();
  struct Call {
    const braid_fence_fns* fns;
    braid_fence* fence = nullptr;
  } call{fns_.fence};
  ASSERT_EQ(Submit(&call.fence), BRAID_OK);
  const auto destroy = [](void* c, braid_status) {
    static_cast<Call*>(c)->fns->destroy(static_cast<Call*>(c)->fence);
  };
  fns_.fence->on_ready(call.fence, destroy, &call);
  EXPECT_TRUE(Only("ABI-010", "from its callback"));
  fns_.fence->destroy(call.fence);
  Close();
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(Checked, Abi011TransferBeyondABuffer) {
  Open();
  braid_buffer* buffer = Alloc(64);
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_READ;
  t.from = buffer;
  t.from_offset = 60;
  t.host = in_;
  t.bytes = 8;
  braid_fence* fence = nullptr;
  EXPECT_EQ(fns_.device->transfer(device_->get(), &t, &fence), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-011", "60 + 8 of a buffer of 64 bytes"));
  t.from_offset = UINT64_MAX - 3;
  fns_.device->transfer(device_->get(), &t, &fence);
  t.from_offset = 0;
  t.queue = 2;
  fns_.device->transfer(device_->get(), &t, &fence);
  t.queue = 0;
  t.kind = BRAID_TRANSFER_WRITE;
  fns_.device->transfer(device_->get(), &t, &fence);
  EXPECT_EQ(lines_.size(), 4u);
  fns_.device->buffer_free(device_->get(), buffer);
  Close();
}

TEST_F(Checked, Abi012BindingBeyondItsMemory) {
  Open();
  bindings_[0].bytes = 12;
  Run();
  EXPECT_TRUE(Only("ABI-012", "has 12 bytes, its shape needs 16"));
  float input[5] = {}, output[16] = {};
  bindings_[0].host = input;
  bindings_[1].host = output;
  bindings_[0].bytes = 20;
  Run();
  EXPECT_EQ(lines_.size(), 2u);
  bindings_[0].bytes = sizeof in_;
  bindings_[1].bytes = 64;  // of an output they may be more
  Run();
  EXPECT_EQ(lines_.size(), 2u);
  Close();
}

TEST_F(Checked, Abi013BindingNotAligned) {
  Open();
  braid_buffer* buffer = Alloc(64);
  bindings_[0].host = nullptr;
  bindings_[0].buffer = buffer;
  bindings_[0].offset = 2;
  Run();
  EXPECT_TRUE(Only("ABI-013", "no multiple of 4"));
  bindings_[0].offset = 0;
  submit_.workspace = buffer;
  submit_.workspace_offset = 8;
  Run();
  EXPECT_EQ(lines_.size(), 2u);
  EXPECT_THAT(lines_.back(), HasSubstr("ABI-013: exec.submit: the workspace lies at 8, no multiple of 64"));
  fns_.device->buffer_free(device_->get(), buffer);
  Close();
}

TEST_F(Checked, Abi014BindingsMissingDoubleForeign) {
  Open();
  submit_.binding_count = 1;
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-014", "output value 1 is not bound"));
  submit_.binding_count = 2;
  bindings_[1].value = 99;
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  EXPECT_THAT(lines_[1], HasSubstr("ABI-014: exec.submit: value 99 is neither"));
  Close();
}

TEST_F(Checked, Abi015InputWithoutMemory) {
  Open();
  bindings_[0].host = nullptr;
  EXPECT_EQ(Run(), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-015", "without memory"));
  Close();
}

TEST_F(Checked, Abi016ShapeThatTheGraphCannotTake) {
  Open();
  int64_t wrong[] = {1, 3};
  bindings_[0].dims = wrong;
  bindings_[0].bytes = 12;
  Run();
  EXPECT_TRUE(Only("ABI-016", "extent 3 in dimension 1 where the graph has 2"));
  Close();
}

TEST_F(Checked, Abi018And019Callbacks) {
  Open("twice");
  braid_fence* fence = nullptr;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  int calls = 0;
  const auto count = [](void* n, braid_status) { ++*static_cast<int*>(n); };
  fns_.fence->on_ready(fence, count, &calls);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(Only("ABI-019"));
  fns_.fence->on_ready(fence, count, &calls);
  EXPECT_THAT(lines_[1], HasSubstr("ABI-018"));
  fns_.fence->destroy(fence);
  Close();
}

TEST_F(Checked, Abi020FenceThatIsUnfinishedAgain) {
  Open("unfinished");
  braid_fence* fence = nullptr;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  EXPECT_EQ(fns_.fence->wait(fence, 0), BRAID_OK);
  EXPECT_EQ(fns_.fence->wait(fence, 0), BRAID_OK);
  EXPECT_TRUE(Only("ABI-020", "ended with OK now says PENDING"));
  fns_.fence->destroy(fence);
  Close();
}

TEST_F(Checked, Abi021StatusThatTheSlotDoesNotHave) {
  Open("status");
  EXPECT_EQ(Run(), BRAID_UNSUPPORTED);
  EXPECT_TRUE(Only("ABI-021", "exec.submit answered UNSUPPORTED"));
  Close();
}

TEST_F(Checked, Abi021StatusThatARunDoesNotHave) {
  Open("late_status");
  EXPECT_EQ(Run(), BRAID_STALE_BLOB);
  EXPECT_TRUE(Only("ABI-021", "a fence ended with STALE_BLOB"));
  Close();
}

// A run ends with the status of what it waited for, whatever that is.
TEST_F(Checked, StatusOfAWaitIsPassedOn) {
  Open();
  braid_fence *gate = nullptr, *fence = nullptr;
  ASSERT_EQ(fns_.device->fence_create(device_->get(), &gate), BRAID_OK);
  submit_.waits = &gate;
  submit_.wait_count = 1;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  fns_.fence->signal(gate, BRAID_IO_ERROR);
  EXPECT_EQ(fns_.fence->wait(fence, UINT64_MAX), BRAID_IO_ERROR);
  fns_.fence->destroy(fence);
  fns_.fence->destroy(gate);
  Close();
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(Checked, LongSubmitIsTold) {
  Open("slow");  // a synchronous device may
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_THAT(lines_, IsEmpty());
  Close();
  Open("slow", 0, "asynchronous");
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_EQ(Run(), BRAID_OK);
  ASSERT_EQ(lines_.size(), 1u);  // once a device
  EXPECT_THAT(lines_[0], HasSubstr("ms: a device without BRAID_SYNCHRONOUS must not wait"));
  EXPECT_EQ(device_->plugin()->violations(), 0u);
  Close();
}

TEST_F(Checked, Abi022OkWithoutAnObject) {
  Open("null");
  EXPECT_EQ(compiled_, BRAID_OK);
  EXPECT_TRUE(Only("ABI-022"));
  Close();
}

TEST_F(Checked, Abi023ConstantChanged) {
  Open("constant", 1);
  EXPECT_TRUE(Only("ABI-023", "changed the bytes of constant value"));
  Close();
}

TEST_F(Checked, Abi024InputChanged) {
  Open("input");
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_TRUE(Only("ABI-024", "input value 0"));
  Close();
}

TEST_F(Checked, Abi025OutputShapeThatTheGraphDoesNotHave) {
  Open("rank");
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  fns_.exec->output_dims(exec_, bindings_, 1, sizeof(braid_binding), bindings_[1].value, &rank, dims);
  EXPECT_TRUE(Only("ABI-025", "rank 99"));
  Close();
}

// Core asks for no shape that the graph tells; the layer does.
TEST_F(Checked, Abi025OutputShapeThatTheGraphTells) {
  for (Value& value : graph_.values)
    if (value.type.dims.size() == 2) value.type.dims[0] = {2, -1};
  Open("dims");
  Run();
  EXPECT_TRUE(Only("ABI-025", "extent -5 in dimension 0 where the graph has 2"));
  Close();
}

TEST_F(Checked, Abi026VerdictThatDoesNotExist) {
  Open("verdict");
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  braid_verdict verdict{};
  verdict.input = verdict.attr = verdict.group = BRAID_NONE;
  fns_.device->query(device_->get(), view_->raw(), &options, &verdict, sizeof verdict);
  EXPECT_TRUE(Only("ABI-026", "node 0"));
  Close();
}

TEST_F(Checked, Abi027Alignment) {
  Open("alignment");
  braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
  fns_.exec->io_requirements(exec_, bindings_[0].value, &io);
  EXPECT_TRUE(Only("ABI-027", "alignment 3"));
  Close();
}

TEST_F(Checked, Abi028CompileRefusesWhatQueryAccepts) {
  Open();
  const auto both = GraphView::Segment(graph_, {0, 1}, {});
  const auto refused = device_->Compile(*both, {});
  EXPECT_EQ(refused.status().message(), "fixture:0: compile: one node at a time");
  EXPECT_TRUE(Only("ABI-028", "one node at a time"));
  Close();
}

TEST_F(Checked, Abi029TokensHeldAtShutdown) {
  Open("token", 1);
  Close();
  ASSERT_FALSE(lines_.empty());
  EXPECT_THAT(lines_[0], HasSubstr("ABI-029: 1 tokens"));
}

TEST_F(Checked, Abi030Mapping) {
  Open();
  braid_buffer *plain = Alloc(64), *mappable = Alloc(64, BRAID_BUFFER_MAPPABLE);
  void* mapped = nullptr;
  EXPECT_EQ(fns_.device->map(device_->get(), plain, 0, 8, &mapped), BRAID_INVALID_ARGUMENT);
  EXPECT_TRUE(Only("ABI-030", "not made mappable"));
  EXPECT_EQ(fns_.device->map(device_->get(), mappable, 60, 8, &mapped), BRAID_INVALID_ARGUMENT);
  EXPECT_EQ(fns_.device->map(device_->get(), mappable, 0, 8, &mapped), BRAID_OK);
  EXPECT_EQ(fns_.device->map(device_->get(), mappable, 0, 8, &mapped), BRAID_INVALID_ARGUMENT);
  fns_.device->unmap(device_->get(), mappable);
  fns_.device->unmap(device_->get(), mappable);
  EXPECT_EQ(lines_.size(), 4u);
  fns_.device->buffer_free(device_->get(), plain);
  fns_.device->buffer_free(device_->get(), mappable);
  Close();
}

TEST_F(Checked, Abi031Signal) {
  Open();
  braid_fence *gate = nullptr, *fence = nullptr;
  ASSERT_EQ(Submit(&fence), BRAID_OK);
  fns_.fence->signal(fence, BRAID_OK);
  EXPECT_TRUE(Only("ABI-031", "fence_create did not make"));
  ASSERT_EQ(fns_.device->fence_create(device_->get(), &gate), BRAID_OK);
  fns_.fence->signal(gate, BRAID_OK);
  fns_.fence->signal(gate, BRAID_CANCELLED);
  EXPECT_EQ(lines_.size(), 2u);
  EXPECT_EQ(fns_.fence->wait(gate, 0), BRAID_OK);
  fns_.fence->destroy(gate);
  fns_.fence->destroy(fence);
  Close();
}

TEST(CheckedDeathTest, AbortsWhereAsked) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        SetCheckedAborts(true);
        const auto device = testing::FixtureDevice("null", true);
        const Graph graph = ChainGraph();
        (void)device->Compile(*GraphView::Segment(graph, {0}, {}), {});
      },
      "fixture: ABI-022");
}

TEST_F(Checked, Abi032OutputSharesMemory) {
  Open();
  braid_buffer* buffer = Alloc(64);
  for (braid_binding& b : bindings_) {
    b.host = nullptr;
    b.buffer = buffer;
  }
  bindings_[1].offset = 16;  // beside each other
  EXPECT_EQ(Run(), BRAID_OK);
  EXPECT_THAT(lines_, IsEmpty());
  bindings_[1].offset = 8;
  Run();
  EXPECT_TRUE(Only("ABI-032", "output value 1 shares memory with value 0"));
  fns_.device->buffer_free(device_->get(), buffer);
  Close();
}

// Compiles Add with a constant on the fixture's device, and runs it.
void RunAdd(const char* fault) {
  const auto device = testing::FixtureDevice(fault, true);
  const Graph graph = ChainGraph();
  const auto view = GraphView::Segment(graph, {1}, {});
  const auto exec = device->Compile(*view, {});
  float in[4] = {}, out[4] = {};
  const int64_t dims[] = {2, 2};
  braid_binding bindings[2];
  for (int i : {0, 1}) {
    bindings[i] = BRAID_BINDING_INIT;
    bindings[i].value = i == 0 ? view->inputs()[0] : view->outputs()[0];
    bindings[i].host = i == 0 ? in : out;
    bindings[i].bytes = sizeof in;
    bindings[i].rank = 2;
    bindings[i].dims = dims;
  }
  braid_submit submit = BRAID_SUBMIT_INIT;
  submit.binding_count = 2;
  submit.binding_stride = sizeof(braid_binding);
  submit.bindings = bindings;
  Fence fence;
  exec->Submit(submit, &fence);
}

// What was only lent is unreadable afterwards; the crash names plugin, slot and cause.
class LentMemoryDeathTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(LentMemoryDeathTest, CannotBeReadLater) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto [fault, why] = GetParam();
  // A sanitizer handles the signal itself.
  EXPECT_DEATH(RunAdd(fault), std::string("Sanitizer|fixture: SIGSEGV in exec.submit: ") + why);
}

INSTANTIATE_TEST_SUITE_P(All, LentMemoryDeathTest,
                         ::testing::Values(std::pair{"released", "the bytes of a constant were used after"},
                                           std::pair{"borrowed", "the bytes of a constant were used after"},
                                           std::pair{"graph", "the graph of a call was used after the call"}),
                         [](const auto& info) { return std::string(info.param.first); });

TEST(CheckedDeathTest, CrashNamesPluginAndSlot) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        const auto device = testing::FixtureDevice("crash_late", true);
        const Graph graph = ChainGraph();
        (void)device->Compile(*GraphView::Segment(graph, {0}, {}), {});
      },
      "fixture: SIGABRT in device.compile");
}

}  // namespace
}  // namespace braid
