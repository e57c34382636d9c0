package com.inaccel.coral.ml.clustering;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.frame;
import static com.inaccel.coral.ml.SparkTest.spark;
import static com.inaccel.coral.ml.SparkTest.vectors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.SparkTest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.evaluation.ClusteringEvaluator;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.JavaConverters;

/** What a fit does beside its numbers: how often it reads and ships, what it leaves, what it refuses. */
class KMeansFitTest {
    @TempDir
    Path temp;

    @AfterEach
    void resetConfiguration() {
        for (String key : List.of("spark.coral.address", "spark.coral.precision", "spark.coral.passes",
                "spark.coral.adress")) {
            spark().conf().unset(key);
        }
    }

    private static KMeans kMeans() {
        KMeans kMeans = new KMeans();
        kMeans.setK(4).setSeed(11).setMaxIter(5).setTol(0);
        return kMeans;
    }

    /** Rows that count how often they are read. */
    private static Dataset<Row> counted(LongAccumulator reads) {
        Dataset<Row> data = vectors(blobs(400, 5, 4, 1), 3);
        return data.map((MapFunction<Row, Row>) row -> {
            reads.add(1);
            return row;
        }, data.encoder());
    }

    @Test
    void shouldReadADatasetThatIsNotCachedOnce() {
        LongAccumulator reads = spark().sparkContext().longAccumulator();
        kMeans().fit(counted(reads));
        assertThat(reads.value()).isEqualTo(400);
    }

