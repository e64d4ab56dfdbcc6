# %% [markdown]
# # Lesson 3. One prediction: which column gets how much of the credit?
#
# **30 minutes** · on the half-day path · you need: pandas, and the four rules of arithmetic
#
# A loan officer has a screen that says "denied". The applicant sits in front of her and asks: *why?*
# She can see the twenty columns that the model saw. She can't see how much each of them counted.
#
# At the end of this lesson you can compute such an answer by hand, ask the library that most people use for it, and say when not to believe it.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import itertools

import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.ensemble import GradientBoostingClassifier

import dlx

lesson = course.Lesson(3, globals())
case = dlx.load("bank_loan")  # 1,000 loans of a German bank, 1973 to 1975
net = dlx.load_model(case, "mlp")  # a neural net, trained already
applicant = case.test[case.test.index == 522]
background = case.background(lesson.size(100, small=20))  # real applicants to compare with

# %% [markdown]
# ## The answer first
#
# Applicant 522 is row 522 of the table. The net gives each applicant a **risk**: its probability that the loan goes bad. For this bank, a bad loan costs
# as much as turning five good ones away. So it denies from a risk of one in six on.

# %%
risk = lesson.record("risk of applicant 522", net.predict(applicant, "probability")[0])
course.say(f"The net says: **{risk:.0%}**. The bank denies from {1 / 6:.0%} on. Applicant 522 is denied.")

# %% [markdown]
# Below is one answer to "why?". Read it from the top to the bottom.
#
# - It starts at the mean prediction for the applicants that we compare with (the *background*).
# - Each bar is one column, and its length is the column's **share**. Red pushes the risk up, blue pulls it down. A bar starts where the one above it ended.
# - It ends at what the net says of this applicant.

# %%
answer = dlx.explain(net, applicant, method="shapley", background=background, scale="logit")
shares = pd.Series(answer.values[0], index=case.schema.names)  # one number a column
largest = list(shares.abs().sort_values(ascending=False).index[:8])
figure, ax = plt.subplots(figsize=(7.5, 3.4))
_ = dlx.plots.draw_waterfall(answer, 0, largest, ax)

# %% [markdown]
# The unit below the figure is **log-odds**. It's the risk on another ruler: log(risk / (1 − risk)). Zero is a risk of one half, to the right is more. The ruler
# has no ends, so a push counts the same everywhere; percent are squeezed near 0 and 100. Here are a few marks of both rulers:

# %%
marks = np.array([0.05, 1 / 6, 0.5, risk, 0.95])
pd.DataFrame([np.log(marks / (1 - marks)).round(2)], index=["log-odds"], columns=[f"{mark:.0%}" for mark in marks])

# %% [markdown]
# Each share in the figure is a **Shapley value**. Where does such a number come from? Take a pencil.

# %% [markdown]
# ## By hand: three columns, eight questions
#
# We compare applicant 522 with one other person, applicant 283, of whom the net thinks well. To keep it small, let them differ in three
# columns only: the checking account (`status`), the length of the loan (`duration`), and the savings (`savings`). The other seventeen stay 522's.

# %%
columns = ["status", "duration", "savings"]
other = case.train[case.train.index == 283]
course.described(applicant, columns).join(course.described(other, columns))

# %% [markdown]
# Start with 283's three values. Give back some of 522's, and ask the net for the risk. There are eight ways to pick some of three columns,
# from none to all. Such a pick is called a **coalition**. Each line of this sheet is one:


# %%
def mixed(coalition, reference):
    """Return rows like the reference, with the applicant's values in the columns of a coalition."""
    rows = np.tile(applicant.rows[0], (len(reference), 1))  # the other seventeen columns stay the applicant's
    for column in columns:
        if column not in coalition:
            rows[:, case.schema.position(column)] = reference[:, case.schema.position(column)]
    return rows


