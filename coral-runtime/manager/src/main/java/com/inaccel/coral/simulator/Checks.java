package com.inaccel.coral.simulator;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What a scenario's values have to be: each throws an {@link IllegalArgumentException} that names the key, the value and the limit. */
final class Checks {
    private Checks() { }

    static void unique(String key, List<String> names) {
        Set<String> seen = new HashSet<>();
        names.stream().filter(name -> !seen.add(name)).findFirst().ifPresent(name -> {
            throw new IllegalArgumentException("name is there twice: " + key + "=" + name + "; give each one of its own");
        });
    }

    static void known(String what, String name, Collection<String> names) {
        if (!names.contains(name)) {
            throw new IllegalArgumentException("unknown " + what + ": name=" + name + ", known=" + names
                + ScenarioFile.suggestion(name, names));
        }
    }

    static <T> List<T> some(String key, List<T> list) {
        if (list == null || list.isEmpty()) {
            throw new IllegalArgumentException("nothing there: key=" + key + "; give at least one");
        }
        return List.copyOf(list);
    }

    static <T> T required(String key, T value) {
        if (value == null) {
            throw new IllegalArgumentException("missing: key=" + key);
        }
        return value;
    }

    static void named(String key, String name) {
        if (name == null || name.isBlank()) {
            throw new IllegalArgumentException("missing: key=" + key + "; give a name");
        }
    }

    static int count(String key, long value, int most) {
        if (value < 1 || value > most) {
            throw new IllegalArgumentException("out of range: key=" + key + ", value=" + value + ", range=1 to " + most);
        }
        return (int) value;
    }

    static void positive(String key, Number value) {
        if (value == null || !(value.doubleValue() > 0) || value.doubleValue() == Double.POSITIVE_INFINITY) {
            throw new IllegalArgumentException("not above zero: key=" + key + ", value=" + value + "; use a positive number");
        }
    }
}
