// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions in RE2's syntax, matched against whole strings in time linear in their length (all
// states of a nondeterministic automaton at once), so that no pattern and no text can stall it. Of the
// Unicode classes there are the general categories (\pL, \p{Lu}) and Any, not the scripts; nor is there \C.
//
//   Regex regex("a(b|c)*");   // throws RegexError
//   regex.FullMatch("abcb")   // true
#ifndef BRAID_PLUGINS_REFERENCE_OPS_REGEX_H_
#define BRAID_PLUGINS_REFERENCE_OPS_REGEX_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/reference/ops/unicode.h"

namespace braid::reference {

struct RegexError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Regex {
 public:
  explicit Regex(std::string_view pattern);
  bool FullMatch(std::string_view text) const;

  // What `fold` and `negated` make of the ranges.
  struct Set {
    std::vector<CodeRange> ranges;  // sorted
    bool negated = false, fold = false;
  };
  enum class Assertion : uint8_t { kTextBegin, kTextEnd, kLineBegin, kLineEnd, kWordEdge, kNoWordEdge };
  struct Instruction {
    enum Kind : uint8_t { kSet, kSplit, kAssert, kMatch } kind;
    int next, other;  // where to go on; a split goes to both
    int argument;     // index of a set, or an Assertion
  };

 private:
  bool Contains(const Set& set, char32_t c) const;
  std::vector<Instruction> program_;
  std::vector<Set> sets_;
  int start_ = 0;
  CaseRules rules_;
};

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_REGEX_H_
