// SPDX-License-Identifier: Apache-2.0
//
// Domains of Fourier transforms, windows and mel filters.
#include <cmath>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

void Dft(Domain& d) {
  const bool inverse = d.Flag("inverse"), onesided = d.Flag("onesided");
  if (inverse) d.AttrInt("inverse", 1);
  if (onesided) d.AttrInt("onesided", 1);
  // One-sided: from real numbers to half a spectrum, and back.
  const bool complex = onesided ? inverse : d.Flag("complex");
  Dims x =
      d.Shape("shape", {{2, 6, 5}, {3, 8}, {1, 1}, {2, 257}, {7}, {1025}, {2, 64, 3}, {2, 2, 3, 5}, {0, 4}});
  x.push_back(complex ? 2 : 1);
  const int64_t rank = static_cast<int64_t>(x.size());
  // The last axis holds the parts of complex numbers.
  std::string asked = d.Pick("axis", {"default", "0", "1", "2", "-2", "-3", "-4"});
  if (asked == "default" && rank == 2 && d.version() < 20) asked = "0";  // the default is 1
  int64_t axis = asked != "default" ? std::stoll(asked) : d.version() < 20 ? 1 : -2;
  if (axis > rank - 2 || axis < -rank) d.Reject("there is no such axis of signal");
  if (asked != "default" && d.has_attribute("axis")) d.AttrInt("axis", axis);
  int64_t length = d.Pick("dft_length", {0, 4, 9, 16, 1});
  if (length == 0 && d.type("T2") == reference::kInt32) length = 4;  // so that the type matters
  const int64_t given = x[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  if (length == 0 && given < (onesided && inverse ? 2 : 1)) d.Reject("it is the transform of nothing");
  d.In(x, Uniform(-2, 2));
  if (length != 0)
    d.IntScalar(length);
  else
    d.Absent();
  if (asked != "default" && d.has_input("axis")) d.IntScalar(axis);
}

void Stft(Domain& d) {
  const bool complex = d.Flag("complex");
  if (complex || !d.Pick("onesided", std::vector<int64_t>{1, 0})) d.AttrInt("onesided", 0);
  Dims x = d.Shape("shape", {{2, 64}, {1, 33}, {3, 257}, {1, 16}, {0, 40}});
  const int64_t samples = x[1];
  x.push_back(complex ? 2 : 1);
  const std::string frame = d.Pick("frame", {"length", "window", "both", "neither"});
  const int64_t length = frame == "neither" ? samples : d.Pick("frame_length", {16, 7, 1, 32});
  if (length > samples) d.Reject("no frame fits");
  d.In(x, Uniform(-2, 2));
  d.IntScalar(d.Pick("frame_step", {8, 1, 5, 100}));
  if (frame == "window" || frame == "both")
    d.In({length}, Uniform(0.1, 1));
  else
    d.Absent();
  if (frame == "length" || frame == "both") d.IntScalar(length);
}

void Window(Domain& d) {
  const bool periodic = d.Pick("periodic", std::vector<int64_t>{1, 0}) != 0;
  if (!periodic) d.AttrInt("periodic", 0);
  int64_t size = d.Pick("size", {10, 1, 2, 9, 33, 1025});
  if (!periodic && size == 1) d.Reject("a symmetric window of one element is 0 / 0");
  // Integers cut off what may be a little less than 1: in the middle, where there is an element.
  if (d.is_integer("T2") && (size % 2 == 0) == periodic) ++size;
  if (d.type("T2") != reference::kFloat) d.AttrInt("output_datatype", d.type("T2"));
  d.IntScalar(size);
}

void MelWeightMatrix(Domain& d) {
  const int64_t bins = d.Pick("num_mel_bins", {8, 1, 3, 40});
  const int64_t length = d.Pick("dft_length", {64, 16, 33, 257, 1});
  const int64_t rate = d.Pick("sample_rate", {8192, 16000, 44100});
  const double low = d.PickFloat("lower_edge_hertz", {0, 60, 320}),
               high = d.PickFloat("upper_edge_hertz", {4000, 7168});
  // Edges are rounded down to bins of the spectrum.
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  for (int64_t i = low == 0 ? 1 : 0; i < bins + 2; ++i) {
    const double edge =
        mel(low) + static_cast<double>(i) * (mel(high) - mel(low)) / static_cast<double>(bins + 2);
    const double at =
        static_cast<double>(length + 1) * 700 * (std::pow(10, edge / 2595) - 1) / static_cast<double>(rate);
    if (std::fabs(at - std::round(at)) < 1e-3) d.Reject("an edge hangs on the last bits");
  }
  if (d.type("T3") != reference::kFloat) d.AttrInt("output_datatype", d.type("T3"));
  d.IntScalar(bins);
  d.IntScalar(length);
  d.IntScalar(rate);
  d.In({}, Given({low}));
  d.In({}, Given({high}));
}

}  // namespace

std::span<const DomainEntry> SignalDomains() {
  static const DomainEntry kDomains[] = {
      {"", "DFT", Dft},
      {"", "STFT", Stft},
      {"", "BlackmanWindow", Window},
      {"", "HammingWindow", Window},
      {"", "HannWindow", Window},
      {"", "MelWeightMatrix", MelWeightMatrix},
  };
  return kDomains;
}

}  // namespace braid::conformance
