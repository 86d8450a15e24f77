// SPDX-License-Identifier: Apache-2.0
//
// For tests: the host's side of the ABI (see braid/kit/testing.h). It gives a plugin what Braid gives, notes
// what a plugin may not do with it, and can be told to fail:
//
//   testing::Host host;
//   host.FailAllocation(3);                    // the fourth alloc from now answers NULL
//   host.FailConstants(BRAID_IO_ERROR);        // until told BRAID_OK
//   ... host.breaches()                        // "free of memory that alloc did not give" ...
#ifndef BRAID_KIT_TESTING_HOST_H_
#define BRAID_KIT_TESTING_HOST_H_

#include <braid/kit/testing/graph.h>
#include <braid/plugin.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace braid::kit::testing {

// The host's services, on the calling thread. Graphs are those of testing/graph.h, or any whose host_data is
// a Constants.
class Host {
 public:
  Host() {
    table_.abi = BRAID_ABI;
    table_.data = this;
    table_.log = [](const braid_host* h, int32_t level, braid_str text) { Of(h)->Log(level, text); };
    table_.set_error = [](const braid_host* h, braid_str text) { Of(h)->SetError(text); };
    table_.alloc = [](const braid_host* h, uint64_t bytes, uint64_t alignment) {
      return Of(h)->Alloc(bytes, alignment);
    };
    table_.free = [](const braid_host* h, void* memory) { Of(h)->Free(memory); };
    table_.now = [](const braid_host*) {
      timespec t;
      clock_gettime(CLOCK_MONOTONIC, &t);
      return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
    };
    table_.parallel_for = [](const braid_host*, uint64_t n, void (*task)(void*, uint64_t, uint32_t),
                             void* argument) {
      for (uint64_t i = 0; i < n; ++i) task(argument, i, 0);
    };
    table_.concurrency = [](const braid_host*) { return uint32_t{1}; };
    table_.constant = [](const braid_host* h, const braid_graph* graph, uint32_t value, braid_bytes* out,
                         void** token) { return Of(h)->Constant(graph, value, out, token); };
    table_.constant_release = [](const braid_host* h, void* token) { Of(h)->Release(token, "constant"); };
    table_.cache_get = [](const braid_host* h, braid_bytes key, braid_bytes* out, void** token) {
      return Of(h)->CacheGet(key, out, token);
    };
    table_.cache_release = [](const braid_host* h, void* token) { Of(h)->Release(token, "cache"); };
    table_.cache_put = [](const braid_host* h, braid_bytes key, braid_bytes data) {
      return Of(h)->CachePut(key, data);
    };
    table_.get_extension = [](const braid_host*, const char*) -> const void* { return nullptr; };
  }
  ~Host() {
    for (const Lent& lent : given_back_) munmap(lent.data, lent.bytes);
    for (const auto& [token, lent] : constants_) munmap(lent.data, lent.bytes);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  const braid_host* raw() const { return &table_; }
  uint64_t now() const { return table_.now(&table_); }

  // ---- What the plugin did

  // The last text of set_error on this thread, which is then forgotten.
  std::string error() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(errors_[std::this_thread::get_id()], {});
  }
  std::vector<std::pair<int32_t, std::string>> logs() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return logs_;
  }
  // Tokens of constants and cache entries that were not released.
  int held() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<int>(tokens_.size());
  }
  uint64_t allocations() const { return allocations_; }  // calls of alloc so far
  // What alloc gave and was not freed.
  size_t blocks() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return blocks_.size();
  }
  // Whether the bytes of all constants that were given with a token are, or were at its release, as they were
  // given.
  bool constants_intact() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return intact_ && std::all_of(constants_.begin(), constants_.end(),
                                  [](const auto& held) { return held.second.intact(); });
  }
  uint64_t constant_calls() const { return constant_calls_; }
  uint64_t cache_calls() const { return cache_calls_; }
  // What no plugin may do: free what alloc did not give, release a token twice, give no text.
  std::vector<std::string> breaches() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return breaches_;
  }

  // ---- Failures

  static constexpr uint64_t kNone = UINT64_MAX;
  // The alloc after `more` others answers NULL, that one alone; kNone: none does.
  void FailAllocation(uint64_t more) { fail_allocation_ = more == kNone ? kNone : allocations_ + more; }
  bool allocation_failed() const { return allocations_ > fail_allocation_; }
  // constant() answers this; BRAID_OK: it works.
  void FailConstants(braid_status status) { constants_status_ = status; }
  // UNSUPPORTED: there is no cache, as at first. OK: there is one, in memory.
  void SetCache(braid_status get, braid_status put) {
    cache_get_status_ = get;
    cache_put_status_ = put;
  }

  // Gives away the memory of each constant whose token is released, which nobody can touch any more: mappings
  // of mmap, `keep`'s from then on. Without it they stay as they are until this host's end.
  void GiveReleased(void (*keep)(void* data, uint64_t bytes)) { keep_ = keep; }

 private:
  static Host* Of(const braid_host* h) { return static_cast<Host*>(h->data); }

  void Log(int32_t level, braid_str text) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (level < BRAID_LOG_ERROR || level > BRAID_LOG_DEBUG)
      breaches_.push_back("log of level " + std::to_string(level));
    if (text.ptr == nullptr) return breaches_.emplace_back("log without a text"), void();
    logs_.emplace_back(level, std::string(text.ptr, text.len));
  }
  void SetError(braid_str text) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (text.ptr == nullptr || text.len == 0)
      return breaches_.emplace_back("set_error without a text"), void();
    errors_[std::this_thread::get_id()].assign(text.ptr, text.len);
  }
  void* Alloc(uint64_t bytes, uint64_t alignment) {
    if (allocations_++ == fail_allocation_ || (alignment & (alignment - 1)) != 0) return nullptr;
    alignment = std::max<uint64_t>(alignment, alignof(std::max_align_t));
    const uint64_t rounded = (std::max<uint64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    void* memory = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
    std::lock_guard<std::mutex> lock(mutex_);
    if (memory != nullptr) blocks_.insert(memory);
    return memory;
  }
  void Free(void* memory) {
    if (memory == nullptr) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (blocks_.erase(memory) == 0)
      return breaches_.emplace_back("free of memory that alloc did not give"), void();
    std::free(memory);
  }
  void* NewToken() {
    void* token = reinterpret_cast<void*>(++last_token_);
    tokens_.insert(token);
    return token;
  }
  void Release(void* token, const char* what) {
    if (token == nullptr) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (tokens_.erase(token) == 0)
      return breaches_.push_back(std::string(what) + "_release of a token that is not held"), void();
    const auto lent = constants_.find(token);
    if (lent == constants_.end()) return;
    intact_ = intact_ && lent->second.intact();
    // Who reads on is stopped there. The addresses are not used again.
    mprotect(lent->second.data, lent->second.bytes, PROT_NONE);
    if (keep_ != nullptr)
      keep_(lent->second.data, lent->second.bytes);
    else
      given_back_.push_back(lent->second);
    constants_.erase(lent);
  }
  braid_status Constant(const braid_graph* graph, uint32_t value, braid_bytes* out, void** token) {
    ++constant_calls_;
    if (constants_status_ != BRAID_OK) return constants_status_;
    const auto* from = static_cast<const Constants*>(graph->host_data);
    if (from == nullptr || !from->Find(value, out)) return BRAID_INVALID_ARGUMENT;
    if (token == nullptr) return BRAID_OK;
    // A copy that nobody can read once its token is released.
    const uint64_t bytes = std::max<uint64_t>(out->len, 1);
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return BRAID_OUT_OF_MEMORY;
    if (out->len > 0) std::memcpy(data, out->ptr, out->len);
    out->ptr = data;
    std::lock_guard<std::mutex> lock(mutex_);
    *token = NewToken();
    constants_[*token] = {data, bytes, Lent::Sum(data, bytes)};
    return BRAID_OK;
  }
  braid_status CacheGet(braid_bytes key, braid_bytes* out, void** token) {
    ++cache_calls_;
    if (cache_get_status_ != BRAID_OK) return cache_get_status_;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = cache_.find(std::string(static_cast<const char*>(key.ptr), key.len));
    if (found == cache_.end()) return BRAID_INVALID_ARGUMENT;
    // Entries are never taken out, and those of a set stay where they are.
    const std::string& data = *kept_.insert(found->second).first;
    *out = {data.data(), data.size()};
    *token = NewToken();
    return BRAID_OK;
  }
  braid_status CachePut(braid_bytes key, braid_bytes data) {
    ++cache_calls_;
    if (cache_put_status_ != BRAID_OK) return cache_put_status_;
    std::lock_guard<std::mutex> lock(mutex_);
    cache_[std::string(static_cast<const char*>(key.ptr), key.len)] =
        std::string(static_cast<const char*>(data.ptr), data.len);
    return BRAID_OK;
  }

  braid_host table_ = BRAID_HOST_INIT;
  mutable std::mutex mutex_;
  std::map<std::thread::id, std::string> errors_;
  std::vector<std::pair<int32_t, std::string>> logs_;
  std::vector<std::string> breaches_;
  std::set<void*> blocks_, tokens_;
  struct Lent {
    void* data;
    uint64_t bytes, sum;
    bool intact() const { return Sum(data, bytes) == sum; }
    static uint64_t Sum(const void* data, uint64_t bytes) {
      uint64_t sum = 0xcbf29ce484222325;
      for (uint64_t i = 0; i < bytes; ++i) sum = (sum ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3;
      return sum;
    }
  };
  bool intact_ = true;
  std::map<void*, Lent> constants_;  // by token
  std::vector<Lent> given_back_;
  void (*keep_)(void*, uint64_t) = nullptr;
  uintptr_t last_token_ = 0;
  std::atomic<uint64_t> allocations_{0}, constant_calls_{0}, cache_calls_{0};
  std::atomic<uint64_t> fail_allocation_{kNone};
  std::atomic<braid_status> constants_status_{BRAID_OK};
  std::atomic<braid_status> cache_get_status_{BRAID_UNSUPPORTED}, cache_put_status_{BRAID_UNSUPPORTED};
  std::map<std::string, std::string> cache_;
  std::set<std::string> kept_;
};

}  // namespace braid::kit::testing

#endif  // BRAID_KIT_TESTING_HOST_H_
