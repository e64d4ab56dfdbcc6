"""The other side of `against_explainerdashboard.py`: the What if tab, served, or the export."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from explainerdashboard import ClassifierExplainer, ExplainerDashboard

LEFT_OUT = ("importances", "model_summary", "contributions", "shap_dependence", "shap_interaction", "decision_trees")

folder, port = Path(sys.argv[1]), int(sys.argv[2])
sys.path.insert(0, str(folder))
from boosted import model  # noqa: E402

rows = pd.read_csv(folder / "test.csv")
explainer = ClassifierExplainer(model, rows.drop(columns="outcome"), rows["outcome"], labels=["good", "bad"])
if port:
    dashboard = ExplainerDashboard(explainer, title="theirs", **dict.fromkeys(LEFT_OUT, False))
    dashboard.run(port=port, host="127.0.0.1", use_waitress=True)
else:  # the export has no What if tab
    dashboard = ExplainerDashboard(explainer, title="theirs", shap_interaction=False)
    (folder / "theirs.html").write_text(dashboard.to_html(), encoding="utf-8")
