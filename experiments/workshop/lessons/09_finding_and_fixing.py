# %% [markdown]
# # Lesson 9. Mistakes and bias: found, explained, mended, and when mending fails
#
# **30 minutes** · on the half-day path · you need: lessons 7 and 8 help
#
# A reviewer has three sheets of paper in front of her. "The model is wrong more often about these customers." "It grants loans to the young less often."
# "It uses a column that it must not use." On each, somebody wrote: *fixed*. She must find out whether that is true.
#
# At the end of this lesson you can search for weak spots without being fooled by luck, ask what pushed the mistakes, try four remedies, and say
# honestly when one did nothing.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import itertools

import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from fairlearn.metrics import demographic_parity_ratio
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeRegressor

import dlx
from dlx.audit import mispredictions
from dlx.progress import Narrator

lesson = course.Lesson(9, globals())
quiet = Narrator(quiet=True)
case = dlx.load("bank_loan")
trees = dlx.load_model(case, "gradient_boosting")

# %% [markdown]
# ## By hand: twelve applicants, three columns, and a die
#
# Twelve applicants have three columns. For each we threw a die: at one or two, the decision counts as wrong. **So nothing but luck decides who is wrong.**
# (To be honest: we threw several sheets and kept one that looks bad. A search does the same.)

# %%
columns = ["town", "young", "long loan"]
rng = np.random.default_rng(303)


def thrown(count):
    """Return applicants and whether the decision about each is wrong, by a die."""
    people = pd.DataFrame(rng.integers(2, size=(count, 3)).astype(bool), columns=columns)
    return people.assign(wrong=rng.integers(1, 7, size=count) <= 2)


sheet = thrown(12)
sheet.replace({True: "x", False: ""}).T

# %% [markdown]
# Now search for the part of the customers where the model is "worst": all single columns and all pairs of columns, each "yes" or "no", with at least three people.


# %%
def parts():
    """Return all parts of the customers: columns and the values that they must have."""
    for size in (1, 2):
        for some in itertools.combinations(columns, size):
            for values in itertools.product([True, False], repeat=size):
                yield dict(zip(some, values, strict=True))


def shares_wrong(people):
    """Return the share of wrong decisions in each part with at least three people."""
    found = {}
    for part in parts():
        inside = np.all([people[column] == value for column, value in part.items()], axis=0)
        if inside.sum() >= 3:
            name = " and ".join(column if value else f"not {column}" for column, value in part.items())
            found[name] = people["wrong"][inside].mean()
    return pd.Series(found).sort_values(ascending=False)


first = shares_wrong(sheet)
again = shares_wrong(thrown(1200))
worst = pd.DataFrame({"on the sheet": first.head(3), "the same part of 1,200 others": again[first.index[:3]]})
worst.round(2)

# %%
course.say(
    f"We looked at {len(first)} parts and took the worst. There, {first.iloc[0]:.0%} of the decisions on the sheet are wrong, of {sheet['wrong'].mean():.0%} in all. "
    f"Among 1,200 others it is {again[first.index[0]]:.0%}, which is what the die says. **Whoever searches long enough finds something.** "
    "So search on one half of the people, and test on the other."
)

# %% [markdown]
# ### Exercise 1 (pencil)
# On the sheet of twelve: **what share of the decisions about those who are "young" and not "long loan" is wrong?**

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.01)

# %% [markdown] tags=["hint"]
# First cross out everybody without an x at "young", then everybody with an x at "long loan". Count who is left, and how many of these are wrong.

# %% tags=["solution"]
answer_1 = sheet["wrong"][sheet["young"] & ~sheet["long loan"]].mean()

# %% tags=["wrong"]
# You kept everybody who is young. Those with a long loan must go, too.
answer_1 = sheet["wrong"][sheet["young"]].mean()

# %% tags=["wrong"]
# That is the share of *all twelve*. Divide by those who are in the part.
answer_1 = (sheet["wrong"] & sheet["young"] & ~sheet["long loan"]).sum() / 12

