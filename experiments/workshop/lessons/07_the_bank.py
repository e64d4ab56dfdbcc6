# %% [markdown]
# # Lesson 7. The bank: what is the applicant told?
#
# **30 minutes** · on the half-day path · you need: lesson 3
#
# Applicant 522 was denied, and asks three things. *Why?* *What must I change?* *Would somebody of another age have got it?*
# The loan officer has a net and a pen. What may she write down?
#
# At the end of this lesson you can turn contributions into reasons that may be printed, tell a reason from a way out, verify a way out,
# and compare groups without fooling yourself. The rules are those of the United States, as an example: they are the most explicit.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, count, selection_rate

import dlx
from dlx.audit.adverse_action import ReasonMap, adverse_reasons, grouping, near_cutoff

lesson = course.Lesson(7, globals())
case = dlx.load("bank_loan")  # 1,000 loans of a German bank, 1973 to 1975
net = dlx.load_model(case, "mlp")
applicant = case.test[case.test.index == 522]
threshold = case.schema.target.threshold

# %%
course.say(
    f"Risk of applicant 522: **{net.predict(applicant, 'probability')[0]:.0%}**. The bank denies from {threshold:.1%} on, because a bad loan that is "
    "granted costs five times as much as a good one that is denied."
)

# %% [markdown]
# ## By hand: a scorecard of three columns
#
# Long before nets, banks gave points. Take a pencil. This card has three columns, and whoever has fewer than 40 points is denied.

# %%
card = {
    "account": {"none": 0, "overdrawn": 10, "in credit": 30},
    "length": {"48 months": 0, "24 months": 15, "12 months": 25},
    "savings": {"none": 0, "some": 10, "plenty": 20},
}
cutoff = 40
points = pd.DataFrame(
    [(column, level, worth) for column, of in card.items() for level, worth in of.items()], columns=["", "level", "points"]
)
points.set_index(["", "level"]).T

# %% [markdown]
# Anna is overdrawn, wants 48 months and has some savings. The bank also knows the mean points of applicants just above the cutoff, and of all
# applicants.

# %%
anna = {"account": "overdrawn", "length": "48 months", "savings": "some"}
hers = pd.Series({column: card[column][level] for column, level in anna.items()})
means = pd.DataFrame({"just above the cutoff": [27, 8, 8], "all applicants": [20, 18, 9]}, index=list(card))
pd.concat([hers.rename("Anna"), means], axis=1)

# %% [markdown]
# Anna is denied. **Why?** A reason is a column in which she lost points. But lost compared with whom? The official commentary on the rule that
# asks for reasons (12 CFR 1002.9(b)(2)) names both: those just above the cutoff, or all applicants.

# %%
lost = means.sub(hers, axis=0)
lost

# %% [markdown]
# The commentary accepts either column of this sheet, and each puts another reason first. So *say which one you use, and use it for everybody*.
#
# **What must she change?** That is another question. A reason looks back from where others are; a way out looks forward to the cutoff.
# Try each single change on the card:

# %%
ways = [
    (column, level, int(hers.sum() - hers[column] + worth))
    for column, of in card.items()
    for level, worth in of.items()
    if worth > hers[column]
]
pd.DataFrame(ways, columns=["change", "to", "points then"]).assign(granted=lambda table: table["points then"] >= cutoff)

# %% [markdown]
# Anna can bring her account into credit, or ask for a loan of 12 months. Savings don't help, however large. And "account" is a way out
# although, compared with all applicants, the length of the loan was the first reason.

# %% [markdown]
# ### Exercise 1 (pencil)
# Ben has no account, wants 24 months and has plenty of savings. He has 35 points. Compared with applicants **just above the cutoff**: how many points
# did he lose in account, length and savings? Answer with a list of three numbers; gained points are negative.

# %% tags=["exercise"]
answer_1 = ...  # [account, length, savings]
lesson.check(1, answer_1, within=0.1)

# %% [markdown] tags=["hint"]
# Mean of those just above the cutoff, less Ben's own points: 27 − 0 is the first one.

