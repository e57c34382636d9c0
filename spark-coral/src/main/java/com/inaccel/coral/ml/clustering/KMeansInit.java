package com.inaccel.coral.ml.clustering;

import com.inaccel.coral.ml.shipping.Sent;
import com.inaccel.coral.ml.shipping.ShippedData;
import com.inaccel.coral.ml.shipping.ShippedPartition;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import org.apache.spark.mllib.clustering.LocalKMeans;
import org.apache.spark.mllib.clustering.VectorWithNorm;
import org.apache.spark.mllib.linalg.Vector;
import org.apache.spark.mllib.linalg.Vectors;
import org.apache.spark.util.Utils;
import org.apache.spark.util.random.BernoulliSampler;
import org.apache.spark.util.random.SamplingUtils;
import org.apache.spark.util.random.XORShiftRandom;
import scala.reflect.ClassTag$;

/**
 * The initializations of {@link org.apache.spark.mllib.clustering.KMeans}, with its random sequence, so that a seed gives
 * its centers: random rows, or k-means|| (Bahmani et al., Scalable K-Means++, VLDB 2012) with the distances computed by
 * the accelerator.
 *
 * <p>Two passes that MLlib makes are not needed: which rows are sampled depends only on how many rows each partition
 * has, so it is drawn on the driver; and since each row remembers its nearest candidate, weighting the candidates at the
 * end compares rows with the last step's candidates only.
 */
final class KMeansInit {
    private static final int LOCAL_ITERATIONS = 30;

    private final ShippedData data;
    private final int k;
    private final long seed;
    private final boolean cosine;

    KMeansInit(ShippedData data, int k, long seed, boolean cosine) {
        this.data = data;
        this.k = k;
        this.seed = seed;
        this.cosine = cosine;
    }

    /** {@code k} rows at random, less where they are not distinct. */
    double[][] random() {
        return distinct(sample(k, new XORShiftRandom(seed).nextInt()));
    }

    /** {@code k} centers by k-means||, less where there are fewer distinct rows. */
    double[][] parallel(int steps) {
        int stepSeed = new XORShiftRandom(seed).nextInt();
        List<double[]> candidates = new ArrayList<>(sample(1, stepSeed));
        for (int step = 0; step < steps; step++) {
            candidates.addAll(choose(candidates, stepSeed ^ (step << 16)));
        }
        double[][] distinct = distinct(candidates);
        return distinct.length <= k ? distinct : reduce(candidates, distinct);
    }

    private List<double[]> choose(List<double[]> candidates, int stepSeed) {
        int m = candidates.size();
        int d = data.features();
        try (Sent<double[]> known = send(data, candidates, cosine)) {
            double sumCosts = data.run((partition, index, stats) ->
                    new KMeansTask(partition, stats, d).nearest(known.value(), m))
                .stream().mapToDouble(Double::doubleValue).sum();
            int clusters = k;
            return data.run((partition, index, stats) -> new ArrayList<>(new KMeansTask(partition, stats, d)
                    .choose(known.value(), m, stepSeed ^ index, clusters, sumCosts)))
                .stream().flatMap(List::stream).toList();
        }
    }

    /** Weights the candidates by the rows nearest to them and lets MLlib's local k-means++ pick {@code k} of them. */
    private double[][] reduce(List<double[]> candidates, double[][] distinct) {
        int m = candidates.size();
        int d = data.features();
        List<long[]> counts;
        try (Sent<double[]> known = send(data, candidates, cosine)) {
            counts = data.run((partition, index, stats) ->
                new KMeansTask(partition, stats, d).countNearest(known.value(), m));
        }
        List<Vector> order = Arrays.stream(distinct).map(Vectors::dense).toList();
        double[] weights = new double[distinct.length];
        for (int candidate = 0; candidate < m; candidate++) {
            int at = candidate;
            long count = counts.stream().mapToLong(partition -> partition[at]).sum();
            if (count > 0) {
                weights[order.indexOf(Vectors.dense(candidates.get(candidate)))] += count;
            }
        }
        VectorWithNorm[] points = order.stream().map(VectorWithNorm::new).toArray(VectorWithNorm[]::new);
        return Arrays.stream(LocalKMeans.kMeansPlusPlus(0, points, weights, k, LOCAL_ITERATIONS))
            .map(center -> center.vector().toArray()).toArray(double[][]::new);
    }

