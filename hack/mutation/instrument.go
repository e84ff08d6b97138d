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
	file     string
	source   string
	set      *token.FileSet
	next     func() int
	excluded map[int]bool
	function string
	returns  *ast.FieldList
	// endless are the statements that continue loops without a condition.
	endless    map[*ast.BranchStmt]bool
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
	i := &instrumenter{file: file, source: source, set: set, next: next, excluded: excluded, endless: map[*ast.BranchStmt]bool{}}
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

// walk adds the mutants of a function.
func (i *instrumenter) walk(body ast.Node) {
	ast.Inspect(body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.FuncLit:
			outer := i.returns
			i.returns = n.Type.Results
			i.walk(n.Body)
			i.returns = outer
			return false
		case *ast.GenDecl:
			return n.Tok != token.CONST
		case *ast.IfStmt:
			i.condition(n.Cond)
		case *ast.ForStmt:
			if n.Cond == nil {
				i.keepEndless(n.Body)
			}
		case *ast.SwitchStmt:
			i.cases(n)
		case *ast.BinaryExpr:
			i.binary(n)
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				i.condition(n.X)
			}
		case *ast.BlockStmt:
			i.statements(n.List)
		case *ast.CaseClause:
			i.statements(n.Body)
		case *ast.ReturnStmt:
			i.results(n)
		}
		return true
	})
}

// keepEndless keeps a loop without a condition as it is. With a break, its function could need a return after it, and would not compile.
func (i *instrumenter) keepEndless(body *ast.BlockStmt) {
	ast.Inspect(body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.FuncLit, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
			return false // a break in it does not end the loop
		case *ast.BranchStmt:
			i.endless[n] = true
		}
		return true
	})
}

// cases adds the conditions of a switch without a tag.
func (i *instrumenter) cases(n *ast.SwitchStmt) {
	if n.Tag != nil {
		return
	}
	for _, clause := range n.Body.List {
		if c, ok := clause.(*ast.CaseClause); ok {
			for _, condition := range c.List {
				i.condition(condition)
			}
		}
	}
}

// condition forces a condition. The operands of && and || are conditions of their own.
func (i *instrumenter) condition(e ast.Expr) {
	switch n := e.(type) {
	case *ast.ParenExpr:
		i.condition(n.X)
		return
	case *ast.BinaryExpr:
		if n.Op == token.LAND || n.Op == token.LOR {
			return
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			return
		}
	}
	i.wrap(e, "is true", "(mutantActive(%d) || (", "))")
	i.wrap(e, "is false", "(!mutantActive(%d) && (", "))")
}

func (i *instrumenter) binary(n *ast.BinaryExpr) {
	x, y := i.text(n.X), i.text(n.Y)
	switch n.Op {
	case token.LAND, token.LOR:
		i.condition(n.X)
		i.condition(n.Y)
	case token.LSS, token.GTR:
		i.wrap(n, "includes its boundary", "(", " || mutantActive(%d) && ("+x+") == ("+y+"))")
	case token.LEQ, token.GEQ:
		i.wrap(n, "excludes its boundary", "(", " && !(mutantActive(%d) && ("+x+") == ("+y+")))")
	case token.SUB:
		i.arithmetic(n, x+" + "+y, "adds")
	case token.ADD:
		// A + may also join texts. The syntax alone shows that it does not only if an operand is a number.
		if isNumber(n.X) || isNumber(n.Y) {
			i.arithmetic(n, x+" - ("+y+")", "subtracts")
		}
	case token.MUL:
		i.arithmetic(n, x+" + "+y, "adds")
	case token.QUO:
		i.arithmetic(n, "("+x+") * ("+y+")", "multiplies")
	}
}

func isNumber(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && (literal.Kind == token.INT || literal.Kind == token.FLOAT)
}

func (i *instrumenter) arithmetic(n *ast.BinaryExpr, changed, change string) {
	if !strings.Contains(changed, "\n") {
		i.wrap(n, change, "mutantPick(%d, "+changed+", ", ")")
	}
}

// statements removes statements, and ends loops early.
func (i *instrumenter) statements(list []ast.Stmt) {
	for _, statement := range list {
		switch n := statement.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt:
			i.wrap(n, "is removed", "if !mutantActive(%d) { ", " }")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				i.wrap(n, "is removed", "if !mutantActive(%d) { ", " }")
			}
		case *ast.BranchStmt:
			if n.Tok == token.CONTINUE && n.Label == nil && !i.endless[n] {
				i.wrap(n, "is break", "if mutantActive(%d) { break }; ", "")
			}
		}
	}
}

// results inverts returned truth values, and removes returned errors.
func (i *instrumenter) results(n *ast.ReturnStmt) {
	for k, result := range n.Results {
		name, _ := result.(*ast.Ident)
		switch {
		case name != nil && name.Name == "true":
			i.wrap(result, "is false", "!mutantActive(%d) && ", "")
		case name != nil && name.Name == "false":
			i.wrap(result, "is true", "mutantActive(%d) || ", "")
		case k == len(n.Results)-1 && i.returnsError(len(n.Results)) && (name == nil || name.Name != "nil"):
			i.wrap(result, "is no error", "mutantError(%d, ", ")")
		}
	}
}

// returnsError reports whether the function has a number of results, of which the last is an error.
func (i *instrumenter) returnsError(results int) bool {
	if i.returns == nil || i.returns.NumFields() != results {
		return false
	}
	last, ok := i.returns.List[len(i.returns.List)-1].Type.(*ast.Ident)
	return ok && last.Name == "error"
}
