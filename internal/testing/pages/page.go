package pages

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Step is one sh block of a page.
type Step struct {
	// Line is the line number of the first command, from 1.
	Line int
	// Script is the content of the block.
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