# %% [markdown]
# ## The library directly: where is a real model wrong?
#
# scikit-learn can search: fit a small tree to the *loss* of each person (how surprised the model was by what happened). We search on the validation
# rows, which the model was not trained on, then look at the same part of the test rows.


# %%
def losses(people):
    """Return how surprised the boosted trees are by what happened to each person: minus the logarithm of what they gave to it."""
    risk = trees.predict(people, "probability")
    return -np.log(np.where(people.outcomes == 1, risk, 1 - risk))


found, tested = losses(case.validation), losses(case.test)
weak = DecisionTreeRegressor(max_leaf_nodes=6, min_samples_leaf=20, random_state=0).fit(case.validation.rows, found)
leaf, leaf_of_test = weak.apply(case.validation.rows), weak.apply(case.test.rows)
where = pd.DataFrame(
    {
        "people": pd.Series(leaf_of_test).value_counts(),
        "loss where it was searched": pd.Series(found).groupby(leaf).mean(),
        "loss where it is tested": pd.Series(tested).groupby(leaf_of_test).mean(),
    }
)
where.sort_values("loss where it was searched", ascending=False).round(2)

# %% [markdown]
# The order of the parts is not kept: the second column is always in order, the third is not. Which of these parts is really weak? The table doesn't say.
#
# ## dlx, and what the difference is
#
# dlx searches on the validation rows and tests on the test rows, too. But a person whose outcome is a toss-up *must* surprise every honest model. So it
# compares with the loss that the model itself expects there, gives an interval, and demands more of each part the more parts are tested (Holm's rule).

# %%
judged, test = mispredictions.decisions_of(trees, case.validation), mispredictions.decisions_of(trees, case.test)
slices = mispredictions.slices(judged, test)
weakest = slices.table
figure, ax = plt.subplots(figsize=(6.5, 3.6))
dlx.plots.draw_slices(weakest.head(6), ax, of="log loss more than elsewhere")
weakest[["slice", "rows", "error_rate", "difference", "low", "high", "adjusted", "found"]].head(4).round(3)

# %%
count = lesson.record("parts that stand out", weakest["found"].sum(), within=0)
course.say(
    f"{count:.0f} of {len(weakest)} parts hold on people who were not searched. The report says so, too, under “Where the models err”. *Why* is the next question."
)

# %% [markdown]
# **What pushed the mistakes?** Take those who were wrongly denied, and those who were rightly granted: both paid back. By how much more did each column push
# the first towards denial?

# %%
background = case.background(lesson.size(100, small=30))
told = dlx.explain(trees, case.test, method="tree_shap", background=background, scale="logit")
pushed = mispredictions.pushes(test, told)
denied_wrongly = pushed[pushed["kind"] == "false_positive"]
figure, ax = plt.subplots(figsize=(6.5, 2.6))
_ = dlx.plots.draw_pushes(denied_wrongly, ax, most=6)

# %% [markdown]
# This says which columns the mistakes *went through*. It doesn't say that a column is bad: a column that is right about most people is wrong about some,
# and it is the strong columns that show here. Do not delete the top bar.

# %% [markdown]
# ## Remedy 1: merge rare levels (and nothing happens)
#
# Some levels have fewer than thirty training rows: a holiday loan, a domestic appliance. What a model says of them is chance. So merge them and train again.

# %%
merged = dlx.remedies.fix(case, "gradient_boosting", merge=30, narrator=quiet)
table = merged.before_after(background=20, people=20).query("topic == 'accuracy'").set_index("quantity")
change = lesson.record("rare levels merged, auc", table.loc["auc", "difference"], within=0.005)
table[["before", "after", "difference", "low", "high"]].round(4)

# %%
low, high = table.loc["auc", ["low", "high"]]
course.say(
    f"The ROC AUC rises by {change:.3f}. Put that on a slide and it looks like progress. Its interval reaches from {low:+.3f} to {high:+.3f}: "
    f"{'that is no more than chance' if low < 0 < high else 'that is beyond chance'}. It was a reasonable thing to do. It is not a result."
)

