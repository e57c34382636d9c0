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
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the OpenCL loader finds on this machine. Neither a missing loader nor a missing platform is an error. */
final class OpenCl {
    private static final Logger LOG = LoggerFactory.getLogger(OpenCl.class);
    /** What {@code clGetPlatformIDs} says where the loader has no platform (cl_khr_icd). */
    private static final int PLATFORM_NOT_FOUND_KHR = -1001;
    private static final Pattern XILINX_CARD = Pattern.compile("xilinx_([a-z0-9-]+)_.*");
    /** Intel writes the board, then its own words: {@code pac_a10 : Intel PAC Platform (pac_ee00000)}. */
    private static final Pattern INTEL_BOARD = Pattern.compile("([a-z0-9_]+) : .*");
    private static final Pattern PCI_ADDRESS = Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
    /** Xilinx's own query, which answers with the address as text. */
    private static final int CL_DEVICE_PCIE_BDF = 0x1120;
    /** Of cl_khr_pci_bus_info, which answers with four numbers. */
    private static final int CL_DEVICE_PCI_BUS_INFO_KHR = 0x410F;

    /** JOCL keeps its contexts in a map that it guards by nothing: two threads that change it at once crash the JVM. */
    private static final Object CONTEXTS = new Object();

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

    /** A context of that one device. */
    static ClHandle<cl_context> context(Found found) {
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, found.platformId());
        synchronized (CONTEXTS) {
            return ClHandle.of(() -> CL.clCreateContext(
                properties, 1, new cl_device_id[] {found.deviceId()}, null, null, null), OpenCl::release);
        }
    }

    private static void release(cl_context context) {
        synchronized (CONTEXTS) {
            CL.clReleaseContext(context);
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
        return new Found(platform, device, vendor,
            shortName(text(device, CL.CL_DEVICE_NAME), number(device, CL.CL_DEVICE_TYPE)));
    }

    /** What bitstreams call the platform of a device of this name. */
    static String shortName(String deviceName, long type) {
        String name = deviceName.toLowerCase(Locale.ROOT);
        Matcher xilinx = XILINX_CARD.matcher(name);
        if (xilinx.matches()) {
            return xilinx.group(1);
        }
        Matcher intel = INTEL_BOARD.matcher(name);
        if (intel.matches() && (type & CL.CL_DEVICE_TYPE_ACCELERATOR) != 0) {
            return slug(intel.group(1));
        }
        return (type & CL.CL_DEVICE_TYPE_CPU) != 0 ? "cpu" : slug(name);
    }

    /** Where the card sits, e.g. {@code 0000:3b:00.1}; empty where the driver does not tell. */
    static String pciAddress(cl_device_id device) {
        try {
            String address = text(device, CL_DEVICE_PCIE_BDF).toLowerCase(Locale.ROOT);
            if (PCI_ADDRESS.matcher(address).matches()) {
                return address;
            }
        } catch (CLException e) {
            LOG.debug("no address of Xilinx's kind: {}", e.getMessage());
        }
        try {
            int[] place = new int[4];
            CL.clGetDeviceInfo(device, CL_DEVICE_PCI_BUS_INFO_KHR, (long) place.length * Integer.BYTES, Pointer.to(place), null);
            return String.format(Locale.ROOT, "%04x:%02x:%02x.%x", place[0], place[1], place[2], place[3]);
        } catch (CLException e) {
            LOG.debug("no address of Khronos's kind: {}", e.getMessage());
            return "";
        }
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
