package com.inaccel.coral.ml;

import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.ml.clustering.KMeans;
import com.inaccel.coral.ml.shipping.Inside;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What becomes of executors that find no node manager: of this JVM, which has none. */
@Timeout(120)
class FallbackFitTest {
    private final AtomicInteger failedTasks = new AtomicInteger();
    private final SparkListener listener = new SparkListener() {
        @Override
        public void onTaskEnd(SparkListenerTaskEnd end) {
            failedTasks.addAndGet(end.taskInfo().successful() ? 0 : 1);
        }
    };

    @BeforeEach
    void findNoAddress() {
        assumeThat(Coral.defaultAddress()).as("where Coral is looked for on this machine").isEqualTo(Coral.EMBEDDED);
        assumeThat(System.getenv(Coral.ADDRESS_VARIABLE)).as(Coral.ADDRESS_VARIABLE).isNull();
        spark().conf().set("spark.coral.address", "");
        spark().sparkContext().addSparkListener(listener);
    }

    @AfterEach
    void restore() {
        spark().sparkContext().removeSparkListener(listener);
        spark().conf().unset("spark.coral.fallback");
        spark().conf().unset("spark.executor.resource.fpga.amount");
        spark().conf().set("spark.coral.address", "embedded:");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    @Test
    void shouldFailAtOnceWhereFpgasAreAskedForAndNoneCame() {
        spark().conf().set("spark.executor.resource.fpga.amount", "1");
        assertThatThrownBy(() -> fit(unread())).isInstanceOf(CoralException.class)
            .satisfies(failure -> assertThat(((CoralException) failure).code()).isEqualTo(ErrorCode.NO_MANAGER))
            .hasMessageContainingAll("executor got no FPGA", "executor=driver", "spark.executor.resource.fpga.amount=1",
                "missing=CORAL_ADDRESS", "kubectl get pod", "spark.coral.fallback=embedded");
        assertThat(failedTasks).as("tasks that failed, to be tried again").hasValue(0);
        assertThat(spark().sparkContext().getPersistentRDDs().isEmpty()).as("nothing is left cached").isTrue();
    }

    @Test
    void shouldFailAtOnceWhereNoFallbackIsWanted() {
        spark().conf().set("spark.coral.fallback", "none");
        assertThatThrownBy(() -> fit(unread())).isInstanceOf(CoralException.class)
            .hasMessageContaining("expected by spark.coral.fallback=none");
    }

    @Test
    void shouldComputeByItselfWhereThatIsWanted() {
        spark().conf().set("spark.executor.resource.fpga.amount", "1");
        spark().conf().set("spark.coral.fallback", "embedded");
        assertThat(fit(SparkTest.vectors(SparkTest.blobs(200, 3, 2, 1), 2)).fallbacks()).anySatisfy(
            fallback -> assertThat(fallback).startsWith("EMBEDDED: ").contains(Coral.DEFAULT_SOCKET));
    }

    @Test
    void shouldComputeByItselfWhereNobodyAsksForFpgas() {
        assertThat(fit(SparkTest.vectors(SparkTest.blobs(200, 3, 2, 1), 2)).address()).isEqualTo(Coral.EMBEDDED);
    }

    @Test
    void shouldRefuseAFallbackThatThereIsNot() {
        spark().conf().set("spark.coral.fallback", "cpu");
        assertThatThrownBy(() -> fit(unread())).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("spark.coral.fallback=cpu; use one of auto, none, embedded");
    }

    private static FitReport fit(Dataset<Row> data) {
        KMeans kMeans = new KMeans();
        kMeans.setK(2).setSeed(1).setMaxIter(2).fit(data);
        return kMeans.lastFit().orElseThrow();
    }

    /** Rows that fail whoever reads them. */
    private static Dataset<Row> unread() {
        spark().udf().register("unread", (org.apache.spark.sql.api.java.UDF1<Object, Object>) row -> {
            throw new IllegalStateException("was read");
        }, new org.apache.spark.ml.linalg.VectorUDT());
        return SparkTest.vectors(SparkTest.blobs(200, 3, 2, 1), 2).selectExpr("unread(features) as features");
    }
}
