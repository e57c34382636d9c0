package com.inaccel.coral.ml.clustering;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.shipping.ArraysOfNumbers;
import com.inaccel.coral.ml.shipping.ShippedData;
import com.inaccel.coral.ml.shipping.Shipment;
import com.inaccel.coral.ml.shipping.Shipments;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.clustering.KMeansSummary;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsReader$;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.Instrumentation;
import org.apache.spark.mllib.linalg.Vector;
import org.apache.spark.mllib.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.Some;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * {@link org.apache.spark.ml.clustering.KMeans} on accelerators: swap the import, keep the rest. Same parameters, same
 * random sequence, and the stock {@link KMeansModel} as result, which saves, loads and predicts in plain Spark.
 *
 * <p>The data is read once, written into shared memory, and stays there until the fit ends; each iteration is one Spark
 * job that sends the centers and brings back sums. {@code solver} and {@code maxBlockSizeInMB} choose between MLlib's own
 * implementations and have no effect here. What is configured by {@code spark.coral.*} is in {@link CoralConf}.
 */
public class KMeans extends org.apache.spark.ml.clustering.KMeans {
    private static final long serialVersionUID = 1L;
    private static final String DOUBLE_PROBE = "com.inaccel.ml.KMeans.AssignDouble";

    private transient volatile FitReport lastFit; // cross-validation fits on several threads

    public KMeans() {
        this(Identifiable$.MODULE$.randomUID("kmeans"));
    }

    public KMeans(String uid) {
        super(uid);
    }

    /** Reads an estimator that was written here or by plain Spark. */
    public static KMeans load(String path) {
        SparkContext spark = SparkSession.active().sparkContext();
        DefaultParamsReader.Metadata metadata = DefaultParamsReader$.MODULE$.loadMetadata(path, spark, "");
        KMeans loaded = new KMeans(metadata.uid());
        metadata.getAndSetParams(loaded, metadata.getAndSetParams$default$2());
        return loaded;
    }

    /** What the last fit of this instance did; empty before the first. */
    public Optional<FitReport> lastFit() {
        return Optional.ofNullable(lastFit);
    }

    @Override
    public KMeans copy(ParamMap extra) {
        return this.<KMeans>defaultCopy(extra);
    }

    @Override
    public KMeansModel fit(Dataset<?> dataset) {
        return Instrumentation.instrumented(instrumentation -> {
            log(instrumentation, dataset);
            try (ShippedData data = ship(dataset)) {
                return fit(dataset, data, instrumentation);
            }
        });
    }

    /** As {@code copy(paramMap).fit(dataset)}; fits of one cached dataset share one shipment. */
    @Override
    public KMeansModel fit(Dataset<?> dataset, ParamMap paramMap) {
        KMeans estimator = copy(paramMap);
        KMeansModel model = Instrumentation.instrumented(instrumentation -> {
            estimator.log(instrumentation, dataset);
            CoralConf conf = CoralConf.of(dataset.sparkSession());
            try (ShippedData data = Shipments.acquire(dataset, estimator.shipment(), conf)) {
                return estimator.fit(dataset, data, instrumentation);
            }
        });
        lastFit = estimator.lastFit;
        return model;
    }

    /** Fits a model for each parameter map; maps that want the same columns, shipped alike, share one shipment. */
    @Override
    public Seq<KMeansModel> fit(Dataset<?> dataset, Seq<ParamMap> paramMaps) {
        Map<Shipment, ShippedData> shipments = new HashMap<>();
        try {
            List<KMeansModel> models = new ArrayList<>();
            for (ParamMap paramMap : JavaConverters.seqAsJavaList(paramMaps)) {
                KMeans estimator = copy(paramMap);
                models.add(Instrumentation.instrumented(instrumentation -> {
                    estimator.log(instrumentation, dataset);
                    ShippedData data = shipments.computeIfAbsent(estimator.shipment(), key -> estimator.ship(dataset));
                    return estimator.fit(dataset, data, instrumentation).setParent(estimator);
                }));
                lastFit = estimator.lastFit;
            }
            return JavaConverters.asScalaBuffer(models).toSeq();
        } finally {
            shipments.values().forEach(ShippedData::close);
        }
    }

