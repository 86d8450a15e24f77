// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

std::vector<uint8_t> Pattern(size_t bytes, unsigned seed = 0) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 11 + i / 253 + seed * 17 + 1);
  return data;
}

// Not OK with a text, and no buffer.
void Refusal(Bench& b, const braid_buffer_desc& desc, std::initializer_list<braid_status> allowed,
             const std::string& what) {
  braid_buffer* raw = nullptr;
  const braid_status status = b.dev().buffer_alloc(b.device(), &desc, &raw);
  if (status == BRAID_OK && raw != nullptr) b.dev().buffer_free(b.device(), raw);
  b.Refused(status, allowed, "ABI-045: buffer_alloc of " + what);
  Check(raw == nullptr, "ABI-022: a refused buffer_alloc gives a buffer");
}

void Empty(Bench& b) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 10; ++i) buffers.push_back(b.Alloc(0));
  for (size_t i = 0; i < buffers.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      Check(buffers[i].get() != buffers[k].get(), "two buffers of 0 bytes are the same, and each is freed");
}

void TooLarge(Bench& b) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  const uint64_t most = b.info().max_buffer;
  if (most != 0 && most != UINT64_MAX) {
    desc.bytes = most + 1;
    // The host keeps to it, so that the device may as well find that there is no room.
    Refusal(b, desc, {BRAID_INVALID_ARGUMENT, BRAID_OUT_OF_MEMORY},
            fmt::format("{} bytes, one more than max_buffer", desc.bytes));
  }
  for (const uint64_t bytes : {uint64_t{1} << 60, UINT64_MAX, UINT64_MAX - 63}) {
    desc.bytes = bytes;
    Refusal(b, desc, {BRAID_INVALID_ARGUMENT, BRAID_OUT_OF_MEMORY}, fmt::format("{} bytes", bytes));
  }
  // The device goes on working.
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Go();
  run.ExpectRight();
}

void Alignments(Bench& b) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 100;
  for (const uint64_t alignment : {uint64_t{3}, uint64_t{24}, uint64_t{65}, UINT64_MAX}) {
    desc.alignment = alignment;
    Refusal(b, desc, {BRAID_INVALID_ARGUMENT}, fmt::format("alignment {}", alignment));
  }
  for (uint64_t alignment = 1; alignment <= 4096; alignment *= 2) {
    desc.alignment = alignment;
    braid_buffer* raw = nullptr;
    const braid_status status = b.dev().buffer_alloc(b.device(), &desc, &raw);
    if (alignment > std::max<uint64_t>(b.info().alignment, 64) && status == BRAID_UNSUPPORTED) {
      b.Refused(status, {BRAID_UNSUPPORTED}, "buffer_alloc");
      continue;
    }
    b.Ok(status, fmt::format("buffer_alloc of alignment {}", alignment));
    const Buffer buffer(b, raw, 100);
    const auto data = Pattern(100);
    b.Write(buffer, 0, data.data(), 100);
    Check(b.Read(buffer, 0, 100) == data, "ABI-052: a buffer of alignment {} does not hold its data",
          alignment);
    if (!b.Has(BRAID_MEMORY_MAPPABLE) || !b.Has(BRAID_MEMORY_UNIFIED)) continue;
    const Buffer mapped = b.Alloc(100, alignment, BRAID_BUFFER_MAPPABLE);
    void* memory = nullptr;
    b.Ok(b.dev().map(b.device(), mapped.get(), 0, 100, &memory), "map");
    b.dev().unmap(b.device(), mapped.get());
    Check(reinterpret_cast<uintptr_t>(memory) % alignment == 0,
          "ABI-045: a buffer of alignment {} lies at {}", alignment, memory);
  }
}

void Flags(Bench& b) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 100;
  if (!b.Has(BRAID_MEMORY_MAPPABLE)) {
    desc.flags = BRAID_BUFFER_MAPPABLE;
    Refusal(b, desc, {BRAID_UNSUPPORTED}, "a mappable buffer, on a device that is not");
    desc.flags = 0;
  }
  for (const uint32_t kind : {BRAID_HANDLE_FD, BRAID_HANDLE_DMABUF, BRAID_HANDLE_MEMFD}) {
    if ((b.info().exports & kind) != 0) continue;
    desc.exports = kind;
    Refusal(b, desc, {BRAID_UNSUPPORTED}, fmt::format("exports {}, of which the device has none", kind));
  }
}

