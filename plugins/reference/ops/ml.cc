// SPDX-License-Identifier: Apache-2.0
//
// The operators of ai.onnx.ml on tensors. Those on maps (CastMap, DictVectorizer, ZipMap) have no tensors to
// run on.
#include "plugins/reference/ops/ml.h"

#include <cmath>
#include <map>

#include "plugins/reference/ops/copy.h"

namespace braid::reference {

Rows::Rows(const OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() == 1 || in.rank() == 2,
           "the input must have the shape [N, C] or [C], its shape is " + DimsText(in.dims()));
  count = in.rank() == 1 ? 1 : in.dim(0);
  width = in.dims().back();
  values.resize(static_cast<size_t>(in.size()));
  for (int64_t i = 0; i < in.size(); ++i) values[static_cast<size_t>(i)] = in.AsDouble(i);
}

PostTransform PostTransformOf(const OpContext& op) {
  const std::string name = op.String("post_transform", "NONE");
  if (name == "NONE") return PostTransform::kNone;
  if (name == "SOFTMAX") return PostTransform::kSoftmax;
  if (name == "LOGISTIC") return PostTransform::kLogistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::kSoftmaxZero;
  if (name == "PROBIT") return PostTransform::kProbit;
  op.Fail("post_transform '" + name + "' is not known");
}

namespace {

// The inverse of the error function: Winitzki's approximation, made exact by Newton's steps.
double InverseErf(double y) {
  if (!(std::fabs(y) < 1)) return std::fabs(y) == 1 ? std::copysign(INFINITY, y) : NAN;
  const double log = std::log((1 - y) * (1 + y)), a = 0.147, half = 2 / (M_PI * a) + log / 2;
  double x = std::copysign(std::sqrt(std::sqrt(half * half - log / a) - half), y);
  for (int i = 0; i < 4; ++i) {
    const double slope = 2 / std::sqrt(M_PI) * std::exp(-x * x);
    if (slope < 1e-300) break;
    x -= (std::erf(x) - y) / slope;
  }
  return x;
}

}  // namespace

void Transform(PostTransform how, std::span<double> scores) {
  switch (how) {
    case PostTransform::kNone:
      return;
    case PostTransform::kLogistic:
      for (double& s : scores) s = 1 / (1 + std::exp(-s));
      return;
    case PostTransform::kProbit:
      for (double& s : scores) s = std::sqrt(2.0) * InverseErf(2 * s - 1);
      return;
    default:
      break;
  }
  double most = -INFINITY, sum = 0;
  for (double s : scores) most = std::max(most, s);
  for (double& s : scores) {
    // Softmax over the scores that are not zero; the zeros stay so (but for the common factor).
    const bool zero = how == PostTransform::kSoftmaxZero && std::fabs(s) <= 1e-7;
    s = zero ? s * std::exp(-most) : std::exp(s - most);
    sum += s;
  }
  for (double& s : scores) s = sum == 0 ? 0.5 : s / sum;
}

ClassLabels::ClassLabels(const OpContext& op, const char* ints_name, const char* strings_name)
    : ints(op.Ints(ints_name)), strings(op.Strings(strings_name)) {
  op.Check(ints.empty() || strings.empty(),
           std::string("both ") + ints_name + " and " + strings_name + " are given");
}

void ClassLabels::Write(OpContext& op, const std::vector<size_t>& picked) const {
  if (!op.wants(0)) return;
  const Dims dims = {static_cast<int64_t>(picked.size())};
  if (!strings.empty()) {
    Tensor& out = op.Output(0, kString, dims);
    for (size_t i = 0; i < picked.size(); ++i)
      out.data<std::string>()[i] = picked[i] < strings.size() ? strings[picked[i]] : std::string();
  } else {
    Tensor& out = op.Output(0, kInt64, dims);
    for (size_t i = 0; i < picked.size(); ++i)
      out.data<int64_t>()[i] = picked[i] < ints.size() ? ints[picked[i]] : static_cast<int64_t>(picked[i]);
  }
}

