package com.inaccel.coral.ml.shipping;

import static com.inaccel.coral.ml.SparkTest.frame;
import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.ml.CoralConf;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Floats from Parquet's columns against the same floats row by row. */
class ColumnarShippingTest {
    private static final int FEATURES = 72;
    /** More than the first segment takes, in double; a Parquet batch more than once. */
    private static final int ROWS = 60_000;
    private static final String NESTED_COLUMNS = "spark.sql.parquet.enableNestedColumnVectorizedReader";

    @TempDir
    Path temp;

    @AfterEach
    void resetConfiguration() {
        spark().conf().unset(NESTED_COLUMNS);
        spark().conf().unset("spark.coral.precision");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    private interface Rows {
        Float[] row(int index, Random random);
    }

    private static Float[] numbers(Random random, int length) {
        Float[] values = new Float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) (100 + random.nextGaussian());
        }
        return values;
    }

    private Dataset<Row> parquet(int count, Rows rows) {
        Random random = new Random(3);
        List<Row> all = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            all.add(RowFactory.create((Object) rows.row(i, random)));
        }
        StructType schema = new StructType().add("features", DataTypes.createArrayType(DataTypes.FloatType, true));
        String file = temp.resolve("rows.parquet").toUri().toString();
        frame(all, schema, 1).write().parquet(file);
        return spark().read().parquet(file);
    }

    private record Shipped(List<byte[]> batches, double[] means, double[] deviations) {
        void assertSame(Shipped other) {
            assertThat(batches).hasSameSizeAs(other.batches);
            for (int i = 0; i < batches.size(); i++) {
                assertThat(Arrays.equals(batches.get(i), other.batches.get(i))).as("batch %d is the same", i).isTrue();
            }
            assertThat(means).isEqualTo(other.means);
            assertThat(deviations).isEqualTo(other.deviations);
        }
    }

    private static Shipped ship(Dataset<Row> data, boolean columnar, boolean normalized) {
        spark().conf().set(NESTED_COLUMNS, Boolean.toString(columnar));
        assertThat(Inside.isColumnar(data.select("features"), "features")).isEqualTo(columnar);
        Shipment shipment = new Shipment("features", "", "", normalized, true, "com.inaccel.ml.KMeans.AssignDouble");
        try (ShippedData shipped = ShippedData.ship(data.select("features"), shipment, CoralConf.of(spark()))) {
            List<ArrayList<byte[]>> partitions = shipped.run((partition, index, stats) -> {
                ArrayList<byte[]> batches = new ArrayList<>();
                for (Batch batch : partition.batches()) {
                    ByteBuffer buffer = Batch.buffer(batch.features());
                    byte[] bytes = new byte[buffer.remaining()];
                    buffer.get(bytes);
                    batches.add(bytes);
                }
                return batches;
            });
            List<byte[]> batches = new ArrayList<>();
            partitions.forEach(batches::addAll);
            return new Shipped(batches, shipped.summary().means(), shipped.summary().standardDeviations());
        }
    }

    @ParameterizedTest
    @CsvSource({"double, false", "double, true", "single, false"})
    void shouldShipTheSameBytesAsRowByRow(String precision, boolean normalized) {
        spark().conf().set("spark.coral.precision", precision);
        Dataset<Row> data = parquet(ROWS, (index, random) -> numbers(random, FEATURES));
        Shipped columns = ship(data, true, normalized);
        if (precision.equals("double")) {
            assertThat(columns.batches).hasSizeGreaterThan(1);
        }
        columns.assertSame(ship(data, false, normalized));
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void shouldRefuseWhatIsNotFiniteFarFromTheFirstRow(float bad) {
        Dataset<Row> data = parquet(1000, (index, random) -> {
            Float[] row = numbers(random, 3);
            row[2] = index == 900 ? bad : Float.MAX_VALUE;
            return row;
        });
        assertThatThrownBy(() -> ship(data, true, false)).hasStackTraceContaining("," + bad + "]");
    }

    @Test
    void shouldRefuseOtherLengthsFarFromTheFirstRow() {
        Dataset<Row> shorter = parquet(1000, (index, random) -> numbers(random, index == 900 ? 2 : 3));
        assertThatThrownBy(() -> ship(shorter, true, false)).hasStackTraceContaining("size=2, expected=3");
    }

    @Test
    void shouldRefuseNullsFarFromTheFirstRow() {
        Dataset<Row> nulls = parquet(1000, (index, random) -> {
            Float[] row = numbers(random, 3);
            row[1] = index == 900 ? null : row[1];
            return row;
        });
        assertThatThrownBy(() -> ship(nulls, true, false)).hasStackTraceContaining("element 1 is");
    }

    @Test
    void shouldTakeValuesThatParquetKeepsInADictionary() {
        Dataset<Row> data = parquet(5000, (index, random) -> {
            Float[] row = new Float[7];
            for (int i = 0; i < row.length; i++) {
                row[i] = (float) random.nextInt(10) - 4;
            }
            return row;
        });
        ship(data, true, false).assertSame(ship(data, false, false));
    }
}
