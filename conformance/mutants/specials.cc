// SPDX-License-Identifier: Apache-2.0
//
// NaN, infinities, zeros of either sign, denormals, ties.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// NaN among the inputs is taken for another number.
void NanIs(NodeRun& run, double value) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && IsFloat(run.input(i)))
      MapFloats(run.OwnInput(i), [&](double v) { return std::isnan(v) ? value : v; });
  run.Compute();
}
void NoMinusZero(NodeRun& run) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present()) MapFloats(t, [](double v) { return v == 0 ? 0.0 : v; });
}
double Largest(const Tensor& t) {
  switch (t.type()) {
    case reference::kFloat16:
      return 65504;
    case reference::kBFloat16:
      return 0x1.fep127;
    case reference::kDouble:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}
void NoInfinity(NodeRun& run) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present()) {
      const double most = Largest(t);
      MapFloats(t, [&](double v) { return std::isinf(v) ? std::copysign(most, v) : v; });
    }
}
void Flush(Tensor& t) {
  const double least = t.type() == reference::kFloat16  ? 0x1p-14
                       : t.type() == reference::kDouble ? 0x1p-1022
                                                        : 0x1p-126;
  MapFloats(t, [&](double v) { return std::fabs(v) < least ? std::copysign(0.0, v) : v; });
}
void FlushDenormals(NodeRun& run) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && IsFloat(run.input(i))) Flush(run.OwnInput(i));
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present()) Flush(t);
}
void Always(NodeRun& run, bool value) {
  run.Compute();
  std::fill_n(run.output(0).data<bool>(), run.output(0).size(), value);
}
// Where the inputs of a function satisfy `when`, the result is `then` of the input.
void Where(NodeRun& run, const std::function<bool(double)>& when, const std::function<double(double)>& then) {
  run.Compute();
  const Tensor& x = run.input(0);
  if (!IsFloat(x)) return;
  MapFloatsAt(run.output(0), [&](int64_t i, double v) {
    const double in = FloatAt(x, i);
    return when(in) ? then(in) : v;
  });
}

double HalfAway(double v) { return std::trunc(v + std::copysign(0.5, v)); }
bool IsTie(double v) { return std::isfinite(v) && std::fabs(v - std::trunc(v)) == 0.5; }

void RoundAway(NodeRun& run) { Where(run, IsTie, HalfAway); }
// Ties of x / scale, of one scale for the whole tensor.
void QuantizeAway(NodeRun& run) {
  run.Compute();
  Tensor& y = run.output(0);
  if (!IsFloat(run.input(0)) || !IsFloat(run.input(1)) || run.input(1).size() != 1) return;
  const double scale = FloatAt(run.input(1), 0);
  reference::DispatchIn<reference::kInts>(y.type(), [&]<class T>() {
    for (int64_t i = 0; i < y.size(); ++i) {
      const double q = FloatAt(run.input(0), i) / scale;
      const double step = HalfAway(q) - std::nearbyint(q);
      T& v = y.data<T>()[i];
      if (IsTie(q) && v != std::numeric_limits<T>::max() && v != std::numeric_limits<T>::min())
        v = static_cast<T>(v + static_cast<T>(step));
    }
  });
}
// Casts of floats cut where they should round.
void CastCuts(NodeRun& run, int32_t to) {
  run.Compute();
  const Tensor& x = run.input(0);
  Tensor& y = run.output(0);
  if (y.type() != to || !IsFloat(x)) return;
  for (int64_t i = 0; i < y.size(); ++i) {
    const double v = FloatAt(x, i), r = FloatAt(y, i);
    if (!(std::fabs(r) > std::fabs(v)) || !std::isfinite(r)) continue;
    // One step toward zero.
    uint16_t& bits = y.data<uint16_t>()[i];
    --bits;
  }
}
void CastRounds(NodeRun& run) {
  if (IsFloat(run.input(0)) && reference::Contains(reference::kInts, run.node().output_value(0).type()))
    MapFloats(run.OwnInput(0), [](double v) { return std::nearbyint(v); });
  run.Compute();
}
void CastBoolByInt(NodeRun& run) {
  if (IsFloat(run.input(0)) && run.node().output_value(0).type() == reference::kBool)
    MapFloats(run.OwnInput(0), [](double v) { return std::trunc(v); });
  run.Compute();
}

