// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/broadcast.h"

namespace braid::reference {

Dims BroadcastDims(const OpContext& op, std::span<const Dims> shapes) {
  Dims out;
  for (const Dims& shape : shapes) {
    if (shape.size() > out.size()) out.insert(out.begin(), shape.size() - out.size(), 1);
    size_t shift = out.size() - shape.size();
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t& extent = out[shift + i];
      if (shape[i] == extent || shape[i] == 1) continue;
      if (extent != 1) {
        std::string all;
        for (const Dims& s : shapes) all += (all.empty() ? "" : " and ") + DimsText(s);
        op.Fail("shapes " + all + " cannot be broadcast together");
      }
      extent = shape[i];
    }
  }
  return out;
}

Dims BroadcastStrides(const Dims& dims, const Dims& out) {
  Dims own = StridesOf(dims), strides(out.size(), 0);
  size_t shift = out.size() - dims.size();
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1) strides[shift + i] = own[i];
  return strides;
}

}  // namespace braid::reference
