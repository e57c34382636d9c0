package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Coral;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.Session;
import com.inaccel.coral.ml.SparkMetric;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Something that serves in place of something better which was looked for. */
public record Fallback(Kind kind, String reason) implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(Fallback.class);
    private static final Set<Fallback> LOGGED = ConcurrentHashMap.newKeySet();

    /** What serves. */
    public enum Kind {
        /** Pure Java, many times slower than the OpenCL that was looked for. */
        HOST(SparkMetric.HOST_FALLBACKS),
        /** An engine inside the executor: one of many that contend for the node's devices, where there are several. */
        EMBEDDED(SparkMetric.EMBEDDED_FALLBACKS);

        private final SparkMetric metric;

        Kind(SparkMetric metric) {
            this.metric = metric;
        }
    }

    /**
     * What a session amounts to.
     *
     * @param configured the address that it was asked for by; empty: the executor's own default
     */
    static List<Fallback> of(String configured, Session session) {
        List<Fallback> fallbacks = new ArrayList<>();
        String environment = System.getenv(Coral.ADDRESS_VARIABLE);
        boolean chosen = !configured.isEmpty() || (environment != null && !environment.isBlank());
        if (!chosen && session.address().equals(Coral.EMBEDDED)) {
            fallbacks.add(new Fallback(Kind.EMBEDDED, "no node manager: missing=" + Coral.DEFAULT_SOCKET));
        }
        session.devices().stream().map(DeviceInfo::fallback).filter(reason -> !reason.isEmpty()).distinct()
            .forEach(reason -> fallbacks.add(new Fallback(Kind.HOST, reason)));
        return fallbacks;
    }

    void count() {
        kind.metric.add(1);
    }

    /** Logs it, once a process: it will be the same for every fit. */
    void log() {
        if (!LOGGED.add(this)) {
            return;
        }
        switch (kind) {
            case HOST -> LOG.warn("executors compute in pure Java, which is many times slower than OpenCL: {}", reason);
            case EMBEDDED -> LOG.info("executors run engines of their own: {}", reason);
        }
    }

    @Override
    public String toString() {
        return kind + ": " + reason;
    }
}
