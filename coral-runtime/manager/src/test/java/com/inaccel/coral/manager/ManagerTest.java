package com.inaccel.coral.manager;

import static com.inaccel.coral.manager.SessionContract.assertFails;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.SealedMemory;
import com.inaccel.coral.protocol.Wire;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What hostile, dying and too many clients can do to a manager and to the others: nothing. */
@Timeout(120)
class ManagerTest {
    private static final Limits LIMITS =
        new Limits(16, 4, 1_000_000, Duration.ofSeconds(60), Duration.ofSeconds(10));
    private static final String DOOR = "coral.sock";

    @TempDir
    Path root;

    private long socketsBefore;
    private Engine engine;
    private Manager manager;

    @BeforeEach
    void count() {
        socketsBefore = Leaks.sockets();
    }

    @AfterEach
    void nothingIsLeft() {
        if (manager != null) {
            manager.close();
        }
        if (engine != null) {
            engine.close();
        }
        Leaks.assertNone();
        Leaks.await("sockets are closed", Duration.ofSeconds(5), () -> Leaks.sockets() <= socketsBefore);
    }

    @Test
    void shouldTellAClientOfAnotherVersionItsOwn() throws IOException {
        start();
        try (RawClient client = new RawClient(manager.address())) {
            ManagerMessage answer = client.ask(RawClient.hello(99));
            assertThat(answer.getWelcome())
                .isEqualTo(Wire.Welcome.newBuilder().setVersion(FrameChannel.PROTOCOL_VERSION).build());
            assertThat(client.receive()).isEmpty();
        }
        assertServes();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "7fffffff", "80000000", "ffffffff", "00100001",
        // Four bytes that are no protobuf, a message of another protocol, an empty first message.
        "00000004ffffffff", "474554202f20485454502f312e310d0a", "00000000",
    })
    void shouldHangUpOnGarbage(String hexadecimal) throws IOException {
        start();
        try (SocketChannel client = connectRaw()) {
            write(client, hexadecimal);
            assertThat(endOf(client)).isTrue();
        }
        assertServes();
    }

    @Test
    void shouldHangUpOnGarbageAfterTheHandshakeAndFreeWhatTheClientHad() throws IOException {
        start();
        try (RawClient client = RawClient.greeted(manager.address())) {
            allocate(client, 1, 1 << 20);
            client.send(ClientMessage.newBuilder()); // nothing in it
            assertThat(client.receive()).isEmpty();
        }
        Leaks.await("the segment is freed", Duration.ofSeconds(1), () -> engine.stats().usedBytes() == 0);
        assertServes();
    }

    @Test
    void shouldHangUpOnASecondHello() throws IOException {
        start();
        try (RawClient client = RawClient.greeted(manager.address())) {
            client.send(RawClient.hello(FrameChannel.PROTOCOL_VERSION));
            assertThat(client.receive()).isEmpty();
        }
    }

    @Test
    void shouldServeOthersAndStopWhileAClientIsSilentInTheMiddleOfAMessage() throws IOException {
        start();
        try (SocketChannel beforeHello = connectRaw(); SocketChannel inLength = connectRaw();
                SocketChannel inBody = connectRaw()) {
            write(inLength, "0000");
            write(inBody, "00100000" + "0a");
            assertServes();
            manager.close();
            assertThat(endOf(beforeHello)).isTrue();
            assertThat(endOf(inLength)).isTrue();
            assertThat(endOf(inBody)).isTrue();
        }
    }

    @Test
    void shouldHangUpOnWhoDoesNotSayHello() throws IOException {
        start(Map.of(), new Limits(16, 4, 1_000_000, Duration.ofMillis(50), Duration.ofSeconds(1)));
        try (Session session = Coral.open(manager.address()); SocketChannel silent = connectRaw()) {
            assertThat(endOf(silent)).isTrue();
            // Who has said hello may be silent for longer.
            session.allocate(1).close();
        }
    }

    @Test
    void shouldHangUpOnAClientThatPassesDescriptorsAndCloseThem() throws IOException {
        start();
        try (SealedMemory memory = SealedMemory.create("coral-flood", 4096)) {
            for (int round = 0; round < 20; round++) {
                try (RawClient client = RawClient.greeted(manager.address())) {
                    client.sendWithDescriptor(RawClient.cancel(1), memory);
                    assertThat(client.receive()).isEmpty();
                }
            }
        }
        assertServes(); // that no descriptor is left is asserted after each test
    }

    @Test
    void shouldStopReadingFromAClientThatDoesNotReadItsAnswersAndHurtNobody() throws Exception {
        start();
        try (RawClient deaf = RawClient.greeted(manager.address());
                Session session = Coral.open(manager.address())) {
            AtomicInteger sent = new AtomicInteger();
            CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
                try {
                    while (true) {
                        deaf.send(ClientMessage.newBuilder().setCorrelation(sent.incrementAndGet())
                            .setAllocate(Wire.Allocate.newBuilder().setBytes(1)));
                        deaf.send(ClientMessage.newBuilder().setCorrelation(sent.incrementAndGet())
                            .setFree(Wire.Free.newBuilder().setSegment(sent.get() / 2)));
                    }
                } catch (IOException e) {
                    assertThat(e).isNotNull(); // hung up below
                }
            });
            // Then its next message waits in the kernel, and it with it.
            Leaks.await("the manager waits for the client", Duration.ofSeconds(30), () ->
                Leaks.threads().stream().anyMatch(name -> name.startsWith("coral-client-writer")));
            for (int i = 0; i < 100; i++) {
                session.submit(add(session.allocate(4096), 0)).get();
            }
            int soFar = sent.get();
            session.allocate(1).close();
            assertThat(sent.get()).as("no message is taken from it").isLessThan(soFar + 1_000);
            deaf.hangUp();
            flood.get();
        }
        assertServes();
    }

    @Test
    void shouldRefuseIdsThatTheSessionDoesNotHave() throws IOException {
        start();
        try (RawClient other = RawClient.greeted(manager.address());
                RawClient client = RawClient.greeted(manager.address())) {
            long foreign = allocate(other, 1, 4096);
            for (long id : new long[] {foreign, 0, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
                assertCode(client.ask(ClientMessage.newBuilder().setCorrelation(1)
                    .setFree(Wire.Free.newBuilder().setSegment(id))), ErrorCode.UNKNOWN_SEGMENT);
                assertCode(client.ask(ClientMessage.newBuilder().setCorrelation(2)
                    .setSeal(Wire.Seal.newBuilder().setSegment(id).setUsedBytes(1))), ErrorCode.UNKNOWN_SEGMENT);
                assertCode(client.ask(submit(3).setSubmit(Wire.Submit.newBuilder().setAccelerator(SessionContract.ADD)
                    .addArguments(slice(id, Wire.Access.READ)))), ErrorCode.UNKNOWN_SEGMENT);
            }
        }
    }

    @Test
    void shouldRefuseRequestsThatNoClientOfOursWouldSend() throws IOException {
        start();
        try (RawClient client = RawClient.greeted(manager.address())) {
            long segment = allocate(client, 1, 4096);
            Wire.Submit.Builder many = Wire.Submit.newBuilder().setAccelerator(SessionContract.ADD);
            for (int i = 0; i < 1000; i++) {
                many.addArguments(Wire.Argument.newBuilder().setIntValue(i));
            }
            List<Wire.Submit.Builder> submits = List.of(
                many,
                Wire.Submit.newBuilder().setAccelerator("x".repeat(1_000_000)),
                Wire.Submit.newBuilder().addArguments(Wire.Argument.getDefaultInstance()),
                Wire.Submit.newBuilder().addArguments(slice(segment, Wire.Access.ACCESS_UNSPECIFIED)),
                Wire.Submit.newBuilder().addArguments(Wire.Argument.newBuilder().setSlice(
                    Wire.Slice.newBuilder().setSegment(segment).setAccessValue(77))));
            for (Wire.Submit.Builder submit : submits) {
                assertCode(client.ask(submit(1).setSubmit(submit)), ErrorCode.INVALID_ARGUMENT);
            }
            for (long bytes : new long[] {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, Segment.MAX_BYTES + 1}) {
                assertCode(client.ask(ClientMessage.newBuilder().setCorrelation(2)
                    .setAllocate(Wire.Allocate.newBuilder().setBytes(bytes))), ErrorCode.INVALID_ARGUMENT);
            }
            assertCode(client.ask(ClientMessage.newBuilder().setCorrelation(3)
                .setSeal(Wire.Seal.newBuilder().setSegment(segment).setUsedBytes(4097))), ErrorCode.OUT_OF_RANGE);
            client.send(RawClient.cancel(12345)); // of nothing: its answer may have crossed
            assertThat(client.ask(ClientMessage.newBuilder().setCorrelation(4)
                .setFree(Wire.Free.newBuilder().setSegment(segment))).hasFreed()).isTrue();
        }
    }

    @Test
    void shouldBoundWhatOneConnectionMayHaveOutstanding() throws Exception {
        start(SessionContract.SLOW, LIMITS);
        try (Session session = Coral.open(manager.address()); Session other = Coral.open(manager.address())) {
            Segment segment = session.allocate(4096);
            List<CompletableFuture<Completion>> requests = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                requests.add(session.submit(add(segment, i)));
            }
            assertFails(ErrorCode.QUEUE_FULL, session.submit(add(segment, 5)))
                .hasMessageContaining("outstanding=4").hasMessageContaining("limit=4");
            CompletableFuture<Completion> othersRequest = other.submit(add(other.allocate(4096), 0));
            for (CompletableFuture<Completion> request : requests) {
                request.get();
            }
            othersRequest.get();
            session.submit(add(segment, 6)).get();
        }
    }

    @Test
    void shouldHangUpOnTwoRequestsWithOneCorrelation() throws Exception {
        start(SessionContract.SLOW, LIMITS);
        try (RawClient client = RawClient.greeted(manager.address())) {
            long segment = allocate(client, 1, 4096);
            Wire.Submit submit = Wire.Submit.newBuilder().setAccelerator(SessionContract.ADD)
                .addArguments(slice(segment, Wire.Access.READ)).addArguments(slice(segment, Wire.Access.READ))
                .addArguments(Wire.Argument.newBuilder().setSlice(Wire.Slice.newBuilder().setSegment(segment)
                    .setOffsetBytes(64).setLengthBytes(16).setAccess(Wire.Access.WRITE)))
                .addArguments(Wire.Argument.newBuilder().setIntValue(4)).build();
            client.send(submit(9).setSubmit(submit));
            client.send(submit(9).setSubmit(submit));
            assertThat(client.receive().filter(ManagerMessage::hasDone)).isEmpty();
        }
    }

    @Test
    void shouldKeepConnectionsForOtherAllocationsThanTheOneThatTakesAll() {
        start(Map.of("coral.devices", "host", "coral.allocations", "1"), LIMITS);
        String other = manager.allocate(new Allocation("other", 1 << 20, 1));
        List<Session> sessions = new ArrayList<>();
        for (int i = 0; i < 12; i++) { // 16, of which 4 are kept for each of two
            sessions.add(Coral.open(manager.address()));
        }
        assertFails(ErrorCode.QUEUE_FULL, () -> Coral.open(manager.address()))
            .hasMessageContaining("sessions=12").hasMessageContaining("limitOfAll=16");
        sessions.get(0).allocate(1);
        for (int i = 0; i < 4; i++) {
            sessions.add(Coral.open(other));
        }
        assertFails(ErrorCode.QUEUE_FULL, () -> Coral.open(other)).hasMessageContaining("allocation=other");
        sessions.forEach(Session::close);
        Leaks.await("a place is free again", Duration.ofSeconds(5), this::isServed);
    }

    @Test
    void shouldFreeEverythingWithinASecondWhenAClientIsKilled() throws Exception {
        Map<String, String> config = new java.util.HashMap<>(SessionContract.SLOW);
        config.put("coral.memory.pool.idle", "0s"); // or freed memory waits for its allocation's next session
        start(config, LIMITS);
        Process client = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(),
            "-cp", System.getProperty("java.class.path"), DyingClient.class.getName(), manager.address())
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertThat(client.inputReader().readLine()).isEqualTo("requests are outstanding");
            assertThat(engine.stats().usedBytes()).isGreaterThanOrEqualTo(DyingClient.SEGMENT_BYTES);
        } finally {
            client.destroyForcibly();
        }
        client.waitFor();
        // But for what the device is using just now, which goes when it lets go of it.
        Leaks.await("its requests are cancelled and its memory is freed", Duration.ofSeconds(1),
            () -> engine.stats().queueLength() == 0 && SealedMemory.liveBytes() < DyingClient.SEGMENT_BYTES);
        Leaks.await("all is freed", Duration.ofSeconds(5), () -> engine.stats().usedBytes() == 0);
        assertServes();
    }

    @Test
    void shouldLetOutstandingRequestsEndBeforeItStopsAndTakeNoNewOnes() throws Exception {
        start(SessionContract.SLOW, LIMITS);
        try (Session session = Coral.open(manager.address(), Duration.ZERO)) {
            Segment segment = session.allocate(4096);
            CompletableFuture<Completion> request = session.submit(add(segment, 0));
            session.allocate(1).close(); // answered after the submit was taken in
            CompletableFuture<Void> closed = CompletableFuture.runAsync(manager::close);
            Leaks.await("the socket is gone", Duration.ofSeconds(5), () -> !Files.exists(root.resolve(DOOR)));
            CompletableFuture<Completion> late = session.submit(add(segment, 1));
            request.get();
            closed.get();
            assertFails(ErrorCode.CONNECTION_LOST, late);
            Leaks.await("the session has ended", Duration.ofSeconds(5), () -> !session.isOpen());
            assertFails(ErrorCode.CONNECTION_LOST, () -> session.allocate(1));
            assertFails(ErrorCode.NO_MANAGER, () -> Coral.open(manager.address()));
        }
    }

    @Test
    void shouldCutRequestsThatOutlastTheDrain() {
        start(Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "3s"),
            new Limits(16, 4, 1_000_000, Duration.ofSeconds(60), Duration.ofMillis(10)));
        try (Session session = Coral.open(manager.address(), Duration.ZERO)) {
            CompletableFuture<Completion> request = session.submit(add(session.allocate(4096), 0));
            session.allocate(1).close();
            manager.close();
            assertThat(request).failsWithin(Duration.ofSeconds(2));
        }
    }

    @Test
    void shouldRefuseADirectoryThatAnotherManagerServes() {
        start();
        assertFails(ErrorCode.INVALID_ARGUMENT,
            () -> Manager.start(engine, root, new Allocation("other", 4096, 1), LIMITS))
            .hasMessageContaining("another manager").hasMessageContaining(root.toString());
        assertServes();
    }

    @Test
    void shouldReplaceTheSocketOfAManagerThatDied() throws IOException {
        try (var dead = java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(root.resolve(DOOR)));
        }
        assertThat(root.resolve(DOOR)).exists();
        start();
        assertServes();
    }

    @Test
    void shouldNotDeleteWhatIsNoSocket() throws IOException {
        Path file = Files.writeString(root.resolve(DOOR), "precious");
        assertFails(ErrorCode.INVALID_ARGUMENT, this::start).hasMessageContaining(file.toString());
        assertThat(file).hasContent("precious");
    }

    @Test
    void shouldLetEverybodyConnectAndNobodyElseWriteTheDirectory() throws IOException {
        root = root.resolve("made/by/the/manager");
        start();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root))).isEqualTo("rwxr-xr-x");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve(DOOR))))
            .isEqualTo("rw-rw-rw-");
        manager.close();
        manager.close();
        assertThat(root.resolve(DOOR)).doesNotExist();
    }

    private void start() {
        start(SessionContract.HOST, LIMITS);
    }

    private void start(Map<String, String> config, Limits limits) {
        engine = Engine.start(EngineConfig.of(config));
        manager = Manager.start(engine, root, new Allocation("test", engine.stats().limitBytes(), 1), limits);
    }

    private void assertServes() {
        try (Session session = Coral.open(manager.address())) {
            session.submit(add(session.allocate(4096), 0)).join();
        }
    }

    private boolean isServed() {
        try (Session session = Coral.open(manager.address())) {
            return session.isOpen();
        } catch (com.inaccel.coral.CoralException e) {
            return false;
        }
    }

    private static Request add(Segment segment, int index) {
        return Request.of(SessionContract.ADD).read(segment, 0, 16).read(segment, 0, 16)
            .write(segment, 64L * (index + 1), 16).arg(4).build();
    }

    private static long allocate(RawClient client, long correlation, long bytes) throws IOException {
        ManagerMessage answer = client.ask(ClientMessage.newBuilder().setCorrelation(correlation)
            .setAllocate(Wire.Allocate.newBuilder().setBytes(bytes)));
        SealedMemory.adopt(client.takeDescriptor(), answer.getAllocated().getSizeBytes()).close();
        return answer.getAllocated().getSegment();
    }

    private static ClientMessage.Builder submit(long correlation) {
        return ClientMessage.newBuilder().setCorrelation(correlation);
    }

    private static Wire.Argument.Builder slice(long segment, Wire.Access access) {
        return Wire.Argument.newBuilder().setSlice(
            Wire.Slice.newBuilder().setSegment(segment).setLengthBytes(16).setAccess(access));
    }

    private static void assertCode(ManagerMessage answer, ErrorCode code) {
        assertThat(answer.getFailed().getCode()).as(answer.toString()).isEqualTo(code.name());
        assertThat(answer.getFailed().getMessage()).isNotBlank().hasSizeLessThan(5000);
    }

    private SocketChannel connectRaw() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(root.resolve(DOOR)));
    }

    private static void write(SocketChannel client, String hexadecimal) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(java.util.HexFormat.of().parseHex(hexadecimal));
        while (bytes.hasRemaining()) {
            client.write(bytes);
        }
    }

    /** Waits until the manager hangs up; false when it says something first. */
    private static boolean endOf(SocketChannel client) {
        try {
            return client.read(ByteBuffer.allocate(1)) < 0;
        } catch (IOException e) {
            return true; // hung up with something unread
        }
    }
}
