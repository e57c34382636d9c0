package com.inaccel.coral.functions;

import com.inaccel.coral.Session;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.function.Supplier;

/**
 * What the host lends a function.
 *
 * @param config of the host and of the functions that come with it
 * @param sessions gives the host's session to Coral, another one where that ended; the host closes it. It throws a
 *     CoralException where there is none
 * @param metrics what is registered here is served beside the host's own metrics
 */
public record FunctionContext(FunctionConfig config, Supplier<Session> sessions, PrometheusRegistry metrics) { }
