package com.inaccel.coral.bench;

import com.inaccel.coral.Segment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** The accelerator alone: Lloyd's iterations by requests, without Spark, from rows spread evenly over the data. */
final class KernelLloyd implements Contestant {
    private static final int WARM_UP_ITERATIONS = 2;

    private final KMeansWorkload workload;
    private final boolean inDouble;
    private final KernelRows rows;
    private final double[] firstCenters;

    private KernelLloyd(KMeansWorkload workload, boolean inDouble) {
        this.workload = workload;
        this.inDouble = inDouble;
        this.rows = new KernelRows("com.inaccel.ml.KMeans.Assign" + (inDouble ? "Double" : "Single"));
        this.firstCenters = new double[workload.k() * workload.features()];
    }

    static KernelLloyd start(KMeansWorkload workload, boolean inDouble) {
        KernelLloyd lloyd = new KernelLloyd(workload, inDouble);
        try {
            lloyd.rows.ship(lloyd.new Source(), workload.rows(), Segment.MAX_BYTES / lloyd.rowBytes());
            lloyd.chooseFirstCenters();
            lloyd.fit(new Order(WARM_UP_ITERATIONS, 1));
            return lloyd;
        } catch (RuntimeException failure) {
            lloyd.close();
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
        about.put("init", "rows spread evenly");
        about.put("precision", inDouble ? "double" : "single");
        return about;
    }

    private long rowBytes() {
        return (long) workload.features() * (inDouble ? Double.BYTES : Float.BYTES);
    }

    private void chooseFirstCenters() {
        KMeansWorkload.Generator generator = workload.generator();
        double[] row = new double[workload.features()];
        for (int center = 0; center < workload.k(); center++) {
            generator.fill(center * workload.rows() / workload.k(), row);
            System.arraycopy(row, 0, firstCenters, center * row.length, row.length);
        }
    }

    @Override
    public Outcome fit(Order order) {
        double[] centers = firstCenters.clone();
        // Sums of rows, sums of weights, cost.
        double[] sums = new double[Math.toIntExact((long) workload.k() * workload.features() + workload.k() + 1)];
        long deviceNanos = rows.deviceNanos();
        long start = System.nanoTime();
        int ran = 0;
        for (boolean moved = true; moved && ran < order.iterations(); ran++) {
            rows.pass(centers, sums, workload.features(), workload.k());
            moved = update(centers, sums);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        return new Outcome(seconds, ran, new double[][] {centers}, Map.of("gflops", workload.flops(ran) / seconds / 1e9,
            "deviceSeconds", (rows.deviceNanos() - deviceNanos) / 1e9, "reportedObjective", sums[sums.length - 1]));
    }

    /** Sums to means; a center without rows stays. Returns whether any center moved. */
    private boolean update(double[] centers, double[] sums) {
        boolean moved = false;
        int features = workload.features();
        for (int center = 0; center < workload.k(); center++) {
            double weight = sums[workload.k() * features + center];
            for (int index = center * features; weight > 0 && index < (center + 1) * features; index++) {
                double mean = sums[index] / weight;
                moved |= mean != centers[index];
                centers[index] = mean;
            }
        }
        return moved;
    }

    @Override
    public void close() {
        rows.close();
    }

    /** Features, and no weights. */
    private final class Source implements KernelRows.Source {
        private final KMeansWorkload.Generator generator = workload.generator();
        private final double[] row = new double[workload.features()];

        @Override
        public long[] arrayBytes(int count) {
            return new long[] {count * rowBytes(), 0};
        }

        @Override
        public void fill(ByteBuffer[] arrays, long from, int count) {
            for (int index = 0; index < count; index++) {
                generator.fill(from + index, row);
                KernelRows.put(arrays[0], row, inDouble);
            }
        }
    }
}
