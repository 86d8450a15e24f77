// SPDX-License-Identifier: Apache-2.0
#include "conformance/oracle/wide.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "conformance/case/random.h"
#include "plugins/reference/ops/compute.h"

namespace braid::conformance {
namespace {

using reference::OpContext;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Format {
  int mantissa, lowest;  // bits after the point, exponent of the smallest normal number
};
Format FormatOf(int32_t type) {
  switch (type) {
    case reference::kFloat16:
      return {10, -14};
    case reference::kBFloat16:
      return {7, -126};
    case reference::kDouble:
      return {52, -1022};
    default:
      return {23, -126};
  }
}

template <class F>
Tensor Mapped(const Tensor& t, F f) {
  Tensor out(reference::kDouble, t.dims());
  for (int64_t i = 0; i < t.size(); ++i) out.data<double>()[i] = f(t.data<double>()[i]);
  return out;
}
template <class F>
Tensor Mapped(const Tensor& a, const Tensor& b, F f) {
  Tensor out(reference::kDouble, a.dims());
  for (int64_t i = 0; i < a.size(); ++i) out.data<double>()[i] = f(a.data<double>()[i], b.data<double>()[i]);
  return out;
}
Tensor Magnitudes(const Tensor& t) {
  return Mapped(t, [](double v) { return std::fabs(v); });
}
Tensor Filled(const Dims& dims, double v) {
  Tensor out(reference::kDouble, dims);
  std::fill_n(out.data<double>(), out.size(), v);
  return out;
}
// Grows `bound` to what lies between `value` and `other`. NaN and infinite differences are differences of
// the value itself, which is compared as such.
void Include(const Tensor& value, const Tensor& other, Tensor* bound) {
  for (int64_t i = 0; i < value.size(); ++i) {
    const double d = std::fabs(other.data<double>()[i] - value.data<double>()[i]);
    double& b = bound->data<double>()[i];
    if (std::isnan(d)) {
      if (std::isnan(other.data<double>()[i]) != std::isnan(value.data<double>()[i])) b = kInfinity;
    } else if (d > b) {
      b = d;
    }
  }
}

}  // namespace

bool IsFloat(int32_t type) { return reference::Contains(reference::kFloats, type); }

double UnitAt(int32_t type, double v) {
  const Format f = FormatOf(type);
  if (!std::isfinite(v)) return 0;
  const int exponent = v == 0 ? f.lowest : std::max(std::ilogb(v), f.lowest);
  return std::ldexp(1.0, exponent - f.mantissa);
}

double Roundoff(int32_t type) { return std::ldexp(1.0, -FormatOf(type).mantissa - 1); }

Tensor Widened(const Tensor& t) { return t.type() == reference::kDouble ? t : reference::As<double>(t); }

WideNode::WideNode(const kit::Node& node, const reference::OpEntry& op, std::vector<Tensor> attribute_tensors)
    : node_(node),
      op_(op),
      attribute_tensors_(std::move(attribute_tensors)),
      rule_(RuleOf(node.domain(), node.op())) {
  for (uint32_t i = 0; i < node.output_count() && type_ == 0; ++i)
    if (node.has_output(i) && IsFloat(node.output_value(i).type())) type_ = node.output_value(i).type();
  // Without a reduction they only move.
  if ((node.op() == "ScatterElements" || node.op() == "ScatterND") &&
      node.String("reduction", "none") == "none")
    rule_.kind = Rule::kExact;
  // What is left is scaled.
  if (node.op() == "Dropout" && node.has_input(2)) rule_ = {.kind = Rule::kPointwise, .ulps = 2};
}

int32_t WideNode::TypeOf(size_t output) const {
  const auto i = static_cast<uint32_t>(output);
  return node_.has_output(i) && IsFloat(node_.output_value(i).type()) ? node_.output_value(i).type() : type_;
}

bool WideNode::Keeps(size_t input) const {
  return std::find(rule_.keep.begin(), rule_.keep.end(), input) != rule_.keep.end();
}

std::vector<Tensor> WideNode::Call(std::vector<Tensor> inputs) const {
  OpContext context(node_, std::move(inputs), attribute_tensors_);
  op_.run(context);
  return std::move(context.outputs());
}

std::vector<Wide> WideNode::RunExact(const std::vector<Wide>& inputs) {
  std::vector<Tensor> own;
  for (const Wide& w : inputs) own.push_back(w.value);
  std::vector<Wide> out;
  for (Tensor& t : Call(std::move(own))) out.emplace_back(std::move(t));
  return out;
}

// Values and their errors move along the same way. What selects by value (maxima, Sign, Round) is tried at
// the ends of its inputs.
std::vector<Wide> WideNode::RunMoved(const std::vector<Wide>& inputs) {
  std::vector<Tensor> wide, errors;
  const bool selects = [&] {
    for (const std::string_view name : {"Relu", "Abs", "Sign", "Floor", "Ceil", "Round", "Min", "Max", "Clip",
                                        "ReduceMax", "ReduceMin", "MaxPool", "GlobalMaxPool", "Hardmax"})
      if (node_.op() == name) return true;
    return false;
  }();
  std::vector<Tensor> low, high;
  for (const Wide& w : inputs) {
    // Indices, axes and conditions stay what they are.
    const bool data = w.value.present() && (!w.exact() || IsFloat(w.value.type()));
    const Tensor value = data ? Widened(w.value) : w.value;
    wide.push_back(value);
    errors.push_back(!data ? w.value : w.exact() ? Filled(w.value.dims(), 0) : w.error);
    low.push_back(!data || w.exact() ? value : Mapped(value, w.error, std::minus<>()));
    high.push_back(!data || w.exact() ? value : Mapped(value, w.error, std::plus<>()));
  }
  std::vector<Tensor> values = Call(wide);
  std::vector<Wide> out;
  if (selects) {
    const std::vector<Tensor> a = Call(std::move(low)), b = Call(std::move(high));
    for (size_t i = 0; i < values.size(); ++i) {
      Wide w(values[i]);
      if (w.value.present() && w.value.type() == reference::kDouble) {
        w.error = Filled(w.value.dims(), 0);
        Include(w.value, a[i], &w.error);
        Include(w.value, b[i], &w.error);
      }
      out.push_back(std::move(w));
    }
    return out;
  }
  std::vector<Tensor> moved = Call(std::move(errors));
  for (size_t i = 0; i < values.size(); ++i) {
    Wide w(values[i]);
    if (w.value.present() && w.value.type() == reference::kDouble) w.error = Magnitudes(moved[i]);
    out.push_back(std::move(w));
  }
  return out;
}

// To a float type: one rounding more. To another: what both ends give.
std::vector<Wide> WideNode::RunCast(const std::vector<Wide>& inputs) {
  const Wide& x = inputs[0];
  const int32_t to = node_.output_value(0).type();
  if (!x.exact() && reference::Contains(reference::kInts, to)) {
    Wide w(Mapped(x.value, [](double v) { return std::trunc(v); }));
    w.error = Mapped(x.value, x.error, [](double v, double e) {
      return std::max(std::fabs(std::trunc(v + e) - std::trunc(v)),
                      std::fabs(std::trunc(v - e) - std::trunc(v)));
    });
    return {w};
  }
  if (x.exact() || !IsFloat(to)) {
    // Of what CastLike is to be like only the type counts.
    std::vector<Wide> own = inputs;
    if (own.size() > 1) own[1] = Wide(Tensor(node_.input_value(1).type(), {0}));
    return RunExact(own);
  }
  Wide w(x.value);
  w.error = Mapped(x.value, x.error, [&](double v, double e) { return e + UnitAt(to, v); });
  return {w};
}

Wide WideNode::RunPointwise(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs) {
  Wide w(Call(wide)[0]);
  if (w.value.type() != reference::kDouble) throw std::runtime_error("not widened");
  const double absolute = rule_.absolute * UnitAt(type_, 1);
  w.error = Mapped(w.value, [&](double v) { return rule_.ulps * UnitAt(type_, v) + absolute; });
  std::vector<size_t> inexact;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].exact()) inexact.push_back(i);
  if (inexact.empty()) return w;
  // Every corner of up to three inexact inputs; of more, each by itself, added up.
  Tensor grown = Filled(w.value.dims(), 0);
  const auto at = [&](size_t i, bool up) {
    return Mapped(wide[i], inputs[i].error, [&](double v, double e) { return up ? v + e : v - e; });
  };
  if (inexact.size() <= 3) {
    for (uint32_t corner = 0; corner < 1u << inexact.size(); ++corner) {
      std::vector<Tensor> moved = wide;
      for (size_t k = 0; k < inexact.size(); ++k) moved[inexact[k]] = at(inexact[k], (corner >> k & 1) != 0);
      Include(w.value, Call(std::move(moved))[0], &grown);
    }
  } else {
    for (const size_t i : inexact) {
      Tensor one = Filled(w.value.dims(), 0);
      for (const bool up : {false, true}) {
        std::vector<Tensor> moved = wide;
        moved[i] = at(i, up);
        Include(w.value, Call(std::move(moved))[0], &one);
      }
      grown = Mapped(grown, one, std::plus<>());
    }
  }
  w.error = Mapped(w.error, grown, std::plus<>());
  return w;
}

