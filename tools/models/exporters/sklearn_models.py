#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of scikit-learn estimators, exported by skl2onnx: sklearn_models.py [--compare] [NAME...]"""

import numpy as np
import pandas
import sklearn.calibration as calibration
import sklearn.cluster as cluster
import sklearn.compose as compose
import sklearn.cross_decomposition as cross_decomposition
import sklearn.decomposition as decomposition
import sklearn.discriminant_analysis as discriminant
import sklearn.ensemble as ensemble
import sklearn.feature_extraction as extraction
import sklearn.feature_selection as selection
import sklearn.gaussian_process as gaussian
import sklearn.impute as impute
import sklearn.kernel_approximation
import sklearn.linear_model as linear
import sklearn.mixture as mixture
import sklearn.multiclass as multiclass
import sklearn.multioutput as multioutput
import sklearn.naive_bayes as bayes
import sklearn.neighbors as neighbors
import sklearn.neural_network as neural
import sklearn.pipeline as pipeline
import sklearn.preprocessing as preprocessing
import sklearn.random_projection as projection
import sklearn.svm as svm
import sklearn.tree as tree
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DictionaryType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.gaussian_process import kernels

from cases import SEED, case, main

GENERATOR = np.random.default_rng(SEED)
# Three overlapping clouds, rounded so that float32 and float64 hold the same numbers.
CLASS = np.arange(90) % 3
POINTS = np.round(GENERATOR.standard_normal((90, 4)) + 1.4 * np.eye(4)[CLASS], 3).astype(np.float32)
TARGET = (POINTS @ [1.5, -2.0, 0.5, 0.0] + np.sin(POINTS[:, 3])).astype(np.float32)
FRESH = np.round(GENERATOR.standard_normal((9, 4)) * 1.5 + 0.4, 3).astype(np.float32)
HOLES = POINTS.copy()
HOLES[GENERATOR.random(HOLES.shape) < 0.15] = np.nan
FRESH_HOLES = FRESH.copy()
FRESH_HOLES[GENERATOR.random(FRESH.shape) < 0.3] = np.nan
NAMES = np.array(["left", "middle", "right"])
# Rows of the data sets.
ROWS = (slice(0, 1), slice(1, 9))


def classifier(model, labels=CLASS, options=None, opset=None, points=POINTS, fresh=FRESH, maps=False, scores="predict_proba", zipmap=True):
    model.fit(points, labels)
    if not maps and zipmap:
        options = {"zipmap": False, **(options or {})}
    exported = to_onnx(model, points[:1], options={id(model): options} if options else None, target_opset=opset)
    sets = []
    for rows in ROWS:
        x = fresh[rows]
        values = getattr(model, scores)(x)
        if maps:
            values = [dict(zip(model.classes_.tolist(), row.tolist())) for row in values]
        sets.append(([x], [model.predict(x), values]))
    return exported, sets


def regressor(model, target=TARGET, opset=None, points=POINTS, fresh=FRESH, options=None, more=()):
    model.fit(points, target)
    exported = to_onnx(model, points[:1], target_opset=opset, options={id(model): options} if options else None)
    sets = []
    for rows in ROWS:
        x = fresh[rows]
        predicted = model.predict(x)
        sets.append(([x], [predicted.reshape(len(x), -1), *(f(model, x) for f in more)]))
    return exported, sets


def transformer(model, points=POINTS, fresh=FRESH, opset=None, types=None, labels=None, method="transform"):
    model.fit(points, labels)
    exported = to_onnx(model, None if types else points[:1], initial_types=types, target_opset=opset)
    sets = []
    for rows in ROWS:
        out = getattr(model, method)(fresh[rows])
        sets.append(([fresh[rows]], [out.toarray() if hasattr(out, "toarray") else out]))
    return exported, sets


def register(name, function, *args, tolerance=None, **kwargs):
    case(f"sklearn_{name}", **(tolerance or {}))(lambda: function(*args, **kwargs))


