package com.inaccel.coral.examples;

import java.util.HashMap;
import java.util.Map;
import java.util.Map.Entry;

/**
 * What an example is told.
 *
 * @param k clusters, or classes
 * @param seconds fit again and again for so long
 * @param executors fit until so many executors have come, those in place of lost ones included, but no longer than
 *     {@code seconds}; 0: whoever comes
 */
record ExampleOptions(int rows, int features, int k, int partitions, int iterations, int seconds, int executors) {
    private static final String USAGE = "options, each --NAME=NUMBER: rows, features, k (clusters or classes), partitions, "
        + "iterations, seconds (fit again and again for so long), executors (fit until so many have come, those in place of lost "
        + "ones included, for --seconds at most)";

    /** @throws IllegalArgumentException with what can be given */
    static ExampleOptions parse(String[] arguments) {
        Map<String, Integer> values = new HashMap<>(Map.of("rows", 100_000, "features", 32, "k", 8, "partitions", 4,
            "iterations", 20, "seconds", 0, "executors", 0));
        for (String argument : arguments) {
            String[] parts = argument.split("=", 2);
            String name = parts[0].replaceFirst("^--", "");
            if (parts.length != 2 || !values.containsKey(name) || !parts[1].matches("\\d{1,9}")) {
                throw new IllegalArgumentException("not an option: argument=" + argument + "; " + USAGE);
            }
            values.put(name, Integer.parseInt(parts[1]));
        }
        for (Entry<String, Integer> value : values.entrySet()) {
            if (value.getValue() < 1 && !value.getKey().equals("seconds") && !value.getKey().equals("executors")) {
                throw new IllegalArgumentException("too small: --" + value.getKey() + "=" + value.getValue() + ", least=1");
            }
        }
        return new ExampleOptions(values.get("rows"), values.get("features"), values.get("k"), values.get("partitions"),
            values.get("iterations"), values.get("seconds"), values.get("executors"));
    }
}
