package com.inaccel.coral.examples;

import com.inaccel.coral.ml.FitReport;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * What the examples have in common: data generated on the executors is fitted by Coral, once or as long as asked for, then by
 * MLlib. It is a failure where two of Coral's models differ in a single bit, or one differs from MLlib's by more than rounding.
 */
final class Example {
    /** Greatest difference of a number from MLlib's, as a part of the greatest number of the model. */
    private static final double LIMIT = 1e-6;

    private final String name;
    private final ExampleOptions options;

    /** A row of label and features, made of its number alone: it is made again where an executor is lost. */
    interface RowMaker extends Serializable {
        Row row(long number);
    }

    interface Fit {
        Fitted fit(Dataset<Row> data);
    }

    /**
     * @param numbers all of the model's
     * @param report null of MLlib's
     */
    record Fitted(double[] numbers, FitReport report) { }

    Example(String name, ExampleOptions options) {
        this.name = name;
        this.options = options;
    }

    /** @return whether all is well */
    boolean run(RowMaker maker, Fit coral, Fit mllib) {
        try (SparkSession spark = SparkSession.builder().getOrCreate()) {
            StructType schema = new StructType().add("label", DataTypes.DoubleType).add("features", new VectorUDT());
            Dataset<Row> data = spark.createDataFrame(
                spark.range(0, options.rows(), 1, options.partitions()).javaRDD().map(maker::row), schema).cache();
            System.out.println(name + ": " + options);
            return compare(data, coral, mllib);
        }
    }

    private boolean compare(Dataset<Row> data, Fit coral, Fit mllib) {
        long start = System.nanoTime();
        String model = "";
        Fitted fitted;
        int fits = 0;
        int others = 0;
        do {
            long fitStart = System.nanoTime();
            fitted = coral.fit(data);
            String digest = digest(fitted.numbers);
            model = model.isEmpty() ? digest : model;
            others += digest.equals(model) ? 0 : 1;
            fits++;
            System.out.printf(Locale.ROOT, "fit %d: %.2f s, executors=%d, address=%s, devices=%s, fallbacks=%s, model=%.12s%n",
                fits, (System.nanoTime() - fitStart) / 1e9, executors(data), fitted.report.address(), fitted.report.devices(),
                fitted.report.fallbacks(), digest);
        } while (goesOn(executors(data), TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start)));
        double difference = difference(mllib.fit(data).numbers, fitted.numbers);
        int executors = executors(data);
        boolean ok = others == 0 && difference <= LIMIT && executors >= options.executors();
        System.out.printf(Locale.ROOT, "result: {\"example\": \"%s\", \"ok\": %b, \"fits\": %d, \"differentFits\": %d, "
            + "\"executors\": %d, \"executorsWanted\": %d, \"differenceFromMllib\": %.3g, \"limit\": %.3g, \"fallbacks\": %d, "
            + "\"model\": \"%s\"}%n", name, ok, fits, others, executors, options.executors(), difference, LIMIT,
            fitted.report.fallbacks().size(), model);
        return ok;
    }

    private boolean goesOn(int executors, long seconds) {
        return seconds < options.seconds() && (options.executors() == 0 || executors < options.executors());
    }

    /** That have come so far, the lost ones included. */
    private static int executors(Dataset<Row> data) {
        return (int) JavaConverters.seqAsJavaList(
                data.sparkSession().sparkContext().statusStore().executorList(/* activeOnly= */ false)).stream()
            .filter(executor -> !executor.id().equals("driver")).count();
    }

    private static double difference(double[] expected, double[] actual) {
        if (expected.length != actual.length) {
            return Double.POSITIVE_INFINITY;
        }
        double greatest = 0;
        double difference = 0;
        for (int i = 0; i < expected.length; i++) {
            greatest = Math.max(greatest, Math.abs(expected[i]));
            difference = Math.max(difference, Math.abs(expected[i] - actual[i]));
        }
        return difference == 0 ? 0 : difference / greatest;
    }

    /** The same for the same bits. */
    private static String digest(double[] numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(numbers.length * Double.BYTES);
        Arrays.stream(numbers).forEach(bytes::putDouble);
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array()));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
