// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "conformance/peer/peer.h"
#include "conformance/report/certify.h"
#include "conformance/report/report.h"
#include "conformance/report/resume.h"
#include "conformance/report/waivers.h"
#include "conformance/run/fuzz.h"
#include "conformance/run/suite.h"
#include "tools/braid/command.h"
#include "tools/braid/conformance_files.h"
#include "tools/braid/conformance_summary.h"
#include "tools/braid/mutants.h"
#include "tools/braid/official.h"
#include "tools/braid/progress.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;
using conformance::Case;
using conformance::DeviceIdentity;
using conformance::DeviceReport;
using conformance::Level;
using conformance::Report;
using conformance::Result;

// Plugins that take longer to load are not tested.
constexpr double kLoadSeconds = 120;

struct Options {
  std::string plugin, device, peer, level = "default", profile = "all", shard, resume, waivers, out, known,
                                    certify;
  std::vector<std::string> filters, kinds, cases;
  double timeout = 60, seconds = 60;
  uint64_t memory = 0;
  uint64_t seed = 1;
  int jobs = 0;
  bool list = false, verbose = false, json = false, in_process = false;
};

Level LevelOf(const std::string& name) {
  return name == "smoke" ? Level::kSmoke : name == "full" ? Level::kFull : Level::kDefault;
}

conformance::Selection SelectionOf(const Options& options) {
  conformance::Selection selection;
  selection.globs = options.filters;
  selection.kinds = options.kinds;
  selection.profile = conformance::FindProfile(options.profile);
  if (!options.shard.empty()) ParseShard(options.shard, &selection);
  return selection;
}

// The devices to test: the one that is asked for, those of a plugin, or those of the plugin given as a file.
std::vector<DeviceIdentity> DevicesOf(const conformance::Machine& machine, const std::string& plugin,
                                      const std::string& device) {
  std::vector<DeviceIdentity> devices;
  std::vector<std::string> names;
  for (const DeviceIdentity& d : machine.devices) {
    const std::string of = d.id.substr(0, d.id.find(':'));
    names.push_back(d.id);
    if ((plugin.empty() || of == plugin) && (device.empty() || d.id == device || of == device))
      devices.push_back(d);
  }
  if (!devices.empty()) return devices;
  if (!plugin.empty() && machine.plugins.count(plugin) == 0)
    throw UsageError(fmt::format("the plugin '{}' does not load:\n  {}", plugin, machine.doctor));
  throw UsageError(fmt::format("there is no device '{}'{}; there is: {}{}", device.empty() ? plugin : device,
                               NearestMatch(device, names), fmt::join(names, ", "),
                               names.empty() ? "none; `braid doctor` tells why" : ""));
}

void WriteFile(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw UsageError(path.string() + ": can't be written");
}

// One run of the command: what all devices share.
class Suite {
 public:
  explicit Suite(const Options& options) : options_(options), selection_(SelectionOf(options)) {}

  int Run() {
    if (options_.list) return List();
    ReadFiles();
    std::string id;
    if (!options_.plugin.empty()) id = conformance::UseOnly(conformance::FindManifest(options_.plugin));
    const std::vector<DeviceIdentity> devices = options_.peer.empty() ? TestedDevices(id) : TestedPeer();
    report_.suite = graph_version();
    report_.level = options_.level;
    report_.profile = options_.profile;
    report_.date = conformance::Today();
    report_.rerun = Rerun(devices.size());
    report_.complete = selection_.complete() && !fuzzes();
    if (fuzzes()) Note("fuzz: seed {}, {} s", options_.seed, options_.seconds);
    if (!options_.resume.empty())
      resume_ = conformance::ResumeFile(options_.resume, report_.suite, report_.plugin);
    if (resume_.unreadable() > 0)
      Note("lines of {} that cannot be read and were left out: {}", options_.resume, resume_.unreadable());
    if (!fuzzes() && options_.cases.empty() && selection_.WantsKind("official") &&
        selection_.MayWant("official/"))
      Note("no official cases: --cases names folders with them");
    if (!fuzzes()) cases_ = conformance::GeneratedCases(LevelOf(options_.level), selection_);
    for (const DeviceIdentity& d : devices) report_.devices.push_back(RunDevice(d));
    return Finish();
  }

 private:
  std::vector<DeviceIdentity> TestedDevices(const std::string& plugin) {
    const conformance::Machine machine = conformance::Probe(kLoadSeconds);
    const std::string device = options_.device.empty() && plugin.empty() ? "reference" : options_.device;
    const std::vector<DeviceIdentity> devices = DevicesOf(machine, plugin, device);
    report_.plugin = conformance::PluginOf(machine, devices[0]);
    if (!options_.certify.empty() && devices.size() != DevicesOf(machine, report_.plugin.id, "").size())
      throw UsageError("--certify needs all devices of the plugin: leave --device out");
    return devices;
  }

