package com.inaccel.coral.engine;

import com.inaccel.coral.accelerators.Accelerator;
import java.math.BigInteger;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A bitstream with its manifest, checked. Compared by identity: each is loaded once.
 *
 * @param origin file or resource of the manifest, for messages
 * @param sourceCode OpenCL C; empty when {@code binary} is not
 * @param options of the compiler; only with source code
 * @param binary what a vendor's tools made, or an OpenCL program binary
 */
record Bitstream(
        String origin,
        String bitstreamId,
        Version version,
        Platform platform,
        List<Kernel> kernels,
        String sourceCode,
        String options,
        byte[] binary) {

    /**
     * @param units compute units: replicas that work at once
     * @param builtIn whether the accelerator comes with Coral: has a reference, and writes its WRITE slices entirely
     * @param greatest by parameter: the greatest value that the bitstream supports; {@code Long.MAX_VALUE} without a limit
     */
    record Kernel(Accelerator accelerator, int units, boolean builtIn, List<Long> greatest) {
        Kernel {
            greatest = List.copyOf(greatest);
        }

        boolean limits(int index) {
            return greatest.get(index) != Long.MAX_VALUE;
        }

        boolean isLimited() {
            return IntStream.range(0, greatest.size()).anyMatch(this::limits);
        }

        boolean admits(BoundArguments arguments) {
            return IntStream.range(0, greatest.size())
                .allMatch(index -> !limits(index) || arguments.integerAt(index) <= greatest.get(index));
        }
    }

    /** What it was made for; {@code *} stands for any. */
    record Platform(String vendor, String name, String version) {
        private static final String ANY = "*";

        boolean matches(String deviceVendor, String devicePlatform) {
            return fits(vendor, deviceVendor) && fits(name, devicePlatform);
        }

        private static boolean fits(String wanted, String actual) {
            return wanted.equals(ANY) || wanted.equalsIgnoreCase(actual);
        }

        @Override
        public String toString() {
            return vendor + "/" + name;
        }
    }

    /** Parts between dots, compared as numbers where both are: 1.10 is later than 1.9. */
    record Version(String text) implements Comparable<Version> {
        @Override
        public int compareTo(Version other) {
            String[] mine = text.split("\\.");
            String[] theirs = other.text.split("\\.");
            for (int i = 0; i < Math.max(mine.length, theirs.length); i++) {
                String a = i < mine.length ? mine[i] : "0";
                String b = i < theirs.length ? theirs[i] : "0";
                int order = isNumber(a) && isNumber(b)
                    ? new BigInteger(a).compareTo(new BigInteger(b)) : a.compareTo(b);
                if (order != 0) {
                    return order;
                }
            }
            return 0;
        }

        private static boolean isNumber(String part) {
            return !part.isEmpty() && part.chars().allMatch(c -> c >= '0' && c <= '9');
        }
    }

    boolean isSource() {
        return !sourceCode.isEmpty();
    }

    boolean isBuiltIn() {
        return kernels.stream().allMatch(Kernel::builtIn);
    }

    Kernel kernel(String acceleratorName) {
        for (Kernel kernel : kernels) {
            if (kernel.accelerator.name().equals(acceleratorName)) {
                return kernel;
            }
        }
        throw new IllegalArgumentException(acceleratorName);
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return bitstreamId + " " + version.text;
    }
}
