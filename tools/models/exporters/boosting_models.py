#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of LightGBM and XGBoost, exported by onnxmltools: boosting_models.py [--compare] [NAME...]"""

import lightgbm
import numpy as np
import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes, calculate_linear_regressor_output_shapes
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cases import SEED, NotExported, case, main

GENERATOR = np.random.default_rng(SEED)
CLASS = np.arange(120) % 3
# Eighths: splits lie between the numbers, in float as in double.
POINTS = (np.round((GENERATOR.standard_normal((120, 5)) + 1.2 * np.eye(5)[CLASS]) * 8) / 8).astype(np.float32)
FRESH = (np.round(GENERATOR.standard_normal((9, 5)) * 12 + 2) / 8).astype(np.float32)
TARGET = (POINTS @ [1.5, -2.0, 0.5, 0.0, 1.0] + np.sin(POINTS[:, 3])).astype(np.float32)
HOLES, FRESH_HOLES = POINTS.copy(), FRESH.copy()
HOLES[GENERATOR.random(HOLES.shape) < 0.2] = np.nan
FRESH_HOLES[GENERATOR.random(FRESH.shape) < 0.35] = np.nan
# Two columns are categories.
GROUPS, FRESH_GROUPS = POINTS.copy(), FRESH.copy()
GROUPS[:, 0], GROUPS[:, 3] = GENERATOR.integers(0, 9, 120), GENERATOR.integers(0, 4, 120)
FRESH_GROUPS[:, 0], FRESH_GROUPS[:, 3] = GENERATOR.integers(0, 9, 9), GENERATOR.integers(0, 4, 9)
GROUP_TARGET = (TARGET + 2 * np.isin(GROUPS[:, 0], [1, 4, 5]) - (GROUPS[:, 3] == 2)).astype(np.float32)
SETS = (slice(0, 1), slice(1, 9))
LIGHT = {"n_estimators": 6, "num_leaves": 6, "min_child_samples": 4, "verbosity": -1, "random_state": SEED, "n_jobs": 1, "deterministic": True}
EXTREME = {"n_estimators": 6, "max_depth": 3, "random_state": SEED, "n_jobs": 1}
COLUMNS = [("x", FloatTensorType([None, 5]))]


def converted(model, **options):
    convert = onnxmltools.convert_xgboost if type(model).__module__.startswith("xgboost") else onnxmltools.convert_lightgbm
    try:
        return convert(model, initial_types=COLUMNS, **options)
    except Exception as error:
        raise NotExported(f"{type(error).__name__}: {str(error)[:300]}") from error


def classifier(model, labels=CLASS, points=POINTS, fresh=FRESH, fit=None, maps=False, **options):
    model.fit(points, labels, **(fit or {}))
    if isinstance(model, lightgbm.LGBMModel):
        options["zipmap"] = maps
    sets = []
    for rows in SETS:
        values = model.predict_proba(fresh[rows])
        if maps:
            values = [dict(zip(model.classes_.tolist(), row.tolist())) for row in values]
        sets.append(([fresh[rows]], [model.predict(fresh[rows]), values]))
    return converted(model, **options), sets


def regressor(model, target=TARGET, points=POINTS, fresh=FRESH, fit=None, **options):
    model.fit(points, target, **(fit or {}))
    return converted(model, **options), [([fresh[r]], [model.predict(fresh[r]).reshape(len(fresh[r]), -1)]) for r in SETS]


def ranker(model):
    labels = np.clip(np.round(TARGET - TARGET.min()) / 2, 0, 4).astype(int)
    return regressor(model, labels, fit={"group": [30, 40, 50]})


def register(name, function, *args, **kwargs):
    case(name)(lambda: function(*args, **kwargs))


