package pages

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Step is one sh block of a page.
type Step struct {
	// Line is the line number of the first command, from 1.
	Line int
	// Script holds the commands of the sh block.
	Script string
	// Output holds the lines of the text block below the sh block. It is nil if there is none.
	Output []string
}

// Parse returns the steps of a page in order. It rejects console blocks and commands with a prompt, because they cannot be pasted.
func Parse(markdown []byte) ([]Step, error) {
	var steps []Step
	root := goldmark.New().Parser().Parse(text.NewReader(markdown))
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		block, ok := n.(*ast.FencedCodeBlock)
		if !ok || !entering || block.Lines().Len() == 0 {
			return ast.WalkContinue, nil
		}
		line := 1 + strings.Count(string(markdown[:block.Lines().At(0).Start]), "\n")
		content := string(block.Lines().Value(markdown))
		switch language := string(block.Language(markdown)); {
		case language == "console":
			return ast.WalkStop, fmt.Errorf("line %d: console block: write commands in an sh block and their output in a text block", line)
		case language == "sh" && strings.HasPrefix(content, "$ "):
			return ast.WalkStop, fmt.Errorf("line %d: the command starts with a prompt: remove \"$ \"", line)
		case language == "sh":
			steps = append(steps, Step{Line: line, Script: content})
		case language == "text" && isScript(block.PreviousSibling(), markdown):
			steps[len(steps)-1].Output = strings.Split(strings.TrimRight(content, "\n"), "\n")
		}
		return ast.WalkContinue, nil
	})
	return steps, err
}

func isScript(node ast.Node, markdown []byte) bool {
	block, ok := node.(*ast.FencedCodeBlock)
	return ok && string(block.Language(markdown)) == "sh"
}

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

// Shell runs scripts one after the other, as if they were pasted into one terminal: the working directory and exported variables persist.
type Shell struct {
	// Dir is the working directory of the first script.
	Dir string
	// Env is the environment of the first script.
	Env []string
	// State is the path of the file that holds directory and variables between scripts. It must not be below Dir.
	State string
}

// wrapper runs the script $1 with the state in the file $0.
const wrapper = `if [ -f "$0" ]; then . "$0"; cd "$PWD"; fi
trap 'status=$?; export -p > "$0"; exit $status' EXIT
set -e
eval "$1"`

// Run runs a script up to its first failing command. It returns the output, standard error included.
func (s Shell) Run(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", wrapper, s.State, script)
	cmd.Dir, cmd.Env = s.Dir, append([]string{}, s.Env...)
	printed, err := cmd.CombinedOutput()
	return string(printed), err
}
