package crdreference

import "strings"

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
