package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.HostileSocket;
import com.inaccel.coral.protocol.SealedMemory;
import com.inaccel.coral.protocol.Wire;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A tenant that means harm, beside one that works: the latter has right answers all along. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD) // native calls cannot be interrupted
class HostileClientTest {
    private static final int SEALS = 1 | 2 | 4;
    private static final int SEAL_WRITE = 8;
    private static final int SEAL_FUTURE_WRITE = 16;
    private static final long QUOTA = 1 << 20;

    @TempDir
    Path root;

    private long socketsBefore;
    private Engine engine;
    private Manager manager;
    private Path door;
    private Bystander bystander;

    @BeforeEach
    void start() {
        socketsBefore = Leaks.sockets();
        engine = Engine.start(EngineConfig.of(Map.of("coral.devices", "host", "coral.memory.pool.idle", "0s")));
        manager = Manager.start(engine, root, new Allocation("node", 64 << 20, 1), Limits.defaults());
        door = Path.of(manager.allocate(new Allocation("hostile", QUOTA, 1)).substring("unix:".length()));
        bystander = new Bystander(manager.allocate(new Allocation("good", QUOTA, 1)));
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        bystander.assertServedAllAlong();
        Leaks.await("the hostile tenant's memory is freed", Duration.ofSeconds(5), () -> engine.stats().usedBytes() == 0);
        manager.close();
        engine.close();
        Leaks.assertNone();
        Leaks.await("sockets are closed", Duration.ofSeconds(5), () -> Leaks.sockets() <= socketsBefore);
    }

    @Test
    void shouldTakeInSealedMemoryOnly() throws IOException {
        try (SealedMemory good = SealedMemory.create("coral-good", 8192);
                HostileSocket client = greeted()) {
            int[] bad = {
                HostileSocket.memory(8192, 0), HostileSocket.memory(8192, 2), HostileSocket.memory(8192, 4),
                HostileSocket.memory(8192, 2 | 4), HostileSocket.memory(8192, SEALS | SEAL_WRITE),
                HostileSocket.memory(8192, SEALS | SEAL_FUTURE_WRITE), HostileSocket.memory(8191, SEALS),
                HostileSocket.memory(0, SEALS), HostileSocket.memory(4096, SEALS), HostileSocket.memory(1L << 40, SEALS),
                HostileSocket.socket(),
            };
            try {
                for (int descriptor : bad) {
                    assertCode(ask(client, attach(8192, false, 0), descriptor), ErrorCode.INVALID_ARGUMENT);
                }
                assertCode(ask(client, attach(1L << 40, false, 0), bad[9]), ErrorCode.INVALID_ARGUMENT);
            } finally {
                Arrays.stream(bad).forEach(HostileSocket::close);
            }
            for (long[] lie : new long[][] {{4096, 0, 0}, {12288, 0, 0}, {-8192, 0, 0}, {Long.MIN_VALUE, 1, 0},
                    {Long.MAX_VALUE, 0, 0}, {8192, 1, 8193}, {8192, 1, -1}, {8192, 1, Long.MAX_VALUE}}) {
                assertCode(ask(client, attach(lie[0], lie[1] != 0, lie[2]), good.descriptor()),
                    ErrorCode.INVALID_ARGUMENT);
            }
            assertThat(engine.stats().usedBytes()).isLessThanOrEqualTo(Bystander.BYTES);
            assertThat(ask(client, attach(8192, true, 5000), good.descriptor()).getAttached().getSegment()).isPositive();
        }
    }

    @Test
    void shouldChargeForMemoryThatIsAttachedAsOftenAsItIs() throws IOException {
        try (SealedMemory memory = SealedMemory.create("coral-often", QUOTA / 4); HostileSocket client = greeted()) {
            for (int i = 0; i < 4; i++) {
                assertThat(ask(client, attach(QUOTA / 4, false, 0), memory.descriptor()).hasAttached()).isTrue();
            }
            assertCode(ask(client, attach(QUOTA / 4, false, 0), memory.descriptor()), ErrorCode.QUOTA_EXCEEDED);
            assertThat(ask(client, ClientMessage.newBuilder().setFree(Wire.Free.newBuilder().setSegment(1))).hasFreed())
                .isTrue();
            assertThat(ask(client, attach(QUOTA / 4, false, 0), memory.descriptor()).hasAttached()).isTrue();
            memory.buffer(0, 8).putLong(0, 7); // unmapped there, not here
        }
    }

