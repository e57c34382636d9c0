package com.inaccel.coral.engine;

import com.inaccel.coral.engine.EngineConfig.Key;
import com.inaccel.coral.engine.EngineConfig.Type;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads and writes the numbers of the configuration, with their units. */
final class ConfigValues {
    private static final String[] BYTE_UNITS = {"TB", "GB", "MB", "KB", "B", ""};
    private static final long[] UNIT_BYTES = {1L << 40, 1L << 30, 1L << 20, 1L << 10, 1, 1};
    private static final String[] TIME_UNITS = {"ms", "s", "m", "h"};
    private static final long[] UNIT_MILLIS = {1, 1_000, 60_000, 3_600_000};

    private static final Pattern ADDRESS =
        Pattern.compile("(?:(?<host>[^\\s:\\[\\]]+)|\\[(?<ip>[0-9a-fA-F:.]+)]):(?<port>\\d{1,5})");
    private static final int MAX_PORT = 65_535;

    private ConfigValues() { }

    static long bytes(Key key, String value) {
        String upper = value.toUpperCase(Locale.ROOT);
        if (upper.endsWith("%")) {
            long percent = number(key, value, upper.substring(0, upper.length() - 1));
            if (percent > 100) {
                throw EngineConfig.invalid(key, value, "use at most 100%");
            }
            return machineMemoryBytes() / 100 * percent;
        }
        return withUnit(key, value, upper, BYTE_UNITS, UNIT_BYTES);
    }

    static long millis(Key key, String value) {
        return withUnit(key, value, value.toLowerCase(Locale.ROOT), TIME_UNITS, UNIT_MILLIS);
    }

    static long count(Key key, String value) {
        return number(key, value, value);
    }

    /** Not resolved; empty when the value is. */
    static Optional<InetSocketAddress> address(Key key, String value) {
        Matcher address = ADDRESS.matcher(value);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        if (!address.matches() || Integer.parseInt(address.group("port")) > MAX_PORT) {
            throw EngineConfig.invalid(key, value, "use HOST:PORT with a port from 0 (any) to " + MAX_PORT);
        }
        String host = address.group("ip") == null ? address.group("host") : address.group("ip");
        return Optional.of(InetSocketAddress.createUnresolved(host, Integer.parseInt(address.group("port"))));
    }

    /** With the largest unit that divides it. */
    static String render(Type type, long value) {
        return switch (type) {
            case BYTES -> render(value, BYTE_UNITS, UNIT_BYTES, new int[] {0, 1, 2, 3, 4});
            case DURATION -> render(value, TIME_UNITS, UNIT_MILLIS, new int[] {3, 2, 1, 0});
            case COUNT, WORD, LIST, ADDRESS, FILE, NAME -> Long.toString(value);
        };
    }

    private static String render(long value, String[] units, long[] sizes, int[] largestFirst) {
        for (int i : largestFirst) {
            if (value >= sizes[i] && value % sizes[i] == 0) {
                return value / sizes[i] + units[i];
            }
        }
        return value + units[largestFirst[largestFirst.length - 1]];
    }

    private static long withUnit(Key key, String value, String folded, String[] units, long[] sizes) {
        for (int i = 0; i < units.length; i++) {
            if (folded.endsWith(units[i])) {
                long number = number(key, value, folded.substring(0, folded.length() - units[i].length()));
                try {
                    return Math.multiplyExact(number, sizes[i]);
                } catch (ArithmeticException e) {
                    throw EngineConfig.invalid(key, value, "use a value in the range");
                }
            }
        }
        throw EngineConfig.invalid(key, value, "add a unit: " + String.join(", ", units));
    }

    private static long number(Key key, String value, String digits) {
        try {
            long number = Long.parseLong(digits.trim());
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw EngineConfig.invalid(key, value, "use a value in the range");
        }
        throw EngineConfig.invalid(key, value, "use a value in the range");
    }

    /** Of the control group where it has a limit, else of the machine: the JVM knows both. */
    private static long machineMemoryBytes() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getTotalMemorySize();
    }
}
