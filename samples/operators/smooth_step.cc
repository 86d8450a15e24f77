// SPDX-License-Identifier: Apache-2.0
//
// A plugin without a device: it brings an operator whose body is ONNX's, com.example.image's SmoothStep, so
// that every device runs it.
//
//   helper.make_node("SmoothStep", ["x", "low", "high"], ["y"], domain="com.example.image")
//
// y is 0 up to low, 1 from high on, and 3 t^2 - 2 t^3 between, t being (x - low) / (high - low).
#include <braid/kit/operators.h>
#include <braid/kit/plugin.h>

#include <memory>
#include <string_view>
#include <vector>

namespace {

braid::kit::Operator SmoothStep() {
  braid::kit::Operator op;
  op.domain = "com.example.image";
  op.name = "SmoothStep";
  op.text = "0 up to low, 1 from high on, and 3 t^2 - 2 t^3 between, t being (x - low) / (high - low).";
  op.inputs = {{"x", "T"}, {"low", "T"}, {"high", "T"}};
  op.outputs = {{"y", "T"}};
  op.constraints = {{"T", {"tensor(float)", "tensor(double)"}}};
  op.attributes = {{"steepness", BRAID_ATTR_FLOAT, true}};
  op.body_opset = 15;
  op.body = R"({
    above = Sub (x, low)
    range = Sub (high, low)
    whole = Div (above, range)
    number = Constant <value_float: float = @steepness> ()
    steepness = CastLike (number, x)
    steep = Mul (whole, steepness)
    zero_f = Constant <value_float = 0.0> ()
    zero = CastLike (zero_f, x)
    one_f = Constant <value_float = 1.0> ()
    one = CastLike (one_f, x)
    t = Clip (steep, zero, one)
    two = Add (one, one)
    three = Add (two, one)
    twice = Mul (two, t)
    rest = Sub (three, twice)
    square = Mul (t, t)
    y = Mul (square, rest)
  })";
  return op;
}

class ImagePlugin : public braid::kit::Plugin {
 public:
  explicit ImagePlugin(braid::kit::Host host) : Plugin(host), operators_(host.raw(), {SmoothStep()}) {}
  std::string_view id() const override { return "example_image"; }
  std::string_view vendor() const override { return "Example"; }
  std::string_view version() const override { return "0.1.0"; }
  int32_t newest_opset() const override { return 28; }
  std::vector<braid_device_info> Enumerate() override { return {}; }
  std::unique_ptr<braid::kit::Device> Open(uint32_t, const braid_open_options&) override {
    throw braid::kit::Error(BRAID_INVALID_ARGUMENT, "there is no device");
  }
  const void* Extension(const char* id) override { return operators_.Extension(id); }

 private:
  braid::kit::Operators operators_;
};

}  // namespace

BRAID_KIT_PLUGIN(ImagePlugin)
