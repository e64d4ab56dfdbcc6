# %% [markdown]
# # Lesson 6. Why do they disagree?
#
# **30 minutes** · on the half-day path · you need: lesson 3; lessons 4 and 5 help
#
# A reviewer at a bank has asked three colleagues why the net wants to deny applicant 522. Each used a library that everybody uses,
# and each comes back with another answer. Is one of them wrong? Is the net not explainable? Or were three different questions asked?
#
# At the end of this lesson you can say what two explanations differ in, measure how much each difference matters, and tell a
# disagreement from noise.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from captum.attr import IntegratedGradients
from lime.lime_tabular import LimeTabularExplainer

import dlx
from dlx.comparison import Laboratory, as_libraries_come, disagreement, noise_floor, replicate

lesson = course.Lesson(6, globals())
case = dlx.load("bank_loan")  # 1,000 loans of a German bank, 1973 to 1975
net = dlx.load_model(case, "mlp")
applicant = case.test[case.test.index == 522]
background = case.background(lesson.size(100, small=20))

# %% [markdown]
# ## Three colleagues, three answers
#
# Colleague 1 knows nets and takes **captum**: integrated gradients (lesson 5: slopes added up along a straight way from a start to the person), with all
# settings as they come. The net reads zeros and ones, one for each level of a category, so there are more numbers than columns. He takes the tallest one of
# each column.

# %%
dense = net.dense(applicant.rows)  # what the net reads: [1 row, one number for each level of a category]
gradients = IntegratedGradients(lambda rows: net.network(rows).reshape(-1)).attribute(dense)[0].detach().numpy()
first, last = net.encoder.starts, [*net.encoder.starts[1:], len(gradients)]
by_captum = [max(gradients[a:b], key=abs) for a, b in zip(first, last, strict=True)]

# %% [markdown]
# Colleague 2 takes **shap**: `KernelExplainer` on the probability, with ten centres of the training rows as its documentation advises.


# %%
def probability(rows):
    """Return the risk of coded rows."""
    return net.predict(np.asarray(rows, dtype=float), "probability")


np.random.seed(0)
centres = shap.kmeans(case.train.rows, 10)
by_shap = shap.KernelExplainer(probability, centres).shap_values(applicant.rows, l1_reg="num_features(10)", silent=True)[0]

# %% [markdown]
# Colleague 3 takes **lime**: five thousand invented neighbours, and the slopes of a line through what the net says of them.

# %%
categories = list(case.schema.categorical)
explainer = LimeTabularExplainer(case.train.rows, categorical_features=categories, random_state=0)
found = explainer.explain_instance(
    applicant.rows[0], lambda rows: np.column_stack([1 - probability(rows), probability(rows)]), num_features=10
)
by_lime = np.zeros(len(case.schema))
for column, slope in found.local_exp[1]:
    by_lime[column] = slope

# %%
colleagues = pd.DataFrame({"captum": by_captum, "shap": by_shap, "lime": by_lime}, index=case.schema.names)
places = ["first", "second", "third", "fourth", "fifth"]
pd.DataFrame({name: colleagues[name].abs().nlargest(5).index for name in colleagues}, index=places).T

# %% [markdown]
# Lists of names hide most of it. So let us agree on one number for how far two answers are apart. Give each answer 100 % of credit
# to hand out, plus or minus. The number is **the share of credit that one of them would have to move** to become the other:
#
# > half the sum, over all columns, of the distance between the two shares


# %%
def apart(one, other):
    """Return the share of credit that two answers place differently: 0 where they say the same, 1 where nothing is shared."""
    one, other = (np.asarray(some) / np.abs(some).sum() for some in (one, other))
    return np.abs(one - other).sum() / 2


pairs = [("captum", "shap"), ("captum", "lime"), ("shap", "lime")]
pd.DataFrame({"placed differently": [apart(colleagues[a], colleagues[b]) for a, b in pairs]}, index=pairs).round(2)

# %% [markdown]
# ## By hand: one model, three columns, three right answers
#
# Take a model so simple that nobody can call it a black box. It adds up a score in log-odds (the ruler of lesson 3):
#
# > score = −1 + 1.5 × (no account: 1, else 0) + 0.5 × (years of the loan) − 0.5 × (decades of age)
#
# An applicant has no account, wants a loan for four years, and is 50. Three others applied, too. Nothing here is left to chance. Take a pencil.

