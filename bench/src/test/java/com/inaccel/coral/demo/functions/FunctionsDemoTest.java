package com.inaccel.coral.demo.functions;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

@Timeout(300)
class FunctionsDemoTest {
    @TempDir
    private Path directory;

    @Test
    void shouldShowWhatAFunctionMadeOfThePhotographsOfABucket() throws Exception {
        Path page = directory.resolve("page.html");

        int status = new CommandLine(new FunctionsDemo()).execute("--photos", "2", "--out", page.toString());

        assertThat(status).isZero();
        String html = Files.readString(page);
        assertThat(Pattern.compile("<img alt=\"(before|edges|warped)\" src=\"data:image/").matcher(html).results()).hasSize(6);
        assertThat(html).contains("xilinx-u250-").contains("2 of 2").contains("CC BY 4.0").contains("edges on xilinx-u250-")
            .doesNotContainPattern("@[a-z]+@").doesNotContain("src=\"http").doesNotContain("<script");
        assertThat(ProcessHandle.current().children()).isEmpty();
    }
}
