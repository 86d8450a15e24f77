// SPDX-License-Identifier: Apache-2.0
//
// What a matrix product or convolution may apply to its result; the numbers are those of plugins' Activation.
FN float d_activate(uint kind, float x, float alpha, float beta) {
  if (kind == 1u) return x < 0.0f ? 0.0f : x;                       // Relu; keeps NaN
  if (kind == 2u) return d_max(alpha, d_min(beta, x));              // Clip
  if (kind == 3u) return d_sigmoid(x);                              // Sigmoid
  if (kind == 4u) return x * d_sigmoid(alpha * x);                  // Swish
  if (kind == 5u) return x * d_hard_sigmoid(x, 0.16666667f, 0.5f);  // HardSwish
  if (kind == 6u) return d_hard_sigmoid(x, alpha, beta);            // HardSigmoid
  if (kind == 7u) return d_tanh(x);                                 // Tanh
  if (kind == 8u) return x < 0.0f ? alpha * x : x;                  // LeakyRelu
  if (kind == 9u) return d_gelu(x);                                 // Gelu
  return x;
}
