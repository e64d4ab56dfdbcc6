# %% [markdown]
# # Lesson 4. LIME: a cloud of invented neighbours
#
# **25 minutes** · on the half-day path · you need: pandas, lesson 3
#
# Applicant 522 was denied, and got a sheet of reasons from the bank's software. He asks: **"If you press the button again, do I get the same reasons?"**
#
# Many tools make that sheet with LIME (Ribeiro, Singh and Guestrin, 2016). Its idea is simple: nobody can read the net, but near one person
# it may look like a straight line. So invent neighbours, ask the net about each, and draw the line.
#
# At the end you have done that by hand, you know the three choices that hide in it, and you can tell when its sheet is worthless.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from lime.lime_tabular import LimeTabularExplainer
from sklearn.linear_model import LinearRegression

import dlx

lesson = course.Lesson(4, globals())
case = dlx.load("bank_loan")
net = dlx.load_model(case, "mlp")
applicant = case.test[case.test.index == 522]
background = case.background(lesson.size(100, small=20))
names = list(case.schema.names)

# %% [markdown]
# ## The answer first
#
# The library is called `lime`. It wants the training rows (to invent neighbours like them), which columns are categories, and a function that gives
# the probabilities of all classes.


# %%
def probabilities(rows):
    """Return the probability of a good and of a bad loan, [rows, 2]: as lime asks for it."""
    bad = net.predict(rows, "probability")
    return np.column_stack([1 - bad, bad])


categories = [place for place, feature in enumerate(case.schema.features) if feature.is_categorical]


MANY = lesson.size(5_000, small=1_000)  # neighbours


def ask_lime(row, *, seed=0, samples=MANY, columns=20, **options):
    """Return lime's explanation of a coded row."""
    explainer = LimeTabularExplainer(
        case.train.rows, feature_names=names, categorical_features=categories, random_state=seed, **options
    )
    return explainer.explain_instance(row, probabilities, num_features=columns, num_samples=samples)


first = ask_lime(applicant.rows[0])
pd.Series(dict(first.as_list()[:6]), name="LIME's weight (probability)").to_frame().round(3)

# %% [markdown]
# Read the first line: "that this person's checking account is level 0 (none), rather than another level, adds so much to the risk".
# How does LIME know?

# %% [markdown]
# ## By hand: a cloud of twelve points
#
# Three columns again: checking account, length of the loan, savings. We invent twelve neighbours of applicant 522. For each of them a coin
# decides, column by column: **1** keeps the applicant's value, **0** takes that of applicant 283 (lesson 3). Then we ask the net.

# %%
columns = ["status", "duration", "savings"]
other = case.train[case.train.index == 283].rows[0]
coins = np.random.default_rng(37).integers(0, 2, size=(12, 3))
coins[0] = 1  # the first is applicant 522 as he is
rows = np.tile(applicant.rows[0], (12, 1))
for place, column in enumerate(columns):
    which = case.schema.position(column)
    rows[:, which] = np.where(coins[:, place] == 1, rows[:, which], other[which])
cloud = pd.DataFrame(coins, columns=columns, index=[f"neighbour {place}" for place in range(1, 13)])
cloud["nearness"] = 0.5 ** (3 - cloud[columns].sum(axis=1))
cloud["risk in %"] = (100 * net.predict(rows, "probability")).round()
cloud

# %% [markdown]
# A neighbour who is like applicant 522 shall count more. So each has a **nearness**: 1 if nothing was changed, a half if one column was, a quarter if
# two were, an eighth if all three were. (The rule that turns distance into nearness is called the *kernel*.)
#
# Now the account: take the mean risk of those who kept it, near ones counting more, less that of those who didn't.

# %%
kept, changed = cloud[cloud["status"] == 1], cloud[cloud["status"] == 0]
means = [np.average(part["risk in %"], weights=part["nearness"]) for part in (kept, changed)]
lesson.record("account, by hand", means[0] - means[1], within=0.5)
course.say(
    f"{means[0]:.1f} − {means[1]:.1f} = **{means[0] - means[1]:+.1f}** percentage points for having no checking account."
)

# %% [markdown]
# ### Exercise 1 (pencil)
# Do the same for `duration`. One point off is fine.

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=1)

# %% [markdown] tags=["hint"]
# Two groups: `duration` is 1, and 0. In each: sum of nearness × risk, divided by the sum of the nearness.

# %% tags=["solution"]
with_it, without = cloud[cloud["duration"] == 1], cloud[cloud["duration"] == 0]
answer_1 = np.average(with_it["risk in %"], weights=with_it["nearness"]) - np.average(
    without["risk in %"], weights=without["nearness"]
)