Wide WideNode::RunDot(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs) {
  std::vector<uint32_t> linear = rule_.linear;
  // Sum and Mean: every input.
  if (linear.empty())
    for (uint32_t i = 0; i < wide.size(); ++i) linear.push_back(i);
  Wide w(Call(wide)[0]);
  if (w.value.type() != reference::kDouble) throw std::runtime_error("not widened");
  // Gemm's C and Conv's bias are added to the products.
  std::vector<bool> data, summand;
  std::vector<Tensor> magnitudes, squares, ones;
  for (uint32_t i = 0; i < wide.size(); ++i) {
    data.push_back(wide[i].present() && wide[i].type() == reference::kDouble);
    summand.push_back(data[i] && std::find(linear.begin(), linear.end(), i) == linear.end());
    // Of what is finite: infinity and NaN make no error, they are the result.
    magnitudes.push_back(
        data[i] ? Mapped(wide[i], [](double v) { return std::isfinite(v) ? std::fabs(v) : 0; }) : wide[i]);
    squares.push_back(data[i] ? Mapped(wide[i], [](double v) { return std::isfinite(v) ? v * v : 0; })
                              : wide[i]);
    ones.push_back(data[i] ? Filled(wide[i].dims(), summand[i] ? 0 : 1) : wide[i]);
  }
  const bool has_summand = std::find(summand.begin(), summand.end(), true) != summand.end();
  // The products and the summands each alone, since Gemm's alpha and beta may differ in sign.
  const auto apart = [&](const std::vector<Tensor>& of) {
    std::vector<Tensor> products = of, summands = of;
    for (uint32_t i = 0; i < of.size(); ++i)
      if (data[i]) (summand[i] ? products : summands)[i] = Filled(of[i].dims(), 0);
    const Tensor sum = Magnitudes(Call(products)[0]);
    return has_summand ? Mapped(sum, Magnitudes(Call(summands)[0]), std::plus<>()) : sum;
  };
  const Tensor absolute = apart(magnitudes);
  double terms = 1;
  switch (rule_.terms) {
    case Rule::kOfOnes: {
      const Tensor counted = Call(ones)[0];
      for (int64_t i = 0; i < counted.size(); ++i)
        terms = std::max(terms, std::fabs(counted.data<double>()[i]));
      if (const double alpha = std::fabs(node_.Float("alpha", 1)); alpha > 0)
        terms = std::max(1.0, terms / alpha);
      if (has_summand) ++terms;
      break;
    }
    case Rule::kInputsPerOutput:
      if (w.value.size() > 0)
        terms = static_cast<double>(wide[0].size()) / static_cast<double>(w.value.size());
      break;
    case Rule::kInputs: {
      terms = static_cast<double>(wide.size());
      for (const int64_t k : node_.Ints("kernel_shape")) terms *= static_cast<double>(k);
      break;
    }
  }
  const double n = std::max(terms, 1.0) + 2;
  const double u = type_ == reference::kDouble ? 0x1p-52 : 0x1p-24;  // oracle and device each err, of doubles
  constexpr double kLambda = 8;
  const double worst = n * u < 1 ? n * u / (1 - n * u) : kInfinity;
  const double gamma = std::min(worst, kLambda * std::sqrt(n) * u);
  // A result that is not finite is so for certain where no sum of finite products can have overflown in any
  // type.
  constexpr double kNoOverflow = 30000;
  w.error = Mapped(w.value, absolute, [&](double v, double a) {
    if (!std::isfinite(v)) return a < kNoOverflow ? 0 : kInfinity;
    return gamma * a + rule_.ulps * UnitAt(type_, v);
  });
  const Tensor squared = apart(squares);
  w.deviation = Tensor(reference::kDouble, w.value.dims());
  for (int64_t i = 0; i < w.value.size(); ++i) {
    const double v = std::fabs(w.value.data<double>()[i]);
    const double root = std::sqrt(squared.data<double>()[i]);
    w.deviation.data<double>()[i] = u * std::sqrt(n) * std::max(root, v) + UnitAt(type_, v);
  }
  // What the inputs' errors come to: linear in each, so by the operator itself.
  for (const uint32_t i : linear) {
    if (i >= inputs.size() || inputs[i].exact()) continue;
    std::vector<Tensor> moved = magnitudes;
    for (const uint32_t k : linear)
      if (k < inputs.size() && k != i && !inputs[k].exact())
        moved[k] = Mapped(moved[k], inputs[k].error, std::plus<>());
    moved[i] = inputs[i].error;
    // The other summands are not there; of Sum and Mean every other input is one.
    for (uint32_t k = 0; k < moved.size(); ++k)
      if ((rule_.linear.empty() ? k != i : std::find(linear.begin(), linear.end(), k) == linear.end()) &&
          moved[k].present() && moved[k].type() == reference::kDouble)
        moved[k] = Filled(moved[k].dims(), 0);
    w.error = Mapped(w.error, Magnitudes(Call(std::move(moved))[0]), std::plus<>());
    w.deviation = Tensor();
  }
  for (uint32_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].exact() && std::find(linear.begin(), linear.end(), i) == linear.end()) {
      std::vector<Tensor> high = wide;
      high[i] = Mapped(wide[i], inputs[i].error, std::plus<>());
      Tensor grown = Filled(w.value.dims(), 0);
      Include(w.value, Call(std::move(high))[0], &grown);
      w.error = Mapped(w.error, grown, std::plus<>());
      w.deviation = Tensor();
    }
  return w;
}

