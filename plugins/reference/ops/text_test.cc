// SPDX-License-Identifier: Apache-2.0
//
// Expected values: the specification's examples, Python's str.split, RE2's documented syntax, or written by
// hand.
#include "plugins/reference/ops/regex.h"
#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Texts(std::vector<std::string> values) {
  return Tensor::Of<std::string>({static_cast<I64>(values.size())}, values);
}

TEST(StringConcatOp, Broadcasts) {
  ExpectTensor<std::string>(
      RunOp("StringConcat", {Tensor::Of<std::string>({2, 1}, {"a", ""}), Texts({"x", "\xc3\xa4"})})[0],
      {2, 2}, {"ax", "a\xc3\xa4", "x", "\xc3\xa4"});
  ExpectFails("StringConcat", {Texts({"a", "b"}), Texts({"a", "b", "c"})}, {}, "cannot be broadcast");
}

TEST(StringSplitOp, WhiteSpaceAndDelimiters) {
  auto out = RunOp("StringSplit", {Texts({"  a  b\tc ", "", "d"})}, {}, 2);
  ExpectTensor<std::string>(out[0], {3, 3}, {"a", "b", "c", "", "", "", "d", "", ""});
  ExpectTensor<I64>(out[1], {3}, {3, 0, 1});
  out = RunOp("StringSplit", {Texts({" a  b c "})}, {{"maxsplit", 1}}, 2);
  ExpectTensor<std::string>(out[0], {1, 2}, {"a", "b c "});
  out = RunOp("StringSplit", {Texts({"a,,b", ""})}, {{"delimiter", ","}}, 2);
  ExpectTensor<std::string>(out[0], {2, 3}, {"a", "", "b", "", "", ""});
  ExpectTensor<I64>(out[1], {2}, {3, 1});
  ExpectTensor<std::string>(
      RunOp("StringSplit", {Texts({"a--b--c"})}, {{"delimiter", "--"}, {"maxsplit", 1}}, 2)[0], {1, 2},
      {"a", "b--c"});
  EXPECT_EQ(RunOp("StringSplit", {Texts({})}, {}, 2)[0].dims(), (Dims{0, 0}));
}

TEST(StringNormalizerOp, StopWordsAndCase) {
  const Tensor days = Texts({"Monday", "monday", "\xc3\x84rger"});
  auto normal = [&](const char* action, int sensitive) {
    return RunOp("StringNormalizer", {days},
                 {{"case_change_action", action},
                  {"is_case_sensitive", sensitive},
                  {"stopwords", Strings{"monday"}}})[0];
  };
  ExpectTensor<std::string>(normal("LOWER", 1), {2}, {"monday", "\xc3\xa4rger"});
  ExpectTensor<std::string>(normal("UPPER", 1), {2}, {"MONDAY", "\xc3\x84RGER"});
  ExpectTensor<std::string>(normal("NONE", 0), {1}, {"\xc3\x84rger"});
  ExpectTensor<std::string>(
      RunOp("StringNormalizer", {Tensor::Of<std::string>({1, 1}, {"x"})}, {{"stopwords", Strings{"X"}}})[0],
      {1, 1}, {""});
  ExpectTensor<std::string>(
      RunOp("StringNormalizer", {Texts({"\xff\xc3"})}, {{"case_change_action", "LOWER"}})[0], {1},
      {"\xff\xc3"});
  ExpectFails("StringNormalizer", {Tensor::Of<std::string>({2, 1}, {"a", "b"})}, {}, "[C] or [1, C]");
  ExpectFails("StringNormalizer", {days}, {{"case_change_action", "TITLE"}}, "'TITLE' is not known");
}

