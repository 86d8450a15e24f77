// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/shape_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace braid::loader {
namespace {

using Dims = std::vector<int64_t>;
constexpr int64_t kMaxElements = kSmallTensorBytes;  // of any type; the result's bytes are checked at the end

// A small tensor: integers and booleans exactly, FLOAT as double rounded after each operation.
struct Small {
  int type = 0;
  Dims dims;
  std::vector<int64_t> i;
  std::vector<double> f;
  bool real() const { return type == pb::TensorProto::FLOAT || type == pb::TensorProto::DOUBLE; }
  size_t size() const { return real() ? f.size() : i.size(); }
};

int64_t Count(const Dims& dims) {
  int64_t n = 1;
  for (const int64_t d : dims) {
    if (d < 0 || d > kMaxElements) return -1;
    n *= d;
    if (n > kMaxElements) return -1;
  }
  return n;
}

template <typename T, typename Out>
bool ReadRaw(const std::string& raw, std::vector<Out>* out) {
  out->clear();
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T v;
    std::memcpy(&v, raw.data() + at, sizeof(T));
    out->push_back(static_cast<Out>(v));
  }
  return true;
}

std::optional<Small> Read(const pb::TensorProto& t) {
  Small s;
  s.type = t.data_type();
  s.dims.assign(t.dims().begin(), t.dims().end());
  const bool raw = t.has_raw_data();
  switch (t.data_type()) {
    case pb::TensorProto::INT64:
      raw ? ReadRaw<int64_t>(t.raw_data(), &s.i)
          : (s.i.assign(t.int64_data().begin(), t.int64_data().end()), true);
      break;
    case pb::TensorProto::INT32:
      raw ? ReadRaw<int32_t>(t.raw_data(), &s.i)
          : (s.i.assign(t.int32_data().begin(), t.int32_data().end()), true);
      break;
    case pb::TensorProto::BOOL:
      raw ? ReadRaw<uint8_t>(t.raw_data(), &s.i)
          : (s.i.assign(t.int32_data().begin(), t.int32_data().end()), true);
      break;
    case pb::TensorProto::FLOAT:
      raw ? ReadRaw<float>(t.raw_data(), &s.f)
          : (s.f.assign(t.float_data().begin(), t.float_data().end()), true);
      break;
    case pb::TensorProto::DOUBLE:
      raw ? ReadRaw<double>(t.raw_data(), &s.f)
          : (s.f.assign(t.double_data().begin(), t.double_data().end()), true);
      break;
    default:
      return std::nullopt;
  }
  if (static_cast<int64_t>(s.size()) != Count(s.dims)) return std::nullopt;
  return s;
}

template <typename T, typename In>
void WriteRaw(const std::vector<In>& in, std::string* raw) {
  for (const In v : in) {
    const T narrow = static_cast<T>(v);
    raw->append(reinterpret_cast<const char*>(&narrow), sizeof(T));
  }
}

bool Write(const Small& s, pb::TensorProto* t) {
  if (static_cast<int64_t>(s.size()) != Count(s.dims)) return false;
  t->Clear();
  t->set_data_type(s.type);
  for (const int64_t d : s.dims) t->add_dims(d);
  std::string* raw = t->mutable_raw_data();
  switch (s.type) {
    case pb::TensorProto::INT64:
      WriteRaw<int64_t>(s.i, raw);
      break;
    case pb::TensorProto::INT32:
      WriteRaw<int32_t>(s.i, raw);
      break;
    case pb::TensorProto::BOOL:
      WriteRaw<uint8_t>(s.i, raw);
      break;
    case pb::TensorProto::FLOAT:
      WriteRaw<float>(s.f, raw);
      break;
    case pb::TensorProto::DOUBLE:
      WriteRaw<double>(s.f, raw);
      break;
    default:
      return false;
  }
  return raw->size() <= kSmallTensorBytes;
}

