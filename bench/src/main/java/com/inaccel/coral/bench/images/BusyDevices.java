package com.inaccel.coral.bench.images;

import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.functions.local.LocalFunction;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How busy 16 callers of one function keep two emulated FPGAs. Twice: with kernels that compete with decoding and encoding for this
 * machine's processor, so that it and not the devices may be what is short; and with kernels that take longer than what surrounds
 * them and leave the processor alone, as on FPGAs.
 */
final class BusyDevices {
    private static final int CALLERS = 16;
    private static final int DEVICES = 2;
    /** The widest Gaussian and exact norms: as much of a kernel as there is. */
    private static final String HEAVY = "?format=tiff&edges=sigma%3D5,norm%3Dl2";
    private static final String BUSY = "coral_device_busy_seconds_total{device=\"xilinx-u250-%d\"}";
    private static final double WARM_UP_SECONDS = 5;

    private BusyDevices() { }

    static Map<String, Object> measure(Path scratch, double seconds)
            throws IOException, InterruptedException, ExecutionException {
        return Map.of("kernels on the processor", measure(scratch.resolve("busy"), seconds, 1400, "0ms"),
            "kernels dominate", measure(scratch.resolve("busy-long"), seconds, 400, "50ms"));
    }

    /** @param run the least time of one on a device */
    private static Map<String, Object> measure(Path root, double seconds, int side, String run)
            throws IOException, InterruptedException, ExecutionException {
        ExecutorService callers = Executors.newFixedThreadPool(CALLERS);
        try (ManagerProcess manager = ManagerProcess.start(root,
                    List.of("--emulate", "xilinx/u250:" + DEVICES, "--emulate-run", run, "--metrics", "127.0.0.1:0"));
                LocalFunction function = LocalFunction.start(FunctionCalls.home(), manager.address(), Map.of())) {
            byte[] picture = FunctionCalls.picture(side, side, BufferedImage.TYPE_BYTE_GRAY, "tiff", 1);
            AtomicInteger done = new AtomicInteger();
            long begin = System.nanoTime() + (long) (WARM_UP_SECONDS * 1e9);
            long end = begin + (long) (seconds * 1e9);
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < CALLERS; i++) {
                running.add(callers.submit(() -> {
                    while (System.nanoTime() - end < 0) {
                        FunctionCalls.requireGood(FunctionCalls.post(function.address(), HEAVY, picture, "image/tiff"));
                        done.incrementAndGet();
                    }
                    return null;
                }));
            }
            Thread.sleep((long) (WARM_UP_SECONDS * 1e3));
            int doneBefore = done.get();
            long start = System.nanoTime(); // before both looks, which take as long
            double[] before = busy(manager);
            Thread.sleep((long) (seconds * 1e3));
            double wall = (System.nanoTime() - start) / 1e9;
            double[] after = busy(manager);
            int calls = done.get() - doneBefore;
            for (Future<?> one : running) {
                one.get();
            }
            Map<String, Object> figures = new LinkedHashMap<>();
            figures.put("calls", calls);
            figures.put("seconds", wall);
            for (int device = 0; device < DEVICES; device++) {
                double share = (after[device] - before[device]) / wall;
                figures.put("xilinx-u250-" + device, share);
                System.out.printf("%d callers, %d x %d grey, runs of %s at least: xilinx-u250-%d busy %.1f %% of %.0f s, %d calls in all%n",
                    CALLERS, side, side, run, device, share * 100, wall, calls);
            }
            return figures;
        } finally {
            callers.shutdownNow();
        }
    }

    private static double[] busy(ManagerProcess manager) throws IOException {
        double[] busy = new double[DEVICES];
        for (int device = 0; device < DEVICES; device++) {
            busy[device] = manager.metric(BUSY.formatted(device));
        }
        return busy;
    }
}