TEST(Regex, WhatMatches) {
  struct Case {
    const char *pattern, *text;
    bool want;
  };
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"a", "a", true},
      {"a", "ab", false},
      {"a|bc", "bc", true},
      {"a|", "", true},
      {"(ab)*c+", "ababcc", true},
      {"(ab)*c+", "abab", false},
      {"a?b{2,3}", "bbb", true},
      {"a?b{2,3}", "abbbb", false},
      {"a{2}", "aa", true},
      {"a{2,}", "aaaaa", true},
      {"a{,2}", "a{,2}", true},
      {"a+?b*?", "aab", true},
      {".", "\n", false},
      {"(?s).", "\n", true},
      {".", "\xc3\xa4", true},
      {".", "\xff", false},
      {"[a-c]x[^a-c]", "bxd", true},
      {"[]a]", "]", true},
      {"[^]a]", "]", false},
      {"[a\\-z]", "-", true},
      {"[a-]", "-", true},
      {"[[:digit:]x]+", "1x2", true},
      {"[[:^digit:]]", "1", false},
      {"\\d\\D\\w\\W\\s\\S", "1a_- x", true},
      {"[\\d\\s]+", "1 2", true},
      {"[^\\W]", "a", true},
      {"\\x41\\x{e4}\\101\\n",
       "A\xc3\xa4"
       "A\n",
       true},
      {"\\Qa.b\\E+", "a.bb", true},
      {"\\.", ".", true},
      {"(?i)aB[c-d]\xc3\xa4", "AbD\xc3\x84", true},
      {"(?i)[^a]", "A", false},
      {"a(?i)b|c", "aB", true},
      {"a(?i)b|c", "C", true},
      {"a(?i:b)c", "aBC", false},
      {"(?i:a)(?-i)b", "AB", false},
      {"(?P<n>a)(?<m>b)(?:c)", "abc", true},
      {"^a$", "a", true},
      {"a^", "a", false},
      {"\\Aa\\z", "a", true},
      {"(?m)a$\n^b", "a\nb", true},
      {"a$\nb", "a\nb", false},
      {"a\\b.b", "a b", true},
      {"a\\Bb", "ab", true},
      {"a\\bb", "ab", false},
      {"(a*)*b", "aaab", true},
      {"(|a)+", "aa", true},
      {"(a|b|ab)*c", "abac", true},
      {"www[\\w.-]+\\.com", "www.foo-bar.com", true},
      {"\\pL+", "a\xc3\x9f\xce\xb1\xe4\xb8\xad", true},  // a, sharp s, alpha, a Han character
      {"\\p{L}", "1", false},
      {"\\p{Lu}\\p{Ll}", "\xc3\x84\xc3\xa4", true},
      {"\\p{Lu}", "\xc3\xa4", false},
      {"\\PL+", "1 \xe2\x82\xac", true},
      {"\\P{Lu}", "A", false},
      {"\\p{^Lu}|\\P{^Nd}", "7", true},
      {"\\P{^Lu}", "a", false},
      {"\\p{Nd}\\pN\\p{Sc}\\p{Zs}\\p{Pd}\\pM\\p{Cc}",
       "\xd9\xa3\xc2\xbd\xe2\x82\xac\xc2\xa0\xe2\x80\x94\xcc\x81\t", true},
      {"[\\p{Lu}\\d_]+", "\xd0\x96_9", true},
      {"[^\\pL]", "\xd0\x96", false},
      {"[\\PL-]+", "1-2", true},
      {"\\p{Any}*", "a\n\xf0\x9f\x98\x80", true},
      {"\\P{Any}", "a", false},
      {"\\pC", "\xcd\xb8", false},  // U+0378 is no character
      {"(?i)\\p{Lu}+", "aA\xc3\xa4", true},
      {"(?i)\\P{Lu}|[\\P{Ll}]", "a", false},
      {"(?i)\\p{Lt}+", "\xc7\x84\xc7\x85\xc7\x86", true},  // all cases of DZ with caron
      {"\\p{Lt}+", "\xc7\x84", false},
      {"\\pL", "\xff", false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(Regex(c.pattern).FullMatch(c.text), c.want) << c.pattern << " on " << c.text;
}

TEST(Regex, BadPatterns) {
  for (const char* pattern :
       {"(",       ")",       "[",           "[a",         "a**",     "a{2}{3}",    "*a",     "a{1001}",
        "a{3,2}",  "\\",      "\\1",         "\\y",        "[z-a]",   "[[:none:]]", "(?<=a)", "(?z)",
        "(?P<>a)", "\\xg",    "\\x{110000}", "\\pX",       "\xff",    "\\p",        "\\p{",   "\\p{L",
        "\\p{}",   "\\p{lu}", "\\p{Cn}",     "\\p{Greek}", "[\\p{^}]"})
    EXPECT_THROW(Regex{pattern}, RegexError) << pattern;
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += '(';
  EXPECT_THROW(Regex{nested}, RegexError);
  EXPECT_THROW(Regex{"(((a{1000}){1000}){1000}){1000}"}, RegexError);
  EXPECT_THROW(Regex{"((((){1000}){1000}){1000}){1000}"}, RegexError);
}

TEST(Regex, UnicodeClassesThatAreNotThereAreNamed) {
  ExpectFails("RegexFullMatch", {Texts({"a"})}, {{"pattern", "\\p{Greek}"}},
              "the Unicode class 'Greek' is not known: only general categories are, and Any");
}

// Counts as Unicode 14 has them.
TEST(Unicode, GeneralCategories) {
  const auto count = [](std::string_view name) {
    size_t n = 0;
    for (const auto& [first, last] : CategoryRanges(name)) n += last - first + 1;
    return n;
  };
  EXPECT_EQ(count("Lu"), 1831u);
  EXPECT_EQ(count("Ll"), 2227u);
  EXPECT_EQ(count("L"), 131756u);
  EXPECT_EQ(count("Mn"), 1950u);
  EXPECT_EQ(count("Nd"), 660u);
  EXPECT_EQ(count("So"), 6605u);
  EXPECT_EQ(count("Z"), 19u);
  EXPECT_EQ(count("C"), 139744u);
  EXPECT_EQ(count("Cn"), 0u);
  EXPECT_EQ(count(""), 0u);
}