namespace {

// ArrayFeatureExtractor-1: elements of the last axis by index; [1, count] of a 1-D input.
void ArrayFeatureExtractor(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() > 0, "nothing can be selected from a scalar");
  const std::vector<int64_t> indices = op.input(1).AsInts();
  const int64_t width = in.dims().back(), count = static_cast<int64_t>(indices.size()),
                rows = ProductOf(in.dims(), 0, in.dims().size() - 1);
  op.Check(count > 0, "no index is given");
  for (int64_t i : indices)
    op.Check(i >= 0 && i < width,
             "index " + std::to_string(i) + " is outside the last axis of extent " + std::to_string(width));
  Dims dims = in.dims();
  dims.back() = count;
  if (in.rank() == 1) dims.insert(dims.begin(), 1);
  Tensor& out = op.Output(0, in.type(), dims);
  DispatchBySize(in.type(), [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < count; ++i)
        out.data<T>()[r * count + i] = in.data<T>()[r * width + indices[static_cast<size_t>(i)]];
  });
}

// Binarizer-1: 1 where greater than the threshold, else 0.
void Binarizer(OpContext& op) {
  const Tensor& in = op.input(0);
  const double threshold = static_cast<double>(op.Float("threshold", 0));
  Tensor& out = op.Output(0, in.type(), in.dims());
  DispatchIn<kMlNumbers>(in.type(), [&]<class T>() {
    for (int64_t i = 0; i < in.size(); ++i)
      out.data<T>()[i] = static_cast<double>(in.data<T>()[i]) > threshold ? T(1) : T(0);
  });
}

// CategoryMapper-1
void CategoryMapper(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> ints = op.Ints("cats_int64s");
  const std::vector<std::string> strings = op.Strings("cats_strings");
  op.Check(ints.size() == strings.size(), std::to_string(ints.size()) + " cats_int64s and " +
                                              std::to_string(strings.size()) + " cats_strings are given");
  if (in.type() == kString) {
    std::map<std::string, int64_t> map;
    for (size_t i = 0; i < ints.size(); ++i) map[strings[i]] = ints[i];
    Tensor& out = op.Output(0, kInt64, in.dims());
    for (int64_t i = 0; i < in.size(); ++i) {
      auto found = map.find(in.data<std::string>()[i]);
      out.data<int64_t>()[i] = found != map.end() ? found->second : op.Int("default_int64", -1);
    }
  } else {
    std::map<int64_t, std::string> map;
    for (size_t i = 0; i < ints.size(); ++i) map[ints[i]] = strings[i];
    Tensor& out = op.Output(0, kString, in.dims());
    for (int64_t i = 0; i < in.size(); ++i) {
      auto found = map.find(in.data<int64_t>()[i]);
      out.data<std::string>()[i] =
          found != map.end() ? found->second : op.String("default_string", "_Unused");
    }
  }
}

