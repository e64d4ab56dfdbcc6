# %% [markdown]
# # Lesson 2. The whole model: what does it look at?
#
# **30 minutes** · not on the half-day path · you need: pandas, lesson 1
#
# A physician reads about a model that recognises people who had a heart attack. Before she trusts it with a patient, she asks about
# *all* patients: **Which columns does it live on? What does it do when cholesterol rises? And may I believe such a curve?**
#
# At the end you can shuffle a column, draw three kinds of curves, and name two ways in which columns that go together fool you.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import dlx

lesson = course.Lesson(2, globals())
case = dlx.load("heart_attack")  # 5,255 adults of the United States, 2017-2018
net = dlx.load_model(case, "mlp")  # a neural net, trained already
test = case.test[: lesson.size(1_051, small=300)]
repeats = lesson.size(10, small=2)

# %% [markdown]
# ## The answer first
#
# Take one column. Shuffle its values among the people, so that everybody gets somebody else's. Ask the model again. If it judges as well as before,
# it doesn't need that column. If it judges worse, the drop is the column's **permutation importance**. Here are the first eight of the net:

# %%
importance = dlx.effects.permutation_importance(net, test, metric="auc", repeats=repeats)
lesson.record("importance of age", importance.set_index("feature")["importance"]["age"], within=0.01)
figure, ax = plt.subplots(figsize=(6, 2.8))
_ = dlx.plots.draw_permutation(importance, list(importance["feature"][:8]), ax)

# %% [markdown]
# Age first, by far. The unit is the drop of the AUC (lesson 1: how often somebody with an attack gets a higher risk than somebody without).

# %% [markdown]
# ## By hand, part 1: shuffle six people
#
# Six people, three columns, one logistic regression. The first three had an attack. Its AUC is the share of the nine pairs
# (one with, one without an attack) in which the one *with* has the higher risk. Count them.

# %%
columns = ["age", "sex", "waist_cm"]
table = pd.DataFrame(case.rows, columns=case.schema.names, index=case.index)[columns].assign(attack=case.outcomes.astype(int))
known = table.loc[case.train.index].dropna()
line = LogisticRegression(max_iter=5000).fit(known[columns], known["attack"])
six = table.loc[[100963, 102528, 99563, 97124, 94829, 102035]]
six["risk in %"] = (100 * line.predict_proba(six[columns])[:, 1]).round(1)
six  # sex: 0 is female, 1 is male

# %%
before = roc_auc_score(six["attack"], six["risk in %"])
course.say(f"Did you count {9 * before:.0f} of 9? That is an AUC of {before:.2f}.")

# %% [markdown]
# Now shuffle the ages. Everybody gets the age in the same line of the new column, and the model is asked again.

# %%
shuffled = six.assign(age=six["age"].to_numpy()[[5, 3, 4, 0, 2, 1]])
shuffled["risk in %"] = (100 * line.predict_proba(shuffled[columns])[:, 1]).round(1)
shuffled

# %% [markdown]
# ### Exercise 1 (pencil)
# Count the nine pairs again. **By how much did the AUC drop?**

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.02)

# %% [markdown] tags=["hint"]
# For each of the first three, count how many of the last three have a lower risk. Add up, divide by nine. Then take it from what it was.

# %% tags=["solution"]
answer_1 = before - roc_auc_score(shuffled["attack"], shuffled["risk in %"])

# %% tags=["wrong"]
# That is the AUC after shuffling. The question is by how much it dropped.
answer_1 = roc_auc_score(shuffled["attack"], shuffled["risk in %"])

# %% tags=["wrong"]
# The size is right. A drop is a positive number here.
answer_1 = roc_auc_score(shuffled["attack"], shuffled["risk in %"]) - before

# %% [markdown]
# ### The library: scikit-learn
# It does just that for you, with all people, several times. The model must be one of scikit-learn's: boosted trees on all 32 columns.


# %%
def trained(some_case):
    """Return boosted trees of scikit-learn, fitted on the training rows of a table."""
    words = [feature.name for feature in some_case.schema.features if feature.is_categorical]
    numbers = [name for name in some_case.schema.names if name not in words]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.05, max_leaf_nodes=8, max_features=0.3, random_state=0)
    pipeline = make_pipeline(make_column_transformer((ordinal, words), ("passthrough", numbers)), trees)
    return pipeline.fit(frame_of(some_case.train), some_case.train.outcomes)


def frame_of(people):
    """Return the columns that a model may see."""
    return people.frame[list(people.schema.names)]


pipeline = trained(case)
of_sklearn = permutation_importance(
    pipeline, frame_of(test), test.outcomes, scoring="roc_auc", n_repeats=lesson.size(3, small=1), random_state=0
)
shown = pd.DataFrame(
    {"drop of the AUC": of_sklearn.importances_mean, "spread": of_sklearn.importances_std}, index=case.schema.names
)
shown.sort_values("drop of the AUC", ascending=False).head(6).round(3)

