// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/unicode.h"

#include <algorithm>
#include <iterator>

namespace braid::reference {
namespace {

#include "plugins/reference/ops/unicode_categories.inc"

constexpr uint32_t kNames = std::size(kCategoryNames);

}  // namespace

std::vector<CodeRange> CategoryRanges(std::string_view name) {
  std::vector<CodeRange> out;
  const auto add = [&](char32_t first, char32_t last) {
    if (!out.empty() && out.back().second + 1 == first)
      out.back().second = last;
    else
      out.emplace_back(first, last);
  };
  const auto fits = [&](uint32_t category) {
    const std::string_view full = kCategoryNames[category];
    return full != "Cn" && (name == full || (name.size() == 1 && name[0] == full[0]));
  };
  for (size_t i = 0; i < std::size(kCategoryRuns); ++i) {
    const uint32_t category = kCategoryRuns[i] & ((1 << kCategoryBits) - 1);
    const char32_t first = kCategoryRuns[i] >> kCategoryBits;
    const char32_t end =
        i + 1 < std::size(kCategoryRuns) ? kCategoryRuns[i + 1] >> kCategoryBits : kLastCodePoint + 1;
    if (category < kNames) {
      if (fits(category)) add(first, end - 1);
      continue;
    }
    for (char32_t c = first; c < end; ++c)
      if (fits(((c - first) % 2 == 0) == (category == kNames) ? kUppercase : kLowercase)) add(c, c);
  }
  return out;
}

std::vector<CodeRange> AnyCase(std::vector<CodeRange> ranges) {
  struct Cased {
    char32_t code, lower, upper;
  };
  static const std::vector<Cased>& cased = *[] {
    auto* all = new std::vector<Cased>();
    const CaseRules rules;
    for (char32_t c = 0; c <= kLastCodePoint; ++c)
      if (const Cased k{c, rules.Lower(c), rules.Upper(c)}; k.lower != c || k.upper != c) all->push_back(k);
    return all;
  }();
  SortRanges(&ranges);
  std::vector<CodeRange> more;
  for (const Cased& k : cased) {
    const char32_t forms[] = {k.code, k.lower, k.upper};
    if (std::any_of(std::begin(forms), std::end(forms), [&](char32_t c) { return InRanges(ranges, c); }))
      for (const char32_t c : forms) more.emplace_back(c, c);
  }
  ranges.insert(ranges.end(), more.begin(), more.end());
  SortRanges(&ranges);
  return ranges;
}

void SortRanges(std::vector<CodeRange>* ranges) {
  std::sort(ranges->begin(), ranges->end());
  size_t kept = 0;
  for (const CodeRange& r : *ranges) {
    if (kept > 0 && r.first <= (*ranges)[kept - 1].second + 1)
      (*ranges)[kept - 1].second = std::max((*ranges)[kept - 1].second, r.second);
    else
      (*ranges)[kept++] = r;
  }
  ranges->resize(kept);
}

bool InRanges(const std::vector<CodeRange>& ranges, char32_t c) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t x, const CodeRange& r) { return x < r.first; });
  return after != ranges.begin() && c <= std::prev(after)->second;
}

}  // namespace braid::reference