struct Call {
  const ScopeNode& node;
  std::vector<std::optional<Small>> in;
  absl::Span<const pb::TypeProto* const> types;
  std::vector<Small> out;

  const Small* Input(size_t k) const { return k < in.size() && in[k] ? &*in[k] : nullptr; }
  bool Absent(size_t k) const { return k >= node.inputs.size() || node.inputs[k] == kNone; }
  int64_t Int(const char* name, int64_t otherwise) const {
    const pb::AttributeProto* a = node.attribute(name);
    return a != nullptr ? a->i() : otherwise;
  }
};

// The value in the element's own precision; false where an integer does not fit.
bool Settle(Small* s) {
  if (s->type == pb::TensorProto::FLOAT) {
    for (double& v : s->f) v = static_cast<double>(static_cast<float>(v));
  }
  if (s->type == pb::TensorProto::INT32) {
    for (const int64_t v : s->i) {
      if (v != static_cast<int32_t>(v)) return false;
    }
  }
  return true;
}

bool NormalAxis(int64_t axis, size_t rank, size_t* out) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return false;
  *out = static_cast<size_t>(axis < 0 ? axis + r : axis);
  return true;
}

std::optional<Dims> Broadcast(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t k = 0; k < out.size(); ++k) {
    const int64_t x = k < a.size() ? a[a.size() - 1 - k] : 1, y = k < b.size() ? b[b.size() - 1 - k] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    out[out.size() - 1 - k] = x == 1 ? y : x;
  }
  return Count(out) < 0 ? std::nullopt : std::optional<Dims>(out);
}

// Index into a tensor of dims `from` of the element that stands at linear index `at` of `to` when broadcast.
size_t BroadcastIndex(const Dims& from, const Dims& to, int64_t at) {
  int64_t index = 0, stride = 1;
  for (size_t k = 0; k < to.size(); ++k) {
    const int64_t extent = to[to.size() - 1 - k];
    const int64_t here = extent == 0 ? 0 : at % extent;
    at = extent == 0 ? 0 : at / extent;
    if (k < from.size()) {
      const int64_t own = from[from.size() - 1 - k];
      if (own != 1) index += here * stride;
      stride *= own;
    }
  }
  return static_cast<size_t>(index);
}

void Copy(const Small& from, size_t at, Small* to) {
  if (from.real()) {
    to->f.push_back(from.f[at]);
  } else {
    to->i.push_back(from.i[at]);
  }
}

// ---- Element by element ----

using IntOp = bool (*)(int64_t, int64_t, int64_t*);
using RealOp = double (*)(double, double);
struct BinaryOp {
  IntOp integer;
  RealOp real;
  bool boolean;  // the result is BOOL
};

bool SafeDiv(int64_t a, int64_t b, int64_t* out) {
  if (b == 0 || (a == std::numeric_limits<int64_t>::min() && b == -1)) return false;
  *out = a / b;
  return true;
}
bool SafeMod(int64_t a, int64_t b, int64_t* out) {
  if (b == 0 || b == -1) return false;
  *out = a % b;
  if (*out != 0 && (*out < 0) != (b < 0)) *out += b;
  return true;
}
bool SafePow(int64_t a, int64_t b, int64_t* out) {
  if (b < 0 || b > 64) return false;
  *out = 1;
  for (int64_t k = 0; k < b; ++k) {
    if (__builtin_mul_overflow(*out, a, out)) return false;
  }
  return true;
}