# %% [markdown]
# ## Remedy 2: the young (and what it costs)
#
# Now the second sheet. The linear model grants loans to the young less often than to the others. First the library directly: `fairlearn` can choose a threshold for each
# group, so that both are granted equally often.

# %%
linear = dlx.load_model(case, "logistic_regression")
threshold = case.schema.target.threshold
by_age = dlx.fairness.partition(case, "age")
group = pd.Series(by_age.codes(case.test))
granted = linear.predict(case.test, "probability") < threshold
paid_back = case.test.outcomes == 0
before = demographic_parity_ratio(paid_back, granted, sensitive_features=group)


class Score(ClassifierMixin, BaseEstimator):
    """The model as fairlearn takes one: an estimator of scikit-learn that is fitted already."""

    def fit(self, *_):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, rows):
        """Return the probability of a bad and of a good loan."""
        risk = linear.predict(np.asarray(rows), "probability")
        return np.column_stack([risk, 1 - risk])


optimiser = ThresholdOptimizer(estimator=Score(), constraints="demographic_parity", prefit=True, predict_method="predict_proba")
optimiser.fit(case.validation.rows, case.validation.outcomes == 0, sensitive_features=by_age.codes(case.validation))
granted_then = optimiser.predict(case.test.rows, sensitive_features=group, random_state=0)
after = demographic_parity_ratio(paid_back, granted_then, sensitive_features=group)
pd.Series({"before": before, "a threshold for each group": after}, name="granted, least often / most often").to_frame().round(2)

# %% [markdown]
# Solved? Two people with the *same* risk are now treated differently because of their age. That has a name, too: in the United States it is disparate treatment.
# A remedy of one kind of unfairness can be another kind.
#
# dlx tries several remedies on the same people and gives each change an interval: thresholds, other weights in training ("reweighed"), and a model that
# never sees the column.

# %%
tried = dlx.remedies.mitigations(case, linear, by_age, made_by=dlx.remedies.recipe_of(linear, case))
ratios = tried.query("measure == 'selection_ratio'").set_index("remedy")
costs = tried.query("measure == 'cost'").set_index("remedy")
for remedy in ("reweighed", "column dropped"):
    lesson.record(f"ratio, {remedy}", ratios.loc[remedy, "after"], within=0.02)
lesson.record("ratio before", ratios["before"].iloc[0], within=0.005)
pd.DataFrame(
    {
        "ratio before": ratios["before"],
        "after": ratios["after"],
        "change, low": ratios["low"],
        "change, high": ratios["high"],
        "cost of mistakes before": costs["before"],
        "cost after": costs["after"],
    }
).round(2)

# %%
clear = [name for name, line in ratios.iterrows() if line["low"] > 0 or line["high"] < 0]
dropped = ratios.loc["column dropped"]
course.say(
    f"Without the column *age*, the ratio goes from {dropped['before']:.2f} to {dropped['after']:.2f}, {'below' if dropped['after'] < 0.8 else 'above'} the usual mark of "
    f"0.80: other columns still tell who is young (lesson 7). Of {len(ratios)} remedies, {len(clear) or 'none'} changed the ratio beyond chance. The bank has {len(case.test)} people to judge "
    "by, of whom few are young. **“We tried four remedies and cannot tell whether one works” is a finding. “Fixed” is not.**"
)

# %% [markdown]
# ### Exercise 2
# The bank wants your signature under "this remedy brings the ratio closer to 1". **For how many of the remedies in the table can you sign**, since the whole interval of the change
# lies above 0? Answer with a number.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.1)

# %% [markdown] tags=["hint"]
# `ratios` holds a line for each remedy. You need those where `low` is above 0.

# %% tags=["solution"]
answer_2 = int((ratios["low"] > 0).sum())

# %% tags=["wrong"]
# In these the *estimate* rose. With other applicants it might have fallen: look at the intervals.
answer_2 = int((ratios["change"] > 0).sum())

# %% tags=["wrong"]
# These are beyond the mark of four fifths afterwards. The question is whether the *change* is more than chance.
answer_2 = int((ratios["after"] > 0.8).sum())

