package com.inaccel.coral.demo;

import com.inaccel.coral.ml.shipping.ArraysOfNumbers;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A table with a column of features, and what is known of it.
 *
 * @param labelColumn where there are labels
 */
record DemoData(Dataset<Row> table, String featuresColumn, Optional<String> labelColumn, String description) {
    /** Whether a row is kept from whoever learns, to be asked about afterwards. */
    static final String HELD_OUT = "coral_demo_held_out";

    private static final String FEATURES = "features";
    private static final String LABEL = "label";
    /** Every tenth digit, in all its places: a moved copy of a digit that was learnt would prove nothing. */
    private static final int HELD_OUT_EVERY = 10;
    private static final double HELD_OUT_OF_FILES = 0.1;
    private static final byte[] PARQUET_MAGIC = {'P', 'A', 'R', '1'};

    /** How far an image may be moved without leaving the frame: digits have a border of four pixels. */
    private static final int FURTHEST_SHIFT = 2;
    private static final List<int[]> SHIFTS = shifts();

    static int mostDigits() {
        return SHIFTS.size() * Digits.shared().count();
    }

    /** The digits, then the digits moved by one pixel, in each direction, and so on until there are so many rows. */
    static DemoData digits(SparkSession spark, int rows, int partitions) {
        int count = Digits.shared().count();
        StructType schema = new StructType().add(FEATURES, SQLDataTypes.VectorType(), false)
            .add(LABEL, DataTypes.DoubleType, false).add(HELD_OUT, DataTypes.BooleanType, false);
        Dataset<Row> table = spark.range(0, rows, 1, partitions).map((MapFunction<Long, Row>) row -> {
            int[] shift = SHIFTS.get((int) (row / count));
            int digit = (int) (row % count);
            return RowFactory.create(Vectors.dense(Digits.shared().shifted(digit, shift[0], shift[1])),
                (double) Digits.shared().label(digit), digit % HELD_OUT_EVERY == HELD_OUT_EVERY - 1);
        }, Encoders.row(schema));
        int shifts = (rows + count - 1) / count;
        return new DemoData(table, FEATURES, Optional.of(LABEL), String.format("%,d MNIST test digits%s",
            Math.min(rows, count), shifts == 1 ? "" : ", each in up to " + shifts + " places"));
    }

    /** Pairs of down and right, nearest first: unmoved, the eight neighbours, then two pixels away. */
    private static List<int[]> shifts() {
        List<int[]> shifts = new ArrayList<>();
        for (int distance = 0; distance <= FURTHEST_SHIFT; distance++) {
            for (int down = -distance; down <= distance; down++) {
                for (int right = -distance; right <= distance; right++) {
                    if (Math.max(Math.abs(down), Math.abs(right)) == distance) {
                        shifts.add(new int[] {down, right});
                    }
                }
            }
        }
        return shifts;
    }

    /**
     * Parquet, told by its magic number or by being a directory, else LIBSVM.
     *
     * @param features the column of the features; empty: the only one that could be
     * @param label the column of the labels; empty: LIBSVM's own, and none of Parquet
     */
    static DemoData file(SparkSession spark, Path input, String features, String label) throws IOException {
        if (!Files.exists(input)) {
            throw new IllegalArgumentException("no such file: input=" + input);
        }
        boolean parquet = isParquet(input);
        Dataset<Row> table = spark.read().format(parquet ? "parquet" : "libsvm").load(input.toUri().toString());
        String featuresColumn = featuresColumn(table.schema(), features);
        String wanted = label.isEmpty() && !parquet ? LABEL : label;
        if (!wanted.isEmpty() && !Arrays.asList(table.columns()).contains(wanted)) {
            throw new IllegalArgumentException("no such column: label=" + wanted + ", columns="
                + Arrays.toString(table.columns()));
        }
        // MLlib refuses the type that Parquet's arrays have.
        return new DemoData(ArraysOfNumbers.withoutNulls(table, featuresColumn)
            .withColumn(HELD_OUT, functions.rand(0).lt(HELD_OUT_OF_FILES)), featuresColumn,
            wanted.isEmpty() ? Optional.empty() : Optional.of(wanted),
            input.getFileName() + (parquet ? " (Parquet)" : " (LIBSVM)"));
    }

    /** With vectors where there are arrays, which MLlib's classifiers do not take. */
    DemoData withVectors() {
        if (table.schema().apply(featuresColumn).dataType().equals(SQLDataTypes.VectorType())) {
            return this;
        }
        return new DemoData(table.withColumn(featuresColumn,
            org.apache.spark.ml.functions.array_to_vector(table.col(featuresColumn))), featuresColumn, labelColumn, description);
    }

    static String featuresColumn(StructType schema, String wanted) {
        List<String> candidates = Arrays.stream(schema.fields())
            .filter(field -> holdsFeatures(field.dataType())).map(StructField::name).toList();
        if (!wanted.isEmpty()) {
            if (!candidates.contains(wanted)) {
                throw new IllegalArgumentException("not a column of vectors or of arrays of numbers: featuresColumn="
                    + wanted + ", candidates=" + candidates);
            }
            return wanted;
        }
        if (candidates.isEmpty()) {
            throw new IllegalArgumentException("no column of vectors, array<double> or array<float>: columns="
                + Arrays.toString(schema.fieldNames()));
        }
        if (candidates.size() > 1) {
            throw new IllegalArgumentException("several columns could be the features: candidates=" + candidates
                + "; name one with --features-column");
        }
        return candidates.get(0);
    }

    private static boolean holdsFeatures(DataType type) {
        return type.equals(SQLDataTypes.VectorType())
            || (type instanceof ArrayType array
                && (array.elementType().equals(DataTypes.DoubleType) || array.elementType().equals(DataTypes.FloatType)));
    }

    private static boolean isParquet(Path input) throws IOException {
        if (Files.isDirectory(input)) {
            return true;
        }
        try (InputStream stream = Files.newInputStream(input)) {
            return Arrays.equals(stream.readNBytes(PARQUET_MAGIC.length), PARQUET_MAGIC);
        }
    }
}
