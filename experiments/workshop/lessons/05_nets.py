# %% [markdown]
# # Lesson 5. Looking inside a net: slopes, gaps and paths
#
# **30 minutes** · not on the half-day path · you need: pandas, lesson 3, what a slope is
#
# A net raises an alarm for patient 98413. The patient says that no doctor ever told him of a heart attack. The physician asks:
# **"What did the net see in him?"**
#
# LIME and Kernel SHAP treat a model as a closed box. A net isn't one: you can ask for its **slope** (gradient) at any point, almost for free.
# Five methods do something with that. You will do three of them by hand, and see why the most obvious one fails.

# %%
import warnings

import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from captum.attr import DeepLift, FeatureAblation, IntegratedGradients, Occlusion, Saliency

import dlx

lesson = course.Lesson(5, globals())
warnings.filterwarnings("ignore", message="Setting forward, backward hooks")  # what DeepLIFT says each time
case = dlx.load("heart_attack")
net = dlx.load_model(case, "mlp")
patient = case.test[case.test.index == 98413]
background = case.background(lesson.size(100, small=20))
names = list(case.schema.names)

# %% [markdown]
# ## The answer first
#
# **Integrated gradients**, one of the five, says this. Red pushes towards "had a heart attack". The unit is log-odds, the comparison is with adults as they come.

# %%
risk = lesson.record("risk of patient 98413", net.predict(patient, "probability")[0])
lesson.record("mean risk", net.predict(case.test, "probability").mean())
asked = {"background": background, "scale": "logit"}
paths = dlx.explain(net, patient, method="integrated_gradients", **asked)
main = list(pd.Series(np.abs(paths.values[0]), index=names).sort_values(ascending=False).index[:7])
figure, ax = plt.subplots(figsize=(7.5, 3))
dlx.plots.draw_waterfall(paths, 0, main, ax)
course.say(f"The net's risk for patient 98413 is **{risk:.0%}**; the mean of all is {lesson.numbers['mean risk']:.0%}.")

# %% [markdown]
# ## By hand: an alarm with a ceiling
#
# Here is a tiny net. Three columns are 1 (yes) or 0 (no): *old*, *stroke*, *man*. One hidden unit, cut off at zero (ReLU):
#
# > alarm = 1 − max(0, 1 − 0.7 × old − 0.5 × stroke) + 0.2 × man
#
# Call *1 − 0.7 × old − 0.5 × stroke* the **bracket**; max(0, bracket) means: where it is below zero, take zero. Try it. Nobody: 1 − 1 + 0 = 0. An old man with a stroke: the bracket
# is 1 − 1.2, below zero, so zero is taken, and the alarm is 1 + 0.2.
# Once the bracket is used up, nothing more can come from it. Nets are full of such ceilings.

# %%
toy_columns = ["old", "stroke", "man"]
toy = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
with torch.no_grad():
    toy[0].weight[:] = torch.tensor([[-0.7, -0.5, 0.0], [0.0, 0.0, 1.0]])
    toy[0].bias[:] = torch.tensor([1.0, 0.0])
    toy[2].weight[:] = torch.tensor([[-1.0, 0.2]])
    toy[2].bias[:] = 1.0
him, nobody = torch.ones(1, 3), torch.zeros(1, 3)
course.say(
    f"The alarm of the old man with a stroke: {toy(him).item():.2f}. Of nobody: {toy(nobody).item():.2f}. What made the difference?"
)

# %% [markdown]
# ### The slope (saliency)
# "If *old* were a bit more, how much higher would the alarm be?" At the old man with a stroke the bracket is cut. A bit more changes nothing. So the slope is **zero** for
# *old* and for *stroke*. The method that uses slopes alone would say: neither of them mattered.
#
# ### Take one away (ablation)
# "Without the stroke?" The bracket becomes 1 − 0.7 = 0.3, the alarm falls by 0.3. "Without being old?" It becomes 0.5, the alarm falls by 0.5.
# Better. But 0.5 + 0.3 + 0.2 isn't 1.2. Where two columns do the same work, taking one away shows too little of both.
#
# ### Walk (integrated gradients)
# The slope at the end is zero because we are past the ceiling. So don't look at the end only. **Walk from nobody to him**, and look at the slope on the way.
# Take five steps, and look in the middle of each. After a share *t* of the way, *old* and *stroke* are *t*, and the bracket is 1 − 1.2 t.

# %%
middle = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
walk = pd.DataFrame({"share of the way": middle, "bracket": 1 - 1.2 * middle})
walk["slope of old"] = np.where(walk["bracket"] > 0, 0.7, 0.0)
walk["slope of man"] = 0.2
walk

# %%
old_by_hand = lesson.record("old, five steps by hand", walk["slope of old"].mean(), within=1e-9)
course.say(
    f"The mean slope of *old* on the way, times how far it went (from 0 to 1), is **{old_by_hand:.2f}**. That's its share."
)

# %% [markdown]
# ### Exercise 1 (pencil)
# What is the share of *stroke*, by the same five steps?

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.005)

# %% [markdown] tags=["hint"]
# Its slope is 0.5 as long as the bracket is above zero. On how many of the five steps is it?

