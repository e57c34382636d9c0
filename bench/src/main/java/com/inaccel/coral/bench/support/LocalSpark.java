package com.inaccel.coral.bench.support;

import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.Utils$;

/** Spark inside this JVM, with everything it writes in one directory that its caller deletes. */
public final class LocalSpark {
    private LocalSpark() { }

    public static SparkSession start(String name, int cores, Path scratch, Map<String, String> settings) {
        // Spark remembers its directories for the life of the JVM: those of a session before, which were deleted with it.
        Utils$.MODULE$.clearLocalRootDirs();
        SparkSession.Builder builder = SparkSession.builder()
            .appName(name)
            .master("local[" + cores + "]")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.local.dir", scratch.resolve("spark").toString())
            .config("spark.sql.warehouse.dir", scratch.resolve("warehouse").toUri().toString())
            .config("spark.sql.shuffle.partitions", Integer.toString(cores));
        settings.forEach(builder::config);
        return builder.getOrCreate();
    }
}
