# %% [markdown]
# # Lesson 1. What can be read, and what can't
#
# **25 minutes** · on the half-day path · you need: pandas
#
# A bank wants to put a model into use. You are its **reviewer**. Five models lie on your desk: a logistic regression, a tree,
# boosted trees, a neural net and an additive net. Your question is not "how do I explain the net?". It comes earlier:
#
# > **Do I need a model that nobody can read? What does it buy?**
#
# At the end you can read three of the five with your own eyes, you know why the other two can't be read, and you can say what opacity buys.
#
# How a lesson works: run cell by cell, from the top. You may skip code that you don't want to read; the text says what it does. Now and then there is an exercise: put your
# answer in place of the three dots, and run the cell. Hint and solution are folded below it.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, export_text

import dlx

lesson = course.Lesson(1, globals())
case = dlx.load("bank_loan")  # 1,000 loans of a German bank, 1973 to 1975
names = ["logistic_regression", "decision_tree", "additive", "gradient_boosting", "mlp"]
models = {name: dlx.load_model(case, name) for name in names}  # trained already, on the same 600 rows
test = case.test

# %% [markdown]
# ## The answer first
#
# All five were trained on the same loans. None has seen the rows on which we judge them. Each model gives every loan a **risk**.
# The measure is the **AUC**: take one bad and one good loan at random; how often does the bad one have the higher risk?
# One half is a coin, 1 is perfect. The line around each dot is where the AUC may lie, given that few rows were judged (95 %).

# %%
scores = pd.concat([dlx.audit.scores.performance(model, test) for model in models.values()])
scores = scores[scores["metric"] == "auc"].set_index("model")
for name in names:
    lesson.record(f"AUC of {name}", scores["estimate"][name], within=0.002)

figure, ax = plt.subplots(figsize=(6.5, 2.2))
errors = [scores["estimate"] - scores["low"], scores["high"] - scores["estimate"]]
ax.errorbar(scores["estimate"], names, xerr=errors, fmt="o", color=dlx.plots.INK)
ax.set_xlabel(f"AUC on {len(test)} loans")
ax.invert_yaxis()

# %% [markdown]
# The intervals overlap widely. Keep that picture in mind while we open the models one by one.

# %% [markdown]
# ## By hand: three columns, three models
#
# Twenty columns are too many for paper. Take three: the checking account, the length of the loan in months, and the savings.
# Levels of an account are numbered in their order, from "none" on. This is applicant 522:

# %%
columns = ["status", "duration", "savings"]
train_rows = pd.DataFrame(case.train.rows, columns=case.schema.names)[columns]
test_rows = pd.DataFrame(test.rows, columns=case.schema.names, index=test.index)[columns]
applicant = test_rows.loc[[522]]
course.described(test[test.index == 522], columns).assign(number=applicant.iloc[0].to_numpy())

# %% [markdown]
# ### A logistic regression is a sum
# Each column has one number, its **coefficient**. Multiply, add, and you have the **log-odds** of a bad loan.

# %%
line = LogisticRegression(max_iter=1000).fit(train_rows, case.train.outcomes)
coefficients = pd.Series(line.coef_[0], index=columns)
pd.DataFrame(
    {"coefficient": coefficients, "applicant 522": applicant.iloc[0], "product": coefficients * applicant.iloc[0] + 0.0}
).round(3)

# %%
log_odds = line.intercept_[0] + (coefficients * applicant.iloc[0]).sum()
risk = 1 / (1 + np.exp(-log_odds))
lesson.record("risk of 522 by three columns", risk, within=0.01)
course.say(
    f"Start at the intercept, {line.intercept_[0]:+.3f}, and add the three products: **{log_odds:+.3f}** log-odds. "
    f"As a probability, 1 / (1 + exp(−log-odds)), that is **{risk:.0%}**. "
    f"scikit-learn says {line.predict_proba(applicant)[0, 1]:.0%}."
)

# %% [markdown]
# Log-odds 0 is a risk of one half. Above is more, below is less. You can read the whole model from three numbers:
# a month more *always* adds the same, for everybody. That is what makes it readable, and what makes it stiff.
#
# ### Exercise 1 (pencil)
# Applicant 966 is another row of the test table. What are their log-odds? Use the coefficients above and `test_rows.loc[966]`.

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.03)

# %% [markdown] tags=["hint"]
# The intercept, plus three products.

# %% tags=["solution"]
answer_1 = line.intercept_[0] + (coefficients * test_rows.loc[966]).sum()

# %% tags=["wrong"]
# You left out the intercept.
answer_1 = (coefficients * test_rows.loc[966]).sum()

# %% tags=["wrong"]
# That is the probability. Log-odds come before it.
answer_1 = line.predict_proba(test_rows.loc[[966]])[0, 1]

# %% [markdown]
# ### A tree is a list of questions
# Follow the answers from the top down to a leaf. A leaf says how many of the training loans there were good, and how many bad.

