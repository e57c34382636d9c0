package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.EngineConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The user guide's tables are the registries' own. */
class ConfigurationGuideTest {
    @Test
    void shouldHoldTheTablesThatTheRegistriesPrint() throws Exception {
        assertThat(guide("configuration.md")).as("docs/configuration.md; paste what is expected here")
            .contains(CoralConf.markdownTable()).contains(EngineConfig.markdown());
        assertThat(guide("observability.md")).as("docs/observability.md; paste what is expected here")
            .contains(SparkMetric.markdownTable());
    }

    private static String guide(String file) throws IOException {
        return Files.readString(Path.of(System.getProperty("basedir"), "..", "docs", file));
    }
}
