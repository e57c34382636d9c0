package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.ml.FitReport;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.clustering.KMeans;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Clusters on Spark. */
final class KMeansWorker extends SparkWorker {
    private final KMeansWorkload workload;
    private final KMeans estimator;

    private KMeansWorker(Settings settings, KMeansWorkload workload) {
        super(settings, workload);
        this.workload = workload;
        estimator = settings.coral() ? new com.inaccel.coral.ml.clustering.KMeans() : new KMeans();
        estimator.setK(workload.k()).setSeed(workload.seed()).setTol(0).setInitMode(workload.init())
            .setSolver(settings.solver()).setFeaturesCol(Workload.FEATURES);
    }

    public static void main(String[] arguments) throws IOException {
        Settings settings = settings(arguments);
        new KMeansWorker(settings, settings.workload(KMeansWorkload.class)).serve();
    }

    @Override
    Estimator<?> estimator() {
        return estimator;
    }

    @Override
    Fitted fit(Dataset<Row> rows, Order order) {
        KMeansModel model = estimator.setMaxIter(order.iterations()).fit(rows);
        double[] centers = Arrays.stream(model.clusterCenters()).flatMapToDouble(center -> Arrays.stream(center.toArray()))
            .toArray();
        return new Fitted(model.summary().numIter(), new double[][] {centers}, model.summary().trainingCost());
    }

    @Override
    Optional<FitReport> report() {
        return estimator instanceof com.inaccel.coral.ml.clustering.KMeans coral ? coral.lastFit() : Optional.empty();
    }

    @Override
    Map<String, String> about() {
        return Map.of("solver", settings.coral() ? "Coral's" : settings.solver(), "init", workload.init());
    }
}
