// SPDX-License-Identifier: Apache-2.0
//
// Element numbers of broadcast and strided tensors.

// n / d for n below 2^31 and d from 1 to there. Devices have no instruction for it; lavapipe would divide
// lane by lane.
FN uint d_divide(uint n, uint d) {
  float scale = 1.0f / float(int(d));
  int q = int(min(float(int(n)) * scale, 2147483520.0f));
  q += int(floor(float(int(n) - q * int(d)) * scale));  // the first is off by at most 2^-22 of itself
  int rest = int(n) - q * int(d);
  return uint(rest < 0 ? q - 1 : (rest >= int(d) ? q + 1 : q));
}

// The offset of element i of a tensor of extents dim[0..RANK) whose dimensions lie `stride` elements apart;
// RANK is a constant of the kernel, so that the loop unrolls and the outermost division goes.
#define D_MAX_RANK 6
#define D_WALK(i, dim, body)                          \
  {                                                   \
    uint d_rest = i;                                  \
    UNROLL for (int d = int(RANK) - 1; d >= 0; d--) { \
      uint d_c = d_rest;                              \
      if (d > 0) {                                    \
        uint d_q = d_divide(d_rest, dim[d]);          \
        d_c = d_rest - d_q * dim[d];                  \
        d_rest = d_q;                                 \
      }                                               \
      body                                            \
    }                                                 \
  }
