// SPDX-License-Identifier: Apache-2.0
//
// Elementwise operators: one or two inputs, broadcast; Where, Clip, Cast; the variadic Sum, Mean, Max, Min;
// BatchNormalization.
#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {
namespace {

struct UnaryParams {
  uint32_t n;
  float alpha, beta;
};

void UnaryNamed(Lowering& l, const std::string& name, float alpha = 0, float beta = 0) {
  const Tensor &x = l.In(0), &y = l.Out();
  l.NeedType(0, {"f32", "f16", "i8", "u8", "i32", "u32", "i64", "b8"});
  std::string kernel = "unary_" + name + "_" + TagOf(x.type);
  if (shaders::Find(kernel) == nullptr)
    throw Refusal{BRAID_NO_TYPE, "input 0 is of type " + NameOf(x.type), 0};
  if (x.count != y.count) l.RefuseShape("the output's shape is not the input's");
  l.Each(kernel, {}, {&x}, {&y}, UnaryParams{static_cast<uint32_t>(x.count), alpha, beta}, x.count, 16);
}

void Unary(Lowering& l) { UnaryNamed(l, std::string(l.node().op())); }
// Operators with one or two float attributes: their names and defaults.
void Celu(Lowering& l) { UnaryNamed(l, "Celu", l.node().Float("alpha", 1.0f)); }
void Elu(Lowering& l) { UnaryNamed(l, "Elu", l.node().Float("alpha", 1.0f)); }
void LeakyRelu(Lowering& l) { UnaryNamed(l, "LeakyRelu", l.node().Float("alpha", 0.01f)); }
void ThresholdedRelu(Lowering& l) { UnaryNamed(l, "ThresholdedRelu", l.node().Float("alpha", 1.0f)); }
void Swish(Lowering& l) { UnaryNamed(l, "Swish", l.node().Float("alpha", 1.0f)); }
void HardSigmoid(Lowering& l) {
  UnaryNamed(l, "HardSigmoid", l.node().Float("alpha", 0.2f), l.node().Float("beta", 0.5f));
}
void Selu(Lowering& l) {
  UnaryNamed(l, "Selu", l.node().Float("alpha", 1.67326319217681884765625f),
             l.node().Float("gamma", 1.05070102214813232421875f));
}
void Shrink(Lowering& l) {
  UnaryNamed(l, "Shrink", l.node().Float("lambd", 0.5f), l.node().Float("bias", 0.0f));
}
void IsInf(Lowering& l) {
  UnaryNamed(l, "IsInf", static_cast<float>(l.node().Int("detect_negative", 1)),
             static_cast<float>(l.node().Int("detect_positive", 1)));
}
void Gelu(Lowering& l) {
  UnaryNamed(l, l.node().String("approximate", "none") == "tanh" ? "GeluTanh" : "Gelu");
}

struct BinaryParams {
  uint32_t n;
  float alpha;
  uint32_t dim[6], sa[6], sb[6];
};

void BinaryOf(Lowering& l, const std::string& name, const Tensor& a, const Tensor& b, const Tensor& y,
              float alpha = 0) {
  std::string kernel = "binary_" + name + "_" + TagOf(a.type);
  if (shaders::Find(kernel) == nullptr)
    throw Refusal{BRAID_NO_TYPE, "input 0 is of type " + NameOf(a.type), 0};
  if (a.type != b.type) throw Refusal{BRAID_NO_TYPE, "the inputs are of different types", 1};
  Broadcast m = MergeBroadcast(y.dims, {&a.dims, &b.dims});
  if (m.dims.size() > 6) l.RefuseShape("more than 6 dimensions that cannot be merged");
  BinaryParams p{};
  p.n = static_cast<uint32_t>(y.count);
  p.alpha = alpha;
  for (size_t i = 0; i < m.dims.size(); ++i) {
    p.dim[i] = m.dims[i];
    p.sa[i] = m.strides[0][i];
    p.sb[i] = m.strides[1][i];
  }
  l.Each(kernel, {static_cast<uint32_t>(m.dims.size())}, {&a, &b}, {&y}, p, y.count, 4,
         name == "Mod" ? 300 : 0);
}

void Binary(Lowering& l) { BinaryOf(l, std::string(l.node().op()), l.In(0), l.In(1), l.Out()); }
void Mod(Lowering& l) {
  int64_t form = l.node().Int("fmod", 0);
  if (form != 0 && form != 1) l.RefuseAttribute("fmod", "is " + std::to_string(form) + ", not 0 or 1");
  bool fmod = form == 1;
  if (!fmod && (l.In(0).type == kF32 || l.In(0).type == kF16))
    l.RefuseAttribute("fmod", "floats need fmod=1");
  BinaryOf(l, "Mod", l.In(0), l.In(1), l.Out(), fmod ? 1.0f : 0.0f);
}

// Sum, Mean, Max, Min of any number of inputs: pairwise, each partial result in the output's shape.
void Variadic(Lowering& l) {
  std::string op(l.node().op());
  bool mean = op == "Mean";
  std::string kernel = op == "Sum" || mean ? "Add" : op;
  l.NeedType(0, {"f32", "f16", "i32", "u32", "i64", "u8", "i8"});
  const Tensor& y = l.Out();
  uint32_t n = l.node().input_count();
  if (mean) l.NeedType(0, {"f32", "f16"});
  if (n == 1) {
    if (l.In(0).count != y.count) l.RefuseShape("the output's shape is not the input's");
    return l.Alias(0, l.In(0));
  }
  Tensor so_far = l.In(0);
  for (uint32_t i = 1; i < n; ++i) {
    bool last = i + 1 == n && !mean;
    Tensor to = last ? y : l.Temporary(y.type, y.dims);
    BinaryOf(l, kernel, so_far, l.In(i), to);
    so_far = to;
  }
  if (!mean) return;
  Tensor count = y.type == kF32 ? l.LiteralOf<float>(kF32, {static_cast<float>(n)}) : Tensor{};
  if (y.type != kF32) throw Refusal{BRAID_NO_TYPE, "Mean of float16", 0};
  BinaryOf(l, "Div", so_far, count, y);
}

void Pow(Lowering& l) {
  if (l.In(0).type != l.In(1).type)
    throw Refusal{BRAID_NO_TYPE, "base and exponent are of different types", 1};
  l.NeedType(0, {"f32", "f16"});
  BinaryOf(l, "Pow", l.In(0), l.In(1), l.Out());
}

void Where(Lowering& l) {
  struct Params {
    uint32_t n, dim[6], sc[6], sa[6], sb[6];
  } p{};
  const Tensor &c = l.In(0), &a = l.In(1), &b = l.In(2), &y = l.Out();
  Broadcast m = MergeBroadcast(y.dims, {&c.dims, &a.dims, &b.dims});
  if (m.dims.size() > 6) l.RefuseShape("more than 6 dimensions that cannot be merged");
  p.n = static_cast<uint32_t>(y.count);
  for (size_t i = 0; i < m.dims.size(); ++i) {
    p.dim[i] = m.dims[i];
    p.sc[i] = m.strides[0][i];
    p.sa[i] = m.strides[1][i];
    p.sb[i] = m.strides[2][i];
  }
  l.Each("where_w" + std::to_string(BytesOf(y.type)), {static_cast<uint32_t>(m.dims.size())}, {&c, &a, &b},
         {&y}, p, y.count, 4);
}

void Clip(Lowering& l) {
  struct Params {
    uint32_t n, has_lo, has_hi;
  };
  l.NeedType(0, {"f32", "f16", "i32", "u32", "i64", "u8", "i8"});
  const Tensor &x = l.In(0), &y = l.Out();
  Tensor lo = l.HasIn(1) ? l.In(1) : x, hi = l.HasIn(2) ? l.In(2) : x;
  if ((l.HasIn(1) && lo.count != 1) || (l.HasIn(2) && hi.count != 1))
    l.RefuseShape("the limits must be scalars");
  l.Each(std::string("clip_") + TagOf(x.type), {}, {&x, &lo, &hi}, {&y},
         Params{static_cast<uint32_t>(x.count), l.HasIn(1) ? 1u : 0u, l.HasIn(2) ? 1u : 0u}, x.count, 2);
}

void CastTo(Lowering& l) {
  struct Params {
    uint32_t n;
  };
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.type == y.type) return l.Alias(0, x);
  std::string kernel = std::string("cast_") + TagOf(x.type) + "_" + TagOf(y.type);
  if (shaders::Find(kernel) == nullptr)
    throw Refusal{BRAID_NO_TYPE, "from " + NameOf(x.type) + " to " + NameOf(y.type), 0};
  l.Each(kernel, {}, {&x}, {&y}, Params{static_cast<uint32_t>(x.count)}, x.count, 2);
}