# %% [markdown]
# ## By hand, part 2: what if the waist were wider?
#
# Importance doesn't say *which way*. So ask the model about people as they are not. Take three people. Set the waist of each to 80, 100 and 120 cm,
# leave the rest, and ask. That gives nine numbers:

# %%
three, waists = six.iloc[[0, 2, 4]], [80.0, 100.0, 120.0]
answers = pd.DataFrame(
    {f"waist {waist:.0f}": 100 * line.predict_proba(three.assign(waist_cm=waist)[columns])[:, 1] for waist in waists},
    index=three.index,
)
answers.round(1)

# %% [markdown]
# - A **line** of this sheet is one person's curve. It's called **ICE** (*individual conditional expectation*).
# - The **mean of each column** is the curve of the whole model. It's called **partial dependence**, PDP.
#
# ### Exercise 2 (pencil)
# What is the partial dependence of these three people at a waist of 120 cm, in percent?

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.15)

# %% [markdown] tags=["hint"]
# The mean over people, not over waists.

# %% tags=["solution"]
answer_2 = answers["waist 120"].mean()

# %% tags=["wrong"]
# That is a mean over waists: of one person. Go down the column instead.
answer_2 = answers.iloc[0].mean()

# %% tags=["wrong"]
# That is the middle one of the three. Partial dependence takes the mean.
answer_2 = answers["waist 120"].median()

# %% [markdown]
# ### The library: scikit-learn, and a surprise
# `partial_dependence` asks everybody, on a grid of waists that it chooses from the data:

# %%
of_sklearn = partial_dependence(pipeline, frame_of(test), ["waist_cm"], grid_resolution=5, kind="average", method="brute")
pd.DataFrame({"waist": of_sklearn["grid_values"][0], "partial dependence": of_sklearn["average"][0]})

# %% [markdown]
# `NaN`, without a word. Some waists were not measured, and a quantile of numbers with a gap is a gap. One has to know, and give the grid oneself.
#
# ## dlx, and what the difference is
#
# dlx takes the same pipeline. It reads its trees, and promises that it predicts what scikit-learn predicts. The missing value is one more point
# of the curve: "what if it were not measured?".

# %%
mine = dlx.wrap(pipeline, case, name="boosted trees")
curve = dlx.effects.partial_dependence(mine, test, "waist_cm", scale="probability", grid_points=8)
grid = curve.grid[~np.isnan(curve.grid)]
again = partial_dependence(
    pipeline, frame_of(test), ["waist_cm"], custom_values={"waist_cm": grid}, kind="average", method="brute"
)
gap = np.abs(again["average"][0] - curve.mean[: len(grid)]).max()
lesson.record("partial dependence: dlx and scikit-learn differ by at most", gap, within=1e-6)
course.say(f"On the same grid the two differ by at most {gap:.1g}.")

# %% [markdown]
# Now the physician's question: total cholesterol, by the net. Left, one line a person (ICE), moved so that all start at the same height. Right, the mean (PDP, solid) and
# a second kind of curve, ALE (dashed), which we come to below. The band says how sure the mean is; the dotted line is the answer for people who were not measured.


# %%
def name_curves(ax):
    """Write which line is which."""
    for name, dash in (("PDP", "-"), ("ALE", "--")):
        ax.plot([], [], dash, color=dlx.plots.INK, label=name)
    ax.legend()


cholesterol = dlx.effects.partial_dependence(net, test, "total_chol", scale="probability")
local = dlx.effects.accumulated_local_effects(net, test, "total_chol", scale="probability")
ends = cholesterol.mean[~np.isnan(cholesterol.grid)]
lesson.record("risk at the lowest cholesterol", ends[0], within=0.002)
lesson.record("risk at the highest cholesterol", ends[-1], within=0.002)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
dlx.plots.draw_centred_curves(cholesterol, left)
dlx.plots.draw_effects([cholesterol], right, accumulated=[local])
name_curves(right)
figure.tight_layout()

# %% [markdown]
# The curve falls: the more cholesterol, the lower the risk. Should the physician stop her statins? No! The survey measured people *after* their attack.
# Those who had one take statins, and have low cholesterol *because* they had one. The net read the table correctly. The table tells a story backwards.
# **A curve says what the model does. It never says what would help.** Lesson 8 is about this.

# %% [markdown]
# ## How columns that go together mislead
#
# ### 1. Copies hide behind each other
# Give the table one more column: the year of birth. It's the age once more. Train the same trees again, and shuffle.

# %%
with_copy = case.frame.assign(birth_year=2018 - case.frame["age"])
with_copy["heart_attack"] = np.array(case.schema.target.levels)[case.outcomes.astype(int)]
twice = dlx.dataset.from_frame(with_copy, dlx.schema.infer_schema(with_copy, target="heart_attack"))
with_both = dlx.wrap(trained(twice), twice, name="with the year of birth")
asked = {"metric": "auc", "repeats": repeats}
alone = dlx.effects.permutation_importance(mine, case.test, ["age"], **asked)
both = dlx.effects.permutation_importance(with_both, twice.test, ["age", "birth_year"], **asked)
told = pd.concat([alone, both])[["model", "feature", "importance", "together"]].reset_index(drop=True)
lesson.record("importance of age, alone in the table", told["importance"][0], within=0.02)
lesson.record("importance of age, beside its copy", told["importance"][1], within=0.02)
lesson.record("importance of both together", told["together"][1], within=0.03)
told.round(3)