    @Test
    void shouldHangUpOnDescriptorsInAnyOtherPlace() throws IOException {
        try (SealedMemory memory = SealedMemory.create("coral-flood", 4096)) {
            int one = memory.descriptor();
            int[] flood = new int[200];
            Arrays.fill(flood, one);
            assertHangsUp(ClientMessage.newBuilder().setCancel(Wire.Cancel.getDefaultInstance()), one);
            assertHangsUp(ClientMessage.newBuilder().setCancel(Wire.Cancel.getDefaultInstance()).setDescriptors(1), one);
            assertHangsUp(attach(4096, false, 0).setDescriptors(2), one, one);
            assertHangsUp(attach(4096, false, 0).setDescriptors(0), one);
            assertHangsUp(attach(4096, false, 0).setDescriptors(-1), one);
            assertHangsUp(attach(4096, false, 0), one, one);
            assertHangsUp(attach(4096, false, 0), flood);
            assertHangsUp(attach(4096, false, 0)); // without any
            // With the first bytes of a message that never ends.
            for (int i = 0; i < 20; i++) {
                try (HostileSocket client = greeted()) {
                    client.send(new byte[] {0, 0}, one);
                }
            }
            try (HostileSocket client = new HostileSocket(door)) { // with hello
                client.send(HostileSocket.frame(hello().build()), one);
                client.receive();
                assertThat(client.receive()).isEmpty();
            }
        }
    }

    private void assertHangsUp(ClientMessage.Builder message, int... descriptors) throws IOException {
        try (HostileSocket client = greeted()) {
            client.send(HostileSocket.frame(message.build()), descriptors);
            assertThat(client.receive()).as(message.toString()).isEmpty();
        }
    }

