// SPDX-License-Identifier: Apache-2.0
//
// Multidirectional broadcasting (ONNX "Broadcasting in ONNX"): shapes align at the right, an extent of 1
// stretches.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_BROADCAST_H_
#define BRAID_PLUGINS_REFERENCE_OPS_BROADCAST_H_

#include <array>
#include <vector>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// The common shape of all; throws an error that names both shapes where they do not fit.
Dims BroadcastDims(const OpContext& op, std::span<const Dims> shapes);
// Strides, in elements, with which a tensor of `dims` is walked as `out` (0 where it stretches).
Dims BroadcastStrides(const Dims& dims, const Dims& out);

// Calls row(offset_of_out, offsets_of_inputs[], count, inner_strides_of_inputs[]) for each innermost run of
// `out`: adjacent axes over which every input is contiguous (or constant) are merged first, so that rows are
// long.
template <size_t N, class Row>
void ForEachRow(const Dims& out, const std::array<Dims, N>& strides, const Row& row) {
  // Merge axes from the right: axis i joins axis i+1 when every input steps over it as over one longer axis.
  Dims extents;
  std::array<Dims, N> merged;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 1) continue;
    bool joins = !extents.empty();
    for (size_t k = 0; k < N && joins; ++k) joins = merged[k].back() == strides[k][i] * out[i];
    if (joins) {
      extents.back() *= out[i];
      for (size_t k = 0; k < N; ++k) merged[k].back() = strides[k][i];
    } else {
      extents.push_back(out[i]);
      for (size_t k = 0; k < N; ++k) merged[k].push_back(strides[k][i]);
    }
  }
  int64_t total = 1;
  for (int64_t e : extents) total *= e;
  if (total == 0) return;
  int64_t count = extents.empty() ? 1 : extents.back();
  std::array<int64_t, N> inner{}, offsets{};
  if (!extents.empty())
    for (size_t k = 0; k < N; ++k) inner[k] = merged[k].back();
  Dims index(extents.size(), 0);
  for (int64_t at = 0; at < total; at += count) {
    row(at, offsets, count, inner);
    for (size_t i = extents.size(); i-- > 1;) {
      size_t axis = i - 1;
      for (size_t k = 0; k < N; ++k) offsets[k] += merged[k][axis];
      if (++index[axis] < extents[axis]) break;
      for (size_t k = 0; k < N; ++k) offsets[k] -= merged[k][axis] * extents[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_BROADCAST_H_
