"""DAG files say when, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((PROJECT / "dags").glob("*.py"))
PLUGIN_FILES = sorted((PROJECT / "plugins").rglob("*.py"))
INCLUDE_FILES = sorted((PROJECT / "include").rglob("*.py"))
_LOOKUPS = {"Variable", "Connection", "connect", "boto3", "psycopg", "now", "today", "utcnow"}


def test_there_is_something_to_look_at():
    assert DAG_FILES
    assert PLUGIN_FILES
    assert INCLUDE_FILES


def test_each_dag_file_holds_one_dag_with_the_file_s_name(dag_bag):
    found = {(Path(dag.fileloc).stem, dag_id) for dag_id, dag in dag_bag.dags.items()}
    assert found == {(file.stem, file.stem) for file in DAG_FILES}


@pytest.mark.parametrize("file", [*DAG_FILES, *PLUGIN_FILES], ids=lambda file: file.stem)
def test_a_task_is_at_most_three_statements(file: Path):
    too_long = [function.name for function in _tasks(file) if _statements(function) > 3]
    assert too_long == []


@pytest.mark.parametrize("file", INCLUDE_FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_include_never_imports_airflow(file: Path):
    assert not [name for name in _imports(file) if name.split(".")[0] in ("airflow", "plumbline_airflow")]


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_calls_nothing_while_it_is_parsed_but_airflow_and_our_tasks(file: Path):
    named = {node.id for node in ast.walk(_tree(file)) if isinstance(node, ast.Name)}
    assert not named & _LOOKUPS


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_imports_only_airflow_and_our_plugin(file: Path):
    assert {name.split(".")[0] for name in _imports(file)} <= {"airflow", "plumbline_airflow", "__future__"}


def test_parsing_the_dags_imports_nothing_heavy(project: Path):
    import subprocess
    import sys

    script = "import sys; sys.path[:0] = ['plugins', '.']; from plumbline_airflow import steps, tiering, extract; "
    script += "print([m for m in ('pandas', 'great_expectations', 'boto3', 'psycopg', 'pyarrow') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=project, check=True)
    assert shown.stdout.strip().splitlines()[-1] == "[]"


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _tasks(file: Path) -> list[ast.FunctionDef]:
    functions = [node for node in ast.walk(_tree(file)) if isinstance(node, ast.FunctionDef)]
    return [
        f for f in functions if any(ast.unparse(d).split("(")[0] in ("task", "task.sensor") for d in f.decorator_list)
    ]


def _statements(function: ast.FunctionDef) -> int:
    """Statements of a task's body, nested ones too; its docstring and its imports are not work."""
    nodes = [node for inner in function.body for node in ast.walk(inner) if isinstance(node, ast.stmt)]
    is_doc = [isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in nodes]
    return sum(
        not doc and not isinstance(node, (ast.Import, ast.ImportFrom)) for node, doc in zip(nodes, is_doc, strict=True)
    )


def _imports(file: Path) -> list[str]:
    nodes = list(ast.walk(_tree(file)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
