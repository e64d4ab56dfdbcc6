"""Nets as people write them: embeddings, several inputs and outputs; held to their own forward, captum, and brute force."""

from __future__ import annotations

import functools

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import IntegratedGradients
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from torch import nn
from torch.nn import functional

import dlx
from dlx.audit.compatibility import preflight
from dlx.audit.mispredictions.errors import loss_model
from dlx.errors import DlxError
from dlx.model import BlackBox, NeuralModel
from tests.oracles import shapley

pytestmark = pytest.mark.doors
NUMBERS, WORDS, SIZES = ["income", "age"], ["job", "grade"], [4, 3]


def table(outcome=None):
    rng = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "income": rng.gamma(2, size=120),
            "job": rng.choice(["clerk", "nurse", "smith", "vicar"], 120),
            "age": rng.normal(40, 9, 120),
            "grade": rng.choice(["high", "low", "mid"], 120),
            "unread": rng.normal(size=120),
        }
    )
    score = made["income"] - 2 + (made["job"] == "smith") - (made["grade"] == "low")
    return made.assign(y=np.arange(120) % 2 if outcome is None else outcome(score))


@functools.cache
def case(kind="classes"):
    outcome = {"classes": None, "three": lambda s: np.digitize(s, [-1, 1]).astype(str), "values": lambda s: s}[kind]
    made = table(outcome)
    return dlx.from_frame(made, dlx.infer_schema(made, "y"))


TABLE = table().drop(columns="y")
SCALER, CODER = StandardScaler().fit(TABLE[NUMBERS]), OrdinalEncoder().fit(TABLE[WORDS])


def numbers_of(some, dtype=torch.float32):
    return torch.tensor(SCALER.transform(some[NUMBERS])).to(dtype)


def codes_of(some):
    return torch.tensor(CODER.transform(some[WORDS])).long()


class Embeds(nn.Module):
    """Embeddings and numbers side by side, into a small net."""

    def __init__(self, outputs=1, activation=nn.ReLU, *, hidden=8):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, 3) for size in SIZES)
        self.body = nn.Sequential(nn.Linear(8, hidden), activation(), nn.Linear(hidden, outputs))

    def forward(self, x_num, x_cat):
        looked_up = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        return self.body(torch.cat([x_num, *looked_up], dim=1))


class OfDict(Embeds):
    def forward(self, batch):
        return {"logits": super().forward(batch["num"], batch["cat"]), "embedded": batch["num"]}


class OfPair(Embeds):
    def forward(self, pair):
        return super().forward(*pair)


class Lit(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Embeds()

    def forward(self, x_num, x_cat):
        return self.net(x_num, x_cat)


class OfOneTable(Embeds):
    """Codes and numbers in one tensor, as TabNet has them."""

    def forward(self, x):
        return super().forward(x[:, :2], x[:, 2:].long())


class Shared(Embeds):
    """One table of embeddings with offsets."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(1 + sum(SIZES), 3, padding_idx=0)
        self.register_buffer("offsets", torch.tensor([1, 1 + SIZES[0]]))

    def forward(self, x_num, x_cat):
        return self.body(torch.cat([x_num, self.embeddings(x_cat + self.offsets).flatten(1)], dim=1))


class Bags(Embeds):
    def __init__(self, mode="mean"):
        super().__init__()
        self.embeddings = nn.EmbeddingBag(sum(SIZES), 6, mode=mode)

    def forward(self, x_num, x_cat):
        return self.body(torch.cat([x_num, self.embeddings(x_cat + torch.tensor([0, SIZES[0]]))], dim=1))


class OneHot(Embeds):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2 + sum(SIZES), 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x_num, x_cat):
        hot = [functional.one_hot(x_cat[:, i], size) for i, size in enumerate(SIZES)]
        return self.body(torch.cat([x_num, *hot], dim=1))


class Indexes(Embeds):
    """Embeddings by indexing a parameter, one call for all columns."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(sum(SIZES), 3))

    def forward(self, x_num, x_cat):
        return self.body(torch.cat([x_num, self.table[x_cat + torch.tensor([0, SIZES[0]])].flatten(1)], dim=1))


class Attends(Embeds):
    """A transformer of tokens, one a column."""

    def __init__(self):
        super().__init__()
        self.numbers = nn.Parameter(torch.randn(2, 4))
        self.embeddings = nn.ModuleList(nn.Embedding(size, 4) for size in SIZES)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 1)

    def forward(self, x_num, x_cat):
        looked_up = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        tokens = torch.cat([x_num[..., None] * self.numbers, torch.stack(looked_up, dim=1)], dim=1)
        return self.head(self.norm(tokens + self.attention(tokens, tokens, tokens)[0]).mean(dim=1))


