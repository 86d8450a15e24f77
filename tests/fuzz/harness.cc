// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/harness.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

#ifdef BRAID_SANITIZED
constexpr double kSeconds = 8;
#else
constexpr double kSeconds = 2;
#endif
constexpr int64_t kMemory = int64_t{512} << 20;
// A legal model can ask for any amount of memory. Here nobody gets more than this at once, so that such a
// model ends with an error. With sanitizers, max_allocation_size_mb does the same for what is not `new`.
constexpr size_t kBlock = size_t{64} << 20;

void* New(size_t bytes, size_t alignment) {
  return bytes <= kBlock ? memalign(alignment, bytes == 0 ? 1 : bytes) : nullptr;
}

void* NewOrThrow(size_t bytes, size_t alignment) {
  void* p = New(bytes, alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

constexpr size_t kUsual = alignof(std::max_align_t);

}  // namespace

void* operator new(size_t bytes) { return NewOrThrow(bytes, kUsual); }
void* operator new[](size_t bytes) { return NewOrThrow(bytes, kUsual); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return New(bytes, kUsual); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return New(bytes, kUsual); }
void* operator new(size_t bytes, std::align_val_t a) { return NewOrThrow(bytes, static_cast<size_t>(a)); }
void* operator new[](size_t bytes, std::align_val_t a) { return NewOrThrow(bytes, static_cast<size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { std::free(p); }

#ifndef BRAID_SANITIZED
extern "C" __attribute__((visibility("default"))) void* aligned_alloc(size_t alignment,
                                                                      size_t bytes) noexcept {
  return New(bytes, alignment);
}
extern "C" __attribute__((visibility("default"))) int posix_memalign(void** p, size_t alignment,
                                                                     size_t bytes) noexcept {
  *p = New(bytes, alignment);
  return *p == nullptr ? ENOMEM : 0;
}
#endif

namespace braid::fuzz {
namespace {

int64_t Resident() {
  long pages = 0, total = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &pages) != 2) pages = 0;
    std::fclose(f);
  }
  return pages * sysconf(_SC_PAGESIZE);
}

int64_t Peak() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) << 10;
}

graph_tensor Borrow(const HostValue& value, std::deque<std::vector<graph_tensor>>* arrays) {
  static char nothing[16];
  graph_tensor t = GRAPH_TENSOR_INIT;
  t.kind = value.kind;
  t.name = value.name.empty() ? nullptr : value.name.c_str();
  t.type = value.type;
  t.rank = static_cast<int32_t>(value.dims.size());
  for (size_t i = 0; i < value.dims.size() && i < GRAPH_MAX_RANK; ++i) t.dims[i] = value.dims[i];
  if (value.kind == GRAPH_TENSOR) {
    t.data = value.bytes.empty() ? nothing : const_cast<char*>(value.bytes.data());
    t.bytes = value.bytes.size();
    return t;
  }
  std::vector<graph_tensor> items;
  for (const HostValue& item : value.items) items.push_back(Borrow(item, arrays));
  arrays->push_back(std::move(items));
  t.items = arrays->back().data();
  t.item_count = arrays->back().size();
  return t;
}

// Its parts fit each other.
HostValue Copied(const graph_tensor& t) {
  HostValue out;
  out.kind = t.kind;
  out.type = t.type;
  if (t.rank < 0 || t.rank > GRAPH_MAX_RANK) Finding("an output's rank is " + std::to_string(t.rank));
  out.dims.assign(t.dims, t.dims + t.rank);
  if (t.kind != GRAPH_TENSOR) {
    for (uint64_t i = 0; i < t.item_count; ++i) out.items.push_back(Copied(t.items[i]));
    return out;
  }
  uint64_t count = 1;
  for (const int64_t d : out.dims) {
    if (d < 0) Finding("an output has the extent " + std::to_string(d));
    count *= static_cast<uint64_t>(d);
  }
  out.bytes.assign(static_cast<const char*>(t.data), t.bytes);
  if (t.type != GRAPH_STRING) {
    const uint64_t want = (count * static_cast<uint64_t>(BitsOf(t.type)) + 7) / 8;
    if (t.bytes != want)
      Finding("an output has " + std::to_string(t.bytes) + " bytes, its shape " + std::to_string(want));
    return out;
  }
  // Where the characters lie is no part of the value.
  std::vector<std::string> strings;
  if (t.bytes / 16 < count) Finding("an output has too few bytes for its strings");
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t pair[2];
    std::memcpy(pair, out.bytes.data() + 16 * i, 16);
    if (pair[0] > t.bytes || pair[1] > t.bytes - pair[0]) Finding("an output's string lies outside of it");
    strings.push_back(out.bytes.substr(pair[0], pair[1]));
  }
  out.bytes = Packed(strings);
  return out;
}

}  // namespace

void Finding(const std::string& text) {
  std::fprintf(stderr, "finding: %s\n", text.c_str());
  std::abort();
}

