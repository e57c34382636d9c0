package com.inaccel.coral.bench.support;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ChildJvmTest {
    @Test
    void shouldPassOnWhatOpensModulesAndHowToCompileAndNothingElse() {
        assertThat(ChildJvm.passedOn(List.of("-Xmx1g", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-javaagent:x",
            "-Djdk.reflect.useDirectMethodHandle=false", "-XX:TieredStopAtLevel=1"))).containsExactly(
                "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Djdk.reflect.useDirectMethodHandle=false",
                "-XX:TieredStopAtLevel=1");
    }

    @Test
    void shouldEndALeashedChildWhenItsInputEnds() throws IOException, InterruptedException {
        Process child = ChildJvm.leashed(Sleeper.class.getName(), List.of("-Dgreeting=hello"), List.of("world")).start();
        try (BufferedReader output = child.inputReader()) {
            assertThat(output.readLine()).isEqualTo("hello world");

            child.getOutputStream().close();

            assertThat(child.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(child.exitValue()).isZero();
        } finally {
            child.destroyForcibly().waitFor();
        }
    }

    /** Would never end by itself. */
    public static final class Sleeper {
        private Sleeper() { }

        public static void main(String[] arguments) throws InterruptedException {
            System.out.println(System.getProperty("greeting") + " " + arguments[0]);
            Thread.currentThread().join();
        }
    }
}
