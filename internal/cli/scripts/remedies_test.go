package scripts_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// printedCommand finds the commands of osm in messages: in quotes, or after "run".
var printedCommand = regexp.MustCompile("`(osm [^`]+)`|\\brun (osm (?:namespace|explain|analyze)[^\\n;]*?)(?: and |$)")

// tryRemedies is the command "remedies" of scripts. It runs each osm command that the last command printed, except those with placeholders in upper
// case, and fails if one is rejected. Answers and findings are no rejections.
func tryRemedies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: remedies")
	}
	var tried []string
	for _, line := range strings.Split(ts.ReadFile("stdout")+"\n"+ts.ReadFile("stderr"), "\n") {
		for _, match := range printedCommand.FindAllStringSubmatch(line, -1) {
			command := match[1] + match[2]
			if words := strings.Fields(command); !slices.ContainsFunc(words, isPlaceholder) && !slices.Contains(tried, command) {
				tried = append(tried, command)
			}
		}
	}
	for _, command := range tried {
		words := strings.Fields(command)
		err := ts.Exec(words[0], words[1:]...)
		if output := ts.ReadFile("stdout") + ts.ReadFile("stderr"); strings.Contains(output, "cannot be added") || err != nil && strings.Contains(output, "Error: ") {
			ts.Fatalf("the printed command %q is rejected: %s", command, output)
		}
	}
}

func isPlaceholder(word string) bool {
	return len(word) > 1 && strings.ToUpper(word) == word && strings.ToLower(word) != word
}
