package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** In a JVM of its own, since a driver takes the handlers once a process. */
class SignalHandlersTest {
    @Test
    void shouldLeaveTheJvmsSignalHandlersInPlace() throws Exception {
        OpenClDeviceTest.device();
        Process child = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp", System.getProperty("java.class.path"), Child.class.getName()).redirectErrorStream(true).start();
        List<String> lines = new String(child.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
            .lines().filter(line -> line.startsWith("SigCgt")).toList();
        assertThat(child.waitFor()).isZero();
        assertThat(lines).hasSize(2);
        assertThat(lines.get(1)).isEqualTo(lines.get(0));
    }

    /** Prints which signals are caught before and after an engine worked. */
    static final class Child {
        private Child() { }

        public static void main(String[] arguments) throws Exception {
            printCaught();
            try (Engine engine = OpenClDeviceTest.start(false); EngineSession session = engine.open(Vectors.TENANT);
                    Vectors vectors = new Vectors(session, 100, 1)) {
                vectors.run();
            }
            printCaught();
        }

        private static void printCaught() throws Exception {
            Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("SigCgt"))
                .forEach(System.out::println);
        }
    }
}
