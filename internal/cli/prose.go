package cli

import "strings"

// proseWidth is the longest line of a description.
const proseWidth = 126

// wrapped breaks a paragraph into lines.
func wrapped(paragraph string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(paragraph) {
		if line != "" && len(line)+1+len(word) > proseWidth {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

// enumerated joins at least two texts with commas, and the last one with a conjunction.
func enumerated(texts []string, conjunction string) string {
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " " + conjunction + " " + texts[last]
}