// FeatureVectorizer-1: inputs side by side, each cut to or filled with zeros up to its inputdimension.
void FeatureVectorizer(OpContext& op) {
  const std::vector<int64_t> asked = op.Ints("inputdimensions");
  op.Check(asked.empty() || asked.size() == op.input_count(),
           std::to_string(asked.size()) + " inputdimensions are given for " +
               std::to_string(op.input_count()) + " inputs");
  const int64_t rows = op.input(0).rank() == 1 ? 1 : op.input(0).rank() > 1 ? op.input(0).dim(0) : 0;
  int64_t width = 0;
  std::vector<int64_t> own, wide;
  for (size_t i = 0; i < op.input_count(); ++i) {
    const Tensor& in = op.input(i);
    op.Check(in.rank() == 1 || (in.rank() == 2 && in.dim(0) == rows),
             "input " + std::to_string(i) + " has the shape " + DimsText(in.dims()) + ", the first has " +
                 std::to_string(rows) + " rows");
    own.push_back(in.dims().back());
    wide.push_back(asked.empty() ? own.back() : asked[i]);
    op.Check(wide.back() >= 0 && wide.back() < (int64_t{1} << 40),
             "inputdimension " + std::to_string(i) + " is " + std::to_string(wide.back()));
    width += wide.back();
  }
  Tensor& out = op.Output(0, kFloat, {rows, width});
  std::fill_n(out.data<float>(), out.size(), 0.0f);
  int64_t column = 0;
  for (size_t i = 0; i < op.input_count(); column += wide[i++]) {
    const int64_t n = std::min(own[i], wide[i]), have = op.input(i).rank() == 1 ? 1 : rows;
    for (int64_t r = 0; r < std::min(rows, have); ++r)
      for (int64_t k = 0; k < n; ++k)
        out.data<float>()[r * width + column + k] = static_cast<float>(op.input(i).AsDouble(r * own[i] + k));
  }
}

// Imputer-1: elements equal to one value (NaN equals NaN) become another, of their column or one for all.
void Imputer(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() > 0, "the input is a scalar");
  Tensor& out = op.Output(0, in.type(), in.dims());
  DispatchIn<kMlNumbers>(in.type(), [&]<class T>() {
    std::vector<T> imputed;
    T replaced;
    if constexpr (std::is_integral_v<T>) {
      for (int64_t v : op.Ints("imputed_value_int64s")) imputed.push_back(static_cast<T>(v));
      replaced = static_cast<T>(op.Int("replaced_value_int64", 0));
    } else {
      for (float v : op.Floats("imputed_value_floats")) imputed.push_back(static_cast<T>(v));
      replaced = static_cast<T>(op.Float("replaced_value_float", 0));
    }
    const int64_t width = in.dims().back(), n = static_cast<int64_t>(imputed.size());
    op.Check(n == 1 || (n > 0 && n == width),
             std::to_string(n) + " imputed values are given for " + std::to_string(width) + " features");
    for (int64_t i = 0; i < in.size(); ++i) {
      const T v = in.data<T>()[i];
      const bool hit = v == replaced || (v != v && replaced != replaced);
      out.data<T>()[i] = hit ? imputed[static_cast<size_t>(n == 1 ? 0 : i % width)] : v;
    }
  });
}

