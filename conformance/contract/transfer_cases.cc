// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <optional>

#include "conformance/contract/cases.h"
#include "conformance/contract/host_memory.h"

namespace braid::conformance {
namespace {

std::vector<uint8_t> Pattern(size_t bytes, unsigned seed = 0) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 7 + i / 251 + seed * 13 + 1);
  return data;
}

braid_transfer Made(int32_t kind, const Buffer* to, uint64_t to_offset, const Buffer* from,
                    uint64_t from_offset, void* host, uint64_t bytes) {
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = kind;
  t.to = to == nullptr ? nullptr : to->get();
  t.from = from == nullptr ? nullptr : from->get();
  t.to_offset = to_offset;
  t.from_offset = from_offset;
  t.host = host;
  t.bytes = bytes;
  return t;
}

void Done(Fence fence, const std::string& what) {
  const braid_status status = fence.Wait();
  Check(status == BRAID_OK, "{} ends with {}: {}", what, StatusText(status), fence.Text());
}

void Same(const std::vector<uint8_t>& got, const std::vector<uint8_t>& want, const std::string& what) {
  if (const auto at = FirstDifference(got, want))
    throw Failure(fmt::format("ABI-052: {}: byte {} of {} is wrong", what, *at, want.size()));
}

void Nothing(Bench& b) {
  const Buffer buffer = b.Alloc(64), other = b.Alloc(64), empty = b.Alloc(0);
  const auto data = Pattern(64);
  b.Write(buffer, 0, data.data(), 64);
  uint8_t byte = 77;
  for (const uint64_t offset : {0, 1, 63, 64}) {
    Done(b.Transfer(Made(BRAID_TRANSFER_WRITE, &buffer, offset, nullptr, 0, &byte, 0)), "a write of 0 bytes");
    Done(b.Transfer(Made(BRAID_TRANSFER_READ, nullptr, 0, &buffer, offset, &byte, 0)), "a read of 0 bytes");
    Done(b.Transfer(Made(BRAID_TRANSFER_COPY, &buffer, offset, &other, offset, nullptr, 0)),
         "a copy of 0 bytes");
  }
  Done(b.Transfer(Made(BRAID_TRANSFER_WRITE, &empty, 0, nullptr, 0, nullptr, 0)),
       "a write of 0 bytes to 0 bytes");
  Done(b.Transfer(Made(BRAID_TRANSFER_READ, nullptr, 0, &empty, 0, nullptr, 0)),
       "a read of 0 bytes from 0 bytes");
  Same(b.Read(buffer, 0, 64), data, "after transfers of 0 bytes");
  Check(byte == 77, "ABI-037: a transfer of 0 bytes writes");
}

void Ranges(Bench& b) {
  constexpr uint64_t kBytes = 1031;
  const Buffer buffer = b.Alloc(kBytes);
  auto want = Pattern(kBytes);
  b.Write(buffer, 0, want.data(), kBytes);
  Same(b.Read(buffer, 0, kBytes), want, "the whole buffer");
  unsigned seed = 1;
  for (const uint64_t offset : {0, 1, 2, 3, 5, 7, 63, 64, 65, 255, 257, 511, 1000, 1030})
    for (const uint64_t bytes : {1, 2, 3, 4, 5, 7, 8, 31, 33, 255, 256, 257}) {
      if (offset + bytes > kBytes) continue;
      const auto data = Pattern(bytes, ++seed);
      b.Write(buffer, offset, data.data(), bytes);
      std::copy(data.begin(), data.end(), want.begin() + static_cast<ptrdiff_t>(offset));
      const std::string what = fmt::format("{} bytes at offset {}", bytes, offset);
      Same(b.Read(buffer, offset, bytes), data, what);
      Same(b.Read(buffer, 0, kBytes), want, "around " + what);
    }
}

void Large(Bench& b) {
  uint64_t bytes = (uint64_t{8} << 20) + 13;
  if (b.info().memory_total != 0) bytes = std::min(bytes, b.info().memory_total / 4);
  if (b.info().max_buffer != 0) bytes = std::min(bytes, b.info().max_buffer);
  const Buffer buffer = b.Alloc(bytes), other = b.Alloc(bytes);
  const auto data = Pattern(bytes);
  b.Write(buffer, 0, data.data(), bytes);
  Done(b.Transfer(Made(BRAID_TRANSFER_COPY, &other, 0, &buffer, 0, nullptr, bytes)), "a copy");
  Same(b.Read(buffer, 0, bytes), data, "a large buffer");
  Same(b.Read(other, 0, bytes), data, "a large copy");
}