# %%
weights = pd.Series({"no account": 1.5, "years": 0.5, "decades": -0.5})
person = pd.Series({"no account": 1, "years": 4, "decades": 5})
others = pd.DataFrame(
    {"no account": [0, 1, 0], "years": [1, 1, 1], "decades": [3, 4, 5]}, index=["other 1", "other 2", "other 3"]
)
pd.concat([weights.to_frame("weight").T, person.to_frame("applicant").T, others])

# %% [markdown]
# How much does each column count? Three honest people answer:
#
# 1. "**Weight**. One more of it changes the score by so much." (A slope: what lime gives.)
# 2. "**Weight × value**. Compared with somebody who has 0 everywhere." (A baseline of zeros: what captum takes if told nothing.)
# 3. "**Weight × (value − mean of the others)**. Compared with people as they come." (A background: what SHAP takes.)

# %%
sheet = pd.DataFrame(
    {"1: slope": weights, "2: from zero": weights * person, "3: from the others": weights * (person - others.mean())}
)
sheet.round(2)

# %% [markdown]
# Each answer puts another column first: the account, the age, the years. None is wrong. **The second compares with a new-born who has an account and wants a loan for no years**;
# the first compares with nobody. (For our net, zeros are an average applicant who belongs to no category at all. Nobody is like that, either.) So before you ask
# who is right, ask what was asked.
#
# Even the unit matters. In log-odds a column adds the same to everybody. In probability it adds much in the middle and little at the ends:


# %%
def risk(score):
    """Return the probability of a score in log-odds."""
    return 1 / (1 + np.exp(-score))


steps = pd.DataFrame({"from": [-3.0, -0.5, 2.0]}, index=["rarely", "a toss-up", "almost surely"])
steps["to"] = steps["from"] + 1.5  # what "no account" adds
steps["rise of the risk, in points"] = 100 * (risk(steps["to"]) - risk(steps["from"]))
steps.round(1)

# %% [markdown]
# ### Exercise 1 (pencil)
# What share of the credit do answers 2 and 3 on your sheet place differently? Divide each answer by the sum of its sizes, then take half
# the sum of the distances.

# %% tags=["exercise"]
answer_1 = ...
lesson.check(1, answer_1, within=0.01)

# %% [markdown] tags=["hint"]
# The sizes of answer 2 add up to 1.5 + 2 + 2.5. So its shares are 1.5/6, 2/6 and −2.5/6. Do the same for answer 3; mind the sign.

# %% tags=["solution"]
answer_1 = apart(sheet["2: from zero"], sheet["3: from the others"])

# %% tags=["wrong"]
# You forgot to take half: credit that moves is counted where it leaves and where it arrives.
answer_1 = 2 * apart(sheet["2: from zero"], sheet["3: from the others"])

# %% tags=["wrong"]
# Those are answers 1 and 3.
answer_1 = apart(sheet["1: slope"], sheet["3: from the others"])

# %% [markdown]
# ## The libraries again, asked the same question
#
# Back to applicant 522. What differs between captum and shap as they came? Four settings. Let us change one after the other.
#
# - **the grouping**: sum the numbers of a column's levels, with their signs, instead of reading the tallest bar;
# - **the background**: the same applicants for both, instead of zeros and of ten centres;
# - **the unit**: log-odds for both, instead of the probability for one;
# - **the sampling**: as many questions as needed, and no cut to ten columns.


# %%
def summed(values):
    """Return numbers of levels summed by column."""
    return np.add.reduceat(np.asarray(values, dtype=float), net.encoder.starts)


references = net.dense(background.rows)
over_all = IntegratedGradients(lambda rows: net.network(rows).reshape(-1)).attribute(
    dense.repeat(len(references), 1), baselines=references
)
captum_aligned = summed(over_all.detach().mean(dim=0))

np.random.seed(0)
kernel = shap.KernelExplainer(lambda rows: net.predict(np.asarray(rows, dtype=float), "logit"), background.rows)
shap_aligned = kernel.shap_values(applicant.rows, nsamples=lesson.size(2000, small=500), l1_reg=False, silent=True)[0]

stages = {
    "as they come": (by_captum, by_shap),
    "grouping": (summed(gradients), by_shap),
    "grouping and background, unit, sampling": (captum_aligned, shap_aligned),
}
moved = pd.Series({stage: apart(*both) for stage, both in stages.items()}, name="placed differently")
lesson.record("captum and shap as they come, 522", moved.iloc[0], within=0.05)
lesson.record("captum and shap aligned, 522", moved.iloc[-1], within=0.02)
moved.to_frame().round(3)