const std::unordered_map<std::string, BinaryOp>& Binaries() {
  using I = int64_t;
  static const auto& table = *new std::unordered_map<std::string, BinaryOp>{
      {"Add",
       {[](I a, I b, I* o) { return !__builtin_add_overflow(a, b, o); },
        [](double a, double b) { return a + b; }, false}},
      {"Sub",
       {[](I a, I b, I* o) { return !__builtin_sub_overflow(a, b, o); },
        [](double a, double b) { return a - b; }, false}},
      {"Mul",
       {[](I a, I b, I* o) { return !__builtin_mul_overflow(a, b, o); },
        [](double a, double b) { return a * b; }, false}},
      {"Div", {SafeDiv, [](double a, double b) { return a / b; }, false}},
      {"Mod", {SafeMod, nullptr, false}},
      {"Pow", {SafePow, nullptr, false}},
      {"Min",
       {[](I a, I b, I* o) { return *o = std::min(a, b), true; },
        [](double a, double b) { return std::min(a, b); }, false}},
      {"Max",
       {[](I a, I b, I* o) { return *o = std::max(a, b), true; },
        [](double a, double b) { return std::max(a, b); }, false}},
      {"Equal",
       {[](I a, I b, I* o) { return *o = a == b, true; }, [](double a, double b) { return double(a == b); },
        true}},
      {"Less",
       {[](I a, I b, I* o) { return *o = a < b, true; }, [](double a, double b) { return double(a < b); },
        true}},
      {"LessOrEqual",
       {[](I a, I b, I* o) { return *o = a <= b, true; }, [](double a, double b) { return double(a <= b); },
        true}},
      {"Greater",
       {[](I a, I b, I* o) { return *o = a > b, true; }, [](double a, double b) { return double(a > b); },
        true}},
      {"GreaterOrEqual",
       {[](I a, I b, I* o) { return *o = a >= b, true; }, [](double a, double b) { return double(a >= b); },
        true}},
      {"And", {[](I a, I b, I* o) { return *o = a && b, true; }, nullptr, true}},
      {"Or", {[](I a, I b, I* o) { return *o = a || b, true; }, nullptr, true}},
      {"Xor", {[](I a, I b, I* o) { return *o = (a != 0) != (b != 0), true; }, nullptr, true}},
  };
  return table;
}

bool Pairwise(const BinaryOp& op, const Small& a, const Small& b, Small* out) {
  if (a.type != b.type || (a.real() && op.real == nullptr)) return false;
  const auto dims = Broadcast(a.dims, b.dims);
  if (!dims) return false;
  out->type = op.boolean ? static_cast<int>(pb::TensorProto::BOOL) : a.type;
  out->dims = *dims;
  for (int64_t k = 0, n = Count(*dims); k < n; ++k) {
    const size_t x = BroadcastIndex(a.dims, *dims, k), y = BroadcastIndex(b.dims, *dims, k);
    if (a.real()) {
      const double v = op.real(a.f[x], b.f[y]);
      if (op.boolean) {
        out->i.push_back(v != 0);
      } else {
        out->f.push_back(v);
      }
    } else {
      int64_t v = 0;
      if (!op.integer(a.i[x], b.i[y], &v)) return false;
      out->i.push_back(v);
    }
  }
  return Settle(out);
}

bool Binary(Call* c) {
  const BinaryOp& op = Binaries().at(c->node.proto.op_type());
  if (c->in.empty() || !c->Input(0)) return false;
  if (c->node.proto.op_type() == "Mod" && c->Int("fmod", 0) != 0) return false;
  Small sum = *c->Input(0);
  for (size_t k = 1; k < c->in.size(); ++k) {
    if (!c->Input(k)) return false;
    Small next;
    if (!Pairwise(op, sum, *c->Input(k), &next)) return false;
    sum = std::move(next);
  }
  c->out.push_back(std::move(sum));
  return true;
}

bool Unary(Call* c) {
  const Small* x = c->Input(0);
  if (!x) return false;
  Small y = *x;
  const std::string& op = c->node.proto.op_type();
  for (double& v : y.f) {
    v = op == "Neg"     ? -v
        : op == "Abs"   ? std::fabs(v)
        : op == "Floor" ? std::floor(v)
        : op == "Ceil"  ? std::ceil(v)
        : op == "Round" ? std::nearbyint(v)
        : op == "Sqrt"  ? std::sqrt(v)
        : op == "Relu"  ? std::max(v, 0.0)
                        : v;
  }
  for (int64_t& v : y.i) {
    if ((op == "Neg" || op == "Abs") && v == std::numeric_limits<int64_t>::min()) return false;
    v = op == "Neg"    ? -v
        : op == "Abs"  ? std::abs(v)
        : op == "Not"  ? !v
        : op == "Relu" ? std::max<int64_t>(v, 0)
                       : v;
  }
  c->out.push_back(std::move(y));
  return Settle(&c->out.back());
}