# %% tags=["solution"]
answer_1 = np.where(walk["bracket"] > 0, 0.5, 0.0).mean()

# %% tags=["wrong"]
# That is the slope before the ceiling. On the last step the bracket is used up, and the slope is zero.
answer_1 = 0.5

# %% tags=["wrong"]
# That is what ablation says: the alarm without the stroke. Take the mean of the five slopes.
answer_1 = 0.3

# %% tags=["wrong"]
# That is the slope at the end of the way only.
answer_1 = 0.0

# %% [markdown]
# ## The library: captum
#
# [captum](https://captum.ai) is PyTorch's library for this. All methods are called alike. Two of them are new:
#
# - **Occlusion** takes away a *window* of neighbouring columns at once, here two, and gives each the mean of the windows it was in.
# - **DeepLIFT** takes no steps. At each cut-off unit it asks: from nobody to him, by how much did the input change, by how much the output? The ratio is its slope.

# %%
shares = {
    "Saliency (slope)": Saliency(toy).attribute(him.clone().requires_grad_(), abs=False),
    "Ablation": FeatureAblation(toy).attribute(him, baselines=nobody),
    "Occlusion, window 2": Occlusion(toy).attribute(him, sliding_window_shapes=(2,), baselines=nobody),
    "Integrated gradients, 5 steps": IntegratedGradients(toy).attribute(
        him, baselines=nobody, n_steps=5, method="riemann_middle"
    ),
    "Integrated gradients, 500 steps": IntegratedGradients(toy).attribute(him, baselines=nobody, n_steps=500),
    "DeepLIFT": DeepLift(toy).attribute(him.clone().requires_grad_(), baselines=nobody),
}
by_captum = pd.DataFrame({method: share[0].detach().numpy() for method, share in shares.items()}, index=toy_columns).T
by_captum["sum"] = by_captum.sum(axis=1)
for method in by_captum.index:
    lesson.record(f"toy: old, {method}", by_captum.loc[method, "old"], within=1e-3)
by_captum.round(3)

# %% [markdown]
# Read the last column. The alarm rose by 1.2. Saliency and ablation don't add up to it, occlusion overshoots. Integrated gradients and DeepLIFT do add up
# (**completeness**): five steps nearly, many steps exactly.
#
# ## The same on the real net
#
# The net doesn't see "diabetes: yes". Words become columns of zeros and ones, numbers are shifted and scaled. So it sees more columns than the table has.
# captum works on these. To get a share of a column of the table, one has to add up its parts, **signs included**.

# %%
dense = net.dense(patient.rows)  # what the net sees
zero = torch.zeros_like(dense)
by_part = IntegratedGradients(net.network).attribute(dense, baselines=zero, n_steps=200)[0].detach().numpy()
by_column = pd.Series(np.bincount(net.encoder.owner, by_part, minlength=len(names)), index=names)
lesson.record("columns that the net sees", dense.shape[1], within=0)
course.say(
    f"The table has {len(names)} columns, the net sees {dense.shape[1]}. "
    f"Diabetes is {(net.encoder.owner == names.index('diabetes')).sum()} of them."
)

# %% [markdown]
# ### Exercise 2
# The values in `by_column` compare the patient with the baseline `zero`. Completeness says what their sum must be. **What is it?**
# You have `net.network(dense)` and `net.network(zero)`; `.item()` makes a number of them. Don't sum.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.02)

# %% [markdown] tags=["hint"]
# The shares explain how one gets from the baseline to the patient.

# %% tags=["solution"]
answer_2 = (net.network(dense) - net.network(zero)).item()

# %% tags=["wrong"]
# That is the prediction. The shares start at what the net says of the baseline.
answer_2 = net.network(dense).item()

# %% tags=["wrong"]
# The size is right, the sign isn't: from the baseline to the patient.
answer_2 = (net.network(zero) - net.network(dense)).item()

# %% [markdown]
# ## Compared with whom? The baseline
#
# Who is `zero`? For numbers it is the mean of the training rows. For words it is *no level at all*: neither man nor woman, neither married nor not.
# Such a person doesn't exist. Nor does the mean person, who is a bit of a man and a bit of a woman. Many tutorials use zero. Here are four baselines for the same patient, the same net, the same method:

# %%
train_dense = net.dense(case.train.rows)
baselines = {
    "zero": zero,
    "the mean person": train_dense.mean(dim=0, keepdim=True),
    "one real person": net.dense(background.rows[:1]),
}
method = IntegratedGradients(net.network)
found = {
    name: np.bincount(net.encoder.owner, method.attribute(dense, baselines=baseline, n_steps=200)[0].detach().numpy())
    for name, baseline in baselines.items()
}
found[f"{len(background)} real persons, mean"] = paths.values[0]
compared = pd.DataFrame(found, index=names)
figure, ax = plt.subplots(figsize=(7, 3))
for (name, values), colour, marker in zip(compared.loc[main].items(), dlx.plots.COLOURS, "os^D", strict=False):
    ax.plot(values, range(len(main)), marker, color=colour, label=name, markersize=5, alpha=0.8)
