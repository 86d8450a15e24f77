// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "conformance/contract/cases.h"
#include "conformance/contract/host_memory.h"
#include "conformance/contract/host_state.h"

namespace braid::conformance {
namespace {

constexpr int64_t kSizes[] = {1, 2, 3, 5, 31, 33, 63, 65, 255, 257, 1023, 1025};

void Sizes(Bench& b, const RunOptions& options) {
  for (const int64_t n : kSizes) {
    const Workload w = Elementwise(b.Elementwise(), {n});
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec, options);
    run.Go();
    run.ExpectRight();
  }
}

void HostAtEnd(Bench& b) { Sizes(b, {.host = true}); }
void HostAtStart(Bench& b) { Sizes(b, {.host = true, .at_start = true}); }
void Canaries(Bench& b) { Sizes(b, {}); }
void SmallestOffset(Bench& b) {
  for (const uint64_t skip : {1, 3}) Sizes(b, {.skip = skip});
}

void HostSkewed(Bench& b) {
  // At each address that an element may have within 64 bytes.
  if (!b.Has(BRAID_HOST_BINDINGS)) throw NotThere("the device takes no host memory");
  const Workload w = Elementwise(b.Elementwise(), {37});
  const Exec exec = b.Compile(*w.view);
  const size_t element = kit::testing::BitsOf(w.inputs[0].type) / 8;
  for (size_t skew = 0; skew < 64; skew += element) {
    Run run(b, w, exec, {.host = true});
    std::vector<std::unique_ptr<HostMemory>> memory;
    for (braid_binding& binding : run.bindings) {
      // From a page's start on, so that it is as skewed as can be.
      memory.push_back(std::make_unique<HostMemory>(skew + binding.bytes, true));
      binding.host = memory.back()->data() + skew;
    }
    for (size_t i = 0; i < w.inputs.size(); ++i)
      std::memcpy(run.bindings[i].host, w.inputs[i].bytes.data(), w.inputs[i].bytes.size());
    std::string text;
    const braid_status status = run.Try(&text);
    Check(status == BRAID_OK, "a run at addresses {} bytes off ends with {}: {}", skew, StatusText(status),
          text);
    Check(std::memcmp(run.bindings.back().host, w.outputs[0].bytes.data(), w.outputs[0].bytes.size()) == 0,
          "a run at addresses {} bytes off is wrong", skew);
  }
}

void HostReadOnly(Bench& b) {
  if (!b.Has(BRAID_HOST_BINDINGS)) throw NotThere("the device takes no host memory");
  for (const int64_t n : {1, 37, 1025}) {
    const Workload w = Elementwise(b.Elementwise(), {n});
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec, {.host = true});
    run.Prepare();
    std::vector<std::unique_ptr<HostMemory>> memory;
    for (size_t i = 0; i < w.inputs.size(); ++i) {
      const std::vector<uint8_t>& bytes = w.inputs[i].bytes;
      memory.push_back(std::make_unique<HostMemory>(bytes.size(), false));
      std::memcpy(memory.back()->data(), bytes.data(), bytes.size());
      memory.back()->ReadOnly();
      run.bindings[i].host = memory.back()->data();
    }
    std::string text;
    const braid_status status = run.Try(&text);
    Check(status == BRAID_OK, "a run whose inputs are read-only ends with {}: {}", StatusText(status), text);
    run.Collect();
    run.ExpectRight();
  }
}

void Unwritten(Bench& b) {
  const auto twice = [&](const Workload& w) {
    const Exec exec = b.Compile(*w.view);
    std::vector<kit::testing::Array> first;
    for (const uint8_t poison : {0xa5, 0x5a, 0xff, 0x00}) {
      Run run(b, w, exec, {.poison = poison});
      run.Go();
      run.ExpectRight();
      if (first.empty()) first = run.outputs();
      CheckSame(run.outputs(), first,
                fmt::format("ABI-038: in outputs and workspace filled with {:#x}", poison));
    }
  };
  twice(b.Plain());
  try {
    for (const int64_t n : {255, 257, 4099}) twice(Elementwise(b.Elementwise(), {n}));
    twice(Twins(b.Elementwise(), {7, 5}));
  } catch (const NotThere&) {
  }
}

