package com.inaccel.coral.bench.manager;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jocl.CL;
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
 * The kernel of {@code com.inaccel.math.Vector.Add} on one element, called through OpenCL on the first device with nothing
 * between: what a request costs at the least. Used by one thread.
 */
final class DirectCall implements AutoCloseable {
    private static final String SOURCE = "/com/inaccel/coral/accelerators/vector/vector.cl";
    private static final int CHUNK = 4096;

    private final Deque<Runnable> releases = new ArrayDeque<>(); // last opened first
    private final cl_command_queue queue;
    private final cl_kernel kernel;
    private final cl_mem[] vectors = new cl_mem[3];
    private final FloatBuffer[] host = new FloatBuffer[3];

    DirectCall() throws IOException {
        CL.setExceptionsEnabled(true);
        cl_platform_id[] platforms = new cl_platform_id[1];
        CL.clGetPlatformIDs(1, platforms, null);
        cl_device_id[] devices = new cl_device_id[1];
        CL.clGetDeviceIDs(platforms[0], CL.CL_DEVICE_TYPE_ALL, 1, devices, null);
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, platforms[0]);
        cl_context context = CL.clCreateContext(properties, 1, devices, null, null, null);
        releases.push(() -> CL.clReleaseContext(context));
        queue = CL.clCreateCommandQueueWithProperties(context, devices[0], new cl_queue_properties(), null);
        releases.push(() -> CL.clReleaseCommandQueue(queue));
        cl_program program = CL.clCreateProgramWithSource(context, 1, new String[] {source()}, null, null);
        releases.push(() -> CL.clReleaseProgram(program));
        CL.clBuildProgram(program, 1, devices, null, null, null);
        kernel = CL.clCreateKernel(program, "vector_add", null);
        releases.push(() -> CL.clReleaseKernel(kernel));
        for (int i = 0; i < vectors.length; i++) {
            ByteBuffer memory = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
            host[i] = memory.asFloatBuffer();
            cl_mem vector = CL.clCreateBuffer(context, CL.CL_MEM_READ_WRITE | CL.CL_MEM_USE_HOST_PTR, Float.BYTES,
                Pointer.to(memory), null);
            releases.push(() -> CL.clReleaseMemObject(vector));
            vectors[i] = vector;
        }
    }

    private static String source() throws IOException {
        try (InputStream in = DirectCall.class.getResourceAsStream(SOURCE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Returns when the sum is in the host's memory. */
    float add(float a, float b) {
        host[0].put(0, a);
        host[1].put(0, b);
        for (int i = 0; i < vectors.length; i++) {
            CL.clSetKernelArg(kernel, i, Sizeof.cl_mem, Pointer.to(vectors[i]));
        }
        CL.clSetKernelArg(kernel, 3, Sizeof.cl_int, Pointer.to(new int[] {1}));
        CL.clSetKernelArg(kernel, 4, Sizeof.cl_int, Pointer.to(new int[] {CHUNK}));
        CL.clEnqueueNDRangeKernel(queue, kernel, 1, null, new long[] {1}, new long[] {1}, 0, null, null);
        CL.clEnqueueReadBuffer(queue, vectors[2], true, 0, Float.BYTES, Pointer.to(host[2]), 0, null, null); // in place
        return host[2].get(0);
    }

    @Override
    public void close() {
        CL.clFinish(queue);
        while (!releases.isEmpty()) {
            releases.pop().run();
        }
    }
}
