# %% [markdown]
# # Lesson 8. The heart: what may a physician conclude?
#
# **30 minutes** · on the half-day path · you need: lesson 3
#
# A physician opens the file of person 98413: aged 80 or more, a stroke in the past. The net says: high risk of a heart attack. The explanation
# says that low cholesterol raises the risk. Should she let the cholesterol rise? Of course not. But then, *what is this explanation good for?*
#
# At the end of this lesson you can tell a consequence that poses as a cause, turn a probability into people, check whether probabilities come true,
# and say what a model adds to what every physician knows already.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx.audit.miscalibration import calibration

lesson = course.Lesson(8, globals())
case = dlx.load("heart_attack")  # a health survey of the United States, 2017 and 2018
net = dlx.load_model(case, "mlp")
patient = case.test[case.test.index == 98413]
background = case.background(lesson.size(100, small=30))
risks, attacks = net.predict(case.test, "probability"), case.test.outcomes

# %%
risk = lesson.record("risk of 98413", risks[case.test.index == 98413][0])
told = dlx.explain(net, patient, method="shapley", background=background, scale="logit")
shares = pd.Series(told.values[0], index=case.schema.names)
largest = list(shares.abs().sort_values(ascending=False).index[:7])
figure, ax = plt.subplots(figsize=(7.5, 3))
_ = dlx.plots.draw_waterfall(told, 0, largest, ax)

# %%
course.say(
    f"The net gives this person a probability of **{risk:.0%}** of having had a heart attack. Read the words again: *of having had*. The survey asked "
    "people whether a doctor ever told them of one, and measured their blood on the same day. **The attack came first, the measurements after it.**"
)

# %% [markdown]
# ## By hand: twelve patients, three columns
#
# Twelve patients. Ten years ago their cholesterol was measured. Since then, some had an attack, more of those with high values. Whoever had one takes a
# drug that lowers cholesterol by 90. Today it is measured again. A survey sees the last two columns only.

# %%
before = np.arange(180, 300, 10)
attack = np.isin(before, [230, 250, 270, 290])
twelve = pd.DataFrame({"ten years ago": before, "attack": np.where(attack, "yes", ""), "today": before - 90 * attack})
twelve.index = [f"patient {i + 1}" for i in range(12)]
twelve.T

# %% [markdown]
# Draw the twelve points, twice: once with the old value across, once with today's. Mark those with an attack.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.5, 1.7), sharey=True)
for ax, column in zip(axes, ("ten years ago", "today"), strict=True):
    ax.scatter(twelve[column], attack, c=np.where(attack, dlx.plots.UP, dlx.plots.DOWN))
    ax.set(xlabel=f"cholesterol {column}", yticks=[0, 1], yticklabels=["no attack", "attack"], ylim=(-0.4, 1.4))

# %% [markdown]
# On the left, high values go before attacks. On the right, low values go with attacks. **The arrow has turned**: the attack came first, and the drug
# lowered the value. A model that sees the right-hand picture is not wrong. It was asked "who *has had* an attack?", and low cholesterol is a good hint:
# these people are treated.

# %% [markdown]
# ### Exercise 1 (pencil)
# Use the two columns that the survey sees. Of the patients whose cholesterol **today is 200 or less**, what share has had an attack? And ten years ago,
# what share of those with **200 or less then** went on to have one? Answer with a list of two shares.

# %% tags=["exercise"]
answer_1 = ...  # [share by today's value, share by the old value]
lesson.check(1, answer_1)

# %% [markdown] tags=["hint"]
# Today seven patients are at 200 or less. Ten years ago there were three.

# %% tags=["solution"]
answer_1 = [attack[twelve["today"] <= 200].mean(), attack[twelve["ten years ago"] <= 200].mean()]

# %% tags=["wrong"]
# You mixed up the two columns.
answer_1 = [attack[twelve["ten years ago"] <= 200].mean(), attack[twelve["today"] <= 200].mean()]

# %% tags=["wrong"]
# You divided by all twelve patients. The share is among those with 200 or less.
answer_1 = [(attack & (twelve["today"] <= 200)).sum() / 12, (attack & (twelve["ten years ago"] <= 200)).sum() / 12]

# %% [markdown]
# ## The real table does the same