class WritesIntoThem(Embeds):
    """Adds a bias to what it is given and to what it looks up, in place, and holds a loss that it does not run."""

    def __init__(self):
        super().__init__()
        self.loss, self.bias = nn.CrossEntropyLoss(), nn.Parameter(torch.ones(3))

    def forward(self, x_num, x_cat):
        looked_up = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        for one in looked_up:
            one += self.bias
        x_num += 1
        return self.body(torch.cat([x_num, *looked_up], dim=1))


def positional(some):
    return numbers_of(some), codes_of(some)


def by_name(some):
    return {"num": numbers_of(some), "cat": codes_of(some)}


def together(some):
    return torch.cat(positional(some), dim=1)


FORMS = {
    "two inputs": (Embeds, positional),
    "keywords": (Embeds, lambda t: dict(zip(("x_num", "x_cat"), positional(t), strict=True))),
    "declared": (Embeds, {"x_num": SCALER, "x_cat": CODER}),
    "a dict": (OfDict, by_name),
    "declared dict": (OfDict, {"num": SCALER, "cat": CODER}),
    "a pair": (OfPair, positional),
    "Lightning": (Lit, positional),
    "one tensor": (OfOneTable, together),
    "shared": (Shared, positional),
    "bags": (Bags, positional),
    "sums": (lambda: Bags("sum"), positional),
    "one-hot": (OneHot, positional),
    "indexing": (Indexes, positional),
    "in place": (WritesIntoThem, positional),
    "smooth": (lambda: Embeds(activation=nn.Tanh), positional),
}
OWN = {"a dict": lambda net, t: net(by_name(t))["logits"], "declared dict": lambda net, t: net(by_name(t))["logits"]}
OWN |= {"a pair": lambda net, t: net(positional(t)), "one tensor": lambda net, t: net(together(t))}


def seeded(make):
    torch.manual_seed(1)
    return make().eval()


def own_outputs(form, net, some):
    with torch.no_grad():
        return OWN.get(form, lambda net, t: net(*positional(t)))(net, some).double().numpy().reshape(len(some))


class Own:
    """The user's forward as the oracle asks it: a function of codes."""

    def __init__(self, form, net):
        self.form, self.net = form, net

    def predict(self, rows, scale):
        assert scale == "logit"
        return own_outputs(self.form, self.net, case().schema.decode(rows))


@pytest.mark.parametrize("form", FORMS)
def test_a_net_is_read_as_it_is_written(form):
    make, inputs = FORMS[form]
    net = seeded(make)
    model = dlx.wrap(net, case(), inputs=inputs, scale="logit")
    assert isinstance(model, NeuralModel), model.route
    np.testing.assert_allclose(model.predict(case(), "logit"), own_outputs(form, net, TABLE), atol=2e-6)
    people, others = case()[:2], case()[50:54]
    exact = shapley(Own(form, net), people.rows, others.rows, "logit")
    made = dlx.explain(model, people, method="exact_shapley", background=others, scale="logit")
    np.testing.assert_allclose(made.values, exact, atol=1e-5)
    for method in ("integrated_gradients", "deeplift"):
        made = dlx.explain(model, people, method=method, background=others, scale="logit")
        assert np.abs(made.values[:, [1, 3]]).max() > 0.01
        np.testing.assert_allclose(made.values[:, 4], 0, atol=1e-7)


def test_each_level_is_a_column_for_itself():
    model, people, others = dlx.wrap(seeded(Embeds), case(), inputs=positional), case()[:3], case()[50:54]
    dense, mine, theirs = model.on_dense_columns(), *(model.dense(some.rows).double().numpy() for some in (people, others))
    for method in ("integrated_gradients", "gradient_shap"):
        made = dlx.explain(dense, mine, method=method, background=theirs, scale="logit")
        whole = dlx.explain(model, people, method=method, background=others, scale="logit")
        np.testing.assert_allclose(model.encoder.fold(made.values), whole.values, atol=1e-6)
    assert model.encoder.names[1:5] == ("job = clerk", "job = nurse", "job = smith", "job = vicar")


