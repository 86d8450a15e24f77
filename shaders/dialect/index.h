// SPDX-License-Identifier: Apache-2.0
//
// Element numbers of broadcast and strided tensors.

// The offset of element i of a tensor of extents dim[0..RANK) whose dimensions lie `stride` elements apart;
// RANK is a constant of the kernel, so that the loop unrolls and the outermost division goes.
#define D_MAX_RANK 6
#define D_WALK(i, dim, body)                          \
  {                                                   \
    uint d_rest = i;                                  \
    UNROLL for (int d = int(RANK) - 1; d >= 0; d--) { \
      uint d_c = d_rest;                              \
      if (d > 0) {                                    \
        uint d_q = d_rest / dim[d];                   \
        d_c = d_rest - d_q * dim[d];                  \
        d_rest = d_q;                                 \
      }                                               \
      body                                            \
    }                                                 \
  }