# %% [markdown]
# Not much is left. Integrated gradients and Shapley values *are* different formulas: one goes straight from a reference to the person,
# the other takes columns in all orders. On this net the formulas hardly matter. The settings did.

# %% [markdown]
# ## dlx, and what the difference is
#
# dlx asks all methods in one unit, against one background, column by column. It also knows what each library does when it is told
# nothing, and can compute that, too. Here are all pairs of four methods, on six people: the same six as in dlx's report of this bank.

# %%
six = dict(zip(case.test.index.tolist(), range(len(case.test)), strict=True))
people = case.test[np.array([six[row] for row in (522, 966, 92, 157, 812, 343)])]
laboratory = Laboratory(people, background, case.train)
methods = ["integrated_gradients", "deeplift", "kernel_shap", "lime"]
table = as_libraries_come(net, methods, laboratory).query("measure == 'placed differently'")
table.pivot_table(index=["method", "other_method"], columns="setting", values="mean")[
    ["as the libraries come", "aligned"]
].round(3)

# %%
naive, aligned = (
    lesson.record(setting, table[table["setting"] == setting]["mean"].mean(), within=0.02)
    for setting in ("as the libraries come", "aligned")
)
course.say(
    f"On average over pairs, two methods place **{naive:.0%}** of the credit differently as their libraries come, and "
    f"**{aligned:.0%}** when they are asked the same question. The report says the same two numbers, under “Why do they differ?”."
)

# %% [markdown]
# Which setting did it? Making one setting the same for both (*aligning* it) helps more or less, depending on what is aligned already. You know that problem
# from lesson 3, where columns entered in some order. So dlx shares the distance out among the settings by **Shapley values**: this time it is settings that
# enter, in all orders. The top bar is the distance as the libraries come. Each blue bar takes its part away. What is left is due to the methods themselves.

# %%
laboratory = Laboratory(people[: lesson.size(4, small=1)], background, case.train)
causes = disagreement(net, "integrated_gradients", "lime", laboratory).to_frame().query("measure == 'placed differently'")
figure, ax = plt.subplots(figsize=(6.5, 2.4))
_ = dlx.plots.draw_causes(causes, ax)

# %%
parts = causes.set_index("cause")["part"]
for cause in parts.index:
    lesson.record(f"part of {cause}", parts[cause], within=0.03)
course.say(
    f"The parts add up to the whole: {parts.sum():.0%} of the credit, of which the methods themselves account for {parts['methods']:.0%}."
)

# %% [markdown]
# ### Exercise 2
# Suppose the reviewer may fix only one setting for the whole bank, by a sentence in the handbook. **Which one brings integrated gradients and
# lime closest together on average?** Answer with its name in the table `causes`: `"unit"`, `"scale"`, `"background"`, `"sampling"` or `"grouping"`.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2)

# %% [markdown] tags=["hint"]
# `parts` holds what each cause accounts for. "methods" is what remains when everything is aligned; no handbook can fix that.

# %% tags=["solution"]
answer_2 = str(parts.drop("methods").idxmax())

# %% tags=["wrong"]
# That one accounts for the least.
answer_2 = str(parts.drop("methods").idxmin())

# %% tags=["wrong"]
# That is what remains when all settings are aligned.
answer_2 = "methods"

# %% [markdown]
# ## Is the rest more than noise?
#
# A method that draws at random differs from itself. So does any method against another background of the same size. Nobody can agree with
# a method better than it agrees with itself; that is the **noise floor**. Here is the share of the top five columns that stay.

# %%
asked = {"background": background, "scale": "logit"}
few = people[: lesson.size(6, small=2)]
floors, made = {}, {}
for method in ("integrated_gradients", "lime"):
    made[method] = dlx.explain(net, few, method=method, **asked)
    for source in ("seed", "background"):
        again = replicate(
            net, made[method], source=source, background=background, pool=case.train, count=lesson.size(8, small=2)
        )
        floor = noise_floor(again).set_index("metric").loc["feature_agreement", "mean"]
        floors[method, f"with another {source}"] = lesson.record(f"{method} with another {source}", floor, within=0.15)
