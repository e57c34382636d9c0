package com.inaccel.coral.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SealedMemoryTest {
    private long liveBefore;
    private long bytesBefore;

    @BeforeEach
    void rememberWhatIsLive() {
        liveBefore = SealedMemory.liveCount();
        bytesBefore = SealedMemory.liveBytes();
    }

    @AfterEach
    void nothingLeaks() {
        assertThat(SealedMemory.liveCount()).isEqualTo(liveBefore);
        assertThat(SealedMemory.liveBytes()).isEqualTo(bytesBefore);
    }

    @Test
    void shouldRoundUpToPagesAndBeZeroedWritableAndPageAligned() {
        try (SealedMemory memory = SealedMemory.create("test", 4097)) {
            assertThat(memory.sizeBytes()).isEqualTo(8192);
            assertThat(memory.address() % SealedMemory.PAGE_BYTES).isZero();
            assertThat(SealedMemory.liveBytes()).isEqualTo(bytesBefore + 8192);
            ByteBuffer view = memory.buffer(4096, 16);
            assertThat(view.order()).isEqualTo(ByteOrder.nativeOrder());
            assertThat(view.getLong(8)).isZero();
            view.putLong(8, 42);
            assertThat(memory.buffer(0, 8192).getLong(4096 + 8)).isEqualTo(42);
        }
    }

    @Test
    void shouldShowTheSameBytesToWhoeverAdoptsItsDescriptor() {
        try (SealedMemory memory = SealedMemory.create("test", 4096);
                SealedMemory other = SealedMemory.adopt(duplicate(memory), 4096)) {
            memory.buffer(0, 8).putLong(0, 7);
            assertThat(other.address()).isNotEqualTo(memory.address());
            assertThat(other.buffer(0, 8).getLong(0)).isEqualTo(7);
            other.buffer(0, 8).putLong(0, 8);
            assertThat(memory.buffer(0, 8).getLong(0)).isEqualTo(8);
        }
    }

    @Test
    void shouldRefuseEveryChangeOfItsSize() throws IOException {
        try (SealedMemory memory = SealedMemory.create("test", 8192);
                RandomAccessFile file = new RandomAccessFile("/proc/self/fd/" + memory.descriptor(), "rw")) {
            assertThatThrownBy(() -> file.setLength(0)).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> file.setLength(16384)).isInstanceOf(IOException.class);
            assertThat(file.length()).isEqualTo(8192);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-1, 1", "0, -1", "0, 8193", "8192, 1", "8193, 0", "1, 8192", "4096, 9223372036854775807",
        "9223372036854775807, 1", "9223372036854775807, 9223372036854775807", "-9223372036854775808, 0",
    })
    void shouldRefuseViewsOutsideIt(long offset, long length) {
        try (SealedMemory memory = SealedMemory.create("test", 8192)) {
            assertCode(ErrorCode.OUT_OF_RANGE, () -> memory.buffer(offset, length));
        }
    }

    @Test
    void shouldAllowEmptyViewsAtBothEnds() {
        try (SealedMemory memory = SealedMemory.create("test", 4096)) {
            assertThat(memory.buffer(0, 0).remaining()).isZero();
            assertThat(memory.buffer(4096, 0).remaining()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE - 4095})
    void shouldRefuseSizesThatAreNone(long bytes) {
        assertCode(ErrorCode.INVALID_ARGUMENT, () -> SealedMemory.create("test", bytes));
    }

    @Test
    void shouldReportExhaustionAndLeakNoDescriptorWhenItCannotBeMapped() {
        long memoryFiles = MemoryFiles.open();
        assertCode(ErrorCode.SHARED_MEMORY_EXHAUSTED, () -> SealedMemory.create("test", 1L << 60));
        assertThat(MemoryFiles.open()).isEqualTo(memoryFiles);
    }

    @Test
    void shouldGiveBackThePagesAfterTheUsedOnes() {
        try (SealedMemory memory = SealedMemory.create("test", 16 * 4096)) {
            assertThat(memory.committedBytes()).isZero();
            for (int page = 0; page < 16; page++) {
                memory.buffer(page * 4096L, 4).putInt(0, page + 1);
            }
            assertThat(memory.committedBytes()).isEqualTo(16 * 4096);
            memory.trim(2 * 4096 + 1);
            assertThat(memory.committedBytes()).isEqualTo(3 * 4096);
            assertThat(memory.buffer(2 * 4096, 4).getInt(0)).isEqualTo(3);
            assertThat(memory.buffer(3 * 4096, 4).getInt(0)).isZero();
            memory.trim(0);
            assertThat(memory.committedBytes()).isLessThanOrEqualTo(4096); // the read above touched one page
            assertCode(ErrorCode.OUT_OF_RANGE, () -> memory.trim(-1));
            assertCode(ErrorCode.OUT_OF_RANGE, () -> memory.trim(16 * 4096 + 1));
        }
    }

    @Test
    void shouldCloseTwiceAndRefuseUseAfterwards() {
        SealedMemory memory = SealedMemory.create("test", 4096);
        memory.close();
        memory.close();
        assertThat(memory.isClosed()).isTrue();
        assertCode(ErrorCode.UNKNOWN_SEGMENT, () -> memory.buffer(0, 1));
        assertCode(ErrorCode.UNKNOWN_SEGMENT, () -> memory.trim(0));
        assertCode(ErrorCode.UNKNOWN_SEGMENT, memory::committedBytes);
    }

    @Test
    void shouldRefuseAndCloseADescriptorOfAnotherSize() {
        try (SealedMemory memory = SealedMemory.create("test", 8192)) {
            long memoryFiles = MemoryFiles.open();
            for (long lie : new long[] {4096, 8191, 12288, 0, -1, Long.MAX_VALUE}) {
                assertCode(ErrorCode.INVALID_ARGUMENT, () -> SealedMemory.adopt(duplicate(memory), lie));
            }
            assertThat(MemoryFiles.open()).isEqualTo(memoryFiles);
        }
    }

    @Test
    void shouldRefuseAndCloseAMemoryFileThatCouldStillShrink() {
        long memoryFiles = MemoryFiles.open();
        for (int seals : new int[] {0, LibC.F_SEAL_GROW, LibC.F_SEAL_SHRINK}) {
            int unsealed = LibC.memfd_create("test", LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING);
            assertThat(LibC.ftruncate(unsealed, 4096)).isZero();
            assertThat(LibC.fcntl(unsealed, LibC.F_ADD_SEALS, seals)).isZero();
            assertCode(ErrorCode.INVALID_ARGUMENT, () -> SealedMemory.adopt(unsealed, 4096));
        }
        assertThat(MemoryFiles.open()).isEqualTo(memoryFiles);
    }

    @Test
    void shouldRefuseAnOrdinaryFile(@TempDir Path directory) throws IOException {
        Path file = Files.write(directory.resolve("file"), new byte[4096]);
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            int descriptor = LibC.fcntl(numberOf(file), LibC.F_DUPFD_CLOEXEC, 0);
            assertCode(ErrorCode.INVALID_ARGUMENT, () -> SealedMemory.adopt(descriptor, 4096));
        }
    }

    @Test
    void shouldRefuseADescriptorThatIsNotOpen() {
        assertCode(ErrorCode.INVALID_ARGUMENT, () -> SealedMemory.adopt(-1, 4096));
    }

    private static int duplicate(SealedMemory memory) {
        return LibC.fcntl(memory.descriptor(), LibC.F_DUPFD_CLOEXEC, 0);
    }

    /** The number of a descriptor of this process that is open on the file. */
    private static int numberOf(Path file) throws IOException {
        try (var entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.filter(entry -> isSame(entry, file))
                .mapToInt(entry -> Integer.parseInt(entry.getFileName().toString())).findFirst().orElseThrow();
        }
    }

    private static boolean isSame(Path entry, Path file) {
        try {
            return Files.isSameFile(entry, file);
        } catch (IOException e) {
            return false; // closed since it was listed
        }
    }

    private static void assertCode(ErrorCode code, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(CoralException.class,
            e -> assertThat(e.code()).isEqualTo(code));
    }
}