TEST(Regex, NoPatternStalls) {
  const std::string text(20000, 'a');
  EXPECT_FALSE(Regex("(a+)+b").FullMatch(text));
  EXPECT_TRUE(Regex("(a|a|aa)*").FullMatch(text));
  std::string classes;
  for (int i = 0; i < 20000; ++i) classes += "\\pL";
  EXPECT_THROW(Regex{classes}, RegexError);
  EXPECT_TRUE(Regex("(?i)[" + classes + "]*").FullMatch(text));
}

TEST(RegexFullMatchOp, AnyShape) {
  ExpectTensor<bool>(
      RunOp("RegexFullMatch", {Tensor::Of<std::string>({1, 2}, {"a1", "b"})}, {{"pattern", "[a-z]\\d"}})[0],
      {1, 2}, {true, false});
  ExpectFails("RegexFullMatch", {Texts({"a"})}, {{"pattern", "("}}, "pattern '(': a group is not closed");
}

TEST(TfIdfVectorizerOp, ModesAndSkips) {
  const Tensor x = Tensor::Of<I64>({2, 3}, {2, 3, 2, 7, 3, 3});
  auto run = [&](const char* mode, int skips) {
    return RunOp("TfIdfVectorizer", {x},
                 {{"mode", mode},
                  {"min_gram_length", 1},
                  {"max_gram_length", 2},
                  {"max_skip_count", skips},
                  {"ngram_counts", Ints{0, 2}},
                  {"ngram_indexes", Ints{1, 0, 2, 3}},
                  {"pool_int64s", Ints{2, 3, 2, 3, 2, 2}},
                  {"weights", Floats{1, 2, 3, 4}}})[0];
  };
  ExpectTensor<float>(run("TF", 0), {2, 4}, {1, 2, 1, 0, 2, 0, 0, 0});
  ExpectTensor<float>(run("TF", 1), {2, 4}, {1, 2, 1, 1, 2, 0, 0, 0});
  ExpectTensor<float>(run("IDF", 1), {2, 4}, {2, 1, 3, 4, 2, 0, 0, 0});
  ExpectTensor<float>(run("TFIDF", 0), {2, 4}, {2, 2, 3, 0, 4, 0, 0, 0});
  const std::vector<Attr> strings = {{"mode", "TF"},
                                     {"min_gram_length", 2},
                                     {"max_gram_length", 2},
                                     {"max_skip_count", 0},
                                     {"ngram_counts", Ints{0, 0}},
                                     {"ngram_indexes", Ints{0}},
                                     {"pool_strings", Strings{"a", "b"}}};
  ExpectTensor<float>(RunOp("TfIdfVectorizer", {Texts({"a", "b", "a", "b"})}, strings)[0], {1}, {2});
  ExpectTensor<float>(RunOp("TfIdfVectorizer", {Texts({})}, strings)[0], {1}, {0});
}

TEST(TfIdfVectorizerOp, RefusesArraysThatDoNotFit) {
  const Tensor x = Tensor::Of<I64>({2}, {1, 2});
  auto attrs = [](Ints counts, Ints indexes, Ints pool) -> std::vector<Attr> {
    return {{"mode", "TF"},        {"min_gram_length", 1},   {"max_gram_length", 2},
            {"max_skip_count", 0}, {"ngram_counts", counts}, {"ngram_indexes", indexes},
            {"pool_int64s", pool}};
  };
  ExpectFails("TfIdfVectorizer", {x}, attrs({0, 9}, {0}, {1}), "do not rise within a pool of 1");
  ExpectFails("TfIdfVectorizer", {x}, attrs({-1}, {0}, {1}), "do not rise");
  ExpectFails("TfIdfVectorizer", {x}, attrs({0, 0}, {0}, {1}), "1 items of 2-grams");
  ExpectFails("TfIdfVectorizer", {x}, attrs({0}, {0}, {1, 2}), "more n-grams than the 1");
  ExpectFails("TfIdfVectorizer", {x}, attrs({0}, {-1}, {1}), "ngram_indexes hold -1");
  ExpectFails("TfIdfVectorizer", {x}, attrs({0}, {INT64_MAX}, {1}), "ngram_indexes hold");
  ExpectFails("TfIdfVectorizer", {Texts({"a"})}, attrs({0}, {0}, {1}), "pool_strings is missing");
}

}  // namespace
}  // namespace braid::reference
