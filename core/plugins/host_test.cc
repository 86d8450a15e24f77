// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/host.h"

#include <braid/ext/draft/cancel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "core/plugins/error_sink.h"
#include "core/plugins/hash.h"
#include "core/plugins/testing.h"
#include "core/plugins/thread_pool.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
namespace fs = std::filesystem;

// ---- Thread pool ----

TEST(ThreadPool, RunsEveryIndexOnce) {
  ThreadPool pool(4);
  for (uint64_t n : {0u, 1u, 2u, 3u, 7u, 1000u, 100003u}) {
    std::vector<std::atomic<int>> seen(n);
    pool.For(n, [&](uint64_t i, uint32_t worker) {
      EXPECT_LT(worker, 4u);
      seen[i].fetch_add(1);
    });
    for (uint64_t i = 0; i < n; ++i) ASSERT_EQ(seen[i].load(), 1) << i << " of " << n;
  }
}

TEST(ThreadPool, WorkersOfOneLoopDiffer) {
  ThreadPool pool(4);
  std::atomic<int> inside[4] = {};
  std::atomic<int> clashes{0};
  pool.For(64, [&](uint64_t, uint32_t worker) {
    if (inside[worker].fetch_add(1) != 0) clashes.fetch_add(1);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    inside[worker].fetch_sub(1);
  });
  EXPECT_EQ(clashes.load(), 0);
}

TEST(ThreadPool, LoopsWithinTasksRunInline) {
  ThreadPool pool(3);
  std::atomic<uint64_t> sum{0};
  pool.For(20, [&](uint64_t i, uint32_t worker) {
    pool.For(50, [&](uint64_t j, uint32_t inner) {
      EXPECT_EQ(inner, worker);
      sum.fetch_add(i * 50 + j);
    });
  });
  EXPECT_EQ(sum.load(), 1000u * 999 / 2);
}

TEST(ThreadPool, SeveralClientsAtOnce) {
  ThreadPool pool(3);
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 12; ++c)  // more than there are slots
    clients.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::atomic<uint64_t> sum{0};
        pool.For(100, [&](uint64_t i, uint32_t) { sum.fetch_add(i); });
        if (sum.load() != 4950) wrong.fetch_add(1);
      }
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ThreadPool, AChildProcessCanStillRunLoops) {
  ThreadPool pool(3);
  pool.For(100, [](uint64_t, uint32_t) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<uint64_t> sum{0};
    pool.For(100, [&](uint64_t i, uint32_t) { sum.fetch_add(i); });
    _exit(sum.load() == 4950 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// ---- File cache ----

std::vector<std::string> Files(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& file : fs::directory_iterator(folder)) out.push_back(file.path().string());
  return out;
}

TEST(FileCache, GivesBackWhatWasPut) {
  TempDir dir;
  FileCache cache(dir.path() + "/a/b", 1 << 20);
  EXPECT_EQ(cache.Get("key").status().code(), absl::StatusCode::kNotFound);
  const std::string key("k\0ey", 4), data("da\0ta", 5);
  ASSERT_TRUE(cache.Put(key, data).ok());
  ASSERT_TRUE(cache.Put("empty", "").ok());
  EXPECT_EQ((*cache.Get(key))->data(), data);
  EXPECT_EQ((*cache.Get("empty"))->data(), "");
  EXPECT_FALSE(cache.Get("k").ok());
  auto old = cache.Get(key);
  ASSERT_TRUE(cache.Put(key, "newer").ok());
  EXPECT_EQ((*cache.Get(key))->data(), "newer");
  EXPECT_EQ((*old)->data(), data);  // a mapping stays what it was
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*cache.Get(key))->data().data()) % 64, 0u);
  EXPECT_EQ(Files(cache.directory()).size(), 2u);
}

TEST(BadInput26, DamagedEntriesAreMissesAndGo) {
  for (int kind = 0; kind < 4; ++kind) {
    TempDir dir;
    FileCache cache(dir.path(), 1 << 20);
    ASSERT_TRUE(cache.Put("key", std::string(1000, 'x')).ok());
    const std::string file = Files(dir.path())[0];
    const uint64_t size = fs::file_size(file);
    if (kind == 0) fs::resize_file(file, size - 1);
    if (kind == 1) fs::resize_file(file, 10);
    if (kind == 2) fs::resize_file(file, 0);
    if (kind == 3) {
      std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
      f.seekp(static_cast<std::streamoff>(size - 20));
      f.put('y');
    }
    EXPECT_EQ(cache.Get("key").status().code(), absl::StatusCode::kNotFound) << kind;
    EXPECT_TRUE(Files(dir.path()).empty()) << kind;
  }
}