# %% tags=["solution"]
ben = {"account": "none", "length": "24 months", "savings": "plenty"}
answer_1 = [means.loc[column, "just above the cutoff"] - card[column][level] for column, level in ben.items()]

# %% tags=["wrong"]
# Those are the points that he lost compared with all applicants.
answer_1 = [
    means.loc["account", "all applicants"] - 0,
    means.loc["length", "all applicants"] - 15,
    means.loc["savings", "all applicants"] - 20,
]

# %% tags=["wrong"]
# The sign is turned around: what he *lost* is above 0.
answer_1 = [0 - means.iloc[0, 0], 15 - means.iloc[1, 0], 20 - means.iloc[2, 0]]

# %% tags=["wrong"]
# Those are points lost from the best level of each column. No applicant has all of them.
answer_1 = [30 - 0, 25 - 15, 20 - 20]

# %% [markdown]
# ## Reasons that may be printed
#
# A net has no points. Its Shapley values play their part: contributions against a background. The background is the choice that you
# just saw, so for a letter one takes the applicants *just above the cutoff* (for us: granted, with the highest risk).

# %%
near = near_cutoff(net, case.train)
told = dlx.explain(net, applicant, method="shapley", background=near, scale="logit")
against_near = pd.Series(told.values[0], index=case.schema.labels).sort_values(ascending=False)
against_near.head(6).round(2).to_frame("pushes towards denial, log-odds")

# %% [markdown]
# Can we print the first four? Not yet. Before a contribution becomes a reason, five questions must be answered:
#
# 1. **Is it specific?** "Insufficient score" or "internal standards" is not enough (12 CFR 1002.9(b)(2)). A column needs words that a
#    person understands.
# 2. **Are the words true of this person?** A net may hold a *high* balance against somebody. "Insufficient balance" would be a lie.
# 3. **Is it allowed to count?** Sex, marital status, race, religion and others may not count against anybody (15 U.S.C. 1691(a)). For age there are exceptions
#    (12 CFR 1002.6(b)(2)).
# 4. **Does it stand in for something that may not count?**
# 5. **Is it a reason of its own?** Two columns that say the same are one reason.
#
# More than four reasons are not likely to help, says the commentary. And it says something that cuts the other way: *no factor that was a
# principal reason may be left out*. So if a forbidden column is among the first, silence is no way out. Then the decision itself is wrong, and
# a human has to look.
#
# dlx keeps the words of each column in the schema, and asks these questions of everybody.

# %%
wording, groups = ReasonMap(case.schema), grouping(case.train)
denied = dlx.counterfactuals.denied(net, case.test)
of_all = dlx.explain(net, denied, method="shapley", background=near, scale="logit")
denials = {int(one.person): one for one in adverse_reasons(of_all, near, wording=wording, grouping=groups)}
of_522 = denials[522]
pd.DataFrame(
    [(one.words, one.value, one.contribution) for one in of_522.reasons],
    columns=["reason", "the applicant's value", "log-odds"],
).round(2)

# %%
labels = dict(zip(case.schema.names, case.schema.labels, strict=True))
course.say(
    "Counted as much as a printed reason, and is **not printed**: "
    + ", ".join(f"“{labels[name]}”" for name in (*of_522.flagged, *of_522.review))
    + ". The value there speaks for the applicant, and the net held it against them all the same. Words would be untrue; a reviewer must look at it. "
    "Length and amount of the loan go together, so that they are one reason: the first."
)

# %%
flagged = lesson.record("share flagged", np.mean([bool(one.flagged) for one in denials.values()]), within=0.02)
given = pd.Series([reason.words for one in denials.values() for reason in one.reasons]).value_counts() / len(denials)
savings = lesson.record("share told of no savings", given["No savings, or savings that cannot be verified"], within=0.02)
course.say(
    f"Of {len(denials)} denied applicants, {savings:.0%} are told “no savings, or savings that cannot be verified”. For {flagged:.0%} a protected "
    "column counted as much as a printed reason: *those are the files that a reviewer must open*."
)

# %% [markdown]
# The letter, then. What it must hold stands in 12 CFR 1002.9(a)(2): the action, name and address of the creditor, the notice of the Act, the
# agency, and the specific reasons (or the right to ask for them).

