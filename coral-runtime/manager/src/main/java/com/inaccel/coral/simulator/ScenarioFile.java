package com.inaccel.coral.simulator;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Spelling;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** Reads scenarios from YAML: files, and those that come along. */
final class ScenarioFile {
    /** That come along, the default first. */
    static final List<String> SHIPPED = List.of("mixed", "flood", "failures", "residents", "node");
    private static final String SUFFIX = ".yaml";
    private static final long LONGEST_BYTES = 1 << 20;

    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory())
        .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
        .registerModule(new SimpleModule()
            .addDeserializer(Quantities.Time.class, quantity(Quantities.Time.class, Quantities.Time::of))
            .addDeserializer(Quantities.Bytes.class, quantity(Quantities.Bytes.class, Quantities.Bytes::of))
            .addDeserializer(Quantities.BytesPerSecond.class,
                quantity(Quantities.BytesPerSecond.class, Quantities.BytesPerSecond::of))
            .addDeserializer(Quantities.PerSecond.class, quantity(Quantities.PerSecond.class, Quantities.PerSecond::of)));

    private ScenarioFile() { }

    private static <T> StdDeserializer<T> quantity(Class<T> type, Function<String, T> parse) {
        return new Quantity<>(type, parse);
    }

    private static final class Quantity<T> extends StdDeserializer<T> {
        private static final long serialVersionUID = 1;
        private final transient Function<String, T> parse;

        Quantity(Class<T> type, Function<String, T> parse) {
            super(type);
            this.parse = parse;
        }

        @Override
        public T deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            try {
                return parse.apply(parser.getText());
            } catch (IllegalArgumentException e) {
                throw JsonMappingException.from(parser, e.getMessage(), e);
            }
        }
    }

    /**
     * @param name a file, or the name of one that comes along
     * @throws CoralException INVALID_ARGUMENT, naming the line and what to do, where the scenario cannot be read or makes no sense
     */
    static Scenario read(String name) {
        return parse(name, text(name));
    }

    /** As it is written, comments included. */
    static String text(String name) {
        try {
            if (SHIPPED.contains(name)) {
                try (InputStream in = ScenarioFile.class.getResourceAsStream(name + SUFFIX)) {
                    return new String(in.readAllBytes(), StandardCharsets.UTF_8);
                }
            }
            Path file = Path.of(name);
            if (Files.size(file) > LONGEST_BYTES) {
                throw new IOException("bytes=" + Files.size(file) + ", limit=" + LONGEST_BYTES);
            }
            return Files.readString(file);
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot read scenario: file=" + name + ", cause=" + e
                + "; name a file, or one of " + String.join(", ", SHIPPED), e);
        }
    }

    static Scenario parse(String name, String text) {
        try {
            JsonNode tree = YAML.readTree(text);
            if (tree.isMissingNode() || tree.isNull()) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "empty scenario: file=" + name
                    + "; begin with one that comes along: --print " + SHIPPED.get(0));
            }
            KnownKeys.check(tree, Scenario.class);
            return YAML.readValue(text, Scenario.class); // not from the tree, which has forgotten its lines
        } catch (IllegalArgumentException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "bad scenario: file=" + name + ", problem=" + e.getMessage(), e);
        } catch (JsonProcessingException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "bad scenario: file=" + name + line(e) + path(e) + ", problem="
                + problem(e), e);
        }
    }

    private static String line(JsonProcessingException problem) {
        JsonLocation location = problem.getLocation();
        return location == null || location.getLineNr() < 1 ? "" : ", line=" + location.getLineNr();
    }

    private static String path(JsonProcessingException problem) {
        if (!(problem instanceof JsonMappingException mapping) || mapping.getPath().isEmpty()) {
            return "";
        }
        StringBuilder path = new StringBuilder();
        for (JsonMappingException.Reference step : mapping.getPath()) {
            path.append(step.getFieldName() == null ? "[" + step.getIndex() + "]"
                : (path.isEmpty() ? "" : ".") + step.getFieldName());
        }
        return ", at=" + path;
    }

    private static String problem(JsonProcessingException problem) {
        if (problem instanceof InvalidTypeIdException type) {
            List<String> known = Arrays.stream(
                    type.getBaseType().getRawClass().getAnnotation(JsonSubTypes.class).value())
                .map(JsonSubTypes.Type::name).toList();
            return type.getTypeId() == null ? "missing: key=kind, known=" + known
                : "unknown kind: kind=" + type.getTypeId() + ", known=" + known + suggestion(type.getTypeId(), known);
        }
        if (problem.getCause() instanceof IllegalArgumentException own) {
            return own.getMessage();
        }
        if (problem instanceof InvalidFormatException format) {
            return "not a " + format.getTargetType().getSimpleName().toLowerCase(Locale.ROOT) + ": value="
                + format.getValue();
        }
        if (problem instanceof MismatchedInputException) {
            return problem.getOriginalMessage().lines().findFirst().orElse("");
        }
        return String.valueOf(problem.getOriginalMessage()).lines().reduce((first, next) -> first + " " + next.strip()).orElse("");
    }

    static String suggestion(String word, Collection<String> known) {
        return Spelling.nearest(word, known).map(nearest -> "; did you mean " + nearest + "?").orElse("");
    }
}
