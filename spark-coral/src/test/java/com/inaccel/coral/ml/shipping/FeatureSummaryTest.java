package com.inaccel.coral.ml.shipping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.stat.MultiClassSummarizer;
import org.apache.spark.ml.stat.SummarizerBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Summaries against MLlib's own, and against sums without rounding where MLlib's rounding is the larger. */
class FeatureSummaryTest {
    /** One feature each, of rows that follow each other. */
    enum Feature {
        NORMAL, OFFSET, TINY, HUGE, OUTLIER_FIRST, OUTLIER_WITHIN, CONSTANT, LARGE_CONSTANT, RARE, ZERO, RARE_OFFSET;

        double value(int row, Random random) {
            double normal = random.nextGaussian();
            boolean rare = random.nextInt(20) == 0;
            return switch (this) {
                case NORMAL -> normal;
                case OFFSET -> 1e9 + normal;
                case TINY -> 1e-6 * normal;
                case HUGE -> 1e6 * normal;
                case OUTLIER_FIRST -> row == 0 ? 1e8 : normal;
                case OUTLIER_WITHIN -> row == 700 ? -1e8 : normal;
                case CONSTANT -> 3.7;
                case LARGE_CONSTANT -> 1e9 / 3;
                case RARE -> rare ? normal : 0;
                case ZERO -> 0;
                case RARE_OFFSET -> rare ? 1e6 + normal : 0;
            };
        }

        boolean isConstant() {
            return this == CONSTANT || this == LARGE_CONSTANT || this == ZERO;
        }
    }

    private static final List<Feature> FEATURES = List.of(Feature.values());

    enum Storage {
        DENSE, SPARSE, MIXED;

        boolean isSparse(int partition) {
            return this == SPARSE || (this == MIXED && partition % 2 == 1);
        }
    }

    enum Weights {
        NONE, SOME_ZERO, FIRST_TINY;

        double weight(int row, Random random) {
            double uniform = random.nextDouble();
            return switch (this) {
                case NONE -> 1;
                case SOME_ZERO -> uniform < 0.2 ? 0 : uniform * 7;
                case FIRST_TINY -> row == 0 ? 1e-6 : 1 + uniform;
            };
        }
    }

    private record Instance(Vector features, double weight, int label) { }

