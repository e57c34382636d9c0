package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

class FeaturesColumnTest {
    private static final StructType LIBSVM = new StructType()
        .add("label", DataTypes.DoubleType).add("features", SQLDataTypes.VectorType());
    private static final StructType TWO = LIBSVM.add("embedding", DataTypes.createArrayType(DataTypes.FloatType));

    @Test
    void shouldFindTheOnlyColumnOfVectorsOrArrays() {
        assertThat(DemoData.featuresColumn(LIBSVM, "")).isEqualTo("features");
        assertThat(DemoData.featuresColumn(
            new StructType().add("x", DataTypes.createArrayType(DataTypes.DoubleType)), "")).isEqualTo("x");
    }

    @Test
    void shouldAskWhichColumnWhenSeveralCouldBe() {
        assertThatThrownBy(() -> DemoData.featuresColumn(TWO, "")).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("[features, embedding]").hasMessageContaining("--features-column");
        assertThat(DemoData.featuresColumn(TWO, "embedding")).isEqualTo("embedding");
    }

    @Test
    void shouldSayWhichColumnsThereAreWhenNoneFits() {
        StructType none = new StructType().add("name", DataTypes.StringType)
            .add("tags", DataTypes.createArrayType(DataTypes.StringType));

        assertThatThrownBy(() -> DemoData.featuresColumn(none, "")).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("[name, tags]");
    }

    @Test
    void shouldRefuseAColumnThatHoldsNoFeatures() {
        assertThatThrownBy(() -> DemoData.featuresColumn(LIBSVM, "label")).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("featuresColumn=label");
    }
}
