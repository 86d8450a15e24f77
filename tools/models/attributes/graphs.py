# SPDX-License-Identifier: Apache-2.0
"""Graphs of several nodes: random operators by their statistics, Scan's axes and directions, sequences, optionals, maps."""

import numpy as np

from . import f32, i64, text

DRAWS = 100_000


def cases(add):
    drawn(add)
    scans(add)
    values(add)
    words(add)


def close(name: str, value: str, wanted: float, bound: float) -> str:
    """Nodes that make the boolean `name`: whether the scalar is within the bound."""
    return f"""
      {name}_w = Constant <value_float = {wanted!r}> ()
      {name}_b = Constant <value_float = {bound!r}> ()
      {name}_d = Sub ({value}, {name}_w)
      {name}_a = Abs ({name}_d)
      {name} = Less ({name}_a, {name}_b)"""


def moments(call: str, again: str, other: str, mean: float, variance: float) -> str:
    """A graph whose outputs are true if the draws have these moments (within five standard deviations of an estimate
    from as many), the same seed repeats them, and another one does not."""
    deviation = variance**0.5
    return f"""g (float[{DRAWS}] x) => (bool m_ok, bool v_ok, bool same, bool differ) {{
      r = {call}
      m = ReduceMean <keepdims = 0> (r)
      c = Sub (r, m)
      q = Mul (c, c)
      v = ReduceMean <keepdims = 0> (q)
      {close("m_ok", "m", mean, 5 * deviation / DRAWS**0.5)}
      {close("v_ok", "v", variance, 5 * variance * (2 / DRAWS) ** 0.5)}
      s = {again}
      e = Equal (r, s)
      ei = Cast <to = 6> (e)
      el = ReduceMin <keepdims = 0> (ei)
      same = Cast <to = 9> (el)
      t = {other}
      d = Equal (r, t)
      di = Cast <to = 1> (d)
      dm = ReduceMean <keepdims = 0> (di)
      few = Constant <value_float = 0.01> ()
      differ = Less (dm, few)
    }}"""


def drawn(add):
    x = np.zeros(DRAWS, np.float32)
    source = "Expected: the moments of the distribution that the specification names."
    parts = {
        "normal": ("RandomNormal", "mean = 3.0, scale = 2.0", 3.0, 4.0),
        "uniform": ("RandomUniform", "low = -1.0, high = 3.0", 1.0, 16 / 12),
    }
    for what, (op, attributes, mean, variance) in parts.items():
        plain = lambda seed: f"{op} <shape = [{DRAWS}], {attributes}, seed = {seed}> ()"
        like = lambda seed: f"{op}Like <{attributes}, seed = {seed}> (x)"
        for name, call in ((f"random{what}", plain), (f"random{what}like", like)):
            add.graph(f"{name}_statistics", moments(call("7.0"), call("7.0"), call("8.0"), mean, variance), [x], [np.array(True)] * 4, source)
    # 40,000 draws of three classes in two rows: the share of each is its probability.
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], np.float32))
    nodes, outputs = "", []
    for row in range(2):
        for k in range(3):
            n = f"p{row}{k}"
            nodes += f"""
      {n}_k = Constant <value_int = {k}> ()
      {n}_r = Constant <value_int = {row}> ()
      {n}_y = Gather (z, {n}_r)
      {n}_e = Equal ({n}_y, {n}_k)
      {n}_f = Cast <to = 1> ({n}_e)
      {n}_m = ReduceMean <keepdims = 0> ({n}_f)""" + close(n, f"{n}_m", float(np.exp(logits[row, k])), 0.0125)
            outputs.append(n)
    graph = f"""g (float[2,3] x) => ({", ".join("bool " + n for n in outputs)}, bool same) {{
      y = Multinomial <sample_size = 40000, seed = 3.0> (x)
      z = Cast <to = 7> (y)
      again = Multinomial <sample_size = 40000, seed = 3.0> (x)
      e = Equal (y, again)
      ei = Cast <to = 6> (e)
      el = ReduceMin <keepdims = 0> (ei)
      same = Cast <to = 9> (el){nodes}
    }}"""
    add.graph("multinomial_statistics", graph, [logits], [np.array(True)] * 7, source)


def scans(add):
    x = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
    for axis_in in (0, 1, -1):
        for back_in in (0, 1):
            for axis_out in (0, 1, -1):
                for back_out in (0, 1):
                    parts = np.moveaxis(x, axis_in, 0)[:: -1 if back_in else 1]
                    sums = np.cumsum(parts, axis=0)
                    y = np.stack(list(sums[:: -1 if back_out else 1]), axis_out)
                    length = parts.shape[1]
                    graph = f"""g (float[2,3] x) => (float[{length}] last, float[A,B] y) {{
      zero = ConstantOfShape (n)
      last, y = Scan <num_scan_inputs = 1, scan_input_axes = [{axis_in}], scan_input_directions = [{back_in}],
                      scan_output_axes = [{axis_out}], scan_output_directions = [{back_out}],
                      body = turn (float[{length}] s, float[{length}] e) => (float[{length}] t, float[{length}] o) {{
                        t = Add (s, e)
                        o = Identity (t)
                      }}> (zero, x)
    }}""".replace("zero = ConstantOfShape (n)", f"n = Constant <value_ints = [{length}]> ()\n      zero = ConstantOfShape (n)")
                    name = f"scan_axes_{axis_in}{axis_out}_directions_{back_in}{back_out}".replace("-", "m")
                    add.graph(name, graph, [x], [sums[-1], y], "Expected: NumPy's cumsum over the slices, by the specification's text.")


def values(add):
    hand = "Expected: worked out by hand, from the specification's text."
    add.graph("optional_absent", """g (float[2] x) => (bool has) {
      o = Optional <type = float[2]> ()
      has = OptionalHasElement (o)
    }""", [f32(1, 2)], [np.array(False)], hand)  # fmt: skip
    add.graph("sequenceerase_last", """g (float[2] x, float[1] y) => (seq(float[N]) z) {
      s = SequenceConstruct (x, y, x)
      z = SequenceErase (s)
    }""", [f32(1, 2), f32(3)], [[f32(1, 2), f32(3)]], hand)  # fmt: skip
    add.graph("castmap_sparse", """g (map(int64, float) x) => (float[1,N] y) {
      y = ai.onnx.ml.CastMap <map_form = "SPARSE", max_map = 5> (x)
    }""", [{3: np.float32(1.5), 0: np.float32(-2)}], [f32(-2, 0, 0, 1.5, 0)[None]], hand)  # fmt: skip


def words(add):
    def present(x):
        return np.array([w if k in x else 0 for k, w in ((2, 0.5), (3, 1.5), (5, 2.5))], np.float32)

    pool = {"pool_int64s": [2, 3, 5], "ngram_counts": [0], "ngram_indexes": [0, 1, 2], "weights": [0.5, 1.5, 2.5]}
    lengths = {"min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0}
    add("TfIdfVectorizer", "idf", [i64(3, 3, 7, 5)], {"mode": "IDF", **pool, **lengths}, formula=present)
    add("StringNormalizer", "locale", [text("Ab", "CD")], {"case_change_action": "LOWER", "locale": "en_US"}, formula=lambda x: text(*(w.lower() for w in x)))  # fmt: skip
