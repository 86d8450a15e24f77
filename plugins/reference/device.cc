// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/device.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace braid::reference {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint32_t kQueues = 64;  // threads beside each other: nothing is shared between runs

// Host memory.
struct HostBuffer {
  char* data;
  uint64_t bytes;
  bool owned;
};
HostBuffer* Of(braid_buffer* buffer) { return reinterpret_cast<HostBuffer*>(buffer); }

braid_buffer* Allocate(uint64_t bytes, uint64_t alignment = kAlignment) {
  alignment = std::max(alignment, kAlignment);
  const uint64_t rounded = (std::max<uint64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* data = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
  if (data == nullptr)
    throw kit::Error(BRAID_OUT_OF_MEMORY, "no " + std::to_string(bytes) + " bytes of host memory");
  return reinterpret_cast<braid_buffer*>(new HostBuffer{static_cast<char*>(data), bytes, true});
}

// The address of a range of a buffer. Throws kit::Error(INVALID_ARGUMENT) if the range leaves it.
char* RangeOf(braid_buffer* buffer, uint64_t offset, uint64_t bytes) {
  if (buffer == nullptr) throw kit::Error(BRAID_INVALID_ARGUMENT, "a buffer is missing");
  if (offset > Of(buffer)->bytes || bytes > Of(buffer)->bytes - offset)
    throw kit::Error(BRAID_INVALID_ARGUMENT, std::to_string(bytes) + " bytes at offset " +
                                                 std::to_string(offset) + " leave a buffer of " +
                                                 std::to_string(Of(buffer)->bytes) + " bytes");
  return Of(buffer)->data + offset;
}

uint64_t Pages(int which) {
  const long pages = sysconf(which), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(size) : 0;
}

void Free(braid_buffer* buffer) {
  if (Of(buffer)->owned) std::free(Of(buffer)->data);
  delete Of(buffer);
}

// A run that has ended, with outputs that the host has yet to take.
class ResultFence : public kit::Fence {
 public:
  struct Result {
    uint32_t value;
    Tensor tensor;
  };
  explicit ResultFence(std::vector<Result> results) : results_(std::move(results)) {}
  braid_status Wait(uint64_t) override { return BRAID_OK; }
  void OnReady(void (*callback)(void*, braid_status), void* argument) override {
    callback(argument, BRAID_OK);
  }
  braid_status Completion(braid_completion* out) override {
    out->status = BRAID_OK;
    return BRAID_OK;
  }
  const Tensor* Find(uint32_t value) const {
    for (const Result& r : results_)
      if (r.value == value) return &r.tensor;
    return nullptr;
  }

 private:
  std::vector<Result> results_;
};

void CheckQueue(uint32_t queue) {
  if (queue >= kQueues)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no queue " + std::to_string(queue));
}

void* MemoryOf(const braid_binding& b) {
  if (b.host != nullptr) return b.host;
  return b.buffer != nullptr ? RangeOf(b.buffer, b.offset, b.bytes) : nullptr;
}
// Strings and types below a byte are held in another form than they cross in, and operators write to
// aligned elements: others are converted at the end.
bool HeldAsItCrosses(int32_t type, const void* memory) {
  const size_t held = HeldBytes(type);
  return type != kString && held > 0 && held * 8 == static_cast<size_t>(WireBits(type)) &&
         reinterpret_cast<uintptr_t>(memory) % std::min<size_t>(held, 8) == 0;
}
// What make() gives, whose errors say which output it is and how large.
template <class Make>
auto WithName(const kit::Value& value, const Tensor& result, const Make& make) {
  const auto error = [&](braid_status status, const char* why) {
    return kit::Error(status, "output '" + std::string(value.name()) + "', " + TypeName(result.type()) +
                                  DimsText(result.dims()) + " of " + std::to_string(result.WireBytes()) +
                                  " bytes: " + why);
  };
  try {
    return make();
  } catch (const kit::Error& e) {
    throw error(e.status(), e.what());
  } catch (const std::bad_alloc&) {
    throw error(BRAID_OUT_OF_MEMORY, "out of host memory");
  }
}

// A result may share memory with an input, which may be gone when it is taken.
Tensor Owned(Tensor result) {
  if (result.owns()) return result;
  Tensor copy(result.type(), result.dims());
  if (copy.bytes() > 0) std::memcpy(copy.raw(), result.raw(), copy.bytes());
  return copy;
}

}  // namespace