bool Cast(Call* c) {
  const Small* x = c->Input(0);
  if (!x) return false;
  Small y;
  y.type = static_cast<int>(c->Int("to", 0));
  y.dims = x->dims;
  for (size_t k = 0; k < x->size(); ++k) {
    const double d = x->real() ? x->f[k] : static_cast<double>(x->i[k]);
    if (y.real()) {
      y.f.push_back(d);
    } else if (y.type == pb::TensorProto::BOOL) {
      y.i.push_back(d != 0);
    } else if (x->real()) {
      if (!(std::fabs(d) < 9.0e18)) return false;
      y.i.push_back(static_cast<int64_t>(d));
    } else {
      y.i.push_back(x->i[k]);
    }
  }
  c->out.push_back(std::move(y));
  return Settle(&c->out.back());
}

bool Where(Call* c) {
  const Small *mask = c->Input(0), *a = c->Input(1), *b = c->Input(2);
  if (!mask || !a || !b || a->type != b->type || mask->real()) return false;
  const auto pair = Broadcast(a->dims, b->dims);
  const auto dims = pair ? Broadcast(*pair, mask->dims) : std::nullopt;
  if (!dims) return false;
  Small y{.type = a->type, .dims = *dims, .i = {}, .f = {}};
  for (int64_t k = 0, n = Count(*dims); k < n; ++k) {
    const Small& from = mask->i[BroadcastIndex(mask->dims, *dims, k)] ? *a : *b;
    Copy(from, BroadcastIndex(from.dims, *dims, k), &y);
  }
  c->out.push_back(std::move(y));
  return true;
}

// ---- Shapes and movement ----

bool Shape(Call* c) {
  if (c->types.empty() || c->types[0] == nullptr || !c->types[0]->has_tensor_type()) return false;
  const auto& tensor = c->types[0]->tensor_type();
  if (!tensor.has_shape()) return false;
  const int64_t rank = tensor.shape().dim_size();
  const auto clamp = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t start = clamp(c->Int("start", 0)), end = clamp(c->Int("end", rank));
  Small y{.type = pb::TensorProto::INT64, .dims = {std::max<int64_t>(end - start, 0)}, .i = {}, .f = {}};
  for (int64_t d = start; d < end; ++d) {
    if (!tensor.shape().dim(static_cast<int>(d)).has_dim_value()) return false;
    y.i.push_back(tensor.shape().dim(static_cast<int>(d)).dim_value());
  }
  c->out.push_back(std::move(y));
  return true;
}

bool Size(Call* c) {
  if (c->types.empty() || c->types[0] == nullptr || !c->types[0]->has_tensor_type()) return false;
  const auto& tensor = c->types[0]->tensor_type();
  if (!tensor.has_shape()) return false;
  int64_t n = 1;
  for (const auto& d : tensor.shape().dim()) {
    if (!d.has_dim_value() || __builtin_mul_overflow(n, d.dim_value(), &n)) return false;
  }
  c->out.push_back({.type = pb::TensorProto::INT64, .dims = {}, .i = {n}, .f = {}});
  return true;
}

bool Identity(Call* c) {
  if (!c->Input(0)) return false;
  c->out.push_back(*c->Input(0));
  return true;
}

