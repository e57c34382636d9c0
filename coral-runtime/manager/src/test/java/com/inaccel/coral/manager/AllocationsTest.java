package com.inaccel.coral.manager;

import static com.inaccel.coral.manager.SessionContract.assertFails;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Allocations beside the node's own: what they have, what they outlive, and what they keep from each other. */
@Timeout(60)
class AllocationsTest {
    private static final long QUOTA = 1 << 20;
    private static final long LIMIT = 8 * QUOTA;
    private static final Allocation A = new Allocation("pod-a", QUOTA, 1);
    private static final Allocation B = new Allocation("pod-b", 2 * QUOTA, 3);

    @TempDir
    Path root;

    private Engine engine;
    private Manager manager;

    @BeforeEach
    void start() {
        engine = Engine.start(EngineConfig.of(Map.of("coral.devices", "host", "coral.memory.limit", LIMIT + "B")));
        serve();
    }

    private void serve() {
        manager = Manager.start(engine, root, new Allocation("node", LIMIT, 1), Limits.defaults());
    }

    @AfterEach
    void nothingIsLeft() {
        manager.close();
        engine.close();
        Leaks.assertNone();
    }

    @Test
    void shouldServeEachOnASocketOfItsOwnWithinItsQuota() {
        String a = manager.allocate(A);
        assertThat(a).isEqualTo("unix:" + root.resolve("allocations/pod-a/coral.sock"));
        assertThat(manager.allocate(A)).as("repeated").isEqualTo(a);
        String b = manager.allocate(B);
        assertThat(manager.allocations()).containsExactly(A, B);
        try (Session ofA = Coral.open(a); Session alsoOfA = Coral.open(a); Session ofB = Coral.open(b)) {
            compute(ofA);
            compute(ofB);
            Segment all = alsoOfA.allocate(QUOTA - 2 * 4096); // compute has used the rest
            assertFails(ErrorCode.QUOTA_EXCEEDED, () -> ofA.allocate(4096)).hasMessageContaining("allocation=pod-a");
            ofB.allocate(QUOTA).close();
            all.close();
            alsoOfA.allocate(QUOTA / 2).close(); // in the order of its messages
        }
    }

    @Test
    void shouldKeepAQuotaFromTheNodesOwnClients() {
        String b = manager.allocate(B);
        try (Session ofNode = Coral.open(manager.address()); Session ofB = Coral.open(b)) {
            ofNode.allocate(LIMIT - 2 * QUOTA);
            assertFails(ErrorCode.SHARED_MEMORY_EXHAUSTED, () -> ofNode.allocate(1)).hasMessageContaining("freeBytes=0");
            ofB.allocate(2 * QUOTA);
        }
    }

    @Test
    void shouldRefuseMoreThanThereIsAndLeaveNothingOfIt() {
        manager.allocate(A);
        assertFails(ErrorCode.QUOTA_EXCEEDED, () -> manager.allocate(new Allocation("greedy", LIMIT, 1)))
            .hasMessageContaining("freeBytes=" + (LIMIT - QUOTA));
        assertThat(root.resolve("allocations/greedy")).doesNotExist();
        assertThat(manager.allocations()).containsExactly(A);
        manager.allocate(new Allocation("greedy", LIMIT - QUOTA, 1));
    }

