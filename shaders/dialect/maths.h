// SPDX-License-Identifier: Apache-2.0
//
// Mathematics of float, the same on every target and within about 2 ULP: the built-in functions of Vulkan are
// far less accurate than ONNX wants, and each driver has its own. Needs no fused multiply-add. Contraction
// and reassociation are off for every kernel (shaders/tools/strict.cc; compile options elsewhere). fma()
// below is only a way of writing a*b+c. Coefficients are those of Cephes (S. Moshier) and N. Juffa's erff,
// published constants.

#define D_INF as_float(0x7f800000u)
#define D_NAN as_float(0x7fc00000u)

FN bool d_isnan(float x) { return (as_uint(x) & 0x7fffffffu) > 0x7f800000u; }
FN bool d_isinf(float x) { return (as_uint(x) & 0x7fffffffu) == 0x7f800000u; }
FN float d_abs(float x) { return as_float(as_uint(x) & 0x7fffffffu); }
FN float d_copysign(float x, float s) {
  return as_float((as_uint(x) & 0x7fffffffu) | (as_uint(s) & 0x80000000u));
}
// NaN if either is NaN, unlike the built-in functions.
FN float d_max(float a, float b) { return d_isnan(a) ? a : (d_isnan(b) ? b : (a > b ? a : b)); }
FN float d_min(float a, float b) { return d_isnan(a) ? a : (d_isnan(b) ? b : (a < b ? a : b)); }
FN float d_sign(float x) { return d_isnan(x) ? x : (x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : 0.0f)); }
// x * 2^n for |n| <= 254, in two steps so that neither overflows or underflows early.
FN float d_scale(float x, int n) {
  int h = n / 2;
  return x * as_float(uint(h + 127) << 23) * as_float(uint(n - h + 127) << 23);
}
// Nearest integer, ties to even.
FN float d_rint(float x) {
  float magic = d_copysign(8388608.0f, x);
  float r = (x + magic) - magic;
  return d_abs(x) < 8388608.0f ? d_copysign(r, x) : x;
}
FN float d_fmod(float a, float b) {
  // Exact: subtracts b * 2^k from the top down.
  if (d_isnan(a) || d_isnan(b) || d_isinf(a) || b == 0.0f) return D_NAN;
  float x = d_abs(a), y = d_abs(b);
  if (d_isinf(b) || x < y) return a;
  int ex = int(as_uint(x) >> 23), ey = int(as_uint(y) >> 23);
  NO_UNROLL for (int k = ex - ey; k >= 0; k--) {
    float t = as_float(as_uint(y) + (uint(k) << 23));
    if (x >= t) x -= t;
  }
  return d_copysign(x, a);
}
// The remainder with the sign of the divisor, as Python's %.
FN float d_pymod(float a, float b) {
  float r = d_fmod(a, b);
  return (r != 0.0f && ((r < 0.0f) != (b < 0.0f))) ? r + b : r;
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln2/2
FN float d_exp_kernel(float r) {
  float q = fma(r, 1.9875691500e-4f, 1.3981999507e-3f);
  q = fma(r, q, 8.3334519073e-3f);
  q = fma(r, q, 4.1665795894e-2f);
  q = fma(r, q, 1.6666665459e-1f);
  return fma(r, q, 5.0000001201e-1f);
}
FN float d_rint_small(float x) { return (x + 12582912.0f) - 12582912.0f; }  // |x| < 2^22
FN float d_exp(float x) {
  float c = x < -104.0f ? -104.0f : (x > 89.0f ? 89.0f : x);
  float n = d_rint_small(c * 1.44269504f);
  float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
  float y = (r * r * d_exp_kernel(r) + r) + 1.0f;
  y = d_scale(y, int(n));
  return d_isnan(x) ? x : y;
}
FN float d_expm1(float x) {
  float c = x < -30.0f ? -30.0f : (x > 89.0f ? 89.0f : x);
  float n = d_rint_small(c * 1.44269504f);
  float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
  float m = r + r * r * d_exp_kernel(r);
  float s = as_float(uint(int(n) + 126) << 23);  // 2^(n-1)
  float y = (m * s + (s - 0.5f)) * 2.0f;
  return d_isnan(x) ? x : (x == 0.0f ? x : (n == 0.0f ? m : (x > 88.8f ? D_INF : y)));
}
FN float d_log(float x) {
  bool subnormal = as_uint(x) < 0x00800000u;
  float xn = subnormal ? x * 8388608.0f : x;
  uint t = as_uint(xn) - 0x3f3504f3u;
  float e = float((int(t) >> 23) + (subnormal ? -23 : 0));
  float f = as_float((t & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float z = f * f;
  float q = fma(7.0376836292e-2f, f, -1.1514610310e-1f);
  q = fma(q, f, 1.1676998740e-1f);
  q = fma(q, f, -1.2420140846e-1f);
  q = fma(q, f, 1.4249322787e-1f);
  q = fma(q, f, -1.6668057665e-1f);
  q = fma(q, f, 2.0000714765e-1f);
  q = fma(q, f, -2.4999993993e-1f);
  q = fma(q, f, 3.3333331174e-1f);
  float y = f * z * q;
  y = y + e * -2.12194440e-4f;
  y = y - 0.5f * z;
  y = f + y;
  y = y + e * 0.693359375f;
  y = x == 0.0f ? -D_INF : y;
  y = as_uint(x) == 0x7f800000u ? x : y;
  y = x < 0.0f ? D_NAN : y;
  return d_isnan(x) ? x : y;
}
FN float d_log1p(float x) {
  float u = 1.0f + x, d = u - 1.0f;
  return (d == 0.0f || d_isinf(x)) ? x : d_log(u) * (x / d);
}
FN float d_tanh(float x) {
  float a = d_abs(x);
  float z = a * a;
  float q = fma(-5.70498872745e-3f, z, 2.06390887954e-2f);
  q = fma(q, z, -5.37397155531e-2f);
  q = fma(q, z, 1.33314422036e-1f);
  q = fma(q, z, -3.33332819422e-1f);
  float near = fma(q * z, x, x);
  float far = 1.0f - 2.0f / (d_exp(a > 20.0f ? 40.0f : 2.0f * a) + 1.0f);
  return d_isnan(x) ? x : (a < 0.625f ? near : d_copysign(far, x));
}
// exp(d_erfc_exponent(a)) = erfc(a) for a in [0.92, 4]
FN float d_erfc_exponent(float a) {
  float t = a * a;
  float r = fma(-1.72853470e-5f, a, 3.83197126e-4f);
  float u = fma(-3.88396438e-3f, a, 2.42546219e-2f);
  r = fma(r, t, u);
  r = fma(r, a, -1.06777877e-1f);
  r = fma(r, a, -6.34846687e-1f);
  r = fma(r, a, -1.28717512e-1f);
  return fma(r, a, -a);
}
FN float d_erf_near(float x) {
  float t = x * x;
  float r = fma(-5.96761703e-4f, t, 4.99119423e-3f);
  r = fma(r, t, -2.67681349e-2f);
  r = fma(r, t, 1.12819925e-1f);
  r = fma(r, t, -3.76125336e-1f);
  r = fma(r, t, 1.28379166e-1f);
  return fma(r, x, x);
}
FN float d_erf(float x) {
  float a = d_abs(x);
  float far = a > 4.0f ? 1.0f : 1.0f - d_exp(d_erfc_exponent(a));
  return d_isnan(x) ? x : (a < 0.921875f ? d_erf_near(x) : d_copysign(far, x));
}
FN float d_erfc(float x) {
  float a = d_abs(x);
  float tail = d_exp(d_erfc_exponent(a > 10.0f ? 10.0f : a));
  return d_isnan(x) ? x : (a < 0.921875f ? 1.0f - d_erf_near(x) : (x < 0.0f ? 2.0f - tail : tail));
}

// Trigonometry: reduction to |r| <= pi/4 and a quadrant.
STRUCT(Reduced) {
  float r;
  int quadrant;
};
// Bits of 1/(2 pi), after one empty word.
FN uint d_inverse_tau(uint i) {
  return i == 1u
             ? 0x28be60dbu
             : (i == 2u
                    ? 0x9391054au
                    : (i == 3u
                           ? 0x7f09d5f4u
                           : (i == 4u ? 0x7d4d3770u
                                      : (i == 5u ? 0x36d8a566u
                                                 : (i == 6u ? 0x4f10e410u : (i == 7u ? 0x7f9458eau : 0u))))));
}
FN Reduced d_reduce(float x) {
  Reduced o;
  float a = d_abs(x);
  if (a < 8192.0f) {
    float n = d_rint_small(x * 0.636619772f);
    float r = x - n * 1.5703125f;
    r = r - n * 4.837512969970703125e-4f;
    // Of few bits each, so that the products are exact: near a multiple of pi the differences are all that is
    // left.
    r = r - n * 7.5495336204767227e-08f;
    o.r = r - n * 2.563344068e-12f;
    o.quadrant = int(n) & 3;
    return o;
  }
  // The fraction of a/(2 pi) to 64 bits: the mantissa times those bits of 1/(2 pi) that count.
  uint shift = (as_uint(a) >> 23) - 126u, word = shift >> 5, bit = shift & 31u;
  uint m = (as_uint(a) << 8) | 0x80000000u;
  uint t0 = d_inverse_tau(word), t1 = d_inverse_tau(word + 1u), t2 = d_inverse_tau(word + 2u),
       t3 = d_inverse_tau(word + 3u);
  if (bit != 0u) {
    t0 = (t0 << bit) | (t1 >> (32u - bit));
    t1 = (t1 << bit) | (t2 >> (32u - bit));
    t2 = (t2 << bit) | (t3 >> (32u - bit));
  }
  uint carried = m * t1, lo = carried + d_mulhi(m, t2);
  uint hi = m * t0 + d_mulhi(m, t1) + (lo < carried ? 1u : 0u);
  uint q = (hi + 0x20000000u) >> 30;
  float f = float(int(hi - (q << 30))) * 2.3283064365386963e-10f + float(lo) * 5.421010862427522e-20f;
  float r = f * 6.28318530718f;
  o.r = x < 0.0f ? -r : r;
  o.quadrant = int(x < 0.0f ? (4u - q) & 3u : q & 3u);
  if (d_isnan(x) || d_isinf(x)) o.r = D_NAN;
  return o;
}
FN float d_sin_kernel(float r) {
  float z = r * r;
  float s = fma(fma(-1.9515295891e-4f, z, 8.3321608736e-3f), z, -1.6666654611e-1f);
  return fma(s * z, r, r);
}
FN float d_cos_kernel(float r) {
  float z = r * r;
  float c = fma(fma(2.443315711809948e-5f, z, -1.388731625493765e-3f), z, 4.166664568298827e-2f);
  return c * z * z - 0.5f * z + 1.0f;
}
FN float d_sin(float x) {
  Reduced o = d_reduce(x);
  float y = (o.quadrant & 1) != 0 ? d_cos_kernel(o.r) : d_sin_kernel(o.r);
  return (o.quadrant & 2) != 0 ? -y : y;
}
FN float d_cos(float x) {
  Reduced o = d_reduce(x);
  float y = (o.quadrant & 1) != 0 ? -d_sin_kernel(o.r) : d_cos_kernel(o.r);
  return (o.quadrant & 2) != 0 ? -y : y;
}
FN float d_tan(float x) {
  Reduced o = d_reduce(x);
  float s = d_sin_kernel(o.r), c = d_cos_kernel(o.r);
  return (o.quadrant & 1) != 0 ? -(c / s) : s / c;
}
FN float d_asin_kernel(float x) {  // |x| <= 0.5
  float z = x * x;
  float q = fma(4.2163199048e-2f, z, 2.4181311049e-2f);
  q = fma(q, z, 4.5470025998e-2f);
  q = fma(q, z, 7.4953002686e-2f);
  q = fma(q, z, 1.6666752422e-1f);
  return fma(q * z, x, x);
}
FN float d_asin(float x) {
  float a = d_abs(x);
  if (a > 1.0f) return D_NAN;
  if (a <= 0.5f) return d_asin_kernel(x);
  return d_copysign(1.57079637f - 2.0f * d_asin_kernel(sqrt(0.5f * (1.0f - a))), x);
}
FN float d_acos(float x) {
  float a = d_abs(x);
  if (a > 1.0f) return D_NAN;
  if (a <= 0.5f) return 1.57079637f - (d_asin_kernel(x) + 4.37113883e-8f);
  float t = 2.0f * d_asin_kernel(sqrt(0.5f * (1.0f - a)));
  return x < 0.0f ? 3.14159274f - t : (d_isnan(x) ? x : t);
}
FN float d_atan(float x) {
  float a = d_abs(x), base = 0.0f, t = a;
  if (a > 2.414213562373095f) {
    base = 1.57079637f;
    t = -1.0f / a;
  } else if (a > 0.4142135623730950f) {
    base = 0.785398185f;
    t = (a - 1.0f) / (a + 1.0f);
  }
  float z = t * t;
  float q = fma(8.05374449538e-2f, z, -1.38776856032e-1f);
  q = fma(q, z, 1.99777106478e-1f);
  q = fma(q, z, -3.33329491539e-1f);
  return d_isnan(x) ? x : d_copysign(base + fma(q * z, t, t), x);
}
FN float d_sinh(float x) {
  float a = d_abs(x);
  float t = d_expm1(a);
  float near = 0.5f * (t + t / (t + 1.0f));
  float e = d_exp(0.5f * a);
  return d_isnan(x) ? x : d_copysign(a < 80.0f ? near : (0.5f * e) * e, x);
}
FN float d_cosh(float x) {
  float a = d_abs(x);
  float e = d_exp(a < 80.0f ? a : 0.5f * a);
  return a < 80.0f ? 0.5f * e + 0.5f / e : (0.5f * e) * e;
}
FN float d_asinh(float x) {
  float a = d_abs(x);
  float near = d_log1p(a + a * a / (1.0f + sqrt(a * a + 1.0f)));
  float y = a < 1.0e9f ? near : d_log(a) + 0.693147181f;
  return d_isnan(x) ? x : d_copysign(y, x);
}
FN float d_acosh(float x) {
  float t = x - 1.0f;
  if (t < 0.0f) return D_NAN;
  return x < 1.0e9f ? d_log1p(t + sqrt(2.0f * t + t * t)) : d_log(x) + 0.693147181f;
}
FN float d_atanh(float x) {
  float a = d_abs(x);
  return d_isnan(x) ? x : d_copysign(0.5f * d_log1p(2.0f * a / (1.0f - a)), x);
}

// ---- Numbers of two floats
STRUCT(Pair) {
  float h;
  float l;
};
// a + b = h + l exactly.
FN Pair d_two_sum(float a, float b) {
  Pair o;
  o.h = a + b;
  float t = o.h - a;
  o.l = (a - (o.h - t)) + (b - t);
  return o;
}
// a * b = h + l exactly.
FN Pair d_two_product(float a, float b) {
  Pair o;
  float ca = 4097.0f * a, ah = ca - (ca - a), al = a - ah;
  float cb = 4097.0f * b, bh = cb - (cb - b), bl = b - bh;
  o.h = a * b;
  o.l = ((ah * bh - o.h) + ah * bl + al * bh) + al * bl;
  return o;
}
// ---- pow: log in two floats, the product in two floats, exp
FN Pair d_log_pair(float x) {  // x > 0
  bool subnormal = x < 1.17549435e-38f;
  float xn = subnormal ? x * 8388608.0f : x;
  uint t = as_uint(xn) - 0x3f3504f3u;
  float e = float((int(t) >> 23) + (subnormal ? -23 : 0));
  float m = as_float((t & 0x007fffffu) + 0x3f3504f3u);
  // s = (m-1)/(m+1); log m = 2s + 2/3 s^3 + ...
  float f = m - 1.0f, g = m + 1.0f;
  float gl = m - (g - 1.0f);
  float sh = f / g;
  Pair pr = d_two_product(sh, g);
  float sl = (((f - pr.h) - pr.l) - sh * gl) / g;
  Pair zz = d_two_product(sh, sh);
  float z = zz.h;
  float q = fma(fma(fma(0.18181819f, z, 0.22222222f), z, 0.28571429f), z, 0.4f) * z;
  Pair c3 = d_two_product(0.666666687f, z);
  float c3l = c3.l + (-1.98682149e-8f * z) + 0.666666687f * (zz.l + 2.0f * sh * sl) + q * z;
  Pair w = d_two_product(c3.h, sh);
  float wl = w.l + c3l * sh + c3.h * sl;
  float h = 2.0f * sh;
  float s1 = h + w.h;
  float s1l = ((h - s1) + w.h) + wl + 2.0f * sl;
  float eh = e * 0.693145752f, el = e * 1.42860677e-6f;
  float r = eh + s1, rb = r - eh;
  float rl = ((eh - (r - rb)) + (s1 - rb)) + s1l + el;
  Pair o;
  o.h = r + rl;
  o.l = (r - o.h) + rl;
  return o;
}
FN float d_pow_positive(float x, float y) {
  Pair l = d_log_pair(x);
  float yc = d_abs(y) > 1.0e10f ? d_copysign(1.0e10f, y) : y;
  Pair t = d_two_product(l.h, yc);
  float th = t.h, tl = t.l + l.l * yc;
  if (!(d_abs(th) < 1000.0f)) return th > 0.0f ? D_INF : 0.0f;
  th = th < -104.0f ? -104.0f : (th > 89.0f ? 89.0f : th);
  float n = d_rint_small(th * 1.44269504f);
  float r = th - n * 0.693359375f, rl = n * 2.12194440e-4f + tl;
  float rr = r + rl, rt = (r - rr) + rl;
  float v = ((rr * rr * d_exp_kernel(rr) + rt) + rr) + 1.0f;
  return d_scale(v, int(n));
}
FN float d_pow(float x, float y) {
  if (y == 0.0f || x == 1.0f) return 1.0f;
  if (d_isnan(x) || d_isnan(y)) return D_NAN;
  float a = d_abs(x), ay = d_abs(y);
  bool whole = ay >= 8388608.0f, odd = false;
  if (!whole) {
    int iy = int(y);
    whole = float(iy) == y;
    odd = whole && (iy & 1) != 0;
  } else if (ay < 16777216.0f) {
    odd = (int(ay) & 1) != 0;
  }
  float r;
  if (a == 0.0f || d_isinf(a)) {
    r = (a == 0.0f) == (y > 0.0f) ? 0.0f : D_INF;
  } else if (d_isinf(ay)) {
    r = a == 1.0f ? 1.0f : ((a > 1.0f) == (y > 0.0f) ? D_INF : 0.0f);
  } else {
    if (x < 0.0f && !whole) return D_NAN;
    r = d_pow_positive(a, y);
  }
  return ((as_uint(x) >> 31) != 0u && odd) ? -r : r;
}

// ---- Long sums: (h + l + ll) / s. l collects what each addition to h rounds off, ll what each addition to l
// does; s is a power of two that keeps large elements from overflowing on the way.
STRUCT(Sum) {
  float h;
  float l;
  float ll;
  float s;
};
FN Sum d_sum_of_none() {
  Sum o;
  o.h = 0.0f;
  o.l = 0.0f;
  o.ll = 0.0f;
  o.s = 1.0f;
  return o;
}
FN Sum d_sum_add(Sum a, float v) {  // v is at the scale s already
  Pair high = d_two_sum(a.h, v);
  Pair low = d_two_sum(a.l, high.l);
  a.h = high.h;
  a.l = low.h;
  a.ll += low.l;
  return a;
}
FN Sum d_sum_times(Sum a, float factor) {
  a.h *= factor;
  a.l *= factor;
  a.ll *= factor;
  return a;
}
FN Sum d_sum(Sum a, float v) {
  if (a.s == 1.0f && d_abs(v) > 7.922816251426434e28f) {  // 2^96
    a = d_sum_times(a, 5.421010862427522e-20f);           // 2^-64
    a.s = 5.421010862427522e-20f;
  }
  return d_sum_add(a, v * a.s);
}
// Adds v^2 at the scale s^2. With s = 2^80 at first it holds the squares of small numbers as well.
FN Sum d_sum_square(Sum a, float v) {
  if (a.s > 1.0f && d_abs(v) > 9.313225746154785e-10f) {  // 2^-30
    a = d_sum_times(d_sum_times(a, 8.271806125530277e-25f), 8.271806125530277e-25f);
    a.s = 1.0f;
  }
  if (a.s == 1.0f && d_abs(v) > 1.125899906842624e15f) {  // 2^50
    a = d_sum_times(d_sum_times(a, 8.271806125530277e-25f), 8.271806125530277e-25f);
    a.s = 8.271806125530277e-25f;  // 2^-80
  }
  float t = v * a.s;
  return d_sum_add(a, t * t);
}
// s times the sum, as a float and what that rounds off. Beside an infinite h the rest is meaningless.
FN Pair d_sum_pair(Sum a) {
  Pair o = d_two_sum(a.h, a.l + a.ll);
  if ((as_uint(a.h) & 0x7f800000u) == 0x7f800000u) {
    o.h = a.h;
    o.l = 0.0f;
  }
  return o;
}
FN float d_sum_value(Sum a) { return d_sum_pair(a).h; }
// The logarithm of s times the sum.
FN float d_sum_log(Sum a) {
  Pair t = d_sum_pair(a);
  float y = d_log(t.h);
  return t.l == 0.0f ? y : y + t.l / t.h;
}

// ---- Integers of floats: cut off towards zero, saturated, NaN as 0.
FN int d_to_i32(float x) {
  return d_isnan(x) ? 0
                    : (x >= 2147483648.0f ? 0x7fffffff : (x <= -2147483648.0f ? -0x7fffffff - 1 : int(x)));
}
FN uint d_to_u32(float x) {
  // In halves: not every device converts what lies beyond an int.
  return !(x > 0.0f)
             ? 0u
             : (x >= 4294967296.0f
                    ? 0xffffffffu
                    : (x >= 2147483648.0f ? uint(int(x - 2147483648.0f)) + 0x80000000u : uint(int(x))));
}
// The low 8 bits of the 64-bit integer: those of a float of 2^31 and more are zeros, until it saturates.
FN int d_to_low_bits(float x) {
  return d_isnan(x) ? 0 : (d_abs(x) < 2147483648.0f ? int(x) : (x >= 9223372036854775808.0f ? -1 : 0));
}

// ---- Activations
FN float d_sigmoid(float x) {
  float e = d_exp(-d_abs(x));
  float y = (x < 0.0f ? e : 1.0f) / (1.0f + e);
  return d_isnan(x) ? x : y;
}
FN float d_softplus(float x) { return d_isnan(x) ? x : (x > 0.0f ? x : 0.0f) + d_log1p(d_exp(-d_abs(x))); }
FN float d_mish(float x) {
  float e = d_exp(x > 20.0f ? 20.0f : x);
  float t = e * (e + 2.0f);
  return d_isnan(x) ? x : (x > 20.0f ? x : (x < -100.0f ? -0.0f : x * (t / (t + 2.0f))));
}
FN float d_gelu(float x) { return 0.5f * x * d_erfc(-0.707106781f * x); }
FN float d_gelu_tanh(float x) {
  float u = 0.797884561f * (x + 0.044715f * x * x * x);
  // 1 + tanh(u) = 2 sigmoid(2u), without cancellation for negative u
  return x * d_sigmoid(2.0f * u);
}
FN float d_hard_sigmoid(float x, float alpha, float beta) {
  return d_max(0.0f, d_min(1.0f, alpha * x + beta));
}
