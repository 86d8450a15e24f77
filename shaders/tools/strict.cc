// SPDX-License-Identifier: Apache-2.0
//
// strict IN.spv OUT.spv: makes every float operation of a shader mean what it says. Decorates each of them
// with NoContraction, so that drivers neither fuse nor reassociate it (GLSL's `precise` on every variable
// would do the same, but a kernel's author could forget one), and asks for SignedZeroInfNanPreserve of 32-bit
// floats, so that a-a of a NaN stays a NaN.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr uint32_t kMagic = 0x07230203;
enum Op : uint32_t {
  kExtension = 10,
  kExtInstImport = 11,
  kExtInst = 12,
  kMemoryModel = 14,
  kEntryPoint = 15,
  kExecutionMode = 16,
  kCapability = 17,
  kTypeFloat = 22,
  kTypeVector = 23,
  kDecorate = 71,
  kFNegate = 127,
  kFAdd = 129,
  kFSub = 131,
  kFMul = 133,
  kFDiv = 136,
  kFRem = 140,
  kFMod = 141,
  kVectorTimesScalar = 142,
  kDot = 148,
};
constexpr uint32_t kNoContraction = 42;
constexpr uint32_t kSignedZeroInfNanPreserve = 4466;  // the capability
constexpr uint32_t kModeSignedZeroInfNanPreserve = 4461;

bool IsFloatArithmetic(uint32_t op) {
  switch (op) {
    case kFNegate:
    case kFAdd:
    case kFSub:
    case kFMul:
    case kFDiv:
    case kFRem:
    case kFMod:
    case kVectorTimesScalar:
    case kDot:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void Die(const std::string& text) {
  std::fprintf(stderr, "strict: %s\n", text.c_str());
  std::exit(1);
}

std::vector<uint32_t> Words(const std::string& text) {  // a SPIR-V literal string
  std::vector<uint32_t> words((text.size() + 4) / 4, 0);
  for (size_t i = 0; i < text.size(); ++i)
    words[i / 4] |= uint32_t{static_cast<uint8_t>(text[i])} << (8 * (i % 4));
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Die("usage: strict IN.spv OUT.spv");
  std::ifstream file(argv[1], std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file || bytes.size() < 20 || bytes.size() % 4 != 0) Die(std::string("cannot read ") + argv[1]);
  std::vector<uint32_t> in(bytes.size() / 4);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(in.data()));
  if (in[0] != kMagic) Die(std::string(argv[1]) + " is not SPIR-V");

  // First pass: results to decorate, and the entry point.
  std::vector<uint32_t> results;
  uint32_t entry = 0;
  for (size_t i = 5; i < in.size(); i += in[i] >> 16) {
    uint32_t op = in[i] & 0xffff;
    if ((in[i] >> 16) == 0) Die("broken instruction");
    if (op == kEntryPoint) entry = in[i + 2];
    if (IsFloatArithmetic(op) || op == kExtInst) {
      // Of the extended instructions only Fma (50) can be contracted or split.
      if (op != kExtInst || in[i + 4] == 50) results.push_back(in[i + 2]);
    }
  }

  std::vector<uint32_t> out(in.begin(), in.begin() + 5);
  bool capability = false, extension = false, mode = false, decorated = false;
  for (size_t i = 5; i < in.size(); i += in[i] >> 16) {
    uint32_t op = in[i] & 0xffff, count = in[i] >> 16;
    if (!capability && op != kCapability) {
      out.insert(out.end(), {(2u << 16) | kCapability, kSignedZeroInfNanPreserve});
      capability = true;
    }
    if (!extension && op != kCapability && op != kExtension) {
      std::vector<uint32_t> name = Words("SPV_KHR_float_controls");
      out.push_back(static_cast<uint32_t>((name.size() + 1) << 16) | kExtension);
      out.insert(out.end(), name.begin(), name.end());
      extension = true;
    }
    bool annotation_section = op != kCapability && op != kExtension && op != kExtInstImport &&
                              op != kMemoryModel && op != kEntryPoint;
    if (!mode && annotation_section) {
      out.insert(out.end(), {(4u << 16) | kExecutionMode, entry, kModeSignedZeroInfNanPreserve, 32u});
      mode = true;
    }
    // Decorations come before the first type; those there already end where types begin (19..39: OpType*).
    if (!decorated && op >= 19 && op <= 39) {
      for (uint32_t id : results) out.insert(out.end(), {(3u << 16) | kDecorate, id, kNoContraction});
      decorated = true;
    }
    out.insert(out.end(), in.begin() + static_cast<long>(i), in.begin() + static_cast<long>(i + count));
  }
  std::ofstream written(argv[2], std::ios::binary);
  written.write(reinterpret_cast<const char*>(out.data()), static_cast<long>(out.size() * 4));
  if (!written) Die(std::string("cannot write ") + argv[2]);
}
