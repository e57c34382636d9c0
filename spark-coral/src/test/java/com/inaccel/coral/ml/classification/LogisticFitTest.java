package com.inaccel.coral.ml.classification;

import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.shipping.Inside;
import com.inaccel.coral.ml.shipping.PartitionsShipped;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.commons.lang3.SerializationUtils;
import org.apache.spark.SparkException;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.attribute.NominalAttribute;
import org.apache.spark.ml.classification.BinaryLogisticRegressionTrainingSummary;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRest;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.ml.tuning.TrainValidationSplit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.JavaConverters;

/** What a fit does beside its numbers: how often it reads and ships, what it leaves, what it refuses. */
class LogisticFitTest {
    @TempDir
    Path temp;

    @AfterEach
    void resetConfiguration() {
        spark().conf().unset("spark.coral.precision");
        spark().conf().unset("spark.coral.passes");
    }

    private static LogisticRegression logistic() {
        return new LogisticRegression().setMaxIter(15).setRegParam(0.01);
    }

    private static Dataset<Row> data() {
        return Labelled.draw(400, 5, 3, 1).frame(3);
    }

    /** Rows that count how often they are read. */
    private static Dataset<Row> counted(LongAccumulator reads) {
        Dataset<Row> data = data();
        return data.map((MapFunction<Row, Row>) row -> {
            reads.add(1);
            return row;
        }, data.encoder());
    }

