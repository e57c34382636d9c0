package com.inaccel.coral.ml.clustering;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.frame;
import static com.inaccel.coral.ml.SparkTest.spark;
import static com.inaccel.coral.ml.SparkTest.vectors;
import static com.inaccel.coral.ml.SparkTest.weighted;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The same data, parameters and seed must give MLlib's model. */
class KMeansParityTest {
    private static final double DOUBLE_TOLERANCE = 1e-9;
    private static final double SINGLE_TOLERANCE = 1e-4;

    @AfterEach
    void resetPrecision() {
        spark().conf().unset("spark.coral.precision");
    }

    static Stream<Arguments> grid() {
        List<Arguments> cases = new ArrayList<>();
        for (String init : List.of("k-means||", "random")) {
            for (String measure : List.of("euclidean", "cosine")) {
                for (boolean weight : new boolean[] {false, true}) {
                    for (String form : List.of("dense", "sparse", "floats", "doubles")) {
                        for (String precision : List.of("double", "single")) {
                            if (!weight || form.equals("dense") || form.equals("sparse")) {
                                cases.add(Arguments.of(init, measure, weight, form, precision));
                            }
                        }
                    }
                }
            }
        }
        return cases.stream();
    }

    @ParameterizedTest(name = "{0}, {1}, weighted {2}, {3}, {4}")
    @MethodSource("grid")
    void shouldFindTheCentersThatMllibFinds(String init, String measure, boolean weight, String form,
            String precision) {
        Dataset<Row> data = data(form, weight);
        org.apache.spark.ml.clustering.KMeans theirs = set(mllib(), init, measure,
            weight);
        org.apache.spark.ml.clustering.KMeans ours = set(new KMeans(), init, measure, weight);
        KMeansModel expected = theirs.fit(data);
        spark().conf().set("spark.coral.precision", precision);
        KMeansModel actual = ours.fit(data);
        assertSame(actual, expected, precision.equals("double") ? DOUBLE_TOLERANCE : SINGLE_TOLERANCE);
    }

    private static org.apache.spark.ml.clustering.KMeans set(org.apache.spark.ml.clustering.KMeans estimator,
            String init, String measure, boolean weight) {
        estimator.setK(6).setSeed(17).setMaxIter(7).setTol(0).setInitMode(init).setDistanceMeasure(measure);
        return weight ? estimator.setWeightCol("weight") : estimator;
    }

    private static Dataset<Row> data(String form, boolean weight) {
        List<Vector> rows = blobs(700, 11, 6, 5);
        if (form.equals("sparse")) {
            Random random = new Random(9);
            rows = rows.stream().map(row -> sparse(row, random)).toList();
        }
        if (weight) {
            List<Double> weights = IntStream.range(0, rows.size()).mapToObj(i -> (i % 7) / 2.0).toList();
            return weighted(rows, weights, 3);
        }
        return switch (form) {
            case "floats" -> frame(rows.stream().map(row -> RowFactory.create((Object) floats(row))).toList(),
                new StructType().add("features", DataTypes.createArrayType(DataTypes.FloatType, false)), 3);
            case "doubles" -> frame(rows.stream().map(row -> RowFactory.create((Object) Arrays.stream(row.toArray()).boxed().toArray(Double[]::new))).toList(),
                new StructType().add("features", DataTypes.createArrayType(DataTypes.DoubleType, false)), 3);
            default -> vectors(rows, 3);
        };
    }

    /** By rows: MLlib's block solver fails where there are fewer centers than k. */
    private static org.apache.spark.ml.clustering.KMeans mllib() {
        return new org.apache.spark.ml.clustering.KMeans().setSolver("row");
    }

    private static Vector sparse(Vector row, Random random) {
        double[] values = row.toArray().clone();
        for (int i = 1; i < values.length; i++) {
            values[i] = random.nextInt(3) == 0 ? values[i] : 0;
        }
        return Vectors.dense(values).toSparse();
    }

    private static Float[] floats(Vector row) {
        return Arrays.stream(row.toArray()).mapToObj(value -> (float) value).toArray(Float[]::new);
    }

    @Test
    void shouldKeepTheDigitsOfFeaturesWithALargeOffsetInSingle() {
        List<Vector> rows = blobs(500, 4, 5, 3).stream().map(row -> {
            double[] values = row.toArray().clone();
            values[0] += 1.7e9;
            return Vectors.dense(values);
        }).toList();
        Dataset<Row> data = vectors(rows, 2);
        spark().conf().set("spark.coral.precision", "single");
        KMeansModel expected = mllib().setK(5).setSeed(1).fit(data);
        KMeansModel actual = new KMeans().setK(5).setSeed(1).fit(data);
        for (int j = 0; j < expected.clusterCenters().length; j++) {
            double[] want = expected.clusterCenters()[j].toArray();
            double[] got = actual.clusterCenters()[j].toArray();
            for (int i = 0; i < want.length; i++) {
                assertThat(got[i]).isCloseTo(want[i], within(1e-3));
            }
        }
    }

