// SPDX-License-Identifier: Apache-2.0
//
// NumPy's .npy files, formats 1.0 to 3.0. NumPy has no bfloat16 and no types below 8 bits: these are written
// as the unsigned integers that hold them (types below a byte one element a byte). Strings are read and
// written as fixed-width UTF-32 ("<U").
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>

#include "core/graph/graph.h"
#include "core/graph/packed.h"
#include "tools/braid/command.h"
#include "tools/braid/tensors.h"

namespace braid::cli {
namespace {

struct Described {
  int32_t type;
  const char* descr;
};
constexpr Described kTypes[] = {
    {GRAPH_FLOAT, "<f4"},     {GRAPH_UINT8, "|u1"},       {GRAPH_INT8, "|i1"},     {GRAPH_UINT16, "<u2"},
    {GRAPH_INT16, "<i2"},     {GRAPH_INT32, "<i4"},       {GRAPH_INT64, "<i8"},    {GRAPH_BOOL, "|b1"},
    {GRAPH_FLOAT16, "<f2"},   {GRAPH_DOUBLE, "<f8"},      {GRAPH_UINT32, "<u4"},   {GRAPH_UINT64, "<u8"},
    {GRAPH_COMPLEX64, "<c8"}, {GRAPH_COMPLEX128, "<c16"}, {GRAPH_BFLOAT16, "<u2"},
};

std::string DescrOf(int32_t type) {
  for (const Described& d : kTypes)
    if (d.type == type) return d.descr;
  return "|u1";  // 8 bits and below
}

// One element a byte.
std::vector<uint8_t> Unpacked(const HostData& data) {
  const int bits = ElementBits(data.type);
  if (bits >= 8) return data.bytes;
  std::vector<uint8_t> out;
  for (uint64_t i = 0; i < ElementCount(data); ++i) out.push_back(PackedAt(data.bytes.data(), i, bits));
  return out;
}

std::string Utf32Of(const std::string& utf8, size_t characters) {
  std::string out;
  for (size_t i = 0; i < utf8.size();) {
    const auto c = static_cast<uint8_t>(utf8[i]);
    const size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? c : c & (0xffu >> (length + 1));
    for (size_t k = 1; k < length && i + k < utf8.size(); ++k)
      code = (code << 6) | (static_cast<uint8_t>(utf8[i + k]) & 0x3f);
    out.append(reinterpret_cast<const char*>(&code), 4);
    i += length;
  }
  out.resize(characters * 4);
  return out;
}

std::string Utf8Of(const uint8_t* utf32, size_t characters) {
  std::string out;
  for (size_t i = 0; i < characters; ++i) {
    uint32_t c;
    std::memcpy(&c, utf32 + 4 * i, 4);
    if (c == 0) break;
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
    } else if (c < 0x10000) {
      out += {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3f)),
              static_cast<char>(0x80 | (c & 0x3f))};
    } else {
      out += {static_cast<char>(0xf0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3f)),
              static_cast<char>(0x80 | ((c >> 6) & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
    }
  }
  return out;
}

std::vector<uint8_t> PackStrings(const std::vector<std::string>& strings) {
  std::vector<uint8_t> out(strings.size() * 16);
  for (size_t i = 0; i < strings.size(); ++i) {
    const uint64_t pair[2] = {out.size(), strings[i].size()};
    std::memcpy(out.data() + 16 * i, pair, 16);
    out.insert(out.end(), strings[i].begin(), strings[i].end());
  }
  return out;
}

// From column-major to row-major.
std::vector<uint8_t> Reordered(const std::vector<uint8_t>& bytes, const std::vector<int64_t>& dims,
                               size_t element) {
  std::vector<uint8_t> out(bytes.size());
  std::vector<int64_t> index(dims.size(), 0);
  for (size_t at = 0; at < bytes.size(); at += element) {
    size_t to = 0;
    for (size_t i = 0; i < dims.size(); ++i)
      to = to * static_cast<size_t>(dims[i]) + static_cast<size_t>(index[i]);
    std::memcpy(out.data() + to * element, bytes.data() + at, element);
    for (size_t i = 0; i < dims.size(); ++i) {
      if (++index[i] < dims[i]) break;
      index[i] = 0;
    }
  }
  return out;
}

}  // namespace

