"""The modules of the interface as one script, by a rule."""

from __future__ import annotations

import pytest

from dlx.workbench.joining import IN_PAGE, SERVED, joined


def modules(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "main.js"


def test_what_is_imported_stands_first_and_once(tmp_path):
    main = modules(
        tmp_path,
        main='import { a } from "./a.js";\nimport { b } from "./b.js";\na(b);\n',
        a='import { b } from "./b.js";\nexport function a(x) {\n  return x + b;\n}\n',
        b="export const b = 1;\n",
    )
    text = joined(main)
    assert text.count("const b = 1;") == 1 and text.index("const b") < text.index("function a") < text.index("a(b);")
    assert "import" not in text and "export" not in text


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"main": 'import { a } from "./a.js";\nconst a2 = 1;\n', "a": "export const a = 1;\nconst a2 = 2;\n"}, "declares a2"),
        (
            {"main": 'import { a } from "./a.js";\n', "a": 'import { b } from "./main.js";\nexport const a = 1;\n'},
            "imports itself",
        ),
        ({"main": 'import a from "./a.js";\n', "a": "export const a = 1;\n"}, "no import or export of the rule"),
        ({"main": "export default 1;\n"}, "no import or export of the rule"),
    ],
)
def test_what_breaks_the_rule_is_named(tmp_path, texts, said):
    with pytest.raises(ValueError, match=said):
        joined(modules(tmp_path, **texts))


def test_the_interface_keeps_the_rule_and_the_page_its_limits():
    for entry, none_of in ((IN_PAGE, ("fetch(", "XMLHttp")), (SERVED, ())):
        text = joined(entry)
        assert "</script" not in text.lower()  # or the page ends there
        assert not [word for word in ("eval(", "new Function", "WebAssembly", "localStorage", *none_of) if word in text]
