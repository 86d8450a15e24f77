// SPDX-License-Identifier: Apache-2.0
//
// The matrix product that MatMul, Gemm and 1x1 convolutions share.
#ifndef BRAID_PLUGINS_VULKAN_OPS_MATRIX_H_
#define BRAID_PLUGINS_VULKAN_OPS_MATRIX_H_

#include "plugins/vulkan/lowering.h"

namespace braid::vulkan {

// One side of a product: a batch of rows x cols within `tensor`, elements row_stride and col_stride apart,
// the matrices of the batch (of extents `batch`) dense one behind the other. `input`: that of the node if the
// tensor is it, else BRAID_NONE.
struct Matrix {
  Tensor tensor;
  uint32_t input = BRAID_NONE;
  Dims batch;
  int64_t rows = 0, cols = 0, row_stride = 0, col_stride = 1;
};

struct Bias {
  const Tensor* tensor = nullptr;
  uint32_t row_stride = 0, column_stride = 0;
};

// y[batch] = scale * a b + bias, with a's and b's batches broadcast to `batch`.
void MatrixProduct(Lowering& l, Matrix a, Matrix b, const Tensor& y, const Dims& batch, float scale,
                   const Bias& bias);

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_OPS_MATRIX_H_