ReferenceExec::ReferenceExec(const braid_graph* view, kit::Host host, const NodeHook* hook)
    : program_(view, host, hook),
      host_(host),
      cancel_(static_cast<const braid_cancel*>(host.raw()->get_extension(host.raw(), BRAID_CANCEL_ID))) {}

void ReferenceExec::IoRequirements(uint32_t value, braid_io_requirements* out) {
  program_.CheckIo(value);
  out->alignment = kAlignment;
}

braid_status ReferenceExec::OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                                       int64_t* dims) {
  return program_.OutputDims(inputs, output, rank, dims);
}

kit::Fence* ReferenceExec::Submit(const braid_submit& submit) {
  const kit::StructArray<braid_binding> bindings(submit.bindings, submit.binding_count,
                                                 submit.binding_stride);
  CheckQueue(submit.queue);
  program_.CheckBound(bindings);
  Program::State state = program_.NewState();
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const braid_binding b = bindings[i];
    const kit::Value value = program_.CheckBinding(b);
    void* memory = MemoryOf(b);
    if (value.is_output()) {
      if (memory != nullptr && HeldAsItCrosses(value.type(), memory))
        state.destinations[b.value] =
            Tensor::Borrow(value.type(), {static_cast<int64_t>(b.bytes / HeldBytes(value.type()))}, memory);
      continue;
    }
    try {
      state.values[b.value] =
          Tensor::FromWire(value.type(), Dims(b.dims, b.dims + b.rank), memory, b.bytes, true);
    } catch (const kit::Error& e) {
      throw kit::Error(e.status(), "input '" + std::string(value.name()) + "': " + e.what());
    }
  }
  program_.Run(&state, [&] {
    if (cancel_ != nullptr && cancel_->cancelled(host_.raw()) != 0)
      throw kit::Error(BRAID_CANCELLED, "cancelled");
    if (submit.deadline_ns != 0 && host_.Now() > submit.deadline_ns)
      throw kit::Error(BRAID_TIMEOUT, "the deadline passed while the segment ran");
  });

  std::vector<ResultFence::Result> left;
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const braid_binding b = bindings[i];
    const kit::Value value(program_.view(), b.value);
    if (!value.is_output()) continue;
    Tensor& result = program_.Result(&state, b.value);
    void* memory = MemoryOf(b);
    if (memory == nullptr) {
      left.push_back({b.value, WithName(value, result, [&] { return Owned(result); })});
    } else if (result.raw() != memory || !HeldAsItCrosses(value.type(), memory)) {
      const uint64_t bytes = result.WireBytes();
      if (bytes > b.bytes)
        throw kit::Error(BRAID_INVALID_ARGUMENT, "output '" + std::string(value.name()) + "' is " +
                                                     TypeName(result.type()) + DimsText(result.dims()) +
                                                     " and needs " + std::to_string(bytes) + " bytes; " +
                                                     std::to_string(b.bytes) + " were bound");
      result.ToWire(memory);
    }
  }
  return left.empty() ? nullptr : new ResultFence(std::move(left));
}

void ReferenceExec::TakeOutput(kit::Fence* fence, uint32_t value, braid_buffer** buffer, int32_t* rank,
                               int64_t* dims) {
  const Tensor* result = static_cast<ResultFence*>(fence)->Find(value);
  if (result == nullptr)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "value " + std::to_string(value) + " is not to be taken");
  if (result->rank() > BRAID_MAX_RANK)
    throw kit::Error(BRAID_UNSUPPORTED, "an output of rank " + std::to_string(result->rank()));
  *rank = static_cast<int32_t>(result->rank());
  std::copy(result->dims().begin(), result->dims().end(), dims);
  *buffer =
      WithName(kit::Value(program_.view(), value), *result, [&] { return Allocate(result->WireBytes()); });
  result->ToWire(Of(*buffer)->data);
}

