package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/** A process that holds shared memory, keeps requests in flight and says so once it does; it is there to be killed. */
public final class DoomedClient {
    static final String READY = "busy";
    private static final long SEGMENT_BYTES = 8L << 20;
    private static final int SLOTS = 8;

    private DoomedClient() { }

    public static void main(String[] arguments) {
        Session session = Coral.open(arguments[0]);
        Segment idle = session.allocate(SEGMENT_BYTES);
        for (long offset = 0; offset < SEGMENT_BYTES; offset += 4096) {
            idle.buffer(offset, Integer.BYTES).putInt(0, 1);
        }
        List<Pair> pairs = IntStream.range(0, SLOTS).mapToObj(slot -> new Pair(session)).toList();
        boolean said = false;
        while (true) {
            List<CompletableFuture<Completion>> running = pairs.stream().map(pair -> pair.add(1, 2)).toList();
            if (!said) {
                System.out.println(READY);
                said = true;
            }
            running.forEach(CompletableFuture::join);
        }
    }
}
