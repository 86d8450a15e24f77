// SPDX-License-Identifier: Apache-2.0
//
// Einsum: the equation is parsed into lists of labels; operands are then contracted one after the other from
// the left, each pair as one batched matrix product, and the last is laid out as the output term says.
#include "plugins/reference/ops/einsum.h"

#include <map>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/gemm.h"

namespace braid::reference {
namespace {

// A letter, or an axis of the ellipsis: kEllipsis + its place among them.
using Label = int;
constexpr Label kEllipsis = 256;
using Labels = std::vector<Label>;

bool Has(const Labels& labels, Label l) { return std::find(labels.begin(), labels.end(), l) != labels.end(); }

struct Equation {
  std::vector<Labels> inputs;
  Labels output;
};

class Parser {
 public:
  Parser(const OpContext& op, std::string text) : op_(op), whole_(std::move(text)) {
    for (char c : whole_)
      if (c != ' ') text_ += c;
  }

  Equation Parse() {
    size_t arrow = text_.find("->");
    const std::string left = text_.substr(0, arrow);
    std::vector<std::string> terms(1);
    for (char c : left) {
      if (c == ',')
        terms.emplace_back();
      else
        terms.back() += c;
    }
    if (terms.size() != op_.input_count())
      Fail("has " + std::to_string(terms.size()) + " terms for " + std::to_string(op_.input_count()) +
           " inputs");
    // Every ellipsis stands for the same number of axes.
    for (size_t i = 0; i < terms.size(); ++i) {
      size_t letters = 0;
      bool ellipsis = Scan(terms[i], &letters);
      int64_t rank = op_.input(i).rank(), rest = rank - static_cast<int64_t>(letters);
      if (rest < 0 || (rest > 0 && !ellipsis))
        Fail("names " + std::to_string(letters) + " axes in term " + std::to_string(i) + ", input " +
             std::to_string(i) + " has rank " + std::to_string(rank));
      if (!ellipsis) continue;
      if (ellipsis_axes_ >= 0 && ellipsis_axes_ != rest)
        Fail("has ellipses of " + std::to_string(ellipsis_axes_) + " and " + std::to_string(rest) + " axes");
      ellipsis_axes_ = rest;
    }
    Equation equation;
    for (const std::string& term : terms) equation.inputs.push_back(Expand(term));
    if (arrow != std::string::npos) {
      const std::string right = text_.substr(arrow + 2);
      bool ellipsis = Scan(right, nullptr);
      if (ellipsis && ellipsis_axes_ < 0) Fail("has an ellipsis in its output only");
      equation.output = Expand(right);
      for (size_t i = 0; i < equation.output.size(); ++i) {
        Label l = equation.output[i];
        if (std::count(equation.output.begin(), equation.output.end(), l) > 1)
          Fail("repeats '" + std::string(1, static_cast<char>(l)) + "' in its output");
        bool known = false;
        for (const Labels& in : equation.inputs) known = known || Has(in, l);
        if (!known) Fail("has '" + std::string(1, static_cast<char>(l)) + "' in its output only");
      }
    } else {
      for (int64_t i = 0; i < ellipsis_axes_; ++i)
        equation.output.push_back(kEllipsis + static_cast<Label>(i));
      for (Label l = 'A'; l <= 'z'; ++l) {
        int64_t seen = 0;
        for (const Labels& in : equation.inputs) seen += std::count(in.begin(), in.end(), l);
        if (seen == 1) equation.output.push_back(l);
      }
    }
    return equation;
  }

 private:
  [[noreturn]] void Fail(const std::string& text) const { op_.Fail("the equation '" + whole_ + "' " + text); }
  static bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  // Whether the term has an ellipsis; counts its letters. Fails for what is neither.
  bool Scan(const std::string& term, size_t* letters) const {
    bool ellipsis = false;
    for (size_t i = 0; i < term.size(); ++i) {
      if (IsLetter(term[i])) {
        if (letters != nullptr) ++*letters;
      } else if (term.compare(i, 3, "...") == 0 && !ellipsis) {
        ellipsis = true;
        i += 2;
      } else {
        Fail(std::string("is malformed at '") + term.substr(i, 8) + "' of the term '" + term + "'");
      }
    }
    return ellipsis;
  }
  Labels Expand(const std::string& term) const {
    Labels labels;
    for (size_t i = 0; i < term.size(); ++i) {
      if (IsLetter(term[i])) {
        labels.push_back(static_cast<unsigned char>(term[i]));
      } else {
        for (int64_t a = 0; a < ellipsis_axes_; ++a) labels.push_back(kEllipsis + static_cast<Label>(a));
        i += 2;
      }
    }
    return labels;
  }

