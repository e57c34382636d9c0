package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.manager.inventory.FakeSysfs;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class DevicesCommandTest {
    @TempDir
    Path root;

    private final StringWriter errors = new StringWriter();

    @AfterEach
    void nothingIsLeft() {
        Leaks.assertNone();
    }

    /** @return the lines, each by its columns */
    private List<List<String>> devices(String... flags) {
        StringWriter out = new StringWriter();
        CommandLine command = Main.commandLine();
        command.setOut(new PrintWriter(out, true));
        command.setErr(new PrintWriter(errors, true));
        command.execute(Stream.concat(Stream.of("devices"), Stream.of(flags)).toArray(String[]::new));
        return out.toString().lines().map(line -> List.of(line.split(" {2,}"))).toList();
    }

    @Test
    void shouldListCardsWithWhatIsWrongWithThem() throws IOException {
        new FakeSysfs(root).alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 1)
            .function("0000:5e:00.0", "", "vendor = 0x8086\ndevice = 0x09c4\nclass = 0x120000");
        List<List<String>> lines = devices("--sysfs", root.toString(), "--devices", "host", "--share", "4");
        assertThat(lines).hasSize(4);
        assertThat(lines.get(0)).containsExactly(
            "ID", "VENDOR", "PLATFORM", "SHELL", "PCI", "NUMA", "OFFERED AS", "HEALTH", "REASON");
        assertThat(lines.get(1)).startsWith("xilinx-0000-3b-00", "xilinx", "u250", "xilinx_u250_gen3x16_xdma_shell_4_1",
            "0000:3b:00.1", "1", "xilinx.com/fpga: 4", "unhealthy").last().asString().contains("no OpenCL driver offers it");
        assertThat(lines.get(2)).startsWith("intel-0000-5e-00", "intel", "pac-a10", "-", "0000:5e:00.0", "-",
            "intel.com/fpga: 4", "unhealthy").last().asString().contains("no driver shows it");
        assertThat(lines.get(3)).startsWith("host-0", "host").endsWith("healthy", "no FPGA");
    }

    @Test
    void shouldListEmulatedFpgas() throws IOException {
        new FakeSysfs(root);
        assertThat(devices("--sysfs", root.toString(), "--emulate", "xilinx/u250:2,other/card")).satisfiesExactly(
            headings -> assertThat(headings).startsWith("ID"),
            first -> assertThat(first).startsWith("xilinx-u250-0").endsWith("xilinx.com/fpga: 1", "healthy", "emulated"),
            second -> assertThat(second).startsWith("xilinx-u250-1"),
            other -> assertThat(other).startsWith("other-card-0").endsWith("-", "healthy", "emulated"));
    }

    @Test
    void shouldSayThatThereIsNoSysfs() {
        assertThat(devices("--sysfs", root.resolve("missing").toString())).isEmpty();
        assertThat(errors.toString()).contains("no sysfs").contains("coral.sysfs");
    }
}
