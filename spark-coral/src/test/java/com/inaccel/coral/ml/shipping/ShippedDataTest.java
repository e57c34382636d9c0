package com.inaccel.coral.ml.shipping;

import static com.inaccel.coral.ml.SparkTest.frame;
import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.ml.CoralConf;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What arrives in shared memory beside the features. */
class ShippedDataTest {
    private static final String PROBE = "com.inaccel.ml.KMeans.AssignDouble";

    private static Dataset<Row> labelled(boolean sparse, DataType labelType, List<?> labels, int partitions) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < labels.size(); i++) {
            Vector features = Vectors.dense(i, 2.5, -i);
            rows.add(RowFactory.create(sparse ? features.toSparse() : features, i % 3, labels.get(i)));
        }
        return frame(rows, new StructType().add("features", new VectorUDT()).add("weight", DataTypes.IntegerType)
            .add("label", labelType), partitions);
    }

    private static Shipment shipment(String weightCol, String labelCol) {
        return new Shipment("features", weightCol, labelCol, false, true, PROBE);
    }

    private static ShippedData ship(Dataset<Row> data, Shipment shipment) {
        return ShippedData.ship(data, shipment, CoralConf.of(spark()));
    }

    private static List<Integer> labels(ShippedData data) {
        List<Integer> all = new ArrayList<>();
        for (int[] labels : data.run((partition, index, stats) -> partition.batches().stream()
                .flatMapToInt(batch -> {
                    IntBuffer ints = Batch.ints(batch.labels());
                    int[] copy = new int[ints.remaining()];
                    ints.get(copy);
                    return Arrays.stream(copy);
                }).toArray())) {
            Arrays.stream(labels).forEach(all::add);
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldShipLabelsBesideWeightsAndWithout(boolean sparse) {
        List<Double> labels = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            labels.add((double) (i % 7));
        }
        Dataset<Row> data = labelled(sparse, DataTypes.DoubleType, labels, 3);
        for (String weightCol : new String[] {"", "weight"}) {
            try (ShippedData shipped = ship(data, shipment(weightCol, "label"))) {
                assertThat(labels(shipped)).containsExactlyElementsOf(labels.stream().map(Double::intValue).toList());
                assertThat(shipped.partitions()).extracting(ShippedPartition.Info::summary).containsOnlyNulls();
                FeatureSummary summary = shipped.summary();
                assertThat(summary.labelWeights()).hasSize(7);
                assertThat(summary.rows()).isEqualTo(weightCol.isEmpty() ? 200 : 133);
                assertThat(summary.standardDeviations()[1]).isZero();
                assertThat(summary.means()[1]).isEqualTo(2.5);
            }
        }
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @Test
    void shouldTakeLabelsOfAnyNumericType() {
        Dataset<Row> data = labelled(false, DataTypes.LongType, List.of(3L, 0L, 1L), 2);
        try (ShippedData shipped = ship(data, shipment("", "label"))) {
            assertThat(labels(shipped)).containsExactly(3, 0, 1);
        }
    }

    @Test
    void shouldShipNoLabelsAndMakeNoSummaryUnlessAsked() {
        Dataset<Row> data = labelled(false, DataTypes.DoubleType, List.of(3.0, 0.0), 1);
        try (ShippedData shipped = ship(data, new Shipment("features", "", "", false, false, PROBE))) {
            assertThat(labels(shipped)).isEmpty();
            assertThatThrownBy(shipped::summary).isInstanceOf(IllegalStateException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, 0.5, Double.NaN, Double.POSITIVE_INFINITY, 3e9})
    void shouldRefuseLabelsThatMllibRefuses(double label) {
        Dataset<Row> data = labelled(false, DataTypes.DoubleType, List.of(1.0, label), 1);
        assertThatThrownBy(() -> ship(data, shipment("", "label"))).hasStackTraceContaining("Labels MUST");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @Test
    void shouldRefuseLabelsThatAreNoClasses() {
        Dataset<Row> data = labelled(false, DataTypes.DoubleType, List.of(1.0, 2e9), 1);
        assertThatThrownBy(() -> ship(data, shipment("", "label")))
            .hasStackTraceContaining("label=2000000000, limit=1048576");
    }

    @Test
    void shouldTakeDoubleOnlyWhereTheProbeIsInstalled() {
        Dataset<Row> data = labelled(false, DataTypes.DoubleType, List.of(1.0, 0.0), 1);
        for (String probe : new String[] {PROBE, "com.inaccel.nothing"}) {
            try (ShippedData shipped = ship(data, new Shipment("features", "", "", false, false, probe))) {
                assertThat(shipped.partitions().get(0).precision()).isEqualTo(
                    probe.equals(PROBE) ? CoralConf.Precision.DOUBLE : CoralConf.Precision.SINGLE);
            }
        }
    }
}