TEST(BadInput26, EachBitOfAnEntryCounts) {
  TempDir dir;
  FileCache cache(dir.path(), 1 << 20);
  ASSERT_TRUE(cache.Put("key", "some data").ok());
  const std::string file = Files(dir.path())[0];
  std::string good;
  {
    std::ifstream in(file, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 0x10;
    std::ofstream(file, std::ios::binary) << bad;
    auto got = cache.Get("key");
    // Padding may differ; what is handed out may not.
    if (got.ok()) {
      EXPECT_EQ((*got)->data(), "some data") << i;
    }
  }
}

TEST(BadInput26, UnwritableFolderAndFullLimit) {
  TempDir dir;
  const std::string file = dir.Write("file", "x");
  FileCache beneath_file(file + "/cache", 1 << 20);
  const absl::Status status = beneath_file.Put("k", "d");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(file));
  FileCache small(dir.path() + "/small", 1000);
  EXPECT_EQ(small.Put("k", std::string(2000, 'x')).code(), absl::StatusCode::kResourceExhausted);
}

TEST(FileCache, TheLongestUnusedGoFirst) {
  TempDir dir;
  FileCache cache(dir.path(), 4000);
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(cache.Put(key, std::string(1000, *key)).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(12));
  }
  ASSERT_TRUE(cache.Get("a").ok());  // used now
  ASSERT_TRUE(cache.Put("d", std::string(1000, 'd')).ok());
  EXPECT_TRUE(cache.Get("a").ok());
  EXPECT_FALSE(cache.Get("b").ok());
  EXPECT_TRUE(cache.Get("c").ok());
  EXPECT_TRUE(cache.Get("d").ok());
}

