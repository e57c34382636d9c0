package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.EngineConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The user guide's tables are the registries' own. */
class ConfigurationGuideTest {
    @Test
    void shouldHoldTheTablesThatTheRegistriesPrint() throws Exception {
        Path guide = Path.of(System.getProperty("basedir"), "..", "docs", "configuration.md");
        assertThat(Files.readString(guide)).as("docs/configuration.md; paste what is expected here")
            .contains(CoralConf.markdownTable()).contains(EngineConfig.markdown());
    }
}
