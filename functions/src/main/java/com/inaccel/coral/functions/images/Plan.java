package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * What is to be done with an image.
 *
 * @param format of results: {@code keep} or a format
 */
record Plan(List<Operation> operations, String format) {
    Plan {
        operations = List.copyOf(operations);
        Format.check(format);
    }

    static Plan of(FunctionConfig config) {
        return of(name -> "", config);
    }

    /**
     * @param asked gives what the caller asks for by name (operations, edges, warp, format), empty where nothing: what is
     *     configured counts then
     * @throws FunctionException BAD_REQUEST for operations or arguments that there are not
     */
    static Plan of(Function<String, String> asked, FunctionConfig config) {
        Function<FunctionConfig.Key, String> value = key -> {
            String text = asked.apply(key.name().toLowerCase(Locale.ROOT));
            return text.isEmpty() ? config.text(key) : text;
        };
        List<Operation> operations = new ArrayList<>();
        for (String name : value.apply(FunctionConfig.Key.OPERATIONS).split(",")) {
            operations.add(switch (name.trim()) {
                case Edges.NAME -> Edges.of(value.apply(FunctionConfig.Key.EDGES));
                case Warp.NAME -> Warp.of(value.apply(FunctionConfig.Key.WARP));
                default -> throw new FunctionException(Problem.BAD_REQUEST, "no such operation: operation=" + name.trim()
                    + ", known=" + List.of(Edges.NAME, Warp.NAME));
            });
        }
        return new Plan(operations, value.apply(FunctionConfig.Key.FORMAT));
    }
}
