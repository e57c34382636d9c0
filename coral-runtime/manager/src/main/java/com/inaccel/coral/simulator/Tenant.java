package com.inaccel.coral.simulator;

/**
 * An allocation.
 *
 * @param number from 0 up
 */
record Tenant(int number, String name, int share) { }
