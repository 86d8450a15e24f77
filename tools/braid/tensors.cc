// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/tensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>

#include "core/graph/graph.h"
#include "core/graph/names.h"
#include "core/graph/packed.h"
#include "core/onnx/model.h"
#include "tools/braid/command.h"

namespace braid::cli {
namespace {

constexpr int32_t kFloat8First = GRAPH_FLOAT8E4M3FN, kFloat8Last = GRAPH_FLOAT8E5M2FNUZ;

// A binary float of `exponent` and `mantissa` bits with this bias; `finite`: all ones in the exponent is a
// number too.
double SmallFloat(uint32_t bits, int exponent, int mantissa, int bias, bool finite) {
  const uint32_t m = bits & ((1u << mantissa) - 1);
  const uint32_t e = (bits >> mantissa) & ((1u << exponent) - 1);
  const double sign = (bits >> (exponent + mantissa)) != 0 ? -1 : 1;
  if (!finite && e == (1u << exponent) - 1) return m == 0 ? sign * INFINITY : NAN;
  if (e == 0) return sign * std::ldexp(m, 1 - bias - mantissa);
  return sign * std::ldexp(m + (1u << mantissa), static_cast<int>(e) - bias - mantissa);
}

bool IsFloat(int32_t type) {
  return type == GRAPH_FLOAT || type == GRAPH_DOUBLE || type == GRAPH_FLOAT16 || type == GRAPH_BFLOAT16 ||
         type == GRAPH_COMPLEX64 || type == GRAPH_COMPLEX128 || (type >= kFloat8First && type <= kFloat8Last);
}

template <class T>
T Load(const HostData& d, uint64_t i) {
  T v;
  std::memcpy(&v, d.bytes.data() + i * sizeof(T), sizeof(T));
  return v;
}

// Parts of a complex element count as elements of their own.
double FloatAt(const HostData& d, uint64_t i) {
  switch (d.type) {
    case GRAPH_FLOAT:
    case GRAPH_COMPLEX64:
      return Load<float>(d, i);
    case GRAPH_DOUBLE:
    case GRAPH_COMPLEX128:
      return Load<double>(d, i);
    case GRAPH_FLOAT16:
      return SmallFloat(Load<uint16_t>(d, i), 5, 10, 15, false);
    case GRAPH_BFLOAT16:
      return std::bit_cast<float>(static_cast<uint32_t>(Load<uint16_t>(d, i)) << 16);
    case GRAPH_FLOAT8E4M3FN:
      return (d.bytes[i] & 0x7f) == 0x7f ? NAN : SmallFloat(d.bytes[i], 4, 3, 7, true);
    case GRAPH_FLOAT8E4M3FNUZ:
      return d.bytes[i] == 0x80 ? NAN : SmallFloat(d.bytes[i], 4, 3, 8, true);
    case GRAPH_FLOAT8E5M2:
      return SmallFloat(d.bytes[i], 5, 2, 15, false);
    case GRAPH_FLOAT8E5M2FNUZ:
      return d.bytes[i] == 0x80 ? NAN : SmallFloat(d.bytes[i], 5, 2, 16, true);
    default:
      return NAN;
  }
}

std::string StringAt(const HostData& d, uint64_t i) {
  uint64_t pair[2];
  if ((i + 1) * 16 > d.bytes.size()) return "";
  std::memcpy(pair, d.bytes.data() + i * 16, 16);
  if (pair[0] > d.bytes.size() || pair[1] > d.bytes.size() - pair[0]) return "";
  return {reinterpret_cast<const char*>(d.bytes.data()) + pair[0], pair[1]};
}

HostData FromHostValue(const HostValue& v) {
  HostData out;
  out.kind = static_cast<int32_t>(v.type.kind);
  out.name = v.name;
  out.type = v.type.element;
  for (const Dim& d : v.type.dims) out.dims.push_back(d.value);
  out.bytes = v.data;
  for (const HostValue& item : v.items) out.items.push_back(FromHostValue(item));
  return out;
}

// The index of an element as coordinates: "[0,2,1]".
std::string Coordinates(const std::vector<int64_t>& dims, uint64_t index) {
  std::string out = "]";
  for (size_t i = dims.size(); i-- > 0;) {
    const uint64_t d = static_cast<uint64_t>(std::max<int64_t>(dims[i], 1));
    out = (i > 0 ? "," : "") + std::to_string(index % d) + out;
    index /= d;
  }
  return "[" + out;
}

// One value of a map, as an item of its own.
HostData ValueAt(const HostData& values, size_t i) {
  if (values.kind != GRAPH_TENSOR) return values.items[i];
  HostData one;
  one.type = values.type;
  if (values.type == GRAPH_STRING) {
    const std::string text = StringAt(values, i);
    const uint64_t pair[2] = {16, text.size()};
    one.bytes.assign(reinterpret_cast<const uint8_t*>(pair), reinterpret_cast<const uint8_t*>(pair) + 16);
    one.bytes.insert(one.bytes.end(), text.begin(), text.end());
  } else {
    const size_t bytes = static_cast<size_t>(ElementBits(values.type)) / 8;
    one.bytes.assign(values.bytes.begin() + static_cast<long>(i * bytes),
                     values.bytes.begin() + static_cast<long>((i + 1) * bytes));
  }
  return one;
}

// Maps have no order.
std::string CompareMaps(const HostData& got, const HostData& want, double rtol, double atol) {
  if (got.items[0].type != want.items[0].type)
    return fmt::format("has keys of type {}, not {}", TypeText(got.items[0].type),
                       TypeText(want.items[0].type));
  const uint64_t count = ElementCount(got.items[0]);
  if (count != ElementCount(want.items[0]))
    return fmt::format("has {} keys, not {}", count, ElementCount(want.items[0]));
  std::map<std::string, uint64_t> at;
  for (uint64_t i = 0; i < count; ++i) at.emplace(ElementText(got.items[0], i), i);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string key = ElementText(want.items[0], i);
    const auto found = at.find(key);
    if (found == at.end()) return fmt::format("has no key {}", key);
    const std::string text =
        Compare(ValueAt(got.items[1], found->second), ValueAt(want.items[1], i), rtol, atol);
    if (!text.empty()) return fmt::format("key {}: {}", key, text);
  }
  return "";
}

}  // namespace

