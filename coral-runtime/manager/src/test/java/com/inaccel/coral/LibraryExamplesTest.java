package com.inaccel.coral;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/library.md compile. */
class LibraryExamplesTest {
    private static final Pattern EXAMPLE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
    /** What the examples take for granted. */
    private static final String AROUND = """
        import com.inaccel.coral.*;
        import io.netty.buffer.ByteBuf;
        import java.awt.geom.AffineTransform;
        import java.awt.image.BufferedImage;
        import java.nio.file.Path;
        class Example {
            BufferedImage photo, edges;
            double[][] points, startCenters, features;
            int[] labels;
            int size;
            ByteBuf b, c;
            void example() throws Exception {
                %s
            }
        }
        """;

    @Test
    void shouldCompile(@TempDir Path directory) throws IOException {
        String guide = Files.readString(Path.of("../../docs/library.md"));
        List<String> examples = EXAMPLE.matcher(guide).results().map(LibraryExamplesTest::code).toList();
        assertThat(examples).hasSizeGreaterThan(5);
        for (String example : examples) {
            assertThat(problems(AROUND.formatted(example), directory)).as(example).isEmpty();
        }
    }

    private static String code(MatchResult example) {
        return example.group(1);
    }

    private static String problems(String source, Path directory) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        JavaFileObject file = new SimpleJavaFileObject(URI.create("string:///Example.java"), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return source;
            }
        };
        StringWriter problems = new StringWriter();
        boolean compiled = compiler.getTask(problems, null, null, List.of("-proc:none", "-d", directory.toString(), "-classpath",
            System.getProperty("java.class.path")), null, List.of(file)).call();
        return compiled ? "" : problems.toString();
    }
}
