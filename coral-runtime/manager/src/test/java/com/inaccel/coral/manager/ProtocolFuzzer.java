package com.inaccel.coral.manager;

import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.HostileSocket;
import com.inaccel.coral.protocol.SealedMemory;
import com.inaccel.coral.protocol.Wire;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/**
 * Draws conversations: messages of the protocol with plausible and implausible fields, so that some get deep into the
 * manager and some break each check; then spoils some of the bytes, and the descriptors that go with them.
 */
final class ProtocolFuzzer {
    private static final long[] LONGS = {0, 1, -1, 2, 7, 16, 63, 64, 4095, 4096, 4097, 8192, 1 << 16, 1 << 20, (1L << 31) - 4096,
        1L << 31, 1L << 32, 1L << 40, Long.MAX_VALUE - 4095, Long.MAX_VALUE, Long.MIN_VALUE, Integer.MAX_VALUE,
        Integer.MIN_VALUE};
    private static final String KMEANS = "com.inaccel.ml.KMeans.";
    private static final int MEMORY_BYTES = 1 << 16;
    /** What a conversation begins with. */
    private static final int SEGMENTS = 8;

    private final Path door;
    private final Random random;
    private final ByteBuffer contents;
    /** How many of each kind came. */
    private final Map<String, Integer> answers = new TreeMap<>();

    ProtocolFuzzer(Path door, long seed) {
        this.door = door;
        this.random = new Random(seed);
        this.contents = ByteBuffer.allocate(MEMORY_BYTES);
    }

