// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/resume.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace braid::conformance {
namespace {

using nlohmann::json;

std::string Line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

ResumeFile::ResumeFile(const std::string& path, const std::string& suite, const PluginIdentity& plugin) {
  const json header = {{"suite", suite},
                       {"plugin", plugin.id},
                       {"version", plugin.version},
                       {"library_sha256", plugin.library_sha256}};
  // A FIFO or a device has no end, or no beginning.
  std::error_code none;
  if (const auto status = std::filesystem::status(path, none);
      std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw std::invalid_argument(path + ": is no file");
  std::string line;
  bool headed = false, ended = true;
  if (std::ifstream in(path); in) {
    while (std::getline(in, line)) {
      ended = !in.eof();
      const json object = json::parse(line, nullptr, false);
      if (!object.is_object()) {
        ++unreadable_;
        continue;
      }
      if (object.contains("suite")) {
        if (object != header)
          throw std::invalid_argument(
              fmt::format("{}: its results are of {}, this is {}; name another file for --resume", path,
                          object.dump(-1, ' ', true, json::error_handler_t::replace), header.dump()));
        headed = true;
        continue;
      }
      try {
        if (!headed) throw std::invalid_argument(path + ": does not begin with whose results it has");
        Result r;
        r.id = object.at("id");
        r.kind = object.at("kind");
        r.group = object.at("group");
        r.outcome = OutcomeOf(object.at("outcome"));
        r.text = object.at("text");
        r.basis = object.at("basis");
        // JSON has no infinity.
        r.worst = object.at("worst").is_null() ? std::numeric_limits<double>::infinity()
                                               : object.at("worst").get<double>();
        r.seconds = object.at("seconds");
        r.measured = object.value("measured", "");
        const std::string device = object.at("device"), driver = object.at("driver");
        results_[{device + "\n" + driver, r.id}] = std::move(r);
      } catch (const json::exception&) {
        ++unreadable_;
      }
    }
  }
  out_.open(path, std::ios::app);
  if (!out_) throw std::invalid_argument(fmt::format("{}: can't be written: {}", path, std::strerror(errno)));
  if (!ended) out_ << "\n";
  if (!headed) out_ << Line(header);
  out_.flush();
}

const Result* ResumeFile::Find(const DeviceIdentity& device, const std::string& id) const {
  const auto at = results_.find({KeyOf(device), id});
  return at == results_.end() ? nullptr : &at->second;
}

void ResumeFile::Append(const DeviceIdentity& device, const Result& r) {
  if (!out_.is_open()) return;
  out_ << Line({{"device", device.id},
                {"driver", device.driver},
                {"id", r.id},
                {"kind", r.kind},
                {"group", r.group},
                {"outcome", Name(r.outcome)},
                {"text", r.text},
                {"worst", r.worst},
                {"seconds", r.seconds},
                {"basis", r.basis},
                {"measured", r.measured}});
  out_.flush();
  lost_ = lost_ || !out_;
}

}  // namespace braid::conformance
