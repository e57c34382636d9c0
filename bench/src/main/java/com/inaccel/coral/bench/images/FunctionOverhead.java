package com.inaccel.coral.bench.images;

import com.inaccel.coral.bench.support.Latencies;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.TextTable;
import com.inaccel.coral.functions.local.LocalFunction;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What a call of a function costs beyond decoding, the kernel and encoding: in host, client and manager, and on the way there. */
final class FunctionOverhead {
    private static final int WIDTH = 320;
    private static final int HEIGHT = 240;

    private FunctionOverhead() { }

    /** @param warmUp calls that do not count */
    static Map<String, Object> measure(Path scratch, int warmUp, int calls) throws IOException, InterruptedException {
        try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("overhead"), List.of());
                LocalFunction function = LocalFunction.start(FunctionCalls.home(), manager.address(), Map.of())) {
            byte[] picture = FunctionCalls.picture(WIDTH, HEIGHT, BufferedImage.TYPE_BYTE_GRAY, "png", 1);
            long[] whole = new long[calls];
            long[] beyond = new long[calls];
            long[] accelerate = new long[calls];
            for (int call = -warmUp; call < calls; call++) {
                long start = System.nanoTime();
                String timing = call(function.address(), picture);
                long took = System.nanoTime() - start;
                if (call >= 0) {
                    Map<String, Double> stages = FunctionCalls.stages(timing);
                    whole[call] = took;
                    beyond[call] = took - nanos(stages.get("decode") + stages.get("device") + stages.get("encode"));
                    accelerate[call] = nanos(stages.get("accelerate") - stages.get("device"));
                }
            }
            TextTable table = new TextTable("one call at a time, " + WIDTH + " x " + HEIGHT + " grey", "p50 ms", "p99 ms");
            Map<String, Object> figures = new LinkedHashMap<>();
            report(table, figures, "whole call", whole);
            report(table, figures, "beyond decode, kernel, encode", beyond);
            report(table, figures, "of that, from the function to the device and back", accelerate);
            System.out.println(table);
            double coldStart = FunctionCalls.metric(function.address(), "coral_function_cold_start_seconds");
            figures.put("coldStartSeconds", coldStart);
            System.out.printf(Locale.ROOT, "cold start to ready: %.2f s%n%n", coldStart);
            return figures;
        }
    }

    /**
     * On this very thread: the JDK's newer client would add hops between threads of its own. Not in streaming mode, in which its
     * older one waits for a millisecond before each call, to see whether the connection has been closed.
     *
     * @return what the function says of its time
     */
    private static String call(URI function, byte[] picture) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) function.toURL().openConnection();
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "image/png");
        connection.getOutputStream().write(picture);
        if (connection.getResponseCode() != 200) {
            throw new IllegalStateException("the function refuses: status=" + connection.getResponseCode());
        }
        try (InputStream in = connection.getInputStream()) {
            in.readAllBytes();
        }
        return connection.getHeaderField("Server-Timing");
    }

    private static long nanos(double millis) {
        return (long) (millis * 1e6);
    }

    private static void report(TextTable table, Map<String, Object> figures, String what, long[] nanos) {
        Latencies times = new Latencies(nanos);
        double p50 = times.micros(0.5) / 1e3;
        double p99 = times.micros(0.99) / 1e3;
        table.row(what, String.format(Locale.ROOT, "%.2f", p50), String.format(Locale.ROOT, "%.2f", p99));
        figures.put(what, Map.of("p50Millis", p50, "p99Millis", p99));
    }
}
