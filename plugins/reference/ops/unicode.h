// SPDX-License-Identifier: Apache-2.0
//
// UTF-8 as code points, their upper and lower case, and their categories.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_UNICODE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_UNICODE_H_

#include <locale.h>
#include <wctype.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid::reference {

inline constexpr char32_t kLastCodePoint = 0x10ffff;

// The code point at text[*at], which moves behind it. A byte that begins no valid sequence is kLastCodePoint
// + 1 + byte.
inline char32_t NextCodePoint(std::string_view text, size_t* at) {
  const uint8_t first = static_cast<uint8_t>(text[(*at)++]);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  static constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  char32_t code = first & (0x3f >> more);
  bool valid = first >= 0xc2 && first < 0xf8 && *at + static_cast<size_t>(more) <= text.size();
  for (size_t i = 0; valid && i < static_cast<size_t>(more); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[*at + i]);
    valid = (byte & 0xc0) == 0x80;
    code = code << 6 | (byte & 0x3f);
  }
  if (!valid || code < kLeast[more] || code > kLastCodePoint || (code >= 0xd800 && code < 0xe000))
    return kLastCodePoint + 1 + first;
  *at += static_cast<size_t>(more);
  return code;
}

// The inverse, for raw bytes too.
inline void AppendCodePoint(char32_t code, std::string* text) {
  if (code > kLastCodePoint) {
    text->push_back(static_cast<char>(code - kLastCodePoint - 1));
  } else if (code < 0x80) {
    text->push_back(static_cast<char>(code));
  } else {
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    text->push_back(static_cast<char>((0xff00 >> (more + 1) & 0xff) | code >> (6 * more)));
    for (int i = more; i-- > 0;) text->push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3f)));
  }
}

// The case rules of a locale ("en_US", "tr_TR" ...) where the system has it, else those of Unicode (C.UTF-8).
class CaseRules {
 public:
  explicit CaseRules(const std::string& name = "") {
    if (!name.empty()) locale_ = newlocale(LC_CTYPE_MASK, (name + ".UTF-8").c_str(), nullptr);
    if (locale_ == nullptr && !name.empty()) locale_ = newlocale(LC_CTYPE_MASK, name.c_str(), nullptr);
    if (locale_ == nullptr) locale_ = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  }
  ~CaseRules() {
    if (locale_ != nullptr) freelocale(locale_);
  }
  CaseRules(const CaseRules&) = delete;
  CaseRules& operator=(const CaseRules&) = delete;

  char32_t Lower(char32_t c) const {
    if (c < 0x80 && locale_ == nullptr) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return locale_ == nullptr || c > kLastCodePoint
               ? c
               : static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), locale_));
  }
  char32_t Upper(char32_t c) const {
    if (c < 0x80 && locale_ == nullptr) return c >= 'a' && c <= 'z' ? c - 32 : c;
    return locale_ == nullptr || c > kLastCodePoint
               ? c
               : static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), locale_));
  }
  std::string Changed(std::string_view text, bool to_upper) const {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const char32_t code = NextCodePoint(text, &at);
      AppendCodePoint(to_upper ? Upper(code) : Lower(code), &out);
    }
    return out;
  }

 private:
  locale_t locale_ = nullptr;
};

// Code points from the first to the second.
using CodeRange = std::pair<char32_t, char32_t>;
// Sorts them and joins those that touch.
void SortRanges(std::vector<CodeRange>* ranges);
// `ranges` are sorted.
bool InRanges(const std::vector<CodeRange>& ranges, char32_t c);
// The code points of a general category of Unicode, "Lu", or of all that begin with a letter, "L"; sorted. As
// in RE2 there is no Cn, and C is without it. Empty if there is no such category.
std::vector<CodeRange> CategoryRanges(std::string_view name);
// And their other cases; sorted.
std::vector<CodeRange> AnyCase(std::vector<CodeRange> ranges);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_UNICODE_H_