# %% tags=["wrong"]
# You forgot the nearness: near neighbours count more.
answer_1 = cloud[cloud["duration"] == 1]["risk in %"].mean() - cloud[cloud["duration"] == 0]["risk in %"].mean()

# %% tags=["wrong"]
# That is the account's number. Sort the neighbours by `duration` instead.
answer_1 = means[0] - means[1]

# %% [markdown]
# One thing is missing. Those who kept the account may, by luck of the coins, also have kept their savings more often. So LIME looks at all columns
# at once, and fits a line: risk = start + a × account + b × length + c × savings, near neighbours counting most. That is a weighted regression.

# %%
line = LinearRegression().fit(cloud[columns], cloud["risk in %"], sample_weight=cloud["nearness"])
fit = line.score(cloud[columns], cloud["risk in %"], sample_weight=cloud["nearness"])
lesson.record("account, by the line", line.coef_[0], within=0.5)
shares = ", ".join(f"{name} **{weight:+.1f}**" for name, weight in zip(columns, line.coef_, strict=True))
course.say(f"The line: {shares}. It explains {fit:.0%} of what differs among the twelve answers (its *R²*).")

# %% [markdown]
# That is all of LIME. The slopes a, b and c are what it calls its **weights**. Three choices hide in it:
#
# 1. **The cloud.** Which neighbours are invented, and by whose luck.
# 2. **The kernel.** How fast nearness falls with the distance.
# 3. **The bins.** What "the same value" means for a number.
#
# ## Choice 1: the seed
#
# Back to the library, twenty columns. Press the button several times: same applicant, same net, only another seed. A dot is a button pressed.

# %%
seeds = range(lesson.size(10, small=3))
pressed = pd.DataFrame([dict(ask_lime(applicant.rows[0], seed=seed, samples=500).as_map()[1]) for seed in seeds])
pressed = pressed.rename(columns=dict(enumerate(names)))
order = pressed.mean().abs().sort_values(ascending=False).index[:8]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
for place, column in enumerate(order):
    ax.plot(pressed[column], np.full(len(pressed), place), "o", color=dlx.plots.COLOURS[0], alpha=0.5, markersize=4)
ax.axvline(0, color=dlx.plots.GREY, linewidth=0.8)
ax.set_yticks(range(len(order)), [case.schema.features[case.schema.position(column)].label for column in order])
ax.invert_yaxis()
_ = ax.set_xlabel(f"LIME's weight (probability), {len(pressed)} seeds, 500 neighbours each")

# %%
tops = [frozenset(line.abs().sort_values(ascending=False).index[:4]) for _, line in pressed.iterrows()]
spread = lesson.record("spread of the account's weight over seeds", pressed["status"].std(), within=0.03)
course.say(
    f"Over {len(tops)} presses there were **{len(set(tops))} different sets** of four main reasons. "
    "A lender in the United States usually prints up to four. Another set is another letter to the applicant."
)

# %% [markdown]
# More neighbours help: the spread falls with the square root of their number. lime's default is 5,000. Four times as many halve the luck, and cost four times as much.
#
# ## Choice 2: the kernel
#
# How near is near? lime has a default: 0.75 times the square root of the number of columns. Nobody knows a better one. Look what it does to the answer:

# %%
widths = [0.5, 1.0, 0.75 * np.sqrt(len(names)), 10.0]
asked = {f"{width:.2f}": ask_lime(applicant.rows[0], kernel_width=width) for width in widths}
table = pd.DataFrame({width: dict(told.as_map()[1]) for width, told in asked.items()}).rename(index=dict(enumerate(names)))
table = table.loc[["status", "duration", "savings"]]
table.loc["R² of the line"] = [told.score for told in asked.values()]
lesson.record("R² at the default width", asked[f"{widths[2]:.2f}"].score, within=0.05)
lesson.record("R² at a narrow width", asked["0.50"].score, within=0.02)
table.round(3)

# %% [markdown]
# With a narrow kernel only the applicant himself counts, and one point makes no line: all weights are zero. With a wide one everybody counts, and the line
# is no longer *local*. At the default width there are twenty columns, every neighbour differs in many, and widening it further changes almost nothing:
# **in twenty columns nobody is near**. So LIME's line is closer to a line for everybody than its name says.
#
# Look at the last row: R² says how much of the net's answers the line explains. Ask for it, always.
#
# ### Exercise 2
# `first.local_pred[0]` is what LIME's line says of applicant 522 himself. The net said `net.predict(applicant, "probability")[0]`.
# **By how much is the line too high?** (Too low is negative.)

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.005)

# %% [markdown] tags=["hint"]
# The line, less the net.

# %% tags=["solution"]
answer_2 = first.local_pred[0] - net.predict(applicant, "probability")[0]