# %%
tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=25, random_state=0).fit(train_rows, case.train.outcomes)
course.say(f"```\n{export_text(tree, feature_names=columns, show_weights=True, decimals=1)}```")

# %%
leaf = tree.apply(applicant)[0]
in_leaf = case.train.outcomes[tree.apply(train_rows) == leaf]
lesson.record("loans in the leaf of 522", len(in_leaf), within=0)
course.say(
    f"Applicant 522 has no account and wants 48 months: that leaf holds {len(in_leaf)} loans, {int(in_leaf.sum())} of them bad. "
    f"The risk is {in_leaf.mean():.0%}. Nobody needs software to check that."
)

# %% [markdown]
# ### A net is a sum of sums, each bent
# Here is a neural net on the same three columns, as small as they come. Each **hidden unit** is a sum like the one above.
# If it is negative, it becomes zero (that is the bend, called *ReLU*). Then the units are summed.

# %%
small_net = make_pipeline(StandardScaler(), MLPClassifier((3,), solver="lbfgs", alpha=0.01, max_iter=2000, random_state=1))
small_net.fit(train_rows, case.train.outcomes)
(into, out), (before, last) = small_net[-1].coefs_, small_net[-1].intercepts_
scaled = small_net[:-1].transform(applicant)[0]
units = scaled @ into + before
hidden = pd.DataFrame(into.T, columns=columns, index=["unit 1", "unit 2", "unit 3"])
hidden["start"], hidden["sum for 522"], hidden["after the bend"] = before, units, np.maximum(units, 0)
hidden["weight"] = out[:, 0]
hidden.round(2)

# %%
by_hand = np.maximum(units, 0) @ out[:, 0] + last[0]
course.say(
    f"Multiply the last two columns, add {last[0]:+.2f}: {by_hand:+.2f} log-odds, a risk of {1 / (1 + np.exp(-by_hand)):.0%}. "
    f"scikit-learn says {small_net.predict_proba(applicant)[0, 1]:.0%}."
)

# %% [markdown]
# You just *computed* a net by hand. Could you *read* it? What does a month more do? It depends on which units are bent away for this applicant.
# A unit that is zero for applicant 522 may speak up for the next one. There is no single number for "the length of the loan" to look up.
#
# So a net is no secret. All of its numbers are there. **"Black box" means: the numbers are there, and they don't answer your question.**
#
# ## The real ones: how much is there to read?


# %%
def numbers_in(model):
    """Return how many numbers a model of dlx is made of."""
    if hasattr(model, "network"):
        return sum(weights.numel() for weights in model.network.parameters())
    if hasattr(model, "trees"):
        return len(model.trees.feature)  # a threshold a question, a value a leaf
    return len(model.coefficients) + 1


sizes = pd.Series({name: numbers_in(model) for name, model in models.items()}, name="numbers in the model")
for name in names:
    lesson.record(f"numbers in {name}", sizes[name], within=0)
sizes.to_frame().join(scores["estimate"].rename("AUC"))

# %% [markdown]
# - **Logistic regression**: a number for every level of every column. Readable, one number at a time.
# - **Tree**: a page of questions. Readable, one path at a time.
# - **Boosted trees**: many such trees, added up. Each is readable. The sum isn't.
# - **Net**: thousands of weights. Not readable.
# - **Additive net**: even more weights, and yet you can read it. Why?

# %% [markdown]
# ## dlx: a net that can be read
#
# An **additive net** has a small net of its own for each column, and adds what they say. Inside each it may bend as it likes.
# But nothing mixes. So what a column does is *one curve*, and you can draw it. dlx trains such nets (the architecture `additive`),
# here several, each from another random start. The band shows how far they differ. In brackets: how many of the applicants, on whom the curve is drawn, have that level.

# %%
seeds = range(lesson.size(6, small=2))
trained = [dlx.load_model(case, "additive", seed=seed) for seed in seeds]
shapes = {shape.feature.name: shape for shape in dlx.effects.shape_functions(trained, case.train)}
figure, axes = plt.subplots(1, 3, figsize=(10, 2.8))
for ax, column in zip(axes, ["duration", "age", "savings"], strict=True):
    dlx.plots.draw_shape(shapes[column], ax, limits=(-1, 1))
figure.tight_layout()

# %% [markdown]
# Each curve says what the column adds to the log-odds. Zero is the average over all applicants. The curve may bend: a logistic regression can't.
# And it is exact: add the twenty curves at one applicant's values, and you get what the model says of them. Let us check.

# %%
told = dlx.explain(trained[0], test[:20], method="additive_shap", background=case.train, scale="logit")
gap = np.abs(told.base_values + told.values.sum(axis=1) - trained[0].predict(test[:20], "logit")).max()
lesson.record("the curves miss the prediction by at most", gap, within=1e-4)
course.say(f"Over 20 applicants, the mean plus twenty curves misses the prediction by at most {gap:.0e}: only rounding.")

