package com.inaccel.coral.engine;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.protocol.SealedMemory;
import java.nio.ByteBuffer;

/** A slice in host memory; offset and length lie inside the memory. Whoever made it keeps the memory mapped. */
record HostSlice(SealedMemory memory, long offsetBytes, long lengthBytes, Access access) {
    /** A view of exactly the slice, in native byte order. */
    ByteBuffer buffer() {
        return memory.buffer(offsetBytes, lengthBytes);
    }

    /** Whether both, of the same memory, have a byte in common. */
    boolean overlaps(HostSlice other) {
        return offsetBytes - other.offsetBytes < other.lengthBytes && other.offsetBytes - offsetBytes < lengthBytes;
    }
}