L, X = lightgbm, xgboost
register("lightgbm_classifier", classifier, L.LGBMClassifier(**LIGHT))
register("lightgbm_classifier_zipmap", classifier, L.LGBMClassifier(**LIGHT), maps=True)
register("lightgbm_classifier_strings", classifier, L.LGBMClassifier(**LIGHT), np.array(["a", "b", "c"])[CLASS])
register("lightgbm_binary", classifier, L.LGBMClassifier(**LIGHT), (CLASS > 0).astype(np.int64))
register("lightgbm_binary_zipmap", classifier, L.LGBMClassifier(**LIGHT), (CLASS > 0).astype(np.int64), maps=True)
register("lightgbm_binary_missing", classifier, L.LGBMClassifier(**LIGHT), (CLASS > 0).astype(np.int64), HOLES, FRESH_HOLES)
register("lightgbm_classifier_missing", classifier, L.LGBMClassifier(**LIGHT), CLASS, HOLES, FRESH_HOLES)
register("lightgbm_dart", regressor, L.LGBMRegressor(boosting_type="dart", **LIGHT))
register("lightgbm_regressor", regressor, L.LGBMRegressor(**LIGHT))
register("lightgbm_regressor_split", regressor, L.LGBMRegressor(**LIGHT), split=2)
register("lightgbm_regressor_missing", regressor, L.LGBMRegressor(**LIGHT), points=HOLES, fresh=FRESH_HOLES)
register("lightgbm_regressor_categories", regressor, L.LGBMRegressor(min_data_per_group=2, cat_smooth=1.0, cat_l2=1.0, **LIGHT), GROUP_TARGET, GROUPS, FRESH_GROUPS, {"categorical_feature": [0, 3]})
register("lightgbm_classifier_categories", classifier, L.LGBMClassifier(min_data_per_group=2, cat_smooth=1.0, cat_l2=1.0, **LIGHT), (GROUP_TARGET > 0).astype(np.int64), GROUPS, FRESH_GROUPS, {"categorical_feature": [0, 3]})
register("lightgbm_poisson", regressor, L.LGBMRegressor(objective="poisson", **LIGHT), np.round(np.exp(0.3 * TARGET)))
register("lightgbm_quantile", regressor, L.LGBMRegressor(objective="quantile", alpha=0.8, **LIGHT))
register("lightgbm_ranker", ranker, L.LGBMRanker(**LIGHT))

register("xgboost_classifier", classifier, X.XGBClassifier(**EXTREME))
register("xgboost_binary", classifier, X.XGBClassifier(**EXTREME), (CLASS > 0).astype(np.int64))
register("xgboost_binary_base_score", classifier, X.XGBClassifier(base_score=0.3, **EXTREME), (CLASS > 0).astype(np.int64))
register("xgboost_binary_missing", classifier, X.XGBClassifier(**EXTREME), (CLASS > 0).astype(np.int64), HOLES, FRESH_HOLES)
register("xgboost_classifier_missing", classifier, X.XGBClassifier(**EXTREME), CLASS, HOLES, FRESH_HOLES)
register("xgboost_regressor", regressor, X.XGBRegressor(**EXTREME))
register("xgboost_regressor_missing", regressor, X.XGBRegressor(**EXTREME), points=HOLES, fresh=FRESH_HOLES)
register("xgboost_regressor_hist_opset12", regressor, X.XGBRegressor(tree_method="hist", max_bin=8, **EXTREME), target_opset=12)
register("xgboost_regressor_base_score", regressor, X.XGBRegressor(base_score=2.5, **EXTREME))
register("xgboost_poisson", regressor, X.XGBRegressor(objective="count:poisson", **EXTREME), np.round(np.exp(0.3 * TARGET)))
register("xgboost_gamma", regressor, X.XGBRegressor(objective="reg:gamma", **EXTREME), np.exp(0.3 * TARGET))
register("xgboost_forest", classifier, X.XGBRFClassifier(**EXTREME), (CLASS > 0).astype(np.int64))


def in_pipeline(model, shapes, converter, labels, options):
    """A model of another package at the end of a scikit-learn pipeline."""
    update_registered_converter(type(model), f"Braid{type(model).__name__}", shapes, converter, options=options)
    pipeline = make_pipeline(StandardScaler(), model).fit(POINTS, labels)
    chosen = {id(model): {"zipmap": False}} if options else None
    exported = to_onnx(pipeline, POINTS[:1], options=chosen, target_opset={"": 15, "ai.onnx.ml": 3})
    sets = []
    for rows in SETS:
        out = [pipeline.predict(FRESH[rows]), pipeline.predict_proba(FRESH[rows])] if options else [pipeline.predict(FRESH[rows]).reshape(-1, 1)]
        sets.append(([FRESH[rows]], out))
    return exported, sets


register("lightgbm_pipeline", in_pipeline, L.LGBMClassifier(**LIGHT), calculate_linear_classifier_output_shapes, convert_lightgbm, CLASS, {"nocl": [True, False], "zipmap": [True, False, "columns"]})
register("lightgbm_pipeline_regressor", in_pipeline, L.LGBMRegressor(**LIGHT), calculate_linear_regressor_output_shapes, convert_lightgbm, TARGET, None)

if __name__ == "__main__":
    main(__doc__)
