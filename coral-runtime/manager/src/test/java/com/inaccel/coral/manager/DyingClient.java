package com.inaccel.coral.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;

/** A client process that is killed while its requests run. */
final class DyingClient {
    static final long SEGMENT_BYTES = 64L << 20;

    private DyingClient() { }

    public static void main(String[] arguments) throws InterruptedException {
        Session session = Coral.open(arguments[0]);
        Segment idle = session.allocate(SEGMENT_BYTES);
        for (long offset = 0; offset < SEGMENT_BYTES; offset += 4096) {
            idle.buffer(offset, 4).putInt(0, 1);
        }
        Segment used = session.allocate(4096);
        for (int i = 1; i <= 4; i++) {
            session.submit(Request.of(SessionContract.ADD).read(used, 0, 16).read(used, 0, 16)
                .write(used, 64L * i, 16).arg(4).build());
        }
        session.allocate(1).close(); // answered after the submits were taken in
        System.out.println("requests are outstanding");
        Thread.sleep(60_000);
    }
}
