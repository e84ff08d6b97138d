package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// printed finds commands of osm in messages: in backticks, or after the word run.
var printed = regexp.MustCompile("`(osm [^`]+)`|\\b[rR]un (osm [a-z][^\\n;,.:`'\"]*)")

// TestPrintedCommandsAreAccepted parses every command that messages, and the pages and scripts with them, tell people to run. A command with an
// unknown name, flag or number of arguments is a remedy that another command rejects.
func TestPrintedCommandsAreAccepted(t *testing.T) {
	tried := map[string]bool{}
	for _, folder := range []string{".", "../../docs/analysis.md", "../../docs/reasons.md", "../mesh", "../../controllers"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !isMessages(path) {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range printed.FindAllStringSubmatch(string(text), -1) {
				if command := printedCommand(match[1] + match[2]); !tried[command] && !strings.Contains(command, ",") {
					tried[command] = true
					if problem := parsePrinted(command); problem != "" {
						t.Errorf("%s prints the command %q, which is rejected: %s", path, command, problem)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(tried) < 20 {
		t.Errorf("%d commands are found: has the form of messages changed?", len(tried))
	}
}

// isMessages reports whether a file has texts for users.
func isMessages(path string) bool {
	extension := filepath.Ext(path)
	return extension == ".md" || extension == ".txtar" || extension == ".go" && !strings.HasSuffix(path, "_test.go")
}

// printedCommand returns a command with values instead of placeholders, and without what follows it in a sentence.
func printedCommand(text string) string {
	text, _, _ = strings.Cut(text, " and ")
	text = strings.NewReplacer(`" + `, "name ", `" +`, "name ").Replace(text) // the end of a constant in Go
	text = strings.NewReplacer("%[1]s", "name", "%[2]s", "name", "%s", "name", "%q", "name", "%d", "1").Replace(text)
	var words []string
	for _, word := range strings.Fields(text) {
		if strings.Contains(word, "(") || word == "|" || word == "to" && len(words) < 3 || strings.HasPrefix(word, "<") {
			break
		}
		words = append(words, strings.Trim(word, `"'`))
	}
	return strings.Join(words, " ")
}

// parsePrinted describes why the command line does not accept a command; empty if it does.
func parsePrinted(command string) string {
	root := New(Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}, time.Now, func(string) string { return "" })
	words := strings.Fields(command)[1:]
	found, rest, err := root.Find(words)
	switch {
	case err != nil:
		return err.Error()
	case len(words) == 1 && words[0] == "--help", slices.Contains(words, "name") && found.HasSubCommands():
		return "" // the placeholder is a command
	case found == root:
		return "there is no such command"
	}
	if err := found.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return ""
	} else if err != nil {
		return err.Error()
	}
	arguments := found.Flags().Args()
	if found.HasSubCommands() && len(arguments) > 0 && !slices.Contains(found.ValidArgs, arguments[0]) {
		return "there is no such command"
	}
	if len(arguments) == 0 {
		return "" // a message names the command, and not all arguments
	}
	if err := found.ValidateArgs(arguments); err != nil {
		return err.Error()
	}
	return ""
}
