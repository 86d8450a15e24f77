// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators on strings. Strings are UTF-8; what depends on a locale or on a version of Unicode is
// left out.
#include <map>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

// Strings in this order, again from the first where they are fewer than the elements.
Tensor Texts(const Dims& dims, const std::vector<std::string>& texts) {
  Tensor out(reference::kString, dims);
  for (int64_t i = 0; i < out.size(); ++i)
    out.data<std::string>()[i] = texts[static_cast<size_t>(i) % texts.size()];
  return out;
}

void RegexFullMatch(Domain& d) {
  static const std::map<std::string, std::string> kPatterns = {{"letters", "[a-z]+"},
                                                               {"literal", "cat"},
                                                               {"nothing", ""},
                                                               {"any", ".*"},
                                                               {"with_newline", "(?s).*"},
                                                               {"alternatives", "cat|dogs?|(?:c|h)at+"},
                                                               {"counted", "a{2,3}b?"},
                                                               {"lazy", "a+?.*?b*"},
                                                               {"classes", R"([[:alpha:]]+\d{1,2}[^\s])"},
                                                               {"anchors", "^cat$"},
                                                               {"boundary", R"(\bcat\b dog)"},
                                                               {"ignore_case", "(?i)CAT"},
                                                               {"escapes", R"(a\.b\*\x41\n?)"},
                                                               {"address", R"(\w[\w.-]*@(\w+\.)+[a-z]{2,})"},
                                                               {"unicode", R"(\p{L}+)"},
                                                               {"code_points", "..."},
                                                               {"nested", "((a|b)*c)*"}};
  std::vector<std::string> names = {"letters"};
  for (const auto& [name, pattern] : kPatterns)
    if (name != "letters") names.push_back(name);
  d.AttrText("pattern", kPatterns.at(d.Pick("pattern", names)));
  d.In(Texts(d.AnyShape(), {"cat",
                            "",
                            "cats",
                            "Cat",
                            "dogs",
                            "hatt",
                            "aab",
                            "aaab",
                            "a",
                            "abcabac",
                            "cat dog",
                            "cat\n",
                            "a.b*A",
                            "ab12!",
                            "me.too@example.org",
                            "@x.y",
                            "\xc3\xa9t\xc3\xa9",
                            "\xe6\x97\xa5\xe6\x9c\xac",
                            "caaat",
                            "a\nb",
                            "aaaab"}));
}

void StringConcat(Domain& d) {
  struct Shapes {
    const char* name;
    Dims x, y;
  };
  static const Shapes kShapes[] = {{"same", {3, 4}, {3, 4}},    {"scalar", {3, 4}, {}},
                                   {"of_scalar", {}, {5}},      {"scalars", {}, {}},
                                   {"row", {2, 3, 4}, {4}},     {"column", {3, 4}, {3, 1}},
                                   {"both", {3, 1, 5}, {4, 1}}, {"none", {0, 3}, {3}},
                                   {"long", {1025}, {1}},       {"deep", {2, 1, 3, 1, 2}, {2, 3, 2, 1}}};
  std::vector<std::string> names;
  for (const Shapes& s : kShapes) names.emplace_back(s.name);
  const std::string chosen = d.Pick("shapes", names);
  for (const Shapes& s : kShapes) {
    if (chosen != s.name) continue;
    for (const Dims* of : {&s.x, &s.y}) {
      Dims dims = *of;
      for (int64_t& e : dims) e = d.Extent(e);
      d.In(dims, d.Flag("long_words")
                     ? Words({std::string(1000, 'x'), "", "\xf0\x9f\x98\x80", std::string("nul\0nul", 7)})
                     : Words());
    }
  }
}

