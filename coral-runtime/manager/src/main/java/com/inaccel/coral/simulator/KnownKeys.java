package com.inaccel.coral.simulator;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.type.TypeFactory;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Looks for keys that records do not have, before they are made of it: what is misspelt would else be reported as missing.
 */
final class KnownKeys {
    private static final String KIND = "kind";

    private KnownKeys() { }

    /** @throws IllegalArgumentException naming the first unknown key, and where it is */
    static void check(JsonNode node, Class<?> type) {
        check(node, TypeFactory.defaultInstance().constructType(type), "");
    }

    private static void check(JsonNode node, JavaType type, String path) {
        if (node.isArray() && type.isCollectionLikeType()) {
            for (int i = 0; i < node.size(); i++) {
                check(node.get(i), type.getContentType(), path + "[" + i + "]");
            }
        } else if (node.isObject() && type.isMapLikeType()) {
            node.fields().forEachRemaining(field -> check(field.getValue(), type.getContentType(), join(path, field.getKey())));
        } else if (node.isObject()) {
            checkRecord(node, type.getRawClass(), path);
        }
    }

    private static void checkRecord(JsonNode node, Class<?> type, String path) {
        JsonSubTypes kinds = type.getAnnotation(JsonSubTypes.class);
        Class<?> record = kinds == null ? type : Arrays.stream(kinds.value())
            .filter(kind -> kind.name().equals(node.path(KIND).asText())).<Class<?>>map(JsonSubTypes.Type::value)
            .findFirst().orElse(type);
        if (!record.isRecord()) {
            return; // of no kind that there is: reported when it is read
        }
        List<String> known = new ArrayList<>(kinds == null ? List.of() : List.of(KIND));
        Arrays.stream(record.getRecordComponents()).map(RecordComponent::getName).forEach(known::add);
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            if (!known.contains(field.getKey())) {
                throw new IllegalArgumentException("unknown key: key=" + field.getKey() + ", at=" + join(path, field.getKey())
                    + ", known=" + known + ScenarioFile.suggestion(field.getKey(), known));
            }
        }
        for (RecordComponent component : record.getRecordComponents()) {
            check(node.path(component.getName()),
                TypeFactory.defaultInstance().constructType(component.getGenericType()), join(path, component.getName()));
        }
    }

    private static String join(String path, String key) {
        return path.isEmpty() ? key : path + "." + key;
    }
}
