"""What a tower is made of, and what it refuses."""

import keras
import pytest

from neurovocal_tf.layers.sequence_tower import SequenceTower


@pytest.mark.parametrize(
    "changes, name",
    [(dict(size=0), "size"), (dict(dropout=1.0), "dropout"), (dict(num_layers=0), "num_layers")],
)
def test_impossible_towers_are_refused(changes, name):
    with pytest.raises(ValueError, match=f"`{name}`|{name}="):
        SequenceTower(**changes)


def test_a_tower_is_its_config():
    tower = SequenceTower(4, 8, 3, 0.1, seed=2, name="tower")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tower))
    assert again.get_config() == tower.get_config() and tower.num_dropouts == 4
