package com.inaccel.coral;

import static java.util.Objects.requireNonNull;

/** One argument of a {@link Request}: a scalar by value, or a slice of a segment. */
public sealed interface Argument {
    /** What the accelerator may do with a slice. */
    enum Access {
        READ, WRITE, READ_WRITE,
        /** Whatever the accelerator's signature says, for callers who do not know it. */
        DECLARED;

        public boolean writes() {
            return this != READ;
        }

        public boolean reads() {
            return this != WRITE;
        }
    }

    record Int(int value) implements Argument { }

    record Long(long value) implements Argument { }

    record Float(float value) implements Argument { }

    record Double(double value) implements Argument { }

    /** Offset and length in bytes. The receiver checks them against the segment; the constructor only their signs. */
    record Slice(Segment segment, long offsetBytes, long lengthBytes, Access access) implements Argument {
        public Slice {
            requireNonNull(segment);
            requireNonNull(access);
        }
    }
}
