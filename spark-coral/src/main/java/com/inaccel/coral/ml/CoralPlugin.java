package com.inaccel.coral.ml;

import com.inaccel.coral.ml.SparkMetric.Side;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * {@code spark.plugins=com.inaccel.coral.ml.CoralPlugin}: shows each {@link SparkMetric} in Spark's metrics system, and refuses
 * {@code spark.coral.*} keys that are wrong when the application starts rather than when it first fits. Fits need no plugin.
 */
public final class CoralPlugin implements SparkPlugin {
    /** For Spark. */
    public CoralPlugin() { }

    @Override
    public DriverPlugin driverPlugin() {
        return new Driver();
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return new Executor();
    }

    private static final class Driver implements DriverPlugin {
        @Override
        public Map<String, String> init(SparkContext spark, PluginContext context) {
            CoralConf.of(context.conf()); // throws where something is wrong
            return Map.of();
        }

        @Override
        public void registerMetrics(String applicationId, PluginContext context) {
            SparkMetric.register(Side.DRIVER, context.metricRegistry());
        }
    }

    private static final class Executor implements ExecutorPlugin {
        @Override
        public void init(PluginContext context, Map<String, String> fromDriver) {
            SparkMetric.register(Side.EXECUTOR, context.metricRegistry());
        }
    }
}