// The one of several equal elements that an index names: the other end's.
void OtherTie(NodeRun& run) {
  // Of the elements in reverse order the first is the last.
  const int64_t rank = run.input(0).rank();
  if (rank == 0) return run.Compute();
  int64_t axis = run.node().Int("axis", 0);
  if (axis < 0) axis += rank;
  const Tensor x = run.input(0);
  const int64_t extent = x.dim(axis);
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < rank; ++d) inner *= x.dim(d);
  Tensor reversed = Copied(x);
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t k = i / inner % extent;
    CopyElement(x, i, reversed, i + (extent - 1 - 2 * k) * inner);
  }
  run.input(0) = reversed;
  run.Compute();
  if (run.output(0).type() == reference::kInt64) {
    MapIntegers(run.output(0), [&](int64_t k) { return extent - 1 - k; });
    return;
  }
  // Hardmax: the result is in the reversed order too.
  Tensor& y = run.output(0);
  const Tensor turned = Copied(y);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t k = i / inner % extent;
    CopyElement(turned, i, y, i + (extent - 1 - 2 * k) * inner);
  }
}
// Of equal values TopK gives the larger index first.
void TopKTies(NodeRun& run) {
  run.Compute();
  Tensor &values = run.output(0), &indices = run.output(1);
  const int64_t rank = values.rank(), given = run.node().Int("axis", -1);
  const int64_t axis = given < 0 ? given + rank : given;
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < rank; ++d) inner *= values.dim(d);
  const int64_t k = values.dim(axis);
  for (int64_t i = 0; i + inner < values.size(); ++i) {
    if (i / inner % k == k - 1 || FloatAt(values, i) != FloatAt(values, i + inner)) continue;
    std::swap(indices.data<int64_t>()[i], indices.data<int64_t>()[i + inner]);
  }
}
void TopKUnsorted(NodeRun& run) {
  run.Compute();
  const int64_t rank = run.output(0).rank(), given = run.node().Int("axis", -1);
  const int64_t axis = given < 0 ? given + rank : given;
  if (run.output(0).dim(axis) < 2) return;
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < rank; ++d) inner *= run.output(0).dim(d);
  for (Tensor& t : run.outputs()) {
    const Tensor before = Copied(t);
    const int64_t k = t.dim(axis);
    for (int64_t i = 0; i < t.size(); ++i)
      CopyElement(before, i, t, i + (k - 1 - 2 * (i / inner % k)) * inner);
  }
}

}  // namespace

