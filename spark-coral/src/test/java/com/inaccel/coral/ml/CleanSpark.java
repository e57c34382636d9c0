package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.ml.shipping.Inside;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import scala.collection.JavaConverters;

/** Before each class of tests, whichever ran before it: nothing is cached or shipped, and no key of Coral's is set but one. */
public final class CleanSpark implements BeforeAllCallback {
    @Override
    public void beforeAll(ExtensionContext context) {
        if (context.getTags().contains("own-spark") || SparkSession.getDefaultSession().isEmpty()) {
            return;
        }
        SparkSession spark = SparkTest.spark();
        spark.catalog().clearCache();
        JavaConverters.mapAsJavaMap(spark.sparkContext().getPersistentRDDs()).values().forEach(rdd -> rdd.unpersist(true));
        assertThat(Inside.sharedMemoryInUse()).isZero();
        JavaConverters.mapAsJavaMap(spark.conf().getAll()).keySet().stream().filter(key -> key.startsWith("spark.coral."))
            .forEach(spark.conf()::unset);
        spark.conf().set("spark.coral.address", "embedded:");
    }
}
