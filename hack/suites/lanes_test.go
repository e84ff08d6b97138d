package main

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ofRounds returns the names of the suites in each lane of each round, such as "e2e | lint unit".
func ofRounds(list []round) []string {
	var texts []string
	for _, r := range list {
		var lanes []string
		for _, lane := range r.lanes {
			var names []string
			for _, s := range lane {
				names = append(names, s.name)
			}
			lanes = append(lanes, strings.Join(names, " "))
		}
		texts = append(texts, strings.Join(lanes, " | "))
	}
	return texts
}

func TestSuitesRunBesideTheCluster(t *testing.T) {
	for _, test := range []struct {
		names []string
		full  bool
		want  []string
	}{
		{nil, false, []string{"realtime", "e2e | lint drift unit golden envtest"}},
		{nil, true, []string{"lint", "drift", "realtime", "unit", "golden", "envtest", "e2e"}},
		{[]string{"unit", "realtime"}, false, []string{"realtime", "unit"}},
		{[]string{"e2e"}, false, []string{"e2e"}},
	} {
		chosen, err := selectSuites(suites(), test.names)
		if err != nil {
			t.Fatal(err)
		}
		if got := ofRounds(rounds(chosen, test.full)); !slices.Equal(got, test.want) {
			t.Errorf("%v, full %t: %q, want %q", test.names, test.full, got, test.want)
		}
	}
}

// Each lane waits for the other to begin, and the second has a lower priority.
func TestLanesRunAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	lane := func(name, own, other string) suite {
		script := "touch " + own + "; nice; for i in $(seq 100); do [ -e " + other + " ] && exit 0; sleep 0.1; done; exit 1"
		return suite{name: name, commands: func(checkout) ([]command, error) {
			return []command{{dir: dir, args: []string{"sh", "-c", script}}}, nil
		}}
	}
	waiting := lane("e2e", "a", "b")
	waiting.waits = true
	b := budget{Suites: map[string]timeLimit{"e2e": {Test: 60}, "unit": {Test: 60}}}
	var out bytes.Buffer
	r := runner{budget: b, out: &lockedWriter{to: &out}, now: time.Now}
	outcomes := r.runRounds(context.Background(), rounds([]suite{lane("unit", "b", "a"), waiting}, false), func(suite) error { return nil })
	if len(outcomes) != 2 || outcomes[0].name != "unit" || outcomes[1].name != "e2e" {
		t.Fatalf("outcomes are %+v", outcomes)
	}
	for _, o := range outcomes {
		if o.err != nil {
			t.Errorf("%s: %v", o.name, o.err)
		}
	}
	var priorities []int
	for line := range strings.Lines(out.String()) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			priorities = append(priorities, n)
		}
	}
	// The test may itself run with a lower priority, of which there are 20.
	if len(priorities) != 2 || priorities[0] == priorities[1] {
		t.Errorf("the priorities are %v:\n%s", priorities, out.String())
	}
}
