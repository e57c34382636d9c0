package com.inaccel.coral.ml;

import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.shipping.Fallback;
import com.inaccel.coral.ml.shipping.RunStats;
import com.inaccel.coral.ml.shipping.ShippedData;
import com.inaccel.coral.ml.shipping.ShippedPartition;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the last fit did, beside its model. Of fits that advance together it says what they did together.
 *
 * @param rows rows shipped
 * @param features features a row
 * @param partitions partitions of the data
 * @param precision DOUBLE or SINGLE: how the features were stored
 * @param address the Coral that served the first partition
 * @param devices ids of the devices that ran requests
 * @param fallbacks what served in place of something better, each with its reason: pure Java where OpenCL was looked for, an
 *     engine inside the executor where a node manager was
 * @param bytesShipped bytes of shared memory that the data took
 * @param partitionsShipped shipments, more than {@code partitions} when an executor or its manager was lost
 * @param sparkJobs Spark jobs that the fit ran
 * @param passes times that the fit went over the shipped data, or some of it
 * @param shipNanos wall time until all data was shipped, reading them included
 * @param initNanos wall time of the initialization, 0 where there is none
 * @param iterateNanos wall time of the iterations
 * @param shipTaskNanos sum over tasks of the time spent reading and shipping
 * @param queueNanos sum over requests of waiting for a device
 * @param transferNanos sum over requests of copying to and from devices
 * @param runNanos sum over requests of execution on devices
 */
public record FitReport(
        long rows, int features, int partitions, Precision precision, String address, Set<String> devices,
        Set<String> fallbacks, long bytesShipped, long partitionsShipped, int sparkJobs, int passes, long shipNanos, long initNanos,
        long iterateNanos, long shipTaskNanos, long queueNanos, long transferNanos, long runNanos) {

    public static FitReport of(ShippedData data, long initNanos, long iterateNanos) {
        List<ShippedPartition.Info> partitions = data.partitions();
        RunStats stats = data.stats();
        ShippedPartition.Info first = partitions.get(0);
        return new FitReport(data.rows(), data.features(), partitions.size(), first.precision(), first.address(),
            stats.devices(), fallbacks(partitions), data.bytesShipped(), data.partitionsShipped(), data.jobs(), data.passes(), data.shipNanos(),
            initNanos, iterateNanos, partitions.stream().mapToLong(ShippedPartition.Info::shipNanos).sum(),
            stats.queueNanos(), stats.transferNanos(), stats.runNanos());
    }

    private static Set<String> fallbacks(List<ShippedPartition.Info> partitions) {
        return partitions.stream().flatMap(info -> info.fallbacks().stream()).map(Fallback::toString)
            .collect(Collectors.toUnmodifiableSet());
    }
}
