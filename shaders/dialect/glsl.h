// SPDX-License-Identifier: Apache-2.0
//
// The kernel dialect as GLSL for Vulkan. What a kernel may use is listed in shaders/README.md; another target
// gives the same names. Included after the variant's own #defines (element types, tile sizes).
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_control_flow_attributes : require
#define D_GLSL 1

// ---- The shape of a kernel
// clang-format off
#define PARAMS struct Params
#define CONSTANT(id, T, name, value) layout(constant_id = id) const T name = value;
#define KERNEL(name) layout(local_size_x = WGX, local_size_y = WGY, local_size_z = 1) in; \
  layout(std430, push_constant) uniform D_params { Params p; };
#define IN(n, T, x)    layout(std430, binding = n) readonly buffer D_buffer_##x { STORAGE(T) x[]; };
#define OUT(n, T, x)   layout(std430, binding = n) writeonly buffer D_buffer_##x { STORAGE(T) x[]; };
#define INOUT(n, T, x) layout(std430, binding = n) buffer D_buffer_##x { STORAGE(T) x[]; };
// Buffers of f32 that are only read, in vectors of four or in words: VECTOR(x, i) and FLOAT(x, i) are their
// elements. With TEXELS they are texel buffers, which lavapipe reads about ten times as fast.
#ifdef TEXELS
#define IN_VECTORS(n, x) layout(binding = n) uniform textureBuffer D_texels_##x;
#define VECTOR(x, i) texelFetch(D_texels_##x, int(i))
#define IN_WORDS(n, x) layout(binding = n) uniform utextureBuffer D_texels_##x;
#define WORD(x, i) texelFetch(D_texels_##x, int(i)).r
#else
#define IN_VECTORS(n, x) IN(n, v4, x)
#define VECTOR(x, i) x[i]
#define IN_WORDS(n, x) IN(n, u32, x)
#define WORD(x, i) x[i]
#endif
#define FLOAT(x, i) as_float(WORD(x, i))
#define LOCALS
#define LOCAL(T, x, n) shared T x[n];
#define BEGIN void main() {
#define END }
#define FN
#define UNROLL [[unroll]]
#define NO_UNROLL [[dont_unroll]]
#define BARRIER barrier()
#define STRUCT(n) struct n
// clang-format on

// ---- Where this work item is
#define GID0 gl_GlobalInvocationID.x
#define GID1 gl_GlobalInvocationID.y
#define GID2 gl_GlobalInvocationID.z
#define LID0 gl_LocalInvocationID.x
#define LID1 gl_LocalInvocationID.y
#define WG0 gl_WorkGroupID.x
#define WG1 gl_WorkGroupID.y
#define WG2 gl_WorkGroupID.z
// Runs what follows for every i below n; how many work items share that is the host's choice (few where a
// work group costs much to start, as on lavapipe).
#define FOR_EACH(i, n) \
  NO_UNROLL for (uint i = gl_GlobalInvocationID.x; i < (n); i += gl_NumWorkGroups.x * uint(WGX))

// ---- Values
#define d_i64 int64_t
#define d_u64 uint64_t
#define d_f64 float64_t
#define VF vec4
#define VW 4u
#define as_uint floatBitsToUint
#define as_int floatBitsToInt
#define as_float(u) uintBitsToFloat(u)

uint d_mulhi(uint a, uint b) {
  uint hi, lo;
  umulExtended(a, b, hi, lo);
  return hi;
}

// ---- Storage: the type in memory of each element type. f16 and bf16 are stored as bits and computed as
// float, so they ask nothing of the device but 16-bit storage; wN is N bytes that are only moved.
#define STORAGE(T) STORAGE_(T)
#define STORAGE_(T) S_##T
#define S_f32 float
#define S_f64 float64_t
#define S_f16 uint16_t
#define S_bf16 uint16_t
#define S_i8 int8_t
#define S_u8 uint8_t
#define S_b8 uint8_t
#define S_i16 int16_t
#define S_u16 uint16_t
#define S_i32 int
#define S_u32 uint
#define S_i64 int64_t
#define S_u64 uint64_t
#define S_v4 vec4
#define S_w1 uint8_t
#define S_w2 uint16_t
#define S_w4 uint
#define S_w8 uvec2

#define NARROW_u8(v) uint8_t(v)
#define NARROW_i8(v) int8_t(v)
#define NARROW_u16(v) uint16_t(v)
#define NARROW_i16(v) int16_t(v)