# %% tags=["wrong"]
# The size is right, the sign isn't: the line, less the net.
answer_2 = net.predict(applicant, "probability")[0] - first.local_pred[0]

# %% tags=["wrong"]
# That is where the line starts. `local_pred` already holds it.
answer_2 = first.intercept[1] - net.predict(applicant, "probability")[0]

# %% [markdown]
# ## Choice 3: the bins
#
# lime cuts each number into four bins. For it, "the same length" means "in the same bin". Here the same applicant asks for four different lengths:

# %%
lines = []
for months in (25, 36, 48, 72):
    row = applicant.rows[0].copy()
    row[case.schema.position("duration")] = months
    weights = ask_lime(row)
    told = next((text, weight) for text, weight in weights.as_list() if "duration" in text)
    lines.append([months, net.predict(row[None], "probability")[0], *told])
bins = pd.DataFrame(lines, columns=["months", "risk by the net", "LIME's words", "LIME's weight"])
lesson.record("LIME's weight at 25 months", bins["LIME's weight"][0], within=0.03)
lesson.record("LIME's weight at 72 months", bins["LIME's weight"][3], within=0.03)
bins.round(3)

# %% [markdown]
# The net's risk rises with every month. LIME's weight of the length doesn't: all four lengths are in one bin.
#
# ## dlx, and what the difference is
#
# dlx has the same sampler. But it tells the result in the unit of the other methods, so that one can lay them side by side:
#
# - **log-odds** instead of probability;
# - as a **contribution**: the weight, less what the same rule gives the background on average. lime's own weight has another zero, "everybody in another bin";
# - it passes on the **R²**, and the gap between the line and the prediction.

# %%
common = {"background": background, "scale": "logit"}
lime = dlx.explain(net, applicant, method="lime", **common)
exact = dlx.explain(net, applicant, method="shapley", **common)
main = list(pd.Series(np.abs(exact.values[0]), index=names).sort_values(ascending=False).index[:6])
figure, ax = plt.subplots(figsize=(7, 3.6))
dlx.plots.draw_contributions([exact, lime], 0, main, ax, labels=["Shapley", "LIME"], counting=[True, False])
_ = ax.legend(loc="lower right")

# %%
for column in ("status", "duration"):
    lesson.record(f"LIME's share of {column}", lime.values[0, case.schema.position(column)], within=0.05)
r2 = lesson.record("R² in log-odds", lime.extras["surrogate_r2"][0], within=0.05)
again = dlx.explain(net, applicant, method="lime", seed=1, **common)
course.say(
    f"R² is {r2:.2f}. The shares miss the prediction by {abs(lime.residuals[0]):.2f} log-odds; Shapley values by none. "
    f"Another seed moves a column by up to {np.abs(lime.values - again.values).max():.2f}."
)

# %% [markdown]
# ## When not to believe this
#
# - **R² is low.** Then the net isn't a line around here, and the weights describe something else.
# - **Nobody gave you the seed, the width and the number of neighbours.** Press the button again. If the reasons change, there were none.
# - **The neighbours don't exist.** Each column is drawn by itself: a pensioner of 20 years, a loan of 300 marks over six years. The net was never there.
#   Lesson 10 shows a model that notices this, and lies to LIME.
# - **A number is only as fine as its bin.** Two very different loans can get one sentence.
# - **The weights don't add up to the prediction.** They were not made to. Don't write "accounts for 20 %" into a letter.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# In the figure of the seeds, the dots of one column lie apart. What does that show?
#
# - **a** The net gives another risk each time.
# - **b** The applicant's data are uncertain.
# - **c** The net and the applicant stay the same; only the invented neighbours differ.
# - **d** The column doesn't matter.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What was changed between two presses of the button?

# %% tags=["solution"]
answer_3 = "c"

# %% tags=["wrong"]
# Ask it twice: `net.predict(applicant, "probability")`. It gives the same number.
answer_3 = "a"

# %% tags=["wrong"]
# The applicant's row is the same in each press.
answer_3 = "b"

# %% tags=["wrong"]
# A column whose dots are all far from zero matters, even if they lie apart.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx serve bank_loan` opens the workbench in a browser. Add `#person=522&model=mlp&method=lime` to its address, and open **"How does this method get its answer?"**:
#   it draws the cloud, the weights and the line of applicant 522.
# - `dlx explain bank_loan --model mlp --method lime --seed 1`, then with `--seed 2`: two files to compare.
# - `dlx report bank_loan` measures the luck of every method (its "noise floor"), and doesn't call a difference real that is smaller.
#
# **In one sentence**: LIME draws a straight line through invented neighbours; ask how well the line fits, and press the button twice.
#
# Next: [lesson 5](05_nets.ipynb), methods that look inside a net.