coalitions = [frozenset(some) for size in range(4) for some in itertools.combinations(columns, size)]
worth = {some: 100 * net.predict(mixed(some, other.rows), "probability")[0] for some in coalitions}
sheet = pd.DataFrame([{column: "522" if column in some else "283" for column in columns} for some in coalitions])
sheet["risk in %"] = [round(worth[some]) for some in coalitions]
sheet

# %% [markdown]
# Write these eight numbers on paper. Now the question: **how much of the way from the first line to the last is due to the length of
# the loan?**
#
# The length can enter after none, one or both of the other columns. So there are four coalitions to which it can be added, and four
# differences "with it, less without it":

# %%
others = [some for some in coalitions if "duration" not in some]
steps = pd.DataFrame(
    {
        "these are 522's already": [", ".join(sorted(some)) or "none" for some in others],
        "without": [round(worth[some]) for some in others],
        "with": [round(worth[some | {"duration"}]) for some in others],
    }
)
steps["difference"] = steps["with"] - steps["without"]
steps

# %% [markdown]
# The differences are not equal: the same 48 months count for more or less, depending on what else is known. So which one is *the* answer?
#
# Lloyd Shapley (1953) said: none of them, take all. Let the three columns enter in every possible **order**, and take the mean.
# Three columns have six orders. Each line below is one order; each number is by how much the risk rose when that column entered.

# %%
orders = list(itertools.permutations(columns))
entered = pd.DataFrame(
    [
        {column: worth[frozenset(order[: place + 1])] - worth[frozenset(order[:place])] for place, column in enumerate(order)}
        for order in orders
    ],
    index=[", then ".join(order) for order in orders],
)
entered.round(1)

# %% [markdown]
# Look at the column `duration`. In two of the six orders the length enters first, and in two it enters last. Once it enters after the account only,
# once after the savings only. So the four differences on your paper weigh **1/3, 1/6, 1/6 and 1/3**. Try it, then look:

# %%
weights = np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3])
by_hand = entered.mean()
whole = worth[frozenset(columns)] - worth[frozenset()]
lesson.record("three columns: duration", by_hand["duration"])
course.say(
    f"By your rounded numbers the length gets **{steps['difference'] @ weights:.1f}** percentage points, by exact ones **{by_hand['duration']:.1f}**. "
    f"The shares of all three are together {by_hand.sum():.1f}, and the way from the first line of your sheet to the last is {whole:.1f}."
)

# %% [markdown]
# That they add up is no accident. Each order walks the whole way, step by step. This is called **local accuracy**, or efficiency.
#
# Shapley proved more: this is the only rule for which four things hold. The shares add up. Two columns that always do the same get the same.
# A column that never changes anything gets nothing. And the shares of a sum of two models are the sums of the shares.

# %% [markdown]
# ### Exercise 1 (pencil)
# What is the share of `savings`? Use your sheet of eight numbers, and the weights 1/3, 1/6, 1/6, 1/3. Half a point off is fine.

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.5)

# %% [markdown] tags=["hint"]
# Four differences: from "none" to savings, from status to status and savings, from duration to duration and savings,
# and from status and duration to all three. The first and the last weigh 1/3.

# %% tags=["solution"]
answer_1 = (
    (worth[frozenset({"savings"})] - worth[frozenset()]) / 3
    + (worth[frozenset({"status", "savings"})] - worth[frozenset({"status"})]) / 6
    + (worth[frozenset({"duration", "savings"})] - worth[frozenset({"duration"})]) / 6
    + (worth[frozenset(columns)] - worth[frozenset({"status", "duration"})]) / 3
)

# %% tags=["wrong"]
# That is only what savings add when they enter first. There are three other differences.
answer_1 = worth[frozenset({"savings"})] - worth[frozenset()]

# %% tags=["wrong"]
# That is only what savings add when they enter last. There are three other differences.
answer_1 = worth[frozenset(columns)] - worth[frozenset({"status", "duration"})]

# %% tags=["wrong"]
# This is the share of another column. Read the rows in which only `savings` changes.
answer_1 = by_hand["status"]

