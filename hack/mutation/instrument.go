package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// runtimeCode is added to the package of the mutants.
const runtimeCode = `package %s

import (
	"os"
	"strconv"
)

var mutantSelected, _ = strconv.Atoi(os.Getenv("MUTANT"))

func mutantActive(id int) bool { return id == mutantSelected }

func mutantPick[T any](id int, changed, value T) T {
	if mutantActive(id) {
		return changed
	}
	return value
}

func mutantError(id int, err error) error { return mutantPick(id, nil, err) }
`

// insertion puts text before and after a part of a file.
type insertion struct {
	start, end     int
	prefix, suffix string
}

// instrumenter collects the mutants of a file. Lines keep their numbers.
type instrumenter struct {
	file       string
	source     string
	set        *token.FileSet
	next       func() int
	excluded   map[int]bool
	function   string
	returns    *ast.FieldList
	mutants    []mutant
	insertions []insertion
}

// instrument returns the source with all its mutants. next returns the ID of a mutant. Lines of excluded have none.
func instrument(file, source string, next func() int, excluded map[int]bool) (string, []mutant, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return "", nil, err
	}
	i := &instrumenter{file: file, source: source, set: set, next: next, excluded: excluded}
	for _, declaration := range parsed.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Body != nil {
			i.function, i.returns = f.Name.Name, f.Type.Results
			i.walk(f.Body)
		}
	}
	return i.render(), i.mutants, nil
}

// add returns the ID of a new mutant of a node; 0 for an excluded line.
func (i *instrumenter) add(node ast.Node, change string) int {
	line := i.set.Position(node.Pos()).Line
	if i.excluded[line] {
		return 0
	}
	m := mutant{id: i.next(), file: i.file, line: line, function: i.function, text: abbreviate(i.text(node)), change: change}
	i.mutants = append(i.mutants, m)
	return m.id
}

// wrap puts text around a node. Both have one %d for the ID of its mutant, or none.
func (i *instrumenter) wrap(node ast.Node, change, prefix, suffix string) {
	if id := i.add(node, change); id > 0 {
		i.insert(node, strings.ReplaceAll(prefix, "%d", fmt.Sprint(id)), strings.ReplaceAll(suffix, "%d", fmt.Sprint(id)))
	}
}

func (i *instrumenter) insert(node ast.Node, prefix, suffix string) {
	i.insertions = append(i.insertions, insertion{i.offset(node.Pos()), i.offset(node.End()), prefix, suffix})
}

func (i *instrumenter) offset(p token.Pos) int { return i.set.Position(p).Offset }

func (i *instrumenter) text(node ast.Node) string {
	return i.source[i.offset(node.Pos()):i.offset(node.End())]
}

// render returns the source with the insertions. Where several begin, the outer one is first; where they end, the inner one.
func (i *instrumenter) render() string {
	type piece struct {
		offset, order int
		text          string
	}
	var pieces []piece
	for n, in := range i.insertions {
		pieces = append(pieces, piece{in.start, n + 1, in.prefix}, piece{in.end, -n - 1, in.suffix})
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.order, b.order)) })
	var out strings.Builder
	at := 0
	for _, p := range pieces {
		out.WriteString(i.source[at:p.offset] + p.text)
		at = p.offset
	}
	return out.String() + i.source[at:]
}