    @Test
    void shouldServeOthersDuringAFloodOfRequests() throws Exception {
        int requests = 100_000;
        try (HostileSocket client = greeted()) {
            long segment = ask(client, ClientMessage.newBuilder()
                .setAllocate(Wire.Allocate.newBuilder().setBytes(4096))).getAllocated().getSegment();
            byte[] submit = HostileSocket.frame(ClientMessage.newBuilder().setCorrelation(Long.MAX_VALUE - 1)
                .setSubmit(Wire.Submit.newBuilder().setAccelerator(SessionContract.ADD)
                    .addArguments(slice(segment, 0, Wire.Access.READ)).addArguments(slice(segment, 0, Wire.Access.READ))
                    .addArguments(slice(segment, 64, Wire.Access.WRITE))
                    .addArguments(Wire.Argument.newBuilder().setIntValue(4))).build());
            CompletableFuture<Integer> answers = CompletableFuture.supplyAsync(() -> {
                int count = 0;
                try {
                    while (client.receive().isPresent()) {
                        count++;
                    }
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
                return count;
            });
            byte[] batch = new byte[submit.length * 1000];
            int servedBefore = bystander.served();
            for (int sent = 0; sent < requests; sent += 1000) {
                for (int i = 0; i < 1000; i++) {
                    System.arraycopy(submit, 0, batch, i * submit.length, submit.length);
                    // The correlation is the first field: a tag, then nine bytes, of which the first ends low.
                    encodeCorrelation(batch, i * submit.length + 5, sent + i);
                }
                assertThat(client.send(batch)).isTrue();
            }
            client.finish();
            assertThat(answers.get(100, TimeUnit.SECONDS)).as("every one is answered, or cut off at the end")
                .isBetween(requests - 1024, requests);
            assertThat(bystander.served()).isGreaterThan(servedBefore);
        }
    }

    /** As nine bytes, whatever its size. */
    private static void encodeCorrelation(byte[] frames, int offset, long correlation) {
        long rest = correlation + (1L << 62);
        for (int i = 0; i < 8; i++) {
            frames[offset + i] = (byte) ((rest & 0x7f) | 0x80);
            rest >>>= 7;
        }
        frames[offset + 8] = (byte) rest;
    }

    @Test
    void shouldServeOthersWhileClientsComeAndGoAllTheTime() throws IOException {
        int servedBefore = bystander.served();
        for (int i = 0; i < 300; i++) {
            try (HostileSocket client = new HostileSocket(door)) {
                if (i % 3 == 0) {
                    client.send(HostileSocket.frame(hello().build()));
                } else if (i % 3 == 1) {
                    client.send(new byte[] {1, 2, 3, 4, 5});
                }
            }
        }
        assertThat(bystander.served()).isGreaterThan(servedBefore);
    }

    private HostileSocket greeted() throws IOException {
        HostileSocket client = new HostileSocket(door);
        if (!ask(client, hello()).hasWelcome()) {
            throw new AssertionError("not welcome");
        }
        return client;
    }

    private static ClientMessage.Builder hello() {
        return ClientMessage.newBuilder().setHello(
            Wire.Hello.newBuilder().setVersion(FrameChannel.PROTOCOL_VERSION).setClient("hostile\n".repeat(1000)));
    }

    private static ManagerMessage ask(HostileSocket client, ClientMessage.Builder message, int... descriptors)
            throws IOException {
        assertThat(client.send(HostileSocket.frame(message.build()), descriptors)).isTrue();
        return client.receive().orElseThrow();
    }

    private static ClientMessage.Builder attach(long sizeBytes, boolean sealed, long usedBytes) {
        return ClientMessage.newBuilder().setDescriptors(1).setAttach(
            Wire.Attach.newBuilder().setSizeBytes(sizeBytes).setSealed(sealed).setUsedBytes(usedBytes));
    }

    private static Wire.Argument.Builder slice(long segment, long offset, Wire.Access access) {
        return Wire.Argument.newBuilder().setSlice(Wire.Slice.newBuilder()
            .setSegment(segment).setOffsetBytes(offset).setLengthBytes(16).setAccess(access));
    }

    private static void assertCode(ManagerMessage answer, ErrorCode code) {
        assertThat(answer.getFailed().getCode()).as(answer.toString()).isEqualTo(code.name());
    }

    /** A tenant that adds numbers, one request after another, and looks at each result. */
    static final class Bystander {
        static final long BYTES = 4096;

        private final AtomicBoolean done = new AtomicBoolean();
        private final AtomicInteger served = new AtomicInteger();
        private final CompletableFuture<Void> work;

        Bystander(String address) {
            Session session = Coral.open(address, Duration.ZERO);
            work = CompletableFuture.runAsync(() -> {
                try (session; Segment segment = session.allocate(BYTES)) {
                    while (!done.get()) {
                        addAndCheck(session, segment, served.get());
                        served.incrementAndGet();
                    }
                }
            });
        }

        private static void addAndCheck(Session session, Segment segment, int round) {
            var values = segment.buffer(0, 48).asFloatBuffer();
            for (int i = 0; i < 4; i++) {
                values.put(i, i + round % 1000).put(4 + i, 0.5f);
            }
            session.submit(Request.of(SessionContract.ADD).read(segment, 0, 16).read(segment, 16, 16)
                .write(segment, 32, 16).arg(4).build()).join();
            for (int i = 0; i < 4; i++) {
                assertThat(values.get(8 + i)).isEqualTo(i + round % 1000 + 0.5f);
            }
        }

        int served() {
            return served.get();
        }

        void assertServedAllAlong() throws Exception {
            int before = served.get();
            Leaks.await("the other tenant is served", Duration.ofSeconds(30),
                () -> served.get() > before || work.isDone());
            done.set(true);
            work.get(30, TimeUnit.SECONDS);
        }
    }
}
