package com.inaccel.coral.simulator;

import java.util.Arrays;

/**
 * Numbers from 0 up, each with a key or without one, and the one with the least key at hand: changing or removing any key takes
 * logarithmic time and allocates nothing. Among equal keys the one that was set first comes first.
 */
final class IndexedHeap {
    private static final int ABSENT = -1;

    private long[] keys;
    private long[] stamps;
    /** By number: where it is in the heap. */
    private int[] places;
    private int[] heap;
    private int size;
    private long stamp;

    IndexedHeap(int capacity) {
        keys = new long[capacity];
        stamps = new long[capacity];
        heap = new int[capacity];
        places = new int[capacity];
        Arrays.fill(places, ABSENT);
    }

    int capacity() {
        return keys.length;
    }

    void grow(int capacity) {
        int before = capacity();
        keys = Arrays.copyOf(keys, capacity);
        stamps = Arrays.copyOf(stamps, capacity);
        heap = Arrays.copyOf(heap, capacity);
        places = Arrays.copyOf(places, capacity);
        Arrays.fill(places, before, capacity, ABSENT);
    }

    boolean isEmpty() {
        return size == 0;
    }

    boolean contains(int number) {
        return places[number] != ABSENT;
    }

    long key(int number) {
        return keys[number];
    }

    /** Of a heap that is not empty. */
    int first() {
        return heap[0];
    }

    void set(int number, long key) {
        if (places[number] == ABSENT) {
            places[number] = size;
            heap[size++] = number;
        }
        keys[number] = key;
        stamps[number] = stamp++;
        sink(rise(places[number]));
    }

    void remove(int number) {
        int place = places[number];
        if (place == ABSENT) {
            return;
        }
        places[number] = ABSENT;
        int last = heap[--size];
        if (last != number) {
            put(last, place);
            sink(rise(place));
        }
    }

    private int rise(int from) {
        int place = from;
        int number = heap[place];
        while (place > 0 && isBefore(number, heap[(place - 1) / 2])) {
            put(heap[(place - 1) / 2], place);
            place = (place - 1) / 2;
        }
        put(number, place);
        return place;
    }

    private void sink(int from) {
        int place = from;
        int number = heap[place];
        while (2 * place + 1 < size) {
            int child = 2 * place + 1;
            if (child + 1 < size && isBefore(heap[child + 1], heap[child])) {
                child++;
            }
            if (!isBefore(heap[child], number)) {
                break;
            }
            put(heap[child], place);
            place = child;
        }
        put(number, place);
    }

    private void put(int number, int place) {
        heap[place] = number;
        places[number] = place;
    }

    private boolean isBefore(int one, int other) {
        return keys[one] != keys[other] ? keys[one] < keys[other] : stamps[one] < stamps[other];
    }
}
