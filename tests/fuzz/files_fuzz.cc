// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses a reader, the others are what it reads: a .npy file, the .pb file of a value of some
// kind, or the texts of graph_options.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "tests/fuzz/harness.h"
#include "tools/braid/command.h"
#include "tools/braid/tensors.h"

namespace braid::fuzz {
namespace {

// A file in memory.
class File {
 public:
  explicit File(const std::string& content) : fd_(memfd_create("fuzz", 0)) {
    if (fd_ < 0 || write(fd_, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      Finding("a file in memory can't be written");
  }
  ~File() { close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void CheckParts(const cli::HostData& data) {
  for (const cli::HostData& item : data.items) CheckParts(item);
  if (data.kind != GRAPH_TENSOR) return;
  const uint64_t count = cli::ElementCount(data);
  if (data.type == GRAPH_STRING ? data.bytes.size() / 16 < count
                                : data.bytes.size() != cli::BytesOf(data.type, data.dims))
    Finding("a tensor was read whose bytes do not fit its shape");
  if (count > 0) cli::ElementText(data, 0), cli::ElementText(data, count - 1);
  cli::ShapeText(data.dims);
}

void Npy(const std::string& content) {
  cli::HostData data;
  try {
    data = cli::ReadNpy(File(content).path());
  } catch (const cli::UsageError& e) {
    if (*e.what() == '\0') Finding("an error without text");
    return;
  }
  CheckParts(data);
  if (data.type == GRAPH_STRING) return;
  const File written("");
  cli::WriteNpy(written.path(), data);
  const cli::HostData again = cli::ReadNpy(written.path());
  if (again.type != data.type || again.dims != data.dims || again.bytes != data.bytes)
    Finding("a .npy file that was written differs when it is read");
}

void Pb(Reader& reader) {
  graph_value_info info = GRAPH_VALUE_INFO_INIT;
  info.kind = static_cast<int32_t>(reader.Below(5));
  info.type = static_cast<int32_t>(reader.Below(28));
  info.rank = -1;
  info.name = "x";
  try {
    const cli::HostData data = cli::ReadPb(File(reader.Rest()).path(), info);
    CheckParts(data);
    const std::string text = cli::Compare(data, data, 0, 0);
    if (!text.empty()) Finding("a value differs from itself: " + text);
  } catch (const cli::UsageError& e) {
    if (*e.what() == '\0') Finding("an error without text");
  }
}

// y = Neg(x) of floats, as protobuf writes it.
constexpr char kNeg[] =
    "\x08\x08\x3a\x26\x0a\x0b\x0a\x01x\x12\x01y\"\x03Neg\x12\x01g"
    "Z\x09\x0a\x01x\x12\x04\x0a\x02\x08\x01"
    "b\x09\x0a\x01y\x12\x04\x0a\x02\x08\x01"
    "B\x02\x10\x11";

void Options(Reader& reader) {
  graph_options options = GRAPH_OPTIONS_INIT;
  options.size += reader.Byte();
  options.threads = static_cast<int8_t>(reader.Byte());
  options.precision = static_cast<int8_t>(reader.Byte());
  options.flags = reader.Byte() & 0xfeu;  // what GRAPH_VERBOSE writes is not wanted here
  options.memory_limit = reader.Byte();
  std::vector<std::string> lines(1);
  for (const char c : reader.Rest()) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  lines.resize(std::max<size_t>(lines.size(), 3));
  options.devices = lines[0].c_str();
  options.placement = lines[1].c_str();
  // Never a folder: whatever is named would be made.
  if (lines[2].empty() || lines[2][0] != '/') options.cache_folder = lines[2].c_str();
  std::vector<const char*> device_options;
  for (size_t i = 3; i < lines.size() && i < 20; ++i) device_options.push_back(lines[i].c_str());
  device_options.push_back(nullptr);
  options.device_options = device_options.data();
  // A struct of another size has more behind it.
  struct {
    graph_options first;
    char more[512];
  } given = {options, {}};
  graph_t* graph = nullptr;
  if (!Check(graph_load_memory(kNeg, sizeof kNeg - 1, &given.first, &graph), "graph_load_memory")) return;
  const GraphPtr owner(graph);
  HostValue x{GRAPH_TENSOR, GRAPH_FLOAT, {2}, std::string("\0\0\x80\x3f\0\0\0\x40", 8), {}, "x"};
  const Result result = Run(graph, {x});
  if (result.status != GRAPH_OK) return;
  if (result.outputs[0].bytes != std::string("\0\0\x80\xbf\0\0\0\xc0", 8)) Finding("Neg is wrong");
}

}  // namespace
}  // namespace braid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace braid::fuzz;
  Bounds bounds("a file");
  Reader reader(data, size);
  switch (reader.Below(3)) {
    case 0:
      Npy(reader.Rest());
      break;
    case 1:
      Pb(reader);
      break;
    default:
      Options(reader);
  }
  return 0;
}
