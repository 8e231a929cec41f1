"""What a language model learns from: answers alone, packed or not, in an order that any attempt goes on in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("trl")

import torch
from transformers import AutoModelForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from shared.errors import NotYetError, UsageError
from shared.steps import sft, sft_loss
from shared.steps.bases import Size, build_tiny, open_tokenizer
from shared.steps.examples import collate, fitting, order, packed
from shared.steps.finetune import arguments
from shared.steps.plans import Plan
from shared.steps.sft_loss import answered
from tests.shared.steps.lives import SHORT, SIZE, TEXTS, examples


@pytest.fixture(scope="module")
def tokenizer(base):
    return open_tokenizer(str(base))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_tiny(tmp_path_factory.mktemp("base") / "base", TEXTS, 0, Size(*SIZE))


@pytest.fixture(scope="module")
def model(base):
    return AutoModelForCausalLM.from_pretrained(base)


@pytest.fixture(scope="module")
def rows(tokenizer):
    return examples(tokenizer)


def alone(model, rows, pad):
    """Return losses and counts of examples one by one, as transformers computes them."""
    with torch.no_grad():
        batches = [collate([row], pad) for row in rows]
        outputs = [model(input_ids=one["input_ids"], labels=one["labels"]) for one in batches]
        assert isinstance(outputs[0], CausalLMOutputWithPast)
        counts = [int((one["labels"][:, 1:] != -100).sum()) for one in batches]
    return sum(float(out.loss) * count for out, count in zip(outputs, counts, strict=True)), sum(counts)


def test_the_loss_of_padded_batches_is_that_of_transformers_one_by_one(model, tokenizer, rows):
    pad = tokenizer.pad_token_id
    with torch.no_grad():
        found = [answered(model, collate(rows[place : place + 7], pad)) for place in range(0, len(rows), 7)]
    total, count = alone(model, rows, pad)
    assert sum(counted for _, counted in found) == count
    assert float(sum(loss for loss, _ in found)) / count == pytest.approx(total / count, abs=1e-5)


def test_packed_conversations_do_not_see_each_other(model, tokenizer, rows):
    """The loss of rows that hold several is that of each alone; were they to see each other, it would differ."""
    pad = tokenizer.pad_token_id
    made = packed(fitting(rows, 128), 128)
    assert len(made) < len(rows) / 2
    total, count = alone(model, rows, pad)
    with torch.no_grad():
        batch = collate([*made], pad)
        loss, counted = answered(model, batch)
        seeing, _ = answered(model, {name: batch[name] for name in ("input_ids", "labels")})
    assert counted == count
    assert float(loss) / count == pytest.approx(total / count, abs=1e-5)
    assert abs(float(seeing) / count - total / count) > 1e-3


def test_packing_cuts_and_loses_no_conversation(rows):
    made = packed(fitting(rows, 100), 100)
    lengths = sorted(length for row in made["seq_lengths"] for length in row)
    assert lengths == sorted(len(row["input_ids"]) for row in rows)
    assert max(len(row) for row in made["input_ids"]) <= 100


def test_logits_made_in_turns_give_the_same_loss_and_gradients(monkeypatch, tokenizer, base, rows):
    found = []
    for most in (2**26, 3 * 400):  # at once, and three tokens at a time
        monkeypatch.setattr(sft_loss, "MOST_LOGITS", most)
        fresh = AutoModelForCausalLM.from_pretrained(base)
        loss, _ = answered(fresh, collate(rows[:5], tokenizer.pad_token_id))
        loss.backward()
        found.append((float(loss.detach()), fresh.model.layers[0].mlp.up_proj.weight.grad, fresh.lm_head.weight.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for whole, turns in zip(found[0][1:], found[1][1:], strict=True):
        torch.testing.assert_close(whole, turns, rtol=1e-4, atol=1e-5)


def test_models_that_change_their_logits_are_left_to_trl(model, monkeypatch):
    assert sft_loss._plain(model.config)
    monkeypatch.setattr(model.config, "final_logit_softcapping", 30.0, raising=False)
    assert not sft_loss._plain(model.config)


def test_a_batch_is_padded_to_the_right_and_no_loss_is_taken_on_padding():
    batch = collate([{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}, {"input_ids": [8], "labels": [8]}], pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [8, -100, -100]]
    assert "attention_mask" not in batch


def test_positions_of_packed_rows_begin_anew_and_no_first_token_is_predicted():
    row = {"input_ids": [5, 6, 8, 9], "labels": [5, 6, 8, 9], "seq_lengths": [2, 2]}
    short = {"input_ids": [5], "labels": [5], "seq_lengths": [1]}
    batch = collate([row, short], pad=0)
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, -100, 9], [-100, -100, -100, -100]]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 30), st.integers(0, 9))
def test_an_epoch_ends_before_an_example_comes_again_and_the_order_follows_from_the_seed(lengths, batch, batches, seed):
    drawn = order(lengths, batch, batches, seed)
    assert len(drawn) == batch * batches
    counts = np.bincount(drawn, minlength=len(lengths))
    assert counts.max() - counts.min() <= 1
    assert (drawn == order(lengths, batch, batches, seed)).all()


def test_batches_hold_sequences_of_about_one_length():
    lengths = [*range(1, 101)] * 2
    places = order(lengths, 10, 20, seed=0).reshape(20, 10)
    spread = [max(lengths[one] for one in batch) - min(lengths[one] for one in batch) for batch in places]
    assert max(spread) <= 5
    longest = [max(lengths[one] for one in batch) for batch in places]
    assert longest != sorted(longest)


def test_examples_that_are_too_long_are_left_out_and_none_left_is_said():
    rows = [{"input_ids": [1] * 5, "labels": [1] * 5}, {"input_ids": [1] * 9, "labels": [1] * 9}]
    assert [len(ids) for ids in fitting(rows, 5)["input_ids"]] == [5]
    with pytest.raises(NotYetError, match="no example has at most 4 tokens"):
        fitting(rows, 4)
    with pytest.raises(NotYetError, match="no example"):
        fitting([], 4)


def test_an_evaluation_is_the_mean_over_tokens_and_not_over_batches(tmp_path, base, model, tokenizer, rows):
    plan = Plan(**SHORT)
    trainer = sft.trainer(plan, str(base), tokenizer, sft.Examples(rows, rows), tmp_path)
    total, count = alone(model, rows, tokenizer.pad_token_id)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(total / count, abs=1e-5)


def test_lora_is_on_every_linear_layer_but_the_head_and_counts_alpha_over_the_root_of_the_rank(
    tmp_path, base, tokenizer
):
    plan = Plan(**SHORT, rank=16)
    rows = examples(tokenizer)
    model = sft.trainer(plan, str(base), tokenizer, sft.Examples(rows, rows), tmp_path).model
    adapted = {
        name.rpartition(".lora_A")[0].rpartition(".")[2] for name, _ in model.named_parameters() if "lora_A" in name
    }
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == plan.alpha / 16**0.5 == 1.0


def test_half_precision_of_16_bits_without_a_gpu_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        arguments(Plan(precision="fp16"), tmp_path)


def test_bfloat16_on_a_cpu_learns_too(tmp_path, base, tokenizer):
    rows = examples(tokenizer)
    plan = Plan(**SHORT | {"steps": 2, "precision": "bf16", "rank": 4})
    trainer = sft.trainer(plan, str(base), tokenizer, sft.Examples(rows, rows), tmp_path)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < before


@pytest.mark.gpu
@pytest.mark.parametrize("told", [{"rank": 8}, {"rank": 8, "packing": True}, {"rank": 0}, {"precision": "4bit"}])
def test_on_a_gpu_the_same_plan_learns_through_unsloth_where_it_is_installed(tmp_path, base, tokenizer, told):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU with CUDA")
    rows = examples(tokenizer)
    plan = Plan(**SHORT | {"precision": "bf16"} | told)
    trainer = sft.trainer(plan, str(base), tokenizer, sft.Examples(rows, rows), tmp_path)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < before
