package pages

import (
	"regexp"
	"strings"
)

// skipped stands in a page for any number of lines, also none.
const skipped = "..."

// Matches says whether what a command printed is what its page shows. "..." on a line stands for any lines. What differs from
// one run to the next counts as equal: names that Kubernetes makes, times, dates, addresses, the width of columns, and whether an
// object was created or was there already.
func Matches(shown []string, printed string) bool {
	return matches(normalised(shown), normalised(strings.Split(printed, "\n")))
}

func matches(shown, printed []string) bool {
	if len(shown) == 0 {
		return len(printed) == 0
	}
	if shown[0] == skipped {
		for i := range len(printed) + 1 {
			if matches(shown[1:], printed[i:]) {
				return true
			}
		}
		return false
	}
	return len(printed) > 0 && shown[0] == printed[0] && matches(shown[1:], printed[1:])
}

// changing are the parts of a line that differ from one run to the next, and what stands for them.
var changing = []struct {
	part    *regexp.Regexp
	meaning string
}{
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+Z?)?`), "DATE"},
	{regexp.MustCompile(`-[0-9a-f]{6,10}-[a-z0-9]{5}\b`), "-POD"},
	{regexp.MustCompile(`\b[0-9]{1,3}([.][0-9]{1,3}){3}\b`), "ADDRESS"},
	{regexp.MustCompile(`\b([0-9]+([.][0-9]+)?(ms|µs|[dhms]))+\b`), "TIME"},
	{regexp.MustCompile(` (created|configured|unchanged)$`), " APPLIED"},
	{regexp.MustCompile(` +`), " "},
}

// normalised are lines without what changes, and without empty ones: kubectl puts them where it likes.
func normalised(lines []string) []string {
	var out []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		for _, c := range changing {
			line = c.part.ReplaceAllString(line, c.meaning)
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}
