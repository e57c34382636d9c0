package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.CoralConf;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerApplicationEnd;
import org.apache.spark.scheduler.SparkListenerUnpersistRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.execution.columnar.InMemoryRelation;
import scala.collection.JavaConverters;

/**
 * Shipments that outlive a fit, one registry a Spark context. {@code CrossValidator} and {@code TrainValidationSplit}
 * cache what they train on, fit it once for each parameter map, on several threads if asked to, and then unpersist it:
 * the caller's own word that the data will be used again, and that it will not. So what was shipped from a cached dataset
 * stays until Spark unpersists the dataset, until nobody has used it for {@code spark.coral.shipment.linger}, or until
 * the context stops.
 */
public final class Shipments {
    private static final Map<SparkContext, Shipments> OF_CONTEXT = new HashMap<>(); // guarded by itself

    private final SparkContext spark;
    private final Map<Key, Lot> lots = new HashMap<>(); // guarded by this, as is what is in them
    /** Closes what nobody uses: it takes calls to the executors, which have no place on Spark's listener thread. */
    private final ScheduledThreadPoolExecutor closer = new ScheduledThreadPoolExecutor(1, task -> {
        Thread thread = new Thread(task, "coral-shipments-close");
        thread.setDaemon(true);
        return thread;
    });

    /**
     * What makes two shipments the same.
     *
     * @param cachedRdd the id of the RDD that Spark caches the dataset in
     * @param columns the dataset's, in order: Spark takes datasets that differ only in names for the same
     */
    private record Key(int cachedRdd, List<String> columns, Shipment shipment, CoralConf conf) { }

    /** One shipment, from the moment that somebody has begun to ship it. */
    private static final class Lot {
        final Key key;
        final CompletableFuture<SharedShipment> shipped = new CompletableFuture<>();
        int users;
        Future<?> expiry = CompletableFuture.completedFuture(null);

        Lot(Key key) {
            this.key = key;
        }
    }

    private final class Ends extends SparkListener {
        @Override
        public void onUnpersistRDD(SparkListenerUnpersistRDD event) {
            forget(event.rddId());
        }

        @Override
        public void onApplicationEnd(SparkListenerApplicationEnd event) {
            stop();
        }
    }

    private Shipments(SparkContext spark) {
        this.spark = spark;
        closer.setRemoveOnCancelPolicy(true);
        closer.setKeepAliveTime(1, TimeUnit.SECONDS);
        closer.allowCoreThreadTimeOut(true);
        spark.addSparkListener(new Ends());
    }

    static Shipments of(SparkContext spark) {
        synchronized (OF_CONTEXT) {
            return OF_CONTEXT.computeIfAbsent(spark, Shipments::new);
        }
    }

    /**
     * The dataset's data, shipped now or found where another fit of the same cached dataset has left it. The caller closes
     * what it gets.
     */
    public static ShippedData acquire(Dataset<?> dataset, Shipment shipment, CoralConf conf) {
        OptionalInt cachedRdd = conf.linger().isZero() ? OptionalInt.empty() : cachedRdd(dataset);
        if (cachedRdd.isEmpty()) {
            return ShippedData.ship(dataset, shipment, conf);
        }
        Key key = new Key(cachedRdd.getAsInt(), List.of(dataset.columns()), shipment, conf);
        return of(dataset.sparkSession().sparkContext())
            .acquire(key, () -> SharedShipment.ship(dataset, shipment, conf));
    }

    private static OptionalInt cachedRdd(Dataset<?> dataset) {
        return JavaConverters.seqAsJavaList(
                dataset.sparkSession().sharedState().cacheManager().lookupCachedData(dataset).toList()).stream()
            .map(cached -> cached.cachedRepresentation())
            .mapToInt((InMemoryRelation cached) -> cached.cacheBuilder().cachedColumnBuffers().id()).findFirst();
    }

    private ShippedData acquire(Key key, Supplier<SharedShipment> shipping) {
        long start = System.nanoTime();
        while (true) {
            Lot lot;
            boolean first;
            synchronized (this) {
                lot = lots.get(key);
                first = lot == null;
                if (first) {
                    lot = new Lot(key);
                    lots.put(key, lot);
                }
                lot.users++;
                lot.expiry.cancel(false);
            }
            if (first) {
                ship(lot, shipping);
            }
            Lot held = lot;
            try {
                // Where the one who ships fails, it tells its own caller; the others try for themselves.
                if (isShipped(lot)) {
                    return new ShippedData(lot.shipped.join(), first, start, () -> leave(held));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                leave(lot);
                throw new IllegalStateException("interrupted while another fit shipped the same data", e);
            }
        }
    }

    private void ship(Lot lot, Supplier<SharedShipment> shipping) {
        try {
            lot.shipped.complete(shipping.get());
        } catch (Throwable e) { // Spark throws checked exceptions without declaring them
            synchronized (this) {
                lots.remove(lot.key, lot);
            }
            lot.shipped.completeExceptionally(e);
            throw e;
        }
    }

    /** Waits for whoever ships it; whether that came about. */
    private static boolean isShipped(Lot lot) throws InterruptedException {
        try {
            lot.shipped.get();
            return true;
        } catch (ExecutionException e) {
            return false;
        }
    }

    private void leave(Lot lot) {
        synchronized (this) {
            lot.users--;
            if (lot.users > 0) {
                return;
            }
            // The dataset may have been unpersisted before this began to listen.
            if (lots.get(lot.key) == lot && spark.getPersistentRDDs().contains(lot.key.cachedRdd)) {
                lot.expiry = closer.schedule(() -> expire(lot), lot.key.conf.linger().toMillis(), TimeUnit.MILLISECONDS);
                return;
            }
            lots.remove(lot.key, lot);
        }
        close(lot);
    }

    private void expire(Lot lot) {
        synchronized (this) {
            if (lot.users > 0 || !lots.remove(lot.key, lot)) {
                return;
            }
        }
        close(lot);
    }

    private void forget(int cachedRdd) {
        synchronized (this) {
            for (Iterator<Lot> all = lots.values().iterator(); all.hasNext(); ) {
                Lot lot = all.next();
                if (lot.key.cachedRdd == cachedRdd) {
                    all.remove(); // whoever uses it still closes it
                    lot.expiry.cancel(false);
                    if (lot.users == 0) {
                        closer.execute(() -> close(lot));
                    }
                }
            }
        }
    }

    private static void close(Lot lot) {
        lot.shipped.thenAccept(SharedShipment::close);
    }

    /** Closes everything while Spark stops. */
    void stop() {
        synchronized (OF_CONTEXT) {
            OF_CONTEXT.remove(spark, this);
        }
        List<Lot> idle;
        synchronized (this) {
            idle = lots.values().stream().filter(lot -> lot.users == 0).toList();
            lots.clear();
        }
        idle.forEach(lot -> lot.shipped.thenAccept(SharedShipment::closeHere));
        closer.shutdownNow();
    }
}
