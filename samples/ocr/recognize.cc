// SPDX-License-Identifier: Apache-2.0
#include "recognize.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <stdexcept>

namespace {

constexpr int kHeight = 48, kMinWidth = 320;
constexpr size_t kBatch = 6;

double Length(Point a, Point b) { return std::hypot(a.x - b.x, a.y - b.y); }

// The line, upright.
Image Crop(const Image& page, const Quad& box) {
  const int width = std::max(1, static_cast<int>(std::max(Length(box[0], box[1]), Length(box[2], box[3]))));
  const int height = std::max(1, static_cast<int>(std::max(Length(box[0], box[3]), Length(box[1], box[2]))));
  Image line = Straightened(page, box, width, height);
  return height >= 1.5 * width ? RotatedLeft(line) : line;
}

Reading Decode(const float* probabilities, int64_t steps, int64_t classes,
               const std::vector<std::string>& characters) {
  Reading reading;
  int64_t before = 0;
  int count = 0;
  for (int64_t t = 0; t < steps; ++t) {
    const float* row = probabilities + t * classes;
    const int64_t best = std::max_element(row, row + classes) - row;
    if (best != 0 && best != before) {
      reading.text += characters[static_cast<size_t>(best)];
      reading.score += row[best];
      ++count;
    }
    before = best;
  }
  if (count > 0) reading.score /= static_cast<float>(count);
  return reading;
}

}  // namespace

std::vector<std::string> ReadCharacters(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": can't be read");
  std::vector<std::string> characters = {""};
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    characters.push_back(line);
  }
  characters.push_back(" ");
  return characters;
}

std::vector<Reading> ReadLines(braid::Graph& recogniser, const std::vector<std::string>& characters,
                               const Image& page, const std::vector<Quad>& boxes) {
  std::vector<Image> crops;
  for (const Quad& box : boxes) crops.push_back(Crop(page, box));
  // Lines of like width share a batch, as wide as its widest.
  auto ratio = [&](size_t i) { return static_cast<double>(crops[i].width) / crops[i].height; };
  std::vector<size_t> order(crops.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ratio(a) < ratio(b); });
  std::vector<Reading> readings(crops.size());
  for (size_t first = 0; first < order.size(); first += kBatch) {
    const size_t count = std::min(kBatch, order.size() - first);
    const int width = static_cast<int>(
        kHeight * std::max(static_cast<double>(kMinWidth) / kHeight, ratio(order[first + count - 1])));
    const size_t each = static_cast<size_t>(3) * kHeight * width;
    std::vector<float> input(count * each, 0.0f);
    for (size_t i = 0; i < count; ++i) {
      const size_t k = order[first + i];
      const int own = std::min(width, std::max(1, static_cast<int>(std::ceil(kHeight * ratio(k)))));
      Normalise(Resized(crops[k], own, kHeight), input.data() + i * each, width);
    }
    std::vector<braid::Tensor> in;
    in.push_back(braid::Tensor::Of<float>({static_cast<int64_t>(count), 3, kHeight, width}, input));
    const auto out = recogniser.Run(in);
    const auto dims = out[0].dims();  // batch, steps, characters
    if (dims.size() != 3 || dims[2] != static_cast<int64_t>(characters.size()))
      throw std::runtime_error("the recogniser knows another number of characters than the list has (" +
                               std::to_string(characters.size()) + ")");
    for (size_t i = 0; i < count; ++i)
      readings[order[first + i]] = Decode(out[0].data<float>() + static_cast<int64_t>(i) * dims[1] * dims[2],
                                          dims[1], dims[2], characters);
  }
  return readings;
}