void Copies(Bench& b) {
  constexpr uint64_t kBytes = 777;
  const Buffer from = b.Alloc(kBytes), to = b.Alloc(kBytes);
  const auto source = Pattern(kBytes, 1);
  auto want = Pattern(kBytes, 2);
  b.Write(from, 0, source.data(), kBytes);
  b.Write(to, 0, want.data(), kBytes);
  const struct {
    uint64_t to, from, bytes;
  } kCopies[] = {{0, 0, 1},       {1, 0, 3},   {3, 5, 255},   {100, 7, 1},
                 {500, 501, 276}, {776, 0, 1}, {0, 0, kBytes}};
  for (const auto& c : kCopies) {
    Done(b.Transfer(Made(BRAID_TRANSFER_COPY, &to, c.to, &from, c.from, nullptr, c.bytes)), "a copy");
    std::copy_n(source.begin() + static_cast<ptrdiff_t>(c.from), c.bytes,
                want.begin() + static_cast<ptrdiff_t>(c.to));
    Same(b.Read(to, 0, kBytes), want, fmt::format("a copy of {} bytes from {} to {}", c.bytes, c.from, c.to));
    Same(b.Read(from, 0, kBytes), source, "the source of a copy");
  }
  // Within one buffer, apart.
  Done(b.Transfer(Made(BRAID_TRANSFER_COPY, &from, 400, &from, 3, nullptr, 200)), "a copy within a buffer");
  auto within = source;
  std::copy_n(source.begin() + 3, 200, within.begin() + 400);
  Same(b.Read(from, 0, kBytes), within, "a copy within a buffer");
}

void Order(Bench& b) {
  // What overlaps takes effect in the order of the queue; nobody waits in between.
  constexpr uint64_t kBytes = 4096;
  for (uint32_t queue = 0; queue < std::min(b.info().queues, 4u); ++queue) {
    const Buffer buffer = b.Alloc(kBytes), copy = b.Alloc(kBytes);
    std::vector<std::vector<uint8_t>> lent;
    std::vector<uint8_t> want(kBytes), back(kBytes), of_copy(kBytes);
    std::vector<Fence> fences;
    // Where the host can hold the queue, all is queued before the first begins.
    std::optional<Fence> gate;
    try {
      if (!b.Has(BRAID_SYNCHRONOUS)) gate.emplace(b.HostFence());
    } catch (const NotThere&) {
    }
    braid_fence* const wait = gate ? gate->get() : nullptr;
    const auto start = [&](braid_transfer t) {
      t.queue = queue;
      t.waits = &wait;
      t.wait_count = gate && fences.empty() ? 1 : 0;
      fences.push_back(b.Transfer(t));
    };
    for (unsigned i = 0; i < 64; ++i) {
      const uint64_t offset = i == 0 ? 0 : i * 97 % 3000, bytes = i == 0 ? kBytes : 1 + i * 53 % 1000;
      lent.push_back(Pattern(bytes, i));
      start(Made(BRAID_TRANSFER_WRITE, &buffer, offset, nullptr, 0, lent.back().data(), bytes));
      std::copy(lent.back().begin(), lent.back().end(), want.begin() + static_cast<ptrdiff_t>(offset));
    }
    start(Made(BRAID_TRANSFER_COPY, &copy, 0, &buffer, 0, nullptr, kBytes));
    start(Made(BRAID_TRANSFER_READ, nullptr, 0, &buffer, 0, back.data(), kBytes));
    const auto last = Pattern(kBytes, 1000);
    start(Made(BRAID_TRANSFER_WRITE, &buffer, 0, nullptr, 0, const_cast<uint8_t*>(last.data()), kBytes));
    start(Made(BRAID_TRANSFER_READ, nullptr, 0, &copy, 0, of_copy.data(), kBytes));
    if (gate) b.Signal(*gate, BRAID_OK);
    for (Fence& fence : fences) Done(std::move(fence), "a transfer among others");
    const auto same = [&](const std::vector<uint8_t>& got, const std::vector<uint8_t>& wanted,
                          const char* what) {
      if (const auto at = FirstDifference(got, wanted))
        throw Failure(fmt::format("ABI-044: {} on queue {} is out of order at byte {}", what, queue, *at));
    };
    same(back, want, "a read after writes");
    same(of_copy, want, "a copy after writes");
    same(b.Read(buffer, 0, kBytes), last, "a write after a read");
  }
}

