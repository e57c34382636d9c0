package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.manager.inventory.FakeSysfs;
import com.inaccel.coral.manager.kubernetes.FakeKubelet;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** One manager of a node after another, as in a rolling update: the next is there before the last has gone. */
@Timeout(120)
@EnableKubernetesMockClient(https = false, crud = true)
class TakeoverTest {
    private static final String XILINX = "xilinx.com/fpga";
    private static final String NODE = "worker-1";

    @TempDir
    Path root;

    private KubernetesClient api;
    private FakeKubelet kubelet;
    private final List<Process> processes = new ArrayList<>();

    @BeforeEach
    void prepare() throws IOException {
        kubelet = new FakeKubelet(root.resolve("kubelet"));
    }

    @AfterEach
    void nothingIsLeft() throws InterruptedException {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
        kubelet.close();
        Leaks.assertNone();
    }

    private Process start(String... flags) throws IOException {
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow(),
            "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", System.getProperty("java.class.path"), Main.class.getName(), "node",
            "--root", root.resolve("coral").toString(), "--emulate-programming", "0ms",
            "--memory-limit", "64MB", "--kubernetes-plugins", kubelet.plugins().toString(),
            "--kubernetes-pods", kubelet.podsSocket().toString(), "--kubernetes-refresh", "10ms"));
        if (!List.of(flags).contains("--sysfs")) {
            command.addAll(List.of("--emulate", "xilinx/u250:2"));
        }
        command.addAll(List.of(flags));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("KUBERNETES_MASTER", api.getMasterUrl().toString());
        builder.environment().put("CORAL_KUBERNETES_NODE", NODE);
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private String label(String name) {
        Map<String, String> labels = api.nodes().withName(NODE).get().getMetadata().getLabels();
        return labels == null ? null : labels.get("coral.inaccel.com/" + name);
    }

    private static void readUntil(BufferedReader output, String line) throws IOException {
        List<String> read = new ArrayList<>();
        for (String next; (next = output.readLine()) != null; ) {
            read.add(next);
            if (next.startsWith(line)) {
                return;
            }
        }
        throw new AssertionError("ended without " + line + ": " + read);
    }

    @Test
    void shouldTakeOverWithoutAPodNoticingAndWithoutTheNodeLosingItsResource() throws Exception {
        api.nodes().resource(new NodeBuilder().withNewMetadata().withName(NODE).endMetadata().build()).create();
        Process first = start();
        readUntil(first.inputReader(), "listening on ");
        Leaks.await("registered", Duration.ofSeconds(30), () -> kubelet.healthy(XILINX).size() == 2);
        Leaks.await("labelled", Duration.ofSeconds(30), () -> "2".equals(label("count.xilinx-u250")));
        ContainerAllocateResponse container = kubelet.run("pod", XILINX, "xilinx-u250-0");
        try (Session session = Coral.open(FakeKubelet.addressOnNode(container), Duration.ofMinutes(1));
                Segment segment = session.allocate(4096)) {
            session.submit(SessionContract.add(session, segment, 0, 16, 4)).join();
            Process second = start("--standby", "1m");
            readUntil(second.inputReader(), "standing by ");
            assertThat(kubelet.healthy(XILINX)).as("nothing changes before its turn").hasSize(2);
            first.toHandle().destroy();
            readUntil(second.inputReader(), "listening on ");
            Leaks.await("registered again", Duration.ofSeconds(30), () -> {
                assertThat(kubelet.capacity(XILINX)).as("the node's resource never goes").isEqualTo(2);
                return kubelet.healthy(XILINX).size() == 2;
            });
            assertThat(first.waitFor(30, TimeUnit.SECONDS)).isTrue();
            session.submit(SessionContract.add(session, segment, 0, 16, 4)).join();
            assertThat(kubelet.allocate(XILINX, "xilinx-u250-0")).isEqualTo(container);
            Leaks.await("labelled again", Duration.ofSeconds(30), () -> "2".equals(label("count.xilinx-u250")));
            second.destroyForcibly().waitFor();
            assertThat(label("count.xilinx-u250")).as("one that is killed leaves its labels to the next").isEqualTo("2");
        }
    }

    @Test
    void shouldEndToBeStartedAgainWhenACardBecomesWellThatItsEngineHasNot() throws Exception {
        FakeSysfs sys = new FakeSysfs(root.resolve("sys")).alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        sys.fill(sys.home("0000:3b:00.1"), "ready = 0x0");
        Process node = start("--devices", "host", "--sysfs", sys.root().toString());
        readUntil(node.inputReader(), "listening on ");
        Leaks.await("the card is known", Duration.ofSeconds(30), () -> kubelet.capacity(XILINX) == 1);
        assertThat(kubelet.healthy(XILINX)).as("it is not ready").isEmpty();
        sys.fill(sys.home("0000:3b:00.1"), "ready = 0x1");
        assertThat(node.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(node.exitValue()).isEqualTo(75);
        Process next = start("--devices", "host", "--sysfs", sys.root().toString());
        readUntil(next.inputReader(), "listening on ");
        Leaks.await("the card is known", Duration.ofSeconds(30), () -> kubelet.capacity(XILINX) == 1);
        assertThat(kubelet.healthy(XILINX)).as("no driver offers it").isEmpty();
        assertThat(next.isAlive()).isTrue();
    }

    @Test
    void shouldTakeOverFromOneThatWasKilledUnlessItIsToldToStopOrTiresOfWaiting() throws Exception {
        Process first = start();
        readUntil(first.inputReader(), "listening on ");
        StringWriter errors = new StringWriter();
        CommandLine impatient = Main.commandLine();
        impatient.setOut(new PrintWriter(new StringWriter()));
        impatient.setErr(new PrintWriter(errors, true));
        assertThat(impatient.execute("node", "--root", root.resolve("coral").toString(), "--standby", "50ms"))
            .isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(errors.toString()).contains("another manager serves this directory");
        Process told = start("--standby", "1m");
        Process second = start("--standby", "1m");
        readUntil(told.inputReader(), "standing by ");
        told.toHandle().destroy();
        assertThat(told.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(told.inputReader().lines()).containsExactly("stopped");
        readUntil(second.inputReader(), "standing by ");
        first.destroyForcibly().waitFor();
        readUntil(second.inputReader(), "listening on ");
        Leaks.await("registered", Duration.ofSeconds(30), () -> kubelet.healthy(XILINX).size() == 2);
    }
}
