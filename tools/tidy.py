#!/usr/bin/env python3
"""The house rules that a machine can check. Prints `file:line: rule: text` and exits 1 if there is any.

Rules: layers (src/LAYERS), banned headers and calls outside net and app, sizes, one class of comment for exceptions.
An excess carries its reason in the file: `// tidy: long because ...` (files), `// tidy: long function because ...`.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE_SOFT, SOURCE_HARD, HEADER_LIMIT, LINE_LIMIT, FUNCTION_LIMIT = 500, 800, 250, 120, 70
FREE_FOLDERS = {"net", "app"}
BANNED_HEADERS = re.compile(
    r"^\s*#\s*include\s*<(thread|mutex|iostream|fstream|filesystem|regex|random|unistd\.h|sys/[^>]*|netinet/[^>]*)>")
BANNED_IN_HEADERS = re.compile(r"^\s*#\s*include\s*<(functional|iostream|regex|thread)>")
BANNED_CALLS = [
    (re.compile(r"::now\(\)"), "reads a clock"),
    (re.compile(r"(?<![\w.>:])(?:std::)?time\(\s*(?:NULL|nullptr|0|&)"), "reads a clock"),
    (re.compile(r"(?<![\w.>:])(?:std::)?s?rand\("), "uses the C library's randomness"),
    (re.compile(r"(?<![\w.>:])(?:std::)?getenv\("), "reads the environment"),
    (re.compile(r"\bthrow\b"), "throws"),
    (re.compile(r"\bstd::atomic\b|#include <atomic>"), "uses atomics outside the two queues"),
]
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# Names of places that must not leak into the project.
PLACES = re.compile(r"/work/|/root/|/tmp/bash_jobs|\bhelper-\d")


def layers():
    allowed = {}
    for line in (ROOT / "src/LAYERS").read_text().splitlines():
        match = re.match(r"^([a-z]+)\s*->\s*(.*)$", line)
        if match:
            allowed[match.group(1)] = set(match.group(2).split()) | {match.group(1)}
    return allowed


def strip_comment(line):
    return re.sub(r"//.*$", "", re.sub(r'"(?:[^"\\]|\\.)*"', '""', line))


def function_lengths(lines):
    """(first line, length, text) of top-level and member function bodies, by brace depth; good enough for our format."""
    start, depth, opener = None, 0, ""
    for number, raw in enumerate(lines, 1):
        line = strip_comment(raw)
        line = re.sub(r"'(?:[^'\\]|\\.)'", "''", line)
        if start is None and re.match(r"^(?:  )?[\w:<>~&*,\[\]()= ]+\(.*\)?.*\{\s*$", line) and not re.match(
                r"^\s*(namespace|class|struct|enum|union|extern|constexpr \w+ \w+\[|switch|if|for|while|else|do)\b", line) \
                and not raw.startswith("   "):
            start, depth, opener = number, 0, raw.strip()
        if start is not None:
            depth += line.count("{") - line.count("}")
            if depth <= 0:
                yield start, number - start + 1, opener
                start = None


def check_file(path, allowed, complain):
    relative = path.relative_to(ROOT)
    parts = relative.parts
    folder = parts[1] if parts[0] == "src" else None
    is_test = path.name.endswith("_test.cc")
    lines = path.read_text(errors="replace").splitlines()
    header = path.suffix == ".h"
    excused = any("// tidy: long because" in line for line in lines)
    limit = HEADER_LIMIT if header else SOURCE_SOFT
    if folder and not is_test and len(lines) > (SOURCE_HARD if excused and not header else limit) and not (
            header and excused):
        complain(relative, len(lines), "size", f"{len(lines)} lines, limit {limit}: split by concept or give the reason")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LIMIT and "http" not in line:
            complain(relative, number, "line", f"{len(line)} characters, limit {LINE_LIMIT}")
        if LEFTOVERS.search(line):
            complain(relative, number, "leftover", line.strip())
        if not folder:
            continue
        include = re.match(r'^\s*#\s*include\s*"([a-z_]+)/', line)
        if include and include.group(1) in allowed and include.group(1) not in allowed[folder]:
            complain(relative, number, "layer", f"{folder} must not include {include.group(1)}")
        if header and BANNED_IN_HEADERS.match(line):
            complain(relative, number, "header", f"banned in headers: {line.strip()}")
        if folder in FREE_FOLDERS or is_test:
            continue
        if BANNED_HEADERS.match(line):
            complain(relative, number, "banned", line.strip())
        code = strip_comment(line)
        for pattern, why in BANNED_CALLS:
            if pattern.search(code):
                complain(relative, number, "banned", f"{why}: {line.strip()}")
    if header and folder and (not lines or not lines[0].startswith("//")):
        complain(relative, 1, "header", "does not open with its concept")
    if folder and not is_test:
        for start, length, opener in function_lengths(lines):
            reason = any("tidy: long function because" in line for line in lines[max(0, start - 4):start + 1])
            if length > FUNCTION_LIMIT and not reason:
                complain(relative, start, "function", f"{length} lines, limit {FUNCTION_LIMIT}: {opener[:60]}")


def main():
    findings = []
    allowed = layers()
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True,
                            text=True).stdout.split("\n")
    for name in filter(None, listed):
        path = ROOT / name
        if not path.is_file():
            continue
        if path.suffix in (".cc", ".h"):
            check_file(path, allowed, lambda *row: findings.append(row))
        if path.suffix in (".cc", ".h", ".md", ".py", ".txt", ".sh", ".cmake", "") and name != "tools/tidy.py":
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if PLACES.search(line):
                    findings.append((name, number, "place", line.strip()[:100]))
    for folder in sorted(allowed):
        if (ROOT / "src" / folder).is_dir():
            readme = ROOT / "src" / folder / "README.md"
            if not readme.is_file() or len(readme.read_text().splitlines()) > 10:
                findings.append((f"src/{folder}/README.md", 1, "readme", "missing, or longer than ten lines"))
    for file, line, rule, text in findings:
        print(f"{file}:{line}: {rule}: {text}")
    print(f"tidy: {len(findings)} finding{'s' if len(findings) != 1 else ''}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