void WorkspaceExact(Bench& b) {
  const Workload w = b.WithWorkspace();
  const Exec exec = b.Compile(*w.view);
  for (const uint64_t skip : {0, 1, 3}) {
    Run run(b, w, exec, {.skip = skip});
    run.Go();
    run.ExpectRight();
  }
}

void LargerOutput(Bench& b) {
  const Workload w = Elementwise(b.Elementwise(), {3, 11});
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.bindings.back().bytes += 16;  // there are canaries
  run.Go();
  run.ExpectRight();
}

void SharedInputs(Bench& b) {
  const Kind& kind = b.Elementwise();
  if (kind.operands < 2) throw NotThere("the device takes no binary operator");
  const Workload w = Elementwise(kind, {65});
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Prepare();
  // Both are the second one, of which the result is then known: of one, two and three.
  run.bindings[0].buffer = run.bindings[1].buffer;
  run.bindings[0].offset = run.bindings[1].offset;
  std::string text;
  braid_status status = run.Try(&text);
  Check(status == BRAID_OK, "a run whose inputs share memory ends with {}: {}", StatusText(status), text);
  run.Collect();
  const auto shared = run.outputs();
  // As with copies of the second one.
  Workload copies = w;
  copies.inputs[0] = copies.inputs[1];
  copies.outputs.clear();
  Run apart(b, copies, exec);
  apart.Go();
  CheckSame(shared, apart.outputs(), "where inputs share memory");
}

uint64_t Resident() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}
uint64_t Heap() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// That `step` leaves nothing behind: after a time to warm up neither the heap nor the process grows with it.
// What a driver keeps comes in leaps, so that growth counts only where each quarter shows it.
// Likewise of descriptors and threads.
template <class Step>
void Flat(const char* what, int steps, uint64_t bytes_a_step, const Step& step) {
  for (int i = 0; i < steps / 4; ++i) step();
  uint64_t least_heap = UINT64_MAX, least_resident = UINT64_MAX;
  uint64_t least_descriptors = UINT64_MAX, least_threads = UINT64_MAX;
  const auto growth = [](uint64_t before, uint64_t after) { return after > before ? after - before : 0; };
  for (int quarter = 0; quarter < 4; ++quarter) {
    const uint64_t heap = Heap(), resident = Resident();
    const uint64_t descriptors = OpenDescriptors(), threads = RunningThreads();
    for (int i = 0; i < steps / 4; ++i) step();
    least_heap = std::min(least_heap, growth(heap, Heap()));
    least_resident = std::min(least_resident, growth(resident, Resident()));
    least_descriptors = std::min(least_descriptors, growth(descriptors, OpenDescriptors()));
    least_threads = std::min(least_threads, growth(threads, RunningThreads()));
  }
  const auto a_quarter = static_cast<uint64_t>(steps / 4);
  Check(least_heap < bytes_a_step * a_quarter, "ABI-035: the heap grows by {} bytes with each {} {}",
        least_heap, a_quarter, what);
  Check(least_resident < std::max<uint64_t>(bytes_a_step * a_quarter, 65536),
        "ABI-035: the process grows by {} bytes with each {} {}", least_resident, a_quarter, what);
  Check(least_descriptors == 0, "ABI-035: {} descriptors more are open after each {} {}", least_descriptors,
        a_quarter, what);
  Check(least_threads == 0, "ABI-035: {} threads more run after each {} {}", least_threads, a_quarter, what);
}

void RunsFlat(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Prepare();
  Flat("runs", 2000, 16, [&] {
    const braid_status status = run.Try();
    Check(status == BRAID_OK, "a run ends with {}", StatusText(status));
  });
  run.Collect();
  run.ExpectRight();
}

void TransfersFlat(Bench& b) {
  const Buffer buffer = b.Alloc(1000);
  std::vector<uint8_t> data(1000, 3);
  Flat("transfers", 2000, 16, [&] { b.Write(buffer, 0, data.data(), data.size()); });
}

