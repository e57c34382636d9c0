package com.inaccel.coral.engine;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Accelerator.Operand;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import com.inaccel.coral.accelerators.Accelerator.Type;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * A {@code bitstream.json} as it stands in the file, and its way into a checked {@link Bitstream}.
 *
 * <p>{@code name} is the file beside the manifest. Three fields are Coral's own: {@code sources}, several files
 * instead, joined in order; {@code options} for the compiler; and an integer argument's {@code max}, the greatest value that
 * the bitstream supports.
 */
final class Manifest {
    static final String FILE_NAME = "bitstream.json";

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]*");
    private static final Pattern KERNEL_FUNCTION = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    private static final Pattern FILE = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]*");
    private static final Map<String, Type> TYPES = Map.ofEntries(
        Map.entry("int", Type.INT), Map.entry("uint", Type.INT), Map.entry("unsigned int", Type.INT),
        Map.entry("long", Type.LONG), Map.entry("ulong", Type.LONG), Map.entry("unsigned long", Type.LONG),
        Map.entry("float", Type.FLOAT), Map.entry("double", Type.DOUBLE),
        Map.entry("char*", Type.BYTES), Map.entry("uchar*", Type.BYTES), Map.entry("unsigned char*", Type.BYTES),
        Map.entry("int*", Type.INTS), Map.entry("uint*", Type.INTS), Map.entry("unsigned int*", Type.INTS),
        Map.entry("long*", Type.LONGS), Map.entry("ulong*", Type.LONGS), Map.entry("unsigned long*", Type.LONGS),
        Map.entry("float*", Type.FLOATS), Map.entry("double*", Type.DOUBLES));
    private static final Map<String, Access> ACCESSES =
        Map.of("r", Access.READ, "w", Access.WRITE, "rw", Access.READ_WRITE);
    private static final ObjectReader READER = JsonMapper.builder()
        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
        .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
        .build().readerFor(Json.class);

    // The file's shape; any field may be absent, hence null, until checked.
    private record Json(
        String name, String bitstreamId, String version, String description, PlatformJson platform,
        List<KernelJson> kernels, List<String> sources, String options) { }

    private record PlatformJson(String vendor, String name, String version, String label) { }

    private record KernelJson(
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> name,
        String kernelId, List<ArgumentJson> arguments) { }

    private record ArgumentJson(
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<Integer> index,
        String type, String name, String size,
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> memory, String access,
        Long max) { }

    /** Reads a file beside the manifest. */
    interface Files {
        byte[] read(String name) throws IOException;
    }

    private final String origin;
    private final Json json;

    private Manifest(String origin, Json json) {
        this.origin = origin;
        this.json = json;
    }

    /**
     * @param origin file or resource, for messages
     * @param catalogue signatures that a manifest may not contradict
     * @throws CoralException BAD_BITSTREAM naming file and field
     */
    static Bitstream read(String origin, byte[] content, Files files, Map<String, Accelerator> catalogue) {
        Json json;
        try {
            json = READER.readValue(content);
        } catch (JsonMappingException e) {
            String field = e.getPathReference().replaceAll("com\\.[A-Za-z.$]*(Json|List)", "");
            throw bad(origin, "field=" + field + ", problem=" + e.getOriginalMessage(), e);
        } catch (JsonProcessingException e) {
            throw bad(origin, "line=" + e.getLocation().getLineNr() + ", problem=" + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw bad(origin, "problem=" + e.getMessage(), e);
        }
        if (json == null) {
            throw bad(origin, "problem=empty file", null);
        }
        return new Manifest(origin, json).bitstream(files, catalogue);
    }

    private Bitstream bitstream(Files files, Map<String, Accelerator> catalogue) {
        String id = matching(json.bitstreamId, ID, "bitstreamId");
        String version = matching(json.version, ID, "version");
        PlatformJson platform = present(json.platform, "platform");
        Bitstream.Platform target = new Bitstream.Platform(
            filled(platform.vendor, "platform.vendor"), filled(platform.name, "platform.name"),
            Optional.ofNullable(platform.version).orElse("*"));
        List<KernelJson> declared = present(json.kernels, "kernels");
        require(!declared.isEmpty(), "kernels", "empty");
        List<Bitstream.Kernel> kernels = new ArrayList<>();
        for (int i = 0; i < declared.size(); i++) {
            Bitstream.Kernel kernel = kernel(id, present(declared.get(i), "kernels[" + i + "]"), "kernels[" + i + "].",
                catalogue);
            require(kernels.stream().noneMatch(other -> other.accelerator().name().equals(kernel.accelerator().name())),
                "kernels[" + i + "].kernelId", "given twice");
            kernels.add(kernel);
        }
        boolean source = json.sources != null || filled(json.name, "name").endsWith(".cl");
        require(source || json.options == null, "options", "only source code is compiled");
        return new Bitstream(origin, id, new Bitstream.Version(version), target, List.copyOf(kernels),
            source ? sourceCode(files) : "", Optional.ofNullable(json.options).orElse(""),
            source ? new byte[0] : file(files, json.name, "name"));
    }

    private String sourceCode(Files files) {
        List<String> names = json.sources == null ? List.of(json.name) : json.sources;
        require(!names.isEmpty(), "sources", "empty");
        StringBuilder code = new StringBuilder();
        for (int i = 0; i < names.size(); i++) {
            String field = json.sources == null ? "name" : "sources[" + i + "]";
            code.append(new String(file(files, names.get(i), field), java.nio.charset.StandardCharsets.UTF_8)).append('\n');
        }
        return code.toString();
    }

    private byte[] file(Files files, String name, String field) {
        matching(name, FILE, field);
        try {
            byte[] content = files.read(name);
            require(content.length > 0, field, "empty file: " + name);
            return content;
        } catch (IOException e) {
            throw bad(origin, "field=" + field + ", problem=cannot read " + name + ": " + e.getMessage(), e);
        }
    }

    private Bitstream.Kernel kernel(String bitstreamId, KernelJson kernel, String path, Map<String, Accelerator> catalogue) {
        String name = bitstreamId + "." + matching(kernel.kernelId, ID, path + "kernelId");
        List<String> units = present(kernel.name, path + "name");
        require(!units.isEmpty(), path + "name", "empty");
        List<ArgumentJson> declared = present(kernel.arguments, path + "arguments");
        List<Parameter> parameters = new ArrayList<>();
        List<Long> leastBytes = new ArrayList<>();
        List<Long> greatest = new ArrayList<>();
        for (int i = 0; i < declared.size(); i++) {
            String field = path + "arguments[" + i + "]";
            parameters.add(parameter(present(declared.get(i), field), field + "."));
            leastBytes.add(size(declared.get(i).size, field + ".size"));
            greatest.add(greatest(declared.get(i).max, parameters.get(i).type(), field + ".max"));
        }
        List<Operand> operands = operands(declared, path);
        Accelerator known = catalogue.get(name);
        if (known != null) {
            requireSameSignature(known, parameters, path);
            return new Bitstream.Kernel(known, units.size(), true, greatest);
        }
        // Vendors' tools name a compute unit "kernel:{unit}".
        String function = filled(units.get(0), path + "name[0]").split(":", 2)[0];
        matching(function, KERNEL_FUNCTION, path + "name[0]");
        return new Bitstream.Kernel(new UserAccelerator(name, parameters, leastBytes, function, operands), units.size(),
            false, greatest);
    }

    private Parameter parameter(ArgumentJson argument, String path) {
        String typeName = filled(argument.type, path + "type").replaceAll("\\s*\\*", "*").trim();
        Type type = TYPES.get(typeName);
        require(type != null, path + "type", "unknown type " + argument.type);
        Access access = ACCESSES.get(Optional.ofNullable(argument.access).orElse("rw"));
        require(access != null, path + "access", "not r, w or rw but " + argument.access);
        return new Parameter(filled(argument.name, path + "name"), type, type.isArray() ? access : Access.READ);
    }

    private long size(String size, String field) {
        if (size == null) {
            return 0;
        }
        try {
            long bytes = Long.parseLong(size);
            require(bytes >= 0, field, "negative");
            return bytes;
        } catch (NumberFormatException e) {
            throw bad(origin, "field=" + field + ", problem=not a number of bytes: " + size, e);
        }
    }

    private long greatest(Long max, Type type, String field) {
        if (max == null) {
            return Long.MAX_VALUE;
        }
        require(type == Type.INT || type == Type.LONG, field, "only an int or a long has one");
        require(max >= 1, field, "below 1: " + max);
        return max;
    }

    /** Positions in the kernel's argument list; an argument may be given several, and all must be taken once. */
    private List<Operand> operands(List<ArgumentJson> declared, String path) {
        int count = 0;
        for (ArgumentJson argument : declared) {
            count += argument.index == null ? 1 : argument.index.size();
        }
        Operand[] operands = new Operand[count];
        for (int i = 0; i < declared.size(); i++) {
            String field = path + "arguments[" + i + "].index";
            for (Integer position : Optional.ofNullable(declared.get(i).index).orElse(List.of(i))) {
                require(position != null && position >= 0 && position < count, field,
                    "position " + position + " outside 0 to " + (count - 1));
                require(operands[position] == null, field, "position " + position + " given twice");
                operands[position] = new Operand.Arg(i);
            }
        }
        return List.of(operands);
    }

    private void requireSameSignature(Accelerator known, List<Parameter> parameters, String path) {
        List<Parameter> expected = known.parameters();
        require(parameters.size() == expected.size(), path + "arguments",
            known.name() + " has " + expected.size() + " parameters, here " + parameters.size());
        for (int i = 0; i < expected.size(); i++) {
            Parameter here = parameters.get(i);
            require(here.type() == expected.get(i).type() && here.access() == expected.get(i).access(),
                path + "arguments[" + i + "]", known.name() + " wants " + expected.get(i) + ", here " + here);
        }
    }

    private String matching(String value, Pattern pattern, String field) {
        require(pattern.matcher(filled(value, field)).matches(), field, "not of the form " + pattern + ": " + value);
        return value;
    }

    private String filled(String value, String field) {
        require(!present(value, field).isBlank(), field, "blank");
        return value;
    }

    private <T> T present(T value, String field) {
        require(value != null, field, "missing");
        return value;
    }

    private void require(boolean condition, String field, String problem) {
        if (!condition) {
            throw bad(origin, "field=" + field + ", problem=" + problem, null);
        }
    }

    private static CoralException bad(String origin, String what, Exception cause) {
        return new CoralException(ErrorCode.BAD_BITSTREAM,
            "bad bitstream: manifest=" + origin + ", " + what + "; correct the manifest or remove the bitstream", cause);
    }

    /** For what names a directory of a repository. */
    static void requireId(String what, String value) {
        if (!ID.matcher(value).matches()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not of the form " + ID + ": " + what + "=" + value + "; give it as the manifest does");
        }
    }

    /** For filters on directories. */
    static Predicate<java.nio.file.Path> isIn() {
        return directory -> java.nio.file.Files.isRegularFile(directory.resolve(FILE_NAME));
    }
}
