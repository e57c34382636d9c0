package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** An operation's arguments as they are written: {@code sigma=1.4,low=50}. Whatever is not asked for in the end is refused. */
final class Arguments {
    private final String operation;
    private final Map<String, String> values = new TreeMap<>();

    /** @throws FunctionException BAD_REQUEST where it is written in another way */
    Arguments(String operation, String text) {
        this.operation = operation;
        for (String part : text.isBlank() ? new String[0] : text.split(",")) {
            int equals = part.indexOf('=');
            if (equals <= 0) {
                throw bad("not an argument: " + operation + "=" + text + ", part=" + part + "; write name=value,name=value");
            }
            values.put(part.substring(0, equals).trim(), part.substring(equals + 1).trim());
        }
    }

    double number(String name, double byDefault, double least, double most) {
        String text = values.remove(name);
        if (text == null) {
            return byDefault;
        }
        double value = parse(name, text);
        if (!(value >= least && value <= most)) {
            throw bad("argument out of range: operation=" + operation + ", " + name + "=" + text + ", least=" + least + ", most="
                + most);
        }
        return value;
    }

    /** Empty where it is not given. */
    double[] numbers(String name, int count) {
        String text = values.remove(name);
        if (text == null) {
            return new double[0];
        }
        double[] numbers = Arrays.stream(text.trim().split("\\s+")).mapToDouble(one -> parse(name, one)).toArray();
        if (numbers.length != count) {
            throw bad("not so many numbers: operation=" + operation + ", " + name + "=" + text + ", expected=" + count);
        }
        return numbers;
    }

    <E extends Enum<E>> E word(String name, E byDefault, Class<E> words) {
        String text = values.remove(name);
        if (text == null) {
            return byDefault;
        }
        return Arrays.stream(words.getEnumConstants()).filter(word -> word.name().equalsIgnoreCase(text)).findFirst()
            .orElseThrow(() -> bad("not a word for this argument: operation=" + operation + ", " + name + "=" + text
                + ", known=" + Arrays.toString(words.getEnumConstants())));
    }

    /** To be called when all that is known was asked for. */
    void requireNoMore() {
        if (!values.isEmpty()) {
            throw bad("unknown arguments: operation=" + operation + ", arguments=" + values.keySet());
        }
    }

    private double parse(String name, String text) {
        try {
            double value = Double.parseDouble(text);
            if (Double.isFinite(value)) {
                return value;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw bad("not a number: operation=" + operation + ", " + name + "=" + text);
    }

    private static FunctionException bad(String message) {
        return new FunctionException(Problem.BAD_REQUEST, message);
    }
}
