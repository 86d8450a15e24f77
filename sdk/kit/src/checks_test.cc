// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/checks.h>
#include <braid/kit/testing.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace braid::kit {
namespace {

std::string RefusalOf(const std::function<void()>& call, braid_status status = BRAID_INVALID_ARGUMENT) {
  try {
    call();
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), status) << e.what();
    return e.what();
  }
}

// y = f(x, c) with x [n, 3], c [n], y [n, 2], all float32; n is a symbol within [1, 8]. Buffers are numbers:
// their sizes.
class InterfaceTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kX = 0, kC = 1, kInner = 2, kY = 3;

  InterfaceTest() {
    graph_.Input(kFloat32, {-1, 3}, "x");
    graph_.Input(kFloat32, {-1}, "c");
    graph_.Inner(kFloat32, {-1, 2}, "inner");
    graph_.Output(kFloat32, {-1, 2}, "y");
    graph_.Node("F", 1, {kX, kC}, {kInner});
    graph_.Node("G", 1, {kInner}, {kY});
    raw_ = *graph_.view();
    dims_.assign(static_cast<const braid_dim*>(raw_.dims),
                 static_cast<const braid_dim*>(raw_.dims) + raw_.dim_count);
    for (braid_dim& dim : dims_)
      if (dim.value < 0) dim.symbol = 0, dim.min = 1, dim.max = 8;
    raw_.dims = dims_.data();
    Bind(kX, 1024, 24, {2, 3});
    Bind(kC, 1024, 8, {2});
    Bind(kY, 1024, 16, {2, 2});
  }

  void Bind(uint32_t value, uint64_t size, uint64_t bytes, std::vector<int64_t> dims) {
    braid_binding b = BRAID_BINDING_INIT;
    b.value = value;
    b.buffer = reinterpret_cast<braid_buffer*>(size);
    b.bytes = bytes;
    b.rank = static_cast<int32_t>(dims.size());
    shapes_.push_back(std::make_unique<std::vector<int64_t>>(std::move(dims)));
    b.dims = shapes_.back()->data();
    bindings_.push_back(b);
  }
  static uint64_t SizeOfNumber(const braid_buffer* buffer) { return reinterpret_cast<uint64_t>(buffer); }
  std::vector<Interface::Bound> Check() {
    submit_.bindings = bindings_.data();
    submit_.binding_count = static_cast<uint32_t>(bindings_.size());
    submit_.binding_stride = sizeof(braid_binding);
    return Interface(&raw_).Check(submit_, limits_, SizeOfNumber);
  }
  std::string Refusal() {
    return RefusalOf([&] { Check(); });
  }

  testing::Graph graph_;
  braid_graph raw_;
  std::vector<braid_dim> dims_;
  std::vector<std::unique_ptr<std::vector<int64_t>>> shapes_;
  std::vector<braid_binding> bindings_;
  braid_submit submit_ = BRAID_SUBMIT_INIT;
  Interface::Limits limits_;
};