    private static List<LogisticRegressionModel> fit(LogisticRegression estimator, Dataset<Row> data,
            List<ParamMap> maps) {
        return JavaConverters.seqAsJavaList(estimator.fit(data, JavaConverters.asScalaBuffer(maps).toSeq()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "jobs"})
    void shouldReadADatasetThatIsNotCachedOnceAndMakeOnePassAnEvaluation(String passes) {
        spark().conf().set("spark.coral.passes", passes);
        LongAccumulator reads = spark().sparkContext().longAccumulator();
        LogisticRegression estimator = logistic();
        int iterations = estimator.fit(counted(reads)).summary().totalIterations();
        assertThat(reads.value()).isEqualTo(400);
        FitReport report = estimator.lastFit().orElseThrow();
        assertThat(report.rows()).isEqualTo(400);
        assertThat(report.features()).isEqualTo(5);
        assertThat(report.partitionsShipped()).isEqualTo(3);
        assertThat(report.devices()).isNotEmpty();
        // One for where it starts, and line searches mostly take one a step.
        assertThat(report.passes()).isBetween(1 + iterations, 3 + iterations + iterations / 4);
        if (passes.equals("jobs")) {
            assertThat(report.sparkJobs()).isEqualTo(1 + report.passes());
        } else {
            assertThat(report.sparkJobs()).isBetween(2, report.passes());
        }
    }

    @Test
    void shouldAdvanceTheFitsOfAllParameterMapsTogether() {
        LongAccumulator reads = spark().sparkContext().longAccumulator();
        LogisticRegression estimator = logistic();
        List<ParamMap> maps = List.of(
            new ParamMap().put(estimator.regParam(), 0.1),
            new ParamMap().put(estimator.regParam(), 0.01).put(estimator.elasticNetParam(), 0.5),
            new ParamMap().put(estimator.fitIntercept(), false).put(estimator.maxIter(), 4),
            new ParamMap().put(estimator.standardization(), false));
        List<LogisticRegressionModel> models = fit(estimator, counted(reads), maps);
        assertThat(reads.value()).isEqualTo(400);
        int passesTogether = estimator.lastFit().orElseThrow().passes();
        int passesAlone = 0;
        int mostAlone = 0;
        for (int i = 0; i < maps.size(); i++) {
            LogisticRegression alone = estimator.copy(maps.get(i));
            LogisticRegressionModel model = alone.fit(data());
            int passes = alone.lastFit().orElseThrow().passes();
            passesAlone += passes;
            mostAlone = Math.max(mostAlone, passes);
            assertThat(models.get(i).coefficientMatrix()).isEqualTo(model.coefficientMatrix());
            assertThat(models.get(i).interceptVector()).isEqualTo(model.interceptVector());
            assertThat(models.get(i).summary().objectiveHistory()).isEqualTo(model.summary().objectiveHistory());
            assertThat(models.get(i).parent().extractParamMap().get(estimator.regParam()))
                .isEqualTo(alone.extractParamMap().get(alone.regParam()));
        }
        assertThat(passesTogether).isLessThan(passesAlone).isEqualTo(mostAlone);
    }

    @Test
    void shouldFitParameterMapsThatWantOtherColumns() {
        Dataset<Row> data = data().withColumn("other", functions.expr("label % 2"));
        LogisticRegression estimator = logistic();
        List<LogisticRegressionModel> models = fit(estimator, data, List.of(
            new ParamMap().put(estimator.labelCol(), "other"), ParamMap.empty(),
            new ParamMap().put(estimator.labelCol(), "other").put(estimator.weightCol(), "weight")));
        assertThat(models).extracting(LogisticRegressionModel::numClasses).containsExactly(2, 3, 2);
        assertThat(models.get(1).coefficientMatrix()).isEqualTo(logistic().fit(data).coefficientMatrix());
    }

    @Test
    void shouldFailAsOneOfTheFitsFails() {
        LogisticRegression estimator = logistic();
        assertThatThrownBy(() -> fit(estimator, data(), List.of(ParamMap.empty(),
            new ParamMap().put(estimator.family(), "binomial"), new ParamMap().put(estimator.regParam(), 0.2))))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("Binomial family only supports 1 or 2 outcome classes but found 3");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"double", "single"})
    void shouldGiveTheSameBitsWhateverTheOrderInWhichTasksEnd(String precision) {
        spark().conf().set("spark.coral.precision", precision);
        Labelled rows = Labelled.draw(3000, 7, 3, 2);
        LogisticRegressionModel first = logistic().fit(rows.frame(6));
        for (int run = 0; run < 3; run++) {
            int slow = run;
            Dataset<Row> data = rows.frame(6);
            Dataset<Row> delayed = data.map((MapFunction<Row, Row>) row -> {
                // Partitions take turns at being the slow one, so tasks end in different orders.
                if (TaskContext.getPartitionId() % 3 == slow) {
                    LockSupport.parkNanos(10_000);
                }
                return row;
            }, data.encoder());
            LogisticRegressionModel again = logistic().fit(delayed);
            assertThat(again.coefficientMatrix()).isEqualTo(first.coefficientMatrix());
            assertThat(again.interceptVector()).isEqualTo(first.interceptVector());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldGiveTheSameBitsByJobsAndWithout(boolean sparse) {
        Labelled rows = Labelled.draw(3000, 7, 3, 2);
        Dataset<Row> data = (sparse ? rows.sparse() : rows).frame(5);
        LogisticRegressionModel direct = logistic().fit(data);
        spark().conf().set("spark.coral.passes", "jobs");
        LogisticRegressionModel byJobs = logistic().fit(data);
        assertThat(direct.coefficientMatrix()).isEqualTo(byJobs.coefficientMatrix());
        assertThat(direct.interceptVector()).isEqualTo(byJobs.interceptVector());
        assertThat(direct.summary().objectiveHistory()).isEqualTo(byJobs.summary().objectiveHistory());
    }

    @Test
    void shouldLeaveNothingInSharedMemory() {
        logistic().fit(data());
        logistic().fit(Labelled.draw(300, 6, 2, 3).sparse().frame(2));
        assertThat(JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values())
            .extracting(rdd -> rdd.name()).doesNotContain("coral training data");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void shouldShipAFoldOnceForAllOfACrossValidatorsMaps(int parallelism) throws Exception {
        LogisticRegression estimator = logistic();
        ParamMap[] maps =
            new ParamGridBuilder().addGrid(estimator.regParam(), new double[] {0.001, 0.01, 0.1}).build();
        PartitionsShipped shipped = new PartitionsShipped();
        spark().sparkContext().addSparkListener(shipped);
        CrossValidatorModel best = new CrossValidator().setEstimator(estimator)
            .setEvaluator(new MulticlassClassificationEvaluator()).setEstimatorParamMaps(maps).setNumFolds(2)
            .setParallelism(parallelism).fit(data());
        assertThat(((LogisticRegressionModel) best.bestModel()).parent()).isInstanceOf(LogisticRegression.class);
        assertThat(best.avgMetrics()).hasSize(3);
        // The best map is fitted once more, to all the data, which is not cached.
        assertThat(shipped.count()).isEqualTo(2 * 3 + 3);
        spark().sparkContext().removeSparkListener(shipped);
        awaitNothingShipped();
    }

    private static void awaitNothingShipped() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values().stream()
                .anyMatch(rdd -> "coral training data".equals(rdd.name())) && System.nanoTime() < deadline) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
        assertThat(JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values())
            .extracting(rdd -> rdd.name()).doesNotContain("coral training data");
    }

    @Test
    void shouldServePipelinesValidationSplitsAndOneVsRest() throws Exception {
        Dataset<Row> data = data();
        Pipeline pipeline = new Pipeline().setStages(new PipelineStage[] {
            new StandardScaler().setInputCol("features").setOutputCol("scaled"),
            logistic().setFeaturesCol("scaled")});
        PipelineModel model = pipeline.fit(data);
        model.write().overwrite().save(temp.resolve("pipeline").toString());
        assertThat(PipelineModel.load(temp.resolve("pipeline").toString()).transform(data).collectAsList())
            .isEqualTo(model.transform(data).collectAsList());

        LogisticRegression tuned = logistic();
        assertThat(new TrainValidationSplit().setEstimator(tuned).setSeed(1)
            .setEvaluator(new MulticlassClassificationEvaluator())
            .setEstimatorParamMaps(new ParamGridBuilder().addGrid(tuned.regParam(), new double[] {0.01, 1}).build())
            .fit(data).validationMetrics()).hasSize(2);
        awaitNothingShipped();

        OneVsRestModel rest = new OneVsRest().setClassifier(logistic()).fit(data);
        OneVsRestModel expected = new OneVsRest().setClassifier(new org.apache.spark.ml.classification.LogisticRegression()
            .setMaxIter(15).setRegParam(0.01)).fit(data);
        assertThat(rest.models()).hasSize(3);
        assertThat(rest.transform(data).select("prediction").collectAsList())
            .isEqualTo(expected.transform(data).select("prediction").collectAsList());
    }

    @Test
    void shouldSaveAndLoadBothWaysWithPlainSpark() throws Exception {
        Dataset<Row> data = data();
        LogisticRegressionModel model = logistic().fit(data);
        model.write().overwrite().save(temp.resolve("model").toString());
        LogisticRegressionModel loaded = LogisticRegressionModel.load(temp.resolve("model").toString());
        assertThat(loaded.transform(data).collectAsList()).isEqualTo(model.transform(data).collectAsList());
        assertThat(loaded.evaluate(data).accuracy()).isEqualTo(model.summary().accuracy());

        new org.apache.spark.ml.classification.LogisticRegression().setRegParam(0.7).write().overwrite()
            .save(temp.resolve("theirs").toString());
        assertThat(LogisticRegression.load(temp.resolve("theirs").toString()).getRegParam()).isEqualTo(0.7);
        logistic().write().overwrite().save(temp.resolve("ours").toString());
        assertThat(LogisticRegression.load(temp.resolve("ours").toString()).getMaxIter()).isEqualTo(15);
    }

    @Test
    void shouldGiveMllibsSummaries() {
        Dataset<Row> data = Labelled.draw(300, 4, 2, 21).frame(2);
        BinaryLogisticRegressionTrainingSummary ours = logistic().fit(data).binarySummary();
        BinaryLogisticRegressionTrainingSummary theirs = new org.apache.spark.ml.classification.LogisticRegression()
            .setMaxIter(15).setRegParam(0.01).fit(data).binarySummary();
        // Spark adds up the area in the order in which tasks end.
        assertThat(ours.areaUnderROC()).isCloseTo(theirs.areaUnderROC(), org.assertj.core.api.Assertions.within(1e-12));
        assertThat(ours.roc().collectAsList()).isEqualTo(theirs.roc().collectAsList());
        assertThat(ours.pr().collectAsList()).isEqualTo(theirs.pr().collectAsList());
        assertThat(ours.accuracy()).isEqualTo(theirs.accuracy());
        assertThat(ours.fMeasureByThreshold().count()).isEqualTo(theirs.fMeasureByThreshold().count());
        assertThat(ours.objectiveHistory()).hasSameSizeAs(theirs.objectiveHistory());
        assertThat(ours.objectiveHistory()[0]).isCloseTo(theirs.objectiveHistory()[0],
            org.assertj.core.api.Assertions.within(1e-12));
    }

    @Test
    void shouldSummarizeTheModelAsItWasTrainedWhateverIsDoneToItLater() {
        Dataset<Row> data = Labelled.draw(400, 5, 2, 1).frame(3);
        LogisticRegressionModel asked = logistic().fit(data);
        double accuracy = asked.summary().accuracy();
        LogisticRegressionModel changed = logistic().fit(data);
        changed.setThreshold(1);
        changed.setProbabilityCol("other");
        assertThat(changed.summary().accuracy()).isEqualTo(accuracy);
        assertThat(changed.summary().probabilityCol()).isEqualTo(asked.summary().probabilityCol());
        assertThat(changed.evaluate(data).accuracy()).isLessThan(accuracy);
    }

    @Test
    void shouldSendModelsWithoutTheirSummariesToExecutors() {
        LogisticRegressionModel model = logistic().fit(data());
        LogisticRegressionModel sent = SerializationUtils.roundtrip(model);
        assertThat(sent.coefficientMatrix()).isEqualTo(model.coefficientMatrix());
        assertThat(sent.summary().objectiveHistory()).isEqualTo(model.summary().objectiveHistory());
        assertThatThrownBy(() -> sent.summary().accuracy()).hasMessageContaining("stays with the driver");
    }

    @Test
    void shouldStartFromAnInitialModel() {
        Dataset<Row> data = data();
        LogisticRegressionModel model = new LogisticRegression().setRegParam(0.01).fit(data);
        LogisticRegressionModel again =
            new LogisticRegression().setRegParam(0.01).setInitialModel(model).fit(data);
        assertThat(again.summary().totalIterations()).isLessThan(model.summary().totalIterations() / 2);
    }

    @ParameterizedTest
    @CsvSource({"NaN, Labels MUST NOT be Null or NaN", "-1, Labels MUST be in", "1.5, Labels MUST be Integers"})
    void shouldRefuseLabelsThatMllibRefuses(double label, String message) {
        Labelled rows = Labelled.draw(20, 2, 2, 1);
        rows.labels().set(7, label);
        assertThatThrownBy(() -> logistic().fit(rows.frame(2))).isInstanceOf(SparkException.class)
            .hasStackTraceContaining(message);
    }

    @Test
    void shouldRefuseALabelOutsideOfTheClassesThatTheColumnDeclares() {
        Dataset<Row> data = data();
        Dataset<Row> declared = data.withColumn("label", data.col("label").as("label",
            NominalAttribute.defaultAttr().withName("label").withNumValues(2).toMetadata()));
        assertThatThrownBy(() -> logistic().fit(declared)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("Specified number of classes 2 was less than the number of unique labels 3");
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    void shouldRefuseFeaturesThatAreNotFinite(double value) {
        Labelled rows = Labelled.draw(20, 2, 2, 1);
        rows.features().set(3, Vectors.dense(value, 1));
        assertThatThrownBy(() -> logistic().fit(rows.frame(2))).isInstanceOf(SparkException.class)
            .hasStackTraceContaining("Vector values MUST NOT be NaN or Infinity");
    }

    @Test
    void shouldRefuseNegativeWeightsAndWrongColumnsAndEmptyData() {
        Labelled rows = Labelled.draw(20, 2, 2, 1);
        rows.weights().set(3, -1.0);
        assertThatThrownBy(() -> logistic().setWeightCol("weight").fit(rows.frame(2)))
            .hasStackTraceContaining("Weights MUST NOT be Negative or Infinity");
        assertThatThrownBy(() -> logistic().setFeaturesCol("nothing").fit(data()))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("nothing");
        assertThatThrownBy(() -> logistic().fit(data().limit(0))).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("Nothing has been added to this summarizer");
    }

    /** Values whose sums overflow, though each is finite. */
    @Test
    void shouldStopWhereTheGradientIsNotFinite() {
        List<Double> labels = new ArrayList<>();
        Labelled rows = new Labelled(new ArrayList<>(), labels, labels);
        for (int i = 0; i < 40; i++) {
            rows.features().add(Vectors.dense(i % 3 == 0 ? 1.7e308 : 1.6e308, i));
            labels.add((double) (i % 2));
        }
        assertThatThrownBy(() -> new LogisticRegression().fit(rows.frame(2)))
            .hasMessageContaining("is not finite").hasMessageContaining("iteration=")
            .hasMessageContaining("objective so far=");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @Test
    void shouldNameTheValuesOfBadParameters() {
        assertThatThrownBy(() -> logistic().setRegParam(-1)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("-1");
        assertThatThrownBy(() -> logistic().setThresholds(new double[] {0.5, 0.5}).fit(data()))
            .hasMessageContaining("numClasses=3, but thresholds has length 2");
    }
}
