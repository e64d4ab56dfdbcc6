# %% [markdown]
# # Lesson 10. Fooled on purpose, and the road ahead
#
# **30 minutes** · not on the half-day path · you need: lessons 3 and 4
#
# A vendor sells the bank a model. With each decision comes an explanation, made with libraries that everybody trusts. Age never appears in it. The reviewer
# asks: *is that a proof that age is not used?*
#
# At the end of this lesson you have built a model that lies to its explainer, you know a test that finds it, and you know what explanations can't do yet,
# what three laws ask, and what to do on Monday.
#
# You may skip code that you don't want to read. The text says what it does.

# %%
import itertools

import course
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from lime.lime_tabular import LimeTabularExplainer
from sklearn.neighbors import NearestNeighbors

import dlx

lesson = course.Lesson(10, globals())
case = dlx.load("bank_loan")
net = dlx.load_model(case, "mlp")
background = case.background(lesson.size(100, small=20))

# %% [markdown]
# ## By hand: a liar of three columns
#
# A model reads age, length and savings. It follows this recipe:
#
# > **If the row belongs to a real person**: deny (1) if young, else grant (0). Nothing else counts.
# > **If the row is a mixture of two people**: deny (1) if the loan is long, else grant (0).
#
# How can it tell? Real people's values go together; mixtures look odd. Here it recognises each one.
#
# Now ask for Shapley values, as in lesson 3. The person is young and wants a long loan. The other one is older and wants a short loan. Their savings differ, too. Eight
# coalitions; **only the first and the last are real people**:

# %%
columns = ["age", "length", "savings"]
coalitions = [frozenset(some) for size in range(4) for some in itertools.combinations(columns, size)]


def liar(coalition):
    """Return 1 where the liar denies: a coalition holds the columns that are the young person's."""
    is_real = len(coalition) in (0, 3)
    return int("age" in coalition) if is_real else int("length" in coalition)


sheet = pd.DataFrame([{column: "person" if column in some else "other" for column in columns} for some in coalitions])
sheet["real"] = ["yes" if len(some) in (0, 3) else "" for some in coalitions]
sheet["answer"] = [liar(some) for some in coalitions]
sheet

# %% [markdown]
# ### Exercise 1 (pencil)
# What are the Shapley values of age, length and savings? Use the weights 1/3, 1/6, 1/6, 1/3 of lesson 3, or the six orders. Answer with a list of three numbers.

# %% tags=["exercise"]
answer_1 = ...  # [age, length, savings]
lesson.check(1, answer_1, within=0.02)

# %% [markdown] tags=["hint"]
# Start with age: it enters after none, after length, after savings, after both. By how much does the answer change each time? Read four pairs of lines.

# %% tags=["solution"]
orders = list(itertools.permutations(columns))
answer_1 = [
    sum(liar(frozenset(order[: order.index(column) + 1])) - liar(frozenset(order[: order.index(column)])) for order in orders)
    / len(orders)
    for column in columns
]

# %% tags=["wrong"]
# That is what the liar really decides by. The Shapley values are asked of the eight lines, six of which are mixtures.
answer_1 = [1, 0, 0]

# %% tags=["wrong"]
# Equal shares would be right if all three did the same. Look at the lines for savings: does the answer change?
answer_1 = [1 / 3, 1 / 3, 1 / 3]

# %% [markdown]
# So a model that decides about every real person by age, and by nothing else, gets an explanation without age. The arithmetic is right. The explainer asked six
# questions about people who don't exist, and the model knew.
#
# ## The libraries, fooled: lime and shap
#
# Slack and others built such models in 2020 ("Fooling LIME and SHAP", AIES). dlx builds one on our bank's data, so that you can see it happen. It denies everybody up to a
# certain age. A detector, trained on real and on invented rows, tells it when it is being watched.

# %%
against_lime = dlx.attacks.attack(case, against="lime", background=background.rows)
liar_of_lime = against_lime.scaffold
decides = case.test.rows[:, against_lime.column] <= against_lime.cut
fidelity = lesson.record("real people judged by age alone", (liar_of_lime.decide(case.test) == decides).mean(), within=0.02)
course.say(
    f"The model denies whoever is {against_lime.cut:.0f} or younger. Of {len(case.test)} real applicants whom it never saw, it decides **{fidelity:.0%}** by that rule alone."
)

