"""Generated tables with known flaws: HELOC-like, mortgage-like, clinic-like, shop-like; nothing here imports the data check.

Sound columns are awkward on purpose. A flaw is as mild or as plain as chance draws it, and says
how severe it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Rng = np.random.Generator
ENOUGH_EVENTS = 145  # of which a fifth, 29, are among the test rows
FEWEST_OF_A_LEVEL = 3  # rows of any level of a sound category


@dataclass
class Flawed:
    """A table, and what is wrong with which of its columns."""

    frame: pd.DataFrame
    target: str
    flaws: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)  # kind, columns, severity

    @property
    def touched(self) -> set[str]:
        """The columns that any flaw is about."""
        return {name for _, columns, _ in self.flaws for name in columns}

    def add(self, name: str, values: object, rng: Rng, place: int | None = None) -> str:
        """Put in a column somewhere before the last, and return its name."""
        at = int(rng.integers(1, self.frame.shape[1])) if place is None else place
        self.frame.insert(at, name, values)
        return name


# Sound columns


def normal(rng: Rng, n: int, mean: float, sd: float, low: float, high: float, digits: int = 0) -> np.ndarray:
    return np.clip(rng.normal(mean, sd, n), low, high).round(digits)


def skewed(rng: Rng, n: int, median: float, sigma: float, digits: int = 0) -> np.ndarray:
    return (median * np.exp(sigma * rng.normal(size=n))).round(digits)


def pareto(rng: Rng, n: int, least: float, alpha: float, digits: int = 2) -> np.ndarray:
    return (least * (1 + rng.pareto(alpha, n))).round(digits)


def inflated(rng: Rng, amounts: np.ndarray, share: float) -> np.ndarray:
    return np.where(rng.random(len(amounts)) < share, 0, amounts)


def levels(rng: Rng, n: int, names: list[str], shares: list[float]) -> np.ndarray:
    """Return levels of which none is rarer than a few rows."""
    shares = np.array(shares) / np.sum(shares)
    drawn = rng.choice(len(names), n, p=shares)
    for level in range(len(names)):
        short = FEWEST_OF_A_LEVEL - (drawn == level).sum()
        if short > 0:
            drawn[rng.choice(np.flatnonzero(drawn == shares.argmax()), short, replace=False)] = level
    return np.array(names)[drawn]


def zipf(rng: Rng, n: int, stem: str, count: int) -> np.ndarray:
    return levels(rng, n, [f"{stem} {i}" for i in range(count)], (1 / np.arange(1, count + 1)).tolist())


def heloc(rng: Rng, n: int) -> dict[str, np.ndarray]:
    risk = rng.normal(size=n)
    paid = np.clip(100 - inflated(rng, rng.exponential(12, n), 0.5), 0, 100).round()
    return {
        "RiskEstimate": np.clip(72 + 10 * risk, 33, 94).round(),
        "MonthsSinceOldestTrade": np.clip(rng.gamma(4, 50, n), 2, None).round(),
        "AverageMonthsInFile": np.clip(rng.normal(78, 30, n), 4, None).round(),
        "NumSatisfactoryTrades": rng.negative_binomial(4, 0.16, n).astype(float),
        "PercentTradesNeverDelq": paid,
        "MaxDelqEver": np.array([2, 3, 4, 5, 6, 7, 8.0])[rng.choice(7, n, p=[0.02, 0.05, 0.05, 0.08, 0.2, 0.1, 0.5])],
        "NumTotalTrades": rng.poisson(80, n).astype(float),  # 99 occurs naturally
        "NumInqLast6M": rng.geometric(0.45, n) - 1.0,
        "UtilisationPercent": np.clip(skewed(rng, n, 30, 0.9), 0, None),
        "InstallBurden": pareto(rng, n, 4, 1.7, 1),
        "RevolvingBalance": skewed(rng, n, 4_000, 1.3),
        "HasMortgage": (rng.random(n) < 0.4).astype(int),
        "SecondScore": (600 + 60 * (0.9 * risk + np.sqrt(1 - 0.81) * rng.normal(size=n))).round(),  # correlated at .9
    }


def mortgage(rng: Rng, n: int) -> dict[str, np.ndarray]:
    income = np.where(rng.random(n) < 0.03, pareto(rng, n, 250, 1.2), skewed(rng, n, 70, 0.55)).round()  # real millionaires
    value = skewed(rng, n, 280, 0.5)
    return {
        "loan_amount": (value * np.clip(rng.normal(0.7, 0.2, n), 0.1, 1.0)).round() * 1000,
        "property_value": value * 1000,
        "income": income * 1000,
        "dti": np.clip(rng.normal(36, 9, n), 3, 80).round(1),
        "term_months": levels(rng, n, ["120", "180", "240", "300", "360"], [1, 6, 4, 3, 60]).astype(float),
        "applicant_age": (5 * np.round(np.clip(rng.normal(45, 13, n), 20, 85) / 5)),  # rounded
        "year": rng.integers(2016, 2024, n).astype(float),
        "rate": np.clip(rng.normal(4.1, 0.8, n), 1.5, 9).round(3),
        "co_applicant": (rng.random(n) < 0.45).astype(int),
        "male": (rng.random(n) < 0.6).astype(int),
        "property_type": levels(rng, n, ["single family", "condo", "manufactured", "multi"], [80, 15, 4, 1]),
        "county": zipf(rng, n, "county", 30),
        "second_lien": inflated(rng, skewed(rng, n, 40_000, 0.8), 0.85),
        "units": 1 + rng.binomial(3, 0.06, n).astype(float),
    }


def clinic(rng: Rng, n: int) -> dict[str, np.ndarray]:
    age = np.clip(rng.normal(58, 17, n), 18, 96).round()
    pressure = normal(rng, n, 132, 18, 80, 230)
    smokes = rng.random(n) < 0.25
    hospital_stay = rng.negative_binomial(2, 0.3, n) + 1.0
    return {
        "age": age,
        "sex": levels(rng, n, ["F", "M"], [52, 48]),
        "bmi": np.clip(20 + rng.gamma(4, 2, n), 14, 62).round(1),
        "systolic": pressure,
        "diastolic": (30 + 0.4 * pressure + rng.normal(0, 7, n)).round(),
        "cholesterol": normal(rng, n, 205, 40, 90, 420),
        "creatinine": np.clip(skewed(rng, n, 0.95, 0.3, 2), 0.3, None),
        "crp": skewed(rng, n, 3, 1.4, 1),
        "pain": np.clip(1 + rng.geometric(0.35, n) - 1, 1, 10).astype(float),  # 1 to 10, piled at an end
        "cigarettes": np.where(smokes, 5 * rng.integers(1, 9, n), 0).astype(float),
        "pack_years": np.where(smokes, rng.gamma(2, 10, n).round(), np.nan),
        "days_in_hospital": hospital_stay,
        "visits": rng.poisson(4, n).astype(float),
        "insurance": levels(rng, n, ["public", "private", "none", "other"], [60, 30, 9, 1]),
        "diabetes": (rng.random(n) < 0.13).astype(int),
        "hemoglobin": np.where(rng.random(n) < 0.3, np.nan, normal(rng, n, 13.7, 1.6, 7, 19, 1)),
    }


def shop(rng: Rng, n: int) -> dict[str, np.ndarray]:
    prices = np.array([4.99, 9.99, 14.99, 19.99, 29.99, 49, 79, 99, 149, 199, 299, 499, 999])
    spend = pareto(rng, n, 12, 1.5)
    return {
        "price": prices[rng.choice(13, n, p=np.array([9, 12, 10, 12, 9, 9, 8, 9, 7, 6, 4, 3, 2]) / 100)],
        "quantity": rng.geometric(0.6, n).astype(float),
        "discount": inflated(rng, rng.choice([5, 10, 15, 20, 30, 50], n), 0.7).astype(float),
        "basket": spend,
        "stars": np.array([1, 2, 3, 4, 5.0])[rng.choice(5, n, p=[0.06, 0.04, 0.08, 0.22, 0.6])],
        "satisfaction": np.clip(11 - rng.geometric(0.4, n), 1, 10).astype(float),  # piled at 10
        "items_viewed": rng.poisson(90, n).astype(float),
        "days_since_signup": rng.integers(0, 3_000, n).astype(float),
        "hour": np.clip(rng.normal(15, 5, n).round(), 0, 23),
        "channel": levels(rng, n, ["web", "app", "store", "phone"], [50, 40, 9, 1]),
        "country": zipf(rng, n, "country", 25),
        "returning": (rng.random(n) < 0.55).astype(int),
        "spend_last_year": inflated(rng, skewed(rng, n, 300, 1.1, 2), 0.35),
        "temperature": rng.normal(8, 9, n).round(1),  # of either sign
        "margin": rng.normal(12, 20, n).round(2),
    }


def awkward(rng: Rng, n: int) -> dict[str, np.ndarray]:
    """Return some columns that look odd and are not, of any table."""
    age, hours = np.clip(rng.normal(60, 20, n).round(), 18, 90), np.clip(rng.normal(38, 8, n), 10, 70).round()
    columns = {
        "agreement": rng.choice([-2, -1, 0, 1, 2], n, p=[0.05, 0.1, 0.2, 0.4, 0.25]).astype(float),
        "age_cut_at_90": age,
        "percentile": rng.integers(0, 100, n).astype(float),
        "percentile_piled": np.clip(rng.normal(75, 25, n).round(), 0, 99),
        "weekly_hours": inflated(rng, hours, 0.03),
        "bedrooms": np.clip(rng.poisson(2.6, n), 1, 9).astype(float),
        "children": np.minimum(rng.negative_binomial(2, 0.6, n), 9).astype(float),
        "change_of_grade": (rng.poisson(3, n) - 1).astype(float),
        "zip": rng.integers(10_000, 99_999, max(12, n // 40))[rng.integers(0, max(12, n // 40), n)].astype(float),
        "latitude": rng.normal(48, 2, n).round(5),
        "cents": rng.integers(100, 100_000, n).astype(float),
        "scale_of_seven": np.array([1, 2, 3, 4, 5, 6, 7.0])[rng.choice(7, n, p=[0.02, 0.02, 0.04, 0.07, 0.15, 0.25, 0.45])],
        "scale_of_nine": np.clip(rng.normal(7, 2, n).round(), 1, 9),
        "rare_event": np.where(np.arange(n) < 8, 1, rng.random(n) < 0.02)[rng.permutation(n)].astype(int),
        "payment": inflated(rng, rng.uniform(50, 900, n).round(2), 0.4),
        "profit": (rng.standard_t(3, n) * 900).round(),
        "tickets": rng.negative_binomial(0.4, 0.02, n).astype(float),  # mean 20, up to some hundreds
        "rating_missing_often": np.where(rng.random(n) < 0.8, np.nan, rng.integers(1, 6, n)),
        "months_paid": np.clip(rng.normal(48, 20, n).round(), 0, 96),
        "share_of_income": rng.beta(2, 30, n).round(4),
        "lifetime_value": skewed(rng, n, 900, 1.8, 2),
        "steps": rng.choice([500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000], n).astype(float),
    }
    return {name: columns[name] for name in rng.choice(list(columns), 5, replace=False)}


TABLES: tuple[Callable[[Rng, int], dict[str, np.ndarray]], ...] = (heloc, mortgage, clinic, shop)


def sound_table(rng: Rng, kind: int, n: int) -> Flawed:
    """Return a table without flaws, and an outcome that its numbers foretell as well as honest ones do: AUC .7 to .9."""
    columns = TABLES[kind](rng, n) | awkward(rng, n)
    numbers = [np.nan_to_num(np.argsort(np.argsort(c)) / n) for c in columns.values() if c.dtype.kind == "f"]
    score = sum(rng.normal() * (c - c.mean()) / c.std() for c in numbers[:6])
    risk = score / np.std(score) + rng.normal(0, rng.uniform(0.5, 1.5), n)
    made = Flawed(pd.DataFrame(columns), "outcome")
    made.frame["outcome"] = np.where(risk > np.quantile(risk, rng.uniform(0.55, 0.9)), "yes", "no")
    if rng.random() < 0.4:  # strong, but honest: AUC .9
        made.add("bureau_score", _telling(rng, made, 0.9), rng)
    return made


def _telling(rng: Rng, table: Flawed, auc: float) -> np.ndarray:
    """Return numbers whose area under the ROC curve is about so large."""
    from scipy.stats import norm

    apart = np.sqrt(2) * norm.ppf(auc)
    return (500 + 80 * (rng.normal(size=len(table.frame)) + apart * (table.frame["outcome"] == "yes"))).round(1).to_numpy()


# Flaws: each puts itself into a table, and says how severe it is


def an_id(rng: Rng, table: Flawed) -> None:
    n, which = len(table.frame), int(rng.integers(6))
    names = ["loan_id", "customer_no", "PatientKey", "account", "reference", "patient_id"]
    values = [
        rng.permutation(n) + 100_000,  # a run without gaps, in any order
        rng.choice(10 * n, n, replace=True),  # one in ten or so drawn twice: the name says what it is
        [f"P{code:07d}" for code in rng.choice(9_999_999, n, replace=False)],
        rng.choice(90_000_000, n, replace=False) + 10_000_000,  # evenly spread, and no name that says so
        np.cumsum(rng.integers(1, 40, n)) + 5_000_000,  # in order, with gaps
        rng.permutation(np.repeat(np.arange(n), int(rng.integers(2, 9)))[:n]) + 1_000,  # two to eight rows each
    ][which]
    table.flaws.append(("id", (table.add(names[which], values, rng),), names[which]))


def an_index(rng: Rng, table: Flawed) -> None:
    n, kept = len(table.frame), rng.uniform(0.5, 1)
    is_whole = rng.random() < 0.5
    values = np.arange(n) + int(rng.integers(2)) if is_whole else np.sort(rng.choice(int(n / kept) + 1, n, replace=False))
    table.flaws.append(("index", (table.add("Unnamed: 0", values, rng, 0),), "whole" if is_whole else f"{kept:.0%} kept"))


def a_constant(rng: Rng, table: Flawed) -> None:
    n, others = len(table.frame), int(rng.integers(0, 4))
    number = rng.random() < 0.5
    values = np.full(n, 1.0 if number else "EUR", dtype=object)
    values[rng.choice(n, others, replace=False)] = 2.0 if number else "USD"
    table.flaws.append(("constant", (table.add("batch", values, rng),), f"{others} others"))


def free_text(rng: Rng, table: Flawed) -> None:
    n, own, blank = len(table.frame), rng.uniform(0.2, 1), rng.random() < 0.5
    words = np.array(["the", "client", "asked", "for", "a", "call", "back", "late", "payment", "moved", "wants", "paper", "no"])
    said = [" ".join(rng.choice(words, int(rng.integers(3, 12)))) for _ in range(n)]
    stock = ["no further comment made", "see the earlier note", "called and left a message"]
    told = np.where(rng.random(n) < own, said, rng.choice(stock, n)).astype(object)
    if blank:
        told[rng.random(n) < 0.4] = None
    table.flaws.append(("text", (table.add("comment", told, rng),), f"{own:.0%} written by hand, some blank: {blank}"))


def a_source(rng: Rng, table: Flawed, *, distinct: int = 15) -> str:
    """Return a column of numbers that vary, and that no flaw is about yet."""
    numbers = [c for c in table.frame.columns[:-1] if table.frame[c].dtype.kind == "f" and c not in table.touched]
    return str(rng.choice([c for c in numbers if table.frame[c].nunique() >= distinct and c != "bureau_score"]))


def a_copy(rng: Rng, table: Flawed) -> None:
    source = a_source(rng, table)
    column, which = table.frame[source], int(rng.integers(4))
    values = [column, column * 1.8 + 32, -column, column.rank(method="dense")][which]
    table.flaws.append(("copy", (source, table.add(f"{source}_2", values, rng)), ("same", "other unit", "sign", "rank")[which]))


def a_near_copy(rng: Rng, table: Flawed) -> None:
    source, r = a_source(rng, table, distinct=20), rng.uniform(0.97, 0.999)
    rank = table.frame[source].rank().to_numpy()
    scaled = (rank - np.nanmean(rank)) / np.nanstd(rank)
    values = 50 + 10 * (r * scaled + np.sqrt(1 - r**2) * rng.normal(size=len(rank)))
    table.flaws.append(("near copy", (source, table.add(f"{source}_est", values.round(3), rng)), f"r = {r:.3f}"))


def nearly(rng: Rng, table: Flawed) -> tuple[np.ndarray, str]:
    """Return the outcome, but for a few rows: its area under the ROC curve is .985 to 1."""
    is_event = (table.frame["outcome"] == "yes").to_numpy()
    wrong = rng.random(len(is_event)) < rng.uniform(0, 0.02)
    while (area := 1 - (wrong[is_event].mean() + wrong[~is_event].mean()) / 2) < 0.985:
        wrong &= rng.random(len(wrong)) < 0.8
    return is_event ^ wrong, f"AUC {area:.3f}"


def a_leak(rng: Rng, table: Flawed) -> None:
    n, which, (seen, severity) = len(table.frame), int(rng.integers(3)), nearly(rng, table)
    values = [
        np.where(seen, 1, 0),
        np.where(seen, rng.choice(["fraud", "arrears", "loss"], n), None),  # a reason, where there is one
        np.where(seen, skewed(rng, n, 900, 0.5), inflated(rng, skewed(rng, n, 20, 0.5), 0.9)),  # written off
    ][which]
    name = table.add("closing", values, rng)
    table.flaws.append(("leak", (name,), f"{('flag', 'reason', 'amount')[which]}, {severity}"))


def a_leaking_pair(rng: Rng, table: Flawed) -> None:
    n, which, (is_event, severity) = len(table.frame), int(rng.integers(3)), nearly(rng, table)
    due, a_flag = skewed(rng, n, 400, 0.7, 2), rng.random(n) < 0.5
    short = np.where(is_event, rng.uniform(0.3, 0.95, n), rng.uniform(1.0, 1.2, n))
    equal = np.where(is_event, np.round(due * rng.uniform(0.2, 0.97, n), 2), due)
    one, other = [(due, (due * short).round(2)), (due, equal), (a_flag * 1, (a_flag ^ is_event) * 1)][which]
    names = (table.add("due", one, rng), table.add("paid", other, rng))
    table.flaws.append(("leaking pair", names, f"{('less', 'not equal', 'either')[which]}, {severity}"))


def a_code(rng: Rng, table: Flawed) -> None:
    source = a_source(rng, table, distinct=5)
    column = table.frame[source].to_numpy(dtype=float).copy()
    low, high = np.nanmin(column), np.nanmax(column)
    nines = [9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 99999999.0]
    choices = [[min(x for x in nines if x >= high + max(3, 0.15 * (high - low)))]]
    if low >= 0:
        choices += [[-9.0], [-9.0, -8.0, -7.0], [-99.0], [-999.0]]
    if low > 0.5 * (high - low):
        choices.append([0.0])
    codes, share = choices[int(rng.integers(len(choices)))], np.exp(rng.uniform(np.log(0.01), np.log(0.2)))
    where = rng.choice(len(column), max(3 * len(codes), int(share * len(column))), replace=False)
    column[where] = np.resize(codes, len(where))
    table.frame[source] = column
    table.flaws.append(("special code", (source,), f"{codes} in {len(where)} of {len(column)} rows of {low:g} to {high:g}"))


def a_placeholder(rng: Rng, table: Flawed) -> None:
    n = len(table.frame)
    days = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3_000, n), unit="D")
    texts, count = days.strftime("%Y-%m-%d").to_numpy(dtype=object), int(rng.integers(3, n // 10))
    code = str(rng.choice(["1900-01-01", "1970-01-01", "9999-12-31"]))
    texts[rng.choice(n, count, replace=False)] = code
    table.flaws.append(("special code", (table.add("opened", texts, rng),), f"{code} in {count} of {n} rows"))


LIGHT = ("RiskEstimate", "AverageMonthsInFile", "NumTotalTrades", "SecondScore", "dti", "rate", "applicant_age")
LIGHT += ("age", "systolic", "cholesterol", "diastolic", "items_viewed", "temperature", "year", "margin", "visits")


def a_far_cell(rng: Rng, table: Flawed) -> None:
    names = [c for c in LIGHT if c in table.frame and c not in table.touched]
    source, times = str(rng.choice(names)), np.exp(rng.uniform(np.log(6), np.log(1_000)))
    column, count = table.frame[source].to_numpy(dtype=float).copy(), int(rng.integers(1, 3))
    middle, high = np.nanmedian(column), np.nanmax(column)
    far = np.round(middle + times * (high - middle) * rng.uniform(1, 1.3, count))
    column[rng.choice(len(column), count, replace=False)] = far
    table.frame[source] = column
    table.flaws.append(("far cell", (source,), f"{count} cells {times:.0f} times as far as the largest"))


def repeats(rng: Rng, table: Flawed) -> None:
    n = len(table.frame)
    count = int(rng.integers(2, max(3, n // 10)))
    again = table.frame.iloc[rng.choice(n, count, replace=False)]
    order = rng.permutation(n + count)
    table.frame = pd.concat([table.frame, again], ignore_index=True).iloc[order].reset_index(drop=True)
    table.flaws.append(("duplicate rows", (), f"{count} of {n + count} rows"))


def a_lone_level(rng: Rng, table: Flawed) -> None:
    count = int(rng.integers(1, 4))
    drawn = levels(rng, len(table.frame), ["north", "south", "east", "west"], [4, 3, 2, 1]).astype(object)
    drawn[rng.choice(len(drawn), count, replace=False)] = [f"branch {i}" for i in range(count)]
    table.flaws.append(("level seen once", (table.add("region", drawn, rng),), f"{count} levels"))


ALTERED = (a_code, a_far_cell)  # before what copies a column
ADDED = (an_id, a_constant, free_text, a_copy, a_near_copy, a_leak, a_leaking_pair, a_placeholder, a_lone_level)


def flawed_table(seed: int) -> Flawed:
    """Return a table of a few hundred to some thousand rows with three to six flaws of different sorts."""
    rng = np.random.default_rng(seed)
    n = int(np.exp(rng.uniform(np.log(300), np.log(2_500))))
    table = sound_table(rng, seed % len(TABLES), n)
    if rng.random() < 0.15:
        few_events(rng, table)
    chosen = rng.choice(len(ADDED), int(rng.integers(2, 5)), replace=False)
    flaws = [*[flaw for flaw in ALTERED if rng.random() < 0.5], *[ADDED[i] for i in sorted(chosen)]]
    for flaw in flaws:
        flaw(rng, table)
    if rng.random() < 0.3 and "level seen once" not in {kind for kind, _, _ in table.flaws}:
        repeats(rng, table)
    if rng.random() < 0.3:
        an_index(rng, table)
    if (count := int((table.frame["outcome"] == "yes").sum())) < ENOUGH_EVENTS:
        table.flaws.append(("few events", ("outcome",), f"{count} events"))
    return table


def few_events(rng: Rng, table: Flawed) -> None:
    count = int(rng.integers(8, 60))  # of which a fifth are in the test rows
    events = np.flatnonzero(table.frame["outcome"] == "yes")
    table.frame.loc[rng.permutation(events)[count:], "outcome"] = "no"


def shifted_table(seed: int) -> Flawed:
    """Return a table of months in which a number and a level became other ones in the last fifth, to be split by month."""
    rng = np.random.default_rng(seed)
    n = int(np.exp(rng.uniform(np.log(600), np.log(2_500))))
    table = sound_table(rng, seed % len(TABLES), n)
    is_late, far, more = np.arange(n) >= 0.8 * n, rng.uniform(0.5, 2), rng.uniform(0.2, 0.5)
    table.frame.insert(0, "month", np.arange(n) * 25 // n)
    number = table.add("rate_index", (rng.normal(size=n) + far * is_late).round(2), rng)
    level = table.add("office", np.where(rng.random(n) < 0.3 + more * is_late, "online", "branch"), rng)
    table.flaws = [("shift", (number,), f"{far:.1f} standard deviations"), ("shift", (level,), f"{more:.0%} more online")]
    return table
