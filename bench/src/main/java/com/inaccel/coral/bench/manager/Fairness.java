package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import com.inaccel.coral.bench.support.Latencies;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Many tenants of equal share on two emulated FPGAs that hold one bitstream at a time, each asking for one of four
 * accelerators in bitstreams of their own; against one client alone that asks for all of them.
 */
final class Fairness {
    private static final String EMULATE = "xilinx/u250:2";
    private static final String PROGRAMMING = "50ms";
    /**
     * Once with runs that are as long as this processor takes for them, and that it holds up when it is busy; once with runs
     * that leave it free most of the time, as an FPGA's do.
     */
    private static final List<String> LEAST_RUNS = List.of("0ms", "10ms");
    private static final int DEVICES = 2;
    private static final int CLIENTS = 64;
    private static final int IN_FLIGHT = 4;
    private static final long REQUEST_NANOS = TimeUnit.MILLISECONDS.toNanos(2);
    /** Until every tenant has had its turn on both sides of a reprogramming. */
    private static final double WARM_UP_PART = 0.3;

    private Fairness() { }

    /** @param jain index of the device time that the tenants got: 1 where all got the same, 1/n where one got all */
    private record Run(double requestsPerSecond, double jain, double reprogrammingsPerSecond, double medianWaitSeconds,
            double p99WaitSeconds, double longestWaitSeconds) { }

    static Map<String, Object> measure(Path scratch, double seconds) throws IOException, InterruptedException {
        Map<String, Object> figures = new LinkedHashMap<>();
        for (String leastRun : LEAST_RUNS) {
            figures.put("runs of " + leastRun + " at least", measure(scratch, seconds, leastRun));
        }
        return figures;
    }

    private static Map<String, Object> measure(Path scratch, double seconds, String leastRun)
            throws IOException, InterruptedException {
        List<String> options = new ArrayList<>(List.of("--emulate", EMULATE, "--emulate-programming", PROGRAMMING,
            "--emulate-run", leastRun, "--metrics", "127.0.0.1:0"));
        for (int client = 0; client < CLIENTS; client++) {
            options.addAll(List.of("--allocation", name(client)));
        }
        try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("fairness-" + leastRun), options)) {
            Map<Work.Kind, Integer> rows = new EnumMap<>(Work.Kind.class);
            try (Session session = Coral.open(manager.address())) {
                for (Work.Kind kind : Work.Kind.values()) {
                    rows.put(kind, Work.rowsFor(session, kind, REQUEST_NANOS));
                }
            }
            List<Tenant> one = List.of(new Tenant(manager.address(), rows, CLIENTS * IN_FLIGHT / rows.size()));
            Run alone = run(manager, one, seconds);
            List<Tenant> many = new ArrayList<>();
            for (int client = 0; client < CLIENTS; client++) {
                Work.Kind kind = Work.Kind.values()[client % rows.size()];
                many.add(new Tenant(manager.address(name(client)), Map.of(kind, rows.get(kind)), IN_FLIGHT));
            }
            Run together = run(manager, many, seconds);
            return report(leastRun, alone, together);
        }
    }

    private static String name(int client) {
        return "tenant-" + client;
    }

    private static Run run(ManagerProcess manager, List<Tenant> tenants, double seconds)
            throws IOException, InterruptedException {
        try {
            tenants.forEach(Tenant::start);
            pause(seconds * WARM_UP_PART);
            double before = manager.metric("coral_device_programmings_total");
            long start = System.nanoTime();
            tenants.forEach(tenant -> tenant.measure(true));
            pause(seconds);
            tenants.forEach(tenant -> tenant.measure(false));
            double took = (System.nanoTime() - start) / 1e9;
            double reprogrammings = manager.metric("coral_device_programmings_total") - before;
            tenants.forEach(Tenant::stop);
            for (Tenant tenant : tenants) {
                tenant.join();
            }
            double[] shares = tenants.stream().mapToDouble(Tenant::deviceNanos).toArray();
            Latencies waits = new Latencies(tenants.stream().flatMapToLong(Tenant::waitNanos).toArray());
            return new Run(tenants.stream().mapToLong(Tenant::finished).sum() / took, jain(shares), reprogrammings / took,
                waits.micros(0.5) / 1e6, waits.micros(0.99) / 1e6, waits.micros(1) / 1e6);
        } finally {
            tenants.forEach(Tenant::close);
        }
    }

    static double jain(double[] shares) {
        double sum = Arrays.stream(shares).sum();
        return sum * sum / (shares.length * Arrays.stream(shares).map(share -> share * share).sum());
    }

    /**
     * No schedule that knows the future does with fewer: where {@code m} bitstreams take turns on a device, and none is
     * away for longer than the bound, a cycle of {@code m} programmings lasts at most {@code m / (m - 1)} bounds.
     */
    static double fewestReprogrammingsPerSecond(int bitstreams, int devices, double boundSeconds) {
        return bitstreams <= devices ? 0 : (bitstreams - devices) / boundSeconds;
    }

    private static void pause(double seconds) throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep((long) (seconds * 1e9));
    }

    private static Map<String, Object> report(String leastRun, Run alone, Run together) {
        double least = fewestReprogrammingsPerSecond(Work.Kind.values().length, DEVICES, together.longestWaitSeconds);
        TextTable table = new TextTable("2 emulated FPGAs, 4 bitstreams, runs of " + leastRun + " at least", "requests/s",
            "Jain's index", "reprogrammings/s", "wait p50 s", "p99", "longest");
        row(table, "one client, all accelerators", "", alone);
        row(table, CLIENTS + " clients, one each", text(together.jain, 4), together);
        System.out.println(table);
        System.out.printf(Locale.ROOT, "throughput of many: %.1f %% of one's; reprogrammings: %.2f times the fewest with these "
            + "waits (%.2f/s)%n%n", 100 * together.requestsPerSecond / alone.requestsPerSecond,
            together.reprogrammingsPerSecond / least, least);
        return Map.of("alone", alone, "together", together, "fewestReprogrammingsPerSecond", least);
    }

    private static void row(TextTable table, String who, String jain, Run run) {
        table.row(who, text(run.requestsPerSecond, 0), jain, text(run.reprogrammingsPerSecond, 2),
            text(run.medianWaitSeconds, 2), text(run.p99WaitSeconds, 2), text(run.longestWaitSeconds, 2));
    }

    private static String text(double value, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
