package com.inaccel.coral.simulator;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Quantities as scenario files have them, a number and a unit: {@code 1.5ms}, {@code 16GB}, {@code 10GB/s}, {@code 20/s}. */
final class Quantities {
    private static final Pattern QUANTITY = Pattern.compile("\\s*([0-9]+(?:\\.[0-9]+)?)\\s*([a-zA-Z/]*)\\s*");
    private static final double LARGEST = 1e17; // nanoseconds: three years; sums of them stay exact enough, and in range
    private static final Map<String, Double> NANOS = units("ns", 1, "us", 1e3, "ms", 1e6, "s", 1e9, "m", 60e9, "h", 3600e9);
    private static final Map<String, Double> BYTES =
        units("b", 1, "kb", 0x1p10, "mb", 0x1p20, "gb", 0x1p30, "tb", 0x1p40);
    private static final Map<String, Double> BYTES_PER_SECOND =
        units("kb/s", 0x1p10, "mb/s", 0x1p20, "gb/s", 0x1p30, "tb/s", 0x1p40);
    private static final Map<String, Double> PER_SECOND = units("/s", 1, "/m", 1 / 60.0, "/h", 1 / 3600.0);

    private Quantities() { }

    /** A time, in nanoseconds. */
    record Time(long nanos) {
        static Time of(String text) {
            return new Time((long) parse(text, NANOS));
        }
    }

    /** Powers of 1024. */
    record Bytes(long count) {
        static Bytes of(String text) {
            return new Bytes((long) parse(text, BYTES));
        }
    }

    record BytesPerSecond(double count) {
        static BytesPerSecond of(String text) {
            return new BytesPerSecond(parse(text, BYTES_PER_SECOND));
        }
    }

    record PerSecond(double count) {
        static PerSecond of(String text) {
            return new PerSecond(parse(text, PER_SECOND));
        }
    }

    private static Map<String, Double> units(Object... namesAndSizes) {
        Map<String, Double> units = new LinkedHashMap<>();
        for (int i = 0; i < namesAndSizes.length; i += 2) {
            units.put((String) namesAndSizes[i], ((Number) namesAndSizes[i + 1]).doubleValue());
        }
        return units;
    }

    private static double parse(String text, Map<String, Double> units) {
        Matcher quantity = QUANTITY.matcher(text);
        Double unit = quantity.matches() ? units.get(quantity.group(2).toLowerCase(Locale.ROOT)) : null;
        if (unit == null) {
            throw new IllegalArgumentException("not a quantity: value=" + text + "; use a number from 0 up and one of the units "
                + String.join(", ", units.keySet()));
        }
        double value = Double.parseDouble(quantity.group(1)) * unit;
        if (value > LARGEST) {
            throw new IllegalArgumentException("quantity too large: value=" + text + "; use a smaller one");
        }
        return value;
    }

    /** With three digits or so, as people say it. */
    static String time(long nanos) {
        double size = 1;
        String name = "ns";
        for (Map.Entry<String, Double> unit : NANOS.entrySet()) {
            if (unit.getValue() <= Math.min((double) nanos, 1e9)) {
                size = unit.getValue();
                name = unit.getKey();
            }
        }
        double value = nanos / size;
        return nanos == 0 ? "0" : String.format(Locale.ROOT, value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, name);
    }
}
