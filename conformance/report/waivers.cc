// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/waivers.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace braid::conformance {
namespace {

using nlohmann::json;

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "2027-06-30", a day that there is.
bool IsDate(const std::string& text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < kForm.size(); ++i)
    if (kForm[i] == 'd' ? !IsDigit(text[i]) : text[i] != '-') return false;
  const int year = std::stoi(text.substr(0, 4)), month = std::stoi(text.substr(5, 2)),
            day = std::stoi(text.substr(8, 2));
  if (month < 1 || month > 12) return false;
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return day >= 1 && day <= kDays[month - 1] + (leap && month == 2 ? 1 : 0);
}

bool IsVersion(const std::string& text) { return text.empty() || (VersionIn(text) == text); }

bool Matches(const std::string& glob, const std::string& text) {
  return fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

Waiver ParseOne(const json& object, const std::string& where) {
  const auto bad = [&](const std::string& why) { return std::invalid_argument(where + ": " + why); };
  if (!object.is_object()) throw bad("is no JSON object");
  Waiver w;
  std::string driver;
  const struct {
    const char* key;
    std::string* to;
    bool required;
  } keys[] = {{"case", &w.cases, true},      {"vendor", &w.vendor, true},  {"reason", &w.reason, true},
              {"expires", &w.expires, true}, {"device", &w.device, false}, {"driver", &driver, false}};
  for (const auto& [key, to, required] : keys) {
    const auto found = object.find(key);
    if (found == object.end()) {
      if (required) throw bad(fmt::format("it has no '{}'", key));
      continue;
    }
    if (!found->is_string()) throw bad(fmt::format("its '{}' is no string", key));
    *to = found->get<std::string>();
    if (required && to->find_first_not_of(" \t\r\n") == std::string::npos)
      throw bad(fmt::format("its '{}' is empty", key));
  }
  for (const auto& [key, value] : object.items())
    if (std::none_of(std::begin(keys), std::end(keys), [&](const auto& k) { return key == k.key; }))
      throw bad(
          fmt::format("'{}' is no key of a waiver: case, vendor, device, driver, reason, expires", key));
  if (!IsDate(w.expires)) throw bad(fmt::format("expires '{}' is no day such as 2027-06-30", w.expires));
  if (driver.empty()) return w;
  const size_t dots = driver.find("..");
  w.from = driver.substr(0, dots);
  w.to = dots == std::string::npos ? w.from : driver.substr(dots + 2);
  if (!IsVersion(w.from) || !IsVersion(w.to))
    throw bad(
        fmt::format("driver '{}' is no version or range such as 1.2, 1.2..1.4, 1.2.. or ..1.4", driver));
  return w;
}

std::vector<uint64_t> Numbers(std::string_view version) {
  std::vector<uint64_t> numbers(1, 0);
  for (const char c : version) {
    if (c == '.')
      numbers.push_back(0);
    else if (IsDigit(c))
      numbers.back() = numbers.back() * 10 + static_cast<uint64_t>(c - '0');
  }
  return numbers;
}

bool IsFor(const Waiver& w, const PluginIdentity& plugin, const DeviceIdentity& device) {
  if (w.vendor != plugin.id && w.vendor != plugin.vendor) return false;
  if (!Matches(w.device, device.id) && !Matches(w.device, device.name)) return false;
  if (w.from.empty() && w.to.empty()) return true;
  const std::string version = VersionIn(device.driver);
  return !version.empty() && (w.from.empty() || CompareVersions(version, w.from) >= 0) &&
         (w.to.empty() || CompareVersions(version, w.to) <= 0);
}

}  // namespace

std::vector<Waiver> ParseWaivers(const std::string& text, const std::string& file) {
  const json root = json::parse(text, nullptr, false);
  const json* list = &root;
  if (root.is_object() && root.contains("waivers")) list = &root["waivers"];
  if (!list->is_array())
    throw std::invalid_argument(file + ": is no JSON list of waivers, nor {\"waivers\": [...]}");
  std::vector<Waiver> waivers;
  for (size_t i = 0; i < list->size(); ++i)
    waivers.push_back(ParseOne((*list)[i], fmt::format("{}: waiver {}", file, i + 1)));
  return waivers;
}

int CompareVersions(std::string_view a, std::string_view b) {
  std::vector<uint64_t> x = Numbers(a), y = Numbers(b);
  x.resize(std::max(x.size(), y.size()));
  y.resize(x.size());
  return x < y ? -1 : x == y ? 0 : 1;
}

std::string VersionIn(const std::string& driver) {
  const auto first = std::find_if(driver.begin(), driver.end(), IsDigit);
  auto end = first;
  while (end != driver.end() &&
         (IsDigit(*end) || (*end == '.' && end + 1 != driver.end() && IsDigit(end[1]))))
    ++end;
  return {first, end};
}

Waivers::Waivers(const std::vector<Waiver>& all, const PluginIdentity& plugin, const DeviceIdentity& device,
                 const std::string& today) {
  for (const Waiver& w : all)
    if (IsFor(w, plugin, device)) (w.expires < today ? expired_ : waivers_).push_back(w);
}

Result Waivers::Judge(Result r) const {
  const auto waiver =
      std::find_if(waivers_.begin(), waivers_.end(), [&](const Waiver& w) { return Matches(w.cases, r.id); });
  if (waiver == waivers_.end()) return r;
  switch (r.outcome) {
    case Outcome::kFail:
    case Outcome::kCrash:
    case Outcome::kHang:
    case Outcome::kResource:
      r.text = fmt::format("{} (until {}); it was: {}: {}", waiver->reason, waiver->expires, Name(r.outcome),
                           r.text);
      r.outcome = Outcome::kWaived;
      break;
    case Outcome::kPass:
      r.text = fmt::format("it passes, so its waiver is stale ({})", waiver->reason);
      r.outcome = Outcome::kStale;
      break;
    default:
      break;
  }
  return r;
}

std::vector<Waiver> Waivers::Unused(const std::vector<Result>& results) const {
  std::vector<Waiver> unused;
  for (const Waiver& w : waivers_)
    if (std::none_of(results.begin(), results.end(), [&](const Result& r) { return Matches(w.cases, r.id); }))
      unused.push_back(w);
  return unused;
}

}  // namespace braid::conformance
