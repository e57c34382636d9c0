package com.inaccel.coral.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * How evenly device time goes to those who ask for it. A request asks for a device from its submission to its end, but for no
 * more than its device time; only clients that wait for each answer would go on asking. Time is cut into windows. In
 * each, what all together got is shared out anew, by share, but to nobody more than it asked for (max-min fairness);
 * against that everybody's real part is held. The figure is Jain's index of these ratios: 1 where
 * everybody got what was due, {@code 1/n} where one of n got all. It is averaged over the windows, by the device time
 * that was given in them. All devices count as one pool here, also where not all of them can run everything.
 */
final class Fairness {
    private static final double NANO = 1e-9;

    private final List<Tenant> tenants;
    private final long windowNanos;
    /** By tenant: whether the next request is sent only when the last one has ended. */
    private final boolean[] looping;
    /** By window and tenant, in seconds of device time. */
    private final List<double[]> asked = new ArrayList<>();
    private final List<double[]> work = new ArrayList<>();
    private final List<double[]> got = new ArrayList<>();

    Fairness(List<Tenant> tenants, boolean[] looping, long windowNanos) {
        this.tenants = tenants;
        this.looping = looping;
        this.windowNanos = windowNanos;
    }

    /** A device, from then to then. */
    void asked(Tenant tenant, long fromNanos, long toNanos) {
        add(asked, tenant, fromNanos, toNanos);
    }

    /** This much device time is to be had, or more of it than was said before. */
    void needs(Tenant tenant, long atNanos, long nanos) {
        window(work, atNanos)[tenant.number()] += nanos * NANO;
    }

    /** A device, from then to then. */
    void got(Tenant tenant, long fromNanos, long toNanos) {
        add(got, tenant, fromNanos, toNanos);
    }

    private void add(List<double[]> windows, Tenant tenant, long fromNanos, long toNanos) {
        long from = fromNanos;
        while (from < toNanos) {
            long end = Math.min(toNanos, (from / windowNanos + 1) * windowNanos);
            window(windows, from)[tenant.number()] += (end - from) * NANO;
            from = end;
        }
    }

    private double[] window(List<double[]> windows, long atNanos) {
        int index = Math.toIntExact(atNanos / windowNanos);
        while (windows.size() <= index) {
            windows.add(new double[tenants.size()]);
        }
        return windows.get(index);
    }

    /** Over whole windows up to this moment; over all of the time if that is shorter than a window. */
    double index(long untilNanos) {
        int windows = (int) Math.max(1, untilNanos / windowNanos);
        double[] backlog = new double[tenants.size()];
        double sum = 0;
        double weight = 0;
        for (int i = 0; i < Math.min(windows, got.size()); i++) {
            double[] given = got.get(i);
            double[] wanted = asked.get(i);
            for (int tenant = 0; tenant < given.length; tenant++) {
                if (!looping[tenant]) {
                    double left = backlog[tenant] + (i < work.size() ? work.get(i)[tenant] : 0);
                    wanted[tenant] = Math.min(wanted[tenant], left);
                    backlog[tenant] = Math.max(0, left - given[tenant]);
                }
            }
            double total = Arrays.stream(given).sum();
            if (total > 0) {
                sum += total * jain(given, due(wanted, total));
                weight += total;
            }
        }
        return weight == 0 ? 1 : sum / weight;
    }

    /** Fills everybody up evenly by share, nobody above what it wants, until the total is used up. */
    private double[] due(double[] wanted, double total) {
        Integer[] order = new Integer[wanted.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingDouble(i -> wanted[i] / tenants.get(i).share()));
        double[] due = new double[wanted.length];
        double left = total;
        double shares = tenants.stream().mapToDouble(Tenant::share).sum();
        for (int i : order) {
            double share = tenants.get(i).share();
            due[i] = Math.min(wanted[i], left * share / shares);
            left -= due[i];
            shares -= share;
        }
        return due;
    }

    private static double jain(double[] given, double[] due) {
        double sum = 0;
        double squares = 0;
        int count = 0;
        for (int i = 0; i < due.length; i++) {
            if (due[i] > 0) {
                double ratio = given[i] / due[i];
                sum += ratio;
                squares += ratio * ratio;
                count++;
            }
        }
        return squares == 0 ? 1 : sum * sum / (count * squares);
    }
}
