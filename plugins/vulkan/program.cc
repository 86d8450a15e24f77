// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/program.h"

#include <algorithm>

namespace braid::vulkan {

void Program::PlanWorkspace() {
  constexpr uint64_t kAlignment = 256;
  for (size_t i = 0; i < steps.size(); ++i) {
    for (const Step::Use& use : steps[i].uses) {
      Storage& s = storages[use.storage];
      if (s.first < 0) s.first = static_cast<int32_t>(i);
      s.last = static_cast<int32_t>(i);
    }
  }
  std::vector<Storage*> order, placed;
  for (Storage& s : storages)
    if (s.kind == Storage::kTemporary && s.first >= 0) order.push_back(&s);
  std::stable_sort(order.begin(), order.end(),
                   [](const Storage* a, const Storage* b) { return a->bytes > b->bytes; });
  workspace = 0;
  for (Storage* s : order) {
    std::vector<const Storage*> others;
    for (const Storage* p : placed)
      if (p->first <= s->last && s->first <= p->last) others.push_back(p);
    std::sort(others.begin(), others.end(),
              [](const Storage* a, const Storage* b) { return a->offset < b->offset; });
    auto size = [](const Storage* x) {
      return (std::max<uint64_t>(x->bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    };
    uint64_t at = 0;
    for (const Storage* p : others) {
      if (at + size(s) <= p->offset) break;
      at = std::max(at, p->offset + size(p));
    }
    s->offset = at;
    workspace = std::max(workspace, at + size(s));
    placed.push_back(s);
  }
}

}  // namespace braid::vulkan