def test_models_made_of_a_net_are_not_held_to_it():
    model, some = dlx.wrap(seeded(Embeds), case(), inputs=positional), case()[:8]
    made = loss_model(model, 1)
    expected = np.logaddexp(0, -model.predict(some, "logit"))
    found = dlx.explain(made, some, method="integrated_gradients", background=case()[50:60], scale="value")
    np.testing.assert_allclose(found.outputs, expected, atol=1e-6)


class Additive(Embeds):
    """A sum of a function of each column: its Shapley values are what each differs by."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, 1) for size in SIZES)
        self.each = nn.ModuleList(nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 1)) for _ in range(2))

    def forward(self, x_num, x_cat):
        looked_up = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        return sum([*(part(x_num[:, [i]]) for i, part in enumerate(self.each)), *looked_up])


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
def test_of_an_additive_net_gradients_give_shapley_values(method):
    net = seeded(Additive)
    model, people, others = dlx.wrap(net, case(), inputs=positional), case()[:6], case()[50:70]
    made = dlx.explain(model, people, method=method, background=others, scale="logit")
    with torch.no_grad():
        parts = [
            [part(numbers_of(some.table)[:, [i]]).numpy()[:, 0] for i, part in enumerate(net.each)]
            + [embed(codes_of(some.table)[:, i]).numpy()[:, 0] for i, embed in enumerate(net.embeddings)]
            for some in (people, others)
        ]
    closed = np.stack([mine - theirs.mean() for mine, theirs in zip(*parts, strict=True)], axis=1)
    np.testing.assert_allclose(made.values[:, [0, 2, 1, 3]], closed, atol=2e-3 if method == "integrated_gradients" else 1e-5)


@pytest.mark.parametrize("make", [lambda: Embeds(activation=nn.Tanh), Attends])
def test_integrated_gradients_are_captums_on_the_embedded_space(make):
    net = seeded(make)
    model, people, others = dlx.wrap(net, case(), inputs=positional), case()[:3], case()[50:54]
    made = dlx.explain(model, people, method="integrated_gradients", background=others, scale="logit")

    class Embedded(nn.Module):
        """The net behind its embeddings, whose answers are inputs."""

        def forward(self, numbers, *answers):
            return swapped(numbers, torch.zeros(len(numbers), 2, dtype=torch.long), answers)

    def swapped(numbers, codes, answers):
        with pytest.MonkeyPatch.context() as patch:
            for embed, answer in zip(net.embeddings, answers, strict=True):
                patch.setattr(embed, "forward", lambda _, answer=answer: answer)
            return net(numbers, codes).reshape(-1)

    def embedded(some):
        codes = codes_of(some)
        return numbers_of(some), *(embed(codes[:, i]).detach() for i, embed in enumerate(net.embeddings))

    captum = IntegratedGradients(Embedded())
    found = np.zeros((3, 4))
    for i in range(3):
        mine = tuple(value.repeat(4, *[1] * (value.ndim - 1)) for value in embedded(people.table[i : i + 1]))
        parts = captum.attribute(mine, embedded(others.table), n_steps=200)
        found[i] = [*parts[0].mean(dim=0).tolist(), *(part.sum(dim=1).mean().item() for part in parts[1:])]
    np.testing.assert_allclose(made.values[:, [0, 2, 1, 3]], found, atol=2e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_any_precision(dtype):
    net = seeded(Embeds).to(dtype)
    model = dlx.wrap(net, case(), inputs=lambda t: (numbers_of(t, dtype), codes_of(t)))
    with torch.no_grad():
        own = net(numbers_of(TABLE, dtype), codes_of(TABLE)).double().numpy()[:, 0]
    np.testing.assert_allclose(model.predict(case(), "logit"), own, atol=1e-12 if dtype == torch.float64 else 0.02)
    dlx.explain(model, case()[:2], method="deeplift", background=case()[50:54], scale="logit")


@pytest.mark.parametrize("end", [nn.Identity(), nn.Softmax(dim=1), nn.LogSoftmax(dim=1)])
@pytest.mark.parametrize("target", ["0", "1", "2", 1])
def test_of_several_classes_one_is_told_by_its_log_odds(end, target):
    class Ends(Embeds):
        def __init__(self):
            super().__init__(outputs=3)
            self.end = end

        def forward(self, x_num, x_cat):
            return self.end(super().forward(x_num, x_cat))

    net, some = seeded(Ends), case("three")
    model = dlx.wrap(net, some, inputs=positional, target=target)
    with torch.no_grad():
        chances = Embeds.forward(net, *positional(TABLE)).double().softmax(dim=1).numpy()[:, int(target)]
    np.testing.assert_allclose(model.predict(some, "logit"), np.log(chances / (1 - chances)), atol=1e-5)
    np.testing.assert_allclose(model.predict(some, "probability"), chances, atol=1e-6)
    assert model.target == f"{int(target)}"
    for method in ("integrated_gradients", "deeplift"):
        made = dlx.explain(model.of("0"), some[:2], method=method, background=some[50:54], scale="logit")
        assert made.target == "0"
    np.testing.assert_allclose(model.probabilities(some).sum(axis=1), 1, atol=1e-6)


def test_outputs_of_several_are_chosen_or_refused():
    net = seeded(lambda: Embeds(outputs=3))
    with pytest.raises(DlxError, match="or one for each of '0', '1', got 3"):
        dlx.wrap(net, case(), inputs=positional)
    with pytest.raises(DlxError, match=r"returns 3 numbers a row: say which, target=0 to 2"):
        dlx.wrap(net, case("values"), inputs=positional)
    model = dlx.wrap(net, case("values"), inputs=positional, target=2)
    with torch.no_grad():
        np.testing.assert_allclose(model.predict(case("values"), "value"), net(*positional(TABLE)).numpy()[:, 2], atol=1e-6)
    two = seeded(lambda: Embeds(outputs=2))
    with torch.no_grad():
        logits = two(*positional(TABLE)).double().numpy()
    np.testing.assert_allclose(
        dlx.wrap(two, case(), inputs=positional).predict(case(), "logit"), logits[:, 1] - logits[:, 0], atol=1e-6
    )
    with pytest.raises(DlxError, match="has one output, which speaks for '1': leave target out"):
        dlx.wrap(seeded(Embeds), case(), inputs=positional, target="0")


class Compares(Embeds):
    def forward(self, x_num, x_cat):
        return super().forward(x_num, x_cat) + (x_cat[:, :1] == 2).float()


class Steps(nn.Module):
    def forward(self, codes):
        return (codes[:, :1] > 1).float()


class ComparesInside(Embeds):
    def __init__(self):
        super().__init__()
        self.steps = Steps()

    def forward(self, x_num, x_cat):
        return super().forward(x_num, x_cat) + self.steps(x_cat)


class Crosses(Embeds):
    def __init__(self):
        super().__init__()
        self.pairs = nn.Embedding(12, 1)

    def forward(self, x_num, x_cat):
        return super().forward(x_num, x_cat) + self.pairs(x_cat[:, 0] * 3 + x_cat[:, 1])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Compares, "reads the codes of job, grade by other means than an embedding"),
        (ComparesInside, "steps reads the codes of job, grade by other means"),
        (Crosses, "pairs looks up job and grade together"),
    ],
)
def test_codes_that_reach_anything_but_a_lookup_leave_the_shapley_methods(make, said):
    net = seeded(make)
    model, people, others = dlx.wrap(net, case(), inputs=positional), case()[:2], case()[50:54]
    assert isinstance(model, BlackBox)
    assert said in model.route
    made = dlx.explain(model, people, method="shapley", background=others, scale="logit")
    np.testing.assert_allclose(made.values, shapley(Own("", net), people.rows, others.rows, "logit"), atol=1e-5)
    with pytest.raises(DlxError, match=said):
        dlx.explain(model, people, method="integrated_gradients", background=others, scale="logit")


def test_gaps_that_the_users_own_steps_fill_are_a_level_and_a_number():
    made = table()
    made.loc[::5, "job"], made.loc[::7, "income"] = None, np.nan
    some = dlx.from_frame(made, dlx.infer_schema(made, "y"))
    filled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()).fit(made[NUMBERS])
    coder = OrdinalEncoder(encoded_missing_value=4).fit(made[WORDS])
    net = seeded(Embeds)
    net.embeddings[0], net.body[0] = nn.Embedding(5, 3), nn.Linear(9, 8)
    model = dlx.wrap(net, some, inputs=(filled, coder))
    assert isinstance(model, NeuralModel)
    with torch.no_grad():
        numbers = torch.tensor(filled.transform(made[NUMBERS])).float()
        own = net(numbers, torch.tensor(coder.transform(made[WORDS])).long()).double().numpy()[:, 0]
    np.testing.assert_allclose(model.predict(some, "logit"), own, atol=1e-6)
    found = dlx.explain(model, some[:7], method="deeplift", background=some[50:60], scale="logit")
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, own[:7], atol=1e-5)


@pytest.mark.parametrize(
    ("make", "inputs", "said"),
    [
        (
            Embeds,
            lambda t: positional(t)[0],
            r"Embeds cannot be called with .* missing 1 .* argument: 'x_cat'; say what it is given",
        ),
        (Embeds, lambda t: positional(t)[::-1], "Embeds cannot be called with its inputs: "),
        (Embeds, (["income", "ages"], WORDS), "names the column 'ages', which is none of income"),
        (Embeds, (StandardScaler().fit(TABLE[NUMBERS].to_numpy()), CODER), "does not know its columns: fit it on a DataFrame"),
        (Embeds, lambda t: t["wage"], "the inputs of Embeds cannot be made of a table: KeyError: 'wage'"),
        (Embeds, 3, "inputs must be columns, fitted transformers"),
        (Embeds, lambda _: {}, "must hold a tensor with a row for each"),
    ],
)
def test_inputs_that_cannot_be_are_one_line(make, inputs, said):
    with pytest.raises(DlxError, match=said) as refused:
        dlx.wrap(seeded(make), case(), inputs=inputs)
    assert "\n" not in str(refused.value)


def test_inputs_need_rows_and_a_net():
    with pytest.raises(DlxError, match="wrap it with a Dataset, or pass check"):
        dlx.wrap(seeded(Embeds), case().schema, inputs=positional)
    with pytest.raises(DlxError, match="inputs are those of a network"):
        dlx.wrap(lambda t: t["income"], case(), inputs=positional)


def test_columns_are_numbers_as_they_are_and_places_of_levels():
    net = seeded(Embeds)
    model = dlx.wrap(net, case(), inputs=(NUMBERS, WORDS))
    with torch.no_grad():
        own = net(torch.tensor(TABLE[NUMBERS].to_numpy()).float(), codes_of(TABLE)).double().numpy()[:, 0]
    np.testing.assert_allclose(model.predict(case(), "logit"), own, rtol=1e-5)


def test_a_level_that_the_net_has_no_row_for_leaves_the_shapley_methods():
    net, some = seeded(Embeds), case()[case().frame["job"].to_numpy() != "vicar"]
    net.embeddings[0] = nn.Embedding(3, 3)
    model = dlx.wrap(net, some, inputs=(NUMBERS, WORDS))
    assert isinstance(model, BlackBox)
    assert "cannot be asked for every level of job" in model.route


def test_numbers_that_are_mixed_before_the_net_leave_the_shapley_methods():
    net = seeded(Embeds)
    model = dlx.wrap(net, case(), inputs=lambda t: (numbers_of(t) @ torch.ones(2, 2), codes_of(t)))
    assert isinstance(model, BlackBox)
    assert "its inputs mix income and age" in model.route


def test_methods_that_do_not_fit_name_the_layer():
    model, people, others = dlx.wrap(seeded(Attends), case(), inputs=positional), case()[:3], case()[50:54]
    with pytest.raises(DlxError, match=r"no rule for MultiheadAttention attention, LayerNorm norm and .*use integrated"):
        dlx.explain(model, people, method="deeplift", background=others, scale="logit")
    found = preflight(model, people, others, methods=["deeplift", "integrated_gradients"]).set_index("method")
    assert found.loc["deeplift", "verdict"] == "not valid"
    assert found.loc["deeplift", "reason"].startswith("attention is a MultiheadAttention")
    assert found.loc["deeplift", "fallback"] == "integrated_gradients"
    assert found.loc["integrated_gradients", "verdict"] == "fine"


def test_a_function_that_spoils_the_rescale_rule_is_named():
    class Gated(nn.Module):
        def forward(self, x):
            return x.chunk(2, dim=1)[0] * torch.sigmoid(x.chunk(2, dim=1)[1])

    net = seeded(Embeds)
    net.body = nn.Sequential(nn.Linear(8, 8), Gated(), nn.Linear(4, 1))
    model, people, others = dlx.wrap(net, case(), inputs=positional), case()[:3], case()[50:54]
    with pytest.raises(DlxError, match=r"body\.1 calls torch\.(Tensor\.)?sigmoid, which the rule cannot see.*use integrated"):
        dlx.explain(model, people, method="deeplift", background=others, scale="logit")
