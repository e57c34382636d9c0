package com.inaccel.coral.manager;

import static com.inaccel.coral.manager.SessionContract.assertFails;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A manager whose process gets no more of something: it says so, and loses nothing that it has taken on. */
@Timeout(120)
class ScarcityTest {
    @TempDir
    Path root;

    @AfterEach
    void nothingIsLeft() {
        Leaks.assertNone();
    }

    /** Half of its descriptors are for segments. The other half must do for the JVM itself: each jar of its class path takes one. */
    @Test
    void shouldRefuseSegmentsBeforeItsDescriptorsRunOut() throws Exception {
        try (NodeProcess node = NodeProcess.startWithin("ulimit -n 400", root, "--memory-limit", "64MB");
                Session session = open()) {
            List<Segment> segments = new ArrayList<>();
            CoralException refusal = null;
            while (refusal == null) {
                try {
                    segments.add(session.allocate(4096));
                } catch (CoralException e) {
                    refusal = e;
                }
            }
            assertThat(refusal.code()).isEqualTo(ErrorCode.SHARED_MEMORY_EXHAUSTED);
            assertThat(refusal).hasMessageContaining("too many segments").hasMessageContaining("limitOfAll=200");
            assertServes(session, segments.get(0));
            segments.get(1).close();
            session.allocate(4096).close();
            try (Session another = open()) {
                assertThat(another.isOpen()).isTrue();
            }
            assertThat(node.isAlive()).isTrue();
        }
    }

    @Test
    void shouldSayThatThereIsNoMemoryLeftToMap() throws Exception {
        long bytes = 1L << 30;
        try (NodeProcess node = NodeProcess.startWithin("ulimit -v 5000000", root, "--memory-limit", "64GB");
                Session session = open()) {
            Segment used = session.allocate(4096);
            List<Segment> segments = new ArrayList<>();
            CoralException refusal = null;
            while (refusal == null) {
                try {
                    segments.add(session.allocate(bytes));
                } catch (CoralException e) {
                    refusal = e;
                }
            }
            assertThat(refusal.code()).isEqualTo(ErrorCode.SHARED_MEMORY_EXHAUSTED);
            assertThat(refusal).hasMessageContaining("step=map").hasMessageContaining("bytes=" + bytes);
            assertFails(ErrorCode.SHARED_MEMORY_EXHAUSTED, () -> session.allocate(bytes));
            assertServes(session, used);
            segments.forEach(Segment::close);
            assertThat(node.isAlive()).isTrue();
        }
    }

    private Session open() {
        return Coral.open("unix:" + root.resolve(Manager.SOCKET_NAME), Duration.ZERO);
    }

    private static void assertServes(Session session, Segment segment) {
        segment.buffer(0, 8).asFloatBuffer().put(0, 1.5f).put(1, 2);
        session.submit(Request.of(SessionContract.ADD).read(segment, 0, 4).read(segment, 4, 4)
            .write(segment, 8, 4).arg(1).build()).join();
        assertThat(segment.buffer(8, 4).getFloat(0)).isEqualTo(3.5f);
    }
}
