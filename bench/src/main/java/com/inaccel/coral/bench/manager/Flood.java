package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import com.inaccel.coral.bench.support.Latencies;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** How long small requests of one tenant wait while another keeps hundreds of large ones in the queue of one emulated FPGA. */
final class Flood {
    private static final String FLOODING = "flood";
    private static final String SMALL = "small";
    private static final int FLOOD_IN_FLIGHT = 256;
    private static final long LARGE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long PAUSE_MILLIS = 20;
    /** As the manager has them by default. */
    private static final double STARVATION_SECONDS = 10;
    private static final double PROGRAMMING_SECONDS = 0.2;

    private Flood() { }

    static Map<String, Object> measure(Path scratch, double seconds) throws IOException, InterruptedException {
        try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("flood"), List.of("--emulate", "xilinx/u250:1",
                "--allocation", FLOODING, "--allocation", SMALL))) {
            int rows;
            try (Session session = Coral.open(manager.address())) {
                rows = Work.rowsFor(session, Work.Kind.ASSIGN_DOUBLE, LARGE_NANOS);
            }
            try (Tenant flood = new Tenant(manager.address(FLOODING), Map.of(Work.Kind.ASSIGN_DOUBLE, rows), FLOOD_IN_FLIGHT);
                    Session session = Coral.open(manager.address(SMALL));
                    Pair pair = new Pair(session)) {
                flood.start();
                List<Completion> small = new ArrayList<>();
                flood.measure(true);
                for (long end = System.nanoTime() + (long) (seconds * 1e9); System.nanoTime() < end; ) {
                    small.add(pair.add(1, 2).join());
                    TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
                }
                flood.stop();
                flood.join();
                return report(small, flood);
            }
        }
    }

    private static Map<String, Object> report(List<Completion> small, Tenant flood) {
        Latencies waits = new Latencies(small.stream().mapToLong(Completion::queueNanos).toArray());
        TextTable table = new TextTable("beside a flood of requests of 20 ms", "requests", "wait p50 ms", "p99", "longest");
        double[] millis = {waits.micros(0.5) / 1e3, waits.micros(0.99) / 1e3, waits.micros(1) / 1e3};
        table.row("one small request at a time", Integer.toString(small.size()), text(millis[0]), text(millis[1]),
            text(millis[2]));
        table.row("the flood", Long.toString(flood.finished()), "", "", text(flood.waitNanos().max().orElse(0) / 1e6));
        System.out.println(table);
        double bound = boundSeconds(flood.longestWorkNanos() / 1e9);
        System.out.printf(Locale.ROOT, "no small request may wait for more than %.1f s (docs/scheduling.md)%n%n", bound);
        return Map.of("requests", small.size(), "waitMillisP50", millis[0], "waitMillisP99", millis[1],
            "waitMillisLongest", millis[2], "boundMillis", 1e3 * bound);
    }

    /** One healthy device of one, a line for each of two allocations, and the small one in no debt. */
    static double boundSeconds(double longestRequestSeconds) {
        return STARVATION_SECONDS + 2 * 2 * (longestRequestSeconds + PROGRAMMING_SECONDS) + longestRequestSeconds
            + 2 * PROGRAMMING_SECONDS;
    }

    private static String text(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