HostData ReadNpy(const std::string& path) {
  const std::string all = ReadFile(path);
  auto bad = [&](const std::string& text) { return UsageError(path + ": " + text); };
  if (all.size() < 10 || all.compare(0, 6, "\x93NUMPY") != 0) throw bad("is no .npy file");
  const int major = all[6];
  if (major < 1 || major > 3) throw bad(fmt::format("format {} of .npy is unknown", major));
  const size_t start = major == 1 ? 10 : 12;
  size_t length = static_cast<uint8_t>(all[8]) | (static_cast<size_t>(static_cast<uint8_t>(all[9])) << 8);
  if (major > 1 && all.size() >= 12)
    length |= (static_cast<size_t>(static_cast<uint8_t>(all[10])) << 16) |
              (static_cast<size_t>(static_cast<uint8_t>(all[11])) << 24);
  if (all.size() < start || length > all.size() - start) throw bad("its header is cut off");
  const std::string header = all.substr(start, std::min<size_t>(length, 4096));
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("'descr':\\s*'([^']*)'")))
    throw bad("its header has no descr that is one type");
  std::string descr = match[1];
  const bool fortran = std::regex_search(header, std::regex("'fortran_order':\\s*True"));
  if (!std::regex_search(header, match, std::regex("'shape':\\s*\\(([^)]*)\\)")))
    throw bad("its header has no shape");
  HostData out;
  const std::string shape = match[1];
  static const std::regex kExtents(R"(\s*(?:(\d{1,18})\s*,\s*)*(?:\d{1,18})?\s*)"), kNumber(R"(\d+)");
  if (!std::regex_match(shape, kExtents)) throw bad("its shape is '(" + shape + ")'");
  uint64_t count = 1;
  for (std::sregex_iterator it(shape.begin(), shape.end(), kNumber), end; it != end; ++it) {
    out.dims.push_back(std::stoll(it->str()));
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(out.dims.back()), &count))
      throw bad("its shape overflows");
  }
  if (out.dims.size() > GRAPH_MAX_RANK) throw bad(fmt::format("rank {} is too high", out.dims.size()));
  if (!descr.empty() && descr[0] == '=') descr[0] = '<';
  static const std::regex kText("<U([1-9]\\d{0,8})");
  const bool text = std::regex_match(descr, match, kText);
  size_t element = 0;
  if (text) {
    out.type = GRAPH_STRING;
    element = 4 * std::stoul(match[1]);
  }
  for (const Described& d : kTypes)
    if (out.type == 0 && descr == d.descr) out.type = d.type;
  if (out.type == 0) throw bad("its type '" + descr + "' is not supported");
  if (!text) element = static_cast<size_t>(ElementBits(out.type)) / 8;
  const size_t have = all.size() - start - length;
  if (have / element < count)
    throw bad(fmt::format("holds {} bytes of data, its shape needs {} elements of {}", have, count, element));
  const auto* data = reinterpret_cast<const uint8_t*>(all.data()) + start + length;
  std::vector<uint8_t> bytes(data, data + count * element);
  if (fortran && !bytes.empty()) bytes = Reordered(bytes, out.dims, element);
  if (text) {
    std::vector<std::string> strings;
    for (uint64_t i = 0; i < count; ++i) strings.push_back(Utf8Of(bytes.data() + i * element, element / 4));
    bytes = PackStrings(strings);
  }
  out.bytes = std::move(bytes);
  return out;
}

void WriteNpy(const std::string& path, const HostData& data) {
  std::string descr = DescrOf(data.type), body;
  if (data.type == GRAPH_STRING) {
    size_t longest = 1;
    std::vector<std::string> strings;
    for (uint64_t i = 0; i < ElementCount(data); ++i) {
      std::string quoted = ElementText(data, i);
      strings.push_back(quoted.substr(1, quoted.size() - 2));
      longest = std::max(longest, strings.back().size());  // at least as many as there are characters
    }
    for (const std::string& s : strings) body += Utf32Of(s, longest);
    descr = fmt::format("<U{}", longest);
  } else {
    std::vector<uint8_t> bytes = Unpacked(data);
    body.assign(bytes.begin(), bytes.end());
  }
  std::string shape;
  for (int64_t d : data.dims) shape += std::to_string(d) + ",";
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, shape);
  header.resize((header.size() + 10 + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size() & 0xff)
       << static_cast<char>(header.size() >> 8) << header << body;
  file.close();
  if (!file) throw UsageError(fmt::format("{}: can't be written: {}", path, std::strerror(errno)));
}

}  // namespace braid::cli
