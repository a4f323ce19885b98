"""Security smells: code that deserves a second look by someone who knows its input.

A smell is no proof. The rules look at one expression and the imports above it, and follow no data.
"""

import ast
import re
from collections.abc import Iterator

from examples.codebase_analysis.facts import Rule
from examples.codebase_analysis.sources import is_test
from examples.codebase_analysis.walk import Checks, Hit, Scope, Source

RULES: dict[str, Rule] = {
    "dynamic-code": Rule(
        "eval or exec", "high", "Runs whatever text it is given, with all rights of the process."
    ),
    "shell": Rule(
        "Command through a shell",
        "high",
        "A file name or an argument with a semicolon becomes a command of its own.",
    ),
    "unsafe-load": Rule(
        "Loading that can execute code",
        "high",
        "pickle, marshal and full YAML build any object; data from outside can run code.",
    ),
    "hard-coded-secret": Rule(
        "Secret in the source", "high", "Everyone with the code has it, and it cannot be rotated."
    ),
    "sql-from-text": Rule(
        "SQL put together from text", "high", "A value with a quote in it changes the statement."
    ),
    "no-tls-check": Rule(
        "TLS without verification", "high", "Anyone on the way can read and change the traffic."
    ),
    "weak-hash": Rule(
        "Weak hash",
        "medium",
        "MD5 and SHA-1 can be forged; say usedforsecurity=False if that does not matter.",
    ),
    "race-in-temp": Rule(
        "Temporary name without a file",
        "medium",
        "Between the name and the file someone else can create it; use mkstemp.",
    ),
    "checking-assert": Rule(
        "assert checks an argument", "low", "Python -O removes the check; raise an error instead."
    ),
}

