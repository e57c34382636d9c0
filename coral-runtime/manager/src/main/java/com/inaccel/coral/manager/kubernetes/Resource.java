package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** An extended resource of Kubernetes, that its nodes have so many of and pods ask for, e.g. {@code xilinx.com/fpga}. */
public record Resource(String name) {
    /** Kubernetes puts {@code requests.} before it, and the whole must fit 253 characters. */
    private static final int MAX_DOMAIN = 253 - "requests.".length();
    private static final Pattern DOMAIN = Pattern.compile("[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?");
    private static final String MOUNTS = "/run/coral/";

    public Resource {
        int slash = name.indexOf('/');
        String domain = name.substring(0, Math.max(slash, 0));
        if (!DOMAIN.matcher(domain).matches() || domain.length() > MAX_DOMAIN
                || !NAME.matcher(name.substring(slash + 1)).matches()
                || domain.equals("kubernetes.io") || domain.endsWith(".kubernetes.io") || domain.startsWith("requests.")) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a resource that Kubernetes takes: key="
                + Key.KUBERNETES_RESOURCES.id() + ", resource=" + name + "; write DOMAIN/NAME, e.g. xilinx.com/fpga: a domain "
                + "of your own in small letters, not below kubernetes.io, and up to 63 letters and digits with - _ . between");
        }
    }

    /** Where containers find the directory with their socket: each resource has a place of its own. */
    String mount() {
        return MOUNTS + name.replace('/', '-');
    }

    /** By the vendor whose FPGAs it stands for; several vendors may share one. */
    public static Map<String, Resource> parse(List<String> items) {
        Map<String, Resource> resources = new TreeMap<>();
        for (String item : items) {
            String[] parts = item.split("=", 2);
            if (parts.length != 2 || parts[0].isBlank()
                    || resources.put(parts[0].trim(), new Resource(parts[1].trim())) != null) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a vendor with its resource: key="
                    + Key.KUBERNETES_RESOURCES.id() + ", item=" + item + "; write VENDOR=DOMAIN/NAME, each vendor once");
            }
        }
        return resources;
    }
}
