// SPDX-License-Identifier: Apache-2.0
#include "core/graph/nearest.h"

#include <algorithm>

namespace braid {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestName(std::string_view wrong, const std::vector<std::string>& candidates, size_t most) {
  constexpr size_t kMaxBytes = 256;
  if (wrong.size() > kMaxBytes) return "";
  const std::string* best = nullptr;
  size_t least = most + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > wrong.size() + most || candidate.size() + most < wrong.size()) continue;
    if (const size_t distance = EditDistance(wrong, candidate); distance < least) {
      least = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : *best;
}

}  // namespace braid
