package pages

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Step is one thing that a page tells its reader to do: write a file, or run a command.
type Step struct {
	// Line is where the step stands in the page, from 1.
	Line int
	// File is the path of the file to write, relative to the reader's folder; empty for a command.
	File string
	// Content is the file's content.
	Content string
	// Command is a shell command; it may span lines.
	Command string
	// Output is what the page shows below the command, line by line.
	Output []string
}

// Parse reads the steps of a page in order. It fails for a console block that begins with output.
func Parse(markdown []byte) ([]Step, error) {
	var steps []Step
	root := goldmark.New().Parser().Parse(text.NewReader(markdown))
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		block, ok := n.(*ast.FencedCodeBlock)
		if !ok || !entering || block.Lines().Len() == 0 {
			return ast.WalkContinue, nil
		}
		found, err := stepsOf(block, markdown)
		steps = append(steps, found...)
		return ast.WalkContinue, err
	})
	return steps, err
}

// title is how a fence names the file it shows.
var title = regexp.MustCompile(`^\w+ title="([^"]+)"`)

func stepsOf(block *ast.FencedCodeBlock, markdown []byte) ([]Step, error) {
	info := ""
	if block.Info != nil {
		info = string(block.Info.Segment.Value(markdown))
	}
	first := 1 + strings.Count(string(markdown[:block.Lines().At(0).Start]), "\n")
	content := string(block.Lines().Value(markdown))
	if named := title.FindStringSubmatch(info); named != nil {
		return []Step{{Line: first, File: named[1], Content: content}}, nil
	}
	if info == "console" {
		return commands(content, first)
	}
	return nil, nil
}

// commands reads the text of a console block whose first line is the page's line first.
func commands(content string, first int) ([]Step, error) {
	var steps []Step
	continued := false
	for i, line := range strings.Split(strings.TrimRight(content, "\n"), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case continued:
			steps[len(steps)-1].Command += "\n" + strings.TrimPrefix(line, "> ")
			command = line
		case isCommand:
			steps = append(steps, Step{Line: first + i, Command: command})
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: a console block begins with %q: write a command first, as \"$ command\"", first+i, line)
		default:
			last := &steps[len(steps)-1]
			last.Output = append(last.Output, line)
			continue
		}
		continued = strings.HasSuffix(command, `\`)
	}
	return steps, nil
}