ax.axvline(0, color=dlx.plots.GREY, linewidth=0.8)
ax.set_yticks(range(len(main)), [case.schema.features[names.index(name)].label for name in main])
ax.invert_yaxis()
ax.set_xlabel("integrated gradients (log-odds)")
_ = ax.legend(fontsize=8)

# %%
for name in ("age", "stroke_history"):
    lesson.record(f"{name}: from zero", compared.loc[name, "zero"], within=0.02)
    lesson.record(f"{name}: from real persons", compared.loc[name].iloc[-1], within=0.02)
stroke = compared.loc["stroke_history"]
course.say(
    f"History of stroke gets between {stroke.min():+.2f} and {stroke.max():+.2f}. No baseline is right or wrong by itself. "
    "Each is a question: *compared with whom?* A share without its baseline can't be read."
)

# %% [markdown]
# The dlx way, and that of SHAP: many real people, one after the other, and the mean. Then nobody is invented, and the answer says "rather than adults as they come".
#
# ## dlx, and what the difference is
#
# One call a method, on columns of the table, all against the same people, in one unit. So they can be laid side by side, with the Shapley values of lesson 3:

# %%
methods = ["ablation", "integrated_gradients", "deeplift", "shapley"]
told = {method: dlx.explain(net, patient, method=method, **asked) for method in methods}
labels = ["Ablation", "Integrated gradients", "DeepLIFT", "Shapley"]
figure, ax = plt.subplots(figsize=(7.5, 3.8))
dlx.plots.draw_contributions(list(told.values()), 0, main[:6], ax, labels=labels, counting=[False, True, True, True])
_ = ax.legend(loc="center right", fontsize=8)

# %%
rise = net.predict(patient, "logit")[0] - net.predict(background, "logit").mean()
adds = pd.DataFrame(
    {
        "sum of the shares": [one.values.sum() for one in told.values()],
        "evaluations of the net": [one.evaluations for one in told.values()],
    },
    index=labels,
)
lesson.record("rise to explain", rise, within=0.01)
lesson.record("ablation explains", adds.loc["Ablation", "sum of the shares"], within=0.02)
off = pd.Series({method: np.abs(one.values - told["shapley"].values).max() for method, one in told.items()})
lesson.record("DeepLIFT is from Shapley by at most", off["deeplift"], within=0.03)
adds.round(2)

# %%
course.say(
    f"The net's log-odds for the patient are {rise:.2f} above those of the background. The first column of the table says who explains all of it. "
    f"DeepLIFT is at most {off['deeplift']:.2f} away from the Shapley values, integrated gradients {off['integrated_gradients']:.2f}, "
    f"ablation {off['ablation']:.2f}. DeepLIFT asked the net {told['deeplift'].evaluations:,} times, Shapley {told['shapley'].evaluations:,} times."
)

# %% [markdown]
# **What the difference was.** captum takes what the net sees and one baseline, and believes you. dlx takes columns and real people, adds up the parts with their signs,
# takes as many steps as the sum needs, and refuses if it doesn't add up. For some layers DeepLIFT's rule isn't defined; dlx says so rather than give a number.

# %% [markdown]
# ## When not to believe this
#
# - **Slopes alone** (saliency). Past a ceiling they are zero. They say what a *bit more* would do, not what made the prediction.
# - **Ablation and occlusion** where columns do the same work: each looks small, since the other one stands in. And a window depends on the order of the columns.
# - **No baseline named**, or `zero` with categories in the table: the comparison is with nobody.
# - **Too few steps.** Check the sum. If it isn't there, take more.
# - **In probability.** Near 0 and 1 every probability is past a ceiling. Explain log-odds.
# - **The net was wrong.** The patient had no attack that he knows of. The figure then shows what misled the net, not what ails the patient. Lesson 9 starts there.
# - **Inside isn't truer.** These methods see the net's weights, and still say nothing about the heart.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# In the figure of the four baselines, the marks of one column lie apart. Why?
#
# - **a** Integrated gradients is random.
# - **b** Each baseline compares the patient with somebody else.
# - **c** The net was trained four times.
# - **d** Too few steps were taken.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What differs between two marks of a line: the net, the patient, the method, or where the walk starts?

# %% tags=["solution"]
answer_3 = "b"

# %% tags=["wrong"]
# Run the cell again: nothing moves.
answer_3 = "a"

# %% tags=["wrong"]
# It's one net, loaded once.
answer_3 = "c"

# %% tags=["wrong"]
# Take ten times as many: the marks stay where they are.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx serve heart_attack` opens the workbench in a browser. Add `#person=98413&model=mlp&method=integrated_gradients` to its address, and
#   open **"How does this method get its answer?"**: it walks the path. With `method=deeplift` it shows the ratios instead.
# - `dlx report heart_attack`: its evidence page shows ablation and occlusion, and how far each method is from the exact answer.
#
# **In one sentence**: a slope is not a share; walk from somebody real to the patient, check the sum, and say from whom you came.
#
# Next: [lesson 6](06_why_do_they_disagree.ipynb), why do they disagree?
