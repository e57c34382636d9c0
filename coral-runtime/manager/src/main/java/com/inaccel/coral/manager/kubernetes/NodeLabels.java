package com.inaccel.coral.manager.kubernetes;

import static java.util.stream.Collectors.toMap;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import com.inaccel.coral.manager.Version;
import com.inaccel.coral.manager.inventory.NodeDevice;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Labels this node, in Kubernetes, with the FPGAs that it has, so that pods can be sent to the right ones. What is written is
 * as the manager finds it; labels of an earlier one that hold no more go, and a manager that stops takes its own along. One
 * that is killed leaves them: the next one comes soon.
 *
 * <p>It asks for no more than this, on nodes, from the cluster's roles: <b>get</b>, and <b>patch</b>. Kubernetes cannot narrow
 * that down to one node by a role; what is patched is the node of that name, and nothing but labels below our prefix.
 *
 * <p>On a thread of its own: whatever the API server does or does not, the node's pods are served.
 */
public final class NodeLabels implements AutoCloseable {
    static final String PREFIX = "coral.inaccel.com/";
    private static final Pattern NODE = Pattern.compile("[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?");
    private static final int MAX_LABEL = 63;
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    /** Also what it takes until labels that somebody else removed are back. */
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
    private static final int FORBIDDEN = 403;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Logger LOG = LoggerFactory.getLogger(NodeLabels.class);

    private final String node;
    private final Supplier<Config> api;
    private final Runnable onFailure;
    private final Duration refresh;
    private final ScheduledThreadPoolExecutor writer;
    private boolean leaving;
    /** For the writer's thread only, like all below. Made there: it takes a second to load. */
    private KubernetesClient client;
    private Map<String, String> written = Map.of();
    private long writtenNanos;
    private int failures;
    private String lastProblem = "";