void StringNormalizer(Domain& d) {
  const std::string action = d.Pick("case_change_action", {"default", "NONE", "LOWER", "UPPER"});
  if (action != "default") d.AttrText("case_change_action", action);
  const std::string stop = d.Pick("stopwords", {"absent", "some", "all"});
  if (stop == "some") d.AttrTexts("stopwords", {"monday", "Friday", ""});
  if (stop == "all") d.AttrTexts("stopwords", {"monday", "MONDAY", "Monday", "friday", "Friday", "sunday"});
  if (d.Flag("is_case_sensitive")) d.AttrInt("is_case_sensitive", 1);
  if (d.Flag("locale")) d.AttrText("locale", "en_US");
  const Dims x = d.Shape("shape", {{6}, {1, 6}, {1}, {1, 1}, {1, 257}});
  d.In(Texts(x, stop == "all" ? std::vector<std::string>{"monday", "Friday", "MONDAY", "sunday"}
                              : std::vector<std::string>{"Monday", "tuesday", "FRIDAY", "Friday", "two Words",
                                                         "monday", "x1-Y2"}));
}

void StringSplit(Domain& d) {
  const std::string delimiter =
      d.Pick("delimiter", {"absent", "empty", "dash", "two_characters", "not_ascii"});
  const bool space = delimiter == "absent" || delimiter == "empty";
  if (delimiter == "empty") d.AttrText("delimiter", "");
  if (delimiter == "dash") d.AttrText("delimiter", "-");
  if (delimiter == "two_characters") d.AttrText("delimiter", "--");
  if (delimiter == "not_ascii") d.AttrText("delimiter", "\xc3\xa9");
  const int64_t most = d.Pick("maxsplit", {-1, 1, 2, 100});
  if (most >= 0) d.AttrInt("maxsplit", most);
  std::vector<std::string> texts = {"a b c",      "one", "  x y",       "t\xc3\xa9l\xc3\xa9phone",
                                    "a-b--c---d", "-",   "two  blanks", "\xc3\xa9"};
  // Whether a rest that is not split keeps the blanks at its end is not told.
  if (!(space && most >= 0)) texts.insert(texts.end(), {"", "end ", " \t\n ", "a-"});
  d.In(Texts(d.AnyShape(), texts));
}

void TfIdfVectorizer(Domain& d) {
  const bool strings = d.type("T") == reference::kString;
  const std::string mode = d.Pick("mode", {"TF", "IDF", "TFIDF"});
  d.AttrText("mode", mode);
  const std::vector<int64_t> lengths =
      d.PickInts("gram_lengths", {{1, 2}, {1, 1}, {2, 2}, {1, 3}, {2, 3}, {3, 3}});
  d.AttrInt("min_gram_length", lengths[0]);
  d.AttrInt("max_gram_length", lengths[1]);
  d.AttrInt("max_skip_count", d.Pick("max_skip_count", {0, 1, 2, 7}));
  // Four of one item, three of two, two of three.
  const std::vector<int64_t> pool = {2, 3, 5, 4, 5, 6, 7, 8, 6, 7, 5, 6, 7, 2, 3, 3};
  d.AttrInts("ngram_counts", {0, 4, 10});
  if (strings) {
    std::vector<std::string> words;
    for (const int64_t item : pool) words.push_back(std::to_string(item));
    d.AttrTexts("pool_strings", words);
  } else {
    d.AttrInts("pool_int64s", pool);
  }
  d.AttrInts("ngram_indexes",
             d.PickInts("ngram_indexes", {{0, 1, 2, 3, 4, 5, 6, 7, 8}, {3, 1, 8, 0, 10, 2, 12, 5, 4}}));
  if (d.Flag("weights")) d.AttrFloats("weights", {0.5f, 2, 0.25f, 1.5f, 3, 0.75f, 1.25f, 4, 0.125f});
  const Dims x = d.Shape("shape", {{12}, {2, 8}, {1, 12}, {1}, {3, 1}, {2, 3}, {5, 257}});
  d.In(x, Given({2, 3, 3, 5, 6, 7, 8, 1, 5, 5, 6, 6, 7, 7, 9, 4, 2, 3, 3}));
}

}  // namespace

std::span<const DomainEntry> TextDomains() {
  static const DomainEntry kDomains[] = {
      {"", "RegexFullMatch", RegexFullMatch},     {"", "StringConcat", StringConcat},
      {"", "StringNormalizer", StringNormalizer}, {"", "StringSplit", StringSplit},
      {"", "TfIdfVectorizer", TfIdfVectorizer},
  };
  return kDomains;
}

}  // namespace braid::conformance
