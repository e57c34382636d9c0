package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class BitstreamCommandTest {
    private static final String MANIFEST = """
        {"name": "tell.cl", "bitstreamId": "org.example.Number", "version": "1.0",
         "platform": {"vendor": "xilinx", "name": "u250"},
         "kernels": [{"name": ["tell"], "kernelId": "Tell",
                      "arguments": [{"type": "int*", "name": "number", "access": "w"}]}]}
        """;

    @TempDir
    Path root;

    private String source;
    private String repository;
    private String key;

    @BeforeEach
    void write() throws IOException {
        Path home = Files.createDirectories(root.resolve("source"));
        Files.writeString(home.resolve("bitstream.json"), MANIFEST);
        Files.writeString(home.resolve("tell.cl"), "__kernel void tell(__global int* number) { *number = 1; }");
        source = home.toString();
        repository = root.resolve("repository").toString();
        key = root.resolve("key").toString();
    }

    private record Result(int exit, String out, String errors) { }

    private static Result run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter errors = new StringWriter();
        List<String> all = new ArrayList<>(List.of("bitstream"));
        all.addAll(List.of(arguments));
        CommandLine command = Main.commandLine();
        command.setOut(new PrintWriter(out, true));
        command.setErr(new PrintWriter(errors, true));
        return new Result(command.execute(all.toArray(String[]::new)), out.toString(), errors.toString());
    }

    @Test
    void shouldInstallListVerifyAndRemove() throws IOException {
        assertThat(run("keygen", key)).returns(0, Result::exit);
        assertThat(run("parse", source).out()).contains("accelerator org.example.Number.Tell", "number: INTS WRITE");
        String[] trusting = {"--bitstreams", repository, "--bitstreams-trust", key + ".pub", "--bitstreams-signatures",
            "required"};
        Result unsigned = run(with(trusting, "install", source));
        assertThat(unsigned).returns(CommandLine.ExitCode.SOFTWARE, Result::exit);
        assertThat(unsigned.errors()).startsWith("coral: BAD_BITSTREAM: ").contains("not signed");
        Result installed = run(with(trusting, "install", source, "--sign", key, "--for", "red,blue"));
        assertThat(installed).as(installed.errors()).returns(0, Result::exit);
        assertThat(run(with(trusting, "list")).out().lines()).anyMatch(line -> line.matches(
            "org.example.Number +1.0 +xilinx/u250 +[0-9a-f]{12} +key +blue,red +installed +Tell"))
            .anyMatch(line -> line.matches("com.inaccel.math.Vector +1.0 +\\*/\\* +- +- +all +installed +Add"));
        assertThat(run(with(trusting, "verify")).out()).matches("ok org.example.Number 1.0 sha256=[0-9a-f]{64} signedBy=key\n");
        assertThat(run(with(trusting, "verify", "org.example.Other"))).returns(CommandLine.ExitCode.SOFTWARE, Result::exit)
            .returns("missing org.example.Other\n", Result::out);

        try (Stream<Path> files = Files.walk(Path.of(repository))) {
            Files.writeString(files.filter(file -> file.endsWith("tell.cl")).findFirst().orElseThrow(), "tampered");
        }
        Result tampered = run(with(trusting, "verify", "org.example.Number"));
        assertThat(tampered.exit()).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(tampered.out()).startsWith("refused installed bitstream was changed");
        assertThat(run(with(trusting, "list")).out()).containsPattern("refused +Tell").contains("refused: installed bitstream");

        assertThat(run(with(trusting, "remove", "org.example.Number", "1.0")).out())
            .isEqualTo("removed org.example.Number 1.0\n");
        assertThat(run(with(trusting, "remove", "org.example.Number")).errors()).contains("not installed here");
    }

    @Test
    void shouldSayWhatOfTheTrustListCannotBeRead() {
        Result list = run("list", "--bitstreams-trust", root.resolve("missing").toString());
        assertThat(list.exit()).isZero();
        assertThat(list.errors()).contains("missing", "not a key");
    }

    private static String[] with(String[] flags, String... arguments) {
        return Stream.concat(Stream.of(arguments), Stream.of(flags)).toArray(String[]::new);
    }
}
