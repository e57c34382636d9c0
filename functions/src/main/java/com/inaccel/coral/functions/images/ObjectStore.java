package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.NoSuchBucketException;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/** The few things that are done with a store of S3's kind, and what each of its failures means. Thread-safe. */
final class ObjectStore implements AutoCloseable {
    private static final String REGION_BY_DEFAULT = "us-east-1"; // stores other than Amazon's hardly look at it

    /**
     * What stores call names that they do not take. All else that they answer with 400, such as a body that came too slowly, a
     * token that has expired, or the second try of a put whose first goes on, says nothing about the object.
     */
    private static final Set<String> BAD_NAMES =
        Set.of("KeyTooLongError", "InvalidURI", "InvalidBucketName", "XMinioInvalidObjectName");

    private final S3Client client;

    /** An object whose bytes have yet to be read. Closed by whoever opened it. */
    record Opened(GetObjectResponse head, ResponseInputStream<GetObjectResponse> stream) implements AutoCloseable {
        long bytes() {
            return head.contentLength();
        }

        String etag() {
            return head.eTag() == null ? "" : head.eTag().replace("\"", "");
        }

        /** All of it, checked against its length. */
        byte[] read() {
            return guarded("read", "", () -> {
                try (InputStream in = stream) {
                    byte[] bytes = in.readAllBytes();
                    if (bytes.length != bytes()) {
                        throw new IOException("cut off: bytes=" + bytes.length + ", expected=" + bytes());
                    }
                    return bytes;
                } catch (IOException e) {
                    throw new FunctionException(Problem.STORE_UNAVAILABLE, "the object store stopped sending: cause="
                        + e.getMessage() + "; try again", e);
                }
            });
        }

        @Override
        public void close() {
            stream.abort(); // what was read to its end is not hurt by that
        }
    }

    /** @param next of the last key, to go on after; empty at the end */
    record Page(List<String> keys, Optional<String> next) { }

    private ObjectStore(S3Client client) {
        this.client = client;
    }

    /** Takes a part of a second when it is the first: Amazon's client has much to load. */
    static ObjectStore open(FunctionConfig config) {
        String endpoint = config.text(FunctionConfig.Key.S3_ENDPOINT);
        S3ClientBuilder builder = S3Client.builder()
            .httpClientBuilder(UrlConnectionHttpClient.builder())
            .forcePathStyle(config.flag(FunctionConfig.Key.S3_PATH_STYLE))
            // What is sent is in memory, and can be signed as a whole. Chunks end with a signature after the last byte of
            // the object, and a store that has answered by then hangs up on who still sends it.
            .serviceConfiguration(S3Configuration.builder().chunkedEncodingEnabled(false).build())
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED) // not every store knows the others
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED);
        if (!endpoint.isEmpty()) {
            builder.endpointOverride(URI.create(endpoint));
            if (System.getenv("AWS_REGION") == null && System.getProperty("aws.region") == null) {
                builder.region(Region.of(REGION_BY_DEFAULT));
            }
        }
        return new ObjectStore(builder.build());
    }

    /** @throws FunctionException NO_SUCH_KEY, NO_SUCH_BUCKET, NO_PERMISSION or STORE_UNAVAILABLE, as all others here */
    Opened get(ObjectRef object) {
        return guarded("get", object.toString(), () -> {
            ResponseInputStream<GetObjectResponse> stream =
                client.getObject(get -> get.bucket(object.bucket()).key(object.key()));
            return new Opened(stream.response(), stream);
        });
    }

    /** What is written on an object; empty where there is none. */
    Optional<Map<String, String>> metadata(ObjectRef object) {
        return guarded("head", object.toString(), () -> {
            try {
                return Optional.of(client.headObject(head -> head.bucket(object.bucket()).key(object.key())).metadata());
            } catch (S3Exception e) {
                if (e.statusCode() == 404) {
                    return Optional.empty();
                }
                throw e;
            }
        });
    }

    void put(ObjectRef object, byte[] bytes, String contentType, Map<String, String> metadata) {
        guarded("put", object.toString(), () -> client.putObject(put -> put.bucket(object.bucket()).key(object.key())
            .contentType(contentType).metadata(metadata), RequestBody.fromBytes(bytes)));
    }

    void copy(ObjectRef from, ObjectRef to) {
        guarded("copy", from.toString(), () -> client.copyObject(copy -> copy.sourceBucket(from.bucket()).sourceKey(from.key())
            .destinationBucket(to.bucket()).destinationKey(to.key())));
    }

    Page list(String bucket, String prefix, Optional<String> after, int limit) {
        return guarded("list", bucket + "/" + prefix, () -> {
            ListObjectsV2Response page = client.listObjectsV2(list -> list.bucket(bucket).prefix(prefix).maxKeys(limit)
                .startAfter(after.orElse(null)));
            List<String> keys = page.contents().stream().map(S3Object::key).toList();
            boolean more = Boolean.TRUE.equals(page.isTruncated()) && !keys.isEmpty();
            return new Page(keys, more ? Optional.of(keys.get(keys.size() - 1)) : Optional.empty());
        });
    }

    private static <T> T guarded(String action, String what, Supplier<T> request) {
        try {
            return request.get();
        } catch (NoSuchBucketException e) {
            throw new FunctionException(Problem.NO_SUCH_BUCKET, "no such bucket: action=" + action + ", object=" + what, e);
        } catch (AbortedException e) {
            throw new FunctionException(Problem.TIMEOUT, "the call's time was up: action=" + action + ", object=" + what, e);
        } catch (S3Exception e) {
            String code = String.valueOf(e.awsErrorDetails().errorCode());
            String cause = ": action=" + action + ", object=" + what + ", storeStatus=" + e.statusCode() + ", cause=" + code;
            if (BAD_NAMES.contains(code)) {
                throw new FunctionException(Problem.BAD_REQUEST, "the object store takes no such name" + cause, e);
            }
            throw switch (e.statusCode()) {
                case 404 -> new FunctionException(Problem.NO_SUCH_KEY, "no such object" + cause, e);
                case 401, 403 -> new FunctionException(Problem.NO_PERMISSION, "the object store refuses" + cause
                    + "; look at the credentials and at what they allow", e);
                default -> new FunctionException(Problem.STORE_UNAVAILABLE, "the object store fails" + cause + "; try again", e);
            };
        } catch (SdkException e) {
            throw new FunctionException(Problem.STORE_UNAVAILABLE, "the object store does not answer: action=" + action
                + ", object=" + what + ", cause=" + e.getMessage() + "; look at " + FunctionConfig.Key.S3_ENDPOINT.variable(), e);
        }
    }

    @Override
    public void close() {
        client.close();
    }
}