    @Test
    void shouldShipOnceForAllParameterMaps() {
        LongAccumulator reads = spark().sparkContext().longAccumulator();
        KMeans kMeans = kMeans();
        List<ParamMap> maps = List.of(new ParamMap().put(kMeans.k(), 2), new ParamMap().put(kMeans.k(), 3),
            new ParamMap().put(kMeans.k(), 5).put(kMeans.seed(), 3L));
        List<KMeansModel> models = JavaConverters.seqAsJavaList(
            kMeans.fit(counted(reads), JavaConverters.asScalaBuffer(maps).toSeq()));
        assertThat(reads.value()).isEqualTo(400);
        assertThat(models).extracting(model -> model.clusterCenters().length).containsExactly(2, 3, 5);
        assertThat(models.get(1).clusterCenters())
            .isEqualTo(kMeans.copy(maps.get(1)).fit(vectors(blobs(400, 5, 4, 1), 3)).clusterCenters());
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "jobs"})
    void shouldReportWhatItDid(String passes) {
        spark().conf().set("spark.coral.passes", passes);
        KMeans kMeans = kMeans();
        assertThat(kMeans.lastFit()).isEmpty();
        int iterations = kMeans.fit(vectors(blobs(400, 5, 4, 1), 3)).summary().numIter();
        FitReport report = kMeans.lastFit().orElseThrow();
        assertThat(report.rows()).isEqualTo(400);
        assertThat(report.features()).isEqualTo(5);
        assertThat(report.partitions()).isEqualTo(3);
        assertThat(report.partitionsShipped()).isEqualTo(3);
        assertThat(report.bytesShipped()).isBetween(400L * 5 * 8, 3 * 12288L);
        assertThat(report.devices()).isNotEmpty();
        // first center; 2 steps of distances and choice; weights; iterations
        assertThat(report.passes()).isEqualTo(1 + 2 * 2 + 1 + iterations);
        if (passes.equals("jobs")) {
            assertThat(report.sparkJobs()).isEqualTo(1 + report.passes());
        } else {
            assertThat(report.sparkJobs()).isBetween(2, report.passes());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"double", "single"})
    void shouldGiveTheSameBitsWhateverTheOrderInWhichTasksEnd(String precision) {
        spark().conf().set("spark.coral.precision", precision);
        List<Vector> rows = blobs(3000, 7, 5, 2);
        Vector[] first = kMeans().fit(vectors(rows, 6)).clusterCenters();
        for (int run = 0; run < 3; run++) {
            int slow = run;
            Dataset<Row> data = vectors(rows, 6);
            Dataset<Row> delayed = data.map((MapFunction<Row, Row>) row -> {
                // Partitions take turns at being the slow one, so tasks end in different orders.
                if (org.apache.spark.TaskContext.getPartitionId() % 3 == slow) {
                    java.util.concurrent.locks.LockSupport.parkNanos(10_000);
                }
                return row;
            }, data.encoder());
            assertThat(kMeans().fit(delayed).clusterCenters()).isEqualTo(first);
        }
    }

    @Test
    void shouldLeaveNothingInSharedMemory() {
        kMeans().fit(vectors(blobs(400, 5, 4, 1), 3));
        assertThatThrownBy(() -> kMeans().fit(vectors(List.of(Vectors.dense(1, 2), Vectors.dense(1, Double.NaN)), 1)))
            .isInstanceOf(SparkException.class);
        assertThat(JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values())
            .extracting(rdd -> rdd.name()).doesNotContain("coral training data");
        assertThat(com.inaccel.coral.ml.shipping.Inside.sharedMemoryInUse()).isZero();
    }

    @Test
    void shouldServePipelinesAndCrossValidators() throws Exception {
        Dataset<Row> data = vectors(blobs(300, 4, 3, 9), 2);
        KMeans kMeans = kMeans();
        kMeans.setFeaturesCol("scaled");
        Pipeline pipeline = new Pipeline().setStages(new PipelineStage[] {
            new StandardScaler().setInputCol("features").setOutputCol("scaled"), kMeans});
        PipelineModel model = pipeline.fit(data);
        model.write().overwrite().save(temp.resolve("pipeline").toString());
        assertThat(PipelineModel.load(temp.resolve("pipeline").toString()).transform(data).collectAsList())
            .isEqualTo(model.transform(data).collectAsList());
        pipeline.write().overwrite().save(temp.resolve("stages").toString());
        assertThat(Pipeline.load(temp.resolve("stages").toString()).getStages()[1]).isInstanceOf(KMeans.class);

        KMeans tuned = kMeans();
        CrossValidatorModel best = new CrossValidator().setEstimator(tuned).setEvaluator(new ClusteringEvaluator())
            .setEstimatorParamMaps(new ParamGridBuilder().addGrid(tuned.k(), new int[] {2, 3}).build())
            .setNumFolds(2).setParallelism(2).fit(data);
        assertThat(best.avgMetrics()).hasSize(2);
        assertThat(best.bestModel()).isInstanceOf(KMeansModel.class);
    }

    @Test
    void shouldSaveAndLoadBothWaysWithPlainSpark() throws Exception {
        Dataset<Row> data = vectors(blobs(200, 3, 3, 9), 2);
        KMeansModel model = kMeans().fit(data);
        model.write().overwrite().save(temp.resolve("model").toString());
        KMeansModel loaded = KMeansModel.load(temp.resolve("model").toString());
        assertThat(loaded.clusterCenters()).isEqualTo(model.clusterCenters());
        assertThat(loaded.transform(data).collectAsList()).isEqualTo(model.transform(data).collectAsList());

        new org.apache.spark.ml.clustering.KMeans().setK(7).write().overwrite().save(temp.resolve("theirs").toString());
        KMeans fromPlainSpark = KMeans.load(temp.resolve("theirs").toString());
        assertThat(fromPlainSpark.getK()).isEqualTo(7);
        kMeans().write().overwrite().save(temp.resolve("ours").toString());
        assertThat(KMeans.load(temp.resolve("ours").toString()).getK()).isEqualTo(4);
    }

    /** Parquet's arrays allow nulls by their type, which MLlib refuses; the columnar reader's batches are shipped as such. */
    @Test
    void shouldFitArraysStraightFromParquet() {
        Dataset<Row> vectors = vectors(blobs(700, 5, 4, 1), 2);
        Dataset<Row> arrays = vectors.select(
            org.apache.spark.ml.functions.vector_to_array(vectors.col("features"), "float32").as("features"));
        String file = temp.resolve("arrays.parquet").toUri().toString();
        arrays.write().parquet(file);
        Dataset<Row> read = spark().read().parquet(file);
        assertThat(com.inaccel.coral.ml.shipping.Inside.isColumnar(read, "features")).isTrue();
        KMeansModel model = kMeans().fit(read);
        assertThat(model.summary().clusterSizes()).hasSize(4);
        spark().conf().set("spark.sql.parquet.enableNestedColumnVectorizedReader", "false");
        try {
            Dataset<Row> byRows = spark().read().parquet(file);
            assertThat(com.inaccel.coral.ml.shipping.Inside.isColumnar(byRows, "features")).isFalse();
            assertThat(kMeans().fit(byRows).clusterCenters()).isEqualTo(model.clusterCenters());
        } finally {
            spark().conf().unset("spark.sql.parquet.enableNestedColumnVectorizedReader");
        }
    }

    @Test
    void shouldRefuseNullsInArrays() {
        Dataset<Row> data = frame(List.of(RowFactory.create((Object) new Double[] {1.0, null})),
            new StructType().add("features", org.apache.spark.sql.types.DataTypes.createArrayType(
                org.apache.spark.sql.types.DataTypes.DoubleType, true)), 1);
        assertThatThrownBy(() -> kMeans().fit(data)).hasStackTraceContaining("element 1 is");
    }

    @Test
    void shouldCopyToItsOwnType() {
        KMeans copy = kMeans().copy(ParamMap.empty());
        assertThat(copy.getK()).isEqualTo(4);
        assertThat(copy.uid()).isNotEmpty();
    }

    static List<Dataset<Row>> notFinite() {
        List<Dataset<Row>> bad = new ArrayList<>();
        for (double value : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            bad.add(vectors(List.of(Vectors.dense(1, 2), Vectors.dense(value, 0)), 1));
            bad.add(vectors(List.of(Vectors.dense(1, 2), Vectors.sparse(2, new int[] {1}, new double[] {value})), 1));
        }
        return bad;
    }

    @ParameterizedTest
    @org.junit.jupiter.params.provider.MethodSource("notFinite")
    void shouldRefuseValuesThatAreNotFinite(Dataset<Row> data) {
        assertThatThrownBy(() -> kMeans().fit(data)).isInstanceOf(SparkException.class)
            .hasStackTraceContaining("Vector values MUST NOT be NaN or Infinity, but got");
    }

    @Test
    void shouldRefuseNullVectors() {
        Dataset<Row> data = frame(List.of(RowFactory.create(Vectors.dense(1)), RowFactory.create((Object) null)),
            new StructType().add("features", new VectorUDT()), 1);
        assertThatThrownBy(() -> kMeans().fit(data)).hasStackTraceContaining("Vectors MUST NOT be Null");
    }

    @Test
    void shouldRefuseNegativeWeights() {
        KMeans kMeans = kMeans();
        kMeans.setWeightCol("weight");
        Dataset<Row> data = SparkTest.weighted(List.of(Vectors.dense(1), Vectors.dense(2)), List.of(1.0, -1.0), 1);
        assertThatThrownBy(() -> kMeans.fit(data)).hasStackTraceContaining("Weights MUST NOT be Negative or Infinity");
    }

    @Test
    void shouldRefuseVectorsOfDifferentSizes() {
        List<Vector> rows = List.of(Vectors.dense(1, 2), Vectors.dense(1, 2, 3));
        assertThatThrownBy(() -> kMeans().fit(vectors(rows, 1))).hasStackTraceContaining("size=3, expected=2");
        assertThatThrownBy(() -> kMeans().fit(vectors(rows, 2))).hasStackTraceContaining("sizes=[2, 3]");
    }

    @Test
    void shouldRefuseAnEmptyDatasetAndWrongColumns() {
        Dataset<Row> empty = vectors(List.of(), 1);
        assertThatThrownBy(() -> kMeans().fit(empty)).hasMessageContaining("No samples available");
        KMeans wrong = kMeans();
        wrong.setFeaturesCol("nothing");
        assertThatThrownBy(() -> wrong.fit(empty)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("nothing");
    }

    @Test
    void shouldRefuseZeroVectorsUnderTheCosineMeasure() {
        KMeans kMeans = kMeans();
        kMeans.setDistanceMeasure("cosine");
        assertThatThrownBy(() -> kMeans.fit(vectors(List.of(Vectors.dense(1, 1), Vectors.dense(0, 0)), 1)))
            .hasStackTraceContaining("Cosine distance is not defined for zero-length vectors");
    }

    @Test
    void shouldNameTheAddressWhereNoManagerListens() {
        spark().conf().set("spark.coral.address", "unix:" + temp.resolve("nobody.sock"));
        assertThatThrownBy(() -> kMeans().fit(vectors(blobs(20, 2, 2, 1), 1))).satisfies(failure -> {
            CoralException cause = (CoralException) ExceptionUtils.getThrowableList(failure).stream()
                .filter(CoralException.class::isInstance).findFirst().orElseThrow();
            assertThat(cause.code()).isEqualTo(ErrorCode.NO_MANAGER);
            assertThat(cause).hasMessageContaining("nobody.sock").hasMessageContaining("embedded:");
        });
    }

    @Test
    void shouldSuggestTheNearestConfigurationKey() {
        spark().conf().set("spark.coral.adress", "embedded:");
        assertThatThrownBy(() -> kMeans().fit(vectors(blobs(20, 2, 2, 1), 1)))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("did you mean spark.coral.address");
    }
}