  // In the form of a plugin with one device, for reports and waivers.
  std::vector<DeviceIdentity> TestedPeer() {
    try {
      const conformance::PeerIdentity peer = conformance::ProbePeer(options_.peer);
      report_.plugin.id = report_.plugin.vendor = options_.peer;
      report_.plugin.version = peer.version;
      return {{options_.peer, peer.kind, peer.name, peer.version, 0}};
    } catch (const std::runtime_error& e) {
      throw UsageError(e.what());
    }
  }

  template <class... Args>
  void Note(fmt::format_string<Args...> text, Args&&... args) {
    report_.notes.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  // What was asked for, as far as it matters to a case that is run again alone.
  std::string Rerun(size_t devices) const {
    std::string command = "braid conformance";
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) command += fmt::format(" {} {}", name, conformance::ShellWord(value));
    };
    add("--plugin", options_.plugin);
    add("--peer", options_.peer);
    // The page names the device where several are tested.
    if (devices == 1) add("--device", options_.device);
    // A fuzzed case, which is named in full, is in all levels.
    if (options_.level != "default" && !fuzzes()) add("--level", options_.level);
    if (options_.profile != "all") add("--profile", options_.profile);
    for (const std::string& folder : options_.cases) add("--cases", folder);
    add("--known", options_.known);
    add("--waivers", options_.waivers);
    if (options_.timeout != Options().timeout) add("--timeout", fmt::format("{}", options_.timeout));
    if (options_.memory != 0) add("--memory", std::to_string(options_.memory));
    return command;
  }

  // All that can be wrong with what was asked for is told before anything runs.
  void ReadFiles() {
    if (!options_.certify.empty() && !options_.peer.empty())
      throw UsageError("--certify is for plugins: a peer has no manifest");
    if (!options_.certify.empty() && fuzzes())
      throw UsageError("--certify needs all cases of a level: fuzz has no end");
    if (!options_.certify.empty() && !selection_.complete())
      throw UsageError("--certify needs all cases: it goes with no --filter, --kind or --shard");
    if (!options_.waivers.empty())
      waivers_ = conformance::ParseWaivers(ReadFile(options_.waivers), options_.waivers);
    if (!options_.known.empty())
      known_ = std::make_shared<const KnownFailures>(KnownFailures::Read(options_.known));
    if (options_.out.empty()) return;
    std::error_code error;
    fs::create_directories(options_.out, error);
    if (error) throw UsageError(options_.out + ": can't be made: " + error.message());
  }

  bool fuzzes() const { return options_.level == "fuzz"; }

  // Case after case until the time is over.
  std::vector<Result> Fuzz(const DeviceIdentity& device, const conformance::Waivers& waivers) {
    constexpr size_t kBatch = 128;
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                            std::chrono::duration<double>(options_.seconds));
    conformance::Fuzzer fuzzer(options_.seed, selection_);
    std::vector<Result> results;
    do {
      const std::vector<Case> cases = fuzzer.Next(kBatch);
      if (cases.empty()) break;
      for (Result& r : RunJobs(device, conformance::FuzzJobs(cases, TargetOf(device)), waivers))
        results.push_back(std::move(r));
    } while (std::chrono::steady_clock::now() < end);
    if (results.empty()) throw UsageError("no case's id matches");
    return results;
  }

  conformance::SuiteTarget TargetOf(const DeviceIdentity& device) const {
    conformance::SuiteTarget target;
    target.device = device.id;
    target.peer = options_.peer;
    target.library = report_.plugin.library;
    const size_t colon = device.id.rfind(':');
    if (const char* end = device.id.data() + device.id.size();
        colon != std::string::npos &&
        std::from_chars(device.id.data() + colon + 1, end, target.index).ptr != end)
      throw UsageError(fmt::format("'{}' is no device: PLUGIN:INDEX is one", device.id));
    target.arithmetic = device.arithmetic;
    target.level = LevelOf(options_.level);
    target.operators = conformance::LabelsOf(*selection_.profile);
    return target;
  }

  std::vector<conformance::Job> JobsOf(const DeviceIdentity& device) const {
    const conformance::SuiteTarget target = TargetOf(device);
    std::vector<conformance::Job> jobs = conformance::GeneratedJobs(cases_, target);
    const auto add = [&](std::vector<conformance::Job> more) {
      std::move(more.begin(), more.end(), std::back_inserter(jobs));
    };
    if (selection_.WantsKind("official")) add(OfficialJobs(options_.cases, known_, selection_, target));
    add(conformance::OtherJobs(target, selection_));
    return jobs;
  }

  int List() {
    if (fuzzes()) throw UsageError("--list: the level fuzz has no end; --out gives the ids that were run");
    cases_ = conformance::GeneratedCases(LevelOf(options_.level), selection_);
    const std::vector<conformance::Job> jobs =
        JobsOf({options_.device.empty() ? "reference:0" : options_.device, 0, "", "", 0});
    if (jobs.empty()) throw UsageError("no case's id matches");
    if (options_.json) {
      nlohmann::json json = nlohmann::json::array();
      for (const conformance::Job& job : jobs)
        json.push_back({{"id", job.id}, {"kind", job.kind}, {"group", job.group}});
      fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
      for (const conformance::Job& job : jobs) fmt::print("{}\n", job.id);
    }
    return kDone;
  }

  DeviceReport RunDevice(const DeviceIdentity& device) {
    const auto started = std::chrono::steady_clock::now();
    DeviceReport out;
    out.device = device;
    const conformance::Waivers waivers(waivers_, report_.plugin, device, report_.date);
    std::vector<Result> results;
    if (fuzzes()) {
      results = Fuzz(device, waivers);
    } else {
      const std::vector<conformance::Job> jobs = JobsOf(device);
      if (jobs.empty()) throw UsageError("no case's id matches");
      results = RunJobs(device, jobs, waivers);
    }
    out.coverage = conformance::CoverageOf(
        cases_, {results.begin(), results.begin() + static_cast<ptrdiff_t>(cases_.size())},
        *selection_.profile);
    for (size_t i = 0; i < results.size(); ++i)
      out.cases.push_back(
          {results[i], i < cases_.size() ? conformance::TypesOf(cases_[i]) : std::vector<std::string>()});
    for (const conformance::Waiver& w : waivers.expired())
      Note("{}: the waiver of {} expired on {} and does not count ({})", device.id, w.cases, w.expires,
           w.reason);
    if (report_.complete)
      for (const conformance::Waiver& w : waivers.Unused(results))
        Note("{}: the waiver of {} is for no case of this level ({})", device.id, w.cases, w.reason);
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return out;
  }

  // The results of the jobs, in their order, waivers applied; what the resume file has is not run anew.
  std::vector<Result> RunJobs(const DeviceIdentity& device, const std::vector<conformance::Job>& jobs,
                              const conformance::Waivers& waivers) {
    std::vector<Result> results(jobs.size());
    std::vector<conformance::Job> left;
    std::vector<size_t> places;
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (const Result* known = resume_.Find(device, jobs[i].id); known != nullptr) {
        results[i] = waivers.Judge(*known);
        continue;
      }
      left.push_back(jobs[i]);
      places.push_back(i);
    }
    Progress progress(device.id, left.size(), options_.json);
    if (left.size() < jobs.size())
      progress.Print(
          fmt::format("{} of {} cases are in {}", jobs.size() - left.size(), jobs.size(), options_.resume));
    conformance::ChildOptions children;
    children.children =
        options_.jobs > 0 ? options_.jobs : static_cast<int>(std::thread::hardware_concurrency());
    children.deadline = options_.timeout;
    children.memory = options_.memory << 20;
    const auto done = [&](size_t i, const Result& raw) {
      resume_.Append(device, raw);
      const Result r = waivers.Judge(raw);
      conformance::Counts one;
      one.Add(r.outcome);
      const bool failed = one.failed() > 0, first = results[places[i]].id.empty();
      results[places[i]] = r;
      if (failed || options_.verbose) progress.Print(ResultLine(r));
      // A process that fails as it ends tells its last case a second time.
      if (first) progress.Done(failed);
    };
    if (options_.in_process)
      conformance::RunHere(left, done);
    else
      conformance::RunInChildren(left, children, done);
    return results;
  }

  int Finish() {
    if (resume_.lost())
      Note("{}: results could not be written, and are lost to another run", options_.resume);
    const auto json = ToJson(report_);
    const std::string text =
        json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    if (!options_.out.empty()) {
      const fs::path out = options_.out;
      WriteFile(out / "report.json", text);
      WriteFile(out / "junit.xml", JUnit(report_));
      WriteFile(out / "report.html", Page(report_));
    }
    const bool failed = report_.counts().failed() > 0 || resume_.lost();
    std::string certified;
    if (!options_.certify.empty()) {
      const std::string why_not = WhyNoCertificate(report_);
      if (why_not.empty()) Certify(report_, conformance::FindManifest(options_.certify));
      certified = why_not.empty() ? "certified: " + options_.certify : "not certified: " + why_not;
    }
    if (options_.json) {
      fmt::print("{}", text);
    } else {
      PrintSummary(report_, certified);
    }
    return failed || certified.starts_with("not") ? kFailed : kDone;
  }

  const Options& options_;
  const conformance::Selection selection_;
  std::vector<conformance::Waiver> waivers_;
  std::shared_ptr<const KnownFailures> known_;
  std::vector<Case> cases_;
  conformance::ResumeFile resume_;
  Report report_;
};

