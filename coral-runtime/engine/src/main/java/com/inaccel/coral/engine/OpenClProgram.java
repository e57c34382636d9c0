package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_program;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A bitstream built for one device. Thread-safe; its kernels are not, as they carry their arguments. */
final class OpenClProgram implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OpenClProgram.class);

    /**
     * What compiling gave, for all engines of this process: by device, driver and source. Building from source takes a
     * second, loading what came out of it a few milliseconds.
     */
    private static final Map<BuildKey, byte[]> BUILT = new ConcurrentHashMap<>();

    private record BuildKey(String device, String driver, String options, String source) { }

    private final String origin;
    private final ClHandle<cl_program> program;
    /** By lane and name. */
    private final Map<KernelKey, ClHandle<cl_kernel>> kernels = new ConcurrentHashMap<>();
    private volatile boolean ran;

    private record KernelKey(Object lane, String name) { }

    private OpenClProgram(String origin, ClHandle<cl_program> program) {
        this.origin = origin;
        this.program = program;
    }

    /** Runs it. Some drivers compile a kernel when it runs for the first time, so nothing runs beside the first. */
    void run(Runnable commands) {
        if (ran) {
            commands.run();
            return;
        }
        synchronized (this) {
            try (SignalHandlers jvms = SignalHandlers.keep()) {
                commands.run();
                ran = true;
            }
        }
    }

    /** @throws CoralException BAD_BITSTREAM, with the compiler's log where there is one */
    static OpenClProgram load(cl_context context, cl_device_id device, Bitstream bitstream) {
        ClHandle<cl_program> program = bitstream.isSource()
            ? compiled(context, device, bitstream)
            : fromBinary(context, device, bitstream.binary(), "", bitstream.origin());
        return new OpenClProgram(bitstream.origin(), program);
    }

    /** For this lane only. */
    cl_kernel kernel(Object lane, String name) {
        return kernels.computeIfAbsent(new KernelKey(lane, name), missing -> {
            try {
                return ClHandle.of(() -> CL.clCreateKernel(program.get(), name, null), CL::clReleaseKernel);
            } catch (CLException e) {
                throw new CoralException(ErrorCode.BAD_BITSTREAM,
                    "bitstream lacks a kernel: manifest=" + origin + ", kernel=" + name + ", status="
                        + e.getMessage() + "; correct the manifest or the kernel's name", e);
            }
        }).get();
    }

    /** The built program, in the driver's own format. */
    byte[] binary() {
        return binary(program.get());
    }

    @Override
    public void close() {
        kernels.values().forEach(ClHandle::close);
        kernels.clear();
        program.close();
    }

    private static ClHandle<cl_program> compiled(cl_context context, cl_device_id device, Bitstream bitstream) {
        BuildKey key = new BuildKey(OpenCl.text(device, CL.CL_DEVICE_NAME), OpenCl.text(device, CL.CL_DRIVER_VERSION),
            bitstream.options(), bitstream.sourceCode());
        byte[] built = BUILT.get(key);
        if (built != null) {
            try {
                return fromBinary(context, device, built, bitstream.options(), bitstream.origin());
            } catch (CoralException e) {
                BUILT.remove(key);
                LOG.warn("driver refuses the binary it made, compiling again: bitstream={}, problem={}",
                    bitstream, e.getMessage());
            }
        }
        ClHandle<cl_program> program = fromSource(context, device, bitstream);
        BUILT.put(key, binary(program.get()));
        return program;
    }

    private static ClHandle<cl_program> fromSource(cl_context context, cl_device_id device, Bitstream bitstream) {
        ClHandle<cl_program> program = ClHandle.of(() -> CL.clCreateProgramWithSource(
            context, 1, new String[] {bitstream.sourceCode()}, null, null), CL::clReleaseProgram);
        return build(program, device, bitstream.options(), bitstream.origin());
    }

    private static ClHandle<cl_program> fromBinary(
            cl_context context, cl_device_id device, byte[] binary, String options, String origin) {
        ClHandle<cl_program> program;
        try {
            program = ClHandle.of(() -> CL.clCreateProgramWithBinary(context, 1, new cl_device_id[] {device},
                new long[] {binary.length}, new byte[][] {binary}, null, null), CL::clReleaseProgram);
        } catch (CLException e) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "driver does not take the bitstream: manifest=" + origin + ", device="
                    + OpenCl.text(device, CL.CL_DEVICE_NAME) + ", bytes=" + binary.length + ", status="
                    + e.getMessage() + "; build it for this device", e);
        }
        return build(program, device, options, origin);
    }

    private static ClHandle<cl_program> build(
            ClHandle<cl_program> program, cl_device_id device, String options, String origin) {
        try {
            CL.clBuildProgram(program.get(), 1, new cl_device_id[] {device}, options, null, null);
            return program;
        } catch (CLException e) {
            String log = buildLog(program.get(), device);
            program.close();
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "bitstream does not build: manifest=" + origin + ", options=" + options + ", status=" + e.getMessage()
                    + "; correct the source, the compiler says:\n" + log, e);
        }
    }

    private static String buildLog(cl_program program, cl_device_id device) {
        long[] size = new long[1];
        CL.clGetProgramBuildInfo(program, device, CL.CL_PROGRAM_BUILD_LOG, 0, null, size);
        byte[] log = new byte[Math.toIntExact(size[0])];
        CL.clGetProgramBuildInfo(program, device, CL.CL_PROGRAM_BUILD_LOG, log.length, Pointer.to(log), null);
        return OpenCl.text(log);
    }

    private static byte[] binary(cl_program program) {
        long[] size = new long[1];
        CL.clGetProgramInfo(program, CL.CL_PROGRAM_BINARY_SIZES, Long.BYTES, Pointer.to(size), null);
        byte[] binary = new byte[Math.toIntExact(size[0])];
        CL.clGetProgramInfo(program, CL.CL_PROGRAM_BINARIES, Long.BYTES, Pointer.to(Pointer.to(binary)), null);
        return binary;
    }
}