# %%
lines = "\n".join(f"> - {one.words}" for one in of_522.reasons)
course.say(
    "> Dear applicant,\n>\n> we cannot grant the loan that you asked for. The principal reasons, in order of their weight:\n>\n"
    f"{lines}\n>\n> *[name and address of the bank; the notice that the Equal Credit Opportunity Act prescribes; the agency that enforces it]*"
)

# %% [markdown]
# ## Ways out
#
# "Shorten your loan and you will get it": before anybody says such a sentence, it must have been tried. That is all the library that you need:
# take the row, change it, ask the model.


# %%
def risk_with(**changes):
    """Return the risk of applicant 522 with other values in some columns."""
    row = applicant.rows.copy()
    for name, value in changes.items():
        row[0, case.schema.position(name)] = value
    return float(net.predict(row, "probability")[0])


tries = {
    "as it is": risk_with(),
    "12 instead of 48 months": risk_with(duration=12),
    "an account in credit": risk_with(status=3),
    "savings of 1,000 DM or more": risk_with(savings=4),
    "12 months, and the account": risk_with(duration=12, status=3),
}
lesson.record("risk with 12 months", tries["12 instead of 48 months"])
pd.Series(tries, name="risk").to_frame().assign(granted=lambda table: table["risk"] < threshold).round(3)

# %%
granted_by = [name for name, risk in tries.items() if risk < threshold]
course.say(
    f"Of these changes, **{len(granted_by) or 'none'}** would have got the loan. A letter of four reasons does not promise that; whoever reads it will "
    "believe that it does."
)

# %% [markdown]
# dlx searches for the smallest changes: only columns that a person can change, only in the direction that is possible, only combinations
# near to people who exist, and each checked by `predict` with the numbers *as they are printed*.

# %%
found = dlx.counterfactuals.recourse(net, denied, observed=case.train)
table = found.to_frame()
table[table["person"] == 522][["counterfactual", "column", "from", "to", "risk", "new_risk"]].round(3)

# %%
share = lesson.record(
    "share with a way out", found.summary().set_index("measure").loc["share_with_recourse", "estimate"], within=0.01
)
columns_of_522 = lesson.record(
    "columns that 522 changes", (table[table["person"] == 522]["counterfactual"] == 1).sum(), within=0
)
other = dlx.load_model(case, "logistic_regression")
kept = found.transferability([other]).iloc[0]
lesson.record("ways out that another model accepts", kept["granted"], within=0.02)
course.say(
    f"Applicant 522 would have to change **{columns_of_522:.0f} columns** at once. Of all denied applicants, {share:.0%} have some way out. But take the easiest "
    f"one to a bank that uses logistic regression instead: it accepts {kept['granted']:.0%} of them. A way out is a promise of *this* model."
)

# %%
figure, ax = plt.subplots(figsize=(6.5, 2.6))
_ = dlx.plots.draw_recourse(found.by_column(), labels, ax)

# %% [markdown]
# ## Fair lending: the library directly, fairlearn
#
# The third question: are applicants like this one treated like others? The data can't say much here. Sex and marital status share one code, so no comparison
# by sex is valid on this table; the data check says so. Age can be compared. `fairlearn` is what most people use:

# %%
age = case.test.rows[:, case.schema.position("age")]
young = np.where(age <= 25, "up to 25 years", "over 25 years")
granted = net.predict(case.test, "probability") < threshold
bad = case.test.outcomes == 1
frame = MetricFrame(
    metrics={"granted": selection_rate, "people": count},
    y_true=~bad,
    y_pred=granted,
    sensitive_features=pd.Series(young, name="age"),
)
frame.by_group.round(3)

# %% [markdown]
# ### Exercise 2
# A usual mark is *four fifths*: the group that is granted least often should be granted at least 0.8 times as often as the other (it comes from US rules on
# hiring, 29 CFR 1607.4(D)). **How many times as often are the young granted as the older ones?** Use `frame.by_group`.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2)

# %% [markdown] tags=["hint"]
# `frame.by_group["granted"]` holds two shares. Divide the smaller by the larger.

