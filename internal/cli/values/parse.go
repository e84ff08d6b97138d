package values

import (
	"fmt"
	"strings"
)

// assignment is one "name=value".
type assignment struct{ name, value string }

// parse reads --set as Helm does: several assignments are separated by commas, braces hold a list, and a backslash takes away
// the meaning of the next character.
func parse(sets []string) ([]assignment, error) {
	var all []assignment
	for _, set := range sets {
		for _, part := range split(set) {
			name, value, found := strings.Cut(part, "=")
			if !found || name == "" {
				return nil, fmt.Errorf("--set %s is not an assignment: write name=value, such as osm.enableEgress=true", part)
			}
			all = append(all, assignment{strings.TrimSpace(name), value})
		}
	}
	return all, nil
}

// split cuts at commas that are neither escaped nor between braces.
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

// list reads "{a,b}"; text without braces is a list of one.
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
