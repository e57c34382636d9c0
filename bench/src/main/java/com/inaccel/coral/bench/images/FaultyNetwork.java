package com.inaccel.coral.bench.images;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/** The way to a store, on which some connections meet a 503 and some are cut off, at random, whatever is on its way. */
final class FaultyNetwork implements AutoCloseable {
    private static final String ERROR = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    private static final byte[] SLOW_DOWN = ("HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: "
        + ERROR.length() + "\r\nConnection: close\r\n\r\n" + ERROR).getBytes(StandardCharsets.US_ASCII);
    private static final double CUT = 0.01; // of what is passed on, a piece at a time
    private static final double REFUSED = 0.05; // of connections
    private static final int PIECE = 1 << 14;

    private final ServerSocket server = new ServerSocket(0, 256, InetAddress.getLoopbackAddress());
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "faulty-network");
        thread.setDaemon(true);
        return thread;
    });
    private final InetSocketAddress store;
    private final AtomicLong faults = new AtomicLong();

    FaultyNetwork(URI store) throws IOException {
        this.store = new InetSocketAddress(InetAddress.getLoopbackAddress(), store.getPort());
        threads.execute(this::accept);
    }

    URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getLocalPort());
    }

    long faults() {
        return faults.get();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                threads.execute(() -> serve(client));
            }
        } catch (IOException closed) {
            // by close()
        }
    }

    private void serve(Socket client) {
        try (client) {
            if (ThreadLocalRandom.current().nextDouble() < REFUSED) {
                faults.incrementAndGet();
                client.getInputStream().read(new byte[PIECE]);
                client.getOutputStream().write(SLOW_DOWN);
                return;
            }
            try (Socket upstream = new Socket(store.getAddress(), store.getPort())) {
                threads.execute(() -> pass(upstream, client));
                pass(client, upstream);
            }
        } catch (IOException broken) {
            // one of the two has hung up: so does the other
        }
    }

    /** Until one of them hangs up, or chance has it. */
    private void pass(Socket from, Socket to) {
        byte[] piece = new byte[PIECE];
        try (from; to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                if (ThreadLocalRandom.current().nextDouble() < CUT) {
                    faults.incrementAndGet();
                    return;
                }
                out.write(piece, 0, read);
            }
        } catch (IOException broken) {
            // as above
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        threads.shutdownNow();
    }
}
