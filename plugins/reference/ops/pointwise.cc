// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {

void ForChunks(const OpContext& op, int64_t n, int64_t cost,
               const std::function<void(int64_t, int64_t)>& body) {
  constexpr int64_t kChunk = 1 << 14;
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  op.parallel().For(chunks, kChunk * cost,
                    [&](int64_t c) { body(c * kChunk, std::min(n, (c + 1) * kChunk)); });
}

void ForEachPairRow(const OpContext& op, const Dims& out, const Dims& a, const Dims& b, int64_t cost,
                    const std::function<void(const PairRow&)>& row) {
  constexpr int64_t kPart = 1 << 15;
  const std::array<Dims, 2> strides = {BroadcastStrides(a, out), BroadcastStrides(b, out)};
  size_t axis = 0;
  while (axis < out.size() && out[axis] == 1) ++axis;
  const int64_t total = Count(out), extent = axis < out.size() ? out[axis] : 1;
  if (total == 0) return;
  const int64_t parts = std::clamp<int64_t>(total / kPart, 1, extent), slab = total / extent;
  op.parallel().For(parts, total / parts * cost, [&](int64_t p) {
    const int64_t begin = extent * p / parts, end = extent * (p + 1) / parts;
    Dims part = out;
    std::array<int64_t, 2> shift{};
    if (axis < out.size()) {
      part[axis] = end - begin;
      shift = {begin * strides[0][axis], begin * strides[1][axis]};
    }
    ForEachRow<2>(part, strides, [&](int64_t at, const auto& offsets, int64_t count, const auto& inner) {
      row({begin * slab + at, count, {offsets[0] + shift[0], offsets[1] + shift[1]}, inner});
    });
  });
}

}  // namespace braid::reference