void RunsInOrder(Bench& b) {
  // Write, run, read, without a wait; then with other data.
  const Kind& kind = b.Elementwise();
  const Workload first = Elementwise(kind, {33}), second = Elementwise(kind, {33}, 5);
  const Exec exec = b.Compile(*first.view);
  for (uint32_t queue = 0; queue < std::min(b.info().queues, 2u); ++queue) {
    Run run(b, first, exec, {.queue = queue});
    run.Prepare();
    const braid_binding in = run.bindings[0], out = run.bindings.back();
    std::vector<uint8_t> back[2];
    std::vector<Fence> fences;
    for (const Workload* w : {&first, &second}) {
      auto& to = back[w == &second];
      to.resize(out.bytes);
      braid_transfer t = BRAID_TRANSFER_INIT;
      t.queue = queue;
      t.kind = BRAID_TRANSFER_WRITE;
      t.to = in.buffer;
      t.to_offset = in.offset;
      t.host = const_cast<uint8_t*>(w->inputs[0].bytes.data());
      t.bytes = in.bytes;
      fences.push_back(b.Transfer(t));
      fences.push_back(run.Start());
      t.kind = BRAID_TRANSFER_READ;
      t.to = nullptr;
      t.from = out.buffer;
      t.from_offset = out.offset;
      t.host = to.data();
      fences.push_back(b.Transfer(t));
    }
    for (Fence& fence : fences) Done(std::move(fence), "work among other work");
    for (const Workload* w : {&first, &second})
      if (const auto at = FirstDifference(back[w == &second], w->outputs[0].bytes))
        throw Failure(fmt::format(
            "ABI-044: write, run and read on queue {} are out of order: byte {} is wrong", queue, *at));
  }
}

// Refused at once or by the fence.
void Refusal(Bench& b, const braid_transfer& t, const std::string& what) {
  braid_fence* raw = nullptr;
  braid_status status = b.dev().transfer(b.device(), &t, &raw);
  std::string text = b.host.error();
  Check(status == BRAID_OK || raw == nullptr, "ABI-022: {} gives {} and a fence", what, StatusText(status));
  Fence fence(b, raw);
  if (status == BRAID_OK) {
    status = fence.Wait();
    text = fence.Text();
  }
  Check(status == BRAID_INVALID_ARGUMENT, "ABI-045: {} gives {}, not INVALID_ARGUMENT", what,
        StatusText(status));
  Check(!text.empty(), "ABI-036: {} tells no text", what);
}

void Beyond(Bench& b) {
  const Buffer buffer = b.Alloc(256), other = b.Alloc(100);
  const auto data = Pattern(256);
  b.Write(buffer, 0, data.data(), 256);
  b.Write(other, 0, data.data(), 100);
  std::vector<uint8_t> host(1024, 1);
  const struct {
    uint64_t offset, bytes;
  } kRanges[] = {{0, 257},       {1, 256}, {256, 1}, {257, 1}, {UINT64_MAX, 2}, {UINT64_MAX - 255, 256},
                 {8, UINT64_MAX}};
  for (const auto& r : kRanges) {
    const std::string range = fmt::format("of {} bytes at {} of 256", r.bytes, r.offset);
    Refusal(b, Made(BRAID_TRANSFER_WRITE, &buffer, r.offset, nullptr, 0, host.data(), r.bytes),
            "a write " + range);
    Refusal(b, Made(BRAID_TRANSFER_READ, nullptr, 0, &buffer, r.offset, host.data(), r.bytes),
            "a read " + range);
  }
  Refusal(b, Made(BRAID_TRANSFER_COPY, &other, 0, &buffer, 0, nullptr, 101),
          "a copy beyond the target's end");
  Refusal(b, Made(BRAID_TRANSFER_COPY, &buffer, 0, &other, 1, nullptr, 100),
          "a copy beyond the source's end");
  Same(b.Read(buffer, 0, 256), data, "after transfers beyond the end");
  Check(std::all_of(host.begin(), host.end(), [](uint8_t byte) { return byte == 1; }),
        "ABI-037: a refused read writes to the host's memory");
}

void BadQueue(Bench& b) {
  const Buffer buffer = b.Alloc(16);
  uint8_t host[16] = {};
  for (const uint32_t queue : {b.info().queues, UINT32_MAX}) {
    braid_transfer t = Made(BRAID_TRANSFER_WRITE, &buffer, 0, nullptr, 0, host, 16);
    t.queue = queue;
    Refusal(b, t, fmt::format("a transfer on queue {} of {}", queue, b.info().queues));
  }
}

