package com.inaccel.coral;

/**
 * What {@link Accelerators#kMeans} found.
 *
 * @param centers k rows of d coordinates
 * @param labels for each point, the index of the nearest center, the lowest such
 * @param cost sum of the squared distances of the points to their nearest centers
 * @param iterations that the centers were moved
 * @param converged whether no center moved by more than the tolerance in the last of them
 * @param run what it took on devices
 */
public record KMeansModel(double[][] centers, int[] labels, double cost, int iterations, boolean converged, Run run) { }
