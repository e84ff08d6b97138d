package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

const (
	// maxSubject is how many characters the first line of a commit has at most: what git log prints on one line of a terminal.
	maxSubject = 71
	// subjectsSince is when the rule began. Earlier commits are longer.
	subjectsSince = "2026-11-29T02:00:00Z"
)

// TestSubjectsAreShort checks the first lines of commits. Details belong into the body.
func TestSubjectsAreShort(t *testing.T) {
	text, err := build.Output(t.Context(), build.Command{Dir: ".", Args: []string{"git", "log", "--no-merges", "--since", subjectsSince, "--format=%h %s"}})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		hash, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
		if length := utf8.RuneCountInString(subject); length > maxSubject {
			t.Errorf("the subject of commit %s has %d characters, want at most %d: %s", hash, length, maxSubject, subject)
		}
	}
}