bool Gather(Call* c) {
  const Small *x = c->Input(0), *index = c->Input(1);
  size_t axis = 0;
  if (!x || !index || index->real() || !NormalAxis(c->Int("axis", 0), x->dims.size(), &axis)) return false;
  Small y{.type = x->type, .dims = {}, .i = {}, .f = {}};
  y.dims.assign(x->dims.begin(), x->dims.begin() + static_cast<ptrdiff_t>(axis));
  y.dims.insert(y.dims.end(), index->dims.begin(), index->dims.end());
  y.dims.insert(y.dims.end(), x->dims.begin() + static_cast<ptrdiff_t>(axis) + 1, x->dims.end());
  if (Count(y.dims) < 0) return false;
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < axis; ++d) outer *= x->dims[d];
  for (size_t d = axis + 1; d < x->dims.size(); ++d) inner *= x->dims[d];
  const int64_t extent = x->dims[axis];
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t at : index->i) {
      if (at < 0) at += extent;
      if (at < 0 || at >= extent) return false;
      for (int64_t k = 0; k < inner; ++k) Copy(*x, static_cast<size_t>((o * extent + at) * inner + k), &y);
    }
  }
  c->out.push_back(std::move(y));
  return true;
}

bool Slice(Call* c) {
  const Small *x = c->Input(0), *starts = c->Input(1), *ends = c->Input(2);
  if (!x || !starts || !ends || starts->real() || ends->real() || starts->size() != ends->size())
    return false;
  if ((!c->Absent(3) && !c->Input(3)) || (!c->Absent(4) && !c->Input(4))) return false;
  const size_t rank = x->dims.size();
  Dims start(rank, 0), step(rank, 1), out = x->dims;
  for (size_t k = 0; k < starts->size(); ++k) {
    size_t axis = 0;
    const int64_t wanted =
        c->Input(3) ? (k < c->Input(3)->i.size() ? c->Input(3)->i[k] : -99) : static_cast<int64_t>(k);
    if (!NormalAxis(wanted, rank, &axis)) return false;
    const int64_t by = c->Input(4) ? (k < c->Input(4)->i.size() ? c->Input(4)->i[k] : 0) : 1;
    if (by == 0 || by < -kMaxElements) return false;
    const int64_t extent = x->dims[axis];
    const auto from_end = [&](int64_t v) { return v < 0 ? (v < -extent ? -1 - extent : v) + extent : v; };
    int64_t s = from_end(starts->i[k]), e = from_end(ends->i[k]);
    if (by > 0) {
      s = std::clamp<int64_t>(s, 0, extent);
      e = std::clamp<int64_t>(e, 0, extent);
      out[axis] = std::max<int64_t>(0, (e - s) / by + ((e - s) % by > 0 ? 1 : 0));
    } else {
      s = std::clamp<int64_t>(s, -1, extent - 1);
      e = std::clamp<int64_t>(e, -1, extent - 1);
      out[axis] = std::max<int64_t>(0, (s - e) / -by + ((s - e) % -by > 0 ? 1 : 0));
    }
    start[axis] = s;
    step[axis] = by;
  }
  Small y{.type = x->type, .dims = out, .i = {}, .f = {}};
  for (int64_t k = 0, n = Count(out); k < n; ++k) {
    int64_t rest = k, at = 0, stride = 1;
    for (size_t d = rank; d-- > 0;) {
      at += (start[d] + rest % out[d] * step[d]) * stride;
      rest /= out[d];
      stride *= x->dims[d];
    }
    Copy(*x, static_cast<size_t>(at), &y);
  }
  c->out.push_back(std::move(y));
  return true;
}