void BatchNormalization(Lowering& l) {
  struct Params {
    uint32_t n, inner, channels;
    float epsilon;
  };
  if (l.node().Int("training_mode", 0) != 0) l.RefuseAttribute("training_mode", "inference only");
  for (uint32_t i = 1; i < l.node().output_count(); ++i)
    if (l.HasOut(i)) throw Refusal{BRAID_NO_OP, "inference has one output"};
  l.NeedType(0, {"f32", "f16"});
  for (uint32_t i = 1; i < 5; ++i)
    if (l.In(i).type != l.In(0).type)
      throw Refusal{BRAID_NO_TYPE, "input " + std::to_string(i) + " is of another type than input 0", i};
  const Tensor &x = l.In(0), &y = l.Out();
  int64_t channels = x.dims.size() < 2 ? 1 : x.dims[1];
  int64_t inner = x.dims.size() < 2 ? 1 : Product(x.dims, 2);
  for (uint32_t i = 1; i < 5; ++i)
    if (l.In(i).count != channels)
      l.RefuseShape("input " + std::to_string(i) + " has not one element a channel");
  l.Each(std::string("batchnorm_") + TagOf(x.type), {}, {&x, &l.In(1), &l.In(2), &l.In(3), &l.In(4)}, {&y},
         Params{static_cast<uint32_t>(x.count), static_cast<uint32_t>(inner), static_cast<uint32_t>(channels),
                l.node().Float("epsilon", 1e-5f)},
         x.count, 6);
}

