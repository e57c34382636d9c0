package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("own-spark")
class CoralPluginStartTest {
    @Test
    void shouldRefuseWrongConfigurationWhenSparkStarts() {
        SparkConf conf = new SparkConf().setMaster("local[1]").setAppName("refused").set("spark.ui.enabled", "false")
            .set("spark.plugins", CoralPlugin.class.getName()).set("spark.coral.adress", "embedded:");

        assertThatThrownBy(() -> new SparkContext(conf)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("key=spark.coral.adress; did you mean spark.coral.address?");

        assertThat(SparkContext$.MODULE$.getActive().isEmpty()).isTrue();
    }
}