void ExecutablesFlat(Bench& b) {
  const Workload w = b.Plain();
  Flat("executables", 200, 256, [&] { b.Compile(*w.view); });
}

void FailuresFlat(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.submit.binding_count -= 1;
  Flat("refused runs", 1000, 16,
       [&] { Check(run.Try() != BRAID_OK, "ABI-045: a run without one of its bindings ends OK"); });
}

void BuffersGiven(Bench& b) {
  // More in all than the device has, where it tells, one after the other.
  const braid_device_info& info = b.info();
  uint64_t bytes = uint64_t{32} << 20;
  if (info.memory_total != 0) bytes = std::min(bytes, info.memory_total / 4);
  if (info.max_buffer != 0) bytes = std::min(bytes, info.max_buffer);
  const std::vector<uint8_t> content(bytes, 1);
  // The first are written whole: memory that nobody has touched is not taken from the machine.
  uint64_t made = 0;
  const auto allocate = [&] {
    const Buffer buffer = b.Alloc(bytes);
    if (made++ < 8)
      b.Write(buffer, 0, content.data(), bytes);
    else
      b.Write(buffer, bytes - 1, content.data(), 1);
  };
  allocate();
  braid_health before = BRAID_HEALTH_INIT, after = BRAID_HEALTH_INIT;
  b.Ok(b.dev().health(b.device(), &before), "health");
  const uint64_t resident = Resident();
  const uint64_t times =
      info.memory_total == 0 ? 64 : std::clamp<uint64_t>(info.memory_total / bytes + 2, 8, 64);
  for (uint64_t i = 0; i < times; ++i) allocate();
  b.Ok(b.dev().health(b.device(), &after), "health");
  // Others use the machine too, and devices in its memory tell of all of it.
  if (!b.Has(BRAID_MEMORY_UNIFIED) && before.memory_free != 0)
    Check(after.memory_free + bytes >= before.memory_free,
          "ABI-035: after {} buffers of {} bytes {} bytes are free, before {}", times, bytes,
          after.memory_free, before.memory_free);
  const uint64_t now = Resident();
  Check(now < resident + 4 * bytes, "ABI-035: after {} buffers of {} bytes the process has {} bytes more",
        times, bytes, now - resident);
}

}  // namespace

std::vector<ContractCase> MemoryCases() {
  return {
      {"memory/host-at-end", "ABI-037, ABI-024", "host bindings end at an unreadable page", HostAtEnd},
      {"memory/host-at-start", "ABI-037, ABI-024", "host bindings begin behind an unreadable page",
       HostAtStart},
      {"memory/host-skewed", "ABI-037", "host bindings at every address that elements may have", HostSkewed},
      {"memory/host-read-only", "ABI-024", "inputs in pages that cannot be written, as mapped files are",
       HostReadOnly},
      {"memory/canaries", "ABI-037, ABI-024",
       "tensors of odd sizes in larger buffers: what lies around stays, inputs stay", Canaries},
      {"memory/smallest-offset", "ABI-037, ABI-024",
       "the same at the smallest offsets that io_requirements allows", SmallestOffset},
      {"memory/unwritten", "ABI-038", "every element is written, whatever was in outputs and workspace",
       Unwritten},
      {"memory/workspace-exact", "ABI-037", "a workspace of just workspace_size is enough", WorkspaceExact},
      {"memory/larger-output", "ABI-037", "an output's binding may be larger than the tensor", LargerOutput},
      {"memory/shared-inputs", "ABI-024", "inputs may share memory", SharedInputs},
      {"memory/runs-flat", "ABI-035", "2,000 runs leave nothing behind", RunsFlat},
      {"memory/transfers-flat", "ABI-035", "2,000 transfers leave nothing behind", TransfersFlat},
      {"memory/executables-flat", "ABI-035", "200 executables leave nothing behind", ExecutablesFlat},
      {"memory/failures-flat", "ABI-035", "1,000 refused runs leave nothing behind", FailuresFlat},
      {"memory/buffers-given-back", "ABI-035", "freed buffers give their memory back", BuffersGiven},
  };
}

}  // namespace braid::conformance
