// SPDX-License-Identifier: Apache-2.0
#include "detect.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr int kMinSide = 736;          // the page's shorter side is brought to at least this
constexpr float kThreshold = 0.3f;     // of a pixel
constexpr float kBoxThreshold = 0.5f;  // of a box's mean
constexpr double kUnclip = 1.6;        // the detector learned shrunken boxes
constexpr double kMinBox = 3;          // pixels

struct Rectangle {
  Quad corners;
  double width = 0, height = 0;
};

double Cross(Point o, Point a, Point b) { return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x); }

// Andrew's monotone chain.
std::vector<Point> ConvexHull(std::vector<Point> points) {
  std::sort(points.begin(), points.end(),
            [](Point a, Point b) { return a.x < b.x || (a.x == b.x && a.y < b.y); });
  if (points.size() < 3) return points;
  std::vector<Point> hull(2 * points.size());
  size_t n = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    while (n >= 2 && Cross(hull[n - 2], hull[n - 1], points[i]) <= 0) --n;
    hull[n++] = points[i];
  }
  const size_t lower = n + 1;
  for (size_t i = points.size() - 1; i-- > 0;) {
    while (n >= lower && Cross(hull[n - 2], hull[n - 1], points[i]) <= 0) --n;
    hull[n++] = points[i];
  }
  hull.resize(n - 1);
  return hull;
}

// The rectangle of least area around the points: one of its sides lies on a side of the hull.
Rectangle SmallestRectangle(const std::vector<Point>& hull) {
  Rectangle best;
  double least = INFINITY;
  for (size_t i = 0; i < hull.size(); ++i) {
    const Point a = hull[i], b = hull[(i + 1) % hull.size()];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    const Point u = length > 0 ? Point{(b.x - a.x) / length, (b.y - a.y) / length} : Point{1, 0};
    double u0 = INFINITY, u1 = -INFINITY, v0 = INFINITY, v1 = -INFINITY;
    for (Point p : hull) {
      const double du = p.x * u.x + p.y * u.y, dv = -p.x * u.y + p.y * u.x;
      u0 = std::min(u0, du), u1 = std::max(u1, du), v0 = std::min(v0, dv), v1 = std::max(v1, dv);
    }
    if ((u1 - u0) * (v1 - v0) >= least) continue;
    least = (u1 - u0) * (v1 - v0);
    auto corner = [&](double du, double dv) { return Point{du * u.x - dv * u.y, du * u.y + dv * u.x}; };
    best = {{corner(u0, v0), corner(u1, v0), corner(u1, v1), corner(u0, v1)}, u1 - u0, v1 - v0};
  }
  return best;
}

// The same rectangle with every side moved outwards.
Rectangle Grown(const Rectangle& r, double by) {
  Rectangle out = r;
  const Quad& c = r.corners;
  auto unit = [](Point a, Point b) {
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    return length > 0 ? Point{(b.x - a.x) / length, (b.y - a.y) / length} : Point{0, 0};
  };
  const Point u = unit(c[0], c[1]), v = unit(c[0], c[3]);
  const double su[4] = {-1, 1, 1, -1}, sv[4] = {-1, -1, 1, 1};
  for (size_t i = 0; i < 4; ++i)
    out.corners[i] = {c[i].x + by * (su[i] * u.x + sv[i] * v.x), c[i].y + by * (su[i] * u.y + sv[i] * v.y)};
  out.width += 2 * by;
  out.height += 2 * by;
  return out;
}

// Top left, top right, bottom right, bottom left.
Quad Ordered(Quad q) {
  std::sort(q.begin(), q.end(), [](Point a, Point b) { return a.x < b.x; });
  if (q[0].y > q[1].y) std::swap(q[0], q[1]);
  if (q[2].y > q[3].y) std::swap(q[2], q[3]);
  return {q[0], q[2], q[3], q[1]};
}

// Mean of the map inside a convex quadrilateral.
float MeanInside(const float* map, int width, int height, const Quad& quad) {
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  for (Point p : quad)
    x0 = std::min(x0, p.x), x1 = std::max(x1, p.x), y0 = std::min(y0, p.y), y1 = std::max(y1, p.y);
  double sum = 0;
  int count = 0;
  for (int y = std::max(0, static_cast<int>(y0)); y <= std::min(height - 1, static_cast<int>(std::ceil(y1)));
       ++y)
    for (int x = std::max(0, static_cast<int>(x0)); x <= std::min(width - 1, static_cast<int>(std::ceil(x1)));
         ++x) {
      bool left = true, right = true;
      for (size_t i = 0; i < 4; ++i) {
        const double side =
            Cross(quad[i], quad[(i + 1) % 4], {static_cast<double>(x), static_cast<double>(y)});
        left = left && side >= 0;
        right = right && side <= 0;
      }
      if (!left && !right) continue;
      sum += map[static_cast<size_t>(y) * width + x];
      ++count;
    }
  return count == 0 ? 0 : static_cast<float>(sum / count);
}