# %% [markdown]
# ## Remedy 3: columns that must not be there (worse, and right)
#
# The third sheet is about the heart (lesson 8): a stroke in the past, one's own judgement of health, insulin, cholesterol. They may be consequences of the attack. Take
# them out and train again.

# %%
heart = dlx.load("heart_attack")
remedy = dlx.remedies.known_remedy(heart)
mended = dlx.remedies.fix(heart, "gradient_boosting", remedy=remedy, narrator=quiet)
old, new = (model.predict(heart.test, "probability") for model in (mended.before, mended.model))
gain = dlx.stats.auc_difference(heart.test.outcomes, new, old)
lesson.record("heart, auc without consequences", gain.estimate, within=0.005)
course.say(
    f"Done: {'; '.join(mended.words)}.\n\nThe ROC AUC changes by **{gain.estimate:+.3f}** ({gain.low:+.3f} to {gain.high:+.3f}). By this number the model got worse. By its purpose it got better: what it lost "
    "was never knowledge about who *will* have an attack. **A remedy is judged by its purpose, not by the accuracy on the table that misled you.**"
)

# %% [markdown]
# Is it mended, then? Ask where the credit went. What does the new model use instead?

# %%
few, reference = heart.test[: lesson.size(200, small=60)], heart.background(50)
asked = {"method": "tree_shap", "background": reference, "scale": "logit"}
both = {name: dlx.explain(model, few, **asked) for name, model in (("before", mended.before), ("after", mended.model))}
credit = pd.DataFrame({name: one.importance for name, one in both.items()}, index=heart.schema.labels)
credit["change"] = credit["after"] - credit["before"]
lesson.record("credit of age after", credit.loc["Age", "after"], within=0.05)
credit.loc[credit["change"].abs().sort_values(ascending=False).index[:8]].round(3)

# %% [markdown]
# What was taken out is at 0. Some of its credit went to columns that go along with it. Whether *these* are consequences, only a physician can say; and
# the table is still a survey of people who were asked afterwards. **Leaving columns out doesn't turn a snapshot into a film.**

# %% [markdown]
# ## When not to believe this
#
# - **A search finds.** Ask how many parts were looked at, and on whom they were tested.
# - **The test rows wear out.** Whoever tries ten remedies on them and keeps the best has trained on them.
# - **Intervals cover other people, not other trainings.** Train again with another seed (`over_seeds`): if the result flips, there was none.
# - **Rates by group say that, not why.** And groups that the table doesn't know can't be judged at all.
# - **Dropping a column doesn't drop what it knew.**
# - **Some things no remedy mends**: a wrong target, a table without those who were turned down, outcomes that were judged unfairly to begin with.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the figure of what pushed wrong denials. The longest bar belongs to the checking account. Which sentence is true?
#
# - **a** Without the column checking account the model would make fewer mistakes.
# - **b** The checking account pushed those who were wrongly denied further towards denial than those who were rightly granted.
# - **c** Most applicants with an overdrawn account are wrongly denied.
# - **d** The column checking account has mistakes in it.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# Which two groups of people does a bar compare? Both paid their loans back.

# %% tags=["solution"]
answer_3 = "b"

# %% tags=["wrong"]
# The figure looks only at mistakes. The same column is right about many more people; without it, these would be wrong, too.
answer_3 = "a"

# %% tags=["wrong"]
# The bars compare the wrongly denied with the rightly granted. They don't count anybody.
answer_3 = "c"

# %% tags=["wrong"]
# The figure knows what the model made of the values, not whether the values are true.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx fix heart_attack --model gradient_boosting --drop stroke_history` does such a remedy from the command line, and prints before and after.
# - `dlx serve bank_loan` has a tree of errors: click a part, and it becomes a filter of the people.
#
# **In one sentence**: search on some people, test on others, give every change an interval, and be ready to write "we cannot tell".
#
# Next: [lesson 10](10_the_road_ahead.ipynb), where somebody fools the explanation on purpose.
