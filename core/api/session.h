// SPDX-License-Identifier: Apache-2.0
//
// What stands behind graph_t: a model, the devices that it may use, and its runner.
#ifndef BRAID_CORE_API_SESSION_H_
#define BRAID_CORE_API_SESSION_H_

#include <braid/graph.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/onnx/model.h"
#include "core/run/runner.h"

namespace braid {

class Session {
 public:
  static absl::StatusOr<std::unique_ptr<Session>> Create(std::shared_ptr<const Model> model,
                                                         std::string origin, const graph_options& options);
  // Waits for runs that have been started with graph_run_async.
  ~Session();

  const Graph& graph() const { return model_->graph(); }
  absl::Status Prepare(const graph_tensor* inputs, uint32_t input_count);
  absl::Status Run(const graph_tensor* inputs, uint32_t input_count, graph_tensor* outputs,
                   uint32_t output_count, RunControl* control);
  // The text lives until this thread's next explanation, and no longer than the session.
  absl::StatusOr<const char*> Explain(int32_t format);

  void BeginRequest();
  void EndRequest();

 private:
  Session(std::shared_ptr<const Model> model, std::string origin)
      : model_(std::move(model)), origin_(std::move(origin)) {}
  struct Call {  // the arrays of one run, kept for the next
    std::vector<RunInput> inputs;
    std::vector<RunOutput> outputs;
    std::vector<const graph_tensor*> given;  // by input, null: not given
    std::vector<int64_t> asked;              // by output: index in the caller's array, -1: not asked for
    struct Range {  // of memory that the caller has for an output; buffer null: begin is an address
      const Buffer* buffer;
      uint64_t begin, bytes;
      size_t output;
    };
    std::vector<Range> taken;
    std::vector<HostBlock> dense;                   // inputs that had to be copied
    std::vector<std::unique_ptr<RunValue>> values;  // inputs that are no tensors
  };
  absl::StatusOr<std::shared_ptr<Runner>> runner();
  // Gives up a runner whose devices failed: the next run begins with devices that are opened again.
  void Renew(const std::shared_ptr<Runner>& runner);
  absl::Status MatchInputs(const graph_tensor* inputs, uint32_t count, bool with_data, Call* call);
  absl::Status MatchOutputs(const graph_tensor* outputs, uint32_t count, Call* call);
  absl::Status SetDeviceOptions(const char* const* options);
  absl::StatusOr<std::vector<std::shared_ptr<Device>>> OpenDevices() const;
  absl::Status Annotate(const absl::Status& status) const;
  std::unique_ptr<Call> TakeCall();
  void GiveCall(std::unique_ptr<Call> call);
  void TellOnce(const Runner& runner);
  absl::StatusOr<std::string> Explanation(int32_t format);

  const std::shared_ptr<const Model> model_;
  const std::string origin_;  // path of the model, or "model in memory"
  std::string devices_;       // as the options name them
  struct DeviceOption {
    std::string text, plugin;  // text: as it was given
    int64_t index;             // -1: all devices of the plugin
    std::string key, value;
  };
  std::vector<DeviceOption> device_options_;
  std::optional<std::string> cache_folder_;
  PlaceOptions place_;
  bool verbose_ = false;
  absl::flat_hash_map<std::string_view, size_t> input_of_, output_of_;  // positions by name
  std::vector<RunInput> defaults_;  // by input; data null where it has to be given
  std::vector<std::vector<int64_t>> default_dims_;
  std::mutex mutex_;
  std::shared_ptr<Runner> runner_;                    // null until devices are needed
  std::map<std::thread::id, std::string> explained_;  // by thread
  std::vector<std::unique_ptr<Call>> calls_;
  std::condition_variable idle_;
  int requests_ = 0;
};

// The devices that a list such as "auto" or "acme,reference" names; one that is lost is opened anew.
// InvalidArgument tells what there is.
absl::StatusOr<std::vector<std::shared_ptr<Device>>> ChooseDevices(const std::string& list);

}  // namespace braid

struct graph_buffer {
  braid::Buffer buffer;
  uint8_t* host = nullptr;  // where the device works on host memory
};

#endif  // BRAID_CORE_API_SESSION_H_