// The pixels of each connected region (8 neighbours) of `mask`, which is cleared.
std::vector<std::vector<Point>> Regions(std::vector<uint8_t>& mask, int width, int height) {
  std::vector<std::vector<Point>> regions;
  std::vector<int> stack;
  for (int start = 0; start < width * height; ++start) {
    if (mask[static_cast<size_t>(start)] == 0) continue;
    regions.emplace_back();
    mask[static_cast<size_t>(start)] = 0;
    stack.push_back(start);
    while (!stack.empty()) {
      const int at = stack.back(), x = at % width, y = at / width;
      stack.pop_back();
      regions.back().push_back({static_cast<double>(x), static_cast<double>(y)});
      for (int ny = std::max(0, y - 1); ny <= std::min(height - 1, y + 1); ++ny)
        for (int nx = std::max(0, x - 1); nx <= std::min(width - 1, x + 1); ++nx) {
          uint8_t& m = mask[static_cast<size_t>(ny) * width + nx];
          if (m == 0) continue;
          m = 0;
          stack.push_back(ny * width + nx);
        }
    }
  }
  return regions;
}

}  // namespace

std::vector<TextLine> DetectLines(braid::Graph& detector, const Image& page) {
  const double ratio = std::max(1.0, static_cast<double>(kMinSide) / std::min(page.width, page.height));
  // The network halves its input five times.
  auto side = [&](int pixels) {
    return std::max(32, static_cast<int>(std::lround(static_cast<int>(pixels * ratio) / 32.0)) * 32);
  };
  const int width = side(page.width), height = side(page.height);
  std::vector<float> input(static_cast<size_t>(3) * width * height);
  Normalise(Resized(page, width, height), input.data(), width);
  std::vector<braid::Tensor> in;
  in.push_back(braid::Tensor::Of<float>({1, 3, height, width}, input));
  const auto out = detector.Run(in);
  const float* map = out[0].data<float>();

  // Binarised, and widened by one pixel to the right and below, which joins letters.
  std::vector<uint8_t> mask(static_cast<size_t>(width) * height, 0);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int dy = 0; dy < 2; ++dy)
        for (int dx = 0; dx < 2; ++dx)
          if (x >= dx && y >= dy && map[static_cast<size_t>(y - dy) * width + x - dx] > kThreshold)
            mask[static_cast<size_t>(y) * width + x] = 1;

  std::vector<TextLine> lines;
  for (const auto& region : Regions(mask, width, height)) {
    Rectangle box = SmallestRectangle(ConvexHull(region));
    if (std::min(box.width, box.height) < kMinBox) continue;
    const float score = MeanInside(map, width, height, box.corners);
    if (score < kBoxThreshold) continue;
    box = Grown(box, box.width * box.height * kUnclip / (2 * (box.width + box.height)));
    if (std::min(box.width, box.height) < kMinBox + 2) continue;
    TextLine line{Ordered(box.corners), score};
    for (Point& p : line.box) {
      p.x = std::clamp(std::round(p.x / width * page.width), 0.0, page.width - 1.0);
      p.y = std::clamp(std::round(p.y / height * page.height), 0.0, page.height - 1.0);
    }
    lines.push_back(line);
  }
  // Lines whose tops are less than this apart are one line: left before right.
  constexpr double kSameLine = 10;
  std::stable_sort(lines.begin(), lines.end(), [](auto& a, auto& b) { return a.box[0].y < b.box[0].y; });
  for (size_t first = 0; first < lines.size();) {
    size_t end = first + 1;
    while (end < lines.size() && lines[end].box[0].y - lines[end - 1].box[0].y < kSameLine) ++end;
    std::stable_sort(lines.begin() + static_cast<long>(first), lines.begin() + static_cast<long>(end),
                     [](auto& a, auto& b) { return a.box[0].x < b.box[0].x; });
    first = end;
  }
  return lines;
}
