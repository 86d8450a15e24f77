// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/host.h"

#include <braid/ext/draft/cancel.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/plugins/checked/private_memory.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/status.h"
#include "core/plugins/thread_pool.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

constexpr uint64_t kDefaultCacheMiB = 4096;

HostTable* Self(const braid_host* host) { return static_cast<HostTable*>(host->data); }
std::string_view View(braid_str text) { return {text.ptr, text.ptr == nullptr ? 0 : text.len}; }
std::string_view View(braid_bytes data) {
  return {static_cast<const char*>(data.ptr), data.ptr == nullptr ? 0 : data.len};
}

braid_status Fail(const absl::Status& status) {
  ErrorSink::Set(std::string(status.message()));
  return FromAbsl(status);
}

// Runs body(); what it throws becomes a status: nothing may unwind into a plugin.
template <class Body>
braid_status Guard(const Body& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return BRAID_OUT_OF_MEMORY;
  } catch (...) {
    return BRAID_INTERNAL;
  }
}

void BRAID_CALL Log(const braid_host* host, int32_t level, braid_str text) {
  (void)Guard([&] {
    HostLog(level, Self(host)->id(), View(text));
    return BRAID_OK;
  });
}

void BRAID_CALL SetError(const braid_host*, braid_str text) {
  (void)Guard([&] {
    ErrorSink::Set(View(text));
    return BRAID_OK;
  });
}

void* BRAID_CALL Alloc(const braid_host*, uint64_t bytes, uint64_t alignment) {
  alignment = std::max<uint64_t>(alignment, sizeof(void*));
  if ((alignment & (alignment - 1)) != 0) return nullptr;
  void* memory = nullptr;
  return posix_memalign(&memory, alignment, std::max<uint64_t>(bytes, 1)) == 0 ? memory : nullptr;
}

void BRAID_CALL Free(const braid_host*, void* memory) { free(memory); }

uint64_t BRAID_CALL Now(const braid_host*) { return HostNow(); }

void BRAID_CALL ParallelFor(const braid_host*, uint64_t n, void(BRAID_CALL* task)(void*, uint64_t, uint32_t),
                            void* argument) {
  ThreadPool::Default().ParallelFor(n, task, argument);
}

uint32_t BRAID_CALL Concurrency(const braid_host*) { return ThreadPool::Default().concurrency(); }

using ConstantToken = std::shared_ptr<const Constant>;

braid_status BRAID_CALL GetConstant(const braid_host* host, const braid_graph* graph, uint32_t value,
                                    braid_bytes* out, void** token) {
  return Guard([&]() -> braid_status {
    *out = {};
    if (token != nullptr) *token = nullptr;
    const auto* provider = static_cast<const ConstantProvider*>(graph->host_data);
    if (provider == nullptr) {
      ErrorSink::Set("the graph given to braid_host.constant has no host_data: it is not one of the host's");
      return BRAID_INVALID_ARGUMENT;
    }
    ConstantToken constant = provider->constant(value);
    if (constant == nullptr) {
      ErrorSink::Set(absl::StrCat("value ", value, " of the graph is no constant"));
      return BRAID_INVALID_ARGUMENT;
    }
    if (Self(host)->copies_constants())
      if (auto copy = Self(host)->CopyConstant(value, constant); copy != nullptr) {
        constant = std::move(copy);
        if (token == nullptr) Self(host)->HoldForCall(graph->host_data, constant);
      }
    *out = {constant->data, constant->bytes};
    if (token != nullptr) {
      *token = new ConstantToken(std::move(constant));
      Self(host)->CountToken(1);
    }
    return BRAID_OK;
  });
}

void BRAID_CALL ReleaseConstant(const braid_host* host, void* token) {
  if (token == nullptr) return;
  delete static_cast<ConstantToken*>(token);
  Self(host)->CountToken(-1);
}

