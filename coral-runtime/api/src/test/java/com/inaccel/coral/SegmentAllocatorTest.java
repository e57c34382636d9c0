package com.inaccel.coral;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.protocol.SealedMemory;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SegmentAllocatorTest {
    private static final long SEGMENT_BYTES = 1 << 20;

    private Segment segment;
    private SegmentAllocator allocator;

    @BeforeEach
    void open() {
        segment = new LocalSegment(SEGMENT_BYTES);
        allocator = SegmentAllocator.over(segment);
    }

    @AfterEach
    void nothingLeaks() {
        allocator.close();
        segment.close();
        assertThat(SealedMemory.liveCount()).isZero();
    }

    @Test
    void shouldLetTheSegmentSeeWhatAVectorHolds() {
        int rows = 1000;
        int dimensions = 64;
        try (FixedSizeListVector features = FixedSizeListVector.empty("features", dimensions, allocator.arrow())) {
            Float8Vector values = features.<Float8Vector>addOrGetVector(
                FieldType.notNullable(new ArrowType.FloatingPoint(FloatingPointPrecision.DOUBLE))).getVector();
            features.setInitialCapacity(rows);
            features.allocateNew();
            for (int row = 0; row < rows; row++) {
                features.setNotNull(row);
                for (int i = 0; i < dimensions; i++) {
                    values.set(row * dimensions + i, row + i / 64.0);
                }
            }
            features.setValueCount(rows);

            long bytes = 8L * rows * dimensions;
            Argument.Slice slice = allocator.slice(values.getDataBuffer(), bytes, Argument.Access.READ);
            assertThat(slice.segment()).isSameAs(segment);
            assertThat(slice.lengthBytes()).isEqualTo(bytes);
            assertThat(slice.offsetBytes() % 4096).isZero();
            assertThat(allocator.usedBytes()).isBetween(slice.offsetBytes() + bytes, 600_000L);

            segment.seal(allocator.usedBytes());
            ByteBuffer bytesOfSegment = segment.buffer(slice.offsetBytes(), slice.lengthBytes());
            for (int row = 0; row < rows; row++) {
                for (int i = 0; i < dimensions; i++) {
                    assertThat(bytesOfSegment.getDouble()).isEqualTo(row + i / 64.0);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 63, 64, 65, 4095, 4096, 4097, 100_000})
    void shouldAlignBuffersAndNotRoundThemToPowersOfTwo(long bytes) {
        List<ArrowBuf> buffers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            buffers.add(allocator.arrow().buffer(bytes));
        }
        for (ArrowBuf buffer : buffers) {
            assertThat(buffer.capacity()).isBetween(bytes, bytes + 63);
            assertThat(buffer.memoryAddress() % (buffer.capacity() >= 4096 ? 4096 : 64)).isZero();
        }
        buffers.forEach(ArrowBuf::close);
    }

    @Test
    void shouldSayWhatWasAskedAndWhatIsFreeWhenTheSegmentIsFull() {
        try (ArrowBuf most = allocator.arrow().buffer(SEGMENT_BYTES - 8192)) {
            assertThat(most.capacity()).isEqualTo(SEGMENT_BYTES - 8192);
            assertThatThrownBy(() -> allocator.arrow().buffer(8193)).isInstanceOf(OutOfMemoryException.class)
                .hasMessageContaining("askedBytes=8256").hasMessageContaining("freeBytes=8192")
                .hasMessageContaining("limitBytes=1048576");
            allocator.arrow().buffer(8192).close();
        }
    }

    @Test
    void shouldReuseReleasedSpaceAndNeverHandOutTheSameTwice() {
        Random random = new Random(7);
        Deque<ArrowBuf> live = new ArrayDeque<>();
        for (int i = 0; i < 10_000; i++) {
            try {
                ArrowBuf buffer = allocator.arrow().buffer(1 + random.nextInt(40_000));
                buffer.setLong(0, i);
                buffer.setLong(buffer.capacity() - 8, i);
                live.add(buffer);
            } catch (OutOfMemoryException e) {
                assertThat(live).hasSizeGreaterThan(10);
            }
            while (live.size() > 30 + random.nextInt(30)) {
                ArrowBuf oldest = live.remove();
                assertThat(oldest.getLong(0)).isEqualTo(oldest.getLong(oldest.capacity() - 8));
                oldest.close();
            }
        }
        live.forEach(ArrowBuf::close);
        // Only if all neighbours were joined again is the whole segment one block.
        allocator.arrow().buffer(SEGMENT_BYTES).close();
        assertThat(allocator.usedBytes()).isEqualTo(SEGMENT_BYTES);
    }

    @Test
    void shouldRefuseBuffersOfAnotherAllocatorAndLengthsBeyondTheBuffer() {
        try (RootAllocator other = new RootAllocator(); ArrowBuf foreign = other.buffer(64)) {
            assertOutOfRange(() -> allocator.slice(foreign, 64, Argument.Access.READ));
        }
        try (ArrowBuf buffer = allocator.arrow().buffer(64)) {
            assertOutOfRange(() -> allocator.slice(buffer, 65, Argument.Access.READ));
            assertOutOfRange(() -> allocator.slice(buffer, -1, Argument.Access.READ));
            assertThat(allocator.slice(buffer, 0, Argument.Access.WRITE).lengthBytes()).isZero();
        }
    }

    @Test
    void shouldRefuseToCloseQuietlyWhileABufferIsOutstanding() {
        SegmentAllocator leaky = SegmentAllocator.over(segment);
        ArrowBuf buffer = leaky.arrow().buffer(64);
        assertThatThrownBy(leaky::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("64");
        leaky.close();
        assertThat(buffer.capacity()).isEqualTo(64);
    }

    private static void assertOutOfRange(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(CoralException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.OUT_OF_RANGE));
    }
}