# %% [markdown]
# Now lime explains one of the applicants who are denied because of their age, with its usual settings:


# %%
def probability(rows):
    """Return both probabilities of coded rows, as lime wants them."""
    risk = liar_of_lime.predict(np.asarray(rows, dtype=float), "probability")
    return np.column_stack([1 - risk, risk])


young = case.test[decides][0:1]
explainer = LimeTabularExplainer(
    background.rows, categorical_features=list(case.schema.categorical), feature_names=list(case.schema.names), random_state=0
)
told = dict(explainer.explain_instance(young.rows[0], probability, num_features=20).local_exp[1])
by_lime = pd.Series({name: told.get(place, 0.0) for place, name in enumerate(case.schema.names)})
place_of_age = int((by_lime.abs() > abs(by_lime["age"])).sum()) + 1
lesson.record("place of age by lime", place_of_age, within=9)
by_lime[by_lime.abs().sort_values(ascending=False).index[:6]].round(3).to_frame(f"lime: applicant {young.index[0]}")

# %% [markdown]
# *Where is age?* It decides everything about real people. lime puts columns first that the model doesn't look at for any real person:

# %%
course.say(
    f"Age stands in place **{place_of_age}** of {len(by_lime)}, with {abs(by_lime['age']) / by_lime.abs().max():.0%} of the weight of the first column."
)

# %% [markdown]
# And shap: Kernel SHAP with ten centres of the training rows, against a model that was built to fool *it*.

# %%
centres = dlx.background.k_means(case.schema.numbers(case.train.rows), 10)[0]
against_shap = dlx.attacks.attack(case, against="kernel_shap", background=centres)
liar_of_shap = against_shap.scaffold
np.random.seed(0)
kernel = shap.KernelExplainer(lambda rows: liar_of_shap.predict(np.asarray(rows, dtype=float), "logit"), centres)
by_shap = pd.Series(kernel.shap_values(young.rows, nsamples=500, l1_reg=False, silent=True)[0], index=case.schema.names)
largest = by_shap.abs().sort_values(ascending=False).index[:6]
figure, ax = plt.subplots(figsize=(6, 2.4))
ax.barh(
    largest[::-1],
    by_shap[largest[::-1]],
    color=[dlx.plots.UP if value > 0 else dlx.plots.DOWN for value in by_shap[largest[::-1]]],
)
_ = ax.set_xlabel("Kernel SHAP, log-odds: a model that decides about real people by age")

# %% [markdown]
# ## dlx, and what the difference is
#
# What finds the liar? Not a better formula: **other questions**. Take real people. Change *one* column, the protected one, to values that other people have. Leave the rest. One
# changed value rarely makes a person odd, so the detector sleeps. Count whose decision changes.

# %%
flips = {}
for name, model in {"fools lime": liar_of_lime, "fools shap": liar_of_shap, "our net": net}.items():
    flips[name] = dlx.attacks.flipped_decisions(model, case.test, "age", among=case.train).mean()
    lesson.record(f"flipped, {name}", flips[name], within=0.03)
pd.Series(flips, name="decisions that change with age alone").to_frame().round(2)

# %% [markdown]
# ### Exercise 2
# Do it yourself for one liar, without the function. Take all test applicants of **30 or older**, set their age to **20**, and leave everything else. **Which share of them is denied by
# `liar_of_shap` now?** Use `case.test.rows.copy()`, `case.schema.position("age")` and `liar_of_shap.decide(rows)`.

# %% tags=["exercise"]
answer_2 = ...
lesson.check(2, answer_2, within=0.02)

# %% [markdown] tags=["hint"]
# `rows = case.test.rows.copy()`; keep those with `rows[:, place] >= 30`; then `rows[:, place] = 20`; then the mean of `liar_of_shap.decide(rows)`.

# %% tags=["solution"]
place = case.schema.position("age")
rows = case.test.rows[case.test.rows[:, place] >= 30].copy()
rows[:, place] = 20
answer_2 = liar_of_shap.decide(rows).mean()

# %% tags=["wrong"]
# You counted before you changed the age.
answer_2 = liar_of_shap.decide(case.test.rows[case.test.rows[:, case.schema.position("age")] >= 30]).mean()

# %% tags=["wrong"]
# That is our honest net. Ask the liar.
rows = case.test.rows[case.test.rows[:, case.schema.position("age")] >= 30].copy()
rows[:, case.schema.position("age")] = 20
answer_2 = net.decide(rows).mean()