    private static List<Instance> instances(int rows, Weights weights) {
        Random random = new Random(5);
        List<Instance> instances = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            double[] values = new double[FEATURES.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = FEATURES.get(i).value(row, random);
            }
            instances.add(new Instance(Vectors.dense(values), weights.weight(row, random), random.nextInt(5) * 3));
        }
        return instances;
    }

    /** As many partitions as asked for, every third of them empty. */
    private static List<List<Instance>> split(List<Instance> instances, int partitions) {
        List<List<Instance>> split = new ArrayList<>();
        int filled = partitions - partitions / 3;
        int next = 0;
        for (int i = 0; i < partitions; i++) {
            if (i % 3 == 2) {
                split.add(List.of());
            } else {
                int end = (int) ((long) instances.size() * (next + 1) / filled);
                split.add(instances.subList((int) ((long) instances.size() * next / filled), end));
                next++;
            }
        }
        return split;
    }

    private static FeatureSummary summarize(List<List<Instance>> partitions, Storage storage) {
        List<FeatureSummary> parts = new ArrayList<>();
        for (int i = 0; i < partitions.size(); i++) {
            FeatureSummarizer summarizer = new FeatureSummarizer();
            for (Instance instance : partitions.get(i)) {
                summarizer.add(row(instance.features, storage.isSparse(i)), instance.weight, instance.label);
            }
            parts.add(summarizer.finish());
        }
        return FeatureSummary.merge(parts);
    }

    private static FeatureRow row(Vector features, boolean sparse) {
        FeatureRow row = new FeatureRow();
        row.sparse = sparse;
        row.size = features.size();
        row.values = sparse ? features.toSparse().values() : features.toArray();
        row.indices = sparse ? features.toSparse().indices() : new int[0];
        row.count = row.values.length;
        // What rows before this one left in the buffers is no part of it.
        row.values = Arrays.copyOf(row.values, row.count + 3);
        return row;
    }

    private static SummarizerBuffer mllib(List<List<Instance>> partitions) {
        SummarizerBuffer merged = new SummarizerBuffer();
        for (List<Instance> partition : partitions) {
            SummarizerBuffer part = new SummarizerBuffer();
            partition.forEach(instance -> part.add(instance.features, instance.weight));
            merged.merge(part);
        }
        return merged;
    }

    /** The standard deviation by MLlib's definition, rounded once. */
    private static double exactDeviation(List<Instance> instances, int feature) {
        BigDecimal weights = BigDecimal.ZERO;
        BigDecimal squaredWeights = BigDecimal.ZERO;
        BigDecimal sum = BigDecimal.ZERO;
        BigDecimal squares = BigDecimal.ZERO;
        for (Instance instance : instances) {
            BigDecimal weight = new BigDecimal(instance.weight);
            BigDecimal value = new BigDecimal(instance.features.apply(feature));
            weights = weights.add(weight);
            squaredWeights = squaredWeights.add(weight.multiply(weight));
            sum = sum.add(weight.multiply(value));
            squares = squares.add(weight.multiply(value).multiply(value));
        }
        MathContext digits = new MathContext(60);
        BigDecimal centered = squares.subtract(sum.multiply(sum).divide(weights, digits));
        return centered.divide(weights.subtract(squaredWeights.divide(weights, digits)), digits).sqrt(digits).doubleValue();
    }

    static List<Object[]> grid() {
        List<Object[]> grid = new ArrayList<>();
        for (Storage storage : Storage.values()) {
            for (Weights weights : Weights.values()) {
                for (int partitions : new int[] {1, 2, 7}) {
                    grid.add(new Object[] {storage, weights, partitions});
                }
            }
        }
        return grid;
    }

    @ParameterizedTest
    @MethodSource("grid")
    void shouldAgreeWithMllib(Storage storage, Weights weights, int partitions) {
        List<Instance> instances = instances(3000, weights);
        List<List<Instance>> split = split(instances, partitions);
        FeatureSummary summary = summarize(split, storage);
        SummarizerBuffer mllib = mllib(split);

        assertThat(summary.rows()).isEqualTo(mllib.count());
        assertThat(summary.weightSum()).isCloseTo(mllib.weightSum(), within(1e-12 * mllib.weightSum()));
        for (int i = 0; i < FEATURES.size(); i++) {
            Feature feature = FEATURES.get(i);
            double deviation = summary.standardDeviations()[i];
            if (feature.isConstant()) {
                assertThat(deviation).as("%s", feature).isZero();
            } else {
                double exact = exactDeviation(instances, i);
                assertThat(deviation).as("%s", feature).isCloseTo(exact, within(1e-12 * exact));
                if (feature != Feature.OFFSET) { // MLlib errs there: by 1e-8, and where weights round by 4 in 100
                    double theirs = mllib.std().apply(i);
                    assertThat(deviation).as("%s", feature).isCloseTo(theirs, within(1e-10 * theirs));
                }
            }
            double mean = mllib.mean().apply(i);
            assertThat(summary.means()[i]).as("%s", feature)
                .isCloseTo(mean, within(1e-13 * Math.abs(mean) + 1e-10 * deviation));
        }
    }

    @ParameterizedTest
    @EnumSource(Weights.class)
    void shouldAddUpLabelsAsMllib(Weights weights) {
        List<List<Instance>> split = split(instances(500, weights), 4);
        MultiClassSummarizer mllib = new MultiClassSummarizer();
        split.forEach(part -> part.forEach(instance -> mllib.add(instance.label, instance.weight)));

        double[] labelWeights = summarize(split, Storage.DENSE).labelWeights();
        assertThat(labelWeights).hasSize(13).hasSize(mllib.numClasses()).contains(mllib.histogram(), within(1e-9));
    }

    @Test
    void shouldNotCountLabelsOfNoWeight() {
        Vector one = Vectors.dense(1);
        List<Instance> rows = List.of(new Instance(one, 2, 1), new Instance(one, 0, 9), new Instance(one, 3, 0));
        assertThat(summarize(List.of(rows), Storage.DENSE).labelWeights()).containsExactly(3, 2);
        assertThat(summarize(List.of(List.of(new Instance(one, 1, -1))), Storage.DENSE).labelWeights()).isEmpty();
    }

    @Test
    void shouldRefuseLabelsThatAreNoClasses() {
        FeatureSummarizer summarizer = new FeatureSummarizer();
        summarizer.add(row(Vectors.dense(1), false), 1, FeatureSummarizer.LABEL_LIMIT - 1);
        assertThat(summarizer.finish().labelWeights()).hasSize(FeatureSummarizer.LABEL_LIMIT);
        assertThatThrownBy(() -> summarizer.add(row(Vectors.dense(1), false), 1, FeatureSummarizer.LABEL_LIMIT))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessage("label too large to be a class: label=1048576, limit=1048576; "
                + "number the classes from 0, without gaps");
    }

    @ParameterizedTest
    @EnumSource(Storage.class)
    void shouldHaveNoDeviationInOneRow(Storage storage) {
        List<List<Instance>> split =
            List.of(List.of(), List.of(new Instance(Vectors.dense(0, 0.1, 1e9), 0.3, 0)), List.of());
        FeatureSummary summary = summarize(split, storage);
        assertThat(summary.rows()).isEqualTo(1);
        assertThat(summary.means()).containsExactly(0, 0.1, 1e9);
        assertThat(summary.standardDeviations()).containsExactly(0, 0, 0);
    }

    @Test
    void shouldBeEmptyWhereNoRowHasAnyWeight() {
        for (List<Instance> rows : List.of(List.<Instance>of(), List.of(new Instance(Vectors.dense(1, 2), 0, 0)))) {
            FeatureSummary summary = summarize(Collections.nCopies(2, rows), Storage.DENSE);
            assertThat(summary.rows()).isZero();
            assertThat(summary.features()).isZero();
            assertThat(summary.standardDeviations()).isEmpty();
            assertThat(summary.labelWeights()).isEmpty();
        }
    }
}