graph_tensor Borrow(const HostData& data, std::vector<std::unique_ptr<std::vector<graph_tensor>>>& items) {
  graph_tensor t = GRAPH_TENSOR_INIT;
  t.kind = data.kind;
  t.type = data.type;
  t.rank = static_cast<int32_t>(data.dims.size());
  std::copy(data.dims.begin(), data.dims.end(), t.dims);
  // An empty vector has no address; a run wants one.
  static uint8_t nothing;
  t.data = data.bytes.empty() ? &nothing : const_cast<uint8_t*>(data.bytes.data());
  t.bytes = data.bytes.size();
  if (data.shape_only) t.data = nullptr;
  if (data.kind != GRAPH_TENSOR) {
    auto children = std::make_unique<std::vector<graph_tensor>>();
    for (const HostData& item : data.items) children->push_back(Borrow(item, items));
    t.items = children->data();
    t.item_count = children->size();
    items.push_back(std::move(children));
  }
  return t;
}

HostData CopyOf(const graph_tensor& t) {
  HostData out;
  out.kind = t.kind;
  out.type = t.type;
  if (t.kind == GRAPH_SPARSE_TENSOR) out.dims.assign(t.dims, t.dims + t.rank);
  if (t.kind == GRAPH_TENSOR) {
    out.dims.assign(t.dims, t.dims + t.rank);
    out.bytes.assign(static_cast<const uint8_t*>(t.data), static_cast<const uint8_t*>(t.data) + t.bytes);
  }
  for (uint64_t i = 0; i < t.item_count; ++i) out.items.push_back(CopyOf(t.items[i]));
  return out;
}

std::string ReadFile(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer. What a device gives may never end.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fd < 0 ? nullptr : fdopen(fd, "rb"), std::fclose);
  struct stat info = {};
  std::string all;
  bool good = file != nullptr && fstat(fd, &info) == 0;
  if (good && !S_ISREG(info.st_mode))
    throw UsageError(fmt::format("{}: can't be read: it is {}", path,
                                 S_ISDIR(info.st_mode)    ? "a directory"
                                 : S_ISFIFO(info.st_mode) ? "a FIFO"
                                 : S_ISSOCK(info.st_mode) ? "a socket"
                                                          : "a device"));
  char block[1 << 16];
  while (good) {
    const size_t n = std::fread(block, 1, sizeof block, file.get());
    all.append(block, n);
    good = std::ferror(file.get()) == 0;
    if (n == 0) break;
  }
  if (!good) throw UsageError(fmt::format("{}: can't be read: {}", path, std::strerror(errno)));
  return all;
}

