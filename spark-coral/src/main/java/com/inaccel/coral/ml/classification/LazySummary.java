package com.inaccel.coral.ml.classification;

import java.util.function.Supplier;
import org.apache.spark.ml.classification.BinaryLogisticRegressionTrainingSummary;
import org.apache.spark.ml.classification.LogisticRegressionTrainingSummary;
import org.apache.spark.mllib.evaluation.BinaryClassificationMetrics;
import org.apache.spark.mllib.evaluation.MulticlassMetrics;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * MLlib's training summary, made when something but the course of the training is first asked of it. MLlib makes it in the
 * fit: planning its three queries takes as long as several passes over the data. Thread-safe.
 */
class LazySummary implements LogisticRegressionTrainingSummary {
    private static final long serialVersionUID = 1L;

    private final double[] objectiveHistory;
    /** Null once it was used. Guarded by this, like the next; neither goes along with a model to executors. */
    private transient Supplier<LogisticRegressionTrainingSummary> source;
    private transient LogisticRegressionTrainingSummary made;

    /** @param source makes MLlib's own */
    LazySummary(double[] objectiveHistory, Supplier<LogisticRegressionTrainingSummary> source) {
        this.objectiveHistory = objectiveHistory;
        this.source = source;
    }

    /** Of a model of two classes at most: the source makes a {@link BinaryLogisticRegressionTrainingSummary}. */
    static final class Binary extends LazySummary implements BinaryLogisticRegressionTrainingSummary {
        private static final long serialVersionUID = 1L;

        Binary(double[] objectiveHistory, Supplier<LogisticRegressionTrainingSummary> source) {
            super(objectiveHistory, source);
        }

        private BinaryLogisticRegressionTrainingSummary binary() {
            return (BinaryLogisticRegressionTrainingSummary) made();
        }

        @Override
        public SparkSession org$apache$spark$ml$classification$BinaryClassificationSummary$$sparkSession() {
            return binary().org$apache$spark$ml$classification$BinaryClassificationSummary$$sparkSession();
        }

        @Override
        public BinaryClassificationMetrics org$apache$spark$ml$classification$BinaryClassificationSummary$$binaryMetrics() {
            return binary().org$apache$spark$ml$classification$BinaryClassificationSummary$$binaryMetrics();
        }

        @Override
        public void
                org$apache$spark$ml$classification$BinaryClassificationSummary$_setter_$org$apache$spark$ml$classification$BinaryClassificationSummary$$sparkSession_$eq(
                SparkSession value) {
            throw initializedElsewhere();
        }

        @Override
        public void
                org$apache$spark$ml$classification$BinaryClassificationSummary$_setter_$org$apache$spark$ml$classification$BinaryClassificationSummary$$binaryMetrics_$eq(
                BinaryClassificationMetrics value) {
            throw initializedElsewhere();
        }
    }

    final synchronized LogisticRegressionTrainingSummary made() {
        if (made == null) {
            if (source == null) {
                throw new IllegalStateException("summary has no dataset: it stays with the driver that fitted the model");
            }
            made = source.get();
            source = null;
        }
        return made;
    }

    /** The initializers of Scala's traits set these; of this class none runs. */
    private static UnsupportedOperationException initializedElsewhere() {
        return new UnsupportedOperationException("summary is made as a whole");
    }

    @Override
    public double[] objectiveHistory() {
        return objectiveHistory;
    }

    @Override
    public Dataset<Row> predictions() {
        return made().predictions();
    }

    @Override
    public String probabilityCol() {
        return made().probabilityCol();
    }

    @Override
    public String predictionCol() {
        return made().predictionCol();
    }

    @Override
    public String labelCol() {
        return made().labelCol();
    }

    @Override
    public String featuresCol() {
        return made().featuresCol();
    }

    @Override
    public String weightCol() {
        return made().weightCol();
    }

    @Override
    public MulticlassMetrics org$apache$spark$ml$classification$ClassificationSummary$$multiclassMetrics() {
        return made().org$apache$spark$ml$classification$ClassificationSummary$$multiclassMetrics();
    }

    @Override
    public void
            org$apache$spark$ml$classification$ClassificationSummary$_setter_$org$apache$spark$ml$classification$ClassificationSummary$$multiclassMetrics_$eq(
            MulticlassMetrics value) {
        throw initializedElsewhere();
    }
}