LOOSE = {"rtol": 1e-3, "atol_of_scale": 1e-4}  # where scikit-learn computes in double what ONNX does in float

# Linear models
register("logistic_regression", classifier, linear.LogisticRegression())
register("logistic_regression_binary", classifier, linear.LogisticRegression(), labels=(CLASS > 0).astype(np.int64))
register("logistic_regression_strings", classifier, linear.LogisticRegression(), labels=NAMES[CLASS])
register("logistic_regression_zipmap", classifier, linear.LogisticRegression(), maps=True)
register("logistic_regression_zipmap_strings", classifier, linear.LogisticRegression(), labels=NAMES[CLASS], maps=True)
register("logistic_regression_opset9", classifier, linear.LogisticRegression(), opset={"": 9, "ai.onnx.ml": 1})
register("logistic_regression_cv", classifier, linear.LogisticRegressionCV(Cs=3, cv=3))
register("logistic_regression_raw", classifier, linear.LogisticRegression(), options={"raw_scores": True}, scores="decision_function")
register("ridge_classifier", classifier, linear.RidgeClassifier(), scores="decision_function", options={"raw_scores": True})
register("sgd_classifier", classifier, linear.SGDClassifier(loss="log_loss", random_state=SEED))
register("perceptron", classifier, linear.Perceptron(random_state=SEED), scores="decision_function", options={"raw_scores": True})
register("linear_svc", classifier, svm.LinearSVC(random_state=SEED), scores="decision_function", options={"raw_scores": True}, zipmap=False)
register("linear_regression", regressor, linear.LinearRegression())
register("linear_regression_two_targets", regressor, linear.LinearRegression(), target=np.stack([TARGET, -2 * TARGET + POINTS[:, 0]], 1))
register("linear_regression_double", regressor, linear.LinearRegression(), points=POINTS.astype(np.float64), fresh=FRESH.astype(np.float64))
register("ridge", regressor, linear.Ridge())
register("lasso", regressor, linear.Lasso(alpha=0.1))
register("elastic_net", regressor, linear.ElasticNet(alpha=0.1))
register("bayesian_ridge", regressor, linear.BayesianRidge())
register("huber_regressor", regressor, linear.HuberRegressor())
register("poisson_regressor", regressor, linear.PoissonRegressor(), target=np.exp(0.3 * TARGET))
register("tweedie_regressor", regressor, linear.TweedieRegressor(power=1.5, link="log"), target=np.exp(0.3 * TARGET))
register("quantile_regressor", regressor, linear.QuantileRegressor(alpha=0.01))
register("ransac", regressor, linear.RANSACRegressor(random_state=SEED))
register("linear_svr", regressor, svm.LinearSVR(random_state=SEED))

# Support vectors
register("svc_rbf_probability", classifier, svm.SVC(probability=True, random_state=SEED), tolerance=LOOSE)
register("svc_rbf_binary", classifier, svm.SVC(probability=True, random_state=SEED), labels=(CLASS > 0).astype(np.int64), tolerance=LOOSE)
register("svc_poly_raw", classifier, svm.SVC(kernel="poly", decision_function_shape="ovo"), scores="decision_function", options={"raw_scores": True}, tolerance=LOOSE)
register("svc_linear_strings", classifier, svm.SVC(kernel="linear", probability=True, random_state=SEED), labels=NAMES[CLASS], tolerance=LOOSE)
register("svc_sigmoid", classifier, svm.SVC(kernel="sigmoid", gamma=0.1, decision_function_shape="ovr"), scores="decision_function", options={"raw_scores": True}, tolerance=LOOSE)
register("nu_svc", classifier, svm.NuSVC(nu=0.3, probability=True, random_state=SEED), tolerance=LOOSE)
register("svr", regressor, svm.SVR(), tolerance=LOOSE)
register("svr_poly", regressor, svm.SVR(kernel="poly", coef0=0.5, degree=2), tolerance=LOOSE)
register("nu_svr", regressor, svm.NuSVR(), tolerance=LOOSE)