EVALUATORS = {"eval", "exec", "builtins.eval", "builtins.exec"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
LOADERS = {
    f"{module}.{name}"
    for module in ("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "jsonpickle")
    for name in ("load", "loads", "Unpickler", "decode")
} | {"shelve.open", "joblib.load", "pandas.read_pickle", "yaml.unsafe_load"}
SAFE_YAML = {"SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader"}
WEAK_HASHES = {"md5", "sha1", "md4"}
HTTP_CLIENTS = {"requests", "httpx", "aiohttp", "urllib3"}
HTTP_VERBS = {"get", "post", "put", "patch", "delete", "head", "request"}
NO_TLS_CHECK = {"ssl._create_unverified_context", "ssl._create_stdlib_context"}

SQL = re.compile(
    r"\s*(?:SELECT\b.+\bFROM\b|select\b.+\bfrom\b|(?i:INSERT\s+INTO|REPLACE\s+INTO|DELETE\s+FROM)\b"
    r"|UPDATE\b.+\bSET\b|update\b.+\bset\b"
    r"|(?i:CREATE|DROP|ALTER)\s+(?i:TABLE|INDEX|VIEW|DATABASE|ROLE|USER)\b)",
    re.DOTALL,
)
PASSWORD = re.compile(r"(?:^|_)(?:password|passwd|pwd|passphrase|secret)$", re.IGNORECASE)
KEY = re.compile(
    r"(?:^|_)(?:api_?key|access_?key|secret_?key|private_?key|auth_?token|token)$", re.IGNORECASE
)
PLACEHOLDER = re.compile(r"[<{$%*.]|^(?:x+|none|null|true|false|change_?me|password|secret)$", re.I)
# Keys whose maker can be told from their form, wherever they stand in a file.
KNOWN_KEY = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk_live_[A-Za-z0-9]{20,}|"
    r"xox[abp]-[0-9A-Za-z-]{20,})\b|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)
KEY_MARKS = ("AKIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "sk_live_", "xox", "PRIVATE KEY-----")
LITERAL = re.compile(r"""(["'])(.{0,2})((?:\\.|(?!\1).)*)\1""")


def mask(code: str) -> str:
    """Hides all but two letters of every literal: a report must not spread what it found."""
    return KNOWN_KEY.sub("…", LITERAL.sub(r"\1\2…\1", code))


def _call(node: ast.Call, source: Source, _scope: Scope) -> Iterator[Hit]:
    function = node.func
    name = source.origin(function)
    if name in EVALUATORS:
        yield "dynamic-code", node.lineno, name.removeprefix("builtins.")
    elif name in SHELLS:
        yield "shell", node.lineno, name
    elif name in LOADERS:
        yield "unsafe-load", node.lineno, name
    elif name in ("yaml.load", "yaml.load_all") and not _loads_safely(node):
        yield "unsafe-load", node.lineno, f"{name} without SafeLoader"
    elif name in ("tempfile.mktemp", "os.tempnam", "os.tmpnam"):
        yield "race-in-temp", node.lineno, name
    elif name in NO_TLS_CHECK:
        yield "no-tls-check", node.lineno, name
    elif name.startswith("hashlib.") and (weak := _weak_hash(node, name)):
        yield "weak-hash", node.lineno, weak
    elif _formats_sql(function):
        yield "sql-from-text", node.lineno, "str.format"
    for keyword in node.keywords:
        yield from _keyword(keyword, name)


def _keyword(keyword: ast.keyword, function: str) -> Iterator[Hit]:
    value = keyword.value
    if not keyword.arg or not isinstance(value, ast.Constant):
        return
    if keyword.arg == "shell" and value.value is True:
        yield "shell", value.lineno, "shell=True"
    elif keyword.arg in ("verify", "verify_ssl", "ssl") and value.value is False:
        if function.partition(".")[0] in HTTP_CLIENTS or function.rpartition(".")[2] in HTTP_VERBS:
            yield "no-tls-check", value.lineno, f"{keyword.arg}=False"
    elif _is_secret(keyword.arg, value.value):
        yield "hard-coded-secret", value.lineno, keyword.arg


def _assign(node: ast.Assign, source: Source, _scope: Scope) -> Iterator[Hit]:
    for target in node.targets:
        yield from _assigned(target, node.value, source)


def _assign_typed(node: ast.AnnAssign, source: Source, _scope: Scope) -> Iterator[Hit]:
    if node.value is not None:
        yield from _assigned(node.target, node.value, source)


def _dict(node: ast.Dict, source: Source, _scope: Scope) -> Iterator[Hit]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            yield from _assigned(key, value, source)


def _assigned(target: ast.expr, value: ast.expr, source: Source) -> Iterator[Hit]:
    match target:
        case ast.Name(id=str(name)) | ast.Attribute(attr=str(name)) | ast.Constant(value=str(name)):
            pass
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            pass
        case _:
            return
    if isinstance(value, ast.Constant):
        if _is_secret(name, value.value):
            yield "hard-coded-secret", value.lineno, name
        elif name == "check_hostname" and value.value is False:
            yield "no-tls-check", value.lineno, "check_hostname = False"
    elif name == "verify_mode" and source.origin(value).endswith("CERT_NONE"):
        yield "no-tls-check", value.lineno, "CERT_NONE"


def _f_string(node: ast.JoinedStr, _source: Source, _scope: Scope) -> Iterator[Hit]:
    if not any(isinstance(part, ast.FormattedValue) for part in node.values):
        return
    text = "".join(str(p.value) if isinstance(p, ast.Constant) else "?" for p in node.values)
    if _is_sql(text):
        yield "sql-from-text", node.lineno, "f-string"


def _operator(node: ast.BinOp, _source: Source, _scope: Scope) -> Iterator[Hit]:
    if not isinstance(node.left, ast.Constant) or not _is_sql(node.left.value):
        return
    if isinstance(node.op, ast.Mod):
        yield "sql-from-text", node.lineno, "% operator"
    elif isinstance(node.op, ast.Add) and not isinstance(node.right, ast.Constant):
        yield "sql-from-text", node.lineno, "+ operator"


def _assert(node: ast.Assert, source: Source, scope: Scope) -> Iterator[Hit]:
    if scope.parameters and not is_test(source.path):
        used = {name.id for name in ast.walk(node.test) if isinstance(name, ast.Name)}
        checked = sorted(used & scope.parameters)
        if checked:
            yield "checking-assert", node.lineno, ", ".join(checked)


def _module(_node: ast.Module, source: Source, _scope: Scope) -> Iterator[Hit]:
    if not any(mark in source.text for mark in KEY_MARKS):  # twenty times as fast as the pattern
        return
    for found in KNOWN_KEY.finditer(source.text):
        line = source.text.count("\n", 0, found.start()) + 1
        yield "hard-coded-secret", line, "key of a known form"


def _loads_safely(node: ast.Call) -> bool:
    loaders = [k.value for k in node.keywords if k.arg == "Loader"] + node.args[1:2]
    return any(
        (isinstance(loader, ast.Attribute) and loader.attr in SAFE_YAML)
        or (isinstance(loader, ast.Name) and loader.id in SAFE_YAML)
        for loader in loaders
    )


def _weak_hash(node: ast.Call, name: str) -> str:
    algorithm = name.removeprefix("hashlib.")
    if algorithm == "new" and node.args and isinstance(node.args[0], ast.Constant):
        algorithm = str(node.args[0].value).lower().replace("-", "")
    declared_harmless = any(
        k.arg == "usedforsecurity" and isinstance(k.value, ast.Constant) and not k.value.value
        for k in node.keywords
    )
    return algorithm if algorithm in WEAK_HASHES and not declared_harmless else ""


def _formats_sql(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(attr="format", value=ast.Constant(value=str(text))):
            return _is_sql(text)
        case _:
            return False


def _is_sql(text: object) -> bool:
    return isinstance(text, str) and SQL.match(text) is not None


def _is_secret(name: str, value: object) -> bool:
    """A password of any form, or a key that looks random: both letters and digits, 16 or more."""
    is_password = PASSWORD.search(name)
    if not isinstance(value, str) or not (is_password or KEY.search(name)):
        return False
    if len(value) < 4 or " " in value or PLACEHOLDER.search(value):
        return False
    if is_password:
        return value.lower() not in name.lower() and name.lower() not in value.lower()
    return len(value) >= 16 and bool(re.search(r"\d.*[A-Za-z]|[A-Za-z].*\d", value))


CHECKS: Checks = {
    ast.Module: (_module,),
    ast.Call: (_call,),
    ast.Assign: (_assign,),
    ast.AnnAssign: (_assign_typed,),
    ast.Dict: (_dict,),
    ast.JoinedStr: (_f_string,),
    ast.BinOp: (_operator,),
    ast.Assert: (_assert,),
}