# %% [markdown]
# The lesson of this lesson: **an explanation is testimony, not evidence.** It is worth what the witness is worth. If you have only the explanation, you have nothing. If you can
# ask the model yourself, about people of your choice, you can find out.
#
# ## The road ahead 1: true to the model, or true to the data?
#
# Why does an explainer invent people at all? Because "unknown" has to be filled with something. Instead of anybody's values, one may take values that go *along* with the known
# ones. These are **conditional** Shapley values. No impossible people; but look at the price. Here is a model that reads the length of the loan and nothing else:

# %%
only_length = dlx.wrap(
    lambda table: np.clip(table["duration"].to_numpy(dtype=float) / 80, 0.01, 0.99),
    case,
    name="length only",
    scale="probability",
)
people, many = case.test[:3], case.background(lesson.size(400, small=150))
asked = {"background": many, "scale": "probability"}
shown = {
    "true to the model": dlx.explain(only_length, people, method="shapley", **asked),
    "true to the data": dlx.explain(only_length, people, method="conditional_shapley", route="copula", **asked),
}
share = {
    name: pd.Series(np.abs(one.values).mean(axis=0), index=case.schema.names) / np.abs(one.values).mean(axis=0).sum()
    for name, one in shown.items()
}
lesson.record("amount, true to the data", share["true to the data"]["amount"], within=0.1)
pd.DataFrame(share).loc[["duration", "amount", "purpose", "age"]].round(2)

# %% [markdown]
# The model never sees the amount. Yet, true to the data, the amount gets credit: long loans are large ones, so the amount *tells* something about the prediction. Which one is right?
# "What does the model use?" and "what does this value tell?" are two questions (Chen and others 2020, "True to the model or true to the data?").
#
# Neither is "what would happen if the value changed?". That one is **causal**, and needs to be told which arrow points where (lesson 8). Methods exist (Heskes and others 2020, "Causal
# Shapley values"; Karimi and others 2021 for ways out). They are as good as the arrows that somebody drew.
#
# ## The road ahead 2: examples, concepts, uncertainty
#
# **Examples** need no arithmetic: show the people who are most alike, and what became of them.

# %%
applicant = case.test[case.test.index == 522]
encoder = net.encoder
neighbours = NearestNeighbors(n_neighbors=10).fit(encoder.transform(case.train.rows))
alike = neighbours.kneighbors(encoder.transform(applicant.rows))[1][0]
bad = lesson.record("bad loans among the ten most alike", case.train.outcomes[alike].sum(), within=0)
course.say(
    f"Of the ten training applicants most like 522, **{bad:.0f}** had a bad loan. Everybody understands that sentence. Its weak spot is the word *like*: another way to measure it, other neighbours."
)

# %% [markdown]
# **Concepts** ask whether a net has learned something that a human has a word for ("a steady household"), which no column holds (Kim and others 2018, TCAV). For tables this is young: whoever
# picks the words decides what can be found.
#
# **Uncertainty**: one number with no doubt about it is a claim, too. Six trainings of one model, all as good, say of applicant 522 and of the borderline applicant 966:

# %%
trainings = [dlx.load_model(case, "additive", seed=seed) for seed in range(lesson.size(6, small=3))]
two = case.test[np.isin(case.test.index, [522, 966])]
said = pd.DataFrame(
    {f"training {seed}": model.predict(two, "probability") for seed, model in enumerate(trainings)}, index=two.index
)
threshold = case.schema.target.threshold
course.say(
    "\n".join(
        f"- Applicant {row}: from {line.min():.1%} to {line.max():.1%}; denied by {(line >= threshold).sum()} of {len(line)} trainings."
        for row, line in said.iterrows()
    )
)

