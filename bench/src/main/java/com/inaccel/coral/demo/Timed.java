package com.inaccel.coral.demo;

import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** A model, and how long the fit took that made it. */
record Timed<M>(double seconds, M model) {
    /**
     * Fits once, and shows how far it is.
     *
     * @param task what the bar is called
     * @param jobs that the fit will run, about
     */
    static <M extends Model<M>> Timed<M> fit(String task, Estimator<M> estimator, Dataset<Row> rows, int jobs) {
        try (Progress progress = Progress.of(rows.sparkSession().sparkContext(), task, jobs)) {
            long start = System.nanoTime();
            M model = estimator.fit(rows);
            return new Timed<>((System.nanoTime() - start) / 1e9, model);
        }
    }
}
