package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.ml.FitReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import scala.collection.JavaConverters;

/** Fits logistic regressions on Spark. */
final class LogisticWorker extends SparkWorker {
    private final LogisticWorkload workload;
    private final LogisticRegression estimator;

    private LogisticWorker(Settings settings, LogisticWorkload workload) {
        super(settings, workload);
        this.workload = workload;
        estimator = settings.coral() ? new com.inaccel.coral.ml.classification.LogisticRegression()
            : new LogisticRegression();
        estimator.setFamily(workload.multinomial() ? "multinomial" : "binomial").setTol(workload.tolerance())
            .setRegParam(workload.regParams().get(0)).setFeaturesCol(Workload.FEATURES).setLabelCol(Workload.LABEL);
    }

    public static void main(String[] arguments) throws IOException {
        Settings settings = settings(arguments);
        new LogisticWorker(settings, settings.workload(LogisticWorkload.class)).serve();
    }

    @Override
    Estimator<?> estimator() {
        return estimator;
    }

    /** One model by {@code fit(dataset)}; several by one {@code fit} with as many parameter maps. */
    @Override
    Fitted fit(Dataset<Row> rows, Order order) {
        estimator.setMaxIter(order.iterations());
        if (order.models() == 1) {
            return fitted(List.of(estimator.fit(rows)));
        }
        List<ParamMap> maps = workload.regParams().subList(0, order.models()).stream()
            .map(regParam -> new ParamMap().put(estimator.regParam().w(regParam))).toList();
        return fitted(JavaConverters.seqAsJavaList(
            estimator.fit(rows, JavaConverters.asScalaBuffer(maps).toSeq())));
    }

    private static Fitted fitted(List<LogisticRegressionModel> models) {
        int iterations = 0;
        double objective = Double.NaN;
        List<double[]> all = new ArrayList<>();
        for (LogisticRegressionModel model : models) {
            iterations += model.summary().totalIterations();
            double[] history = model.summary().objectiveHistory();
            objective = history[history.length - 1];
            Matrix coefficients = model.coefficientMatrix();
            double[] flat = new double[coefficients.numRows() * (coefficients.numCols() + 1)];
            int next = 0;
            for (int row = 0; row < coefficients.numRows(); row++) {
                for (int column = 0; column < coefficients.numCols(); column++) {
                    flat[next++] = coefficients.apply(row, column);
                }
                flat[next++] = model.interceptVector().apply(row);
            }
            all.add(flat);
        }
        return new Fitted(iterations, all.toArray(double[][]::new), objective);
    }

    @Override
    Optional<FitReport> report() {
        return estimator instanceof com.inaccel.coral.ml.classification.LogisticRegression coral
            ? coral.lastFit() : Optional.empty();
    }

    /** Each of Coral's passes over what it shipped evaluates. */
    @Override
    Map<String, Object> details(JobCounter counted) {
        return Map.of("evaluations", report().map(FitReport::passes).orElseGet(counted::evaluations));
    }

    @Override
    Map<String, String> about() {
        return Map.of("family", estimator.getFamily());
    }
}
