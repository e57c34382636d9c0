package com.inaccel.coral.manager;

import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.time.Duration;

/**
 * What clients may take of a manager, so that none of them can hurt it or the others. Memory, segments and waiting
 * requests are the engine's to limit.
 *
 * @param connections of all allocations together, half of them set aside in equal parts; more are refused with QUEUE_FULL
 * @param requestsPerConnection outstanding; more are refused with QUEUE_FULL
 * @param messagesPerSecond of one allocation's clients together; what comes faster is read later
 * @param handshakeTimeout from connecting to Hello
 * @param drainTimeout how long closing waits for outstanding requests
 */
public record Limits(int connections, int requestsPerConnection, int messagesPerSecond, Duration handshakeTimeout,
        Duration drainTimeout) {
    public static Limits of(EngineConfig config) {
        return new Limits(config.count(Key.CLIENTS_CONNECTIONS), config.count(Key.CLIENTS_REQUESTS),
            config.count(Key.CLIENTS_MESSAGES), config.duration(Key.CLIENTS_HANDSHAKE), config.duration(Key.CLIENTS_DRAIN));
    }

    public static Limits defaults() {
        return of(EngineConfig.defaults());
    }
}
