// SPDX-License-Identifier: Apache-2.0
//
// Domains of control flow, sequences and optionals. Bodies move elements, so that they serve every type, and
// use operators that are in all opsets; those that add are for floats.
#include <algorithm>

#include "conformance/case/domain.h"
#include "conformance/case/schema.h"

namespace braid::conformance {
namespace {

// ---- Text of bodies ----

// "float[?, ?]", or with extents where a body that never runs must tell them.
std::string TypeText(int32_t type, const Dims& dims, bool extents = false) {
  std::string text;
  for (const int64_t e : dims) text += (text.empty() ? "" : ", ") + (extents ? std::to_string(e) : "?");
  return ElementTypeText(type) + (text.empty() ? "" : "[" + text + "]");
}

// Lines that make three elements of `type` by the name `name`; `variant` tells them from others.
struct Made {
  std::string initializer, node;
};
Made MakeThree(int32_t type, const std::string& name, int variant) {
  const bool first = variant == 0;
  std::string from = ElementTypeText(type), values = first ? "1, 0, 1" : "0, 1, 1";
  if (type == reference::kString) values = first ? "\"a\", \"\", \"b c\"" : "\"x\", \"yy\", \"\"";
  if (type == reference::kFloat16)
    values = first ? "15360, 16384, 0" : "16896, 15360, 48128";  // bits of 1, 2, 0; 3, 1, -1
  if (type == reference::kBFloat16) values = first ? "16256, 16384, 0" : "16448, 16256, 49024";
  if (type == reference::kComplex64 || type == reference::kComplex128)
    values = first ? "1, 2, 3, 4, 5, 6" : "7, 8, 9, 1, 2, 3";
  // Types of a byte and below are not written as text.
  const bool cast = type > reference::kBFloat16;
  if (type == reference::kFloat8E8M0) values = first ? "1, 2, 4" : "4, 1, 2";
  if (cast) from = "float";
  return {from + "[3] made_" + name + " = {" + values + "}",
          name + (cast ? " = Cast <to = " + std::to_string(type) + "> (made_" + name + ")\n"
                       : " = Identity (made_" + name + ")\n")};
}

// Adding in version `version`'s opset.
void RequireAdd(const Domain& d, int32_t type) {
  if (!d.is_float("V") || (type == reference::kBFloat16 && d.version() < 13))
    d.Reject("a body that adds is for floats");
}

// ---- If ----

void If(Domain& d) {
  const int32_t type = d.type("V");
  std::vector<std::string> kinds = {"one", "two", "shapes_differ", "nested"};
  if (d.version() >= 11) kinds.push_back("captured");
  if (d.version() >= 13) kinds.push_back("sequence");
  if (d.version() >= 16) kinds.push_back("optional");
  const std::string kind = d.Pick("branches", kinds);
  if (kind == "captured" && type > reference::kComplex128) d.Reject("Where does not take it");
  if ((kind == "sequence" || kind == "optional") && type > reference::kComplex128)
    d.Reject("sequences and optionals of it are newer");
  std::string vector = TypeText(type, {0}), y_type = vector;
  if (kind == "sequence") y_type = "seq(" + vector + ")";
  if (kind == "optional") y_type = "optional(" + vector + ")";
  if (kind == "shapes_differ") y_type = ElementTypeText(type) + "[]";
  for (int branch = 0; branch < 2; ++branch) {
    // The names of outputs are the branch's own.
    const std::string b = branch == 0 ? "t" : "e";
    const Made p = MakeThree(type, b + "_p", branch), q = MakeThree(type, b + "_q", 1 - branch);
    std::string nodes = p.node + q.node, outputs = y_type + " " + b + "_y",
                initializers = p.initializer + ", " + q.initializer;
    if (kind == "two") {
      outputs += ", " + vector + " " + b + "_z";
      nodes += b + "_y = Identity (" + b + "_p)\n" + b + "_z = Identity (" + b + "_q)\n";
    } else if (kind == "shapes_differ") {
      initializers += ", int64[2] " + b + "_shape = {1, -1}";
      nodes += d.version() < 5
                   ? b + "_y = Reshape <shape = [" + (branch == 0 ? "1, -1" : "-1") + "]> (" + b + "_p)\n"
               : branch == 0 ? b + "_y = Reshape (" + b + "_p, " + b + "_shape)\n"
                             : b + "_y = Identity (" + b + "_p)\n";
    } else if (kind == "captured") {
      nodes += b + "_y = Where (x0, " + b + "_p, " + b + "_q)\n";
    } else if (kind == "nested") {
      initializers += std::string(", bool ") + b + "_c = {" + (branch == 0 ? "0" : "1") + "}";
      nodes += b + "_y = If (" + b + "_c) <then_branch = inner_then () => (" + vector + " " + b + "_u) { " +
               b + "_u = Identity (" + b + "_p) }, else_branch = inner_else () => (" + vector + " " + b +
               "_v) { " + b + "_v = Identity (" + b + "_q) }>\n";
    } else if (kind == "sequence") {
      nodes += b + "_y = SequenceConstruct (" + b + "_p" + (branch == 0 ? "" : ", " + b + "_q") + ")\n";
    } else if (kind == "optional") {
      nodes += branch == 0 ? b + "_y = Optional (" + b + "_p)\n"
                           : b + "_y = Optional <type = " + vector + "> ()\n";
    } else {
      nodes += b + "_y = Identity (" + b + "_p)\n";
    }
    d.AttrGraph(branch == 0 ? "then_branch" : "else_branch",
                b + " () => (" + outputs + ") <" + initializers + "> {\n" + nodes + "}");
  }
  d.In(d.PickInts("cond_shape", {{}, {1}}), Given({d.Pick("cond", {"true", "false"}) == "true" ? 1.0 : 0.0}));
  d.OutputCount(kind == "two" ? 2 : 1);
}

// ---- Loop ----

void Loop(Domain& d) {
  const int32_t type = d.type("V");
  std::vector<std::string> kinds = {"swap", "add", "grow", "captured", "if", "loop"};
  if (d.version() >= 11) kinds.push_back("only_scans");
  if (d.version() >= 13) kinds.push_back("sequence");
  if (d.version() >= 16) kinds.push_back("optional");
  const std::string kind = d.Pick("body", kinds);
  const std::string trips = d.Pick("M", {"3", "0", "1", "7", "absent"}),
                    cond = d.Pick("cond", {"true", "false", "absent"});
  const bool stops = d.Flag("stops") || trips == "absent";
  if (kind == "add") RequireAdd(d, type);
  if (kind == "only_scans" && cond == "absent") d.Reject("it has too few inputs");
  if (kind == "grow" && (type > reference::kBFloat16 || (d.version() < 4 && !d.is_float("V")) ||
                         (type == reference::kBFloat16 && d.version() < 13)))
    d.Reject("Concat does not take it");
  if ((kind == "sequence" || kind == "optional") && type > reference::kComplex128)
    d.Reject("sequences and optionals of it are newer");
  const Dims x = d.Shape("shape", {{2, 3}, {}, {1}, {33}, {0}, {2, 1, 3}});
  if (kind == "grow" && x.empty()) d.Reject("scalars don't grow");
  // What a scan output of no turns has for extents, only the body's declaration tells.
  const bool extents = trips == "0" || cond == "false";
  const std::string t = TypeText(type, x, extents);

  if (trips == "absent")
    d.Absent();
  else
    d.IntScalar(std::stoll(trips));
  if (cond == "absent")
    d.Absent();
  else
    d.In({}, Given({cond == "true" ? 1.0 : 0.0}));
  std::string in = "int64 i, bool c", out = "bool go",
              initializers =
                  "bool[9] going = {1, 1, 0, 1, 1, 1, 1, 1, 1}, bool[9] even = {1, 0, 1, 0, 1, 0, 1, 0, 1}, "
                  "int64 two = {2}";
  std::string nodes = stops ? "go = Gather <axis = 0> (going, i)\n" : "go = Identity (c)\n";
  if (kind == "only_scans") {
    const Made p = MakeThree(type, "p", 0);
    const bool turns = d.version() >= 13;
    initializers += ", " + p.initializer;
    out += ", " + TypeText(type, {3}, true) + " seen" + (turns ? ", int64 turn" : "");
    nodes += p.node + "seen = Identity (p)\n" + (turns ? "turn = Identity (i)\n" : "");
    d.OutputCount(turns ? 2 : 1);
  } else if (kind == "sequence" || kind == "optional") {
    const std::string s =
        kind == "sequence" ? "seq(" + ElementTypeText(type) + "[])" : "optional(" + TypeText(type, x) + ")";
    in += ", " + s + " s, " + t + " b";
    out += ", " + s + " s2, " + t + " b2, " + t + " seen";
    nodes += kind == "sequence" ? "s2 = SequenceInsert (s, b)\n" : "s2 = Identity (s)\n";
    nodes += "b2 = Identity (b)\nseen = Identity (b)\n";
    Tensor item = d.Draw(type, x, Distinct());
    if (kind == "sequence")
      d.In(Value::Sequence(type, {item}));
    else
      d.In(Value::Optional(item));
    d.In(d.Draw(type, x, Distinct()));
    d.OutputCount(3);
  } else {
    Dims grown = x;
    const std::string a = kind == "grow" ? TypeText(type, x) : t;
    in += ", " + a + " a, " + t + " b";
    out += ", " + a + " a2, " + t + " b2, " + t + " seen";
    if (kind == "swap") nodes += "a2 = Identity (b)\nb2 = Identity (a)\nseen = Identity (a)\n";
    if (kind == "add") nodes += "a2 = Add (a, b)\nb2 = Identity (b)\nseen = Identity (a2)\n";
    if (kind == "grow") nodes += "a2 = Concat <axis = 0> (a, b)\nb2 = Identity (b)\nseen = Identity (b)\n";
    if (kind == "captured") nodes += "a2 = Identity (x3)\nb2 = Identity (a)\nseen = Identity (b)\n";
    if (kind == "if")
      nodes += "now = Gather <axis = 0> (even, i)\na2 = If (now) <then_branch = yes () => (" + t +
               " u) { u = Identity (b) }, else_branch = no () => (" + t +
               " v) { v = Identity (a) }>\nb2 = Identity (a)\nseen = Identity (a2)\n";
    if (kind == "loop")
      nodes += "a2, b2, all = Loop (two, c, a, b) <body = inner (int64 k, bool d, " + t + " p, " + t +
               " q) => (bool on, " + t + " p2, " + t + " q2, " + t +
               " each) { on = Identity (d)\np2 = Identity (q)\nq2 = Identity (b)\neach = Identity (p) "
               "}>\nseen = Identity (a2)\n";
    d.In(x, Distinct());
    d.In(x, Distinct());
    d.OutputCount(3);
  }
  d.AttrGraph("body", "body (" + in + ") => (" + out + ") <" + initializers + "> {\n" + nodes + "}");
}

// ---- Scan ----

void Scan(Domain& d) {
  const int32_t type = d.type("V");
  const bool batch = d.version() < 9;
  const int64_t states = d.Pick("states", {1, 0, 2}), scans = d.Pick("num_scan_inputs", {1, 2});
  const bool add = d.Flag("add");
  if (add) RequireAdd(d, type);
  if (add && states == 0) d.Reject("it adds to a state");
  // What is run over, with the axis that the turns go along; a batch before it in version 8.
  const Dims x = d.Shape("shape", {{4, 3, 2}, {1, 3}, {7}, {33, 2}, {5, 3}, {0, 3}, {3, 0}});
  const int64_t rank = static_cast<int64_t>(x.size());
  const auto axis_of = [&](const std::string& name) -> int64_t {
    if (batch) return 0;
    const int64_t axis = d.Pick(
        name, d.version() < 11 ? std::vector<int64_t>{0, 1, 2} : std::vector<int64_t>{0, 1, 2, -1, -2, -3});
    if (axis >= rank || axis < -rank) d.Reject("there is no such axis");
    return axis;
  };
  const int64_t in_axis = axis_of("scan_input_axes"), out_axis = axis_of("scan_output_axes");
  const int64_t axis = in_axis < 0 ? in_axis + rank : in_axis, length = x[static_cast<size_t>(axis)];
  Dims each = x;
  each.erase(each.begin() + axis);
  // The second one has its turns along the first axis.
  std::vector<Dims> shapes = {x, {length, 2}}, eaches = {each, {2}};
  std::vector<int64_t> in_axes = {in_axis, 0}, out_axes = {out_axis, 0}, backward = {d.Flag("backward"), 0},
                       out_backward = {0, 0};
  if (scans == 2) backward[1] = d.Flag("second_backward");
  if (!batch) out_backward[0] = d.Flag("out_backward");

  std::string in, out, nodes;
  const auto more = [](std::string* list, const std::string& text) {
    *list += (list->empty() ? "" : ", ") + text;
  };
  const bool extents = length == 0;
  const std::string t = TypeText(type, each, extents);
  const int64_t samples = batch ? d.Extent(d.Pick("batch", {2, 1, 5})) : 0;
  const auto batched = [&](Dims dims) {
    if (batch) dims.insert(dims.begin(), samples);
    return dims;
  };
  if (batch) d.Absent();  // sequence_lens: what follows a short sequence is not told
  for (int64_t k = 0; k < states; ++k) {
    const std::string n = std::to_string(k);
    more(&in, t + " s" + n);
    more(&out, t + " next" + n);
    // The element becomes the state, and each state the next.
    nodes += "next" + n + " = " +
             (k > 0 ? "Identity (s" + std::to_string(k - 1) + ")"
              : add ? "Add (s0, e0)"
                    : "Identity (e0)") +
             "\n";
    d.In(batched(each), Distinct());
  }
  for (int64_t k = 0; k < scans; ++k) {
    const std::string n = std::to_string(k), own = TypeText(type, eaches[static_cast<size_t>(k)], extents);
    more(&in, own + " e" + n);
    more(&out, own + " o" + n);
    nodes += "o" + n + " = Identity (" + (k == 0 && states > 0 ? "s" + std::to_string(states - 1) : "e" + n) +
             ")\n";
    d.In(batched(shapes[static_cast<size_t>(k)]), Distinct());
  }
  for (auto* list : {&in_axes, &out_axes, &backward, &out_backward}) list->resize(static_cast<size_t>(scans));
  const auto attribute = [&](const char* name, const std::vector<int64_t>& values) {
    if (std::any_of(values.begin(), values.end(), [](int64_t v) { return v != 0; })) d.AttrInts(name, values);
  };
  d.AttrInt("num_scan_inputs", scans);
  attribute(batch ? "directions" : "scan_input_directions", backward);
  if (!batch) {
    attribute("scan_input_axes", in_axes);
    attribute("scan_output_axes", out_axes);
    attribute("scan_output_directions", out_backward);
  }
  d.AttrGraph("body", "body (" + in + ") => (" + out + ") {\n" + nodes + "}");
  d.OutputCount(static_cast<size_t>(states + scans));
}

// ---- Sequences ----

// The type of the elements where no type variable tells it.
int32_t AnyElement(Domain& d) {
  return ElementTypeOf(
      "tensor(" +
      d.Pick("element", {"float", "int64", "string", "bool", "float16", "double", "uint8", "complex64"}) +
      ")");
}

// Tensors of different shapes; none of them only where that is something.
std::vector<Tensor> Items(Domain& d, int32_t type, bool none = true) {
  std::vector<std::string> kinds = {"three", "one", "ranks", "no_elements"};
  if (none) kinds.push_back("none");
  const std::string kind = d.Pick("items", kinds);
  std::vector<Dims> shapes = {{2, 3}, {4, 3}, {1, 3}};
  if (kind == "one") shapes = {{33}};
  if (kind == "ranks") shapes = {{}, {2}, {2, 1, 3}, {5, 7}};
  if (kind == "no_elements") shapes = {{0}, {2, 0}, {3}};
  if (kind == "none") shapes.clear();
  std::vector<Tensor> items;
  for (Dims& dims : shapes) {
    for (int64_t& e : dims) e = d.Extent(e);
    items.push_back(d.Draw(type, dims, Distinct()));
  }
  return items;
}

// A position among `count`; where it may be left out, so is it by option 0.
void Position(Domain& d, int64_t count, bool optional, bool end) {
  std::vector<std::string> options = {"0", "1", "-1", "2", "-2", "3"};
  if (optional) options.insert(options.begin(), "absent");
  std::string at = d.Pick("position", options);
  if (at == "absent" && d.type("I") == reference::kInt32) at = "0";  // so that the type matters
  if (at == "absent") return;
  const int64_t position = std::stoll(at);
  if (position < -count || position > count || (position == count && !end))
    d.Reject("there is no such position");
  d.IntScalar(position);
}

void SequenceConstruct(Domain& d) {
  const int64_t count = d.Pick("inputs", {3, 1, 2, 5});
  const std::vector<Dims> shapes = {{2, 3}, {}, {4}, {0, 2}, {2, 1, 3}};
  for (int64_t i = 0; i < count; ++i) {
    Dims dims = shapes[static_cast<size_t>(i)];
    for (int64_t& e : dims) e = d.Extent(e);
    d.In(dims, Distinct());
  }
}
void SequenceEmpty(Domain& d) {
  const std::string dtype =
      d.Pick("dtype", {"absent", "float", "int64", "string", "bool", "float16", "double", "uint8", "int8",
                       "uint16", "int16", "int32", "uint32", "uint64", "complex64", "complex128"});
  if (dtype != "absent") d.AttrInt("dtype", ElementTypeOf("tensor(" + dtype + ")"));
}
void SequenceLength(Domain& d) {
  const int32_t type = AnyElement(d);
  d.In(Value::Sequence(type, Items(d, type)));
}
void SequenceAt(Domain& d) {
  const std::vector<Tensor> items = Items(d, d.type("T"), false);
  d.In(Value::Sequence(d.type("T"), items));
  Position(d, static_cast<int64_t>(items.size()), false, false);
}
void SequenceErase(Domain& d) {
  const int32_t type = AnyElement(d);
  const std::vector<Tensor> items = Items(d, type, false);
  d.In(Value::Sequence(type, items));
  Position(d, static_cast<int64_t>(items.size()), true, false);
}
void SequenceInsert(Domain& d) {
  const std::vector<Tensor> items = Items(d, d.type("T"));
  d.In(Value::Sequence(d.type("T"), items));
  d.In(d.Shape("shape", {{2, 3}, {}, {0}, {65}}), Distinct());
  Position(d, static_cast<int64_t>(items.size()), true, true);
}

void SequenceMap(Domain& d) {
  const int32_t type = d.type("V");
  const std::string kind = d.Pick("additional_inputs", {"none", "tensor", "sequence", "both"}),
                    t = ElementTypeText(type) + "[]";
  const bool add = d.Flag("add");
  if (add && !(d.is_float("V") || type == reference::kInt32 || type == reference::kInt64))
    d.Reject("Add does not take it");
  if (add && kind != "tensor") d.Reject("it adds a tensor");
  const std::string count = d.Pick("items", {"three", "one", "none"});
  const auto sequence = [&] {
    std::vector<Tensor> items;
    for (const int64_t n : {4, 2, 7}) items.push_back(d.Draw(type, {d.Extent(n), d.Extent(3)}, Distinct()));
    items.resize(count == "three" ? 3 : count == "one" ? 1 : 0);
    return Value::Sequence(type, items);
  };
  std::string in = t + " a", out = t + " ya", nodes = add ? "ya = Add (a, b)\n" : "ya = Identity (a)\n";
  size_t outputs = 1;
  d.In(sequence());
  if (kind == "tensor" || kind == "both") {
    d.In(d.Draw(type, {d.Extent(3)}, Distinct()));
    in += ", " + t + " b", out += ", " + t + " yb", nodes += "yb = Identity (b)\n", ++outputs;
  }
  if (kind == "sequence" || kind == "both") {
    d.In(sequence());
    in += ", " + t + " c", out += ", " + t + " yc", nodes += "yc = Identity (c)\n", ++outputs;
  }
  d.AttrGraph("body", "body (" + in + ") => (" + out + ") {\n" + nodes + "}");
  d.OutputCount(outputs);
}

void SplitToSequence(Domain& d) {
  const Dims x = d.Shape("shape", {{6, 4, 3}, {1}, {3}, {2, 5}, {0, 2}, {4, 257}});
  const int64_t axis = d.Pick("axis", {0, 1, 2, -1, -2, -3}), rank = static_cast<int64_t>(x.size());
  if (axis >= rank || axis < -rank) d.Reject("there is no such axis");
  d.AttrIntOr("axis", axis, 0);
  if (!d.Pick("keepdims", std::vector<int64_t>{1, 0})) d.AttrInt("keepdims", 0);
  const int64_t extent = x[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  std::string split = d.Pick("split", {"absent", "1", "2", "4", "100", "list", "list_of_one", "list_with_0"});
  if (split == "absent" && d.type("I") == reference::kInt32) split = "2";  // so that the type matters
  d.In(x, Distinct(-60, 60));
  if (split == "absent") return;
  if (split.substr(0, 4) != "list") return d.IntScalar(std::stoll(split));
  if (split == "list" && extent < 3) d.Reject("it is too short for parts");
  d.Ints(split == "list"          ? std::vector<int64_t>{1, extent - 2, 1}
         : split == "list_of_one" ? std::vector<int64_t>{extent}
                                  : std::vector<int64_t>{0, extent});
}

void ConcatFromSequence(Domain& d) {
  const int32_t type = d.type("T");
  const bool stack = d.Flag("new_axis");
  if (stack) d.AttrInt("new_axis", 1);
  const Dims x = d.Shape("shape", {{2, 3, 4}, {3}, {1}, {5, 33}, {2, 0}, {}});
  const int64_t axis =
      stack ? d.Pick("stack_axis", {0, 1, 3, -1, -4}) : d.Pick("axis", {0, 1, 2, -1, -2, -3});
  const int64_t rank = static_cast<int64_t>(x.size()) + stack;
  if (axis >= rank || axis < -rank) d.Reject("there is no such axis");
  d.AttrInt("axis", axis);
  const int64_t count = d.Pick("items", {3, 1, 2});
  std::vector<Tensor> items;
  for (int64_t i = 0; i < count; ++i) {
    Dims dims = x;
    if (!stack) dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)] += i;
    items.push_back(d.Draw(type, dims, Distinct(-60, 60)));
  }
  d.In(Value::Sequence(type, items));
}

// ---- Optionals ----

// What an optional may hold. (One of nothing needs its type as an attribute: those of If's branches do.)
void Optional(Domain& d) {
  const int32_t type = d.type("V");
  const std::string holds = d.Pick("holds", {"tensor", "sequence", "no_tensor", "no_sequence"});
  if (holds.starts_with("no_")) return d.AttrType("type", {type, holds == "no_sequence"});
  if (holds == "sequence")
    d.In(Value::Sequence(type, Items(d, type)));
  else
    d.In(d.AnyShape(), Distinct());
}

void OptionalElement(Domain& d) {
  const bool get = d.op() == "OptionalGetElement", bare = d.version() >= 18;
  // From version 18 on O and V are the same type, or O an optional of V.
  if (bare && get && d.type("O") != d.type("V")) d.Reject("O holds V");
  const int32_t type = get ? d.type("V") : bare ? d.type("O") : AnyElement(d);
  std::vector<std::string> kinds = {"tensor", "sequence"};
  if (bare) kinds.insert(kinds.end(), {"bare_tensor", "bare_sequence"});
  if (!get) kinds.push_back("none");
  if (!get && bare) kinds.push_back("absent");
  const std::string kind = d.Pick("input", kinds);
  if (kind == "absent") return d.Absent();
  if (kind == "none") return d.In(Value::None(type));
  if (kind == "tensor" || kind == "bare_tensor") {
    Tensor item = d.Draw(type, d.AnyShape(), Distinct());
    return d.In(kind == "tensor" ? Value::Optional(item) : Value(item));
  }
  const Value sequence = Value::Sequence(type, Items(d, type));
  d.In(kind == "sequence" ? Value::Optional(sequence) : sequence);
}

}  // namespace

std::span<const DomainEntry> ControlDomains() {
  static const DomainEntry kDomains[] = {
      {"", "If", If},
      {"", "Loop", Loop},
      {"", "Scan", Scan},
      {"", "SequenceAt", SequenceAt},
      {"", "SequenceConstruct", SequenceConstruct},
      {"", "SequenceEmpty", SequenceEmpty},
      {"", "SequenceErase", SequenceErase},
      {"", "SequenceInsert", SequenceInsert},
      {"", "SequenceLength", SequenceLength},
      {"", "SequenceMap", SequenceMap},
      {"", "SplitToSequence", SplitToSequence},
      {"", "ConcatFromSequence", ConcatFromSequence},
      {"", "Optional", Optional},
      {"", "OptionalGetElement", OptionalElement},
      {"", "OptionalHasElement", OptionalElement},
  };
  return kDomains;
}

}  // namespace braid::conformance