  const OpContext& op_;
  std::string whole_, text_;
  int64_t ellipsis_axes_ = -1;  // -1: none seen
};

// A tensor whose axes have labels, each once.
template <class W>
struct Labelled {
  Tensor tensor;
  Labels labels;
  int64_t extent(Label l) const {
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == l) return tensor.dims()[i];
    return 1;
  }
};

// The operand with axes `labels` in this order; labels that it has and the list lacks are summed over,
// repeated labels give the diagonal, labels that it lacks have extent 1.
template <class W>
Labelled<W> Arrange(const Tensor& t, const Labels& have, const Labels& want) {
  Dims strides = StridesOf(t.dims());
  std::map<Label, std::pair<int64_t, int64_t>> axes;  // extent, stride
  for (size_t i = 0; i < have.size(); ++i) {
    auto [it, fresh] = axes.try_emplace(have[i], t.dims()[i], strides[i]);
    if (!fresh) it->second.second += strides[i];
  }
  Labelled<W> out;
  out.labels = want;
  Dims dims, walk_dims, walk_in, walk_out;
  for (Label l : want) dims.push_back(axes.count(l) ? axes[l].first : 1);
  Dims out_strides = StridesOf(dims);
  for (size_t i = 0; i < want.size(); ++i) {
    walk_dims.push_back(dims[i]);
    walk_in.push_back(axes.count(want[i]) ? axes[want[i]].second : 0);
    walk_out.push_back(dims[i] == 1 ? 0 : out_strides[i]);
  }
  bool sums = false, moved = have != want;
  for (const auto& [l, axis] : axes) {
    if (Has(want, l)) continue;
    sums = true;
    walk_dims.push_back(axis.first);
    walk_in.push_back(axis.second);
    walk_out.push_back(0);
  }
  if (!moved) {
    out.tensor = t;
    return out;
  }
  out.tensor = Tensor(kTypeOf<W>, dims);
  W* to = out.tensor.template data<W>();
  const W* from = t.data<W>();
  if (sums) std::fill_n(to, out.tensor.size(), W{});
  ForEachRow<2>(walk_dims, {walk_in, walk_out}, [&](int64_t, const auto& at, int64_t n, const auto& inner) {
    const W* x = from + at[0];
    W* y = to + at[1];
    for (int64_t i = 0; i < n; ++i) {
      if (sums)
        y[i * inner[1]] += x[i * inner[0]];
      else
        y[i * inner[1]] = x[i * inner[0]];
    }
  });
  return out;
}

// a and b contracted over the labels of both that `keep` does not need.
template <class W>
Labelled<W> Contract(const OpContext& op, const Labelled<W>& a, const Labelled<W>& b, const Labels& keep) {
  Labels batch, left, right, inner;
  for (Label l : a.labels) {
    bool both = Has(b.labels, l), kept = Has(keep, l);
    // An extent of 1 stretches: such a label is the other operand's alone.
    if (both && (a.extent(l) == b.extent(l)))
      (kept ? batch : inner).push_back(l);
    else if (kept && (!both || b.extent(l) == 1))
      left.push_back(l);
    // else: summed over in Arrange, or the other's
  }
  for (Label l : b.labels)
    if (Has(keep, l) && !Has(batch, l) && !Has(left, l)) right.push_back(l);
  auto join = [](std::initializer_list<const Labels*> lists) {
    Labels all;
    for (const Labels* list : lists) all.insert(all.end(), list->begin(), list->end());
    return all;
  };
  auto product = [](const Labelled<W>& t, const Labels& labels) {
    Dims dims;
    for (Label l : labels) dims.push_back(t.extent(l));
    return Count(dims);
  };
  Labelled<W> x = Arrange<W>(a.tensor, a.labels, join({&batch, &left, &inner}));
  Labelled<W> y = Arrange<W>(b.tensor, b.labels, join({&batch, &inner, &right}));
  const int64_t matrices = product(x, batch), m = product(x, left), n = product(y, right),
                k = product(x, inner);
  Labelled<W> out;
  out.labels = join({&batch, &left, &right});
  Dims dims;
  for (Label l : out.labels) dims.push_back(Has(right, l) ? y.extent(l) : x.extent(l));
  Count(dims);
  out.tensor = Tensor(kTypeOf<W>, dims);
  W* to = out.tensor.template data<W>();
  std::fill_n(to, out.tensor.size(), W{});
  if (out.tensor.size() == 0) return out;
  const W *px = x.tensor.template data<W>(), *py = y.tensor.template data<W>();
  auto one = [&](const Parallel& parallel, int64_t i) {
    Gemm<W>(parallel, m, n, k, {px + i * m * k, k, 1}, {py + i * k * n, n, 1}, to + i * m * n, n);
  };
  if (matrices >= 4) {
    op.parallel().For(matrices, m * n * k, [&](int64_t i) { one(Parallel(), i); });
  } else {
    for (int64_t i = 0; i < matrices; ++i) one(op.parallel(), i);
  }
  return out;
}

template <class W>
void Evaluate(OpContext& op, const Equation& equation, const Dims& dims) {
  // Labels wanted after operand i: of the output and of the operands that follow.
  const size_t count = equation.inputs.size();
  std::vector<Labels> wanted(count, equation.output);
  for (size_t i = 0; i < count; ++i)
    for (size_t j = i + 1; j < count; ++j)
      for (Label l : equation.inputs[j])
        if (!Has(wanted[i], l)) wanted[i].push_back(l);
  Labelled<W> sum;
  for (size_t i = 0; i < count; ++i) {
    // Its own diagonal first; a label of nobody else's is summed over at once.
    Labels own;
    for (Label l : equation.inputs[i])
      if (!Has(own, l) && (Has(wanted[i], l) || (i > 0 && Has(sum.labels, l)))) own.push_back(l);
    Labelled<W> next = Arrange<W>(As<W>(op.input(i)), equation.inputs[i], own);
    sum = i == 0 ? next : Contract(op, sum, next, wanted[i]);
  }
  Labelled<W> result = Arrange<W>(sum.tensor, sum.labels, equation.output);
  OutputAs<W> y(op, 0, op.input(0).type(), dims);
  // A label whose every extent is 1 but one: that operand is in the product, so the dims are right already.
  std::copy_n(result.tensor.template data<W>(), result.tensor.size(), y.data());
  y.Store();
}

}  // namespace