    /** @return how many answers of each kind came */
    Map<String, Integer> run(long endNanos) {
        try (SealedMemory memory = SealedMemory.create("coral-fuzz", MEMORY_BYTES)) {
            int[] others = {HostileSocket.memory(MEMORY_BYTES, 0), HostileSocket.memory(MEMORY_BYTES, 7 | 8),
                HostileSocket.memory(12345, 7), HostileSocket.socket()};
            try {
                while (System.nanoTime() - endNanos < 0) {
                    converse(memory, others);
                }
            } finally {
                for (int descriptor : others) {
                    HostileSocket.close(descriptor);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return answers;
    }

    private void converse(SealedMemory memory, int[] others) throws IOException {
        try (HostileSocket client = new HostileSocket(door)) {
            boolean open = !often(95) || client.send(HostileSocket.frame(hello(often(97))));
            for (int i = 1; open && i <= SEGMENTS; i++) {
                open = client.send(HostileSocket.frame(ClientMessage.newBuilder().setCorrelation(-i).setDescriptors(1)
                    .setAttach(Wire.Attach.newBuilder().setSizeBytes(MEMORY_BYTES).setSealed(i == 1)
                        .setUsedBytes(MEMORY_BYTES)).build()), memory.descriptor());
            }
            int messages = random.nextInt(400);
            for (int i = 0; open && i < messages; i++) {
                spoil(memory);
                open = say(client, memory, others);
                if (open && rarely()) {
                    return; // in the middle of everything
                }
            }
            if (often(80)) {
                client.finish();
                for (Optional<ManagerMessage> answer; (answer = client.receive()).isPresent(); ) {
                    ManagerMessage message = answer.get();
                    answers.merge(message.hasFailed() ? message.getFailed().getCode() : message.getBodyCase().name(), 1,
                        Integer::sum);
                }
            }
        }
    }

    /** While requests may be reading it. Some of it are small numbers: plausible indices. */
    private void spoil(SealedMemory memory) {
        int words = MEMORY_BYTES / Integer.BYTES;
        for (int i = 0; i < words; i += 1 + random.nextInt(64)) {
            contents.putInt(i * Integer.BYTES, often(70) ? random.nextInt(16) : random.nextInt());
        }
        memory.buffer(0, MEMORY_BYTES).put(contents.duplicate().clear());
    }

    private boolean say(HostileSocket client, SealedMemory memory, int[] others) {
        ClientMessage.Builder message = message();
        int[] descriptors = {};
        if (message.hasAttach() && !rarely()) {
            message.setDescriptors(1);
            descriptors = new int[] {often(85) ? memory.descriptor() : others[random.nextInt(others.length)]};
        }
        if (rarely()) {
            message.setDescriptors(random.nextInt(4));
        }
        if (rarely()) {
            descriptors = new int[random.nextInt(40)];
            Arrays.fill(descriptors, memory.descriptor());
        }
        byte[] frame = HostileSocket.frame(message.build());
        if (often(1)) {
            frame[random.nextInt(frame.length)] ^= (byte) (1 << random.nextInt(8));
        } else if (rarely()) {
            frame = Arrays.copyOf(frame, random.nextInt(frame.length + 1));
        } else if (rarely()) {
            ByteBuffer.wrap(frame).putInt((int) number());
        }
        return frame.length == 0 || client.send(frame, descriptors);
    }

    private ClientMessage.Builder message() {
        ClientMessage.Builder message = ClientMessage.newBuilder().setCorrelation(often(95) ? random.nextLong() : number());
        switch (random.nextInt(20)) {
            case 0, 1, 2 -> message.setAllocate(Wire.Allocate.newBuilder()
                .setBytes(often(80) ? 1 + random.nextInt(MEMORY_BYTES) : number()));
            case 3, 4 -> message.setSeal(Wire.Seal.newBuilder().setSegment(segment())
                .setUsedBytes(often(50) ? random.nextInt(MEMORY_BYTES) : number()));
            case 5 -> message.setFree(Wire.Free.newBuilder().setSegment(segment()));
            case 6, 7, 8 -> message.setCancel(Wire.Cancel.getDefaultInstance()).setCorrelation(number());
            case 9, 10, 11 -> message.setAttach(Wire.Attach.newBuilder()
                .setSizeBytes(often(90) ? MEMORY_BYTES : number()).setSealed(often(30))
                .setUsedBytes(often(80) ? random.nextInt(MEMORY_BYTES) : number()));
            case 12 -> {
                if (rarely()) {
                    message.mergeFrom(hello(true));
                } else if (!rarely()) {
                    message.setSubmit(randomSubmit());
                } // else it has no body
            }
            default -> message.setSubmit(plausibleSubmit());
        }
        return message;
    }

    private static ClientMessage hello(boolean ofThisVersion) {
        return ClientMessage.newBuilder().setHello(Wire.Hello.newBuilder()
            .setVersion(ofThisVersion ? FrameChannel.PROTOCOL_VERSION : -7).setClient("fuzz")).build();
    }

    private Wire.Submit.Builder randomSubmit() {
        Wire.Submit.Builder submit = Wire.Submit.newBuilder()
            .setAccelerator(often(50) ? SessionContract.ADD : "x".repeat(random.nextInt(1000)));
        for (int i = random.nextInt(300); i > 0; i--) {
            submit.addArguments(often(50) ? slice(segment(), number(), number(), random.nextInt(5))
                : Wire.Argument.newBuilder().setLongValue(number()));
        }
        return submit.setTimeoutNanos(number()).setPriority((int) number());
    }

    /** Right but for one number in ten, on memory of any content. */
    private Wire.Submit.Builder plausibleSubmit() {
        Wire.Submit.Builder submit = Wire.Submit.newBuilder();
        int rows = 1 + random.nextInt(8);
        int d = 1 + random.nextInt(8);
        int k = 1 + random.nextInt(4);
        switch (random.nextInt(4)) {
            case 0 -> read(submit.setAccelerator(SessionContract.ADD), 4L * rows, 4L * rows)
                .addArguments(write(4L * rows)).addArguments(integer(rows));
            case 1 -> integers(read(submit.setAccelerator(KMEANS + "AssignDouble"), 8L * rows * d, 8L * rows, 8L * k * d)
                .addArguments(write(8L * (k * d + k + 1))), rows, d, k);
            case 2 -> integers(read(submit.setAccelerator(KMEANS + "AssignSparseDouble"), 4L * (rows + 1), 4L * rows * d,
                8L * rows * d, 8L * rows, 8L * k * d).addArguments(write(8L * (k * d + k + 1))), rows, d, k);
            default -> integers(read(submit.setAccelerator(KMEANS + "NearestSparseDouble"), 4L * (rows + 1),
                4L * rows * d, 8L * rows * d, 8L * k * d)
                .addArguments(slice(segment(), 32768, 8L * rows, Wire.Access.READ_WRITE_VALUE))
                .addArguments(slice(segment(), 40960, 4L * rows, Wire.Access.READ_WRITE_VALUE)), rows, d, k, 0);
        }
        if (often(5)) {
            submit.setTimeoutNanos(number());
        }
        return submit.setPriority(random.nextInt(3));
    }

    private Wire.Submit.Builder read(Wire.Submit.Builder submit, long... lengths) {
        for (long length : lengths) {
            submit.addArguments(slice(segment(), 4096L * random.nextInt(4), length, Wire.Access.READ_VALUE));
        }
        return submit;
    }

    private Wire.Argument.Builder write(long length) {
        return slice(segment(), 49152, length, Wire.Access.WRITE_VALUE);
    }

    private Wire.Argument.Builder slice(long segment, long offset, long length, int access) {
        return Wire.Argument.newBuilder().setSlice(Wire.Slice.newBuilder().setSegment(segment)
            .setOffsetBytes(often(98) ? offset : number()).setLengthBytes(often(98) ? length : number())
            .setAccessValue(access));
    }

    private void integers(Wire.Submit.Builder submit, int... values) {
        for (int value : values) {
            submit.addArguments(integer(value));
        }
    }

    private Wire.Argument.Builder integer(int value) {
        return Wire.Argument.newBuilder().setIntValue(often(97) ? value : (int) number());
    }

    /** Ids are minted from 1 on: likely one that is there. */
    private long segment() {
        return often(95) ? 1 + random.nextInt(SEGMENTS) : number();
    }

    private long number() {
        return LONGS[random.nextInt(LONGS.length)] + (often(30) ? random.nextInt(9) - 4 : 0);
    }

    /** It ends the conversation. */
    private boolean rarely() {
        return random.nextInt(400) == 0;
    }

    private boolean often(int percent) {
        return random.nextInt(100) < percent;
    }
}
