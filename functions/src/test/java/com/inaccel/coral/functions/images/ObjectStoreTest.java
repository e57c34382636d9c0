package com.inaccel.coral.functions.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import com.inaccel.coral.functions.local.LocalS3;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
        byte[] object = new byte[200_000];

        put(object, exchange -> {
            seen.complete(exchange.getRequestHeaders());
            received.complete(exchange.getRequestBody().readAllBytes());
            exchange.sendResponseHeaders(200, -1);
        });

        assertThat(received.join()).isEqualTo(object);
        assertThat(seen.join().getFirst("Content-Length")).isEqualTo("200000");
        assertThat(seen.join().getFirst("x-amz-content-sha256")).as("the signed sum").hasSize(64);
    }

    @ParameterizedTest
    @CsvSource({"KeyTooLongError, BAD_REQUEST", "InvalidURI, BAD_REQUEST", "RequestTimeout, STORE_UNAVAILABLE",
        "ExpiredToken, STORE_UNAVAILABLE", "InvalidRequest, STORE_UNAVAILABLE"})
    void shouldBlameTheObjectOnlyForItsName(String code, Problem problem) {
        byte[] error = ("<Error><Code>" + code + "</Code></Error>").getBytes(StandardCharsets.UTF_8);

        assertThatThrownBy(() -> put(new byte[1], exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(400, error.length);
            exchange.getResponseBody().write(error);
        })).isInstanceOf(FunctionException.class).hasMessageContaining("cause=" + code)
            .satisfies(failure -> assertThat(((FunctionException) failure).problem()).isEqualTo(problem));
    }

    private static void put(byte[] object, HttpHandler store) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            store.handle(exchange);
            exchange.close();
        });
        server.start();
        try (ObjectStore client = ObjectStore.open(FunctionConfig.of(Map.of(
                "FUNCTION_S3_ENDPOINT", "http://127.0.0.1:" + server.getAddress().getPort())))) {
            client.put(new ObjectRef("bucket", "key"), object, "image/png", Map.of());
        } finally {
            server.stop(0);
        }
    }
}