bool Concat(Call* c) {
  if (c->in.empty() || !c->Input(0)) return false;
  size_t axis = 0;
  if (!NormalAxis(c->Int("axis", 0), c->Input(0)->dims.size(), &axis)) return false;
  Small y{.type = c->Input(0)->type, .dims = c->Input(0)->dims, .i = {}, .f = {}};
  y.dims[axis] = 0;
  for (size_t k = 0; k < c->in.size(); ++k) {
    const Small* x = c->Input(k);
    if (!x || x->type != y.type || x->dims.size() != y.dims.size()) return false;
    for (size_t d = 0; d < y.dims.size(); ++d) {
      if (d != axis && x->dims[d] != y.dims[d]) return false;
    }
    y.dims[axis] += x->dims[axis];
  }
  if (Count(y.dims) < 0) return false;
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= y.dims[d];
  for (int64_t o = 0; o < outer; ++o) {
    for (size_t k = 0; k < c->in.size(); ++k) {
      const auto block = static_cast<int64_t>(c->Input(k)->size()) / outer;
      for (int64_t b = 0; b < block; ++b) Copy(*c->Input(k), static_cast<size_t>(o * block + b), &y);
    }
  }
  c->out.push_back(std::move(y));
  return true;
}

bool Reshaped(Call* c, Dims dims) {
  Small y = *c->Input(0);
  y.dims = std::move(dims);
  c->out.push_back(std::move(y));
  return true;
}

bool Unsqueeze(Call* c) {
  const Small *x = c->Input(0), *axes = c->Input(1);
  if (!x || !axes) return false;
  const size_t rank = x->dims.size() + axes->i.size();
  std::vector<bool> added(rank, false);
  for (const int64_t a : axes->i) {
    size_t axis = 0;
    if (!NormalAxis(a, rank, &axis) || added[axis]) return false;
    added[axis] = true;
  }
  Dims dims;
  size_t next = 0;
  for (size_t d = 0; d < rank; ++d) dims.push_back(added[d] ? 1 : x->dims[next++]);
  return Reshaped(c, std::move(dims));
}

bool Squeeze(Call* c) {
  const Small* x = c->Input(0);
  if (!x || (!c->Absent(1) && !c->Input(1))) return false;
  std::vector<bool> gone(x->dims.size(), false);
  for (size_t d = 0; d < x->dims.size() && c->Absent(1); ++d) gone[d] = x->dims[d] == 1;
  if (c->Input(1)) {
    for (const int64_t a : c->Input(1)->i) {
      size_t axis = 0;
      if (!NormalAxis(a, x->dims.size(), &axis) || x->dims[axis] != 1) return false;
      gone[axis] = true;
    }
  }
  Dims dims;
  for (size_t d = 0; d < x->dims.size(); ++d) {
    if (!gone[d]) dims.push_back(x->dims[d]);
  }
  return Reshaped(c, std::move(dims));
}

bool Reshape(Call* c) {
  const Small *x = c->Input(0), *shape = c->Input(1);
  if (!x || !shape || shape->real()) return false;
  Dims dims = shape->i;
  int64_t product = 1, open = -1;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 0 && c->Int("allowzero", 0) == 0) {
      if (d >= x->dims.size()) return false;
      dims[d] = x->dims[d];
    }
    if (dims[d] == -1) {
      if (open >= 0) return false;
      open = static_cast<int64_t>(d);
    } else if (dims[d] < 0 || dims[d] > kMaxElements || (product *= dims[d]) > kMaxElements) {
      return false;
    }
  }
  const auto n = static_cast<int64_t>(x->size());
  if (open >= 0) {
    if (product == 0 || n % product != 0) return false;
    dims[static_cast<size_t>(open)] = n / product;
  }
  return Count(dims) == n && Reshaped(c, std::move(dims));
}