    @Test
    void shouldRefuseOtherPropertiesUnderANameInUse() {
        manager.allocate(A);
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.allocate(new Allocation("pod-a", QUOTA, 2)))
            .hasMessageContaining("share=2").hasMessageContaining("share=1");
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.allocate(new Allocation("node", QUOTA, 1)));
        manager.release("pod-a");
        manager.allocate(new Allocation("pod-a", QUOTA, 2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "a/b", "../a", "/a", "a.b", ".hidden", "-a", "a-", "a b", "a\u0000b", "ä", "a\n"})
    void shouldRefuseNamesThatAreNoNameOfADirectory(String name) {
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.allocate(new Allocation(name, QUOTA, 1)))
            .hasMessageContaining("not a name");
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.release(name));
    }

    @Test
    void shouldRefuseNamesTooLongForASocket() {
        String longest = "x".repeat(107 - root.resolve("allocations//coral.sock").toString().length() - 1);
        manager.allocate(new Allocation(longest, QUOTA, 1));
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.allocate(new Allocation(longest + "x", QUOTA, 1)))
            .hasMessageContaining("limit=107");
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> manager.allocate(new Allocation("x".repeat(64), QUOTA, 1)));
    }

    @Test
    void shouldEndEverythingOfAReleasedAllocationAndNothingOfTheOthers() {
        String a = manager.allocate(A);
        String b = manager.allocate(B);
        try (Session ofA = Coral.open(a, Duration.ZERO); Session ofB = Coral.open(b)) {
            ofA.allocate(QUOTA / 2).seal(1);
            Segment segment = ofB.allocate(4096);
            manager.release("pod-a");
            manager.release("pod-a");
            manager.release("never-there");
            assertThat(engine.stats().usedBytes()).isEqualTo(4096);
            assertThat(root.resolve("allocations/pod-a")).doesNotExist();
            assertThat(manager.allocations()).containsExactly(B);
            assertFails(ErrorCode.NO_MANAGER, () -> Coral.open(a));
            Leaks.await("the session has ended", Duration.ofSeconds(5), () -> !ofA.isOpen());
            segment.close();
            compute(ofB);
        }
        manager.close();
        serve();
        assertThat(manager.allocations()).containsExactly(B);
    }

    @Test
    void shouldServeThemAgainAfterARestart() {
        String a = manager.allocate(A);
        String b = manager.allocate(B);
        manager.close();
        assertFails(ErrorCode.SESSION_CLOSED, () -> manager.allocate(A));
        assertFails(ErrorCode.NO_MANAGER, () -> Coral.open(a));
        serve();
        assertThat(manager.allocations()).containsExactly(A, B);
        for (String address : List.of(a, b)) {
            try (Session session = Coral.open(address)) {
                compute(session);
            }
        }
    }

    @Test
    void shouldReportAndLeaveOutWhatCannotBeRestored() throws IOException {
        manager.allocate(A);
        manager.close();
        Path directory = root.resolve("allocations");
        Files.writeString(directory.resolve("empty.properties"), "");
        Files.writeString(directory.resolve("nonsense.properties"), "share=x\nquotaBytes=\\u12\n");
        Files.writeString(directory.resolve("negative.properties"), "share=1\nquotaBytes=-5\n");
        Files.writeString(directory.resolve("greedy.properties"), "share=1\nquotaBytes=" + Long.MAX_VALUE + "\n");
        Files.writeString(directory.resolve("huge.properties"), "share=1\nquotaBytes=4096\n#" + "x".repeat(10_000));
        Files.writeString(directory.resolve("b.d.properties"), "share=1\nquotaBytes=4096\n");
        Files.writeString(directory.resolve(".pod-b.properties"), "share=1\nquotaBytes=4096\n"); // a crash's
        Files.createDirectory(directory.resolve("directory.properties"));
        Files.createSymbolicLink(directory.resolve("link.properties"), directory.resolve("pod-a.properties"));
        serve();
        assertThat(manager.allocations()).containsExactly(A);
        assertThat(directory.resolve("greedy.properties")).exists();
        manager.allocate(B);
    }

    @Test
    void shouldFollowNothingThatAPodLeftInItsDirectory() throws IOException {
        String a = manager.allocate(A);
        manager.close();
        Path precious = Files.writeString(root.resolve("precious"), "content");
        Files.setPosixFilePermissions(precious, PosixFilePermissions.fromString("rw-------"));
        Path home = root.resolve("allocations/pod-a");
        Files.createSymbolicLink(home.resolve("coral.sock"), precious);
        Files.writeString(home.resolve("more"), "of the pod");
        serve();
        try (Session session = Coral.open(a)) {
            compute(session);
        }
        assertThat(precious).hasContent("content");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(precious))).isEqualTo("rw-------");
        manager.release("pod-a");
        assertThat(home.resolve("more")).exists();
        assertThat(home.resolve("coral.sock")).doesNotExist();
        manager.allocate(A);
    }

    @Test
    void shouldReplaceTheSocketOfAManagerThatDied() throws IOException {
        String a = manager.allocate(A);
        manager.close();
        Path socket = root.resolve("allocations/pod-a/coral.sock");
        try (ServerSocketChannel dead = ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertThat(Files.exists(socket, LinkOption.NOFOLLOW_LINKS)).isTrue();
        serve();
        try (Session session = Coral.open(a)) {
            compute(session);
        }
    }

    @Test
    void shouldBeReachedByWhoeverSeesTheDirectoryAndByNobodyElse() throws IOException {
        manager.allocate(A);
        Path directory = root.resolve("allocations");
        assertThat(permissions(directory)).isEqualTo("rwx------");
        assertThat(permissions(directory.resolve("pod-a"))).isEqualTo("rwxr-xr-x");
        assertThat(permissions(directory.resolve("pod-a/coral.sock"))).isEqualTo("rw-rw-rw-");
        try (var files = Files.list(directory)) {
            assertThat(files).containsExactlyInAnyOrder(directory.resolve("pod-a"), directory.resolve("pod-a.properties"));
        }
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    private static void compute(Session session) {
        Segment output = session.allocate(4096);
        session.submit(SessionContract.add(session, output, 0, 16, 4)).join();
    }
}
