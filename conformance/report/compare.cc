// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/compare.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "conformance/run/job.h"

namespace braid::conformance {
namespace {

using nlohmann::json;

struct Entry {
  std::string outcome, text;
};
using Entries = std::map<std::pair<std::string, std::string>, Entry>;  // by device and id

Entries EntriesOf(const json& report, const std::string& name) {
  Entries entries;
  try {
    if (report.value("format", json()) != 1)
      throw std::invalid_argument(name + ": its format is none that this version reads (1)");
    const json& devices = report.at("devices");
    for (const json& device : devices)
      for (const json& c : device.at("cases"))
        entries[{devices.size() == 1 ? "" : device.at("id").get<std::string>(), c.at("id")}] = {
            c.at("outcome"), c.value("text", "")};
  } catch (const json::exception& e) {
    throw std::invalid_argument(name + ": is no conformance report: " + e.what());
  }
  return entries;
}

// Of outcomes, so that a greater one is worse; what is not there has none.
int Rank(const std::string& outcome) {
  if (outcome.empty() || outcome == Name(Outcome::kPass)) return 0;
  return outcome == Name(Outcome::kUnsupported) || outcome == Name(Outcome::kCore) ||
                 outcome == Name(Outcome::kWaived)
             ? 1
             : 2;
}

std::string TextAt(const json& report, const char* pointer) {
  const json::json_pointer at(pointer);
  if (!report.contains(at)) return "";
  const json& value = report.at(at);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

size_t Comparison::worse() const {
  return static_cast<size_t>(
      std::count_if(changes.begin(), changes.end(), [](const Change& c) { return c.worse; }));
}

Comparison Compare(const json& before, const json& after, const std::string names[2]) {
  const Entries a = EntriesOf(before, names[0]), b = EntriesOf(after, names[1]);
  Comparison comparison;
  constexpr std::pair<const char*, const char*> kIdentity[] = {{"suite", "/suite"},
                                                               {"level", "/level"},
                                                               {"profile", "/profile"},
                                                               {"complete", "/complete"},
                                                               {"library", "/plugin/library_sha256"},
                                                               {"plugin", "/plugin/id"},
                                                               {"version", "/plugin/version"},
                                                               {"device", "/devices/0/name"},
                                                               {"driver", "/devices/0/driver"},
                                                               {"arithmetic", "/devices/0/arithmetic_text"}};
  for (const auto& [what, pointer] : kIdentity)
    if (const std::string x = TextAt(before, pointer), y = TextAt(after, pointer); x != y)
      comparison.identity.push_back(std::string(what) + ": " + x + " -> " + y);
  std::set<Entries::key_type> keys;
  for (const auto& [key, entry] : a) keys.insert(key);
  for (const auto& [key, entry] : b) keys.insert(key);
  for (const auto& key : keys) {
    const auto in_a = a.find(key), in_b = b.find(key);
    const Entry was = in_a == a.end() ? Entry() : in_a->second, is = in_b == b.end() ? Entry() : in_b->second;
    if (was.outcome == is.outcome) {
      ++comparison.same;
      continue;
    }
    // A new case that the device refuses takes nothing away; one that passed and is not there any more does.
    const bool gone = is.outcome.empty() && was.outcome == Name(Outcome::kPass);
    const bool worse = gone || Rank(is.outcome) > (was.outcome.empty() ? 1 : Rank(was.outcome));
    comparison.changes.push_back({key.first, key.second, was.outcome, is.outcome, is.text, worse});
  }
  return comparison;
}

}  // namespace braid::conformance