bool Transpose(Call* c) {
  const Small* x = c->Input(0);
  if (!x) return false;
  const size_t rank = x->dims.size();
  std::vector<size_t> perm(rank);
  std::vector<bool> seen(rank, false);
  const pb::AttributeProto* a = c->node.attribute("perm");
  if (a != nullptr && static_cast<size_t>(a->ints_size()) != rank) return false;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t from = a != nullptr ? a->ints(static_cast<int>(d)) : static_cast<int64_t>(rank - 1 - d);
    if (from < 0 || from >= static_cast<int64_t>(rank) || seen[static_cast<size_t>(from)]) return false;
    perm[d] = static_cast<size_t>(from);
    seen[perm[d]] = true;
  }
  Small y{.type = x->type, .dims = Dims(rank), .i = {}, .f = {}};
  Dims stride(rank, 1);
  for (size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * x->dims[d];
  for (size_t d = 0; d < rank; ++d) y.dims[d] = x->dims[perm[d]];
  for (int64_t k = 0, n = Count(y.dims); k < n; ++k) {
    int64_t rest = k, at = 0;
    for (size_t d = rank; d-- > 0;) {
      at += rest % y.dims[d] * stride[perm[d]];
      rest /= y.dims[d];
    }
    Copy(*x, static_cast<size_t>(at), &y);
  }
  c->out.push_back(std::move(y));
  return true;
}

bool Range(Call* c) {
  const Small *start = c->Input(0), *limit = c->Input(1), *delta = c->Input(2);
  if (!start || !limit || !delta || start->real() || limit->real() || delta->real()) return false;
  if (start->size() != 1 || limit->size() != 1 || delta->size() != 1 || delta->i[0] == 0) return false;
  const __int128 span = static_cast<__int128>(limit->i[0]) - start->i[0], by = delta->i[0];
  const __int128 steps = (span / by) + (span % by != 0 && (span < 0) == (by < 0) ? 1 : 0);
  if (steps > kMaxElements) return false;
  Small y{.type = start->type, .dims = {std::max<int64_t>(0, static_cast<int64_t>(steps))}, .i = {}, .f = {}};
  for (int64_t k = 0; k < y.dims[0]; ++k)
    y.i.push_back(static_cast<int64_t>(start->i[0] + static_cast<__int128>(k) * delta->i[0]));
  c->out.push_back(std::move(y));
  return true;
}

bool ConstantOfShape(Call* c) {
  const Small* shape = c->Input(0);
  if (!shape || shape->real() || Count(shape->i) < 0) return false;
  Small value{.type = pb::TensorProto::FLOAT, .dims = {1}, .i = {}, .f = {0}};
  if (const pb::AttributeProto* a = c->node.attribute("value"); a != nullptr) {
    const auto read = Read(a->t());
    if (!read || read->size() != 1) return false;
    value = *read;
  }
  Small y{.type = value.type, .dims = shape->i, .i = {}, .f = {}};
  for (int64_t k = 0, n = Count(y.dims); k < n; ++k) Copy(value, 0, &y);
  c->out.push_back(std::move(y));
  return true;
}

bool Expand(Call* c) {
  const Small *x = c->Input(0), *shape = c->Input(1);
  if (!x || !shape || shape->real() || Count(shape->i) < 0) return false;
  const auto dims = Broadcast(x->dims, shape->i);
  if (!dims) return false;
  Small y{.type = x->type, .dims = *dims, .i = {}, .f = {}};
  for (int64_t k = 0, n = Count(*dims); k < n; ++k) Copy(*x, BroadcastIndex(x->dims, *dims, k), &y);
  c->out.push_back(std::move(y));
  return true;
}

bool Split(Call* c) {
  const Small* x = c->Input(0);
  if (!x || x->dims.size() != 1 || (!c->Absent(1) && !c->Input(1))) return false;
  const auto parts = static_cast<int64_t>(c->node.outputs.size());
  Dims lengths;
  if (c->Input(1)) {
    lengths = c->Input(1)->i;
  } else {
    const int64_t chunk = (x->dims[0] + parts - 1) / parts;
    for (int64_t p = 0; p < parts; ++p)
      lengths.push_back(std::clamp<int64_t>(x->dims[0] - p * chunk, 0, chunk));
  }
  int64_t at = 0;
  if (static_cast<int64_t>(lengths.size()) != parts) return false;
  for (const int64_t length : lengths) {
    if (length < 0 || length > x->dims[0] - at) return false;
    Small y{.type = x->type, .dims = {length}, .i = {}, .f = {}};
    for (int64_t k = 0; k < length; ++k) Copy(*x, static_cast<size_t>(at + k), &y);
    at += length;
    c->out.push_back(std::move(y));
  }
  return at == x->dims[0];
}

