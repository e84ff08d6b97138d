package threats

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

// pageTemplate is docs/threats.md without the rows of the attacks.
//
//go:embed page.md.tmpl
var pageTemplate string

// Page renders docs/threats.md. The names of tests link to their files.
func Page(attacks []Attack, tests map[string]string) ([]byte, error) {
	parsed, err := template.New("threats.md").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var rows strings.Builder
	for _, a := range attacks {
		links := make([]string, len(a.Tests))
		for i, name := range a.Tests {
			links[i] = fmt.Sprintf("[`%s`](../%s)", name, tests[name])
		}
		numbers := a.Numbers
		if numbers == "" {
			numbers = "–"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", numbers, a.Attack, a.Result, strings.Join(links, ", "))
	}
	var page bytes.Buffer
	err = parsed.Execute(&page, map[string]any{"Rows": strings.TrimSuffix(rows.String(), "\n")})
	return page.Bytes(), err
}
