"""scikit-learn and FAISS as contestants: the far side of Worker.java. One argument: a JSON file with the settings."""
import json
import os
import re
import sys
import time

import numpy as np


def sklearn_fit(rows, settings):
    from sklearn.cluster import KMeans

    def fit(iterations):
        model = KMeans(n_clusters=settings["k"], init="random", n_init=1, max_iter=iterations, tol=0,
                       algorithm="lloyd", random_state=settings["seed"])
        model.fit(rows)
        return model.n_iter_, model.cluster_centers_

    return fit


def faiss_fit(rows, settings):
    import faiss

    def fit(iterations):
        # By default FAISS trains on a sample of 256 rows a center.
        model = faiss.Kmeans(settings["features"], settings["k"], niter=iterations, nredo=1, seed=settings["seed"],
                             min_points_per_centroid=1, max_points_per_centroid=settings["rows"])
        model.train(rows)
        return iterations, model.centroids

    return fit


def about(settings):
    facts = {"precision": {"float32": "single", "float64": "double"}[settings["dtype"]],
             "python": sys.version.split()[0], "numpy": np.__version__, "init": "random", "cores": str(len(os.sched_getaffinity(0)))}
    if settings["library"] == "sklearn":
        import sklearn
        facts["sklearn"] = sklearn.__version__
    else:
        import faiss
        facts["faiss"] = faiss.__version__
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
    mapped = np.memmap(settings["data"], dtype="<f8", mode="r", shape=(settings["rows"], settings["features"]))
    rows = np.ascontiguousarray(mapped, dtype=settings["dtype"])
    fit = {"sklearn": sklearn_fit, "faiss": faiss_fit}[settings["library"]](rows, settings)
    fit(2)
    print(json.dumps({"about": about(settings)}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        iterations, centers = fit(settings["iterations"])
        seconds = time.perf_counter() - start
        np.ascontiguousarray(centers, dtype="<f8").tofile(settings["centers"])
        print(json.dumps({"seconds": seconds, "iterations": int(iterations), "centers": settings["centers"]}),
              file=answers, flush=True)


main()