// Of the whole tensor, or of a list over its only axis.
bool Reduce(Call* c) {
  const Small* x = c->Input(0);
  if (!x || x->dims.size() > 1 || (!c->Absent(1) && !c->Input(1))) return false;
  const std::string& op = c->node.proto.op_type();
  const bool no_axes = c->Absent(1) || c->Input(1)->i.empty();
  if ((no_axes && c->Int("noop_with_empty_axes", 0) != 0) || x->size() == 0) return false;
  Small y{.type = x->type, .dims = {}, .i = {}, .f = {}};
  if (c->Int("keepdims", 1) != 0) y.dims.assign(x->dims.size(), 1);
  const BinaryOp& step = Binaries().at(op == "ReduceProd"  ? "Mul"
                                       : op == "ReduceSum" ? "Add"
                                       : op == "ReduceMax" ? "Max"
                                                           : "Min");
  Copy(*x, 0, &y);
  for (size_t k = 1; k < x->size(); ++k) {
    if (x->real()) {
      y.f[0] = step.real(y.f[0], x->f[k]);
    } else if (!step.integer(y.i[0], x->i[k], &y.i[0])) {
      return false;
    }
  }
  c->out.push_back(std::move(y));
  return Settle(&c->out.back());
}

using Evaluator = bool (*)(Call*);

const std::unordered_map<std::string, Evaluator>& Evaluators() {
  static const auto& table = *[] {
    auto* t = new std::unordered_map<std::string, Evaluator>{
        {"Shape", Shape},
        {"Size", Size},
        {"Identity", Identity},
        {"Gather", Gather},
        {"Slice", Slice},
        {"Concat", Concat},
        {"Unsqueeze", Unsqueeze},
        {"Squeeze", Squeeze},
        {"Reshape", Reshape},
        {"Range", Range},
        {"Transpose", Transpose},
        {"Expand", Expand},
        {"ConstantOfShape", ConstantOfShape},
        {"Split", Split},
        {"Cast", Cast},
        {"Where", Where},
        {"Neg", Unary},
        {"Abs", Unary},
        {"Floor", Unary},
        {"Ceil", Unary},
        {"Round", Unary},
        {"Sqrt", Unary},
        {"Relu", Unary},
        {"Not", Unary},
        {"ReduceProd", Reduce},
        {"ReduceSum", Reduce},
        {"ReduceMax", Reduce},
        {"ReduceMin", Reduce},
    };
    for (const auto& [name, op] : Binaries()) t->emplace(name, Binary);
    return t;
  }();
  return table;
}

}  // namespace

bool IntegersOf(const pb::TensorProto& tensor, std::vector<int64_t>* values) {
  auto small = Read(tensor);
  if (!small || small->real()) return false;
  *values = std::move(small->i);
  return true;
}

bool EvaluateSmall(const ScopeNode& node, absl::Span<const pb::TensorProto* const> inputs,
                   absl::Span<const pb::TypeProto* const> types, std::vector<pb::TensorProto>* outputs) {
  if (!node.proto.domain().empty()) return false;
  auto found = Evaluators().find(node.proto.op_type());
  if (found == Evaluators().end()) return false;
  const bool by_type = found->second == Shape || found->second == Size;
  if (!by_type && (inputs.empty() || inputs[0] == nullptr)) return false;
  Call call{node, {}, types, {}};
  for (const pb::TensorProto* t : inputs) {
    call.in.push_back(t == nullptr || by_type ? std::nullopt : Read(*t));
  }
  if (!found->second(&call)) return false;
  outputs->resize(call.out.size());
  for (size_t o = 0; o < call.out.size(); ++o) {
    if (!Write(call.out[o], &(*outputs)[o])) return false;
  }
  return true;
}

}  // namespace braid::loader