Wide WideNode::RunMagnitude(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs) {
  Wide w = RunPointwise(wide, inputs);
  std::vector<Tensor> magnitudes = wide;
  for (uint32_t i = 0; i < magnitudes.size(); ++i) {
    if (!magnitudes[i].present() || magnitudes[i].type() != reference::kDouble) continue;
    const bool negated = std::find(rule_.negated.begin(), rule_.negated.end(), i) != rule_.negated.end();
    magnitudes[i] = Mapped(magnitudes[i], [&](double v) { return negated ? -std::fabs(v) : std::fabs(v); });
  }
  const Tensor largest = Call(std::move(magnitudes))[0];
  w.error = Mapped(w.error, largest, [&](double e, double m) {
    return std::isfinite(m) ? e + rule_.ulps * UnitAt(type_, m) : e;
  });
  return w;
}

std::vector<Wide> WideNode::RunSampled(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs) {
  constexpr int kSamples = 6;
  const std::vector<Tensor> values = Call(wide);
  std::vector<Wide> out;
  for (const Tensor& t : values) {
    // An output whose type no input tells is a float even here.
    Wide w(t.present() && IsFloat(t.type()) ? Widened(t) : t);
    if (t.present() && IsFloat(t.type())) w.error = Filled(t.dims(), 0);
    w.basis = "sampled";
    out.push_back(std::move(w));
  }
  // The coarsest type of the outputs: what rounds between steps may round to it.
  double u = 2 * Roundoff(type_);
  for (size_t i = 0; i < out.size(); ++i) u = std::max(u, 2 * Roundoff(TypeOf(i)));
  double extent = 1;
  if (!wide.empty())
    for (const int64_t d : wide[0].dims()) extent = std::max(extent, static_cast<double>(d));
  Random random(Hash(node_.op()));
  for (int sample = 0; sample < kSamples; ++sample) {
    std::vector<Tensor> moved = wide;
    for (size_t i = 0; i < moved.size(); ++i) {
      if (!moved[i].present() || moved[i].type() != reference::kDouble || Keeps(i)) continue;
      Tensor shaken(reference::kDouble, moved[i].dims());
      for (int64_t k = 0; k < shaken.size(); ++k) {
        const double v = moved[i].data<double>()[k], side = random.Below(2) == 0 ? -1 : 1;
        const bool is_place = std::find(rule_.places.begin(), rule_.places.end(), i) != rule_.places.end();
        const double own = is_place            ? u * extent
                           : inputs[i].exact() ? 0
                                               : inputs[i].error.data<double>()[k] / rule_.factor;
        // Infinities and NaN stay what they are.
        shaken.data<double>()[k] = std::isfinite(v) ? v + side * (u * std::fabs(v) + own) : v;
      }
      moved[i] = std::move(shaken);
    }
    const std::vector<Tensor> shaken = Call(std::move(moved));
    for (size_t i = 0; i < out.size(); ++i)
      if (!out[i].exact()) {
        if (shaken[i].dims() != out[i].value.dims())
          throw std::runtime_error("its shape depends on its data");
        Include(out[i].value, Widened(shaken[i]), &out[i].error);
      }
  }
  // Long sums may be made in float32, one summand after the other (plugin.h, BRAID_PRECISION_EXACT): the
  // bound that a sum alone would have.
  const auto sums = [&](const Tensor& value) {
    constexpr double kLongSum = 1024;
    double terms = 0;
    if (rule_.long_sum == Rule::kOfExtent) terms = extent;
    if (rule_.long_sum == Rule::kOfElements) terms = static_cast<double>(wide[0].size());
    if (rule_.long_sum == Rule::kOfElementsPerOutput)
      terms = static_cast<double>(wide[0].size()) / static_cast<double>(std::max<int64_t>(value.size(), 1));
    return terms > kLongSum ? 8 * std::sqrt(terms) * (type_ == reference::kDouble ? 0x1p-53 : 0x1p-24) : 0;
  };
  // An element that no sample moved is as uncertain as the others of its row.
  for (size_t o = 0; o < out.size(); ++o) {
    Wide& w = out[o];
    if (w.exact()) continue;
    const int64_t row = w.value.rank() == 0 ? 1 : std::max<int64_t>(w.value.dims().back(), 1);
    double* e = w.error.data<double>();
    const double sum = sums(w.value);
    double most = 0;
    for (int64_t i = 0; i < w.value.size(); ++i) most = std::max(most, std::isfinite(e[i]) ? e[i] : 0);
    for (int64_t i = 0; i < w.value.size(); i += row) {
      const double* values = w.value.data<double>();
      double largest = 0, magnitude = rule_.scale == Rule::kOfOne ? 1 : 0;
      for (int64_t k = i; k < i + row; ++k) largest = std::max(largest, e[k]);
      for (int64_t k = i; k < i + row && rule_.scale == Rule::kOfRow; ++k)
        if (std::isfinite(values[k])) magnitude = std::max(magnitude, std::fabs(values[k]));
      for (int64_t k = i; k < i + row; ++k)
        e[k] = rule_.factor * std::max(largest, most / 16) + 4 * UnitAt(TypeOf(o), values[k]) +
               (std::isfinite(values[k]) ? sum * std::max(magnitude, std::fabs(values[k])) : 0);
    }
  }
  return out;
}