void Einsum(OpContext& op) {
  op.Check(op.HasAttr("equation"), "the attribute equation is missing");
  op.Check(op.input_count() >= 1, "an input is needed");
  for (size_t i = 0; i < op.input_count(); ++i)
    op.Check(op.input(i).type() == op.input(0).type(), "the inputs have different types");
  Equation equation = Parser(op, op.String("equation", "")).Parse();
  // Extents by label: equal, or 1 where it stretches (within one operand: equal).
  std::map<Label, int64_t> extents;
  auto text = [](Label l) { return l >= kEllipsis ? "..." : std::string(1, static_cast<char>(l)); };
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    const Labels& labels = equation.inputs[i];
    std::map<Label, int64_t> own;
    for (size_t a = 0; a < labels.size(); ++a) {
      int64_t d = op.input(i).dims()[a];
      auto [it, fresh] = own.try_emplace(labels[a], d);
      op.Check(fresh || it->second == d, "input " + std::to_string(i) + " " + DimsText(op.input(i).dims()) +
                                             " has two extents for the index '" + text(labels[a]) + "'");
      auto [all, first] = extents.try_emplace(labels[a], d);
      op.Check(first || all->second == d || all->second == 1 || d == 1,
               "the index '" + text(labels[a]) + "' has the extents " + std::to_string(all->second) +
                   " and " + std::to_string(d));
      if (all->second == 1) all->second = d;
    }
  }
  Dims dims;
  for (Label l : equation.output) dims.push_back(extents[l]);
  Count(dims);
  switch (op.input(0).type()) {
    case kInt8:
    case kUint8:
    case kInt16:
    case kUint16:
    case kInt32:
    case kUint32:
      return Evaluate<uint32_t>(op, equation, dims);
    case kInt64:
    case kUint64:
      return Evaluate<uint64_t>(op, equation, dims);
    case kDouble:
      return Evaluate<double>(op, equation, dims);
    default:
      return Evaluate<float>(op, equation, dims);
  }
}

}  // namespace braid::reference