void Many(Bench& b) {
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < 500; ++i) {
    buffers.push_back(b.Alloc(1 + i * 37 % 1500));
    const auto data = Pattern(buffers.back().bytes(), static_cast<unsigned>(i));
    b.Write(buffers.back(), 0, data.data(), data.size());
  }
  for (size_t i = 0; i < buffers.size(); ++i)
    Check(b.Read(buffers[i], 0, buffers[i].bytes()) == Pattern(buffers[i].bytes(), static_cast<unsigned>(i)),
          "ABI-037: buffer {} of 500 was changed by another", i);
}

Buffer Mappable(Bench& b, uint64_t bytes) {
  if (!b.Has(BRAID_MEMORY_MAPPABLE) || b.dev().map == nullptr)
    throw NotThere("the device's memory is not mappable");
  return b.Alloc(bytes, 0, BRAID_BUFFER_MAPPABLE);
}

void Map(Bench& b) {
  const Buffer buffer = Mappable(b, 1000);
  const auto map = [&](uint64_t offset, uint64_t bytes) {
    void* memory = nullptr;
    b.Ok(b.dev().map(b.device(), buffer.get(), offset, bytes, &memory), "map");
    Check(memory != nullptr || bytes == 0, "ABI-022: map gives OK and no memory");
    return static_cast<uint8_t*>(memory);
  };
  const auto data = Pattern(1000), other = Pattern(1000, 1);
  std::memcpy(map(0, 1000), data.data(), 1000);
  b.dev().unmap(b.device(), buffer.get());
  Check(b.Read(buffer, 0, 1000) == data,
        "ABI-052: what was written to a mapping is not what a transfer reads");
  b.Write(buffer, 0, other.data(), 1000);
  for (const uint64_t offset : {0, 1, 63, 500, 999}) {
    Check(std::memcmp(map(offset, 1000 - offset), other.data() + offset, 1000 - offset) == 0,
          "ABI-052: what a transfer wrote is not what is mapped at offset {}", offset);
    b.dev().unmap(b.device(), buffer.get());
  }
}

void MapBeyond(Bench& b) {
  const Buffer buffer = Mappable(b, 1000);
  const struct {
    uint64_t offset, bytes;
  } kRanges[] = {{0, 1001}, {1, 1000}, {1001, 0}, {1001, 1}, {UINT64_MAX, 2}, {8, UINT64_MAX}};
  for (const auto& r : kRanges) {
    void* memory = nullptr;
    b.Refused(b.dev().map(b.device(), buffer.get(), r.offset, r.bytes, &memory), {BRAID_INVALID_ARGUMENT},
              fmt::format("ABI-045: map of {} bytes at {} of 1000", r.bytes, r.offset));
  }
}

void RunMapped(Bench& b) {
  // A run in mapped-once memory: written by the host before, read after, no transfer in between.
  const Kind& kind = b.Elementwise();
  const Workload w = Elementwise(kind, {57});
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Prepare();
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < run.bindings.size(); ++i) {
    buffers.push_back(Mappable(b, run.bindings[i].bytes));
    run.bindings[i].buffer = buffers.back().get();
    run.bindings[i].offset = 0;
    if (i >= w.inputs.size()) continue;
    void* memory = nullptr;
    b.Ok(b.dev().map(b.device(), buffers.back().get(), 0, run.bindings[i].bytes, &memory), "map");
    std::memcpy(memory, w.inputs[i].bytes.data(), w.inputs[i].bytes.size());
    b.dev().unmap(b.device(), buffers.back().get());
  }
  std::string text;
  const braid_status status = run.Try(&text);
  Check(status == BRAID_OK, "a run in mappable buffers ends with {}: {}", StatusText(status), text);
  void* memory = nullptr;
  b.Ok(b.dev().map(b.device(), buffers.back().get(), 0, buffers.back().bytes(), &memory), "map");
  const bool same = std::memcmp(memory, w.outputs[0].bytes.data(), w.outputs[0].bytes.size()) == 0;
  b.dev().unmap(b.device(), buffers.back().get());
  Check(same, "ABI-052: a run's output in a mappable buffer is wrong");
}