// For inputs that are doubles already, and operators that know no double: rounded once from their own types.
std::vector<Wide> WideNode::RunOwn(const std::vector<Wide>& inputs) {
  std::vector<Wide> out = RunExact(inputs);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!out[i].value.present() || !IsFloat(out[i].value.type())) continue;
    const int32_t type = out[i].value.type();
    const double ulps = std::max(rule_.ulps, 1.0);
    out[i].value = Widened(out[i].value);
    out[i].error = Mapped(out[i].value, [&](double v) { return ulps * UnitAt(type, v); });
    out[i].basis = "own type";
  }
  return out;
}

// The same for inputs with errors: tried at their ends.
std::vector<Wide> WideNode::RunOwnMoved(const std::vector<Wide>& inputs) {
  const auto moved = [&](double side) {
    std::vector<Wide> own;
    for (uint32_t i = 0; i < inputs.size(); ++i) {
      own.push_back(inputs[i]);
      if (inputs[i].exact()) continue;
      const Tensor at =
          Mapped(inputs[i].value, inputs[i].error, [&](double v, double e) { return v + side * e; });
      Tensor t(node_.input_value(i).type(), at.dims());
      reference::StoreAs<double>(at.data<double>(), at.size(), t);
      own.back() = Wide(std::move(t));
    }
    return RunOwn(own);
  };
  std::vector<Wide> out = moved(0);
  for (const double side : {-1.0, 1.0}) {
    const std::vector<Wide> other = moved(side);
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i].exact()) {
        if (!out[i].value.present()) continue;
        throw std::runtime_error(std::string(node_.op()) + " of inexact inputs has no bound");
      }
      Tensor grown = Filled(out[i].value.dims(), 0);
      Include(out[i].value, other[i].value, &grown);
      out[i].error = Mapped(out[i].error, grown, [](double e, double g) { return std::max(e, e + g); });
    }
  }
  return out;
}

