package com.inaccel.coral.manager.inventory;

import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Says what is wrong once, however often it is looked at, and again when it is something else. For one thread. */
final class Said {
    private static final Logger LOG = LoggerFactory.getLogger(Said.class);

    private final Consumer<String> sink;
    private Map<String, String> before = Map.of();

    Said() {
        this(LOG::warn);
    }

    Said(Consumer<String> sink) {
        this.sink = sink;
    }

    /** @param now all that is wrong, by what it is wrong with */
    void warn(Map<String, String> now) {
        now.forEach((what, problem) -> {
            if (!problem.equals(before.get(what))) {
                sink.accept(what + ": " + problem);
            }
        });
        before.keySet().stream().filter(what -> !now.containsKey(what)).forEach(what -> sink.accept(what + ": well again"));
        before = Map.copyOf(now);
    }
}