    @Test
    void shouldFitFewerClustersWhereThereAreFewerDistinctPoints() {
        List<Vector> rows = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            rows.add(Vectors.dense(i % 3, -i % 3));
        }
        for (String init : List.of("k-means||", "random")) {
            KMeansModel expected = mllib().setK(8).setSeed(2).setInitMode(init)
                .fit(vectors(rows, 4));
            KMeansModel actual = new KMeans().setK(8).setSeed(2).setInitMode(init).fit(vectors(rows, 4));
            assertSame(actual, expected, DOUBLE_TOLERANCE);
            assertThat(actual.summary().k()).isEqualTo(8);
            assertThat(actual.summary().clusterSizes()).isEqualTo(expected.summary().clusterSizes()).hasSize(8);
        }
    }

    @Test
    void shouldFitMorePartitionsThanRows() {
        List<Vector> rows = blobs(5, 3, 2, 4);
        KMeansModel expected = mllib().setK(2).setSeed(3).fit(vectors(rows, 16));
        assertSame(new KMeans().setK(2).setSeed(3).fit(vectors(rows, 16)), expected, DOUBLE_TOLERANCE);
    }

    @Test
    void shouldFitEmptyPartitionsAndKeepTheCentersOfEmptyClusters() {
        Dataset<Row> data = vectors(blobs(300, 2, 2, 6), 5).filter("features is not null").repartition(7)
            .mapPartitions((org.apache.spark.api.java.function.MapPartitionsFunction<Row, Row>) rows -> {
                List<Row> kept = new ArrayList<>();
                rows.forEachRemaining(kept::add);
                return org.apache.spark.TaskContext.getPartitionId() % 2 == 0
                    ? kept.iterator() : Collections.emptyIterator();
            }, vectors(List.of(), 1).encoder()).cache();
        KMeansModel expected = mllib().setK(40).setSeed(4).fit(data);
        assertSame(new KMeans().setK(40).setSeed(4).fit(data), expected, DOUBLE_TOLERANCE);
    }

    @Test
    void shouldReturnTheInitialCentersWithoutIterations() {
        Dataset<Row> data = vectors(blobs(200, 3, 4, 8), 2);
        KMeansModel expected = mllib().setK(4).setSeed(5).setMaxIter(0).fit(data);
        KMeansModel actual = new KMeans().setK(4).setSeed(5).setMaxIter(0).fit(data);
        assertSame(actual, expected, DOUBLE_TOLERANCE);
        assertThat(actual.summary().trainingCost()).isZero();
    }

    @Test
    void shouldTakeRowsThatMixDenseAndSparseVectors() {
        Random random = new Random(1);
        for (boolean denseFirst : new boolean[] {true, false}) {
            List<Vector> rows = new ArrayList<>();
            for (Vector row : blobs(300, 9, 3, 12)) {
                rows.add(rows.size() % 2 == 0 == denseFirst ? row : sparse(row, random));
            }
            Dataset<Row> data = vectors(rows, 2);
            KMeansModel expected = mllib().setK(3).setSeed(6).fit(data);
            assertSame(new KMeans().setK(3).setSeed(6).fit(data), expected, DOUBLE_TOLERANCE);
        }
    }

    private static void assertSame(KMeansModel actual, KMeansModel expected, double tolerance) {
        assertThat(actual.getClass()).isEqualTo(KMeansModel.class);
        assertThat(actual.clusterCenters()).hasSameSizeAs(expected.clusterCenters());
        for (int j = 0; j < expected.clusterCenters().length; j++) {
            double[] want = expected.clusterCenters()[j].toArray();
            double[] got = actual.clusterCenters()[j].toArray();
            for (int i = 0; i < want.length; i++) {
                assertThat(got[i]).as("center %d, feature %d", j, i)
                    .isCloseTo(want[i], within(tolerance * Math.max(1, Math.abs(want[i]))));
            }
        }
        assertThat(actual.summary().numIter()).isEqualTo(expected.summary().numIter());
        double cost = expected.summary().trainingCost();
        assertThat(actual.summary().trainingCost()).isCloseTo(cost, within(tolerance * Math.max(1, cost)));
    }
}