def outliers(model, points=POINTS, fresh=FRESH, score="decision_function", column=True, opset=None):
    model.fit(points)
    exported = to_onnx(model, points[:1], target_opset=opset)
    sets = []
    for rows in ROWS:
        x = fresh[rows] * 2
        label, value = model.predict(x), getattr(model, score)(x)
        sets.append(([x], [label.reshape(-1, 1) if column else label, value.reshape(-1, 1) if column else value]))
    return exported, sets


register("one_class_svm", outliers, svm.OneClassSVM(nu=0.2), tolerance=LOOSE)
register("isolation_forest", outliers, ensemble.IsolationForest(n_estimators=10, random_state=SEED), opset={"": 15, "ai.onnx.ml": 3}, tolerance=LOOSE)
register("local_outlier_factor", outliers, neighbors.LocalOutlierFactor(n_neighbors=5, novelty=True), tolerance=LOOSE)
register("sgd_one_class_svm", outliers, linear.SGDOneClassSVM(random_state=SEED), column=False)

# Trees
SMALL = {"max_depth": 4, "random_state": SEED}
register("decision_tree", classifier, tree.DecisionTreeClassifier(**SMALL))
register("decision_tree_binary", classifier, tree.DecisionTreeClassifier(**SMALL), labels=(CLASS > 0).astype(np.int64))
register("decision_tree_strings_zipmap", classifier, tree.DecisionTreeClassifier(**SMALL), labels=NAMES[CLASS], maps=True)
register("decision_tree_ml1", classifier, tree.DecisionTreeClassifier(**SMALL), opset={"": 11, "ai.onnx.ml": 1})
register("decision_tree_regressor", regressor, tree.DecisionTreeRegressor(**SMALL))
register("decision_tree_regressor_two_targets", regressor, tree.DecisionTreeRegressor(**SMALL), target=np.stack([TARGET, POINTS[:, 0]], 1))
register("extra_tree_regressor", regressor, tree.ExtraTreeRegressor(**SMALL))
register("random_forest", classifier, ensemble.RandomForestClassifier(8, **SMALL))
register("random_forest_binary_zipmap", classifier, ensemble.RandomForestClassifier(8, **SMALL), labels=(CLASS > 0).astype(int), maps=True)
register("random_forest_regressor", regressor, ensemble.RandomForestRegressor(8, **SMALL))
register("extra_trees", classifier, ensemble.ExtraTreesClassifier(8, **SMALL))
register("extra_trees_regressor", regressor, ensemble.ExtraTreesRegressor(8, **SMALL))
register("gradient_boosting", classifier, ensemble.GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=SEED))
register("gradient_boosting_binary", classifier, ensemble.GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=SEED), labels=(CLASS > 0).astype(np.int64))
register("gradient_boosting_regressor", regressor, ensemble.GradientBoostingRegressor(n_estimators=8, max_depth=2, random_state=SEED))
register("ada_boost", classifier, ensemble.AdaBoostClassifier(n_estimators=5, random_state=SEED))
register("ada_boost_regressor", regressor, ensemble.AdaBoostRegressor(n_estimators=5, random_state=SEED))
register("bagging", classifier, ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), n_estimators=4, random_state=SEED))
register("bagging_regressor", regressor, ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=3), n_estimators=4, random_state=SEED))


def decision_path():
    model = tree.DecisionTreeClassifier(**SMALL).fit(POINTS, CLASS)
    exported = to_onnx(model, POINTS[:1], options={id(model): {"zipmap": False, "decision_leaf": True, "decision_path": True}})
    sets = []
    for rows in ROWS:
        x = FRESH[rows]
        path = np.array(["".join(str(bit) for bit in row) for row in model.decision_path(x).toarray()])
        leaf = model.apply(x)
        sets.append(([x], {"label": model.predict(x), "probabilities": model.predict_proba(x), "decision_path": path.reshape(-1, 1), "decision_leaf": leaf.reshape(-1, 1)}))
    return exported, sets


register("decision_tree_path", decision_path)