# %%
cholesterol = case.train.rows[:, case.schema.position("total_chol")]
means = pd.Series(cholesterol).groupby(np.where(case.train.outcomes == 1, "attack", "no attack")).mean()
lesson.record("cholesterol with an attack", means["attack"], within=0.1)
curve = dlx.effects.partial_dependence(net, case.test[: lesson.size(400, small=100)], "total_chol", scale="probability")
figure, ax = plt.subplots(figsize=(6, 2.6))
_ = dlx.plots.draw_effects([curve], ax, observed=cholesterol)
means.round(0).to_frame("mean total cholesterol, mg/dL")

# %% [markdown]
# What else in this table may be a consequence? Go through the columns with one question: *could the attack, or its treatment, have changed this
# value?* A stroke in the past shares its cause with the attack. "General health, own judgement" is the judgement of somebody who had an attack. Insulin,
# cholesterol, smoking ("not at all" since the hospital): all of them can come after.
#
# No explanation method can answer this question. Not SHAP, not integrated gradients, not any that you meet in this course. It is answered by whoever
# knows **when and why each value was written down**.

# %%
flagged = dlx.counterfactuals.denied(net, case.test)
shifts = dlx.counterfactuals.column_shifts(net, flagged, observed=case.train).set_index("column")
lesson.record("cholesterol down", shifts.loc["total_chol", "change"], within=1e-3)
labels = dict(zip(case.schema.names, case.schema.labels, strict=True))
table = shifts.loc[["total_chol", "bmi", "smoke_now", "hdl"]].reset_index()
table["column"] = table["column"].map(labels)
table["risk moves by, in points"] = (100 * table["change"]).round(1)
table[["column", "direction", "to", "risk moves by, in points"]]

# %% [markdown]
# Each line moves a value in the direction that medicine calls better. Where the risk *rises*, the net has learned consequences. That is why dlx prints
# **no ways out** for this case: a past attack is not undone by changing a column.

# %% [markdown]
# ## Absolute risk: people instead of bars
#
# In the first figure one bar may double the odds. Is that much? It depends on where it starts. Say "of 100 people like this" and count:

# %%
starts = np.array([0.01, 0.05, 0.2, 0.5])
odds = 2 * starts / (1 - starts)
doubled = pd.DataFrame(
    {"of 1,000 people": (1000 * starts).astype(int), "after the odds double": (1000 * odds / (1 + odds)).round().astype(int)}
)
doubled["more"] = doubled["after the odds double"] - doubled["of 1,000 people"]
doubled

# %% [markdown]
# The same bar means ten people more, or more than a hundred. **A relative number without the absolute one is advertising.** So ask of every model: when it raises
# its hand, how often is it right? scikit-learn counts:

# %%
threshold = case.schema.target.threshold
(true_no, false_alarms), (missed, caught) = confusion_matrix(attacks, risks >= threshold)
pd.DataFrame({"not flagged": [true_no, missed], "flagged": [false_alarms, caught]}, index=["had no attack", "had an attack"])

# %% [markdown]
# ### Exercise 2
# A colleague says: "The model flagged you, so you very probably had an attack." **Of 100 people who are flagged, how many had one?** Use the numbers of the table.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.6)

# %% [markdown] tags=["hint"]
# Stay in the column "flagged". Those with an attack, as a share of all in that column, times 100.

# %% tags=["solution"]
answer_2 = 100 * caught / (caught + false_alarms)

# %% tags=["wrong"]
# That is the share of the *attacks* that were caught (sensitivity). The colleague's patient asks the other way round.
answer_2 = 100 * caught / (caught + missed)

# %% tags=["wrong"]
# That is how many of 100 people are flagged at all. How many of *these* had an attack?
answer_2 = 100 * (caught + false_alarms) / len(attacks)

# %% [markdown]
# ## The library directly: do the probabilities come true?
#
# If the net says 20 % of a hundred people, then about twenty should have had an attack. That is **calibration**. scikit-learn sorts people into bins:

# %%
observed, predicted = calibration_curve(attacks, risks, n_bins=5, strategy="quantile")
bins = pd.DataFrame({"the net says, mean": predicted, "it happened": observed})
(100 * bins).round(1).add_suffix(" in %")

# %% [markdown]
# How far may they be apart by chance? The bins do not say. Each holds about two hundred people and, at the lower end, hardly an attack.
#
# ## dlx, and what the difference is
#
# dlx fits a line and a curve through *all* people, with intervals. Slope 1 and intercept 0 are perfect. A slope below 1: the net is too sure of itself,
# at both ends.

