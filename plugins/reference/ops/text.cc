// SPDX-License-Identifier: Apache-2.0
//
// Operators on strings. Strings are UTF-8; bytes that are not pass through unchanged.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"
#include "plugins/reference/ops/regex.h"
#include "plugins/reference/ops/unicode.h"

namespace braid::reference {
namespace {

// StringConcat-20: X + Y, broadcast.
void StringConcat(OpContext& op) {
  const Tensor &x = op.input(0), &y = op.input(1);
  const Dims shapes[] = {x.dims(), y.dims()};
  const Dims dims = BroadcastDims(op, shapes);
  Tensor& out = op.Output(0, kString, dims);
  const std::array<Dims, 2> strides = {BroadcastStrides(shapes[0], dims), BroadcastStrides(shapes[1], dims)};
  ForEachRow(
      dims, strides,
      [&](int64_t at, const std::array<int64_t, 2>& from, int64_t n, const std::array<int64_t, 2>& step) {
        for (int64_t i = 0; i < n; ++i)
          out.data<std::string>()[at + i] =
              x.data<std::string>()[from[0] + i * step[0]] + y.data<std::string>()[from[1] + i * step[1]];
      });
}

// Unicode's White_Space and the ASCII separators 1C to 1F.
bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

// At runs of white space, without those at the ends. After `most` splits the rest is one piece, up to its
// very end.
std::vector<std::string_view> SplitAtSpace(std::string_view text, int64_t most) {
  std::vector<std::string_view> parts;
  size_t begin = std::string_view::npos;  // of the piece being read
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    const bool space = IsSpace(NextCodePoint(text, &at));
    if (space && begin != std::string_view::npos) {
      parts.push_back(text.substr(begin, here - begin));
      begin = std::string_view::npos;
    } else if (!space && begin == std::string_view::npos) {
      begin = here;
      if (most >= 0 && static_cast<int64_t>(parts.size()) >= most) break;
    }
  }
  if (begin != std::string_view::npos) parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view text, std::string_view delimiter, int64_t most) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t end = text.find(delimiter, begin);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + delimiter.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// StringSplit-20: pieces along a new last axis, padded with empty strings, and how many there are.
void StringSplit(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::string delimiter = op.String("delimiter", "");
  const int64_t most = op.HasAttr("maxsplit") ? op.Int("maxsplit", -1) : -1;
  std::vector<std::vector<std::string_view>> parts;
  int64_t longest = 0;
  for (const std::string& text : in.values<std::string>()) {
    parts.push_back(delimiter.empty() ? SplitAtSpace(text, most) : SplitAt(text, delimiter, most));
    longest = std::max(longest, static_cast<int64_t>(parts.back().size()));
  }
  if (op.wants(0)) {
    Dims dims = in.dims();
    dims.push_back(longest);
    Tensor& out = op.Output(0, kString, dims);
    for (size_t i = 0; i < parts.size(); ++i) {
      std::string* to = out.data<std::string>() + static_cast<int64_t>(i) * longest;
      for (size_t k = 0; k < static_cast<size_t>(longest); ++k)
        to[k] = k < parts[i].size() ? std::string(parts[i][k]) : std::string();
    }
  }
  if (op.wants(1)) {
    Tensor& counts = op.Output(1, kInt64, in.dims());
    for (size_t i = 0; i < parts.size(); ++i)
      counts.data<int64_t>()[i] = static_cast<int64_t>(parts[i].size());
  }
}

// RegexFullMatch-20
void RegexFullMatch(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::string pattern = op.String("pattern", "");
  Tensor& out = op.Output(0, kBool, in.dims());
  try {
    const Regex regex(pattern);
    op.parallel().For(in.size(), 1000,
                      [&](int64_t i) { out.data<bool>()[i] = regex.FullMatch(in.data<std::string>()[i]); });
  } catch (const RegexError& e) {
    op.Fail("pattern '" + pattern + "': " + e.what());
  }
}

// StringNormalizer-10: drops elements that are stop words, then changes the case of the others.
void StringNormalizer(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() == 1 || (in.rank() == 2 && in.dim(0) == 1),
           "the input must have the shape [C] or [1, C], its shape is " + DimsText(in.dims()));
  const std::string action = op.String("case_change_action", "NONE");
  op.Check(action == "NONE" || action == "LOWER" || action == "UPPER",
           "case_change_action '" + action + "' is not known");
  const bool case_sensitive = op.Int("is_case_sensitive", 0) != 0;
  const CaseRules rules(op.String("locale", "en_US"));
  std::set<std::string> stop;
  for (const std::string& word : op.Strings("stopwords"))
    stop.insert(case_sensitive ? word : rules.Changed(word, false));
  std::vector<std::string> kept;
  for (const std::string& word : in.values<std::string>()) {
    if (!stop.empty() && stop.count(case_sensitive ? word : rules.Changed(word, false)) != 0) continue;
    kept.push_back(action == "NONE" ? word : rules.Changed(word, action == "UPPER"));
  }
  if (kept.empty()) kept.emplace_back();
  Dims dims = in.dims();
  dims.back() = static_cast<int64_t>(kept.size());
  Tensor& out = op.Output(0, kString, dims);
  std::move(kept.begin(), kept.end(), out.data<std::string>());
}

// The n-grams of a TfIdfVectorizer as a tree: each edge is an item, each node that ends an n-gram knows
// which.
template <class Item>
struct NgramTree {
  std::map<Item, NgramTree> next;
  int64_t ngram = -1;
};

struct NgramSettings {
  std::vector<int64_t> counts, indexes;
  std::vector<float> weights;
  int64_t shortest, longest, most_skips;
  std::string mode;
};

