package com.inaccel.coral.functions.images;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.local.LocalS3;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a store gets to see. */
class ObjectStoreTest {
    @BeforeAll
    static void authorize() {
        System.setProperty("aws.accessKeyId", LocalS3.ACCESS_KEY);
        System.setProperty("aws.secretAccessKey", LocalS3.SECRET_KEY);
    }

    @AfterAll
    static void forget() {
        System.clearProperty("aws.accessKeyId");
        System.clearProperty("aws.secretAccessKey");
    }

    @Test
    void shouldSendNothingBehindTheLastByteOfAnObject() throws Exception {
        CompletableFuture<Headers> seen = new CompletableFuture<>();
        CompletableFuture<byte[]> received = new CompletableFuture<>();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            seen.complete(exchange.getRequestHeaders());
            received.complete(exchange.getRequestBody().readAllBytes());
            exchange.sendResponseHeaders(200, -1);
            exchange.close();
        });
        server.start();
        try (ObjectStore store = ObjectStore.open(FunctionConfig.of(Map.of(
                "FUNCTION_S3_ENDPOINT", "http://127.0.0.1:" + server.getAddress().getPort())))) {
            byte[] object = new byte[200_000];
            store.put(new ObjectRef("bucket", "key"), object, "image/png", Map.of());
            assertThat(received.join()).isEqualTo(object);
            assertThat(seen.join().getFirst("Content-Length")).isEqualTo("200000");
            assertThat(seen.join().getFirst("x-amz-content-sha256")).as("the signed sum").hasSize(64);
        } finally {
            server.stop(0);
        }
    }
}