std::vector<Wide> WideNode::RunCode(const std::vector<Wide>& inputs) {
  constexpr double kNear = 4;  // units in the last place of the inputs
  const auto moved = [&](double side) {
    std::vector<Tensor> own;
    for (uint32_t i = 0; i < inputs.size(); ++i) {
      const Wide& w = inputs[i];
      own.push_back(w.value);
      if (!w.value.present()) continue;
      const int32_t type = node_.input_value(i).type();
      if (w.exact() && !IsFloat(type)) continue;
      Tensor t(type, w.value.dims());
      std::vector<double> values(static_cast<size_t>(t.size()));
      for (int64_t k = 0; k < t.size(); ++k) {
        const double v = w.value.AsDouble(k), error = w.exact() ? 0 : w.error.data<double>()[k];
        const double near = IsFloat(type) && std::isfinite(v) ? kNear * UnitAt(type, v) : 0;
        values[static_cast<size_t>(k)] = v + side * (near + error);
      }
      reference::StoreAs<double>(values.data(), t.size(), t);
      own.back() = std::move(t);
    }
    return Call(std::move(own));
  };
  const std::vector<Tensor> here = moved(0), less = moved(-1), more = moved(1);
  std::vector<Wide> out;
  for (size_t i = 0; i < here.size(); ++i) {
    if (!here[i].present()) {
      out.emplace_back();
      continue;
    }
    Wide w(Filled(here[i].dims(), 0));
    w.error = Filled(here[i].dims(), 0);
    for (int64_t k = 0; k < here[i].size(); ++k) {
      const double v = here[i].AsDouble(k);
      w.value.data<double>()[k] = v;
      const double off = std::max(std::fabs(less[i].AsDouble(k) - v), std::fabs(more[i].AsDouble(k) - v));
      w.error.data<double>()[k] = std::isnan(off) ? 0 : off;
    }
    w.basis = "codes";
    out.push_back(std::move(w));
  }
  return out;
}