template <class Item>
void CountNgrams(OpContext& op, const NgramSettings& s, const std::vector<Item>& pool,
                 const std::vector<Item>& items, Tensor& out) {
  NgramTree<Item> root;
  const int64_t total = static_cast<int64_t>(pool.size());
  int64_t ngram = 0;
  for (size_t i = 0; i < s.counts.size(); ++i) {
    const int64_t length = static_cast<int64_t>(i) + 1, begin = s.counts[i],
                  end = i + 1 < s.counts.size() ? s.counts[i + 1] : total;
    op.Check(begin >= 0 && begin <= end && end <= total,
             "ngram_counts " + DimsText(s.counts) + " do not rise within a pool of " + std::to_string(total));
    op.Check((end - begin) % length == 0, "the pool holds " + std::to_string(end - begin) + " items of " +
                                              std::to_string(length) + "-grams");
    for (int64_t at = begin; at < end; at += length, ++ngram) {
      op.Check(ngram < static_cast<int64_t>(s.indexes.size()),
               "the pool holds more n-grams than the " + std::to_string(s.indexes.size()) + " ngram_indexes");
      if (length < s.shortest || length > s.longest) continue;
      NgramTree<Item>* node = &root;
      for (int64_t k = at; k < at + length; ++k) node = &node->next[pool[static_cast<size_t>(k)]];
      if (node->ngram < 0) node->ngram = ngram;
    }
  }
  const int64_t columns = out.dims().back(), rows = columns == 0 ? 0 : out.size() / columns;
  const int64_t width = rows == 0 ? 0 : static_cast<int64_t>(items.size()) / rows;
  op.parallel().For(rows, width * 64, [&](int64_t row) {
    const Item* line = items.data() + row * width;
    std::vector<int64_t> found(s.indexes.size(), 0);
    // Items `step` apart; single items are no further apart with a larger step and count once.
    for (int64_t step = 1; step <= s.most_skips + 1 && (step == 1 || step < width); ++step) {
      for (int64_t begin = 0; begin < width; ++begin) {
        const NgramTree<Item>* node = &root;
        int64_t length = 0;
        for (int64_t at = begin; at < width && length < s.longest; at += step) {
          auto hit = node->next.find(line[at]);
          if (hit == node->next.end()) break;
          node = &hit->second;
          if (++length > 1 || step == 1) {
            if (node->ngram >= 0) ++found[static_cast<size_t>(node->ngram)];
          }
        }
      }
    }
    float* y = out.data<float>() + row * columns;
    std::fill_n(y, columns, 0.0f);
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i] == 0) continue;
      const float count = s.mode == "IDF" ? 1.0f : static_cast<float>(found[i]);
      y[s.indexes[i]] += s.mode == "TF" || s.weights.empty() ? count : count * s.weights[i];
    }
  });
}

// TfIdfVectorizer-9: how often each n-gram of the pool occurs in each row.
void TfIdfVectorizer(OpContext& op) {
  const Tensor& in = op.input(0);
  NgramSettings s{op.Ints("ngram_counts"),      op.Ints("ngram_indexes"),     op.Floats("weights"),
                  op.Int("min_gram_length", 1), op.Int("max_gram_length", 1), op.Int("max_skip_count", 0),
                  op.String("mode", "")};
  op.Check(s.mode == "TF" || s.mode == "IDF" || s.mode == "TFIDF", "mode '" + s.mode + "' is not known");
  op.Check(in.rank() == 1 || in.rank() == 2,
           "the input must have the shape [C] or [N, C], its shape is " + DimsText(in.dims()));
  op.Check(s.shortest >= 1 && s.longest >= s.shortest, "min_gram_length " + std::to_string(s.shortest) +
                                                           " and max_gram_length " +
                                                           std::to_string(s.longest) + " are no range");
  op.Check(s.most_skips >= 0 && s.most_skips < INT32_MAX,
           "max_skip_count is " + std::to_string(s.most_skips));
  op.Check(!s.indexes.empty(), "ngram_indexes are empty");
  op.Check(s.counts.size() <= 1000, std::to_string(s.counts.size()) + " lengths of n-grams are given");
  op.Check(s.weights.empty() || s.weights.size() == s.indexes.size(),
           std::to_string(s.weights.size()) + " weights are given for " + std::to_string(s.indexes.size()) +
               " n-grams");
  int64_t columns = 0;
  for (int64_t index : s.indexes) {
    op.Check(index >= 0 && index < (int64_t{1} << 40), "ngram_indexes hold " + std::to_string(index));
    columns = std::max(columns, index + 1);
  }
  const bool strings = in.type() == kString;
  op.Check(op.HasAttr(strings ? "pool_strings" : "pool_int64s"),
           std::string(strings ? "pool_strings" : "pool_int64s") + " is missing for an input of " +
               TypeName(in.type()));
  Tensor& out = op.Output(0, kFloat, in.rank() == 1 ? Dims{columns} : Dims{in.dim(0), columns});
  if (strings) {
    const auto values = in.values<std::string>();
    CountNgrams<std::string>(op, s, op.Strings("pool_strings"), {values.begin(), values.end()}, out);
  } else {
    CountNgrams<int64_t>(op, s, op.Ints("pool_int64s"), in.AsInts(), out);
  }
}

}  // namespace

std::span<const OpEntry> TextOps() {
  static const OpEntry kOps[] = {
      {"", "StringConcat", 20, StringConcat, {Types(kString)}},
      {"", "StringSplit", 20, StringSplit, {Types(kString)}},
      {"", "RegexFullMatch", 20, RegexFullMatch, {Types(kString)}},
      {"", "StringNormalizer", 10, StringNormalizer, {Types(kString)}},
      {"", "TfIdfVectorizer", 9, TfIdfVectorizer, {Types(kString, kInt32, kInt64)}},
  };
  return kOps;
}

}  // namespace braid::reference
