// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/regex.h"

#include <algorithm>
#include <map>
#include <memory>

namespace braid::reference {
namespace {

using Set = Regex::Set;
using Assertion = Regex::Assertion;
using Instruction = Regex::Instruction;
using Ranges = std::vector<CodeRange>;

constexpr int kMostRepeats = 1000;  // as RE2 has it
constexpr int kMostDepth = 200;     // of groups: the parser recurses on whatever stack its thread has
constexpr size_t kMostInstructions = 1 << 20;
constexpr size_t kMostRanges = 1 << 22;  // of all sets: two letters may name hundreds

struct Node {
  enum Kind { kEmpty, kSet, kAssert, kSequence, kChoice, kRepeat } kind = kEmpty;
  int argument = 0;         // kSet: index; kAssert: Assertion
  int least = 0, most = 0;  // kRepeat; most < 0: without end
  std::vector<std::unique_ptr<Node>> children;
};
using NodePtr = std::unique_ptr<Node>;

NodePtr Make(Node::Kind kind, int argument = 0) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->argument = argument;
  return node;
}

Ranges Complement(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges out;
  char32_t next = 0;
  for (auto [first, last] : ranges) {
    if (first > next) out.emplace_back(next, first - 1);
    next = std::max<char32_t>(next, last + 1);
  }
  if (next <= kLastCodePoint) out.emplace_back(next, kLastCodePoint);
  return out;
}

const std::map<std::string, Ranges, std::less<>>& NamedClasses() {
  static const std::map<std::string, Ranges, std::less<>> kClasses = {
      {"d", {{'0', '9'}}},
      {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
      {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
      {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
      {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
      {"ascii", {{0, 0x7f}}},
      {"blank", {{'\t', '\t'}, {' ', ' '}}},
      {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
      {"digit", {{'0', '9'}}},
      {"graph", {{'!', '~'}}},
      {"lower", {{'a', 'z'}}},
      {"print", {{' ', '~'}}},
      {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
      {"space", {{'\t', '\r'}, {' ', ' '}}},
      {"upper", {{'A', 'Z'}}},
      {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
      {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
  };
  return kClasses;
}

class Parser {
 public:
  Parser(std::string_view pattern, std::vector<Set>* sets) : sets_(sets) {
    for (size_t at = 0; at < pattern.size();) {
      text_.push_back(NextCodePoint(pattern, &at));
      if (text_.back() > kLastCodePoint) throw RegexError("the pattern is no UTF-8");
    }
  }

  NodePtr Parse() {
    NodePtr node = Choice(0);
    if (!AtEnd()) throw RegexError("unexpected )");
    return node;
  }

 private:
  struct Flags {
    bool fold = false, multi_line = false, dot_newline = false;
  };

  bool AtEnd() const { return at_ == text_.size(); }
  bool Looking(std::string_view ahead) const {
    if (text_.size() - at_ < ahead.size()) return false;
    for (size_t i = 0; i < ahead.size(); ++i)
      if (text_[at_ + i] != static_cast<char32_t>(ahead[i])) return false;
    return true;
  }
  bool Accept(std::string_view ahead) {
    if (!Looking(ahead)) return false;
    at_ += ahead.size();
    return true;
  }
  char32_t Take(const char* within) {
    if (AtEnd()) throw RegexError(std::string("the pattern ends within ") + within);
    return text_[at_++];
  }

  NodePtr AddSet(Ranges ranges, bool negated = false) {
    SortRanges(&ranges);
    if ((ranges_ += ranges.size()) > kMostRanges) throw RegexError("the pattern is too large");
    sets_->push_back({std::move(ranges), negated, flags_.fold});
    return Make(Node::kSet, static_cast<int>(sets_->size()) - 1);
  }
  static NodePtr Assert(Assertion what) { return Make(Node::kAssert, static_cast<int>(what)); }

  // Flags set within a group end with it.
  NodePtr Choice(int depth) {
    if (depth > kMostDepth) throw RegexError("groups are nested too deeply");
    const Flags outer = flags_;
    NodePtr choice = Make(Node::kChoice);
    do choice->children.push_back(Sequence(depth));
    while (Accept("|"));
    flags_ = outer;
    return choice->children.size() == 1 ? std::move(choice->children[0]) : std::move(choice);
  }

  NodePtr Sequence(int depth) {
    NodePtr sequence = Make(Node::kSequence);
    while (!AtEnd() && !Looking("|") && !Looking(")")) {
      if (Accept("\\Q")) {
        while (!AtEnd() && !Accept("\\E")) sequence->children.push_back(Literal(text_[at_++]));
        if (!sequence->children.empty()) Repetitions(sequence->children.back());
        continue;
      }
      NodePtr atom = Atom(depth);
      Repetitions(atom);
      sequence->children.push_back(std::move(atom));
    }
    return sequence;
  }

  NodePtr Literal(char32_t c) { return AddSet({{c, c}}); }

  NodePtr Atom(int depth) {
    const char32_t c = text_[at_++];
    switch (c) {
      case '(':
        return Group(depth);
      case '[':
        return Class();
      case '.':
        return flags_.dot_newline ? AddSet({{0, kLastCodePoint}}) : AddSet({{'\n', '\n'}}, true);
      case '^':
        return Assert(flags_.multi_line ? Assertion::kLineBegin : Assertion::kTextBegin);
      case '$':
        return Assert(flags_.multi_line ? Assertion::kLineEnd : Assertion::kTextEnd);
      case '*':
      case '+':
      case '?':
        throw RegexError("nothing to repeat before " + std::string(1, static_cast<char>(c)));
      case '\\':
        break;
      default:
        return Literal(c);
    }
    if (Accept("A")) return Assert(Assertion::kTextBegin);
    if (Accept("z")) return Assert(Assertion::kTextEnd);
    if (Accept("b")) return Assert(Assertion::kWordEdge);
    if (Accept("B")) return Assert(Assertion::kNoWordEdge);
    if (Ranges ranges; ClassEscape(&ranges)) return AddSet(std::move(ranges));
    return Literal(Escape());
  }

  NodePtr Group(int depth) {
    const Flags outer = flags_;
    if (Accept("?")) {
      if (Accept("P<") || Accept("<")) {
        if (Looking("=") || Looking("!")) throw RegexError("lookbehind is not in RE2's syntax");
        bool any = false;
        for (char32_t c; (c = Take("a group's name")) != '>'; any = true)
          if (!IsWord(c)) throw RegexError("a group's name holds a character that is none of words");
        if (!any) throw RegexError("a group's name is empty");
      } else if (!GroupFlags()) {
        return Make(Node::kEmpty);  // (?i): for the rest of the enclosing group
      }
    }
    NodePtr node = Choice(depth + 1);
    if (!Accept(")")) throw RegexError("a group is not closed");
    flags_ = outer;
    return node;
  }

  // Reads "flags)", which is no group (false), or "flags:", which begins one (true).
  bool GroupFlags() {
    bool on = true;
    for (;;) {
      const char32_t c = Take("a group's flags");
      switch (c) {
        case 'i':
          flags_.fold = on;
          break;
        case 'm':
          flags_.multi_line = on;
          break;
        case 's':
          flags_.dot_newline = on;
          break;
        case 'U':
          break;  // which repetition is preferred does not change whether the whole matches
        case ')':
          return false;
        case ':':
          return true;
        case '-':
          if (!on) throw RegexError("two - in a group's flags");
          on = false;
          break;
        default:
          throw RegexError("a group's flags hold " +
                           (c < 0x80 ? std::string(1, static_cast<char>(c)) : "a character") +
                           ", which is none");
      }
    }
  }

  // *, +, ?, {n}, {n,}, {n,m}, each with a ? behind it or not.
  void Repetitions(NodePtr& atom) {
    bool repeated = false;
    for (;;) {
      int least, most;
      if (Accept("*")) {
        least = 0, most = -1;
      } else if (Accept("+")) {
        least = 1, most = -1;
      } else if (Accept("?")) {
        least = 0, most = 1;
      } else if (!Looking("{") || !Counts(&least, &most)) {
        return;
      }
      if (repeated) throw RegexError("a repetition is repeated");
      if (least > kMostRepeats || most > kMostRepeats || (most >= 0 && most < least))
        throw RegexError("the repetition {" + std::to_string(least) + "," + std::to_string(most) +
                         "} is not allowed");
      Accept("?");
      repeated = true;
      NodePtr repeat = Make(Node::kRepeat);
      repeat->least = least;
      repeat->most = most;
      repeat->children.push_back(std::move(atom));
      atom = std::move(repeat);
    }
  }

  // False, and nothing taken, where the brace is a plain one.
  bool Counts(int* least, int* most) {
    const size_t before = at_++;
    auto number = [&](int* n) {
      const size_t begin = at_;
      for (*n = 0; !AtEnd() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
        *n = std::min(*n * 10 + static_cast<int>(text_[at_] - '0'), kMostRepeats + 1);
      return at_ > begin;
    };
    if (number(least)) {
      *most = *least;
      if (Accept(",") && !number(most)) *most = -1;
      if (Accept("}")) return true;
    }
    at_ = before;
    return false;
  }

  static bool IsWord(char32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  }

  // After a backslash: pL, p{Lu}, p{^Lu}, or the same with P for the opposite.
  Ranges UnicodeClass() {
    bool negated = text_[at_++] == 'P';
    std::string name;
    if (Accept("{")) {
      if (Accept("^")) negated = !negated;
      for (char32_t c; (c = Take("a Unicode class")) != '}';) AppendCodePoint(c, &name);
    } else {
      AppendCodePoint(Take("a Unicode class"), &name);
    }
    auto [known, made] = unicode_.try_emplace({name, flags_.fold});
    Ranges& ranges = known->second;
    if (made) {
      ranges = name == "Any" ? Ranges{{0, kLastCodePoint}} : CategoryRanges(name);
      if (ranges.empty())
        throw RegexError("the Unicode class '" + name +
                         "' is not known: only general categories are, and Any");
      if (flags_.fold) ranges = AnyCase(std::move(ranges));
    }
    return negated ? Complement(ranges) : ranges;
  }

  // After a backslash: \d, \D and the like.
  bool ClassEscape(Ranges* ranges) {
    if (AtEnd()) throw RegexError("the pattern ends with a backslash");
    const char32_t c = text_[at_];
    if (c == 'p' || c == 'P') {
      *ranges = UnicodeClass();
      return true;
    }
    if (c == 'C') throw RegexError("\\C is not supported");
    const char32_t lower = c | 32;
    if (lower != 'd' && lower != 's' && lower != 'w') return false;
    ++at_;
    *ranges = NamedClasses().find(std::string(1, static_cast<char>(lower)))->second;
    if (c != lower) *ranges = Complement(*ranges);
    return true;
  }

  static int HexDigit(char32_t c) {
    if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
    c |= 32;
    return c >= 'a' && c <= 'f' ? static_cast<int>(c - 'a') + 10 : -1;
  }

  // After a backslash: one character.
  char32_t Escape() {
    const char32_t c = Take("an escape");
    switch (c) {
      case 'a':
        return '\a';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'v':
        return '\v';
      case 'x': {
        char32_t value = 0;
        if (Accept("{")) {
          for (char32_t d; (d = Take("\\x{}")) != '}';) {
            if (HexDigit(d) < 0 || (value = value * 16 + static_cast<char32_t>(HexDigit(d))) > kLastCodePoint)
              throw RegexError("\\x{} holds no code point");
          }
          return value;
        }
        for (int i = 0; i < 2; ++i) {
          const int digit = HexDigit(Take("\\x"));
          if (digit < 0) throw RegexError("\\x needs two hexadecimal digits");
          value = value * 16 + static_cast<char32_t>(digit);
        }
        return value;
      }
      default:
        break;
    }
    if (c >= '0' && c <= '7') {
      // Octal: \0, \01, \012 or three digits; a single other digit would refer back to a group.
      char32_t value = c - '0';
      int digits = 1;
      for (; digits < 3 && !AtEnd() && text_[at_] >= '0' && text_[at_] <= '7'; ++digits)
        value = value * 8 + (text_[at_++] - '0');
      if (c != '0' && digits < 3) throw RegexError("references to groups are not in RE2's syntax");
      return value;
    }
    if (c < 0x80 && IsWord(c))
      throw RegexError("the escape \\" + std::string(1, static_cast<char>(c)) + " is not known");
    return c;
  }

  NodePtr Class() {
    const bool negated = Accept("^");
    Ranges ranges;
    size_t room = 10000;  // before what is there more than once is dropped
    // A ] right at the beginning is a plain one.
    for (bool first = true; first || !Looking("]"); first = false) {
      if (AtEnd()) throw RegexError("a class is not closed");
      if (Accept("[:")) {
        const bool inverse = Accept("^");
        std::string name;
        for (char32_t c; (c = Take("a named class")) != ':';)
          name.push_back(c < 0x80 ? static_cast<char>(c) : '?');
        auto found = NamedClasses().find(name);
        if (!Accept("]") || found == NamedClasses().end() || name.size() == 1)
          throw RegexError("the class [:" + name + ":] is not known");
        const Ranges named = inverse ? Complement(found->second) : found->second;
        ranges.insert(ranges.end(), named.begin(), named.end());
        continue;
      }
      char32_t low = Take("a class");
      if (low == '\\') {
        if (Ranges named; ClassEscape(&named)) {
          ranges.insert(ranges.end(), named.begin(), named.end());
          if (ranges.size() > room) {
            SortRanges(&ranges);
            room = 2 * ranges.size() + 10000;
          }
          continue;
        }
        low = Escape();
      }
      char32_t high = low;
      if (Looking("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        high = Take("a class");
        if (high == '\\') high = Escape();
        if (high < low) throw RegexError("a range in a class runs backwards");
      }
      ranges.emplace_back(low, high);
    }
    ++at_;
    return AddSet(std::move(ranges), negated);
  }

  std::u32string text_;
  size_t at_ = 0;
  Flags flags_;
  size_t ranges_ = 0;
  std::map<std::pair<std::string, bool>, Ranges> unicode_;  // by name, and whether in any case
  std::vector<Set>* sets_;
};

// Instructions from the end of the pattern to its beginning: each node is compiled with what follows it.
class Compiler {
 public:
  explicit Compiler(std::vector<Instruction>* program) : program_(program) {}

  int Add(Instruction instruction) {
    if (program_->size() >= kMostInstructions) throw RegexError("the pattern is too large");
    program_->push_back(instruction);
    return static_cast<int>(program_->size()) - 1;
  }

  int Compile(const Node& node, int next) {
    // Repetitions of repetitions of nothing add no instruction.
    if (++steps_ > kMostInstructions) throw RegexError("the pattern is too large");
    switch (node.kind) {
      case Node::kEmpty:
        return next;
      case Node::kSet:
        return Add({Instruction::kSet, next, 0, node.argument});
      case Node::kAssert:
        return Add({Instruction::kAssert, next, 0, node.argument});
      case Node::kSequence:
        for (size_t i = node.children.size(); i-- > 0;) next = Compile(*node.children[i], next);
        return next;
      case Node::kChoice: {
        int choice = Compile(*node.children.back(), next);
        for (size_t i = node.children.size() - 1; i-- > 0;) {
          const int other = choice;
          choice = Add({Instruction::kSplit, Compile(*node.children[i], next), other, 0});
        }
        return choice;
      }
      case Node::kRepeat:
        break;
    }
    const Node& body = *node.children[0];
    if (node.most < 0) {
      // The split is made first, as the body goes back to it.
      const int loop = Add({Instruction::kSplit, next, next, 0});
      const int first = Compile(body, loop);
      (*program_)[static_cast<size_t>(loop)].next = first;
      next = loop;
    }
    const int end = next;
    for (int i = node.least; i < node.most; ++i)
      next = Add({Instruction::kSplit, Compile(body, next), end, 0});
    for (int i = 0; i < node.least; ++i) next = Compile(body, next);
    return next;
  }

 private:
  std::vector<Instruction>* program_;
  size_t steps_ = 0;
};

bool IsAsciiWord(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// `before` and `after`: code points around the position, 0 with `begin` or `end`.
bool Holds(Assertion what, bool begin, bool end, char32_t before, char32_t after) {
  const bool edge = (!begin && IsAsciiWord(before)) != (!end && IsAsciiWord(after));
  switch (what) {
    case Assertion::kTextBegin:
      return begin;
    case Assertion::kTextEnd:
      return end;
    case Assertion::kLineBegin:
      return begin || before == '\n';
    case Assertion::kLineEnd:
      return end || after == '\n';
    case Assertion::kWordEdge:
      return edge;
    default:
      return !edge;
  }
}

}  // namespace

Regex::Regex(std::string_view pattern) {
  const NodePtr root = Parser(pattern, &sets_).Parse();
  Compiler compiler(&program_);
  const int match = compiler.Add({Instruction::kMatch, 0, 0, 0});
  start_ = compiler.Compile(*root, match);
}

bool Regex::Contains(const Set& set, char32_t c) const {
  if (c > kLastCodePoint) return false;
  auto in = [&](char32_t x) { return InRanges(set.ranges, x); };
  return (in(c) || (set.fold && (in(rules_.Lower(c)) || in(rules_.Upper(c))))) != set.negated;
}

bool Regex::FullMatch(std::string_view text) const {
  std::vector<int> now, next, pending;
  std::vector<size_t> reached(program_.size(), SIZE_MAX);  // the position at which a state was last reached
  size_t position = 0;
  char32_t before = 0, after = 0;
  // Adds the states that `from` leads to without reading.
  auto add = [&](int from, size_t offset, bool end, std::vector<int>* to) {
    pending.push_back(from);
    while (!pending.empty()) {
      const int state = pending.back();
      pending.pop_back();
      if (reached[static_cast<size_t>(state)] == position) continue;
      reached[static_cast<size_t>(state)] = position;
      const Instruction& i = program_[static_cast<size_t>(state)];
      if (i.kind == Instruction::kSplit) {
        pending.push_back(i.next);
        pending.push_back(i.other);
      } else if (i.kind == Instruction::kAssert) {
        if (Holds(static_cast<Assertion>(i.argument), offset == 0, end, before, after))
          pending.push_back(i.next);
      } else {
        to->push_back(state);
      }
    }
  };
  auto peek = [&](size_t at) { return at < text.size() ? NextCodePoint(text, &at) : 0; };
  after = peek(0);
  add(start_, 0, text.empty(), &now);
  for (size_t at = 0; at < text.size() && !now.empty();) {
    const char32_t c = NextCodePoint(text, &at);
    ++position;
    before = c;
    after = peek(at);
    next.clear();
    for (int state : now) {
      const Instruction& i = program_[static_cast<size_t>(state)];
      if (i.kind == Instruction::kSet && Contains(sets_[static_cast<size_t>(i.argument)], c))
        add(i.next, at, at == text.size(), &next);
    }
    now.swap(next);
  }
  return std::any_of(now.begin(), now.end(), [&](int state) {
    return program_[static_cast<size_t>(state)].kind == Instruction::kMatch;
  });
}

}  // namespace braid::reference
