package com.inaccel.coral.accelerators;

import java.nio.ByteBuffer;

/** The arguments of one request, by index; types agree with the signature. */
public interface Arguments {
    int intAt(int index);

    long longAt(int index);

    float floatAt(int index);

    double doubleAt(int index);

    /** Length in bytes of the slice at {@code index}. */
    long bytesAt(int index);

    /** The slice at {@code index} in host memory, native byte order, position 0. */
    ByteBuffer bufferAt(int index);
}