struct Pages {
  explicit Pages(uint64_t bytes)
      : bytes(bytes),
        data(static_cast<uint8_t*>(
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~Pages() { munmap(data, bytes); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  uint64_t bytes;
  uint8_t* data;
};

void Imports(Bench& b, uint32_t kind) {
  if (b.dev().buffer_import == nullptr || (b.info().imports & kind) == 0)
    throw NotThere("the device does not import this kind of memory");
}

void ImportHost(Bench& b) {
  Imports(b, BRAID_HANDLE_HOST_POINTER);
  const uint64_t bytes = std::max<uint64_t>(65536, b.info().import_alignment * 2);
  Pages pages(bytes);
  const auto data = Pattern(bytes), other = Pattern(bytes, 1);
  std::memcpy(pages.data, data.data(), bytes);
  {
    braid_handle handle = BRAID_HANDLE_INIT;
    handle.kind = BRAID_HANDLE_HOST_POINTER;
    handle.pointer = pages.data;
    handle.bytes = bytes;
    braid_buffer* raw = nullptr;
    b.Ok(b.dev().buffer_import(b.device(), &handle, &raw), "buffer_import of host memory");
    Check(raw != nullptr, "ABI-022: buffer_import gives OK and no buffer");
    const Buffer buffer(b, raw, bytes);
    Check(b.Read(buffer, 0, bytes) == data, "ABI-054: imported memory does not have the host's bytes");
    b.Write(buffer, 0, other.data(), bytes);
    Check(std::memcmp(pages.data, other.data(), bytes) == 0,
          "ABI-054: a transfer does not reach imported memory");
  }
  // It is the host's, also after buffer_free.
  Check(std::memcmp(pages.data, other.data(), bytes) == 0, "ABI-054: buffer_free changes imported memory");
  std::memset(pages.data, 1, bytes);
}

void ImportMisaligned(Bench& b) {
  Imports(b, BRAID_HANDLE_HOST_POINTER);
  const uint64_t alignment = b.info().import_alignment;
  if (alignment <= 1) throw NotThere("the device asks no alignment of imported memory");
  Pages pages(alignment * 4);
  for (const bool pointer : {true, false}) {
    braid_handle handle = BRAID_HANDLE_INIT;
    handle.kind = BRAID_HANDLE_HOST_POINTER;
    handle.pointer = pages.data + (pointer ? 1 : 0);
    handle.bytes = alignment * 2 + (pointer ? 0 : 1);
    braid_buffer* raw = nullptr;
    b.Refused(b.dev().buffer_import(b.device(), &handle, &raw), {BRAID_INVALID_ARGUMENT},
              "ABI-045: buffer_import of misaligned host memory");
  }
}

void ImportUnknown(Bench& b) {
  if (b.dev().buffer_import == nullptr) throw NotThere("the device has no buffer_import");
  for (const uint32_t kind : {uint32_t{BRAID_HANDLE_FD}, uint32_t{BRAID_HANDLE_DMABUF},
                              uint32_t{BRAID_HANDLE_MEMFD}, uint32_t{1} << 30}) {
    if ((b.info().imports & kind) != 0) continue;
    braid_handle handle = BRAID_HANDLE_INIT;
    handle.kind = kind;
    handle.fd = -1;
    handle.bytes = 4096;
    braid_buffer* raw = nullptr;
    b.Refused(b.dev().buffer_import(b.device(), &handle, &raw), {BRAID_UNSUPPORTED},
              fmt::format("ABI-045: buffer_import of kind {}", kind));
  }
}

void ImportMemfd(Bench& b) {
  Imports(b, BRAID_HANDLE_MEMFD);
  const uint64_t bytes = std::max<uint64_t>(65536, b.info().import_alignment * 2);
  const int fd = memfd_create("braid-conformance", MFD_CLOEXEC);
  Check(fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0, "the suite cannot make a memfd");
  auto* memory = static_cast<uint8_t*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  const auto data = Pattern(bytes), other = Pattern(bytes, 1);
  std::memcpy(memory, data.data(), bytes);
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_MEMFD;
  handle.fd = fd;
  handle.bytes = bytes;
  braid_buffer* raw = nullptr;
  b.Ok(b.dev().buffer_import(b.device(), &handle, &raw), "buffer_import of a memfd");
  Check(fcntl(fd, F_GETFD) != -1, "ABI-054: buffer_import closes the caller's fd");
  close(fd);  // the plugin has its own
  {
    const Buffer buffer(b, raw, bytes);
    Check(b.Read(buffer, 0, bytes) == data, "ABI-054: imported memory does not have the host's bytes");
    b.Write(buffer, 0, other.data(), bytes);
  }
  const bool same = std::memcmp(memory, other.data(), bytes) == 0;
  munmap(memory, bytes);
  Check(same, "ABI-054: a transfer does not reach imported memory");
}

void Export(Bench& b) {
  const uint32_t kinds = b.info().exports & (BRAID_HANDLE_FD | BRAID_HANDLE_DMABUF | BRAID_HANDLE_MEMFD);
  if (kinds == 0 || b.dev().buffer_export == nullptr) throw NotThere("the device exports no memory");
  const uint32_t kind = kinds & ~(kinds - 1);
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = 65536;
  desc.exports = kind;
  braid_buffer* raw = nullptr;
  b.Ok(b.dev().buffer_alloc(b.device(), &desc, &raw), "buffer_alloc of memory to export");
  const Buffer buffer(b, raw, desc.bytes);
  const auto data = Pattern(desc.bytes);
  b.Write(buffer, 0, data.data(), desc.bytes);
  int64_t fds[2] = {-1, -1};
  for (int64_t& fd : fds) {
    braid_handle handle = BRAID_HANDLE_INIT;
    handle.fd = -1;
    b.Ok(b.dev().buffer_export(b.device(), buffer.get(), kind, &handle), "buffer_export");
    Check(handle.kind == kind && handle.fd >= 0, "ABI-054: buffer_export gives kind {} and fd {}",
          handle.kind, handle.fd);
    fd = handle.fd;
  }
  Check(fds[0] != fds[1], "ABI-054: two exports give one fd, and the caller closes both");
  for (const int64_t fd : fds) close(static_cast<int>(fd));
  Check(b.Read(buffer, 0, desc.bytes) == data,
        "ABI-054: a buffer lost its data when its handles were closed");
  const Buffer plain = b.Alloc(65536);
  braid_handle handle = BRAID_HANDLE_INIT;
  b.Refused(b.dev().buffer_export(b.device(), plain.get(), uint32_t{1} << 30, &handle), {BRAID_UNSUPPORTED},
            "ABI-045: buffer_export of an unknown kind");
}

}  // namespace

std::vector<ContractCase> BufferCases() {
  return {
      {"abi/buffer-empty", "ABI-022", "buffers of 0 bytes are buffers", Empty},
      {"abi/buffer-too-large", "ABI-045, ABI-036, ABI-046",
       "more than max_buffer, and more than can be: refused, and the device works on", TooLarge},
      {"abi/buffer-alignment", "ABI-045, ABI-036",
       "an alignment that is no power of two is refused, others are kept", Alignments},
      {"abi/buffer-flags", "ABI-045, ABI-036",
       "flags and exports that the device does not have are UNSUPPORTED", Flags},
      {"abi/buffer-many", "ABI-037", "500 buffers hold their own data", Many},
      {"abi/map-coherent", "ABI-052", "mappings and transfers see each other's writes, at any offset", Map},
      {"abi/map-beyond", "ABI-045, ABI-036", "a mapping beyond the buffer is refused", MapBeyond},
      {"abi/map-run", "ABI-052", "a run reads what was mapped and written, and its output can be mapped",
       RunMapped},
      {"abi/import-host", "ABI-054", "imported host memory is shared, and stays the host's", ImportHost},
      {"abi/import-misaligned", "ABI-045, ABI-036", "host memory that is not at import_alignment is refused",
       ImportMisaligned},
      {"abi/import-unknown", "ABI-045, ABI-036",
       "kinds of memory that the device does not import are UNSUPPORTED", ImportUnknown},
      {"abi/import-memfd", "ABI-054", "an imported memfd is shared, and the caller's fd stays open",
       ImportMemfd},
      {"abi/export-fd", "ABI-054", "each export is a new fd; closing them leaves the buffer alone", Export},
  };
}

}  // namespace braid::conformance
