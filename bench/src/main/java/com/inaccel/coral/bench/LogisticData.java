package com.inaccel.coral.bench;

import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * The rows of a workload as little-endian files: for peers outside the JVM, and to judge models by.
 *
 * <p>{@code labels}: ints. {@code values}: doubles, row by row. For sparse rows {@code indices}: ints, as many. All rows have
 * the same number of values, so that none needs to say where it starts.
 */
final class LogisticData {
    private static final String LABELS = "labels";
    private static final String VALUES = "values";
    private static final String INDICES = "indices";
    /** Of values in one block: what one task reads at a time. */
    private static final long BLOCK_BYTES = 8L << 20;

    private final LogisticWorkload workload;
    private final Path directory;
    private final int blockRows;
    private final double[] deviations;

    private LogisticData(LogisticWorkload workload, Path directory) {
        this.workload = workload;
        this.directory = directory;
        long fitting = BLOCK_BYTES / (workload.valuesOfARow() * (long) Double.BYTES);
        this.blockRows = (int) Math.max(1, Math.min(fitting, workload.rows()));
        this.deviations = deviations();
    }

    static LogisticData write(LogisticWorkload workload, Path directory) throws IOException {
        Files.createDirectories(directory);
        LogisticWorkload.Generator generator = workload.generator();
        try (Out labels = new Out(directory.resolve(LABELS), Integer.BYTES);
                Out values = new Out(directory.resolve(VALUES), workload.valuesOfARow() * Double.BYTES);
                Out indices = new Out(directory.resolve(INDICES), workload.nonZeros() * Integer.BYTES)) {
            for (long index = 0; index < workload.rows(); index++) {
                generator.make(index);
                labels.next().putInt(generator.label);
                values.next().asDoubleBuffer().put(generator.values);
                indices.next().asIntBuffer().put(generator.indices);
            }
        }
        return new LogisticData(workload, directory);
    }

    Path directory() {
        return directory;
    }

    /**
     * Mean loss of the rows plus the penalty, which is on coefficients of features divided by their standard deviations, and
     * not on intercepts: MLlib's objective. In double, by none of the contestants' code.
     */
    double objective(double[] model, double regParam) {
        double loss = sum(1, block -> new double[] {block.loss(model)})[0] / workload.rows();
        double squares = 0;
        for (int i = 0; i < model.length; i++) {
            int feature = i % (workload.features() + 1);
            if (feature < workload.features()) {
                double scaled = model[i] * deviations[feature];
                squares += scaled * scaled;
            }
        }
        return loss + regParam / 2 * squares;
    }

    /** Of the sample, feature by feature. */
    private double[] deviations() {
        int features = workload.features();
        double rows = workload.rows();
        double[] sums = sum(2 * features, Block::moments);
        double[] result = new double[features];
        Arrays.setAll(result, feature -> {
            double mean = sums[feature] / rows;
            return rows < 2 ? 0 : Math.sqrt(Math.max(0, sums[features + feature] - rows * mean * mean) / (rows - 1));
        });
        return result;
    }

    /** Over all blocks, added up in their order. */
    private double[] sum(int length, Function<Block, double[]> of) {
        int blocks = Math.toIntExact((workload.rows() + blockRows - 1) / blockRows);
        List<double[]> parts = IntStream.range(0, blocks).parallel().mapToObj(number -> of.apply(read(number))).toList();
        double[] sum = new double[length];
        for (double[] part : parts) {
            Arrays.setAll(sum, i -> sum[i] + part[i]);
        }
        return sum;
    }

    private Block read(int number) {
        long from = (long) number * blockRows;
        int rows = (int) Math.min(blockRows, workload.rows() - from);
        int each = workload.valuesOfARow();
        double[] values = new double[rows * each];
        read(VALUES, from * each, values.length, Double.BYTES).asDoubleBuffer().get(values);
        int[] labels = new int[rows];
        read(LABELS, from, rows, Integer.BYTES).asIntBuffer().get(labels);
        int[] indices = new int[workload.sparse() ? values.length : 0];
        read(INDICES, from * each, indices.length, Integer.BYTES).asIntBuffer().get(indices);
        return new Block(workload, labels, values, indices);
    }

    private ByteBuffer read(String file, long from, int count, int width) {
        ByteBuffer bytes = ByteBuffer.allocate(count * width).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel channel = FileChannel.open(directory.resolve(file))) {
            channel.position(from * width);
            while (bytes.hasRemaining()) {
                if (channel.read(bytes) < 0) {
                    throw new IllegalStateException("file shorter than it was written: file=" + file);
                }
            }
        } catch (IOException gone) {
            throw new IllegalStateException("cannot read back what was written: file=" + file, gone);
        }
        return bytes.flip();
    }

    private record Block(LogisticWorkload workload, int[] labels, double[] values, int[] indices) {
        double loss(double[] model) {
            int each = workload.valuesOfARow();
            int length = workload.features() + 1;
            double[] margins = new double[workload.sets()];
            double sum = 0;
            for (int row = 0; row < labels.length; row++) {
                for (int set = 0; set < margins.length; set++) {
                    double margin = model[set * length + length - 1];
                    for (int i = 0; i < each; i++) {
                        margin += values[row * each + i] * model[set * length + feature(row * each + i)];
                    }
                    margins[set] = margin;
                }
                sum += LogisticWorkload.loss(margins, labels[row]);
            }
            return sum;
        }

        /** Sums of the features' values, then of their squares. */
        double[] moments() {
            double[] sums = new double[2 * workload.features()];
            for (int i = 0; i < values.length; i++) {
                sums[feature(i)] += values[i];
                sums[workload.features() + feature(i)] += values[i] * values[i];
            }
            return sums;
        }

        private int feature(int place) {
            return workload.sparse() ? indices[place] : place % workload.features();
        }
    }

    /** Records of one size, little-endian. */
    private static final class Out implements Closeable {
        private final OutputStream stream;
        private final ByteBuffer record;
        private boolean pending;

        Out(Path file, int recordBytes) throws IOException {
            stream = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20);
            record = ByteBuffer.allocate(recordBytes).order(ByteOrder.LITTLE_ENDIAN);
        }

        /** The next record, to be filled before the one after it is asked for. */
        ByteBuffer next() throws IOException {
            flush();
            pending = true;
            return record.clear();
        }

        private void flush() throws IOException {
            if (pending) {
                stream.write(record.array());
            }
            pending = false;
        }

        @Override
        public void close() throws IOException {
            try (stream) {
                flush();
            }
        }
    }
}
