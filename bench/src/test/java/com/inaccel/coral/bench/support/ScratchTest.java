package com.inaccel.coral.bench.support;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ScratchTest {
    @TempDir
    private Path elsewhere;

    @Test
    void shouldDeleteEverythingInItButNothingThatALinkLeadsTo() throws IOException {
        Path kept = Files.createFile(elsewhere.resolve("kept"));
        Scratch scratch = Scratch.create("scratch-test-");
        Files.createDirectories(scratch.resolve("a").resolve("b"));
        Files.createFile(scratch.resolve("a").resolve("file"));
        Files.createSymbolicLink(scratch.resolve("link"), elsewhere);

        scratch.close();
        scratch.close();

        assertThat(scratch.directory()).doesNotExist();
        assertThat(kept).exists();
    }

    @Test
    void shouldDeleteWhatAKilledProcessLeftAndNothingThatIsInUse() throws IOException, InterruptedException {
        Path left;
        try (Scratch inUse = Scratch.create(elsewhere, "mine-"); Scratch another = Scratch.create(elsewhere, "other-")) {
            Process child = ChildJvm.leashed(Holder.class.getName(), List.of(), List.of(elsewhere.toString())).start();
            try (BufferedReader output = child.inputReader()) {
                left = Path.of(output.readLine());
                Scratch.create(elsewhere, "mine-").close();
                assertThat(left).as("its owner lives").exists();
            } finally {
                child.destroyForcibly().waitFor();
            }
            Path notOurs = Files.createDirectory(elsewhere.resolve("mine-without-a-lock"));

            Scratch.create(elsewhere, "mine-").close();

            assertThat(left).doesNotExist();
            assertThat(inUse.directory()).exists();
            assertThat(another.directory()).exists();
            assertThat(notOurs).exists();
        }
    }

    /** Has a directory until it is killed. */
    public static final class Holder {
        private Holder() { }

        public static void main(String[] arguments) throws IOException, InterruptedException {
            System.out.println(Scratch.create(Path.of(arguments[0]), "mine-").directory());
            Thread.currentThread().join();
        }
    }
}
