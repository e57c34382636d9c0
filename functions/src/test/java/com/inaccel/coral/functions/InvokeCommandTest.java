package com.inaccel.coral.functions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InvokeCommandTest {
    @TempDir
    private Path directory;

    private final StringWriter out = new StringWriter();
    private final StringWriter errors = new StringWriter();
    private FunctionHost host;

    @AfterEach
    void stop() {
        if (host != null) {
            host.close();
        }
    }

    @Test
    void shouldSendAFileAndKeepTheAnswer() throws Exception {
        start(GatedFunction.class.getName());
        Path file = Files.writeString(directory.resolve("in.txt"), "to be seen");
        Path answer = directory.resolve("out.json");

        assertThat(run(file.toString(), "--set", "a=b c", "--out", answer.toString())).isZero();

        assertThat(Files.readString(answer)).contains("to be seen", "\"a\":\"b c\"", "text/plain");
    }

    @Test
    void shouldSendAFileAsAnEvent() throws Exception {
        start(GatedFunction.class.getName());
        Path file = Files.writeString(directory.resolve("event.json"), "{\"x\":1}");

        assertThat(run(file.toString(), "--event", "my.type")).isZero();

        assertThat(out.toString()).contains("\"event\":\"my.type ").contains("{\\\"x\\\":1}");
    }

    @Test
    void shouldShowWhatAFunctionAnswersWhereItFails() throws Exception {
        start("no.such.Class.method");
        Path file = Files.writeString(directory.resolve("in.txt"), "x");

        assertThat(run(file.toString())).isEqualTo(1);

        assertThat(out.toString()).contains("NO_HANDLER");
    }

    @Test
    void shouldSayWhereNothingListens() throws Exception {
        Path file = Files.writeString(directory.resolve("in.txt"), "x");

        assertThat(Main.commandLine().setErr(new PrintWriter(errors, true)).execute("invoke", file.toString(), "--url",
            "http://127.0.0.1:1/")).isEqualTo(1);
        assertThat(errors.toString()).contains("http://127.0.0.1:1/").contains("./coral function run");
    }

    @Test
    void shouldWantAFileOrABucket() {
        assertThat(Main.commandLine().setErr(new PrintWriter(errors, true)).execute("invoke")).isEqualTo(1);
        assertThat(errors.toString()).contains("either a file or a bucket");
    }

    private void start(String handler) throws IOException {
        host = FunctionHost.start(FunctionConfig.of(Map.of("PORT", "0", "FUNCTION_LINGER", "0s", "FUNCTION_HANDLER", handler)),
            "embedded:");
    }

    private int run(String... arguments) {
        String[] all = new String[arguments.length + 3];
        all[0] = "invoke";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        all[all.length - 2] = "--url";
        all[all.length - 1] = host.address().toString();
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(errors, true)).execute(all);
    }
}
