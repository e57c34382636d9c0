package com.inaccel.coral.bench.support;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
}
