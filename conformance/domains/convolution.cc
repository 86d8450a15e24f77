// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators with windows over spatial axes: convolutions, pools, and what folds windows back.
#include "conformance/domains/convolution.h"

#include <algorithm>

namespace braid::conformance {

Dims Counts(const Windows& windows) {
  Dims counts;
  for (const Window& w : windows) counts.push_back(w.count());
  return counts;
}

std::vector<int64_t> Cycled(const std::vector<int64_t>& pattern, size_t n) {
  std::vector<int64_t> all;
  for (size_t i = 0; i < n; ++i) all.push_back(pattern[i % pattern.size()]);
  return all;
}

Windows PickWindows(Domain& d, const Dims& in, const Dims& kernel) {
  const size_t n = in.size();
  Windows windows(n);
  for (size_t i = 0; i < n; ++i) windows[i] = {in[i], kernel[i]};
  // Patterns over the axes; none leaves the attribute out.
  const auto each = [&](const char* name, const std::vector<std::vector<int64_t>>& patterns, size_t count,
                        const auto& set) {
    if (!d.has_attribute(name)) return false;
    const std::vector<int64_t> pattern = d.PickInts(name, patterns);
    if (pattern.empty()) return false;
    const std::vector<int64_t> all = Cycled(pattern, count);
    for (size_t i = 0; i < count; ++i) set(i, all[i]);
    d.AttrInts(name, all);
    return true;
  };
  each("strides", {{}, {1}, {2}, {3, 1, 2}, {1, 4}}, n, [&](size_t i, int64_t v) { windows[i].stride = v; });
  each("dilations", {{}, {1}, {2}, {1, 3, 2}}, n, [&](size_t i, int64_t v) { windows[i].dilation = v; });
  const bool padded = each("pads", {{}, {1}, {0}, {1, 0, 2}, {0, 2, 1}, {3}}, 2 * n,
                           [&](size_t i, int64_t v) { (i < n ? windows[i].begin : windows[i - n].end) = v; });
  if (!d.has_attribute("auto_pad")) return windows;
  const std::string automatic = d.Pick("auto_pad", {"none", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
  if (automatic == "none") return windows;
  d.AttrText("auto_pad", automatic);
  if (automatic == "NOTSET") return windows;
  if (padded) d.Reject("pads and auto_pad");
  if (automatic != "VALID")
    for (Window& w : windows) {
      const int64_t out = (w.in + w.stride - 1) / w.stride;
      const int64_t total = std::max<int64_t>(0, (out - 1) * w.stride + w.extent() - w.in);
      w.begin = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.end = total - w.begin;
    }
  return windows;
}

namespace {

struct ConvolutionSize {
  const char* name;
  int64_t batch, channels, features;
  Dims in, kernel;
};
// 1 to 4 spatial axes; sums of 1 to 2313 products; kernels that are wider than tiles and workgroups.
const ConvolutionSize kSizes[] = {{"plain", 2, 4, 8, {9, 8}, {3, 3}},
                                  {"line", 2, 4, 8, {11}, {3}},
                                  {"cube", 1, 4, 8, {7, 6, 8}, {3, 2, 3}},
                                  {"four_axes", 1, 2, 4, {3, 4, 3, 4}, {2, 1, 2, 2}},
                                  {"pointwise", 2, 4, 8, {9, 8}, {1, 1}},
                                  {"even", 1, 4, 8, {8, 9}, {2, 4}},
                                  {"five", 1, 4, 8, {13, 12}, {5, 5}},
                                  {"one", 1, 1, 1, {1, 1}, {1, 1}},
                                  {"row", 1, 4, 8, {1, 257}, {1, 3}},
                                  {"tails", 1, 4, 33, {33, 31}, {3, 3}},
                                  {"long", 1, 1, 2, {65537}, {3}},
                                  {"wide_kernel", 1, 2, 4, {35, 34}, {17, 16}},
                                  {"long_kernel", 1, 2, 2, {1100}, {1025}},
                                  {"whole", 2, 4, 8, {6, 5}, {6, 5}},
                                  {"channels", 1, 32, 64, {9, 8}, {3, 3}},
                                  {"k33", 1, 33, 8, {5, 4}, {1, 1}},
                                  {"k1025", 1, 1025, 8, {5, 4}, {1, 1}},
                                  {"k2313", 1, 257, 8, {5, 4}, {3, 3}},
                                  {"odd_depthwise", 1, 33, 33, {9, 8}, {3, 3}},
                                  {"none", 0, 4, 8, {9, 8}, {3, 3}}};

const ConvolutionSize& PickSize(Domain& d) {
  std::vector<std::string> names;
  for (const ConvolutionSize& s : kSizes) names.push_back(s.name);
  const std::string chosen = d.Pick("size", names);
  return *std::find_if(std::begin(kSizes), std::end(kSizes), [&](const auto& s) { return chosen == s.name; });
}

int64_t PickGroup(Domain& d, const ConvolutionSize& size) {
  const std::string group = d.Pick("group", {"none", "1", "2", "all"});
  const int64_t groups = group == "all" ? size.channels : group == "2" ? 2 : 1;
  if (group != "none") d.AttrInt("group", groups);
  if (size.channels % groups != 0 || size.features % groups != 0) d.Reject("the groups are not equal");
  return groups;
}

Dims Joined(Dims a, const Dims& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Dims Grown(const Domain& d, Dims dims) {
  for (int64_t& e : dims) e = d.Extent(e);
  return dims;
}

}  // namespace

Convolution PickConvolution(Domain& d) {
  const ConvolutionSize& size = PickSize(d);
  const int64_t groups = PickGroup(d, size);
  const Dims in = Grown(d, size.in);
  if (d.Pick("kernel_shape", {"absent", "given"}) == "given") d.AttrInts("kernel_shape", size.kernel);
  Convolution c{Joined({d.Extent(size.batch), size.channels}, in),
                Joined({size.features, size.channels / groups}, size.kernel), size.features,
                PickWindows(d, in, size.kernel)};
  for (const Window& w : c.windows)
    if (w.count() < 1) d.Reject("the kernel does not fit");
  return c;
}

namespace {

void Conv(Domain& d) {
  const Convolution c = PickConvolution(d);
  d.Scales();
  d.In(c.x, Spread(2));
  d.In(c.w, Spread(2));
  if (d.Pick("B", {"absent", "given"}) == "given") d.In({c.features}, Spread(2));
}

// Numbers of few bits: places and fractions are exact wherever they are.
Values Offsets(int most, int part) {
  std::vector<double> given;
  for (int i = 0; i < 193; ++i) given.push_back((i * 37 % 193 - 96) * most / 96 / static_cast<double>(part));
  return Given(std::move(given));
}

void DeformConv(Domain& d) {
  const Convolution c = PickConvolution(d);
  const int64_t groups = d.Pick("offset_group", {1, 2, 4});
  if (c.x[1] % groups != 0) d.Reject("the offset groups are not equal");
  d.AttrIntOr("offset_group", groups, 1);
  int64_t elements = groups;
  for (const Window& w : c.windows) elements *= w.kernel;
  const Dims out = Counts(c.windows);
  const std::string offsets = d.Pick("offset", {"fractions", "whole", "none", "far"});
  const bool bias = d.Pick("B", {"absent", "given"}) == "given",
             mask = d.Pick("mask", {"absent", "given"}) == "given";
  d.In(c.x, Spread(2));
  d.In(c.w, Spread(2));
  d.In(Joined({c.x[0], elements * static_cast<int64_t>(out.size())}, out), offsets == "whole"  ? Whole(-2, 2)
                                                                           : offsets == "none" ? Given({0})
                                                                           : offsets == "far"
                                                                               ? Offsets(80, 4)
                                                                               : Offsets(96, 64));
  if (bias)
    d.In({c.features}, Spread(2));
  else
    d.Absent();
  if (mask) d.In(Joined({c.x[0], elements}, out), Uniform(0, 1));
}

void ConvTranspose(Domain& d) {
  const ConvolutionSize& size = PickSize(d);
  const int64_t groups = PickGroup(d, size);
  const Dims in = Grown(d, size.in);
  const size_t n = in.size();
  if (d.Pick("kernel_shape", {"absent", "given"}) == "given") d.AttrInts("kernel_shape", size.kernel);
  Windows windows = PickWindows(d, in, size.kernel);
  const auto auto_pad = d.attributes().find("auto_pad");
  const bool same =
      auto_pad != d.attributes().end() && std::get<std::string>(auto_pad->second).starts_with("SAME");
  const std::string asked = d.Pick("output_shape", {"none", "less", "strided", "odd"});
  // Less than a stride or a dilation.
  const bool room = std::any_of(windows.begin(), windows.end(),
                                [](const Window& w) { return std::max(w.stride, w.dilation) > 1; });
  std::vector<int64_t> extra;
  if (room) extra = d.PickInts("output_padding", {{}, {0}, {1}, {0, 1}});
  std::vector<int64_t> paddings = Cycled(extra.empty() ? std::vector<int64_t>{0} : extra, n), shape;
  if (!extra.empty()) d.AttrInts("output_padding", paddings);
  for (size_t i = 0; i < n; ++i) {
    const Window& w = windows[i];
    if (paddings[i] >= std::max(w.stride, w.dilation) && paddings[i] > 0)
      d.Reject("an output_padding of a stride");
    const int64_t full = w.stride * (w.in - 1) + paddings[i] + w.extent();
    const int64_t wanted = asked == "less"      ? std::max<int64_t>(1, full - 2)
                           : asked == "odd"     ? std::max<int64_t>(1, full - 1)
                           : asked == "strided" ? w.in * w.stride
                                                : full;
    shape.push_back(wanted);
    const int64_t out = asked != "none" ? wanted : same ? w.in * w.stride : full - w.begin - w.end;
    if (out < 1) d.Reject("the pads leave nothing");
    if ((asked != "none" || same) && full < out) d.Reject("an output that the windows do not reach");
    // The first version's formula and its auto_pad say different things of where an odd one goes.
    if ((asked != "none" || same) && d.version() < 11 && (full - out) % 2 != 0) d.Reject("an odd padding");
  }
  if (asked != "none") {
    if (d.attributes().count("pads")) d.Reject("pads are ignored");
    d.AttrInts("output_shape", shape);
  }
  d.In(Joined({d.Extent(size.batch), size.channels}, in), Spread(2));
  d.In(Joined({size.channels, size.features / groups}, size.kernel), Spread(2));
  // Mostly there, since it is all that an output_padding has where nothing else reaches.
  if (d.Pick("B", {"given", "absent"}) == "given") d.In({size.features}, Spread(2));
}

// Strides of whole blocks, so that nothing is added up, are plain: strings and booleans have no sums.
void Col2Im(Domain& d) {
  const std::string size = d.Pick("size", {"plain", "cube", "ones", "tails", "whole", "none"});
  Dims image = {8, 9}, block = {2, 3};
  if (size == "cube") image = {4, 6, 4}, block = {2, 3, 2};
  if (size == "ones") image = {5, 4}, block = {1, 1};
  if (size == "tails") image = {33, 65}, block = {3, 5};
  if (size == "whole") image = block = {3, 4};
  image = Grown(d, image);
  const size_t n = image.size();
  const std::string strides = d.Pick("strides", {"block", "none", "1", "2"});
  std::vector<int64_t> step(n, strides == "2" ? 2 : 1);
  if (strides == "block") step = block;
  if (strides != "none") d.AttrInts("strides", step);
  const std::vector<int64_t> dilations = d.PickInts("dilations", {{}, {1}, {2, 1}}),
                             pads = d.PickInts("pads", {{}, {0}, {1}, {0, 1, 1, 0}});
  const bool numeric = d.is_float("T") || d.is_integer("T");
  if (!numeric && (strides != "block" || dilations.size() > 1)) d.Reject("sums of what is no number");
  if (!dilations.empty()) d.AttrInts("dilations", Cycled(dilations, n));
  if (!pads.empty()) d.AttrInts("pads", Cycled(pads, 2 * n));
  int64_t columns = 1, elements = 1;
  for (size_t i = 0; i < n; ++i) {
    Window w{image[i], block[i], step[i]};
    if (!dilations.empty()) w.dilation = Cycled(dilations, n)[i];
    if (!pads.empty()) w.begin = Cycled(pads, 2 * n)[i], w.end = Cycled(pads, 2 * n)[i + n];
    columns *= w.count();
    elements *= block[i];
  }
  if (columns == 0) d.Reject("the block does not fit");
  d.In({size == "none" ? 0 : d.Extent(2), d.Extent(3) * elements, columns},
       d.is_integer("T") ? Whole(-4, 4) : Spread(4));
  d.Ints(image);
  d.Ints(block);
}

struct Pool {
  Dims x, kernel;
  Windows windows;
};
// Without windows that lie in the padding alone: there is nothing in them to take.
Pool PickPool(Domain& d) {
  Pool p;
  p.x = d.Shape("shape", {{2, 3, 9, 8},
                          {1, 1, 7},
                          {2, 2, 7, 6, 8},
                          {1, 2, 4, 5, 4, 5},
                          {1, 2, 33, 31},
                          {1, 3, 3, 257},
                          {1, 1, 65537},
                          {1, 65, 4, 4},
                          {0, 3, 9, 8}});
  const Dims in(p.x.begin() + 2, p.x.end());
  const std::vector<int64_t> kernel = d.PickInts("kernel_shape", {{3}, {1}, {2}, {2, 3, 4}, {4, 1}, {5}, {}});
  p.kernel = kernel.empty() ? in : Cycled(kernel, in.size());  // none: the whole plane
  d.AttrInts("kernel_shape", p.kernel);
  p.windows = PickWindows(d, in, p.kernel);
  // Where it makes a difference.
  const bool partial = std::any_of(p.windows.begin(), p.windows.end(),
                                   [](const Window& w) { return w.count(true) > w.count(); });
  const bool ceil = d.has_attribute("ceil_mode") && partial && d.Flag("ceil_mode");
  if (ceil) d.AttrInt("ceil_mode", 1);
  for (const Window& w : p.windows) {
    const int64_t count = w.count(ceil);
    if (count < 1) d.Reject("the kernel does not fit");
    for (int64_t o = 0; o < count; ++o) {
      const int64_t first = o * w.stride - w.begin;
      bool inside = false;
      for (int64_t k = 0; k < w.kernel; ++k)
        inside |= first + k * w.dilation >= 0 && first + k * w.dilation < w.in;
      // With ceil_mode one that would start in the padding at the end is none, but older versions do not say
      // so.
      if (!inside && (!ceil || first < w.in || d.version() < 22)) d.Reject("a window of padding alone");
    }
  }
  return p;
}

void AveragePool(Domain& d) {
  const Pool p = PickPool(d);
  const bool padded =
      std::any_of(p.windows.begin(), p.windows.end(), [](const Window& w) { return w.begin + w.end > 0; });
  if (d.has_attribute("count_include_pad") && padded) {
    const std::string count = d.Pick("count_include_pad", {"none", "0", "1"});
    if (count != "none") d.AttrInt("count_include_pad", count == "1");
  }
  d.In(p.x, Spread(8));
}

// Numbers of which no two in one window are equal, in every type down to a byte and bfloat16.
Values Unequal(bool is_unsigned) {
  std::vector<double> given;
  for (int i = 0; i < 251; ++i) given.push_back(i * 97 % 251 - (is_unsigned ? 0 : 125));
  return Given(std::move(given));
}

void MaxPool(Domain& d) {
  const Pool p = PickPool(d);
  const bool indices = d.version() >= 8 && d.Pick("outputs", {"y", "y+indices"}) != "y";
  if (indices) {
    d.Outputs({true, true});
    d.AttrIntOr("storage_order", d.Flag("storage_order"), 0);
  }
  int64_t span = 1;
  for (const Window& w : p.windows) span *= w.kernel;
  if (indices && span > 125) d.Reject("the largest is not one");
  // Below zero, where a padding of zeros would win.
  const bool negative = d.Flag("negative");
  if (negative && d.is_integer("T")) d.Reject("a byte");
  Values values = Unequal(d.type("T") == reference::kUint8);
  // Of float and double numbers that narrower types do not have.
  const double step = d.type("T") == reference::kFloat || d.type("T") == reference::kDouble ? 1 + 0x1p-12 : 1;
  for (double& v : values.given) v = (negative ? v - 127 : v) * step;
  d.In(p.x, values);
}

void SetNorm(Domain& d) {
  const int64_t p = d.Pick("p", {2, 1, 3, 4});
  if (p == 2 && !d.Flag("p_given")) return;
  if (d.version() == 1)
    d.AttrFloat("p", static_cast<double>(p));
  else
    d.AttrInt("p", p);
}
void LpPool(Domain& d) {
  const Pool p = PickPool(d);
  SetNorm(d);
  d.In(p.x, Spread(4));
}

Dims GlobalShape(Domain& d) {
  return d.Shape("shape", {{2, 3, 5, 4},
                           {1, 2, 7},
                           {2, 1, 3, 2, 4},
                           {1, 2, 2, 3, 2, 3},
                           {2, 3, 1, 1},
                           {1, 1, 1},
                           {2, 65, 33, 31},
                           {1, 3, 1025},
                           {1, 1, 65537},
                           {257, 3, 2, 2},
                           {0, 3, 4, 4}});
}
void GlobalAveragePool(Domain& d) { d.In(GlobalShape(d), Spread(8)); }
void GlobalMaxPool(Domain& d) {
  const Dims x = GlobalShape(d);
  d.In(x, d.Flag("negative") ? Uniform(-9, -1) : Distinct());
}
void GlobalLpPool(Domain& d) {
  const Dims x = GlobalShape(d);
  SetNorm(d);
  d.In(x, Spread(4));
}

// Places of which no two are equal: each within its own window, as a MaxPool gives them.
void MaxUnpool(Domain& d) {
  const Dims x = d.Shape(
      "shape", {{2, 3, 4, 5}, {1, 1, 6}, {1, 2, 2, 3, 2}, {1, 2, 33, 31}, {1, 1, 1025}, {0, 3, 4, 5}});
  const size_t n = x.size() - 2;
  const std::vector<int64_t> kernel = Cycled(d.PickInts("kernel_shape", {{2}, {1}, {2, 3}, {3}}), n);
  d.AttrInts("kernel_shape", kernel);
  // Where windows of more than one element had strides of one they would overlap.
  const bool small = std::all_of(kernel.begin(), kernel.end(), [](int64_t k) { return k == 1; });
  std::vector<std::string> options = {"kernel", "wider"};
  if (small) options.insert(options.begin(), "none");
  const std::string strides = d.Pick("strides", options);
  const std::vector<int64_t> pads = d.PickInts("pads", {{}, {0}, {0, 1, 1, 0}});
  std::vector<int64_t> step = kernel, begin(n, 0), end(n, 0);
  if (strides == "wider")
    for (int64_t& s : step) ++s;
  if (strides != "none") d.AttrInts("strides", step);
  if (!pads.empty()) {
    const std::vector<int64_t> all = Cycled(pads, 2 * n);
    d.AttrInts("pads", all);
    std::copy_n(all.begin(), n, begin.begin());
    std::copy_n(all.begin() + static_cast<int64_t>(n), n, end.begin());
  }
  Dims inner = {x[0], x[1]};
  for (size_t i = 0; i < n; ++i) {
    if (begin[i] + end[i] >= kernel[i]) d.Reject("pads of a kernel");
    inner.push_back((x[i + 2] - 1) * step[i] + kernel[i] - begin[i] - end[i]);
  }
  Tensor places(reference::kInt64, x);
  const Tensor within = d.Draw(reference::kInt64, x, Whole(0, 5));
  for (int64_t i = 0; i < places.size(); ++i) {
    int64_t rest = i, place = 0, scale = 1, shift = within.data<int64_t>()[i];
    for (size_t a = x.size(); a-- > 0; rest /= x[a]) {
      int64_t at = rest % x[a];
      if (a >= 2) {
        const size_t s = a - 2;
        at = std::clamp<int64_t>(std::max<int64_t>(at * step[s] - begin[s], 0) +
                                     shift % std::max<int64_t>(kernel[s] - begin[s] - end[s], 1),
                                 0, inner[a] - 1);
        shift /= 2;
      }
      place += at * scale;
      scale *= inner[a];
    }
    places.data<int64_t>()[i] = place;
  }
  d.In(x, Spread(8));
  d.In(std::move(places));
  const std::string shape = d.Pick("output_shape", {"absent", "same", "larger"});
  if (shape == "absent") return;
  if (!pads.empty()) d.Reject("pads are ignored");
  if (shape == "larger")
    for (size_t i = 0; i < n; ++i) inner[i + 2] += static_cast<int64_t>(i) + 1;
  d.Ints(inner);
}

// Regions whose extents the bins divide, so that no bin's edge hangs on a rounding.
void MaxRoiPool(Domain& d) {
  const Dims x = d.Shape("shape", {{2, 3, 12, 11}, {2, 1, 33, 65}, {2, 65, 12, 11}});
  const std::vector<int64_t> pooled = d.PickInts("pooled_shape", {{2, 2}, {1, 1}, {3, 5}, {1, 5}, {3, 1}});
  d.AttrInts("pooled_shape", pooled);
  const double scale = d.PickFloat("spatial_scale", {1, 0.5, 4});
  if (scale != 1) d.AttrFloat("spatial_scale", scale);
  const std::string rois = d.Pick("rois", {"inside", "one", "outside", "reversed", "small", "none"});
  // Of each: the image, then x1, y1, x2, y2 in the image.
  std::vector<double> given = {0, 1, 2, 10, 7, 1, 0, 0, 4, 2, 1, 5, 3, 9, 8};
  if (rois == "one") given = {1, 1, 2, 10, 7};
  if (rois == "outside") given = {0, 8, 9, 17, 14, 1, -3, -2, 6, 3, 0, 70, 40, 74, 42};
  if (rois == "reversed") given = {0, 8, 7, 2, 1};
  if (rois == "small") given = {0, 3, 4, 3, 4, 1, 0, 0, 0, 0};
  if (rois == "reversed" || rois == "small") {
    // One element, in parts.
    for (const int64_t p : pooled)
      if (p > 2) d.Reject("bins of a third");
  }
  for (size_t i = 0; i < given.size(); ++i)
    if (i % 5 != 0) given[i] /= scale;
  d.In(x, Spread(8));
  d.In({rois == "none" ? 0 : static_cast<int64_t>(given.size()) / 5, 5}, Given(given));
}

void RoiAlign(Domain& d) {
  const Dims x = d.Shape("shape", {{2, 3, 9, 8}, {2, 1, 33, 31}, {2, 65, 5, 4}, {2, 2, 1, 1}});
  if (d.has_attribute("coordinate_transformation_mode")) {
    const std::string mode =
        d.Pick("coordinate_transformation_mode", {"none", "half_pixel", "output_half_pixel"});
    if (mode != "none") d.AttrText("coordinate_transformation_mode", mode);
  }
  const std::string mode = d.Pick("mode", {"none", "avg", "max"});
  if (mode != "none") d.AttrText("mode", mode);
  const std::vector<int64_t> out = d.PickInts("output", {{3, 2}, {}, {1, 1}, {5, 7}});
  if (!out.empty()) d.AttrInt("output_height", out[0]), d.AttrInt("output_width", out[1]);
  d.AttrIntOr("sampling_ratio", d.Pick("sampling_ratio", {0, 1, 2, 3}), 0);
  const double scale = d.PickFloat("spatial_scale", {1, 0.25, 2});
  if (scale != 1) d.AttrFloat("spatial_scale", scale);
  const std::string rois = d.Pick("rois", {"inside", "one", "outside", "small", "none"});
  // Fractions, so that neither a sample lies on an element nor the bins need a whole number of them.
  std::vector<double> given = {0.7, 1.3, 5.9, 6.2, 2.1, 0.4, 6.6, 7.7, 1.2, 2.3, 3.7, 4.1};
  if (rois == "one") given = {0.7, 1.3, 5.9, 6.2};
  if (rois == "outside") given = {-3.3, -2.7, 3.9, 4.2, 4.1, 5.4, 12.7, 13.3, 40.2, 50.3, 44.7, 55.1};
  if (rois == "small") given = {2.2, 3.3, 2.5, 3.7};
  for (double& v : given) v /= scale;
  const int64_t count = rois == "none" ? 0 : static_cast<int64_t>(given.size()) / 4;
  d.In(x, Spread(8));
  d.In({count, 4}, Given(given));
  d.In({count}, Given({1, 0, 1}));
}

void CausalConvWithState(Domain& d) {
  const Dims x = d.Shape(
      "shape",
      {{2, 4, 7}, {2, 4, 1}, {1, 1, 3}, {1, 33, 65}, {3, 2, 1025}, {1, 257, 5}, {2, 4, 0}, {0, 4, 7}});
  const int64_t k = d.Pick("kernel", {4, 1, 2, 3, 9, 33});
  const std::string activation = d.Pick("activation", {"absent", "none", "silu", "swish"});
  if (activation != "absent") d.AttrText("activation", activation);
  const bool bias = d.Pick("bias", {"absent", "given"}) == "given",
             past = d.Pick("past_state", {"absent", "given"}) == "given";
  d.Outputs({true, true});
  d.In(x, Spread(2));
  d.In({x[1], 1, k}, Spread(2));
  if (bias)
    d.In({x[1]}, Spread(2));
  else
    d.Absent();
  if (past) d.In({x[0], x[1], k - 1}, Spread(2));
}

}  // namespace

std::span<const DomainEntry> ConvolutionDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Conv", Conv},
      {"", "ConvTranspose", ConvTranspose},
      {"", "DeformConv", DeformConv},
      {"", "Col2Im", Col2Im},
      {"", "AveragePool", AveragePool},
      {"", "MaxPool", MaxPool},
      {"", "LpPool", LpPool},
      {"", "GlobalAveragePool", GlobalAveragePool},
      {"", "GlobalMaxPool", GlobalMaxPool},
      {"", "GlobalLpPool", GlobalLpPool},
      {"", "MaxUnpool", MaxUnpool},
      {"", "MaxRoiPool", MaxRoiPool},
      {"", "RoiAlign", RoiAlign},
      {"", "CausalConvWithState", CausalConvWithState},
  };
  return kDomains;
}

}  // namespace braid::conformance
