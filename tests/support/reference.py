"""Oracles for the tests: plain NumPy, SciPy and loops that are slow, short and obviously right."""

import numpy as np
import scipy.signal
import scipy.stats

# --- audio


def power_spectrogram(samples, sample_rate, config):
    """`scipy.signal.spectrogram` with its defaults in float64, time first: [L, V]."""
    noverlap = config.n_fft - config.hop_length
    window = ("tukey", 0.25)
    power = scipy.signal.spectrogram(
        samples.astype(np.float64),
        sample_rate,
        window=window,
        nperseg=config.n_fft,
        noverlap=noverlap,
    )[2]
    return power.T


def segmentation_f1(found, truth, tolerance_s=0.010):
    """F1 of (onset, offset) pairs in seconds; a pair is found if both boundaries are within
    the tolerance, one to one.
    """
    left, hits = list(truth), 0
    for onset, offset in found:
        errors = [max(abs(onset - a), abs(offset - b)) for a, b in left]
        if errors and min(errors) <= tolerance_s:
            del left[int(np.argmin(errors))]
            hits += 1
    return 2 * hits / max(len(found) + len(truth), 1)


def spectral_convergence_db(target, power):
    """How far the magnitudes of one power spectrogram are from another's, relative to it, in dB."""
    wanted, got = np.sqrt(target), np.sqrt(power)
    return 20 * np.log10(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


# --- rbm and encoder


def lowbias32(x):
    """Wellons' hash of one 32-bit word, in Python's unbounded integers."""
    mask = 2**32 - 1
    x = (x ^ x >> 16) * 0x7FEB352D & mask
    x = (x ^ x >> 15) * 0x846CA68B & mask
    return x ^ x >> 16


def pcg4d(x, y, z, w):
    """Jarzynski and Olano's hash of four 32-bit words, line by line as published,
    in Python's unbounded integers.
    """
    mask = 2**32 - 1
    x, y, z, w = ((v * 1664525 + 1013904223) & mask for v in (x, y, z, w))
    for last in (False, True):
        x = x + y * w & mask
        y = y + z * x & mask
        z = z + x * y & mask
        w = w + y * z & mask
        if not last:
            x, y, z, w = (v ^ v >> 16 for v in (x, y, z, w))
    return x, y, z, w


def binary_states(num_units):
    """All 2^num_units rows of zeros and ones, the first unit the most significant."""
    return np.array(
        [[i >> j & 1 for j in reversed(range(num_units))] for i in range(2**num_units)], np.float64
    )


def energy(v, h, W, bv, bh, sigma=None):
    """E(v, h) of one v and one h: binary visible units,
    or Gaussian ones of standard deviation `sigma`.
    """
    if sigma is None:
        return -v @ bv - bh @ h - v @ W @ h
    return np.sum((v - bv) ** 2 / sigma**2) / 2 - bh @ h - (v / sigma) @ W @ h


def free_energy(v, W, bv, bh, sigma=None):
    """-log sum_h exp(-E(v, h)) of one v, over all h."""
    return -np.log(sum(np.exp(-energy(v, h, W, bv, bh, sigma)) for h in binary_states(len(bh))))


def joint(W, bv, bh, temperature=1.0):
    """p(v, h) proportional to exp(-E / temperature) of binary visible units,
    as a table [2^V, 2^H].
    """
    states = binary_states(len(bv)), binary_states(len(bh))
    table = np.array(
        [[np.exp(-energy(v, h, W, bv, bh) / temperature) for h in states[1]] for v in states[0]]
    )
    return table / table.sum()


def mixture(W, bv, bh, sigma, temperature=1.0):
    """p(v) proportional to sum_h exp(-E / temperature) of Gaussian visible units,
    v integrated by completing the square.

    Returns the weight p(h) [2^H], the mean [2^H, V] and the standard deviation [V] of each
    h's component, and log Z.
    """
    states = binary_states(len(bh))
    fields = states @ W.T
    # |v - bv|^2 / 2 sigma^2 - (v / sigma) f
    #     = |v - bv - sigma f|^2 / 2 sigma^2 - |f|^2 / 2 - (bv / sigma) f
    logits = (np.sum(fields**2, axis=1) / 2 + fields @ (bv / sigma) + states @ bh) / temperature
    normaliser = np.prod(np.sqrt(2 * np.pi * temperature) * sigma)
    log_z = np.log(np.sum(np.exp(logits)) * normaliser)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum(), bv + fields * sigma, sigma * np.sqrt(temperature), log_z


def gated_recurrence(inputs, state, kernel, recurrent_kernel, bias, gates):
    """States after each frame of one row: inputs [T, V], state [U];
    weights in the order z, r, c.
    """
    gate = np.tanh if gates == "tanh" else lambda x: 1 / (1 + np.exp(-x))
    (W_z, W_r, W_c), (U_z, U_r, U_c), (b_z, b_r, b_c) = (
        np.split(w, 3, axis=-1) for w in (kernel, recurrent_kernel, bias)
    )
    states = []
    for x in inputs:
        z = gate(x @ W_z + b_z + state @ U_z)
        r = gate(x @ W_r + b_r + state @ U_r)
        c = np.tanh(x @ W_c + b_c + (r * state) @ U_c)
        state = state + z * (c - state)
        states.append(state)
    return np.array(states)


def layers_of_periods(frames, states, weights, gates, periods):
    """States after each frame of one row of gated layers, each of which advances when so many
    frames have come, on the mean of what the layer below did in them.

    Args:
        frames: [T, V].    states: of each layer [U], before the first frame.
        weights: of each layer (kernel, recurrent kernel, bias).    periods: each a multiple of the
            one before.

    Returns:
        [T, layers U].
    """
    states, pending, after = list(states), [[] for _ in periods], []
    for number, below in enumerate(frames, 1):
        for i, period in enumerate(periods):
            pending[i].append(below)
            if number % period:
                break
            mean = np.mean(pending[i], axis=0)
            states[i] = below = gated_recurrence([mean], states[i], *weights[i], gates)[0]
            pending[i] = []
        after.append(np.concatenate(states))
    return np.array(after)


def attended(queries, entries, slopes, num_entries, every):
    """The context of each query of one row.

    Args:
        queries: [T, A, D].    entries: (keys, values) [T, A, D] of every frame.    slopes: [A].
        num_entries: of the memory, into which every `every`-th frame goes.

    Returns:
        [T, A, D].
    """
    memory, contexts = [], []
    for number, (query, key, value) in enumerate(zip(queries, *entries, strict=True), 1):
        if number % every == 0:
            memory = [(key, value), *memory][:num_entries]
        context, total = np.zeros(query.shape), np.ones(len(query))
        for age, (key, value) in enumerate(memory):
            score = np.sum(query * key, axis=1) / np.sqrt(query.shape[1])
            share = np.exp(score - slopes * age / num_entries)
            context += share[:, np.newaxis] * value
            total += share
        contexts.append(context / total[:, np.newaxis])
    return np.array(contexts)


# --- optimisers


def clipped(gradients, clip_norm):
    """All gradients scaled by one factor so that their global norm is at most `clip_norm`."""
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
    return [g * min(1.0, clip_norm / norm) for g in gradients] if clip_norm else list(gradients)


def decay(p, l1, l2):
    """What L1 and L2 add to a step, before the learning rate."""
    return l1 * np.sign(p) + l2 * p


def rmsprop(parameters, batches, learning_rate, rho=0.9, epsilon=1e-6, clip_norm=0.0, l1=(), l2=()):
    """Guarded RMSProp: lists of float64 arrays in, the parameters after all
    batches of gradients out.
    """
    parameters = [p.astype(np.float64) for p in parameters]
    accumulators = [np.zeros_like(p) for p in parameters]
    for gradients in batches:
        gradients = [np.where(np.isfinite(g), g, 0.1 * p) for g, p in zip(gradients, parameters)]
        for i, g in enumerate(clipped(gradients, clip_norm)):
            accumulators[i] = rho * accumulators[i] + (1 - rho) * g**2
            step = g / np.sqrt(accumulators[i] + epsilon) + decay(
                parameters[i], l1[i] if l1 else 0, l2[i] if l2 else 0
            )
            parameters[i] = parameters[i] - learning_rate * step
    return parameters


def adam(
    parameters,
    batches,
    learning_rate,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    clip_norm=0.0,
    l1=(),
    l2=(),
):
    """Guarded Adam: batches that are not all finite are left out."""
    parameters = [p.astype(np.float64) for p in parameters]
    means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    t = 0
    for gradients in batches:
        if not all(np.isfinite(g).all() for g in gradients):
            continue
        t += 1
        for i, g in enumerate(clipped(gradients, clip_norm)):
            means[i] = beta_1 * means[i] + (1 - beta_1) * g
            squares[i] = beta_2 * squares[i] + (1 - beta_2) * g**2
            step = (
                means[i]
                * np.sqrt(1 - beta_2**t)
                / (1 - beta_1**t)
                / (np.sqrt(squares[i]) + epsilon)
            )
            step = step + decay(parameters[i], l1[i] if l1 else 0, l2[i] if l2 else 0)
            parameters[i] = parameters[i] - learning_rate * step
    return parameters


# --- evaluation


def var_predictions(sequences, order, ridge, sequence):
    """Ridge autoregression by least squares on augmented rows,
    and its predictions of `sequence`, frame by frame.

    The penalty is `ridge` times the mean variance of a bin of history;
    frames before the first are the training mean.
    """
    mean = np.concatenate(sequences).mean(axis=0)
    inputs, targets = [], []
    for frames in sequences:
        for t in range(order, len(frames)):
            inputs.append(np.concatenate([frames[t - lag] for lag in range(1, order + 1)]))
            targets.append(frames[t])
    inputs, targets = np.array(inputs), np.array(targets)
    centred = inputs - inputs.mean(axis=0)
    penalty = ridge * centred.var(axis=0).mean() * len(inputs)
    rows = np.concatenate([centred, np.sqrt(penalty) * np.eye(inputs.shape[1])])
    goals = np.concatenate([targets - targets.mean(axis=0), np.zeros((inputs.shape[1], mean.size))])
    slopes = np.linalg.lstsq(rows, goals, rcond=None)[0]
    predictions = []
    for t in range(len(sequence)):
        history = [sequence[t - lag] if t >= lag else mean for lag in range(1, order + 1)]
        predictions.append(
            targets.mean(axis=0) + (np.concatenate(history) - inputs.mean(axis=0)) @ slopes
        )
    return np.array(predictions)


def root_mean_square_error(actual, predicted, mask):
    """Over the bins of the masked frames of [B, T, V], one number at a time."""
    squared = [
        (float(actual[b, t, i]) - float(predicted[b, t, i])) ** 2
        for b in range(actual.shape[0])
        for t in range(actual.shape[1])
        for i in range(actual.shape[2])
        if mask[b, t]
    ]
    return (sum(squared) / len(squared)) ** 0.5


def jensen_shannon_nats(p, q):
    """Jensen-Shannon divergence of two distributions of the same length, by its definition."""
    middle = (p + q) / 2
    terms = [
        sum(a * np.log(a / m) for a, m in zip(x, middle, strict=True) if a > 0) for x in (p, q)
    ]
    return sum(terms) / 2


# --- annotations


def text_grid(duration_s, tiers, short):
    """A TextGrid as Praat writes it; tiers are (name, intervals (onset_s, offset_s, label)) or
    (name, points (time_s, mark)).
    """
    out = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    quoted = '"{}"'.format

    def say(name, value, depth=0):
        out.append(str(value) if short else f"{'    ' * depth}{name} = {value} ")

    say("xmin", 0)
    say("xmax", duration_s)
    out.append("<exists>" if short else "tiers? <exists> ")
    say("size", len(tiers))
    out.extend([] if short else ["item []: "])
    for i, (name, entries) in enumerate(tiers, start=1):
        points = bool(entries) and len(entries[0]) == 2
        kind, entry_name = ("TextTier", "points") if points else ("IntervalTier", "intervals")
        out.extend([] if short else [f"    item [{i}]:"])
        say("class", quoted(kind), 2)
        say("name", quoted(name.replace('"', '""')), 2)
        say("xmin", 0, 2)
        say("xmax", duration_s, 2)
        out.append(str(len(entries)) if short else f"        {entry_name}: size = {len(entries)} ")
        for j, (*times, label) in enumerate(entries, start=1):
            out.extend([] if short else [f"        {entry_name} [{j}]:"])
            for time_name, time_s in zip(
                ("number",) if points else ("xmin", "xmax"), times, strict=True
            ):
                say(time_name, repr(time_s), 3)
            say("mark" if points else "text", quoted(label.replace('"', '""')), 3)
    return "\n".join(out) + "\n"


def label_at(time_s, segments):
    """Of (onset_s, offset_s, label) in time order that hold a time, the last one's label, or ""."""
    return (
        [label for onset_s, offset_s, label in segments if onset_s <= time_s < offset_s] or [""]
    )[-1]


# --- likelihoods


def log_partition(W, bv, bh):
    """log Z of binary units in float64, for biases [N, V] and [N, H]: over the hidden states, the
    visible units summed out one by one.
    """
    states = binary_states(bh.shape[1])
    return np.logaddexp.reduce([bh @ h + np.logaddexp(0.0, bv + W @ h).sum(axis=1) for h in states])


def pseudo_log_likelihood(v, W, bv, bh):
    """Sum over units of log p(v_i | the rest), each from the free energies of its two values."""
    total = 0.0
    for i in range(len(v)):
        energies = [
            free_energy(np.concatenate([v[:i], [value], v[i + 1 :]]), W, bv, bh)
            for value in (0.0, 1.0)
        ]
        total += -energies[int(v[i])] - np.logaddexp(-energies[0], -energies[1])
    return total


def ar1_log_likelihoods(sequences, sequence):
    """AR(1) of every unit about the training mean, by scipy's densities,
    one number at a time: [L].
    """
    frames = np.concatenate(sequences)
    found = np.zeros(len(sequence))
    for i in range(frames.shape[1]):
        mean = frames[:, i].mean()
        before = np.concatenate([s[:-1, i] for s in sequences]) - mean
        after = np.concatenate([s[1:, i] for s in sequences]) - mean
        slope = np.linalg.lstsq(before[:, None], after, rcond=None)[0][0]
        sd = np.sqrt(np.mean((after - slope * before) ** 2))
        found[0] += scipy.stats.norm.logpdf(sequence[0, i], mean, frames[:, i].std())
        for t in range(1, len(sequence)):
            found[t] += scipy.stats.norm.logpdf(
                sequence[t, i], mean + slope * (sequence[t - 1, i] - mean), sd
            )
    return found


def markov_log_likelihoods(sequences, sequence):
    """Two-state chain of every unit, counts smoothed by one half, one number at a time: [L]."""
    found = np.zeros(len(sequence))
    for i in range(sequence.shape[1]):
        counts = {state: [0.5, 0.5] for state in (None, 0, 1)}
        for s in sequences:
            for t, value in enumerate(s[:, i]):
                counts[None][int(value)] += 1
                if t:
                    counts[int(s[t - 1, i])][int(value)] += 1
        for t, value in enumerate(sequence[:, i]):
            count = counts[int(sequence[t - 1, i]) if t else None]
            found[t] += np.log(count[int(value)] / sum(count))
    return found


# --- scores


def one_step_scores(sequences, predictions):
    """score, order_score and frame_score of sequences [L, V] and their one-step predictions, frame
    by frame from each second one on.
    """
    errors, changes, actual, predicted, frame_scores = [], [], [], [], []
    for frames, means in zip(sequences, predictions, strict=True):
        frame_scores.append(0.0)
        for t in range(1, len(frames)):
            errors.append(np.mean((frames[t] - means[t]) ** 2))
            changes.append(np.mean((frames[t] - frames[t - 1]) ** 2))
            frame_scores.append(np.log(np.sqrt(errors[-1] + 1e-6) / np.sqrt(changes[-1] + 1e-6)))
            actual.append(frames[t] - frames[t - 1])
            predicted.append(means[t] - frames[t - 1])
    score = np.log(np.sqrt(np.mean(errors) + 1e-6) / np.sqrt(np.mean(changes) + 1e-6))
    order_score = 1 - np.corrcoef(np.ravel(actual), np.ravel(predicted))[0, 1]
    return {"score": score, "order_score": order_score, "frame_score": np.array(frame_scores)}