HostData ReadPb(const std::string& path, const graph_value_info& info) {
  const std::string file = ReadFile(path);
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  // What lies deeper, the file tells itself.
  Type declared;
  declared.kind = static_cast<ValueKind>(info.kind);
  declared.item = std::make_shared<Type>();
  declared.item->element = info.type;
  auto value = ParseValueProto(bytes, declared);
  if (!value.ok()) throw UsageError(path + ": " + std::string(value.status().message()));
  HostData data = FromHostValue(*value);
  TakeAsBfloat16(&data, info);
  return data;
}

void TakeAsBfloat16(HostData* data, const graph_value_info& info) {
  if (data->type == GRAPH_UINT16 && info.type == GRAPH_BFLOAT16) data->type = GRAPH_BFLOAT16;
}

HostData Random(const std::string& name, int32_t type, const std::vector<int64_t>& dims, uint64_t seed) {
  HostData out;
  out.name = name;
  out.type = type;
  out.dims = dims;
  uint64_t hash = 1469598103934665603ull;  // FNV-1a, so that each input has numbers of its own
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  std::mt19937_64 random(seed ^ hash);
  const uint64_t count = ElementCount(out);
  out.bytes.reserve(BytesOf(type, dims));
  auto put = [&](auto value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    out.bytes.insert(out.bytes.end(), p, p + sizeof value);
  };
  auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  if (type == GRAPH_STRING) {
    for (uint64_t i = 0; i < count; ++i) {
      put(uint64_t{count * 16 + i});
      put(uint64_t{1});
    }
    for (uint64_t i = 0; i < count; ++i) out.bytes.push_back(static_cast<uint8_t>('a' + random() % 26));
    return out;
  }
  const int bits = ElementBits(type);
  if (bits == 0)
    throw UsageError(fmt::format("input '{}': numbers of element type {} can't be made", name, type));
  if (bits < 8) {
    for (uint64_t i = 0; i < TensorBytes(type, count); ++i) out.bytes.push_back(0x11);  // every element 1
    return out;
  }
  for (uint64_t i = 0; i < count; ++i) {
    switch (type) {
      case GRAPH_FLOAT:
        put(static_cast<float>(unit()));
        break;
      case GRAPH_DOUBLE:
        put(unit());
        break;
      case GRAPH_COMPLEX64:
        put(static_cast<float>(unit())), put(static_cast<float>(unit()));
        break;
      case GRAPH_COMPLEX128:
        put(unit()), put(unit());
        break;
      case GRAPH_FLOAT16:
        put(static_cast<uint16_t>(0x3800 + (random() & 0x3ff)));
        break;  // [0.5, 1)
      case GRAPH_BFLOAT16:
        put(static_cast<uint16_t>(0x3f00 + (random() & 0x7f)));
        break;  // [0.5, 1)
      case GRAPH_BOOL:
        put(static_cast<uint8_t>(random() & 1));
        break;
      default:
        if (bits == 8) put(static_cast<uint8_t>(random() % 8));
        if (bits == 16) put(static_cast<uint16_t>(random() % 8));
        if (bits == 32) put(static_cast<uint32_t>(random() % 8));
        if (bits == 64) put(static_cast<uint64_t>(random() % 8));
    }
  }
  return out;
}

std::string TypeText(int32_t type) {
  const char* name = BriefTypeName(type);
  return name != nullptr ? name : fmt::format("type {}", type);
}

std::string ShapeText(const std::vector<int64_t>& dims) {
  return dims.empty() ? "scalar" : fmt::format("{}", fmt::join(dims, "x"));
}

std::string InfoText(const graph_value_info& info) {
  std::string dims;
  for (int32_t i = 0; i < info.rank; ++i) {
    const char* symbol = info.symbols[i];
    dims += (i > 0 ? "," : "") + (info.dims[i] >= 0                   ? std::to_string(info.dims[i])
                                  : symbol != nullptr && *symbol != 0 ? symbol
                                                                      : "?");
  }
  std::string text = TypeText(info.type) + "[" + (info.rank < 0 ? "..." : dims) + "]";
  if (info.kind == GRAPH_SPARSE_TENSOR) text = "sparse " + text;
  if (info.key_type != 0) text = "map(" + TypeText(info.key_type) + "," + text + ")";
  if (info.kind == GRAPH_SEQUENCE) text = "sequence(" + text + ")";
  if (info.kind == GRAPH_OPTIONAL) text = "optional(" + text + ")";
  return text;
}

