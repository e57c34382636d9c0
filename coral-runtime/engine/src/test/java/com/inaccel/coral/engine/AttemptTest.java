package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class AttemptTest {
    private final PendingRequest request = new PendingRequest(Vectors.TENANT, Vectors.ADD, new Bitstream[0],
        new BoundArguments(List.of(), new HostSlice[0]), new EngineSegment[0], new Conflicts(), 0, 0);
    private final Attempt attempt = new Attempt(request, null, null, 0);

    @Test
    void shouldCountStepsOfTheDeviceAndNotWhatItWaits() {
        assertThat(attempt.stepNanos(100)).isZero();
        attempt.work(100);
        assertThat(attempt.stepNanos(150)).isEqualTo(50);
        attempt.rest(160);
        assertThat(attempt.stepNanos(1_000)).isZero();
        assertThat(attempt.workedNanos(1_000)).isEqualTo(60);
        attempt.work(1_000);
        assertThat(attempt.stepNanos(1_010)).isEqualTo(10);
        assertThat(attempt.workedNanos(1_010)).isEqualTo(70);
    }

    @Test
    void shouldNoticeProgrammingThatHangsAndNotCountIt() {
        attempt.work(100);
        assertThat(attempt.stepNanos(150)).isEqualTo(50);
        attempt.programmed();
        assertThat(attempt.stepNanos(200)).isZero();
        assertThat(attempt.workedNanos(200)).isZero();
    }

    @Test
    void shouldNeitherPublishNorBelongToTheLaneOnceItIsAbandoned() {
        assertThat(attempt.abandon()).isTrue();
        assertThat(attempt.abandon()).isFalse();
        assertThat(attempt.mayPublish()).isFalse();
        assertThat(attempt.end()).isFalse();
    }

    @Test
    void shouldNotBeAbandonedOnceItPublishes() {
        assertThat(attempt.mayPublish()).isTrue();
        assertThat(attempt.mayAbandon()).isFalse();
        assertThat(attempt.abandon()).isFalse();
        assertThat(attempt.end()).isTrue();
    }

    @Test
    void shouldNotPublishOnceTheRequestHasEnded() {
        request.future.cancel(false);
        assertThat(attempt.mayPublish()).isFalse();
        assertThat(attempt.end()).isTrue();
    }
}