const Operator kOperators[] = {
    {"Abs", 13, Unary},
    {"Acos", 22, Unary},
    {"Acosh", 22, Unary},
    {"Asin", 22, Unary},
    {"Asinh", 22, Unary},
    {"Atan", 22, Unary},
    {"Atanh", 22, Unary},
    {"BitwiseNot", 18, Unary},
    {"Ceil", 13, Unary},
    {"Celu", 28, Celu},
    {"Cos", 22, Unary},
    {"Cosh", 22, Unary},
    {"Elu", 22, Elu},
    {"Erf", 13, Unary},
    {"Exp", 13, Unary},
    {"Floor", 13, Unary},
    {"Gelu", 20, Gelu},
    {"HardSigmoid", 22, HardSigmoid},
    {"HardSwish", 22, Unary},
    {"IsInf", 20, IsInf},
    {"IsNaN", 20, Unary},
    {"LeakyRelu", 16, LeakyRelu},
    {"Log", 13, Unary},
    {"Mish", 22, Unary},
    {"Neg", 13, Unary},
    {"Not", 1, Unary},
    {"Reciprocal", 13, Unary},
    {"Relu", 14, Unary},
    {"Round", 22, Unary},
    {"Selu", 22, Selu},
    {"Shrink", 9, Shrink},
    {"Sigmoid", 13, Unary},
    {"Sign", 13, Unary},
    {"Sin", 22, Unary},
    {"Sinh", 22, Unary},
    {"Softplus", 22, Unary},
    {"Softsign", 22, Unary},
    {"Sqrt", 13, Unary},
    {"Swish", 24, Swish},
    {"Tan", 22, Unary},
    {"Tanh", 13, Unary},
    {"ThresholdedRelu", 22, ThresholdedRelu},
    {"Add", 14, Binary},
    {"And", 7, Binary},
    {"BitwiseAnd", 18, Binary},
    {"BitwiseOr", 18, Binary},
    {"BitwiseXor", 18, Binary},
    {"Div", 14, Binary},
    {"Equal", 19, Binary},
    {"Greater", 13, Binary},
    {"GreaterOrEqual", 16, Binary},
    {"Less", 13, Binary},
    {"LessOrEqual", 16, Binary},
    {"Mod", 28, Mod},
    {"Mul", 14, Binary},
    {"Or", 7, Binary},
    {"Pow", 15, Pow},
    {"PRelu", 16, Binary},
    {"Sub", 14, Binary},
    {"Xor", 7, Binary},
    {"Max", 13, Variadic},
    {"Mean", 13, Variadic},
    {"Min", 13, Variadic},
    {"Sum", 13, Variadic},
    {"Where", 16, Where},
    {"Clip", 13, Clip},
    {"Cast", 28, CastTo},
    {"CastLike", 25, CastTo},
    {"BatchNormalization", 15, BatchNormalization},
};

}  // namespace

std::span<const Operator> PointwiseOperators() { return kOperators; }

}  // namespace braid::vulkan
