// SPDX-License-Identifier: Apache-2.0
//
// LOAD(T, x, i) and STORE(T, x, i, v): an element of type T as a value, for every target. Types of less than
// 32 bits become int, uint, float or bool.
#define LOAD(T, x, i) LOAD_(T, x, i)
#define LOAD_(T, x, i) LD_##T(x, i)
#define STORE(T, x, i, v) STORE_(T, x, i, v)
#define STORE_(T, x, i, v) ST_##T(x, i, v)
// The type of the value that LOAD gives.
#define VALUE(T) VALUE_(T)
#define VALUE_(T) V_##T
#define V_f32 float
#define V_f64 d_f64
#define V_f16 float
#define V_bf16 float
#define V_i8 int
#define V_u8 uint
#define V_b8 bool
#define V_i16 int
#define V_u16 uint
#define V_i32 int
#define V_u32 uint
#define V_i64 d_i64
#define V_u64 d_u64
#define V_v4 VF

#define LD_f32(x, i) x[i]
#define LD_f64(x, i) x[i]
#define LD_i32(x, i) x[i]
#define LD_u32(x, i) x[i]
#define LD_i64(x, i) x[i]
#define LD_u64(x, i) x[i]
#define LD_v4(x, i) x[i]
#define LD_f16(x, i) d_half_to_float(uint(x[i]))
#define LD_bf16(x, i) as_float(uint(x[i]) << 16)
#define LD_u8(x, i) uint(x[i])
#define LD_u16(x, i) uint(x[i])
#define LD_i8(x, i) int(x[i])
#define LD_i16(x, i) int(x[i])
#define LD_b8(x, i) (uint(x[i]) != 0u)
#define ST_f32(x, i, v) x[i] = (v)
#define ST_f64(x, i, v) x[i] = (v)
#define ST_i32(x, i, v) x[i] = (v)
#define ST_u32(x, i, v) x[i] = (v)
#define ST_i64(x, i, v) x[i] = (v)
#define ST_u64(x, i, v) x[i] = (v)
#define ST_v4(x, i, v) x[i] = (v)
#define ST_f16(x, i, v) x[i] = NARROW_u16(d_float_to_half(v))
#define ST_bf16(x, i, v) x[i] = NARROW_u16(d_float_to_bfloat(v))
#define ST_u8(x, i, v) x[i] = NARROW_u8(v)
#define ST_u16(x, i, v) x[i] = NARROW_u16(v)
#define ST_i8(x, i, v) x[i] = NARROW_i8(v)
#define ST_i16(x, i, v) x[i] = NARROW_i16(v)
#define ST_b8(x, i, v) x[i] = NARROW_u8((v) ? 1u : 0u)

#define LD_w1(x, i) x[i]
#define LD_w2(x, i) x[i]
#define LD_w4(x, i) x[i]
#define LD_w8(x, i) x[i]

// Inputs that a kernel may read through a texel buffer: ELEMENT(T, x, i) is LOAD. With TEXELS, T has four
// bytes.
#ifdef TEXELS
#define IN_ELEMENTS(n, T, x) IN_WORDS(n, x)
#define ELEMENT(T, x, i) ELEMENT_(T, x, i)
#define ELEMENT_(T, x, i) FROM_WORD_##T(WORD(x, i))
#define FROM_WORD_f32(w) as_float(w)
#define FROM_WORD_w4(w) (w)
#else
#define IN_ELEMENTS(n, T, x) IN(n, T, x)
#define ELEMENT(T, x, i) LOAD(T, x, i)
#endif

FN float d_half_to_float(uint h) {
  uint sign = (h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 0x3ffu;
  if (e == 0u) {  // zero or subnormal: m units of 2^-24
    return as_float(as_uint(float(m) * 5.9604644775390625e-8f) | sign);
  }
  return as_float(sign | (e == 31u ? 0x7f800000u : (e + 112u) << 23) | (m << 13));
}

// Rounds to nearest, ties to even.
FN uint d_float_to_half(float x) {
  uint u = as_uint(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return sign | 0x7e00u;
  if (a >= 0x477ff000u) return sign | 0x7c00u;  // 65520 and more round to infinity
  if (a < 0x33000001u) return sign;             // at most 2^-25
  uint e = a >> 23;
  if (e < 113u) {  // subnormal: a count of 2^-24
    uint m = (a & 0x7fffffu) | 0x800000u, s = 126u - e, q = m >> s, rest = m & ((1u << s) - 1u),
         half_way = 1u << (s - 1u);
    return sign | (q + ((rest > half_way || (rest == half_way && (q & 1u) != 0u)) ? 1u : 0u));
  }
  uint t = a - 0x38000000u;
  return sign | ((t + 0xfffu + ((t >> 13) & 1u)) >> 13);
}

FN uint d_float_to_bfloat(float x) {
  uint u = as_uint(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 64u;
  return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}
