package com.inaccel.coral;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;

/** L-BFGS on the mean logistic loss with an L2 penalty; each evaluation is one pass of the gradient accelerator over the rows. */
final class LogisticFit {
    private static final String ACCELERATOR = "com.inaccel.ml.LogisticRegression.GradientDouble";
    private static final int MEMORY = 10;
    private static final int MOST_HALVINGS = 40;
    /** Of what the slope promises, that a step must gain. */
    private static final double SUFFICIENT = 1e-4;

    private final Table table;
    private final int rows;
    private final double penalty;
    private final Deque<Step> memory = new ArrayDeque<>();

    /** @param rows of coefficients */
    private LogisticFit(Table table, int rows, double penalty) {
        this.table = table;
        this.rows = rows;
        this.penalty = penalty;
    }

    private record Point(double[] at, double value, double[] gradient) { }

    /** Of the last ones, latest first: how far it went, how the gradient changed, and 1 over their product. */
    private record Step(double[] move, double[] change, double inverse) { }

    static LogisticModel fit(Session session, double[][] features, int[] labels, double penalty, int maxIterations,
            double tolerance) {
        if (labels.length != features.length) {
            throw invalid("labels for other rows: labels=" + labels.length + ", rows=" + features.length);
        }
        int classes = Arrays.stream(labels).max().orElse(0) + 1;
        if (classes < 2 || Arrays.stream(labels).anyMatch(label -> label < 0)) {
            throw invalid("not labels of classes: least=" + Arrays.stream(labels).min().orElse(0) + ", most=" + (classes - 1)
                + "; use 0 to classes - 1, at least two classes");
        }
        if (!(penalty >= 0 && penalty < Double.POSITIVE_INFINITY) || maxIterations < 0 || !(tolerance >= 0)) {
            throw invalid("not a penalty and limits: penalty=" + penalty + ", maxIterations=" + maxIterations + ", tolerance="
                + tolerance + "; use 0 or more");
        }
        try (Table table = new Table(session, features, labels)) {
            return new LogisticFit(table, classes == 2 ? 1 : classes, penalty).minimize(maxIterations, tolerance);
        }
    }

    private LogisticModel minimize(int maxIterations, double tolerance) {
        int d = table.columns;
        Point point = evaluate(new double[rows * (d + 1)]);
        int iteration = 0;
        boolean converged = norm(point.gradient) <= tolerance;
        while (!converged && iteration < maxIterations) {
            Point next = search(point, direction(point.gradient));
            if (next == null) { // no step gains anything that a double can tell
                converged = true;
            } else {
                remember(point, next);
                point = next;
                iteration++;
                converged = norm(point.gradient) <= tolerance;
            }
        }
        double[][] coefficients = new double[rows][];
        double[] intercepts = new double[rows];
        for (int c = 0; c < rows; c++) {
            coefficients[c] = Arrays.copyOfRange(point.at, c * (d + 1), c * (d + 1) + d);
            intercepts[c] = point.at[c * (d + 1) + d];
        }
        return new LogisticModel(coefficients, intercepts, point.value, iteration, converged, table.run());
    }

    private Point evaluate(double[] at) {
        int d = table.columns;
        double[] sums = new double[at.length + 1];
        table.pass(at, 0, (long) sums.length * Double.BYTES, 0,
            (batch, input, output) -> Request.of(ACCELERATOR).arg(batch.values()).arg(batch.labels()).arg(batch.noWeights())
                .arg(input).arg(output).arg(batch.rows()).arg(d).arg(rows).arg(1),
            (batch, output) -> {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] += output.getDouble(i * Double.BYTES);
                }
            });
        double value = sums[at.length] / table.rows;
        double[] gradient = new double[at.length];
        for (int i = 0; i < at.length; i++) {
            gradient[i] = sums[i] / table.rows;
            if (i % (d + 1) < d) { // intercepts are free
                gradient[i] += penalty * at[i];
                value += penalty / 2 * at[i] * at[i];
            }
        }
        return new Point(at, value, gradient);
    }

    /** Downhill, by the last steps' curvature. */
    private double[] direction(double[] gradient) {
        double[] q = gradient.clone();
        double[] weights = new double[memory.size()];
        int i = 0;
        for (Step step : memory) {
            weights[i] = step.inverse * dot(step.move, q);
            add(q, -weights[i++], step.change);
        }
        Step last = memory.peekFirst();
        double scale = last == null ? 1 / Math.max(1, norm(gradient)) : 1 / (last.inverse * dot(last.change, last.change));
        for (int t = 0; t < q.length; t++) {
            q[t] *= -scale;
        }
        for (Iterator<Step> oldest = memory.descendingIterator(); oldest.hasNext();) {
            Step step = oldest.next();
            add(q, -weights[--i] - step.inverse * dot(step.change, q), step.move);
        }
        return q;
    }

    /** The first of ever shorter steps that gains enough; null where none does. */
    private Point search(Point from, double[] direction) {
        double slope = dot(direction, from.gradient);
        double length = 1;
        for (int halving = 0; halving < MOST_HALVINGS && slope < 0; halving++, length /= 2) {
            double[] at = from.at.clone();
            add(at, length, direction);
            Point to = evaluate(at);
            if (to.value < from.value + SUFFICIENT * length * slope) {
                return to;
            }
        }
        return null;
    }

    private void remember(Point from, Point to) {
        double[] move = to.at.clone();
        add(move, -1, from.at);
        double[] change = to.gradient.clone();
        add(change, -1, from.gradient);
        double product = dot(move, change);
        if (product > 0) {
            memory.addFirst(new Step(move, change, 1 / product));
            if (memory.size() > MEMORY) {
                memory.removeLast();
            }
        }
    }

    private static void add(double[] to, double factor, double[] what) {
        for (int t = 0; t < to.length; t++) {
            to[t] += factor * what[t];
        }
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int t = 0; t < a.length; t++) {
            sum += a[t] * b[t];
        }
        return sum;
    }

    private static double norm(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    private static CoralException invalid(String message) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, message);
    }
}
