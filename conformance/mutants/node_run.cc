// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/node_run.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace braid::mutants {
namespace {

using reference::DispatchIn;
using reference::kFloats;
using reference::kInts;
using reference::kNumeric;

template <class T>
double AsDouble(const T& v) {
  return static_cast<double>(v);
}

template <class T>
T FromDouble(double v) {
  if constexpr (std::is_integral_v<T>) {
    if (std::isnan(v)) return 0;
    if (v <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (v >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(v);
  } else {
    return static_cast<T>(v);
  }
}

// Into a tensor of those dims: what lies in both where the ranks agree, else the first elements.
Tensor Fitted(const Tensor& t, const Dims& dims) {
  Tensor out(t.type(), dims);
  Zero(out, 0, out.size());
  if (t.rank() != out.rank()) {
    for (int64_t i = 0; i < std::min(t.size(), out.size()); ++i) CopyElement(t, i, out, i);
    return out;
  }
  const Dims from = reference::StridesOf(t.dims()), to = reference::StridesOf(dims);
  for (int64_t i = 0; i < t.size(); ++i) {
    int64_t rest = i, at = 0;
    bool inside = true;
    for (size_t d = 0; d < dims.size(); ++d) {
      const int64_t k = from[d] == 0 ? 0 : rest / from[d];
      rest -= k * from[d];
      at += k * to[d];
      inside &= k < dims[d];
    }
    if (inside) CopyElement(t, i, out, at);
  }
  return out;
}

}  // namespace

NodeRun::NodeRun(const reference::OpEntry& op, reference::OpContext& context) : op_(op), context_(context) {
  for (size_t i = 0; i < context.input_count(); ++i)
    inputs_.push_back(context.has(i) ? context.input(i) : Tensor());
  const kit::Node& node = context.node();
  for (uint32_t a = 0; a < node.raw().attrs.count; ++a) {
    const braid_graph* g = node.graph();
    const auto* attr = BRAID_AT(braid_attr, g->attrs, g->attr_stride, node.raw().attrs.first + a);
    attribute_tensors_.push_back(context.TensorAttr({g->chars + attr->name.first, attr->name.count}));
  }
  outputs_.resize(node.output_count());
}

Tensor& NodeRun::OwnInput(size_t i) {
  inputs_[i] = Copied(inputs_[i]);
  return inputs_[i];
}

std::vector<Tensor> NodeRun::Compute(std::vector<Tensor> inputs) const {
  reference::OpContext own(context_.node(), std::move(inputs), attribute_tensors_, context_.parallel());
  op_.run(own);
  std::vector<Tensor> out;
  for (const Tensor& t : own.outputs()) out.push_back(t.present() ? Copied(t) : Tensor());
  return out;
}

void NodeRun::Compute() { outputs_ = Compute(inputs_); }

std::optional<kit::Node> NodeRun::Producer(uint32_t i) const {
  const kit::Graph graph(node().graph());
  if (!node().has_input(i)) return std::nullopt;
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    for (uint32_t o = 0; o < graph.node(n).output_count(); ++o)
      if (graph.node(n).output(o) == node().input(i)) return graph.node(n);
  return std::nullopt;
}

bool NodeRun::IsMadeBy(uint32_t i, std::string_view op) const {
  const auto producer = Producer(i);
  return producer.has_value() && producer->op() == op;
}

std::optional<kit::Node> NodeRun::Consumer() const {
  const kit::Graph graph(node().graph());
  std::optional<kit::Node> found;
  if (!node().has_output(0) || node().output_value(0).is_output()) return std::nullopt;
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    for (uint32_t i = 0; i < graph.node(n).input_count(); ++i)
      if (graph.node(n).input(i) == node().output(0)) {
        if (found.has_value()) return std::nullopt;
        found = graph.node(n);
      }
  return found;
}

void NodeRun::Finish() {
  for (uint32_t i = 0; i < outputs_.size(); ++i) {
    if (!node().has_output(i) || !outputs_[i].present()) continue;
    Tensor t = std::move(outputs_[i]);
    const kit::Value value = node().output_value(i);
    if (t.type() != value.type() && reference::HeldBytes(t.type()) == reference::HeldBytes(value.type()))
      t = Relabelled(t, value.type());
    if (value.is_static() && t.dims() != value.dims()) t = Fitted(t, value.dims());
    context_.SetOutput(i, std::move(t));
  }
}

Tensor Copied(const Tensor& t) {
  Tensor out(t.type(), t.dims());
  if (t.type() == reference::kString) {
    std::copy_n(t.data<std::string>(), t.size(), out.data<std::string>());
  } else if (t.bytes() > 0) {
    std::memcpy(out.raw(), t.raw(), t.bytes());
  }
  return out;
}

bool IsFloat(const Tensor& t) { return reference::Contains(kFloats, t.type()); }
bool IsInteger(const Tensor& t) { return reference::Contains(kInts, t.type()); }

void MapFloats(Tensor& t, const std::function<double(double)>& f) {
  MapFloatsAt(t, [&](int64_t, double v) { return f(v); });
}

void MapFloatsAt(Tensor& t, const std::function<double(int64_t, double)>& f) {
  DispatchIn<kFloats>(t.type(), [&]<class T>() {
    for (int64_t i = 0; i < t.size(); ++i) t.data<T>()[i] = FromDouble<T>(f(i, AsDouble(t.data<T>()[i])));
  });
}

void MapIntegers(Tensor& t, const std::function<int64_t(int64_t)>& f) {
  DispatchIn<kInts>(t.type(), [&]<class T>() {
    for (int64_t i = 0; i < t.size(); ++i)
      t.data<T>()[i] = static_cast<T>(f(static_cast<int64_t>(t.data<T>()[i])));
  });
}

double FloatAt(const Tensor& t, int64_t i) { return t.AsDouble(i); }

void SetFloat(Tensor& t, int64_t i, double value) {
  DispatchIn<kNumeric>(t.type(), [&]<class T>() { t.data<T>()[i] = FromDouble<T>(value); });
}

void Zero(Tensor& t, int64_t from, int64_t to) {
  from = std::max<int64_t>(from, 0);
  to = std::min(to, t.size());
  if (from >= to) return;
  if (t.type() == reference::kString) {
    std::fill(t.data<std::string>() + from, t.data<std::string>() + to, std::string());
    return;
  }
  const auto size = static_cast<int64_t>(reference::HeldBytes(t.type()));
  std::memset(static_cast<char*>(t.raw()) + from * size, 0, static_cast<size_t>((to - from) * size));
}

void CopyElement(const Tensor& from, int64_t i, Tensor& to, int64_t k) {
  if (from.type() == reference::kString) {
    to.data<std::string>()[k] = from.data<std::string>()[i];
    return;
  }
  const auto size = static_cast<int64_t>(reference::HeldBytes(from.type()));
  std::memcpy(static_cast<char*>(to.raw()) + k * size, static_cast<const char*>(from.raw()) + i * size,
              static_cast<size_t>(size));
}

Tensor Sliced(const Tensor& t, int64_t axis, int64_t begin, int64_t end) {
  Dims dims = t.dims();
  const int64_t extent = dims[static_cast<size_t>(axis)];
  dims[static_cast<size_t>(axis)] = end - begin;
  Tensor out(t.type(), dims);
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < t.rank(); ++d) inner *= t.dim(d);
  const int64_t outer = extent * inner == 0 ? 0 : t.size() / (extent * inner);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k = begin; k < end; ++k)
      for (int64_t i = 0; i < inner; ++i)
        CopyElement(t, (o * extent + k) * inner + i, out, (o * (end - begin) + k - begin) * inner + i);
  return out;
}