# %% [markdown]
# The model knows as much about age as before. Yet the importance of age fell. When you shuffle one of the two, the model still has the other.
# The last column shuffles both at once, by the same order: that is the true figure. dlx finds such copies by itself, and says so.
#
# The same happens to every curve and to every share in this course: copies split the credit as it happens.
#
# ### 2. The curve asks about people who don't exist
# Here is a rule in place of a model. It fires for a wide waist *and* a low body mass index. Look where the people are:

# %%
body = frame_of(case)[["bmi", "waist_cm"]].dropna()
corner = (body["waist_cm"] > 105) & (body["bmi"] < 25)
figure, ax = plt.subplots(figsize=(4.5, 3))
ax.plot(body["bmi"], body["waist_cm"], ".", color=dlx.plots.GREY, markersize=2)
ax.fill_between([12, 25], 105, 170, color=dlx.plots.UP, alpha=0.25, label="here the rule fires")
ax.set(xlabel="body mass index", ylabel="waist, cm")
ax.legend(loc="lower right")
lesson.record("people in the corner", corner.sum(), within=0)
course.say(
    f"Of {len(body):,} people, the rule fires for **{corner.sum()}**. The two columns have a correlation of {body.corr().iloc[0, 1]:.2f}."
)


# %%
def rule(people):
    """Return a risk: 5 %, and 45 % in a corner where hardly anybody is."""
    return 0.05 + 0.4 * ((people["waist_cm"] > 105) & (people["bmi"] < 25))


nobody = dlx.wrap(rule, case, name="a rule about nobody")
curve = dlx.effects.partial_dependence(nobody, test, "waist_cm", scale="probability")
local = dlx.effects.accumulated_local_effects(nobody, test, "waist_cm", scale="probability")
figure, ax = plt.subplots(figsize=(5, 2.8))
dlx.plots.draw_effects([curve], ax, accumulated=[local])
name_curves(ax)
pdp_rise = lesson.record("PDP of a rule about nobody rises by", np.ptp(curve.mean), within=0.03)
ale_rise = lesson.record("ALE of a rule about nobody rises by", np.ptp(local.effects), within=0.01)
course.say(f"PDP rises by {100 * pdp_rise:.0f} points. ALE rises by {100 * ale_rise:.1f}.")

# %% [markdown]
# Why? PDP sets *everybody's* waist to 120 cm, also that of slender people. There the rule fires, and the mean rises.
#
# **ALE** (*accumulated local effects*) asks only those who are there already: of people with a waist between 104 and 107 cm, it asks what the model says at 104 and at 107.
# It takes the mean difference, goes to the next interval, and adds up. Nobody is moved far, so the corner is never asked. scikit-learn doesn't have it; dlx does.
#
# Which one is right? PDP answers "what does the formula do?", ALE "what does the model do among people like these?". When the two curves part, columns go together. Then say which question you asked.

# %% [markdown]
# ## When not to believe this
#
# - **An importance near zero may be a copy's.** Look for columns that go together before you drop one.
# - **Importance is about accuracy**, not about what moves a prediction. A model that leans on a useless column gets a zero, or less.
# - **A flat PDP can hide two opposite slopes**: one for men, one for women. Look at the ICE lines.
# - **PDP asks about people who don't exist**, ALE about small steps only. Neither says what a treatment does.
# - **The ends of every curve are guesses.** Few people are there.
# - **Shuffle on rows that the model has not seen.** On training rows, memory looks like importance.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# The net's curve of total cholesterol falls from left to right. Which sentence is true?
#
# - **a** High cholesterol protects the heart.
# - **b** Among the people of this table, and with the rest held as it is, the net gives a lower risk where cholesterol is higher.
# - **c** The net is broken.
# - **d** Cholesterol is the most important column.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What was changed, and who was asked? Was it a body or a model?

# %% tags=["solution"]
answer_3 = "b"

# %% tags=["wrong"]
# That is what the table seems to say, because people were measured after their attack. The curve is about the net.
answer_3 = "a"

# %% tags=["wrong"]
# It judges people it has never seen quite well. It learnt what is in the table, statins included.
answer_3 = "c"

# %% tags=["wrong"]
# A curve can be steep where few people are. Importance is another question: see the first figure.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx serve heart_attack` opens the workbench in a browser. Add `#person=98413&model=mlp` to its address, open **"How does this method get its answer?"**,
#   and choose *Partial dependence*: everybody is moved, one value after the other. Move a slider above: that is one person's ICE line, under your hand.
# - `dlx report heart_attack` draws these curves for every model, with intervals. Its section is "What the columns do".
#
# **In one sentence**: importance says what accuracy rests on, curves say which way the model leans, and both stumble over columns that go together.
#
# Next: [lesson 3](03_one_prediction.ipynb), one prediction.