uint64_t BytesOf(int32_t type, const std::vector<int64_t>& dims) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return 0;
  uint64_t count = 1;
  for (int64_t d : dims)
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(d), &count)) return UINT64_MAX;
  // A made string is a pair and a letter.
  if (type == GRAPH_STRING) return count > UINT64_MAX / 17 ? UINT64_MAX : count * 17;
  return TensorBytes(type, count);
}

uint64_t ElementCount(const HostData& data) {
  uint64_t n = 1;
  for (int64_t d : data.dims) n *= static_cast<uint64_t>(d);
  return n;
}

std::string ElementText(const HostData& d, uint64_t i) {
  if (IsFloat(d.type)) return fmt::format("{:.8g}", FloatAt(d, i));
  switch (d.type) {
    case GRAPH_STRING:
      return "\"" + StringAt(d, i) + "\"";
    case GRAPH_INT64:
      return std::to_string(Load<int64_t>(d, i));
    case GRAPH_UINT64:
      return std::to_string(Load<uint64_t>(d, i));
    case GRAPH_INT32:
      return std::to_string(Load<int32_t>(d, i));
    case GRAPH_UINT32:
      return std::to_string(Load<uint32_t>(d, i));
    case GRAPH_INT16:
      return std::to_string(Load<int16_t>(d, i));
    case GRAPH_UINT16:
      return std::to_string(Load<uint16_t>(d, i));
    case GRAPH_INT8:
      return std::to_string(Load<int8_t>(d, i));
    case GRAPH_BOOL:
      return d.bytes[i] != 0 ? "true" : "false";
    default:
      break;
  }
  const int bits = ElementBits(d.type);
  if (bits >= 8) return std::to_string(d.bytes[i]);
  return fmt::format("{:#x}", PackedAt(d.bytes.data(), i, bits));
}

std::string Compare(const HostData& got, const HostData& want, double rtol, double atol) {
  if (got.kind != want.kind) return fmt::format("is of kind {}, not {}", got.kind, want.kind);
  if (got.kind == GRAPH_MAP) return CompareMaps(got, want, rtol, atol);
  if (got.kind == GRAPH_SPARSE_TENSOR && got.dims != want.dims)
    return fmt::format("has shape {}, not {}", ShapeText(got.dims), ShapeText(want.dims));
  if (got.kind != GRAPH_TENSOR) {
    if (got.items.size() != want.items.size())
      return fmt::format("has {} items, not {}", got.items.size(), want.items.size());
    for (size_t i = 0; i < got.items.size(); ++i)
      if (std::string text = Compare(got.items[i], want.items[i], rtol, atol); !text.empty())
        return fmt::format("item {} {}", i, text);
    return "";
  }
  if (got.type != want.type)
    return fmt::format("has type {}, not {}", TypeText(got.type), TypeText(want.type));
  if (got.dims != want.dims)
    return fmt::format("has shape {}, not {}", ShapeText(got.dims), ShapeText(want.dims));
  const uint64_t count = ElementCount(got);
  auto differs = [&](uint64_t i) {
    return fmt::format("{} is {}, not {}", Coordinates(got.dims, i), ElementText(got, i),
                       ElementText(want, i));
  };
  if (got.type == GRAPH_STRING) {
    for (uint64_t i = 0; i < count; ++i)
      if (StringAt(got, i) != StringAt(want, i)) return differs(i);
    return "";
  }
  if (!IsFloat(got.type)) {
    if (got.bytes == want.bytes) return "";
    for (uint64_t i = 0; i < count; ++i)
      if (ElementText(got, i) != ElementText(want, i)) return differs(i);
    return "";  // only unused bits of the last byte differ
  }
  const bool complex = got.type == GRAPH_COMPLEX64 || got.type == GRAPH_COMPLEX128;
  for (uint64_t i = 0; i < (complex ? 2 * count : count); ++i) {
    const double a = FloatAt(got, i), b = FloatAt(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (std::isnan(a) || std::isnan(b) || std::isinf(a) || std::isinf(b) ||
        std::abs(a - b) > atol + rtol * std::abs(b))
      return fmt::format("{} is {:.8g}, not {:.8g}", Coordinates(got.dims, complex ? i / 2 : i), a, b);
  }
  return "";
}

}  // namespace braid::cli