void ReferenceDevice::Query(const braid_graph* view, const braid_compile_options&,
                            std::vector<braid_verdict>& verdicts) {
  QueryByJudge(view, verdicts);
}

bool ReferenceDevice::Estimate(const braid_graph* view, const braid_compile_options&, const uint32_t* nodes,
                               const uint32_t* ends, std::vector<braid_cost>& costs) {
  // As measured on two cores of a server: convolutions and products 8 to 40, moving and simple arithmetic
  // 10 to 60.
  constexpr Speed kSpeed{.multiply_adds_per_ns = 24, .bytes_per_ns = 16};
  EstimateByRoofline(view, kSpeed, nodes, ends, costs);
  return true;
}

std::unique_ptr<kit::Executable> ReferenceDevice::Compile(const braid_graph* view,
                                                          const braid_compile_options& options) {
  CheckOptions(options);
  return std::make_unique<ReferenceExec>(view, host_);
}

braid_buffer* ReferenceDevice::BufferAlloc(const braid_buffer_desc& desc) {
  CheckAlignment(desc.alignment);
  if (desc.exports != 0) throw kit::Error(BRAID_UNSUPPORTED, "this device exports no memory");
  return Allocate(desc.bytes, desc.alignment);
}

braid_buffer* ReferenceDevice::BufferImport(const braid_handle& handle) {
  if (handle.kind != BRAID_HANDLE_HOST_POINTER)
    throw kit::Error(BRAID_UNSUPPORTED, "only host memory can be imported");
  if (handle.pointer == nullptr) throw kit::Error(BRAID_INVALID_ARGUMENT, "no memory to import was given");
  return reinterpret_cast<braid_buffer*>(
      new HostBuffer{static_cast<char*>(handle.pointer) + handle.offset, handle.bytes, false});
}

void ReferenceDevice::BufferFree(braid_buffer* buffer) { Free(buffer); }

void* ReferenceDevice::Map(braid_buffer* buffer, uint64_t offset, uint64_t bytes) {
  return RangeOf(buffer, offset, bytes);
}

kit::Fence* ReferenceDevice::Transfer(const braid_transfer& t) {
  CheckQueue(t.queue);
  if (t.bytes > 0 && t.kind != BRAID_TRANSFER_COPY && t.host == nullptr)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "a transfer has no host memory");
  if (t.bytes == 0) return nullptr;
  switch (t.kind) {
    case BRAID_TRANSFER_WRITE:
      std::memcpy(RangeOf(t.to, t.to_offset, t.bytes), t.host, t.bytes);
      break;
    case BRAID_TRANSFER_READ:
      std::memcpy(t.host, RangeOf(t.from, t.from_offset, t.bytes), t.bytes);
      break;
    case BRAID_TRANSFER_COPY:
      std::memmove(RangeOf(t.to, t.to_offset, t.bytes), RangeOf(t.from, t.from_offset, t.bytes), t.bytes);
      break;
    default:
      throw kit::Error(BRAID_INVALID_ARGUMENT, "transfer of kind " + std::to_string(t.kind));
  }
  return nullptr;
}

braid_status ReferenceDevice::Health(braid_health* out) {
  out->memory_free = Pages(_SC_AVPHYS_PAGES);
  return BRAID_OK;
}

braid_device_info ReferenceDeviceInfo(std::string_view name, std::string_view version) {
  braid_device_info info = BRAID_DEVICE_INFO_INIT;
  info.kind = BRAID_DEVICE_CPU;
  info.name = kit::Str(name);
  info.vendor = kit::Str("Braid");
  info.driver = kit::Str(version);
  info.memory_total = Pages(_SC_PHYS_PAGES);
  info.memory_free = Pages(_SC_AVPHYS_PAGES);
  info.alignment = kAlignment;
  info.max_buffer = UINT64_MAX;
  info.flags = BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_UNIFIED | BRAID_MEMORY_MAPPABLE |
               BRAID_DETERMINISTIC;
  info.imports = BRAID_HANDLE_HOST_POINTER;
  info.import_alignment = 1;
  info.queues = kQueues;
  info.transfer_queue = BRAID_NONE;
  return info;
}

}  // namespace braid::reference
