package com.inaccel.coral.bench;

import com.inaccel.coral.Segment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The accelerator alone: losses and gradients by requests, without Spark and without an optimizer, on the way from zero to
 * the model that the labels were drawn from. An iteration is one evaluation. It fits nothing, so it shows no model; the loss
 * at the end of the way is held against what the generator of the rows says.
 */
final class KernelGradient implements Contestant {
    private static final int WARM_UP_ITERATIONS = 2;
    /** Relative; features stored in single move the loss by about as much. */
    private static final double TOLERANCE = 1e-5;

    private final LogisticWorkload workload;
    private final boolean inDouble;
    private final KernelRows rows;
    private final double[] trueModel;
    private double trueLoss;

    private KernelGradient(LogisticWorkload workload, boolean inDouble) {
        this.workload = workload;
        this.inDouble = inDouble;
        this.rows = new KernelRows("com.inaccel.ml.LogisticRegression.Gradient" + (workload.sparse() ? "Sparse" : "")
            + (inDouble ? "Double" : "Single"));
        this.trueModel = workload.generator().trueModel();
    }

    static KernelGradient start(LogisticWorkload workload, boolean inDouble) {
        KernelGradient gradient = new KernelGradient(workload, inDouble);
        try {
            gradient.rows.ship(gradient.new Source(), workload.rows(), gradient.mostRows());
            gradient.fit(new Order(WARM_UP_ITERATIONS, 1));
            return gradient;
        } catch (RuntimeException failure) {
            gradient.close();
            throw failure;
        }
    }

    @Override
    public String name() {
        return inDouble ? "kernel-double" : "kernel-single";
    }

    @Override
    public Map<String, String> about() {
        Map<String, String> about = new LinkedHashMap<>(rows.about());
        about.put("precision", inDouble ? "double" : "single");
        return about;
    }

    private int width() {
        return inDouble ? Double.BYTES : Float.BYTES;
    }

    /** As many as fit into a segment beside three pages that are not full. */
    private long mostRows() {
        long rowBytes = (long) workload.valuesOfARow() * (width() + (workload.sparse() ? Integer.BYTES : 0))
            + 2 * Integer.BYTES;
        return (Segment.MAX_BYTES - (1 << 15)) / rowBytes;
    }

    @Override
    public Outcome fit(Order order) {
        int models = order.models();
        double[] points = new double[Math.multiplyExact(models, trueModel.length)];
        double[] sums = new double[points.length + models];
        long deviceNanos = rows.deviceNanos();
        long start = System.nanoTime();
        for (int pass = 1; pass <= order.iterations(); pass++) {
            double share = (double) pass / order.iterations();
            for (int i = 0; i < points.length; i++) {
                points[i] = trueModel[i % trueModel.length] * share;
            }
            rows.pass(points, sums, workload.features(), workload.multinomial() ? workload.classes() : 1, models);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        check(sums[sums.length - 1]);
        double bytes = workload.bytes(width()) * order.iterations();
        return new Outcome(seconds, order.iterations(), new double[0][], Map.of(
            "evaluations", (double) order.iterations(), "gigabytesPerSecond", bytes / seconds / 1e9,
            "gflops", workload.flops() * models * order.iterations() / seconds / 1e9,
            "deviceSeconds", (rows.deviceNanos() - deviceNanos) / 1e9));
    }

    private void check(double loss) {
        if (!(Math.abs(loss - trueLoss) <= TOLERANCE * trueLoss)) {
            throw new IllegalStateException("the kernel computes another loss than the rows have: contestant=" + name()
                + ", loss=" + loss + ", expected=" + trueLoss);
        }
    }

    @Override
    public void close() {
        rows.close();
    }

    /** Features (dense), or row starts, indices and values; labels; no weights. */
    private final class Source implements KernelRows.Source {
        private final LogisticWorkload.Generator generator = workload.generator();

        @Override
        public long[] arrayBytes(int count) {
            long values = (long) count * workload.valuesOfARow();
            long labels = (long) count * Integer.BYTES;
            return workload.sparse()
                ? new long[] {(count + 1L) * Integer.BYTES, values * Integer.BYTES, values * width(), labels, 0}
                : new long[] {values * width(), labels, 0};
        }

        @Override
        public void fill(ByteBuffer[] arrays, long from, int count) {
            int before = workload.sparse() ? 2 : 0;
            for (int index = 0; index < count; index++) {
                generator.make(from + index);
                trueLoss += generator.loss();
                KernelRows.put(arrays[before], generator.values, inDouble);
                arrays[before + 1].putInt(generator.label);
                if (workload.sparse()) {
                    arrays[0].putInt(index * workload.nonZeros());
                    for (int feature : generator.indices) {
                        arrays[1].putInt(feature);
                    }
                }
            }
            if (workload.sparse()) {
                arrays[0].putInt(count * workload.nonZeros());
            }
        }
    }
}