TEST(FileCache, TwoProcessesAtOnce) {
  TempDir dir;
  std::vector<pid_t> children;
  for (int c = 0; c < 2; ++c) {
    const pid_t child = fork();
    if (child == 0) {
      FileCache cache(dir.path(), 1 << 20);
      bool good = true;
      for (int i = 0; i < 200; ++i) {
        good = good && cache.Put("key", std::string(5000, static_cast<char>('a' + i % 7))).ok();
        auto got = cache.Get("key");
        good = good && got.ok() && (*got)->data() == std::string(5000, (*got)->data()[0]);
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

TEST(Hash, DiffersInOrderLengthAndEachByte) {
  std::set<Hash128> seen;
  std::string data(200, '\0');
  for (size_t n = 0; n <= data.size(); ++n) EXPECT_TRUE(seen.insert(HashOf(data.substr(0, n))).second) << n;
  for (size_t i = 0; i < data.size(); ++i) {
    std::string changed = data;
    changed[i] = 1;
    EXPECT_TRUE(seen.insert(HashOf(changed)).second) << i;
  }
  Hasher ab, ba;
  ab.Add(std::string_view("ab"));
  ab.Add(std::string_view("c"));
  ba.Add(std::string_view("a"));
  ba.Add(std::string_view("bc"));
  EXPECT_NE(ab.Finish(), ba.Finish());
  EXPECT_EQ(HexOf({0x0123456789abcdefu, 1}), "0123456789abcdef0000000000000001");
}

// ---- The table ----

class HostTableTest : public ::testing::Test {
 protected:
  TempDir dir_;
  HostTable host_{"someone", dir_.path()};
  const braid_host* table_ = host_.table();
};

TEST_F(HostTableTest, EverySlotIsThere) {
  EXPECT_EQ(table_->size, sizeof(braid_host));
  EXPECT_EQ(table_->abi, BRAID_ABI);
  const auto* slots = reinterpret_cast<void* const*>(&table_->log);
  const size_t count = (sizeof(braid_host) - offsetof(braid_host, log)) / sizeof(void*);
  for (size_t i = 0; i < count; ++i) EXPECT_NE(slots[i], nullptr) << i;
  EXPECT_EQ(table_->get_extension(table_, "nobody.knows/1"), nullptr);
  const auto* cancel = static_cast<const braid_cancel*>(table_->get_extension(table_, BRAID_CANCEL_ID));
  ASSERT_NE(cancel, nullptr);
  EXPECT_EQ(cancel->cancelled(table_), 0);
  std::atomic<bool> flag{false};
  {
    CancelScope scope(&flag);
    EXPECT_EQ(cancel->cancelled(table_), 0);
    flag = true;
    EXPECT_EQ(cancel->cancelled(table_), 1);
    std::thread([&] { EXPECT_EQ(cancel->cancelled(table_), 0); }).join();
  }
  EXPECT_EQ(cancel->cancelled(table_), 0);
}

TEST_F(HostTableTest, AllocatesAligned) {
  for (uint64_t alignment : {0u, 1u, 64u, 4096u}) {
    void* p = table_->alloc(table_, 100, alignment);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % std::max<uint64_t>(alignment, 1), 0u);
    table_->free(table_, p);
  }
  EXPECT_EQ(table_->alloc(table_, 100, 48), nullptr);
  EXPECT_EQ(table_->alloc(table_, UINT64_MAX / 2, 64), nullptr);
  table_->free(table_, nullptr);
}

TEST_F(HostTableTest, CacheKeepsBlobsForThePlugin) {
  const braid_bytes key{"key", 3}, data{"data", 4};
  braid_bytes out{};
  void* token = nullptr;
  EXPECT_NE(table_->cache_get(table_, key, &out, &token), BRAID_OK);
  ASSERT_EQ(table_->cache_put(table_, key, data), BRAID_OK);
  ASSERT_EQ(table_->cache_get(table_, key, &out, &token), BRAID_OK);
  EXPECT_EQ(std::string(static_cast<const char*>(out.ptr), out.len), "data");
  EXPECT_EQ(host_.tokens(), 1);
  table_->cache_release(table_, token);
  EXPECT_EQ(host_.tokens(), 0);
  EXPECT_TRUE(fs::exists(dir_.path() + "/plugins/someone"));
}

TEST_F(HostTableTest, ConstantsOutliveTheirGraphByToken) {
  auto graph = std::make_unique<Graph>(testing::ChainGraph());
  auto view = GraphView::Whole(*graph);
  braid_bytes bytes{};
  void* token = nullptr;
  const uint32_t c = view->index_of(2), x = view->index_of(0);
  ASSERT_EQ(table_->constant(table_, view->raw(), c, &bytes, nullptr), BRAID_OK);
  ASSERT_EQ(table_->constant(table_, view->raw(), c, &bytes, &token), BRAID_OK);
  EXPECT_EQ(table_->constant(table_, view->raw(), x, &bytes, nullptr), BRAID_INVALID_ARGUMENT);
  EXPECT_THAT(ErrorSink::Take(), HasSubstr("is no constant"));
  EXPECT_EQ(table_->constant(table_, view->raw(), 4000, &bytes, nullptr), BRAID_INVALID_ARGUMENT);
  ASSERT_EQ(table_->constant(table_, view->raw(), c, &bytes, nullptr), BRAID_OK);
  view.reset();
  graph.reset();
  ASSERT_EQ(bytes.len, 8u);
  EXPECT_EQ(static_cast<const float*>(bytes.ptr)[1], 20.f);
  table_->constant_release(table_, token);
  EXPECT_EQ(host_.tokens(), 0);
}

TEST_F(HostTableTest, ErrorsBelongToTheirThread) {
  table_->set_error(table_, {"mine", 4});
  std::thread([&] {
    EXPECT_EQ(ErrorSink::Take(), "");
    table_->set_error(table_, {"theirs", 6});
    EXPECT_EQ(ErrorSink::Take(), "theirs");
  }).join();
  EXPECT_EQ(ErrorSink::Take(), "mine");
  EXPECT_EQ(ErrorSink::Take(), "");
  table_->set_error(table_, {nullptr, 5});
  EXPECT_EQ(ErrorSink::Take(), "");
}

TEST_F(HostTableTest, LogGoesToTheSink) {
  static std::string line;
  SetLogSink(
      [](void*, int32_t level, std::string_view id, std::string_view text) {
        line = std::to_string(level) + " " + std::string(id) + " " + std::string(text);
      },
      nullptr);
  table_->log(table_, BRAID_LOG_WARNING, {"hot", 3});
  SetLogSink(nullptr, nullptr);
  EXPECT_EQ(line, "2 someone hot");
}

TEST_F(HostTableTest, ClockIsMonotonic) {
  const uint64_t a = table_->now(table_);
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  const uint64_t b = static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
  EXPECT_LE(a, b);
  EXPECT_LT(b - a, 1'000'000'000u);
}

}  // namespace
}  // namespace braid