    /**
     * As MLlib's, except that arrays which may hold nulls by their type are accepted too: Parquet's always may. Those that do
     * are refused when they are read.
     */
    @Override
    public StructType transformSchema(StructType schema) {
        int features = ArraysOfNumbers.indexOf(schema, getFeaturesCol());
        if (features < 0) {
            return super.transformSchema(schema);
        }
        StructField[] fields = super.transformSchema(ArraysOfNumbers.withoutNulls(schema, features)).fields();
        fields[features] = schema.fields()[features];
        return new StructType(fields);
    }

    private void log(Instrumentation instrumentation, Dataset<?> dataset) {
        transformSchema(dataset.schema(), true);
        instrumentation.logPipelineStage(this);
        List<Param<?>> logged = List.of(featuresCol(), predictionCol(), k(), initMode(), initSteps(), distanceMeasure(),
            maxIter(), seed(), tol(), weightCol());
        instrumentation.logParams(this, JavaConverters.asScalaBuffer(logged).toSeq());
    }

    private Shipment shipment() {
        String weights = isDefined(weightCol()) ? getWeightCol() : "";
        boolean normalized = KMeansFit.isCosine(getDistanceMeasure());
        return new Shipment(getFeaturesCol(), weights, "", normalized, false, DOUBLE_PROBE);
    }

    private ShippedData ship(Dataset<?> dataset) {
        return ShippedData.ship(dataset, shipment(), CoralConf.of(dataset.sparkSession()));
    }

    private KMeansModel fit(Dataset<?> dataset, ShippedData data, Instrumentation instrumentation) {
        KMeansFit fit = new KMeansFit(data, this, instrumentation);
        double[][] centers = fit.run();
        lastFit = fit.report();
        Vector[] vectors = new Vector[centers.length];
        for (int j = 0; j < centers.length; j++) {
            vectors[j] = Vectors.dense(centers[j]);
        }
        org.apache.spark.mllib.clustering.KMeansModel parent = new org.apache.spark.mllib.clustering.KMeansModel(
            vectors, getDistanceMeasure(), fit.trainingCost(), fit.iterations());
        KMeansModel model = new KMeansModel(uid(), parent);
        model.setParent(this);
        copyValues(model, copyValues$default$2());
        Dataset<Row> predictions = model.transform(ArraysOfNumbers.withoutNulls(dataset, getFeaturesCol()));
        Option<KMeansSummary> summary = new Some<>(new KMeansSummary(predictions, getPredictionCol(), getFeaturesCol(),
            getK(), fit.iterations(), fit.trainingCost()));
        return (KMeansModel) model.setSummary(summary);
    }

    // The setters again, so that a chain of them is of this class.

    @Override
    public KMeans setFeaturesCol(String value) {
        super.setFeaturesCol(value);
        return this;
    }

    @Override
    public KMeans setPredictionCol(String value) {
        super.setPredictionCol(value);
        return this;
    }

    @Override
    public KMeans setK(int value) {
        super.setK(value);
        return this;
    }

    @Override
    public KMeans setInitMode(String value) {
        super.setInitMode(value);
        return this;
    }

    @Override
    public KMeans setInitSteps(int value) {
        super.setInitSteps(value);
        return this;
    }

    @Override
    public KMeans setDistanceMeasure(String value) {
        super.setDistanceMeasure(value);
        return this;
    }

    @Override
    public KMeans setMaxIter(int value) {
        super.setMaxIter(value);
        return this;
    }

    @Override
    public KMeans setTol(double value) {
        super.setTol(value);
        return this;
    }

    @Override
    public KMeans setSeed(long value) {
        super.setSeed(value);
        return this;
    }

    @Override
    public KMeans setWeightCol(String value) {
        super.setWeightCol(value);
        return this;
    }

    @Override
    public KMeans setSolver(String value) {
        super.setSolver(value);
        return this;
    }

    @Override
    public KMeans setMaxBlockSizeInMB(double value) {
        super.setMaxBlockSizeInMB(value);
        return this;
    }
}