    private NodeLabels(String node, Duration refresh, Supplier<Config> api, Runnable onFailure) {
        this.node = node;
        this.refresh = refresh;
        this.api = api;
        this.onFailure = onFailure;
        this.writer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "coral-labels");
            thread.setDaemon(true);
            return thread;
        });
        writer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /**
     * Labels nothing before {@link #start}. It acts as the service account of the manager's pod, or as whom the kubeconfig
     * names.
     *
     * @param onFailure runs with each attempt that failed
     * @throws CoralException INVALID_ARGUMENT for a name that no node can have
     */
    public static NodeLabels of(EngineConfig config, Runnable onFailure) {
        return of(config, () -> Config.autoConfigure(null), onFailure);
    }

    static NodeLabels of(EngineConfig config, Supplier<Config> api, Runnable onFailure) {
        String node = config.word(Key.KUBERNETES_NODE);
        if (!NODE.matcher(node).matches()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a name of a node: key=" + Key.KUBERNETES_NODE.id()
                + ", value=" + node + "; take it from the field spec.nodeName of the manager's pod");
        }
        return new NodeLabels(node, config.duration(Key.KUBERNETES_REFRESH), api, onFailure);
    }

    /** @param devices what there is now; asked again and again, from another thread */
    public void start(Supplier<List<NodeDevice>> devices) {
        writer.execute(() -> refresh(devices));
    }

    private void refresh(Supplier<List<NodeDevice>> devices) {
        Duration pause = refresh;
        try {
            Map<String, String> now = labels(devices.get());
            if (!now.equals(written) || System.nanoTime() - writtenNanos > LONGEST_PAUSE.toNanos()) {
                write(now);
                if (!now.equals(written)) {
                    LOG.info("labelled the node: node={}, labels={}", node, now);
                }
                written = now;
                writtenNanos = System.nanoTime();
            }
            failures = 0;
            lastProblem = "";
        } catch (RuntimeException e) {
            onFailure.run();
            problem(e);
            Duration longer = refresh.multipliedBy(1L << Math.min(failures++, 16));
            pause = longer.compareTo(LONGEST_PAUSE) < 0 ? longer : LONGEST_PAUSE;
        }
        again(() -> refresh(devices), pause);
    }

    private synchronized void again(Runnable task, Duration pause) {
        if (!leaving) {
            writer.schedule(task, pause.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void problem(RuntimeException e) {
        boolean forbidden = e instanceof KubernetesClientException refused && refused.getCode() == FORBIDDEN;
        String problem = "node cannot be labelled, going on without: node=" + node + ", cause=" + e.getMessage() + "; "
            + (forbidden ? "allow the manager's service account get and patch on nodes"
                : "see that there is such a node, and that the API server is reached")
            + ", or leave " + Key.KUBERNETES_NODE.id() + " empty";
        if (!problem.equals(lastProblem)) {
            LOG.warn("{}", problem);
            lastProblem = problem;
        }
    }

    /** Those of ours that the node should not have go with the same request. */
    private void write(Map<String, String> now) {
        if (client == null) {
            Config patient = new ConfigBuilder(api.get()).withConnectionTimeout((int) TIMEOUT.toMillis())
                .withRequestTimeout((int) TIMEOUT.toMillis()).withRequestRetryBackoffLimit(0).build();
            client = new KubernetesClientBuilder().withConfig(patient).withHttpClientFactory(new JdkHttpClientFactory()).build();
        }
        Node before = client.nodes().withName(node).get();
        if (before == null) {
            throw new KubernetesClientException("no such node: node=" + node);
        }
        Map<String, String> patch = new HashMap<>();
        Map<String, String> present = before.getMetadata().getLabels() == null ? Map.of() : before.getMetadata().getLabels();
        present.keySet().stream().filter(name -> name.startsWith(PREFIX)).forEach(name -> patch.put(name, null));
        patch.putAll(now);
        if (patch.entrySet().stream().anyMatch(label -> label.getValue() == null
                || !label.getValue().equals(present.get(label.getKey())))) {
            client.nodes().withName(node).patch(PatchContext.of(PatchType.JSON_MERGE), json(patch));
        }
    }

    private static String json(Map<String, String> labels) {
        try {
            return JSON.writeValueAsString(Map.of("metadata", Map.of("labels", labels)));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e); // it is text
        }
    }

    /**
     * What the FPGAs come to. Only those count that Coral can use when they are well: health changes too often for labels, and
     * is told to the scheduler by the device plugin.
     */
    static Map<String, String> labels(List<NodeDevice> devices) {
        List<NodeDevice> usable = devices.stream().filter(NodeDevice::usable).toList();
        Map<String, String> labels = new TreeMap<>();
        labels.put("version", Version.text());
        labels.put("count", Integer.toString(usable.size()));
        for (NodeDevice device : usable) {
            String kind = device.vendor() + (device.platform().isEmpty() ? "" : "-" + device.platform());
            labels.put("vendor." + device.vendor(), "true");
            labels.merge("count." + kind, "1", (one, other) -> Integer.toString(Integer.parseInt(one) + 1));
            labels.put("platform." + kind, "true");
            if (!device.shell().isEmpty()) {
                labels.merge("shell." + kind, device.shell(), (one, other) -> one.equals(other) ? one : "several");
            }
            if (device.emulated()) {
                labels.put("emulated", "true");
            }
        }
        return labels.entrySet().stream()
            .collect(toMap(label -> PREFIX + valid(label.getKey()), label -> valid(label.getValue()), (one, other) -> one,
                TreeMap::new));
    }

    /** As Kubernetes takes it: up to 63 letters and digits, with - _ . between. */
    private static String valid(String text) {
        String cut = text.replaceAll("[^A-Za-z0-9_.-]", "-");
        return cut.substring(0, Math.min(cut.length(), MAX_LABEL)).replaceAll("^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "");
    }

    /** Begins to remove the labels, and does not wait for it. */
    public synchronized void leave() {
        if (leaving) {
            return;
        }
        leaving = true;
        writer.execute(() -> {
            try {
                write(Map.of());
            } catch (RuntimeException e) {
                LOG.warn("labels of the node stay: node={}, cause={}", node, e.getMessage());
            }
            if (client != null) {
                client.close();
            }
        });
        writer.shutdown();
    }

    /** Removes the labels, unless the API server takes too long for that. */
    @Override
    public void close() {
        leave();
        try {
            if (!writer.awaitTermination(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("labels of the node stay, the API server does not answer: node={}", node);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        writer.shutdownNow();
    }
}
