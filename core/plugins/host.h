// SPDX-License-Identifier: Apache-2.0
//
// The services that a plugin gets from the host: one HostTable a plugin.
#ifndef BRAID_CORE_PLUGINS_HOST_H_
#define BRAID_CORE_PLUGINS_HOST_H_

#include <braid/plugin.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "core/plugins/file_cache.h"

namespace braid {

// Nanoseconds of CLOCK_MONOTONIC: the clock of every deadline and timestamp in the ABI.
uint64_t HostNow();

// Writes "braid: warning: ID: text" to stderr if BRAID_LOG lets the level through (error, warning, info,
// debug or 1 to 4; default warning). [any thread]
void HostLog(int32_t level, std::string_view id, std::string_view text);
int32_t HostLogLevel();
// Sends the lines elsewhere, for applications and tests; null restores stderr.
using LogSink = void (*)(void* argument, int32_t level, std::string_view id, std::string_view text);
void SetLogSink(LogSink sink, void* argument);

// While one lives, what plugins of this process keep and look up in the cache on this thread goes to this
// folder ("": no cache) in the place of their table's; without a folder it changes nothing.
class CacheScope {
 public:
  explicit CacheScope(const std::optional<std::string>& folder);
  ~CacheScope();
  CacheScope(const CacheScope&) = delete;
  CacheScope& operator=(const CacheScope&) = delete;
  // Of the innermost scope of this thread that has one, or null.
  static const std::string* Folder();

 private:
  const std::string* const outer_;
};

// While one lives, submits of this thread belong to a run that is cancelled once the flag is set (null: it
// can't be).
class CancelScope {
 public:
  explicit CancelScope(const std::atomic<bool>* flag) : before_(flag_) { flag_ = flag; }
  ~CancelScope() { flag_ = before_; }
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
  static bool Cancelled() { return flag_ != nullptr && flag_->load(std::memory_order_relaxed); }

 private:
  static constinit thread_local const std::atomic<bool>* flag_;
  const std::atomic<bool>* before_;
};

class HostTable {
 public:
  // cache_dir "": $BRAID_CACHE_DIR, else $XDG_CACHE_HOME/braid, else ~/.cache/braid (no cache for elevated
  // processes).
  HostTable(std::string plugin_id, const std::string& cache_dir);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;
  const braid_host* table() const { return &table_; }
  const std::string& id() const { return id_; }
  void set_id(std::string id) {
    id_ = std::move(id);
  }                    // once, when the plugin has told it; before others use it
  FileCache* cache();  // null: none; that of the thread's CacheScope, else the table's own
  // Tokens of constants and cache entries that the plugin holds.
  void CountToken(int64_t change) { tokens_.fetch_add(change, std::memory_order_relaxed); }
  int64_t tokens() const { return tokens_.load(std::memory_order_relaxed); }

  // For the checked layer: constants are given out as copies, which become unreadable when their token is
  // released or, without a token, when EndCall is told of the call's graph. Those of more than 64 MiB are
  // given as they are.
  void set_copies_constants() { copies_constants_ = true; }
  bool copies_constants() const { return copies_constants_; }
  // Null: not to be copied.
  std::shared_ptr<const Constant> CopyConstant(uint32_t value, std::shared_ptr<const Constant> constant);
  void HoldForCall(const void* graph_data, std::shared_ptr<const Constant> copy);
  // The values of copies that were written to; each is told once.
  std::vector<uint32_t> EndCall(const void* graph_data);

 private:
  struct Copy;
  braid_host table_;
  std::string id_;
  std::string cache_dir_;
  std::once_flag cache_once_;
  std::unique_ptr<FileCache> cache_;
  std::mutex scoped_mutex_;
  std::map<std::string, std::unique_ptr<FileCache>> scoped_;  // by folder
  std::atomic<int64_t> tokens_{0};
  bool copies_constants_ = false;
  std::mutex copies_mutex_;
  std::vector<std::weak_ptr<Copy>> copies_;
  std::vector<std::pair<const void*, std::shared_ptr<const Constant>>> held_;  // by host_data of the graph
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_HOST_H_