# Combinations of estimators
LEARNERS = [("a", linear.LogisticRegression()), ("b", bayes.GaussianNB()), ("c", tree.DecisionTreeClassifier(**SMALL))]
REGRESSORS = [("a", linear.LinearRegression()), ("b", tree.DecisionTreeRegressor(**SMALL))]
register("voting_soft", classifier, ensemble.VotingClassifier(LEARNERS, voting="soft", weights=np.array([1, 2, 1]), flatten_transform=False))
register("voting_regressor", regressor, ensemble.VotingRegressor(REGRESSORS))
register("stacking", classifier, ensemble.StackingClassifier(LEARNERS, cv=3))
register("stacking_regressor", regressor, ensemble.StackingRegressor(REGRESSORS, cv=3))
register("one_vs_rest", classifier, multiclass.OneVsRestClassifier(linear.LogisticRegression()))
register("calibrated_sigmoid", classifier, calibration.CalibratedClassifierCV(linear.LogisticRegression(), cv=3))
register("multi_output_regressor", regressor, multioutput.MultiOutputRegressor(linear.Ridge()), target=np.stack([TARGET, POINTS[:, 0]], 1))


def hard_voting():
    model = ensemble.VotingClassifier(LEARNERS, voting="hard", flatten_transform=False).fit(POINTS, CLASS)
    exported = to_onnx(model, POINTS[:1], options={id(model): {"zipmap": False, "output_class_labels": False}})
    keep = exported.graph.output[0]
    del exported.graph.output[1:]
    assert keep.name == "label"
    return exported, [([FRESH[rows]], [model.predict(FRESH[rows])]) for rows in ROWS]


register("voting_hard", hard_voting)


def one_vs_one():
    model = multiclass.OneVsOneClassifier(linear.LogisticRegression()).fit(POINTS, CLASS)
    exported = to_onnx(model, POINTS[:1], options={id(model): {"zipmap": False}})
    del exported.graph.output[1:]
    return exported, [([FRESH[rows]], [model.predict(FRESH[rows]).reshape(-1, 1)]) for rows in ROWS]


register("one_vs_one", one_vs_one)

# Neighbours, Bayes, discriminants, Gaussians, networks
register("k_neighbors", classifier, neighbors.KNeighborsClassifier(5))
register("k_neighbors_manhattan_strings", classifier, neighbors.KNeighborsClassifier(3, metric="manhattan"), labels=NAMES[CLASS], tolerance=LOOSE)
register("k_neighbors_regressor", regressor, neighbors.KNeighborsRegressor(4), tolerance=LOOSE)
register("gaussian_nb", classifier, bayes.GaussianNB(), tolerance=LOOSE)
COUNTS, FRESH_COUNTS = np.abs(np.round(2 * POINTS)), np.abs(np.round(2 * FRESH))
register("multinomial_nb", classifier, bayes.MultinomialNB(), points=COUNTS, fresh=FRESH_COUNTS)
register("complement_nb", classifier, bayes.ComplementNB(), points=COUNTS, fresh=FRESH_COUNTS)
register("bernoulli_nb", classifier, bayes.BernoulliNB(binarize=0.5))
WHOLE = np.minimum(COUNTS, 3).astype(np.int64)
register("categorical_nb", classifier, bayes.CategoricalNB(min_categories=4), points=WHOLE, fresh=np.minimum(FRESH_COUNTS, 3).astype(np.int64))
register("linear_discriminant", classifier, discriminant.LinearDiscriminantAnalysis())
register("mlp", classifier, neural.MLPClassifier((6,), max_iter=60, random_state=SEED))
register("mlp_binary_tanh_strings", classifier, neural.MLPClassifier((5, 4), activation="tanh", max_iter=60, random_state=SEED), labels=NAMES[np.minimum(CLASS, 1)])
register("mlp_regressor", regressor, neural.MLPRegressor(hidden_layer_sizes=(6,), activation="logistic", max_iter=60, random_state=SEED))


