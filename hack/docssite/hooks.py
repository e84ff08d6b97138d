"""Hooks of mkdocs for the documentation site.

Pages of docs are written for the repository, where they link to files outside of docs. On the site these links lead to the
repository. A link to a file that does not exist is a warning, which the option --strict turns into an error.
"""

import glob
import logging
import os
import re

log = logging.getLogger("mkdocs.hooks.docssite")

OUTSIDE_LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")


def on_config(config):
    """Replaces patterns in the navigation by the pages that they match."""
    config.nav = expand(config.nav, config.docs_dir)
    return config


def expand(item, docs):
    if isinstance(item, list):
        return [page for entry in item for page in expand_entry(entry, docs)]
    return item


def expand_entry(entry, docs):
    if isinstance(entry, str):
        return matches(entry, docs)
    [(title, value)] = entry.items()
    if isinstance(value, str) and "*" in value:
        return [{title: matches(value, docs)}]
    return [{title: expand(value, docs)}]


def matches(pattern, docs):
    if "*" not in pattern:
        return [pattern]
    return sorted(glob.glob(pattern, root_dir=docs))


def on_page_markdown(markdown, page, config, files):
    """Turns links to files outside of docs into links to the repository."""
    docs = config.docs_dir
    root = os.path.dirname(config.config_file_path)
    folder = os.path.dirname(os.path.join(docs, page.file.src_uri))

    def replace(match):
        target = os.path.normpath(os.path.join(folder, match.group(1)))
        if target.startswith(docs + os.sep):
            return match.group(0)
        path = os.path.relpath(target, root)
        if not os.path.exists(target) or path.startswith(".."):
            log.warning("%s links to %s, which is not in the repository", page.file.src_uri, match.group(1))
            return match.group(0)
        kind = "tree" if os.path.isdir(target) else "blob"
        return "](%s/%s/main/%s%s)" % (config.extra["repository"], kind, path, match.group(2) or "")

    return OUTSIDE_LINK.sub(replace, markdown)