# %% [markdown]
# ## Compared with whom?
#
# We chose applicant 283. Nobody forced us. Compare with somebody else, and the same applicant gets other reasons. Here are three others, and in the last column
# the mean over many. From here on the unit is log-odds, as in the first figure.


# %%
def shapley_by_hand(value):
    """Return the Shapley value of each of the columns; `value(coalition)` is what a coalition is worth."""
    worth_of = {some: value(some) for some in coalitions}
    total = dict.fromkeys(columns, 0.0)
    for order in orders:
        for place, column in enumerate(order):
            total[column] += worth_of[frozenset(order[: place + 1])] - worth_of[frozenset(order[:place])]
    return pd.Series(total) / len(orders)


def against(reference):
    """Return the Shapley values of the net's log-odds, compared with the mean over some reference rows."""
    return shapley_by_hand(lambda some: net.predict(mixed(some, reference), "logit").mean())


persons = {f"applicant {background.index[i]}": against(background.rows[[i]]) for i in range(3)}
pd.DataFrame(persons | {f"the mean over {len(background)}": against(background.rows)}).round(2)

# %% [markdown]
# Where the other one has the same savings as applicant 522, savings get no share at all. That isn't wrong. It answers "why more than *this* person?".
#
# What does a loan officer want? Usually: why more than *an applicant as they come*. So one compares with many of them, and takes the mean.
# Those rows are the **background**. An explanation without its background is half a sentence. The other half is its unit; lesson 6 shows what that does.

# %% [markdown]
# ## The library, three times: shap
#
# [shap](https://shap.readthedocs.io) is what most people use. Here is a model that it can take as it is: boosted trees of scikit-learn
# that know our three columns only (categories are numbered in their order). It's another model than the net, so expect other shares.

# %%
rows = {
    name: pd.DataFrame(part.rows, columns=case.schema.names)[columns]
    for name, part in (("train", case.train), ("test", case.test))
}
trees = GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0).fit(rows["train"], case.train.outcomes)
some_background = rows["train"].sample(len(background), random_state=0)
one = rows["test"][case.test.index == 522]

exact = shap.TreeExplainer(trees, some_background, feature_perturbation="interventional").shap_values(one)[0]
sampled = shap.KernelExplainer(
    lambda x: trees.decision_function(pd.DataFrame(x, columns=columns)), some_background
).shap_values(one, silent=True)[0]


def value_of_trees(coalition):
    """Return the trees' mean log-odds if a coalition has the applicant's values, the rest the background's."""
    swapped = some_background.assign(**{column: one[column].iloc[0] for column in coalition})
    return trees.decision_function(swapped).mean()


ours = shapley_by_hand(value_of_trees)
pd.DataFrame({"as by pencil": ours, "Tree SHAP": exact, "Kernel SHAP": sampled}, index=columns)

# %%
lesson.record("pencil and Tree SHAP differ by at most", np.abs(ours - exact).max(), within=1e-6)
course.say(
    f"The largest difference from Tree SHAP is {np.abs(ours - exact).max():.0e}, from Kernel SHAP {np.abs(ours - sampled).max():.0e}. "
    "All three compute **the same number**."
)

# %% [markdown]
# Then why are there three ways? Because of the cost.
#
# - **As by pencil**, all coalitions (exact, any model). Three columns have eight coalitions. Twenty columns have a million, each asked for every background row.
# - **Tree SHAP** (exact, trees only). It walks through the trees instead of asking them, and is done in milliseconds.
# - **Kernel SHAP** (any model). It asks for *some* coalitions only, drawn at random, and fits a line through the answers. With few columns it can
#   afford all of them, as above. With twenty it can't, and the result depends on luck.
#
# Here is that luck: the net with all its twenty columns, Kernel SHAP with a few hundred coalitions, two seeds.