void MissingSide(Bench& b) {
  const Buffer buffer = b.Alloc(16);
  uint8_t host[16] = {};
  Refusal(b, Made(BRAID_TRANSFER_WRITE, nullptr, 0, nullptr, 0, host, 16), "a write to no buffer");
  Refusal(b, Made(BRAID_TRANSFER_READ, nullptr, 0, nullptr, 0, host, 16), "a read from no buffer");
  Refusal(b, Made(BRAID_TRANSFER_WRITE, &buffer, 0, nullptr, 0, nullptr, 16), "a write from no host memory");
  Refusal(b, Made(BRAID_TRANSFER_READ, nullptr, 0, &buffer, 0, nullptr, 16), "a read to no host memory");
  Refusal(b, Made(BRAID_TRANSFER_COPY, &buffer, 0, nullptr, 0, nullptr, 16), "a copy from no buffer");
  Refusal(b, Made(77, &buffer, 0, &buffer, 0, host, 16), "a transfer of an unknown kind");
}

void Guarded(Bench& b) {
  const Buffer buffer = b.Alloc(5000);
  for (const bool at_start : {true, false})
    for (const uint64_t bytes : {1, 3, 255, 257, 4095, 4097}) {
      HostMemory memory(bytes, at_start);
      const auto data = Pattern(bytes, static_cast<unsigned>(bytes));
      std::copy(data.begin(), data.end(), memory.data());
      Done(b.Transfer(Made(BRAID_TRANSFER_WRITE, &buffer, 3, nullptr, 0, memory.data(), bytes)), "a write");
      std::memset(memory.data(), 0, bytes);
      Done(b.Transfer(Made(BRAID_TRANSFER_READ, nullptr, 0, &buffer, 3, memory.data(), bytes)), "a read");
      Same({memory.data(), memory.data() + bytes}, data,
           fmt::format("{} bytes between unreadable pages", bytes));
    }
}

void ArgumentsGone(Bench& b) {
  const Buffer buffer = b.Alloc(5000);
  for (unsigned i = 0; i < 20; ++i) {
    auto data = Pattern(5000, i);
    const braid_transfer transfer =
        Made(BRAID_TRANSFER_WRITE, &buffer, 0, nullptr, 0, data.data(), data.size());
    HostMemory lent(sizeof transfer, false);
    std::memcpy(lent.data(), &transfer, sizeof transfer);
    Fence fence = b.Transfer(*reinterpret_cast<const braid_transfer*>(lent.data()));
    lent.Forbid("ABI-057: an argument of transfer was used after it had returned");
    Done(std::move(fence), "a write");
    Same(b.Read(buffer, 0, 5000), data, "after a transfer whose arguments are gone");
  }
}

}  // namespace

std::vector<ContractCase> TransferCases() {
  return {
      {"abi/transfer-nothing", "ABI-052, ABI-037", "transfers of 0 bytes, also at a buffer's end, do nothing",
       Nothing},
      {"abi/transfer-ranges", "ABI-052", "odd offsets and sizes, whole and partial, move those bytes alone",
       Ranges},
      {"abi/transfer-large", "ABI-052", "eight megabytes and an odd rest", Large},
      {"abi/transfer-copy", "ABI-052", "copies between two buffers and within one", Copies},
      {"abi/transfer-order", "ABI-044", "overlapping transfers of a queue take effect in their order", Order},
      {"abi/transfer-run-order", "ABI-044", "writes, runs and reads of a queue take effect in their order",
       RunsInOrder},
      {"abi/transfer-beyond", "ABI-045, ABI-036, ABI-022",
       "beyond a buffer's end, also where the sum overflows: refused", Beyond},
      {"abi/transfer-bad-queue", "ABI-045, ABI-036", "a queue that is not there is refused", BadQueue},
      {"abi/transfer-missing-side", "ABI-045, ABI-036",
       "a missing buffer or host memory, an unknown kind: refused", MissingSide},
      {"abi/transfer-arguments-gone", "ABI-057", "a transfer is unreadable once the call has returned",
       ArgumentsGone},
      {"memory/transfer-guarded", "ABI-037, ABI-052",
       "host memory of transfers lies between unreadable pages", Guarded},
  };
}

}  // namespace braid::conformance