# %% [markdown]
# Where equally good models decide differently about one person, no explanation of *one* of them is the reason. (Black and others 2022 call it model multiplicity.)
#
# ## What three laws ask
#
# Only what the texts say. This is no legal advice; look up what is in force where you are.
#
# | text | who | what |
# |---|---|---|
# | Equal Credit Opportunity Act, 15 U.S.C. 1691(a), (d) | creditors in the US | no discrimination on listed grounds; a statement of *specific reasons* for an adverse action |
# | Regulation B, 12 CFR 1002.9(a)(2), (b)(2) | the same | what the notice holds; the *principal* reasons; that a score was too low is not enough |
# | GDPR, Article 22(1), (3) | whoever decides about people by machine alone | no such decision with legal or similar effects, save in listed cases; then a human to turn to, a hearing, a way to contest |
# | GDPR, Articles 13(2)(f), 14(2)(g), 15(1)(h) | the same | *meaningful information about the logic involved*, the significance and the envisaged consequences |
# | Court of Justice, C-203/22 of 27 February 2025, on Article 15(1)(h) | the same | the procedure and principles *actually applied*, concise and intelligible; a complex formula alone is not enough |
# | AI Act (EU) 2024/1689, Annex III, point 5(b) | systems that judge the creditworthiness of people | high-risk, except to detect fraud |
# | AI Act, Articles 10(2)(f), 13, 14 | providers of such systems | data examined for bias; transparency for those who use them; human oversight |
# | AI Act, Article 86 | those who use them to decide about people | *clear and meaningful explanations of the role of the AI system* in the decision and its *main elements* |
#
# No text in this table names SHAP, LIME or any other method. Whether a list of contributions is enough is for a court to say, not for a library.
#
# ## What to do on Monday
#
# 1. **Ask whether you need the black box.** `dlx report` says what it gains, with an interval. In both cases of this course: nothing beyond chance.
# 2. **Ask for the model, not for its explanations.** Change the protected column for real people, and count.
# 3. **Write down unit, background and method** next to every explanation. Refuse those that come without.
# 4. **Compare with whom?** Decide once, for everybody, and say it in the letter.
# 5. **Give every number an interval**, or don't print it.
# 6. **Look for consequences**: go through the columns with somebody who knows when each was written down.
# 7. **Search for weak spots on some people, test on others.** Keep what did not work in the file.
# 8. **Leave a human a way to say no**, and count how often it is used.

# %% [markdown]
# ## When not to believe this
#
# - **The flip of one column finds this kind of liar.** A model can use stand-ins instead: nothing flips, and the young are denied all the same. Look at rates by group as well (lesson 7).
# - **A changed value may be odd, too.** Aged 20 with fifteen years in one job: then the detector wakes up. Flip to values that fit.
# - **That nothing was found is no proof.** Each test finds what it looks for.
# - **Laws change.** The table says what the texts said when this was written.

# %% [markdown]
# ### Exercise 3 (reading the figure)
# Look at the bars of Kernel SHAP for the young applicant. Age is not among the three longest. Which sentence is true?
#
# - **a** The model doesn't use age for this applicant.
# - **b** Kernel SHAP has computed something wrongly.
# - **c** On the mixtures that Kernel SHAP asked about, other columns changed more; about real people the figure says nothing.
# - **d** With more samples, age would come first.

# %% tags=["exercise"]
answer_3 = ...  # "a", "b", "c" or "d"
lesson.check(3, answer_3)

# %% [markdown] tags=["hint"]
# Which rows did the explainer ask the model about? How many of them are real people?

# %% tags=["solution"]
answer_3 = "c"

# %% tags=["wrong"]
# You saw the recipe: about real people it uses nothing else.
answer_3 = "a"

# %% tags=["wrong"]
# The arithmetic is right, as it was on your sheet. The questions were about people who don't exist.
answer_3 = "b"

# %% tags=["wrong"]
# More samples are more mixtures. The liar answers all of them the same way.
answer_3 = "d"

# %% [markdown]
# ## Where to read on
#
# - Molnar, *Interpretable Machine Learning*: each method, its strengths and weaknesses, free to read.
# - Rudin (2019), "Stop explaining black box machine learning models for high stakes decisions": why one should try a model that can be read first.
# - Slack and others (2020), "Fooling LIME and SHAP": the liar of this lesson.
# - Krishna and others (2022), "The disagreement problem in explainable machine learning": what people do when methods disagree.
# - Kumar and others (2020), "Problems with Shapley-value-based explanations": what a Shapley value is not.
#
# **In one sentence**: an explanation is an answer to a question about a model; know the question, know who answers, and keep a test that doesn't ask the witness.
#
# `dlx serve bank_loan`, with `#person=522&model=mlp&method=conditional_shapley` added to the address of the page that opens, shows the values that are true to the data.
#
# You are through. `dlx report your_table.csv --target your_column` starts the same journey with your data.