TEST_F(InterfaceTest, AGoodRunIsTakenAndItsShapesAreTold) {
  bindings_[2].bytes = 100;  // more than the tensor takes
  const std::vector<Interface::Bound> bound = Check();
  ASSERT_EQ(bound.size(), 3u);
  EXPECT_EQ(bound[0].dims, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(bound[2].output && bound[2].has_dims);
  EXPECT_EQ(bound[2].dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(bound[2].bytes, 16u);
}

TEST_F(InterfaceTest, ValuesAreBoundOnce) {
  bindings_.push_back(bindings_[0]);
  EXPECT_EQ(Refusal(), "'x' is bound twice");
  bindings_.pop_back();
  bindings_.pop_back();
  EXPECT_EQ(Refusal(), "output 'y' is not bound");
  bindings_[0].value = kInner;
  EXPECT_EQ(Refusal(), "value 2 is neither an input nor an output of the compiled graph");
  bindings_[0].value = 99;
  EXPECT_EQ(Refusal(), "value 99 is neither an input nor an output of the compiled graph");
}

TEST_F(InterfaceTest, ShapesAreSuchAsTheGraphCanHave) {
  const int64_t other[] = {2, 4}, far[] = {9, 3}, three[] = {3, 3}, negative[] = {-2, 3};
  const braid_binding good = bindings_[0];
  const auto with = [&](int32_t rank, const int64_t* dims) {
    bindings_[0] = good;
    bindings_[0].rank = rank;
    bindings_[0].dims = dims;
    return Refusal();
  };
  EXPECT_EQ(with(2, other), "input 'x': extent 4 of dimension 1 is not one that the compiled graph takes");
  EXPECT_EQ(with(2, far), "input 'x': extent 9 of dimension 0 is not one that the compiled graph takes");
  EXPECT_EQ(with(2, negative), "input 'x': extent -2 of dimension 0 is negative");
  EXPECT_EQ(with(2, three), "input 'c': extent 2 of dimension 0 is 3 elsewhere");
  EXPECT_EQ(with(1, three), "input 'x' has rank 2, and is bound with 1");
  EXPECT_EQ(with(33, three), "input 'x' is bound without a shape");
  EXPECT_EQ(with(-1, three), "input 'x' is bound without a shape");
  EXPECT_EQ(with(2, nullptr), "input 'x' is bound without a shape");
}

TEST_F(InterfaceTest, MemoryHoldsItsTensor) {
  bindings_[0].bytes = 23;
  EXPECT_EQ(Refusal(), "input 'x' takes 24 bytes; 23 are bound");
  bindings_[0].bytes = 24;
  bindings_[2].bytes = 15;
  EXPECT_EQ(Refusal(), "output 'y' takes 16 bytes; 15 are bound");
  bindings_[2].bytes = 16;
  bindings_[2].offset = 1009;
  EXPECT_EQ(Refusal(), "16 bytes at 1009 leave the buffer of output 'y', which has 1024");
  bindings_[2].offset = UINT64_MAX - 7;
  EXPECT_NE(Refusal(), "");
  bindings_[2].offset = 1008;
  EXPECT_EQ(Refusal(), "");
  const int64_t strides[] = {3, 1};
  bindings_[0].strides = strides;
  EXPECT_EQ(Refusal(), "'x' is bound with strides, which this device does not take");
}

TEST_F(InterfaceTest, HostMemoryIsForThoseWhoTakeIt) {
  float x[6] = {};
  bindings_[0].buffer = nullptr;
  EXPECT_EQ(Refusal(), "input 'x' is bound without memory");
  bindings_[0].host = x;
  EXPECT_EQ(Refusal(), "input 'x' is bound to host memory, which this device does not take");
  limits_.host_bindings = true;
  EXPECT_EQ(Check()[0].host, x);
}

TEST_F(InterfaceTest, QueueAndWorkspace) {
  submit_.queue = 1;
  EXPECT_EQ(Refusal(), "there is no queue 1");
  submit_.queue = 0;
  limits_.workspace = 64;
  EXPECT_EQ(Refusal(), "a workspace of 64 bytes is needed, and none is given");
  submit_.workspace = reinterpret_cast<braid_buffer*>(100);
  EXPECT_EQ(Refusal(), "");
  submit_.workspace_offset = 64;
  EXPECT_EQ(Refusal(), "64 bytes at 64 leave the workspace's buffer, which has 100");
}

TEST_F(InterfaceTest, OutputDimsFollowSymbols) {
  const Interface interface(&raw_);
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  const StructArray<braid_binding> inputs(bindings_.data(), 2, sizeof(braid_binding));
  EXPECT_EQ(interface.OutputDims(inputs, kY, &rank, dims), BRAID_OK);
  EXPECT_EQ(std::vector<int64_t>(dims, dims + rank), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(RefusalOf([&] { interface.OutputDims(inputs, kX, &rank, dims); }), "'x' is no output");
  for (braid_dim& dim : dims_) dim.symbol = BRAID_NONE;
  EXPECT_EQ(Interface(&raw_).OutputDims(inputs, kY, &rank, dims), BRAID_UNSUPPORTED);
}

TEST(ChecksTest, Transfers) {
  const auto size_of = [](const braid_buffer* b) { return reinterpret_cast<uint64_t>(b); };
  char host[8];
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_WRITE;
  t.to = reinterpret_cast<braid_buffer*>(8);
  t.host = host;
  t.bytes = 8;
  const auto refusal = [&] { return RefusalOf([&] { CheckTransfer(t, 2, size_of); }); };
  EXPECT_EQ(refusal(), "");
  t.to_offset = 1;
  EXPECT_EQ(refusal(), "8 bytes at 1 leave the buffer that a transfer writes, which has 8");
  t.to_offset = UINT64_MAX;
  EXPECT_NE(refusal(), "");
  t.to_offset = 0;
  t.queue = 2;
  EXPECT_EQ(refusal(), "there is no queue 2");
  t.queue = 1;
  t.host = nullptr;
  EXPECT_EQ(refusal(), "a transfer has no host memory");
  t.kind = BRAID_TRANSFER_COPY;
  EXPECT_EQ(refusal(), "a transfer has no buffer to read");
  t.kind = 7;
  EXPECT_EQ(refusal(), "there is no transfer of kind 7");
}

TEST(ChecksTest, BuffersAndOptions) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 100;
  desc.alignment = 64;
  EXPECT_EQ(RefusalOf([&] { CheckBuffer(desc, 100); }), "");
  EXPECT_EQ(RefusalOf([&] { CheckBuffer(desc, 99); }), "100 bytes are more than max_buffer, 99");
  desc.alignment = 3;
  EXPECT_EQ(RefusalOf([&] { CheckBuffer(desc, 0); }), "an alignment of 3 is no power of two");
  desc.alignment = 0;
  desc.flags = BRAID_BUFFER_MAPPABLE;
  EXPECT_EQ(RefusalOf([&] { CheckBuffer(desc, 0, BRAID_BUFFER_MAPPABLE); }), "");
  EXPECT_NE(RefusalOf([&] { CheckBuffer(desc, 0); }, BRAID_UNSUPPORTED), "");
  const braid_option options[] = {{Str("tile"), Str("8")}, {Str("speed"), Str("9")}};
  EXPECT_EQ(RefusalOf([&] { CheckOptions(options, 2, {"tile"}); }), "there is no option 'speed'");
  EXPECT_EQ(RefusalOf([&] { CheckOptions(options, 1, {"tile"}); }), "");
  testing::Host host;
  EXPECT_EQ(RefusalOf([&] { CheckDeadline(Host(host.raw()), 0); }), "");
  EXPECT_EQ(RefusalOf([&] { CheckDeadline(Host(host.raw()), 1); }, BRAID_TIMEOUT), "the deadline has passed");
}

}  // namespace
}  // namespace braid::kit
