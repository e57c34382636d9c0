package com.inaccel.coral.manager;

import java.time.Duration;

/**
 * What clients may take of a manager, so that none of them can hurt it or the others.
 *
 * @param connections at once; more are refused with QUEUE_FULL
 * @param segments of all connections together. Each is a descriptor and a mapping, of which Linux by default gives a
 *     process 65,530, and a JVM without mappings left dies
 * @param segmentsPerConnection of one connection
 * @param requestsPerConnection outstanding; more are refused with QUEUE_FULL
 * @param unreadAnswers frames kept for a client that does not read; one more and it is disconnected
 * @param handshakeTimeout from connecting to Hello
 * @param drainTimeout how long closing waits for outstanding requests
 */
public record Limits(
        int connections, int segments, int segmentsPerConnection, int requestsPerConnection, int unreadAnswers,
        Duration handshakeTimeout, Duration drainTimeout) {
    public static Limits defaults() {
        return new Limits(256, 16_384, 4_096, 1_024, 4_096, Duration.ofSeconds(10), Duration.ofSeconds(10));
    }
}