# %% tags=["solution"]
answer_2 = frame.by_group["granted"].min() / frame.by_group["granted"].max()

# %% tags=["wrong"]
# That is the difference. The mark is about a ratio.
answer_2 = frame.by_group["granted"].max() - frame.by_group["granted"].min()

# %% tags=["wrong"]
# Those are the shares who are *denied*. The ratio of what people want is the one that counts here.
answer_2 = (1 - frame.by_group["granted"].max()) / (1 - frame.by_group["granted"].min())

# %% [markdown]
# ## dlx, and what the difference is
#
# The ratio looks clear. But how many young people were there? dlx gives the same rates, each with an interval, says where a group is too small to be
# judged, and gives the gap an interval, too.

# %%
by_age = dlx.fairness.partition(case, "age")
rates = dlx.fairness.group_rates(net, case.test, by_age)
table = rates.to_frame().query("rate == 'clearance_rate'")
figure, ax = plt.subplots(figsize=(6.5, 1.9))
dlx.plots.draw_group_rates(table, list(rates.groups), ["mlp"], ax, of="share granted")
ax.set_xlim(0, 1)
table[["group", "people", "estimate", "low", "high"]].round(2)

# %%
gap = rates.gaps().set_index("rate").loc["clearance_rate"]
lesson.record("ratio of young to older", gap["ratio"], within=0.005)
proxies = dlx.fairness.proxy_strength(case, by_age).set_index("group").loc["up to 25 years"]
lesson.record("others tell the young", proxies["auc"], within=0.02)
course.say(
    f"The ratio is {gap['ratio']:.2f}, with an interval from {gap['ratio_low']:.2f} to {gap['ratio_high']:.2f}. “Clearly below four fifths” "
    f"and “fine” both say more than these people can tell.\n\nCould one just delete the age? The other columns together tell the young from the rest with an AUC of "
    f"{proxies['auc']:.2f} (0.5 is chance, 1 is certainty). **A model without the column can still know it.** Lesson 9 tries."
)

# %% [markdown]
# ## When not to believe this
#
# - **Reasons explain the score, not the applicant.** That a long loan raised the risk does not mean that long loans go bad *because* they are long.
# - **A reason is not a way out, and a way out is not advice.** What happens to a real person who shortens the loan, nobody measured.
# - **Ways out expire.** The bank trains again next year. A promise needs a date.
# - **Words can hide a decision.** Leaving out a forbidden column makes a letter look clean, not a model.
# - **A ratio without an interval is a guess**, and a small group always looks extreme.
# - **The data are from 1973 to 1975, from those who were granted.** Whom the bank turned down is not in the table.
# - This lesson is no legal advice.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the figure of the share granted by age group, and the sentence below it. Which sentence is true?
#
# - **a** The net discriminates against the young: the marks are at different places.
# - **b** The net treats both groups alike: the intervals overlap.
# - **c** In these data fewer of the young are granted; from so few people one can't tell whether the ratio is below or above four fifths.
# - **d** If the column age were removed, both marks would be at the same place.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# What does the interval of the *ratio* hold? Is 0.8 in it? Is 1?

# %% tags=["solution"]
answer_3 = "c"

# %% tags=["wrong"]
# The marks are estimates. How far would they move with other applicants? And a gap in rates alone does not say why it is there.
answer_3 = "a"

# %% tags=["wrong"]
# Overlapping intervals of two groups are no proof that the groups are alike. The interval of the gap is what you need.
answer_3 = "b"

# %% tags=["wrong"]
# The other columns together tell the young from the rest. A model can know a group without its column.
answer_3 = "d"

# %% [markdown]
# ## Try it
#
# - `dlx serve bank_loan` opens the workbench. Add `#person=522&model=mlp` to its address, change the length and the account, and watch the decision.
# - `dlx report bank_loan`: the sections "What would change it" and "Fairness" hold these numbers, and many more.
#
# **In one sentence**: a reason compares with others, a way out with the cutoff, fairness compares groups; each needs its own numbers, and none may be
# printed unchecked.
#
# Next: [lesson 8](08_the_heart.ipynb), where the same tools meet a physician.