braid_status BRAID_CALL CacheGet(const braid_host* host, braid_bytes key, braid_bytes* out, void** token) {
  return Guard([&]() -> braid_status {
    *out = {};
    *token = nullptr;
    FileCache* cache = Self(host)->cache();
    if (cache == nullptr) return Fail(absl::NotFoundError("cache: this process has none"));
    auto entry = cache->Get(View(key));
    if (!entry.ok()) return Fail(entry.status());
    *out = {(*entry)->data().data(), (*entry)->data().size()};
    *token = entry->release();
    Self(host)->CountToken(1);
    return BRAID_OK;
  });
}

void BRAID_CALL CacheRelease(const braid_host* host, void* token) {
  if (token == nullptr) return;
  delete static_cast<FileCache::Entry*>(token);
  Self(host)->CountToken(-1);
}

braid_status BRAID_CALL CachePut(const braid_host* host, braid_bytes key, braid_bytes data) {
  return Guard([&]() -> braid_status {
    FileCache* cache = Self(host)->cache();
    if (cache == nullptr) return Fail(absl::UnimplementedError("cache: this process has none"));
    const absl::Status status = cache->Put(View(key), View(data));
    return status.ok() ? BRAID_OK : Fail(status);
  });
}

int32_t BRAID_CALL Cancelled(const braid_host*) { return CancelScope::Cancelled() ? 1 : 0; }
constexpr braid_cancel kCancel = {sizeof(braid_cancel), 0, Cancelled};

const void* BRAID_CALL GetExtension(const braid_host*, const char* id) {
  return id != nullptr && std::string_view(id) == BRAID_CANCEL_ID ? &kCancel : nullptr;
}

// "" if the process has no business with one.
std::string DefaultCacheDirectory() {
  if (const char* dir = secure_getenv("BRAID_CACHE_DIR"); dir != nullptr && *dir == '/') return dir;
  if (const char* dir = secure_getenv("XDG_CACHE_HOME"); dir != nullptr && *dir == '/')
    return absl::StrCat(dir, "/braid");
  if (const char* dir = secure_getenv("HOME"); dir != nullptr && *dir == '/')
    return absl::StrCat(dir, "/.cache/braid");
  return "";
}

uint64_t CacheLimit() {
  uint64_t mib = kDefaultCacheMiB;
  if (const char* text = secure_getenv("BRAID_CACHE_LIMIT_MIB")) {
    uint64_t given = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), given);
    if (error == std::errc() && *end == '\0' && given < (UINT64_C(1) << 40)) mib = given;
  }
  return mib << 20;
}

constexpr std::pair<int32_t, const char*> kLevels[] = {{BRAID_LOG_ERROR, "error"},
                                                       {BRAID_LOG_WARNING, "warning"},
                                                       {BRAID_LOG_INFO, "info"},
                                                       {BRAID_LOG_DEBUG, "debug"}};

thread_local const std::string* scoped_folder = nullptr;  // of the innermost CacheScope that has one

std::atomic<LogSink> log_sink{nullptr};
std::atomic<void*> log_argument{nullptr};

}  // namespace

uint64_t HostNow() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

int32_t HostLogLevel() {
  static const int32_t level = [] {
    const char* text = secure_getenv("BRAID_LOG");
    if (text == nullptr) return BRAID_LOG_WARNING + 0;
    for (const auto& [number, name] : kLevels)
      if (std::string_view(text) == name || (text[0] == '0' + number && text[1] == '\0')) return number + 0;
    return BRAID_LOG_WARNING + 0;
  }();
  return level;
}

void SetLogSink(LogSink sink, void* argument) {
  log_argument.store(argument);
  log_sink.store(sink);
}

