"""Values that change by epoch, and the rates that follow them."""

import keras
import numpy as np
import pytest
from stepping import tiny_model

from neurovocal_tf.training.optimizers import GuardedAdam
from neurovocal_tf.training.phases import PhasedLearningRate, Phases


def test_phases_hold_for_their_epochs_and_the_last_for_ever():
    phases = Phases((3.0, 2.0, 1.0), (2, 1, 3))
    assert [phases.at(e) for e in range(9)] == [3.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert phases.num_epochs == 6


def test_one_number_serves_all_phases():
    assert Phases((3.0, 2.0), 4).num_epochs == Phases((3.0, 2.0), (4,)).num_epochs == 8
    assert [Phases((3.0, 2.0), 4).at(e) for e in (3, 4)] == [3.0, 2.0]
    assert [Phases(15, (1, 2)).at(e) for e in (0, 1, 5)] == [15, 15, 15]


def test_phases_round_trip():
    phases = Phases((1, 5, 15), (2, 3, 4))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(phases))
    assert copy.get_config() == phases.get_config() and isinstance(copy.at(0), int)


@pytest.mark.parametrize(
    "values, epochs",
    [((1, 2), (1, 2, 3)), ((1, 2, 3), (1, 2)), ((1, 2), (0, 1)), ((), (1, 2)), ((1, 2), (1.5, 1))],
)
def test_phases_that_do_not_fit_are_refused(values, epochs):
    with pytest.raises(ValueError, match="must"):
        Phases(values, epochs)


def test_phased_learning_rate_sets_the_rate_of_every_epoch_also_when_training_goes_on(rng):
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    callback = PhasedLearningRate(Phases((0.5, 0.25), (1, 2)))
    callback = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(callback))
    model = tiny_model(GuardedAdam(0.1))
    model.fit(x, y, epochs=2, verbose=0, callbacks=[callback, watch])
    model.fit(x, y, epochs=4, initial_epoch=2, verbose=0, callbacks=[callback, watch])
    assert seen == [0.5, 0.25, 0.25, 0.25]