// What is wrong with what a user gave.
template <class F>
int Checked(const F& run) {
  try {
    return run();
  } catch (const std::invalid_argument& e) {
    throw UsageError(e.what());
  }
}

void AddOptions(CLI::App& app, Options* o) {
  std::vector<std::string> kinds, profiles;
  std::string kinds_text;
  for (const conformance::CaseKind& kind : conformance::CaseKinds()) {
    kinds.emplace_back(kind.name);
    kinds_text += fmt::format("{}{} ({})", kinds_text.empty() ? "" : "; ", kind.name, kind.what);
  }
  for (const conformance::Profile& profile : conformance::Profiles()) profiles.emplace_back(profile.name);
  app.add_option(
      "--plugin", o->plugin,
      "the plugin to test: its library, its manifest or a folder with one; its devices are tested one after "
      "another, and other plugins are not looked for");
  app.add_option(
      "--device", o->device,
      "the device to test, or a plugin for all of its devices; without --plugin by default reference");
  const std::vector<std::string> peers(conformance::Peers().begin(), conformance::Peers().end());
  app.add_option("--peer", o->peer,
                 "another runtime to test instead of a device, with the cases that have a model; it runs in "
                 "$BRAID_PEER_PYTHON, else python3")
      ->check(CLI::IsMember(peers))
      ->excludes("--plugin", "--device");
  app.add_option("--level", o->level,
                 "smoke, default or full; fuzz: random cases of the operators until --seconds are over")
      ->check(CLI::IsMember({"smoke", "default", "full", "fuzz"}))
      ->capture_default_str();
  app.add_option("--seconds", o->seconds, "how long the level fuzz goes on")
      ->check(NotBelow(0))
      ->capture_default_str();
  app.add_option("--seed", o->seed, "what the level fuzz draws its cases from")->capture_default_str();
  app.add_option("--profile", o->profile, "the operators to test: all, vision or transformer")
      ->check(CLI::IsMember(profiles))
      ->capture_default_str();
  app.add_option("--kind", o->kinds, "only cases of this kind: " + kinds_text)
      ->check(CLI::IsMember(kinds))
      ->allow_extra_args(false);
  app.add_option("--filter", o->filters, "only cases whose id matches the glob")->allow_extra_args(false);
  app.add_option("--shard", o->shard, "I/N: only a share of the cases, the I-th of N");
  app.add_option("--cases", o->cases,
                 "folders with ONNX test cases, as `braid verify` takes them: kind official")
      ->allow_extra_args(false);
  app.add_option("--known", o->known, "known failures of the official cases, as `braid verify` takes them");
  app.add_option("--waivers", o->waivers,
                 "JSON file of failures that are known, each with vendor, reason and expiry");
  app.add_option("--resume", o->resume,
                 "file for each result as it comes; given again, what is in it is not run anew");
  app.add_option("--out", o->out, "folder for report.json, junit.xml and report.html");
  app.add_option("--certify", o->certify,
                 "after a run without failures, write the report beside this manifest and its hash into it");
  app.add_option("--timeout", o->timeout, "seconds that a case may take")
      ->check(NotBelow(1e-3))
      ->capture_default_str();
  app.add_option("--memory", o->memory, "megabytes that a case may take; 0: half of the machine's")
      ->check(NotBelow(0));
  app.add_option("-j,--jobs", o->jobs, "child processes at a time; 0: as many as there are cores")
      ->check(NotBelow(0));
  app.add_flag(
         "--in-process", o->in_process,
         "run the cases in this process, for a debugger or a sanitizer: the first crash or hang is the end")
      ->excludes("--jobs", "--timeout", "--memory");
  app.add_flag("--list", o->list, "print the ids of the cases and run none");
  app.add_flag("--verbose", o->verbose, "print all cases, not only failures");
  app.add_flag("--json", o->json, "print report.json, and nothing else");
}

}  // namespace

std::function<int()> AddConformance(CLI::App& app) {
  auto options = std::make_shared<Options>();
  AddOptions(app, options.get());
  app.require_subcommand(0, 1);

  const auto repro = AddRepro(app), compare = AddCompare(app);
  const auto mutants = AddMutants(app);
  return [=] {
    return Checked([&] {
      std::optional<int> status = repro();
      if (!status.has_value()) status = compare();
      if (!status.has_value()) status = mutants(LevelOf(options->level));
      return status.has_value() ? *status : Suite(*options).Run();
    });
  };
}

}  // namespace braid::cli
