package pages

import (
	"regexp"
	"strings"
)

// ellipsis stands for any number of lines, including none.
const ellipsis = "..."

// Matches returns true if a command printed the expected lines. A line "..." stands for any lines. Matches ignores what differs
// from run to run: generated names, times, dates, addresses, column widths, and whether kubectl created or changed an object.
func Matches(expected []string, printed string) bool {
	return matches(normalize(expected), normalize(strings.Split(printed, "\n")))
}

func matches(expected, printed []string) bool {
	if len(expected) == 0 {
		return len(printed) == 0
	}
	if expected[0] == ellipsis {
		for i := range len(printed) + 1 {
			if matches(expected[1:], printed[i:]) {
				return true
			}
		}
		return false
	}
	return len(printed) > 0 && expected[0] == printed[0] && matches(expected[1:], printed[1:])
}

// placeholders replace the parts of a line that differ from run to run.
var placeholders = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "FINGERPRINT"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+Z?)?`), "DATE"},
	{regexp.MustCompile(`-[0-9a-f]{6,10}-[a-z0-9]{5}\b`), "-POD"},
	{regexp.MustCompile(`\b[0-9]{1,3}([.][0-9]{1,3}){3}\b`), "ADDRESS"},
	{regexp.MustCompile(`\b([0-9]+([.][0-9]+)?(ms|µs|[dhms]))+\b`), "TIME"},
	{regexp.MustCompile(` (created|configured|unchanged)$`), " APPLIED"},
	{regexp.MustCompile(` +`), " "},
}

// normalize inserts the placeholders and drops empty lines, whose position in kubectl's output varies.
func normalize(lines []string) []string {
	var out []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		for _, p := range placeholders {
			line = p.pattern.ReplaceAllString(line, p.replacement)
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}