// The attribute of LabelEncoder's keys or values as a tensor, whichever of the kinds is given.
Tensor LabelTensor(const OpContext& op, const std::string& side) {
  if (Tensor t = op.TensorAttr(side + "_tensor"); t.present()) return t;
  if (op.HasAttr(side + "_strings")) {
    const auto values = op.Strings(side + "_strings");
    return Tensor::Of<std::string>({static_cast<int64_t>(values.size())}, values);
  }
  if (op.HasAttr(side + "_int64s")) {
    const auto values = op.Ints(side + "_int64s");
    return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  if (op.HasAttr(side + "_floats")) {
    const auto values = op.Floats(side + "_floats");
    return Tensor::Of<float>({static_cast<int64_t>(values.size())}, values);
  }
  op.Fail("no " + side + " are given");
}

constexpr TypeSet kLabelTypes = kMlNumbers | Types(kInt16, kString);

Tensor LabelDefault(const OpContext& op, int32_t type) {
  if (Tensor t = op.TensorAttr("default_tensor"); t.present()) {
    op.Check(t.type() == type && t.size() == 1, "default_tensor is " + TypeName(t.type()) +
                                                    DimsText(t.dims()) + ", one " + TypeName(type) +
                                                    " is needed");
    return t;
  }
  Tensor out(type, {});
  DispatchIn<kLabelTypes>(type, [&]<class T>() {
    if constexpr (std::is_same_v<T, std::string>) {
      *out.data<T>() = op.String("default_string", "_Unused");
    } else if constexpr (std::is_integral_v<T>) {
      *out.data<T>() = static_cast<T>(op.Int("default_int64", -1));
    } else {
      *out.data<T>() = static_cast<T>(op.Float("default_float", -0.0f));
    }
  });
  return out;
}

// LabelEncoder-4: each element's value by key; the last of equal keys holds, NaN finds NaN.
void LabelEncoder(OpContext& op) {
  const Tensor &in = op.input(0), keys = LabelTensor(op, "keys"), values = LabelTensor(op, "values");
  op.Check(keys.size() == values.size(),
           std::to_string(keys.size()) + " keys and " + std::to_string(values.size()) + " values are given");
  op.Check(keys.type() == in.type(),
           "the keys are " + TypeName(keys.type()) + ", the input is " + TypeName(in.type()));
  op.Check(Contains(kLabelTypes, values.type()), "values of " + TypeName(values.type()) + " are not allowed");
  const Tensor otherwise = LabelDefault(op, values.type());
  std::vector<int64_t> at(static_cast<size_t>(in.size()), -1);
  DispatchIn<kLabelTypes>(in.type(), [&]<class T>() {
    std::map<T, int64_t> places;
    int64_t nan_place = -1;
    for (int64_t i = 0; i < keys.size(); ++i) {
      const T& key = keys.data<T>()[i];
      if (key == key) {
        places[key] = i;
      } else {
        nan_place = i;
      }
    }
    for (int64_t i = 0; i < in.size(); ++i) {
      const T& x = in.data<T>()[i];
      if (x != x) {
        at[static_cast<size_t>(i)] = nan_place;
      } else if (auto found = places.find(x); found != places.end()) {
        at[static_cast<size_t>(i)] = found->second;
      }
    }
  });
  Tensor& out = op.Output(0, values.type(), in.dims());
  DispatchBySize(values.type(), [&]<class T>() {
    for (int64_t i = 0; i < in.size(); ++i) {
      const int64_t place = at[static_cast<size_t>(i)];
      out.data<T>()[i] = place < 0 ? otherwise.data<T>()[0] : values.data<T>()[place];
    }
  });
}

// Normalizer-1: rows divided by their greatest element, the sum of magnitudes (L1), or the Euclidean length
// (L2).
void Normalizer(OpContext& op) {
  const Rows rows(op);
  const std::string norm = op.String("norm", "MAX");
  op.Check(norm == "MAX" || norm == "L1" || norm == "L2", "norm '" + norm + "' is not known");
  Tensor& out = op.Output(0, kFloat, op.input(0).dims());
  float* y = out.data<float>();
  for (int64_t i = 0; i < rows.count; ++i) {
    double divisor = norm == "MAX" ? -INFINITY : 0;
    for (double x : rows.row(i))
      divisor = norm == "MAX"  ? std::max(divisor, x)
                : norm == "L1" ? divisor + std::fabs(x)
                               : divisor + x * x;
    if (norm == "L2") divisor = std::sqrt(divisor);
    for (double x : rows.row(i)) *y++ = static_cast<float>(divisor == 0 ? x : x / divisor);
  }
}

// OneHotEncoder-1: a new last axis over the categories.
void OneHotEncoder(OpContext& op) {
  const Tensor& in = op.input(0);
  const bool zeros = op.Int("zeros", 1) != 0;
  std::map<std::string, int64_t> strings;
  std::map<int64_t, int64_t> ints;
  int64_t count = 0;
  if (in.type() == kString) {
    for (const std::string& s : op.Strings("cats_strings")) strings.emplace(s, count++);
  } else {
    for (int64_t v : op.Ints("cats_int64s")) ints.emplace(v, count++);
  }
  op.Check(count > 0, std::string(in.type() == kString ? "cats_strings" : "cats_int64s") +
                          " are missing for an input of " + TypeName(in.type()));
  Dims dims = in.dims();
  dims.push_back(count);
  Tensor& out = op.Output(0, kFloat, dims);
  std::fill_n(out.data<float>(), out.size(), 0.0f);
  for (int64_t i = 0; i < in.size(); ++i) {
    int64_t place = -1;
    if (in.type() == kString) {
      if (auto found = strings.find(in.data<std::string>()[i]); found != strings.end()) place = found->second;
    } else {
      const double x = in.AsDouble(i);
      const bool fits = x > -0x1p63 && x < 0x1p63;
      const int64_t key = in.type() == kInt64 ? in.data<int64_t>()[i] : fits ? static_cast<int64_t>(x) : 0;
      if (auto found = ints.find(key); found != ints.end() && (fits || in.type() == kInt64))
        place = found->second;
    }
    op.Check(place >= 0 || zeros, "element " + std::to_string(i) + " is of no category");
    if (place >= 0) out.data<float>()[i * count + place] = 1;
  }
}

// Scaler-1: (X - offset) * scale, of each feature or one for all.
void Scaler(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() > 0, "the input is a scalar");
  const std::vector<float> scale = op.Floats("scale"), offset = op.Floats("offset");
  const size_t width = static_cast<size_t>(in.dims().back());
  auto fits = [&](const std::vector<float>& v) { return v.size() <= 1 || v.size() == width; };
  op.Check(fits(scale) && fits(offset), std::to_string(offset.size()) + " offsets and " +
                                            std::to_string(scale.size()) + " scales are given for " +
                                            std::to_string(width) + " features");
  Tensor& out = op.Output(0, kFloat, in.dims());
  for (int64_t i = 0; i < in.size(); ++i) {
    const size_t feature = static_cast<size_t>(i) % width;
    const double minus = offset.empty() ? 0 : static_cast<double>(offset[offset.size() == 1 ? 0 : feature]);
    const double times = scale.empty() ? 1 : static_cast<double>(scale[scale.size() == 1 ? 0 : feature]);
    out.data<float>()[i] = static_cast<float>((in.AsDouble(i) - minus) * times);
  }
}

}  // namespace

