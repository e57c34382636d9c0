"""scikit-learn and FAISS as contestants: the far side of Worker.java. One argument: a JSON file with the settings."""
import json
import os
import re
import sys
import time
import warnings

import numpy as np

# Each task loads its rows and gives a function of the iterations and the number of models, which returns the iterations that
# ran, the models as one array with a row each, and details. What it calls, and nothing else, is timed.


def dense(settings, name, dtype):
    mapped = np.memmap(name, dtype="<f8", mode="r", shape=(settings["rows"], settings["features"]))
    return np.ascontiguousarray(mapped, dtype=dtype)


def sklearn_kmeans(settings):
    from sklearn.cluster import KMeans

    rows = dense(settings, settings["data"], settings["dtype"])

    def fit(iterations, _models):
        model = KMeans(n_clusters=settings["k"], init="random", n_init=1, max_iter=iterations, tol=0,
                       algorithm="lloyd", random_state=settings["seed"])
        model.fit(rows)
        return model.n_iter_, lambda: model.cluster_centers_.reshape(1, -1), {}

    return fit


def faiss_kmeans(settings):
    import faiss

    rows = dense(settings, settings["data"], settings["dtype"])

    def fit(iterations, _models):
        # By default FAISS trains on a sample of 256 rows a center.
        model = faiss.Kmeans(settings["features"], settings["k"], niter=iterations, nredo=1, seed=settings["seed"],
                             min_points_per_centroid=1, max_points_per_centroid=settings["rows"])
        model.train(rows)
        return iterations, lambda: model.centroids.reshape(1, -1), {}

    return fit


def sklearn_logreg(settings):
    from scipy import optimize, sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    count, features, stored = settings["rows"], settings["features"], settings["nonZeros"]
    labels = np.fromfile(os.path.join(settings["data"], "labels"), dtype="<i4")
    values = os.path.join(settings["data"], "values")
    if stored:
        rows = sparse.csr_matrix((np.fromfile(values, dtype="<f8"),
                                  np.fromfile(os.path.join(settings["data"], "indices"), dtype="<i4"),
                                  np.arange(0, (count + 1) * stored, stored, dtype=np.int64)), shape=(count, features))
    else:
        rows = dense(settings, values, "float64")

    # scikit-learn keeps to itself how often it evaluated the loss.
    minimize, evaluations = optimize.minimize, []

    def counting(*arguments, **options):
        result = minimize(*arguments, **options)
        evaluations.append(result.nfev)
        return result

    optimize.minimize = counting
    warnings.filterwarnings("ignore", message="lbfgs failed to converge")  # it was told how many iterations to do

    def fit(iterations, models):
        evaluations.clear()
        ran, fitted = 0, []
        scaler = StandardScaler(with_mean=not stored)  # a sparse matrix would not stay one
        scaled = scaler.fit_transform(rows)
        for reg in settings["regParams"][:models]:
            penalty = {"penalty": "l2", "C": 1 / (reg * count)} if reg > 0 else {"penalty": None}
            model = LogisticRegression(solver="lbfgs", multi_class="auto", tol=settings["tolerance"], max_iter=iterations,
                                       **penalty)
            model.fit(scaled, labels)
            ran += int(model.n_iter_.max())
            fitted.append(model)

        def numbers():
            """Coefficients of the rows as they are, each set of them with its intercept last."""
            sets = []
            for model in fitted:
                coefficients = model.coef_ / scaler.scale_
                shift = 0 if stored else coefficients @ scaler.mean_
                sets.append(np.column_stack([coefficients, model.intercept_ - shift]).ravel())
            return np.array(sets)

        return ran, numbers, {"evaluations": sum(evaluations)}

    return fit


def about(settings):
    facts = {"precision": {"float32": "single", "float64": "double"}[settings["dtype"]],
             "python": sys.version.split()[0], "numpy": np.__version__, "cores": str(len(os.sched_getaffinity(0)))}
    if settings["task"].startswith("sklearn"):
        import sklearn
        facts["sklearn"] = sklearn.__version__
    else:
        import faiss
        facts["faiss"] = faiss.__version__
    if settings["task"].endswith("kmeans"):
        facts["init"] = "random"
    else:
        facts["solver"] = "lbfgs, after StandardScaler"
    with open("/proc/self/maps", encoding="utf-8") as maps:
        files = {line.rsplit("/", 1)[1].strip() for line in maps if "/" in line}
        facts["blas"] = ", ".join(sorted(file for file in files if re.match("lib(openblas|blas|blis|mkl|atlas)", file)))
    return facts


def main():
    # Standard output is the answers' alone, whatever a library prints.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with open(sys.argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    fit = {"sklearn-kmeans": sklearn_kmeans, "faiss-kmeans": faiss_kmeans, "sklearn-logreg": sklearn_logreg}[
        settings["task"]](settings)
    fit(2, 1)
    print(json.dumps({"about": about(settings)}), file=answers, flush=True)
    for command in sys.stdin:
        _, iterations, models = command.split()
        start = time.perf_counter()
        ran, numbers, details = fit(int(iterations), int(models))
        seconds = time.perf_counter() - start
        result = np.ascontiguousarray(numbers(), dtype="<f8")
        result.tofile(settings["models"])
        print(json.dumps({"seconds": seconds, "iterations": int(ran), "models": settings["models"],
                          "length": result.shape[1], "details": details}), file=answers, flush=True)


main()
