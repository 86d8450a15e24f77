// SPDX-License-Identifier: Apache-2.0
//
// Comparison, logic, and operations on bits.
#include <string>

#include "plugins/reference/ops/math.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kEquatable = kNumeric | Types(kBool, kString);

// c = f(a, b) as booleans; the inputs have one type of Set.
template <TypeSet Set, class F>
void Compare(OpContext& op, const F& f) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  CheckSameType(op, 1);
  const Dims both[] = {a.dims(), b.dims()};
  Dims dims = BroadcastDims(op, both);
  Dispatch<Set>(op, a.type(), [&]<class T>() { Zip<T, T, bool>(op, a, b, op.Output(0, kBool, dims), f); });
}

// Any comparison with NaN is false.
void Equal(OpContext& op) {
  Compare<kEquatable>(op, [](const auto& a, const auto& b) { return a == b; });
}
void Less(OpContext& op) {
  Compare<kNumeric>(op, [](auto a, auto b) { return a < b; });
}
void LessOrEqual(OpContext& op) {
  Compare<kNumeric>(op, [](auto a, auto b) { return a <= b; });
}
void Greater(OpContext& op) {
  Compare<kNumeric>(op, [](auto a, auto b) { return a > b; });
}
void GreaterOrEqual(OpContext& op) {
  Compare<kNumeric>(op, [](auto a, auto b) { return a >= b; });
}

void And(OpContext& op) {
  Compare<Types(kBool)>(op, [](bool a, bool b) { return a && b; });
}
void Or(OpContext& op) {
  Compare<Types(kBool)>(op, [](bool a, bool b) { return a || b; });
}
void Xor(OpContext& op) {
  Compare<Types(kBool)>(op, [](bool a, bool b) { return a != b; });
}
void Not(OpContext& op) {
  Unary<Types(kBool)>(op, [](bool x) { return !x; });
}

// The bitwise operators look at bits alone: signed and unsigned types of one size share a loop.
template <class F>
void BitwiseBinary(OpContext& op, const F& f) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  CheckSameType(op, 1);
  const Dims both[] = {a.dims(), b.dims()};
  op.Check(Contains(kInts, a.type()), "does not take type " + TypeName(a.type()));
  Tensor& c = op.Output(0, a.type(), BroadcastDims(op, both));
  DispatchBySize(a.type(), [&]<class T>() {
    if constexpr (std::is_unsigned_v<T>) Zip<T, T, T>(op, a, b, c, f);
  });
}
void BitwiseAnd(OpContext& op) {
  BitwiseBinary(op, []<class T>(T a, T b) { return static_cast<T>(a & b); });
}
void BitwiseOr(OpContext& op) {
  BitwiseBinary(op, []<class T>(T a, T b) { return static_cast<T>(a | b); });
}
void BitwiseXor(OpContext& op) {
  BitwiseBinary(op, []<class T>(T a, T b) { return static_cast<T>(a ^ b); });
}
void BitwiseNot(OpContext& op) {
  Unary<kInts>(op, []<class T>(T x) { return static_cast<T>(~x); });
}

// BitShift-28: RIGHT is arithmetic for signed types. A shift by a negative amount or by the width of the type
// or more leaves what sign extension alone gives: -1 for a negative X shifted right, else 0.
void BitShift(OpContext& op) {
  const std::string direction = op.String("direction", "");
  op.Check(direction == "LEFT" || direction == "RIGHT",
           "direction is '" + direction + "', not LEFT or RIGHT");
  if (direction == "RIGHT") {
    Binary<kInts>(op, []<class T>(T x, T by) -> T {
      constexpr auto kWidth = static_cast<T>(8 * sizeof(T));
      if (by < 0 || by >= kWidth) return static_cast<T>(x < 0 ? -1 : 0);
      return static_cast<T>(x >> by);
    });
  } else {
    Binary<kInts>(op, []<class T>(T x, T by) -> T {
      constexpr auto kWidth = static_cast<T>(8 * sizeof(T));
      if (by < 0 || by >= kWidth) return 0;
      return static_cast<T>(Wrapping<T>(x) << by);
    });
  }
}

Judgement JudgeBitShift(const kit::Node& node) {
  std::string_view direction = node.String("direction", "");
  if (direction == "LEFT" || direction == "RIGHT") return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("direction"),
          "direction is '" + std::string(direction) + "', not LEFT or RIGHT"};
}

}  // namespace

std::span<const OpEntry> ComparisonOps() {
  static const OpEntry kOps[] = {
      {"", "Equal", 19, Equal, {kEquatable}},
      {"", "Less", 13, Less, {kNumeric}},
      {"", "LessOrEqual", 16, LessOrEqual, {kNumeric}},
      {"", "Greater", 13, Greater, {kNumeric}},
      {"", "GreaterOrEqual", 16, GreaterOrEqual, {kNumeric}},
      {"", "And", 7, And, {Types(kBool)}},
      {"", "Or", 7, Or, {Types(kBool)}},
      {"", "Xor", 7, Xor, {Types(kBool)}},
      {"", "Not", 1, Not, {Types(kBool)}},
      {"", "BitwiseAnd", 18, BitwiseAnd, {kInts}},
      {"", "BitwiseOr", 18, BitwiseOr, {kInts}},
      {"", "BitwiseXor", 18, BitwiseXor, {kInts}},
      {"", "BitwiseNot", 18, BitwiseNot, {kInts}},
      {"", "BitShift", 28, BitShift, {kInts}, JudgeBitShift},
  };
  return kOps;
}

}  // namespace braid::reference
