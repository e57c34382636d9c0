package com.inaccel.coral.ml;

import com.inaccel.coral.ml.classification.LogisticRegression;
import com.inaccel.coral.ml.clustering.KMeans;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** MLlib's own suites, unchanged but for the class that they instantiate. */
@Tag("own-spark")
class MllibSuitesTest {
    @TestFactory
    Stream<DynamicTest> shouldPassMllibsKMeansSuite() throws ReflectiveOperationException {
        return MllibSuite.tests("org.apache.spark.ml.clustering.KMeansSuite",
            org.apache.spark.ml.clustering.KMeans.class, KMeans.class);
    }

    @TestFactory
    Stream<DynamicTest> shouldPassMllibsLogisticRegressionSuite() throws ReflectiveOperationException {
        return MllibSuite.tests("org.apache.spark.ml.classification.LogisticRegressionSuite",
            org.apache.spark.ml.classification.LogisticRegression.class, LogisticRegression.class);
    }
}
