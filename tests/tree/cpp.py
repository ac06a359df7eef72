"""Just enough of C++'s surface to check house rules: comments, strings, includes and where
functions begin and end. Relies on the house format: a body's brace follows a blank, an
initialiser's does not.
"""

import re

_TOKENS = re.compile(
    r"""(?P<raw>R"(?P<mark>[^(\s"]*)\(.*?\)(?P=mark)")"""
    r"""|(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)"""
    r"""|(?P<string>"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<char>(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)*')""", re.DOTALL)
_NOT_FUNCTIONS = re.compile(r"^\s*(if|for|while|switch|catch|else|do|try|return)\b")
_NAMESPACE = re.compile(r'\bnamespace\b|\bextern\s*"')
_TYPE = re.compile(r"^\s*(template\s*<.*>\s*)?(typedef\s+)?(class|struct|union|enum)\b[^()]*$",
                   re.DOTALL)
_NAME = re.compile(r"([~\w:]+|operator\s*\S+?)\s*\(")


def code_only(text, keep_strings=False):
    """The text with comments blanked, and the insides of literals unless they are to be kept.
    Lines and columns stay."""
    def blank(match):
        whole = match.group()
        if match.group("line") or match.group("block"):
            return re.sub(r"[^\n]", " ", whole)
        return whole if keep_strings else whole[0] + re.sub(r"[^\n]", " ", whole[1:-1]) + whole[-1]
    return _TOKENS.sub(blank, text)


def quoted_includes(text):
    """(line, header) of every #include "header"."""
    return [(text.count("\n", 0, m.start()) + 1, m.group(1))
            for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.MULTILINE)]


def system_includes(text):
    """(line, header) of every #include <header>."""
    return [(text.count("\n", 0, m.start()) + 1, m.group(1))
            for m in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", text, re.MULTILINE)]


def _kind(opening, before):
    """What the brace after `opening` (the text since the last ; { or }) begins."""
    if _NAMESPACE.search(opening):
        return "scope"
    if _TYPE.match(opening) and not opening.rstrip().endswith("="):
        return "scope"
    body = before.isspace() and "(" in opening and not opening.rstrip().endswith("=")
    return "function" if body and not _NOT_FUNCTIONS.match(opening) else "other"


def _first_line(code, since, brace):
    """Where the declarator that ends in `brace` begins, without the blank lines before it."""
    start = since + len(code[since:brace]) - len(code[since:brace].lstrip())
    return code.count("\n", 0, start) + 1


def functions(text):
    """(name, first line, number of lines) of every function with a body at namespace or class
    scope; lambdas count as part of theirs."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  code_only(text), flags=re.MULTILINE)
    found, stack, since = [], [], 0
    for match in re.finditer(r"[;{}]", code):
        at, inside, kind = match.start(), any(k != "scope" for k, *_ in stack), ""
        if match.group() == "{":
            opening = code[since:at]
            kind = "other" if inside else _kind(opening, code[at - 1:at])
            name = _NAME.search(opening)
            stack.append((kind, name.group(1) if name else "?", _first_line(code, since, at)))
        elif match.group() == "}" and stack:
            kind, name, first = stack.pop()
            inside = any(k != "scope" for k, *_ in stack)
            if kind == "function":
                found.append((name, first, code.count("\n", 0, at) + 2 - first))
        if not inside and kind != "other":  # after an initialiser `a_{1}` its declarator goes on
            since = at + 1
    return found