std::vector<Wide> WideNode::Run(const std::vector<Wide>& inputs) {
  const bool exact = std::all_of(inputs.begin(), inputs.end(), [](const Wide& w) { return w.exact(); });
  if (rule_.kind == Rule::kCode) return RunCode(inputs);
  if (exact && (type_ == 0 || rule_.kind == Rule::kExact)) return RunExact(inputs);
  if (!exact && (node_.op() == "Cast" || node_.op() == "CastLike")) return RunCast(inputs);
  if (rule_.kind == Rule::kExact) return RunMoved(inputs);
  try {
    return RunWide(inputs);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    // The operator knows no double.
    return exact ? RunOwn(inputs) : RunOwnMoved(inputs);
  }
}

std::vector<Wide> WideNode::RunWide(const std::vector<Wide>& inputs) {
  std::vector<Tensor> wide;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& t = inputs[i].value;
    wide.push_back(t.present() && IsFloat(t.type()) && !Keeps(i) ? Widened(t) : t);
  }
  if (type_ == 0) {
    // No float comes out: what the values themselves give.
    std::vector<Wide> out;
    for (Tensor& t : Call(wide)) out.emplace_back(std::move(t));
    return out;
  }
  const bool one = node_.output_count() == 1;
  if (one && rule_.kind == Rule::kPointwise) return {RunPointwise(wide, inputs)};
  if (one && rule_.kind == Rule::kDot) return {RunDot(wide, inputs)};
  if (one && rule_.kind == Rule::kMagnitude) return {RunMagnitude(wide, inputs)};
  return RunSampled(wide, inputs);
}

}  // namespace braid::conformance