std::span<const OpEntry> MlOps() {
  constexpr const char* kMl = "ai.onnx.ml";
  static const OpEntry kOps[] = {
      {kMl, "ArrayFeatureExtractor", 1, ArrayFeatureExtractor, {kMlNumbers | Types(kString), Types(kInt64)}},
      {kMl, "Binarizer", 1, Binarizer, {kMlNumbers}},
      {kMl, "CategoryMapper", 1, CategoryMapper, {Types(kString, kInt64)}},
      {kMl, "FeatureVectorizer", 1, FeatureVectorizer, {kMlNumbers}},
      {kMl, "Imputer", 1, Imputer, {kMlNumbers}},
      {kMl, "LabelEncoder", 4, LabelEncoder, {kLabelTypes}},
      {kMl, "LinearClassifier", 1, LinearClassifier, {kMlNumbers}},
      {kMl, "LinearRegressor", 1, LinearRegressor, {kMlNumbers}},
      {kMl, "Normalizer", 1, Normalizer, {kMlNumbers}},
      {kMl, "OneHotEncoder", 1, OneHotEncoder, {kMlNumbers | Types(kString)}},
      {kMl, "Scaler", 1, Scaler, {kMlNumbers}},
      {kMl, "SVMClassifier", 1, SVMClassifier, {kMlNumbers}},
      {kMl, "SVMRegressor", 1, SVMRegressor, {kMlNumbers}},
      {kMl, "TreeEnsemble", 5, TreeEnsemble, {Types(kFloat, kDouble, kFloat16)}},
      // Deprecated since 5; version 3 is the last that models use.
      {kMl, "TreeEnsembleClassifier", 3, TreeEnsembleClassifier, {kMlNumbers}},
      {kMl, "TreeEnsembleRegressor", 3, TreeEnsembleRegressor, {kMlNumbers}},
  };
  return kOps;
}

}  // namespace braid::reference
