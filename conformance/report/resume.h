// SPDX-License-Identifier: Apache-2.0
//
// A file to which results are written as they come, one JSON object a line, so that a run that was ended goes
// on where it was. Lines of {"suite", "plugin", "version", "library_sha256"} say whose the results after them
// are; files of several shards may be joined by `cat`.
#ifndef BRAID_CONFORMANCE_REPORT_RESUME_H_
#define BRAID_CONFORMANCE_REPORT_RESUME_H_

#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "conformance/report/plugin.h"
#include "conformance/run/job.h"

namespace braid::conformance {

class ResumeFile {
 public:
  // No file: keeps nothing.
  ResumeFile() = default;
  // Reads what is there, and will append to it. Throws std::invalid_argument if it can't be read or written,
  // or is of another suite or plugin.
  ResumeFile(const std::string& path, const std::string& suite, const PluginIdentity& plugin);
  // What is known of a case on a device with this driver; null if nothing is. A crash or hang may be told
  // after its case's result: the last one counts.
  const Result* Find(const DeviceIdentity& device, const std::string& id) const;
  void Append(const DeviceIdentity& device, const Result& result);
  bool lost() const { return lost_; }                // whether a result could not be written
  size_t unreadable() const { return unreadable_; }  // lines, such as one that was cut off

 private:
  static std::string KeyOf(const DeviceIdentity& device) { return device.id + "\n" + device.driver; }
  std::map<std::pair<std::string, std::string>, Result> results_;
  std::ofstream out_;
  size_t unreadable_ = 0;
  bool lost_ = false;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_RESUME_H_
