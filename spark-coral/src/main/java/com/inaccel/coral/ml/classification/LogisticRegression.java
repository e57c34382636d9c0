package com.inaccel.coral.ml.classification;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.classification.GradientPass.Point;
import com.inaccel.coral.ml.shipping.ShippedData;
import com.inaccel.coral.ml.shipping.Shipment;
import com.inaccel.coral.ml.shipping.Shipments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.classification.BinaryLogisticRegressionTrainingSummaryImpl;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.LogisticRegressionTrainingSummary;
import org.apache.spark.ml.classification.LogisticRegressionTrainingSummaryImpl;
import org.apache.spark.ml.classification.ProbabilisticClassificationModel;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsReader$;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.Instrumentation;
import org.apache.spark.ml.util.MetadataUtils$;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import scala.Option;
import scala.Some;
import scala.Tuple3;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * {@link org.apache.spark.ml.classification.LogisticRegression} on accelerators: swap the import, keep the rest. Same
 * parameters, the same optimizers (Breeze's), and the stock {@link LogisticRegressionModel} as result, which saves, loads
 * and predicts in plain Spark.
 *
 * <p>The data is read once, written into shared memory, and stays there until the fit ends; the feature summary is taken
 * meanwhile. Each evaluation of the loss is one pass over it that sends coefficients and brings back a gradient. {@code
 * maxBlockSizeInMB} and {@code aggregationDepth} tune MLlib's own implementation and have no effect here. What is configured
 * by {@code spark.coral.*} is in {@link CoralConf}.
 */
public class LogisticRegression extends org.apache.spark.ml.classification.LogisticRegression {
    private static final long serialVersionUID = 1L;
    /** Devices without double compute units lack it. */
    private static final String PROBE = "com.inaccel.ml.LogisticRegression.GradientDouble";

    private transient LogisticRegressionModel initialModel;
    private transient volatile FitReport lastFit; // cross-validation fits on several threads
    /** What a call that fits several models shares among them; null in a fit by itself. */
    private transient Shared shared;

    private record Shared(ShippedData data, Function<Point, double[]> passes) { }

    public LogisticRegression() {
        this(Identifiable$.MODULE$.randomUID("logreg"));
    }

    public LogisticRegression(String uid) {
        super(uid);
    }

    /** Reads an estimator that was written here or by plain Spark. */
    public static LogisticRegression load(String path) {
        SparkContext spark = SparkSession.active().sparkContext();
        DefaultParamsReader.Metadata metadata = DefaultParamsReader$.MODULE$.loadMetadata(path, spark, "");
        LogisticRegression loaded = new LogisticRegression(metadata.uid());
        metadata.getAndSetParams(loaded, metadata.getAndSetParams$default$2());
        return loaded;
    }

    /** What the last fit of this instance did; empty before the first. */
    public Optional<FitReport> lastFit() {
        return Optional.ofNullable(lastFit);
    }

    @Override
    public LogisticRegression copy(ParamMap extra) {
        return this.<LogisticRegression>defaultCopy(extra);
    }

    @Override
    public LogisticRegression setInitialModel(LogisticRegressionModel model) {
        super.setInitialModel(model);
        initialModel = model;
        return this;
    }

    /** Null where there is none. */
    LogisticRegressionModel initialModel() {
        return initialModel;
    }

    @Override
    public LogisticRegressionModel train(Dataset<?> dataset) {
        return Instrumentation.instrumented(instrumentation -> {
            log(instrumentation);
            if (shared != null) {
                return train(dataset, shared, instrumentation);
            }
            try (ShippedData data = ShippedData.ship(dataset, shipment(), CoralConf.of(dataset.sparkSession()));
                    GradientPass pass = new GradientPass(data)) {
                long start = System.nanoTime();
                LogisticRegressionModel model = train(dataset, new Shared(data, pass::evaluate), instrumentation);
                lastFit = FitReport.of(data, 0, System.nanoTime() - start);
                return model;
            }
        });
    }

    /** As {@code copy(paramMap).fit(dataset)}; fits of one cached dataset share one shipment. */
    @Override
    public LogisticRegressionModel fit(Dataset<?> dataset, ParamMap paramMap) {
        LogisticRegression estimator = copy(paramMap);
        estimator.transformSchema(dataset.schema()); // before anything is read
        CoralConf conf = CoralConf.of(dataset.sparkSession());
        try (ShippedData data = Shipments.acquire(dataset, estimator.shipment(), conf);
                GradientPass pass = new GradientPass(data)) {
            long start = System.nanoTime();
            LogisticRegressionModel model = estimator.fit(dataset, new Shared(data, pass::evaluate));
            lastFit = FitReport.of(data, 0, System.nanoTime() - start);
            return model;
        }
    }

    /**
     * Fits a model for each parameter map. Maps that want the same columns share one shipment, and their fits advance
     * together: each pass over the data serves all of them.
     */
    @Override
    public Seq<LogisticRegressionModel> fit(Dataset<?> dataset, Seq<ParamMap> paramMaps) {
        List<LogisticRegression> estimators = new ArrayList<>();
        Map<Shipment, List<Integer>> alike = new LinkedHashMap<>();
        for (ParamMap paramMap : JavaConverters.seqAsJavaList(paramMaps)) {
            LogisticRegression estimator = copy(paramMap);
            alike.computeIfAbsent(estimator.shipment(), key -> new ArrayList<>()).add(estimators.size());
            estimators.add(estimator);
        }
        LogisticRegressionModel[] models = new LogisticRegressionModel[estimators.size()];
        for (List<Integer> indices : alike.values()) {
            List<LogisticRegressionModel> fitted =
                fitTogether(dataset, indices.stream().map(estimators::get).toList());
            for (int i = 0; i < fitted.size(); i++) {
                models[indices.get(i)] = fitted.get(i);
            }
        }
        return JavaConverters.asScalaBuffer(List.of(models)).toSeq();
    }

    private List<LogisticRegressionModel> fitTogether(Dataset<?> dataset, List<LogisticRegression> estimators) {
        LogisticRegression first = estimators.get(0);
        first.transformSchema(dataset.schema()); // before anything is read
        try (ShippedData data = ShippedData.ship(dataset, first.shipment(), CoralConf.of(dataset.sparkSession()));
                GradientPass pass = new GradientPass(data)) {
            List<Function<Function<Point, double[]>, LogisticRegressionModel>> fits = new ArrayList<>();
            for (LogisticRegression estimator : estimators) {
                fits.add(passes -> estimator.fit(dataset, new Shared(data, passes)));
            }
            long start = System.nanoTime();
            List<LogisticRegressionModel> models = Lockstep.run(fits, pass::evaluate);
            lastFit = FitReport.of(data, 0, System.nanoTime() - start);
            return models;
        }
    }

    private LogisticRegressionModel fit(Dataset<?> dataset, Shared with) {
        shared = with;
        try {
            return fit(dataset);
        } finally {
            shared = null;
        }
    }

    /** All that MLlib logs, but for the number of the dataset's partitions, which it plans a query of its own for. */
    private void log(Instrumentation instrumentation) {
        instrumentation.logPipelineStage(this);
        List<Param<?>> logged = List.of(labelCol(), weightCol(), featuresCol(), predictionCol(), rawPredictionCol(),
            probabilityCol(), regParam(), elasticNetParam(), standardization(), threshold(), thresholds(), maxIter(), tol(),
            fitIntercept());
        instrumentation.logParams(this, JavaConverters.asScalaBuffer(logged).toSeq());
    }

    private Shipment shipment() {
        String weight = isDefined(weightCol()) ? getWeightCol() : "";
        return new Shipment(getFeaturesCol(), weight, getLabelCol(), false, true, PROBE);
    }

    private LogisticRegressionModel train(Dataset<?> dataset, Shared with, Instrumentation instrumentation) {
        with.data.features(); // refuses partitions of different dimensions before anything is computed
        Option<Object> declared = MetadataUtils$.MODULE$.getNumClasses(dataset.schema().apply(getLabelCol()));
        int declaredClasses = declared.isDefined() ? (Integer) declared.get() : -1;
        LogisticFit fit = new LogisticFit(this, with.data.summary(), declaredClasses, instrumentation);
        return model(dataset, fit.run(with.passes));
    }

    private LogisticRegressionModel model(Dataset<?> dataset, LogisticFit.Result fitted) {
        LogisticRegressionModel model = new LogisticRegressionModel(uid(), fitted.coefficients(), fitted.intercepts(),
            fitted.classes(), fitted.multinomial());
        copyValues(model, copyValues$default$2());
        Supplier<LogisticRegressionTrainingSummary> source =
            summary(model.copy(ParamMap.empty()), dataset, fitted); // what is done to the model later is not the training's
        LogisticRegressionTrainingSummary summary = fitted.classes() <= 2
            ? new LazySummary.Binary(fitted.objectiveHistory(), source)
            : new LazySummary(fitted.objectiveHistory(), source);
        return (LogisticRegressionModel) model.setSummary(new Some<>(summary));
    }

    private Supplier<LogisticRegressionTrainingSummary> summary(
            LogisticRegressionModel model, Dataset<?> dataset, LogisticFit.Result fitted) {
        String label = getLabelCol();
        String features = getFeaturesCol();
        String weight = isDefined(weightCol()) ? getWeightCol() : "weightCol";
        return () -> {
            Tuple3<ProbabilisticClassificationModel<Vector, LogisticRegressionModel>, String, String> summarized =
                model.findSummaryModel();
            Dataset<Row> predictions = summarized._1().transform(dataset);
            return fitted.classes() <= 2
                ? new BinaryLogisticRegressionTrainingSummaryImpl(predictions, summarized._2(), summarized._3(), label,
                    features, weight, fitted.objectiveHistory())
                : new LogisticRegressionTrainingSummaryImpl(predictions, summarized._2(), summarized._3(), label, features,
                    weight, fitted.objectiveHistory());
        };
    }

    // The setters again, so that a chain of them is of this class.

    @Override
    public LogisticRegression setFeaturesCol(String value) {
        super.setFeaturesCol(value);
        return this;
    }

    @Override
    public LogisticRegression setLabelCol(String value) {
        super.setLabelCol(value);
        return this;
    }

    @Override
    public LogisticRegression setPredictionCol(String value) {
        super.setPredictionCol(value);
        return this;
    }

    @Override
    public LogisticRegression setRawPredictionCol(String value) {
        super.setRawPredictionCol(value);
        return this;
    }

    @Override
    public LogisticRegression setProbabilityCol(String value) {
        super.setProbabilityCol(value);
        return this;
    }

    @Override
    public LogisticRegression setThreshold(double value) {
        super.setThreshold(value);
        return this;
    }

    @Override
    public LogisticRegression setThresholds(double[] value) {
        super.setThresholds(value);
        return this;
    }

    @Override
    public LogisticRegression setWeightCol(String value) {
        super.setWeightCol(value);
        return this;
    }

    @Override
    public LogisticRegression setRegParam(double value) {
        super.setRegParam(value);
        return this;
    }

    @Override
    public LogisticRegression setElasticNetParam(double value) {
        super.setElasticNetParam(value);
        return this;
    }

    @Override
    public LogisticRegression setMaxIter(int value) {
        super.setMaxIter(value);
        return this;
    }

    @Override
    public LogisticRegression setTol(double value) {
        super.setTol(value);
        return this;
    }

    @Override
    public LogisticRegression setFitIntercept(boolean value) {
        super.setFitIntercept(value);
        return this;
    }

    @Override
    public LogisticRegression setFamily(String value) {
        super.setFamily(value);
        return this;
    }

    @Override
    public LogisticRegression setStandardization(boolean value) {
        super.setStandardization(value);
        return this;
    }

    @Override
    public LogisticRegression setAggregationDepth(int value) {
        super.setAggregationDepth(value);
        return this;
    }

    @Override
    public LogisticRegression setLowerBoundsOnCoefficients(Matrix value) {
        super.setLowerBoundsOnCoefficients(value);
        return this;
    }

    @Override
    public LogisticRegression setUpperBoundsOnCoefficients(Matrix value) {
        super.setUpperBoundsOnCoefficients(value);
        return this;
    }

    @Override
    public LogisticRegression setLowerBoundsOnIntercepts(Vector value) {
        super.setLowerBoundsOnIntercepts(value);
        return this;
    }

    @Override
    public LogisticRegression setUpperBoundsOnIntercepts(Vector value) {
        super.setUpperBoundsOnIntercepts(value);
        return this;
    }

    @Override
    public LogisticRegression setMaxBlockSizeInMB(double value) {
        super.setMaxBlockSizeInMB(value);
        return this;
    }
}
