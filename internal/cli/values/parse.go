package values

import (
	"fmt"
	"strings"
)

// assignment is a "name=value" argument.
type assignment struct{ name, value string }

// parse reads --set arguments with Helm's syntax: commas separate assignments, braces hold lists, and a backslash escapes the next
// character.
func parse(sets []string) ([]assignment, error) {
	var all []assignment
	for _, set := range sets {
		for _, part := range split(set) {
			name, value, found := strings.Cut(part, "=")
			if !found || name == "" {
				return nil, fmt.Errorf("invalid --set %s: must be name=value, such as osm.enableEgress=true", part)
			}
			all = append(all, assignment{strings.TrimSpace(name), value})
		}
	}
	return all, nil
}

// split splits at commas that are neither escaped nor inside braces.
func split(text string) []string {
	var parts []string
	var part strings.Builder
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			part.WriteByte(text[i])
		case c == ',' && depth == 0:
			parts = append(parts, part.String())
			part.Reset()
		default:
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			part.WriteByte(c)
		}
	}
	if part.Len() > 0 {
		parts = append(parts, part.String())
	}
	return parts
}

// list parses "{a,b}". Text without braces is a list with one item.
func list(text string) []string {
	inner, found := strings.CutPrefix(text, "{")
	if !found {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	inner = strings.TrimSuffix(inner, "}")
	var all []string
	for item := range strings.SplitSeq(inner, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}