void HostLog(int32_t level, std::string_view id, std::string_view text) {
  if (LogSink sink = log_sink.load()) return sink(log_argument.load(), level, id, text);
  if (level > HostLogLevel()) return;
  const char* name = "debug";
  for (const auto& [number, level_name] : kLevels)
    if (number == level) name = level_name;
  std::string line = absl::StrCat("braid: ", name, ": ");
  if (!id.empty()) absl::StrAppend(&line, absl::string_view(id.data(), id.size()), ": ");
  // What a plugin says stays on its line, and does not steer the terminal.
  for (char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

constinit thread_local const std::atomic<bool>* CancelScope::flag_ = nullptr;

HostTable::HostTable(std::string plugin_id, const std::string& cache_dir)
    : id_(std::move(plugin_id)), cache_dir_(cache_dir) {
  table_ = BRAID_HOST_INIT;
  table_.abi = BRAID_ABI;
  table_.data = this;
  table_.log = Log;
  table_.set_error = SetError;
  table_.alloc = Alloc;
  table_.free = Free;
  table_.now = Now;
  table_.parallel_for = ParallelFor;
  table_.concurrency = Concurrency;
  table_.constant = GetConstant;
  table_.constant_release = ReleaseConstant;
  table_.cache_get = CacheGet;
  table_.cache_release = CacheRelease;
  table_.cache_put = CachePut;
  table_.get_extension = GetExtension;
}

CacheScope::CacheScope(const std::optional<std::string>& folder) : outer_(scoped_folder) {
  if (folder.has_value()) scoped_folder = &*folder;
}

CacheScope::~CacheScope() { scoped_folder = outer_; }

const std::string* CacheScope::Folder() { return scoped_folder; }

struct HostTable::Copy {
  std::unique_ptr<checked::PrivateMemory> memory;
  std::shared_ptr<const Constant> original;
  uint32_t value = 0;
};

std::shared_ptr<const Constant> HostTable::CopyConstant(uint32_t value,
                                                        std::shared_ptr<const Constant> constant) {
  constexpr uint64_t kMostBytes = 64 << 20;
  constexpr size_t kMostCopies = 8192;  // each is a mapping, of which a process has only so many
  if (constant->bytes > kMostBytes) return nullptr;
  auto copy = std::make_shared<Copy>();
  copy->memory = checked::PrivateMemory::Make(
      constant->bytes,
      "the bytes of a constant were used after its token was released, or after the call if it had none");
  if (copy->memory == nullptr) return nullptr;
  if (constant->bytes > 0) std::memcpy(copy->memory->data(), constant->data, constant->bytes);
  copy->original = std::move(constant);
  copy->value = value;
  auto given = std::make_shared<Constant>(*copy->original);
  given->data = copy->memory->data();
  given->owner = copy;
  std::lock_guard<std::mutex> lock(copies_mutex_);
  std::erase_if(copies_, [](const auto& old) { return old.expired(); });
  if (copies_.size() >= kMostCopies) return nullptr;
  copies_.push_back(copy);
  return given;
}

void HostTable::HoldForCall(const void* graph_data, std::shared_ptr<const Constant> copy) {
  std::lock_guard<std::mutex> lock(copies_mutex_);
  held_.emplace_back(graph_data, std::move(copy));
}

std::vector<uint32_t> HostTable::EndCall(const void* graph_data) {
  std::vector<uint32_t> changed;
  std::lock_guard<std::mutex> lock(copies_mutex_);
  for (const auto& known : copies_) {
    const std::shared_ptr<Copy> copy = known.lock();
    if (copy == nullptr || copy->original->bytes == 0) continue;
    if (std::memcmp(copy->memory->data(), copy->original->data, copy->original->bytes) == 0) continue;
    std::memcpy(copy->memory->data(), copy->original->data, copy->original->bytes);
    changed.push_back(copy->value);
  }
  std::erase_if(held_, [&](const auto& item) { return item.first == graph_data; });
  return changed;
}

FileCache* HostTable::cache() {
  if (scoped_folder != nullptr) {
    if (scoped_folder->empty()) return nullptr;
    std::lock_guard<std::mutex> lock(scoped_mutex_);
    auto& cache = scoped_[*scoped_folder];
    if (cache == nullptr)
      cache = std::make_unique<FileCache>(absl::StrCat(*scoped_folder, "/plugins/", id_), CacheLimit());
    return cache.get();
  }
  std::call_once(cache_once_, [this] {
    const std::string root = cache_dir_.empty() ? DefaultCacheDirectory() : cache_dir_;
    if (!root.empty())
      cache_ = std::make_unique<FileCache>(absl::StrCat(root, "/plugins/", id_), CacheLimit());
  });
  return cache_.get();
}

}  // namespace braid