# %%
def kernel_shap(seed, samples):
    """Return shap's Kernel SHAP values of the net's log-odds for applicant 522."""
    np.random.seed(seed)  # shap draws from numpy's global state
    explainer = shap.KernelExplainer(lambda x: net.predict(x, "logit"), background.rows)
    return explainer.shap_values(applicant.rows, nsamples=samples, l1_reg=False, silent=True)[0]


samples = lesson.size(300, small=100)
few, again = kernel_shap(0, samples), kernel_shap(1, samples)
table = pd.DataFrame({"seed 0": few, "seed 1": again, "the first figure": shares}, index=case.schema.names)
table.loc[largest].round(2)

# %%
luck = lesson.record("luck of Kernel SHAP, largest", np.abs(few - again).max(), within=0.5)
course.say(
    f"Same person, same net, same background, another seed: one column moved by {luck:.2f}. That's little beside the longest bars, and much beside the shortest."
)

# %% [markdown]
# ### Exercise 2
# The first figure shows the eight largest columns, and sums the others. **What do the twelve others add together**, in log-odds?
# You may use `net.predict(applicant, "logit")`, `net.predict(background, "logit")`, `shares` and `largest`. Try to do it without
# summing the twelve.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.02)

# %% [markdown] tags=["hint"]
# Local accuracy: base value + all shares = prediction. The base value is the mean prediction for the background.

# %% tags=["solution"]
start, end = net.predict(background, "logit").mean(), net.predict(applicant, "logit")[0]
answer_2 = end - start - shares[largest].sum()

# %% tags=["wrong"]
# You left out where the figure starts: the mean prediction for the background.
answer_2 = net.predict(applicant, "logit")[0] - shares[largest].sum()

# %% tags=["wrong"]
# These are all columns together. Take away the eight largest.
answer_2 = net.predict(applicant, "logit")[0] - net.predict(background, "logit").mean()

# %% [markdown]
# ## dlx, and what the difference is
#
# dlx computes the same values. One call asks any model, by any method, in a stated unit against a stated background. Its method `shapley` made the first figure: for up to 16 columns
# it asks all coalitions, for more it draws many, until the luck is small, and tells how much luck is left.

# %%
asked = {"background": background, "scale": "logit"}
kernel = dlx.explain(net, applicant, method="kernel_shap", n_samples=512, **asked)  # as often as the report asks
figure, ax = plt.subplots(figsize=(7, 4))
dlx.plots.draw_contributions([answer, kernel], 0, largest[:6], ax, labels=["Shapley", "Kernel SHAP"], counting=[True, True])
_ = ax.legend(loc="lower right")

# %%
off = float(np.abs(answer.residuals).max())
error = lesson.record("largest standard error", answer.standard_errors[0].max(), within=0.05)
for name in ("status", "duration"):
    lesson.record(f"share of {name}", shares[name], within=0.05)
    lesson.record(f"share of {name}, Kernel SHAP", kernel.values[0, case.schema.position(name)], within=0.01)
course.say(
    "What dlx does that you would have to do yourself:\n\n"
    f"- It **checks that the shares add up** to the prediction: the gap here is {off:.1g}. If they did not, it would refuse.\n"
    f"- It **says how uncertain a sampled value is**: the largest standard error in the first figure is {error:.3f}.\n"
    "- It swaps **whole columns**. A category that became ten columns of zeros and ones for the net is still one column.\n"
    "- It **keeps unit and background** with the values, and refuses to compare two explanations that differ in them."
)

# %% [markdown]
# For trees it is exact, as shap is. And here a common trap shows. Without a background, shap's `TreeExplainer` silently answers *another question*:
# it takes the shares of training rows in the leaves instead of real applicants.

# %%
without = shap.TreeExplainer(trees).shap_values(one)[0]
lesson.record("Tree SHAP without a background, status", without[0])
pd.DataFrame({"with a background": exact, "without": without}, index=columns).round(3)

