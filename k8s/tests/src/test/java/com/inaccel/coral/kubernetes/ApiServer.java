package com.inaccel.coral.kubernetes;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.Context;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.util.HashMap;
import java.util.List;
import okhttp3.mockwebserver.MockResponse;
import okhttp3.mockwebserver.MockWebServer;
import okhttp3.mockwebserver.RecordedRequest;
import okio.Buffer;

/** Fabric8's mock of an API server, which keeps what it is given; here it starts pods as pending, and creates what is applied. */
final class ApiServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KubernetesMockServer server = new KubernetesMockServer(
        new Context(JSON), new MockWebServer(), new HashMap<>(), new Dispatcher(), /* useHttps= */ false);

    private static final class Dispatcher extends KubernetesCrudDispatcher {
        Dispatcher() {
            super(List.of());
        }

        @Override
        public MockResponse dispatch(RecordedRequest request) {
            if (request.getMethod().equals("POST") && request.getPath().endsWith("/pods")) {
                makePending(request.getBody());
            }
            String type = String.valueOf(request.getHeader("Content-Type")); // with the character set behind it
            return type.startsWith("application/apply-patch+yaml") ? apply(request) : super.dispatch(request);
        }

        /** Changes what is there, or creates it, neither of which the mock does when something is applied. */
        private MockResponse apply(RecordedRequest request) {
            MockResponse changed =
                super.dispatch(as(request, "PATCH", request.getPath(), "application/merge-patch+json"));
            return changed.getStatus().contains(" 404 ")
                ? super.dispatch(as(request, "POST", request.getPath().replaceFirst("/[^/]*$", ""), "application/json"))
                : changed;
        }

        private static RecordedRequest as(RecordedRequest request, String method, String path, String type) {
            Buffer body = request.getBody().clone();
            return new RecordedRequest(method + " " + path + " HTTP/1.1",
                request.getHeaders().newBuilder().set("Content-Type", type).build(), List.of(), body.size(), body,
                request.getSequenceNumber(), new Socket());
        }

        private static void makePending(Buffer body) {
            try {
                ObjectNode pod = (ObjectNode) JSON.readTree(body.readUtf8());
                pod.putObject("status").put("phase", "Pending");
                body.writeUtf8(JSON.writeValueAsString(pod));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    ApiServer() {
        server.init();
    }

    String url() {
        return "http://127.0.0.1:" + server.getPort();
    }

    /** The caller closes it. */
    KubernetesClient client() {
        return server.createClient();
    }

    @Override
    public void close() {
        server.destroy();
    }
}