    /**
     * Rows that {@code RDD.takeSample(false, count, seed)} would return: its draws depend on the number of rows of each
     * partition only.
     */
    private List<double[]> sample(int count, long sampleSeed) {
        long rows = data.rows();
        if (rows == 0) {
            throw new IllegalArgumentException("requirement failed: No samples available from an empty dataset");
        }
        Random random = new Random(sampleSeed);
        List<long[]> positions = List.of();
        if (count >= rows) {
            positions = bernoulli(1, 0);
        } else {
            double fraction = SamplingUtils.computeFractionForSampleSize(count, rows, false);
            while (positions.size() < count) {
                positions = bernoulli(fraction, random.nextInt());
            }
        }
        long[][] shuffled = positions.toArray(long[][]::new);
        Utils.randomizeInPlace(shuffled, random);
        return fetch(Arrays.copyOf(shuffled, Math.min(count, shuffled.length)));
    }

    /** Positions as {partition, row}, as a PartitionwiseSampledRDD with a BernoulliSampler draws them. */
    private List<long[]> bernoulli(double fraction, int sampleSeed) {
        Random seeds = new Random(sampleSeed);
        List<long[]> positions = new ArrayList<>();
        List<ShippedPartition.Info> partitions = data.partitions();
        for (int index = 0; index < partitions.size(); index++) {
            BernoulliSampler<Object> sampler = new BernoulliSampler<>(fraction, ClassTag$.MODULE$.Any());
            sampler.setSeed(seeds.nextLong());
            for (long row = 0; row < partitions.get(index).rows(); row++) {
                if (sampler.sample() > 0) {
                    positions.add(new long[] {index, row});
                }
            }
        }
        return positions;
    }

    private List<double[]> fetch(long[][] positions) {
        int[] indices = Arrays.stream(positions).mapToInt(position -> (int) position[0]).distinct().sorted().toArray();
        int d = data.features();
        long[][] wanted = new long[data.partitions().size()][];
        for (int index : indices) {
            wanted[index] = Arrays.stream(positions).filter(position -> position[0] == index)
                .mapToLong(position -> position[1]).toArray();
        }
        List<ArrayList<double[]>> fetched = data.run((partition, index, stats) ->
            new ArrayList<>(new KMeansTask(partition, stats, d).rows(wanted[index])), indices);
        int[] next = new int[indices.length];
        List<double[]> rows = new ArrayList<>(positions.length);
        for (long[] position : positions) {
            int at = Arrays.binarySearch(indices, (int) position[0]);
            rows.add(fetched.get(at).get(next[at]++));
        }
        return rows;
    }

    private static double[][] distinct(List<double[]> rows) {
        LinkedHashSet<Vector> seen = new LinkedHashSet<>();
        rows.forEach(row -> seen.add(Vectors.dense(row)));
        return seen.stream().map(Vector::toArray).toArray(double[][]::new);
    }

    /** Sends centers as {@link #flat} has them. */
    static Sent<double[]> send(ShippedData data, List<double[]> centers, boolean cosine) {
        double[] flat = flat(centers, cosine);
        return data.send(flat, (long) flat.length * Double.BYTES);
    }

    /** Centers as they travel: one after another, and as unit vectors under the cosine measure. */
    private static double[] flat(List<double[]> centers, boolean cosine) {
        int d = centers.get(0).length;
        double[] sent = new double[centers.size() * d];
        for (int i = 0; i < centers.size(); i++) {
            System.arraycopy(cosine ? KMeansFit.unit(centers.get(i)) : centers.get(i), 0, sent, i * d, d);
        }
        return sent;
    }
}
