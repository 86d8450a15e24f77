// SPDX-License-Identifier: Apache-2.0
//
// Finds the lines of text on a page: PP-OCR's detector gives a probability for each pixel, and Differentiable
// Binarization's post-processing (Liao et al., 2020) turns that into rotated rectangles.
#ifndef BRAID_SAMPLES_OCR_DETECT_H_
#define BRAID_SAMPLES_OCR_DETECT_H_

#include <braid/graph.hpp>
#include <vector>

#include "image.h"

struct TextLine {
  Quad box;  // in pixels of the page
  float score = 0;
};

// In reading order.
std::vector<TextLine> DetectLines(braid::Graph& detector, const Image& page);

#endif  // BRAID_SAMPLES_OCR_DETECT_H_
