package com.inaccel.coral.functions;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;

/** Tells what it was called with, and waits where it is told to. */
public final class GatedFunction implements Function {
    /** Calls that are inside. */
    static final Semaphore ENTERED = new Semaphore(0);
    /** Lets one of them go. */
    static final Semaphore GATE = new Semaphore(0);
    static volatile CountDownLatch interrupted = new CountDownLatch(1);

    @Override
    public Answer call(Call call) throws Exception {
        switch (call.path()) {
            case "/wait" -> {
                ENTERED.release();
                try {
                    GATE.acquire();
                } catch (InterruptedException e) {
                    interrupted.countDown();
                    throw e;
                }
                return Answer.text(200, "went on");
            }
            case "/ignore" -> {
                ENTERED.release();
                GATE.acquireUninterruptibly();
                return Answer.text(200, "too late");
            }
            case "/echo" -> {
                return new Answer(200, "application/octet-stream", call.body(), Map.of());
            }
            default -> {
                Map<String, Object> seen = new LinkedHashMap<>();
                seen.put("method", call.method());
                seen.put("path", call.path());
                seen.put("query", call.query());
                seen.put("type", call.contentType());
                seen.put("body", new String(call.body(), StandardCharsets.UTF_8));
                call.event().ifPresent(event -> seen.put("event", event.getType() + " " + event.getId()));
                return Answer.json(200, new ObjectMapper().writeValueAsBytes(seen));
            }
        }
    }
}
