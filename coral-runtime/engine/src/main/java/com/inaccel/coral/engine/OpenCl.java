package com.inaccel.coral.engine;

import static org.jocl.CL.CL_DEVICE_NOT_FOUND;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/** What the OpenCL loader finds on this machine. Neither a missing loader nor a missing platform is an error. */
final class OpenCl {
    /** What {@code clGetPlatformIDs} says where the loader has no platform (cl_khr_icd). */
    private static final int PLATFORM_NOT_FOUND_KHR = -1001;
    private static final Pattern XILINX_CARD = Pattern.compile("xilinx_([a-z]+\\d+[a-z]*)_.*");

    private OpenCl() { }

    /** @param problem why there is none; empty where there are devices */
    record Discovery(List<Found> devices, String problem) { }

    /**
     * A device as the driver describes it.
     *
     * @param vendor short, e.g. {@code pocl}, {@code xilinx}
     * @param platform short, e.g. {@code cpu}, {@code u250}
     */
    record Found(cl_platform_id platformId, cl_device_id deviceId, String vendor, String platform) { }

    static Discovery discover() {
        try (SignalHandlers jvms = SignalHandlers.keep()) {
            // JOCL unpacks its native half into the temporary directory, and would load a file of that name that is there
            // already, whoever put it there. With this it takes a name that nobody can foresee.
            System.setProperty("uniqueLibraryNames", "true");
            CL.setExceptionsEnabled(true);
            List<Found> found = new ArrayList<>();
            for (cl_platform_id platform : platforms()) {
                for (cl_device_id device : devices(platform)) {
                    if (flag(device, CL.CL_DEVICE_AVAILABLE)) {
                        found.add(describe(platform, device));
                    }
                }
            }
            return new Discovery(found, found.isEmpty() ? "no OpenCL device" : "");
        } catch (CLException e) {
            return new Discovery(List.of(), "OpenCL answers " + e.getMessage());
        } catch (LinkageError | UnsupportedOperationException e) {
            return new Discovery(List.of(), "no OpenCL loader: " + e.getMessage());
        }
    }

    private static cl_platform_id[] platforms() {
        int[] count = new int[1];
        try {
            CL.clGetPlatformIDs(0, null, count);
        } catch (CLException e) {
            if (e.getStatus() == PLATFORM_NOT_FOUND_KHR) {
                return new cl_platform_id[0];
            }
            throw e;
        }
        cl_platform_id[] platforms = new cl_platform_id[count[0]];
        if (count[0] > 0) {
            CL.clGetPlatformIDs(count[0], platforms, null);
        }
        return platforms;
    }

    private static cl_device_id[] devices(cl_platform_id platform) {
        long types = CL.CL_DEVICE_TYPE_CPU | CL.CL_DEVICE_TYPE_GPU | CL.CL_DEVICE_TYPE_ACCELERATOR;
        int[] count = new int[1];
        try {
            CL.clGetDeviceIDs(platform, types, 0, null, count);
        } catch (CLException e) {
            if (e.getStatus() == CL_DEVICE_NOT_FOUND) {
                return new cl_device_id[0];
            }
            throw e;
        }
        cl_device_id[] devices = new cl_device_id[count[0]];
        if (count[0] > 0) {
            CL.clGetDeviceIDs(platform, types, count[0], devices, null);
        }
        return devices;
    }

    private static Found describe(cl_platform_id platform, cl_device_id device) {
        String vendor = vendor(platformText(platform, CL.CL_PLATFORM_NAME) + " "
            + platformText(platform, CL.CL_PLATFORM_VENDOR));
        String name = text(device, CL.CL_DEVICE_NAME).toLowerCase(Locale.ROOT);
        Matcher card = XILINX_CARD.matcher(name);
        String shortName = card.matches() ? card.group(1)
            : (number(device, CL.CL_DEVICE_TYPE) & CL.CL_DEVICE_TYPE_CPU) != 0 ? "cpu" : slug(name);
        return new Found(platform, device, vendor, shortName);
    }

    private static String vendor(String driver) {
        String lower = driver.toLowerCase(Locale.ROOT);
        if (lower.contains("portable computing language")) {
            return "pocl";
        }
        for (String known : List.of("xilinx", "intel", "nvidia", "amd")) {
            if (lower.contains(known)) {
                return known;
            }
        }
        return lower.contains("advanced micro devices") ? "amd" : slug(lower);
    }

    private static String slug(String text) {
        return text.trim().replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
    }

    static String text(cl_device_id device, int what) {
        long[] size = new long[1];
        CL.clGetDeviceInfo(device, what, 0, null, size);
        byte[] bytes = new byte[Math.toIntExact(size[0])];
        CL.clGetDeviceInfo(device, what, bytes.length, Pointer.to(bytes), null);
        return text(bytes);
    }

    private static String platformText(cl_platform_id platform, int what) {
        long[] size = new long[1];
        CL.clGetPlatformInfo(platform, what, 0, null, size);
        byte[] bytes = new byte[Math.toIntExact(size[0])];
        CL.clGetPlatformInfo(platform, what, bytes.length, Pointer.to(bytes), null);
        return text(bytes);
    }

    /** C's strings end with a zero. */
    static String text(byte[] bytes) {
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8).trim();
    }

    /** A number of four or eight bytes: little-endian, as every platform of OpenCL that Java runs on. */
    static long number(cl_device_id device, int what) {
        long[] value = new long[1];
        CL.clGetDeviceInfo(device, what, size(device, what), Pointer.to(value), null);
        return value[0];
    }

    static boolean flag(cl_device_id device, int what) {
        return number(device, what) != 0;
    }

    private static long size(cl_device_id device, int what) {
        long[] size = new long[1];
        CL.clGetDeviceInfo(device, what, 0, null, size);
        return size[0];
    }
}