# %% [markdown]
# **What the difference was.** scikit-learn gives you the coefficients, and you draw the conclusion yourself. dlx gives every model,
# readable or not, the same three things: predictions, contributions in one unit, and a check that they add up. So you can put
# the readable and the unreadable side by side.
#
# ### Exercise 2
# By the logistic regression on three columns (`coefficients`): by how much do the log-odds change if the loan runs 12 months instead of 48?

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.03)

# %% [markdown] tags=["hint"]
# In this model each month counts the same. How many months less, times what?

# %% tags=["solution"]
answer_2 = (12 - 48) * coefficients["duration"]

# %% tags=["wrong"]
# The size is right. But a shorter loan lowers the risk here, so the change has another sign.
answer_2 = (48 - 12) * coefficients["duration"]

# %% tags=["wrong"]
# That is what 12 months add, from 0 on. The question is what changes from 48 to 12.
answer_2 = 12 * coefficients["duration"]

# %% [markdown]
# ## What opacity buys
#
# Back to your desk. The unreadable models must *earn* their place. So compare each with each readable one, **on the same loans**: what makes a loan
# hard for both drops out. That is a sharper comparison than two intervals beside each other.

# %%
pairs = dlx.audit.scores.advantages([models["mlp"], models["gradient_boosting"]], [models[name] for name in names[:3]], test)
pairs = pairs[pairs["metric"] == "auc"].drop(columns="metric").reset_index(drop=True)
for pair in pairs.itertuples():
    lesson.record(f"advantage of {pair.model} over {pair.interpretable}", pair.advantage, within=0.002)
pairs.round(3)

# %%
clear = pairs[pairs["significant"] & (pairs["advantage"] > 0)]
course.say(
    f"Of {len(pairs)} comparisons, the unreadable model is clearly better in **{len(clear)}**"
    + (f" ({'; '.join(f'{pair.model} against {pair.interpretable}' for pair in clear.itertuples())})" if len(clear) else "")
    + ". Where the interval holds zero, these loans do not show that opacity bought anything."
)

# %% [markdown]
# Cynthia Rudin (2019) put it as advice: where the stakes are high, first try hard to find a model that you can read. Explain a black box only where
# it buys something. Many tables are like this one. Images and texts are not.
#
# One more surprise: what do the other seventeen columns buy? Here is the logistic regression of your three columns, on the same loans.

# %%
of_three = roc_auc_score(test.outcomes, line.predict_proba(test_rows)[:, 1])
lesson.record("AUC of three columns", of_three, within=0.002)
course.say(f"Three columns: AUC **{of_three:.3f}**. All twenty: {scores['estimate']['logistic_regression']:.3f}.")

# %% [markdown]
# ## When not to believe this
#
# - **"I can read it" is not "it is right".** A coefficient says what the model does, not what a change would do. Read the data's card:
#   owners of a house have *more* bad loans in this table.
# - **A coefficient depends on its neighbours.** If two columns tell the same, they share the weight as it happens. Lesson 2 shows it.
# - **A coefficient depends on its unit.** "Per month" looks small beside "per level". Size is not importance.
# - **A readable tree is a nervous tree.** Other training rows give other questions. Try `random_state` and half of the rows.
# - **"Not clearly better" is not "equal".** Few loans were judged. With ten times as many, a small advantage may show.
# - **A curve of an additive net is an average over what it was not allowed to mix.** If the world mixes, it can't show that.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the curve of `Length of the loan` above. For a loan of 12 months it lies below zero. Which sentence is true?
#
# - **a** Loans of 12 months are never bad.
# - **b** At 12 months this column takes something off the log-odds, compared with its average over all applicants, whoever asks.
# - **c** At 12 months the risk is below one half.
# - **d** Whoever shortens a loan to 12 months will pay it back.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What does the height of the curve mean, and what is zero?

# %% tags=["solution"]
answer_3 = "b"

# %% tags=["wrong"]
# The curve is about one column's part of a prediction. It counts no loans.
answer_3 = "a"

# %% tags=["wrong"]
# Zero is not a risk of one half here. It is the average of this column's part.
answer_3 = "c"

# %% tags=["wrong"]
# That is a sentence about what would happen in the world. The curve says what the model adds up.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx serve bank_loan` opens the workbench in a browser. Add `#person=522&model=logistic_regression` to its address, change the length of the loan, and watch
#   the risk. Then choose another model.
# - `dlx report bank_loan -m mlp -m logistic_regression -m additive` writes the report. Its section "Performance" holds this comparison.
# - `dlx train heart_attack --model additive --seed 7` trains a readable net of your own.
#
# **In one sentence**: first ask what a model that nobody can read buys; if the answer is "nothing that shows", take one that can be read.
#
# Next: [lesson 2](02_the_whole_model.ipynb), a whole model at a glance, and how columns that go together mislead.
