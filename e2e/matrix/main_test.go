package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRunsReachThePage checks that a newer run replaces the earlier one of the same test, and that a run with uncommitted changes is not listed.
func TestRunsReachThePage(t *testing.T) {
	docs, waiting := t.TempDir(), t.TempDir()
	write(t, filepath.Join(docs, pageName), "before\n"+begin+"old\n"+end+"after\n")
	write(t, filepath.Join(waiting, "a.yaml"), "{test: TestA, shows: journeys, apiServer: v1.30.14, kubelets: [v1.30.14], nodes: 1, families: IPv4, controlGroups: v1, commit: new, date: d}")
	write(t, filepath.Join(waiting, "b.yaml"), "{test: TestB, apiServer: v1.37.0, commit: abc-dirty}")
	list := &runs{Runs: []lab.Run{{Test: "TestA", Commit: "old"}, {Test: "TestC", APIServer: "v1.36.3", Commit: "c"}}}
	if err := list.addAll(waiting); err != nil {
		t.Fatal(err)
	}
	if err := list.publish(docs, true); err == nil {
		t.Error("a page without the runs passes the check")
	}
	if err := list.publish(docs, false); err != nil {
		t.Fatal(err)
	}
	if err := list.publish(docs, true); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, pageName))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"before\n": true, "after\n": true, "| v1.30.14 | v1.30.14 | 1 | IPv4 | v1 | journeys | `TestA` | new, d |": true, "`TestC`": true, "TestB": false, "old": false} {
		if strings.Contains(string(page), text) != want {
			t.Errorf("%q in the page: want %t\n%s", text, want, page)
		}
	}
	stored, err := readRuns(filepath.Join(docs, listName))
	if err != nil || len(stored.Runs) != 2 {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

// TestPageHasTheRuns checks the page of this checkout.
func TestPageHasTheRuns(t *testing.T) {
	if err := update(true); err != nil {
		t.Error(err)
	}
}
