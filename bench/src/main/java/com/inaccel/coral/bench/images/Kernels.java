package com.inaccel.coral.bench.images;

import com.inaccel.coral.Coral;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.Images;
import com.inaccel.coral.Run;
import com.inaccel.coral.Session;
import com.inaccel.coral.bench.Limits;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.opencv.core.Core;
import org.opencv.core.Mat;

/**
 * Edge detection and warp of a photograph of 12 megapixels, on this machine's OpenCL device and by OpenCV with all of its
 * threads, in turn. Two times of Coral: that of the device, on memory that it shares as OpenCV works on its own, and that of
 * the whole call, which copies image and result.
 */
final class Kernels {
    private static final int WARM_UP = 5;

    private Kernels() { }

    /** @return all figures */
    static Map<String, Object> measure(int rounds) throws IOException {
        Map<String, Object> figures = new LinkedHashMap<>();
        Optional<Limits> limits = Limits.measure();
        limits.ifPresent(System.out::println);
        TextTable table = new TextTable("12 megapixels", "OpenCV ms", "device ms", "call ms", "device/OpenCV: min", "median", "max",
            "GB/s", "of read limit", "agreement");
        List<Map<String, Object>> tasks = new ArrayList<>();
        String photograph = Picture.PHOTOGRAPHS.get(0);
        List<Picture> pictures = List.of(Picture.grey(photograph), Picture.colour(photograph));
        try (Session session = Coral.open(Coral.EMBEDDED); Images images = new Images(session)) {
            System.out.println("devices: " + session.devices().stream().map(DeviceInfo::description).toList()
                + ", OpenCV " + Core.VERSION + " with " + Core.getNumThreads() + " threads");
            for (Picture picture : pictures) {
                for (Task task : Task.race(picture)) {
                    Figures measured = race(images, picture, task, rounds);
                    table.row(measured.row(limits));
                    tasks.add(measured.json());
                    System.err.println(measured.name + " done");
                }
            }
        }
        figures.put("tasks", tasks);
        limits.ifPresent(known -> figures.put("readGigabytesPerSecond", known.readGigabytesPerSecond()));
        System.out.println(table);
        return figures;
    }

    private static Figures race(Images images, Picture picture, Task task, int rounds) {
        Mat in = picture.mat();
        Mat openCv = new Mat();
        ByteBuffer out = ByteBuffer.allocateDirect(picture.width() * picture.height() * task.channels(picture));
        double[] peer = new double[rounds];
        double[] device = new double[rounds];
        double[] call = new double[rounds];
        for (int round = -WARM_UP; round < rounds; round++) {
            long start = System.nanoTime();
            task.openCv(in, openCv);
            long middle = System.nanoTime();
            Run run = task.coral(images, picture, out);
            long end = System.nanoTime();
            if (round >= 0) {
                peer[round] = (middle - start) / 1e6;
                device[round] = run.deviceNanos() / 1e6;
                call[round] = (end - middle) / 1e6;
            }
        }
        byte[] result = new byte[out.capacity()];
        out.get(0, result);
        String name = (picture.channels() == 1 ? "grey, " : "colour, ") + task.name();
        return new Figures(name, peer, device, call, picture.pixels().capacity() + result.length,
            Picture.agreement(Picture.bytes(openCv), result, task.tolerance()));
    }

    /** @param bytes that go in and come out: what must be moved at least */
    private record Figures(String name, double[] peer, double[] device, double[] call, long bytes, double agreement) {
        double[] ratios() {
            double[] ratios = new double[peer.length];
            Arrays.setAll(ratios, round -> device[round] / peer[round]);
            Arrays.sort(ratios);
            return ratios;
        }

        double gigabytesPerSecond() {
            return bytes / median(device) / 1e6;
        }

        String[] row(Optional<Limits> limits) {
            double[] ratios = ratios();
            return new String[] {name, number("%.1f", median(peer)), number("%.1f", median(device)), number("%.1f", median(call)),
                number("%.2f", ratios[0]), number("%.2f", median(ratios)), number("%.2f", ratios[ratios.length - 1]),
                number("%.1f", gigabytesPerSecond()),
                limits.map(known -> number("%.0f %%", 100 * gigabytesPerSecond() / known.readGigabytesPerSecond())).orElse("?"),
                number("%.4f %%", 100 * agreement)};
        }

        Map<String, Object> json() {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("name", name);
            json.put("openCvMillis", peer);
            json.put("deviceMillis", device);
            json.put("callMillis", call);
            json.put("bytes", bytes);
            json.put("agreement", agreement);
            return json;
        }

        private static double median(double[] values) {
            double[] sorted = values.clone();
            Arrays.sort(sorted);
            return sorted[sorted.length / 2];
        }

        private static String number(String format, double value) {
            return String.format(Locale.ROOT, format, value);
        }
    }
}
