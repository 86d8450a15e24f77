// SPDX-License-Identifier: Apache-2.0
//
// Reads a scanned page: finds its lines of text with one model, reads them with another, and draws what it
// found.
//
//   read_page PAGE.png --detector DET.onnx --recognizer REC.onnx [--characters LIST.txt] [--output OUT.png]
//   [--device LIST]
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>

#include "detect.h"
#include "recognize.h"

namespace {

using Clock = std::chrono::steady_clock;
double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr char kUsage[] =
    "usage: read_page PAGE.png --detector DET.onnx --recognizer REC.onnx [OPTION...]\n"
    "  --characters LIST.txt  one character a line; default: REC_characters.txt beside REC.onnx\n"
    "  --output OUT.png       the page with boxes drawn around the lines\n"
    "  --device LIST          devices that may be used (auto, or such as vulkan,reference); default: auto\n";

int Main(int argc, char** argv) {
  std::string page_path;
  std::map<std::string, std::string> options = {
      {"--detector", ""}, {"--recognizer", ""}, {"--characters", ""}, {"--output", ""}, {"--device", "auto"}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (options.contains(argument) && i + 1 < argc) {
      options[argument] = argv[++i];
    } else if (argument[0] != '-' && page_path.empty()) {
      page_path = argument;
    } else {
      std::fprintf(stderr, "read_page: '%s' is not understood\n%s", argv[i], kUsage);
      return 2;
    }
  }
  if (page_path.empty() || options["--detector"].empty() || options["--recognizer"].empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options["--characters"].empty()) {
    const std::string& model = options["--recognizer"];
    options["--characters"] = model.substr(0, model.rfind(".onnx")) + "_characters.txt";
  }

  const auto start = Clock::now();
  Image page = ReadImage(page_path);
  braid::GraphOptions graph_options;
  graph_options.devices = options["--device"];
  braid::Graph detector(options["--detector"], graph_options);
  braid::Graph recogniser(options["--recognizer"], graph_options);
  const auto characters = ReadCharacters(options["--characters"]);
  std::printf("read_page: models loaded in %.1f s, looking for lines on %d x %d pixels\n",
              SecondsSince(start), page.width, page.height);
  std::fflush(stdout);

  const auto lines = DetectLines(detector, page);
  std::printf("read_page: %zu lines found after %.1f s, reading them\n\n", lines.size(), SecondsSince(start));
  std::fflush(stdout);
  std::vector<Quad> boxes;
  for (const TextLine& line : lines) boxes.push_back(line.box);
  const auto readings = ReadLines(recogniser, characters, page, boxes);
  for (size_t i = 0; i < readings.size(); ++i)
    std::printf("  %3.0f%%  %s\n", 100 * readings[i].score, readings[i].text.c_str());

  if (!options["--output"].empty()) {
    Image drawn = page;
    for (const Quad& q : boxes)
      for (size_t i = 0; i < 4; ++i) DrawLine(drawn, q[i], q[(i + 1) % 4], {220, 30, 30});
    WritePng(options["--output"], drawn);
    std::printf("\nread_page: wrote %s", options["--output"].c_str());
  }
  std::printf("\nread_page: done in %.1f s. Detector on %s. Recogniser on %s.\n", SecondsSince(start),
              detector.Explain().c_str(), lines.empty() ? "nothing" : recogniser.Explain().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "read_page: %s\n", e.what());
    return 1;
  }
}
