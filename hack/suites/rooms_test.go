package main

import (
	"bytes"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// notProduct are folders of the repository that no user runs.
var notProduct = []string{"internal/testing", "internal/packaging", "internal/demo"}

// TestRoomsAreBounded compares the lines of each folder of the product with its limit. Who raises a limit says in the commit what needs the room.
func TestRoomsAreBounded(t *testing.T) {
	b, err := readBudget("../budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]int{}
	for _, top := range []string{"api", "cmd", "controllers", "internal"} {
		err := fs.WalkDir(os.DirFS("../.."), top, func(name string, entry fs.DirEntry, err error) error {
			for _, folder := range notProduct {
				if name == folder {
					return fs.SkipDir
				}
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path.Join("../..", name))
			if err == nil && !isGenerated(source) {
				rooms[roomOf(name)] += codeLines(source)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for room, lines := range rooms {
		switch limit, known := b.Lines[room]; {
		case !known:
			t.Errorf("hack/budget.yaml has no limit for %s, which has %d lines", room, lines)
		case lines > limit:
			t.Errorf("%s has %d lines, and hack/budget.yaml allows %d: write less, or raise the limit and say in the commit what needs it", room, lines, limit)
		case lines < limit*9/10:
			t.Errorf("%s has %d lines, and hack/budget.yaml allows %d: lower the limit, so that it is one", room, lines, limit)
		}
	}
	for room := range b.Lines {
		if rooms[room] == 0 {
			t.Errorf("hack/budget.yaml has a limit for %s, which does not exist", room)
		}
	}
}

// roomOf returns the first two folders of a file. The commands are one room.
func roomOf(name string) string {
	if strings.HasPrefix(name, "cmd/") {
		return "cmd"
	}
	return path.Join(strings.Split(name, "/")[:2]...)
}

func isGenerated(source []byte) bool {
	return bytes.HasPrefix(source, []byte("// Code generated")) || bytes.Contains(source, []byte("\n// Code generated"))
}

// codeLines counts the lines with a token that is no comment.
func codeLines(source []byte) int {
	fileset := token.NewFileSet()
	file := fileset.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	lines := map[int]bool{}
	for {
		position, kind, text := s.Scan()
		if kind == token.EOF {
			return len(lines)
		}
		if kind == token.SEMICOLON && text == "\n" {
			continue
		}
		first := file.Line(position)
		for line := first; line <= first+strings.Count(text, "\n"); line++ {
			lines[line] = true
		}
	}
}

// TestCodeLines counts a source with everything that is left out.
func TestCodeLines(t *testing.T) {
	const source = "// Package p is counted.\npackage p\n\n/* a\ncomment */\nvar x = `one\ntwo` // and this\n"
	if got := codeLines([]byte(source)); got != 3 {
		t.Errorf("%d lines are counted, want 3", got)
	}
}
