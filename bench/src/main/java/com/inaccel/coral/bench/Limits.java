package com.inaccel.coral.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Optional;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;
import org.jocl.cl_queue_properties;

/**
 * What the first OpenCL device can do at best, measured: no kernel gets past the tighter of its operations over the peak
 * and its bytes over the bandwidth.
 *
 * @param device the driver's name for it
 * @param platform its OpenCL platform and that one's version
 */
public record Limits(String device, String platform, double floatGflops, double doubleGflops, double readGigabytesPerSecond) {
    private static final int REPEATS = 7;
    private static final int VECTOR_BYTES = 64;
    /** Which suits depends on latency and number of registers: the best counts. */
    private static final int[] CHAINS = {5, 10, 20};
    /** A few milliseconds. */
    private static final int OPERATIONS = 1 << 24;
    private static final int ITEMS_PER_UNIT = 4;
    /** Far beyond any cache. */
    private static final long READ_BYTES = 1L << 30;

    double gflops(boolean inDouble) {
        return inDouble ? doubleGflops : floatGflops;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "limits of %s (%s): %.0f GFLOP/s float, %.0f GFLOP/s double, %.1f GB/s read",
            device, platform, floatGflops, doubleGflops, readGigabytesPerSecond);
    }

    /** The greater of each: what else runs on a machine can only lower them. */
    Limits or(Limits other) {
        return new Limits(device, platform, Math.max(floatGflops, other.floatGflops),
            Math.max(doubleGflops, other.doubleGflops),
            Math.max(readGigabytesPerSecond, other.readGigabytesPerSecond));
    }

    /** Empty where there is no OpenCL, whose absence the caller shows. */
    public static Optional<Limits> measure() throws IOException {
        try {
            CL.setExceptionsEnabled(true);
            cl_platform_id[] platforms = new cl_platform_id[1];
            CL.clGetPlatformIDs(1, platforms, null);
            cl_device_id[] devices = new cl_device_id[1];
            CL.clGetDeviceIDs(platforms[0], CL.CL_DEVICE_TYPE_ALL, 1, devices, null);
            try (Bench bench = new Bench(platforms[0], devices[0], source())) {
                return Optional.of(new Limits(text(devices[0]), text(platforms[0]),
                    bench.gflops("float", Float.BYTES), bench.gflops("double", Double.BYTES), bench.bandwidth()));
            }
        } catch (CLException | UnsatisfiedLinkError none) {
            System.err.println("limits of the machine not measured: no usable OpenCL: " + none.getMessage());
            return Optional.empty();
        }
    }

    private static String source() throws IOException {
        try (InputStream stream = Limits.class.getResourceAsStream("limits.cl")) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String text(cl_device_id device) {
        long[] size = new long[1];
        CL.clGetDeviceInfo(device, CL.CL_DEVICE_NAME, 0, null, size);
        byte[] bytes = new byte[(int) size[0]];
        CL.clGetDeviceInfo(device, CL.CL_DEVICE_NAME, size[0], Pointer.to(bytes), null);
        return terminated(bytes);
    }

    private static String text(cl_platform_id platform) {
        StringBuilder text = new StringBuilder();
        for (int parameter : new int[] {CL.CL_PLATFORM_NAME, CL.CL_PLATFORM_VERSION}) {
            long[] size = new long[1];
            CL.clGetPlatformInfo(platform, parameter, 0, null, size);
            byte[] bytes = new byte[(int) size[0]];
            CL.clGetPlatformInfo(platform, parameter, size[0], Pointer.to(bytes), null);
            text.append(text.isEmpty() ? "" : ", ").append(terminated(bytes));
        }
        return text.toString();
    }

    private static String terminated(byte[] bytes) {
        return new String(bytes, 0, Math.max(0, bytes.length - 1), StandardCharsets.UTF_8).strip();
    }

    /** The handles of one measurement, released in reverse order. Used by one thread. */
    private static final class Bench implements AutoCloseable {
        private final Deque<Runnable> releases = new ArrayDeque<>();
        private final String source;
        private final cl_device_id device;
        private final cl_context context;
        private final cl_command_queue queue;
        private final int items;

        Bench(cl_platform_id platform, cl_device_id device, String source) {
            this.source = source;
            this.device = device;
            int[] units = new int[1];
            CL.clGetDeviceInfo(device, CL.CL_DEVICE_MAX_COMPUTE_UNITS, Sizeof.cl_uint, Pointer.to(units), null);
            items = units[0] * ITEMS_PER_UNIT;
            cl_context_properties properties = new cl_context_properties();
            properties.addProperty(CL.CL_CONTEXT_PLATFORM, platform);
            context = CL.clCreateContext(properties, 1, new cl_device_id[] {device}, null, null, null);
            releases.push(() -> CL.clReleaseContext(context));
            queue = CL.clCreateCommandQueueWithProperties(context, device, new cl_queue_properties(), null);
            releases.push(() -> CL.clReleaseCommandQueue(queue));
        }

        double gflops(String real, int bytes) {
            int lanes = VECTOR_BYTES / bytes;
            double best = 0;
            for (int chains : CHAINS) {
                int rounds = OPERATIONS / chains;
                cl_kernel kernel = kernel("peak", real, lanes, chains);
                cl_mem out = buffer((long) items * bytes);
                CL.clSetKernelArg(kernel, 0, Sizeof.cl_mem, Pointer.to(out));
                CL.clSetKernelArg(kernel, 1, Sizeof.cl_int, Pointer.to(new int[] {rounds}));
                CL.clSetKernelArg(kernel, 2, bytes,
                    bytes == Float.BYTES ? Pointer.to(new float[] {0.5f}) : Pointer.to(new double[] {0.5}));
                best = Math.max(best, 2.0 * rounds * chains * lanes * items / bestSeconds(kernel) / 1e9);
            }
            return best;
        }

        double bandwidth() {
            int vectors = (int) (READ_BYTES / VECTOR_BYTES / items) / 8 * 8;
            long bytes = (long) vectors * items * VECTOR_BYTES;
            cl_kernel kernel = kernel("bandwidth", "float", VECTOR_BYTES / Float.BYTES, CHAINS[0]);
            cl_mem in = buffer(bytes);
            cl_mem out = buffer((long) items * Float.BYTES);
            CL.clEnqueueFillBuffer(queue, in, Pointer.to(new float[] {1}), Float.BYTES, 0, bytes, 0, null, null);
            CL.clSetKernelArg(kernel, 0, Sizeof.cl_mem, Pointer.to(in));
            CL.clSetKernelArg(kernel, 1, Sizeof.cl_mem, Pointer.to(out));
            CL.clSetKernelArg(kernel, 2, Sizeof.cl_int, Pointer.to(new int[] {vectors}));
            return bytes / bestSeconds(kernel) / 1e9;
        }

        private cl_kernel kernel(String name, String real, int lanes, int chains) {
            cl_program program = CL.clCreateProgramWithSource(context, 1, new String[] {source}, null, null);
            releases.push(() -> CL.clReleaseProgram(program));
            CL.clBuildProgram(program, 1, new cl_device_id[] {device},
                "-DREAL=" + real + " -DVECTOR=" + real + lanes + " -DCHAINS=" + chains, null, null);
            cl_kernel kernel = CL.clCreateKernel(program, name, null);
            releases.push(() -> CL.clReleaseKernel(kernel));
            return kernel;
        }

        private cl_mem buffer(long bytes) {
            cl_mem buffer = CL.clCreateBuffer(context, CL.CL_MEM_READ_WRITE, bytes, null, null);
            releases.push(() -> CL.clReleaseMemObject(buffer));
            return buffer;
        }

        private double bestSeconds(cl_kernel kernel) {
            double best = Double.POSITIVE_INFINITY;
            for (int repeat = 0; repeat < REPEATS; repeat++) {
                long start = System.nanoTime();
                CL.clEnqueueNDRangeKernel(queue, kernel, 1, null, new long[] {items}, new long[] {1}, 0, null, null);
                CL.clFinish(queue);
                best = Math.min(best, (System.nanoTime() - start) / 1e9);
            }
            return best;
        }

        @Override
        public void close() {
            releases.forEach(Runnable::run);
        }
    }
}