Tensor Relabelled(const Tensor& t, int32_t type) {
  Tensor out(type, t.dims());
  if (t.bytes() > 0) std::memcpy(out.raw(), t.raw(), t.bytes());
  return out;
}

Tensor Converted(const Tensor& t, int32_t type) {
  Tensor out(type, t.dims());
  DispatchIn<kNumeric>(t.type(), [&]<class From>() {
    DispatchIn<kNumeric>(type, [&]<class To>() {
      for (int64_t i = 0; i < t.size(); ++i) {
        const From v = t.data<From>()[i];
        if constexpr (std::is_integral_v<From> && std::is_integral_v<To>)
          out.data<To>()[i] = static_cast<To>(v);
        else
          out.data<To>()[i] = FromDouble<To>(AsDouble(v));
      }
    });
  });
  return out;
}

double ToHalf(double v) { return static_cast<double>(static_cast<float>(reference::Float16(v))); }
double ToBrain(double v) { return static_cast<double>(static_cast<float>(reference::BFloat16(v))); }
double ToTf32(double v) {
  const float f = static_cast<float>(v);
  if (!std::isfinite(f)) return v;
  const auto bits = std::bit_cast<uint32_t>(f);
  return static_cast<double>(std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & ~0x1fffu));
}

}  // namespace braid::mutants
