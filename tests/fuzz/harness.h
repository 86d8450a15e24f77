// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share: what counts as a finding, the bounds of time and memory, and running a graph.
// Each target is a file with LLVMFuzzerTestOneInput, linked with libFuzzer or with driver.cc.
#ifndef BRAID_TESTS_FUZZ_HARNESS_H_
#define BRAID_TESTS_FUZZ_HARNESS_H_

#include <braid/graph.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace braid::fuzz {

// Writes the text and aborts: the fuzzer then keeps the input.
[[noreturn]] void Finding(const std::string& text);

// From construction to destruction: a finding where the process took more than two seconds of CPU time (four
// times that with sanitizers) or more than 512 MiB. The system's clock is no measure on a busy machine; what
// sleeps for ever is the fuzzer's time-out.
class Bounds {
 public:
  explicit Bounds(const char* what);
  ~Bounds();

 private:
  const char* what_;
  timespec start_;
  int64_t resident_, peak_;
};

// A failure has one line of text, and is no fault of Braid's or of a plugin. True if `status` is GRAPH_OK.
bool Check(graph_status status, const char* what);

struct GraphFree {
  void operator()(graph_t* graph) const { graph_free(graph); }
};
using GraphPtr = std::unique_ptr<graph_t, GraphFree>;

// On the reference device; null, with the failure checked, where it is refused.
GraphPtr Load(const void* model, size_t bytes);

// A value in host memory, in the parts of graph_tensor.
struct HostValue {
  int32_t kind = GRAPH_TENSOR;
  int32_t type = 0;
  std::vector<int64_t> dims;
  std::string bytes;
  std::vector<HostValue> items;
  std::string name;
  bool operator==(const HostValue&) const = default;
};

// 0 for strings and for what is no type.
int BitsOf(int32_t type);
// Strings as graph_tensor.data has them.
std::string Packed(const std::vector<std::string>& strings);

struct Result {
  graph_status status = GRAPH_OK;
  std::string error;
  std::vector<HostValue> outputs;
};

// Runs it and looks at every byte of the outputs. Cancelled after half a second: a loop may legally turn for
// ever.
Result Run(graph_t* graph, const std::vector<HostValue>& inputs);

// Takes values off the front of the fuzzer's bytes; 0 when they are used up.
class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  uint8_t Byte() { return at_ == end_ ? 0 : *at_++; }
  uint16_t Short() {
    const uint16_t low = Byte();
    return static_cast<uint16_t>(low | (Byte() << 8));
  }
  // In [0, count).
  uint32_t Below(uint32_t count) { return count <= 1 ? 0 : (count <= 256 ? Byte() : Short()) % count; }
  std::string Text(size_t most) {
    std::string out;
    for (size_t n = Below(static_cast<uint32_t>(most) + 1); n > 0 && !empty(); --n)
      out += static_cast<char>(Byte());
    return out;
  }
  std::string Rest() {
    std::string out(reinterpret_cast<const char*>(at_), static_cast<size_t>(end_ - at_));
    at_ = end_;
    return out;
  }

 private:
  const uint8_t *at_, *end_;
};

}  // namespace braid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);

#endif  // BRAID_TESTS_FUZZ_HARNESS_H_