Bounds::Bounds(const char* what) : what_(what), resident_(Resident()), peak_(Peak()) {
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start_);
}

Bounds::~Bounds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  const double seconds = static_cast<double>(now.tv_sec - start_.tv_sec) +
                         static_cast<double>(now.tv_nsec - start_.tv_nsec) * 1e-9;
  if (seconds > kSeconds) Finding(std::string(what_) + " took " + std::to_string(seconds) + " s of CPU time");
  // The peak is the process's: it tells of this input where this input has moved it.
  if (const int64_t peak = Peak(); peak > peak_ && peak - resident_ > kMemory)
    Finding(std::string(what_) + " took " + std::to_string((peak - resident_) >> 20) + " MiB");
}

bool Check(graph_status status, const char* what) {
  if (status == GRAPH_OK) return true;
  const std::string text = graph_last_error();
  const std::string said = std::string(what) + " ends with " + graph_status_name(status) + ", '" + text + "'";
  if (text.empty()) Finding(said + ": no text");
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) Finding(said + ": more than one line");
  switch (status) {
    case GRAPH_INVALID_ARGUMENT:
    case GRAPH_UNSUPPORTED:
    case GRAPH_OUT_OF_MEMORY:
    case GRAPH_CANCELLED:
      return false;
    default:
      Finding(said);
  }
}

GraphPtr Load(const void* model, size_t bytes) {
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = "reference";
  options.threads = 1;
  graph_t* graph = nullptr;
  if (!Check(graph_load_memory(model, bytes, &options, &graph), "graph_load_memory") && graph != nullptr)
    Finding("graph_load_memory fails and gives a graph");
  return GraphPtr(graph);
}

int BitsOf(int32_t type) {
  switch (type) {
    case GRAPH_COMPLEX128:
      return 128;
    case GRAPH_DOUBLE:
    case GRAPH_INT64:
    case GRAPH_UINT64:
    case GRAPH_COMPLEX64:
      return 64;
    case GRAPH_FLOAT:
    case GRAPH_INT32:
    case GRAPH_UINT32:
      return 32;
    case GRAPH_FLOAT16:
    case GRAPH_BFLOAT16:
    case GRAPH_INT16:
    case GRAPH_UINT16:
      return 16;
    case GRAPH_UINT8:
    case GRAPH_INT8:
    case GRAPH_BOOL:
    case GRAPH_FLOAT8E4M3FN:
    case GRAPH_FLOAT8E4M3FNUZ:
    case GRAPH_FLOAT8E5M2:
    case GRAPH_FLOAT8E5M2FNUZ:
    case GRAPH_FLOAT8E8M0:
      return 8;
    case 27:  // FLOAT6E2M3
    case 28:  // FLOAT6E3M2
      return 6;
    case GRAPH_INT4:
    case GRAPH_UINT4:
    case GRAPH_FLOAT4E2M1:
      return 4;
    case GRAPH_INT2:
    case GRAPH_UINT2:
      return 2;
    default:
      return 0;
  }
}

std::string Packed(const std::vector<std::string>& strings) {
  std::string out(strings.size() * 16, '\0');
  for (size_t i = 0; i < strings.size(); ++i) {
    const uint64_t pair[2] = {out.size(), strings[i].size()};
    std::memcpy(out.data() + 16 * i, pair, 16);
    out += strings[i];
  }
  return out;
}

Result Run(graph_t* graph, const std::vector<HostValue>& inputs) {
  std::deque<std::vector<graph_tensor>> arrays;
  std::vector<graph_tensor> in;
  for (const HostValue& value : inputs) in.push_back(Borrow(value, &arrays));
  std::vector<graph_tensor> out(graph_outputs(graph, nullptr, 0), graph_tensor GRAPH_TENSOR_INIT);
  Result result;
  graph_request* request = nullptr;
  result.status = graph_run_async(graph, in.data(), static_cast<uint32_t>(in.size()), out.data(),
                                  static_cast<uint32_t>(out.size()), &request);
  if (result.status == GRAPH_OK) {
    result.status = graph_wait(request, 500'000'000);
    if (result.status == GRAPH_PENDING) {
      graph_cancel(request);
      result.status = graph_wait(request, UINT64_MAX);
    }
  }
  if (Check(result.status, "graph_run")) {
    for (graph_tensor& t : out) {
      result.outputs.push_back(Copied(t));
      graph_tensor_release(&t);
    }
  } else {
    result.error = graph_last_error();
    for (const graph_tensor& t : out)
      if (t.owner != nullptr) Finding("a run failed and left something in an output");
  }
  graph_request_free(request);
  return result;
}

}  // namespace braid::fuzz

// Before the fuzzer starts: what is set up once is set up, plugins are loaded.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (graph_devices(nullptr, 0) == 0) {
    std::fprintf(stderr, "no plugin was found\n");
    std::exit(1);
  }
  return 0;
}