# %% [markdown]
# ## Two columns together: interactions
#
# On your sheet, the length of the loan counted for more or less depending on the other columns. That dependence has a number of its own.
# For two columns it is what both add together, less what each adds alone:
#
# > both, less only the first, less only the second, plus none


# %%
def value(*coalition, scale):
    """Return what some columns are worth to the net, against the background."""
    return net.predict(mixed(frozenset(coalition), background.rows), scale).mean()


pair = {}
for scale in ("logit", "probability"):
    none, first, second = (value(*some, scale=scale) for some in ((), ("status",), ("duration",)))
    both = value("status", "duration", scale=scale)
    pair[scale] = {"the account adds": first - none, "the length adds": second - none}
    pair[scale] |= {"beyond both": both - first - second + none, "together": both - none}
lesson.record("interaction of status and duration", pair["logit"]["beyond both"], within=0.02)
pd.DataFrame(pair).round(3)

# %% [markdown]
# The line "beyond both" is the **interaction**. It belongs to neither column alone. A Shapley value shares it out: half to each.
# A single bar of the first figure can't show it. The sign and the size of an interaction depend on the unit, too.
#
# dlx takes the mean of this over all coalitions of the other columns (the *Shapley interaction index*), for all pairs. Below are those of boosted trees on all twenty columns, for
# applicant 522. On the diagonal is what a column does alone. Beside it, each pair stands twice, half of its interaction in each place.

# %%
boosted = dlx.load_model(case, "gradient_boosting")
pairs = dlx.effects.interactions(boosted, applicant, columns=largest[:5], **asked)
figure, ax = plt.subplots(figsize=(5.2, 3.6))
_ = dlx.plots.draw_interactions(pairs, largest[:5], ax)

# %% [markdown]
# ## When not to believe this
#
# - **It is about the model, not about the world.** A red bar doesn't say that the loan went bad because of it, nor that another value would help.
# - **Some of the questions are about people who can't exist.** A coalition mixes one person's amount with another one's length of the loan.
#   What a net says of such a mixture is a guess. Lesson 2 shows how that misleads. dlx's method `conditional_shapley` asks only about mixtures that could be real.
# - **Another background, another answer.** If somebody gives you shares without saying "compared with whom", ask.
# - **The order of nearly equal bars is luck.** Look at the standard error, or run another seed.
# - **A small bar is not a proof of innocence.** A protected column can act through others that stand in for it (lesson 7).
# - **Another net, trained as well on the same rows, has other reasons.** Lesson 6 measures that.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# In the first figure, the bar of `Age: 53 years` points to the left. Which sentence is true?
#
# - **a** Older applicants pay back better.
# - **b** If applicant 522 were younger, the loan would go bad.
# - **c** With this applicant's age in place of the ages of the background, the net's prediction is lower, on average over coalitions.
# - **d** Age is the least important column.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# Which of the sentences is about the net, and which are about the world? What was swapped for what?

# %% tags=["solution"]
answer_3 = "c"

# %% tags=["wrong"]
# That is a sentence about the world. The figure knows only the net.
answer_3 = "a"

# %% tags=["wrong"]
# That is a sentence about cause and effect. The figure knows only what the net predicts for mixtures of rows.
answer_3 = "b"

# %% tags=["wrong"]
# The figure leaves out the twelve columns with shorter bars.
answer_3 = "d"

# %% [markdown]
# ## Try it on anybody
#
# - `dlx serve bank_loan` opens the workbench in a browser. Add `#person=522&model=mlp&method=shapley` to its address: that is applicant 522. Change the length
#   of the loan: the shares follow. Then open **"How does this method get its answer?"**: it plays the orders of your sheet, with all twenty columns.
# - `dlx report bank_loan` writes the report. Its section "One person" tells of applicant 522, against the same background.
#
# **In one sentence**: a Shapley value is the mean, over all orders, of what a column changes when its value is swapped in;
# compared with a background, in a unit.
#
# Next: [lesson 4](04_lime.ipynb), a cloud of invented neighbours.
