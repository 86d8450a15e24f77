// SPDX-License-Identifier: Apache-2.0
//
// Reads one line of text: PP-OCR's recogniser gives, for each step along the line, a probability for each
// character; greedy CTC decoding (Graves et al., 2006) makes text of it.
#ifndef BRAID_SAMPLES_OCR_RECOGNIZE_H_
#define BRAID_SAMPLES_OCR_RECOGNIZE_H_

#include <braid/graph.hpp>
#include <string>
#include <vector>

#include "image.h"

struct Reading {
  std::string text;  // UTF-8
  float score = 0;   // mean probability of the characters
};

// One character a line; the blank goes before, the space after them.
std::vector<std::string> ReadCharacters(const std::string& path);

// One reading for each box of the page.
std::vector<Reading> ReadLines(braid::Graph& recogniser, const std::vector<std::string>& characters,
                               const Image& page, const std::vector<Quad>& boxes);

#endif  // BRAID_SAMPLES_OCR_RECOGNIZE_H_
