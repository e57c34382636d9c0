package com.inaccel.coral.ml.classification;

import com.inaccel.coral.ml.shipping.Sent;
import com.inaccel.coral.ml.shipping.ShippedData;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Losses and gradients of any number of models by one pass over the data. */
final class GradientPass implements AutoCloseable {
    private final ShippedData data;
    private final Sent<double[]> center;

    /**
     * Where a model's loss is wanted. A row holds the weights of the features, as they are in the dataset, and last the
     * margin of a row in the middle of them: {@code margin = weights · (x - mean) + offset}. Said like that, a feature far
     * from zero costs no digits.
     *
     * @param classes 1: binomial; else the classes of a multinomial model
     * @param rows {@code [classes][features + 1]}
     */
    record Point(int classes, double[] rows) implements Serializable {
        private static final long serialVersionUID = 1L;

        int resultLength() {
            return rows.length + 1;
        }
    }

    GradientPass(ShippedData data) {
        this.data = data;
        double[] mean = data.summary().means();
        this.center = data.send(mean, (long) mean.length * Double.BYTES);
    }

    double[] evaluate(Point point) {
        return evaluate(List.of(point)).get(0);
    }

    /**
     * For each point, summed over the dataset and not divided by anything: {@code [classes][features + 1]} derivatives by
     * the point's rows, then the loss.
     */
    List<double[]> evaluate(List<Point> points) {
        int length = Math.toIntExact(points.stream().mapToLong(Point::resultLength).sum());
        double[] sums;
        try (Sent<ArrayList<Point>> sent = data.send(new ArrayList<>(points), (long) length * Double.BYTES)) {
            Sent<double[]> mean = center;
            sums = data.sum((partition, index, stats) ->
                new GradientTask(partition, stats, mean.value()).evaluate(sent.value()), length);
        }
        List<double[]> results = new ArrayList<>(points.size());
        int from = 0;
        for (Point point : points) {
            results.add(Arrays.copyOfRange(sums, from, from + point.resultLength()));
            from += point.resultLength();
        }
        return results;
    }

    @Override
    public void close() {
        center.close();
    }
}
