package com.inaccel.coral.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class FrameChannelTest {
    @TempDir
    Path directory;

    private long memoryFilesBefore;
    private UnixSocket peer;
    private FrameChannel channel;

    @BeforeEach
    void connect() throws IOException {
        memoryFilesBefore = MemoryFiles.open();
        Path path = directory.resolve("socket");
        try (UnixSocket listener = UnixSocket.listen(path, 1)) {
            peer = UnixSocket.connect(path);
            channel = new FrameChannel(listener.accept(), 4);
        }
    }

    @AfterEach
    void nothingLeaks() {
        peer.close();
        channel.close();
        assertThat(MemoryFiles.open()).isEqualTo(memoryFilesBefore);
        assertThat(SealedMemory.liveCount()).isZero();
    }

    @Test
    void shouldKeepTheOrderOfFramesAndOfTheDescriptorsAmongThem() throws Exception {
        int frames = 20_000;
        FrameChannel sender = new FrameChannel(peer, 0);
        CompletableFuture<Void> sent = CompletableFuture.runAsync(() -> {
            try (SealedMemory small = SealedMemory.create("small", 4096);
                    SealedMemory large = SealedMemory.create("large", 8192)) {
                for (int i = 0; i < frames; i++) {
                    ManagerMessage message = message(i, i % 300);
                    sender.send(i % 7 == 0 ? Frame.of(message, i % 2 == 0 ? small : large) : Frame.of(message));
                }
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        for (int i = 0; i < frames; i++) {
            ManagerMessage message = channel.read(ManagerMessage.parser()).orElseThrow();
            assertThat(message).isEqualTo(message(i, i % 300));
            if (i % 7 == 0) {
                SealedMemory.adopt(channel.takeDescriptor(), i % 2 == 0 ? 4096 : 8192).close();
            }
        }
        sent.get();
        assertThatThrownBy(channel::takeDescriptor).isInstanceOf(FrameException.class);
    }

    @Test
    void shouldCarryAMessageOfTheLargestSizeAndRefuseOneByteMore() throws Exception {
        int overhead = message(1, Frame.MAX_BYTES - 100).getSerializedSize() - (Frame.MAX_BYTES - 100);
        ManagerMessage largest = message(1, Frame.MAX_BYTES - overhead);
        assertThat(largest.getSerializedSize()).isEqualTo(Frame.MAX_BYTES);
        FrameChannel sender = new FrameChannel(peer, 0);
        CompletableFuture<Void> sent = CompletableFuture.runAsync(() -> {
            for (ManagerMessage message : new ManagerMessage[] {largest, message(2, 1), largest}) {
                send(sender, message);
            }
        });
        assertThat(channel.read(ManagerMessage.parser())).contains(largest);
        assertThat(channel.read(ManagerMessage.parser())).contains(message(2, 1));
        assertThat(channel.read(ManagerMessage.parser())).contains(largest);
        sent.get();
        assertThatThrownBy(() -> Frame.of(message(1, Frame.MAX_BYTES - overhead + 1)))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("limit=1048576");
    }

    @ParameterizedTest
    @ValueSource(ints = {Frame.MAX_BYTES + 1, Integer.MAX_VALUE, -1, Integer.MIN_VALUE})
    void shouldRefuseALengthBeyondTheLimit(int length) throws Exception {
        sendRaw(ByteBuffer.allocateDirect(4).putInt(0, length));
        assertThatThrownBy(() -> channel.read(ManagerMessage.parser()))
            .isInstanceOf(FrameException.class)
            .hasMessageContaining("bytes=" + Integer.toUnsignedString(length)).hasMessageContaining("limit=1048576");
    }

    @Test
    void shouldRefuseBytesThatAreNoMessage() throws Exception {
        sendRaw(ByteBuffer.allocateDirect(8).putInt(4).putInt(0xffffffff).flip());
        assertThatThrownBy(() -> channel.read(ManagerMessage.parser())).isInstanceOf(FrameException.class);
    }

    @Test
    void shouldTellTheEndBetweenFramesFromTheEndInsideOne() throws Exception {
        sendRaw(ByteBuffer.allocateDirect(4).putInt(0, 0));
        assertThat(channel.read(ManagerMessage.parser())).contains(ManagerMessage.getDefaultInstance());
        sendRaw(ByteBuffer.allocateDirect(6).putInt(100).putShort((short) 1).flip());
        peer.close();
        assertThatThrownBy(() -> channel.read(ManagerMessage.parser()))
            .isInstanceOf(FrameException.class).hasMessageContaining("inside a frame");
    }

    @Test
    void shouldSayThatThePeerHasClosed() throws Exception {
        peer.close();
        assertThat(channel.read(ManagerMessage.parser())).isEmpty();
    }

    @Test
    void shouldRefuseAndCloseMoreDescriptorsThanItExpects() throws Exception {
        try (SealedMemory memory = SealedMemory.create("flood", 4096)) {
            for (int i = 0; i < 5; i++) {
                peer.send(ByteBuffer.allocateDirect(1), memory.descriptor(), true);
            }
        }
        // The zeros are a frame's length and the first byte of another: it is the fifth descriptor that must stop it.
        channel.read(ManagerMessage.parser());
        assertThatThrownBy(() -> channel.read(ManagerMessage.parser()))
            .isInstanceOf(FrameException.class).hasMessageContaining("descriptors");
    }

    @Test
    void shouldWakeAReaderThatWaits() throws Exception {
        CompletableFuture<Boolean> read = new CompletableFuture<>();
        Thread reader = new Thread(() -> {
            try {
                read.complete(channel.read(ManagerMessage.parser()).isPresent());
            } catch (IOException e) {
                read.completeExceptionally(e);
            }
        });
        reader.start();
        channel.shutdown();
        assertThat(read.get(10, TimeUnit.SECONDS)).isFalse();
        reader.join();
    }

    @Test
    void shouldNeverWaitInTrySendAndLoseNothingOfWhatWasLeft() throws Exception {
        FrameChannel sender = new FrameChannel(peer, 0);
        int whole = 0;
        Frame rest = null;
        while (rest == null) {
            Frame frame = Frame.of(message(whole, 100_000));
            if (sender.trySend(frame)) {
                whole++;
            } else {
                rest = frame;
            }
        }
        Frame left = rest;
        CompletableFuture<Void> sent = CompletableFuture.runAsync(() -> {
            try {
                sender.send(left);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        for (int i = 0; i <= whole; i++) {
            assertThat(channel.read(ManagerMessage.parser())).contains(message(i, 100_000));
        }
        sent.get();
    }

    @Test
    void shouldFailToSendOnceClosed() {
        channel.close();
        assertThatThrownBy(() -> channel.send(Frame.of(message(1, 1)))).isInstanceOf(IOException.class);
    }

    private static void send(FrameChannel sender, ManagerMessage message) {
        try {
            sender.send(Frame.of(message));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void sendRaw(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            peer.send(bytes, -1, true);
        }
    }

    private static ManagerMessage message(int correlation, int padding) {
        return ManagerMessage.newBuilder().setCorrelation(correlation)
            .setFailed(Wire.Failed.newBuilder().setMessage("x".repeat(padding))).build();
    }
}
