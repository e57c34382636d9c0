package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whoever installs or removes is killed at each step: a bitstream is there as a whole, or not at all. */
@Timeout(60)
class BitstreamCrashTest {
    @TempDir
    Path root;

    private Path repository;

    @ParameterizedTest
    @CsvSource({"created, false", "copied, false", "recorded, false", "prepared, false", "moved, true", "installed, true"})
    void shouldInstallAllOrNothing(String step, boolean installed) throws Exception {
        repository = root.resolve("repository");
        Path source = BitstreamAdminTest.source(root.resolve("source"), "1.9");
        kill(source.toString(), step);
        requireInstalled(installed);
        assertThat(leftovers()).hasSize(installed ? 0 : 1);
        admin().install(source, Optional.empty(), Optional.empty(), Set.of());
        requireInstalled(true);
        assertThat(leftovers()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"moved", "deleted"})
    void shouldRemoveAllOrNothing(String step) throws Exception {
        repository = root.resolve("repository");
        Path source = BitstreamAdminTest.source(root.resolve("source"), "1.9");
        admin().install(source, Optional.empty(), Optional.empty(), Set.of());
        kill("-", step);
        requireInstalled(false);
        new BitstreamRepository(repository).sweep(); // as a manager does that starts
        assertThat(leftovers()).isEmpty();
        admin().install(source, Optional.empty(), Optional.empty(), Set.of());
        requireInstalled(true);
    }

    @Test
    void shouldLeaveNothingOfABitstreamThatTheDiskHasNoRoomFor() throws Exception {
        repository = root.resolve("repository");
        Path source = BitstreamAdminTest.source(root.resolve("source"), "1.9");
        Files.writeString(source.resolve("scale.cl"), "__kernel void scale() { }" + " ".repeat(1 << 16));
        // Writes fail in the middle of a file, as they do on a full disk: none may be larger than 16 KB.
        Process child = new ProcessBuilder("/bin/sh", "-c", "ulimit -f 32; exec \"$0\" \"$@\"",
            ProcessHandle.current().info().command().orElseThrow(), "-XX:-UsePerfData", "-cp",
            System.getProperty("java.class.path"), InstallingChild.class.getName(), repository.toString(), source.toString(), "none")
            .redirectErrorStream(true).start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(child.waitFor()).isNotZero();
        assertThat(output).contains("repository cannot be written", "free some space");
        requireInstalled(false);
        assertThat(leftovers()).isEmpty();
        admin().install(source, Optional.empty(), Optional.empty(), Set.of());
        requireInstalled(true);
    }

    private BitstreamAdmin admin() {
        return new BitstreamAdmin(EngineConfig.of(Map.of("coral.bitstreams", repository.toString())));
    }

    private void kill(String source, String step) throws Exception {
        Process child = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(), "-cp",
            System.getProperty("java.class.path"), InstallingChild.class.getName(), repository.toString(), source, step)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertThat(child.inputReader().readLine()).isEqualTo(step);
            if (leftovers().size() > 0) {
                new BitstreamRepository(repository).sweep(); // leaves alone what somebody is writing
                assertThat(leftovers()).isNotEmpty();
            }
        } finally {
            child.destroyForcibly().waitFor();
        }
    }

    private void requireInstalled(boolean expected) {
        List<BitstreamInfo> found =
            admin().list().stream().filter(info -> !info.manifest().startsWith("built-in:")).toList();
        assertThat(found).hasSize(expected ? 1 : 0).allMatch(BitstreamInfo::isUsed);
    }

    private List<Path> leftovers() throws IOException {
        try (Stream<Path> children = Files.list(repository)) {
            return children.filter(child -> child.getFileName().toString().matches("\\.(installing|removing)-.*")).toList();
        }
    }
}
