package crdreference

import (
	"bytes"
	_ "embed"
	"fmt"
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