def gaussian_process_regressor():
    x, y = POINTS[:30].astype(np.float64), TARGET[:30].astype(np.float64)
    kernel = kernels.ConstantKernel(2.0) * kernels.RBF(1.5) + kernels.WhiteKernel(0.1)
    model = gaussian.GaussianProcessRegressor(kernel, optimizer=None).fit(x, y)
    exported = to_onnx(model, x[:1], options={id(model): {"return_std": True}})
    sets = []
    for rows in ROWS:
        mean, deviation = model.predict(FRESH[rows].astype(np.float64), return_std=True)
        sets.append(([FRESH[rows].astype(np.float64)], [mean.reshape(-1, 1), deviation]))
    return exported, sets


register("gaussian_process_regressor", gaussian_process_regressor, tolerance=LOOSE)


def nearest_neighbors():
    model = neighbors.NearestNeighbors(n_neighbors=3, radius=None).fit(POINTS)
    exported = to_onnx(model, POINTS[:1])
    sets = []
    for rows in ROWS:
        distance, index = model.kneighbors(FRESH[rows])
        sets.append(([FRESH[rows]], [index, distance]))
    return exported, sets


def gaussian_mixture(model):
    model.fit(POINTS)
    exported = to_onnx(model, POINTS[:1], options={id(model): {"score_samples": True}})
    return exported, [([FRESH[r]], [model.predict(FRESH[r]).reshape(-1, 1), model.predict_proba(FRESH[r]), model.score_samples(FRESH[r]).reshape(-1, 1)]) for r in ROWS]


def k_means(model):
    model.fit(POINTS)
    return to_onnx(model, POINTS[:1]), [([FRESH[r]], [model.predict(FRESH[r]), model.transform(FRESH[r])]) for r in ROWS]


register("nearest_neighbors", nearest_neighbors, tolerance=LOOSE)
register("gaussian_mixture", gaussian_mixture, mixture.GaussianMixture(3, random_state=SEED), tolerance=LOOSE)
register("gaussian_mixture_diag", gaussian_mixture, mixture.GaussianMixture(2, covariance_type="diag", random_state=SEED), tolerance=LOOSE)
register("k_means", k_means, cluster.KMeans(3, n_init=2, random_state=SEED), tolerance=LOOSE)
register("mini_batch_k_means", k_means, cluster.MiniBatchKMeans(3, n_init=2, random_state=SEED), tolerance=LOOSE)

