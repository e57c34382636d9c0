package com.inaccel.coral.functions.local;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * A real S3 server on this machine, to try functions with: S3Proxy, in a process of its own, and its client. Objects are in
 * memory and gone with it. It sends no notifications.
 */
public final class LocalS3 implements AutoCloseable {
    /** The only credentials that it takes. */
    public static final String ACCESS_KEY = "local";
    public static final String SECRET_KEY = "local-secret";

    private static final Pattern STARTED = Pattern.compile("Started \\S*ServerConnector.*\\{127\\.0\\.0\\.1:(\\d+)}");

    private final LocalProcess process;
    private final URI endpoint;
    private final S3Client client;

    private LocalS3(LocalProcess process) {
        this.process = process;
        endpoint = URI.create("http://127.0.0.1:" + process.ready());
        client = S3Client.builder().endpointOverride(endpoint).region(Region.US_EAST_1).forcePathStyle(true)
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            // As it hangs up on who still sends signatures after an object's last byte.
            .serviceConfiguration(S3Configuration.builder().chunkedEncodingEnabled(false).build())
            .httpClientBuilder(UrlConnectionHttpClient.builder()).credentialsProvider(StaticCredentialsProvider.create(
                AwsBasicCredentials.create(ACCESS_KEY, SECRET_KEY))).build();
    }

    /**
     * Returns when it listens, at a port that is free; the caller closes.
     *
     * @param home functions/target, where the build leaves the server
     * @param directory an existing one, for its configuration
     */
    public static LocalS3 start(Path home, Path directory) throws IOException {
        Path jar = home.resolve("s3").resolve("s3proxy.jar");
        if (!Files.isReadable(jar)) {
            throw new IOException("no S3 server to start: jar=" + jar + "; build functions first");
        }
        Path configuration = Files.writeString(directory.resolve("s3proxy.properties"), """
            s3proxy.authorization=aws-v2-or-v4
            s3proxy.endpoint=http://127.0.0.1:0
            s3proxy.identity=%s
            s3proxy.credential=%s
            jclouds.provider=transient-nio2
            jclouds.identity=none
            jclouds.credential=none
            """.formatted(ACCESS_KEY, SECRET_KEY));
        return new LocalS3(LocalProcess.start(List.of("-Xmx1g", "-Djava.io.tmpdir=" + directory, "-jar", jar.toString(),
            "--properties", configuration.toString()), Map.of(), STARTED));
    }

    /** As FUNCTION_S3_ENDPOINT takes it. */
    public URI endpoint() {
        return endpoint;
    }

    public void createBucket(String bucket) {
        client.createBucket(create -> create.bucket(bucket));
    }

    public void put(String bucket, String key, byte[] bytes) {
        client.putObject(put -> put.bucket(bucket).key(key), RequestBody.fromBytes(bytes));
    }

    public void copy(String bucket, String key, String to) {
        client.copyObject(copy -> copy.sourceBucket(bucket).sourceKey(key).destinationBucket(bucket).destinationKey(to));
    }

    public byte[] get(String bucket, String key) {
        return client.getObjectAsBytes(get -> get.bucket(bucket).key(key)).asByteArray();
    }

    /** What is written on an object, its content type as {@code content-type} besides. */
    public Map<String, String> metadata(String bucket, String key) {
        HeadObjectResponse head = client.headObject(request -> request.bucket(bucket).key(key));
        Map<String, String> all = new TreeMap<>(head.metadata());
        all.put("content-type", head.contentType());
        return all;
    }

    /** The same for the same bytes. */
    public String etag(String bucket, String key) {
        return client.headObject(request -> request.bucket(bucket).key(key)).eTag();
    }

    /** All keys that begin so, in order. */
    public List<String> keys(String bucket, String prefix) {
        return client.listObjectsV2Paginator(list -> list.bucket(bucket).prefix(prefix)).contents().stream().map(S3Object::key)
            .toList();
    }

    @Override
    public void close() {
        client.close();
        process.close();
    }
}
