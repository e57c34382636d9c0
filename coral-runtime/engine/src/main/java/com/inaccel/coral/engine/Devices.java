package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jocl.CL;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the devices that the configuration asks for. */
final class Devices {
    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);
    private static final Pattern EMULATED = Pattern.compile("([a-z0-9_-]+)/([A-Za-z0-9_-]+)(?::([0-9]{1,2}))?");
    /** Where a request failed and what a device holds is kept by index; more would be another design. */
    private static final int MAX_DEVICES = 64;

    private final EngineConfig config;
    private final List<Device> opened = new ArrayList<>();
    private final Map<String, Integer> serials = new HashMap<>();
    private int hostFallbacks;
    private String fallback = ""; // why it is not OpenCL that computes, where it was looked for

    private Devices(EngineConfig config) {
        this.config = config;
    }

    /** The caller closes the devices. */
    record Opened(List<Device> devices, int hostFallbacks) { }

    static Opened open(EngineConfig config) {
        Devices devices = new Devices(config);
        try {
            devices.openAll();
            return new Opened(List.copyOf(devices.opened), devices.hostFallbacks);
        } catch (RuntimeException | Error e) {
            devices.opened.forEach(Device::close);
            throw e;
        }
    }

    private void openAll() {
        String wanted = config.word(Key.DEVICES);
        if (wanted.equals("host")) {
            opened.add(host());
            return;
        }
        OpenCl.Discovery openCl = OpenCl.discover();
        if (!config.list(Key.EMULATE).isEmpty()) {
            openEmulated(openCl);
            return;
        }
        for (OpenCl.Found found : openCl.devices()) {
            requireRoom();
            opened.add(new OpenClDevice(id(found.vendor(), found.platform()), found, /* copies= */ false));
        }
        if (opened.isEmpty() && wanted.equals("opencl")) {
            throw new CoralException(ErrorCode.NO_MANAGER,
                "no OpenCL device: coral.devices=opencl, problem=" + openCl.problem()
                    + "; install a driver, or set coral.devices=auto");
        }
        if (opened.isEmpty()) {
            fallBack(openCl);
            opened.add(host());
        }
    }

    private void openEmulated(OpenCl.Discovery openCl) {
        Optional<OpenCl.Found> base = openCl.devices().stream()
            .filter(found -> (OpenCl.number(found.deviceId(), CL.CL_DEVICE_TYPE) & CL.CL_DEVICE_TYPE_CPU) != 0)
            .findFirst();
        if (base.isEmpty()) {
            fallBack(openCl);
        }
        for (String item : config.list(Key.EMULATE)) {
            Matcher spec = EMULATED.matcher(item);
            if (!spec.matches()) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                    "invalid configuration: key=" + Key.EMULATE.id() + ", value=" + item
                        + "; use VENDOR/PLATFORM:COUNT, e.g. xilinx/u250:2");
            }
            int count = spec.group(3) == null ? 1 : Integer.parseInt(spec.group(3));
            for (int i = 0; i < count; i++) {
                openEmulated(spec.group(1), spec.group(2), base);
            }
        }
        if (opened.isEmpty()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "no device to emulate: key=" + Key.EMULATE.id() + ", value=" + config.list(Key.EMULATE)
                    + "; give a count of at least 1");
        }
    }

    private void openEmulated(String vendor, String platform, Optional<OpenCl.Found> found) {
        requireRoom();
        String id = id(vendor, platform);
        Device base = found.<Device>map(cpu -> new OpenClDevice(id, cpu, /* copies= */ false)).orElseGet(this::host);
        try {
            opened.add(new EmulatedDevice(id, vendor, platform, config.bytes(Key.EMULATE_MEMORY),
                config.duration(Key.EMULATE_PROGRAMMING), config.duration(Key.EMULATE_RUN), config.count(Key.EMULATE_UNITS),
                base));
        } catch (RuntimeException | Error e) {
            base.close();
            throw e;
        }
    }

    private Device host() {
        return new HostDevice(config.bytes(Key.MEMORY_LIMIT), fallback);
    }

    private void fallBack(OpenCl.Discovery openCl) {
        hostFallbacks++;
        fallback = openCl.problem().isEmpty() ? "no OpenCL device to emulate on" : openCl.problem();
        LOG.warn("no OpenCL device, falling back to pure Java, which is many times slower: problem={}", openCl.problem());
    }

    private void requireRoom() {
        if (opened.size() == MAX_DEVICES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "too many devices: limit=" + MAX_DEVICES + "; emulate fewer");
        }
    }

    /** Unique, and the same at every start with the same devices. */
    private String id(String vendor, String platform) {
        String kind = vendor + "-" + platform;
        return kind + "-" + (serials.merge(kind, 1, Integer::sum) - 1);
    }
}