void AddSpecials(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& op,
                       const std::string& first, std::function<void(NodeRun&)> node) {
    all->push_back({.name = name,
                    .what = what,
                    .family = Family::kSpecial,
                    .operators = op,
                    .first = first,
                    .node = std::move(node)});
  };
  for (const auto& [op, value] :
       {std::pair{"Max", -kInfinity}, std::pair{"Min", kInfinity}, std::pair{"Relu", 0.0},
        std::pair{"Clip", -kInfinity}, std::pair{"ReduceMax", -kInfinity}, std::pair{"ReduceMin", kInfinity},
        std::pair{"Sigmoid", 0.0}, std::pair{"Abs", 0.0}, std::pair{"Exp", 0.0}, std::pair{"Floor", 0.0},
        std::pair{"Sum", 0.0}})
    add(std::string("drops_nan_") + op, "NaN is passed over", op, "special nan",
        [v = value](NodeRun& run) { NanIs(run, v); });
  for (const char* op : {"Neg", "Mul", "Round", "Ceil", "Transpose", "Cast"})
    add(std::string("no_minus_zero_") + op, "-0 becomes 0", op, "special zero ties", NoMinusZero);
  for (const char* op : {"Exp", "Div", "Cast", "Reciprocal", "Mul"})
    add(std::string("no_infinity_") + op, "infinity becomes the largest finite number", op,
        "special overflow inf zero", NoInfinity);
  for (const char* op : {"Mul", "Add", "Transpose", "Sqrt", "Cast"})
    add(std::string("flushes_denormals_") + op, "denormals become 0, which the device does not declare", op,
        "special denormal", FlushDenormals);
  add("never_nan_IsNaN", "fast mathematics: nothing is NaN", "IsNaN", "special",
      [](NodeRun& run) { Always(run, false); });
  add("never_inf_IsInf", "fast mathematics: nothing is infinite", "IsInf", "special",
      [](NodeRun& run) { Always(run, false); });
  add("nan_equals_nan_Equal", "NaN equals NaN: bits are compared", "Equal", "special nan",
      [](NodeRun& run) { NanIs(run, 1e30); });
  add("bits_Equal", "0 does not equal -0: bits are compared", "Equal", "special zero", [](NodeRun& run) {
    for (size_t i = 0; i < 2; ++i)
      if (IsFloat(run.input(i)))
        MapFloats(run.OwnInput(i), [](double v) { return v == 0 && std::signbit(v) ? -1e-30 : v; });
    run.Compute();
  });
  add("root_of_negative_Sqrt", "the root of a negative number is that of its magnitude", "Sqrt",
      "special neg", [](NodeRun& run) {
        Where(
            run, [](double v) { return v < 0; }, [](double v) { return std::sqrt(-v); });
      });
  add("log_of_zero_Log", "the logarithm of 0 is a large finite number", "Log", "special zero",
      [](NodeRun& run) {
        Where(
            run, [](double v) { return v == 0; }, [](double) { return -88.0; });
      });
  add("negative_base_Pow", "powers by exp2(y log2 x): of negative numbers NaN", "Pow", "exponents",
      [](NodeRun& run) {
        if (IsFloat(run.input(0)))
          MapFloats(run.OwnInput(0), [](double v) { return v < 0 ? std::nan("") : v; });
        run.Compute();
      });
  add("magnitude_Pow", "powers of the base's magnitude", "Pow", "exponents", [](NodeRun& run) {
    if (IsFloat(run.input(0))) MapFloats(run.OwnInput(0), [](double v) { return std::fabs(v); });
    run.Compute();
  });
  add("sign_of_nan_Sign", "the sign of NaN is 1", "Sign", "special nan", [](NodeRun& run) {
    Where(
        run, [](double v) { return std::isnan(v); }, [](double) { return 1.0; });
  });
  add("overflow_Tanh", "tanh by exponentials: NaN beyond 44", "Tanh", "special range large",
      [](NodeRun& run) {
        Where(
            run, [](double v) { return std::fabs(v) > 44; }, [](double) { return std::nan(""); });
      });
  add("overflow_Sigmoid", "e^x/(1+e^x): NaN beyond 88", "Sigmoid", "special range large", [](NodeRun& run) {
    Where(
        run, [](double v) { return v > 88.8; }, [](double) { return std::nan(""); });
  });
  add("overflow_Softplus", "log(1+e^x): infinite beyond 88", "Softplus", "special range large",
      [](NodeRun& run) {
        Where(
            run, [](double v) { return v > 88.8; }, [](double) { return kInfinity; });
      });
  add("fmod_Mod", "the remainder has the sign of the dividend", "Mod", "fmod int", [](NodeRun& run) {
    run.Compute();
    if (!IsInteger(run.input(0)) || run.node().Int("fmod", 0) != 0) return;
    const std::vector<Tensor> inputs = run.inputs();
    if (inputs[0].dims() != inputs[1].dims() && inputs[1].size() != 1) return;
    const auto a = inputs[0].AsInts(), b = inputs[1].AsInts();
    for (size_t i = 0; i < a.size(); ++i)
      SetFloat(run.output(0), static_cast<int64_t>(i), static_cast<double>(a[i] % b[b.size() == 1 ? 0 : i]));
  });
  add("floor_Div", "the quotient of integers is rounded down instead of toward zero", "Div", "int",
      [](NodeRun& run) {
        run.Compute();
        const std::vector<Tensor> in = run.inputs();
        if (!IsInteger(in[0]) || (in[0].dims() != in[1].dims() && in[1].size() != 1)) return;
        const auto a = in[0].AsInts(), b = in[1].AsInts();
        for (size_t i = 0; i < a.size(); ++i) {
          const int64_t d = b[b.size() == 1 ? 0 : i];
          if (a[i] % d != 0 && (a[i] < 0) != (d < 0))
            SetFloat(run.output(0), static_cast<int64_t>(i), static_cast<double>(a[i] / d - 1));
        }
      });

  add("half_away_Round", "halves are rounded away from zero", "Round", "ties", RoundAway);
  add("half_away_QuantizeLinear", "halves are rounded away from zero", "QuantizeLinear", "ties",
      QuantizeAway);
  add("cuts_fp16_Cast", "casts to float16 cut instead of rounding", "Cast", "to=float16 T2=float16",
      [](NodeRun& run) { CastCuts(run, reference::kFloat16); });
  add("cuts_bf16_Cast", "casts to bfloat16 cut instead of rounding", "Cast", "to=bfloat16 T2=bfloat16",
      [](NodeRun& run) { CastCuts(run, reference::kBFloat16); });
  add("rounds_Cast", "casts of floats to integers round instead of cutting", "Cast", "to=int T2=int",
      CastRounds);
  add("bool_by_int_Cast", "0.5 cast to boolean is false", "Cast", "bool", CastBoolByInt);

  for (const char* op : {"ArgMax", "ArgMin", "Hardmax"})
    add(std::string("other_tie_") + op, "of equal elements the other end's is named", op, "ties select",
        OtherTie);
  add("ties_TopK", "of equal elements the larger index comes first", "TopK", "ties", TopKTies);
  add("unsorted_TopK", "the elements come in another order", "TopK", "", TopKUnsorted);
}

}  // namespace braid::mutants
