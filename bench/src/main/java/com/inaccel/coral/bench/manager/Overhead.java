package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import com.inaccel.coral.bench.support.Latencies;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntBinaryOperator;

/** What an almost empty request costs one client, against the same kernel called through OpenCL directly. */
final class Overhead {
    /** Calls of one contestant before it is the next one's turn: what disturbs the machine hits all of them. */
    private static final int BLOCK = 500;

    private Overhead() { }

    /** @param warmUp calls of each that do not count */
    static Map<String, Object> measure(Path scratch, int warmUp, int calls) throws IOException, InterruptedException {
        Map<String, long[]> nanos = new LinkedHashMap<>();
        try (DirectCall direct = new DirectCall();
                ManagerProcess manager = ManagerProcess.start(scratch.resolve("overhead"), List.of());
                Session embedded = Coral.open(Coral.EMBEDDED);
                Session remote = Coral.open(manager.address());
                Pair near = new Pair(embedded);
                Pair far = new Pair(remote)) {
            Map<String, IntBinaryOperator> contestants = new LinkedHashMap<>();
            contestants.put("OpenCL, directly", (a, b) -> (int) direct.add(a, b));
            contestants.put("embedded engine", (a, b) -> added(near, a, b));
            contestants.put("through the manager", (a, b) -> added(far, a, b));
            int blocks = Math.max(1, calls / BLOCK);
            contestants.keySet().forEach(name -> nanos.put(name, new long[blocks * BLOCK]));
            for (int block = -warmUp / BLOCK; block < blocks; block++) {
                int from = block * BLOCK;
                contestants.forEach((name, call) -> time(call, from, nanos.get(name)));
            }
        }
        return report(nanos);
    }

    private static int added(Pair pair, int a, int b) {
        pair.add(a, b).join();
        return (int) pair.sum();
    }

    private static void time(IntBinaryOperator call, int from, long[] into) {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            int sum = call.applyAsInt(i, 1);
            long took = System.nanoTime() - start;
            if (sum != i + 1) {
                throw new IllegalStateException("wrong sum: expected=" + (i + 1) + ", got=" + sum);
            }
            if (from >= 0) {
                into[from + i] = took;
            }
        }
    }

    private static Map<String, Object> report(Map<String, long[]> nanos) {
        TextTable table = new TextTable("one request at a time", "p50 us", "p99 us", "over direct: p50", "p99");
        Map<String, Object> figures = new LinkedHashMap<>();
        Latencies direct = null;
        for (Map.Entry<String, long[]> entry : nanos.entrySet()) {
            Latencies all = new Latencies(entry.getValue());
            direct = direct == null ? all : direct;
            double p50 = all.micros(0.5);
            double p99 = all.micros(0.99);
            table.row(entry.getKey(), text(p50), text(p99), text(p50 - direct.micros(0.5)), text(p99 - direct.micros(0.99)));
            figures.put(entry.getKey(), Map.of("p50Micros", p50, "p99Micros", p99));
        }
        System.out.println(table);
        return figures;
    }

    private static String text(double micros) {
        return String.format(Locale.ROOT, "%.0f", micros);
    }
}