agreed = dlx.compare(list(made.values())).agreement(k=5).set_index("metric").loc["feature_agreement", "mean"]
lesson.record("agreement of both", agreed, within=0.15)
pd.Series(floors).unstack().round(2)

# %%
course.say(
    f"The two methods share **{agreed:.0%}** of the top five columns with each other. A disagreement is only worth a meeting where "
    "this is clearly below what each reaches with itself in the table above."
)

# %% [markdown]
# ## The disagreement that no setting removes: another model
#
# Trained again on the same rows, from another random start, a model predicts about as well, and has other reasons. Six trainings of one
# additive net are shipped. Its Shapley values are exact, so that nothing below is due to a method.

# %%
siblings = [dlx.load_model(case, "additive", seed=seed) for seed in range(lesson.size(6, small=3))]
theirs = [dlx.explain(sibling, people, method="additive_shap", **asked).values for sibling in siblings]
distances = [apart(one[i], other[i]) for i in range(len(people)) for k, one in enumerate(theirs) for other in theirs[k + 1 :]]
quality = [dlx.audit.performance(sibling, case.test).set_index("metric").loc["auc", "estimate"] for sibling in siblings]
retrained = lesson.record("two trainings of one net", np.mean(distances), within=0.02)
resnet = dlx.load_model(case, "resnet")
by_resnet = dlx.explain(resnet, people, method="integrated_gradients", **asked).values
by_net = dlx.explain(net, people, method="integrated_gradients", **asked).values
other_net = lesson.record(
    "two architectures", np.mean([apart(*both) for both in zip(by_net, by_resnet, strict=True)]), within=0.03
)
lines = {
    "two methods, asked the same question": aligned,
    "one method, two trainings of one net": retrained,
    "one method, two kinds of net": other_net,
    "two methods as their libraries come": naive,
}
pd.Series(lines, name="placed differently").to_frame().round(3)

# %%
course.say(
    f"The trainings rank the test applicants almost equally well (ROC AUC {min(quality):.3f} to {max(quality):.3f}). They give reasons that "
    f"differ by {retrained:.0%}. Where that matters to an applicant, the honest sentence is: *another model that is as good would have "
    "told you something else.*"
)

# %% [markdown]
# ## When not to believe this
#
# - **Agreement is not truth.** Methods that share a background share its mistakes: columns that go together, people who can't exist (lesson 2).
# - **One number hides who.** On average little may be placed differently, and the first reason of one applicant may still change.
#   Look at the person whom you have to answer.
# - **The causes are those of these people, this net and these versions of the libraries.** On another table the order may be another.
# - **Few people, few seeds.** The noise floors above come from a handful; the report gives intervals.
# - **A method may be wrong, too.** Gradients of a net that looks codes up are zero, and no setting repairs that. `dlx.audit.preflight` looks for it.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the figure of causes. Its bars share out the distance between integrated gradients and lime. Which sentence is true?
#
# - **a** The bars show how important each column is for the net.
# - **b** The bar "the methods themselves" is what would remain if both were asked in one unit, against one background, without cuts.
# - **c** A longer bar means that the setting was chosen wrongly.
# - **d** If the longest bar is aligned, the distance falls by exactly that bar, whatever else is aligned.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# Who are the players here, and what is shared out among them? What does a Shapley value average over?

# %% tags=["solution"]
answer_3 = "b"

# %% tags=["wrong"]
# The players are settings, not columns. What is shared out is a distance between two methods.
answer_3 = "a"

# %% tags=["wrong"]
# No setting is wrong in itself: each belongs to a question. They only have to be the same for both.
answer_3 = "c"

# %% tags=["wrong"]
# A Shapley value is a mean over all orders. In one order the same setting may help more, or less.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx report bank_loan --thorough` shows such a figure for every pair of methods, and the noise floors with intervals.
# - `dlx serve bank_loan` opens the workbench. Add `#person=522&model=mlp&method=lime` to its address, then choose another method: the bars hardly move, because all of
#   them are asked the same question.
# - Bring your colleague's numbers: `dlx.Explanation.from_shap`, `from_captum` and `from_lime` turn them into contributions that can be compared, and
#   refuse numbers that don't hold what their method claims.
#
# **In one sentence**: before you ask which method is right, ask in which unit, against whom, column by column or level by level, with how many
# questions, and of which of several equally good models.
#
# Next: [lesson 7](07_the_bank.ipynb), what the applicant is told.
