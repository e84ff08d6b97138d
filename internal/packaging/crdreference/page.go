package crdreference

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var pageTemplate string

//go:embed index.md.tmpl
var indexTemplate string

// File returns the name of the page of a kind.
func (k Kind) File() string { return strings.ToLower(k.Name) + ".md" }

// Summary is the first sentence of the description.
func (k Kind) Summary() string {
	if len(k.Versions) == 0 {
		return ""
	}
	description := k.Versions[0].Description
	if end := strings.Index(description, ". "); end >= 0 {
		return description[:end+1]
	}
	return description
}

// Page returns the Markdown page of a kind.
func Page(kind Kind) ([]byte, error) { return render("page", pageTemplate, kind) }

// Index returns the Markdown page that lists all kinds by group.
func Index(kinds []Kind) ([]byte, error) { return render("index", indexTemplate, kinds) }

func render(name, text string, data any) ([]byte, error) {
	functions := template.FuncMap{"text": escape, "cell": escapeCell, "join": strings.Join}
	parsed, err := template.New(name).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("cannot write the %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// Pages returns the pages of all definitions in the file systems, and README.md that lists them, by file name.
func Pages(definitions ...fs.FS) (map[string][]byte, error) {
	kinds, err := ReadKinds(definitions...)
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for _, kind := range kinds {
		if _, there := pages[kind.File()]; there {
			return nil, fmt.Errorf("two kinds have the name %s: their pages need different names", kind.Name)
		}
		if pages[kind.File()], err = Page(kind); err != nil {
			return nil, err
		}
	}
	pages["README.md"], err = Index(kinds)
	return pages, err
}

// ReadKinds parses every YAML file of the file systems. The kinds are sorted by group and name.
func ReadKinds(definitions ...fs.FS) ([]Kind, error) {
	var kinds []Kind
	for _, definition := range definitions {
		names, err := fs.Glob(definition, "*/*.yaml")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := fs.ReadFile(definition, name)
			if err != nil {
				return nil, err
			}
			kind, err := Parse(content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name)) })
	return kinds, nil
}

// escape returns text in which Markdown shows every character outside of code spans as it is. Inside of code spans, Markdown has no
// escapes.
func escape(text string) string {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		// The last backtick opens no code span.
		last := len(parts) - 1
		parts = append(parts[:last-1], parts[last-1]+"\\`"+parts[last])
	}
	special := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = special.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// escapeCell returns text for a cell of a table, which a vertical bar would end.
func escapeCell(text string) string { return strings.ReplaceAll(escape(text), "|", `\|`) }