# What prepares features
register("pca", transformer, decomposition.PCA(2))
register("pca_whiten", transformer, decomposition.PCA(3, whiten=True))
register("incremental_pca", transformer, decomposition.IncrementalPCA(2))
register("kernel_pca", transformer, decomposition.KernelPCA(2, kernel="rbf", gamma=0.2), points=POINTS[:30], tolerance=LOOSE)
register("truncated_svd", transformer, decomposition.TruncatedSVD(2, random_state=SEED))
register("gaussian_random_projection", transformer, projection.GaussianRandomProjection(2, random_state=SEED))
register("standard_scaler", transformer, preprocessing.StandardScaler())
register("min_max_scaler_clip", transformer, preprocessing.MinMaxScaler(clip=True))
register("max_abs_scaler", transformer, preprocessing.MaxAbsScaler())
register("robust_scaler", transformer, preprocessing.RobustScaler())
register("normalizer_l1", transformer, preprocessing.Normalizer("l1"))
register("normalizer_l2", transformer, preprocessing.Normalizer("l2"))
register("normalizer_max", transformer, preprocessing.Normalizer("max"), fresh=np.abs(FRESH))
register("binarizer", transformer, preprocessing.Binarizer(threshold=0.3))
register("polynomial_features", transformer, preprocessing.PolynomialFeatures(3))
register("polynomial_interactions", transformer, preprocessing.PolynomialFeatures(2, interaction_only=True, include_bias=False))
register("power_transformer", transformer, preprocessing.PowerTransformer(), tolerance=LOOSE)
register("k_bins_ordinal", transformer, preprocessing.KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"))
register("k_bins_onehot", transformer, preprocessing.KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"))
register("simple_imputer_mean", transformer, impute.SimpleImputer(), points=HOLES, fresh=FRESH_HOLES)
register("knn_imputer", transformer, impute.KNNImputer(n_neighbors=2), points=HOLES, fresh=FRESH_HOLES, tolerance=LOOSE)
register("select_k_best", transformer, selection.SelectKBest(k=2), labels=CLASS)
register("variance_threshold", transformer, selection.VarianceThreshold(1.2))
register("pls_regression", regressor, cross_decomposition.PLSRegression(2))
register("label_binarizer_pipeline", transformer, pipeline.make_pipeline(preprocessing.StandardScaler(), preprocessing.Normalizer(), decomposition.PCA(2)))
register("feature_union", transformer, pipeline.FeatureUnion([("a", preprocessing.StandardScaler()), ("b", decomposition.PCA(2))]))

COLOURS = np.array(["red", "green", "blue", "grey, light", "Grün"])
WORDS = np.stack([COLOURS[CLASS + np.arange(90) % 2], np.array(["S", "M", "L"])[(np.arange(90) // 7) % 3]], 1).astype(object)
FRESH_WORDS = WORDS[3:12]
TEXT = [("X", StringTensorType([None, 2]))]
register("one_hot_strings", transformer, preprocessing.OneHotEncoder(), points=WORDS, fresh=FRESH_WORDS, types=TEXT)
register("one_hot_ignore_unknown", transformer, preprocessing.OneHotEncoder(handle_unknown="ignore"), points=WORDS, fresh=np.where(FRESH_WORDS == "red", "pink", FRESH_WORDS), types=TEXT)
register("one_hot_ints_drop", transformer, preprocessing.OneHotEncoder(drop="first"), points=WHOLE, fresh=WHOLE[4:13], types=[("X", Int64TensorType([None, 4]))])
register("ordinal_strings", transformer, preprocessing.OrdinalEncoder(), points=WORDS, fresh=FRESH_WORDS, types=TEXT)
register("ordinal_unknown", transformer, preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), points=WORDS, fresh=np.where(FRESH_WORDS == "red", "pink", FRESH_WORDS), types=TEXT)
register("simple_imputer_strings", transformer, impute.SimpleImputer(missing_values="", strategy="most_frequent"), points=WORDS, fresh=np.where(FRESH_WORDS == "M", "", FRESH_WORDS), types=TEXT)
register("target_encoder", transformer, preprocessing.TargetEncoder(random_state=SEED), points=WORDS, fresh=FRESH_WORDS, types=TEXT, labels=TARGET)


def label_encoder(values, fresh, kind):
    model = preprocessing.LabelEncoder().fit(values)
    exported = to_onnx(model, initial_types=[("X", kind([None]))])
    return exported, [([fresh[r]], [model.transform(fresh[r])]) for r in ROWS]


def label_binarizer():
    model = preprocessing.LabelBinarizer().fit(CLASS)
    exported = to_onnx(model, initial_types=[("X", Int64TensorType([None]))])
    return exported, [([CLASS[r]], [model.transform(CLASS[r])]) for r in ROWS]


register("label_encoder_strings", label_encoder, WORDS[:, 0], FRESH_WORDS[:, 0], StringTensorType)
register("label_encoder_floats", label_encoder, np.unique(POINTS[:, 0])[:9], np.unique(POINTS[:, 0])[:9][::-1].copy(), FloatTensorType)
register("label_encoder_ints", label_encoder, CLASS * 5 - 3, CLASS[:9] * 5 - 3, Int64TensorType)
register("label_binarizer", label_binarizer)

# A table of strings and numbers, each column an input of its own
FRAME = pandas.DataFrame({"colour": WORDS[:, 0], "size": WORDS[:, 1], "width": HOLES[:, 0], "height": POINTS[:, 1], "count": WHOLE[:, 2]})
FRESH_FRAME = pandas.DataFrame({"colour": FRESH_WORDS[:, 0], "size": FRESH_WORDS[:, 1], "width": FRESH_HOLES[:, 0], "height": FRESH[:, 1], "count": WHOLE[20:29, 2]})
COLUMNS = [("colour", StringTensorType([None, 1])), ("size", StringTensorType([None, 1])), ("width", FloatTensorType([None, 1])), ("height", FloatTensorType([None, 1])), ("count", Int64TensorType([None, 1]))]


def table_pipeline(estimator, labels, options=None, maps=False):
    prepare = compose.ColumnTransformer(
        [
            ("words", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["colour", "size"]),
            ("numbers", pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler()), ["width", "height"]),
            ("counts", "passthrough", ["count"]),
        ]
    )
    model = pipeline.make_pipeline(prepare, estimator).fit(FRAME, labels)
    exported = to_onnx(model, initial_types=COLUMNS, options={id(model): options} if options else None)
    sets = []
    for rows in ROWS:
        frame = FRESH_FRAME[rows]
        given = [frame[name].to_numpy().reshape(-1, 1) for name, _ in COLUMNS]
        if hasattr(model, "predict_proba"):
            values = model.predict_proba(frame)
            if maps:
                values = [dict(zip(model.classes_.tolist(), row.tolist())) for row in values]
            sets.append((given, [model.predict(frame), values]))
        else:
            sets.append((given, [model.predict(frame).reshape(-1, 1)]))
    return exported, sets


register("table_logistic", table_pipeline, linear.LogisticRegression(), NAMES[CLASS], {"zipmap": False})
register("table_logistic_zipmap", table_pipeline, linear.LogisticRegression(), NAMES[CLASS], maps=True)
register("table_forest_regressor", table_pipeline, ensemble.RandomForestRegressor(5, max_depth=4, random_state=SEED), TARGET)


def zipmap_columns():
    model = linear.LogisticRegression().fit(POINTS, NAMES[CLASS])
    exported = to_onnx(model, POINTS[:1], options={id(model): {"zipmap": "columns"}})
    return exported, [([FRESH[r]], [model.predict(FRESH[r]), *model.predict_proba(FRESH[r]).T]) for r in ROWS]


register("logistic_regression_columns", zipmap_columns)


def dict_vectorizer(records, key, value):
    """Maps go in."""
    model = extraction.DictVectorizer(sparse=False).fit(records)
    exported = to_onnx(model, initial_types=[("X", DictionaryType(key, value))])
    return exported, [([record], [model.transform([record])]) for record in records[:3]]


RECORDS = [{"red": 1.5, "blue": 2.0}, {"green": -1.0}, {"blue": 0.25, "red": 4.0, "green": 3.0}]
register("dict_vectorizer", dict_vectorizer, RECORDS, StringTensorType([1]), FloatTensorType([]))


def tfidf_transformer():
    """Counts of words to their weights: what makes the counts is left to the application (the exporter writes an
    operator of another domain for it)."""
    from sklearn.feature_extraction.text import TfidfTransformer

    model = TfidfTransformer(sublinear_tf=False).fit(COUNTS)
    return to_onnx(model, COUNTS[:1]), [([FRESH_COUNTS[r]], [model.transform(FRESH_COUNTS[r]).toarray()]) for r in ROWS]


register("tfidf_transformer", tfidf_transformer)

# Older forms of the operators
for ml, opset in ((1, 10), (2, 12), (3, 15), (3, 17), (3, 21)):
    target = {"": opset, "ai.onnx.ml": ml}
    register(f"random_forest_opset{opset}", classifier, ensemble.RandomForestClassifier(4, **SMALL), opset=target)
    register(f"pipeline_opset{opset}", classifier, pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression()), opset=target, labels=NAMES[CLASS])
    register(f"one_hot_opset{opset}", transformer, preprocessing.OneHotEncoder(), points=WORDS, fresh=FRESH_WORDS, types=TEXT, opset=target)

if __name__ == "__main__":
    main(__doc__)