# %%
found = calibration(net, case.test)
lesson.record("slope", found.slope.estimate, within=0.01)
figure, ax = plt.subplots(figsize=(3.6, 3.2))
_ = dlx.plots.draw_calibration(found.curve, ax, upper=0.5)
found.to_frame()[["quantity", "estimate", "low", "high", "perfect"]].round(3)

# %%
course.say(
    f"The slope is {found.slope.estimate:.2f}, somewhere from {found.slope.low:.2f} to {found.slope.high:.2f}. There were {found.events} attacks among {found.rows:,} "
    f"people. From so few, {'one can say that the net needs recalibration' if found.needs_recalibration else 'nobody can say that the net is badly calibrated; nor that it is well'}."
)

# %% [markdown]
# ## What does the model add to age and sex?
#
# Heart attacks come with age, and more often to men. Everybody knows that without a net. So compare with a model of these two columns, on the same people:

# %%
known = [case.schema.position(name) for name in ("age", "sex")]
simple = make_pipeline(StandardScaler(), LogisticRegression()).fit(case.train.rows[:, known], case.train.outcomes)
by_two = simple.predict_proba(case.test.rows[:, known])[:, 1]
linear = dlx.load_model(case, "logistic_regression")
models = {
    "age and sex": by_two,
    "all columns, logistic regression": linear.predict(case.test, "probability"),
    "all columns, net": risks,
}
lines = {}
for name, theirs in models.items():
    gain = dlx.stats.auc_difference(attacks, theirs, by_two)
    lines[name] = {
        "ROC AUC": roc_auc_score(attacks, theirs),
        "more than age and sex": gain.estimate,
        "low": gain.low,
        "high": gain.high,
    }
lesson.record("age and sex alone", lines["age and sex"]["ROC AUC"], within=0.002)
lesson.record("linear adds", lines["all columns, logistic regression"]["more than age and sex"], within=0.002)
lesson.record("net adds", lines["all columns, net"]["more than age and sex"], within=0.002)
pd.DataFrame(lines).T.round(3)

# %%
course.say(
    f"Age and sex alone rank {lines['age and sex']['ROC AUC']:.0%} of all pairs of one person with an attack and one without in the right order. Thirty more columns and a net "
    f"bring that to {lines['all columns, net']['ROC AUC']:.0%}, and a logistic regression, which one can read, to "
    f"{lines['all columns, logistic regression']['ROC AUC']:.0%}. That some of the gain comes from *consequences* makes it smaller still: lesson 9 takes them out."
)

# %% [markdown]
# ## When not to believe this
#
# - **"Raises the risk" is the language of causes.** The net knows hints. Say "goes with", and say when each value was measured.
# - **A survey of survivors.** Who died of the attack was not asked. What kills quickly looks harmless.
# - **No probability here is a forecast.** Nobody was followed. A model of *future* attacks needs values from before, and outcomes from after.
# - **Calibrated on average is not calibrated for this patient**, nor for another hospital, another country, another decade.
# - **Few events, wide intervals.** A better AUC in the third digit is nothing.
# - The weights of the survey are not in the table: rates here are not rates of the United States.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the figure of total cholesterol: the line falls from left to right. Which sentence is true?
#
# - **a** Raising a patient's cholesterol lowers the risk of an attack.
# - **b** Cholesterol plays no part in heart attacks.
# - **c** If only this value is changed in the rows, the net's probability of a past attack falls on average as the value rises.
# - **d** The net made a mistake that more data of this survey would mend.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What was changed to draw the line: patients, or rows of a table? And would the twelve patients tell another story if there were twelve thousand of them?

# %% tags=["solution"]
answer_3 = "c"

# %% tags=["wrong"]
# No patient was changed, only rows. The twelve patients show how such a line comes about although high values do harm.
answer_3 = "a"

# %% tags=["wrong"]
# A hint that points the wrong way says nothing about the cause behind it.
answer_3 = "b"

# %% tags=["wrong"]
# With more rows the net would learn the same, more exactly. The order of events is missing, not the number of rows.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx report heart_attack`: "What would change it" marks the columns where the models put a higher risk on the better side.
# - `dlx serve heart_attack` opens the workbench. Add `#person=98413&model=mlp` to its address, raise the cholesterol, and watch the risk fall. Then don't do it.
#
# **In one sentence**: an explanation tells what a model uses, and the calendar tells whether that is a cause; count people, not bars.
#
# Next: [lesson 9](09_finding_and_fixing.ipynb), where the model is mended, and where that fails.
